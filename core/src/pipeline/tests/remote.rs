//! Remote repositories: what is fetched, what is kept, and what upstreams cannot do.

use futures_util::future::join_all;
use jiff::Timestamp;

use super::notes::coordinate;
use super::world::{World, admin, code, long};
use crate::access::Principal;
use crate::artifact::{Amended, ArtifactStore as _, PackageName};
use crate::audit::AuditStore as _;
use crate::error::Failure;
use crate::pipeline::Answer;
use crate::repository::Actor;
use crate::source::{Chain, Range, Remote, Rule, Rules, Source};
use crate::testing::contract;
use crate::upstream::UpstreamError;

const UP: &str = "https://up.test";

async fn world_of(chain: &str, change: impl FnOnce(&mut Remote)) -> World {
    let world = World::new().await;
    let mut remote = Remote::of(Chain::parse(chain, false).expect("a chain"));
    change(&mut remote);
    world.repository("copies", |details| details.source = Source::Remote(Box::new(remote))).await;
    world
}

async fn world() -> World {
    world_of(UP, |_| {}).await
}

impl World {
    async fn asks(&self, path: &str) -> Result<String, Failure> {
        let answer = self.read(&Principal::Anonymous, "copies", path).await?;
        Ok(String::from_utf8(self.bytes(&answer).await?).expect("a text"))
    }

    fn has(&self, path: &str, text: &str) {
        self.upstreams.forget(&format!("{UP}/{path}"));
        self.upstreams.answer(&format!("{UP}/{path}"), Ok(text));
    }

