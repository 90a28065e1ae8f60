//! A publication that was acknowledged is there for ever, whole, with the bytes that were acknowledged; what was
//! not acknowledged is there whole or not at all; a version never has other bytes than it had once.
//!
//! ```text
//! model    what a version may be after what was sent and answered
//! copies   what they fetch from an upstream meanwhile
//! clients  what clients do until the server is killed, and what it must show when it is back
//! power    the power is cut at any line of such a record
//! replay   what a disk holds after that
//! trace    the order of the server's system calls, recorded by shim.c, against the order of the protocol
//! ```
//!
//! `KEEPER_LONG=1` makes them long. The seed of each run is printed; `KEEPER_SEED` repeats it.

mod clients;
mod copies;
mod model;
mod power;
mod replay;
mod trace;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::faults::files::AT_ONCE;
use crate::harness::random::Random;
use crate::harness::raw_form::RawForm;
use crate::harness::server::Server;
use crate::harness::{archives, is_long};

use clients::{Key, World};
use copies::Copies;
use model::Seen;
use trace::{Acknowledged, Recorded};

/// Clients at once.
const CLIENTS: usize = 8;

/// Without a line for each publication.
const QUIET: (&str, &str) = ("KEEPER_LOG", "info,keeper_core=warn");

/// Versions looked at after each kill, besides those to which something has happened.
const SAMPLE: usize = 8;

/// Everything is verified after so many kills.
const VERIFIED_EACH: usize = 6;

#[test]
fn what_was_acknowledged_survives_a_kill_and_what_was_not_is_whole_or_absent() {
    let mut chance = Random::of("kill");
    let mut world = World::default();
    // The collector runs all the time and waits for nothing: it dies at any step, too.
    let settings = [&AT_ONCE[..], &[QUIET, ("KEEPER_GC_PERIOD", "100ms"), ("KEEPER_NETWORK_ALLOW", "127.0.0.1")]];
    let mut server = Server::with(&settings.concat());
    let copies = Copies::of(&server);
    let rounds = if is_long() { 1_000 } else { 60 };
    for round in 1..=rounds {
        *world.ends.get_mut() = false;
        thread::scope(|scope| {
            let host = server.host().to_owned();
            for _ in 0..CLIENTS {
                let (world, copies, host, chance) = (&world, &copies, host.clone(), chance.fork());
                scope.spawn(move || world.client(copies, &host, chance));
            }
            // A moment that nobody can foresee is the point here.
            thread::sleep(Duration::from_millis(5 + chance.below(396)));
            world.ends.store(true, Ordering::SeqCst);
            server.kill();
        });
        // Some starts are cut short as well: what they mend must not get worse by that.
        if chance.below(4) == 0 {
            server.start_and_kill(Duration::from_millis(chance.below(150)));
        }
        server.start_again();
        assert_eq!(leftovers(&server), [""; 0], "in the folder for unfinished files");
        look_at(&world, &server, world.unsettled(&mut chance, SAMPLE));
        copies.look_at(&server, &mut chance, Some(SAMPLE));
        if round % VERIFIED_EACH == 0 {
            server.command("verify --quick").succeeded();
        }
    }
    copies.look_at(&server, &mut chance, None);
    server.command("verify").succeeded();
    let seen = look_at(&world, &server, world.all());
    let count = |wanted: fn(&Seen) -> bool| seen.iter().filter(|one| wanted(one)).count();
    let (there, gone) = (count(|one| matches!(one, Seen::There(_))), count(|one| *one == Seen::Gone));
    assert!(there > rounds / 2 && gone > rounds / 20, "too little has happened: {there} versions, {gone} tombstones");
    assert!(copies.count() > rounds / 6, "too little was copied: {} files", copies.count());
    assert!(server.output().contains("out of the books"), "the collector has found nothing");
}

/// The unfinished files.
fn leftovers(server: &Server) -> Vec<String> {
    let folder = std::fs::read_dir(server.data().join("tmp")).expect("a folder for unfinished files");
    folder.map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().into_owned()).collect()
}

/// Looks at versions, a few at once.
fn look_at(world: &World, server: &Server, versions: Vec<Key>) -> Vec<Seen> {
    let look = |share: &[Key]| share.iter().map(|key| world.settle(server, *key)).collect::<Vec<_>>();
    thread::scope(|scope| {
        let shares = versions.chunks(versions.len().div_ceil(4).max(1));
        let lookers: Vec<_> = shares.map(|share| scope.spawn(move || look(share))).collect();
        lookers.into_iter().flat_map(|looker| looker.join().expect("everything is as it may be")).collect()
    })
}

#[test]
fn nothing_is_acknowledged_before_bytes_folder_and_row_were_flushed_in_this_order() {
    let recorded = Recorded::start();
    let host = recorded.server.host().to_owned();
    let publications = if is_long() { 5_000 } else { 500 };
    let (next, acknowledged) = (AtomicU32::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while let number = next.fetch_add(1, Ordering::Relaxed)
                    && number < publications
                {
                    let one = publish_marked(&host, number);
                    acknowledged.lock().expect("no client panics inside").push(one);
                }
            });
        }
    });
    let acknowledged = acknowledged.into_inner().expect("no client panics inside");
    let trace = recorded.stop();
    let (wrong, transactions) = trace.judge(&acknowledged);
    assert!(wrong.is_empty(), "{} violations, for example {}", wrong.len(), wrong[0]);
    assert!(transactions < acknowledged.len(), "no two publications met in one transaction");

    // The judge itself: a trace that lacks a step, or has it in another place, must not pass.
    let blobs = acknowledged.iter().filter(|one| !one.blobs.is_empty()).count();
    let without = |piece: &str| trace.with(|all| all.into_iter().filter(|event| !event.is_sync_of(piece)).collect());
    assert_eq!(without("/data/tmp/").judge(&acknowledged).0.len(), blobs, "bytes that were not flushed");
    assert_eq!(without("/blobs/").judge(&acknowledged).0.len(), blobs, "folders that were not flushed");
    assert_eq!(without("-wal").judge(&acknowledged).0.len(), acknowledged.len(), "rows that were not flushed");
    let hasty = trace.with(|all| {
        let (mut answers, others): (Vec<_>, Vec<_>) = all.into_iter().partition(trace::Event::is_answer);
        answers.extend(others);
        answers
    });
    assert_eq!(hasty.judge(&acknowledged).0.len(), acknowledged.len(), "answers before everything else");
}

/// Publishes a module with a mark in its name; three of four have a zip that is a blob.
fn publish_marked(host: &str, number: u32) -> Acknowledged {
    let mark = format!("mark-{number:06}");
    let length = if number.is_multiple_of(4) { 100 } else { 64 * 1024 };
    let noise = Random::seeded(u64::from(number)).bytes(length);
    let form = RawForm::module(&format!("example.com/{mark}-{number:06}"), "v1.0.0")
        .file(archives::zip(&[("noise.bin", &noise)]));
    let (port, response) = clients::post(host, &form.finished()).expect("the server runs");
    let artifact = response.expect(201).json();
    let files = artifact["files"].as_array().expect("an artifact has files").iter();
    let large = files.filter(|file| file["size"].as_u64().is_some_and(|size| size > 32 * 1024));
    let blobs: Vec<_> = large.map(|file| file["sha256"].as_str().expect("a digest").to_owned()).collect();
    assert_eq!(blobs.len(), usize::from(length > 100), "{artifact}");
    let id = artifact["id"].as_str().expect("an id").to_owned();
    Acknowledged { port, mark, blobs, id }
}
