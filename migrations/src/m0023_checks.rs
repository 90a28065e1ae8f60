//! When the bytes of each blob were looked at last, and which were found broken.
//!
//! Shape: `blobs.checked_at` is 0 for one that nobody has looked at. A row of `blob_faults` says of a copy what is
//! wrong: `blob_missing` or `blob_corrupt`; it goes with the blob.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in STATEMENTS {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const STATEMENTS: [&str; 3] = [
    "ALTER TABLE blobs ADD COLUMN checked_at BIGINT NOT NULL DEFAULT 0",
    "CREATE INDEX blobs_checked ON blobs (checked_at, digest)",
    "CREATE TABLE blob_faults (
        digest TEXT NOT NULL PRIMARY KEY REFERENCES blobs (digest) ON DELETE CASCADE,
        location TEXT NOT NULL,
        code TEXT NOT NULL,
        detail TEXT NOT NULL,
        found_at BIGINT NOT NULL
    )",
];
