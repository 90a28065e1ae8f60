//! Our reader of `go.mod` agrees with the real one: `go mod edit -json`.
//!
//! A file is put into a module and uploaded with `dry_run=true`; the metadata in the answer, or the refusal,
//! is compared with what `go` says of the same bytes. The files:
//!
//! ```text
//! fixtures/gomod/ok-*.mod      both read it, and read the same
//!                fatal-*.mod   both refuse it, at the same line
//!                strict-*.mod  go refuses it as the author's own file; dependants get along, so it is accepted
//!                              with the warning go_mod_not_strict
//!                own-*.mod     go reads it; the warning is our addition
//! generated                    whatever go says of them
//! the toolchain's own          `go env GOROOT`
//! ```
//!

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::harness::archives;
use crate::harness::machine::Machine;
use crate::harness::server::Server;
use crate::harness::upload::{Answer, Form};

/// Files that are generated; each is one start of `go` and one upload.
const GENERATED: u32 = 200;

/// Both readers.
struct Readers {
    server: Server,
    machine: Machine,
}

/// What a `go.mod` says, in the words of neither reader, as far as the keeper keeps it (`ignore` and `godebug`
/// are judged only). Absent texts are empty.
#[derive(Debug, Default, PartialEq)]
struct Said {
    deprecated: String,
    go: String,
    toolchain: String,
    requires: Vec<(String, String, bool)>,
    excludes: Vec<(String, String)>,
    replaces: Vec<[String; 4]>,
    retracts: Vec<[String; 3]>,
    tools: Vec<String>,
}

/// The verdict of go: the module's path and what the file says of it, or the complaints.
type Verdict = Result<(String, Said), String>;

impl Readers {
    fn new() -> Self {
        Self { server: Server::start(), machine: Machine::new() }
    }

    fn go(&self, file: &[u8]) -> Verdict {
        let path = self.machine.work().join("go.mod");
        fs::write(&path, file).expect("a writable folder");
        let finished = self.machine.run(&self.machine.work(), "go", &["mod", "edit", "-json", "go.mod"]);
        match serde_json::from_str::<Value>(finished.stdout()) {
            Ok(told) => Ok((text(&told["Module"]["Path"]), Said::by_go(&told))),
            Err(_) => {
                // A machine without room for another process is no judgement of the file.
                assert!(finished.stderr().contains("go.mod:"), "go did not get to the file: {finished}");
                Err(finished.failed().stderr().to_owned())
            }
        }
    }

    /// The answer to an upload of a module that has this file. A module of that name may not exist, so the
    /// version follows the name, and the name does not have to be the file's.
    fn keeper(&self, file: &[u8], module: &str) -> Answer {
        let major = module.rsplit(['v', '/', '.']).next().and_then(|last| last.parse::<u32>().ok());
        let version = format!("v{}.0.0", major.filter(|_| module != "ex.com/m").unwrap_or(1));
        let form = Form::go(archives::module(file)).with("name", module).with("version", &version);
        form.with("fork", "true").with("dry_run", "true").send(&self.server)
    }
}

/// A text, or nothing.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The elements of a list, which may be absent.
fn each<'a, T>(list: &'a Value, element: impl Fn(&'a Value) -> T) -> Vec<T> {
    list.as_array().into_iter().flatten().map(element).collect()
}

impl Said {
    fn by_go(told: &Value) -> Self {
        let path = |one: &Value| text(&one["Path"]);
        let replace = |one: &Value| {
            let (old, new) = (&one["Old"], &one["New"]);
            [&old["Path"], &old["Version"], &new["Path"], &new["Version"]].map(text)
        };
        Self {
            deprecated: text(&told["Module"]["Deprecated"]),
            go: text(&told["Go"]),
            toolchain: text(&told["Toolchain"]),
            requires: each(&told["Require"], |one| (path(one), text(&one["Version"]), one["Indirect"] == true)),
            excludes: each(&told["Exclude"], |one| (path(one), text(&one["Version"]))),
            replaces: each(&told["Replace"], replace),
            retracts: each(&told["Retract"], |one| [&one["Low"], &one["High"], &one["Rationale"]].map(text)),
            tools: each(&told["Tool"], path),
        }
    }

    /// `go mod edit` leaves out what is said twice, the keeper repeats the file.
    fn without_repetitions(mut self) -> Self {
        let mut later: Vec<[String; 4]> = Vec::new();
        for replace in self.replaces.into_iter().rev() {
            if later.iter().all(|known| known[..2] != replace[..2]) {
                later.push(replace);
            }
        }
        later.reverse();
        self.replaces = later;
        let mut seen = BTreeSet::new();
        self.excludes.retain(|exclude| seen.insert(exclude.clone()));
        let mut seen = BTreeSet::new();
        self.tools.retain(|tool| seen.insert(tool.clone()));
        self
    }

