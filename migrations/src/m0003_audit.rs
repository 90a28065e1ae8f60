//! The audit: one row for each change, written in the transaction of the change.
//!
//! Shape: `7 | 1732310430000000 | alice | akp_Ab12 | 192.0.2.7 | publish | go/local example.com/m@v1.0.0 |
//! 01JD… | done | {"content":"h1:…"}`. Rows are added and never changed: triggers refuse everything else,
//! also from a person at the database's own shell. (PostgreSQL: from everybody but the tables' owner, who may drop the
//! triggers; the seals find it.)

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_pk_auto, text, text_null};
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(audit()).await?;
        manager.create_index(Index::create().name("audit_at").table("audit").col("at").to_owned()).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            for statement in POSTGRES {
                manager.get_connection().execute_unprepared(statement).await?;
            }
            return Ok(());
        }
        for (name, event) in REFUSED {
            let trigger = format!(
                "CREATE TRIGGER {name} BEFORE {event} BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
            );
            manager.get_connection().execute_unprepared(&trigger).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// The triggers of PostgreSQL need a function first. A row there is never replaced by an insert.
const POSTGRES: [&str; 3] = [
    "CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql \
     AS $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$",
    "CREATE TRIGGER audit_refuses_change BEFORE UPDATE OR DELETE ON audit \
     FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()",
    "CREATE TRIGGER audit_refuses_truncate BEFORE TRUNCATE ON audit EXECUTE FUNCTION audit_is_append_only()",
];

/// The third refuses `INSERT OR REPLACE`, which removes a row without asking the second.
const REFUSED: [(&str, &str); 3] = [
    ("audit_refuses_update", "UPDATE ON audit"),
    ("audit_refuses_delete", "DELETE ON audit"),
    ("audit_refuses_replace", "INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)"),
];

fn audit() -> TableCreateStatement {
    Table::create()
        .table("audit")
        .col(big_pk_auto("seq"))
        .col(big_integer("at"))
        .col(text("actor"))
        .col(text_null("credential"))
        .col(text_null("address"))
        .col(text("action"))
        .col(text("resource"))
        .col(text_null("request"))
        .col(text("outcome"))
        .col(text("detail"))
        .to_owned()
}
