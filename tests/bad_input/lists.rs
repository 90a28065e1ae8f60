//! Lists and search: their parameters, their cursors, and ids.
//!
//! The lists are those operations of the document that have a `cursor`: a new one is tried as well.

use std::path::Path;

use serde_json::{Value, json};

use super::{refused, server};
use crate::harness::http::Response;
use crate::harness::people;
use crate::harness::refusal::Refusals;
use crate::harness::server::{ADMIN_TOKEN, Server};

/// A list: its address with good values in it, and the further parameters that it cannot do without.
struct List {
    path: String,
    needs: &'static str,
    /// Parameters that choose among its entries, each with a value.
    filters: Vec<String>,
}

impl List {
    fn ask(&self, server: &Server, token: Option<&str>, query: &str) -> Response {
        let query = [self.needs, query].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("&");
        server.send(token, "GET", &format!("/api{}?{query}", self.path), &[], &[])
    }
}

/// Ids of what the server holds.
struct Ids {
    artifact: String,
    package: String,
}

/// A server on which every list has more than one page, at one entry a page.
fn furnished() -> (Server, Ids) {
    let server = server(&[]);
    for version in ["v1.1.0", "v1.2.0"] {
        let archive = crate::harness::archives::module(
            b"module example.com/Azure/m\n\ngo 1.21\n\nrequire example.com/Azure/m v1.0.0\n",
        );
        let form = crate::harness::upload::Form::go(archive).with("name", super::MODULE).with("version", version);
        form.with("repository", "local").send(&server).expect(201);
    }
    for login in ["ann", "ben"] {
        people::person(&server, login);
        people::grant(&server, login, "go/*", "reader");
        people::token(&server, "admin", &["read"], &["go/*"]);
    }
    for group in ["developers", "others"] {
        server.api("POST", "/api/groups", Some(&json!({"name": group}))).expect(201);
    }
    for login in ["ann", "ben"] {
        server.api("PUT", &format!("/api/groups/developers/members/{login}"), None).expect(204);
    }
    let rules = json!({"rules": [{"keep_last": 1}]});
    server.api("PUT", "/api/repositories/go/local/retention", Some(&rules)).expect(200);
    let first = |path: &str| people::id(&server.api("GET", path, None).expect(200).json()["items"][0]);
    let ids =
        Ids { artifact: first("/api/artifacts?repository=local"), package: first("/api/packages?repository=local") };
    (server, ids)
}

/// All lists of the document.
fn lists(ids: &Ids) -> Vec<List> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let document: Value = serde_json::from_slice(&std::fs::read(path).expect("the document")).expect("JSON");
    let mut lists = Vec::new();
    for (template, item) in document["paths"].as_object().expect("paths") {
        let parameters = item["get"]["parameters"].as_array().cloned().unwrap_or_default();
        let filters = parameters.iter().filter(|one| one["in"] == "query").filter_map(filter).collect();
        if !parameters.iter().any(|one| one["name"] == "cursor") {
            continue;
        }
        let id = if template.starts_with("/packages") { &ids.package } else { &ids.artifact };
        let path = template.replace("{id}", id).replace("{format}", "go");
        let name = if template.starts_with("/groups") { "developers" } else { "local" };
        let needs = match template.as_str() {
            "/search" => "q=azure",
            "/repositories/{format}/{name}/retention" => "dry_run=true",
            _ => "",
        };
        lists.push(List { path: path.replace("{name}", name), needs, filters });
    }
    assert!(lists.len() >= 14, "the lists are found");
    lists
}

/// A parameter that chooses, with its example: `name=x`.
fn filter(parameter: &Value) -> Option<String> {
    let name = parameter["name"].as_str()?;
    let value = match &parameter["example"] {
        Value::String(text) => text.clone(),
        // What is so by default chooses nothing.
        Value::Bool(_) => "true".to_owned(),
        _ => return None,
    };
    (!["cursor", "limit"].contains(&name)).then(|| format!("{name}={value}"))
}

/// Where the cursor of an answer is.
fn cursor(answer: &Value) -> Option<&str> {
    answer["next_cursor"].as_str().or_else(|| answer["would_remove"]["next_cursor"].as_str())
}

