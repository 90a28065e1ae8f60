//! The outgoing network: the one HTTP client of the program, behind address rules.
//!
//! Nothing else makes a connection outwards. What may be reached is in [`guard`] (over what an address is,
//! `addresses`), how in [`client`]; `source` asks the sources of remote repositories, with `body` for what comes
//! back, `resume` for the rest of what broke off, `breaker` for those that are in trouble, and `credentials` for those that want some.

mod addresses;
mod body;
mod breaker;
pub mod client;
mod credentials;
pub mod guard;
mod limits;
mod own;
mod resume;
mod source;

pub(crate) use client::origin;
pub use client::{GuardedClient, Network, certificates};
pub use credentials::{Credential, Vault, unopened};
pub use guard::{NetworkAllow, Refused};
pub use limits::UpstreamLimits;
pub use own::OwnAddress;
