//! Metrics: what there is, who may see it, that it counts, and that the dashboard and the alerts use what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use keeper_api::monitoring::{Kind, METRICS};
use serde_json::{Value, json};

use crate::harness::archives;
use crate::harness::command::run;
use crate::harness::http::Response;
use crate::harness::server::Server;
use crate::harness::upload::Form;

/// A file of this project.
fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn ask(server: &Server, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    server.send(None, method, path, headers, b"")
}

/// Series with their values.
type Series = BTreeMap<String, f64>;

fn parse(scrape: &str) -> Series {
    let lines = scrape.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
            (series.to_owned(), value.parse().unwrap_or_else(|error| panic!("{error}: {line}")))
        })
        .collect()
}

fn scrape(server: &Server) -> Series {
    parse(&server.api("GET", "/metrics", None).expect(200).text())
}

/// The metric that a series, or a word of a query, is of.
fn metric_of(series: &str) -> &str {
    let name = series.split('{').next().unwrap_or(series);
    let of_histogram = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix));
    let is_histogram = |name: &str| METRICS.iter().any(|metric| metric.name == name && metric.kind == Kind::Histogram);
    of_histogram.filter(|name| is_histogram(name)).unwrap_or(name)
}

/// Publishes a module that is too large to live in its row.
fn publish(server: &Server, version: &str) -> Value {
    let noise = archives::noise(64 * 1024);
    let module = archives::zip(&[("go.mod", b"module example.com/m\n"), ("m.go", b"package m\n"), ("noise", &noise)]);
    Form::go(module).with("version", version).send(server).expect(201).body
}

/// One of each kind of request.
fn traffic(server: &Server) {
    let artifact = publish(server, "v1.0.0");
    publish(server, "v1.1.0");
    for path in [
        "/go/local/example.com/m/@v/list",
        "/go/local/example.com/m/@v/list",
        "/go/local/example.com/m/@v/v1.0.0.zip",
        "/go/local/",
        "/go/local/example.com/absent/@v/list",
        "/livez",
        "/readyz",
        "/",
        "/api/repositories",
    ] {
        ask(server, "GET", path, &[]);
    }
    ask(server, "GET", "/go/local/", &[("Authorization", "Bearer nobody-has-this-token-at-all")]).expect(401);
    let id = artifact["id"].as_str().expect("an id");
    server.api("DELETE", &format!("/api/artifacts/{id}"), None).expect(204);
}

/// The metrics that a query names.
fn named(query: &str) -> impl Iterator<Item = &str> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    words.filter(|word| word.starts_with("keeper_") || word.starts_with("process_")).map(metric_of)
}

