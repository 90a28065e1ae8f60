//! The port of artifacts.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::{BlobRow, MemoryStore, Rows, VersionRow};
use crate::artifact::{
    Amended, Amendment, Artifact, ArtifactFile, ArtifactId, ArtifactQuery, ArtifactState, ArtifactStore,
    ArtifactSummary, Coordinate, FileContent, FilePath, FileSummary, FoundFile, Label, LabelKind, LabelQuery,
    PackageName, Page, Publication, PublishOutcome, StoreError, VersionName,
};
use crate::blob::BlobLocation;
use crate::digest::Digest;
use crate::limits::UPLOAD_TIME;
use crate::repository::{Actor, RepositoryId};

/// Labels that one question is answered with at most.
const LABELS_PER_ANSWER: usize = 100;

#[async_trait]
impl ArtifactStore for MemoryStore {
    fn generation(&self, of: RepositoryId) -> u64 {
        self.locked().generations.get(&of).copied().unwrap_or_default()
    }

    async fn file(&self, of: RepositoryId, path: &FilePath) -> Result<Option<FoundFile>, StoreError> {
        let rows = self.call()?;
        let artifacts = rows.artifacts().filter(|artifact| artifact.repository == of);
        let mut files = artifacts.flat_map(|artifact| artifact.files.iter().map(move |file| (artifact, file)));
        Ok(files.find(|(_, file)| file.path == *path).map(|(artifact, file)| FoundFile {
            file: file.clone(),
            state: artifact.state,
            reason: artifact.state_reason.clone(),
            published_at: artifact.published_at,
        }))
    }

    async fn find(&self, of: RepositoryId, what: &Coordinate) -> Result<Option<Artifact>, StoreError> {
        Ok(self.call()?.version(of, what).map(|row| row.artifact.clone()))
    }

    async fn by_id(&self, within: &[RepositoryId], id: ArtifactId) -> Result<Option<Artifact>, StoreError> {
        let rows = self.call()?;
        Ok(rows.artifacts().find(|one| one.id == id && within.contains(&one.repository)).cloned())
    }

    async fn versions(
        &self,
        of: RepositoryId,
        package: &PackageName,
    ) -> Result<Option<Vec<(VersionName, ArtifactState)>>, StoreError> {
        let rows = self.call()?;
        let rows = rows.versions_of(of, package);
        let versions = rows.iter().map(|row| (row.artifact.coordinate.version.clone(), row.artifact.state));
        Ok((!rows.is_empty()).then(|| versions.collect()))
    }

    async fn summaries(
        &self,
        of: RepositoryId,
        package: &PackageName,
        state: ArtifactState,
    ) -> Result<Vec<ArtifactSummary>, StoreError> {
        let rows = self.call()?;
        let artifacts = rows.versions_of(of, package).into_iter().map(|row| &row.artifact);
        let summaries = artifacts.filter(|artifact| artifact.state == state).map(|artifact| ArtifactSummary {
            version: artifact.coordinate.version.clone(),
            published_at: artifact.published_at,
            checksums: artifact.checksums.clone(),
            metadata: artifact.metadata.clone(),
        });
        Ok(summaries.collect())
    }

    async fn highest(
        &self,
        of: RepositoryId,
        package: &PackageName,
        state: ArtifactState,
        limit: u32,
    ) -> Result<Vec<ArtifactSummary>, StoreError> {
        let mut summaries = self.summaries(of, package, state).await?;
        summaries.reverse();
        summaries.truncate(limit as usize);
        Ok(summaries)
    }

    async fn file_summaries(
        &self,
        of: RepositoryId,
        package: &PackageName,
        state: ArtifactState,
    ) -> Result<Vec<FileSummary>, StoreError> {
        let rows = self.call()?;
        let artifacts = rows.versions_of(of, package).into_iter().map(|row| &row.artifact);
        let artifacts = artifacts.filter(|artifact| artifact.state == state);
        let files = artifacts.flat_map(|artifact| artifact.files.iter().map(move |file| (artifact, file)));
        let summaries = files.map(|(artifact, file)| FileSummary {
            version: artifact.coordinate.version.clone(),
            path: file.path.clone(),
            name: file.name.clone(),
            media_type: file.media_type,
            digest: file.digest,
            size: file.content.size(),
        });
        Ok(summaries.collect())
    }

