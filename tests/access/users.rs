//! Administration: what nobody can set by accident, who stays an administrator, and what an owner may give.

use serde_json::{Value, json};

use super::server;
use crate::harness::http::send;
use crate::harness::people::{Credential, ask, grant, person, session, token};
use crate::harness::refusal::problem;
use crate::harness::server::ADMIN_TOKEN;

#[test]
fn the_last_administrator_cannot_lock_himself_out() {
    let server = server(&[]);
    server.api("POST", "/api/users", Some(&json!({"login": "bot", "kind": "robot", "admin": true}))).expect(201);
    for body in [json!({"admin": false}), json!({"disabled": true}), json!({"admin": false, "disabled": true})] {
        let answer = server.api("PATCH", "/api/users/admin", Some(&body));
        let document = problem("C27", &answer, 400, &["invalid_field"]);
        assert!(document["detail"].as_str().expect("a text").contains("last administrator"), "C27: {document}");
    }
    problem("C27", &server.api("DELETE", "/api/users/admin", None), 400, &["invalid_field"]);
    person(&server, "second");
    server.api("PATCH", "/api/users/second", Some(&json!({"admin": true}))).expect(200);
    let second = Credential::Cookie(session(&server, "second"));
    server.api("PATCH", "/api/users/admin", Some(&json!({"admin": false}))).expect(200);
    problem("demoted", &server.api("GET", "/api/users", None), 403, &["admin_required"]);
    let body = json!({"admin": false});
    let own = ask(&server, "PATCH", "/api/users/second", &second, Some(&body));
    problem("C27", &own, 400, &["invalid_field"]);
}

#[test]
fn a_change_of_something_that_was_changed_meanwhile_is_refused() {
    let server = server(&[]);
    person(&server, "ann");
    server.api("POST", "/api/groups", Some(&json!({"name": "team"}))).expect(201);
    for (path, field) in [
        ("/api/users/ann", "display_name"),
        ("/api/groups/team", "description"),
        ("/api/repositories/go/private", "description"),
    ] {
        let url = format!("{}{path}", server.url);
        let authorization = format!("Bearer {ADMIN_TOKEN}");
        let patch = |if_match: &str, text: &str| {
            let headers = [
                ("Authorization", authorization.as_str()),
                ("Content-Type", "application/json"),
                ("If-Match", if_match),
            ];
            send("PATCH", &url, &headers, json!({field: text}).to_string().as_bytes())
        };
        let tag = server.api("GET", path, None).expect(200).header("etag").expect("an ETag").to_owned();
        let next = patch(&tag, "one").expect(200).header("etag").expect("an ETag").to_owned();
        assert_ne!(next, tag, "{path}");
        for stale in [&*tag, "\"999\"", "W/\"1\"", "x"] {
            problem("D14", &patch(stale, "two"), 412, &["stale_write"]);
        }
        assert_eq!(server.api("GET", path, None).expect(200).json()[field], "one", "{path}");
        patch(&next, "three").expect(200);
        patch("*", "four").expect(200);
        server.api("PATCH", path, Some(&json!({field: "five"}))).expect(200);
    }
}

#[test]
fn nothing_is_set_that_was_not_asked_for() {
    let server = server(&[]);
    person(&server, "ann");
    server.api("POST", "/api/groups", Some(&json!({"name": "team"}))).expect(201);
    let good = [
        ("POST", "/api/users", json!({"login": "new"})),
        ("PATCH", "/api/users/ann", json!({"display_name": "Ann"})),
        ("POST", "/api/groups", json!({"name": "new"})),
        ("PATCH", "/api/groups/team", json!({"description": "x"})),
        ("POST", "/api/grants", json!({"user": "ann", "repositories": "go/*", "role": "reader"})),
        ("POST", "/api/tokens", json!({"name": "x", "actions": ["read"], "repositories": ["*"]})),
        ("POST", "/api/session", json!({"login": "ann", "password": crate::harness::people::PASSWORD})),
        ("POST", "/api/repositories", json!({"format": "go", "name": "new", "kind": "hosted"})),
        ("PATCH", "/api/repositories/go/private", json!({"description": "x"})),
    ];
    for (method, path, body) in &good {
        for extra in ["id", "uid", "is_admin", "roles", "owner_id", "issuer", "subject", "created_at", "repo_selector"]
        {
            let mut body = body.clone();
            body[extra] = Value::from(true);
            problem(&format!("S15 {path} {extra}"), &server.api(method, path, Some(&body)), 400, &["unknown_field"]);
        }
    }
    let nobody = Credential::Cookie(session(&server, "ann"));
    let own = ask(&server, "PATCH", "/api/users/ann", &nobody, Some(&json!({"admin": true})));
    problem("S15 oneself", &own, 403, &["admin_required"]);
    for (method, path, body) in &good {
        let answer = server.api(method, path, Some(body));
        assert!(matches!(answer.status, 200 | 201), "{path}: {}", answer.text());
    }
}

