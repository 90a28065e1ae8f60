//! Archives that contradict what is said of them, and names and versions that Go refuses.

use serde_json::json;

use super::raw_zip::{LINK, RawEntry, RawZip};
use super::{Refusal, file, go_mod, module, refuse_all};
use crate::harness::refusal::{LOG, Refusals};
use crate::harness::server::Server;

/// The usual module, with something else wrong.
fn usual(row: impl Into<String>, codes: &'static str) -> Refusal {
    Refusal::new(row, module([file("m.go")]).bytes(), codes)
}

/// An archive with these files and nothing else.
fn files(row: &str, names: &[&str], codes: &'static str) -> Refusal {
    Refusal::new(row, RawZip::of(names.iter().map(file)).bytes(), codes)
}

/// An archive with this `go.mod`.
fn with_go_mod(row: &str, text: &str, codes: &'static str) -> Refusal {
    Refusal::new(row, RawZip::of([go_mod(text), file("m.go")]).bytes(), codes)
}

#[test]
fn folders_that_say_something_else_are_refused() {
    let root = |row: &str, go_mods: [&str; 2], codes| {
        let entry = |name: &str| RawEntry::new(name, "module example.com/m/v2\n");
        let case = Refusal::new(row, RawZip::of(go_mods.map(entry)).bytes(), codes);
        case.field("name", "example.com/m/v2").field("version", "v2.0.0")
    };
    refuse_all([
        files("F18 two folders", &["m@v1.0.0/x.go", "n@v1.0.0/m.go"], "mixed_prefix").says("n@v1.0.0/m.go"),
        files("58", &["m@v1.0.0/x.go", "m.go"], "mixed_prefix").says("--prefix="),
        files("F18 another module", &["other.org/x@v1.0.0/m.go"], "prefix_mismatch").says("other.org/x@v1.0.0/"),
        files("F18 another version", &["m@v9.9.9/m.go"], "version_mismatch").says("v9.9.9").says("v1.0.0"),
        files("55", &["m@v1.0.1/m.go"], "version_mismatch"),
        files("47, F19 no go.mod for /v2", &["m.go"], "go_mod_required")
            .field("name", "example.com/m/v2")
            .field("version", "v2.0.0"),
        root("83, L20 two roots", ["go.mod", "v2/go.mod"], "ambiguous_root").says("v2/go.mod"),
        files("F31 folders alone", &[], "empty_module"),
        files("F31 everything is left out", &["s/go.mod", "s/x.go", "vendor/x/y.go"], "empty_module"),
        Refusal::new("F31 a folder's entry alone", RawZip::of([RawEntry::new("m-1/", "")]).bytes(), "empty_module"),
    ]);
}

