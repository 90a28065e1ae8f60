//! Rules remove what they said they would, and nothing else.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::workshop::{assert_sound, publish, server};
use crate::harness::database::sql;
use crate::harness::http;
use crate::harness::server::Server;
use crate::harness::wait::until;

const RETENTION: &str = "/api/repositories/go/local/retention";

/// Versions as `name@version`.
fn live(server: &Server) -> BTreeSet<String> {
    let page = server.api("GET", "/api/artifacts?limit=200", None).expect(200).json();
    names(&page["items"])
}

fn names(items: &Value) -> BTreeSet<String> {
    let text = |item: &Value, key: &str| item[key].as_str().expect("a text").to_owned();
    let items = items.as_array().expect("items").iter();
    items.map(|item| format!("{}@{}", text(item, "name"), text(item, "version"))).collect()
}

fn set(server: &Server, query: &str, rules: &Value) -> Value {
    server.api("PUT", &format!("{RETENTION}{query}"), Some(&json!({ "rules": rules }))).expect(200).json()
}

/// Starts the server with a retention that runs all the time, and waits until so many versions are left.
fn applied(server: &mut Server, left: usize) {
    server.stop();
    server.set("KEEPER_RETENTION_PERIOD", "100ms");
    server.start_again();
    until("the rules are applied", || live(server).len() == left);
}

/// Pins the version of that name.
fn pin(server: &Server, version: &str) {
    let page = server.api("GET", &format!("/api/artifacts?version={version}"), None).expect(200).json();
    let id = page["items"][0]["id"].as_str().expect("an id");
    server.api("PATCH", &format!("/api/artifacts/{id}"), Some(&json!({ "pinned": true }))).expect(200);
}

#[test]
fn what_a_dry_run_told_is_what_then_goes() {
    let mut server = server(&[]);
    for version in 0..6 {
        publish(&server, "example.com/a", version, version).expect(201);
    }
    publish(&server, "example.com/b", 0, 10).expect(201);
    pin(&server, "v1.1.0");
    let rules = json!([{ "packages": ["example.com/*"], "keep_last": 2 }]);
    let before = live(&server);
    let told = set(&server, "?dry_run=true", &rules);
    let kept = server.api("GET", RETENTION, None).expect(200).json();
    assert!(kept["rules"] == json!([]) && kept["would_remove"].is_null(), "a dry run keeps no rules: {kept}");
    let answer = set(&server, "", &rules);
    assert_eq!((&answer["rules"], &answer["set_by"]), (&rules, &json!("admin")), "{answer}");
    let again = server.api("GET", &format!("{RETENTION}?dry_run=true"), None).expect(200).json();
    assert_eq!(again["would_remove"], told["would_remove"], "stored or sent, rules say the same");
    assert_eq!(told["would_remove"]["versions"], 3, "{told}");
    let going = names(&told["would_remove"]["items"]);
    let first = server.api("GET", &format!("{RETENTION}?dry_run=true&limit=2"), None).expect(200).json();
    let cursor = first["would_remove"]["next_cursor"].as_str().expect("more follows");
    let rest = server.api("GET", &format!("{RETENTION}?dry_run=true&limit=2&cursor={cursor}"), None).expect(200).json();
    let mut paged = names(&first["would_remove"]["items"]);
    paged.extend(names(&rest["would_remove"]["items"]));
    assert!(paged == going && rest["would_remove"]["next_cursor"].is_null(), "pages are the whole: {paged:?}");
    assert_eq!(live(&server), before, "nothing has gone yet");

    applied(&mut server, before.len() - going.len());
    assert_eq!(live(&server), &before - &going, "what was told, and nothing else");
    for stays in ["example.com/a@v1.1.0", "example.com/a@v1.5.0", "example.com/b@v1.0.0"] {
        assert!(live(&server).contains(stays), "{stays}: pinned or the newest");
    }
    http::get(&format!("{}/example.com/a/@v/v1.0.0.zip", server.go("local"))).expect(410);
    assert_sound(&server);
}

#[test]
fn a_version_that_is_still_used_stays() {
    let mut server = server(&[]);
    for version in 0..3 {
        publish(&server, "example.com/m", version, version).expect(201);
    }
    server.stop();
    // As if published long ago, when uses were recorded already.
    for statement in ["UPDATE artifacts SET published_at = 1000000", "UPDATE instance SET use_recorded_from = 0"] {
        sql(&server, statement);
    }
    server.start_again();
    http::get(&format!("{}/example.com/m/@v/v1.0.0.zip", server.go("local"))).expect(200);
    set(&server, "", &json!([{ "unused_for_days": 30 }]));
    // The use is written down when the server stops.
    applied(&mut server, 2);
    assert_eq!(live(&server), ["example.com/m@v1.0.0", "example.com/m@v1.2.0"].map(str::to_owned).into());
    assert_sound(&server);
}

#[test]
fn rules_that_say_nothing_or_have_no_use_are_refused() {
    let server = server(&[]);
    let send = |path: &str, rules: Value| {
        let answer = server.api("PUT", path, Some(&json!({ "rules": rules })));
        (answer.status, answer.json()["code"].as_str().map(str::to_owned))
    };
    let invalid = (400, Some("invalid_field".to_owned()));
    assert_eq!(send(RETENTION, json!([{}])), invalid);
    assert_eq!(send(RETENTION, json!([{ "packages": ["a**"], "keep_last": 1 }])), invalid);
    assert_eq!(send(&format!("{RETENTION}?dry_run=true&limit=0"), json!([])), invalid);
    server.create_repository(&json!({ "format": "go", "name": "archive", "kind": "hosted", "deletion": "never" }));
    let forbidden = (409, Some("deletion_forbidden".to_owned()));
    assert_eq!(send("/api/repositories/go/archive/retention", json!([{ "keep_last": 1 }])), forbidden);
}
