//! The verb `token_create`: a new token of a user, made by whoever owns the data folder.
//!
//! Shape: [`NewTokenRequest`] is what is asked, as texts; [`NewTokenRequest::check`] makes a [`TokenPlan`] of it,
//! [`issue`] a token. Unknown fields are refused: a mistyped restriction must not make an unrestricted token.
//!
//! Units and bounds: a token lives [`DEFAULT_DAYS`] unless told otherwise, [`MAX_DAYS`] at most. `never` is
//! allowed here, with a warning: this is the door of the machine's owner.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use keeper_core::access::{Actions, Pattern, Scope};
use keeper_core::artifact::StoreError;
use keeper_core::identity::{IdentityStore, NewToken, TokenHash, TokenSecret};
use keeper_core::repository::Actor;
use serde::{Deserialize, Serialize};

/// Days a token lives when nobody says otherwise.
pub const DEFAULT_DAYS: u16 = 90;

/// Days a token lives at most.
pub const MAX_DAYS: u16 = 366;

/// Characters of a token's name.
pub const NAME_CHARACTERS: usize = 100;

/// Patterns of one kind in a token.
pub const PATTERNS: usize = 100;

/// Characters of a token that are shown in lists.
const DISPLAY_CHARACTERS: usize = 8;

/// What is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTokenRequest {
    /// What it is for.
    pub name: String,
    /// `read`, `publish`, `delete`, `manage`, `admin`.
    pub actions: Vec<String>,
    /// `go/local`, `go/*`, `*`.
    pub repositories: Vec<String>,
    /// Packages that may be published or deleted; absent is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<Vec<String>>,
    /// `90d` or `never`.
    pub expires: String,
    /// The login of its owner.
    pub user: String,
}

/// A request that follows the rules.
#[derive(Debug, Clone)]
pub struct TokenPlan {
    /// What it is for.
    pub name: String,
    /// The login of its owner.
    pub owner: String,
    /// What it allows.
    pub scope: Scope,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// What the asker should know.
    pub warnings: Vec<String>,
}

/// The new token. `Debug` hides its text.
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenCreated {
    /// The text, shown this once.
    pub token: String,
    /// What it is for.
    pub name: String,
    /// The login of its owner.
    pub user: String,
    /// The actions, joined by commas.
    pub actions: String,
    /// The repository patterns.
    pub repositories: Vec<String>,
    /// The package patterns, if there is a limit.
    pub packages: Option<Vec<String>>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// What the asker should know.
    pub warnings: Vec<String>,
}

impl fmt::Debug for TokenCreated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCreated").field("name", &self.name).field("user", &self.user).finish_non_exhaustive()
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The request breaks these rules.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// The user does not exist.
    #[error("there is no user {0:?}")]
    NoUser(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no random bytes.
    #[error("the system's random generator failed: {0}")]
    Random(getrandom::Error),
}

impl NewTokenRequest {
    /// Checks every part.
    ///
    /// # Errors
    /// All rules that are broken.
    pub fn check(&self, now: Timestamp) -> Result<TokenPlan, Vec<String>> {
        let mut faults = Vec::new();
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > NAME_CHARACTERS || name.chars().any(char::is_control) {
            faults.push(format!("--name: a token's name has 1 to {NAME_CHARACTERS} characters"));
        }
        let actions = Actions::parse_words(&self.actions.join(","));
        let actions = actions.filter(|actions| *actions != Actions::default());
        if actions.is_none() {
            faults.push("--actions: expected some of read, publish, delete, manage, admin".to_owned());
        }
        let repositories = patterns("--repositories", &self.repositories, &mut faults);
        let packages = self.packages.as_ref().map(|texts| patterns("--packages", texts, &mut faults));
        let (expires_at, warnings) = match expiry(&self.expires, now) {
            Ok(Some(at)) => (Some(at), Vec::new()),
            Ok(None) => (None, vec!["this token never expires; revoke it when it is no longer needed".to_owned()]),
            Err(fault) => {
                faults.push(fault);
                (None, Vec::new())
            }
        };
        if !faults.is_empty() {
            return Err(faults);
        }
        let scope = Scope { actions: actions.unwrap_or_default(), repositories, packages };
        Ok(TokenPlan { name: name.to_owned(), owner: self.user.clone(), scope, expires_at, warnings })
    }

    #[cfg(test)]
    pub(crate) fn sample() -> Self {
        Self {
            name: "ci".to_owned(),
            actions: vec!["read".to_owned(), "publish".to_owned()],
            repositories: vec!["go/*".to_owned()],
            packages: None,
            expires: "90d".to_owned(),
            user: "admin".to_owned(),
        }
    }
}

