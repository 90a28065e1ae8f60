//! A format's own upload and `POST /api/artifacts` end in one service: for both, the same audit, quota, search entries,
//! counts of events and refusals. Shown for `generic`, whose own is a `PUT`, and for the hostile format, whose own is a
//! form.

use serde_json::{Value, json};

use crate::harness::http::Response;
use crate::harness::raw_form::{self, RawForm};
use crate::harness::server::{ADMIN_TOKEN, Server};

/// What is sent: a file of a version of a package.
#[derive(Clone, Copy)]
struct Parcel<'a> {
    name: &'a str,
    version: &'a str,
    file: &'a str,
    bytes: &'a [u8],
    /// Headers that state something of the bytes.
    stated: &'a [(&'a str, &'a str)],
}

impl<'a> Parcel<'a> {
    fn of(name: &'a str, version: &'a str, bytes: &'a [u8]) -> Self {
        Self { name, version, file: "f", bytes, stated: &[] }
    }
}

/// A way to publish into a repository.
struct Way {
    format: &'static str,
    repository: &'static str,
    send: fn(&Server, Option<&str>, &Self, Parcel<'_>) -> Response,
}

fn put(server: &Server, token: Option<&str>, way: &Way, what: Parcel<'_>) -> Response {
    let path = format!("/{}/{}/{}/{}/{}", way.format, way.repository, what.name, what.version, what.file);
    let empty: &[_] = if what.bytes.is_empty() { &[("Content-Length", "0")] } else { &[] };
    server.send(token, "PUT", &path, &[what.stated, empty].concat(), what.bytes)
}

fn own_form(server: &Server, token: Option<&str>, way: &Way, what: Parcel<'_>) -> Response {
    let form = RawForm::default().text("name", what.name).text("version", what.version).text("filename", what.file);
    let form = form.part("Content-Disposition: form-data; name=\"content\"; filename=\"x\"", what.bytes);
    let kind = raw_form::content_type();
    let headers = [&[("Content-Type", kind.as_str())], what.stated].concat();
    server.send(token, "POST", &format!("/{}/{}/upload", way.format, way.repository), &headers, &form.finished())
}

fn api(server: &Server, token: Option<&str>, way: &Way, what: Parcel<'_>) -> Response {
    let form = RawForm::of(way.format, what.name, what.version).text("repository", way.repository);
    let field = if way.format == "generic" { "path" } else { "filename" };
    let mut form = form.text(field, what.file);
    for (name, value) in what.stated {
        assert_eq!(*name, "X-Checksum-Sha256", "what the API's form can state as well");
        form = form.text("sha256", value);
    }
    let kind = raw_form::content_type();
    server.send(token, "POST", "/api/artifacts", &[("Content-Type", &kind)], &form.file(what.bytes).finished())
}

/// The two ways of a format, each into a repository of its own.
fn ways(format: &'static str, own: fn(&Server, Option<&str>, &Way, Parcel<'_>) -> Response) -> [Way; 2] {
    [Way { format, repository: "own", send: own }, Way { format, repository: "api", send: api }]
}

/// What is known of a repository afterwards, without what has to differ: its name, ids, times, requests and the way.
fn known(server: &Server, way: &Way) -> Value {
    let get = |path: &str| server.api("GET", path, None).expect(200).json();
    let place = format!("{}/{}", way.format, way.repository);
    let without = |item: &Value, differs: &[&str]| {
        let mut item = item.clone();
        for key in differs {
            item.as_object_mut().expect("an object").remove(*key);
        }
        serde_json::from_str::<Value>(&item.to_string().replace(&place, "PLACE")).expect("JSON")
    };
    let items = |page: &Value, differs: &[&str]| -> Vec<Value> {
        page["items"].as_array().expect("items").iter().map(|item| without(item, differs)).collect()
    };
    let mut audit =
        items(&get(&format!("/api/audit?repository={place}&outcome=done&limit=200")), &["seq", "at", "request_id"]);
    for row in &mut audit {
        row["detail"].as_object_mut().into_iter().for_each(|detail| {
            detail.retain(|key, _| !matches!(key.as_str(), "id" | "way" | "description" | "anonymous_read"));
        });
    }
    let listed = get(&format!("/api/artifacts?format={}&repository={}", way.format, way.repository));
    let found = get(&format!("/api/search?q=parcel&format={}&repository={}", way.format, way.repository));
    let usage = get(&format!("/api/repositories/{place}/quota"));
    json!({
        "audit": audit,
        "artifacts": items(&listed, &["id", "repository", "published_at"]),
        "found": items(&found, &["id", "repository", "published_at"]),
        "usage": without(&usage, &["set_at"]),
    })
}

