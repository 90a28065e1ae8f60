//! Pseudo-versions: versions made of a commit, for commits without a tag.
//!
//! ```text
//! v0.0.0-20191109021931-daa7c04131f5             no tag before it
//! v1.2.4-0.20191109021931-daa7c04131f5           after v1.2.3
//! v1.2.3-pre.0.20191109021931-daa7c04131f5       after v1.2.3-pre
//! v2.0.1-0.20191109021931-daa7c04131f5+incompatible    after v2.0.0+incompatible
//!        time (UTC)     revision
//! ```
//!
//! Go goes by the shape alone when it asks whether a version is one, and only later finds that a base or
//! time cannot be. So a [`PseudoVersion`] always has its three parts, the doubtful ones as a
//! [`PseudoDoubt`]: the publisher is warned of them, and proxies have stored such versions for years.
//!
//! Units and bounds: the time is in whole seconds of UTC, years 0 to 9999.
//! Sources: `IsPseudoVersion`, `parsePseudoVersion`, `PseudoVersionBase` in `golang.org/x/mod/module`
//! (go 1.26).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::version::{GoVersion, INCOMPATIBLE, Semver, parse_go_semver};

/// Hexadecimal digits that `go` takes of a commit id.
pub const REVISION_DIGITS: usize = 12;

/// What a pseudo-version says about its commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PseudoVersion {
    /// The highest tag before the commit, if there is one.
    pub base: Result<Option<GoVersion>, PseudoDoubt>,
    /// The commit's time.
    pub time: Result<Timestamp, PseudoDoubt>,
    /// The start of the commit's id: 12 lower-case hexadecimal digits for git, letters and digits at any rate.
    pub revision: String,
}

/// What is odd about a pseudo-version. Go accepts its shape all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PseudoDoubt {
    /// `v1.2.0-0.…`: the tag before would be `v1.2.-1`.
    #[error("version before {0} would have negative patch number")]
    NegativePatch(String),
    /// `v2.0.0-…+incompatible`: no tag to be incompatible.
    #[error("lacks base version, but has build metadata \"+incompatible\"")]
    BuildWithoutBase,
    /// A month 13, a second 60.
    #[error("malformed time {0:?}")]
    ImpossibleTime(String),
    /// A revision that git would not make, though another version control system may.
    #[error("revision {0:?} is not 12 lower-case hexadecimal digits")]
    UnusualRevision(String),
    /// `v0.0.0-00010101000000-000000000000`, which stands in go.mod files for a module that is replaced.
    #[error("placeholder of a replaced module, not a commit")]
    Placeholder,
}

/// Whether a version, canonical or not, has the shape of a pseudo-version.
#[must_use]
pub fn is_pseudo(version: &str) -> bool {
    parse_go_semver(version).and_then(|parts| split(&parts)).is_some()
}

impl PseudoVersion {
    /// Reads a version that has the shape.
    #[must_use]
    pub fn parse(version: &GoVersion) -> Option<Self> {
        let parts = version.parts();
        let shape = split(&parts)?;
        Some(Self {
            base: base(&parts, shape.before),
            time: time(shape.time).ok_or_else(|| PseudoDoubt::ImpossibleTime(shape.time.to_owned())),
            revision: shape.revision.to_owned(),
        })
    }

    /// Whether the revision is what `go` makes of a git commit.
    #[must_use]
    pub fn has_usual_revision(&self) -> bool {
        self.revision.len() == REVISION_DIGITS && self.revision.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    }

    /// Whether it stands for no commit: no base, the first second of year 1, revision zero.
    #[must_use]
    pub fn is_placeholder(&self) -> bool {
        let is_zero = self.revision == "000000000000";
        is_zero && self.base == Ok(None) && time("00010101000000").is_some_and(|zero| self.time == Ok(zero))
    }

    /// All that is odd about it.
    #[must_use]
    pub fn doubts(&self) -> Vec<PseudoDoubt> {
        let revision = || PseudoDoubt::UnusualRevision(self.revision.clone());
        [
            self.base.as_ref().err().cloned(),
            self.time.as_ref().err().cloned(),
            (!self.has_usual_revision()).then(revision),
            self.is_placeholder().then_some(PseudoDoubt::Placeholder),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The prerelease of a pseudo-version.
struct Shape<'a> {
    /// What precedes the time, without the dot: nothing, `0`, `pre.0`.
    before: &'a str,
    /// 14 digits.
    time: &'a str,
    /// Letters and digits.
    revision: &'a str,
}

fn split<'a>(parts: &Semver<'a>) -> Option<Shape<'a>> {
    let (rest, revision) = parts.prerelease.rsplit_once('-')?;
    let (before, time) = rest.rsplit_once('.').unwrap_or(("", rest));
    let is_time = time.len() == 14 && time.bytes().all(|byte| byte.is_ascii_digit());
    let is_revision = !revision.is_empty() && revision.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let has_place = match before {
        // v1.2.3-20191109021931-daa7c04131f5 is somebody's own prerelease.
        "" => (parts.minor, parts.patch) == ("0", "0"),
        _ => before == "0" || before.ends_with(".0"),
    };
    (is_time && is_revision && has_place).then_some(Shape { before, time, revision })
}

