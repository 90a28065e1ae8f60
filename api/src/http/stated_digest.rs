//! The SHA-256 that an upload's headers state: `Content-Digest: sha-256=:…:` (RFC 9530), `X-Checksum-Sha256`
//! in hexadecimal digits (build tools). Algorithms that are not known are left alone, as the RFC asks;
//! two statements must agree.

use http::HeaderMap;
use keeper_core::digest::Digest;
use keeper_core::error::{Failure, codes};
use sfv::{BareItem, Dictionary, ListEntry, Parser};

const CONTENT_DIGEST: &str = "content-digest";
const X_CHECKSUM_SHA256: &str = "x-checksum-sha256";

/// The digest that the body must have, if one is stated.
///
/// # Errors
/// `invalid_field` for a statement that cannot be read, `bad_request` for two that contradict each other.
pub(super) fn stated_sha256(headers: &HeaderMap) -> Result<Option<Digest>, Failure> {
    let by_rfc = content_digest(headers)?;
    let by_build_tool = checksum_header(headers)?;
    match (by_rfc, by_build_tool) {
        (Some(one), Some(other)) if one != other => {
            Err(Failure::new(&codes::BAD_REQUEST, "Content-Digest and X-Checksum-Sha256 state different digests"))
        }
        (one, other) => Ok(one.or(other)),
    }
}

fn content_digest(headers: &HeaderMap) -> Result<Option<Digest>, Failure> {
    let lines: Vec<_> = headers.get_all(CONTENT_DIGEST).iter().map(http::HeaderValue::as_bytes).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let unreadable = || invalid("Content-Digest", "sha-256=:<base64 of 32 bytes>:");
    let dictionary: Dictionary = Parser::new(&lines.join(&b", "[..])).parse().map_err(|_| unreadable())?;
    match dictionary.get("sha-256") {
        None => Ok(None),
        Some(ListEntry::Item(item)) => match &item.bare_item {
            BareItem::ByteSequence(bytes) => {
                let bytes = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| unreadable())?;
                Ok(Some(Digest::from(bytes)))
            }
            _ => Err(unreadable()),
        },
        Some(ListEntry::InnerList(_)) => Err(unreadable()),
    }
}

fn checksum_header(headers: &HeaderMap) -> Result<Option<Digest>, Failure> {
    let Some(value) = headers.get(X_CHECKSUM_SHA256) else { return Ok(None) };
    let digest = value.to_str().ok().and_then(|text| Digest::try_from(text.trim().to_ascii_lowercase().as_str()).ok());
    digest.map(Some).ok_or_else(|| invalid("X-Checksum-Sha256", "64 hexadecimal digits"))
}

fn invalid(header: &str, accepted: &str) -> Failure {
    Failure::new(&codes::INVALID_FIELD, format!("the header {header} cannot be read")).hint(format!("Send {accepted}."))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    fn stated(headers: &[(&'static str, &str)]) -> Result<Option<String>, &'static str> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::try_from(*value).expect("a header")))
            .collect();
        stated_sha256(&headers)
            .map(|digest| digest.map(|digest| digest.to_hex()))
            .map_err(|failure| failure.code().name)
    }

    #[test]
    fn a_digest_is_read_from_either_header() {
        // Of the text `{"hello": "world"}` and a line end, as RFC 9530 has it in its examples.
        let base64 = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
        let hex = "44aff4ab2d7c3250525675a08f0cfa9591168cffe51791c5f5bbc417c15a6c38";
        let upper = hex.to_uppercase();
        let both = format!("sha-512=:AA==:, {base64}");
        for (headers, expected) in [
            (vec![], None),
            (vec![(CONTENT_DIGEST, base64)], Some(hex)),
            (vec![(CONTENT_DIGEST, both.as_str())], Some(hex)),
            (vec![(CONTENT_DIGEST, "sha-512=:AA==:")], None),
            (vec![(X_CHECKSUM_SHA256, upper.as_str())], Some(hex)),
            (vec![(CONTENT_DIGEST, base64), (X_CHECKSUM_SHA256, hex)], Some(hex)),
        ] {
            assert_eq!(stated(&headers), Ok(expected.map(str::to_owned)), "{headers:?}");
        }
        let other = "0".repeat(64);
        for (headers, code) in [
            (vec![(CONTENT_DIGEST, "sha-256=abc")], "invalid_field"),
            (vec![(CONTENT_DIGEST, "sha-256=:AA==:")], "invalid_field"),
            (vec![(CONTENT_DIGEST, "=")], "invalid_field"),
            (vec![(X_CHECKSUM_SHA256, "abc")], "invalid_field"),
            (vec![(CONTENT_DIGEST, base64), (X_CHECKSUM_SHA256, other.as_str())], "bad_request"),
        ] {
            assert_eq!(stated(&headers), Err(code), "{headers:?}");
        }
    }
}
