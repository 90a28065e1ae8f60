//! The collector of blobs: removes bytes that no version needs any more, while everything goes on.
//!
//! Shape of a run:
//!
//! ```text
//! mark     recorded blobs that no file names, older than the grace        ┐
//! walk     stored copies that no row names: by their own time and by an   ├ counted; too many: stop
//!          earlier walk older than the grace                              ┘
//! discard  row → trash, 500 in a transaction, the condition asked again
//! unlink   copies in the trash whose delay is over, so many a second
//! ```
//!
//! A crash anywhere leaves what the next run finds. A run that would remove a suspicious part of everything
//! removes nothing until somebody confirms it: a fault elsewhere must not empty the store.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::blob::BlobInfo;
use crate::error::Failure;
use crate::failpoint;
use crate::ledger::{BlobLedger, Stranger, WalkableBlobs};
use crate::limits::{COLLECTOR_BATCH, COLLECTOR_CANDIDATES, COLLECTOR_UNSUSPICIOUS, COLLECTOR_WINDOW};

/// How careful the collector is.
#[derive(Debug, Clone, Copy)]
pub struct CollectorPolicy {
    /// Nothing younger is removed.
    pub grace: Duration,
    /// Time between the end of a row and that of its bytes: downloads under way finish.
    pub unlink_delay: Duration,
    /// A larger part of all blobs or bytes is suspicious.
    pub max_percent: u8,
    /// Copies removed in a second at most.
    pub unlinks_per_second: u32,
}

/// What a run may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only say what would go.
    DryRun,
    /// Remove, but nothing when that is suspiciously much.
    Careful,
    /// Remove: somebody has looked at the numbers.
    Confirmed,
}

/// Copies and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many.
    pub blobs: u64,
    /// How large together.
    pub bytes: u64,
}

impl Tally {
    fn add(&mut self, blob: &BlobInfo) {
        self.blobs += 1;
        self.bytes += blob.size;
    }

    /// Whether this is more than so many hundredths of the whole.
    fn exceeds(self, percent: u8, whole: Self) -> bool {
        let more = |part: u64, whole: u64| u128::from(part) * 100 > u128::from(whole) * u128::from(percent);
        more(self.blobs, whole.blobs) || more(self.bytes, whole.bytes)
    }
}

impl FromIterator<BlobInfo> for Tally {
    fn from_iter<T: IntoIterator<Item = BlobInfo>>(blobs: T) -> Self {
        blobs.into_iter().fold(Self::default(), |mut tally, blob| {
            tally.add(&blob);
            tally
        })
    }
}

/// What a run has found and done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// Everything that is stored.
    pub stored: Tally,
    /// Recorded blobs that no version needs and whose grace is over.
    pub unreferenced: Tally,
    /// Stored copies that no row names and whose grace is over.
    pub orphans: Tally,
    /// What would have been one of both, but is too young.
    pub waiting: Tally,
    /// Put into the trash by this run.
    pub discarded: Tally,
    /// Removed from the store by this run.
    pub unlinked: Tally,
    /// In the trash, to be removed by a later run.
    pub in_trash: Tally,
    /// Whether it stopped because it would have removed suspiciously much.
    pub suspicious: bool,
}

/// The collector. One run at a time: its owner sees to that.
pub struct Collector {
    ledger: Arc<dyn BlobLedger>,
    blobs: Arc<dyn WalkableBlobs>,
    policy: CollectorPolicy,
    /// How much of either kind one run takes.
    candidates: usize,
}

/// Is told how far a run is, and says whether it shall go on.
pub type GoesOn<'a> = &'a (dyn Fn(&Collected) -> bool + Send + Sync);

impl Collector {
    /// A collector of these blobs.
    #[must_use]
    pub fn new(ledger: Arc<dyn BlobLedger>, blobs: Arc<dyn WalkableBlobs>, policy: CollectorPolicy) -> Self {
        Self { ledger, blobs, policy, candidates: COLLECTOR_CANDIDATES }
    }

    /// One run.
    ///
    /// # Errors
    /// Trouble of the storage; what was done until then stays done, the next run goes on.
    pub async fn run(&self, mode: Mode, goes_on: GoesOn<'_>) -> Result<Collected, Failure> {
        let mut seen = Collected::default();
        failpoint!("F30");
        let mut waste = self.mark(&mut seen, goes_on).await?;
        waste.extend(self.walk(mode, &mut seen, goes_on).await?);
        seen.suspicious = self.is_suspicious(&seen);
        if seen.suspicious && mode == Mode::Careful {
            return Ok(seen);
        }
        if mode != Mode::DryRun {
            self.discard(&waste, &mut seen, goes_on).await?;
            self.unlink(&mut seen, goes_on).await?;
        }
        seen.in_trash = self.in_trash().await?;
        Ok(seen)
    }

