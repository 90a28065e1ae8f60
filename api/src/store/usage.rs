//! The port of quotas, and the totals that every change of a repository's content keeps.
//!
//! A repository has one row of totals. The statement that adds a version to it is the one that keeps the
//! quota: it changes the row only if the sum stays within the limits, and so decides for two publishers at
//! once which of them gets the last place.

use async_trait::async_trait;
use jiff::Timestamp;
use keeper_core::artifact::StoreError;
use keeper_core::quota::{Quota, QuotaStore, SetQuota, Usage};
use keeper_core::repository::{Actor, Counts, RepositoryAddress, RepositoryId};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;

use super::Store;
use super::audit;
use super::sql::{corrupt, execute, micros, one, timestamp};

#[async_trait]
impl QuotaStore for Store {
    async fn usage(&self, of: RepositoryId) -> Result<Usage, StoreError> {
        read(&self.readers, of).await
    }

    async fn set_quota(
        &self,
        of: RepositoryId,
        quota: Quota,
        expected: Option<i64>,
        by: &Actor,
    ) -> Result<Option<Usage>, StoreError> {
        let (address, by) = (self.address(of).await?, by.clone());
        self.writer.submit(move |on| Box::pin(set(on, of, address, quota, expected, by)), |_| ()).await
    }
}

/// The row of a repository that is made.
pub(super) async fn open(on: &impl ConnectionTrait, of: RepositoryId) -> Result<(), StoreError> {
    let statement = "INSERT INTO usage (repository, packages, artifacts, bytes) VALUES ($1, 0, 0, 0) \
                     ON CONFLICT (repository) DO NOTHING";
    execute(on, statement, [of.0.into()]).await.map(drop)
}

const ADD: &str = "UPDATE usage SET artifacts = artifacts + $4, bytes = bytes + $2, packages = packages + $3 \
    WHERE repository = $1 AND (limit_bytes IS NULL OR bytes + $2 <= limit_bytes) \
    AND ($4 = 0 OR limit_artifacts IS NULL OR artifacts + $4 <= limit_artifacts) \
    AND EXISTS (SELECT 1 FROM repositories WHERE id = $1 AND state = 'active')";

/// Counts what is new, unless it is too much.
pub(super) async fn add(on: &impl ConnectionTrait, of: RepositoryId, more: Counts) -> Result<(), StoreError> {
    let values = [of.0.into(), stored(more.bytes).into(), stored(more.packages).into(), stored(more.artifacts).into()];
    if execute(on, ADD, values).await? == 1 {
        return Ok(());
    }
    let usage = read(on, of).await?;
    let quota = usage.limit.as_ref().map(|limit| limit.quota).unwrap_or_default();
    // What still fits was refused for the other reason: the repository is on its way out.
    Err(if quota.admits(&usage.used, &more) { StoreError::Retired } else { StoreError::OverQuota(Box::new(usage)) })
}

const SUBTRACT: &str = "UPDATE usage SET artifacts = artifacts - $2, bytes = bytes - $3, packages = packages - $4 \
    WHERE repository = $1";

/// Counts what has gone.
pub(super) async fn subtract(on: &impl ConnectionTrait, of: RepositoryId, gone: Counts) -> Result<(), StoreError> {
    let values = [of.0.into(), stored(gone.artifacts).into(), stored(gone.bytes).into(), stored(gone.packages).into()];
    execute(on, SUBTRACT, values).await.map(drop)
}

const SET: &str =
    "UPDATE usage SET limit_bytes = $2, limit_artifacts = $3, limit_by = $4, limit_at = $5 WHERE repository = $1";

async fn set(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    address: RepositoryAddress,
    quota: Quota,
    expected: Option<i64>,
    by: Actor,
) -> Result<Option<Usage>, StoreError> {
    let present = read(on, of).await?;
    let revision = present.revision();
    if expected.is_some_and(|expected| expected != revision) {
        return Ok(None);
    }
    let before = present.limit.map(|limit| limit.quota).unwrap_or_default();
    let values = [
        of.0.into(),
        quota.bytes.map(stored).into(),
        quota.artifacts.map(stored).into(),
        by.login.as_str().into(),
        later_than(revision).into(),
    ];
    execute(on, SET, values).await?;
    let told = |quota: Quota| json!({ "bytes": quota.bytes, "artifacts": quota.artifacts });
    let detail = json!({ "from": told(before), "to": told(quota) });
    audit::record(on, &by, "repository.quota", address.to_string(), detail).await?;
    read(on, of).await.map(Some)
}

/// The time now in microseconds, later than a revision, which is one: two changes never have the same.
pub(super) fn later_than(revision: i64) -> i64 {
    micros(Timestamp::now()).max(revision.saturating_add(1))
}

const SELECT: &str = "SELECT packages, artifacts, bytes, limit_bytes, limit_artifacts, limit_by, limit_at \
                      FROM usage WHERE repository = $1";

/// What a repository holds and may hold; of an unknown one nothing.
pub(super) async fn read(on: &impl ConnectionTrait, of: RepositoryId) -> Result<Usage, StoreError> {
    let row: Option<Row> = one(on, SELECT, [of.0.into()]).await?;
    row.map_or_else(|| Ok(Usage::default()), Row::parse)
}

#[derive(FromQueryResult)]
struct Row {
    packages: i64,
    artifacts: i64,
    bytes: i64,
    limit_bytes: Option<i64>,
    limit_artifacts: Option<i64>,
    limit_by: Option<String>,
    limit_at: Option<i64>,
}

impl Row {
    fn parse(self) -> Result<Usage, StoreError> {
        let used =
            Counts { packages: number(self.packages)?, artifacts: number(self.artifacts)?, bytes: number(self.bytes)? };
        let quota = Quota {
            bytes: self.limit_bytes.map(number).transpose()?,
            artifacts: self.limit_artifacts.map(number).transpose()?,
        };
        let limit = match (self.limit_by, self.limit_at) {
            (Some(by), Some(at)) if quota != Quota::default() => Some(SetQuota { quota, by, at: timestamp(at)? }),
            _ => None,
        };
        Ok(Usage { used, limit })
    }
}

/// A stored total.
pub(super) fn number(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|error| corrupt("a total", error))
}

/// A number as it is stored; the largest stands for what is larger.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
