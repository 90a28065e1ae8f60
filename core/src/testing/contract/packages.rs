//! The promises of a store of packages, and of changes that show in its lists.

use super::artifacts::{created, package};
use super::fixture::{coordinate, publication};
use crate::artifact::{Amended, Amendment, Artifact, ArtifactState, ArtifactStore, Dependency};
use crate::catalog::{
    DependentQuery, Package, PackageOrder, PackageQuery, PackageStore, SearchQuery, VersionOrder, VersionQuery,
};
use crate::repository::{Actor, RepositoryId};

/// The promises of a store of packages whose content comes through `artifacts`, on two of its repositories, both
/// empty when they are given.
///
/// # Panics
/// When one is broken.
pub async fn package_store(
    packages: &dyn PackageStore,
    artifacts: &dyn ArtifactStore,
    of: RepositoryId,
    other: RepositoryId,
) {
    packages_are_listed_by_name_and_by_time(packages, artifacts, of, other).await;
    versions_are_listed_highest_first(packages, artifacts, of).await;
    dependents_are_found_and_deleted_ones_are_not(packages, artifacts, of, other).await;
    packages_are_listed_by_their_use(packages, artifacts, of, other).await;
    words_are_found_where_they_may_be_read(packages, artifacts, of, other).await;
    a_version_is_changed_and_a_tombstone_never(artifacts, of).await;
}

fn by_name(repositories: &[RepositoryId], text: &str) -> PackageQuery {
    PackageQuery {
        repositories: repositories.to_vec(),
        name: None,
        text: Some(text.to_owned()),
        order: PackageOrder::Name { after: None },
        limit: 100,
    }
}

async fn listed(store: &dyn PackageStore, query: PackageQuery) -> Vec<Package> {
    store.list_packages(&query).await.expect("a page").items
}

fn names(packages: &[Package]) -> Vec<&str> {
    packages.iter().map(|package| package.name.as_str()).collect()
}

/// All pages of two entries, each asked for behind the last entry of the one before.
async fn turned(store: &dyn PackageStore, mut query: PackageQuery) -> Vec<Package> {
    query.limit = 2;
    let mut all = Vec::new();
    loop {
        let page = store.list_packages(&query).await.expect("a page");
        let last = page.items.last().cloned();
        all.extend(page.items);
        match (page.more, last, &mut query.order) {
            (false, ..) => return all,
            (true, Some(last), PackageOrder::Name { after }) => {
                *after = Some((last.name.as_str().to_owned(), last.id));
            }
            (true, Some(last), PackageOrder::Newest { after }) => *after = Some(last.newest),
            (true, Some(last), PackageOrder::Used { after }) => *after = Some((last.used_by, last.id)),
            (true, None, _) => panic!("an empty page is the last one"),
        }
    }
}

async fn packages_are_listed_by_name_and_by_time(
    store: &dyn PackageStore,
    artifacts: &dyn ArtifactStore,
    of: RepositoryId,
    other: RepositoryId,
) {
    for (repository, name) in [(of, "b"), (other, "a"), (of, "d"), (other, "b"), (of, "c")] {
        created(artifacts, repository, publication(&format!("example.com/l/{name}"), "v1", name)).await;
    }
    created(artifacts, of, publication("example.com/l/b", "v2", "b2")).await;
    let both = [of, other];
    let all = ["example.com/l/a", "example.com/l/b", "example.com/l/b", "example.com/l/c", "example.com/l/d"];
    assert_eq!(names(&listed(store, by_name(&both, "com/l/")).await), all, "by name");
    assert_eq!(names(&turned(store, by_name(&both, "com/l/")).await), all, "by name, page by page");
    assert_eq!(names(&listed(store, by_name(&[other], "COM/L")).await), [all[0], all[1]], "one repository, any case");
    assert!(listed(store, by_name(&[], "com/l/")).await.is_empty(), "no repository is nothing");
    assert!(listed(store, by_name(&both, "com_l")).await.is_empty(), "no character is a pattern");
    let newest = PackageQuery { order: PackageOrder::Newest { after: None }, ..by_name(&both, "com/l/") };
    let times = ["example.com/l/b", "example.com/l/c", "example.com/l/b", "example.com/l/d", "example.com/l/a"];
    assert_eq!(names(&listed(store, newest.clone()).await), times, "by time");
    assert_eq!(names(&turned(store, newest).await), times, "by time, page by page");
    let exact = PackageQuery { name: Some("example.com/l/b".into()), text: None, ..by_name(&[of], "") };
    let found = listed(store, exact).await;
    assert_eq!((names(&found), found[0].versions), (vec!["example.com/l/b"], 2), "a name and its versions");
    let newest = artifacts.find(of, &coordinate("example.com/l/b", "v2")).await.expect("an answer").expect("it");
    assert_eq!(found[0].published_by, newest.published_by, "who published the newest");
    assert_eq!(store.package(&[of], found[0].id).await.expect("an answer").as_ref(), Some(&found[0]), "by id");
    assert_eq!(store.package(&[other], found[0].id).await.expect("an answer"), None, "an id grants nothing");
    for version in ["v1", "v2"] {
        artifacts
            .delete(of, &coordinate("example.com/l/b", version), None, "", &Actor::system())
            .await
            .expect("deleted");
    }
    assert_eq!(store.package(&[of], found[0].id).await.expect("an answer"), None, "nothing left of it");
    assert_eq!(listed(store, by_name(&both, "com/l/")).await.len(), 4, "nothing left of it in lists");
    created(artifacts, of, publication("example.com/l/b", "v3", "b3")).await;
    let back = store.package(&[of], found[0].id).await.expect("an answer").expect("it is back under its id");
    assert_eq!(back.versions, 1, "tombstones do not count");
}

