//! Who may come in: users, groups, grants, tokens, sessions, and the ports that keep them.
//!
//! ```text
//! user ─n─ token      a text that a program sends; limited to a scope
//!   │ └─n─ session    a cookie that a browser sends; the whole right of its user
//!   n
//! group ─n─ grant ─n─ user        a role on the repositories that a pattern matches
//! ```
//!
//! One file for each of them. Of the text of a token or a cookie only the SHA-256 is kept: a fast hash is right
//! for 178 and 256 random bits.
//!
//! Every change of any of them raises one [generation](IdentityStore::identity_generation), and whoever remembers what a
//! credential stood for believes it only while the generation stays.

mod grant;
mod group;
mod secret;
mod session;
mod token;
mod user;

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use crate::access::User;
use crate::artifact::StoreError;
use crate::digest::Digest;

pub use grant::{GrantId, GrantRecord, GrantStore, Grantee, NewGrant};
pub use group::{GroupId, GroupName, GroupRecord, GroupStore};
pub(crate) use secret::TOKEN_PREFIXES;
pub use secret::{MalformedToken, TokenSecret};
pub use session::{NewSession, SESSION_IDLE, SESSION_LIFE, SESSIONS_PER_USER, SessionId, SessionRecord, SessionStore};
pub use token::{NewToken, TokenId, TokenRecord, TokenStore};
pub use user::{Email, Login, NewUser, UserChange, UserId, UserKind, UserRecord, UserStore};

/// Who somebody is, for ever, as the one who vouches for it says it: an identity provider's address and its own
/// name for the person, or [`Identity::LOCAL`] and the user's id. A login is only a name and may change hands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Who vouches.
    pub issuer: String,
    /// The issuer's own name for the user, never given to another.
    pub subject: String,
}

impl Identity {
    /// The issuer of users whose password is kept here.
    pub const LOCAL: &'static str = "local";

    /// The identity of a user of our own.
    #[must_use]
    pub fn local(id: UserId) -> Self {
        Self { issuer: Self::LOCAL.to_owned(), subject: id.to_string() }
    }
}

/// What is kept of a credential's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub Digest);

impl TokenHash {
    /// The hash of a presented text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(Digest::of(text.as_bytes()))
    }
}

/// What a presented credential turned out to be.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A live one.
    Valid(Box<User>),
    /// A token that has ended at this time.
    Expired {
        /// The display part.
        display: String,
        /// When it ended.
        at: Timestamp,
    },
    /// A live one of a disabled user.
    Disabled,
    /// Nothing that is known, or revoked.
    Unknown,
}

/// What credentials stand for.
#[async_trait]
pub trait IdentityStore: Send + Sync {
    /// What the hash of a token belongs to, at this time.
    async fn credential(&self, hash: &TokenHash, now: Timestamp) -> Result<Credential, StoreError>;

    /// What the hash of a session's cookie belongs to, at this time. One that has ended is unknown.
    async fn session(&self, hash: &TokenHash, now: Timestamp) -> Result<Credential, StoreError>;

    /// Raised by every change of users, groups, grants, tokens and sessions, before the change is answered.
    /// Answered from memory: every request asks.
    fn identity_generation(&self) -> u64;
}

/// All ports of this module together, as the services hold them.
pub trait Directory: IdentityStore + UserStore + GroupStore + GrantStore + TokenStore + SessionStore {}

impl<T: IdentityStore + UserStore + GroupStore + GrantStore + TokenStore + SessionStore> Directory for T {}

/// A part of a list: entries in order of their ids, which is the order of creation.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// The last entry already seen.
    pub after: Option<Uuid>,
    /// At most so many.
    pub limit: u32,
}

/// How a change of a record ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edited<T> {
    /// Done.
    Done(T),
    /// There is no such record.
    Absent,
    /// The record no longer has the revision that the change was made for.
    Stale,
    /// Nobody would be left to administer the instance.
    LastAdministrator,
}

/// Declares the id of a kind of record.
macro_rules! ids {
    ($( $(#[$doc:meta])* $name:ident; )*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub uuid::Uuid);

        impl $name {
            /// A new one; later ones are greater.
            #[must_use]
            pub fn new() -> Self {
                Self(uuid::Uuid::now_v7())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )* };
}
use ids;

/// Checks a name of a user or a group: `[a-z0-9][a-z0-9._-]{0,63}`.
fn check_name(text: &str) -> Result<(), &'static str> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let first = text.bytes().next().is_some_and(plain);
    let rest = text.bytes().all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-'));
    if first && rest && text.len() <= 64 { Ok(()) } else { Err("a name is [a-z0-9][a-z0-9._-]{0,63}") }
}

/// Checks a text for people: one line, at most so many characters.
///
/// # Errors
/// Says the rule.
pub fn check_line(text: &str, characters: usize) -> Result<(), String> {
    if text.chars().count() <= characters && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(format!("one line of at most {characters} characters"))
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.issuer, self.subject)
    }
}
