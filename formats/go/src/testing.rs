//! For the tests of this crate: a repository in memory, and a way to run what never waits.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use keeper_core::artifact::{
    ArtifactSummary, Coordinate, FilePath, FileSummary, Label, LabelKind, LabelQuery, PackageName, Page, StoreError,
    VersionName,
};
use keeper_core::documents::KeptDocument;
use keeper_core::error::Failure;
use keeper_core::format::{Document, Recorded, RepositoryView};
use keeper_core::media_type::MediaType;
use keeper_core::repository::{RepositoryKind, Settings};
use keeper_core::upstream::{Authority, UpstreamError, Validators};
use serde_json::{Value, json};

use crate::path::ModulePath;
use crate::remote;
use crate::route::file_path;
use crate::settings;
use crate::version::GoVersion;

/// The outcome of a future that never waits.
pub(crate) fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("memory never makes anybody wait"),
    }
}

/// A package name that is known to be good.
pub(crate) fn package(name: &str) -> PackageName {
    PackageName::try_from(name).expect(name)
}

/// A version of a package, both known to be good.
pub(crate) fn coordinate(name: &str, version: &str) -> Coordinate {
    Coordinate { package: package(name), version: VersionName::try_from(version).expect(version) }
}

/// A repository named `r`. Everything in it is active until it is deleted.
#[derive(Default)]
pub(crate) struct MemoryView {
    settings: Settings,
    /// The metadata of each version of each module; `None` for a tombstone.
    modules: BTreeMap<String, BTreeMap<GoVersion, Option<Value>>>,
    labels: Vec<(String, Label)>,
    /// Small files beside the `.info` of the modules.
    files: BTreeMap<FilePath, Bytes>,
    /// Indexes by their raw paths.
    indexes: BTreeMap<String, Bytes>,
    /// Where its content comes from; hosted unless said.
    kind: Option<RepositoryKind>,
    recorded: Recorded,
    database: Arc<MemoryDatabase>,
}

/// A checksum database in memory, as a network and as what is kept of it.
#[derive(Default)]
pub(crate) struct MemoryDatabase {
    answers: Mutex<BTreeMap<String, Bytes>>,
    is_broken: AtomicBool,
    asked: Mutex<Vec<String>>,
    kept: Mutex<BTreeMap<String, KeptDocument>>,
}

impl MemoryDatabase {
    /// What it answers from now on, by address; nothing was asked yet.
    pub(crate) fn answers(&self, answers: BTreeMap<String, Bytes>) {
        *self.answers.lock().expect("no test panics with it") = answers;
        self.asked.lock().expect("no test panics with it").clear();
    }

    /// Whether it does not answer in time.
    pub(crate) fn is_broken(&self, is_broken: bool) {
        self.is_broken.store(is_broken, Ordering::SeqCst);
    }

    /// What it was asked.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no test panics with it").clone()
    }

    /// The names of what was kept.
    pub(crate) fn kept_names(&self) -> Vec<String> {
        self.kept.lock().expect("no test panics with it").keys().cloned().collect()
    }

    /// Makes all that is kept older.
    pub(crate) fn age(&self, seconds: i64) {
        for document in self.kept.lock().expect("no test panics with it").values_mut() {
            document.fetched_at -= SignedDuration::from_secs(seconds);
        }
    }

    fn put(&self, name: &str, body: Bytes) {
        let document = KeptDocument { body, validators: Validators::default(), fetched_at: Timestamp::now() };
        self.kept.lock().expect("no test panics with it").insert(name.to_owned(), document);
    }
}

impl MemoryView {
    /// One module, all of whose versions have a `go.mod` of their own.
    pub(crate) fn with(module: &str, versions: &[&str]) -> Self {
        let mut view = Self::default();
        for version in versions {
            view.add(module, version, json!({ "has_go_mod": true, "retracts": [] }));
        }
        view
    }

    pub(crate) fn set(mut self, settings: Value) -> Self {
        let Value::Object(map) = settings else { panic!("settings are an object") };
        self.settings = settings::check(Settings(map)).expect("good settings");
        self
    }

    pub(crate) fn add(&mut self, module: &str, version: &str, metadata: Value) {
        let version = GoVersion::parse(version).expect(version);
        self.modules.entry(module.to_owned()).or_default().insert(version, Some(metadata));
    }

