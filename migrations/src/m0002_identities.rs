//! Users and their tokens.
//!
//! A token's text is never kept: `hash` is its SHA-256. `actions` are words joined by commas, `repositories`
//! and `packages` are JSON lists of patterns; `packages` that is NULL is no limit. `issuer` and `subject` are
//! those of an identity provider, for users who come through one.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, big_pk_auto, boolean, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(users()).await?;
        manager.create_table(tokens()).await?;
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn users() -> TableCreateStatement {
    Table::create()
        .table("users")
        .col(big_pk_auto("id"))
        .col(text("login"))
        .col(boolean("admin"))
        .col(text_null("password"))
        .col(boolean("disabled"))
        .col(text_null("issuer"))
        .col(text_null("subject"))
        .col(big_integer("created_at"))
        .to_owned()
}

fn tokens() -> TableCreateStatement {
    let owner = ForeignKey::create()
        .from("tokens", "owner")
        .to("users", "id")
        .on_delete(ForeignKeyAction::Restrict)
        .on_update(ForeignKeyAction::Restrict)
        .to_owned();
    Table::create()
        .table("tokens")
        .col(big_pk_auto("id"))
        .col(text("hash"))
        .col(text("display"))
        .col(text("name"))
        .col(big_integer("owner"))
        .col(text("actions"))
        .col(text("repositories"))
        .col(text_null("packages"))
        .col(big_integer_null("expires_at"))
        .col(big_integer("created_at"))
        .col(text("created_by"))
        .col(big_integer_null("revoked_at"))
        .foreign_key(&mut owner.to_owned())
        .to_owned()
}

fn indexes() -> [IndexCreateStatement; 4] {
    let index = |name: &str, table: &'static str| Index::create().name(name).table(table).to_owned();
    [
        index("users_login", "users").col("login").unique().to_owned(),
        index("users_subject", "users").col("issuer").col("subject").unique().to_owned(),
        index("tokens_hash", "tokens").col("hash").unique().to_owned(),
        index("tokens_owner", "tokens").col("owner").to_owned(),
    ]
}
