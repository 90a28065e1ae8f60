//! Answers from a hosted repository: a file is row → gate → bytes; an index is computed by the format from
//! a view of this repository alone.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Answer, Keeper, authority};
use crate::access::Permit;
use crate::artifact::{
    ArtifactState, ArtifactSummary, Coordinate, FileContent, FilePath, FileSummary, Label, LabelQuery, PackageName,
    Page, StoreError, VersionName,
};
use crate::error::{Class, Failure};
use crate::format::{Document, FormatHandler, FormatRequest, Recorded, RepositoryView, Route, Want};
use crate::policy;
use crate::repository::{Repository, RepositoryKind, Settings};
use crate::upstream::Authority;

/// One hosted repository, entered with a permit.
pub(super) struct Hosted<'a> {
    pub(super) keeper: &'a Keeper,
    pub(super) repository: &'a Arc<Repository>,
    pub(super) handler: &'a Arc<dyn FormatHandler>,
    pub(super) permit: &'a Permit,
    /// Its address as asked, for formats whose documents hold it.
    pub(super) url: &'a str,
}

impl Hosted<'_> {
    /// What the route wants.
    pub(super) async fn answer(&self, route: &Route) -> Result<Answer, Failure> {
        debug_assert!(self.permit.covers(self.repository, route.action), "a permit for something else");
        match &route.want {
            Want::File { path, coordinate } => self.file(route, path, coordinate).await,
            Want::Index(_) | Want::Page(_) => {
                let document = self.handler.index(route, self).await?;
                Ok(Answer::of_document(document, route, self.repository, self.handler.info()))
            }
            Want::Upload(_) | Want::Change { .. } => Err(Failure::method_not_allowed("GET", "PUT, POST, DELETE")),
        }
    }

    async fn file(&self, route: &Route, path: &FilePath, coordinate: &Coordinate) -> Result<Answer, Failure> {
        let artifacts = &self.keeper.ports.artifacts;
        let Some(found) = artifacts.file(self.repository.id, path).await? else {
            return Err(self.absent(coordinate).await?);
        };
        policy::admit(&found, coordinate)?;
        Ok(Answer::of_file(found, route.max_age, self.repository.anonymous_read))
    }

    /// Tells a tombstone from a version that never was, and an unknown package from an unknown version.
    pub(super) async fn absent(&self, coordinate: &Coordinate) -> Result<Failure, Failure> {
        let artifacts = &self.keeper.ports.artifacts;
        if let Some(artifact) = artifacts.find(self.repository.id, coordinate).await?
            && artifact.state == ArtifactState::Deleted
        {
            return Ok(policy::tombstone(&artifact));
        }
        let known = self.versions(&coordinate.package).await?;
        Ok(self.handler.absent(coordinate, self.repository.address.name.as_str(), known.as_deref()))
    }
}

#[async_trait]
impl RepositoryView for Hosted<'_> {
    fn settings(&self) -> &Settings {
        &self.repository.settings
    }

    fn repository(&self) -> &str {
        self.repository.address.name.as_str()
    }

    fn kind(&self) -> RepositoryKind {
        RepositoryKind::Hosted
    }

    fn url(&self) -> &str {
        self.url
    }

    async fn versions(&self, package: &PackageName) -> Result<Option<Vec<VersionName>>, StoreError> {
        let all = self.keeper.ports.artifacts.versions(self.repository.id, package).await?;
        Ok(all.map(|all| {
            let listed = all.into_iter().filter(|(_, state)| policy::listed(*state));
            listed.map(|(version, _)| version).collect()
        }))
    }

    async fn artifacts(&self, package: &PackageName) -> Result<Vec<ArtifactSummary>, StoreError> {
        self.keeper.ports.artifacts.summaries(self.repository.id, package, ArtifactState::Active).await
    }

    async fn highest(&self, package: &PackageName, limit: u32) -> Result<Vec<ArtifactSummary>, StoreError> {
        self.keeper.ports.artifacts.highest(self.repository.id, package, ArtifactState::Active, limit).await
    }

    async fn files(&self, package: &PackageName) -> Result<Vec<FileSummary>, StoreError> {
        self.keeper.ports.artifacts.file_summaries(self.repository.id, package, ArtifactState::Active).await
    }

    async fn packages(&self, after: Option<&PackageName>, limit: u32) -> Result<Page<PackageName>, StoreError> {
        self.keeper.ports.artifacts.packages(self.repository.id, ArtifactState::Active, after, limit).await
    }

    async fn labels(&self, package: &PackageName, which: LabelQuery<'_>) -> Result<Vec<Label>, StoreError> {
        self.keeper.ports.artifacts.labels(self.repository.id, package, which).await
    }

    async fn case_twins(&self, package: &PackageName) -> Result<Vec<PackageName>, StoreError> {
        self.keeper.ports.artifacts.case_twins(self.repository.id, package).await
    }

    async fn recorded(&self, what: &Coordinate) -> Result<Option<Recorded>, StoreError> {
        let artifact = self.keeper.ports.artifacts.find(self.repository.id, what).await?;
        Ok(artifact.map(|artifact| Recorded { checksums: artifact.checksums, metadata: artifact.metadata }))
    }

    async fn is_private(&self, package: &PackageName) -> Result<bool, Failure> {
        Ok(self.keeper.ports.artifacts.versions(self.repository.id, package).await?.is_some())
    }

    async fn index(&self, path: &str) -> Result<Option<Document>, Failure> {
        let request = FormatRequest { verb: "GET", path, query: "", headers: &[], repository_url: self.url };
        let route = self.handler.route(&request)?;
        present(self.handler.index(&route, self).await)
    }

    async fn small(&self, path: &FilePath, limit_bytes: u64) -> Result<Option<Bytes>, Failure> {
        let Some(found) = self.keeper.ports.artifacts.file(self.repository.id, path).await? else {
            return Ok(None);
        };
        if policy::admit(&found, path).is_err() || found.file.content.size() > limit_bytes {
            return Ok(None);
        }
        match found.file.content {
            FileContent::Inline(bytes) => Ok(Some(bytes)),
            FileContent::Stored(blob) => self.keeper.bytes(&blob, None).await.map(Some),
        }
    }

    fn authority(&self, name: &str) -> Option<Arc<dyn Authority>> {
        authority::named(&self.keeper.ports, self.handler, &self.repository.settings, name)
    }
}

/// An absence is no answer.
pub(super) fn present<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(failure) if matches!(failure.code().class, Class::NotFound | Class::Gone) => Ok(None),
        Err(failure) => Err(failure),
    }
}
