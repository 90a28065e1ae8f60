//! A disk that fills up, one that is or becomes read-only, and a folder that goes away: what is there is served, what
//! cannot be kept is refused with the reason, and when the disk is well again so is the server, without a restart.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;

use super::files::{AT_ONCE, Client, QUIET, begin, bytes, unfinished, with_files};
use crate::harness::http::{self, Response};
use crate::harness::random::Random;
use crate::harness::server::{ADMIN_TOKEN, ON_SQLITE, Server};
use crate::harness::shim::Shim;
use crate::harness::wait;

const MEBIBYTE: usize = 1024 * 1024;
const EROFS: i64 = 30;

/// All of these are served with their bytes.
fn assert_served(client: &mut Client, there: &BTreeMap<u64, Vec<u8>>, when: &str) {
    for (version, content) in there {
        let read = client.read("m", *version).expect("it runs");
        assert!(read.status == 200 && read.body == *content, "{when}: {version}: {}", read.status);
    }
}

#[test]
fn a_full_disk_refuses_uploads_serves_all_reads_takes_deletions_and_recovers() {
    // As much as the database's log grows to before it begins anew, and a little more.
    let reserve = ("KEEPER_STORAGE_RESERVE", "6MiB");
    let server = with_files(Server::on_a_disk_of(24 * MEBIBYTE, &[&AT_ONCE[..], &[QUIET, reserve]].concat()));
    let mut client = Client::of(&server);
    let mut there = BTreeMap::new();
    let refused = loop {
        let version = there.len() as u64;
        let content = Random::seeded(version).bytes(MEBIBYTE);
        let answer = client.publish("m", version, &content).expect("it is told");
        match answer.status {
            201 => drop(there.insert(version, content)),
            _ => break answer,
        }
        // At every mebibyte: the last one and a random earlier one.
        let some = [version, version * 7 % (version + 1)];
        let some = some.into_iter().map(|version| (version, there[&version].clone())).collect();
        assert_served(&mut client, &some, "while it fills up");
    };
    assert_eq!((refused.status, refused.header("x-error-code")), (507, Some("disk_full")), "{}", refused.text());
    assert!(there.len() > 8, "{} versions have filled it", there.len());
    // What is smaller may still fit, until nothing does; then deletions must still be taken.
    let (mut large, mut version) = (512 * 1024, 2_000);
    while large >= 32 * 1024 {
        let content = Random::seeded(version).bytes(large);
        let answer = client.publish("m", version, &content).expect("it is told");
        match answer.status {
            201 => drop(there.insert(version, content)),
            507 => large /= 2,
            _ => panic!("{large} bytes: {}", answer.text()),
        }
        version += 1;
    }
    assert_served(&mut client, &there, "full");
    assert_eq!(http::get(&format!("{}/livez", server.url)).status, 200);
    wait::until("nothing of the refused one stays", || unfinished(&server).is_empty());

    // Deletions are taken on a full disk, and give the room back.
    let gone: Vec<_> = there.keys().copied().filter(|version| version % 2 == 0).collect();
    for version in &gone {
        client.delete("m", *version).expect("it is told").expect(200);
        there.remove(version);
        client.read("m", *version).expect("it runs").expect(410);
    }
    assert_served(&mut client, &there, "after the deletions");
    server.command("gc --confirm").succeeded();
    let content = Random::seeded(1_000).bytes(MEBIBYTE);
    client.publish("m", 1_000, &content).expect("it runs").expect(201);
    there.insert(1_000, content);
    assert_served(&mut client, &there, "recovered");

    let refused = publish_while_it_fills_up(&server, 1_001);
    assert_eq!((refused.status, refused.header("x-error-code")), (507, Some("disk_full")), "{}", refused.text());
    client.publish("m", 1_001, &bytes(1_001)).expect("it runs").expect(201);
    assert_served(&mut client, &there, "after another program has filled it for a while");
    server.command("verify").succeeded();
}

/// Publishes a mebibyte for which there was room, until another program takes all that is left in the middle of it.
fn publish_while_it_fills_up(server: &Server, version: u64) -> Response {
    let mut upload = begin(server, "m", version, MEBIBYTE);
    wait::until("it is being received", || !unfinished(server).is_empty());
    let ballast = server.data().join("ballast");
    let mut file = File::create(&ballast).expect("there is room");
    while file.write_all(&[0; 4096]).is_ok() {}
    // It may be refused before all has come.
    let _sent = upload.send(&vec![1; MEBIBYTE / 2]);
    let refused = upload.answer().expect("it is told");
    fs::remove_file(ballast).expect("ours");
    refused
}

#[test]
fn a_read_only_disk_serves_all_reads_refuses_writes_with_the_reason_and_recovers() {
    let mut server = with_files(Server::with(&[&AT_ONCE[..], &[QUIET, ON_SQLITE]].concat()));
    server.stop();
    let shim = Shim::build();
    shim.stand_before(&mut server);
    server.start_again();
    let mut client = Client::of(&server);
    let mut there: BTreeMap<_, _> = (0..8).map(|version| (version, bytes(version))).collect();
    for (version, content) in &there {
        client.publish("m", *version, content).expect("it runs").expect(201);
    }
    for version in 20..25 {
        client.publish("m", version, b"little").expect("it runs").expect(201);
    }
    shim.fail_all(EROFS);
    for round in 0..5 {
        let refused = client.publish("m", 100 + round, &bytes(100 + round)).expect("it is told");
        let code = refused.header("x-error-code");
        assert_eq!((refused.status, code), (503, Some("storage_read_only")), "{}", refused.text());
        // What is in rows only is on the same disk, or in a database that is another machine's.
        let expected = if server.database().is_none() { (503, Some("storage_read_only")) } else { (200, None) };
        let deleted = client.delete("m", 20 + round).expect("it is told");
        assert_eq!((deleted.status, deleted.header("x-error-code")), expected, "{}", deleted.text());
        assert_served(&mut client, &there, "read-only");
        assert_eq!(http::get(&format!("{}/livez", server.url)).status, 200);
        assert_writes_off(&server);
    }
    shim.calm();
    client.publish("m", 100, &bytes(100)).expect("it runs").expect(201);
    there.insert(100, bytes(100));
    assert_served(&mut client, &there, "writable again");
    client.delete("m", 0).expect("it runs").expect(200);
    server.command("verify").succeeded();
}

