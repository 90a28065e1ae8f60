//! The ports of users, groups and grants.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::page;
use super::store::{GroupRow, MemoryStore, Rows, UserRow};
use crate::access::Grant;
use crate::artifact::{Page, StoreError};
use crate::identity::{
    Edited, GrantId, GrantRecord, GrantStore, Grantee, GroupId, GroupName, GroupRecord, GroupStore, Identity, Login,
    NewGrant, NewUser, SessionId, UserChange, UserId, UserKind, UserRecord, UserStore, Window,
};
use crate::repository::Actor;

impl Rows {
    /// What a user was given, directly and by groups.
    pub(super) fn grants_of(&self, login: &Login) -> Vec<Grant> {
        self.grants_counting_for(login).map(|record| record.grant.clone()).collect()
    }

    fn grants_counting_for<'a>(&'a self, login: &'a Login) -> impl Iterator<Item = &'a GrantRecord> {
        self.grants.values().filter(move |record| match &record.grantee {
            Grantee::User(user) => user == login,
            Grantee::Group(group) => self.groups.get(group).is_some_and(|row| row.members.contains(login)),
        })
    }

    /// Whether nobody but this user administers.
    fn is_last_administrator(&self, login: &Login) -> bool {
        let counts = |record: &UserRecord| record.admin && !record.disabled && record.kind == UserKind::Person;
        let one = self.users.get(login).is_some_and(|row| counts(&row.record));
        one && !self.users.values().any(|row| counts(&row.record) && row.record.login != *login)
    }

    pub(super) fn end_sessions(&mut self, login: &Login, keep: Option<SessionId>) {
        self.sessions.retain(|id, row| row.login != *login || Some(*id) == keep);
    }
}

#[async_trait]
impl UserStore for MemoryStore {
    async fn create_user(&self, user: NewUser, _by: &Actor) -> Result<UserRecord, StoreError> {
        let mut rows = self.change()?;
        let NewUser { login, kind, display_name, email, admin, password } = user;
        if rows.users.contains_key(&login) {
            return Err(StoreError::AlreadyExists);
        }
        let (id, created_at) = (UserId::new(), Timestamp::now());
        let password_changed_at = password.as_ref().map(|_| created_at);
        let (identity, disabled, revision) = (Identity::local(id), false, 1);
        let record = UserRecord {
            id,
            identity,
            login,
            kind,
            display_name,
            email,
            admin,
            disabled,
            password_changed_at,
            created_at,
            revision,
        };
        rows.users.insert(record.login.clone(), UserRow { record: record.clone(), password });
        Ok(record)
    }

    async fn user(&self, login: &Login) -> Result<Option<UserRecord>, StoreError> {
        Ok(self.call()?.users.get(login).map(|row| row.record.clone()))
    }

    async fn users(&self, window: Window) -> Result<Page<UserRecord>, StoreError> {
        let rows = self.call()?;
        Ok(page(rows.users.values().map(|row| (row.record.id.0, row.record.clone())), window))
    }

    async fn seen(&self, logins: &[Login]) -> Result<HashMap<Login, Timestamp>, StoreError> {
        let rows = self.call()?;
        let sessions = rows.sessions.values().map(|row| (&row.login, row.record.used_at));
        let tokens = rows.tokens.values().filter(|row| row.record.revoked_at.is_none());
        let tokens = tokens.filter_map(|row| Some((&row.record.owner, row.record.used_at?)));
        let mut seen = HashMap::new();
        for (login, at) in sessions.chain(tokens).filter(|(login, _)| logins.contains(login)) {
            let last = seen.entry(login.clone()).or_insert(at);
            *last = at.max(*last);
        }
        Ok(seen)
    }

