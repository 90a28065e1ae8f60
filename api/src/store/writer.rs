//! The one task that writes: commands in groups, each group one transaction.
//!
//! A synchronised COMMIT costs milliseconds on a real disk, whether it holds one change or two hundred. So
//! the writer takes all commands that wait at that moment, runs each inside its own SAVEPOINT of one `BEGIN
//! IMMEDIATE` transaction, commits once, and only then answers. A command that fails goes back to its
//! SAVEPOINT and does not touch the others; a group whose COMMIT fails is told so, all of it, even those
//! whose own answer was a refusal, for they may have seen what their neighbours did not get to keep.
//!
//! A command lives here and not in its caller: a caller that goes away changes nothing.
//!
//! Bounds: [`QUEUE_COMMANDS`] wait at most, one more is [`StoreError::Busy`]; [`GROUP_COMMANDS`] are one
//! group. Errors of a lost group: [`StoreError::Full`] when the disk is, else [`StoreError::Unavailable`].
//!
//! After a lost group the connection is replaced: SQLite may have rolled back by itself, and then the
//! driver's count of open transactions is wrong for good.
//!
//! On a database behind a network, a connection may break at any moment. A group that was certainly not kept is run
//! again when the fault is one that passes, as far as its commands can be ([`Writer::submit_again`]); the fate of a
//! COMMIT that nobody answered is asked for before anybody is told anything. Bounds: [`TRIES`], [`GROUP_TIME`].

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use keeper_core::artifact::StoreError;
use metrics::{Counter, Histogram, counter, histogram};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr, TransactionTrait};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::place::postgres::{is_passing, leaves_in_doubt};
use super::place::{Fate, Place, Ticket, Turn};
use super::sql::{SQLITE_FULL, failed, sqlite_code, sqlstate};

/// Commands that wait for the writer. At a hundred groups a second this is far less than the 2 s after which
/// an answer is worth nothing.
const QUEUE_COMMANDS: usize = 1_024;
/// Commands of one transaction: enough to share the cost of a COMMIT, few enough to keep it short.
const GROUP_COMMANDS: usize = 256;
/// An idle writer shows that it lives this often.
const BEAT: Duration = Duration::from_secs(10);
/// How often a group is run before it is given up, and what is waited before each further time.
const TRIES: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];
/// How long a group may take where the network is between: a connection that answers nothing is given up then.
const GROUP_TIME: Duration = Duration::from_secs(20);
/// How long the end of a broken connection is waited for.
const FAREWELL: Duration = Duration::from_secs(1);
/// The write-ahead log is folded into the file this often, when nothing waits.
const CHECKPOINT: Duration = Duration::from_secs(5 * 60);

/// The door to the writer task.
pub(super) struct Writer {
    queue: mpsc::Sender<Queued>,
    pulse: Arc<Pulse>,
    closing: CancellationToken,
    task: Mutex<Option<JoinHandle<Task>>>,
}

