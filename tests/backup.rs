//! Copies: whole or not there, whatever kills them; with all that was acknowledged before; and what a restored older
//! state has forgotten keeps its numbers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::harness::archives;
use crate::harness::command::run;
use crate::harness::database::sql;
use crate::harness::exchange::Exchange;
use crate::harness::http;
use crate::harness::is_long;
use crate::harness::postgres::{self, Database};
use crate::harness::random::Random;
use crate::harness::raw_form::{self, RawForm};
use crate::harness::s3::S3;
use crate::harness::server::{ADMIN_TOKEN, ON_SQLITE, Server};
use crate::harness::upload::{Answer, Form};
use crate::harness::wait;

/// At once.
const PUBLISHERS: usize = 8;

fn publish(server: &Server, name: &str, version: &str, content: u64) -> Answer {
    let archive = archives::zip(&[("noise.bin", &Random::seeded(content).bytes(20_000))]);
    Form::go(archive).with("name", name).with("version", version).send(server)
}

/// The same with a number for all of it; `None` when the server goes away in the middle.
fn try_to_publish(server: &Server, number: u64) -> Option<u16> {
    let archive = archives::zip(&[("noise.bin", &Random::seeded(number).bytes(20_000))]);
    let body = RawForm::module(&format!("example.com/m{number}"), "v1.0.0").file(archive).finished();
    let framing = format!("Content-Length: {}\r\nConnection: close", body.len());
    let mut exchange = Exchange::with(server.host())?;
    exchange.send(raw_form::head(server, ADMIN_TOKEN, &framing).as_bytes())?;
    exchange.send(&body)?;
    Some(exchange.answer()?.status)
}

fn status(server: &Server, name: &str, version: &str) -> u16 {
    http::get(&format!("{}/{name}/@v/{version}.zip", server.go("local"))).status
}

/// Restores a copy next to it and lets the server work there.
fn move_to_copy(server: &mut Server, copy: &Path, further: &str) {
    let restored = copy.with_extension("restored");
    let words = format!("restore --from {} --data-dir {} {further}", copy.display(), restored.display());
    server.command(&words).succeeded();
    server.set("KEEPER_DATA_DIR", &restored.display().to_string());
    server.start_again();
    // What was published while the files were copied is more than the copied database names, and no fault.
    server.command("verify").succeeded().says(&["0 faults"]);
}

#[test]
fn a_kill_while_copying_leaves_a_whole_copy_or_none_and_the_next_one_goes_on() {
    let kills = if is_long() { 50 } else { 6 };
    let mut chance = Random::of("killed backup");
    let mut server = Server::start();
    for number in 0..20 {
        publish(&server, &format!("example.com/m{number}"), "v1.0.0", number).expect(201);
    }
    let folder = TempDir::new().expect("a folder");
    let copy = folder.path().join("copy");
    let backup = format!("backup --to {}", copy.display());
    let (acknowledged, next): (Mutex<Vec<u64>>, _) = (Mutex::default(), AtomicU64::new(100));
    for _ in 0..kills {
        let (pid, stop) = (i32::try_from(server.pid()).expect("a pid"), AtomicBool::new(false));
        thread::scope(|scope| {
            let _stop = wait::RaiseAtEnd(&stop);
            let count = || acknowledged.lock().expect("no panic").len();
            let before = count();
            for _ in 0..PUBLISHERS {
                scope.spawn(|| {
                    while !stop.load(Ordering::SeqCst) {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        let Some(status) = try_to_publish(&server, number) else { return };
                        assert_eq!(status, 201, "{number}");
                        acknowledged.lock().expect("no panic").push(number);
                    }
                });
            }
            wait::until("they publish", || count() > before);
            // It fails or not: the server may be gone before it has answered.
            scope.spawn(|| server.command(&backup));
            // A moment that nobody can foresee is the point here.
            thread::sleep(Duration::from_millis(chance.below(150)));
            kill_process(Pid::from_raw(pid).expect("a pid"), Signal::KILL).expect("it is ours");
        });
        server.kill();
        if copy.exists() {
            let restored = folder.path().join("whole");
            let words = format!("restore --from {} --data-dir {}", copy.display(), restored.display());
            server.command(&words).succeeded();
            server.command(&format!("verify --data-dir {}", restored.display())).succeeded();
            fs::remove_dir_all(&restored).expect("ours");
            fs::remove_dir_all(&copy).expect("ours");
        }
        server.start_again();
    }
    server.command(&backup).succeeded();
    assert!(!folder.path().join("copy.partial").exists());
    server.stop();
    move_to_copy(&mut server, &copy, "");
    let acknowledged = acknowledged.into_inner().expect("no panic");
    assert!(acknowledged.len() > kills, "too little was published: {}", acknowledged.len());
    for number in acknowledged {
        assert_eq!(status(&server, &format!("example.com/m{number}"), "v1.0.0"), 200, "{number}");
    }
}

