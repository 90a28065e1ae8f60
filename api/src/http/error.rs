//! The only place that knows statuses: turns a [`Failure`] into an answer.
//!
//! Two shapes of one error, chosen by path and never by `Accept`: `application/problem+json` (RFC 9457)
//! below `/api`, plain text with `X-Error-Code` everywhere else, since package clients print it. The `go`
//! command shows a body only if it is `text/plain`, UTF-8, printable, without a blank line, at most 8 lines
//! and 648 bytes; so the text has at most [`TEXT_LINES`] lines and [`TEXT_BYTES`] bytes.

use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use keeper_core::error::{Class, Failure, codes};
use keeper_core::redaction::redact;
use poem::{Body, Response};

/// Lines of a plain-text error at most.
pub(crate) const TEXT_LINES: usize = 5;
/// Bytes of a plain-text error at most.
pub(crate) const TEXT_BYTES: usize = 600;

/// A line that would have to be cut to less than this is left out.
const SHORTEST_LINE_BYTES: usize = 40;

pub(super) static X_ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");

/// Carries a failure through poem.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Refused(#[from] pub Failure);

impl poem::error::ResponseError for Refused {
    fn status(&self) -> StatusCode {
        status(self.0.code().class)
    }
}

/// Which shape an address answers errors in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Problem documents.
    Api,
    /// Plain text for package clients and people.
    Text,
}

impl Shape {
    /// That of this path.
    pub(crate) fn of(path: &str) -> Self {
        if path == "/api" || path.starts_with("/api/") { Self::Api } else { Self::Text }
    }
}

/// The status of a class.
#[must_use]
pub(crate) fn status(class: Class) -> StatusCode {
    match class {
        Class::BadRequest => StatusCode::BAD_REQUEST,
        Class::Unauthorized => StatusCode::UNAUTHORIZED,
        Class::Forbidden => StatusCode::FORBIDDEN,
        Class::NotFound => StatusCode::NOT_FOUND,
        Class::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Class::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
        Class::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        Class::Conflict => StatusCode::CONFLICT,
        Class::Gone => StatusCode::GONE,
        Class::LengthRequired => StatusCode::LENGTH_REQUIRED,
        Class::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Class::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Class::UriTooLong => StatusCode::URI_TOO_LONG,
        Class::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Class::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        Class::ExpectationFailed => StatusCode::EXPECTATION_FAILED,
        Class::Misdirected => StatusCode::MISDIRECTED_REQUEST,
        Class::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
        Class::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        Class::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Class::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Class::BadGateway => StatusCode::BAD_GATEWAY,
        Class::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
        Class::LoopDetected => StatusCode::LOOP_DETECTED,
        Class::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Class::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
    }
}

/// The word that a text error begins with.
fn class_word(class: Class) -> &'static str {
    match class {
        Class::NotFound => "not found",
        Class::Gone => "gone",
        Class::Forbidden => "forbidden",
        Class::Unauthorized => "unauthorized",
        Class::BadGateway | Class::GatewayTimeout | Class::LoopDetected => "bad gateway",
        Class::Unavailable | Class::StorageFull => "unavailable",
        Class::Internal => "internal error",
        Class::MethodNotAllowed => "method not allowed",
        _ => "bad request",
    }
}

