//! Bad input, one table for each kind: what it gets, and that it leaves nothing behind.
//!
//! ```text
//! http, http2           A  framing, hosts, methods, slow and endless clients
//! paths                 B  spellings of addresses
//! credentials           C  tokens that are none, not good enough, or sent twice
//! administration        D  repositories, conditions, JSON
//! ranges                H  parts and conditions
//! lists                 I  limits, cursors, words, times, ids
//! people                   users, groups and sessions that are there already or are not there
//! configuration, start, database
//!                       J  what stops the program before it serves, and what is only warned of
//! ```
//!
//! A row names its case (`A7`), the request and the answer. What all refusals have in common is judged for each
//! row by `harness::refusal`. The parts E to G are in files of their own.

mod administration;
mod attempt;
mod configuration;
mod credentials;
mod database;
mod http;
mod http2;
mod lists;
mod paths;
mod people;
mod ranges;
mod start;
mod tls;
mod wire;

use serde_json::json;

use crate::harness::archives;
use crate::harness::http::Response;
use crate::harness::refusal::{LOG, Refusals};
use crate::harness::server::Server;
use crate::harness::upload::Form;

/// The module in `go/local`.
const MODULE: &str = "example.com/Azure/m";
/// Where its list of versions is, as the go command writes it.
const LIST: &str = "/go/local/example.com/%21azure/m/@v/list";
/// The module in `go/private`.
const SECRET: &str = "example.com/secret";
/// Its list of versions, below the repository.
const BELOW: &str = "/example.com/secret/@v/list";

/// A server with a repository that everybody may read, `go/local`, and one that strangers may not,
/// `go/private`, each with one module.
fn server(settings: &[(&str, &str)]) -> Server {
    let server = Server::with(&[&[LOG], settings].concat());
    server.create_repository(&json!({"format": "go", "name": "private", "kind": "hosted"}));
    publish(&server, "local", MODULE);
    publish(&server, "private", SECRET);
    server
}

fn publish(server: &Server, repository: &str, module: &str) {
    let archive = archives::module(format!("module {module}\n\ngo 1.21\n").as_bytes());
    let form = Form::go(archive).with("name", module).with("version", "v1.0.0").with("repository", repository);
    form.send(server).expect(201);
}

/// The answer is this refusal, in the shape of its path, and nothing else has changed.
#[track_caller]
fn refused(refusals: &Refusals<'_>, row: &str, path: &str, answer: &Response, status: u16, code: &str) {
    if path == "/api" || path.starts_with("/api/") {
        refusals.api(row, answer, status, &[code]);
    } else {
        refusals.text(row, answer, status, code);
    }
}
