//! The audit becomes a thing to search and to prove: what a row is about, and the chain of seals over all rows.
//!
//! `repository` and `package` are computed from `resource` when they are asked for (`go/local example.com/m@v1.0.0`
//! is of `go/local` and `example.com/m`), so that no row has to be changed and none can contradict itself. Shape of a
//! seal: `3 | 1204 | 17 | 9f86…0a08 | 1732310430000000`: the third covers 17 rows up to number 1204. Seals are added
//! and never changed, as rows are.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text};
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        let ([repository, package], kept) =
            if postgres { (COMPUTED_BY_POSTGRES, "STORED") } else { ([REPOSITORY, PACKAGE], "VIRTUAL") };
        for (name, computed) in [("repository", repository), ("package", package)] {
            let column = format!("ALTER TABLE audit ADD COLUMN {name} TEXT GENERATED ALWAYS AS ({computed}) {kept}");
            connection.execute_unprepared(&column).await?;
        }
        for column in ["actor", "action", "repository", "package"] {
            let index = Index::create().name(format!("audit_{column}")).table("audit").col(column).col("at").to_owned();
            manager.create_index(index).await?;
        }
        manager.create_index(Index::create().name("audit_request").table("audit").col("request").to_owned()).await?;
        // Few rows are refusals: looking for them must not pass all others, and others must not pay for them.
        let denied = "CREATE INDEX audit_denied ON audit (at) WHERE outcome = 'denied'";
        connection.execute_unprepared(denied).await?;
        manager.create_table(seals()).await?;
        if postgres {
            for statement in REFUSED_BY_POSTGRES {
                connection.execute_unprepared(statement).await?;
            }
            return Ok(());
        }
        for (name, event) in REFUSED {
            let trigger = format!(
                "CREATE TRIGGER {name} BEFORE {event} BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
            );
            connection.execute_unprepared(&trigger).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// The first word, when it is `format/name`; an address (`/api/users`) is none.
const REPOSITORY: &str = "CASE WHEN instr(resource, '/') > 1 \
    AND instr(substr(resource, 1, instr(resource || ' ', ' ')), '/') > 1 \
    THEN substr(resource, 1, instr(resource || ' ', ' ') - 1) END";

/// What follows it, up to the last '@'. Cutting all characters but '@' off the end leaves the '@'.
const PACKAGE: &str = "CASE WHEN repository IS NOT NULL AND instr(resource, ' ') > 0 THEN \
    CASE instr(substr(resource, instr(resource, ' ') + 1), '@') \
    WHEN 0 THEN substr(resource, instr(resource, ' ') + 1) \
    ELSE substr(resource, instr(resource, ' ') + 1, \
        length(rtrim(substr(resource, instr(resource, ' ') + 1), replace(resource, '@', ''))) - 1) END END";

/// The same two for PostgreSQL, which computes no column from another computed one.
const COMPUTED_BY_POSTGRES: [&str; 2] = [
    "CASE WHEN strpos(split_part(resource, ' ', 1), '/') > 1 THEN split_part(resource, ' ', 1) END",
    "CASE WHEN strpos(split_part(resource, ' ', 1), '/') > 1 AND strpos(resource, ' ') > 0 \
     THEN regexp_replace(substr(resource, strpos(resource, ' ') + 1), '@[^@]*$', '') END",
];

/// By the function of the audit itself.
const REFUSED_BY_POSTGRES: [&str; 2] = [
    "CREATE TRIGGER audit_seals_refuse_change BEFORE UPDATE OR DELETE ON audit_seals \
     FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()",
    "CREATE TRIGGER audit_seals_refuse_truncate BEFORE TRUNCATE ON audit_seals \
     EXECUTE FUNCTION audit_is_append_only()",
];

/// The third refuses `INSERT OR REPLACE`, which removes a row without asking the second.
const REFUSED: [(&str, &str); 3] = [
    ("audit_seals_refuse_update", "UPDATE ON audit_seals"),
    ("audit_seals_refuse_delete", "DELETE ON audit_seals"),
    (
        "audit_seals_refuse_replace",
        "INSERT ON audit_seals WHEN EXISTS (SELECT 1 FROM audit_seals WHERE number = NEW.number)",
    ),
];

fn seals() -> TableCreateStatement {
    Table::create()
        .table("audit_seals")
        .col(big_integer("number").primary_key())
        .col(big_integer("last_seq"))
        .col(big_integer("rows"))
        .col(text("hash"))
        .col(big_integer("sealed_at"))
        .to_owned()
}
