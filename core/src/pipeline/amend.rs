//! Changing what may change of a version: yank it, block it, make it active again, pin it.
//!
//! Rights: a version is yanked, and taken back from there, by whoever may publish or manage; into and out of
//! `blocked` it comes by whoever manages; so do pins. Which of these is asked for depends on the state before,
//! so the change holds only for the very record that was judged.

use std::sync::Arc;

use super::Keeper;
use crate::access::{Action, Principal};
use crate::artifact::{Amended, Amendment, Artifact, ArtifactId, ArtifactState};
use crate::error::{Failure, codes};
use crate::policy;
use crate::repository::{Actor, Repository};

/// How often a change without a condition is judged anew after another one came before it.
const ATTEMPTS: usize = 5;

impl Keeper {
    /// Changes a version. What it changes holds for every read that begins after the answer.
    ///
    /// # Errors
    /// Who may not; `deleted` for a tombstone; `stale_write` when the expected tag is not the present one.
    pub async fn amend(
        &self,
        who: &Principal,
        by: Actor,
        id: ArtifactId,
        change: Amendment,
    ) -> Result<(Arc<Repository>, Artifact), Failure> {
        for _ in 0..ATTEMPTS {
            let (repository, artifact) = self.artifact(who, id).await?;
            self.may_amend(who, &repository, &artifact, &change).await?;
            let judged = Amendment { expected: change.expected.clone().or(Some(artifact.tag())), ..change.clone() };
            let ended = self.ports.artifacts.amend(repository.id, &artifact.coordinate, judged, &by).await?;
            match ended {
                Some(Amended::Done(amended)) => {
                    tell(&repository, &artifact, &amended, &by);
                    return Ok((repository, *amended));
                }
                Some(Amended::Deleted(gone)) => return Err(policy::tombstone(&gone)),
                Some(Amended::Stale) if change.expected.is_some() => return Err(stale(&artifact)),
                Some(Amended::Stale) => {}
                None => return Err(Failure::new(&codes::ARTIFACT_NOT_FOUND, format!("there is no artifact {id}"))),
            }
        }
        Err(Failure::new(&codes::DATABASE_BUSY, "the version is being changed by others").retry_after(1))
    }

    async fn may_amend(
        &self,
        who: &Principal,
        repository: &Repository,
        artifact: &Artifact,
        change: &Amendment,
    ) -> Result<(), Failure> {
        let (before, after) = (artifact.state, change.state.as_ref().map(|(state, _)| *state));
        let blocks = after.is_some() && [Some(before), after].contains(&Some(ArtifactState::Blocked));
        let manages = self.enter_api(who, &repository.address, Action::Manage).await.map(drop);
        if manages.is_ok() || blocks || change.pinned.is_some() {
            manages?;
        } else {
            let (_, permit) = self.enter_api(who, &repository.address, Action::Publish).await?;
            permit.check_package(&artifact.coordinate.package)?;
        }
        // Only now: who may not change it need not know more.
        if before == ArtifactState::Deleted { Err(policy::tombstone(artifact)) } else { Ok(()) }
    }
}

/// It is not the record that the caller has read.
pub(super) fn stale(artifact: &Artifact) -> Failure {
    let detail = format!("{} was changed since it was read", artifact.coordinate);
    Failure::new(&codes::STALE_WRITE, detail).field("If-Match")
}

fn tell(repository: &Repository, before: &Artifact, after: &Artifact, by: &Actor) {
    tracing::info!(
        repository.name = %repository.address, package.name = %after.coordinate.package,
        package.version = %after.coordinate.version, principal.name = %by.login, pinned = after.pinned,
        "{} is now {}", before.state.as_str(), after.state.as_str()
    );
}
