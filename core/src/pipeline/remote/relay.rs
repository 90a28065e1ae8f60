//! Giving out a file while it comes from its upstream.
//!
//! ```text
//! upstream ──▶ temporary file ──▶ judged ──▶ kept
//!                 │  │  │           │
//!                 ▼  ▼  ▼           └── only then the last RELAY_TAIL_BYTES
//!               any number of readers, each at its own pace
//! ```
//!
//! The file is the buffer: a slow reader holds up nobody, and memory does not grow with readers or bytes. Of a file that
//! breaks off, or that is refused, nobody gets the end, so that nobody takes it for whole. When it was found good and
//! cannot be kept, those who read it get all of it nevertheless.
//!
//! Bounds: [`RELAY_FROM_BYTES`](crate::limits::RELAY_FROM_BYTES), [`RELAY_TAIL_BYTES`].

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::watch;

use crate::blob::{BlobError, ByteRange, ByteStream, Followed, StagedBlob};
use crate::limits::RELAY_TAIL_BYTES;
use crate::media_type::MediaType;

/// A file on its way, for those who read along.
#[derive(Clone)]
pub struct Relay {
    media_type: MediaType,
    size: u64,
    bytes: Arc<dyn Followed>,
    /// Up to where it may be given out.
    open_to: watch::Receiver<u64>,
}

/// The side of the fetch. Dropped before [`open`](Self::open), it ends all readers with an error.
pub(super) struct Relaying {
    size: u64,
    open_to: watch::Sender<u64>,
}

/// A file of this announced size, which is being staged.
///
/// # Errors
/// When it cannot be read along.
pub(super) async fn relay(
    stage: &mut dyn StagedBlob,
    size: u64,
    media_type: MediaType,
) -> Result<(Relaying, Relay), BlobError> {
    let bytes = stage.follow().await?;
    let (told, open_to) = watch::channel(0);
    Ok((Relaying { size, open_to: told }, Relay { media_type, size, bytes, open_to }))
}

impl Relaying {
    /// So much of it is readable.
    pub(super) fn grew(&self, readable: u64) {
        let end = readable.min(self.size.saturating_sub(RELAY_TAIL_BYTES));
        self.open_to.send_if_modified(|open_to| {
            let grew = end > *open_to;
            *open_to = end.max(*open_to);
            grew
        });
    }

    /// All of it is readable, and was found good.
    pub(super) fn open(&self) {
        self.open_to.send_replace(self.size);
    }
}

impl Relay {
    /// Its length in bytes, as the upstream announced it.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What it is.
    #[must_use]
    pub fn media_type(&self) -> MediaType {
        self.media_type
    }

    /// Its bytes from the first one on, as they come. It ends well only with the last one.
    pub fn stream(&self) -> impl Stream<Item = Result<Bytes, BlobError>> + Send + 'static {
        let reader = Reader { part: None, sent: 0, relay: self.clone() };
        stream::unfold(Some(reader), |reader| async {
            let mut reader = reader?;
            match reader.next().await {
                Ok(chunk) => chunk.map(|chunk| (Ok(chunk), Some(reader))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Somebody who reads along.
struct Reader {
    /// What is open of it and not yet sent.
    part: Option<ByteStream>,
    sent: u64,
    relay: Relay,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        loop {
            if let Some(part) = &mut self.part {
                if let Some(chunk) = part.next().await.transpose()? {
                    self.sent += chunk.len() as u64;
                    return Ok(Some(chunk));
                }
                self.part = None;
            }
            let start = self.sent;
            if start == self.relay.size {
                return Ok(None);
            }
            let end = match self.relay.open_to.wait_for(|open_to| *open_to > start).await {
                Ok(end) => *end,
                Err(_) => return Err(BlobError::Io(io::Error::other("the rest of the file did not come"))),
            };
            self.part = Some(self.relay.bytes.part(ByteRange { start, end }).await?);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::blob::BlobStore as _;
    use crate::testing::memory::MemoryBlobs;

    const SIZE: usize = 3 * RELAY_TAIL_BYTES as usize;

    fn sample() -> Bytes {
        (0..SIZE).map(|at| (at * 31 % 251) as u8).collect::<Vec<_>>().into()
    }

    async fn begun() -> (Box<dyn StagedBlob>, Relaying, Relay) {
        let mut stage = MemoryBlobs::new().stage(SIZE as u64).await.expect("a stage");
        let (relaying, relay) = relay(&mut *stage, SIZE as u64, MediaType::ZIP).await.expect("a relay");
        (stage, relaying, relay)
    }

    /// What can be read at once, and whether the end was reached; an error is an error.
    fn at_once(
        stream: &mut (impl Stream<Item = Result<Bytes, BlobError>> + Unpin),
    ) -> Result<(usize, bool), BlobError> {
        let (mut read, mut context) = (0, Context::from_waker(Waker::noop()));
        loop {
            match pin!(stream.next()).poll(&mut context) {
                Poll::Ready(Some(chunk)) => read += chunk?.len(),
                Poll::Ready(None) => return Ok((read, true)),
                Poll::Pending => return Ok((read, false)),
            }
        }
    }

    #[tokio::test]
    async fn readers_get_what_is_there_and_the_end_only_when_it_was_judged() {
        let (mut stage, relaying, relay) = begun().await;
        let (mut early, tail) = (Box::pin(relay.stream()), RELAY_TAIL_BYTES as usize);
        assert_eq!(at_once(&mut early).expect("no error"), (0, false));
        stage.write(sample().slice(..1000)).await.expect("a write");
        stage.flush().await.expect("a flush");
        relaying.grew(stage.readable());
        assert_eq!(at_once(&mut early).expect("no error"), (1000, false), "what came is given out at once");
        stage.write(sample().slice(1000..)).await.expect("a write");
        stage.flush().await.expect("a flush");
        relaying.grew(stage.readable());
        let mut late = Box::pin(relay.stream());
        assert_eq!(at_once(&mut late).expect("no error"), (SIZE - tail, false), "all but the tail");
        relaying.open();
        drop((relaying, stage));
        assert_eq!(at_once(&mut late).expect("no error"), (tail, true));
        assert_eq!(at_once(&mut early).expect("no error"), (SIZE - 1000, true));
        let whole: Vec<_> = relay.stream().collect().await;
        assert!(whole.into_iter().map(|chunk| chunk.expect("a chunk")).collect::<Vec<_>>().concat() == sample());
    }

    #[tokio::test]
    async fn what_is_not_judged_good_has_no_end() {
        let (mut stage, relaying, relay) = begun().await;
        stage.write(sample()).await.expect("a write");
        stage.flush().await.expect("a flush");
        relaying.grew(stage.readable());
        let mut reader = Box::pin(relay.stream());
        assert_eq!(at_once(&mut reader).expect("no error"), (SIZE - RELAY_TAIL_BYTES as usize, false));
        drop(relaying);
        assert!(at_once(&mut reader).is_err());
        let mut reader = Box::pin(relay.stream());
        assert!(at_once(&mut reader).is_err(), "one who comes late gets none either");
    }
}
