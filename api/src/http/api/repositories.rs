//! `/api/repositories`: create, list, read, change.

use std::sync::Arc;

use keeper_core::access::Action;
use keeper_core::artifact::StoreError;
use keeper_core::error::{Failure, Problem, codes};
use keeper_core::repository::{
    Deletion, Repository, RepositoryAddress, RepositoryDetails, RepositoryKind, RepositoryName, Settings,
};
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::Any;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde_json::{Map, Value};

use super::Group;
use super::caller::Caller;
use super::cursor::NextCursor;
use super::listing::{self, default_limit};
use super::revision::{Tagged, expected, stale};
use super::views::RepositoryView;
use crate::http::{App, Refused};

pub(super) struct Repositories;

/// A repository to create.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct NewRepository {
    /// Its format, for example `go`.
    format: String,
    /// Its name: `[a-z0-9][a-z0-9._-]{0,99}`.
    name: String,
    /// `hosted`.
    kind: String,
    /// For people.
    #[oai(default)]
    description: String,
    /// Whether it can be read without a login.
    #[oai(default)]
    anonymous_read: bool,
    /// Whether uploads of its format that name no repository come here; takes that from the one that had it.
    #[oai(default)]
    default_upload: bool,
    /// `tombstone` (default) or `never`.
    deletion: Option<String>,
    /// The settings that belong to the format.
    settings: Option<Any<Map<String, Value>>>,
}

/// A change of a repository: what is absent stays.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct RepositoryChange {
    /// Fixed at creation: another value than the present one is refused.
    format: Option<String>,
    /// Fixed at creation: another value than the present one is refused.
    name: Option<String>,
    /// Fixed at creation: another value than the present one is refused.
    kind: Option<String>,
    /// For people.
    description: Option<String>,
    /// Whether it can be read without a login.
    anonymous_read: Option<bool>,
    /// Whether uploads of its format that name no repository come here.
    default_upload: Option<bool>,
    /// `tombstone` or `never`.
    deletion: Option<String>,
    /// Settings of the format to change; `null` takes one back to its default (RFC 7396).
    settings: Option<Any<Map<String, Value>>>,
}

/// A repository was created.
#[derive(ApiResponse)]
enum CreateAnswer {
    /// It is there now.
    #[oai(status = 201)]
    Created(
        Json<RepositoryView>,
        /// Its address in the API.
        #[oai(header = "Location")]
        String,
    ),
}

/// The repositories that the caller may read.
#[derive(Object)]
struct RepositoryPage {
    /// In order of format and name.
    items: Vec<RepositoryView>,
    /// Give it as `cursor` to get the next page; `null` on the last one.
    next_cursor: NextCursor,
}

