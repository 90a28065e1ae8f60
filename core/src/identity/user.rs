//! Users: people, who have a password, and robots, who have tokens only.
//!
//! Shape of a login: `[a-z0-9][a-z0-9._-]{0,63}`, and none of the words that records use for nobody.

use std::collections::HashMap;
use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Edited, Identity, SessionId, Window, check_name, ids};
use crate::artifact::{Page, StoreError};
use crate::repository::{Actor, InvalidName, text_newtype};

/// Logins that would be mistaken for the program or for nobody in records.
const RESERVED: [&str; 2] = ["anonymous", "system"];

ids! {
    /// The id of a user.
    UserId;
}

/// The name that a user signs in with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Login(String);
text_newtype!(Login);

impl TryFrom<&str> for Login {
    type Error = InvalidName;

    fn try_from(text: &str) -> Result<Self, InvalidName> {
        let invalid = |rule| InvalidName::new(text, "login", rule);
        check_name(text).map_err(invalid)?;
        if RESERVED.contains(&text) {
            return Err(invalid("this word stands for nobody"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// An address for people; nothing is ever sent there, and nobody is recognised by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);
text_newtype!(Email);

impl TryFrom<&str> for Email {
    type Error = InvalidName;

    fn try_from(text: &str) -> Result<Self, InvalidName> {
        let (name, host) = text.split_once('@').unwrap_or_default();
        let plain = !text.chars().any(|c| c.is_whitespace() || c.is_control());
        if plain && !name.is_empty() && !host.is_empty() && !host.contains('@') && text.len() <= 254 {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidName::new(text, "e-mail address", "an address is name@host of at most 254 bytes"))
    }
}

/// What kind of user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserKind {
    /// Somebody who may sign in with a password.
    Person,
    /// A program: it has no password, and its tokens begin with `aks_`.
    Robot,
}

impl UserKind {
    /// The word on the wire and in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Robot => "robot",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Person, Self::Robot].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A user about to be kept.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The login.
    pub login: Login,
    /// A person or a robot.
    pub kind: UserKind,
    /// For people.
    pub display_name: String,
    /// For people.
    pub email: Option<Email>,
    /// Whether the user administers the instance.
    pub admin: bool,
    /// The hash (a PHC string) of the password; without one nobody can sign in.
    pub password: Option<String>,
}

impl NewUser {
    /// A person with a password and nothing else.
    #[must_use]
    pub fn person(login: Login, admin: bool, password: String) -> Self {
        let display_name = String::new();
        Self { login, kind: UserKind::Person, display_name, email: None, admin, password: Some(password) }
    }
}

/// A user as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The id.
    pub id: UserId,
    /// Who it is.
    pub identity: Identity,
    /// The login.
    pub login: Login,
    /// A person or a robot.
    pub kind: UserKind,
    /// For people.
    pub display_name: String,
    /// For people.
    pub email: Option<Email>,
    /// Whether the user administers the instance.
    pub admin: bool,
    /// Whether no credential of the user counts.
    pub disabled: bool,
    /// When the password was set last; `None` without one.
    pub password_changed_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Changes with every change of this record.
    pub revision: i64,
}

/// What of a user shall change; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// For people.
    pub display_name: Option<String>,
    /// For people; `Some(None)` takes it away.
    pub email: Option<Option<Email>>,
    /// Whether the user administers the instance.
    pub admin: Option<bool>,
    /// Whether no credential of the user counts.
    pub disabled: Option<bool>,
    /// The hash of a new password. All sessions of the user end with it.
    pub password: Option<String>,
}

/// Keeps users. Every change writes its audit row in the same transaction.
///
/// The last administrator is a person who is enabled: whoever would take that away gets
/// [`Edited::LastAdministrator`], decided in the transaction of the change.
#[async_trait]
pub trait UserStore: Send + Sync {
    /// A new user; `AlreadyExists` when the login is taken.
    async fn create_user(&self, user: NewUser, by: &Actor) -> Result<UserRecord, StoreError>;

    /// The user of a login.
    async fn user(&self, login: &Login) -> Result<Option<UserRecord>, StoreError>;

    /// Users.
    async fn users(&self, window: Window) -> Result<Page<UserRecord>, StoreError>;

    /// When each of these users was last seen: the last use of a session or token that there is, or the last row of the
    /// audit about something that the user did. Those who were never seen are left out.
    async fn seen(&self, logins: &[Login]) -> Result<HashMap<Login, Timestamp>, StoreError>;

    /// Changes a user, if the record still has `revision`; `None` asks for no particular one.
    async fn change_user(
        &self,
        login: &Login,
        revision: Option<i64>,
        change: UserChange,
        by: &Actor,
    ) -> Result<Edited<UserRecord>, StoreError>;

    /// Deletes a user with all tokens, sessions, grants and memberships.
    async fn delete_user(&self, login: &Login, revision: Option<i64>, by: &Actor) -> Result<Edited<()>, StoreError>;

    /// The password hash (a PHC string) of a user who is enabled and has one.
    async fn password(&self, login: &str) -> Result<Option<String>, StoreError>;

    /// Sets a new password hash, and ends all sessions of the user but `keep`. `false` when there is no such
    /// user.
    async fn set_password(
        &self,
        login: &Login,
        password: String,
        keep: Option<SessionId>,
        by: &Actor,
    ) -> Result<bool, StoreError>;

    /// Replaces the hash of an unchanged password by one with better parameters, unless it is no longer `old`.
    async fn rehash_password(&self, login: &Login, old: &str, new: String) -> Result<(), StoreError>;

    /// Whether any administrator exists.
    async fn has_administrator(&self) -> Result<bool, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_and_addresses_follow_their_rules() {
        let long = "a".repeat(65);
        for bad in ["", "A", "a b", "a@b", ".a", "-a", "é", "system", "anonymous", &long] {
            assert!(Login::try_from(bad).is_err(), "{bad}");
        }
        for good in ["a", "admin", "ci-robot_1.x", "0"] {
            assert!(Login::try_from(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\n"] {
            assert!(Email::try_from(bad).is_err(), "{bad}");
        }
        assert!(Email::try_from("ann@corp.example").is_ok());
    }
}
