//! The bytes of a `.info` file.
//!
//! ```text
//! {"Version":"v1.0.0","Time":"2024-03-04T03:06:07Z","Origin":{"VCS":"git","URL":"…","Subdir":"…","Ref":"…","Hash":"…"}}
//! ```
//!
//! The order of keys is fixed, so that equal facts are equal bytes. A key without a value is left out: an
//! absent `Time` is fine for the client, one that it cannot read is fatal.
//!
//! Units: the time is UTC in whole seconds.
//! Sources: `RevInfo`, `Origin` in `cmd/go/internal/modfetch/codehost` (go 1.26).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::version::GoVersion;

mod reading;

pub use reading::{ForeignInfo, InfoFault};

/// Where a version comes from. All of it is the publisher's claim: good for looking up, never for trust.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Origin {
    /// `git`, when the commit is known.
    #[serde(rename = "VCS", skip_serializing_if = "Option::is_none")]
    pub vcs: Option<String>,
    /// The repository's address.
    #[serde(rename = "URL", skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The directory of the module in its repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subdir: Option<String>,
    /// The tag or branch.
    #[serde(skip_serializing_if = "Option::is_none", rename = "Ref")]
    pub reference: Option<String>,
    /// The whole commit id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Info<'a> {
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a Origin>,
}

/// The document about a version.
#[must_use]
pub fn info_json(version: &GoVersion, time: Option<Timestamp>, origin: &Origin) -> Vec<u8> {
    let origin = Some(origin).filter(|origin| **origin != Origin::default());
    let info = Info { version: version.as_str(), time: time.map(time_text), origin };
    serde_json::to_vec(&info).expect("texts are always JSON")
}

/// A time as Go writes it: `2024-03-04T03:06:07Z`.
#[must_use]
pub fn time_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_order_and_absent_ones_no_trace() {
        let version = GoVersion::parse("v1.0.0").expect("canonical");
        let time = Timestamp::from_second(1_709_521_567).ok();
        let text = |time, origin: &Origin| String::from_utf8(info_json(&version, time, origin)).expect("UTF-8");
        assert_eq!(text(None, &Origin::default()), r#"{"Version":"v1.0.0"}"#);
        assert_eq!(text(time, &Origin::default()), r#"{"Version":"v1.0.0","Time":"2024-03-04T03:06:07Z"}"#);
        let owned = |text: &str| Some(text.to_owned());
        let origin = Origin {
            vcs: owned("git"),
            url: owned("https://x.y/m"),
            subdir: owned("sub"),
            reference: owned("refs/tags/v1.0.0"),
            hash: owned("0a1b"),
        };
        assert_eq!(
            text(time, &origin),
            r#"{"Version":"v1.0.0","Time":"2024-03-04T03:06:07Z","Origin":{"VCS":"git","URL":"https://x.y/m","Subdir":"sub","Ref":"refs/tags/v1.0.0","Hash":"0a1b"}}"#
        );
    }

    #[test]
    fn a_time_has_whole_seconds() {
        let time: Timestamp = "2024-03-04T03:06:07.9Z".parse().expect("a time");
        assert_eq!(time_text(time), "2024-03-04T03:06:07Z");
    }
}
