//! The port of the end of repositories.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::MemoryStore;
use crate::artifact::{ArtifactId, ArtifactState, StoreError};
use crate::removal::{RemovalStep, RemovalStore, Retire, RetiredRepository, Retirement};
use crate::repository::{Actor, Repository, RepositoryAddress, RepositoryId};
use crate::source::Source;

#[async_trait]
impl RemovalStore for MemoryStore {
    async fn retire(&self, of: RepositoryId, how: Retire, _by: &Actor) -> Result<Retirement, StoreError> {
        let mut rows = self.call()?;
        let held = rows.counts(of);
        let present = rows.repositories.values().find(|one| one.id == of);
        if present.is_some_and(|present| how.revision.is_some_and(|revision| revision != present.revision)) {
            return Ok(Retirement::Stale);
        }
        if held.artifacts > 0 && !how.force {
            return Ok(Retirement::NotEmpty(held));
        }
        let at = rows.repositories.iter().find(|(_, one)| one.id == of).map(|(at, _)| at.clone());
        if let Some(at) = at
            && let Some(repository) = rows.repositories.remove(&at)
        {
            for one in rows.repositories.values_mut().filter(|one| one.address.format == at.format) {
                if let Some(rest) = one.source.members().and_then(|members| members.without(&at.name)) {
                    let changed = Repository {
                        source: Source::Virtual(Box::new(rest)),
                        revision: one.revision + 1,
                        ..Repository::clone(one)
                    };
                    *one = Arc::new(changed);
                }
            }
            rows.retired.insert(at, RetiredRepository { repository, deleting: true, released: how.release_name });
            rows.bump(of);
        }
        Ok(Retirement::Begun)
    }

    async fn release_name(&self, of: RepositoryId, _by: &Actor) -> Result<(), StoreError> {
        let mut rows = self.call()?;
        let retired = rows.retired.values_mut().filter(|one| one.repository.id == of);
        retired.for_each(|one| one.released = true);
        Ok(())
    }

    async fn retired(&self, at: &RepositoryAddress) -> Result<Option<RetiredRepository>, StoreError> {
        Ok(self.call()?.retired.get(at).cloned())
    }

    async fn unfinished(&self) -> Result<Vec<Arc<Repository>>, StoreError> {
        let rows = self.call()?;
        Ok(rows.retired.values().filter(|one| one.deleting).map(|one| one.repository.clone()).collect())
    }

    async fn remove_some(
        &self,
        of: RepositoryId,
        after: Option<ArtifactId>,
        limit: u32,
    ) -> Result<RemovalStep, StoreError> {
        let mut rows = self.call()?;
        let mut live: Vec<_> = rows
            .versions
            .values_mut()
            .map(|row| &mut row.artifact)
            .filter(|one| one.repository == of && one.state != ArtifactState::Deleted)
            .collect();
        let nothing_left = live.is_empty();
        live.sort_by_key(|artifact| artifact.id);
        live.retain(|artifact| after.is_none_or(|after| artifact.id > after));
        live.truncate(limit as usize);
        for artifact in &mut live {
            artifact.state = ArtifactState::Deleted;
            artifact.state_changed_at = Some(Timestamp::now());
            artifact.files.clear();
        }
        let step = RemovalStep {
            versions: live.len() as u64,
            last: live.last().map(|artifact| artifact.id),
            finished: nothing_left,
        };
        if nothing_left {
            rows.quotas.remove(&of);
            rows.retired.values_mut().filter(|one| one.repository.id == of).for_each(|one| one.deleting = false);
        }
        Ok(step)
    }
}
