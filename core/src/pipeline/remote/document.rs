//! Indexes of upstreams: asked for, judged, kept for a while, and given out stale when the upstream is in trouble.
//!
//! ```text
//! younger than index_seconds              as it is kept
//! older, the upstream answers             the new one, or the kept one when it says "not modified"
//! older, the upstream is in trouble       the kept one up to stale_seconds, marked as stale;  else the trouble
//! the upstream says there is none         none, believed for a minute
//! ```
//!
//! A document is kept only when the format finds it sound. Trouble is never kept, and never becomes an absence.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use jiff::Timestamp;

use super::Copies;
use super::fetches::{Found, Wanted};
use super::fill::{Asked, Trouble};
use crate::documents::{KeptDocument, Owner};
use crate::error::Failure;
use crate::events::Served;
use crate::format::{AdmitAll, Document, Route};
use crate::limits::UPSTREAM_INDEX_BYTES;
use crate::media_type::MediaType;
use crate::pipeline::read::Keep;
use crate::upstream::{Fetched, UpstreamError, UpstreamStream, Validators};

/// Seconds for which the absence of an index is believed.
const ABSENT_SECONDS: u64 = 60;

/// An upstream's index as it is given out.
pub(super) struct Index {
    pub(super) document: Document,
    pub(super) age_s: u64,
    pub(super) stale: bool,
    pub(super) keep: Keep,
    pub(super) served: Served,
}

impl Copies {
    /// The upstream's document at a path; `None` when it has none. All who ask at once get the same bytes.
    ///
    /// # Errors
    /// The upstream's trouble, when nothing that was kept is young enough.
    pub(super) async fn document(&self, route: &Route, outside: &str) -> Result<Option<Index>, Failure> {
        if route.stored_only {
            return Ok(self.kept(outside).await?.map(|kept| self.index_of(&kept, Served::Stored)));
        }
        let wanted: Wanted = (self.repository.id, outside.into());
        let (copies, route, path) = (self.clone(), route.clone(), outside.to_owned());
        let work = async move { copies.current(&route, &path).await };
        let found = self.keeper.fetches.once(wanted, self.hops, work).await?;
        Ok(found.map(|found| self.index_of(&found.document, found.served)))
    }

    /// The kept one while it is fresh, else what the upstream says, else the kept one again. It is not in memory while
    /// the upstream is waited for.
    async fn current(&self, route: &Route, outside: &str) -> Result<Option<Found>, Failure> {
        let known = match self.kept(outside).await? {
            Some(kept) if age_s(&kept) < u64::from(self.remote.index_seconds) => {
                return Ok(Some(Found { document: kept, served: Served::Stored }));
            }
            kept => kept.map(|kept| kept.validators),
        };
        if self.keeper.fetches.absence(&(self.repository.id, outside.into())).is_some() {
            return Ok(None);
        }
        match self.ask_for(route, outside, known.as_ref()).await {
            Ok(document) => Ok(document.map(|document| Found { document, served: Served::Fetched })),
            Err(trouble) => match self.kept(outside).await? {
                Some(document) if age_s(&document) < u64::from(self.remote.stale_seconds) => {
                    Ok(Some(Found { document, served: Served::Stale }))
                }
                _ => Err(trouble),
            },
        }
    }

