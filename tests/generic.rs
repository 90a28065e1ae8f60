//! The format `generic`: raw files under `/generic/{repository}/{name}/{version}/{path}`, written with `PUT`
//! or through the API, and listed. What the platform does for every format is shown to hold for this one.

use std::fs;
use std::thread;

use serde_json::{Value, json};

use crate::harness::http::{self, Response};
use crate::harness::machine::Machine;
use crate::harness::raw_form::RawForm;
use crate::harness::refusal::{LOG, Refusals, text};
use crate::harness::server::{ADMIN_TOKEN, Server};

/// Of the bytes `tool`.
const TOOL_SHA256: &str = "7c9bbe5ec9b3fb774e8fa0f54247e93c34ddf8e5d16fe3073420de0ae81a262d";

struct Files {
    server: Server,
}

impl Files {
    /// A server with the public repository `generic/files`.
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(settings: &[(&str, &str)]) -> Self {
        let settings = [&[LOG], settings].concat();
        let server = Server::with(&settings);
        server.create_repository(&json!({
            "format": "generic", "name": "files", "kind": "hosted", "anonymous_read": true, "default_upload": true,
        }));
        Self { server }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/generic/files{path}", self.server.url)
    }

    fn get(&self, path: &str) -> Response {
        http::get(&self.url(path))
    }

    fn send(&self, token: Option<&str>, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        self.server.send(token, method, &format!("/generic/files{path}"), headers, body)
    }

    fn put(&self, path: &str, body: &str) -> Response {
        self.send(Some(ADMIN_TOKEN), "PUT", path, &[], body.as_bytes())
    }
}

#[test]
fn a_version_gets_its_files_one_by_one_and_none_of_them_changes() {
    let files = Files::new();
    let first = files.put("/tool/1.2.0/linux/tool.gz", "tool").expect(201);
    assert_eq!(first.text(), "published: tool@1.2.0\n");
    files.put("/tool/1.2.0/read%20me.txt", "read").expect(201);
    files.put("/tool/1.2.0/linux/tool.gz", "tool").expect(200);
    text("other bytes", &files.put("/tool/1.2.0/linux/tool.gz", "else"), 409, "file_exists");

    let tool = files.get("/tool/1.2.0/linux/tool.gz").expect(200);
    assert_eq!((tool.text().as_str(), tool.header("content-type")), ("tool", Some("application/gzip")));
    assert_eq!(tool.header("etag"), Some(&*format!("\"{TOOL_SHA256}\"")));
    assert_eq!(tool.header("cache-control"), Some("public, max-age=31536000, immutable"));
    let part = http::send("GET", &files.url("/tool/1.2.0/linux/tool.gz"), &[("Range", "bytes=1-2")], &[]);
    assert_eq!((part.status, part.text().as_str()), (206, "oo"));
    let page = http::send("GET", &files.url("/tool/1.2.0/read%20me.txt"), &[("Accept", "image/png")], &[]);
    assert_eq!((page.status, page.text().as_str()), (200, "read"), "a file has one shape");

    let artifacts = files.server.api("GET", "/api/artifacts?format=generic", None).expect(200).json();
    assert_eq!(artifacts["items"].as_array().expect("items").len(), 1, "one version");
    let names: Vec<_> =
        artifacts["items"][0]["files"].as_array().expect("files").iter().map(|file| &file["name"]).collect();
    assert_eq!(names, ["linux/tool.gz", "read me.txt"]);

    text("deleting needs a right", &files.send(None, "DELETE", "/tool/1.2.0/", &[], &[]), 401, "login_required");
    files.send(Some(ADMIN_TOKEN), "DELETE", "/tool/1.2.0/", &[], &[]).expect(200);
    text("deleted", &files.get("/tool/1.2.0/linux/tool.gz"), 410, "deleted");
    text("deleted", &files.put("/tool/1.2.0/linux/tool.gz", "tool"), 410, "version_deleted");
    text("deleted", &files.send(Some(ADMIN_TOKEN), "DELETE", "/tool/1.2.0", &[], &[]), 410, "deleted");
}

