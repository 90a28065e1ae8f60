//! Administration of repositories, and the JSON that it is sent as. Rows about remote and virtual repositories are
//! with those.

use serde_json::{Value, json};

use super::{refused, server};
use crate::harness::http::Response;
use crate::harness::people;
use crate::harness::refusal::Refusals;
use crate::harness::server::{ADMIN_TOKEN, Server};

const ALL: &str = "/api/repositories";
const LOCAL: &str = "/api/repositories/go/local";

fn send(server: &Server, method: &str, path: &str, body: &Value) -> Response {
    server.api(method, path, Some(body))
}

#[test]
fn a_repository_that_cannot_be_is_refused_with_all_that_is_wrong() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    let long = "a".repeat(101);
    let bad = |name: &str| json!({"format": "go", "name": name, "kind": "hosted"});
    let mut rows: Vec<(&str, Value, u16, Vec<&str>)> = ["", "A", "a b", "a/b", "..", ".a", "-a", "é", "a\n", &long]
        .iter()
        .map(|name| ("D1", bad(name), 400, vec!["invalid_field"]))
        .collect();
    rows.extend([
        ("D2", bad("local"), 409, vec!["repository_exists"]),
        ("D3", json!({"format": "cobol", "name": "x", "kind": "hosted"}), 400, vec!["unknown_format"]),
        ("D3", json!({"format": "go", "name": "x", "kind": "magic"}), 400, vec!["invalid_field"]),
        ("D3", json!({"format": "go", "name": "x"}), 400, vec!["field_missing"]),
        ("D3", json!({}), 400, vec!["field_missing"; 3]),
        (
            "D3",
            json!({"format": "cobol", "name": "X", "kind": "magic"}),
            400,
            vec!["unknown_format", "invalid_field", "invalid_field"],
        ),
        (
            "C17 in its place",
            json!({"format": "go", "name": "x", "kind": "hosted", "knd": 1}),
            400,
            vec!["unknown_field"],
        ),
        (
            "types",
            json!({"format": 1, "name": [], "kind": null, "anonymous_read": "yes"}),
            400,
            vec!["invalid_field"; 4],
        ),
        ("no object", json!([]), 400, vec!["invalid_field"]),
        (
            "deletion",
            json!({"format": "go", "name": "x", "kind": "hosted", "deletion": "now"}),
            400,
            vec!["invalid_field"],
        ),
        ("settings", json!({"format": "go", "name": "x", "kind": "hosted", "settings": 7}), 400, vec!["invalid_field"]),
        (
            "a setting",
            json!({"format": "go", "name": "x", "kind": "hosted", "settings": {"speed": 1}}),
            400,
            vec!["unknown_field"],
        ),
    ]);
    for (row, body, status, codes) in rows {
        refusals.api(&format!("{row} {body}"), &send(&server, "POST", ALL, &body), status, &codes);
    }
    let told = send(&server, "POST", ALL, &json!({"format": "cobol", "name": "A", "kind": "magic"})).text();
    for choice in ["go", "generic", "[a-z0-9][a-z0-9._-]{0,99}", "hosted"] {
        assert!(told.contains(choice), "D1, D3: {choice} is not named: {told}");
    }
    let told = send(&server, "POST", ALL, &json!({"format": "go", "nme": "x", "kind": "hosted"})).json();
    assert!(told["errors"][0]["hint"].as_str().is_some_and(|hint| hint.contains("\"name\"")), "{told}");
    assert_eq!((&told["errors"][0]["field"], &told["errors"][1]["field"]), (&json!("nme"), &json!("name")), "{told}");
}

#[test]
fn what_is_fixed_at_creation_is_not_changed() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    for (field, other) in [("format", "generic"), ("name", "other"), ("kind", "remote")] {
        let answer = send(&server, "PATCH", LOCAL, &json!({field: other, "description": "x"}));
        let told = refusals.api(&format!("D11 {field}"), &answer, 409, &["immutable_field"]);
        assert!(told["hint"].as_str().is_some_and(|hint| hint.contains("new repository")), "{told}");
    }
    let all = json!({"format": "generic", "name": "other", "kind": "virtual"});
    refusals.api("D11 all", &send(&server, "PATCH", LOCAL, &all), 409, &["immutable_field"; 3]);
    let same = json!({"format": "go", "name": "local", "kind": "hosted", "description": "what it was read as"});
    let changed = send(&server, "PATCH", LOCAL, &same).expect(200).json();
    assert_eq!(changed["description"], "what it was read as");
}

/// A server with a user, a group and an artifact, and the artifact's address.
fn with_one_of_each() -> (Server, String) {
    let server = server(&[]);
    people::person(&server, "ann");
    server.api("POST", "/api/groups", Some(&json!({"name": "team"}))).expect(201);
    let artifacts = server.api("GET", "/api/artifacts?repository=local", None).expect(200).json();
    let artifact = format!("/api/artifacts/{}", people::id(&artifacts["items"][0]));
    (server, artifact)
}