#[OpenApi(tag = "Group::Repositories")]
impl Repositories {
    /// Create a repository.
    #[oai(path = "/repositories", method = "post", operation_id = "create_repository")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        body: Json<NewRepository>,
    ) -> Result<CreateAnswer, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        let (address, kind, details) = checked(&app, body.0)?;
        let stores = app.keeper.ports();
        let created = stores.repositories.create(&address, kind, details, &caller.actor()).await;
        let repository = match created {
            Err(StoreError::AlreadyExists) => return Err(app.keeper.taken(&address).await?.into()),
            created => created.map_err(Failure::from)?,
        };
        let location = format!("{}/api/repositories/{address}", caller.facts.base_url);
        Ok(CreateAnswer::Created(Json(RepositoryView::of(&repository, Default::default())), location))
    }

    /// List repositories.
    ///
    /// Those that the caller may read, in order of format and name.
    #[oai(path = "/repositories", method = "get", operation_id = "list_repositories")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Only of this format, for example `go`.
        format: Query<Option<String>>,
        /// At most so many, 1 to 200.
        #[oai(default = "default_limit")]
        limit: Query<u32>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<RepositoryPage>, Refused> {
        let limit = listing::limit(limit.0)?;
        let filter = caller.filter("repositories", &[&format.0]);
        let key = |key: &[u8]| String::from_utf8(key.to_vec()).ok();
        let after = cursor.0.as_deref().map(|text| filter.open_bytes(text, key)).transpose()?;
        let mut readable = app.keeper.readable(&caller.principal).await?;
        readable.retain(|one| format.0.as_deref().is_none_or(|wanted| one.address.format.as_str() == wanted));
        let page = listing::page(readable, |one| one.address.to_string(), after.as_deref(), limit);
        let next_cursor = NextCursor::of(&page, |last| filter.seal_bytes(last.address.to_string().as_bytes()));
        let mut items = Vec::with_capacity(page.items.len());
        for repository in &page.items {
            items.push(view(&app, repository).await?);
        }
        Ok(Json(RepositoryPage { items, next_cursor }))
    }

    /// Read a repository.
    #[oai(path = "/repositories/:format/:name", method = "get", operation_id = "get_repository")]
    async fn read(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its format.
        format: Path<String>,
        /// Its name.
        name: Path<String>,
    ) -> Result<Tagged<RepositoryView>, Refused> {
        let address = address(&app, &format, &name)?;
        let (repository, _permit) = app.keeper.enter_api(&caller.principal, &address, Action::Read).await?;
        Ok(Tagged::new(view(&app, &repository).await?, repository.revision))
    }

    /// Change a repository.
    #[oai(path = "/repositories/:format/:name", method = "patch", operation_id = "update_repository")]
    async fn update(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its format.
        format: Path<String>,
        /// Its name.
        name: Path<String>,
        /// The ETag that the change was made for; optional.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        body: Json<RepositoryChange>,
    ) -> Result<Tagged<RepositoryView>, Refused> {
        let address = address(&app, &format, &name)?;
        let (repository, _permit) = app.keeper.enter_api(&caller.principal, &address, Action::Manage).await?;
        if expected(if_match.0.as_deref())?.is_some_and(|expected| expected != repository.revision) {
            return Err(stale().into());
        }
        if body.anonymous_read.is_some_and(|wanted| wanted != repository.anonymous_read) {
            app.keeper.require_admin(&caller.principal)?;
        }
        fixed(&repository, &body)?;
        let details = changed(&app, &repository, body.0)?;
        let stores = app.keeper.ports();
        let updated = stores.repositories.update(repository.id, repository.revision, details, &caller.actor()).await;
        let updated = updated.map_err(Failure::from)?.ok_or_else(stale)?;
        Ok(Tagged::new(view(&app, &updated).await?, updated.revision))
    }

    /// Delete a repository.
    ///
    /// It is hidden at once; what it held is removed in the background, also after a restart. Its name stays
    /// reserved until an administrator releases it, here or by repeating the call later. Under a name that was
    /// released and taken again, the numbers of deleted versions stay taken.
    #[oai(path = "/repositories/:format/:name", method = "delete", operation_id = "delete_repository")]
    async fn delete(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its format.
        format: Path<String>,
        /// Its name.
        name: Path<String>,
        /// `true`: also when it holds versions.
        #[oai(default)]
        force: Query<bool>,
        /// `true`: the name may be taken again; for administrators of the instance.
        #[oai(default)]
        release_name: Query<bool>,
    ) -> Result<DeleteAnswer, Refused> {
        let address = address(&app, &format, &name)?;
        let (who, by) = (&caller.principal, caller.actor());
        app.keeper.delete_repository(who, &by, &address, force.0, release_name.0).await?;
        Ok(DeleteAnswer::Deleted)
    }
}

/// A repository was deleted.
#[derive(ApiResponse)]
enum DeleteAnswer {
    /// Nobody finds it any more.
    #[oai(status = 204)]
    Deleted,
}

async fn view(app: &App, repository: &Repository) -> Result<RepositoryView, Failure> {
    let counts = app.keeper.ports().repositories.counts(repository.id).await?;
    Ok(RepositoryView::of(repository, counts))
}

/// The address that a path names.
pub(super) fn address(app: &App, format: &str, name: &str) -> Result<RepositoryAddress, Failure> {
    let (format, _) = app.keeper.ports().registry.named(format)?;
    let name = RepositoryName::try_from(name)
        .map_err(|fault| Failure::new(&codes::INVALID_FIELD, fault.to_string()).field("name"))?;
    Ok(RepositoryAddress { format, name })
}

