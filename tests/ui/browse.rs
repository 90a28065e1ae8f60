//! Finding, reading and copying in the browser.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::{plain_file, publish, scenario, server, server_with};
use crate::harness::archives;
use crate::harness::http;
use crate::harness::machine::Machine;
use crate::harness::random::Random;
use crate::harness::raw_form::RawForm;
use crate::harness::refusal;
use crate::harness::server::Server;
use crate::harness::upload::Form;
use crate::harness::wait;

const M: &str = "github.com/yourcompany/mymodule";
const README: &str =
    "# My module\n\nKeeps *ledgers*.\n\n## Use\n\n```go\nledger.Open()\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n";

fn with_module() -> Server {
    let server = server();
    for version in ["v1.0.0", "v1.1.0"] {
        publish(
            &server,
            M,
            version,
            &[("README.md", README), ("LICENSE", "free"), ("cmd/x/main.go", "package main\n")],
        );
    }
    server
}

#[test]
fn a_package_opened_by_its_address_is_all_there() {
    scenario(&with_module(), "browse/deepLink", &json!({"name": M, "version": "v1.1.0", "older": "v1.0.0"}));
}

#[test]
fn a_package_says_where_it_comes_from_and_whether_its_bytes_are_what_they_were() {
    let mut server = server_with(&[("KEEPER_SCRUB_RATE", "0")]);
    let noise = Random::seeded(1).bytes(20_000);
    let go_mod = format!("module {M}\n\ngo 1.21\n");
    let archive = archives::zip(&[("go.mod", go_mod.as_bytes()), ("m.go", b"package m\n"), ("noise.bin", &noise)]);
    let form = Form::go(archive).with("name", M).with("version", "v1.0.0").with("origin_url", "https://git.example/m");
    form.send(&server).expect(201);
    let path = format!("/r/go/local/p/{M}@v1.0.0");
    let facts = |says: &[&str], zip: &str| json!({"path": path, "login": "admin", "token": "bootstrap", "says": says, "sums": ["matched", "matched", zip]});
    let says = ["by admin", "POST /api/artifacts", "https://git.example/m", "as stated by the publisher", "none yet"];
    scenario(&server, "browse/provenance", &facts(&says, "not checked yet"));
    http::get(&format!("{}/{M}/@v/v1.0.0.zip", server.go("local"))).expect(200);
    server.stop();
    let blob = refusal::files(&server.data().join("blobs/sha256")).into_iter().next().expect("the zip");
    std::fs::set_permissions(&blob, std::fs::Permissions::from_mode(0o640)).expect("writable");
    let mut rotten = std::fs::read(&blob).expect("the zip");
    rotten[10_000] ^= 1;
    std::fs::write(&blob, &rotten).expect("the zip");
    server.set("KEEPER_SCRUB_RATE", "64MiB");
    server.start_again();
    let status = || server.api("GET", "/api/status", None).expect(200).json();
    wait::until("the damage is found", || status()["damaged"]["count"] == 1);
    server.command("verify").failed();
    let copy = server.data().with_file_name("copy");
    server.command(&format!("backup --to {}", copy.display())).failed();
    scenario(&server, "browse/provenance", &facts(&["the last one on"], "does not match"));
    scenario(
        &server,
        "people/system",
        &json!({"says": ["1 faults in 3 files", "last backup"], "damaged": "blob_corrupt"}),
    );
}

#[test]
fn every_page_that_anyone_may_open_stands() {
    let server = with_module();
    let of = |view: &str| format!("/r/go/local/p/{M}?view={view}");
    let paths = [
        "/".to_owned(),
        "/r/go/local".to_owned(),
        of("versions"),
        of("files"),
        of("requiredby"),
        format!("/r/go/local/p/{M}@v9.9.9"),
        "/r/go/local/p/github.com/yourcompany/mymodlue".to_owned(),
        "/search?q=mymodule".to_owned(),
        "/doctor".to_owned(),
        "/help/errors".to_owned(),
        "/help/keys".to_owned(),
        "/no/such/page".to_owned(),
    ];
    scenario(&server, "browse/pages", &json!({"paths": paths}));
}

#[test]
fn odd_names_are_linked_loaded_and_fit_a_small_screen() {
    let server = server();
    let long = format!("example.com/{}", ["abcdefghijklmnopqrstuvwxyz-0123456789"; 3].join("/"));
    let modules = [
        ("github.com/Azure/SDK.for_go~x", "v1.0.0"),
        ("example.com/legacy", "v2.3.1+incompatible"),
        (long.as_str(), "v0.0.0-20260102150405-abcdef123456"),
        ("gopkg.in/yaml.v3", "v3.0.0"),
    ];
    for (name, version) in modules {
        publish(&server, name, version, &[]);
    }
    scenario(&server, "browse/oddNames", &json!({"modules": modules}));
}

