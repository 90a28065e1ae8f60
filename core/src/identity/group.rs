//! Groups of users, so that a grant can be given to many at once. Groups hold users, never groups.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Edited, Login, UserRecord, Window, check_name, ids};
use crate::artifact::{Page, StoreError};
use crate::repository::{Actor, InvalidName, text_newtype};

ids! {
    /// The id of a group.
    GroupId;
}

/// The name of a group: `[a-z0-9][a-z0-9._-]{0,63}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupName(String);
text_newtype!(GroupName);

impl TryFrom<&str> for GroupName {
    type Error = InvalidName;

    fn try_from(text: &str) -> Result<Self, InvalidName> {
        check_name(text).map_err(|rule| InvalidName::new(text, "name of a group", rule))?;
        Ok(Self(text.to_owned()))
    }
}

/// A group as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRecord {
    /// The id.
    pub id: GroupId,
    /// The name.
    pub name: GroupName,
    /// For people.
    pub description: String,
    /// How many users are in it.
    pub members: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Changes with every change of this record; members are not part of it.
    pub revision: i64,
}

/// Keeps groups. Every change writes its audit row in the same transaction.
#[async_trait]
pub trait GroupStore: Send + Sync {
    /// A new group; `AlreadyExists` when the name is taken.
    async fn create_group(&self, name: &GroupName, description: &str, by: &Actor) -> Result<GroupRecord, StoreError>;

    /// The group of a name.
    async fn group(&self, name: &GroupName) -> Result<Option<GroupRecord>, StoreError>;

    /// Groups.
    async fn groups(&self, window: Window) -> Result<Page<GroupRecord>, StoreError>;

    /// Changes the description, if the record still has `revision`.
    async fn change_group(
        &self,
        name: &GroupName,
        revision: Option<i64>,
        description: &str,
        by: &Actor,
    ) -> Result<Edited<GroupRecord>, StoreError>;

    /// Deletes a group, with its grants.
    async fn delete_group(&self, name: &GroupName, revision: Option<i64>, by: &Actor)
    -> Result<Edited<()>, StoreError>;

    /// The users in a group.
    async fn members(&self, name: &GroupName, window: Window) -> Result<Page<UserRecord>, StoreError>;

    /// Adds a user; a repeat changes nothing. `false` when the group or the user is not there.
    async fn add_member(&self, name: &GroupName, login: &Login, by: &Actor) -> Result<bool, StoreError>;

    /// Takes a user out. `false` when he was not in it.
    async fn remove_member(&self, name: &GroupName, login: &Login, by: &Actor) -> Result<bool, StoreError>;
}
