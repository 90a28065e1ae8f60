//! Retention and last uses as jobs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keeper_core::error::Failure;
use keeper_core::pipeline::Keeper;
use tokio_util::sync::CancellationToken;

use super::Job;
use crate::clock::PatientClock;

/// Applies the rules of all repositories.
pub struct Retention {
    /// The services.
    pub keeper: Arc<Keeper>,
    /// Time between two runs.
    pub period: Duration,
    /// By which versions are old.
    pub clock: PatientClock,
}

#[async_trait]
impl Job for Retention {
    fn name(&self) -> &'static str {
        "retention"
    }

    fn period(&self) -> Duration {
        self.period
    }

    async fn run(&self, stop: &CancellationToken) -> Result<Option<String>, Failure> {
        // Rules look at uses, so those in memory count.
        self.keeper.record_uses().await?;
        let removed = self.keeper.apply_retention(self.clock.now().await, &|| !stop.is_cancelled()).await?;
        Ok((removed > 0).then(|| format!("removed {removed} versions")))
    }
}

/// Writes last uses down.
pub struct LastUse {
    /// The services.
    pub keeper: Arc<Keeper>,
    /// Time between two runs.
    pub period: Duration,
}

#[async_trait]
impl Job for LastUse {
    fn name(&self) -> &'static str {
        "last_use"
    }

    fn period(&self) -> Duration {
        self.period
    }

    async fn run(&self, _stop: &CancellationToken) -> Result<Option<String>, Failure> {
        self.keeper.record_uses().await.map(|_| None)
    }
}
