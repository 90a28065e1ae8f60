//! PostgreSQL waits for a standby that is gone: a COMMIT hangs, for as long as an operator lets it.

use std::thread;

use super::pair::{Pair, publish};
use crate::harness::http;
use crate::harness::postgres::{self, Postgres};
use crate::harness::wait;

/// Names the standby that a COMMIT has to wait for; nobody is called so.
fn wait_for_standby(database: &Postgres, name: &str) {
    database.execute("postgres", &format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'"));
    database.execute("postgres", "SELECT pg_reload_conf()");
    let shown = || database.execute("postgres", "SHOW synchronous_standby_names");
    wait::until("the setting is in force", || shown() == name);
}

#[test]
fn a_commit_that_waits_for_a_standby_is_not_acknowledged_and_stops_no_read() {
    let database = Postgres::start();
    let address = database.database();
    let pair = Pair::on(&address, &[]);
    let [one, other] = pair.servers();
    let read = |name: &str| {
        pair.servers().each_ref().map(|of| http::get(&format!("{}/{name}/@v/v1.0.0.zip", of.go("local"))).status)
    };
    assert_eq!(publish(one, "example.com/before", "v1.0.0", 0).status, 201);
    assert_eq!(publish(other, "example.com/since", "v1.0.0", 1).status, 201);
    wait_for_standby(&database, "nobody");
    thread::scope(|scope| {
        let answer = scope.spawn(|| publish(one, "example.com/waits", "v1.0.0", 2));
        // As long as it hangs, all that was there before is read, from both: also by those who remember nothing.
        let mut reads = 0;
        while !answer.is_finished() {
            assert_eq!(read("example.com/before"), [200, 200], "after {reads} reads");
            reads += 1;
        }
        let answer = answer.join().expect("it is answered");
        assert_eq!((answer.status, answer.text("code")), (503, "outcome_unknown"), "{answer}");
        assert!(reads > 0);
    });
    wait_for_standby(&database, "");
    // The COMMIT that waited is made now.
    let question = "SELECT COUNT(*) FROM audit WHERE action = 'publish' AND package LIKE '%waits%'";
    let rows = || database.execute(postgres::name(&address), question);
    wait::until("the row is there", || rows() == "1");
    assert_eq!(publish(other, "example.com/waits", "v1.0.0", 2).status, 200);
    assert_eq!(read("example.com/waits"), [200, 200]);
    pair.assert_sound();
}
