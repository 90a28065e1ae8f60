//! How far an import is.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// What an import came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// Versions that were taken, or would be.
    pub taken: u64,
    /// Versions that were here with the same content.
    pub there: u64,
    /// What was not taken.
    pub refused: u64,
    /// Versions of which no file of sums had one.
    pub without_sums: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Whether nothing was kept.
    pub dry_run: bool,
}

/// The same on the way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Progress {
    /// The counts so far.
    pub so_far: Imported,
    /// Milliseconds since the beginning.
    pub elapsed_ms: u64,
    /// The version that was begun last; empty before the first.
    pub current: String,
}

/// Counts.
pub(super) struct Tally {
    began: Instant,
    dry_run: bool,
    current: Mutex<String>,
    taken: AtomicU64,
    there: AtomicU64,
    refused: AtomicU64,
    without_sums: AtomicU64,
    bytes: AtomicU64,
}

impl Tally {
    pub(super) fn new(dry_run: bool) -> Self {
        Self {
            began: Instant::now(),
            dry_run,
            current: Mutex::default(),
            taken: AtomicU64::default(),
            there: AtomicU64::default(),
            refused: AtomicU64::default(),
            without_sums: AtomicU64::default(),
            bytes: AtomicU64::default(),
        }
    }

    pub(super) fn is_dry(&self) -> bool {
        self.dry_run
    }

    pub(super) fn begin(&self, what: &str) {
        what.clone_into(&mut self.current.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn taken(&self) {
        self.taken.fetch_add(1, Relaxed);
    }

    pub(super) fn there(&self) {
        self.there.fetch_add(1, Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(super) fn without_sums(&self) {
        self.without_sums.fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn imported(&self) -> Imported {
        Imported {
            taken: self.taken.load(Relaxed),
            there: self.there.load(Relaxed),
            refused: self.refused.load(Relaxed),
            without_sums: self.without_sums.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            dry_run: self.dry_run,
        }
    }

    pub(super) fn progress(&self) -> Progress {
        Progress {
            so_far: self.imported(),
            elapsed_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            current: self.current.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
