//! The promises of [`BlobLedger`], together with the [`ArtifactStore`] whose files name the blobs.

use jiff::{SignedDuration, Timestamp};

use super::artifacts::created;
use super::fixture::{coordinate, location, publication};
use crate::artifact::{ArtifactStore, FileContent, Publication, StoreError};
use crate::blob::{BlobInfo, BlobLocation};
use crate::ledger::{BlobLedger, LedgerEntry, StoredCopy};
use crate::limits::REMOVAL_MEMORY;
use crate::repository::{Actor, RepositoryId};

/// The promises of the collector's books over a store that is empty when it is given.
///
/// # Panics
/// When one is broken.
pub async fn blob_ledger(ledger: &dyn BlobLedger, artifacts: &dyn ArtifactStore, of: RepositoryId) {
    a_blob_is_waste_when_its_last_file_is_gone(ledger, artifacts, of).await;
    a_named_blob_is_never_discarded(ledger, artifacts, of).await;
    a_copy_in_the_trash_is_never_named_again(ledger, artifacts, of).await;
    a_copy_that_was_removed_is_never_named_either(ledger, artifacts, of).await;
    the_trash_is_emptied_when_its_time_has_come(ledger).await;
    entries_follow_each_other(ledger, artifacts, of).await;
    strangers_are_remembered_until_they_are_none(ledger, artifacts, of).await;
}

fn blob_of(what: &Publication) -> BlobInfo {
    let stored = what.files.iter().find_map(|file| match &file.content {
        FileContent::Stored(blob) => Some(blob.clone()),
        FileContent::Inline(_) => None,
    });
    stored.expect("a sample has a stored file")
}

async fn entry(ledger: &dyn BlobLedger, of: &BlobInfo) -> Option<LedgerEntry> {
    let all = ledger.entries(None, 1_000).await.expect("entries");
    all.into_iter().find(|entry| entry.blob.location.digest() == of.location.digest())
}

async fn delete(artifacts: &dyn ArtifactStore, of: RepositoryId, name: &str, version: &str) {
    artifacts.delete(of, &coordinate(name, version), None, "", &Actor::system()).await.expect("deleted").expect("it");
}

async fn trash(ledger: &dyn BlobLedger) -> Vec<BlobLocation> {
    let trash = ledger.trash(Timestamp::MAX, None, 1_000).await.expect("trash");
    trash.into_iter().map(|blob| blob.location).collect()
}

async fn a_blob_is_waste_when_its_last_file_is_gone(
    ledger: &dyn BlobLedger,
    artifacts: &dyn ArtifactStore,
    of: RepositoryId,
) {
    let (first, second) =
        (publication("example.com/waste", "v1", "waste"), publication("example.com/waste", "v2", "waste"));
    let blob = blob_of(&first);
    created(artifacts, of, publication("example.com/beside", "v1", "beside")).await;
    created(artifacts, of, first).await;
    created(artifacts, of, second).await;
    let there = entry(ledger, &blob).await.expect("a published blob is recorded");
    assert_eq!((&there.blob, there.referenced), (&blob, true), "with its copy, and named");
    delete(artifacts, of, "example.com/waste", "v1").await;
    assert!(entry(ledger, &blob).await.expect("it").referenced, "another version names it still");
    delete(artifacts, of, "example.com/waste", "v2").await;
    assert!(!entry(ledger, &blob).await.expect("it").referenced, "nobody names it");
    let gone = ledger.discard(std::slice::from_ref(&blob), Timestamp::MAX).await.expect("discarded");
    assert_eq!(gone, std::slice::from_ref(&blob), "what nobody names is discarded");
    assert!(entry(ledger, &blob).await.is_none(), "and is recorded no more");
    assert!(artifacts.blob_location(blob.location.digest()).await.expect("an answer").is_none(), "for nobody");
    ledger.forget(&[blob.location], Timestamp::now()).await.expect("forgotten");
}

