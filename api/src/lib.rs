//! The server of Artifact Keeper: joins the ports of `keeper-core` to SQLite or PostgreSQL, a local folder or S3, the
//! network and HTTP, and the formats of this build to all of it.
//!
//! Entry points: [`program`] is what the binary runs; [`run::start`] is the composition root; [`http`] has the
//! whole route table.

pub mod admin_socket;
pub mod archive;
mod auditor;
pub mod backup;
pub mod blobs;
pub mod bootstrap;
pub mod cli;
pub mod clock;
pub mod config;
pub mod datadir;
mod error_page;
pub mod http;
pub mod import;
pub mod jobs;
mod logging;
pub mod monitoring;
mod nearest;
mod process;
mod program;
mod reload;
pub mod run;
mod secrets;
pub mod server;
pub mod sign_in;
pub mod status;
pub mod store;
pub mod supervise;
pub mod token_request;
pub mod upstream;

pub use program::program;