#[test]
fn folders_are_listed_as_text_json_or_html() {
    let files = Files::new();
    for path in ["/tool/1.9.0/a", "/tool/1.10.0/a", "/tool/1.10.0/b/c%26d", "/other/1/x"] {
        files.put(path, path).expect(201);
    }
    let get = |path: &str, accept: &str| http::send("GET", &files.url(path), &[("Accept", accept)], &[]).expect(200);
    for (path, listed) in [
        ("", "other/\ntool/\n"),
        ("/", "other/\ntool/\n"),
        ("/?after=other", "tool/\n"),
        ("/tool", "1.10.0/\n1.9.0/\n"),
        ("/tool/1.10.0", "a\nb/c&d\n"),
    ] {
        assert_eq!(get(path, "*/*").text(), listed, "{path}");
    }
    let folder = get("/tool/1.10.0/", "application/json");
    assert_eq!((folder.header("content-type"), folder.header("vary")), (Some("application/json"), Some("accept")));
    assert_eq!(folder.json()["files"][1]["path"], "b/c&d");
    assert_eq!(folder.json()["files"][1]["size"], "/tool/1.10.0/b/c%26d".len());
    let html = get("/tool/1.10.0", "text/html").text();
    let link = html.split('"').find(|part| part.contains("c%26d")).unwrap_or_else(|| panic!("no link in {html}"));
    assert_eq!(http::get(link).expect(200).text(), "/tool/1.10.0/b/c%26d", "a link leads to its file");
    assert_eq!(get("/tool/1.10.0/", "application/json").json(), folder.json(), "each shape is kept for itself");

    text("unknown", &files.get("/nothing/"), 404, "package_not_found");
    text("unknown", &files.get("/tool/7/"), 404, "version_not_found");
    text("unknown", &files.get("/tool/7/a"), 404, "version_not_found");
    text("unknown", &files.get("/tool/1.9.0/z"), 404, "file_not_found");
}

#[test]
fn stated_checksums_and_conditions_are_held() {
    let files = Files::new();
    let refusals = Refusals::by(&files.server);
    let put = |headers: &[(&str, &str)]| files.send(Some(ADMIN_TOKEN), "PUT", "/tool/1/a", headers, b"tool");
    let wrong = "0".repeat(64);
    let rfc_wrong = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
    for headers in [("X-Checksum-Sha256", wrong.as_str()), ("Content-Digest", rfc_wrong)] {
        refusals.text(headers.0, &put(&[headers]), 422, "checksum_mismatch");
    }
    refusals.text("unreadable", &put(&[("Content-Digest", "sha-256=tool")]), 400, "invalid_field");
    refusals.text(
        "two",
        &put(&[("X-Checksum-Sha256", TOOL_SHA256), ("Content-Digest", rfc_wrong)]),
        400,
        "bad_request",
    );
    put(&[("X-Checksum-Sha256", TOOL_SHA256), ("If-None-Match", "*")]).expect(201);
    put(&[("X-Checksum-Sha256", TOOL_SHA256)]).expect(200);
    text("it is there", &put(&[("If-None-Match", "*")]), 412, "precondition_failed");
}

#[test]
fn bad_writes_are_refused_and_nothing_is_stored() {
    let files = Files::with(&[("KEEPER_MAX_UPLOAD_BYTES", "1000")]);
    let refusals = Refusals::by(&files.server);
    let admin = Some(ADMIN_TOKEN);
    let reader = files.server.token("--name reader --actions read --repositories generic/files");
    let team = files.server.token("--name team --actions publish --repositories generic/files --packages other");
    let rows = [
        ("nobody", None, "PUT", "/tool/1/a", 401, "login_required"),
        ("reader", Some(reader.as_str()), "PUT", "/tool/1/a", 403, "publish_denied"),
        ("another package", Some(team.as_str()), "PUT", "/tool/1/a", 403, "publish_denied"),
        ("a folder", admin, "PUT", "/tool/1/", 405, "method_not_allowed"),
        ("names", admin, "PUT", "/.tool/.1/a:b", 422, "package_name_invalid"),
        ("a version", admin, "PUT", "/tool/.1/a", 422, "version_name_invalid"),
        ("a file", admin, "PUT", "/tool/1/a:b", 422, "file_path_invalid"),
        ("a slash", admin, "PUT", "/tool/1/a%2Fb", 404, "not_found"),
        ("post", admin, "POST", "/tool/1/a", 405, "method_not_allowed"),
        ("delete a file", admin, "DELETE", "/tool/1/a", 405, "method_not_allowed"),
        ("delete nothing", admin, "DELETE", "/tool/1", 404, "version_not_found"),
    ];
    for (row, token, method, path, status, code) in rows {
        let body: &[u8] = if method == "DELETE" { b"" } else { b"tool" };
        refusals.text(row, &files.send(token, method, path, &[], body), status, code);
    }
    refusals.text("too long", &files.send(admin, "PUT", "/tool/1/a", &[], &[b'x'; 1001]), 413, "too_large");
    refusals.text("empty", &files.send(admin, "PUT", "/tool/1/a", &[("Content-Length", "0")], &[]), 400, "empty_file");
    refusals.text("no length", &files.send(admin, "PUT", "/tool/1/a", &[], &[]), 411, "length_required");
    let absent = files.server.send(None, "PUT", "/generic/absent/t/1/a", &[], b"x");
    refusals.text("no repository", &absent, 401, "login_required");
    let put = files.server.send(admin, "PUT", "/go/local/example.com/m/@v/v1.0.0.zip", &[], b"x");
    refusals.text("a format without writes", &put, 405, "method_not_allowed");
}

