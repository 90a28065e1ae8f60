//! The removal of what deleted repositories held, as a job: also when the server starts, for one may have been
//! cut short.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keeper_core::error::Failure;
use keeper_core::pipeline::Keeper;
use tokio_util::sync::CancellationToken;

use super::Job;

/// A removal begins when it is asked for; this is for one that failed.
const PERIOD: Duration = Duration::from_secs(10 * 60);

/// Goes on with all removals.
pub struct Removal(pub Arc<Keeper>);

#[async_trait]
impl Job for Removal {
    fn name(&self) -> &'static str {
        "repository_removal"
    }

    fn period(&self) -> Duration {
        PERIOD
    }

    fn at_start(&self) -> bool {
        true
    }

    async fn run(&self, stop: &CancellationToken) -> Result<Option<String>, Failure> {
        let removed = self.0.remove_retired(&|| !stop.is_cancelled()).await?;
        Ok((removed > 0).then(|| format!("removed {removed} versions of deleted repositories")))
    }
}
