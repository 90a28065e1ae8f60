//! Private names: nobody outside hears them, and nobody outside answers for them.
//!
//! An attacker publishes a module under the name of one of ours, with a higher version, where everybody looks. Each
//! test shows from the attacker's own book that nobody came by.

use serde_json::json;

use super::Scene;
use super::members::publish;
use crate::harness::checksum_database::ChecksumDatabase;
use crate::harness::goproxy::Module;
use crate::harness::http;
use crate::harness::machine::Machine;
use crate::harness::refusal::{self, Refusals};
use crate::harness::scripted::{Reply, Scripted};
use crate::harness::server::ADMIN_TOKEN;

const OURS: &str = "github.com/yourcompany/secret";

/// What clients ask for who want a module, its other major versions, or what could be above or below it.
fn all_about(module: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for name in [module.to_owned(), format!("{module}/v2"), format!("{module}/sub"), format!("{module}/v3/deep/er")] {
        for what in [
            "list",
            "v1.0.0.info",
            "v9.9.9.info",
            "v9.9.9.mod",
            "v9.9.9.zip",
            "main.info",
            "0123456789ab.info",
            "v2.0.0.zip",
            "v3.0.0.mod",
        ] {
            paths.push(format!("/{name}/@v/{what}"));
        }
        paths.push(format!("/{name}/@latest"));
        paths.push(format!("/{name}?go-get=1"));
        paths.push(format!("/cached-only/{name}/@v/list"));
        for version in ["v1.0.0", "v9.9.9"] {
            paths.push(format!("/sumdb/sum.example.org/lookup/{name}@{version}"));
        }
    }
    paths
}

/// An attacker's upstream and checksum database, and `go/main` over `go/local` and copies of what the attacker has.
struct House {
    scene: Scene,
    attacker: Scripted,
    database: ChecksumDatabase,
}

impl House {
    fn new(more: &serde_json::Value) -> Self {
        let (scene, attacker) = (Scene::new(), Scripted::start());
        let database = ChecksumDatabase::start("sum.example.org");
        for path in [OURS, "github.com/yourcompany/secret/v2", "github.com/yourcompany/secret/sub"] {
            let module = Module::new(path, if path.ends_with("v2") { "v2.0.0" } else { "v9.9.9" });
            attacker.offer(&[&module.clone().with("evil.go", "package m\n")]);
            database.log(&module);
        }
        let settings =
            json!({ "verify": "off", "checksum_database": format!("sum.example.org {}", database.server.url) });
        scene.remote_with("copies", &attacker.url, &json!({}), &settings);
        let mut all = json!({ "settings": settings });
        all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        scene.combined("all", &["local", "copies"], &all);
        Self { scene, attacker, database }
    }

    /// Nobody outside has heard the name, and nobody here has heard of the attacker's version.
    #[track_caller]
    fn nothing_leaves(&self, repository: &str, why: &str) {
        for path in all_about(OURS) {
            for headers in [&[][..], &[("Authorization", &*format!("Bearer {ADMIN_TOKEN}"))]] {
                let answer = http::send("GET", &format!("{}{path}", self.scene.server.go(repository)), headers, &[]);
                let text = String::from_utf8_lossy(&answer.body);
                assert!(!text.contains("evil") && answer.status < 500, "{why} {path}: {} {text}", answer.status);
                let is_known = answer.status == 200 && text.contains("v9.9.9");
                assert!(!is_known, "{why} {path}: {text}");
            }
        }
        assert_eq!(self.attacker.requests(), [""; 0], "{why}: the upstream heard it");
        assert_eq!(self.database.server.requests(), [""; 0], "{why}: the checksum database heard it");
    }
}

#[test]
fn a_name_that_is_published_here_is_asked_for_nowhere_else() {
    let house = House::new(&json!({}));
    publish(&house.scene, "local", OURS, "v1.0.0");
    let known = house.scene.get("all", &format!("/{OURS}/@v/list")).expect(200);
    assert_eq!(known.text(), "v1.0.0\n");
    // Its submodules are names of their own: only a reservation covers those.
    let of_family = |path: &String| !path.contains("/sub") && !path.contains("/deep");
    for path in all_about(OURS).iter().filter(|path| of_family(path)) {
        house.scene.get("all", path);
        // Nor by way of the copies themselves, which everybody may name.
        house.scene.get("copies", path);
    }
    assert_eq!(house.attacker.requests(), [""; 0]);
    assert_eq!(house.database.server.requests(), [""; 0]);
}

#[test]
fn a_reserved_name_is_asked_for_nowhere_else_before_anything_is_published() {
    let house = House::new(&json!({ "reserved": [{ "pattern": "github.com/yourcompany", "members": ["local"] }] }));
    house.nothing_leaves("all", "reserved and empty");
    house.nothing_leaves("copies", "reserved, asked for at the copies");
    publish(&house.scene, "local", OURS, "v1.0.0");
    house.nothing_leaves("all", "reserved and published");
    let id = publish(&house.scene, "local", OURS, "v1.1.0");
    house.scene.server.api("DELETE", &format!("/api/artifacts/{id}"), None).expect(204);
    house.nothing_leaves("all", "reserved and deleted");
}

