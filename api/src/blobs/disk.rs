//! Blobs as files of the data directory.
//!
//! ```text
//! <data>/blobs/sha256/9f/9f86…0a08.k3v5w7x2m4    mode 0440, never written again
//! <data>/tmp/4711-12                             being written by process 4711
//! ```
//!
//! The 256 folders are made, and made durable, when the store is opened, so that a publication never has to
//! sync more than the one folder its file lands in. Both trees must be on one file system: a rename across
//! two would be a copy.
//!
//! *Errors*: absence and a wrong length of a recorded blob are [`BlobError::Missing`] and
//! [`BlobError::Corrupt`], never "not found".

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use keeper_core::blob::{BlobError, BlobInfo, BlobLocation, BlobStore, ByteRange, ByteStream, StagedBlob};
use keeper_core::digest::Digest;
use keeper_core::ledger::{StoredCopy, WalkableBlobs};
use metrics::{Counter, counter};

use super::Restorable;
use super::durable::{Doomed, refused_write, sync_folder};
use super::lane::Lane;
use super::read::Reads;
use super::{read, staged};

/// Reads under way at once; the others wait. More than a disk can use, far fewer than the blocking pool has
/// threads, so that slow reads never keep password hashing or archive checks from running.
pub(super) const READS: usize = 64;

/// Writes and flushes under way at once, apart from the reads: a disk that is busy flushing still answers.
const WRITES: usize = 64;

/// The store of one data directory. Its owner holds the directory's lock.
#[derive(Clone)]
pub struct DiskBlobs {
    layout: Arc<Layout>,
    reads: Reads,
    writes: Lane,
    /// Blobs found missing or damaged when they were read.
    faults: Counter,
}

/// The two folders of the store.
#[derive(Debug)]
pub(super) struct Layout {
    blobs: PathBuf,
    pub(super) tmp: PathBuf,
}

impl Layout {
    /// For bytes that are only received here and stored elsewhere.
    pub(super) fn for_receiving(tmp: &Path) -> Self {
        Self { blobs: tmp.to_owned(), tmp: tmp.to_owned() }
    }

    /// The folder of a digest: its first two digits.
    pub(super) fn folder(&self, digest: Digest) -> PathBuf {
        self.blobs.join(&digest.to_hex()[..2])
    }

    fn path(&self, at: &BlobLocation) -> PathBuf {
        self.folder(at.digest()).join(at.as_str())
    }
}

impl DiskBlobs {
    /// Opens the store whose blobs lie below `blobs` and makes what is missing of its layout. Removes all that
    /// earlier processes left in `tmp`; the caller holds the lock of the data folder, so nothing there has an
    /// owner. Blocks: it is meant for the start.
    pub fn open(blobs: &Path, tmp: &Path) -> Result<Self, BlobError> {
        let layout = Layout { blobs: blobs.join("sha256"), tmp: tmp.to_owned() };
        make_folders(blobs, &layout).map_err(refused_write)?;
        refuse_two_file_systems(&layout)?;
        let swept = sweep(&layout.tmp).map_err(refused_write)?;
        if swept > 0 {
            tracing::info!(files = swept, "removed unfinished uploads of an earlier run");
        }
        Ok(Self::over(layout))
    }

    /// The same on a disk that is read-only: what is there is served, nothing is made or removed.
    pub(super) fn frozen(blobs: &Path, tmp: &Path) -> Self {
        Self::over(Layout { blobs: blobs.join("sha256"), tmp: tmp.to_owned() })
    }

    fn over(layout: Layout) -> Self {
        Self {
            layout: Arc::new(layout),
            reads: Reads::new(READS),
            writes: Lane::new("write", WRITES),
            faults: counter!("keeper_blob_faults_total"),
        }
    }
}

impl std::fmt::Debug for DiskBlobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiskBlobs").field("layout", &self.layout).finish_non_exhaustive()
    }
}

#[async_trait]
impl BlobStore for DiskBlobs {
    async fn stage(&self, limit_bytes: u64) -> Result<Box<dyn StagedBlob>, BlobError> {
        let (layout, writes, reads) = (self.layout.clone(), self.writes.clone(), self.reads.clone());
        Ok(Box::new(staged::DiskStage::new(layout, writes, reads, limit_bytes)))
    }

    async fn open(&self, blob: &BlobInfo, range: Option<ByteRange>) -> Result<ByteStream, BlobError> {
        let opened = read::open(self.reads.clone(), self.layout.path(&blob.location), blob, range).await;
        opened.inspect_err(|error| {
            if matches!(error, BlobError::Missing(_) | BlobError::Corrupt(..)) {
                self.faults.increment(1);
            }
        })
    }

    async fn is_intact(&self, blob: &BlobInfo) -> Result<bool, BlobError> {
        let (path, size) = (self.layout.path(&blob.location), blob.size);
        self.reads
            .lane
            .run(move || match fs::metadata(path) {
                Ok(metadata) => Ok(metadata.is_file() && metadata.len() == size),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(BlobError::Io(error)),
            })
            .await
    }

