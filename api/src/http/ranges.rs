//! Conditions and ranges of RFC 9110 (sections 13 and 14), for every file and document alike.
//!
//! One range is served; a request for several, or for something that is not a byte range, gets the whole
//! (section 14.2 allows both). A condition on an entity tag outranks one on a date.

use http::HeaderMap;
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use keeper_core::blob::ByteRange;

/// What a request's conditions leave to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All of it.
    Whole,
    /// This part.
    Part(ByteRange),
    /// The client has it: 304.
    NotModified,
    /// `If-Match` does not hold: 412.
    PreconditionFailed,
    /// The range lies outside: 416.
    NotSatisfiable,
}

/// What is known of the thing asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validators<'a> {
    /// The strong entity tag with its quotes.
    pub etag: &'a [u8],
    /// When it was last changed; none for computed documents.
    pub modified: Option<Timestamp>,
    /// Its length in bytes.
    pub size: u64,
    /// Whether parts of it may be asked for.
    pub ranges: bool,
}

/// What to send.
#[must_use]
pub(crate) fn select(headers: &HeaderMap, known: &Validators<'_>) -> Selection {
    if headers.get(IF_MATCH).is_some_and(|value| !lists(value.as_bytes(), known.etag, false)) {
        return Selection::PreconditionFailed;
    }
    match headers.get(IF_NONE_MATCH) {
        Some(value) if lists(value.as_bytes(), known.etag, true) => return Selection::NotModified,
        Some(_) => {}
        None if unmodified_since(headers, known) => return Selection::NotModified,
        None => {}
    }
    match headers.get(RANGE) {
        Some(value) if known.ranges && if_range_holds(headers, known) => range(value.as_bytes(), known.size),
        _ => Selection::Whole,
    }
}

/// Whether a list of entity tags holds this one. The weak comparison (If-None-Match) ignores `W/`, the strong
/// one (If-Match) never matches a weak tag.
fn lists(value: &[u8], etag: &[u8], weak: bool) -> bool {
    let tags = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    tags.into_iter().any(|tag| {
        let bare = tag.strip_prefix(b"W/");
        tag == b"*" || tag == etag || (weak && bare == Some(etag))
    })
}

fn unmodified_since(headers: &HeaderMap, known: &Validators<'_>) -> bool {
    let since = headers.get(IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok()).and_then(parse_date);
    match (since, known.modified) {
        (Some(since), Some(modified)) => modified.as_second() <= since.as_second(),
        _ => false,
    }
}

/// A range holds without `If-Range`, or with the very tag; dates are too coarse to prove sameness.
fn if_range_holds(headers: &HeaderMap, known: &Validators<'_>) -> bool {
    headers.get(IF_RANGE).is_none_or(|value| value.as_bytes() == known.etag)
}

fn range(value: &[u8], size: u64) -> Selection {
    let parsed = std::str::from_utf8(value).ok().and_then(|text| text.strip_prefix("bytes="));
    let Some(spec) = parsed.filter(|spec| !spec.contains(',')) else { return Selection::Whole };
    let Some((first, last)) = spec.trim().split_once('-') else { return Selection::Whole };
    match (number(first), number(last)) {
        (Some(start), Some(end)) if start > end => Selection::Whole,
        (Some(start), _) if start >= size && (last.is_empty() || number(last).is_some()) => Selection::NotSatisfiable,
        (Some(start), Some(end)) => Selection::Part(ByteRange { start, end: size.min(end.saturating_add(1)) }),
        (Some(start), None) if last.is_empty() => Selection::Part(ByteRange { start, end: size }),
        (None, Some(0)) if first.is_empty() => Selection::NotSatisfiable,
        (None, Some(_)) if first.is_empty() && size == 0 => Selection::NotSatisfiable,
        (None, Some(tail)) if first.is_empty() => {
            Selection::Part(ByteRange { start: size.saturating_sub(tail), end: size })
        }
        _ => Selection::Whole,
    }
}

/// Decimal digits; more of them than fit are as good as the largest number.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// An HTTP date, in the form that all senders use (RFC 9110, 5.6.7).
fn parse_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

/// A moment as an HTTP date.
#[must_use]
pub(crate) fn http_date(at: Timestamp) -> String {
    let written = DateTimePrinter::new().timestamp_to_rfc9110_string(&at);
    // The years that cannot be written are those before 0 and after 9999.
    written.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Selection::{NotModified, NotSatisfiable, Part, PreconditionFailed, Whole};
    use super::*;

    const ETAG: &str = "\"abc\"";

    fn select_for(headers: &[(http::HeaderName, &str)]) -> Selection {
        let map = headers.iter().map(|(name, value)| (name.clone(), value.parse().expect("a header value"))).collect();
        let modified = Some("2024-03-04T03:06:07Z".parse().expect("a time"));
        select(&map, &Validators { etag: ETAG.as_bytes(), modified, size: 100, ranges: true })
    }

    #[test]
    fn ranges_follow_rfc_9110() {
        let part = |start, end| Part(ByteRange { start, end });
        let rows = [
            ("bytes=0-0", part(0, 1)),
            ("bytes=-1", part(99, 100)),
            ("bytes=5-", part(5, 100)),
            ("bytes=0-999999", part(0, 100)),
            ("bytes=-200", part(0, 100)),
            ("bytes=99-99999999999999999999", part(99, 100)),
            ("bytes=100-", NotSatisfiable),
            ("bytes=99999999999999999999-", NotSatisfiable),
            ("bytes=-0", NotSatisfiable),
            ("bytes=5-2", Whole),
            ("bytes=a-b", Whole),
            ("bytes=5-b", Whole),
            ("bytes=", Whole),
            ("bytes=-", Whole),
            ("items=0-1", Whole),
            ("bytes=0-1,5-6", Whole),
        ];
        for (value, expected) in rows {
            assert_eq!(select_for(&[(RANGE, value)]), expected, "{value}");
        }
    }

    #[test]
    fn conditions_decide_before_ranges() {
        let rows: [(&[(http::HeaderName, &str)], Selection); 11] = [
            (&[(IF_NONE_MATCH, ETAG)], NotModified),
            (&[(IF_NONE_MATCH, "W/\"abc\"")], NotModified),
            (&[(IF_NONE_MATCH, "\"x\", \"abc\"")], NotModified),
            (&[(IF_NONE_MATCH, "*")], NotModified),
            (&[(IF_NONE_MATCH, "abc")], Whole),
            (&[(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, "Mon, 04 Mar 2030 03:06:07 GMT")], Whole),
            (&[(IF_MODIFIED_SINCE, "Mon, 04 Mar 2024 03:06:07 GMT")], NotModified),
            (&[(IF_MODIFIED_SINCE, "Mon, 04 Mar 2024 03:06:06 GMT")], Whole),
            (&[(IF_MATCH, "\"x\"")], PreconditionFailed),
            (&[(RANGE, "bytes=0-0"), (IF_RANGE, "\"old\"")], Whole),
            (&[(RANGE, "bytes=0-0"), (IF_RANGE, ETAG)], Part(ByteRange { start: 0, end: 1 })),
        ];
        for (headers, expected) in rows {
            assert_eq!(select_for(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_date_is_written_as_http_writes_it() {
        assert_eq!(http_date("2024-03-04T03:06:07.5Z".parse().expect("a time")), "Mon, 04 Mar 2024 03:06:07 GMT");
    }
}
