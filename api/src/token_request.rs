//! What a token is asked for with, whoever asks: its rules, and the text that it gets.
//!
//! Units and bounds: a token lives [`DEFAULT_DAYS`] unless told otherwise and [`MAX_DAYS`] at most, or it never
//! ends, which not everybody may ask for. Nothing allowed is a fault, never everything allowed.

use jiff::{SignedDuration, Timestamp};
use keeper_core::access::{Actions, Pattern, Scope};
use keeper_core::error::{Problem, codes};
use keeper_core::identity::{Login, NewToken, TokenHash, TokenSecret, UserKind};

/// Days a token lives when nobody says otherwise.
pub const DEFAULT_DAYS: u16 = 90;

/// Days a token lives at most.
pub const MAX_DAYS: u16 = 366;

/// Characters of a token's name.
pub const NAME_CHARACTERS: usize = 100;

/// Patterns of one kind in a token.
pub const PATTERNS: usize = 100;

/// What everybody who gets an endless token is told.
pub const ENDLESS_WARNING: &str = "this token never expires; revoke it when it is no longer needed";

/// What is asked for, as texts.
#[derive(Debug, Clone, Copy)]
pub struct TokenRequest<'a> {
    /// What it is for.
    pub name: &'a str,
    /// `read`, `publish`, `delete`, `manage`, `admin`.
    pub actions: &'a [String],
    /// `go/local`, `go/*`, `*`.
    pub repositories: &'a [String],
    /// Packages that may be published or deleted; absent is no limit.
    pub packages: Option<&'a [String]>,
    /// `90d`, a time, or `never`; absent is [`DEFAULT_DAYS`].
    pub expires: Option<&'a str>,
}

/// A request that follows the rules.
#[derive(Debug, Clone)]
pub struct TokenPlan {
    /// What it is for.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

impl TokenRequest<'_> {
    /// Checks every part.
    ///
    /// # Errors
    /// All rules that are broken, each with its field.
    pub fn check(&self, now: Timestamp) -> Result<TokenPlan, Vec<Problem>> {
        let mut faults = Vec::new();
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > NAME_CHARACTERS || name.chars().any(char::is_control) {
            faults.push(fault("name", format!("a token's name has 1 to {NAME_CHARACTERS} characters")));
        }
        let actions = Actions::parse_words(&self.actions.join(","));
        let actions = actions.filter(|actions| *actions != Actions::default());
        if actions.is_none() {
            faults.push(fault("actions", "expected some of read, publish, delete, manage, admin"));
        }
        let repositories = patterns("repositories", self.repositories, &mut faults);
        let packages = self.packages.map(|texts| patterns("packages", texts, &mut faults));
        let expires_at = self.expires_at(now).map_err(|text| faults.push(fault("expires", text)));
        match (actions, expires_at) {
            (Some(actions), Ok(expires_at)) if faults.is_empty() => {
                let scope = Scope { actions, repositories, packages };
                Ok(TokenPlan { name: name.to_owned(), scope, expires_at })
            }
            _ => Err(faults),
        }
    }

    fn expires_at(&self, now: Timestamp) -> Result<Option<Timestamp>, String> {
        let expected = || format!("expected 1d to {MAX_DAYS}d, a time in RFC 3339, or never; for example 90d");
        let in_days = |days: u16| now.checked_add(SignedDuration::from_hours(24 * i64::from(days)));
        let at = match self.expires {
            Some("never") => return Ok(None),
            None => in_days(DEFAULT_DAYS),
            Some(text) => match days(text) {
                Some(days) => in_days(days),
                None => text.parse(),
            },
        };
        let at = at.ok().filter(|at| *at > now).ok_or_else(expected)?;
        let latest = in_days(MAX_DAYS).map_err(|error| error.to_string())?;
        if at > latest { Err(expected()) } else { Ok(Some(at)) }
    }
}

fn days(text: &str) -> Option<u16> {
    let days = text.strip_suffix('d').filter(|days| days.bytes().all(|byte| byte.is_ascii_digit()))?;
    days.parse().ok()
}

