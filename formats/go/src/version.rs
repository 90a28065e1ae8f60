//! Go's semantic versions: their grammar and canonical form.
//!
//! ```text
//! grammar     v MAJOR [. MINOR [. PATCH [-pre] [+build]]]
//! valid       v1   v1.2   v1.2.3   v1.2.3-rc.1+meta   v99999999999999999999.0.0
//! canonical   v1.2.3   v1.2.3-rc.1   v2.0.0+incompatible    full, and no other build part
//! invalid     1.2.3   V1.2.3   v01.2.3   v1.2-rc   v1.2.3-01   v1.2.3-a..b
//! ```
//!
//! Only canonical versions are stored, listed or served, and only those are a [`GoVersion`]. Valid but
//! not canonical ones occur in requests (`@v1.2`), in upstream lists and in go.mod files; they stay texts.
//!
//! This is our own code and not the `semver` crate, since that crate refuses the leading `v`, the short
//! forms and numbers beyond 64 bits, and lets build metadata take part in order and equality, which Go
//! does not.
//!
//! Units and bounds: numbers are decimal texts of any length, so nothing overflows; all is linear in the
//! text, and the caller bounds the text's length.
//! Errors: [`VersionFault`].
//! Sources: `golang.org/x/mod/semver` and `module.CanonicalVersion`.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use order::cmp_go_semver;
pub use sort_key::sort_key;

mod order;
mod sort_key;

/// The one build part that survives in a canonical version: a major version from 2 on without `/vN`.
pub const INCOMPATIBLE: &str = "+incompatible";

/// A canonical Go version, such as `v1.2.3`, `v0.1.0-rc.1` or `v2.0.0+incompatible`.
///
/// Guarantees: valid by Go's grammar; all three numbers written; no build part but `+incompatible`;
/// ASCII letters, digits, `-`, `.` and `+` only. The order is that of versions, and equal only for equal
/// texts: `v2.0.0` comes just before `v2.0.0+incompatible`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GoVersion(String);

/// Why a text is not a canonical version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionFault {
    /// No version at all: a branch name, `1.2.3` without its `v`, a number with a leading zero.
    #[error("invalid version {version:?}: must be of the form v1.2.3")]
    NotAVersion {
        /// The text.
        version: String,
    },
    /// A version that Go would write differently.
    #[error("version {version:?} invalid: not canonical, should be {canonical:?}")]
    NotCanonical {
        /// The text.
        version: String,
        /// What Go makes of it.
        canonical: String,
    },
}

impl GoVersion {
    /// Reads a canonical version.
    pub fn parse(text: &str) -> Result<Self, VersionFault> {
        let version = text.to_owned();
        match canonical(text) {
            None => Err(VersionFault::NotAVersion { version }),
            Some(canonical) if canonical == text => Ok(Self(canonical)),
            Some(canonical) => Err(VersionFault::NotCanonical { version, canonical }),
        }
    }

    /// The version as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its parts.
    #[must_use]
    pub fn parts(&self) -> Semver<'_> {
        parse_go_semver(&self.0).expect("a GoVersion was checked by parse")
    }

    /// Whether it has a prerelease part, as pseudo-versions do too.
    #[must_use]
    pub fn is_prerelease(&self) -> bool {
        !self.parts().prerelease.is_empty()
    }

    /// Whether it ends in `+incompatible`.
    #[must_use]
    pub fn is_incompatible(&self) -> bool {
        self.0.ends_with(INCOMPATIBLE)
    }

    /// The major version with its `v`: `v1`.
    #[must_use]
    pub fn major(&self) -> &str {
        self.0.split_once('.').map_or(self.as_str(), |(major, _)| major)
    }
}

impl fmt::Display for GoVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for GoVersion {
    type Error = VersionFault;

    fn try_from(text: String) -> Result<Self, VersionFault> {
        Self::parse(&text)
    }
}

impl From<GoVersion> for String {
    fn from(version: GoVersion) -> Self {
        version.0
    }
}

