//! The crash tables: at each step of each protocol the process is gone, and what it leaves is what was there before
//! or what was wanted; and each step that can fail fails, which is told and leaves nothing.

use std::os::unix::process::ExitStatusExt as _;

use rustix::process::Signal;
use serde_json::json;

use super::files::{AT_ONCE, Client, QUIET, assert_sound_and_empty, bytes, gc, unfinished, with_files};
use crate::harness::goproxy::Module;
use crate::harness::refusal::files;
use crate::harness::scripted::Scripted;
use crate::harness::server::Server;
use crate::harness::wait;

/// A server whose next start dies at a place, and how it goes on.
struct Mortal {
    server: Server,
}

impl Mortal {
    fn new() -> Self {
        Self { server: with_files(Server::faulty("", &[&AT_ONCE[..], &[QUIET]].concat())) }
    }

    /// Restarts it so that it dies at this place, does what leads there, and starts it again as it should be.
    fn dies_at(&mut self, place: &str, work: impl FnOnce(&Server)) {
        self.server.stop();
        self.server.set_failpoints(&format!("{place}=kill"));
        self.server.start_again();
        work(&self.server);
        let status = self.server.kill();
        assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()), "{place}: nobody came by");
        self.server.set_failpoints("");
        self.server.start_again();
        assert_eq!(unfinished(&self.server), [""; 0], "{place}");
    }
}

#[test]
fn a_kill_at_any_step_of_a_publication_leaves_all_or_nothing() {
    let mut mortal = Mortal::new();
    let places = [
        ("F1", 201),
        ("F2", 201),
        ("F3", 201),
        ("F4", 201),
        ("F5", 201),
        ("F6", 201),
        ("F7", 201),
        ("F8", 200),
        ("F9", 200),
    ];
    for (number, (place, repeated)) in (0..).zip(places) {
        let content = bytes(number);
        mortal.dies_at(place, |server| {
            assert!(Client::of(server).publish("m", number, &content).is_none(), "{place}: it was answered");
        });
        let mut client = Client::of(&mortal.server);
        let there = client.read("m", number).expect("it runs");
        let expected = if repeated == 200 { 200 } else { 404 };
        assert_eq!(there.status, expected, "{place}: {}", there.text());
        let again = client.publish("m", number, &content).expect("it runs");
        assert_eq!(again.status, repeated, "{place}: {}", again.text());
        assert!(client.read("m", number).expect("it runs").expect(200).body == content, "{place}");
    }
    assert_sound_and_empty(&mortal.server);
}

#[test]
fn a_kill_at_any_step_of_a_deletion_leaves_all_or_nothing() {
    let mut mortal = Mortal::new();
    for (number, (place, status)) in (0..).zip([("F20", 200), ("F8", 410), ("F21", 410)]) {
        let content = bytes(number);
        Client::of(&mortal.server).publish("m", number, &content).expect("it runs").expect(201);
        mortal.dies_at(place, |server| assert!(Client::of(server).delete("m", number).is_none(), "{place}"));
        let mut client = Client::of(&mortal.server);
        assert_eq!(client.read("m", number).expect("it runs").status, status, "{place}");
        let repeated = client.delete("m", number).expect("it runs").status;
        assert_eq!(repeated, status, "{place}: 200 when it does it, 410 when it was done");
        assert_eq!(client.read("m", number).expect("it runs").status, 410, "{place}");
    }
    assert_sound_and_empty(&mortal.server);
}

