//! A disk that fills up and one that becomes read-only: what is there is served, what cannot be kept is refused with
//! the reason, and when the disk is well again so is the server, without a restart.

use std::collections::BTreeMap;

use super::files::{AT_ONCE, Client, QUIET, bytes, unfinished, with_files};
use crate::harness::http;
use crate::harness::random::Random;
use crate::harness::server::{ON_SQLITE, Server};
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
    let server = with_files(Server::on_a_disk_of(24 * MEBIBYTE, &[&AT_ONCE[..], &[QUIET]].concat()));
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
    server.command("verify").succeeded();
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
    shim.fail_all(EROFS);
    for round in 0..5 {
        let refused = client.publish("m", 100 + round, &bytes(100 + round)).expect("it is told");
        let code = refused.header("x-error-code");
        assert_eq!((refused.status, code), (503, Some("storage_read_only")), "{}", refused.text());
        // What is in rows only is the database's, which tells no more than that it failed.
        for refused in [client.publish("m", 100 + round, b"little"), client.delete("m", round)] {
            let refused = refused.expect("it is told");
            assert_eq!(refused.status, 503, "{}", refused.text());
        }
        assert_served(&mut client, &there, "read-only");
        for health in ["livez", "readyz"] {
            assert_eq!(http::get(&format!("{}/{health}", server.url)).status, 200, "{health}");
        }
    }
    shim.calm();
    client.publish("m", 100, &bytes(100)).expect("it runs").expect(201);
    there.insert(100, bytes(100));
    assert_served(&mut client, &there, "writable again");
    client.delete("m", 0).expect("it runs").expect(200);
    server.command("verify").succeeded();
}
