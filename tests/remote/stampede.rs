//! Many clients at once, and a kill in the middle.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::Scene;
use crate::harness::archives;
use crate::harness::goproxy::Module;
use crate::harness::http;
use crate::harness::refusal::files;
use crate::harness::scripted::{Gate, Reply, Scripted};
use crate::harness::wait::until;

/// Clients at once.
const CLIENTS: usize = 200;

/// Of so many clients one reads the whole file, the others its end: what is shown is what arrives upstream.
const WHOLE: usize = 20;

/// Time for an answer on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

const MEBIBYTE: usize = 1024 * 1024;

fn large(megabytes: usize) -> Module {
    Module::new("example.com/large", "v1.0.0").with("noise.bin", archives::noise(megabytes * MEBIBYTE))
}

/// Asks for a path and reads the body to its end without keeping it: its status, length and sum.
fn read(host: &str, path: &str, range: Option<&str>) -> (u16, usize, Vec<u8>) {
    let mut stream = TcpStream::connect(host).expect("a listening server");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout above zero");
    let range = range.map(|range| format!("Range: {range}\r\n")).unwrap_or_default();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{range}\r\n");
    stream.write_all(head.as_bytes()).expect("a listening server");
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("an answer");
        head.push(byte[0]);
    }
    let (mut length, mut sum, mut chunk) = (0, Sha256::new(), vec![0; 256 * 1024]);
    loop {
        let count = stream.read(&mut chunk).expect("the rest of the answer");
        if count == 0 {
            break;
        }
        length += count;
        sum.update(&chunk[..count]);
    }
    let status = String::from_utf8_lossy(&head)[9..12].parse().expect("a status");
    (status, length, sum.finalize().to_vec())
}

#[test]
fn many_clients_are_one_request_to_the_upstream() {
    let (scene, upstream, gate) = (Scene::new(), Scripted::start(), Gate::default());
    let module = large(50);
    let zip = module.zip();
    upstream.offer(&[&module]);
    upstream.put(&module.at("zip"), [Reply::bytes(zip.clone()).held(zip.len() / 2, &gate)]);
    scene.remote("m", &upstream.url);
    let path = format!("/go/m{}", module.at("zip"));
    let (start, whole, end) =
        (Barrier::new(CLIENTS + 1), Sha256::digest(&zip).to_vec(), Sha256::digest(&zip[zip.len() - 1000..]).to_vec());
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (start, path) = (&start, &path);
                let host = scene.server.host();
                scope.spawn(move || {
                    start.wait();
                    let all = number % WHOLE == 0;
                    (all, read(host, path, (!all).then_some("bytes=-1000")))
                })
            })
            .collect();
        start.wait();
        until("the upstream is asked", || upstream.times_asked(&module.at("zip")) == 1);
        gate.open();
        for client in clients {
            let (all, (status, length, sum)) = client.join().expect("no client panics");
            let wanted = if all { (200, zip.len(), &whole) } else { (206, 1000, &end) };
            assert_eq!((status, length, &sum), wanted);
        }
    });
    assert_eq!(upstream.times_asked(&module.at("zip")), 1, "{CLIENTS} clients");
    assert_eq!(files(&scene.server.data().join("tmp")).len(), 0, "no unfinished file is left");
}

#[test]
fn nobody_begins_anew_at_the_moment_in_which_a_fetch_ends() {
    const TOGETHER: usize = 12;
    let (scene, upstream) = (Scene::new(), Scripted::start());
    scene.remote("m", &upstream.url);
    let modules: Vec<_> = (0..40).map(|minor| Module::new("example.com/m", &format!("v1.{minor}.0"))).collect();
    upstream.offer(&modules.iter().collect::<Vec<_>>());
    for module in &modules {
        let start = Barrier::new(TOGETHER);
        thread::scope(|scope| {
            for client in 0..TOGETHER {
                let (start, scene) = (&start, &scene);
                scope.spawn(move || {
                    start.wait();
                    // Some come when the others have their answer.
                    for _ in 0..=client % 4 {
                        scene.get("m", &module.at("zip")).expect(200);
                    }
                });
            }
        });
        assert_eq!(upstream.times_asked(&module.at("zip")), 1, "{}", module.version);
    }
}

#[test]
fn a_client_that_leaves_does_not_stop_the_fetch_of_the_others() {
    let (scene, upstream, gate) = (Scene::new(), Scripted::start(), Gate::default());
    let module = large(1);
    let zip = module.zip();
    upstream.put(&module.at("zip"), [Reply::bytes(zip.clone()).held(1000, &gate)]);
    scene.remote("m", &upstream.url);
    let mut leaving = TcpStream::connect(scene.server.host()).expect("a listening server");
    let head = format!("GET /go/m{} HTTP/1.1\r\nHost: {}\r\n\r\n", module.at("zip"), scene.server.host());
    leaving.write_all(head.as_bytes()).expect("a listening server");
    until("the upstream is asked", || upstream.times_asked(&module.at("zip")) == 1);
    drop(leaving);
    gate.open();
    assert!(scene.get("m", &module.at("zip")).expect(200).body == zip);
    assert_eq!(upstream.times_asked(&module.at("zip")), 1);
}

