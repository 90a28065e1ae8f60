//! Request bodies that must keep coming.
//!
//! hyper waits for ever for a body that stops. [`PacedBody`] gives up on one that averages less than
//! 1 KiB/s over 30 seconds, or that takes longer than an upload may.
//!
//! Only the time spent waiting for the client counts for the rate: when we are slow to take the bytes,
//! because the disk is, that is not the client's doing. The whole time counts for the total.
//!
//! *Errors*: an [`io::Error`] that carries [`BodyTooSlow`]; find it again, through whatever wraps it, with
//! [`BodyTooSlow::in_chain`].

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use keeper_core::limits::UPLOAD_TIME;
use tokio::time::{Instant, Sleep, sleep_until};

/// How fast a body has to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Bytes in each second, on average over a `window`.
    pub least_bytes_per_second: u64,
    /// What the average is taken over.
    pub window: Duration,
    /// How long the first window may last at least.
    pub grace: Duration,
    /// For the whole body.
    pub total: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            least_bytes_per_second: 1024,
            window: Duration::from_secs(30),
            grace: Duration::from_secs(30),
            total: UPLOAD_TIME,
        }
    }
}

/// A body that came too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body came too slowly: {received} bytes in {} s", elapsed.as_secs())]
pub struct BodyTooSlow {
    /// Bytes that came.
    pub received: u64,
    /// Since the body was first waited for.
    pub elapsed: Duration,
}

impl BodyTooSlow {
    /// Finds this error among the causes of another.
    #[must_use]
    pub fn in_chain(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(*found);
            }
            // The source of an io::Error is the source of what it carries, not what it carries.
            let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            next = match carried {
                Some(carried) => Some(carried as &(dyn Error + 'static)),
                None => error.source(),
            };
        }
        None
    }
}

/// A stream of bytes that ends with [`BodyTooSlow`] when they do not keep coming.
pub struct PacedBody<S> {
    body: Pin<Box<S>>,
    pace: Pace,
    began: Option<Instant>,
    received: u64,
    /// Bytes of the running window, and the time waited in it.
    in_window: u64,
    waited: Duration,
    /// What the running window may last.
    allowed: Duration,
    /// When the present wait began, and the alarm for its end.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    ended: bool,
}

impl<S> PacedBody<S> {
    /// Watches `body`. Time begins with the first poll.
    pub fn new(body: S, pace: Pace) -> Self {
        Self {
            body: Box::pin(body),
            pace,
            began: None,
            received: 0,
            in_window: 0,
            waited: Duration::ZERO,
            allowed: pace.window.max(pace.grace),
            waiting: None,
            ended: false,
        }
    }

    fn take(&mut self, bytes: u64) {
        if let Some((since, _)) = self.waiting.take() {
            self.waited += since.elapsed();
        }
        self.received += bytes;
        self.in_window += bytes;
        let window_ms = u64::try_from(self.pace.window.as_millis()).unwrap_or(u64::MAX);
        let enough = self.pace.least_bytes_per_second.saturating_mul(window_ms) / 1000;
        if self.in_window >= enough {
            (self.in_window, self.waited, self.allowed) = (0, Duration::ZERO, self.pace.window);
        }
    }

    /// Whether the client may be waited for any longer; sets the alarm if so.
    fn poll_patience(&mut self, began: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let (allowed, waited, total) = (self.allowed, self.waited, self.pace.total);
        let (_, alarm) = self.waiting.get_or_insert_with(|| {
            let now = Instant::now();
            let until = (now + allowed.saturating_sub(waited)).min(began + total);
            (now, Box::pin(sleep_until(until)))
        });
        alarm.as_mut().poll(cx)
    }

    fn give_up(&mut self, began: Instant) -> io::Error {
        self.ended = true;
        let slow = BodyTooSlow { received: self.received, elapsed: began.elapsed() };
        io::Error::new(io::ErrorKind::TimedOut, slow)
    }
}