#[test]
fn an_upload_through_the_api_is_the_same_as_a_native_one() {
    let files = Files::new();
    let form = |version: &str, path: Option<&str>| {
        let form = RawForm::of("generic", "tool", version).text("repository", "files");
        let form = match path {
            Some(path) => form.text("path", path),
            None => form,
        };
        form.file(b"tool").send(&files.server)
    };
    let answer = form("1", Some("bin/tool")).expect(201).json();
    assert_eq!((&answer["purl"], &answer["files"][0]["sha256"]), (&json!("pkg:generic/tool@1"), &json!(TOOL_SHA256)));
    assert_eq!(http::get(answer["files"][0]["url"].as_str().expect("an address")).expect(200).text(), "tool");
    files.put("/tool/1/bin/tool", "tool").expect(200);
    form("1", Some("bin/tool")).expect(200);
    form("1", Some("bin/tool2")).expect(201);
    let missing = form("1", None).expect(422).json();
    assert_eq!(missing["code"], "file_path_missing");
    let artifact = files.server.api("GET", &format!("/api/artifacts/{}", answer["id"].as_str().expect("an id")), None);
    assert_eq!(artifact.expect(200).json()["files"].as_array().map(Vec::len), Some(2));
}

#[test]
fn many_clients_fill_one_version_at_once() {
    let files = Files::new();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let put = |number: usize| {
            let (path, body) = (format!("/tool/1/{}", number % 8), format!("{} {}", number % 8, number / 16));
            files.put(&path, &body).status
        };
        let clients: Vec<_> = (0..32).map(|number| scope.spawn(move || put(number))).collect();
        clients.into_iter().map(|client| client.join().expect("no client panics")).collect()
    });
    let count = |status| statuses.iter().filter(|one| **one == status).count();
    assert_eq!((count(201), count(200), count(409)), (8, 8, 16), "{statuses:?}");
    let listed = http::send("GET", &files.url("/tool/1/"), &[("Accept", "application/json")], &[]).expect(200).json();
    assert_eq!(listed["files"].as_array().map(Vec::len), Some(8));
    for number in 0..8 {
        let body = files.get(&format!("/tool/1/{number}")).expect(200).text();
        assert!(body.starts_with(&format!("{number} ")), "{body}");
    }
}

#[test]
fn curl_sends_and_fetches_a_file() {
    let (files, machine) = (Files::new(), Machine::new());
    let path = machine.work().join("tool.bin");
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&path, &bytes).expect("a file");
    let url = files.url("/tool/1.0.0/tool.bin");
    let authorization = format!("Authorization: Bearer {ADMIN_TOKEN}");
    let path = path.display().to_string();
    machine
        .run(&machine.work(), "curl", &["-sS", "--fail-with-body", "-H", &authorization, "-T", &path, &url])
        .succeeded();
    machine.run(&machine.work(), "curl", &["-sS", "--fail-with-body", "-o", "back.bin", &url]).succeeded();
    assert!(fs::read(machine.work().join("back.bin")).expect("a file") == bytes, "the bytes came back");
    let listed: Value = http::send("GET", &files.url("/tool/1.0.0"), &[("Accept", "application/json")], &[]).json();
    assert_eq!(listed["files"][0]["size"], bytes.len());
}
