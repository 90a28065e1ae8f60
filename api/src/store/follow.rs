//! What other servers on the same database have done, brought into the memory of this one.
//!
//! Each group of changes says so on a channel of PostgreSQL when it is committed; whoever listens reads the numbers of
//! the repositories and of the identities and forgets what was made under others. A message can be lost with its
//! connection, so the numbers are also read every [`PERIOD`]. Memory follows the order of the commits: a reading that
//! began before a commit of our own never comes after it (`order`).
//!
//! The connection that listens also holds a lock with the number of this process. It ends with the process, however that
//! ends, so whoever finds it free knows that the leases of that number ended too ([`jobs`](super::jobs)).
//!
//! What was not read for longer than [`TRUSTED`] is not believed, and whoever asks gets what the database says at that
//! moment: a right that was taken away elsewhere counts no more within that time. So it is, too, while a COMMIT of our
//! own hangs, which the next reading waits for: it costs questions, and stops nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keeper_core::artifact::StoreError;
use sea_orm::sqlx::postgres::PgListener;
use sea_orm::{DatabaseConnection, FromQueryResult, TransactionTrait};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::catalog::Catalog;
use super::identity::Generation;
use super::place::postgres::{CHANNEL, PROCESSES, Server};
use super::sql::{end, failed, one};
use super::{OpenError, repositories};
use crate::supervise::Supervisor;

/// Time between two readings when no message comes.
const PERIOD: Duration = Duration::from_secs(2);
/// How old a reading may be for memory to be believed.
const TRUSTED: Duration = Duration::from_secs(5);
/// How long a reading may take.
const READING: Duration = Duration::from_secs(2);
/// How long it may take until the channel is listened to.
const BEGINNING: Duration = Duration::from_secs(10);
/// How long nothing may be heard before the connection that listens is asked whether it lives.
const QUIET: Duration = Duration::from_secs(10);
/// What is waited before it is read, or the channel listened to, again after trouble.
const PAUSE: Duration = Duration::from_secs(1);

/// What belongs to a database that others use, too.
pub(super) struct Shared {
    watchers: DatabaseConnection,
    clock: Arc<Clock>,
    process: Arc<Process>,
    supervisor: Supervisor,
    stop: CancellationToken,
    task: std::sync::Mutex<Vec<JoinHandle<Option<()>>>>,
}

/// This process among those that use the database.
struct Process {
    number: i32,
    /// Whether the lock with that number is held.
    is_shown: AtomicBool,
}

/// The process is shown for as long as this lives: the lock ends with its connection, however that ends.
struct Shown<'a>(&'a Process);

impl<'a> Shown<'a> {
    fn from_now(process: &'a Process) -> Self {
        process.is_shown.store(true, Ordering::Release);
        Self(process)
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.0.is_shown.store(false, Ordering::Release);
    }
}

/// When the last reading began.
struct Clock {
    started: Instant,
    read_ms: AtomicU64,
}

impl Clock {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Shared {
    /// Reads once and then follows.
    pub(super) async fn start(
        server: &Server,
        catalog: Arc<Catalog>,
        identities: Arc<Generation>,
        order: Arc<Mutex<()>>,
    ) -> Result<Self, OpenError> {
        let watchers = server.watchers().await?;
        let clock = Arc::new(Clock { started: Instant::now(), read_ms: AtomicU64::new(0) });
        let (said, hears) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let mut follower =
            Follower { watchers: watchers.clone(), clock: clock.clone(), catalog, identities, order, seen: None };
        follower.read().await.map_err(OpenError::Unreadable)?;
        let process = Arc::new(Process { number: server.number(), is_shown: AtomicBool::new(false) });
        let (server, shown) = (server.clone(), process.clone());
        let listening = move || listen(server.clone(), said.clone(), shown.clone());
        let follower = Arc::new(Mutex::new((follower, hears)));
        let following = move || {
            let follower = follower.clone();
            async move {
                let (follower, hears) = &mut *follower.lock().await;
                follower.follow(hears).await;
            }
        };
        let supervisor = Supervisor::default();
        let listening = supervisor.clone().keep("listening", stop.clone(), listening);
        let following = supervisor.clone().keep("following", stop.clone(), following);
        let task = vec![
            tokio::spawn(stop.clone().run_until_cancelled_owned(listening)),
            tokio::spawn(stop.clone().run_until_cancelled_owned(following)),
        ];
        Ok(Self { watchers, clock, process, supervisor, stop, task: std::sync::Mutex::new(task) })
    }

    /// Whether the last reading is too old.
    pub(super) fn is_behind(&self) -> bool {
        let age = self.clock.now_ms().saturating_sub(self.clock.read_ms.load(Ordering::Acquire));
        Duration::from_millis(age) > TRUSTED
    }

