//! The contract of documents.

use bytes::Bytes;
use jiff::Timestamp;

use crate::documents::{DocumentStore, KeptDocument, Owner};
use crate::repository::RepositoryId;
use crate::upstream::Validators;

/// What every store of documents promises.
///
/// # Panics
/// When it does not keep it.
pub async fn document_store(store: &dyn DocumentStore) {
    let (one, two) = (Owner::Repository(RepositoryId(1)), Owner::Authority("https://sum.example".to_owned()));
    let document = |body: &'static str, etag: Option<&str>| KeptDocument {
        body: Bytes::from_static(body.as_bytes()),
        validators: Validators { etag: etag.map(str::to_owned), last_modified: None },
        fetched_at: Timestamp::from_second(1_700_000_000).expect("a time"),
    };
    assert_eq!(store.recall(&one, "a/list").await.expect("an answer"), None, "nothing at first");
    for body in [document("v1\n", Some("\"x\"")), document("v1\nv2\n", None)] {
        store.keep(&one, "a/list", body.clone()).await.expect("kept");
        assert_eq!(store.recall(&one, "a/list").await.expect("an answer"), Some(body), "the last one is there");
    }
    assert_eq!(store.recall(&two, "a/list").await.expect("an answer"), None, "each owner has its own");
    for (old, new, done) in [
        (Some("y"), "x", false),
        (None, "x", true),
        (None, "y", false),
        (Some("y"), "z", false),
        (Some("x"), "y", true),
    ] {
        let replaced =
            store.replace(&two, "latest", old.map(str::as_bytes), Bytes::from(new)).await.expect("an answer");
        assert_eq!(replaced, done, "{old:?} by {new}");
    }
    let there = store.recall(&two, "latest").await.expect("an answer").expect("it");
    assert_eq!(there.body, "y");
    store.keep(&one, "b/list", document("", None)).await.expect("kept");
    store.forget(&one, Some("b/list")).await.expect("forgotten");
    assert!(store.recall(&one, "b/list").await.expect("an answer").is_none());
    assert!(store.recall(&one, "a/list").await.expect("an answer").is_some());
    store.forget(&one, None).await.expect("forgotten");
    assert!(store.recall(&one, "a/list").await.expect("an answer").is_none());
    assert!(store.recall(&two, "latest").await.expect("an answer").is_some(), "others' stay");
}
