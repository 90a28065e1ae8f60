//! The collector over the ports in memory.

use bytes::Bytes;

use super::*;
use crate::artifact::{ArtifactFile, ArtifactStore, Coordinate, FileContent};
use crate::blob::BlobStore as _;
use crate::repository::{Actor, RepositoryId, RepositoryStore};
use crate::testing::contract;
use crate::testing::memory::{MemoryBlobs, MemoryStore};

const AT_ONCE: CollectorPolicy = CollectorPolicy {
    grace: Duration::ZERO,
    unlink_delay: Duration::ZERO,
    max_percent: 10,
    unlinks_per_second: 10_000,
};

struct World {
    store: Arc<MemoryStore>,
    blobs: MemoryBlobs,
    local: RepositoryId,
}

impl World {
    async fn new() -> Self {
        let (store, blobs) = (Arc::new(MemoryStore::new()), MemoryBlobs::new());
        let (at, details) = (contract::address("notes", "local"), contract::details());
        let made = store.create(&at, details, &Actor::system()).await.expect("a repository");
        Self { store, blobs, local: made.id }
    }

    fn collector(&self, policy: CollectorPolicy) -> Collector {
        Collector::new(self.store.clone(), Arc::new(self.blobs.clone()), policy)
    }

    async fn run(&self, policy: CollectorPolicy, mode: Mode) -> Collected {
        self.collector(policy).run(mode, &|_| true).await.expect("a run")
    }

    async fn commit(&self, text: &str) -> BlobInfo {
        let mut stage = self.blobs.stage(1 << 20).await.expect("a stage");
        stage.write(Bytes::copy_from_slice(text.as_bytes())).await.expect("a write");
        stage.commit().await.expect("a commit")
    }

    /// A version with one stored file of this text.
    async fn publish(&self, name: &str, text: &str) -> Coordinate {
        let mut what = contract::publication(name, "v1", text);
        let blob = self.commit(text).await;
        let stored = |file: &mut ArtifactFile| matches!(file.content, FileContent::Stored(_));
        let file = what.files.iter_mut().find_map(|file| stored(file).then_some(file)).expect("a stored file");
        file.content = FileContent::Stored(blob);
        let coordinate = what.coordinate.clone();
        self.store.publish(self.local, what).await.expect("published");
        coordinate
    }

    async fn delete(&self, what: &Coordinate) {
        self.store.delete(self.local, what, None, "", &Actor::system()).await.expect("deleted");
    }
}

#[tokio::test]
async fn what_no_version_needs_goes_and_all_else_stays() {
    let world = World::new().await;
    world.publish("kept", "kept").await;
    world.publish("shares", "shared").await;
    let gone = world.publish("gone", "gone").await;
    let sharing = world.publish("shared", "shared").await;
    world.delete(&gone).await;
    world.delete(&sharing).await;
    let run = world.run(AT_ONCE, Mode::Careful).await;
    assert_eq!((run.unreferenced.blobs, run.unlinked.blobs, run.in_trash.blobs), (1, 1, 0), "{run:?}");
    // Of the equal bytes that were published twice, one copy is nobody's; it is seen for the first time.
    assert_eq!((run.orphans.blobs, run.waiting.blobs), (0, 1), "{run:?}");
    let again = world.run(AT_ONCE, Mode::Careful).await;
    assert_eq!((again.orphans.blobs, again.unlinked.blobs), (1, 1), "{again:?}");
    assert_eq!(world.blobs.locations().len(), 2);
    let last = world.run(AT_ONCE, Mode::Careful).await;
    assert_eq!((last.stored.blobs, last.unlinked.blobs, last.waiting.blobs), (2, 0, 0), "{last:?}");
}

