//! The ports of identities: what a presented credential stands for; users, groups, grants, tokens and sessions in
//! one file each.
//!
//! A credential is found by the hash of its text, through a unique index, together with its user; what the user
//! was given is a second question. What a token allows is parsed when it is read; a scope that does not parse
//! allows *nothing*, and a grant that does not parse gives nothing, so that no damage and no later spelling can
//! ever widen them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use keeper_core::access::{Grant, Means, Pattern, Role, Scope, User};
use keeper_core::artifact::{Page, StoreError};
use keeper_core::identity::{
    Credential, Identity, IdentityStore, SESSION_IDLE, SessionId, TokenHash, TokenId, UserKind, Window,
};
use keeper_core::limits::PAGE_LIMIT_MAX;
use sea_orm::{ConnectionTrait, DatabaseTransaction, FromQueryResult, Value};
use uuid::Uuid;

use super::Store;
use super::sql::{all, corrupt, execute, micros, one, timestamp};

mod grants;
mod groups;
mod sessions;
mod tokens;
mod users;

/// Counts the changes of identities since the start.
#[derive(Debug, Default)]
pub(super) struct Generation(AtomicU64);

const COUNT_CHANGE: &str = "UPDATE instance SET identity_generation = identity_generation + 1";

impl Store {
    /// Runs a change of identities; the generation is raised after the COMMIT and before the answer.
    async fn change_identities<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: for<'t> FnOnce(&'t DatabaseTransaction) -> BoxFuture<'t, Result<T, StoreError>> + Send + 'static,
    {
        let generation: Arc<Generation> = self.identities.clone();
        let shared = self.shared.is_some();
        let then = move |_: &T| generation.raise();
        let result = self.writer.submit(move |on| Box::pin(count(on, shared, work)), then).await;
        if result.is_err() {
            // A group that was lost may have been kept all the same.
            self.identities.raise();
        }
        result
    }
}

/// Does the work; where others share the database, tells them by a number.
async fn count<T, W>(on: &DatabaseTransaction, shared: bool, work: W) -> Result<T, StoreError>
where
    W: for<'t> FnOnce(&'t DatabaseTransaction) -> BoxFuture<'t, Result<T, StoreError>>,
{
    let done = work(on).await?;
    if shared {
        execute(on, COUNT_CHANGE, []).await?;
    }
    Ok(done)
}

