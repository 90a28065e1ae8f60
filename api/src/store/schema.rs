//! Brings the schema up to date, or refuses the file.
//!
//! A database whose list of migrations names one that this program does not know was changed by a newer one. That one
//! left word of the oldest program that may still write there: while servers are upgraded one after the other, those of
//! the version before go on, and can be restarted. Any older one is refused before anything is written, since it could
//! break what the new one relies on. Going back means restoring a backup.

use std::time::Duration;

use jiff::Timestamp;
use keeper_migrations::{LEVEL, Migrator, OLDEST_WRITER};
use sea_orm::{DatabaseConnection, DbErr, FromQueryResult};
use sea_orm_migration::MigratorTrait;
use uuid::Uuid;

use super::OpenError;
use super::dialect::Dialect;
use super::sql::{all, execute, micros, one, sqlstate};
use keeper_core::artifact::StoreError;

/// Checks, migrates, and answers the mark of the data.
pub(super) async fn prepare(writer: &DatabaseConnection) -> Result<Uuid, OpenError> {
    let is_ours = refuse_foreign(writer).await?.iter().any(|table| table == "instance");
    if !(is_ours && is_newer(writer).await?) {
        migrate(writer).await?;
    }
    mark(writer).await
}

/// The tables of a file that is ours or empty.
pub(super) async fn refuse_foreign(on: &DatabaseConnection) -> Result<Vec<String>, OpenError> {
    let tables = tables(on).await?;
    let has = |name: &str| tables.iter().any(|table| table == name);
    if !tables.is_empty() && !(has("seaql_migrations") && (has("instance") || tables.len() == 1)) {
        return Err(OpenError::Foreign);
    }
    Ok(tables)
}

/// The names of the migrations that [`prepare`] would make.
pub(super) async fn pending(reader: &DatabaseConnection) -> Result<Vec<String>, OpenError> {
    let before = refuse_foreign(reader).await?;
    if before.iter().any(|table| table == "instance") && is_newer(reader).await? {
        return Ok(Vec::new());
    }
    let known = Migrator::migrations();
    let applied: Vec<Named> = match before.iter().any(|table| table == "seaql_migrations") {
        true => all(reader, "SELECT version AS name FROM seaql_migrations", []).await.map_err(failed)?,
        false => Vec::new(),
    };
    let is_new = |name: &str| !applied.iter().any(|row| row.name == name);
    Ok(known.iter().map(|migration| migration.name().to_owned()).filter(|name| is_new(name)).collect())
}

#[derive(FromQueryResult)]
struct Named {
    name: String,
}

#[derive(FromQueryResult)]
struct Mark {
    id: String,
    migrated_by: String,
}

const MARK: &str = "SELECT id, migrated_by FROM instance";

async fn tables(on: &DatabaseConnection) -> Result<Vec<String>, OpenError> {
    let rows: Vec<Named> = all(on, Dialect::of(on).tables(), []).await.map_err(failed)?;
    Ok(rows.into_iter().map(|row| row.name).collect())
}

#[derive(FromQueryResult)]
struct Floor {
    oldest_writer: i64,
}

/// Whether a newer program has changed the schema, in a way that this one may go on with.
async fn is_newer(on: &DatabaseConnection) -> Result<bool, OpenError> {
    let known: Vec<_> = Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    let applied: Vec<Named> =
        all(on, "SELECT version AS name FROM seaql_migrations ORDER BY version", []).await.map_err(failed)?;
    let (applied, unknown): (Vec<_>, Vec<_>) =
        applied.into_iter().map(|row| row.name).partition(|name| known.contains(name));
    if unknown.is_empty() {
        return Ok(false);
    }
    // A newer schema may have moved all this; the list of migrations alone is reason enough to refuse.
    let floor: Option<Floor> = one(on, "SELECT oldest_writer FROM instance", []).await.ok().flatten();
    let may_write = floor.is_some_and(|floor| (1..=LEVEL).contains(&floor.oldest_writer));
    let mark: Option<Mark> = one(on, MARK, []).await.ok().flatten();
    let by = mark.map_or_else(|| "of a newer version".to_owned(), |mark| mark.migrated_by);
    if may_write && applied.len() == known.len() {
        tracing::warn!(migrated_by = by, "a newer version has changed the database; this one can go on with it");
        return Ok(true);
    }
    Err(OpenError::Newer { by, unknown })
}

