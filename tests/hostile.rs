//! A format that the product does not have gets from the platform what every format gets: see
//! `hostile_format` for what it is like.

use serde_json::{Value, json};

use crate::harness::http::{self, Response};
use crate::harness::raw_form::{self, RawForm};
use crate::harness::refusal::text;
use crate::harness::server::{ADMIN_TOKEN, Server};

struct Hostile {
    server: Server,
}

impl Hostile {
    fn new() -> Self {
        let server = Server::with_hostile_format();
        let repository = json!({ "format": "hostile", "name": "r", "kind": "hosted", "anonymous_read": true });
        server.create_repository(&repository);
        Self { server }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/hostile/r{path}", self.server.url)
    }

    fn send(&self, token: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        self.server.send(Some(token), method, &format!("/hostile/r{path}"), headers, body)
    }

    /// An upload by the format's own form, with a text of several lines.
    fn upload_as(&self, token: &str, version: &str, file: &str, content: &str) -> Response {
        let texts = [("name", "pkg"), ("version", version), ("summary", "one\ntwo"), ("filename", file)];
        let form = texts.into_iter().fold(RawForm::default(), |form, (name, value)| form.text(name, value));
        let form = form.part("Content-Disposition: form-data; name=\"content\"; filename=\"x\"", content);
        self.send(token, "POST", "/upload", &[("Content-Type", &raw_form::content_type())], &form.finished())
    }

    fn upload(&self, version: &str, file: &str, content: &str) -> Response {
        self.upload_as(ADMIN_TOKEN, version, file, content)
    }

    fn index(&self) -> Value {
        let json = [("Accept", "application/vnd.hostile.index+json")];
        http::send("GET", &self.url("/index/pkg/"), &json, &[]).expect(200).json()
    }
}

#[test]
fn a_form_of_its_own_fills_a_version_file_by_file() {
    let hostile = Hostile::new();
    let first = hostile.upload("1.0", "pkg.tar", "tar").expect(201);
    assert_eq!(first.json(), json!({ "ok": true, "id": "pkg@1.0" }), "the format words its receipt");
    hostile.upload("1.0", "pkg.whl", "wheel").expect(201);
    hostile.upload("1.0", "pkg.whl", "wheel").expect(200);
    text("taken", &hostile.upload("1.0", "pkg.whl", "other"), 409, "file_exists");
    let file = http::send("GET", &hostile.url("/files/pkg/1.0/pkg.whl"), &[("Range", "bytes=0-1")], &[]);
    assert_eq!((file.status, file.text().as_str()), (206, "wh"), "ranges are the platform's");
    assert_eq!(file.header("content-type"), Some("application/vnd.hostile.package"));
    let listed = hostile.server.api("GET", "/api/artifacts?format=hostile", None).expect(200).json();
    let item = &listed["items"][0];
    assert_eq!(item["files"].as_array().map(Vec::len), Some(2));
    assert_eq!(item["metadata"]["summary"], "one\ntwo", "a text of several lines came through");
}

/// Remote and virtual repositories are the platform's as well.
#[test]
fn it_is_copied_and_combined_as_every_format_is() {
    let (theirs, ours) = (Hostile::new(), Hostile::new());
    theirs.upload("1.0", "pkg.tar", "theirs").expect(201);
    let upstream = json!({ "url": format!("http://{}/hostile/r", theirs.server.address()), "allow_http": true });
    let repository =
        |name: &str, kind: &str| json!({ "format": "hostile", "name": name, "kind": kind, "anonymous_read": true });
    let mut copies = repository("copies", "remote");
    copies["upstream"] = upstream;
    ours.server.create_repository(&copies);
    let mut all = repository("all", "virtual");
    all["members"] = json!(["copies", "r"]);
    ours.server.create_repository(&all);
    let get = |path: &str| http::get(&format!("{}/hostile/{path}", ours.server.url));

    assert_eq!(get("copies/files/pkg/1.0/pkg.tar").expect(200).text(), "theirs");
    drop(theirs);
    assert_eq!(get("copies/files/pkg/1.0/pkg.tar").expect(200).text(), "theirs", "a copy is ours");
    assert_eq!(get("all/files/pkg/1.0/pkg.tar").expect(200).text(), "theirs");
    text("trouble", &get("all/files/pkg/1.0/other.tar"), 502, "upstream_unreachable");
    ours.upload("2.0", "pkg.tar", "ours").expect(201);
    assert_eq!(get("all/files/pkg/2.0/pkg.tar").expect(200).text(), "ours");
    assert_eq!(get("all/files/pkg/1.0/pkg.tar").status, 404, "what is published here is looked for here alone");
}

