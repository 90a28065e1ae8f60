//! The scrubber as a job.

use std::time::Duration;

use async_trait::async_trait;
use keeper_core::error::Failure;
use keeper_core::integrity::Breath;
use keeper_core::scrubber::{Scrubbed, Scrubber};
use metrics::counter;
use tokio_util::sync::CancellationToken;

use super::Job;

/// Time between the end of a run, when nothing was due any more, and the next one.
const PERIOD: Duration = Duration::from_secs(10 * 60);

/// Reads stored files again.
pub struct Scrub(pub Scrubber);

#[async_trait]
impl Job for Scrub {
    fn name(&self) -> &'static str {
        "scrub"
    }

    fn period(&self) -> Duration {
        PERIOD
    }

    fn at_start(&self) -> bool {
        true
    }

    async fn run(&self, stop: &CancellationToken) -> Result<Option<String>, Failure> {
        let Scrubbed { blobs, bytes, found } = self.0.run(&Until(stop)).await?;
        counter!("keeper_scrubbed_bytes_total").increment(bytes);
        counter!("keeper_blob_findings_total").increment(found);
        Ok((blobs > 0).then(|| format!("read {blobs} blobs ({bytes} bytes) again, {found} new faults")))
    }
}

struct Until<'a>(&'a CancellationToken);

#[async_trait]
impl Breath for Until<'_> {
    async fn goes_on(&self) -> bool {
        !self.0.is_cancelled()
    }
}
