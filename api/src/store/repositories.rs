//! The port of repositories.
//!
//! Their number is small and every request asks for one, so they are answered from memory; a change reads
//! all of them again inside its transaction and hands them to the [`Catalog`](super::catalog::Catalog) after
//! the COMMIT.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use keeper_core::artifact::StoreError;
use keeper_core::repository::{
    Actor, Counts, Deletion, FormatKey, Repository, RepositoryAddress, RepositoryDetails, RepositoryId, RepositoryKind,
    RepositoryName, RepositoryStore, Settings,
};
use keeper_core::source::Source;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Value, json};

use super::Store;
use super::audit;
use super::catalog::Generated;
use super::removal::revive;
use super::sql::{all, corrupt, execute, micros, one, timestamp};
use super::usage;

#[async_trait]
impl RepositoryStore for Store {
    async fn find(&self, at: &RepositoryAddress) -> Result<Option<Arc<Repository>>, StoreError> {
        if !self.is_behind() {
            return Ok(self.catalog.find(at));
        }
        let condition = "state = 'active' AND format = $1 AND name = $2";
        let values = vec![at.format.as_str().into(), at.name.as_str().into()];
        let found = loaded(&self.readers, condition, values).await?;
        Ok(found.into_iter().next().map(|(repository, _)| repository))
    }

    async fn list(&self) -> Result<Vec<Arc<Repository>>, StoreError> {
        if !self.is_behind() {
            return Ok(self.catalog.list());
        }
        Ok(load(&self.readers).await?.into_iter().map(|(repository, _)| repository).collect())
    }

    async fn create(
        &self,
        at: &RepositoryAddress,
        details: RepositoryDetails,
        by: &Actor,
    ) -> Result<Arc<Repository>, StoreError> {
        let (at, by, catalog) = (at.clone(), by.clone(), self.catalog.clone());
        let then = move |after: &After| catalog.replace(after.all.clone());
        let after = self.writer.submit(move |on| Box::pin(create(on, at, details, by)), then).await?;
        after.changed.ok_or_else(|| corrupt("a new repository", "it cannot be read again"))
    }

    async fn update(
        &self,
        of: RepositoryId,
        revision: i64,
        details: RepositoryDetails,
        by: &Actor,
    ) -> Result<Option<Arc<Repository>>, StoreError> {
        let (by, catalog) = (by.clone(), self.catalog.clone());
        let then = move |after: &After| catalog.replace(after.all.clone());
        let after = self.writer.submit(move |on| Box::pin(update(on, of, revision, details, by)), then).await?;
        Ok(after.changed)
    }

    async fn counts(&self, of: RepositoryId) -> Result<Counts, StoreError> {
        Ok(usage::read(&self.readers, of).await?.used)
    }
}

/// All repositories after a change, and the one that was changed.
pub(super) struct After {
    pub(super) all: Vec<Generated>,
    pub(super) changed: Option<Arc<Repository>>,
}

impl After {
    /// After a change of the one at an address.
    async fn change(on: &impl ConnectionTrait, at: &RepositoryAddress) -> Result<Self, StoreError> {
        let all = load(on).await?;
        let changed = all.iter().find(|(one, _)| one.address == *at).map(|(one, _)| one.clone());
        Ok(Self { all, changed })
    }
}

const INSERT: &str = "INSERT INTO repositories (format, name, kind, description, anonymous_read, default_upload, \
                      deletion, settings, created_at, source, revision, generation) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, 1)";

/// For one whose row was revived.
const REPLACE: &str = "UPDATE repositories SET kind = $3, description = $4, anonymous_read = $5, default_upload = $6, \
                       deletion = $7, settings = $8, created_at = $9, source = $10 WHERE format = $1 AND name = $2";

async fn create(
    on: &impl ConnectionTrait,
    at: RepositoryAddress,
    details: RepositoryDetails,
    by: Actor,
) -> Result<After, StoreError> {
    if details.default_upload {
        give_up_default(on, at.format.as_str(), RepositoryId(0), &by).await?;
    }
    let now = Timestamp::now();
    let statement = if revive(on, &at).await? { REPLACE } else { INSERT };
    let values = [
        at.format.as_str().into(),
        at.name.as_str().into(),
        details.source.kind().as_str().into(),
        details.description.as_str().into(),
        details.anonymous_read.into(),
        details.default_upload.into(),
        details.deletion.as_str().into(),
        settings_text(&details.settings).into(),
        micros(now).into(),
        source_text(&details.source).into(),
    ];
    execute(on, statement, values).await?;
    audit::record(on, &by, "repository.create", at.to_string(), told(&details)).await?;
    let after = After::change(on, &at).await?;
    if let Some(made) = &after.changed {
        usage::open(on, made.id).await?;
    }
    Ok(after)
}

const UPDATE: &str = "UPDATE repositories SET description = $3, anonymous_read = $4, default_upload = $5, deletion = $6, \
                      settings = $7, source = $8, revision = revision + 1, generation = generation + 1 \
                      WHERE id = $1 AND revision = $2";

