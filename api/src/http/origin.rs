//! Whether a changing request comes from a page of ours.
//!
//! A browser sends cookies, and Basic credentials it has once asked for, with requests that other pages make. It
//! also says where a request comes from: `Sec-Fetch-Site`, and in older ones `Origin`. Rules for methods that
//! change something:
//!
//! | credential | needs |
//! |---|---|
//! | cookie | `same-origin`, said by either header, and `X-Keeper-Request: 1`, which no form can send |
//! | Basic, or a password | not to be said to come from elsewhere (`curl -u` says nothing) |
//! | Bearer | nothing: no browser sends it by itself |
//!
//! Sources: Fetch Metadata Request Headers (W3C); OWASP, Cross-Site Request Forgery Prevention.

use http::header::ORIGIN;
use http::{HeaderMap, HeaderName, Method};
use keeper_core::error::{Failure, codes};

use super::RequestFacts;

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
static X_KEEPER_REQUEST: HeaderName = HeaderName::from_static("x-keeper-request");

/// Whether a method may change something.
pub(super) fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether a script of a page asks, and not somebody who downloads.
pub(super) fn is_a_pages(headers: &HeaderMap) -> bool {
    headers.contains_key(&X_KEEPER_REQUEST)
}

/// Judges a changing request with a cookie.
///
/// # Errors
/// `csrf_rejected`.
pub(super) fn require_same(headers: &HeaderMap, facts: &RequestFacts) -> Result<(), Failure> {
    let ours = same(headers, facts) == Some(true);
    let meant = headers.get(&X_KEEPER_REQUEST).is_some_and(|value| value == "1");
    if ours && meant { Ok(()) } else { Err(rejected()) }
}

/// Judges a changing request with Basic credentials or a password.
///
/// # Errors
/// `csrf_rejected`.
pub(super) fn refuse_foreign(headers: &HeaderMap, facts: &RequestFacts) -> Result<(), Failure> {
    if same(headers, facts) == Some(false) { Err(rejected()) } else { Ok(()) }
}

fn rejected() -> Failure {
    Failure::new(&codes::CSRF_REJECTED, "a browser sent this for a page that is none of this server's")
}

/// Whether the request comes from a page of this server; `None` when nothing is said.
fn same(headers: &HeaderMap, facts: &RequestFacts) -> Option<bool> {
    if let Some(site) = headers.get(&SEC_FETCH_SITE) {
        return Some(site == "same-origin");
    }
    let origin = headers.get(ORIGIN)?.as_bytes();
    Some(origin.eq_ignore_ascii_case(origin_of(&facts.base_url).as_bytes()))
}

/// Scheme, host and port of an address.
fn origin_of(base_url: &str) -> &str {
    let Some((scheme, rest)) = base_url.split_once("://") else { return base_url };
    let authority = rest.split('/').next().unwrap_or(rest);
    &base_url[..scheme.len() + "://".len() + authority.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_of_this_server_may_change_something_by_cookie() {
        let facts = RequestFacts {
            id: String::new(),
            base_url: "https://keeper.example:8443/below".to_owned(),
            host: "keeper.example".to_owned(),
            https: true,
            peer: None,
        };
        /// Headers, and whether they do for a cookie and for Basic.
        type Row = (&'static [(&'static str, &'static str)], bool, bool);
        let rows: [Row; 10] = [
            (&[], false, true),
            (&[("x-keeper-request", "1")], false, true),
            (&[("sec-fetch-site", "same-origin")], false, true),
            (&[("sec-fetch-site", "same-origin"), ("x-keeper-request", "1")], true, true),
            (&[("sec-fetch-site", "same-site"), ("x-keeper-request", "1")], false, false),
            (&[("sec-fetch-site", "none"), ("x-keeper-request", "1")], false, false),
            (&[("origin", "https://keeper.example:8443"), ("x-keeper-request", "1")], true, true),
            (&[("origin", "https://keeper.example"), ("x-keeper-request", "1")], false, false),
            (&[("origin", "null"), ("x-keeper-request", "1")], false, false),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "https://keeper.example:8443"),
                    ("x-keeper-request", "1"),
                ],
                false,
                false,
            ),
        ];
        for (sent, by_cookie, by_basic) in rows {
            let headers: HeaderMap = sent
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), http::HeaderValue::from_static(value)))
                .collect();
            assert_eq!(require_same(&headers, &facts).is_ok(), by_cookie, "{sent:?}");
            assert_eq!(refuse_foreign(&headers, &facts).is_ok(), by_basic, "{sent:?}");
        }
    }
}
