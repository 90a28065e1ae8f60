//! Fetching a file that is not here yet, checking it, and keeping it.
//!
//! Order, and what a crash after each step leaves: answer of the upstream → temporary file → inspected by the format →
//! confirmed (the ecosystem's authority, the sums that are recorded) → blobs → one transaction. Only then is anything
//! given out, except of a long file for which nobody has to vouch: see [`relay`](super::relay).
//!
//! Sums that were found first stay for ever. When the upstream has other bytes for a version today, what is here stays
//! what it is, and the audit says so.

use std::time::Instant;

use futures_util::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use serde_json::Value;

use super::Copies;
use super::fetches::{Offering, Wanted};
use super::relay::{Relay, Relaying, relay};
use super::slots::Slot;
use crate::artifact::{Artifact, ArtifactState, Coordinate, FilePath, PublishOutcome, VersionName};
use crate::audit::{NewAuditRow, Outcome};
use crate::blob::StagedBlob;
use crate::error::{Failure, codes};
use crate::events::{Contradiction, Event, RelayEnd};
use crate::format::{Confirmation, Recorded, RepositoryView as _, Route, Want};
use crate::limits::RELAY_FROM_BYTES;
use crate::media_type::MediaType;
use crate::pipeline::publish::{Candidate, Copied, Subject};
use crate::repository::Actor;
use crate::source::{ChainSource, Then};
use crate::upstream::{Fetched, UpstreamError, UpstreamRequest, UpstreamStream, Validators};

/// The field of a copy's metadata that names the source it came from.
pub(in crate::pipeline) const SOURCE: &str = "copied_from";

/// Seconds for which the absence of a version is believed.
const ABSENT_SECONDS: u64 = 5 * 60;

/// The same, of a version of a package that is known here: it may just have been published.
const ABSENT_SOON_SECONDS: u64 = 60;

/// Who does what nobody asked for by name.
fn keeper_itself() -> Actor {
    Actor::system()
}

impl Copies {
    /// Waits until the file is here; or, if that is wanted and the file is one to be given out while it comes, until it
    /// comes.
    ///
    /// # Errors
    /// That it is nowhere, or why it could not be had.
    pub(super) async fn filled(
        &self,
        route: &Route,
        path: &FilePath,
        what: &Coordinate,
        may_relay: bool,
    ) -> Result<Option<Relay>, Failure> {
        let Some(outside) = self.handler.upstream_path(route) else { return Err(self.absent(what).await?) };
        let wanted: Wanted = (self.repository.id, outside.as_str().into());
        if let Some(gone) = self.keeper.fetches.absence(&wanted) {
            return Err(self.nowhere(what, gone).await?);
        }
        let filling = Filling {
            copies: self.clone(),
            limit_bytes: self.handler.upstream_limit_bytes(route),
            route: route.clone(),
            outside,
            path: path.clone(),
            what: what.clone(),
        };
        let work = |offering| async move { filling.done(&offering).await };
        self.keeper.fetches.once_or_relay(wanted, self.hops, may_relay, work).await
    }

    /// Asks sources in order: absence leads to the next one, trouble only where the chain says so. Trouble of one is
    /// never turned into an absence by the others. The turn of the exchange is the caller's, until the bytes are here.
    pub(super) async fn ask<'s>(
        &self,
        sources: &[&'s ChainSource],
        outside: &str,
        known: Option<&Validators>,
        limit_bytes: u64,
    ) -> Result<Asked<'s>, Trouble> {
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
            // One turn for each source: the one before has given its own back.
            let slot = self.keeper.fetches.slots.of(source.url.as_url()).await?;
            match self.keeper.ports.upstreams.fetch(&request).await {
                Ok(fetched) => return Ok(Asked { source, fetched, slot }),
                Err(UpstreamError::Forbidden(_)) if self.remote.forbidden_as_not_found => {}
                Err(UpstreamError::Absent) => {}
                Err(UpstreamError::Gone) => gone = true,
                Err(error) if source.then == Then::OnTrouble => trouble = trouble.or(Some(error)),
                Err(error) => return Err(error.into()),
            }
        }
        Err(trouble.unwrap_or(if gone { UpstreamError::Gone } else { UpstreamError::Absent }).into())
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
    async fn tell_of(&self, what: &Coordinate, contradiction: Contradiction, failure: &Failure) {
        tracing::error!(
            repository.name = %self.repository.address, package.name = %what.package, package.version = %what.version,
            error.code = failure.code().name, "an upstream's file was refused: {failure}"
        );
        self.tell(&what.to_string(), contradiction, Outcome::Denied, &failure.first().detail).await;
    }

    /// That the upstream has no more what it had; what is here stays. Told once a day.
    pub(super) async fn tell_of_missing(&self, what: &str, outside: &str) {
        if !self.keeper.fetches.is_missed_anew((self.repository.id, outside.into())) {
            return;
        }
        tracing::warn!(
            repository.name = %self.repository.address, upstream.path = outside,
            "the upstream has no more what it had: {what}"
        );
        let detail = format!("the upstream has no {outside} any more; what is stored is served");
        self.tell(what, Contradiction::Missing, Outcome::Done, &detail).await;
    }

    async fn tell(&self, what: &str, contradiction: Contradiction, outcome: Outcome, reason: &str) {
        self.keeper.ports.listener.hear(&Event::Contradicted { repository: &self.repository, what: contradiction });
        let row = NewAuditRow {
            at: Timestamp::now(),
            by: keeper_itself(),
            action: contradiction.as_str().to_owned(),
            resource: format!("{} {what}", self.repository.address),
            outcome,
            detail: serde_json::json!({ "reason": reason }).to_string(),
        };
        if let Err(error) = self.keeper.ports.audit.record(vec![row]).await {
            tracing::error!(%error, "the audit could not be told of what an upstream contradicts");
        }
    }

    /// The time file of a version is fetched as any other; for the least age of versions.
    pub(super) async fn fetch_quietly(&self, route: &Route, path: &FilePath, what: &Coordinate) -> Result<(), Failure> {
        let there = self.keeper.ports.artifacts.file(self.repository.id, path).await?.is_some();
        if there { Ok(()) } else { self.filled(route, path, what, false).await.map(drop) }
    }

    /// Names of versions as they are, for texts.
    pub(super) fn of(package: &crate::artifact::PackageName, version: &VersionName) -> Coordinate {
        Coordinate { package: package.clone(), version: version.clone() }
    }
}