async fn update(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    revision: i64,
    details: RepositoryDetails,
    by: Actor,
) -> Result<After, StoreError> {
    let current = load(on).await?;
    let current = current.iter().find(|(repository, _)| repository.id == of && repository.revision == revision);
    let Some((before, _)) = current else {
        return Ok(After { all: load(on).await?, changed: None });
    };
    if details.default_upload {
        give_up_default(on, before.address.format.as_str(), of, &by).await?;
    }
    let values = [
        of.0.into(),
        revision.into(),
        details.description.as_str().into(),
        details.anonymous_read.into(),
        details.default_upload.into(),
        details.deletion.as_str().into(),
        settings_text(&details.settings).into(),
        source_text(&details.source).into(),
    ];
    execute(on, UPDATE, values).await?;
    audit::record(on, &by, "repository.update", before.address.to_string(), told(&details)).await?;
    After::change(on, &before.address).await
}

/// Takes the uploads that name no repository from the one that had them, unless it is `but`.
async fn give_up_default(
    on: &impl ConnectionTrait,
    format: &str,
    but: RepositoryId,
    by: &Actor,
) -> Result<(), StoreError> {
    let question = format!("{SELECT} WHERE format = $1 AND default_upload = TRUE AND id <> $2");
    let Some(row) = one::<Row>(on, &question, [format.into(), but.0.into()]).await? else {
        return Ok(());
    };
    let statement = "UPDATE repositories SET default_upload = FALSE, revision = revision + 1, \
                     generation = generation + 1 WHERE id = $1";
    execute(on, statement, [row.id.into()]).await?;
    let resource = format!("{}/{}", row.format, row.name);
    audit::record(on, by, "repository.update", resource, json!({ "default_upload": false })).await
}

/// Takes a repository that goes out of the virtual ones that have it as a member.
pub(super) async fn leave_virtual(
    on: &impl ConnectionTrait,
    format: &str,
    name: &str,
    by: &Actor,
) -> Result<(), StoreError> {
    let name = RepositoryName::try_from(name).map_err(|error| corrupt("a repository", error))?;
    let condition = "state = 'active' AND format = $1 AND kind = 'virtual'";
    for (repository, _) in loaded(on, condition, vec![format.into()]).await? {
        let Some(rest) = repository.source.members().and_then(|members| members.without(&name)) else { continue };
        let source = Source::Virtual(Box::new(rest));
        let statement = "UPDATE repositories SET source = $2, revision = revision + 1, \
                         generation = generation + 1 WHERE id = $1";
        execute(on, statement, [repository.id.0.into(), source_text(&source).into()]).await?;
        let detail = json!({ "source": source });
        audit::record(on, by, "repository.update", repository.address.to_string(), detail).await?;
    }
    Ok(())
}

/// All active repositories in order of address.
pub(super) async fn load(on: &impl ConnectionTrait) -> Result<Vec<Generated>, StoreError> {
    loaded(on, "state = 'active'", Vec::new()).await
}

/// The repositories that meet a condition, in order of address.
pub(super) async fn loaded(
    on: &impl ConnectionTrait,
    condition: &str,
    values: Vec<sea_orm::Value>,
) -> Result<Vec<Generated>, StoreError> {
    let rows: Vec<Row> = all(on, &format!("{SELECT} WHERE {condition} ORDER BY format, name"), values).await?;
    rows.into_iter().map(Row::parse).collect()
}

const SELECT: &str = "SELECT id, format, name, kind, description, anonymous_read, default_upload, deletion, settings, \
                      created_at, revision, generation, source FROM repositories";

impl Store {
    /// The address of a repository, for the audit.
    pub(super) async fn address(&self, of: RepositoryId) -> Result<RepositoryAddress, StoreError> {
        match self.catalog.address(of) {
            Err(StoreError::Retired) if self.is_behind() => {
                let found = loaded(&self.readers, "state = 'active' AND id = $1", vec![of.0.into()]).await?;
                let (repository, _) = found.into_iter().next().ok_or(StoreError::Retired)?;
                Ok(repository.address.clone())
            }
            known => known,
        }
    }
}

#[derive(FromQueryResult)]
struct Row {
    id: i64,
    format: String,
    name: String,
    kind: String,
    description: String,
    anonymous_read: bool,
    default_upload: bool,
    deletion: String,
    settings: String,
    created_at: i64,
    revision: i64,
    generation: i64,
    source: Option<String>,
}

impl Row {
    fn parse(self) -> Result<Generated, StoreError> {
        let what = format!("repository {}/{}", self.format, self.name);
        let unknown = |field: &str, word: &str| corrupt(&what, format!("unknown {field} {word:?}"));
        let settings: Value = serde_json::from_str(&self.settings).map_err(|error| corrupt(&what, error))?;
        let Value::Object(settings) = settings else {
            return Err(corrupt(&what, "its settings are no object"));
        };
        let source: Source = match &self.source {
            None => Source::Hosted,
            Some(text) => serde_json::from_str(text).map_err(|error| corrupt(&what, error))?,
        };
        if RepositoryKind::parse(&self.kind) != Some(source.kind()) {
            return Err(unknown("kind", &self.kind));
        }
        let repository = Repository {
            id: RepositoryId(self.id),
            address: RepositoryAddress {
                format: FormatKey::try_from(self.format.as_str()).map_err(|error| corrupt(&what, error))?,
                name: RepositoryName::try_from(self.name.as_str()).map_err(|error| corrupt(&what, error))?,
            },
            source,
            description: self.description,
            anonymous_read: self.anonymous_read,
            default_upload: self.default_upload,
            deletion: Deletion::parse(&self.deletion).ok_or_else(|| unknown("deletion", &self.deletion))?,
            settings: Settings(settings),
            created_at: timestamp(self.created_at)?,
            revision: self.revision,
        };
        let generation = u64::try_from(self.generation).map_err(|error| corrupt(&what, error))?;
        Ok((Arc::new(repository), generation))
    }
}

