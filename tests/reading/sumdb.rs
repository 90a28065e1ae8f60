//! The checksum database behind a repository: what is passed on, and what never leaves the machine.
//!
//! `Outside` stands for the database and writes down what arrives; a second one stands for whoever somebody
//! may want the server to call.

use serde_json::json;

use crate::harness::archives;
use crate::harness::http::{self, Response};
use crate::harness::outside::Outside;
use crate::harness::raw_form::RawForm;
use crate::harness::refusal::{LOG, Refusals};
use crate::harness::server::Server;

const RECORD: &str =
    "7\nexample.org/public v1.0.0 h1:x=\nexample.org/public v1.0.0/go.mod h1:y=\n\ngo.sum database tree\n";

struct Scene {
    server: Server,
    database: Outside,
    stranger: Outside,
}

impl Scene {
    fn new() -> Self {
        let (database, stranger) = (Outside::answering(200, RECORD), Outside::answering(200, RECORD));
        let server = Server::with(&[LOG, ("KEEPER_NETWORK_ALLOW", "127.0.0.1")]);
        let settings = [
            (
                "r",
                json!({"checksum_database": format!("sum.golang.org {}", database.url), "nosumdb": ["corp.example"]}),
            ),
            ("off", json!({"checksum_database": "off"})),
        ];
        for (name, settings) in settings {
            let repository =
                json!({"format": "go", "name": name, "kind": "hosted", "anonymous_read": true, "settings": settings});
            server.create_repository(&repository);
        }
        let module = RawForm::module("github.com/yc/mymodule", "v1.0.0").text("repository", "r");
        module.file(archives::module(b"module github.com/yc/mymodule\n")).send(&server).expect(201);
        Self { server, database, stranger }
    }

    fn get(&self, repository: &str, path: &str) -> Response {
        http::get(&format!("{}/sumdb/{path}", self.server.go(repository)))
    }

    /// Nobody has called anybody.
    #[track_caller]
    fn nothing_left(&self, row: &str) {
        assert_eq!(
            (self.database.requests(), self.stranger.requests()),
            (vec![], vec![]),
            "{row}: this left the machine"
        );
    }
}

#[test]
fn supported_is_answered_here() {
    let scene = Scene::new();
    let refusals = Refusals::by(&scene.server);
    let supported = scene.get("r", "sum.golang.org/supported").expect(200);
    assert!(supported.body.is_empty(), "35: {}", supported.text());
    assert_eq!(supported.header("content-type"), Some("text/plain; charset=utf-8"), "35");
    for (row, repository, database) in
        [("G14, 35 another one", "r", "sum.example.org"), ("G14 off", "off", "sum.golang.org")]
    {
        let text = refusals.text(row, &scene.get(repository, &format!("{database}/supported")), 404, "not_found");
        assert!(text.contains("asks the database itself"), "{row}: {text}");
    }
    scene.nothing_left("G14, 35");
}

#[test]
fn no_address_in_a_path_is_called() {
    let scene = Scene::new();
    let refusals = Refusals::by(&scene.server);
    let called = scene.stranger.url.strip_prefix("http://").expect("an address").to_owned();
    let encoded = called.replace(':', "%3A");
    let names = [
        "169.254.169.254",
        "sum.golang.org.evil",
        "sum.golang.org@evil",
        "sum.golang.org:80",
        "SUM.GOLANG.ORG",
        "localhost",
        "sum.golang.org%00",
        "sum.golang.org%2F..",
        &called,
        &encoded,
    ];
    for name in names {
        for rest in ["latest", "supported", "lookup/example.org/public@v1.0.0", "tile/8/0/000"] {
            let row = format!("G15 {name}/{rest}");
            let answer = scene.get("r", &format!("{name}/{rest}"));
            let code = if name.contains("%00") || name.contains("%2F") { "file_not_found" } else { "not_found" };
            refusals.text(&row, &answer, 404, code);
        }
    }
    let odd = [
        ("G15", format!("sum.golang.org/../{called}/latest"), "file_not_found"),
        ("G15", "sum.golang.org/../x".to_owned(), "file_not_found"),
        ("G15", format!("sum.golang.org//{called}/latest"), "file_not_found"),
        ("G15", format!("http://{called}/latest"), "file_not_found"),
        ("G15", "..".to_owned(), "file_not_found"),
        ("37", "sum.golang.org/tile/8/0/000.p/256".to_owned(), "not_found"),
        ("37", "sum.golang.org/tile/8/0/1".to_owned(), "not_found"),
        ("37", "sum.golang.org/tile/0/0/000".to_owned(), "not_found"),
        ("37 beyond", "sum.golang.org/tile/8/0/000/../latest".to_owned(), "file_not_found"),
        ("malformed", "sum.golang.org/lookup/example.org/public".to_owned(), "not_found"),
        ("malformed", "sum.golang.org/lookup/example.org/public@main".to_owned(), "not_found"),
        ("malformed", "sum.golang.org/lookup/@v1.0.0".to_owned(), "not_found"),
        ("malformed", "sum.golang.org/lookup/example.org/Public@v1.0.0".to_owned(), "not_found"),
        ("unknown", "sum.golang.org/other".to_owned(), "not_found"),
        ("unknown", String::new(), "file_not_found"),
    ];
    for (row, path, code) in odd {
        refusals.text(&format!("{row} {path}"), &scene.get("r", &path), 404, code);
    }
    scene.nothing_left("G15, 37");
}

#[test]
fn the_name_of_a_private_module_never_leaves() {
    let scene = Scene::new();
    let refusals = Refusals::by(&scene.server);
    let rows = [
        ("github.com/yc/mymodule@v1.0.0", "github.com/yc"),
        ("github.com/yc/mymodule@v9.9.9", "github.com/yc"),
        ("github.com/yc/mymodule/v2@v2.0.0", "github.com/yc"),
        ("corp.example/secret@v1.0.0", "corp.example"),
    ];
    for (module, pattern) in rows {
        let row = format!("36 {module}");
        let text =
            refusals.text(&row, &scene.get("r", &format!("sum.golang.org/lookup/{module}")), 403, "module_private");
        assert!(text.contains(&format!("run: go env -w GONOSUMDB={pattern}\n")), "{row}: {text}");
    }
    scene.nothing_left("36");
}

#[test]
fn what_is_public_is_passed_on() {
    // Without this, a server that calls nobody would pass the tests above.
    let scene = Scene::new();
    let answer = scene.get("r", "sum.golang.org/lookup/example.org/public@v1.0.0").expect(200);
    assert_eq!(answer.text(), RECORD);
    assert_eq!(answer.header("cache-control"), Some("public, max-age=86400"));
    assert_eq!(scene.database.requests(), ["GET /lookup/example.org/public@v1.0.0"]);
    assert_eq!(scene.stranger.requests(), [""; 0]);
}
