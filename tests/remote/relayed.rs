//! What nobody has to vouch for is given out while it comes: its first bytes before its last, to any number of readers,
//! and never to its end when it breaks off or is refused.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Scene;
use crate::harness::archives;
use crate::harness::goproxy::Module;
use crate::harness::http;
use crate::harness::refusal::files;
use crate::harness::scripted::{Gate, Reply, Scripted};
use crate::harness::wait::until;

/// Time for the next bytes on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

const MEBIBYTE: usize = 1024 * 1024;

/// Bytes at the end that wait for the judgement.
const TAIL: usize = 64 * 1024;

fn large(version: &str, megabytes: usize) -> Module {
    Module::new("example.com/large", version).with("noise.bin", archives::noise(megabytes * MEBIBYTE))
}

/// Somebody who reads an answer piece by piece.
struct Reading {
    stream: TcpStream,
    head: String,
}

impl Reading {
    /// Asks, and reads the head of the answer.
    fn of(scene: &Scene, path: &str) -> Self {
        let mut stream = TcpStream::connect(scene.server.host()).expect("a listening server");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", scene.server.host());
        stream.write_all(head.as_bytes()).expect("a listening server");
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("an answer");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("text").to_ascii_lowercase();
        Self { stream, head }
    }

    fn status(&self) -> &str {
        &self.head[9..12]
    }

    fn next(&mut self, bytes: usize) -> Vec<u8> {
        let mut piece = vec![0; bytes];
        self.stream.read_exact(&mut piece).expect("the next bytes");
        piece
    }

    /// All that comes until the connection ends, however it does.
    fn rest(mut self) -> Vec<u8> {
        let (mut rest, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
        while let Ok(count @ 1..) = self.stream.read(&mut piece) {
            rest.extend_from_slice(&piece[..count]);
        }
        rest
    }
}

impl Scene {
    /// How many files that were given out while they came ended so.
    pub(super) fn relays(&self, format: &str, end: &str) -> u64 {
        let scrape = self.server.api("GET", "/metrics", None).expect(200).text();
        let name = format!("keeper_relays_total{{format=\"{format}\",result=\"{end}\"}} ");
        let line = scrape.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or_else(|| panic!("{scrape}"));
        line.parse().expect("a number")
    }

