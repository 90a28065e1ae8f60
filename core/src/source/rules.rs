//! What may come in from an upstream: rules over names and versions, and the least age of a version.
//!
//! ```text
//! deny   github.com/evil/*                      all versions
//! deny   example.com/m  >=v1.2.0 <v1.2.5        these versions, and the reason that clients are told
//! allow  github.com/yourcompany                 with any allow rule, what none of them covers is refused
//! least age 7 days                              by when a version was made, or first seen
//! ```
//!
//! A denial wins over a permission. Patterns are read by the format, versions are compared by its order.

use serde::{Deserialize, Serialize};

use crate::artifact::{PackageName, SortKey, VersionName};
use crate::limits::{RULE_PATTERN_BYTES, RULES};

/// All rules of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// What is refused.
    pub deny: Vec<Rule>,
    /// When there is any, what is not named here is refused.
    pub allow: Vec<Rule>,
    /// Seconds that must have passed since a version was made.
    pub min_age_seconds: u64,
}

/// Names and, if it says so, some versions of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A pattern of package names, as the format reads it.
    pub packages: String,
    /// Which versions; all when it is empty.
    #[serde(default)]
    pub versions: Range,
    /// Why, for those who are refused.
    #[serde(default)]
    pub reason: String,
}

/// A range of versions: all bounds hold. `>=v1.2.0 <v1.2.5`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Range(Vec<(Bound, VersionName)>);

/// How a version stands to the one that a bound names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `=`
    Exactly,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
}

/// Why rules are not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRules {
    /// More than [`RULES`].
    #[error("there are more than {RULES} rules")]
    TooMany,
    /// A bound that does not read.
    #[error("{0:?} is not a bound like >=v1.2.0; the signs are < <= = >= >")]
    Bound(String),
    /// A reason or a pattern that is too long or holds control characters.
    #[error("a pattern or reason has at most {RULE_PATTERN_BYTES} bytes and no control characters")]
    Text,
}

impl Bound {
    /// The longer signs first, for `<` begins `<=`.
    const SIGNS: [(&'static str, Self); 5] =
        [("<=", Self::AtMost), (">=", Self::AtLeast), ("<", Self::Below), (">", Self::Above), ("=", Self::Exactly)];

    fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Below => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Exactly => order.is_eq(),
            Self::AtLeast => order.is_ge(),
            Self::Above => order.is_gt(),
        }
    }
}

impl Range {
    /// Reads bounds separated by blanks; none is every version.
    ///
    /// # Errors
    /// The first bound that does not read.
    pub fn parse(text: &str) -> Result<Self, InvalidRules> {
        let bound = |word: &str| {
            let refused = || InvalidRules::Bound(word.chars().take(80).collect());
            let (sign, bound) =
                Bound::SIGNS.into_iter().find(|(sign, _)| word.starts_with(sign)).ok_or_else(refused)?;
            let version = word[sign.len()..].trim_start_matches(['<', '=', '>']);
            if version.len() + sign.len() != word.len() {
                return Err(refused());
            }
            let version = VersionName::try_from(version).map_err(|_| refused())?;
            Ok((bound, version))
        };
        text.split_whitespace().map(bound).collect::<Result<_, _>>().map(Self)
    }

    /// Whether every version is meant.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// The versions that the bounds name.
    pub fn versions(&self) -> impl Iterator<Item = &VersionName> {
        self.0.iter().map(|(_, version)| version)
    }

    /// Whether a version is inside, in the order that `key` makes.
    pub fn holds(&self, version: &VersionName, key: impl Fn(&VersionName) -> SortKey) -> bool {
        let own = key(version);
        self.0.iter().all(|(bound, other)| bound.holds(own.cmp(&key(other))))
    }
}

impl From<Range> for String {
    fn from(range: Range) -> Self {
        range.to_string()
    }
}

impl TryFrom<String> for Range {
    type Error = InvalidRules;

    fn try_from(text: String) -> Result<Self, InvalidRules> {
        Self::parse(&text)
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (bound, version)) in self.0.iter().enumerate() {
            let sign = Bound::SIGNS.into_iter().find(|(_, one)| one == bound).map_or("", |(sign, _)| sign);
            let blank = if at == 0 { "" } else { " " };
            write!(f, "{blank}{sign}{version}")?;
        }
        Ok(())
    }
}

