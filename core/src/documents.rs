//! Documents that came from elsewhere and are kept: an upstream's indexes, an authority's answers, and what must be
//! remembered of them.
//!
//! ```text
//! owner                     name                               kept
//! repository 7              github.com/x/m/@v/list             the upstream's list, its validators, when it was fetched
//! repository 7              first-seen github.com/x/m          when each version was first listed
//! authority sum.golang.org  tile/8/0/x001/234                  32 × 256 bytes, checked
//! authority sum.golang.org  latest                             the signed tree head
//! ```
//!
//! They are not content: nothing refers to them, and losing one costs a question to the upstream. Only
//! [`DocumentStore::replace`] is more: what is remembered with it goes forward only.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use crate::artifact::StoreError;
use crate::repository::RepositoryId;
use crate::upstream::Validators;

/// To whom a document belongs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// A remote repository; its documents go when it goes.
    Repository(RepositoryId),
    /// An authority, by its address: two repositories that ask the same one share what it said.
    Authority(String),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(RepositoryId(id)) => write!(f, "repository {id}"),
            Self::Authority(address) => write!(f, "authority {address}"),
        }
    }
}

/// A kept document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDocument {
    /// Its bytes, as they came.
    pub body: Bytes,
    /// By what its sender tells whether it changed.
    pub validators: Validators,
    /// When it was fetched, or last found unchanged.
    pub fetched_at: Timestamp,
}

/// Keeps documents.
#[async_trait]
pub trait DocumentStore: Send + Sync {
    /// The document of that name.
    async fn recall(&self, of: &Owner, name: &str) -> Result<Option<KeptDocument>, StoreError>;

    /// Keeps a document in the place of the one that was there.
    async fn keep(&self, of: &Owner, name: &str, document: KeptDocument) -> Result<(), StoreError>;

    /// Keeps `new` if what is there has the bytes `old` (`None`: if nothing is there); `false` when it has others.
    /// Durable on return.
    async fn replace(&self, of: &Owner, name: &str, old: Option<&[u8]>, new: Bytes) -> Result<bool, StoreError>;

    /// Forgets one document, or with `None` all of an owner.
    async fn forget(&self, of: &Owner, name: Option<&str>) -> Result<(), StoreError>;
}
