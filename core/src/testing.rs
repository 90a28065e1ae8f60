//! For tests of every crate: the ports in memory, and the suite that every implementation must pass.
//!
//! `memory` is a store and a blob store without a disk; it is the reference that the contract suite was
//! written against. `contract` holds the promises of the ports as functions over any implementation.

pub mod contract;
pub mod memory;