    fn fails(&self, path: &str, error: UpstreamError) {
        self.upstreams.forget(&format!("{UP}/{path}"));
        self.upstreams.answer(&format!("{UP}/{path}"), Err(error));
    }
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

const DAY: i64 = 24 * 60 * 60;

#[tokio::test]
async fn a_file_is_fetched_once_however_many_ask_and_however_long_it_is() {
    let world = world().await;
    for (package, text) in [("short", "a note".to_owned()), ("long", long("a note"))] {
        world.has(&format!("{package}/1.txt"), &text);
        let path = format!("/{package}/1.txt");
        let asked = (0..50).map(|_| world.asks(&path));
        assert!(join_all(asked).await.into_iter().all(|read| read.expect("it") == text));
        assert_eq!(world.upstreams.asked(), [format!("{UP}/{package}/1.txt")]);
        world.upstreams.forget(&format!("{UP}/{package}/1.txt"));
        assert_eq!(world.asks(&path).await.expect("it is kept"), text);
        assert_eq!(world.upstreams.asked(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_absence_is_believed_for_a_while_and_trouble_is_not() {
    let world = world().await;
    for _ in 0..2 {
        assert_eq!(code(world.asks("/plan/1.txt").await), "version_not_found");
    }
    assert_eq!(world.upstreams.asked().len(), 1, "the absence is remembered");
    world.fails("plan/2.txt", UpstreamError::Timeout);
    for _ in 0..2 {
        assert_eq!(code(world.asks("/plan/2.txt").await), "upstream_timeout");
    }
    assert_eq!(world.upstreams.asked().len(), 2, "trouble is asked again");
    world.has("plan/2.txt", "better");
    assert_eq!(world.asks("/plan/2.txt").await.expect("it"), "better");
    world.fails("plan/3.txt", UpstreamError::Gone);
    for _ in 0..2 {
        assert_eq!(code(world.asks("/plan/3.txt").await), "deleted");
    }
}

#[tokio::test]
async fn what_is_not_sound_is_neither_given_out_nor_kept() {
    let world = world().await;
    world.has("plan/1.txt", "bad bytes");
    world.has("plan/list", "<html>");
    for _ in 0..2 {
        assert_eq!(code(world.asks("/plan/1.txt").await), "upstream_invalid");
        assert_eq!(code(world.asks("/plan/list").await), "upstream_invalid");
    }
    assert_eq!(world.upstreams.asked().len(), 4, "nothing of it is remembered");
    assert!(world.blobs.locations().is_empty());
    world.has("plan/1.txt", "good bytes");
    world.has("plan/list", "1");
    assert_eq!(world.asks("/plan/1.txt").await.expect("it"), "good bytes");
    assert_eq!(world.asks("/plan/list").await.expect("it"), "1");
}

#[tokio::test]
async fn the_first_sums_stay_for_ever() {
    let world = world().await;
    let text = long("the first");
    world.has("plan/1.txt", &text);
    world.asks("/plan/1.txt").await.expect("it");
    let of = world.id("copies").await;
    let what = coordinate("plan", "1");
    let gone = world.store.delete(of, &what, None, "room", &Actor::system()).await.expect("an answer");
    assert!(gone.and_then(Amended::record).is_some_and(|artifact| artifact.files.is_empty()));
    world.has("plan/1.txt", &long("another"));
    assert_eq!(code(world.asks("/plan/1.txt").await), "upstream_checksum_mismatch");
    assert!(world.blobs.locations().len() <= 1, "nothing of the other is kept");
    world.has("plan/1.txt", &text);
    assert_eq!(world.asks("/plan/1.txt").await.expect("the same again"), text);
    let audit = world.store.rows_after(0, None, None).await.expect("rows");
    assert!(audit.iter().any(|row| row.told.action == "upstream_changed"));
}

#[tokio::test]
async fn a_list_is_the_upstreams_and_what_is_stored_and_stale_when_the_upstream_is_in_trouble() {
    let world = world_of(UP, |remote| remote.index_seconds = 0).await;
    world.has("plan/list", "1 2");
    world.has("plan/2.txt", "two");
    assert_eq!(world.asks("/plan/list").await.expect("it"), "1 2");
    world.asks("/plan/2.txt").await.expect("it");
    world.has("plan/list", "1 3");
    assert_eq!(world.asks("/plan/list").await.expect("it"), "1 2 3", "what is stored stays listed");
    world.fails("plan/list", UpstreamError::Failed("500".to_owned()));
    let answer: Answer = world.read(&Principal::Anonymous, "copies", "/plan/list").await.expect("the last good one");
    assert!(answer.stale && answer.age_s.is_some());
    assert_eq!(world.bytes(&answer).await.expect("bytes"), b"1 2 3");
    world.fails("plan/list", UpstreamError::Absent);
    assert_eq!(world.asks("/plan/list").await.expect("what is stored"), "2");
    world.fails("other/list", UpstreamError::Timeout);
    assert_eq!(code(world.asks("/other/list").await), "upstream_timeout");
}

#[tokio::test]
async fn a_fresh_list_is_not_asked_for_again_until_it_is_refreshed() {
    let world = world().await;
    world.has("plan/list", "1");
    for _ in 0..3 {
        assert_eq!(world.asks("/plan/list").await.expect("it"), "1");
    }
    assert_eq!(world.upstreams.asked().len(), 1);
    world.has("plan/list", "1 2");
    let package = PackageName::try_from("plan").expect("a name");
    world.keeper.refresh(&admin(), &contract::address("notes", "copies"), &package).await.expect("refreshed");
    assert_eq!(world.asks("/plan/list").await.expect("it"), "1 2");
}

#[tokio::test]
async fn a_chain_goes_on_after_an_absence_and_after_trouble_only_where_it_says_so() {
    for (chain, trouble_goes_on) in
        [("https://up.test,https://two.test", false), ("https://up.test|https://two.test", true)]
    {
        let world = world_of(chain, |_| {}).await;
        world.upstreams.answer("https://two.test/plan/1.txt", Ok("from two"));
        world.upstreams.answer("https://two.test/plan/2.txt", Ok("from two"));
        world.fails("plan/2.txt", UpstreamError::Timeout);
        assert_eq!(world.asks("/plan/1.txt").await.expect("after an absence"), "from two");
        let after_trouble = world.asks("/plan/2.txt").await;
        assert_eq!(after_trouble.is_ok(), trouble_goes_on, "{chain}");
        world.fails("plan/3.txt", UpstreamError::Timeout);
        assert_eq!(code(world.asks("/plan/3.txt").await), "upstream_timeout", "the absence of two hides nothing");
    }
}

#[tokio::test]
async fn files_of_one_version_come_from_one_source() {
    let world = world_of("https://up.test,https://two.test", |_| {}).await;
    world.has("plan/1.txt", "from one");
    world.asks("/plan/1.txt").await.expect("it");
    world.upstreams.answer("https://two.test/plan/1.json", Ok("1"));
    assert_eq!(code(world.asks("/plan/1.json").await), "upstream_unverified");
}

#[tokio::test]
async fn rules_are_asked_before_the_upstream_is() {
    let rule = |packages: &str, versions: &str, reason: &str| Rule {
        packages: packages.to_owned(),
        versions: Range::parse(versions).expect("a range"),
        reason: reason.to_owned(),
    };
    let deny = vec![rule("evil", "", "it is evil"), rule("plan", "=2", "it was hacked")];
    let world = world_of(UP, |remote| remote.rules = Rules { deny, ..Rules::default() }).await;
    world.has("plan/list", "1 2 3");
    world.has("evil/list", "1");
    for path in ["/evil/list", "/evil/1.txt", "/plan/2.txt"] {
        let refused = world.asks(path).await.expect_err("refused");
        assert_eq!(refused.code().name, "blocked");
        assert!(refused.first().detail.contains("it is evil") || refused.first().detail.contains("it was hacked"));
    }
    assert_eq!(world.upstreams.asked(), Vec::<String>::new());
    assert_eq!(world.asks("/plan/list").await.expect("it"), "1 3");
}

#[tokio::test]
async fn versions_come_in_when_they_are_old_enough_or_withdraw_one_that_is() {
    let week = 7 * DAY;
    let world = world_of(UP, |remote| {
        remote.index_seconds = 0;
        remote.rules.min_age_seconds = week as u64;
    })
    .await;
    for (version, made, text) in
        [("1", now() - 30 * DAY, "old"), ("2", now() - DAY, "young"), ("3", now() - DAY, "withdraws 1")]
    {
        world.has(&format!("plan/{version}.json"), &made.to_string());
        world.has(&format!("plan/{version}.txt"), text);
    }
    world.has("plan/list", "1 2 3");
    assert_eq!(world.asks("/plan/1.txt").await.expect("old enough"), "old");
    assert_eq!(code(world.asks("/plan/2.txt").await), "blocked");
    assert_eq!(code(world.asks("/plan/2.json").await), "blocked");
    assert_eq!(world.asks("/plan/3.txt").await.expect("it withdraws one"), "withdraws 1");
    assert_eq!(world.asks("/plan/list").await.expect("a list"), "1 3");
    // A version that appears later with a date of long ago is as old as its appearance.
    world.has("plan/4.json", &(now() - 30 * DAY).to_string());
    world.has("plan/4.txt", "set back");
    world.has("plan/list", "1 2 3 4");
    assert_eq!(world.asks("/plan/list").await.expect("a list"), "1 3");
    assert_eq!(code(world.asks("/plan/4.txt").await), "blocked");
}

#[tokio::test]
async fn a_remote_takes_no_uploads() {
    let world = world().await;
    let mut upload = world.upload("plan", "1", "text").await;
    upload.repository = Some(super::world::name("copies"));
    assert_eq!(code(world.send(upload).await), "read_only");
}

#[tokio::test]
async fn a_blocked_version_stays_blocked_whatever_the_upstream_has() {
    let world = world().await;
    world.has("plan/1.txt", "text");
    world.asks("/plan/1.txt").await.expect("it");
    let of = world.id("copies").await;
    world.store.set_state(of, &coordinate("plan", "1"), crate::artifact::ArtifactState::Blocked, "no");
    for path in ["/plan/1.txt", "/plan/1.json"] {
        assert_eq!(code(world.asks(path).await), "blocked");
    }
}
