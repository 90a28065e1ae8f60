//! Taking over from elsewhere: what the go command keeps, what Athens keeps, and what another server has.
//!
//! ```text
//! kept as it is    the bytes of every file, its time and its origin; sums in old go.sum files stay true
//! refused          what contradicts a go.sum, what contradicts what is here, what is no module; the rest goes on
//! repeated         what is here is compared and not taken again; a kill in the middle leaves no half version
//! ```

mod elsewhere;
mod parts;

use std::fs;
use std::path::PathBuf;
use std::thread;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::harness::archives;
use crate::harness::command::Finished;
use crate::harness::goproxy::Module;
use crate::harness::http;
use crate::harness::machine::Machine;
use crate::harness::refusal::Refusals;
use crate::harness::scripted::{Gate, Reply, Scripted};
use crate::harness::server::{ADMIN_TOKEN, Server};
use crate::harness::upload::Form;
use crate::harness::wait::until;

/// The exit code when something was refused.
const REFUSED: Option<i32> = Some(5);

/// What lets an import reach a server of the test.
const NEAR: &str = "--allow-network 127.0.0.1";

fn get(server: &Server, path: &str) -> http::Response {
    http::get(&format!("{}{path}", server.go("local")))
}

fn import(server: &Server, from: impl std::fmt::Display, more: &str) -> Finished {
    server.command(&format!("import --from {from} --to go/local {more}"))
}

/// Every file of a module is here, byte for byte.
#[track_caller]
fn holds(server: &Server, module: &Module) {
    for (extension, bytes) in files(module) {
        let answer = get(server, &module.at(extension)).expect(200);
        assert_eq!(Sha256::digest(&answer.body), Sha256::digest(&bytes), "{} .{extension}", module.path);
    }
}

fn files(module: &Module) -> [(&'static str, Vec<u8>); 3] {
    let text = |text: &str| text.as_bytes().to_vec();
    [("info", text(&module.info())), ("mod", text(module.go_mod())), ("zip", module.zip())]
}

fn audited(server: &Server, action: &str) -> Vec<Value> {
    let page = server.api("GET", &format!("/api/audit?action={action}"), None).expect(200).json();
    page["items"].as_array().expect("items").clone()
}

/// A disk as Athens keeps it.
struct Athens(TempDir);

impl Athens {
    fn with(modules: &[&Module]) -> Self {
        let disk = Self(tempfile::tempdir().expect("a folder"));
        modules.iter().for_each(|module| disk.put(module));
        disk
    }

    fn put(&self, module: &Module) {
        let folder = self.0.path().join(&module.path).join(&module.version);
        fs::create_dir_all(&folder).expect("a folder");
        for (extension, bytes) in files(module) {
            let name = match extension {
                "mod" => "go.mod".to_owned(),
                "zip" => "source.zip".to_owned(),
                _ => format!("{}.info", module.version),
            };
            fs::write(folder.join(name), bytes).expect("written");
        }
    }

    fn at(&self) -> std::path::Display<'_> {
        self.0.path().display()
    }

    /// A file beside the modules.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("written");
        path
    }
}

/// A zip that we would not have made: uncompressed, in another order, with a file that we would leave out.
fn odd(path: &str) -> Module {
    Module::new(path, "v1.0.0").with("vendor/example.com/x/x.go", "package x\n").with("a.go", "package m\n")
}

