//! Leaving an upstream alone after repeated trouble, and remembering how it fares.
//!
//! ```text
//! well ──(so many failures within the window)──▶ resting ──(time)──▶ one request tries ──well──▶ well
//!                                                   ▲                      │
//!                                                   └──────(trouble)───────┘
//! ```
//!
//! One state for each origin (scheme, host, port). While an upstream rests nobody connects to it: a client gets its
//! answer at once instead of after two minutes, and a server that is down is not held down.
//!
//! *Bounds*: origins come from settings, so their number is that of what administrators wrote.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use keeper_core::upstream::UpstreamError;
use metrics::gauge;

use super::limits::UpstreamLimits;

/// Share of requests that may be repetitions: ten requests earn one.
const RETRY_SHARE: f64 = 0.1;
/// Repetitions that may be saved up; also what an origin begins with.
const RETRIES_SAVED: f64 = 10.0;

/// All origins that were ever asked.
#[derive(Debug)]
pub(super) struct Breakers {
    rules: Rules,
    origins: Mutex<HashMap<String, Arc<Breaker>>>,
}

#[derive(Debug, Clone, Copy)]
struct Rules {
    failures: usize,
    window: Duration,
    rest: Duration,
}

/// One origin.
#[derive(Debug)]
pub(super) struct Breaker {
    rules: Rules,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    state: State,
    failures: VecDeque<Instant>,
    retries: f64,
    last_trouble: Option<(&'static str, Timestamp)>,
    last_answer_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Well,
    Resting {
        until: Instant,
        until_time: Timestamp,
    },
    /// One request is on its way to see.
    Trying,
}

/// How an origin fares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) resting_until: Option<Timestamp>,
    pub(super) last_trouble: Option<(&'static str, Timestamp)>,
    pub(super) last_answer_at: Option<Timestamp>,
}

impl Breakers {
    pub(super) fn new(limits: &UpstreamLimits) -> Self {
        let rules = Rules { failures: limits.failures, window: limits.failure_window, rest: limits.rest };
        gauge!("keeper_upstreams_resting").set(0.0);
        Self { rules, origins: Mutex::default() }
    }

    /// The one of an origin.
    pub(super) fn of(&self, origin: &str) -> Arc<Breaker> {
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = origins.get(origin) {
            return known.clone();
        }
        let new = Arc::new(Breaker::new(self.rules));
        origins.insert(origin.to_owned(), new.clone());
        new
    }

    /// How an origin fares, if it was ever asked.
    pub(super) fn standing(&self, origin: &str) -> Option<Standing> {
        let origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        origins.get(origin).map(|breaker| breaker.standing())
    }
}

impl Breaker {
    fn new(rules: Rules) -> Self {
        let now = Now {
            state: State::Well,
            failures: VecDeque::new(),
            retries: RETRIES_SAVED,
            last_trouble: None,
            last_answer_at: None,
        };
        Self { rules, now: Mutex::new(now) }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks whether a request may go out.
    ///
    /// # Errors
    /// [`UpstreamError::Resting`]: not now.
    pub(super) fn enter(self: &Arc<Self>) -> Result<Pass, UpstreamError> {
        let mut now = self.now();
        let left = match now.state {
            State::Well => Duration::ZERO,
            State::Resting { until, .. } => match until.saturating_duration_since(Instant::now()) {
                Duration::ZERO => {
                    now.state = State::Trying;
                    Duration::ZERO
                }
                left => left,
            },
            State::Trying => Duration::from_secs(1),
        };
        if !left.is_zero() {
            return Err(UpstreamError::Resting { retry_after_s: whole_seconds(left) });
        }
        now.retries = (now.retries + RETRY_SHARE).min(RETRIES_SAVED);
        Ok(Pass { breaker: self.clone(), told: false })
    }

    /// Takes one repetition from what was saved up.
    pub(super) fn may_retry(&self) -> bool {
        let mut now = self.now();
        let enough = now.retries >= 1.0;
        if enough {
            now.retries -= 1.0;
        }
        enough
    }

    /// An answer came.
    pub(super) fn well(&self) {
        let mut now = self.now();
        now.last_answer_at = Some(Timestamp::now());
        if !matches!(now.state, State::Well) {
            gauge!("keeper_upstreams_resting").decrement(1.0);
            now.state = State::Well;
            now.failures.clear();
        }
    }

    /// It was in trouble.
    pub(super) fn trouble(&self, code: &'static str) {
        let (moment, mut now) = (Instant::now(), self.now());
        now.last_trouble = Some((code, Timestamp::now()));
        now.failures.push_back(moment);
        while now.failures.len() > self.rules.failures
            || now.failures.front().is_some_and(|first| moment.duration_since(*first) > self.rules.window)
        {
            now.failures.pop_front();
        }
        let (was, tried) = (matches!(now.state, State::Well), matches!(now.state, State::Trying));
        if tried || (was && now.failures.len() >= self.rules.failures) {
            if was {
                gauge!("keeper_upstreams_resting").increment(1.0);
            }
            let until_time = Timestamp::now().checked_add(self.rules.rest).unwrap_or(Timestamp::MAX);
            now.state = State::Resting { until: moment + self.rules.rest, until_time };
        }
    }

    /// It answered, and the answer is one that an administrator has to hear of.
    pub(super) fn note(&self, code: &'static str) {
        self.now().last_trouble = Some((code, Timestamp::now()));
    }

    fn standing(&self) -> Standing {
        let now = self.now();
        let resting_until = match now.state {
            State::Resting { until, until_time } if until > Instant::now() => Some(until_time),
            _ => None,
        };
        Standing { resting_until, last_trouble: now.last_trouble, last_answer_at: now.last_answer_at }
    }
}

/// A request on its way; it has to say how it went.
#[derive(Debug)]
pub(super) struct Pass {
    breaker: Arc<Breaker>,
    told: bool,
}

impl Pass {
    pub(super) fn well(mut self) {
        self.told = true;
        self.breaker.well();
    }

