//! The promises of a blob store, kept on a small S3, and what happens when that one fails.

use keeper_core::testing::contract;
use tempfile::TempDir;

use super::*;

#[path = "../../../../tests/harness/s3.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod s3;

use s3::{Fault, S3};

async fn open(s3: &S3, tmp: &TempDir) -> Result<ObjectBlobs, BlobError> {
    let bucket = Bucket {
        name: s3::BUCKET.to_owned(),
        prefix: "some/where".to_owned(),
        endpoint: Some(s3.url.clone()),
        region: Some("eu-test-1".to_owned()),
        path_style: true,
    };
    let builder = builder(&bucket).with_access_key_id(s3::ACCESS_KEY).with_secret_access_key("secret");
    ObjectBlobs::over(builder, &bucket.prefix, tmp.path()).await
}

async fn opened() -> (S3, TempDir, ObjectBlobs) {
    let (s3, tmp) = (S3::start(), tempfile::tempdir().expect("a folder"));
    let blobs = open(&s3, &tmp).await.expect("it opens");
    (s3, tmp, blobs)
}

async fn store(blobs: &ObjectBlobs, length: usize) -> Result<BlobInfo, BlobError> {
    let mut stage = blobs.stage(1 << 30).await.expect("a stage");
    stage.write(vec![b'x'; length].into()).await.expect("written");
    stage.commit().await
}

fn is_empty(tmp: &TempDir) -> bool {
    std::fs::read_dir(tmp.path()).expect("a folder").next().is_none()
}

const LARGE: usize = 20 << 20;

#[tokio::test]
async fn it_keeps_the_promises_of_a_blob_store() {
    let (s3, tmp, blobs) = opened().await;
    contract::blob_store(&blobs).await;
    assert!(is_empty(&tmp), "nothing stays in tmp");
    assert!(s3.keys().iter().all(|key| key.starts_with("some/where/sha256/")), "{:?}", s3.keys());
}

#[tokio::test]
async fn a_large_blob_goes_in_parts_and_is_listed_on_its_shelf() {
    let (s3, tmp, blobs) = opened().await;
    let blob = store(&blobs, LARGE).await.expect("stored");
    let sent = |request: &&String| request.contains("/sha256/") && request.contains("partNumber=");
    let parts = s3.requests().iter().filter(sent).count();
    assert_eq!((parts, s3.uploads()), (3, 0));
    assert!(blobs.is_intact(&blob).await.expect("an answer") && is_empty(&tmp));
    let first = u8::from_str_radix(&blob.location.as_str()[..2], 16).expect("digits");
    let shelf = blobs.shelf(first).await.expect("a shelf");
    assert!(shelf.iter().any(|copy| copy.blob == blob), "{shelf:?}");
    assert!(blobs.shelf(first.wrapping_add(1)).await.expect("a shelf").is_empty());
}

#[tokio::test]
async fn an_answer_that_is_lost_is_found_out() {
    let (s3, tmp, blobs) = opened().await;
    s3.fail(Fault::after("PUT", "/sha256/", 400, "InvalidRequest"));
    store(&blobs, 10).await.expect("it was stored");
    s3.fail(Fault::after("POST", "uploadId=", 400, "InvalidRequest"));
    store(&blobs, LARGE).await.expect("it was stored");
    assert!(is_empty(&tmp) && s3.keys().len() == 2 && s3.uploads() == 0);
}

#[tokio::test]
async fn what_was_refused_leaves_nothing() {
    let (s3, tmp, blobs) = opened().await;
    for (method, of, length) in [("PUT", "/sha256/", 10), ("PUT", "partNumber=2", LARGE), ("POST", "uploadId=", LARGE)]
    {
        s3.fail(Fault::before(method, of, 403, "AccessDenied"));
        let refused = store(&blobs, length).await.expect_err(of);
        assert!(matches!(refused, BlobError::Io(_)), "{of}: {refused}");
        assert!(is_empty(&tmp) && s3.keys().is_empty() && s3.uploads() == 0, "{of}: {:?}", s3.keys());
    }
}

#[tokio::test]
async fn trouble_is_not_absence() {
    let (s3, _tmp, blobs) = opened().await;
    let blob = store(&blobs, 10).await.expect("stored");
    for code in ["AccessDenied", "InvalidAccessKeyId"] {
        s3.fail(Fault::before("GET", "/sha256/", 403, code));
        s3.fail(Fault::before("HEAD", "/sha256/", 403, code));
        let refused = blobs.open(&blob, None).await.err().expect(code);
        assert!(matches!(refused, BlobError::Io(_)), "{code}: {refused}");
    }
    s3.heal();
    s3.fail(Fault::before("GET", "/sha256/", 404, "NoSuchBucket"));
    assert!(matches!(blobs.open(&blob, None).await.err(), Some(BlobError::Io(_))));
    s3.heal();
    s3.forget(&s3.keys()[0]);
    assert!(matches!(blobs.open(&blob, None).await.err(), Some(BlobError::Missing(_))));
    assert!(!blobs.is_intact(&blob).await.expect("an answer"));
}

