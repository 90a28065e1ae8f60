//! Background work that is begun again when it panics.
//!
//! A task that nobody waits for ends in silence, and what it did is missed days later. So whatever runs for as long as
//! the server is begun again after a panic, later each time ([`FIRST`] to [`LONGEST`]); the log has it, a number counts
//! it, and `/readyz` names the task for [`TOLD`]. (The task that commits is none of these: what it left behind in the
//! middle of a change nobody knows, so its end is the end of the process.)

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use metrics::counter;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What is waited before the first repetition, and at most. One that went well for longer begins anew.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// How long a panic is told.
const TOLD: Duration = Duration::from_secs(60 * 60);

/// The tasks that have panicked, and when.
#[derive(Debug, Clone, Default)]
pub struct Supervisor {
    panicked: Arc<Mutex<BTreeMap<&'static str, Instant>>>,
}

impl Supervisor {
    /// Does the work until it ends by itself or the server stops.
    pub async fn keep<F>(self, task: &'static str, stop: CancellationToken, mut work: impl FnMut() -> F)
    where
        F: Future<Output = ()>,
    {
        let mut pause = FIRST;
        loop {
            let began = Instant::now();
            let Err(panic) = AssertUnwindSafe(work()).catch_unwind().await else { return };
            self.note(task, &*panic);
            if began.elapsed() > LONGEST {
                pause = FIRST;
            }
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// Writes down that a task has panicked.
    pub(crate) fn note(&self, task: &'static str, panic: &(dyn std::any::Any + Send)) {
        counter!("keeper_background_panics_total").increment(1);
        tracing::error!(task, panic = said(panic), "a background task panicked; it is begun again");
        self.panicked.lock().unwrap_or_else(PoisonError::into_inner).insert(task, Instant::now());
    }

    /// The tasks that have panicked of late.
    #[must_use]
    pub fn panicked(&self) -> Vec<&'static str> {
        let panicked = self.panicked.lock().unwrap_or_else(PoisonError::into_inner);
        panicked.iter().filter(|(_, at)| at.elapsed() < TOLD).map(|(task, _)| *task).collect()
    }
}

/// What a panic says.
pub(crate) fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_panics_is_begun_again_and_told_for_an_hour() {
        let (supervisor, runs) = (Supervisor::default(), AtomicU32::new(0));
        let work = || async {
            assert!(runs.fetch_add(1, Ordering::SeqCst) >= 3, "a fault of the test");
        };
        supervisor.clone().keep("sweeping", CancellationToken::new(), work).await;
        assert_eq!(runs.load(Ordering::SeqCst), 4);
        assert_eq!(supervisor.panicked(), ["sweeping"]);
        tokio::time::advance(TOLD).await;
        assert!(supervisor.panicked().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_stops_does_not_wait_for_what_panicked() {
        let (stop, supervisor) = (CancellationToken::new(), Supervisor::default());
        stop.cancel();
        supervisor.keep("sweeping", stop, || async { panic!("each time") }).await;
    }
}
