//! Taking over from elsewhere: versions of another server, of its disk or of a tool's cache, into a hosted repository.
//!
//! ```text
//! place ──▶ versions, one after the other ──▶ wanted? ──▶ staged, judged, compared ──▶ kept as they came
//!           a folder is walked, a server asked for lists       [`VERSIONS_AT_ONCE`]
//! ```
//!
//! The format knows how its versions lie at other places ([`Takeover`](keeper_core::format::Takeover)); everything else
//! happens here. A version that cannot be taken is told and passed over. Trouble of this side (a full disk, a database
//! that does not answer) ends the run, and the same order goes on where it was: what is here is compared and not taken
//! again. Memory does not grow with what is taken.
//!
//! Bounds: [`SUMS_BYTES`], [`VERSIONS_AT_ONCE`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use keeper_core::audit::{NewAuditRow, Outcome};
use keeper_core::error::{Class, Failure, codes};
use keeper_core::format::{ForeignVersion, FormatHandler};
use keeper_core::pipeline::{Arrival, Keeper, Taken, check_sums};
use keeper_core::repository::{Actor, FormatKey, InvalidName, Repository, RepositoryAddress, RepositoryName};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, mpsc};

use crate::admin_socket::{Lines, Reply};
use crate::config::Config;
use place::{Found, Place};
use tally::Tally;
use wanted::Wanted;

mod folder;
mod place;
mod server;
mod tally;
mod wanted;

pub use tally::{Imported, Progress};

/// Versions that are taken at once: enough to hide the way to a server, few enough for its manners.
const VERSIONS_AT_ONCE: usize = 4;
/// Bytes of all files of sums together.
const SUMS_BYTES: u64 = 64 * 1024 * 1024;
/// How often the progress is told.
const BEAT: Duration = Duration::from_secs(1);

/// What is to be taken over.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Order {
    /// The address of a server, or an absolute folder.
    pub from: String,
    /// The repository, `format/name`.
    pub to: String,
    /// Files in which users keep sums, absolute.
    pub sums: Vec<PathBuf>,
    /// Only packages of these patterns, if there are any.
    pub only: Vec<String>,
    /// Only these packages and versions, if there are any.
    pub named: Vec<String>,
    /// Only versions that are named, here or in a file of sums.
    pub named_only: bool,
    /// Networks and hosts that may be reached besides those of the configuration.
    pub allow: Vec<String>,
    /// Who asks the server.
    pub user: Option<String>,
    /// The file with the password of that user.
    pub password_file: Option<PathBuf>,
    /// Ask a server whether it still has what was taken from it before.
    pub check: bool,
    /// Judge everything and keep nothing.
    pub dry_run: bool,
}

/// What is told on the way.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum Told {
    /// How far it is.
    Progress(Progress),
    /// A version, or a part of the place, that was not taken.
    Refused {
        /// Which.
        what: String,
        /// The code of the reason.
        code: String,
        /// The reason.
        reason: String,
    },
    /// In a dry run: a version that would be taken.
    Would {
        /// Which.
        what: String,
    },
}

/// Hears of an import.
#[async_trait]
pub trait Report: Send + Sync {
    /// Hears of this; `false` when nobody listens any more.
    async fn tell(&self, told: Told) -> bool;
}

#[async_trait]
impl Report for Lines {
    async fn tell(&self, told: Told) -> bool {
        self.send(Reply::Import(told)).await
    }
}

/// Takes versions over, on behalf of whoever owns the data folder.
#[derive(Clone)]
pub struct Importer {
    keeper: Keeper,
    config: Arc<Config>,
}

impl Importer {
    /// Into the repositories of these services, over the network of this configuration.
    #[must_use]
    pub fn new(keeper: Keeper, config: Arc<Config>) -> Self {
        Self { keeper, config }
    }

    /// Does what is ordered.
    ///
    /// # Errors
    /// Why it was not begun, or where it ended; for the operator.
    pub async fn run(&self, order: &Order, report: &dyn Report) -> Result<Imported, String> {
        let run = self.prepared(order, report).await?;
        run.audit("import.begin", Outcome::Done, &order.from, serde_json::json!({ "from": order.from })).await?;
        let ended = run.ended().await;
        let imported = run.tally.imported();
        let _nobody_listens = report.tell(Told::Progress(run.tally.progress())).await;
        let mut detail = serde_json::to_value(&imported).unwrap_or_default();
        if let (Err(reason), Some(detail)) = (&ended, detail.as_object_mut()) {
            detail.insert("stopped".to_owned(), reason.as_str().into());
        }
        run.audit("import.end", Outcome::Done, &order.from, detail).await?;
        ended.map(|()| imported)
    }

    async fn prepared<'a>(&'a self, order: &Order, report: &'a dyn Report) -> Result<Run<'a>, String> {
        let to = address(&order.to)?;
        let (repository, handler) = self.keeper.takeover_target(&to).await.map_err(|failure| in_full(&failure))?;
        let wanted = Wanted::of(order, handler.clone())?;
        let place = Place::of(order, &self.config, &self.keeper, &repository).await?;
        if matches!(place, Place::Server(_)) && wanted.is_everything() {
            return Err(
                "a server cannot be asked for all that it has: name modules with --module or --go-sum".to_owned()
            );
        }
        Ok(Run { keeper: &self.keeper, repository, handler, wanted, place, tally: Tally::new(order.dry_run), report })
    }
}

/// One import.
struct Run<'a> {
    keeper: &'a Keeper,
    repository: Arc<Repository>,
    handler: Arc<dyn FormatHandler>,
    wanted: Wanted,
    place: Place,
    tally: Tally,
    report: &'a dyn Report,
}

