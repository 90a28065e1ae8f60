//! Where an upload goes.

use super::world::{World, admin, code, key, name, token};
use crate::access::{Action, Principal};
use crate::error::Failure;

async fn target(world: &World, who: &Principal, named: Option<&str>) -> Result<String, Failure> {
    let named = named.map(name);
    let (repository, permit) = world.keeper.publish_target(who, &key("notes"), named.as_ref()).await?;
    assert!(permit.covers(&repository, Action::Publish));
    Ok(repository.address.to_string())
}

#[tokio::test]
async fn without_a_name_it_is_the_default_the_only_one_or_none() {
    let world = World::with(|store| store);
    assert_eq!(code(target(&world, &admin(), None).await), "no_repository");
    world.repository_of("other", "elsewhere", |details| details.default_upload = true).await;
    assert_eq!(code(target(&world, &admin(), None).await), "no_repository");
    world.repository("b", |_| {}).await;
    assert_eq!(target(&world, &admin(), None).await.expect("the only one"), "notes/b");
    world.repository("a", |_| {}).await;
    let failure = target(&world, &admin(), None).await.expect_err("two fit");
    assert_eq!((failure.code().name, failure.first().field.as_deref()), ("repository_required", Some("repository")));
    assert!(failure.first().detail.contains("a, b"), "{failure}");
    world.repository("c", |details| details.default_upload = true).await;
    assert_eq!(target(&world, &admin(), None).await.expect("the default"), "notes/c");
}

#[tokio::test]
async fn only_repositories_that_the_token_may_publish_to_count() {
    let world = World::with(|store| store);
    world.repository("a", |_| {}).await;
    world.repository("b", |_| {}).await;
    world.repository("default", |details| details.default_upload = true).await;
    let one = token("publish", &["notes/a"], None);
    assert_eq!(target(&world, &one, None).await.expect("the only one of this token"), "notes/a");
    let two = token("publish", &["notes/a", "notes/b"], None);
    let failure = target(&world, &two, None).await.expect_err("two fit");
    assert!(!failure.to_string().contains("default"), "{failure}");
    for nobody in [token("read", &["*"], None), Principal::Anonymous] {
        assert_eq!(code(target(&world, &nobody, None).await), "no_repository");
    }
}

#[tokio::test]
async fn a_name_is_taken_at_its_word() {
    let world = World::with(|store| store);
    world.repository("a", |_| {}).await;
    world.repository("private", |details| details.anonymous_read = false).await;
    world.repository("default", |details| details.default_upload = true).await;
    world.repository_of("other", "elsewhere", |_| {}).await;
    world.repository_of("other", "secret", |details| details.anonymous_read = false).await;
    assert_eq!(target(&world, &admin(), Some("a")).await.expect("the named one"), "notes/a");
    let limited = token("publish", &["notes/a"], None);
    let rows = [
        (admin(), "missing", "repository_not_found"),
        (admin(), "elsewhere", "repository_wrong_format"),
        (limited.clone(), "elsewhere", "repository_wrong_format"),
        (limited.clone(), "secret", "repository_not_found"),
        (limited.clone(), "private", "repository_not_found"),
        (limited, "default", "publish_denied"),
        (Principal::Anonymous, "a", "login_required"),
        (Principal::Anonymous, "private", "login_required"),
        (Principal::Anonymous, "missing", "login_required"),
    ];
    for (who, named, expected) in rows {
        assert_eq!(code(target(&world, &who, Some(named)).await), expected, "{named}");
    }
}

#[tokio::test]
async fn a_format_that_is_not_installed_is_named() {
    let world = World::new().await;
    let mut upload = world.upload("a", "1", "one").await;
    upload.format = key("cobol");
    assert_eq!(code(world.send(upload).await), "unknown_format");
}
