//! The port of packages: lists of packages, of their versions, and of those who need them.
//!
//! A page is chosen from an index alone, one walk for each repository; the wide rows are read for the entries of
//! the page only. Words are in [`words`](super::words).

use async_trait::async_trait;
use keeper_core::artifact::{ArtifactId, Page, StoreError};
use keeper_core::catalog::{
    About, Dependent, DependentQuery, Hit, ListedVersion, Package, PackageId, PackageOrder, PackageQuery, PackageStore,
    SearchQuery, VersionOrder, VersionQuery,
};
use keeper_core::limits::PAGE_LIMIT_MAX;
use keeper_core::repository::RepositoryId;
use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use uuid::Uuid;

use super::dialect::Dialect;
use super::rows::{json, package_name, state, version};
use super::sql::{Places, all, corrupt, end, escape_like, one, timestamp};
use super::usage::stored;
use super::walk::{places, walk_each};
use super::{Store, words};

#[async_trait]
impl PackageStore for Store {
    async fn list_packages(&self, query: &PackageQuery) -> Result<Page<Package>, StoreError> {
        let limit = query.limit.min(PAGE_LIMIT_MAX) as usize;
        let snapshot = self.readers.begin().await?;
        let (walk, shared) = walk_of(Dialect::of(&snapshot), query, limit);
        let mut keys: Vec<KeyRow> = walk_each(&snapshot, &query.repositories, &walk, &shared).await?;
        match query.order {
            PackageOrder::Name { .. } => keys.sort_by(|a, b| (&a.name, &a.public_id).cmp(&(&b.name, &b.public_id))),
            PackageOrder::Newest { .. } => keys.sort_by(|a, b| b.newest.cmp(&a.newest)),
            PackageOrder::Used { .. } => keys.sort_by(|a, b| (b.used_by, &b.public_id).cmp(&(a.used_by, &a.public_id))),
        }
        let more = keys.len() > limit;
        let ids: Vec<_> = keys.into_iter().take(limit).map(|key| key.id).collect();
        let items = by_ids(&snapshot, &ids).await?;
        end(snapshot).await?;
        Ok(Page { items, more })
    }

    async fn package(&self, within: &[RepositoryId], id: PackageId) -> Result<Option<Package>, StoreError> {
        let question = format!("{SELECT_PACKAGES} WHERE p.public_id = $1");
        let row: Option<PackageRow> = one(&self.readers, &question, [id.to_string().into()]).await?;
        let package = row.map(|row| row.parse().map(|(_, package)| package)).transpose()?;
        Ok(package.filter(|package| within.contains(&package.repository)))
    }

    async fn package_versions(&self, query: &VersionQuery) -> Result<Page<ListedVersion>, StoreError> {
        let limit = query.limit.min(PAGE_LIMIT_MAX) as usize;
        let snapshot = self.readers.begin().await?;
        let package = query.package.to_string();
        let place: Option<PlaceRow> = match query.after {
            Some(after) => one(&snapshot, PLACE, [after.to_string().into(), package.as_str().into()]).await?,
            None => None,
        };
        if query.after.is_some() && place.is_none() {
            return Ok(Page { items: Vec::new(), more: false });
        }
        let mut values: Vec<Value> = vec![package.into()];
        values.extend(place.into_iter().flat_map(|place| [place.sort_key.into(), place.version.into()]));
        let question = versions_of(query.deleted, query.order, query.after.is_some(), limit);
        let rows: Vec<VersionRow> = all(&snapshot, &question, values).await?;
        end(snapshot).await?;
        Page::cut(rows, limit).try_map(VersionRow::parse)
    }

    async fn dependents(&self, query: &DependentQuery) -> Result<Page<Dependent>, StoreError> {
        let limit = query.limit.min(PAGE_LIMIT_MAX) as usize;
        let snapshot = self.readers.begin().await?;
        let mut shared: Vec<Value> = vec![query.package.as_str().into()];
        shared.extend(query.after.map(|after| after.to_string().into()));
        let walk = needing(query.after.is_some(), limit);
        let mut keys: Vec<NeedKey> = walk_each(&snapshot, &query.repositories, &walk, &shared).await?;
        keys.sort_by(|a, b| b.artifact.cmp(&a.artifact));
        let more = keys.len() > limit;
        keys.truncate(limit);
        if keys.is_empty() {
            return Ok(Page { items: Vec::new(), more: false });
        }
        let question = format!("{SELECT_NEEDS} AND d.artifact IN ({}) ORDER BY a.id DESC", places(2, keys.len()));
        let values = keys.into_iter().map(|key| key.artifact.into());
        let values = std::iter::once(query.package.as_str().into()).chain(values);
        let rows: Vec<NeedRow> = all(&snapshot, &question, values).await?;
        end(snapshot).await?;
        Ok(Page { items: rows.into_iter().map(NeedRow::parse).collect::<Result<_, _>>()?, more })
    }

