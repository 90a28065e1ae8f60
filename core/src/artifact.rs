//! Packages, versions, artifacts and their files, and the port that keeps them.
//!
//! Shape: the artifact (`example.com/m`, `v1.0.0`) of the repository `go/local` has the files
//! `example.com/m/@v/v1.0.0.zip`, `….mod`, `….info`. Names here are already judged by the format; these
//! types only promise that they are storable: not empty, bounded, free of control characters.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::blob::{BlobInfo, BlobLocation};
use crate::catalog::About;
use crate::digest::Digest;
use crate::media_type::MediaType;
use crate::provenance::Way;
use crate::repository::{Actor, RepositoryId};

mod amendment;
mod error;
mod name;
mod part;
mod reserved;

pub use amendment::{Amended, Amendment};
pub use error::StoreError;
pub use name::{ArtifactId, Coordinate, FilePath, PackageName, VersionName};
pub use part::Extent;
pub use reserved::LOST_IN_RESTORE;

/// What may be done with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactState {
    /// Listed and served.
    Active,
    /// Served to those who name it; not listed, never latest.
    Yanked,
    /// Refused by policy.
    Blocked,
    /// A tombstone: the files are gone, the number stays taken.
    Deleted,
}

impl ArtifactState {
    const ALL: [Self; 4] = [Self::Active, Self::Yanked, Self::Blocked, Self::Deleted];

    /// The word on the wire and in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Yanked => "yanked",
            Self::Blocked => "blocked",
            Self::Deleted => "deleted",
        }
    }

    /// The state of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What makes two uploads of one version equal: the content as clients get it, judged by the format (Go: the
/// `h1:` of the zip and of `go.mod`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentId(pub String);

/// Bytes whose order is the version order of the ecosystem; stored, so that pages can follow it by key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SortKey(pub Vec<u8>);

/// Something worth knowing about an upload that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Its stable name.
    pub code: String,
    /// What was found and what it means.
    pub message: String,
    /// The archive entry concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// A package that a version needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// The package.
    pub package: String,
    /// The version or range, as the format writes it.
    pub version: String,
    /// The format's own word for the kind of need (Go: `indirect`); empty for a plain one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

/// What kind of name a label is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelKind {
    /// A full commit id, found by any unique prefix.
    Commit,
    /// A branch or tag, found by its whole name.
    Name,
}

/// A name that points to a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// What kind of name.
    pub kind: LabelKind,
    /// The name.
    pub name: String,
    /// The version it points to.
    pub version: VersionName,
}

/// Which labels are wanted.
#[derive(Debug, Clone, Copy)]
pub enum LabelQuery<'a> {
    /// The branch or tag of exactly this name.
    Name(&'a str),
    /// Commits whose id begins so.
    CommitPrefix(&'a str),
}

/// Bytes of a file: small ones in the row itself, others in the blob store.
#[derive(Debug, Clone)]
pub enum FileContent {
    /// The bytes themselves, at most [`INLINE_BYTES`](crate::limits::INLINE_BYTES).
    Inline(Bytes),
    /// Where they are stored.
    Stored(BlobInfo),
}

impl FileContent {
    /// Length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Stored(blob) => blob.size,
        }
    }

    /// The stored copy, if they are not in the row.
    #[must_use]
    pub fn stored(&self) -> Option<&BlobInfo> {
        match self {
            Self::Stored(blob) => Some(blob),
            Self::Inline(_) => None,
        }
    }
}

/// One stored, addressed thing of an artifact.
#[derive(Debug, Clone)]
pub struct ArtifactFile {
    /// Its address below the repository.
    pub path: FilePath,
    /// Its name within the artifact, unique there (`v1.0.0.zip`).
    pub name: String,
    /// What it is served as.
    pub media_type: MediaType,
    /// The digest of its bytes.
    pub digest: Digest,
    /// The bytes, or where they are.
    pub content: FileContent,
}

