//! Where the bytes lie: the implementations of [`keeper_core::blob::BlobStore`].
//!
//! There are two: the local disk and a bucket of S3. That of the disk is our own and not the local backend of the
//! `object_store` crate, which stages beside its target and by default never calls fsync.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use keeper_core::blob::{BlobError, BlobInfo};
use keeper_core::digest::Hasher;
use keeper_core::ledger::WalkableBlobs;
use keeper_core::limits::IO_CHUNK_BYTES;

use crate::config::StoragePlace;

mod buffers;
pub mod disk;
mod durable;
pub mod guard;
mod lane;
mod object;
mod read;
mod staged;

pub use disk::DiskBlobs;
pub use object::ObjectBlobs;

/// Opens the store at a place; `tmp` is where bytes are received. The caller holds the lock of the data folder. On a disk
/// that is `read_only` nothing is made or removed.
///
/// # Errors
/// Why it cannot be used.
pub async fn open(place: &StoragePlace, tmp: &Path, read_only: bool) -> Result<Arc<dyn Restorable>, BlobError> {
    Ok(match place {
        StoragePlace::Folder(folder) if read_only => Arc::new(DiskBlobs::frozen(folder, tmp)),
        StoragePlace::Folder(folder) => Arc::new(DiskBlobs::open(folder, tmp)?),
        StoragePlace::Bucket(bucket) => Arc::new(ObjectBlobs::open(bucket, tmp).await?),
    })
}

/// A blob store into which the files of a copy can be put.
#[async_trait]
pub trait Restorable: WalkableBlobs {
    /// Puts a copy where it was, durably, after its bytes were compared with its digest. One that is there already stays.
    async fn restore(&self, blob: &BlobInfo, from: &Path) -> Result<(), BlobError>;
}

/// Copies the bytes of a blob and refuses others.
fn judge(blob: &BlobInfo, mut from: impl Read, mut to: impl Write) -> Result<(), BlobError> {
    let (mut hasher, mut chunk) = (Hasher::default(), vec![0; IO_CHUNK_BYTES]);
    loop {
        let length = from.read(&mut chunk)?;
        if length == 0 {
            break;
        }
        hasher.update(&chunk[..length]);
        to.write_all(&chunk[..length]).map_err(durable::refused_write)?;
    }
    if hasher.size() == blob.size && hasher.digest() == blob.location.digest() {
        return Ok(());
    }
    Err(BlobError::Corrupt(blob.location.as_str().to_owned(), "the copy has other bytes".to_owned()))
}