    // The folder is not synced: a copy that a power cut brings back is an orphan, which the collector's
    // next walk finds.
    async fn delete(&self, at: &BlobLocation) -> Result<bool, BlobError> {
        let path = self.layout.path(at);
        self.writes
            .run(move || match fs::remove_file(path) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(refused_write(error)),
            })
            .await
    }
}

#[async_trait]
impl Restorable for DiskBlobs {
    async fn restore(&self, blob: &BlobInfo, from: &Path) -> Result<(), BlobError> {
        if self.is_intact(blob).await? {
            return Ok(());
        }
        let (layout, blob, from) = (self.layout.clone(), blob.clone(), from.to_owned());
        self.writes.run(move || restore(&layout, &blob, &from)).await
    }
}

/// Bytes, then name, then folder, as for what is published.
fn restore(layout: &Layout, blob: &BlobInfo, from: &Path) -> Result<(), BlobError> {
    let mut doomed = Doomed::new(layout.tmp.join(blob.location.as_str()));
    let file = fs::File::create(doomed.path()).map_err(refused_write)?;
    super::judge(blob, fs::File::open(from)?, &file)?;
    file.set_permissions(fs::Permissions::from_mode(0o440)).map_err(refused_write)?;
    file.sync_all().map_err(refused_write)?;
    doomed.rename(layout.path(&blob.location)).map_err(refused_write)?;
    sync_folder(&layout.folder(blob.location.digest())).map_err(refused_write)?;
    doomed.keep();
    Ok(())
}

#[async_trait]
impl WalkableBlobs for DiskBlobs {
    async fn shelf(&self, first: u8) -> Result<Vec<StoredCopy>, BlobError> {
        let folder = self.layout.blobs.join(format!("{first:02x}"));
        self.reads.lane.run(move || Ok(copies_in(&folder)?)).await
    }
}

/// What is no blob of ours is left alone, and so is one that goes away while it is looked at.
fn copies_in(folder: &Path) -> io::Result<Vec<StoredCopy>> {
    let mut copies = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(location) = name.to_str().and_then(|name| BlobLocation::try_from(name).ok()) else { continue };
        let metadata = match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        let modified_at = Timestamp::try_from(metadata.modified()?).unwrap_or(Timestamp::MAX);
        copies.push(StoredCopy { blob: BlobInfo { location, size: metadata.len() }, modified_at });
    }
    Ok(copies)
}

/// Makes what is missing; the folders above the new ones are synced last, so that a crash leaves a part
/// that the next start completes.
fn make_folders(root: &Path, layout: &Layout) -> io::Result<()> {
    let is_new = !root.exists();
    fs::create_dir_all(&layout.blobs)?;
    fs::create_dir_all(&layout.tmp)?;
    for prefix in 0..=u8::MAX {
        let folder = layout.blobs.join(format!("{prefix:02x}"));
        match fs::create_dir(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            Err(error) => return Err(error),
        }
    }
    // Their entries are durable with their parent; what will lie in them is synced when it comes.
    sync_folder(&layout.blobs)?;
    sync_folder(root)?;
    match root.parent() {
        // Of a relative path of one segment: the current folder.
        Some(parent) if is_new && parent.as_os_str().is_empty() => sync_folder(Path::new(".")),
        Some(parent) if is_new => sync_folder(parent),
        _ => Ok(()),
    }
}

fn refuse_two_file_systems(layout: &Layout) -> Result<(), BlobError> {
    if fs::metadata(&layout.blobs)?.dev() == fs::metadata(&layout.tmp)?.dev() {
        return Ok(());
    }
    let text = format!(
        "{} and {} are on different file systems; put the data directory on one",
        layout.blobs.display(),
        layout.tmp.display()
    );
    Err(BlobError::Io(io::Error::new(io::ErrorKind::CrossesDevices, text)))
}

/// Removes the files in `tmp`; anything else there is not ours and stays.
pub(super) fn sweep(tmp: &Path) -> io::Result<usize> {
    sweep_but(tmp, |_| false)
}