/// A step gives up after a short wait for a lock, so that nobody queues behind it, and is tried again so often.
const LOCKED_TRIES: u32 = 60;
const LOCKED_PAUSE: Duration = Duration::from_millis(500);

async fn migrate(writer: &DatabaseConnection) -> Result<(), OpenError> {
    let pending = Migrator::get_pending_migrations(writer).await?;
    if pending.is_empty() {
        return Ok(());
    }
    if pending.iter().all(|migration| migration.name() != FLOORED_SINCE) {
        // Before anything changes: a kill on the way must not leave a database that an older program takes for its own.
        execute(writer, RAISE_FLOOR, [OLDEST_WRITER.into()]).await.map_err(failed)?;
    }
    let mut made = Migrator::up(writer, None).await;
    for _ in 0..LOCKED_TRIES {
        let locked = made.as_ref().err().and_then(sqlstate).is_some_and(|state| state == "55P03");
        if !locked {
            break;
        }
        tracing::warn!("a table is in use by another server; its schema is changed as soon as it can be");
        tokio::time::sleep(LOCKED_PAUSE).await;
        made = Migrator::up(writer, None).await;
    }
    if let Err(source) = made {
        // What is still pending begins with the one that failed.
        let left = Migrator::get_pending_migrations(writer).await.unwrap_or(pending);
        let name = left.first().map_or_else(String::new, |migration| migration.name().to_owned());
        return Err(OpenError::Migration { name, source });
    }
    let program = env!("CARGO_PKG_VERSION");
    execute(writer, RAISE_FLOOR, [OLDEST_WRITER.into()]).await.map_err(failed)?;
    execute(writer, "UPDATE instance SET migrated_by = $1", [program.into()]).await.map_err(failed)?;
    Ok(())
}

/// The step that made room for the word of a newer program.
const FLOORED_SINCE: &str = "m0021_operations";
const RAISE_FLOOR: &str = "UPDATE instance SET oldest_writer = $1 WHERE oldest_writer < $1";

/// The mark of the data, made at the first start.
async fn mark(writer: &DatabaseConnection) -> Result<Uuid, OpenError> {
    let fresh = Uuid::now_v7().to_string();
    let insert = "INSERT INTO instance (id, migrated_by, created_at, oldest_writer) \
                  SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM instance)";
    let values =
        [fresh.into(), env!("CARGO_PKG_VERSION").into(), micros(Timestamp::now()).into(), OLDEST_WRITER.into()];
    execute(writer, insert, values).await.map_err(failed)?;
    read_mark(writer).await
}

/// The mark of the data, as it is.
pub(super) async fn read_mark(reader: &DatabaseConnection) -> Result<Uuid, OpenError> {
    let mark: Option<Mark> = one(reader, MARK, []).await.map_err(failed)?;
    let id = mark.map(|mark| mark.id).unwrap_or_default();
    Uuid::parse_str(&id).map_err(|error| OpenError::Unreadable(super::sql::corrupt("the instance's mark", error)))
}

