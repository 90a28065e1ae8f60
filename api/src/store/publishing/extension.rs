//! A part of a version that is there: the files it lacks are added, those it has must be equal.

use keeper_core::artifact::{Artifact, LabelKind, Publication, PublishOutcome, StoreError};
use keeper_core::repository::{Counts, RepositoryAddress, RepositoryId};
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::{Ended, digests, insert_files, insert_label, move_names, next_generation};
use crate::store::sql::execute;
use crate::store::{audit, listing, usage};

/// Adds what is missing, or nothing when one file has other bytes.
pub(super) async fn extend(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    address: RepositoryAddress,
    package: i64,
    mut there: Artifact,
    what: Publication,
) -> Result<Ended<PublishOutcome>, StoreError> {
    let Some(new) = there.missing(&what) else {
        return Ok(Ended { answer: PublishOutcome::Conflict(there), changed: false });
    };
    if new.is_empty() {
        return move_names(on, of, address, package, there, &what).await;
    }
    let bytes = new.iter().map(|file| file.content.size()).sum();
    usage::add(on, of, Counts { packages: 0, artifacts: 0, bytes }).await?;
    let new = insert_files(on, of, there.id, &new, what.published_at).await?;
    for (kind, name) in &what.labels {
        insert_label(on, package, *kind, name, there.id).await?;
    }
    let added = digests(&new);
    there.add(new, &what);
    update(on, &there).await?;
    listing::extended(on, package, &there).await?;
    let names: Vec<_> = what.labels.iter().filter(|(kind, _)| *kind == LabelKind::Name).map(|(_, name)| name).collect();
    let detail = json!({
        "id": there.id.to_string(), "content": there.content.0, "upload": what.upload_digest.to_hex(),
        "added": added, "names": names, "way": what.way.as_str(),
    });
    audit::record(on, &what.by, "publish", format!("{address} {}", what.coordinate), detail).await?;
    next_generation(on, of).await?;
    Ok(Ended { answer: PublishOutcome::Extended(there), changed: true })
}

const UPDATE: &str = "UPDATE artifacts SET content = $2, checksums = $3, metadata = $4, dependencies = $5, \
    warnings = $6, about = $7 WHERE id = $1";

async fn update(on: &impl ConnectionTrait, artifact: &Artifact) -> Result<(), StoreError> {
    let values = [
        artifact.id.to_string().into(),
        artifact.content.0.as_str().into(),
        json!(artifact.checksums).to_string().into(),
        artifact.metadata.to_string().into(),
        json!(artifact.dependencies).to_string().into(),
        json!(artifact.warnings).to_string().into(),
        json!(artifact.about).to_string().into(),
    ];
    execute(on, UPDATE, values).await.map(drop)
}
