//! The promises of the changes of an [`ArtifactStore`]: publish, delete, relocate.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::artifacts::{created, labelled, package};
use super::fixture::{coordinate, location, path, publication};
use crate::artifact::{
    Amended, Artifact, ArtifactFile, ArtifactState, ArtifactStore, FileContent, LabelKind, LabelQuery, Publication,
    PublishOutcome, StoreError,
};
use crate::blob::BlobLocation;
use crate::limits::UPLOAD_TIME;
use crate::repository::{Actor, RepositoryId};

pub(super) async fn promises(store: &dyn ArtifactStore, of: RepositoryId, other: RepositoryId) {
    a_version_comes_back_as_it_was_published(store, of, other).await;
    a_version_is_bound_to_its_first_content(store, of).await;
    a_refused_publication_leaves_nothing(store, of).await;
    an_upload_that_took_too_long_is_refused(store, of).await;
    publishing_into_no_repository_is_refused(store).await;
    of_two_publishers_at_once_one_creates(store, of).await;
    a_name_moves_to_the_version_published_last(store, of).await;
    a_tombstone_stays_for_ever(store, of).await;
    a_deletion_takes_the_version_it_names_only(store, of, other).await;
    equal_bytes_have_one_live_copy(store, of, other).await;
    a_copy_is_relocated_only_from_where_it_is(store, of).await;
    every_change_changes_the_generation(store, of, other).await;
}

fn system() -> Actor {
    Actor::system()
}

fn blob_of(file: &ArtifactFile) -> &BlobLocation {
    match &file.content {
        FileContent::Stored(blob) => &blob.location,
        FileContent::Inline(_) => panic!("{} is stored", file.name),
    }
}

fn zip_of(what: &[ArtifactFile]) -> &ArtifactFile {
    what.iter().find(|file| file.name.ends_with(".zip")).expect("a zip")
}

async fn found(store: &dyn ArtifactStore, of: RepositoryId, name: &str, version: &str) -> Option<Artifact> {
    store.find(of, &coordinate(name, version)).await.expect("an answer")
}

async fn file_exists(store: &dyn ArtifactStore, of: RepositoryId, name: &str, version: &str, kind: &str) -> bool {
    store.file(of, &path(name, version, kind)).await.expect("an answer").is_some()
}

fn assert_is(artifact: &Artifact, of: RepositoryId, given: &Publication) {
    assert_eq!((artifact.id, artifact.repository), (given.id, of), "id and repository");
    assert_eq!(artifact.coordinate, given.coordinate, "the coordinate");
    assert_eq!(artifact.state, ArtifactState::Active, "a new version is active");
    assert_eq!((&artifact.content, &artifact.purl), (&given.content, &given.purl), "content and package URL");
    assert_eq!(artifact.published_at, given.published_at, "the time of publication");
    assert_eq!(artifact.published_by, given.by.login, "the publisher");
    assert_eq!((&artifact.checksums, &artifact.metadata), (&given.checksums, &given.metadata), "sums and metadata");
    assert_eq!(artifact.dependencies, given.dependencies, "the dependencies");
    assert_eq!(artifact.warnings, given.warnings, "the warnings");
    let names: Vec<_> = artifact.files.iter().map(|file| file.name.as_str()).collect();
    assert!(names.is_sorted() && names.len() == given.files.len(), "all files by name: {names:?}");
    for file in &given.files {
        let kept = artifact.files.iter().find(|kept| kept.name == file.name).expect("each file by its name");
        assert_file(kept, file);
    }
}

fn assert_file(kept: &ArtifactFile, given: &ArtifactFile) {
    assert_eq!((&kept.path, &kept.name), (&given.path, &given.name), "a file's path and name");
    assert_eq!((kept.media_type, kept.digest), (given.media_type, given.digest), "a file's type and digest");
    match (&kept.content, &given.content) {
        (FileContent::Inline(kept), FileContent::Inline(given)) => assert_eq!(kept, given, "inline bytes"),
        (FileContent::Stored(kept), FileContent::Stored(given)) => assert_eq!(kept, given, "the stored copy"),
        (kept, given) => panic!("{given:?} came back as {kept:?}"),
    }
}

