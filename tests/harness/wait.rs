//! Waiting for what happens by itself, such as the clean-up behind a client that left.
//!
//! Only for conditions that nobody announces; a test that can wait for an answer does so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Time for it on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until it is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        thread::sleep(PAUSE);
    }
}

/// Raises a flag at the end of its scope, also when that ends in a panic: threads that work until the flag is raised
/// would otherwise never be done, and a failed test would wait for them for ever.
pub(crate) struct RaiseAtEnd<'a>(pub(crate) &'a AtomicBool);

impl Drop for RaiseAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
