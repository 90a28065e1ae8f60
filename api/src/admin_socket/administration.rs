//! What the owner of the data folder asks for, done on a store: in the running server, which is asked through its
//! socket, or by the command line itself when no server holds the folder.
//!
//! Whoever gets here may do everything already, so nothing is compared with anybody's rights. The audit names the
//! program itself.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use keeper_core::access::Pattern;
use keeper_core::artifact::StoreError;
use keeper_core::identity::{Directory, Edited, Login, TokenId, TokenRecord, UserChange, UserKind, Window};
use keeper_core::limits::PAGE_LIMIT_MAX;
use keeper_core::repository::Actor;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::token_create::issue;
use super::{Reply, Request};
use crate::bootstrap::passwords::{self, Passwords};
use crate::clock::Clock;
use crate::sign_in::forget_first_password;

/// Answers requests with a store.
pub struct Administration {
    directory: Arc<dyn Directory>,
    clock: Arc<Clock>,
    passwords: Passwords,
    first_password: PathBuf,
}

/// A token in a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TokenLine {
    /// Its id.
    pub id: String,
    /// Its first characters.
    pub display: String,
    /// What it is for.
    pub name: String,
    /// The login of its owner.
    pub user: String,
    /// The actions, joined by commas.
    pub actions: String,
    /// The repository patterns, joined by commas.
    pub repositories: String,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was used last.
    pub used_at: Option<Timestamp>,
}

impl TokenLine {
    fn of(token: TokenRecord) -> Self {
        let repositories: Vec<_> = token.scope.repositories.iter().map(Pattern::as_str).collect();
        Self {
            id: token.id.to_string(),
            display: token.display,
            name: token.name,
            user: token.owner.to_string(),
            actions: token.scope.actions.to_words(),
            repositories: repositories.join(","),
            expires_at: token.expires_at,
            used_at: token.used_at,
        }
    }
}

impl Administration {
    /// On this store, by this clock; `first_password` is the file of the generated password.
    #[must_use]
    pub fn new(
        directory: Arc<dyn Directory>,
        clock: Arc<Clock>,
        passwords: Passwords,
        first_password: PathBuf,
    ) -> Self {
        Self { directory, clock, passwords, first_password }
    }

    async fn tokens(&self, user: Option<&str>) -> Result<Reply, StoreError> {
        let owner = match user.map(Login::try_from).transpose() {
            Ok(owner) => owner,
            Err(fault) => return Ok(Reply::refused(fault.to_string())),
        };
        let (mut tokens, mut window) = (Vec::new(), Window { after: None, limit: PAGE_LIMIT_MAX });
        loop {
            let page = self.directory.tokens(owner.as_ref(), window).await?;
            window.after = page.items.last().map(|token| token.id.0);
            tokens.extend(page.items.into_iter().map(TokenLine::of));
            if !page.more {
                return Ok(Reply::Tokens { tokens });
            }
        }
    }

    async fn revoke(&self, id: &str) -> Result<Reply, StoreError> {
        let absent = || Reply::refused(format!("there is no token {id:?}; 'token list' shows the ids"));
        let Ok(id) = Uuid::try_parse(id) else { return Ok(absent()) };
        let revoked = self.directory.revoke_token(TokenId(id), &Actor::system()).await?;
        Ok(if revoked { Reply::TokenRevoked } else { absent() })
    }

    /// A new password for a person, who is enabled with it: this is how somebody who is locked out comes back.
    async fn set_password(&self, user: &str) -> Result<Reply, StoreError> {
        let absent = || Reply::refused(format!("there is no person {user:?}"));
        let Ok(login) = Login::try_from(user) else { return Ok(absent()) };
        match self.directory.user(&login).await? {
            Some(record) if record.kind == UserKind::Person => {}
            _ => return Ok(absent()),
        }
        let made = async {
            let password = passwords::generate()?;
            Ok::<_, passwords::PasswordError>((self.passwords.hash(&password).await?, password))
        };
        let (hash, password) = match made.await {
            Ok(made) => made,
            Err(error) => return Ok(Reply::refused(error.to_string())),
        };
        let change = UserChange { password: Some(hash), disabled: Some(false), ..UserChange::default() };
        match self.directory.change_user(&login, None, change, &Actor::system()).await? {
            Edited::Done(_) => {
                forget_first_password(&self.first_password, &login);
                Ok(Reply::PasswordSet { password: password.reveal().to_owned() })
            }
            _ => Ok(absent()),
        }
    }

    /// Does what is asked, or refuses: what concerns users and tokens.
    pub async fn answer(&self, request: &Request) -> Reply {
        let done = match request {
            Request::TokenCreate(request) => {
                return match issue(self.directory.as_ref(), request, self.clock.now()).await {
                    Ok(created) => Reply::TokenCreated(created),
                    Err(error) => Reply::refused(error.to_string()),
                };
            }
            Request::TokenList { user } => self.tokens(user.as_deref()).await,
            Request::TokenRevoke { id } => self.revoke(id).await,
            Request::UserSetPassword { user } => self.set_password(user).await,
            Request::Gc { .. }
            | Request::Verify(_)
            | Request::Backup { .. }
            | Request::Journal { .. }
            | Request::Import(_) => {
                return Reply::refused("this concerns no user and no token");
            }
        };
        done.unwrap_or_else(|error| Reply::refused(error.to_string()))
    }
}
