//! The services: the ports together behind one narrow way.
//!
//! `read`: find the repository, authorise, ask the format what is wanted, pass the gate, give a
//! [`Resolution`]. `publish` and `delete` are the only ways to change content. Nothing here knows where the
//! request came from or how the answer travels.

mod access;
mod amend;
mod authority;
mod browse;
mod delete;
mod explain;
mod help;
mod hosted;
mod native;
mod publish;
mod removal;
mod retention;
mod spool;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use moka::sync::Cache;
use tokio::sync::{Notify, Semaphore};

use crate::access::{Action, Principal, authorize};
use crate::artifact::{ArtifactStore, Coordinate, FileContent, FoundFile, PackageName, StoreError};
use crate::audit::AuditStore;
use crate::blob::{BlobError, BlobInfo, BlobStore, ByteRange, ByteStream};
use crate::catalog::{PackageStore, PackageSummary};
use crate::digest::Digest;
use crate::documents::DocumentStore;
use crate::error::Failure;
use crate::events::{Event, Listener};
use crate::format::{FormatHandler, FormatInfo, FormatRequest, MaxAge, Route, Want};
use crate::identity::Directory;
use crate::lifecycle::LifecycleStore;
use crate::limits::{ANSWER_CACHE_BYTES, ANSWER_CACHE_ENTRY_BYTES, SUMMARY_CACHE_BYTES, VARIANT_BYTES};
use crate::media_type::MediaType;
use crate::plugin::Registry;
use crate::repository::{FormatKey, Repository, RepositoryId, RepositoryStore};
use crate::upstream::{Authorities, Upstreams};
use crate::uses::Uses;

pub use browse::served;
pub use delete::Deletion;
pub use explain::{Answered, Explanation, Question, Step, Subject, Verdict};
pub use help::{Diagnosis, Place, Setup};
pub use native::NativeWrite;
pub use publish::{Published, Upload};
pub use retention::RetentionPlan;

/// Everything the services need.
#[derive(Clone)]
pub struct Ports {
    /// The formats of this build.
    pub registry: Registry,
    /// Repositories.
    pub repositories: Arc<dyn RepositoryStore>,
    /// Artifacts.
    pub artifacts: Arc<dyn ArtifactStore>,
    /// Packages.
    pub packages: Arc<dyn PackageStore>,
    /// Bytes.
    pub blobs: Arc<dyn BlobStore>,
    /// Users, groups, grants, tokens, sessions.
    pub identity: Arc<dyn Directory>,
    /// Quotas, retention and removal.
    pub lifecycle: Arc<dyn LifecycleStore>,
    /// Who did what.
    pub audit: Arc<dyn AuditStore>,
    /// What came from elsewhere and is no content.
    pub documents: Arc<dyn DocumentStore>,
    /// The sources of remote repositories.
    pub upstreams: Arc<dyn Upstreams>,
    /// The ecosystems' authorities.
    pub authorities: Arc<dyn Authorities>,
    /// Who is told what happens.
    pub listener: Arc<dyn Listener>,
}

/// The services. Cheap to share.
pub struct Keeper {
    ports: Ports,
    answers: Cache<(RepositoryId, Box<str>), Arc<Kept>>,
    summaries: Cache<(RepositoryId, PackageName), (u64, Arc<PackageSummary>)>,
    inspections: Arc<Semaphore>,
    removals: Arc<Notify>,
    uses: Uses,
}

/// An answer kept ready, good while the repository's generation stays. The revision is that of the record it
/// was made with: a change of the record may come between reading it and reading the generation.
struct Kept {
    generation: u64,
    revision: i64,
    answer: Answer,
    /// The version whose file it is.
    used: Option<Coordinate>,
}

