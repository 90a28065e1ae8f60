//! What readers get, and how long it is believed.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::notes::{SMALL_BYTES, coordinate};
use super::world::{World, admin, code, long, token};
use crate::access::Principal;
use crate::artifact::{ArtifactState, StoreError};
use crate::digest::Digest;
use crate::format::MaxAge;
use crate::pipeline::Resolution;
use crate::repository::{
    Actor, Counts, Repository, RepositoryAddress, RepositoryDetails, RepositoryId, RepositoryStore,
};
use crate::testing::contract;

#[tokio::test]
async fn a_published_file_is_read_back_small_or_large() {
    let world = World::new().await;
    let long = long("long");
    for (version, text) in [("1", "short"), ("2", &long)] {
        world.publish("a", version, text).await.expect("published");
        let answer = world.read(&Principal::Anonymous, "local", &format!("/a/{version}.txt")).await.expect("a file");
        assert_eq!(world.bytes(&answer).await.expect("bytes"), text.as_bytes());
        assert_eq!(matches!(answer.resolution, Resolution::Blob(_)), version == "2");
        assert_eq!(answer.resolution.size(), text.len() as u64);
        assert_eq!(answer.etag, format!("\"{}\"", Digest::of(text.as_bytes())));
        assert_eq!((answer.max_age, answer.public), (MaxAge::Immutable, true));
        assert!(answer.published_at.is_some());
    }
}

#[tokio::test]
async fn an_answer_is_kept_until_a_publication_or_a_deletion() {
    let world = World::new().await;
    let first = world.publish("a", "1", "one").await.expect("published");
    for _ in 0..3 {
        assert_eq!(world.text("/a/list").await.expect("a list"), "1");
    }
    assert_eq!(world.computed(), 1, "a kept answer was computed again");
    world.publish("a", "2", "two").await.expect("published");
    assert_eq!(world.text("/a/list").await.expect("a list"), "1 2");
    assert_eq!(world.text("/a/1.txt").await.expect("a file"), "one");
    world.delete(&admin(), &first.artifact).await.expect("deleted");
    assert_eq!(world.text("/a/list").await.expect("a list"), "2");
    assert_eq!(code(world.text("/a/1.txt").await), "deleted");
}

#[tokio::test]
async fn an_absence_is_not_kept() {
    let world = World::new().await;
    assert_eq!(code(world.text("/a/list").await), "not_found");
    assert_eq!(code(world.text("/a/1.txt").await), "version_not_found");
    world.publish("a", "1", "one").await.expect("published");
    assert_eq!(world.text("/a/list").await.expect("a list"), "1");
    assert_eq!(world.text("/a/1.txt").await.expect("a file"), "one");
}

#[tokio::test]
async fn pages_and_queries_are_answered_anew_and_each_declared_header_has_its_own_answer() {
    let world = World::new().await;
    world.publish("a", "1", "one").await.expect("published");
    assert_eq!(world.text("/help").await.expect("a page"), "help 0");
    assert_eq!(world.text("/help").await.expect("a page"), "help 1");
    let stranger = Principal::Anonymous;
    world.text("/a/list").await.expect("a list");
    let computed = world.computed();
    for (query, headers) in
        [("all=true", &[][..]), ("", &[("x-note", "1")][..]), ("", &[("x-note", "2")]), ("", &[("x-note", "1")])]
    {
        let answer = world.read_with(&stranger, "local", "/a/list", query, headers).await.expect("a list");
        assert_eq!(answer.varies_by, ["x-note"]);
    }
    assert_eq!(world.computed(), computed + 3, "a query, and two headers of which one came twice");
}

/// The cache is asked before the format names the action, so it may hold only what reading allows.
#[tokio::test]
async fn an_answer_for_managers_is_never_kept_for_readers() {
    let world = World::new().await;
    world.publish("a", "1", "one").await.expect("published");
    let reader = token("read", &["*"], None);
    for _ in 0..2 {
        world.read(&admin(), "local", "/a/drafts").await.expect("a list for managers");
        assert_eq!(code(world.read(&reader, "local", "/a/drafts").await), "manage_denied");
        assert_eq!(code(world.read(&Principal::Anonymous, "local", "/a/drafts").await), "login_required");
    }
}

#[tokio::test]
async fn an_answer_is_private_as_soon_as_the_repository_is() {
    let world = World::new().await;
    world.publish("a", "1", "one").await.expect("published");
    assert!(world.read(&admin(), "local", "/a/list").await.expect("a list").public);
    let local = world.store.find(&contract::address("notes", "local")).await.expect("an answer").expect("it");
    let private = RepositoryDetails { anonymous_read: false, ..contract::details() };
    world.store.update(local.id, local.revision, private, &Actor::system()).await.expect("an answer").expect("updated");
    assert!(!world.read(&admin(), "local", "/a/list").await.expect("a list").public);
    assert_eq!(code(world.text("/a/list").await), "login_required");
}

/// Repositories, of which one lookup may answer a record read a moment too early.
struct Late {
    store: Arc<dyn RepositoryStore>,
    old: Arc<Mutex<Option<Arc<Repository>>>>,
}

