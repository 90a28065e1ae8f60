//! The changes of artifacts: publish, label, relocate. Each runs inside one SAVEPOINT of the writer.
//!
//! Publishing is decided by the database alone: the row of the version is inserted unless one is there, and
//! what is there decides between "the same", "a conflict" and "deleted". No look before, so no race.
//!
//! Blobs are recorded only for a version that is new. A refused upload's copies are removed by its caller,
//! and a row must never name a copy that is about to go.

use jiff::Timestamp;
use keeper_core::artifact::{
    Artifact, ArtifactFile, ArtifactId, ArtifactState, Coordinate, FileContent, LabelKind, Publication, PublishOutcome,
    StoreError,
};
use keeper_core::blob::{BlobInfo, BlobLocation};
use keeper_core::catalog::About;
use keeper_core::failpoint;
use keeper_core::limits::UPLOAD_TIME;
use keeper_core::repository::{Actor, Counts, RepositoryAddress, RepositoryId};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::artifacts::{by_coordinate, kind_word};
use super::ledger::is_waste;
use super::sql::{Places, corrupt, execute, execute_all, micros, one, timestamp};
use super::{audit, listing, rows, usage};
use refill::refill;

mod extension;
mod refill;
pub(super) mod reservation;

/// How a change ended, and whether it changed anything.
pub(super) struct Ended<T> {
    pub(super) answer: T,
    pub(super) changed: bool,
}

/// Everything of a publication, or nothing.
pub(super) async fn publish(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    address: RepositoryAddress,
    what: Publication,
) -> Result<Ended<PublishOutcome>, StoreError> {
    // Judged here and not by the caller: the command may have waited.
    if what.began.elapsed() > UPLOAD_TIME {
        return Err(StoreError::TooLate);
    }
    failpoint!("F7", |error: std::io::Error| StoreError::Unavailable(error.into()));
    let (name, family) = (what.coordinate.package.as_str(), what.family.as_str());
    let package = package(on, of, name, family, what.published_at).await?;
    if !insert_artifact(on, of, package.id, &what).await? {
        return repeat(on, of, address, package, what).await;
    }
    created(on, of, address, &package, what).await
}

/// Everything of a publication whose row is there already.
async fn created(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    address: RepositoryAddress,
    package: &PackageRow,
    what: Publication,
) -> Result<Ended<PublishOutcome>, StoreError> {
    let bytes = what.files.iter().map(|file| file.content.size()).sum();
    let packages = u64::from(!package.is_shown());
    usage::add(on, of, Counts { packages, artifacts: 1, bytes }).await?;
    let files = insert_files(on, of, what.id, &what.files, what.published_at).await?;
    for (kind, name) in &what.labels {
        insert_label(on, package.id, *kind, name, what.id).await?;
    }
    listing::added(on, of, package, &what).await?;
    let resource = format!("{address} {}", what.coordinate);
    audit::record(on, &what.by, "publish", resource, told(&what)).await?;
    next_generation(on, of).await?;
    Ok(Ended { answer: PublishOutcome::Created(as_stored(what).into_artifact(of, files)), changed: true })
}

/// What reading it will give: rows have microseconds.
fn as_stored(mut what: Publication) -> Publication {
    what.published_at = timestamp(micros(what.published_at)).unwrap_or(what.published_at);
    what
}

