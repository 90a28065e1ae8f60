//! What waits for the writer: a piece of work with an answer, and how it may end, alone and with its group.
//!
//! Errors of a lost group: [`StoreError::Full`] when the disk is, else [`StoreError::Unavailable`].

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use keeper_core::artifact::StoreError;
use sea_orm::{DatabaseTransaction, DbErr};
use tokio::sync::oneshot;

use crate::store::place::Ticket;
use crate::store::place::postgres::is_passing;
use crate::store::sql::{SQLITE_FULL, failed, sqlite_code, sqlstate};

/// A command that waits for its group.
pub(super) struct Queued {
    pub(super) command: Box<dyn Command>,
    pub(super) since: Instant,
}

/// What a command's work came to.
pub(super) enum Ran {
    /// Keep it.
    Well,
    /// Go back to its SAVEPOINT.
    Refused,
    /// The same, for lack of space; SQLite may have given up the whole transaction.
    Full,
}

/// Why a whole group was lost.
#[derive(Debug)]
pub(super) enum Lost {
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
    pub(super) fn to_error(&self) -> StoreError {
        match self {
            Self::Full => StoreError::Full,
            // The server was not ready in time; what it says else may stem from a neighbour's command.
            Self::Failed(error) if sqlstate(error).is_some_and(|state| state == "55P03") => failed(error.clone()),
            Self::Failed(error) | Self::Passing(error) => StoreError::Unavailable(Box::new(error.clone())),
            Self::Unanswered(_, error) | Self::Unknown(error) => StoreError::OutcomeUnknown(error.to_string()),
        }
    }
}

/// A command in the queue, its type of answer hidden.
#[async_trait]
pub(super) trait Command: Send {
    /// Does the work inside a SAVEPOINT and remembers its answer. `keep` is asked for when it may be run again.
    async fn run(&mut self, inside: &DatabaseTransaction, keep: bool) -> Ran;

    /// Whether it can be run again.
    fn is_repeatable(&self) -> bool;

    /// Tells the caller why it was not run.
    fn refuse(self: Box<Self>, why: StoreError);

    /// What its work came to, when that was a refusal.
    fn refusal(&self) -> Option<&StoreError>;

    /// Answers the caller, after the fate of the group is known.
    fn answer(self: Box<Self>, group: Result<(), &Lost>);
}

/// What the caller of a command waits for, and what follows it.
pub(super) struct Waiting<T, W, C> {
    work: Option<W>,
    again: Option<fn(&W) -> W>,
    result: Option<Result<T, StoreError>>,
    then: C,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W, C> Waiting<T, W, C> {
    /// A command that has not run. `again` makes work that can be run a second time.
    pub(super) fn new(
        work: W,
        again: Option<fn(&W) -> W>,
        then: C,
        reply: oneshot::Sender<Result<T, StoreError>>,
    ) -> Self {
        Self { work: Some(work), again, result: None, then, reply }
    }
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

    fn refuse(self: Box<Self>, why: StoreError) {
        drop(self.reply.send(Err(why)));
    }

    fn refusal(&self) -> Option<&StoreError> {
        self.result.as_ref()?.as_ref().err()
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
