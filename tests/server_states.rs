//! The states that a server can be in, and what it says in each: disk full or read-only, database or bucket gone, too
//! many at once. Reading goes on wherever it can, and nothing is told to be absent.
//!
//! The rest of this part of the table (its rows are called L1 to L21) has its tests where its subject is: L6 `reading::states`, L8 `hostile`, L9, L10 `uploads_refused`, L11, L12 `lifecycle`, L13 `access`, L15
//! `reading::served`, L16 `generic`, L17, L21 `bad_input`, L19 `catalog`, L20 `archives`.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::{Value, json};

use crate::harness::archives;
use crate::harness::command::run;
use crate::harness::database::value;
use crate::harness::exchange::Exchange;
use crate::harness::http::{self, Response};
use crate::harness::people;
use crate::harness::postgres::{self, Database};
use crate::harness::raw_form::{self, RawForm};
use crate::harness::refusal::{LOG, Refusals, problem};
use crate::harness::s3::{Fault, S3};
use crate::harness::server::{ADMIN_TOKEN, ON_SQLITE, Server};
use crate::harness::wait::until;

fn module(version: &str) -> RawForm {
    let archive = archives::stored(&[("go.mod", b"module example.com/m\n"), ("p", &archives::noise(20_000))]);
    RawForm::module("example.com/m", version).file(archive)
}

fn zip(server: &Server, version: &str) -> u16 {
    http::get(&format!("{}/example.com/m/@v/{version}.zip", server.go("local"))).status
}

/// What `/readyz` says; `query` may ask for more.
fn ready(server: &Server, query: &str) -> (u16, Value) {
    let answer = http::get(&format!("{}/readyz{query}", server.url));
    (answer.status, answer.json())
}

/// The head of an upload, and nothing of its body: what is answered then did not need it.
fn announced(server: &Server) -> Response {
    http::raw(server.host(), raw_form::head(server, ADMIN_TOKEN, "Content-Length: 100000").as_bytes())
}

#[test]
fn below_the_reserve_uploads_are_refused_before_their_body_and_all_else_goes_on() {
    let mut server = Server::with(&[LOG]);
    let first = module("v1.0.0").send(&server).expect(201).json();
    assert_eq!(ready(&server, "").1["writes"], "on");
    server.stop();
    // More than any disk has.
    server.set("KEEPER_STORAGE_RESERVE", "8000000TiB");
    server.start_again();
    let refused = announced(&server);
    problem("L1", &refused, 507, &["disk_full"]);
    assert_eq!(refused.header("retry-after"), Some("60"), "{refused:?}");
    assert_eq!(zip(&server, "v1.0.0"), 200, "L1: a download");
    let (status, said) = ready(&server, "");
    assert_eq!((status, &said["writes"], &said["writes_off_because"]), (200, &json!("off"), &json!("disk_full")));
    assert!(said["writes_off_since"].is_string() && said["storage"] == "ok", "{said}");
    assert_eq!(ready(&server, "?writes=required").0, 503);
    let id = first["id"].as_str().expect("an id");
    server.api("DELETE", &format!("/api/artifacts/{id}"), None).expect(204);
    server.set("KEEPER_STORAGE_RESERVE", "1");
    server.stop();
    server.start_again();
    module("v1.1.0").send(&server).expect(201);
    assert_eq!(ready(&server, "?writes=required").0, 200);
}

