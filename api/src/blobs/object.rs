//! Blobs as objects of an S3-compatible store.
//!
//! ```text
//! s3://<bucket>/<prefix>/sha256/9f/9f86…0a08.k3v5w7x2m4    one object for each stored copy, never written again
//! <data>/tmp/4711-12                                       being received by process 4711
//! <data>/tmp/upload-4711-12                                the key and number of an upload in parts under way
//! ```
//!
//! There is no rename and no fsync: an object is there whole when the store has answered, or not at all. So bytes are
//! received into a local file, where their format reads them and their digest becomes known, and only then go to their
//! final key, which is new by its incarnation: nothing rests on conditional writes, which not every store knows.
//!
//! *Unknown outcomes*: a request that failed may have been carried out. The store is asked for the object before the
//! failure is told. An upload in parts that did not end is given up: at once, or by the next start, which finds its
//! note in `tmp`, or a day later; only with that folder it is lost, and then the bucket's own rule has to end it.
//!
//! *Other bytes*: each request with bytes says their SHA-256, which the store compares with what has come. Of a store that
//! refuses such a header the length is asked for when it says that it has an object.
//!
//! *Bounds*: [`SINGLE_BYTES`] go in one request, more in parts of [`PART_BYTES`]; [`UPLOADS`] bodies are in memory at
//! once. A request is tried [`RETRIES`] times within [`RETRY_TIME`].
//!
//! *Errors*: an object that a row names and the store does not have is [`BlobError::Missing`], one of another length
//! [`BlobError::Corrupt`]; that access is denied, or the bucket gone, is a fault of the storage and never an absence.

use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use keeper_core::blob::{
    BlobError, BlobInfo, BlobLocation, BlobStore, ByteRange, ByteStream, Followed, ReadSeek, StagedBlob,
};
use keeper_core::digest::Digest;
use keeper_core::ledger::{StoredCopy, WalkableBlobs};
use metrics::{Counter, counter};
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::multipart::MultipartStore;
use object_store::path::Path as Key;
use object_store::{ClientOptions, GetOptions, GetRange, ObjectStore, ObjectStoreExt, RetryConfig};
use tokio::sync::Semaphore;

mod unfinished;

use super::Restorable;
use super::disk::{Layout, READS, sweep_but};
use super::durable::refused_write;
use super::lane::Lane;
use super::read::Reads;
use super::staged::{DiskStage, fresh_location};
use crate::config::Bucket;
use unfinished::Note;

/// Bytes that go in one request.
const SINGLE_BYTES: u64 = 16 << 20;
/// Bytes of a part, at least 5 MiB by the protocol.
const PART_BYTES: u64 = 8 << 20;
/// Bodies in memory at once; further uploads wait for one of them.
const UPLOADS: usize = 8;
/// Requests for one operation, and the time for all of them.
const RETRIES: usize = 5;
const RETRY_TIME: Duration = Duration::from_secs(30);
/// Time for a connection, and between two signs of life of an answer.
const CONNECT_TIME: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(60);
/// Writes to the local files under way at once.
const WRITES: usize = 64;

/// The store of one bucket and prefix.
#[derive(Clone)]
pub struct ObjectBlobs {
    shared: Arc<Shared>,
    /// Where bytes are received.
    layout: Arc<Layout>,
    writes: Lane,
    /// Of what is being received.
    reads: Reads,
    /// Blobs found missing or damaged when they were read.
    faults: Counter,
}

struct Shared {
    store: AmazonS3,
    /// Whether the store compares what comes with the checksum that is said of it.
    compares: bool,
    prefix: String,
    tmp: PathBuf,
    uploads: Semaphore,
}

impl ObjectBlobs {
    /// Opens the bucket: checks that it does what is relied on, gives up what earlier processes left half sent, and
    /// removes what they left in `tmp`. The caller holds the lock of the data folder.
    ///
    /// # Errors
    /// Why the bucket cannot be used, fit for the person who starts the program.
    pub async fn open(bucket: &Bucket, tmp: &FilePath) -> Result<Self, BlobError> {
        Self::over(builder(bucket), &bucket.prefix, tmp).await
    }