/// A file as it was found, with what decides whether it may be served.
#[derive(Debug, Clone)]
pub struct FoundFile {
    /// The file.
    pub file: ArtifactFile,
    /// The state of its artifact.
    pub state: ArtifactState,
    /// Why the artifact is in that state, if somebody said so.
    pub reason: String,
    /// When it was published, for `Last-Modified`.
    pub published_at: Timestamp,
}

/// A version of a package, whole.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Its public id.
    pub id: ArtifactId,
    /// The repository that holds it.
    pub repository: RepositoryId,
    /// Package and version.
    pub coordinate: Coordinate,
    /// What may be done with it.
    pub state: ArtifactState,
    /// Why, and when, it came into that state when that is not `active`.
    pub state_reason: String,
    /// When the state last changed, if ever.
    pub state_changed_at: Option<Timestamp>,
    /// Whether retention keeps it whatever its rules say.
    pub pinned: bool,
    /// When it was accepted.
    pub published_at: Timestamp,
    /// The login that published it.
    pub published_by: String,
    /// What makes an upload of the same version equal to it.
    pub content: ContentId,
    /// The package URL, as the format writes it.
    pub purl: String,
    /// Its files by name; empty for a tombstone.
    pub files: Vec<ArtifactFile>,
    /// Sums by their ecosystem's names (`h1`).
    pub checksums: BTreeMap<String, String>,
    /// What the format found out.
    pub metadata: Value,
    /// What it needs.
    pub dependencies: Vec<Dependency>,
    /// What its upload was warned of.
    pub warnings: Vec<Warning>,
    /// What it tells people.
    pub about: About,
}

/// The part of an artifact that an index page needs.
#[derive(Debug, Clone)]
pub struct ArtifactSummary {
    /// The version.
    pub version: VersionName,
    /// When it was accepted.
    pub published_at: Timestamp,
    /// Sums by their ecosystem's names.
    pub checksums: BTreeMap<String, String>,
    /// What the format found out.
    pub metadata: Value,
}

/// A file as an index needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSummary {
    /// The version it belongs to.
    pub version: VersionName,
    /// Its address below the repository.
    pub path: FilePath,
    /// Its name within the artifact.
    pub name: String,
    /// What it is served as.
    pub media_type: MediaType,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Length in bytes.
    pub size: u64,
}

/// A version about to be published: everything of it becomes visible at once, or nothing.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Its id, if it is new.
    pub id: ArtifactId,
    /// Package and version.
    pub coordinate: Coordinate,
    /// The names that one owner holds together with the package's, as its format says.
    pub family: PackageName,
    /// Orders the version among its siblings.
    pub sort_key: SortKey,
    /// Whether it may be added to a version that is there.
    pub extent: Extent,
    /// Whether it is a copy of what an upstream has. Then the sums that are recorded stay for ever: others of the
    /// same name are a conflict, and a tombstone is filled again by files that have the same.
    pub copied: bool,
    /// What makes a repeat equal; of a part, the files alone decide that.
    pub content: ContentId,
    /// The package URL.
    pub purl: String,
    /// All files, durable already.
    pub files: Vec<ArtifactFile>,
    /// Sums by their ecosystem's names.
    pub checksums: BTreeMap<String, String>,
    /// What the format found out.
    pub metadata: Value,
    /// What it needs.
    pub dependencies: Vec<Dependency>,
    /// Names that point to it: the kind and the name.
    pub labels: Vec<(LabelKind, String)>,
    /// What the upload is warned of.
    pub warnings: Vec<Warning>,
    /// What it tells people, within its bounds.
    pub about: About,
    /// The digest of the upload as it came, for the record only.
    pub upload_digest: Digest,
    /// When the upload began by the monotonic clock: a commit later than
    /// [`UPLOAD_TIME`](crate::limits::UPLOAD_TIME) after it is refused.
    pub began: std::time::Instant,
    /// Wall-clock time of acceptance.
    pub published_at: Timestamp,
    /// Who publishes.
    pub by: Actor,
    /// In which way it came in, for the record only.
    pub way: Way,
}

