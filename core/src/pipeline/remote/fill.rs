//! Fetching a file that is not here yet, checking it, and keeping it.
//!
//! Order, and what a crash after each step leaves: answer of the upstream → temporary file → inspected by the format →
//! confirmed (the ecosystem's authority, the sums that are recorded) → blobs → one transaction. Only then is anything
//! given out.
//!
//! Sums that were found first stay for ever. When the upstream has other bytes for a version today, what is here stays
//! what it is, and the audit says so.

use std::time::Instant;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use serde_json::Value;

use super::Copies;
use super::fetches::Wanted;
use crate::artifact::{Artifact, Coordinate, FilePath, PublishOutcome, VersionName};
use crate::audit::{NewAuditRow, Outcome};
use crate::blob::StagedBlob;
use crate::error::{Failure, codes};
use crate::events::Event;
use crate::format::{Confirmation, Recorded, RepositoryView as _, Route};
use crate::pipeline::publish::{Candidate, Copied, Subject};
use crate::repository::Actor;
use crate::source::{ChainSource, Then};
use crate::upstream::{Fetched, UpstreamError, UpstreamRequest, Validators};

/// The field of a copy's metadata that names the source it came from.
pub(in crate::pipeline) const SOURCE: &str = "copied_from";

/// What the audit calls it when an upstream has other bytes than it had.
const CHANGED: &str = "upstream_changed";

/// Seconds for which the absence of a version is believed.
const ABSENT_SECONDS: u64 = 5 * 60;

/// The same, of a version of a package that is known here: it may just have been published.
const ABSENT_SOON_SECONDS: u64 = 60;

/// Who does what nobody asked for by name.
fn keeper() -> Actor {
    Actor::system()
}

impl Copies {
    /// Waits until the file is here.
    ///
    /// # Errors
    /// That it is nowhere, or why it could not be had.
    pub(super) async fn filled(&self, route: &Route, path: &FilePath, what: &Coordinate) -> Result<(), Failure> {
        let Some(outside) = self.handler.upstream_path(route) else { return Err(self.absent(what).await?) };
        let wanted: Wanted = (self.repository.id, outside.as_str().into());
        if let Some(gone) = self.keeper.fetches.absence(&wanted) {
            return Err(self.nowhere(what, gone).await?);
        }
        let (copies, path, what) = (self.clone(), path.clone(), what.clone());
        let limit_bytes = self.handler.upstream_limit_bytes(route);
        let work = async move { copies.fill(&outside, limit_bytes, &path, &what).await };
        self.keeper.fetches.once(wanted, self.hops, work).await
    }

    async fn fill(&self, outside: &str, limit_bytes: u64, path: &FilePath, what: &Coordinate) -> Result<(), Failure> {
        let began = Instant::now();
        let _turn = self.keeper.fetches.slot().await?;
        // Another fetch may have ended between the look at what is stored and the beginning of this one.
        if self.keeper.ports.artifacts.file(self.repository.id, path).await?.is_some() {
            return Ok(());
        }
        let recorded = self.recorded(what).await?.unwrap_or_default();
        let (source, stage) = match self.staged(outside, limit_bytes, &recorded).await {
            Ok(staged) => staged,
            Err(Trouble::Upstream(error)) if error.is_absence() => {
                let gone = error == UpstreamError::Gone;
                let known = self.versions(&what.package).await?.is_some();
                let seconds = if known { ABSENT_SOON_SECONDS } else { ABSENT_SECONDS };
                self.keeper.fetches.note_absence((self.repository.id, outside.into()), gone, seconds);
                return Err(self.nowhere(what, gone).await?);
            }
            Err(Trouble::Upstream(error)) => return Err(self.troubled(outside, error)),
            Err(Trouble::Here(failure)) => return Err(failure),
        };
        let outcome = match self.checked_and_kept(stage, what, path, &recorded, &source, began).await {
            Err(failure) => {
                if [&codes::UPSTREAM_CHECKSUM_MISMATCH, &codes::UPSTREAM_UNVERIFIED].contains(&failure.code()) {
                    self.tell_of(what, failure.code().name, &failure).await;
                }
                return Err(failure);
            }
            Ok(outcome) => outcome,
        };
        let recorded = self.recorded_as(outcome, what, path);
        if let Err(failure) = recorded.as_ref()
            && *failure.code() == codes::UPSTREAM_CHECKSUM_MISMATCH
        {
            self.tell_of(what, CHANGED, failure).await;
        }
        recorded
    }

