//! Groups, grants and sessions; and what users and tokens need beside what they have.
//!
//! Shape:
//!
//! ```text
//! users n─m groups (group_members)      grants n─1 users or groups      sessions n─1 users
//! ```
//!
//! Users and tokens get ids that may be shown, `uid`, UUIDs of version 7 made of the time of their creation. Users
//! who were there become identities of our own: issuer `local`, subject their `uid`. `kind` is `person` or
//! `robot`; a `role` is `reader`, `publisher`, `maintainer` or `owner`; `repositories` of a grant is one pattern.
//! `hash` of a session is the SHA-256 of its cookie.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, text, text_null};
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in columns() {
            manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
        }
        for table in [groups(), group_members(), grants(), sessions()] {
            manager.create_table(table).await?;
        }
        // No database of PostgreSQL is older than this step: there are no rows to be given ids.
        if manager.get_database_backend() == DbBackend::Sqlite {
            for statement in FILL {
                manager.get_connection().execute_unprepared(statement).await?;
            }
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// A UUID of version 7 (RFC 9562, 5.7): 48 bits of milliseconds, then chance.
macro_rules! fill_uid {
    ($table:literal) => {
        concat!(
            "UPDATE ",
            $table,
            " SET uid = (SELECT substr(ms, 1, 8) || '-' || substr(ms, 9, 4) || '-7' || substr(r, 1, 3) || '-8' \
             || substr(r, 4, 3) || '-' || substr(r, 7, 12) FROM (SELECT printf('%012x', ",
            $table,
            ".created_at / 1000) AS ms, lower(hex(randomblob(9))) AS r))"
        )
    };
}

const FILL: [&str; 3] = [
    fill_uid!("users"),
    fill_uid!("tokens"),
    "UPDATE users SET issuer = 'local', subject = uid, password_changed_at = created_at WHERE issuer IS NULL",
];

fn columns() -> Vec<(&'static str, ColumnDef)> {
    vec![
        ("users", text_null("uid")),
        ("users", text("kind").default("person").to_owned()),
        ("users", text("display_name").default("").to_owned()),
        ("users", text_null("email")),
        ("users", big_integer_null("password_changed_at")),
        ("users", big_integer("revision").default(1).to_owned()),
        ("tokens", text_null("uid")),
        ("tokens", big_integer_null("used_at")),
        ("tokens", text_null("used_from")),
    ]
}

fn groups() -> TableCreateStatement {
    Table::create()
        .table("groups")
        .col(text("uid").primary_key())
        .col(text("name"))
        .col(text("description"))
        .col(big_integer("created_at"))
        .col(big_integer("revision"))
        .to_owned()
}

fn group_members() -> TableCreateStatement {
    Table::create()
        .table("group_members")
        .col(text("group_uid"))
        .col(big_integer("user_id"))
        .primary_key(Index::create().col("group_uid").col("user_id"))
        .foreign_key(&mut kept("group_members", "group_uid", "groups", "uid"))
        .foreign_key(&mut kept("group_members", "user_id", "users", "id"))
        .to_owned()
}

/// Given to a user or to a group, never to both, never to neither.
fn grants() -> TableCreateStatement {
    Table::create()
        .table("grants")
        .col(text("uid").primary_key())
        .col(big_integer_null("user_id"))
        .col(text_null("group_uid"))
        .col(text("repositories"))
        .col(text("role"))
        .col(big_integer("created_at"))
        .col(text("created_by"))
        .check(Expr::cust("(user_id IS NULL) <> (group_uid IS NULL)"))
        .foreign_key(&mut kept("grants", "user_id", "users", "id"))
        .foreign_key(&mut kept("grants", "group_uid", "groups", "uid"))
        .to_owned()
}

fn sessions() -> TableCreateStatement {
    Table::create()
        .table("sessions")
        .col(text("uid").primary_key())
        .col(text("hash"))
        .col(big_integer("user_id"))
        .col(big_integer("created_at"))
        .col(big_integer("used_at"))
        .col(big_integer("expires_at"))
        .col(text_null("address"))
        .col(text_null("agent"))
        .foreign_key(&mut kept("sessions", "user_id", "users", "id"))
        .to_owned()
}

/// A key whose target cannot go away while it is named: what goes with a user is removed by a statement that
/// says so.
fn kept(
    table: &'static str,
    column: &'static str,
    target: &'static str,
    key: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(table, column)
        .to(target, key)
        .on_delete(ForeignKeyAction::Restrict)
        .on_update(ForeignKeyAction::Restrict)
        .to_owned()
}

fn indexes() -> [IndexCreateStatement; 9] {
    let unique = |name: &str, table: &'static str, columns: &[&'static str]| {
        let mut index = Index::create();
        index.name(name).table(table).unique();
        for column in columns {
            index.col(*column);
        }
        index
    };
    let plain = |name: &str, table: &'static str, column: &'static str| {
        Index::create().name(name).table(table).col(column).to_owned()
    };
    [
        unique("users_uid", "users", &["uid"]),
        unique("tokens_uid", "tokens", &["uid"]),
        unique("groups_name", "groups", &["name"]),
        plain("group_members_user", "group_members", "user_id"),
        unique("grants_user", "grants", &["user_id", "repositories"]),
        unique("grants_group", "grants", &["group_uid", "repositories"]),
        unique("sessions_hash", "sessions", &["hash"]),
        plain("sessions_user", "sessions", "user_id"),
        plain("sessions_expires", "sessions", "expires_at"),
    ]
}