/// The version is there: what is there decides.
async fn repeat(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    address: RepositoryAddress,
    package: PackageRow,
    what: Publication,
) -> Result<Ended<PublishOutcome>, StoreError> {
    let there = by_coordinate(on, of, &what.coordinate).await?;
    let there = there.ok_or_else(|| corrupt(&what.coordinate, "it is taken and cannot be read"))?;
    if there.contradicts(&what) {
        return Ok(Ended { answer: PublishOutcome::Conflict(there), changed: false });
    }
    if there.state == ArtifactState::Deleted && what.copied {
        return refill(on, of, address, &package, there, what).await;
    }
    if there.state == ArtifactState::Deleted {
        let files = what.files.iter().map(|file| (&file.path, file.digest));
        if !there.is_kept_for(what.extent, &what.content, files) {
            return Ok(Ended { answer: PublishOutcome::Deleted(there), changed: false });
        }
        reservation::lift(on, &there).await?;
        insert_artifact(on, of, package.id, &what).await?;
        return created(on, of, address, &package, what).await;
    }
    if there.is_extended_by(&what) {
        return extension::extend(on, of, address, package.id, there, what).await;
    }
    if there.content != what.content {
        return Ok(Ended { answer: PublishOutcome::Conflict(there), changed: false });
    }
    move_names(on, of, address, package.id, there, &what).await
}

/// Equal content: only names move.
async fn move_names(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    address: RepositoryAddress,
    package: i64,
    there: Artifact,
    what: &Publication,
) -> Result<Ended<PublishOutcome>, StoreError> {
    let mut moved = Vec::new();
    for (kind, name) in &what.labels {
        if *kind == LabelKind::Name && insert_label(on, package, *kind, name, there.id).await? {
            moved.push(name.as_str());
        }
    }
    let changed = !moved.is_empty();
    if changed {
        let resource = format!("{address} {}", what.coordinate);
        audit::record(on, &what.by, "label", resource, json!({ "names": moved })).await?;
        next_generation(on, of).await?;
    }
    Ok(Ended { answer: PublishOutcome::Same(there), changed })
}

/// Lets a name point to a version that is there.
pub(super) async fn label(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    address: RepositoryAddress,
    what: Coordinate,
    name: String,
    by: Actor,
) -> Result<Ended<Option<Artifact>>, StoreError> {
    let there = by_coordinate(on, of, &what).await?;
    let Some(there) = there.filter(|artifact| artifact.state != ArtifactState::Deleted) else {
        return Ok(Ended { answer: None, changed: false });
    };
    let package = find_package(on, of, what.package.as_str()).await?;
    let package = package.ok_or_else(|| corrupt(&what, "its package cannot be read"))?;
    let changed = insert_label(on, package.id, LabelKind::Name, &name, there.id).await?;
    if changed {
        audit::record(on, &by, "label", format!("{address} {what}"), json!({ "names": [name] })).await?;
        next_generation(on, of).await?;
    }
    Ok(Ended { answer: Some(there), changed })
}

/// Makes `new` the live copy if `old` is.
pub(super) async fn relocate(
    on: &impl ConnectionTrait,
    old: BlobLocation,
    new: BlobLocation,
) -> Result<bool, StoreError> {
    let values = [old.digest().to_hex().into(), old.as_str().into(), new.as_str().into()];
    if old.digest() != new.digest() || is_waste(on, &new).await? {
        return Ok(false);
    }
    let moved = execute(on, RELOCATE, values).await? == 1;
    if moved {
        let detail = json!({ "from": old.as_str(), "to": new.as_str() });
        audit::record(on, &Actor::system(), "blob.relocate", old.digest().to_hex(), detail).await?;
    }
    Ok(moved)
}

const RELOCATE: &str = "UPDATE blobs SET location = $3, checked_at = 0 WHERE digest = $1 AND location = $2";

/// A package as a publication finds it.
#[derive(FromQueryResult)]
pub(super) struct PackageRow {
    pub(super) id: i64,
    /// What its newest version tells people, if it has one that is not deleted.
    about: Option<String>,
}

impl PackageRow {
    /// Whether it has a version that is not deleted.
    pub(super) fn is_shown(&self) -> bool {
        self.about.is_some()
    }

    /// Whether its newest version tells the same as this.
    pub(super) fn tells(&self, about: &About) -> bool {
        let told = self.about.as_deref().and_then(|told| serde_json::from_str::<About>(told).ok());
        told.is_some_and(|told| told.description == about.description && told.keywords == about.keywords)
    }
}

