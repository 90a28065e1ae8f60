//! Answers from a virtual repository: the member that owns the name answers, and no other.
//!
//! ```text
//! owner   1. a reserved pattern covers the name: only the members it names, in order
//!         2. a hosted member holds a name of the same family or above it, or ever held one
//!         3. the first member that knows the name
//! ```
//!
//! Only a true absence leads from one member to the next: a refusal is refused, trouble is trouble. So nobody can make
//! a name change its owner by making a member fail, and a private name never reaches an upstream. With `merge` the
//! versions of a name that is not reserved may come from several members, and the first that has one wins.
//!
//! A virtual repository holds nothing and keeps nothing but who owns what, for [`OWNER_CACHE`]. Sources: the dependency
//! confusion reports of 2021; <https://go.dev/ref/mod#private-modules>.

mod joined;
mod owner;
mod view;

use std::sync::Arc;

use super::hosted::present;
use super::read::Reading;
use super::{Answer, Keeper};
use crate::access::{Action, Permit, authorize};
use crate::artifact::{PackageName, StoreError};
use crate::error::{Class, Failure, codes};
use crate::format::{Document, FormatHandler, Route, Want};
use crate::repository::{Repository, RepositoryAddress, RepositoryName};
use crate::source::{Reservation, Virtual, WhenAbsent};

pub(super) use owner::Owners;

/// A virtual repository, entered with a permit, and who asks.
#[derive(Clone, Copy)]
pub(super) struct Members<'a> {
    pub(super) reading: &'a Reading<'a>,
    pub(super) repository: &'a Arc<Repository>,
    pub(super) members: &'a Virtual,
    pub(super) permit: &'a Permit,
}

impl Members<'_> {
    /// What the route wants.
    pub(super) async fn answer(&self, route: &Route) -> Result<Answer, Failure> {
        debug_assert!(self.permit.covers(self.repository, route.action), "a permit for something else");
        let answer = match (&route.want, &route.package) {
            (Want::Page(_), _) => {
                let document = self.reading.handler.index(route, self).await?;
                Ok(self.of_document(route, document))
            }
            (Want::Upload(_) | Want::Change { .. }, _) => Err(Failure::method_not_allowed("GET", "GET, HEAD")),
            (Want::File { .. } | Want::Index(_), Some(package)) => self.of_package(route, package).await,
            (Want::File { .. }, None) => self.first_that_has_it(route).await,
            (Want::Index(_), None) => self.joined(route).await,
        }?;
        Ok(Answer { public: answer.public && self.repository.anonymous_read, ..answer })
    }

    async fn of_package(&self, route: &Route, package: &PackageName) -> Result<Answer, Failure> {
        if let Some(reservation) = self.reservation(package) {
            return self.of_reserved(package, reservation).await;
        }
        if self.members.merge {
            return match &route.want {
                Want::File { .. } => self.first_that_has_it(route).await,
                _ => self.joined(route).await,
            };
        }
        match self.owner(package).await? {
            Some(owner) => self.ask(&owner).await,
            None => self.first_that_has_it(route).await,
        }
    }

    /// Only the members that a reservation names are asked; no trouble of theirs is an absence.
    async fn of_reserved(&self, package: &PackageName, reservation: &Reservation) -> Result<Answer, Failure> {
        let mut last = None;
        for name in &reservation.members {
            let Some(member) = self.member(name).await? else { continue };
            match self.ask(&member).await {
                Err(failure) if failure.code().class == Class::NotFound => last = Some(failure),
                other => return other,
            }
        }
        if reservation.when_absent == WhenAbsent::Forbid && !self.is_below_something_held(package, reservation).await? {
            return Err(claimed(package));
        }
        Err(last.unwrap_or_else(|| self.nothing(package)))
    }

    /// The first member that has what is asked for.
    async fn first_that_has_it(&self, route: &Route) -> Result<Answer, Failure> {
        let mut last = None;
        for name in &self.members.members {
            let Some(member) = self.member(name).await? else { continue };
            if self.may_be_passed_over(&member, route.package.as_ref()).await? {
                continue;
            }
            match self.ask(&member).await {
                Err(failure) if failure.code().class == Class::NotFound || self.counts_as_absent(name, &failure) => {
                    last = last.or(Some(failure));
                }
                other => return other,
            }
        }
        let package = route.package.as_ref();
        Err(last.unwrap_or_else(|| match package {
            Some(package) => self.nothing(package),
            None => Failure::new(&codes::NOT_FOUND, codes::NOT_FOUND.title),
        }))
    }

    /// What a member says to this very request, on behalf of the same caller.
    async fn ask(&self, member: &Arc<Repository>) -> Result<Answer, Failure> {
        let permit = authorize(self.reading.who, Action::Read, member).map_err(|_| self.refused())?;
        // Members are hosted or remote, so this goes one step deep.
        Box::pin(self.reading.answer(member, permit)).await
    }

    /// A member that may not be read is not passed over: somebody else's answer could be an impostor's.
    fn refused(&self) -> Failure {
        let detail = format!("\"{}\" has a member that this credential may not read", self.repository.address);
        Failure::new(&codes::NAME_CLAIMED, detail)
    }

    /// A hosted member that may not be read and never held anything of this name's family cannot be its owner.
    async fn may_be_passed_over(
        &self,
        member: &Arc<Repository>,
        package: Option<&PackageName>,
    ) -> Result<bool, StoreError> {
        let Reading { keeper, handler, who, .. } = *self.reading;
        let hidden = member.source.remote().is_none() && authorize(who, Action::Read, member).is_err();
        let Some(package) = package.filter(|_| hidden) else { return Ok(false) };
        Ok(!keeper.ports.artifacts.holds(member.id, &handler.family(package)).await?)
    }

    async fn member(&self, name: &RepositoryName) -> Result<Option<Arc<Repository>>, StoreError> {
        member_of(self.reading.keeper, self.repository, name).await
    }

    /// Trouble of a member that nobody depends on.
    fn counts_as_absent(&self, name: &RepositoryName, failure: &Failure) -> bool {
        use Class::{BadGateway, GatewayTimeout, LoopDetected, Unavailable};
        let trouble = matches!(failure.code().class, BadGateway | GatewayTimeout | LoopDetected | Unavailable);
        trouble && self.members.optional.contains(name)
    }

    fn reservation(&self, package: &PackageName) -> Option<&Reservation> {
        reservation_of(self.reading.handler, self.members, package)
    }

    fn nothing(&self, package: &PackageName) -> Failure {
        Failure::new(&codes::PACKAGE_NOT_FOUND, format!("no member of \"{}\" has {package}", self.repository.address))
    }

    fn of_document(&self, route: &Route, document: Document) -> Answer {
        Answer::of_document(document, route, self.repository, self.reading.handler.info())
    }
}

