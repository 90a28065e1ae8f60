//! Stored bytes that are cut, flipped or gone are a fault of ours that is told and named: never an absence, never a
//! body that ends cleanly and short; and what is published again is healed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::files::{AT_ONCE, Client, QUIET, path, with_files};
use crate::harness::http::{self, Response};
use crate::harness::random::Random;
use crate::harness::refusal;
use crate::harness::server::Server;

/// Larger than what is read at once.
const BYTES: usize = 1_500_000;

/// The stored copy of these bytes.
fn copy_of(server: &Server, content: &[u8]) -> PathBuf {
    let blobs = refusal::files(&server.data().join("blobs/sha256"));
    blobs.into_iter().find(|blob| fs::read(blob).expect("a blob") == content).expect("it is stored")
}

fn write(blob: &Path, bytes: &[u8]) {
    fs::set_permissions(blob, fs::Permissions::from_mode(0o640)).expect("ours");
    fs::write(blob, bytes).expect("ours");
}

/// Each way to ask for a file.
fn asked(server: &Server, version: u64) -> Vec<(&'static str, Response)> {
    let url = format!("{}{}", server.url, path("m", version));
    let with = |method: &str, headers: &[(&str, &str)]| http::send(method, &url, headers, &[]);
    vec![
        ("whole", with("GET", &[])),
        ("first part", with("GET", &[("Range", "bytes=0-9")])),
        ("last part", with("GET", &[("Range", "bytes=-10")])),
        ("part within", with("GET", &[("Range", "bytes=700000-700009")])),
    ]
}

#[test]
fn damaged_bytes_are_never_served_and_never_called_absent() {
    let server = with_files(Server::with(&[&AT_ONCE[..], &[QUIET]].concat()));
    let mut client = Client::of(&server);
    let contents: Vec<_> = (0..4).map(|number| Random::seeded(number).bytes(BYTES)).collect();
    for (version, content) in (0..).zip(&contents) {
        client.publish("m", version, content).expect("it runs").expect(201);
    }
    let copies: Vec<_> = contents.iter().map(|content| copy_of(&server, content)).collect();
    write(&copies[0], &contents[0][..BYTES / 2]);
    write(&copies[1], &[&contents[1][..], b"more"].concat());
    fs::remove_file(&copies[2]).expect("ours");
    for (version, code) in [(0, "blob_corrupt"), (1, "blob_corrupt"), (2, "blob_missing")] {
        for (how, answer) in asked(&server, version) {
            assert_eq!((answer.status, answer.header("x-error-code")), (500, Some(code)), "{version}, {how}");
        }
    }
    for (how, answer) in asked(&server, 3) {
        assert!(matches!(answer.status, 200 | 206), "an intact one, {how}: {}", answer.status);
    }
    let found = server.command("verify --json");
    assert_eq!(found.code(), Some(5), "{found}");
    for copy in &copies[..3] {
        let name = copy.file_name().expect("a name").to_string_lossy();
        assert!(found.stdout().contains(&*name), "{name} is not named: {found}");
    }

    // The same bytes again mend what was lost; the answer is that of a repetition.
    for (version, content) in (0..3).zip(&contents) {
        client.publish("m", version, content).expect("it runs").expect(200);
        assert!(client.read("m", version).expect("it runs").expect(200).body == *content, "{version}");
    }
    server.command("verify").succeeded();
}

#[test]
fn a_flipped_bit_is_found_by_a_verification_and_named() {
    let server = with_files(Server::with(&[&AT_ONCE[..], &[QUIET]].concat()));
    let content = Random::seeded(0).bytes(BYTES);
    Client::of(&server).publish("m", 0, &content).expect("it runs").expect(201);
    let copy = copy_of(&server, &content);
    let mut flipped = content;
    flipped[BYTES / 2] ^= 1;
    write(&copy, &flipped);
    let found = server.command("verify --json");
    let name = copy.file_name().expect("a name").to_string_lossy();
    assert!(found.code() == Some(5) && found.stdout().contains(&*name), "{found}");
}
