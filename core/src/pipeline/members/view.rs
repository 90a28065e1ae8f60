//! What a format sees of a virtual repository: what its hosted members hold, and indexes and files as clients get them.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Members, claimants, part_of};
use crate::artifact::{
    ArtifactState, ArtifactSummary, Coordinate, FilePath, FileSummary, Label, LabelQuery, PackageName, Page,
    StoreError, VersionName,
};
use crate::error::Failure;
use crate::format::{Document, FormatRequest, Recorded, RepositoryView};
use crate::pipeline::authority;
use crate::pipeline::hosted::present;
use crate::pipeline::read::Reading;
use crate::policy;
use crate::repository::{Repository, RepositoryKind, Settings};
use crate::upstream::Authority;

impl Members<'_> {
    async fn hosted(&self) -> Result<Vec<Arc<Repository>>, StoreError> {
        let mut hosted = Vec::new();
        for name in &self.members.members {
            let member = self.member(name).await?;
            hosted.extend(member.filter(|member| member.source.remote().is_none()));
        }
        Ok(hosted)
    }

    fn asking<'p>(&'p self, path: &'p str) -> Reading<'p> {
        let request = FormatRequest { verb: "GET", path, query: "", ..self.reading.request };
        Reading { request, ..*self.reading }
    }
}

#[async_trait]
impl RepositoryView for Members<'_> {
    fn settings(&self) -> &Settings {
        &self.repository.settings
    }

    fn repository(&self) -> &str {
        self.repository.address.name.as_str()
    }

    fn kind(&self) -> RepositoryKind {
        RepositoryKind::Virtual
    }

    fn url(&self) -> &str {
        self.reading.url()
    }

    async fn versions(&self, package: &PackageName) -> Result<Option<Vec<VersionName>>, StoreError> {
        let mut known = None;
        for member in self.hosted().await? {
            let versions = self.reading.keeper.ports.artifacts.versions(member.id, package).await?;
            if let Some(versions) = versions {
                let listed = versions.into_iter().filter(|(_, state)| policy::listed(*state));
                known.get_or_insert_with(Vec::new).extend(listed.map(|(version, _)| version));
            }
        }
        Ok(known)
    }

    async fn artifacts(&self, package: &PackageName) -> Result<Vec<ArtifactSummary>, StoreError> {
        let mut all = Vec::new();
        for member in self.hosted().await? {
            let artifacts = &self.reading.keeper.ports.artifacts;
            all.extend(artifacts.summaries(member.id, package, ArtifactState::Active).await?);
        }
        Ok(all)
    }

    async fn files(&self, package: &PackageName) -> Result<Vec<FileSummary>, StoreError> {
        let mut all = Vec::new();
        for member in self.hosted().await? {
            let artifacts = &self.reading.keeper.ports.artifacts;
            all.extend(artifacts.file_summaries(member.id, package, ArtifactState::Active).await?);
        }
        Ok(all)
    }

    async fn packages(&self, after: Option<&PackageName>, limit: u32) -> Result<Page<PackageName>, StoreError> {
        let (mut names, mut more) = (BTreeSet::new(), false);
        for member in self.hosted().await? {
            let artifacts = &self.reading.keeper.ports.artifacts;
            let page = artifacts.packages(member.id, ArtifactState::Active, after, limit).await?;
            more |= page.more;
            names.extend(page.items);
        }
        let page = Page::cut(names.into_iter().collect(), limit as usize);
        Ok(Page { more: more || page.more, ..page })
    }

    async fn labels(&self, package: &PackageName, which: LabelQuery<'_>) -> Result<Vec<Label>, StoreError> {
        let mut all = Vec::new();
        for member in self.hosted().await? {
            all.extend(self.reading.keeper.ports.artifacts.labels(member.id, package, which).await?);
        }
        Ok(all)
    }

    async fn case_twins(&self, package: &PackageName) -> Result<Vec<PackageName>, StoreError> {
        let mut twins = BTreeSet::new();
        for member in self.hosted().await? {
            twins.extend(self.reading.keeper.ports.artifacts.case_twins(member.id, package).await?);
        }
        Ok(twins.into_iter().collect())
    }

    async fn recorded(&self, _what: &Coordinate) -> Result<Option<Recorded>, StoreError> {
        Ok(None)
    }

    async fn is_private(&self, package: &PackageName) -> Result<bool, Failure> {
        let Reading { keeper, handler, .. } = *self.reading;
        if let Some(reservation) = self.reservation(package) {
            // What is reserved for upstreams alone is the world's.
            let hosted = self.hosted().await?;
            return Ok(hosted.iter().any(|member| reservation.members.contains(&member.address.name)));
        }
        // Also where versions are merged: what is held here is this house's.
        let owned = crate::source::Virtual { merge: false, ..self.members.clone() };
        Ok(claimants(keeper, handler, self.repository, &owned, package).await?.is_some())
    }

    async fn index(&self, path: &str) -> Result<Option<Document>, Failure> {
        let reading = self.asking(path);
        let route = reading.handler.route(&reading.request)?;
        let members = Members { reading: &reading, ..*self };
        part_of(Box::pin(members.answer(&route)).await)
    }

    async fn small(&self, path: &FilePath, limit_bytes: u64) -> Result<Option<Bytes>, Failure> {
        let path = format!("/{path}");
        let reading = self.asking(&path);
        let route = reading.handler.route(&reading.request)?;
        let members = Members { reading: &reading, ..*self };
        let Some(answer) = present(Box::pin(members.answer(&route)).await)? else { return Ok(None) };
        self.reading.keeper.small(answer, limit_bytes).await
    }

    fn authority(&self, name: &str) -> Option<Arc<dyn Authority>> {
        let Reading { keeper, handler, .. } = *self.reading;
        authority::named(&keeper.ports, handler, &self.repository.settings, name)
    }
}
