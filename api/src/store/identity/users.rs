//! The port of users.
//!
//! Who would be the last administrator is asked inside the transaction of the change, and all changes go through
//! one writer: two administrators cannot take each other's mark away at once.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use keeper_core::artifact::{Page, StoreError};
use keeper_core::identity::{
    Edited, Email, Identity, Login, NewUser, SessionId, UserChange, UserId, UserKind, UserRecord, UserStore, Window,
};
use keeper_core::repository::Actor;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Map, Value, json};

use super::super::Store;
use super::super::audit;
use super::super::sql::{Places, all, corrupt, execute, micros, one, timestamp};
use super::{CountRow, id, identity, sessions, window};

#[async_trait]
impl UserStore for Store {
    async fn create_user(&self, user: NewUser, by: &Actor) -> Result<UserRecord, StoreError> {
        let by = by.clone();
        self.change_identities(move |on| Box::pin(create(on, user, by))).await
    }

    async fn user(&self, login: &Login) -> Result<Option<UserRecord>, StoreError> {
        find(&self.readers, login).await.map(|found| found.map(|found| found.record))
    }

    async fn users(&self, of: Window) -> Result<Page<UserRecord>, StoreError> {
        window(&self.readers, &format!("{SELECT} WHERE TRUE"), "uid", None, of, Row::parse).await
    }

    async fn seen(&self, logins: &[Login]) -> Result<HashMap<Login, Timestamp>, StoreError> {
        if logins.is_empty() {
            return Ok(HashMap::new());
        }
        let mut places = Places::default();
        let asked: Vec<_> = logins.iter().map(|login| places.of(login.as_str())).collect();
        let question = format!("{SEEN} WHERE u.login IN ({})", asked.join(", "));
        let rows: Vec<SeenRow> = all(&self.readers, &question, places.0).await?;
        rows.into_iter().filter_map(|row| row.parse().transpose()).collect()
    }

    async fn change_user(
        &self,
        login: &Login,
        revision: Option<i64>,
        wanted: UserChange,
        by: &Actor,
    ) -> Result<Edited<UserRecord>, StoreError> {
        let (login, by) = (login.clone(), by.clone());
        self.change_identities(move |on| Box::pin(change(on, login, revision, wanted, by))).await
    }

    async fn delete_user(&self, login: &Login, revision: Option<i64>, by: &Actor) -> Result<Edited<()>, StoreError> {
        let (login, by) = (login.clone(), by.clone());
        self.change_identities(move |on| Box::pin(delete(on, login, revision, by))).await
    }

    async fn password(&self, login: &str) -> Result<Option<String>, StoreError> {
        let question = "SELECT password FROM users WHERE login = $1 AND disabled = FALSE";
        let row: Option<PasswordRow> = one(&self.readers, question, [login.into()]).await?;
        Ok(row.and_then(|row| row.password))
    }

    async fn set_password(
        &self,
        login: &Login,
        password: String,
        keep: Option<SessionId>,
        by: &Actor,
    ) -> Result<bool, StoreError> {
        let (login, by) = (login.clone(), by.clone());
        self.change_identities(move |on| Box::pin(set_password(on, login, password, keep, by))).await
    }

    /// The password is the same, so nobody's rights change and there is nothing to tell the audit.
    async fn rehash_password(&self, login: &Login, old: &str, new: String) -> Result<(), StoreError> {
        let (login, old) = (login.clone(), old.to_owned());
        let statement = "UPDATE users SET password = $3 WHERE login = $1 AND password = $2";
        let work = async move |on: &sea_orm::DatabaseTransaction| {
            execute(on, statement, [login.as_str().into(), old.into(), new.into()]).await.map(drop)
        };
        self.writer.submit(move |on| Box::pin(async move { work(on).await }), |()| ()).await
    }

    async fn has_administrator(&self) -> Result<bool, StoreError> {
        let question = "SELECT COUNT(*) AS count FROM users WHERE admin = TRUE";
        let row: Option<CountRow> = one(&self.readers, question, []).await?;
        Ok(row.is_some_and(|row| row.count > 0))
    }
}

#[derive(FromQueryResult)]
struct PasswordRow {
    password: Option<String>,
}

/// Begins every question for users; a condition follows.
pub(super) const SELECT: &str = "SELECT id, uid, issuer, subject, login, kind, display_name, email, admin, disabled, \
    CASE WHEN password IS NULL THEN NULL ELSE password_changed_at END AS password_changed_at, created_at, revision \
    FROM users";

