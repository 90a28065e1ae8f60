//! Finding what is published: packages by id, name and time; who needs whom; words.
//!
//! Shape:
//!
//! ```text
//! packages.public_id   0199…            what the API calls it
//! packages.newest      0199…            its newest artifact that is not deleted; NULL hides it from lists
//! artifacts.about      {"description":"…","keywords":[…],"readme":{"file":"…","entry":"…"}}
//! dependencies         an artifact that is not deleted needs a package (by name) in a version
//! package_words        one row for each shown package, its rowid: whole words and their beginnings
//! package_parts        the same rowid: every three characters of the name
//! ```
//!
//! What is there is carried over: ids are made, words begin with the names (descriptions come with the next
//! publication), dependencies are read from what each artifact has recorded. Indexes are one for each walk that
//! a page makes; those that they replace go.
//!
//! PostgreSQL finds words by an index of its own: `package_words` is one row for each shown package, `name` its name in
//! small letters, `words` a line of words, a blank before each, for name, description and keywords. No database of
//! PostgreSQL is older than this step, so nothing is carried over there.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean, text, text_null};
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [text_null("public_id"), text_null("newest")] {
            add(manager, "packages", column).await?;
        }
        add(manager, "artifacts", text("about").default("{}").to_owned()).await?;
        if !manager.has_column("artifacts", "pinned").await? {
            add(manager, "artifacts", boolean("pinned").default(false).to_owned()).await?;
        }
        manager.create_table(dependencies()).await?;
        let own: &[&str] = match manager.get_database_backend() {
            DbBackend::Postgres => &POSTGRES,
            _ => &CARRIED_OVER,
        };
        for statement in own.iter().chain(&INDEXES) {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

async fn add(manager: &SchemaManager<'_>, table: &'static str, column: ColumnDef) -> Result<(), DbErr> {
    manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await
}

/// `package` and `repository` repeat what the artifact says, so that a page needs one index. Only the first need
/// of a package is kept: a version that needs one twice is one dependent.
fn dependencies() -> TableCreateStatement {
    let kept = |column: &'static str, target: &'static str| {
        ForeignKey::create()
            .from("dependencies", column)
            .to(target, "id")
            .on_delete(ForeignKeyAction::Restrict)
            .on_update(ForeignKeyAction::Restrict)
            .to_owned()
    };
    Table::create()
        .table("dependencies")
        .col(text("artifact"))
        .col(text("name"))
        .col(big_integer("repository"))
        .col(text("needs"))
        .col(text("kind"))
        .primary_key(Index::create().col("artifact").col("name"))
        .foreign_key(&mut kept("artifact", "artifacts"))
        .foreign_key(&mut kept("repository", "repositories"))
        .to_owned()
}

/// A public id is a UUIDv7 (RFC 9562) of the time at which the package was made.
const CARRIED_OVER: [&str; 7] = [
    "UPDATE packages SET public_id = lower(printf('%08x-%04x-7%.3s-%s%.3s-%s', \
     (created_at / 1000) >> 16, (created_at / 1000) & 65535, hex(randomblob(2)), \
     substr('89ab', 1 + (random() & 3), 1), hex(randomblob(2)), hex(randomblob(6))))",
    "UPDATE packages SET newest = \
     (SELECT max(id) FROM artifacts WHERE package = packages.id AND state <> 'deleted')",
    "INSERT INTO dependencies (artifact, name, repository, needs, kind) \
     SELECT a.id, json_extract(d.value, '$.package'), a.repository, \
     coalesce(json_extract(d.value, '$.version'), ''), coalesce(json_extract(d.value, '$.kind'), '') \
     FROM artifacts a, json_each(a.dependencies) d WHERE a.state <> 'deleted' \
     AND json_extract(d.value, '$.package') IS NOT NULL ON CONFLICT DO NOTHING",
    "CREATE VIRTUAL TABLE package_words USING fts5(name, description, keywords, \
     tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3')",
    "CREATE VIRTUAL TABLE package_parts USING fts5(name, tokenize = 'trigram')",
    "INSERT INTO package_words (rowid, name, description, keywords) \
     SELECT id, name, '', '' FROM packages WHERE newest IS NOT NULL",
    "INSERT INTO package_parts (rowid, name) SELECT id, name FROM packages WHERE newest IS NOT NULL",
];

/// The extension is a trusted one: who may make tables may make it.
const POSTGRES: [&str; 4] = [
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE TABLE package_words (package BIGINT PRIMARY KEY REFERENCES packages (id) ON DELETE RESTRICT, \
     name TEXT NOT NULL, words TEXT NOT NULL)",
    "CREATE INDEX package_words_name ON package_words USING gin (name gin_trgm_ops)",
    "CREATE INDEX package_words_words ON package_words USING gin (words gin_trgm_ops)",
];

const INDEXES: [&str; 10] = [
    "CREATE UNIQUE INDEX packages_public ON packages (public_id)",
    "CREATE INDEX packages_shown ON packages (repository, name, public_id) WHERE newest IS NOT NULL",
    "CREATE INDEX packages_newest ON packages (repository, newest, name) WHERE newest IS NOT NULL",
    "CREATE INDEX artifacts_sorted ON artifacts (package, sort_key, version, state)",
    "CREATE INDEX artifacts_live ON artifacts (repository, id, package) WHERE state <> 'deleted'",
    "CREATE INDEX artifacts_state ON artifacts (repository, state, id, package)",
    "CREATE INDEX artifacts_numbered ON artifacts (repository, version, id, state, package)",
    "CREATE INDEX dependencies_needed ON dependencies (name, repository, artifact)",
    "DROP INDEX artifacts_order",
    "DROP INDEX artifacts_newest",
];
