//! Forms that are refused, one row after the other on one server, and odd ones that are not.
//!
//! The names only tell the rows apart. What every refusal has in common is asserted by `harness::refusal`.
//! Limits, crowds and full disks are in `uploads_limited`.
//!
//! Not here, for nothing of it can be made yet: uploads to remote and virtual repositories and to one of
//! another format (E15), and no repository of the format at all (L9), since there is one kind and one format;
//! the header Content-Digest (E13), which for a form covers the whole of it, so that no client can know it.

use crate::harness::archives;
use crate::harness::http;
use crate::harness::raw_form::{self, BOUNDARY, RawForm};
use crate::harness::refusal::{LOG, Refusals};
use crate::harness::server::{ADMIN_TOKEN, Server};

use serde_json::json;

fn module() -> Vec<u8> {
    archives::module(b"module example.com/m\n")
}

fn other_module() -> Vec<u8> {
    archives::module(b"module example.com/m\n\ngo 1.21\n")
}

/// A form that would be accepted.
fn good() -> RawForm {
    RawForm::module("example.com/m", "v1.0.0").file(module())
}

/// A row: what is sent as the administrator, and the codes of all faults.
struct Row {
    name: &'static str,
    content_type: String,
    body: Vec<u8>,
    status: u16,
    codes: &'static [&'static str],
    /// A piece of the document.
    says: String,
}

fn row(name: &'static str, form: RawForm, status: u16, codes: &'static [&'static str], says: &str) -> Row {
    bytes(name, &raw_form::content_type(), form.finished(), status, codes, says)
}

fn bytes(
    name: &'static str,
    content_type: &str,
    body: Vec<u8>,
    status: u16,
    codes: &'static [&'static str],
    says: &str,
) -> Row {
    Row { name, content_type: content_type.to_owned(), body, status, codes, says: says.to_owned() }
}

fn refuse_all(rows: impl IntoIterator<Item = Row>) {
    let server = Server::with(&[LOG]);
    let refusals = Refusals::by(&server);
    for Row { name, content_type, body, status, codes, says } in rows {
        let answer = raw_form::post(&server, &content_type, &body);
        let document = refusals.api(name, &answer, status, codes).to_string();
        assert!(document.contains(&says), "{name}: {says:?} is not in {document}");
    }
    let answer = good().send(&server);
    assert_eq!(answer.status, 201, "after all: {}", answer.text());
}

#[test]
fn what_is_no_form_is_refused() {
    const INVALID: &[&str] = &["multipart_invalid"];
    const TYPE: &[&str] = &["unsupported_media_type"];
    let of = |boundary: &str| format!("multipart/form-data; boundary={boundary}");
    refuse_all([
        bytes("E1 nothing", "", Vec::new(), 415, TYPE, "curl -H"),
        bytes("E1 JSON", "application/json", b"{}".to_vec(), 415, TYPE, "-F file=@module.zip"),
        bytes("E1 a zip", "application/zip", module(), 415, TYPE, "got application/zip"),
        bytes("E2 no boundary", "multipart/form-data", good().finished(), 400, INVALID, "no boundary"),
        bytes("E2 a long boundary", &of(&"b".repeat(71)), good().finished(), 400, INVALID, "70 characters"),
        bytes("E2 another boundary", &of("other"), good().finished(), 400, INVALID, ""),
        bytes("E2 no end", &of(BOUNDARY), good().unfinished(), 400, INVALID, "the form ends"),
        bytes("E2 no body", &of(BOUNDARY), Vec::new(), 400, INVALID, ""),
        bytes("E2 the end within the file", &of(BOUNDARY), cut(good().finished()), 400, INVALID, "inside a part"),
    ]);
}

/// Without its last third, which is within the file.
fn cut(mut body: Vec<u8>) -> Vec<u8> {
    body.truncate(body.len() * 2 / 3);
    body
}