async fn a_version_comes_back_as_it_was_published(store: &dyn ArtifactStore, of: RepositoryId, other: RepositoryId) {
    let name = "example.com/whole";
    let given = publication(name, "v1", "whole");
    assert_is(&created(store, of, given.clone()).await, of, &given);
    assert_is(&found(store, of, name, "v1").await.expect("the version"), of, &given);
    let by_id = store.by_id(&[other, of], given.id).await.expect("an answer");
    assert_is(&by_id.expect("the version by its id"), of, &given);
    assert!(store.by_id(&[other], given.id).await.expect("an answer").is_none(), "an id of another repository");
    assert!(store.by_id(&[], given.id).await.expect("an answer").is_none(), "an id within nothing");
    for file in &given.files {
        let there = store.file(of, &file.path).await.expect("an answer").expect("a file by its path");
        assert_file(&there.file, file);
        assert_eq!((there.state, &*there.reason), (ArtifactState::Active, ""), "the state of a file's version");
        assert_eq!(there.published_at, given.published_at, "the time of a file");
        assert!(store.file(other, &file.path).await.expect("an answer").is_none(), "a file of another repository");
    }
    assert!(found(store, other, name, "v1").await.is_none(), "a version of another repository");
    assert!(store.versions(other, &package(name)).await.expect("an answer").is_none(), "a package of another one");
}

async fn a_version_is_bound_to_its_first_content(store: &dyn ArtifactStore, of: RepositoryId) {
    let name = "example.com/bound";
    let first = publication(name, "v1", "bound");
    created(store, of, first.clone()).await;
    let mut repeat = publication(name, "v1", "bound");
    repeat.by.login = "somebody else".to_owned();
    match store.publish(of, repeat.clone()).await.expect("a publication") {
        PublishOutcome::Same(there) => assert_is(&there, of, &first),
        outcome => panic!("equal content is Same, not {outcome:?}"),
    }
    match store.publish(of, publication(name, "v1", "other")).await.expect("a publication") {
        PublishOutcome::Conflict(there) => assert_is(&there, of, &first),
        outcome => panic!("other content is Conflict, not {outcome:?}"),
    }
    assert_is(&found(store, of, name, "v1").await.expect("the version"), of, &first);
    assert!(store.by_id(&[of], repeat.id).await.expect("an answer").is_none(), "a repeat has no id of its own");
    // The caller removes the copies of an upload that created nothing: no row may name them.
    let live = store.blob_location(zip_of(&first.files).digest).await.expect("an answer");
    assert_eq!(live.as_ref(), Some(blob_of(zip_of(&first.files))), "a repeat replaces no live copy");
    let refused = location(b"other");
    let live = store.blob_location(refused.digest()).await.expect("an answer");
    assert_eq!(live, None, "a conflict records none of its blobs");
    // The same content in other bytes, as when an archive is compressed differently.
    let mut repacked = publication(name, "v1", "repacked");
    repacked.content = first.content.clone();
    let outcome = store.publish(of, repacked).await.expect("a publication");
    assert!(matches!(outcome, PublishOutcome::Same(_)), "equal content in other bytes is Same");
    let live = store.blob_location(location(b"repacked").digest()).await.expect("an answer");
    assert_eq!(live, None, "a repeat records none of its blobs");
}

async fn a_refused_publication_leaves_nothing(store: &dyn ArtifactStore, of: RepositoryId) {
    let (name, thief) = ("example.com/owner", "example.com/thief");
    let owner = publication(name, "v1", "owned");
    created(store, of, owner.clone()).await;
    let generation = store.generation(of);
    // The last file claims a path that another version has; everything before it must go with it.
    let mut what = publication(thief, "v1", "stolen");
    what.labels = vec![(LabelKind::Name, "main".to_owned())];
    what.files.push(ArtifactFile { name: "zzz".to_owned(), ..zip_of(&owner.files).clone() });
    let id = what.id;
    let refused = store.publish(of, what).await;
    assert!(matches!(refused, Err(StoreError::AlreadyExists)), "a taken path is AlreadyExists, not {refused:?}");
    assert!(found(store, of, thief, "v1").await.is_none(), "no version");
    assert!(store.by_id(&[of], id).await.expect("an answer").is_none(), "no id");
    assert!(store.versions(of, &package(thief)).await.expect("an answer").is_none(), "no package");
    assert!(!file_exists(store, of, thief, "v1", "info").await, "no file");
    assert!(labelled(store, of, thief, LabelQuery::Name("main")).await.is_empty(), "no label");
    let blob = store.blob_location(location(b"stolen").digest()).await.expect("an answer");
    assert_eq!(blob, None, "no blob");
    assert_eq!(store.generation(of), generation, "no new generation");
    let there = store.file(of, &path(name, "v1", "zip")).await.expect("an answer").expect("the owner's file");
    assert_file(&there.file, zip_of(&owner.files));
    created(store, of, publication(thief, "v1", "honest")).await;
}

