//! Patterns of module paths, as in the client's `GONOSUMDB`.
//!
//! ```text
//! github.com/yourcompany       github.com/yourcompany and all below it
//! github.com/yourcompany/*     all below it, not itself
//! *.corp.example               git.corp.example and all below it
//! ```
//!
//! A pattern is matched on as many leading elements of a path as it has itself. Within an element `*` stands
//! for any text, `?` for one character and `[a-z]`, `[^a-z]` for one of a class. Case counts.
//!
//! Stricter than the client, which skips a pattern that it does not understand: a skipped pattern would send
//! a private name out. Only characters that can occur in a module path are accepted beside the signs above.
//!
//! Units and bounds: [`PATTERN_BYTES`]; matching is at most the product of both lengths, with no recursion.
//! Errors: [`PatternFault`].
//! Sources: `MatchPrefixPatterns` in `golang.org/x/mod/module`, `path.Match`.

use std::fmt;

use crate::path::ModulePath;

/// Bytes of a pattern: it must fit into a text that the `go` command prints.
pub const PATTERN_BYTES: usize = 200;

/// A well-formed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    elements: Vec<Vec<Sign>>,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternFault {
    /// Nothing, or an element with nothing in it.
    #[error("an element of it is empty")]
    Empty,
    /// More than [`PATTERN_BYTES`].
    #[error("it is longer than {PATTERN_BYTES} bytes")]
    TooLong,
    /// A character that no module path has, such as a blank or the comma of a list.
    #[error("{0:?} cannot occur in a module path")]
    Char(char),
    /// `[` without `]`, or a class with nothing in it.
    #[error("a class in brackets is not complete")]
    Class,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Sign {
    Exactly(char),
    AnyOne,
    AnyText,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Sign {
    fn accepts(&self, c: char) -> bool {
        match self {
            Self::Exactly(wanted) => *wanted == c,
            Self::AnyOne | Self::AnyText => true,
            Self::Class { negated, ranges } => ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated,
        }
    }
}

impl Pattern {
    /// Reads a pattern; a slash at its end means nothing.
    ///
    /// # Errors
    /// The first fault found.
    pub fn parse(text: &str) -> Result<Self, PatternFault> {
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.len() > PATTERN_BYTES {
            return Err(PatternFault::TooLong);
        }
        let elements = text.split('/').map(element).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), elements })
    }

    /// The pattern as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the path or one above it fits.
    #[must_use]
    pub fn matches(&self, module: &ModulePath) -> bool {
        let mut path = module.as_str().split('/');
        self.elements.iter().all(|signs| path.next().is_some_and(|element| fits(signs, element)))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn element(text: &str) -> Result<Vec<Sign>, PatternFault> {
    if text.is_empty() {
        return Err(PatternFault::Empty);
    }
    let mut signs = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        signs.push(match c {
            '*' => Sign::AnyText,
            '?' => Sign::AnyOne,
            '[' => class(&mut rest)?,
            _ => Sign::Exactly(plain(c)?),
        });
    }
    Ok(signs)
}

/// What follows `[`, up to and with `]`.
fn class(rest: &mut std::str::Chars<'_>) -> Result<Sign, PatternFault> {
    let (body, after) = rest.as_str().split_once(']').ok_or(PatternFault::Class)?;
    let (negated, body) = body.strip_prefix('^').map_or((false, body), |body| (true, body));
    let mut ranges = Vec::new();
    let mut members = body.chars().peekable();
    while let Some(low) = members.next() {
        let mut high = plain(low)?;
        if low == '-' {
            return Err(PatternFault::Class);
        }
        if members.next_if_eq(&'-').is_some() {
            high = plain(members.next().ok_or(PatternFault::Class)?)?;
        }
        if high < low || high == '-' {
            return Err(PatternFault::Class);
        }
        ranges.push((low, high));
    }
    if ranges.is_empty() {
        return Err(PatternFault::Class);
    }
    *rest = after.chars();
    Ok(Sign::Class { negated, ranges })
}

