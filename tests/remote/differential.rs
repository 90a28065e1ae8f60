//! The go command cannot tell us from the upstream.
//!
//! The same command is run twice, on two fresh machines: one asks an upstream directly, the other our `go/main`,
//! which has nothing of its own and copies of that upstream. Output, exit code, `go.mod`, `go.sum` and
//! `vendor/modules.txt` have to be equal, errors included; only addresses, folders and the upstream's own words behind
//! a refusal are left out. The commands are in `cases`.

mod cases;

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use serde_json::json;

use super::{NEAR, unverified};
use crate::harness::archives;
use crate::harness::command::Finished;
use crate::harness::company::{Company, DEP};
use crate::harness::machine::Machine;
use crate::harness::raw_form::RawForm;
use crate::harness::server::Server;
use cases::{Case, PROJECTS, Project};

/// Commands at once; most of them wait for processes.
const WORKERS: usize = 3;

/// What a command came to, with nothing in it that tells the two sides apart.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    code: Option<i32>,
    stdout: Vec<String>,
    stderr: Vec<String>,
    files: Vec<(&'static str, Option<String>)>,
}

/// The upstream with its modules, and the keeper before it.
struct Sides {
    upstream: Server,
    keeper: Server,
    /// The commit of the newest release of the company's module.
    commit: String,
}

impl Sides {
    fn new() -> Self {
        let (upstream, keeper) = (Server::start(), Server::with(&[NEAR]));
        let company = Company::new();
        company.publish(&upstream);
        modules(&upstream);
        let commit = company.mymodule.git(&["rev-parse", "v1.2.3^{commit}"]).trim().to_owned();
        // What first start made, with another upstream than the public one.
        let change = json!({
            "upstream": { "url": upstream.go("local"), "allow_http": true }, "settings": unverified(),
        });
        keeper.api("PATCH", "/api/repositories/go/upstream", Some(&change)).expect(200);
        Self { upstream, keeper, commit }
    }

    /// What a case comes to with this GOPROXY.
    fn outcome(&self, case: &Case, proxy: &str) -> Outcome {
        let machine = Machine::new().with("GOPROXY", proxy).with("GOSUMDB", "off");
        let project = machine.project("app");
        for (name, text) in case.project.files {
            machine.write(&project, name, text);
        }
        let arguments = case.arguments.replace("{commit}", &self.commit).replace("{short}", &self.commit[..7]);
        let finished = machine.go(&project, &arguments);
        let folder = machine.work().parent().expect("below the machine").display().to_string();
        Outcome::of(&finished, &project, proxy, &folder)
    }
}

impl Outcome {
    fn of(finished: &Finished, project: &Path, proxy: &str, folder: &str) -> Self {
        let plain = |text: &str| {
            let text = text.replace(proxy, "GOPROXY").replace(folder, "MACHINE");
            let mut lines: Vec<_> = without_words(&text).map(str::to_owned).collect();
            // Downloads are told in the order in which they begin, and they begin side by side.
            lines.sort();
            lines
        };
        let read = |name: &'static str| (name, fs::read_to_string(project.join(name)).ok());
        Self {
            code: finished.code(),
            stdout: plain(finished.stdout()),
            stderr: plain(finished.stderr()),
            files: ["go.mod", "go.sum", "vendor/modules.txt"].map(read).to_vec(),
        }
    }
}

/// The lines without what a server said to explain its refusal: it names the repository and the request.
fn without_words(text: &str) -> impl Iterator<Item = &str> {
    let mut is_theirs = false;
    text.lines().filter_map(move |line| {
        is_theirs = match line.trim_start_matches('\t') {
            "server response:" => true,
            _ => is_theirs && line.starts_with('\t'),
        };
        if is_theirs {
            return None;
        }
        // In JSON the same stands within a text.
        Some(line.split_once("\\n\\tserver response:").map_or(line, |(before, _)| before))
    })
}

