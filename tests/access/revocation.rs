//! What is taken away counts no more from the next request on (S9), also on a connection that stays open, and
//! although the credential was good a moment before.

use std::net::TcpStream;

use serde_json::json;

use super::server;
use crate::harness::http;
use crate::harness::people::{Credential, PASSWORD, ask, cookie, grant, person, session, sign_in, token};
use crate::harness::server::Server;

const LIST: &str = "/go/private/example.com/m/@v/list";

/// A connection that stays open, and a line of its requests' heads.
struct Open {
    stream: TcpStream,
    host: String,
    credential: String,
}

impl Open {
    fn with(server: &Server, credential: &Credential) -> Self {
        let credential = match credential {
            Credential::Bearer(token) => format!("Authorization: Bearer {token}"),
            Credential::Cookie(pair) => format!("Cookie: {pair}"),
            other => panic!("{other:?} is not used here"),
        };
        let host = server.host().to_owned();
        Self { stream: TcpStream::connect(&host).expect("a connection"), host, credential }
    }

    /// The status that it gets at an address.
    fn status(&mut self, path: &str) -> u16 {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{}\r\n\r\n", self.host, self.credential);
        http::ask(&mut self.stream, request.as_bytes()).status
    }
}

/// A server with the reader `ann`: her token, her cookie, her grant.
fn with_ann() -> (Server, Credential, Credential, String) {
    let server = server(&[]);
    person(&server, "ann");
    let grant = grant(&server, "ann", "go/private", "reader");
    let token = Credential::Bearer(token(&server, "ann", &["read"], &["go/private"]).0);
    let cookie = Credential::Cookie(session(&server, "ann"));
    (server, token, cookie, grant)
}

#[test]
fn a_revoked_token_is_unknown_at_once() {
    let (server, credential, _, _) = with_ann();
    let mut open = Open::with(&server, &credential);
    // 404: the repository may be read and holds no such module.
    assert_eq!((open.status(LIST), open.status(LIST)), (404, 404));
    let tokens = server.api("GET", "/api/tokens?owner=ann", None).expect(200).json();
    let id = tokens["items"][0]["id"].as_str().expect("an id").to_owned();
    server.api("DELETE", &format!("/api/tokens/{id}"), None).expect(204);
    assert_eq!(open.status(LIST), 401);
}

#[test]
fn a_disabled_user_is_out_at_once_and_back_when_enabled() {
    let (server, token, cookie, _) = with_ann();
    let (mut by_token, mut by_cookie) = (Open::with(&server, &token), Open::with(&server, &cookie));
    assert_eq!((by_token.status(LIST), by_cookie.status("/api/me/sessions")), (404, 200));
    server.api("PATCH", "/api/users/ann", Some(&json!({"disabled": true}))).expect(200);
    assert_eq!((by_token.status(LIST), by_cookie.status("/api/me/sessions")), (403, 401));
    sign_in(&server, "ann", PASSWORD).expect(401);
    server.api("PATCH", "/api/users/ann", Some(&json!({"disabled": false}))).expect(200);
    assert_eq!(by_token.status(LIST), 404);
    assert_eq!(by_cookie.status("/api/me/sessions"), 401, "sessions do not come back");
}

#[test]
fn a_role_that_is_taken_back_is_gone_at_once() {
    let (server, token, cookie, grant) = with_ann();
    let (mut by_token, mut by_cookie) = (Open::with(&server, &token), Open::with(&server, &cookie));
    let api = "/api/repositories/go/private";
    assert_eq!((by_token.status(LIST), by_token.status(api), by_cookie.status(api)), (404, 200, 200));
    server.api("DELETE", &format!("/api/grants/{grant}"), None).expect(204);
    assert_eq!((by_token.status(LIST), by_token.status(api), by_cookie.status(api)), (403, 404, 404));

    server.api("POST", "/api/groups", Some(&json!({"name": "team"}))).expect(201);
    let to_team = json!({"group": "team", "repositories": "go/*", "role": "reader"});
    server.api("POST", "/api/grants", Some(&to_team)).expect(201);
    assert_eq!(by_token.status(api), 404, "not in the group");
    server.api("PUT", "/api/groups/team/members/ann", None).expect(204);
    assert_eq!((by_token.status(api), by_cookie.status(api)), (200, 200), "given as fast as taken");
    server.api("DELETE", "/api/groups/team/members/ann", None).expect(204);
    assert_eq!((by_token.status(api), by_cookie.status(api)), (404, 404));
    server.api("PUT", "/api/groups/team/members/ann", None).expect(204);
    server.api("DELETE", "/api/groups/team", None).expect(204);
    assert_eq!((by_token.status(api), by_cookie.status(api)), (404, 404), "a group goes with its grants");
}

