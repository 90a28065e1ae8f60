//! The promises of [`ArtifactStore`]: its questions. Those of its changes are in
//! [`publishing`](super::publishing) and [`parts`](super::parts).

use super::fixture::{coordinate, path, publication};
use super::{parts, publishing};
use crate::artifact::{
    Artifact, ArtifactQuery, ArtifactState, ArtifactStore, LabelKind, LabelQuery, PackageName, Publication,
    PublishOutcome,
};
use crate::repository::{Actor, RepositoryId};

/// The promises of a store of artifacts, on two of its repositories, both empty when they are given.
///
/// # Panics
/// When one is broken.
pub async fn artifact_store(store: &dyn ArtifactStore, of: RepositoryId, other: RepositoryId) {
    store.ping().await.expect("a store answers");
    nothing_is_there_before_it_is_published(store, of).await;
    versions_are_in_the_order_of_their_sort_keys(store, of).await;
    case_twins_are_found_and_only_they(store, of, other).await;
    commits_are_found_by_prefix(store, of).await;
    a_list_holds_what_was_asked_for(store, of, other).await;
    pages_follow_each_other_without_doubles(store, of, other).await;
    publishing::promises(store, of, other).await;
    parts::promises(store, of, other).await;
}

pub(super) async fn created(store: &dyn ArtifactStore, of: RepositoryId, what: Publication) -> Artifact {
    match store.publish(of, what).await.expect("a publication") {
        PublishOutcome::Created(artifact) => artifact,
        other => panic!("a version that was never there is Created, not {other:?}"),
    }
}

pub(super) fn package(name: &str) -> PackageName {
    PackageName::try_from(name).expect("a package name")
}

pub(super) async fn labelled(
    store: &dyn ArtifactStore,
    of: RepositoryId,
    name: &str,
    which: LabelQuery<'_>,
) -> Vec<(String, String)> {
    let labels = store.labels(of, &package(name), which).await.expect("labels");
    labels.into_iter().map(|label| (label.name, label.version.as_str().to_owned())).collect()
}

async fn nothing_is_there_before_it_is_published(store: &dyn ArtifactStore, of: RepositoryId) {
    let (name, what) = ("example.com/absent", coordinate("example.com/absent", "v1"));
    assert!(store.find(of, &what).await.expect("an answer").is_none(), "no version");
    assert!(store.file(of, &path(name, "v1", "zip")).await.expect("an answer").is_none(), "no file");
    assert!(store.versions(of, &package(name)).await.expect("an answer").is_none(), "an unknown package is None");
    let summaries = store.summaries(of, &package(name), ArtifactState::Active).await.expect("an answer");
    assert!(summaries.is_empty(), "no summaries");
    let highest = store.highest(of, &package(name), ArtifactState::Active, 1).await.expect("an answer");
    assert!(highest.is_empty(), "no highest version");
    let id = publication(name, "v1", "x").id;
    assert!(store.by_id(&[of], id).await.expect("an answer").is_none(), "no id");
    let location = super::fixture::location(b"absent");
    assert!(store.blob_location(location.digest()).await.expect("an answer").is_none(), "no blob");
}

async fn versions_are_in_the_order_of_their_sort_keys(store: &dyn ArtifactStore, of: RepositoryId) {
    let name = "example.com/ordered";
    for version in ["v10", "v2", "v1", "v300"] {
        created(store, of, publication(name, version, &format!("ordered {version}"))).await;
    }
    store.delete(of, &coordinate(name, "v2"), None, "", &Actor::system()).await.expect("deleted");
    let versions = store.versions(of, &package(name)).await.expect("versions").expect("a known package");
    let shown: Vec<_> = versions.iter().map(|(version, state)| (version.as_str(), state.as_str())).collect();
    let expected = [("v1", "active"), ("v2", "deleted"), ("v10", "active"), ("v300", "active")];
    assert_eq!(shown, expected, "versions by sort key, tombstones included");
    let summaries = store.summaries(of, &package(name), ArtifactState::Active).await.expect("summaries");
    let shown: Vec<_> = summaries.iter().map(|summary| summary.version.as_str()).collect();
    assert_eq!(shown, ["v1", "v10", "v300"], "summaries of one state by sort key");
    let sample = publication(name, "v1", "ordered v1");
    assert_eq!(summaries[0].checksums, sample.checksums, "a summary's sums");
    assert_eq!(summaries[0].metadata, sample.metadata, "a summary's metadata");
    assert_eq!(summaries[0].published_at, sample.published_at, "a summary's time");
    for (limit, expected) in [(0, &[][..]), (2, &["v300", "v10"]), (9, &["v300", "v10", "v1"])] {
        let highest = store.highest(of, &package(name), ArtifactState::Active, limit).await.expect("summaries");
        let shown: Vec<_> = highest.iter().map(|summary| summary.version.as_str()).collect();
        assert_eq!(shown, expected, "the highest {limit}");
        assert!(highest.iter().all(|one| !one.metadata.is_null() && !one.checksums.is_empty()), "all of a summary");
    }
    let gone = store.summaries(of, &package(name), ArtifactState::Deleted).await.expect("summaries");
    assert_eq!(gone.iter().map(|one| one.version.as_str()).collect::<Vec<_>>(), ["v2"], "summaries of tombstones");
}

