//! What may come in: rules over names and versions, and the least age.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Scene, unverified};
use crate::harness::goproxy::Module;
use crate::harness::machine::Machine;
use crate::harness::refusal::Refusals;
use crate::harness::scripted::Scripted;

const PATH: &str = "example.com/m";
const WEEK: u32 = 7 * 24 * 60 * 60;

fn module(version: &str) -> Module {
    Module::new(PATH, version)
}

/// `go/m` with these rules.
fn scene(rules: &Value) -> (Scene, Scripted) {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    scene.remote_with("m", &upstream.url, &json!({ "rules": rules }), &unverified());
    (scene, upstream)
}

/// So many days ago.
fn days_ago(days: i64) -> String {
    (Timestamp::now() - SignedDuration::from_hours(24 * days)).to_string()
}

fn list(scene: &Scene) -> String {
    scene.get("m", "/example.com/m/@v/list").expect(200).text()
}

#[test]
fn a_denied_module_is_refused_with_the_reason_and_never_asked_for() {
    let reason = "it sent our passwords away";
    let (scene, upstream) = scene(&json!({ "deny": [{ "packages": "example.com/m", "reason": reason }] }));
    upstream.offer(&[&module("v1.0.0")]);
    let below = Module::new("example.com/m/v2", "v2.0.0");
    upstream.offer(&[&below]);
    let refusals = Refusals::by(&scene.server);
    for path in ["@v/list", "@latest", "@v/v1.0.0.info", "@v/v1.0.0.mod", "@v/v1.0.0.zip", "@v/main.info"] {
        let answer = scene.get("m", &format!("/example.com/m/{path}"));
        let said = refusals.text(path, &answer, 403, "blocked");
        assert!(said.contains(reason), "{path}: {said}");
    }
    refusals.text("what is below it", &scene.get("m", &below.at("zip")), 403, "blocked");
    assert_eq!(upstream.requests(), [""; 0]);
    assert_eq!(scene.get("m", "/example.com/@v/list").status, 404, "its parents are no business of the rule");

    let machine = Machine::new().with("GOPROXY", scene.server.go("m")).with("GONOSUMDB", "example.com");
    let project = machine.project("app");
    machine.go(&project, "get example.com/m@v1.0.0").failed().says(&["403 Forbidden", reason, "code=blocked"]);
}

#[test]
fn denied_versions_leave_the_list_and_go_takes_the_next_lower() {
    let denied = json!({ "deny": [{ "packages": PATH, "versions": ">=v1.2.0 <v1.2.5", "reason": "CVE-2026-0001" }] });
    let (scene, upstream) = scene(&denied);
    let versions = ["v1.0.0", "v1.1.0", "v1.2.0", "v1.2.4"].map(module);
    upstream.offer(&versions.each_ref());
    assert_eq!(list(&scene), "v1.0.0\nv1.1.0\n");
    assert_eq!(scene.get("m", "/example.com/m/@latest").expect(200).json()["Version"], "v1.1.0");
    let refusals = Refusals::by(&scene.server);
    for extension in ["info", "mod", "zip"] {
        let said = refusals.text(extension, &scene.get("m", &versions[2].at(extension)), 403, "blocked");
        assert!(said.contains("CVE-2026-0001"), "{said}");
    }
    let machine = Machine::new().with("GOPROXY", scene.server.go("m")).with("GONOSUMDB", "example.com");
    let project = machine.project("app");
    machine.go(&project, "get example.com/m@latest").succeeded().says(&["v1.1.0"]);
    machine.go(&project, "get example.com/m@v1.2.4").failed().says(&["CVE-2026-0001"]);

    // A revision that leads there is no way around.
    upstream.put("/example.com/m/@v/main.info", [crate::harness::scripted::Reply::text(versions[3].info())]);
    assert_eq!(scene.get("m", "/example.com/m/@v/main.info").status, 403);
    // Nor is what was fetched before the rule.
    scene.get("m", &versions[1].at("zip")).expect(200);
    scene.change("m", &json!({ "upstream": { "rules": { "deny": [{ "packages": PATH, "versions": "=v1.1.0" }] } } }));
    assert_eq!(scene.get("m", &versions[1].at("zip")).status, 403, "a rule counts at once");
    assert_eq!(list(&scene), "v1.0.0\nv1.2.0\nv1.2.4\n");
}

