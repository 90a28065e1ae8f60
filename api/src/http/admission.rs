//! What is let in: how many uploads at once, how slowly a body may come, how many requests in a second.
//!
//! An upload needs a turn, one of all and one of its credential, and room on the disk for its bytes. They are taken at once
//! or none: who waits holds nothing, so nobody can wait for each other.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use keeper_core::access::{Means, Principal};
use keeper_core::error::{Failure, codes};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::shared_body::SharedBody;
use crate::blobs::guard::Guard;
use crate::server::body::Pace;

mod rate;

pub use rate::Rates;

/// Uploads that wait for their turn at most.
const WAITING: usize = 64;
/// How long one waits.
const WAIT: Duration = Duration::from_secs(10);
/// When those who were sent away shall come again: not all at once.
const AGAIN_SECONDS: std::ops::RangeInclusive<u32> = 2..=10;

/// Bounds of uploads.
pub struct Admission {
    at_once: usize,
    of_each: usize,
    turns: Arc<Turns>,
    waiting: AtomicUsize,
    stopping: CancellationToken,
    storage: Arc<Guard>,
    /// Bytes of one upload at most, over all formats.
    pub max_upload_bytes: u64,
    /// The slowest body that is taken.
    pub pace: Pace,
}

/// How many uploads there may be.
#[derive(Debug, Clone, Copy)]
pub struct UploadBounds {
    /// At once.
    pub at_once: usize,
    /// At once with one credential.
    pub of_each: usize,
    /// Bytes of one, over all formats.
    pub bytes: u64,
}

#[derive(Default)]
struct Turns {
    taken: Mutex<Taken>,
    given_back: Notify,
}

#[derive(Default)]
struct Taken {
    all: usize,
    /// Under receipt.
    bytes: u64,
    by: HashMap<Credential, usize>,
}

impl Turns {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What requests are counted by; strangers are one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Credential(String);

impl Credential {
    fn of(who: &Principal) -> Self {
        Self(match who {
            Principal::Anonymous => String::new(),
            Principal::User(user) => match user.means {
                Means::Token(id) => format!("token {id:?}"),
                Means::Session(id) => format!("session {id:?}"),
            },
        })
    }
}

/// A turn to upload; given back when dropped.
pub struct Turn {
    turns: Arc<Turns>,
    of: Credential,
    bytes: u64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut taken = self.turns.taken();
        taken.all = taken.all.saturating_sub(1);
        taken.bytes = taken.bytes.saturating_sub(self.bytes);
        if let Some(own) = taken.by.get_mut(&self.of) {
            *own -= 1;
            if *own == 0 {
                taken.by.remove(&self.of);
            }
        }
        drop(taken);
        self.turns.given_back.notify_waiters();
    }
}

impl Admission {
    /// Lets in so much, while that guard lets anything be written.
    #[must_use]
    pub fn new(bounds: UploadBounds, pace: Pace, storage: Arc<Guard>) -> Self {
        Self {
            at_once: bounds.at_once,
            of_each: bounds.of_each,
            turns: Arc::default(),
            waiting: AtomicUsize::new(0),
            stopping: CancellationToken::new(),
            storage,
            max_upload_bytes: bounds.bytes,
            pace,
        }
    }

    /// Uploads that have their turn, and those that wait for one.
    #[must_use]
    pub fn under_way(&self) -> (usize, usize) {
        (self.turns.taken().all, self.waiting.load(Ordering::Relaxed))
    }

    /// From now on no upload begins; those that wait are told. Other requests are answered, on connections that are closed
    /// then: to refuse them would make a restart fail who is served in a moment.
    pub fn close(&self) {
        self.stopping.cancel();
    }

