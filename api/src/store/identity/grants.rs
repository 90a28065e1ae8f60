//! The port of grants.

use async_trait::async_trait;
use jiff::Timestamp;
use keeper_core::access::Grant;
use keeper_core::artifact::{Page, StoreError};
use keeper_core::identity::{GrantId, GrantRecord, GrantStore, Grantee, GroupName, Login, NewGrant, Window};
use keeper_core::repository::Actor;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Value, json};

use super::super::Store;
use super::super::audit;
use super::super::sql::{corrupt, execute, micros, one, timestamp};
use super::{groups, id, users, window};

#[async_trait]
impl GrantStore for Store {
    async fn create_grant(&self, grant: NewGrant, by: &Actor) -> Result<Option<GrantRecord>, StoreError> {
        let by = by.clone();
        self.change_identities(move |on| Box::pin(create(on, grant, by))).await
    }

    async fn grant(&self, id: GrantId) -> Result<Option<GrantRecord>, StoreError> {
        find(&self.readers, id).await
    }

    async fn grants(&self, to: Option<&Grantee>, of: Window) -> Result<Page<GrantRecord>, StoreError> {
        let value = to.map(|to| match to {
            Grantee::User(login) => login.as_str().into(),
            Grantee::Group(name) => name.as_str().into(),
        });
        window(&self.readers, &listed(to), "g.uid", value, of, Row::parse).await
    }

    async fn grants_counting_for(&self, login: &Login, of: Window) -> Result<Page<GrantRecord>, StoreError> {
        window(&self.readers, &counting(), "g.uid", Some(login.as_str().into()), of, Row::parse).await
    }

    async fn grants_of(&self, login: &Login) -> Result<Vec<Grant>, StoreError> {
        match users::find(&self.readers, login).await? {
            Some(user) => super::granted(&self.readers, user.key, login.as_str()).await,
            None => Ok(Vec::new()),
        }
    }

    async fn delete_grant(&self, id: GrantId, by: &Actor) -> Result<bool, StoreError> {
        let by = by.clone();
        self.change_identities(move |on| Box::pin(delete(on, id, by))).await
    }
}

const SELECT: &str = "SELECT g.uid, u.login, p.name AS \"group\", g.repositories, g.role, g.created_at, g.created_by \
    FROM grants g LEFT JOIN users u ON u.id = g.user_id LEFT JOIN groups p ON p.uid = g.group_uid";

/// Begins the list of what was given to everybody, or to the user or group that `$1` names.
pub(super) fn listed(to: Option<&Grantee>) -> String {
    let condition = match to {
        None => "TRUE",
        Some(Grantee::User(_)) => "u.login = $1",
        Some(Grantee::Group(_)) => "p.name = $1",
    };
    format!("{SELECT} WHERE {condition}")
}

/// Begins the list of what counts for the user whose login is `$1`: it names him, or a group that he is in. His few
/// are looked up, so that those of all others are not passed.
pub(super) fn counting() -> String {
    format!(
        "{SELECT} WHERE g.uid IN (SELECT own.uid FROM users x JOIN grants own ON own.user_id = x.id WHERE x.login = $1 \
         UNION ALL SELECT shared.uid FROM users x JOIN group_members m ON m.user_id = x.id \
         JOIN grants shared ON shared.group_uid = m.group_uid WHERE x.login = $1)"
    )
}

#[derive(FromQueryResult)]
struct Row {
    uid: String,
    login: Option<String>,
    group: Option<String>,
    repositories: String,
    role: String,
    created_at: i64,
    created_by: String,
}

impl Row {
    fn parse(self) -> Result<GrantRecord, StoreError> {
        let what = format!("grant {}", self.uid);
        let grantee = match (self.login, self.group) {
            (Some(login), None) => Login::try_from(login.as_str()).map(Grantee::User),
            (None, Some(name)) => GroupName::try_from(name.as_str()).map(Grantee::Group),
            _ => return Err(corrupt(&what, "it is given to nobody")),
        };
        let grant = super::grant(&self.repositories, &self.role);
        Ok(GrantRecord {
            id: GrantId(id(&what, Some(&self.uid))?),
            grantee: grantee.map_err(|error| corrupt(&what, error))?,
            grant: grant.ok_or_else(|| corrupt(&what, "its pattern or role does not parse"))?,
            created_at: timestamp(self.created_at)?,
            created_by: self.created_by,
        })
    }
}

async fn find(on: &impl ConnectionTrait, id: GrantId) -> Result<Option<GrantRecord>, StoreError> {
    let row: Option<Row> = one(on, &format!("{SELECT} WHERE g.uid = $1"), [id.to_string().into()]).await?;
    row.map(Row::parse).transpose()
}

const INSERT: &str = "INSERT INTO grants (uid, user_id, group_uid, repositories, role, created_at, created_by) \
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

async fn create(on: &impl ConnectionTrait, new: NewGrant, by: Actor) -> Result<Option<GrantRecord>, StoreError> {
    let NewGrant { grantee, grant } = new;
    let (user, group) = match &grantee {
        Grantee::User(login) => (users::find(on, login).await?.map(|user| user.key), None),
        Grantee::Group(name) => (None, groups::find(on, name).await?.map(|group| group.id.to_string())),
    };
    if user.is_none() && group.is_none() {
        return Ok(None);
    }
    let id = GrantId::new();
    let values = [
        id.to_string().into(),
        user.into(),
        group.into(),
        grant.repositories.as_str().into(),
        grant.role.as_str().into(),
        micros(Timestamp::now()).into(),
        by.login.as_str().into(),
    ];
    execute(on, INSERT, values).await?;
    let made = find(on, id).await?.ok_or_else(|| corrupt("a new grant", "it cannot be read again"))?;
    audit::record(on, &by, "grant.create", format!("grant {id}"), told(&made)).await?;
    Ok(Some(made))
}

async fn delete(on: &impl ConnectionTrait, id: GrantId, by: Actor) -> Result<bool, StoreError> {
    let Some(before) = find(on, id).await? else { return Ok(false) };
    execute(on, "DELETE FROM grants WHERE uid = $1", [id.to_string().into()]).await?;
    audit::record(on, &by, "grant.delete", format!("grant {id}"), told(&before)).await?;
    Ok(true)
}

fn told(record: &GrantRecord) -> Value {
    let (user, group) = match &record.grantee {
        Grantee::User(login) => (Some(login.as_str()), None),
        Grantee::Group(name) => (None, Some(name.as_str())),
    };
    let (repositories, role) = (record.grant.repositories.as_str(), record.grant.role.as_str());
    json!({ "user": user, "group": group, "repositories": repositories, "role": role })
}