/// One file that is fetched.
struct Filling {
    copies: Copies,
    route: Route,
    /// Where upstreams have it.
    outside: String,
    limit_bytes: u64,
    path: FilePath,
    what: Coordinate,
}

impl Filling {
    async fn done(&self, offering: &Offering) -> Result<(), Failure> {
        let mut relayed = None;
        let result = self.kept(offering, &mut relayed).await;
        if let Some(Relayed { end, .. }) = relayed {
            let repository = &*self.copies.repository;
            self.copies.keeper.ports.listener.hear(&Event::Relayed { repository, end });
            if let Err(failure) = &result {
                // Those who read along cannot be told.
                tracing::error!(
                    repository.name = %repository.address, package.name = %self.what.package,
                    package.version = %self.what.version, error.code = failure.code().name, relay = end.as_str(),
                    "a file that was given out while it came is not kept: {failure}"
                );
            }
        }
        result
    }

    async fn kept(&self, offering: &Offering, relayed: &mut Option<Relayed>) -> Result<(), Failure> {
        let began = Instant::now();
        let Self { copies, what, path, outside, .. } = self;
        // Another fetch may have ended between the look at what is stored and the beginning of this one.
        if let Some(found) = copies.keeper.ports.artifacts.file(copies.repository.id, path).await?
            && !found.file.content.stored().is_some_and(|copy| copies.keeper.ports.damage.is_known(&copy.location))
        {
            return Ok(());
        }
        let there = copies.keeper.ports.artifacts.find(copies.repository.id, what).await?;
        let (source, stage) = match self.staged(there.as_ref(), offering, relayed).await {
            Ok(staged) => staged,
            Err(Trouble::Upstream(error)) if error.is_absence() => {
                let gone = error == UpstreamError::Gone;
                let known = copies.versions(&what.package).await?.is_some();
                let seconds = if known { ABSENT_SOON_SECONDS } else { ABSENT_SECONDS };
                copies.keeper.fetches.note_absence((copies.repository.id, outside.as_str().into()), gone, seconds);
                if there.as_ref().is_some_and(|there| there.state == ArtifactState::Active) {
                    copies.tell_of_missing(&what.to_string(), outside).await;
                }
                return Err(copies.nowhere(what, gone).await?);
            }
            Err(Trouble::Upstream(error)) => return Err(copies.troubled(outside, error)),
            Err(Trouble::Here(failure)) => return Err(failure),
        };
        let outcome = match self.checked_and_kept(stage, &recorded(there), &source, began, relayed).await {
            Err(failure) => {
                if *failure.code() == codes::UPSTREAM_CHECKSUM_MISMATCH {
                    copies.tell_of(what, Contradiction::Checksum, &failure).await;
                } else if *failure.code() == codes::UPSTREAM_UNVERIFIED {
                    copies.tell_of(what, Contradiction::Unverified, &failure).await;
                }
                return Err(failure);
            }
            Ok(outcome) => outcome,
        };
        let recorded = copies.recorded_as(outcome, what, path);
        match (&recorded, relayed) {
            (Ok(()), Some(relayed)) => relayed.end = RelayEnd::Kept,
            (Err(failure), _) if *failure.code() == codes::UPSTREAM_CHECKSUM_MISMATCH => {
                copies.tell_of(what, Contradiction::Changed, failure).await;
            }
            _ => {}
        }
        recorded
    }

