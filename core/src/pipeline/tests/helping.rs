//! Help is for those who may read, and says what they may do.

use super::world::{World, admin, code, key, token};
use crate::access::Principal;
use crate::pipeline::Place;
use crate::testing::contract::address;

fn place() -> Place<'static> {
    Place::new("https://keeper.test", false).expect("an address")
}

#[tokio::test]
async fn setup_says_what_applies_to_the_caller() {
    let world = World::new().await;
    world.repository("private", |details| details.anonymous_read = false).await;
    let (reader, publisher) = (token("read", &["*"], None), token("read,publish", &["notes/local"], None));
    let rows = [
        (&Principal::Anonymous, "local", Ok((false, false))),
        (&publisher, "local", Ok((false, true))),
        (&reader, "private", Ok((true, false))),
        (&Principal::Anonymous, "private", Err("login_required")),
        (&publisher, "private", Err("repository_not_found")),
    ];
    for (who, name, wanted) in rows {
        let setup = world.keeper.setup(who, &address("notes", name), &place(), &[]).await;
        let told = setup.as_ref().map(|setup| (setup.credential_needed, setup.may_publish));
        assert_eq!(told.map_err(|failure| failure.code().name), wanted, "{name}");
        if let Ok(setup) = setup {
            assert_eq!((setup.repository_url, setup.https), (format!("https://keeper.test/notes/{name}"), true));
        }
    }
}

#[tokio::test]
async fn a_format_without_a_doctor_says_so_to_those_who_may_read() {
    let world = World::new().await;
    world.repository("private", |details| details.anonymous_read = false).await;
    let ask = |name: &'static str| {
        let world = &world;
        async move { world.keeper.doctor(&Principal::Anonymous, &address("notes", name), None, "{}", &place()).await }
    };
    assert_eq!(code(ask("local").await), "doctor_missing");
    assert_eq!(code(ask("private").await), "login_required");
}

#[tokio::test]
async fn the_usual_repository_is_one_that_the_caller_may_read() {
    let (world, admin) = (World::with(|store| store), admin());
    let usual = |who| {
        let world = &world;
        async move { world.keeper.usual(who, &key("notes")).await.map(|at| at.to_string()) }
    };
    assert_eq!(code(usual(&Principal::Anonymous).await), "login_required");
    assert_eq!(code(usual(&admin).await), "repository_not_found");
    world.repository("a", |_| {}).await;
    world.repository("b", |details| (details.anonymous_read, details.default_upload) = (false, true)).await;
    assert_eq!(usual(&Principal::Anonymous).await.expect("one"), "notes/a");
    assert_eq!(usual(&admin).await.expect("one"), "notes/b");
}