    /// The bytes in a temporary file, and the source that sent them. The source that a version's first file came from
    /// is asked before all others.
    async fn staged(
        &self,
        outside: &str,
        limit_bytes: u64,
        recorded: &Recorded,
    ) -> Result<(String, Box<dyn StagedBlob>), Trouble> {
        let first = recorded.metadata.get(SOURCE).and_then(Value::as_str);
        let mut sources: Vec<_> = self.remote.chain.sources().iter().collect();
        sources.sort_by_key(|source| first.is_some_and(|first| source.url.to_string() != first));
        let (source, fetched) = self.ask(&sources, outside, None, limit_bytes).await?;
        let Fetched::Body { mut stream, .. } = fetched else {
            return Err(UpstreamError::Invalid("\"not modified\" to a first question".to_owned()).into());
        };
        let mut stage = self.keeper.ports.blobs.stage(limit_bytes).await.map_err(Failure::from)?;
        while let Some(chunk) = stream.next().await {
            stage.write(chunk?).await.map_err(Failure::from)?;
        }
        Ok((source.url.to_string(), stage))
    }

    /// Asks sources in order: absence leads to the next one, trouble only where the chain says so. Trouble of one is
    /// never turned into an absence by the others.
    pub(super) async fn ask<'s>(
        &self,
        sources: &[&'s ChainSource],
        outside: &str,
        known: Option<&Validators>,
        limit_bytes: u64,
    ) -> Result<(&'s ChainSource, Fetched), UpstreamError> {
        let (mut gone, mut trouble) = (false, None);
        for source in sources {
            let request = UpstreamRequest {
                repository: self.repository.id,
                remote: &self.remote,
                url: &source.url,
                path: outside,
                known,
                limit_bytes,
                hops: self.hops.saturating_add(1),
            };
            match self.keeper.ports.upstreams.fetch(&request).await {
                Ok(fetched) => return Ok((source, fetched)),
                Err(UpstreamError::Forbidden(_)) if self.remote.forbidden_as_not_found => {}
                Err(UpstreamError::Absent) => {}
                Err(UpstreamError::Gone) => gone = true,
                Err(error) if source.then == Then::OnTrouble => trouble = trouble.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Err(trouble.unwrap_or(if gone { UpstreamError::Gone } else { UpstreamError::Absent }))
    }

    async fn checked_and_kept(
        &self,
        stage: Box<dyn StagedBlob>,
        what: &Coordinate,
        path: &FilePath,
        recorded: &Recorded,
        source: &str,
        began: Instant,
    ) -> Result<PublishOutcome, Failure> {
        let copied = Copied { path: path.clone(), coordinate: what.clone(), recorded: recorded.clone() };
        let subject = Subject::Copied(Box::new(copied));
        let mut candidate = self.keeper.inspect(&self.handler, &self.repository, stage, subject).await?;
        if candidate.inspection.coordinate != *what {
            return Err(Failure::new(
                &codes::UPSTREAM_INVALID,
                format!("the upstream sent another version than {what}"),
            ));
        }
        let confirmation = self.handler.confirm(&candidate.inspection, self).await?;
        let foreign = recorded.metadata.get(SOURCE).and_then(Value::as_str).is_some_and(|first| first != source);
        if foreign && !confirmation.vouched {
            return Err(Failure::new(
                &codes::UPSTREAM_UNVERIFIED,
                format!("files of {what} come from another source than its first one, and nothing vouches for them"),
            ));
        }
        confirm(&mut candidate, confirmation, if foreign { None } else { Some(source) });
        self.keeper.record(&self.repository, &self.handler, candidate, began, keeper()).await
    }

    fn recorded_as(&self, outcome: PublishOutcome, what: &Coordinate, path: &FilePath) -> Result<(), Failure> {
        match outcome {
            PublishOutcome::Created(artifact) | PublishOutcome::Extended(artifact) => {
                let size_bytes =
                    artifact.files.iter().find(|file| file.path == *path).map_or(0, |file| file.content.size());
                tracing::info!(
                    repository.name = %self.repository.address, package.name = %what.package,
                    package.version = %what.version, size_bytes, "copied from the upstream"
                );
                let repository = &*self.repository;
                self.keeper.ports.listener.hear(&Event::Copied { repository, artifact: &artifact, size_bytes });
                Ok(())
            }
            PublishOutcome::Same(_) => Ok(()),
            PublishOutcome::Conflict(there) => Err(changed(&there, what)),
            PublishOutcome::Deleted(there) => Err(crate::policy::tombstone(&there)),
        }
    }

    async fn nowhere(&self, what: &Coordinate, gone: bool) -> Result<Failure, Failure> {
        if gone {
            return Ok(Failure::new(&codes::DELETED, format!("the upstream says that {what} is gone")));
        }
        self.absent(what).await
    }

    /// What a caller is told of an upstream's trouble; the log gets the rest.
    pub(super) fn troubled(&self, outside: &str, error: UpstreamError) -> Failure {
        let code = error.code();
        tracing::warn!(
            repository.name = %self.repository.address, upstream.path = outside, error.code = code.name, %error,
            "the upstream is in trouble"
        );
        let Failure { retry_after_s, cause, .. } = Failure::from(error);
        let mut failure = Failure::new(code, format!("{} (repository \"{}\")", code.title, self.repository.address));
        failure.retry_after_s = retry_after_s;
        failure.cause = cause;
        failure
    }

    /// What speaks of other bytes than were published is told to the audit.
    async fn tell_of(&self, what: &Coordinate, action: &str, failure: &Failure) {
        tracing::error!(
            repository.name = %self.repository.address, package.name = %what.package, package.version = %what.version,
            error.code = failure.code().name, "an upstream's file was refused: {failure}"
        );
        let row = NewAuditRow {
            at: Timestamp::now(),
            by: keeper(),
            action: action.to_owned(),
            resource: format!("{} {what}", self.repository.address),
            outcome: Outcome::Denied,
            detail: serde_json::json!({ "reason": failure.first().detail }).to_string(),
        };
        if let Err(error) = self.keeper.ports.audit.record(vec![row]).await {
            tracing::error!(%error, "the audit could not be told of a refused file");
        }
    }

    /// The time file of a version is fetched as any other; for the least age of versions.
    pub(super) async fn fetch_quietly(&self, route: &Route, path: &FilePath, what: &Coordinate) -> Result<(), Failure> {
        let there = self.keeper.ports.artifacts.file(self.repository.id, path).await?.is_some();
        if there { Ok(()) } else { self.filled(route, path, what).await }
    }

    /// Names of versions as they are, for texts.
    pub(super) fn of(package: &crate::artifact::PackageName, version: &VersionName) -> Coordinate {
        Coordinate { package: package.clone(), version: version.clone() }
    }
}

/// What went wrong on the way of the bytes.
enum Trouble {
    Upstream(UpstreamError),
    Here(Failure),
}

impl From<UpstreamError> for Trouble {
    fn from(error: UpstreamError) -> Self {
        Self::Upstream(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Here(failure)
    }
}

/// Takes what was confirmed into the candidate, and where it came from if that is the version's first source.
fn confirm(candidate: &mut Candidate, confirmation: Confirmation, source: Option<&str>) {
    let inspection = &mut candidate.inspection;
    inspection.warnings.extend(confirmation.warnings);
    if inspection.metadata.is_null() {
        inspection.metadata = Value::Object(serde_json::Map::new());
    }
    if let Value::Object(metadata) = &mut inspection.metadata {
        metadata.extend(confirmation.metadata);
        metadata.extend(source.map(|source| (SOURCE.to_owned(), Value::from(source))));
    }
}

/// The upstream has other bytes than the ones that were here first.
fn changed(there: &Artifact, what: &Coordinate) -> Failure {
    let first: Vec<_> = there.checksums.iter().map(|(name, sum)| format!("{name} {sum}")).collect();
    Failure::new(
        &codes::UPSTREAM_CHECKSUM_MISMATCH,
        format!("the upstream sent other bytes for {what} than were here first ({})", first.join(", ")),
    )
}
