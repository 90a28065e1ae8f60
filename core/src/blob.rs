//! Blobs: bytes stored once under their SHA-256, and the port that keeps them.
//!
//! A stored blob is addressed by its [`BlobLocation`]: the digest and an *incarnation* (ten random
//! characters), for example `9f86…0a08.k3v5w7x2m1`. The incarnation makes each stored copy unique, so that
//! a collector which removes an old copy can never hit the copy of a later publication of equal bytes.

use std::io::{Read, Seek};
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;

use crate::digest::Digest;
use crate::error::{Failure, codes};

/// Where one stored copy of a blob lies: `<64 hex digits>.<incarnation>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobLocation {
    text: String,
    digest: Digest,
}

/// A text that is not a blob location.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0:?} is not a blob location")]
pub struct NotALocation(String);

impl BlobLocation {
    /// Length in characters of the part after the dot.
    pub const INCARNATION_CHARACTERS: usize = 10;

    /// The digest of the bytes that lie there.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl TryFrom<&str> for BlobLocation {
    type Error = NotALocation;

    fn try_from(text: &str) -> Result<Self, NotALocation> {
        let refuse = || NotALocation(text.to_owned());
        let (digest, incarnation) = text.split_once('.').ok_or_else(refuse)?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if incarnation.len() != Self::INCARNATION_CHARACTERS || !incarnation.bytes().all(plain) {
            return Err(refuse());
        }
        let digest = Digest::try_from(digest).map_err(|_| refuse())?;
        Ok(Self { text: text.to_owned(), digest })
    }
}

/// A durable blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobInfo {
    /// Where it lies.
    pub location: BlobLocation,
    /// Its length in bytes.
    pub size: u64,
}

/// A part of a blob: bytes `start..end`, both within its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

/// Bytes on their way. A stream that cannot deliver what was announced yields an error; it never ends
/// short.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, BlobError>> + Send>>;

/// Something archive readers can work on.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// What can go wrong with stored bytes.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// More bytes than the stage accepts.
    #[error("more than {limit_bytes} bytes were sent")]
    TooLarge {
        /// The bound of this stage.
        limit_bytes: u64,
    },
    /// A row names bytes that are not there: a fault of the store, never "not found".
    #[error("blob {0} is missing")]
    Missing(String),
    /// The bytes there are not the ones recorded.
    #[error("blob {0} is damaged: {1}")]
    Corrupt(String, String),
    /// No space left.
    #[error("the disk is full")]
    Full(#[source] std::io::Error),
    /// The storage refuses writes.
    #[error("the storage is read-only")]
    ReadOnly(#[source] std::io::Error),
    /// Anything else the storage reports.
    #[error("the storage failed: {0}")]
    Io(#[from] std::io::Error),
}

impl From<BlobError> for Failure {
    fn from(error: BlobError) -> Self {
        let code = match &error {
            BlobError::TooLarge { .. } => return Self::new(&codes::TOO_LARGE, error.to_string()),
            BlobError::Missing(_) => &codes::BLOB_MISSING,
            BlobError::Corrupt(..) => &codes::BLOB_CORRUPT,
            BlobError::Full(_) => &codes::DISK_FULL,
            BlobError::ReadOnly(_) => &codes::STORAGE_READ_ONLY,
            BlobError::Io(_) => &codes::STORAGE_UNAVAILABLE,
        };
        Self::new(code, code.title).caused_by(error)
    }
}

/// Keeps bytes. Nothing overwrites or truncates a blob; only [`StagedBlob::commit`] creates one and only the
/// collector deletes.
#[async_trait]
pub trait BlobStore: Send + Sync {
    /// A place to write new bytes to, at most `limit_bytes` of them. Visible to nobody until committed;
    /// dropping it discards them.
    async fn stage(&self, limit_bytes: u64) -> Result<Box<dyn StagedBlob>, BlobError>;

    /// The bytes at `location`, whose recorded length is `size`; all of them or the given part. A different
    /// stored length is [`BlobError::Corrupt`], absence is [`BlobError::Missing`].
    async fn open(&self, blob: &BlobInfo, range: Option<ByteRange>) -> Result<ByteStream, BlobError>;

    /// Whether a copy of the recorded length lies there.
    async fn is_intact(&self, blob: &BlobInfo) -> Result<bool, BlobError>;

    /// Removes one copy; `false` when it was not there. Repeating is harmless.
    async fn delete(&self, at: &BlobLocation) -> Result<bool, BlobError>;
}

/// Bytes being written.
#[async_trait]
pub trait StagedBlob: Send {
    /// Takes the next bytes and hashes them on the way.
    async fn write(&mut self, chunk: Bytes) -> Result<(), BlobError>;

    /// Everything written so far, for reading; blocking, and independent of further writes.
    async fn reader(&mut self) -> Result<Box<dyn ReadSeek>, BlobError>;

    /// Length and digest of what was written so far.
    fn written(&self) -> (u64, Digest);

    /// Bytes of it that those who [`follow`](Self::follow) can read.
    fn readable(&self) -> u64;

    /// Makes all that was written so far readable for them.
    async fn flush(&mut self) -> Result<(), BlobError>;

    /// For any number of readers while more is written; it outlives the stage, however that ends.
    async fn follow(&mut self) -> Result<Arc<dyn Followed>, BlobError>;

    /// Makes the bytes durable under their digest. When this returns, they survive a power cut.
    async fn commit(self: Box<Self>) -> Result<BlobInfo, BlobError>;
}

/// The bytes of a stage, for reading along.
#[async_trait]
pub trait Followed: Send + Sync {
    /// A part of them, all of which is [`readable`](StagedBlob::readable).
    async fn part(&self, range: ByteRange) -> Result<ByteStream, BlobError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_digest_and_an_incarnation() {
        let digest = Digest::of(b"x");
        let good = format!("{digest}.k3v5w7x2m1");
        assert_eq!(BlobLocation::try_from(good.as_str()).expect("a location").digest(), digest);
        for bad in
            [digest.to_hex(), format!("{digest}."), format!("{digest}.K3V5W7X2M1"), format!("{digest}.../../etc")]
        {
            assert!(BlobLocation::try_from(bad.as_str()).is_err(), "{bad}");
        }
    }
}
