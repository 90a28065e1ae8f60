//! A server whose collector never runs by itself within a test and waits for nothing when it is asked to, and
//! short words for what the tests do with it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::archives;
use crate::harness::http::Response;
use crate::harness::random::Random;
use crate::harness::refusal;
use crate::harness::server::Server;
use crate::harness::upload::{Answer, Form};

/// Nothing has to grow old, and the rate is no matter.
pub(super) const AT_ONCE: [(&str, &str); 3] =
    [("KEEPER_GC_GRACE", "0s"), ("KEEPER_GC_UNLINK_DELAY", "0s"), ("KEEPER_GC_UNLINKS_PER_SECOND", "100000")];

/// A server with [`AT_ONCE`] and further settings.
pub(super) fn server(settings: &[(&str, &str)]) -> Server {
    Server::with(&[&AT_ONCE[..], settings].concat())
}

/// An archive of incompressible bytes, different for each number, too large to live in its row.
pub(super) fn archive(number: u64) -> Vec<u8> {
    archives::zip(&[("noise.bin", &Random::seeded(number).bytes(20_000))])
}

/// Publishes version `v1.<number>.0` of a module to `go/local`, of the archive with this number.
pub(super) fn publish(server: &Server, module: &str, version: u64, content: u64) -> Answer {
    publish_to(server, "local", module, version, content)
}

/// The same to another repository.
pub(super) fn publish_to(server: &Server, repository: &str, module: &str, version: u64, content: u64) -> Answer {
    let version = format!("v1.{version}.0");
    Form::go(archive(content))
        .with("name", module)
        .with("version", &version)
        .with("repository", repository)
        .send(server)
}

/// Deletes the artifact that an upload has answered.
pub(super) fn delete(server: &Server, published: &Answer) {
    server.api("DELETE", &format!("/api/artifacts/{}", published.text("id")), None).expect(204);
}

/// Runs the collector on the command line and gives what it says.
pub(super) fn gc(server: &Server, flags: &str) -> Value {
    let finished = server.command(&format!("gc --json {flags}")).succeeded();
    serde_json::from_str(finished.stdout()).unwrap_or_else(|error| panic!("{error}: {finished}"))
}

/// The blobs on the disk.
pub(super) fn blobs(server: &Server) -> BTreeSet<PathBuf> {
    refusal::files(&server.data().join("blobs/sha256"))
}

/// The findings of a verification, as `code subject`, and its summary. Its exit code follows from its faults.
pub(super) fn verify(server: &Server, flags: &str) -> (Vec<String>, Value) {
    let finished = server.command(&format!("verify --json {flags}"));
    let mut lines: Vec<Value> = finished
        .stdout()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {finished}")))
        .collect();
    let summary = lines.pop().unwrap_or_else(|| panic!("no summary: {finished}"));
    let expected = if summary["faults"] == 0 { 0 } else { 5 };
    assert_eq!(finished.code(), Some(expected), "{finished}");
    let text = |line: &Value, key: &str| line[key].as_str().expect("a text").to_owned();
    (lines.iter().map(|line| format!("{} {}", text(line, "code"), text(line, "subject"))).collect(), summary)
}

/// Everything is as it should be.
#[track_caller]
pub(super) fn assert_sound(server: &Server) {
    let (findings, summary) = verify(server, "");
    let faults: Vec<_> = findings.iter().filter(|finding| !finding.starts_with("orphan ")).collect();
    assert!(faults.is_empty() && summary["faults"] == 0, "{faults:?} {summary}");
}

/// Sets the quota of `go/local`.
pub(super) fn set_quota(server: &Server, max_bytes: &Value, max_artifacts: &Value) -> Response {
    let body = json!({ "max_bytes": max_bytes, "max_artifacts": max_artifacts });
    server.api("PUT", "/api/repositories/go/local/quota", Some(&body))
}
