//! The port of artifacts: its questions. Changes are in [`publishing`](super::publishing), lists in
//! [`search`](super::search).
//!
//! One statement answers one question. A whole artifact is two (its row, its files), read in one transaction,
//! so that a deletion in between cannot show a version without files.

use async_trait::async_trait;
use keeper_core::artifact::{
    Amended, Amendment, Artifact, ArtifactFile, ArtifactId, ArtifactQuery, ArtifactState, ArtifactStore,
    ArtifactSummary, Coordinate, FilePath, FileSummary, FoundFile, Label, LabelKind, LabelQuery, PackageName, Page,
    Publication, PublishOutcome, StoreError, VersionName,
};
use keeper_core::blob::BlobLocation;
use keeper_core::digest::Digest;
use keeper_core::failpoint;
use keeper_core::repository::{Actor, RepositoryId};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};

use super::rows::{
    ArtifactRow, FileRow, SELECT_ARTIFACTS, SELECT_FILES, blob_location, json, package_name, state, version,
};
use super::sql::{all, bounded, end, failed, one, timestamp};
use super::{Store, amending, indexes, publishing, search};

/// Labels of one answer: more than one already means "ambiguous" to most formats.
const LABELS_PER_ANSWER: i64 = 100;

#[async_trait]
impl ArtifactStore for Store {
    fn generation(&self, of: RepositoryId) -> u64 {
        if self.is_behind() { self.catalog.doubt(of) } else { self.catalog.generation(of) }
    }

    async fn file(&self, of: RepositoryId, path: &FilePath) -> Result<Option<FoundFile>, StoreError> {
        let row: Option<FoundRow> = one(&self.readers, FOUND, [of.0.into(), path.as_str().into()]).await?;
        row.map(FoundRow::parse).transpose()
    }

    async fn find(&self, of: RepositoryId, what: &Coordinate) -> Result<Option<Artifact>, StoreError> {
        // Most who ask are about to publish something new, which needs no transaction to be known as absent.
        let values = [of.0.into(), what.package.as_str().into(), what.version.as_str().into()];
        let there: Option<VersionRow> = one(&self.readers, IS_THERE, values).await?;
        if there.is_none() {
            return Ok(None);
        }
        let snapshot = self.readers.begin().await?;
        let found = by_coordinate(&snapshot, of, what).await?;
        end(snapshot).await?;
        Ok(found)
    }

    async fn by_id(&self, within: &[RepositoryId], id: ArtifactId) -> Result<Option<Artifact>, StoreError> {
        let snapshot = self.readers.begin().await?;
        let found = whole(&snapshot, "a.id = $1", [id.to_string().into()]).await?;
        end(snapshot).await?;
        Ok(found.filter(|artifact| within.contains(&artifact.repository)))
    }

    async fn versions(
        &self,
        of: RepositoryId,
        package: &PackageName,
    ) -> Result<Option<Vec<(VersionName, ArtifactState)>>, StoreError> {
        let rows: Vec<VersionRow> = all(&self.readers, VERSIONS, [of.0.into(), package.as_str().into()]).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let versions = rows.iter().map(|row| Ok((version(&row.version)?, state(&row.state)?)));
        versions.collect::<Result<_, StoreError>>().map(Some)
    }

    async fn summaries(
        &self,
        of: RepositoryId,
        package: &PackageName,
        state: ArtifactState,
    ) -> Result<Vec<ArtifactSummary>, StoreError> {
        let values = [of.0.into(), package.as_str().into(), state.as_str().into()];
        let rows: Vec<SummaryRow> = all(&self.readers, SUMMARIES, values).await?;
        rows.into_iter().map(SummaryRow::parse).collect()
    }

    async fn highest(
        &self,
        of: RepositoryId,
        package: &PackageName,
        state: ArtifactState,
        limit: u32,
    ) -> Result<Vec<ArtifactSummary>, StoreError> {
        let values = [of.0.into(), package.as_str().into(), state.as_str().into(), i64::from(limit).into()];
        let rows: Vec<SummaryRow> = all(&self.readers, HIGHEST, values).await?;
        rows.into_iter().map(SummaryRow::parse).collect()
    }

    async fn file_summaries(
        &self,
        of: RepositoryId,
        package: &PackageName,
        state: ArtifactState,
    ) -> Result<Vec<FileSummary>, StoreError> {
        indexes::file_summaries(&self.readers, of, package, state).await
    }

    async fn packages(
        &self,
        of: RepositoryId,
        state: ArtifactState,
        after: Option<&PackageName>,
        limit: u32,
    ) -> Result<Page<PackageName>, StoreError> {
        indexes::packages(&self.readers, of, state, after, limit).await
    }