#[test]
fn an_owner_gives_inside_his_pattern_and_never_more_than_he_has() {
    let server = server(&[]);
    for login in ["olga", "ann"] {
        person(&server, login);
    }
    grant(&server, "olga", "go/team-*", "owner");
    grant(&server, "olga", "go/private", "maintainer");
    let elsewhere = grant(&server, "ann", "go/private", "reader");
    let olga = Credential::Cookie(session(&server, "olga"));
    let give = |repositories: &str, role: &str| {
        let body = json!({"user": "ann", "repositories": repositories, "role": role});
        ask(&server, "POST", "/api/grants", &olga, Some(&body))
    };
    let made = give("go/team-a", "owner").expect(201).json();
    problem("twice", &give("go/team-a", "reader"), 409, &["grant_exists"]);
    for outside in ["go/*", "*", "go/private", "go/local", "*/team-a"] {
        problem(outside, &give(outside, "reader"), 403, &["manage_denied"]);
    }
    let list = ask(&server, "GET", "/api/grants", &olga, None).expect(200).json();
    let seen: Vec<_> = list["items"].as_array().expect("items").iter().map(|one| one["repositories"].clone()).collect();
    assert_eq!(seen, ["go/team-*", "go/team-a"], "no grant on what is not hers");
    let take = |id: &str| ask(&server, "DELETE", &format!("/api/grants/{id}"), &olga, None);
    problem("hidden", &take(&elsewhere), 404, &["grant_not_found"]);
    problem("absent", &take("0199a3b4-0000-7000-8000-000000000000"), 404, &["grant_not_found"]);
    take(made["id"].as_str().expect("an id")).expect(204);
    let nobody = json!({"user": "nobody", "repositories": "go/team-a", "role": "reader"});
    problem("nobody", &ask(&server, "POST", "/api/grants", &olga, Some(&nobody)), 400, &["invalid_field"]);
}

#[test]
fn the_rights_of_a_user_are_listed_with_where_they_come_from() {
    let server = server(&[]);
    person(&server, "ann");
    person(&server, "ben");
    server.api("POST", "/api/groups", Some(&json!({"name": "team"}))).expect(201);
    server.api("PUT", "/api/groups/team/members/ann", None).expect(204);
    let own = grant(&server, "ann", "go/private", "reader");
    grant(&server, "ben", "go/private", "reader");
    let body = json!({"group": "team", "repositories": "go/*", "role": "publisher"});
    server.api("POST", "/api/grants", Some(&body)).expect(201);
    let page = server.api("GET", "/api/grants?counting_for=ann", None).expect(200).json();
    let items = page["items"].as_array().expect("items");
    assert_eq!((items.len(), &items[0]["id"], &items[1]["group"]), (2, &json!(own), &json!("team")), "{page}");
    let both = server.api("GET", "/api/grants?counting_for=ann&user=ann", None);
    problem("both", &both, 400, &["invalid_field"]);
}

#[test]
fn lists_come_in_pages() {
    let server = server(&[]);
    for number in 0..5 {
        server.api("POST", "/api/users", Some(&json!({"login": format!("u{number}"), "kind": "robot"}))).expect(201);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.api("GET", &format!("/api/users?limit=2{cursor}"), None).expect(200).json();
        let items = page["items"].as_array().expect("items");
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(|user| user["login"].as_str().expect("a login").to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["admin", "u0", "u1", "u2", "u3", "u4"]);
    problem("S12", &server.api("GET", "/api/users?limit=0", None), 400, &["invalid_field"]);
    problem("S12", &server.api("GET", "/api/users?limit=201", None), 400, &["invalid_field"]);
    problem("S12", &server.api("GET", &format!("/api/groups?limit=2{cursor}"), None), 400, &["invalid_cursor"]);
}

#[test]
fn all_sessions_of_a_user_end_at_once_and_tokens_stay() {
    let server = server(&[]);
    person(&server, "ann");
    let (one, two) = (Credential::Cookie(session(&server, "ann")), Credential::Cookie(session(&server, "ann")));
    grant(&server, "ann", "go/*", "reader");
    let (token, _) = token(&server, "ann", &["read"], &["go/*"]);
    for who in [&one, &two] {
        ask(&server, "GET", "/api/me", who, None).expect(200);
    }
    server.api("DELETE", "/api/users/ann/sessions", None).expect(204);
    for who in [&one, &two] {
        ask(&server, "GET", "/api/me", who, None).expect(401);
    }
    ask(&server, "GET", "/api/me", &Credential::Bearer(token), None).expect(200);
    server.api("DELETE", "/api/users/ann/sessions", None).expect(204);
    assert_eq!(server.api("DELETE", "/api/users/nobody/sessions", None).expect(404).json()["code"], "user_not_found");
    let rows = server.api("GET", "/api/audit?action=session.delete", None).expect(200).json();
    assert_eq!(
        (rows["items"].as_array().map(Vec::len), &rows["items"][0]["detail"]["sessions"]),
        (Some(1), &json!(2)),
        "{rows}"
    );
}

#[test]
fn when_a_user_was_last_seen_is_told() {
    let server = server(&[]);
    person(&server, "ann");
    let seen = |login: &str| {
        server.api("GET", &format!("/api/users/{login}"), None).expect(200).json()["last_seen_at"].clone()
    };
    assert!(seen("ann").is_null(), "nobody has come");
    let cookie = session(&server, "ann");
    let at = seen("ann");
    assert!(at.is_string(), "a session began");
    ask(&server, "DELETE", "/api/session", &Credential::Cookie(cookie), None).expect(204);
    assert!(seen("ann").as_str() >= at.as_str(), "the session is gone, and when it ended is known");
    let list = server.api("GET", "/api/users", None).expect(200).json();
    let ann = list["items"].as_array().expect("users").iter().find(|user| user["login"] == "ann").expect("ann").clone();
    assert_eq!(ann["last_seen_at"], seen("ann"));
}
