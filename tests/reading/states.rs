//! Versions that were deleted or lost, and repositories that are not for everybody.

use std::fs;
use std::net::TcpStream;

use serde_json::json;

use super::Scene;
use crate::harness::archives;
use crate::harness::http::{self, Response};
use crate::harness::raw_form::RawForm;
use crate::harness::refusal::{LOG, Refusals, files, text};
use crate::harness::server::{ADMIN_TOKEN, Server};

#[test]
fn a_deleted_version_is_gone_and_not_listed() {
    let scene = Scene::new();
    let old = scene.publish("example.com/gone", "v0.9.0", None);
    let new = scene.publish("example.com/gone", "v1.0.0", None);
    scene.delete(&new, "a%20leak");
    let refusals = Refusals::by(&scene.server);
    for extension in ["info", "mod", "zip"] {
        let row = format!("G4, 38 .{extension}");
        let answer = scene.get(&format!("/example.com/gone/@v/v1.0.0.{extension}"));
        let said = refusals.text(&row, &answer, 410, "deleted");
        assert!(
            said.starts_with("gone: example.com/gone@v1.0.0 was deleted on ") && said.contains(": a leak\n"),
            "{row}: {said}"
        );
        let other = refusals.text(
            &row,
            &scene.get(&format!("/example.com/gone/@v/v1.0.1.{extension}")),
            404,
            "version_not_found",
        );
        assert!(other.contains("has 1 version of it"), "{row}: {other}");
    }
    assert_eq!(scene.get("/example.com/gone/@v/list").expect(200).text(), "v0.9.0\n", "G4, 38");
    assert_eq!(scene.get("/example.com/gone/@latest").expect(200).json()["Version"], "v0.9.0", "G4");
    refusals.text("G4 its label", &scene.get("/example.com/gone/@v/branch-v1.0.0.info"), 404, "version_not_found");

    scene.delete(&old, "");
    let refusals = Refusals::by(&scene.server);
    assert_eq!(scene.get("/example.com/gone/@v/list").expect(200).text(), "", "G5: known, and empty");
    refusals.text("G5", &scene.get("/example.com/gone/@latest"), 404, "version_not_found");
    let said = refusals.text("G4", &scene.get("/example.com/gone/@v/v0.9.0.zip"), 410, "deleted");
    assert!(said.starts_with("gone: example.com/gone@v0.9.0 was deleted on "), "{said}");
}

#[test]
fn lost_bytes_are_a_fault_of_ours_and_the_connection_goes_on() {
    let scene = Scene::new();
    let blobs = files(&scene.server.data().join("blobs/sha256"));
    assert!(!blobs.is_empty(), "zips are files");
    let (host, path) = (scene.server.host(), "/go/r/github.com/!azure/m/@v");
    let mut stream = TcpStream::connect(host).expect("a listening server");
    let mut ask =
        |file: &str| http::ask(&mut stream, format!("GET {path}/{file} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
    ask("v1.0.0.zip").expect(200);
    for blob in &blobs {
        fs::remove_file(blob).unwrap_or_else(|error| panic!("{}: {error}", blob.display()));
    }
    let said = text("G19", &ask("v1.0.0.zip"), 500, "blob_missing");
    assert!(!said.contains("blobs/") && !said.contains("sha256"), "G19: nothing of the inside: {said}");
    assert_eq!(ask("list").expect(200).text(), "v1.0.0\nv1.1.0-rc.1\n", "G19: the same connection");
    ask("v1.0.0.mod").expect(200);

    // The same upload again heals it.
    let zip = scene.publish_again("github.com/Azure/m", "v1.0.0");
    assert_eq!(zip.status, 200, "{}", zip.text());
    ask("v1.0.0.zip").expect(200);
}

impl Scene {
    /// The upload of the scene once more.
    fn publish_again(&self, name: &str, version: &str) -> Response {
        let go_mod = format!("module {name}\n\ngo 1.21\n");
        let noise = archives::noise(100_000);
        let files: [(&str, &[u8]); 3] = [("go.mod", go_mod.as_bytes()), ("m.go", b"package m\n"), ("noise", &noise)];
        RawForm::module(name, version).text("repository", "r").file(archives::zip(&files)).send(&self.server)
    }
}

/// One who reads with a header of this value.
fn read(server: &Server, path: &str, authorization: &str) -> Response {
    let headers = [("Authorization", authorization)];
    http::send("GET", &format!("{}{path}", server.url), &headers[..usize::from(!authorization.is_empty())], &[])
}

#[test]
fn what_is_not_for_everybody_looks_like_what_is_absent() {
    let server = Server::with(&[LOG]);
    server.create_repository(&json!({"format": "go", "name": "private", "kind": "hosted"}));
    let module = RawForm::module("example.com/m", "v1.0.0").text("repository", "private");
    module.file(archives::module(b"module example.com/m\n")).send(&server).expect(201);
    let stranger = format!("Bearer {}", server.token("--name stranger --actions read --repositories go/other"));
    let reader_token = server.token("--name reader --actions read --repositories go/private");
    let admin = format!("Bearer {ADMIN_TOKEN}");
    let refusals = Refusals::by(&server);
    let rests = [
        "",
        "/",
        "/example.com/m/@v/list",
        "/example.com/m/@v/v1.0.0.zip",
        "/example.com/m/@latest",
        "/example.com/x/@v/list",
        "/sumdb/sum.golang.org/supported",
        "/x.y/z?go-get=1",
        "/a//b",
        "/%zz",
    ];
    for rest in rests {
        let (there, absent) = (format!("/go/private{rest}"), format!("/go/absent{rest}"));
        for (row, who, status, code) in
            [("27, 28", "", 401, "login_required"), ("27, 30", &*stranger, 403, "repository_unavailable")]
        {
            let row = format!("{row} {rest}");
            let answers = [&there, &absent].map(|path| read(&server, path, who));
            let texts = answers.each_ref().map(|answer| refusals.text(&row, answer, status, code));
            // All but the name and the number of the request.
            let [one, other] = texts.map(|text| text.rsplit_once(" request=").expect("a request").0.to_owned());
            assert_eq!(one.replace("go/private", "go/absent"), other, "{row}");
            assert!(one.contains("go/local"), "{row}: it names what can be read: {one}");
            if status == 401 {
                let challenge = answers[0].header("www-authenticate").expect("a challenge");
                assert!(challenge.starts_with("Basic realm=\"artifact-keeper\""), "{row}: {challenge}");
            }
        }
        let text = refusals.text(&format!("27 {rest}"), &read(&server, &absent, &admin), 404, "repository_not_found");
        assert!(text.contains("\"go/absent\" does not exist"), "27 {rest}: {text}");
    }
    let basic = format!("Basic {}", data_encoding::BASE64.encode(format!("anybody:{reader_token}").as_bytes()));
    for who in [basic, format!("Bearer {reader_token}"), admin] {
        let list = read(&server, "/go/private/example.com/m/@v/list", &who).expect(200);
        assert_eq!(list.text(), "v1.0.0\n", "29");
        assert_eq!(list.header("cache-control"), Some("private, no-cache"), "29");
        assert_eq!(list.header("vary"), Some("Authorization, disable-module-fetch"), "29");
    }
}
