//! Where the bytes lie: the implementations of [`keeper_core::blob::BlobStore`].
//!
//! There is one, the local disk. It is our own and not the local backend of the `object_store` crate, which
//! stages beside its target and by default never calls fsync.

mod buffers;
pub mod disk;
mod durable;
mod lane;
mod read;
mod staged;

pub use disk::DiskBlobs;