#[async_trait]
impl RepositoryStore for Late {
    async fn find(&self, at: &RepositoryAddress) -> Result<Option<Arc<Repository>>, StoreError> {
        let old = self.old.lock().expect("no panic").take();
        if old.is_some() { Ok(old) } else { self.store.find(at).await }
    }

    async fn list(&self) -> Result<Vec<Arc<Repository>>, StoreError> {
        self.store.list().await
    }

    async fn create(
        &self,
        at: &RepositoryAddress,
        details: RepositoryDetails,
        by: &Actor,
    ) -> Result<Arc<Repository>, StoreError> {
        self.store.create(at, details, by).await
    }

    async fn update(
        &self,
        of: RepositoryId,
        revision: i64,
        details: RepositoryDetails,
        by: &Actor,
    ) -> Result<Option<Arc<Repository>>, StoreError> {
        self.store.update(of, revision, details, by).await
    }

    async fn counts(&self, of: RepositoryId) -> Result<Counts, StoreError> {
        self.store.counts(of).await
    }
}

/// A read that found the record before a change and the generation after it must not keep its answer: it
/// would tell shared caches "public" until the next publication.
#[tokio::test]
async fn an_answer_of_an_old_record_is_not_kept_under_the_new_generation() {
    let old = Arc::new(Mutex::new(None));
    let world = World::with(|store| Arc::new(Late { store, old: old.clone() }));
    let public = world.repository("local", |_| {}).await;
    world.publish("a", "1", "one").await.expect("published");
    let private = RepositoryDetails { anonymous_read: false, ..contract::details() };
    world
        .store
        .update(public.id, public.revision, private, &Actor::system())
        .await
        .expect("an answer")
        .expect("updated");
    *old.lock().expect("no panic") = Some(public);
    assert!(world.read(&admin(), "local", "/a/list").await.expect("a list").public, "the record before the change");
    assert!(!world.read(&admin(), "local", "/a/list").await.expect("a list").public, "the answer was kept");
}

#[tokio::test]
async fn an_absence_may_be_believed_only_where_everybody_gets_it() {
    let world = World::new().await;
    world.repository("private", |details| details.anonymous_read = false).await;
    for (repository, believed) in [("local", Some(60)), ("private", None)] {
        for path in ["/a/1.txt", "/a/list"] {
            let failure = world.read(&admin(), repository, path).await.expect_err("absent");
            assert_eq!(failure.cacheable_s, believed, "{repository}{path}");
        }
    }
    let failure = world.read(&Principal::Anonymous, "local", "/a/../b").await.expect_err("malformed");
    assert_eq!(failure.cacheable_s, None, "a fault is no absence");
}

#[tokio::test]
async fn states_decide_what_is_listed_and_what_is_served() {
    let world = World::new().await;
    let local = world.id("local").await;
    world.publish("a", "1", "one").await.expect("published");
    world.publish("a", "2", "two").await.expect("published");
    let rows = [
        (ArtifactState::Active, "1 2", None),
        (ArtifactState::Yanked, "2", None),
        (ArtifactState::Blocked, "2", Some("blocked")),
    ];
    for (state, list, refusal) in rows {
        world.store.set_state(local, &coordinate("a", "1"), state, "CVE-1");
        assert_eq!(world.text("/a/list").await.expect("a list"), list, "{state:?}");
        let file = world.text("/a/1.txt").await;
        assert_eq!(file.as_ref().err().map(|failure| failure.code().name), refusal, "{state:?}");
        let small = world.text("/small/a").await;
        assert_eq!(small.is_ok(), refusal.is_none(), "{state:?}: a format sees what the gate admits");
    }
    let failure = world.text("/a/1.txt").await.expect_err("blocked");
    assert!(failure.first().detail.contains("CVE-1"), "{failure}");
}

#[tokio::test]
async fn a_format_reads_small_files_up_to_its_limit() {
    let world = World::new().await;
    for (package, length, seen) in [("a", 3, true), ("b", SMALL_BYTES, true), ("c", SMALL_BYTES + 1, false)] {
        world.publish(package, "1", &"x".repeat(length as usize)).await.expect("published");
        let small = world.text(&format!("/small/{package}")).await;
        assert_eq!(small.map_or(0, |text| text.len() as u64), if seen { length } else { 0 }, "{package}");
    }
}

#[tokio::test]
async fn an_unknown_package_and_an_unknown_version_are_told_apart() {
    let world = World::new().await;
    let first = world.publish("a", "1", "one").await.expect("published");
    let unknown = |path: &'static str| {
        let world = &world;
        async move { world.text(path).await.expect_err("absent").first().detail.clone() }
    };
    assert_eq!(unknown("/a/9.txt").await, "unknown version: a@9");
    assert_eq!(unknown("/b/1.txt").await, "unknown package: b@1");
    world.delete(&admin(), &first.artifact).await.expect("deleted");
    assert_eq!(unknown("/a/9.txt").await, "unknown version: a@9", "a package of tombstones is known");
    assert_eq!(world.text("/a/list").await.expect("a list"), "", "and lists nothing");
}
