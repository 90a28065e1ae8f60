//! What an attacker would try, across all routes: spellings of addresses, equal bytes in two hands, fields that nobody
//! offered, labels that look like versions, pages of others; and a server that never starts another program.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::archives;
use crate::harness::command::run;
use crate::harness::http::raw;
use crate::harness::raw_form::RawForm;
use crate::harness::server::{ADMIN_TOKEN, Server};
use crate::harness::upload::{Answer, Form};

/// What is in the private files and must never be read.
const SECRET: &str = "tests-only-secret-content";

fn publish(server: &Server, repository: &str, name: &str) -> Answer {
    let archive = archives::zip(&[
        ("go.mod", format!("module {name}\n").as_bytes()),
        ("secret.go", format!("package secret\n\n// {SECRET}\n").as_bytes()),
    ]);
    let form = Form::go(archive).with("name", name).with("version", "v1.0.0");
    form.with("repository", repository).send(server).expect(201)
}

/// Other spellings of a path: each of its bytes escaped once and twice, and whatever parsers have disagreed about.
fn spellings(path: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut push = |text: String| all.push(text);
    for (at, byte) in path.bytes().enumerate().skip(1) {
        let (before, after) = (&path[..at], &path[at + 1..]);
        push(format!("{before}%{byte:02x}{after}"));
        push(format!("{before}%{byte:02X}{after}"));
        push(format!("{before}%25{byte:02x}{after}"));
        if byte == b'/' {
            for odd in [
                "//",
                "/./",
                "/x/../",
                "/%2e/",
                "/x/%2e%2e/",
                "\\",
                "%5c",
                "/;x=1/",
                "/%00/",
                "%2f%2f",
                "/.%2e/",
                "/ /",
            ] {
                push(format!("{before}{odd}{after}"));
            }
        }
    }
    for public in ["/go/local", "/generic/open", "/api", "/livez", "/_app"] {
        for up in ["/..", "/../..", "/%2e%2e", "/%2E%2E/%2E%2E", "/..%2f..", "/..;/..", "/.%2e", "/..%00", "/..%5c.."] {
            push(format!("{public}{up}{path}"));
        }
    }
    for tail in
        ["%00", "%00.info", ";x=1", "/", "//", "?", "#x", "%20", ".", "%2e", "?x=/../", "%0d%0aX: y", "\u{202e}", "~"]
    {
        push(format!("{path}{tail}"));
    }
    push(path.to_uppercase());
    push(format!("/{path}"));
    push(format!("http://other.example{path}"));
    push(path.replace("private", "priv\u{ff41}te"));
    push(path.replace("private", "PRIVATE"));
    all
}

#[test]
fn no_spelling_of_a_private_address_is_answered() {
    let server = Server::start();
    for (format, name, is_open) in [("go", "private", false), ("generic", "private", false), ("generic", "open", true)]
    {
        let body = json!({"format": format, "name": name, "kind": "hosted", "anonymous_read": is_open});
        server.create_repository(&body);
    }
    publish(&server, "local", "example.com/open");
    let id = publish(&server, "private", "example.com/secret").text("id").to_owned();
    server.send(Some(ADMIN_TOKEN), "PUT", "/generic/private/tool/1/a", &[], SECRET.as_bytes()).expect(201);
    let outsider = server.token("--name outsider --actions read --repositories generic/other");
    let paths = [
        "/go/private/example.com/secret/@v/v1.0.0.zip".to_owned(),
        "/go/private/example.com/secret/@v/list".to_owned(),
        "/generic/private/tool/1/a".to_owned(),
        format!("/api/artifacts/{id}/files/v1.0.0.zip"),
        format!("/api/artifacts/{id}/contents?path=example.com/secret@v1.0.0/secret.go"),
        "/api/repositories/go/private".to_owned(),
        "/etc/passwd".to_owned(),
    ];
    let mut count = 0;
    for path in &paths {
        for spelling in spellings(path).into_iter().chain([path.clone()]) {
            for token in [None, Some(outsider.as_str())] {
                let credential = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
                let host = server.host();
                let request =
                    format!("GET {spelling} HTTP/1.1\r\nHost: {host}\r\n{credential}Connection: close\r\n\r\n");
                let answer = raw(host, request.as_bytes());
                let body = String::from_utf8_lossy(&answer.body);
                let row = format!("S3 {spelling:?}: {} {body}", answer.status);
                assert!(answer.status < 500, "{row}");
                for never in [SECRET, "root:", "[package]", "\"anonymous_read\":false"] {
                    assert!(!body.contains(never), "{row}");
                }
                // What is found here is public: the list of versions of what is private has one line.
                assert!(!(answer.status == 200 && body.trim() == "v1.0.0"), "{row}");
                assert_ne!(&answer.body.get(..2), &Some(&b"PK"[..]), "{row}");
                count += 1;
            }
        }
    }
    assert!(count > 3_000, "the corpus is large: {count}");
}

