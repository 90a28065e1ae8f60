//! Who may come in, and what each may give away.
//!
//! ```text
//! command_line what the owner of the data folder can do
//! sign_in      passwords, limits, cookies, the first password
//! exposed      what others could read on the way
//! other_pages  what a page of somebody else can make a browser do
//! tokens       a token is never more than the one that asked for it
//! users        administration, and what nobody can set by accident
//! revocation   what is taken away counts no more from the next request on
//! ```
//!
//! The rights on each route are in `matrix`.

mod command_line;
mod exposed;
mod other_pages;
mod revocation;
mod sign_in;
mod tokens;
mod users;

use serde_json::json;

use crate::harness::people::PASSWORD;
use crate::harness::server::Server;

/// A server whose administrator has the password of everybody, with the private repository `go/private`.
fn server(settings: &[(&str, &str)]) -> Server {
    let server = Server::with(&[&[("KEEPER_ADMIN_PASSWORD", PASSWORD)], settings].concat());
    server.create_repository(&json!({"format": "go", "name": "private", "kind": "hosted"}));
    server
}