#[test]
fn odd_limits_keys_and_cursors_are_refused_by_every_list() {
    let (server, ids) = furnished();
    let refusals = Refusals::by(&server);
    let lists = lists(&ids);
    let ask = |list: &List, query: &str| list.ask(&server, Some(ADMIN_TOKEN), query);
    let mut cursors = Vec::new();
    for list in &lists {
        let page = ask(list, "limit=1").expect(200).json();
        if let Some(cursor) = cursor(&page) {
            ask(list, &format!("limit=1&cursor={cursor}")).expect(200);
            cursors.push((list.path.as_str(), cursor.to_owned()));
        }
        ask(list, "limit=200").expect(200);
    }
    let with_pages = cursors.len();
    assert!(with_pages + 2 >= lists.len(), "nearly all have two pages: {cursors:?}");
    for list in &lists {
        let path = &list.path;
        for limit in ["0", "-1", "201", "abc", "1e3", "", "99999999999999999999"] {
            let row = format!("I1 {path} {limit}");
            let told = refusals.api(&row, &ask(list, &format!("limit={limit}")), 400, &["invalid_field"]);
            let text = told.to_string();
            assert!(text.contains("1 to 200") && told["errors"][0]["field"] == "limit", "{row}: {text}");
        }
        for bad in ["x", "", "AAAA", "%00", "..%2F", "AZmjtFxtfo-aCxwtPk9aa0vJ1sH3kZ0B"] {
            let answer = ask(list, &format!("cursor={bad}"));
            refused(&refusals, &format!("I2 {path} {bad}"), path_of(path), &answer, 400, "invalid_cursor");
        }
        for (of, cursor) in &cursors {
            let cut = &cursor[..cursor.len() - 1];
            refused(
                &refusals,
                &format!("I2 {path} cut"),
                path_of(path),
                &ask(list, &format!("cursor={cut}")),
                400,
                "invalid_cursor",
            );
            if of != path {
                let answer = ask(list, &format!("cursor={cursor}"));
                refused(&refusals, &format!("I2 {path} of {of}"), path_of(path), &answer, 400, "invalid_cursor");
            }
        }
        let told = refusals.api(&format!("I7 {path}"), &ask(list, "limt=1"), 400, &["unknown_field"]);
        assert!(told["hint"].as_str().is_some_and(|hint| hint.contains("\"limit\"")), "I7 {path}: {told}");
        refusals.api(&format!("I8 {path}"), &ask(list, "limit=1&limit=2"), 400, &["duplicate_field"]);
        refusals.api(
            &format!("I7, I8 {path}"),
            &ask(list, "x=1&limit=1&limit=1"),
            400,
            &["unknown_field", "duplicate_field"],
        );
    }
}

/// Any path of the API: it decides the shape of a refusal.
fn path_of(path: &str) -> &'static str {
    assert!(path.starts_with('/'), "{path} is a path");
    "/api/"
}

#[test]
fn a_cursor_of_another_user_or_filter_is_none() {
    let (server, ids) = furnished();
    let refusals = Refusals::by(&server);
    let [ann, ben] = ["ann", "ben"].map(|login| people::token(&server, login, &["read"], &["go/*"]).0);
    for list in lists(&ids) {
        let page = list.ask(&server, Some(&ann), "limit=1");
        let Some(cursor) = (page.status == 200).then(|| page.json()).as_ref().and_then(cursor).map(str::to_owned)
        else {
            continue;
        };
        let query = format!("limit=1&cursor={cursor}");
        list.ask(&server, Some(&ann), &query).expect(200);
        for other in [Some(ben.as_str()), Some(ADMIN_TOKEN), None] {
            let answer = list.ask(&server, other, &query);
            if answer.status == 401 {
                continue;
            }
            refused(&refusals, &format!("I2 {}", list.path), "/api/", &answer, 400, "invalid_cursor");
        }
    }
    let mut tried = 0;
    // Of an archive's contents the parameters say which list it is, and there is none at their examples.
    for list in lists(&ids).iter().filter(|list| !list.path.ends_with("/contents")) {
        let page = list.ask(&server, Some(ADMIN_TOKEN), "limit=1").expect(200).json();
        let Some(cursor) = cursor(&page) else { continue };
        let chosen = list.needs.split('=').next().unwrap_or_default();
        for other in list.filters.iter().filter(|other| !other.starts_with(&format!("{chosen}="))) {
            let answer = list.ask(&server, Some(ADMIN_TOKEN), &format!("limit=1&{other}&cursor={cursor}"));
            refused(&refusals, &format!("I2 {} {other}", list.path), "/api/", &answer, 400, "invalid_cursor");
            tried += 1;
        }
    }
    assert!(tried >= 25, "all filters of all lists: {tried}");
}