    async fn over(builder: AmazonS3Builder, prefix: &str, tmp: &FilePath) -> Result<Self, BlobError> {
        let of = |builder: AmazonS3Builder, compares| {
            let store = builder.build().map_err(|error| unusable(&error))?;
            let uploads = Semaphore::new(UPLOADS);
            Ok::<_, BlobError>(Shared { store, compares, prefix: prefix.to_owned(), tmp: tmp.to_owned(), uploads })
        };
        let mut shared = of(builder.clone().with_checksum_algorithm(Checksum::SHA256), true)?;
        if let Err(error) = shared.check().await {
            if !may_be_of_a_header(&error) {
                return Err(unusable(&error));
            }
            shared = of(builder, false)?;
            // What is wrong without a checksum, too, is what the person who starts the program has to know.
            shared.check().await.map_err(|error| unusable(&error))?;
            tracing::warn!(error = told(&error), "the bucket takes no checksums: only lengths are compared");
        }
        let shared = Arc::new(shared);
        shared.give_up_uploads(Duration::ZERO).await?;
        let swept = sweep_but(tmp, Note::is_one).map_err(refused_write)?;
        if swept > 0 {
            tracing::info!(files = swept, "removed unfinished uploads of an earlier run");
        }
        unfinished::give_up_daily(&shared);
        Ok(Self {
            shared,
            layout: Arc::new(Layout::for_receiving(tmp)),
            writes: Lane::new("write", WRITES),
            reads: Reads::new(READS),
            faults: counter!("keeper_blob_faults_total"),
        })
    }
}

impl std::fmt::Debug for ObjectBlobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObjectBlobs").field("store", &self.shared.store).finish_non_exhaustive()
    }
}

fn unusable(error: &object_store::Error) -> BlobError {
    BlobError::Io(io::Error::other(format!("the bucket cannot be used: {}", told(error))))
}

