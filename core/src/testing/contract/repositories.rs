//! The promises of [`RepositoryStore`], and what it promises together with an [`ArtifactStore`].

use std::sync::Arc;

use super::fixture::{address, coordinate, details, publication};
use crate::artifact::{ArtifactStore, StoreError};
use crate::repository::{
    Actor, Counts, Deletion, Repository, RepositoryDetails, RepositoryId, RepositoryKind, RepositoryStore, Settings,
};
use crate::source::Source;

/// The promises of a store of repositories that is empty when it is given.
///
/// # Panics
/// When one is broken.
pub async fn repository_store(store: &dyn RepositoryStore) {
    an_address_is_taken_once(store).await;
    a_record_comes_back_as_it_was_given(store).await;
    the_list_is_in_order_of_address(store).await;
    an_update_needs_the_revision_it_read(store).await;
    one_repository_of_a_format_is_its_default(store).await;
}

/// What a store of repositories and a store of artifacts over the same data promise together.
///
/// # Panics
/// When a promise is broken.
pub async fn repository_content(repositories: &dyn RepositoryStore, artifacts: &dyn ArtifactStore) {
    counts_leave_tombstones_out(repositories, artifacts).await;
    a_changed_record_changes_the_generation(repositories, artifacts).await;
}

async fn made(store: &dyn RepositoryStore, format: &str, name: &str, details: RepositoryDetails) -> Arc<Repository> {
    let made = store.create(&address(format, name), details, &Actor::system()).await;
    made.expect("a free address can be taken")
}

async fn found(store: &dyn RepositoryStore, format: &str, name: &str) -> Option<Arc<Repository>> {
    store.find(&address(format, name)).await.expect("an answer")
}

async fn an_address_is_taken_once(store: &dyn RepositoryStore) {
    assert!(found(store, "first", "local").await.is_none(), "nothing is there before it is made");
    let one = made(store, "first", "local", details()).await;
    let again = RepositoryDetails { description: "another".to_owned(), ..details() };
    let again = store.create(&address("first", "local"), again, &Actor::system()).await;
    assert!(matches!(again, Err(StoreError::AlreadyExists)), "a taken address is AlreadyExists, not {again:?}");
    let there = found(store, "first", "local").await.expect("the first one stays");
    assert_eq!((there.id, &*there.description), (one.id, "a sample"), "a refused creation changes nothing");
    let other = made(store, "second", "local", details()).await;
    assert_ne!(other.id, one.id, "another format may use the same name");
}

async fn a_record_comes_back_as_it_was_given(store: &dyn RepositoryStore) {
    let settings = serde_json::json!({ "list": ["a", "b"], "flag": true, "text": "ü\"'\\" });
    let settings = Settings(settings.as_object().expect("an object").clone());
    let given = RepositoryDetails {
        source: Source::Hosted,
        description: "two\nlines, 'quotes' and ü".to_owned(),
        anonymous_read: false,
        default_upload: true,
        deletion: Deletion::Never,
        settings: settings.clone(),
    };
    let given = made(store, "third", "given", given).await;
    let kept = found(store, "third", "given").await.expect("what was made is found");
    for one in [&given, &kept] {
        assert_eq!(one.address, address("third", "given"), "the address");
        assert_eq!(one.description, "two\nlines, 'quotes' and ü", "the description");
        assert_eq!((one.anonymous_read, one.default_upload), (false, true), "the switches");
        assert_eq!((one.kind(), one.deletion), (RepositoryKind::Hosted, Deletion::Never), "kind and deletion");
        assert_eq!(one.settings, settings, "the settings");
    }
    assert_eq!((given.id, given.revision), (kept.id, kept.revision), "the answer is what is kept");
    assert_eq!(given.created_at, kept.created_at, "the answer is what is kept");
}

async fn the_list_is_in_order_of_address(store: &dyn RepositoryStore) {
    for (format, name) in [("zz", "a"), ("aa", "z"), ("aa", "b.c"), ("aa", "b")] {
        made(store, format, name, details()).await;
    }
    let all = store.list().await.expect("a list");
    let all: Vec<_> = all.iter().map(|one| one.address.clone()).collect();
    assert!(all.is_sorted(), "the list is in order of address: {all:?}");
    for (format, name) in [("zz", "a"), ("aa", "z"), ("aa", "b.c"), ("aa", "b"), ("first", "local")] {
        assert_eq!(all.iter().filter(|one| **one == address(format, name)).count(), 1, "{format}/{name} once");
    }
}

