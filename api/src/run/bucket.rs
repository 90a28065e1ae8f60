//! Why a bucket cannot be used, in words for the person who starts the program.
//!
//! | the store says | exit code |
//! |---|---|
//! | `NoSuchBucket`, or nothing | 1: it may come |
//! | 403: not this key, not this secret, not this right | 2 |
//! | the bucket is in another region; the clocks differ | 2 |

use jiff::Timestamp;
use keeper_core::blob::BlobError;

use super::StartError;
use crate::cli::Exit;
use crate::config::Bucket;

/// Puts what a store said into words.
pub(super) fn unusable(bucket: &Bucket, error: BlobError) -> StartError {
    let cause = error.to_string();
    let says = |code: &str| cause.contains(code);
    let (what, exit) = if says("RequestTimeTooSkewed") {
        (skewed(&cause, Timestamp::now()), Exit::Usage)
    } else if says("NoSuchBucket") {
        let what = format!("there is no bucket {}: make it, or correct storage_url (KEEPER_STORAGE_URL)", bucket.name);
        (what, Exit::Failed)
    } else if says("AuthorizationHeaderMalformed") || says("PermanentRedirect") || says("IllegalLocationConstraint") {
        let region = bucket.region.as_deref().unwrap_or("us-east-1");
        let what =
            format!("the bucket {} is not in the region {region}: correct s3_region (KEEPER_S3_REGION)", bucket.name);
        (what, Exit::Usage)
    } else if DENIED.iter().any(|code| says(code)) {
        let what = format!(
            "the store refuses the credentials for the bucket {}, or what they are used for: look at AWS_ACCESS_KEY_ID \
             and AWS_SECRET_ACCESS_KEY; they need the right to get, put, list and delete objects in it",
            bucket.name
        );
        (what, Exit::Usage)
    } else {
        return StartError::Blobs(error);
    };
    StartError::Bucket { what, cause, exit }
}

const DENIED: [&str; 4] = ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403 Forbidden"];

/// How far the clocks are apart, if the store says what time it has.
fn skewed(cause: &str, now: Timestamp) -> String {
    let between = |from: &str, to: &str| cause.split_once(from).and_then(|(_, rest)| Some(rest.split_once(to)?.0));
    let theirs = between("<ServerTime>", "</ServerTime>").and_then(|text| text.parse::<Timestamp>().ok());
    let apart = theirs.map(|theirs| now.as_second() - theirs.as_second());
    let how = match apart {
        Some(seconds @ 0..) => format!("is {seconds} s ahead of"),
        Some(seconds) => format!("is {} s behind", seconds.unsigned_abs()),
        None => "differs from".to_owned(),
    };
    format!("this machine's clock {how} that of the store: set it, and keep it with a time service")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_wrong_is_wrong_by_seconds() {
        let now = "2026-11-30T10:00:00Z".parse().expect("a time");
        for (theirs, says) in [("2026-11-30T09:59:00Z", "60 s ahead of"), ("2026-11-30T10:20:00Z", "1200 s behind")] {
            let cause = format!("<Code>RequestTimeTooSkewed</Code><ServerTime>{theirs}</ServerTime>");
            assert!(skewed(&cause, now).contains(says), "{}", skewed(&cause, now));
        }
        assert!(skewed("RequestTimeTooSkewed", now).contains("differs from"));
    }
}
