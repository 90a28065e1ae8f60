//! The error document of the API (RFC 9457), described to OpenAPI by the very type that is sent.

use http::StatusCode;
use keeper_core::error::{Failure, Problem as CoreProblem};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry};
use poem_openapi::types::{ToJSON as _, Type};
use poem_openapi::{ApiResponse, Object};

use super::error::{Refused, status};

/// What is wrong with a request. The names of codes never change; texts may improve.
#[derive(Object)]
pub(crate) struct Problem {
    /// Where the code is explained.
    #[oai(rename = "type")]
    kind: String,
    /// The kind of fault in one line.
    title: String,
    /// The HTTP status.
    status: u16,
    /// The stable name of the fault.
    code: String,
    /// What was wrong, with the value.
    detail: String,
    /// What to do next.
    hint: String,
    /// All faults of the request that could be found at once, the first one included.
    errors: Vec<ProblemEntry>,
    /// Names this request in the server's log.
    request_id: String,
}

/// One fault among several.
#[derive(Object)]
pub(crate) struct ProblemEntry {
    /// The form field or JSON key at fault.
    #[oai(skip_serializing_if_is_none)]
    field: Option<String>,
    /// The stable name of the fault.
    code: String,
    /// What was wrong, with the value.
    detail: String,
    /// What to do next.
    hint: String,
    /// The archive entry at fault.
    #[oai(skip_serializing_if_is_none)]
    path: Option<String>,
}

impl ProblemEntry {
    fn of(problem: &CoreProblem) -> Self {
        Self {
            field: problem.field.clone(),
            code: problem.code.name.to_owned(),
            detail: problem.detail.clone(),
            hint: problem.hint_text().to_owned(),
            path: problem.path.clone(),
        }
    }
}

/// The document for a failure.
pub(super) fn document(failure: &Failure, request_id: &str) -> String {
    let first = failure.first();
    let problem = Problem {
        kind: format!("/help/errors#{}", first.code.name),
        title: first.code.title.to_owned(),
        status: status(first.code.class).as_u16(),
        code: first.code.name.to_owned(),
        detail: first.detail.clone(),
        hint: first.hint_text().to_owned(),
        errors: failure.problems().map(ProblemEntry::of).collect(),
        request_id: request_id.to_owned(),
    };
    problem.to_json_string()
}

/// The media type of problems, for the document.
struct ProblemPayload;

impl Payload for ProblemPayload {
    const CONTENT_TYPE: &'static str = "application/problem+json";

    fn schema_ref() -> MetaSchemaRef {
        Problem::schema_ref()
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}

/// The statuses that any operation may refuse with, and what each means here.
const REFUSALS: [(StatusCode, &str); 17] = [
    (StatusCode::BAD_REQUEST, "The request is malformed"),
    (StatusCode::UNAUTHORIZED, "A login is needed, or the credential does not count"),
    (StatusCode::FORBIDDEN, "The right is missing, or a policy blocks it"),
    (StatusCode::NOT_FOUND, "It does not exist, or the caller may not know of it"),
    (StatusCode::METHOD_NOT_ALLOWED, "The method, or uploading to this repository, is not available"),
    (StatusCode::NOT_ACCEPTABLE, "Accept excludes JSON"),
    (StatusCode::REQUEST_TIMEOUT, "The body came too slowly"),
    (StatusCode::CONFLICT, "The state of the store contradicts the request"),
    (StatusCode::GONE, "The version was deleted; its number cannot be used again"),
    (StatusCode::PRECONDITION_FAILED, "It was changed meanwhile"),
    (StatusCode::PAYLOAD_TOO_LARGE, "A size limit is exceeded"),
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The content type, or the kind of file, is not accepted"),
    (StatusCode::UNPROCESSABLE_ENTITY, "The content breaks rules of the format"),
    (StatusCode::TOO_MANY_REQUESTS, "Too many attempts; repeat after Retry-After"),
    (StatusCode::INTERNAL_SERVER_ERROR, "A fault of the server"),
    (StatusCode::SERVICE_UNAVAILABLE, "Temporarily not possible; repeat after Retry-After"),
    (StatusCode::INSUFFICIENT_STORAGE, "The disk of the server is full"),
];

impl ApiResponse for Refused {
    fn meta() -> MetaResponses {
        let responses = REFUSALS.iter().map(|(status, description)| MetaResponse {
            description,
            status: Some(status.as_u16()),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: ProblemPayload::CONTENT_TYPE,
                schema: ProblemPayload::schema_ref(),
            }],
            headers: Vec::new(),
        });
        MetaResponses { responses: responses.collect() }
    }

    fn register(registry: &mut Registry) {
        ProblemPayload::register(registry);
    }
}
