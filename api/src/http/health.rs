//! Probes. `/livez`: "do not restart me" asks no database and no disk. `/readyz`: "send me traffic" asks
//! the database, at most once in two seconds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use keeper_core::pipeline::Keeper;
use poem::Response;
use tokio::sync::Mutex;

/// How long the answer of the database is believed.
const DATABASE_CHECK: Duration = Duration::from_secs(2);

/// Says whether the task that commits is alive.
pub type WriterAlive = Box<dyn Fn() -> bool + Send + Sync>;

/// The state of the probes.
pub struct Health {
    draining: AtomicBool,
    writer_alive: WriterAlive,
    database: Mutex<Option<(Instant, bool)>>,
}

impl Health {
    /// Probes over a writer.
    #[must_use]
    pub fn new(writer_alive: WriterAlive) -> Self {
        Self { draining: AtomicBool::new(false), writer_alive, database: Mutex::new(None) }
    }

    /// From now on the server is not ready: it is stopping.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(super) fn live(&self) -> Response {
        let alive = (self.writer_alive)();
        answer(alive, &format!("{{\"writer\":\"{}\"}}\n", word(alive)))
    }

    pub(super) async fn ready(&self, keeper: &Keeper) -> Response {
        let draining = self.draining.load(Ordering::Relaxed);
        let database = self.database_answers(keeper).await;
        let body = format!(
            "{{\"database\":\"{}\",\"draining\":{draining},\"writes\":\"{}\"}}\n",
            word(database),
            if (self.writer_alive)() { "on" } else { "off" }
        );
        answer(database && !draining, &body)
    }

    async fn database_answers(&self, keeper: &Keeper) -> bool {
        let mut last = self.database.lock().await;
        if let Some((at, answered)) = *last
            && at.elapsed() < DATABASE_CHECK
        {
            return answered;
        }
        let answered = match keeper.ping().await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "the database does not answer");
                false
            }
        };
        *last = Some((Instant::now(), answered));
        answered
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