    async fn packages(
        &self,
        of: RepositoryId,
        state: ArtifactState,
        after: Option<&PackageName>,
        limit: u32,
    ) -> Result<Page<PackageName>, StoreError> {
        let rows = self.call()?;
        let artifacts = rows.artifacts().filter(|one| one.repository == of && one.state == state);
        let names: BTreeSet<_> = artifacts.map(|one| &one.coordinate.package).collect();
        let names: Vec<_> = names.into_iter().filter(|name| after.is_none_or(|after| *name > after)).collect();
        Ok(Page::cut(names.into_iter().cloned().collect(), limit as usize))
    }

    async fn labels(
        &self,
        of: RepositoryId,
        package: &PackageName,
        which: LabelQuery<'_>,
    ) -> Result<Vec<Label>, StoreError> {
        let rows = self.call()?;
        let served = |row: &&VersionRow| matches!(row.artifact.state, ArtifactState::Active | ArtifactState::Yanked);
        let served: Vec<_> = rows.versions_of(of, package).into_iter().filter(served).collect();
        let wanted = |label: &&Label| match which {
            LabelQuery::Name(name) => label.kind == LabelKind::Name && label.name == name,
            LabelQuery::CommitPrefix(prefix) => label.kind == LabelKind::Commit && label.name.starts_with(prefix),
        };
        let points_to_served =
            |label: &&Label| served.iter().any(|row| row.artifact.coordinate.version == label.version);
        let labels = rows.labels.get(&(of, package.clone())).into_iter().flatten();
        Ok(labels.filter(wanted).filter(points_to_served).take(LABELS_PER_ANSWER).cloned().collect())
    }

    async fn case_twins(&self, of: RepositoryId, package: &PackageName) -> Result<Vec<PackageName>, StoreError> {
        let rows = self.call()?;
        let names = rows.artifacts().filter(|artifact| artifact.repository == of).map(|one| &one.coordinate.package);
        let twins = names.filter(|name| name.as_str().eq_ignore_ascii_case(package.as_str()) && *name != package);
        Ok(twins.collect::<BTreeSet<_>>().into_iter().cloned().collect())
    }

    async fn holds(&self, of: RepositoryId, family: &PackageName) -> Result<bool, StoreError> {
        let rows = self.call()?;
        Ok(rows.versions.values().any(|row| row.artifact.repository == of && row.family == *family))
    }

    async fn search(&self, query: &ArtifactQuery) -> Result<Page<Artifact>, StoreError> {
        let rows = self.call()?;
        let mut found: Vec<_> = rows.artifacts().filter(|artifact| is_wanted(artifact, query)).collect();
        found.sort_by_key(|artifact| std::cmp::Reverse(artifact.id));
        Ok(Page::cut(found.into_iter().cloned().collect(), query.limit as usize))
    }

    async fn publish(&self, of: RepositoryId, what: Publication) -> Result<PublishOutcome, StoreError> {
        let mut rows = self.call()?;
        if what.began.elapsed() > UPLOAD_TIME {
            return Err(StoreError::TooLate);
        }
        if !rows.repositories.values().any(|repository| repository.id == of) {
            return Err(StoreError::Unavailable(format!("there is no repository {}", of.0).into()));
        }
        match rows.version(of, &what.coordinate).map(|row| row.artifact.clone()) {
            None => rows.insert(of, what).map(PublishOutcome::Created),
            Some(there) if there.contradicts(&what) => Ok(PublishOutcome::Conflict(there)),
            Some(there) if there.state == ArtifactState::Deleted && what.copied => rows.refill(of, there, what),
            Some(there) if there.state == ArtifactState::Deleted => Ok(PublishOutcome::Deleted(there)),
            Some(there) if there.is_extended_by(&what) => rows.extend(of, there, what),
            Some(there) if there.content != what.content => Ok(PublishOutcome::Conflict(there)),
            Some(there) => {
                let names: Vec<_> = what.labels.iter().filter(|(kind, _)| *kind == LabelKind::Name).cloned().collect();
                rows.point(of, &what.coordinate, &names);
                Ok(PublishOutcome::Same(there))
            }
        }
    }