impl Writer {
    /// Starts the task on a connection of that place. `order` is held from each COMMIT to the end of what follows it,
    /// so that whoever else changes memory after the database can do it in its order.
    pub(super) fn start(place: Place, connection: DatabaseConnection, order: Arc<Mutex<()>>) -> Self {
        let (queue, commands) = mpsc::channel(QUEUE_COMMANDS);
        let (pulse, closing) = (Arc::new(Pulse::new()), CancellationToken::new());
        let task = Task {
            place,
            connection: Some(connection),
            order,
            commands,
            figures: Figures::new(),
            pulse: pulse.clone(),
            closing: closing.clone(),
            checkpointed: Instant::now(),
            changed: false,
        };
        Self { queue, pulse, closing, task: Mutex::new(Some(tokio::spawn(task.run()))) }
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
        let (reply, answer) = oneshot::channel();
        let command = Waiting { work: Some(work), again, result: None, then, reply };
        self.queue.try_send(Queued { command: Box::new(command), since: Instant::now() }).map_err(
            |error| match error {
                mpsc::error::TrySendError::Full(_) => StoreError::Busy,
                mpsc::error::TrySendError::Closed(_) => StoreError::Unavailable("the database is closed".into()),
            },
        )?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the writer ended".into())))
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
}

impl Pulse {
    fn new() -> Self {
        Self { started: Instant::now(), beat_ms: AtomicU64::new(0) }
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn beat(&self) {
        self.beat_ms.store(self.elapsed_ms(), Ordering::Relaxed);
    }

    fn silence(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms().saturating_sub(self.beat_ms.load(Ordering::Relaxed)))
    }
}

/// A command that waits for its group.
struct Queued {
    command: Box<dyn Command>,
    since: Instant,
}

/// What is measured of the writer.
struct Figures {
    wait: Histogram,
    group: Histogram,
    transaction: Histogram,
    lost: Counter,
}

impl Figures {
    fn new() -> Self {
        Self {
            wait: histogram!("keeper_writer_wait_seconds"),
            group: histogram!("keeper_writer_group_commands"),
            transaction: histogram!("keeper_writer_transaction_seconds"),
            lost: counter!("keeper_writer_lost_groups_total"),
        }
    }
}

/// What a command's work came to.
enum Ran {
    /// Keep it.
    Well,
    /// Go back to its SAVEPOINT.
    Refused,
    /// The same, for lack of space; SQLite may have given up the whole transaction.
    Full,
}

/// Why a whole group was lost.
#[derive(Debug)]
enum Lost {
    Full,
    /// It was not kept.
    Failed(DbErr),
    /// It was not kept, for a reason that passes.
    Passing(DbErr),
    /// Its COMMIT was not answered.
    Unanswered(Ticket, DbErr),
    /// Whether it was kept cannot be found out.
    Unknown(DbErr),
}

impl From<DbErr> for Lost {
    fn from(error: DbErr) -> Self {
        if sqlite_code(&error) == Some(SQLITE_FULL) {
            Self::Full
        } else if is_passing(&error) {
            Self::Passing(error)
        } else {
            Self::Failed(error)
        }
    }
}

impl Lost {
    /// The same for each member of the group.
    fn to_error(&self) -> StoreError {
        match self {
            Self::Full => StoreError::Full,
            // The server was not ready in time; what it says else may stem from a neighbour's command.
            Self::Failed(error) if sqlstate(error).is_some_and(|state| state == "55P03") => failed(error.clone()),
            Self::Failed(error) | Self::Passing(error) => StoreError::Unavailable(Box::new(error.clone())),
            Self::Unanswered(_, error) | Self::Unknown(error) => {
                StoreError::Unavailable(format!("the outcome is unknown; send the same request again ({error})").into())
            }
        }
    }
}

/// A command in the queue, its type of answer hidden.
#[async_trait]
trait Command: Send {
    /// Does the work inside a SAVEPOINT and remembers its answer. `keep` is asked for when it may be run again.
    async fn run(&mut self, inside: &DatabaseTransaction, keep: bool) -> Ran;

    /// Whether it can be run again.
    fn is_repeatable(&self) -> bool;

