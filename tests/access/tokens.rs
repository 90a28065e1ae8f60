//! A token is never more than the one that asked for it, nor than its user may.

use serde_json::{Value, json};

use super::server;
use crate::harness::http::{Response, send};
use crate::harness::people::{Credential, ask, grant, person, session, token};
use crate::harness::random::Random;
use crate::harness::refusal::problem;
use crate::harness::server::Server;

fn mint(server: &Server, who: &Credential, body: &Value) -> Response {
    ask(server, "POST", "/api/tokens", who, Some(body))
}

#[test]
fn more_than_oneself_is_not_to_be_had() {
    let server = server(&[]);
    person(&server, "ann");
    grant(&server, "ann", "go/*", "publisher");
    let laptop = Credential::Bearer(token(&server, "ann", &["read", "publish"], &["go/private"]).0);
    let browser = Credential::Cookie(session(&server, "ann"));
    let good = json!({"name": "x", "actions": ["read"], "repositories": ["go/private"], "expires": "1d"});
    let with = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        body
    };
    mint(&server, &laptop, &good).expect(201);
    mint(&server, &browser, &with("repositories", json!(["go/*"]))).expect(201);
    let rows = [
        ("C16", &laptop, with("actions", json!(["admin"])), 403, "scope_too_wide"),
        ("C16", &browser, with("actions", json!(["admin"])), 403, "scope_too_wide"),
        ("C16", &laptop, with("actions", json!(["read", "delete"])), 403, "scope_too_wide"),
        ("C16", &browser, with("actions", json!(["delete"])), 403, "scope_too_wide"),
        ("C16", &laptop, with("repositories", json!(["*"])), 403, "scope_too_wide"),
        ("C16", &laptop, with("repositories", json!(["go/*"])), 403, "scope_too_wide"),
        ("C16", &browser, with("repositories", json!(["*"])), 403, "scope_too_wide"),
        ("C16", &laptop, with("expires", json!("91d")), 403, "scope_too_wide"),
        ("C16 for another", &browser, with("owner", json!("admin")), 403, "admin_required"),
        ("C18", &browser, with("repositories", json!([])), 400, "invalid_field"),
        ("C18", &browser, with("actions", json!([])), 400, "invalid_field"),
        ("C18", &browser, with("packages", json!([])), 400, "invalid_field"),
        ("C19 past", &browser, with("expires", json!("2020-01-01T00:00:00Z")), 400, "invalid_field"),
        ("C19 ten years", &browser, with("expires", json!("3650d")), 400, "invalid_field"),
        ("C19 never", &browser, with("expires", json!("never")), 403, "scope_too_wide"),
        ("C19 never", &laptop, with("expires", json!("never")), 403, "scope_too_wide"),
        ("C17", &browser, with("repositores", json!(["go/*"])), 400, "unknown_field"),
    ];
    let before = server.api("GET", "/api/tokens?owner=ann", None).expect(200).json();
    for (row, who, body, status, code) in rows {
        problem(&format!("{row} {body}"), &mint(&server, who, &body), status, &[code]);
    }
    let typo = json!({"name": "x", "actions": ["read"], "repositores": ["go/private"]});
    assert_eq!(mint(&server, &browser, &typo).status, 400, "C17 in its place");
    let after = server.api("GET", "/api/tokens?owner=ann", None).expect(200).json();
    let names = |list: &Value| list["items"].as_array().expect("items").len();
    assert_eq!(names(&after), names(&before), "nothing was made");
}

#[test]
fn a_token_without_an_end_of_its_own_ends_with_the_one_that_asked() {
    let server = server(&[]);
    person(&server, "ann");
    grant(&server, "ann", "go/private", "reader");
    let short =
        json!({"name": "s", "actions": ["read"], "repositories": ["go/private"], "expires": "10d", "owner": "ann"});
    let made = server.api("POST", "/api/tokens", Some(&short)).expect(201).json();
    let parent = Credential::Bearer(made["token"].as_str().expect("a text").to_owned());
    let child = json!({"name": "c", "actions": ["read"], "repositories": ["go/private"]});
    let child = mint(&server, &parent, &child).expect(201).json();
    assert_eq!(child["details"]["expires_at"], made["details"]["expires_at"]);
    let warned = ask(&server, "GET", "/api/me", &parent, None).expect(200);
    assert_eq!(warned.header("x-token-expires"), made["details"]["expires_at"].as_str(), "14 days before its end");
    let long = Credential::Bearer(token(&server, "ann", &["read"], &["go/private"]).0);
    assert_eq!(ask(&server, "GET", "/api/me", &long, None).expect(200).header("x-token-expires"), None);
}

