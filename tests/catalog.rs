//! Finding what is published, and changing its state: packages, versions, dependents, search, files, contents,
//! README, yank and block.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::archives::zip;
use crate::harness::http::{self, Response};
use crate::harness::random::Random;
use crate::harness::server::{ADMIN_TOKEN, Server};
use crate::harness::upload::{Answer, Form};

const M: &str = "github.com/yourcompany/mymodule";

/// Publishes a module of these lines of go.mod.
fn publish(server: &Server, repository: &str, name: &str, version: &str, rest: &str) -> Answer {
    let last = name.rsplit('/').next().expect("a name");
    let source = format!("// Package {last} keeps ledgers of {version}. And more.\npackage {last}\n");
    let readme = format!("# {last}\n\nHello *{last}*. <script>alert(1)</script> [x](javascript:alert(1))\n");
    let archive = zip(&[
        ("go.mod", format!("module {name}\n\ngo 1.21\n{rest}").as_bytes()),
        ("doc.go", source.as_bytes()),
        ("cmd/tool/main.go", b"package main\n\nfunc main() {}\n"),
        ("README.md", readme.as_bytes()),
        ("logo.bin", &[0, 159, 146, 150]),
    ]);
    let form = Form::go(archive).with("name", name).with("version", version).with("repository", repository);
    form.send(server).expect(201)
}

fn get(server: &Server, path: &str) -> Value {
    server.api("GET", path, None).expect(200).json()
}

fn texts<'a>(page: &'a Value, key: &str) -> Vec<&'a str> {
    let items = page["items"].as_array().unwrap_or_else(|| panic!("no items: {page}"));
    items.iter().map(|item| item[key].as_str().unwrap_or_else(|| panic!("no {key}: {item}"))).collect()
}

fn id_of(server: &Server, name: &str) -> String {
    let page = get(server, &format!("/api/packages?name={name}"));
    page["items"][0]["id"].as_str().unwrap_or_else(|| panic!("no such package: {page}")).to_owned()
}

fn patch(server: &Server, id: &str, body: &Value, headers: &[(&str, &str)]) -> Response {
    patch_as(server, ADMIN_TOKEN, id, body, headers)
}

fn patch_as(server: &Server, token: &str, id: &str, body: &Value, more: &[(&str, &str)]) -> Response {
    let headers = [&[("Content-Type", "application/json")], more].concat();
    server.send(Some(token), "PATCH", &format!("/api/artifacts/{id}"), &headers, body.to_string().as_bytes())
}

#[test]
fn a_package_is_found_with_its_versions_and_marks() {
    let server = Server::start();
    publish(&server, "local", M, "v1.0.0", "");
    publish(&server, "local", M, "v1.1.0", "");
    publish(&server, "local", M, "v1.2.0-rc.1", "");
    publish(&server, "local", M, "v1.1.1", "\nretract v1.1.0 // lost <b>data</b>\nretract v1.1.1\n");
    let page = get(&server, "/api/packages?format=go&repository=local");
    assert_eq!(texts(&page, "name"), [M]);
    let package = &page["items"][0];
    assert_eq!(package["latest"], "v1.0.0", "the highest release that is not retracted");
    assert_eq!(package["versions"], 4);
    assert_eq!(package["description"], "Package mymodule keeps ledgers of v1.1.1.");
    let id = package["id"].as_str().expect("an id");
    assert_eq!(get(&server, &format!("/api/packages/{id}")), *package);
    let versions = get(&server, &format!("/api/packages/{id}/versions"));
    assert_eq!(texts(&versions, "version"), ["v1.2.0-rc.1", "v1.1.1", "v1.1.0", "v1.0.0"], "in the order of Go");
    let marks = |at: usize| &versions["items"][at];
    assert_eq!(marks(0)["prerelease"], true);
    assert_eq!(marks(2)["retracted"], "lost <b>data</b>", "the author's words, as text");
    assert_eq!((&marks(3)["latest"], &marks(3)["step"]), (&json!(true), &json!("major")));
    let first = get(&server, &format!("/api/packages/{id}/versions?limit=3"));
    let cursor = first["next_cursor"].as_str().expect("more follow");
    let second = get(&server, &format!("/api/packages/{id}/versions?limit=3&cursor={cursor}"));
    assert_eq!((texts(&second, "version"), &second["next_cursor"]), (vec!["v1.0.0"], &Value::Null));
    let gone = marks(0)["id"].as_str().expect("an id").to_owned();
    server.api("DELETE", &format!("/api/artifacts/{gone}?reason=mistake"), None).expect(204);
    assert_eq!(texts(&get(&server, &format!("/api/packages/{id}/versions")), "version").len(), 3);
    let all = get(&server, &format!("/api/packages/{id}/versions?deleted=true"));
    assert_eq!((&all["items"][0]["state"], &all["items"][0]["state_reason"]), (&json!("deleted"), &json!("mistake")));
}

