//! The contract between the platform and a format.
//!
//! *The format says what, the platform says how.* A [`FormatHandler`] answers pure questions (what does this
//! request ask for, what is this upload) and computes index documents from a [`RepositoryView`] of one
//! repository. It sees no disk, no database, no network, no principal and no web framework.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use crate::access::{Action, Pattern};
use crate::artifact::{
    ArtifactSummary, Coordinate, FilePath, FileSummary, Label, LabelQuery, PackageName, Page, SortKey, StoreError,
    VersionName,
};
use crate::blob::ReadSeek;
use crate::catalog::PackageSummary;
use crate::error::{Code, Failure, Problem, codes};
use crate::media_type::MediaType;
use crate::repository::{RepositoryKind, Settings};
use crate::upstream::{Authority, AuthoritySpec};

pub mod help;
mod inspection;
pub mod recipes;
mod remote;
mod takeover;
pub mod template;
mod write;

pub use help::{Capability, DoctorTarget, Finding, Purpose, SetupTarget, SetupText, Severity};
pub use inspection::{Claim, FileSink, InspectError, Inspection, NewFile};
pub use remote::{AdmitAll, Confirmation, Gate, Recorded, UpstreamFile};
pub use takeover::{ForeignFile, ForeignVersion, KnownSum, Takeover};
pub use write::{Change, Done, Intake, Outcome, UploadBody};

/// What a format says about itself.
#[derive(Debug)]
pub struct FormatInfo {
    /// The key, also the first segment of its addresses; `[a-z][a-z0-9-]{0,31}`.
    pub key: &'static str,
    /// For people.
    pub title: &'static str,
    /// The JSON schema of its repository settings; each has a `title`, which forms show as its label.
    pub settings_schema: &'static str,
    /// Fields of the upload form that only this format knows.
    pub upload_fields: &'static [UploadField],
    /// Request headers (lower case) that its routes read; no others reach it. Answers vary by them.
    pub request_headers: &'static [&'static str],
    /// Whether its documents hold the address under which the repository was asked.
    pub absolute_links: bool,
    /// The codes of its refusals.
    pub codes: &'static [&'static Code],
    /// Bytes of an upload at most.
    pub max_upload_bytes: u64,
}

impl FormatInfo {
    /// A format without a name that asks for nothing special; for `FormatInfo { key, title, ..FormatInfo::PLAIN }`.
    pub const PLAIN: Self = Self {
        key: "",
        title: "",
        settings_schema: r#"{"type":"object","properties":{},"additionalProperties":false}"#,
        upload_fields: &[],
        request_headers: &[],
        absolute_links: false,
        codes: &[],
        max_upload_bytes: 0,
    };
}

/// A field of the upload form that a format adds.
#[derive(Debug)]
pub struct UploadField {
    /// Its name.
    pub name: &'static str,
    /// What it does, one sentence.
    pub help: &'static str,
}

/// A request below a repository: `/github.com/%21azure/m/@v/list`.
#[derive(Debug, Clone, Copy)]
pub struct FormatRequest<'a> {
    /// The verb, upper case. `HEAD` arrives as `GET`: the platform leaves out the body.
    pub verb: &'a str,
    /// The raw path below the repository, beginning with `/`, or empty.
    pub path: &'a str,
    /// The raw query without `?`, or empty.
    pub query: &'a str,
    /// The declared headers that were sent, as text.
    pub headers: &'a [(&'static str, &'a str)],
    /// The address of the repository as asked: `https://host/go/local`.
    pub repository_url: &'a str,
}

impl<'a> FormatRequest<'a> {
    /// The value of a declared header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }
}

/// How long an answer may be believed without asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxAge {
    /// For ever: the address names bytes that never change.
    Immutable,
    /// So many seconds.
    Seconds(u32),
    /// Ask each time.
    Revalidate,
    /// Do not keep at all.
    NoStore,
}

/// What a request asks for.
#[derive(Debug, Clone)]
pub struct Route {
    /// What must be allowed first.
    pub action: Action,
    /// The package concerned, if one is.
    pub package: Option<PackageName>,
    /// How long the answer may be believed.
    pub max_age: MaxAge,
    /// How long its absence may be believed, where strangers may read.
    pub absent_max_age: MaxAge,
    /// Whether only what is stored may answer: no upstream is asked.
    pub stored_only: bool,
    /// What is wanted.
    pub want: Want,
}

