//! A `.info` that somebody else wrote.
//!
//! ```text
//! {"Version":"v1.0.0","Time":"2024-03-04T03:06:07Z","Origin":{"VCS":"git","Hash":"0a1b…"}}
//! ```
//!
//! What the client would not read is refused here, for a client has no second answer then. Keys that are not
//! known pass; those that are known count in any case of letters, as in Go, and once.
//!
//! Units and bounds: at most [`UPSTREAM_INFO_BYTES`]; the depth of the JSON is bounded by its reader.
//! Errors: [`InfoFault`].
//! Sources: `RevInfo` in `cmd/go/internal/modfetch`; `Time.UnmarshalJSON` of Go, which is stricter than RFC 3339
//! readers usually are.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Origin;
use crate::absent::shown;
use crate::limits::UPSTREAM_INFO_BYTES;
use crate::version::{GoVersion, VersionFault};

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignInfo {
    /// The version, canonical.
    pub version: GoVersion,
    /// When it was made, if it says so.
    pub time: Option<Timestamp>,
    /// Where it comes from, as far as it is understood.
    pub origin: Option<Origin>,
}

/// Why it cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InfoFault {
    /// More than [`UPSTREAM_INFO_BYTES`].
    #[error("it has more than {UPSTREAM_INFO_BYTES} bytes")]
    TooLarge,
    /// A page of a web site, or anything else.
    #[error("it is no JSON object")]
    NoObject,
    /// Two keys that a client takes for one.
    #[error("it has {0} twice")]
    Twice(&'static str),
    /// No version, or one that is none.
    #[error("its Version is not canonical: {0}")]
    Version(String),
    /// A time that Go does not read.
    #[error("its Time is not like 2024-03-04T03:06:07Z")]
    Time,
    /// An origin with a text where none is, or the reverse.
    #[error("its Origin is no object of texts")]
    Origin,
}

impl ForeignInfo {
    /// Reads it.
    ///
    /// # Errors
    /// The first fault found.
    pub fn read(bytes: &[u8]) -> Result<Self, InfoFault> {
        if bytes.len() as u64 > UPSTREAM_INFO_BYTES {
            return Err(InfoFault::TooLarge);
        }
        let object: Map<String, Value> = serde_json::from_slice(bytes).map_err(|_| InfoFault::NoObject)?;
        let version = match field(&object, "Version")? {
            Some(Value::String(text)) => GoVersion::parse(text).map_err(|fault| version_fault(&fault))?,
            _ => return Err(InfoFault::Version("it is missing".to_owned())),
        };
        let time = match field(&object, "Time")? {
            None => None,
            Some(Value::String(text)) => Some(time(text).ok_or(InfoFault::Time)?),
            Some(_) => return Err(InfoFault::Time),
        };
        let origin = field(&object, "Origin")?.map(Option::<Origin>::deserialize).transpose();
        Ok(Self { version, time, origin: origin.map_err(|_| InfoFault::Origin)?.flatten() })
    }
}

fn version_fault(fault: &VersionFault) -> InfoFault {
    let (VersionFault::NotAVersion { version } | VersionFault::NotCanonical { version, .. }) = fault;
    InfoFault::Version(shown(version))
}

/// The value of a key in any case of letters; `null` is none.
fn field<'a>(object: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a Value>, InfoFault> {
    let mut found = object.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(InfoFault::Twice(name)),
        (found, _) => Ok(found.filter(|value| !value.is_null())),
    }
}

