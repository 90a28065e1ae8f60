//! Publishing: the one way new content comes in, whatever protocol carried it.
//!
//! Order, and what a crash after each step leaves: staged upload (a temporary file) → inspected, its files
//! staged (temporary files) → files durable (blobs without a row: the collector's) → one transaction (the
//! version exists, whole) → answer. Nothing is acknowledged before the transaction has returned.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use uuid::Uuid;

use super::Keeper;
use super::hosted::Hosted;
use super::spool::Spool;
use crate::access::Principal;
use crate::artifact::{
    Artifact, ArtifactFile, ArtifactId, ArtifactState, ContentId, Coordinate, Extent, FileContent, FilePath, LabelKind,
    Publication, PublishOutcome, StoreError,
};
use crate::blob::{BlobError, BlobInfo, StagedBlob};
use crate::digest::Digest;
use crate::error::{Failure, Problem, codes};
use crate::events::{Event, Step};
use crate::failpoint;
use crate::format::{Claim, FormatHandler, InspectError, Inspection, Recorded, UpstreamFile};
use crate::integrity;
use crate::policy;
use crate::provenance::Way;
use crate::quota;
use crate::repository::{Actor, FormatKey, Repository, RepositoryName};

/// An upload, staged.
pub struct Upload {
    /// Its bytes.
    pub file: Box<dyn StagedBlob>,
    /// The format.
    pub format: FormatKey,
    /// The repository, if named.
    pub repository: Option<RepositoryName>,
    /// The package, if named.
    pub name: Option<String>,
    /// The version, if named.
    pub version: Option<String>,
    /// Whether warnings are refusals.
    pub strict: bool,
    /// Whether everything is checked and nothing kept.
    pub dry_run: bool,
    /// Branch or tag names that shall point to the version.
    pub labels: Vec<String>,
    /// Where the source comes from.
    pub origin_url: Option<String>,
    /// The reference it was made of.
    pub origin_ref: Option<String>,
    /// The digest that the file must have.
    pub sha256: Option<Digest>,
    /// The format's own fields.
    pub fields: BTreeMap<String, String>,
    /// In which way it comes.
    pub way: Way,
    /// When its first byte came, by the monotonic clock.
    pub began: Instant,
}

/// A publication that ended well.
#[derive(Debug, Clone)]
pub struct Published {
    /// Where it is.
    pub repository: Arc<Repository>,
    /// What it is.
    pub artifact: Artifact,
    /// Whether it is new; `false` for a repeat and for a dry run.
    pub created: bool,
}

/// Whose bytes are inspected.
pub(super) enum Subject {
    /// A publisher's.
    Uploaded(Box<Sent>),
    /// An upstream's.
    Copied(Box<Copied>),
}

/// What a publisher sent beside the bytes.
#[derive(Default)]
pub(super) struct Sent {
    name: Option<String>,
    version: Option<String>,
    labels: Vec<String>,
    origin_url: Option<String>,
    origin_ref: Option<String>,
    fields: BTreeMap<String, String>,
    way: Option<Way>,
}

/// What an upstream was asked for.
pub(super) struct Copied {
    pub(super) path: FilePath,
    pub(super) coordinate: Coordinate,
    pub(super) recorded: Recorded,
}

/// Inspected bytes: what they are, and their files, staged.
pub(super) struct Candidate {
    pub(super) inspection: Inspection,
    pub(super) spool: Spool,
    upload_digest: Digest,
    /// Whether they are a copy of what an upstream has.
    pub(super) copied: bool,
    /// In which way they came.
    pub(super) way: Way,
}

impl Keeper {
    /// Publishes an upload.
    ///
    /// # Errors
    /// All that is wrong with it, or trouble of the storage. Nothing of it is kept then.
    pub async fn publish(&self, who: &Principal, by: Actor, upload: Upload) -> Result<Published, Failure> {
        let handler = self.ports.registry.named(upload.format.as_str())?.1.clone();
        let (repository, permit) = self.publish_target(who, &upload.format, upload.repository.as_ref()).await?;
        let (strict, dry_run, began) = (upload.strict, upload.dry_run, upload.began);
        self.step_ended(&repository, Step::Receive, began);
        let inspecting = Instant::now();
        check_bytes(&upload)?;
        let Upload { file, name, version, labels, origin_url, origin_ref, fields, way, .. } = upload;
        let sent = Sent { name, version, labels, origin_url, origin_ref, fields, way: Some(way) };
        let inspected = self.inspect(&handler, &repository, file, Subject::Uploaded(Box::new(sent))).await;
        self.step_ended(&repository, Step::Inspect, inspecting);
        let mut candidate = inspected?;
        permit.check_package(&candidate.inspection.coordinate.package)?;
        let view = Hosted { keeper: self, repository: &repository, handler: &handler, permit: &permit, url: "" };
        let more = handler.confirm(&candidate.inspection, &view).await?;
        candidate.inspection.warnings.extend(more.warnings);
        if strict {
            refuse_warnings(&candidate.inspection)?;
        }
        let before = self.ports.artifacts.find(repository.id, &candidate.inspection.coordinate).await?;
        if let Some(artifact) = before {
            let files = candidate.spool.sizes().map(|(file, _, digest)| (&file.path, digest));
            let same = standing(&artifact, &candidate.inspection, files)? == Standing::Same;
            let moves_labels = candidate.inspection.labels.iter().any(|(kind, _)| *kind == LabelKind::Name);
            if same && (dry_run || (!moves_labels && self.is_intact(&artifact).await?)) {
                return Ok(repeated(repository, artifact, candidate.inspection));
            }
        }
        if dry_run {
            let artifact = would_be(&repository, &by, candidate);
            return Ok(Published { repository, artifact, created: false });
        }
        self.keep(repository, &handler, candidate, began, by).await
    }

