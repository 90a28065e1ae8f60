//! The n-th system call of a change fails, for every n: each time the change is made or refused as a whole, what was
//! acknowledged is there with its bytes, and the next change works.

use std::collections::BTreeSet;

use super::files::{AT_ONCE, Client, QUIET, assert_sound_and_empty, bytes, gc, unfinished, with_files};
use crate::harness::database::sql;
use crate::harness::server::{ON_SQLITE, Server};
use crate::harness::shim::{SHORT, Shim};
use crate::harness::wait;

/// What calls fail with.
const ERRORS: [(&str, i64); 4] = [("EIO", 5), ("ENOSPC", 28), ("EINTR", 4), ("half a write", SHORT)];

/// A change has far fewer calls.
const MOST: i64 = 400;

/// A server and what stands before it.
struct Fragile {
    server: Server,
    shim: Shim,
    /// Kinds of calls that have failed.
    seen: BTreeSet<String>,
}

impl Fragile {
    fn new() -> Self {
        let mut server = with_files(Server::with(&[&AT_ONCE[..], &[QUIET, ON_SQLITE]].concat()));
        server.stop();
        let shim = Shim::build();
        shim.stand_before(&mut server);
        server.start_again();
        Self { server, shim, seen: BTreeSet::new() }
    }

    /// Does something while the n-th call fails, for each n until none is left to fail, with each error. `change` gets
    /// a number of its own each time, and answers whether it was told that the change was made; `judge` gets the same
    /// number, that answer, and the call that has failed.
    fn at_each_call(
        &mut self,
        errors: &[(&str, i64)],
        mut prepare: impl FnMut(&Server, u64),
        mut change: impl FnMut(&Server, u64) -> bool,
        mut judge: impl FnMut(&Server, u64, bool, &str),
    ) {
        let mut number = 0;
        for &(name, errno) in errors {
            for nth in 1..=MOST {
                number += 1;
                prepare(&self.server, number);
                self.shim.fail(nth, errno);
                let done = change(&self.server, number);
                let failed = self.shim.calm();
                let what = format!("{name} at call {nth}, {}", failed.as_deref().unwrap_or("none"));
                judge(&self.server, number, done, &what);
                wait::until(&what, || unfinished(&self.server).is_empty());
                match failed {
                    Some(call) => drop(self.seen.insert(kind(&call, &self.server))),
                    // A write can also be none of those that are halved.
                    None if errno == SHORT && nth < 60 => {}
                    None => {
                        assert!(done, "{what}");
                        break;
                    }
                }
                assert!(nth < MOST, "{what}: there is no end of calls");
            }
        }
    }
}

/// `fsync tmp`, `write keeper.db-wal`.
fn kind(call: &str, server: &Server) -> String {
    let (name, path) = call.split_once(' ').unwrap_or((call, ""));
    let inside = path.strip_prefix(&*server.data().display().to_string()).unwrap_or(path);
    format!("{name} {}", inside.trim_start_matches('/').split('/').next().unwrap_or_default())
}

/// An answer that is honest about a change that was not made, or may have been.
fn is_made(status: u16, made: &[u16], what: &str) -> bool {
    assert!(made.contains(&status) || matches!(status, 503 | 507), "{what}: {status}");
    made.contains(&status)
}

#[test]
fn a_publication_of_which_any_call_fails_is_made_or_refused_as_a_whole() {
    let mut fragile = Fragile::new();
    fragile.at_each_call(
        &ERRORS,
        |_, _| {},
        |server, number| {
            let answer = Client::of(server).publish("m", number, &bytes(number)).expect("it is told");
            is_made(answer.status, &[201], &answer.text())
        },
        |server, number, done, what| {
            let lost = |place: &str| what.starts_with("EIO") && what.contains("fsync ") && what.contains(place);
            assert!(!(done && (lost("/tmp/") || lost("/blobs/"))), "acknowledged, though not flushed: {what}");
            let mut client = Client::of(server);
            let seen = client.read("m", number).expect("it runs");
            assert!(seen.status == 200 || (!done && seen.status == 404), "{what}: {}", seen.text());
            let again = client.publish("m", number, &bytes(number)).expect("it runs");
            let expected: &[u16] = if seen.status == 200 { &[200] } else { &[201] };
            assert!(is_made(again.status, expected, what), "{what}: {}", again.text());
            assert!(client.read("m", number).expect("it runs").expect(200).body == bytes(number), "{what}");
        },
    );
    for kind in [
        "open tmp",
        "write tmp",
        "fsync tmp",
        "rename tmp",
        "fsync blobs",
        "write keeper.db-wal",
        "fsync keeper.db-wal",
    ] {
        assert!(fragile.seen.contains(kind), "{kind} never failed: {:?}", fragile.seen);
    }
    assert_sound_and_empty(&fragile.server);
}

#[test]
fn a_deletion_of_which_any_call_fails_is_made_or_refused_as_a_whole() {
    let mut fragile = Fragile::new();
    fragile.at_each_call(
        &ERRORS,
        |server, number| drop(Client::of(server).publish("m", number, &bytes(number)).expect("it runs").expect(201)),
        |server, number| {
            let answer = Client::of(server).delete("m", number).expect("it is told");
            is_made(answer.status, &[200], &answer.text())
        },
        |server, number, done, what| {
            let mut client = Client::of(server);
            let seen = client.read("m", number).expect("it runs");
            assert!(seen.status == 410 || (!done && seen.status == 200), "{what}: {}", seen.text());
            let again = client.delete("m", number).expect("it runs");
            assert!(is_made(again.status, &[200, 410], what), "{what}: {}", again.text());
            client.read("m", number).expect("it runs").expect(410);
        },
    );
    assert!(fragile.seen.contains("fsync keeper.db-wal"), "{:?}", fragile.seen);
    assert_sound_and_empty(&fragile.server);
}

#[test]
fn a_collection_of_which_any_call_fails_removes_no_byte_that_is_needed() {
    let mut fragile = Fragile::new();
    Client::of(&fragile.server).publish("kept", 0, &bytes(0)).expect("it runs").expect(201);
    fragile.at_each_call(
        // Each round starts two programs.
        &ERRORS[..2],
        |server, number| {
            let mut client = Client::of(server);
            client.publish("m", number, &bytes(number)).expect("it runs").expect(201);
            client.delete("m", number).expect("it runs").expect(200);
            // A run whose end could not be recorded keeps its lease for a minute.
            sql(server, "UPDATE jobs SET lease_until = 1");
        },
        |server, _| gc(server).is_some(),
        |server, _, _, what| {
            let kept = Client::of(server).read("kept", 0).expect("it runs");
            assert_eq!(kept.status, 200, "{what}: {}", kept.text());
            assert!(kept.body == bytes(0), "{what}");
        },
    );
    sql(&fragile.server, "UPDATE jobs SET lease_until = 1");
    for kind in ["unlink blobs", "fsync keeper.db-wal"] {
        assert!(fragile.seen.contains(kind), "{kind} never failed: {:?}", fragile.seen);
    }
    assert_sound_and_empty(&fragile.server);
}
