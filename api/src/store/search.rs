//! Pages of artifacts, newest first.
//!
//! A page follows the key of the last entry and never counts from the start: entries published meanwhile
//! shift nothing. The repositories that a caller may read are part of the statement, so what he may not read
//! is not even counted.

use std::collections::HashMap;

use keeper_core::artifact::{Artifact, ArtifactFile, ArtifactQuery, Page, StoreError};
use keeper_core::limits::PAGE_LIMIT_MAX;
use sea_orm::{ConnectionTrait, FromQueryResult, Value};

use super::dialect::Dialect;
use super::readers::Readers;
use super::rows::{ArtifactRow, FileRow, SELECT_ARTIFACTS, SELECT_FILES};
use super::sql::{Places, all, escape_like};
use super::walk::{REPOSITORY, places, walk_each};

/// One page: at most [`PAGE_LIMIT_MAX`] entries, whatever the query says.
pub(super) async fn page(readers: &Readers, query: &ArtifactQuery) -> Result<Page<Artifact>, StoreError> {
    let limit = query.limit.min(PAGE_LIMIT_MAX) as usize;
    let snapshot = readers.begin().await?;
    let (walk, shared) = walk_of(Dialect::of(&snapshot), query, limit);
    let mut keys: Vec<KeyRow> = walk_each(&snapshot, &query.repositories, &walk, &shared).await?;
    keys.sort_by(|a, b| b.id.cmp(&a.id));
    let more = keys.len() > limit;
    keys.truncate(limit);
    if keys.is_empty() {
        return Ok(Page { items: Vec::new(), more: false });
    }
    let question = format!("{SELECT_ARTIFACTS} WHERE a.id IN ({}) ORDER BY a.id DESC", places(1, keys.len()));
    let rows: Vec<ArtifactRow> = all(&snapshot, &question, keys.into_iter().map(|key| key.id.into())).await?;
    let mut files = files_of(&snapshot, &rows).await?;
    let items = rows.into_iter().map(|row| {
        let own = files.remove(&row.id).unwrap_or_default();
        row.parse(own)
    });
    Ok(Page { items: items.collect::<Result<_, _>>()?, more })
}

#[derive(FromQueryResult)]
struct KeyRow {
    id: String,
}

/// The walk of a page and its values. A package is found first; a text is looked for among the packages, which
/// are far fewer, and what it finds is only a sieve for the walk (`+` keeps it from being more). One entry more
/// than asked for shows whether more follow.
pub(super) fn walk_of(dialect: Dialect, query: &ArtifactQuery, limit: usize) -> (String, Vec<Value>) {
    let mut shared = Places::default();
    let mut which = match &query.package {
        Some(package) => {
            let name = shared.of(package.as_str());
            format!("package = (SELECT id FROM packages WHERE repository = {REPOSITORY} AND name = {name})")
        }
        None => format!("repository = {REPOSITORY}"),
    };
    if let Some(text) = &query.text {
        let pattern = shared.of(escape_like(text));
        which += &format!(
            " AND +package IN (SELECT id FROM packages \
             WHERE repository = {REPOSITORY} AND name {} {pattern} ESCAPE '\\')",
            dialect.like()
        );
    }
    match query.state {
        Some(state) => which += &format!(" AND state = {}", shared.of(state.as_str())),
        None => which += " AND state <> 'deleted'",
    }
    if let Some(version) = &query.version {
        which += &format!(" AND version = {}", shared.of(version.as_str()));
    }
    if let Some(after) = query.after {
        which += &format!(" AND id < {}", shared.of(after.to_string()));
    }
    (format!("SELECT id FROM artifacts WHERE {which} ORDER BY id DESC LIMIT {}", limit + 1), shared.0)
}