    /// Judges the staged bytes on a blocking thread, at most so many at once.
    pub(super) async fn inspect(
        &self,
        handler: &Arc<dyn FormatHandler>,
        repository: &Arc<Repository>,
        mut file: Box<dyn StagedBlob>,
        subject: Subject,
    ) -> Result<Candidate, Failure> {
        let (size, upload_digest) = file.written();
        let mut input = file.reader().await?;
        let turn = self.inspections.clone().acquire_owned().await;
        let mut spool = Spool::new(self.ports.blobs.clone(), handler.info().max_upload_bytes);
        let (handler, repository) = (handler.clone(), repository.clone());
        let work = move || {
            let _turn = turn;
            let (nothing, copied) = (Sent::default(), matches!(subject, Subject::Copied(_)));
            let (sent, upstream) = match &subject {
                Subject::Uploaded(sent) => (&**sent, None),
                Subject::Copied(copied) => (&nothing, Some(copied.asked_for())),
            };
            let claim = Claim {
                name: sent.name.as_deref(),
                version: sent.version.as_deref(),
                labels: &sent.labels,
                origin_url: sent.origin_url.as_deref(),
                origin_ref: sent.origin_ref.as_deref(),
                fields: &sent.fields,
                received_at: Timestamp::now(),
                size,
                settings: &repository.settings,
                upstream,
            };
            failpoint!("F2", |error| Failure::from(BlobError::Io(error)));
            let inspected = handler.inspect(&claim, input.as_mut(), &mut spool);
            let finished = inspected.map_err(|error| inspection_failed(error, &mut spool)).and_then(|inspection| {
                spool.finish(file)?;
                Ok(inspection)
            });
            let way = sent.way.unwrap_or(Way::Upstream);
            finished.map(|inspection| Candidate { inspection, spool, upload_digest, copied, way })
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Failure::new(&codes::INTERNAL, "the inspection ended abnormally").caused_by(error))?
    }

    /// Blobs first, then the row, then the answer.
    async fn keep(
        &self,
        repository: Arc<Repository>,
        handler: &Arc<dyn FormatHandler>,
        candidate: Candidate,
        began: Instant,
        by: Actor,
    ) -> Result<Published, Failure> {
        let inspection = candidate.inspection.clone();
        let sent: Vec<_> = candidate.spool.sizes().map(|(file, _, digest)| (file.path.clone(), digest)).collect();
        let outcome = self.record(&repository, handler, candidate, began, by).await?;
        let created = matches!(outcome, PublishOutcome::Created(_) | PublishOutcome::Extended(_));
        let (PublishOutcome::Created(artifact)
        | PublishOutcome::Extended(artifact)
        | PublishOutcome::Same(artifact)
        | PublishOutcome::Conflict(artifact)
        | PublishOutcome::Deleted(artifact)) = outcome;
        if created {
            let size_bytes: u64 = artifact.files.iter().map(|file| file.content.size()).sum();
            let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(
                format.key = %repository.address.format, repository.name = %repository.address,
                repository.kind = repository.kind().as_str(), package.name = %artifact.coordinate.package,
                package.version = %artifact.coordinate.version, size_bytes, duration_ms, "published"
            );
            self.ports.listener.hear(&Event::Published { repository: &repository, artifact: &artifact });
            return Ok(Published { repository, artifact, created });
        }
        standing(&artifact, &inspection, sent.iter().map(|(path, digest)| (path, *digest)))?;
        Ok(repeated(repository, artifact, inspection))
    }