#[test]
fn equal_bytes_in_two_hands_tell_and_give_nothing() {
    let at_once = [("KEEPER_GC_GRACE", "0s"), ("KEEPER_GC_UNLINK_DELAY", "0s"), ("KEEPER_GC_MAX_PERCENT", "100")];
    let server = Server::with(&at_once);
    // Too long to lie in the database: equal bytes are one stored file.
    let bytes = SECRET.repeat(1_000);
    for name in ["alpha", "beta"] {
        server.create_repository(&json!({"format": "generic", "name": name, "kind": "hosted"}));
    }
    let [alpha, beta] = ["alpha", "beta"].map(|name| {
        server.token(&format!("--name {name} --actions read,publish,delete --repositories generic/{name}"))
    });
    let put = |token: &str, name: &str| {
        server.send(Some(token), "PUT", &format!("/generic/{name}/tool/1/a"), &[], bytes.as_bytes())
    };
    let first = put(&alpha, "alpha").expect(201);
    // The second hand sends all bytes and is told what the first was told: that they are new.
    let second = put(&beta, "beta").expect(201);
    let but_id = |answer: &crate::harness::http::Response| {
        let differs = ["x-request-id", "date"];
        let headers = answer.headers().filter(|(name, _)| !differs.contains(name));
        (answer.text(), headers.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>())
    };
    assert_eq!(but_id(&first), but_id(&second), "S14: whether others have the bytes is not told");
    let quota = |token: &str, name: &str| {
        server.send(Some(token), "GET", &format!("/api/repositories/generic/{name}/quota"), &[], &[]).expect(200).json()
    };
    assert_eq!(quota(&alpha, "alpha")["used_bytes"], quota(&beta, "beta")["used_bytes"], "S14: nor by what is counted");
    let listed = server.send(Some(&alpha), "GET", "/api/artifacts", &[], &[]).expect(200).json();
    let digest = listed["items"][0]["files"][0]["sha256"].as_str().expect("a digest").to_owned();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "S14: one's own only");
    let outsider = server.token("--name outsider --actions read,publish --repositories generic/gamma");
    for path in [
        format!("/generic/alpha/{digest}"),
        format!("/generic/gamma/{digest}"),
        format!("/generic/alpha/sha256/{digest}"),
        format!("/api/artifacts/{digest}"),
        format!("/api/artifacts/{digest}/files/a"),
        format!("/api/blobs/{digest}"),
        format!("/blobs/sha256/{digest}"),
    ] {
        let answer = server.send(Some(&outsider), "GET", &path, &[], &[]);
        assert!(matches!(answer.status, 400 | 403 | 404), "S14 {path}: {}", answer.text());
    }
    let search = server.send(Some(&outsider), "GET", &format!("/api/search?q={digest}"), &[], &[]).expect(200).json();
    assert_eq!(search["items"], json!([]), "S14");
    server.send(Some(&alpha), "DELETE", "/generic/alpha/tool/1/", &[], &[]).expect(200);
    server.command("gc --confirm").succeeded();
    let still = server.send(Some(&beta), "GET", "/generic/beta/tool/1/a", &[], &[]).expect(200);
    assert_eq!(still.text(), bytes, "S14: what one deletes the other keeps");
    server.send(Some(&beta), "GET", "/generic/alpha/tool/1/a", &[], &[]).expect(403);
}

