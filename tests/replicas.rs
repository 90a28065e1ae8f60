//! Several servers on one PostgreSQL and one bucket: what one does the others show, and what one loses nobody loses.

mod faults;
mod leases;
mod pair;
mod proxy;
mod rolling;
mod secrets;
mod silence;
mod standby;

use std::sync::Barrier;
use std::thread;

use serde_json::json;

use crate::harness::database::sql;
use crate::harness::http;
use crate::harness::is_long;
use crate::harness::people::{self, Credential};
use crate::harness::server::Server;
use crate::harness::wait;
use pair::{FORM, Pair, module, publish};

#[test]
fn two_that_start_at_once_make_one_database_and_one_administrator() {
    let pair = Pair::start(&[]);
    let [one, other] = pair.servers();
    let users = |server: &Server| {
        let mut users = server.api("GET", "/api/users", None).expect(200).json();
        // To ask is to be seen.
        users["items"][0].as_object_mut().map(|user| user.remove("last_seen_at"));
        users
    };
    assert_eq!(users(one), users(other));
    assert_eq!(users(one)["items"].as_array().map(Vec::len), Some(1));
    let status = one.api("GET", "/api/status", None).expect(200).json();
    assert_eq!((&status["database"]["kind"], &status["storage"]["kind"]), (&json!("postgres"), &json!("s3")));
    assert_eq!(status["counts"]["repositories"], 3, "{status}");
}

#[test]
fn a_list_in_memory_follows_what_the_other_publishes_and_deletes() {
    let pair = Pair::start(&[]);
    let [one, other] = pair.servers();
    let list = |server: &Server| http::get(&format!("{}/example.com/m/@v/list", server.go("local"))).text();
    let made = publish(one, "example.com/m", "v1.0.0", 1).expect(201);
    assert_eq!(list(one), "v1.0.0\n", "at once where it was done");
    wait::until("the other lists it", || list(other) == "v1.0.0\n");
    publish(other, "example.com/m", "v1.1.0", 2).expect(201);
    assert_eq!(list(other), "v1.0.0\nv1.1.0\n");
    wait::until("the first lists it", || list(one) == "v1.0.0\nv1.1.0\n");
    other.api("DELETE", &format!("/api/artifacts/{}", made.text("id")), None).expect(204);
    wait::until("the deletion is seen", || list(one) == "v1.1.0\n");
    let file = format!("{}/example.com/m/@v/v1.1.0.zip", one.go("local"));
    let there = http::get(&file).expect(200).body;
    assert_eq!(http::get(&file.replace(&one.url, &other.url)).expect(200).body, there);
}

#[test]
fn what_is_taken_away_at_one_counts_no_more_at_the_other() {
    let pair = Pair::start(&[("KEEPER_ANONYMOUS_READ", "false")]);
    let [one, other] = pair.servers();
    publish(one, "example.com/m", "v1.0.0", 1).expect(201);
    let path = "/go/local/example.com/m/@v/v1.0.0.info";
    let (text, id) = people::token(one, "admin", &["read"], &["go/*"]);
    let token = Credential::Bearer(text);
    let read = |server: &Server, who: &Credential| people::ask(server, "GET", path, who, None).status;
    // Both remember it.
    for server in [other, one, other] {
        assert_eq!(read(server, &token), 200);
    }
    one.api("DELETE", &format!("/api/tokens/{id}"), None).expect(204);
    assert_eq!(read(one, &token), 401);
    wait::until("the token is refused", || read(other, &token) == 401);
    // The same of what strangers may see.
    let repository = |server: &Server| server.api("GET", "/api/repositories/go/local", None).expect(200);
    let open = json!({ "anonymous_read": true });
    let revision = repository(one).header("etag").expect("a revision").to_owned();
    let headers = [("If-Match", revision.as_str()), ("Content-Type", "application/json")];
    let changed = one.send(
        Some(crate::harness::server::ADMIN_TOKEN),
        "PATCH",
        "/api/repositories/go/local",
        &headers,
        open.to_string().as_bytes(),
    );
    changed.expect(200);
    wait::until("strangers may read", || read(other, &Credential::None) == 200);
}

