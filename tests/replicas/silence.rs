//! A database that is gone, silent for good, or has no connection left: each is told as what it is, in bounded time, and
//! keeps no server from ending.

use std::collections::BTreeSet;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use super::pair::{Pair, publish};
use super::proxy::Proxy;
use crate::harness::http::{self, Response};
use crate::harness::postgres::{self, Postgres};
use crate::harness::server::Server;
use crate::harness::wait;

fn read(server: &Server) -> Response {
    http::get(&format!("{}/example.com/m/@v/v1.0.0.zip", server.go("local")))
}

fn code(answer: &Response) -> String {
    answer.header("x-error-code").unwrap_or_default().to_owned()
}

fn ready(server: &Server) -> u16 {
    http::get(&format!("{}/readyz", server.url)).status
}

/// So many at the same time.
fn at_once<T: Send>(number: usize, ask: impl Fn() -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let asking: Vec<_> = (0..number).map(|_| scope.spawn(&ask)).collect();
        asking.into_iter().map(|one| one.join().expect("it is answered")).collect()
    })
}

/// L3, the first half.
#[test]
fn a_database_that_was_stopped_is_unavailable_and_not_busy() {
    let mut database = Postgres::start();
    let pair = Pair::on(&database.database(), &[]);
    let [one, other] = pair.servers();
    publish(one, "example.com/m", "v1.0.0", 1).expect(201);
    let pid = i32::try_from(database.pid()).expect("small");
    kill_process(Pid::from_raw(pid).expect("a process"), Signal::KILL).expect("it is ours");
    let mut codes = BTreeSet::new();
    wait::until("reads are trouble", || {
        let answer = read(other);
        assert!(matches!(answer.status, 200 | 503), "{}", answer.status);
        if answer.status == 503 {
            codes.insert(code(&answer));
        }
        answer.status == 503
    });
    // Connections that were open break at once; after them there are none to be had, which takes longer to find out.
    for server in [one, other] {
        for answer in at_once(12, || read(server)) {
            assert_eq!(answer.status, 503);
            codes.insert(code(&answer));
        }
    }
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), ["database_unavailable"]);
    let answer = publish(one, "example.com/n", "v1.0.0", 2).expect(503);
    assert_eq!(answer.text("code"), "database_unavailable");
    database.start_again();
    wait::until("reads are well again", || read(one).status == 200 && read(other).status == 200);
}

/// L3, the second half.
#[test]
fn a_pool_that_is_used_up_is_busy_and_not_unavailable() {
    const READERS: usize = 30;
    let address = postgres::Database::new();
    let pair = Pair::on(address.address(), &[]);
    let [one, _] = pair.servers();
    publish(one, "example.com/m", "v1.0.0", 1).expect(201);
    let name = postgres::name(address.address());
    let held = postgres::shared().hold(name, "LOCK TABLE artifacts, files IN ACCESS EXCLUSIVE MODE");
    let answers = at_once(READERS, || read(one));
    let told: BTreeSet<_> = answers.iter().map(|answer| (answer.status, code(answer))).collect();
    assert_eq!(told.into_iter().collect::<Vec<_>>(), [(503, "database_busy".to_owned())]);
    assert_eq!(ready(one), 200, "who asks for the health has connections of his own");
    drop(held);
    wait::until("reads are well again", || read(one).status == 200);
}

#[test]
fn a_silence_that_never_ends_is_trouble_until_there_are_other_connections() {
    let direct = postgres::shared().database();
    let folder = postgres::shared().folder();
    let proxy = Proxy::before(folder);
    let pair = Pair::on(&proxy.address(&direct, folder), &[]);
    let [one, other] = pair.servers();
    publish(one, "example.com/m", "v1.0.0", 1).expect(201);
    assert_eq!(read(other).status, 200);
    proxy.swallow(true);
    for server in [one, other] {
        // Several at once, so that all connections are met.
        wait::until("reads are trouble", || {
            let statuses = at_once(12, || read(server).status);
            assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{statuses:?}");
            statuses.iter().all(|status| *status == 503)
        });
        assert_eq!(ready(server), 503);
    }
    // Those that are there are never heard of again, and new ones can be had.
    proxy.silence_these();
    proxy.swallow(false);
    for server in [one, other] {
        wait::until("reads are well again", || read(server).status == 200);
        wait::until("it is ready again", || ready(server) == 200);
        wait::until("it takes uploads again", || {
            matches!(publish(server, "example.com/n", "v1.0.0", 2).status, 200 | 201)
        });
    }
    pair.assert_sound();
}

#[test]
fn a_server_ends_whatever_its_database_does() {
    let direct = postgres::shared().database();
    let folder = postgres::shared().folder();
    let proxy = Proxy::before(folder);
    let mut pair = Pair::on(&proxy.address(&direct, folder), &[("KEEPER_SHUTDOWN_TIMEOUT", "1s")]);
    publish(&pair.servers()[0], "example.com/m", "v1.0.0", 1).expect(201);
    proxy.swallow(true);
    thread::scope(|scope| {
        // Somebody waits for an answer that does not come.
        let url = pair.servers()[1].url.clone();
        scope.spawn(move || http::send("GET", &format!("{url}/api/users"), &[], &[]).status);
    });
    for at in 0..2 {
        let status = pair.server(at).stop();
        assert!(matches!(status.code(), Some(0 | 1)), "{status}");
    }
    proxy.swallow(false);
    pair.server(0).start_again();
    assert_eq!(read(&pair.servers()[0]).status, 200);
}