async fn an_upload_that_took_too_long_is_refused(store: &dyn ArtifactStore, of: RepositoryId) {
    // The monotonic clock of a machine that has just started cannot go back so far.
    let ago = |time: Duration| Instant::now().checked_sub(time);
    let moment = Duration::from_secs(60);
    if let Some(began) = ago(UPLOAD_TIME + moment) {
        let late = Publication { began, ..publication("example.com/late", "v1", "late") };
        let refused = store.publish(of, late).await;
        assert!(matches!(refused, Err(StoreError::TooLate)), "an upload that took too long gave {refused:?}");
        assert!(found(store, of, "example.com/late", "v1").await.is_none(), "it left nothing");
    }
    if let Some(began) = ago(UPLOAD_TIME - moment) {
        created(store, of, Publication { began, ..publication("example.com/slow", "v1", "slow") }).await;
    }
}

async fn publishing_into_no_repository_is_refused(store: &dyn ArtifactStore) {
    let nowhere = RepositoryId(i64::MAX);
    let refused = store.publish(nowhere, publication("example.com/nowhere", "v1", "x")).await;
    assert!(refused.is_err(), "a publication into no repository gave {refused:?}");
    assert!(found(store, nowhere, "example.com/nowhere", "v1").await.is_none(), "it left nothing");
}

async fn of_two_publishers_at_once_one_creates(store: &dyn ArtifactStore, of: RepositoryId) {
    let name = "example.com/race";
    let uploads = (0..12).map(|number| publication(name, "v1", ["red", "blue"][number % 2]));
    let outcomes = join_all(uploads.map(|what| async move {
        let content = what.content.clone();
        (content, store.publish(of, what).await.expect("a publication"))
    }));
    let outcomes = outcomes.await;
    let there = found(store, of, name, "v1").await.expect("one of them is there");
    let (mut new, mut same, mut conflicts) = (0, 0, 0);
    for (content, outcome) in outcomes {
        let (PublishOutcome::Created(answered)
        | PublishOutcome::Extended(answered)
        | PublishOutcome::Same(answered)
        | PublishOutcome::Conflict(answered)
        | PublishOutcome::Deleted(answered)) = &outcome;
        assert_eq!((answered.id, &answered.content), (there.id, &there.content), "all are told of the one that is");
        match outcome {
            PublishOutcome::Created(_) => new += 1,
            PublishOutcome::Same(_) => same += 1,
            PublishOutcome::Conflict(_) => conflicts += 1,
            PublishOutcome::Extended(_) => panic!("it is no part"),
            PublishOutcome::Deleted(_) => panic!("nobody deleted it"),
        }
        assert_eq!(
            matches!(outcome, PublishOutcome::Conflict(_)),
            content != there.content,
            "{content:?}: {outcome:?}"
        );
    }
    assert_eq!((new, same, conflicts), (1, 5, 6), "one creates, its equals are the same, the others conflict");
}

