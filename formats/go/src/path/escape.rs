//! The escaped form of paths and versions: upper case as a bang and lower case.
//!
//! ```text
//! github.com/Azure/sdk     github.com/!azure/sdk
//! v1.0.0-RC1               v1.0.0-!r!c1
//! ```
//!
//! It keeps `Azure` and `azure` apart on file systems that ignore case. In URLs the bang may come as `%21`;
//! what is read here has been percent-decoded (once) before. A path is a [`ModulePath`] when it is
//! unescaped. A version in a request is any revision (`main`, `0a1b2c3`), so it is a text, held to the rules
//! of one file element.
//!
//! Errors: [`PathFault`] with an [`EscapeReason`].
//! Sources: `EscapePath`, `UnescapeVersion` in `golang.org/x/mod/module` (go 1.26).

use super::element::{self, ElementFault, ElementKind, Letters};
use super::{ModulePath, PathFault, PathReason};

/// Why a text is not the escaped form of anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EscapeReason {
    /// `!` before anything but a lower-case letter.
    #[error("'!' must be followed by a lower-case letter")]
    Bang,
    /// A character outside ASCII.
    #[error("invalid char {0:?}")]
    Char(char),
    /// Upper case as it is, mostly from somebody who typed the URL by hand.
    #[error("upper-case letters are escaped with '!': {spelling:?}")]
    UpperCase {
        /// The text with its upper-case letters escaped. It may break other rules.
        spelling: String,
    },
    /// What is escaped is no module path.
    #[error(transparent)]
    Path(PathReason),
    /// What is escaped is no version.
    #[error(transparent)]
    Version(ElementFault),
}

impl ModulePath {
    /// The path as it stands in URLs: `github.com/!azure/sdk`.
    #[must_use]
    pub fn escaped(&self) -> String {
        escape(self.as_str())
    }

    /// Reads the escaped form.
    pub fn unescape(text: &str) -> Result<Self, PathFault> {
        let fault = |reason| PathFault::EscapedPath { escaped: text.to_owned(), reason };
        let path = unescape(text).map_err(fault)?;
        super::check(&path).map_err(|reason| fault(EscapeReason::Path(reason)))?;
        Ok(Self(path))
    }
}

/// The version as it stands in URLs: `v1.0.0-!r!c1`.
///
/// It undoes [`unescape_version`] for all that may return; a `!` stays as it is, so the escaped form of any
/// other text may not be readable.
#[must_use]
pub fn escape_version(version: &str) -> String {
    escape(version)
}

/// Reads the escaped form of a version or revision.
///
/// What comes back is one valid file element of ASCII without `!` and without a slash, as in
/// `v1.0.0`, `main`, `.x`, `a b`: no semantic version yet.
pub fn unescape_version(text: &str) -> Result<String, PathFault> {
    let fault = |reason| PathFault::EscapedVersion { escaped: text.to_owned(), reason };
    let version = unescape(text).map_err(fault)?;
    // Which letters does not matter, for the text is ASCII.
    element::check(&version, ElementKind::File(Letters::Unicode15))
        .map_err(|reason| fault(EscapeReason::Version(reason)))?;
    Ok(version)
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 4);
    for c in text.chars() {
        if c.is_ascii_uppercase() {
            escaped.push('!');
        }
        escaped.push(c.to_ascii_lowercase());
    }
    escaped
}

