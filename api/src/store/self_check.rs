//! What the database can say of itself, for verification.

use async_trait::async_trait;
use keeper_core::artifact::{ArtifactFile, FileContent, StoreError};
use keeper_core::digest::Digest;
use keeper_core::repository::{Counts, FormatKey, RepositoryAddress, RepositoryId, RepositoryName};
use keeper_core::verifier::{JudgedFiles, SelfCheck, Totals};
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::Store;
use super::dialect::Dialect;
use super::rows::FileRow;
use super::sql::{all, corrupt, end, one};
use super::usage::{self, number};
use super::words;

#[async_trait]
impl SelfCheck for Store {
    async fn integrity(&self) -> Result<Vec<String>, StoreError> {
        let Some(question) = Dialect::of(&self.readers).integrity() else { return Ok(Vec::new()) };
        // In one transaction, for that is one connection.
        let snapshot = self.readers.begin().await?;
        words::look_again(&snapshot).await?;
        let rows: Vec<Line> = all(&snapshot, question, []).await?;
        end(snapshot).await?;
        Ok(rows.into_iter().map(|row| row.line).collect())
    }

    async fn totals(&self) -> Result<Vec<Totals>, StoreError> {
        let named: Vec<Named> =
            all(&self.readers, "SELECT id, format, name FROM repositories ORDER BY format, name", []).await?;
        let mut totals = Vec::with_capacity(named.len());
        for Named { id, format, name } in named {
            let what = format!("repository {format}/{name}");
            let repository = RepositoryAddress {
                format: FormatKey::try_from(format.as_str()).map_err(|error| corrupt(&what, error))?,
                name: RepositoryName::try_from(name.as_str()).map_err(|error| corrupt(&what, error))?,
            };
            // One moment for both, or every publication in between would look like a fault.
            let snapshot = self.readers.begin().await?;
            let kept = usage::read(&snapshot, RepositoryId(id)).await?.used;
            let counted = counted(&snapshot, id).await?;
            end(snapshot).await?;
            totals.push(Totals { repository, kept, counted });
        }
        Ok(totals)
    }

    async fn files(&self, from: Option<i64>, limit: u32) -> Result<JudgedFiles, StoreError> {
        let values = [from.unwrap_or(0).into(), i64::from(limit).into()];
        let rows: Vec<NumberedRow> = all(&self.readers, FILES, values).await?;
        let next = rows.last().map(|row| row.id).filter(|_| rows.len() == limit as usize);
        let files = rows.len() as u64;
        let faults = rows.into_iter().filter_map(|row| {
            let path = row.file.path().to_owned();
            row.file.parse().and_then(judged).err().map(|error| (path, error.to_string()))
        });
        Ok(JudgedFiles { files, faults: faults.collect(), next })
    }
}

/// Bytes that are in the row have its digest.
fn judged(file: ArtifactFile) -> Result<(), StoreError> {
    match &file.content {
        FileContent::Inline(bytes) if Digest::of(bytes) != file.digest => {
            Err(corrupt(&file.path, format!("its bytes have the digest {}", Digest::of(bytes))))
        }
        _ => Ok(()),
    }
}

#[derive(FromQueryResult)]
struct Line {
    line: String,
}

#[derive(FromQueryResult)]
struct Named {
    id: i64,
    format: String,
    name: String,
}

/// Each total is its own subquery: joined, a version with three files would count three times.
const COUNTED: &str = "SELECT \
    (SELECT COUNT(DISTINCT package) FROM artifacts WHERE repository = $1 AND state <> 'deleted') AS packages, \
    (SELECT COUNT(*) FROM artifacts WHERE repository = $1 AND state <> 'deleted') AS artifacts, \
    (SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM files WHERE repository = $1) AS bytes";

#[derive(FromQueryResult, Default)]
struct CountedRow {
    packages: i64,
    artifacts: i64,
    bytes: i64,
}

async fn counted(on: &impl ConnectionTrait, of: i64) -> Result<Counts, StoreError> {
    let row: Option<CountedRow> = one(on, COUNTED, [of.into()]).await?;
    let CountedRow { packages, artifacts, bytes } = row.unwrap_or_default();
    Ok(Counts { packages: number(packages)?, artifacts: number(artifacts)?, bytes: number(bytes)? })
}

