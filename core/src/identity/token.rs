//! Tokens as they are kept. Their text is shown once, when it is made, and never kept.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Login, TokenHash, Window, ids};
use crate::access::Scope;
use crate::artifact::{Page, StoreError};
use crate::repository::Actor;

ids! {
    /// The id of a token.
    TokenId;
}

/// A token about to be kept.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What is kept of its text.
    pub hash: TokenHash,
    /// Its first characters, for display.
    pub display: String,
    /// What it is for.
    pub name: String,
    /// The login of its owner.
    pub owner: Login,
    /// What it allows.
    pub scope: Scope,
    /// When it ends; `None` never does.
    pub expires_at: Option<Timestamp>,
}

/// A token as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// The id.
    pub id: TokenId,
    /// Its first characters.
    pub display: String,
    /// What it is for.
    pub name: String,
    /// The login of its owner.
    pub owner: Login,
    /// What it allows.
    pub scope: Scope,
    /// When it ends; `None` never does.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The login of whoever made it.
    pub created_by: String,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was used last, exact to the hour.
    pub used_at: Option<Timestamp>,
    /// From where it was used last.
    pub used_from: Option<String>,
}

/// Keeps tokens. Every change writes its audit row in the same transaction.
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// A new token of an existing user; `AlreadyExists` when the hash is known.
    async fn create_token(&self, token: NewToken, by: &Actor) -> Result<TokenId, StoreError>;

    /// The token of an id.
    async fn token(&self, id: TokenId) -> Result<Option<TokenRecord>, StoreError>;

    /// Tokens: all, or those of one owner. Revoked ones are left out.
    async fn tokens(&self, owner: Option<&Login>, window: Window) -> Result<Page<TokenRecord>, StoreError>;

    /// Revokes a token; from the answer on it is unknown. `false` when it is not there or was revoked before.
    async fn revoke_token(&self, id: TokenId, by: &Actor) -> Result<bool, StoreError>;

    /// Notes a use. No change of what anybody may do: it is not audited and raises no generation.
    async fn token_used(&self, id: TokenId, at: Timestamp, from: Option<&str>) -> Result<(), StoreError>;
}
