//! The promises of [`RetentionStore`], together with the [`ArtifactStore`] whose versions it removes.

use jiff::Timestamp;

use super::artifacts::created;
use super::fixture::{coordinate, publication};
use crate::artifact::{Amended, Amendment, ArtifactState, ArtifactStore, Coordinate};
use crate::repository::{Actor, RepositoryId};
use crate::retention::{Candidate, PackageVersions, RetentionStore, Rule, Rules, SetRules};

/// The promises of retention, on a repository that is empty when it is given.
///
/// # Panics
/// When one is broken.
pub async fn retention_store(retention: &dyn RetentionStore, artifacts: &dyn ArtifactStore, of: RepositoryId) {
    let by = Actor { login: "ann".to_owned(), ..Actor::default() };
    assert!(retention.rules(of).await.expect("rules").is_none(), "nobody has set rules");
    let rules = Rules::try_from(vec![Rule { keep_last: Some(2), ..Rule::default() }]).expect("good rules");
    assert!(retention.set_rules(of, rules.clone(), Some(0), &by).await.expect("set"), "none were there");
    assert!(!retention.set_rules(of, Rules::default(), Some(0), &by).await.expect("an answer"), "some are by now");
    let kept = retention.rules(of).await.expect("rules").expect("rules");
    assert_eq!((&kept.rules, kept.by.as_str()), (&rules, "ann"), "what was set, and by whom");

    let name = "example.com/kept";
    for number in [10, 2, 1, 3, 4] {
        created(artifacts, of, publication(name, &format!("v{number}"), &format!("kept {number}"))).await;
    }
    created(artifacts, of, publication("example.com/other", "v1", "other")).await;
    artifacts.delete(of, &coordinate(name, "v4"), None, "", &by).await.expect("deleted");
    let versions = versions_of(retention, of, name).await;
    let shown: Vec<_> = versions.iter().map(|one| one.version.as_str()).collect();
    assert_eq!(shown, ["v1", "v2", "v3", "v10"], "in order, tombstones left out");
    assert!(versions.iter().all(|one| one.bytes > 0 && !one.pinned && one.last_used_on.is_none()), "{versions:?}");

    pin(artifacts, of, &coordinate(name, "v1"), true).await;
    let noon = |day: i64| Timestamp::from_second(day * 86_400 + 43_200).expect("a time");
    let uses = |day| vec![(of, coordinate(name, "v2"), noon(day)), (of, coordinate(name, "v99"), noon(day))];
    for day in [100, 99] {
        retention.record_uses(uses(day)).await.expect("recorded");
    }
    let versions = versions_of(retention, of, name).await;
    assert!(versions[0].pinned && !versions[1].pinned, "one is pinned");
    assert_eq!(versions[1].last_used_on, Some(100), "the last day counts");

    let now = Timestamp::now();
    let package = package(retention, of, name).await;
    let would_go: Vec<_> = rules.doomed(&package, 0, now);
    let generation = artifacts.generation(of);
    let gone = retention.apply_rules(of, package.key, now, 500).await.expect("applied");
    assert_eq!(gone, would_go, "what goes is what the rules say");
    assert_eq!(gone.iter().map(|one| one.coordinate.to_string()).collect::<Vec<_>>(), ["example.com/kept@v2"]);
    assert_ne!(artifacts.generation(of), generation, "the content has changed");
    let tombstone = artifacts.find(of, &coordinate(name, "v2")).await.expect("an answer").expect("it");
    assert_eq!((tombstone.state, tombstone.files.len()), (ArtifactState::Deleted, 0), "a tombstone like any other");
    let again = retention.apply_rules(of, package.key, now, 500).await.expect("applied");
    assert!(again.is_empty(), "nothing is left to do");

    pin(artifacts, of, &coordinate(name, "v1"), false).await;
    let present = SetRules::revision(retention.rules(of).await.expect("rules").as_ref());
    assert!(retention.set_rules(of, Rules::default(), Some(present), &by).await.expect("set"), "the present ones");
    assert!(retention.rules(of).await.expect("rules").is_none(), "no rule is none");
    assert!(retention.apply_rules(of, package.key, now, 500).await.expect("applied").is_empty(), "without rules");
}

async fn pin(artifacts: &dyn ArtifactStore, of: RepositoryId, what: &Coordinate, pinned: bool) {
    let change = Amendment { pinned: Some(pinned), ..Amendment::default() };
    let amended = artifacts.amend(of, what, change, &Actor::system()).await.expect("an answer");
    assert!(matches!(amended, Some(Amended::Done(_))), "a version is pinned: {amended:?}");
}

async fn package(retention: &dyn RetentionStore, of: RepositoryId, name: &str) -> PackageVersions {
    let (mut after, mut found) = (0, None);
    loop {
        let page = retention.packages(of, after, 1).await.expect("packages");
        let Some(one) = page.into_iter().next() else { return found.expect("the package") };
        after = one.key;
        if one.package.as_str() == name {
            found = Some(one);
        }
    }
}

async fn versions_of(retention: &dyn RetentionStore, of: RepositoryId, name: &str) -> Vec<Candidate> {
    package(retention, of, name).await.versions
}
