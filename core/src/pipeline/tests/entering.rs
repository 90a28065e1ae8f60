//! Who gets in, and what those who do not are told.

use super::world::{World, admin, code, token};
use crate::access::Principal;
use crate::error::{Class, Failure};

/// Strangers, and somebody whose token reaches another repository only.
fn outsiders() -> [Principal; 2] {
    [Principal::Anonymous, token("read,publish", &["notes/other"], None)]
}

async fn private_world() -> World {
    let world = World::new().await;
    world.repository("private", |details| details.anonymous_read = false).await;
    world
}

async fn refused(world: &World, who: &Principal, repository: &str, path: &str) -> Failure {
    world.read(who, repository, path).await.expect_err("a refusal")
}

#[tokio::test]
async fn reading_is_authorised_before_the_format_sees_the_path() {
    let world = private_world().await;
    for who in outsiders() {
        for path in ["/a/list", "/a/1.txt", "/a/../b", "/a%00", "/nowhere/at/all"] {
            let failure = refused(&world, &who, "private", path).await;
            let codes = ["login_required", "repository_unavailable"];
            assert!(codes.contains(&failure.code().name), "{path}: {failure}");
        }
    }
    assert_eq!(world.routed(), 0, "the format was asked");
}

#[tokio::test]
async fn a_malformed_path_is_told_only_to_those_who_may_read() {
    let world = private_world().await;
    assert_eq!(code(world.read(&Principal::Anonymous, "private", "/a/../b").await), "login_required");
    assert_eq!(code(world.read(&admin(), "private", "/a/../b").await), "invalid_path");
    let reader = token("read", &["notes/private"], None);
    assert_eq!(code(world.read(&reader, "private", "/a/../b").await), "invalid_path");
    assert_eq!(code(world.read(&Principal::Anonymous, "local", "/a/../b").await), "invalid_path");
}

#[tokio::test]
async fn an_absent_and_a_private_repository_are_answered_alike() {
    let world = private_world().await;
    world.publish("a", "1", "a note").await.expect("published");
    for who in outsiders() {
        for path in ["/a/list", "/a/1.txt", "/a/../b", "", "/help"] {
            let private = refused(&world, &who, "private", path).await;
            let absent = refused(&world, &who, "missing", path).await;
            let told = format!("{private:?}").replace("private", "missing");
            assert_eq!(told, format!("{absent:?}"), "{path}");
            // A package client goes on to the next server after these, with a private name.
            assert!(!matches!(private.code().class, Class::NotFound | Class::Gone), "{path}: {private}");
        }
    }
}

#[tokio::test]
async fn a_segment_that_cannot_be_a_name_is_an_absent_repository() {
    let world = private_world().await;
    let long = "a".repeat(5_000);
    for segment in ["", "..", "PRIVATE", "priv%61te", "a b", "\u{202e}\n", &long] {
        for who in outsiders() {
            let failure = refused(&world, &who, segment, "/a/list").await;
            let codes = ["login_required", "repository_unavailable"];
            assert!(codes.contains(&failure.code().name), "{segment:?}: {failure}");
            let detail = &failure.first().detail;
            assert!(detail.len() < 500 && !detail.contains(['\n', '\u{202e}']), "{segment:?} came back as {detail:?}");
        }
    }
}

#[tokio::test]
async fn only_an_administrator_is_told_that_a_repository_is_absent() {
    let world = private_world().await;
    assert_eq!(code(world.read(&admin(), "missing", "/a/list").await), "repository_not_found");
    let reader = token("read", &["*"], None);
    assert_eq!(code(world.read(&reader, "missing", "/a/list").await), "repository_unavailable");
}

#[tokio::test]
async fn a_refusal_names_only_repositories_that_may_be_read() {
    let world = private_world().await;
    for who in outsiders() {
        let failure = format!("{:?}", refused(&world, &who, "missing", "/a/list").await);
        assert!(failure.contains("notes/local") && !failure.contains("notes/private"), "{failure}");
    }
}

#[tokio::test]
async fn an_api_caller_is_told_the_same_of_absent_and_hidden_repositories() {
    use crate::access::Action;
    use crate::testing::contract::address;

    let world = private_world().await;
    let [stranger, outsider] = outsiders();
    for (who, expected) in [(stranger, "login_required"), (outsider, "repository_not_found")] {
        for action in [Action::Read, Action::Publish, Action::Delete] {
            for name in ["private", "missing"] {
                let answer = world.keeper.enter_api(&who, &address("notes", name), action).await;
                assert_eq!(code(answer), expected, "{name}");
            }
        }
    }
}
