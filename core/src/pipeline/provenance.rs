//! Where a version comes from, and whether its bytes are still what they were.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::Keeper;
use crate::access::Principal;
use crate::artifact::{Artifact, ArtifactFile, ArtifactId, FileContent};
use crate::digest::Digest;
use crate::error::Failure;
use crate::provenance::{Look, Provenance};
use crate::repository::Repository;

/// The code of a file whose bytes are in its row and not what the row says.
const ROW_CORRUPT: &str = "file_corrupt";

impl Keeper {
    /// A version that the principal may read, and how it came. Strangers are told nothing of credentials and requests.
    ///
    /// # Errors
    /// As for the artifact itself.
    pub async fn provenance(
        &self,
        who: &Principal,
        id: ArtifactId,
    ) -> Result<(Arc<Repository>, Artifact, Provenance), Failure> {
        let (repository, artifact) = self.artifact(who, id).await?;
        let mut known = self.ports.provenance.provenance(&artifact).await?;
        if known.last_used_on.is_none() {
            // It may wait in memory to be written down.
            known.first_used_at = self.uses.first_today(repository.id, &artifact.coordinate);
        }
        if matches!(who, Principal::Anonymous) {
            known = Provenance { credential: None, token: None, request: None, ..known };
        }
        Ok((repository, artifact, known))
    }

    /// The last look at each of these files of an artifact. Bytes that are in a row of the database are looked at now;
    /// of the others those are left out at which nobody has looked yet.
    ///
    /// # Errors
    /// What the store reports.
    pub async fn looks(&self, of: ArtifactId, files: &[ArtifactFile]) -> Result<BTreeMap<String, Look>, Failure> {
        let mut looks: BTreeMap<_, _> = self.ports.provenance.looks(of).await?.into_iter().collect();
        for file in files {
            if let FileContent::Inline(bytes) = &file.content {
                let (now, found) = (Timestamp::now(), Digest::of(bytes));
                let look = if found == file.digest {
                    Look::Matched(now)
                } else {
                    Look::Broken(ROW_CORRUPT.to_owned(), format!("its bytes have the digest {found}"), now)
                };
                looks.insert(file.name.clone(), look);
            }
        }
        Ok(looks)
    }
}
