//! Deleting: a version becomes a tombstone; its number is never free again.

use std::sync::Arc;

use crate::access::{Action, Principal};
use crate::artifact::{Artifact, ArtifactId, ArtifactState};
use crate::error::{Failure, codes};
use crate::events::Event;
use crate::failpoint;
use crate::repository::{Actor, Deletion as Setting, Repository};

use super::Keeper;
use super::access::{hidden, holder, ids};

/// How a deletion ended.
#[derive(Debug, Clone)]
pub struct Deletion {
    /// The tombstone.
    pub artifact: Artifact,
    /// Whether this call made it; `false` for a repeat.
    pub changed: bool,
}

impl Keeper {
    /// An artifact by its id with the repository that holds it, if the principal may read that.
    ///
    /// # Errors
    /// `artifact_not_found`, for absent and hidden ones alike.
    pub async fn artifact(&self, who: &Principal, id: ArtifactId) -> Result<(Arc<Repository>, Artifact), Failure> {
        let readable = self.readable(who).await?;
        let found = self.ports.artifacts.by_id(&ids(&readable), id).await?;
        let found = found.and_then(|artifact| Some((holder(readable, artifact.repository)?, artifact)));
        found.ok_or_else(|| hidden(who, &codes::ARTIFACT_NOT_FOUND, &format!("artifact {id}")))
    }

    /// Turns a version into a tombstone. Repeating it is harmless.
    ///
    /// # Errors
    /// Who may not, or a repository that never deletes.
    pub async fn delete(&self, who: &Principal, by: Actor, id: ArtifactId, reason: &str) -> Result<Deletion, Failure> {
        let (repository, artifact) = self.artifact(who, id).await?;
        let (repository, permit) = self.enter_api(who, &repository.address, Action::Delete).await?;
        permit.check_package(&artifact.coordinate.package)?;
        if artifact.state == ArtifactState::Deleted {
            return Ok(Deletion { artifact, changed: false });
        }
        let artifact = self.bury(&repository, &artifact, reason, &by).await?;
        Ok(Deletion { artifact, changed: true })
    }

    /// Turns a version into a tombstone, for those who hold the permit to.
    pub(super) async fn bury(
        &self,
        repository: &Repository,
        artifact: &Artifact,
        reason: &str,
        by: &Actor,
    ) -> Result<Artifact, Failure> {
        if repository.deletion == Setting::Never {
            return Err(Failure::new(
                &codes::DELETION_FORBIDDEN,
                format!("repository \"{}\" never deletes", repository.address),
            ));
        }
        let deleted = self.ports.artifacts.delete(repository.id, &artifact.coordinate, reason, by).await?;
        failpoint!("F21");
        tracing::info!(
            format.key = %repository.address.format, repository.name = %repository.address,
            repository.kind = repository.kind().as_str(), package.name = %artifact.coordinate.package,
            package.version = %artifact.coordinate.version, "deleted"
        );
        let missing = || Failure::new(&codes::ARTIFACT_NOT_FOUND, format!("there is no artifact {}", artifact.id));
        let artifact = deleted.ok_or_else(missing)?;
        self.ports.listener.hear(&Event::Deleted { repository, artifact: &artifact });
        Ok(artifact)
    }
}
