//! The port of the end of repositories.
//!
//! The state is in the repository's row, so that a removal goes on after a crash where it was; only active
//! ones are in the memory that requests ask.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use keeper_core::artifact::{ArtifactId, StoreError};
use keeper_core::documents::Owner;
use keeper_core::removal::{RemovalStep, RemovalStore, Retire, RetiredRepository, Retirement};
use keeper_core::repository::{Actor, Repository, RepositoryAddress, RepositoryId};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;
use uuid::Uuid;

use super::Store;
use super::burial::bury;
use super::catalog::Generated;
use super::repositories;
use super::sql::{all, corrupt, execute, one};
use super::{audit, credentials, documents, usage};

#[async_trait]
impl RemovalStore for Store {
    async fn retire(&self, of: RepositoryId, how: Retire, by: &Actor) -> Result<Retirement, StoreError> {
        let (by, catalog) = (by.clone(), self.catalog.clone());
        let then = move |(_, all): &(Retirement, Vec<Generated>)| catalog.replace(all.clone());
        let work = self.writer.submit(move |on| Box::pin(retire(on, of, how, by)), then);
        work.await.map(|(retirement, _)| retirement)
    }

    async fn release_name(&self, of: RepositoryId, by: &Actor) -> Result<(), StoreError> {
        let by = by.clone();
        self.writer.submit(move |on| Box::pin(release(on, of, by)), |()| ()).await
    }

    async fn retired(&self, at: &RepositoryAddress) -> Result<Option<RetiredRepository>, StoreError> {
        let condition = "format = $1 AND name = $2 AND state <> 'active'";
        let values = vec![at.format.as_str().into(), at.name.as_str().into()];
        let found = repositories::loaded(&self.readers, condition, values).await?;
        let Some((repository, _)) = found.into_iter().next() else { return Ok(None) };
        let row = state(&self.readers, repository.id).await?;
        Ok(Some(RetiredRepository { repository, deleting: row.state == "deleting", released: row.name_released }))
    }

    async fn unfinished(&self) -> Result<Vec<Arc<Repository>>, StoreError> {
        let found = repositories::loaded(&self.readers, "state = 'deleting'", Vec::new()).await?;
        Ok(found.into_iter().map(|(repository, _)| repository).collect())
    }

    async fn remove_some(
        &self,
        of: RepositoryId,
        after: Option<ArtifactId>,
        limit: u32,
    ) -> Result<RemovalStep, StoreError> {
        self.writer.submit(move |on| Box::pin(remove_some(on, of, after, limit)), |_| ()).await
    }
}

#[derive(FromQueryResult)]
struct StateRow {
    format: String,
    name: String,
    state: String,
    name_released: bool,
    revision: i64,
}

async fn state(on: &impl ConnectionTrait, of: RepositoryId) -> Result<StateRow, StoreError> {
    let question = "SELECT format, name, state, name_released, revision FROM repositories WHERE id = $1";
    one(on, question, [of.0.into()]).await?.ok_or_else(|| corrupt("a repository", format!("there is none {}", of.0)))
}

const RETIRE: &str = "UPDATE repositories SET state = 'deleting', name_released = $2, default_upload = FALSE, \
    revision = revision + 1, generation = generation + 1 WHERE id = $1 AND state = 'active'";

async fn retire(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    how: Retire,
    by: Actor,
) -> Result<(Retirement, Vec<Generated>), StoreError> {
    let held = usage::read(on, of).await?.used;
    let StateRow { format, name, state, revision, .. } = state(on, of).await?;
    if state == "active" && how.revision.is_some_and(|expected| expected != revision) {
        return Ok((Retirement::Stale, repositories::load(on).await?));
    }
    if held.artifacts > 0 && !how.force {
        return Ok((Retirement::NotEmpty(held), repositories::load(on).await?));
    }
    if execute(on, RETIRE, [of.0.into(), how.release_name.into()]).await? == 1 {
        let detail = json!({ "versions": held.artifacts, "bytes": held.bytes, "release_name": how.release_name });
        audit::record(on, &by, "repository.delete", format!("{format}/{name}"), detail).await?;
        repositories::leave_virtual(on, &format, &name, &by).await?;
    }
    Ok((Retirement::Begun, repositories::load(on).await?))
}

