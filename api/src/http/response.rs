//! Turns an [`Answer`] into a response: entity tag, conditions, ranges, `HEAD`, caching, streaming. Every
//! file and document that leaves the server passes here.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use http::header::{
    ACCEPT_RANGES, AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE, VARY, WARNING,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use keeper_core::error::{Failure, codes};
use keeper_core::format::MaxAge;
use keeper_core::pipeline::{Answer, Keeper, Resolution};
use poem::{Body, Response};

use super::ranges::{Selection, Validators, http_date, select};

/// Headers of an answer, and some more.
const HEADERS: usize = 12;

/// The response to a read. `head` leaves out the body and keeps the headers.
///
/// # Errors
/// A range outside the file, a failed condition, or trouble of the blob store.
pub(crate) async fn respond(
    keeper: &Keeper,
    answer: &Answer,
    request: &HeaderMap,
    head: bool,
) -> Result<Response, Failure> {
    let size = answer.resolution.size();
    let is_file = answer.published_at.is_some();
    let known = Validators { etag: &answer.etag, modified: answer.published_at, size, ranges: is_file && !head };
    let mut response = match select(request, &known) {
        Selection::NotModified => Response::builder().status(StatusCode::NOT_MODIFIED).finish(),
        Selection::PreconditionFailed => {
            return Err(Failure::new(&codes::PRECONDITION_FAILED, "If-Match names another content"));
        }
        Selection::NotSatisfiable => {
            let mut failure = Failure::new(&codes::RANGE_NOT_SATISFIABLE, format!("the file has {size} bytes"));
            failure.complete_length = Some(size);
            return Err(failure);
        }
        Selection::Whole => {
            let body = body(keeper, answer, None, head).await?;
            content(StatusCode::OK, size, body, answer)
        }
        Selection::Part(range) => {
            let body = body(keeper, answer, Some(range), head).await?;
            let mut response = content(StatusCode::PARTIAL_CONTENT, range.end - range.start, body, answer);
            let text = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            response.headers_mut().insert(CONTENT_RANGE, header(text));
            response
        }
    };
    let headers = response.headers_mut();
    if !answer.etag.is_empty() {
        let etag = HeaderValue::from_maybe_shared(answer.etag.clone());
        headers.insert(ETAG, etag.unwrap_or(HeaderValue::from_static("")));
    }
    headers.insert(CACHE_CONTROL, cache_control(answer.max_age, answer.public));
    if let Some(vary) = vary(answer) {
        headers.insert(VARY, vary);
    }
    if let Some(age_s) = answer.age_s {
        headers.insert(AGE, HeaderValue::from(age_s));
    }
    if answer.stale {
        // RFC 7234, 5.5.1: obsolete, and what clients and people still look for.
        headers.insert(WARNING, HeaderValue::from_static("110 - \"Response is Stale\""));
    }
    if let Some(at) = answer.published_at {
        headers.insert(LAST_MODIFIED, header(http_date(at)));
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    Ok(response)
}

fn content(status: StatusCode, length: u64, body: Body, answer: &Answer) -> Response {
    let mut response = Response::builder().status(status).body(body);
    let headers = response.headers_mut();
    // All that this and what follows add, so that the map does not grow twice.
    headers.reserve(HEADERS);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.media_type.as_str()));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    response
}

/// Whether a request can be answered by bytes that are still coming: of those, no part and no name is known.
pub(crate) fn may_relay(request: &HeaderMap, head: bool) -> bool {
    let conditions = [RANGE, IF_RANGE, IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE];
    !head && !conditions.iter().any(|name| request.contains_key(name))
}

async fn body(
    keeper: &Keeper,
    answer: &Answer,
    range: Option<keeper_core::blob::ByteRange>,
    head: bool,
) -> Result<Body, Failure> {
    if head {
        return Ok(Body::empty());
    }
    match &answer.resolution {
        Resolution::Bytes(bytes) => Ok(Body::from_bytes(match range {
            Some(range) => part(bytes, range.start, range.end),
            None => bytes.clone(),
        })),
        Resolution::Blob(blob) => {
            let digest = blob.location.digest();
            let stream = keeper.open(blob, range).await?.map_err(move |error| {
                tracing::error!(blob.digest = %digest, %error, "a download broke off");
                std::io::Error::other(error.to_string())
            });
            Ok(Body::from_bytes_stream(stream))
        }
        Resolution::Relay(relay) => {
            // Why it broke off, the fetch has logged.
            let stream = relay.stream().map_err(|error| std::io::Error::other(error.to_string()));
            Ok(Body::from_bytes_stream(stream))
        }
    }
}

fn part(bytes: &Bytes, start: u64, end: u64) -> Bytes {
    let at = |offset: u64| usize::try_from(offset).map_or(bytes.len(), |offset| offset.min(bytes.len()));
    bytes.slice(at(start)..at(end))
}

fn cache_control(max_age: MaxAge, public: bool) -> HeaderValue {
    match (max_age, public) {
        (MaxAge::Immutable, true) => HeaderValue::from_static("public, max-age=31536000, immutable"),
        (MaxAge::Immutable, false) => HeaderValue::from_static("private, max-age=31536000, immutable"),
        (MaxAge::Revalidate, true) => HeaderValue::from_static("public, no-cache"),
        (MaxAge::Revalidate, false) => HeaderValue::from_static("private, no-cache"),
        (MaxAge::NoStore, _) => HeaderValue::from_static("no-store"),
        (MaxAge::Seconds(seconds), true) => header(format!("public, max-age={seconds}")),
        (MaxAge::Seconds(seconds), false) => header(format!("private, max-age={seconds}")),
    }
}

/// What an answer may differ by besides its address.
fn vary(answer: &Answer) -> Option<HeaderValue> {
    match (answer.public, answer.varies_by) {
        (true, []) => None,
        (false, []) => Some(HeaderValue::from_static("Authorization")),
        (true, by) => Some(header(by.join(", "))),
        (false, by) => Some(header(format!("Authorization, {}", by.join(", ")))),
    }
}

/// A header value of our own making: digits, dates and fixed words.
fn header(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