#[derive(FromQueryResult)]
pub(super) struct Row {
    id: i64,
    uid: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    login: String,
    kind: String,
    display_name: String,
    email: Option<String>,
    admin: bool,
    disabled: bool,
    password_changed_at: Option<i64>,
    created_at: i64,
    revision: i64,
}

impl Row {
    pub(super) fn parse(self) -> Result<UserRecord, StoreError> {
        let what = format!("user {}", self.login);
        let email = self.email.as_deref().map(Email::try_from).transpose();
        Ok(UserRecord {
            id: UserId(id(&what, self.uid.as_deref())?),
            identity: identity(self.issuer, self.subject)?,
            login: Login::try_from(self.login.as_str()).map_err(|error| corrupt(&what, error))?,
            kind: UserKind::parse(&self.kind).ok_or_else(|| corrupt(&what, "unknown kind"))?,
            display_name: self.display_name,
            email: email.map_err(|error| corrupt(&what, error))?,
            admin: self.admin,
            disabled: self.disabled,
            password_changed_at: self.password_changed_at.map(timestamp).transpose()?,
            created_at: timestamp(self.created_at)?,
            revision: self.revision,
        })
    }
}

/// A user with the store's own key.
pub(super) struct Found {
    pub(super) key: i64,
    pub(super) record: UserRecord,
}

/// Each by an index: what is there of the user's credentials, and the end of the user's part of the audit.
const SEEN: &str = "SELECT u.login, \
    (SELECT MAX(s.used_at) FROM sessions s WHERE s.user_id = u.id) AS by_session, \
    (SELECT MAX(t.used_at) FROM tokens t WHERE t.owner = u.id AND t.revoked_at IS NULL) AS by_token, \
    (SELECT a.at FROM audit a WHERE a.actor = u.login AND a.outcome || '' = 'done' ORDER BY a.at DESC LIMIT 1) AS by_deed \
    FROM users u";

#[derive(FromQueryResult)]
struct SeenRow {
    login: String,
    by_session: Option<i64>,
    by_token: Option<i64>,
    by_deed: Option<i64>,
}

impl SeenRow {
    fn parse(self) -> Result<Option<(Login, Timestamp)>, StoreError> {
        let last = [self.by_session, self.by_token, self.by_deed].into_iter().flatten().max();
        let login = Login::try_from(self.login.as_str()).map_err(|error| corrupt("a user", error))?;
        last.map(|at| Ok((login, timestamp(at)?))).transpose()
    }
}

pub(super) async fn find(on: &impl ConnectionTrait, login: &Login) -> Result<Option<Found>, StoreError> {
    let row: Option<Row> = one(on, &format!("{SELECT} WHERE login = $1"), [login.as_str().into()]).await?;
    row.map(|row| Ok(Found { key: row.id, record: row.parse()? })).transpose()
}

const INSERT: &str = "INSERT INTO users (uid, issuer, subject, login, kind, display_name, email, admin, password, \
    password_changed_at, disabled, created_at, revision) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, FALSE, $11, 1)";

async fn create(on: &impl ConnectionTrait, user: NewUser, by: Actor) -> Result<UserRecord, StoreError> {
    let (uid, now) = (UserId::new(), micros(Timestamp::now()));
    let Identity { issuer, subject } = Identity::local(uid);
    let email = user.email.as_ref().map(|email| email.as_str().to_owned());
    let password_changed_at = user.password.as_ref().map(|_| now);
    let values = [
        uid.to_string().into(),
        issuer.into(),
        subject.into(),
        user.login.as_str().into(),
        user.kind.as_str().into(),
        user.display_name.as_str().into(),
        email.clone().into(),
        user.admin.into(),
        user.password.into(),
        password_changed_at.into(),
        now.into(),
    ];
    execute(on, INSERT, values).await?;
    let detail = json!({
        "kind": user.kind.as_str(), "display_name": user.display_name, "email": email, "admin": user.admin,
        "password": password_changed_at.is_some(),
    });
    audit::record(on, &by, "user.create", format!("user {}", user.login), detail).await?;
    let made = find(on, &user.login).await?;
    made.map(|made| made.record).ok_or_else(|| corrupt("a new user", "it cannot be read again"))
}

/// Whether nobody but this user administers: people who are enabled count, robots do not, for nobody can sign in
/// as one.
async fn is_last_administrator(on: &impl ConnectionTrait, user: &UserRecord) -> Result<bool, StoreError> {
    if !user.admin || user.disabled || user.kind != UserKind::Person {
        return Ok(false);
    }
    let question = "SELECT COUNT(*) AS count FROM users \
                    WHERE admin = TRUE AND disabled = FALSE AND kind = 'person' AND login <> $1";
    let others: Option<CountRow> = one(on, question, [user.login.as_str().into()]).await?;
    Ok(others.is_none_or(|others| others.count == 0))
}

