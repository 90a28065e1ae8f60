//! The promises of [`QuotaStore`], together with the [`ArtifactStore`] that publishes within them.

use futures_util::future::join_all;

use super::artifacts::created;
use super::fixture::{coordinate, publication};
use crate::artifact::{ArtifactStore, PublishOutcome, StoreError};
use crate::quota::{Quota, QuotaStore};
use crate::repository::{Actor, Counts, RepositoryId};

/// The promises of quotas, on a repository that is empty when it is given.
///
/// # Panics
/// When one is broken.
pub async fn quota_store(quotas: &dyn QuotaStore, artifacts: &dyn ArtifactStore, of: RepositoryId) {
    a_quota_comes_back_with_who_set_it(quotas, of).await;
    a_full_repository_takes_no_more_but_tells_repeats_the_truth(quotas, artifacts, of).await;
    bytes_count_to_the_last_one(quotas, artifacts, of).await;
    of_many_publishers_at_once_as_many_win_as_there_are_places(quotas, artifacts, of).await;
}

fn ann() -> Actor {
    Actor { login: "ann".to_owned(), ..Actor::default() }
}

async fn used(quotas: &dyn QuotaStore, of: RepositoryId) -> Counts {
    quotas.usage(of).await.expect("usage").used
}

async fn set(quotas: &dyn QuotaStore, of: RepositoryId, bytes: Option<u64>, artifacts: Option<u64>) {
    quotas.set_quota(of, Quota { bytes, artifacts }, None, &ann()).await.expect("a quota is set");
}

async fn a_quota_comes_back_with_who_set_it(quotas: &dyn QuotaStore, of: RepositoryId) {
    assert!(quotas.usage(of).await.expect("usage").limit.is_none(), "nobody has set a quota");
    let quota = Quota { bytes: Some(1 << 40), artifacts: None };
    let answered = quotas.set_quota(of, quota, Some(0), &ann()).await.expect("set").expect("none was there");
    let kept = quotas.usage(of).await.expect("usage");
    assert_eq!(answered, kept, "the answer is what is kept");
    let limit = kept.limit.expect("a limit");
    assert_eq!((limit.quota, limit.by.as_str()), (quota, "ann"), "what was set, and by whom");
    for expected in [0, answered.revision() - 1] {
        let stale = quotas.set_quota(of, Quota::default(), Some(expected), &ann()).await.expect("an answer");
        assert!(stale.is_none(), "another revision is there by now");
    }
    let again =
        quotas.set_quota(of, quota, Some(answered.revision()), &ann()).await.expect("set").expect("the present");
    assert!(again.revision() > answered.revision(), "each change has a revision of its own");
    set(quotas, of, None, None).await;
    assert!(quotas.usage(of).await.expect("usage").limit.is_none(), "a quota can be taken away");
}

async fn a_full_repository_takes_no_more_but_tells_repeats_the_truth(
    quotas: &dyn QuotaStore,
    artifacts: &dyn ArtifactStore,
    of: RepositoryId,
) {
    let name = "example.com/full";
    set(quotas, of, None, Some(1)).await;
    created(artifacts, of, publication(name, "v1", "one")).await;
    let full = used(quotas, of).await;
    match artifacts.publish(of, publication(name, "v2", "two")).await {
        Err(StoreError::OverQuota(usage)) => {
            assert_eq!(usage.used, full, "it is told what is there");
            assert_eq!(usage.limit.expect("a limit").quota.artifacts, Some(1), "and what may be");
        }
        other => panic!("one version too many is OverQuota, not {other:?}"),
    }
    assert!(artifacts.find(of, &coordinate(name, "v2")).await.expect("an answer").is_none(), "it left nothing");
    assert_eq!(used(quotas, of).await, full, "it left no count");
    let same = artifacts.publish(of, publication(name, "v1", "one")).await.expect("a repeat");
    assert!(matches!(same, PublishOutcome::Same(_)), "a repeat needs no place");
    let conflict = artifacts.publish(of, publication(name, "v1", "other")).await.expect("a conflict");
    assert!(matches!(conflict, PublishOutcome::Conflict(_)), "a conflict is told as one");
    artifacts.delete(of, &coordinate(name, "v1"), None, "", &Actor::system()).await.expect("deleted");
    assert_eq!(used(quotas, of).await, Counts::default(), "what is deleted is not counted");
    created(artifacts, of, publication(name, "v2", "two")).await;
    artifacts.delete(of, &coordinate(name, "v2"), None, "", &Actor::system()).await.expect("deleted");
    set(quotas, of, None, None).await;
}

async fn bytes_count_to_the_last_one(quotas: &dyn QuotaStore, artifacts: &dyn ArtifactStore, of: RepositoryId) {
    let what = publication("example.com/bytes", "v1", "some bytes");
    let bytes: u64 = what.files.iter().map(|file| file.content.size()).sum();
    let before = used(quotas, of).await.bytes;
    set(quotas, of, Some(before + bytes - 1), None).await;
    let refused = artifacts.publish(of, what.clone()).await;
    assert!(matches!(refused, Err(StoreError::OverQuota(_))), "one byte too many is OverQuota, not {refused:?}");
    set(quotas, of, Some(before + bytes), None).await;
    created(artifacts, of, what).await;
    assert_eq!(used(quotas, of).await.bytes, before + bytes, "its bytes are counted");
    set(quotas, of, None, None).await;
}

async fn of_many_publishers_at_once_as_many_win_as_there_are_places(
    quotas: &dyn QuotaStore,
    artifacts: &dyn ArtifactStore,
    of: RepositoryId,
) {
    let places = used(quotas, of).await.artifacts + 3;
    set(quotas, of, None, Some(places)).await;
    let uploads = (0..12).map(|number| publication(&format!("example.com/race/{number}"), "v1", "x"));
    let outcomes = join_all(uploads.map(|what| artifacts.publish(of, what))).await;
    let won = outcomes.iter().filter(|outcome| matches!(outcome, Ok(PublishOutcome::Created(_)))).count();
    let lost = outcomes.iter().filter(|outcome| matches!(outcome, Err(StoreError::OverQuota(_)))).count();
    assert_eq!((won, lost), (3, 9), "as many as there are places");
    assert_eq!(used(quotas, of).await.artifacts, places, "full and no more");
    set(quotas, of, None, None).await;
}
