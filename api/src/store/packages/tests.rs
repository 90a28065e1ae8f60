//! Lists of packages on a real database: what an older one becomes, which index each page follows, and pages
//! that stay right while others publish and delete.

mod scale;

use std::collections::BTreeSet;

use keeper_core::artifact::{ArtifactQuery, ArtifactState, ArtifactStore, Dependency, PackageName, Publication};
use keeper_core::catalog::SearchQuery;
use keeper_core::repository::Actor;
use keeper_migrations::Migrator;
use sea_orm::{Database, DatabaseConnection};
use sea_orm_migration::MigratorTrait;

use super::super::fixture::{Folder, plan, publication, repository};
use super::super::walk::joined;
use super::super::{search, words};
use super::*;

/// A database as the program before this one left it: two versions of a package, one of another that is deleted.
const BEFORE: [&str; 6] = [
    "INSERT INTO instance (id, migrated_by, created_at) VALUES ('019355bf-7130-7000-8000-000000000000', '0', 0)",
    "INSERT INTO repositories (id, format, name, kind, description, anonymous_read, default_upload, deletion, \
     settings, created_at, revision, generation) VALUES (1, 'go', 'local', 'hosted', '', 1, 0, 'tombstone', '{}', 0, 1, 1)",
    "INSERT INTO packages (id, repository, name, name_folded, created_at) VALUES \
     (1, 1, 'example.com/Old', 'example.com/old', 1732310430000000), (2, 1, 'example.com/gone', 'example.com/gone', 0)",
    "INSERT INTO artifacts (id, repository, package, version, sort_key, state, state_reason, published_at, \
     published_by, content, purl, checksums, metadata, dependencies, warnings, upload_digest) VALUES \
     ('019355bf-7130-7000-8000-000000000001', 1, 1, 'v1.0.0', x'01', 'active', '', 5, 'a', 'c', 'p', '{}', '{}', '[]', '[]', '')",
    "INSERT INTO artifacts (id, repository, package, version, sort_key, state, state_reason, published_at, \
     published_by, content, purl, checksums, metadata, dependencies, warnings, upload_digest) VALUES \
     ('019355bf-7130-7000-8000-000000000002', 1, 1, 'v1.1.0', x'02', 'active', '', 6, 'a', 'c', 'p', '{}', '{}', \
     '[{\"package\":\"example.com/dep\",\"version\":\"v1.0.0\"},{\"package\":\"example.com/dep\",\"version\":\"v2\"}]', '[]', '')",
    "INSERT INTO artifacts (id, repository, package, version, sort_key, state, state_reason, published_at, \
     published_by, content, purl, checksums, metadata, dependencies, warnings, upload_digest) VALUES \
     ('019355bf-7130-7000-8000-000000000003', 1, 2, 'v1.0.0', x'01', 'deleted', '', 7, 'a', 'c', 'p', '{}', '{}', \
     '[{\"package\":\"example.com/dep\",\"version\":\"v1.0.0\"}]', '[]', '')",
];

fn named(repositories: &[RepositoryId]) -> PackageQuery {
    let order = PackageOrder::Name { after: None };
    PackageQuery { repositories: repositories.to_vec(), name: None, text: None, order, limit: 200 }
}

