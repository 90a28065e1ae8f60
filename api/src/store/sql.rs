//! What every query of the store shares: statements with numbered parameters, and what their errors mean.
//!
//! Queries are written as SQL with `$1, $2, …`, which SQLite and PostgreSQL both read; a value is always a
//! parameter, never part of the text. Constraint errors become [`StoreError::AlreadyExists`], a full disk
//! [`StoreError::Full`], a lock or pool that is not had in time [`StoreError::Busy`], a row that does not
//! parse [`StoreError::Corrupt`], all else [`StoreError::Unavailable`] with its source.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use keeper_core::artifact::StoreError;
use sea_orm::sqlx;
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::sqlx::postgres::PgDatabaseError;
use sea_orm::sqlx::sqlite::SqliteError;
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, RuntimeErr, SqlErr, Statement, Value,
};

use super::dialect::Dialect;

/// How long a question may take where the network is between: a free connection is waited for 2 s, and a statement that
/// the server carries out is ended by the server after 5. Whoever waits longer waits for nobody.
const ANSWER: Duration = Duration::from_secs(8);

/// Does something that asks a server, in bounded time. A connection that is left behind so is looked at before anybody
/// gets it again (`place/postgres.rs`).
pub(super) async fn bounded<T>(
    on: &impl ConnectionTrait,
    work: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    if Dialect::of(on) == Dialect::Sqlite {
        return work.await;
    }
    tokio::time::timeout(ANSWER, work).await.unwrap_or_else(|_| {
        let silent = std::io::Error::new(std::io::ErrorKind::TimedOut, "the database does not answer");
        Err(DbErr::Query(RuntimeErr::SqlxError(sqlx::Error::Io(silent).into())))
    })
}

/// Ends a transaction that has only read.
pub(super) async fn end(snapshot: DatabaseTransaction) -> Result<(), StoreError> {
    if Dialect::of(&snapshot) == Dialect::Sqlite {
        return snapshot.rollback().await.map_err(failed);
    }
    // Nothing depends on it: a connection that does not answer is given up behind the scenes.
    match tokio::time::timeout(ANSWER, snapshot.rollback()).await {
        Ok(ended) => ended.map_err(failed),
        Err(_) => Ok(()),
    }
}

/// Runs a statement and says how many rows it changed.
pub(super) async fn execute<const N: usize>(
    on: &impl ConnectionTrait,
    sql: &str,
    values: [Value; N],
) -> Result<u64, StoreError> {
    execute_all(on, sql, values).await
}

