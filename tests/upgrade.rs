//! What earlier versions left behind is opened, verified and served by this one; a kill on the way costs nothing; and
//! servers of two versions work on one database.
//!
//! The data folders are in `fixtures/databases`, which says how they were made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::harness::archives;
use crate::harness::command::run;
use crate::harness::database::sql;
use crate::harness::http;
use crate::harness::people::{self, Credential};
use crate::harness::postgres::{self, Database};
use crate::harness::server::{ON_SQLITE, Server};
use crate::harness::shim::Shim;
use crate::harness::upload::Form;

/// A data folder with its stored files, which are those of most.
const WHOLE: &str = "m0020";
/// Databases by the last step of each, with stored files where they have others.
const OTHERS: [&str; 9] = ["m0003", "m0009", "m0009-and-m0020", "m0010", "m0021", "m0022", "m0023", "m0024", "m0025"];
/// The same on PostgreSQL.
const ON_POSTGRES: [&str; 5] =
    ["postgres-m0020", "postgres-m0022", "postgres-m0023", "postgres-m0024", "postgres-m0025"];
/// Steps since there is PostgreSQL whose data are not here, and why.
const EXCEPTIONS: [(&str, &str); 1] = [(
    "postgres-m0021",
    "between postgres-m0020 and postgres-m0022 lie the columns of m0021, which sqlite has as m0021, and indexes",
)];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/databases").join(name)
}

fn unpack(archive: &str, into: &Path) {
    run(Command::new("tar").arg("xzf").arg(fixture(archive)).arg("--no-same-owner").arg("-C").arg(into)).succeeded();
}

/// Makes the data folder of a version.
fn data_of(version: &str) -> impl FnOnce(&Path) {
    move |data| {
        fs::create_dir(data).expect("a fresh folder");
        unpack(&format!("{WHOLE}.tar.gz"), data);
        if version != WHOLE {
            unpack(&format!("{version}.tar.gz"), data);
        }
    }
}

fn server_of(version: &str) -> Server {
    Server::upon(data_of(version), &[ON_SQLITE])
}

/// Everything that was published is served as it was, and nothing is wrong with it.
#[track_caller]
fn assert_kept(server: &Server, version: &str) {
    let text = fs::read_to_string(server.data().join("expected.json")).expect("it is in the archive");
    let expected: Value = serde_json::from_str(&text).expect("JSON");
    let files = expected["files"].as_object().expect("files by path");
    assert!(files.len() > 8, "{version}: {expected}");
    for (path, digest) in files {
        let answer = http::get(&format!("{}{path}", server.url)).expect(200);
        let found = HEXLOWER.encode(&Sha256::digest(&answer.body));
        assert_eq!(json!(found), *digest, "{version}: {path}");
    }
    for path in expected["gone"].as_array().expect("paths") {
        let path = path.as_str().expect("a path");
        http::get(&format!("{}{path}", server.url)).expect(410);
    }
    if let Some(token) = expected["token"].as_str() {
        let robin = people::ask(server, "GET", "/api/me", &Credential::Bearer(token.to_owned()), None);
        assert_eq!(robin.expect(200).json()["login"], "robin", "{version}");
    }
    let audit = server.api("GET", "/api/audit?action=publish&limit=100", None).expect(200).json();
    assert!(audit["items"].as_array().map(Vec::len) >= expected["publications"].as_u64().map(|rows| rows as usize));
    server.command("verify").succeeded().says(&["0 faults"]);
}

/// It works with what is there.
#[track_caller]
fn assert_works(server: &Server) {
    let archive = archives::zip(&[("new.go", b"package new\n")]);
    let publish =
        |version: &str| Form::go(archive.clone()).with("name", "example.com/one").with("version", version).send(server);
    publish("v1.2.0").expect(410);
    publish("v1.1.0").expect(409);
    let made = publish("v1.9.0").expect(201);
    let list = http::get(&format!("{}/example.com/one/@v/list", server.go("local"))).expect(200).text();
    assert_eq!(list, "v1.0.0\nv1.1.0\nv1.9.0\n");
    let found = server.api("GET", "/api/packages?q=two", None).expect(200).json();
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{found}");
    server.api("DELETE", &format!("/api/artifacts/{}", made.text("id")), None).expect(204);
}

/// The names of all steps, in order.
fn steps() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/src");
    let names = fs::read_dir(folder).expect("a folder of the project").flatten();
    let names = names.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".rs").map(str::to_owned));
    let mut steps: Vec<_> = names.filter(|name| name.starts_with('m') && name[1..5].parse::<u32>().is_ok()).collect();
    steps.sort();
    steps
}

/// By how many packages the one is used that two others need, as the step `m0024` counts for itself from what was there.
#[track_caller]
fn assert_used(server: &Server, version: &str) {
    let ask = || server.api("GET", "/api/packages?name=example.com/needed", None).expect(200).json()["items"].clone();
    if ask().as_array().is_some_and(Vec::is_empty) {
        let archive = archives::zip(&[("needed.go", b"package needed\n")]);
        Form::go(archive).with("name", "example.com/needed").with("version", "v1.0.0").send(server).expect(201);
    }
    let packages = ask();
    assert_eq!(packages[0]["used_by"], 2, "{version}: {packages}");
}

