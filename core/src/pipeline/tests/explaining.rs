//! An explanation says what a read gives, for every state and for everybody.

use super::notes::coordinate;
use super::world::{World, admin, code, token};
use crate::access::Principal;
use crate::artifact::ArtifactState;
use crate::pipeline::{Explanation, Place, Question, Subject, Verdict};

impl World {
    pub(super) async fn explain(
        &self,
        who: &Principal,
        repository: &str,
        package: &str,
        version: Option<&str>,
    ) -> Explanation {
        let question = Question { who, format: "notes", repository, package, version };
        let place = Place::new("https://keeper.test", false).expect("an address");
        self.keeper.explain(&question, &place).await.expect("an explanation")
    }
}

/// Where the way ended, and with which code.
fn end(explanation: &Explanation) -> (Subject, Verdict, Option<&'static str>) {
    let last = explanation.steps.last().expect("there is always a step");
    (last.subject, last.verdict, explanation.outcome.as_ref().err().map(|failure| failure.code().name))
}

#[tokio::test]
async fn every_state_is_explained_as_it_is_read() {
    use ArtifactState::{Active, Blocked, Deleted, Yanked};
    let world = World::new().await;
    let local = world.id("local").await;
    let note = world.publish("a", "1", "one").await.expect("published");
    let rows = [
        (Active, "listed and served", Verdict::Passed, None),
        (Yanked, "left out of lists", Verdict::Passed, None),
        (Blocked, "CVE-1", Verdict::Refused, Some("blocked")),
        (Deleted, "a mistake", Verdict::Refused, Some("deleted")),
    ];
    for (state, said, verdict, refusal) in rows {
        match state {
            Deleted => drop(world.delete(&admin(), &note.artifact).await.expect("deleted")),
            state => world.store.set_state(local, &coordinate("a", "1"), state, "CVE-1"),
        }
        let explained = world.explain(&Principal::Anonymous, "local", "a", Some("1")).await;
        let read = world.text("/a/1.txt").await;
        assert_eq!(explained.outcome.as_ref().err().map(|failure| failure.code().name), refusal, "{state:?}");
        assert_eq!(read.err().map(|failure| failure.code().name), refusal, "{state:?}");
        let last = explained.steps.last().expect("steps");
        assert_eq!(last.verdict, verdict, "{state:?}: {last:?}");
        assert!(last.detail.contains(said), "{state:?}: {last:?}");
        assert_eq!(last.code, refusal, "{state:?}");
    }
}

#[tokio::test]
async fn what_is_absent_is_explained_as_it_is_read() {
    let world = World::new().await;
    world.publish("a", "1", "one").await.expect("published");
    let stranger = Principal::Anonymous;
    for (package, version, path) in [("a", Some("9"), "/a/9.txt"), ("b", Some("1"), "/b/1.txt"), ("b", None, "/b/list")]
    {
        let explained = world.explain(&stranger, "local", package, version).await;
        let explained = explained.outcome.expect_err("an absence");
        let read = world.text(path).await.expect_err("an absence");
        assert_eq!((explained.code(), &explained.first().detail), (read.code(), &read.first().detail), "{path}");
    }
    let list = world.explain(&stranger, "local", "a", None).await;
    assert_eq!(end(&list), (Subject::Package, Verdict::Passed, None));
    assert_eq!(list.answers[0].path, "/notes/local/a/list");
}

#[tokio::test]
async fn a_repository_that_may_not_be_read_is_explained_as_an_absent_one() {
    let world = World::new().await;
    world.repository("private", |details| details.anonymous_read = false).await;
    let outsider = token("read", &["notes/other"], None);
    for (who, refusal) in [(&Principal::Anonymous, "login_required"), (&outsider, "repository_unavailable")] {
        let told = |explanation: Explanation, name: &str| {
            assert_eq!(end(&explanation), (Subject::Repository, Verdict::Refused, Some(refusal)));
            assert!(explanation.answers.is_empty());
            format!("{:?} {}", explanation.steps, explanation.outcome.expect_err("a refusal")).replace(name, "NAME")
        };
        let private = told(world.explain(who, "private", "a", Some("1")).await, "private");
        let absent = told(world.explain(who, "absent", "a", Some("1")).await, "absent");
        assert_eq!(private, absent);
        assert_eq!(code(world.read(who, "private", "/a/1.txt").await), refusal);
    }
    let told = world.explain(&admin(), "absent", "a", None).await;
    assert_eq!(end(&told).2, Some("repository_not_found"));
}

#[tokio::test]
async fn lost_bytes_are_explained_too() {
    let world = World::new().await;
    world.publish("a", "1", &super::world::long("long")).await.expect("published");
    world.lose_blobs().await;
    let explained = world.explain(&Principal::Anonymous, "local", "a", Some("1")).await;
    assert_eq!(end(&explained), (Subject::Policy, Verdict::Passed, Some("blob_missing")));
    assert!(explained.answers.iter().any(|answer| answer.result.is_ok()), "the small file is still there");
}
