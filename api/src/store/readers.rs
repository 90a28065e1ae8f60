//! The connections that read, and what it means when none is to be had.
//!
//! A pool that is used up and a server that takes no connection look alike to whoever waits for one: both end with his
//! patience. The first is [`StoreError::Busy`] and over in a moment, the second [`StoreError::Unavailable`]. So the server
//! is asked beside the pool, at most once in [`BELIEVED`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use keeper_core::artifact::StoreError;
use sea_orm::sqlx;
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, RuntimeErr, Statement, TransactionTrait,
};
use tokio::sync::Mutex;

use super::place::postgres::Server;
use super::soundness::Soundness;
use super::sql::{bounded, failed};

/// How long the answer is believed that a server takes connections.
const BELIEVED: Duration = Duration::from_secs(1);

/// The connections that read.
pub(super) struct Readers {
    connections: DatabaseConnection,
    soundness: Arc<Soundness>,
    /// Where the network is between.
    server: Option<Server>,
    answers: Mutex<Option<(Instant, bool)>>,
}

impl Readers {
    pub(super) fn new(connections: DatabaseConnection, server: Option<Server>) -> Self {
        Self { connections, soundness: Arc::default(), server, answers: Mutex::default() }
    }

    /// What they share with the writer.
    pub(super) fn soundness(&self) -> &Arc<Soundness> {
        &self.soundness
    }

    /// The pool itself.
    pub(super) fn connections(&self) -> &DatabaseConnection {
        &self.connections
    }

    /// A transaction, which sees one moment.
    pub(super) async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        let begun = bounded(self, async { self.connections.begin().await }).await;
        self.told(begun).await.map_err(failed)
    }

    /// Tells a pool that is used up from a server that takes no connection, and notices damage.
    async fn told<T>(&self, result: Result<T, DbErr>) -> Result<T, DbErr> {
        if let Err(error) = &result {
            self.soundness.look_at(error);
        }
        match (result, &self.server) {
            (Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)), Some(server)) if !self.answers(server).await => {
                let why = "the database takes no connection";
                let refused = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, why);
                Err(DbErr::Conn(RuntimeErr::SqlxError(sqlx::Error::Io(refused).into())))
            }
            (result, _) => result,
        }
    }

    async fn answers(&self, server: &Server) -> bool {
        let mut last = self.answers.lock().await;
        if let Some((since, answered)) = *last
            && since.elapsed() < BELIEVED
        {
            return answered;
        }
        let answered = server.takes_connections().await;
        *last = Some((Instant::now(), answered));
        answered
    }
}

#[async_trait]
impl ConnectionTrait for Readers {
    fn get_database_backend(&self) -> DbBackend {
        self.connections.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.told(self.connections.execute_raw(statement).await).await
    }

    async fn execute_unprepared(&self, statement: &str) -> Result<ExecResult, DbErr> {
        self.told(self.connections.execute_unprepared(statement).await).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.told(self.connections.query_one_raw(statement).await).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.told(self.connections.query_all_raw(statement).await).await
    }
}