#[test]
fn a_kill_at_any_step_of_a_fetch_leaves_the_whole_file_or_none_of_it() {
    let upstream = Scripted::start();
    let near = ("KEEPER_NETWORK_ALLOW", "127.0.0.1");
    let mut mortal = Mortal { server: Server::faulty("", &[&AT_ONCE[..], &[QUIET, near]].concat()) };
    mortal.server.create_repository(&json!({
        "format": "go", "name": "mirror", "kind": "remote", "anonymous_read": true,
        "upstream": { "url": upstream.url, "allow_http": true },
        "settings": { "checksum_database": "off", "verify": "off" },
    }));
    // How often the upstream is asked in all: what was kept before the end is there and not fetched again.
    let places =
        [("F40", 1), ("F1", 2), ("F2", 2), ("F3", 2), ("F4", 2), ("F5", 2), ("F6", 2), ("F7", 2), ("F8", 1), ("F9", 1)];
    for (minor, (place, asked)) in (0..).zip(places) {
        let module = Module::new("example.com/m", &format!("v1.{minor}.0")).with("noise.bin", bytes(minor));
        upstream.offer(&[&module]);
        let path = format!("/go/mirror{}", module.at("zip"));
        mortal.dies_at(place, |server| {
            assert!(Client::of(server).ask("GET", &path, &[]).is_none(), "{place}: it was answered");
        });
        let read = Client::of(&mortal.server).ask("GET", &path, &[]).expect("it runs").expect(200);
        assert!(read.body == module.zip(), "{place}");
        assert_eq!(upstream.times_asked(&module.at("zip")), asked, "{place}");
    }
    assert_sound_and_empty(&mortal.server);
}

#[test]
fn a_kill_at_any_step_of_a_collection_costs_nothing_but_the_rest_of_the_work() {
    let mut mortal = Mortal::new();
    for (number, place) in (0..).zip(["F30", "F31", "F32", "F33"]) {
        let [kept, gone] = [2 * number, 2 * number + 1];
        let mut client = Client::of(&mortal.server);
        for one in [kept, gone] {
            client.publish("m", one, &bytes(one)).expect("it runs").expect(201);
        }
        client.delete("m", gone).expect("it runs").expect(200);
        mortal.dies_at(place, |server| assert!(gc(server).is_none(), "{place}: it was answered"));
        let body = Client::of(&mortal.server).read("m", kept).expect("it runs").expect(200).body;
        assert!(body == bytes(kept), "{place}");
    }
    assert_sound_and_empty(&mortal.server);
}

#[test]
fn a_publication_that_the_database_refuses_leaves_no_bytes() {
    let server = with_files(Server::faulty("F6=sleep(1000)", &[&AT_ONCE[..], &[QUIET]].concat()));
    let blobs = server.data().join("blobs/sha256");
    let refused = std::thread::scope(|scope| {
        let publisher = scope.spawn(|| Client::of(&server).publish("m", 1, &bytes(1)));
        wait::until("its bytes are stored", || files(&blobs).len() == 1);
        server.api("DELETE", "/api/repositories/generic/files", None).expect(204);
        publisher.join().expect("no panic").expect("it is told")
    });
    assert_eq!((refused.status, refused.header("x-error-code")), (409, Some("repository_deleting")));
    assert_eq!(files(&blobs).len(), 0, "the collector has not run");
}

#[test]
fn a_step_that_fails_is_told_and_leaves_nothing() {
    const EIO: u64 = 5;
    const ENOSPC: u64 = 28;
    for place in ["F1", "F2", "F3", "F4", "F5", "F7"] {
        for (errno, expected) in [(EIO, 503), (ENOSPC, 507)] {
            // What a step of the format or the rows says of a disk is no more than that it failed.
            let expected = if matches!(place, "F2" | "F7") { 503 } else { expected };
            let failpoints = format!("{place}=errno({errno},1)");
            let server = with_files(Server::faulty(&failpoints, &[&AT_ONCE[..], &[QUIET]].concat()));
            let mut client = Client::of(&server);
            let refused = client.publish("m", 1, &bytes(1)).expect("it is told");
            assert_eq!(refused.status, expected, "{place} {errno}: {}", refused.text());
            assert_eq!(client.read("m", 1).expect("it runs").status, 404, "{place} {errno}");
            client.publish("m", 1, &bytes(1)).expect("it runs").expect(201);
            assert!(client.read("m", 1).expect("it runs").expect(200).body == bytes(1), "{place} {errno}");
            assert_sound_and_empty(&server);
        }
    }
}
