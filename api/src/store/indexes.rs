//! What the documents of formats are computed from, where one statement asks for many rows: the files of a
//! package, the packages of a repository.

use keeper_core::artifact::{ArtifactState, FilePath, FileSummary, PackageName, Page, StoreError};
use keeper_core::digest::Digest;
use keeper_core::media_type::MediaType;
use keeper_core::repository::RepositoryId;
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::rows::{package_name, version};
use super::sql::{all, corrupt};

const FILES: &str = "SELECT a.version, f.path, f.name, f.media_type, f.digest, f.size \
    FROM packages p JOIN artifacts a ON a.package = p.id JOIN files f ON f.artifact = a.id \
    WHERE p.repository = $1 AND p.name = $2 AND a.state = $3 ORDER BY a.sort_key, a.version, f.name";

#[derive(FromQueryResult)]
struct FileSummaryRow {
    version: String,
    path: String,
    name: String,
    media_type: String,
    digest: String,
    size: i64,
}

impl FileSummaryRow {
    fn parse(self) -> Result<FileSummary, StoreError> {
        Ok(FileSummary {
            version: version(&self.version)?,
            path: FilePath::try_from(self.path.as_str()).map_err(|error| corrupt("a file", error))?,
            media_type: MediaType::stored(&self.media_type),
            digest: Digest::try_from(self.digest.as_str()).map_err(|error| corrupt(&self.path, error))?,
            size: u64::try_from(self.size).map_err(|error| corrupt(&self.path, error))?,
            name: self.name,
        })
    }
}

pub(super) async fn file_summaries(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    package: &PackageName,
    state: ArtifactState,
) -> Result<Vec<FileSummary>, StoreError> {
    let values = [of.0.into(), package.as_str().into(), state.as_str().into()];
    let rows: Vec<FileSummaryRow> = all(on, FILES, values).await?;
    rows.into_iter().map(FileSummaryRow::parse).collect()
}

const PACKAGES: &str = "SELECT p.name FROM packages p WHERE p.repository = $1 AND p.name > $2 \
    AND EXISTS (SELECT 1 FROM artifacts a WHERE a.package = p.id AND a.state = $3) ORDER BY p.name LIMIT $4";

#[derive(FromQueryResult)]
struct NameRow {
    name: String,
}

/// Asks for one more than is wanted, to know whether more follow.
pub(super) async fn packages(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    state: ArtifactState,
    after: Option<&PackageName>,
    limit: u32,
) -> Result<Page<PackageName>, StoreError> {
    let after = after.map_or("", PackageName::as_str);
    let values = [of.0.into(), after.into(), state.as_str().into(), (i64::from(limit) + 1).into()];
    let rows: Vec<NameRow> = all(on, PACKAGES, values).await?;
    Page::cut(rows, limit as usize).try_map(|row| package_name(&row.name))
}
