//! The port of sessions. One that ended is no row any more; those that ran out are removed when another begins.

use async_trait::async_trait;
use jiff::Timestamp;
use keeper_core::artifact::StoreError;
use keeper_core::identity::{
    Login, NewSession, SESSION_IDLE, SESSION_LIFE, SESSIONS_PER_USER, SessionId, SessionRecord, SessionStore,
};
use keeper_core::repository::Actor;
use sea_orm::{ConnectionTrait, DatabaseTransaction, FromQueryResult};
use serde_json::json;

use super::super::Store;
use super::super::audit;
use super::super::sql::{all, execute, micros, timestamp};
use super::{id, users};

#[async_trait]
impl SessionStore for Store {
    async fn create_session(&self, session: NewSession, by: &Actor) -> Result<bool, StoreError> {
        let by = by.clone();
        self.change_identities(move |on| Box::pin(create(on, session, by))).await
    }

    async fn sessions(&self, login: &Login, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        let question = "SELECT uid, created_at, used_at, expires_at, address, agent FROM sessions \
                        WHERE user_id = (SELECT id FROM users WHERE login = $1) AND expires_at > $2 AND used_at > $3 \
                        ORDER BY uid LIMIT $4";
        let values = [
            login.as_str().into(),
            micros(now).into(),
            micros(now - SESSION_IDLE).into(),
            i64::from(SESSIONS_PER_USER).into(),
        ];
        let rows: Vec<Row> = all(&self.readers, question, values).await?;
        rows.into_iter().map(Row::parse).collect()
    }

    async fn end_session(&self, login: &Login, id: SessionId, by: &Actor) -> Result<bool, StoreError> {
        let (login, by) = (login.clone(), by.clone());
        self.change_identities(move |on| Box::pin(end(on, login, id, by))).await
    }

    async fn end_sessions(&self, login: &Login, by: &Actor) -> Result<bool, StoreError> {
        let (login, by) = (login.clone(), by.clone());
        self.change_identities(move |on| Box::pin(end_those_of(on, login, by))).await
    }

    async fn session_used(&self, id: SessionId, at: Timestamp) -> Result<(), StoreError> {
        let statement = "UPDATE sessions SET used_at = $2 WHERE uid = $1";
        let work = async move |on: &DatabaseTransaction| {
            execute(on, statement, [id.to_string().into(), micros(at).into()]).await.map(drop)
        };
        self.writer.submit(move |on| Box::pin(async move { work(on).await }), |()| ()).await
    }
}

/// What is asked of a presented cookie.
pub(super) const PRESENTED: &str = "SELECT uid, user_id, expires_at FROM sessions \
    WHERE hash = $1 AND expires_at > $2 AND used_at > $3";

#[derive(FromQueryResult)]
pub(super) struct Presented {
    pub(super) uid: String,
    pub(super) user_id: i64,
    pub(super) expires_at: i64,
}

/// What of a session is shown in records: the end of its id, for the beginning is a time.
pub(super) fn display(id: SessionId) -> String {
    let id = id.to_string();
    format!("session {}", &id[id.len() - 8..])
}

#[derive(FromQueryResult)]
struct Row {
    uid: String,
    created_at: i64,
    used_at: i64,
    expires_at: i64,
    address: Option<String>,
    agent: Option<String>,
}

impl Row {
    fn parse(self) -> Result<SessionRecord, StoreError> {
        Ok(SessionRecord {
            id: SessionId(id("a session", Some(&self.uid))?),
            created_at: timestamp(self.created_at)?,
            used_at: timestamp(self.used_at)?,
            expires_at: timestamp(self.expires_at)?,
            address: self.address,
            agent: self.agent,
        })
    }
}

const INSERT: &str = "INSERT INTO sessions (uid, hash, user_id, created_at, used_at, expires_at, address, agent) \
    VALUES ($1, $2, $3, $4, $4, $5, $6, $7)";

/// Leaves so many that one more is the most a user may have.
const MAKE_ROOM: &str = "DELETE FROM sessions WHERE user_id = $1 AND uid NOT IN \
    (SELECT uid FROM sessions WHERE user_id = $1 ORDER BY uid DESC LIMIT $2)";

async fn create(on: &impl ConnectionTrait, session: NewSession, by: Actor) -> Result<bool, StoreError> {
    let Some(user) = users::find(on, &session.login).await?.filter(|user| !user.record.disabled) else {
        return Ok(false);
    };
    let now = session.created_at;
    let ended = "DELETE FROM sessions WHERE expires_at <= $1 OR used_at <= $2";
    execute(on, ended, [micros(now).into(), micros(now - SESSION_IDLE).into()]).await?;
    execute(on, MAKE_ROOM, [user.key.into(), i64::from(SESSIONS_PER_USER - 1).into()]).await?;
    let values = [
        session.id.to_string().into(),
        session.hash.0.to_hex().into(),
        user.key.into(),
        micros(now).into(),
        micros(now + SESSION_LIFE).into(),
        session.address.into(),
        session.agent.into(),
    ];
    execute(on, INSERT, values).await?;
    audit::record(on, &by, "session.create", format!("user {}", session.login), told(session.id)).await?;
    Ok(true)
}

async fn end(on: &impl ConnectionTrait, login: Login, id: SessionId, by: Actor) -> Result<bool, StoreError> {
    let statement = "DELETE FROM sessions WHERE uid = $1 AND user_id = (SELECT id FROM users WHERE login = $2)";
    if execute(on, statement, [id.to_string().into(), login.as_str().into()]).await? == 0 {
        return Ok(false);
    }
    audit::record(on, &by, "session.delete", format!("user {login}"), told(id)).await?;
    Ok(true)
}

async fn end_those_of(on: &impl ConnectionTrait, login: Login, by: Actor) -> Result<bool, StoreError> {
    let Some(user) = users::find(on, &login).await? else { return Ok(false) };
    let ended = execute(on, "DELETE FROM sessions WHERE user_id = $1", [user.key.into()]).await?;
    if ended > 0 {
        audit::record(on, &by, "session.delete", format!("user {login}"), json!({ "sessions": ended })).await?;
    }
    Ok(true)
}

fn told(id: SessionId) -> serde_json::Value {
    json!({ "session": display(id) })
}

/// Ends all sessions of a user but one; part of a change that says so in the audit.
pub(super) async fn end_all(
    on: &impl ConnectionTrait,
    user_key: i64,
    keep: Option<SessionId>,
) -> Result<(), StoreError> {
    let keep = keep.map(|id| id.to_string()).unwrap_or_default();
    execute(on, "DELETE FROM sessions WHERE user_id = $1 AND uid <> $2", [user_key.into(), keep.into()]).await.map(drop)
}
