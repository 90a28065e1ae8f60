//! Archives that look odd and are fine: what becomes of each, and what its publisher is told.
//!
//! Every row is published into a repository of its own, as `ex.com/m` `v1.0.0` unless said, and then read from
//! there as the `go` command reads it. The sums are those that Go computes from version control; they are
//! written down beside them.

use std::io::Cursor;

use serde_json::{Value, json};
use zip::ZipArchive;

use super::raw_zip::{LINK, RawEntry, RawZip};
use crate::harness::http;
use crate::harness::raw_form::RawForm;
use crate::harness::server::Server;

/// `go.mod` with the module line and `a.go`.
const BOTH: &str = "h1:9E3zllyEmg3gLJAsg+u5ATC16VlVuZ4eS+RInAfe5yQ=";
/// `a.go` alone.
const SOURCE: &str = "h1:WQ55TnrJRREvzfA8xQQZ+cs0fAZTC9aDcraW8Pi+gSY=";
/// The `go.mod` with nothing but the module line.
const GO_MOD: &str = "h1:hMYnDhGnDX+LM6Dm6IXUXPU9+J590fW/Sn0EH6Q94To=";

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// An upload that is accepted.
struct Case {
    row: &'static str,
    archive: Vec<u8>,
    fields: Vec<(&'static str, &'static str)>,
    at: (&'static str, &'static str),
    checks: Vec<(Check, String)>,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Check {
    /// The sum in the answer.
    H1,
    /// The files in the zip that is served, without their folder, in order.
    Kept,
    /// The `.mod` that is served.
    GoMod,
    /// The `.info` that is served.
    Info,
    /// The codes of all warnings.
    Warnings,
    /// A warning.
    Warns,
    /// No such warning.
    Silent,
    /// A piece of the answer.
    Says,
}

impl Case {
    fn new(row: &'static str, zip: &RawZip) -> Self {
        let fields = vec![("name", "ex.com/m"), ("version", "v1.0.0")];
        Self { row, archive: zip.bytes(), fields, at: ("ex.com/m", "v1.0.0"), checks: Vec::new() }
    }

    /// Sets a field; without a value it is left out.
    fn field(mut self, field: &'static str, value: &'static str) -> Self {
        self.fields.retain(|(known, _)| *known != field);
        self.fields.extend((!value.is_empty()).then_some((field, value)));
        self
    }

    /// Sets name and version, under which it is then found, too.
    fn at(self, name: &'static str, version: &'static str) -> Self {
        Self { at: (name, version), ..self }.field("name", name).field("version", version)
    }

    /// It is found under this name and version, whatever the fields say.
    fn found_at(self, name: &'static str, version: &'static str) -> Self {
        Self { at: (name, version), ..self }
    }

    fn check(mut self, check: Check, text: &str) -> Self {
        self.checks.push((check, text.to_owned()));
        self
    }

    fn kept(self, names: &str) -> Self {
        self.check(Check::Kept, names)
    }

    fn warns(self, code: &str) -> Self {
        self.check(Check::Warns, code)
    }

    fn says(self, text: &str) -> Self {
        self.check(Check::Says, text)
    }