#[test]
fn a_copy_made_under_load_has_all_that_was_acknowledged_before() {
    let mut server = Server::with(&[ON_SQLITE]);
    let (acknowledged, next): (Mutex<Vec<String>>, _) = (Mutex::default(), AtomicU64::new(0));
    let (stop, folder) = (AtomicBool::new(false), TempDir::new().expect("a folder"));
    let copy = folder.path().join("copy");
    let before = thread::scope(|scope| {
        let _stop = wait::RaiseAtEnd(&stop);
        for _ in 0..PUBLISHERS {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let name = format!("example.com/m{number}");
                    publish(&server, &name, "v1.0.0", number).expect(201);
                    acknowledged.lock().expect("no panic").push(name);
                }
            });
        }
        let count = || acknowledged.lock().expect("no panic").len();
        wait::until("some were published", || count() > 30);
        let before = acknowledged.lock().expect("no panic").clone();
        server.command(&format!("backup --to {}", copy.display())).succeeded();
        let after = count();
        wait::until("publishing went on", || count() > after);
        before
    });
    server.stop();
    move_to_copy(&mut server, &copy, "");
    for name in before {
        assert_eq!(status(&server, &name, "v1.0.0"), 200, "{name}");
    }
}

/// Where a journal and a copy are.
struct Elsewhere {
    _folder: TempDir,
    journal: PathBuf,
    copy: PathBuf,
}

impl Elsewhere {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let (journal, copy) = (folder.path().join("keeper.journal"), folder.path().join("copy"));
        Self { _folder: folder, journal, copy }
    }

    fn journal(&self) -> String {
        format!("--journal {}", self.journal.display())
    }

    fn reserve(&self) -> String {
        format!("--reserve-from {}", self.journal.display())
    }
}

#[test]
fn what_a_restored_older_state_has_forgotten_keeps_its_number_for_its_content() {
    let elsewhere = Elsewhere::new();
    let mut server = Server::with(&[ON_SQLITE]);
    publish(&server, "example.com/m", "v1.0.0", 1).expect(201);
    let both = format!("backup --to {} {}", elsewhere.copy.display(), elsewhere.journal());
    server.command(&both).succeeded().says(&["1 stored files", "1 publications added"]);
    publish(&server, "example.com/m", "v1.1.0", 2).expect(201);
    publish(&server, "example.com/other", "v1.0.0", 3).expect(201);
    let journal = format!("backup {}", elsewhere.journal());
    server.command(&journal).succeeded().says(&["2 publications added"]);
    server.command(&journal).succeeded().says(&["0 publications added"]);
    // A crash in the middle of a line costs that line, and the next time brings it again.
    let lines = fs::read(&elsewhere.journal).expect("a journal");
    fs::write(&elsewhere.journal, &lines[..lines.len() - 9]).expect("ours");
    server.command(&journal).succeeded().says(&["1 publications added"]);
    assert!(fs::read(&elsewhere.journal).expect("a journal") == lines);
    server.kill();
    move_to_copy(&mut server, &elsewhere.copy, &elsewhere.reserve());

    assert_eq!(status(&server, "example.com/m", "v1.0.0"), 200);
    assert_eq!(status(&server, "example.com/m", "v1.1.0"), 410);
    let refused = publish(&server, "example.com/m", "v1.1.0", 9).expect(410);
    assert_eq!(refused.text("code"), "version_deleted");
    assert!(refused.text("detail").contains("lost_in_restore"), "{refused}");
    let list = || http::get(&format!("{}/example.com/m/@v/list", server.go("local"))).text();
    assert_eq!(list(), "v1.0.0\n");
    for (name, version, content) in [("example.com/m", "v1.1.0", 2), ("example.com/other", "v1.0.0", 3)] {
        publish(&server, name, version, content).expect(201);
        publish(&server, name, version, content).expect(200);
        assert_eq!(status(&server, name, version), 200);
        publish(&server, name, version, 9).expect(409);
    }
    assert_eq!(list(), "v1.0.0\nv1.1.0\n");
    server.command("verify").succeeded().says(&["0 faults"]);
    // What was deleted by somebody stays deleted, also for its own content.
    let other = publish(&server, "example.com/other", "v1.0.0", 3).expect(200);
    server.api("DELETE", &format!("/api/artifacts/{}", other.text("id")), None).expect(204);
    publish(&server, "example.com/other", "v1.0.0", 3).expect(410);
}