/// What a route wants.
#[derive(Debug, Clone)]
pub enum Want {
    /// A stored file: the platform serves it alone.
    File {
        /// Its address.
        path: FilePath,
        /// The version it belongs to, to tell a tombstone from absence.
        coordinate: Coordinate,
    },
    /// A document computed from the repository's content.
    Index(IndexKey),
    /// A document that no upstream is ever asked for: help, an import page, an authority's answer.
    Page(IndexKey),
    /// To publish the body; the route's action is `Publish`.
    Upload(Intake),
    /// To change something without content; [`FormatHandler::change`] reads the body, which is small.
    Change {
        /// What is to change.
        key: IndexKey,
        /// Bytes of the body at most.
        body_limit_bytes: usize,
    },
}

/// Names a computed document, or a change, to the format that routed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexKey {
    /// The format's own word for the kind of document or change.
    pub kind: &'static str,
    /// What it is about, in the format's own terms; may be empty.
    pub subject: String,
}

/// A computed document.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its bytes.
    pub body: Bytes,
    /// What they are.
    pub media_type: MediaType,
    /// How long it may be believed, when the route's answer does not hold.
    pub max_age: Option<MaxAge>,
}

impl Document {
    /// A document believed as long as its route says.
    pub fn new(media_type: MediaType, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), media_type, max_age: None }
    }
}

/// What a format may see: one repository and no other, behind the policy gate.
#[async_trait]
pub trait RepositoryView: Send + Sync {
    /// The format's own part of the repository's settings.
    fn settings(&self) -> &Settings;

    /// The name of the repository, for texts.
    fn repository(&self) -> &str;

    /// Where its content comes from.
    fn kind(&self) -> RepositoryKind;

    /// The address of the repository as asked: `https://host/go/local`. Empty where nobody asked, and for
    /// formats that do not declare [`FormatInfo::absolute_links`].
    fn url(&self) -> &str;

    /// Versions that may be listed, in order. `None`: the package was never there; empty: nothing to list.
    async fn versions(&self, package: &PackageName) -> Result<Option<Vec<VersionName>>, StoreError>;

    /// All that an index page needs of the versions that may be listed, in order.
    async fn artifacts(&self, package: &PackageName) -> Result<Vec<ArtifactSummary>, StoreError>;

    /// The highest of them, at most `limit`, the highest first. What it costs does not grow with the number of
    /// versions, where the view is one stored repository.
    async fn highest(&self, package: &PackageName, limit: u32) -> Result<Vec<ArtifactSummary>, StoreError> {
        let mut all = self.artifacts(package).await?;
        all.reverse();
        all.truncate(limit as usize);
        Ok(all)
    }

    /// The files of the versions that may be listed, in order.
    async fn files(&self, package: &PackageName) -> Result<Vec<FileSummary>, StoreError>;

    /// A page of the packages that have a version that may be listed, by name, after this one.
    async fn packages(&self, after: Option<&PackageName>, limit: u32) -> Result<Page<PackageName>, StoreError>;

    /// Labels of a package.
    async fn labels(&self, package: &PackageName, which: LabelQuery<'_>) -> Result<Vec<Label>, StoreError>;

    /// Packages whose names differ from this one only in case.
    async fn case_twins(&self, package: &PackageName) -> Result<Vec<PackageName>, StoreError>;

    /// What is recorded of a version, also when its files were removed. In a virtual repository nothing is.
    async fn recorded(&self, what: &Coordinate) -> Result<Option<Recorded>, StoreError>;

    /// Whether the name is known to be this house's own: it is held, or was, by a hosted repository here, or is
    /// reserved. No one outside may hear it then.
    async fn is_private(&self, package: &PackageName) -> Result<bool, Failure>;

    /// Another index of this repository as clients get it, by its raw path (begins with `/`); `None` when it is
    /// absent. A remote repository asks its upstream.
    async fn index(&self, path: &str) -> Result<Option<Document>, Failure>;

    /// A file of at most `limit_bytes` bytes; `None` when it is absent or may not be served. A remote repository
    /// fetches what it lacks.
    async fn small(&self, path: &FilePath, limit_bytes: u64) -> Result<Option<Bytes>, Failure>;

    /// An authority that the settings name.
    fn authority(&self, name: &str) -> Option<Arc<dyn Authority>>;
}

/// One ecosystem.
#[async_trait]
pub trait FormatHandler: Debug + Send + Sync {
    /// Key, title, limits, codes.
    fn info(&self) -> &'static FormatInfo;

