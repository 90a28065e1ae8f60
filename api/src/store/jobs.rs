//! The port of background work.
//!
//! On a file, the leases of a process that was killed end when the next one starts. On a server others go on: there a
//! holder is `number/name`, and its lease counts no more than the lock with that number is held (`follow`). While a
//! process cannot show itself so, its leases end by their time alone.

use async_trait::async_trait;
use jiff::Timestamp;
use keeper_core::artifact::StoreError;
use keeper_core::jobs::{JobRecord, JobStore};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};

use super::Store;
use super::follow::Shared;
use super::sql::{all, execute, micros, timestamp};

#[async_trait]
impl JobStore for Store {
    async fn begin(&self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let holder = self.holder(holder);
        let values = [name.into(), holder.into(), micros(now).into(), micros(until).into()];
        self.changes_one(if self.shared.is_some() { BEGIN_SHARED } else { BEGIN }, values).await
    }

    async fn extend(&self, name: &str, holder: &str, until: Timestamp) -> Result<bool, StoreError> {
        self.changes_one(EXTEND, [name.into(), holder.into(), micros(until).into(), named(holder).into()]).await
    }

    async fn end(
        &self,
        name: &str,
        holder: &str,
        at: Timestamp,
        outcome: Result<String, String>,
    ) -> Result<(), StoreError> {
        let failed = outcome.is_err();
        let text = outcome.unwrap_or_else(|reason| reason);
        let values = [name.into(), holder.into(), micros(at).into(), failed.into(), text.into(), named(holder).into()];
        self.changes_one(END, values).await.map(drop)
    }

    async fn jobs(&self) -> Result<Vec<JobRecord>, StoreError> {
        let rows: Vec<Row> = all(&self.readers, SELECT, []).await?;
        rows.into_iter().map(Row::parse).collect()
    }
}

const BEGIN: &str = "INSERT INTO jobs (name, holder, began_at, lease_until) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, began_at = excluded.began_at, \
    lease_until = excluded.lease_until \
    WHERE jobs.lease_until IS NULL OR jobs.lease_until <= $3 OR jobs.holder = $2";
/// As [`BEGIN`], and from whoever cannot live any more.
const BEGIN_SHARED: &str = "INSERT INTO jobs (name, holder, began_at, lease_until) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, began_at = excluded.began_at, \
    lease_until = excluded.lease_until \
    WHERE jobs.lease_until IS NULL OR jobs.lease_until <= $3 OR jobs.holder = $2 \
    OR (jobs.holder LIKE '%/%' AND NOT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 \
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
    AND classid = 1801807216 AND CAST(objid AS TEXT) = split_part(jobs.holder, '/', 1)))";
const EXTEND: &str = "UPDATE jobs SET lease_until = $3 \
    WHERE name = $1 AND (holder = $2 OR holder LIKE $4) AND lease_until IS NOT NULL";
const END: &str = "UPDATE jobs SET lease_until = NULL, ended_at = $3, failed = $4, outcome = $5 \
    WHERE name = $1 AND (holder = $2 OR holder LIKE $6)";
const SELECT: &str = "SELECT name, lease_until, began_at, ended_at, failed, outcome FROM jobs ORDER BY name";

/// A holder whatever the number of its process was when it began.
fn named(holder: &str) -> String {
    format!("%/{holder}")
}

impl Store {
    /// What is written down of a holder.
    fn holder(&self, holder: &str) -> String {
        match self.shared.as_ref().and_then(Shared::process) {
            Some(process) => format!("{process}/{holder}"),
            None => holder.to_owned(),
        }
    }

    async fn changes_one<const N: usize>(
        &self,
        statement: &'static str,
        values: [Value; N],
    ) -> Result<bool, StoreError> {
        let changed = self.writer.submit(move |on| Box::pin(execute(on, statement, values)), |_| ()).await?;
        Ok(changed == 1)
    }

    /// Ends all leases. For a process that holds the lock of the data folder: whoever had one is dead.
    pub(super) async fn end_leases(on: &impl ConnectionTrait) -> Result<(), StoreError> {
        execute(on, "UPDATE jobs SET lease_until = NULL WHERE lease_until IS NOT NULL", []).await.map(drop)
    }
}

#[derive(FromQueryResult)]
struct Row {
    name: String,
    lease_until: Option<i64>,
    began_at: Option<i64>,
    ended_at: Option<i64>,
    failed: bool,
    outcome: String,
}

impl Row {
    fn parse(self) -> Result<JobRecord, StoreError> {
        Ok(JobRecord {
            name: self.name,
            lease_until: self.lease_until.map(timestamp).transpose()?,
            began_at: self.began_at.map(timestamp).transpose()?,
            ended_at: self.ended_at.map(timestamp).transpose()?,
            failed: self.failed,
            outcome: self.outcome,
        })
    }
}