    /// Makes the files of a candidate durable, then the rows that name them, and removes what no row came to name.
    ///
    /// # Errors
    /// Trouble of the storage, or the quota. Nothing of the candidate is kept then, unless the database did not tell.
    pub(super) async fn record(
        &self,
        repository: &Arc<Repository>,
        handler: &Arc<dyn FormatHandler>,
        candidate: Candidate,
        began: Instant,
        by: Actor,
    ) -> Result<PublishOutcome, Failure> {
        let Candidate { inspection, spool, upload_digest, copied, way } = candidate;
        let committing = Instant::now();
        let files = spool.commit().await?;
        self.step_ended(repository, Step::Commit, committing);
        let publication = Publication {
            id: ArtifactId(Uuid::now_v7()),
            sort_key: handler.sort_key(&inspection.coordinate.version),
            content: inspection.content_of(&files),
            family: handler.family(&inspection.coordinate.package),
            extent: inspection.extent,
            coordinate: inspection.coordinate,
            copied,
            purl: inspection.purl,
            files: files.clone(),
            checksums: inspection.checksums,
            metadata: inspection.metadata,
            dependencies: inspection.dependencies,
            labels: inspection.labels,
            warnings: inspection.warnings,
            about: inspection.about.bounded(),
            upload_digest,
            began,
            published_at: Timestamp::now(),
            by,
            way,
        };
        let recording = Instant::now();
        failpoint!("F6");
        let outcome = match self.ports.artifacts.publish(repository.id, publication).await {
            Err(StoreError::OverQuota(usage)) => {
                self.discard(files.iter().filter_map(stored)).await;
                let bytes = files.iter().map(|file| file.content.size()).sum();
                return Err(quota::exceeded(&repository.address, &usage, bytes));
            }
            // What is certainly not recorded is not kept either; where that is not certain, the collector finds out.
            Err(refused) if refused.is_refusal() => {
                self.discard(files.iter().filter_map(stored)).await;
                return Err(refused.into());
            }
            outcome => outcome?,
        };
        failpoint!("F9");
        self.step_ended(repository, Step::Record, recording);
        let (PublishOutcome::Created(artifact)
        | PublishOutcome::Extended(artifact)
        | PublishOutcome::Same(artifact)
        | PublishOutcome::Conflict(artifact)
        | PublishOutcome::Deleted(artifact)) = &outcome;
        self.settle(&files, artifact).await?;
        Ok(outcome)
    }

    fn step_ended(&self, repository: &Repository, step: Step, began: Instant) {
        self.ports.listener.hear(&Event::Step { format: &repository.address.format, step, took: began.elapsed() });
    }

    /// Heals blobs of the artifact that were lost or have rotted, with the fresh copies, and removes the copies that no
    /// row names: an older copy is believed when it was read and found right.
    ///
    /// # Errors
    /// That an older copy cannot be read or replaced: nothing may be acknowledged that rests on it. A repeat heals it;
    /// a fresh copy that no row names stays for the collector.
    async fn settle(&self, fresh: &[ArtifactFile], artifact: &Artifact) -> Result<(), Failure> {
        for copy in fresh.iter().filter_map(stored) {
            let live =
                artifact.files.iter().filter_map(stored).find(|live| live.location.digest() == copy.location.digest());
            match live {
                Some(live) if live.location == copy.location => {}
                Some(live) if self.heal(live, copy).await? => {}
                _ => self.discard([copy]).await,
            }
        }
        Ok(())
    }

    /// Removes copies that no row names.
    async fn discard(&self, copies: impl IntoIterator<Item = &BlobInfo>) {
        for copy in copies {
            if let Err(error) = self.ports.blobs.delete(&copy.location).await {
                tracing::warn!(%error, "a spare copy of a blob stays for the collector");
            }
        }
    }

    /// Puts a fresh copy into the place of one that is lost or damaged. Answers whether a row names it now; somebody
    /// else may have been faster.
    async fn heal(&self, live: &BlobInfo, copy: &BlobInfo) -> Result<bool, Failure> {
        if integrity::is_intact(&*self.ports.blobs, live).await? {
            return Ok(false);
        }
        let healed = self.ports.artifacts.relocate(&live.location, &copy.location).await?;
        if healed {
            let digest = live.location.digest();
            tracing::warn!(blob.digest = %digest, "a lost or damaged blob was healed by a fresh copy of its bytes");
        }
        Ok(healed)
    }

