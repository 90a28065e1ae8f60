//! Background work: when it runs, that it runs once at a time, and that it ends with the server.
//!
//! Each job is a loop of its own: wait until the last end and the period say so, or until somebody nudges it;
//! take the lease; run; write down how it ended. A run that is asked for on the command line takes the same
//! lease. A job that fails is logged and tried again one period later; so is one that panics, if that is not too long.
//!
//! A job that panics leaves its record as one that failed does.
//!
//! Units and bounds: a lease is [`LEASE`] long and extended every third of it. When the server stops, each
//! job is told so, and ends after the step that it is in.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use jiff::Timestamp;
use keeper_core::error::{Failure, codes};
use keeper_core::jobs::JobStore;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::supervise::{Supervisor, said};

pub mod collect;
pub mod damage;
pub mod removal;
pub mod retention;
pub mod scrub;
pub mod upkeep;

/// How long a job belongs to a holder who does not show that he lives.
const LEASE: Duration = Duration::from_secs(60);
/// How long after a panic a job is tried again, if its period is longer.
const AFTER_PANIC: Duration = Duration::from_secs(5 * 60);

/// Something that runs now and then.
#[async_trait]
pub trait Job: Send + Sync + 'static {
    /// Its name in records and logs.
    fn name(&self) -> &'static str;

    /// Time between the end of a run and the next one.
    fn period(&self) -> Duration;

    /// Whether it also runs when the server has started.
    fn at_start(&self) -> bool {
        false
    }

    /// One run. Says what it did, or nothing when there was nothing to do. Ends soon after `stop`.
    async fn run(&self, stop: &CancellationToken) -> Result<Option<String>, Failure>;
}

/// Runs jobs under their leases.
#[derive(Clone)]
pub struct Runner {
    store: Arc<dyn JobStore>,
    stop: CancellationToken,
    tasks: TaskTracker,
    supervisor: Supervisor,
}

impl Runner {
    /// A runner that keeps its records there.
    #[must_use]
    pub fn new(store: Arc<dyn JobStore>) -> Self {
        Self::watched_by(store, Supervisor::default())
    }

    /// The same, whose panics are told to this supervisor.
    #[must_use]
    pub fn watched_by(store: Arc<dyn JobStore>, supervisor: Supervisor) -> Self {
        Self { store, stop: CancellationToken::new(), tasks: TaskTracker::new(), supervisor }
    }

    /// Cancelled when the server stops.
    #[must_use]
    pub fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Runs a job now and then until the server stops. `nudge` asks for a run at once.
    pub fn schedule(&self, job: impl Job, nudge: Arc<Notify>) {
        let (runner, supervisor, stop) = (self.clone(), self.supervisor.clone(), self.stop.clone());
        let name = job.name();
        self.tasks.spawn(async move { supervisor.keep(name, stop, || runner.repeat(&job, &nudge)).await });
    }

    /// Tells all jobs to end and waits until they have.
    pub async fn finish(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn repeat(&self, job: &impl Job, nudge: &Notify) {
        let mut wait = if job.at_start() { Duration::ZERO } else { self.first_wait(job).await };
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
                () = nudge.notified() => {}
            }
            let mut panicked = false;
            let work = async {
                let ran = AssertUnwindSafe(job.run(&self.stop)).catch_unwind().await;
                ran.unwrap_or_else(|panic| {
                    panicked = true;
                    self.supervisor.note(job.name(), &*panic);
                    Err(Failure::new(&codes::INTERNAL, format!("it panicked: {}", said(&*panic))))
                })
            };
            let ran = self.once(job.name(), work, Clone::clone).await;
            match ran {
                Ok(Some(Some(outcome))) => tracing::info!(job = job.name(), "{outcome}"),
                Ok(_) => {}
                Err(error) => {
                    let cause = error.cause.as_deref().unwrap_or("");
                    tracing::error!(job = job.name(), cause, "a background job failed: {error}");
                }
            }
            wait = if panicked { job.period().min(AFTER_PANIC) } else { job.period() };
        }
    }

    /// What is left of the period since the run before this start.
    async fn first_wait(&self, job: &impl Job) -> Duration {
        let jobs = self.store.jobs().await.unwrap_or_default();
        let ended = jobs.iter().find(|record| record.name == job.name()).and_then(|record| record.ended_at);
        let since = ended.map(|at| Timestamp::now().duration_since(at).unsigned_abs()).unwrap_or_default();
        job.period().saturating_sub(since)
    }

    /// Runs something as a job, unless that job is running: then `None`. `told` makes the record of what it
    /// did.
    ///
    /// # Errors
    /// Its own, and trouble with its record.
    pub async fn once<T>(
        &self,
        name: &str,
        work: impl Future<Output = Result<T, Failure>>,
        told: impl FnOnce(&T) -> Option<String>,
    ) -> Result<Option<T>, Failure> {
        // Each run is a holder of its own: two runs of one process are two.
        let holder = Uuid::now_v7().to_string();
        let now = Timestamp::now();
        if !self.store.begin(name, &holder, now, after(now, LEASE)).await? {
            return Ok(None);
        }
        let (mut work, mut beat) = (pin!(work), tokio::time::interval(LEASE / 3));
        let result = loop {
            tokio::select! {
                result = &mut work => break result,
                _ = beat.tick() => {
                    if !self.store.extend(name, &holder, after(Timestamp::now(), LEASE)).await? {
                        break Err(Failure::new(&codes::INTERNAL, "the lease of a background job was lost"));
                    }
                }
            }
        };
        let outcome = match &result {
            Ok(done) => Ok(told(done).unwrap_or_else(|| "nothing to do".to_owned())),
            Err(error) => Err(error.to_string()),
        };
        self.store.end(name, &holder, Timestamp::now(), outcome).await?;
        result.map(Some)
    }
}