fn patterns(flag: &str, texts: &[String], faults: &mut Vec<String>) -> Vec<Pattern> {
    if texts.is_empty() || texts.len() > PATTERNS {
        faults.push(format!("{flag}: expected 1 to {PATTERNS} patterns; for example {flag} 'go/*'"));
    }
    let parse = |text: &String| match Pattern::parse(text) {
        Ok(pattern) => Some(pattern),
        Err(rule) => {
            faults.push(format!("{flag} {text:?}: {rule}"));
            None
        }
    };
    texts.iter().filter_map(parse).collect()
}

fn expiry(text: &str, now: Timestamp) -> Result<Option<Timestamp>, String> {
    if text == "never" {
        return Ok(None);
    }
    let days = text.strip_suffix('d').filter(|days| days.bytes().all(|byte| byte.is_ascii_digit()));
    let days = days.and_then(|days| days.parse::<u16>().ok()).filter(|days| (1..=MAX_DAYS).contains(days));
    let days =
        days.ok_or_else(|| format!("--expires {text}: expected 1d to {MAX_DAYS}d, or never; for example 90d"))?;
    let at = now.checked_add(SignedDuration::from_hours(24 * i64::from(days)));
    at.map(Some).map_err(|error| format!("--expires {text}: {error}"))
}

/// Makes the token and keeps it.
///
/// # Errors
/// [`IssueError`].
pub async fn issue(
    identity: &dyn IdentityStore,
    request: &NewTokenRequest,
    now: Timestamp,
) -> Result<TokenCreated, IssueError> {
    let plan = request.check(now).map_err(IssueError::Refused)?;
    if identity.password(&plan.owner).await?.is_none() {
        return Err(IssueError::NoUser(plan.owner));
    }
    let secret = random_token()?;
    let created = TokenCreated {
        token: secret.reveal().to_owned(),
        name: plan.name.clone(),
        user: plan.owner.clone(),
        actions: plan.scope.actions.to_words(),
        repositories: texts(&plan.scope.repositories),
        packages: plan.scope.packages.as_deref().map(texts),
        expires_at: plan.expires_at,
        warnings: plan.warnings,
    };
    let new = NewToken {
        hash: TokenHash::of(secret.reveal()),
        display: secret.reveal().chars().take(DISPLAY_CHARACTERS).collect(),
        name: plan.name,
        owner: plan.owner,
        scope: plan.scope,
        expires_at: plan.expires_at,
    };
    identity.create_token(new, &Actor::system()).await?;
    Ok(created)
}

fn texts(patterns: &[Pattern]) -> Vec<String> {
    patterns.iter().map(|pattern| pattern.as_str().to_owned()).collect()
}

fn random_token() -> Result<TokenSecret, IssueError> {
    loop {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes).map_err(IssueError::Random)?;
        // Of 64 bytes about two are not usable, and 30 are needed: a second round is practically never run.
        if let Some(secret) = TokenSecret::from_random(&bytes) {
            return Ok(secret);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_checked_whole() {
        let now = Timestamp::UNIX_EPOCH;
        let plan = NewTokenRequest::sample().check(now).expect("good");
        assert_eq!(plan.expires_at.expect("it ends").as_second(), 90 * 24 * 3600);
        let bad = NewTokenRequest {
            name: " ".to_owned(),
            actions: vec!["read".to_owned(), "write".to_owned()],
            repositories: vec!["go/**".to_owned()],
            packages: Some(vec![]),
            expires: "5w".to_owned(),
            user: "admin".to_owned(),
        };
        assert_eq!(bad.check(now).expect_err("bad").len(), 5);
    }

    #[test]
    fn nothing_allowed_is_not_everything_allowed() {
        let rows: [fn(&mut NewTokenRequest); 4] = [
            |request| request.actions.clear(),
            |request| request.actions = vec![String::new()],
            |request| request.repositories.clear(),
            |request| request.packages = Some(vec![]),
        ];
        for spoil in rows {
            let mut request = NewTokenRequest::sample();
            spoil(&mut request);
            assert_eq!(request.check(Timestamp::UNIX_EPOCH).expect_err("refused").len(), 1, "{request:?}");
        }
    }

    #[test]
    fn a_token_ends_within_a_year_unless_it_never_does() {
        let rows = [
            ("1d", true),
            ("366d", true),
            ("never", true),
            ("0d", false),
            ("367d", false),
            ("90", false),
            ("-1d", false),
            ("+1d", false),
            ("", false),
        ];
        for (expires, good) in rows {
            let request = NewTokenRequest { expires: expires.to_owned(), ..NewTokenRequest::sample() };
            let plan = request.check(Timestamp::UNIX_EPOCH);
            assert_eq!(plan.is_ok(), good, "{expires}");
            assert_eq!(plan.is_ok_and(|plan| !plan.warnings.is_empty()), expires == "never", "{expires}");
        }
    }
}
