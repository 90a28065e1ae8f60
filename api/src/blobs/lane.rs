//! A bounded share of the blocking pool.
//!
//! The pool is one for the process; without shares, a thousand slow reads would keep a password check from
//! running.

use std::sync::Arc;

use keeper_core::blob::BlobError;
use metrics::{Gauge, gauge};
use tokio::sync::Semaphore;

use crate::monitoring::OneMore;

/// At most so many jobs of one kind at once; the others wait in order.
#[derive(Clone)]
pub(super) struct Lane {
    permits: Arc<Semaphore>,
    running: Gauge,
    waiting: Gauge,
}

impl Lane {
    /// `name` says what its jobs do, in figures.
    pub(super) fn new(name: &'static str, jobs: usize) -> Self {
        let gauge = |state: &'static str| gauge!("keeper_blob_jobs", "lane" => name, "state" => state);
        Self { permits: Arc::new(Semaphore::new(jobs)), running: gauge("running"), waiting: gauge("waiting") }
    }

    /// Runs a job that blocks. The place is held until the job has ended, also when its caller has left.
    pub(super) async fn run<T, F>(&self, job: F) -> Result<T, BlobError>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, BlobError> + Send + 'static,
    {
        let waiting = OneMore::in_(&self.waiting);
        let permit = self.permits.clone().acquire_owned().await.expect("the semaphore is never closed");
        drop(waiting);
        let running = OneMore::in_(&self.running);
        let job = move || {
            let result = job();
            drop((permit, running));
            result
        };
        tokio::task::spawn_blocking(job).await.map_err(|error| BlobError::Io(std::io::Error::other(error)))?
    }
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane").field("permits", &self.permits).finish_non_exhaustive()
    }
}
