//! Clients that are too slow and clients that are too many: those that want something from the server are cut at their
//! limit, those that behave are served meanwhile, and afterwards everything is as before.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::files::{AT_ONCE, Client, QUIET, bytes, path, with_files};
use crate::harness::server::{ADMIN_TOKEN, Server};
use crate::harness::{is_long, wait};

/// No address is too many here.
const CROWD: (&str, &str) = ("KEEPER_MAX_CONNECTIONS_PER_ADDRESS", "100000");

/// Between two bytes of a slow client.
const TRICKLE: Duration = Duration::from_millis(500);

/// When the last slow client is gone: a head may take 10 s, a body and a reader a minute each.
const AT_LAST: Duration = Duration::from_secs(150);

/// Resident memory that a crowd may add to that of an idle server.
const MEMORY_KIB: u64 = 96 * 1024;

fn descriptors(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("it runs").count()
}

fn resident_kib(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

/// How a client is slow.
#[derive(Clone, Copy, PartialEq)]
enum Slow {
    /// It says this and no more: nothing, or the beginning of something.
    Silent(&'static str),
    /// Its head never ends.
    Head,
    /// Its body never ends.
    Body,
    /// It takes nothing of what it asked for.
    Reader,
}

impl Slow {
    /// Behaves so until the server has had enough, or the test.
    fn behave(self, host: &str, ends: &AtomicBool) {
        let mut stream = TcpStream::connect(host).expect("it listens");
        let put = format!(
            "PUT {} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\nContent-Length: 100000\r\n\r\n",
            path("slow", 0)
        );
        let get = format!("GET {} HTTP/1.1\r\nHost: {host}\r\n\r\n", path("large", 0));
        let begin: &[u8] = match self {
            Self::Silent(said) => said.as_bytes(),
            Self::Head => b"GET / HTTP/1.1\r\nX: ",
            Self::Body => put.as_bytes(),
            Self::Reader => get.as_bytes(),
        };
        stream.write_all(begin).expect("it listens");
        stream.set_read_timeout(Some(TRICKLE)).expect("a timeout above zero");
        while !ends.load(Ordering::SeqCst) {
            if matches!(self, Self::Silent(_)) {
                match stream.read(&mut [0; 1024]) {
                    Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                    Ok(1..) => {}
                    Ok(0) | Err(_) => return,
                }
            } else {
                // That the server has left is seen by those who say something.
                thread::sleep(TRICKLE);
                if stream.write_all(b"x").is_err() {
                    return;
                }
            }
        }
    }
}

/// What never becomes a request: nothing, a letter, a part of the preface of HTTP/2, the whole of it.
const SILENT: [&str; 4] = ["", "P", "PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"];

/// So long that a reader who takes nothing holds it up.
const LONG_BYTES: usize = 16 << 20;

/// How long each of so many reads took, each on a connection of its own; the 99th of a hundred.
fn p99(server: &Server, content: &[u8], reads: usize) -> Option<Duration> {
    let mut times = Vec::with_capacity(reads);
    for _ in 0..reads {
        let began = Instant::now();
        let read = Client::of(server).read("m", 0)?;
        if read.status != 200 || read.body != content {
            return None;
        }
        times.push(began.elapsed());
        // Who asks without a pause measures himself.
        thread::sleep(Duration::from_millis(2));
    }
    times.sort();
    times.get(reads * 99 / 100).copied()
}

#[test]
fn slow_clients_are_cut_and_others_do_not_notice() {
    let server = with_files(Server::with(&[&AT_ONCE[..], &[QUIET, CROWD, ("KEEPER_BODY_GRACE", "5s")]].concat()));
    let content = bytes(0);
    let mut client = Client::of(&server);
    client.publish("m", 0, &content).expect("it runs").expect(201);
    client.publish("large", 0, &vec![7; LONG_BYTES]).expect("it runs").expect(201);
    let unloaded = p99(&server, &content, 200).expect("it serves");
    let before = descriptors(&server);
    let silent = SILENT.map(|said| (Slow::Silent(said), if is_long() { 60 } else { 10 }));
    let others: &[(Slow, usize)] = if is_long() {
        &[(Slow::Head, 250), (Slow::Body, 200), (Slow::Reader, 200)]
    } else {
        // A reader is cut after a minute: too long to be waited for here.
        &[(Slow::Head, 40), (Slow::Body, 8)]
    };
    let crowd = [&silent[..], others].concat();
    // The whole preface is an answer at once on the plain port, which does not speak HTTP/2.
    let answered = silent[3].1;
    let all: usize = crowd.iter().map(|(_, count)| count).sum::<usize>() - answered;
    let ends = AtomicBool::new(false);
    let (loaded, gone_after) = thread::scope(|scope| {
        let _ends = wait::RaiseAtEnd(&ends);
        let come = |slow: Slow| {
            let (host, ends) = (server.host(), &ends);
            scope.spawn(move || slow.behave(host, ends))
        };
        let readers: usize = if is_long() { 0 } else { 8 };
        (0..readers).for_each(|_| drop(come(Slow::Reader)));
        for (slow, count) in &crowd {
            (0..*count).for_each(|_| drop(come(*slow)));
        }
        let began = Instant::now();
        wait::until("all are there", || descriptors(&server) > before + all * 9 / 10);
        // Meanwhile others come, each on a connection of its own, until the last slow one is gone.
        let (mut served, most) = (Some(Duration::ZERO), 2 * readers + 2);
        while let Some(slowest) = served
            && descriptors(&server) > before + most
            && began.elapsed() < AT_LAST
        {
            served = p99(&server, &content, 100).map(|p99| p99.max(slowest));
        }
        let gone_after = (descriptors(&server) <= before + most).then(|| began.elapsed());
        (served, gone_after)
    });
    println!(
        "T14: p99 unloaded {unloaded:?}, with {all} slow clients {loaded:?}; the last was gone after {gone_after:?}"
    );
    assert!(gone_after.is_some(), "they are not cut at their limit");
    // How much slower others may be is measured where nothing else runs: `make bench ONLY=crowd`.
    assert!(loaded.is_some_and(|loaded| loaded < Duration::from_secs(5)), "others were not served: {loaded:?}");
}

#[test]
fn a_crowd_of_uploads_is_refused_in_time_and_memory_stays() {
    let server = with_files(Server::with(&[&AT_ONCE[..], &[QUIET, CROWD]].concat()));
    let content = bytes(0);
    Client::of(&server).publish("m", 0, &content).expect("it runs").expect(201);
    let idle = resident_kib(&server);
    let (clients, seconds, again) = if is_long() { (2_000, 30, 3 * TRICKLE) } else { (300, 3, TRICKLE) };
    let (next, refused, most) = (AtomicU64::new(1), AtomicU64::new(0), AtomicU64::new(0));
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        let _ends = wait::RaiseAtEnd(&ends);
        for _ in 0..clients {
            scope.spawn(|| {
                let mut client = Client::of(&server);
                while !ends.load(Ordering::SeqCst) {
                    let version = next.fetch_add(1, Ordering::SeqCst);
                    let answer = client.publish("m", version, &content).expect("it is told");
                    if answer.status == 503 {
                        assert!(answer.header("retry-after").is_some(), "{}", answer.text());
                        refused.fetch_add(1, Ordering::SeqCst);
                        // Ten times what can be taken, and not all that the clients' half of this machine can offer.
                        thread::sleep(again);
                    } else {
                        assert_eq!(answer.status, 201, "{}", answer.text());
                    }
                }
            });
        }
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(seconds) {
            most.fetch_max(resident_kib(&server), Ordering::SeqCst);
            // What is asked for is served while uploads wait.
            let read = Client::of(&server).read("m", 0).expect("it runs").expect(200);
            assert!(read.body == content);
        }
    });
    let (refused, most) = (refused.into_inner(), most.into_inner());
    println!("T15: {clients} clients added {} KiB to {idle} KiB", most.saturating_sub(idle));
    assert!(refused > 0, "nobody was too many");
    assert!(most <= idle + MEMORY_KIB, "{most} KiB of {idle} at rest");
    Client::of(&server).publish("after", 0, &content).expect("it runs").expect(201);
}
