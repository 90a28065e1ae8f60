//! Whether anything can be written: looked at regularly, so that an upload is refused before its body is read and not by
//! a disk that is full in its middle.
//!
//! Shape: *on* → *full* when less is free than the reserve, and *on* again at one and a half times that; → *read-only*
//! when a small file cannot be written; → *gone* when the data folder is not the one that was opened any more. Reads are
//! not asked; changes of the database are refused while nothing at all can be written, and take what the reserve is for.
//!
//! Between two looks the bytes that are received are counted: nobody who was let in with room to spare eats the reserve
//! together with others.
//!
//! Who asks looks himself, on his own thread: some calls for what the system has in memory, which take microseconds on the
//! local disks that a data folder may be on. Another thread for each would cost more, and a crowd would start hundreds.
//!
//! Bounds: a look each [`PERIOD`], and when the disk has refused something; a small file is written every
//! [`PROBED_EACH`] looks, and at each while that fails.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use keeper_core::blob::{
    BlobError, BlobInfo, BlobLocation, BlobStore, ByteRange, ByteStream, Followed, ReadSeek, StagedBlob,
};
use keeper_core::digest::Digest;
use keeper_core::error::Failure;
use keeper_core::ledger::WalkableBlobs;
use rustix::fs::{StatVfs, StatVfsMountFlags};
use tokio_util::sync::CancellationToken;

use super::durable::refused_write;
use crate::datadir::Anchor;

/// Time between two looks.
const PERIOD: Duration = Duration::from_secs(5);
const PROBED_EACH: u32 = 12;
/// The reserve when none is configured: this much, or so many hundredths of a disk on which that is less.
const RESERVE_BYTES: u64 = 1 << 30;
const RESERVE_PERCENT: u64 = 2;
/// Bytes that may be under receipt together when none are configured; half of what is free, if that is less.
const RECEIVING_BYTES: u64 = 16 << 30;
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
    /// Nothing: the folder is not there any more, or another one is in its place.
    Gone,
}

impl Writes {
    /// The code that says it; `None` when there is nothing to say.
    #[must_use]
    pub fn code(self) -> Option<&'static str> {
        match self {
            Self::On => None,
            Self::Full { .. } => Some("disk_full"),
            Self::ReadOnly => Some("storage_read_only"),
            Self::Gone => Some("storage_unavailable"),
        }
    }
}

/// What is watched.
#[derive(Debug)]
pub struct Watched {
    /// Where files are received; a probe is written there.
    pub tmp: PathBuf,
    /// Other folders whose disks may fill up.
    pub others: Vec<PathBuf>,
    /// By which the data folder is known.
    pub anchor: Arc<Anchor>,
    /// The disk was read-only when everything was opened: nothing is written before another start, whatever becomes of it.
    pub frozen: bool,
}

/// How much room there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that are free besides the reserve.
    pub above_reserve: u64,
    /// Bytes that may be under receipt together.
    pub receiving: u64,
}

/// Watches the folders that are written to.
#[derive(Debug)]
pub struct Guard {
    watched: Watched,
    bounds: SpaceBounds,
    state: Mutex<(Writes, Timestamp)>,
    /// Bytes above the reserve at the last look, and those that were received since.
    left: AtomicU64,
    spent: AtomicU64,
}

/// What is configured of the disk; `None` depends on the disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpaceBounds {
    /// Bytes that stay free.
    pub reserve: Option<u64>,
    /// Bytes that may be under receipt together.
    pub receiving: Option<u64>,
}

impl Guard {
    /// Over these. Looks once.
    #[must_use]
    pub fn new(watched: Watched, bounds: SpaceBounds) -> Arc<Self> {
        let state = Mutex::new((Writes::On, Timestamp::now()));
        let guard = Self { watched, bounds, state, left: AtomicU64::new(0), spent: AtomicU64::new(0) };
        guard.look(true);
        Arc::new(guard)
    }

    /// What may be written, and since when.
    #[must_use]
    pub fn state(&self) -> (Writes, Timestamp) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for somebody who wants to write: before he is refused it is looked at once more, and whether the folder
    /// is there at all is looked at each time.
    pub fn asked(&self) -> (Writes, Timestamp) {
        if self.state().0 != Writes::On || !self.watched.anchor.holds() {
            self.look(false);
        }
        self.state()
    }

    /// How much can be received at this moment.
    #[must_use]
    pub fn room(&self) -> Room {
        let Ok(facts) = rustix::fs::statvfs(&self.watched.tmp) else {
            return Room { above_reserve: u64::MAX, receiving: u64::MAX };
        };
        let free = facts.f_bavail * facts.f_frsize;
        Room {
            above_reserve: free.saturating_sub(self.reserve_of(&facts)),
            receiving: self.bounds.receiving.unwrap_or_else(|| RECEIVING_BYTES.min(free / 2)),
        }
    }

    /// So many bytes are about to be written.
    fn spend(&self, bytes: u64) -> Result<(), BlobError> {
        let spent = self.spent.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if spent <= self.left.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.look(false);
        match self.state().0 {
            Writes::Full { .. } => Err(BlobError::Full(io::ErrorKind::StorageFull.into())),
            _ => Ok(()),
        }
    }