/// What a reader gets.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The bytes, or where they are.
    pub resolution: Resolution,
    /// What was asked for.
    pub kind: AnswerKind,
    /// What they are.
    pub media_type: MediaType,
    /// The strong entity tag with its quotes: the SHA-256 of the whole.
    pub etag: Bytes,
    /// When the bytes were published; `None` for computed documents.
    pub published_at: Option<Timestamp>,
    /// How long it may be believed.
    pub max_age: MaxAge,
    /// Whether strangers may read the repository, so that shared caches may keep it.
    pub public: bool,
    /// The request headers that its format reads, by which it may differ.
    pub varies_by: &'static [&'static str],
}

/// What an answer is, in the words of [`Want`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// A stored file.
    File,
    /// A document computed from the content.
    Index,
    /// A document for people, or an authority's.
    Page,
}

/// Where the bytes of an answer are. A new kind of answer is a new variant.
#[derive(Debug, Clone)]
pub enum Resolution {
    /// Here.
    Bytes(Bytes),
    /// In the blob store; [`Keeper::open`] streams them.
    Blob(BlobInfo),
}

impl Resolution {
    /// Length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Blob(blob) => blob.size,
        }
    }
}

impl Answer {
    fn etag(digest: Digest) -> Bytes {
        Bytes::from(format!("\"{digest}\""))
    }

    /// A stored file that the gate has let through.
    fn of_file(found: FoundFile, max_age: MaxAge, public: bool) -> Self {
        let FoundFile { file, published_at, .. } = found;
        Self {
            etag: Self::etag(file.digest),
            resolution: match file.content {
                FileContent::Inline(bytes) => Resolution::Bytes(bytes),
                FileContent::Stored(blob) => Resolution::Blob(blob),
            },
            kind: AnswerKind::File,
            media_type: file.media_type,
            published_at: Some(published_at),
            max_age,
            public,
            varies_by: &[],
        }
    }
}

impl Keeper {
    /// The services over these ports. `parallel_inspections` uploads are examined at once, each on a
    /// blocking thread.
    #[must_use]
    pub fn new(ports: Ports, parallel_inspections: usize) -> Self {
        let weigh = |key: &(RepositoryId, Box<str>), kept: &Arc<Kept>| {
            let body = match &kept.answer.resolution {
                Resolution::Bytes(bytes) => bytes.len(),
                Resolution::Blob(_) => 0,
            };
            u32::try_from(key.1.len() + body + 256).unwrap_or(u32::MAX)
        };
        let answers = Cache::builder().max_capacity(ANSWER_CACHE_BYTES).weigher(weigh).build();
        let summaries = Cache::builder().max_capacity(SUMMARY_CACHE_BYTES).weigher(browse::weigh).build();
        let inspections = Arc::new(Semaphore::new(parallel_inspections.max(1)));
        Self { ports, answers, summaries, inspections, removals: Arc::default(), uses: Uses::default() }
    }

    /// The ports, for questions that need no service.
    #[must_use]
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Answers a read on a repository of `format`. `repository` is the raw segment of the address: one that
    /// cannot be a name is answered as an absent repository.
    ///
    /// # Errors
    /// The refusal or fault to tell the caller.
    pub async fn read(
        &self,
        who: &Principal,
        format: &FormatKey,
        handler: &Arc<dyn FormatHandler>,
        repository: &str,
        request: &FormatRequest<'_>,
    ) -> Result<Answer, Failure> {
        let (repository, permit) = self.enter(who, format, repository, Action::Read).await?;
        let generation = self.ports.artifacts.generation(repository.id);
        let key = variant(handler.info(), request).map(|variant| (repository.id, variant));
        if let Some(key) = &key
            && let Some(kept) = self.answers.get(key)
            && (kept.generation, kept.revision) == (generation, repository.revision)
        {
            if let Some(what) = &kept.used {
                self.note_use(repository.id, what);
            }
            self.ports.listener.hear(&Event::Answered { from_memory: true });
            return Ok(kept.answer.clone());
        }
        self.ports.listener.hear(&Event::Answered { from_memory: false });
        let route = handler.route(request)?;
        let permit = if route.action == Action::Read {
            permit
        } else {
            authorize(who, route.action, &repository)
                .map_err(|denial| self.denied_in_api(&repository.address, &denial))?
        };
        let url = if handler.info().absolute_links { request.repository_url } else { "" };
        let answer = hosted::Hosted { keeper: self, repository: &repository, handler, permit: &permit, url }
            .answer(&route)
            .await
            .map_err(|failure| absence_may_be_kept(failure, &route.absent_max_age, &repository))?;
        let used = match &route.want {
            Want::File { coordinate, .. } if request.verb == "GET" => Some(coordinate.clone()),
            _ => None,
        };
        if let Some(what) = &used {
            self.note_use(repository.id, what);
        }
        if let Some(key) = key
            && worth_keeping(&route, &answer)
        {
            let kept = Kept { generation, revision: repository.revision, answer: answer.clone(), used };
            self.answers.insert(key, Arc::new(kept));
        }
        Ok(answer)
    }

