//! What a version's history is read from: when it was downloaded first, and tokens by what is shown of them.
//!
//! `artifacts.first_used_at` is NULL for a version that nobody has downloaded, and for one whose first download was before
//! this step. A program of the step before leaves it alone.

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

const STATEMENTS: [&str; 2] =
    ["ALTER TABLE artifacts ADD COLUMN first_used_at BIGINT", "CREATE INDEX tokens_display ON tokens (display)"];