    async fn label(
        &self,
        of: RepositoryId,
        what: &Coordinate,
        name: &str,
        _by: &Actor,
    ) -> Result<Option<Artifact>, StoreError> {
        let mut rows = self.call()?;
        let there = rows.version(of, what).map(|row| row.artifact.clone());
        let there = there.filter(|artifact| artifact.state != ArtifactState::Deleted);
        if there.is_some() {
            rows.point(of, what, &[(LabelKind::Name, name.to_owned())]);
        }
        Ok(there)
    }

    async fn delete(
        &self,
        of: RepositoryId,
        what: &Coordinate,
        expected: Option<&str>,
        reason: &str,
        _by: &Actor,
    ) -> Result<Option<Amended>, StoreError> {
        let mut rows = self.call()?;
        let Some(VersionRow { artifact, .. }) = rows.version(of, what) else {
            return Ok(None);
        };
        if artifact.state == ArtifactState::Deleted {
            return Ok(Some(Amended::Deleted(Box::new(artifact.clone()))));
        }
        if expected.is_some_and(|expected| expected != artifact.tag()) {
            return Ok(Some(Amended::Stale));
        }
        artifact.state = ArtifactState::Deleted;
        reason.clone_into(&mut artifact.state_reason);
        artifact.state_changed_at = Some(Timestamp::now());
        artifact.files.clear();
        let tombstone = artifact.clone();
        rows.labels.entry((of, what.package.clone())).or_default().retain(|label| label.version != what.version);
        rows.bump(of);
        Ok(Some(Amended::Done(Box::new(tombstone))))
    }

    async fn amend(
        &self,
        of: RepositoryId,
        what: &Coordinate,
        change: Amendment,
        _by: &Actor,
    ) -> Result<Option<Amended>, StoreError> {
        let mut rows = self.call()?;
        let Some(VersionRow { artifact, .. }) = rows.version(of, what) else {
            return Ok(None);
        };
        if artifact.state == ArtifactState::Deleted {
            return Ok(Some(Amended::Deleted(Box::new(artifact.clone()))));
        }
        if change.expected.is_some_and(|expected| expected != artifact.tag()) {
            return Ok(Some(Amended::Stale));
        }
        let before = artifact.tag();
        if let Some((state, reason)) = change.state
            && (state, reason.as_str()) != (artifact.state, artifact.state_reason.as_str())
        {
            artifact.state = state;
            artifact.state_reason = reason;
            artifact.state_changed_at = Some(Timestamp::now());
        }
        artifact.pinned = change.pinned.unwrap_or(artifact.pinned);
        let after = artifact.clone();
        if after.tag() != before {
            rows.bump(of);
        }
        Ok(Some(Amended::Done(Box::new(after))))
    }

    async fn blob_location(&self, of: Digest) -> Result<Option<BlobLocation>, StoreError> {
        Ok(self.call()?.blobs.get(&of).map(|row| row.blob.location.clone()))
    }

    async fn relocate(&self, old: &BlobLocation, new: &BlobLocation) -> Result<bool, StoreError> {
        let mut rows = self.call()?;
        if old.digest() != new.digest() || rows.is_waste(new) {
            return Ok(false);
        }
        match rows.blobs.get_mut(&old.digest()) {
            Some(row) if row.blob.location == *old => row.blob.location = new.clone(),
            _ => return Ok(false),
        }
        for file in rows.versions.values_mut().flat_map(|row| &mut row.artifact.files) {
            if let FileContent::Stored(blob) = &mut file.content
                && blob.location == *old
            {
                blob.location = new.clone();
            }
        }
        Ok(true)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.call().map(drop)
    }
}

fn is_wanted(artifact: &Artifact, query: &ArtifactQuery) -> bool {
    let Coordinate { package, version } = &artifact.coordinate;
    query.repositories.contains(&artifact.repository)
        && query.package.as_deref().is_none_or(|wanted| wanted == package.as_str())
        && query.version.as_deref().is_none_or(|wanted| wanted == version.as_str())
        && query.state.map_or(artifact.state != ArtifactState::Deleted, |wanted| wanted == artifact.state)
        && query.text.as_deref().is_none_or(|text| package.as_str().contains(text))
        && query.after.is_none_or(|after| artifact.id < after)
}

