//! Turns credentials into a [`Principal`], before anything else is decided.
//!
//! Accepted: `Authorization: Bearer <token>`; `Authorization: Basic` with any login and the token as the
//! password (`.netrc`, `curl -u`); below `/api` the cookie of a session, never on the path of a format, where
//! nobody shall act by what a browser sends unasked. A credential that does not count is an error, never a
//! stranger: a CI job with an expired token must learn so. A mistyped token is recognised without asking the store.
//!
//! What was verified is remembered for [`CREDENTIAL_CACHE`] at most, and believed only while the generation of
//! identities stays: whatever is revoked counts no more from the next request on, also on open connections.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use keeper_core::access::{Means, Principal, User};
use keeper_core::error::{Failure, codes};
use keeper_core::identity::{Credential, Directory, TokenHash, TokenSecret};
use keeper_core::limits::CREDENTIAL_CACHE;
use metrics::{Counter, counter};
use moka::sync::Cache;

use super::{RequestFacts, cookie, origin};
use crate::clock::Clock;

/// Length in bytes of a credential that is looked at.
const CREDENTIAL_BYTES: usize = 1_024;
/// Verified credentials remembered at once.
const REMEMBERED: u64 = 10_000;
/// The use of a token is written down this often.
const TOKEN_NOTED: Duration = Duration::from_secs(60 * 60);
/// The use of a session is written down this often; far less than its idle time.
const SESSION_NOTED: Duration = Duration::from_secs(10 * 60);

/// Recognises callers.
pub struct Authenticator {
    directory: Arc<dyn Directory>,
    clock: Arc<Clock>,
    tokens: Memory,
    sessions: Memory,
}

/// What is remembered of one kind of credential. The kinds are kept apart: the value of a cookie is no token.
struct Memory {
    known: Cache<TokenHash, Known>,
    noted: Cache<TokenHash, ()>,
    hits: Counter,
    misses: Counter,
}

/// Somebody recognised while the generation was this one.
#[derive(Clone)]
struct Known {
    generation: u64,
    user: User,
}

/// A request, as far as it says who sends it.
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its path.
    pub path: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// What else is known of it.
    pub facts: &'a RequestFacts,
    /// Whether everybody may read the description of the API.
    pub public_documents: bool,
}

/// What carried a credential.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Bearer,
    Basic,
}

impl Authenticator {
    /// Recognises whom this directory knows, until the end that this clock tells.
    #[must_use]
    pub fn new(directory: Arc<dyn Directory>, clock: Arc<Clock>) -> Self {
        Self { directory, clock, tokens: Memory::new(TOKEN_NOTED), sessions: Memory::new(SESSION_NOTED) }
    }

    /// Who sends this.
    ///
    /// # Errors
    /// 400 for two credentials, 401 for one that does not count, 403 for one that another page sends.
    pub async fn principal(&self, asked: &Asked<'_>) -> Result<Principal, Failure> {
        let session = if takes_cookie(asked) { cookie::sent(asked.headers, asked.facts)? } else { None };
        let mut sent = asked.headers.get_all(AUTHORIZATION).iter();
        let authorization = sent.next();
        if sent.next().is_some() {
            return Err(Failure::new(&codes::AMBIGUOUS_CREDENTIALS, "two Authorization headers were sent"));
        }
        match (authorization, session) {
            (None, None) => Ok(Principal::Anonymous),
            (Some(_), Some(_)) => {
                Err(Failure::new(&codes::AMBIGUOUS_CREDENTIALS, "an Authorization header and a session were sent"))
            }
            (Some(value), None) => self.by_token(value.as_bytes(), asked).await,
            (None, Some(hash)) => self.by_session(hash, asked).await,
        }
    }