impl Publication {
    /// The version that it becomes in a repository, with these files: its own, but each on the copy of its bytes
    /// that is live.
    #[must_use]
    pub fn into_artifact(self, repository: RepositoryId, mut files: Vec<ArtifactFile>) -> Artifact {
        files.sort_by(|one, other| one.name.cmp(&other.name));
        Artifact {
            id: self.id,
            repository,
            coordinate: self.coordinate,
            state: ArtifactState::Active,
            state_reason: String::new(),
            state_changed_at: None,
            pinned: false,
            published_at: self.published_at,
            published_by: self.by.login,
            content: self.content,
            purl: self.purl,
            files,
            checksums: self.checksums,
            metadata: self.metadata,
            dependencies: self.dependencies,
            warnings: self.warnings,
            about: self.about,
        }
    }
}

/// How a publication ended.
#[derive(Debug, Clone)]
pub enum PublishOutcome {
    /// It is new and durable.
    Created(Artifact),
    /// It is a part, and files of it were added to the version that was there.
    Extended(Artifact),
    /// The same content was there already: nothing changed but labels that now point to it.
    Same(Artifact),
    /// Other content was there already: nothing changed.
    Conflict(Artifact),
    /// The version was deleted once: nothing changed.
    Deleted(Artifact),
}

/// Which artifacts a list holds.
#[derive(Debug, Clone, Default)]
pub struct ArtifactQuery {
    /// The repositories that the caller may read and asks for; nothing outside them is ever found.
    pub repositories: Vec<RepositoryId>,
    /// Exactly this package.
    pub package: Option<String>,
    /// Exactly this version.
    pub version: Option<String>,
    /// Exactly this state; `None` hides tombstones.
    pub state: Option<ArtifactState>,
    /// Packages whose name contains this text.
    pub text: Option<String>,
    /// Only artifacts that come after this one: newest first, by id.
    pub after: Option<ArtifactId>,
    /// At most so many.
    pub limit: u32,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Whether more follow.
    pub more: bool,
}

impl<T> Page<T> {
    /// The first `limit` of these; whoever asked for one more knows by it whether more follow.
    #[must_use]
    pub fn cut(mut items: Vec<T>, limit: usize) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        Self { items, more }
    }

    /// The same page of other things.
    ///
    /// # Errors
    /// The first that `to` reports.
    pub fn try_map<U, E>(self, to: impl FnMut(T) -> Result<U, E>) -> Result<Page<U>, E> {
        Ok(Page { items: self.items.into_iter().map(to).collect::<Result<_, _>>()?, more: self.more })
    }
}

/// Keeps packages, versions and files.
#[async_trait]
pub trait ArtifactStore: Send + Sync {
    /// A number that changes with every committed change of a repository's content or record. In-memory
    /// answers are good only while it stays the same. Never blocks.
    fn generation(&self, of: RepositoryId) -> u64;

    /// The file at an address, with the state of its artifact; `None` when there is no such file, also for a
    /// tombstone.
    async fn file(&self, of: RepositoryId, path: &FilePath) -> Result<Option<FoundFile>, StoreError>;

    /// A version, whole, tombstones included.
    async fn find(&self, of: RepositoryId, what: &Coordinate) -> Result<Option<Artifact>, StoreError>;

    /// An artifact by its public id, if it is in one of these repositories.
    async fn by_id(&self, within: &[RepositoryId], id: ArtifactId) -> Result<Option<Artifact>, StoreError>;

    /// The versions of a package with their states in the ecosystem's order; `None` when the package was
    /// never there.
    async fn versions(
        &self,
        of: RepositoryId,
        package: &PackageName,
    ) -> Result<Option<Vec<(VersionName, ArtifactState)>>, StoreError>;

