//! The scrubber: reads stored bytes again in the background, those first that were not looked at for the longest time,
//! and tells what has rotted. It never removes or changes anything.
//!
//! Units and bounds: [`SCRUBBED_EACH`] between two looks at a blob, [`BROKEN_EACH`] at one that was broken; no more
//! bytes in a second than the rate it is given; [`WINDOW`] blobs are asked for at once, and what was found is written
//! down at least each [`NOTED_EACH`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::artifact::StoreError;
use crate::blob::BlobInfo;
use crate::error::Failure;
use crate::integrity::{Breath, Judge, Judged, Pace};

/// No blob is read again before this.
pub const SCRUBBED_EACH: SignedDuration = SignedDuration::from_hours(7 * 24);
/// One that was broken is looked at again so soon: somebody may have mended it.
const BROKEN_EACH: SignedDuration = SignedDuration::from_mins(5);
/// Blobs that are asked for at once.
const WINDOW: u32 = 100;
/// What was found is written down at least this often.
const NOTED_EACH: Duration = Duration::from_secs(30);

/// What a look at a blob came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The copy that was looked at.
    pub blob: BlobInfo,
    /// The code of its fault, and what is wrong; `None` when it is what its row says.
    pub fault: Option<(&'static str, String)>,
    /// When it counts as looked at.
    pub at: Timestamp,
}

impl Checked {
    /// A copy that was found broken at this time. It is looked at again soon.
    #[must_use]
    pub fn broken(blob: BlobInfo, code: &'static str, detail: String, now: Timestamp) -> Self {
        let at = now.saturating_sub(SCRUBBED_EACH - BROKEN_EACH).unwrap_or(Timestamp::MIN);
        Self { blob, fault: Some((code, detail)), at }
    }

    /// A copy that was found to be what its row says, at this time.
    #[must_use]
    pub fn fine(blob: BlobInfo, now: Timestamp) -> Self {
        Self { blob, fault: None, at: now }
    }
}

/// A blob that was found broken, and is still the live copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenBlob {
    /// Its copy.
    pub blob: BlobInfo,
    /// `blob_missing` or `blob_corrupt`.
    pub code: String,
    /// What is wrong.
    pub detail: String,
    /// When that was found first.
    pub found_at: Timestamp,
}

/// Remembers when each blob was looked at last, and which were found broken.
#[async_trait]
pub trait CheckBook: Send + Sync {
    /// Live copies that were not looked at since `before`, in the order of their last look, at most so many.
    async fn due(&self, before: Timestamp, limit: u32) -> Result<Vec<BlobInfo>, StoreError>;

    /// Writes down what was found at this time; a copy that is not the live one any more is left out. Gives the copies
    /// whose fault is new, which the same transaction told the audit.
    async fn note(&self, checked: Vec<Checked>, at: Timestamp) -> Result<Vec<BlobInfo>, StoreError>;

    /// How many are broken, and the first of them in the order in which they were found, at most so many.
    async fn broken(&self, limit: u32) -> Result<(u64, Vec<BrokenBlob>), StoreError>;
}

/// What a run has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Blobs read.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Faults that nobody knew of.
    pub found: u64,
}

/// Reads blobs again.
pub struct Scrubber {
    /// What was looked at when.
    pub book: Arc<dyn CheckBook>,
    /// Looks at them.
    pub judge: Judge,
    /// Bytes in a second.
    pub rate: u64,
}

impl Scrubber {
    /// Reads all that is due.
    ///
    /// # Errors
    /// Trouble of the database or the storage. What was found before it is written down.
    pub async fn run(&self, breath: &dyn Breath) -> Result<Scrubbed, Failure> {
        let mut run = Run { of: self, done: Scrubbed::default(), checked: Vec::new(), noted: Instant::now() };
        let mut pace = Pace::new(self.rate);
        loop {
            let before = Timestamp::now().saturating_sub(SCRUBBED_EACH).unwrap_or(Timestamp::MIN);
            let due = self.book.due(before, WINDOW).await?;
            if due.is_empty() {
                return Ok(run.done);
            }
            for blob in due {
                let judged = self.judge.judge(&blob, false, &mut pace, breath).await;
                let fault = match judged {
                    Ok(Judged::Fine) => None,
                    Ok(Judged::Broken(code, reason)) => Some((code, reason)),
                    Ok(Judged::Stopped) => return run.end().await,
                    Err(error) => {
                        run.note().await?;
                        return Err(error);
                    }
                };
                run.take(blob, fault).await?;
                if !breath.goes_on().await {
                    return run.end().await;
                }
            }
            run.note().await?;
        }
    }
}

/// The log is told of a copy whose fault is new.
pub fn tell_of(blob: &BlobInfo) {
    tracing::error!(
        event = "integrity_finding",
        blob.digest = %blob.location.digest(),
        "a stored file is damaged or missing; 'artifact-keeper verify' tells more"
    );
}

struct Run<'a> {
    of: &'a Scrubber,
    done: Scrubbed,
    checked: Vec<Checked>,
    noted: Instant,
}

impl Run<'_> {
    async fn take(&mut self, blob: BlobInfo, fault: Option<(&'static str, String)>) -> Result<(), Failure> {
        self.done.blobs += 1;
        self.done.bytes += blob.size;
        let at_once = fault.is_some() || self.noted.elapsed() >= NOTED_EACH;
        let now = Timestamp::now();
        self.checked.push(match fault {
            Some((code, detail)) => Checked::broken(blob, code, detail, now),
            None => Checked::fine(blob, now),
        });
        if at_once { self.note().await } else { Ok(()) }
    }

    async fn note(&mut self) -> Result<(), Failure> {
        let checked = std::mem::take(&mut self.checked);
        self.noted = Instant::now();
        if checked.is_empty() {
            return Ok(());
        }
        for blob in self.of.book.note(checked, Timestamp::now()).await? {
            self.done.found += 1;
            tell_of(&blob);
        }
        Ok(())
    }

    async fn end(mut self) -> Result<Scrubbed, Failure> {
        self.note().await?;
        Ok(self.done)
    }
}