/// The parts of a valid version. It borrows the text and need not be canonical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Semver<'a> {
    /// Decimal digits without a leading zero.
    pub major: &'a str,
    /// The same; `0` where it is left out.
    pub minor: &'a str,
    /// The same; `0` where it is left out.
    pub patch: &'a str,
    /// The identifiers after the first `-`, without it: `rc.1`; empty for none.
    pub prerelease: &'a str,
    /// The identifiers after `+`, without it: `incompatible`; empty for none.
    pub build: &'a str,
}

/// Reads a valid version, canonical or not.
#[must_use]
pub fn parse_go_semver(text: &str) -> Option<Semver<'_>> {
    let (major, rest) = number(text.strip_prefix('v')?)?;
    let short = Semver { major, minor: "0", patch: "0", prerelease: "", build: "" };
    if rest.is_empty() {
        return Some(short);
    }
    let (minor, rest) = number(rest.strip_prefix('.')?)?;
    let short = Semver { minor, ..short };
    if rest.is_empty() {
        return Some(short);
    }
    let (patch, rest) = number(rest.strip_prefix('.')?)?;
    // A prerelease has no `+`, so the first one starts the build part.
    let (rest, build) = rest.find('+').map_or((rest, None), |plus| (&rest[..plus], Some(&rest[plus + 1..])));
    let prerelease = if rest.is_empty() { None } else { Some(rest.strip_prefix('-')?) };
    let sound = prerelease.is_none_or(|part| part.split('.').all(|id| is_identifier(id) && !has_leading_zero(id)))
        && build.is_none_or(|part| part.split('.').all(is_identifier));
    sound.then_some(Semver {
        patch,
        prerelease: prerelease.unwrap_or_default(),
        build: build.unwrap_or_default(),
        ..short
    })
}

/// Whether the text is a version, canonical or not.
#[must_use]
pub fn is_valid(text: &str) -> bool {
    parse_go_semver(text).is_some()
}

/// The canonical form of a valid version: completed, and without a build part other than
/// `+incompatible`.
#[must_use]
pub fn canonical(text: &str) -> Option<String> {
    let Semver { major, minor, patch, prerelease, build } = parse_go_semver(text)?;
    let dash = if prerelease.is_empty() { "" } else { "-" };
    let kept = if INCOMPATIBLE.strip_prefix('+') == Some(build) { INCOMPATIBLE } else { "" };
    Some(format!("v{major}.{minor}.{patch}{dash}{prerelease}{kept}"))
}

