//! Every route × everybody × every carrier of a credential: the status of each answer stands in a checked-in table.
//!
//! ```text
//! matrix/table.txt    one line for each route, checked in, written by hand
//! matrix/cast.rs      who asks: anonymous, reader, … and the credentials that they come with
//! matrix/requests.rs  what a route is asked with: what stands for {id}, and a body that is a good one
//! ```
//!
//! The routes are those of `api/openapi.json`, and for each format of this build reading and writing on a public, a
//! private and an absent repository. A route without a line fails, as does a line without a route. How to add one:
//! see the head of the table. Nothing here changes the table: an answer that differs is a fault of the program, or
//! a decision that somebody makes by editing the line.

mod cast;
mod requests;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::harness::people::Credential;
use cast::{CARRIERS, Cast, KINDS};
use requests::Stage;

const TABLE: &str = include_str!("matrix/table.txt");

/// Methods of the OpenAPI document.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// A line of the table.
struct Row {
    method: String,
    path: String,
    /// Without a credential.
    anonymous: u16,
    /// By carrier, then by kind of principal.
    statuses: [Vec<u16>; 3],
}

impl Row {
    fn parse(line: &str) -> Self {
        let parts: Vec<_> = line.split('|').map(str::trim).collect();
        let [route, anonymous, bearer, basic, cookie] = parts[..] else { panic!("five parts: {line}") };
        let (method, path) = route.split_once(' ').unwrap_or_else(|| panic!("a method and a path: {line}"));
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{text:?} is no status: {line}"));
        let numbers = |text: &str| text.split_whitespace().map(number).collect();
        let by_bearer: Vec<u16> = numbers(bearer);
        let or_bearer = |text: &str| if text == "=" { by_bearer.clone() } else { numbers(text) };
        let statuses = [by_bearer.clone(), or_bearer(basic), or_bearer(cookie)];
        assert!(statuses.iter().all(|list| list.len() == KINDS.len()), "{} numbers each: {line}", KINDS.len());
        Self { method: method.to_owned(), path: path.trim().to_owned(), anonymous: number(anonymous), statuses }
    }
}

fn table() -> Vec<Row> {
    TABLE.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).map(Row::parse).collect()
}

/// The routes of the API, as `GET /api/users/{login}`.
fn api_routes() -> BTreeSet<String> {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let document = std::fs::read_to_string(document).expect("the document");
    let document: Value = serde_json::from_str(&document).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let routes = paths.iter().flat_map(|(path, operations)| {
        let methods = METHODS.into_iter().filter(|method| operations.get(*method).is_some());
        methods.map(move |method| format!("{} /api{path}", method.to_ascii_uppercase()))
    });
    routes.collect()
}

#[test]
fn every_route_has_a_line_and_every_line_a_route() {
    let lines: Vec<_> = table().iter().map(|row| format!("{} {}", row.method, row.path)).collect();
    let unique: BTreeSet<_> = lines.iter().cloned().collect();
    assert_eq!(unique.len(), lines.len(), "a route has two lines");
    let routes = api_routes();
    let missing: Vec<_> = routes.iter().filter(|route| !unique.contains(*route)).collect();
    assert!(missing.is_empty(), "tests/matrix/table.txt has no line for {missing:#?}");
    let outside = |line: &&String| {
        let path = line.split(' ').nth(1).unwrap_or_default();
        path.starts_with("/api/")
            && !path.starts_with("/api/docs")
            && !path.contains("{empty}")
            && path != "/api/openapi.json"
    };
    let gone: Vec<_> = unique.iter().filter(outside).filter(|line| !routes.contains(*line)).collect();
    assert!(gone.is_empty(), "tests/matrix/table.txt has lines for routes that are gone: {gone:#?}");
    let registry = keeper_formats::registry().expect("the formats");
    for (format, _) in registry.iter() {
        for repository in ["public", "private", "absence"] {
            for method in ["GET", "HEAD", "PUT", "DELETE"] {
                let start = format!("{method} /{format}/{repository}/");
                assert!(unique.iter().any(|line| line.starts_with(&start)), "the table has no line {start}…");
            }
        }
    }
}

#[test]
fn every_answer_has_the_status_of_the_table() {
    let stage = Stage::new();
    let cast = Cast::on(&stage.server);
    let mut faults = Vec::new();
    for row in table() {
        let mut judge = |who: &str, credential: &Credential, expected: u16| {
            let answer = stage.perform(&row.method, &row.path, credential);
            if answer.status != expected {
                let code = answer.header("x-error-code").unwrap_or_default();
                let route = format!("{} {}", row.method, row.path);
                faults.push(format!("{route} by {who}: {} {code} is not {expected}", answer.status));
            }
        };
        judge("anonymous", &Credential::None, row.anonymous);
        for (carrier, statuses) in CARRIERS.iter().zip(&row.statuses) {
            for (kind, expected) in KINDS.iter().zip(statuses) {
                let credential = cast.credential(&stage.server, kind, carrier, &row.path);
                judge(&format!("{kind} with {carrier}"), &credential, *expected);
            }
        }
    }
    assert!(faults.is_empty(), "{} answers differ from tests/matrix/table.txt:\n{}", faults.len(), faults.join("\n"));
}

/// Whoever may not read a repository gets one answer for it and for one that does not exist, but for the name.
#[test]
fn what_may_not_be_read_looks_like_what_is_not_there() {
    let stage = Stage::new();
    let cast = Cast::on(&stage.server);
    let private = |path: &str| path.contains("/private/") || path.contains("{format}/{name}");
    for row in table().iter().filter(|row| private(&row.path)) {
        let outsiders = CARRIERS.map(|carrier| ("wrong", carrier)).into_iter().chain([("anonymous", "")]);
        for (kind, carrier) in outsiders {
            let credential = cast.credential(&stage.server, kind, carrier, &row.path);
            let [one, other] = ["private", "absence"].map(|repository| {
                let answer = stage.perform_on(repository, &row.method, &row.path, &credential);
                let id = answer.header("x-request-id").unwrap_or_default().to_owned();
                let headers = answer.headers().filter(|(name, _)| *name != "date");
                let headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {value}")).collect();
                let text = format!("{} {headers:?} {}", answer.status, String::from_utf8_lossy(&answer.body));
                text.replace(&id, "ID").replace("private", "NAME").replace("absence", "NAME")
            });
            assert_eq!(one, other, "{} {} by {kind} with {carrier}", row.method, row.path);
        }
    }
}
