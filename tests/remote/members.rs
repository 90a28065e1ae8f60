//! Several repositories as one: who answers for a name, and that trouble of one never makes another one answer.

use serde_json::json;

use super::Scene;
use crate::harness::archives;
use crate::harness::goproxy::Module;
use crate::harness::raw_form::RawForm;
use crate::harness::refusal::{self, Refusals};
use crate::harness::scripted::{Reply, Scripted};

/// Publishes a module in `go/{repository}`; gives its id.
pub(super) fn publish(scene: &Scene, repository: &str, path: &str, version: &str) -> String {
    let form = RawForm::module(path, version).text("repository", repository);
    let go_mod = format!("module {path}\n\ngo 1.21\n");
    let answer = form.file(archives::module(go_mod.as_bytes())).send(&scene.server).expect(201).json();
    answer["id"].as_str().expect("an id").to_owned()
}

/// `go/all` over two upstreams, `first` and `second`.
fn two_upstreams() -> (Scene, Scripted, Scripted) {
    let (scene, first, second) = (Scene::new(), Scripted::start(), Scripted::start());
    scene.remote("first", &first.url);
    scene.remote("second", &second.url);
    scene.combined("all", &["first", "second"], &json!({}));
    (scene, first, second)
}

const LIST: &str = "/example.com/m/@v/list";

#[test]
fn the_first_member_that_knows_a_name_answers_for_all_of_it() {
    let (scene, first, second) = two_upstreams();
    let (one, nine) = (Module::new("example.com/m", "v1.0.0"), Module::new("example.com/m", "v9.9.9"));
    first.offer(&[&one]);
    second.offer(&[&nine]);
    assert_eq!(scene.get("all", LIST).expect(200).text(), "v1.0.0\n");
    assert_eq!(scene.get("all", "/example.com/m/@latest").expect(200).json()["Version"], "v1.0.0");
    scene.get("all", &one.at("zip")).expect(200);
    let refusals = Refusals::by(&scene.server);
    refusals.text("a version that only the second has", &scene.get("all", &nine.at("zip")), 404, "version_not_found");
    assert_eq!(second.requests(), [""; 0], "the second is not asked at all");

    let theirs = Module::new("example.com/theirs", "v1.0.0");
    second.offer(&[&theirs]);
    for extension in ["info", "mod", "zip"] {
        scene.get("all", &theirs.at(extension)).expect(200);
    }
    refusal::text("nobody has it", &scene.get("all", "/example.com/nobody/@v/list"), 404, "module_not_found");

    // The way is told: which member answers, and why.
    for (package, who) in
        [("example.com/m", "first"), ("example.com/theirs", "second"), ("example.com/nobody", "no member")]
    {
        let question = format!("/api/explain?format=go&repository=all&package={package}");
        let told = scene.server.api("GET", &question, None).expect(200).json();
        let steps = told["steps"].as_array().expect("steps");
        let member = steps.iter().find(|step| step["subject"] == "member").expect("a step about members");
        assert!(member["detail"].as_str().is_some_and(|detail| detail.contains(who)), "{package}: {told:#}");
    }
}

#[test]
fn trouble_of_a_member_is_trouble_and_no_way_to_another_one() {
    let rows: [(&str, Reply, u16, &str); 5] = [
        ("107", Reply::status(500), 502, "upstream_error"),
        ("403", Reply::status(403), 403, "upstream_forbidden"),
        ("401", Reply::status(401), 502, "upstream_auth"),
        ("HTML", Reply::login_page(), 502, "upstream_invalid"),
        ("later", Reply::status(503).with("Retry-After", "300"), 503, "upstream_open"),
    ];
    for (row, reply, status, code) in rows {
        let (scene, first, second) = two_upstreams();
        let module = Module::new("example.com/m", "v1.0.0");
        second.offer(&[&module]);
        first.put(LIST, [reply.clone()]);
        for extension in ["info", "mod", "zip"] {
            first.put(&module.at(extension), [reply.clone()]);
        }
        let refusals = Refusals::by(&scene.server);
        refusals.text(&format!("G18 {row}"), &scene.get("all", LIST), status, code);
        let zip = scene.get("all", &module.at("zip"));
        assert_ne!(zip.status, 200, "G18 {row}: the second answered");
        refusals.unchanged(row);
        assert_eq!(second.requests(), [""; 0], "G18 {row}");
    }
}

#[test]
fn what_a_member_told_before_it_broke_is_told_on() {
    let (scene, mut first, second) = two_upstreams();
    let module = Module::new("example.com/m", "v1.0.0");
    first.offer(&[&module]);
    second.offer(&[&Module::new("example.com/m", "v9.9.9")]);
    assert_eq!(scene.get("all", LIST).expect(200).text(), "v1.0.0\n");
    scene.get("all", &module.at("mod")).expect(200);
    first.stop();
    assert_eq!(scene.get("all", LIST).expect(200).text(), "v1.0.0\n", "G18: stale");
    scene.get("all", &module.at("mod")).expect(200);
    let answer = scene.get("all", &module.at("zip"));
    assert!(matches!(answer.status, 502 | 503), "G18: {}", answer.status);
    assert_eq!(second.requests(), [""; 0], "G18");
}

