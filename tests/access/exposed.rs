//! What others could read on the way: tokens in addresses, credentials over plain http; and who may read the
//! description of the API.

use std::process::Command;

use serde_json::{Value, json};

use super::server;
use crate::harness::command::run;
use crate::harness::database::value;
use crate::harness::http::{raw, send};
use crate::harness::people::{Credential, PASSWORD, ask, session, sign_in};
use crate::harness::refusal::problem;
use crate::harness::server::{ADMIN_TOKEN, Server};

/// The rows of the audit about tokens that were seen: resource and count.
fn told(server: &mut Server) -> Vec<(String, u64)> {
    // What was refused is written down at the latest when the server stops.
    server.stop();
    server.start_again();
    let page = server.api("GET", "/api/audit?action=token.exposed", None).expect(200).json();
    let rows = page["items"].as_array().expect("items").clone();
    let count = |row: &Value| row["detail"]["count"].as_u64().expect("a count");
    rows.iter().map(|row| (row["resource"].as_str().expect("a resource").to_owned(), count(row))).collect()
}

#[test]
fn a_token_in_an_address_is_told_and_counts_on() {
    let mut server = server(&[]);
    let token = server.token("--name reader --actions read --repositories go/*");
    for _ in 0..3 {
        let answer = server.send(None, "GET", &format!("/api/artifacts?token={token}"), &[], b"");
        problem("C12", &answer, 400, &["token_in_url"]);
        assert!(!answer.text().contains("was revoked"), "{}", answer.text());
    }
    server.send(Some(&token), "GET", "/api/artifacts", &[], b"").expect(200);
    let told = told(&mut server);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].1, 3);
    assert!(!server.output().contains(&token));
}

#[test]
fn a_token_in_an_address_is_revoked_where_that_is_wanted() {
    let mut server = server(&[("KEEPER_REVOKE_EXPOSED_TOKENS", "true")]);
    let [seen, kept] =
        ["seen", "kept"].map(|name| server.token(&format!("--name {name} --actions read --repositories *")));
    server.send(Some(&seen), "GET", "/api/artifacts", &[], b"").expect(200);
    let answer = server.send(None, "GET", &format!("/go/private/{seen}/@v/list"), &[], b"");
    assert_eq!((answer.status, answer.header("x-error-code")), (400, Some("token_in_url")));
    assert!(answer.text().contains("The token was revoked"), "{}", answer.text());
    let refused = server.send(Some(&seen), "GET", "/api/artifacts", &[], b"");
    problem("C7", &refused, 401, &["invalid_credentials"]);
    server.send(Some(&kept), "GET", "/api/artifacts", &[], b"").expect(200);

    // What counts no more is nobody's loss.
    let again = server.send(None, "GET", &format!("/?{seen}"), &[], b"");
    assert!(again.status == 400 && !again.text().contains("was revoked"), "{}", again.text());
    assert_eq!(told(&mut server).len(), 1);
    let revoked = server.api("GET", "/api/audit?action=token.revoke", None).expect(200).json();
    let row = &revoked["items"][0];
    assert_eq!((&row["actor"], &row["address"]), (&json!("system"), &json!("127.0.0.1")), "{revoked}");
}

/// Where the plain port of a server is.
fn plain_port(server: &Server) -> String {
    let output = server.output();
    let events = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut sent_on = events.filter(|event| event["message"] == "plain http is sent on to https");
    sent_on.find_map(|event| event["address"].as_str().map(str::to_owned)).expect("a plain port")
}

#[test]
fn the_plain_port_sends_on_and_takes_no_credential() {
    let mut server = Server::with(&[
        ("KEEPER_TLS_SELF_SIGNED", "true"),
        ("KEEPER_REDIRECT_LISTEN", "127.0.0.1:0"),
        ("KEEPER_REVOKE_EXPOSED_TOKENS", "true"),
    ]);
    let plain = plain_port(&server);
    let (address, https) = (format!("http://{plain}"), server.address());
    let port = https.rsplit_once(':').expect("a port").1;
    for method in ["GET", "HEAD"] {
        let answer = send(method, &format!("{address}/go/local/x/@v/list?a=b"), &[], b"").expect(308);
        assert_eq!(answer.header("location"), Some(&*format!("https://127.0.0.1:{port}/go/local/x/@v/list?a=b")));
    }
    let foreign = raw(&plain, b"GET / HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n");
    assert_eq!((foreign.status, foreign.header("x-error-code")), (400, Some("invalid_host")));

    let token = server.token("--name reader --actions read --repositories *");
    let upload = send("POST", &format!("{address}/api/artifacts"), &[], b"x");
    problem("C28 POST", &upload, 400, &["use_https"]);
    let authorization = format!("Bearer {token}");
    let answer = send("GET", &format!("{address}/go/local/x/@v/list"), &[("Authorization", &authorization)], b"");
    assert_eq!((answer.status, answer.header("x-error-code")), (400, Some("use_https")), "C28: {}", answer.text());
    assert!(answer.text().contains("replace it") && answer.text().contains("was revoked"), "{}", answer.text());
    assert!(answer.header("location").is_none());
    server.stop();
    server.start_again();
    let (authority, url) = (server.authority(), format!("{}/api/audit?action=token.exposed", server.url));
    let credential = format!("Authorization: Bearer {ADMIN_TOKEN}");
    let audit = run(Command::new("curl").args(["-sS", "-H", &credential, &url, "--cacert"]).arg(authority)).succeeded();
    assert_eq!(audit.stdout().matches("token.exposed").count(), 1, "C28 is told: {audit}");
    assert!(!server.output().contains(&token));
}

#[test]
fn the_description_of_the_api_is_closed_where_that_is_wanted() {
    let documents = ["/api/openapi.json", "/api/docs", "/api/docs.js", "/api/docs.css"];
    let open = server(&[]);
    for path in documents {
        open.send(None, "GET", path, &[], b"").expect(200);
    }
    let closed = server(&[("KEEPER_PUBLIC_DOCUMENTS", "false")]);
    let token = closed.token("--name reader --actions read --repositories go/nothing");
    let cookie = Credential::Cookie(session(&closed, "admin"));
    for path in documents {
        problem(path, &closed.send(None, "GET", path, &[], b""), 401, &["login_required"]);
        closed.send(Some(&token), "GET", path, &[], b"").expect(200);
        ask(&closed, "GET", path, &cookie, None).expect(200);
    }
    closed.send(None, "GET", "/api/formats", &[], b"").expect(200);
}

#[test]
fn a_password_gets_the_profile_of_the_server_when_it_is_used() {
    let mut server = server(&[]);
    let cost = |server: &Server| {
        let hash = value(server, "SELECT password FROM users WHERE login = 'admin'");
        hash.split('$').nth(3).expect("parameters").to_owned()
    };
    sign_in(&server, "admin", PASSWORD).expect(201);
    server.stop();
    assert_eq!(cost(&server), "m=19456,t=2,p=1");
    server.set("KEEPER_PASSWORD_PROFILE", "high");
    server.start_again();
    sign_in(&server, "admin", "not-the-password").expect(401);
    sign_in(&server, "admin", PASSWORD).expect(201);
    server.stop();
    assert_eq!(cost(&server), "m=65536,t=3,p=4");
    server.start_again();
    sign_in(&server, "admin", PASSWORD).expect(201);
}
