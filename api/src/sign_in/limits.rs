//! How often somebody may be wrong.
//!
//! Leaky buckets by the monotonic clock: [`PER_LOGIN`] failures in [`PERIOD`] for a login from an address, and
//! [`PER_ADDRESS`] for an address; a bucket empties at that rate. An address is one of IPv4, or a /64 of IPv6,
//! which is what one customer has. An account is never locked: who fails from one place locks out nobody at
//! another, and an address from which a login has succeeded before is not held up by what others do there.
//!
//! Bounds: [`REMEMBERED`] buckets of each kind; the least used is forgotten first.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;

/// Failures of a login from one address.
pub const PER_LOGIN: u32 = 10;
/// Failures from one address.
pub const PER_ADDRESS: u32 = 100;
/// The time in which a full bucket empties.
pub const PERIOD: Duration = Duration::from_secs(15 * 60);
/// Buckets of one kind in memory.
pub const REMEMBERED: u64 = 100_000;

/// How long an address counts as a known one for a login.
const KNOWN: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Characters of a login that tell it from others; longer ones are nobody's.
const LOGIN_CHARACTERS: usize = 80;

type Buckets<K> = Cache<K, Arc<Mutex<Bucket>>>;
type Pair = (String, IpAddr);

/// The counts.
pub struct Limits {
    pairs: Buckets<Pair>,
    addresses: Buckets<IpAddr>,
    known: Cache<Pair, ()>,
}

/// An attempt that was counted.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    pair: Pair,
    /// How many more failures of the login from there are not held up.
    pub left: u32,
}

/// A leaky bucket: so many failures not yet forgotten, and since when.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    level: f64,
    at: Instant,
}

impl Bucket {
    /// Counts one more and says how many more fit, or how long to wait until one more does.
    fn fill(&mut self, capacity: u32, now: Instant) -> Result<u32, Duration> {
        let (capacity, leaks) = (f64::from(capacity), f64::from(capacity) / PERIOD.as_secs_f64());
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        let level = (self.level - passed * leaks).max(0.0);
        if level + 1.0 > capacity {
            return Err(Duration::from_secs_f64((level + 1.0 - capacity) / leaks));
        }
        *self = Self { level: level + 1.0, at: now };
        Ok((capacity - self.level) as u32)
    }

    /// Takes one back.
    fn refund(&mut self) {
        self.level = (self.level - 1.0).max(0.0);
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

impl Limits {
    /// Nobody has failed yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            pairs: Cache::builder().max_capacity(REMEMBERED).time_to_idle(PERIOD).build(),
            addresses: Cache::builder().max_capacity(REMEMBERED).time_to_idle(PERIOD).build(),
            known: Cache::builder().max_capacity(REMEMBERED).time_to_live(KNOWN).build(),
        }
    }

    /// Counts an attempt as failed until it [succeeds](Self::succeeded).
    ///
    /// # Errors
    /// How long to wait; the attempt was not counted then.
    pub fn attempt(&self, login: &str, from: Option<IpAddr>, now: Instant) -> Result<Attempt, Duration> {
        let address = network(from);
        let pair = (login.chars().take(LOGIN_CHARACTERS).collect(), address);
        let left = with(&self.pairs, &pair, now, |bucket| bucket.fill(PER_LOGIN, now))?;
        let by_address = with(&self.addresses, &address, now, |bucket| bucket.fill(PER_ADDRESS, now));
        match by_address {
            Err(wait) if !self.known.contains_key(&pair) => {
                with(&self.pairs, &pair, now, Bucket::refund);
                Err(wait)
            }
            _ => Ok(Attempt { pair, left }),
        }
    }

    /// Takes a counted attempt back: it was the right password.
    pub fn succeeded(&self, Attempt { pair, .. }: Attempt) {
        let now = Instant::now();
        with(&self.pairs, &pair, now, Bucket::refund);
        with(&self.addresses, &pair.1, now, Bucket::refund);
        self.known.insert(pair, ());
    }
}

fn with<K, T>(buckets: &Buckets<K>, key: &K, now: Instant, act: impl FnOnce(&mut Bucket) -> T) -> T
where
    K: std::hash::Hash + Eq + Clone + Send + Sync + 'static,
{
    let bucket = buckets.get_with_by_ref(key, || Arc::new(Mutex::new(Bucket { level: 0.0, at: now })));
    let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
    act(&mut bucket)
}

/// What stands for one caller: an address of IPv4, a /64 of IPv6.
fn network(address: Option<IpAddr>) -> IpAddr {
    match address {
        None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Some(IpAddr::V4(address)) => IpAddr::V4(address),
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: &str = "ann";

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn a_login_fails_ten_times_from_an_address_and_nobody_else_is_held_up() {
        let (limits, now, here) = (Limits::new(), Instant::now(), address("192.0.2.7"));
        for left in (0..PER_LOGIN).rev() {
            assert_eq!(limits.attempt(LOGIN, here, now).map(|attempt| attempt.left), Ok(left));
        }
        let wait = limits.attempt(LOGIN, here, now).expect_err("too many");
        assert!(wait <= PERIOD / PER_LOGIN, "{wait:?}");
        assert!(limits.attempt(LOGIN, address("192.0.2.8"), now).is_ok(), "another address");
        assert!(limits.attempt("bob", here, now).is_ok(), "another login");
        assert!(limits.attempt(LOGIN, here, now + wait + Duration::from_millis(1)).is_ok(), "after the wait");
        assert!(limits.attempt(LOGIN, here, now + wait).is_err(), "one only");
    }

    #[test]
    fn an_address_fails_a_hundred_times_and_those_known_there_get_in() {
        let (limits, now) = (Limits::new(), Instant::now());
        let (here, neighbour) = (address("2001:db8::1"), address("2001:db8::2"));
        let known = limits.attempt("known", here, now).expect("the first");
        limits.succeeded(known);
        for number in 0..PER_ADDRESS {
            assert!(limits.attempt(&format!("user{number}"), here, now).is_ok(), "{number}");
        }
        assert!(limits.attempt(LOGIN, neighbour, now).is_err(), "one customer");
        assert!(limits.attempt("known", neighbour, now).is_ok(), "was here before");
        assert!(limits.attempt(LOGIN, address("2001:db8:0:1::1"), now).is_ok(), "another customer");
    }

    #[test]
    fn success_costs_nothing() {
        let (limits, now, here) = (Limits::new(), Instant::now(), address("192.0.2.7"));
        for _ in 0..3 * PER_ADDRESS {
            let attempt = limits.attempt(LOGIN, here, now).expect("one");
            limits.succeeded(attempt);
        }
    }
}