/// The same with as many values as there are.
pub(super) async fn execute_all(
    on: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<u64, StoreError> {
    let statement = Statement::from_sql_and_values(on.get_database_backend(), sql, values);
    on.execute_raw(statement).await.map(|result| result.rows_affected()).map_err(failed)
}

/// `$1, $2, $3`.
pub(super) fn places(count: usize) -> String {
    let places: Vec<_> = (1..=count).map(|number| format!("${number}")).collect();
    places.join(", ")
}

/// The only row of an answer, if there is one.
pub(super) async fn one<R: FromQueryResult>(
    on: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<R>, StoreError> {
    bounded(on, one_raw(on, sql, values)).await.map_err(failed)
}

/// The same, with the database's own error.
pub(super) async fn one_raw<R: FromQueryResult>(
    on: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<R>, DbErr> {
    let statement = Statement::from_sql_and_values(on.get_database_backend(), sql, values);
    let row = on.query_one_raw(statement).await?;
    row.map(|row| R::from_query_result(&row, "")).transpose()
}

/// All rows of an answer. Callers bound their number.
pub(super) async fn all<R: FromQueryResult>(
    on: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<R>, StoreError> {
    let statement = Statement::from_sql_and_values(on.get_database_backend(), sql, values);
    let rows = bounded(on, on.query_all_raw(statement)).await.map_err(failed)?;
    rows.iter().map(|row| R::from_query_result(row, "")).collect::<Result<_, _>>().map_err(failed)
}

/// What an error of the database means to a caller.
pub(super) fn failed(error: DbErr) -> StoreError {
    if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) {
        return StoreError::AlreadyExists;
    }
    if let Some(state) = sqlstate(&error) {
        return match state.as_str() {
            // No space; a lock or a statement that took too long, a conflict that a repeat resolves, too many clients.
            "53100" => StoreError::Full,
            "55P03" | "57014" | "40001" | "40P01" | "53300" => StoreError::Busy,
            _ => StoreError::Unavailable(Box::new(error)),
        };
    }
    match (&error, sqlite_code(&error)) {
        (DbErr::ConnectionAcquire(ConnAcquireErr::Timeout), _) => StoreError::Busy,
        (DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. }, _) => StoreError::Corrupt(error.to_string()),
        (DbErr::Query(RuntimeErr::SqlxError(cause)), _) if is_unreadable(cause) => {
            StoreError::Corrupt(error.to_string())
        }
        (_, Some(SQLITE_BUSY | SQLITE_LOCKED)) => StoreError::Busy,
        (_, Some(SQLITE_FULL)) => StoreError::Full,
        _ => StoreError::Unavailable(Box::new(error)),
    }
}

const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
/// No space on the disk.
pub(super) const SQLITE_FULL: i32 = 13;
/// The file's pages contradict each other.
pub(super) const SQLITE_CORRUPT: i32 = 11;
/// The file is something else.
pub(super) const SQLITE_NOTADB: i32 = 26;

/// What the database itself said.
pub(super) fn database_error(error: &DbErr) -> Option<&dyn DatabaseError> {
    let (DbErr::Conn(cause) | DbErr::Exec(cause) | DbErr::Query(cause)) = error else {
        return None;
    };
    let RuntimeErr::SqlxError(cause) = cause else {
        return None;
    };
    cause.as_database_error()
}

/// SQLite's primary result code behind an error.
pub(super) fn sqlite_code(error: &DbErr) -> Option<i32> {
    let error = database_error(error)?.try_downcast_ref::<SqliteError>()?;
    let extended: i32 = error.code()?.parse().ok()?;
    Some(extended & 0xff)
}

/// PostgreSQL's five characters behind an error.
pub(super) fn sqlstate(error: &DbErr) -> Option<String> {
    let error = database_error(error)?.try_downcast_ref::<PgDatabaseError>()?;
    Some(error.code().to_owned())
}

fn is_unreadable(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_))
}

/// A stored value that is not what was once written there.
pub(super) fn corrupt(what: impl Display, fault: impl Display) -> StoreError {
    StoreError::Corrupt(format!("{what}: {fault}"))
}

/// The values of a statement that is put together piece by piece.
#[derive(Default)]
pub(super) struct Places(pub(super) Vec<Value>);

impl Places {
    /// The place (`$3`) of a further value.
    pub(super) fn of(&mut self, value: impl Into<Value>) -> String {
        self.0.push(value.into());
        format!("${}", self.0.len())
    }
}

/// A time as it is stored: microseconds since 1970.
pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// A stored time.
pub(super) fn timestamp(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|error| corrupt("a time", error))
}

/// A pattern for `LIKE … ESCAPE '\'` that finds exactly this text anywhere.
pub(super) fn escape_like(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_of_a_searched_text_are_plain_characters() {
        for (text, pattern) in [("a", "%a%"), ("50%", r"%50\%%"), ("a_b", r"%a\_b%"), (r"\", r"%\\%"), ("", "%%")] {
            assert_eq!(escape_like(text), pattern, "{text}");
        }
    }

    #[test]
    fn a_stored_time_keeps_its_microseconds() {
        let at: Timestamp = "2024-11-22T20:40:30.123456789Z".parse().expect("a time");
        let kept = timestamp(micros(at)).expect("a time");
        assert_eq!(kept.to_string(), "2024-11-22T20:40:30.123456Z");
        assert!(matches!(timestamp(i64::MAX), Err(StoreError::Corrupt(_))));
    }
}
