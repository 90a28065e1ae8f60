//! Virtual repositories: who answers, and that nobody else does.

use super::world::{World, admin, code, name, token};
use crate::access::Principal;
use crate::error::Failure;
use crate::pipeline::Subject;
use crate::repository::RepositoryName;
use crate::source::{Chain, Remote, Reservation, Source, Virtual, WhenAbsent};
use crate::upstream::UpstreamError;

const UP: &str = "https://up.test";

/// `all` of `local` (hosted), `first` and `second` (remotes).
async fn world(change: impl FnOnce(&mut Virtual)) -> World {
    let world = World::new().await;
    for (remote, url) in [("first", UP), ("second", "https://two.test")] {
        let mut remote_of = Remote::of(Chain::parse(url, false).expect("a chain"));
        remote_of.index_seconds = 0;
        world.repository(remote, |details| details.source = Source::Remote(Box::new(remote_of))).await;
    }
    let mut members = Virtual { members: ["local", "first", "second"].map(name).to_vec(), ..Virtual::default() };
    change(&mut members);
    world.repository("all", |details| details.source = Source::Virtual(Box::new(members))).await;
    world
}

fn reserved(pattern: &str, members: &[&str], when_absent: WhenAbsent) -> Reservation {
    let members: Vec<RepositoryName> = members.iter().map(|member| name(member)).collect();
    Reservation { pattern: pattern.to_owned(), members, when_absent }
}

impl World {
    async fn all(&self, path: &str) -> Result<String, Failure> {
        let answer = self.read(&Principal::Anonymous, "all", path).await?;
        Ok(String::from_utf8(self.bytes(&answer).await?).expect("a text"))
    }

    fn set(&self, url: &str, answer: Result<&str, UpstreamError>) {
        self.upstreams.forget(url);
        self.upstreams.answer(url, answer);
    }
}

