//! Remote and virtual repositories as administrators make, see and take them away: the rows D3 to D12 of the table of
//! bad inputs, credentials that nobody sees again, a lost key, lists over several repositories.

use serde_json::{Value, json};

use crate::harness::archives;
use crate::harness::http::Response;
use crate::harness::outside::Outside;
use crate::harness::people::{Credential, ask, token};
use crate::harness::raw_form::RawForm;
use crate::harness::refusal::problem;
use crate::harness::server::{ON_SQLITE, Server};

const REPOSITORIES: &str = "/api/repositories";

fn create(server: &Server, repository: &Value) -> Response {
    server.api("POST", REPOSITORIES, Some(repository))
}

fn remote(name: &str, upstream: &Value) -> Value {
    json!({"format": "generic", "name": name, "kind": "remote", "anonymous_read": true, "upstream": upstream})
}

fn members(name: &str, members: &[&str]) -> Value {
    json!({"format": "generic", "name": name, "kind": "virtual", "anonymous_read": true, "members": members})
}

fn hosted(server: &Server, name: &str) {
    server.create_repository(&json!({"format": "generic", "name": name, "kind": "hosted", "anonymous_read": true}));
}

/// Changes `generic/…`.
fn patch(server: &Server, name: &str, change: &Value) -> Response {
    server.api("PATCH", &format!("{REPOSITORIES}/generic/{name}"), Some(change))
}

fn read(server: &Server, name: &str) -> Value {
    server.api("GET", &format!("{REPOSITORIES}/generic/{name}"), None).expect(200).json()
}

