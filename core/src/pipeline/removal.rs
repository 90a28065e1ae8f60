//! Deleting repositories: hidden at once, emptied in the background, resumed after a crash.

use super::Keeper;
use crate::access::{Action, Principal, authorize};
use crate::error::{Failure, codes};
use crate::limits::REMOVAL_BATCH;
use crate::removal::{Retire, RetiredRepository, Retirement};
use crate::repository::{Actor, Deletion, RepositoryAddress};

impl Keeper {
    /// Deletes a repository. With `release_name`, the name of one that was deleted before may be taken again, too.
    ///
    /// # Errors
    /// Who may not, `stale_write`, `repository_in_use`, `repository_not_empty`, `repository_deleting`,
    /// `deletion_forbidden`.
    pub async fn delete_repository(
        &self,
        who: &Principal,
        by: &Actor,
        address: &RepositoryAddress,
        how: Retire,
    ) -> Result<(), Failure> {
        let repository = match self.enter_api(who, address, Action::Manage).await {
            Ok((repository, _permit)) => repository,
            Err(failure) => return self.delete_again(who, by, address, how, failure).await,
        };
        if how.release_name {
            self.require_admin(who)?;
        }
        // Asked again by the store; here it comes before what else may be wrong with a record that is another by now.
        if how.revision.is_some_and(|revision| revision != repository.revision) {
            return Err(stale(address));
        }
        if !how.force {
            self.refuse_member(who, address).await?;
        }
        let held = self.ports.repositories.counts(repository.id).await?;
        if repository.deletion == Deletion::Never && held.artifacts > 0 {
            let detail = format!("repository \"{address}\" never deletes, and it holds {} versions", held.artifacts);
            return Err(Failure::new(&codes::DELETION_FORBIDDEN, detail));
        }
        match self.ports.lifecycle.retire(repository.id, how, by).await? {
            Retirement::Begun => {
                tracing::info!(repository.name = %address, principal.name = %by.login, "deleting a repository");
                self.removals.notify_one();
                Ok(())
            }
            Retirement::NotEmpty(counts) => Err(Failure::new(
                &codes::REPOSITORY_NOT_EMPTY,
                format!("repository \"{address}\" holds {} versions of {} packages", counts.artifacts, counts.packages),
            )),
            Retirement::Stale => Err(stale(address)),
        }
    }

    /// Virtual repositories would miss it. Only those are named that the caller may see.
    async fn refuse_member(&self, who: &Principal, address: &RepositoryAddress) -> Result<(), Failure> {
        let mut using = self.ports.repositories.list().await?;
        using.retain(|one| {
            one.address.format == address.format
                && one.source.members().is_some_and(|members| members.members.contains(&address.name))
        });
        if using.is_empty() {
            return Ok(());
        }
        let count = using.len();
        let named = using.iter().filter(|one| authorize(who, Action::Read, one).is_ok());
        let named: Vec<_> = named.map(|one| one.address.to_string()).collect();
        let more = if named.len() < count { " and others that you may not see" } else { "" };
        let detail = format!("\"{address}\" is a member of virtual repositories: {}{more}", named.join(", "));
        Err(Failure::new(&codes::REPOSITORY_IN_USE, detail))
    }

    /// The same on one that is not there: it may be on its way out, or its name may be wanted.
    async fn delete_again(
        &self,
        who: &Principal,
        by: &Actor,
        address: &RepositoryAddress,
        how: Retire,
        absent: Failure,
    ) -> Result<(), Failure> {
        let Some(retired) = self.retired(who, address, Action::Manage).await? else { return Err(absent) };
        if how.release_name {
            self.require_admin(who)?;
            if how.revision.is_some_and(|revision| revision != retired.repository.revision) {
                return Err(stale(address));
            }
            return Ok(self.ports.lifecycle.release_name(retired.repository.id, by).await?);
        }
        Err(if retired.deleting { deleting(address) } else { absent })
    }

    /// The retired repository at an address, for those who might do this to it if it were there.
    pub(super) async fn retired(
        &self,
        who: &Principal,
        address: &RepositoryAddress,
        action: Action,
    ) -> Result<Option<RetiredRepository>, Failure> {
        let retired = self.ports.lifecycle.retired(address).await?;
        Ok(retired.filter(|retired| authorize(who, action, &retired.repository).is_ok()))
    }

    /// Why a repository of this address cannot be made.
    ///
    /// # Errors
    /// What the store reports.
    pub async fn taken(&self, address: &RepositoryAddress) -> Result<Failure, Failure> {
        Ok(match self.ports.lifecycle.retired(address).await? {
            Some(retired) if retired.deleting => deleting(address),
            Some(_) => Failure::new(
                &codes::REPOSITORY_EXISTS,
                format!("repository \"{address}\" was deleted, and its name is still reserved"),
            )
            .hint("Choose another name, or release this one: DELETE with ?release_name=true."),
            None => Failure::new(&codes::REPOSITORY_EXISTS, format!("repository \"{address}\" exists")),
        }
        .field("name"))
    }

    /// Waits until a repository is being deleted.
    pub fn removals(&self) -> std::sync::Arc<tokio::sync::Notify> {
        self.removals.clone()
    }

    /// Goes on with all removals that are not finished. Answers how many versions were removed.
    ///
    /// # Errors
    /// What the store reports; what was removed stays removed, the next call goes on.
    pub async fn remove_retired(&self, goes_on: &(dyn Fn() -> bool + Send + Sync)) -> Result<u64, Failure> {
        let mut removed = 0;
        for repository in self.ports.lifecycle.unfinished().await? {
            let mut after = None;
            while goes_on() {
                let step = self.ports.lifecycle.remove_some(repository.id, after, REMOVAL_BATCH).await?;
                removed += step.versions;
                after = step.last;
                if step.finished {
                    tracing::info!(repository.name = %repository.address, "a repository is deleted");
                    break;
                }
            }
        }
        Ok(removed)
    }
}

fn stale(address: &RepositoryAddress) -> Failure {
    Failure::new(&codes::STALE_WRITE, format!("repository \"{address}\" was changed since it was read"))
        .field("If-Match")
}

/// The answer to whoever wants to use a repository on its way out.
pub(super) fn deleting(address: &RepositoryAddress) -> Failure {
    Failure::new(&codes::REPOSITORY_DELETING, format!("repository \"{address}\" is being deleted"))
}
