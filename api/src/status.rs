//! What the server can say of itself at any moment. Nothing here costs more when more is stored.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use keeper_core::artifact::StoreError;
use keeper_core::jobs::{JobRecord, JobStore};

use crate::store::{Store, StoreSize};

/// Collects it.
pub struct Status {
    began: Instant,
    began_at: Timestamp,
    store: Arc<Store>,
    database: PathBuf,
    blobs: PathBuf,
}

/// What it said.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When the server started.
    pub began_at: Timestamp,
    /// How long ago, by the monotonic clock.
    pub uptime: Duration,
    /// What the database holds and its length.
    pub store: StoreSize,
    /// Bytes of the database's log.
    pub log_bytes: u64,
    /// Bytes that can still be stored; absent when the system does not say.
    pub free_bytes: Option<u64>,
    /// Bytes of the whole disk.
    pub total_bytes: Option<u64>,
    /// Background work.
    pub jobs: Vec<JobRecord>,
}

impl Status {
    /// Of a server that starts now.
    #[must_use]
    pub fn new(store: Arc<Store>, database: &Path, blobs: &Path) -> Self {
        Self {
            began: Instant::now(),
            began_at: Timestamp::now(),
            store,
            database: database.to_owned(),
            blobs: blobs.to_owned(),
        }
    }

    /// As it is now.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn now(&self) -> Result<Snapshot, StoreError> {
        let disk = rustix::fs::statvfs(&self.blobs).ok();
        let mut log = self.database.as_os_str().to_owned();
        log.push("-wal");
        Ok(Snapshot {
            began_at: self.began_at,
            uptime: self.began.elapsed(),
            store: self.store.size().await?,
            log_bytes: std::fs::metadata(log).map_or(0, |metadata| metadata.len()),
            free_bytes: disk.as_ref().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
            total_bytes: disk.as_ref().map(|disk| disk.f_blocks.saturating_mul(disk.f_frsize)),
            jobs: self.store.jobs().await?,
        })
    }
}
