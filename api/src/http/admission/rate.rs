//! How many requests one credential may send: as many a second as configured in the long run, and those of one second
//! at once.
//!
//! Bounds: [`REMEMBERED`] credentials; one that was silent for [`FORGOTTEN`] begins anew, with what it would have by then.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keeper_core::access::Principal;
use keeper_core::error::{Failure, codes};
use moka::sync::Cache;
use tokio::time::Instant;

use super::Credential;

const REMEMBERED: u64 = 100_000;
const FORGOTTEN: Duration = Duration::from_secs(60);

/// Counts requests.
pub struct Rates {
    /// Requests in a second; `None` counts nothing.
    per_second: Option<usize>,
    buckets: Cache<Credential, Arc<Mutex<Bucket>>>,
}

/// What a credential may still send at once.
struct Bucket {
    left: f64,
    at: Instant,
}

impl Rates {
    /// So many in a second for each.
    #[must_use]
    pub fn new(per_second: Option<usize>) -> Self {
        let buckets = Cache::builder().max_capacity(REMEMBERED).time_to_idle(FORGOTTEN).build();
        Self { per_second, buckets }
    }

    /// Counts a request; strangers are not counted.
    ///
    /// # Errors
    /// `rate_limited`, with the time until there is room for the next one.
    pub fn count(&self, who: &Principal) -> Result<(), Failure> {
        let (Some(rate), Principal::User(user)) = (self.per_second, who) else { return Ok(()) };
        let (now, room) = (Instant::now(), rate as f64);
        let full = || Arc::new(Mutex::new(Bucket { left: room, at: now }));
        let bucket = self.buckets.get_with(Credential::of(who), full);
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.left = (bucket.left + since * room).min(room);
        bucket.at = now;
        if bucket.left < 1.0 {
            let detail = format!("{} sent more than {rate} requests in a second", user.credential);
            // There is room again within a second, and a header has no smaller unit.
            return Err(Failure::new(&codes::RATE_LIMITED, detail).retry_after(1));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}
