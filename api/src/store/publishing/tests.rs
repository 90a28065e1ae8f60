//! The promises of publishing and deleting, shown on a real database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use keeper_core::artifact::{Amended, ArtifactStore, ContentId, FileContent, LabelQuery};
use keeper_core::digest::Digest;

use super::super::Store;
use super::super::fixture::{Folder, location, publication, repository};
use super::*;

async fn opened() -> (Folder, Arc<Store>, RepositoryId) {
    let folder = Folder::new();
    let store = Arc::new(folder.open().await);
    let local = repository(&store, "local").await.id;
    (folder, store, local)
}

#[derive(FromQueryResult)]
struct Label {}

/// The same version with other content.
fn other(package: &str, version: &str) -> Publication {
    Publication { content: ContentId("h1:other".into()), ..publication(package, version) }
}

async fn publish(store: &Store, of: RepositoryId, what: Publication) -> PublishOutcome {
    store.publish(of, what).await.expect("an outcome")
}

#[tokio::test]
async fn a_version_is_bound_to_its_first_content() {
    let (_folder, store, local) = opened().await;
    let first = publication("example.com/m", "v1.0.0");
    let start = store.generation(local);
    assert!(matches!(publish(&store, local, first.clone()).await, PublishOutcome::Created(a) if a.id == first.id));
    let created = store.generation(local);
    assert!(created > start);
    let repeat = publication("example.com/m", "v1.0.0");
    assert!(
        matches!(publish(&store, local, repeat).await, PublishOutcome::Same(a) if a.id == first.id && a.files.len() == 2)
    );
    let conflict = publish(&store, local, other("example.com/m", "v1.0.0")).await;
    assert!(matches!(conflict, PublishOutcome::Conflict(a) if a.content == first.content));
    assert_eq!(store.generation(local), created, "neither changed anything");
    let elsewhere = repository(&store, "elsewhere").await.id;
    let fresh = publish(&store, elsewhere, other("example.com/m", "v1.0.0")).await;
    assert!(matches!(fresh, PublishOutcome::Created(_)));
}

#[tokio::test]
async fn of_many_at_once_exactly_one_publishes() {
    let (_folder, store, local) = opened().await;
    let publishers = (0..32).map(|number| {
        let store = store.clone();
        let what = Publication { content: ContentId(format!("h1:{number}")), ..publication("example.com/m", "v1.0.0") };
        tokio::spawn(async move { publish(&store, local, what).await })
    });
    let outcomes: Vec<_> = join_all(publishers).await.into_iter().map(|outcome| outcome.expect("a task")).collect();
    let created: Vec<_> = outcomes.iter().filter(|outcome| matches!(outcome, PublishOutcome::Created(_))).collect();
    let [PublishOutcome::Created(winner)] = created[..] else { panic!("{} publishers won", created.len()) };
    for outcome in &outcomes {
        match outcome {
            PublishOutcome::Created(there) | PublishOutcome::Conflict(there) => {
                assert_eq!(there.content, winner.content)
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn of_many_equal_ones_at_once_one_publishes_and_the_others_repeat() {
    let (_folder, store, local) = opened().await;
    let publishers = (0..32).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { publish(&store, local, publication("example.com/m", "v1.0.0")).await })
    });
    let outcomes: Vec<_> = join_all(publishers).await.into_iter().map(|outcome| outcome.expect("a task")).collect();
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, PublishOutcome::Created(_))).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, PublishOutcome::Same(_))).count(), 31);
}