impl Generation {
    /// From now on, what was remembered before counts no more.
    pub(super) fn raise(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl IdentityStore for Store {
    async fn credential(&self, hash: &TokenHash, now: Timestamp) -> Result<Credential, StoreError> {
        let row: Option<tokens::Presented> = one(&self.readers, tokens::PRESENTED, [hash.0.to_hex().into()]).await?;
        let Some(row) = row else { return Ok(Credential::Unknown) };
        let expires_at = row.expires_at.map(timestamp).transpose()?;
        if let Some(at) = expires_at.filter(|at| *at <= now) {
            return Ok(Credential::Expired { display: row.display, at });
        }
        let means = Means::Token(TokenId(id("a token", row.uid.as_deref())?));
        let (owner, scope) = (row.user_id, row.scope.parse(&row.display));
        let user = principal(&self.readers, owner, means, row.display, scope).await?;
        Ok(user.map_or(Credential::Disabled, |user| Credential::Valid(Box::new(User { expires_at, ..user }))))
    }

    async fn session(&self, hash: &TokenHash, now: Timestamp) -> Result<Credential, StoreError> {
        let values = [hash.0.to_hex().into(), micros(now).into(), micros(now - SESSION_IDLE).into()];
        let row: Option<sessions::Presented> = one(&self.readers, sessions::PRESENTED, values).await?;
        let Some(row) = row else { return Ok(Credential::Unknown) };
        let id = SessionId(id("a session", Some(&row.uid))?);
        let expires_at = Some(timestamp(row.expires_at)?);
        let (means, scope) = (Means::Session(id), Scope::unlimited());
        let user = principal(&self.readers, row.user_id, means, sessions::display(id), scope).await?;
        Ok(user.map_or(Credential::Unknown, |user| Credential::Valid(Box::new(User { expires_at, ..user }))))
    }

    fn identity_generation(&self) -> u64 {
        if self.is_behind() {
            self.identities.raise();
        }
        self.identities.0.load(Ordering::SeqCst)
    }
}

impl Store {
    /// Live tokens that end between two moments.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn tokens_ending(&self, from: Timestamp, to: Timestamp) -> Result<u64, StoreError> {
        let row: Option<CountRow> = one(&self.readers, ENDING, [micros(from).into(), micros(to).into()]).await?;
        Ok(row.map_or(0, |row| row.count.unsigned_abs()))
    }
}

const ENDING: &str =
    "SELECT COUNT(*) AS count FROM tokens WHERE revoked_at IS NULL AND expires_at >= $1 AND expires_at < $2";

/// A number of rows.
#[derive(FromQueryResult)]
struct CountRow {
    count: i64,
}

#[derive(FromQueryResult)]
struct OwnerRow {
    login: String,
    kind: String,
    issuer: Option<String>,
    subject: Option<String>,
    admin: bool,
    disabled: bool,
}

#[derive(FromQueryResult)]
struct GrantedRow {
    repositories: String,
    role: String,
}

const OWNER: &str = "SELECT login, kind, issuer, subject, admin, disabled FROM users WHERE id = $1";

const GRANTED: &str = "SELECT repositories, role FROM grants WHERE user_id = $1 \
    OR group_uid IN (SELECT group_uid FROM group_members WHERE user_id = $1) ORDER BY uid";

/// The user as a principal; `None` when disabled.
async fn principal(
    on: &impl ConnectionTrait,
    user_id: i64,
    means: Means,
    credential: String,
    scope: Scope,
) -> Result<Option<User>, StoreError> {
    let owner: Option<OwnerRow> = one(on, OWNER, [user_id.into()]).await?;
    let owner = owner.ok_or_else(|| corrupt("a credential", "its user is gone"))?;
    if owner.disabled {
        return Ok(None);
    }
    let grants = granted(on, user_id, &owner.login).await?;
    let kind = UserKind::parse(&owner.kind).ok_or_else(|| corrupt("a user", "unknown kind"))?;
    let identity = identity(owner.issuer, owner.subject)?;
    let (login, admin) = (owner.login, owner.admin);
    Ok(Some(User { identity, login, kind, admin, grants, means, credential, scope, expires_at: None }))
}

/// What a user was given, directly and by groups.
async fn granted(on: &impl ConnectionTrait, user_id: i64, login: &str) -> Result<Vec<Grant>, StoreError> {
    let rows: Vec<GrantedRow> = all(on, GRANTED, [user_id.into()]).await?;
    Ok(rows.into_iter().filter_map(|row| row.parse(login)).collect())
}

impl GrantedRow {
    fn parse(self, login: &str) -> Option<Grant> {
        let grant = grant(&self.repositories, &self.role);
        if grant.is_none() {
            tracing::error!(login, "a stored grant does not parse: it gives nothing");
        }
        grant
    }
}

fn grant(repositories: &str, role: &str) -> Option<Grant> {
    Some(Grant { repositories: Pattern::parse(repositories).ok()?, role: Role::parse(role)? })
}

fn identity(issuer: Option<String>, subject: Option<String>) -> Result<Identity, StoreError> {
    match (issuer, subject) {
        (Some(issuer), Some(subject)) => Ok(Identity { issuer, subject }),
        _ => Err(corrupt("a user", "nobody vouches for it")),
    }
}

fn id(what: &str, text: Option<&str>) -> Result<Uuid, StoreError> {
    Uuid::parse_str(text.unwrap_or_default()).map_err(|error| corrupt(what, error))
}

/// A part of a list: the rows of `select` (which ends in a condition) behind the window's key, in its order.
async fn window<R: FromQueryResult, T>(
    on: &impl ConnectionTrait,
    select: &str,
    key: &str,
    condition: Option<Value>,
    window: Window,
    parse: impl Fn(R) -> Result<T, StoreError>,
) -> Result<Page<T>, StoreError> {
    let limit = window.limit.min(PAGE_LIMIT_MAX) as usize;
    let mut values: Vec<Value> = condition.into_iter().collect();
    values.push(window.after.map(|after| after.to_string()).unwrap_or_default().into());
    let mut rows: Vec<R> = all(on, &behind(select, key, values.len(), limit + 1), values).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    Ok(Page { items: rows.into_iter().map(parse).collect::<Result<_, _>>()?, more })
}

/// The statement of a window whose key is behind the value at this place.
fn behind(select: &str, key: &str, place: usize, rows: usize) -> String {
    format!("{select} AND {key} > ${place} ORDER BY {key} LIMIT {rows}")
}

#[cfg(test)]
mod tests;
