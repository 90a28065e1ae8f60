//! Trouble on demand: so many calls succeed, all later ones fail. A test that raises the number step by
//! step visits every call of an operation.

use std::sync::atomic::{AtomicU64, Ordering};

const NEVER: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Faults {
    calls_left: AtomicU64,
}

impl Faults {
    pub(super) fn none() -> Self {
        Self { calls_left: AtomicU64::new(NEVER) }
    }

    pub(super) fn fail_after(&self, calls: u64) {
        self.calls_left.store(calls, Ordering::SeqCst);
    }

    pub(super) fn recover(&self) {
        self.fail_after(NEVER);
    }

    /// Counts a call, and says whether it may succeed.
    pub(super) fn pass(&self) -> bool {
        let count = |left: u64| if left == NEVER { Some(NEVER) } else { left.checked_sub(1) };
        self.calls_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count).is_ok()
    }
}
