//! What an upload becomes, and what it never changes.

use futures_util::future::join_all;

use super::notes::file_path;
use super::world::{World, admin, code, long, token};
use crate::artifact::ArtifactStore as _;
use crate::digest::Digest;
use crate::error::Class;
use crate::pipeline::Upload;

#[tokio::test]
async fn a_new_version_is_there_with_all_its_files() {
    let world = World::new().await;
    let published = world.publish("a", "1", &long("one")).await.expect("published");
    assert!(published.created);
    assert_eq!(published.artifact.published_by, "ann");
    let names: Vec<_> = published.artifact.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["1.json", "1.txt"]);
    assert_eq!(world.kept("a", "1").await.expect("it").id, published.artifact.id);
    assert_eq!(world.text("/a/1.txt").await.expect("a file"), long("one"));
    assert_eq!(world.text("/a/1.json").await.expect("a file"), r#"{"note":true}"#);
    assert_eq!(world.text("/a/list").await.expect("a list"), "1");
}

#[tokio::test]
async fn a_repeat_creates_nothing() {
    let world = World::new().await;
    let local = world.id("local").await;
    let first = world.publish("a", "1", &long("one")).await.expect("published");
    let (generation, blobs) = (world.store.generation(local), world.blobs.locations());
    // The same content in other bytes is a repeat as well: what counts is the content id.
    for text in [long("one"), long("one") + "  "] {
        let again = world.publish("a", "1", &text).await.expect("a repeat");
        assert!(!again.created);
        assert_eq!(again.artifact.id, first.artifact.id);
        assert_eq!((world.store.generation(local), world.blobs.locations()), (generation, blobs.clone()));
    }
    assert_eq!(world.text("/a/1.txt").await.expect("a file"), long("one"));
}

#[tokio::test]
async fn other_content_for_a_version_is_refused_and_changes_nothing() {
    let world = World::new().await;
    world.publish("a", "1", &long("one")).await.expect("published");
    let blobs = world.blobs.locations();
    let failure = world.publish("a", "1", &long("two")).await.expect_err("a conflict");
    assert_eq!((failure.code().name, failure.code().class), ("version_exists", Class::Conflict));
    assert_eq!(failure.first().field.as_deref(), Some("version"));
    assert_eq!(world.text("/a/1.txt").await.expect("a file"), long("one"));
    assert_eq!(world.blobs.locations(), blobs);
}

#[tokio::test]
async fn nothing_is_published_over_a_tombstone() {
    let world = World::new().await;
    let first = world.publish("a", "1", "one").await.expect("published");
    world.delete(&admin(), &first.artifact).await.expect("deleted");
    for text in ["one", "two"] {
        let failure = world.publish("a", "1", text).await.expect_err("a tombstone");
        assert_eq!((failure.code().name, failure.code().class), ("version_deleted", Class::Gone));
        assert!(failure.first().detail.contains("a mistake"), "{failure}");
    }
    assert_eq!(code(world.text("/a/1.txt").await), "deleted");
}

#[tokio::test]
async fn bytes_must_have_the_digest_that_was_stated() {
    let world = World::new().await;
    let stated = |text: &'static str, digest: Digest| {
        let world = &world;
        async move { world.send(Upload { sha256: Some(digest), ..world.upload("a", "1", text).await }).await }
    };
    let failure = stated("one", Digest::of(b"two")).await.expect_err("a mismatch");
    assert_eq!((failure.code().name, failure.first().field.as_deref()), ("checksum_mismatch", Some("sha256")));
    assert!(world.kept("a", "1").await.is_none());
    assert!(stated("one", Digest::of(b"one")).await.expect("published").created);
}

