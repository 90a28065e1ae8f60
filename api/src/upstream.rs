//! The outgoing network: the one HTTP client of the program, behind address rules.
//!
//! Nothing else makes a connection outwards. What may be reached is in [`guard`], how in [`client`].

pub mod client;
pub mod guard;

pub use client::{GuardedClient, UpstreamLimits};
pub use guard::NetworkAllow;
