//! The port of quotas.

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::{MemoryStore, Rows};
use crate::artifact::{ArtifactFile, StoreError};
use crate::quota::{Quota, QuotaStore, SetQuota, Usage};
use crate::repository::{Actor, Counts, RepositoryId};

#[async_trait]
impl QuotaStore for MemoryStore {
    async fn usage(&self, of: RepositoryId) -> Result<Usage, StoreError> {
        Ok(self.call()?.usage(of))
    }

    async fn set_quota(
        &self,
        of: RepositoryId,
        quota: Quota,
        expected: Option<i64>,
        by: &Actor,
    ) -> Result<Option<Usage>, StoreError> {
        let mut rows = self.call()?;
        let present = rows.usage(of).revision();
        if expected.is_some_and(|expected| expected != present) {
            return Ok(None);
        }
        if quota == Quota::default() {
            rows.quotas.remove(&of);
        } else {
            rows.quotas.insert(of, SetQuota { quota, by: by.login.clone(), at: after(present) });
        }
        Ok(Some(rows.usage(of)))
    }
}

/// The time now, which is later than that of a revision.
pub(super) fn after(revision: i64) -> Timestamp {
    let next = Timestamp::from_microsecond(revision.saturating_add(1)).unwrap_or(Timestamp::MAX);
    Timestamp::now().max(next)
}

impl Rows {
    fn usage(&self, of: RepositoryId) -> Usage {
        Usage { used: self.counts(of), limit: self.quotas.get(&of).cloned() }
    }

    /// Refuses these files, of so many new versions, where they are too much.
    pub(super) fn refuse_over_quota(
        &self,
        of: RepositoryId,
        new: &[ArtifactFile],
        artifacts: u64,
    ) -> Result<(), StoreError> {
        let usage = self.usage(of);
        let quota = usage.limit.as_ref().map(|limit| limit.quota).unwrap_or_default();
        let bytes = new.iter().map(|file| file.content.size()).sum();
        let more = Counts { packages: 0, artifacts, bytes };
        if quota.admits(&usage.used, &more) { Ok(()) } else { Err(StoreError::OverQuota(Box::new(usage))) }
    }
}