    async fn is_intact(&self, artifact: &Artifact) -> Result<bool, BlobError> {
        for blob in artifact.files.iter().filter_map(stored) {
            if !integrity::is_intact(&*self.ports.blobs, blob).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn stored(file: &ArtifactFile) -> Option<&BlobInfo> {
    file.content.stored()
}

impl Copied {
    fn asked_for(&self) -> UpstreamFile<'_> {
        UpstreamFile { path: &self.path, coordinate: &self.coordinate, recorded: &self.recorded }
    }
}

fn check_bytes(upload: &Upload) -> Result<(), Failure> {
    let (size, digest) = upload.file.written();
    if size == 0 {
        return Err(Failure::new(&codes::EMPTY_FILE, "the file has no bytes").field("file"));
    }
    match upload.sha256 {
        Some(stated) if stated != digest => Err(Failure::new(
            &codes::CHECKSUM_MISMATCH,
            format!("the file has the SHA-256 {digest}; the field sha256 says {stated}"),
        )
        .field("sha256")),
        _ => Ok(()),
    }
}

/// A refusal goes to the uploader; a fault of the storage keeps its own kind, also when the format took it
/// for a fault of the upload.
fn inspection_failed(error: InspectError, spool: &mut Spool) -> Failure {
    match (error, spool.take_failure()) {
        (_, Some(fault)) => fault.into(),
        (InspectError::Refused(failure), None) => failure,
        (InspectError::Input(error) | InspectError::Output(error), None) => BlobError::Io(error).into(),
    }
}

fn refuse_warnings(inspection: &Inspection) -> Result<(), Failure> {
    let problems = inspection.warnings.iter().map(|warning| {
        let detail = format!("{}: {}", warning.code, warning.message);
        let problem = Problem::new(&codes::WARNING_REFUSED, detail);
        match &warning.path {
            Some(path) => problem.path(path.clone()),
            None => problem,
        }
    });
    Failure::from_problems(problems.collect()).map_or(Ok(()), Err)
}

/// How an upload stands to the version that is there.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// It holds what is there.
    Same,
    /// It brings files that are missing: as a part, or as the whole of which parts are here.
    Adds,
}

/// Compares what is there with what was sent; other content and tombstones are refusals.
fn standing<'a>(
    there: &Artifact,
    sent: &Inspection,
    files: impl Iterator<Item = (&'a FilePath, Digest)> + Clone,
) -> Result<Standing, Failure> {
    if there.is_kept_for(sent.extent, &sent.content, files.clone()) {
        return Ok(Standing::Adds);
    }
    if there.state == ArtifactState::Deleted {
        return Err(policy::number_is_spent(there).field("version"));
    }
    if sent.extent == Extent::Part {
        return part_standing(there, files);
    }
    if there.content == sent.content {
        return Ok(Standing::Same);
    }
    if there.is_completed_by(sent.extent, &sent.checksums) {
        return Ok(Standing::Adds);
    }
    let what = &there.coordinate;
    let ContentId(ours) = &there.content;
    let ContentId(theirs) = &sent.content;
    Err(Failure::new(&codes::VERSION_EXISTS, format!("{what} exists with {ours}; you sent {theirs}")).field("version"))
}

fn part_standing<'a>(
    there: &Artifact,
    files: impl Iterator<Item = (&'a FilePath, Digest)>,
) -> Result<Standing, Failure> {
    let mut standing = Standing::Same;
    for (path, digest) in files {
        match there.files.iter().find(|file| file.path == *path) {
            None => standing = Standing::Adds,
            Some(file) if file.digest == digest => {}
            Some(file) => {
                let detail = format!("{path} exists with the SHA-256 {}; you sent {digest}", file.digest);
                return Err(Failure::new(&codes::FILE_EXISTS, detail).field("file"));
            }
        }
    }
    Ok(standing)
}

/// The stored record with the warnings of this upload.
fn repeated(repository: Arc<Repository>, mut artifact: Artifact, inspection: Inspection) -> Published {
    artifact.warnings = inspection.warnings;
    Published { repository, artifact, created: false }
}

/// What a dry run shows: everything but an id that anyone could use.
fn would_be(repository: &Repository, by: &Actor, candidate: Candidate) -> Artifact {
    let Candidate { inspection, spool, .. } = candidate;
    let location =
        |digest: Digest| format!("{digest}.{}", "0".repeat(crate::blob::BlobLocation::INCARNATION_CHARACTERS));
    let files = spool.sizes().filter_map(|(file, size, digest)| {
        let location = crate::blob::BlobLocation::try_from(location(digest).as_str()).ok()?;
        Some(ArtifactFile {
            path: file.path.clone(),
            name: file.name.clone(),
            media_type: file.media_type,
            digest,
            content: FileContent::Stored(BlobInfo { location, size }),
        })
    });
    let mut files: Vec<_> = files.collect();
    // In the order in which the store gives them.
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Artifact {
        id: ArtifactId(Uuid::nil()),
        repository: repository.id,
        state: ArtifactState::Active,
        state_reason: String::new(),
        state_changed_at: None,
        pinned: false,
        published_at: Timestamp::now(),
        published_by: by.login.clone(),
        content: inspection.content_of(&files),
        files,
        coordinate: inspection.coordinate,
        purl: inspection.purl,
        checksums: inspection.checksums,
        metadata: inspection.metadata,
        dependencies: inspection.dependencies,
        warnings: inspection.warnings,
        about: inspection.about.bounded(),
    }
}