#[test]
fn what_the_go_command_keeps_comes_over_as_it_is_and_the_old_go_sum_stays_true() {
    let upstream = Scripted::start();
    let leaf = Module::new("example.com/leaf", "v1.0.0");
    let newer = Module::new("example.com/leaf", "v1.1.0").made_at("2023-01-02T03:04:05Z");
    let middle = Module::new("example.com/Middle", "v1.0.0")
        .with_go_mod("module example.com/Middle\n\ngo 1.16\n\nrequire example.com/leaf v1.0.0\n")
        .with("use.go", "package m\n\nimport _ \"example.com/leaf\"\n")
        .with("vendor/example.com/x/x.go", "package x\n");
    upstream.offer(&[&leaf, &newer]);
    upstream.offer(&[&middle]);
    let origin = format!(
        "{{\"Version\":\"v1.0.0\",\"Time\":\"2024-03-04T03:06:07Z\",\"Origin\":{{\"VCS\":\"git\",\"URL\":\
         \"https://git.example.com/middle\",\"Ref\":\"refs/tags/v1.0.0\",\"Hash\":\"{}\"}}}}",
        "0123456789".repeat(4)
    );
    upstream.put(&middle.at("info"), [Reply::text(origin)]);
    let work = |machine: &Machine| {
        let project = machine.project("app");
        machine.write(&project, "main.go", "package main\n\nimport _ \"example.com/Middle\"\n\nfunc main() {}\n");
        machine.write(
            &project,
            "go.mod",
            "module example.com/app\n\ngo 1.21\n\nrequire example.com/Middle v1.0.0\n\n\
             require example.com/leaf v1.1.0 // indirect\n",
        );
        project
    };
    let machine = Machine::new().with("GOPROXY", &upstream.url).with("GOSUMDB", "off");
    let project = work(&machine);
    machine.go(&project, "mod tidy").succeeded();
    machine.go(&project, "mod download all").succeeded();
    let sums = fs::read_to_string(project.join("go.sum")).expect("go wrote it");
    let cache = machine.home().join("go/pkg/mod/cache/download");
    let only_go_mod = cache.join("example.com/leaf/@v/v1.0.0.mod");
    // A module from before Go 1.17 has its whole graph read, and so a go.mod of a version that nothing is built with.
    assert!(only_go_mod.exists() && !only_go_mod.with_file_name("v1.0.0.zip").exists());

    let server = Server::start();
    let go_sum = project.join("go.sum").display().to_string();
    let taken = import(&server, cache.display(), &format!("--go-sum {go_sum}")).succeeded();
    let taken = taken.says(&["taken over: 3\n", "there already: 0\n", "refused: 0\n", "3 versions, "]);
    assert!(taken.stderr().contains("MiB/s: example.com/"), "progress: {taken}");
    holds(&server, &newer);
    let zip = get(&server, &middle.at("zip")).expect(200).body;
    assert_eq!(Sha256::digest(zip), Sha256::digest(middle.zip()), "it is not our canonical zip, and stays as it is");
    let info = fs::read_to_string(cache.join("example.com/!middle/@v/v1.0.0.info")).expect("go keeps it");
    assert!(info.contains("2024-03-04T03:06:07Z") && info.contains("https://git.example.com/middle"), "{info}");
    assert_eq!(get(&server, &middle.at("info")).expect(200).text(), info, "time and origin");
    assert_eq!(get(&server, &leaf.at("mod")).expect(200).text(), leaf.go_mod());
    let list = server.api("GET", "/api/artifacts?format=go&name=example.com/Middle", None).expect(200).json();
    assert_eq!(list["items"][0]["checksums"]["h1"], middle.h1());
    assert_eq!(list["items"][0]["metadata"]["origin"]["URL"], "https://git.example.com/middle");

    let again = import(&server, cache.display(), &format!("--go-sum {go_sum}")).succeeded();
    drop(again.says(&["taken over: 0\n", "there already: 3\n", "refused: 0\n"]));

    let fresh = Machine::new().with("GOPROXY", server.go("local")).with("GONOSUMDB", "example.com");
    let project = work(&fresh);
    fresh.write(&project, "go.sum", &sums);
    for command in ["mod graph", "mod download", "mod verify", "build -o app ."] {
        fresh.go(&project, command).succeeded();
    }
    assert_eq!(fs::read_to_string(project.join("go.sum")).expect("a file"), sums, "the old go.sum is true here");
}