/// The digits at the start of the text and what follows them.
fn number(text: &str) -> Option<(&str, &str)> {
    let (digits, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    (!digits.is_empty() && !has_leading_zero(digits)).then_some((digits, rest))
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn has_leading_zero(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0') && is_number(text)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Canonical versions, dense enough that two of them often share a beginning.
    pub(crate) fn any_version() -> impl Strategy<Value = GoVersion> {
        let number = "0|[1-9]|[12][0-9]{1,2}|9{20}|[1-9][0-9]{20}";
        let prerelease = r"(-(0|[1-9][0-9]{0,2}|[a-b-]{1,3}|a\.[0-9a-b]?[a-]|1\.[a-b]|0\.0)(\.(0|1|a|a-))?)?";
        (number, "0|1|10", "0|1|9|10", prerelease, r"(\+incompatible)?").prop_map(
            |(major, minor, patch, pre, build)| {
                let text = format!("v{major}.{minor}.{patch}{pre}{build}");
                GoVersion::parse(&text).expect("the expressions make canonical versions only")
            },
        )
    }

    #[test]
    fn the_canonical_form_is_that_of_go() {
        let table = [
            ("v1.2.3", Some("v1.2.3")),
            ("v1.2.3-RC1", Some("v1.2.3-RC1")),
            ("v1.2.3--", Some("v1.2.3--")),
            ("v1.2.3-0a", Some("v1.2.3-0a")),
            ("v0.0.0", Some("v0.0.0")),
            ("v1", Some("v1.0.0")),
            ("v1.2", Some("v1.2.0")),
            ("v1.2.3+meta", Some("v1.2.3")),
            ("v1.2.3+01", Some("v1.2.3")),
            ("v1.2.3-rc.1+b.2", Some("v1.2.3-rc.1")),
            ("v1.2.3+b-c", Some("v1.2.3")),
            ("v2.0.0+incompatible", Some("v2.0.0+incompatible")),
            ("v2.0.0-rc.1+incompatible", Some("v2.0.0-rc.1+incompatible")),
            ("v2.0.0+incompatible.1", Some("v2.0.0")),
            ("v2.0.0+Incompatible", Some("v2.0.0")),
            ("v99999999999999999999.0.0", Some("v99999999999999999999.0.0")),
            ("", None),
            ("v", None),
            ("1.2.3", None),
            ("V1.2.3", None),
            ("v01.2.3", None),
            ("v1.02.3", None),
            ("v1.2.03", None),
            ("v1.", None),
            ("v1.2.", None),
            ("v1.2.3-01", None),
            ("v1.2.3-a.01", None),
            ("v1.2.3-", None),
            ("v1.2.3+", None),
            ("v1.2.3-+a", None),
            ("v1.2.3-a+", None),
            ("v1.2.3+a+b", None),
            ("v1.2.3+a..b", None),
            ("v1.2.3-a..b", None),
            ("v1.2.3-a.", None),
            ("v1.2.3-a_b", None),
            ("v1.2.3-é", None),
            ("v1.2-rc", None),
            ("v1-rc", None),
            ("v1+incompatible", None),
            ("v1.2.3.4", None),
            ("v1.2.3 ", None),
            ("v١.0.0", None),
            ("main", None),
        ];
        for (text, wanted) in table {
            assert_eq!(canonical(text).as_deref(), wanted, "{text:?}");
            assert_eq!(is_valid(text), wanted.is_some(), "{text:?}");
            assert_eq!(GoVersion::parse(text).is_ok(), wanted == Some(text), "{text:?}");
        }
    }

    #[test]
    fn a_fault_says_what_the_version_should_be() {
        let of = |text| GoVersion::parse(text).expect_err("not canonical").to_string();
        assert_eq!(of("main"), r#"invalid version "main": must be of the form v1.2.3"#);
        assert_eq!(of("v1.2"), r#"version "v1.2" invalid: not canonical, should be "v1.2.0""#);
        let canonical = "v1.0.0".to_owned();
        let fault = VersionFault::NotCanonical { version: "v1.0.0+meta".to_owned(), canonical };
        assert_eq!(GoVersion::parse("v1.0.0+meta"), Err(fault));
    }

    #[test]
    fn parts_can_be_asked_for() {
        let table = [
            ("v1.2.3", "v1", false, false),
            ("v0.0.0-20191109021931-daa7c04131f5", "v0", true, false),
            ("v20.0.0-rc.1+incompatible", "v20", true, true),
        ];
        for (text, major, prerelease, incompatible) in table {
            let version = GoVersion::parse(text).expect(text);
            assert_eq!(version.major(), major);
            assert_eq!((version.is_prerelease(), version.is_incompatible()), (prerelease, incompatible), "{text}");
        }
    }

    #[test]
    fn json_holds_canonical_versions_only() {
        let read = |json| serde_json::from_str::<GoVersion>(json);
        assert_eq!(read(r#""v1.2.3""#).expect("canonical").as_str(), "v1.2.3");
        assert!(read(r#""v1.2""#).is_err());
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_its_own(text in r"v[0-9]{1,2}(\.[0-9]{1,2}(\.[0-9](-[0-9a.-]{1,4})?(\+[a.]{1,3})?)?)?") {
            if let Some(form) = canonical(&text) {
                prop_assert!(cmp_go_semver(&form, &text).is_eq());
                prop_assert_eq!(canonical(&form), Some(form));
            }
        }

        #[test]
        fn no_text_makes_reading_panic(text in any::<String>(), tail in "[v0-9.+a-]{0,9}") {
            let _ = canonical(&text);
            let _ = canonical(&format!("v{tail}{text}"));
        }
    }
}