fn base(parts: &Semver<'_>, before: &str) -> Result<Option<GoVersion>, PseudoDoubt> {
    let Semver { major, minor, patch, .. } = parts;
    let build = if parts.build.is_empty() { "" } else { INCOMPATIBLE };
    let text = match before {
        "" if build.is_empty() => return Ok(None),
        "" => return Err(PseudoDoubt::BuildWithoutBase),
        "0" => {
            let negative = || PseudoDoubt::NegativePatch(format!("v{major}.{minor}.{patch}"));
            let patch = decrement(patch).ok_or_else(negative)?;
            format!("v{major}.{minor}.{patch}{build}")
        }
        _ => format!("v{major}.{minor}.{patch}-{}{build}", before.strip_suffix(".0").unwrap_or(before)),
    };
    Ok(Some(GoVersion::parse(&text).expect("parts of a canonical version, cut at a dot, make another")))
}

/// One less than a decimal number of any size; nothing for zero.
fn decrement(decimal: &str) -> Option<String> {
    let kept = decimal.trim_end_matches('0');
    let last = kept.bytes().last()?;
    let nines = "9".repeat(decimal.len() - kept.len());
    let less = format!("{}{}{nines}", &kept[..kept.len() - 1], char::from(last - 1));
    Some(if less.len() > 1 { less.strip_prefix('0').unwrap_or(&less).to_owned() } else { less })
}