    async fn find_packages(&self, query: &SearchQuery) -> Result<Page<Hit>, StoreError> {
        words::find(&self.readers, query).await
    }

    async fn similar_packages(
        &self,
        within: &[RepositoryId],
        word: &str,
        limit: u32,
    ) -> Result<Vec<Package>, StoreError> {
        words::similar(&self.readers, within, word, limit).await
    }
}

/// The walk of a page of packages and its values. One entry more than asked for shows whether more follow.
pub(super) fn walk_of(dialect: Dialect, query: &PackageQuery, limit: usize) -> (String, Vec<Value>) {
    let mut shared = Places::default();
    let (after, order) = match &query.order {
        PackageOrder::Name { after } => {
            let behind = |(name, id): &(String, PackageId)| {
                let (name, id) = (shared.of(name.as_str()), shared.of(id.to_string()));
                format!(" AND (name, public_id) > ({name}, {id})")
            };
            (after.as_ref().map(behind), "name, public_id")
        }
        PackageOrder::Newest { after } => {
            let behind = |after: ArtifactId| format!(" AND newest < {}", shared.of(after.to_string()));
            (after.map(behind), "newest DESC")
        }
        PackageOrder::Used { after } => {
            let behind = |(used_by, id): (u64, PackageId)| {
                let (used_by, id) = (shared.of(stored(used_by)), shared.of(id.to_string()));
                format!(" AND (used_by, public_id) < ({used_by}, {id})")
            };
            (after.map(behind), "used_by DESC, public_id DESC")
        }
    };
    let named = query.name.as_ref().map(|name| format!(" AND name = {}", shared.of(name.as_str())));
    let holds = |text: &String| format!(" AND name {} {} ESCAPE '\\'", dialect.like(), shared.of(escape_like(text)));
    let text = query.text.as_ref().map(holds);
    let walk = format!(
        "SELECT id, public_id, name, newest, used_by FROM packages \
         WHERE repository = {{repository}} AND newest IS NOT NULL{}{}{} ORDER BY {order} LIMIT {}",
        after.unwrap_or_default(),
        named.unwrap_or_default(),
        text.unwrap_or_default(),
        limit + 1
    );
    (walk, shared.0)
}

#[derive(FromQueryResult)]
struct KeyRow {
    id: i64,
    public_id: String,
    name: String,
    newest: String,
    used_by: i64,
}

/// Packages by the store's own keys, in the order of these.
pub(super) async fn by_ids(on: &impl ConnectionTrait, ids: &[i64]) -> Result<Vec<Package>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let question = format!("{SELECT_PACKAGES} WHERE p.id IN ({})", places(1, ids.len()));
    let rows: Vec<PackageRow> = all(on, &question, ids.iter().map(|id| (*id).into())).await?;
    let mut packages: Vec<_> = rows.into_iter().map(PackageRow::parse).collect::<Result<_, _>>()?;
    packages.sort_by_key(|(key, _)| ids.iter().position(|id| id == key));
    Ok(packages.into_iter().map(|(_, package)| package).collect())
}

/// Begins every question for packages; those that are hidden have no newest version and drop out.
pub(super) const SELECT_PACKAGES: &str = "SELECT p.id, p.public_id, p.repository, p.name, p.newest, p.used_by, a.published_at, \
    a.published_by, a.about, (SELECT COUNT(*) FROM artifacts c WHERE c.package = p.id AND c.state <> 'deleted') AS versions \
    FROM packages p JOIN artifacts a ON a.id = p.newest";

#[derive(FromQueryResult)]
pub(super) struct PackageRow {
    id: i64,
    public_id: String,
    repository: i64,
    name: String,
    newest: String,
    published_at: i64,
    published_by: String,
    about: String,
    versions: i64,
    used_by: i64,
}