#[test]
fn a_reserved_name_may_be_refused_so_that_no_client_goes_on() {
    let reserved = json!([{ "pattern": "github.com/yourcompany", "members": ["local"], "when_absent": "forbid" }]);
    let house = House::new(&json!({ "reserved": reserved }));
    refusal::text("105", &house.scene.get("all", &format!("/{OURS}/@v/list")), 403, "name_claimed");
    publish(&house.scene, "local", OURS, "v1.0.0");
    let below = house.scene.get("all", &format!("/{OURS}/pkg/@v/list"));
    refusal::text("packages below a module are probed", &below, 404, "module_not_found");
    house.nothing_leaves("all", "forbidden");
}

#[test]
fn a_private_owner_is_not_replaced_by_whoever_may_be_read() {
    let scene = Scene::new();
    let attacker = Scripted::start();
    attacker.offer(&[&Module::new(OURS, "v9.9.9")]);
    scene.create(&json!({ "format": "go", "name": "closed", "kind": "hosted", "anonymous_read": false }));
    publish(&scene, "closed", OURS, "v1.0.0");
    scene.remote("copies", &attacker.url);
    scene.combined("all", &["closed", "copies"], &json!({}));
    let refusals = Refusals::by(&scene.server);
    for path in [format!("/{OURS}/@v/list"), format!("/{OURS}/@v/v9.9.9.zip"), format!("/{OURS}/@latest")] {
        refusals.text(&format!("G17, S7 {path}"), &scene.get("all", &path), 403, "name_claimed");
    }
    assert_eq!(attacker.requests(), [""; 0], "G17");
    // Names that the closed one never had are for the others.
    let public = Module::new("example.com/public", "v1.0.0");
    attacker.offer(&[&public]);
    scene.get("all", &public.at("mod")).expect(200);
}

#[test]
fn go_cannot_be_led_to_the_attackers_version() {
    let house = House::new(&json!({ "reserved": [{ "pattern": "github.com/yourcompany", "members": ["local"] }] }));
    publish(&house.scene, "local", OURS, "v1.0.0");
    let public = Module::new("example.com/public", "v1.0.0").saying(&format!("require {OURS} v1.0.0"));
    house.attacker.offer(&[&public]);
    let machine = Machine::new()
        .with("GOPROXY", format!("{},{}", house.scene.server.go("all"), house.attacker.url))
        .with("GONOSUMDB", "github.com/yourcompany,example.com");
    let project = machine.project("app");
    for query in ["@latest", "@upgrade", "@v1", "@>=v1.0.0"] {
        machine.go(&project, &format!("get {OURS}{query}")).succeeded().never_says(&["v9.9.9"]);
    }
    machine.go(&project, "get example.com/public").succeeded();
    machine.go(&project, "get -u ./... all").never_says(&["v9.9.9"]);
    let listed = machine.go(&project, &format!("list -m -versions {OURS}")).succeeded();
    assert_eq!(listed.stdout(), format!("{OURS} v1.0.0"));
    let heard = house.attacker.requests();
    assert!(!heard.iter().any(|request| request.contains("yourcompany/secret/@")), "{heard:?}");
}

#[test]
fn go_is_told_how_to_keep_private_names_from_the_checksum_database() {
    let house = House::new(&json!({ "reserved": [{ "pattern": "github.com/yourcompany", "members": ["local"] }] }));
    publish(&house.scene, "local", OURS, "v1.0.0");
    let machine = Machine::new().with("GOPROXY", house.scene.server.go("all")).with("GOSUMDB", house.database.key());
    let project = machine.project("app");
    machine.go(&project, &format!("get {OURS}@v1.0.0")).failed().says(&[
        "403 Forbidden",
        "is private here",
        "GONOSUMDB=",
    ]);
    let heard = [house.attacker.requests(), house.database.server.requests()].concat();
    assert!(!heard.iter().any(|request| request.contains("yourcompany")), "{heard:?}");
}

#[test]
fn the_first_publication_of_a_name_takes_it_from_the_upstream_at_once() {
    let (scene, attacker) = (Scene::new(), Scripted::start());
    scene.remote("copies", &attacker.url);
    scene.combined("all", &["local", "copies"], &json!({}));
    let public = Module::new("example.com/m", "v1.0.0");
    attacker.offer(&[&public]);
    assert_eq!(scene.get("all", "/example.com/m/@v/list").expect(200).text(), "v1.0.0\n");
    publish(&scene, "local", "example.com/m", "v0.1.0");
    attacker.forget();
    assert_eq!(
        scene.get("all", "/example.com/m/@v/list").expect(200).text(),
        "v0.1.0\n",
        "no kept decision is in the way"
    );
    assert_eq!(scene.get("all", &public.at("zip")).status, 404);
    assert_eq!(attacker.requests(), [""; 0]);
    attacker.put("/example.com/m/@v/list", [Reply::status(500)]);
    scene.get("all", "/example.com/m/@v/list").expect(200);
}
