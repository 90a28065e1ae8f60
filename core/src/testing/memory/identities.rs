//! The port of users and tokens.

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::{MemoryStore, UserRow};
use crate::access::User;
use crate::artifact::StoreError;
use crate::identity::{Credential, IdentityStore, NewToken, TokenHash};
use crate::repository::Actor;

#[async_trait]
impl IdentityStore for MemoryStore {
    async fn credential(&self, hash: &TokenHash, now: Timestamp) -> Result<Credential, StoreError> {
        let rows = self.call()?;
        let Some(token) = rows.tokens.get(hash) else {
            return Ok(Credential::Unknown);
        };
        if let Some(at) = token.expires_at.filter(|at| *at <= now) {
            return Ok(Credential::Expired { display: token.display.clone(), at });
        }
        let owner = rows.users.get(&token.owner);
        let owner = owner.ok_or_else(|| StoreError::Corrupt("a token without an owner".to_owned()))?;
        if owner.disabled {
            return Ok(Credential::Disabled);
        }
        Ok(Credential::Valid(Box::new(User {
            login: token.owner.clone(),
            admin: owner.admin,
            credential: token.display.clone(),
            scope: token.scope.clone(),
            expires_at: token.expires_at,
        })))
    }

    async fn password(&self, login: &str) -> Result<Option<String>, StoreError> {
        Ok(self.call()?.users.get(login).map(|user| user.password.clone()))
    }

    async fn has_administrator(&self) -> Result<bool, StoreError> {
        Ok(self.call()?.users.values().any(|user| user.admin))
    }

    async fn create_user(&self, login: &str, admin: bool, password: &str, _by: &Actor) -> Result<(), StoreError> {
        let mut rows = self.call()?;
        if rows.users.contains_key(login) {
            return Err(StoreError::AlreadyExists);
        }
        let user = UserRow { admin, password: password.to_owned(), disabled: false };
        rows.users.insert(login.to_owned(), user);
        Ok(())
    }

    async fn create_token(&self, token: NewToken, _by: &Actor) -> Result<(), StoreError> {
        let mut rows = self.call()?;
        if rows.tokens.contains_key(&token.hash) {
            return Err(StoreError::AlreadyExists);
        }
        if !rows.users.contains_key(&token.owner) {
            return Err(StoreError::Unavailable(format!("there is no user {:?}", token.owner).into()));
        }
        rows.tokens.insert(token.hash, token);
        Ok(())
    }
}