impl Rules {
    /// Whether nothing is ever refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.deny.is_empty() && self.allow.is_empty() && self.min_age_seconds == 0
    }

    /// Checks what can be checked without knowing the format.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), InvalidRules> {
        if self.deny.len() + self.allow.len() > RULES {
            return Err(InvalidRules::TooMany);
        }
        let plain = |text: &str| text.len() <= RULE_PATTERN_BYTES && !text.chars().any(char::is_control);
        let sound = |rule: &Rule| plain(&rule.packages) && plain(&rule.reason);
        if self.deny.iter().chain(&self.allow).all(sound) { Ok(()) } else { Err(InvalidRules::Text) }
    }

    /// The rule that refuses a version by its name, or that no rule allows it (`Some(None)`). `version` is `None`
    /// for the package as a whole, which only rules without bounds can refuse. `covers` reads a pattern.
    pub fn refusing<'a>(
        &'a self,
        package: &PackageName,
        version: Option<&VersionName>,
        covers: impl Fn(&str, &PackageName) -> bool,
        key: impl Fn(&VersionName) -> SortKey,
    ) -> Option<Option<&'a Rule>> {
        let within = |rule: &Rule| match version {
            Some(version) => rule.versions.holds(version, &key),
            None => rule.versions.is_all(),
        };
        let denied = self.deny.iter().find(|rule| covers(&rule.packages, package) && within(rule));
        if denied.is_some() {
            return Some(denied);
        }
        // Of the package as a whole any permission is enough: its list then holds the versions that are allowed.
        let permits = |rule: &Rule| covers(&rule.packages, package) && (version.is_none() || within(rule));
        (!self.allow.is_empty() && !self.allow.iter().any(permits)).then_some(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> VersionName {
        VersionName::try_from(text).expect("a version")
    }

    fn key(version: &VersionName) -> SortKey {
        SortKey(version.as_str().as_bytes().to_vec())
    }

    #[test]
    fn a_range_is_all_of_its_bounds() {
        let range = Range::parse(" >=v1.2.0  <v1.2.5 ").expect("a range");
        assert_eq!(range.to_string(), ">=v1.2.0 <v1.2.5");
        for (text, inside) in [("v1.1.9", false), ("v1.2.0", true), ("v1.2.4", true), ("v1.2.5", false)] {
            assert_eq!(range.holds(&version(text), key), inside, "{text}");
        }
        for (bounds, inside) in [("=v1", true), (">v1", false), ("<=v1", true), ("", true)] {
            assert_eq!(Range::parse(bounds).expect("bounds").holds(&version("v1"), key), inside, "{bounds}");
        }
        for bad in ["v1", "=>v1", "~v1", ">="] {
            assert!(Range::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_denial_wins_and_a_permission_leaves_the_rest_out() {
        let rule = |packages: &str, versions: &str| Rule {
            packages: packages.to_owned(),
            versions: Range::parse(versions).expect("a range"),
            reason: String::new(),
        };
        let covers = |pattern: &str, package: &PackageName| package.as_str().starts_with(pattern);
        let name = |text: &str| PackageName::try_from(text).expect("a name");
        let rules = Rules {
            deny: vec![rule("a/bad", ""), rule("a/x", ">=v2")],
            allow: vec![rule("a", "<v5")],
            min_age_seconds: 0,
        };
        let rows = [
            ("a/bad", Some("v1"), true),
            ("a/bad", None, true),
            ("a/x", Some("v1"), false),
            ("a/x", Some("v3"), true),
            ("a/x", None, false),
            ("a/y", Some("v4"), false),
            ("a/y", Some("v6"), true),
            ("a/y", None, false),
            ("b", Some("v1"), true),
            ("b", None, true),
        ];
        for (package, of, refused) in rows {
            let of = of.map(version);
            assert_eq!(rules.refusing(&name(package), of.as_ref(), covers, key).is_some(), refused, "{package} {of:?}");
        }
        assert!(Rules::default().refusing(&name("b"), None, covers, key).is_none());
    }
}
