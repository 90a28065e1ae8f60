//! The real `go` command: it prints our text, whole, and goes on to the next proxy where it should.
//!
//! What a chain of proxies does is in `chains`.

use super::Scene;
use crate::harness::archives;
use crate::harness::command::Finished;
use crate::harness::http;
use crate::harness::machine::Machine;
use crate::harness::outside::Outside;
use crate::harness::raw_form::RawForm;

/// A project on a machine whose GOPROXY is this.
fn get(proxy: &str, query: &str) -> Finished {
    let machine = Machine::new().with("GOPROXY", proxy).with("GONOSUMDB", "*");
    let project = machine.project("app");
    machine.go(&project, &format!("get {query}"))
}

/// It fails and prints what this address says, but for the number of the request.
fn prints(scene: &Scene, row: &str, query: &str, path: &str) {
    let said = http::get(&scene.url(path)).text();
    let finished = get(&scene.server.go("r"), query).failed();
    let (said, _) = said.rsplit_once(" request=").unwrap_or_else(|| panic!("{row}: {said}"));
    for line in said.lines() {
        assert!(finished.stderr().contains(line), "{row}: {line:?} is not in {finished}");
    }
}

#[test]
fn every_refusal_is_printed_whole() {
    let scene = Scene::new();
    let gone = scene.publish("example.com/gone", "v1.0.0", None);
    scene.delete(&gone, "a%20leak");
    prints(&scene, "G2, 34", "example.com/unknown@v1.0.0", "/example.com/unknown/@v/v1.0.0.info");
    prints(&scene, "G2, 34 latest", "example.com/unknown", "/example.com/unknown/@v/list");
    prints(&scene, "G3, 34", "github.com/Azure/m@v1.2.9", "/github.com/!azure/m/@v/v1.2.9.info");
    prints(&scene, "G4", "example.com/gone@v1.0.0", "/example.com/gone/@v/v1.0.0.info");
    prints(&scene, "17", "example.com/twice@abcdef0", "/example.com/twice/@v/abcdef0.info");
    get(&scene.server.go("r"), "example.com/gone@latest").failed().says(&["no matching versions"]);
}

#[test]
fn what_is_asked_for_oddly_is_found() {
    let scene = Scene::new();
    for query in ["v1.0.0", "v1.0.0+meta", "latest", "0a1b2c3", "branch-v1.0.0", "v1", "v1.0", "upgrade"] {
        let finished = get(&scene.server.go("r"), &format!("github.com/Azure/m@{query}")).succeeded();
        finished.says(&["github.com/Azure/m v1.0.0"]);
    }
    // 40: by its time, since it has no tag.
    get(&scene.server.go("r"), "example.com/untagged").succeeded().says(&[super::PSEUDO[0]]);
}

#[test]
fn a_deprecation_reaches_those_who_use_the_module() {
    let scene = Scene::new();
    let go_mod = b"// Deprecated: use example.com/old/v2\nmodule example.com/old\n\ngo 1.21\n";
    let form = RawForm::module("example.com/old", "v1.0.0").text("repository", "r").file(archives::module(go_mod));
    form.send(&scene.server).expect(201);
    let finished = get(&scene.server.go("r"), "example.com/old").succeeded();
    finished.says(&["module example.com/old is deprecated: use example.com/old/v2"]);
}

#[test]
fn a_mistyped_repository_ends_the_search_with_our_text() {
    let scene = Scene::new();
    let internet = Outside::without_modules();
    let proxy = format!("{},direct", scene.server.go("rr"));
    let machine = Machine::new().with("GOPROXY", proxy).with("GONOSUMDB", "*");
    let machine = machine
        .with("HTTPS_PROXY", &*internet.url)
        .with("https_proxy", &*internet.url)
        .with("HTTP_PROXY", &*internet.url);
    let project = machine.project("app");
    let said =
        ["401 Unauthorized", "unauthorized: \"go/rr\" does not exist or needs a login; readable without one:", "go/r"];
    machine.go(&project, "get github.com/Azure/m").failed().says(&said);
    assert_eq!(internet.requests(), [""; 0], "G21: nothing is asked for outside");
}
