//! Connections to PostgreSQL, their settings, and the checks that a server must pass.
//!
//! Shape of an address: `postgres://keeper:…@db.example:5432/keeper?sslmode=verify-full`; on this machine
//! `postgres:///keeper?host=/var/run/postgresql`. The database is UTF-8 and compares texts byte by byte
//! (`CREATE DATABASE keeper TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'`): the order of names is then the same
//! everywhere, and does not move with the libraries of a machine.
//!
//! What is silently lost is refused: a server with `fsync` or `full_page_writes` off. `synchronous_commit` off is
//! put right for our own connections, since each may choose.
//!
//! Bounds: [`READERS`] connections read and one writes in each process; a statement may take [`STATEMENT`], a lock
//! [`LOCK`], the turn to write [`TURN`].

mod reach;

use std::str::FromStr;
use std::time::{Duration, Instant};

use sea_orm::sqlx::pool::PoolOptions;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, Postgres};
use sea_orm::sqlx::{self, Connection, Row};
use sea_orm::{DatabaseConnection, DbErr, FromQueryResult, RuntimeErr, SqlxPostgresConnector, TransactionTrait};

use super::{Fate, Ticket, Turn};
use crate::store::OpenError;
use crate::store::sql::{self, database_error};

/// Connections that read at once.
const READERS: u32 = 10;
/// Connections that watch for changes of others, and by which the health is asked: apart, so that a pool that is
/// used up can still be told from a database that is gone.
const WATCHERS: u32 = 3;
/// How long a free connection is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a statement may take: a page is made in milliseconds.
const STATEMENT: Duration = Duration::from_secs(5);
/// How long a lock on a row or table is waited for.
const LOCK: Duration = Duration::from_secs(2);
/// How long the turn to write is waited for: others have it for milliseconds.
const TURN: Duration = Duration::from_secs(5);
/// How long another process may take with the schema.
const OTHERS_SCHEMA: Duration = Duration::from_secs(300);
/// A connection that was not used for so long is asked whether it lives before it is.
const DOUBTED_AFTER: Duration = Duration::from_secs(1);
/// How long it may take to say so, before it is used and when it comes back: whoever used it may have gone away in the
/// middle of a question. One that is silent for longer is closed.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// How long and how often the fate of a transaction is asked for. The server may not have noticed yet that its client
/// is gone; it does at the next byte that it sends.
const FATE_TIME: Duration = Duration::from_secs(10);
const FATE_PAUSE: Duration = Duration::from_millis(250);

/// The locks that processes of this program share in one database: any two numbers that no other program has.
const WRITERS_TURN: i64 = 0x6b65_6570_6572_0001;
const SCHEMA_TURN: i64 = 0x6b65_6570_6572_0002;
/// The class of locks that show which processes live, one number for each.
pub(in crate::store) const PROCESSES: i32 = 0x6b65_6570;

/// On which processes tell each other that something has changed; the payload is the teller's name.
pub(in crate::store) const CHANNEL: &str = "keeper_changes";

/// The oldest server that has everything: numbers of transactions in 64 bits, extensions that need no superuser.
const OLDEST_SERVER: i32 = 130_000;

