//! Background work: what runs now and then without being asked, and the port that knows of it.
//!
//! A job runs in one place at a time. Whoever runs it holds a lease, which ends by itself when its holder
//! dies; the record also says how the last run ended, for people and for the next start.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::artifact::StoreError;

/// What is known of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobRecord {
    /// Its name.
    pub name: String,
    /// Until when somebody has it; absent when nobody does.
    pub lease_until: Option<Timestamp>,
    /// When its last run began.
    pub began_at: Option<Timestamp>,
    /// When its last run ended.
    pub ended_at: Option<Timestamp>,
    /// Whether that one failed.
    pub failed: bool,
    /// What it did, or why it failed.
    pub outcome: String,
}

/// Keeps leases and outcomes.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Takes the lease, unless another holder has it at `now`.
    async fn begin(&self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError>;

    /// Extends the lease of its holder; `false` when it has lost it.
    async fn extend(&self, name: &str, holder: &str, until: Timestamp) -> Result<bool, StoreError>;

    /// Gives the lease back and keeps the outcome.
    async fn end(
        &self,
        name: &str,
        holder: &str,
        at: Timestamp,
        outcome: Result<String, String>,
    ) -> Result<(), StoreError>;

    /// All jobs that ever ran, by name.
    async fn jobs(&self) -> Result<Vec<JobRecord>, StoreError>;
}
