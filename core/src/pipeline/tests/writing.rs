//! Writes by a format's own protocol.

use super::notes::coordinate;
use super::world::{World, admin, code, key, token};
use crate::access::Principal;
use crate::artifact::{ArtifactState, LabelQuery};
use crate::error::Failure;
use crate::format::{FormatHandler as _, FormatRequest, Outcome, Want};
use crate::pipeline::{NativeWrite, Published};
use crate::repository::Actor;

async fn enter(world: &World, who: &Principal, verb: &str, path: &str) -> Result<NativeWrite, Failure> {
    let handler: std::sync::Arc<dyn crate::format::FormatHandler> = world.format.clone();
    let request = FormatRequest { verb, path, query: "", headers: &[], repository_url: "" };
    world.keeper.native_write(who, &key("notes"), &handler, "local", &request).await
}

async fn change(world: &World, who: &Principal, verb: &str, path: &str, body: &str) -> Result<Outcome, Failure> {
    let write = enter(world, who, verb, path).await?;
    let change = world.format.change(&write.route, body.as_bytes())?;
    Ok(world.keeper.change(&write, change, Actor::system()).await?.outcome)
}

/// Puts one file, as the border does it.
async fn put(world: &World, version: &str, file: &str, text: &str) -> Result<Published, Failure> {
    let write = enter(world, &admin(), "PUT", &format!("/parts/a/{version}/{file}")).await?;
    let Want::Upload(intake) = write.route.want else { panic!("it is an upload") };
    let mut upload = world.upload("", "", text).await;
    (upload.name, upload.version, upload.fields) = (intake.name, intake.version, intake.fields);
    world.send(upload).await
}

#[tokio::test]
async fn a_version_gets_its_files_one_by_one() {
    let world = World::new().await;
    let (first, second) = (put(&world, "1", "x", "one").await.expect("published"), put(&world, "1", "y", "two").await);
    let second = second.expect("added");
    assert!(first.created && second.created, "each brought something new");
    assert_eq!(first.artifact.id, second.artifact.id);
    let again = put(&world, "1", "y", "two").await.expect("a repeat");
    assert!(!again.created, "it was there");
    assert_eq!(code(put(&world, "1", "x", "other").await), "file_exists");
    let kept = world.kept("a", "1").await.expect("the version");
    assert_eq!(kept.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["x", "y"]);
    world.delete(&admin(), &kept).await.expect("deleted");
    assert_eq!(code(put(&world, "1", "z", "late").await), "version_deleted");
}

#[tokio::test]
async fn a_label_moves_and_a_version_goes_by_the_formats_own_requests() {
    let world = World::new().await;
    world.publish("a", "1", "one").await.expect("published");
    let writer = token("publish", &["*"], None);
    assert_eq!(change(&world, &writer, "PUT", "/labels/a/stable", "stable=1").await.expect("moved"), Outcome::Labelled);
    let local = world.id("local").await;
    let package = coordinate("a", "1").package;
    let labels = crate::artifact::ArtifactStore::labels(&*world.store, local, &package, LabelQuery::Name("stable"));
    assert_eq!(labels.await.expect("an answer").len(), 1);
    assert_eq!(code(change(&world, &writer, "PUT", "/labels/a/stable", "stable=2").await), "version_not_found");
    assert_eq!(code(change(&world, &writer, "DELETE", "/a/1", "1").await), "delete_denied");
    assert_eq!(change(&world, &admin(), "DELETE", "/a/1", "1").await.expect("deleted"), Outcome::Deleted);
    assert_eq!(world.kept("a", "1").await.expect("a tombstone").state, ArtifactState::Deleted);
    assert_eq!(code(change(&world, &admin(), "DELETE", "/a/1", "1").await), "deleted");
}

#[tokio::test]
async fn nothing_is_written_without_the_right_to() {
    let world = World::new().await;
    world.publish("a", "1", "one").await.expect("published");
    world.repository("private", |details| details.anonymous_read = false).await;
    let (stranger, reader) = (Principal::Anonymous, token("read", &["*"], None));
    for path in ["/parts/a/1/x", "/labels/a/x", "/careless/x"] {
        assert_eq!(code(enter(&world, &stranger, "PUT", path).await.map(|_| ())), "login_required", "{path}");
        assert_eq!(code(enter(&world, &reader, "PUT", path).await.map(|_| ())), "publish_denied", "{path}");
    }
    let team = token("publish", &["*"], Some(&["team-*"]));
    assert_eq!(code(change(&world, &team, "PUT", "/labels/a/x", "x=1").await), "publish_denied");
    let writer = token("publish", &["*"], None);
    assert_eq!(code(enter(&world, &writer, "PUT", "/a/1.txt").await.map(|_| ())), "method_not_allowed");
    assert_eq!(code(world.text("/careless/x").await), "method_not_allowed");
    // A format that does more than its route asked for is stopped.
    assert_eq!(code(change(&world, &writer, "PUT", "/labels/a/x", "delete=1").await), "internal");
    assert_eq!(world.kept("a", "1").await.expect("it").state, ArtifactState::Active);
}
