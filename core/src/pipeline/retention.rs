//! Retention: what rules would remove, and its removal; and the last uses that they look at.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::Keeper;
use crate::artifact::{ArtifactId, Coordinate};
use crate::error::Failure;
use crate::limits::{REMOVAL_BATCH, RETENTION_PACKAGES};
use crate::repository::{Deletion, Repository, RepositoryId};
use crate::retention::{Doomed, PackageVersions, Rules};

/// What rules would remove.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetentionPlan {
    /// Versions.
    pub versions: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// One page of them, by id: the first published first.
    pub items: Vec<Doomed>,
    /// Whether more follow.
    pub more: bool,
}

impl Keeper {
    /// What these rules would remove from a repository now. `after` and `limit` choose the page; the totals
    /// are those of all.
    ///
    /// # Errors
    /// What the store reports.
    pub async fn retention_plan(
        &self,
        repository: &Repository,
        rules: &Rules,
        after: Option<ArtifactId>,
        limit: usize,
    ) -> Result<RetentionPlan, Failure> {
        let (mut plan, mut page) = (RetentionPlan::default(), BTreeMap::new());
        if repository.deletion == Deletion::Never || rules.list().is_empty() {
            return Ok(plan);
        }
        let lifecycle = &self.ports.lifecycle;
        let (known_since, now, mut last) = (lifecycle.uses_known_since().await?, Timestamp::now(), 0);
        loop {
            let packages = lifecycle.packages(repository.id, last, RETENTION_PACKAGES).await?;
            let Some(package) = packages.last() else { break };
            last = package.key;
            for doomed in packages.iter().flat_map(|package| rules.doomed(package, known_since, now)) {
                plan.versions += 1;
                plan.bytes += doomed.candidate.bytes;
                if after.is_none_or(|after| doomed.candidate.id > after) {
                    page.insert(doomed.candidate.id, doomed);
                }
                if page.len() > limit {
                    page.pop_last();
                    plan.more = true;
                }
            }
        }
        plan.items = page.into_values().collect();
        Ok(plan)
    }

    /// Removes what the rules of all repositories say at this time. Answers how many versions went.
    ///
    /// # Errors
    /// What the store reports; what was removed stays removed, the next call goes on.
    pub async fn apply_retention(
        &self,
        now: Timestamp,
        goes_on: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<u64, Failure> {
        let mut removed = 0;
        for repository in self.ports.repositories.list().await? {
            removed += self.apply_rules_of(&repository, now, goes_on).await?;
        }
        Ok(removed)
    }

    async fn apply_rules_of(
        &self,
        repository: &Arc<Repository>,
        now: Timestamp,
        goes_on: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<u64, Failure> {
        let lifecycle = &self.ports.lifecycle;
        let set = lifecycle.rules(repository.id).await?;
        let Some(set) = set.filter(|_| repository.deletion != Deletion::Never) else { return Ok(0) };
        let (known_since, mut removed, mut last) = (lifecycle.uses_known_since().await?, 0, 0);
        while goes_on() {
            let packages = lifecycle.packages(repository.id, last, RETENTION_PACKAGES).await?;
            let Some(package) = packages.last() else { break };
            last = package.key;
            // Only what looks like work is asked of the writer, who looks again.
            let is_work = |package: &&PackageVersions| !set.rules.doomed(package, known_since, now).is_empty();
            for package in packages.iter().filter(is_work) {
                removed += self.thin_out(repository.id, package.key, now, goes_on).await?;
            }
        }
        if removed > 0 {
            tracing::info!(repository.name = %repository.address, versions = removed, "retention removed versions");
        }
        Ok(removed)
    }

    /// A few versions at a time, until the rules say nothing more of the package.
    async fn thin_out(
        &self,
        of: RepositoryId,
        package: i64,
        now: Timestamp,
        goes_on: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<u64, Failure> {
        let mut removed = 0;
        while goes_on() {
            let gone = self.ports.lifecycle.apply_rules(of, package, now, REMOVAL_BATCH).await?;
            removed += gone.len() as u64;
            if gone.len() < REMOVAL_BATCH as usize {
                break;
            }
        }
        Ok(removed)
    }

    /// A version was downloaded. Costs a look into memory.
    pub fn note_use(&self, of: RepositoryId, what: &Coordinate) {
        self.uses.note(of, what);
    }

    /// Writes last uses down. Answers how many.
    ///
    /// # Errors
    /// What the store reports; the uses wait for the next call.
    pub async fn record_uses(&self) -> Result<u64, Failure> {
        let uses = self.uses.take();
        let count = uses.len() as u64;
        if count > 0
            && let Err(error) = self.ports.lifecycle.record_uses(uses.clone()).await
        {
            self.uses.give_back(uses);
            return Err(error.into());
        }
        Ok(count)
    }
}
