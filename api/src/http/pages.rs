//! The pages: the web UI's embedded files, and the API's documentation. Everything is embedded; nothing is
//! loaded from another host.
//!
//! ```text
//! GET /_app/…                       a file of the web UI, compressed for those who take it
//! GET anything, Accept: text/html   the one page: it finds what the address means
//! GET anything else                 404, so that a mistyped GOPROXY never gets a page with status 200
//! ```

use std::borrow::Cow;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use keeper_core::error::{Failure, codes};
use keeper_web_ui::{File, Site};
use poem::{Request, Response};

/// What the documentation page may do: its own files, nothing else, no frames.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/// Powers of a browser that no page here uses; writing to the clipboard is the one that is.
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), camera=(), clipboard-read=(), clipboard-write=(self), \
     display-capture=(), fullscreen=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), \
     payment=(), publickey-credentials-get=(), usb=(), xr-spatial-tracking=()";

const DOCS: [(&str, &str, &str); 4] = [
    ("/api/docs", "text/html; charset=utf-8", include_str!("docs/index.html")),
    ("/api/docs.js", "text/javascript; charset=utf-8", include_str!("docs/docs.js")),
    ("/api/docs.css", "text/css; charset=utf-8", include_str!("docs/docs.css")),
    ("/api/theme.css", "text/css; charset=utf-8", include_str!("docs/theme.css")),
];

static CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
static CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
static PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// Headers of an answer of the API: it is no page, and belongs to the pages of this server.
pub(crate) fn guard_api(headers: &mut HeaderMap) {
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    headers.insert(&CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
}

/// The documentation page's file at this path.
pub(crate) fn docs(path: &str) -> Option<Response> {
    let (_, content_type, text) = DOCS.iter().find(|(at, _, _)| *at == path)?;
    let file = File {
        content_type,
        bytes: Cow::Borrowed(text.as_bytes()),
        encoding: None,
        varies: false,
        etag: String::new(),
        immutable: false,
    };
    Some(respond(file, DOCS_POLICY, &HeaderMap::new()))
}

/// The web UI as this server sends it.
pub(crate) struct Ui {
    site: Site,
}

impl Ui {
    /// The pages of a server with this public address; the address may have a path, which a proxy takes away.
    pub(crate) fn new(public_url: Option<&str>) -> Self {
        let path = public_url.and_then(|url| url.split_once("://")?.1.split_once('/'));
        let prefix = path.map(|(_, path)| format!("/{path}")).unwrap_or_default();
        Self { site: Site::below(&prefix) }
    }

    /// The page or file at this path.
    ///
    /// # Errors
    /// `not_found` with the right spelling of the first segment where only its case is wrong.
    pub(crate) fn answer(&self, request: &Request, path: &str, first_segments: &[String]) -> Result<Response, Failure> {
        let headers = request.headers();
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let page = path == "/" || (!path.starts_with("/_app/") && text(ACCEPT).is_some_and(takes_html));
        let file = if page { Some(self.site.index()) } else { self.site.file(path, text(ACCEPT_ENCODING)) };
        let Some(file) = file else { return Err(nothing(path, first_segments)) };
        match *request.method() {
            Method::GET | Method::HEAD => Ok(respond(file, self.site.policy(), headers)),
            _ if page && path != "/" => Err(nothing(path, first_segments)),
            _ => Err(Failure::method_not_allowed(request.method().as_str(), "GET, HEAD")),
        }
    }
}

/// Whether an `Accept` asks for a page by name, as browsers do and package clients do not.
fn takes_html(accept: &str) -> bool {
    accept.split(',').any(|part| part.split(';').next().is_some_and(|kind| kind.trim() == "text/html"))
}

fn nothing(path: &str, first_segments: &[String]) -> Failure {
    let first = path.split('/').nth(1).unwrap_or("");
    let failure = Failure::new(&codes::NOT_FOUND, "there is nothing at this address");
    match first_segments.iter().find(|known| known.eq_ignore_ascii_case(first)) {
        Some(known) => failure.hint(format!("Addresses are lower case here: /{known}/...")),
        None => failure,
    }
}

fn respond(file: File, policy: &str, asked: &HeaderMap) -> Response {
    let known = asked.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let same = known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == file.etag));
    let cache = if file.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = Response::builder()
        .header(CACHE_CONTROL, cache)
        .header(CONTENT_SECURITY_POLICY, policy)
        .header(&CROSS_ORIGIN_OPENER_POLICY, "same-origin")
        .header(&CROSS_ORIGIN_RESOURCE_POLICY, "same-origin")
        .header(&PERMISSIONS_POLICY, PERMISSIONS);
    if file.varies {
        response = response.header(VARY, "accept-encoding");
    }
    if !file.etag.is_empty() {
        response = response.header(ETAG, file.etag.as_str());
    }
    if same && !file.etag.is_empty() {
        return response.status(StatusCode::NOT_MODIFIED).finish();
    }
    if let Some(encoding) = file.encoding {
        response = response.header(CONTENT_ENCODING, encoding);
    }
    response.header(CONTENT_TYPE, file.content_type).body(file.bytes.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_names_html_gets_a_page() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accept, expected) in
            [(browser, true), ("*/*", false), ("text/plain", false), ("text/html;q=0.1", true), ("", false)]
        {
            assert_eq!(takes_html(accept), expected, "{accept}");
        }
    }

    #[test]
    fn the_prefix_is_the_path_of_the_public_address() {
        for (public, prefix) in [
            (None, ""),
            (Some("https://h:1"), ""),
            (Some("https://h/keeper"), "/keeper"),
            (Some("https://h/a/b"), "/a/b"),
        ] {
            let index = String::from_utf8_lossy(&Ui::new(public).site.index().bytes).into_owned();
            assert!(!index.contains("base: ") || index.contains(&format!("base: \"{prefix}\"")), "{public:?}: {index}");
        }
    }
}
