//! A token is never written down: not in the log, the audit, the metrics or an answer, wherever somebody put it.

use serde_json::json;

use crate::harness::archives;
use crate::harness::http::send;
use crate::harness::server::{ADMIN_TOKEN, Server};
use crate::harness::upload::Form;

/// What a token must not be found by: all of it, or the part that is secret.
fn marks(token: &str) -> [&str; 2] {
    [token, &token[8..]]
}

#[track_caller]
fn is_clean(what: &str, text: &str, tokens: &[&str]) {
    for mark in tokens.iter().flat_map(|token| marks(token)) {
        let at = text.find(mark).map(|at| &text[at.saturating_sub(200)..(at + 80).min(text.len())]);
        assert!(at.is_none(), "S16: {what} holds a token: …{}…", at.unwrap_or(""));
    }
}

/// Puts a token wherever a request has room for it, and collects the answers.
fn everywhere(server: &Server, token: &str) -> String {
    let url = |path: &str| format!("{}{path}", server.url);
    let basic = format!("Basic {}", data_encoding::BASE64.encode(format!("{token}:{token}x").as_bytes()));
    let admin = format!("Bearer {ADMIN_TOKEN}");
    let mut answers = Vec::new();
    let mut ask = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| {
        let answer = send(method, &url(path), headers, body);
        let headers: Vec<_> = answer.headers().map(|(name, value)| format!("{name}: {value}")).collect();
        answers.push(format!("{method} {} {headers:?} {}", answer.status, answer.text()));
    };
    let mistyped = format!("Bearer {token}x");
    for headers in [
        [("Authorization", mistyped.as_str()), ("X-Odd", token)],
        [("Authorization", basic.as_str()), ("User-Agent", token)],
        [("Authorization", token), ("Cookie", token)],
        [("X-Forwarded-For", token), ("Accept", token)],
        [("If-None-Match", token), ("Range", token)],
        [("Content-Type", token), ("Expect", token)],
    ] {
        for (method, path) in [("GET", "/go/local/"), ("POST", "/api/artifacts"), ("DELETE", "/api/artifacts/x")] {
            ask(method, path, &headers, b"");
        }
    }
    let json = [("Authorization", admin.as_str()), ("Content-Type", "application/json")];
    for path in [
        format!("/go/local/{token}/@v/list"),
        format!("/go/{token}/x"),
        format!("/{token}"),
        format!("/api/{token}"),
        format!("/api/artifacts?q={token}"),
        format!("/api/artifacts?cursor={token}"),
        format!("/api/audit?actor={token}"),
    ] {
        ask("GET", &path, &json, b"");
    }
    let repository = json!({"format": "go", "name": token, "kind": "hosted", token: 1}).to_string();
    ask("POST", "/api/repositories", &json, repository.as_bytes());
    ask("POST", "/api/repositories", &json, format!("{{\"format\": {token}").as_bytes());
    for field in ["name", "version", "label", "origin_url", "origin_ref", "sha256", "repository", "strict", token] {
        let module = archives::module(format!("module example.com/{}\n", field.len()).as_bytes());
        let form = Form::go(module).with("version", "v1.0.0").with(field, token);
        let answer = form.send(server);
        // What an accepted upload says of itself is content: its publisher chose to publish it.
        answers.extend((answer.status >= 400).then(|| answer.to_string()));
    }
    let module = archives::module(format!("module {token}\n").as_bytes());
    answers.push(Form::go(module).with("version", "v1.0.0").send(server).to_string());
    answers.join("\n")
}

#[test]
fn a_token_is_found_nowhere_whatever_was_done_with_it() {
    let mut server = Server::with(&[("KEEPER_LOG", "debug,keeper_api=trace,keeper_core=trace,hyper=trace,poem=trace")]);
    let token = server.token("--name everywhere --actions read,publish --repositories go/*");
    let authorization = format!("Bearer {token}");
    send("GET", &format!("{}/api/repositories", server.url), &[("Authorization", &authorization)], b"").expect(200);
    let answers = everywhere(&server, &token);
    is_clean("an answer", &answers, &[&token]);

    // What somebody writes into a text of his own is kept there, and told nowhere else.
    let described = json!({"description": format!("my token is {token}")});
    server.api("PATCH", "/api/repositories/go/local", Some(&described)).expect(200);
    let module = archives::module(b"module example.com/leaked\n");
    let artifact = Form::go(module).with("version", "v1.0.0").send(&server).expect(201).body;
    let id = artifact["id"].as_str().expect("an id");
    server.api("DELETE", &format!("/api/artifacts/{id}?reason=leaked"), None).expect(204);

    for path in ["/livez", "/readyz", "/metrics"] {
        is_clean(path, &server.api("GET", path, None).expect(200).text(), &[&token, ADMIN_TOKEN]);
    }
    server.stop();
    server.start_again();
    let audit = server.api("GET", "/api/audit/export", None).expect(200).text();
    assert!(audit.contains("\"outcome\":\"denied\"") && audit.contains(&token[..8]), "{audit}");
    is_clean("the audit", &audit, &[&token, ADMIN_TOKEN]);
    is_clean("the log", &server.output(), &[&token, ADMIN_TOKEN]);
    assert!(server.output().contains(&format!("{}…", &token[..8])), "its display part is in the log");
}