#[tokio::test]
async fn a_busy_store_is_asked_again() {
    let (s3, _tmp, blobs) = opened().await;
    s3.fail(Fault::before("PUT", "/sha256/", 503, "SlowDown"));
    let blob = store(&blobs, 10).await.expect("stored in the end");
    s3.fail(Fault::before("GET", "/sha256/", 500, "InternalError"));
    assert!(blobs.open(&blob, None).await.is_ok());
}

#[tokio::test]
async fn a_start_gives_up_what_an_earlier_process_left_half_sent() {
    let (s3, tmp, blobs) = opened().await;
    let key = Key::from("some/where/sha256/aa/half");
    let id = blobs.shared.store.create_multipart(&key).await.expect("begun");
    std::fs::write(tmp.path().join("upload-1-1"), format!("{key}\n{id}\n")).expect("a note");
    assert_eq!(s3.uploads(), 1);
    open(&s3, &tmp).await.expect("it opens");
    assert!(s3.uploads() == 0 && is_empty(&tmp));
}

#[tokio::test]
async fn what_the_store_would_not_give_up_is_tried_again() {
    let (s3, tmp, blobs) = opened().await;
    let key = Key::from("some/where/sha256/aa/half");
    let id = blobs.shared.store.create_multipart(&key).await.expect("begun");
    std::fs::write(tmp.path().join("upload-1-1"), format!("{key}\n{id}\n")).expect("a note");
    std::fs::write(tmp.path().join("1-1"), "half a file").expect("a file");
    s3.fail(Fault::before("DELETE", "uploadId=upload", 403, "AccessDenied"));
    s3.fail(Fault::before("DELETE", "uploadId=upload", 403, "AccessDenied"));
    let again = open(&s3, &tmp).await.expect("it opens");
    assert!(tmp.path().join("upload-1-1").exists() && !tmp.path().join("1-1").exists(), "only the note is left");
    again.shared.give_up_uploads(Duration::from_secs(60)).await.expect("looked");
    assert_eq!(s3.uploads(), 1, "one that young may be under way");
    again.shared.give_up_uploads(Duration::ZERO).await.expect("looked");
    assert_eq!(s3.uploads(), 1, "refused a second time");
    again.shared.give_up_uploads(Duration::ZERO).await.expect("looked");
    assert!(s3.uploads() == 0 && is_empty(&tmp));
}

#[tokio::test]
async fn bytes_that_change_on_their_way_are_never_stored() {
    let (s3, tmp, blobs) = opened().await;
    for (of, length) in [("/sha256/", 10), ("partNumber=2", LARGE)] {
        s3.fail(Fault::damage("PUT", of));
        let refused = store(&blobs, length).await.expect_err(of);
        assert!(refused.to_string().contains("BadDigest"), "{of}: {refused}");
        assert!(is_empty(&tmp) && s3.keys().is_empty() && s3.uploads() == 0, "{of}: {:?}", s3.keys());
    }
}

#[tokio::test]
async fn of_a_store_without_checksums_at_least_the_length_is_compared() {
    let (s3, tmp) = (S3::start(), tempfile::tempdir().expect("a folder"));
    s3.refuse_checksums();
    let blobs = open(&s3, &tmp).await.expect("it opens");
    for (of, length) in [("/sha256/", 10), ("partNumber=3", LARGE)] {
        s3.fail(Fault::shorten("PUT", of));
        let refused = store(&blobs, length).await.expect_err(of);
        assert!(refused.to_string().contains("bytes of an object"), "{of}: {refused}");
        assert!(is_empty(&tmp) && s3.keys().is_empty(), "{of}: {:?}", s3.keys());
        store(&blobs, length).await.expect("a repetition is stored");
        s3.keys().iter().for_each(|key| s3.forget(key));
    }
}

#[tokio::test]
async fn a_bucket_that_cannot_be_used_is_refused_at_start() {
    let (s3, tmp) = (S3::start(), tempfile::tempdir().expect("a folder"));
    // With a checksum, and without.
    for _ in 0..2 {
        s3.fail(Fault::before("PUT", "selftest", 403, "AccessDenied"));
    }
    let refused = open(&s3, &tmp).await.expect_err("refused");
    assert!(refused.to_string().contains("AccessDenied"), "{refused}");
}