impl<S> Stream for PacedBody<S>
where
    S: Stream<Item = io::Result<Bytes>>,
{
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let began = *this.began.get_or_insert_with(Instant::now);
        match this.body.as_mut().poll_next(cx) {
            Poll::Ready(Some(Ok(bytes))) => {
                this.take(bytes.len() as u64);
                // Also a body that never lets us wait must end some time.
                if began.elapsed() >= this.pace.total {
                    return Poll::Ready(Some(Err(this.give_up(began))));
                }
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(end_or_error) => {
                this.ended = true;
                Poll::Ready(end_or_error)
            }
            Poll::Pending => match this.poll_patience(began, cx) {
                Poll::Ready(()) => Poll::Ready(Some(Err(this.give_up(began)))),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;

    /// A body of chunks of `bytes`, each after `pause`.
    fn trickle(bytes: usize, pause: Duration) -> impl Stream<Item = io::Result<Bytes>> {
        stream::unfold((), move |()| async move {
            tokio::time::sleep(pause).await;
            Some((Ok(Bytes::from(vec![0; bytes])), ()))
        })
    }

    async fn outcome<S: Stream<Item = io::Result<Bytes>>>(body: S, pace: Pace) -> (u64, Option<BodyTooSlow>) {
        let mut body = PacedBody::new(body, pace);
        let mut received = 0;
        while let Some(item) = body.next().await {
            match item {
                Ok(bytes) => received += bytes.len() as u64,
                Err(error) => return (received, BodyTooSlow::in_chain(&error)),
            }
        }
        (received, None)
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_body_ends_after_the_grace() {
        let (_, slow) = outcome(stream::pending(), Pace::default()).await;
        assert_eq!(slow, Some(BodyTooSlow { received: 0, elapsed: seconds(30) }));
        let generous = Pace { grace: seconds(45), ..Pace::default() };
        assert_eq!(outcome(stream::pending(), generous).await.1.map(|slow| slow.elapsed), Some(seconds(45)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_least_rate_is_enough_and_a_little_less_is_not() {
        let enough = trickle(1024, seconds(1)).take(300);
        assert_eq!(outcome(enough, Pace::default()).await, (300 * 1024, None));
        let (received, slow) = outcome(trickle(1000, seconds(1)).take(300), Pace::default()).await;
        assert_eq!(slow.map(|slow| slow.elapsed), Some(seconds(30)));
        assert!(received < 30 * 1024);
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_may_be_shorter_than_a_second() {
        let short = Duration::from_millis(300);
        let pace = Pace { window: short, grace: short, ..Pace::default() };
        let (_, slow) = outcome(trickle(10, Duration::from_millis(100)), pace).await;
        assert_eq!(slow.map(|slow| slow.elapsed), Some(short));
    }

    #[tokio::test(start_paused = true)]
    async fn one_byte_in_ten_seconds_is_too_slow_at_any_time() {
        let fast = stream::iter(vec![Ok(Bytes::from(vec![0; 1 << 20]))]);
        let (received, slow) = outcome(fast.chain(trickle(1, seconds(10))), Pace::default()).await;
        let elapsed = slow.expect("too slow").elapsed;
        assert!(elapsed <= seconds(31) && received < (1 << 20) + 4, "{received} in {elapsed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn our_own_slowness_does_not_count() {
        let mut body = PacedBody::new(trickle(10, seconds(1)).take(20), Pace::default());
        let mut chunks = 0;
        while let Some(item) = body.next().await {
            item.expect("a chunk");
            chunks += 1;
            tokio::time::sleep(seconds(60)).await;
        }
        assert_eq!(chunks, 20);
    }

    #[tokio::test(start_paused = true)]
    async fn the_total_time_ends_also_a_fast_body() {
        let pace = Pace { total: seconds(600), ..Pace::default() };
        let (received, slow) = outcome(trickle(1 << 20, seconds(1)), pace).await;
        assert_eq!(slow.map(|slow| slow.elapsed), Some(seconds(600)));
        assert!(received >= 599 << 20);
    }

    #[test]
    fn the_error_is_found_through_what_wraps_it() {
        #[derive(Debug, thiserror::Error)]
        #[error("wrapped")]
        struct Wrapped(#[source] Box<dyn Error + Send + Sync>);

        let slow = BodyTooSlow { received: 3, elapsed: seconds(30) };
        let inner = io::Error::new(io::ErrorKind::TimedOut, slow);
        let outer = io::Error::other(Wrapped(Box::new(inner)));
        assert_eq!(BodyTooSlow::in_chain(&outer), Some(slow));
        assert_eq!(BodyTooSlow::in_chain(&io::Error::other("else")), None);
    }
}
