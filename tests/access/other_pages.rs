//! What a page of somebody else can make a browser do: nothing.

use serde_json::json;

use super::server;
use crate::harness::http::{Response, send};
use crate::harness::people::{basic, session};
use crate::harness::refusal::{problem, text};
use crate::harness::server::{ADMIN_TOKEN, Server};

fn post(server: &Server, headers: &[(&str, &str)]) -> Response {
    let body = json!({"name": format!("group-{}", headers.len())}).to_string();
    let headers = [&[("Content-Type", "application/json")], headers].concat();
    send("POST", &format!("{}/api/groups", server.url), &headers, body.as_bytes())
}

#[test]
fn a_cookie_changes_something_only_for_a_page_of_this_server() {
    let server = server(&[]);
    let cookie = session(&server, "admin");
    let (cookie, ours) = (("Cookie", &*cookie), ("X-Keeper-Request", "1"));
    let own = server.url.clone();
    let other_port = "http://localhost:1";
    for headers in [
        &[cookie][..],
        &[cookie, ours],
        &[cookie, ("Sec-Fetch-Site", "same-origin")],
        &[cookie, ("Origin", &own)],
        &[cookie, ours, ("Sec-Fetch-Site", "cross-site")],
        &[cookie, ours, ("Sec-Fetch-Site", "same-site")],
        &[cookie, ours, ("Sec-Fetch-Site", "none")],
        &[cookie, ours, ("Origin", "https://evil.example")],
        &[cookie, ours, ("Origin", other_port)],
        &[cookie, ours, ("Origin", "null")],
        &[cookie, ours, ("Origin", &own), ("Sec-Fetch-Site", "cross-site")],
    ] {
        problem("C23, S22", &post(&server, headers), 403, &["csrf_rejected"]);
    }
    let url = format!("{}/api/groups", server.url);
    let form = send("POST", &url, &[cookie, ("Content-Type", "text/plain")], br#"{"name":"x"}"#);
    problem("C23 a form", &form, 403, &["csrf_rejected"]);
    let out = send("DELETE", &format!("{}/api/session", server.url), &[cookie], &[]);
    problem("S22 signing out", &out, 403, &["csrf_rejected"]);
    assert_eq!(server.api("GET", "/api/groups", None).expect(200).json()["items"], json!([]), "nothing was made");

    post(&server, &[cookie, ours, ("Sec-Fetch-Site", "same-origin")]).expect(201);
    post(&server, &[cookie, ours, ("Origin", &own), ("Accept", "*/*")]).expect(201);
    send("GET", &url, &[cookie, ("Sec-Fetch-Site", "cross-site")], &[]).expect(200);
}

#[test]
fn basic_credentials_that_a_browser_replays_change_nothing() {
    let server = server(&[]);
    let basic = basic(ADMIN_TOKEN);
    let basic = ("Authorization", &*basic);
    problem("S22", &post(&server, &[basic, ("Origin", "https://evil.example")]), 403, &["csrf_rejected"]);
    problem("S22", &post(&server, &[basic, ("Sec-Fetch-Site", "cross-site")]), 403, &["csrf_rejected"]);
    let native = send("PUT", &server.go("local"), &[basic, ("Origin", "https://evil.example")], b"x");
    text("S22", &native, 403, "csrf_rejected");
    post(&server, &[basic]).expect(201);
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    post(&server, &[("Authorization", &bearer), ("Origin", "https://evil.example")]).expect(201);
}

#[test]
fn nobody_is_signed_in_as_somebody_else_by_another_page() {
    let server = server(&[]);
    let body = json!({"login": "admin", "password": crate::harness::people::PASSWORD}).to_string();
    let url = format!("{}/api/session", server.url);
    let headers = [("Content-Type", "application/json"), ("Origin", "https://evil.example")];
    problem("S22", &send("POST", &url, &headers, body.as_bytes()), 403, &["csrf_rejected"]);
    let form = send("POST", &url, &[("Content-Type", "text/plain")], body.as_bytes());
    problem("S22", &form, 415, &["unsupported_media_type"]);
}

/// Both were used a moment before, so that what is remembered of one is not taken for the other.
#[test]
fn a_cookie_is_no_token_and_a_token_no_cookie() {
    let server = server(&[]);
    let cookie = session(&server, "admin");
    let me = format!("{}/api/me", server.url);
    send("GET", &me, &[("Cookie", &cookie)], &[]).expect(200);
    let (name, value) = cookie.split_once('=').expect("a pair");
    for authorization in [format!("Bearer {value}"), crate::harness::people::basic(value)] {
        let answer = send("GET", &me, &[("Authorization", &authorization)], &[]);
        assert_eq!(answer.status, 401, "{}", answer.text());
    }
    server.api("GET", "/api/me", None).expect(200);
    let planted = format!("{name}={ADMIN_TOKEN}");
    problem("a token as a cookie", &send("GET", &me, &[("Cookie", &planted)], &[]), 401, &["invalid_credentials"]);
}

#[test]
fn two_credentials_are_one_too_many() {
    let server = server(&[]);
    let cookie = session(&server, "admin");
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let (cookie, bearer) = (("Cookie", &*cookie), ("Authorization", &*bearer));
    let me = format!("{}/api/me", server.url);
    problem("C11", &send("GET", &me, &[cookie, bearer], &[]), 400, &["ambiguous_credentials"]);
    problem("C11", &send("GET", &me, &[cookie, cookie], &[]), 400, &["ambiguous_credentials"]);
    let native = format!("{}/example.com/m/@v/list", server.go("private"));
    let answer = send("GET", &native, &[cookie], &[]);
    text("C11 a cookie is nothing there", &answer, 401, "login_required");
    assert_eq!(send("GET", &native, &[cookie, bearer], &[]).status, 404, "the token counts there, the cookie does not");
}
