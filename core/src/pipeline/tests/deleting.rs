//! Tombstones through the service.

use super::world::{World, admin, code, token};
use crate::access::Principal;
use crate::artifact::{ArtifactId, ArtifactState};
use crate::repository::Deletion as Setting;
use uuid::Uuid;

#[tokio::test]
async fn deleting_leaves_a_tombstone_and_repeating_it_is_harmless() {
    let world = World::new().await;
    let artifact = world.publish("a", "1", "one").await.expect("published").artifact;
    let first = world.delete(&admin(), &artifact).await.expect("deleted");
    assert!(first.changed);
    assert_eq!((first.artifact.state, first.artifact.files.len()), (ArtifactState::Deleted, 0));
    let again = world.delete(&admin(), &artifact).await.expect("a repeat");
    assert!(!again.changed);
    assert_eq!(again.artifact.state_changed_at, first.artifact.state_changed_at);
    let failure = world.text("/a/1.txt").await.expect_err("gone");
    assert!(failure.first().detail.contains("a mistake"), "{failure}");
}

#[tokio::test]
async fn a_repository_that_never_deletes_says_so_to_those_who_may() {
    let world = World::new().await;
    world.repository("archive", |details| details.deletion = Setting::Never).await;
    let mut upload = world.upload("a", "1", "one").await;
    upload.repository = Some(super::world::name("archive"));
    let artifact = world.send(upload).await.expect("published").artifact;
    assert_eq!(code(world.delete(&admin(), &artifact).await), "deletion_forbidden");
    let reader = token("read,publish", &["*"], None);
    assert_eq!(code(world.delete(&reader, &artifact).await), "delete_denied");
}

#[tokio::test]
async fn a_token_deletes_only_packages_of_its_patterns() {
    let world = World::new().await;
    let artifact = world.publish("other", "1", "one").await.expect("published").artifact;
    let team = token("delete", &["*"], Some(&["team-*"]));
    assert_eq!(code(world.delete(&team, &artifact).await), "delete_denied");
    assert_eq!(world.kept("other", "1").await.expect("it").state, ArtifactState::Active);
}

#[tokio::test]
async fn an_artifact_that_may_not_be_read_is_answered_as_an_absent_one() {
    let world = World::new().await;
    world.repository("private", |details| details.anonymous_read = false).await;
    let mut upload = world.upload("a", "1", "one").await;
    upload.repository = Some(super::world::name("private"));
    let hidden = world.send(upload).await.expect("published").artifact;
    let absent = crate::artifact::Artifact { id: ArtifactId(Uuid::now_v7()), ..hidden.clone() };
    let outsider = token("read,delete", &["notes/local"], None);
    for (who, expected) in [(Principal::Anonymous, "login_required"), (outsider, "artifact_not_found")] {
        for artifact in [&hidden, &absent] {
            assert_eq!(code(world.delete(&who, artifact).await), expected);
            assert_eq!(code(world.keeper.artifact(&who, artifact.id).await), expected);
        }
    }
}
