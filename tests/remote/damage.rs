//! A copy that is lost or has rotted: the upstream is asked for the same bytes again, and nobody is told of an absence.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::Scene;
use crate::harness::goproxy::Module;
use crate::harness::http;
use crate::harness::random::Random;
use crate::harness::refusal;
use crate::harness::scripted::{Reply, Scripted};
use crate::harness::server::ON_SQLITE;
use crate::harness::wait::until;

/// Too large to live in its row.
fn module(version: &str) -> Module {
    Module::new("example.com/m", version).with("noise.bin", Random::seeded(7).bytes(40_000))
}

/// The only stored copy.
fn copy(scene: &Scene) -> PathBuf {
    let blobs = refusal::files(&scene.server.data().join("blobs/sha256"));
    assert_eq!(blobs.len(), 1, "{blobs:?}");
    blobs.into_iter().next().expect("one")
}

fn code(scene: &Scene, path: &str) -> (u16, String) {
    let answer = scene.get("m", path);
    (answer.status, answer.header("x-error-code").unwrap_or_default().to_owned())
}

#[test]
fn a_lost_copy_that_the_upstream_has_no_more_is_trouble_and_no_absence() {
    let scene = Scene::with(&[ON_SQLITE, ("KEEPER_SCRUB_RATE", "0")]);
    let (upstream, module) = (Scripted::start(), module("v1.0.0"));
    upstream.offer(&[&module]);
    scene.remote("m", &upstream.url);
    let zip = module.at("zip");
    scene.get("m", &zip).expect(200);
    fs::remove_file(copy(&scene)).expect("ours");
    upstream.put(&zip, [Reply::status(404)]);
    for _ in 0..3 {
        assert_eq!(code(&scene, &zip), (500, "blob_missing".to_owned()));
    }
    assert!(upstream.times_asked(&zip) > 1, "it is asked for");
}

#[test]
fn a_lost_copy_is_fetched_again_and_is_trouble_until_it_is_here() {
    // What is stored is looked at on the disk.
    let scene = Scene::with(&[ON_SQLITE, ("KEEPER_SCRUB_RATE", "0")]);
    let (upstream, module) = (Scripted::start(), module("v1.0.0"));
    upstream.offer(&[&module]);
    scene.remote("m", &upstream.url);
    let zip = module.at("zip");
    assert!(scene.get("m", &zip).expect(200).body == module.zip());
    fs::remove_file(copy(&scene)).expect("ours");
    // It sends other bytes: what was here first stays what it is.
    let other = Module::new("example.com/m", "v1.0.0").with("noise.bin", Random::seeded(8).bytes(40_000));
    upstream.put(&zip, [Reply::bytes(other.zip())]);
    for _ in 0..2 {
        assert_eq!(code(&scene, &zip), (500, "blob_missing".to_owned()));
    }
    upstream.put(&zip, [Reply::bytes(module.zip())]);
    assert!(scene.get("m", &zip).expect(200).body == module.zip());
    scene.server.command("verify").succeeded();
}

#[test]
fn a_copy_that_was_found_rotten_is_fetched_again() {
    let scene = Scene::with(&[ON_SQLITE, ("KEEPER_SCRUB_RATE", "0")]);
    let (upstream, module) = (Scripted::start(), module("v1.0.0"));
    upstream.offer(&[&module]);
    scene.remote("m", &upstream.url);
    let zip = module.at("zip");
    scene.get("m", &zip).expect(200);
    let rotten = copy(&scene);
    let mut bytes = fs::read(&rotten).expect("a blob");
    bytes[20_000] ^= 1;
    fs::set_permissions(&rotten, fs::Permissions::from_mode(0o640)).expect("ours");
    fs::write(&rotten, &bytes).expect("ours");
    assert_eq!(scene.server.command("verify").code(), Some(5));
    let before = upstream.times_asked(&zip);
    let url = format!("{}{zip}", scene.server.go("m"));
    until("it is mended", || http::get(&url).body == module.zip());
    assert_eq!(upstream.times_asked(&zip), before + 1);
    scene.server.command("verify").succeeded();
}