#[test]
fn every_step_since_there_are_two_databases_has_data_of_its_own() {
    const BOTH_SINCE: &str = "m0020";
    let steps = steps();
    // That of the newest is made before the next one changes it; it may be here already.
    let (_newest, older) = steps.split_last().expect("steps");
    for step in older.iter().filter(|step| step.as_str() >= BOTH_SINCE) {
        let number = &step[..5];
        for (wanted, ending) in [(number.to_owned(), "tar.gz"), (format!("postgres-{number}"), "sql.gz")] {
            if let Some((_, reason)) = EXCEPTIONS.iter().find(|(name, _)| *name == wanted) {
                assert!(reason.len() > 20);
                continue;
            }
            assert!(fixture(&format!("{wanted}.{ending}")).is_file(), "no data of {step}: {wanted}.{ending}");
            let opened = OTHERS.into_iter().chain([WHOLE]).chain(ON_POSTGRES).any(|name| name == wanted);
            assert!(opened, "{wanted} is not opened by any test");
        }
    }
}

#[test]
fn what_every_earlier_version_stored_is_served_as_it_was() {
    let newest = steps().pop().expect("steps");
    for version in OTHERS.into_iter().chain([WHOLE]) {
        let mut server = server_of(version);
        let check = server.command("migrate --check");
        if newest.starts_with(version) {
            check.succeeded();
        } else {
            check.failed().says(&[&newest]);
        }
        server.start_again();
        assert_kept(&server, version);
        assert_used(&server, version);
        assert_works(&server);
        server.stop();
        server.command("migrate --check").succeeded();
        server.start_again();
        assert_kept(&server, version);
    }
}

#[test]
fn a_kill_at_any_step_of_an_upgrade_costs_nothing() {
    const OLDEST: &str = "m0003";
    let shim = Shim::build();
    let mut step = 1;
    loop {
        let mut server = server_of(OLDEST);
        let log = shim.path(&format!("log{step}"));
        shim.stand_before(&mut server);
        server.set("SHIM_LOG", &log.display().to_string());
        // Each commit of the upgrade takes long enough to be met in its middle.
        server.set("SHIM_SYNC_MICROSECONDS", "30000");
        let commits = || {
            let log = fs::read_to_string(&log).unwrap_or_default();
            log.lines().filter(|line| line.starts_with('B') && line.contains("fsync") && line.contains("-wal")).count()
        };
        let mut ended = false;
        server.start_and_kill_when("a commit of the upgrade begins", |server| {
            ended = server.output().contains("\"ready\"");
            ended || commits() >= step
        });
        server.set("LD_PRELOAD", "");
        server.start_again();
        assert_kept(&server, OLDEST);
        if ended {
            break;
        }
        step += 1;
    }
    assert!(step > 6, "each of its steps is a commit, so {step} are too few");
}

/// A database of PostgreSQL as the first version with it left it.
fn postgres_of(version: &str) -> Database {
    let database = Database::new();
    let dump = fixture(&format!("{version}.sql.gz"));
    let statements = run(Command::new("gzip").arg("-dc").arg(dump)).succeeded();
    postgres::shared().execute(postgres::name(database.address()), statements.stdout());
    database
}

/// A server on it, with a folder of stored files that others may see, too.
fn on_postgres(database: &Database, version: &str, shared: &Path) -> Server {
    let fill = |data: &Path| {
        fs::create_dir(data).expect("a fresh folder");
        unpack(&format!("{version}.blobs.tar.gz"), data);
    };
    let storage = format!("file://{}/blobs", shared.display());
    Server::upon(fill, &[("KEEPER_DATABASE_URL", database.address()), ("KEEPER_STORAGE_URL", &storage)])
}

#[test]
fn two_servers_that_start_at_once_upgrade_once() {
    for version in ON_POSTGRES {
        upgrade_at_once(version);
    }
}

fn upgrade_at_once(version: &str) {
    let database = postgres_of(version);
    let shared = tempfile::tempdir().expect("a folder");
    unpack(&format!("{version}.blobs.tar.gz"), shared.path());
    let mut servers = [(); 2].map(|()| on_postgres(&database, version, shared.path()));
    thread::scope(|scope| {
        for server in &mut servers {
            scope.spawn(|| server.start_again());
        }
    });
    let [one, other] = &servers;
    assert_kept(one, version);
    assert_kept(other, version);
    assert_used(one, version);
    assert_works(one);
    let repeated = "SELECT COUNT(*) - COUNT(DISTINCT version) FROM seaql_migrations WHERE version > 'm0020'";
    let repeated = postgres::shared().execute(postgres::name(database.address()), repeated);
    assert_eq!(repeated, "0", "steps that were taken twice");
}

#[test]
fn a_server_works_on_beside_a_newer_one_that_only_added() {
    let database = Database::new();
    let settings = [("KEEPER_DATABASE_URL", database.address())];
    let mut server = Server::with(&settings);
    let publish = |server: &Server, version: &str| {
        let archive = archives::zip(&[("one.go", b"package one\n")]);
        Form::go(archive).with("name", "example.com/one").with("version", version).send(server).expect(201);
    };
    publish(&server, "v1.0.0");
    // What the next version might do, as far as this one can see it.
    sql(
        &server,
        "ALTER TABLE packages ADD COLUMN colour TEXT; INSERT INTO seaql_migrations VALUES ('m9999_future', 0)",
    );
    publish(&server, "v1.1.0");
    server.stop();
    server.start_again();
    publish(&server, "v1.2.0");
    server.command("verify").succeeded();
    // And what no older one may go on with.
    sql(&server, "UPDATE instance SET migrated_by = '9.1.0', oldest_writer = 9999");
    publish(&server, "v1.3.0");
    server.stop();
    let refused = server.command("serve");
    assert_eq!(refused.code(), Some(4), "{refused}");
    refused.says(&["migrated by artifact-keeper 9.1.0", "m9999_future", "start the newer program"]);
}
