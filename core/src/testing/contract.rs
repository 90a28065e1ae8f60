//! The promises of the ports, as functions over any implementation.
//!
//! Each function panics with the promise that was broken. They ask through the port alone, so what no port
//! shows (durability, the audit, files left behind) is for the implementation's own tests.

mod artifacts;
mod audit;
mod blobs;
mod directory;
mod documents;
mod fixture;
mod identities;
mod jobs;
mod ledger;
mod packages;
mod parts;
mod provenance;
mod publishing;
mod quotas;
mod removal;
mod repositories;
mod retention;

pub use artifacts::artifact_store;
pub use audit::audit_store;
pub use blobs::blob_store;
pub use directory::directory;
pub use documents::document_store;
pub use fixture::{address, details, publication, stored_file};
pub use identities::identity_store;
pub use jobs::job_store;
pub use ledger::blob_ledger;
pub use packages::package_store;
pub use provenance::provenance_store;
pub use quotas::quota_store;
pub use removal::removal_store;
pub use repositories::{repository_content, repository_store};
pub use retention::retention_store;
