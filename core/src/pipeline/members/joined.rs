//! Indexes that hold what several members have.

use super::{Members, part_of};
use crate::artifact::PackageName;
use crate::error::Failure;
use crate::format::{AdmitAll, Document, Route};
use crate::pipeline::Answer;
use crate::source::Reservation;

impl Members<'_> {
    /// The members' indexes, joined by the format. A member in trouble makes the whole one trouble: a list that is too
    /// short would let clients go back to older versions without a word.
    pub(super) async fn joined(&self, route: &Route) -> Result<Answer, Failure> {
        let parts = self.parts().await?;
        let document = match parts.is_empty() {
            true => return self.first_that_has_it(route).await,
            false => self.reading.handler.merge(route, &parts, &AdmitAll)?,
        };
        Ok(self.of_document(route, document))
    }

    async fn parts(&self) -> Result<Vec<Document>, Failure> {
        let mut parts = Vec::new();
        for name in &self.members.members {
            let Some(member) = self.member(name).await? else { continue };
            match self.ask(&member).await {
                Err(failure) if self.counts_as_absent(name, &failure) => {}
                answer => parts.extend(part_of(answer)?),
            }
        }
        Ok(parts)
    }

    /// Whether a hosted member of the reservation holds a name above this one: clients ask for each prefix of an import
    /// path, and a refusal of a longer one would stop them.
    pub(super) async fn is_below_something_held(
        &self,
        package: &PackageName,
        reservation: &Reservation,
    ) -> Result<bool, Failure> {
        let artifacts = &self.reading.keeper.ports.artifacts;
        let name = package.as_str();
        for above in name.match_indices('/').map(|(end, _)| &name[..end]) {
            let Ok(above) = PackageName::try_from(above) else { continue };
            for member in &reservation.members {
                let Some(member) = self.member(member).await? else { continue };
                if artifacts.versions(member.id, &above).await?.is_some() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}
