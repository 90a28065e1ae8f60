//! Changes that name what they are a change of: `ETag` in answers, `If-Match` in requests.
//!
//! Shape: `"7"`, the revision of the record in quotes. `If-Match` is optional: without it, or with `*`, a change
//! is made whatever the record has become. Anything else that is not the current revision is `stale_write`.
//! Source: RFC 9110, 13.1.1.

use keeper_core::error::{Failure, codes};
use poem_openapi::ApiResponse;
use poem_openapi::payload::Json;
use poem_openapi::types::{ParseFromJSON, ToJSON};

/// A record with its revision.
#[derive(ApiResponse)]
pub(super) enum Tagged<T: ParseFromJSON + ToJSON + Send + Sync> {
    /// The record.
    #[oai(status = 200)]
    Record(
        Json<T>,
        /// Its revision, for `If-Match`.
        #[oai(header = "ETag")]
        String,
    ),
}

impl<T: ParseFromJSON + ToJSON + Send + Sync> Tagged<T> {
    /// A record of this revision.
    pub(super) fn new(record: T, revision: i64) -> Self {
        Self::Record(Json(record), etag(revision))
    }
}

/// The entity tag of a revision.
pub(super) fn etag(revision: i64) -> String {
    format!("\"{revision}\"")
}

/// The revision that a change is made for; `None` asks for no particular one.
///
/// # Errors
/// `stale_write` for what is no revision of ours: it cannot be the current one.
pub(super) fn expected(if_match: Option<&str>) -> Result<Option<i64>, Failure> {
    match if_match.map(str::trim) {
        None | Some("*") => Ok(None),
        Some(text) => {
            let revision = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            revision.and_then(|text| text.parse().ok()).map(Some).ok_or_else(stale)
        }
    }
}

/// The record has another revision by now.
pub(super) fn stale() -> Failure {
    Failure::new(&codes::STALE_WRITE, "it was changed meanwhile: If-Match names another revision")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_names_the_revision_it_was_made_for_or_none() {
        let rows = [
            (None, Some(None)),
            (Some("*"), Some(None)),
            (Some("\"7\""), Some(Some(7))),
            (Some("7"), None),
            (Some("W/\"7\""), None),
            (Some("\"7\", \"8\""), None),
            (Some(""), None),
        ];
        for (sent, wanted) in rows {
            assert_eq!(expected(sent).ok(), wanted, "{sent:?}");
        }
        assert_eq!(expected(Some(&etag(7))).ok(), Some(Some(7)));
    }
}
