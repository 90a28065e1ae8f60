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
use super::fetches::Wanted;
use crate::documents::{KeptDocument, Owner};
use crate::error::Failure;
use crate::events::Served;
use crate::format::{AdmitAll, Document, Route};
use crate::limits::UPSTREAM_INDEX_BYTES;
use crate::media_type::MediaType;
use crate::pipeline::read::Keep;
use crate::upstream::{Fetched, UpstreamError, UpstreamStream};

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
    /// The upstream's document at a path; `None` when it has none.
    ///
    /// # Errors
    /// The upstream's trouble, when nothing that was kept is young enough.
    pub(super) async fn document(&self, route: &Route, outside: &str) -> Result<Option<Index>, Failure> {
        let kept = self.kept(outside).await?;
        let fresh_seconds = u64::from(self.remote.index_seconds);
        if let Some(kept) = kept.as_ref().filter(|kept| route.stored_only || age_s(kept) < fresh_seconds) {
            return Ok(Some(self.index_of(kept, Served::Stored)));
        }
        let wanted: Wanted = (self.repository.id, outside.into());
        if route.stored_only || self.keeper.fetches.absence(&wanted).is_some() {
            return Ok(None);
        }
        let (copies, route, path) = (self.clone(), route.clone(), outside.to_owned());
        let work = async move { copies.ask_for(&route, &path).await };
        let asked = self.keeper.fetches.once(wanted.clone(), self.hops, work).await;
        match (asked, kept) {
            (Ok(()), _) => Ok(self.kept(outside).await?.map(|kept| self.index_of(&kept, Served::Fetched))),
            (Err(_), _) if self.keeper.fetches.absence(&wanted).is_some() => Ok(None),
            (Err(_), Some(kept)) if age_s(&kept) < u64::from(self.remote.stale_seconds) => {
                Ok(Some(self.index_of(&kept, Served::Stale)))
            }
            (Err(failure), _) => Err(failure),
        }
    }

    /// Asks the upstream and keeps what it says.
    async fn ask_for(&self, route: &Route, outside: &str) -> Result<(), Failure> {
        let _turn = self.keeper.fetches.slot().await?;
        // Another fetch may have ended between the look at what is kept and the beginning of this one.
        let fresh_seconds = u64::from(self.remote.index_seconds);
        if self.kept(outside).await?.is_some_and(|kept| age_s(&kept) < fresh_seconds) {
            return Ok(());
        }
        let sources: Vec<_> = self.remote.chain.sources().iter().collect();
        // Of several sources nobody knows whose word is kept.
        let kept = if sources.len() == 1 { self.kept(outside).await? } else { None };
        let known = kept.as_ref().map(|kept| &kept.validators);
        let asked = self.ask(&sources, outside, known, UPSTREAM_INDEX_BYTES).await;
        let now = Timestamp::now();
        let document = match asked {
            Ok((_, Fetched::NotModified)) => kept.map(|kept| KeptDocument { fetched_at: now, ..kept }),
            Ok((_, Fetched::Body { validators, stream, .. })) => {
                let body = read(stream).await.map_err(|error| self.troubled(outside, error))?;
                self.handler.merge(route, &[as_document(body.clone())], &AdmitAll)?;
                Some(KeptDocument { body, validators, fetched_at: now })
            }
            Err(error) if error.is_absence() => {
                let gone = error == UpstreamError::Gone;
                self.keeper.fetches.note_absence((self.repository.id, outside.into()), gone, ABSENT_SECONDS);
                return Err(error.into());
            }
            Err(error) => return Err(self.troubled(outside, error)),
        };
        let document = document.ok_or_else(|| {
            self.troubled(outside, UpstreamError::Invalid("\"not modified\" to a first question".to_owned()))
        })?;
        Ok(self.keeper.ports.documents.keep(&self.owner(), outside, document).await?)
    }

    async fn kept(&self, outside: &str) -> Result<Option<KeptDocument>, Failure> {
        Ok(self.keeper.ports.documents.recall(&self.owner(), outside).await?)
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

async fn read(mut stream: UpstreamStream) -> Result<Bytes, UpstreamError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        body.extend_from_slice(&chunk?);
    }
    Ok(body.freeze())
}
