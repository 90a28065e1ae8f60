//! The database as a whole: copied at one moment, and put right after it was restored.

use std::path::Path;

use keeper_core::artifact::StoreError;
use keeper_core::repository::Actor;
use sea_orm::{DatabaseTransaction, FromQueryResult};
use serde_json::json;

use super::Store;
use super::audit;
use super::documents::forget_storage;
use super::publishing::reservation::{Reservation, Reserved, reserve};
use super::sql::{execute, one};

/// Answers of before the restore name numbers that the older database has not reached yet; it starts beyond them. A
/// repository that changes a million times between a copy and its restore is none of ours.
const BEYOND: i64 = 1_000_000;

#[derive(FromQueryResult)]
struct LastRow {
    last: i64,
}

impl Store {
    /// Writes the database as it is at one moment to a new file; `false` where it is no file.
    ///
    /// # Errors
    /// What the database or the disk reports.
    pub async fn copy_to(&self, file: &Path) -> Result<bool, StoreError> {
        self.place.copy_to(file).await.map_err(super::sql::failed)
    }

    /// The number of the last row of the audit.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn last_audit_row(&self) -> Result<i64, StoreError> {
        let row: Option<LastRow> =
            one(&self.readers, "SELECT CAST(COALESCE(MAX(seq), 0) AS BIGINT) AS last FROM audit", []).await?;
        Ok(row.map_or(0, |row| row.last))
    }

    /// Puts right what a restored database cannot know: nobody is signed in, nothing runs, and nothing that was
    /// remembered of it counts.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn after_restore(&self) -> Result<(), StoreError> {
        self.writer.submit(|on| Box::pin(after_restore(on)), |()| ()).await
    }

    /// Keeps the numbers of versions that the restored database does not know any more for their content.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn reserve(&self, batch: Vec<Reservation>) -> Result<Reserved, StoreError> {
        self.writer.submit(move |on| Box::pin(reserve_all(on, batch)), |_| ()).await
    }
}

async fn reserve_all(on: &DatabaseTransaction, batch: Vec<Reservation>) -> Result<Reserved, StoreError> {
    reserve(on, batch).await
}

async fn after_restore(on: &DatabaseTransaction) -> Result<(), StoreError> {
    let statement = "UPDATE repositories SET generation = generation + $1, revision = revision + $1";
    execute(on, statement, [BEYOND.into()]).await?;
    execute(on, "DELETE FROM sessions", []).await?;
    execute(on, "UPDATE jobs SET lease_until = NULL", []).await?;
    forget_storage(on).await?;
    audit::record(on, &Actor::system(), "instance.restore", "instance".to_owned(), json!({})).await
}
