//! Trouble of the ports: never absence, never half a version, and over when the port is well again.

use super::world::{World, code, long};
use crate::access::Principal;
use crate::artifact::ArtifactStore as _;
use crate::blob::{BlobInfo, BlobStore as _};
use crate::error::Class;
use crate::format::MaxAge;
use crate::pipeline::{Resolution, Upload};

/// More calls of a port than any operation here makes.
const ENOUGH: u64 = 40;

#[tokio::test]
async fn a_blob_store_that_fails_at_any_call_leaves_nothing_visible() {
    let world = World::new().await;
    for calls in 0..ENOUGH {
        let upload = world.upload("a", "1", &long("one")).await;
        world.blobs.fail_after(calls);
        let answer = world.send(upload).await;
        world.blobs.recover();
        if answer.is_ok_and(|published| published.created) {
            assert_eq!(world.text("/a/1.txt").await.expect("a file"), long("one"));
            assert!(calls >= 4, "only {calls} calls were tried");
            return;
        }
        assert!(world.kept("a", "1").await.is_none(), "a version after {calls} calls");
        assert_eq!(code(world.text("/a/list").await), "not_found", "a package after {calls} calls");
        assert_eq!(code(world.text("/a/1.json").await), "version_not_found", "a file after {calls} calls");
    }
    panic!("{ENOUGH} calls were not enough");
}

#[tokio::test]
async fn a_failing_blob_store_is_storage_unavailable() {
    let world = World::new().await;
    for calls in 0..4 {
        let upload = world.upload("a", "1", &long("one")).await;
        world.blobs.fail_after(calls);
        let failure = world.send(upload).await.expect_err("a fault");
        assert_eq!((failure.code().name, failure.code().class), ("storage_unavailable", Class::Unavailable), "{calls}");
        world.blobs.recover();
    }
}

#[tokio::test]
async fn a_database_that_fails_at_any_call_leaves_all_or_nothing() {
    let world = World::new().await;
    let upload = || async { Upload { repository: None, ..world.upload("a", "1", &long("one")).await } };
    for calls in 0..ENOUGH {
        let upload = upload().await;
        world.store.fail_after(calls);
        let answer = world.send(upload).await;
        world.store.recover();
        if let Err(failure) = answer {
            assert_eq!(failure.code().name, "database_unavailable", "after {calls} calls");
            assert!(world.kept("a", "1").await.is_none(), "a version after {calls} calls");
            continue;
        }
        assert!(calls >= 3, "only {calls} calls were tried");
        assert_eq!(world.text("/a/1.txt").await.expect("a file"), long("one"));
        return;
    }
    panic!("{ENOUGH} calls were not enough");
}

#[tokio::test]
async fn a_database_that_fails_is_never_an_absence() {
    let world = World::new().await;
    world.publish("a", "1", "one").await.expect("published");
    for path in ["/a/1.txt", "/a/2.txt", "/b/1.txt", "/a/list", "/b/list", "/small/a", "/small/b"] {
        let mut answers = Vec::new();
        loop {
            world.store.fail_after(answers.len() as u64);
            // A query, so that nothing is answered from memory.
            let answer = world.read_with(&Principal::Anonymous, "local", path, "q", &[]).await;
            let calls_were_left = world.store.ping().await.is_ok();
            world.store.recover();
            if calls_were_left {
                break;
            }
            answers.push(answer);
        }
        // The last one had exactly the calls it needed.
        answers.truncate(answers.len() - 1);
        assert!(answers.len() >= 2, "{path}: only {} calls failed", answers.len());
        for answer in answers {
            assert_eq!(code(answer), "database_unavailable", "{path}");
        }
    }
}

#[tokio::test]
async fn a_missing_blob_is_a_fault_of_the_server_and_no_absence() {
    let world = World::new().await;
    world.publish("a", "1", &long("one")).await.expect("published");
    world.lose_blobs().await;
    for path in ["/a/1.txt", "/small/a"] {
        let failure = world.text(path).await.expect_err("a fault");
        assert_eq!((failure.code().name, failure.code().class), ("blob_missing", Class::Internal), "{path}");
        assert_eq!(failure.cacheable_s, None, "{path}");
    }
    assert_eq!(world.text("/a/list").await.expect("a list"), "1", "what needs no blob is still served");
}

#[tokio::test]
async fn a_blob_of_another_length_is_damaged() {
    let world = World::new().await;
    world.publish("a", "1", &long("one")).await.expect("published");
    let answer = world.read(&Principal::Anonymous, "local", "/a/1.txt").await.expect("a file");
    let Resolution::Blob(blob) = answer.resolution else {
        panic!("a long text is a blob");
    };
    let recorded = BlobInfo { size: blob.size + 1, ..blob };
    let opened = world.keeper.open(&recorded, None).await.map(drop);
    assert_eq!(code(opened), "blob_corrupt");
}

