//! The database and the bucket fail; nothing acknowledged is lost, and nobody is told what is not so.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use super::pair::{Pair, publish};
use super::proxy::Proxy;
use crate::harness::http;
use crate::harness::postgres::{self, Postgres};
use crate::harness::s3::Fault;
use crate::harness::server::Server;
use crate::harness::wait;

fn zip(server: &Server, name: &str) -> String {
    format!("{}/{name}/@v/v1.0.0.zip", server.go("local"))
}

#[test]
fn a_commit_whose_answer_is_lost_is_found_out() {
    const ROUNDS: u64 = 20;
    let direct = postgres::shared().database();
    let folder = postgres::shared().folder();
    let proxy = Proxy::before(folder);
    let pair = Pair::on(&proxy.address(&direct, folder), &[]);
    let [one, _] = pair.servers();
    for round in 0..ROUNDS {
        proxy.arm(1);
        let answer = publish(one, "example.com/m", &format!("v1.{round}.0"), round);
        assert_eq!((answer.status, proxy.left()), (201, 0), "{answer}");
    }
    let rows =
        postgres::shared().execute(postgres::name(&direct), "SELECT COUNT(*) FROM audit WHERE action = 'publish'");
    assert_eq!(rows, ROUNDS.to_string(), "each was made once");
    pair.assert_sound();
}

#[test]
fn a_database_that_is_killed_loses_nothing_that_was_acknowledged() {
    const KILLS: u64 = 3;
    let mut database = Postgres::start();
    let pair = Pair::on(&database.database(), &[]);
    let acknowledged: Mutex<BTreeMap<String, u64>> = Mutex::default();
    let (stop, next) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let _stop = wait::RaiseAtEnd(&stop);
        for server in pair.servers().iter().cycle().take(4) {
            let (acknowledged, stop, next) = (&acknowledged, &stop, &next);
            scope.spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let name = format!("example.com/m{number}");
                    let answer = publish(server, &name, "v1.0.0", number);
                    match answer.status {
                        201 => drop(acknowledged.lock().expect("no panic").insert(name, number)),
                        503 => {}
                        other => panic!("{other}: {answer}"),
                    }
                }
            });
        }
        for kill in 1..=KILLS {
            let enough = kill * 8;
            let count = || acknowledged.lock().expect("no panic").len() as u64;
            wait::until("some were published", || count() >= enough);
            let pid = Pid::from_raw(i32::try_from(database.pid()).expect("small")).expect("a process");
            kill_process(pid, Signal::KILL).expect("it is ours");
            for server in pair.servers() {
                // Whatever is known of it, it is never "not found".
                let status = http::get(&zip(server, "example.com/m0")).status;
                assert!(matches!(status, 200 | 500 | 503), "{status}");
            }
            database.start_again();
        }
    });
    for server in pair.servers() {
        wait::until("the server is ready again", || http::get(&format!("{}/readyz", server.url)).status == 200);
    }
    let acknowledged = acknowledged.into_inner().expect("no panic");
    for (name, number) in &acknowledged {
        wait::until("it is served", || http::get(&zip(&pair.servers()[1], name)).status == 200);
        let again = publish(&pair.servers()[0], name, "v1.0.0", *number);
        assert_eq!(again.status, 200, "{again}");
    }
    pair.assert_sound();
}

#[test]
fn a_bucket_that_fails_is_told_as_trouble_and_leaves_nothing_behind() {
    let pair = Pair::start(&[]);
    let [one, other] = pair.servers();
    publish(one, "example.com/m", "v1.0.0", 1).expect(201);
    // Refused, and carried out without a word.
    pair.s3().fail(Fault::before("PUT", "/sha256/", 403, "AccessDenied"));
    publish(one, "example.com/n", "v1.0.0", 2).expect(503);
    pair.s3().fail(Fault::after("PUT", "/sha256/", 400, "InvalidRequest"));
    publish(one, "example.com/o", "v1.0.0", 3).expect(201);
    pair.s3().fail(Fault::before("GET", "/sha256/", 403, "AccessDenied"));
    assert_eq!(http::get(&zip(other, "example.com/m")).status, 503);
    assert_eq!(http::get(&zip(other, "example.com/m")).status, 200);
    assert_eq!(pair.s3().keys().len(), 2, "{:?}", pair.s3().keys());
    for key in pair.s3().keys() {
        pair.s3().forget(&key);
    }
    assert_eq!(http::get(&zip(other, "example.com/m")).status, 500, "a row names it: it is missing, not absent");
}
