//! The collector of blobs as a job, and as what `artifact-keeper gc` asks for.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keeper_core::collector::{Collected, Collector, CollectorPolicy, Mode, Tally};
use keeper_core::error::Failure;
use keeper_core::ledger::{BlobLedger, WalkableBlobs};
use tokio_util::sync::CancellationToken;

use super::Job;
use crate::config::Config;
use crate::store::Store;

/// Its name in records and logs.
pub const NAME: &str = "gc";

/// Runs the collector every so often.
pub struct Collect {
    pub(super) collector: Arc<Collector>,
    pub(super) period: Duration,
    pub(super) store: Arc<Store>,
    pub(super) grace: Duration,
}

/// A collector with the configured policy.
#[must_use]
pub fn collector(config: &Config, ledger: Arc<dyn BlobLedger>, blobs: Arc<dyn WalkableBlobs>) -> Arc<Collector> {
    let policy = CollectorPolicy {
        grace: config.gc_grace,
        unlink_delay: config.gc_unlink_delay,
        max_percent: config.gc_max_percent,
        unlinks_per_second: config.gc_unlinks_per_second,
    };
    Arc::new(Collector::new(ledger, blobs, policy))
}

#[async_trait]
impl Job for Collect {
    fn name(&self) -> &'static str {
        NAME
    }

    fn period(&self) -> Duration {
        self.period
    }

    async fn run(&self, stop: &CancellationToken) -> Result<Option<String>, Failure> {
        if let Some(until) = self.store.rests_until(self.grace).await? {
            let until = until.strftime("%Y-%m-%dT%H:%M:%SZ");
            return Ok(Some(format!("rests until {until}, for the database is another server than before")));
        }
        let collected = self.collector.run(Mode::Careful, &|_| !stop.is_cancelled()).await?;
        if collected.suspicious {
            tracing::error!(
                event = "gc_suspicious",
                "{}; nothing was removed: look at 'artifact-keeper gc', then 'artifact-keeper gc --confirm'",
                would_go(&collected)
            );
        }
        Ok(told(&collected))
    }
}

/// What a run did, in one line; `None` when that was nothing.
#[must_use]
pub fn told(collected: &Collected) -> Option<String> {
    let Collected { discarded, unlinked, .. } = collected;
    if collected.suspicious {
        return Some(format!("stopped: {}", would_go(collected)));
    }
    let did = *discarded != Tally::default() || *unlinked != Tally::default();
    did.then(|| format!("took {} out of the books, removed {}", blobs(*discarded), blobs(*unlinked)))
}

fn would_go(collected: &Collected) -> String {
    let Collected { unreferenced, orphans, stored, .. } = collected;
    let waste = Tally { blobs: unreferenced.blobs + orphans.blobs, bytes: unreferenced.bytes + orphans.bytes };
    format!("{} of {} would go, which is suspiciously much", blobs(waste), blobs(*stored))
}

/// `3 blobs (1200 bytes)`.
#[must_use]
pub fn blobs(tally: Tally) -> String {
    format!("{} blobs ({} bytes)", tally.blobs, tally.bytes)
}