async fn a_name_moves_to_the_version_published_last(store: &dyn ArtifactStore, of: RepositoryId) {
    let name = "example.com/labels";
    let with_name = |version: &str| {
        let mut what = publication(name, version, &format!("labels {version}"));
        what.labels = vec![(LabelKind::Name, "main".to_owned())];
        what
    };
    let main = || labelled(store, of, name, LabelQuery::Name("main"));
    let points_to = |version: &str| vec![("main".to_owned(), version.to_owned())];
    created(store, of, with_name("v1")).await;
    created(store, of, with_name("v2")).await;
    assert_eq!(main().await, points_to("v2"), "a name points to one version, the last");
    let generation = store.generation(of);
    let repeat = store.publish(of, with_name("v1")).await.expect("a publication");
    assert!(matches!(repeat, PublishOutcome::Same(_)), "it is there");
    assert_eq!(main().await, points_to("v1"), "a repeat moves its names");
    assert_ne!(store.generation(of), generation, "a moved name changes the generation");
    let mut conflict = with_name("v2");
    conflict.content.0.push('x');
    let conflict = store.publish(of, conflict).await.expect("a publication");
    assert!(matches!(conflict, PublishOutcome::Conflict(_)), "it is other content");
    assert_eq!(main().await, points_to("v1"), "a conflict moves nothing");
    store.delete(of, &coordinate(name, "v1"), None, "", &system()).await.expect("deleted");
    assert!(main().await.is_empty(), "the labels of a deleted version go");
    let deleted = store.publish(of, with_name("v1")).await.expect("a publication");
    assert!(matches!(deleted, PublishOutcome::Deleted(_)), "it is deleted");
    assert!(main().await.is_empty(), "a publication over a tombstone moves nothing");
    store.publish(of, with_name("v2")).await.expect("a publication");
    assert_eq!(main().await, points_to("v2"), "a name that is free again can be taken");
}

async fn a_tombstone_stays_for_ever(store: &dyn ArtifactStore, of: RepositoryId) {
    let name = "example.com/buried";
    let given = publication(name, "v1", "buried");
    created(store, of, given.clone()).await;
    let what = coordinate(name, "v1");
    let delete = |expected: Option<String>, reason: &'static str| async move {
        let what = coordinate(name, "v1");
        store.delete(of, &what, expected.as_deref(), reason, &system()).await.expect("an answer").expect("it")
    };
    let stale = delete(Some("another".to_owned()), "it leaked a key").await;
    assert!(matches!(stale, Amended::Stale), "a record that is not what was expected stays: {stale:?}");
    let tag = found(store, of, name, "v1").await.expect("it is there still").tag();
    let Amended::Done(tombstone) = delete(Some(tag), "it leaked a key").await else { panic!("it goes") };
    assert_eq!((tombstone.id, tombstone.state), (given.id, ArtifactState::Deleted), "a deletion answers the tombstone");
    assert_eq!(tombstone.content, given.content, "a tombstone keeps its content id");
    assert!(tombstone.files.is_empty(), "a tombstone has no files");
    assert_eq!(tombstone.state_reason, "it leaked a key", "a tombstone keeps the reason");
    assert!(tombstone.state_changed_at.is_some(), "a tombstone knows when");
    for kind in ["zip", "info"] {
        assert!(!file_exists(store, of, name, "v1", kind).await, "the .{kind} is gone");
    }
    let generation = store.generation(of);
    let Amended::Deleted(again) = delete(None, "another reason").await else { panic!("it has gone before") };
    assert_eq!(again.state_reason, "it leaked a key", "repeating a deletion answers the first one");
    assert_eq!(again.state_changed_at, tombstone.state_changed_at, "repeating a deletion changes nothing");
    for content in ["buried", "something else"] {
        match store.publish(of, publication(name, "v1", content)).await.expect("a publication") {
            PublishOutcome::Deleted(there) => assert_eq!(there.id, given.id, "the tombstone is told"),
            outcome => panic!("over a tombstone {content:?} is Deleted, not {outcome:?}"),
        }
    }
    let there = found(store, of, name, "v1").await.expect("tombstones are found");
    assert_eq!((there.state, there.files.len()), (ArtifactState::Deleted, 0), "nothing revives a tombstone");
    let by_id = store.by_id(&[of], given.id).await.expect("an answer").expect("tombstones are found by id");
    assert_eq!(by_id.state, ArtifactState::Deleted, "nothing revives a tombstone");
    assert!(!file_exists(store, of, name, "v1", "zip").await, "no file comes back");
    assert_eq!(store.generation(of), generation, "none of this changed anything");
    let versions = store.versions(of, &package(name)).await.expect("versions").expect("the package stays known");
    assert_eq!(versions, [(what.version, ArtifactState::Deleted)], "a tombstone is among the versions");
}

