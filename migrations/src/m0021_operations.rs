//! What running several versions, and several servers, of one database needs.
//!
//! Shape of the columns of `instance`, which has one row:
//!
//! ```text
//! oldest_writer   21                      programs of a lower level may not write any more
//! seen_database   7713969701475594786/1   the server of PostgreSQL, and its timeline, that was used last
//! collect_after   1732310430000000        the collector rests until then; NULL when it need not
//! ```

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            big_integer("oldest_writer").default(0).to_owned(),
            text_null("seen_database"),
            big_integer_null("collect_after"),
        ];
        for column in columns {
            manager.alter_table(Table::alter().table("instance").add_column(column).to_owned()).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