async fn a_named_blob_is_never_discarded(ledger: &dyn BlobLedger, artifacts: &dyn ArtifactStore, of: RepositoryId) {
    let what = publication("example.com/named", "v1", "named");
    let blob = blob_of(&what);
    created(artifacts, of, what).await;
    let gone = ledger.discard(std::slice::from_ref(&blob), Timestamp::MIN).await.expect("an answer");
    assert!(gone.is_empty() && trash(ledger).await.is_empty(), "a named blob stays");
    assert!(entry(ledger, &blob).await.expect("it").referenced, "and is recorded");
    delete(artifacts, of, "example.com/named", "v1").await;
}

async fn a_copy_in_the_trash_is_never_named_again(
    ledger: &dyn BlobLedger,
    artifacts: &dyn ArtifactStore,
    of: RepositoryId,
) {
    let late = publication("example.com/late", "v1", "late");
    let blob = blob_of(&late);
    let gone = ledger.discard(std::slice::from_ref(&blob), Timestamp::MAX).await.expect("discarded");
    assert_eq!(gone, std::slice::from_ref(&blob), "a copy that no row names can be discarded");
    let refused = artifacts.publish(of, late).await;
    assert!(matches!(refused, Err(StoreError::TooLate)), "its publication comes too late: {refused:?}");
    let again = publication("example.com/late", "v1", "late");
    let fresh = blob_of(&again);
    created(artifacts, of, again).await;
    let there = entry(ledger, &fresh).await.expect("another copy of the bytes is recorded");
    assert_eq!(there.blob, fresh, "it is the live one");
    let back = artifacts.relocate(&fresh.location, &blob.location).await.expect("an answer");
    assert!(!back, "a copy in the trash does not become the live one");
    ledger.forget(&[blob.location], Timestamp::now()).await.expect("forgotten");
}

async fn a_copy_that_was_removed_is_never_named_either(
    ledger: &dyn BlobLedger,
    artifacts: &dyn ArtifactStore,
    of: RepositoryId,
) {
    let now = Timestamp::now();
    let later = now + REMOVAL_MEMORY;
    let upload = |version| publication("example.com/slow", version, "slow");
    let gone = blob_of(&upload("v1"));
    let of_gone = |version| {
        let mut what = upload(version);
        let stored = what.files.iter_mut().filter(|file| matches!(file.content, FileContent::Stored(_)));
        stored.for_each(|file| file.content = FileContent::Stored(gone.clone()));
        what
    };
    let remove = async |blob: &BlobInfo| {
        ledger.discard(std::slice::from_ref(blob), Timestamp::MIN).await.expect("discarded");
        ledger.forget(std::slice::from_ref(&blob.location), now).await.expect("forgotten");
        assert!(trash(ledger).await.is_empty(), "its bytes are gone");
    };
    remove(&gone).await;
    let refused = artifacts.publish(of, of_gone("v1")).await;
    assert!(matches!(refused, Err(StoreError::TooLate)), "a removed copy was named: {refused:?}");
    let again = upload("v1");
    let fresh = blob_of(&again);
    created(artifacts, of, again).await;
    let back = artifacts.relocate(&fresh.location, &gone.location).await.expect("an answer");
    assert!(!back, "a removed copy does not become the live one");
    delete(artifacts, of, "example.com/slow", "v1").await;
    remove(&fresh).await;

    ledger.forget(&[], later).await.expect("nothing more");
    let refused = artifacts.publish(of, of_gone("v2")).await;
    assert!(matches!(refused, Err(StoreError::TooLate)), "it is known as long as that: {refused:?}");
    ledger.forget(&[], later + SignedDuration::from_secs(1)).await.expect("nothing more");
    // Not by any upload that there is: it shows that names are not kept for ever.
    created(artifacts, of, of_gone("v2")).await;
    delete(artifacts, of, "example.com/slow", "v2").await;
    remove(&gone).await;
}

