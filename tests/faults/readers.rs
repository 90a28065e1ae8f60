//! Readers, while others publish the same bytes again, delete, collect, and the server is stopped, killed and started:
//! what they get is whole and right, or a broken connection while the server was away.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::files::{AT_ONCE, Client, QUIET, assert_sound_and_empty, bytes, with_files};
use crate::harness::postgres;
use crate::harness::random::Random;
use crate::harness::server::Server;
use crate::harness::{is_long, wait};

const READERS: usize = 16;
/// Contents that stay, and that publishers bring again under other names.
const CONTENTS: u64 = 16;
const PUBLISHERS: u64 = 2;
/// Stops and kills.
const RESTARTS: u64 = 4;

/// What all share.
struct Scene {
    host: Mutex<String>,
    /// Odd while the server may be away.
    epoch: AtomicU64,
    reads: AtomicU64,
    ends: AtomicBool,
    contents: Vec<Vec<u8>>,
}

/// A client, and the epoch in which it was told where the server is.
struct Visit {
    epoch: u64,
    client: Client,
}

impl Scene {
    fn visit(&self) -> Visit {
        let epoch = self.epoch.load(Ordering::SeqCst);
        Visit { epoch, client: Client::at(&self.host.lock().unwrap_or_else(PoisonError::into_inner)) }
    }

    /// Asks until the server has answered. That it does not is a fault while it has not been taken away since the
    /// client began.
    fn ask<T>(&self, visit: &mut Visit, mut ask: impl FnMut(&mut Client) -> Option<T>) -> T {
        loop {
            if let Some(answer) = ask(&mut visit.client) {
                return answer;
            }
            let is_up = visit.epoch.is_multiple_of(2) && self.epoch.load(Ordering::SeqCst) == visit.epoch;
            assert!(!is_up, "an answer broke off while the server was there");
            *visit = self.visit();
        }
    }

    fn read(&self, mut chance: Random) {
        let mut visit = self.visit();
        while !self.ends.load(Ordering::SeqCst) {
            let number = chance.below(CONTENTS);
            let content = &self.contents[usize::try_from(number).expect("small")];
            if chance.below(4) > 0 {
                let read = self.ask(&mut visit, |client| client.read("kept", number));
                assert_eq!(read.status, 200, "{}", read.text());
                assert!(read.body == *content, "{number} has other bytes");
            } else {
                // The number of a version that comes and goes is also that of its content.
                let name = format!("p{}", chance.below(PUBLISHERS));
                let read = self.ask(&mut visit, |client| client.read(&name, number));
                assert!(matches!(read.status, 200 | 404 | 410), "{} {}", read.status, read.text());
                assert!(read.status != 200 || read.body == *content, "{name} {number} has other bytes");
            }
            self.reads.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Publishes each content under further names, and deletes it.
    fn publish(&self, publisher: u64) {
        let mut visit = self.visit();
        for round in 0.. {
            for number in 0..CONTENTS {
                if self.ends.load(Ordering::SeqCst) {
                    return;
                }
                let name = if round == 0 { format!("p{publisher}") } else { format!("p{publisher}-{round}") };
                let content = &self.contents[usize::try_from(number).expect("small")];
                let made = self.ask(&mut visit, |client| client.publish(&name, number, content));
                assert!(matches!(made.status, 200 | 201 | 503), "{} {}", made.status, made.text());
                let gone = self.ask(&mut visit, |client| client.delete(&name, number));
                assert!(matches!(gone.status, 200 | 404 | 410), "{} {}", gone.status, gone.text());
            }
        }
    }
}

#[test]
fn whoever_reads_gets_all_of_the_right_bytes_whatever_else_happens() {
    let mut chance = Random::of("readers");
    let settings = [&AT_ONCE[..], &[QUIET, ("KEEPER_GC_PERIOD", "100ms")]].concat();
    let mut server = with_files(Server::with(&settings));
    let contents: Vec<_> = (0..CONTENTS).map(bytes).collect();
    for (number, content) in (0..).zip(&contents) {
        Client::of(&server).publish("kept", number, content).expect("it runs").expect(201);
    }
    let scene = Scene {
        host: Mutex::new(server.host().to_owned()),
        epoch: AtomicU64::new(0),
        reads: AtomicU64::new(0),
        ends: AtomicBool::new(false),
        contents,
    };
    // Each read asks another program there, and that once more as many were right is shown with a file.
    let wanted = match (is_long(), postgres::is_wanted()) {
        (true, _) => 1_000_000,
        (false, false) => 100_000,
        (false, true) => 20_000,
    };
    thread::scope(|scope| {
        let _ends = wait::RaiseAtEnd(&scene.ends);
        let readers = (0..READERS).map(|_| chance.fork()).collect::<Vec<_>>();
        let mut workers: Vec<_> = readers.into_iter().map(|chance| scope.spawn(|| scene.read(chance))).collect();
        workers.extend((0..PUBLISHERS).map(|publisher| {
            let scene = &scene;
            scope.spawn(move || scene.publish(publisher))
        }));
        let failed = || workers.iter().any(thread::ScopedJoinHandle::is_finished);
        for restart in 1..=RESTARTS + 1 {
            let enough = wanted * restart / (RESTARTS + 1);
            while scene.reads.load(Ordering::SeqCst) < enough && !failed() {
                wait::until("a thousand were read", {
                    let before = scene.reads.load(Ordering::SeqCst);
                    let (scene, failed) = (&scene, &failed);
                    move || scene.reads.load(Ordering::SeqCst) > before + 1_000 || failed()
                });
            }
            if restart > RESTARTS || failed() {
                break;
            }
            scene.epoch.fetch_add(1, Ordering::SeqCst);
            if restart % 2 == 0 {
                server.stop()
            } else {
                server.kill()
            };
            server.start_again();
            server.host().clone_into(&mut scene.host.lock().unwrap_or_else(PoisonError::into_inner));
            scene.epoch.fetch_add(1, Ordering::SeqCst);
        }
    });
    assert_sound_and_empty(&server);
}