fn builder(bucket: &Bucket) -> AmazonS3Builder {
    // Only the first to install one is heard, and all install the same.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let client = ClientOptions::new()
        .with_timeout_disabled()
        .with_connect_timeout(CONNECT_TIME)
        .with_read_timeout(SILENCE)
        .with_allow_http(bucket.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://")));
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: RETRY_TIME, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(&bucket.name)
        .with_virtual_hosted_style_request(!bucket.path_style)
        .with_disable_bulk_delete(true)
        .with_retry(retry)
        .with_client_options(client);
    if let Some(region) = &bucket.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &bucket.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    builder
}

#[async_trait]
impl BlobStore for ObjectBlobs {
    async fn stage(&self, limit_bytes: u64) -> Result<Box<dyn StagedBlob>, BlobError> {
        let (layout, writes, reads) = (self.layout.clone(), self.writes.clone(), self.reads.clone());
        let received = DiskStage::new(layout, writes, reads, limit_bytes);
        Ok(Box::new(ObjectStage { received, shared: self.shared.clone(), lane: self.writes.clone() }))
    }

    async fn open(&self, blob: &BlobInfo, range: Option<ByteRange>) -> Result<ByteStream, BlobError> {
        self.shared.open(blob, range).await.inspect_err(|error| {
            if matches!(error, BlobError::Missing(_) | BlobError::Corrupt(..)) {
                self.faults.increment(1);
            }
        })
    }

    async fn is_intact(&self, blob: &BlobInfo) -> Result<bool, BlobError> {
        let length = self.shared.length(&self.shared.key(&blob.location)).await?;
        Ok(length == Some(blob.size))
    }

    async fn delete(&self, at: &BlobLocation) -> Result<bool, BlobError> {
        let key = self.shared.key(at);
        if self.shared.length(&key).await?.is_none() {
            return Ok(false);
        }
        match self.shared.store.delete(&key).await {
            Err(error) if !is_absence(&error) => Err(failed(&error)),
            _ => Ok(true),
        }
    }
}

#[async_trait]
impl Restorable for ObjectBlobs {
    async fn restore(&self, blob: &BlobInfo, from: &FilePath) -> Result<(), BlobError> {
        if self.is_intact(blob).await? {
            return Ok(());
        }
        let (file, expected) = (from.to_owned(), blob.clone());
        self.writes.run(move || super::judge(&expected, std::fs::File::open(file)?, io::sink())).await?;
        self.shared.send(from, &blob.location, blob.size, &self.writes).await
    }
}

#[async_trait]
impl WalkableBlobs for ObjectBlobs {
    async fn shelf(&self, first: u8) -> Result<Vec<StoredCopy>, BlobError> {
        let prefix = self.shared.below(&format!("sha256/{first:02x}"));
        let found = self.shared.store.list(Some(&prefix)).try_filter_map(async |object| {
            let location = object.location.filename().and_then(|name| BlobLocation::try_from(name).ok());
            let modified_at = Timestamp::from_millisecond(object.last_modified.timestamp_millis());
            Ok(location.map(|location| StoredCopy {
                blob: BlobInfo { location, size: object.size },
                modified_at: modified_at.unwrap_or(Timestamp::MAX),
            }))
        });
        found.try_collect().await.map_err(|error| failed(&error))
    }
}

impl Shared {
    fn below(&self, rest: &str) -> Key {
        Key::from(format!("{}/{rest}", self.prefix))
    }

    fn key(&self, at: &BlobLocation) -> Key {
        self.below(&format!("sha256/{}/{}", &at.digest().to_hex()[..2], at.as_str()))
    }

    /// The length of an object; `None` when the store says that there is none.
    async fn length(&self, key: &Key) -> Result<Option<u64>, BlobError> {
        match self.store.head(key).await {
            Ok(object) => Ok(Some(object.size)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    async fn open(&self, blob: &BlobInfo, range: Option<ByteRange>) -> Result<ByteStream, BlobError> {
        let (name, key) = (blob.location.as_str().to_owned(), self.key(&blob.location));
        let part = range.unwrap_or(ByteRange { start: 0, end: blob.size });
        if part.start > part.end || part.end > blob.size {
            let text = format!("{part:?} is not within {} bytes", blob.size);
            return Err(BlobError::Io(io::Error::new(io::ErrorKind::InvalidInput, text)));
        }
        let judged = |found: u64| {
            let text = || format!("{found} bytes instead of {}", blob.size);
            if found == blob.size { Ok(()) } else { Err(BlobError::Corrupt(name.clone(), text())) }
        };
        let there = async || self.length(&key).await?.ok_or_else(|| BlobError::Missing(name.clone()));
        if part.start == part.end {
            judged(there().await?)?;
            return Ok(Box::pin(stream::empty()));
        }
        let whole = part.start == 0 && part.end == blob.size;
        let range = (!whole).then_some(GetRange::Bounded(part.start..part.end));
        let got = match self.store.get_opts(&key, GetOptions { range, ..GetOptions::default() }).await {
            Ok(got) => got,
            Err(error) if is_absence(&error) => return Err(BlobError::Missing(name)),
            Err(error) => {
                // A part of an object that is too short is refused in as many ways as there are stores.
                judged(there().await?)?;
                return Err(failed(&error));
            }
        };
        judged(got.meta.size)?;
        Ok(counted(got.into_stream(), name, part.end - part.start))
    }

    /// Sends a received file to its key; when this returns, the store has it.
    async fn send(&self, file: &FilePath, at: &BlobLocation, size: u64, lane: &Lane) -> Result<(), BlobError> {
        let key = self.key(at);
        let _body = self.uploads.acquire().await.map_err(|error| BlobError::Io(io::Error::other(error)))?;
        let sent = if size <= SINGLE_BYTES {
            let body = read_part(lane, file, 0, size).await?;
            self.store.put(&key, body.into()).await.map(drop).map_err(|error| failed(&error))
        } else {
            self.send_parts(file, &key, size, lane).await
        };
        if sent.is_ok() && self.compares {
            return Ok(());
        }
        // What failed may have been carried out all the same, and what did not fail may be there in part.
        match (self.length(&key).await, sent) {
            (Ok(Some(length)), _) if length == size => Ok(()),
            (Ok(Some(length)), _) => {
                let left = self.store.delete(&key).await.map_or_else(|error| told(&error), |()| "removed".to_owned());
                let text = format!("the store kept {length} of the {size} bytes of an object ({left})");
                Err(BlobError::Io(io::Error::other(text)))
            }
            (Ok(None) | Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
            (Ok(None), Ok(())) => {
                Err(BlobError::Io(io::Error::other("the store does not have an object that it took")))
            }
        }
    }

    async fn send_parts(&self, file: &FilePath, key: &Key, size: u64, lane: &Lane) -> Result<(), BlobError> {
        let id = self.store.create_multipart(key).await.map_err(|error| failed(&error))?;
        let note = Note::write(&self.tmp, key, &id, lane).await;
        let sent = async {
            let mut parts = Vec::new();
            for (number, at) in (0..size).step_by(usize::try_from(PART_BYTES).unwrap_or(usize::MAX)).enumerate() {
                let body = read_part(lane, file, at, PART_BYTES.min(size - at)).await?;
                let part = self.store.put_part(key, &id, number, body.into()).await;
                parts.push(part.map_err(|error| failed(&error))?);
            }
            self.store.complete_multipart(key, &id, parts).await.map(drop).map_err(|error| failed(&error))
        };
        let sent = sent.await;
        let ended = match &sent {
            Ok(()) => true,
            // One that was completed all the same is not there to be given up.
            Err(_) => self.store.abort_multipart(key, &id).await.map_or_else(|error| is_absence(&error), |()| true),
        };
        match note {
            Ok(note) if ended => note.remove(lane).await,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "an upload in parts could not be noted"),
        }
        sent
    }

    /// Does once what the server will rely on.
    async fn check(&self) -> Result<(), object_store::Error> {
        let name = format!("{}-{}", std::process::id(), Timestamp::now().as_microsecond());
        let key = self.below(&format!(".keeper/selftest/{name}"));
        let wrong = |what: &str| object_store::Error::Generic { store: "S3", source: what.to_owned().into() };
        self.store.put(&key, Bytes::from_static(b"0123456789").into()).await?;
        let part = self.store.get_range(&key, 2..5).await?;
        let (length, listed) = (self.store.head(&key).await?.size, self.is_listed(&key).await?);
        self.store.delete(&key).await?;
        if self.compares {
            self.check_parts(&key).await?;
        }
        if part != "234" {
            return Err(wrong("a part of an object is not what was asked for"));
        }
        if length != 10 || !listed {
            return Err(wrong("an object that was written is not there"));
        }
        if self.is_listed(&key).await? {
            return Err(wrong("an object that was deleted is still there"));
        }
        Ok(())
    }

    /// Whether parts with checksums are taken; what is refused is left to whoever looks without.
    async fn check_parts(&self, key: &Key) -> Result<(), object_store::Error> {
        let id = self.store.create_multipart(key).await?;
        let part = self.store.put_part(key, &id, 0, Bytes::from_static(b"0123456789").into()).await;
        let ended = match part {
            Ok(part) => self.store.complete_multipart(key, &id, vec![part]).await.map(drop),
            Err(error) => Err(error),
        };
        match ended {
            Ok(()) => self.store.delete(key).await,
            Err(error) => self.store.abort_multipart(key, &id).await.and(Err(error)),
        }
    }

    async fn is_listed(&self, key: &Key) -> Result<bool, object_store::Error> {
        let folder = self.below(".keeper/selftest");
        let mut listed = self.store.list(Some(&folder));
        while let Some(object) = listed.try_next().await? {
            if object.location == *key {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

async fn read_part(lane: &Lane, file: &FilePath, at: u64, length: u64) -> Result<Bytes, BlobError> {
    use std::os::unix::fs::FileExt;
    let file = file.to_owned();
    lane.run(move || {
        let mut part = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        std::fs::File::open(file)?.read_exact_at(&mut part, at)?;
        Ok(part.into())
    })
    .await
}

/// A stream that gives so many bytes or an error.
fn counted(
    bytes: stream::BoxStream<'static, Result<Bytes, object_store::Error>>,
    name: String,
    length: u64,
) -> ByteStream {
    Box::pin(stream::unfold(Some((bytes, name, length)), |state| async move {
        let (mut bytes, name, left) = state?;
        match bytes.next().await {
            Some(Ok(chunk)) if chunk.len() as u64 <= left => {
                let left = left - chunk.len() as u64;
                Some((Ok(chunk), Some((bytes, name, left))))
            }
            Some(Ok(_)) => Some((Err(BlobError::Corrupt(name, "more bytes than it has".to_owned())), None)),
            Some(Err(error)) => Some((Err(failed(&error)), None)),
            None if left == 0 => None,
            None => Some((Err(BlobError::Corrupt(name, format!("it ends {left} bytes early"))), None)),
        }
    }))
}

/// Whether a store says so that does not know a header of a request: any other fault is one of its own.
fn may_be_of_a_header(error: &object_store::Error) -> bool {
    let text = error.to_string();
    (text.contains("400 Bad Request") || text.contains("501 Not Implemented"))
        && !text.contains("AuthorizationHeaderMalformed")
}

fn is_absence(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. }) && !error.to_string().contains("NoSuchBucket")
}

fn failed(error: &object_store::Error) -> BlobError {
    BlobError::Io(io::Error::other(told(error)))
}

fn told(error: &object_store::Error) -> String {
    let text = error.to_string();
    if text.contains("RequestTimeTooSkewed") {
        return format!("this machine's clock differs from that of the object store ({text})");
    }
    text
}

/// A stage that ends in the bucket.
struct ObjectStage {
    received: DiskStage,
    shared: Arc<Shared>,
    lane: Lane,
}

#[async_trait]
impl StagedBlob for ObjectStage {
    async fn write(&mut self, chunk: Bytes) -> Result<(), BlobError> {
        self.received.write(chunk).await
    }

    async fn reader(&mut self) -> Result<Box<dyn ReadSeek>, BlobError> {
        self.received.reader().await
    }

    fn written(&self) -> (u64, Digest) {
        self.received.written()
    }

    fn readable(&self) -> u64 {
        self.received.readable()
    }

    async fn flush(&mut self) -> Result<(), BlobError> {
        self.received.flush().await
    }

    async fn follow(&mut self) -> Result<Arc<dyn Followed>, BlobError> {
        self.received.follow().await
    }

    async fn commit(self: Box<Self>) -> Result<BlobInfo, BlobError> {
        let Self { mut received, shared, lane } = *self;
        let file = received.end().await?;
        // A task of its own: when the caller leaves, it still ends as a blob or as nothing.
        let sent = tokio::spawn(async move {
            let (size, digest) = received.written();
            let location = fresh_location(digest)?;
            shared.send(&file, &location, size, &lane).await?;
            Ok(BlobInfo { location, size })
        });
        let sent = sent.await.unwrap_or_else(|error| Err(BlobError::Io(io::Error::other(error))));
        sent.inspect(|blob: &BlobInfo| {
            counter!("keeper_blobs_written_total").increment(1);
            counter!("keeper_blob_bytes_written_total").increment(blob.size);
        })
    }
}

#[cfg(test)]
mod tests;