#[test]
fn the_disk_of_athens_is_taken_over_without_a_server_and_published_again_it_is_the_same() {
    let module = odd("github.com/Azure/m");
    let disk = Athens::with(&[&module, &Module::new("example.com/other", "v1.0.0")]);
    let go_sum = disk.file("go.sum", &module.record());
    let mut server = Server::start();
    server.stop();
    let taken = import(&server, disk.at(), &format!("--go-sum {} --only github.com/*", go_sum.display())).succeeded();
    drop(taken.says(&["taken over: 1\n", "without a known sum: 0\n"]));
    server.start_again();
    holds(&server, &module);
    assert_eq!(get(&server, "/example.com/other/@v/list").status, 404, "--only");
    let machine = Machine::new().with("GOPROXY", server.go("local")).with("GONOSUMDB", "github.com");
    let project = machine.project("app");
    machine.write(&project, "go.sum", &module.record());
    machine.go(&project, "get github.com/Azure/m@v1.0.0").succeeded();
    machine.go(&project, "mod verify").succeeded().says(&["all modules verified"]);
    server.command("verify").succeeded();

    // The same module from its publisher is no other content.
    let other = Module::new("example.com/published", "v1.0.0");
    let archive = archives::zip(&[("go.mod", other.go_mod().as_bytes()), ("m.go", b"package m\n")]);
    Form::go(archive).with("version", "v1.0.0").send(&server).expect(201);
    let canonical = get(&server, &other.at("zip")).expect(200).body;
    assert_ne!(canonical, other.zip());
    let disk = Athens::with(&[&other]);
    drop(import(&server, disk.at(), "").succeeded().says(&["there already: 1\n"]));
    assert!(get(&server, &other.at("zip")).expect(200).body == canonical, "what is here stays");
}

#[test]
fn from_one_keeper_to_another_with_a_token_and_only_where_it_is_named() {
    let old = Server::with(&[("KEEPER_ANONYMOUS_READ", "false")]);
    for version in ["v1.0.0", "v1.1.0"] {
        let archive = archives::module(format!("module example.com/m\n\ngo 1.21\n// {version}\n").as_bytes());
        Form::go(archive).with("version", version).send(&old).expect(201);
    }
    let archive = archives::module(b"module example.com/other\n");
    Form::go(archive).with("version", "v1.0.0").send(&old).expect(201);
    let server = Server::start();
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("token");
    fs::write(&token, format!("{ADMIN_TOKEN}\n")).expect("written");
    let password = format!("--password-file {}", token.display());
    let from = old.go("local");

    drop(
        import(&server, &from, "--module example.com/m")
            .failed()
            .says(&["blocked_address", "--allow-network localhost"]),
    );
    drop(import(&server, &from, NEAR).failed().says(&["--module", "--go-sum"]));
    let stranger = import(&server, &from, &format!("{NEAR} --module example.com/m"));
    assert_eq!(stranger.code(), REFUSED, "{stranger}");
    drop(stranger.says(&["refused example.com/m", "upstream_auth"]));
    let unknown = import(&server, &from, &format!("{NEAR} {password} --module example.com/none"));
    assert_eq!(unknown.code(), REFUSED, "{unknown}");

    let taken = import(&server, &from, &format!("{NEAR} {password} --module example.com/m")).succeeded();
    drop(taken.never_says(&[ADMIN_TOKEN]).says(&["taken over: 2\n"]));
    let theirs =
        |path: &str| old.send(Some(ADMIN_TOKEN), "GET", &format!("/go/local{path}"), &[], b"").expect(200).body;
    for version in ["v1.0.0", "v1.1.0"] {
        for extension in ["info", "mod", "zip"] {
            let path = format!("/example.com/m/@v/{version}.{extension}");
            assert!(get(&server, &path).expect(200).body == theirs(&path), "{path}");
        }
    }
    assert_eq!(get(&server, "/example.com/other/@v/list").status, 404);
    let one = format!("{NEAR} {password} --module example.com/other@v1.0.0");
    drop(import(&server, &from, &one).succeeded().says(&["taken over: 1\n"]));
    assert!(!server.output().contains(ADMIN_TOKEN), "the password is in no log");
    let (begun, ended) = (audited(&server, "import.begin"), audited(&server, "import.end"));
    assert!(begun.len() >= 2 && begun.len() == ended.len(), "{begun:?}");
    assert_eq!(audited(&server, "publish").len(), 3, "each version is in the audit");
}

