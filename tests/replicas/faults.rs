//! The database and the bucket fail; nothing acknowledged is lost, and nobody is told what is not so.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::pair::{FORM, Pair, large, publish};
use super::proxy::{Last, Proxy};
use crate::harness::http;
use crate::harness::is_long;
use crate::harness::postgres::{self, Postgres};
use crate::harness::random::Random;
use crate::harness::s3::Fault;
use crate::harness::server::Server;
use crate::harness::wait;

fn zip(server: &Server, name: &str) -> String {
    format!("{}/{name}/@v/v1.0.0.zip", server.go("local"))
}

#[test]
fn a_commit_whose_answer_is_lost_is_found_out() {
    let rounds = if is_long() { 2_000 } else { 200 };
    let direct = postgres::shared().database();
    let folder = postgres::shared().folder();
    let proxy = Proxy::before(folder);
    let pair = Pair::on(&proxy.address(&direct, folder), &[]);
    let [one, _] = pair.servers();
    for round in 0..rounds {
        proxy.arm(1);
        let answer = publish(one, "example.com/m", &format!("v1.{round}.0"), round);
        assert_eq!((answer.status, proxy.left()), (201, 0), "{answer}");
    }
    let rows =
        postgres::shared().execute(postgres::name(&direct), "SELECT COUNT(*) FROM audit WHERE action = 'publish'");
    assert_eq!(rows, rounds.to_string(), "each was made once");
    pair.assert_sound();
}

/// L4: the answer to a COMMIT is lost, and nobody can be asked what became of it.
#[test]
fn an_outcome_that_nobody_can_tell_is_said_to_be_unknown_and_a_repeat_tells_it() {
    let direct = postgres::shared().database();
    let folder = postgres::shared().folder();
    let proxy = Proxy::before(folder);
    let pair = Pair::on(&proxy.address(&direct, folder), &[]);
    let [one, other] = pair.servers();
    publish(one, "example.com/before", "v1.0.0", 0);
    for (number, last, repeated) in [(1, Last::CarriedOut, 200), (2, Last::Lost, 201)] {
        let name = format!("example.com/m{number}");
        proxy.close_at_commit_of(&name, last);
        let answer = publish(one, &name, "v1.0.0", number);
        assert_eq!((answer.status, answer.text("code")), (503, "outcome_unknown"), "{last:?}: {answer}");
        // What was there before is no less there for it.
        let status = http::get(&zip(one, "example.com/before")).status;
        assert!(matches!(status, 200 | 500 | 503), "{last:?}: {status}");
        proxy.open();
        let repeat = publish(one, &name, "v1.0.0", number);
        assert_eq!(repeat.status, repeated, "{last:?}: {repeat}");
        assert_eq!(publish(other, &name, "v1.0.0", number + 100).status, 409, "{last:?}: other bytes");
        assert_eq!(http::get(&zip(other, &name)).status, 200, "{last:?}");
    }
    pair.assert_sound();
}

#[test]
fn a_database_that_is_killed_loses_nothing_that_was_acknowledged() {
    let kills = if is_long() { 60 } else { 6 };
    let mut chance = Random::of("killed database");
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
        for kill in 1..=kills {
            let enough = kill * 8;
            let count = || acknowledged.lock().expect("no panic").len() as u64;
            wait::until("some were published", || count() >= enough);
            // A moment that nobody can foresee is the point here.
            thread::sleep(Duration::from_millis(chance.below(60)));
            // All of it, or one of its sessions, after which it ends all others and recovers by itself.
            let whole = kill % 2 == 1;
            let pid = if whole { Some(database.pid()) } else { database.session() };
            let pid = pid.and_then(|pid| Pid::from_raw(i32::try_from(pid).expect("small"))).expect("a process");
            let killed = kill_process(pid, Signal::KILL);
            assert!(killed.is_ok() || !whole, "it is ours");
            for server in pair.servers() {
                // Whatever is known of it, it is never "not found".
                let status = http::get(&zip(server, "example.com/m0")).status;
                assert!(matches!(status, 200 | 500 | 503), "{status}");
            }
            if whole {
                database.start_again();
            }
        }
    });
    for server in pair.servers() {
        wait::until("the server is ready again", || http::get(&format!("{}/readyz", server.url)).status == 200);
    }
    let acknowledged = acknowledged.into_inner().expect("no panic");
    for (name, number) in &acknowledged {
        wait::until("it is served", || http::get(&zip(&pair.servers()[1], name)).status == 200);
        wait::until("it is taken as a repeat", || {
            let again = publish(&pair.servers()[0], name, "v1.0.0", *number);
            assert!(matches!(again.status, 200 | 503), "{again}");
            again.status == 200
        });
    }
    pair.assert_sound();
}