#[test]
fn bad_parts_of_a_form_are_refused() {
    const INVALID: &[&str] = &["multipart_invalid"];
    let parts = |count: usize| (4..count).fold(good(), |form, number| form.text("label", format!("label-{number}")));
    let padded = |bytes| format!("Content-Disposition: form-data; name=\"label\"\r\nX-Padding: {}", "x".repeat(bytes));
    refuse_all([
        row("E3 a part without a name", good().part("Content-Disposition: form-data", "x"), 400, INVALID, "no name"),
        row("E3 a part without a disposition", good().part("Content-Type: text/plain", "x"), 400, INVALID, "no name"),
        row("E3 a bad disposition", good().part("Content-Disposition: form-data; name", "x"), 400, INVALID, ""),
        row("E3 a bad head", good().part("Content-Disposition", "x"), 400, INVALID, ""),
        row("E3 9 KiB of head", good().part(padded(9 * 1024), "x"), 400, INVALID, "8 KiB"),
        row("E3 90 KiB of head", good().part(padded(90 * 1024), "x"), 400, INVALID, ""),
        row("E3 33 parts", parts(33), 400, INVALID, "32 parts"),
    ]);
}

#[test]
fn fields_that_are_missing_repeated_or_unknown_are_refused() {
    let without_version = RawForm::default().text("format", "go").text("name", "example.com/m").file(module());
    let no_format = RawForm::default().text("name", "example.com/m").text("version", "v1.0.0").file(module());
    let no_file = || RawForm::module("example.com/m", "v1.0.0");
    let as_text = |content: &[u8]| no_file().text("file", content);
    refuse_all([
        row("E5 two versions", good().text("version", "v1.0.1"), 400, &["duplicate_field"], r#""field":"version""#),
        row("E5 the same version twice", good().text("version", "v1.0.0"), 400, &["duplicate_field"], ""),
        row("E5 two files", good().file(module()), 400, &["duplicate_field"], r#""field":"file""#),
        row(
            "E6 a misspelt field",
            without_version.clone().text("vresion", "v1.0.0"),
            400,
            &["unknown_field", "field_missing"],
            r#"Did you mean \"version\"?"#,
        ),
        row("E6 beside the right one", good().text("vresion", "v1"), 400, &["unknown_field"], "Did you mean"),
        row("E6 like nothing", good().text("xyz", "v1"), 400, &["unknown_field"], "Accepted: format, name"),
        row("E7 no file", no_file(), 400, &["field_missing"], "-F file=@"),
        row("E7 a path instead of a file", as_text(b"mod.zip"), 400, &["invalid_field"], "forget the @?"),
        row("E7 an empty path", as_text(b""), 400, &["invalid_field"], "forget the @?"),
        row("E8 an empty file", no_file().file(b""), 400, &["empty_file"], r#""field":"file""#),
        row("L10 no format", no_format.clone(), 400, &["field_missing"], "-F format=go"),
        row("L9 an unknown format", no_format.clone().text("format", "npm"), 400, &["unknown_format"], "go"),
        row(
            "all at once",
            RawForm::default().text("format", "npm").text("nmae", "x").text("strict", "yes").text("strict", "no"),
            400,
            &["duplicate_field", "unknown_format", "unknown_field", "field_missing", "invalid_field", "field_missing"],
            "",
        ),
    ]);
}

#[test]
fn bad_values_of_fields_are_refused() {
    let server = Server::with(&[LOG]);
    let refusals = Refusals::by(&server);
    let values: [(&str, &[u8], u16, &str, &str); 12] = [
        ("E9 empty", b"", 400, "invalid_field", "is empty"),
        ("E9 8 KiB and one", &[b'v'; 8 * 1024 + 1], 413, "too_large", "8 KiB"),
        ("E9 not UTF-8", b"v1\xff", 400, "invalid_encoding", "UTF-8"),
        ("E9 NUL", b"v1\0", 400, "invalid_field", "control character"),
        ("E9 a line end", b"v1\n", 400, "invalid_field", "line end"),
        ("E9 a line end within", b"v1\r\nv2", 400, "invalid_field", "line end"),
        ("E9 an escape", b"\x1b[31mv1", 400, "invalid_field", "control character"),
        ("E10 a blank before", b" v1", 400, "invalid_field", "remove the space"),
        ("E10 a blank behind", b"v1 ", 400, "invalid_field", "remove the space"),
        ("E10 blanks alone", b"  ", 400, "invalid_field", "remove the space"),
        ("E10 a blank of another script", "v1\u{3000}".as_bytes(), 400, "invalid_field", "remove the space"),
        ("E10 a tab", b"\tv1", 400, "invalid_field", "control character"),
    ];
    for field in ["format", "name", "version"] {
        for (what, value, status, code, says) in values {
            let row = format!("{what}: {field}");
            let others = ["format", "name", "version"].into_iter().filter(|other| *other != field);
            let usual = |field: &str| {
                if field == "format" {
                    "go"
                } else if field == "name" {
                    "example.com/m"
                } else {
                    "v1.0.0"
                }
            };
            let form = others.fold(RawForm::default(), |form, other| form.text(other, usual(other)));
            let answer = form.text(field, value).file(module()).send(&server);
            let document = refusals.api(&row, &answer, status, &[code]).to_string();
            assert!(document.contains(says), "{row}: {document}");
            assert!(document.contains(&format!("\"field\":\"{field}\"")), "{row}: {document}");
        }
    }
}

#[test]
fn bad_values_of_the_further_fields_are_refused() {
    let zeros = "0".repeat(64);
    let with = |name: &str, value: &str| good().text(name, value);
    let labels = (0..27).fold(good(), |form, number| form.text("label", format!("label-{number}")));
    refuse_all([
        row("E13 another sum", with("sha256", &zeros), 422, &["checksum_mismatch"], &zeros),
        row(
            "E13 another sum, the real one",
            with("sha256", &zeros),
            422,
            &["checksum_mismatch"],
            "the file has the SHA-256",
        ),
        row("E13 no sum", with("sha256", "abc"), 400, &["invalid_field"], r#""field":"sha256""#),
        row("strict", with("strict", "yes"), 400, &["invalid_field"], "true or false"),
        row("dry_run", with("dry_run", "1"), 400, &["invalid_field"], "true or false"),
        row("E15 an absent repository", with("repository", "nowhere"), 404, &["repository_not_found"], "go/nowhere"),
        row(
            "E15 no name of a repository",
            with("repository", "Team/X"),
            400,
            &["invalid_field"],
            r#""field":"repository""#,
        ),
        row(
            "a password in the origin",
            with("origin_url", "https://me:secret@example.com/m"),
            400,
            &["invalid_field"],
            "",
        ),
        row("a bad label among many", labels.text("label", "a\nb"), 400, &["invalid_field"], r#""field":"label""#),
    ]);
}

#[test]
fn fields_come_in_any_order() {
    let server = Server::start();
    let name = |form: RawForm| form.text("name", "example.com/m");
    let version = |form: RawForm, version: &str| form.text("version", version);
    let format = |form: RawForm| form.text("format", "go");
    let labels = (0..28)
        .fold(RawForm::module("example.com/m", "v1.0.3"), |form, number| form.text("label", format!("label-{number}")));
    let forms = [
        ("E3 32 parts", labels.file(module())),
        ("E4 before", version(name(format(RawForm::default())), "v1.0.0").file(module())),
        ("E4 after", version(name(format(RawForm::default().file(module()))), "v1.0.1")),
        ("E4 mixed", format(version(name(RawForm::default()), "v1.0.2").file(module()))),
    ];
    for (row, form) in forms {
        let answer = form.send(&server);
        assert_eq!(answer.status, 201, "{row}: {}", answer.text());
    }
}

#[test]
fn the_name_of_the_file_does_not_matter() {
    let server = Server::start();
    let long = format!("filename=\"{}\"", "x".repeat(4 * 1024));
    let names = [
        ("E23 a path out", "filename=\"../../x\""),
        ("E23 an absolute path", "filename=\"/etc/passwd\""),
        ("E23 line ends", "filename=\"a%0D%0Ab\""),
        ("E23 another version", "filename=\"m@v9.9.9.zip\""),
        ("E23 empty", "filename=\"\""),
        ("E23 in another way", "filename*=UTF-8''%e2%82%ac.zip"),
        ("E23 4 KiB", &long),
    ];
    for (number, (row, name)) in names.iter().enumerate() {
        let head = format!("Content-Disposition: form-data; name=\"file\"; {name}");
        let form = RawForm::module("example.com/m", &format!("v1.0.{number}"));
        let answer = form.part(head, module()).send(&server);
        assert_eq!(answer.status, 201, "{row}: {}", answer.text());
    }
    let answer = RawForm::module("example.com/m", "v1.1.0").text("file", module()).send(&server);
    assert_eq!(answer.status, 201, "E23 missing: {}", answer.text());
}

#[test]
fn a_version_never_changes() {
    let server = Server::with(&[LOG]);
    let first = good().send(&server).expect(201);
    let refusals = Refusals::by(&server);
    let files: [(&str, &[u8]); 2] = [("go.mod", b"module example.com/m\n"), ("m.go", b"package m\n")];
    let [go_mod, source] = files;
    let below = |(name, content): (&'static str, &'static [u8])| (format!("m@v1.0.0/{name}"), content);
    let (low, high) = (below(go_mod), below(source));
    let same = [
        ("E16 the same", module()),
        ("E16 not compressed", archives::stored(&files)),
        ("E16 in another order", archives::zip(&[source, go_mod])),
        ("E16 below a folder", archives::zip(&[(&low.0, low.1), (&high.0, high.1)])),
        (
            "E16 with a folder's entry",
            archives::zip(&[("m-1/", b""), ("m-1/go.mod", go_mod.1), ("m-1/m.go", source.1)]),
        ),
    ];
    for (row, archive) in same {
        let again = RawForm::module("example.com/m", "v1.0.0").file(archive).send(&server);
        assert_eq!(again.status, 200, "{row}: {}", again.text());
        assert_eq!(again.json(), first.json(), "{row}");
        assert_eq!(again.header("location"), first.header("location"), "{row}");
        refusals.unchanged(row);
    }
    let changed = RawForm::module("example.com/m", "v1.0.0").file(other_module()).send(&server);
    let document = refusals.api("E17 other content", &changed, 409, &["version_exists"]);
    let ours = first.json()["checksums"]["h1"].as_str().expect("a sum").to_owned();
    let detail = document["detail"].as_str().expect("a detail");
    let (there, sent) = detail.split_once("; you sent ").unwrap_or_else(|| panic!("E17: {detail}"));
    assert!(there.contains(&ours) && sent.starts_with("h1:") && !sent.contains(&ours), "E17 says both sums: {detail}");

    let location = first.header("location").expect("a Location");
    let path = location.strip_prefix(&server.url).expect("an address of this server");
    server.api("DELETE", &format!("{path}?reason=a%20leak"), None).expect(204);
    let refusals = Refusals::by(&server);
    for (row, archive) in [("E18 the same content", module()), ("E18 other content", other_module())] {
        let answer = RawForm::module("example.com/m", "v1.0.0").file(archive).send(&server);
        let document = refusals.api(row, &answer, 410, &["version_deleted"]);
        assert!(document["detail"].as_str().is_some_and(|detail| detail.contains("a leak")), "{row}: {document:#}");
    }
}

#[test]
fn warnings_are_refused_if_the_publisher_wants_it() {
    let server = Server::with(&[LOG]);
    let refusals = Refusals::by(&server);
    let archive = archives::zip(&[
        ("go.mod", b"module example.com/m\n\ngo 1.21\n"),
        ("LICENSE", b"free\n"),
        ("sub/go.mod", b"module example.com/m/sub\n"),
    ]);
    let form = || RawForm::module("example.com/m", "v1.0.0").file(&archive);
    let answer = form().text("strict", "true").send(&server);
    let document = refusals.api("E25", &answer, 422, &["warning_refused", "warning_refused"]);
    assert!(document.to_string().contains("files_omitted: "), "E25: {document:#}");
    let answer = form().text("strict", "false").send(&server);
    assert_eq!(answer.status, 201, "E25 strict=false: {}", answer.text());
}

#[test]
fn a_dry_run_shows_everything_and_stores_nothing() {
    let server = Server::with(&[LOG]);
    let refusals = Refusals::by(&server);
    let address = format!("{}/api/artifacts?dry_run=true", server.url);
    let authorization = format!("Bearer {ADMIN_TOKEN}");
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", &raw_form::content_type())];
    let by_query = http::send("POST", &address, &headers, &good().finished()).expect(200);
    refusals.unchanged("E24 as a query");
    let by_field = good().text("dry_run", "true").send(&server).expect(200);
    refusals.unchanged("E24 as a field");
    let real = good().send(&server).expect(201).json();
    for (row, answer) in [("E24 as a query", &by_query.json()), ("E24 as a field", &by_field.json())] {
        for key in ["name", "version", "repository", "purl", "checksums", "warnings"] {
            assert_eq!(answer[key], real[key], "{row}: {key}");
        }
        // Without a commit the time is that of each upload, and with it the bytes of `.info`.
        for key in ["files", "has_go_mod", "packages", "size_bytes", "time_source"] {
            assert_eq!(answer["metadata"][key], real["metadata"][key], "{row}: metadata.{key}");
        }
        let names = |of: &serde_json::Value| {
            of["files"].as_array().map(|files| files.iter().map(|file| file["name"].clone()).collect::<Vec<_>>())
        };
        assert_eq!(names(answer), names(&real), "{row}: files");
    }

    let refusals = Refusals::by(&server);
    let other = RawForm::module("example.com/m", "v1.0.0").file(other_module()).text("dry_run", "true");
    refusals.api("E24 other content", &other.send(&server), 409, &["version_exists"]);
    let again = good().text("dry_run", "true").send(&server);
    assert_eq!((again.status, again.json()["id"].clone()), (200, real["id"].clone()), "E24 the same content");
    refusals.unchanged("E24 the same content");
}

#[test]
fn of_several_repositories_one_must_be_named() {
    let server = Server::with(&[LOG]);
    server.api("PATCH", "/api/repositories/go/local", Some(&json!({"default_upload": false}))).expect(200);
    good().send(&server).expect(201);
    server.create_repository(&json!({"format": "go", "name": "team", "kind": "hosted"}));
    let refusals = Refusals::by(&server);
    let document = refusals.api("L9 two fit", &good().send(&server), 400, &["repository_required"]);
    assert!(document["detail"].as_str().is_some_and(|detail| detail.contains("local, team")), "L9: {document:#}");
    assert!(document["hint"].as_str().is_some_and(|hint| hint.contains("-F repository=")), "L9: {document:#}");
    let answer = good().text("repository", "team").send(&server);
    assert_eq!(answer.status, 201, "L9 one is named: {}", answer.text());
}

#[test]
fn a_format_or_repository_that_does_not_fit_is_told_with_what_does() {
    let server = Server::with(&[LOG]);
    server.create_repository(&json!({"format": "generic", "name": "files", "kind": "hosted"}));
    let nowhere = server.token("--name nowhere --actions publish --repositories go/local");
    let refusals = Refusals::by(&server);
    let send = |token: &str, form: RawForm| {
        let (authorization, kind) = (format!("Bearer {token}"), raw_form::content_type());
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", kind.as_str())];
        http::send("POST", &format!("{}/api/artifacts", server.url), &headers, &form.finished())
    };
    let file = |format: &str| RawForm::of(format, "tool", "1").text("path", "tool").file(b"tool");
    let rows = [
        ("L9 none fits", nowhere.as_str(), file("generic"), 409, "no_repository", "generic"),
        ("L9 unknown", ADMIN_TOKEN, file("cobol"), 400, "unknown_format", "generic, go"),
        ("L9 of another", ADMIN_TOKEN, good().text("repository", "files"), 409, "repository_wrong_format", "generic"),
        ("L9 absent", ADMIN_TOKEN, good().text("repository", "absent"), 404, "repository_not_found", "absent"),
    ];
    for (row, token, form, status, code, told) in rows {
        let document = refusals.api(row, &send(token, form), status, &[code]);
        assert!(document.to_string().contains(told), "{row}: {document:#}");
    }
}
