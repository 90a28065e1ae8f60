//! Patterns over names: which repositories or packages a grant or a token speaks of.
//!
//! Shape: `go/local`, `go/team-*`, `corp.example/team/*`, `*`. Bounds: [`Pattern::MAX_BYTES`]. Two questions:
//! does a pattern [match](Pattern::matches) a name, and does it [cover](Pattern::covers) all names that another
//! one matches. The second may say no where yes were true, and never the other way round.

use std::fmt;

/// A pattern over slash-separated names in which `*` stands for any run of characters without a slash, and
/// a trailing `/*` or a whole `*` for everything below. `go/local`, `go/team-*`, `corp.example/team/*`, `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Length in bytes of a pattern.
    pub const MAX_BYTES: usize = 512;

    /// Checks a pattern.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || text.len() > Self::MAX_BYTES {
            return Err("a pattern has 1 to 512 characters");
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || "\\?[]{},".contains(c)) {
            return Err("a pattern holds names, '/' and '*' only");
        }
        if text.contains("**") || text.split('/').any(str::is_empty) {
            return Err("a pattern holds no '**' and no empty part");
        }
        Ok(Self(text.to_owned()))
    }

    /// The pattern that matches every name.
    #[must_use]
    pub fn everything() -> Self {
        Self("*".to_owned())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a name fits.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        if self.0 == "*" {
            return true;
        }
        let (head, below) = self.split();
        let mut parts = name.split('/');
        for pattern in head.split('/') {
            match parts.next() {
                Some(part) if part_matches(pattern, part) => {}
                _ => return false,
            }
        }
        if below { parts.next().is_some() } else { parts.next().is_none() }
    }

    /// Whether every name that `other` matches is matched by this one.
    ///
    /// A star of `other` stands for texts that nobody knows, so only a star of this pattern may meet it; read
    /// as a plain character it can do nothing else, for no piece between stars holds one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        if self.0 == "*" || other.0 == "*" {
            return self.0 == "*";
        }
        let ((head, below), (other_head, other_below)) = (self.split(), other.split());
        let (parts, other_parts): (Vec<_>, Vec<_>) = (head.split('/').collect(), other_head.split('/').collect());
        let deep_enough = match (below, other_below) {
            (false, below) => !below && parts.len() == other_parts.len(),
            (true, false) => other_parts.len() > parts.len(),
            (true, true) => other_parts.len() >= parts.len(),
        };
        deep_enough && parts.iter().zip(&other_parts).all(|(part, other)| part_matches(part, other))
    }

    /// The part before a trailing `/*`, and whether there is one.
    fn split(&self) -> (&str, bool) {
        match self.0.strip_suffix("/*") {
            Some(head) => (head, true),
            None => (self.0.as_str(), false),
        }
    }
}

/// Matches one segment; linear in practice, since at most one backtrack point is kept.
fn part_matches(pattern: &str, part: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| part.strip_prefix(first)) else {
        return false;
    };
    let mut pieces: Vec<_> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).expect("a pattern")
    }

    #[test]
    fn patterns_match_whole_segments() {
        let rows = [
            ("*", "go/local", true),
            ("go/local", "go/local", true),
            ("go/local", "go/locals", false),
            ("go/*", "go/local", true),
            ("go/*", "go", false),
            ("go/team-*", "go/team-x", true),
            ("go/team-*", "go/team-x/y", false),
            ("corp/*", "corp/a/b", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("a*a", "a", false),
        ];
        for (pattern, name, expected) in rows {
            assert_eq!(Pattern::parse(pattern).expect("a pattern").matches(name), expected, "{pattern} on {name}");
        }
        for bad in ["", "a**b", "a//b", "/a", "a b", "a?"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pattern_covers_what_cannot_name_more_than_itself() {
        let rows = [
            ("*", "*", true),
            ("*", "go/*", true),
            ("go/*", "*", false),
            ("go/*", "go/*", true),
            ("go/*", "go/local", true),
            ("go/*", "go/team-*", true),
            ("go/*", "npm/local", false),
            ("go/local", "go/*", false),
            ("go/local", "go/local", true),
            ("go/team-*", "go/team-a", true),
            ("go/team-*", "go/team-*", true),
            ("go/team-*", "go/*-a", false),
            ("go/team-*", "go/team-a/*", false),
            ("*/local", "go/local", true),
            ("*/local", "*/local", true),
            ("go/a*", "go/*", false),
            ("go/a*b", "go/a*c*b", true),
            ("go/a*c*b", "go/a*b", false),
            ("corp/*", "corp/a/b", true),
            ("corp/*", "corp/a/*", true),
            ("corp/a/*", "corp/*", false),
            ("corp/*", "corp", false),
        ];
        for (one, other, expected) in rows {
            assert_eq!(pattern(one).covers(&pattern(other)), expected, "{one} over {other}");
        }
    }
}