    /// Asks the upstream and keeps what it says; `None` when it says that there is none.
    async fn ask_for(
        &self,
        route: &Route,
        outside: &str,
        known: Option<&Validators>,
    ) -> Result<Option<KeptDocument>, Failure> {
        let sources: Vec<_> = self.remote.chain.sources().iter().collect();
        let had_one = known.is_some();
        // Of several sources nobody knows whose word is kept.
        let known = known.filter(|_| sources.len() == 1);
        let asked = self.ask(&sources, outside, known, UPSTREAM_INDEX_BYTES).await;
        let now = Timestamp::now();
        let document = match asked {
            Ok(Asked { fetched: Fetched::NotModified, slot, .. }) => {
                drop(slot);
                self.kept(outside).await?.map(|kept| KeptDocument { fetched_at: now, ..kept })
            }
            Ok(Asked { fetched: Fetched::Body { validators, announced_bytes, stream, .. }, slot, .. }) => {
                let body = match self.read(stream, announced_bytes).await {
                    Ok(body) => body,
                    Err(Trouble::Upstream(error)) => return Err(self.troubled(outside, error)),
                    Err(Trouble::Here(failure)) => return Err(failure),
                };
                drop(slot);
                let _space = self.keeper.fetches.room.for_work(body.len() as u64).await?;
                self.handler.merge(route, &[as_document(body.clone())], &AdmitAll)?;
                Some(KeptDocument { body, validators, fetched_at: now })
            }
            Err(Trouble::Upstream(error)) if error.is_absence() => {
                let gone = error == UpstreamError::Gone;
                self.keeper.fetches.note_absence((self.repository.id, outside.into()), gone, ABSENT_SECONDS);
                if let Some(package) = route.package.as_ref().filter(|_| had_one) {
                    self.tell_of_missing(package.as_str(), outside).await;
                }
                return Ok(None);
            }
            Err(Trouble::Upstream(error)) => return Err(self.troubled(outside, error)),
            Err(Trouble::Here(failure)) => return Err(failure),
        };
        let document = document.ok_or_else(|| {
            self.troubled(outside, UpstreamError::Invalid("\"not modified\" to a first question".to_owned()))
        })?;
        self.keeper.ports.documents.keep(&self.owner(), outside, document.clone()).await?;
        Ok(Some(document))
    }

    /// What is kept; of its length nothing is known before, so there is room for the longest until it is here.
    async fn kept(&self, outside: &str) -> Result<Option<KeptDocument>, Failure> {
        let space = self.keeper.fetches.room.for_document(UPSTREAM_INDEX_BYTES).await?;
        let kept = self.keeper.ports.documents.recall(&self.owner(), outside).await?;
        Ok(kept.map(|kept| KeptDocument { body: space.holding(kept.body), ..kept }))
    }

    /// The bytes of an index. Room for them is taken as they come, twice, for they are moved when they grow.
    async fn read(&self, mut stream: UpstreamStream, announced: Option<u64>) -> Result<Bytes, Trouble> {
        let mut space = self.keeper.fetches.room.for_coming(announced.unwrap_or(0))?;
        let mut body = BytesMut::with_capacity(usize::try_from(announced.unwrap_or(0)).unwrap_or(0));
        while let Some(chunk) = stream.next().await {
            let chunk = chunk?;
            let length = body.len() + chunk.len();
            space.grow_to(if length > body.capacity() { 2 * length } else { length } as u64)?;
            body.extend_from_slice(&chunk);
        }
        Ok(space.holding(body.freeze()))
    }

    pub(super) fn owner(&self) -> Owner {
        Owner::Repository(self.repository.id)
    }

    fn index_of(&self, kept: &KeptDocument, served: Served) -> Index {
        let stale = served == Served::Stale;
        let age_s = age_s(kept);
        let left = u64::from(self.remote.index_seconds).saturating_sub(age_s);
        let keep = if stale || left == 0 { Keep::Not } else { Keep::For(Duration::from_secs(left)) };
        Index { document: as_document(kept.body.clone()), age_s, stale, keep, served }
    }
}

/// What a format is given to judge: bytes of which nobody else knows what they are.
fn as_document(body: Bytes) -> Document {
    Document::new(MediaType::BYTES, body)
}

/// Whole seconds since it was fetched; a clock that went back makes it new.
fn age_s(kept: &KeptDocument) -> u64 {
    u64::try_from(Timestamp::now().duration_since(kept.fetched_at).as_secs()).unwrap_or(0)
}