const UPDATE: &str = "UPDATE users SET display_name = $2, email = $3, admin = $4, disabled = $5, \
    password = COALESCE($6, password), password_changed_at = COALESCE($7, password_changed_at), \
    revision = revision + 1 WHERE id = $1";

async fn change(
    on: &impl ConnectionTrait,
    login: Login,
    revision: Option<i64>,
    wanted: UserChange,
    by: Actor,
) -> Result<Edited<UserRecord>, StoreError> {
    let Some(Found { key, record: before }) = find(on, &login).await? else { return Ok(Edited::Absent) };
    if revision.is_some_and(|revision| revision != before.revision) {
        return Ok(Edited::Stale);
    }
    let takes_away = wanted.admin == Some(false) || wanted.disabled == Some(true);
    if takes_away && is_last_administrator(on, &before).await? {
        return Ok(Edited::LastAdministrator);
    }
    let detail = told(&wanted);
    let ends_sessions = wanted.password.is_some() || wanted.disabled == Some(true);
    let password_changed_at = wanted.password.as_ref().map(|_| micros(Timestamp::now()));
    let email = wanted.email.unwrap_or(before.email).map(|email| email.as_str().to_owned());
    let values = [
        key.into(),
        wanted.display_name.unwrap_or(before.display_name).into(),
        email.into(),
        wanted.admin.unwrap_or(before.admin).into(),
        wanted.disabled.unwrap_or(before.disabled).into(),
        wanted.password.into(),
        password_changed_at.into(),
    ];
    execute(on, UPDATE, values).await?;
    if ends_sessions {
        sessions::end_all(on, key, None).await?;
    }
    audit::record(on, &by, "user.update", format!("user {login}"), detail).await?;
    let after = find(on, &login).await?;
    after.map(|after| Edited::Done(after.record)).ok_or_else(|| corrupt("a user", "it cannot be read again"))
}

/// What changes, for the audit: of a password only that it does.
fn told(wanted: &UserChange) -> Value {
    let UserChange { display_name, email, admin, disabled, password } = wanted;
    let mut told = Map::new();
    let mut tell = |key: &str, value: Option<Value>| value.map(|value| told.insert(key.to_owned(), value));
    tell("display_name", display_name.clone().map(Value::from));
    tell("email", email.as_ref().map(|email| json!(email.as_ref().map(Email::as_str))));
    tell("admin", admin.map(Value::from));
    tell("disabled", disabled.map(Value::from));
    tell("password", password.as_ref().map(|_| json!("changed")));
    Value::Object(told)
}

/// What goes with a user, in an order that the keys allow.
const DELETE: [&str; 5] = [
    "DELETE FROM sessions WHERE user_id = $1",
    "DELETE FROM tokens WHERE owner = $1",
    "DELETE FROM grants WHERE user_id = $1",
    "DELETE FROM group_members WHERE user_id = $1",
    "DELETE FROM users WHERE id = $1",
];

async fn delete(
    on: &impl ConnectionTrait,
    login: Login,
    revision: Option<i64>,
    by: Actor,
) -> Result<Edited<()>, StoreError> {
    let Some(Found { key, record }) = find(on, &login).await? else { return Ok(Edited::Absent) };
    if revision.is_some_and(|revision| revision != record.revision) {
        return Ok(Edited::Stale);
    }
    if is_last_administrator(on, &record).await? {
        return Ok(Edited::LastAdministrator);
    }
    for statement in DELETE {
        execute(on, statement, [key.into()]).await?;
    }
    let detail = json!({ "issuer": record.identity.issuer, "subject": record.identity.subject });
    audit::record(on, &by, "user.delete", format!("user {login}"), detail).await?;
    Ok(Edited::Done(()))
}

async fn set_password(
    on: &impl ConnectionTrait,
    login: Login,
    password: String,
    keep: Option<SessionId>,
    by: Actor,
) -> Result<bool, StoreError> {
    let Some(Found { key, .. }) = find(on, &login).await? else { return Ok(false) };
    let statement = "UPDATE users SET password = $2, password_changed_at = $3, revision = revision + 1 WHERE id = $1";
    execute(on, statement, [key.into(), password.into(), micros(Timestamp::now()).into()]).await?;
    sessions::end_all(on, key, keep).await?;
    audit::record(on, &by, "user.password", format!("user {login}"), json!({})).await?;
    Ok(true)
}