#[test]
fn a_repeat_asks_for_nothing_that_is_here_and_when_told_to_check_only_whether_it_changed() {
    let module = Module::new("example.com/m", "v1.0.0");
    let offered = module.clone();
    let with_tags = Scripted::answering(move |asked| {
        let of = |extension: &str| asked.path == offered.at(extension);
        let body = match () {
            () if asked.path.ends_with("/list") => return Reply::text("v1.0.0\n"),
            () if of("zip") => offered.zip(),
            () if of("mod") => offered.go_mod().as_bytes().to_vec(),
            () if of("info") => offered.info().into_bytes(),
            () => return Reply::status(404),
        };
        let etag = "\"first\"";
        if asked.header("if-none-match") == Some(etag) {
            Reply::status(304)
        } else {
            Reply::bytes(body).with("ETag", etag)
        }
    });
    let without_tags = Scripted::start();
    without_tags.offer(&[&module]);
    let list = format!("GET {}", module.at("zip").replace("v1.0.0.zip", "list"));
    for (upstream, has_tags) in [(&with_tags, true), (&without_tags, false)] {
        let server = Server::start();
        let more = format!("{NEAR} --module example.com/m");
        drop(import(&server, &upstream.url, &more).succeeded().says(&["taken over: 1\n"]));
        holds(&server, &module);
        upstream.forget();
        let again = import(&server, &upstream.url, &more).succeeded();
        drop(again.says(&["taken over: 0\n", "there already: 1\n", "read: 0 bytes"]));
        assert_eq!(upstream.requests(), [&*list], "nothing but the list is asked for");
        let before = upstream.sent_bytes();
        let check = format!("{more} --check");
        drop(import(&server, &upstream.url, &check).succeeded().says(&["there already: 1\n"]));
        assert_eq!(upstream.times_asked(&module.at("zip")), 1);
        assert_eq!(upstream.sent_bytes() - before < 100, has_tags, "what has no tags is compared byte for byte");
        // What the server has instead is told when it changes.
        let changed = module.clone().with("evil.go", "package m\n");
        upstream.put(&module.at("zip"), [Reply::bytes(changed.zip()).with("ETag", "\"second\"")]);
        drop(import(&server, &upstream.url, &more).succeeded().says(&["there already: 1\n"]));
        let conflict = import(&server, &upstream.url, &check);
        assert_eq!(conflict.code(), REFUSED, "{conflict}");
        drop(conflict.says(&["refused example.com/m@v1.0.0", "(version_exists)", &changed.h1(), &module.h1()]));
        holds(&server, &module);
    }
}

