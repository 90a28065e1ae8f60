//! `/api/packages` and `/api/search`: what there is, by name, by time, by words; a package's versions, and who
//! needs it.

use std::sync::Arc;

use keeper_core::artifact::{ArtifactId, Page};
use keeper_core::catalog::{
    DependentQuery, ListedVersion, Package, PackageId, PackageOrder, PackageQuery, PackageStore, Rank, SearchQuery,
    VersionOrder, VersionQuery,
};
use keeper_core::error::Failure;
use keeper_core::limits::PAGE_LIMIT_MAX;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use uuid::Uuid;

use super::Group;
use super::caller::Caller;
use super::cursor::{Filter, NextCursor};
use super::listing::{self, Readable, default_limit};
use super::package_views::{DependentView, PackageView, VersionView};
use super::{search_text, similar};
use crate::http::{App, Refused};

pub(super) struct Packages;

/// Orders of a list of packages.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
enum Sort {
    /// By name.
    Name,
    /// By the newest version.
    Newest,
    /// By the number of packages that need it, the largest first.
    MostUsed,
}

/// Orders of a list of versions.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
enum VersionSort {
    /// The highest first.
    Highest,
    /// The lowest first.
    Lowest,
}

/// A page of packages.
#[derive(Object)]
struct PackagePage {
    /// The packages, in the order that was asked for.
    items: Vec<PackageView>,
    /// Give it as `cursor` to get the next page; `null` on the last one.
    next_cursor: NextCursor,
}

/// A page of what was found.
#[derive(Object)]
struct FoundPage {
    /// The packages, the best first.
    items: Vec<PackageView>,
    /// Whether nothing holds the words, and these are packages with similar names.
    approximate: bool,
    /// Give it as `cursor` to get the next page; `null` on the last one.
    next_cursor: NextCursor,
}

/// A page of a package's versions.
#[derive(Object)]
struct VersionPage {
    /// The versions, in the order of the format that was asked for.
    items: Vec<VersionView>,
    /// Give it as `cursor` to get the next page; `null` on the last one.
    next_cursor: NextCursor,
}

/// A page of the versions that need a package.
#[derive(Object)]
struct DependentPage {
    /// The versions, the newest first.
    items: Vec<DependentView>,
    /// Give it as `cursor` to get the next page; `null` on the last one.
    next_cursor: NextCursor,
}

#[OpenApi(tag = "Group::Packages")]
impl Packages {
    /// List packages.
    ///
    /// Those that the caller may read and that have a version which is not deleted. Ordered by `newest`, a
    /// package that is published to while you turn pages moves to the first one; by `most_used`, one that is needed by
    /// more or less meanwhile moves, too.
    #[oai(path = "/packages", method = "get", operation_id = "list_packages")]
    #[allow(clippy::too_many_arguments)]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Only of this format, for example `go`.
        format: Query<Option<String>>,
        /// Only of repositories of this name; a virtual one stands for its members.
        repository: Query<Option<String>>,
        /// Only of exactly this name.
        name: Query<Option<String>>,
        /// Only packages whose name contains this text.
        q: Query<Option<String>>,
        /// In which order: `name` (default), `newest` or `most_used`.
        sort: Query<Option<Sort>>,
        /// At most so many, 1 to 200.
        #[oai(default = "default_limit")]
        limit: Query<u32>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<PackagePage>, Refused> {
        let limit = listing::limit(limit.0)?;
        let text = listing::text(q.0.as_deref())?;
        let sort = sort.0.unwrap_or(Sort::Name);
        let readable = Readable::of(&app, &caller, format.0.as_deref(), repository.0.as_deref()).await?;
        let list = match sort {
            Sort::Name => "packages by name",
            Sort::Newest => "packages by time",
            Sort::MostUsed => "packages by use",
        };
        let filter = caller.filter(list, &[&format.0, &repository.0, &name.0, &q.0]);
        let order = order(sort, &filter, cursor.0.as_deref())?;
        let query = PackageQuery { repositories: readable.ids(), name: name.0, text, order, limit };
        let page = app.keeper.ports().packages.list_packages(&query).await.map_err(Failure::from)?;
        let next_cursor = NextCursor::of(&page, |last| match sort {
            Sort::Name => filter.seal_bytes(&[last.id.0.as_bytes(), last.name.as_str().as_bytes()].concat()),
            Sort::Newest => filter.seal(last.newest.0),
            Sort::MostUsed => filter.seal_bytes(&[&last.used_by.to_be_bytes()[..], last.id.0.as_bytes()].concat()),
        });
        let items = views(&app, &caller, &readable, page.items).await?;
        Ok(Json(PackagePage { items, next_cursor }))
    }