#[test]
fn everything_that_is_edited_has_a_tag_and_keeps_to_it() {
    let (server, artifact) = with_one_of_each();
    let rows = [
        ("PATCH", LOCAL, json!({"description": "one"}), json!({"description": "two"})),
        ("PATCH", &*artifact, json!({"pinned": true}), json!({"pinned": false})),
        ("PATCH", "/api/users/ann", json!({"display_name": "one"}), json!({"display_name": "two"})),
        ("PATCH", "/api/groups/team", json!({"description": "one"}), json!({"description": "two"})),
        ("PUT", "/api/repositories/go/local/quota", json!({"max_artifacts": 100}), json!({"max_artifacts": 200})),
        (
            "PUT",
            "/api/repositories/go/local/retention",
            json!({"rules": [{"keep_last": 100}]}),
            json!({"rules": [{"keep_last": 200}]}),
        ),
    ];
    for (method, path, one, two) in rows {
        let tag = || server.api("GET", path, None).expect(200).header("etag").expect("an ETag").to_owned();
        let change = |tag: &str, body: &Value| {
            let headers = [("Content-Type", "application/json"), ("If-Match", tag)];
            server.send(Some(ADMIN_TOKEN), method, path, &headers, body.to_string().as_bytes())
        };
        let first = tag();
        let changed = change(&first, &one).expect(200);
        let second = tag();
        assert_eq!(changed.header("etag"), Some(&*second), "D14 {path}: the answer has the new tag");
        assert_ne!(first, second, "D14 {path}");
        for stale in [&*first, "\"nothing\"", "W/\"1\"", "x", ""] {
            let answer = change(stale, &two);
            refused(&Refusals::by(&server), &format!("D14 {path} {stale}"), path, &answer, 412, "stale_write");
        }
        assert_eq!(tag(), second, "D14 {path}: nothing has changed");
        change(&second, &two).expect(200);
        change("*", &one).expect(200);
        server.api(method, path, Some(&two)).expect(200);
    }
}

#[test]
fn nothing_is_deleted_that_has_become_another_than_was_read() {
    let (server, artifact) = with_one_of_each();
    let rows = [
        (&*artifact, "", json!({"state": "yanked"})),
        ("/api/users/ann", "", json!({"display_name": "Ann"})),
        ("/api/groups/team", "", json!({"description": "ours"})),
        (LOCAL, "?force=true", json!({"description": "ours"})),
    ];
    for (path, how, change) in rows {
        let tag = || server.api("GET", path, None).expect(200).header("etag").expect("an ETag").to_owned();
        let delete =
            |tag: &str| server.send(Some(ADMIN_TOKEN), "DELETE", &format!("{path}{how}"), &[("If-Match", tag)], &[]);
        let read = tag();
        server.api("PATCH", path, Some(&change)).expect(200);
        let present = tag();
        for stale in [&*read, "\"nothing\"", "W/\"1\"", "x", ""] {
            let row = format!("D14 DELETE {path} {stale}");
            refused(&Refusals::by(&server), &row, path, &delete(stale), 412, "stale_write");
        }
        assert_eq!(tag(), present, "D14 DELETE {path}: it is there, and the same");
        delete(&present).expect(204);
    }
    server.api("GET", LOCAL, None).expect(404);
}

#[test]
fn json_that_two_readers_could_take_for_two_things_is_refused_with_its_place() {
    let server = server(&[]);
    let refusals = Refusals::by(&server);
    let deep = format!("{{\"format\": {}1{}}}", "[".repeat(40), "]".repeat(40));
    let post = |kind: &str, body: &[u8]| {
        let mut headers = vec![("Content-Type", kind)];
        headers.retain(|(_, kind)| !kind.is_empty());
        server.send(Some(ADMIN_TOKEN), "POST", ALL, &headers, body)
    };
    let rows: [(&str, &[u8], &str); 9] = [
        ("truncated", br#"{"format": "go", "name""#, "line 1 column 23"),
        ("NaN", br#"{"format": NaN}"#, "line 1 column 12"),
        ("a key twice", br#"{"name": "a", "name": "b"}"#, "line 1 column 20"),
        ("a key twice, spelled otherwise", b"{\"name\": \"a\",\n\"n\\u0061me\": \"b\"}", "line 2"),
        ("depth 40", deep.as_bytes(), "column"),
        ("a byte order mark", b"\xef\xbb\xbf{}", "line 1 column 1"),
        ("not UTF-8", b"{\"name\": \"\xff\"}", "line 1"),
        ("two documents", b"{}{}", "line 1 column 3"),
        ("a comment", b"{} // x", "line 1"),
    ];
    for (row, body, place) in rows {
        let told = refusals.api(&format!("D15 {row}"), &post("application/json", body), 400, &["invalid_json"]);
        assert!(told["detail"].as_str().is_some_and(|detail| detail.contains(place)), "D15 {row}: {told}");
    }
    for kind in ["", "text/plain", "application/x-www-form-urlencoded", "application/xml"] {
        let answer = post(kind, br#"{"format": "go", "name": "x", "kind": "hosted"}"#);
        refusals.api(&format!("D15 {kind:?}"), &answer, 415, &["unsupported_media_type"]);
    }
    for kind in ["application/merge-patch+json", "application/json; charset=utf-8"] {
        let headers = [("Content-Type", kind)];
        let described = server
            .send(Some(ADMIN_TOKEN), "PATCH", LOCAL, &headers, json!({"description": kind}).to_string().as_bytes())
            .expect(200);
        assert_eq!(described.json()["description"], kind, "D15 {kind}");
    }
    let secret = "tests-only-Qm4vX7bTz0";
    let wrong = json!({"login": "admin", "password": {"text": secret}}).to_string();
    let answer = server.send(None, "POST", "/api/session", &[("Content-Type", "application/json")], wrong.as_bytes());
    let told = refusals.api("a secret in a wrong place", &answer, 400, &["invalid_field"]);
    assert!(!told.to_string().contains(secret) && !server.output().contains(secret), "it is not repeated: {told}");
}
