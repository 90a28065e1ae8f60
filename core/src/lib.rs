//! The heart of Artifact Keeper: what repositories, artifacts and formats *are*, and the services that
//! publish, serve and authorise.
//!
//! This crate knows no web framework, no database, no file system and no format. What it needs of them it
//! states as ports (traits): [`repository::RepositoryStore`], [`artifact::ArtifactStore`],
//! [`blob::BlobStore`], [`identity::Directory`], [`audit::AuditStore`], [`documents::DocumentStore`],
//! [`upstream::Upstreams`], [`upstream::Authorities`]. A format is a plugin behind
//! [`format::FormatHandler`].
//!
//! The way through: [`pipeline::Keeper::read`] for what clients ask, [`pipeline::Keeper::publish`] and
//! [`pipeline::Keeper::delete`] for changes. Each takes its permission from [`access::authorize`].

pub mod access;
pub mod artifact;
pub mod audit;
pub mod blob;
pub mod catalog;
pub mod collector;
pub mod damage;
pub mod digest;
pub mod documents;
pub mod error;
pub mod events;
pub mod failpoint;
pub mod format;
pub mod identity;
pub mod integrity;
pub mod jobs;
pub mod ledger;
pub mod lifecycle;
pub mod limits;
pub mod media_type;
pub mod path;
pub mod pipeline;
pub mod plugin;
pub mod policy;
pub mod provenance;
pub mod quota;
pub mod redaction;
pub mod removal;
pub mod repository;
pub mod retention;
pub mod scrubber;
pub mod source;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod upstream;
pub mod uses;
pub mod verifier;
pub mod visits;

pub use inventory;
