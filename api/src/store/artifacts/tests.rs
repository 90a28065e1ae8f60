//! The questions of the port, asked of a real database.

use keeper_core::artifact::FileContent;

use super::super::fixture::{Folder, address, location, plan, publication, repository};
use super::*;

async fn with(versions: &[&str]) -> (Folder, Store, RepositoryId) {
    filled(Folder::new(), versions).await
}

async fn filled(folder: Folder, versions: &[&str]) -> (Folder, Store, RepositoryId) {
    let store = folder.open().await;
    let local = repository(&store, "local").await.id;
    for version in versions {
        store.publish(local, publication("example.com/m", version)).await.expect("published");
    }
    (folder, store, local)
}

fn package(name: &str) -> PackageName {
    PackageName::try_from(name).expect("a package")
}

#[tokio::test]
async fn what_was_published_is_read_as_it_was_also_by_a_later_start() {
    let (folder, store, local) = with(&[]).await;
    let what = publication("example.com/m", "v1.0.0");
    store.publish(local, what.clone()).await.expect("published");
    store.close().await;
    let store = folder.open().await;
    let found = store.find(local, &what.coordinate).await.expect("an answer").expect("it");
    assert_eq!((found.id, found.repository, &found.coordinate), (what.id, local, &what.coordinate));
    assert_eq!((found.state, found.state_changed_at), (ArtifactState::Active, None));
    assert_eq!((&found.content, &found.purl, &found.published_by), (&what.content, &what.purl, &"alice".to_owned()));
    assert_eq!((&found.checksums, &found.metadata), (&what.checksums, &what.metadata));
    assert_eq!(found.published_at.as_microsecond(), what.published_at.as_microsecond());
    let mut files = what.files;
    files.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(format!("{:?}", found.files), format!("{files:?}"));
    for file in files {
        let got = store.file(local, &file.path).await.expect("an answer").expect("the file");
        assert_eq!(format!("{:?}", got.file), format!("{file:?}"));
        assert_eq!(got.state, ArtifactState::Active);
    }
    assert_eq!(store.by_id(&[local], what.id).await.expect("an answer").map(|found| found.id), Some(what.id));
    store.ping().await.expect("it answers");
}

#[tokio::test]
async fn an_artifact_is_not_shown_by_its_id_to_those_who_may_not_read_its_repository() {
    let (_folder, store, local) = with(&[]).await;
    let what = publication("example.com/m", "v1.0.0");
    store.publish(local, what.clone()).await.expect("published");
    let other = repository(&store, "other").await.id;
    assert!(store.by_id(&[other], what.id).await.expect("an answer").is_none());
    assert!(store.by_id(&[], what.id).await.expect("an answer").is_none());
    assert!(store.find(other, &what.coordinate).await.expect("an answer").is_none());
    assert!(store.file(other, &what.files[0].path).await.expect("an answer").is_none());
}

#[tokio::test]
async fn versions_and_summaries_come_in_the_order_of_their_keys() {
    let (_folder, store, local) = with(&[]).await;
    for (version, key) in [("v1.10.0", 10_u8), ("v1.9.0", 9), ("v1.2.0", 2)] {
        let mut what = publication("example.com/m", version);
        what.sort_key.0 = vec![0, 255, key];
        store.publish(local, what).await.expect("published");
    }
    let m = package("example.com/m");
    store
        .delete(local, &publication("example.com/m", "v1.9.0").coordinate, None, "", &Actor::system())
        .await
        .expect("deleted");
    let versions = store.versions(local, &m).await.expect("an answer").expect("the package");
    let told: Vec<_> = versions.iter().map(|(version, state)| format!("{version} {}", state.as_str())).collect();
    assert_eq!(told, ["v1.2.0 active", "v1.9.0 deleted", "v1.10.0 active"]);
    let summaries = store.summaries(local, &m, ArtifactState::Active).await.expect("an answer");
    let told: Vec<_> = summaries.iter().map(|summary| summary.version.as_str()).collect();
    assert_eq!(told, ["v1.2.0", "v1.10.0"]);
    assert!(store.versions(local, &package("example.com/none")).await.expect("an answer").is_none());
}

