//! A long time with a fault every now and then, uploads that are given up, publications, deletions and collections:
//! memory, descriptors and unfinished files do not grow, and nothing is lost.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::files::{AT_ONCE, Client, QUIET, assert_sound_and_empty, begin, bytes, unfinished, with_files};
use crate::harness::random::Random;
use crate::harness::server::Server;
use crate::harness::shim::Shim;
use crate::harness::{is_long, wait};

/// What calls fail with now and then: EIO, ENOSPC.
const ERRORS: [i64; 2] = [5, 28];

/// Longer than what is received before there is a file.
const GIVEN_UP_BYTES: usize = 600 * 1024;

/// What the caches of the server may still take: answers, and notes of what was used.
const CACHES_KIB: u64 = 24 << 10;

/// What the server has at a moment.
struct Sample {
    descriptors: u64,
    memory_kib: u64,
}

impl Sample {
    fn of(server: &Server) -> Self {
        let process = format!("/proc/{}", server.pid());
        let status = fs::read_to_string(format!("{process}/status")).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
        let memory_kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number");
        Self { descriptors: fs::read_dir(format!("{process}/fd")).expect("it runs").count() as u64, memory_kib }
    }
}

/// Publishes, reads what it was told it has, and deletes most of it.
fn work(server: &Server, name: &str, mut chance: Random, ends: &AtomicBool) {
    let mut client = Client::of(server);
    for version in 0.. {
        if ends.load(Ordering::SeqCst) {
            return;
        }
        // An upload whose client leaves in the middle.
        drop(begin(server, "given-up", version, GIVEN_UP_BYTES));
        let content = bytes(version);
        let answer = client.publish(name, version, &content).expect("it is told");
        if answer.status != 201 {
            assert!(matches!(answer.status, 503 | 507), "{} {}", answer.status, answer.text());
            continue;
        }
        let read = client.read(name, version).expect("it is told");
        assert!(read.status == 200 && read.body == content, "{name} {version}: {}", read.status);
        if chance.below(4) > 0 {
            let gone = client.delete(name, version).expect("it is told");
            assert!(matches!(gone.status, 200 | 503 | 507), "{} {}", gone.status, gone.text());
        }
    }
}

#[test]
fn a_long_time_with_faults_leaves_no_more_than_a_short_one() {
    let mut chance = Random::of("soak");
    let mut server = with_files(Server::with(&[&AT_ONCE[..], &[QUIET, ("KEEPER_GC_PERIOD", "1s")]].concat()));
    server.stop();
    let shim = Shim::build();
    shim.stand_before(&mut server);
    server.start_again();
    let (time, between) = if is_long() { (2 * 60 * 60, 10) } else { (15, 1) };
    let (ends, samples) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        let _ends = wait::RaiseAtEnd(&ends);
        let workers: Vec<_> = ["one", "two"]
            .into_iter()
            .map(|name| {
                let (server, chance, ends) = (&server, chance.fork(), &ends);
                scope.spawn(move || work(server, name, chance, ends))
            })
            .collect();
        let (began, mut fault_at) = (Instant::now(), Duration::ZERO);
        while began.elapsed() < Duration::from_secs(time) && !workers.iter().any(thread::ScopedJoinHandle::is_finished)
        {
            if began.elapsed() >= fault_at {
                fault_at += Duration::from_secs(between);
                shim.fail(1 + i64::try_from(chance.below(60)).expect("small"), *chance.one_of(&ERRORS).expect("some"));
            }
            samples.lock().expect("nobody panics with it").push(Sample::of(&server));
            // Moments of a long time.
            thread::sleep(Duration::from_millis(100));
        }
        shim.calm();
    });
    let samples = samples.into_inner().expect("nobody panics with it");
    let third = samples.len() / 3;
    let most = |of: &[Sample], what: fn(&Sample) -> u64| of.iter().map(what).max().unwrap_or(0);
    let (first, last) = (&samples[third / 2..third + third / 2], &samples[2 * third..]);
    for (name, what) in
        [("descriptors", (|one| one.descriptors) as fn(&Sample) -> u64), ("memory", |one| one.memory_kib)]
    {
        let (first, last) = (most(first, what), most(last, what));
        // Caches with a bound of bytes are not full yet, and a short run has not had all its memory.
        let allowed = match (name, is_long()) {
            ("descriptors", _) => first * 11 / 10 + 4,
            (_, true) => first * 11 / 10 + CACHES_KIB,
            (_, false) => first * 3 / 2,
        };
        assert!(last <= allowed, "{name}: {first}, then {last}");
    }
    assert!(unfinished(&server).len() < 10, "{:?}", unfinished(&server));
    // A collection whose end could not be recorded keeps its lease, but not beyond a start.
    server.stop();
    server.start_again();
    assert_sound_and_empty(&server);
}