/// A time in the one form that Go reads: capital `T`, whole two-digit fields, `Z` or an offset, no leap second.
fn time(text: &str) -> Option<Timestamp> {
    let shape = text.get(..19)?;
    let fits = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        17 => matches!(byte, b'0'..=b'5'),
        _ => byte.is_ascii_digit(),
    };
    let (rest, offset) = match text.get(19..)?.strip_suffix('Z') {
        Some(rest) => (rest, "Z"),
        None => text.get(19..)?.split_at_checked(text.len().checked_sub(25)?)?,
    };
    let is_fraction = |rest: &str| rest.strip_prefix('.').is_some_and(|digits| !digits.is_empty() && is_digits(digits));
    let is_offset = |offset: &str| {
        let bytes = offset.as_bytes();
        offset == "Z" || (matches!(bytes.first(), Some(b'+' | b'-')) && bytes.get(3) == Some(&b':'))
    };
    let is_sound = shape.bytes().enumerate().all(fits) && (rest.is_empty() || is_fraction(rest)) && is_offset(offset);
    is_sound.then(|| text.parse().ok())?
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(text: &str) -> String {
        ForeignInfo::read(text.as_bytes()).expect_err(text).to_string()
    }

    #[test]
    fn what_upstreams_write_is_read() {
        let rows = [
            (r#"{"Version":"v1.0.0","Time":"2024-03-04T03:06:07Z"}"#, Some(1_709_521_567)),
            (r#"{"Version":"v1.0.0","Time":"2024-03-04T03:06:07.123456789Z"}"#, Some(1_709_521_567)),
            (r#"{"Version":"v1.0.0","Time":"2024-03-04T05:06:07+02:00"}"#, Some(1_709_521_567)),
            (r#"{"version":"v1.0.0","TIME":null,"Origin":null,"New":[{}]}"#, None),
            (r#"  {"Version":"v1.0.0"}  "#, None),
        ];
        for (text, seconds) in rows {
            let info = ForeignInfo::read(text.as_bytes()).expect(text);
            assert_eq!((info.version.as_str(), info.time.map(|time| time.as_second())), ("v1.0.0", seconds), "{text}");
        }
        let info = ForeignInfo::read(br#"{"Version":"v1.0.0","Origin":{"VCS":"git","Hash":"0a","TagSum":"t1:x"}}"#);
        assert_eq!(info.expect("an origin").origin.and_then(|origin| origin.hash).as_deref(), Some("0a"));
    }

    #[test]
    fn what_a_client_would_not_read_is_refused() {
        let rows = [
            ("<!doctype html>", "no JSON object"),
            ("", "no JSON object"),
            ("[]", "no JSON object"),
            (r#"{"Version":"v1.0.0"} x"#, "no JSON object"),
            ("{}", "Version"),
            (r#"{"Version":1}"#, "Version"),
            (r#"{"Version":"v1.0"}"#, "not canonical: v1.0"),
            (r#"{"Version":"main"}"#, "not canonical: main"),
            (r#"{"Version":"v1.0.0","version":"v1.0.1"}"#, "Version twice"),
            (r#"{"Version":"v1.0.0","Time":1}"#, "Time"),
            (r#"{"Version":"v1.0.0","Time":"yesterday"}"#, "Time"),
            (r#"{"Version":"v1.0.0","Time":"2024-03-04 03:06:07Z"}"#, "Time"),
            (r#"{"Version":"v1.0.0","Time":"2024-03-04t03:06:07Z"}"#, "Time"),
            (r#"{"Version":"v1.0.0","Time":"2024-03-04T03:06:60Z"}"#, "Time"),
            (r#"{"Version":"v1.0.0","Time":"2024-03-04T03:06:07"}"#, "Time"),
            (r#"{"Version":"v1.0.0","Time":"2024-03-04T03:06:07+0200"}"#, "Time"),
            (r#"{"Version":"v1.0.0","Time":"2024-13-04T03:06:07Z"}"#, "Time"),
            (r#"{"Version":"v1.0.0","Time":"2024-03-04T03:06:07,5Z"}"#, "Time"),
            (r#"{"Version":"v1.0.0","Origin":"git"}"#, "Origin"),
            (r#"{"Version":"v1.0.0","Origin":{"VCS":1}}"#, "Origin"),
        ];
        for (text, wanted) in rows {
            assert!(fault(text).contains(wanted), "{text}: {}", fault(text));
        }
        let large = format!(r#"{{"Version":"v1.0.0","x":"{}"}}"#, "x".repeat(UPSTREAM_INFO_BYTES as usize));
        assert_eq!(ForeignInfo::read(large.as_bytes()), Err(InfoFault::TooLarge));
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in "\\PC{0,40}", time in "[0-9TZ:.+é -]{0,30}") {
            let _ = ForeignInfo::read(text.as_bytes());
            let _ = super::time(&time);
        }
    }
}