#[test]
fn versions_are_found_by_a_part_of_their_number_page_by_page() {
    let server = Server::start();
    for version in ["v1.0.0", "v1.3.0", "v1.3.1", "v1.3.2", "v1.4.0"] {
        publish(&server, "local", M, version, "");
    }
    let id = id_of(&server, M);
    let first = get(&server, &format!("/api/packages/{id}/versions?q=1.3&limit=2"));
    assert_eq!(texts(&first, "version"), ["v1.3.2", "v1.3.1"]);
    let cursor = first["next_cursor"].as_str().expect("one more");
    let rest = get(&server, &format!("/api/packages/{id}/versions?q=1.3&limit=2&cursor={cursor}"));
    assert_eq!(texts(&rest, "version"), ["v1.3.0"]);
    assert_eq!(rest["next_cursor"], Value::Null);
    server.api("GET", &format!("/api/packages/{id}/versions?q=1.4&cursor={cursor}"), None).expect(400);
    assert_eq!(texts(&get(&server, &format!("/api/packages/{id}/versions?q=v9")), "version"), [""; 0]);
}

#[test]
fn a_yanked_version_is_served_by_name_only_and_a_blocked_one_not_at_all() {
    let server = Server::start();
    publish(&server, "local", M, "v1.0.0", "");
    let id = publish(&server, "local", M, "v1.1.0", "").text("id").to_owned();
    let list = || http::get(&format!("{}/{M}/@v/list", server.go("local"))).expect(200).text();
    let latest = || http::get(&format!("{}/{M}/@latest", server.go("local"))).expect(200).json()["Version"].clone();
    let file = || http::get(&format!("{}/{M}/@v/v1.1.0.info", server.go("local")));
    assert_eq!((list(), latest()), ("v1.0.0\nv1.1.0\n".to_owned(), json!("v1.1.0")));
    let yanked = patch(&server, &id, &json!({"state": "yanked", "reason": "broken"}), &[]).expect(200);
    assert_eq!((&yanked.json()["state"], &yanked.json()["state_reason"]), (&json!("yanked"), &json!("broken")));
    assert_eq!((list(), latest()), ("v1.0.0\n".to_owned(), json!("v1.0.0")), "at once");
    file().expect(200);
    patch(&server, &id, &json!({"state": "blocked", "reason": "CVE-1"}), &[]).expect(200);
    let refused = file().expect(403);
    assert_eq!(refused.header("x-error-code"), Some("blocked"));
    assert!(refused.text().contains("CVE-1"), "{}", refused.text());
    let download = server.api("GET", &format!("/api/artifacts/{id}/files/v1.1.0.zip"), None).expect(403);
    assert_eq!(download.json()["code"], "blocked");
    patch(&server, &id, &json!({"state": "active"}), &[]).expect(200);
    assert_eq!((list(), latest()), ("v1.0.0\nv1.1.0\n".to_owned(), json!("v1.1.0")));
    server.api("DELETE", &format!("/api/artifacts/{id}"), None).expect(204);
    let gone = patch(&server, &id, &json!({"state": "active"}), &[]).expect(410);
    assert_eq!(gone.json()["code"], "deleted");
}

