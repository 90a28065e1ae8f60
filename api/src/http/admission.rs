//! How many uploads are taken at once, and how slowly a body may come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keeper_core::error::{Failure, codes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::server::body::Pace;

/// Uploads that wait for their turn at most.
const WAITING: usize = 64;
/// How long one waits.
const WAIT: Duration = Duration::from_secs(10);

/// Bounds of uploads.
pub struct Admission {
    at_once: usize,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Bytes of one upload at most, over all formats.
    pub max_upload_bytes: u64,
    /// The slowest body that is taken.
    pub pace: Pace,
}

impl Admission {
    /// So many uploads at once, of so many bytes each.
    #[must_use]
    pub fn new(at_once: usize, max_upload_bytes: u64, pace: Pace) -> Self {
        let turns = Arc::new(Semaphore::new(at_once));
        Self { at_once, turns, waiting: AtomicUsize::new(0), max_upload_bytes, pace }
    }

    /// Uploads that have their turn, and those that wait for one.
    #[must_use]
    pub fn under_way(&self) -> (usize, usize) {
        (self.at_once.saturating_sub(self.turns.available_permits()), self.waiting.load(Ordering::Relaxed))
    }

    /// A turn to upload; held until the upload has been answered.
    ///
    /// # Errors
    /// `overloaded` when too many wait already, or the wait was too long.
    pub async fn turn(&self) -> Result<OwnedSemaphorePermit, Failure> {
        if let Ok(turn) = self.turns.clone().try_acquire_owned() {
            return Ok(turn);
        }
        let overloaded = || Failure::new(&codes::OVERLOADED, "too many uploads are under way").retry_after(5);
        let _place = Place::take(&self.waiting).ok_or_else(overloaded)?;
        match tokio::time::timeout(WAIT, self.turns.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(overloaded()),
        }
    }
}

/// A place in the queue; given back when dropped, also when the client goes away.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        let taken = waiting.fetch_add(1, Ordering::Relaxed);
        let place = Self(waiting);
        (taken < WAITING).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
