//! Whether the database is still on the server, and in the history, that it was on before.
//!
//! A standby that took over may lack the last changes of the one that failed: then stored files have no row although
//! somebody was told that they are kept. So the collector rests for a while, in which `verify` tells of them.

use std::time::Duration;

use jiff::Timestamp;
use keeper_core::artifact::StoreError;
use sea_orm::FromQueryResult;

use super::Store;
use super::dialect::Dialect;
use super::sql::{execute, micros, one, timestamp};

/// A server is told by the number that `initdb` gave it, its history by that of the timeline (PostgreSQL, "System
/// Information Functions": `pg_control_system`, `pg_control_checkpoint`). A server that takes over begins a new one.
const NOW: &str = "SELECT CAST(s.system_identifier AS TEXT) || '/' || CAST(c.timeline_id AS TEXT) AS here \
    FROM pg_control_system() s, pg_control_checkpoint() c";
const BEFORE: &str = "SELECT seen_database, collect_after FROM instance";
const SEEN: &str = "UPDATE instance SET seen_database = $1, collect_after = $2";

#[derive(FromQueryResult)]
struct Here {
    here: String,
}

#[derive(FromQueryResult)]
struct Before {
    seen_database: Option<String>,
    collect_after: Option<i64>,
}

impl Store {
    /// Until when the collector is to rest, if it is: for `grace` from when the database was first seen elsewhere.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn rests_until(&self, grace: Duration) -> Result<Option<Timestamp>, StoreError> {
        if Dialect::of(&self.readers) == Dialect::Sqlite {
            return Ok(None);
        }
        let now = Timestamp::now();
        let here: Option<Here> = one(&self.readers, NOW, []).await?;
        let before: Option<Before> = one(&self.readers, BEFORE, []).await?;
        let (Some(Here { here }), Some(before)) = (here, before) else { return Ok(None) };
        let mut until = before.collect_after;
        if before.seen_database.as_ref() != Some(&here) {
            if let Some(there) = before.seen_database {
                until = Some(micros(now.saturating_add(grace).unwrap_or(Timestamp::MAX)));
                tracing::warn!(here, there, "the database is another server, or another history, than before");
            }
            let values: [sea_orm::Value; 2] = [here.into(), until.into()];
            self.writer.submit(move |on| Box::pin(execute(on, SEEN, values)), |_| ()).await?;
        }
        let until = until.map(timestamp).transpose()?;
        Ok(until.filter(|until| *until > now))
    }
}