    fn by_keeper(metadata: &Value) -> Self {
        let replace =
            |one: &Value| [&one["old_path"], &one["old_version"], &one["new_path"], &one["new_version"]].map(text);
        Self {
            deprecated: text(&metadata["deprecated"]),
            go: text(&metadata["go"]),
            toolchain: text(&metadata["toolchain"]),
            requires: each(&metadata["requires"], |one| {
                (text(&one["path"]), text(&one["version"]), one["indirect"] == true)
            }),
            excludes: each(&metadata["excludes"], |one| (text(&one["path"]), text(&one["version"]))),
            replaces: each(&metadata["replaces"], replace),
            retracts: each(&metadata["retracts"], |one| [&one["low"], &one["high"], &one["rationale"]].map(text)),
            tools: each(&metadata["tools"], text),
        }
        .without_repetitions()
    }
}

/// The fixtures whose names begin so.
fn fixtures(kind: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/gomod");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let named = paths.map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), path));
    let wanted = named.filter(|(name, _)| name.starts_with(kind) && name.ends_with(".mod"));
    let mut found: Vec<_> = wanted.map(|(name, path)| (name, fs::read(path).expect("a readable file"))).collect();
    found.sort();
    assert!(!found.is_empty(), "there are no fixtures {kind}*.mod");
    found
}

/// The lines that go complains about: `go.mod:3: …`.
fn lines_of(complaints: &str) -> Vec<u64> {
    let numbers = complaints.lines().filter_map(|line| line.strip_prefix("go.mod:")?.split(':').next()?.parse().ok());
    numbers.collect()
}

fn is_not_strict(answer: &Answer) -> bool {
    answer.warnings().contains(&"go_mod_not_strict")
}

#[test]
fn what_go_reads_is_read_the_same() {
    let readers = Readers::new();
    for (name, file) in fixtures("ok-") {
        let (module, said) = readers.go(&file).unwrap_or_else(|complaints| panic!("{name}: {complaints}"));
        if module.is_empty() {
            let refused = readers.keeper(&file, "ex.com/m").expect(422);
            assert_eq!(refused.text("code"), "go_mod_no_module", "{name}");
            continue;
        }
        let answer = readers.keeper(&file, &module).expect(200);
        assert!(!is_not_strict(&answer), "{name}: {answer}");
        assert_eq!(Said::by_keeper(&answer.body["metadata"]), said, "{name}: {answer}");
    }
}

#[test]
fn what_every_go_refuses_is_refused_at_the_same_line() {
    let readers = Readers::new();
    for (name, file) in fixtures("fatal-") {
        let complaints = readers.go(&file).expect_err(&name);
        let refused = readers.keeper(&file, "ex.com/m").expect(422);
        assert_eq!(refused.text("code"), "go_mod_syntax", "{name}: {refused}");
        let lines = lines_of(&complaints);
        let detail = refused.text("detail");
        assert!(lines.iter().any(|line| detail.contains(&format!("go.mod:{line}:"))), "{name}: {detail}; {complaints}");
    }
}

#[test]
fn what_only_the_authors_own_go_refuses_is_accepted_with_a_warning() {
    let readers = Readers::new();
    for (name, file) in fixtures("strict-") {
        let complaints = readers.go(&file).expect_err(&name);
        let answer = readers.keeper(&file, "ex.com/m").expect(200);
        assert!(is_not_strict(&answer), "{name}: {complaints}{answer}");
    }
    for (name, file) in fixtures("own-") {
        readers.go(&file).unwrap_or_else(|complaints| panic!("{name}: {complaints}"));
        let answer = readers.keeper(&file, "ex.com/m").expect(200);
        assert!(is_not_strict(&answer), "{name}: {answer}");
    }
}

#[test]
fn the_files_of_the_toolchain_are_read_the_same() {
    let readers = Readers::new();
    let root = readers.machine.go(&readers.machine.work(), "env GOROOT").succeeded();
    let files = ["src/go.mod", "src/cmd/go.mod"].map(|name| PathBuf::from(root.stdout()).join(name));
    for path in files {
        let file = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (_, said) = readers.go(&file).unwrap_or_else(|complaints| panic!("{}: {complaints}", path.display()));
        let answer = readers.keeper(&file, "ex.com/m").expect(200);
        assert_eq!(Said::by_keeper(&answer.body["metadata"]), said, "{}", path.display());
    }
}

