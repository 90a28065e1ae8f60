//! Writes by an ecosystem's own protocol. They are authorised and understood before any of the body is read;
//! uploads then go to [`Keeper::publish`], as those through the API do.

use std::sync::Arc;

use super::Keeper;
use crate::access::{Action, Permit, Principal, authorize};
use crate::artifact::{Artifact, ArtifactState, Coordinate};
use crate::error::{Failure, codes};
use crate::format::{Change, Done, FormatHandler, FormatRequest, Outcome, Route, Want};
use crate::policy;
use crate::repository::{Actor, FormatKey, Repository};

/// A native write that may be done; its body has not been looked at.
pub struct NativeWrite {
    /// The repository.
    pub repository: Arc<Repository>,
    /// What is wanted.
    pub route: Route,
    permit: Permit,
}

impl Keeper {
    /// Understands and allows a write on a repository of `format`.
    ///
    /// # Errors
    /// Who may not, or what the format does not know.
    pub async fn native_write(
        &self,
        who: &Principal,
        format: &FormatKey,
        handler: &Arc<dyn FormatHandler>,
        repository: &str,
        request: &FormatRequest<'_>,
    ) -> Result<NativeWrite, Failure> {
        let (named, _may_read) = self.enter(who, format, repository, Action::Read).await?;
        let route = handler.route(request)?;
        if !matches!(route.want, Want::Upload(_) | Want::Change { .. }) {
            return Err(Failure::method_not_allowed(request.verb, "GET, HEAD"));
        }
        let repository = self.upload_target(&named).await?;
        // A route that forgot what it needs must not make reading enough for writing.
        let action = if route.action == Action::Read { Action::Publish } else { route.action };
        let permit =
            authorize(who, action, &repository).map_err(|denial| self.denied_in_api(&repository.address, &denial))?;
        Ok(NativeWrite { repository, route, permit })
    }

    /// Does a change that the format has read from the body of a native write.
    ///
    /// # Errors
    /// No such version, or who may not change this package.
    pub async fn change(&self, write: &NativeWrite, change: Change, by: Actor) -> Result<Done, Failure> {
        let NativeWrite { repository, permit, .. } = write;
        permit.check_package(&change.target().package)?;
        let coordinate = change.target().clone();
        let outcome = match change {
            Change::Label { target, name } => {
                require(permit, repository, Action::Publish)?;
                let labelled = self.ports.artifacts.label(repository.id, &target, &name, &by).await?;
                labelled.ok_or_else(|| no_version(&target, repository))?;
                Outcome::Labelled
            }
            Change::Delete { target } => {
                require(permit, repository, Action::Delete)?;
                let artifact = self.version(repository, &target).await?;
                self.bury(repository, &artifact, None, "", &by).await?;
                Outcome::Deleted
            }
        };
        Ok(Done { coordinate, outcome })
    }

    async fn version(&self, repository: &Repository, what: &Coordinate) -> Result<Artifact, Failure> {
        match self.ports.artifacts.find(repository.id, what).await? {
            Some(artifact) if artifact.state == ArtifactState::Deleted => Err(policy::tombstone(&artifact)),
            Some(artifact) => Ok(artifact),
            None => Err(no_version(what, repository)),
        }
    }
}

/// A format that routed a change under one action and asks for another is at fault.
fn require(permit: &Permit, repository: &Repository, action: Action) -> Result<(), Failure> {
    if permit.covers(repository, action) {
        return Ok(());
    }
    let cause = format!("the route of a change does not ask for {:?}", action.as_str());
    Err(Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by(cause))
}

fn no_version(what: &Coordinate, repository: &Repository) -> Failure {
    Failure::new(&codes::VERSION_NOT_FOUND, format!("repository \"{}\" has no {what}", repository.address))
}