/// Keeps the database's own error, by which a damaged file is told from a busy one.
fn failed(error: StoreError) -> OpenError {
    match error {
        StoreError::Unavailable(source) => match source.downcast::<DbErr>() {
            Ok(source) => OpenError::from(*source),
            Err(source) => OpenError::Unreadable(StoreError::Unavailable(source)),
        },
        other => OpenError::Unreadable(other),
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnectionTrait;

    use super::super::Store;
    use super::super::fixture::{Folder, execute_beside, repository};
    use super::*;

    #[tokio::test]
    async fn a_database_of_a_newer_program_is_refused_and_not_touched() {
        let folder = Folder::of_sqlite();
        folder.open().await.close().await;
        execute_beside(&folder, "INSERT INTO seaql_migrations VALUES ('m9999_future', 0)").await;
        execute_beside(&folder, "UPDATE instance SET migrated_by = '9.1.0', oldest_writer = 9999").await;
        let before = std::fs::read(folder.file()).expect("the file");
        let refused = folder.try_open().await.expect_err("refused");
        assert!(matches!(refused, OpenError::Newer { .. }), "{refused:?}");
        let text = refused.to_string();
        assert!(text.contains("9.1.0") && text.contains("m9999_future"), "{text}");
        assert!(std::fs::read(folder.file()).expect("the file") == before, "the file was changed");
    }

    #[tokio::test]
    async fn a_newer_program_that_only_added_leaves_the_database_to_this_one_too() {
        let folder = Folder::new();
        folder.open().await.close().await;
        for step in [
            "INSERT INTO seaql_migrations VALUES ('m9999_future', 0)",
            "UPDATE instance SET migrated_by = '9.1.0'",
            "ALTER TABLE packages ADD COLUMN colour TEXT",
        ] {
            execute_beside(&folder, step).await;
        }
        assert_eq!(Store::pending(&folder.url()).await.expect("an answer"), [""; 0]);
        let store = folder.open().await;
        repository(&store, "local").await;
        store.close().await;
        // One that it has not made yet is for the newer program to make.
        execute_beside(&folder, "DELETE FROM seaql_migrations WHERE version = 'm0020_replicas'").await;
        assert!(matches!(folder.try_open().await, Err(OpenError::Newer { .. })));
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_refused_and_not_touched() {
        let folder = Folder::of_sqlite();
        let text = b"notes, not a database ".repeat(500);
        std::fs::write(folder.file(), &text).expect("a file");
        assert!(matches!(folder.try_open().await, Err(OpenError::NotADatabase)));
        assert!(std::fs::read(folder.file()).expect("the file") == text);
    }

    #[tokio::test]
    async fn the_database_of_another_program_is_refused() {
        let folder = Folder::of_sqlite();
        execute_beside(&folder, "CREATE TABLE songs (title TEXT)").await;
        assert!(matches!(folder.try_open().await, Err(OpenError::Foreign)));
    }

    #[tokio::test]
    async fn a_damaged_database_is_refused() {
        let folder = Folder::of_sqlite();
        folder.open().await.close().await;
        let mut bytes = std::fs::read(folder.file()).expect("the file");
        bytes[100..].fill(0x5a);
        std::fs::write(folder.file(), bytes).expect("a file");
        let refused = folder.try_open().await.expect_err("refused");
        assert!(matches!(refused, OpenError::Corrupt(_)), "{refused:?}");
    }

    #[tokio::test]
    async fn a_missing_folder_is_said_and_not_made() {
        let folder = Folder::of_sqlite();
        let url = format!("sqlite://{}/missing/keeper.db?mode=rwc", folder.path().display());
        assert!(matches!(Store::open(&url).await, Err(OpenError::Failed(_))));
    }

    #[tokio::test]
    async fn a_failed_migration_is_named_and_leaves_the_state_before() {
        let folder = Folder::of_sqlite();
        folder.open().await.close().await;
        // As if the last migration were not yet made, and its second step found its name taken.
        for step in [
            "DELETE FROM seaql_migrations WHERE version = 'm0003_audit'",
            "DROP TABLE audit",
            "CREATE INDEX audit_at ON users (created_at)",
        ] {
            execute_beside(&folder, step).await;
        }
        let refused = folder.try_open().await.expect_err("refused");
        assert!(matches!(&refused, OpenError::Migration { name, .. } if name == "m0003_audit"), "{refused:?}");
        execute_beside(&folder, "DROP INDEX audit_at").await;
        folder.try_open().await.expect("the first step was undone, so that it can be made").close().await;
    }

    #[tokio::test]
    async fn the_mark_stays_over_starts() {
        let folder = Folder::of_sqlite();
        let first = folder.open().await;
        let mark = first.instance();
        first.close().await;
        let second = folder.open().await;
        assert_eq!(second.instance(), mark);
        second.readers.execute_unprepared("DELETE FROM instance").await.expect_err("readers cannot write");
        second.close().await;
    }
}