#[test]
fn a_change_needs_its_right_and_its_condition() {
    let server = Server::start();
    let id = publish(&server, "local", M, "v1.0.0", "").text("id").to_owned();
    let publisher = server.token("--name p --actions publish --repositories go/local");
    let reader = server.token("--name r --actions read --repositories go/local");
    let owner = server.token("--name o --actions manage --repositories go/local");
    let (yank, block) = (json!({"state": "yanked"}), json!({"state": "blocked"}));
    let (active, pin) = (json!({"state": "active"}), json!({"pinned": true}));
    let rows = [
        (&reader, &yank, 403),
        (&reader, &pin, 403),
        (&publisher, &block, 403),
        (&publisher, &pin, 403),
        (&publisher, &yank, 200),
        (&owner, &block, 200),
        (&publisher, &active, 403),
        (&publisher, &yank, 403),
        (&owner, &yank, 200),
        (&publisher, &active, 200),
        (&owner, &pin, 200),
    ];
    for (row, (token, body, status)) in rows.into_iter().enumerate() {
        let answer = patch_as(&server, token, &id, body, &[]);
        assert_eq!(answer.status, status, "row {row}: {}", answer.text());
    }
    let read = server.api("GET", &format!("/api/artifacts/{id}"), None).expect(200);
    assert_eq!(read.json()["pinned"], true);
    let tag = read.header("etag").expect("a tag").to_owned();
    let changed = patch(&server, &id, &yank, &[("If-Match", &tag)]).expect(200);
    assert_ne!(changed.header("etag"), Some(&*tag));
    let stale = patch(&server, &id, &active, &[("If-Match", &tag)]).expect(412);
    assert_eq!(stale.json()["code"], "stale_write");
    for (body, code) in [
        (json!({}), "invalid_field"),
        (json!({"state": "deleted"}), "invalid_field"),
        (json!({"state": "gone"}), "invalid_field"),
        (json!({"reason": "x"}), "invalid_field"),
        (json!({"state": "yanked", "reason": "a\nb"}), "invalid_field"),
        (json!({"state": "yanked", "because": "x"}), "unknown_field"),
    ] {
        assert_eq!(patch(&server, &id, &body, &[]).expect(400).json()["code"], code, "{body}");
    }
}

#[test]
fn who_needs_a_package_is_told_to_those_who_may_read_it() {
    let server = Server::start();
    server.create_repository(&json!({"format": "go", "name": "private", "kind": "hosted"}));
    let needs = format!("\nrequire {M} v1.0.0\n");
    publish(&server, "local", M, "v1.0.0", "");
    publish(&server, "local", "example.com/open", "v1.0.0", &needs);
    publish(&server, "local", "example.com/open", "v1.1.0", &needs);
    publish(&server, "private", "example.com/secret", "v1.0.0", &needs);
    let id = id_of(&server, M);
    let all = get(&server, &format!("/api/packages/{id}/dependents"));
    assert_eq!(texts(&all, "name"), ["example.com/secret", "example.com/open", "example.com/open"]);
    let latest: Vec<_> = all["items"].as_array().expect("items").iter().map(|one| one["latest"].clone()).collect();
    assert_eq!(latest, [true, true, false]);
    assert_eq!(all["items"][0]["needs"], "v1.0.0");
    let open = http::get(&format!("{}/api/packages/{id}/dependents", server.url)).expect(200);
    assert_eq!(texts(&open.json(), "name"), ["example.com/open", "example.com/open"]);
    assert!(!open.text().contains("secret"));
    // Counted are packages, not versions, and those that nobody names too.
    let listed =
        |page: &Value| page["items"].as_array().expect("items").iter().map(|one| one["used_by"].clone()).collect();
    let by_use = "/api/packages?sort=most_used&repository=local";
    let of: Vec<Value> = listed(&http::get(&format!("{}{by_use}", server.url)).expect(200).json());
    assert_eq!(of, [2, 0]);
    let first = get(&server, &format!("{by_use}&limit=1"));
    let cursor = first["next_cursor"].as_str().expect("one more");
    let rest: Vec<Value> = listed(&get(&server, &format!("{by_use}&limit=1&cursor={cursor}")));
    assert_eq!(rest, [0], "a page of one each");
    get_refused(&server, &format!("/api/packages?sort=newest&repository=local&cursor={cursor}"));
    server
        .api("DELETE", &format!("/api/artifacts/{}", all["items"][0]["id"].as_str().expect("an id")), None)
        .expect(204);
    assert_eq!(get(&server, &format!("/api/packages/{id}"))["used_by"], 1, "a tombstone needs nothing");
}

/// A cursor of another order is none.
#[track_caller]
fn get_refused(server: &Server, path: &str) {
    assert_eq!(server.api("GET", path, None).expect(400).json()["code"], "invalid_cursor", "{path}");
}