    async fn change_user(
        &self,
        login: &Login,
        revision: Option<i64>,
        change: UserChange,
        _by: &Actor,
    ) -> Result<Edited<UserRecord>, StoreError> {
        let mut rows = self.change()?;
        let last = rows.is_last_administrator(login);
        let Some(row) = rows.users.get_mut(login) else { return Ok(Edited::Absent) };
        if revision.is_some_and(|revision| revision != row.record.revision) {
            return Ok(Edited::Stale);
        }
        if last && (change.admin == Some(false) || change.disabled == Some(true)) {
            return Ok(Edited::LastAdministrator);
        }
        let UserChange { display_name, email, admin, disabled, password } = change;
        let record = &mut row.record;
        record.display_name = display_name.unwrap_or_else(|| record.display_name.clone());
        record.email = email.unwrap_or_else(|| record.email.clone());
        (record.admin, record.disabled) = (admin.unwrap_or(record.admin), disabled.unwrap_or(record.disabled));
        record.revision += 1;
        let ends_sessions = password.is_some() || disabled == Some(true);
        if let Some(password) = password {
            (row.password, row.record.password_changed_at) = (Some(password), Some(Timestamp::now()));
        }
        let record = row.record.clone();
        if ends_sessions {
            rows.end_sessions(login, None);
        }
        Ok(Edited::Done(record))
    }

    async fn delete_user(&self, login: &Login, revision: Option<i64>, _by: &Actor) -> Result<Edited<()>, StoreError> {
        let mut rows = self.change()?;
        let Some(row) = rows.users.get(login) else { return Ok(Edited::Absent) };
        if revision.is_some_and(|revision| revision != row.record.revision) {
            return Ok(Edited::Stale);
        }
        if rows.is_last_administrator(login) {
            return Ok(Edited::LastAdministrator);
        }
        rows.end_sessions(login, None);
        rows.tokens.retain(|_, row| row.record.owner != *login);
        rows.grants.retain(|_, record| record.grantee != Grantee::User(login.clone()));
        for group in rows.groups.values_mut() {
            group.members.remove(login);
        }
        rows.users.remove(login);
        Ok(Edited::Done(()))
    }

    async fn password(&self, login: &str) -> Result<Option<String>, StoreError> {
        let rows = self.call()?;
        let row = rows.users.values().find(|row| row.record.login.as_str() == login && !row.record.disabled);
        Ok(row.and_then(|row| row.password.clone()))
    }

    async fn set_password(
        &self,
        login: &Login,
        password: String,
        keep: Option<SessionId>,
        _by: &Actor,
    ) -> Result<bool, StoreError> {
        let mut rows = self.change()?;
        let Some(row) = rows.users.get_mut(login) else { return Ok(false) };
        (row.password, row.record.password_changed_at) = (Some(password), Some(Timestamp::now()));
        row.record.revision += 1;
        rows.end_sessions(login, keep);
        Ok(true)
    }

    async fn rehash_password(&self, login: &Login, old: &str, new: String) -> Result<(), StoreError> {
        let mut rows = self.call()?;
        if let Some(row) = rows.users.get_mut(login).filter(|row| row.password.as_deref() == Some(old)) {
            row.password = Some(new);
        }
        Ok(())
    }

    async fn has_administrator(&self) -> Result<bool, StoreError> {
        Ok(self.call()?.users.values().any(|row| row.record.admin))
    }
}

#[async_trait]
impl GroupStore for MemoryStore {
    async fn create_group(&self, name: &GroupName, description: &str, _by: &Actor) -> Result<GroupRecord, StoreError> {
        let mut rows = self.change()?;
        if rows.groups.contains_key(name) {
            return Err(StoreError::AlreadyExists);
        }
        let (id, description, created_at) = (GroupId::new(), description.to_owned(), Timestamp::now());
        let record = GroupRecord { id, name: name.clone(), description, members: 0, created_at, revision: 1 };
        rows.groups.insert(name.clone(), GroupRow { record: record.clone(), members: Default::default() });
        Ok(record)
    }

    async fn group(&self, name: &GroupName) -> Result<Option<GroupRecord>, StoreError> {
        Ok(self.call()?.groups.get(name).map(GroupRow::counted))
    }

    async fn groups(&self, window: Window) -> Result<Page<GroupRecord>, StoreError> {
        let rows = self.call()?;
        Ok(page(rows.groups.values().map(|row| (row.record.id.0, row.counted())), window))
    }

