//! Grants as they are kept: who has which role on which repositories.
//!
//! One grantee has one role on one pattern; another role on the same pattern is a change, made by deleting the
//! grant and creating another.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{GroupName, Login, Window, ids};
use crate::access::Grant;
use crate::artifact::{Page, StoreError};
use crate::repository::Actor;

ids! {
    /// The id of a grant.
    GrantId;
}

/// To whom something is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grantee {
    /// A person or a robot.
    User(Login),
    /// All users of a group.
    Group(GroupName),
}

/// A grant about to be kept.
#[derive(Debug, Clone)]
pub struct NewGrant {
    /// To whom.
    pub grantee: Grantee,
    /// What.
    pub grant: Grant,
}

/// A grant as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRecord {
    /// The id.
    pub id: GrantId,
    /// To whom.
    pub grantee: Grantee,
    /// What.
    pub grant: Grant,
    /// When it was made.
    pub created_at: Timestamp,
    /// The login of whoever made it.
    pub created_by: String,
}

/// Keeps grants. Every change writes its audit row in the same transaction.
#[async_trait]
pub trait GrantStore: Send + Sync {
    /// A new grant; `AlreadyExists` when the grantee has a role on the very pattern, `None` when the grantee is
    /// not there.
    async fn create_grant(&self, grant: NewGrant, by: &Actor) -> Result<Option<GrantRecord>, StoreError>;

    /// The grant of an id.
    async fn grant(&self, id: GrantId) -> Result<Option<GrantRecord>, StoreError>;

    /// Grants: all, or those that name this grantee.
    async fn grants(&self, to: Option<&Grantee>, window: Window) -> Result<Page<GrantRecord>, StoreError>;

    /// Grants that count for a user: those that name him, and those that name a group of his.
    async fn grants_counting_for(&self, login: &Login, window: Window) -> Result<Page<GrantRecord>, StoreError>;

    /// What a user was given, directly and by groups; nothing for one who is not there.
    async fn grants_of(&self, login: &Login) -> Result<Vec<Grant>, StoreError>;

    /// Takes a grant away. `false` when it is not there.
    async fn delete_grant(&self, id: GrantId, by: &Actor) -> Result<bool, StoreError>;
}
