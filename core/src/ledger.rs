//! The collector's books: which blobs are recorded, which of them a file names, and which copies are waste;
//! and the ports that keep them.
//!
//! A copy goes in this order: its row (if it has one) → the trash, in one transaction → its bytes → out of the
//! trash. A publication that names a copy in the trash, or one that was there, is refused: the order of two events
//! decides between publisher and collector, however long or short a grace is.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::artifact::StoreError;
use crate::blob::{BlobError, BlobInfo, BlobLocation, BlobStore};
use crate::digest::Digest;

/// A recorded blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Its live copy.
    pub blob: BlobInfo,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Whether a file names it.
    pub referenced: bool,
}

/// A stored copy, as a walk through the store finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCopy {
    /// Where it lies, and its length there.
    pub blob: BlobInfo,
    /// When its bytes were last written.
    pub modified_at: Timestamp,
}

/// A stored copy that neither a row nor the trash names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// The copy.
    pub copy: StoredCopy,
    /// When an earlier walk saw it first.
    pub first_seen_at: Option<Timestamp>,
}

/// Keeps the books.
#[async_trait]
pub trait BlobLedger: Send + Sync {
    /// Recorded blobs in order of their digests, those behind `after`, at most so many.
    async fn entries(&self, after: Option<Digest>, limit: u32) -> Result<Vec<LedgerEntry>, StoreError>;

    /// Puts those of these copies into the trash that no file names, and takes their rows away; answers them.
    /// All in one transaction, which writes its audit row.
    async fn discard(&self, copies: &[BlobInfo], unlink_after: Timestamp) -> Result<Vec<BlobInfo>, StoreError>;

    /// Copies in the trash whose time has come by `now`, in order of their locations, those behind `after`.
    async fn trash(
        &self,
        now: Timestamp,
        after: Option<&BlobLocation>,
        limit: u32,
    ) -> Result<Vec<BlobInfo>, StoreError>;

    /// The bytes of these copies are gone, and with them the entries of the trash. That they were there is known for
    /// [`REMOVAL_MEMORY`](crate::limits::REMOVAL_MEMORY): an upload that began before may still come to name one.
    async fn forget(&self, copies: &[BlobLocation], now: Timestamp) -> Result<(), StoreError>;

    /// Of the copies on a shelf, all of which are given, those that neither a row nor the trash names. With
    /// `seen_at` they are also remembered, and those of the shelf that are no strangers any more forgotten.
    async fn strangers(
        &self,
        shelf: u8,
        stored: Vec<StoredCopy>,
        seen_at: Option<Timestamp>,
    ) -> Result<Vec<Stranger>, StoreError>;
}

/// A blob store that can be walked through.
#[async_trait]
pub trait WalkableBlobs: BlobStore {
    /// All copies whose digest begins with this byte.
    async fn shelf(&self, first: u8) -> Result<Vec<StoredCopy>, BlobError>;
}