#[tokio::test]
async fn a_tombstone_stays_and_can_never_be_published_over() {
    let (folder, store, local) = opened().await;
    let labels = vec![(LabelKind::Name, "main".to_owned()), (LabelKind::Commit, "abc".to_owned())];
    let what = Publication { labels, ..publication("example.com/m", "v1.0.0") };
    publish(&store, local, what.clone()).await;
    let before = store.generation(local);
    let tombstone = store
        .delete(local, &what.coordinate, None, "leaked", &Actor::system())
        .await
        .expect("deleted")
        .and_then(Amended::record)
        .expect("it");
    assert!(store.generation(local) > before);
    assert_eq!((tombstone.state, tombstone.state_reason.as_str()), (ArtifactState::Deleted, "leaked"));
    assert!(tombstone.files.is_empty() && tombstone.state_changed_at.is_some());
    assert_eq!(tombstone.content, what.content);
    let label: Option<Label> = one(&store.readers, "SELECT id FROM labels", []).await.expect("an answer");
    assert!(label.is_none(), "its labels are gone");
    for file in &what.files {
        assert!(store.file(local, &file.path).await.expect("an answer").is_none());
    }
    let repeated = store
        .delete(local, &what.coordinate, None, "again", &Actor::system())
        .await
        .expect("an answer")
        .and_then(Amended::record)
        .expect("it");
    assert_eq!((repeated.state_reason.as_str(), repeated.state_changed_at), ("leaked", tombstone.state_changed_at));
    store.close().await;
    let store = folder.open().await;
    for repeat in [publication("example.com/m", "v1.0.0"), other("example.com/m", "v1.0.0")] {
        let outcome = publish(&store, local, repeat).await;
        assert!(matches!(outcome, PublishOutcome::Deleted(a) if a.id == what.id));
    }
    let never = publication("example.com/m", "v9.0.0").coordinate;
    assert!(store.delete(local, &never, None, "", &Actor::system()).await.expect("an answer").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_being_deleted_is_read_whole_or_as_a_tombstone() {
    let (_folder, store, local) = opened().await;
    for number in 0..40 {
        let what = publication("example.com/m", &format!("v1.{number}.0"));
        publish(&store, local, what.clone()).await;
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (store, coordinate) = (store.clone(), what.coordinate.clone());
                tokio::spawn(async move {
                    loop {
                        let found = store.find(local, &coordinate).await.expect("an answer").expect("it");
                        assert_eq!(found.files.is_empty(), found.state == ArtifactState::Deleted, "{found:?}");
                        if found.state == ArtifactState::Deleted {
                            return;
                        }
                    }
                })
            })
            .collect();
        store.delete(local, &what.coordinate, None, "", &Actor::system()).await.expect("deleted");
        for reader in readers {
            reader.await.expect("no half version");
        }
    }
}

#[tokio::test]
async fn equal_bytes_share_the_copy_that_was_first() {
    let (_folder, store, local) = opened().await;
    publish(&store, local, publication("example.com/m", "v1.0.0")).await;
    let mut what = publication("example.com/m", "v1.1.0");
    let shared = publication("example.com/m", "v1.0.0").files[0].clone();
    let FileContent::Stored(mut blob) = shared.content else { panic!("a stored file") };
    blob.location = location(shared.digest, 2);
    what.files[0].digest = shared.digest;
    what.files[0].content = FileContent::Stored(blob);
    let PublishOutcome::Created(artifact) = publish(&store, local, what).await else { panic!("it is new") };
    let stored = artifact.files.iter().find_map(|file| match &file.content {
        FileContent::Stored(blob) => Some(blob.location.clone()),
        FileContent::Inline(_) => None,
    });
    assert_eq!(stored, Some(location(shared.digest, 1)));
}

#[tokio::test]
async fn a_refused_upload_leaves_no_row_that_names_its_copies() {
    let (_folder, store, local) = opened().await;
    publish(&store, local, publication("example.com/m", "v1.0.0")).await;
    let mut what = other("example.com/m", "v1.0.0");
    let digest = Digest::of(b"never kept");
    what.files[0].digest = digest;
    what.files[0].content =
        FileContent::Stored(keeper_core::blob::BlobInfo { location: location(digest, 1), size: 10 });
    assert!(matches!(publish(&store, local, what).await, PublishOutcome::Conflict(_)));
    assert_eq!(store.blob_location(digest).await.expect("an answer"), None);
}

