//! Whether anything can be written: looked at regularly, so that an upload is refused before its body is read and not by
//! a disk that is full in its middle.
//!
//! Shape: *on* → *full* when less is free than the reserve, and *on* again at one and a half times that; → *read-only*
//! when a small file cannot be written. Reads and changes of the database are not asked: the reserve is there for them.
//!
//! Bounds: a look each [`PERIOD`]; a small file is written every [`PROBED_EACH`] looks, and at each while that fails.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use keeper_core::blob::{BlobError, BlobInfo, BlobLocation, BlobStore, ByteRange, ByteStream, StagedBlob};
use keeper_core::error::Failure;
use keeper_core::ledger::WalkableBlobs;
use rustix::fs::StatVfsMountFlags;
use tokio_util::sync::CancellationToken;

use super::durable::refused_write;

/// Time between two looks.
const PERIOD: Duration = Duration::from_secs(5);
const PROBED_EACH: u32 = 12;
/// The reserve when none is configured: this much, or so many hundredths of a disk on which that is less.
const RESERVE_BYTES: u64 = 1 << 30;
const RESERVE_PERCENT: u64 = 2;
/// What is written to find out whether anything can be.
const PROBE: &str = "probe";

/// What may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// Everything.
    On,
    /// No more files: this much is free, and this much is kept.
    Full {
        /// Bytes.
        free: u64,
        /// Bytes.
        reserve: u64,
    },
    /// Nothing.
    ReadOnly,
}

impl Writes {
    /// The code that says it; `None` when there is nothing to say.
    #[must_use]
    pub fn code(self) -> Option<&'static str> {
        match self {
            Self::On => None,
            Self::Full { .. } => Some("disk_full"),
            Self::ReadOnly => Some("storage_read_only"),
        }
    }
}

/// Watches the folders that are written to.
#[derive(Debug)]
pub struct Guard {
    /// Where files are received; a probe is written there.
    tmp: PathBuf,
    /// Folders whose disks may fill up.
    places: Vec<PathBuf>,
    reserve: Option<u64>,
    state: Mutex<(Writes, Timestamp)>,
}

impl Guard {
    /// Of a folder where files are received and of others on which they are kept. Looks once.
    #[must_use]
    pub fn new(tmp: &Path, others: &[&Path], reserve: Option<u64>) -> Arc<Self> {
        let places = others.iter().map(|path| (*path).to_owned()).chain([tmp.to_owned()]).collect();
        let state = Mutex::new((Writes::On, Timestamp::now()));
        let guard = Self { tmp: tmp.to_owned(), places, reserve, state };
        guard.look(true);
        Arc::new(guard)
    }

    /// What may be written, and since when.
    #[must_use]
    pub fn state(&self) -> (Writes, Timestamp) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for somebody who wants to write: before he is refused it is looked at once more.
    fn asked(&self) -> (Writes, Timestamp) {
        if self.state().0 != Writes::On {
            self.look(false);
        }
        self.state()
    }

    /// Refuses what would write a file while that is impossible.
    ///
    /// # Errors
    /// `disk_full` or `storage_read_only`, with the time since when.
    pub fn check(&self) -> Result<(), Failure> {
        let (writes, since) = self.asked();
        let since = since.strftime("%Y-%m-%dT%H:%M:%SZ");
        let (error, detail) = match writes {
            Writes::On => return Ok(()),
            Writes::Full { free, reserve } => (
                BlobError::Full(io::ErrorKind::StorageFull.into()),
                format!("{free} bytes are free on the disk, and {reserve} are kept for deletions, since {since}"),
            ),
            Writes::ReadOnly => (
                BlobError::ReadOnly(io::ErrorKind::ReadOnlyFilesystem.into()),
                format!("nothing can be written to the disk since {since}"),
            ),
        };
        let mut failure = Failure::from(error).caused_by(&detail);
        // The caller is told no numbers of the machine; the log is.
        failure.retry_after_s = Some(60);
        Err(failure)
    }

