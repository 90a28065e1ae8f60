//! Black-box tests: the built program, the real `go`, `git`, `curl` and `bash`, and what users see.
//!
//! One file for each promise, its tests named as the sentences that it consists of. `harness` holds what they
//! share: a server in a folder of its own, a developer's machine with nothing on it, git repositories with
//! fixed dates. Nothing here knows the insides of the program, waits by sleeping, uses a fixed port, or can
//! reach the internet.
//!
//! `make test` installs what is needed; a missing tool is a failure that says so, never a skipped test.

#![allow(clippy::disallowed_methods, reason = "the tests drive real programs; the server runs none")]

mod access;
mod archives;
mod audit;
mod backup;
mod bad_input;
mod catalog;
mod chains;
mod client_setup;
mod client_trouble;
mod concurrency;
mod deployment;
mod durability;
mod faults;
mod generic;
mod gomod_differential;
mod guide_document;
mod guide_recipes;
mod harness;
mod hostile;
mod import;
mod lifecycle;
mod matrix;
mod memory;
mod monitoring;
mod openapi;
mod operations;
mod private_over_https;
mod provenance;
mod reading;
mod remote;
mod remote_administration;
mod replicas;
mod scale;
mod secrets;
mod security;
mod server_states;
mod sums_equal_version_control;
mod tidy;
mod ui;
mod upgrade;
mod uploads_alike;
mod uploads_limited;
mod uploads_refused;