    async fn change_group(
        &self,
        name: &GroupName,
        revision: Option<i64>,
        description: &str,
        _by: &Actor,
    ) -> Result<Edited<GroupRecord>, StoreError> {
        let mut rows = self.change()?;
        let Some(row) = rows.groups.get_mut(name) else { return Ok(Edited::Absent) };
        if revision.is_some_and(|revision| revision != row.record.revision) {
            return Ok(Edited::Stale);
        }
        description.clone_into(&mut row.record.description);
        row.record.revision += 1;
        Ok(Edited::Done(row.counted()))
    }

    async fn delete_group(
        &self,
        name: &GroupName,
        revision: Option<i64>,
        _by: &Actor,
    ) -> Result<Edited<()>, StoreError> {
        let mut rows = self.change()?;
        let Some(row) = rows.groups.get(name) else { return Ok(Edited::Absent) };
        if revision.is_some_and(|revision| revision != row.record.revision) {
            return Ok(Edited::Stale);
        }
        rows.groups.remove(name);
        rows.grants.retain(|_, record| record.grantee != Grantee::Group(name.clone()));
        Ok(Edited::Done(()))
    }

    async fn members(&self, name: &GroupName, window: Window) -> Result<Page<UserRecord>, StoreError> {
        let rows = self.call()?;
        let logins = rows.groups.get(name).into_iter().flat_map(|row| &row.members);
        let users = logins.filter_map(|login| rows.users.get(login));
        Ok(page(users.map(|row| (row.record.id.0, row.record.clone())), window))
    }

    async fn add_member(&self, name: &GroupName, login: &Login, _by: &Actor) -> Result<bool, StoreError> {
        let mut rows = self.change()?;
        let known = rows.users.contains_key(login);
        let group = rows.groups.get_mut(name).filter(|_| known);
        Ok(group.map(|group| group.members.insert(login.clone())).is_some())
    }

    async fn remove_member(&self, name: &GroupName, login: &Login, _by: &Actor) -> Result<bool, StoreError> {
        Ok(self.change()?.groups.get_mut(name).is_some_and(|group| group.members.remove(login)))
    }
}

impl GroupRow {
    fn counted(&self) -> GroupRecord {
        GroupRecord { members: self.members.len() as u64, ..self.record.clone() }
    }
}

#[async_trait]
impl GrantStore for MemoryStore {
    async fn create_grant(&self, new: NewGrant, by: &Actor) -> Result<Option<GrantRecord>, StoreError> {
        let mut rows = self.change()?;
        let NewGrant { grantee, grant } = new;
        let known = match &grantee {
            Grantee::User(login) => rows.users.contains_key(login),
            Grantee::Group(name) => rows.groups.contains_key(name),
        };
        if !known {
            return Ok(None);
        }
        let same = |one: &GrantRecord| one.grantee == grantee && one.grant.repositories == grant.repositories;
        if rows.grants.values().any(same) {
            return Err(StoreError::AlreadyExists);
        }
        let (id, created_at, created_by) = (GrantId::new(), Timestamp::now(), by.login.clone());
        let record = GrantRecord { id, grantee, grant, created_at, created_by };
        rows.grants.insert(id, record.clone());
        Ok(Some(record))
    }

    async fn grant(&self, id: GrantId) -> Result<Option<GrantRecord>, StoreError> {
        Ok(self.call()?.grants.get(&id).cloned())
    }

    async fn grants(&self, to: Option<&Grantee>, window: Window) -> Result<Page<GrantRecord>, StoreError> {
        let rows = self.call()?;
        let wanted = rows.grants.values().filter(|record| to.is_none_or(|to| record.grantee == *to));
        Ok(page(wanted.map(|record| (record.id.0, record.clone())), window))
    }

    async fn grants_counting_for(&self, login: &Login, window: Window) -> Result<Page<GrantRecord>, StoreError> {
        let rows = self.call()?;
        Ok(page(rows.grants_counting_for(login).map(|record| (record.id.0, record.clone())), window))
    }

    async fn grants_of(&self, login: &Login) -> Result<Vec<Grant>, StoreError> {
        Ok(self.call()?.grants_of(login))
    }

    async fn delete_grant(&self, id: GrantId, _by: &Actor) -> Result<bool, StoreError> {
        Ok(self.change()?.grants.remove(&id).is_some())
    }
}