#[tokio::test]
async fn what_was_published_before_is_listed_found_and_needed() {
    let folder = Folder::of_sqlite();
    let before: DatabaseConnection = Database::connect(folder.url()).await.expect("a database");
    let steps = Migrator::migrations().iter().position(|step| step.name() == "m0006_catalog").expect("the step");
    Migrator::up(&before, Some(u32::try_from(steps).expect("few"))).await.expect("the schema before");
    for statement in BEFORE {
        before.execute_unprepared(statement).await.expect(statement);
    }
    before.close().await.expect("closed");
    let store = folder.open().await;
    let local = RepositoryId(1);
    let page = store.list_packages(&named(&[local])).await.expect("a page");
    let [package] = &page.items[..] else { panic!("one is shown: {page:?}") };
    assert_eq!((package.name.as_str(), package.versions), ("example.com/Old", 2));
    assert_eq!(package.newest.to_string(), "019355bf-7130-7000-8000-000000000002");
    assert_eq!(package.id.0.get_version_num(), 7);
    let made = package.id.0.get_timestamp().expect("a time").to_unix();
    assert_eq!(made.0, 1_732_310_430, "the time at which the package was made");
    assert_eq!(store.package(&[local], package.id).await.expect("an answer").as_ref(), Some(package));
    let needed = PackageName::try_from("example.com/dep").expect("a name");
    let query = DependentQuery { repositories: vec![local], package: needed, after: None, limit: 9 };
    let dependents = store.dependents(&query).await.expect("a page").items;
    assert_eq!(dependents.len(), 1, "once, and not by a tombstone");
    assert_eq!((dependents[0].version.version.as_str(), dependents[0].needs.as_str()), ("v1.1.0", "v1.0.0"));
    for text in ["example.com/ol", "xampl"] {
        let query = SearchQuery { repositories: vec![local], terms: vec![text.into()], after: None, limit: 9 };
        assert_eq!(store.find_packages(&query).await.expect("a page").items.len(), 1, "{text}");
    }
    store.publish(local, publication("example.com/dep", "v1")).await.expect("published");
    let dep = PackageQuery { name: Some("example.com/dep".into()), ..named(&[local]) };
    assert_eq!(store.list_packages(&dep).await.expect("a page").items[0].used_by, 1, "by one package");
}

#[tokio::test]
async fn every_page_follows_an_index_and_sorts_nothing() {
    let folder = Folder::of_sqlite();
    every_page_follows_an_index(&folder.open().await).await;
}

/// The plans of all pages, on a database that may be empty or have statistics of much.
async fn every_page_follows_an_index(store: &Store) {
    let after = ArtifactId(Uuid::now_v7());
    let mut statements = Vec::new();
    let text = Some("needle".to_owned());
    let artifact = |change: &dyn Fn(&mut ArtifactQuery)| {
        let mut query = ArtifactQuery::default();
        change(&mut query);
        [None, Some(after)].map(|after| search::walk_of(Dialect::Sqlite, &ArtifactQuery { after, ..query.clone() }, 50))
    };
    statements.extend(artifact(&|_| ()));
    statements.extend(artifact(&|query| query.state = Some(ArtifactState::Blocked)));
    statements.extend(artifact(&|query| query.version = Some("v1.0.0".into())));
    statements.extend(artifact(&|query| query.package = Some("example.com/m".into())));
    statements.extend(artifact(&|query| query.text = Some("needle".into())));
    statements.extend(artifact(&|query| {
        query.state = Some(ArtifactState::Active);
        query.version = Some("v1.0.0".into());
    }));
    let name = Some(("example.com/m".to_owned(), PackageId(after.0)));
    for order in [
        PackageOrder::Name { after: None },
        PackageOrder::Name { after: name },
        PackageOrder::Newest { after: None },
        PackageOrder::Newest { after: Some(after) },
        PackageOrder::Used { after: None },
        PackageOrder::Used { after: Some((7, PackageId(after.0))) },
    ] {
        for (name, text) in [(None, None), (None, text.clone()), (Some("example.com/m".to_owned()), None)] {
            statements.push(walk_of(
                Dialect::Sqlite,
                &PackageQuery { order: order.clone(), name, text, ..named(&[]) },
                50,
            ));
        }
    }
    let mut whole: Vec<_> = statements.into_iter().map(|(walk, shared)| joined(&walk, shared.len(), 3)).collect();
    whole.extend([false, true].map(|after| joined(&needing(after, 50), 1 + usize::from(after), 3)));
    for deleted in [false, true] {
        for order in [VersionOrder::Highest, VersionOrder::Lowest] {
            whole.extend([false, true].map(|after| versions_of(deleted, order, after, 50)));
        }
    }
    for statement in whole {
        let plan = plan(store, &statement, Vec::new()).await;
        let of_rows = |step: &&String| {
            step.starts_with("SCAN") && !step.starts_with("SCAN walk") && !step.starts_with("SCAN (subquery")
        };
        assert_eq!(plan.iter().find(of_rows), None, "{statement}\n{plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{statement}\n{plan:#?}");
    }
}

#[tokio::test]
async fn a_search_begins_with_its_words() {
    let folder = Folder::of_sqlite();
    a_search_follows_its_words(&folder.open().await).await;
}

