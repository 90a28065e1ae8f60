//! The pages: the web UI's embedded files, and the API's documentation. Everything is embedded; nothing is
//! loaded from another host.

use http::Method;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use keeper_core::error::{Failure, codes};
use poem::Response;

/// What a page may do: its own files, nothing else, no frames.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const DOCS: [(&str, &str, &str); 3] = [
    ("/api/docs", "text/html; charset=utf-8", include_str!("docs/index.html")),
    ("/api/docs.js", "text/javascript; charset=utf-8", include_str!("docs/docs.js")),
    ("/api/docs.css", "text/css; charset=utf-8", include_str!("docs/docs.css")),
];

/// The documentation page's file at this path.
pub(crate) fn docs(path: &str) -> Option<Response> {
    let (_, content_type, text) = DOCS.iter().find(|(at, _, _)| *at == path)?;
    Some(page(content_type, text.as_bytes()))
}

/// A file of the web UI.
///
/// # Errors
/// `not_found` with the right spelling of the first segment where only its case is wrong.
pub(crate) fn ui(method: &Method, path: &str, first_segments: &[String]) -> Result<Response, Failure> {
    if let Some((content_type, bytes)) = keeper_web_ui::file(path) {
        if method != Method::GET && method != Method::HEAD {
            return Err(Failure::method_not_allowed(method.as_str(), "GET, HEAD"));
        }
        return Ok(page(content_type, bytes));
    }
    let first = path.split('/').nth(1).unwrap_or("");
    let failure = Failure::new(&codes::NOT_FOUND, "there is nothing at this address");
    match first_segments.iter().find(|known| known.eq_ignore_ascii_case(first)) {
        Some(known) => Err(failure.hint(format!("Addresses are lower case here: /{known}/..."))),
        None => Err(failure),
    }
}

fn page(content_type: &str, bytes: &[u8]) -> Response {
    Response::builder()
        .header(CONTENT_TYPE, content_type)
        .header(CACHE_CONTROL, "no-cache")
        .header(CONTENT_SECURITY_POLICY, PAGE_POLICY)
        .header("cross-origin-opener-policy", "same-origin")
        .header("permissions-policy", "camera=(), geolocation=(), microphone=()")
        .body(bytes.to_vec())
}
