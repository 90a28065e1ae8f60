//! From an empty data folder to a server somebody can use: the first user, the first repositories, and what a
//! newcomer is told.
//!
//! Nothing secret goes through `tracing`: a generated password is shown on a terminal or written to a file of
//! the data folder.

pub mod banner;
pub mod first_start;
pub mod passwords;
pub mod token_text;

pub use first_start::{FirstStart, FirstStartError, Ports, first_start};
