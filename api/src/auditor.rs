//! The task that keeps the audit: writes collected refusals, seals new rows, and tells the log where the chain ends.
//!
//! The last seal goes to the log at start, once a day and at shutdown. Whoever keeps the log elsewhere can tell then
//! whether the end of the audit was cut off.
//!
//! *Units*: seconds, see the constants. Trouble with the database is logged and tried again at the next turn.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use keeper_core::audit::{AuditStore, Denials, seal_new};
use metrics::counter;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::supervise::Supervisor;

/// How long a row waits for its seal.
const SEAL_EVERY: Duration = Duration::from_secs(10);
/// How long a refusal waits for its row; the longest time for which a crash can lose one.
const FLUSH_EVERY: Duration = Duration::from_secs(60);
/// How often the end of the chain is told.
const TELL_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// The running task.
pub(crate) struct Auditor {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Auditor {
    /// Starts it.
    pub(crate) fn start(store: Arc<dyn AuditStore>, denials: Arc<Denials>, supervisor: Supervisor) -> Self {
        let stop = CancellationToken::new();
        let (end, work) = (stop.clone(), stop.clone());
        let task = tokio::spawn(async move {
            supervisor.keep("audit", end, || run(store.clone(), denials.clone(), work.clone())).await;
        });
        Self { stop, task }
    }

    /// Writes and seals what is left. To be called when nothing changes any more and the store is still open.
    pub(crate) async fn finish(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the task that keeps the audit ended abnormally");
        }
    }
}

async fn run(store: Arc<dyn AuditStore>, denials: Arc<Denials>, stop: CancellationToken) {
    tell(store.as_ref()).await;
    let (mut flushed, mut told) = (Instant::now(), Instant::now());
    while stop.run_until_cancelled(tokio::time::sleep(SEAL_EVERY)).await.is_some() {
        if flushed.elapsed() >= FLUSH_EVERY {
            flushed = Instant::now();
            flush(store.as_ref(), &denials).await;
        }
        seal(store.as_ref()).await;
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            tell(store.as_ref()).await;
        }
    }
    flush(store.as_ref(), &denials).await;
    seal(store.as_ref()).await;
    tell(store.as_ref()).await;
}

async fn flush(store: &dyn AuditStore, denials: &Denials) {
    if let Err(error) = denials.flush(store).await {
        counter!("keeper_audit_failures_total").increment(1);
        tracing::error!(%error, "refusals could not be written to the audit; they are kept for the next try");
    }
}

async fn seal(store: &dyn AuditStore) {
    if let Err(error) = seal_new(store, Timestamp::now()).await {
        counter!("keeper_audit_failures_total").increment(1);
        tracing::error!(%error, "new rows of the audit could not be sealed; they wait for the next try");
    }
}

async fn tell(store: &dyn AuditStore) {
    match store.head().await {
        Ok(Some(head)) => tracing::info!(
            audit.seal = head.number, audit.last_seq = head.last_seq, audit.hash = %head.hash,
            "the audit is sealed up to here"
        ),
        Ok(None) => {}
        Err(error) => tracing::error!(%error, "the last seal of the audit cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use keeper_core::audit::{Denial, verify_audit};
    use keeper_core::repository::Actor;
    use keeper_core::testing::memory::MemoryStore;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn refusals_are_written_each_minute_and_at_the_end_and_sealed() {
        let (store, denials) = (Arc::new(MemoryStore::new()), Arc::new(Denials::default()));
        let refuse = || {
            let by = Actor::default();
            let denial =
                Denial { by: &by, action: "publish", resource: "go/local", code: "publish_denied", message: "" };
            denials.note(&denial, Timestamp::now());
        };
        let auditor = Auditor::start(store.clone(), denials.clone(), Supervisor::default());
        refuse();
        tokio::time::sleep(FLUSH_EVERY + SEAL_EVERY * 2).await;
        refuse();
        auditor.finish().await;
        let check = verify_audit(store.as_ref()).await.expect("a check");
        assert_eq!((check.rows, check.unsealed, check.broken), (2, 0, None));
    }
}