#[tokio::test]
async fn a_name_moves_with_each_upload_also_with_a_repeated_one() {
    let (_folder, store, local) = opened().await;
    let labelled = |version: &str| {
        let labels = vec![(LabelKind::Name, "main".to_owned()), (LabelKind::Commit, "abc".to_owned())];
        Publication { labels, ..publication("example.com/m", version) }
    };
    let m = publication("example.com/m", "v1.0.0").coordinate.package;
    let points_to = async || -> Vec<String> {
        let labels = store.labels(local, &m, LabelQuery::Name("main")).await.expect("labels");
        labels.iter().map(|label| label.version.to_string()).collect()
    };
    publish(&store, local, labelled("v1.0.0")).await;
    publish(&store, local, labelled("v1.1.0")).await;
    assert_eq!(points_to().await, ["v1.1.0"]);
    let before = store.generation(local);
    assert!(matches!(publish(&store, local, labelled("v1.0.0")).await, PublishOutcome::Same(_)));
    assert_eq!(points_to().await, ["v1.0.0"]);
    assert!(store.generation(local) > before, "a moved name is a change");
    let moved = store.generation(local);
    publish(&store, local, labelled("v1.0.0")).await;
    assert_eq!(store.generation(local), moved, "a name that stays is none");
    let shared = store.labels(local, &m, LabelQuery::CommitPrefix("abc")).await.expect("labels");
    assert_eq!(shared.len(), 2, "two versions may come from one commit");
}

#[tokio::test]
async fn an_upload_that_took_too_long_is_refused_whole() {
    let (_folder, store, local) = opened().await;
    let Some(began) = Instant::now().checked_sub(UPLOAD_TIME + Duration::from_secs(1)) else { return };
    let what = Publication { began, ..publication("example.com/m", "v1.0.0") };
    assert!(matches!(store.publish(local, what.clone()).await, Err(StoreError::TooLate)));
    assert!(store.find(local, &what.coordinate).await.expect("an answer").is_none());
    let began = Instant::now().checked_sub(UPLOAD_TIME - Duration::from_secs(60)).unwrap_or(began);
    let what = Publication { began, ..publication("example.com/m", "v1.0.0") };
    assert!(matches!(publish(&store, local, what).await, PublishOutcome::Created(_)));
}

#[tokio::test]
async fn a_path_that_another_version_holds_refuses_everything_of_the_publication() {
    let (_folder, store, local) = opened().await;
    publish(&store, local, publication("example.com/m", "v1.0.0")).await;
    let mut what = publication("example.com/other", "v1.0.0");
    what.files[1].path = publication("example.com/m", "v1.0.0").files[1].path.clone();
    let coordinate = what.coordinate.clone();
    assert!(matches!(store.publish(local, what).await, Err(StoreError::AlreadyExists)));
    assert!(store.find(local, &coordinate).await.expect("an answer").is_none());
    assert!(store.versions(local, &coordinate.package).await.expect("an answer").is_none());
}

#[tokio::test]
async fn a_blob_that_a_file_names_cannot_be_removed() {
    let (folder, store, local) = opened().await;
    publish(&store, local, publication("example.com/m", "v1.0.0")).await;
    store.close().await;
    let refused = folder.try_execute("DELETE FROM blobs").await.expect_err("refused");
    assert!(refused.to_string().to_lowercase().contains("foreign key"), "{refused}");
    let refused = folder.try_execute("UPDATE files SET blob_digest = NULL").await.expect_err("refused");
    assert!(refused.to_string().to_lowercase().contains("check"), "{refused}");
}

#[tokio::test]
async fn a_repository_that_is_not_there_takes_nothing() {
    let (_folder, store, _) = opened().await;
    let nowhere = RepositoryId(99);
    assert!(store.publish(nowhere, publication("example.com/m", "v1.0.0")).await.is_err());
    assert_eq!(store.generation(nowhere), 0);
}