/// The same, but for files whose names say that they stay.
pub(super) fn sweep_but(tmp: &Path, stays: fn(&str) -> bool) -> io::Result<usize> {
    let mut swept = 0;
    for entry in fs::read_dir(tmp)? {
        let entry = entry?;
        if entry.file_type()?.is_file() && !stays(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())?;
            swept += 1;
        }
    }
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt;

    use bytes::Bytes;
    use futures_util::StreamExt;
    use keeper_core::limits::IO_CHUNK_BYTES;
    use tempfile::TempDir;

    use super::*;

    fn store() -> (TempDir, DiskBlobs) {
        let root = tempfile::tempdir().expect("a temporary folder");
        let store = DiskBlobs::open(&root.path().join("blobs"), &root.path().join("tmp")).expect("a fresh store opens");
        (root, store)
    }

    fn sample(length: usize) -> Bytes {
        (0..length).map(|at| (at * 31 % 251) as u8).collect::<Vec<u8>>().into()
    }

    async fn stored(store: &DiskBlobs, bytes: &Bytes) -> BlobInfo {
        let mut stage = store.stage(bytes.len() as u64).await.expect("a stage");
        stage.write(bytes.clone()).await.expect("a write");
        stage.commit().await.expect("a commit")
    }

    fn staged_files(root: &TempDir) -> usize {
        fs::read_dir(root.path().join("tmp")).expect("tmp").count()
    }

    fn path_of(root: &TempDir, at: &BlobLocation) -> PathBuf {
        root.path().join("blobs/sha256").join(&at.as_str()[..2]).join(at.as_str())
    }

    #[tokio::test]
    async fn the_promises_of_a_blob_store_are_kept() {
        let (root, store) = store();
        keeper_core::testing::contract::blob_store(&store).await;
        assert_eq!(staged_files(&root), 0);
    }

    #[tokio::test]
    async fn what_is_not_committed_leaves_nothing() {
        let (root, store) = store();
        let plenty = 2 * IO_CHUNK_BYTES;
        for (length, files) in [(1000, 0), (IO_CHUNK_BYTES - 1, 0), (IO_CHUNK_BYTES, 1), (plenty, 1)] {
            let mut stage = store.stage(plenty as u64).await.expect("a stage");
            stage.write(sample(length)).await.expect("a write");
            let mut seen = Vec::new();
            stage.reader().await.expect("a reader").read_to_end(&mut seen).expect("readable");
            assert!(seen == sample(length), "{length} bytes");
            assert_eq!(staged_files(&root), files, "a small one needs no file: {length} bytes");
            drop(stage);
            assert_eq!(staged_files(&root), 0);
        }

        // A stage that refused bytes must not become a blob with a hole.
        let mut stage = store.stage(1000).await.expect("a stage");
        assert!(stage.write(sample(1001)).await.is_err());
        assert!(stage.write(sample(1)).await.is_err());
        assert!(stage.commit().await.is_err());
        assert_eq!(staged_files(&root), 0);
    }

    #[tokio::test]
    async fn a_blob_is_one_file_that_nobody_may_write_to() {
        let (root, store) = store();
        let blob = stored(&store, &sample(100)).await;
        let metadata = fs::metadata(path_of(&root, &blob.location)).expect("a file");
        assert_eq!((metadata.len(), metadata.mode() & 0o777), (100, 0o440));
    }

    #[tokio::test]
    async fn a_walk_finds_every_copy_on_its_shelf_and_nothing_else() {
        let (root, store) = store();
        let blob = stored(&store, &sample(100)).await;
        let first = blob.location.digest().as_bytes()[0];
        fs::write(root.path().join(format!("blobs/sha256/{first:02x}/notes.txt")), "not ours").expect("a file");
        let found = store.shelf(first).await.expect("a shelf");
        let [copy] = &found[..] else { panic!("{found:?}") };
        assert_eq!(copy.blob, blob);
        assert!(copy.modified_at <= Timestamp::now() && copy.modified_at > Timestamp::UNIX_EPOCH);
        assert!(store.shelf(first.wrapping_add(1)).await.expect("a shelf").is_empty());
    }

    #[tokio::test]
    async fn a_range_beyond_the_blob_is_refused() {
        let (_root, store) = store();
        let blob = stored(&store, &sample(100)).await;
        for (start, end) in [(0, 101), (101, 101), (9, 8)] {
            assert!(store.open(&blob, Some(ByteRange { start, end })).await.is_err(), "{start}..{end}");
        }
    }

    #[tokio::test]
    async fn a_chunk_of_a_range_is_no_longer_than_the_range() {
        let (_root, store) = store();
        let blob = stored(&store, &sample(IO_CHUNK_BYTES)).await;
        let mut stream = store.open(&blob, Some(ByteRange { start: 7, end: 17 })).await.expect("a stream");
        let chunk = stream.next().await.expect("a chunk").expect("bytes");
        assert_eq!(chunk.len(), 10);
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn a_file_cut_short_while_it_is_read_ends_with_an_error() {
        let (root, store) = store();
        let blob = stored(&store, &sample(5 * IO_CHUNK_BYTES)).await;
        let path = path_of(&root, &blob.location);
        let mut stream = store.open(&blob, None).await.expect("a stream");
        assert!(stream.next().await.is_some_and(|first| first.is_ok()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("writable");
        fs::OpenOptions::new().write(true).open(&path).expect("open").set_len(10).expect("cut");
        let mut last = None;
        while let Some(chunk) = stream.next().await {
            last = Some(chunk);
        }
        assert!(matches!(last, Some(Err(BlobError::Corrupt(..)))), "{last:?}");
    }

    #[test]
    fn opening_sweeps_unfinished_uploads_and_keeps_the_rest() {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir_all(root.path().join("tmp/kept")).expect("a folder");
        fs::write(root.path().join("tmp/4711-1"), b"half").expect("a file");
        DiskBlobs::open(&root.path().join("blobs"), &root.path().join("tmp")).expect("opens");
        assert!(!root.path().join("tmp/4711-1").exists());
        assert!(root.path().join("tmp/kept").is_dir());
        assert_eq!(fs::read_dir(root.path().join("blobs/sha256")).expect("folders").count(), 256);
        DiskBlobs::open(&root.path().join("blobs"), &root.path().join("tmp")).expect("opens again");
    }
}