#[test]
fn a_go_mod_that_go_cannot_use_is_refused() {
    let link = RawEntry { mode: LINK, ..go_mod("other.mod") };
    let pipe = RawEntry { mode: 0o010_644, ..go_mod("") };
    let syntax = |row: &str, text: &str| with_go_mod(row, text, "go_mod_syntax");
    refuse_all([
        files("F20, 74", &["GO.MOD", "m.go"], "go_mod_case").says(r#""path":"GO.MOD""#),
        files("74", &["m@v1.0.0/Go.mod", "m@v1.0.0/m.go"], "go_mod_case"),
        Refusal::new("F20, 74 a link", RawZip::of([link, file("m.go")]).bytes(), "go_mod_not_regular"),
        Refusal::new("F20 a pipe", RawZip::of([pipe, file("m.go")]).bytes(), "go_mod_not_regular"),
        with_go_mod("F21, 54", "module example.com/other\n", "module_mismatch")
            .says("example.com/other")
            .says("fork=true"),
        with_go_mod("F22 no module line", "go 1.21\n", "go_mod_no_module"),
        with_go_mod("F22 nothing", "", "go_mod_no_module"),
        syntax("F22, 89 two module lines", "module example.com/m\nmodule example.com/m\n").says("go.mod:2"),
        syntax("F22 line 3", "module example.com/m\n\nrequire (((\n").says("go.mod:3"),
        syntax("F22, 89 a byte order mark", "\u{feff}module example.com/m\n").says("go.mod:1"),
        syntax("89 single quotes", "module 'example.com/m'\n"),
        syntax("89 a block without end", "module example.com/m\nrequire (\n").says("go.mod:"),
        syntax("89 a branch", "module example.com/m\nrequire x.y/z master\n").says("go.mod:2"),
        syntax("89 another major", "module example.com/m\nrequire x.y/z v2.0.0\n").says("go.mod:2"),
        syntax("89 go v1.20", "module example.com/m\ngo v1.20\n").says("go.mod:2"),
        syntax("89 go 1", "module example.com/m\ngo 1\n").says("go.mod:2"),
    ]);
}

#[test]
fn bad_module_paths_are_refused_with_the_right_one_where_that_is_clear() {
    // Without a go.mod, which would contradict the name, too.
    let path =
        |row: &str, name: &str| files(&format!("{row} {name}"), &["m.go"], "module_path_invalid").field("name", name);
    let meant = |name: &str| path("F25", name).says("Do you mean example.com/m?");
    let reserved = |name: &str| files(&format!("F32 {name}"), &["m.go"], "name_reserved").field("name", name);
    refuse_all([
        path("F24", "mymodule").says("missing dot in first path element"),
        meant("Example.com/m"),
        meant("example.com/m/"),
        path("F25", "/m").says("leading slash"),
        meant("/example.com/m"),
        meant("example.com//m"),
        meant("example.com/m/v1"),
        meant("example.com/m/v0"),
        meant("https://example.com/m"),
        meant("example.com/m@v1"),
        path("a blank", "example.com/a b"),
        path("another script", "example.com/é"),
        path("a device", "example.com/aux"),
        path("up", "example.com/../m"),
        path("a dash", "-example.com/m"),
        reserved("golang.org/toolchain"),
        reserved("golang.org/fips140"),
        reserved("std"),
        reserved("cmd"),
        reserved("go"),
        reserved("toolchain"),
        path("a name of 1,100 bytes", &format!("example.com/{}m", "m/".repeat(544))),
    ]);
}

#[test]
fn bad_versions_are_refused_with_the_right_one_where_that_is_clear() {
    let canonical = |version: &str| {
        usual(format!("F26, 52 {version}"), "version_not_canonical")
            .field("version", version)
            .says("Publish it as v1.0.0.")
    };
    let invalid = |version: &str| usual(format!("F26, 52 {version}"), "version_invalid").field("version", version);
    let declared = |row: &str, name: &str, version: &str, codes| {
        let archive = RawZip::of([go_mod(&format!("module {name}\n")), file("m.go")]).bytes();
        Refusal::new(format!("{row} {name} {version}"), archive, codes).field("name", name).field("version", version)
    };
    let major = |name, version| declared("F27, 51", name, version, "major_mismatch");
    let incompatible = |name, version| declared("F28, 49, 50", name, version, "incompatible_not_allowed");
    refuse_all([
        canonical("1.0.0"),
        canonical("v1"),
        canonical("v1.0"),
        canonical("v1.0.0+meta"),
        invalid("v01.0.0"),
        invalid("v1.0.0-"),
        invalid("latest"),
        invalid("main"),
        invalid("master"),
        invalid("v1.0.0/../x"),
        invalid("-v1.0.0"),
        major("example.com/m", "v2.0.0").says("v0 or v1"),
        major("example.com/m/v2", "v1.0.0").says("v2"),
        major("gopkg.in/x.v2", "v3.0.0").says("v2"),
        incompatible("example.com/m", "v2.0.0+incompatible"),
        incompatible("example.com/m/v2", "v2.0.0+incompatible"),
    ]);
}

#[test]
fn what_is_neither_said_nor_in_the_archive_is_missing() {
    let silent = |row: &str, names: &[&str], codes| files(row, names, codes).field("name", "").field("version", "");
    refuse_all([
        silent("F33", &["m.go"], "name_missing version_missing").says("-F name=").says("-F version="),
        silent("F33 a folder with a version only", &["m@v1.0.0/m.go"], "name_missing"),
        usual("57", "version_missing").field("version", ""),
        files("no name", &["m.go"], "name_missing").field("name", ""),
    ]);
}

#[test]
fn a_pseudo_version_of_another_commit_is_refused() {
    let commit = b"0123456789abcdef0123456789abcdef01234567";
    let of_commit = || {
        let entry = RawEntry { utc_s: Some(1_709_521_567), ..go_mod("module example.com/m\n") };
        RawZip { comment: commit.to_vec(), ..RawZip::of([entry]) }.bytes()
    };
    let pseudo = |row: &str, version: &str, codes| Refusal::new(row, of_commit(), codes).field("version", version);
    refuse_all([
        pseudo("F29, 87", "v0.0.0-20240304030607-aaaaaaaaaaaa", "pseudo_mismatch").says("0123456789ab"),
        pseudo("F29 another time", "v0.0.0-20240304030608-0123456789ab", "pseudo_mismatch"),
        pseudo("F29 both", "v0.0.0-20240304030608-aaaaaaaaaaaa", "pseudo_mismatch pseudo_mismatch"),
    ]);
}

#[test]
fn a_path_that_differs_in_case_only_is_refused_where_that_is_wanted() {
    let server = Server::with(&[LOG]);
    let settings = json!({"unique_ignoring_case": true});
    server.create_repository(&json!({"format": "go", "name": "unique", "kind": "hosted", "settings": settings}));
    let lower = usual("", "").field("repository", "unique");
    lower.form().send(&server).expect(201);
    let upper = RawZip::of([go_mod("module example.com/M\n"), file("m.go")]).bytes();
    let refusals = Refusals::by(&server);
    let case =
        Refusal::new("F30", upper, "case_conflict").status(409).field("name", "example.com/M").says("example.com/m");
    case.field("repository", "unique").check(&server, &refusals);
}
