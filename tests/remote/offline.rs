//! What works when the upstream is gone: everything that was ever seen.

use serde_json::json;

use super::{Scene, unverified};
use crate::harness::goproxy::Module;
use crate::harness::machine::Machine;
use crate::harness::scripted::{Reply, Scripted};

/// Four modules that need each other.
fn modules() -> [Module; 4] {
    let leaf = Module::new("example.com/leaf", "v1.0.0");
    let newer = Module::new("example.com/leaf", "v1.1.0");
    let middle = Module::new("example.com/middle", "v1.0.0").saying("require example.com/leaf v1.0.0");
    let top = Module::new("example.com/top", "v1.0.0")
        .saying("require (\n\texample.com/leaf v1.0.0 // indirect\n\texample.com/middle v1.0.0\n)")
        .with("use.go", "package m\n\nimport _ \"example.com/middle\"\n");
    [leaf, newer, middle.with("use.go", "package m\n\nimport _ \"example.com/leaf\"\n"), top]
}

#[test]
fn a_project_that_was_built_once_is_built_again_without_the_upstream() {
    let (mut scene, mut upstream) = (Scene::new(), Scripted::start());
    let [leaf, newer, middle, top] = modules();
    upstream.offer(&[&leaf, &newer]);
    upstream.offer(&[&middle]);
    upstream.offer(&[&top]);
    scene.remote("copies", &upstream.url);
    scene.combined("all", &["local", "copies"], &json!({}));
    let work = |scene: &Scene| {
        let machine = Machine::new().with("GOPROXY", scene.server.go("all")).with("GONOSUMDB", "example.com");
        let project = machine.project("app");
        machine.write(&project, "main.go", "package main\n\nimport _ \"example.com/top\"\n\nfunc main() {}\n");
        let commands =
            ["mod tidy", "mod download all", "build -o app .", "list -m -versions example.com/leaf", "list -m -u all"];
        let said = commands.map(|command| machine.go(&project, command).succeeded().stdout().to_owned());
        let sums = std::fs::read_to_string(project.join("go.sum")).expect("go wrote it");
        (said, sums)
    };
    let before = work(&scene);
    assert!(before.1.contains(&leaf.h1()) && before.1.contains(&top.go_mod_h1()), "{}", before.1);
    upstream.stop();
    assert_eq!(work(&scene), before, "with the upstream stopped");
    // And after a restart: nothing of it is in memory only.
    assert!(scene.server.stop().success());
    scene.server.start_again();
    assert_eq!(work(&scene), before, "after a restart");
}

#[test]
fn a_list_is_told_on_while_the_upstream_is_down_and_says_how_old_it_is() {
    let (scene, mut upstream) = (Scene::new(), Scripted::start());
    upstream.offer(&[&Module::new("example.com/m", "v1.0.0")]);
    scene.remote("m", &upstream.url);
    scene.remote_with("short", &upstream.url, &json!({ "stale_seconds": 0 }), &unverified());
    for name in ["m", "short"] {
        for path in ["/example.com/m/@v/list", "/example.com/m/@latest"] {
            scene.get(name, path).expect(200);
        }
    }
    upstream.stop();
    for path in ["/example.com/m/@v/list", "/example.com/m/@latest"] {
        let answer = scene.get("m", path).expect(200);
        assert!(answer.text().contains("v1.0.0"), "100 {path}");
        assert!(answer.header("age").is_some(), "100 {path}: it says how old it is");
    }
    let never =
        [("short", "/example.com/m/@v/list"), ("m", "/example.com/n/@v/list"), ("m", "/example.com/m/@v/v1.0.0.zip")];
    for (name, path) in never {
        // Left alone by now, or asked once more.
        let answer = scene.get(name, path);
        let code = answer.header("x-error-code").unwrap_or_default();
        let known = [(502, "upstream_unreachable"), (503, "upstream_open")].contains(&(answer.status, code));
        assert!(known, "100 {name} {path}: {} {code}", answer.status);
    }
}

#[test]
fn an_index_is_asked_for_again_with_what_is_known_of_it() {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    let list = "/example.com/m/@v/list";
    scene.remote("m", &upstream.url);
    upstream.put(
        list,
        [Reply::text("v1.0.0\n").with("ETag", "\"one\""), Reply::status(304), Reply::text("v1.0.0\nv1.1.0\n")],
    );
    for wanted in ["v1.0.0\n", "v1.0.0\n", "v1.0.0\nv1.1.0\n"] {
        assert_eq!(scene.get("m", list).expect(200).text(), wanted);
    }
    let conditions: Vec<_> =
        upstream.heard().iter().map(|asked| asked.header("if-none-match").map(str::to_owned)).collect();
    assert_eq!(conditions, [None, Some("\"one\"".to_owned()), Some("\"one\"".to_owned())]);
}

#[test]
fn an_index_is_believed_for_its_time() {
    let (scene, upstream) = (Scene::new(), Scripted::start());
    upstream.offer(&[&Module::new("example.com/m", "v1.0.0")]);
    let (hour, off) = (json!({ "index_seconds": 3600 }), unverified());
    scene.remote_with("m", &upstream.url, &hour, &off);
    for _ in 0..5 {
        scene.get("m", "/example.com/m/@v/list").expect(200);
    }
    assert_eq!(upstream.times_asked("/example.com/m/@v/list"), 1);
}