#[test]
fn on_a_disk_that_cannot_be_written_to_what_is_there_is_read_and_it_recovers_by_itself() {
    let server = Server::on_a_disk_of(64 << 20, &[LOG]);
    module("v1.0.0").send(&server).expect(201);
    let tmp = server.data().join("tmp");
    let inside = tmp.to_str().and_then(|path| path.split_once("/root")).expect("in a namespace of its own").1;
    let mount = |script: &str| {
        let pid = server.pid().to_string();
        let words = ["-t", &pid, "-U", "-m", "--preserve-credentials", "sh", "-ec", script, inside];
        run(Command::new("nsenter").args(words)).succeeded();
    };
    // A disk with files that are open for writing is made read-only by its faults and not by `mount`; of a mount on the
    // folder where files are received the server learns the same.
    mount("mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\"");
    until("the server has noticed", || ready(&server, "").1["writes"] == "off");
    problem("L2", &announced(&server), 503, &["storage_read_only"]);
    assert_eq!(zip(&server, "v1.0.0"), 200, "L2: a download");
    let (status, said) = ready(&server, "");
    assert_eq!((status, &said["writes_off_because"]), (200, &json!("storage_read_only")), "{said}");
    mount("umount \"$0\"");
    until("the server has noticed again", || ready(&server, "").1["writes"] == "on");
    module("v1.1.0").send(&server).expect(201);
}

#[test]
fn a_turn_to_write_that_does_not_come_is_told_as_busy_and_reading_goes_on() {
    let database = Database::new();
    let server = Server::with(&[("KEEPER_DATABASE_URL", database.address())]);
    module("v1.0.0").send(&server).expect(201);
    // Somebody has the turn of all writers and keeps it.
    let mut holder = Command::new("psql")
        .args(["-X", "-q", "-U", "keeper", "-d", postgres::name(database.address()), "-h"])
        .arg(postgres::shared().folder())
        .args(["-c", "SELECT pg_advisory_lock(x'6b65657065720001'::bigint)", "-c", "SELECT pg_sleep(600)"])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("psql runs");
    let held = "SELECT COUNT(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND d.datname = current_database()";
    let name = postgres::name(database.address());
    until("the turn is taken", || postgres::shared().execute(name, held) == "1");
    problem("L3 busy", &module("v1.1.0").send(&server), 503, &["database_busy"]);
    assert_eq!(zip(&server, "v1.0.0"), 200);
    holder.kill().expect("it is ours");
    holder.wait().expect("it is ours");
    let waiting = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()";
    postgres::shared().execute(name, waiting);
    until("the turn comes again", || module("v1.1.0").send(&server).status == 201);
}

#[test]
fn a_bucket_that_does_not_answer_is_trouble_and_no_absence() {
    let s3 = S3::start();
    let settings = s3.settings("files");
    let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let server = Server::with(&settings);
    module("v1.0.0").send(&server).expect(201);
    s3.fail(Fault::before("PUT", "/sha256/", 403, "AccessDenied"));
    problem("L5 upload", &module("v1.1.0").send(&server), 503, &["storage_unavailable"]);
    s3.fail(Fault::before("GET", "/sha256/", 403, "AccessDenied"));
    let refused = http::get(&format!("{}/example.com/m/@v/v1.0.0.zip", server.go("local")));
    assert_eq!((refused.status, refused.header("x-error-code")), (503, Some("storage_unavailable")), "L5 download");
    assert_eq!(zip(&server, "v1.0.0"), 200);
    // The probe asks the bucket, and believes it for ten seconds.
    s3.fail(Fault::before("HEAD", "/sha256/", 403, "AccessDenied"));
    until("the server says that it is not ready", || ready(&server, "").1["storage"] == "failed");
    until("and that it is", || ready(&server, "").0 == 200);
    // Nobody listens there at all.
    s3.go_down();
    problem("L5 refused", &module("v1.1.0").send(&server), 503, &["storage_unavailable"]);
    let refused = http::get(&format!("{}/example.com/m/@v/v1.0.0.zip", server.go("local")));
    assert_eq!((refused.status, refused.header("x-error-code")), (503, Some("storage_unavailable")), "L5 refused");
    let absent = http::get(&format!("{}/example.com/absent/@v/v1.0.0.zip", server.go("local")));
    assert_eq!(absent.status, 404, "what is not there needs no bucket");
    s3.come_back();
    until("it is served again", || zip(&server, "v1.0.0") == 200);
    module("v1.1.0").send(&server).expect(201);
}

