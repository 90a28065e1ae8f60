//! Connections to the SQLite file: one that writes, a few that read, all with settings that are read back.
//!
//! Shape of an address: `sqlite:///var/lib/keeper/keeper.db?mode=rwc`. A setting that is silently lower than
//! asked for (`synchronous`, say) is lost data after a power cut, so start compares each. Only the writing
//! connection ever checkpoints; readers are `query_only`. Memory mapping stays off, for it turns a read error
//! of the disk into a signal that kills the process.
//!
//! Bounds: readers are twice the cores, at most [`MAX_READERS`]; a reader or a lock is waited for 5 s.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sea_orm::sqlx::pool::PoolOptions;
use sea_orm::sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqliteSynchronous,
};
use sea_orm::sqlx::{self, AssertSqlSafe, Connection, Row};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, RuntimeErr, SqliteTransactionMode, SqlxSqliteConnector,
    TransactionOptions, TransactionTrait,
};

use super::Turn;
use crate::store::OpenError;

/// Connections that read at once.
const MAX_READERS: u32 = 16;
/// How long a lock or a free connection is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Older libraries can damage a database in WAL mode when two connections write and checkpoint at one
/// instant (SQLite 3.7.0 to 3.51.2).
const OLDEST_LIBRARY: (u32, u32, u32) = (3, 51, 3);

/// How an SQLite file begins, and where it says how it is written: 1 is a rollback journal, 2 is WAL (SQLite
/// file format, 1.3).
const FILE_HEAD: &[u8] = b"SQLite format 3\0";
const ROLLBACK_MODE_AT: usize = 18;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Writer,
    Reader,
}

impl Role {
    /// The settings as SQLite names them and as it reads them back, in the order in which they are made.
    fn pragmas(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        const BOTH: [(&str, &str); 6] = [
            ("journal_mode", "wal"),
            ("synchronous", "2"),
            ("foreign_keys", "1"),
            ("busy_timeout", "5000"),
            ("trusted_schema", "0"),
            ("mmap_size", "0"),
        ];
        let own: &[_] = match self {
            Self::Writer => &[("wal_autocheckpoint", "1000"), ("journal_size_limit", "67108864"), ("query_only", "0")],
            Self::Reader => &[("query_only", "1")],
        };
        BOTH.into_iter().chain(own.iter().copied())
    }
}

/// Where the database is. Makes connections that are ready for use.
#[derive(Debug, Clone)]
pub(in crate::store) struct File {
    options: SqliteConnectOptions,
    /// Its disk is read-only.
    frozen: bool,
}

impl File {
    pub(super) fn parse(url: &str) -> Result<Self, OpenError> {
        let wrong = |reason: String| OpenError::Address { reason };
        if !url.starts_with("sqlite://") || url.contains(":memory:") {
            let expected = "sqlite:///var/lib/keeper/keeper.db?mode=rwc or postgres://keeper@db.example/keeper";
            return Err(wrong(format!("expected an address like {expected}")));
        }
        let options = SqliteConnectOptions::from_str(url).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { options, frozen: false })
    }

    /// The file on a disk that is read-only. With a log beside it, both are read as they are, by the index that the last
    /// process left; without one the file is all there is, and says so: no index can be made.
    pub(super) fn frozen(&self) -> Self {
        let has_log = self.log_bytes() > 0;
        let options = self.options.clone().create_if_missing(false).read_only(true).immutable(!has_log);
        Self { options, frozen: true }
    }

    /// Bytes of the write-ahead log.
    pub(super) fn log_bytes(&self) -> u64 {
        std::fs::metadata(log_of(self.options.get_filename())).map_or(0, |log| log.len())
    }

    /// A connection that changes nothing, to a file that this program has not made: ours are in WAL mode from
    /// their first moment on, and the connections below would change the mode of another program's file.
    /// `None` when the file is ours, new, or no database at all.
    pub(super) async fn stranger(&self) -> Result<Option<DatabaseConnection>, OpenError> {
        let mut head = [0_u8; ROLLBACK_MODE_AT + 1];
        let read = std::fs::File::open(self.options.get_filename()).and_then(|mut file| file.read_exact(&mut head));
        if read.is_err() || !head.starts_with(FILE_HEAD) || head[ROLLBACK_MODE_AT] != 1 {
            return Ok(None);
        }
        let options = self.options.clone().create_if_missing(false).read_only(true);
        let pool = PoolOptions::<Sqlite>::new().max_connections(1).connect_with(options).await.map_err(broken)?;
        Ok(Some(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool)))
    }

    /// The connection that writes; makes the file if the address says `mode=rwc`.
    pub(super) async fn writer(&self) -> Result<DatabaseConnection, OpenError> {
        let pool = self.connect(Role::Writer, 1).await?;
        let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&pool).await.map_err(broken)?;
        check_library(&version)?;
        check_pragmas(&pool, Role::Writer).await?;
        Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
    }

    /// The connections that read. The file must be there.
    pub(super) async fn readers(&self) -> Result<DatabaseConnection, OpenError> {
        let cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
        let file = Self { options: self.options.clone().create_if_missing(false), frozen: self.frozen };
        let pool = file.connect(Role::Reader, (cores * 2).min(MAX_READERS)).await?;
        if !self.frozen {
            check_pragmas(&pool, Role::Reader).await?;
        }
        Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
    }

    /// Writes what is committed to a new file, in one piece and without a log beside it.
    pub(super) async fn copy_to(&self, to: &Path) -> Result<(), DbErr> {
        let failed = |error: sqlx::Error| DbErr::Exec(RuntimeErr::SqlxError(error.into()));
        let options = self.options.clone().create_if_missing(false).busy_timeout(PATIENCE);
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(failed)?;
        let name = to.to_str().ok_or_else(|| DbErr::Custom(format!("{} is not UTF-8", to.display())))?;
        let copied = sqlx::query("VACUUM INTO $1").bind(name).execute(&mut connection).await;
        connection.close().await.map_err(failed)?;
        copied.map(drop).map_err(failed)
    }

    async fn connect(&self, role: Role, count: u32) -> Result<SqlitePool, OpenError> {
        if self.frozen {
            let options = self.options.clone().busy_timeout(PATIENCE).pragma("trusted_schema", "0");
            return pool(options.pragma("query_only", "1"), count).await;
        }
        let mut options = self
            .options
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE);
        for (name, value) in role.pragmas().filter(|(name, _)| !SET_BY_OPTIONS.contains(name)) {
            options = options.pragma(name, value);
        }
        pool(options, count).await
    }
}