#[test]
fn with_a_permission_nothing_else_comes_in() {
    let rules = json!({
        "allow": [{ "packages": "example.com/m", "versions": "<v2.0.0" }, { "packages": "golang.org/x" }],
        "deny": [{ "packages": "golang.org/x/net" }],
    });
    let (scene, upstream) = scene(&rules);
    upstream.offer(&[&module("v1.0.0")]);
    for path in ["golang.org/x/text", "golang.org/x/net", "example.org/other"] {
        upstream.offer(&[&Module::new(path, "v1.0.0")]);
    }
    scene.get("m", &module("v1.0.0").at("zip")).expect(200);
    scene.get("m", "/golang.org/x/text/@v/v1.0.0.mod").expect(200);
    upstream.forget();
    for path in ["/golang.org/x/net/@v/v1.0.0.mod", "/example.org/other/@v/v1.0.0.mod", "/example.org/other/@v/list"] {
        let answer = scene.get("m", path);
        assert_eq!((answer.status, answer.header("x-error-code")), (403, Some("blocked")), "{path}: {}", answer.text());
    }
    assert_eq!(upstream.requests(), [""; 0]);
}

#[test]
fn young_versions_wait_and_go_is_told_until_when() {
    let (scene, upstream) = scene(&json!({ "min_age_seconds": WEEK }));
    let (old, young) = (module("v1.0.0").made_at(&days_ago(30)), module("v1.1.0").made_at(&days_ago(2)));
    upstream.offer(&[&old, &young]);
    assert_eq!(list(&scene), "v1.0.0\n");
    assert_eq!(scene.get("m", "/example.com/m/@latest").expect(200).json()["Version"], "v1.0.0");
    for extension in ["info", "mod", "zip"] {
        scene.get("m", &old.at(extension)).expect(200);
        let answer = scene.get("m", &young.at(extension));
        assert_eq!((answer.status, answer.header("x-error-code")), (403, Some("blocked")), ".{extension}");
        let due = &(Timestamp::now() + SignedDuration::from_hours(24 * 5)).to_string()[..10];
        assert!(answer.text().contains("younger than 7 days") && answer.text().contains(due), "{}", answer.text());
    }
    assert_eq!(upstream.times_asked(&young.at("zip")), 0, "what may not come in is not fetched");
    let machine = Machine::new().with("GOPROXY", scene.server.go("m")).with("GONOSUMDB", "example.com");
    let project = machine.project("app");
    machine.go(&project, "get example.com/m@latest").succeeded().says(&["v1.0.0"]);
    machine.go(&project, "get example.com/m@v1.1.0").failed().says(&["younger than 7 days"]);
    scene.change("m", &json!({ "upstream": { "rules": null } }));
    machine.go(&project, "get example.com/m@v1.1.0").succeeded();
}

#[test]
fn a_date_that_was_set_back_does_not_make_a_version_old() {
    let (scene, upstream) = scene(&json!({ "min_age_seconds": WEEK }));
    let old = module("v1.0.0").made_at(&days_ago(30));
    upstream.offer(&[&old]);
    assert_eq!(list(&scene), "v1.0.0\n");
    let late = module("v1.1.0").made_at(&days_ago(30));
    upstream.offer(&[&old, &late]);
    assert_eq!(list(&scene), "v1.0.0\n", "it was not there before");
    assert_eq!(scene.get("m", &late.at("zip")).status, 403);
}

#[test]
fn a_version_that_withdraws_an_admitted_one_is_let_through() {
    let (scene, upstream) = scene(&json!({ "min_age_seconds": WEEK }));
    let old = module("v1.0.0").made_at(&days_ago(30));
    let young = module("v1.1.0").made_at(&days_ago(1));
    let retracts = "retract (\n\tv1.0.0 // it loses data\n\tv1.1.1\n)";
    let warning = module("v1.1.1").made_at(&days_ago(1)).saying(retracts);
    upstream.offer(&[&old, &young, &warning]);
    let admitted = list(&scene);
    assert!(admitted.contains("v1.1.1") && !admitted.contains("v1.1.0\n"), "{admitted}");
    let machine = Machine::new().with("GOPROXY", scene.server.go("m")).with("GONOSUMDB", "example.com");
    let project = machine.project("app");
    machine.go(&project, "get example.com/m@v1.0.0").succeeded().says(&["retracted", "it loses data"]);
}
