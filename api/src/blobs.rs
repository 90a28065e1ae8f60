//! Where the bytes lie: the implementations of [`keeper_core::blob::BlobStore`].
//!
//! There are two: the local disk and a bucket of S3. That of the disk is our own and not the local backend of the
//! `object_store` crate, which stages beside its target and by default never calls fsync.

use std::path::Path;
use std::sync::Arc;

use keeper_core::blob::BlobError;
use keeper_core::ledger::WalkableBlobs;

use crate::config::StoragePlace;

mod buffers;
pub mod disk;
mod durable;
mod lane;
mod object;
mod read;
mod staged;

pub use disk::DiskBlobs;
pub use object::ObjectBlobs;

/// Opens the store at a place; `tmp` is where bytes are received. The caller holds the lock of the data folder.
///
/// # Errors
/// Why it cannot be used.
pub async fn open(place: &StoragePlace, tmp: &Path) -> Result<Arc<dyn WalkableBlobs>, BlobError> {
    Ok(match place {
        StoragePlace::Folder(folder) => Arc::new(DiskBlobs::open(folder, tmp)?),
        StoragePlace::Bucket(bucket) => Arc::new(ObjectBlobs::open(bucket, tmp).await?),
    })
}
