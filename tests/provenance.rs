//! A version tells how it came, with which token, and when somebody downloaded it first; and whether its bytes are what
//! they were.

use serde_json::{Value, json};

use crate::harness::archives;
use crate::harness::http;
use crate::harness::people::{Credential, PASSWORD, ask, grant, person, session, token};
use crate::harness::raw_form::{self, RawForm};
use crate::harness::server::Server;

const M: &str = "example.com/m";

fn server() -> Server {
    Server::with(&[("KEEPER_ADMIN_PASSWORD", PASSWORD), ("KEEPER_LAST_USE_PERIOD", "1h")])
}

/// Publishes a version of the module; its id.
fn publish(server: &Server, version: &str, who: &Credential) -> String {
    let archive = archives::module(format!("module {M}\n").as_bytes());
    let form = RawForm::module(M, version).file(archive).finished();
    let kind = raw_form::content_type();
    let made = crate::harness::people::ask_with(server, "POST", "/api/artifacts", who, &kind, &form).expect(201).json();
    made["id"].as_str().expect("an id").to_owned()
}

fn provenance(server: &Server, id: &str, who: &Credential) -> Value {
    ask(server, "GET", &format!("/api/artifacts/{id}/provenance"), who, None).expect(200).json()
}

/// The publisher `paula`, and a token of hers.
fn publisher(server: &Server) -> Credential {
    person(server, "paula");
    grant(server, "paula", "*", "publisher");
    Credential::Bearer(token(server, "paula", &["read", "publish"], &["*"]).0)
}

#[test]
fn a_version_tells_its_token_and_its_way_to_those_who_are_signed_in() {
    let server = server();
    let paula = publisher(&server);
    let Credential::Bearer(secret) = &paula else { panic!("a token") };
    let (by_token, by_session) = (
        publish(&server, "v1.0.0", &paula),
        publish(&server, "v1.1.0", &Credential::Cookie(session(&server, "paula"))),
    );
    let told = provenance(&server, &by_token, &paula);
    assert_eq!((&told["way"], &told["published_by"]), (&json!("api"), &json!("paula")), "{told}");
    assert_eq!(told["token"], json!({"display": secret[..8], "name": "paula"}));
    let row = server.api("GET", "/api/audit?action=publish&actor=paula", None).expect(200).json();
    let rows = row["items"].as_array().expect("rows");
    assert_eq!(rows.len(), 2, "{row}");
    assert_eq!(told["request_id"], rows[1]["request_id"], "the request of its own row");
    assert!(!told.to_string().contains("127.0.0.1"), "an address: {told}");

    let told = provenance(&server, &by_session, &paula);
    assert!(told["token"].is_null() && told["session"].as_str().is_some_and(|end| end.len() == 8), "{told}");
    for id in [&by_token, &by_session] {
        let told = provenance(&server, id, &Credential::None);
        assert_eq!((&told["way"], &told["published_by"]), (&json!("api"), &json!("paula")), "{told}");
        assert!(["token", "session", "request_id"].iter().all(|field| told[field].is_null()), "a stranger sees {told}");
    }
}

#[test]
fn what_comes_by_the_formats_own_way_says_so() {
    let server = server();
    server.create_repository(&json!({"format": "generic", "name": "files", "kind": "hosted", "anonymous_read": true}));
    let kind = [("Content-Type", "application/octet-stream")];
    let token = crate::harness::server::ADMIN_TOKEN;
    server.send(Some(token), "PUT", "/generic/files/tool/1.0.0/a", &kind, b"first").expect(201);
    server.send(Some(token), "PUT", "/generic/files/tool/1.0.0/b", &kind, b"second").expect(201);
    let found = server.api("GET", "/api/artifacts?format=generic", None).expect(200).json();
    let id = found["items"][0]["id"].as_str().expect("an id").to_owned();
    let told = provenance(&server, &id, &Credential::Bearer(token.to_owned()));
    assert_eq!((&told["way"], told["token"].is_object()), (&json!("client"), true), "{told}");
}

#[test]
fn the_first_download_is_told_at_once_and_stays() {
    let mut server = server();
    let id = publish(&server, "v1.0.0", &Credential::Bearer(crate::harness::server::ADMIN_TOKEN.to_owned()));
    let first = |server: &Server| provenance(server, &id, &Credential::None)["first_download_at"].clone();
    assert!(first(&server).is_null(), "nobody has downloaded it");
    let (path, page) = (format!("/api/artifacts/{id}/files/v1.0.0.mod"), [("X-Keeper-Request", "1")]);
    server.send(None, "GET", &path, &page, b"").expect(200);
    assert!(first(&server).is_null(), "a page has shown a file of it");
    let zip = format!("{}/{M}/@v/v1.0.0.zip", server.go("local"));
    http::get(&zip).expect(200);
    let at = first(&server);
    assert!(at.is_string(), "it is told before it is written down");
    server.stop();
    server.start_again();
    assert_eq!(first(&server), at, "it was written down");
    let zip = format!("{}/{M}/@v/v1.0.0.zip", server.go("local"));
    http::get(&zip).expect(200);
    server.stop();
    server.start_again();
    assert_eq!(first(&server), at, "a later one changes nothing");
    let told = provenance(&server, &id, &Credential::None);
    assert!(told["last_download_on"].as_str().is_some_and(|day| day.len() == 10), "{told}");
}
