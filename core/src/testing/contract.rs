//! The promises of the ports, as functions over any implementation.
//!
//! Each function panics with the promise that was broken. They ask through the port alone, so what no port
//! shows (durability, the audit, files left behind) is for the implementation's own tests.

mod artifacts;
mod audit;
mod blobs;
mod fixture;
mod identities;
mod packages;
mod parts;
mod publishing;
mod repositories;

pub use artifacts::artifact_store;
pub use audit::audit_store;
pub use blobs::blob_store;
pub use fixture::{address, details, publication, stored_file};
pub use identities::identity_store;
pub use packages::package_store;
pub use repositories::{repository_content, repository_store};