/// It is ready for those who read, and says that nobody can write.
#[track_caller]
fn assert_writes_off(server: &Server) {
    let ready = http::get(&format!("{}/readyz", server.url)).expect(200).json();
    assert_eq!(
        (&ready["writes"], &ready["writes_off_because"]),
        (&"off".into(), &"storage_read_only".into()),
        "{ready}"
    );
    assert_eq!(http::get(&format!("{}/readyz?writes=required", server.url)).status, 503);
}

#[test]
fn a_server_starts_on_a_read_only_disk_and_serves_what_is_there() {
    let mut server = with_files(Server::with(&[&AT_ONCE[..], &[QUIET, ON_SQLITE]].concat()));
    let there: BTreeMap<_, _> = (0..4).map(|version| (version, bytes(version))).collect();
    let mut client = Client::of(&server);
    for (version, content) in &there {
        client.publish("m", *version, content).expect("it runs").expect(201);
    }
    client.publish("m", 9, b"little").expect("it runs").expect(201);
    // After a stop the database is one file; after a kill the last changes are in its log.
    for killed in [false, true] {
        if killed {
            server.make_read_only(false);
            server.start_again();
            Client::of(&server).publish("m", 10, b"in the log").expect("it runs").expect(201);
            server.kill();
        } else {
            server.stop();
        }
        server.make_read_only(true);
        server.start_again();
        let mut client = Client::of(&server);
        assert_served(&mut client, &there, "read-only");
        assert_eq!(client.read("m", 9).expect("it runs").expect(200).body, b"little");
        assert_eq!(client.read("m", 10).expect("it runs").status, if killed { 200 } else { 404 });
        let refused = client.publish("m", 100, &bytes(100)).expect("it is told");
        assert_eq!((refused.status, refused.header("x-error-code")), (503, Some("storage_read_only")));
        let is_elsewhere = server.database().is_some();
        let deleted = client.delete("m", 9).expect("it is told");
        let expected = if is_elsewhere { [200, 410] } else { [503, 503] };
        assert!(expected.contains(&deleted.status), "{}", deleted.text());
        if is_elsewhere {
            client.publish("m", 9, b"little").expect("it is told");
            assert_writes_off(&server);
            return;
        }
        assert_eq!(deleted.header("x-error-code"), Some("storage_read_only"));
        assert_writes_off(&server);
        let me = server.send(Some(ADMIN_TOKEN), "GET", "/api/me", &[], &[]);
        assert_eq!(me.status, 200, "who has a token is known: {}", me.text());
        assert!(server.stop().success(), "it ends well");
    }
    server.make_read_only(false);
    server.start_again();
    Client::of(&server).publish("m", 100, &bytes(100)).expect("it runs").expect(201);
    server.command("verify").succeeded();
}

#[test]
fn a_data_folder_that_goes_away_ends_all_writing_and_makes_nothing_absent() {
    let server = with_files(Server::with(&[&AT_ONCE[..], &[QUIET]].concat()));
    let mut client = Client::of(&server);
    client.publish("m", 1, &bytes(1)).expect("it runs").expect(201);
    client.publish("m", 2, b"little").expect("it runs").expect(201);
    let (data, away) = (server.data(), server.data().with_file_name("away"));
    let ready = || http::get(&format!("{}/readyz", server.url)).status;
    assert_eq!(ready(), 200);
    for replaced in [false, true] {
        fs::rename(&data, &away).expect("it may be moved");
        if replaced {
            // An empty disk, or the one of another server.
            fs::create_dir_all(data.join("tmp")).expect("a new folder");
            fs::write(data.join("LOCK"), "1\nanother\n").expect("a new folder");
        }
        let when = if replaced { "replaced" } else { "moved away" };
        assert_eq!(ready(), 503, "{when}");
        let uploads = [client.publish("m", 3, &bytes(3)), client.publish("m", 4, b"little"), client.delete("m", 2)];
        for refused in uploads {
            let refused = refused.expect("it is told");
            let said = (refused.status, refused.header("x-error-code"));
            assert_eq!(said, (503, Some("storage_unavailable")), "{when}: {}", refused.text());
        }
        for version in [1, 2, 5] {
            let read = client.read("m", version).expect("it is told");
            assert!(!matches!(read.status, 404 | 410), "{when}: {version}: {}", read.text());
            assert!(read.status != 200 || version != 5, "{when}");
        }
        if replaced {
            assert_eq!(fs::read_dir(data.join("tmp")).expect("the folder is there").count(), 0, "{when}: nothing came");
            fs::remove_dir_all(&data).expect("it is ours");
        }
        fs::rename(&away, &data).expect("it may be moved back");
        assert_eq!(ready(), 200, "{when}, and back");
        client.read("m", 5).expect("it runs").expect(404);
        assert!(client.read("m", 1).expect("it runs").expect(200).body == bytes(1), "{when}, and back");
    }
    client.publish("m", 3, &bytes(3)).expect("it runs").expect(201);
    server.command("verify").succeeded();
}