    /// Recorded blobs that no file names.
    async fn mark(&self, seen: &mut Collected, goes_on: GoesOn<'_>) -> Result<Vec<BlobInfo>, Failure> {
        let before = ago(self.policy.grace);
        let (mut waste, mut after) = (Vec::new(), None);
        loop {
            let window = self.ledger.entries(after, COLLECTOR_WINDOW).await?;
            let Some(last) = window.last() else { return Ok(waste) };
            after = Some(last.blob.location.digest());
            for entry in window {
                seen.stored.add(&entry.blob);
                if entry.referenced {
                    continue;
                }
                if entry.recorded_at > before {
                    seen.waiting.add(&entry.blob);
                    continue;
                }
                // All count, also those that are left to the next run: by them it is judged whether it is too much.
                seen.unreferenced.add(&entry.blob);
                if waste.len() < self.candidates {
                    waste.push(entry.blob);
                }
            }
            if !goes_on(seen) {
                return Ok(waste);
            }
        }
    }

    /// Stored copies that no row names. Two clocks must agree that one is old: that of the storage, and the
    /// row that an earlier walk has left; one jump of a clock removes nothing.
    async fn walk(&self, mode: Mode, seen: &mut Collected, goes_on: GoesOn<'_>) -> Result<Vec<BlobInfo>, Failure> {
        let before = ago(self.policy.grace);
        let mut waste = Vec::new();
        for shelf in 0..=u8::MAX {
            failpoint!("F33");
            // The shelf first, its rows then: what is published in between has a row.
            let stored = self.blobs.shelf(shelf).await?;
            let seen_at = (mode != Mode::DryRun).then(Timestamp::now);
            for Stranger { copy, first_seen_at } in self.ledger.strangers(shelf, stored, seen_at).await? {
                seen.stored.add(&copy.blob);
                let is_old = copy.modified_at <= before && first_seen_at.is_some_and(|at| at <= before);
                if !is_old {
                    seen.waiting.add(&copy.blob);
                    continue;
                }
                seen.orphans.add(&copy.blob);
                if waste.len() < self.candidates {
                    waste.push(copy.blob);
                }
            }
            if !goes_on(seen) {
                break;
            }
        }
        Ok(waste)
    }

    fn is_suspicious(&self, seen: &Collected) -> bool {
        let waste = Tally {
            blobs: seen.unreferenced.blobs + seen.orphans.blobs,
            bytes: seen.unreferenced.bytes + seen.orphans.bytes,
        };
        waste.blobs > COLLECTOR_UNSUSPICIOUS && waste.exceeds(self.policy.max_percent, seen.stored)
    }

    async fn discard(&self, waste: &[BlobInfo], seen: &mut Collected, goes_on: GoesOn<'_>) -> Result<(), Failure> {
        for batch in waste.chunks(COLLECTOR_BATCH as usize) {
            if !goes_on(seen) {
                break;
            }
            let unlink_after = Timestamp::now().saturating_add(self.policy.unlink_delay).unwrap_or(Timestamp::MAX);
            for blob in self.ledger.discard(batch, unlink_after).await? {
                seen.discarded.add(&blob);
            }
        }
        Ok(())
    }

    /// A copy that cannot be removed stays in the trash for the next run.
    async fn unlink(&self, seen: &mut Collected, goes_on: GoesOn<'_>) -> Result<(), Failure> {
        let pause = Duration::from_secs(1) / self.policy.unlinks_per_second.max(1);
        let (now, mut after) = (Timestamp::now(), None);
        loop {
            let due = self.ledger.trash(now, after.as_ref(), COLLECTOR_BATCH).await?;
            let Some(last) = due.last() else { return Ok(()) };
            after = Some(last.location.clone());
            let mut gone = Vec::with_capacity(due.len());
            let mut stops = false;
            for blob in due {
                stops = !goes_on(seen);
                if stops {
                    break;
                }
                failpoint!("F32");
                match self.blobs.delete(&blob.location).await {
                    Ok(_) => {
                        seen.unlinked.add(&blob);
                        gone.push(blob.location);
                    }
                    Err(error) => tracing::warn!(%error, blob = blob.location.as_str(), "a blob could not be removed"),
                }
                tokio::time::sleep(pause).await;
            }
            self.ledger.forget(&gone, Timestamp::now()).await?;
            if stops {
                return Ok(());
            }
        }
    }

    async fn in_trash(&self) -> Result<Tally, Failure> {
        let (mut tally, mut after) = (Tally::default(), None);
        loop {
            let page = self.ledger.trash(Timestamp::MAX, after.as_ref(), COLLECTOR_WINDOW).await?;
            let Some(last) = page.last() else { return Ok(tally) };
            after = Some(last.location.clone());
            page.iter().for_each(|blob| tally.add(blob));
        }
    }
}

fn ago(duration: Duration) -> Timestamp {
    Timestamp::now().saturating_sub(duration).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests;
