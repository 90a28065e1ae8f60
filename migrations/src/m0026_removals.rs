//! Which copies the collector has removed lately, so that an upload which was on its way meanwhile cannot name one.
//!
//! A program of the step before does not write down what it removes, and does not look here: what it collects is as safe as
//! it was, by its grace alone.

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

const STATEMENTS: [&str; 2] = [
    "CREATE TABLE blob_removals (location TEXT NOT NULL PRIMARY KEY, removed_at BIGINT NOT NULL)",
    "CREATE INDEX blob_removals_age ON blob_removals (removed_at)",
];