/// Reads `YYYYMMDDhhmmss`. It is not done with jiff's `strptime`, which takes second 60 for 59.
fn time(digits: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize| digits.get(from..to)?.parse::<i8>().ok();
    let year = digits.get(..4)?.parse().ok()?;
    let (month, day) = (number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    let at = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    TimeZone::UTC.to_timestamp(at).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Option<PseudoVersion> {
        PseudoVersion::parse(&GoVersion::parse(text).expect(text))
    }

    #[test]
    fn the_shape_decides_whether_it_is_one() {
        let table = [
            ("v0.0.0-20191109021931-daa7c04131f5", true),
            ("v3.0.0-20191109021931-daa7c04131f5", true),
            ("v1.2.4-0.20191109021931-daa7c04131f5", true),
            ("v1.2.3-pre.0.20191109021931-daa7c04131f5", true),
            ("v1.2.3-a-b.0.20191109021931-daa7c04131f5", true),
            ("v2.0.1-0.20191109021931-daa7c04131f5+incompatible", true),
            ("v2.0.0-20191109021931-daa7c04131f5+incompatible", true),
            ("v1.2.4-0.20191109021931-daa7c04131f5+meta.1", true),
            ("v1.2.0-0.20191109021931-daa7c04131f5", true),
            ("v0.0.0-0.20191109021931-daa7c04131f5", true),
            ("v0.0.0-20191399021931-daa7c04131f5", true),
            ("v0.0.0-00010101000000-000000000000", true),
            ("v0.0.0-20191109021931-daa7", true),
            ("v0.0.0-20191109021931-DAA7C04131F5", true),
            ("v0.0.0-20191109021931-daa7c04131f5abc", true),
            ("v1.2.3-20191109021931-daa7c04131f5", false),
            ("v0.1.0-20191109021931-daa7c04131f5", false),
            ("v1.2.3-pre.20191109021931-daa7c04131f5", false),
            ("v1.2.3-pre0.20191109021931-daa7c04131f5", false),
            ("v1.2.3-1.20191109021931-daa7c04131f5", false),
            ("v1.2.3-a-0.20191109021931-daa7c04131f5", false),
            ("v0.0.0-2019110902193-daa7c04131f5", false),
            ("v0.0.0-201911090219311-daa7c04131f5", false),
            ("v0.0.0-20191109021931-daa7.c04131f5", false),
            ("v0.0.0-20191109021931-", false),
            ("v0.0.0-20191109021931", false),
            ("v0.0.0-20191109021931-daa7c04131f5-x", false),
            ("v0.0-20191109021931-daa7c04131f5", false),
            ("0.0.0-20191109021931-daa7c04131f5", false),
            ("v1.2.3", false),
            ("", false),
        ];
        for (text, wanted) in table {
            assert_eq!(is_pseudo(text), wanted, "{text}");
        }
    }

    #[test]
    fn the_base_is_the_tag_before() {
        let table = [
            ("v0.0.0-20191109021931-daa7c04131f5", Ok(None)),
            ("v1.2.4-0.20191109021931-daa7c04131f5", Ok(Some("v1.2.3"))),
            ("v1.2.10-0.20191109021931-daa7c04131f5", Ok(Some("v1.2.9"))),
            ("v1.2.2000-0.20191109021931-daa7c04131f5", Ok(Some("v1.2.1999"))),
            ("v1.2.1-0.20191109021931-daa7c04131f5", Ok(Some("v1.2.0"))),
            ("v1.2.3-pre.0.20191109021931-daa7c04131f5", Ok(Some("v1.2.3-pre"))),
            ("v1.2.3-0.0.20191109021931-daa7c04131f5", Ok(Some("v1.2.3-0"))),
            ("v2.0.1-0.20191109021931-daa7c04131f5+incompatible", Ok(Some("v2.0.0+incompatible"))),
            ("v2.0.0-a.0.20191109021931-daa7c04131f5+incompatible", Ok(Some("v2.0.0-a+incompatible"))),
            ("v1.2.0-0.20191109021931-daa7c04131f5", Err(PseudoDoubt::NegativePatch("v1.2.0".to_owned()))),
            ("v0.0.0-0.20191109021931-daa7c04131f5", Err(PseudoDoubt::NegativePatch("v0.0.0".to_owned()))),
            ("v2.0.0-20191109021931-daa7c04131f5+incompatible", Err(PseudoDoubt::BuildWithoutBase)),
        ];
        for (text, wanted) in table {
            let wanted = wanted.map(|base| base.map(|text| GoVersion::parse(text).expect(text)));
            assert_eq!(parse(text).expect(text).base, wanted, "{text}");
        }
        assert_eq!(parse("v1.2.3"), None);
    }

    #[test]
    fn times_and_revisions_are_read() {
        let of = |time: &str| parse(&format!("v0.0.0-{time}-daa7c04131f5")).expect(time).time;
        assert_eq!(of("20191109021931").expect("a time").to_string(), "2019-11-09T02:19:31Z");
        assert_eq!(of("20240229235959").expect("a leap day").to_string(), "2024-02-29T23:59:59Z");
        for text in
            ["20191399021931", "20190229000000", "20190100000000", "20191109240000", "20191109026000", "20191109021960"]
        {
            assert_eq!(of(text), Err(PseudoDoubt::ImpossibleTime(text.to_owned())));
        }
        for (revision, usual) in [
            ("daa7c04131f5", true),
            ("daa7", false),
            ("DAA7C04131F5", false),
            ("daa7c04131f5abc", false),
            ("daa7c04131fg", false),
        ] {
            let version = parse(&format!("v0.0.0-20191109021931-{revision}")).expect(revision);
            assert_eq!((version.revision.as_str(), version.has_usual_revision()), (revision, usual));
        }
    }

    #[test]
    fn every_doubt_is_told() {
        let of = |text| parse(text).expect(text).doubts();
        assert_eq!(of("v1.2.4-0.20191109021931-daa7c04131f5"), []);
        assert_eq!(of("v0.0.0-00010101000000-000000000000"), [PseudoDoubt::Placeholder]);
        let all = [
            PseudoDoubt::NegativePatch("v1.0.0".to_owned()),
            PseudoDoubt::ImpossibleTime("20190000000000".to_owned()),
            PseudoDoubt::UnusualRevision("x".to_owned()),
        ];
        assert_eq!(of("v1.0.0-0.20190000000000-x"), all);
    }

    proptest! {
        #[test]
        fn a_pseudo_version_is_above_its_base_and_below_the_next_patch(
            version in r"v[1-9]\.[0-9]\.[1-9][0-9]{0,2}-([a-z]\.|)0\.20191109021931-[0-9a-f]{12}"
        ) {
            let base = parse(&version).expect("the shape").base.expect("a patch above 0").expect("a base");
            let version = GoVersion::parse(&version).expect("canonical");
            prop_assert!(base < version);
            let parts = version.parts();
            let next = format!("v{}.{}.{}", parts.major, parts.minor, parts.patch);
            prop_assert!(version < GoVersion::parse(&next).expect("canonical"));
        }

        #[test]
        fn no_version_makes_reading_panic(text in r"v[0-3]\.[0-3]\.[0-3](-[0a.-]{0,5}[0-9]{14}(-[a-f0-9]{0,3})?)?(\+incompatible)?") {
            let pseudo = is_pseudo(&text);
            if let Ok(version) = GoVersion::parse(&text) {
                prop_assert_eq!(PseudoVersion::parse(&version).is_some(), pseudo);
            }
        }

        #[test]
        fn decrementing_is_subtracting_one(number in 1_u64..100_000) {
            prop_assert_eq!(decrement(&number.to_string()), Some((number - 1).to_string()));
        }
    }
}
