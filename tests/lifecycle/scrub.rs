//! Stored files are read again in the background: one that rots is told of, and served as trouble or as it was; when it
//! is mended, nobody tells of it any more.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::workshop::{blobs, publish, server};
use crate::harness::server::Server;
use crate::harness::wait;

fn damaged(server: &Server) -> Value {
    server.api("GET", "/api/status", None).expect(200).json()["damaged"].clone()
}

/// All files of all versions, with what the last look at them came to.
fn files(server: &Server) -> Vec<Value> {
    let page = server.api("GET", "/api/artifacts", None).expect(200).json();
    let of = |artifact: &Value| {
        let path = format!("/api/artifacts/{}/files", artifact["id"].as_str().expect("an id"));
        server.api("GET", &path, None).expect(200).json()["items"].as_array().expect("files").clone()
    };
    page["items"].as_array().expect("artifacts").iter().flat_map(of).collect()
}

/// What the last run of the scrubber came to.
fn outcome(server: &Server) -> String {
    let status = server.api("GET", "/api/status", None).expect(200).json();
    let mut jobs = status["jobs"].as_array().expect("jobs").iter();
    let job = jobs.find(|job| job["name"] == "scrub" && job["running"] == false);
    job.and_then(|job| job["outcome"].as_str()).unwrap_or_default().to_owned()
}

#[test]
fn a_byte_that_flips_is_found_in_the_background_told_once_and_forgotten_when_it_is_mended() {
    let mut server = server(&[]);
    for number in 0..3 {
        publish(&server, "example.com/m", number, number).expect(201);
    }
    server.stop();
    let path = blobs(&server).into_iter().nth(1).expect("three blobs");
    let whole = fs::read(&path).expect("a blob");
    let mut rotten = whole.clone();
    rotten[10_000] ^= 1;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("writable");
    fs::write(&path, &rotten).expect("a blob");
    let digest = path.file_name().expect("a name").to_string_lossy()[..64].to_owned();

    server.start_again();
    wait::until("it is found", || damaged(&server)["count"] == 1);
    let first = &damaged(&server)["first"][0];
    assert_eq!((&first["sha256"], &first["code"]), (&digest.clone().into(), &"blob_corrupt".into()), "{first}");
    wait::until("the log tells of it", || server.output().contains("integrity_finding"));
    let told = |server: &Server| {
        let page = server.api("GET", "/api/audit?action=blob.damaged", None).expect(200).json();
        page["items"].as_array().expect("items").clone()
    };
    assert!(matches!(&told(&server)[..], [one] if one["resource"] == format!("blob {digest}")), "{:?}", told(&server));
    assert!(fs::read(&path).expect("nothing is removed") == rotten);
    wait::until("the run has ended", || outcome(&server).ends_with(" 1 new faults"));
    assert_eq!(damaged(&server)["count"], 1, "the other two are fine");
    let states = files(&server);
    assert_eq!(states.len(), 9, "three files of each: {states:?}");
    let broken: Vec<_> = states.iter().filter(|file| file["matches"] != true).collect();
    assert!(states.iter().all(|file| file["checked_at"].is_string()), "{states:?}");
    assert!(
        matches!(&broken[..], [one] if one["matches"] == false && one["sha256"] == *digest && one["fault"]["code"] == "blob_corrupt"),
        "{broken:?}"
    );

    // Known already: it is not told again.
    server.stop();
    server.start_again();
    wait::until("it has run", || outcome(&server) == "nothing to do");
    assert_eq!(told(&server).len(), 1);
    fs::write(&path, &whole).expect("mended");
    // What was broken is looked at again within minutes; here, as if they had passed.
    server.stop();
    crate::harness::database::sql(&server, "UPDATE blobs SET checked_at = 1");
    server.start_again();
    wait::until("it is mended", || damaged(&server)["count"] == 0);
    assert!(files(&server).iter().all(|file| file["matches"] == true && file["fault"].is_null()));
    server.command("verify").succeeded();
}

#[test]
fn it_is_switched_off_by_a_rate_of_nothing() {
    let server = server(&[("KEEPER_SCRUB_RATE", "0")]);
    publish(&server, "example.com/m", 0, 0).expect(201);
    let unread: Vec<_> = files(&server).into_iter().filter(|file| file["matches"].is_null()).collect();
    assert!(matches!(&unread[..], [one] if one["checked_at"].is_null()), "the zip; the others are in rows: {unread:?}");
    let status = server.api("GET", "/api/status", None).expect(200).json();
    assert!(status["jobs"].as_array().expect("jobs").iter().all(|job| job["name"] != "scrub"), "{status}");
}