async fn the_trash_is_emptied_when_its_time_has_come(ledger: &dyn BlobLedger) {
    let now = Timestamp::from_second(1_700_000_000).expect("a time");
    let later = now + SignedDuration::from_secs(60);
    let copy = |text: &[u8]| BlobInfo { location: location(text), size: text.len() as u64 };
    let (due, waiting) = (copy(b"due"), copy(b"waiting"));
    ledger.discard(std::slice::from_ref(&due), now).await.expect("discarded");
    ledger.discard(std::slice::from_ref(&waiting), later).await.expect("discarded");
    assert_eq!(ledger.trash(now, None, 10).await.expect("trash"), std::slice::from_ref(&due), "only what is due");
    let mut both = vec![due.location.clone(), waiting.location.clone()];
    both.sort();
    assert_eq!(trash(ledger).await, both, "in order of location");
    let first = ledger.trash(later, None, 1).await.expect("trash");
    let second = ledger.trash(later, Some(&first[0].location), 10).await.expect("trash");
    assert_eq!(second.len(), 1, "the rest follows the first");
    ledger.forget(&both, Timestamp::now()).await.expect("forgotten");
    ledger.forget(&both, Timestamp::now()).await.expect("forgetting again is harmless");
    assert!(trash(ledger).await.is_empty(), "what is forgotten is gone");
}

async fn entries_follow_each_other(ledger: &dyn BlobLedger, artifacts: &dyn ArtifactStore, of: RepositoryId) {
    for number in 0..5 {
        created(artifacts, of, publication(&format!("example.com/e{number}"), "v1", &format!("entry {number}"))).await;
    }
    let all = ledger.entries(None, 1_000).await.expect("entries");
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = ledger.entries(after, 2).await.expect("a page");
        assert!(page.len() <= 2, "no more than asked for");
        let Some(last) = page.last() else { break };
        after = Some(last.blob.location.digest());
        seen.extend(page);
    }
    assert_eq!(seen, all, "pages are the whole");
    assert!(seen.is_sorted_by_key(|entry| entry.blob.location.digest()), "in order of digest");
}

async fn strangers_are_remembered_until_they_are_none(
    ledger: &dyn BlobLedger,
    artifacts: &dyn ArtifactStore,
    of: RepositoryId,
) {
    let what = publication("example.com/strange", "v1", "strange");
    let (blob, shelf) = (blob_of(&what), blob_of(&what).location.digest().as_bytes()[0]);
    let copies = || vec![StoredCopy { blob: blob.clone(), modified_at: Timestamp::UNIX_EPOCH }];
    let at = |second| Timestamp::from_second(second).expect("a time");
    let seen = |seen_at| async move {
        let strangers = ledger.strangers(shelf, copies(), seen_at).await.expect("strangers");
        strangers.into_iter().map(|stranger| stranger.first_seen_at).collect::<Vec<_>>()
    };
    assert_eq!(seen(None).await, [None], "an unknown copy is a stranger");
    assert_eq!(seen(Some(at(1))).await, [None], "only looking remembers nothing");
    assert_eq!(seen(Some(at(2))).await, [Some(at(1))], "an earlier walk saw it");
    assert_eq!(seen(None).await, [Some(at(1))], "first then");
    created(artifacts, of, what).await;
    assert!(seen(Some(at(3))).await.is_empty(), "a recorded copy is none");
    delete(artifacts, of, "example.com/strange", "v1").await;
    ledger.discard(std::slice::from_ref(&blob), Timestamp::MAX).await.expect("discarded");
    assert!(seen(Some(at(4))).await.is_empty(), "one in the trash is none");
    ledger.forget(std::slice::from_ref(&blob.location), Timestamp::now()).await.expect("forgotten");
    assert_eq!(seen(Some(at(5))).await, [None], "what came back is a new stranger");
}
