//! Bodies that are read whole and judged before they are parsed: all but the upload's.
//!
//! poem-openapi collects a body without a bound of size or time, and does so before the caller's rights are
//! asked for. Bounds: [`JSON_BYTES`], and the pace of uploads. Errors: `too_large`, `request_timeout`,
//! `invalid_framing`; of JSON what [`strict_json`] and the operation's [`Shape`](super::shape::Shape) find.

use keeper_core::error::{Failure, codes};
use poem::Request;
use poem::http::Method;
use poem::http::header::CONTENT_TYPE;
use poem_openapi::payload::{Json, Payload as _};
use serde_json::Value;

use super::addresses::Operation;
use super::strict_json;

use crate::http::shared_body::{SharedBody, stated_length};
use crate::server::body::{Pace, PacedBody};

/// Bytes of a body at most.
const JSON_BYTES: usize = 1024 * 1024;

/// The address whose body is streamed instead.
const UPLOAD: &str = "/api/artifacts";

/// Puts the whole body in the place of the one that is still to come.
///
/// # Errors
/// When it is too long, too slow, or breaks off, and when it is JSON that the operation cannot take.
pub(super) async fn collect(request: &mut Request, pace: Pace, operation: Option<&Operation>) -> Result<(), Failure> {
    if request.method() == Method::POST && request.original_uri().path() == UPLOAD {
        return Ok(());
    }
    let stated = stated_length(request.headers());
    let body = SharedBody::new(PacedBody::new(request.take_body().into_bytes_stream(), pace));
    if stated.is_some_and(|stated| stated > JSON_BYTES as u64) {
        body.linger().await;
        return Err(too_large());
    }
    let whole = body.whole(JSON_BYTES, too_large).await?;
    if is_json(request) && !whole.is_empty() {
        strict_json::check(&whole)?;
        if let (Some(operation), Ok(body)) = (operation, serde_json::from_slice::<Value>(&whole)) {
            operation.check_body(&body)?;
        }
    }
    request.set_body(whole.freeze());
    Ok(())
}

/// Whether the body says that it is JSON; what says something else is refused where it is parsed.
fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(Json::<Value>::check_content_type)
}

fn too_large() -> Failure {
    Failure::new(&codes::TOO_LARGE, "a JSON body has at most 1 MiB")
        .hint("Send less; archives go to POST /api/artifacts.")
}
