//! A bounded share of the blocking pool.
//!
//! The pool is one for the process; without shares, a thousand slow reads would keep a password check from
//! running.

use std::sync::Arc;

use keeper_core::blob::BlobError;
use tokio::sync::Semaphore;

/// At most so many jobs of one kind at once; the others wait in order.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    permits: Arc<Semaphore>,
}

impl Lane {
    pub(super) fn new(jobs: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(jobs)) }
    }

    /// Runs a job that blocks. The place is held until the job has ended, also when its caller has left.
    pub(super) async fn run<T, F>(&self, job: F) -> Result<T, BlobError>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, BlobError> + Send + 'static,
    {
        let permit = self.permits.clone().acquire_owned().await.expect("the semaphore is never closed");
        let job = move || {
            let result = job();
            drop(permit);
            result
        };
        tokio::task::spawn_blocking(job).await.map_err(|error| BlobError::Io(std::io::Error::other(error)))?
    }
}
