//! What poem and poem-openapi report by themselves, in our codes.

use keeper_core::error::{Failure, codes};
use poem::http::StatusCode;
use poem_openapi::error::{ParseParamError, ParsePathError, ParseRequestPayloadError};

use super::addresses::Operation;
use super::listing::shorten;
use crate::http::Refused;

/// The failure behind an error of an operation, if the address has one.
pub(super) fn of(error: poem::Error, operation: Option<&Operation>) -> Failure {
    let error = match error.downcast::<Refused>() {
        Ok(Refused(failure)) => return failure,
        Err(error) => error,
    };
    let parameter = error.downcast_ref().map(|ParseParamError { name, reason }| (*name, reason));
    let parameter = parameter.or_else(|| error.downcast_ref().map(|ParsePathError { name, reason }| (*name, reason)));
    if let Some((name, reason)) = parameter {
        let detail = format!("{name} has a value that is not accepted: {}", plain(reason));
        let failure = Failure::new(&codes::INVALID_FIELD, detail).field(name);
        return match operation.and_then(|operation| operation.meaning(name)) {
            Some(meaning) => failure.hint(meaning),
            None => failure,
        };
    }
    if let Some(ParseRequestPayloadError { reason }) = error.downcast_ref() {
        return Failure::new(&codes::INVALID_FIELD, plain(reason));
    }
    let detail = error.to_string();
    match error.status() {
        StatusCode::NOT_FOUND => Failure::new(&codes::NOT_FOUND, "there is nothing at this address of the API")
            .hint("GET /api/openapi.json describes all addresses."),
        StatusCode::METHOD_NOT_ALLOWED => {
            Failure::new(&codes::METHOD_NOT_ALLOWED, "this method is not available at this address of the API")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Failure::new(&codes::UNSUPPORTED_MEDIA_TYPE, detail),
        StatusCode::PAYLOAD_TOO_LARGE => Failure::new(&codes::TOO_LARGE, detail),
        status if status.is_client_error() => Failure::new(&codes::INVALID_FIELD, detail),
        _ => Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by(detail),
    }
}

/// poem-openapi's reason without the names of types: `failed to parse "T": reason (occurred while parsing "U")`.
fn plain(reason: &str) -> String {
    let reason = reason.split(" (occurred while parsing").next().unwrap_or(reason);
    let behind = reason.strip_prefix("failed to parse \"").and_then(|rest| rest.split_once("\": "));
    shorten(behind.map_or(reason, |(_, behind)| behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_without_the_names_of_types() {
        let rows = [
            ("failed to parse \"uint32\": invalid digit (occurred while parsing \"optional\")", "invalid digit"),
            ("Expected input type \"string\", found 5.", "Expected input type \"string\", found 5."),
            ("failed to parse", "failed to parse"),
        ];
        for (reason, expected) in rows {
            assert_eq!(plain(reason), expected);
        }
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        let error = ParseParamError { name: "limit", reason: "invalid digit".to_owned() };
        let failure = of(error.into(), None);
        assert_eq!((failure.code().name, failure.first().field.as_deref()), ("invalid_field", Some("limit")));
    }
}