    pub(crate) fn delete(&mut self, module: &str, version: &str) {
        let version = GoVersion::parse(version).expect(version);
        self.modules.entry(module.to_owned()).or_default().insert(version, None);
    }

    /// The same of another kind.
    pub(crate) fn of_kind(mut self, kind: RepositoryKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// A small file of a version.
    pub(crate) fn file(&mut self, module: &str, version: &str, extension: &str, body: &str) {
        let (module, version) = (ModulePath::parse(module), GoVersion::parse(version));
        let path = file_path(&module.expect("a module path"), &version.expect("a version"), extension);
        self.files.insert(path.expect("short"), Bytes::from(body.to_owned()));
    }

    /// An index that it has from elsewhere.
    pub(crate) fn has_index(&mut self, path: &str, body: &str) {
        self.indexes.insert(path.to_owned(), Bytes::from(body.to_owned()));
    }

    pub(crate) fn commit(&mut self, module: &str, commit: &str, version: &str) {
        self.point(module, LabelKind::Commit, commit, version);
    }

    pub(crate) fn label(&mut self, module: &str, name: &str, version: &str) {
        self.point(module, LabelKind::Name, name, version);
    }

    fn point(&mut self, module: &str, kind: LabelKind, name: &str, version: &str) {
        let version = VersionName::try_from(version).expect(version);
        self.labels.push((module.to_owned(), Label { kind, name: name.to_owned(), version }));
    }

    /// What its checksum database says, by address.
    pub(crate) fn answers<'a>(&mut self, answers: impl IntoIterator<Item = (&'a str, Bytes)>) {
        self.database.answers(answers.into_iter().map(|(path, body)| (path.to_owned(), body)).collect());
    }

    /// The same with a checksum database that never answers in time.
    pub(crate) fn broken(self) -> Self {
        self.database.is_broken(true);
        self
    }

    /// What its checksum database was asked.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.database.asked()
    }

    /// Its checksum database.
    pub(crate) fn database(&self) -> &MemoryDatabase {
        &self.database
    }

    /// What is recorded of every version.
    pub(crate) fn records(&mut self, checksums: &[(&str, &str)]) {
        let owned = |(name, sum): &(&str, &str)| ((*name).to_owned(), (*sum).to_owned());
        self.recorded.checksums = checksums.iter().map(owned).collect();
    }

    /// The stored `.info` of a version.
    pub(crate) fn info(version: &str) -> String {
        format!("{{\"Version\":\"{version}\",\"Time\":\"2024-03-04T03:06:07Z\"}}")
    }

    fn listed(&self, package: &PackageName) -> Option<impl Iterator<Item = (VersionName, &Value)>> {
        let versions = self.modules.get(package.as_str())?;
        Some(versions.iter().filter_map(|(version, metadata)| {
            Some((VersionName::try_from(version.as_str()).expect("short"), metadata.as_ref()?))
        }))
    }
}

#[async_trait]
impl RepositoryView for MemoryView {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn repository(&self) -> &str {
        "r"
    }

    async fn versions(&self, package: &PackageName) -> Result<Option<Vec<VersionName>>, StoreError> {
        Ok(self.listed(package).map(|listed| listed.map(|(version, _)| version).collect()))
    }

    async fn artifacts(&self, package: &PackageName) -> Result<Vec<ArtifactSummary>, StoreError> {
        let summary = |(version, metadata): (VersionName, &Value)| ArtifactSummary {
            version,
            published_at: Timestamp::UNIX_EPOCH,
            checksums: BTreeMap::new(),
            metadata: metadata.clone(),
        };
        Ok(self.listed(package).into_iter().flatten().map(summary).collect())
    }

    fn url(&self) -> &str {
        ""
    }

    async fn files(&self, _package: &PackageName) -> Result<Vec<FileSummary>, StoreError> {
        Ok(Vec::new())
    }

    async fn packages(&self, after: Option<&PackageName>, limit: u32) -> Result<Page<PackageName>, StoreError> {
        let names: Vec<_> = self.modules.keys().map(|name| package(name)).collect();
        let names: Vec<_> = names.into_iter().filter(|name| after.is_none_or(|after| name > after)).collect();
        let more = names.len() > limit as usize;
        Ok(Page { items: names.into_iter().take(limit as usize).collect(), more })
    }

