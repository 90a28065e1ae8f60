//! The promises of [`RemovalStore`], together with the stores whose content it ends.

use super::artifacts::created;
use super::fixture::{address, coordinate, details, publication};
use crate::artifact::{ArtifactState, ArtifactStore, PublishOutcome, StoreError};
use crate::removal::{RemovalStore, Retire, Retirement};
use crate::repository::{Actor, Counts, RepositoryDetails, RepositoryId, RepositoryStore};
use crate::source::{Source, Virtual};

/// The promises of the end of repositories.
///
/// # Panics
/// When one is broken.
pub async fn removal_store(
    removals: &dyn RemovalStore,
    repositories: &dyn RepositoryStore,
    artifacts: &dyn ArtifactStore,
) {
    let (at, by) = (address("removed", "local"), Actor::system());
    let made = repositories.create(&at, details(), &by).await.expect("made");
    let local = made.id;
    assert!(removals.retired(&at).await.expect("an answer").is_none(), "an active one is not retired");
    for number in 0..5 {
        created(artifacts, local, publication("example.com/m", &format!("v{number}"), "x")).await;
    }
    let virtual_at = address("removed", "main");
    let members = Virtual { members: vec![at.name.clone()], optional: vec![at.name.clone()], ..Virtual::default() };
    let details_of_main = RepositoryDetails { source: Source::Virtual(Box::new(members)), ..details() };
    let main = repositories.create(&virtual_at, details_of_main, &by).await.expect("made");
    let kept = removals.retire(local, Retire::default(), &by).await.expect("an answer");
    assert!(matches!(kept, Retirement::NotEmpty(Counts { artifacts: 5, .. })), "it holds versions: {kept:?}");
    let forced = |revision| Retire { force: true, revision: Some(revision), ..Retire::default() };
    let stale = removals.retire(local, forced(made.revision + 1), &by).await.expect("an answer");
    assert_eq!(stale, Retirement::Stale, "another record was meant");
    assert!(repositories.find(&at).await.expect("an answer").is_some(), "nothing has changed");
    assert_eq!(removals.retire(local, forced(made.revision), &by).await.expect("retired"), Retirement::Begun);
    assert!(repositories.find(&at).await.expect("an answer").is_none(), "it is hidden at once");
    let bereft = repositories.find(&virtual_at).await.expect("an answer").expect("it");
    assert_eq!(bereft.source.members(), Some(&Virtual::default()), "it is a member no more");
    assert!(bereft.revision > main.revision, "and who changes the record now has to read it again");
    assert!(repositories.list().await.expect("a list").iter().all(|one| one.id != local), "from lists too");
    let late = artifacts.publish(local, publication("example.com/m", "v9", "late")).await;
    assert!(late.is_err(), "nothing is published to it any more: {late:?}");
    steps_remove_everything(removals, artifacts, local).await;
    let retired = removals.retired(&at).await.expect("an answer").expect("it");
    assert_eq!((retired.deleting, retired.released, retired.repository.id), (false, false, local), "it is deleted");
    let again = repositories.create(&at, details(), &by).await;
    assert!(matches!(again, Err(StoreError::AlreadyExists)), "its name is reserved: {again:?}");
    removals.release_name(local, &by).await.expect("released");
    let heir = repositories.create(&at, details(), &by).await.expect("the name is free").id;
    assert!(removals.retired(&at).await.expect("an answer").is_none(), "it is active");
    assert!(repositories.find(&at).await.expect("an answer").is_some(), "and found");
    let old = artifacts.publish(heir, publication("example.com/m", "v0", "x")).await.expect("an outcome");
    assert!(matches!(old, PublishOutcome::Deleted(_)), "a number used under this name stays taken: {old:?}");
    created(artifacts, heir, publication("example.com/m", "v9", "new")).await;
    assert_eq!(repositories.counts(heir).await.expect("counts").artifacts, 1, "only what is new is counted");
}

async fn steps_remove_everything(removals: &dyn RemovalStore, artifacts: &dyn ArtifactStore, local: RepositoryId) {
    let unfinished = || async { removals.unfinished().await.expect("an answer").iter().any(|one| one.id == local) };
    assert!(unfinished().await, "there is work to do");
    let first = removals.remove_some(local, None, 2).await.expect("a step");
    assert_eq!((first.versions, first.finished), (2, false), "a few at a time");
    let second = removals.remove_some(local, first.last, 2).await.expect("a step");
    assert_eq!(second.versions, 2, "the next ones");
    // As after a crash: nobody remembers how far it was.
    let third = removals.remove_some(local, None, 2).await.expect("a step");
    assert_eq!((third.versions, third.finished), (1, false), "the rest");
    assert!(removals.remove_some(local, third.last, 2).await.expect("a step").finished, "nothing is left");
    assert!(!unfinished().await, "there is no work left");
    let tombstone = artifacts.find(local, &coordinate("example.com/m", "v0")).await.expect("an answer");
    let tombstone = tombstone.expect("tombstones stay");
    assert_eq!((tombstone.state, tombstone.files.len()), (ArtifactState::Deleted, 0), "without files");
}
