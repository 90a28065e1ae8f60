//! Keeps numbers of versions that a restored database has forgotten, and gives them to the publication that each is for.

use jiff::Timestamp;
use keeper_core::artifact::{Artifact, LOST_IN_RESTORE, PackageName, SortKey, StoreError};
use keeper_core::repository::{Actor, RepositoryAddress, RepositoryId, RepositoryKind};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{next_generation, package};
use crate::store::audit;
use crate::store::sql::{corrupt, execute, micros, one};

/// A version that was published after the copy that was restored.
#[derive(Debug, Clone)]
pub struct Reservation {
    /// Its repository.
    pub repository: RepositoryAddress,
    /// Its package.
    pub package: PackageName,
    /// The names that one owner holds together with the package's.
    pub family: PackageName,
    /// Its version.
    pub version: String,
    /// Orders it among its siblings.
    pub sort_key: SortKey,
    /// What made a repeat equal.
    pub content: String,
    /// The digest of its upload, in hexadecimal digits.
    pub upload: String,
    /// The digests of its files by their names.
    pub files: Map<String, Value>,
}

/// How many reservations were made, and which could not be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reserved {
    /// Made.
    pub made: u64,
    /// Of versions that are there.
    pub there: u64,
    /// Of repositories that are not there.
    pub homeless: u64,
}

impl Reserved {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { made: self.made + other.made, there: self.there + other.there, homeless: self.homeless + other.homeless }
    }
}

#[derive(FromQueryResult)]
struct Home {
    id: i64,
    kind: String,
}

const FIND_REPOSITORY: &str = "SELECT id, kind FROM repositories WHERE format = $1 AND name = $2 AND state = 'active'";
const INSERT: &str = "INSERT INTO artifacts (id, repository, package, version, sort_key, state, state_reason, \
    state_changed_at, published_at, published_by, content, purl, checksums, metadata, dependencies, warnings, \
    upload_digest) VALUES ($1, $2, $3, $4, $5, 'deleted', $6, $7, $7, $8, $9, '', '{}', $10, '[]', '[]', $11) \
    ON CONFLICT (package, version) DO NOTHING";

/// Reserves these numbers where they are free.
pub(in crate::store) async fn reserve(
    on: &impl ConnectionTrait,
    batch: Vec<Reservation>,
) -> Result<Reserved, StoreError> {
    let mut reserved = Reserved::default();
    let (now, by) = (Timestamp::now(), Actor::system());
    for one_of_them in batch {
        let Reservation { repository, package: name, family, version, sort_key, content, upload, files } = one_of_them;
        let values = [repository.format.as_str().into(), repository.name.as_str().into()];
        let Some(Home { id, kind }) = one(on, FIND_REPOSITORY, values).await? else {
            reserved.homeless += 1;
            continue;
        };
        if kind != RepositoryKind::Hosted.as_str() {
            // A copy of what an upstream has is fetched again when somebody asks for it.
            continue;
        }
        let of = RepositoryId(id);
        let row = package(on, of, name.as_str(), family.as_str(), now).await?;
        let values = [
            Uuid::now_v7().to_string().into(),
            of.0.into(),
            row.id.into(),
            version.as_str().into(),
            sort_key.0.into(),
            LOST_IN_RESTORE.into(),
            micros(now).into(),
            by.login.as_str().into(),
            content.as_str().into(),
            json!({ "lost": files.clone() }).to_string().into(),
            upload.into(),
        ];
        if execute(on, INSERT, values).await? == 0 {
            if !add_files(on, row.id, &version, files).await? {
                reserved.there += 1;
            }
            continue;
        }
        let resource = format!("{repository} {name}@{version}");
        audit::record(on, &by, "reserve", resource, json!({ "reason": LOST_IN_RESTORE, "content": content })).await?;
        next_generation(on, of).await?;
        reserved.made += 1;
    }
    Ok(reserved)
}

#[derive(FromQueryResult)]
struct Kept {
    id: String,
    metadata: String,
}

/// A version whose files came one by one has several lines in the journal; `false` when it is no reservation.
async fn add_files(
    on: &impl ConnectionTrait,
    package: i64,
    version: &str,
    files: Map<String, Value>,
) -> Result<bool, StoreError> {
    let question = "SELECT id, metadata FROM artifacts \
                    WHERE package = $1 AND version = $2 AND state = 'deleted' AND state_reason = $3";
    let kept: Option<Kept> = one(on, question, [package.into(), version.into(), LOST_IN_RESTORE.into()]).await?;
    let Some(Kept { id, metadata }) = kept else { return Ok(false) };
    let mut metadata: Value = serde_json::from_str(&metadata).map_err(|error| corrupt(&id, error))?;
    if let Some(Value::Object(lost)) = metadata.get_mut("lost") {
        lost.extend(files);
    }
    let statement = "UPDATE artifacts SET metadata = $2 WHERE id = $1";
    execute(on, statement, [id.into(), metadata.to_string().into()]).await?;
    Ok(true)
}

/// Makes room for the publication that it is for; in the same transaction that takes the room.
pub(super) async fn lift(on: &impl ConnectionTrait, tombstone: &Artifact) -> Result<(), StoreError> {
    let statement = "DELETE FROM artifacts WHERE id = $1 AND state = 'deleted' AND state_reason = $2";
    execute(on, statement, [tombstone.id.to_string().into(), LOST_IN_RESTORE.into()]).await.map(drop)
}
