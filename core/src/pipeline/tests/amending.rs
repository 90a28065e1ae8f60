//! Yanking, blocking and pinning: who may, and what readers get afterwards.

use super::world::{World, admin, code, token};
use crate::access::Principal;
use crate::artifact::{Amendment, Artifact, ArtifactState};
use crate::error::Failure;

fn to(state: ArtifactState) -> Amendment {
    Amendment { state: Some((state, "a reason".to_owned())), ..Amendment::default() }
}

async fn amended(world: &World, who: &Principal, artifact: &Artifact, change: Amendment) -> Result<Artifact, Failure> {
    let done = world.keeper.amend(who, who.actor(None, None), artifact.id, change).await;
    done.map(|(_, artifact)| artifact)
}

#[tokio::test]
async fn a_yanked_version_is_served_and_a_blocked_one_is_not() {
    let world = World::new().await;
    let artifact = world.publish("ink", "1", "a note").await.expect("published").artifact;
    assert_eq!(world.text("/ink/1.txt").await.expect("a text"), "a note");
    amended(&world, &admin(), &artifact, to(ArtifactState::Yanked)).await.expect("yanked");
    assert_eq!(world.text("/ink/1.txt").await.expect("a text"), "a note");
    amended(&world, &admin(), &artifact, to(ArtifactState::Blocked)).await.expect("blocked");
    assert_eq!(code(world.text("/ink/1.txt").await), "blocked");
    amended(&world, &admin(), &artifact, to(ArtifactState::Active)).await.expect("active");
    assert_eq!(world.text("/ink/1.txt").await.expect("a text"), "a note");
}

#[tokio::test]
async fn a_publisher_yanks_only_packages_of_his_patterns_and_never_unblocks() {
    let world = World::new().await;
    let artifact = world.publish("ink", "1", "a note").await.expect("published").artifact;
    let of_ink = token("publish", &["*"], Some(&["ink"]));
    let of_pen = token("publish", &["*"], Some(&["pen"]));
    let yank = || to(ArtifactState::Yanked);
    assert_eq!(code(amended(&world, &of_pen, &artifact, yank()).await), "publish_denied");
    amended(&world, &of_ink, &artifact, yank()).await.expect("yanked");
    amended(&world, &admin(), &artifact, to(ArtifactState::Blocked)).await.expect("blocked");
    for change in [yank(), to(ArtifactState::Active)] {
        assert_eq!(code(amended(&world, &of_ink, &artifact, change).await), "manage_denied");
    }
}

#[tokio::test]
async fn what_a_condition_names_must_still_be_so() {
    let world = World::new().await;
    let artifact = world.publish("ink", "1", "a note").await.expect("published").artifact;
    let under = |tag: String| Amendment { expected: Some(tag), ..to(ArtifactState::Yanked) };
    let yanked = amended(&world, &admin(), &artifact, under(artifact.tag())).await.expect("yanked");
    assert_eq!(code(amended(&world, &admin(), &artifact, under(artifact.tag())).await), "stale_write");
    amended(&world, &admin(), &artifact, under(yanked.tag())).await.expect("the present one");
    world.delete(&admin(), &artifact).await.expect("deleted");
    assert_eq!(code(amended(&world, &admin(), &artifact, to(ArtifactState::Active)).await), "deleted");
}