    /// Answers the caller, after the fate of the group is known.
    fn answer(self: Box<Self>, group: Result<(), &Lost>);
}

struct Waiting<T, W, C> {
    work: Option<W>,
    again: Option<fn(&W) -> W>,
    result: Option<Result<T, StoreError>>,
    then: C,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

#[async_trait]
impl<T, W, C> Command for Waiting<T, W, C>
where
    T: Send + 'static,
    W: for<'t> FnOnce(&'t DatabaseTransaction) -> BoxFuture<'t, Result<T, StoreError>> + Send + 'static,
    C: FnOnce(&T) + Send + 'static,
{
    async fn run(&mut self, inside: &DatabaseTransaction, keep: bool) -> Ran {
        let Some(work) = self.work.take() else {
            return Ran::Refused;
        };
        if keep {
            self.work = self.again.map(|again| again(&work));
        }
        // A fault in one command must not end the task on which all writing depends.
        let result = AssertUnwindSafe(async { work(inside).await }).catch_unwind().await;
        let result = result.unwrap_or_else(|_| Err(StoreError::Unavailable("a database command panicked".into())));
        let ran = match &result {
            Ok(_) => Ran::Well,
            Err(StoreError::Full) => Ran::Full,
            Err(_) => Ran::Refused,
        };
        self.result = Some(result);
        ran
    }

    fn is_repeatable(&self) -> bool {
        self.work.is_some()
    }

    fn answer(self: Box<Self>, group: Result<(), &Lost>) {
        let Self { result, then, reply, .. } = *self;
        let answer = match (group, result) {
            (Err(lost), _) => Err(lost.to_error()),
            (Ok(()), Some(answer)) => answer,
            (Ok(()), None) => Err(StoreError::Unavailable("the command did not run".into())),
        };
        if let Ok(answer) = &answer {
            then(answer);
        }
        // A caller that went away does not wait for an answer.
        drop(reply.send(answer));
    }
}

/// The writer itself.
pub(super) struct Task {
    place: Place,
    connection: Option<DatabaseConnection>,
    order: Arc<Mutex<()>>,
    commands: mpsc::Receiver<Queued>,
    figures: Figures,
    pulse: Arc<Pulse>,
    closing: CancellationToken,
    checkpointed: Instant,
    changed: bool,
}

impl Task {
    /// Folds the log into the file and closes the connection. Readers are closed before: they would keep the
    /// log from being emptied.
    pub(super) async fn finish(mut self) {
        self.checkpoint().await;
        self.disconnect().await;
    }

    /// Until the door is closed and nothing waits.
    async fn run(mut self) -> Self {
        loop {
            self.pulse.beat();
            let closed = self.commands.is_closed();
            tokio::select! {
                biased;
                () = self.closing.cancelled(), if !closed => self.commands.close(),
                first = self.commands.recv() => match first {
                    Some(first) => self.serve(first).await,
                    None => return self,
                },
                () = tokio::time::sleep(BEAT) => self.rest().await,
            }
        }
    }

    /// One group: the command that came, and all that wait behind it.
    async fn serve(&mut self, first: Queued) {
        let began = Instant::now();
        let mut group = Vec::new();
        let mut next = Some(first);
        while let Some(Queued { command, since }) = next {
            self.figures.wait.record(began.saturating_duration_since(since));
            group.push(command);
            next = if group.len() < GROUP_COMMANDS { self.commands.try_recv().ok() } else { None };
        }
        self.figures.group.record(group.len() as f64);
        let outcome = self.settle(&mut group).await;
        self.figures.transaction.record(began.elapsed());
        self.changed = true;
        if let Err(lost) = &outcome {
            let error = lost.to_error();
            self.figures.lost.increment(1);
            tracing::error!(%error, commands = group.len(), "the database lost a group of changes");
        }
        for command in group {
            command.answer(outcome.as_ref().map(|_order| ()));
        }
    }

    /// Runs a group until its fate is known. Commands that cannot be run a second time leave it when it has to be.
    async fn settle(&mut self, group: &mut Vec<Box<dyn Command>>) -> Result<OwnedMutexGuard<()>, Lost> {
        let mut pauses = TRIES.into_iter();
        loop {
            let lost = match self.attempt(group).await {
                Ok(order) => return Ok(order),
                Err(lost) => lost,
            };
            self.disconnect().await;
            let lost = match lost {
                Lost::Unanswered(ticket, error) => match self.place.fate(&ticket).await {
                    Fate::Kept => return Ok(self.order.clone().lock_owned().await),
                    Fate::Undone => Lost::Passing(error),
                    Fate::Unknown => Lost::Unknown(error),
                },
                lost => lost,
            };
            let (Lost::Passing(error), true, Some(pause)) = (&lost, self.place.is_shared(), pauses.next()) else {
                return Err(lost);
            };
            for command in group.extract_if(.., |command| !command.is_repeatable()) {
                command.answer(Err(&lost));
            }
            if group.is_empty() {
                return Err(lost);
            }
            tracing::warn!(%error, commands = group.len(), "a group of changes was not kept and is tried again");
            self.pulse.beat();
            tokio::time::sleep(pause).await;
        }
    }

