//! The task that writes: takes groups, runs them, finds out what became of them, and keeps the connection.
//!
//! After a lost group the connection is replaced: SQLite may have rolled back by itself, and then the
//! driver's count of open transactions is wrong for good.
//!
//! On a database behind a network, a connection may break at any moment. A group that was certainly not kept is run
//! again when the fault is one that passes, as far as its commands can be (`Writer::submit_again`); the fate of a
//! COMMIT that nobody answered is asked for before anybody is told anything.
//!
//! Bounds: [`GROUP_COMMANDS`] are one group; [`TRIES`], [`GROUP_TIME`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use keeper_core::artifact::StoreError;
use metrics::{Counter, Histogram, counter, histogram};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr, TransactionTrait};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc};
use tokio_util::sync::CancellationToken;

use super::command::{Command, Lost, Queued, Ran};
use super::{Pulse, WAIT};
use crate::store::place::postgres::leaves_in_doubt;
use crate::store::place::{Fate, Place, Ticket, Turn};
use crate::store::soundness::Soundness;

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
/// The write-ahead log is folded into the file this often, whether anything waits or not.
const CHECKPOINT: Duration = Duration::from_secs(5 * 60);
/// The same of a log that has become long, and of one that is so long that nothing is written any more.
const LONG_CHECKPOINT: Duration = Duration::from_secs(30);
const FULL_CHECKPOINT: Duration = Duration::from_secs(1);

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

/// The writer itself.
pub(in crate::store) struct Task {
    place: Place,
    connection: Option<DatabaseConnection>,
    order: Arc<Mutex<()>>,
    commands: mpsc::Receiver<Queued>,
    figures: Figures,
    pulse: Arc<Pulse>,
    closing: CancellationToken,
    soundness: Arc<Soundness>,
    checkpointed: Instant,
    changed: bool,
}

/// What the task shares with others.
pub(super) struct Shared {
    pub(super) order: Arc<Mutex<()>>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) closing: CancellationToken,
    pub(super) soundness: Arc<Soundness>,
}

impl Task {
    /// The task on a connection of that place, for the commands of this queue.
    pub(super) fn new(
        place: Place,
        connection: Option<DatabaseConnection>,
        commands: mpsc::Receiver<Queued>,
        shared: Shared,
    ) -> Self {
        let Shared { order, pulse, closing, soundness } = shared;
        let (checkpointed, figures) = (Instant::now(), Figures::new());
        Self { place, connection, order, commands, figures, pulse, closing, soundness, checkpointed, changed: false }
    }

    /// Folds the log into the file and closes the connection. Readers are closed before: they would keep the
    /// log from being emptied.
    pub(in crate::store) async fn finish(mut self) {
        self.checkpoint().await;
        self.disconnect().await;
    }

    /// Until the door is closed and nothing waits.
    pub(super) async fn run(mut self) -> Self {
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
                () = tokio::time::sleep(if self.soundness.is_log_full() { FULL_CHECKPOINT } else { BEAT }) => {
                    self.rest().await;
                }
            }
        }
    }

    /// One group: the command that came, and all that wait behind it.
    async fn serve(&mut self, first: Queued) {
        let began = Instant::now();
        // The first has waited longest.
        self.pulse.waited(began.saturating_duration_since(first.since));
        let mut group: Vec<_> = self.in_time(first, began).into_iter().collect();
        self.gather(&mut group);
        if group.is_empty() {
            return;
        }
        let outcome = self.settle(&mut group).await;
        self.figures.group.record(group.len() as f64);
        self.figures.transaction.record(began.elapsed());
        self.changed = true;
        if let Err(lost) = &outcome {
            let error = lost.to_error();
            self.figures.lost.increment(1);
            tracing::error!(%error, commands = group.len(), "the database lost a group of changes");
            self.soundness.look_behind(&error);
        }
        group.iter().filter_map(|command| command.refusal()).for_each(|error| self.soundness.look_behind(error));
        keeper_core::failpoint!("F10");
        for command in group {
            command.answer(outcome.as_ref().map(|_order| ()));
        }
        drop(outcome);
        self.rest().await;
    }

    /// Takes all that wait into the group, as far as there is room.
    fn gather(&mut self, group: &mut Vec<Box<dyn Command>>) {
        let now = Instant::now();
        while group.len() < GROUP_COMMANDS
            && let Ok(queued) = self.commands.try_recv()
        {
            group.extend(self.in_time(queued, now));
        }
    }

    /// The command, if somebody still waits for it; else it is told that it was too late.
    fn in_time(&self, queued: Queued, now: Instant) -> Option<Box<dyn Command>> {
        let waited = now.saturating_duration_since(queued.since);
        self.figures.wait.record(waited);
        if waited <= WAIT {
            return Some(queued.command);
        }
        tracing::warn!(?waited, "a change waited too long for its turn and is not made");
        queued.command.refuse(StoreError::Busy);
        None
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
    async fn attempt(&mut self, group: &mut Vec<Box<dyn Command>>) -> Result<OwnedMutexGuard<()>, Lost> {
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
        group: &mut Vec<Box<dyn Command>>,
        committing: &mut Option<Ticket>,
    ) -> Result<OwnedMutexGuard<()>, Lost> {
        let connection = self.connection().await?;
        let Turn { transaction, ticket } = self.place.begin(&connection).await?;
        // While others had the turn, more may have come.
        self.gather(group);
        let keep = self.place.is_shared();
        if let ([only], None) = (&mut **group, &ticket) {
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

    /// Folds the log when it is time, which is also under steady work: behind readers that come and go it would never be
    /// short again otherwise.
    async fn rest(&mut self) {
        let is_long = self.soundness.note_log(self.place.log_bytes());
        let due = match (self.soundness.is_log_full(), is_long) {
            (true, _) => FULL_CHECKPOINT,
            (_, true) => LONG_CHECKPOINT,
            _ => CHECKPOINT,
        };
        if self.changed && self.checkpointed.elapsed() >= due && !self.soundness.is_damaged() {
            self.checkpoint().await;
            self.soundness.note_log(self.place.log_bytes());
        }
    }

    async fn checkpoint(&mut self) {
        self.checkpointed = Instant::now();
        let Some(connection) = &self.connection else {
            return;
        };
        match self.place.tidy(connection).await {
            // Behind a reader that stays, a part of it is left.
            Ok(()) => self.changed = self.place.log_bytes() > 0,
            Err(error) => tracing::warn!(%error, "the database's log could not be folded into the file"),
        }
    }
}