    /// The bytes in a temporary file, and the source that sent them. The source that a version's first file came from
    /// is asked before all others.
    async fn staged(
        &self,
        there: Option<&Artifact>,
        offering: &Offering,
        relayed: &mut Option<Relayed>,
    ) -> Result<(String, Box<dyn StagedBlob>), Trouble> {
        let Self { copies, outside, limit_bytes, .. } = self;
        let first = there.and_then(|there| there.metadata.get(SOURCE)?.as_str());
        let mut sources: Vec<_> = copies.remote.chain.sources().iter().collect();
        sources.sort_by_key(|source| first.is_some_and(|first| source.url.to_string() != first));
        // The turn ends with the bytes: what is judged and kept of them waits for others.
        let Asked { source, fetched, slot: _slot } = copies.ask(&sources, outside, None, *limit_bytes).await?;
        let source = source.url.to_string();
        let Fetched::Body { announced_bytes, stream, .. } = fetched else {
            return Err(UpstreamError::Invalid("\"not modified\" to a first question".to_owned()).into());
        };
        let mut stage = copies.keeper.ports.blobs.stage(*limit_bytes).await.map_err(Failure::from)?;
        let size = announced_bytes.filter(|size| *size >= RELAY_FROM_BYTES);
        if let (Some(size), Some(media_type)) = (size, self.relayed_as(there, &source)) {
            let (relaying, relay) = relay(&mut *stage, size, media_type).await.map_err(Failure::from)?;
            *relayed = Some(Relayed { relaying, end: RelayEnd::Broken });
            offering.offer(relay);
        }
        received(stream, &mut *stage, relayed.as_ref()).await?;
        if let Some(relayed) = relayed {
            relayed.end = RelayEnd::Refused;
        }
        Ok((source, stage))
    }

    /// As what the file may be given out before it is judged: it has to be one that nobody has to vouch for, of a version
    /// of which nothing is remembered but what is here, and whose files all come from this source.
    fn relayed_as(&self, there: Option<&Artifact>, source: &str) -> Option<MediaType> {
        let is_time_file = self
            .copies
            .handler
            .time_file(&self.what)
            .is_some_and(|route| matches!(&route.want, Want::File { path, .. } if *path == self.path));
        let fits = there.is_none_or(|there| {
            let first = there.metadata.get(SOURCE).and_then(Value::as_str);
            there.state == ArtifactState::Active && first.is_none_or(|first| first == source)
        });
        if is_time_file || !fits {
            return None;
        }
        let recorded = recorded(there.cloned());
        self.copies.handler.relayed_as(&self.route, &self.copies.repository.settings, &recorded)
    }

    async fn checked_and_kept(
        &self,
        stage: Box<dyn StagedBlob>,
        recorded: &Recorded,
        source: &str,
        began: Instant,
        relayed: &mut Option<Relayed>,
    ) -> Result<PublishOutcome, Failure> {
        let Self { copies, what, path, .. } = self;
        let Copies { keeper, handler, repository, .. } = copies;
        let copied = Copied { path: path.clone(), coordinate: what.clone(), recorded: recorded.clone() };
        let subject = Subject::Copied(Box::new(copied));
        let mut candidate = keeper.inspect(handler, repository, stage, subject).await?;
        if candidate.inspection.coordinate != *what {
            return Err(Failure::new(
                &codes::UPSTREAM_INVALID,
                format!("the upstream sent another version than {what}"),
            ));
        }
        let confirmation = handler.confirm(&candidate.inspection, copies).await?;
        let foreign = recorded.metadata.get(SOURCE).and_then(Value::as_str).is_some_and(|first| first != source);
        if foreign && !confirmation.vouched {
            return Err(Failure::new(
                &codes::UPSTREAM_UNVERIFIED,
                format!("files of {what} come from another source than its first one, and nothing vouches for them"),
            ));
        }
        confirm(&mut candidate, confirmation, if foreign { None } else { Some(source) });
        if let Some(relayed) = relayed {
            relayed.end = RelayEnd::Unkept;
            relayed.relaying.open();
        }
        keeper.record(repository, handler, candidate, began, keeper_itself()).await
    }
}

/// A file that is being given out, and what became of it so far.
struct Relayed {
    relaying: Relaying,
    end: RelayEnd,
}

/// Takes the bytes as they come. Whoever reads along gets at once what is here, also while nothing more comes.
async fn received(
    mut stream: UpstreamStream,
    stage: &mut dyn StagedBlob,
    relayed: Option<&Relayed>,
) -> Result<(), Trouble> {
    loop {
        let chunk = match (stream.next().now_or_never(), relayed) {
            (Some(chunk), _) => chunk,
            (None, None) => stream.next().await,
            (None, Some(relayed)) => {
                stage.flush().await.map_err(Failure::from)?;
                relayed.relaying.grew(stage.readable());
                stream.next().await
            }
        };
        let Some(chunk) = chunk else { return Ok(()) };
        stage.write(chunk?).await.map_err(Failure::from)?;
        if let Some(relayed) = relayed {
            relayed.relaying.grew(stage.readable());
        }
    }
}

fn recorded(there: Option<Artifact>) -> Recorded {
    there.map(|there| Recorded { checksums: there.checksums, metadata: there.metadata }).unwrap_or_default()
}

/// Who answered, what, and the turn in which he does.
pub(super) struct Asked<'s> {
    pub(super) source: &'s ChainSource,
    pub(super) fetched: Fetched,
    pub(super) slot: Slot,
}

/// What went wrong on the way of the bytes.
pub(super) enum Trouble {
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