    /// Looks now and then until the server stops.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut looks = 0_u32;
        while stop.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_some() {
            looks = looks.wrapping_add(1);
            let (this, probe) = (self.clone(), looks.is_multiple_of(PROBED_EACH));
            if let Err(error) = tokio::task::spawn_blocking(move || this.look(probe)).await {
                tracing::error!(%error, "the disk could not be looked at");
            }
        }
    }

    fn look(&self, probe: bool) {
        let (before, _) = self.state();
        let now = self.found(before, probe);
        if now.code() == before.code() {
            return;
        }
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = (now, Timestamp::now());
        match now {
            Writes::On => tracing::info!("files can be written again"),
            Writes::Full { free, reserve } => {
                tracing::error!(free, reserve, "the disk is full but for its reserve: uploads are refused");
            }
            Writes::ReadOnly => tracing::error!("nothing can be written to the disk: uploads are refused"),
        }
    }

    fn found(&self, before: Writes, probe: bool) -> Writes {
        let facts: Vec<_> = self.places.iter().filter_map(|place| rustix::fs::statvfs(place).ok()).collect();
        if facts.iter().any(|facts| facts.f_flag.contains(StatVfsMountFlags::RDONLY)) {
            return Writes::ReadOnly;
        }
        if (probe || before == Writes::ReadOnly) && self.probe().is_err() {
            return Writes::ReadOnly;
        }
        let was_full = matches!(before, Writes::Full { .. });
        for facts in facts {
            let (free, whole) = (facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize);
            let reserve = self.reserve.unwrap_or_else(|| RESERVE_BYTES.min(whole / 100 * RESERVE_PERCENT));
            let enough = if was_full { reserve + reserve / 2 } else { reserve };
            let nodes = facts.f_files == 0 || facts.f_favail > 0;
            if free < enough || !nodes {
                return Writes::Full { free, reserve };
            }
        }
        Writes::On
    }

    /// Writes a small file. A disk without room is not one that cannot be written to.
    fn probe(&self) -> Result<(), BlobError> {
        let path = self.tmp.join(PROBE);
        let written = fs::File::create(&path).and_then(|mut file| file.write_all(PROBE.as_bytes()));
        let _there_or_not = fs::remove_file(&path);
        match written.map_err(refused_write) {
            Err(error @ BlobError::ReadOnly(_)) => Err(error),
            _ => Ok(()),
        }
    }
}

/// A store that takes no new bytes while nothing can be written, whoever brings them.
pub struct Guarded {
    /// The store itself.
    pub blobs: Arc<dyn WalkableBlobs>,
    /// Says what may be written.
    pub guard: Arc<Guard>,
}

#[async_trait]
impl BlobStore for Guarded {
    async fn stage(&self, limit_bytes: u64) -> Result<Box<dyn StagedBlob>, BlobError> {
        match self.guard.asked().0 {
            Writes::On => self.blobs.stage(limit_bytes).await,
            Writes::Full { .. } => Err(BlobError::Full(io::ErrorKind::StorageFull.into())),
            Writes::ReadOnly => Err(BlobError::ReadOnly(io::ErrorKind::ReadOnlyFilesystem.into())),
        }
    }

    async fn open(&self, blob: &BlobInfo, range: Option<ByteRange>) -> Result<ByteStream, BlobError> {
        self.blobs.open(blob, range).await
    }

    async fn is_intact(&self, blob: &BlobInfo) -> Result<bool, BlobError> {
        self.blobs.is_intact(blob).await
    }

    async fn delete(&self, at: &BlobLocation) -> Result<bool, BlobError> {
        self.blobs.delete(at).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(folder: &Path, reserve: u64) -> Arc<Guard> {
        Guard::new(folder, &[], Some(reserve))
    }

    #[test]
    fn uploads_are_refused_below_the_reserve_and_taken_again_well_above_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let facts = rustix::fs::statvfs(folder.path()).expect("facts");
        let free = facts.f_bavail * facts.f_frsize;
        let of = |before, reserve| guard(folder.path(), reserve).found(before, true).code();
        let full = Writes::Full { free: 0, reserve: 0 };
        assert_eq!(of(Writes::On, 0), None);
        assert_eq!(of(Writes::On, free * 2), Some("disk_full"));
        assert_eq!(of(full, free / 2), None, "twice the reserve is free");
        assert_eq!(of(full, free / 10 * 9), Some("disk_full"), "a little more than the reserve is free");
        let refused = guard(folder.path(), free * 2).check().expect_err("refused");
        assert_eq!((refused.code().name, refused.retry_after_s), ("disk_full", Some(60)));
        assert!(fs::read_dir(folder.path()).expect("a folder").next().is_none(), "the probe is gone");
    }
}
