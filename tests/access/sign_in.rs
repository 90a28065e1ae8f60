//! Passwords: which are taken, what a wrong one tells, how often it may be wrong, and where it may travel.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::server;
use crate::harness::http::{Response, raw, send};
use crate::harness::people::{Credential, PASSWORD, ask, person, session, sign_in};
use crate::harness::refusal::problem;
use crate::harness::server::Server;

/// An answer without what differs from request to request.
fn plain(answer: &Response) -> String {
    let id = answer.header("x-request-id").unwrap_or_default();
    let headers: Vec<_> = answer.headers().filter(|(name, _)| *name != "date").collect();
    format!("{} {headers:?} {}", answer.status, answer.text()).replace(id, "ID")
}

#[test]
fn whoever_does_not_get_in_is_told_one_thing() {
    let server = server(&[]);
    person(&server, "ann");
    person(&server, "gone");
    server.api("PATCH", "/api/users/gone", Some(&json!({"disabled": true}))).expect(200);
    server.api("POST", "/api/users", Some(&json!({"login": "robot", "kind": "robot"}))).expect(201);
    let wrong = sign_in(&server, "ann", "not-the-password");
    problem("C20", &wrong, 401, &["invalid_credentials"]);
    let long = "x".repeat(1_000);
    // How many tries are left is counted alike, too, for whoever there is and whoever there is not.
    let mut tries = HashMap::from([("ann", 1)]);
    for (login, password) in [
        ("nobody", PASSWORD),
        ("gone", PASSWORD),
        ("robot", PASSWORD),
        ("robot", ""),
        ("ann", ""),
        ("ann", &*long),
        ("ANN", PASSWORD),
        ("a'; --", PASSWORD),
        (&*long, PASSWORD),
    ] {
        let tried = tries.entry(login).or_insert(0);
        *tried += 1;
        let expected = plain(&wrong).replace("9 more tries", &format!("{} more tries", 10 - *tried));
        assert_eq!(plain(&sign_in(&server, login, password)), expected, "C20 {login}");
    }
    sign_in(&server, "ann", PASSWORD).expect(201);
    assert!(!server.output().contains(PASSWORD) && !server.output().contains("not-the-password"));
}

#[test]
fn ten_failures_are_enough_and_hold_up_nobody_else() {
    let server = server(&[]);
    for login in ["ann", "bob"] {
        person(&server, login);
    }
    let forged = |login: &str, number: u32| {
        let address = format!("203.0.113.{number}");
        let headers = [
            ("Content-Type", "application/json"),
            ("X-Forwarded-For", &*address),
            ("X-Real-IP", &*address),
            ("Forwarded", &*format!("for={address}")),
        ];
        let body = json!({"login": login, "password": "not-the-password"}).to_string();
        send("POST", &format!("{}/api/session", server.url), &headers, body.as_bytes())
    };
    for number in 0..10 {
        problem("C21", &forged("ann", number), 401, &["invalid_credentials"]);
    }
    let held_up = forged("ann", 99);
    problem("C21, S2", &held_up, 429, &["too_many_attempts"]);
    let wait: u32 = held_up.header("retry-after").expect("a wait").parse().expect("seconds");
    assert!((1..=91).contains(&wait), "C21: {wait} s");
    problem("C21 the right one", &sign_in(&server, "ann", PASSWORD), 429, &["too_many_attempts"]);
    sign_in(&server, "bob", PASSWORD).expect(201);
}