#[test]
fn a_member_that_nobody_depends_on_may_fail() {
    let (scene, first, second) = two_upstreams();
    scene.change("all", &json!({ "optional_members": ["first"] }));
    let module = Module::new("example.com/m", "v1.0.0");
    second.offer(&[&module]);
    first.put(LIST, [Reply::status(500)]);
    for extension in ["info", "mod", "zip"] {
        first.put(&module.at(extension), [Reply::status(500)]);
    }
    assert_eq!(scene.get("all", LIST).expect(200).text(), "v1.0.0\n");
    scene.get("all", &module.at("zip")).expect(200);
}

#[test]
fn what_is_published_here_belongs_to_this_house() {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    scene.remote("copies", &upstream.url);
    scene.combined("all", &["copies", "local"], &json!({}));
    upstream.offer(&[&Module::new("example.com/m", "v9.9.9")]);
    publish(&scene, "local", "example.com/m", "v1.0.0");
    assert_eq!(scene.get("all", LIST).expect(200).text(), "v1.0.0\n", "106: whatever the order");
    assert_eq!(scene.get("all", "/example.com/m/@latest").expect(200).json()["Version"], "v1.0.0", "106");
    for path in ["/example.com/m/@v/v9.9.9.zip", "/example.com/m/@v/v9.9.9.info", "/example.com/m/v9/@v/list"] {
        assert_eq!(scene.get("all", path).status, 404, "106 {path}");
    }
    assert_eq!(upstream.requests(), [""; 0], "106: and of its other major versions");
}

#[test]
fn a_deleted_version_is_not_looked_for_elsewhere() {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    scene.remote("copies", &upstream.url);
    scene.combined("all", &["local", "copies"], &json!({}));
    let module = Module::new("example.com/m", "v1.0.0");
    upstream.offer(&[&module]);
    let id = publish(&scene, "local", "example.com/m", "v1.0.0");
    scene.server.api("DELETE", &format!("/api/artifacts/{id}"), None).expect(204);
    refusal::text("410", &scene.get("all", &module.at("zip")), 410, "deleted");
    assert_eq!(scene.get("all", LIST).expect(200).text(), "");
    assert_eq!(upstream.requests(), [""; 0]);
}

#[test]
fn merged_members_are_a_true_union_and_never_a_shorter_one() {
    let (scene, first, second) = two_upstreams();
    scene.change("all", &json!({ "merge": true }));
    let of = |version| Module::new("example.com/m", version);
    let (one, two, three) = (of("v1.0.0"), of("v1.1.0"), of("v1.2.0"));
    let other_one = of("v1.0.0").with("other.txt", "other bytes");
    first.offer(&[&one, &three]);
    second.offer(&[&other_one, &two]);
    assert_eq!(scene.get("all", LIST).expect(200).text(), "v1.0.0\nv1.1.0\nv1.2.0\n");
    assert_eq!(scene.get("all", "/example.com/m/@latest").expect(200).json()["Version"], "v1.2.0");
    assert!(scene.get("all", &one.at("zip")).expect(200).body == one.zip(), "the first that lists it");
    assert!(scene.get("all", &two.at("zip")).expect(200).body == two.zip());

    scene.change("first", &json!({ "upstream": { "stale_seconds": 0 } }));
    first.put(LIST, [Reply::status(500)]);
    let answer = scene.get("all", LIST);
    assert_eq!(answer.status, 502, "a list that is too short would downgrade clients: {}", answer.text());
    scene.get("all", &one.at("zip")).expect(200);
}

#[test]
fn uploads_to_a_combined_repository_go_to_its_first_hosted_member() {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    scene.remote("copies", &upstream.url);
    scene.combined("all", &["copies", "local"], &json!({}));
    scene.combined("none", &["copies"], &json!({}));
    publish(&scene, "all", "example.com/m", "v1.0.0");
    assert_eq!(scene.get("local", LIST).expect(200).text(), "v1.0.0\n");
    for repository in ["copies", "none"] {
        let form = RawForm::module("example.com/m", "v1.0.0").text("repository", repository);
        let answer = form.file(archives::module(b"module example.com/m\n")).send(&scene.server);
        refusal::problem("93", &answer, 405, &["read_only"]);
    }
}

#[test]
fn the_other_format_is_combined_by_the_same_rules() {
    let (scene, first, mut second) = (Scene::new(), Scripted::start(), Scripted::start());
    for (name, upstream) in [("first", &first), ("second", &second)] {
        scene.create(&json!({
            "format": "generic", "name": name, "kind": "remote", "anonymous_read": true,
            "upstream": { "url": upstream.url, "allow_http": true, "index_seconds": 0 },
        }));
    }
    scene.create(&json!({
        "format": "generic", "name": "all", "kind": "virtual", "anonymous_read": true, "members": ["first", "second"],
    }));
    let get = |path: &str| crate::harness::http::get(&format!("{}/generic/all{path}", scene.server.url));
    second.put("/tool/1.0.0/tool.bin", [Reply::text("tool")]);
    assert_eq!(get("/tool/1.0.0/tool.bin").expect(200).text(), "tool");
    first.put("/tool/2.0.0/tool.bin", [Reply::status(500)]);
    second.put("/tool/2.0.0/tool.bin", [Reply::text("impostor")]);
    let answer = get("/tool/2.0.0/tool.bin");
    assert_eq!((answer.status, answer.header("x-error-code")), (502, Some("upstream_error")));
    assert_eq!(second.times_asked("/tool/2.0.0/tool.bin"), 0);
    second.stop();
    assert_eq!(get("/tool/1.0.0/tool.bin").expect(200).text(), "tool", "it is kept");
}
