//! The port of retention.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;

use super::quotas::after;
use super::store::{MemoryStore, Rows};
use crate::artifact::{ArtifactState, PackageName, StoreError};
use crate::repository::{Actor, RepositoryId};
use crate::retention::{Candidate, Day, Doomed, PackageVersions, RetentionStore, Rules, SetRules, day_of};
use crate::uses::Use;

#[async_trait]
impl RetentionStore for MemoryStore {
    async fn rules(&self, of: RepositoryId) -> Result<Option<SetRules>, StoreError> {
        Ok(self.call()?.rules.get(&of).cloned())
    }

    async fn set_rules(
        &self,
        of: RepositoryId,
        rules: Rules,
        expected: Option<i64>,
        by: &Actor,
    ) -> Result<bool, StoreError> {
        let mut rows = self.call()?;
        let present = SetRules::revision(rows.rules.get(&of));
        if expected.is_some_and(|expected| expected != present) {
            return Ok(false);
        }
        if rules.list().is_empty() {
            rows.rules.remove(&of);
        } else {
            rows.rules.insert(of, SetRules { rules, by: by.login.clone(), at: after(present) });
        }
        Ok(true)
    }

    async fn uses_known_since(&self) -> Result<Day, StoreError> {
        self.call().map(|_| 0)
    }

    async fn packages(&self, of: RepositoryId, after: i64, limit: u32) -> Result<Vec<PackageVersions>, StoreError> {
        let rows = self.call()?;
        let behind = rows.versions_by_package(of).into_iter().filter(|package| package.key > after);
        Ok(behind.take(limit as usize).collect())
    }

    async fn apply_rules(
        &self,
        of: RepositoryId,
        package: i64,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Doomed>, StoreError> {
        let mut rows = self.call()?;
        let Some(SetRules { rules, .. }) = rows.rules.get(&of).cloned() else { return Ok(Vec::new()) };
        let packages = rows.versions_by_package(of).into_iter().filter(|one| one.key == package);
        let mut doomed: Vec<_> = packages.flat_map(|package| rules.doomed(&package, 0, now)).collect();
        doomed.truncate(limit as usize);
        for one in &doomed {
            if let Some(row) = rows.version(of, &one.coordinate) {
                row.artifact.state = ArtifactState::Deleted;
                row.artifact.state_changed_at = Some(now);
                row.artifact.files.clear();
            }
            rows.bump(of);
        }
        Ok(doomed)
    }

    async fn record_uses(&self, uses: Vec<Use>) -> Result<(), StoreError> {
        let mut rows = self.call()?;
        for (of, what, at) in uses {
            if let Some(row) = rows.version(of, &what) {
                row.first_used_at = row.first_used_at.or(Some(at));
                row.last_used_on = row.last_used_on.max(Some(day_of(at)));
            }
        }
        Ok(())
    }
}

impl Rows {
    /// Packages by name; their keys are their places in that order, from 1.
    fn versions_by_package(&self, of: RepositoryId) -> Vec<PackageVersions> {
        let names: BTreeSet<PackageName> = self
            .versions
            .keys()
            .filter(|(repository, ..)| *repository == of)
            .map(|(_, name, _)| name.clone())
            .collect();
        let packages = names.into_iter().zip(1..).map(|(package, key)| {
            let rows = self.versions_of(of, &package);
            let live = rows.into_iter().filter(|row| row.artifact.state != ArtifactState::Deleted);
            let versions = live.map(|row| Candidate {
                id: row.artifact.id,
                version: row.artifact.coordinate.version.clone(),
                state: row.artifact.state,
                published_at: row.artifact.published_at,
                last_used_on: row.last_used_on,
                pinned: row.artifact.pinned,
                bytes: row.artifact.files.iter().map(|file| file.content.size()).sum(),
            });
            PackageVersions { key, versions: versions.collect(), package: package.clone() }
        });
        packages.collect()
    }
}
