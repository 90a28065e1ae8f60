//! The ports in memory: no disk, no network, one mutex each, so that every promise of the contract is kept
//! by construction.
//!
//! [`MemoryStore`] keeps rows, [`MemoryBlobs`] bytes, [`NoAuthorities`] refuses the network. Beside the
//! ports they have what tests need and no port can do: states that only policy sets, and
//! [`fail_after`](MemoryStore::fail_after). Changes leave no audit row here: what comes
//! with a change is for the implementation's own tests.

mod artifacts;
mod audit;
mod authorities;
mod blobs;
mod documents;
mod faults;
mod identities;
mod jobs;
mod ledger;
mod packages;
mod people;
mod provenance;
mod quotas;
mod removal;
mod repositories;
mod retention;
mod self_check;
mod store;

pub use authorities::{NoAuthorities, ScriptedUpstreams};
pub use blobs::MemoryBlobs;
pub use store::MemoryStore;

use uuid::Uuid;

use crate::artifact::Page;
use crate::identity::Window;

/// A part of a list, of entries in any order.
fn page<T>(entries: impl Iterator<Item = (Uuid, T)>, window: Window) -> Page<T> {
    let mut entries: Vec<_> = entries.filter(|(id, _)| window.after.is_none_or(|after| *id > after)).collect();
    entries.sort_by_key(|(id, _)| *id);
    let limit = window.limit as usize;
    let more = entries.len() > limit;
    Page { items: entries.into_iter().take(limit).map(|(_, entry)| entry).collect(), more }
}

#[cfg(test)]
mod tests {
    use crate::artifact::{ArtifactStore as _, StoreError};
    use crate::repository::{Actor, RepositoryId, RepositoryStore as _};
    use crate::testing::contract;

    use super::*;

    async fn two_repositories(store: &MemoryStore) -> (RepositoryId, RepositoryId) {
        let mut made = Vec::new();
        for name in ["one", "two"] {
            let (at, details) = (contract::address("contract", name), contract::details());
            let repository = store.create(&at, details, &Actor::system()).await;
            made.push(repository.expect("a repository").id);
        }
        (made[0], made[1])
    }

    #[tokio::test]
    async fn repositories_keep_their_contract() {
        contract::repository_store(&MemoryStore::new()).await;
    }

    #[tokio::test]
    async fn artifacts_keep_their_contract() {
        let store = MemoryStore::new();
        let (one, two) = two_repositories(&store).await;
        contract::artifact_store(&store, one, two).await;
    }

    #[tokio::test]
    async fn packages_keep_their_contract() {
        let store = MemoryStore::new();
        let (one, two) = two_repositories(&store).await;
        contract::package_store(&store, &store, one, two).await;
    }

    #[tokio::test]
    async fn repositories_and_artifacts_keep_their_common_contract() {
        let store = MemoryStore::new();
        contract::repository_content(&store, &store).await;
    }

    #[tokio::test]
    async fn blobs_keep_their_contract() {
        let blobs = MemoryBlobs::new();
        contract::blob_store(&blobs).await;
    }

    #[tokio::test]
    async fn quotas_keep_their_contract() {
        let store = MemoryStore::new();
        let (one, _) = two_repositories(&store).await;
        contract::quota_store(&store, &store, one).await;
    }

    #[tokio::test]
    async fn removals_keep_their_contract() {
        let store = MemoryStore::new();
        contract::removal_store(&store, &store, &store).await;
    }

    #[tokio::test]
    async fn retention_keeps_its_contract() {
        let store = MemoryStore::new();
        let (one, _) = two_repositories(&store).await;
        contract::retention_store(&store, &store, one).await;
    }

    #[tokio::test]
    async fn provenance_keeps_its_contract() {
        let store = MemoryStore::new();
        let (one, _) = two_repositories(&store).await;
        contract::provenance_store(&store, &store, &store, one).await;
    }

    #[tokio::test]
    async fn jobs_keep_their_contract() {
        contract::job_store(&MemoryStore::new()).await;
    }

    #[tokio::test]
    async fn the_ledger_keeps_its_contract() {
        let store = MemoryStore::new();
        let (one, _) = two_repositories(&store).await;
        contract::blob_ledger(&store, &store, one).await;
    }

    #[tokio::test]
    async fn identities_keep_their_contract() {
        contract::identity_store(&MemoryStore::new()).await;
        contract::directory(&MemoryStore::new()).await;
    }

    #[tokio::test]
    async fn documents_keep_their_contract() {
        contract::document_store(&MemoryStore::new()).await;
    }

    #[tokio::test]
    async fn the_audit_keeps_its_contract() {
        contract::audit_store(&MemoryStore::new()).await;
    }

    #[tokio::test]
    async fn a_staged_blob_is_nowhere_until_it_is_committed() {
        use crate::blob::BlobStore as _;

        let blobs = MemoryBlobs::new();
        for commit in [false, true] {
            let mut stage = blobs.stage(10).await.expect("a stage");
            stage.write("bytes".into()).await.expect("a write");
            assert_eq!(blobs.locations(), []);
            if commit {
                let blob = stage.commit().await.expect("a commit");
                assert_eq!(blobs.locations(), [blob.location]);
            }
        }
    }

    #[tokio::test]
    async fn a_store_fails_after_so_many_calls_and_stays_failed() {
        let store = MemoryStore::new();
        store.fail_after(1);
        assert!(store.ping().await.is_ok());
        for _ in 0..2 {
            assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
        }
        store.recover();
        assert!(store.ping().await.is_ok());
    }
}
