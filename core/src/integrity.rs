//! Whether stored bytes are what their row says: asked by a verification for everything, and in the background for what
//! was not looked at for the longest time.
//!
//! Bytes are read in constant memory and no faster than they may be. What changed meanwhile is looked at again before it
//! is called a fault.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};

use crate::artifact::ArtifactStore;
use crate::blob::{BlobError, BlobInfo, BlobStore, ByteRange, ByteStream};
use crate::digest::Digest;
use crate::error::Failure;
use crate::ledger::WalkableBlobs;

/// Between two signs of life while bytes are read slowly.
const BREATH: Duration = Duration::from_secs(1);

/// What became of a look at a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// It is what its row says, or it is the live copy no more.
    Fine,
    /// It is not: the code of the fault, and what is wrong.
    Broken(&'static str, String),
    /// It was not read to its end, for nobody wants to know any more.
    Stopped,
}

/// Says whether somebody still wants to know.
#[async_trait]
pub trait Breath: Send + Sync {
    /// Asked at least each second.
    async fn goes_on(&self) -> bool;
}

/// Holds reading back to a rate.
#[derive(Debug)]
pub struct Pace {
    /// Bytes in a second; 0 does not hold back.
    rate: u64,
    since: Instant,
    bytes: u64,
}

impl Pace {
    /// At most so many bytes in a second; 0 is as many as there are.
    #[must_use]
    pub fn new(rate: u64) -> Self {
        Self { rate, since: Instant::now(), bytes: 0 }
    }

    /// How long to wait after so many further bytes.
    fn after(&mut self, bytes: u64) -> Duration {
        if self.rate == 0 {
            return Duration::ZERO;
        }
        self.bytes += bytes;
        let due = Duration::from_secs_f64(self.bytes as f64 / self.rate as f64);
        let wait = due.saturating_sub(self.since.elapsed());
        if wait.is_zero() && self.since.elapsed() > due + BREATH {
            // Time in which nothing was read is not made up for.
            (self.since, self.bytes) = (Instant::now(), 0);
        }
        wait
    }
}

/// Judges blobs.
#[derive(Clone)]
pub struct Judge {
    /// Their bytes.
    pub blobs: Arc<dyn WalkableBlobs>,
    /// Says which copies are live.
    pub artifacts: Arc<dyn ArtifactStore>,
}

impl Judge {
    /// Looks at a blob; `quick` believes its bytes.
    ///
    /// # Errors
    /// Trouble that says nothing about the blob.
    pub async fn judge(
        &self,
        blob: &BlobInfo,
        quick: bool,
        pace: &mut Pace,
        breath: &dyn Breath,
    ) -> Result<Judged, Failure> {
        let range = quick.then(|| ByteRange { start: 0, end: blob.size.min(1) });
        let found = match self.blobs.open(blob, range).await {
            // Opening it looks at its length; nothing else is read.
            Ok(_) if quick => Ok(Judged::Fine),
            Ok(stream) => read(blob, stream, pace, breath).await,
            Err(error) => Err(error),
        };
        let judged = match found {
            Ok(judged) => judged,
            Err(BlobError::Missing(_)) => Judged::Broken("blob_missing", "its bytes are not there".to_owned()),
            Err(BlobError::Corrupt(_, reason)) => Judged::Broken("blob_corrupt", reason),
            Err(error) => return Err(error.into()),
        };
        if !matches!(judged, Judged::Broken(..)) {
            return Ok(judged);
        }
        let live = self.artifacts.blob_location(blob.location.digest()).await?;
        Ok(if live.as_ref() == Some(&blob.location) { judged } else { Judged::Fine })
    }
}

/// Whether this copy has all of its bytes and no others: all of them are read, as fast as they come.
///
/// # Errors
/// Trouble that says nothing about the copy.
pub async fn is_intact(blobs: &dyn BlobStore, blob: &BlobInfo) -> Result<bool, BlobError> {
    let judged = match blobs.open(blob, None).await {
        Ok(stream) => read(blob, stream, &mut Pace::new(0), &Always).await,
        Err(error) => Err(error),
    };
    match judged {
        Ok(judged) => Ok(judged == Judged::Fine),
        Err(BlobError::Missing(_) | BlobError::Corrupt(..)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Of something that has to be known.
struct Always;

#[async_trait]
impl Breath for Always {
    async fn goes_on(&self) -> bool {
        true
    }
}

async fn read(
    blob: &BlobInfo,
    mut stream: ByteStream,
    pace: &mut Pace,
    breath: &dyn Breath,
) -> Result<Judged, BlobError> {
    let (mut hasher, mut breathed) = (Sha256::new(), Instant::now());
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        hasher.update(&chunk);
        let mut wait = pace.after(chunk.len() as u64);
        loop {
            if breathed.elapsed() >= BREATH {
                if !breath.goes_on().await {
                    return Ok(Judged::Stopped);
                }
                breathed = Instant::now();
            }
            if wait.is_zero() {
                break;
            }
            let step = wait.min(BREATH);
            tokio::time::sleep(step).await;
            wait -= step;
        }
    }
    let found = Digest::from(<[u8; 32]>::from(hasher.finalize()));
    if found == blob.location.digest() {
        return Ok(Judged::Fine);
    }
    Ok(Judged::Broken("blob_corrupt", format!("its bytes have the digest {found}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_held_back_to_the_rate_and_idle_time_is_not_made_up_for() {
        let mut pace = Pace::new(1_000);
        let wait = pace.after(10_000);
        assert!(wait > Duration::from_secs(9) && wait <= Duration::from_secs(10), "{wait:?}");
        pace.since -= Duration::from_secs(60);
        assert_eq!(pace.after(1), Duration::ZERO);
        assert!(pace.after(5_000) > Duration::from_secs(4), "it begins anew after a rest");
        assert_eq!(Pace::new(0).after(u64::MAX), Duration::ZERO);
    }
}
