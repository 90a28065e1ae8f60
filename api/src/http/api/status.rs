//! `/api/status`: the server itself.

use std::sync::Arc;

use keeper_core::error::Failure;
use keeper_core::jobs::JobRecord;
use keeper_core::scrubber::BrokenBlob;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::Group;
use super::caller::Caller;
use super::upstreams::SourceView;
use super::views::time;
use crate::http::{App, Refused};
use crate::status::Snapshot;

pub(super) struct Status;

/// The server and what it holds.
#[derive(Object)]
struct StatusView {
    /// Its version.
    version: String,
    /// When it started.
    started_at: String,
    /// How long ago, in seconds.
    uptime_s: u64,
    /// The database.
    database: DatabaseView,
    /// Where files are stored.
    storage: StorageView,
    /// Totals of all repositories; deleted versions do not count.
    counts: TotalsView,
    /// How the upstreams of remote repositories fare.
    upstreams: Vec<RemoteView>,
    /// Stored files that are known to be damaged or missing.
    damaged: DamagedView,
    /// Background work that has ever run, by name.
    jobs: Vec<JobView>,
}

/// The database.
#[derive(Object)]
struct DatabaseView {
    /// `sqlite` or `postgres`.
    kind: String,
    /// Bytes of its file, or of all its tables.
    bytes: u64,
    /// Bytes of the write-ahead log beside its file; 0 for `postgres`.
    log_bytes: u64,
}

/// Where files are stored.
#[derive(Object)]
struct StorageView {
    /// `disk` or `s3`.
    kind: String,
    /// Bytes that can still be stored on the disk; with `s3`, where files are received.
    #[oai(skip_serializing_if_is_none)]
    free_bytes: Option<u64>,
    /// Bytes of the whole disk.
    #[oai(skip_serializing_if_is_none)]
    total_bytes: Option<u64>,
}

/// Totals of all repositories.
#[derive(Object)]
struct TotalsView {
    /// Repositories.
    repositories: u64,
    /// Packages with at least one version, in each repository.
    packages: u64,
    /// Versions.
    artifacts: u64,
    /// Bytes of their files; equal files are stored once and count each time.
    bytes: u64,
}

/// The upstream of a remote repository.
#[derive(Object)]
struct RemoteView {
    /// The repository: `go/upstream`.
    repository: String,
    /// Its sources, in the order in which they are asked.
    sources: Vec<SourceView>,
}

/// Stored files that are damaged or missing, as far as they were read again. Their versions answer 500.
#[derive(Object)]
struct DamagedView {
    /// How many.
    count: u64,
    /// Those that were found first, 20 at most.
    first: Vec<DamagedFileView>,
}

/// A stored file that is damaged or missing.
#[derive(Object)]
struct DamagedFileView {
    /// Its SHA-256: that of a file of at least one version.
    sha256: String,
    /// `blob_corrupt` or `blob_missing`.
    code: String,
    /// What is wrong.
    detail: String,
    /// When that was found.
    found_at: String,
}

/// A background job.
#[derive(Object)]
struct JobView {
    /// Its name: `gc`, `last_use`, `repository_removal`, `retention`, `scrub`; `backup` and `verify` for the last run of
    /// these commands.
    name: String,
    /// Whether it is running.
    running: bool,
    /// When its last run began.
    #[oai(skip_serializing_if_is_none)]
    began_at: Option<String>,
    /// When its last run ended.
    #[oai(skip_serializing_if_is_none)]
    ended_at: Option<String>,
    /// Whether that one failed.
    failed: bool,
    /// What it did, or why it failed.
    outcome: String,
}

#[OpenApi(tag = "Group::Instance")]
impl Status {
    /// Read the status of the server.
    ///
    /// For administrators of the instance. Costs the same however much is stored.
    #[oai(path = "/status", method = "get", operation_id = "get_status")]
    async fn read(&self, app: Data<&Arc<App>>, caller: Caller) -> Result<Json<StatusView>, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        let ports = app.keeper.ports();
        let upstreams = ports.repositories.list().await.map_err(Failure::from)?.into_iter().filter_map(|repository| {
            let health = ports.upstreams.health(repository.id, repository.source.remote()?);
            let sources = health.into_iter().map(SourceView::of).collect();
            Some(RemoteView { repository: repository.address.to_string(), sources })
        });
        let upstreams = upstreams.collect();
        Ok(Json(StatusView::of(app.status.now().await.map_err(Failure::from)?, upstreams)))
    }
}

impl StatusView {
    fn of(now: Snapshot, upstreams: Vec<RemoteView>) -> Self {
        let counts = now.store.counts;
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: time(now.began_at),
            uptime_s: now.uptime.as_secs(),
            database: DatabaseView {
                kind: now.kinds.database.to_owned(),
                bytes: now.store.bytes,
                log_bytes: now.log_bytes,
            },
            storage: StorageView {
                kind: now.kinds.storage.to_owned(),
                free_bytes: now.free_bytes,
                total_bytes: now.total_bytes,
            },
            counts: TotalsView {
                repositories: now.store.repositories,
                packages: counts.packages,
                artifacts: counts.artifacts,
                bytes: counts.bytes,
            },
            upstreams,
            damaged: DamagedView::of(now.damaged),
            jobs: now.jobs.into_iter().map(JobView::of).collect(),
        }
    }
}

impl DamagedView {
    fn of((count, first): (u64, Vec<BrokenBlob>)) -> Self {
        let first = first.into_iter().map(|broken| DamagedFileView {
            sha256: broken.blob.location.digest().to_hex(),
            code: broken.code,
            detail: broken.detail,
            found_at: time(broken.found_at),
        });
        Self { count, first: first.collect() }
    }
}

impl JobView {
    fn of(job: JobRecord) -> Self {
        Self {
            running: job.lease_until.is_some_and(|until| until > jiff::Timestamp::now()),
            began_at: job.began_at.map(time),
            ended_at: job.ended_at.map(time),
            name: job.name,
            failed: job.failed,
            outcome: job.outcome,
        }
    }
}