#[test]
fn a_demoted_administrator_administers_no_more() {
    let server = server(&[]);
    person(&server, "second");
    server.api("PATCH", "/api/users/second", Some(&json!({"admin": true}))).expect(200);
    let token = Credential::Bearer(token(&server, "second", &["admin"], &["*"]).0);
    let mut open = Open::with(&server, &token);
    assert_eq!(open.status("/api/users"), 200);
    server.api("PATCH", "/api/users/second", Some(&json!({"admin": false}))).expect(200);
    assert_eq!((open.status("/api/users"), open.status("/api/repositories/go/private")), (403, 404));
}

#[test]
fn a_session_ends_when_it_is_ended_and_with_the_password() {
    let (server, _, first, _) = with_ann();
    let second = Credential::Cookie(session(&server, "ann"));
    let (mut one, mut two) = (Open::with(&server, &first), Open::with(&server, &second));
    let sessions = "/api/me/sessions";
    assert_eq!((one.status(sessions), two.status(sessions)), (200, 200));
    let list = ask(&server, "GET", sessions, &second, None).expect(200).json();
    let others: Vec<_> =
        list["items"].as_array().expect("items").iter().filter(|one| one["current"] == false).collect();
    assert_eq!(others.len(), 1);
    let id = others[0]["id"].as_str().expect("an id");
    ask(&server, "DELETE", &format!("{sessions}/{id}"), &second, None).expect(204);
    assert_eq!((one.status(sessions), two.status(sessions)), (401, 200));

    let third = Credential::Cookie(session(&server, "ann"));
    let change = json!({"current": PASSWORD, "new": "another-long-password"});
    let changed = ask(&server, "PUT", "/api/me/password", &third, Some(&change)).expect(204);
    assert_eq!(two.status(sessions), 401, "the others end");
    assert_eq!(Open::with(&server, &third).status(sessions), 401, "this one has a new cookie");
    let renewed = Credential::Cookie(cookie(&changed));
    let mut open = Open::with(&server, &renewed);
    assert_eq!(open.status(sessions), 200);
    server.api("PATCH", "/api/users/ann", Some(&json!({"password": PASSWORD}))).expect(200);
    assert_eq!(open.status(sessions), 401, "an administrator's change ends them all");

    let last = Credential::Cookie(session(&server, "ann"));
    let mut open = Open::with(&server, &last);
    assert_eq!(open.status(sessions), 200);
    ask(&server, "DELETE", "/api/session", &last, None).expect(204);
    assert_eq!(open.status(sessions), 401);
    let gone = ask(&server, "DELETE", "/api/session", &last, None).expect(204);
    assert!(gone.header("set-cookie").is_some_and(|set| set.contains("Max-Age=0")), "signing out always works");
}

#[test]
fn a_deleted_user_takes_everything_along() {
    let (server, token, cookie, _) = with_ann();
    let (mut by_token, mut by_cookie) = (Open::with(&server, &token), Open::with(&server, &cookie));
    assert_eq!((by_token.status("/api/me"), by_cookie.status("/api/me")), (200, 200));
    server.api("DELETE", "/api/users/ann", None).expect(204);
    assert_eq!((by_token.status("/api/me"), by_cookie.status("/api/me")), (401, 401));
    person(&server, "ann");
    let me = ask(&server, "GET", "/api/me", &Credential::Cookie(session(&server, "ann")), None).expect(200).json();
    assert_eq!(me["grants"], json!([]), "a login again is somebody else");
}
