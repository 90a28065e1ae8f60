//! The web UI in a real browser, against the built program.
//!
//! Each test starts a server, publishes what it needs through the public API, and runs a scenario of
//! `web-ui/tests/e2e` with Node.js and the system's Chromium. A scenario fails on anything the browser complains of:
//! an error on the console, a violation of the policy, a request to another host, an accessibility fault (light and
//! dark, wide and narrow).
//!
//! ```text
//! browse   finding, reading, copying; notices and hostile texts
//! hostile  what publishers and users wrote, shown harmless
//! much     10,000 versions, 100,000 packages
//! publish  sending from the browser, refusals, broken connections
//! people   signing in, tokens, rights, conflicts, the audit
//! remote   remote and virtual repositories, made and kept
//! setup    every line of the set-up pages, and whether a client arrives
//! serving  headers, deep links, prefixes, and what is no page
//! ```

mod browse;
mod hostile;
mod much;
mod people;
mod publish;
mod remote;
mod serving;
mod setup;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::archives;
use crate::harness::command::run;
use crate::harness::people::PASSWORD;
use crate::harness::server::{ADMIN_TOKEN, Server};
use crate::harness::upload::{Answer, Form};

/// A server whose administrator has the password of everybody.
fn server() -> Server {
    server_with(&[])
}

/// The same with further settings.
fn server_with(settings: &[(&str, &str)]) -> Server {
    Server::with(&[&[("KEEPER_ADMIN_PASSWORD", PASSWORD)], settings].concat())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../web-ui")
}

/// Runs a scenario and answers what it found out; `facts` is what it has to know beside the server.
#[track_caller]
fn scenario(server: &Server, name: &str, facts: &Value) -> Value {
    Known::of(server, facts).run(name)
}

/// What a scenario knows of a server, so that it can go on while the test does something to that.
struct Known(String);

impl Known {
    fn of(server: &Server, facts: &Value) -> Self {
        Self(json!({"url": server.url, "token": ADMIN_TOKEN, "password": PASSWORD, "more": facts}).to_string())
    }

    #[track_caller]
    fn run(&self, name: &str) -> Value {
        let script = folder().join("tests/e2e/run.js");
        let mut command = Command::new("node");
        command.arg(script).arg(name).current_dir(folder()).env("KEEPER_SCENARIO", &self.0);
        let finished = run(&mut command).succeeded();
        let last = finished.stdout().lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {finished}"))
    }
}

/// Publishes a module of these files; `go.mod` is written if it is not among them.
fn publish(server: &Server, name: &str, version: &str, files: &[(&str, &str)]) -> Answer {
    let go_mod = format!("module {name}\n\ngo 1.21\n");
    let mut all: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    if !files.iter().any(|(path, _)| *path == "go.mod") && !version.ends_with("+incompatible") {
        all.push(("go.mod", go_mod.as_bytes()));
    }
    if !files.iter().any(|(path, _)| path.ends_with(".go")) {
        all.push(("doc.go", b"// Package m is here for the tests.\npackage m\n"));
    }
    Form::go(archives::zip(&all)).with("name", name).with("version", version).send(server).expect(201)
}

/// A repository of plain files, open to everybody, with a file in it.
fn plain_file(server: &Server, path: &str, content: &[u8]) {
    let body = json!({"format": "generic", "name": "files", "kind": "hosted", "anonymous_read": true});
    let made = server.api("POST", "/api/repositories", Some(&body)).status;
    assert!(made == 201 || made == 409, "{made}");
    let kind = [("Content-Type", "application/octet-stream")];
    server.send(Some(ADMIN_TOKEN), "PUT", &format!("/generic/files/{path}"), &kind, content).expect(201);
}