async fn an_update_needs_the_revision_it_read(store: &dyn RepositoryStore) {
    let read = made(store, "updated", "local", details()).await;
    let new = |text: &str| RepositoryDetails { description: text.to_owned(), anonymous_read: false, ..details() };
    let by = Actor::system();
    let changed = store.update(read.id, read.revision, new("new"), &by).await.expect("an answer");
    let changed = changed.expect("the revision that was read");
    assert_ne!(changed.revision, read.revision, "a change changes the revision");
    assert_eq!((changed.id, &changed.address), (read.id, &read.address), "a change keeps id and address");
    assert_eq!(changed.created_at, read.created_at, "a change keeps the time of creation");
    let late = store.update(read.id, read.revision, new("late"), &by).await.expect("an answer");
    assert!(late.is_none(), "an update of an old revision is None");
    let there = found(store, "updated", "local").await.expect("it");
    assert_eq!((&*there.description, there.anonymous_read), ("new", false), "a change is seen at once, a late one not");
    let nowhere = store.update(RepositoryId(i64::MAX), 1, new("x"), &by).await.expect("an answer");
    assert!(nowhere.is_none(), "an update of an unknown repository is None");
}

async fn one_repository_of_a_format_is_its_default(store: &dyn RepositoryStore) {
    let default = RepositoryDetails { default_upload: true, ..details() };
    let other = made(store, "elsewhere", "local", default.clone()).await;
    let first = made(store, "default", "a", default.clone()).await;
    let second = made(store, "default", "b", default.clone()).await;
    assert!(second.default_upload, "the last one made the default is it");
    let before = found(store, "default", "a").await.expect("it");
    assert!(!before.default_upload, "making one the default takes that from the one that had it");
    assert_ne!(before.revision, first.revision, "the one that lost it has changed");
    let again = store.update(before.id, before.revision, default, &Actor::system()).await.expect("an answer");
    assert!(again.is_some_and(|again| again.default_upload), "an update can make it the default again");
    let default_of = |name| async move { found(store, "default", name).await.expect("it").default_upload };
    assert_eq!((default_of("a").await, default_of("b").await), (true, false), "a default by an update");
    let other = found(store, "elsewhere", other.address.name.as_str()).await.expect("it");
    assert!(other.default_upload, "another format's default stays");
}

async fn counts_leave_tombstones_out(repositories: &dyn RepositoryStore, artifacts: &dyn ArtifactStore) {
    let local = made(repositories, "counted", "local", details()).await;
    let empty = repositories.counts(local.id).await.expect("counts");
    assert_eq!(empty, Counts::default(), "an empty repository counts nothing");
    for (package, version) in [("example.com/a", "v1"), ("example.com/a", "v2"), ("example.com/b", "v1")] {
        artifacts.publish(local.id, publication(package, version, "12345")).await.expect("published");
    }
    let gone = coordinate("example.com/b", "v1");
    artifacts.delete(local.id, &gone, None, "", &Actor::system()).await.expect("deleted");
    let files = publication("example.com/a", "v1", "12345").files;
    let bytes: u64 = files.iter().map(|file| file.content.size()).sum();
    let counts = repositories.counts(local.id).await.expect("counts");
    assert_eq!(counts, Counts { packages: 1, artifacts: 2, bytes: 2 * bytes }, "two versions of one package");
}

async fn a_changed_record_changes_the_generation(repositories: &dyn RepositoryStore, artifacts: &dyn ArtifactStore) {
    let default = RepositoryDetails { default_upload: true, ..details() };
    let local = made(repositories, "generated", "local", default.clone()).await;
    let before = artifacts.generation(local.id);
    let private = RepositoryDetails { anonymous_read: false, ..default.clone() };
    repositories
        .update(local.id, local.revision, private, &Actor::system())
        .await
        .expect("an answer")
        .expect("updated");
    let updated = artifacts.generation(local.id);
    assert_ne!(updated, before, "a change of the record changes the generation");
    made(repositories, "generated", "other", default).await;
    assert_ne!(artifacts.generation(local.id), updated, "losing the default changes the generation");
}