/// The queries of the dashboard: every text called `expr`.
fn queries(of: &Value, found: &mut Vec<String>) {
    match of {
        Value::Object(fields) => {
            found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| queries(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => {}
    }
}

/// YAML as JSON, read by a program that knows YAML.
fn yaml(path: &str) -> Value {
    let python = project("target/venv/bin/python");
    assert!(python.exists(), "there is no {}; `make tools-test` installs it", python.display());
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let read = run(Command::new(python).args(["-c", script]).arg(project(path))).succeeded();
    serde_json::from_str(read.stdout()).expect("JSON")
}

#[test]
fn every_metric_is_there_after_some_traffic_and_is_explained() {
    let server = Server::start();
    traffic(&server);
    let scraped = server.api("GET", "/metrics", None).expect(200);
    assert_eq!(scraped.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let there: BTreeSet<_> = parse(&scraped.text()).keys().map(|series| metric_of(series).to_owned()).collect();
    let page = text("docs/monitoring.md");
    for metric in METRICS {
        let tls = metric.name.starts_with("keeper_tls_");
        assert!(there.contains(metric.name) != tls, "{} in a scrape of a server without TLS", metric.name);
        assert!(page.contains(&format!("`{}`", metric.name)), "docs/monitoring.md lacks {}", metric.name);
        let kind = if metric.kind == Kind::Histogram { "histogram" } else { "" };
        assert!(tls || scraped.text().contains(&format!("# TYPE {} {kind}", metric.name)), "{}", metric.name);
    }
    for name in there {
        assert!(METRICS.iter().any(|metric| metric.name == name), "{name} is measured and explained nowhere");
    }
}

#[test]
fn the_dashboard_and_the_alerts_use_metrics_that_exist() {
    let dashboard: Value = serde_json::from_str(&text("docs/grafana/artifact-keeper.json")).expect("JSON");
    let mut asked = Vec::new();
    queries(&dashboard, &mut asked);
    let alerts = yaml("docs/prometheus/alerts.yml");
    let rules = alerts["groups"][0]["rules"].as_array().expect("rules");
    for rule in rules {
        let name = rule["alert"].as_str().expect("a name");
        let severity = rule["labels"]["severity"].as_str().expect("a severity");
        assert!(["page", "ticket"].contains(&severity), "{name}: {severity}");
        for text in ["summary", "description"] {
            assert!(rule["annotations"][text].as_str().is_some_and(|text| !text.is_empty()), "{name} has no {text}");
        }
        asked.push(rule["expr"].as_str().expect("a query").to_owned());
    }
    assert!(asked.len() > 40, "{} queries", asked.len());
    let known: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
    let mut used = BTreeSet::new();
    for query in &asked {
        for name in named(query) {
            assert!(known.contains(name), "{name} does not exist: {query}");
            used.insert(name.to_owned());
        }
    }
    let shown: Vec<_> = known.iter().filter(|name| !used.contains(**name)).collect();
    assert!(shown.is_empty(), "measured and looked at nowhere: {shown:?}");
}

#[test]
fn requests_are_counted_by_format_class_and_status() {
    let server = Server::start();
    traffic(&server);
    let series = scrape(&server);
    let requests = |labels: &str| series.get(&format!("keeper_http_requests_total{{{labels}}}")).copied();
    for (labels, count) in [
        (r#"format="go",class="index",status="200""#, 2.0),
        (r#"format="go",class="file",status="200""#, 1.0),
        (r#"format="go",class="page",status="200""#, 1.0),
        (r#"format="go",class="refused",status="404""#, 1.0),
        (r#"format="go",class="refused",status="401""#, 1.0),
        (r#"format="none",class="api",status="201""#, 2.0),
        (r#"format="none",class="api",status="204""#, 1.0),
        (r#"format="none",class="probe",status="200""#, 2.0),
    ] {
        assert_eq!(requests(labels), Some(count), "{labels}: {series:#?}");
    }
    let value = |name: &str| series.get(name).copied().unwrap_or_else(|| panic!("no {name}: {series:#?}"));
    let zip = ask(&server, "GET", "/go/local/example.com/m/@v/v1.1.0.zip", &[]).expect(200).body.len();
    assert_eq!(value(r#"keeper_http_response_bytes_total{format="go",class="file"}"#), zip as f64, "as the same again");
    assert_eq!(value(r#"keeper_http_response_size_bytes_count{class="file"}"#), 1.0);
    assert!(value("keeper_http_request_bytes_total") > 128.0 * 1024.0, "two forms");
    assert_eq!(value(r#"keeper_artifacts_published_total{format="go"}"#), 2.0);
    assert_eq!(value(r#"keeper_artifacts_deleted_total{format="go"}"#), 1.0);
    for step in ["receive", "inspect", "commit", "record"] {
        assert_eq!(value(&format!(r#"keeper_publish_step_seconds_count{{format="go",step="{step}"}}"#)), 2.0);
    }
    assert_eq!(value(r#"keeper_answer_cache_requests_total{result="hit"}"#), 1.0, "the list, the second time");
    assert_eq!(value(r#"keeper_denials_total{action="login"}"#), 1.0);
    assert_eq!(value("keeper_http_requests_in_flight"), 1.0, "the scrape itself");
    assert!(value("keeper_writer_group_commands_count") >= 3.0);
    assert!(value("keeper_blobs_written_total") >= 2.0);
    assert!(value("process_resident_memory_bytes") > 1e6 && value("process_open_fds") > 5.0);
    assert!(value("keeper_disk_size_bytes") >= value("keeper_disk_free_bytes"));
}

#[test]
fn series_do_not_grow_with_names_and_hold_none() {
    let server = Server::start();
    traffic(&server);
    // Once more: what only a second round of equal requests makes is no growth.
    ask(&server, "GET", "/go/secret-0/example.com/x/@v/list", &[]);
    let before: BTreeSet<_> = scrape(&server).into_keys().collect();
    for number in 1..30 {
        server.create_repository(&json!({"format": "go", "name": format!("secret-{number}"), "kind": "hosted"}));
        for path in [
            format!("/go/secret-{number}/example.com/x/@v/list"),
            format!("/go/local/example.com/secret-{number}/@v/list"),
            format!("/go/absent-{number}/x"),
            format!("/api/artifacts?q=secret-{number}"),
        ] {
            ask(&server, "GET", &path, &[("User-Agent", &format!("agent-{number}"))]);
        }
        publish(&server, &format!("v1.2.0-secret.{number}"));
    }
    let after: BTreeSet<_> = scrape(&server).into_keys().collect();
    let new: Vec<_> = after.difference(&before).collect();
    assert!(new.is_empty(), "new series: {new:#?}");
    for series in &after {
        assert!(!series.contains("secret") && !series.contains("example.com"), "{series}");
        let labels = series.split_once('{').map_or("", |(_, labels)| labels.trim_end_matches('}'));
        for (label, _) in labels.split("\",").filter_map(|label| label.split_once('=')) {
            let metric = METRICS.iter().find(|metric| metric.name == metric_of(series)).expect("a known metric");
            assert!(label == "le" || metric.labels.contains(&label), "{series} has a label that is not documented");
        }
    }
    assert!(after.len() < 1_000, "{} series", after.len());
}

#[test]
fn only_administrators_and_the_configured_network_see_them() {
    let server = Server::start();
    let reader = server.token("--name reader --actions read,publish,delete,manage --repositories *");
    let stranger = ask(&server, "GET", "/metrics", &[]).expect(401);
    assert_eq!(stranger.header("x-error-code"), Some("login_required"));
    let reader = server.send(Some(&reader), "GET", "/metrics", &[], b"").expect(403);
    assert_eq!(reader.header("x-error-code"), Some("admin_required"));
    server.api("GET", "/metrics", None).expect(200);
    assert_eq!(server.api("POST", "/metrics", None).status, 405);

    let forwarded = [("X-Forwarded-For", "198.51.100.7")];
    let near = Server::with(&[("KEEPER_METRICS_NETWORK", "127.0.0.0/8")]);
    ask(&near, "GET", "/metrics", &[]).expect(200);
    ask(&near, "GET", "/metrics", &forwarded).expect(200);
    let far = Server::with(&[("KEEPER_METRICS_NETWORK", "198.51.100.0/24")]);
    ask(&far, "GET", "/metrics", &[]).expect(401);
    ask(&far, "GET", "/metrics", &forwarded).expect(401);
    let behind_proxy =
        Server::with(&[("KEEPER_METRICS_NETWORK", "127.0.0.0/8"), ("KEEPER_TRUSTED_PROXIES", "127.0.0.1")]);
    ask(&behind_proxy, "GET", "/metrics", &forwarded).expect(401);
}
