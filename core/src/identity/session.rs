//! Sessions of browsers.
//!
//! Bounds: a session ends [`SESSION_IDLE`] after its last use and [`SESSION_LIFE`] after its beginning; a user has
//! [`SESSIONS_PER_USER`] at most, a further one ends the oldest. One that ended is no row any more.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::{Login, TokenHash, ids};
use crate::artifact::StoreError;
use crate::repository::Actor;

/// A session that was not used for so long ends.
pub const SESSION_IDLE: SignedDuration = SignedDuration::from_hours(12);
/// A session ends after so long, used or not.
pub const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Sessions of one user at most.
pub const SESSIONS_PER_USER: u32 = 50;

ids! {
    /// The id of a session; not its secret.
    SessionId;
}

/// A session about to be kept.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The id.
    pub id: SessionId,
    /// What is kept of its cookie.
    pub hash: TokenHash,
    /// Whose.
    pub login: Login,
    /// When it begins.
    pub created_at: Timestamp,
    /// From where.
    pub address: Option<String>,
    /// What the browser calls itself.
    pub agent: Option<String>,
}

/// A session as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// The id.
    pub id: SessionId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was used last, exact to some minutes.
    pub used_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// From where it began.
    pub address: Option<String>,
    /// What the browser calls itself.
    pub agent: Option<String>,
}

/// Keeps sessions. Every change writes its audit row in the same transaction.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// A new session. `false` when the user is not there or disabled.
    async fn create_session(&self, session: NewSession, by: &Actor) -> Result<bool, StoreError>;

    /// The sessions of a user that have not ended at this time, the oldest first.
    async fn sessions(&self, login: &Login, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError>;

    /// Ends a session of a user; from the answer on it is unknown. `false` when it is not there.
    async fn end_session(&self, login: &Login, id: SessionId, by: &Actor) -> Result<bool, StoreError>;

    /// Ends all sessions of a user. `false` when there is no such user.
    async fn end_sessions(&self, login: &Login, by: &Actor) -> Result<bool, StoreError>;

    /// Notes a use, which puts off the end. Not audited, and raises no generation.
    async fn session_used(&self, id: SessionId, at: Timestamp) -> Result<(), StoreError>;
}