    /// Runs a group once, in bounded time where the network is between.
    async fn attempt(&mut self, group: &mut [Box<dyn Command>]) -> Result<OwnedMutexGuard<()>, Lost> {
        if !self.place.is_shared() {
            return self.commit(group, &mut None).await;
        }
        let mut committing = None;
        let silent = || DbErr::Custom(format!("the database did not answer for {GROUP_TIME:?}"));
        match tokio::time::timeout(GROUP_TIME, self.commit(group, &mut committing)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(match committing {
                Some(ticket) => Lost::Unanswered(ticket, silent()),
                None => Lost::Passing(silent()),
            }),
        }
    }

    /// Runs each command and commits. `committing` tells a caller who does not wait for the end how far it came.
    async fn commit(
        &mut self,
        group: &mut [Box<dyn Command>],
        committing: &mut Option<Ticket>,
    ) -> Result<OwnedMutexGuard<()>, Lost> {
        let connection = self.connection().await?;
        let Turn { transaction, ticket } = self.place.begin(&connection).await?;
        let keep = self.place.is_shared();
        if let ([only], None) = (&mut *group, &ticket) {
            return self.alone(only.as_mut(), transaction).await;
        }
        for command in group {
            self.pulse.beat();
            let savepoint = transaction.begin().await?;
            match command.run(&savepoint, keep).await {
                Ran::Well => savepoint.commit().await?,
                Ran::Refused => savepoint.rollback().await?,
                Ran::Full => savepoint.rollback().await.map_err(|_| Lost::Full)?,
            }
        }
        let order = self.order.clone().lock_owned().await;
        committing.clone_from(&ticket);
        transaction.commit().await.map_err(|error| match ticket {
            Some(ticket) if leaves_in_doubt(&error) => Lost::Unanswered(ticket, error),
            _ => error.into(),
        })?;
        Ok(order)
    }

    /// A group of one: the transaction itself is what its command goes back to.
    async fn alone(
        &self,
        command: &mut dyn Command,
        transaction: DatabaseTransaction,
    ) -> Result<OwnedMutexGuard<()>, Lost> {
        self.pulse.beat();
        let ran = command.run(&transaction, false).await;
        let order = self.order.clone().lock_owned().await;
        match ran {
            Ran::Well => transaction.commit().await?,
            Ran::Refused => transaction.rollback().await?,
            Ran::Full => transaction.rollback().await.map_err(|_| Lost::Full)?,
        }
        Ok(order)
    }

    /// The connection, made anew when the last one was given up.
    async fn connection(&mut self) -> Result<DatabaseConnection, Lost> {
        if let Some(connection) = &self.connection {
            return Ok(connection.clone());
        }
        let fresh = self.place.writer().await;
        let fresh = fresh.map_err(|error| Lost::Passing(DbErr::Custom(error.to_string())))?;
        Ok(self.connection.insert(fresh).clone())
    }

    /// Gives the connection up, and with it whatever transaction it may still hold.
    async fn disconnect(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        let closing = connection.close();
        let closed = if self.place.is_shared() {
            // Nobody may be at the other end.
            tokio::time::timeout(FAREWELL, closing).await.unwrap_or(Ok(()))
        } else {
            closing.await
        };
        if let Err(error) = closed {
            tracing::warn!(%error, "the database's writer did not close");
        }
    }

    async fn rest(&mut self) {
        if self.changed && self.checkpointed.elapsed() > CHECKPOINT {
            self.checkpoint().await;
        }
    }

    async fn checkpoint(&mut self) {
        self.checkpointed = Instant::now();
        let Some(connection) = &self.connection else {
            return;
        };
        match self.place.tidy(connection).await {
            Ok(()) => self.changed = false,
            Err(error) => tracing::warn!(%error, "the database's log could not be folded into the file"),
        }
    }
}

#[cfg(test)]
mod tests;