impl Runner {
    /// Does something that needs no lease, and writes down how it went as the last run of a job of this name; beside
    /// another of its name it is not written down. It goes on whatever becomes of the record.
    pub async fn noted<T>(
        &self,
        name: &str,
        work: impl Future<Output = T>,
        told: impl FnOnce(&T) -> Result<String, String>,
    ) -> T {
        let (holder, now) = (Uuid::now_v7().to_string(), Timestamp::now());
        let begun = self.store.begin(name, &holder, now, after(now, LEASE)).await;
        let (mut work, mut beat) = (pin!(work), tokio::time::interval(LEASE / 3));
        let done = loop {
            tokio::select! {
                done = &mut work => break done,
                _ = beat.tick(), if matches!(begun, Ok(true)) => {
                    let _it_is_a_record_only = self.store.extend(name, &holder, after(Timestamp::now(), LEASE)).await;
                }
            }
        };
        let noted = match begun {
            Ok(true) => self.store.end(name, &holder, Timestamp::now(), told(&done)).await,
            other => other.map(drop),
        };
        if let Err(error) = noted {
            tracing::warn!(job = name, %error, "how it went was not written down");
        }
        done
    }
}

fn after(now: Timestamp, duration: Duration) -> Timestamp {
    now.saturating_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use keeper_core::testing::memory::MemoryStore;

    use super::*;

    struct Counting {
        runs: Arc<AtomicU32>,
        period: Duration,
    }

    #[async_trait]
    impl Job for Counting {
        fn name(&self) -> &'static str {
            "counting"
        }

        fn period(&self) -> Duration {
            self.period
        }

        async fn run(&self, _stop: &CancellationToken) -> Result<Option<String>, Failure> {
            let run = self.runs.fetch_add(1, Ordering::SeqCst);
            if run == 0 {
                Err(Failure::new(&codes::INTERNAL, "a first failure"))
            } else {
                Ok(Some(format!("run {run}")))
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_runs_each_period_and_when_nudged_also_after_a_failure() {
        let store = Arc::new(MemoryStore::new());
        let (runner, runs, nudge) = (Runner::new(store.clone()), Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let hour = Duration::from_secs(3600);
        runner.schedule(Counting { runs: runs.clone(), period: hour }, nudge.clone());
        tokio::time::sleep(hour * 2 + hour / 2).await;
        assert_eq!(runs.load(Ordering::SeqCst), 2);
        nudge.notify_one();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(runs.load(Ordering::SeqCst), 3);
        runner.finish().await;
        let [record] = &store.jobs().await.expect("jobs")[..] else { panic!("one job") };
        assert_eq!((record.outcome.as_str(), record.failed, record.lease_until), ("run 2", false, None));
    }

    struct Panicking(Arc<AtomicU32>);

    #[async_trait]
    impl Job for Panicking {
        fn name(&self) -> &'static str {
            "panicking"
        }

        fn period(&self) -> Duration {
            Duration::from_secs(24 * 3600)
        }

        fn at_start(&self) -> bool {
            true
        }

        async fn run(&self, _stop: &CancellationToken) -> Result<Option<String>, Failure> {
            assert!(self.0.fetch_add(1, Ordering::SeqCst) > 0, "a fault of the test");
            Ok(None)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_panics_is_written_down_and_runs_again() {
        let (store, runs, supervisor) =
            (Arc::new(MemoryStore::new()), Arc::new(AtomicU32::new(0)), Supervisor::default());
        let runner = Runner::watched_by(store.clone(), supervisor.clone());
        runner.schedule(Panicking(runs.clone()), Arc::default());
        tokio::time::sleep(Duration::from_secs(1)).await;
        let [record] = &store.jobs().await.expect("jobs")[..] else { panic!("one job") };
        assert!(record.failed && record.outcome.contains("a fault of the test") && record.lease_until.is_none());
        assert_eq!(supervisor.panicked(), ["panicking"]);
        tokio::time::sleep(AFTER_PANIC).await;
        assert_eq!(runs.load(Ordering::SeqCst), 2);
        runner.finish().await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_needs_no_lease_is_written_down_and_done_whatever_becomes_of_the_record() {
        let store = Arc::new(MemoryStore::new());
        let runner = Runner::new(store.clone());
        let work = async {
            tokio::time::sleep(LEASE * 10).await;
            7
        };
        let beside = async {
            tokio::time::sleep(LEASE * 5).await;
            runner.noted("look", async { 8 }, |_| Ok("the other".to_owned())).await
        };
        let done = tokio::join!(runner.noted("look", work, |done| Err(format!("{done} faults"))), beside);
        assert_eq!(done, (7, 8));
        let [record] = &store.jobs().await.expect("jobs")[..] else { panic!("one job") };
        assert_eq!((record.outcome.as_str(), record.failed, record.lease_until), ("7 faults", true, None));
        store.fail_after(0);
        assert_eq!(runner.noted("look", async { 9 }, |_| Ok(String::new())).await, 9);
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_runs_once_at_a_time_and_keeps_its_lease_however_long_it_takes() {
        let runner = Runner::new(Arc::new(MemoryStore::new()));
        let long = runner.once(
            "sweep",
            async {
                tokio::time::sleep(LEASE * 10).await;
                Ok(())
            },
            |()| None,
        );
        let other = async {
            tokio::time::sleep(LEASE * 5).await;
            runner.once("sweep", async { Ok(()) }, |()| None).await
        };
        let (long, other) = tokio::join!(long, other);
        assert!(matches!(long, Ok(Some(()))));
        assert!(matches!(other, Ok(None)), "it is running");
        assert!(matches!(runner.once("sweep", async { Ok(()) }, |()| None).await, Ok(Some(()))));
    }
}