#[test]
fn odd_words_orders_and_times_get_plain_answers() {
    let (server, _) = furnished();
    let refusals = Refusals::by(&server);
    let long = "x".repeat(1025);
    for sort in ["password_hash", "name;drop", "", "NAME"] {
        let answer = server.api("GET", &format!("/api/packages?sort={sort}"), None);
        let told = refusals.api(&format!("I4 {sort}"), &answer, 400, &["invalid_field"]);
        assert!(["`name`", "`newest`"].iter().all(|choice| told.to_string().contains(choice)), "I4 {sort}: {told}");
    }
    let words = [
        "%22",
        "*",
        "%28",
        "NEAR%28",
        "a%20OR",
        "a%20OR%20b",
        "%25",
        "_",
        "%F0%9F%A6%80",
        "%27;--",
        "name:x",
        "^a",
        "-",
    ];
    for path in ["/api/search", "/api/packages", "/api/artifacts"] {
        for word in words {
            let answer = server.api("GET", &format!("{path}?q={word}"), None).expect(200).json();
            assert!(answer["items"].is_array(), "I5 {path} {word}: {answer}");
        }
        for bad in ["%00", "a%0ab", &long] {
            let answer = server.api("GET", &format!("{path}?q={bad}"), None);
            refusals.api(&format!("I5 {path} {}", &bad[..3]), &answer, 400, &["invalid_query"]);
        }
    }
    for (word, at) in [("%22open", 1), ("12%22", 3), ("%22a%22%20%22b", 5)] {
        let answer = server.api("GET", &format!("/api/search?strict=true&q={word}"), None);
        let problem = refusals.api(&format!("L19 {word}"), &answer, 400, &["invalid_query"]);
        assert!(
            problem["detail"].as_str().is_some_and(|detail| detail.contains(&format!("character {at} "))),
            "{problem}"
        );
        server.api("GET", &format!("/api/search?q={word}"), None).expect(200);
        server.api("GET", "/api/search?strict=true&q=%22a%20b%22", None).expect(200);
    }
    for empty in ["", "%20"] {
        refusals.api(
            "I5 nothing",
            &server.api("GET", &format!("/api/search?q={empty}"), None),
            400,
            &["invalid_query"],
        );
        server.api("GET", &format!("/api/packages?q={empty}"), None).expect(200);
    }
    for path in ["/api/audit", "/api/audit/export"] {
        for field in ["from", "to"] {
            for time in ["2026-13-01", "2026-11-22T10:00:00", "yesterday", "", "2026-11-22"] {
                let row = format!("I9 {path} {field}={time}");
                let told = refusals.api(
                    &row,
                    &server.api("GET", &format!("{path}?{field}={time}"), None),
                    400,
                    &["invalid_field"],
                );
                assert!(told.to_string().contains("T10:00:00Z"), "{row}: an example is shown: {told}");
            }
        }
    }
}

#[test]
fn what_may_not_be_read_is_in_no_list_and_at_no_id() {
    let (server, ids) = furnished();
    let outsider = server.token("--name outsider --actions read --repositories go/other");
    let secret = server.api("GET", "/api/artifacts?repository=private", None).expect(200).json();
    let secret_package = server.api("GET", "/api/packages?repository=private", None).expect(200).json();
    let (artifact, package) = (people::id(&secret["items"][0]), people::id(&secret_package["items"][0]));
    for path in ["/api/artifacts", "/api/packages"] {
        let page =
            server.send(Some(&outsider), "GET", &format!("{path}?repository=private"), &[], &[]).expect(200).json();
        assert_eq!(page["items"], json!([]), "I6 {path}");
    }
    let found = server.send(Some(&outsider), "GET", "/api/search?q=secret", &[], &[]).expect(200).json();
    assert_eq!(found["items"], json!([]), "I6 search: {found}");
    let refusals = Refusals::by(&server);
    let absent = "0199a3b4-0000-7000-8000-000000000000";
    for below in ["", "/files", "/contents", "/readme", "/files/v1.0.0.mod"] {
        for (row, id, status, code) in [
            ("no id", "7", 400, "invalid_field"),
            ("no id", "x' OR 1=1", 400, "invalid_field"),
            ("absent", absent, 404, "artifact_not_found"),
            ("of another repository", &*artifact, 404, "artifact_not_found"),
        ] {
            let path = format!("/api/artifacts/{}{below}", id.replace(' ', "%20").replace('\'', "%27"));
            let answer = server.send(Some(&outsider), "GET", &path, &[], &[]);
            refused(&refusals, &format!("I10 {row} {path}"), &path, &answer, status, code);
        }
    }
    for below in ["", "/versions", "/dependents"] {
        for (id, status, code) in
            [("7", 400, "invalid_field"), (absent, 404, "package_not_found"), (&*package, 404, "package_not_found")]
        {
            let path = format!("/api/packages/{id}{below}");
            let answer = server.send(Some(&outsider), "GET", &path, &[], &[]);
            refused(&refusals, &format!("I10 {path}"), &path, &answer, status, code);
        }
    }
    let path = format!("/api/artifacts/{}", ids.artifact);
    server.api("DELETE", &path, None).expect(204);
    assert_eq!(
        server.api("GET", &path, None).expect(200).json()["state"],
        "deleted",
        "I10: a tombstone tells that it is one"
    );
    let refusals = Refusals::by(&server);
    for below in ["/files/v1.2.0.zip", "/contents", "/readme"] {
        let answer = server.api("GET", &format!("{path}{below}"), None);
        refused(&refusals, &format!("I10 deleted {below}"), "/api/", &answer, 410, "deleted");
    }
}
