//! Users, groups and sessions that are there already, are not there, or are no business of the caller.

use serde_json::json;

use super::server;
use crate::harness::people::{self, Credential, ask};
use crate::harness::refusal::Refusals;

#[test]
fn what_is_there_is_not_made_again_and_what_is_not_there_is_told() {
    let server = server(&[]);
    people::person(&server, "ann");
    server.api("POST", "/api/groups", Some(&json!({"name": "team"}))).expect(201);
    let refusals = Refusals::by(&server);
    let user = json!({"login": "ann", "password": people::PASSWORD});
    let (group, change) = (json!({"name": "team"}), json!({"description": "x"}));
    let grant = |key: &str| json!({key: "nobody", "repositories": "go/*", "role": "reader"});
    let absent = "0199a3b4-0000-7000-8000-000000000000";
    let rows = [
        ("POST", "/api/users".to_owned(), Some(&user), 409, "user_exists"),
        ("POST", "/api/groups".to_owned(), Some(&group), 409, "group_exists"),
        ("GET", "/api/users/nobody".to_owned(), None, 404, "user_not_found"),
        ("DELETE", "/api/users/nobody".to_owned(), None, 404, "user_not_found"),
        ("GET", "/api/users/%00".to_owned(), None, 400, "invalid_path"),
        ("GET", "/api/groups/nobody".to_owned(), None, 404, "group_not_found"),
        ("PATCH", "/api/groups/nobody".to_owned(), Some(&change), 404, "group_not_found"),
        ("PUT", "/api/groups/nobody/members/ann".to_owned(), None, 404, "group_not_found"),
        ("PUT", "/api/groups/team/members/nobody".to_owned(), None, 404, "user_not_found"),
        ("POST", "/api/grants".to_owned(), Some(&grant("user")), 400, "invalid_field"),
        ("POST", "/api/grants".to_owned(), Some(&grant("group")), 400, "invalid_field"),
        ("DELETE", format!("/api/grants/{absent}"), None, 404, "grant_not_found"),
        ("DELETE", format!("/api/tokens/{absent}"), None, 404, "token_not_found"),
    ];
    for (method, path, body, status, code) in rows {
        let answer = server.api(method, &path, body);
        refusals.api(&format!("{method} {path} {code}"), &answer, status, &[code]);
    }
}

#[test]
fn what_belongs_to_a_session_is_not_for_tokens() {
    let server = server(&[]);
    people::person(&server, "ann");
    let token = Credential::Bearer(people::token(&server, "admin", &["admin"], &["*"]).0);
    let cookie = Credential::Cookie(people::session(&server, "ann"));
    let refusals = Refusals::by(&server);
    let change = json!({"current": people::PASSWORD, "new": "another-long-password"});
    let absent = "/api/me/sessions/0199a3b4-0000-7000-8000-000000000000";
    let rows = [
        ("PUT", "/api/me/password", &token, Some(&change), 403, "session_required"),
        ("GET", "/api/me/sessions", &token, None, 403, "session_required"),
        ("DELETE", absent, &token, None, 403, "session_required"),
        ("DELETE", absent, &cookie, None, 404, "session_not_found"),
    ];
    for (method, path, who, body, status, code) in rows {
        refusals.api(&format!("{method} {path}"), &ask(&server, method, path, who, body), status, &[code]);
    }
}

#[test]
fn a_disabled_user_is_told_so_and_only_with_a_good_token() {
    let server = server(&[]);
    people::person(&server, "ann");
    people::grant(&server, "ann", "go/*", "reader");
    let (token, _) = people::token(&server, "ann", &["read"], &["go/*"]);
    server.api("PATCH", "/api/users/ann", Some(&json!({"disabled": true}))).expect(200);
    let refusals = Refusals::by(&server);
    let who = Credential::Bearer(token);
    let api = ask(&server, "GET", "/api/artifacts", &who, None);
    refusals.api("L13", &api, 403, &["user_disabled"]);
    let native = ask(&server, "GET", super::LIST, &who, None);
    refusals.text("L13 on a repository that everybody may read", &native, 403, "user_disabled");
}