    /// What index pages need of all versions of a package that are in this state, in the ecosystem's order.
    async fn summaries(
        &self,
        of: RepositoryId,
        package: &PackageName,
        state: ArtifactState,
    ) -> Result<Vec<ArtifactSummary>, StoreError>;

    /// The same of the highest ones only, at most `limit`, the highest first; no slower for more versions.
    async fn highest(
        &self,
        of: RepositoryId,
        package: &PackageName,
        state: ArtifactState,
        limit: u32,
    ) -> Result<Vec<ArtifactSummary>, StoreError>;

    /// The files of all versions of a package that are in this state, in the ecosystem's order, then by name.
    async fn file_summaries(
        &self,
        of: RepositoryId,
        package: &PackageName,
        state: ArtifactState,
    ) -> Result<Vec<FileSummary>, StoreError>;

    /// A page of the packages of a repository that have a version in this state, by name, after this one.
    async fn packages(
        &self,
        of: RepositoryId,
        state: ArtifactState,
        after: Option<&PackageName>,
        limit: u32,
    ) -> Result<Page<PackageName>, StoreError>;

    /// Labels of a package that point to versions in state `active` or `yanked`; at most 100.
    async fn labels(
        &self,
        of: RepositoryId,
        package: &PackageName,
        which: LabelQuery<'_>,
    ) -> Result<Vec<Label>, StoreError>;

    /// Other packages of the repository whose names are equal to this one under ASCII case folding.
    async fn case_twins(&self, of: RepositoryId, package: &PackageName) -> Result<Vec<PackageName>, StoreError>;

    /// Whether a package of this family is there or ever was, tombstones included.
    async fn holds(&self, of: RepositoryId, family: &PackageName) -> Result<bool, StoreError>;

    /// A page of artifacts, newest first.
    async fn search(&self, query: &ArtifactQuery) -> Result<Page<Artifact>, StoreError>;

    /// The linearisation point: everything of the publication or nothing, durable on return. Repeating a
    /// publication is harmless. A part adds the files that are missing to a version that is there, with its
    /// sums, dependencies, labels and warnings, and with the fields of its metadata, which win; one file of
    /// other bytes at a path that is taken is a conflict of the whole part.
    async fn publish(&self, of: RepositoryId, what: Publication) -> Result<PublishOutcome, StoreError>;

    /// Lets a name point to a version from now on. `None` when there is no such version, or only its
    /// tombstone.
    async fn label(
        &self,
        of: RepositoryId,
        what: &Coordinate,
        name: &str,
        by: &Actor,
    ) -> Result<Option<Artifact>, StoreError>;

    /// Turns a version into a tombstone, if it has the `expected` [tag](Artifact::tag) or none is given: its files
    /// and labels go, its content id stays. `None` when there is no such version; repeating answers the tombstone,
    /// whatever was expected.
    async fn delete(
        &self,
        of: RepositoryId,
        what: &Coordinate,
        expected: Option<&str>,
        reason: &str,
        by: &Actor,
    ) -> Result<Option<Amended>, StoreError>;

    /// Changes what may change of a version; `None` when there is no such version. Repeating is harmless.
    async fn amend(
        &self,
        of: RepositoryId,
        what: &Coordinate,
        change: Amendment,
        by: &Actor,
    ) -> Result<Option<Amended>, StoreError>;

    /// The live location of a blob that rows name by digest, when the one read before has moved.
    async fn blob_location(&self, of: Digest) -> Result<Option<BlobLocation>, StoreError>;

    /// Makes `new` the live copy of its digest if `old` still is; `false` when it is not. Heals a lost blob.
    async fn relocate(&self, old: &BlobLocation, new: &BlobLocation) -> Result<bool, StoreError>;

    /// A cheap question that shows whether the database answers.
    async fn ping(&self) -> Result<(), StoreError>;
}