impl TokenPlan {
    /// The token of this text, as it is kept.
    #[must_use]
    pub fn token(self, secret: &TokenSecret, owner: Login) -> NewToken {
        NewToken {
            hash: TokenHash::of(secret.reveal()),
            display: secret.display().to_owned(),
            name: self.name,
            owner,
            scope: self.scope,
            expires_at: self.expires_at,
        }
    }
}

/// The text of a new token.
///
/// # Errors
/// When the system gives no random bytes.
pub fn random(kind: UserKind) -> Result<TokenSecret, getrandom::Error> {
    loop {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes)?;
        // Of 64 bytes about two are not usable, and 30 are needed: a second round is practically never run.
        if let Some(secret) = TokenSecret::from_random(kind, &bytes) {
            return Ok(secret);
        }
    }
}

fn patterns(field: &str, texts: &[String], faults: &mut Vec<Problem>) -> Vec<Pattern> {
    if texts.is_empty() || texts.len() > PATTERNS {
        faults.push(fault(field, format!("expected 1 to {PATTERNS} patterns; an empty list means nothing: say \"*\"")));
    }
    let parse = |text: &String| match Pattern::parse(text) {
        Ok(pattern) => Some(pattern),
        Err(rule) => {
            let shown: String = text.chars().take(80).collect();
            faults.push(fault(field, format!("{shown:?}: {rule}")));
            None
        }
    };
    texts.iter().filter_map(parse).collect()
}

fn fault(field: &str, detail: impl Into<String>) -> Problem {
    Problem::new(&codes::INVALID_FIELD, detail).field(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn check(actions: &[&str], repositories: &[&str], packages: Option<&[&str]>, expires: &str) -> Option<TokenPlan> {
        let (actions, repositories, packages) = (owned(actions), owned(repositories), packages.map(owned));
        let packages = packages.as_deref();
        let expires = Some(expires);
        let asked = TokenRequest { name: "ci", actions: &actions, repositories: &repositories, packages, expires };
        asked.check(Timestamp::UNIX_EPOCH).ok()
    }

    #[test]
    fn nothing_allowed_is_not_everything_allowed() {
        assert!(check(&["read"], &["go/*"], Some(&["corp/*"]), "90d").is_some());
        assert!(check(&[], &["go/*"], None, "90d").is_none());
        assert!(check(&[""], &["go/*"], None, "90d").is_none());
        assert!(check(&["read"], &[], None, "90d").is_none());
        assert!(check(&["read"], &["go/*"], Some(&[]), "90d").is_none());
        assert!(check(&["read", "everything"], &["go/*"], None, "90d").is_none());
        assert!(check(&["read"], &["go/**"], None, "90d").is_none());
    }

    #[test]
    fn a_token_ends_within_a_year_unless_it_never_does() {
        let rows = [
            ("1d", Some(Some(86_400))),
            ("366d", Some(Some(366 * 86_400))),
            ("1970-01-02T00:00:00Z", Some(Some(86_400))),
            ("never", Some(None)),
            ("0d", None),
            ("367d", None),
            ("90", None),
            ("-1d", None),
            ("+1d", None),
            ("", None),
            ("1969-12-31T00:00:00Z", None),
            ("1980-01-01T00:00:00Z", None),
        ];
        for (expires, ends) in rows {
            let plan = check(&["read"], &["*"], None, expires);
            assert_eq!(plan.map(|plan| plan.expires_at.map(|at| at.as_second())), ends, "{expires}");
        }
        let (actions, repositories) = (owned(&["read"]), owned(&["*"]));
        let asked =
            TokenRequest { name: "ci", actions: &actions, repositories: &repositories, packages: None, expires: None };
        let plan = asked.check(Timestamp::UNIX_EPOCH).expect("good");
        assert_eq!(plan.expires_at.map(|at| at.as_second()), Some(90 * 86_400));
    }
}
