//! The promises of [`ProvenanceStore`] that a port can show: the first use, and that nobody has looked at new bytes.

use jiff::Timestamp;

use super::artifacts::created;
use super::fixture::publication;
use crate::artifact::ArtifactStore;
use crate::provenance::ProvenanceStore;
use crate::repository::RepositoryId;
use crate::retention::{RetentionStore, day_of};

/// The promises of provenance, in a repository that exists.
///
/// # Panics
/// When one is broken.
pub async fn provenance_store(
    provenance: &dyn ProvenanceStore,
    artifacts: &dyn ArtifactStore,
    retention: &dyn RetentionStore,
    of: RepositoryId,
) {
    let artifact = created(artifacts, of, publication("example.com/seen", "v1", "seen")).await;
    let known = provenance.provenance(&artifact).await.expect("known");
    assert_eq!((known.first_used_at, known.last_used_on), (None, None), "nobody has used it");
    let at = |hour: i64| Timestamp::from_second(1_800_000_000 + hour * 3_600).expect("a time");
    for hour in [0, 1, 50] {
        let used = vec![(of, artifact.coordinate.clone(), at(hour))];
        retention.record_uses(used).await.expect("recorded");
    }
    let known = provenance.provenance(&artifact).await.expect("known");
    assert_eq!(known.first_used_at, Some(at(0)), "the first use stays");
    assert_eq!(known.last_used_on, Some(day_of(at(50))), "the last one moves");
    let looks = provenance.looks(artifact.id).await.expect("looks");
    assert!(looks.is_empty(), "nobody has looked at it: {looks:?}");
}