async fn a_deletion_takes_the_version_it_names_only(store: &dyn ArtifactStore, of: RepositoryId, other: RepositoryId) {
    let name = "example.com/neighbours";
    for (repository, version) in [(of, "v1"), (of, "v2"), (other, "v1")] {
        created(store, repository, publication(name, version, "neighbours")).await;
    }
    for (absent, version) in [(name, "v3"), ("example.com/nobody", "v1")] {
        let gone = store.delete(of, &coordinate(absent, version), None, "", &system()).await.expect("an answer");
        assert!(gone.is_none(), "deleting what was never there is None");
        assert!(found(store, of, absent, version).await.is_none(), "and leaves no tombstone");
    }
    store.delete(of, &coordinate(name, "v1"), None, "", &system()).await.expect("an answer").expect("it");
    for (repository, version) in [(of, "v2"), (other, "v1")] {
        let there = found(store, repository, name, version).await.expect("a neighbour");
        assert_eq!((there.state, there.files.len()), (ArtifactState::Active, 2), "a neighbour stays whole");
        assert!(file_exists(store, repository, name, version, "zip").await, "with its files");
    }
}

async fn equal_bytes_have_one_live_copy(store: &dyn ArtifactStore, of: RepositoryId, other: RepositoryId) {
    let name = "example.com/shared";
    let first = created(store, of, publication(name, "v1", "shared bytes")).await;
    let second = created(store, other, publication(name, "v2", "shared bytes")).await;
    let live = blob_of(zip_of(&first.files)).clone();
    assert_eq!(blob_of(zip_of(&second.files)), &live, "a second version of equal bytes points to the live copy");
    let asked = store.blob_location(live.digest()).await.expect("an answer");
    assert_eq!(asked, Some(live.clone()), "the live copy by digest");
    store.delete(of, &coordinate(name, "v1"), None, "", &system()).await.expect("deleted");
    let there = store.file(other, &path(name, "v2", "zip")).await.expect("an answer").expect("the other file");
    assert_eq!(blob_of(&there.file), &live, "deleting one leaves the bytes of the other");
}

async fn a_copy_is_relocated_only_from_where_it_is(store: &dyn ArtifactStore, of: RepositoryId) {
    let name = "example.com/moved";
    let old = blob_of(zip_of(&created(store, of, publication(name, "v1", "moved")).await.files)).clone();
    let (new, newer) = (location(b"moved"), location(b"moved"));
    let relocate =
        |from: BlobLocation, to: BlobLocation| async move { store.relocate(&from, &to).await.expect("an answer") };
    assert!(!relocate(new.clone(), newer.clone()).await, "not from where it is not");
    assert!(!relocate(old.clone(), location(b"other bytes")).await, "not to other bytes");
    assert!(relocate(old.clone(), new.clone()).await, "from where it is");
    assert!(!relocate(old.clone(), newer).await, "not twice from the same place");
    let asked = store.blob_location(old.digest()).await.expect("an answer");
    assert_eq!(asked, Some(new.clone()), "the live copy has moved");
    let there = store.file(of, &path(name, "v1", "zip")).await.expect("an answer").expect("the file");
    assert_eq!(blob_of(&there.file), &new, "the file points to the new copy");
    let there = found(store, of, name, "v1").await.expect("the version");
    assert_eq!(blob_of(zip_of(&there.files)), &new, "the version points to the new copy");
    let nowhere = location(b"bytes without a row");
    assert!(!relocate(nowhere, location(b"bytes without a row")).await, "what no row names cannot move");
}

async fn every_change_changes_the_generation(store: &dyn ArtifactStore, of: RepositoryId, other: RepositoryId) {
    let name = "example.com/generation";
    let (start, elsewhere) = (store.generation(of), store.generation(other));
    created(store, of, publication(name, "v1", "generation")).await;
    let published = store.generation(of);
    assert_ne!(published, start, "a publication changes the generation");
    store.publish(of, publication(name, "v1", "generation")).await.expect("a repeat");
    store.publish(of, publication(name, "v1", "conflict")).await.expect("a conflict");
    assert_eq!(store.generation(of), published, "what changes nothing keeps it");
    store.delete(of, &coordinate(name, "v1"), None, "", &system()).await.expect("deleted");
    let deleted = store.generation(of);
    assert!(deleted != published && deleted != start, "a deletion changes it, and no number comes again");
    assert_eq!(store.generation(other), elsewhere, "another repository's stays");
}
