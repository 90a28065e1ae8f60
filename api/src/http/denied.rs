//! Which refusals the audit is told of: credentials that do not count, changes that were not allowed, and whatever
//! only an administrator may do. Refused reads are no news: package clients ask for much that they may not have.
//!
//! All of them pass here, where every failure ends, whatever refused it.

use http::Method;
use jiff::Timestamp;
use keeper_core::access::Principal;
use keeper_core::audit::Denial;
use keeper_core::error::{Class, Failure, codes};
use keeper_core::redaction::redact;
use metrics::counter;

use super::{RequestFacts, Routes, loggable};

/// Where a browser signs in.
const SESSION: &str = "/api/session";

impl Routes {
    /// Counts a refusal, if it is one of those.
    pub(super) fn note_denial(
        &self,
        failure: &Failure,
        who: &Principal,
        method: &Method,
        path: &str,
        facts: &RequestFacts,
    ) {
        let Some(action) = action(failure, method, path) else { return };
        counter!("keeper_denials_total", "action" => action).increment(1);
        let by = facts.actor(who);
        let resource = match repository(path, &self.first_segments) {
            Some(repository) => loggable(repository),
            None => loggable(path),
        };
        let message = redact(&failure.first().detail);
        let code = failure.code().name;
        self.app
            .denials
            .note(&Denial { by: &by, action, resource: &resource, code, message: &message }, Timestamp::now());
    }
}

/// What was refused, in the audit's words.
fn action(failure: &Failure, method: &Method, path: &str) -> Option<&'static str> {
    let code = failure.code();
    let by_code = [
        (&codes::INVALID_CREDENTIALS, "login"),
        (&codes::TOKEN_MALFORMED, "login"),
        (&codes::TOKEN_EXPIRED, "login"),
        (&codes::PASSWORD_NOT_ACCEPTED, "login"),
        (&codes::USER_DISABLED, "login"),
        (&codes::PUBLISH_DENIED, "publish"),
        (&codes::DELETE_DENIED, "delete"),
        (&codes::MANAGE_DENIED, "manage"),
        (&codes::ADMIN_REQUIRED, "admin"),
    ];
    if let Some((_, action)) = by_code.into_iter().find(|(known, _)| *known == code) {
        return Some(action);
    }
    let refused = matches!(code.class, Class::Unauthorized | Class::Forbidden | Class::TooManyRequests);
    match (*method == Method::GET || *method == Method::HEAD, path == SESSION) {
        _ if !refused => None,
        (true, _) => None,
        (false, true) => Some("login"),
        (false, false) => Some("write"),
    }
}

/// `format/name` of an address that names a repository.
pub(super) fn repository<'a>(path: &'a str, first_segments: &[String]) -> Option<&'a str> {
    let below = path.strip_prefix("/api/repositories/").or_else(|| path.strip_prefix('/'))?;
    let mut segments = below.splitn(3, '/');
    let (format, name) = (segments.next()?, segments.next().filter(|name| !name.is_empty())?);
    let is_format = format != "api" && first_segments.iter().any(|known| known == format);
    is_format.then(|| &below[..format.len() + 1 + name.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_logins_and_administration_are_told() {
        let rows = [
            (&codes::LOGIN_REQUIRED, "GET", "/go/private/x", None),
            (&codes::REPOSITORY_UNAVAILABLE, "GET", "/go/private/x", None),
            (&codes::BLOCKED, "GET", "/go/local/x", None),
            (&codes::VERSION_EXISTS, "POST", "/api/artifacts", None),
            (&codes::TOKEN_EXPIRED, "GET", "/go/private/x", Some("login")),
            (&codes::INVALID_CREDENTIALS, "POST", "/api/session", Some("login")),
            (&codes::LOGIN_REQUIRED, "POST", "/api/session", Some("login")),
            (&codes::LOGIN_REQUIRED, "POST", "/api/artifacts", Some("write")),
            (&codes::REPOSITORY_UNAVAILABLE, "PUT", "/generic/private/x", Some("write")),
            (&codes::PUBLISH_DENIED, "POST", "/api/artifacts", Some("publish")),
            (&codes::ADMIN_REQUIRED, "GET", "/api/audit", Some("admin")),
        ];
        for (code, method, path, expected) in rows {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            assert_eq!(action(&Failure::new(code, ""), &method, path), expected, "{code} {method} {path}");
        }
    }

    #[test]
    fn an_address_names_its_repository() {
        let first = ["go", "generic", "api"].map(str::to_owned);
        for (path, expected) in [
            ("/go/local/example.com/m/@v/list", Some("go/local")),
            ("/go/local", Some("go/local")),
            ("/api/repositories/go/local", Some("go/local")),
            ("/api/repositories/go/local/quota", Some("go/local")),
            ("/api/repositories", None),
            ("/api/artifacts", None),
            ("/go", None),
            ("/go/", None),
            ("/npm/local", None),
        ] {
            assert_eq!(repository(path, &first), expected, "{path}");
        }
    }
}