/// The package; it begins with its first version.
async fn package(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    name: &str,
    family: &str,
    at: Timestamp,
) -> Result<PackageRow, StoreError> {
    if let Some(there) = find_package(on, of, name).await? {
        return Ok(there);
    }
    let insert = "INSERT INTO packages (repository, name, name_folded, created_at, public_id, family) \
                  VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (repository, name) DO NOTHING";
    let folded = name.to_ascii_lowercase();
    let id = Uuid::now_v7().to_string();
    execute(on, insert, [of.0.into(), name.into(), folded.into(), micros(at).into(), id.into(), family.into()]).await?;
    let made = find_package(on, of, name).await?;
    made.ok_or_else(|| corrupt(name, "the package cannot be read after it was written"))
}

async fn find_package(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    name: &str,
) -> Result<Option<PackageRow>, StoreError> {
    let question = "SELECT p.id, a.about FROM packages p LEFT JOIN artifacts a ON a.id = p.newest \
                    WHERE p.repository = $1 AND p.name = $2";
    one(on, question, [of.0.into(), name.into()]).await
}

const INSERT_ARTIFACT: &str = "INSERT INTO artifacts (id, repository, package, version, sort_key, state, state_reason, \
    published_at, published_by, content, purl, checksums, metadata, dependencies, warnings, upload_digest, about) \
    VALUES ($1, $2, $3, $4, $5, 'active', '', $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
    ON CONFLICT (package, version) DO NOTHING";

/// Whether the version was free.
async fn insert_artifact(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    package: i64,
    what: &Publication,
) -> Result<bool, StoreError> {
    let values = [
        what.id.to_string().into(),
        of.0.into(),
        package.into(),
        what.coordinate.version.as_str().into(),
        what.sort_key.0.clone().into(),
        micros(what.published_at).into(),
        what.by.login.as_str().into(),
        what.content.0.as_str().into(),
        what.purl.as_str().into(),
        json!(what.checksums).to_string().into(),
        what.metadata.to_string().into(),
        json!(what.dependencies).to_string().into(),
        json!(what.warnings).to_string().into(),
        what.upload_digest.to_hex().into(),
        json!(what.about).to_string().into(),
    ];
    Ok(execute(on, INSERT_ARTIFACT, values).await? == 1)
}

const INSERT_BLOB: &str = "INSERT INTO blobs (digest, size, location, created_at) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (digest) DO NOTHING";
const INSERT_FILES: &str =
    "INSERT INTO files (artifact, repository, path, name, media_type, digest, size, inline, blob_digest) VALUES ";
/// Files of one statement: far below what a database takes of values.
const FILES_AT_ONCE: usize = 100;

/// Gives the files as they are stored then: a blob that is there already keeps its live copy, and the file names
/// that one.
async fn insert_files(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    artifact: ArtifactId,
    files: &[ArtifactFile],
    at: Timestamp,
) -> Result<Vec<ArtifactFile>, StoreError> {
    let mut stored = Vec::with_capacity(files.len());
    for file in files {
        let content = match &file.content {
            FileContent::Inline(bytes) => FileContent::Inline(bytes.clone()),
            FileContent::Stored(blob) => FileContent::Stored(record_blob(on, blob, at).await?),
        };
        stored.push(ArtifactFile { content, ..file.clone() });
    }
    for some in stored.chunks(FILES_AT_ONCE) {
        let mut places = Places::default();
        let rows = some.iter().map(|file| file_row(&mut places, of, artifact, file)).collect::<Result<Vec<_>, _>>()?;
        execute_all(on, &format!("{INSERT_FILES}{}", rows.join(", ")), places.0).await?;
    }
    Ok(stored)
}