#[test]
fn one_credential_gets_no_more_requests_than_it_may_and_others_are_not_concerned() {
    let server = Server::with(&[LOG, ("KEEPER_MAX_REQUESTS_PER_SECOND", "20")]);
    let one = server.token("--name one --actions read --repositories go/*");
    let ask = |token: &str, path: &str| server.send(Some(token), "GET", path, &[], &[]);
    let (mut served, mut refused) = (0, Vec::new());
    while refused.is_empty() || served < 20 {
        let answer = ask(&one, "/api/repositories");
        if answer.status == 200 {
            served += 1
        } else {
            refused.push(answer)
        }
        assert!(served < 1_000, "no limit");
    }
    problem("L14", &refused[0], 429, &["rate_limited"]);
    assert_eq!(refused[0].header("retry-after"), Some("1"));
    until("L14 on the path of a format", || {
        let answer = ask(&one, "/go/local/");
        answer.status == 429 && answer.header("x-error-code") == Some("rate_limited")
    });
    assert_eq!(ask(ADMIN_TOKEN, "/api/repositories").status, 200);
    assert_eq!(http::get(&format!("{}/go/local/", server.url)).status, 200);
    until("L14: there is room again", || ask(&one, "/api/repositories").status == 200);
}

/// Uploads that have begun and do not go on.
fn begin(server: &Server, token: &str, count: usize) -> Vec<TcpStream> {
    let body = module("v1.0.0").finished();
    let head = raw_form::head(server, token, &format!("Content-Length: {}", body.len()));
    let mut begun = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(server.host()).expect("a listening server");
        stream.write_all(head.as_bytes()).expect("a listening server");
        stream.write_all(&body[..body.len() / 2]).expect("a listening server");
        begun.push(stream);
    }
    begun
}

fn under_way(server: &Server, state: &str) -> usize {
    let metrics = server.send(Some(ADMIN_TOKEN), "GET", "/metrics", &[], &[]).expect(200).text();
    let line = metrics.lines().find(|line| line.starts_with("keeper_uploads") && line.contains(state));
    let number = line.and_then(|line| line.rsplit(' ').next()).and_then(|number| number.parse::<f64>().ok());
    number.unwrap_or_else(|| panic!("no {state} in {metrics}")) as usize
}

#[test]
fn one_credential_does_not_take_all_turns_to_upload() {
    let server = Server::with(&[LOG, ("KEEPER_MAX_UPLOADS", "4"), ("KEEPER_MAX_UPLOADS_PER_CREDENTIAL", "2")]);
    let one = people::token(&server, "admin", &["publish"], &["go/*"]).0;
    let refusals = Refusals::by(&server);
    let begun = begin(&server, &one, 3);
    until("two have a turn and one waits", || {
        let state = (under_way(&server, "running"), under_way(&server, "waiting"));
        state == (2, 1)
    });
    // There is a turn for others at once, and for this one when it has waited long enough for none.
    refusals.unchanged("another credential");
    let head = raw_form::head(&server, &one, "Content-Length: 100000");
    let answer = http::raw(server.host(), head.as_bytes());
    let document = problem("the third", &answer, 503, &["overloaded"]);
    assert!(document["detail"].as_str().is_some_and(|detail| detail.contains("this credential")), "{document}");
    let again: u32 = answer.header("retry-after").and_then(|text| text.parse().ok()).expect("seconds");
    assert!((2..=10).contains(&again), "{again}");
    drop(begun);
}

