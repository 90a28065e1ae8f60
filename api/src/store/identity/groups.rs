//! The port of groups.

use async_trait::async_trait;
use jiff::Timestamp;
use keeper_core::artifact::{Page, StoreError};
use keeper_core::identity::{Edited, GroupId, GroupName, GroupRecord, GroupStore, Login, UserRecord, Window};
use keeper_core::repository::Actor;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;

use super::super::Store;
use super::super::audit;
use super::super::sql::{corrupt, execute, micros, one, timestamp};
use super::{id, users, window};

#[async_trait]
impl GroupStore for Store {
    async fn create_group(&self, name: &GroupName, description: &str, by: &Actor) -> Result<GroupRecord, StoreError> {
        let (name, description, by) = (name.clone(), description.to_owned(), by.clone());
        self.change_identities(move |on| Box::pin(create(on, name, description, by))).await
    }

    async fn group(&self, name: &GroupName) -> Result<Option<GroupRecord>, StoreError> {
        find(&self.readers, name).await
    }

    async fn groups(&self, of: Window) -> Result<Page<GroupRecord>, StoreError> {
        window(&self.readers, &format!("{SELECT} WHERE TRUE"), "uid", None, of, Row::parse).await
    }

    async fn change_group(
        &self,
        name: &GroupName,
        revision: Option<i64>,
        description: &str,
        by: &Actor,
    ) -> Result<Edited<GroupRecord>, StoreError> {
        let (name, description, by) = (name.clone(), description.to_owned(), by.clone());
        self.change_identities(move |on| Box::pin(change(on, name, revision, description, by))).await
    }

    async fn delete_group(
        &self,
        name: &GroupName,
        revision: Option<i64>,
        by: &Actor,
    ) -> Result<Edited<()>, StoreError> {
        let (name, by) = (name.clone(), by.clone());
        self.change_identities(move |on| Box::pin(delete(on, name, revision, by))).await
    }

    async fn members(&self, name: &GroupName, of: Window) -> Result<Page<UserRecord>, StoreError> {
        window(&self.readers, &members(), "uid", Some(name.as_str().into()), of, users::Row::parse).await
    }

    async fn add_member(&self, name: &GroupName, login: &Login, by: &Actor) -> Result<bool, StoreError> {
        let (name, login, by) = (name.clone(), login.clone(), by.clone());
        self.change_identities(move |on| Box::pin(add_member(on, name, login, by))).await
    }

    async fn remove_member(&self, name: &GroupName, login: &Login, by: &Actor) -> Result<bool, StoreError> {
        let (name, login, by) = (name.clone(), login.clone(), by.clone());
        self.change_identities(move |on| Box::pin(remove_member(on, name, login, by))).await
    }
}

/// Begins the list of the users who are in the group that `$1` names.
pub(super) fn members() -> String {
    format!(
        "{} WHERE id IN (SELECT user_id FROM group_members JOIN groups ON groups.uid = group_uid WHERE name = $1)",
        users::SELECT
    )
}

/// Begins every question for groups; a condition follows.
pub(super) const SELECT: &str = "SELECT uid, name, description, created_at, revision, \
    (SELECT COUNT(*) FROM group_members WHERE group_uid = uid) AS members FROM groups";

#[derive(FromQueryResult)]
struct Row {
    uid: String,
    name: String,
    description: String,
    created_at: i64,
    revision: i64,
    members: i64,
}

impl Row {
    fn parse(self) -> Result<GroupRecord, StoreError> {
        let what = format!("group {}", self.name);
        Ok(GroupRecord {
            id: GroupId(id(&what, Some(&self.uid))?),
            name: GroupName::try_from(self.name.as_str()).map_err(|error| corrupt(&what, error))?,
            description: self.description,
            members: u64::try_from(self.members).map_err(|error| corrupt(&what, error))?,
            created_at: timestamp(self.created_at)?,
            revision: self.revision,
        })
    }
}

