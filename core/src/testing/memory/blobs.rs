//! Blobs in a map from location to bytes.

use std::collections::BTreeMap;
use std::io::{Cursor, Error};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use jiff::Timestamp;

use super::faults::Faults;
use crate::blob::{
    BlobError, BlobInfo, BlobLocation, BlobStore, ByteRange, ByteStream, Followed, ReadSeek, StagedBlob,
};
use crate::digest::Digest;
use crate::ledger::{StoredCopy, WalkableBlobs};
use crate::limits::IO_CHUNK_BYTES;

/// Bytes in memory.
#[derive(Debug, Clone)]
pub struct MemoryBlobs {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    kept: Mutex<Kept>,
    faults: Faults,
}

#[derive(Debug, Default)]
struct Kept {
    blobs: BTreeMap<BlobLocation, Bytes>,
    committed: BTreeMap<BlobLocation, Timestamp>,
    incarnations: u64,
}

impl Default for MemoryBlobs {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryBlobs {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self { shared: Arc::new(Shared { kept: Mutex::default(), faults: Faults::none() }) }
    }

    /// Lets so many more calls succeed, of the store and of its stages; the rest fail until
    /// [`recover`](Self::recover).
    pub fn fail_after(&self, calls: u64) {
        self.shared.faults.fail_after(calls);
    }

    /// Ends the trouble.
    pub fn recover(&self) {
        self.shared.faults.recover();
    }

    /// Where blobs lie, in order.
    #[must_use]
    pub fn locations(&self) -> Vec<BlobLocation> {
        self.shared.locked().blobs.keys().cloned().collect()
    }
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nothing panics while it holds this lock")
    }

    fn call(&self) -> Result<MutexGuard<'_, Kept>, BlobError> {
        if self.faults.pass() { Ok(self.locked()) } else { Err(BlobError::Io(Error::other("the disk is unplugged"))) }
    }
}

#[async_trait]
impl BlobStore for MemoryBlobs {
    async fn stage(&self, limit_bytes: u64) -> Result<Box<dyn StagedBlob>, BlobError> {
        drop(self.shared.call()?);
        Ok(Box::new(Stage {
            shared: self.shared.clone(),
            limit_bytes,
            bytes: Vec::new(),
            flushed: Flushed::default(),
            broken: false,
        }))
    }

    async fn open(&self, blob: &BlobInfo, range: Option<ByteRange>) -> Result<ByteStream, BlobError> {
        let name = || blob.location.as_str().to_owned();
        let bytes = self.shared.call()?.blobs.get(&blob.location).cloned().ok_or_else(|| BlobError::Missing(name()))?;
        let length = bytes.len() as u64;
        if length != blob.size {
            return Err(BlobError::Corrupt(name(), format!("{length} bytes instead of {}", blob.size)));
        }
        part_of(&bytes, range.unwrap_or(ByteRange { start: 0, end: length }))
    }

    async fn is_intact(&self, blob: &BlobInfo) -> Result<bool, BlobError> {
        let kept = self.shared.call()?;
        Ok(kept.blobs.get(&blob.location).is_some_and(|bytes| bytes.len() as u64 == blob.size))
    }

    async fn delete(&self, at: &BlobLocation) -> Result<bool, BlobError> {
        Ok(self.shared.call()?.blobs.remove(at).is_some())
    }
}

#[async_trait]
impl WalkableBlobs for MemoryBlobs {
    async fn shelf(&self, first: u8) -> Result<Vec<StoredCopy>, BlobError> {
        let kept = self.shared.call()?;
        let on_shelf = kept.blobs.iter().filter(|(location, _)| location.digest().as_bytes()[0] == first);
        let copies = on_shelf.map(|(location, bytes)| StoredCopy {
            blob: BlobInfo { location: location.clone(), size: bytes.len() as u64 },
            modified_at: kept.committed[location],
        });
        Ok(copies.collect())
    }
}

fn part_of(bytes: &Bytes, range: ByteRange) -> Result<ByteStream, BlobError> {
    let (ByteRange { start, end }, length) = (range, bytes.len() as u64);
    if start > end || end > length {
        return Err(BlobError::Io(Error::other(format!("bytes {start}..{end} of {length} were asked for"))));
    }
    let part = bytes.slice(start as usize..end as usize);
    let chunks: Vec<_> = part.chunks(IO_CHUNK_BYTES).map(|chunk| Ok(part.slice_ref(chunk))).collect();
    Ok(Box::pin(stream::iter(chunks)))
}

/// What was flushed of a stage, which adds to it.
#[derive(Debug, Clone, Default)]
struct Flushed(Arc<Mutex<Vec<u8>>>);

impl Flushed {
    fn locked(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}

#[async_trait]
impl Followed for Flushed {
    async fn part(&self, range: ByteRange) -> Result<ByteStream, BlobError> {
        let flushed = Bytes::from(self.locked().clone());
        part_of(&flushed, range)
    }
}

struct Stage {
    shared: Arc<Shared>,
    limit_bytes: u64,
    bytes: Vec<u8>,
    flushed: Flushed,
    /// A stage that refused bytes has a hole.
    broken: bool,
}

#[async_trait]
impl StagedBlob for Stage {
    async fn write(&mut self, chunk: Bytes) -> Result<(), BlobError> {
        let room = self.limit_bytes - self.bytes.len() as u64;
        let fits = if chunk.len() as u64 <= room {
            self.shared.call().map(drop)
        } else {
            Err(BlobError::TooLarge { limit_bytes: self.limit_bytes })
        };
        self.broken |= fits.is_err();
        fits.map(|()| self.bytes.extend_from_slice(&chunk))
    }

    async fn reader(&mut self) -> Result<Box<dyn ReadSeek>, BlobError> {
        drop(self.shared.call()?);
        Ok(Box::new(Cursor::new(self.bytes.clone())))
    }

    fn written(&self) -> (u64, Digest) {
        (self.bytes.len() as u64, Digest::of(&self.bytes))
    }

    fn readable(&self) -> u64 {
        self.flushed.locked().len() as u64
    }

    async fn flush(&mut self) -> Result<(), BlobError> {
        drop(self.shared.call()?);
        self.flushed.locked().clone_from(&self.bytes);
        Ok(())
    }

    async fn follow(&mut self) -> Result<Arc<dyn Followed>, BlobError> {
        drop(self.shared.call()?);
        Ok(Arc::new(self.flushed.clone()))
    }

    async fn commit(self: Box<Self>) -> Result<BlobInfo, BlobError> {
        if self.broken {
            return Err(BlobError::Io(Error::other("this stage refused some of its bytes")));
        }
        let (size, digest) = self.written();
        let mut kept = self.shared.call()?;
        kept.incarnations += 1;
        let text = format!("{digest}.{:0width$}", kept.incarnations, width = BlobLocation::INCARNATION_CHARACTERS);
        let location = BlobLocation::try_from(text.as_str()).expect("a digest, a dot and ten digits");
        kept.blobs.insert(location.clone(), self.bytes.into());
        kept.committed.insert(location.clone(), Timestamp::now());
        Ok(BlobInfo { location, size })
    }
}