/// The files of all artifacts of a page, in one statement.
async fn files_of(
    on: &impl ConnectionTrait,
    artifacts: &[ArtifactRow],
) -> Result<HashMap<String, Vec<ArtifactFile>>, StoreError> {
    let mut files = HashMap::<_, Vec<_>>::new();
    let question = format!("{SELECT_FILES} WHERE f.artifact IN ({}) ORDER BY f.name", places(1, artifacts.len()));
    let rows: Vec<FileRow> = all(on, &question, artifacts.iter().map(|row| row.id.as_str().into())).await?;
    for row in rows {
        files.entry(row.artifact.clone()).or_default().push(row.parse()?);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use keeper_core::artifact::{ArtifactId, ArtifactState, ArtifactStore};
    use keeper_core::repository::{Actor, RepositoryId};

    use super::super::fixture::{Folder, publication, repository};
    use super::*;

    fn of(repositories: &[RepositoryId]) -> ArtifactQuery {
        ArtifactQuery { repositories: repositories.to_vec(), limit: 100, ..ArtifactQuery::default() }
    }

    fn names(page: &Page<Artifact>) -> Vec<String> {
        page.items.iter().map(|artifact| artifact.coordinate.to_string()).collect()
    }

    #[tokio::test]
    async fn pages_follow_the_key_and_new_entries_shift_nothing() {
        let folder = Folder::new();
        let store = folder.open().await;
        let local = repository(&store, "local").await.id;
        for number in 0..7 {
            store.publish(local, publication("example.com/m", &format!("v1.{number}.0"))).await.expect("published");
        }
        let mut seen = Vec::new();
        let mut after: Option<ArtifactId> = None;
        loop {
            let page = store.search(&ArtifactQuery { after, limit: 3, ..of(&[local]) }).await.expect("a page");
            seen.extend(names(&page));
            after = page.items.last().map(|artifact| artifact.id);
            assert!(page.items.iter().all(|artifact| artifact.files.len() == 2));
            if !page.more {
                break;
            }
            let late = format!("v2.{}.0", seen.len());
            store.publish(local, publication("example.com/m", &late)).await.expect("published");
        }
        let expected: Vec<_> = (0..7).rev().map(|number| format!("example.com/m@v1.{number}.0")).collect();
        assert_eq!(seen, expected);
    }

    #[tokio::test]
    async fn nothing_outside_the_given_repositories_is_found() {
        let folder = Folder::new();
        let store = folder.open().await;
        let (open, secret) = (repository(&store, "open").await.id, repository(&store, "secret").await.id);
        store.publish(open, publication("example.com/a", "v1.0.0")).await.expect("published");
        store.publish(secret, publication("example.com/b", "v1.0.0")).await.expect("published");
        assert_eq!(names(&store.search(&of(&[open])).await.expect("a page")), ["example.com/a@v1.0.0"]);
        assert!(names(&store.search(&of(&[])).await.expect("a page")).is_empty());
        let asked = ArtifactQuery { package: Some("example.com/b".into()), ..of(&[open]) };
        assert!(names(&store.search(&asked).await.expect("a page")).is_empty());
        assert_eq!(names(&store.search(&of(&[open, secret])).await.expect("a page")).len(), 2);
    }

    #[tokio::test]
    async fn a_text_is_found_as_it_is_and_tombstones_only_when_asked_for() {
        let folder = Folder::new();
        let store = folder.open().await;
        let local = repository(&store, "local").await.id;
        for package in ["example.com/a_b", "example.com/axb", "example.com/Big"] {
            store.publish(local, publication(package, "v1.0.0")).await.expect("published");
        }
        let search = async |query: ArtifactQuery| names(&store.search(&query).await.expect("a page"));
        let text = |text: &str| ArtifactQuery { text: Some(text.into()), ..of(&[local]) };
        assert_eq!(search(text("a_b")).await, ["example.com/a_b@v1.0.0"]);
        assert_eq!(search(text("bIG")).await, ["example.com/Big@v1.0.0"]);
        assert_eq!(search(text("")).await.len(), 3);
        for odd in ["%", "\\", "'; DROP TABLE files; --", "\"", "*", "\u{1F980}"] {
            assert!(search(text(odd)).await.is_empty(), "{odd}");
        }
        let gone = publication("example.com/axb", "v1.0.0").coordinate;
        store.delete(local, &gone, None, "", &Actor::system()).await.expect("deleted");
        assert_eq!(search(of(&[local])).await.len(), 2);
        let deleted = ArtifactQuery { state: Some(ArtifactState::Deleted), ..of(&[local]) };
        assert_eq!(search(deleted).await, ["example.com/axb@v1.0.0"]);
    }

    #[tokio::test]
    async fn no_page_is_longer_than_the_limit() {
        let query = ArtifactQuery { limit: u32::MAX, ..of(&[RepositoryId(1)]) };
        assert!(walk_of(Dialect::Sqlite, &query, PAGE_LIMIT_MAX as usize).0.ends_with("LIMIT 201"));
    }
}
