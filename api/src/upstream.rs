//! The outgoing network: the one HTTP client of the program, behind address rules.
//!
//! Nothing else makes a connection outwards. What may be reached is in [`guard`] (over what an address is,
//! `addresses`), how in [`client`].

mod addresses;
pub mod client;
pub mod guard;

pub use client::{GuardedClient, UpstreamLimits};
pub use guard::NetworkAllow;