pub(super) async fn find(on: &impl ConnectionTrait, name: &GroupName) -> Result<Option<GroupRecord>, StoreError> {
    let row: Option<Row> = one(on, &format!("{SELECT} WHERE name = $1"), [name.as_str().into()]).await?;
    row.map(Row::parse).transpose()
}

async fn found_again(on: &impl ConnectionTrait, name: &GroupName) -> Result<GroupRecord, StoreError> {
    find(on, name).await?.ok_or_else(|| corrupt("a group", "it cannot be read again"))
}

async fn create(
    on: &impl ConnectionTrait,
    name: GroupName,
    description: String,
    by: Actor,
) -> Result<GroupRecord, StoreError> {
    let statement = "INSERT INTO groups (uid, name, description, created_at, revision) VALUES ($1, $2, $3, $4, 1)";
    let values = [
        GroupId::new().to_string().into(),
        name.as_str().into(),
        description.as_str().into(),
        micros(Timestamp::now()).into(),
    ];
    execute(on, statement, values).await?;
    let detail = json!({ "description": description });
    audit::record(on, &by, "group.create", format!("group {name}"), detail).await?;
    found_again(on, &name).await
}

async fn change(
    on: &impl ConnectionTrait,
    name: GroupName,
    revision: Option<i64>,
    description: String,
    by: Actor,
) -> Result<Edited<GroupRecord>, StoreError> {
    let Some(before) = find(on, &name).await? else { return Ok(Edited::Absent) };
    if revision.is_some_and(|revision| revision != before.revision) {
        return Ok(Edited::Stale);
    }
    let statement = "UPDATE groups SET description = $2, revision = revision + 1 WHERE uid = $1";
    execute(on, statement, [before.id.to_string().into(), description.as_str().into()]).await?;
    let detail = json!({ "description": description });
    audit::record(on, &by, "group.update", format!("group {name}"), detail).await?;
    found_again(on, &name).await.map(Edited::Done)
}

const DELETE: [&str; 3] = [
    "DELETE FROM grants WHERE group_uid = $1",
    "DELETE FROM group_members WHERE group_uid = $1",
    "DELETE FROM groups WHERE uid = $1",
];

async fn delete(
    on: &impl ConnectionTrait,
    name: GroupName,
    revision: Option<i64>,
    by: Actor,
) -> Result<Edited<()>, StoreError> {
    let Some(before) = find(on, &name).await? else { return Ok(Edited::Absent) };
    if revision.is_some_and(|revision| revision != before.revision) {
        return Ok(Edited::Stale);
    }
    for statement in DELETE {
        execute(on, statement, [before.id.to_string().into()]).await?;
    }
    audit::record(on, &by, "group.delete", format!("group {name}"), json!({ "members": before.members })).await?;
    Ok(Edited::Done(()))
}

async fn add_member(on: &impl ConnectionTrait, name: GroupName, login: Login, by: Actor) -> Result<bool, StoreError> {
    let (Some(group), Some(user)) = (find(on, &name).await?, users::find(on, &login).await?) else {
        return Ok(false);
    };
    let statement = "INSERT INTO group_members (group_uid, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    if execute(on, statement, [group.id.to_string().into(), user.key.into()]).await? > 0 {
        let detail = json!({ "member": login.as_str() });
        audit::record(on, &by, "group.add_member", format!("group {name}"), detail).await?;
    }
    Ok(true)
}

async fn remove_member(
    on: &impl ConnectionTrait,
    name: GroupName,
    login: Login,
    by: Actor,
) -> Result<bool, StoreError> {
    let statement = "DELETE FROM group_members WHERE group_uid = (SELECT uid FROM groups WHERE name = $1) \
                     AND user_id = (SELECT id FROM users WHERE login = $2)";
    if execute(on, statement, [name.as_str().into(), login.as_str().into()]).await? == 0 {
        return Ok(false);
    }
    let detail = json!({ "member": login.as_str() });
    audit::record(on, &by, "group.remove_member", format!("group {name}"), detail).await?;
    Ok(true)
}