/// The places of a file's values.
fn file_row(
    places: &mut Places,
    of: RepositoryId,
    artifact: ArtifactId,
    file: &ArtifactFile,
) -> Result<String, StoreError> {
    let size = i64::try_from(file.content.size()).map_err(|error| corrupt(&file.path, error))?;
    let (inline, blob) = match &file.content {
        FileContent::Inline(bytes) => (Some(bytes.to_vec()), None),
        FileContent::Stored(blob) => (None, Some(blob.location.digest().to_hex())),
    };
    let values = [
        places.of(artifact.to_string()),
        places.of(of.0),
        places.of(file.path.as_str()),
        places.of(file.name.as_str()),
        places.of(file.media_type.as_str()),
        places.of(file.digest.to_hex()),
        places.of(size),
        places.of(inline),
        places.of(blob),
    ];
    Ok(format!("({})", values.join(", ")))
}

/// The live copy of a blob: this one, unless there is one. A copy that the collector has taken is gone or will be:
/// the upload was too slow.
async fn record_blob(on: &impl ConnectionTrait, blob: &BlobInfo, at: Timestamp) -> Result<BlobInfo, StoreError> {
    let (digest, location) = (blob.location.digest().to_hex(), blob.location.as_str());
    let size = i64::try_from(blob.size).map_err(|error| corrupt(location, error))?;
    let values = [digest.as_str().into(), size.into(), location.into(), micros(at).into()];
    if execute(on, INSERT_BLOB, values).await? == 1 {
        return if is_waste(on, &blob.location).await? { Err(StoreError::TooLate) } else { Ok(blob.clone()) };
    }
    let question = "SELECT location, size FROM blobs WHERE digest = $1";
    let live: Option<BlobRow> = one(on, question, [digest.as_str().into()]).await?;
    let live = live.ok_or_else(|| corrupt(&digest, "the blob cannot be read, though it is there"))?;
    rows::blob(&live.location, live.size)
}

#[derive(FromQueryResult)]
struct BlobRow {
    location: String,
    size: i64,
}

const INSERT_COMMIT: &str = "INSERT INTO labels (package, kind, name, artifact) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (package, kind, name, artifact) DO NOTHING";
const MOVE_NAME: &str = "INSERT INTO labels (package, kind, name, artifact) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (package, name) WHERE kind = 'name' DO UPDATE SET artifact = excluded.artifact \
    WHERE labels.artifact <> excluded.artifact";

/// Whether the label is new or moved.
async fn insert_label(
    on: &impl ConnectionTrait,
    package: i64,
    kind: LabelKind,
    name: &str,
    artifact: ArtifactId,
) -> Result<bool, StoreError> {
    let statement = match kind {
        LabelKind::Commit => INSERT_COMMIT,
        LabelKind::Name => MOVE_NAME,
    };
    let values = [package.into(), kind_word(kind).into(), name.into(), artifact.to_string().into()];
    Ok(execute(on, statement, values).await? == 1)
}

/// The number in the row follows the one in memory, for a start later and for other processes to come.
pub(super) async fn next_generation(on: &impl ConnectionTrait, of: RepositoryId) -> Result<(), StoreError> {
    let statement = "UPDATE repositories SET generation = generation + 1 WHERE id = $1";
    execute(on, statement, [of.0.into()]).await.map(drop)
}

/// What the audit tells of a publication.
fn told(what: &Publication) -> Value {
    let labels: Vec<_> = what.labels.iter().map(|(kind, name)| format!("{} {name}", kind_word(*kind))).collect();
    json!({
        "id": what.id.to_string(), "content": what.content.0, "upload": what.upload_digest.to_hex(),
        "files": digests(&what.files), "labels": labels, "way": what.way.as_str(),
    })
}

/// The files of a version by name, as the audit tells them.
pub(super) fn digests(files: &[ArtifactFile]) -> Map<String, Value> {
    files.iter().map(|file| (file.name.clone(), Value::from(file.digest.to_hex()))).collect()
}

#[cfg(test)]
mod tests;
