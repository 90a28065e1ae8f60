//! The end of a repository, and the port that keeps what is left of one.
//!
//! Shape of a life: `active` → `deleting` (nobody finds it, its versions are removed a few at a time) →
//! `deleted` (its tombstones stay, and its name stays taken) → `active` again, if an administrator has released
//! the name and somebody makes a repository of it. The tombstones are there then as well: a number that was
//! published once under this name never gets other content, whoever owns the name.

use std::sync::Arc;

use async_trait::async_trait;

use crate::artifact::{ArtifactId, StoreError};
use crate::repository::{Actor, Counts, Repository, RepositoryAddress, RepositoryId};

/// A repository that is not there any more.
#[derive(Debug, Clone)]
pub struct RetiredRepository {
    /// Its last record.
    pub repository: Arc<Repository>,
    /// Whether its versions are still being removed.
    pub deleting: bool,
    /// Whether its name may be taken again, once they are.
    pub released: bool,
}

/// What is asked of a deletion.
#[derive(Debug, Clone, Copy, Default)]
pub struct Retire {
    /// Also when it holds versions, or is a member of virtual repositories, which lose it.
    pub force: bool,
    /// Its name may be taken again.
    pub release_name: bool,
    /// The revision that it must still have.
    pub revision: Option<i64>,
}

/// How the beginning of the end came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retirement {
    /// It is hidden now.
    Begun,
    /// It holds versions, and that was not to be ignored: nothing changed.
    NotEmpty(Counts),
    /// It has another revision than the one asked for: nothing changed.
    Stale,
}

/// One step of the removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemovalStep {
    /// Versions removed.
    pub versions: u64,
    /// The last of them: the next step goes on behind it.
    pub last: Option<ArtifactId>,
    /// Whether nothing is left, and the repository is deleted.
    pub finished: bool,
}

/// Keeps retired repositories. Every change writes its audit row in the same transaction.
#[async_trait]
pub trait RemovalStore: Send + Sync {
    /// Hides a repository at once and for good; with `force` also one that holds versions. Virtual repositories that
    /// have it as a member lose it. Repeating it on a retired one is harmless.
    async fn retire(&self, of: RepositoryId, how: Retire, by: &Actor) -> Result<Retirement, StoreError>;

    /// Lets the name of a retired repository be taken again.
    async fn release_name(&self, of: RepositoryId, by: &Actor) -> Result<(), StoreError>;

    /// The retired repository at an address.
    async fn retired(&self, at: &RepositoryAddress) -> Result<Option<RetiredRepository>, StoreError>;

    /// Repositories whose versions are still being removed.
    async fn unfinished(&self) -> Result<Vec<Arc<Repository>>, StoreError>;

    /// Turns up to so many versions of a retired repository, behind `after` by id, into tombstones; the step
    /// that finds nothing left ends the removal. One transaction.
    async fn remove_some(
        &self,
        of: RepositoryId,
        after: Option<ArtifactId>,
        limit: u32,
    ) -> Result<RemovalStep, StoreError>;
}