async fn versions_are_listed_highest_first(store: &dyn PackageStore, artifacts: &dyn ArtifactStore, of: RepositoryId) {
    let name = "example.com/versions";
    for version in ["v10", "v2", "v1", "v300"] {
        created(artifacts, of, publication(name, version, version)).await;
    }
    artifacts.delete(of, &coordinate(name, "v2"), None, "leaked", &Actor::system()).await.expect("deleted");
    let package = listed(store, by_name(&[of], name)).await.remove(0).id;
    let mut query = VersionQuery { package, deleted: false, order: VersionOrder::Highest, after: None, limit: 2 };
    let page = store.package_versions(&query).await.expect("a page");
    let shown = |page: &[crate::catalog::ListedVersion]| {
        page.iter().map(|one| format!("{} {}", one.version, one.state.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(shown(&page.items), ["v300 active", "v10 active"], "the highest first");
    assert!(page.more, "more follow");
    query.after = page.items.last().map(|last| last.artifact);
    let rest = store.package_versions(&query).await.expect("a page");
    assert_eq!((shown(&rest.items), rest.more), (vec!["v1 active".to_owned()], false), "tombstones are hidden");
    let whole = VersionQuery { deleted: true, after: None, limit: 10, ..query.clone() };
    let whole = store.package_versions(&whole).await.expect("a page").items;
    assert_eq!(shown(&whole), ["v300 active", "v10 active", "v2 deleted", "v1 active"], "unless asked for");
    let mut lowest = VersionQuery { deleted: true, order: VersionOrder::Lowest, after: None, ..query.clone() };
    let end = store.package_versions(&lowest).await.expect("a page");
    assert_eq!((shown(&end.items), end.more), (vec!["v1 active".to_owned(), "v2 deleted".to_owned()], true), "its end");
    lowest.after = end.items.last().map(|last| last.artifact);
    let rest = store.package_versions(&lowest).await.expect("a page");
    assert_eq!((shown(&rest.items), rest.more), (vec!["v10 active".to_owned(), "v300 active".to_owned()], false));
    let foreign = created(artifacts, of, publication("example.com/elsewhere", "v9", "x")).await.id;
    query.after = Some(foreign);
    assert!(store.package_versions(&query).await.expect("a page").items.is_empty(), "no version of the package");
}

async fn dependents_are_found_and_deleted_ones_are_not(
    store: &dyn PackageStore,
    artifacts: &dyn ArtifactStore,
    of: RepositoryId,
    other: RepositoryId,
) {
    let need = |package: &str| Dependency { package: package.into(), version: "v7".into(), kind: "indirect".into() };
    for (repository, name, version) in [(of, "x", "v1"), (of, "x", "v2"), (other, "y", "v1"), (of, "z", "v1")] {
        let mut what = publication(&format!("example.com/needs/{name}"), version, name);
        what.dependencies = vec![need("example.com/needed"), need("example.com/needed"), need("example.com/more")];
        created(artifacts, repository, what).await;
    }
    artifacts.delete(of, &coordinate("example.com/needs/z", "v1"), None, "", &Actor::system()).await.expect("deleted");
    let query = |repositories: &[RepositoryId]| DependentQuery {
        repositories: repositories.to_vec(),
        package: package("example.com/needed"),
        after: None,
        limit: 2,
    };
    let shown = |page: &[crate::catalog::Dependent]| {
        page.iter().map(|one| format!("{}@{}", one.package, one.version.version)).collect::<Vec<_>>()
    };
    let first = store.dependents(&query(&[of, other])).await.expect("a page");
    assert_eq!(
        shown(&first.items),
        ["example.com/needs/y@v1", "example.com/needs/x@v2"],
        "the newest first, once each"
    );
    assert_eq!((first.items[0].needs.as_str(), first.items[0].kind.as_str()), ("v7", "indirect"), "what they need");
    let after = first.items.last().map(|last| last.version.artifact);
    let second = store.dependents(&DependentQuery { after, ..query(&[of, other]) }).await.expect("a page");
    assert_eq!((shown(&second.items), second.more), (vec!["example.com/needs/x@v1".to_owned()], false));
    let readable = store.dependents(&query(&[other])).await.expect("a page");
    assert_eq!(shown(&readable.items), ["example.com/needs/y@v1"], "only what may be read");
}

async fn packages_are_listed_by_their_use(
    store: &dyn PackageStore,
    artifacts: &dyn ArtifactStore,
    of: RepositoryId,
    other: RepositoryId,
) {
    let need = |package: &str| Dependency { package: package.into(), version: "v1".into(), kind: String::new() };
    let publish = async |repository, name: &str, version: &str, needs: &[&str]| {
        let mut what = publication(name, version, &format!("{name} {version}"));
        what.dependencies = needs.iter().map(|name| need(name)).collect();
        what.about.license = Some("MIT".to_owned());
        created(artifacts, repository, what).await;
    };
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| format!("example.com/used/{name}"));
    publish(of, &a, "v1", &[&b, &c, &d]).await;
    publish(of, &a, "v2", &[&b, &a]).await;
    publish(of, &b, "v1", &[&c]).await;
    publish(of, &c, "v1", &[]).await;
    publish(other, &b, "v1", &[&c]).await;
    let query = |repositories: &[RepositoryId]| PackageQuery {
        order: PackageOrder::Used { after: None },
        ..by_name(repositories, "com/used/")
    };
    let shown = |packages: &[Package]| {
        let one = |package: &Package| format!("{} {}", &package.name.as_str()[17..], package.used_by);
        packages.iter().map(one).collect::<Vec<_>>()
    };
    let all = listed(store, query(&[of])).await;
    assert_eq!(shown(&all), ["c 3", "b 1", "a 0"], "a package of another repository counts, and no package for itself");
    assert!(all.iter().all(|package| package.license.as_deref() == Some("MIT")), "{all:?}");
    let both = listed(store, query(&[of, other])).await;
    assert_eq!(shown(&both), ["c 3", "b 1", "b 1", "a 0"], "the most used first");
    assert_eq!(turned(store, query(&[of, other])).await, both, "page by page");
    publish(of, &d, "v1", &[]).await;
    let by_id = store.package(&[of], listed(store, by_name(&[of], &d)).await[0].id).await;
    assert_eq!(by_id.expect("an answer").map(|package| package.used_by), Some(1), "who was needed before it came");
    let delete = async |repository, name: &str, version: &str| {
        artifacts.delete(repository, &coordinate(name, version), None, "", &Actor::system()).await.expect("deleted");
    };
    delete(of, &a, "v1").await;
    assert_eq!(shown(&listed(store, query(&[of])).await)[..2], ["c 2", "b 1"], "a tombstone needs nothing");
    delete(of, &a, "v2").await;
    delete(other, &b, "v1").await;
    let end = listed(store, query(&[of])).await;
    assert_eq!(end.iter().map(|package| package.used_by).collect::<Vec<_>>(), [1, 0, 0], "{end:?}");
    publish(of, &a, "v3", &[&d]).await;
    assert_eq!(shown(&listed(store, query(&[of])).await).iter().filter(|one| one.ends_with(" 1")).count(), 2, "again");
}

async fn words_are_found_where_they_may_be_read(
    store: &dyn PackageStore,
    artifacts: &dyn ArtifactStore,
    of: RepositoryId,
    other: RepositoryId,
) {
    for (repository, name, line) in [
        (of, "example.com/words/mymodule", "Reads ledgers and writes accounts."),
        (of, "example.com/words/mymodule-extra", "Adds to it."),
        (other, "example.com/words/hidden", "Reads ledgers in secret."),
    ] {
        let mut what = publication(name, "v1", name);
        what.about.description = line.to_owned();
        what.about.keywords = vec!["bookkeeping".to_owned()];
        created(artifacts, repository, what).await;
    }
    let found = async |within: &[RepositoryId], text: &str| {
        let terms = text.split_whitespace().map(str::to_owned).collect();
        let query = SearchQuery { repositories: within.to_vec(), terms, after: None, limit: 10 };
        let page = store.find_packages(&query).await.expect("a page");
        page.items.into_iter().map(|hit| hit.package.name.as_str().to_owned()).collect::<Vec<_>>()
    };
    let module = ["example.com/words/mymodule", "example.com/words/mymodule-extra"];
    assert_eq!(found(&[of], "words/mymod").await, module, "the beginning of an element, the shortest name first");
    assert_eq!(found(&[of], "ymodul").await, module, "within a name");
    assert_eq!(found(&[of], "ledgers").await, module[..1], "in the description, only where it may be read");
    assert_eq!(found(&[of, other], "ledgers secret").await, ["example.com/words/hidden"], "all words");
    assert_eq!(found(&[of], "bookkeeping mymodule").await, module, "in keywords and name");
    assert!(found(&[], "ledgers").await.is_empty(), "no repository is nothing");
    for odd in ["\"", "*", "(", "NEAR(", "a OR", "%", "'; DROP TABLE packages; --", "\u{1F980}", "name:x", "^", "-"] {
        assert!(!found(&[of], odd).await.contains(&"example.com/words/hidden".to_owned()), "{odd}");
    }
    let alike = store.similar_packages(&[of], "mymodul", 10).await.expect("packages");
    assert!(names(&alike).contains(&module[0]), "similar names");
    assert!(!names(&alike).iter().any(|name| name.contains("hidden")), "similar names, only where they may be read");
    artifacts.delete(of, &coordinate(module[1], "v1"), None, "", &Actor::system()).await.expect("deleted");
    assert_eq!(found(&[of], "mymodule").await, module[..1], "what is deleted is not found");
}

async fn a_version_is_changed_and_a_tombstone_never(artifacts: &dyn ArtifactStore, of: RepositoryId) {
    let name = "example.com/amended";
    let made = created(artifacts, of, publication(name, "v1", "x")).await;
    let what = coordinate(name, "v1");
    let by = Actor::system();
    let amend = async |change: Amendment| artifacts.amend(of, &what, change, &by).await.expect("an answer");
    let done = |ended: Option<Amended>| -> Artifact {
        match ended {
            Some(Amended::Done(artifact)) => *artifact,
            other => panic!("it is done, not {other:?}"),
        }
    };
    let state = |state, reason: &str| Amendment { state: Some((state, reason.to_owned())), ..Amendment::default() };
    let before = artifacts.generation(of);
    let yanked = done(amend(state(ArtifactState::Yanked, "broken")).await);
    assert_eq!((yanked.state, yanked.state_reason.as_str()), (ArtifactState::Yanked, "broken"));
    let changed = artifacts.generation(of);
    assert_ne!(changed, before, "a change shows in the generation");
    assert_ne!(yanked.tag(), made.tag(), "and in the tag");
    assert_eq!(done(amend(state(ArtifactState::Yanked, "broken")).await).tag(), yanked.tag(), "repeating is harmless");
    assert_eq!(artifacts.generation(of), changed, "and no change");
    let pin = Amendment { pinned: Some(true), expected: Some(yanked.tag()), ..Amendment::default() };
    assert!(done(amend(pin.clone()).await).pinned, "pinned under the present tag");
    assert!(matches!(amend(pin).await, Some(Amended::Stale)), "a tag of before is stale");
    artifacts.delete(of, &what, None, "gone", &by).await.expect("deleted");
    let deleted = amend(state(ArtifactState::Active, "")).await;
    assert!(matches!(deleted, Some(Amended::Deleted(gone)) if gone.state_reason == "gone"), "a tombstone stays one");
    let absent = artifacts.amend(of, &coordinate(name, "v9"), state(ArtifactState::Active, ""), &by).await;
    assert!(absent.expect("an answer").is_none(), "no such version");
}