    async fn labels(
        &self,
        of: RepositoryId,
        package: &PackageName,
        which: LabelQuery<'_>,
    ) -> Result<Vec<Label>, StoreError> {
        // A range follows the index, as LIKE would not; no character sorts behind the last one.
        let (kind, from, to) = match which {
            LabelQuery::Name(name) => (LabelKind::Name, name, name.to_owned()),
            LabelQuery::CommitPrefix(prefix) => (LabelKind::Commit, prefix, format!("{prefix}{}", char::MAX)),
        };
        let values = [
            of.0.into(),
            package.as_str().into(),
            kind_word(kind).into(),
            from.into(),
            to.into(),
            LABELS_PER_ANSWER.into(),
        ];
        let rows: Vec<LabelRow> = all(&self.readers, LABELS, values).await?;
        rows.into_iter().map(|row| Ok(Label { kind, name: row.name, version: version(&row.version)? })).collect()
    }

    async fn case_twins(&self, of: RepositoryId, package: &PackageName) -> Result<Vec<PackageName>, StoreError> {
        let folded = package.as_str().to_ascii_lowercase();
        let rows: Vec<NameRow> =
            all(&self.readers, TWINS, [of.0.into(), folded.into(), package.as_str().into()]).await?;
        rows.iter().map(|row| package_name(&row.name)).collect()
    }

    async fn holds(&self, of: RepositoryId, family: &PackageName) -> Result<bool, StoreError> {
        let held: Option<NameRow> = one(&self.readers, HOLDS, [of.0.into(), family.as_str().into()]).await?;
        Ok(held.is_some())
    }

    async fn search(&self, query: &ArtifactQuery) -> Result<Page<Artifact>, StoreError> {
        search::page(&self.readers, query).await
    }

    async fn publish(&self, of: RepositoryId, what: Publication) -> Result<PublishOutcome, StoreError> {
        let address = self.address(of).await?;
        let then = self.follow(of);
        let ended =
            self.writer.submit_again(move |on| Box::pin(publishing::publish(on, of, address, what)), then).await?;
        Ok(ended.answer)
    }

    async fn label(
        &self,
        of: RepositoryId,
        what: &Coordinate,
        name: &str,
        by: &Actor,
    ) -> Result<Option<Artifact>, StoreError> {
        let (address, what, by) = (self.address(of).await?, what.clone(), by.clone());
        let (name, then) = (name.to_owned(), self.follow(of));
        let ended = self
            .writer
            .submit_again(move |on| Box::pin(publishing::label(on, of, address, what, name, by)), then)
            .await?;
        Ok(ended.answer)
    }

    async fn delete(
        &self,
        of: RepositoryId,
        what: &Coordinate,
        expected: Option<&str>,
        reason: &str,
        by: &Actor,
    ) -> Result<Option<Amended>, StoreError> {
        let (address, what, by) = (self.address(of).await?, what.clone(), by.clone());
        let (expected, reason, then) = (expected.map(str::to_owned), reason.to_owned(), self.follow(of));
        let ended = self
            .writer
            .submit_again(move |on| Box::pin(amending::delete(on, of, address, what, expected, reason, by)), then)
            .await?;
        Ok(ended.answer)
    }

    async fn amend(
        &self,
        of: RepositoryId,
        what: &Coordinate,
        change: Amendment,
        by: &Actor,
    ) -> Result<Option<Amended>, StoreError> {
        let (address, what, by) = (self.address(of).await?, what.clone(), by.clone());
        let then = self.follow(of);
        let ended = self
            .writer
            .submit_again(move |on| Box::pin(amending::amend(on, of, address, what, change, by)), then)
            .await?;
        Ok(ended.answer)
    }

    async fn blob_location(&self, of: Digest) -> Result<Option<BlobLocation>, StoreError> {
        let question = "SELECT location AS name FROM blobs WHERE digest = $1";
        let row: Option<NameRow> = one(&self.readers, question, [of.to_hex().into()]).await?;
        row.map(|row| blob_location(&row.name)).transpose()
    }

    async fn relocate(&self, old: &BlobLocation, new: &BlobLocation) -> Result<bool, StoreError> {
        let (old, new) = (old.clone(), new.clone());
        self.writer.submit(move |on| Box::pin(publishing::relocate(on, old, new)), |_| ()).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let asked = self.health().execute_unprepared("SELECT 1 FROM instance");
        bounded(self.health(), asked).await.map(drop).map_err(failed)
    }
}

impl Store {
    /// What follows a commit: answers cached of the content before it are worth nothing from here on.
    pub(super) fn follow<T>(&self, of: RepositoryId) -> impl FnOnce(&publishing::Ended<T>) + Send + use<T> {
        let catalog = self.catalog.clone();
        move |ended| {
            failpoint!("F8");
            if ended.changed {
                catalog.bump(of);
            }
        }
    }
}