fn plain(c: char) -> Result<char, PatternFault> {
    let may_occur = c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
    if may_occur { Ok(c) } else { Err(PatternFault::Char(c)) }
}

/// Whether the signs make up the text. On a mismatch only the last `*` takes one character more, which is
/// enough, so that many stars cost no more than one.
fn fits(signs: &[Sign], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut sign, mut at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match (signs.get(sign), star) {
            (Some(Sign::AnyText), _) => {
                star = Some((sign, at));
                sign += 1;
            }
            (Some(one), _) if one.accepts(text[at]) => {
                sign += 1;
                at += 1;
            }
            (_, Some((back, taken))) => {
                star = Some((back, taken + 1));
                sign = back + 1;
                at = taken + 1;
            }
            (_, None) => return false,
        }
    }
    signs[sign..].iter().all(|sign| *sign == Sign::AnyText)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pattern_covers_what_the_client_would_cover() {
        let rows = [
            ("github.com/a", "github.com/a", true),
            ("github.com/a", "github.com/a/m/v2", true),
            ("github.com/a/", "github.com/a/m", true),
            ("github.com/a", "github.com/ab", false),
            ("github.com/a", "github.com", false),
            ("github.com/a", "github.com/A/m", false),
            ("github.com/a/*", "github.com/a", false),
            ("github.com/a/*", "github.com/a/m/sub", true),
            ("*", "e.com/m", true),
            ("*.corp.example", "git.corp.example/m", true),
            ("*.corp.example", "corp.example/m", false),
            ("github.com/a*c", "github.com/abbc/m", true),
            ("github.com/a*b*c", "github.com/axbxbxc", true),
            ("github.com/a*b*c", "github.com/axcxb", false),
            ("github.com/a?c", "github.com/abc", true),
            ("github.com/a?c", "github.com/ac", false),
            ("github.com/[a-c]x", "github.com/bx", true),
            ("github.com/[^a-c]x", "github.com/bx", false),
            ("github.com/[^a-c]x", "github.com/dx", true),
            ("github.com/[ab_]", "github.com/_", true),
        ];
        for (pattern, module, wanted) in rows {
            let module = ModulePath::parse(module).expect(module);
            assert_eq!(Pattern::parse(pattern).expect(pattern).matches(&module), wanted, "{pattern} {module}");
        }
    }

    #[test]
    fn a_malformed_pattern_is_refused() {
        let rows = [
            ("", PatternFault::Empty),
            ("/", PatternFault::Empty),
            ("/a", PatternFault::Empty),
            ("a//b", PatternFault::Empty),
            (" github.com/a", PatternFault::Char(' ')),
            ("a.com,b.com", PatternFault::Char(',')),
            ("a.com/é", PatternFault::Char('é')),
            ("a.com/\\*", PatternFault::Char('\\')),
            ("a.com/[", PatternFault::Class),
            ("a.com/[]", PatternFault::Class),
            ("a.com/[^]", PatternFault::Class),
            ("a.com/[a", PatternFault::Class),
            ("a.com/[b-a]", PatternFault::Class),
            ("a.com/[a-]", PatternFault::Class),
            ("a.com/[-a]", PatternFault::Class),
            ("a.com/]", PatternFault::Char(']')),
        ];
        for (pattern, wanted) in rows {
            assert_eq!(Pattern::parse(pattern), Err(wanted), "{pattern:?}");
        }
        assert!(Pattern::parse(&"a".repeat(PATTERN_BYTES)).is_ok());
        assert_eq!(Pattern::parse(&"a".repeat(PATTERN_BYTES + 1)), Err(PatternFault::TooLong));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_pattern_panic(pattern in "[a-c*?\\[\\]^./é-]{0,16}", path in "[a-c./]{0,8}") {
            if let (Ok(pattern), Ok(path)) = (Pattern::parse(&pattern), ModulePath::parse(&format!("a.b/{path}"))) {
                let _ = pattern.matches(&path);
            }
        }
    }
}
