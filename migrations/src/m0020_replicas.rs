//! What several servers on one database tell each other.
//!
//! `instance.identity_generation` counts the changes of users, groups, grants, tokens and sessions: a server that finds
//! another number there forgets what it remembers of them. (Of repositories, `repositories.generation` does the same.)

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::big_integer;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = big_integer("identity_generation").default(0).to_owned();
        manager.alter_table(Table::alter().table("instance").add_column(column).to_owned()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
