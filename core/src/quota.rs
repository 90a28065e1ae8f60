//! Quotas: how much a repository may hold, and the port that keeps them.
//!
//! Shape: at most 10 GiB and at most 1,000 versions; either may be absent. Counted are the bytes of all files
//! of versions that are not deleted, each file once for each version: what blobs share is not subtracted, so
//! that what one team publishes never depends on what another one has.
//!
//! The limit is kept by the transaction that publishes, for two publishers at once must not both get the last
//! place. A limit below what is there refuses what comes; it removes nothing.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::artifact::StoreError;
use crate::error::{Failure, codes};
use crate::repository::{Actor, Counts, RepositoryAddress, RepositoryId};

/// What a repository may hold; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of all files.
    pub bytes: Option<u64>,
    /// Versions.
    pub artifacts: Option<u64>,
}

/// A quota and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetQuota {
    /// The limits.
    pub quota: Quota,
    /// The login that set them.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What a repository holds and may hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// What it holds.
    pub used: Counts,
    /// What it may hold, if somebody said so.
    pub limit: Option<SetQuota>,
}

impl Usage {
    /// Names the limit that is set, for changes that are made for just that one; 0 names none.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.limit.as_ref().map_or(0, |limit| limit.at.as_microsecond())
    }
}

impl Quota {
    /// Whether more still fits beside what is there. Files for a version that is there are no further version.
    #[must_use]
    pub fn admits(&self, used: &Counts, more: &Counts) -> bool {
        let within = |limit: Option<u64>, total: u64| limit.is_none_or(|limit| total <= limit);
        (more.artifacts == 0 || within(self.artifacts, used.artifacts.saturating_add(more.artifacts)))
            && within(self.bytes, used.bytes.saturating_add(more.bytes))
    }
}

/// The refusal of so many bytes more.
#[must_use]
pub fn exceeded(at: &RepositoryAddress, usage: &Usage, bytes: u64) -> Failure {
    let Usage { used, limit } = usage;
    let mut limits = Vec::new();
    let (quota, by) = limit.as_ref().map_or((Quota::default(), "nobody"), |limit| (limit.quota, limit.by.as_str()));
    limits.extend(quota.bytes.map(|limit| format!("{} of {limit} bytes", used.bytes)));
    limits.extend(quota.artifacts.map(|limit| format!("{} of {limit} versions", used.artifacts)));
    let holds = limits.join(" and ");
    let detail = format!("\"{at}\" holds {holds}, a limit set by {by}; this upload has {bytes} bytes");
    Failure::new(&codes::QUOTA_EXCEEDED, detail)
}

/// Keeps quotas. A change writes its audit row in the same transaction.
#[async_trait]
pub trait QuotaStore: Send + Sync {
    /// What a repository holds and may hold. Costs the same however much that is.
    async fn usage(&self, of: RepositoryId) -> Result<Usage, StoreError>;

    /// Sets both limits, under a new revision. `None` when the present one is not the expected one.
    async fn set_quota(
        &self,
        of: RepositoryId,
        quota: Quota,
        expected: Option<i64>,
        by: &Actor,
    ) -> Result<Option<Usage>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_admits_what_fits_to_the_last_byte() {
        let used = Counts { packages: 1, artifacts: 9, bytes: 90 };
        let rows = [
            (None, None, 1 << 60, true),
            (Some(100), None, 10, true),
            (Some(100), None, 11, false),
            (Some(80), None, 0, false),
            (None, Some(10), 1 << 60, true),
            (None, Some(9), 0, false),
            (Some(100), Some(9), 1, false),
            (Some(u64::MAX), Some(u64::MAX), u64::MAX, true),
        ];
        for (bytes, artifacts, more, fits) in rows {
            let more = Counts { packages: 0, artifacts: 1, bytes: more };
            assert_eq!(Quota { bytes, artifacts }.admits(&used, &more), fits, "{bytes:?} {artifacts:?} {more:?}");
        }
        let files = Counts { packages: 0, artifacts: 0, bytes: 10 };
        assert!(Quota { bytes: Some(100), artifacts: Some(8) }.admits(&used, &files), "files are no further version");
    }
}