/// Whether an address is one of PostgreSQL.
pub(super) fn is_address(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// A database of a server. Makes connections that are ready for use.
#[derive(Debug, Clone)]
pub(in crate::store) struct Server {
    options: PgConnectOptions,
    /// The name of this process among those that share the database.
    node: String,
    /// The same as a number.
    number: i32,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Builder,
    Writer,
    Reader,
    Watcher,
}

impl Server {
    pub(super) fn parse(url: &str) -> Result<Self, OpenError> {
        let wrong = |error: sqlx::Error| OpenError::Address { reason: error.to_string() };
        let options = PgConnectOptions::from_str(url).map_err(wrong)?;
        let options = options.application_name("artifact-keeper");
        let node = uuid::Uuid::now_v7();
        // Its last bytes are chance.
        let [.., a, b, c, d] = *node.as_bytes();
        Ok(Self { options, node: node.to_string(), number: i32::from_be_bytes([a & 0x7f, b, c, d]) })
    }

    /// The number of this process among those that share the database.
    pub(in crate::store) fn number(&self) -> i32 {
        self.number
    }

    /// The name of this process among those that share the database.
    pub(in crate::store) fn node(&self) -> &str {
        &self.node
    }

    pub(super) async fn builder(&self) -> Result<DatabaseConnection, OpenError> {
        let pool = self.connect(Role::Builder, 1).await?;
        check(&pool).await?;
        let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(SCHEMA_TURN).execute(&pool);
        let waited = tokio::time::timeout(OTHERS_SCHEMA, lock).await;
        waited.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut)).map_err(broken)?;
        // From here on: nobody shall queue behind a change of the schema that queues itself.
        let lock = format!("SET lock_timeout = {}", LOCK.as_millis());
        sqlx::query(sqlx::AssertSqlSafe(lock)).execute(&pool).await.map_err(broken)?;
        Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
    }

    pub(super) async fn writer(&self) -> Result<DatabaseConnection, OpenError> {
        let pool = self.connect(Role::Writer, 1).await?;
        Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
    }

    pub(super) async fn readers(&self) -> Result<DatabaseConnection, OpenError> {
        let pool = self.connect(Role::Reader, READERS).await?;
        Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
    }

    /// The connections that watch.
    pub(in crate::store) async fn watchers(&self) -> Result<DatabaseConnection, OpenError> {
        let pool = self.connect(Role::Watcher, WATCHERS).await?;
        Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
    }

    /// The connection that listens, in a pool of its own: one that falls silent is never given back, for its last word is
    /// waited for without end.
    pub(in crate::store) async fn listener(&self) -> Result<DatabaseConnection, OpenError> {
        let pool = self.connect(Role::Watcher, 1).await?;
        Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
    }

    async fn connect(&self, role: Role, count: u32) -> Result<PgPool, OpenError> {
        let pool: PoolOptions<Postgres> = PoolOptions::new()
            .max_connections(count)
            .acquire_timeout(PATIENCE)
            .max_lifetime(None)
            .idle_timeout(None)
            .test_before_acquire(false)
            .before_acquire(|connection: &mut PgConnection, about| {
                Box::pin(async move {
                    if about.idle_for > DOUBTED_AFTER {
                        shows_life(connection).await?;
                    }
                    Ok(true)
                })
            })
            .after_release(|connection: &mut PgConnection, _| {
                Box::pin(async move { shows_life(connection).await.map(|()| true) })
            });
        pool.connect_with(self.options.clone().options(settings(role))).await.map_err(broken)
    }

    pub(super) async fn begin(&self, writer: &DatabaseConnection) -> Result<Turn, DbErr> {
        let transaction = writer.begin().await?;
        // One statement: the turn, the transaction's number, and the word to the others, which the COMMIT sends.
        let question = "SELECT pg_advisory_xact_lock($1), pg_notify($2, $3), \
                        CAST(pg_current_xact_id() AS TEXT) AS number, \
                        CAST(EXTRACT(EPOCH FROM transaction_timestamp()) AS TEXT) AS began";
        let values = [WRITERS_TURN.into(), CHANNEL.into(), self.node.as_str().into()];
        let row: Option<TicketRow> = sql::one_raw(&transaction, question, values).await?;
        let ticket = row.map(|TicketRow { number, began }| Ticket { number, began });
        Ok(Turn { transaction, ticket })
    }

    pub(super) async fn fate(&self, ticket: &Ticket) -> Fate {
        let asked_since = Instant::now();
        while asked_since.elapsed() < FATE_TIME {
            match self.ask_fate(ticket).await {
                // After a crash the number may be that of somebody else, who was kept.
                Ok((Some(status), has_lived)) if status == "committed" => {
                    return if has_lived { Fate::Kept } else { Fate::Unknown };
                }
                Ok((Some(status), _)) if status == "aborted" => return Fate::Undone,
                Ok((Some(_), _)) => {}
                // Too long ago, or not of this server: it is another one now.
                Ok((None, _)) => return Fate::Unknown,
                // The number is still to be given: the server has crashed and forgotten it, with all that was done
                // under it.
                Err(error) if is_of_the_future(&error) => return Fate::Undone,
                Err(error) => tracing::warn!(%error, "the fate of a transaction cannot be asked for yet"),
            }
            tokio::time::sleep(FATE_PAUSE).await;
        }
        Fate::Unknown
    }

    /// What became of the number, and whether the server has certainly not crashed since: a crash ends all sessions, so
    /// one of ours that is older shows it.
    async fn ask_fate(&self, ticket: &Ticket) -> Result<(Option<String>, bool), sqlx::Error> {
        let ask = async {
            let mut connection = PgConnection::connect_with(&self.options).await?;
            let question = "SELECT pg_xact_status(CAST($1 AS xid8)), \
                            pg_postmaster_start_time() < to_timestamp(CAST($2 AS DOUBLE PRECISION)) AND EXISTS \
                            (SELECT 1 FROM pg_stat_activity WHERE usename = current_user AND \
                            backend_start < to_timestamp(CAST($2 AS DOUBLE PRECISION)))";
            let row = sqlx::query(question).bind(&ticket.number).bind(&ticket.began).fetch_one(&mut connection).await?;
            connection.close().await?;
            Ok((row.try_get(0)?, row.try_get(1)?))
        };
        tokio::time::timeout(PATIENCE, ask).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }
}

#[derive(FromQueryResult)]
struct TicketRow {
    number: String,
    began: String,
}

/// Whether a number of a transaction was refused because none has it yet.
fn is_of_the_future(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "22023")
}

