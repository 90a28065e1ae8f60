//! Probes. `/livez`: "do not restart me" asks no database and no disk. `/readyz`: "send me traffic" asks the database, at
//! most once in two seconds, and the storage, at most once in ten.
//!
//! ```text
//! {"database":"ok","database_age_seconds":0,"storage":"ok","storage_age_seconds":4,"draining":false,
//!  "writes":"off","writes_off_because":"disk_full","writes_off_since":"2026-11-30T10:00:00Z",
//!  "background":"ok"}
//! ```
//!
//! A file of a database that is damaged is `"database":"failed"` with `"database_because":"damaged"`.
//!
//! `background` is `failed`, with the names under `background_panicked`, while a task that has panicked within an hour was
//! begun again; requests are served all the same.
//!
//! A server that can only be read from is ready all the same; who needs more asks `/readyz?writes=required`. One whose
//! data folder is gone is not: what it still has open may not be what it should serve.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use keeper_core::blob::{BlobInfo, BlobLocation};
use keeper_core::digest::Digest;
use keeper_core::pipeline::Keeper;
use poem::Response;
use serde_json::json;
use tokio::sync::Mutex;

use crate::blobs::guard::{Guard, Writes};
use crate::supervise::Supervisor;

/// How long the answer of the database is believed, and how long it may take.
const DATABASE_CHECK: Duration = Duration::from_secs(2);
const DATABASE_TIME: Duration = Duration::from_secs(3);
/// How long the answer of the storage is believed, and how long it may take.
const STORAGE_CHECK: Duration = Duration::from_secs(10);
const STORAGE_TIME: Duration = Duration::from_secs(5);

/// Says whether the task that commits is alive.
pub type WriterAlive = Box<dyn Fn() -> bool + Send + Sync>;

/// Says whether the database's file is damaged.
pub(crate) type Damaged = Box<dyn Fn() -> bool + Send + Sync>;

/// The state of the probes.
pub struct Health {
    draining: AtomicBool,
    writer_alive: WriterAlive,
    damaged: Damaged,
    guard: Arc<Guard>,
    supervisor: Supervisor,
    database: Check,
    storage: Check,
}

impl Health {
    /// Probes over a writer and what may be written.
    #[must_use]
    pub fn new(writer_alive: WriterAlive, damaged: Damaged, guard: Arc<Guard>, supervisor: Supervisor) -> Self {
        let (database, storage) = (Check::new(DATABASE_CHECK), Check::new(STORAGE_CHECK));
        Self { draining: AtomicBool::new(false), writer_alive, damaged, guard, supervisor, database, storage }
    }

    /// From now on the server is not ready: it is stopping.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the data folder is gone, so that nobody knows what is absent.
    pub(super) fn knows_nothing(&self) -> bool {
        self.guard.is_gone()
    }

    pub(super) fn live(&self) -> Response {
        let alive = (self.writer_alive)();
        answer(alive, &format!("{{\"writer\":\"{}\"}}\n", word(alive)))
    }

    pub(super) async fn ready(&self, keeper: &Keeper, needs_writes: bool) -> Response {
        let draining = self.draining.load(Ordering::Relaxed);
        let (answers, database_age) = self.database.ask(database_answers(keeper)).await;
        let damaged = (self.damaged)();
        let database = answers && !damaged;
        let (storage, storage_age) = self.storage.ask(storage_answers(keeper)).await;
        let (writes, since) = self.guard.asked();
        let off = match writes {
            _ if damaged || !(self.writer_alive)() => Some("database_unavailable"),
            Writes::On => None,
            Writes::Full { .. } | Writes::ReadOnly | Writes::Gone => writes.code(),
        };
        let mut body = json!({
            "database": word(database), "database_age_seconds": database_age,
            "storage": word(storage), "storage_age_seconds": storage_age,
            "draining": draining, "writes": if off.is_none() { "on" } else { "off" },
        });
        if let Some(code) = off {
            body["writes_off_because"] = code.into();
        }
        if off.is_some() && writes != Writes::On {
            body["writes_off_since"] = since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
        }
        if damaged {
            body["database_because"] = "damaged".into();
        }
        let panicked = self.supervisor.panicked();
        body["background"] = word(panicked.is_empty()).into();
        if !panicked.is_empty() {
            body["background_panicked"] = panicked.into();
        }
        let there = writes != Writes::Gone;
        let fine = database && storage && there && !draining && (off.is_none() || !needs_writes);
        answer(fine, &format!("{body}\n"))
    }
}

async fn database_answers(keeper: &Keeper) -> bool {
    match tokio::time::timeout(DATABASE_TIME, keeper.ping()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::error!(%error, "the database does not answer");
            false
        }
        Err(_) => {
            tracing::error!("the database did not answer in {DATABASE_TIME:?}");
            false
        }
    }
}

/// Asks for a blob that nobody has: that it is not there is an answer.
async fn storage_answers(keeper: &Keeper) -> bool {
    let nobodys = BlobLocation::try_from(format!("{}.aaaaaaaaaa", Digest::of(b"")).as_str());
    let Ok(location) = nobodys else { return false };
    let nobodys = BlobInfo { location, size: 0 };
    let asked = tokio::time::timeout(STORAGE_TIME, keeper.ports().blobs.is_intact(&nobodys)).await;
    match asked {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => {
            tracing::error!(%error, "the storage does not answer");
            false
        }
        Err(_) => {
            tracing::error!("the storage did not answer in {STORAGE_TIME:?}");
            false
        }
    }
}

/// An answer that is believed for a while.
struct Check {
    believed: Duration,
    last: Mutex<Option<(Instant, bool)>>,
}

impl Check {
    fn new(believed: Duration) -> Self {
        Self { believed, last: Mutex::default() }
    }

    /// The answer and its age in seconds.
    async fn ask(&self, question: impl Future<Output = bool>) -> (bool, u64) {
        let mut last = self.last.lock().await;
        if let Some((at, answered)) = *last
            && at.elapsed() < self.believed
        {
            return (answered, at.elapsed().as_secs());
        }
        let answered = question.await;
        *last = Some((Instant::now(), answered));
        (answered, 0)
    }
}

fn word(fine: bool) -> &'static str {
    if fine { "ok" } else { "failed" }
}

fn answer(fine: bool, body: &str) -> Response {
    let status = if fine { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .header(CACHE_CONTROL, "no-store")
        .body(body.to_owned())
}