/// While the database is away: what was acknowledged is served or is trouble, what is new is trouble. Afterwards
/// everything is as before.
fn assert_trouble_and_return(pair: &Pair, goes: impl FnOnce(), returns: impl FnOnce()) {
    for server in pair.servers() {
        publish(server, "example.com/m", "v1.0.0", 1);
    }
    goes();
    thread::scope(|scope| {
        for server in pair.servers() {
            scope.spawn(|| {
                for _ in 0..3 {
                    let status = http::get(&zip(server, "example.com/m")).status;
                    assert!(matches!(status, 200 | 500 | 503), "what is there: {status}");
                    let status = http::get(&zip(server, "example.com/absent")).status;
                    assert!(matches!(status, 404 | 500 | 503), "what is not: {status}");
                }
            });
            scope.spawn(|| {
                let answer = publish(server, "example.com/n", "v1.0.0", 2);
                assert!(matches!(answer.status, 200 | 201 | 503), "{answer}");
            });
        }
        // Those that wait for an answer are answered at the latest when it is back.
        thread::sleep(Duration::from_secs(3));
        returns();
    });
    for server in pair.servers() {
        wait::until("it is served again", || http::get(&zip(server, "example.com/m")).status == 200);
        wait::until("it is taken again", || publish(server, "example.com/n", "v1.0.0", 2).status == 200);
    }
    pair.assert_sound();
}

#[test]
fn a_database_that_falls_silent_is_trouble_and_never_an_absence() {
    let direct = postgres::shared().database();
    let folder = postgres::shared().folder();
    let proxy = Proxy::before(folder);
    let pair = Pair::on(&proxy.address(&direct, folder), &[]);
    assert_trouble_and_return(&pair, || proxy.swallow(true), || proxy.swallow(false));
}

#[test]
fn a_database_that_takes_no_connection_is_trouble_and_never_an_absence() {
    let address = postgres::shared().database();
    let pair = Pair::on(&address, &[]);
    let name = postgres::name(&address);
    let allow = |word: &str| format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {word}");
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    let execute = |statement: &str| drop(postgres::shared().execute("postgres", statement));
    let goes = || [allow("false").as_str(), &end].into_iter().for_each(execute);
    assert_trouble_and_return(&pair, goes, || execute(&allow("true")));
}

#[test]
fn a_database_with_too_many_connections_is_trouble_and_never_an_absence() {
    let address = postgres::shared().database();
    let name = postgres::name(&address);
    let execute = |statement: &str| drop(postgres::shared().execute("postgres", statement));
    // The owner of everything has no limit, so the servers are somebody else.
    let visitor = format!("visitor_{name}");
    execute(&format!("CREATE ROLE {visitor} LOGIN"));
    execute(&format!("ALTER DATABASE {name} OWNER TO {visitor}"));
    let pair = Pair::on(&address.replace("user=keeper", &format!("user={visitor}")), &[]);
    let limit = |number: i32| format!("ALTER DATABASE {name} CONNECTION LIMIT {number}");
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    let goes = || [limit(0).as_str(), &end].into_iter().for_each(execute);
    assert_trouble_and_return(&pair, goes, || execute(&limit(-1)));
}

