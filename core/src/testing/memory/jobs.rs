//! The port of background work.

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::MemoryStore;
use crate::artifact::StoreError;
use crate::jobs::{JobRecord, JobStore};

#[async_trait]
impl JobStore for MemoryStore {
    async fn begin(&self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let mut rows = self.call()?;
        let (kept, job) = rows.jobs.entry(name.to_owned()).or_default();
        if job.lease_until.is_some_and(|until| until > now) && kept != holder {
            return Ok(false);
        }
        holder.clone_into(kept);
        *job = JobRecord { name: name.to_owned(), lease_until: Some(until), began_at: Some(now), ..job.clone() };
        Ok(true)
    }

    async fn extend(&self, name: &str, holder: &str, until: Timestamp) -> Result<bool, StoreError> {
        let mut rows = self.call()?;
        match rows.jobs.get_mut(name) {
            Some((kept, job)) if kept == holder && job.lease_until.is_some() => {
                job.lease_until = Some(until);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn end(
        &self,
        name: &str,
        holder: &str,
        at: Timestamp,
        outcome: Result<String, String>,
    ) -> Result<(), StoreError> {
        let mut rows = self.call()?;
        if let Some((kept, job)) = rows.jobs.get_mut(name)
            && kept == holder
        {
            job.lease_until = None;
            job.ended_at = Some(at);
            job.failed = outcome.is_err();
            job.outcome = outcome.unwrap_or_else(|reason| reason);
        }
        Ok(())
    }

    async fn jobs(&self) -> Result<Vec<JobRecord>, StoreError> {
        Ok(self.call()?.jobs.values().map(|(_, job)| job.clone()).collect())
    }
}