    /// Checks a repository's settings and fills in defaults.
    ///
    /// # Errors
    /// One problem for each bad setting.
    fn settings(&self, given: Settings) -> Result<Settings, Failure> {
        let unknown = given.0.keys().map(|key| {
            Problem::new(&codes::UNKNOWN_FIELD, format!("{} has no setting {key:?}", self.info().title))
                .field(format!("settings.{key}"))
        });
        Failure::from_problems(unknown.collect()).map_or(Ok(given), Err)
    }

    /// The authorities that settings name.
    fn authorities(&self, _settings: &Settings) -> Vec<AuthoritySpec> {
        Vec::new()
    }

    /// Pure: what is asked, of which package, and what must be allowed first.
    ///
    /// # Errors
    /// What the caller is told once it is known to be allowed to read the repository.
    fn route(&self, request: &FormatRequest<'_>) -> Result<Route, Failure>;

    /// A document computed from one repository.
    ///
    /// # Errors
    /// Absence, or trouble of the view.
    async fn index(&self, route: &Route, view: &dyn RepositoryView) -> Result<Document, Failure>;

    /// What to say when a stored file is absent; `known` tells whether the package is there.
    fn absent(&self, coordinate: &Coordinate, repository: &str, _known: Option<&[VersionName]>) -> Failure {
        Failure::new(&codes::FILE_NOT_FOUND, format!("{coordinate} has no such file in repository \"{repository}\""))
    }

    /// Blocking: judges the bytes of a publisher and writes the files they become to `out`.
    ///
    /// # Errors
    /// [`InspectError::Refused`] with all problems found, or a fault of the storage.
    fn inspect(
        &self,
        claim: &Claim<'_>,
        input: &mut dyn ReadSeek,
        out: &mut dyn FileSink,
    ) -> Result<Inspection, InspectError>;

    /// Before a candidate is kept: what the repository's other versions and, for a copy of an upstream's file, the
    /// ecosystem's authority say of it.
    ///
    /// # Errors
    /// A refusal, or trouble of the view.
    async fn confirm(&self, _candidate: &Inspection, _view: &dyn RepositoryView) -> Result<Confirmation, Failure> {
        Ok(Confirmation::default())
    }

    /// Names that one owner holds together (Go: the path without its major version).
    fn family(&self, package: &PackageName) -> PackageName {
        package.clone()
    }

    /// Names above this one, the nearest first: who holds one of them answers for this one, too, and clients that look for
    /// one of them ask for this one on the way (Go: the paths that it begins with, for a module holds the packages below
    /// it).
    fn above(&self, _package: &PackageName) -> Vec<PackageName> {
        Vec::new()
    }

    /// Whether a pattern of an administrator means this package; a pattern that does not read means none.
    fn covers(&self, pattern: &str, package: &PackageName) -> bool {
        Pattern::parse(pattern).is_ok_and(|pattern| pattern.matches(package.as_str()))
    }

    /// Whether a pattern reads.
    ///
    /// # Errors
    /// What is wrong with it, and a good example.
    fn check_pattern(&self, pattern: &str) -> Result<(), String> {
        Pattern::parse(pattern).map(drop).map_err(str::to_owned)
    }

    /// Where an upstream has what the route wants: raw, percent-encoded, without a leading slash, made of what was
    /// understood. `None` for what is computed here.
    fn upstream_path(&self, route: &Route) -> Option<String> {
        match &route.want {
            Want::File { path, .. } => Some(path.as_str().to_owned()),
            _ => None,
        }
    }

    /// Bytes of the upstream's file that the route wants, at most: of a longer one no more is taken in.
    fn upstream_limit_bytes(&self, _route: &Route) -> u64 {
        self.info().max_upload_bytes
    }

    /// As what the file that a route wants may be given out while it comes from an upstream, before it is judged; the
    /// end of it waits for the judgement all the same. `None` where something has to vouch for it first, which is the
    /// default. `recorded` is what is known of its version.
    fn relayed_as(&self, _route: &Route, _settings: &Settings, _recorded: &Recorded) -> Option<MediaType> {
        None
    }

    /// The index that proves a package known (Go: its list); `None` where only the very request can tell.
    fn proof(&self, _package: &PackageName) -> Option<Route> {
        None
    }

    /// Pure: joins the indexes of members, or an upstream's and what is stored, in order; of one part it keeps what
    /// is sound. Versions that the gate does not admit are left out. What is in earlier parts wins.
    ///
    /// # Errors
    /// `upstream_invalid` for a part that cannot be such an index; an absence or the gate's refusal when nothing is
    /// left of what can only be one thing.
    fn merge(&self, _route: &Route, parts: &[Document], _gate: &dyn Gate) -> Result<Document, Failure> {
        parts.first().cloned().ok_or_else(|| Failure::new(&codes::NOT_FOUND, codes::NOT_FOUND.title))
    }

    /// When a version was made, as the metadata recorded of it says; for the least age of what may come in.
    fn made_at(&self, _metadata: &Value) -> Option<Timestamp> {
        None
    }

    /// The stored file by which a version's time is learnt (Go: its `.info`), if there is one.
    fn time_file(&self, _what: &Coordinate) -> Option<Route> {
        None
    }

    /// Whether a version withdraws one of these, which are admitted (Go: it retracts them): then it is let through
    /// though it is too young.
    ///
    /// # Errors
    /// Trouble of the view.
    async fn withdraws(
        &self,
        _what: &Coordinate,
        _admitted: &[VersionName],
        _view: &dyn RepositoryView,
    ) -> Result<bool, Failure> {
        Ok(false)
    }

    /// The other places of this ecosystem that versions can be taken over from; none by default.
    fn takeover(&self) -> Option<&dyn Takeover> {
        None
    }

    /// Pure: reads the small body of a native write that the format routed as [`Want::Change`].
    ///
    /// # Errors
    /// A body that says nothing useful.
    fn change(&self, _route: &Route, _body: &[u8]) -> Result<Change, Failure> {
        Err(Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by("a change that the format does not read"))
    }

    /// What a client that wrote by the ecosystem's own protocol is told.
    fn receipt(&self, done: &Done) -> Document {
        let what = match done.outcome {
            Outcome::Published => "published",
            Outcome::Unchanged => "there already",
            Outcome::Labelled => "labelled",
            Outcome::Deleted => "deleted",
        };
        Document::new(MediaType::TEXT, format!("{what}: {}\n", done.coordinate))
    }

    /// What is latest, and what is to be said of each of `versions`: all of the package's in order, those that the
    /// view does not list too.
    ///
    /// # Errors
    /// Trouble of the view.
    async fn summary(
        &self,
        package: &PackageName,
        _versions: &[VersionName],
        view: &dyn RepositoryView,
    ) -> Result<PackageSummary, Failure> {
        let latest = view.versions(package).await?.and_then(|mut listed| listed.pop());
        Ok(PackageSummary { latest, ..PackageSummary::default() })
    }

    /// Bytes whose order is the ecosystem's version order.
    fn sort_key(&self, version: &VersionName) -> SortKey;

    /// How this ecosystem's client sends a credential to `host`; one line, shown to those who need one.
    fn login_hint(&self, _host: &str, _https: bool) -> String {
        "Send a token: 'Authorization: Bearer <token>', or as the password of any login.".to_owned()
    }

    /// The version of this plugin; by default that of the platform it was built with.
    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// What it can do beyond serving what is stored.
    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::Publish]
    }

    /// Client set-up texts for a repository, the one that most need first; by default what works for every format:
    /// curl, a token in `.netrc`, and an upload through the API.
    fn setup(&self, target: &SetupTarget<'_>) -> Vec<SetupText> {
        recipes::plain(self.info().key, target)
    }

    /// What is wrong with the settings that a client reports, the worst first.
    ///
    /// # Errors
    /// `doctor_missing` where the format judges no settings; `invalid_field` for what is no report.
    fn doctor(&self, _report: &str, _target: &DoctorTarget<'_>) -> Result<Vec<Finding>, Failure> {
        Err(Failure::new(&codes::DOCTOR_MISSING, format!("the format {} judges no settings", self.info().key)))
    }

    /// The paths below the repository that a client asks for to get a version, or what it asks first when it names
    /// none. Empty where a client only ever asks for stored files.
    ///
    /// # Errors
    /// What a client gets that asks for such a name.
    fn requests(&self, _package: &str, _version: Option<&str>) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }
}
