//! The cookie of a session.
//!
//! Shape: `__Host-keeper_session=<64 hexadecimal digits>; Path=/; HttpOnly; SameSite=Strict; Max-Age=604800;
//! Secure`, which browsers take over https only and never share with another host; over plain http the name is
//! `keeper_session`, without `Secure`. Each name counts only where it is set: a page on plain http cannot plant a
//! session for https.
//!
//! Plain http is for `localhost`: elsewhere the password and the cookie could be read on the way, so signing in is
//! refused unless the configuration says otherwise.

use http::HeaderMap;
use http::header::COOKIE;
use keeper_core::error::{Failure, codes};
use keeper_core::identity::{SESSION_LIFE, TokenHash};

use super::RequestFacts;

/// Bytes of chance.
const SECRET_BYTES: usize = 32;

fn name(facts: &RequestFacts) -> &'static str {
    if facts.https { "__Host-keeper_session" } else { "keeper_session" }
}

/// Whether a password and a cookie may travel on this connection.
///
/// # Errors
/// `use_https`.
pub(super) fn may_travel(facts: &RequestFacts, insecure_http: bool) -> Result<(), Failure> {
    let local = matches!(facts.host.as_str(), "localhost" | "127.0.0.1" | "[::1]");
    if facts.https || local || insecure_http {
        return Ok(());
    }
    Err(Failure::new(&codes::USE_HTTPS, "a password sent over plain http can be read on the way"))
}

/// The cookie's value that a request carries, if any.
///
/// # Errors
/// `ambiguous_credentials` for two of them.
pub(super) fn sent(headers: &HeaderMap, facts: &RequestFacts) -> Result<Option<TokenHash>, Failure> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name(facts)).map(|(_, value)| value);
    let value = values.next();
    if values.next().is_some() {
        return Err(Failure::new(&codes::AMBIGUOUS_CREDENTIALS, "two cookies of a session were sent"));
    }
    Ok(value.map(TokenHash::of))
}

/// A new cookie: the header that sets it, and what is kept of it.
///
/// # Errors
/// When the system gives no random bytes.
pub(super) fn new(facts: &RequestFacts) -> Result<(String, TokenHash), Failure> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by(error))?;
    let value = data_encoding::HEXLOWER.encode(&bytes);
    Ok((header(facts, &value, SESSION_LIFE.as_secs()), TokenHash::of(&value)))
}

/// The header that takes the cookie away.
pub(super) fn removal(facts: &RequestFacts) -> String {
    header(facts, "", 0)
}

fn header(facts: &RequestFacts, value: &str, seconds: i64) -> String {
    let secure = if facts.https { "; Secure" } else { "" };
    format!("{}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}", name(facts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(https: bool, host: &str) -> RequestFacts {
        RequestFacts { id: String::new(), base_url: String::new(), host: host.to_owned(), https, peer: None }
    }

    fn hash(headers: &[&str], facts: &RequestFacts) -> Result<Option<TokenHash>, Failure> {
        let values = headers.iter().map(|value| (COOKIE, value.parse().expect("a value")));
        sent(&values.collect(), facts)
    }

    #[test]
    fn a_cookie_comes_back_on_its_own_scheme_only() {
        let (secure, plain) = (facts(true, "keeper.example"), facts(false, "localhost"));
        let (set, kept) = new(&secure).expect("random");
        assert!(set.starts_with("__Host-keeper_session=") && set.ends_with("; Secure"), "{set}");
        for word in ["; Path=/;", "; HttpOnly;", "; SameSite=Strict;"] {
            assert!(set.contains(word), "{set}");
        }
        let pair = set.split(';').next().expect("a pair");
        assert_eq!(hash(&[&format!("a=b; {pair}; c=d")], &secure).expect("one"), Some(kept));
        assert_eq!(hash(&[pair], &plain).expect("none"), None);
        assert_eq!(hash(&["keeper_session=x"], &secure).expect("none"), None);
        assert_eq!(hash(&["keeper_session=x"], &plain).expect("one"), Some(TokenHash::of("x")));
        assert!(hash(&["keeper_session=x; keeper_session=y"], &plain).is_err());
        assert!(hash(&["keeper_session=x", "keeper_session=x"], &plain).is_err());
        assert!(removal(&plain).contains("Max-Age=0") && !removal(&plain).contains("Secure"));
    }

    #[test]
    fn a_password_travels_encrypted_or_not_at_all() {
        for (https, host, insecure, may) in [
            (true, "keeper.example", false, true),
            (false, "keeper.example", false, false),
            (false, "keeper.example", true, true),
            (false, "localhost", false, true),
            (false, "127.0.0.1", false, true),
            (false, "[::1]", false, true),
            (false, "localhost.example", false, false),
        ] {
            assert_eq!(may_travel(&facts(https, host), insecure).is_ok(), may, "{https} {host} {insecure}");
        }
    }
}