#[test]
fn an_upload_that_waits_for_its_turn_when_the_server_stops_is_told_so() {
    let mut server = Server::with(&[("KEEPER_MAX_UPLOADS", "1"), ("KEEPER_SHUTDOWN_TIMEOUT", "20s")]);
    let body = module("v1.0.0").finished();
    let head = raw_form::head(&server, ADMIN_TOKEN, &format!("Content-Length: {}", body.len()));
    let mut first = Exchange::with(server.host()).expect("a listening server");
    first.send(head.as_bytes()).and_then(|()| first.send(&body[..1_000])).expect("a listening server");
    until("the first has its turn", || under_way(&server, "running") == 1);
    let mut second = Exchange::with(server.host()).expect("a listening server");
    second.send(head.as_bytes()).expect("a listening server");
    until("the second waits", || under_way(&server, "waiting") == 1);
    let stopped = thread::spawn(move || {
        let status = server.stop();
        (server, status)
    });
    let told = second.answer().expect("an answer");
    problem("L7", &told, 503, &["shutting_down"]);
    assert_eq!(told.header("connection"), Some("close"), "L7");
    // What had begun is taken to its end.
    first.send(&body[1_000..]).expect("it is still read");
    assert_eq!(first.answer().map(|answer| answer.status), Some(201));
    let (mut server, status) = stopped.join().expect("no panic");
    assert_eq!(status.code(), Some(0));
    server.start_again();
    assert_eq!(zip(&server, "v1.0.0"), 200);
}

#[test]
fn uploads_with_more_bytes_together_than_may_be_received_wait_for_each_other() {
    let server = Server::with(&[("KEEPER_MAX_RECEIVING", "2MiB")]);
    let archive = archives::stored(&[("go.mod", b"module example.com/m\n"), ("p", &archives::noise(1_500_000))]);
    let upload = |version: &str| {
        let body = RawForm::module("example.com/m", version).file(&archive).finished();
        let head = raw_form::head(&server, ADMIN_TOKEN, &format!("Content-Length: {}", body.len()));
        let mut upload = Exchange::with(server.host()).expect("a listening server");
        upload.send(head.as_bytes()).and_then(|()| upload.send(&body[..1_000])).expect("a listening server");
        (upload, body)
    };
    let (mut first, body) = upload("v1.0.0");
    until("the first has its turn", || under_way(&server, "running") == 1);
    let (mut second, rest) = upload("v1.1.0");
    until("the second waits", || under_way(&server, "waiting") == 1);
    module("v1.2.0").send(&server).expect(201);
    first.send(&body[1_000..]).expect("it is read");
    assert_eq!(first.answer().map(|answer| answer.status), Some(201));
    second.send(&rest[1_000..]).expect("its turn has come");
    assert_eq!(second.answer().map(|answer| answer.status), Some(201));
}

#[test]
fn an_upload_that_the_disk_has_no_room_for_is_refused_before_its_body() {
    let server = Server::on_a_disk_of(24 << 20, &[LOG]);
    let head = raw_form::head(&server, ADMIN_TOKEN, &format!("Content-Length: {}", 40 << 20));
    let answer = http::raw(server.host(), head.as_bytes());
    problem("L1 too large for the disk", &answer, 507, &["disk_full"]);
    assert!(answer.header("retry-after").is_some());
    module("v1.0.0").send(&server).expect(201);
}

#[test]
fn an_upload_that_does_not_end_is_cut_and_a_second_signal_ends_at_once() {
    let mut server = Server::with(&[("KEEPER_SHUTDOWN_TIMEOUT", "300ms")]);
    let begun = begin(&server, ADMIN_TOKEN, 2);
    until("both are under way", || under_way(&server, "running") == 2);
    assert_eq!(server.stop().code(), Some(0), "cut, and then all is well");
    drop(begun);
    server.start_again();
    assert!(crate::harness::refusal::files(&server.data().join("tmp")).is_empty());
    assert_eq!(zip(&server, "v1.0.0"), 404);

    server.set("KEEPER_SHUTDOWN_TIMEOUT", "1h");
    server.stop();
    server.start_again();
    let begun = begin(&server, ADMIN_TOKEN, 1);
    until("it is under way", || under_way(&server, "running") == 1);
    // Two at the same moment would be one.
    let told = |server: &Server| server.output().matches("stopping: requests under way").count();
    let before = told(&server);
    server.ask_to_stop();
    until("it is about to stop", || told(&server) > before);
    assert_eq!(server.stop().code(), Some(1), "the second signal");
    drop(begun);
    server.start_again();
    server.command("verify").succeeded();
}

