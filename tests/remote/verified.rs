//! The checksum database says what is true. What contradicts it, and what it cannot prove, is not stored.

use std::env::consts::ARCH;

use serde_json::{Value, json};

use super::Scene;
use super::members::publish;
use crate::harness::checksum_database::{ChecksumDatabase, Lie};
use crate::harness::goproxy::Module;
use crate::harness::machine::Machine;
use crate::harness::refusal::Refusals;
use crate::harness::scripted::{Reply, Scripted};

const NAME: &str = "sum.example.org";

/// A scene with an upstream, and a database that has logged some modules.
struct Court {
    scene: Scene,
    upstream: Scripted,
    database: ChecksumDatabase,
}

impl Court {
    fn new() -> Self {
        Self::of(Scene::new())
    }

    /// The same of this scene: an upstream and a database of which nobody has seen anything.
    fn of(scene: Scene) -> Self {
        let upstream = Scripted::start();
        let database = ChecksumDatabase::start(NAME);
        for number in 0..5 {
            database.log(&Module::new(&format!("example.org/other{number}"), "v1.0.0"));
        }
        Self { scene, upstream, database }
    }

    /// Settings that name the database by its key.
    fn settings(&self) -> Value {
        json!({ "checksum_database": format!("{} {}", self.database.key(), self.database.server.url) })
    }

    /// Makes `go/m`, which keeps what the database vouches for.
    fn remote(&self, name: &str) {
        self.scene.remote_with(name, &self.upstream.url, &json!({}), &self.settings());
    }

    /// Makes `go/all` over `go/local` and `go/m`, which passes the database on.
    fn combined(&self) {
        self.scene.combined("all", &["local", "m"], &json!({ "settings": self.settings() }));
    }

    /// Offers and logs a module.
    fn known(&self, module: &Module) {
        self.upstream.offer(&[module]);
        self.database.log(module);
    }
}

fn module() -> Module {
    Module::new("example.com/m", "v1.0.0")
}

/// What an attacker made of it.
fn tampered() -> Module {
    module().with("evil.go", "package m\n")
}

#[test]
fn what_the_database_knows_is_kept_and_asked_about_once() {
    let court = Court::new();
    court.remote("m");
    court.known(&module());
    for extension in ["info", "mod", "zip"] {
        court.scene.get("m", &module().at(extension)).expect(200);
    }
    let lookups = court.database.server.times_asked("/lookup/example.com/m@v1.0.0");
    assert!((1..=2).contains(&lookups), "{:?}", court.database.server.requests());
    court.database.server.forget();
    for extension in ["info", "mod", "zip"] {
        court.scene.get("m", &module().at(extension)).expect(200);
    }
    assert_eq!(court.database.server.requests(), [""; 0], "what is here was judged");
}

#[test]
fn a_log_of_several_tiles_is_verified_to_its_head() {
    let court = Court::new();
    court.remote("m");
    for number in 0..300 {
        court.database.log(&Module::new(&format!("example.org/many{number}"), "v1.0.0"));
    }
    court.known(&module());
    court.scene.get("m", &module().at("zip")).expect(200);
    // It grows beyond what was seen, and the old head is proved to be a part of the new one.
    for number in 0..300 {
        court.database.log(&Module::new(&format!("example.org/more{number}"), "v1.0.0"));
    }
    let next = Module::new("example.com/next", "v1.0.0");
    court.known(&next);
    court.scene.get("m", &next.at("zip")).expect(200);
}

#[test]
fn other_bytes_than_were_published_are_refused_and_told_to_the_audit() {
    let court = Court::new();
    let behind = Scripted::start();
    let chain = format!("{},{}", court.upstream.url, behind.url);
    court.scene.remote_with("m", &chain, &json!({}), &court.settings());
    court.known(&module());
    behind.offer(&[&module()]);
    let refusals = Refusals::by(&court.scene.server);
    court.upstream.put(&module().at("zip"), [Reply::bytes(tampered().zip())]);
    let said = refusals.text("K18, S18", &court.scene.get("m", &module().at("zip")), 502, "upstream_checksum_mismatch");
    assert!(said.contains("example.com/m@v1.0.0"), "K18: {said}");
    let evil = "module example.com/m\n\nrequire example.com/evil v1.0.0\n";
    court.upstream.put(&module().at("mod"), [Reply::text(evil)]);
    refusals.text("K18 .mod", &court.scene.get("m", &module().at("mod")), 502, "upstream_checksum_mismatch");
    assert_eq!(behind.requests(), [""; 0], "K18: no other source is asked");
    let told = court.scene.audited("upstream_checksum_mismatch");
    assert_eq!(told.len(), 2, "K18: {told:?}");
    assert!(told[0].to_string().contains("example.com/m@v1.0.0"), "K18: {}", told[0]);

    let machine = Machine::new().with("GOPROXY", court.scene.server.go("m")).with("GONOSUMDB", "example.com");
    let project = machine.project("app");
    machine.go(&project, "mod download example.com/m@v1.0.0").failed().says(&["code=upstream_checksum_mismatch"]);
    court.upstream.offer(&[&module()]);
    assert!(court.scene.get("m", &module().at("zip")).expect(200).body == module().zip(), "the true one is taken");
}