impl Run<'_> {
    /// Works and tells of it, to the end.
    async fn ended(&self) -> Result<(), String> {
        let (mut work, mut beat) = (std::pin::pin!(self.worked()), tokio::time::interval(BEAT));
        loop {
            tokio::select! {
                ended = &mut work => return ended,
                _ = beat.tick() => {
                    if !self.report.tell(Told::Progress(self.tally.progress())).await {
                        return Err("nobody listens any more".to_owned());
                    }
                }
            }
        }
    }

    async fn worked(&self) -> Result<(), String> {
        let (sender, receiver) = mpsc::channel(VERSIONS_AT_ONCE);
        let receiver = Mutex::new(receiver);
        let workers = try_join_all([(); VERSIONS_AT_ONCE].map(|()| self.work(&receiver)));
        tokio::try_join!(self.find(sender), workers).map(drop)
    }

    async fn find(&self, to: mpsc::Sender<Found>) -> Result<(), String> {
        self.place.find(self.handler.clone(), &self.wanted, to).await.map_err(|failure| in_full(&failure))
    }

    async fn work(&self, found: &Mutex<mpsc::Receiver<Found>>) -> Result<(), String> {
        loop {
            let next = found.lock().await.recv().await;
            let Some(next) = next else { return Ok(()) };
            self.taken(next).await?;
        }
    }

    async fn taken(&self, found: Found) -> Result<(), String> {
        let version = match found {
            Found::Version(version) => version,
            Found::Trouble(what, failure) => return self.refused(&what, &failure).await,
        };
        if !self.wanted.has(&version.coordinate) {
            return Ok(());
        }
        let what = version.coordinate.to_string();
        self.tally.begin(&what);
        match self.version(version).await {
            Ok(Taken::There) => self.tally.there(),
            Ok(Taken::New) => {
                self.tally.taken();
                if self.tally.is_dry() && !self.report.tell(Told::Would { what }).await {
                    return Err("nobody listens any more".to_owned());
                }
            }
            Err(failure) if is_ours(&failure) => return Err(format!("{what}: {}", in_full(&failure))),
            Err(failure) => return self.refused(&what, &failure).await,
        }
        Ok(())
    }

    async fn version(&self, version: ForeignVersion) -> Result<Taken, Failure> {
        let began = Instant::now();
        let sums = self.wanted.sums(&version.coordinate);
        if sums.is_empty() {
            self.tally.without_sums();
        }
        let there = self.keeper.ports().artifacts.find(self.repository.id, &version.coordinate).await?;
        if let Some(there) = there.filter(|there| !there.files.is_empty())
            && self.place.is_unchanged(&version, &there).await?
        {
            return check_sums(&there.checksums, sums).map(|()| Taken::There);
        }
        let mut files = Vec::with_capacity(version.files.len());
        let mut came = Vec::new();
        for file in &version.files {
            let (staged, validators) = self.place.stage(file, &self.tally).await?;
            files.push((file.path.clone(), staged));
            came.extend(validators.map(|validators| (file, validators)));
        }
        let coordinate = version.coordinate.clone();
        let arrival = Arrival { coordinate, files, sums: sums.to_vec(), source: self.place.source(), began };
        let taken = self.keeper.take_over(&self.repository, arrival, self.tally.is_dry(), Actor::system()).await?;
        if !self.tally.is_dry() {
            for (file, validators) in came {
                self.place.remember(file, validators).await?;
            }
        }
        Ok(taken)
    }

    /// Tells of what is not taken, and writes down what contradicts what is here or what users have.
    async fn refused(&self, what: &str, failure: &Failure) -> Result<(), String> {
        self.tally.refused();
        let (code, reason) = (failure.code(), in_full(failure));
        if *code == codes::CHECKSUM_MISMATCH || *code == codes::VERSION_EXISTS {
            let detail = serde_json::json!({ "code": code.name, "reason": failure.first().detail });
            self.audit("import.refused", Outcome::Denied, what, detail).await?;
        }
        let told = Told::Refused { what: what.to_owned(), code: code.name.to_owned(), reason };
        let heard = self.report.tell(told).await;
        heard.then_some(()).ok_or_else(|| "nobody listens any more".to_owned())
    }

    async fn audit(&self, action: &str, outcome: Outcome, what: &str, detail: serde_json::Value) -> Result<(), String> {
        if self.tally.is_dry() {
            return Ok(());
        }
        let row = NewAuditRow {
            at: Timestamp::now(),
            by: Actor::system(),
            action: action.to_owned(),
            resource: format!("{} {what}", self.repository.address),
            outcome,
            detail: detail.to_string(),
        };
        self.keeper.ports().audit.record(vec![row]).await.map_err(|error| format!("the audit: {error}"))
    }
}

/// `format/name`
fn address(text: &str) -> Result<RepositoryAddress, String> {
    let (format, name) = text.split_once('/').unwrap_or((text, ""));
    let told = |fault: InvalidName| format!("--to {text:?}: {fault}; write it as format/name");
    let format = FormatKey::try_from(format).map_err(told)?;
    Ok(RepositoryAddress { format, name: RepositoryName::try_from(name).map_err(told)? })
}

/// Whether trouble is this side's, so that the next version would meet it, too.
fn is_ours(failure: &Failure) -> bool {
    let code = failure.code();
    let of_the_place = code.name.starts_with("upstream_");
    let ours = matches!(code.class, Class::Internal | Class::Unavailable | Class::StorageFull);
    (ours && !of_the_place) || *code == codes::QUOTA_EXCEEDED
}

/// An operator is told the cause as well.
fn in_full(failure: &Failure) -> String {
    match &failure.cause {
        Some(cause) => format!("{}: {cause}", failure.first().detail),
        None => failure.first().detail.clone(),
    }
}