impl Rows {
    fn artifacts(&self) -> impl Iterator<Item = &Artifact> {
        self.versions.values().map(|row| &row.artifact)
    }

    /// A version that was never there. Everything that can be refused is refused before the first change.
    fn insert(&mut self, of: RepositoryId, what: Publication) -> Result<Artifact, StoreError> {
        self.refuse_taken_paths(of, &what.files)?;
        self.refuse_over_quota(of, &what.files, 1)?;
        self.refuse_waste(&what.files)?;
        let live = |file: &ArtifactFile| self.on_live_blob(file.clone(), what.published_at);
        let files = what.files.iter().map(live).collect();
        let (coordinate, labels, sort_key) = (what.coordinate.clone(), what.labels.clone(), what.sort_key.clone());
        let family = what.family.clone();
        let artifact = what.into_artifact(of, files);
        let row = VersionRow { artifact: artifact.clone(), family, sort_key, first_used_at: None, last_used_on: None };
        let Coordinate { package, version } = coordinate.clone();
        self.versions.insert((of, package, version), row);
        self.point(of, &coordinate, &labels);
        self.bump(of);
        Ok(artifact)
    }

    /// A part of a version that is there.
    fn extend(&mut self, of: RepositoryId, there: Artifact, what: Publication) -> Result<PublishOutcome, StoreError> {
        let Some(new) = there.missing(&what) else { return Ok(PublishOutcome::Conflict(there)) };
        if new.is_empty() {
            self.point(of, &what.coordinate, &what.labels);
            return Ok(PublishOutcome::Same(there));
        }
        self.refuse_taken_paths(of, &new)?;
        self.refuse_over_quota(of, &new, 0)?;
        self.refuse_waste(&new)?;
        let new: Vec<_> = new.into_iter().map(|file| self.on_live_blob(file, what.published_at)).collect();
        let Some(row) = self.version(of, &what.coordinate) else { return Err(StoreError::AlreadyExists) };
        row.artifact.add(new, &what);
        let extended = row.artifact.clone();
        self.point(of, &what.coordinate, &what.labels);
        self.bump(of);
        Ok(PublishOutcome::Extended(extended))
    }

    /// A tombstone of a copy becomes the version again.
    fn refill(
        &mut self,
        of: RepositoryId,
        mut there: Artifact,
        what: Publication,
    ) -> Result<PublishOutcome, StoreError> {
        self.refuse_over_quota(of, &what.files, 1)?;
        there.state = ArtifactState::Active;
        there.state_reason = String::new();
        there.state_changed_at = None;
        let Some(row) = self.version(of, &what.coordinate) else { return Err(StoreError::AlreadyExists) };
        row.artifact = there.clone();
        self.extend(of, there, what)
    }

    fn refuse_taken_paths(&self, of: RepositoryId, new: &[ArtifactFile]) -> Result<(), StoreError> {
        let taken = self.artifacts().filter(|one| one.repository == of).flat_map(|one| &one.files);
        let mut paths: BTreeSet<_> = taken.map(|file| &file.path).collect();
        let free = new.iter().all(|file| paths.insert(&file.path));
        if free { Ok(()) } else { Err(StoreError::AlreadyExists) }
    }

    /// Points a file to the copy of its bytes that is already live, if one is; its own becomes so otherwise.
    fn on_live_blob(&mut self, mut file: ArtifactFile, at: Timestamp) -> ArtifactFile {
        if let FileContent::Stored(blob) = &mut file.content {
            let new = || BlobRow { blob: blob.clone(), recorded_at: at };
            *blob = self.blobs.entry(file.digest).or_insert_with(new).blob.clone();
        }
        file
    }

    /// Lets labels point to a version. A name leaves the version it pointed to; a commit may have several.
    fn point(&mut self, of: RepositoryId, what: &Coordinate, labels: &[(LabelKind, String)]) {
        let there = self.labels.entry((of, what.package.clone())).or_default();
        let before = there.clone();
        for (kind, name) in labels {
            let label = Label { kind: *kind, name: name.clone(), version: what.version.clone() };
            there.retain(|one| *one != label && (*kind == LabelKind::Commit || one.kind != *kind || one.name != *name));
            there.push(label);
        }
        if *there != before {
            self.bump(of);
        }
    }
}