#[test]
fn no_body_takes_a_field_that_was_not_offered() {
    let server = Server::start();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let document: Value = serde_json::from_slice(&fs::read(path).expect("the document")).expect("JSON");
    let mut count = 0;
    for (template, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let bodies = operation["requestBody"]["content"].as_object();
            let Some((_, body)) = bodies.and_then(|all| all.iter().find(|(kind, _)| kind.contains("json"))) else {
                continue;
            };
            // A client's report is anything.
            if template == "/doctor" {
                continue;
            }
            let path = template.replace("{format}", "go").replace("{name}", "local").replace("{login}", "admin");
            let path = format!("/api{}", path.replace("{id}", "0199a3b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b"));
            for extra in [
                "roles",
                "admin_override",
                "owner_id",
                "id",
                "uid",
                "is_admin",
                "issuer",
                "subject",
                "revision",
                "created_at",
                "__proto__",
            ] {
                let mut sent = body["example"].clone();
                sent[extra] = json!(true);
                let answer = server.api(&method.to_ascii_uppercase(), &path, Some(&sent)).expect(400);
                assert_eq!(
                    answer.json()["code"],
                    "unknown_field",
                    "S15 {method} {template} {extra}: {}",
                    answer.text()
                );
            }
            count += 1;
        }
    }
    assert!(count >= 13, "all bodies of the document: {count}");
    assert_eq!(server.api("GET", "/api/users", None).expect(200).json()["items"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_label_that_looks_like_a_version_never_answers_for_one() {
    let server = Server::start();
    for label in
        ["v9.9.9", "v1.0.0", "v2", "v1.0", "v0.0.0-20240301123456-abcdef012345", "v1.0.0+incompatible", "latest"]
    {
        let archive = archives::module(b"module example.com/m\n");
        let form = RawForm::module("example.com/m", "v1.2.3").text("label", label).file(archive);
        let answer = form.send(&server);
        assert!(matches!(answer.status, 200 | 201 | 400 | 422), "S19 {label}: {}", answer.text());
        let asked = server.send(None, "GET", &format!("/go/local/example.com/m/@v/{label}.info"), &[], &[]);
        let leads_to_it = asked.status == 200 && asked.json()["Version"] == "v1.2.3";
        // `v2` and `v1.0` are queries, which a branch of that name may answer; a whole version may not be one.
        let is_whole = label.matches('.').count() >= 2;
        assert!(!(leads_to_it && is_whole), "S19 {label} answers for v1.2.3: {}", asked.text());
    }
}

#[test]
fn every_answer_tells_browsers_what_it_is_and_whom_it_is_for() {
    let secure = "https://keeper.example";
    for (public, stays) in [("", None), ("http://keeper.example", None), (secure, Some("max-age=31536000"))] {
        let settings = [("KEEPER_PUBLIC_URL", public)];
        let server = Server::with(if public.is_empty() { &[] } else { &settings });
        let address = server.address();
        for path in [
            "/",
            "/no/such/page",
            "/_app/none.js",
            "/api/docs",
            "/api/openapi.json",
            "/api/repositories",
            "/api/artifacts/x",
            "/go/local",
            "/go/local/example.com/none/@v/list",
            "/livez",
            "/metrics",
        ] {
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: https://evil.example\r\nAccept: text/html, */*\r\n\
                 Connection: close\r\n\r\n"
            );
            let answer = raw(&address, request.as_bytes());
            let header = |name: &str| answer.header(name);
            assert_eq!(header("x-content-type-options"), Some("nosniff"), "{path}");
            assert_eq!(header("referrer-policy"), Some("no-referrer"), "{path}");
            assert_eq!(header("strict-transport-security"), stays, "{public} {path}: only of the address that was set");
            assert!(!answer.headers().any(|(name, _)| name.starts_with("access-control-")), "{path}: for nobody else");
            if path.starts_with("/api/") {
                let policy = header("content-security-policy").unwrap_or_default();
                assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
                assert_eq!(header("cross-origin-resource-policy"), Some("same-origin"), "{path}");
            }
        }
    }
}

/// What a program that starts another one calls, replaced by a note of it.
const WITNESS: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int note(const char *what) {
    int file = open(getenv("WITNESS"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (write(file, what, strlen(what)) < 0) _exit(99);
    return -1;
}
int execve(const char *p, char *const a[], char *const e[]) { (void)p, (void)a, (void)e; return note("execve\n"); }
int execv(const char *p, char *const a[]) { (void)p, (void)a; return note("execv\n"); }
int execvp(const char *p, char *const a[]) { (void)p, (void)a; return note("execvp\n"); }
int execvpe(const char *p, char *const a[], char *const e[]) { (void)p, (void)a, (void)e; return note("execvpe\n"); }
int fexecve(int f, char *const a[], char *const e[]) { (void)f, (void)a, (void)e; return note("fexecve\n"); }
int posix_spawn(int *i, const char *p, const void *f, const void *t, char *const a[], char *const e[]) {
    (void)i, (void)p, (void)f, (void)t, (void)a, (void)e; return note("posix_spawn\n");
}
int posix_spawnp(int *i, const char *p, const void *f, const void *t, char *const a[], char *const e[]) {
    (void)i, (void)p, (void)f, (void)t, (void)a, (void)e; return note("posix_spawnp\n");
}
pid_t fork(void) { return note("fork\n"); }
pid_t vfork(void) { return note("vfork\n"); }
int system(const char *c) { (void)c; return note("system\n"); }
"#;

#[test]
fn the_server_never_starts_another_program() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [source, library, seen] = ["witness.c", "witness.so", "seen"].map(|name| folder.path().join(name));
    fs::write(&source, WITNESS).expect("a file");
    run(Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source)).succeeded();
    let mut probe = Command::new("sh");
    probe.args(["-c", "true | true; exit 0"]).env("WITNESS", &seen).env("LD_PRELOAD", &library);
    run(&mut probe);
    assert!(seen.exists(), "the witness sees what a shell does");
    fs::remove_file(&seen).expect("a file");

    let mut server = Server::start();
    server.stop();
    server.set("WITNESS", &seen.display().to_string());
    server.set("LD_PRELOAD", &library.display().to_string());
    server.start_again();
    let id = publish(&server, "local", "example.com/secret").text("id").to_owned();
    for path in [
        "/go/local/example.com/secret/@latest".to_owned(),
        "/go/local/example.com/secret/@v/v1.0.0.zip".to_owned(),
        "/go/local/example.com/secret/@v/main.info".to_owned(),
        format!("/api/artifacts/{id}/contents"),
        format!("/api/artifacts/{id}/readme"),
        "/api/search?q=secret".to_owned(),
        "/api/repositories/go/local/setup".to_owned(),
        "/api/status".to_owned(),
        "/api/audit/verification".to_owned(),
        "/metrics".to_owned(),
    ] {
        let status = server.api("GET", &path, None).status;
        assert!(matches!(status, 200 | 404), "{path}: {status}");
    }
    let report = json!({"GOPROXY": "direct", "GONOPROXY": "$(touch /tmp/x)"});
    server.api("POST", "/api/doctor?format=go&package=example.com/secret", Some(&report)).expect(200);
    server.api("DELETE", &format!("/api/artifacts/{id}"), None).expect(204);
    server.stop();
    let told = fs::read_to_string(&seen).unwrap_or_default();
    assert_eq!(told, "", "S20: the server has started something");
}