#[test]
fn a_search_finds_words_beginnings_parts_and_what_was_meant() {
    let server = Server::start();
    server.create_repository(&json!({"format": "go", "name": "private", "kind": "hosted"}));
    publish(&server, "local", M, "v1.0.0", "");
    publish(&server, "local", "github.com/yourcompany/mymodule-extra", "v1.0.0", "");
    publish(&server, "private", "example.com/hidden", "v1.0.0", "");
    let found = |q: &str| get(&server, &format!("/api/search?q={q}"));
    for (q, first) in [
        ("yourcompany/my", M),
        ("mymodule", M),
        ("ymodul", M),
        ("ledgers%20extra", "github.com/yourcompany/mymodule-extra"),
        ("hidden", "example.com/hidden"),
        ("tool%20hidden", "example.com/hidden"),
        ("keeps%20mymodule", M),
        ("%22mymodule%20keeps%22", M),
    ] {
        let page = found(q);
        assert_eq!(texts(&page, "name").first(), Some(&first), "{q}: {page}");
        assert_eq!(page["approximate"], false, "{q}");
    }
    let turned = found("%22keeps%20mymodule%22");
    assert!(turned["items"] == json!([]) || turned["approximate"] == true, "not in this order: {turned}");
    let meant = found("mymodlue");
    assert_eq!((texts(&meant, "name").first(), &meant["approximate"]), (Some(&M), &json!(true)), "{meant}");
    let page = get(&server, "/api/search?q=ledgers&limit=2");
    let cursor = page["next_cursor"].as_str().expect("more follow");
    let rest = get(&server, &format!("/api/search?q=ledgers&limit=2&cursor={cursor}"));
    let names: BTreeSet<_> = texts(&page, "name").into_iter().chain(texts(&rest, "name")).collect();
    assert_eq!(names.len(), 3);
    let open = http::get(&format!("{}/api/search?q=hidden", server.url)).expect(200);
    assert_eq!(texts(&open.json(), "name"), [""; 0], "only what may be read, also of similar names");
    for q in ["", "%20", "a%00b"] {
        let refused = server.api("GET", &format!("/api/search?q={q}"), None).expect(400);
        assert_eq!(refused.json()["code"], "invalid_query", "{q}");
    }
    let id = get(&server, "/api/artifacts?name=example.com/hidden")["items"][0]["id"].as_str().expect("it").to_owned();
    server.api("DELETE", &format!("/api/artifacts/{id}"), None).expect(204);
    assert_eq!(texts(&found("hidden"), "name"), [""; 0], "what is deleted is not found");
}