#[test]
fn what_is_copied_brings_the_module_and_the_sums_that_were_shown() {
    let server = with_module();
    let copied = scenario(&server, "browse/copies", &json!({"name": M, "version": "v1.1.0"}));
    assert_eq!(copied["install"], format!("go get {M}@v1.1.0"));
    let machine = Machine::of_a_user_of(&server);
    let project = machine.project("app");
    machine.sh(&project, copied["install"].as_str().expect("a command")).succeeded();
    let sums = std::fs::read_to_string(project.join("go.sum")).expect("go.sum");
    for line in copied["sums"].as_str().expect("lines").lines() {
        assert!(sums.lines().any(|other| other == line), "{line} is not in {sums}");
    }
}

#[test]
fn the_latest_version_is_the_one_that_go_takes() {
    let server = server();
    publish(&server, M, "v1.1.0", &[]);
    let retracting = format!("module {M}\n\ngo 1.21\n\nretract [v1.1.0, v1.1.1] // Lost data.\n");
    publish(&server, M, "v1.0.0", &[]);
    publish(&server, M, "v1.1.1", &[("go.mod", &retracting)]);
    let shown = scenario(&server, "browse/latest", &json!({"name": M}));
    let machine = Machine::of_a_user_of(&server);
    let asked = machine.go(&machine.project("app"), &format!("list -m {M}@latest")).succeeded();
    assert_eq!(asked.stdout(), format!("{M} {}", shown["latest"].as_str().expect("a version")));
}

#[test]
fn notices_show_what_was_written_as_text() {
    let server = server();
    let markup = "Use v2. <img src=x onerror=alert(1)>";
    let go_mod = format!("// Deprecated: {markup}\nmodule {M}\n\ngo 1.21\n\nretract v1.0.0 // Lost data. <b>now</b>\n");
    let yanked = publish(&server, M, "v0.9.0", &[]);
    let blocked = publish(&server, M, "v0.8.0", &[]);
    publish(&server, M, "v1.0.0", &[]);
    publish(&server, M, "v1.1.0", &[("go.mod", &go_mod)]);
    for (answer, state) in [(&yanked, "yanked"), (&blocked, "blocked")] {
        let change = json!({"state": state, "reason": "<script>alert(2)</script> is why"});
        server.api("PATCH", &format!("/api/artifacts/{}", answer.text("id")), Some(&change)).expect(200);
    }
    let at = |version: &str| format!("/r/go/local/p/{M}@{version}");
    let shown = [
        (at("v1.0.0"), "v1.0.0 is retracted.", "Lost data. <b>now</b>"),
        (at("v1.0.0"), "v1.0.0 is retracted.", "So says v1.1.0."),
        (at("v1.1.0"), "is deprecated.", markup),
        (at("v0.9.0"), "v0.9.0 is yanked.", "<script>alert(2)</script> is why"),
        (at("v0.8.0"), "v0.8.0 is blocked.", "<script>alert(2)</script> is why"),
    ];
    scenario(&server, "browse/notices", &json!({"shown": shown}));
}

#[test]
fn filters_are_in_the_address_and_late_answers_are_dropped() {
    let server = server();
    for name in ["example.com/alpha", "example.com/beta", "example.com/alphabet", "example.com/gamma"] {
        publish(&server, name, "v1.0.0", &[]);
    }
    scenario(&server, "browse/filters", &json!({"few": "alpha", "many": "example"}));
}

#[test]
fn a_list_says_who_uses_a_module_and_under_which_licence_it_is() {
    let server = server();
    let module = |name: &str| format!("example.com/{name}");
    let needs = |name: &str, more: &[&str]| {
        let require = more.iter().map(|other| format!("require {} v1.0.0\n", module(other))).collect::<String>();
        format!("module {}\n\ngo 1.21\n\n{require}", module(name))
    };
    let apache = "                     Apache License\n               Version 2.0, January 2004\n";
    publish(&server, &module("base"), "v1.0.0", &[("LICENSE", apache)]);
    publish(
        &server,
        &module("log"),
        "v1.0.0",
        &[("LICENSE", "SPDX-License-Identifier: MIT\n"), ("go.mod", &needs("log", &["base"]))],
    );
    publish(&server, &module("app"), "v1.0.0", &[("LICENSE", "Ask us."), ("go.mod", &needs("app", &["base", "log"]))]);
    publish(&server, &module("bare"), "v1.0.0", &[("go.mod", &needs("bare", &["base"]))]);
    plain_file(&server, "tool/1.0.0/notes.txt", b"notes");
    server.create_repository(&json!({"format": "go", "name": "secret", "kind": "hosted"}));
    let hidden = archives::zip(&[("go.mod", needs("hidden", &["base"]).as_bytes()), ("doc.go", b"package hidden\n")]);
    let form = Form::go(hidden).with("repository", "secret").with("name", &module("hidden")).with("version", "v1.0.0");
    form.send(&server).expect(201);
    let list = server.api("GET", "/api/packages?sort=most_used&repository=local", None).expect(200).json();
    let by_name =
        |name: &str| list["items"].as_array().expect("items").iter().position(|one| one["name"] == module(name));
    let mut rows =
        vec![("base", "4", "Apache-2.0"), ("log", "1", "MIT"), ("app", "0", "unknown"), ("bare", "0", "none found")];
    // Among those that are used alike the order is by id.
    rows[2..].sort_by_key(|(name, ..)| by_name(name));
    let rows: Vec<_> = rows.into_iter().map(|(name, used, licence)| json!([module(name), used, licence])).collect();
    scenario(&server, "browse/columns", &json!({"rows": rows}));
}