fn unescape(text: &str) -> Result<String, EscapeReason> {
    let mut plain = String::with_capacity(text.len());
    let mut has_upper = false;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '!' => match chars.next() {
                Some(letter @ 'a'..='z') => plain.push(letter.to_ascii_uppercase()),
                _ => return Err(EscapeReason::Bang),
            },
            _ if !c.is_ascii() => return Err(EscapeReason::Char(c)),
            _ => {
                has_upper |= c.is_ascii_uppercase();
                plain.push(c);
            }
        }
    }
    // Told last: a spelling is worth telling only when nothing else is wrong with the bangs.
    if has_upper { Err(EscapeReason::UpperCase { spelling: escape(text) }) } else { Ok(plain) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::path::tests::any_module_path;

    #[test]
    fn paths_are_escaped_as_go_does() {
        let table = [
            ("e.com/a", "e.com/a"),
            ("github.com/Azure/SDK", "github.com/!azure/!s!d!k"),
            ("github.com/a/B~C_d", "github.com/a/!b~!c_d"),
        ];
        for (path, escaped) in table {
            let path = ModulePath::parse(path).expect(path);
            assert_eq!(path.escaped(), escaped);
            assert_eq!(ModulePath::unescape(escaped), Ok(path));
        }
    }

    #[test]
    fn other_spellings_of_a_path_are_refused() {
        let upper = |spelling: &str| EscapeReason::UpperCase { spelling: spelling.to_owned() };
        let table = [
            ("github.com/Azure/m", upper("github.com/!azure/m")),
            ("github.com/!azure/M", upper("github.com/!azure/!m")),
            ("github.com/!Azure/m", EscapeReason::Bang),
            ("github.com/Azure/m!", EscapeReason::Bang),
            ("github.com/!1", EscapeReason::Bang),
            ("github.com/!!a", EscapeReason::Bang),
            ("github.com/!", EscapeReason::Bang),
            ("github.com/A/é", EscapeReason::Char('é')),
            ("!github.com/a", EscapeReason::Path(PathReason::CharInFirst('G'))),
            ("e.com/v1", EscapeReason::Path(PathReason::Major)),
            ("", EscapeReason::Path(PathReason::Empty)),
        ];
        for (text, reason) in table {
            assert_eq!(ModulePath::unescape(text), Err(PathFault::EscapedPath { escaped: text.to_owned(), reason }));
        }
        let told = ModulePath::unescape("e.com/A").expect_err("upper case").to_string();
        assert_eq!(
            told,
            r#"invalid escaped module path "e.com/A": upper-case letters are escaped with '!': "e.com/!a""#
        );
    }

    #[test]
    fn a_revision_is_one_file_element() {
        for (text, version) in [
            ("v1.0.0", "v1.0.0"),
            ("v1.1.0-!r!c.1", "v1.1.0-RC.1"),
            ("v2.0.0+incompatible", "v2.0.0+incompatible"),
            ("main", "main"),
            (".x", ".x"),
            ("~x", "~x"),
            ("=v1", "=v1"),
            ("a b", "a b"),
            ("a%b", "a%b"),
            ("a#b", "a#b"),
            ("-x", "-x"),
        ] {
            assert_eq!(unescape_version(text).as_deref(), Ok(version));
            assert_eq!(escape_version(version), text);
        }
        let dots = |text: &str| EscapeReason::Version(ElementFault::Dots(text.to_owned()));
        for (text, reason) in [
            ("feature/x", EscapeReason::Version(ElementFault::Char('/'))),
            ("", EscapeReason::Version(ElementFault::Empty)),
            ("..", dots("..")),
            ("v1.", EscapeReason::Version(ElementFault::TrailingDot)),
            ("con", EscapeReason::Version(ElementFault::Reserved("con".to_owned()))),
            ("a\0b", EscapeReason::Version(ElementFault::Char('\0'))),
            ("v1.0.0-RC1", EscapeReason::UpperCase { spelling: "v1.0.0-!r!c1".to_owned() }),
            ("日本", EscapeReason::Char('日')),
            ("v1!", EscapeReason::Bang),
        ] {
            assert_eq!(unescape_version(text), Err(PathFault::EscapedVersion { escaped: text.to_owned(), reason }));
        }
    }

    proptest! {
        #[test]
        fn unescaping_undoes_escaping(path in any_module_path()) {
            prop_assert!(!path.escaped().contains(|c: char| c.is_ascii_uppercase()));
            prop_assert_eq!(ModulePath::unescape(&path.escaped()), Ok(path));
        }

        #[test]
        fn no_two_texts_are_read_as_one_version(text in "[!a-cA-C.v1 é-]{0,8}") {
            if let Ok(version) = unescape_version(&text) {
                prop_assert_eq!(escape_version(&version), text);
            }
        }
    }
}
