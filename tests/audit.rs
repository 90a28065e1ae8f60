//! Who did what is written down with the change, can be found, taken elsewhere, and proved.

use serde_json::{Value, json};

use crate::harness::archives;
use crate::harness::http::{Response, send};
use crate::harness::server::{ADMIN_TOKEN, Server};
use crate::harness::upload::Form;

/// The rows of a page, newest first.
fn rows(server: &Server, query: &str) -> Vec<Value> {
    let page = server.api("GET", &format!("/api/audit?{query}"), None).expect(200).json();
    page["items"].as_array().expect("items").clone()
}

/// `action resource outcome` of each row.
fn told(rows: &[Value]) -> Vec<String> {
    let text = |row: &Value, key: &str| row[key].as_str().expect(key).to_owned();
    rows.iter()
        .map(|row| format!("{} {} {}", text(row, "action"), text(row, "resource"), text(row, "outcome")))
        .collect()
}

fn publish(server: &Server, version: &str) -> Value {
    let module = archives::module(b"module example.com/m\n");
    Form::go(module).with("version", version).send(server).expect(201).body
}

fn ask(server: &Server, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    server.send(None, method, path, headers, b"")
}

#[test]
fn every_change_is_there_with_who_what_from_where_and_by_which_request() {
    let server = Server::start();
    let artifact = publish(&server, "v1.0.0");
    server.create_repository(&json!({"format": "go", "name": "other", "kind": "hosted"}));
    server.api("PATCH", "/api/repositories/go/other", Some(&json!({"description": "new"}))).expect(200);
    let id = artifact["id"].as_str().expect("an id");
    let deleted = server.api("DELETE", &format!("/api/artifacts/{id}?reason=leaked"), None).expect(204);
    server.token("--name ci --actions read --repositories go/*");

    let all = rows(&server, "limit=200");
    let lines = told(&all);
    for line in [
        "publish go/local example.com/m@v1.0.0 done",
        "repository.create go/other done",
        "repository.update go/other done",
        "delete go/local example.com/m@v1.0.0 done",
    ] {
        assert_eq!(lines.iter().filter(|told| *told == line).count(), 1, "{line}: {lines:#?}");
    }
    assert!(lines.iter().any(|line| line.starts_with("token.create token akp_")), "{lines:#?}");

    let row = &rows(&server, "action=delete")[0];
    assert_eq!(row["actor"], "admin");
    assert_eq!(row["address"], "127.0.0.1");
    assert_eq!(row["request_id"].as_str(), deleted.header("x-request-id"));
    assert_eq!((&row["repository"], &row["package"]), (&json!("go/local"), &json!("example.com/m")));
    assert_eq!(row["credential"], "bootstrap", "never more of a token than its display part");

    let request = deleted.header("x-request-id").expect("an id");
    for (query, expected) in [
        ("repository=go/local&action=publish".to_owned(), 1),
        ("repository=go/loc".to_owned(), 0),
        ("package=example.com/m".to_owned(), 2),
        ("actor=nobody".to_owned(), 0),
        ("outcome=denied".to_owned(), 0),
        (format!("request_id={request}"), 1),
        (format!("to={}", all[all.len() - 1]["at"].as_str().expect("a time")), 0),
        (format!("from={}", all[0]["at"].as_str().expect("a time")), 1),
    ] {
        assert_eq!(rows(&server, &query).len(), expected, "{query}");
    }
}

#[test]
fn pages_follow_a_cursor_that_belongs_to_its_filter() {
    let server = Server::start();
    for version in ["v1.0.0", "v1.1.0", "v1.2.0"] {
        publish(&server, version);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/audit?action=publish&limit=1{cursor}");
        let page = server.api("GET", &path, None).expect(200).json();
        seen.extend(told(page["items"].as_array().expect("items")));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
        // What is written meanwhile shifts nothing.
        server.token("--name meanwhile --actions read --repositories go/*");
    }
    let expected =
        ["v1.2.0", "v1.1.0", "v1.0.0"].map(|version| format!("publish go/local example.com/m@{version} done"));
    assert_eq!(seen, expected);
    for (query, code) in [
        (format!("action=delete{cursor}"), "invalid_cursor"),
        ("cursor=nonsense".to_owned(), "invalid_cursor"),
        ("limit=0".to_owned(), "invalid_field"),
        ("limit=201".to_owned(), "invalid_field"),
        ("from=yesterday".to_owned(), "invalid_field"),
        ("outcome=maybe".to_owned(), "invalid_field"),
    ] {
        let answer = server.api("GET", &format!("/api/audit?{query}"), None).expect(400);
        assert_eq!(answer.header("x-error-code"), Some(code), "{query}");
    }
}

