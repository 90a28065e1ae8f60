//! A request body with two readers in turn: the form or a parser, and after a refusal whoever reads on for a while so
//! that the client gets to the answer.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};
use keeper_core::error::{Failure, codes};

use crate::server::body::BodyTooSlow;

/// A refused body is read on for so many bytes.
const LINGER_BYTES: usize = 4 * 1024 * 1024;
/// A refused body is read on for so long.
const LINGER: Duration = Duration::from_secs(1);

/// What the caller is told of a body that came too slowly, broke off or is framed wrongly.
pub(crate) fn broken_off(error: &(dyn Error + 'static)) -> Failure {
    match BodyTooSlow::in_chain(error) {
        Some(slow) => Failure::new(&codes::REQUEST_TIMEOUT, slow.to_string()),
        None => {
            Failure::new(&codes::INVALID_FRAMING, "the request body broke off or is framed wrongly").caused_by(error)
        }
    }
}

/// The length that a request states for its body, if it does in a way that can be read.
pub(crate) fn stated_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

type Body = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A handle to the body; each chunk goes to whoever polls first.
#[derive(Clone)]
pub(crate) struct SharedBody(Arc<Mutex<Body>>);

impl SharedBody {
    pub(crate) fn new(body: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::pin(body))))
    }

    /// The whole of a short body.
    ///
    /// # Errors
    /// What `too_large` makes of a longer one, or a body that came too slowly or broke off. The rest of a
    /// refused one is read on for a little while.
    pub(crate) async fn whole(
        self,
        limit_bytes: usize,
        too_large: impl FnOnce() -> Failure,
    ) -> Result<BytesMut, Failure> {
        let read = self.clone().read(limit_bytes, too_large).await;
        if read.is_err() {
            self.linger().await;
        }
        read
    }

    async fn read(mut self, limit_bytes: usize, too_large: impl FnOnce() -> Failure) -> Result<BytesMut, Failure> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.next().await {
            let chunk = chunk.map_err(|error| broken_off(&error))?;
            if whole.len() + chunk.len() > limit_bytes {
                return Err(too_large());
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    }

    /// The same for a body of which nothing was read. A client that waits to be asked for it (`Expect: 100-continue`) has
    /// sent nothing, and reading would ask him.
    pub(crate) async fn linger_unless_awaited(self, headers: &HeaderMap) {
        if !headers.contains_key(EXPECT) {
            self.linger().await;
        }
    }

    /// Reads on for a little while: a client that sends first and reads later would otherwise see a reset
    /// connection instead of the refusal.
    pub(crate) async fn linger(mut self) {
        let read = async {
            let mut left = LINGER_BYTES;
            while left > 0 {
                match self.next().await {
                    Some(Ok(chunk)) => left = left.saturating_sub(chunk.len()),
                    Some(Err(_)) | None => break,
                }
            }
        };
        let _ended_or_timed_out = tokio::time::timeout(LINGER, read).await;
    }
}

impl Stream for SharedBody {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // The lock is held for one poll only; a poisoned one guards nothing that could be half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().poll_next(cx)
    }
}
