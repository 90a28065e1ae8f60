//! Repositories that get their content from elsewhere.
//!
//! Shape:
//!
//! ```text
//! repositories.source    JSON: what a remote or virtual repository is made of; NULL for a hosted one
//! packages.family        the names that one owner holds together; NULL until the program has named it
//! documents              indexes and answers that came from elsewhere, by owner and name
//! upstream_credentials   sealed with the key of secrets, one row for each remote repository that has some
//! ```

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, blob, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [("repositories", "source"), ("packages", "family")] {
            manager.alter_table(Table::alter().table(table).add_column(text_null(column)).to_owned()).await?;
        }
        manager.create_table(documents()).await?;
        manager.create_table(upstream_credentials()).await?;
        let families =
            Index::create().name("packages_family").table("packages").col("repository").col("family").to_owned();
        manager.create_index(families).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn documents() -> TableCreateStatement {
    Table::create()
        .table("documents")
        .col(text("owner"))
        .col(text("name"))
        .col(blob("body"))
        .col(text_null("etag"))
        .col(text_null("last_modified"))
        .col(big_integer("fetched_at"))
        .primary_key(Index::create().col("owner").col("name"))
        .to_owned()
}

fn upstream_credentials() -> TableCreateStatement {
    Table::create()
        .table("upstream_credentials")
        .col(big_integer("repository").primary_key())
        .col(blob("sealed"))
        .to_owned()
}
