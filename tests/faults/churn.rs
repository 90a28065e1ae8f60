//! Publishers of the very same few bytes, each of which deletes what it has published, while the collector runs all
//! the time and everybody is held up at its worst moments: no row is ever without its bytes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::files::{AT_ONCE, Client, QUIET, assert_sound_and_empty, bytes, with_files};
use crate::harness::random::Random;
use crate::harness::server::Server;
use crate::harness::{is_long, postgres, wait};

const PUBLISHERS: u64 = 4;
/// Different contents, so few that publishers and collector meet on them.
const CONTENTS: u64 = 16;
/// Between the bytes and the row of a publication, so long that the collector may look at the bytes twice, remove and forget
/// them meanwhile; and between the mark, the row, the bytes and the end of waste.
const DELAYS: &str = "F6=sleep(900,1%);F30=sleep(2,50%);F31=sleep(3,50%);F32=sleep(1,10%)";

/// Publishes, reads and deletes until enough was done by all.
fn churn(server: &Server, publisher: u64, mut chance: Random, left: &AtomicU64) {
    let (mut client, name) = (Client::of(server), format!("p{publisher}"));
    let contents: Vec<_> = (0..CONTENTS).map(bytes).collect();
    let did = |operations: u64| {
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(operations)))
    };
    for version in 0.. {
        let content = chance.one_of(&contents).expect("some");
        let answer = client.publish(&name, version, content).expect("it runs");
        // The collector may have taken an upload on its way for waste: that is told, and repeating it is safe.
        if answer.status != 503 {
            let answer = answer.expect(201);
            drop(answer);
            let read = client.read(&name, version).expect("it runs");
            assert_eq!(read.status, 200, "{name} {version}: {}", read.text());
            assert!(read.body == *content, "{name} {version} has other bytes");
            // On a busy machine a change may have waited for its turn too long.
            wait::until("the deletion is taken", || {
                let gone = client.delete(&name, version).expect("it runs");
                gone.status != 503 && gone.expect(200).status == 200
            });
        }
        if did(3) == Ok(0) {
            return;
        }
    }
}

#[test]
fn publishers_of_the_very_bytes_that_are_collected_lose_nothing() {
    let mut chance = Random::of("churn");
    let settings = [&AT_ONCE[..], &[QUIET, ("KEEPER_GC_PERIOD", "100ms")]].concat();
    let server = with_files(Server::faulty(DELAYS, &settings));
    // Each group of changes costs PostgreSQL as much as ten cost SQLite.
    let operations = match (is_long(), postgres::is_wanted()) {
        (true, _) => 500_000,
        (false, false) => 20_000,
        (false, true) => 5_000,
    };
    let left = AtomicU64::new(operations);
    thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let (server, left, chance) = (&server, &left, chance.fork());
            scope.spawn(move || churn(server, publisher, chance, left));
        }
    });
    let output = server.output();
    let met = output.matches("out of the books").count();
    assert!(met > 20, "the collector has met nobody: {met}");
    // On a busy machine the collector's turn may come too late, too; it is tried again.
    let failed =
        output.lines().find(|line| line.contains("a background job failed") && !line.contains("database_busy"));
    assert_eq!(failed, None, "it takes what is needed for waste");
    assert_sound_and_empty(&server);
}