    async fn by_token(&self, value: &[u8], asked: &Asked<'_>) -> Result<Principal, Failure> {
        let (carrier, secret) = credential(value)?;
        if TokenSecret::parse(&secret).is_err() {
            return Err(malformed("the token has a wrong length or a wrong character"));
        }
        if carrier == Carrier::Basic && origin::changes(asked.method) {
            origin::refuse_foreign(asked.headers, asked.facts)?;
        }
        let hash = TokenHash::of(&secret);
        let now = self.clock.now();
        let generation = self.directory.identity_generation();
        if let Some(user) = self.tokens.get(&hash, generation, now) {
            return Ok(Principal::User(Box::new(user)));
        }
        match self.directory.credential(&hash, now).await? {
            Credential::Valid(user) => Ok(self.recognised(hash, generation, *user, now, asked)),
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

    async fn by_session(&self, hash: TokenHash, asked: &Asked<'_>) -> Result<Principal, Failure> {
        if origin::changes(asked.method) {
            origin::require_same(asked.headers, asked.facts)?;
        }
        let now = self.clock.now();
        let generation = self.directory.identity_generation();
        if let Some(user) = self.sessions.get(&hash, generation, now) {
            return Ok(Principal::User(Box::new(user)));
        }
        match self.directory.session(&hash, now).await? {
            Credential::Valid(user) => Ok(self.recognised(hash, generation, *user, now, asked)),
            _ => Err(Failure::new(&codes::INVALID_CREDENTIALS, "the session has ended").hint("Sign in again.")),
        }
    }

    /// Remembers somebody, and now and then writes down that the credential was used.
    fn recognised(&self, hash: TokenHash, generation: u64, user: User, now: Timestamp, asked: &Asked<'_>) -> Principal {
        let memory = match user.means {
            Means::Token(_) => &self.tokens,
            Means::Session(_) => &self.sessions,
        };
        if !memory.noted.contains_key(&hash) {
            memory.noted.insert(hash, ());
            let from = asked.facts.peer.map(|peer| peer.to_string());
            tokio::spawn(note(self.directory.clone(), user.means, now, from));
        }
        memory.known.insert(hash, Known { generation, user: user.clone() });
        Principal::User(Box::new(user))
    }
}

impl Memory {
    /// The use of a credential is written down this often.
    fn new(noted: Duration) -> Self {
        let asked = |result: &'static str| counter!("keeper_credential_cache_requests_total", "result" => result);
        Self {
            known: Cache::builder().max_capacity(REMEMBERED).time_to_live(CREDENTIAL_CACHE).build(),
            noted: Cache::builder().max_capacity(REMEMBERED).time_to_live(noted).build(),
            hits: asked("hit"),
            misses: asked("miss"),
        }
    }

    /// Whom the hash belongs to, if that was found out in this generation and has not ended since.
    fn get(&self, hash: &TokenHash, generation: u64, now: Timestamp) -> Option<User> {
        let known = self.known.get(hash).filter(|known| known.generation == generation);
        let user = known.map(|known| known.user).filter(|user| user.expires_at.is_none_or(|end| end > now));
        let counter = if user.is_some() { &self.hits } else { &self.misses };
        counter.increment(1);
        user
    }
}

/// Writes down a use. Nobody waits for it, and nothing is lost when it fails but a date in a list.
async fn note(directory: Arc<dyn Directory>, means: Means, at: Timestamp, from: Option<String>) {
    let noted = match means {
        Means::Token(id) => directory.token_used(id, at, from.as_deref()).await,
        Means::Session(id) => directory.session_used(id, at).await,
    };
    if let Err(error) = noted {
        tracing::warn!(%error, "the use of a credential was not written down");
    }
}

/// Whether the cookie of a session is looked at: below `/api`, but not where it is made or taken away, for a
/// session that has ended must not be in the way of the next; nor on the pages that everybody may read.
fn takes_cookie(asked: &Asked<'_>) -> bool {
    let Some(below) = asked.path.strip_prefix("/api/") else { return false };
    let is_document = below == "openapi.json" || below.starts_with("docs");
    below != "session" && !(is_document && asked.public_documents)
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

/// The secret in the value of an `Authorization` header, if there is one.
pub(super) fn secret(value: &[u8]) -> Option<String> {
    credential(value).ok().map(|(_, secret)| secret)
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