    pub(super) fn trouble(mut self, code: &'static str) {
        self.told = true;
        self.breaker.trouble(code);
    }
}

impl Drop for Pass {
    /// Nobody waited for the end. If it was the one that tries, the next one may.
    fn drop(&mut self) {
        let mut now = self.breaker.now();
        if !self.told && matches!(now.state, State::Trying) {
            now.state = State::Resting { until: Instant::now(), until_time: Timestamp::now() };
        }
    }
}

/// A time in seconds for `Retry-After`, at least one.
pub(super) fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker(rest: Duration) -> Arc<Breaker> {
        Arc::new(Breaker::new(Rules { failures: 3, window: Duration::from_secs(60), rest }))
    }

    fn fail(breaker: &Arc<Breaker>, times: usize) {
        for _ in 0..times {
            breaker.enter().expect("it may go out").trouble("upstream_error");
        }
    }

    #[test]
    fn repeated_trouble_means_rest_and_a_single_one_does_not() {
        let breaker = breaker(Duration::from_secs(30));
        fail(&breaker, 2);
        assert!(breaker.standing().resting_until.is_none());
        fail(&breaker, 1);
        let refused = breaker.enter().expect_err("it rests");
        assert_eq!(refused, UpstreamError::Resting { retry_after_s: 30 });
        let standing = breaker.standing();
        assert!(standing.resting_until.is_some() && standing.last_answer_at.is_none());
        assert_eq!(standing.last_trouble.map(|(code, _)| code), Some("upstream_error"));
    }

    #[test]
    fn an_answer_between_failures_does_not_hide_that_they_are_many() {
        let breaker = breaker(Duration::from_secs(30));
        fail(&breaker, 2);
        breaker.enter().expect("it may").well();
        fail(&breaker, 1);
        assert!(breaker.enter().is_err());
    }

    #[test]
    fn old_failures_count_no_more() {
        let breaker =
            Arc::new(Breaker::new(Rules { failures: 2, window: Duration::ZERO, rest: Duration::from_secs(30) }));
        for _ in 0..5 {
            fail(&breaker, 1);
        }
        assert!(breaker.enter().is_ok());
    }

    #[test]
    fn after_the_rest_one_tries_and_decides_for_all() {
        let breaker = breaker(Duration::ZERO);
        fail(&breaker, 3);
        let trying = breaker.enter().expect("the one that tries");
        assert!(breaker.enter().is_err(), "nobody else meanwhile");
        drop(trying);
        let trying = breaker.enter().expect("its client left, so the next one tries");
        trying.trouble("upstream_error");
        let trying = breaker.enter().expect("after another rest");
        trying.well();
        let (_one, _other) = (breaker.enter().expect("well"), breaker.enter().expect("well"));
    }

    #[test]
    fn repetitions_are_a_small_share_of_the_requests() {
        let breaker = breaker(Duration::ZERO);
        let saved = std::iter::repeat_with(|| breaker.may_retry()).take_while(|may| *may).count();
        assert_eq!(saved, 10);
        for _ in 0..11 {
            breaker.enter().expect("it may go out").well();
        }
        assert!(breaker.may_retry() && !breaker.may_retry());
    }
}
