//! The one task that writes: commands in groups, each group one transaction.
//!
//! A synchronised COMMIT costs milliseconds on a real disk, whether it holds one change or two hundred. So
//! the writer takes all commands that wait at that moment, runs each inside its own SAVEPOINT of one `BEGIN
//! IMMEDIATE` transaction, commits once, and only then answers. A command that fails goes back to its
//! SAVEPOINT and does not touch the others; a group whose COMMIT fails is told so, all of it, even those
//! whose own answer was a refusal, for they may have seen what their neighbours did not get to keep.
//!
//! A command lives here and not in its caller: a caller that goes away changes nothing. Here is the door; what goes
//! through it is in `command`, the task behind it in `task`.
//!
//! Bounds: [`QUEUE_COMMANDS`] wait at most, one more is [`StoreError::Busy`]; so is one more behind others while those
//! wait longer than [`SLUGGISH`], and one whose turn comes later than [`WAIT`].

mod command;
mod task;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use keeper_core::artifact::StoreError;
use sea_orm::{DatabaseConnection, DatabaseTransaction};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::command::{Queued, Waiting};
use self::task::Task;
use super::place::Place;
use super::soundness::Soundness;

/// Commands that wait for the writer. At a hundred groups a second this is far less than the 2 s after which
/// an answer is worth nothing.
const QUEUE_COMMANDS: usize = 1_024;

/// Whoever waited longer is told so when his turn comes: the answer is worth nothing to him any more, and his work is what
/// others wait for. Longer than one group can take.
const WAIT: Duration = Duration::from_secs(30);
/// When those who had their turn last waited longer, and others still wait, nobody is taken besides.
const SLUGGISH: Duration = Duration::from_secs(2);

/// Says why nothing may be written at the moment, if so.
pub type Gate = Box<dyn Fn() -> Result<(), StoreError> + Send + Sync>;

/// The door to the writer task.
pub(super) struct Writer {
    gate: OnceLock<Gate>,
    soundness: Arc<Soundness>,
    queue: mpsc::Sender<Queued>,
    pulse: Arc<Pulse>,
    closing: CancellationToken,
    died: CancellationToken,
    task: Mutex<Option<JoinHandle<Task>>>,
}

impl Writer {
    /// Starts the task on a connection of that place, or on one that it makes when it is needed. `order` is held from
    /// each COMMIT to the end of what follows it, so that whoever else changes memory after the database can do it in
    /// its order.
    pub(super) fn start(
        place: Place,
        connection: Option<DatabaseConnection>,
        order: Arc<Mutex<()>>,
        soundness: Arc<Soundness>,
    ) -> Self {
        let (queue, commands) = mpsc::channel(QUEUE_COMMANDS);
        let (pulse, closing) = (Arc::new(Pulse::new()), CancellationToken::new());
        let shared =
            task::Shared { order, pulse: pulse.clone(), closing: closing.clone(), soundness: soundness.clone() };
        let task = Task::new(place, connection, commands, shared);
        let died = CancellationToken::new();
        let dies = died.clone().drop_guard();
        let task = tokio::spawn(async move {
            let task = task.run().await;
            dies.disarm();
            task
        });
        Self { gate: OnceLock::new(), soundness, queue, pulse, closing, died, task: Mutex::new(Some(task)) }
    }

    /// From now on this gate is asked before anything is taken. There is one; a second is not looked at.
    pub(super) fn guard(&self, gate: Gate) {
        drop(self.gate.set(gate));
    }

    /// Runs `work` in a transaction and answers when it is durable. `then` runs between the COMMIT and the
    /// answer, on the writer's task and in the order of the commands: memory that follows the database is
    /// changed there.
    pub(super) async fn submit<T, W, C>(&self, work: W, then: C) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: for<'t> FnOnce(&'t DatabaseTransaction) -> BoxFuture<'t, Result<T, StoreError>> + Send + 'static,
        C: FnOnce(&T) + Send + 'static,
    {
        self.queue(work, then, None).await
    }

    /// The same for work that can be run a second time: after a connection that broke before the COMMIT it is, and
    /// the caller notices nothing.
    pub(super) async fn submit_again<T, W, C>(&self, work: W, then: C) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: for<'t> FnOnce(&'t DatabaseTransaction) -> BoxFuture<'t, Result<T, StoreError>> + Clone + Send + 'static,
        C: FnOnce(&T) + Send + 'static,
    {
        self.queue(work, then, Some(W::clone)).await
    }

    async fn queue<T, W, C>(&self, work: W, then: C, again: Option<fn(&W) -> W>) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: for<'t> FnOnce(&'t DatabaseTransaction) -> BoxFuture<'t, Result<T, StoreError>> + Send + 'static,
        C: FnOnce(&T) + Send + 'static,
    {
        if let Some(gate) = self.gate.get() {
            gate()?;
        }
        self.soundness.refuse_changes()?;
        if self.waiting() > 0 && self.pulse.last_wait() > SLUGGISH {
            return Err(StoreError::Busy);
        }
        let (reply, answer) = oneshot::channel();
        let command = Box::new(Waiting::new(work, again, then, reply));
        self.queue.try_send(Queued { command, since: Instant::now() }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Unavailable("the database is closed".into()),
        })?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the writer ended".into())))
    }

    /// Waits until the task is gone without having been told to end. What it left in the middle of a change nobody knows.
    pub(super) async fn died(&self) {
        self.died.cancelled().await;
    }

    /// Time since the writer last showed that it lives.
    pub(super) fn silence(&self) -> Duration {
        self.pulse.silence()
    }

    /// Commands that wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Takes no more commands and waits until those taken are answered. What is left is to be
    /// [finished](Task::finish) when the readers are closed; a repeat leaves nothing.
    pub(super) async fn drain(&self) -> Option<Task> {
        self.closing.cancel();
        let task = self.task.lock().await.take()?;
        task.await.inspect_err(|error| tracing::error!(%error, "the database's writer ended abnormally")).ok()
    }
}

/// When the writer last showed that it lives.
struct Pulse {
    started: Instant,
    beat_ms: AtomicU64,
    /// How long the one that waited longest of the last group did.
    last_wait_ms: AtomicU64,
}

impl Pulse {
    fn new() -> Self {
        Self { started: Instant::now(), beat_ms: AtomicU64::new(0), last_wait_ms: AtomicU64::new(0) }
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn beat(&self) {
        self.beat_ms.store(self.elapsed_ms(), Ordering::Relaxed);
    }

    fn waited(&self, time: Duration) {
        self.last_wait_ms.store(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn last_wait(&self) -> Duration {
        Duration::from_millis(self.last_wait_ms.load(Ordering::Relaxed))
    }

    fn silence(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms().saturating_sub(self.beat_ms.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests;
