//! The port of repositories.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::{MemoryStore, Rows};
use crate::artifact::{ArtifactState, StoreError};
use crate::repository::{
    Actor, Counts, FormatKey, Repository, RepositoryAddress, RepositoryDetails, RepositoryId, RepositoryStore,
};

#[async_trait]
impl RepositoryStore for MemoryStore {
    async fn find(&self, at: &RepositoryAddress) -> Result<Option<Arc<Repository>>, StoreError> {
        Ok(self.call()?.repositories.get(at).cloned())
    }

    async fn list(&self) -> Result<Vec<Arc<Repository>>, StoreError> {
        Ok(self.call()?.repositories.values().cloned().collect())
    }

    async fn create(
        &self,
        at: &RepositoryAddress,
        details: RepositoryDetails,
        _by: &Actor,
    ) -> Result<Arc<Repository>, StoreError> {
        let mut rows = self.call()?;
        if rows.repositories.contains_key(at) {
            return Err(StoreError::AlreadyExists);
        }
        let id = match rows.retired.get(at) {
            Some(retired) if retired.deleting || !retired.released => return Err(StoreError::AlreadyExists),
            Some(retired) => retired.repository.id,
            None => RepositoryId((rows.repositories.len() + rows.retired.len()) as i64 + 1),
        };
        rows.retired.remove(at);
        let (address, created_at) = (at.clone(), Timestamp::now());
        Ok(rows.keep(with(details, Identity { id, address, created_at, revision: 1 })))
    }

    async fn update(
        &self,
        of: RepositoryId,
        revision: i64,
        details: RepositoryDetails,
        _by: &Actor,
    ) -> Result<Option<Arc<Repository>>, StoreError> {
        let mut rows = self.call()?;
        let read = rows.repositories.values().find(|one| one.id == of && one.revision == revision);
        let changed = read.map(|before| {
            let Repository { id, ref address, created_at, revision, .. } = **before;
            with(details, Identity { id, address: address.clone(), created_at, revision: revision + 1 })
        });
        Ok(changed.map(|repository| rows.keep(repository)))
    }

    async fn counts(&self, of: RepositoryId) -> Result<Counts, StoreError> {
        Ok(self.call()?.counts(of))
    }
}

/// What of a repository its details do not hold.
struct Identity {
    id: RepositoryId,
    address: RepositoryAddress,
    created_at: Timestamp,
    revision: i64,
}

fn with(details: RepositoryDetails, identity: Identity) -> Repository {
    let RepositoryDetails { source, description, anonymous_read, default_upload, deletion, settings } = details;
    let Identity { id, address, created_at, revision } = identity;
    Repository {
        id,
        address,
        source,
        description,
        anonymous_read,
        default_upload,
        deletion,
        settings,
        created_at,
        revision,
    }
}

impl Rows {
    /// Totals of what a repository holds.
    pub(super) fn counts(&self, of: RepositoryId) -> Counts {
        let all = self.versions.values().map(|row| &row.artifact);
        let counted: Vec<_> = all.filter(|one| one.repository == of && one.state != ArtifactState::Deleted).collect();
        let packages: BTreeSet<_> = counted.iter().map(|artifact| &artifact.coordinate.package).collect();
        let bytes = counted.iter().flat_map(|artifact| &artifact.files).map(|file| file.content.size());
        Counts { packages: packages.len() as u64, artifacts: counted.len() as u64, bytes: bytes.sum() }
    }

    /// Keeps a new or changed record; at most one of a format stays the default.
    fn keep(&mut self, repository: Repository) -> Arc<Repository> {
        if repository.default_upload {
            self.give_up_default(&repository.address.format);
        }
        self.bump(repository.id);
        let kept = Arc::new(repository);
        self.repositories.insert(kept.address.clone(), kept.clone());
        kept
    }

    fn give_up_default(&mut self, format: &FormatKey) {
        let holder = self.repositories.values_mut().find(|one| one.address.format == *format && one.default_upload);
        if let Some(holder) = holder {
            let without = Repository { default_upload: false, revision: holder.revision + 1, ..(**holder).clone() };
            let id = without.id;
            *holder = Arc::new(without);
            self.bump(id);
        }
    }
}
