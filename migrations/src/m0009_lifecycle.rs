//! What ends: limits and retention of repositories, their removal, and the collector's books.
//!
//! Shape:
//!
//! ```text
//! usage          one row for each repository: totals kept by every change, and its quota
//! retention      the rules of a repository, as JSON
//! blob_trash     copies whose row is gone and whose bytes go after `unlink_after`; no new row may name one
//! blob_sightings copies that no row names, and when they were first seen
//! jobs           background work: who does it until when, and how it ended last
//! ```
//!
//! `last_used_on` counts days since 1970. Uses before `use_recorded_from` are not known.

use std::time::{SystemTime, UNIX_EPOCH};

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, boolean, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time.
        for (table, column) in columns() {
            let mut column = column;
            manager.alter_table(Table::alter().table(table).add_column(&mut column).to_owned()).await?;
        }
        for table in [usage(), retention(), blob_trash(), blob_sightings(), jobs()] {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        let connection = manager.get_connection();
        connection.execute_unprepared(COUNT_ALL).await?;
        let since = format!("UPDATE instance SET use_recorded_from = {}", today());
        connection.execute_unprepared(&since).await.map(drop)
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn columns() -> [(&'static str, ColumnDef); 4] {
    [
        ("artifacts", big_integer_null("last_used_on").to_owned()),
        ("repositories", text("state").default("active").to_owned()),
        ("repositories", boolean("name_released").default(false).to_owned()),
        ("instance", big_integer("use_recorded_from").default(0).to_owned()),
    ]
}

fn today() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400)
}

/// No limit is NULL.
fn usage() -> TableCreateStatement {
    Table::create()
        .table("usage")
        .col(big_integer("repository").primary_key())
        .col(big_integer("packages"))
        .col(big_integer("artifacts"))
        .col(big_integer("bytes"))
        .col(big_integer_null("limit_bytes"))
        .col(big_integer_null("limit_artifacts"))
        .col(text_null("limit_by"))
        .col(big_integer_null("limit_at"))
        .foreign_key(&mut of_repository("usage"))
        .to_owned()
}

fn retention() -> TableCreateStatement {
    Table::create()
        .table("retention")
        .col(big_integer("repository").primary_key())
        .col(text("rules"))
        .col(text("set_by"))
        .col(big_integer("set_at"))
        .foreign_key(&mut of_repository("retention"))
        .to_owned()
}

fn blob_trash() -> TableCreateStatement {
    Table::create()
        .table("blob_trash")
        .col(text("location").primary_key())
        .col(big_integer("size"))
        .col(big_integer("unlink_after"))
        .to_owned()
}

fn blob_sightings() -> TableCreateStatement {
    Table::create()
        .table("blob_sightings")
        .col(text("location").primary_key())
        .col(big_integer("first_seen_at"))
        .to_owned()
}

fn jobs() -> TableCreateStatement {
    Table::create()
        .table("jobs")
        .col(text("name").primary_key())
        .col(text_null("holder"))
        .col(big_integer_null("lease_until"))
        .col(big_integer_null("began_at"))
        .col(big_integer_null("ended_at"))
        .col(boolean("failed").default(false))
        .col(text("outcome").default(""))
        .to_owned()
}

fn of_repository(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(table, "repository")
        .to("repositories", "id")
        .on_delete(ForeignKeyAction::Restrict)
        .on_update(ForeignKeyAction::Restrict)
        .to_owned()
}

/// The first answers "has this package a version that is not deleted?" from one entry; the last finds out
/// whether a stored copy is named by a row.
fn indexes() -> [IndexCreateStatement; 3] {
    let index = |name: &str, table: &'static str| Index::create().name(name).table(table).to_owned();
    [
        index("artifacts_kept", "artifacts").col("package").and_where(Expr::cust("state <> 'deleted'")).to_owned(),
        index("blob_trash_due", "blob_trash").col("unlink_after").to_owned(),
        index("blobs_location", "blobs").col("location").unique().to_owned(),
    ]
}

/// Each total is its own subquery: joined, a version with three files would count three times.
const COUNT_ALL: &str = "INSERT INTO usage (repository, packages, artifacts, bytes) SELECT r.id, \
    (SELECT COUNT(DISTINCT a.package) FROM artifacts a WHERE a.repository = r.id AND a.state <> 'deleted'), \
    (SELECT COUNT(*) FROM artifacts a WHERE a.repository = r.id AND a.state <> 'deleted'), \
    (SELECT CAST(COALESCE(SUM(f.size), 0) AS BIGINT) FROM files f WHERE f.repository = r.id) \
    FROM repositories r";
