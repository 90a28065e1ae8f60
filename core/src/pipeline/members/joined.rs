//! Indexes that hold what several members have.

use super::{Members, part_of};
use crate::error::Failure;
use crate::format::{AdmitAll, Document, Route};
use crate::pipeline::Answer;

impl Members<'_> {
    /// The members' indexes, joined by the format. A member in trouble makes the whole one trouble: a list that is too
    /// short would let clients go back to older versions without a word.
    pub(super) async fn joined(&self, route: &Route) -> Result<Answer, Failure> {
        let parts = self.parts().await?;
        let room = &self.reading.keeper.fetches.room;
        let _space = room.for_work(parts.iter().map(|part| part.body.len() as u64).sum()).await?;
        let document = match parts.is_empty() {
            true => return self.first_that_has_it(route).await,
            false => self.reading.handler.merge(route, &parts, &AdmitAll)?,
        };
        let document = Document { body: room.answer(document.body)?, ..document };
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
}
