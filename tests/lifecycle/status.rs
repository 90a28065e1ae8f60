//! The server tells an administrator how it is, and nobody else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::workshop::{blobs, gc, publish, server};
use crate::harness::http;
use crate::harness::server::Server;

#[test]
fn the_status_tells_totals_and_how_the_last_runs_ended() {
    let server = server(&[]);
    publish(&server, "example.com/m", 0, 0).expect(201);
    gc(&server, "--confirm");
    let status = server.api("GET", "/api/status", None).expect(200).json();
    assert_eq!((&status["counts"]["repositories"], &status["counts"]["artifacts"]), (&3.into(), &1.into()), "{status}");
    assert_eq!(status["upstreams"][0]["repository"], "go/upstream");
    assert_eq!(status["upstreams"][0]["sources"][0]["state"], "ok", "nobody has asked it: {status}");
    for number in [&status["database"]["bytes"], &status["storage"]["total_bytes"], &status["counts"]["bytes"]] {
        assert!(number.as_u64().is_some_and(|number| number > 0), "{status}");
    }
    let job = status["jobs"].as_array().expect("jobs").iter().find(|job| job["name"] == "gc").expect("it has run");
    assert!(job["running"] == false && job["failed"] == false && job["ended_at"].is_string(), "{job}");
    assert_eq!(http::get(&format!("{}/api/status", server.url)).status, 401);
    let reader = server.token("--name reader --actions read,manage --repositories *");
    let headers = [("Authorization", &*format!("Bearer {reader}"))];
    let refused = http::send("GET", &format!("{}/api/status", server.url), &headers, b"").expect(403);
    assert_eq!(refused.json()["code"], "admin_required");
}

/// The record of a job, if it has ever run.
fn job(server: &Server, name: &str) -> Option<Value> {
    let status = server.api("GET", "/api/status", None).expect(200).json();
    status["jobs"].as_array().expect("jobs").iter().find(|job| job["name"] == name).cloned()
}

#[test]
fn the_last_verification_and_the_last_backup_are_told_whoever_made_them() {
    let mut server = server(&[("KEEPER_SCRUB_RATE", "0")]);
    publish(&server, "example.com/m", 0, 0).expect(201);
    assert!(job(&server, "verify").is_none() && job(&server, "backup").is_none(), "nobody has");
    server.command("verify").succeeded();
    let told = job(&server, "verify").expect("it has run");
    assert!(told["failed"] == false && told["ended_at"].is_string() && told["running"] == false, "{told}");
    let outcome = |job: &Value| job["outcome"].as_str().expect("words").to_owned();
    assert!(outcome(&told).starts_with("no faults in 3 files, 1 of them stored by themselves ("), "{told}");
    server.command("verify --quick").succeeded();
    assert!(outcome(&job(&server, "verify").expect("it has run")).ends_with("(not read)"));

    // Without the server, too.
    server.stop();
    let copy = server.data().with_file_name("copy");
    server.command(&format!("backup --to {}", copy.display())).succeeded();
    let path = blobs(&server).into_iter().next().expect("a blob");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("writable");
    let mut rotten = fs::read(&path).expect("a blob");
    rotten[10_000] ^= 1;
    fs::write(&path, &rotten).expect("a blob");
    assert_eq!(server.command("verify").code(), Some(5));
    server.start_again();
    let told = job(&server, "backup").expect("it was made");
    assert!(told["failed"] == false && outcome(&told).starts_with("1 stored files of "), "{told}");
    let told = job(&server, "verify").expect("it has run");
    assert!(told["failed"] == true && outcome(&told).starts_with("1 faults in 3 files"), "{told}");
}