/// A way to lie, with the record that the log has of the module.
fn lies() -> Vec<(&'static str, Lie, String)> {
    let (good, evil) = (module().record(), tampered().record());
    let go_mod_only: String =
        good.lines().filter(|line| line.contains("/go.mod")).map(|line| format!("{line}\n")).collect();
    let zip_line = format!("{}\n", evil.lines().next().expect("a line"));
    vec![
        ("forged record", Lie::Record(evil.clone()), good.clone()),
        ("forged record with both", Lie::Record(format!("{good}{evil}")), good.clone()),
        ("tampered tiles", Lie::Tiles, evil.clone()),
        ("tampered root", Lie::Root, evil.clone()),
        ("another key", Lie::OtherKey, evil.clone()),
        ("no signature", Lie::Unsigned, evil.clone()),
        ("replayed head", Lie::OldHead(3), evil),
        ("a record without the line", Lie::None, go_mod_only.clone()),
        ("the line in the head only", Lie::HeadWith(zip_line.clone()), go_mod_only.clone()),
        ("the line behind the head only", Lie::Trailing(zip_line), go_mod_only),
    ]
}

#[test]
fn a_database_that_lies_vouches_for_nothing() {
    let mut scene = Scene::new();
    for (at, (row, lie, record)) in lies().into_iter().enumerate() {
        let (court, name) = (Court::of(scene), format!("m{at}"));
        court.remote(&name);
        court.upstream.offer(&[&tampered()]);
        court.database.log_text(&record);
        court.database.lie(lie);
        let refusals = Refusals::by(&court.scene.server);
        let answer = court.scene.get(&name, &tampered().at("zip"));
        refusals.text(&format!("98, S18 {row}"), &answer, 502, "upstream_unverified");
        assert_eq!(court.scene.audited("upstream_unverified").len(), at + 1, "{row}: the audit says so");
        scene = court.scene;
    }
}

