//! The rows of all three stores under one mutex: a call holds it from its first look to its last change, so
//! calls happen one after the other and each is whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;

use super::faults::Faults;
use crate::artifact::{Artifact, ArtifactState, Coordinate, Label, PackageName, SortKey, StoreError, VersionName};
use crate::audit::{AuditRow, Seal};
use crate::blob::{BlobInfo, BlobLocation};
use crate::digest::Digest;
use crate::documents::{KeptDocument, Owner};
use crate::identity::{
    GrantId, GrantRecord, GroupName, GroupRecord, Login, SessionId, SessionRecord, TokenHash, TokenId, TokenRecord,
    UserRecord,
};
use crate::jobs::JobRecord;
use crate::quota::SetQuota;
use crate::removal::RetiredRepository;
use crate::repository::{Repository, RepositoryAddress, RepositoryId};
use crate::retention::{Day, SetRules};

/// Repositories, artifacts and identities in memory.
#[derive(Debug)]
pub struct MemoryStore {
    rows: Mutex<Rows>,
    faults: Faults,
}

#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) repositories: BTreeMap<RepositoryAddress, Arc<Repository>>,
    pub(super) retired: BTreeMap<RepositoryAddress, RetiredRepository>,
    pub(super) generations: BTreeMap<RepositoryId, u64>,
    pub(super) versions: BTreeMap<(RepositoryId, PackageName, VersionName), VersionRow>,
    pub(super) labels: BTreeMap<(RepositoryId, PackageName), Vec<Label>>,
    /// The live copy of each digest; it stays when the last file goes, until the collector takes it.
    pub(super) blobs: BTreeMap<Digest, BlobRow>,
    pub(super) trash: BTreeMap<BlobLocation, (u64, Timestamp)>,
    /// Copies whose bytes are gone, and since when.
    pub(super) removals: BTreeMap<BlobLocation, Timestamp>,
    pub(super) sightings: BTreeMap<BlobLocation, Timestamp>,
    pub(super) quotas: BTreeMap<RepositoryId, SetQuota>,
    pub(super) rules: BTreeMap<RepositoryId, SetRules>,
    pub(super) jobs: BTreeMap<String, (String, JobRecord)>,
    pub(super) users: BTreeMap<Login, UserRow>,
    pub(super) groups: BTreeMap<GroupName, GroupRow>,
    pub(super) grants: BTreeMap<GrantId, GrantRecord>,
    pub(super) tokens: BTreeMap<TokenId, TokenRow>,
    pub(super) sessions: BTreeMap<SessionId, SessionRow>,
    pub(super) identity_generation: u64,
    pub(super) documents: BTreeMap<(Owner, String), KeptDocument>,
    pub(super) audit: Vec<AuditRow>,
    pub(super) seals: Vec<Seal>,
}

#[derive(Debug, Clone)]
pub(super) struct BlobRow {
    pub(super) blob: BlobInfo,
    pub(super) recorded_at: Timestamp,
}

#[derive(Debug)]
pub(super) struct VersionRow {
    pub(super) artifact: Artifact,
    pub(super) family: PackageName,
    pub(super) sort_key: SortKey,
    pub(super) first_used_at: Option<Timestamp>,
    pub(super) last_used_on: Option<Day>,
}

#[derive(Debug)]
pub(super) struct UserRow {
    pub(super) record: UserRecord,
    pub(super) password: Option<String>,
}

#[derive(Debug)]
pub(super) struct GroupRow {
    pub(super) record: GroupRecord,
    pub(super) members: BTreeSet<Login>,
}

#[derive(Debug)]
pub(super) struct TokenRow {
    pub(super) hash: TokenHash,
    pub(super) record: TokenRecord,
}

#[derive(Debug)]
pub(super) struct SessionRow {
    pub(super) hash: TokenHash,
    pub(super) login: Login,
    pub(super) record: SessionRecord,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self { rows: Mutex::default(), faults: Faults::none() }
    }

    /// Lets so many more calls succeed; the rest answer [`StoreError::Unavailable`] until
    /// [`recover`](Self::recover).
    pub fn fail_after(&self, calls: u64) {
        self.faults.fail_after(calls);
    }

    /// Ends the trouble.
    pub fn recover(&self) {
        self.faults.recover();
    }

    /// Puts a version into a state that no port sets yet; its files stay.
    ///
    /// # Panics
    /// When there is no such version.
    pub fn set_state(&self, of: RepositoryId, what: &Coordinate, state: ArtifactState, reason: &str) {
        let mut rows = self.locked();
        let row = rows.version(of, what).expect("a version whose state is set");
        row.artifact.state = state;
        reason.clone_into(&mut row.artifact.state_reason);
        row.artifact.state_changed_at = Some(Timestamp::now());
        rows.bump(of);
    }

    /// Changes the audit behind everybody's back, as a person at the database's own shell could.
    pub fn forge_audit(&self, forge: impl FnOnce(&mut Vec<AuditRow>, &mut Vec<Seal>)) {
        let mut rows = self.locked();
        let Rows { audit, seals, .. } = &mut *rows;
        forge(audit, seals);
    }

    /// The rows, whatever trouble was asked for.
    pub(super) fn locked(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().expect("nothing panics while it holds this lock")
    }

    /// The rows for one call of a port.
    pub(super) fn call(&self) -> Result<MutexGuard<'_, Rows>, StoreError> {
        if self.faults.pass() { Ok(self.locked()) } else { Err(StoreError::Unavailable("it was switched off".into())) }
    }

    /// The rows for one call that changes identities.
    pub(super) fn change(&self) -> Result<MutexGuard<'_, Rows>, StoreError> {
        let mut rows = self.call()?;
        rows.identity_generation += 1;
        Ok(rows)
    }
}

impl Rows {
    pub(super) fn version(&mut self, of: RepositoryId, what: &Coordinate) -> Option<&mut VersionRow> {
        self.versions.get_mut(&(of, what.package.clone(), what.version.clone()))
    }

    /// The versions of a package in the ecosystem's order.
    pub(super) fn versions_of(&self, of: RepositoryId, package: &PackageName) -> Vec<&VersionRow> {
        let of_package =
            |row: &&VersionRow| row.artifact.repository == of && row.artifact.coordinate.package == *package;
        let mut rows: Vec<_> = self.versions.values().filter(of_package).collect();
        rows.sort_by_key(|row| (&row.sort_key, &row.artifact.coordinate.version));
        rows
    }

    pub(super) fn bump(&mut self, of: RepositoryId) {
        *self.generations.entry(of).or_default() += 1;
    }
}
