//! A start on a database of PostgreSQL, or a bucket, that is not there yet, not for us, or busy with somebody else; and
//! that a start can be stopped.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use rustix::process::{Pid, Signal, kill_process};

use super::attempt::Start;
use crate::harness::postgres::{self, Database, Postgres};
use crate::harness::s3::{Fault, S3};
use crate::harness::server::Server;
use crate::harness::wait::until;

/// The lock that those hold who change the schema: what `api/src/store/place/postgres.rs` calls the turn.
const SCHEMA_TURN: i64 = 0x6b65_6570_6572_0002;

fn start_on(address: &str) -> Start {
    Start::new().with("KEEPER_DATABASE_URL", address)
}

#[test]
fn a_database_that_is_nowhere_is_waited_for_and_then_told() {
    let nowhere = tempfile::tempdir().expect("a folder");
    let ended = start_on(&format!("postgres:///keeper?host={}&user=ann", nowhere.path().display())).run();
    let waits = "cannot be reached yet";
    ended.refused("J13 unreachable", 1, &[waits, "cannot be reached (", "KEEPER_DATABASE_URL"]);
    assert!(ended.text.lines().filter(|line| line.contains(waits)).count() > 5, "J13: {}", ended.text);
}

#[test]
fn a_database_that_comes_late_is_used() {
    let mut database = Postgres::start();
    let address = database.database();
    let pid = i32::try_from(database.pid()).expect("small");
    kill_process(Pid::from_raw(pid).expect("a process"), Signal::KILL).expect("it is ours");
    let mut server = Server::upon(|_| (), &[("KEEPER_DATABASE_URL", &address)]);
    let ready = server.begin();
    until("the start waits", || server.output().contains("cannot be reached yet"));
    database.start_again();
    server.await_ready(&ready);
    server.api("GET", "/api/artifacts", None).expect(200);
    let ready = server.output().lines().find(|line| line.contains("\"ready\"")).map(str::to_owned).expect("it is");
    for told in ["\"database\":\"postgresql\"", "\"storage\":\"folder\"", "\"version\":\""] {
        assert!(ready.contains(told), "{ready}");
    }
}

#[test]
fn who_is_refused_and_what_is_missing_is_told_at_once() {
    let server = Postgres::start();
    server.execute("postgres", "CREATE ROLE ann LOGIN PASSWORD 'right'");
    let rules = server.folder().join("data/pg_hba.conf");
    let before = fs::read_to_string(&rules).expect("initdb makes it");
    fs::write(&rules, format!("local all ann scram-sha-256\n{before}")).expect("ours");
    let loaded = server.execute("postgres", "SELECT pg_conf_load_time()");
    server.execute("postgres", "SELECT pg_reload_conf()");
    let later = format!("SELECT pg_conf_load_time() > '{loaded}'");
    until("the password counts", || server.execute("postgres", &later) == "t");
    let at = |name: &str, more: &str| format!("postgres:///{name}?host={}&{more}", server.folder().display());
    let ended = start_on(&at("postgres", "user=ann")).with("PGPASSWORD", "wrong").run();
    ended.refused("J13 password", 2, &["refuses the user ann", "KEEPER_DATABASE_URL"]);
    assert!(!ended.text.contains("wrong") && !ended.text.contains("yet"), "J13: {}", ended.text);
    let ended = start_on(&at("postgres", "user=nobody")).run();
    ended.refused("J13 user", 2, &["refuses the user nobody", "KEEPER_DATABASE_URL"]);
    let ended = start_on(&at("absent", "user=keeper")).run();
    let line = "--owner=keeper --template=template0 --encoding=UTF8 --locale=C absent";
    ended.refused("J13 database", 1, &["there is no database absent", "createdb --host=", line]);
}

#[test]
fn a_start_that_waits_for_another_one_can_be_stopped_and_listens_to_nobody() {
    let database = Database::new();
    let name = postgres::name(database.address());
    let others = postgres::shared().hold(name, &format!("SELECT pg_advisory_lock({SCHEMA_TURN})"));
    let port = {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        free.local_addr().expect("bound").port()
    };
    let listen = format!("127.0.0.1:{port}");
    let settings = [("KEEPER_DATABASE_URL", database.address()), ("KEEPER_LISTEN", &listen)];
    let mut server = Server::upon(|_| (), &settings);
    drop(server.begin());
    let waits = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    until("it waits for its turn", || postgres::shared().execute(name, waits) == "1");
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err(), "nothing listens before it can serve");
    assert_eq!(server.stop().code(), Some(0));
    assert!(server.output().contains("stopped before it was ready"), "{}", server.output());
    drop(others);
    server.start_again();
}

#[test]
fn a_bucket_that_cannot_be_used_is_told_by_what_is_to_be_done() {
    let rows: [(&str, u16, &str, i32, &[&str]); 5] = [
        ("no bucket", 404, "NoSuchBucket", 1, &["there is no bucket", "KEEPER_STORAGE_URL"]),
        ("key", 403, "InvalidAccessKeyId", 2, &["refuses the credentials", "AWS_ACCESS_KEY_ID"]),
        ("right", 403, "AccessDenied", 2, &["refuses the credentials", "get, put, list and delete"]),
        ("region", 400, "AuthorizationHeaderMalformed", 2, &["is not in the region", "KEEPER_S3_REGION"]),
        ("clock", 403, "RequestTimeTooSkewed", 2, &["clock is 360", " s ahead of that of the store"]),
    ];
    for (row, status, code, exit, texts) in rows {
        let s3 = S3::start();
        s3.fail(Fault::before("PUT", "selftest", status, code));
        let start = s3.settings("files").iter().fold(Start::new(), |start, (name, value)| start.with(name, value));
        start.run().refused(&format!("J18 {row}"), exit, texts);
        start.run().runs(&format!("J18 {row} remedied"), &["\"storage\":\"s3\""]);
    }
}

/// J22: each would miss what the other one has received.
#[test]
fn two_servers_with_a_folder_each_are_not_two_servers_of_one_database() {
    let database = Database::new();
    let start = || Start::new().with("KEEPER_DATABASE_URL", database.address());
    let first = start();
    first.run().runs("J22 the first", &[]);
    start().run().refused("J22 another folder", 2, &["stored files of this database are not in", "KEEPER_STORAGE_URL"]);
    first.run().runs("J22 the first again", &[]);
    // A folder that both see, and one that was moved with all that is in it.
    let shared = first.path("data/blobs");
    let url = format!("file://{}", shared.display());
    start().with("KEEPER_STORAGE_URL", &url).run().runs("J22 one folder", &[]);
    let moved = first.path("moved");
    fs::rename(&shared, &moved).expect("ours");
    start().with("KEEPER_STORAGE_URL", format!("file://{}", moved.display())).run().runs("J22 moved", &[]);
}