#[test]
fn a_password_has_to_be_a_good_one() {
    let server = server(&[]);
    person(&server, "ann");
    let cookie = Credential::Cookie(session(&server, "ann"));
    let long: String = (0..100).map(|number| format!("{number:02x}-")).collect();
    for bad in ["", "eleven-char", &long[..257], "password1234", "with a \u{7} control"] {
        let body = json!({"current": PASSWORD, "new": bad});
        let answer = ask(&server, "PUT", "/api/me/password", &cookie, Some(&body));
        let document = problem("C22", &answer, 400, &["invalid_field"]);
        assert_eq!(document["errors"][0]["field"], "new", "C22 {bad:?}");
        let body = json!({"login": "new", "password": bad});
        problem("C22", &server.api("POST", "/api/users", Some(&body)), 400, &["invalid_field"]);
    }
    let same = json!({"login": "release-manager", "password": "Release-Manager"});
    problem("C22 the login", &server.api("POST", "/api/users", Some(&same)), 400, &["invalid_field"]);
    let mut bytes = br#"{"login":"ann","password":""#.to_vec();
    bytes.extend_from_slice(b"\xff\xfe\"}");
    let url = format!("{}/api/session", server.url);
    assert_eq!(send("POST", &url, &[("Content-Type", "application/json")], &bytes).status, 400, "C22 no UTF-8");
    ask(&server, "PUT", "/api/me/password", &cookie, Some(&json!({"current": "wrong", "new": &long[..256]})))
        .expect(401);
    ask(&server, "PUT", "/api/me/password", &cookie, Some(&json!({"current": PASSWORD, "new": &long[..256]})))
        .expect(204);
    sign_in(&server, "ann", &long[..256]).expect(201);
}

#[test]
fn nothing_but_the_generated_password_opens_a_new_server() {
    let mut server = Server::start();
    let file = server.data().join("first-password");
    let password = std::fs::read_to_string(&file).expect("the file of the password");
    let password = password.trim_end();
    assert_eq!(file.metadata().expect("the file").permissions().mode() & 0o777, 0o600, "S1");
    for guess in ["", "admin", "password", "changeme", "artifact-keeper"] {
        problem("S1", &sign_in(&server, "admin", guess), 401, &["invalid_credentials"]);
    }
    server.stop();
    let before = server.output().len();
    server.start_again();
    assert!(!server.output()[before..].contains("first-password"), "S1: a second start tells nothing");
    let cookie = crate::harness::people::cookie(&sign_in(&server, "admin", password).expect(201));
    let change = json!({"current": password, "new": PASSWORD});
    let answer =
        ask(&server, "PUT", "/api/me/password", &Credential::Cookie(cookie.clone()), Some(&change)).expect(204);
    assert!(!file.exists(), "S1: the file has done its duty");
    let renewed = crate::harness::people::cookie(&answer);
    assert_ne!(renewed, cookie, "a new password, a new session");
    ask(&server, "GET", "/api/me", &Credential::Cookie(renewed), None).expect(200);
    problem("S1 the old one", &sign_in(&server, "admin", password), 401, &["invalid_credentials"]);
    assert!(!server.output().contains(password) && !server.output().contains(PASSWORD), "S1: never in the log");
}

/// A try to sign in under a host name, with further lines in the head.
fn sign_in_at(server: &Server, host: &str, lines: &str) -> Response {
    let body = json!({"login": "admin", "password": PASSWORD}).to_string();
    let head = format!(
        "POST /api/session HTTP/1.1\r\nHost: {host}\r\n{lines}Content-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    raw(server.host(), (head + &body).as_bytes())
}

#[test]
fn a_password_travels_encrypted_or_on_this_machine_only() {
    let proxy = [("KEEPER_TRUSTED_PROXIES", "127.0.0.1"), ("KEEPER_ALLOWED_HOSTS", "keeper.example,localhost")];
    let server = server(&proxy);
    problem("S22 http", &sign_in_at(&server, "keeper.example", ""), 400, &["use_https"]);
    let local = sign_in_at(&server, "localhost", "").expect(201);
    let set = local.header("set-cookie").expect("a cookie").to_owned();
    assert!(set.starts_with("keeper_session=") && !set.contains("Secure"), "{set}");
    let secure = sign_in_at(&server, "keeper.example", "X-Forwarded-Proto: https\r\n").expect(201);
    let set = secure.header("set-cookie").expect("a cookie").to_owned();
    assert!(set.starts_with("__Host-keeper_session="), "{set}");
    for word in ["; Path=/;", "; HttpOnly;", "; SameSite=Strict;", "; Secure"] {
        assert!(set.contains(word), "{set}");
    }
    let mut server = server;
    server.stop();
    server.set("KEEPER_ALLOW_INSECURE_HTTP", "true");
    server.start_again();
    sign_in_at(&server, "keeper.example", "").expect(201);
}
