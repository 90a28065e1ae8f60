//! The port of provenance. There is no audit of changes here, and nothing is ever looked at.

use async_trait::async_trait;

use super::store::MemoryStore;
use crate::artifact::{Artifact, ArtifactId, StoreError};
use crate::provenance::{Look, Provenance, ProvenanceStore};

#[async_trait]
impl ProvenanceStore for MemoryStore {
    async fn provenance(&self, of: &Artifact) -> Result<Provenance, StoreError> {
        let mut rows = self.call()?;
        let row = rows.version(of.repository, &of.coordinate);
        Ok(row.map_or_else(Provenance::default, |row| Provenance {
            first_used_at: row.first_used_at,
            last_used_on: row.last_used_on,
            ..Provenance::default()
        }))
    }

    async fn looks(&self, _of: ArtifactId) -> Result<Vec<(String, Look)>, StoreError> {
        self.call().map(|_| Vec::new())
    }
}