async fn release(on: &impl ConnectionTrait, of: RepositoryId, by: Actor) -> Result<(), StoreError> {
    let statement = "UPDATE repositories SET name_released = TRUE \
                     WHERE id = $1 AND state <> 'active' AND name_released = FALSE";
    if execute(on, statement, [of.0.into()]).await? == 1 {
        let StateRow { format, name, .. } = state(on, of).await?;
        audit::record(on, &by, "repository.release_name", format!("{format}/{name}"), json!({})).await?;
    }
    Ok(())
}

const SOME: &str = "SELECT a.id, p.name, a.version FROM artifacts a JOIN packages p ON p.id = a.package \
    WHERE a.repository = $1 AND a.id > $2 AND a.state <> 'deleted' ORDER BY a.id LIMIT $3";
const LEFT: &str = "SELECT id, '' AS name, '' AS version FROM artifacts \
    WHERE repository = $1 AND state <> 'deleted' LIMIT 1";

#[derive(FromQueryResult)]
struct VersionRow {
    id: String,
    name: String,
    version: String,
}

async fn remove_some(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    after: Option<ArtifactId>,
    limit: u32,
) -> Result<RemovalStep, StoreError> {
    let StateRow { format, name, state, .. } = state(on, of).await?;
    if state != "deleting" {
        return Ok(RemovalStep { versions: 0, last: None, finished: true });
    }
    let resource = format!("{format}/{name}");
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let rows: Vec<VersionRow> = all(on, SOME, [of.0.into(), after.into(), i64::from(limit).into()]).await?;
    if rows.is_empty() {
        let left: Option<VersionRow> = one(on, LEFT, [of.0.into()]).await?;
        if left.is_none() {
            finish(on, of, resource).await?;
        }
        return Ok(RemovalStep { versions: 0, last: None, finished: left.is_none() });
    }
    let told: Vec<_> = rows.iter().map(|row| format!("{}@{}", row.name, row.version)).collect();
    let ids: Vec<_> = rows.into_iter().map(|row| row.id).collect();
    bury(on, of, &ids, "its repository was deleted", Timestamp::now()).await?;
    audit::record(on, &Actor::system(), "repository.empty", resource, json!({ "versions": told })).await?;
    let last = ids.last().map(|id| Uuid::parse_str(id).map_err(|error| corrupt("an artifact", error))).transpose()?;
    Ok(RemovalStep { versions: ids.len() as u64, last: last.map(ArtifactId), finished: false })
}

async fn finish(on: &impl ConnectionTrait, of: RepositoryId, resource: String) -> Result<(), StoreError> {
    execute(on, "UPDATE repositories SET state = 'deleted' WHERE id = $1", [of.0.into()]).await?;
    execute(on, "DELETE FROM retention WHERE repository = $1", [of.0.into()]).await?;
    credentials::forget(on, of).await?;
    documents::forget(on, Owner::Repository(of).to_string(), None).await?;
    let unlimited = "UPDATE usage SET limit_bytes = NULL, limit_artifacts = NULL, limit_by = NULL, limit_at = NULL \
                     WHERE repository = $1";
    execute(on, unlimited, [of.0.into()]).await?;
    audit::record(on, &Actor::system(), "repository.deleted", resource, json!({})).await
}

/// Takes the row of a deleted repository whose name was released for a new one; `false` when there is none.
/// Its tombstones stay with it.
pub(super) async fn revive(on: &impl ConnectionTrait, at: &RepositoryAddress) -> Result<bool, StoreError> {
    let statement = "UPDATE repositories SET state = 'active', name_released = FALSE, \
                     revision = revision + 1, generation = generation + 1 \
                     WHERE format = $1 AND name = $2 AND state = 'deleted' AND name_released = TRUE";
    let values = [at.format.as_str().into(), at.name.as_str().into()];
    Ok(execute(on, statement, values).await? == 1)
}
