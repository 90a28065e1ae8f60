//! Blobs on their way in: a file in `tmp` that becomes a blob, or nothing.
//!
//! Bytes are collected up to [`IO_CHUNK_BYTES`] and then hashed and written in one turn of the blocking
//! pool. The file is made with the first such turn, so a small upload costs no file until it is committed, and
//! none at all when what it becomes lives in rows.
//!
//! A stage on which anything failed, or whose caller left in the middle of a call, takes no more bytes and
//! cannot be committed: it may have a hole.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use keeper_core::blob::{BlobError, BlobInfo, BlobLocation, ByteRange, ByteStream, Followed, ReadSeek, StagedBlob};
use keeper_core::digest::{Digest, Hasher};
use keeper_core::failpoint;
use keeper_core::limits::IO_CHUNK_BYTES;
use metrics::counter;

use super::disk::Layout;
use super::durable::{Doomed, refused_write, sync_folder};
use super::lane::Lane;
use super::read::{self, Reads};

/// Lower-case base32, as incarnations are written.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Makes the names in `tmp` unique; one counter for the process, whatever stores it opens.
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A stage on disk.
pub(super) struct DiskStage {
    /// What was written so far; none while all of it fits into the buffer.
    unfinished: Option<Unfinished>,
    layout: Arc<Layout>,
    lane: Lane,
    reads: Reads,
    limit_bytes: u64,
    /// Bytes taken but not yet hashed and written.
    buffer: Vec<u8>,
    /// What is hashed and in the file.
    hasher: Hasher,
    /// A call failed or was left in the middle.
    spoilt: bool,
}

impl DiskStage {
    /// One whose bytes are written on this share of the blocking pool, and read along on that one.
    pub(super) fn new(layout: Arc<Layout>, lane: Lane, reads: Reads, limit_bytes: u64) -> Self {
        let (buffer, hasher) = (Vec::new(), Hasher::default());
        Self { unfinished: None, layout, lane, reads, limit_bytes, buffer, hasher, spoilt: false }
    }

    fn refuse_spoilt(&self) -> Result<(), BlobError> {
        if self.spoilt {
            return Err(BlobError::Io(io::Error::other("an earlier write to this stage failed")));
        }
        Ok(())
    }

    fn taken(&self) -> u64 {
        self.hasher.size() + self.buffer.len() as u64
    }

    /// Hashes and writes `bytes` behind all earlier ones, in one turn; gives them back. The file goes with the
    /// turn: when that fails, or the caller leaves, it is removed there.
    async fn append<B: AsRef<[u8]> + Send + 'static>(&mut self, bytes: B) -> Result<B, BlobError> {
        self.spoilt = true;
        let (begun, layout, mut hasher) = (self.unfinished.take(), self.layout.clone(), self.hasher.clone());
        let (bytes, unfinished, hasher) = self
            .lane
            .run(move || {
                let unfinished = Unfinished::begun_or_new(begun, &layout)?;
                hasher.update(bytes.as_ref());
                unfinished.write(bytes.as_ref())?;
                Ok((bytes, unfinished, hasher))
            })
            .await?;
        (self.unfinished, self.hasher) = (Some(unfinished), hasher);
        self.spoilt = false;
        Ok(bytes)
    }

    async fn flush_buffer(&mut self) -> Result<(), BlobError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let buffer = std::mem::take(&mut self.buffer);
        self.buffer = self.append(buffer).await?;
        self.buffer.clear();
        Ok(())
    }
}

#[async_trait]
impl StagedBlob for DiskStage {
    async fn write(&mut self, mut chunk: Bytes) -> Result<(), BlobError> {
        self.refuse_spoilt()?;
        if chunk.len() as u64 > self.limit_bytes - self.taken() {
            self.spoilt = true;
            return Err(BlobError::TooLarge { limit_bytes: self.limit_bytes });
        }
        while self.buffer.len() + chunk.len() >= IO_CHUNK_BYTES {
            let next = chunk.split_to(IO_CHUNK_BYTES - self.buffer.len());
            if self.buffer.is_empty() {
                self.append(next).await?;
            } else {
                self.buffer.extend_from_slice(&next);
                self.flush_buffer().await?;
            }
        }
        self.buffer.extend_from_slice(&chunk);
        Ok(())
    }

    async fn reader(&mut self) -> Result<Box<dyn ReadSeek>, BlobError> {
        self.refuse_spoilt()?;
        if self.unfinished.is_some() {
            self.flush_buffer().await?;
        }
        let Some(unfinished) = &self.unfinished else {
            return Ok(Box::new(io::Cursor::new(self.buffer.clone())));
        };
        let path = unfinished.doomed.path().to_owned();
        let file = self.lane.run(move || File::open(path).map_err(BlobError::Io)).await?;
        Ok(Box::new(file))
    }

    fn written(&self) -> (u64, Digest) {
        let mut hasher = self.hasher.clone();
        hasher.update(&self.buffer);
        (hasher.size(), hasher.digest())
    }

    fn readable(&self) -> u64 {
        self.hasher.size()
    }

    async fn flush(&mut self) -> Result<(), BlobError> {
        self.refuse_spoilt()?;
        self.flush_buffer().await
    }

