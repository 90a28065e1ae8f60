//! Values that somebody else keeps, read when they are asked for.
//!
//! *Bounds*: at most one reading at a time, and none within [`FRESH`] of the last: asking often costs nothing. The
//! tokens are counted once in [`TOKENS_FRESH`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use metrics::gauge;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::process;
use crate::http::Admission;
use crate::server::TlsAcceptorHandle;
use crate::store::Store;

const FRESH: Duration = Duration::from_secs(1);
const TOKENS_FRESH: Duration = Duration::from_secs(60);

/// How far ahead ends of tokens are counted, in days, with the label that says it.
const AHEAD: [(i64, &str); 3] = [(1, "1d"), (7, "7d"), (14, "14d")];

/// Whom to ask.
pub struct Sources {
    /// The database.
    pub store: Arc<Store>,
    /// Uploads under way.
    pub admission: Arc<Admission>,
    /// The certificate, where there is one.
    pub tls: Option<TlsAcceptorHandle>,
    /// The folder whose disk matters.
    pub data: PathBuf,
}

/// Reads values into gauges.
pub struct Samples {
    sources: Sources,
    read: Mutex<Read>,
}

#[derive(Default)]
struct Read {
    at: Option<Instant>,
    tokens_at: Option<Instant>,
}

impl Samples {
    /// Reads from these.
    #[must_use]
    pub fn new(sources: Sources) -> Self {
        gauge!("keeper_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Self { sources, read: Mutex::default() }
    }

    /// Brings the gauges up to date.
    pub async fn take(&self) {
        let mut read = self.read.lock().await;
        let stale = |at: Option<Instant>, fresh: Duration| at.is_none_or(|at| at.elapsed() >= fresh);
        if !stale(read.at, FRESH) {
            return;
        }
        self.queues();
        self.certificate();
        let data = self.sources.data.clone();
        // The disk may be slow to answer, and so may the files of the process.
        let system = tokio::task::spawn_blocking(move || {
            disk(&data);
            process::sample();
        });
        if let Err(error) = system.await {
            tracing::error!(%error, "the figures of the system could not be read");
        }
        if stale(read.tokens_at, TOKENS_FRESH) {
            self.tokens().await;
            read.tokens_at = Some(Instant::now());
        }
        read.at = Some(Instant::now());
    }

    fn queues(&self) {
        let Sources { store, admission, .. } = &self.sources;
        gauge!("keeper_writer_queue_commands").set(store.changes_waiting() as f64);
        gauge!("keeper_database_log_bytes").set(store.log_bytes() as f64);
        let (readers, idle) = store.readers();
        gauge!("keeper_database_readers", "state" => "idle").set(idle as f64);
        gauge!("keeper_database_readers", "state" => "busy").set(f64::from(readers) - idle as f64);
        let (running, waiting) = admission.under_way();
        gauge!("keeper_uploads", "state" => "running").set(running as f64);
        gauge!("keeper_uploads", "state" => "waiting").set(waiting as f64);
    }

    fn certificate(&self) {
        if let Some(tls) = &self.sources.tls {
            let left = tls.ends_at() - Timestamp::now().as_second();
            gauge!("keeper_tls_certificate_expiry_seconds").set(left as f64);
            gauge!("keeper_tls_reload_failures").set(tls.reload_failures() as f64);
        }
    }

    async fn tokens(&self) {
        let now = Timestamp::now();
        for (days, within) in AHEAD {
            let end = now + SignedDuration::from_hours(24 * days);
            match self.sources.store.tokens_ending(now, end).await {
                Ok(count) => gauge!("keeper_tokens_expiring", "within" => within).set(count as f64),
                Err(error) => tracing::error!(%error, "the tokens that end soon could not be counted"),
            }
        }
    }
}

fn disk(folder: &Path) {
    match rustix::fs::statvfs(folder) {
        Ok(facts) => {
            gauge!("keeper_disk_free_bytes").set((facts.f_bavail * facts.f_frsize) as f64);
            gauge!("keeper_disk_size_bytes").set((facts.f_blocks * facts.f_frsize) as f64);
        }
        Err(error) => tracing::error!(%error, "the disk of the data folder cannot be asked"),
    }
}