#[test]
fn its_index_holds_all_files_with_absolute_links_and_differs_by_accept() {
    let hostile = Hostile::new();
    for (version, file) in [("1.9", "a"), ("1.10", "b"), ("1.10", "c")] {
        hostile.upload(version, file, file).expect(201);
    }
    let index = hostile.index();
    let names: Vec<_> = index["files"].as_array().expect("files").iter().map(|file| &file["name"]).collect();
    assert_eq!(names, ["a", "b", "c"], "in the order of versions");
    let link = index["files"][1]["url"].as_str().expect("an address");
    let (url, digest) = link.split_once("#sha256=").expect("a digest");
    let file = http::get(url).expect(200);
    assert_eq!((file.text().as_str(), file.header("etag")), ("b", Some(&*format!("\"{digest}\""))));

    let html = http::get(&hostile.url("/index/pkg/")).expect(200);
    assert_eq!((html.header("content-type"), html.header("vary")), (Some("text/html; charset=utf-8"), Some("accept")));
    assert!(html.text().contains(&format!("href=\"{link}\"")), "{}", html.text());
    assert_eq!(hostile.index(), index, "the other shape does not get in the way");
    // Kept answers hold links: who asks by another name gets links of that name.
    let by_address = hostile.url("/index/pkg/").replace("localhost", "127.0.0.1");
    assert!(http::get(&by_address).expect(200).text().contains("http://127.0.0.1:"));
    assert!(http::get(&hostile.url("/index/pkg/")).expect(200).text().contains("http://localhost:"));
}

#[test]
fn a_label_moves_by_its_own_request() {
    let hostile = Hostile::new();
    for version in ["1.0", "2.0"] {
        hostile.upload(version, "f", version).expect(201);
    }
    assert_eq!(hostile.index()["stable"], Value::Null);
    for version in ["2.0", "1.0"] {
        hostile.send(ADMIN_TOKEN, "PUT", "/tags/pkg/stable", &[], version.as_bytes()).expect(200);
        assert_eq!(hostile.index()["stable"], version, "at once, in spite of kept answers");
    }
    text("no such version", &hostile.send(ADMIN_TOKEN, "PUT", "/tags/pkg/stable", &[], b"9"), 404, "version_not_found");
    let long = "1".repeat(129);
    text("a long body", &hostile.send(ADMIN_TOKEN, "PUT", "/tags/pkg/stable", &[], long.as_bytes()), 413, "too_large");
    hostile.send(ADMIN_TOKEN, "DELETE", "/versions/pkg/1.0", &[], &[]).expect(200);
    assert_eq!(hostile.index()["stable"], Value::Null, "the labels of a deleted version go");
}

#[test]
fn its_writes_need_the_rights_that_all_writes_need() {
    let hostile = Hostile::new();
    hostile.upload("1.0", "f", "f").expect(201);
    let reader = hostile.server.token("--name reader --actions read --repositories hostile/r");
    let publisher = hostile.server.token("--name publisher --actions publish --repositories hostile/r");
    text("reader", &hostile.upload_as(&reader, "1.1", "f", "f"), 403, "publish_denied");
    text("reader", &hostile.send(&reader, "PUT", "/tags/pkg/stable", &[], b"1.0"), 403, "publish_denied");
    text("publisher", &hostile.send(&publisher, "DELETE", "/versions/pkg/1.0", &[], &[]), 403, "delete_denied");
    text("stranger", &http::send("POST", &hostile.url("/upload"), &[], b"x"), 401, "login_required");
    hostile.upload_as(&publisher, "1.1", "f", "f").expect(201);
}