#[tokio::test]
async fn labels_are_found_by_whole_name_or_by_any_prefix_of_a_commit() {
    let (_folder, store, local) = with(&[]).await;
    let commits = ["abc0000000", "abc1111111", "abd0000000"];
    for (number, commit) in commits.iter().enumerate() {
        let mut what = publication("example.com/m", &format!("v1.{number}.0"));
        what.labels = vec![(LabelKind::Commit, (*commit).to_owned()), (LabelKind::Name, "main".to_owned())];
        store.publish(local, what).await.expect("published");
    }
    let m = package("example.com/m");
    let ask = async |which: LabelQuery<'_>| -> Vec<String> {
        let labels = store.labels(local, &m, which).await.expect("labels");
        labels.iter().map(|label| format!("{} {}", label.name, label.version)).collect()
    };
    assert_eq!(ask(LabelQuery::CommitPrefix("abc")).await, ["abc0000000 v1.0.0", "abc1111111 v1.1.0"]);
    assert_eq!(ask(LabelQuery::CommitPrefix("abd0000000")).await, ["abd0000000 v1.2.0"]);
    assert!(ask(LabelQuery::CommitPrefix("%")).await.is_empty());
    assert_eq!(ask(LabelQuery::Name("main")).await, ["main v1.2.0"]);
    assert!(ask(LabelQuery::Name("mai")).await.is_empty());
    let last = publication("example.com/m", "v1.2.0").coordinate;
    store.delete(local, &last, None, "", &Actor::system()).await.expect("deleted");
    assert!(ask(LabelQuery::Name("main")).await.is_empty());
    assert!(ask(LabelQuery::CommitPrefix("abd")).await.is_empty());
}

#[tokio::test]
async fn packages_that_differ_by_case_alone_are_twins() {
    let (_folder, store, local) = with(&[]).await;
    for name in ["example.com/M", "example.com/m", "example.com/mm"] {
        store.publish(local, publication(name, "v1.0.0")).await.expect("published");
    }
    let twins = store.case_twins(local, &package("example.com/m")).await.expect("an answer");
    assert_eq!(twins, [package("example.com/M")]);
    let other = repository(&store, "other").await.id;
    assert!(store.case_twins(other, &package("example.com/m")).await.expect("an answer").is_empty());
}

#[tokio::test]
async fn a_blob_moves_only_from_where_it_is() {
    let (_folder, store, _) = with(&["v1.0.0"]).await;
    let FileContent::Stored(blob) = publication("example.com/m", "v1.0.0").files[0].content.clone() else {
        panic!("a stored file")
    };
    let digest = blob.location.digest();
    let (first, second, third) = (location(digest, 1), location(digest, 2), location(digest, 3));
    assert!(store.relocate(&first, &second).await.expect("an answer"));
    assert_eq!(store.blob_location(digest).await.expect("an answer"), Some(second.clone()));
    assert!(!store.relocate(&first, &third).await.expect("an answer"));
    assert!(!store.relocate(&second, &location(Digest::of(b"other"), 1)).await.expect("an answer"));
    assert_eq!(store.blob_location(digest).await.expect("an answer"), Some(second));
    assert_eq!(store.blob_location(Digest::of(b"other")).await.expect("an answer"), None);
}

#[tokio::test]
async fn hot_questions_follow_an_index() {
    let (_folder, store, _) = filled(Folder::of_sqlite(), &["v1.0.0"]).await;
    for (question, index) in [
        (FOUND, "files_path"),
        (VERSIONS, "artifacts_sorted"),
        (HIGHEST, "artifacts_sorted"),
        (LABELS, "labels_"),
        (TWINS, "packages_folded"),
    ] {
        let plan = plan(&store, question, Vec::new()).await;
        let sorts = plan.iter().any(|step| step.contains("TEMP B-TREE"));
        assert!(!sorts || question != HIGHEST, "what is read stops at the limit: {plan:?}");
        assert!(plan.iter().any(|step| step.contains(index)), "{question}: {plan:?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{question}: {plan:?}");
    }
    assert_eq!(store.catalog.find(&address("local")).expect("it").address, address("local"));
}
