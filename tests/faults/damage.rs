//! Stored bytes that are cut, flipped or gone are a fault of ours that is told and named: never an absence, never a
//! body that ends cleanly and short; and what is published again is healed.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::files::{AT_ONCE, Client, QUIET, path, with_files};
use crate::harness::http::{self, Response};
use crate::harness::random::Random;
use crate::harness::refusal;
use crate::harness::server::Server;
use crate::harness::wait;

/// Larger than what is read at once.
const BYTES: usize = 1_500_000;

/// Who ask for a file while it is being mended.
const READERS: usize = 4;

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

/// Changes one bit within a stored copy.
fn flip(copy: &Path) {
    let mut bytes = fs::read(copy).expect("a blob");
    bytes[BYTES / 2] ^= 1;
    write(copy, &bytes);
}

#[test]
fn a_flipped_bit_is_named_by_a_verification_given_to_nobody_from_then_on_and_mended_by_a_repeat() {
    let server = with_files(Server::with(&[&AT_ONCE[..], &[QUIET, ("KEEPER_SCRUB_RATE", "0")]].concat()));
    let content = Random::seeded(0).bytes(BYTES);
    let mut client = Client::of(&server);
    client.publish("m", 0, &content).expect("it runs").expect(201);
    let copy = copy_of(&server, &content);
    flip(&copy);
    // It is kept ready.
    client.read("m", 0).expect("it runs").expect(200);
    let found = server.command("verify --json");
    let name = copy.file_name().expect("a name").to_string_lossy();
    assert!(found.code() == Some(5) && found.stdout().contains(&*name), "{found}");
    wait::until("it is refused", || asked(&server, 0).iter().all(|(_, answer)| answer.status == 500));
    for (how, answer) in asked(&server, 0) {
        assert_eq!((answer.status, answer.header("x-error-code")), (500, Some("blob_corrupt")), "{how}");
    }
    assert_eq!(server.api("GET", "/api/status", None).expect(200).json()["damaged"]["count"], 1);
    client.publish("m", 0, &content).expect("it runs").expect(200);
    assert!(client.read("m", 0).expect("it runs").expect(200).body == content);
    server.command("verify").succeeded();
    assert_eq!(server.api("GET", "/api/status", None).expect(200).json()["damaged"]["count"], 0);
}

#[test]
fn a_copy_that_was_mended_by_hand_is_served_when_a_verification_has_seen_it() {
    let server = with_files(Server::with(&[&AT_ONCE[..], &[QUIET, ("KEEPER_SCRUB_RATE", "0")]].concat()));
    let content = Random::seeded(0).bytes(BYTES);
    let mut client = Client::of(&server);
    client.publish("m", 0, &content).expect("it runs").expect(201);
    let copy = copy_of(&server, &content);
    flip(&copy);
    assert_eq!(server.command("verify").code(), Some(5));
    wait::until("it is refused", || client.read("m", 0).expect("it runs").status == 500);
    write(&copy, &content);
    let served = AtomicBool::new(false);
    thread::scope(|scope| {
        let _served = wait::RaiseAtEnd(&served);
        // Readers who are refused just then do not call it damaged once more.
        for _ in 0..READERS {
            scope.spawn(|| {
                let mut client = Client::of(&server);
                while !served.load(Ordering::SeqCst) {
                    client.read("m", 0);
                }
            });
        }
        server.command("verify").succeeded();
        wait::until("it is served", || client.read("m", 0).expect("it runs").status == 200);
    });
    client.read("m", 0).expect("it runs").expect(200);
    assert_eq!(server.api("GET", "/api/status", None).expect(200).json()["damaged"]["count"], 0);
}

#[test]
fn nothing_is_acknowledged_that_rests_on_an_older_copy_which_has_rotted_unseen() {
    let server = with_files(Server::with(&[&AT_ONCE[..], &[QUIET, ("KEEPER_SCRUB_RATE", "0")]].concat()));
    let content = Random::seeded(0).bytes(BYTES);
    let mut client = Client::of(&server);
    client.publish("m", 0, &content).expect("it runs").expect(201);
    flip(&copy_of(&server, &content));
    client.publish("other", 0, &content).expect("it runs").expect(201);
    for name in ["other", "m"] {
        assert!(client.read(name, 0).expect("it runs").expect(200).body == content, "{name}");
    }
    server.command("verify").succeeded();
}

#[test]
fn a_download_whose_bytes_are_cut_in_the_middle_never_ends_as_if_it_were_whole() {
    // More than the buffers of both sides together hold.
    const LONG: usize = 32 << 20;
    let server = with_files(Server::with(&[&AT_ONCE[..], &[QUIET]].concat()));
    let content = Random::seeded(0).bytes(LONG);
    Client::of(&server).publish("m", 0, &content).expect("it runs").expect(201);
    let copy = copy_of(&server, &content);
    let mut stream = TcpStream::connect(server.host()).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout above zero");
    let get = format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", path("m", 0), server.host());
    stream.write_all(get.as_bytes()).expect("it listens");
    let mut read = vec![0; 64 * 1024];
    stream.read_exact(&mut read).expect("it has begun");
    assert!(read.starts_with(b"HTTP/1.1 200"), "it has begun well");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o640)).expect("ours");
    fs::OpenOptions::new().write(true).open(&copy).expect("ours").set_len(LONG as u64 - 1_000).expect("ours");
    // Then the connection ends, with or without an error: less came than was announced.
    let ended = stream.read_to_end(&mut read);
    assert!(read.len() < LONG, "{ended:?}: {} bytes", read.len());
    let said = ended.err().map(|error| error.kind());
    assert!(said.is_none_or(|kind| kind == std::io::ErrorKind::ConnectionReset), "{said:?}");
    let refused = Client::of(&server).read("m", 0).expect("it runs");
    assert_eq!((refused.status, refused.header("x-error-code")), (500, Some("blob_corrupt")));
}