#[test]
fn generated_files_are_judged_and_read_as_go_does() {
    let readers = Readers::new();
    let config = Config { cases: GENERATED, failure_persistence: None, ..Config::default() };
    let judged = TestRunner::new(config).run(&go_mod(), |file| {
        let answer = readers.keeper(file.as_bytes(), "ex.com/m");
        match readers.go(file.as_bytes()) {
            Ok((_, said)) => {
                prop_assert_eq!(answer.status, 200, "{}", answer);
                prop_assert!(!is_not_strict(&answer), "{}", answer);
                prop_assert_eq!(Said::by_keeper(&answer.body["metadata"]), said);
            }
            Err(complaints) => match answer.status {
                200 => prop_assert!(is_not_strict(&answer), "{}{}", complaints, answer),
                422 => prop_assert_eq!(answer.text("code"), "go_mod_syntax", "{}{}", complaints, answer),
                _ => prop_assert!(false, "{}{}", complaints, answer),
            },
        }
        Ok(())
    });
    judged.unwrap_or_else(|error| panic!("{error}"));
}

/// A file with one module line, some directives, and the freedom that people take with blanks and comments.
fn go_mod() -> impl Strategy<Value = String> {
    let module = prop_oneof![
        5 => Just("module ex.com/m\n".to_owned()),
        1 => Just("module \"ex.com/m\" // quoted\n".to_owned()),
        1 => Just("// Deprecated: use\n// another one.\nmodule ex.com/m\n".to_owned()),
        1 => Just("module ex.com/m // Deprecated: gone\n".to_owned()),
        1 => Just("module (\n\tex.com/m\n)\n".to_owned()),
    ];
    let go = prop::sample::select(vec!["", "", "go 1.21\n", "go 1.24.0\n", "go 1.22rc1\n", "go 1.20.x\n", "go 1\n"]);
    let directives = prop::collection::vec(directive(), 0..8);
    (module, go, directives, any::<bool>()).prop_map(|(module, go, directives, windows)| {
        let file = format!("{module}\n{go}\n{}", directives.concat());
        if windows { file.replace('\n', "\r\n") } else { file }
    })
}

/// One directive, alone or as a block.
fn directive() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        8 => arguments("require", &[
            "ex.com/a v1.2.3", "ex.com/b/v2 v2.0.1", "gopkg.in/c.v3 v3.1.0", "ex.com/d v4.0.0+incompatible", "ex.com/e v0.4",
            "ex.com/f v0.0.0-20240301123456-abcdef012345", "\"ex.com/g\" v1.0.0-rc.1", "ex.com/h v1.0.0+meta",
            // What not every reader accepts.
            "ex.com/i main", "ex.com/j v2.0.0", "ex.com/k", "ex.com/l v1.0.0 v1.1.0",
        ]),
        2 => arguments("exclude", &["ex.com/a v1.0.0", "ex.com/b/v2 v2.0.0-rc.1", "ex.com/c", "ex.com/d branch"]),
        3 => arguments("replace", &[
            "ex.com/a => ../a", "ex.com/a v1.2.3 => ex.com/z v1.9.0", "ex.com/b/v2 => ./vendored/b",
            "ex.com/c => ex.com/y", "ex.com/d v1.0.0 => ../d v1.0.0", "ex.com/e -> ../e",
        ]),
        3 => arguments("retract", &[
            "v1.0.0", "[v1.1.0, v1.2.0]", "[ v1.3.0 , v1.3.1 ]", "v2.0.0", "[v1.9.0,v1.8.0]", "\"v1.5.0\"",
            "[v1.0.0", "v1.0.0 v1.1.0",
        ]),
        1 => arguments("tool", &["ex.com/a/cmd/x", "\"ex.com/b/cmd/y\""]),
        1 => arguments("ignore", &["./node_modules", "web/dist"]),
        1 => arguments("godebug", &["default=go1.23", "panicnil=1", "nonsense"]),
        1 => Just(("toolchain", vec![("go1.24.1", "")])),
        1 => arguments("surprise", &["x", "y z"]),
    ];
    let before = prop::sample::select(vec!["", "", "\n", "// about the next line\n", "\n// stands alone\n\n"]);
    (before, line, any::<bool>()).prop_map(|(before, (verb, lines), block)| {
        let line = |(text, comment): &(&str, &str)| format!("{text}{comment}");
        if block && verb != "toolchain" {
            let lines: String = lines.iter().map(|one| format!("\t{}\n", line(one))).collect();
            format!("{before}{verb} (\n{lines})\n")
        } else {
            lines.iter().map(|one| format!("{before}{verb} {}\n", line(one))).collect()
        }
    })
}

/// One to three lines for a directive, each maybe with a comment behind it.
fn arguments(
    verb: &'static str,
    texts: &[&'static str],
) -> impl Strategy<Value = (&'static str, Vec<(&'static str, &'static str)>)> + use<> {
    let comments = vec!["", "", "", " // indirect", " // indirect; a reason", " // lost data", "// glued"];
    let line = (prop::sample::select(texts.to_vec()), prop::sample::select(comments));
    prop::collection::vec(line, 1..4).prop_map(move |lines| (verb, lines))
}
