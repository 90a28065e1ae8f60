//! The promises of [`JobStore`].

use jiff::Timestamp;

use crate::jobs::{JobRecord, JobStore};

/// The promises of a store of jobs that is empty when it is given.
///
/// # Panics
/// When one is broken.
pub async fn job_store(jobs: &dyn JobStore) {
    let at = |second| Timestamp::from_second(second).expect("a time");
    assert!(jobs.jobs().await.expect("jobs").is_empty(), "nothing has run");
    let begin = |holder: &'static str, now: i64| async move {
        jobs.begin("sweep", holder, at(now), at(now + 60)).await.expect("an answer")
    };
    assert!(begin("one", 0).await, "a free job can be taken");
    assert!(!begin("other", 59).await, "a job runs in one place at a time");
    assert!(begin("other", 60).await, "a lease ends by itself");
    assert!(!jobs.extend("sweep", "one", at(200)).await.expect("an answer"), "who lost it cannot extend it");
    assert!(jobs.extend("sweep", "other", at(200)).await.expect("an answer"), "its holder can");
    jobs.end("sweep", "one", at(100), Ok("too late".to_owned())).await.expect("ended");
    assert!(!begin("one", 199).await, "who lost it cannot give it back");
    jobs.end("sweep", "other", at(101), Err("the disk is gone".to_owned())).await.expect("ended");
    let expected = JobRecord {
        name: "sweep".to_owned(),
        lease_until: None,
        began_at: Some(at(60)),
        ended_at: Some(at(101)),
        failed: true,
        outcome: "the disk is gone".to_owned(),
    };
    assert_eq!(jobs.jobs().await.expect("jobs"), [expected], "what is known of it");
    assert!(begin("one", 102).await, "what was given back can be taken");
    jobs.end("sweep", "one", at(103), Ok("fine".to_owned())).await.expect("ended");
    assert!(jobs.begin("another", "one", at(0), at(1)).await.expect("an answer"), "jobs do not wait for each other");
    let names: Vec<_> = jobs.jobs().await.expect("jobs").into_iter().map(|job| job.name).collect();
    assert_eq!(names, ["another", "sweep"], "by name");
}