#[tokio::test]
async fn a_lost_blob_is_healed_by_publishing_the_same_again() {
    let world = World::new().await;
    let first = world.publish("a", "1", &long("one")).await.expect("published");
    assert_eq!(world.text("/a/1.txt").await.expect("a file"), long("one"));
    world.lose_blobs().await;
    let again = world.publish("a", "1", &long("one")).await.expect("a repeat");
    assert!(!again.created && again.artifact.id == first.artifact.id);
    // The answer kept before still names the old copy.
    assert_eq!(world.text("/a/1.txt").await.expect("a healed file"), long("one"));
    assert_eq!(world.blobs.locations().len(), 1);
}

#[tokio::test]
async fn a_lost_blob_is_healed_by_another_version_of_the_same_bytes() {
    let world = World::new().await;
    world.publish("a", "1", &long("one")).await.expect("published");
    world.lose_blobs().await;
    assert!(world.publish("b", "1", &long("one")).await.expect("published").created);
    for path in ["/a/1.txt", "/b/1.txt"] {
        assert_eq!(world.text(path).await.expect("a file"), long("one"), "{path}");
    }
    assert_eq!(world.blobs.locations().len(), 1);
}

/// The database may have moved the row to the fresh copy before its answer was lost: removing the copy would
/// leave a row without bytes. It stays, and if no row names it the collector takes it.
#[tokio::test]
async fn a_fresh_copy_stays_when_nobody_knows_whether_a_row_names_it() {
    let world = World::new().await;
    world.publish("a", "1", &long("one")).await.expect("published");
    world.lose_blobs().await;
    let upload = world.upload("b", "1", &long("one")).await;
    // The repository, the twins, the version before, the publication; then the relocation fails.
    world.store.fail_after(4);
    let sent = world.send(upload).await;
    assert_eq!(code(sent.map(drop)), "database_unavailable", "nothing is acknowledged that rests on lost bytes");
    assert!(world.store.ping().await.is_err(), "the relocation was to fail");
    world.store.recover();
    assert_eq!(world.blobs.locations().len(), 1, "the only copy of these bytes was removed");
    assert!(!world.publish("b", "1", &long("one")).await.expect("a repeat").created);
    assert_eq!(world.text("/b/1.txt").await.expect("a healed file"), long("one"));
}

#[tokio::test]
async fn a_copy_that_was_replaced_while_it_was_asked_for_is_found_again() {
    let world = World::new().await;
    world.publish("a", "1", &long("one")).await.expect("published");
    let kept = world.read(&Principal::Anonymous, "local", "/a/1.txt").await.expect("a file");
    let Resolution::Blob(old) = &kept.resolution else {
        panic!("a long text is a blob");
    };
    let mut stage = world.blobs.stage(1 << 20).await.expect("a stage");
    stage.write(long("one").into()).await.expect("a write");
    let new = stage.commit().await.expect("a copy");
    assert!(world.store.relocate(&old.location, &new.location).await.expect("relocated"));
    assert!(world.blobs.delete(&old.location).await.expect("deleted"));
    assert_eq!(world.bytes(&kept).await.expect("the new copy"), long("one").as_bytes());
    assert_eq!(kept.max_age, MaxAge::Immutable);
}

/// An archive writer that drops an error must not turn a full disk into a version with a hole.
#[tokio::test]
async fn a_write_error_that_a_format_swallows_is_still_a_fault() {
    let world = World::new().await;
    let text = long("swallow");
    let upload = world.upload("a", "1", &text).await;
    // The reader of the upload; then the stage of the resulting file fails.
    world.blobs.fail_after(1);
    let answer = world.send(upload).await;
    world.blobs.recover();
    assert_eq!(code(answer), "storage_unavailable");
    assert!(world.kept("a", "1").await.is_none(), "a version with a hole");
    world.publish("a", "1", &text).await.expect("published once it is well");
    assert_eq!(world.text("/a/1.txt").await.expect("a file"), text);
}

#[tokio::test]
async fn a_write_error_that_a_format_blames_on_the_upload_is_still_a_fault() {
    let world = World::new().await;
    let upload = world.upload("a", "1", &long("blame")).await;
    world.blobs.fail_after(1);
    let answer = world.send(upload).await;
    world.blobs.recover();
    assert_eq!(code(answer), "storage_unavailable");
    assert!(world.publish("a", "1", &long("blame")).await.expect("published once it is well").created);
}

#[tokio::test]
async fn a_format_that_panics_costs_its_own_upload_only() {
    let world = World::new().await;
    for _ in 0..2 {
        assert_eq!(code(world.publish("a", "1", "panic").await), "internal");
    }
    assert!(world.publish("a", "1", "one").await.expect("the next upload has its turn").created);
}