    /// Streams a blob or a part of it. A copy that has just been replaced by another is found again.
    ///
    /// # Errors
    /// `blob_missing` or `blob_corrupt`: a fault of the store, never an absence.
    pub async fn open(&self, blob: &BlobInfo, range: Option<ByteRange>) -> Result<ByteStream, Failure> {
        match self.ports.blobs.open(blob, range).await {
            Err(BlobError::Missing(_)) => {}
            other => return Ok(other?),
        }
        let location = self.ports.artifacts.blob_location(blob.location.digest()).await?;
        let Some(location) = location.filter(|location| *location != blob.location) else {
            return Err(BlobError::Missing(blob.location.as_str().to_owned()).into());
        };
        Ok(self.ports.blobs.open(&BlobInfo { location, size: blob.size }, range).await?)
    }

    /// A blob or a part of it in memory; for callers who know that it is small.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn bytes(&self, blob: &BlobInfo, range: Option<ByteRange>) -> Result<Bytes, Failure> {
        let mut stream = self.open(blob, range).await?;
        let mut bytes = BytesMut::new();
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        Ok(bytes.freeze())
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.ports.artifacts.ping().await
    }
}

/// Names what an answer may depend on besides the repository's content: the path, and the declared headers and
/// the address where the format reads them. `None` for requests whose answers are not kept.
fn variant(format: &FormatInfo, request: &FormatRequest<'_>) -> Option<Box<str>> {
    if !request.query.is_empty() || request.verb != "GET" {
        return None;
    }
    if request.headers.is_empty() && !format.absolute_links {
        return Some(Box::from(request.path));
    }
    let mut variant = request.path.to_owned();
    for (name, value) in request.headers {
        variant.extend(["\n", name, ":", value]);
    }
    if format.absolute_links {
        variant.extend(["\n", request.repository_url]);
    }
    (variant.len() <= VARIANT_BYTES).then(|| variant.into())
}

/// Kept answers are given to whoever may read, before the route is known: those to other actions never are.
fn worth_keeping(route: &Route, answer: &Answer) -> bool {
    let computed_here = matches!(route.want, Want::Page(_));
    let small = match &answer.resolution {
        Resolution::Bytes(bytes) => bytes.len() <= ANSWER_CACHE_ENTRY_BYTES,
        Resolution::Blob(_) => true,
    };
    route.action == Action::Read && !computed_here && small && answer.max_age != MaxAge::NoStore
}

/// A cache may believe the absence of an immutable name only where everybody would get the same answer.
fn absence_may_be_kept(mut failure: Failure, max_age: &MaxAge, repository: &Repository) -> Failure {
    use crate::error::Class::{Gone, NotFound};
    if let (true, Gone | NotFound, MaxAge::Seconds(seconds)) =
        (repository.anonymous_read, failure.code().class, max_age)
    {
        failure.cacheable_s = Some(*seconds);
    }
    failure
}

#[cfg(test)]
mod tests;
