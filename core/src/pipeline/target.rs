//! Where an upload goes: the repository that it names, the first hosted member of a virtual one, or the only one that
//! fits.

use std::sync::Arc;

use super::Keeper;
use super::removal::deleting;
use crate::access::{Action, Permit, Principal, authorize};
use crate::error::{Failure, codes};
use crate::repository::{FormatKey, Repository, RepositoryAddress, RepositoryKind, RepositoryName};
use crate::source::Source;

impl Keeper {
    /// The repository an upload goes to, with the permit.
    ///
    /// # Errors
    /// Who may not, or where not.
    pub async fn publish_target(
        &self,
        who: &Principal,
        format: &FormatKey,
        named: Option<&RepositoryName>,
    ) -> Result<(Arc<Repository>, Permit), Failure> {
        if let Some(name) = named {
            let address = RepositoryAddress { format: format.clone(), name: name.clone() };
            return match self.publish_entry(who, &address).await {
                Err(failure) if *failure.code() == codes::REPOSITORY_NOT_FOUND => {
                    let retired = self.retired(who, &address, Action::Publish).await?;
                    if retired.is_some_and(|retired| retired.deleting) {
                        return Err(deleting(&address));
                    }
                    Err(self.of_another_format(who, name).await?.unwrap_or(failure))
                }
                other => other,
            };
        }
        let all = self.ports.repositories.list().await?;
        let of_format = all
            .into_iter()
            .filter(|repository| repository.address.format == *format && repository.kind() == RepositoryKind::Hosted);
        let mut fitting: Vec<_> = of_format
            .filter_map(|repository| Some((authorize(who, Action::Publish, &repository).ok()?, repository)))
            .collect();
        if let Some(at) = fitting.iter().position(|(_, repository)| repository.default_upload) {
            let (permit, repository) = fitting.swap_remove(at);
            return Ok((repository, permit));
        }
        match fitting.len() {
            0 => Err(Failure::new(
                &codes::NO_REPOSITORY,
                format!("there is no hosted repository of format \"{format}\" that you may publish to"),
            )),
            1 => {
                let (permit, repository) = fitting.remove(0);
                Ok((repository, permit))
            }
            _ => {
                let names: Vec<_> = fitting.iter().map(|(_, repository)| repository.address.name.as_str()).collect();
                Err(Failure::new(
                    &codes::REPOSITORY_REQUIRED,
                    format!("several repositories accept this: {}", names.join(", ")),
                )
                .field("repository"))
            }
        }
    }

    /// The hosted repository that an address means: itself, or of a virtual one the first hosted member.
    async fn publish_entry(
        &self,
        who: &Principal,
        address: &RepositoryAddress,
    ) -> Result<(Arc<Repository>, Permit), Failure> {
        let entered = self.enter_api(who, address, Action::Publish).await;
        if entered.as_ref().is_ok_and(|(named, _)| named.kind() == RepositoryKind::Hosted) {
            return entered;
        }
        let (named, _may_read) = self.enter_api(who, address, Action::Read).await?;
        let target = self.upload_target(&named).await?;
        if target.id == named.id { entered } else { self.enter_api(who, &target.address, Action::Publish).await }
    }

    /// Where uploads to a repository go.
    ///
    /// # Errors
    /// `read_only` where they go nowhere.
    pub(super) async fn upload_target(&self, named: &Arc<Repository>) -> Result<Arc<Repository>, Failure> {
        let read_only = |what: &str| {
            let detail = format!("\"{}\" is a {} repository{what}", named.address, named.kind().as_str());
            let mut failure = Failure::new(&codes::READ_ONLY, detail);
            failure.allow = Some("GET, HEAD".into());
            failure
        };
        let members = match &named.source {
            Source::Hosted => return Ok(named.clone()),
            Source::Remote(_) => return Err(read_only("; publish to a hosted one")),
            Source::Virtual(of) => &of.members,
        };
        for name in members {
            let address = RepositoryAddress { format: named.address.format.clone(), name: name.clone() };
            let member = self.ports.repositories.find(&address).await?;
            if let Some(member) = member.filter(|member| member.kind() == RepositoryKind::Hosted) {
                return Ok(member);
            }
        }
        Err(read_only(" without a hosted member"))
    }

    async fn of_another_format(&self, who: &Principal, name: &RepositoryName) -> Result<Option<Failure>, Failure> {
        let readable = self.readable(who).await?;
        let other = readable.iter().find(|repository| repository.address.name == *name);
        Ok(other.map(|repository| {
            Failure::new(
                &codes::REPOSITORY_WRONG_FORMAT,
                format!("repository \"{name}\" has the format \"{}\"", repository.address.format),
            )
            .field("repository")
        }))
    }
}