    fn run(&self, server: &Server, repository: &str) {
        let (row, (name, version)) = (self.row, self.at);
        let form = RawForm::default().text("format", "go").text("repository", repository);
        let form = self.fields.iter().fold(form, |form, (field, value)| form.text(field, value)).file(&self.archive);
        let answer = form.send(server);
        assert_eq!(answer.status, 201, "{row}: {}", answer.text());
        let answer = answer.json();
        assert_eq!((&answer["name"], &answer["version"]), (&json!(name), &json!(version)), "{row}");
        let served = |extension: &str| {
            let files = answer["files"].as_array().expect("files");
            let url = files.iter().filter_map(|file| file["url"].as_str()).find(|url| url.ends_with(extension));
            http::get(url.unwrap_or_else(|| panic!("{row}: no {extension}: {answer:#}"))).expect(200)
        };
        for (check, wanted) in &self.checks {
            match check {
                Check::H1 => assert_eq!(answer["checksums"]["h1"], json!(wanted), "{row}"),
                Check::Kept => assert_eq!(&kept(&served(".zip").body, name, version), wanted, "{row}"),
                Check::GoMod => assert_eq!(&served(".mod").text(), wanted, "{row}"),
                Check::Info => assert_eq!(&served(".info").text(), wanted, "{row}"),
                Check::Warnings => assert_eq!(&warnings(&answer).join(" "), wanted, "{row}: {:#}", answer["warnings"]),
                Check::Warns => {
                    assert!(warnings(&answer).contains(&wanted.as_str()), "{row}: {:#}", answer["warnings"])
                }
                Check::Silent => {
                    assert!(!warnings(&answer).contains(&wanted.as_str()), "{row}: {:#}", answer["warnings"])
                }
                Check::Says => assert!(answer.to_string().contains(wanted), "{row}: {wanted} is not in {answer:#}"),
            }
        }
    }
}

fn warnings(answer: &Value) -> Vec<&str> {
    answer["warnings"].as_array().expect("warnings").iter().filter_map(|warning| warning["code"].as_str()).collect()
}

/// The files of a module zip, each of which must be below `name@version/`.
fn kept(zip: &[u8], name: &str, version: &str) -> String {
    let zip = ZipArchive::new(Cursor::new(zip)).expect("a zip");
    let prefix = format!("{name}@{version}/");
    let mut names: Vec<_> = (0..zip.len())
        .filter_map(|number| zip.name_for_index(number))
        .map(|name| name.expect("UTF-8").into_owned())
        .collect();
    names.iter_mut().for_each(|name| *name = name.strip_prefix(&prefix).expect("the prefix of the module").to_owned());
    names.join(" ")
}

/// All of them, each into a repository of its own.
fn accept_all(cases: impl IntoIterator<Item = Case>) {
    let server = Server::start();
    for (number, case) in cases.into_iter().enumerate() {
        let name = format!("row-{number}");
        server.create_repository(&json!({"format": "go", "name": name, "kind": "hosted", "anonymous_read": true}));
        case.run(&server, &name);
    }
}

fn entry(name: &str, content: &str) -> RawEntry {
    RawEntry::new(name, content)
}

/// The module whose sum is [`BOTH`], below a folder.
fn below(folder: &str) -> [RawEntry; 2] {
    [entry(&format!("{folder}go.mod"), "module ex.com/m\n"), entry(&format!("{folder}a.go"), "package a\n")]
}

/// The same without a folder, with further entries.
fn with(entries: impl IntoIterator<Item = RawEntry>) -> RawZip {
    RawZip::of(below("").into_iter().chain(entries))
}

/// A module with this `go.mod`.
fn go_mod(text: &str) -> RawZip {
    RawZip::of([entry("go.mod", text)])
}

#[test]
fn every_way_to_pack_a_module_gives_one_sum() {
    let same = |row, zip: &RawZip| Case::new(row, zip).check(Check::H1, BOTH).kept("go.mod a.go");
    let packed = |change: fn(RawEntry) -> RawEntry| RawZip::of(below("m@v1.0.0/").map(change));
    let directory = [entry("ex.com/m@v1.0.0/", "")].into_iter().chain(below("ex.com/m@v1.0.0/"));
    accept_all([
        same("41", &RawZip::of(below("ex.com/m@v1.0.0/")))
            .check(
                Check::Warnings,
                "commit_time_unknown go_mod_like_synthesised license_or_go_line_missing license_or_go_line_missing",
            )
            .says(GO_MOD),
        same("F17, 42 a short folder", &RawZip::of(below("m@v1.0.0/"))),
        same("F17, 42 as hosts name it", &RawZip::of(below("m-1.0.0/"))),
        same("F17, 42 none", &RawZip::of(below(""))),
        same("42 any", &RawZip::of(below("prefix/"))),
        same("43 with the folder's entry", &RawZip::of(directory)).check(Check::Silent, "files_omitted"),
        same("79 deflated", &packed(|entry| RawEntry { is_deflated: true, ..entry })),
        same("79 with descriptors", &packed(|entry| RawEntry { is_deflated: true, has_descriptor: true, ..entry })),
        same("79 zip64", &RawZip { is_zip64: true, ..packed(|entry| RawEntry { is_zip64: true, ..entry }) }),
        same("F33, 56", &RawZip::of(below("ex.com/m@v1.0.0/"))).field("name", "").field("version", ""),
        same("the name from go.mod", &RawZip::of(below(""))).field("name", ""),
        same("a tag in full", &RawZip::of(below(""))).field("version", "refs/tags/v1.0.0").warns("tag_prefix_stripped"),
    ]);
}

#[test]
fn a_module_without_a_go_mod_is_served_with_one() {
    let source = RawZip::of([entry("a.go", "package a\n")]);
    let case =
        |row, name, version| Case::new(row, &source).at(name, version).kept("a.go").warns("go_mod_like_synthesised");
    accept_all([
        case("F19, 46", "ex.com/m", "v1.0.0")
            .check(Check::H1, SOURCE)
            .check(Check::GoMod, "module ex.com/m\n")
            .says(GO_MOD),
        case("48", "ex.com/m", "v2.0.0+incompatible").check(Check::Silent, "incompatible_unneeded"),
        case("F28, 50", "ex.com/m", "v1.0.0+incompatible").warns("incompatible_unneeded"),
        case("gopkg.in", "gopkg.in/yaml.v2", "v2.0.0").check(Check::GoMod, "module gopkg.in/yaml.v2\n"),
        Case::new("53", &go_mod("module gopkg.in/yaml.v2\n")).at("gopkg.in/yaml.v2", "v2.1.0"),
        Case::new("F31 nothing but go.mod", &go_mod("module ex.com/m\n")).kept("go.mod"),
    ]);
}

#[test]
fn what_does_not_belong_to_a_module_is_left_out() {
    let omitted = |row, zip: &RawZip| Case::new(row, zip).warns("files_omitted");
    let special = |name: &str, mode| RawEntry { mode, ..entry(name, "x") };
    let vendored = |version: &str| {
        let go_mod = entry("go.mod", &format!("module ex.com/m\n\ngo {version}\n"));
        let files = ["vendor/x/y.go", "vendor/modules.txt", "pkg/vendor/v.go"].map(|name| entry(name, ""));
        RawZip::of([go_mod].into_iter().chain(files))
    };
    let others =
        [special("link", LINK), special("pipe", 0o010_644), special("device", 0o060_644), special("tool", 0o104_755)];
    accept_all([
        omitted("F16, 59", &with([entry("s/go.mod", "module ex.com/m/s\n"), entry("s/x.go", "package s\n")]))
            .check(Check::H1, BOTH)
            .says(r#""nested_module":2"#),
        omitted(
            "60",
            &with([entry("s/Go.Mod", ""), entry("s/x.go", ""), entry("t/go.mod", ""), entry("t/u/x.go", "")]),
        )
        .check(Check::H1, BOTH),
        omitted("61", &with([special("s/go.mod", LINK), entry("s/x.go", "")]))
            .check(Check::H1, "h1:323O0TkbeSO704oNokl/sK7TVWqpUFLQS5/3PCO03AI=")
            .kept("go.mod a.go s/x.go"),
        omitted("F16, 62 before 1.24", &vendored("1.23")).kept("go.mod vendor/modules.txt").says(r#""vendored":2"#),
        omitted("F16, 62 from 1.24 on", &vendored("1.24")).kept("go.mod pkg/vendor/v.go").says(r#""vendored":2"#),
        omitted("F16, 63", &with([entry("s/go.mod", ""), entry("s/con.go", ""), entry("vendor/x/con.go", "")]))
            .check(Check::H1, BOTH),
        omitted("F15, 72", &with(others)).kept("go.mod a.go tool").says(r#""irregular":3"#),
        Case::new("73", &with([RawEntry { system: 0, ..special("text", LINK) }])).kept("go.mod a.go text"),
        omitted("F16, 75", &with([entry(".hg_archival.txt", ""), entry("s/.hg_archival.txt", "")]))
            .kept("go.mod a.go s/.hg_archival.txt"),
    ]);
}

#[test]
fn the_module_is_found_in_an_archive_of_its_repository() {
    let sub = "github.com/yc/mymodule/sub";
    let part = [entry("sub/go.mod", &format!("module {sub}\n")), entry("sub/x.go", "package sub\n")];
    let root =
        [entry("LICENSE", "free\n"), entry("go.mod", "module github.com/yc/mymodule\n"), entry("a.go", "package a\n")];
    let whole = RawZip { comment: COMMIT.into(), ..RawZip::of(root.into_iter().chain(part.clone())) };
    accept_all([
        Case::new("81", &whole)
            .field("name", sub)
            .field("version", "sub/v1.2.3")
            .found_at(sub, "v1.2.3")
            .kept("go.mod x.go LICENSE")
            .warns("tag_prefix_stripped")
            .check(Check::Silent, "root_license_missing")
            .says(r#""subdirectory":"sub""#),
        Case::new("82", &RawZip::of(part))
            .field("name", sub)
            .field("version", "sub/v1.2.3")
            .found_at(sub, "v1.2.3")
            .kept("go.mod x.go")
            .warns("root_license_missing")
            .says(r#""subdirectory":"sub""#),
    ]);
}

#[test]
fn commit_and_time_come_from_the_archive() {
    // One moment: 03:06:07 on 4 March in UTC, and 22:06:06 on the day before in New York.
    let at = |entry: RawEntry| RawEntry { utc_s: Some(1_709_521_567), dos_time: 0x5863_b0c3, ..entry };
    let made = |folder: &str, comment: &str| RawZip { comment: comment.into(), ..RawZip::of(below(folder).map(at)) };
    let tagged = |comment: &str| made("m@v1.0.0/", comment);
    let pseudo =
        |row, version| Case::new(row, &RawZip::of(below(""))).at("ex.com/m", version).warns("pseudo_version_unchecked");
    let sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let origin = |hash: &str| format!(r#""Origin":{{"VCS":"git","Hash":"{hash}"}}"#);
    let info = |origin: &str| format!(r#"{{"Version":"v1.0.0","Time":"2024-03-04T03:06:07Z",{origin}}}"#);
    accept_all([
        Case::new("84 40 digits, 85 New York", &tagged(COMMIT))
            .check(Check::Info, &info(&origin(COMMIT)))
            .check(Check::Silent, "commit_time_unknown"),
        Case::new("84 64 digits", &tagged(sha256)).check(Check::Info, &info(&origin(sha256))),
        Case::new("84 another comment", &tagged("hello"))
            .says(r#""time_source":"upload""#)
            .warns("commit_time_unknown"),
        Case::new("86", &tagged("")).says(r#""time_source":"upload""#).warns("commit_time_unknown"),
        pseudo("F29 an impossible time", "v0.0.0-20191399021931-daa7c04131f5"),
        pseudo("F29 upper case", "v0.0.0-20191109021931-DAA7C04131F5"),
        pseudo("F29 11 digits", "v0.0.0-20191109021931-daa7c04131f"),
        Case::new("a pseudo-version of its commit", &made("m-0123456/", COMMIT))
            .at("ex.com/m", "v0.0.0-20240304030607-0123456789ab")
            .check(Check::Silent, "pseudo_version_unchecked"),
    ]);
}

#[test]
fn what_publishers_should_know_is_told_and_no_reason_to_refuse() {
    let attributes = |text: &str| with([entry(".gitattributes", text)]);
    let crlf = RawZip::of([entry("go.mod", "module ex.com/m\r\n"), entry("a.go", "package a\r\n")]);
    let lax =
        |row, line: &str| Case::new(row, &go_mod(&format!("module ex.com/m\n{line}\n"))).warns("go_mod_not_strict");
    let complete = RawZip {
        comment: COMMIT.into(),
        ..RawZip::of(
            [entry("go.mod", "module ex.com/m\n\ngo 1.21\n"), entry("LICENSE", "free\n")]
                .map(|entry| RawEntry { utc_s: Some(1_709_521_567), ..entry }),
        )
    };
    accept_all([
        Case::new("nothing", &complete).check(Check::Warnings, ""),
        Case::new("88", &attributes("*.go export-subst\n")).warns("export_attributes"),
        Case::new("88 only in a comment", &attributes("# export-subst\n")).check(Check::Silent, "export_attributes"),
        Case::new("90 CRLF", &crlf).check(Check::GoMod, "module ex.com/m\r\n").warns("crlf_text"),
        Case::new("90 a block", &go_mod("module (\n ex.com/m\n)\n")),
        Case::new("90 quotes", &go_mod("module \"ex.com/m\"\n")),
        lax("90 an unknown directive", "unknown thing"),
        lax("90 a bad retraction", "retract bad"),
        lax("90 go 1.20.x", "go 1.20.x"),
        Case::new("F23, 91 replace", &go_mod("module ex.com/m\n\nreplace x.y/z => ../z\n")).warns("replace_or_exclude"),
        Case::new("F23, 91 exclude", &go_mod("module ex.com/m\n\nexclude x.y/z v1.0.0\n")).warns("replace_or_exclude"),
        Case::new("92", &go_mod("// Deprecated: use ex.com/m/v2\nmodule ex.com/m\n"))
            .says(r#""deprecated":"use ex.com/m/v2""#),
        Case::new("W11 it retracts itself", &go_mod("module ex.com/m\n\nretract v1.0.0\n")),
        Case::new("W12", &go_mod("module ex.com/m\n\nretract [v1.1.0, v1.0.0]\n")).warns("retract_range_empty"),
        Case::new("W13", &go_mod("module ex.com/m\n\ntoolchain ../x\n")).warns("toolchain_invalid"),
        Case::new("W14", &go_mod("module ex.com/other\n")).field("fork", "true").warns("fork"),
    ]);
}

#[test]
fn a_path_that_differs_in_case_only_is_told() {
    let server = Server::start();
    let publish = |name: &str| {
        let archive = go_mod(&format!("module {name}\n")).bytes();
        RawForm::module(name, "v1.0.0").file(archive).send(&server).expect(201).json()
    };
    assert!(!warnings(&publish("example.com/m")).contains(&"case_twin"), "F30: the first one");
    assert!(warnings(&publish("example.com/M")).contains(&"case_twin"), "F30: the second one");
}