/// The path of the write-ahead log beside a file.
fn log_of(file: &Path) -> PathBuf {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// A connection is kept for good: opening one costs more than holding it, and a writer that were replaced in silence
/// would lose its transaction.
async fn pool(options: SqliteConnectOptions, count: u32) -> Result<SqlitePool, OpenError> {
    let pool: PoolOptions<Sqlite> = PoolOptions::new()
        .max_connections(count)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false);
    pool.connect_with(options).await.map_err(broken)
}

/// Begins to write at once: a transaction that reads first and writes then may find that it cannot.
pub(super) async fn begin(writer: &DatabaseConnection) -> Result<Turn, DbErr> {
    let immediate =
        TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..Default::default() };
    Ok(Turn { transaction: writer.begin_with_options(immediate).await?, ticket: None })
}

/// Folds the write-ahead log into the file.
pub(super) async fn checkpoint(writer: &DatabaseConnection) -> Result<(), DbErr> {
    writer.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.map(drop)
}

pub(super) fn figures(pool: &DatabaseConnection) -> (u32, usize) {
    let pool = pool.get_sqlite_connection_pool();
    (pool.size(), pool.num_idle())
}

/// Pragmas for which the options have their own words.
const SET_BY_OPTIONS: [&str; 4] = ["journal_mode", "synchronous", "foreign_keys", "busy_timeout"];

fn check_library(found: &str) -> Result<(), OpenError> {
    let mut parts = found.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut part = || parts.next().unwrap_or(0);
    if (part(), part(), part()) < OLDEST_LIBRARY {
        return Err(OpenError::LibraryTooOld { found: found.to_owned() });
    }
    Ok(())
}

/// Asks one connection for each setting and compares.
async fn check_pragmas(pool: &SqlitePool, role: Role) -> Result<(), OpenError> {
    let mut connection = pool.acquire().await.map_err(broken)?;
    for (name, wanted) in role.pragmas() {
        let question = sqlx::query(AssertSqlSafe(format!("PRAGMA {name}")));
        let row = question.fetch_one(&mut *connection).await.map_err(broken)?;
        let found: String = row.try_get_unchecked(0).map_err(broken)?;
        if found != wanted {
            return Err(OpenError::Setting { name, wanted, found });
        }
    }
    Ok(())
}

fn broken(error: sqlx::Error) -> OpenError {
    OpenError::from(DbErr::Conn(RuntimeErr::SqlxError(error.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_can_damage_the_database_is_refused() {
        for (version, fine) in [
            ("3.51.3", true),
            ("3.51.4", true),
            ("3.52.0", true),
            ("4.0", true),
            ("3.51.2", false),
            ("3.9.99", false),
            ("", false),
        ] {
            assert_eq!(check_library(version).is_ok(), fine, "{version}");
        }
    }

    #[test]
    fn only_a_file_is_a_place() {
        for bad in ["", "keeper.db", "postgres://x/y", "sqlite::memory:", "sqlite://:memory:", "sqlite:///x?mode=what"]
        {
            assert!(matches!(File::parse(bad), Err(OpenError::Address { .. })), "{bad}");
        }
        assert!(File::parse("sqlite:///tmp/keeper.db?mode=rwc").is_ok());
    }

    #[tokio::test]
    async fn a_setting_that_is_lower_than_demanded_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}/keeper.db?mode=rwc", folder.path().display());
        let file = File::parse(&url).expect("a place");
        let writer = file.writer().await.expect("a connection");
        let pool = writer.get_sqlite_connection_pool();
        for (wrong, right) in [("synchronous=NORMAL", "synchronous=FULL"), ("foreign_keys=OFF", "foreign_keys=ON")] {
            sqlx::query(AssertSqlSafe(format!("PRAGMA {wrong}"))).execute(pool).await.expect("a pragma");
            let refused = check_pragmas(pool, Role::Writer).await.expect_err("noticed");
            assert!(matches!(refused, OpenError::Setting { .. }), "{refused}");
            sqlx::query(AssertSqlSafe(format!("PRAGMA {right}"))).execute(pool).await.expect("a pragma");
        }
        check_pragmas(pool, Role::Writer).await.expect("right again");
    }
}