/// The answer to a failure.
pub(crate) fn answer(failure: &Failure, shape: Shape, request_id: &str) -> Response {
    let code = failure.code();
    let mut response = Response::builder().status(status(code.class)).finish();
    let (content_type, challenge) = match shape {
        Shape::Api => ("application/problem+json", "Bearer realm=\"artifact-keeper\""),
        Shape::Text => ("text/plain; charset=utf-8", "Basic realm=\"artifact-keeper\", charset=\"UTF-8\""),
    };
    let body = match shape {
        Shape::Api => super::problem::document(failure, request_id),
        Shape::Text => text(failure, request_id),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(&X_ERROR_CODE, HeaderValue::from_static(code.name));
    let cache = match failure.cacheable_s {
        Some(seconds) => HeaderValue::try_from(format!("public, max-age={seconds}")).ok(),
        None => None,
    };
    headers.insert(CACHE_CONTROL, cache.unwrap_or(HeaderValue::from_static("no-store")));
    if code.class == Class::Unauthorized {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if let Some(allow) = failure.allow.as_deref().and_then(|allow| HeaderValue::from_str(allow).ok()) {
        headers.insert(ALLOW, allow);
    }
    if *code == codes::SHUTTING_DOWN {
        // The next request is for another server; HTTP/2 has another way to say so, and hyper leaves this one out there.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(seconds) = failure.retry_after_s {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(length) = failure.complete_length
        && let Ok(value) = HeaderValue::try_from(format!("bytes */{length}"))
    {
        headers.insert(CONTENT_RANGE, value);
    }
    // A text repeats what was sent, and whoever pastes it into a ticket must not paste a credential.
    response.set_body(Body::from_string(redact(&body).into_owned()));
    response
}

/// Class and detail, the hint, then the line that a person can quote to an administrator.
fn text(failure: &Failure, request_id: &str) -> String {
    let first = failure.first();
    let last = format!("code={} request={request_id}\n", first.code.name);
    let room = TEXT_BYTES - last.len();
    let head = format!("{}: {}", class_word(first.code.class), printable(&first.detail));
    let mut lines: Vec<String> = Vec::with_capacity(TEXT_LINES);
    let hint = printable(first.hint_text());
    let wanted = head.lines().chain(hint.lines()).filter(|line| !line.trim().is_empty());
    let mut used = 0;
    for line in wanted.take(TEXT_LINES - 1) {
        let left = room.saturating_sub(used + 1);
        if left < SHORTEST_LINE_BYTES {
            break;
        }
        let line = shorten(line, left);
        used += line.len() + 1;
        lines.push(line);
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text.push_str(&last);
    text
}

/// Text in which every character is graphic or a line end.
fn printable(text: &str) -> String {
    let plain = |c: char| c == '\n' || c == ' ' || !(c.is_control() || c.is_whitespace() || is_invisible(c));
    text.chars().map(|c| if plain(c) { c } else { '\u{fffd}' }).collect()
}

/// Characters that change how their neighbours look, or do not show: bidirectional controls, joiners, and
/// the private and surrogate areas' neighbours that Go does not count as graphic.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}')
}

/// Cuts a line in its middle, where module paths are least telling.
fn shorten(line: &str, bytes: usize) -> String {
    if line.len() <= bytes {
        return line.to_owned();
    }
    let half = bytes.saturating_sub('…'.len_utf8()) / 2;
    let head = line.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= half).last().unwrap_or(0);
    let tail = line.char_indices().map(|(at, _)| at).find(|at| line.len() - at <= half).unwrap_or(line.len());
    format!("{}…{}", &line[..head], &line[tail..])
}

#[cfg(test)]
mod tests {
    use keeper_core::error::codes;

    use super::*;

    fn lines_of(failure: &Failure) -> (String, usize) {
        let text = text(failure, "7Q2M9K4T1XWB");
        let count = text.lines().count();
        (text, count)
    }

    #[test]
    fn a_text_error_is_short_printable_and_ends_with_the_code() {
        let failure = Failure::new(
            &codes::VERSION_NOT_FOUND,
            "example.com/m@v1.2.9: repository \"private\" has 12 versions of it",
        )
        .hint("The newest is v1.2.8; all are in .../@v/list.");
        let (text, lines) = lines_of(&failure);
        assert_eq!(lines, 3);
        assert!(text.starts_with("not found: example.com/m@v1.2.9: "), "{text}");
        assert!(text.ends_with("code=version_not_found request=7Q2M9K4T1XWB\n"), "{text}");
    }

    #[test]
    fn no_input_breaks_the_bounds_of_a_text_error() {
        for value in ["x".repeat(10_000), "é\u{202e}\u{0}\n\n\n".repeat(400), "日本".repeat(900), "\n".repeat(50)] {
            let (text, lines) = lines_of(&Failure::new(&codes::BAD_REQUEST, value.clone()).hint(value));
            assert!(lines <= TEXT_LINES && text.len() <= TEXT_BYTES, "{lines} lines, {} bytes", text.len());
            assert!(text.lines().all(|line| !line.trim().is_empty()), "a blank line ends what go prints");
            assert!(!text.contains('\u{202e}') && !text.contains('\u{0}'));
        }
    }
}