fn claimed(package: &PackageName) -> Failure {
    Failure::new(&codes::NAME_CLAIMED, format!("{package} is reserved here and was never published"))
}

async fn member_of(
    keeper: &Keeper,
    of: &Repository,
    name: &RepositoryName,
) -> Result<Option<Arc<Repository>>, StoreError> {
    let address = RepositoryAddress { format: of.address.format.clone(), name: name.clone() };
    let found = keeper.ports.repositories.find(&address).await?;
    Ok(found.filter(|member| member.source.members().is_none()))
}

fn reservation_of<'v>(
    handler: &Arc<dyn FormatHandler>,
    members: &'v Virtual,
    package: &PackageName,
) -> Option<&'v Reservation> {
    members.reserved.iter().find(|reservation| handler.covers(&reservation.pattern, package))
}

/// The members of a virtual repository that a name belongs to by reservation or because a hosted one holds it; `None`
/// when it is nobody's yet.
///
/// # Errors
/// What the store reports.
pub(super) async fn claimants(
    keeper: &Keeper,
    handler: &Arc<dyn FormatHandler>,
    repository: &Repository,
    members: &Virtual,
    package: &PackageName,
) -> Result<Option<Vec<RepositoryName>>, StoreError> {
    if let Some(reservation) = reservation_of(handler, members, package) {
        return Ok(Some(reservation.members.clone()));
    }
    if members.merge {
        return Ok(None);
    }
    let mut families = vec![handler.family(package)];
    families.extend(handler.above(package).iter().map(|above| handler.family(above)));
    for name in &members.members {
        let Some(member) = member_of(keeper, repository, name).await? else { continue };
        if member.source.remote().is_none() && holds_any(keeper, &member, &families).await? {
            return Ok(Some(vec![name.clone()]));
        }
    }
    Ok(None)
}

async fn holds_any(keeper: &Keeper, member: &Repository, families: &[PackageName]) -> Result<bool, StoreError> {
    for family in families {
        if keeper.ports.artifacts.holds(member.id, family).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// An absence is none; for lists of what several members have.
fn part_of(answer: Result<Answer, Failure>) -> Result<Option<Document>, Failure> {
    present(answer)?.map(Answer::into_document).transpose()
}