async fn a_search_follows_its_words(store: &Store) {
    let terms = vec!["needle".to_owned(), "hay".to_owned()];
    let query = SearchQuery { repositories: vec![RepositoryId(1), RepositoryId(2)], terms, after: None, limit: 9 };
    let plan = plan(store, &words::fts5::question(&query, 9).0, Vec::new()).await;
    assert!(plan.iter().any(|step| step.contains("SEARCH packages USING INTEGER PRIMARY KEY")), "{plan:#?}");
    assert!(!plan.iter().any(|step| step.starts_with("SCAN packages")), "{plan:#?}");
}

/// Chance that can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 12, ..Default::default() })]

    /// Nothing twice, and nothing left out that was there from the first page to the last.
    #[test]
    fn pages_stay_right_while_others_publish_and_delete(seed: u64, limit in 1_u32..7) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        runtime.block_on(turn_pages(Random(seed), limit));
    }
}

async fn turn_pages(mut random: Random, limit: u32) {
    let folder = Folder::new();
    let store = folder.open().await;
    let places = [repository(&store, "one").await.id, repository(&store, "two").await.id];
    let name = |number: usize| format!("example.com/p{number:03}");
    let mut there: BTreeSet<usize> = (0..30).map(|_| random.below(200)).collect();
    // A deleted number is never free again, so each is published once.
    let mut ever = there.clone();
    for number in &there {
        publish(&store, places[number % 2], &name(*number), "v1").await;
    }
    let throughout = |there: &BTreeSet<usize>, touched: &BTreeSet<usize>| -> BTreeSet<String> {
        there.difference(touched).map(|number| name(*number)).collect()
    };
    for first in
        [PackageOrder::Name { after: None }, PackageOrder::Newest { after: None }, PackageOrder::Used { after: None }]
    {
        let (before, mut touched) = (there.clone(), BTreeSet::new());
        let mut seen = Vec::new();
        let mut query = PackageQuery { limit, order: first, ..named(&places) };
        loop {
            let page = store.list_packages(&query).await.expect("a page");
            let Some(last) = page.items.last() else { break };
            match &mut query.order {
                PackageOrder::Name { after } => *after = Some((last.name.as_str().to_owned(), last.id)),
                PackageOrder::Newest { after } => *after = Some(last.newest),
                PackageOrder::Used { after } => *after = Some((last.used_by, last.id)),
            }
            seen.extend(page.items.iter().map(|package| package.name.as_str().to_owned()));
            if !page.more {
                break;
            }
            let number = random.below(200);
            touched.insert(number);
            if there.remove(&number) {
                let what = publication(&name(number), "v1").coordinate;
                store.delete(places[number % 2], &what, None, "", &Actor::system()).await.expect("deleted");
            } else if ever.insert(number) {
                there.insert(number);
                publish(&store, places[number % 2], &name(number), "v1").await;
            }
        }
        let distinct: BTreeSet<_> = seen.iter().cloned().collect();
        assert_eq!(distinct.len(), seen.len(), "nothing twice: {seen:?}");
        let expected = throughout(&before, &touched);
        assert!(expected.is_subset(&distinct), "nothing left out: {:?}", expected.difference(&distinct));
    }
}

async fn publish(store: &Store, of: RepositoryId, package: &str, version: &str) {
    store.publish(of, publication(package, version)).await.expect("published");
}

#[tokio::test]
async fn a_version_that_needs_thousands_is_published_whole() {
    let folder = Folder::new();
    let store = folder.open().await;
    let local = repository(&store, "local").await.id;
    let need = |number: usize| Dependency {
        package: format!("example.com/d{number}'\"\\"),
        version: "v1".into(),
        kind: String::new(),
    };
    let dependencies = (0..5_000).map(need).collect();
    store.publish(local, Publication { dependencies, ..publication("example.com/m", "v1") }).await.expect("published");
    let package = PackageName::try_from("example.com/d4999'\"\\").expect("a name");
    let query = DependentQuery { repositories: vec![local], package, after: None, limit: 9 };
    assert_eq!(store.dependents(&query).await.expect("a page").items.len(), 1);
}
