//! What one connection is doing, and when that has lasted too long.
//!
//! The socket, the service and the answers report here; the connection's task asks. One place for all
//! deadlines, for hyper's own header timer also runs while a connection is idle, so that it cannot tell
//! ten seconds for a head from 75 of rest.
//!
//! *Units*: milliseconds since the connection began, counted from 1; 0 is "not now".

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::ServerLimits;

/// Bytes that a reader must take within the write timeout while an answer waits for it. More than the pings
/// of HTTP/2, which are written also when no answer can be.
const LEAST_PROGRESS_BYTES: u64 = 1024;

/// No look is further away than this.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The state of a connection, shared by all who touch it.
#[derive(Debug)]
pub(super) struct Pulse {
    began: Instant,
    /// HTTP/2: bytes between requests are not the head of one.
    multiplexed: AtomicBool,
    any_request: AtomicBool,
    /// Requests whose answer is not wholly handed over.
    in_flight: AtomicUsize,
    /// Answers that gave a chunk and were not asked for the next.
    waiting: AtomicUsize,
    head_since: AtomicU64,
    idle_since: AtomicU64,
    blocked_since: AtomicU64,
    written_bytes: AtomicU64,
    cut: AtomicBool,
}

/// What to do with the connection now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing; look again after this time.
    Wait(Duration),
    /// It has rested long enough: take no further request.
    Retire,
    /// End it at once.
    Cut(&'static str),
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            multiplexed: AtomicBool::new(false),
            any_request: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            head_since: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            blocked_since: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
            cut: AtomicBool::new(false),
        }
    }

    fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    fn at(&self, time: Instant) -> u64 {
        millis(time.saturating_duration_since(self.began)).saturating_add(1)
    }

    pub(super) fn is_multiplexed(&self) {
        self.multiplexed.store(true, Ordering::Relaxed);
    }

    /// Bytes came from the client.
    pub(super) fn received(&self) {
        let between_requests = self.in_flight.load(Ordering::Relaxed) == 0;
        if between_requests && !self.multiplexed.load(Ordering::Relaxed) {
            // Only the first byte of a head counts; a failed exchange means that it came before.
            let _first = self.head_since.compare_exchange(0, self.now(), Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// The client takes no more for now.
    pub(super) fn blocked(&self) {
        let _first = self.blocked_since.compare_exchange(0, self.now(), Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The client, or the kernel for it, took bytes.
    pub(super) fn wrote(&self, bytes: usize) {
        self.blocked_since.store(0, Ordering::Relaxed);
        self.written_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if !self.multiplexed.load(Ordering::Relaxed) {
            // The end of an answer may still lie in buffers when its body is done: that is not rest.
            self.idle_since.store(self.now(), Ordering::Relaxed);
        }
    }

    pub(super) fn request_began(&self) {
        self.any_request.store(true, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn request_ended(&self) {
        self.idle_since.store(self.now(), Ordering::Relaxed);
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn chunk_given(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn chunk_taken(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) == 0
    }

    /// The connection is to end with a reset, so that the kernel keeps nothing of it.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }
}

/// Watches a pulse; lives in the connection's task.
#[derive(Debug)]
pub(super) struct Watch {
    limits: Deadlines,
    /// When the protocol began, after the TLS handshake.
    ready_at: u64,
    /// Set once the connection was asked to end.
    retired_at: Option<u64>,
    /// How much was written when it was last enough, and when.
    progress: (u64, u64),
}

#[derive(Debug, Clone, Copy)]
struct Deadlines {
    header: u64,
    idle: u64,
    write: u64,
}

impl Watch {
    pub(super) fn new(limits: &ServerLimits, pulse: &Pulse, ready_at: Instant) -> Self {
        let ready_at = pulse.at(ready_at);
        let limits = Deadlines {
            header: millis(limits.header_timeout),
            idle: millis(limits.idle_timeout),
            write: millis(limits.write_timeout),
        };
        Self { limits, ready_at, retired_at: None, progress: (0, ready_at) }
    }

    /// Remembers that the connection was asked to end.
    pub(super) fn retire(&mut self, pulse: &Pulse) {
        self.retired_at.get_or_insert(pulse.now());
    }

    pub(super) fn look(&mut self, pulse: &Pulse) -> Verdict {
        let now = pulse.now();
        let limits = self.limits;
        let load = |at: &AtomicU64| at.load(Ordering::Relaxed);
        let is_set = |at: u64| (at != 0).then_some(at);

        let moved = load(&pulse.written_bytes);
        if pulse.waiting.load(Ordering::Relaxed) == 0 || moved - self.progress.0 >= LEAST_PROGRESS_BYTES {
            self.progress = (moved, now);
        }

        let (any_request, idle) = (pulse.any_request.load(Ordering::Relaxed), pulse.is_idle());
        let first = (!any_request).then_some(self.ready_at + limits.header);
        let head = is_set(load(&pulse.head_since)).map(|since| since.max(self.ready_at) + limits.header);
        let blocked = is_set(load(&pulse.blocked_since)).map(|since| since + limits.write);
        let stalled = Some(self.progress.1 + limits.write);
        let lingering = self.retired_at.filter(|_| idle).map(|since| since.max(load(&pulse.idle_since)) + limits.write);
        let resting = (any_request && idle && self.retired_at.is_none())
            .then(|| load(&pulse.idle_since).max(self.ready_at) + limits.idle);

        let cuts = [
            (first, "no request in time"),
            (head, "no whole head in time"),
            (blocked, "the client takes no bytes"),
            (stalled, "the client takes too few bytes"),
            (lingering, "the client does not leave"),
        ];
        if let Some((_, reason)) = cuts.iter().find(|(at, _)| at.is_some_and(|at| at <= now)) {
            return Verdict::Cut(reason);
        }
        if resting.is_some_and(|at| at <= now) {
            return Verdict::Retire;
        }
        let next = cuts.iter().filter_map(|(at, _)| *at).chain(resting).min().unwrap_or(u64::MAX);
        Verdict::Wait(Duration::from_millis(next.saturating_sub(now)).min(self.longest_wait()))
    }

    /// A deadline that begins after a look ends no sooner than its whole length later, so looking once within
    /// the shortest length finds each in time.
    fn longest_wait(&self) -> Duration {
        let shortest = self.limits.header.min(self.limits.idle).min(self.limits.write);
        Duration::from_millis(shortest.max(1)).min(LONGEST_WAIT)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin() -> (Pulse, Watch) {
        let pulse = Pulse::new();
        let watch = Watch::new(&ServerLimits::default(), &pulse, Instant::now());
        (pulse, watch)
    }

    async fn after(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    fn waits(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::Wait(_))
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_and_a_trickled_head_end_at_the_header_limit() {
        let (pulse, mut watch) = begin();
        after(5).await;
        pulse.received();
        after(4).await;
        assert!(waits(&watch.look(&pulse)));
        after(1).await;
        assert_eq!(watch.look(&pulse), Verdict::Cut("no request in time"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_head_has_its_own_time_and_rest_has_more() {
        let (pulse, mut watch) = begin();
        pulse.request_began();
        after(300).await;
        assert!(waits(&watch.look(&pulse)), "a request may take its time");
        pulse.request_ended();
        after(74).await;
        assert!(waits(&watch.look(&pulse)));
        pulse.received();
        after(2).await;
        assert_eq!(watch.look(&pulse), Verdict::Retire);
        watch.retire(&pulse);
        after(8).await;
        assert_eq!(watch.look(&pulse), Verdict::Cut("no whole head in time"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_blocked_write_ends_the_connection_and_progress_saves_it() {
        let (pulse, mut watch) = begin();
        pulse.request_began();
        pulse.chunk_given();
        pulse.blocked();
        after(59).await;
        assert!(waits(&watch.look(&pulse)));
        pulse.wrote(1024);
        after(59).await;
        assert!(waits(&watch.look(&pulse)));
        pulse.blocked();
        after(60).await;
        assert!(matches!(watch.look(&pulse), Verdict::Cut(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn pings_are_no_progress_for_an_answer_that_waits() {
        let (pulse, mut watch) = begin();
        pulse.is_multiplexed();
        pulse.request_began();
        pulse.chunk_given();
        for _ in 0..5 {
            after(10).await;
            pulse.wrote(17);
            assert!(waits(&watch.look(&pulse)));
        }
        after(11).await;
        assert_eq!(watch.look(&pulse), Verdict::Cut("the client takes too few bytes"));
        pulse.chunk_taken();
        assert!(waits(&watch.look(&pulse)), "an answer that has nothing to give is not the client's fault");
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_that_does_not_leave_is_cut() {
        let (pulse, mut watch) = begin();
        pulse.is_multiplexed();
        pulse.request_began();
        pulse.request_ended();
        after(75).await;
        assert_eq!(watch.look(&pulse), Verdict::Retire);
        watch.retire(&pulse);
        after(60).await;
        assert_eq!(watch.look(&pulse), Verdict::Cut("the client does not leave"));
    }
}