fn settings_text(settings: &Settings) -> String {
    Value::Object(settings.0.clone()).to_string()
}

/// What a repository is made of; nothing for a hosted one, as in rows of before there were others.
fn source_text(source: &Source) -> Option<String> {
    (*source != Source::Hosted).then(|| json!(source).to_string())
}

fn told(details: &RepositoryDetails) -> Value {
    json!({
        "description": details.description,
        "anonymous_read": details.anonymous_read,
        "default_upload": details.default_upload,
        "deletion": details.deletion.as_str(),
        "settings": details.settings.0,
        "source": details.source,
    })
}

#[cfg(test)]
mod tests {
    use keeper_core::artifact::ArtifactStore;

    use super::super::fixture::{Folder, address, details, publication, repository};
    use super::*;

    async fn at(store: &Store, name: &str) -> Option<Arc<Repository>> {
        RepositoryStore::find(store, &address(name)).await.expect("an answer")
    }

    #[tokio::test]
    async fn an_address_is_taken_once_and_found_from_then_on_also_after_a_start() {
        let folder = Folder::new();
        let store = folder.open().await;
        let made = repository(&store, "local").await;
        let again = store.create(&address("local"), details(), &Actor::system()).await;
        assert!(matches!(again, Err(StoreError::AlreadyExists)));
        assert_eq!(at(&store, "local").await.map(|found| found.id), Some(made.id));
        assert!(at(&store, "other").await.is_none());
        store.close().await;
        let store = folder.open().await;
        let found = at(&store, "local").await.expect("it");
        assert_eq!((found.id, found.settings.text("key")), (made.id, Some("value")));
        assert_eq!(found.created_at, made.created_at);
    }

    #[tokio::test]
    async fn an_update_needs_the_revision_it_read() {
        let folder = Folder::new();
        let store = folder.open().await;
        let made = repository(&store, "local").await;
        let generation = store.generation(made.id);
        let changed = RepositoryDetails { description: "new".into(), ..details() };
        let updated = store.update(made.id, made.revision, changed.clone(), &Actor::system()).await.expect("updated");
        assert_eq!(updated.expect("it").description, "new");
        assert!(store.generation(made.id) > generation);
        let late = store.update(made.id, made.revision, changed, &Actor::system()).await.expect("an answer");
        assert!(late.is_none());
        assert_eq!(at(&store, "local").await.expect("it").description, "new");
    }

    #[tokio::test]
    async fn one_repository_of_a_format_is_its_default() {
        let folder = Folder::new();
        let store = folder.open().await;
        let default = RepositoryDetails { default_upload: true, ..details() };
        let by = Actor::system();
        let first = store.create(&address("a"), default.clone(), &by).await.expect("made");
        let second = store.create(&address("b"), default.clone(), &by).await.expect("made");
        let defaults = |list: Vec<Arc<Repository>>| -> Vec<String> {
            list.iter().filter(|one| one.default_upload).map(|one| one.address.to_string()).collect()
        };
        assert_eq!(defaults(store.list().await.expect("a list")), ["go/b"]);
        assert!(second.default_upload && store.generation(first.id) > 1, "the first was told");
        let first = at(&store, "a").await.expect("it");
        store.update(first.id, first.revision, default, &by).await.expect("updated").expect("the revision");
        assert_eq!(defaults(store.list().await.expect("a list")), ["go/a"]);
    }

    #[tokio::test]
    async fn counts_leave_tombstones_out() {
        let folder = Folder::new();
        let store = folder.open().await;
        let local = repository(&store, "local").await;
        for (package, version) in
            [("example.com/a", "v1.0.0"), ("example.com/a", "v1.1.0"), ("example.com/b", "v1.0.0")]
        {
            store.publish(local.id, publication(package, version)).await.expect("published");
        }
        let gone = publication("example.com/b", "v1.0.0").coordinate;
        store.delete(local.id, &gone, None, "", &Actor::system()).await.expect("deleted");
        let counts = store.counts(local.id).await.expect("counts");
        assert_eq!((counts.packages, counts.artifacts), (1, 2));
        let size: u64 = publication("example.com/a", "v1.0.0").files.iter().map(|file| file.content.size()).sum();
        assert_eq!(counts.bytes, 2 * size);
        assert_eq!(store.counts(RepositoryId(99)).await.expect("counts"), Counts::default());
    }
}