/// Modules with all that is odd.
fn modules(server: &Server) {
    let publish = |path: &str, version: &str, go_mod: &str, files: &[(&str, &str)]| {
        let mut all: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        if !go_mod.is_empty() {
            all.push(("go.mod", go_mod.as_bytes()));
        }
        let form = RawForm::module(path, version).file(archives::zip(&all)).send(server).expect(201).json();
        form["id"].as_str().expect("an id").to_owned()
    };
    let simple = |path: &str, version: &str, more: &str| {
        publish(path, version, &format!("module {path}\n\ngo 1.21\n{more}"), &[("m.go", "package m\n")])
    };
    simple("example.com/retracted", "v1.0.0", "");
    simple("example.com/retracted", "v1.1.0", "");
    simple("example.com/retracted", "v1.2.0", "retract (\n\tv1.1.0 // it loses data\n\tv1.2.0\n)\n");
    publish(
        "example.com/deprecated",
        "v1.0.0",
        "// Deprecated: use example.com/new instead.\nmodule example.com/deprecated\n",
        &[("m.go", "package m\n")],
    );
    for version in ["v0.0.0-20240304030607-0123456789ab", "v0.0.0-20191109021931-daa7c04131f5"] {
        simple("example.com/untagged", version, "");
    }
    for version in ["v0.1.0-alpha", "v0.1.0-rc.2", "v0.1.0-rc.10"] {
        simple("example.com/unfinished", version, "");
    }
    publish("example.com/old", "v1.0.0", "", &[("old.go", "package old\n")]);
    publish("example.com/old", "v2.0.0+incompatible", "", &[("old.go", "package old\n")]);
    simple("github.com/Big/Case", "v1.0.0", "");
    simple("gopkg.in/yaml.v2", "v2.1.0", "");
    simple("example.com/future", "v1.0.0", "toolchain go1.99.0\n");
    publish("example.com/newer", "v1.0.0", "module example.com/newer\n\ngo 1.99\n", &[("m.go", "package m\n")]);
    simple("example.com/broken", "v1.0.0", "require example.com/missing v1.0.0\n");
    simple("example.com/replacing", "v1.0.0", "replace example.com/missing => ../missing\n");
    let gone = simple("example.com/gone", "v1.1.0", "");
    simple("example.com/gone", "v1.0.0", "");
    server.api("DELETE", &format!("/api/artifacts/{gone}"), None).expect(204);
    let yanked = simple("example.com/yanked", "v1.1.0", "");
    simple("example.com/yanked", "v1.0.0", "");
    let yank = json!({ "state": "yanked", "reason": "a mistake" });
    server.api("PATCH", &format!("/api/artifacts/{yanked}"), Some(&yank)).expect(200);
    // Two that need each other in a circle, and one below another.
    simple("example.com/left", "v1.0.0", "require example.com/right v1.0.0\n");
    simple("example.com/right", "v1.0.0", "require example.com/left v1.0.0\n");
    simple("example.com/nested", "v1.0.0", "");
    publish("example.com/nested/inner", "v0.5.0", "module example.com/nested/inner\n", &[("i.go", "package inner\n")]);
    publish(
        "example.com/tool",
        "v1.0.0",
        &format!("module example.com/tool\n\ngo 1.21\n\nrequire {DEP} v1.0.0\n"),
        &[("main.go", "package main\n\nfunc main() { println(\"a tool\") }\n"), ("internal/x/x.go", "package x\n")],
    );
}

#[test]
fn a_command_through_us_does_what_it_does_with_the_upstream() {
    let cases = cases::all();
    assert!(cases.len() >= 100, "{} cases are too few", cases.len());
    let sides = Sides::new();
    let (waiting, failed) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            let next = || waiting.lock().expect("nobody panics").next();
            let (sides, failed) = (&sides, &failed);
            scope.spawn(move || {
                while let Some(case) = next() {
                    let wanted = sides.outcome(case, &sides.upstream.go("local"));
                    let found = sides.outcome(case, &sides.keeper.go("main"));
                    if wanted != found {
                        let text = format!("go {} in {}\n{wanted:#?}\n{found:#?}", case.arguments, case.project.name);
                        failed.lock().expect("nobody panics").push(text);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("nobody panics");
    assert!(failed.is_empty(), "{} of {} commands differ:\n{}", failed.len(), cases.len(), failed.join("\n\n"));
    let successes = cases.iter().filter(|case| case.is_meant_to_succeed).count();
    assert!(successes >= 60 && cases.len() - successes >= 25, "{successes} of {} succeed", cases.len());
}

#[test]
fn the_commands_that_are_meant_to_succeed_do() {
    let sides = Sides::new();
    let of_each_project = |project: &'static Project| {
        cases::all().into_iter().filter(|case| case.is_meant_to_succeed && case.project.name == project.name).take(2)
    };
    for case in PROJECTS.iter().copied().flat_map(of_each_project) {
        let outcome = sides.outcome(&case, &sides.keeper.go("main"));
        assert_eq!(outcome.code, Some(0), "go {}: {outcome:#?}", case.arguments);
    }
}