#[test]
fn needs_are_linked_and_those_of_old_versions_come_first() {
    const BASE: &str = "example.com/base";
    const ELSEWHERE: &str = "example.org/elsewhere";
    let server = server();
    let retracting = format!("module {BASE}\n\ngo 1.21\n\nretract v1.1.0 // Lost data.\n");
    for (version, go_mod) in [("v1.0.0", None), ("v1.1.0", None), ("v1.2.0", Some(&*retracting))] {
        publish(&server, BASE, version, &go_mod.map(|text| ("go.mod", text)).into_iter().collect::<Vec<_>>());
    }
    for (name, version) in
        [("example.com/bad", "v1.1.0"), ("example.com/old", "v1.0.0"), ("example.com/fresh", "v1.2.0")]
    {
        let go_mod = format!("module {name}\n\ngo 1.21\n\nrequire {BASE} {version}\nrequire {ELSEWHERE} v1.0.0\n");
        publish(&server, name, "v1.0.0", &[("go.mod", &go_mod)]);
    }
    let order = [
        ("example.com/bad", "requires a retracted version"),
        ("example.com/old", "1 behind"),
        ("example.com/fresh", ""),
    ];
    let facts = json!({
        "base": BASE, "order": order, "user": "example.com/fresh", "elsewhere": ELSEWHERE,
        "file": "example.com/fresh@v1.0.0/go.mod",
    });
    scenario(&server, "browse/needs", &facts);
}

#[test]
fn many_versions_come_page_by_page_and_one_is_found_by_its_number() {
    const VERSIONS: usize = 240;
    let server = server();
    for version in 0..VERSIONS {
        publish(&server, M, &format!("v1.{version}.0"), &[]);
    }
    let facts = json!({"name": M, "versions": VERSIONS, "needle": "v1.137.0"});
    scenario(&server, "browse/manyVersions", &facts);
}

#[test]
fn everything_can_be_done_without_a_pointer() {
    let facts = json!({"name": M, "version": "v1.1.0", "login": "admin"});
    scenario(&with_module(), "browse/keyboard", &facts);
}

#[test]
fn plain_files_are_shown_as_folders_and_a_stored_page_is_a_download() {
    let server = server();
    plain_file(&server, "tool/1.0.0/linux/notes.txt", b"first line\nsecond line\n");
    plain_file(&server, "tool/1.0.0/report.html", b"<script>globalThis.hostile = 1</script>");
    let facts = json!({
        "folder": "tool/1.0.0/linux", "file": "tool/1.0.0/linux/notes.txt", "html": "tool/1.0.0/report.html",
        "text": "second line"
    });
    scenario(&server, "browse/plainFiles", &facts);
}

#[test]
fn the_lines_of_the_set_up_page_set_a_client_up() {
    let server = with_module();
    let shown = scenario(&server, "browse/setup", &json!({}));
    let texts = shown["texts"].as_array().expect("texts");
    let shell = texts.iter().find(|text| text["id"] == "shell").expect("the text for a shell");
    let machine = Machine::new();
    let project = machine.project("app");
    machine.sh(&project, shell["text"].as_str().expect("lines")).succeeded();
    machine.sh(&project, &format!("GOFLAGS=-mod=mod GONOSUMDB='*' GOSUMDB=off go get {M}@v1.1.0")).succeeded();
}

#[test]
fn the_doctor_says_what_is_wrong_in_the_browser() {
    let report = json!({"GOPROXY": "https://proxy.example.com", "GOFLAGS": "", "GOVERSION": "go1.24.0"}).to_string();
    scenario(&with_module(), "browse/doctor", &json!({"report": report, "says": "GOPROXY"}));
}

#[test]
fn a_format_that_the_pages_know_nothing_of_has_them_all() {
    let server = Server::with_hostile_format();
    server.create_repository(&json!({"format": "hostile", "name": "r", "kind": "hosted", "anonymous_read": true}));
    for version in ["1.9", "1.10"] {
        let form = RawForm::of("hostile", "pkg", version).text("repository", "r").text("filename", "pkg.tar");
        form.text("summary", "A package").file("tar").send(&server).expect(201);
    }
    let command = format!("{}/api/artifacts", server.url);
    let facts = json!({
        "format": "hostile", "repository": "r", "name": "pkg", "versions": ["1.9", "1.10"], "file": "pkg.tar",
        "command": command,
    });
    scenario(&server, "browse/foreignFormat", &facts);
}