#[test]
fn a_first_start_makes_one_address_for_everything() {
    let server = Server::start();
    let page = server.api("GET", REPOSITORIES, None).expect(200).json();
    let items = page["items"].as_array().expect("items");
    let kinds: Vec<_> = items.iter().map(|one| format!("{} {}", one["name"], one["kind"])).collect();
    assert_eq!(kinds, [r#""local" "hosted""#, r#""main" "virtual""#, r#""upstream" "remote""#]);
    assert_eq!(items[1]["members"], json!(["local", "upstream"]));
    assert_eq!(items[2]["upstream"]["url"], "https://proxy.golang.org");
    for (at, absent) in [(0, "upstream"), (0, "members"), (1, "upstream"), (2, "members"), (2, "merge")] {
        assert!(items[at].get(absent).is_none(), "only the part of its kind: {}", items[at]);
    }
    let said = server.output();
    assert!(said.contains(&format!("GOPROXY={}/go/main", server.url)), "{said}");
    let twice = server.api("GET", "/api/repositories/go/local", None).expect(200).json();
    assert!(twice["default_upload"] == true && items[1]["default_upload"] == false);
}

#[test]
fn what_cannot_be_a_source_is_refused_with_the_rule() {
    let server = Server::start();
    hosted(&server, "files");
    let url = |text: &str| remote("x", &json!({"url": text}));
    let with = |mut repository: Value, more: &Value| {
        repository.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
        repository
    };
    let reserving =
        |pattern: &str| with(members("x", &["files"]), &json!({"reserved": [{"pattern": pattern, "members": []}]}));
    let ruled = |rules: Value| remote("x", &json!({"url": "https://a.example", "rules": rules}));
    let own = |path: &str| remote("x", &json!({"url": format!("{}{path}", server.url), "allow_http": true}));
    let bad = "invalid_field";
    let rows = [
        ("D3", with(url("https://a.example"), &json!({"kind": "proxy"})), 400, bad, "hosted, remote or virtual"),
        ("D4", json!({"format": "generic", "name": "x", "kind": "remote"}), 400, "field_missing", "upstream"),
        ("D4", json!({"format": "generic", "name": "x", "kind": "virtual"}), 400, "field_missing", "members"),
        ("D4", with(url("https://a.example"), &json!({"kind": "hosted"})), 400, bad, "part of a remote one"),
        ("D4", with(url("https://a.example"), &json!({"members": ["files"]})), 400, bad, "part of a virtual one"),
        ("D4", with(url("https://a.example"), &json!({"default_upload": true})), 400, bad, "takes no uploads"),
        ("D5", url("ftp://a.example"), 400, bad, "begins with https://"),
        ("D5", url("file:///etc"), 400, bad, "begins with https://"),
        ("D5", url("http://a.example"), 400, bad, "allow_http"),
        ("D5", url("https://u:hunter2@a.example"), 400, bad, "credentials"),
        ("D5", url("https://a.example/#x"), 400, bad, "fragment"),
        ("D5", url("https://"), 400, bad, "not an address"),
        ("D5", url("https://a.example,direct"), 400, bad, "direct"),
        ("D6", url("https://127.0.0.1"), 400, bad, "KEEPER_NETWORK_ALLOW=127.0.0.1"),
        ("D6", url("https://10.1.2.3"), 400, bad, "KEEPER_NETWORK_ALLOW=10.1.2.3"),
        ("D6", url("https://169.254.169.254"), 400, bad, "metadata"),
        ("D6", url("https://[::ffff:a9fe:a9fe]"), 400, bad, "metadata"),
        ("D6", url("https://2130706433"), 400, bad, "KEEPER_NETWORK_ALLOW=127.0.0.1"),
        ("D6", url("https://a.example|https://localhost"), 400, bad, "blocked_address"),
        ("D7", own("/generic/files"), 409, "member_cycle", "this server"),
        ("D8", members("x", &["x"]), 409, "member_invalid", "itself"),
        ("D9", members("x", &["local"]), 409, "member_invalid", "has the format"),
        ("D9", members("x", &["nowhere"]), 409, "member_invalid", "there is no repository"),
        ("D9", members("x", &["files", "files"]), 409, "member_invalid", "twice"),
        ("D9", members("x", &["A b"]), 400, bad, "a name is"),
        ("D9", with(members("x", &["files"]), &json!({"optional_members": ["y"]})), 400, bad, "not one of"),
        ("D10", reserving("*"), 400, bad, "every name"),
        ("D10", reserving("a**b"), 400, bad, "**"),
        ("D10", reserving(""), 400, bad, "a pattern has"),
        (
            "D10",
            with(
                members("x", &["files"]),
                &json!({"reserved": [{"pattern": "a", "members": []}, {"pattern": "a", "members": ["files"]}]}),
            ),
            409,
            "claim_conflict",
            "twice",
        ),
        ("rules", ruled(json!({"deny": [{"packages": "a", "versions": "v1"}]})), 400, bad, "not a bound"),
        ("rules", ruled(json!({"allow": [{"packages": "a**b"}]})), 400, bad, "**"),
    ];
    for (row, body, status, code, says) in rows {
        let answer = create(&server, &body);
        let document = problem(row, &answer, status, &[code]);
        let text = document.to_string();
        assert!(text.contains(says) && !text.contains("hunter2"), "{row} {body}: {document:#}");
    }
    create(&server, &members("all", &["files"])).expect(201);
    let answer = create(&server, &members("x", &["all"]));
    problem("D8", &answer, 409, &["member_invalid"]);
    let kinds = server.api("GET", REPOSITORIES, None).expect(200).json();
    assert_eq!(kinds["items"].as_array().map(Vec::len), Some(5), "nothing was made: {kinds}");
}

#[test]
fn a_change_changes_what_it_names_and_no_kind() {
    let server = Server::start();
    hosted(&server, "files");
    let upstream = json!({
        "url": "https://a.example/x/|https://b.example", "index_seconds": 5, "rules": {"deny": [{"packages": "bad"}]}
    });
    let made = create(&server, &remote("up", &upstream)).expect(201).json();
    assert_eq!(made["upstream"]["url"], "https://a.example/x|https://b.example");
    let sources: Vec<_> =
        made["upstream"]["sources"].as_array().expect("sources").iter().map(|one| &one["url"]).collect();
    assert_eq!(sources, ["https://a.example/x", "https://b.example"]);
    for (field, value) in [("kind", "hosted"), ("format", "go"), ("name", "down")] {
        problem("D11", &patch(&server, "up", &json!({field: value})), 409, &["immutable_field"]);
    }
    patch(&server, "up", &json!({"kind": "remote"})).expect(200);
    let rules = json!({"upstream": {"rules": {"allow": [{"packages": "good", "versions": " >=1  <2 "}]}}});
    let changed = patch(&server, "up", &rules).expect(200).json();
    assert_eq!(changed["upstream"]["index_seconds"], 5, "what is absent stays");
    assert_eq!(changed["upstream"]["rules"]["deny"][0]["packages"], "bad");
    assert_eq!(changed["upstream"]["rules"]["allow"][0]["versions"], ">=1 <2");
    let changed = patch(&server, "up", &json!({"upstream": {"rules": null, "index_seconds": null}})).expect(200).json();
    assert_eq!(changed["upstream"]["index_seconds"], 60, "null is the default");
    assert_eq!(changed["upstream"]["rules"]["deny"], json!([]));
    let closed = json!({"upstream": {"url": "https://127.0.0.1"}});
    problem("D6", &patch(&server, "up", &closed), 400, &["invalid_field"]);
    assert_eq!(read(&server, "up")["upstream"]["url"], "https://a.example/x|https://b.example");
    // Who manages it changes neither where content comes from nor which.
    let (owner, _) = token(&server, "admin", &["read", "publish", "delete", "manage"], &["generic/*"]);
    let owner = Credential::Bearer(owner);
    let path = format!("{REPOSITORIES}/generic/up");
    for denied in [
        json!({"upstream": {"url": "https://c.example"}}),
        json!({"upstream": {"rules": {"min_age_seconds": 1}}}),
        json!({"upstream": {"credentials": {"token": "x"}}}),
        json!({"anonymous_read": false}),
    ] {
        problem("rights", &ask(&server, "PATCH", &path, &owner, Some(&denied)), 403, &["admin_required"]);
    }
    ask(&server, "PATCH", &path, &owner, Some(&json!({"upstream": {"index_seconds": 9}}))).expect(200);
}

#[test]
fn a_member_is_not_taken_away_by_accident() {
    let server = Server::start();
    for name in ["files", "more"] {
        hosted(&server, name);
    }
    let reserved = json!([{"pattern": "ours", "members": ["files"], "when_absent": "forbid"}]);
    let mut all = members("all", &["files", "more"]);
    all["reserved"] = reserved.clone();
    assert_eq!(create(&server, &all).expect(201).json()["reserved"], reserved);
    let path = format!("{REPOSITORIES}/generic/files");
    let document = problem("D12", &server.api("DELETE", &path, None), 409, &["repository_in_use"]);
    assert!(document.to_string().contains("generic/all"), "{document:#}");
    server.api("DELETE", &format!("{path}?force=true"), None).expect(204);
    let left = read(&server, "all");
    assert_eq!(left["members"], json!(["more"]));
    assert_eq!(left["reserved"][0]["members"], json!([]), "what was reserved stays reserved");
}

#[test]
fn a_list_over_a_virtual_repository_shows_what_its_members_hold() {
    let server = Server::start();
    for (name, open) in [("one", true), ("two", false), ("three", true)] {
        server.create_repository(&json!({"format": "go", "name": name, "kind": "hosted", "anonymous_read": open}));
        let form = RawForm::module(&format!("example.com/{name}"), "v1.0.0").text("repository", name);
        let module = format!("module example.com/{name}\n\nrequire example.com/base v1.0.0\n");
        form.file(archives::module(module.as_bytes())).send(&server).expect(201);
    }
    let base = RawForm::module("example.com/base", "v1.0.0").text("repository", "one");
    base.file(archives::module(b"module example.com/base\n")).send(&server).expect(201);
    let all =
        json!({"format": "go", "name": "all", "kind": "virtual", "anonymous_read": true, "members": ["one", "two"]});
    create(&server, &all).expect(201);
    let found = |who: &Credential, path: &str| {
        let page = ask(&server, "GET", path, who, None).expect(200).json();
        let items = page["items"].as_array().expect("items").clone();
        let mut names: Vec<_> = items.iter().map(|one| format!("{} in {}", one["name"], one["repository"])).collect();
        names.sort();
        names.into_iter().map(|name| name.replace('"', "")).collect::<Vec<_>>()
    };
    let base = server.api("GET", "/api/packages?name=example.com/base", None).expect(200).json();
    let dependents =
        format!("/api/packages/{}/dependents?repository=all", base["items"][0]["id"].as_str().expect("an id"));
    let (everything, _) = token(&server, "admin", &["read"], &["*"]);
    let (admin, stranger) = (Credential::Bearer(everything), Credential::None);
    let both = ["example.com/base in one", "example.com/one in one", "example.com/two in two"];
    for path in
        ["/api/packages?repository=all", "/api/artifacts?repository=all", "/api/search?q=example&repository=all"]
    {
        assert_eq!(found(&admin, path), both, "{path}");
        assert_eq!(found(&stranger, path), both[..2], "{path}: only what he may read");
    }
    assert_eq!(found(&admin, &dependents), both[1..], "{dependents}");
    assert_eq!(found(&stranger, &dependents), both[1..2], "{dependents}");
    let seen = ask(&server, "GET", &format!("{REPOSITORIES}/go/all"), &stranger, None).expect(200).json();
    assert_eq!(seen["members"], json!(["one"]), "a private member is not named to strangers");
    assert!(seen.get("reserved").is_none(), "{seen}");
}

/// A remote repository whose upstream is in this test.
fn guarded(settings: &[(&str, &str)]) -> Server {
    Server::with(&[&[("KEEPER_NETWORK_ALLOW", "127.0.0.1")], settings].concat())
}

#[test]
fn credentials_are_sent_to_their_upstream_and_shown_to_nobody() {
    let (first, second) = (Outside::answering(404, "no\n"), Outside::answering(404, "no\n"));
    let mut server = guarded(&[ON_SQLITE]);
    let credentials = json!({"username": "ann", "password": "hunter2hunter2"});
    let chain = format!("{},{}", first.url, second.url);
    let upstream = json!({"url": chain, "allow_http": true, "credentials": credentials});
    let made = create(&server, &remote("up", &upstream)).expect(201);
    assert!(made.json()["upstream"]["credentials"] == json!({"set": true}) && !made.text().contains("hunter2"));
    let fetch = |server: &Server, file: &str| server.send(None, "GET", &format!("/generic/up/{file}"), &[], b"").status;
    assert_eq!(fetch(&server, "tool/1/a"), 404);
    let sent = data_encoding::BASE64.encode(b"ann:hunter2hunter2");
    let basic = format!("authorization: basic {}", sent.to_lowercase());
    assert!(first.heads().iter().all(|head| head.contains(&basic)) && !first.heads().is_empty(), "{:?}", first.heads());
    assert!(second.heads().iter().all(|head| !head.contains("authorization")), "only the first source gets them");
    assert!(!second.heads().is_empty());
    // They are there after a start, and a change of something else leaves them.
    server.stop();
    server.start_again();
    let seen =
        patch(&server, "up", &json!({"description": "x", "upstream": {"credentials": {"set": true}}})).expect(200);
    assert_eq!(seen.json()["upstream"]["credentials"], json!({"set": true}));
    assert_eq!(fetch(&server, "tool/1/b"), 404);
    assert!(first.heads().iter().all(|head| head.contains(&basic)));
    // Another first source does not get them.
    let turned = json!({"upstream": {"url": format!("{},{}", second.url, first.url)}});
    let turned = patch(&server, "up", &turned).expect(200).json();
    assert_eq!(turned["upstream"]["credentials"], json!({"set": false}));
    let before = first.heads().len();
    assert_eq!(fetch(&server, "tool/1/c"), 404);
    assert!(first.heads()[before..].iter().chain(&second.heads()).all(|head| !head.contains("authorization")));
    for bad in
        [json!({"username": "a:b", "password": "x"}), json!({"token": "a b"}), json!({"username": "a"}), json!({})]
    {
        let change = json!({"upstream": {"credentials": bad}});
        problem("credentials", &patch(&server, "up", &change), 400, &["invalid_field"]);
    }
    let audit = server.api("GET", "/api/audit?limit=200", None).expect(200).text();
    assert!(audit.contains("repository.credentials"), "{audit}");
    for (what, text) in [("the audit", audit), ("the log", server.output())] {
        assert!(!text.contains("hunter2") && !text.contains(&sent), "{what} tells the password");
    }
    for file in ["keeper.db", "keeper.db-wal"] {
        let bytes = std::fs::read(server.data().join(file)).expect("the database");
        assert!(!bytes.windows(7).any(|part| part == b"hunter2"), "{file} holds the password");
    }
}

#[test]
fn a_lost_key_is_told_at_start_and_forgotten_on_demand() {
    let mut server = guarded(&[]);
    let upstream = json!({"url": "https://a.example", "credentials": {"token": "abc"}});
    create(&server, &remote("up", &upstream)).expect(201);
    server.stop();
    let key = server.data().join("secrets.key");
    std::fs::rename(&key, key.with_extension("lost")).expect("it was there");
    let refused = server.command("serve").says(&["generic/up", "--reset-secrets", "secrets.key"]);
    assert_eq!(refused.code(), Some(2), "J27");
    assert!(!key.exists(), "no new key is made over a lost one");
    std::fs::rename(key.with_extension("lost"), &key).expect("put back");
    server.start_again();
    assert_eq!(read(&server, "up")["upstream"]["credentials"], json!({"set": true}));
    server.stop();
    std::fs::remove_file(&key).expect("it was there");
    server.start_again_with(&["--reset-secrets"]);
    assert_eq!(read(&server, "up")["upstream"]["credentials"], json!({"set": false}));
    server.stop();
    server.start_again();
}

#[test]
fn how_an_upstream_fares_is_seen() {
    let down = Outside::answering(500, "no\n");
    let server = guarded(&[("KEEPER_UPSTREAM_REST", "1h")]);
    create(&server, &remote("up", &json!({"url": down.url, "allow_http": true}))).expect(201);
    let fetch = || server.send(None, "GET", "/generic/up/tool/1/a", &[], b"");
    assert_eq!(fetch().status, 502);
    let resting = std::iter::repeat_with(fetch).take(8).find(|answer| answer.status == 503).expect("it is left alone");
    assert_eq!(resting.header("x-error-code"), Some("upstream_open"));
    assert!(resting.header("retry-after").is_some());
    let asked = down.requests().len();
    assert_eq!((fetch().status, down.requests().len()), (503, asked), "K12: nobody connects");
    let source = &read(&server, "up")["upstream"]["sources"][0];
    assert_eq!((&source["state"], &source["last_trouble"]), (&json!("resting"), &json!("upstream_error")), "{source}");
    let status = server.api("GET", "/api/status", None).expect(200).json();
    let seen = status["upstreams"].as_array().expect("upstreams").iter().find(|one| one["repository"] == "generic/up");
    assert_eq!(seen.expect("it")["sources"][0]["state"], "resting");
    let metrics = server.api("GET", "/metrics", None).expect(200).text();
    assert!(metrics.contains("keeper_upstreams_resting 1\n"), "{metrics}");
    assert!(metrics.contains("keeper_upstream_requests_total{outcome=\"resting\"}"), "{metrics}");
}