#[test]
fn a_version_is_looked_into_and_nothing_of_it_is_rendered_but_its_readme() {
    let server = Server::start();
    let published = publish(&server, "local", M, "v1.0.0", "");
    let id = published.text("id");
    let files = get(&server, &format!("/api/artifacts/{id}/files"));
    assert_eq!(texts(&files, "name"), ["v1.0.0.info", "v1.0.0.mod", "v1.0.0.zip"]);
    let url = format!("{}/api/artifacts/{id}/files/v1.0.0.zip", server.url);
    let whole = http::get(&url).expect(200);
    for (name, value) in [
        ("content-disposition", "attachment; filename=\"v1.0.0.zip\""),
        ("content-type", "application/zip"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(whole.header(name), Some(value), "{name}");
    }
    let part = http::send("GET", &url, &[("Range", "bytes=1-3")], &[]).expect(206);
    assert_eq!(part.body, whole.body[1..4]);
    let tag = whole.header("etag").expect("a tag");
    http::send("GET", &url, &[("If-None-Match", tag)], &[]).expect(304);
    let head = http::send("HEAD", &url, &[], &[]).expect(200);
    assert_eq!(head.header("content-length"), whole.header("content-length"));
    assert_eq!(http::get(&format!("{url}x")).expect(404).json()["code"], "file_not_found");
    let contents = |query: &str| server.api("GET", &format!("/api/artifacts/{id}/contents{query}"), None);
    let root = contents("").expect(200).json();
    assert_eq!(root["path"], format!("{M}@v1.0.0/"));
    assert_eq!(texts(&root, "name"), ["README.md", "cmd", "doc.go", "go.mod", "logo.bin"]);
    let page = contents("?limit=2").expect(200).json();
    let next = contents(&format!("?limit=2&cursor={}", page["next_cursor"].as_str().expect("more")));
    assert_eq!(next.status, 200, "{}", next.text());
    assert_eq!(texts(&next.json(), "name"), ["doc.go", "go.mod"]);
    let folder = contents(&format!("?path={M}@v1.0.0/cmd/")).expect(200).json();
    assert_eq!((texts(&folder, "name"), texts(&folder, "kind")), (vec!["tool"], vec!["folder"]));
    let file = contents(&format!("?path={M}@v1.0.0/go.mod")).expect(200).json();
    assert_eq!(file["text"], format!("module {M}\n\ngo 1.21\n"));
    let binary = contents(&format!("?path={M}@v1.0.0/logo.bin")).expect(200).json();
    assert_eq!((&binary["size"], binary.get("text")), (&json!(4), None));
    for path in ["nothing", "nothing/"] {
        contents(&format!("?path={path}")).expect(404);
    }
    for path in ["../x", "/etc/passwd"] {
        contents(&format!("?path={path}")).expect(400);
    }
    assert_eq!(contents("?file=v1.0.0.mod").expect(422).json()["code"], "not_an_archive");
    let readme = get(&server, &format!("/api/artifacts/{id}/readme"));
    let html = readme["html"].as_str().expect("HTML");
    assert!(html.contains("<h1>mymodule</h1>") && html.contains("<em>mymodule</em>"), "{html}");
    assert!(!html.contains("<script") && !html.contains("javascript:"), "{html}");
    assert!(readme["text"].as_str().expect("text").contains("<script>"));
}

#[test]
fn odd_parameters_get_declared_answers_and_nothing_beyond_the_rights() {
    let server = Server::start();
    server.create_repository(&json!({"format": "go", "name": "private", "kind": "hosted"}));
    for number in 0..4 {
        publish(&server, "local", &format!("example.com/open{number}"), "v1.0.0", "");
        publish(
            &server,
            "private",
            &format!("example.com/secret{number}"),
            "v1.0.0",
            "\nrequire example.com/open0 v1.0.0\n",
        );
    }
    let (open, secret) = (id_of(&server, "example.com/open0"), id_of(&server, "example.com/secret0"));
    let document = http::get(&format!("{}/api/openapi.json", server.url)).expect(200).json();
    let lists = [
        ("/packages", "/packages".to_owned()),
        ("/search", "/search".to_owned()),
        ("/artifacts", "/artifacts".to_owned()),
        ("/packages/{id}", format!("/packages/{open}")),
        ("/packages/{id}/versions", format!("/packages/{open}/versions")),
        ("/packages/{id}/dependents", format!("/packages/{open}/dependents")),
        ("/packages/{id}/versions", format!("/packages/{secret}/versions")),
        ("/packages/{id}/dependents", format!("/packages/{secret}/dependents")),
    ];
    let mut cursors = vec!["x".to_owned(), "AAAA".to_owned()];
    for (_, path) in &lists {
        let page = server.api("GET", &format!("/api{path}?limit=1&q=example"), None).json();
        cursors.extend(page["next_cursor"].as_str().map(str::to_owned));
    }
    let values = [
        "",
        "go",
        "local",
        "private",
        "name",
        "newest",
        "0",
        "1",
        "200",
        "201",
        "-1",
        "1e3",
        "true",
        "%00",
        "%25",
        "%27",
        "%22",
        "*",
        "(",
        "NEAR(",
        "a%20OR",
        "_",
        "%F0%9F%A6%80",
        "password_hash",
        "example",
        "secret",
    ];
    for query in ["name=%00", "version=v1%00"] {
        let refused = http::get(&format!("{}/api/artifacts?{query}", server.url)).expect(400).json();
        assert_eq!(refused["code"], "invalid_field", "{refused}");
    }
    let names = ["limit", "cursor", "q", "sort", "format", "repository", "name", "version", "state", "deleted"];
    let mut random = Random::of("odd_parameters");
    for _ in 0..600 {
        let (template, path) = random.one_of(&lists).expect("a list").clone();
        let mut parameter = || {
            let name = random.one_of(&names).expect("a name");
            let value = match *name {
                "cursor" => random.one_of(&cursors).expect("a cursor").clone(),
                _ => (*random.one_of(&values).expect("a value")).to_owned(),
            };
            format!("{name}={value}")
        };
        let query = [parameter(), parameter(), parameter()].join("&");
        let answer = http::get(&format!("{}/api{path}?{query}", server.url));
        let declared = &document["paths"][template]["get"]["responses"];
        assert!(
            declared.get(answer.status.to_string()).is_some(),
            "{path}?{query}: {} {}",
            answer.status,
            answer.text()
        );
        assert!(answer.status < 500, "{path}?{query}: {}", answer.text());
        let shown: Vec<_> = match answer.status {
            200 => answer.json()["items"].as_array().cloned().unwrap_or_default(),
            _ => Vec::new(),
        };
        assert!(!shown.iter().any(|item| item.to_string().contains("secret")), "{path}?{query}: {}", answer.text());
    }
}