#[test]
fn what_contradicts_a_go_sum_or_what_is_here_is_refused_and_the_rest_goes_on() {
    let [good, bad, held, gone] =
        ["good", "bad", "held", "gone"].map(|name| Module::new(&format!("example.com/{name}"), "v1.0.0"));
    let server = Server::start();
    let publish = |module: &Module, file: &str| {
        let archive = archives::zip(&[("go.mod", module.go_mod().as_bytes()), (file, b"package m\n")]);
        Form::go(archive).with("version", "v1.0.0").send(&server).expect(201).body
    };
    publish(&held, "other.go");
    let id = publish(&gone, "m.go")["id"].as_str().expect("an id").to_owned();
    server.api("DELETE", &format!("/api/artifacts/{id}"), None).expect(204);
    let before = get(&server, &held.at("zip")).expect(200).body;

    let disk = Athens::with(&[&good, &bad, &held, &gone]);
    let broken = disk.0.path().join("example.com/broken/v1.0.0");
    fs::create_dir_all(&broken).expect("a folder");
    fs::write(broken.join("go.mod"), "module example.com/broken\n").expect("written");
    fs::write(broken.join("source.zip"), "no zip").expect("written");
    let wrong = bad.record().replace(&bad.h1(), &good.h1());
    let go_sum = disk.file("go.sum", &format!("{}{wrong}", good.record()));
    let taken = import(&server, disk.at(), &format!("--go-sum {}", go_sum.display()));
    assert_eq!(taken.code(), REFUSED, "{taken}");
    drop(taken.says(&[
        "refused example.com/bad@v1.0.0",
        "(checksum_mismatch)",
        &bad.h1(),
        "refused example.com/held@v1.0.0",
        "(version_exists)",
        "refused example.com/gone@v1.0.0",
        "(version_deleted)",
        "refused example.com/broken@v1.0.0",
        "(upstream_invalid)",
        "taken over: 1\n",
        "refused: 4\n",
        "without a known sum: 3\n",
    ]));
    holds(&server, &good);
    assert_eq!(get(&server, &bad.at("zip")).status, 404);
    assert_eq!(get(&server, &gone.at("zip")).status, 410, "a tombstone stays");
    assert!(get(&server, &held.at("zip")).expect(200).body == before);
    assert_eq!(audited(&server, "import.refused").len(), 2, "a wrong sum, and other content than is here");
    // What is here must fit the go.sum as well.
    let wrong = disk.file("wrong.sum", &good.record().replace(&good.h1(), &bad.h1()));
    let held = import(&server, disk.at(), &format!("--module example.com/good --go-sum {}", wrong.display()));
    assert_eq!(held.code(), REFUSED, "{held}");
    let no_go_sum = disk.file("no.sum", "example.com/m v1.0.0\n");
    let refused = import(&server, disk.at(), &format!("--go-sum {}", no_go_sum.display()));
    assert_eq!(refused.code(), Some(1), "{refused}");
    drop(refused.says(&["line 1"]));
}

#[test]
fn a_dry_run_says_what_would_come_and_changes_nothing() {
    let [one, two] = ["one", "two"].map(|name| odd(&format!("example.com/{name}")));
    let disk = Athens::with(&[&one, &two]);
    let go_sum = disk.file("go.sum", &two.record().replace(&two.h1(), &one.h1()));
    let server = Server::start();
    let refusals = Refusals::by(&server);
    let dry = import(&server, disk.at(), &format!("--dry-run --go-sum {}", go_sum.display()));
    assert_eq!(dry.code(), REFUSED, "{dry}");
    drop(dry.says(&["would take example.com/one@v1.0.0\n", "refused example.com/two@v1.0.0", "would take over: 1\n"]));
    let lines = import(&server, disk.at(), "--dry-run --json").succeeded();
    let told: Vec<Value> = lines.stdout().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((told.len(), &told[2]["taken"]), (3, &Value::from(2)), "{told:?}");
    refusals.unchanged("a dry run");
    let page = server.api("GET", "/api/audit", None).expect(200).json();
    let actions: Vec<_> = page["items"].as_array().expect("items").iter().map(|row| row["action"].clone()).collect();
    assert!(actions.iter().all(|action| !action.as_str().expect("a text").starts_with("import")), "{actions:?}");
    drop(import(&server, disk.at(), "").succeeded().says(&["taken over: 2\n"]));
}