    async fn labels(&self, package: &PackageName, which: LabelQuery<'_>) -> Result<Vec<Label>, StoreError> {
        let fits = |label: &Label| match which {
            LabelQuery::Name(name) => label.kind == LabelKind::Name && label.name == name,
            LabelQuery::CommitPrefix(digits) => label.kind == LabelKind::Commit && label.name.starts_with(digits),
        };
        let here = self.labels.iter().filter(|(module, _)| module == package.as_str());
        Ok(here.map(|(_, label)| label).filter(|label| fits(label)).cloned().collect())
    }

    async fn case_twins(&self, wanted: &PackageName) -> Result<Vec<PackageName>, StoreError> {
        let wanted = wanted.as_str();
        let twins = self.modules.keys().filter(|name| name.eq_ignore_ascii_case(wanted) && *name != wanted);
        Ok(twins.map(|name| package(name)).collect())
    }

    fn kind(&self) -> RepositoryKind {
        self.kind.unwrap_or(RepositoryKind::Hosted)
    }

    async fn recorded(&self, _what: &Coordinate) -> Result<Option<Recorded>, StoreError> {
        Ok(Some(self.recorded.clone()))
    }

    async fn is_private(&self, package: &PackageName) -> Result<bool, Failure> {
        // The platform knows of families in virtual repositories, where their members are.
        let is_it = |held: &&String| match self.kind() {
            RepositoryKind::Virtual => remote::family(&self::package(held)) == remote::family(package),
            RepositoryKind::Hosted => held.as_str() == package.as_str(),
            // What is there is the world's.
            RepositoryKind::Remote => false,
        };
        Ok(self.modules.keys().any(|held| is_it(&held)))
    }

    async fn index(&self, path: &str) -> Result<Option<Document>, Failure> {
        Ok(self.indexes.get(path).map(|body| Document::new(MediaType::TEXT, body.clone())))
    }

    async fn small(&self, path: &FilePath, limit_bytes: u64) -> Result<Option<Bytes>, Failure> {
        if let Some(body) = self.files.get(path) {
            return Ok(Some(body.clone()));
        }
        for (module, versions) in &self.modules {
            let module = ModulePath::parse(module).expect("a module path");
            for (version, metadata) in versions {
                let body = Bytes::from(Self::info(version.as_str()));
                if metadata.is_some()
                    && file_path(&module, version, "info")? == *path
                    && body.len() as u64 <= limit_bytes
                {
                    return Ok(Some(body));
                }
            }
        }
        Ok(None)
    }

    fn authority(&self, name: &str) -> Option<Arc<dyn Authority>> {
        settings::database(&self.settings).filter(|spec| spec.name == name)?;
        Some(self.database.clone())
    }
}

#[async_trait]
impl Authority for MemoryDatabase {
    async fn fetch(&self, path: &str, limit_bytes: u64) -> Result<Bytes, UpstreamError> {
        self.asked.lock().expect("no test panics with it").push(path.to_owned());
        if self.is_broken.load(Ordering::SeqCst) {
            return Err(UpstreamError::Timeout);
        }
        let answers = self.answers.lock().expect("no test panics with it");
        let body = answers.get(path).ok_or(UpstreamError::Absent)?;
        if body.len() as u64 > limit_bytes { Err(UpstreamError::TooLarge(limit_bytes)) } else { Ok(body.clone()) }
    }

    async fn recall(&self, name: &str) -> Result<Option<KeptDocument>, StoreError> {
        Ok(self.kept.lock().expect("no test panics with it").get(name).cloned())
    }

    async fn keep(&self, name: &str, body: Bytes) -> Result<(), StoreError> {
        self.put(name, body);
        Ok(())
    }

    async fn replace(&self, name: &str, old: Option<&[u8]>, new: Bytes) -> Result<bool, StoreError> {
        let there = self.recall(name).await?;
        let same = there.as_ref().map(|document| document.body.as_ref()) == old;
        if same {
            self.put(name, new);
        }
        Ok(same)
    }
}