#[tokio::test]
async fn no_bytes_are_no_upload() {
    let world = World::new().await;
    assert_eq!(code(world.publish("a", "1", "").await), "empty_file");
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once_and_nothing_is_kept() {
    let world = World::new().await;
    let failure = world.publish("a", "1", &long("bad")).await.expect_err("refused");
    let details: Vec<_> = failure.problems().map(|problem| problem.detail.as_str()).collect();
    assert_eq!(details, ["a bad word", "a bad end"]);
    assert!(world.kept("a", "1").await.is_none());
    assert_eq!(world.blobs.locations(), []);
}

#[tokio::test]
async fn a_strict_upload_with_warnings_is_refused() {
    let world = World::new().await;
    let strict = |package: &'static str, text: &'static str| {
        let world = &world;
        async move { world.send(Upload { strict: true, ..world.upload(package, "1", text).await }).await }
    };
    let failure = strict("a", "warn me").await.expect_err("refused");
    assert_eq!((failure.code().name, failure.first().path.as_deref()), ("warning_refused", Some("line 1")));
    assert!(failure.first().detail.starts_with("odd_word: "), "{failure}");
    assert!(world.kept("a", "1").await.is_none(), "it was kept");
    let published = world.publish("a", "1", "warn me").await.expect("published without strict");
    assert_eq!(published.artifact.warnings.len(), 1);
    assert_eq!(code(strict("A", "fine itself").await), "warning_refused", "a warning of confirm");
    assert!(strict("b", "fine").await.expect("published").created);
}

#[tokio::test]
async fn a_dry_run_shows_what_would_be_and_keeps_nothing() {
    let world = World::new().await;
    let local = world.id("local").await;
    let dry = |text: String| {
        let world = &world;
        async move { world.send(Upload { dry_run: true, ..world.upload("a", "1", &text).await }).await }
    };
    let generation = world.store.generation(local);
    let shown = dry(long("warn")).await.expect("a dry run");
    assert!(!shown.created && shown.artifact.id.0.is_nil());
    let sizes: Vec<_> = shown.artifact.files.iter().map(|file| (file.digest, file.content.size())).collect();
    let text = long("warn");
    assert!(sizes.contains(&(Digest::of(text.as_bytes()), text.len() as u64)), "{sizes:?}");
    assert_eq!(shown.artifact.warnings.len(), 1);
    assert!(world.kept("a", "1").await.is_none());
    assert_eq!((world.blobs.locations(), world.store.generation(local)), (Vec::new(), generation));

    let kept = world.publish("a", "1", &long("one")).await.expect("published").artifact;
    assert_eq!(dry(long("one")).await.expect("a repeat").artifact.id, kept.id);
    assert_eq!(code(dry(long("two")).await), "version_exists");
    world.delete(&admin(), &kept).await.expect("deleted");
    assert_eq!(code(dry(long("one")).await), "version_deleted");
}

#[tokio::test]
async fn a_repeat_moves_its_labels_and_a_dry_run_does_not() {
    use crate::artifact::{LabelQuery, PackageName};

    let world = World::new().await;
    let local = world.id("local").await;
    let package = PackageName::try_from("a").expect("a name");
    let send = |version: &'static str, dry_run: bool| {
        let world = &world;
        async move {
            let labels = vec!["main".to_owned()];
            let upload = Upload { labels, dry_run, ..world.upload("a", version, &long(version)).await };
            world.send(upload).await.expect("published").created
        }
    };
    let main = async || {
        let labels = world.store.labels(local, &package, LabelQuery::Name("main")).await.expect("labels");
        labels.iter().map(|label| label.version.as_str().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert!(send("1", false).await && send("2", false).await);
    assert_eq!(main().await, "2");
    assert!(!send("1", true).await);
    assert_eq!(main().await, "2");
    assert!(!send("1", false).await);
    assert_eq!(main().await, "1");
    assert_eq!(world.blobs.locations().len(), 2, "a repeat left spare copies");
}

#[tokio::test]
async fn a_token_publishes_only_packages_of_its_patterns() {
    let world = World::new().await;
    let team = token("publish", &["notes/local"], Some(&["team-*"]));
    let upload = world.upload("team-a", "1", "one").await;
    assert!(world.send_as(&team, upload).await.expect("published").created);
    for (who, package) in [(&team, "other"), (&token("publish", &["*"], Some(&[])), "team-b")] {
        let upload = world.upload(package, "1", "one").await;
        assert_eq!(code(world.send_as(who, upload).await), "publish_denied");
        assert!(world.kept(package, "1").await.is_none());
    }
    // Not even whether a version of another team's package exists with this content.
    world.publish("other", "1", "one").await.expect("published");
    let upload = Upload { dry_run: true, ..world.upload("other", "1", "one").await };
    assert_eq!(code(world.send_as(&team, upload).await), "publish_denied");
}

#[tokio::test]
async fn of_many_publishers_at_once_one_creates_and_no_copy_is_left_over() {
    let world = World::new().await;
    let uploads = join_all((0..8).map(|number| {
        let world = &world;
        async move { world.upload("a", "1", &long(["red", "blue"][number % 2])).await }
    }));
    let answers = join_all(uploads.await.into_iter().map(|upload| world.send(upload))).await;
    let created = answers.iter().filter(|answer| answer.as_ref().is_ok_and(|published| published.created)).count();
    let repeats = answers.iter().filter(|answer| answer.as_ref().is_ok_and(|published| !published.created)).count();
    assert_eq!((created, repeats), (1, 3));
    for failure in answers.into_iter().filter_map(Result::err) {
        assert_eq!(failure.code().name, "version_exists");
    }
    let local = world.id("local").await;
    let file = world.store.file(local, &file_path("a", "1", "txt")).await.expect("an answer").expect("a file").file;
    assert_eq!(world.text("/a/1.txt").await.expect("a file").len() as u64, file.content.size());
    assert_eq!(world.blobs.locations().len(), 1, "spare copies");
}

#[tokio::test]
async fn equal_bytes_of_two_versions_are_stored_once() {
    let world = World::new().await;
    world.publish("a", "1", &long("one")).await.expect("published");
    let blobs = world.blobs.locations();
    assert!(world.publish("b", "7", &long("one")).await.expect("published").created);
    assert_eq!(world.blobs.locations(), blobs);
    assert_eq!(world.text("/b/7.txt").await.expect("a file"), long("one"));
}
