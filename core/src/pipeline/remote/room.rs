//! Room in memory for the indexes of upstreams, so that neither long ones nor many readers of one are without a bound.
//!
//! ```text
//! documents   as they came: read once for all who wait for the same one, and held as long as one of them has it
//! work        what a format makes of them while it joins and judges them
//! answers     long results, until the last byte is sent
//! ```
//!
//! Room is part of the bytes it is for, so it is free again when they are, whoever has them last. It is waited for in
//! this order only: whoever works never waits for a document, and for an answer, which a slow reader may hold for long,
//! nobody waits at all. So none of those who wait can wait for each other.
//!
//! Units: KiB. Bounds: [`INDEX_DOCUMENTS_BYTES`], [`INDEX_WORK_BYTES`], [`INDEX_ANSWERS_BYTES`], [`INDEX_TURN`].

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Failure, codes};
use crate::limits::{
    ANSWER_CACHE_ENTRY_BYTES, INDEX_ANSWERS_BYTES, INDEX_DOCUMENTS_BYTES, INDEX_TURN, INDEX_WORK_BYTES,
    INDEX_WORK_FACTOR,
};

const UNIT: u64 = 1024;

/// What is left.
pub(in crate::pipeline) struct Room {
    documents: Arc<Semaphore>,
    work: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

/// Some of it; free again when dropped.
#[derive(Debug)]
pub(in crate::pipeline) struct Space {
    of: Arc<Semaphore>,
    permit: OwnedSemaphorePermit,
}

/// Bytes and the room they take.
struct Held {
    bytes: Bytes,
    _space: Space,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Default for Room {
    fn default() -> Self {
        let of = |bytes| Arc::new(Semaphore::new(units(bytes)));
        Self { documents: of(INDEX_DOCUMENTS_BYTES), work: of(INDEX_WORK_BYTES), answers: of(INDEX_ANSWERS_BYTES) }
    }
}

fn units(bytes: u64) -> usize {
    usize::try_from(bytes.div_ceil(UNIT)).unwrap_or(Semaphore::MAX_PERMITS)
}

fn permits(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

fn overloaded() -> Failure {
    Failure::new(&codes::OVERLOADED, "as much of upstreams' indexes is in memory as may be at once").retry_after(3)
}

impl Room {
    /// For a document of so many bytes at most; waits.
    ///
    /// # Errors
    /// `overloaded` when there was none in time.
    pub(in crate::pipeline) async fn for_document(&self, bytes: u64) -> Result<Space, Failure> {
        waited_for(&self.documents, bytes).await
    }

    /// The same for one that is about to come; does not wait, for an exchange is under way.
    ///
    /// # Errors
    /// `overloaded` when there is none.
    pub(in crate::pipeline) fn for_coming(&self, bytes: u64) -> Result<Space, Failure> {
        at_once(&self.documents, bytes)
    }

    /// For joining and judging documents of so many bytes together; waits.
    ///
    /// # Errors
    /// `overloaded` when there was none in time.
    pub(in crate::pipeline) async fn for_work(&self, bytes: u64) -> Result<Space, Failure> {
        waited_for(&self.work, bytes.saturating_mul(INDEX_WORK_FACTOR).min(INDEX_WORK_BYTES)).await
    }

    /// The bytes of an answer, which stay counted while somebody has them. Short ones are not: of them there is one for
    /// each connection, and they leave the document they may be a part of.
    ///
    /// # Errors
    /// `overloaded` when there is no room.
    pub(in crate::pipeline) fn answer(&self, bytes: Bytes) -> Result<Bytes, Failure> {
        if bytes.len() <= ANSWER_CACHE_ENTRY_BYTES {
            return Ok(Bytes::copy_from_slice(&bytes));
        }
        let space = at_once(&self.answers, bytes.len() as u64)?;
        Ok(space.holding(bytes))
    }
}

async fn waited_for(of: &Arc<Semaphore>, bytes: u64) -> Result<Space, Failure> {
    let turn = tokio::time::timeout(INDEX_TURN, of.clone().acquire_many_owned(permits(bytes))).await;
    let permit = turn.ok().and_then(Result::ok).ok_or_else(overloaded)?;
    Ok(Space { of: of.clone(), permit })
}

fn at_once(of: &Arc<Semaphore>, bytes: u64) -> Result<Space, Failure> {
    let permit = of.clone().try_acquire_many_owned(permits(bytes)).map_err(|_| overloaded())?;
    Ok(Space { of: of.clone(), permit })
}

impl Space {
    /// Makes it large enough for so many bytes, if it is not; does not wait.
    ///
    /// # Errors
    /// `overloaded` when there is no more.
    pub(in crate::pipeline) fn grow_to(&mut self, bytes: u64) -> Result<(), Failure> {
        let missing = bytes.saturating_sub(self.permit.num_permits() as u64 * UNIT);
        if missing > 0 {
            self.permit.merge(at_once(&self.of, missing)?.permit);
        }
        Ok(())
    }

    /// Bytes that take it, and no more of it than they need.
    pub(in crate::pipeline) fn holding(mut self, bytes: Bytes) -> Bytes {
        let needless = self.permit.num_permits().saturating_sub(units(bytes.len() as u64));
        drop(self.permit.split(needless));
        Bytes::from_owner(Held { bytes, _space: self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_is_free_when_the_last_who_has_the_bytes_is_gone() {
        let room = Room::default();
        let space = room.for_document(INDEX_DOCUMENTS_BYTES).await.expect("all of it");
        assert_eq!(room.for_coming(1).expect_err("none is left").code().name, "overloaded");
        let bytes = space.holding(Bytes::from(vec![b'x'; 100 * 1024]));
        let left = units(INDEX_DOCUMENTS_BYTES) - 100;
        assert_eq!(room.documents.available_permits(), left, "what it does not need is free");
        let part = bytes.slice(5..9);
        drop(bytes);
        assert_eq!((part.as_ref(), room.documents.available_permits()), (b"xxxx".as_slice(), left));
        drop(part);
        assert_eq!(room.documents.available_permits(), left + 100);
    }

    #[test]
    fn what_comes_without_a_length_takes_more_as_it_grows() {
        let room = Room::default();
        let mut space = room.for_coming(0).expect("nothing yet");
        for bytes in [1, 1024, 1025, 5000, 5000] {
            space.grow_to(bytes).expect("there is enough");
        }
        assert_eq!(space.permit.num_permits(), 5);
        assert!(space.grow_to(INDEX_DOCUMENTS_BYTES + 1).is_err());
        assert_eq!(room.documents.available_permits(), units(INDEX_DOCUMENTS_BYTES) - 5, "it keeps what it has");
    }

    #[test]
    fn a_short_answer_keeps_no_long_document_and_a_long_one_is_counted() {
        let room = Room::default();
        let long = Bytes::from(vec![0; ANSWER_CACHE_ENTRY_BYTES + 1]);
        let answers: Vec<_> = std::iter::from_fn(|| room.answer(long.clone()).ok()).collect();
        assert_eq!(answers.len(), units(INDEX_ANSWERS_BYTES) / units(long.len() as u64));
        let document = room.for_coming(INDEX_DOCUMENTS_BYTES).expect("all of it").holding(long);
        let short = room.answer(document.slice(..100)).expect("a short one");
        drop(document);
        assert_eq!((short.len(), room.documents.available_permits()), (100, units(INDEX_DOCUMENTS_BYTES)));
    }
}