/// A new repository, all faults at once.
fn checked(app: &App, new: NewRepository) -> Result<(RepositoryAddress, RepositoryKind, RepositoryDetails), Failure> {
    let mut problems = Vec::new();
    let format = app.keeper.ports().registry.named(&new.format);
    let format = format.map_err(|failure| problems.push(failure.first().clone())).ok();
    let name = RepositoryName::try_from(new.name.as_str());
    let name = name.map_err(|fault| problems.push(invalid("name", fault.to_string()))).ok();
    let kind = RepositoryKind::parse(&new.kind);
    if kind.is_none() {
        problems
            .push(invalid("kind", format!("kind is hosted, not {:?}", new.kind.chars().take(80).collect::<String>())));
    }
    let deletion = deletion(new.deletion.as_deref(), &mut problems).unwrap_or(Deletion::Tombstone);
    description(&new.description, &mut problems);
    let given = Settings(new.settings.map(|Any(map)| map).unwrap_or_default());
    let settings = format.as_ref().and_then(|(_, handler)| {
        handler.settings(given).map_err(|failure| problems.extend(failure.problems().cloned())).ok()
    });
    match (format, name, kind, settings) {
        (Some((format, _)), Some(name), Some(kind), Some(settings)) if problems.is_empty() => Ok((
            RepositoryAddress { format, name },
            kind,
            RepositoryDetails {
                description: new.description,
                anonymous_read: new.anonymous_read,
                default_upload: new.default_upload,
                deletion,
                settings,
            },
        )),
        _ => Err(refusal(problems)),
    }
}

/// Refuses to change what is fixed at creation.
fn fixed(repository: &Repository, change: &RepositoryChange) -> Result<(), Failure> {
    let address = &repository.address;
    let fixed = [
        ("format", &change.format, address.format.as_str()),
        ("name", &change.name, address.name.as_str()),
        ("kind", &change.kind, repository.kind.as_str()),
    ];
    let changed = fixed.into_iter().filter(|(_, wanted, present)| wanted.as_deref().is_some_and(|one| one != *present));
    let problems = changed.map(|(field, _, present)| {
        Problem::new(&codes::IMMUTABLE_FIELD, format!("the {field} of \"{address}\" is \"{present}\" for ever"))
            .field(field)
    });
    Failure::from_problems(problems.collect()).map_or(Ok(()), Err)
}

/// The details after a change, all faults at once.
fn changed(app: &App, repository: &Repository, change: RepositoryChange) -> Result<RepositoryDetails, Failure> {
    let mut problems = Vec::new();
    let deletion = deletion(change.deletion.as_deref(), &mut problems).unwrap_or(repository.deletion);
    description(change.description.as_deref().unwrap_or(""), &mut problems);
    let mut settings = repository.settings.clone();
    for (key, value) in change.settings.map(|Any(map)| map).unwrap_or_default() {
        match value {
            Value::Null => settings.0.remove(&key),
            value => settings.0.insert(key, value),
        };
    }
    let (_, handler) = app.keeper.ports().registry.named(repository.address.format.as_str())?;
    let settings = handler.settings(settings).map_err(|failure| problems.extend(failure.problems().cloned()));
    match settings {
        Ok(settings) if problems.is_empty() => Ok(RepositoryDetails {
            description: change.description.unwrap_or_else(|| repository.description.clone()),
            anonymous_read: change.anonymous_read.unwrap_or(repository.anonymous_read),
            default_upload: change.default_upload.unwrap_or(repository.default_upload),
            deletion,
            settings,
        }),
        _ => Err(refusal(problems)),
    }
}

fn deletion(given: Option<&str>, problems: &mut Vec<Problem>) -> Option<Deletion> {
    let given = given?;
    let parsed = Deletion::parse(given);
    if parsed.is_none() {
        problems.push(invalid("deletion", "deletion is tombstone or never"));
    }
    parsed
}

fn description(text: &str, problems: &mut Vec<Problem>) {
    if text.chars().count() > 1_000 || text.chars().any(|c| c.is_control() && c != '\n') {
        problems.push(invalid("description", "a description has at most 1,000 characters and no control characters"));
    }
}

fn invalid(field: &str, detail: impl Into<String>) -> Problem {
    Problem::new(&codes::INVALID_FIELD, detail).field(field)
}

fn refusal(problems: Vec<Problem>) -> Failure {
    Failure::from_problems(problems)
        .unwrap_or_else(|| Failure::new(&codes::INTERNAL, "a repository was refused without a reason"))
}