impl PackageRow {
    /// The store's own key and the package.
    pub(super) fn parse(self) -> Result<(i64, Package), StoreError> {
        let what = format!("package {}", self.name);
        let about: About = json(&what, &self.about)?;
        let package = Package {
            id: PackageId(uuid(&self.public_id)?),
            repository: RepositoryId(self.repository),
            name: package_name(&self.name)?,
            description: about.description,
            license: about.license,
            newest: ArtifactId(uuid(&self.newest)?),
            published_at: timestamp(self.published_at)?,
            published_by: self.published_by,
            versions: u64::try_from(self.versions).map_err(|error| corrupt(&what, error))?,
            used_by: u64::try_from(self.used_by).map_err(|error| corrupt(&what, error))?,
        };
        Ok((self.id, package))
    }
}

fn uuid(text: &str) -> Result<Uuid, StoreError> {
    Uuid::parse_str(text).map_err(|error| corrupt("an id", error))
}

/// Where a version stands among those of its package.
const PLACE: &str = "SELECT a.sort_key, a.version FROM artifacts a JOIN packages p ON p.id = a.package \
    WHERE a.id = $1 AND p.public_id = $2";

#[derive(FromQueryResult)]
struct PlaceRow {
    sort_key: Vec<u8>,
    version: String,
}

pub(super) fn versions_of(deleted: bool, order: VersionOrder, after: bool, limit: usize) -> String {
    let (behind, direction) = match order {
        VersionOrder::Highest => ("<", "DESC"),
        VersionOrder::Lowest => (">", "ASC"),
    };
    let behind = if after { format!(" AND (a.sort_key, a.version) {behind} ($2, $3)") } else { String::new() };
    let live = if deleted { "" } else { " AND a.state <> 'deleted'" };
    format!(
        "SELECT {VERSION_COLUMNS} FROM artifacts a WHERE a.package = (SELECT id FROM packages WHERE public_id = $1)\
         {behind}{live} ORDER BY a.sort_key {direction}, a.version {direction} LIMIT {}",
        limit + 1
    )
}

const VERSION_COLUMNS: &str = "a.id, a.version, a.state, a.state_reason, a.pinned, a.published_at, a.published_by";

#[derive(FromQueryResult)]
struct VersionRow {
    id: String,
    version: String,
    state: String,
    state_reason: String,
    pinned: bool,
    published_at: i64,
    published_by: String,
}

impl VersionRow {
    fn parse(self) -> Result<ListedVersion, StoreError> {
        Ok(ListedVersion {
            artifact: ArtifactId(uuid(&self.id)?),
            version: version(&self.version)?,
            state: state(&self.state)?,
            state_reason: self.state_reason,
            pinned: self.pinned,
            published_at: timestamp(self.published_at)?,
            published_by: self.published_by,
        })
    }
}

pub(super) fn needing(after: bool, limit: usize) -> String {
    let older = if after { " AND artifact < $2" } else { "" };
    format!(
        "SELECT artifact FROM dependencies WHERE name = $1 AND repository = {{repository}}{older} \
         ORDER BY artifact DESC LIMIT {}",
        limit + 1
    )
}

#[derive(FromQueryResult)]
struct NeedKey {
    artifact: String,
}

/// Those of the dependents of `$1` whose artifacts are named behind it.
const SELECT_NEEDS: &str = "SELECT d.repository, d.needs, d.kind, p.name AS package, p.public_id, \
    a.id, a.version, a.state, a.state_reason, a.pinned, a.published_at, a.published_by \
    FROM dependencies d JOIN artifacts a ON a.id = d.artifact JOIN packages p ON p.id = a.package WHERE d.name = $1";

#[derive(FromQueryResult)]
struct NeedRow {
    repository: i64,
    needs: String,
    kind: String,
    package: String,
    public_id: String,
    #[sea_orm(nested)]
    version: VersionRow,
}

impl NeedRow {
    fn parse(self) -> Result<Dependent, StoreError> {
        Ok(Dependent {
            repository: RepositoryId(self.repository),
            package: package_name(&self.package)?,
            package_id: PackageId(uuid(&self.public_id)?),
            version: self.version.parse()?,
            needs: self.needs,
            kind: self.kind,
        })
    }
}

#[cfg(test)]
mod tests;
