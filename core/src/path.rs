//! The one decoding of request paths.
//!
//! A raw path (`/github.com/%21azure/m/@v/list`) is split on literal slashes, and each segment is
//! percent-decoded exactly once. Everything that two readers could understand differently is refused:
//! malformed escapes, encoded slashes, backslashes, `%` and `;` after decoding, control characters, bytes
//! that are not UTF-8, empty segments, `.` and `..`. What is decided and what is served then come from the
//! same typed value.

use std::borrow::Cow;

/// Why a path is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// `%` without two hexadecimal digits.
    #[error("a malformed percent escape")]
    Escape,
    /// The decoded bytes are not UTF-8.
    #[error("bytes that are not UTF-8")]
    Encoding,
    /// An encoded slash, a backslash, a control character, `%` or `;`.
    #[error("a character that is not accepted in a path")]
    Character,
    /// An empty segment, `.` or `..`.
    #[error("an empty or dot segment")]
    Segment,
}

/// The decoded segments of a raw path below some mount. A leading slash is taken off; the empty path has no
/// segments.
///
/// # Errors
/// The first fault found.
pub fn segments(raw: &str) -> Result<Vec<Cow<'_, str>>, PathFault> {
    let raw = raw.strip_prefix('/').unwrap_or(raw);
    if raw.is_empty() {
        return Ok(Vec::new());
    }
    raw.split('/').map(segment).collect()
}

/// One decoded segment.
///
/// # Errors
/// The first fault found.
pub fn segment(raw: &str) -> Result<Cow<'_, str>, PathFault> {
    let decoded = decode(raw)?;
    if matches!(&*decoded, "" | "." | "..") {
        return Err(PathFault::Segment);
    }
    let refused = |c: char| c.is_control() || matches!(c, '/' | '\\' | '%' | ';');
    if decoded.chars().any(refused) { Err(PathFault::Character) } else { Ok(decoded) }
}

/// A text as one segment of an address. Unreserved letters (RFC 3986, 2.3) stand as they are, and so do those of
/// `also`, which the address's own grammar lets stand.
#[must_use]
pub fn escape(text: &str, also: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || also.contains(byte);
    text.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn decode(raw: &str) -> Result<Cow<'_, str>, PathFault> {
    if !raw.contains('%') {
        return Ok(Cow::Borrowed(raw));
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) = (digit().ok_or(PathFault::Escape)?, digit().ok_or(PathFault::Escape)?);
                (high * 16 + low) as u8
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| PathFault::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_segment_is_decoded_exactly_once() {
        assert_eq!(
            segments("/github.com/%21azure/m/@v/v1.0.0+x.info").expect("a path").join("|"),
            "github.com|!azure|m|@v|v1.0.0+x.info"
        );
        assert_eq!(segments("/").expect("empty"), Vec::<Cow<'_, str>>::new());
        let rows = [
            ("/a%2Fb", PathFault::Character),
            ("/a%5cb", PathFault::Character),
            ("/a%00", PathFault::Character),
            ("/a%0a", PathFault::Character),
            ("/a;x=1", PathFault::Character),
            ("/%252e%252e", PathFault::Character),
            ("/%zz", PathFault::Escape),
            ("/a%4", PathFault::Escape),
            ("/%+1", PathFault::Escape),
            ("/%ff%fe", PathFault::Encoding),
            ("/a//b", PathFault::Segment),
            ("/a/", PathFault::Segment),
            ("/a/../b", PathFault::Segment),
            ("/%2e%2E/b", PathFault::Segment),
            ("//a", PathFault::Segment),
        ];
        for (raw, fault) in rows {
            assert_eq!(segments(raw), Err(fault), "{raw}");
        }
    }
}
