//! Who owns a name, and how long that is remembered.
//!
//! What is remembered is bound to the content of the hosted members: a publication anywhere among them asks anew.

use std::sync::Arc;
use std::time::Instant;

use moka::sync::Cache;

use super::{Members, claimants};
use crate::access::{Action, authorize};
use crate::artifact::PackageName;
use crate::error::{Class, Failure};
use crate::format::{FormatRequest, Route, Want};
use crate::limits::{OWNER_CACHE, OWNERS_IN_MEMORY};
use crate::pipeline::read::Reading;
use crate::repository::{Repository, RepositoryId, RepositoryName};
use crate::source::Reservation;

/// Owners of names, by virtual repository.
pub(in crate::pipeline) struct Owners(Cache<(RepositoryId, PackageName), Owned>);

#[derive(Debug, Clone)]
struct Owned {
    /// The revision of the virtual repository, and the generations of its hosted members together: they only grow.
    state: (i64, u64),
    until: Instant,
    member: RepositoryName,
}

impl Default for Owners {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(OWNERS_IN_MEMORY).build())
    }
}

impl Members<'_> {
    /// The member that owns a name; `None` when no member can tell whether it knows it, or none does.
    pub(super) async fn owner(&self, package: &PackageName) -> Result<Option<Arc<Repository>>, Failure> {
        let keeper = self.reading.keeper;
        let key = (self.repository.id, package.clone());
        let state = self.state().await?;
        if let Some(known) = keeper.owners.0.get(&key)
            && known.state == state
            && Instant::now() < known.until
            && let Some(member) = self.member(&known.member).await?
        {
            return Ok(Some(member));
        }
        let owner = self.found(package).await?;
        if let Some(owner) = &owner {
            let owned = Owned { state, until: Instant::now() + OWNER_CACHE, member: owner.address.name.clone() };
            keeper.owners.0.insert(key, owned);
        }
        Ok(owner)
    }

    /// Who answers for a name, and why, for people.
    pub(in crate::pipeline) async fn decided(
        &self,
        package: &PackageName,
    ) -> Result<(Option<Arc<Repository>>, String), Failure> {
        if let Some(reservation) = self.reservation(package) {
            let names: Vec<_> = reservation.members.iter().map(RepositoryName::as_str).collect();
            let why = format!("{} is reserved here for: {}", reservation.pattern, names.join(", "));
            let first = match reservation.members.first() {
                Some(name) => self.member(name).await?,
                None => None,
            };
            return Ok((first, why));
        }
        if self.members.merge {
            return Ok((None, "the versions of all members are joined".to_owned()));
        }
        Ok(match self.owner(package).await? {
            Some(owner) if owner.source.remote().is_none() => {
                let why = format!("{} holds it, or a relative of it, and owns the name", owner.address);
                (Some(owner), why)
            }
            Some(owner) => {
                let why = format!("{} is the first member that knows it", owner.address);
                (Some(owner), why)
            }
            None => (None, format!("no member knows {package}")),
        })
    }

    async fn state(&self) -> Result<(i64, u64), Failure> {
        let mut generations = 0;
        for name in &self.members.members {
            let member = self.member(name).await?;
            if let Some(member) = member.filter(|member| member.source.remote().is_none()) {
                generations += self.reading.keeper.ports.artifacts.generation(member.id);
            }
        }
        Ok((self.repository.revision, generations))
    }

    async fn found(&self, package: &PackageName) -> Result<Option<Arc<Repository>>, Failure> {
        let Reading { keeper, handler, .. } = *self.reading;
        let claimants = claimants(keeper, handler, self.repository, self.members, package).await?;
        if let Some(name) = claimants.as_ref().and_then(|names| names.first()) {
            return Ok(self.member(name).await?);
        }
        let Some(proof) = handler.proof(package) else { return Ok(None) };
        let Some(path) = proof_path(&proof, handler.upstream_path(&proof)) else { return Ok(None) };
        for name in &self.members.members {
            let Some(member) = self.member(name).await? else { continue };
            if self.may_be_passed_over(&member, Some(package)).await? {
                continue;
            }
            match self.knows(&member, &path).await {
                Ok(()) => return Ok(Some(member)),
                Err(failure) if failure.code().class == Class::NotFound => {}
                Err(failure) if self.counts_as_absent(name, &failure) => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(None)
    }

    /// Whether a hosted member of the reservation holds a name above this one: clients ask for each prefix of an import
    /// path, and a refusal of a longer one would stop them.
    pub(super) async fn is_below_something_held(
        &self,
        package: &PackageName,
        reservation: &Reservation,
    ) -> Result<bool, Failure> {
        let Reading { keeper, handler, .. } = *self.reading;
        for above in handler.above(package) {
            for member in &reservation.members {
                let Some(member) = self.member(member).await? else { continue };
                if keeper.ports.artifacts.versions(member.id, &above).await?.is_some() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Asks a member for the index that proves a package known.
    async fn knows(&self, member: &Arc<Repository>, path: &str) -> Result<(), Failure> {
        let permit = authorize(self.reading.who, Action::Read, member).map_err(|_| self.refused())?;
        let request = FormatRequest { verb: "GET", path, query: "", ..self.reading.request };
        let reading = Reading { request, ..*self.reading };
        Box::pin(reading.answer(member, permit)).await.map(drop)
    }
}

/// The path of the proof below a repository.
fn proof_path(proof: &Route, outside: Option<String>) -> Option<String> {
    matches!(proof.want, Want::Index(_)).then_some(outside).flatten().map(|path| format!("/{path}"))
}
