//! The ports of credentials: what they stand for, tokens, sessions.

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::{MemoryStore, Rows, SessionRow, TokenRow};
use crate::access::{Means, Scope, User};
use crate::artifact::{Page, StoreError};
use crate::identity::{
    Credential, IdentityStore, Login, NewSession, NewToken, SESSION_IDLE, SESSION_LIFE, SESSIONS_PER_USER, SessionId,
    SessionRecord, SessionStore, TokenHash, TokenId, TokenRecord, TokenStore, Window,
};
use crate::repository::Actor;

#[async_trait]
impl IdentityStore for MemoryStore {
    async fn credential(&self, hash: &TokenHash, now: Timestamp) -> Result<Credential, StoreError> {
        let rows = self.call()?;
        let live = |row: &&TokenRow| row.hash == *hash && row.record.revoked_at.is_none();
        let Some(TokenRow { record, .. }) = rows.tokens.values().find(live) else {
            return Ok(Credential::Unknown);
        };
        if let Some(at) = record.expires_at.filter(|at| *at <= now) {
            return Ok(Credential::Expired { display: record.display.clone(), at });
        }
        let user = rows.principal(&record.owner, Means::Token(record.id), &record.display, record.scope.clone());
        Ok(match user? {
            Some(user) => Credential::Valid(Box::new(User { expires_at: record.expires_at, ..user })),
            None => Credential::Disabled,
        })
    }

    async fn session(&self, hash: &TokenHash, now: Timestamp) -> Result<Credential, StoreError> {
        let rows = self.call()?;
        let live = |row: &&SessionRow| row.hash == *hash && row.lives(now);
        let Some(row) = rows.sessions.values().find(live) else {
            return Ok(Credential::Unknown);
        };
        let user = rows.principal(&row.login, Means::Session(row.record.id), "session", Scope::unlimited())?;
        let expires_at = Some(row.record.expires_at);
        Ok(user.map_or(Credential::Unknown, |user| Credential::Valid(Box::new(User { expires_at, ..user }))))
    }

    fn identity_generation(&self) -> u64 {
        self.locked().identity_generation
    }
}

impl Rows {
    /// The user as a principal; `None` when disabled.
    fn principal(
        &self,
        login: &Login,
        means: Means,
        credential: &str,
        scope: Scope,
    ) -> Result<Option<User>, StoreError> {
        let row = self.users.get(login);
        let user = &row.ok_or_else(|| StoreError::Corrupt("a credential without a user".to_owned()))?.record;
        Ok((!user.disabled).then(|| User {
            identity: user.identity.clone(),
            login: user.login.to_string(),
            kind: user.kind,
            admin: user.admin,
            grants: self.grants_of(login),
            means,
            credential: credential.to_owned(),
            scope,
            expires_at: None,
        }))
    }
}

impl SessionRow {
    fn lives(&self, now: Timestamp) -> bool {
        now < self.record.expires_at && now < self.record.used_at + SESSION_IDLE
    }
}

#[async_trait]
impl TokenStore for MemoryStore {
    async fn create_token(&self, token: NewToken, by: &Actor) -> Result<TokenId, StoreError> {
        let mut rows = self.change()?;
        if rows.tokens.values().any(|row| row.hash == token.hash) {
            return Err(StoreError::AlreadyExists);
        }
        if !rows.users.contains_key(&token.owner) {
            return Err(StoreError::Unavailable(format!("there is no user {:?}", token.owner).into()));
        }
        let NewToken { hash, display, name, owner, scope, expires_at } = token;
        let (id, created_at, created_by) = (TokenId::new(), Timestamp::now(), by.login.clone());
        let (revoked_at, used_at, used_from) = (None, None, None);
        let record = TokenRecord {
            id,
            display,
            name,
            owner,
            scope,
            expires_at,
            created_at,
            created_by,
            revoked_at,
            used_at,
            used_from,
        };
        rows.tokens.insert(id, TokenRow { hash, record });
        Ok(id)
    }

    async fn token(&self, id: TokenId) -> Result<Option<TokenRecord>, StoreError> {
        Ok(self.call()?.tokens.get(&id).map(|row| row.record.clone()))
    }

    async fn tokens(&self, owner: Option<&Login>, window: Window) -> Result<Page<TokenRecord>, StoreError> {
        let rows = self.call()?;
        let records = rows.tokens.values().map(|row| &row.record);
        let wanted = records.filter(|one| one.revoked_at.is_none() && owner.is_none_or(|owner| one.owner == *owner));
        Ok(super::page(wanted.map(|one| (one.id.0, one.clone())), window))
    }

    async fn revoke_token(&self, id: TokenId, _by: &Actor) -> Result<bool, StoreError> {
        let mut rows = self.change()?;
        let live = rows.tokens.get_mut(&id).filter(|row| row.record.revoked_at.is_none());
        Ok(live.map(|row| row.record.revoked_at = Some(Timestamp::now())).is_some())
    }

    async fn token_used(&self, id: TokenId, at: Timestamp, from: Option<&str>) -> Result<(), StoreError> {
        if let Some(row) = self.call()?.tokens.get_mut(&id) {
            (row.record.used_at, row.record.used_from) = (Some(at), from.map(str::to_owned));
        }
        Ok(())
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn create_session(&self, session: NewSession, _by: &Actor) -> Result<bool, StoreError> {
        let mut rows = self.change()?;
        let NewSession { id, hash, login, created_at, address, agent } = session;
        if rows.users.get(&login).is_none_or(|row| row.record.disabled) {
            return Ok(false);
        }
        let own = rows.sessions.iter().filter(|(_, row)| row.login == login).map(|(id, _)| *id);
        let own: Vec<_> = own.collect();
        for oldest in own.iter().take((own.len() + 1).saturating_sub(SESSIONS_PER_USER as usize)) {
            rows.sessions.remove(oldest);
        }
        let (used_at, expires_at) = (created_at, created_at + SESSION_LIFE);
        let record = SessionRecord { id, created_at, used_at, expires_at, address, agent };
        rows.sessions.insert(id, SessionRow { hash, login, record });
        Ok(true)
    }

    async fn sessions(&self, login: &Login, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        let rows = self.call()?;
        let own = rows.sessions.values().filter(|row| row.login == *login && row.lives(now));
        Ok(own.map(|row| row.record.clone()).collect())
    }

    async fn end_session(&self, login: &Login, id: SessionId, _by: &Actor) -> Result<bool, StoreError> {
        let mut rows = self.change()?;
        let own = rows.sessions.get(&id).is_some_and(|row| row.login == *login);
        Ok(own && rows.sessions.remove(&id).is_some())
    }

    async fn end_sessions(&self, login: &Login, _by: &Actor) -> Result<bool, StoreError> {
        let mut rows = self.change()?;
        rows.end_sessions(login, None);
        Ok(rows.users.contains_key(login))
    }

    async fn session_used(&self, id: SessionId, at: Timestamp) -> Result<(), StoreError> {
        if let Some(row) = self.call()?.sessions.get_mut(&id) {
            row.record.used_at = at;
        }
        Ok(())
    }
}
