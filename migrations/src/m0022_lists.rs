//! Indexes in the order in which people and credentials are listed, so that no page of them sorts or passes what it does
//! not show: the tokens that count, of everybody and of one owner, and by their end; what one user and one group were
//! given.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in INDEXES {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// Revoked tokens stay as rows, and there may be many more of them than of the others.
const INDEXES: [&str; 5] = [
    "CREATE INDEX tokens_live ON tokens (uid) WHERE revoked_at IS NULL",
    "CREATE INDEX tokens_live_owner ON tokens (owner, uid) WHERE revoked_at IS NULL",
    "CREATE INDEX tokens_live_end ON tokens (expires_at) WHERE revoked_at IS NULL",
    "CREATE INDEX grants_user_list ON grants (user_id, uid)",
    "CREATE INDEX grants_group_list ON grants (group_uid, uid)",
];
