//! The port of the collector's books.

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::{MemoryStore, Rows};
use crate::artifact::{ArtifactFile, FileContent, StoreError};
use crate::blob::{BlobInfo, BlobLocation};
use crate::digest::Digest;
use crate::ledger::{BlobLedger, LedgerEntry, StoredCopy, Stranger};
use crate::limits::REMOVAL_MEMORY;

#[async_trait]
impl BlobLedger for MemoryStore {
    async fn entries(&self, after: Option<Digest>, limit: u32) -> Result<Vec<LedgerEntry>, StoreError> {
        let rows = self.call()?;
        let behind = rows.blobs.values().filter(|row| after.is_none_or(|after| row.blob.location.digest() > after));
        let entries = behind.take(limit as usize).map(|row| LedgerEntry {
            blob: row.blob.clone(),
            recorded_at: row.recorded_at,
            referenced: rows.references(&row.blob),
        });
        Ok(entries.collect())
    }

    async fn discard(&self, copies: &[BlobInfo], unlink_after: Timestamp) -> Result<Vec<BlobInfo>, StoreError> {
        let mut rows = self.call()?;
        let mut discarded = Vec::new();
        for copy in copies {
            let live = rows.blobs.get(&copy.location.digest()).is_some_and(|row| row.blob.location == copy.location);
            if live && rows.references(copy) {
                continue;
            }
            if live {
                rows.blobs.remove(&copy.location.digest());
            }
            rows.sightings.remove(&copy.location);
            rows.trash.insert(copy.location.clone(), (copy.size, unlink_after));
            discarded.push(copy.clone());
        }
        Ok(discarded)
    }

    async fn trash(
        &self,
        now: Timestamp,
        after: Option<&BlobLocation>,
        limit: u32,
    ) -> Result<Vec<BlobInfo>, StoreError> {
        let rows = self.call()?;
        let due = rows.trash.iter().filter(|(location, (_, at))| *at <= now && after.is_none_or(|one| *location > one));
        let due = due.take(limit as usize);
        Ok(due.map(|(location, (size, _))| BlobInfo { location: location.clone(), size: *size }).collect())
    }

    async fn forget(&self, copies: &[BlobLocation], now: Timestamp) -> Result<(), StoreError> {
        let mut rows = self.call()?;
        for copy in copies {
            if rows.trash.remove(copy).is_some() {
                rows.removals.insert(copy.clone(), now);
            }
        }
        let before = now.saturating_sub(REMOVAL_MEMORY).unwrap_or(Timestamp::MIN);
        rows.removals.retain(|_, at| *at >= before);
        Ok(())
    }

    async fn strangers(
        &self,
        shelf: u8,
        stored: Vec<StoredCopy>,
        seen_at: Option<Timestamp>,
    ) -> Result<Vec<Stranger>, StoreError> {
        let mut rows = self.call()?;
        let known = |rows: &Rows, at: &BlobLocation| {
            rows.trash.contains_key(at) || rows.blobs.get(&at.digest()).is_some_and(|row| row.blob.location == *at)
        };
        let unknown = stored.into_iter().filter(|copy| !known(&rows, &copy.blob.location));
        let strangers: Vec<_> = unknown
            .map(|copy| Stranger { first_seen_at: rows.sightings.get(&copy.blob.location).copied(), copy })
            .collect();
        if let Some(now) = seen_at {
            rows.sightings.retain(|location, _| location.digest().as_bytes()[0] != shelf);
            let seen = strangers.iter().map(|one| (one.copy.blob.location.clone(), one.first_seen_at.unwrap_or(now)));
            rows.sightings.extend(seen);
        }
        Ok(strangers)
    }
}

impl Rows {
    fn references(&self, blob: &BlobInfo) -> bool {
        let files = self.versions.values().flat_map(|row| &row.artifact.files);
        files.filter_map(stored).any(|stored| stored.location == blob.location)
    }

    /// Whether a copy is gone or about to go.
    pub(super) fn is_waste(&self, at: &BlobLocation) -> bool {
        self.trash.contains_key(at) || self.removals.contains_key(at)
    }

    /// A row never names such a copy.
    pub(super) fn refuse_waste(&self, new: &[ArtifactFile]) -> Result<(), StoreError> {
        let doomed = new
            .iter()
            .filter_map(stored)
            .any(|blob| self.is_waste(&blob.location) && !self.blobs.contains_key(&blob.location.digest()));
        if doomed { Err(StoreError::TooLate) } else { Ok(()) }
    }
}

fn stored(file: &ArtifactFile) -> Option<&BlobInfo> {
    match &file.content {
        FileContent::Stored(blob) => Some(blob),
        FileContent::Inline(_) => None,
    }
}