/// The word of a label's kind in rows.
pub(super) fn kind_word(kind: LabelKind) -> &'static str {
    match kind {
        LabelKind::Commit => "commit",
        LabelKind::Name => "name",
    }
}

/// A version, whole. Two statements: the caller holds a transaction.
pub(super) async fn by_coordinate(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    what: &Coordinate,
) -> Result<Option<Artifact>, StoreError> {
    let values = [of.0.into(), what.package.as_str().into(), what.version.as_str().into()];
    whole(on, "p.repository = $1 AND p.name = $2 AND a.version = $3", values).await
}

async fn whole<const N: usize>(
    on: &impl ConnectionTrait,
    condition: &str,
    values: [Value; N],
) -> Result<Option<Artifact>, StoreError> {
    let row: Option<ArtifactRow> = one(on, &format!("{SELECT_ARTIFACTS} WHERE {condition}"), values).await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let files = files_of(on, &row.id).await?;
    row.parse(files).map(Some)
}

async fn files_of(on: &impl ConnectionTrait, artifact: &str) -> Result<Vec<ArtifactFile>, StoreError> {
    let question = format!("{SELECT_FILES} WHERE f.artifact = $1 ORDER BY f.name");
    let rows: Vec<FileRow> = all(on, &question, [artifact.into()]).await?;
    rows.into_iter().map(FileRow::parse).collect()
}

const FOUND: &str = "SELECT f.artifact, f.path, f.name, f.media_type, f.digest, f.size, f.inline, \
    b.location, b.size AS blob_size, a.state, a.state_reason, a.published_at \
    FROM files f JOIN artifacts a ON a.id = f.artifact LEFT JOIN blobs b ON b.digest = f.blob_digest \
    WHERE f.repository = $1 AND f.path = $2";

#[derive(FromQueryResult)]
struct FoundRow {
    #[sea_orm(nested)]
    file: FileRow,
    state: String,
    state_reason: String,
    published_at: i64,
}

impl FoundRow {
    fn parse(self) -> Result<FoundFile, StoreError> {
        Ok(FoundFile {
            file: self.file.parse()?,
            state: state(&self.state)?,
            reason: self.state_reason,
            published_at: timestamp(self.published_at)?,
        })
    }
}

/// Ends with the version's own text, so that the order is total where a format's keys are equal.
const VERSIONS: &str = "SELECT a.version, a.state FROM artifacts a JOIN packages p ON p.id = a.package \
    WHERE p.repository = $1 AND p.name = $2 ORDER BY a.sort_key, a.version";

#[derive(FromQueryResult)]
struct VersionRow {
    version: String,
    state: String,
}

const IS_THERE: &str = "SELECT a.version, a.state FROM artifacts a JOIN packages p ON p.id = a.package \
    WHERE p.repository = $1 AND p.name = $2 AND a.version = $3";

const SUMMARIES: &str = "SELECT a.version, a.published_at, a.checksums, a.metadata \
    FROM artifacts a JOIN packages p ON p.id = a.package \
    WHERE p.repository = $1 AND p.name = $2 AND a.state = $3 ORDER BY a.sort_key, a.version";

/// Follows the index from its end and stops.
const HIGHEST: &str = "SELECT a.version, a.published_at, a.checksums, a.metadata \
    FROM artifacts a JOIN packages p ON p.id = a.package \
    WHERE p.repository = $1 AND p.name = $2 AND a.state = $3 ORDER BY a.sort_key DESC, a.version DESC LIMIT $4";

#[derive(FromQueryResult)]
struct SummaryRow {
    version: String,
    published_at: i64,
    checksums: String,
    metadata: String,
}

impl SummaryRow {
    fn parse(self) -> Result<ArtifactSummary, StoreError> {
        Ok(ArtifactSummary {
            version: version(&self.version)?,
            published_at: timestamp(self.published_at)?,
            checksums: json(&self.version, &self.checksums)?,
            metadata: json(&self.version, &self.metadata)?,
        })
    }
}

const LABELS: &str = "SELECT l.name, a.version FROM labels l \
    JOIN packages p ON p.id = l.package JOIN artifacts a ON a.id = l.artifact \
    WHERE p.repository = $1 AND p.name = $2 AND l.kind = $3 AND l.name >= $4 AND l.name <= $5 \
    AND a.state IN ('active', 'yanked') ORDER BY l.name, a.sort_key LIMIT $6";

#[derive(FromQueryResult)]
struct LabelRow {
    name: String,
    version: String,
}

const HOLDS: &str = "SELECT name FROM packages WHERE repository = $1 AND family = $2 LIMIT 1";

const TWINS: &str =
    "SELECT name FROM packages WHERE repository = $1 AND name_folded = $2 AND name <> $3 ORDER BY name LIMIT 100";

#[derive(FromQueryResult)]
struct NameRow {
    name: String,
}

#[cfg(test)]
mod tests;