    fn reserve_of(&self, facts: &StatVfs) -> u64 {
        let whole = facts.f_blocks * facts.f_frsize;
        self.bounds.reserve.unwrap_or_else(|| RESERVE_BYTES.min(whole / 100 * RESERVE_PERCENT))
    }

    /// Whether the data folder is gone at this moment: what is not found is then not known to be absent.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        !self.watched.anchor.holds()
    }

    /// The disk has refused something: is it what keeps everybody from writing?
    fn noticed(&self, error: &BlobError) {
        if matches!(error, BlobError::Full(_) | BlobError::ReadOnly(_)) {
            self.look(true);
        }
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
            Writes::Gone => (
                BlobError::Io(io::ErrorKind::NotFound.into()),
                format!("the data folder is not there any more since {since}"),
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
            Writes::Gone => tracing::error!(
                "the data folder is not the one that was opened any more (moved, or something was mounted over it): \
                 nothing is written, and this server is not ready"
            ),
        }
    }

    fn found(&self, before: Writes, probe: bool) -> Writes {
        if !self.watched.anchor.holds() {
            return Writes::Gone;
        }
        let places = self.watched.others.iter().chain([&self.watched.tmp]);
        let facts: Vec<_> = places.filter_map(|place| rustix::fs::statvfs(place).ok()).collect();
        if self.watched.frozen || facts.iter().any(|facts| facts.f_flag.contains(StatVfsMountFlags::RDONLY)) {
            return Writes::ReadOnly;
        }
        if (probe || before == Writes::ReadOnly) && self.probe().is_err() {
            return Writes::ReadOnly;
        }
        let was_full = matches!(before, Writes::Full { .. });
        let above = |facts: &StatVfs| (facts.f_bavail * facts.f_frsize).saturating_sub(self.reserve_of(facts));
        self.left.store(facts.iter().map(above).min().unwrap_or(0), Ordering::Relaxed);
        self.spent.store(0, Ordering::Relaxed);
        for facts in facts {
            let (free, reserve) = (facts.f_bavail * facts.f_frsize, self.reserve_of(&facts));
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
        let path = self.watched.tmp.join(PROBE);
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
            Writes::On => {
                let stage = self.blobs.stage(limit_bytes).await?;
                Ok(Box::new(GuardedStage { stage, guard: self.guard.clone() }))
            }
            Writes::Gone => Err(BlobError::Io(io::ErrorKind::NotFound.into())),
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

/// Tells the guard what the disk refuses.
struct GuardedStage {
    stage: Box<dyn StagedBlob>,
    guard: Arc<Guard>,
}

#[async_trait]
impl StagedBlob for GuardedStage {
    async fn write(&mut self, chunk: Bytes) -> Result<(), BlobError> {
        self.guard.spend(chunk.len() as u64)?;
        self.stage.write(chunk).await.inspect_err(|error| self.guard.noticed(error))
    }

    async fn reader(&mut self) -> Result<Box<dyn ReadSeek>, BlobError> {
        self.stage.reader().await.inspect_err(|error| self.guard.noticed(error))
    }

    fn written(&self) -> (u64, Digest) {
        self.stage.written()
    }

    fn readable(&self) -> u64 {
        self.stage.readable()
    }

    async fn flush(&mut self) -> Result<(), BlobError> {
        self.stage.flush().await.inspect_err(|error| self.guard.noticed(error))
    }

    async fn follow(&mut self) -> Result<Arc<dyn Followed>, BlobError> {
        self.stage.follow().await.inspect_err(|error| self.guard.noticed(error))
    }

    async fn commit(self: Box<Self>) -> Result<BlobInfo, BlobError> {
        let Self { stage, guard } = *self;
        stage.commit().await.inspect_err(|error| guard.noticed(error))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::datadir::DataDir;

    fn guard(folder: &Path, reserve: u64) -> Arc<Guard> {
        let elsewhere = tempfile::tempdir().expect("a folder").keep();
        let anchor = DataDir::open(&elsewhere, None, true).expect("made").anchor();
        let bounds = SpaceBounds { reserve: Some(reserve), ..SpaceBounds::default() };
        Guard::new(Watched { tmp: folder.to_owned(), others: Vec::new(), anchor, frozen: false }, bounds)
    }

    #[test]
    fn what_is_received_between_two_looks_never_eats_the_reserve() {
        let folder = tempfile::tempdir().expect("a folder");
        let guard = guard(folder.path(), 0);
        assert!(guard.spend(1 << 20).is_ok());
        let room = guard.room();
        assert!(room.receiving <= RECEIVING_BYTES && room.receiving <= room.above_reserve, "{room:?}");
        // As if others had taken the rest since the last look, or the disk were full by now.
        guard.left.store(0, Ordering::Relaxed);
        assert!(guard.spend(1).is_ok(), "it looks again, and there is room");
        let full = self::guard(folder.path(), u64::MAX / 2);
        assert!(matches!(full.spend(1), Err(BlobError::Full(_))));
        assert_eq!(full.room().above_reserve, 0);
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
