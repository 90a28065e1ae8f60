//! Module paths, and the other names of Go's world that share their rules.
//!
//! ```text
//! github.com/Azure/sdk/v2            a module path; its prefix is github.com/Azure/sdk, its major /v2
//! github.com/!azure/sdk/v2           the same escaped, as in URLs and on disks that ignore case (escape)
//! gopkg.in/yaml.v3                   the one host with another major suffix (major)
//! internal/日本 (1).txt              a file path, as in zips: wider than module paths (file)
//! ```
//!
//! The rules of a module path, in the order in which they are checked: not empty, no `-` first, no slash
//! at either end or doubled; then for each element its dots, characters and the names Windows keeps for
//! itself (`element`); then the first element (a host name with a dot, in lower case); then the major
//! suffix ([`split_major`]). Go checks all of one element before the next, and so do we.
//!
//! A module path has no bound of its own here; the caller bounds the length of a name.
//! Errors: [`PathFault`], worded as `go` words them, for the reader sees both.
//! Sources: `CheckPath` in `golang.org/x/mod/module` (go 1.26).

use std::fmt;

use serde::{Deserialize, Serialize};

pub use element::ElementFault;
pub use escape::{EscapeReason, escape_version, unescape_version};
pub use file::{FilePathFault, check_clean, check_file_path, check_upstream_file_path};
pub use major::{MajorFault, check_major, major_matches, split_major};

mod element;
mod escape;
mod file;
mod major;

use element::ElementKind;

/// A valid Go module path, unescaped, such as `github.com/Azure/sdk/v2`.
///
/// Guarantees: every rule of this file, hence ASCII letters, digits and `-._~/` only, no `.` or `..`
/// element and no slash at an end; a first element with a dot and without upper case; a well-formed
/// major suffix. The order is that of bytes, Go's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModulePath(String);

/// Why a text is not a module path, or not one in its escaped form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// The path itself is wrong.
    #[error("malformed module path {path:?}: {reason}")]
    Path {
        /// The text.
        path: String,
        /// The first rule it breaks.
        reason: PathReason,
    },
    /// The escaped form of a path is wrong.
    #[error("invalid escaped module path {escaped:?}: {reason}")]
    EscapedPath {
        /// The text.
        escaped: String,
        /// What is wrong, perhaps with the right spelling.
        reason: EscapeReason,
    },
    /// The escaped form of a version is wrong.
    #[error("invalid escaped version {escaped:?}: {reason}")]
    EscapedVersion {
        /// The text.
        escaped: String,
        /// What is wrong, perhaps with the right spelling.
        reason: EscapeReason,
    },
}

/// The rule of module paths that is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathReason {
    /// There is nothing.
    #[error("empty string")]
    Empty,
    /// `-x.com/a`, which a program would take for an option.
    #[error("leading dash")]
    LeadingDash,
    /// `/x.com/a`
    #[error("leading slash")]
    LeadingSlash,
    /// `x.com//a`
    #[error("double slash")]
    DoubleSlash,
    /// `x.com/a/`
    #[error("trailing slash")]
    TrailingSlash,
    /// One of the elements is wrong.
    #[error(transparent)]
    Element(#[from] ElementFault),
    /// `example/a`: without a dot it is no host name, and Go keeps such paths for its own packages.
    #[error("missing dot in first path element")]
    NoDotInFirst,
    /// `GitHub.com/a`: host names are written in lower case.
    #[error("invalid char {0:?} in first path element")]
    CharInFirst(char),
    /// `x.com/v1`, `gopkg.in/yaml`
    #[error("invalid version")]
    Major,
}

impl ModulePath {
    /// Reads a module path as people write it.
    pub fn parse(text: &str) -> Result<Self, PathFault> {
        match check(text) {
            Ok(()) => Ok(Self(text.to_owned())),
            Err(reason) => Err(PathFault::Path { path: text.to_owned(), reason }),
        }
    }

    /// The path as people write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path without its major suffix: `gopkg.in/yaml` of `gopkg.in/yaml.v3`.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.split().0
    }

    /// The major suffix with its separator: `/v2`, `.v3`, `.v2-unstable`, or nothing.
    #[must_use]
    pub fn major(&self) -> &str {
        self.split().1
    }

    fn split(&self) -> (&str, &str) {
        split_major(&self.0).expect("the major suffix of a ModulePath was checked by parse")
    }
}

impl fmt::Display for ModulePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for ModulePath {
    type Error = PathFault;

    fn try_from(text: String) -> Result<Self, PathFault> {
        Self::parse(&text)
    }
}

impl From<ModulePath> for String {
    fn from(path: ModulePath) -> Self {
        path.0
    }
}

fn check(path: &str) -> Result<(), PathReason> {
    if path.is_empty() {
        return Err(PathReason::Empty);
    }
    if path.starts_with('-') {
        return Err(PathReason::LeadingDash);
    }
    if path.contains("//") {
        return Err(PathReason::DoubleSlash);
    }
    if path.ends_with('/') {
        return Err(PathReason::TrailingSlash);
    }
    if path.starts_with('/') {
        return Err(PathReason::LeadingSlash);
    }
    for element in path.split('/') {
        element::check(element, ElementKind::Module)?;
    }
    check_first(path.split('/').next().unwrap_or_default())?;
    split_major(path).map(|_| ()).ok_or(PathReason::Major)
}