#[test]
fn of_many_at_both_exactly_one_gets_a_version() {
    const CLIENTS: usize = 12;
    const ROUNDS: u64 = 50;
    let pair = Pair::start(&[]);
    for round in 0..ROUNDS {
        let version = format!("v1.{round}.0");
        // In even rounds all bring the same, in odd ones each third something else.
        let content = |client: usize| if round % 2 == 0 { 0 } else { client as u64 % 3 };
        let barrier = Barrier::new(CLIENTS);
        let answers: Vec<_> = thread::scope(|scope| {
            let clients = (0..CLIENTS).map(|client| {
                let (version, barrier, server) = (&version, &barrier, &pair.servers()[client % 2]);
                scope.spawn(move || {
                    let archive = module(1_000 * round + content(client));
                    barrier.wait();
                    FORM.of("example.com/wanted", version, archive).send(server)
                })
            });
            let clients: Vec<_> = clients.collect();
            clients.into_iter().map(|client| client.join().expect("a client")).collect()
        });
        let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((with(201), with(201) + with(200) + with(409)), (1, CLIENTS), "{answers:?}");
        assert!(round % 2 == 1 || with(409) == 0, "{answers:?}");
        assert!(round % 2 == 0 || with(409) > 0, "{answers:?}");
    }
    let audit = pair.servers()[0].api("GET", "/api/audit?action=publish&limit=100", None).expect(200).json();
    assert_eq!(audit["items"].as_array().map(Vec::len), Some(ROUNDS as usize), "one row for each change");
    pair.assert_sound();
}

#[test]
fn nobody_of_many_at_both_gets_a_deleted_version() {
    const CLIENTS: usize = 8;
    let pair = Pair::start(&[]);
    for round in 0..if is_long() { 100 } else { 10 } {
        let version = format!("v1.{round}.0");
        let made = publish(&pair.servers()[0], "example.com/wanted", &version, round).expect(201);
        pair.servers()[1].api("DELETE", &format!("/api/artifacts/{}", made.text("id")), None).expect(204);
        let barrier = Barrier::new(CLIENTS);
        let answers: Vec<_> = thread::scope(|scope| {
            let clients = (0..CLIENTS).map(|client| {
                let (version, barrier, server) = (&version, &barrier, &pair.servers()[client % 2]);
                scope.spawn(move || {
                    // Half of them with the very bytes that were there.
                    let archive = module(round + 1_000 * (client as u64 / 2 % 2));
                    barrier.wait();
                    FORM.of("example.com/wanted", version, archive).send(server)
                })
            });
            let clients: Vec<_> = clients.collect();
            clients.into_iter().map(|client| client.join().expect("a client")).collect()
        });
        assert!(answers.iter().all(|answer| answer.status == 410), "{answers:?}");
    }
    pair.assert_sound();
}

#[test]
fn the_collector_runs_at_one_of_them_at_a_time() {
    let pair = Pair::start(&[("KEEPER_GC_GRACE", "0s"), ("KEEPER_GC_UNLINK_DELAY", "0s")]);
    let [one, other] = pair.servers();
    let gone = publish(one, "example.com/gone", "v1.0.0", 1).expect(201);
    one.api("DELETE", &format!("/api/artifacts/{}", gone.text("id")), None).expect(204);
    sql(
        one,
        "INSERT INTO jobs (name, holder, began_at, lease_until, failed, outcome) VALUES ('gc', 'a server that is busy', 0, \
         9000000000000000, FALSE, '') ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, \
         lease_until = excluded.lease_until",
    );
    for server in [one, other] {
        server.command("gc --confirm").failed().says(&["running already"]);
    }
    sql(one, "UPDATE jobs SET lease_until = 1 WHERE name = 'gc'");
    other.command("gc --confirm").succeeded().says(&["removed:     1 blobs"]);
    assert!(pair.s3().keys().is_empty());
    pair.assert_sound();
}

#[test]
fn a_restart_of_one_after_the_other_fails_no_request() {
    let mut pair = Pair::start(&[]);
    publish(&pair.servers()[0], "example.com/m", "v1.0.0", 1).expect(201);
    pair.restart_under_load(|urls| {
        // What a balancer does: the next server is asked when one takes no connection, or closes it unanswered. Here, one
        // that was restarted has another address; whoever knows only the old one looks again, once.
        let path = "/go/local/example.com/m/@v/v1.0.0.zip";
        let ask = || urls().iter().find_map(|url| pair::try_get(&format!("{url}{path}")));
        assert_eq!(ask().or_else(ask).map(|answer| answer.status), Some(200));
    });
    pair.assert_sound();
}