#[test]
fn before_it_stops_the_server_says_so_and_serves_on_for_a_while() {
    let mut server = Server::with(&[("KEEPER_SHUTDOWN_DELAY", "2s")]);
    module("v1.0.0").send(&server).expect(201);
    server.ask_to_stop();
    until("it is not ready", || ready(&server, "").0 == 503);
    assert_eq!(ready(&server, "").1["draining"], true);
    assert_eq!(zip(&server, "v1.0.0"), 200, "new connections are taken");
    module("v1.1.0").send(&server).expect(201);
    assert_eq!(http::get(&format!("{}/livez", server.url)).status, 200, "nobody shall restart it for that");
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn a_hang_up_changes_the_log_and_names_what_needs_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keeper.toml");
    let write = |text: &str| std::fs::write(&file, text).expect("ours");
    write("log = \"info\"\n");
    let mut server = Server::with(&[]);
    server.stop();
    server.unset("KEEPER_LOG");
    server.start_again_with(&["--config", &file.display().to_string()]);
    let zip_is_logged = || {
        zip(&server, "v9.9.9");
        server.output().contains("v9.9.9")
    };
    assert!(!zip_is_logged(), "routine refusals are not told");
    write("log = \"debug\"\nmax_uploads = 7\n");
    server.hang_up();
    until("it is taken up", || server.output().contains("needs a restart") && server.output().contains("max_uploads"));
    until("the log has another filter", zip_is_logged);
    write("log = [\n");
    server.hang_up();
    until("faults are told", || server.output().contains("the configuration is not taken up"));
    assert!(http::get(&format!("{}/livez", server.url)).status == 200 && zip_is_logged());
}

/// Where the first page of a table is in the file, and how long a page is.
fn page_of(server: &Server, table: &str) -> (u64, u64) {
    let number = |question: &str| value(server, question).trim().parse::<u64>().expect("a number");
    let root = number(&format!("SELECT rootpage FROM sqlite_master WHERE name = '{table}'"));
    let length = number("PRAGMA page_size");
    ((root - 1) * length, length)
}

#[test]
fn a_database_that_is_damaged_takes_no_change_and_is_read_as_far_as_it_goes() {
    let mut server = Server::with(&[ON_SQLITE]);
    let publish = |server: &Server, version: &str| module(version).send(server);
    publish(&server, "v1.0.0").expect(201);
    server.stop();
    let (at, length) = page_of(&server, "files");
    let path = server.data().join("keeper.db");
    let whole = fs::read(&path).expect("a database");
    let mut damaged = whole.clone();
    damaged[at as usize..(at + length) as usize].fill(0x5a);
    fs::write(&path, damaged).expect("ours");
    server.start_again();
    problem("damaged", &publish(&server, "v1.1.0"), 503, &["database_unavailable"]);
    let (status, said) = ready(&server, "");
    assert_eq!((status, &said["database_because"], &said["writes"]), (503, &json!("damaged"), &json!("off")));
    // Nothing else is written either, though its pages may be sound.
    let more = json!({"format": "go", "name": "more", "kind": "hosted"});
    let refused = server.api("POST", "/api/repositories", Some(&more));
    problem("damaged", &refused, 503, &["database_unavailable"]);
    server.api("GET", "/api/repositories", None).expect(200);
    assert_eq!(zip(&server, "v1.0.0"), 503, "trouble, and no absence");
    http::get(&format!("{}/livez", server.url)).expect(200);
    assert!(server.output().contains("the database file is damaged"), "{}", server.output());
    server.stop();
    fs::write(&path, whole).expect("ours");
    server.start_again();
    publish(&server, "v1.1.0").expect(201);
}
