//! The database: repositories, artifacts, users and the audit, in one SQLite file or on a server of PostgreSQL.
//!
//! Shape: every change is a command for one writer task, which runs commands in groups, each group in one
//! transaction (`writer`); every question is one statement on a pool of readers. A caller is answered after
//! the COMMIT that contains its change returned, and that COMMIT was synchronised to the disk. What each
//! request asks first, the repository at an address, is answered from memory (`catalog`), which follows what other
//! servers do on the same database (`follow`). What the databases do not share is in `place`, `dialect` and `words`.
//!
//! The ports are implemented in one file each: `repositories`, `artifacts`, `packages`, `auditing`, those of
//! `identity` below it, and those of the lifecycle.
//!
//! Errors: [`OpenError`] at start, [`StoreError`] later.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use keeper_core::artifact::StoreError;
use keeper_core::error::codes;
use sea_orm::{DatabaseConnection, DbErr};
use uuid::Uuid;

pub use publishing::reservation::{Reservation, Reserved};
pub use size::StoreSize;
pub use writer::Gate;

use catalog::Catalog;
use follow::Shared;
use place::Place;
use readers::Readers;
use writer::Writer;

use crate::supervise::Supervisor;

mod amending;
mod artifacts;
mod audit;
mod auditing;
mod burial;
mod catalog;
mod checks;
mod copying;
mod credentials;
mod dialect;
mod documents;
mod elsewhere;
mod families;
#[cfg(test)]
mod fixture;
mod follow;
mod identity;
mod indexes;
mod jobs;
mod ledger;
mod listing;
mod packages;
mod place;
mod provenance;
mod publishing;
mod readers;
mod removal;
mod repositories;
mod retention;
mod rows;
mod schema;
mod search;
mod self_check;
mod size;
mod soundness;
mod sql;
mod usage;
mod walk;
mod words;
mod writer;

/// Why the database cannot be used; the texts are fit for the person who starts the program. Nothing in it was changed, but for [`OpenError::Migration`], before which
/// earlier migrations may have been made.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address names no database that is known here.
    #[error("the database address is not usable: {reason}")]
    Address {
        /// What is wrong with it.
        reason: String,
    },
    /// The library can damage databases.
    #[error(
        "this program was built with SQLite {found}; at least 3.51.3 is needed, for older ones can damage the database"
    )]
    LibraryTooOld {
        /// Its version.
        found: String,
    },
    /// The server lacks what is needed.
    #[error("the database server is PostgreSQL {found}; at least 13 is needed")]
    ServerTooOld {
        /// Its version.
        found: String,
    },
    /// The order of texts would not be the same everywhere.
    #[error(
        "the database has the encoding {encoding} and the collation {collation}; it must be UTF8 and C, so that names \
         are in one order everywhere: CREATE DATABASE keeper TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
    )]
    Order {
        /// Its encoding.
        encoding: String,
        /// Its collation.
        collation: String,
    },
    /// The file is something else.
    #[error("the database file is not an SQLite database; nothing was changed")]
    NotADatabase,
    /// The file is an SQLite database of another program.
    #[error("the database belongs to another program (it has tables, but none of ours); nothing was changed")]
    Foreign,
    /// The file contradicts itself.
    #[error("the database file is damaged ({0}); nothing was changed: restore a copy of the data folder")]
    Corrupt(#[source] DbErr),
    /// A newer program has changed the schema.
    #[error(
        "the database was migrated by artifact-keeper {by}, this is {}; it has unknown migrations: {}; start the newer program",
        env!("CARGO_PKG_VERSION"), unknown.join(", ")
    )]
    Newer {
        /// The version of that program.
        by: String,
        /// Migrations that this program does not know.
        unknown: Vec<String>,
    },
    /// The file is of an older program, and cannot be brought up to date.
    #[error(
        "the database has to be brought up to date ({}), and its disk is read-only: make it writable, or start the \
         program that was here before", pending.join(", ")
    )]
    Outdated {
        /// The steps that are missing.
        pending: Vec<String>,
    },
    /// A migration failed and was rolled back.
    #[error("migration {name} failed and was rolled back: {source}")]
    Migration {
        /// Which.
        name: String,
        /// Why.
        #[source]
        source: DbErr,
    },
    /// A setting did not take.
    #[error("the database setting {name} is {found} and must be {wanted}: data could be lost")]
    Setting {
        /// Its name.
        name: &'static str,
        /// What it must be.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
    /// A record that is needed at start cannot be read.
    #[error("a record needed at start cannot be read: {0}")]
    Unreadable(#[source] StoreError),
    /// The server of the database does not answer.
    #[error("the database at {at} cannot be reached ({why}): start it, or correct database_url (KEEPER_DATABASE_URL)")]
    Unreachable {
        /// Where.
        at: String,
        /// What was tried last.
        why: String,
    },
    /// The server of the database does not let us in.
    #[error(
        "the database at {at} refuses the user {user} ({why}): correct the user and the password in database_url \
         (KEEPER_DATABASE_URL)"
    )]
    Credentials {
        /// Where.
        at: String,
        /// Who.
        user: String,
        /// What it says.
        why: String,
    },
    /// There is no such database on the server.
    #[error("there is no database {name} at {at}; whoever administers that server makes it: {make}")]
    NoDatabase {
        /// Where.
        at: String,
        /// Which.
        name: String,
        /// The command that makes it.
        make: String,
    },
    /// Anything else: the folder is missing, the disk is full or read-only.
    #[error("the database cannot be opened: {0}")]
    Failed(#[source] DbErr),
}