#[test]
fn a_failure_is_shared_by_those_who_waited_and_by_nobody_after() {
    let (scene, upstream, gate) = (Scene::new(), Scripted::start(), Gate::default());
    let module = large(1);
    upstream.put(&module.at("zip"), [Reply::status(400).held(0, &gate), Reply::bytes(module.zip())]);
    scene.remote("m", &upstream.url);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(|| scene.get("m", &module.at("zip")).status)).collect();
        until("the upstream is asked", || upstream.times_asked(&module.at("zip")) == 1);
        gate.open();
        let statuses: Vec<_> = clients.into_iter().map(|client| client.join().expect("no client panics")).collect();
        assert!(statuses.contains(&502), "{statuses:?}");
        assert!(statuses.iter().all(|status| [200, 502].contains(status)), "{statuses:?}");
    });
    scene.get("m", &module.at("zip")).expect(200);
    assert!(upstream.times_asked(&module.at("zip")) <= 2);
}

#[test]
fn a_kill_in_the_middle_leaves_nothing_half_and_the_next_client_gets_it() {
    let (mut scene, upstream) = (Scene::new(), Scripted::start());
    let module = large(8);
    let zip = module.zip();
    upstream.offer(&[&module]);
    scene.remote("m", &upstream.url);
    // Killed at the first byte, in the middle, and at the last one.
    for bytes in [0, zip.len() / 2, zip.len() - 1] {
        let gate = Gate::default();
        upstream.put(&module.at("zip"), [Reply::bytes(zip.clone()).held(bytes, &gate)]);
        upstream.forget();
        let before = upstream.sent_bytes();
        let mut asking = TcpStream::connect(scene.server.host()).expect("a listening server");
        let head = format!("GET /go/m{} HTTP/1.1\r\nHost: {}\r\n\r\n", module.at("zip"), scene.server.host());
        asking.write_all(head.as_bytes()).expect("a listening server");
        until("so much has come", || {
            upstream.times_asked(&module.at("zip")) == 1 && upstream.sent_bytes() - before >= bytes as u64
        });
        scene.server.kill();
        gate.open();
        scene.server.start_again();
        assert_eq!(files(&scene.server.data().join("tmp")).len(), 0, "after {bytes} bytes: an unfinished file is left");
        assert_eq!(files(&scene.server.data().join("blobs/sha256")).len(), 0, "after {bytes} bytes: a blob is there");
        let listed = scene.server.api("GET", "/api/artifacts?format=go&repository=m", None).expect(200).json();
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(0), "after {bytes} bytes");
        scene.server.command("verify").succeeded();
    }
    upstream.put(&module.at("zip"), [Reply::bytes(zip.clone())]);
    assert!(scene.get("m", &module.at("zip")).expect(200).body == zip);
    scene.server.command("verify").succeeded();
}

#[test]
fn an_upstream_that_is_silent_leaves_the_turns_of_the_others() {
    const ASKING: usize = 150;
    const TURNS: usize = 32;
    let (scene, silent, other) = (Scene::new(), Scripted::start(), Scripted::start());
    let good = Module::new("example.com/good", "v1.0.0");
    other.offer(&[&good]);
    scene.remote("silent", &silent.url);
    scene.remote("other", &other.url);
    let host = scene.server.host();
    let waiting: Vec<_> = (0..ASKING)
        .map(|number| {
            let path = format!("/example.com/m{number}/@v/v1.0.0.mod");
            silent.put(&path, [Reply::silence()]);
            let mut stream = TcpStream::connect(host).expect("a listening server");
            let head = format!("GET /go/silent{path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            stream.write_all(head.as_bytes()).expect("a listening server");
            stream
        })
        .collect();
    until("the silent one has all the requests it may have", || silent.requests().len() >= TURNS);
    assert!(scene.get("other", &good.at("zip")).expect(200).body == good.zip());
    assert_eq!(silent.requests().len(), TURNS, "no more are with it at once");
    drop(waiting);
}

#[test]
fn different_files_are_fetched_side_by_side() {
    let (scene, upstream, gate) = (Scene::new(), Scripted::start(), Gate::default());
    let modules: Vec<_> = (0..20).map(|number| Module::new(&format!("example.com/m{number}"), "v1.0.0")).collect();
    for module in &modules {
        upstream.put(&module.at("zip"), [Reply::bytes(module.zip()).held(10, &gate)]);
    }
    scene.remote("m", &upstream.url);
    thread::scope(|scope| {
        let clients: Vec<_> =
            modules.iter().map(|module| scope.spawn(|| scene.get("m", &module.at("zip")).status)).collect();
        until("all are on their way at once", || upstream.requests().len() == modules.len());
        // Meanwhile the server answers others.
        assert_eq!(http::get(&format!("{}/livez", scene.server.url)).status, 200);
        gate.open();
        for client in clients {
            assert_eq!(client.join().expect("no client panics"), 200);
        }
    });
}
