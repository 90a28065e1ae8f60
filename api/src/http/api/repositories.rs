//! `/api/repositories`: create, list, read, change.

mod credentials;
mod form;
mod members;
mod surroundings;
mod upstream;
mod view;

use std::sync::Arc;

use keeper_core::access::{Action, authorize};
use keeper_core::artifact::{PackageName, StoreError};
use keeper_core::error::{Failure, codes};
use keeper_core::removal::Retire;
use keeper_core::repository::{Repository, RepositoryAddress, RepositoryDetails, RepositoryName};
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

use self::credentials::CredentialChange;
use self::form::{NewRepository, RepositoryChange, Wanted};
use self::view::RepositoryView;
use super::Group;
use super::caller::Caller;
use super::cursor::NextCursor;
use super::listing::{self, default_limit, shorten};
use super::revision::{Tagged, expected, stale};
use crate::http::{App, Refused};

pub(super) struct Repositories;

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
        let (address, Wanted { details, credentials }) = form::checked(&app, body.0)?;
        surroundings::check(&app, &caller.principal, &caller.facts.base_url, &address, &details.source, None).await?;
        let stores = app.keeper.ports();
        let created = stores.repositories.create(&address, details, &caller.actor()).await;
        let repository = match created {
            Err(StoreError::AlreadyExists) => return Err(app.keeper.taken(&address).await?.into()),
            created => created.map_err(Failure::from)?,
        };
        keep(&app, &caller, &repository, credentials).await?;
        let location = format!("{}/api/repositories/{address}", caller.facts.base_url);
        Ok(CreateAnswer::Created(Json(view(&app, &caller, &repository).await?), location))
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
            items.push(view(&app, &caller, repository).await?);
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
        Ok(Tagged::new(view(&app, &caller, &repository).await?, repository.revision))
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
        let Wanted { details, credentials } = form::changed(&app, &repository, body.0)?;
        if needs_admin(&repository, &details) || !matches!(credentials, CredentialChange::Keep) {
            app.keeper.require_admin(&caller.principal)?;
        }
        let (source, before) = (&details.source, Some(&repository.source));
        if *source != repository.source {
            let base_url = &caller.facts.base_url;
            surroundings::check(&app, &caller.principal, base_url, &address, source, before).await?;
        }
        let stores = app.keeper.ports();
        let updated = stores.repositories.update(repository.id, repository.revision, details, &caller.actor()).await;
        let updated = updated.map_err(Failure::from)?.ok_or_else(stale)?;
        keep(&app, &caller, &updated, credentials).await?;
        Ok(Tagged::new(view(&app, &caller, &updated).await?, updated.revision))
    }

    /// Refresh a package.
    ///
    /// Forgets what a remote repository keeps of the package's indexes, and that things were absent, so that the next
    /// question goes to the upstream. Files that are stored stay.
    #[oai(path = "/repositories/:format/:name/refresh", method = "post", operation_id = "refresh_package")]
    async fn refresh(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its format.
        format: Path<String>,
        /// Its name.
        name: Path<String>,
        /// The package.
        package: Query<String>,
    ) -> Result<RefreshAnswer, Refused> {
        let address = address(&app, &format, &name)?;
        let package = PackageName::try_from(package.as_str())
            .map_err(|fault| Failure::new(&codes::INVALID_FIELD, fault.to_string()).field("package"))?;
        app.keeper.refresh(&caller.principal, &address, &package).await?;
        Ok(RefreshAnswer::Refreshed)
    }

    /// Delete a repository.
    ///
    /// It is hidden at once; what it held is removed in the background, also after a restart. Its name stays
    /// reserved until an administrator releases it, here or by repeating the call later. Under a name that was
    /// released and taken again, the numbers of deleted versions stay taken.
    #[oai(path = "/repositories/:format/:name", method = "delete", operation_id = "delete_repository")]
    #[allow(clippy::too_many_arguments)]
    async fn delete(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its format.
        format: Path<String>,
        /// Its name.
        name: Path<String>,
        /// `true`: also when it holds versions, or is a member of virtual repositories, which lose it.
        #[oai(default)]
        force: Query<bool>,
        /// `true`: the name may be taken again; for administrators of the instance.
        #[oai(default)]
        release_name: Query<bool>,
        /// The ETag that the deletion was made for; optional.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<DeleteAnswer, Refused> {
        let address = address(&app, &format, &name)?;
        let (who, by) = (&caller.principal, caller.actor());
        let revision = expected(if_match.0.as_deref())?;
        let how = Retire { force: force.0, release_name: release_name.0, revision };
        app.keeper.delete_repository(who, &by, &address, how).await?;
        Ok(DeleteAnswer::Deleted)
    }
}

/// A package was refreshed.
#[derive(ApiResponse)]
enum RefreshAnswer {
    /// The next question about it goes to the upstream.
    #[oai(status = 204)]
    Refreshed,
}

/// A repository was deleted.
#[derive(ApiResponse)]
enum DeleteAnswer {
    /// Nobody finds it any more.
    #[oai(status = 204)]
    Deleted,
}

/// Keeps or forgets credentials after the record that says whether there are some: a request in between finds none,
/// and is not sent.
async fn keep(app: &App, caller: &Caller, of: &Repository, change: CredentialChange) -> Result<(), Failure> {
    let credential = match &change {
        CredentialChange::Keep => return Ok(()),
        CredentialChange::Set(credential, origin) => Some((credential, origin.as_str())),
        CredentialChange::Forget => None,
    };
    app.vault.keep(of.id, credential, &caller.actor()).await
}

/// A repository as this caller sees it.
async fn view(app: &App, caller: &Caller, repository: &Repository) -> Result<RepositoryView, Failure> {
    let counts = app.keeper.ports().repositories.counts(repository.id).await?;
    let mut view = RepositoryView::of(repository, counts, app.keeper.ports().upstreams.as_ref());
    if repository.source.members().is_some() && authorize(&caller.principal, Action::Manage, repository).is_err() {
        let readable = app.keeper.readable(&caller.principal).await?;
        let siblings = readable.into_iter().filter(|one| one.address.format == repository.address.format);
        view.without_secrets(&siblings.map(|one| one.address.name.to_string()).collect::<Vec<_>>());
    }
    Ok(view)
}

/// The address that a path names.
pub(super) fn address(app: &App, format: &str, name: &str) -> Result<RepositoryAddress, Failure> {
    let (format, _) = app.keeper.ports().registry.named(format)?;
    let name = RepositoryName::try_from(name)
        .map_err(|fault| Failure::new(&codes::INVALID_FIELD, fault.to_string()).field("name"))?;
    Ok(RepositoryAddress { format, name })
}

/// Whether a change needs an administrator of the instance: it lets strangers in, or decides from where content
/// comes and which.
fn needs_admin(before: &Repository, after: &RepositoryDetails) -> bool {
    let timeless = |source: &keeper_core::source::Source| {
        let mut remote = source.remote().cloned()?;
        (remote.index_seconds, remote.stale_seconds) = (0, 0);
        Some(remote)
    };
    before.anonymous_read != after.anonymous_read || timeless(&before.source) != timeless(&after.source)
}