impl From<DbErr> for OpenError {
    fn from(error: DbErr) -> Self {
        match sql::sqlite_code(&error) {
            Some(sql::SQLITE_NOTADB) => Self::NotADatabase,
            Some(sql::SQLITE_CORRUPT) => Self::Corrupt(error),
            _ => Self::Failed(error),
        }
    }
}

/// The database, open. The ports
/// [`RepositoryStore`](keeper_core::repository::RepositoryStore),
/// [`ArtifactStore`](keeper_core::artifact::ArtifactStore),
/// [`Directory`](keeper_core::identity::Directory) and
/// [`AuditStore`](keeper_core::audit::AuditStore) are its methods.
pub struct Store {
    instance: Uuid,
    place: Place,
    readers: Readers,
    writer: Writer,
    /// Where other servers use the same database.
    shared: Option<Shared>,
    /// Held until the first start is over.
    building: std::sync::Mutex<Option<DatabaseConnection>>,
    catalog: Arc<Catalog>,
    identities: Arc<identity::Generation>,
}

impl Store {
    /// Opens the database at an address like `sqlite:///var/lib/keeper/keeper.db?mode=rwc` or
    /// `postgres://keeper@db.example/keeper`, brings its schema up to date and starts the writer. To a file no other
    /// process may write: the caller holds the lock of the data folder. On a server others may.
    ///
    /// # Errors
    /// [`OpenError`], whose text is fit for the person who starts the program.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let store = Self::open_to_start(url).await?;
        store.opened().await;
        Ok(store)
    }

    /// The same for a server that may have to make its first records: until [`opened`](Self::opened), others wait where
    /// they open theirs.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_to_start(url: &str) -> Result<Self, OpenError> {
        Self::start(url).await
    }

    /// Opens a file on a disk that is read-only: nothing is brought up to date, and each change is refused. A database
    /// elsewhere is opened as it always is.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when the file is not up to date.
    pub async fn open_frozen(url: &str) -> Result<Self, OpenError> {
        let Some(place) = Place::parse(url)?.frozen()? else { return Self::start(url).await };
        let readers = place.readers().await?;
        let pending = schema::pending(readers.connections()).await?;
        if !pending.is_empty() {
            return Err(OpenError::Outdated { pending });
        }
        let instance = schema::read_mark(readers.connections()).await?;
        let catalog = repositories::load(&readers).await.map_err(OpenError::Unreadable)?;
        let writer = Writer::start(place.clone(), None, Arc::default(), readers.soundness().clone());
        writer.guard(Box::new(|| Err(StoreError::NotWritable(&codes::STORAGE_READ_ONLY))));
        let (building, catalog) = (std::sync::Mutex::default(), Arc::new(Catalog::new(catalog)));
        Ok(Self { instance, place, readers, writer, shared: None, building, catalog, identities: Arc::default() })
    }

    /// Asks this gate before each change.
    pub fn guard(&self, gate: Gate) {
        self.writer.guard(gate);
    }

    async fn start(url: &str) -> Result<Self, OpenError> {
        let place = Place::parse(url)?;
        place.reach().await?;
        if let Some(stranger) = place.stranger().await? {
            let ours = schema::refuse_foreign(&stranger).await;
            stranger.close().await?;
            ours?;
        }
        let building = place.builder().await?;
        let writing = place.writer().await?;
        let instance = schema::prepare(building.as_ref().unwrap_or(&writing)).await?;
        if !place.is_shared() {
            Self::end_leases(&writing).await.map_err(OpenError::Unreadable)?;
        }
        let readers = place.readers().await?;
        let catalog = repositories::load(&readers).await.map_err(OpenError::Unreadable)?;
        let (catalog, identities, order) = (Arc::new(Catalog::new(catalog)), Arc::default(), Arc::default());
        let shared = match &place {
            Place::Sqlite(_) => None,
            Place::Postgres(server) => {
                Some(Shared::start(server, Arc::clone(&catalog), Arc::clone(&identities), Arc::clone(&order)).await?)
            }
        };
        let writer = Writer::start(place.clone(), Some(writing), order, readers.soundness().clone());
        Ok(Self { instance, place, readers, writer, shared, building: building.into(), catalog, identities })
    }

    /// What one process at a time may do at start is done: others may go on.
    pub async fn opened(&self) {
        let building = self.building.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(building) = building
            && let Err(error) = building.close().await
        {
            tracing::warn!(%error, "the connection for changes of the schema did not close");
        }
    }

    /// Whether what is remembered here may be older than what other servers have done: then the database itself is
    /// asked.
    fn is_behind(&self) -> bool {
        self.shared.as_ref().is_some_and(Shared::is_behind)
    }

    /// The connections by which the health is asked.
    fn health(&self) -> &DatabaseConnection {
        self.shared.as_ref().map_or(self.readers.connections(), Shared::connections)
    }

    /// By whom background work of this process is begun anew, that of the store among it.
    #[must_use]
    pub fn supervisor(&self) -> Supervisor {
        self.shared.as_ref().map(Shared::supervisor).unwrap_or_default()
    }

    /// The names of the migrations that opening the database at this address would make; changes nothing.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn pending(url: &str) -> Result<Vec<String>, OpenError> {
        let place = Place::parse(url)?;
        place.reach().await?;
        let readers = place.readers().await?;
        let pending = schema::pending(readers.connections()).await;
        if let Err(error) = readers.connections().close_by_ref().await {
            tracing::warn!(%error, "the database's readers did not close");
        }
        pending
    }

    /// The mark of this data, made with it and never changed.
    #[must_use]
    pub fn instance(&self) -> Uuid {
        self.instance
    }

    /// Whether the writer has shown a sign of life within this time. An idle one shows it every ten seconds.
    #[must_use]
    pub fn writer_alive(&self, within: Duration) -> bool {
        self.writer.silence() < within
    }

    /// Waits until the writer is gone for a fault of its own: then the process cannot go on.
    pub async fn writer_died(&self) {
        self.writer.died().await;
    }

    /// Whether the database's file is damaged: then nothing is changed any more.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.readers.soundness().is_damaged()
    }

    /// Bytes of the log that is still to be folded into the database's file.
    #[must_use]
    pub fn log_bytes(&self) -> u64 {
        self.readers.soundness().log_bytes()
    }

    /// Changes that wait for the writer.
    #[must_use]
    pub fn changes_waiting(&self) -> usize {
        self.writer.waiting()
    }

    /// Connections for reading: how many there are, and how many of them nobody uses.
    #[must_use]
    pub fn readers(&self) -> (u32, usize) {
        place::figures(self.readers.connections())
    }

    /// Takes no more commands, finishes those that were taken, and leaves one tidy file without a log beside
    /// it. Never needed for safety: every acknowledged change is durable already. Repeating is harmless.
    pub async fn close(&self) {
        self.opened().await;
        let rest = self.writer.drain().await;
        if let Some(shared) = &self.shared {
            shared.end().await;
        }
        if let Err(error) = self.readers.connections().close_by_ref().await {
            tracing::warn!(%error, "the database's readers did not close");
        }
        if let Some(rest) = rest {
            rest.finish().await;
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("instance", &self.instance).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use keeper_core::repository::{Actor, RepositoryId, RepositoryStore};
    use keeper_core::testing::contract;

    use super::Store;
    use super::fixture::Folder;

    #[tokio::test]
    async fn it_keeps_the_promises_of_a_repository_store() {
        let folder = Folder::new();
        contract::repository_store(&folder.open().await).await;
        let folder = Folder::new();
        let store = folder.open().await;
        contract::repository_content(&store, &store).await;
    }

    #[tokio::test]
    async fn it_keeps_the_promises_of_an_artifact_store() {
        let folder = Folder::new();
        let store = folder.open().await;
        let (one, other) = two_repositories(&store).await;
        contract::artifact_store(&store, one, other).await;
    }

    #[tokio::test]
    async fn it_keeps_the_promises_of_a_package_store() {
        let folder = Folder::new();
        let store = folder.open().await;
        let (one, other) = two_repositories(&store).await;
        contract::package_store(&store, &store, one, other).await;
    }

    #[tokio::test]
    async fn it_keeps_the_promises_of_a_document_store() {
        let folder = Folder::new();
        contract::document_store(&folder.open().await).await;
    }

    async fn two_repositories(store: &Store) -> (RepositoryId, RepositoryId) {
        let mut ids = Vec::new();
        for name in ["one", "other"] {
            let (at, by) = (contract::address("go", name), Actor::system());
            let made = store.create(&at, contract::details(), &by).await.expect("made");
            ids.push(made.id);
        }
        (ids[0], ids[1])
    }

    #[tokio::test]
    async fn it_keeps_the_promises_of_a_quota_store() {
        let folder = Folder::new();
        let store = folder.open().await;
        let local = super::fixture::repository(&store, "local").await;
        contract::quota_store(&store, &store, local.id).await;
    }

    #[tokio::test]
    async fn it_keeps_the_promises_of_a_job_store() {
        let folder = Folder::new();
        contract::job_store(&folder.open().await).await;
    }

    #[tokio::test]
    async fn it_keeps_the_promises_of_a_removal_store() {
        let folder = Folder::new();
        let store = folder.open().await;
        contract::removal_store(&store, &store, &store).await;
    }

    #[tokio::test]
    async fn it_keeps_the_promises_of_a_retention_store() {
        let folder = Folder::new();
        let store = folder.open().await;
        let local = super::fixture::repository(&store, "local").await;
        contract::retention_store(&store, &store, local.id).await;
    }

    #[tokio::test]
    async fn it_keeps_the_promises_of_provenance() {
        let folder = Folder::new();
        let store = folder.open().await;
        let local = super::fixture::repository(&store, "local").await;
        contract::provenance_store(&store, &store, &store, local.id).await;
    }

    #[tokio::test]
    async fn it_keeps_the_promises_of_a_ledger() {
        let folder = Folder::new();
        let store = folder.open().await;
        let local = super::fixture::repository(&store, "local").await;
        contract::blob_ledger(&store, &store, local.id).await;
    }

    #[tokio::test]
    async fn it_keeps_the_promises_of_an_identity_store() {
        let folder = Folder::new();
        contract::identity_store(&folder.open().await).await;
        let folder = Folder::new();
        contract::directory(&folder.open().await).await;
    }

    #[tokio::test]
    async fn it_keeps_the_promises_of_an_audit() {
        let folder = Folder::new();
        contract::audit_store(&folder.open().await).await;
    }
}
