//! What the server can say of itself at any moment. Nothing here costs more when more is stored.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use keeper_core::artifact::StoreError;
use keeper_core::jobs::{JobRecord, JobStore};
use keeper_core::scrubber::{BrokenBlob, CheckBook as _};

use crate::config::Config;
use crate::store::{Store, StoreSize};

/// Damaged files that are shown.
const DAMAGED_SHOWN: u32 = 20;

/// Collects it.
pub struct Status {
    began: Instant,
    began_at: Timestamp,
    store: Arc<Store>,
    kinds: Kinds,
    /// The database's file, where it is one.
    database: Option<PathBuf>,
    /// The folder whose disk fills up.
    disk: PathBuf,
}

/// What the server stands on.
#[derive(Debug, Clone, Copy)]
pub struct Kinds {
    /// `sqlite` or `postgres`.
    pub database: &'static str,
    /// `disk` or `s3`.
    pub storage: &'static str,
}

/// What it said.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What the server stands on.
    pub kinds: Kinds,
    /// When the server started.
    pub began_at: Timestamp,
    /// How long ago, by the monotonic clock.
    pub uptime: Duration,
    /// What the database holds and its length.
    pub store: StoreSize,
    /// Bytes of the log of a database that is a file.
    pub log_bytes: u64,
    /// Bytes that can still be stored; absent when the system does not say.
    pub free_bytes: Option<u64>,
    /// Bytes of the whole disk.
    pub total_bytes: Option<u64>,
    /// How many stored files are known to be damaged or missing, and the first of them.
    pub damaged: (u64, Vec<BrokenBlob>),
    /// Background work.
    pub jobs: Vec<JobRecord>,
}

impl Status {
    /// Of a server that starts now with this data folder.
    #[must_use]
    pub fn new(store: Arc<Store>, config: &Config, data: &Path) -> Self {
        Self {
            began: Instant::now(),
            began_at: Timestamp::now(),
            store,
            kinds: Kinds { database: config.database.kind(), storage: config.storage.kind() },
            database: config.database.file().map(Path::to_owned),
            disk: config.storage.folder().unwrap_or(data).to_owned(),
        }
    }

    /// As it is now.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn now(&self) -> Result<Snapshot, StoreError> {
        let disk = rustix::fs::statvfs(&self.disk).ok();
        let log = self.database.as_ref().map(|file| {
            let mut log = file.as_os_str().to_owned();
            log.push("-wal");
            log
        });
        Ok(Snapshot {
            kinds: self.kinds,
            began_at: self.began_at,
            uptime: self.began.elapsed(),
            store: self.store.size().await?,
            log_bytes: log.and_then(|log| std::fs::metadata(log).ok()).map_or(0, |metadata| metadata.len()),
            free_bytes: disk.as_ref().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
            total_bytes: disk.as_ref().map(|disk| disk.f_blocks.saturating_mul(disk.f_frsize)),
            damaged: self.store.broken(DAMAGED_SHOWN).await?,
            jobs: self.store.jobs().await?,
        })
    }
}