#[test]
fn a_database_that_changes_its_past_is_believed_no_more() {
    let court = Court::new();
    court.remote("m");
    court.known(&module());
    court.scene.get("m", &module().at("zip")).expect(200);
    court.database.rewrite(0, "example.org/other0 v1.0.0 h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
    let next = Module::new("example.com/next", "v1.0.0");
    court.known(&next);
    let refusals = Refusals::by(&court.scene.server);
    refusals.text("98 fork", &court.scene.get("m", &next.at("zip")), 502, "upstream_unverified");
    // The same under another repository, and after a restart: what was seen is remembered.
    court.remote("other");
    refusals.text("98 fork", &court.scene.get("other", &next.at("zip")), 502, "upstream_unverified");
    assert!(court.scene.get("m", &module().at("zip")).expect(200).body == module().zip(), "what is here stays");
}

#[test]
fn what_the_database_does_not_know_is_kept_as_the_settings_say() {
    let court = Court::new();
    court.upstream.offer(&[&module()]);
    for (name, verify, status) in [("require", "require", 404), ("record", "record", 200), ("off", "off", 200)] {
        let mut settings = court.settings();
        settings["verify"] = json!(verify);
        court.scene.remote_with(name, &court.upstream.url, &json!({}), &settings);
        court.database.server.forget();
        let answer = court.scene.get(name, &module().at("zip"));
        assert_eq!(answer.status, status, "98 {verify}");
        assert_eq!(court.database.server.requests().is_empty(), verify == "off", "98 {verify}");
    }
    // A different sum is a lie also where an unknown one is not.
    let two = Module::new("example.com/two", "v1.0.0");
    court.known(&two);
    court.upstream.put(&two.at("zip"), [Reply::bytes(two.clone().with("evil.go", "package m\n").zip())]);
    assert_eq!(court.scene.get("record", &two.at("zip")).header("x-error-code"), Some("upstream_checksum_mismatch"));
    // It appears later: nothing was decided for ever.
    court.database.log(&module());
    court.scene.change("require", &json!({ "description": "another one" }));
    crate::harness::wait::until("the database is asked again", || {
        court.scene.get("require", &module().at("mod")).status == 200
    });
}

#[test]
fn names_of_the_nosumdb_patterns_are_kept_without_asking() {
    let court = Court::new();
    let mut settings = court.settings();
    settings["nosumdb"] = json!(["example.com/m"]);
    court.scene.remote_with("m", &court.upstream.url, &json!({}), &settings);
    court.upstream.offer(&[&module()]);
    for extension in ["info", "mod", "zip"] {
        court.scene.get("m", &module().at(extension)).expect(200);
    }
    let lookup = court.scene.get("m", "/sumdb/sum.example.org/lookup/example.com/m@v1.0.0");
    assert_eq!(lookup.status, 403, "{}", lookup.text());
    assert_eq!(court.database.server.requests(), [""; 0]);
}

#[test]
fn a_database_that_is_down_stops_only_what_it_never_vouched_for() {
    let mut court = Court::new();
    court.remote("m");
    court.known(&module());
    court.scene.get("m", &module().at("zip")).expect(200);
    court.scene.get("m", &module().at("mod")).expect(200);
    let next = Module::new("example.com/next", "v1.0.0");
    court.known(&next);
    court.database.server.stop();
    let refusals = Refusals::by(&court.scene.server);
    refusals.text("98 down", &court.scene.get("m", &next.at("zip")), 502, "upstream_unreachable");
    court.scene.get("m", &module().at("zip")).expect(200);
}

/// A machine whose go command believes this database, and asks nobody but this repository.
fn believer(court: &Court, repository: &str) -> Machine {
    Machine::new().with("GOPROXY", court.scene.server.go(repository)).with("GOSUMDB", court.database.key())
}

#[test]
fn go_verifies_everything_through_us_and_also_when_the_database_is_gone() {
    let mut court = Court::new();
    court.remote("m");
    court.combined();
    let top = Module::new("example.com/top", "v1.0.0").saying("require example.com/m v1.0.0");
    court.known(&module());
    court.known(&top);
    let work = |court: &Court| {
        let machine = believer(court, "all");
        let project = machine.project("app");
        machine.write(&project, "main.go", "package main\n\nimport _ \"example.com/top\"\n\nfunc main() {}\n");
        machine.go(&project, "mod tidy").succeeded();
        machine.go(&project, "mod download all").succeeded();
        std::fs::read_to_string(project.join("go.sum")).expect("go wrote it")
    };
    let sums = work(&court);
    assert!(sums.contains(&module().go_mod_h1()) && sums.contains(&top.h1()), "{sums}");
    court.database.server.stop();
    court.upstream.stop();
    assert_eq!(work(&court), sums, "offline, as far as it was seen");
}

#[test]
fn go_and_we_refuse_the_same_lies() {
    let court = Court::new();
    // This one keeps anything: the client has to notice by itself.
    let mut settings = court.settings();
    settings["verify"] = json!("off");
    court.scene.remote_with("off", &court.upstream.url, &json!({}), &settings);
    court.remote("m");
    court.database.log(&module());
    court.upstream.offer(&[&tampered()]);
    let by = |repository: &str| {
        let machine = believer(&court, repository);
        let project = machine.project("app");
        machine.go(&project, "mod download example.com/m@v1.0.0").failed()
    };
    by("off").says(&["SECURITY ERROR"]);
    by("m").says(&["502 Bad Gateway", "code=upstream_checksum_mismatch"]);
}

#[test]
fn a_private_name_is_refused_before_it_leaves_and_go_says_what_to_do() {
    let court = Court::new();
    court.remote("m");
    court.combined();
    publish(&court.scene, "local", "github.com/yourcompany/secret", "v1.0.0");
    let machine = believer(&court, "all");
    let project = machine.project("app");
    let said = machine.go(&project, "get github.com/yourcompany/secret@v1.0.0").failed();
    said.says(&["403 Forbidden", "go env -w GONOSUMDB="]);
    let heard = [court.database.server.requests(), court.upstream.requests()].concat();
    assert!(!heard.iter().any(|request| request.contains("secret")), "36: {heard:?}");
    let machine = machine.with("GONOSUMDB", "github.com/yourcompany");
    machine.go(&project, "get github.com/yourcompany/secret@v1.0.0").succeeded();
}

/// The version of a toolchain for this machine.
fn toolchain() -> Module {
    let arch = if ARCH == "aarch64" { "arm64" } else { "amd64" };
    let script = "#!/bin/sh\necho this is go1.99.1\n";
    Module::new("golang.org/toolchain", &format!("v0.0.1-go1.99.1.linux-{arch}"))
        .with("bin/go", script)
        .with("bin/gofmt", script)
        .with("pkg/tool/x", "a tool")
        .with("lib/x", "a library")
}

#[test]
fn a_toolchain_comes_through_us_alone_with_its_sum_checked() {
    let court = Court::new();
    court.remote("m");
    court.combined();
    court.known(&toolchain());
    let machine = believer(&court, "all").with("GOTOOLCHAIN", "go1.99.1");
    let said = machine.go(&machine.work(), "version").succeeded();
    assert_eq!(said.stdout(), "this is go1.99.1", "G22, 111");

    let machine = believer(&court, "all").with("GOTOOLCHAIN", "auto");
    let project = machine.project("app");
    machine.write(&project, "go.mod", "module example.com/app\n\ngo 1.99.1\n");
    assert_eq!(machine.go(&project, "build").succeeded().stdout(), "this is go1.99.1");
}

#[test]
fn a_toolchain_that_somebody_changed_is_neither_kept_nor_run() {
    let court = Court::new();
    court.remote("m");
    court.combined();
    court.database.log(&toolchain());
    court.upstream.offer(&[&toolchain().with("pkg/evil", "evil")]);
    let refusals = Refusals::by(&court.scene.server);
    let machine = believer(&court, "all").with("GOTOOLCHAIN", "go1.99.1");
    let said = machine.go(&machine.work(), "version").failed();
    said.says(&["code=upstream_checksum_mismatch"]).never_says(&["this is go1.99.1"]);
    refusals.unchanged("G22, S18");
}