fn check_first(host: &str) -> Result<(), PathReason> {
    if !host.contains('.') {
        return Err(PathReason::NoDotInFirst);
    }
    let is_wrong = |c: &char| !matches!(c, 'a'..='z' | '0'..='9' | '-' | '.');
    host.chars().find(is_wrong).map_or(Ok(()), |c| Err(PathReason::CharInFirst(c)))
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Module paths of every kind that occurs, and some that only the rules allow.
    pub(crate) fn any_module_path() -> impl Strategy<Value = ModulePath> {
        (r"[a-z0-9][a-z0-9-]{0,5}\.[a-z]{1,3}", r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,6}){0,3}", "(/v([2-9]|1[0-9]))?")
            .prop_filter_map("not every mix is a path", |(host, elements, major)| {
                ModulePath::parse(&format!("{host}{elements}{major}")).ok()
            })
    }

    #[test]
    fn a_module_path_keeps_the_rules_of_go() {
        use ElementFault::{Char, Dots, LeadingDot, Reserved, ShortName, TrailingDot};
        use PathReason::{CharInFirst, DoubleSlash, Element, Empty, LeadingDash, LeadingSlash, Major, NoDotInFirst};
        let reserved = |name: &str| Err(Element(Reserved(name.to_owned())));
        let table = [
            ("e.com", Ok(())),
            ("e.com/a", Ok(())),
            ("github.com/Azure/m", Ok(())),
            ("127.0.0.1/a", Ok(())),
            ("x-.com/a", Ok(())),
            ("e.com/a..b", Ok(())),
            ("e.com/com0", Ok(())),
            ("e.com/COM10", Ok(())),
            ("e.com/console", Ok(())),
            ("e.com/a.con", Ok(())),
            ("e.com/a~b", Ok(())),
            ("e.com/a/~", Ok(())),
            ("e.com/a~1b", Ok(())),
            ("e.com/a.x~1", Ok(())),
            ("e.com/a/-b", Ok(())),
            ("e.com/v", Ok(())),
            ("e.com/V2", Ok(())),
            ("e.com/v2", Ok(())),
            ("e.com/m/v2/sub", Ok(())),
            ("gopkg.in/yaml.v2-unstable", Ok(())),
            ("", Err(Empty)),
            ("-x.com/a", Err(LeadingDash)),
            ("/e.com/a", Err(LeadingSlash)),
            ("/", Err(PathReason::TrailingSlash)),
            ("e.com//a", Err(DoubleSlash)),
            ("e.com/", Err(PathReason::TrailingSlash)),
            ("e.com/.", Err(Element(Dots(".".to_owned())))),
            ("e.com/../a", Err(Element(Dots("..".to_owned())))),
            ("e.com/...", Err(Element(Dots("...".to_owned())))),
            ("e.com/.git", Err(Element(LeadingDot))),
            (".e.com/a", Err(Element(LeadingDot))),
            ("e.com/a.", Err(Element(TrailingDot))),
            ("e.com./a", Err(Element(TrailingDot))),
            ("e.com/a+b", Err(Element(Char('+')))),
            ("e.com/a b", Err(Element(Char(' ')))),
            ("e.com/é", Err(Element(Char('é')))),
            ("e.com/a@b", Err(Element(Char('@')))),
            ("e.com/a!b", Err(Element(Char('!')))),
            ("e.com/a\\b", Err(Element(Char('\\')))),
            ("e.com/a\0b", Err(Element(Char('\0')))),
            ("e.com\u{202e}/a", Err(Element(Char('\u{202e}')))),
            ("localhost:8080/a", Err(Element(Char(':')))),
            ("e.com/CON.x", reserved("CON")),
            ("e.com/aux", reserved("aux")),
            ("e.com/nul.txt", reserved("nul")),
            ("e.com/Com9/a", reserved("Com9")),
            ("lpt1.com/a", reserved("lpt1")),
            ("e.com/a~1", Err(Element(ShortName))),
            ("e.com/a~1.go", Err(Element(ShortName))),
            ("e.com/~1", Err(Element(ShortName))),
            ("e.com/a~b~12", Err(Element(ShortName))),
            ("example/a", Err(NoDotInFirst)),
            ("GitHub.com/a", Err(CharInFirst('G'))),
            ("x_y.com/a", Err(CharInFirst('_'))),
            ("e.com/v1", Err(Major)),
            ("e.com/v0", Err(Major)),
            ("e.com/v02", Err(Major)),
            ("e.com/v1.2", Err(Major)),
            ("gopkg.in/yaml", Err(Major)),
        ];
        for (path, wanted) in table {
            assert_eq!(check(path), wanted, "{path:?}");
            assert_eq!(ModulePath::parse(path).is_ok(), wanted.is_ok(), "{path:?}");
        }
    }

    #[test]
    fn a_fault_names_the_path_and_the_rule() {
        let of = |text| ModulePath::parse(text).expect_err("malformed").to_string();
        assert_eq!(of("e.com/a+b"), r#"malformed module path "e.com/a+b": invalid char '+'"#);
        assert_eq!(of("example/a"), r#"malformed module path "example/a": missing dot in first path element"#);
        let windows = r#"malformed module path "e.com/aux": "aux" disallowed as path element component on Windows"#;
        assert_eq!(of("e.com/aux"), windows);
    }

    #[test]
    fn json_holds_valid_paths_only() {
        let read = |json| serde_json::from_str::<ModulePath>(json);
        assert_eq!(read(r#""e.com/m/v2""#).expect("valid").prefix(), "e.com/m");
        assert!(read(r#""e.com/m/v1""#).is_err());
    }

    proptest! {
        #[test]
        fn prefix_and_major_make_the_path(path in any_module_path()) {
            prop_assert_eq!(format!("{}{}", path.prefix(), path.major()), path.as_str());
        }

        #[test]
        fn no_text_makes_reading_panic(text in any::<String>(), tail in "[a-z0-9./v~-]{0,12}") {
            let _ = ModulePath::parse(&text);
            let _ = ModulePath::parse(&format!("e.com/{tail}"));
            let _ = ModulePath::parse(&format!("gopkg.in/{tail}"));
        }
    }
}
