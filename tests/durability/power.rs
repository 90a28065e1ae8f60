//! The power is cut at any line of the log: what was acknowledged before is there, whatever had not been flushed; and
//! what was deleted stays so, whatever the collector was doing.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::replay::Disk;
use super::trace::{Acknowledged, Event};
use super::{QUIET, publish_marked};
use crate::faults::files::AT_ONCE;
use crate::harness::exchange::{Exchange, ask};
use crate::harness::is_long;
use crate::harness::random::Random;
use crate::harness::server::{ADMIN_TOKEN, ON_SQLITE, Server};
use crate::harness::shim::Shim;

const CLIENTS: usize = 4;
/// Who look at what is left, each with a server of its own.
const WORKERS: usize = 2;
/// Before a part of them is deleted and collected, and in all.
const BEFORE: u32 = 40;
const PUBLICATIONS: u32 = 60;
/// One of so many of the first is deleted.
const DELETED: usize = 4;

/// Everything that happened on a disk, and what it held before.
struct Recording {
    honest: Disk,
    lying: Disk,
    events: Vec<Event>,
    data: Vec<u8>,
    /// What was acknowledged, and at which line.
    acknowledged: Vec<(usize, Acknowledged)>,
    /// The line at which a deletion was, by the mark of what it deleted.
    deleted: BTreeMap<String, usize>,
}

/// Deletes one on a connection of its own; gives the client's port.
fn delete(host: &str, one: &Acknowledged) -> u16 {
    let mut exchange = Exchange::with(host).expect("the server runs");
    let port = exchange.port;
    let head = format!(
        "DELETE /api/artifacts/{} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\nConnection: close\r\n\r\n",
        one.id
    );
    exchange.send(head.as_bytes()).expect("the server runs");
    exchange.answer().expect("an answer").expect(204);
    port
}

impl Recording {
    fn make() -> Self {
        let shim = Shim::build();
        let mut server = Server::with(&[&AT_ONCE[..], &[QUIET, ON_SQLITE]].concat());
        server.stop();
        let (honest, lying) = (Disk::of(&server.data(), true), Disk::of(&server.data(), false));
        shim.stand_before(&mut server);
        server.set("SHIM_LOG", &shim.path("log").display().to_string());
        server.set("SHIM_DATA", &shim.path("data").display().to_string());
        server.start_again();
        let (next, told) = (AtomicU32::new(0), Mutex::new(Vec::new()));
        let publish_up_to = |last: u32| {
            thread::scope(|scope| {
                for _ in 0..CLIENTS {
                    scope.spawn(|| {
                        while let Ok(number) = next.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |number| {
                            (number < last).then_some(number + 1)
                        }) {
                            let one = publish_marked(server.host(), number);
                            told.lock().expect("no client panics inside").push(one);
                        }
                    });
                }
            });
        };
        publish_up_to(BEFORE);
        let gone: Vec<_> = told
            .lock()
            .expect("no client panics inside")
            .iter()
            .step_by(DELETED)
            .map(|one| (delete(server.host(), one), one.mark.clone()))
            .collect();
        let collected = || {
            let collected = server.command("gc --json --confirm").succeeded();
            let told: serde_json::Value = serde_json::from_str(collected.stdout()).expect("JSON");
            assert!(told["unlinked"]["blobs"].as_u64() > Some(0), "{told}");
        };
        thread::scope(|scope| {
            scope.spawn(collected);
            publish_up_to(PUBLICATIONS);
        });
        server.kill();
        let log = fs::read_to_string(shim.path("log")).expect("the recorder has written text");
        let events: Vec<_> = log.lines().map(Event::parse).collect();
        let data = fs::read(shim.path("data")).expect("the recorder has written bytes");
        let mut acknowledged = Vec::new();
        for one in told.into_inner().expect("no client panics inside") {
            let port = one.port.to_string();
            let is_answer = |event: &Event| event.is_answer() && event.first == port && event.is_created();
            let mut answers = events.iter().enumerate().filter(|(_, event)| is_answer(event));
            // A port may be used again: the last of these is the latest that it can have been.
            let (at, _) = answers.next_back().expect("its answer is in the log");
            acknowledged.push((at, one));
        }
        let at = |(port, mark): (u16, String)| {
            let port = port.to_string();
            let is_answer = |event: &Event| event.is_answer() && event.first == port && event.is_done_without_content();
            (mark, events.iter().rposition(is_answer).expect("its answer is in the log"))
        };
        let deleted = gone.into_iter().map(at).collect();
        Self { honest, lying, events, data, acknowledged, deleted }
    }

    /// What is on a disk when the power is cut before a line.
    fn cut(&self, disk: &Disk, at: usize, to: &Path, chance: &mut Random) {
        let mut disk = disk.clone();
        self.events[..at].iter().for_each(|event| disk.apply(event, &self.data));
        disk.cut(to, chance);
    }

    /// Starts a server on what is left, and looks for what was acknowledged before that line.
    fn look(&self, server: &mut Server, data: &Path, at: usize) {
        server.set("KEEPER_DATA_DIR", &data.display().to_string());
        server.start_again();
        for (told, one) in &self.acknowledged {
            let number = &one.mark["mark-".len()..];
            for ending in ["info", "mod", "zip"] {
                let path = format!("/go/local/example.com/{}-{number}/@v/v1.0.0.{ending}", one.mark);
                let answer = ask(server.host(), "GET", &path, Some(ADMIN_TOKEN)).expect("it runs");
                let deleted = self.deleted.get(&one.mark);
                let allowed = match answer.status {
                    200 => deleted.is_none_or(|deleted| *deleted >= at),
                    404 => *told >= at,
                    410 => deleted.is_some(),
                    _ => false,
                };
                let said = (answer.status, answer.header("x-error-code"));
                assert!(allowed, "cut at {at}, told at {told}, deleted at {deleted:?}: {path}: {said:?}");
            }
        }
        server.command("verify").succeeded();
        server.stop();
    }
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_at_any_moment() {
    let mut chance = Random::of("power cut");
    let recording = Recording::make();
    let images = if is_long() { 5_000 } else { 24 };
    let place = |chance: &mut Random| {
        // Half of the cuts come right behind an answer, where most is at stake.
        let behind = chance.one_of(&recording.acknowledged).map_or(0, |(told, _)| told + 1);
        let anywhere = usize::try_from(chance.below(recording.events.len() as u64)).expect("small");
        if chance.below(2) == 0 { behind } else { anywhere }
    };
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (recording, place, mut chance) = (&recording, &place, chance.fork());
            scope.spawn(move || {
                let mut server = Server::with(&[QUIET, ON_SQLITE]);
                server.stop();
                for _ in (worker..images).step_by(WORKERS) {
                    let folder = tempfile::tempdir().expect("a folder");
                    let (data, at) = (folder.path().join("data"), place(&mut chance));
                    recording.cut(&recording.honest, at, &data, &mut chance);
                    recording.look(&mut server, &data, at);
                }
            });
        }
    });

    // The test itself: on a disk that does not flush, something must be found lost.
    let found = (0..8).any(|_| {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, at) = (folder.path().join("data"), recording.events.len());
        recording.cut(&recording.lying, at, &data, &mut chance);
        let look = || {
            let mut server = Server::with(&[QUIET, ON_SQLITE]);
            server.stop();
            recording.look(&mut server, &data, at);
        };
        catch_unwind(AssertUnwindSafe(look)).is_err()
    });
    assert!(found, "a disk that flushes nothing has lost nothing");
}
