//! What the `go` command and others read from a hosted repository, and what they are told when there is nothing.
//!
//! ```text
//! absent     everything that is not there is 404, with a text that helps
//! served     everything that is there: lists, versions, files, pages
//! states     deleted, lost, or not for everybody
//! sumdb      the checksum database: what is passed on and what never leaves
//! by_go      the real command prints our texts and goes on where it should
//! ```
//!
//! Letters and numbers only name the rows. Not here: remote and virtual repositories
//! (G10, G17, G18, G22, G23, 31), blocked versions, which nothing can make yet (G16), and a stopped
//! database (G20), which is a file that is always there.

mod absent;
mod by_go;
mod served;
mod states;
mod sumdb;

use serde_json::{Value, json};

use crate::harness::archives;
use crate::harness::http::{self, Response};
use crate::harness::raw_form::RawForm;
use crate::harness::refusal::LOG;
use crate::harness::server::Server;

/// The commit of `github.com/Azure/m` v1.0.0.
const COMMIT: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567";
/// Two commits that begin alike, of `example.com/twice`.
const TWINS: [&str; 2] = ["abcdef0111111111111111111111111111111111", "abcdef0222222222222222222222222222222222"];

/// The versions of `example.com/untagged`, the newest by time first.
const PSEUDO: [&str; 2] = ["v0.0.0-20240304030607-0123456789ab", "v0.0.0-20191109021931-daa7c04131f5"];

/// A server with the repository `r`, which everybody may read, and what the rows want in it.
struct Scene {
    server: Server,
}

impl Scene {
    fn new() -> Self {
        let server = Server::with(&[LOG]);
        server.create_repository(&json!({"format": "go", "name": "r", "kind": "hosted", "anonymous_read": true}));
        let scene = Self { server };
        scene.publish("github.com/Azure/m", "v1.0.0", Some(COMMIT));
        scene.publish("github.com/Azure/m", "v1.1.0-rc.1", None);
        scene.publish("example.com/twice", "v1.0.0", Some(TWINS[0]));
        scene.publish("example.com/twice", "v1.1.0", Some(TWINS[1]));
        for version in PSEUDO {
            scene.publish("example.com/untagged", version, None);
        }
        scene
    }

    /// Publishes a version with a branch of its name, `branch-v1.0.0`, and a file that is too large for a row
    /// of the database.
    fn publish(&self, name: &str, version: &str, commit: Option<&str>) -> Value {
        let go_mod = format!("module {name}\n\ngo 1.21\n");
        let noise = archives::noise(100_000);
        let files: [(&str, &[u8]); 3] = [("go.mod", go_mod.as_bytes()), ("m.go", b"package m\n"), ("noise", &noise)];
        let archive = commit.map_or_else(|| archives::zip(&files), |commit| archives::of_commit(commit, &files));
        let form = RawForm::module(name, version).text("repository", "r").text("label", format!("branch-{version}"));
        form.file(archive).send(&self.server).expect(201).json()
    }

    fn delete(&self, artifact: &Value, reason: &str) {
        let id = artifact["id"].as_str().expect("an id");
        self.server.api("DELETE", &format!("/api/artifacts/{id}?reason={reason}"), None).expect(204);
    }

    /// The address of something in `r`.
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.go("r"))
    }

    fn get(&self, path: &str) -> Response {
        http::get(&self.url(path))
    }
}
