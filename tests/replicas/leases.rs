//! Background work of a server that died is free for the others, and of one that lives it is not; and a collector that
//! finds another database than before rests.

use std::process::{Command, Stdio};

use super::pair::Pair;
use crate::harness::database::sql;
use crate::harness::postgres;
use crate::harness::server::Server;
use crate::harness::wait;

/// The job has this holder until the year 2255.
fn held_by(server: &Server, holder: &str) {
    let until = "lease_until = 9000000000000000";
    let insert = "INSERT INTO jobs (name, holder, lease_until, failed, outcome) VALUES ('gc', '', 1, false, '') \
                  ON CONFLICT (name) DO NOTHING";
    sql(server, &format!("{insert}; UPDATE jobs SET holder = '{holder}', {until} WHERE name = 'gc'"));
}

#[test]
fn a_lease_ends_with_the_process_that_has_it() {
    let pair = Pair::start(&[]);
    let server = &pair.servers()[0];
    held_by(server, "somebody");
    server.command("gc --confirm").failed().says(&["is running already"]);
    // A process shows by a lock of its number that it lives. This one is a shell.
    held_by(server, "7/somebody");
    let mut shell = Command::new("psql")
        .args(["-X", "-q", "-U", "keeper", "-d", postgres::name(server.database().expect("PostgreSQL")), "-h"])
        .arg(postgres::shared().folder())
        .args(["-c", "SELECT pg_advisory_lock_shared(1801807216, 7)", "-f", "-"])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("psql runs");
    let database = postgres::name(server.database().expect("PostgreSQL"));
    let locks =
        || postgres::shared().execute(database, "SELECT COUNT(*) FROM pg_locks WHERE objid = 7 AND objsubid = 2");
    wait::until("the shell lives", || locks() == "1");
    server.command("gc --confirm").failed().says(&["is running already"]);
    shell.kill().expect("it is ours");
    shell.wait().expect("it is ours");
    wait::until("the lease has ended with it", || server.command("gc --confirm").is_success());
    // The servers show themselves so, each with a number of its own.
    let shown = "SELECT COUNT(DISTINCT objid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                 WHERE classid = 1801807216 AND objsubid = 2 AND datname = current_database()";
    wait::until("both servers show that they live", || postgres::shared().execute(database, shown) == "2");
}

#[test]
fn after_a_failover_the_collector_rests() {
    let pair = Pair::start(&[("KEEPER_GC_PERIOD", "100ms"), ("KEEPER_GC_GRACE", "1h")]);
    let server = &pair.servers()[0];
    let database = postgres::name(server.database().expect("PostgreSQL"));
    let asked = |what: &str| postgres::shared().execute(database, what);
    wait::until("the database was seen", || asked("SELECT COUNT(seen_database) FROM instance") == "1");
    assert_eq!(asked("SELECT COUNT(collect_after) FROM instance"), "0", "the first one is no other");
    // As if that had been the timeline of a server that is no more.
    sql(server, "UPDATE instance SET seen_database = split_part(seen_database, '/', 1) || '/0'");
    let outcome = || {
        let status = server.api("GET", "/api/status", None).expect(200).json();
        let jobs = status["jobs"].as_array().cloned().unwrap_or_default();
        let gc = jobs.iter().find(|job| job["name"] == "gc").cloned().unwrap_or_default();
        gc["outcome"].as_str().unwrap_or_default().to_owned()
    };
    wait::until("the collector rests", || outcome().starts_with("rests until"));
    wait::until("somebody confirms", || server.command("gc --confirm").is_success());
}