    /// Read a package.
    #[oai(path = "/packages/:id", method = "get", operation_id = "get_package")]
    async fn read(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its id.
        id: Path<String>,
    ) -> Result<Json<PackageView>, Refused> {
        let (repository, package) = app.keeper.package(&caller.principal, parse_id(&id)?).await?;
        let summary = app.keeper.summary(&caller.principal, &repository, &package.name).await?;
        Ok(Json(PackageView::of(package, &repository.address, &summary)))
    }

    /// List the versions of a package.
    ///
    /// In the order of the format, the highest first or, to begin at the end of the list, the lowest; each with its
    /// marks.
    #[oai(path = "/packages/:id/versions", method = "get", operation_id = "list_package_versions")]
    #[allow(clippy::too_many_arguments)]
    async fn versions(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// The id of the package.
        id: Path<String>,
        /// Whether deleted versions are listed too.
        deleted: Query<Option<bool>>,
        /// Only versions that hold this text.
        q: Query<Option<String>>,
        /// Which come first: `highest` (default) or `lowest`.
        order: Query<Option<VersionSort>>,
        /// At most so many, 1 to 200.
        #[oai(default = "default_limit")]
        limit: Query<u32>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<VersionPage>, Refused> {
        let limit = listing::limit(limit.0)?;
        let id = parse_id(&id)?;
        let (repository, package) = app.keeper.package(&caller.principal, id).await?;
        let deleted = deleted.0.unwrap_or(false);
        let (list, order) = match order.0.unwrap_or(VersionSort::Highest) {
            VersionSort::Highest => ("versions", VersionOrder::Highest),
            VersionSort::Lowest => ("versions from the lowest", VersionOrder::Lowest),
        };
        let filter = caller.filter(list, &[&Some(id.to_string()), &deleted.then(String::new), &q.0]);
        let after = cursor.0.as_deref().map(|text| filter.open(text)).transpose()?.map(ArtifactId);
        let query = VersionQuery { package: id, deleted, order, after, limit };
        let page = holding(app.keeper.ports().packages.as_ref(), q.0.as_deref(), query).await?;
        let summary = app.keeper.summary(&caller.principal, &repository, &package.name).await?;
        let next_cursor = NextCursor::of(&page, |last| filter.seal(last.artifact.0));
        let items = page.items.into_iter().map(|version| VersionView::of(version, &summary)).collect();
        Ok(Json(VersionPage { items, next_cursor }))
    }

    /// List who needs a package.
    ///
    /// All versions of all packages of its format that need it and that the caller may read, the newest first;
    /// `latest` marks those that their own users get today.
    #[oai(path = "/packages/:id/dependents", method = "get", operation_id = "list_package_dependents")]
    async fn dependents(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// The id of the package.
        id: Path<String>,
        /// Only those in repositories of this name; a virtual one stands for its members.
        repository: Query<Option<String>>,
        /// At most so many, 1 to 200.
        #[oai(default = "default_limit")]
        limit: Query<u32>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<DependentPage>, Refused> {
        let limit = listing::limit(limit.0)?;
        let id = parse_id(&id)?;
        let (of, package) = app.keeper.package(&caller.principal, id).await?;
        let format = Some(of.address.format.as_str());
        let readable = Readable::of(&app, &caller, format, repository.0.as_deref()).await?;
        let filter = caller.filter("dependents", &[&Some(id.to_string()), &repository.0]);
        let after = cursor.0.as_deref().map(|text| filter.open(text)).transpose()?.map(ArtifactId);
        let query = DependentQuery { repositories: readable.ids(), package: package.name, after, limit };
        let page = app.keeper.ports().packages.dependents(&query).await.map_err(Failure::from)?;
        let next_cursor = NextCursor::of(&page, |last| filter.seal(last.version.artifact.0));
        let mut items = Vec::with_capacity(page.items.len());
        for dependent in page.items {
            let Some(repository) = readable.get(dependent.repository) else { continue };
            let summary = app.keeper.summary(&caller.principal, repository, &dependent.package).await?;
            items.push(DependentView::of(dependent, &repository.address, &summary));
        }
        Ok(Json(DependentPage { items, next_cursor }))
    }

    /// Search packages.
    ///
    /// Ranked over names, descriptions and keywords; each word is found as the beginning of a word, from three
    /// characters on also within a name. Words between quotes are found in a row. Where nothing holds the words,
    /// packages with similar names are shown.
    #[oai(path = "/search", method = "get", operation_id = "search_packages")]
    #[allow(clippy::too_many_arguments)]
    async fn search(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// What to look for: one or more words, all of which must be found.
        q: Query<String>,
        /// Only of this format, for example `go`.
        format: Query<Option<String>>,
        /// Only of repositories of this name; a virtual one stands for its members.
        repository: Query<Option<String>>,
        /// Refuse a quote that opens no phrase, instead of looking for it.
        #[oai(default)]
        strict: Query<bool>,
        /// At most so many, 1 to 200.
        #[oai(default = "default_limit")]
        limit: Query<u32>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<FoundPage>, Refused> {
        let limit = listing::limit(limit.0)?;
        let terms = search_text::terms(&listing::text(Some(&q))?.unwrap_or_default(), strict.0)?;
        let readable = Readable::of(&app, &caller, format.0.as_deref(), repository.0.as_deref()).await?;
        let filter = caller.filter("search", &[&Some(q.0), &format.0, &repository.0]);
        let after = cursor.0.as_deref().map(|text| filter.open_bytes(text, place)).transpose()?;
        let packages = &app.keeper.ports().packages;
        let query = SearchQuery { repositories: readable.ids(), terms, after, limit };
        let page = packages.find_packages(&query).await.map_err(Failure::from)?;
        if page.items.is_empty() && after.is_none() {
            let found = similar::packages(packages.as_ref(), &query).await.map_err(Failure::from)?;
            let items = views(&app, &caller, &readable, found).await?;
            return Ok(Json(FoundPage { approximate: !items.is_empty(), items, next_cursor: NextCursor(None) }));
        }
        let key = |rank: Rank, id: PackageId| [&rank.to_be_bytes()[..], id.0.as_bytes()].concat();
        let next_cursor = NextCursor::of(&page, |last| filter.seal_bytes(&key(last.rank, last.package.id)));
        let found = page.items.into_iter().map(|hit| hit.package).collect();
        let items = views(&app, &caller, &readable, found).await?;
        Ok(Json(FoundPage { items, approximate: false, next_cursor }))
    }
}

/// The packages as they are shown. What the format says of each is most often kept ready.
async fn views(
    app: &App,
    caller: &Caller,
    readable: &Readable,
    packages: Vec<Package>,
) -> Result<Vec<PackageView>, Failure> {
    let mut views = Vec::with_capacity(packages.len());
    for package in packages {
        let Some(repository) = readable.get(package.repository) else { continue };
        let summary = app.keeper.summary(&caller.principal, repository, &package.name).await?;
        views.push(PackageView::of(package, &repository.address, &summary));
    }
    Ok(views)
}

/// A page of those versions that hold a text. Versions are ordered by a key that knows no texts, so the store is asked
/// again until the page is full.
async fn holding(
    store: &dyn PackageStore,
    text: Option<&str>,
    query: VersionQuery,
) -> Result<Page<ListedVersion>, Failure> {
    let Some(text) = text else { return Ok(store.package_versions(&query).await?) };
    let wanted = query.limit as usize;
    let mut query = VersionQuery { limit: PAGE_LIMIT_MAX, ..query };
    let mut items = Vec::new();
    loop {
        let page = store.package_versions(&query).await?;
        query.after = page.items.last().map(|last| last.artifact);
        items.extend(page.items.into_iter().filter(|one| one.version.as_str().contains(text)));
        let full = items.len() > wanted;
        if full || !page.more {
            items.truncate(wanted);
            return Ok(Page { items, more: full });
        }
    }
}

/// The order of a list, from a cursor on.
fn order(sort: Sort, filter: &Filter, cursor: Option<&str>) -> Result<PackageOrder, Failure> {
    let named = |key: &[u8]| {
        let (id, name) = key.split_at_checked(16)?;
        Some((String::from_utf8(name.to_vec()).ok()?, PackageId(Uuid::from_slice(id).ok()?)))
    };
    Ok(match sort {
        Sort::Name => PackageOrder::Name { after: cursor.map(|text| filter.open_bytes(text, named)).transpose()? },
        Sort::Newest => {
            PackageOrder::Newest { after: cursor.map(|text| filter.open(text)).transpose()?.map(ArtifactId) }
        }
        Sort::MostUsed => PackageOrder::Used { after: cursor.map(|text| filter.open_bytes(text, used)).transpose()? },
    })
}

/// The place of a cursor of a list by use.
fn used(key: &[u8]) -> Option<(u64, PackageId)> {
    let (used_by, id) = key.split_first_chunk()?;
    Some((u64::from_be_bytes(*used_by), PackageId(Uuid::from_slice(id).ok()?)))
}

/// The place of a cursor of the search.
fn place(key: &[u8]) -> Option<(Rank, PackageId)> {
    let (rank, id) = key.split_first_chunk()?;
    Some((Rank::from_be_bytes(*rank), PackageId(Uuid::from_slice(id).ok()?)))
}

fn parse_id(text: &str) -> Result<PackageId, Failure> {
    listing::id(text, "a package").map(PackageId)
}