/// The settings of a connection. A reader sees one moment in each transaction and can change nothing.
fn settings(role: Role) -> Vec<(&'static str, String)> {
    let ms = |time: Duration| time.as_millis().to_string();
    let (statement, lock) = match role {
        // How long the schema takes depends on the data, and how long others take with it on theirs.
        Role::Builder => ("0".to_owned(), "0".to_owned()),
        Role::Writer => (ms(TURN + STATEMENT), ms(TURN)),
        Role::Reader | Role::Watcher => (ms(STATEMENT), ms(LOCK)),
    };
    let mut settings = vec![
        ("statement_timeout", statement),
        ("lock_timeout", lock),
        ("idle_in_transaction_session_timeout", ms(Duration::from_secs(10))),
        ("tcp_user_timeout", ms(Duration::from_secs(10))),
        ("tcp_keepalives_idle", "10".to_owned()),
        ("tcp_keepalives_interval", "3".to_owned()),
        ("tcp_keepalives_count", "3".to_owned()),
        ("jit", "off".to_owned()),
        ("pg_trgm.word_similarity_threshold", "0.3".to_owned()),
    ];
    match role {
        Role::Reader | Role::Watcher => {
            settings.push(("default_transaction_read_only", "on".to_owned()));
            settings.push(("default_transaction_isolation", "repeatable read".to_owned()));
        }
        Role::Builder | Role::Writer => {
            settings.push(("default_transaction_isolation", "read committed".to_owned()));
            settings.push(("synchronous_commit", "on".to_owned()));
        }
    }
    settings
}

async fn shows_life(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let answered = tokio::time::timeout(SIGN_OF_LIFE, connection.ping()).await;
    answered.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
}

/// What the server is: `(name, what it must be, what it is)`.
async fn check(pool: &PgPool) -> Result<(), OpenError> {
    let question = "SELECT CAST(current_setting('server_version_num') AS INTEGER), current_setting('server_version'), \
        current_setting('fsync'), current_setting('full_page_writes'), current_setting('server_encoding'), \
        CAST((SELECT datcollate FROM pg_database WHERE datname = current_database()) AS TEXT)";
    let row = sqlx::query(question).fetch_one(pool).await.map_err(broken)?;
    let text = |at: usize| row.try_get::<String, _>(at).map_err(broken);
    let number: i32 = row.try_get(0).map_err(broken)?;
    if number < OLDEST_SERVER {
        return Err(OpenError::ServerTooOld { found: text(1)? });
    }
    for (name, wanted, found) in [("fsync", "on", text(2)?), ("full_page_writes", "on", text(3)?)] {
        if found != wanted {
            return Err(OpenError::Setting { name, wanted, found });
        }
    }
    let (encoding, collation) = (text(4)?, text(5)?);
    if encoding != "UTF8" || !matches!(collation.as_str(), "C" | "POSIX") {
        return Err(OpenError::Order { encoding, collation });
    }
    Ok(())
}

pub(super) fn figures(pool: &DatabaseConnection) -> (u32, usize) {
    let pool = pool.get_postgres_connection_pool();
    (pool.size(), pool.num_idle())
}

/// Whether a failure is one that passes: the transaction was not kept, and may be run again as it is. Isolation
/// (40001, 40P01), a connection that broke or a server that stops or starts (08, 57P01–57P03), too many connections.
pub(in crate::store) fn is_passing(error: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(cause))
    | DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))) = error
    else {
        return matches!(error, DbErr::ConnectionAcquire(_));
    };
    match database_error(error).and_then(|error| error.code()) {
        Some(code) => code.starts_with("08") || PASSING.contains(&&*code),
        None => matches!(
            **cause,
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed
        ),
    }
}

const PASSING: [&str; 6] = ["40001", "40P01", "53300", "57P01", "57P02", "57P03"];

/// Whether a COMMIT that failed so may have been kept all the same: the server said nothing, or that it ends.
pub(in crate::store) fn leaves_in_doubt(error: &DbErr) -> bool {
    match database_error(error).and_then(|error| error.code()) {
        Some(code) => code.starts_with("08") || code.starts_with("57P"),
        None => true,
    }
}

fn broken(error: sqlx::Error) -> OpenError {
    OpenError::from(DbErr::Conn(RuntimeErr::SqlxError(error.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_its_password_not_shown() {
        for good in ["postgres://keeper@db.example/keeper", "postgresql:///keeper?host=/run/postgresql"] {
            assert!(is_address(good) && Server::parse(good).is_ok(), "{good}");
        }
        let wrong = Server::parse("postgres://h/d?sslmode=sometimes").expect_err("refused");
        assert!(matches!(wrong, OpenError::Address { .. }), "{wrong}");
    }

    #[test]
    fn what_the_server_refused_was_not_kept_and_silence_may_have_been() {
        let io = || sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        let silent = DbErr::Query(RuntimeErr::SqlxError(io().into()));
        assert!(is_passing(&silent) && leaves_in_doubt(&silent));
        let misread = DbErr::Query(RuntimeErr::SqlxError(sqlx::Error::RowNotFound.into()));
        assert!(!is_passing(&misread));
    }
}