#[tokio::test]
async fn a_name_that_is_held_here_is_asked_of_nobody_else() {
    let world = world(|_| {}).await;
    world.publish("plan", "1", "ours").await.expect("published");
    for (path, text) in
        [("plan/list", "1 9"), ("plan/9.txt", "an impostor"), ("plan~2/list", "1"), ("plan~2/1.txt", "x")]
    {
        world.set(&format!("{UP}/{path}"), Ok(text));
    }
    assert_eq!(world.all("/plan/list").await.expect("ours"), "1");
    assert_eq!(world.all("/plan/1.txt").await.expect("ours"), "ours");
    for path in ["/plan/9.txt", "/plan~2/1.txt", "/plan~2/list"] {
        assert!(["version_not_found", "not_found"].contains(&code(world.all(path).await)), "{path}");
    }
    // Nor by asking the member itself.
    let direct = world.read(&admin(), "first", "/plan/9.txt").await;
    assert_eq!(code(direct), "name_claimed");
    assert_eq!(world.upstreams.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_deleted_name_stays_owned() {
    let world = world(|_| {}).await;
    let published = world.publish("plan", "1", "ours").await.expect("published");
    world.delete(&admin(), &published.artifact).await.expect("deleted");
    world.set(&format!("{UP}/plan/1.txt"), Ok("an impostor"));
    assert_eq!(code(world.all("/plan/1.txt").await), "deleted");
    assert_eq!(world.upstreams.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn the_first_member_that_knows_a_name_owns_all_of_it() {
    let world = world(|_| {}).await;
    world.set(&format!("{UP}/plan/list"), Ok("1"));
    world.set("https://two.test/plan/list", Ok("1 2"));
    world.set("https://two.test/plan/2.txt", Ok("of the second"));
    world.set("https://two.test/other/list", Ok("1"));
    world.set("https://two.test/other/1.txt", Ok("of the second"));
    assert_eq!(world.all("/plan/list").await.expect("of the first"), "1");
    assert_eq!(code(world.all("/plan/2.txt").await), "version_not_found");
    assert_eq!(world.all("/other/1.txt").await.expect("of the second"), "of the second");
    assert_eq!(code(world.all("/nowhere/list").await), "not_found");
}

#[tokio::test]
async fn trouble_of_one_member_never_hands_the_name_to_the_next() {
    let world = world(|_| {}).await;
    world.set(&format!("{UP}/plan/list"), Err(UpstreamError::Timeout));
    world.set("https://two.test/plan/list", Ok("1 2"));
    assert_eq!(code(world.all("/plan/list").await), "upstream_timeout");
    assert_eq!(code(world.all("/plan/2.txt").await), "upstream_timeout");
    let lenient = self::world(|members| members.optional = vec![name("first")]).await;
    lenient.set(&format!("{UP}/plan/list"), Err(UpstreamError::Timeout));
    lenient.set("https://two.test/plan/list", Ok("1 2"));
    assert_eq!(lenient.all("/plan/list").await.expect("of the second"), "1 2");
}

#[tokio::test]
async fn a_reserved_name_is_asked_only_of_its_members() {
    let world = world(|members| {
        members.reserved = vec![
            reserved("corp", &["local"], WhenAbsent::NotFound),
            reserved("secret", &["local"], WhenAbsent::Forbid),
        ];
        members.optional = vec![name("first")];
    })
    .await;
    for package in ["corp", "secret"] {
        world.set(&format!("{UP}/{package}/list"), Ok("1"));
        world.set(&format!("{UP}/{package}/1.txt"), Ok("an impostor"));
    }
    assert_eq!(code(world.all("/corp/1.txt").await), "version_not_found");
    assert_eq!(code(world.all("/corp/list").await), "not_found");
    assert_eq!(code(world.all("/secret/list").await), "name_claimed");
    assert_eq!(world.upstreams.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_member_that_may_not_be_read_is_not_passed_over() {
    let world = world(|_| {}).await;
    world.publish("plan", "1", "ours").await.expect("published");
    world.set(&format!("{UP}/plan/list"), Ok("9"));
    world.set(&format!("{UP}/free/list"), Ok("1"));
    let private = |details: &mut crate::repository::RepositoryDetails| details.anonymous_read = false;
    world.change("local", private).await;
    assert_eq!(code(world.all("/plan/list").await), "name_claimed");
    assert_eq!(world.all("/free/list").await.expect("it is not held there"), "1");
    let who = token("read", &["notes/*"], None);
    let answer = world.read(&who, "all", "/plan/list").await.expect("ours");
    assert_eq!(world.bytes(&answer).await.expect("bytes"), b"1");
    assert!(!answer.public, "what not everybody may read is not for shared caches");
}

#[tokio::test]
async fn versions_are_merged_where_that_is_wanted_and_the_first_that_has_one_wins() {
    let world = world(|members| members.merge = true).await;
    world.publish("plan", "1", "ours").await.expect("published");
    world.set(&format!("{UP}/plan/list"), Ok("1 2"));
    world.set(&format!("{UP}/plan/1.txt"), Ok("theirs"));
    world.set(&format!("{UP}/plan/2.txt"), Ok("theirs"));
    assert_eq!(world.all("/plan/list").await.expect("both"), "1 2");
    assert_eq!(world.all("/plan/1.txt").await.expect("ours"), "ours");
    assert_eq!(world.all("/plan/2.txt").await.expect("theirs"), "theirs");
    world.publish("memo", "1", "ours").await.expect("published");
    world.set("https://two.test/memo/list", Err(UpstreamError::Timeout));
    assert_eq!(code(world.all("/memo/list").await), "upstream_timeout", "a short list would go back without a word");
    assert_eq!(world.all("/memo/1.txt").await.expect("ours, still"), "ours");
}

#[tokio::test]
async fn an_upload_goes_to_the_first_hosted_member_and_owns_its_name_at_once() {
    let world = world(|_| {}).await;
    world.set(&format!("{UP}/plan/list"), Ok("7"));
    assert_eq!(world.all("/plan/list").await.expect("of the first"), "7");
    let mut upload = world.upload("plan", "1", "ours").await;
    upload.repository = Some(name("all"));
    let published = world.send(upload).await.expect("published");
    assert_eq!(published.repository.address.name.as_str(), "local");
    assert_eq!(world.all("/plan/list").await.expect("ours now"), "1");
}

#[tokio::test]
async fn an_explanation_names_the_member_and_why() {
    let world = world(|members| members.reserved = vec![reserved("corp", &["local"], WhenAbsent::NotFound)]).await;
    world.publish("plan", "1", "ours").await.expect("published");
    world.set(&format!("{UP}/theirs/list"), Ok("1"));
    let rows = [
        ("plan", "local", "owns the name"),
        ("theirs", "first", "the first member that knows it"),
        ("corp", "reserved here for: local", "reserved"),
        ("nobody", "no member knows", "nobody"),
    ];
    for (package, who, why) in rows {
        let explanation = world.explain(&Principal::Anonymous, "all", package, None).await;
        let step = explanation.steps.iter().find(|step| step.subject == Subject::Member).expect("a step");
        assert!(step.detail.contains(who) && step.detail.contains(why), "{package}: {}", step.detail);
    }
}
