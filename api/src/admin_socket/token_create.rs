//! The verb `token_create`: a new token of a user, made by whoever owns the data folder.
//!
//! Shape: [`NewTokenRequest`] is what is asked, as texts; [`NewTokenRequest::check`] makes a [`TokenPlan`] of it,
//! [`issue`] a token. Unknown fields are refused: a mistyped restriction must not make an unrestricted token.
//!
//! The rules of a token are those of [`token_request`]. `never` is allowed here, with a
//! warning, and the scope is not compared with what the user may: this is the door of the machine's owner, and
//! rights are decided when the token is used.

use std::fmt;

use jiff::Timestamp;
use keeper_core::access::Pattern;
use keeper_core::artifact::StoreError;
use keeper_core::error::Problem;
use keeper_core::identity::{Directory, Login};
use keeper_core::repository::Actor;
use serde::{Deserialize, Serialize};

use crate::token_request::{self, TokenPlan, TokenRequest};

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
    /// All rules that are broken, each beginning with its flag.
    pub fn check(&self, now: Timestamp) -> Result<(Login, TokenPlan), Vec<String>> {
        let asked = TokenRequest {
            name: &self.name,
            actions: &self.actions,
            repositories: &self.repositories,
            packages: self.packages.as_deref(),
            expires: Some(&self.expires),
        };
        let flag =
            |problem: &Problem| format!("--{}: {}", problem.field.as_deref().unwrap_or_default(), problem.detail);
        let plan = asked.check(now).map_err(|problems| problems.iter().map(flag).collect::<Vec<_>>());
        let owner = Login::try_from(self.user.as_str()).map_err(|error| format!("--user: {error}"));
        match (owner, plan) {
            (Ok(owner), Ok(plan)) => Ok((owner, plan)),
            (owner, plan) => Err(plan.err().into_iter().flatten().chain(owner.err()).collect()),
        }
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

/// Makes the token and keeps it.
///
/// # Errors
/// [`IssueError`].
pub async fn issue(
    directory: &dyn Directory,
    request: &NewTokenRequest,
    now: Timestamp,
) -> Result<TokenCreated, IssueError> {
    let (owner, plan) = request.check(now).map_err(IssueError::Refused)?;
    let user = directory.user(&owner).await?.filter(|user| !user.disabled);
    let Some(user) = user else { return Err(IssueError::NoUser(owner.to_string())) };
    let secret = token_request::random(user.kind).map_err(IssueError::Random)?;
    let endless = plan.expires_at.is_none();
    let created = TokenCreated {
        token: secret.reveal().to_owned(),
        name: plan.name.clone(),
        user: owner.to_string(),
        actions: plan.scope.actions.to_words(),
        repositories: texts(&plan.scope.repositories),
        packages: plan.scope.packages.as_deref().map(texts),
        expires_at: plan.expires_at,
        warnings: endless.then(|| token_request::ENDLESS_WARNING.to_owned()).into_iter().collect(),
    };
    directory.create_token(plan.token(&secret, owner), &Actor::system()).await?;
    Ok(created)
}

fn texts(patterns: &[Pattern]) -> Vec<String> {
    patterns.iter().map(|pattern| pattern.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_names_its_flag() {
        let (_, plan) = NewTokenRequest::sample().check(Timestamp::UNIX_EPOCH).expect("good");
        assert_eq!(plan.expires_at.expect("it ends").as_second(), 90 * 24 * 3600);
        let bad = NewTokenRequest {
            name: " ".to_owned(),
            actions: vec!["read".to_owned(), "write".to_owned()],
            repositories: vec!["go/**".to_owned()],
            packages: Some(vec![]),
            expires: "5w".to_owned(),
            user: "A".to_owned(),
        };
        let faults = bad.check(Timestamp::UNIX_EPOCH).expect_err("bad");
        let flags: Vec<_> = faults.iter().filter_map(|fault| fault.split(':').next()).collect();
        assert_eq!(flags, ["--name", "--actions", "--repositories", "--packages", "--expires", "--user"]);
    }
}