    /// A turn to upload so many bytes; held until the upload has been answered.
    ///
    /// # Errors
    /// `disk_full` and `storage_read_only` while nothing can be written, or not so much; `overloaded` when too many wait
    /// already, or the wait was too long; `shutting_down` when the server is to stop.
    pub async fn turn(&self, who: &Principal, bytes: u64) -> Result<Turn, Failure> {
        self.storage.check()?;
        if bytes > self.storage.room().above_reserve {
            let detail = format!("there is no room on the disk for {bytes} bytes");
            return Err(Failure::new(&codes::DISK_FULL, detail).retry_after(60));
        }
        let of = Credential::of(who);
        if self.stopping.is_cancelled() {
            return Err(shutting_down());
        }
        if let Some(turn) = self.take(&of, bytes) {
            return Ok(turn);
        }
        let _place = Place::take(&self.waiting).ok_or_else(|| self.overloaded(&of))?;
        let end = Instant::now() + WAIT;
        loop {
            let mut given_back = std::pin::pin!(self.turns.given_back.notified());
            // From here on no turn is given back unheard.
            given_back.as_mut().enable();
            if let Some(turn) = self.take(&of, bytes) {
                return Ok(turn);
            }
            tokio::select! {
                () = given_back => {}
                () = self.stopping.cancelled() => return Err(shutting_down()),
                () = tokio::time::sleep_until(end) => return Err(self.overloaded(&of)),
            }
        }
    }

    /// The same for a request whose body nobody has begun to read: one that is refused is read on for a moment, so that
    /// its client gets to the answer.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub(super) async fn turn_for(
        &self,
        who: &Principal,
        bytes: u64,
        headers: &HeaderMap,
        body: &SharedBody,
    ) -> Result<Turn, Failure> {
        let turn = self.turn(who, bytes).await;
        if turn.is_err() {
            body.clone().linger_unless_awaited(headers).await;
        }
        turn
    }

    fn take(&self, of: &Credential, bytes: u64) -> Option<Turn> {
        let room = self.storage.room();
        let mut taken = self.turns.taken();
        let own = taken.by.get(of).copied().unwrap_or_default();
        // Strangers are many, and not one for whom eight are enough.
        let is_bound = *of != Credential(String::new());
        if taken.all >= self.at_once || (is_bound && own >= self.of_each) {
            return None;
        }
        // One alone may be of any size that the disk has room for.
        let together = taken.bytes.saturating_add(bytes);
        if taken.all > 0 && together > room.receiving.min(room.above_reserve) {
            return None;
        }
        taken.all += 1;
        taken.bytes = together;
        taken.by.insert(of.clone(), own + 1);
        Some(Turn { turns: self.turns.clone(), of: of.clone(), bytes })
    }

    fn overloaded(&self, of: &Credential) -> Failure {
        let taken = self.turns.taken();
        let (own, all) = (taken.by.get(of).copied().unwrap_or_default(), taken.all);
        drop(taken);
        let detail = if own >= self.of_each {
            format!("{own} uploads with this credential are under way, which is as many as may be at once")
        } else if all >= self.at_once {
            format!("{all} uploads are under way, which is as many as may be at once")
        } else {
            format!("{all} uploads are under way, with as many bytes as may be received at once")
        };
        Failure::new(&codes::OVERLOADED, detail).retry_after(some_seconds())
    }
}

fn shutting_down() -> Failure {
    Failure::new(&codes::SHUTTING_DOWN, "the server is to stop and takes no new upload").retry_after(some_seconds())
}

/// A number of [`AGAIN_SECONDS`], another one each time.
fn some_seconds() -> u32 {
    let mut chance = [0];
    // Without chance all are told the same, which is no worse than it was.
    let _told_the_same = getrandom::fill(&mut chance);
    let (first, last) = AGAIN_SECONDS.into_inner();
    first + u32::from(chance[0]) % (last - first + 1)
}

/// A place in the queue; given back when dropped, also when the client goes away.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        let taken = waiting.fetch_add(1, Ordering::Relaxed);
        let place = Self(waiting);
        (taken < WAITING).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