    fn keeps_nothing(&self) {
        until("the unfinished file is gone", || files(&self.server.data().join("tmp")).is_empty());
        assert_eq!(files(&self.server.data().join("blobs/sha256")).len(), 0, "a blob is there");
        let listed = self.server.api("GET", "/api/artifacts?format=go&repository=m", None).expect(200).json();
        assert_eq!(listed["items"], json!([]));
    }
}

#[test]
fn the_first_bytes_are_here_before_the_upstream_has_sent_the_last() {
    let (scene, upstream, gate) = (Scene::new(), Scripted::start(), Gate::default());
    let module = large("v1.0.0", 3);
    let zip = module.zip();
    upstream.offer(&[&module]);
    upstream.put(&module.at("zip"), [Reply::bytes(zip.clone()).held(zip.len() / 2, &gate)]);
    scene.remote("m", &upstream.url);
    scene.combined("all", &["m"], &json!({}));
    let mut readers =
        ["m", "all"].map(|repository| Reading::of(&scene, &format!("/go/{repository}{}", module.at("zip"))));
    // The upstream sends the other half only when this half has been read.
    for reader in &mut readers {
        assert_eq!(reader.status(), "200", "{}", reader.head);
        assert!(reader.head.contains(&format!("content-length: {}\r\n", zip.len())), "{}", reader.head);
        assert!(reader.head.contains("cache-control: no-store\r\n"), "nobody keeps it yet: {}", reader.head);
        assert!(!reader.head.contains("etag:") && !reader.head.contains("last-modified:"), "{}", reader.head);
        assert!(reader.next(zip.len() / 2) == zip[..zip.len() / 2]);
    }
    gate.open();
    for mut reader in readers {
        assert!(reader.next(zip.len() - zip.len() / 2) == zip[zip.len() / 2..]);
    }
    until("it is kept", || scene.relays("go", "kept") == 1);
    let kept = scene.get("m", &module.at("zip")).expect(200);
    assert!(kept.body == zip && kept.header("etag").is_some());
    assert_eq!(upstream.times_asked(&module.at("zip")), 1);
}

#[test]
fn files_of_other_formats_are_given_out_while_they_come() {
    let (scene, upstream, gate) = (Scene::new(), Scripted::start(), Gate::default());
    let bytes = archives::noise(2 * MEBIBYTE);
    upstream.put("/tool/1.0/tool.tar.gz", [Reply::bytes(bytes.clone()).held(MEBIBYTE, &gate)]);
    scene.create(&json!({
        "format": "generic", "name": "m", "kind": "remote", "anonymous_read": true,
        "upstream": { "url": upstream.url, "allow_http": true },
    }));
    let mut reader = Reading::of(&scene, "/generic/m/tool/1.0/tool.tar.gz");
    assert!(reader.head.contains("content-type: application/gzip\r\n"), "{}", reader.head);
    assert!(reader.next(MEBIBYTE) == bytes[..MEBIBYTE]);
    gate.open();
    assert!(reader.next(MEBIBYTE) == bytes[MEBIBYTE..]);
    until("it is kept", || scene.relays("generic", "kept") == 1);
}

#[test]
fn what_breaks_off_has_no_end_and_the_next_who_asks_gets_it_whole() {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    let module = large("v1.0.0", 3);
    let zip = module.zip();
    scene.remote("m", &upstream.url);
    for bytes in [zip.len() / 2, zip.len() - 1] {
        upstream.put(&module.at("zip"), [Reply::bytes(zip.clone()).cut(bytes)]);
        let reader = Reading::of(&scene, &format!("/go/m{}", module.at("zip")));
        assert_eq!(reader.status(), "200", "{}", reader.head);
        let read = reader.rest();
        assert!(read.len() < zip.len() && zip.starts_with(&read), "{} of {}", read.len(), zip.len());
        scene.keeps_nothing();
    }
    assert_eq!(scene.relays("go", "broken"), 2);
    upstream.put(&module.at("zip"), [Reply::bytes(zip.clone())]);
    assert!(scene.get("m", &module.at("zip")).expect(200).body == zip);
}

#[test]
fn what_is_refused_has_no_end() {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    let module = large("v1.0.0", 3);
    scene.remote("m", &upstream.url);
    // No zip at all, and the zip of another version.
    for bytes in [archives::noise(3 * MEBIBYTE), large("v1.0.1", 3).zip()] {
        let (gate, before_the_tail) = (Gate::default(), bytes.len() - TAIL);
        upstream.put(&module.at("zip"), [Reply::bytes(bytes.clone()).held(bytes.len() - 1, &gate)]);
        let mut reader = Reading::of(&scene, &format!("/go/m{}", module.at("zip")));
        assert_eq!(reader.status(), "200", "{}", reader.head);
        assert!(reader.next(before_the_tail) == bytes[..before_the_tail]);
        gate.open();
        assert_eq!(reader.rest().len(), 0, "nothing of what waits for the judgement");
        scene.keeps_nothing();
    }
    let bytes = large("v1.0.1", 3).zip();
    upstream.put(&module.at("zip"), [Reply::bytes(bytes)]);
    until("both are counted", || scene.relays("go", "refused") == 2);
    // Whoever can wait is told why.
    let told = scene.server.send(None, "GET", &format!("/go/m{}", module.at("zip")), &[("Range", "bytes=0-9")], b"");
    assert_eq!((told.status, told.header("x-error-code")), (502, Some("upstream_invalid")));
}

#[test]
fn what_was_here_before_is_judged_before_it_is_given_out() {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    let module = large("v1.0.0", 2);
    upstream.put(&module.at("zip"), [Reply::bytes(module.zip())]);
    scene.remote("m", &upstream.url);
    assert!(scene.get("m", &module.at("zip")).expect(200).body == module.zip());
    until("it is kept", || scene.relays("go", "kept") == 1);
    let listed = scene.server.api("GET", "/api/artifacts?format=go&repository=m", None).expect(200).json();
    let id = listed["items"][0]["id"].as_str().expect("an id").to_owned();
    scene.server.api("DELETE", &format!("/api/artifacts/{id}"), None).expect(204);
    upstream.put(&module.at("zip"), [Reply::bytes(module.with("evil.go", "package m\n").zip())]);
    let refused = scene.get("m", &large("v1.0.0", 0).at("zip"));
    assert_eq!((refused.status, refused.header("x-error-code")), (502, Some("upstream_checksum_mismatch")));
    assert_eq!(scene.relays("go", "kept"), 1);
}

#[test]
fn where_somebody_has_to_vouch_nothing_is_given_out_before() {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    let module = large("v1.0.0", 3);
    let zip = module.zip();
    upstream.put(&module.at("zip"), [Reply::bytes(zip.clone()).cut(zip.len() - 1)]);
    for verify in ["require", "record"] {
        let settings = json!({ "checksum_database": "sum.example.com http://127.0.0.1:1", "verify": verify });
        scene.remote_with(verify, &upstream.url, &json!({}), &settings);
        assert_eq!(scene.get(verify, &module.at("zip")).status, 502, "{verify}: what broke off has a status");
    }
}

#[test]
fn those_who_read_it_get_all_of_it_though_it_cannot_be_kept() {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    let module = large("v1.0.0", 3);
    upstream.put(&module.at("zip"), [Reply::bytes(module.zip())]);
    scene.remote("m", &upstream.url);
    let quota = json!({ "max_bytes": MEBIBYTE, "max_artifacts": null });
    scene.server.api("PUT", "/api/repositories/go/m/quota", Some(&quota)).expect(200);
    let reader = Reading::of(&scene, &format!("/go/m{}", module.at("zip")));
    assert_eq!(reader.status(), "200", "{}", reader.head);
    assert!(reader.rest() == module.zip());
    until("it is counted", || scene.relays("go", "unkept") == 1);
    scene.keeps_nothing();
    assert!(scene.server.output().contains("a file that was given out while it came is not kept"), "the log says so");
    assert_eq!(http::get(&format!("{}{}", scene.server.go("m"), module.at("info"))).status, 404);
}

#[test]
fn a_slow_reader_holds_up_nobody() {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    let module = large("v1.0.0", 24);
    let zip = module.zip();
    upstream.put(&module.at("zip"), [Reply::bytes(zip.clone())]);
    scene.remote("m", &upstream.url);
    let slow = Reading::of(&scene, &format!("/go/m{}", module.at("zip")));
    // He has read nothing but the head when all of it is kept.
    until("it is kept", || scene.relays("go", "kept") == 1);
    assert!(scene.get("m", &module.at("zip")).expect(200).body == zip);
    assert_eq!(Sha256::digest(slow.rest()), Sha256::digest(&zip));
    assert_eq!(upstream.times_asked(&module.at("zip")), 1);
}

#[test]
fn many_read_along_the_same_file() {
    const CLIENTS: usize = 200;
    let (scene, upstream, gate) = (Scene::new(), Scripted::start(), Gate::default());
    let module = large("v1.0.0", 3);
    let zip = module.zip();
    upstream.put(&module.at("zip"), [Reply::bytes(zip.clone()).held(zip.len() / 2, &gate)]);
    scene.remote("m", &upstream.url);
    let (path, all_have_read) = (format!("/go/m{}", module.at("zip")), Barrier::new(CLIENTS + 1));
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (path, scene, all_have_read, zip) = (&path, &scene, &all_have_read, &zip);
                scope.spawn(move || {
                    let mut reader = Reading::of(scene, path);
                    let first = reader.next(zip.len() / 2) == zip[..zip.len() / 2];
                    all_have_read.wait();
                    first && reader.rest() == zip[zip.len() / 2..]
                })
            })
            .collect();
        // Every one of them reads its half of what no more than half has come.
        all_have_read.wait();
        gate.open();
        for client in clients {
            assert!(client.join().expect("no client panics"));
        }
    });
    assert_eq!(upstream.times_asked(&module.at("zip")), 1, "{CLIENTS} clients");
}