    /// The number by which others can find out whether this process lives; `None` while they cannot.
    pub(super) fn process(&self) -> Option<i32> {
        self.process.is_shown.load(Ordering::Acquire).then_some(self.process.number)
    }

    /// By whom what happens here is begun anew.
    pub(super) fn supervisor(&self) -> Supervisor {
        self.supervisor.clone()
    }

    /// Connections that are not part of the readers' pool.
    pub(super) fn connections(&self) -> &DatabaseConnection {
        &self.watchers
    }

    /// Follows no more.
    pub(super) async fn end(&self) {
        self.stop.cancel();
        let tasks = std::mem::take(&mut *self.task.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::warn!(%error, "following other servers ended abnormally");
            }
        }
        if let Err(error) = self.watchers.close_by_ref().await {
            tracing::warn!(%error, "the database's watchers did not close");
        }
    }
}

/// Listens for ever; each message of another server, and each new beginning, asks for a reading.
async fn listen(server: Server, said: mpsc::Sender<()>, process: Arc<Process>) {
    loop {
        match listener(&server).await {
            Ok(mut listener) => {
                if let Err(error) = hear(&mut listener, server.node(), &said, &process).await {
                    tracing::warn!(%error, "the changes of other servers are not heard of; they are read regularly");
                }
            }
            Err(error) => tracing::warn!(%error, "the changes of other servers cannot be listened to"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listener(server: &Server) -> Result<PgListener, Box<dyn std::error::Error + Send + Sync>> {
    let own = server.listener().await?;
    Ok(PgListener::connect_with(own.get_postgres_connection_pool()).await?)
}

/// Until the connection breaks: one that is made anew by itself would not hold the lock.
async fn hear(
    listener: &mut PgListener,
    own: &str,
    said: &mpsc::Sender<()>,
    process: &Process,
) -> Result<(), sea_orm::sqlx::Error> {
    let begun = async {
        listener.listen(CHANNEL).await?;
        // Shared, so that two with one number would not wait for each other.
        let lock = sea_orm::sqlx::query("SELECT pg_advisory_lock_shared($1, $2)").bind(PROCESSES).bind(process.number);
        lock.execute(&mut *listener).await
    };
    tokio::time::timeout(BEGINNING, begun).await.map_err(|_| silent())??;
    let _shown = Shown::from_now(process);
    // What was said before this connection was there.
    let _one_waits_already = said.try_send(());
    loop {
        // One that waits already stands for all: what was said before it is read will be read.
        match tokio::time::timeout(QUIET, listener.try_recv()).await {
            Ok(Ok(Some(message))) if message.payload() == own => {}
            Ok(Ok(Some(_))) => drop(said.try_send(())),
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(error)) => return Err(error),
            // Quiet, or dead: nobody tells whoever only listens.
            Err(_) => {
                let asked = sea_orm::sqlx::query("SELECT 1").execute(&mut *listener);
                tokio::time::timeout(READING, asked).await.map_err(|_| silent())??;
            }
        }
    }
}

fn silent() -> sea_orm::sqlx::Error {
    sea_orm::sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the database does not answer"))
}

struct Follower {
    watchers: DatabaseConnection,
    clock: Arc<Clock>,
    catalog: Arc<Catalog>,
    identities: Arc<Generation>,
    order: Arc<Mutex<()>>,
    /// The number of the identities that was read last.
    seen: Option<i64>,
}

#[derive(FromQueryResult)]
struct NumberRow {
    identity_generation: i64,
}

impl Follower {
    async fn follow(&mut self, hears: &mut mpsc::Receiver<()>) {
        let mut pause = PERIOD;
        loop {
            tokio::select! {
                _ = hears.recv() => {}
                () = tokio::time::sleep(pause) => {}
            }
            let read = tokio::time::timeout(READING, self.read()).await;
            pause = PERIOD;
            if let Err(error) = read.unwrap_or(Err(StoreError::Busy)) {
                tracing::warn!(%error, "the changes of other servers cannot be read");
                pause = PAUSE;
            }
        }
    }

    async fn read(&mut self) -> Result<(), StoreError> {
        let order = self.order.lock().await;
        let began = self.clock.now_ms();
        let snapshot = self.watchers.begin().await.map_err(failed)?;
        let all = repositories::load(&snapshot).await?;
        let number: Option<NumberRow> = one(&snapshot, "SELECT identity_generation FROM instance", []).await?;
        end(snapshot).await?;
        self.catalog.replace(all);
        drop(order);
        let number = number.map(|row| row.identity_generation);
        if self.seen != number {
            self.seen = number;
            self.identities.raise();
        }
        self.clock.read_ms.store(began, Ordering::Release);
        Ok(())
    }
}
