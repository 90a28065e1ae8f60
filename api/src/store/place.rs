//! Where the database is, and how one gets connections and transactions there: a file of SQLite, or a server of
//! PostgreSQL.
//!
//! Changes are made in the same way in both: one at a time, in groups, each group one transaction. A file has one
//! process, and that process one task that writes ([`writer`](super::writer)). A server has many: there the task of
//! each process takes *the turn*, a lock that ends with its transaction, before its first statement. So every change
//! sees all changes before it, none can wait for another that waits for it, and the numbers of the audit grow with the
//! commits. What is read needs no turn.
//!
//! The keys of the database stand behind it: what must be unique is, and a blob that a file names cannot be removed,
//! whatever writes.

use std::path::Path;

use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr};

use super::OpenError;
use super::readers::Readers;

pub(super) mod postgres;
mod sqlite;

/// Where the database is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Sqlite(sqlite::File),
    Postgres(postgres::Server),
}

/// A transaction that may write.
pub(super) struct Turn {
    pub(super) transaction: DatabaseTransaction,
    /// By which its fate can be asked for, when nobody told whether it was kept.
    pub(super) ticket: Option<Ticket>,
}

/// The number of a transaction, and when it began: a server that crashes forgets the numbers of what was not kept, and
/// gives them again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ticket {
    number: String,
    /// By the server's clock, in seconds.
    began: String,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Kept,
    Undone,
    /// The database cannot be asked, or does not know.
    Unknown,
}

impl Place {
    /// Reads an address: `sqlite:///var/lib/keeper/keeper.db?mode=rwc` or `postgres://keeper@db.example/keeper`.
    pub(super) fn parse(url: &str) -> Result<Self, OpenError> {
        if postgres::is_address(url) {
            return postgres::Server::parse(url).map(Self::Postgres);
        }
        sqlite::File::parse(url).map(Self::Sqlite)
    }

    /// The same on a disk that is read-only; `None` where that is another machine's matter.
    pub(super) fn frozen(&self) -> Result<Option<Self>, OpenError> {
        match self {
            Self::Sqlite(file) => Ok(Some(Self::Sqlite(file.frozen()))),
            Self::Postgres(_) => Ok(None),
        }
    }

    /// Whether other processes use it too, and the network is between.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// A connection that changes nothing, to what may be another program's. `None` when that is known already.
    pub(super) async fn stranger(&self) -> Result<Option<DatabaseConnection>, OpenError> {
        match self {
            Self::Sqlite(file) => file.stranger().await,
            Self::Postgres(_) => Ok(None),
        }
    }

    /// The one connection for changes of the schema, and for what one process at a time may do at start. Others wait
    /// until it is closed. `None` where there is one process: the writer will do.
    pub(super) async fn builder(&self) -> Result<Option<DatabaseConnection>, OpenError> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(server) => server.builder().await.map(Some),
        }
    }

    /// The connection that writes.
    pub(super) async fn writer(&self) -> Result<DatabaseConnection, OpenError> {
        match self {
            Self::Sqlite(file) => file.writer().await,
            Self::Postgres(server) => server.writer().await,
        }
    }

    /// The connections that read; each transaction of theirs sees one moment.
    pub(super) async fn readers(&self) -> Result<Readers, OpenError> {
        Ok(match self {
            Self::Sqlite(file) => Readers::new(file.readers().await?, None),
            Self::Postgres(server) => Readers::new(server.readers().await?, Some(server.clone())),
        })
    }

    /// Waits until the database can be reached, or says why it cannot be used.
    pub(super) async fn reach(&self) -> Result<(), OpenError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(server) => server.reach().await,
        }
    }

    /// Begins a transaction on the writer, when its turn has come.
    pub(super) async fn begin(&self, writer: &DatabaseConnection) -> Result<Turn, DbErr> {
        match self {
            Self::Sqlite(_) => sqlite::begin(writer).await,
            Self::Postgres(server) => server.begin(writer).await,
        }
    }

    /// Finds out whether a transaction was kept.
    pub(super) async fn fate(&self, ticket: &Ticket) -> Fate {
        match self {
            Self::Sqlite(_) => Fate::Unknown,
            Self::Postgres(server) => server.fate(ticket).await,
        }
    }

    /// Writes the database as it is at one moment to a new file; `false` where it is no file itself.
    pub(super) async fn copy_to(&self, to: &Path) -> Result<bool, DbErr> {
        match self {
            Self::Sqlite(file) => file.copy_to(to).await.map(|()| true),
            Self::Postgres(_) => Ok(false),
        }
    }

    /// Bytes of the log that is still to be folded into the file, where there is such a thing.
    pub(super) fn log_bytes(&self) -> u64 {
        match self {
            Self::Sqlite(file) => file.log_bytes(),
            Self::Postgres(_) => 0,
        }
    }

    /// Work for quiet moments and for the end.
    pub(super) async fn tidy(&self, writer: &DatabaseConnection) -> Result<(), DbErr> {
        match self {
            Self::Sqlite(_) => sqlite::checkpoint(writer).await,
            Self::Postgres(_) => Ok(()),
        }
    }
}

/// The size of a pool and how many of its connections nobody uses.
pub(super) fn figures(pool: &DatabaseConnection) -> (u32, usize) {
    match super::dialect::Dialect::of(pool) {
        super::dialect::Dialect::Sqlite => sqlite::figures(pool),
        super::dialect::Dialect::Postgres => postgres::figures(pool),
    }
}