    async fn follow(&mut self) -> Result<Arc<dyn Followed>, BlobError> {
        let path = self.end().await?;
        let name = Arc::from(path.display().to_string());
        let file = self.lane.run(move || File::open(path).map_err(BlobError::Io)).await?;
        Ok(Arc::new(Follower { file: Some(Arc::new(file)), name, reads: self.reads.clone() }))
    }

    async fn commit(mut self: Box<Self>) -> Result<BlobInfo, BlobError> {
        self.refuse_spoilt()?;
        let lane = self.lane.clone();
        // The whole stage moves into the job: when the caller leaves, it still ends as a blob or as nothing.
        lane.run(move || self.finish()).await.inspect(|blob| {
            counter!("keeper_blobs_written_total").increment(1);
            counter!("keeper_blob_bytes_written_total").increment(blob.size);
        })
    }
}

impl DiskStage {
    /// Puts all that was written into the file, for whoever takes it from there; says where it is.
    pub(super) async fn end(&mut self) -> Result<PathBuf, BlobError> {
        self.refuse_spoilt()?;
        let rest = std::mem::take(&mut self.buffer);
        if !rest.is_empty() || self.unfinished.is_none() {
            self.append(rest).await?;
        }
        let unfinished = self.unfinished.as_ref();
        unfinished
            .map(|unfinished| unfinished.doomed.path().to_owned())
            .ok_or_else(|| BlobError::Io(io::Error::other("a stage without a file")))
    }

    /// Bytes, then name, then folder (P3–P5). On any error the file goes, whatever name it has by then.
    fn finish(mut self) -> Result<BlobInfo, BlobError> {
        let Unfinished { mut doomed, file } = Unfinished::begun_or_new(self.unfinished, &self.layout)?;
        self.hasher.update(&self.buffer);
        file.get().write_all(&self.buffer).map_err(refused_write)?;
        file.get().set_permissions(Permissions::from_mode(0o440)).map_err(refused_write)?;
        failpoint!("F3", refused_write);
        file.get().sync_all().map_err(refused_write)?;

        let location = fresh_location(self.hasher.digest())?;
        let folder = self.layout.folder(location.digest());
        failpoint!("F4", refused_write);
        doomed.rename(folder.join(location.as_str())).map_err(refused_write)?;
        failpoint!("F5", refused_write);
        sync_folder(&folder).map_err(refused_write)?;
        doomed.keep();
        Ok(BlobInfo { location, size: self.hasher.size() })
    }
}

/// Reads the file of a stage by a handle of its own: its name may change or go.
struct Follower {
    file: Option<Arc<File>>,
    name: Arc<str>,
    reads: Reads,
}

#[async_trait]
impl Followed for Follower {
    async fn part(&self, range: ByteRange) -> Result<ByteStream, BlobError> {
        let file = self.file.clone().expect("the file is taken when it is dropped only");
        Ok(read::part(self.reads.clone(), file, self.name.clone(), range))
    }
}

impl Drop for Follower {
    /// As for [`ClosedLater`].
    fn drop(&mut self) {
        if let (Some(file), Ok(runtime)) = (self.file.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn_blocking(move || drop(file));
        }
    }
}

/// A file that disappears unless it is finished.
struct Unfinished {
    /// Before `file`: the name goes first, the bytes are freed when the file is closed.
    doomed: Doomed,
    file: ClosedLater,
}

impl Unfinished {
    /// Blocking.
    fn begun_or_new(begun: Option<Self>, layout: &Layout) -> Result<Self, BlobError> {
        if let Some(begun) = begun {
            return Ok(begun);
        }
        failpoint!("F1", refused_write);
        let name = format!("{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let path = layout.tmp.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let doomed = Doomed::new(path);
        Ok(Self { doomed, file: ClosedLater(Some(file.map_err(refused_write)?)) })
    }

    fn write(&self, bytes: &[u8]) -> Result<(), BlobError> {
        self.file.get().write_all(bytes).map_err(refused_write)
    }
}

/// Fifty random bits beside the digest. Two copies of one digest meet on a name once in 2^50, and then the
/// rename puts the same bytes over the same bytes.
pub(super) fn fresh_location(digest: Digest) -> Result<BlobLocation, BlobError> {
    let mut random = [0_u8; BlobLocation::INCARNATION_CHARACTERS];
    getrandom::fill(&mut random).map_err(|error| BlobError::Io(io::Error::other(error.to_string())))?;
    let incarnation: String = random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    let text = format!("{digest}.{incarnation}");
    Ok(BlobLocation::try_from(text.as_str()).expect("a digest and an incarnation are a location"))
}

/// A file that is closed on the blocking pool: closing the last handle of an unlinked file frees its blocks,
/// which takes long for a large one.
struct ClosedLater(Option<File>);

impl ClosedLater {
    fn get(&self) -> &File {
        self.0.as_ref().expect("the file is taken when it is dropped only")
    }
}

impl Drop for ClosedLater {
    fn drop(&mut self) {
        if let (Some(file), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn_blocking(move || drop(file));
        }
    }
}