/// What a counter of `/metrics` shows.
fn counted(server: &Server, counter: &str) -> u64 {
    let page = server.api("GET", "/metrics", None).expect(200).text();
    page.lines().find_map(|line| line.strip_prefix(counter)?.trim().parse().ok()).unwrap_or(0)
}

fn are_alike(server: &Server, ways: &[Way; 2]) {
    let format = ways[0].format;
    for way in ways {
        let body = json!({"format": format, "name": way.repository, "kind": "hosted", "anonymous_read": true});
        server.create_repository(&body);
    }
    let token = |name: &str, actions: &str, more: &str| {
        server.token(&format!("--name {name} --actions {actions} --repositories {format}/* {more}"))
    };
    let (reader, publisher) = (token("reader", "read", ""), token("publisher", "publish", ""));
    let narrow = token("narrow", "publish", "--packages other");
    let wrong = [("X-Checksum-Sha256", "00000000000000000000000000000000000000000000000000000000000000aa")];
    let mut stories = Vec::new();
    for way in ways {
        let mut story = Vec::new();
        let mut tell = |row: &str, token: Option<&str>, what: Parcel<'_>| {
            let answer = (way.send)(server, token, way, what);
            story.push(format!("{row}: {} {:?}", answer.status, answer.header("x-error-code")));
        };
        let one = Parcel::of("parcel", "1.0", b"one");
        let (events, denials) = (
            format!("keeper_artifacts_published_total{{format=\"{format}\"}}"),
            "keeper_denials_total{action=\"publish\"}",
        );
        let before = [&events, denials].map(|counter| counted(server, counter));
        tell("a stranger", None, one);
        tell("a reader", Some(&reader), one);
        tell("of another package", Some(&narrow), one);
        tell("of nobody", Some("akp_0000000000000000000000000000000000000"), one);
        tell("empty", Some(&publisher), Parcel { bytes: b"", ..one });
        tell("wrong sum", Some(&publisher), Parcel { stated: &wrong, ..one });
        tell("new", Some(&publisher), one);
        tell("the same", Some(&publisher), one);
        tell("other bytes", Some(&publisher), Parcel { bytes: b"other", ..one });
        tell("a further file", Some(&publisher), Parcel { file: "g", ..one });
        let limits = json!({"max_artifacts": 1});
        server.api("PUT", &format!("/api/repositories/{format}/{}/quota", way.repository), Some(&limits)).expect(200);
        tell("one too many", Some(&publisher), Parcel { version: "2.0", ..one });
        let listed = format!("/api/artifacts?format={format}&repository={}", way.repository);
        let listed = server.api("GET", &listed, None).expect(200).json();
        let then = known(server, way);
        let id = listed["items"][0]["id"].as_str().expect("an id");
        server.api("DELETE", &format!("/api/artifacts/{id}"), None).expect(204);
        tell("deleted", Some(&publisher), one);
        tell("deleted, other bytes", Some(ADMIN_TOKEN), Parcel { bytes: b"other", ..one });
        let after = [&events, denials].map(|counter| counted(server, counter));
        story.push(format!("events {}, denials {}", after[0] - before[0], after[1] - before[1]));
        stories.push((story, then, known(server, way)));
    }
    let [own, api] = [&stories[0], &stories[1]];
    assert_eq!(own.0, api.0, "{format}: the same answers");
    assert!(!own.0.iter().any(|line| line.starts_with("events 0") || line.contains("denials 0")), "{:#?}", own.0);
    for outcome in ["new: 201", "the same: 200", "one too many: 413 Some(\"quota_exceeded\")", "deleted: 410"] {
        assert!(own.0.iter().any(|line| line.starts_with(outcome)), "{format}: {outcome} in {:#?}", own.0);
    }
    assert_eq!(own.1, api.1, "{format}: the same is known of what was published");
    assert_eq!(own.2, api.2, "{format}: and of what was deleted");
    assert_eq!(own.1["found"].as_array().map(Vec::len), Some(1), "{format}: it is found: {:#}", own.1);
    let told: Vec<_> = own.1["audit"].as_array().expect("rows").iter().map(|row| row["action"].clone()).collect();
    assert!(told.contains(&json!("publish")), "{format}: {told:?}");
}

#[test]
fn a_put_and_the_api_are_one_way() {
    are_alike(&Server::start(), &ways("generic", put));
}

#[test]
fn a_form_of_its_own_and_the_api_are_one_way() {
    are_alike(&Server::with_hostile_format(), &ways("hostile", own_form));
}