const FILES: &str = "SELECT f.id, f.artifact, f.path, f.name, f.media_type, f.digest, f.size, f.inline, \
    b.location, b.size AS blob_size FROM files f LEFT JOIN blobs b ON b.digest = f.blob_digest \
    WHERE f.id > $1 ORDER BY f.id LIMIT $2";

#[derive(FromQueryResult)]
struct NumberedRow {
    id: i64,
    #[sea_orm(nested)]
    file: FileRow,
}

#[cfg(test)]
mod tests {
    use keeper_core::artifact::ArtifactStore;
    use keeper_core::repository::Actor;

    use super::super::fixture::{Folder, execute_beside, publication, repository};
    use super::*;

    #[tokio::test]
    async fn a_wrong_total_and_a_changed_byte_are_found_and_nothing_else() {
        let folder = Folder::new();
        let store = folder.open().await;
        let local = repository(&store, "local").await;
        for version in ["v1.0.0", "v1.1.0", "v1.2.0"] {
            // A check between two publications remembers nothing that is out of date at the next one.
            assert_eq!(store.integrity().await.expect("a report"), [""; 0]);
            store.publish(local.id, publication("example.com/m", version)).await.expect("published");
        }
        let gone = publication("example.com/m", "v1.1.0").coordinate;
        store.delete(local.id, &gone, None, "", &Actor::system()).await.expect("deleted");
        assert!(store.integrity().await.expect("a report").is_empty());
        let totals = store.totals().await.expect("totals");
        assert!(totals.iter().all(|one| one.kept == one.counted), "{totals:?}");
        let pages = [store.files(None, 3).await.expect("files"), store.files(Some(i64::MAX), 3).await.expect("files")];
        assert!(pages.iter().all(|page| page.faults.is_empty()) && pages[0].next.is_some(), "{pages:?}");
        execute_beside(&folder, "UPDATE usage SET bytes = bytes + 1").await;
        let other = if folder.is_sqlite() { "X'6d6f64756c65206e0a'" } else { "'\\x6d6f64756c65206e0a'" };
        execute_beside(&folder, &format!("UPDATE files SET inline = {other} WHERE path LIKE '%v1.0.0.mod'")).await;
        let totals = store.totals().await.expect("totals");
        assert_eq!(totals[0].kept.bytes, totals[0].counted.bytes + 1);
        let judged = store.files(None, 100).await.expect("files");
        assert_eq!((judged.files, judged.next), (4, None));
        let [(path, reason)] = &judged.faults[..] else { panic!("{judged:?}") };
        assert!(path == "example.com/m/@v/v1.0.0.mod" && reason.contains("digest"), "{path}: {reason}");
    }

    #[tokio::test]
    async fn totals_of_older_data_are_counted_when_the_schema_is_brought_up_to_date() {
        let folder = Folder::of_sqlite();
        let store = folder.open().await;
        let local = repository(&store, "local").await;
        store.publish(local.id, publication("example.com/m", "v1.0.0")).await.expect("published");
        let before = usage::read(&store.readers, local.id).await.expect("usage");
        store.close().await;
        for step in [
            "DELETE FROM seaql_migrations WHERE version = 'm0009_lifecycle'",
            "DROP TABLE usage",
            "DROP TABLE retention",
            "DROP TABLE blob_trash",
            "DROP TABLE blob_sightings",
            "DROP TABLE jobs",
            "DROP INDEX artifacts_kept",
            "DROP INDEX blobs_location",
            "ALTER TABLE artifacts DROP COLUMN last_used_on",
            "ALTER TABLE repositories DROP COLUMN state",
            "ALTER TABLE repositories DROP COLUMN name_released",
            "ALTER TABLE instance DROP COLUMN use_recorded_from",
        ] {
            execute_beside(&folder, step).await;
        }
        let store = folder.open().await;
        assert_eq!(usage::read(&store.readers, local.id).await.expect("usage"), before);
        assert!(before.used.artifacts == 1 && before.used.bytes > 0, "{before:?}");
    }
}
