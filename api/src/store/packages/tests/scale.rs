//! Pages stay short walks when there is much: 100,000 packages and 1,000,000 versions with `KEEPER_LONG=1`, a
//! fiftieth of that always.
//!
//! No time is asserted, for it is the machine's. What is: each page is full and right at the beginning, in the
//! middle and at the end, over one repository and over several; and the plans, also with statistics of all this.

use keeper_core::artifact::{ArtifactQuery, ArtifactStore as _};
use keeper_core::catalog::SearchQuery;
use sea_orm::Database;

use super::*;
use crate::store::fixture::{Folder, execute_beside, repository};
use crate::store::sql::micros;

/// Packages, a fifth of them in the second repository, and versions of each.
const SMALL: i64 = 2_000;
const LARGE: i64 = 100_000;
const VERSIONS: i64 = 10;

/// The rows that publications would have made, without their cost.
const ROWS: [&str; 4] = [
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1) \
     INSERT INTO packages (id, repository, name, name_folded, created_at, public_id, newest) \
     SELECT i + 1, 1 + (i % 5 = 0), printf('example.com/team%03d/package%06d', i % 997, i), \
     printf('example.com/team%03d/package%06d', i % 997, i), 0, printf('019355bf-7130-7000-8000-%012x', i), \
     printf('019355bf-7130-7000-9000-%012x', i * $2 + $2 - 1) FROM n",
    "WITH RECURSIVE v(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM v WHERE j + 1 < $2) \
     INSERT INTO artifacts (id, repository, package, version, sort_key, state, state_reason, published_at, \
     published_by, content, purl, checksums, metadata, dependencies, warnings, upload_digest) \
     SELECT printf('019355bf-7130-7000-9000-%012x', (p.id - 1) * $2 + j), p.repository, p.id, printf('v1.%d.0', j), \
     CAST(printf('%04d', j) AS BLOB), 'active', '', $1, 'a', 'c', 'p', '{}', '{}', '[]', '[]', '' FROM packages p, v",
    "INSERT INTO package_words (rowid, name, description, keywords) \
     SELECT id, name, 'Package number ' || id, '' FROM packages",
    "INSERT INTO package_parts (rowid, name) SELECT id, name FROM packages",
];

async fn filled(packages: i64) -> (Folder, Store, [RepositoryId; 2]) {
    let folder = Folder::of_sqlite();
    let store = folder.open().await;
    let places = [repository(&store, "one").await.id, repository(&store, "two").await.id];
    let beside = Database::connect(folder.url()).await.expect("a connection");
    let now = micros(jiff::Timestamp::now());
    let values: [&[Value]; 4] = [&[packages.into(), VERSIONS.into()], &[now.into(), VERSIONS.into()], &[], &[]];
    for (statement, values) in ROWS.into_iter().zip(values) {
        let bound = sea_orm::Statement::from_sql_and_values(sea_orm::DbBackend::Sqlite, statement, values.to_vec());
        beside.execute_raw(bound).await.expect(statement);
    }
    beside.close().await.expect("closed");
    (folder, store, places)
}

/// What the database knows of the distribution of values may lead it to other plans than an empty one has.
#[tokio::test]
async fn with_statistics_of_much_pages_and_search_follow_their_indexes_too() {
    let (folder, store, _) = filled(SMALL).await;
    execute_beside(&folder, "ANALYZE").await;
    every_page_follows_an_index(&store).await;
    a_search_follows_its_words(&store).await;
    drop(store);
    // Statistics are read when a connection is made.
    let store = folder.open().await;
    every_page_follows_an_index(&store).await;
    a_search_follows_its_words(&store).await;
}

#[tokio::test]
async fn a_page_is_full_and_right_wherever_it_is() {
    let packages = if std::env::var_os("KEEPER_LONG").is_some() { LARGE } else { SMALL };
    let (_folder, store, places) = filled(packages).await;
    let query = |order| PackageQuery { repositories: places.to_vec(), name: None, text: None, order, limit: 100 };
    let mut names = Vec::new();
    let mut order = PackageOrder::Name { after: None };
    loop {
        let page = store.list_packages(&query(order)).await.expect("a page");
        names.extend(page.items.iter().map(|package| package.name.as_str().to_owned()));
        assert!(!page.more || page.items.len() == 100, "a page is full while more follow");
        let Some(last) = page.items.last().filter(|_| page.more) else { break };
        order = PackageOrder::Name { after: Some((last.name.as_str().to_owned(), last.id)) };
    }
    assert_eq!(names.len(), usize::try_from(packages).expect("few"), "all of them");
    assert!(names.is_sorted_by(|one, next| one < next), "each once, in order");
    for at in [packages - 1, packages / 2, 120] {
        let key = |package: i64| {
            ArtifactId(format!("019355bf-7130-7000-9000-{:012x}", package * VERSIONS).parse().expect("an id"))
        };
        let order = PackageOrder::Newest { after: Some(key(at)) };
        let page = store.list_packages(&query(order)).await.expect("a page").items;
        let first = format!("package{:06}", at - 1);
        assert!(page.len() == 100 && page[0].name.as_str().ends_with(&first), "{:?}", page[0]);
        let artifacts = ArtifactQuery {
            repositories: places.to_vec(),
            after: Some(key(at)),
            limit: 100,
            ..ArtifactQuery::default()
        };
        let page = store.search(&artifacts).await.expect("a page").items;
        assert!(page.len() == 100 && page[0].coordinate.package.as_str().ends_with(&first), "{:?}", page[0].coordinate);
    }
    let versions = VersionQuery {
        package: PackageId(format!("019355bf-7130-7000-8000-{:012x}", 7).parse().expect("an id")),
        deleted: false,
        order: VersionOrder::Highest,
        after: None,
        limit: 4,
    };
    let page = store.package_versions(&versions).await.expect("a page");
    assert_eq!(page.items[0].version.as_str(), format!("v1.{}.0", VERSIONS - 1));
    for (text, found) in [("package000123", 1), ("team001/package", 50)] {
        let search = SearchQuery { repositories: places.to_vec(), terms: vec![text.into()], after: None, limit: 50 };
        let hits = store.find_packages(&search).await.expect("a page").items;
        assert!(!hits.is_empty() && hits.len() <= found, "{text}: {}", hits.len());
    }
}