#[test]
fn names_narrow_what_comes() {
    let versions: Vec<_> = ["v1.0.0", "v1.1.0", "v1.2.0"].map(|version| Module::new("example.com/m", version)).into();
    let other = Module::new("example.com/other", "v1.0.0");
    let disk = Athens::with(&[&versions[0], &versions[1], &versions[2], &other]);
    let server = Server::start();
    let would = |more: &str| {
        let dry = import(&server, disk.at(), &format!("--dry-run {more}")).succeeded();
        dry.stdout()
            .lines()
            .filter_map(|line| line.strip_prefix("would take "))
            .filter(|name| name.contains('@'))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names.join(" ")
    };
    let go_sum = disk.file("go.sum", &versions[1].record());
    let rows = [
        (String::new(), 4),
        ("--module example.com/m".to_owned(), 3),
        ("--module example.com/m@v1.1.0 --module example.com/other".to_owned(), 2),
        (format!("--go-sum {}", go_sum.display()), 4),
        (format!("--go-sum {} --named-only", go_sum.display()), 1),
        ("--only example.com/other --only corp.example".to_owned(), 1),
        ("--only corp.example".to_owned(), 0),
    ];
    for (more, wanted) in rows {
        let names = would(&more);
        assert_eq!(names.len(), wanted, "{more}: {}", sorted(names));
    }
    for (more, why) in [
        ("--module example", "--module example"),
        ("--module example.com/m@latest", "example.com/m@v1.2.3"),
        ("--only [", "--only ["),
        ("--user robin", "--password-file"),
    ] {
        drop(import(&server, disk.at(), more).failed().says(&[why]));
    }
    for (to, why) in
        [("go/upstream", "remote"), ("go/none", "does not exist"), ("generic/x", ""), ("go", "format/name")]
    {
        drop(server.command(&format!("import --from {} --to {to}", disk.at())).failed().says(&[why]));
    }
    drop(import(&server, "/nowhere/at/all", "").failed().says(&["/nowhere/at/all"]));
}

#[test]
fn a_kill_in_the_middle_leaves_no_half_version_and_the_same_command_goes_on() {
    let upstream = Scripted::start();
    let modules: Vec<_> = (0..12)
        .map(|minor| Module::new("example.com/m", &format!("v1.{minor}.0")).with("noise", archives::noise(100_000)))
        .collect();
    upstream.offer(&modules.iter().collect::<Vec<_>>());
    let mut server = Server::start();
    let more = format!("{NEAR} --module example.com/m");
    // First the server is killed while it works for the command, then the command that works alone.
    for round in 0..2 {
        let gate = Gate::default();
        let slow = &modules[4 + 4 * round];
        upstream.put(&slow.at("zip"), [Reply::bytes(slow.zip()).held(50_000, &gate)]);
        upstream.forget();
        if round == 0 {
            thread::scope(|scope| {
                let running = scope.spawn(|| import(&server, &upstream.url, &more));
                until("it is in the middle", || upstream.times_asked(&slow.at("zip")) == 1);
                rustix::process::kill_process(
                    rustix::process::Pid::from_raw(i32::try_from(server.pid()).expect("a number")).expect("a process"),
                    rustix::process::Signal::KILL,
                )
                .expect("ours");
                drop(running.join().expect("it ends").failed());
            });
            server.kill();
        } else {
            let mut alone = server.begin_command(&format!("import --from {} --to go/local {more}", upstream.url));
            until("it is in the middle", || upstream.times_asked(&slow.at("zip")) == 1);
            alone.kill().expect("ours");
            alone.wait().expect("ours");
        }
        gate.open();
        server.start_again();
        server.command("verify").succeeded();
        let items = server.api("GET", "/api/artifacts?format=go&limit=200", None).expect(200).json();
        for item in items["items"].as_array().expect("items") {
            assert_eq!(item["files"].as_array().map(Vec::len), Some(3), "{item}");
        }
        upstream.put(&slow.at("zip"), [Reply::bytes(slow.zip())]);
        server.stop();
    }
    server.start_again();
    drop(import(&server, &upstream.url, &more).succeeded().says(&["refused: 0\n"]));
    modules.iter().for_each(|module| holds(&server, module));
    drop(import(&server, &upstream.url, &more).succeeded().says(&["taken over: 0\n", "there already: 12\n"]));
    server.command("verify").succeeded();
}