async fn case_twins_are_found_and_only_they(store: &dyn ArtifactStore, of: RepositoryId, other: RepositoryId) {
    for name in ["example.com/Twin", "example.com/twiN", "example.com/twins"] {
        created(store, of, publication(name, "v1", name)).await;
    }
    created(store, other, publication("example.com/TWIN", "v1", "elsewhere")).await;
    let twins = |name: &'static str| async move {
        let twins = store.case_twins(of, &package(name)).await.expect("twins");
        let mut twins: Vec<_> = twins.iter().map(|twin| twin.as_str().to_owned()).collect();
        twins.sort();
        twins
    };
    let both = ["example.com/Twin", "example.com/twiN"];
    assert_eq!(twins("example.com/twin").await, both, "names that differ only in case, of this repository");
    assert_eq!(twins("example.com/Twin").await, both[1..], "a name is not its own twin");
    assert!(twins("example.com/twins").await.is_empty(), "a longer name is no twin");
    assert!(twins("example.com/tw_n").await.is_empty(), "no character is a pattern");
}

async fn commits_are_found_by_prefix(store: &dyn ArtifactStore, of: RepositoryId) {
    let name = "example.com/commits";
    for (version, commit) in [("v1", "abc123"), ("v2", "abc123"), ("v3", "abd999")] {
        let mut what = publication(name, version, &format!("commits {version}"));
        what.labels = vec![(LabelKind::Commit, commit.to_owned()), (LabelKind::Name, format!("ab-{version}"))];
        created(store, of, what).await;
    }
    let found = |prefix: &'static str| async move {
        let mut found = labelled(store, of, name, LabelQuery::CommitPrefix(prefix)).await;
        found.sort();
        found.into_iter().map(|(_, version)| version).collect::<Vec<_>>()
    };
    assert_eq!(found("ab").await, ["v1", "v2", "v3"], "commits of a prefix, names not among them");
    assert_eq!(found("abc123").await, ["v1", "v2"], "several versions may come from one commit");
    assert!(found("ab%").await.is_empty() && found("a_c").await.is_empty(), "no character is a pattern");
    assert!(found("abc1234").await.is_empty(), "a longer text is no prefix");
    assert_eq!(labelled(store, of, name, LabelQuery::Name("ab-v1")).await.len(), 1, "a name is found whole");
    assert!(labelled(store, of, name, LabelQuery::Name("ab")).await.is_empty(), "a part of a name is no name");
    assert!(labelled(store, of, name, LabelQuery::Name("abc123")).await.is_empty(), "a commit is no name");
}

async fn listed(store: &dyn ArtifactStore, query: ArtifactQuery) -> Vec<String> {
    let page = store.search(&ArtifactQuery { limit: 200, ..query }).await.expect("a page");
    page.items.iter().map(|artifact| artifact.coordinate.to_string()).collect()
}

async fn a_list_holds_what_was_asked_for(store: &dyn ArtifactStore, of: RepositoryId, other: RepositoryId) {
    for (repository, name, version) in
        [(of, "example.com/list/a", "v1"), (of, "example.com/list/a", "v2"), (other, "example.com/list/b", "v1")]
    {
        created(store, repository, publication(name, version, "listed")).await;
    }
    store.delete(of, &coordinate("example.com/list/a", "v1"), None, "", &Actor::system()).await.expect("deleted");
    let query = |repositories: &[RepositoryId]| ArtifactQuery {
        repositories: repositories.to_vec(),
        text: Some("com/list/".to_owned()),
        ..ArtifactQuery::default()
    };
    let both = ["example.com/list/b@v1", "example.com/list/a@v2"];
    assert_eq!(listed(store, query(&[of, other])).await, both, "newest first, tombstones hidden");
    assert_eq!(listed(store, query(&[other])).await, both[..1], "one repository");
    assert!(listed(store, query(&[])).await.is_empty(), "no repository is nothing, not everything");
    let package = ArtifactQuery { package: Some("example.com/list/a".into()), ..query(&[of, other]) };
    assert_eq!(listed(store, package).await, both[1..], "exactly a package");
    let version = ArtifactQuery { version: Some("v2".into()), ..query(&[of, other]) };
    assert_eq!(listed(store, version).await, both[1..], "exactly a version");
    let deleted = ArtifactQuery { state: Some(ArtifactState::Deleted), ..query(&[of, other]) };
    assert_eq!(listed(store, deleted).await, ["example.com/list/a@v1"], "a state that is asked for, also deleted");
    for text in ["com%list", "com_list", "com/list/a'"] {
        let wild = ArtifactQuery { text: Some(text.into()), ..query(&[of, other]) };
        assert!(listed(store, wild).await.is_empty(), "{text}: no character is a pattern");
    }
}

async fn pages_follow_each_other_without_doubles(store: &dyn ArtifactStore, of: RepositoryId, other: RepositoryId) {
    let name = "example.com/pages";
    let mut expected = Vec::new();
    for number in 0..7 {
        let repository = if number % 2 == 0 { of } else { other };
        let made = created(store, repository, publication(name, &format!("v{number}"), "paged")).await;
        expected.insert(0, made.id);
    }
    let mut query = ArtifactQuery {
        repositories: vec![of, other],
        package: Some(name.to_owned()),
        limit: 3,
        ..ArtifactQuery::default()
    };
    let mut seen = Vec::new();
    for length in [3, 3, 1] {
        let page = store.search(&query).await.expect("a page");
        assert_eq!(page.items.len(), length, "a page is full while more follow");
        seen.extend(page.items.iter().map(|artifact| artifact.id));
        assert_eq!(page.more, seen.len() < expected.len(), "whether more follow, after {} entries", seen.len());
        query.after = seen.last().copied();
        // A publication between two pages stands before the first one and moves nothing.
        created(store, of, publication(name, &format!("v{}", 100 + seen.len()), "paged")).await;
    }
    assert_eq!(seen, expected, "the pages together are the list, newest first, nothing twice");
    let whole = ArtifactQuery { limit: 10, after: None, ..query };
    let page = store.search(&whole).await.expect("a page");
    assert_eq!((page.items.len(), page.more), (10, false), "a page that is exactly full has no more");
}
