//! Deleting: a version becomes a tombstone; its number is never free again.

use std::sync::Arc;

use crate::access::{Action, Principal};
use crate::artifact::{Amended, Artifact, ArtifactId, ArtifactState};
use crate::error::{Failure, codes};
use crate::events::Event;
use crate::failpoint;
use crate::repository::{Actor, Deletion as Setting, Repository};

use super::Keeper;
use super::access::{hidden, holder, ids};
use super::amend::stale;

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

    /// Turns a version into a tombstone, if it has the `expected` tag or none is given. Repeating it is harmless.
    ///
    /// # Errors
    /// Who may not; a repository that never deletes; `stale_write` when the expected tag is not the present one.
    pub async fn delete(
        &self,
        who: &Principal,
        by: Actor,
        id: ArtifactId,
        expected: Option<&str>,
        reason: &str,
    ) -> Result<Deletion, Failure> {
        let (repository, artifact) = self.artifact(who, id).await?;
        let (repository, permit) = self.enter_api(who, &repository.address, Action::Delete).await?;
        permit.check_package(&artifact.coordinate.package)?;
        self.bury(&repository, &artifact, expected, reason, &by).await
    }

    /// The same for those who hold the permit to.
    pub(super) async fn bury(
        &self,
        repository: &Repository,
        artifact: &Artifact,
        expected: Option<&str>,
        reason: &str,
        by: &Actor,
    ) -> Result<Deletion, Failure> {
        if artifact.state == ArtifactState::Deleted {
            return Ok(Deletion { artifact: artifact.clone(), changed: false });
        }
        if repository.deletion == Setting::Never {
            return Err(Failure::new(
                &codes::DELETION_FORBIDDEN,
                format!("repository \"{}\" never deletes", repository.address),
            ));
        }
        let deleted = self.ports.artifacts.delete(repository.id, &artifact.coordinate, expected, reason, by).await?;
        failpoint!("F21");
        let tombstone = match deleted {
            Some(Amended::Done(tombstone)) => *tombstone,
            Some(Amended::Deleted(tombstone)) => return Ok(Deletion { artifact: *tombstone, changed: false }),
            Some(Amended::Stale) => return Err(stale(artifact)),
            None => {
                return Err(Failure::new(&codes::ARTIFACT_NOT_FOUND, format!("there is no artifact {}", artifact.id)));
            }
        };
        tracing::info!(
            format.key = %repository.address.format, repository.name = %repository.address,
            repository.kind = repository.kind().as_str(), package.name = %artifact.coordinate.package,
            package.version = %artifact.coordinate.version, "deleted"
        );
        self.ports.listener.hear(&Event::Deleted { repository, artifact: &tombstone });
        Ok(Deletion { artifact: tombstone, changed: true })
    }
}
