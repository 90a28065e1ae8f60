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
mod members;
mod native;
mod provenance;
mod publish;
mod read;
mod refresh;
mod remote;
mod removal;
mod retention;
mod spool;
mod takeover;
mod target;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use moka::sync::Cache;
use tokio::sync::{Notify, Semaphore};

use crate::artifact::{ArtifactStore, Coordinate, FileContent, FoundFile, PackageName, StoreError};
use crate::audit::AuditStore;
use crate::blob::{BlobError, BlobInfo, BlobStore, ByteRange, ByteStream};
use crate::catalog::{PackageStore, PackageSummary};
use crate::damage::Damage;
use crate::digest::Digest;
use crate::documents::DocumentStore;
use crate::error::{Failure, codes};
use crate::events::Listener;
use crate::format::{Document, FormatInfo, MaxAge, Route, Want};
use crate::identity::Directory;
use crate::lifecycle::LifecycleStore;
use crate::limits::{ANSWER_CACHE_BYTES, CACHED_BYTES, SUMMARY_CACHE_BYTES};
use crate::media_type::MediaType;
use crate::plugin::Registry;
use crate::provenance::ProvenanceStore;
use crate::repository::{Repository, RepositoryId, RepositoryStore};
use crate::upstream::{Authorities, Upstreams};
use crate::uses::Uses;
use crate::visits::Visits;

use members::Owners;
use remote::fetches::Fetches;

pub use browse::served;
pub use delete::Deletion;
pub use explain::{Answered, Explanation, Question, Step, Subject, Verdict};
pub use help::{Diagnosis, Place, Seen, Setup};
pub use native::NativeWrite;
pub use publish::{Published, Upload};
pub use read::ReadOptions;
pub use remote::relay::Relay;
pub use retention::RetentionPlan;
pub use takeover::{Arrival, Taken, check_sums};

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
    /// Where versions come from.
    pub provenance: Arc<dyn ProvenanceStore>,
    /// What came from elsewhere and is no content.
    pub documents: Arc<dyn DocumentStore>,
    /// The sources of remote repositories.
    pub upstreams: Arc<dyn Upstreams>,
    /// The ecosystems' authorities.
    pub authorities: Arc<dyn Authorities>,
    /// Who is told what happens.
    pub listener: Arc<dyn Listener>,
    /// Which stored copies are known to be damaged.
    pub damage: Arc<Damage>,
}

/// The services. Clones share everything.
#[derive(Clone)]
pub struct Keeper(Arc<Services>);

/// What the services share.
pub struct Services {
    ports: Ports,
    answers: Cache<(RepositoryId, Box<str>), Arc<Kept>>,
    summaries: Cache<(RepositoryId, PackageName), (u64, Arc<PackageSummary>)>,
    inspections: Arc<Semaphore>,
    removals: Arc<Notify>,
    uses: Uses,
    visits: Visits,
    fetches: Arc<Fetches>,
    owners: Owners,
}

impl Deref for Keeper {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}

/// An answer kept ready, good while the repository's generation stays. The revision is that of the record it
/// was made with: a change of the record may come between reading it and reading the generation.
struct Kept {
    generation: u64,
    revision: i64,
    /// What came from an upstream is good for a while only.
    until: Option<Instant>,
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
    /// The strong entity tag with its quotes: the SHA-256 of the whole. Empty while that is not known.
    pub etag: Bytes,
    /// When the bytes were published; `None` for computed documents, and for what is still coming.
    pub published_at: Option<Timestamp>,
    /// How long it may be believed.
    pub max_age: MaxAge,
    /// Whether strangers may read the repository, so that shared caches may keep it.
    pub public: bool,
    /// The request headers that its format reads, by which it may differ.
    pub varies_by: &'static [&'static str],
    /// Seconds since an upstream gave it; `None` for what is this server's own.
    pub age_s: Option<u64>,
    /// Whether it is given out although the upstream could not be asked again.
    pub stale: bool,
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
    /// On their way from an upstream; only for those who [may](ReadOptions::may_relay) be told so.
    Relay(Relay),
}

impl Resolution {
    /// Length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Blob(blob) => blob.size,
            Self::Relay(relay) => relay.size(),
        }
    }
}

impl Answer {
    fn etag(digest: Digest) -> Bytes {
        Bytes::from(format!("\"{digest}\""))
    }

    /// A document of a repository, for the route that wanted it.
    fn of_document(document: Document, route: &Route, repository: &Repository, format: &FormatInfo) -> Self {
        let page = matches!(route.want, Want::Page(_));
        Self {
            etag: Self::etag(Digest::of(&document.body)),
            resolution: Resolution::Bytes(document.body),
            kind: if page { AnswerKind::Page } else { AnswerKind::Index },
            media_type: document.media_type,
            published_at: None,
            max_age: document.max_age.unwrap_or(route.max_age),
            public: repository.anonymous_read,
            varies_by: format.request_headers,
            age_s: None,
            stale: false,
        }
    }

