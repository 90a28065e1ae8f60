//! Turns credentials into a [`Principal`], before anything else is decided.
//!
//! Accepted: `Authorization: Bearer <token>`, and `Authorization: Basic` with any login and the token as
//! the password (`.netrc`, `curl -u`). A credential that does not count is an error, never a stranger: a CI
//! job with an expired token must learn so. A mistyped token is recognised without asking the store.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use keeper_core::access::{Principal, User};
use keeper_core::error::{Failure, codes};
use keeper_core::identity::{Credential, IdentityStore, TokenHash, TokenSecret};
use keeper_core::limits::CREDENTIAL_CACHE;
use metrics::{Counter, counter};
use moka::sync::Cache;

/// Length in bytes of a credential that is looked at.
const CREDENTIAL_BYTES: usize = 1_024;
/// Verified credentials remembered at once.
const REMEMBERED: u64 = 10_000;

/// Recognises callers; remembers verified tokens for a short while, by their hash.
pub struct Authenticator {
    known: Cache<TokenHash, User>,
    hits: Counter,
    misses: Counter,
}

/// What carried a credential.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Bearer,
    Basic,
}

impl Default for Authenticator {
    fn default() -> Self {
        Self::new(CREDENTIAL_CACHE)
    }
}

impl Authenticator {
    /// Remembers a verified token for so long.
    #[must_use]
    pub fn new(remember: Duration) -> Self {
        let asked = |result: &'static str| counter!("keeper_credential_cache_requests_total", "result" => result);
        let known = Cache::builder().max_capacity(REMEMBERED).time_to_live(remember).build();
        Self { known, hits: asked("hit"), misses: asked("miss") }
    }

    /// Who sends these headers.
    ///
    /// # Errors
    /// 400 for two credentials, 401 for one that does not count.
    pub async fn principal(&self, headers: &HeaderMap, identity: &dyn IdentityStore) -> Result<Principal, Failure> {
        let mut sent = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = sent.next() else { return Ok(Principal::Anonymous) };
        if sent.next().is_some() {
            return Err(Failure::new(&codes::AMBIGUOUS_CREDENTIALS, "two Authorization headers were sent"));
        }
        let (carrier, secret) = credential(value.as_bytes())?;
        if TokenSecret::parse(&secret).is_err() {
            return Err(malformed("the token has a wrong length or a wrong character"));
        }
        let hash = TokenHash::of(&secret);
        let now = Timestamp::now();
        if let Some(user) = self.known.get(&hash)
            && user.expires_at.is_none_or(|end| end > now)
        {
            self.hits.increment(1);
            return Ok(Principal::User(Box::new(user)));
        }
        self.misses.increment(1);
        match identity.credential(&hash, now).await? {
            Credential::Valid(user) => {
                self.known.insert(hash, (*user).clone());
                Ok(Principal::User(user))
            }
            Credential::Expired { display, at } => Err(Failure::new(
                &codes::TOKEN_EXPIRED,
                format!("token {display}… expired on {}", at.strftime("%Y-%m-%d")),
            )),
            Credential::Disabled => Err(Failure::new(&codes::USER_DISABLED, "the owner of this token is disabled")),
            Credential::Unknown if carrier == Carrier::Basic && !looks_like_token(&secret) => Err(Failure::new(
                &codes::PASSWORD_NOT_ACCEPTED,
                "the password sent is not a token; passwords of users are not accepted here",
            )),
            Credential::Unknown => {
                Err(Failure::new(&codes::INVALID_CREDENTIALS, "the token is unknown or was revoked"))
            }
        }
    }
}

fn looks_like_token(secret: &str) -> bool {
    matches!(TokenSecret::parse(secret), Ok(Some(_)))
}

fn malformed(detail: &str) -> Failure {
    Failure::new(&codes::TOKEN_MALFORMED, detail)
}

fn credential(value: &[u8]) -> Result<(Carrier, String), Failure> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= CREDENTIAL_BYTES);
    let text = text.ok_or_else(|| malformed("the Authorization header is not a credential"))?.trim();
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim();
    let (carrier, secret) = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => (Carrier::Bearer, rest.to_owned()),
        "basic" => (
            Carrier::Basic,
            basic_password(rest).ok_or_else(|| malformed("the Basic credential is not base64 of login:token"))?,
        ),
        _ => return Err(malformed("the accepted schemes are Bearer and Basic")),
    };
    if secret.is_empty() || secret.contains(char::is_whitespace) {
        return Err(malformed("the credential is empty or holds a blank"));
    }
    Ok((carrier, secret))
}

fn basic_password(encoded: &str) -> Option<String> {
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read_from_bearer_and_basic_only() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (value, secret) in [
            ("Bearer abc".to_owned(), "abc"),
            ("bearer  abc ".into(), "abc"),
            (basic("any:abc"), "abc"),
            (basic(":a:c"), "a:c"),
        ] {
            assert_eq!(credential(value.as_bytes()).expect("a credential").1, secret, "{value}");
        }
        for bad in [
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Digest x",
            "Basic %%%",
            &basic("nocolon"),
            &basic("a:"),
            &format!("Bearer {}", "x".repeat(9_000)),
        ] {
            assert_eq!(
                credential(bad.as_bytes()).err().map(|failure| failure.code().name),
                Some("token_malformed"),
                "{bad}"
            );
        }
    }
}