#[test]
fn a_bucket_that_fails_in_every_way_loses_nothing_and_keeps_nothing_for_ever() {
    let rounds = if is_long() { 2_000 } else { 200 };
    let mut chance = Random::of("bucket");
    let settings = [
        ("KEEPER_GC_GRACE", "0s"),
        ("KEEPER_GC_UNLINK_DELAY", "0s"),
        ("KEEPER_GC_MAX_PERCENT", "100"),
        ("KEEPER_GC_UNLINKS_PER_SECOND", "100000"),
    ];
    let mut pair = Pair::start(&settings);
    let faults = [
        Fault::before("PUT", "/sha256/", 500, "InternalError"),
        Fault::before("PUT", "/sha256/", 503, "SlowDown"),
        Fault::before("PUT", "/sha256/", 409, "ConditionalRequestConflict"),
        Fault::before("PUT", "/sha256/", 403, "AccessDenied"),
        Fault::after("PUT", "/sha256/", 500, "InternalError"),
        Fault::after("PUT", "/sha256/", 400, "InvalidRequest"),
        Fault::before("GET", "/sha256/", 503, "SlowDown"),
        Fault::before("HEAD", "/sha256/", 403, "AccessDenied"),
        Fault::before("DELETE", "/sha256/", 403, "AccessDenied"),
    ];
    // Of what is so long that it goes in parts.
    let of_parts = [
        Fault::before("PUT", "partNumber=2", 403, "AccessDenied"),
        Fault::after("PUT", "partNumber=1", 500, "InternalError"),
        Fault::damage("PUT", "partNumber=3"),
        Fault::before("POST", "uploadId=", 400, "InvalidPart"),
        Fault::after("POST", "uploadId=", 400, "InvalidRequest"),
    ];
    let mut acknowledged = BTreeMap::new();
    for (round, fault) in (0..).zip(of_parts) {
        pair.s3().heal();
        pair.s3().fail(fault.clone());
        let name = format!("example.com/large{round}");
        let answer = FORM.of(&name, "v1.0.0", large(round)).send(&pair.servers()[usize::from(round % 2 == 1)]);
        match answer.status {
            201 => drop(acknowledged.insert(name, answer.text("id").to_owned())),
            503 => assert_eq!(pair.s3().uploads(), 0, "{round}: it is given up at once"),
            _ => panic!("{answer}"),
        }
    }
    pair.s3().heal();
    pair.kill_while_sending(0, large(9));
    let parts = pair.s3().requests().iter().filter(|request| request.contains("partNumber=")).count();
    assert!(parts > 10 && acknowledged.len() >= 2, "{parts} parts, {} kept", acknowledged.len());
    for round in 0..rounds {
        pair.s3().heal();
        pair.s3().fail(chance.one_of(&faults).expect("some").clone());
        let (at, name) = (usize::try_from(chance.below(2)).expect("small"), format!("example.com/m{round}"));
        let answer = publish(&pair.servers()[at], &name, "v1.0.0", round);
        match answer.status {
            201 => drop(acknowledged.insert(name.clone(), answer.text("id").to_owned())),
            503 => {}
            _ => panic!("{answer}"),
        }
        if acknowledged.contains_key(&name) {
            let read = http::get(&zip(&pair.servers()[1 - at], &name)).status;
            assert!(matches!(read, 200 | 503), "{name}: {read}");
        }
        if round % 50 == 49 {
            let (which, after) = (usize::try_from(chance.below(2)).expect("small"), chance.below(20));
            pair.kill_while_publishing(which, round, Duration::from_millis(after));
        }
    }
    pair.s3().heal();
    assert!(acknowledged.len() as u64 > rounds / 3, "too little has happened: {}", acknowledged.len());
    for name in acknowledged.keys() {
        for server in pair.servers() {
            assert_eq!(http::get(&zip(server, name)).status, 200, "{name}");
        }
    }
    for _ in 0..3 {
        pair.servers()[0].command("gc --confirm").succeeded();
    }
    let verified = pair.servers()[0].command("verify --json").succeeded();
    assert_eq!(verified.stdout().lines().count(), 1, "nothing but the summary: {verified}");
    assert_eq!(pair.s3().uploads(), 0, "no upload in parts is left");
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