    /// The document that an index is, for formats that read another index.
    fn into_document(self) -> Result<Document, Failure> {
        match self.resolution {
            Resolution::Bytes(body) => Ok(Document::new(self.media_type, body)),
            Resolution::Blob(_) | Resolution::Relay(_) => {
                Err(Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by("an index is a stored file"))
            }
        }
    }

    /// A file that is still coming. Nobody keeps an answer that has no name for what it holds.
    fn of_relay(relay: Relay, public: bool) -> Self {
        Self {
            etag: Bytes::new(),
            media_type: relay.media_type(),
            resolution: Resolution::Relay(relay),
            kind: AnswerKind::File,
            published_at: None,
            max_age: MaxAge::NoStore,
            public,
            varies_by: &[],
            age_s: None,
            stale: false,
        }
    }

    /// The stored copy that it names, if it is one.
    fn copy(&self) -> Option<&BlobInfo> {
        match &self.resolution {
            Resolution::Blob(blob) => Some(blob),
            Resolution::Bytes(_) | Resolution::Relay(_) => None,
        }
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
            age_s: None,
            stale: false,
        }
    }
}

/// The weight of an answer in the cache, in bytes: all that is allocated for it, or many small ones would take several times
/// what they may.
fn weigh(key: &(RepositoryId, Box<str>), kept: &Arc<Kept>) -> u32 {
    let body = match &kept.answer.resolution {
        Resolution::Bytes(bytes) => bytes.len(),
        Resolution::Blob(_) | Resolution::Relay(_) => 0,
    };
    let names = kept.used.as_ref().map_or(0, |used| used.package.as_str().len() + used.version.as_str().len());
    let texts = key.1.len() + kept.answer.etag.len() + names;
    u32::try_from(size_of::<Kept>() + CACHED_BYTES + texts + body).unwrap_or(u32::MAX)
}

impl Keeper {
    /// The services over these ports. `parallel_inspections` uploads are examined at once, each on a
    /// blocking thread.
    #[must_use]
    pub fn new(ports: Ports, parallel_inspections: usize) -> Self {
        let answers = Cache::builder().max_capacity(ANSWER_CACHE_BYTES).weigher(weigh).build();
        let summaries = Cache::builder().max_capacity(SUMMARY_CACHE_BYTES).weigher(browse::weigh).build();
        let inspections = Arc::new(Semaphore::new(parallel_inspections.max(1)));
        Self(Arc::new(Services {
            ports,
            answers,
            summaries,
            inspections,
            removals: Arc::default(),
            uses: Uses::default(),
            visits: Visits::default(),
            fetches: Arc::default(),
            owners: Owners::default(),
        }))
    }

    /// The ports, for questions that need no service.
    #[must_use]
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Streams a blob or a part of it. A copy that has just been replaced by another is found again.
    ///
    /// # Errors
    /// `blob_missing` or `blob_corrupt`: a fault of the store, never an absence.
    pub async fn open(&self, blob: &BlobInfo, range: Option<ByteRange>) -> Result<ByteStream, Failure> {
        let (fault, look) = match self.ports.damage.look(blob) {
            Err(known) => (known, None),
            Ok(look) => match self.ports.blobs.open(blob, range).await {
                Err(fault @ (BlobError::Missing(_) | BlobError::Corrupt(..))) => (fault, Some(look)),
                other => return Ok(other?),
            },
        };
        let location = self.ports.artifacts.blob_location(blob.location.digest()).await?;
        if let (Some(look), true) = (look, location.as_ref() == Some(&blob.location)) {
            look.met(&fault);
        }
        let Some(location) = location.filter(|location| *location != blob.location) else { return Err(fault.into()) };
        let moved = BlobInfo { location, size: blob.size };
        self.ports.damage.look(&moved)?;
        Ok(self.ports.blobs.open(&moved, range).await?)
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

    /// The bytes of an answer, if they are at most so many.
    async fn small(&self, answer: Answer, limit_bytes: u64) -> Result<Option<Bytes>, Failure> {
        match answer.resolution {
            resolution if resolution.size() > limit_bytes => Ok(None),
            Resolution::Bytes(bytes) => Ok(Some(bytes)),
            Resolution::Blob(blob) => self.bytes(&blob, None).await.map(Some),
            Resolution::Relay(_) => Ok(None),
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.ports.artifacts.ping().await
    }
}

#[cfg(test)]
mod tests;