#[tokio::test]
async fn a_dry_run_tells_what_a_run_then_does_and_changes_nothing() {
    let world = World::new().await;
    let gone = world.publish("gone", "gone").await;
    world.delete(&gone).await;
    for _ in 0..2 {
        let dry = world.run(AT_ONCE, Mode::DryRun).await;
        assert_eq!((dry.unreferenced.blobs, dry.unlinked.blobs), (1, 0), "{dry:?}");
    }
    assert_eq!(world.blobs.locations().len(), 1);
    assert_eq!(world.run(AT_ONCE, Mode::Careful).await.unlinked.blobs, 1);
}

#[tokio::test]
async fn nothing_goes_before_its_grace_and_no_bytes_before_their_delay() {
    let hour = Duration::from_secs(60 * 60);
    let world = World::new().await;
    world.commit("orphan").await;
    for _ in 0..3 {
        let run = world.run(CollectorPolicy { grace: hour, ..AT_ONCE }, Mode::Careful).await;
        assert_eq!((run.orphans.blobs, run.waiting.blobs), (0, 1), "{run:?}");
    }
    let gone = world.publish("gone", "gone").await;
    world.delete(&gone).await;
    let run = world.run(CollectorPolicy { unlink_delay: hour, ..AT_ONCE }, Mode::Careful).await;
    assert_eq!((run.unlinked.blobs, run.in_trash.blobs), (0, 2), "{run:?}");
    assert_eq!(world.blobs.locations().len(), 2);
}

#[tokio::test]
async fn a_suspicious_run_removes_nothing_until_it_is_confirmed() {
    let world = World::new().await;
    let few = COLLECTOR_UNSUSPICIOUS;
    for number in 0..=few {
        let one = world.publish(&format!("gone-{number}"), &format!("gone {number}")).await;
        world.delete(&one).await;
    }
    let run = world.run(AT_ONCE, Mode::Careful).await;
    assert!(run.suspicious && run.discarded == Tally::default(), "{run:?}");
    assert_eq!(world.blobs.locations().len() as u64, few + 1);
    let generous = world.run(CollectorPolicy { max_percent: 100, ..AT_ONCE }, Mode::DryRun).await;
    assert!(!generous.suspicious, "{generous:?}");
    let confirmed = world.run(AT_ONCE, Mode::Confirmed).await;
    assert_eq!(confirmed.unlinked.blobs, few + 1, "{confirmed:?}");
}

#[tokio::test]
async fn a_run_that_is_stopped_or_fails_anywhere_is_completed_by_the_next() {
    for calls in 0..40 {
        let world = World::new().await;
        world.publish("kept", "kept").await;
        let gone = world.publish("gone", "gone").await;
        world.delete(&gone).await;
        world.store.fail_after(calls);
        let failed = world.collector(AT_ONCE).run(Mode::Careful, &|_| true).await.is_err();
        world.store.recover();
        let locations = world.blobs.locations();
        for entry in world.store.entries(None, 10).await.expect("entries") {
            assert!(locations.contains(&entry.blob.location), "call {calls}: a row without bytes");
        }
        world.run(AT_ONCE, Mode::Careful).await;
        assert_eq!(world.blobs.locations().len(), 1, "call {calls} failed: {failed}");
    }
    let world = World::new().await;
    let stopped = world.collector(AT_ONCE).run(Mode::Careful, &|_| false).await.expect("a run");
    assert_eq!(stopped.unlinked, Tally::default());
}

#[tokio::test]
async fn what_one_run_does_not_take_counts_all_the_same_when_it_is_judged_to_be_too_much() {
    let world = World::new().await;
    for number in 0..40 {
        let what = world.publish(&format!("p{number}"), &format!("{number}")).await;
        if number % 2 == 0 {
            world.delete(&what).await;
        }
    }
    let mut collector = world.collector(AT_ONCE);
    collector.candidates = 2;
    let run = collector.run(Mode::Careful, &|_| true).await.expect("a run");
    assert!(run.suspicious && run.discarded.blobs == 0, "{run:?}");
    assert_eq!(run.unreferenced.blobs, 20);
    let run = collector.run(Mode::Confirmed, &|_| true).await.expect("a run");
    assert_eq!(run.discarded.blobs, 2, "it goes on in the next run");
}