#[test]
fn a_flood_of_refusals_becomes_one_row_of_each_kind_with_its_count() {
    let mut server = Server::start();
    let reader = server.token("--name reader --actions read --repositories go/*");
    let as_reader = format!("Bearer {reader}");
    let before = rows(&server, "limit=200").len();
    for _ in 0..40 {
        let form = [("Authorization", as_reader.as_str()), ("Content-Type", "multipart/form-data; boundary=x")];
        ask(&server, "POST", "/api/artifacts", &form).expect(403);
        ask(&server, "GET", "/go/local/", &[("Authorization", "Bearer not-a-token-of-anybody-at-all")]).expect(401);
        ask(&server, "DELETE", "/api/artifacts/01890000-0000-7000-8000-000000000000", &[]).expect(401);
        ask(&server, "GET", "/api/audit", &[("Authorization", as_reader.as_str())]).expect(403);
        // No news: a read that a stranger may not do.
        ask(&server, "GET", "/go/private/x", &[]).expect(401);
    }
    assert_eq!(rows(&server, "limit=200").len(), before, "nothing is written for each of them");
    server.stop();
    server.start_again();
    let denied = rows(&server, "outcome=denied");
    let mut lines: Vec<_> = denied
        .iter()
        .map(|row| {
            let text = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
            format!(
                "{} {} {} {} {}",
                text("actor"),
                text("action"),
                text("resource"),
                row["detail"]["code"],
                row["detail"]["count"]
            )
        })
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "admin admin /api/audit \"admin_required\" 40",
            "admin publish /api/artifacts \"publish_denied\" 40",
            "anonymous login go/local \"invalid_credentials\" 40",
            "anonymous write /api/artifacts/01890000-0000-7000-8000-000000000000 \"login_required\" 40",
        ]
    );
    let publish = denied.iter().find(|row| row["action"] == "publish").expect("a row");
    assert_eq!(publish["credential"].as_str(), Some(&reader[..8]));
    assert_eq!(publish["address"], "127.0.0.1");
}

#[test]
fn an_export_is_lines_in_order_and_can_be_resumed() {
    let server = Server::start();
    publish(&server, "v1.0.0");
    let export = |query: &str| -> Vec<Value> {
        let answer = server.api("GET", &format!("/api/audit/export?{query}"), None).expect(200);
        assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
        answer.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let first = export("");
    let numbers: Vec<_> = first.iter().map(|row| row["seq"].as_i64().expect("a number")).collect();
    assert!(numbers.len() >= 3 && numbers.is_sorted(), "{numbers:?}");
    let mut paged = rows(&server, "limit=200");
    paged.reverse();
    assert_eq!(first, paged, "the same rows as in pages");
    let last = numbers.last().expect("rows");
    assert_eq!(export(&format!("after_seq={last}")), Vec::<Value>::new());
    publish(&server, "v1.1.0");
    let rest = export(&format!("after_seq={last}"));
    assert_eq!(told(&rest), ["publish go/local example.com/m@v1.1.0 done"]);
    let at = rest[0]["at"].as_str().expect("a time");
    assert_eq!(export(&format!("from={at}")), rest);
    assert_eq!(export(&format!("to={at}")), first);
}

#[test]
fn the_chain_of_seals_is_sound_and_its_end_is_in_the_log() {
    let mut server = Server::start();
    publish(&server, "v1.0.0");
    server.stop();
    server.start_again();
    let check = server.api("GET", "/api/audit/verification", None).expect(200).json();
    assert_eq!((&check["sound"], &check["unsealed"]), (&json!(true), &json!(0)), "{check}");
    assert!(check["rows"].as_u64().is_some_and(|rows| rows >= 3), "{check}");
    let output = server.output();
    let lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let heads: Vec<_> = lines.filter_map(|line| line["audit.hash"].as_str().map(str::to_owned)).collect();
    let head = check["head"]["hash"].as_str().expect("a head");
    assert_eq!(heads, [head, head], "told when it stopped and when it started");
}

#[test]
fn only_administrators_see_it() {
    let server = Server::start();
    let reader = server.token("--name reader --actions read,publish,delete,manage --repositories *");
    for path in ["/api/audit", "/api/audit/export", "/api/audit/verification"] {
        let stranger = ask(&server, "GET", path, &[]).expect(401);
        assert_eq!(stranger.header("x-error-code"), Some("login_required"), "{path}");
        let reader = server.send(Some(&reader), "GET", path, &[], b"").expect(403);
        assert_eq!(reader.header("x-error-code"), Some("admin_required"), "{path}");
    }
}

type Headers<'a> = &'a [(&'a str, &'a str)];

/// The address in the row of a repository's creation that was asked for with these headers.
fn address_seen(server: &Server, name: &str, headers: Headers<'_>) -> Value {
    let authorization = format!("Bearer {ADMIN_TOKEN}");
    let own = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
    let body = json!({"format": "go", "name": name, "kind": "hosted"}).to_string();
    send("POST", &format!("{}/api/repositories", server.url), &[&own, headers].concat(), body.as_bytes()).expect(201);
    rows(server, &format!("repository=go/{name}"))[0]["address"].clone()
}

#[test]
fn an_address_told_by_a_stranger_is_not_believed() {
    let told = [
        ("X-Forwarded-For", "198.51.100.7"),
        ("X-Real-IP", "198.51.100.7"),
        ("Forwarded", "for=198.51.100.7"),
        ("X-Client-IP", "198.51.100.7"),
    ];
    let direct = Server::start();
    assert_eq!(address_seen(&direct, "direct", &told), "127.0.0.1", "S2: the peer is no proxy of ours");

    let proxied = Server::with(&[("KEEPER_TRUSTED_PROXIES", "127.0.0.1,10.0.0.0/8")]);
    let rows: [(&str, Headers<'_>, &str); 5] = [
        ("one", &[("X-Forwarded-For", "198.51.100.7")], "198.51.100.7"),
        ("chain", &[("X-Forwarded-For", "203.0.113.1, 198.51.100.7, 10.0.0.7")], "198.51.100.7"),
        ("lines", &[("X-Forwarded-For", "203.0.113.1"), ("X-Forwarded-For", "198.51.100.7")], "198.51.100.7"),
        ("odd", &[("X-Forwarded-For", "203.0.113.1, unknown")], "127.0.0.1"),
        ("real-ip", &[("X-Real-IP", "203.0.113.1")], "127.0.0.1"),
    ];
    for (name, headers, expected) in rows {
        assert_eq!(address_seen(&proxied, name, headers), expected, "S2: {name}");
    }
}
