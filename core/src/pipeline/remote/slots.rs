//! Turns of exchanges with upstreams: so many with one upstream, so many with all.
//!
//! An upstream that is silent holds its own turns for minutes; the others' are left, and so are most of all. Who waits
//! holds nothing: both turns are taken together, and when one is missing, the other is given back before it is waited
//! for.
//!
//! Bounds: [`FETCHES_PER_UPSTREAM`], [`FETCHES_AT_ONCE`], [`FETCH_TURN`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use crate::error::{Failure, codes};
use crate::limits::{FETCH_TURN, FETCHES_AT_ONCE, FETCHES_PER_UPSTREAM};

/// Who has a turn, and how many there are.
pub(super) struct Slots {
    all: Arc<Semaphore>,
    /// By origin. Origins come from settings, and one that nobody asks any more is forgotten.
    each: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// A turn; given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
}

impl Default for Slots {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(FETCHES_AT_ONCE)), each: Mutex::default() }
    }
}

impl Slots {
    /// A turn for one exchange with the upstream at this address; waits for it.
    ///
    /// # Errors
    /// `overloaded` when there was none in time.
    pub(super) async fn of(&self, upstream: &Url) -> Result<Slot, Failure> {
        let turn = tokio::time::timeout(FETCH_TURN, self.both(self.turns(upstream))).await;
        let overloaded = || {
            let detail = "as many files are being fetched as may be at once, from this upstream or from all";
            Failure::new(&codes::OVERLOADED, detail).retry_after(5)
        };
        turn.ok().flatten().ok_or_else(overloaded)
    }

    /// `None` is never: the semaphores are not closed.
    async fn both(&self, own: Arc<Semaphore>) -> Option<Slot> {
        loop {
            let turn = own.clone().acquire_owned().await.ok()?;
            if let Ok(all) = self.all.clone().try_acquire_owned() {
                return Some(Slot { _all: all, _own: turn });
            }
            drop(turn);
            let all = self.all.clone().acquire_owned().await.ok()?;
            if let Ok(turn) = own.clone().try_acquire_owned() {
                return Some(Slot { _all: all, _own: turn });
            }
        }
    }

    fn turns(&self, upstream: &Url) -> Arc<Semaphore> {
        let origin = upstream.origin().ascii_serialization();
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = each.get(&origin).and_then(Weak::upgrade) {
            return known;
        }
        each.retain(|_, known| known.strong_count() > 0);
        let new = Arc::new(Semaphore::new(FETCHES_PER_UPSTREAM));
        each.insert(origin, Arc::downgrade(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn upstream(number: usize) -> Url {
        Url::parse(&format!("https://u{number}.example.com/go")).expect("an address")
    }

    fn now(slots: &Slots, number: usize) -> Option<Slot> {
        slots.both(slots.turns(&upstream(number))).now_or_never().flatten()
    }

    #[tokio::test]
    async fn one_upstream_never_has_the_turns_of_another() {
        let slots = Slots::default();
        let held: Vec<_> = (0..FETCHES_PER_UPSTREAM).map(|_| now(&slots, 0).expect("a turn")).collect();
        assert!(now(&slots, 0).is_none(), "one more than it may have");
        assert!(now(&slots, 1).is_some(), "of another one");
        drop(held);
        assert!(now(&slots, 0).is_some(), "given back");
    }

    #[tokio::test]
    async fn who_waits_for_one_turn_does_not_hold_the_other() {
        let slots = Slots::default();
        let held: Vec<_> = (0..FETCHES_AT_ONCE).map(|at| now(&slots, at % 8).expect("a turn")).collect();
        // So many turns have used up what a task may do at once.
        tokio::task::yield_now().await;
        let ninth = upstream(9);
        let mut waiting = Box::pin(slots.of(&ninth));
        assert!(waiting.as_mut().now_or_never().is_none(), "all turns are taken");
        let own = slots.turns(&ninth);
        assert_eq!(own.available_permits(), FETCHES_PER_UPSTREAM, "it holds none of its own meanwhile");
        drop(held);
        assert!(waiting.await.is_ok());
        assert_eq!(slots.all.available_permits(), FETCHES_AT_ONCE);
    }
}