#[test]
fn a_robot_has_tokens_of_its_own_kind_and_no_password() {
    let server = server(&[]);
    let body = json!({"login": "ci", "kind": "robot", "password": "a-long-password"});
    problem("a robot", &server.api("POST", "/api/users", Some(&body)), 400, &["invalid_field"]);
    server.api("POST", "/api/users", Some(&json!({"login": "ci", "kind": "robot"}))).expect(201);
    let early = json!({"name": "x", "owner": "ci", "actions": ["read"], "repositories": ["go/private"]});
    problem("no grant yet", &server.api("POST", "/api/tokens", Some(&early)), 403, &["scope_too_wide"]);
    grant(&server, "ci", "go/private", "publisher");
    let (text, id) = token(&server, "ci", &["publish"], &["go/private"]);
    assert!(text.starts_with("aks_"), "a robot's token");
    let shown = server.api("GET", &format!("/api/tokens/{id}"), None).expect(200).text();
    assert!(!shown.contains(&text), "the text is shown once");
    let output = server.output();
    assert!(!output.contains(&text), "a secret is in the log");
}

#[test]
fn a_token_looks_after_lesser_ones_of_its_own_user() {
    let server = server(&[]);
    person(&server, "ann");
    grant(&server, "ann", "go/private", "publisher");
    let (narrow, _) = token(&server, "ann", &["read"], &["go/private"]);
    let [(_, wide), (_, other), (_, last)] =
        [&["read", "publish"][..], &["read"], &["read"]].map(|actions| token(&server, "ann", actions, &["go/private"]));
    let (_, of_admin) = token(&server, "admin", &["read"], &["*"]);
    let narrow = Credential::Bearer(narrow);
    let revoke = |id: &str| ask(&server, "DELETE", &format!("/api/tokens/{id}"), &narrow, None);
    problem("wider", &revoke(&wide), 403, &["scope_too_wide"]);
    problem("of another", &revoke(&of_admin), 404, &["token_not_found"]);
    problem("no id", &revoke("x"), 404, &["token_not_found"]);
    revoke(&other).expect(204);
    problem("a repeat", &revoke(&other), 404, &["token_not_found"]);
    let browser = Credential::Cookie(session(&server, "ann"));
    ask(&server, "DELETE", &format!("/api/tokens/{last}"), &browser, None).expect(204);
    ask(&server, "DELETE", &format!("/api/tokens/{wide}"), &browser, None).expect(204);
}

/// What a credential may do, as `go/private publish`.
fn rights(server: &Server, who: &Credential) -> Vec<String> {
    let me = ask(server, "GET", "/api/me", who, None).expect(200).json();
    let repositories = me["repositories"].as_array().expect("a list").clone();
    let rights = repositories.iter().flat_map(|one| {
        let actions = one["actions"].as_array().expect("a list").clone();
        actions.into_iter().map(move |action| format!("{}/{} {action}", one["format"], one["name"]))
    });
    rights.collect()
}

/// Property over random trees of tokens: no descendant may anything that its ancestor may not (S8).
#[test]
fn no_tree_of_tokens_grows_beyond_its_root() {
    let mut random = Random::of("no_tree_of_tokens_grows_beyond_its_root");
    let server = server(&[]);
    for name in ["team-a", "team-b"] {
        server.create_repository(&json!({"format": "go", "name": name, "kind": "hosted"}));
    }
    person(&server, "ann");
    for (pattern, role) in [("go/team-*", "owner"), ("go/private", "publisher"), ("go/local", "reader")] {
        grant(&server, "ann", pattern, role);
    }
    let actions = ["read", "read", "publish", "delete", "manage", "admin"];
    let patterns = ["go/private", "go/local", "go/team-a", "go/team-b", "go/team-*", "go/*", "*"];
    let mut nodes = vec![Credential::Cookie(session(&server, "ann"))];
    let (mut made, mut refused) = (0, 0);
    for _ in 0..150 {
        let parent = random.one_of(&nodes).expect("the root").clone();
        let pick = |random: &mut Random, all: &[&str]| -> Vec<String> {
            let some = (0..=random.below(2)).filter_map(|_| random.one_of(all).map(|one| (*one).to_owned()));
            some.collect()
        };
        let mut body = json!({
            "name": "node", "actions": pick(&mut random, &actions), "repositories": pick(&mut random, &patterns),
        });
        if random.below(5) == 0 {
            body["expires"] = json!(random.one_of(&["1d", "90d"]));
        }
        let answer = mint(&server, &parent, &body);
        match answer.status {
            201 => {
                made += 1;
                let text = answer.json()["token"].as_str().expect("a text").to_owned();
                let child = Credential::Bearer(text);
                let above = rights(&server, &parent);
                let more: Vec<_> = rights(&server, &child).into_iter().filter(|right| !above.contains(right)).collect();
                assert!(more.is_empty(), "{body} gave {more:?} beyond {above:?}");
                nodes.push(child);
            }
            403 => refused += 1,
            _ => panic!("{body}: {}", answer.text()),
        }
    }
    assert!(made > 5 && refused > 5, "{made} made, {refused} refused: the test asks for too little");
}

#[test]
fn a_token_is_made_known_once_and_its_use_is_noted() {
    let server = server(&[]);
    let (text, id) = token(&server, "admin", &["read"], &["*"]);
    send("GET", &format!("{}/api/me", server.url), &[("Authorization", &format!("Bearer {text}"))], &[]).expect(200);
    crate::harness::wait::until("the use is noted", || {
        let shown = server.api("GET", &format!("/api/tokens/{id}"), None).expect(200).json();
        shown["used_from"] == "127.0.0.1" && shown["used_at"].is_string()
    });
}