#[test]
fn a_journal_of_other_data_and_one_that_is_none_are_refused() {
    let elsewhere = Elsewhere::new();
    let (server, other) = (Server::start(), Server::start());
    other.command(&format!("backup {}", elsewhere.journal())).succeeded();
    server.command(&format!("backup {}", elsewhere.journal())).failed().says(&["is a journal of the data"]);
    server.command("backup").failed().says(&["--to"]);
    server.command(&format!("backup --to {}", elsewhere.copy.display())).succeeded();
    let restored = elsewhere.copy.with_extension("restored");
    let restore = format!("restore --from {} --data-dir {}", elsewhere.copy.display(), restored.display());
    let of_other = format!("{restore} {}", elsewhere.reserve());
    server.command(&of_other).failed().says(&["is a journal of the data"]);
    assert!(!restored.join("keeper.db").exists(), "a restore without its reservations is none");
    fs::write(&elsewhere.journal, "{\"sequence\":1}\n").expect("ours");
    server.command(&of_other).failed().says(&["its first line"]);
    server.command(&restore).succeeded();
}

#[test]
fn a_stored_file_without_a_row_is_told_and_removed_when_that_is_asked_for() {
    let server = Server::start();
    publish(&server, "example.com/m", "v1.0.0", 1).expect(201);
    let bytes = b"nobody names these bytes";
    let digest = data_encoding::HEXLOWER.encode(&<sha2::Sha256 as sha2::Digest>::digest(bytes));
    let stray = |incarnation: &str| {
        let path = server.data().join("blobs/sha256").join(&digest[..2]).join(format!("{digest}.{incarnation}"));
        fs::write(&path, bytes).expect("written");
        path
    };
    let (old, young) = (stray("aaaaaaaaaa"), stray("bbbbbbbbbb"));
    run(Command::new("touch").args(["-d", "2 hours ago"]).arg(&old)).succeeded();
    let verify = |words: &str| server.command(words).succeeded();
    verify("verify").says(&["note orphan", "0 faults and 2 notes"]);
    assert!(old.exists());
    verify("verify --quick --repair-orphans --json").says(&["\"repaired\":1", "it was removed"]);
    assert!(!old.exists() && young.exists(), "an upload may be on its way");
    verify("verify --repair-orphans").says(&["0 faults and 1 notes"]).never_says(&["were removed"]);
    assert_eq!(status(&server, "example.com/m", "v1.0.0"), 200);
}

#[test]
fn a_bucket_and_postgres_are_copied_and_restored_elsewhere() {
    let elsewhere = Elsewhere::new();
    let (database, s3) = (Database::new(), S3::start());
    let settings = |database: &Database, prefix: &str| {
        let mut all = s3.settings(prefix);
        all.push(("KEEPER_DATABASE_URL".to_owned(), database.address().to_owned()));
        all
    };
    let start = |all: &[(String, String)]| {
        Server::upon(|_| (), &all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>())
    };
    let mut server = start(&settings(&database, "one"));
    server.start_again();
    publish(&server, "example.com/m", "v1.0.0", 1).expect(201);
    let dump = elsewhere.copy.with_extension("dump");
    let server_of = |address: &str| postgres::name(address).to_owned();
    let tool = |program: &str, words: &[&str], address: &str| {
        let mut command = Command::new(program);
        command.args(words).args(["--username=keeper", "--host"]).arg(postgres::shared().folder());
        command.arg(format!("--dbname={}", server_of(address))).current_dir("/");
        command
    };
    let dumped = ["--format=custom", &format!("--file={}", dump.display())];
    run(&mut tool("pg_dump", &dumped, database.address())).succeeded();
    let backup = format!("backup --to {} {}", elsewhere.copy.display(), elsewhere.journal());
    server.command(&backup).succeeded().says(&["it is not in this copy; pg_dump", "1 stored files"]);
    publish(&server, "example.com/m", "v1.1.0", 2).expect(201);
    server.command(&format!("backup {}", elsewhere.journal())).succeeded();
    server.kill();

    let new = Database::new();
    let mut moved = start(&settings(&new, "other"));
    let restore = format!("restore --from {} {}", elsewhere.copy.display(), elsewhere.reserve());
    run(tool("pg_restore", &["--no-owner"], new.address()).arg(&dump)).succeeded();
    moved.command(&restore).succeeded().says(&["1 numbers of lost versions", "restored: 1 stored files"]);
    moved.start_again();
    moved.command("verify").succeeded().says(&["0 faults and 0 notes"]);
    assert_eq!(status(&moved, "example.com/m", "v1.0.0"), 200);
    publish(&moved, "example.com/m", "v1.1.0", 9).expect(410);
    publish(&moved, "example.com/m", "v1.1.0", 2).expect(201);
    let audit = moved.api("GET", "/api/audit?action=instance.restore", None).expect(200).json();
    assert_eq!(audit["items"].as_array().map(Vec::len), Some(1), "{audit}");
    // The files of one place and the database of another are no data.
    moved.stop();
    sql(&moved, "UPDATE instance SET id = '0199a3b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b'");
    moved.command(&restore).failed().says(&["pg_restore"]);
}
