//! What may not go on in the database: its log that grows without end, and pages that contradict each other.
//!
//! *SQLite.* The write-ahead log cannot be folded into the file behind a reader that stays, so it grows with each change:
//! from [`Bounds::warned`] on the log says so, above [`Bounds::refused`] changes are [`StoreError::Busy`] until it is
//! folded. A file whose pages are damaged takes no change any more, for each may make it worse; what can be read of it is
//! read. Only a start on a copy, or on the same file after it was mended, ends that.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use keeper_core::artifact::StoreError;
use sea_orm::DbErr;

use super::sql::{SQLITE_CORRUPT, SQLITE_NOTADB, sqlite_code};

/// Sizes of the write-ahead log, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) warned: u64,
    pub(super) refused: u64,
}

const BOUNDS: Bounds = Bounds { warned: 256 << 20, refused: 1 << 30 };

/// The state of the database's file.
#[derive(Debug)]
pub(super) struct Soundness {
    warned: AtomicU64,
    refused: AtomicU64,
    log_bytes: AtomicU64,
    has_warned: AtomicBool,
    is_damaged: AtomicBool,
}

impl Default for Soundness {
    fn default() -> Self {
        let sound = Self {
            warned: AtomicU64::default(),
            refused: AtomicU64::default(),
            log_bytes: AtomicU64::default(),
            has_warned: AtomicBool::default(),
            is_damaged: AtomicBool::default(),
        };
        sound.bound(BOUNDS);
        sound
    }
}

impl Soundness {
    /// From now on these are the bounds.
    pub(super) fn bound(&self, Bounds { warned, refused }: Bounds) {
        self.warned.store(warned, Ordering::Relaxed);
        self.refused.store(refused, Ordering::Relaxed);
    }

    /// Notes how long the log is; answers whether it should be folded.
    pub(super) fn note_log(&self, bytes: u64) -> bool {
        self.log_bytes.store(bytes, Ordering::Relaxed);
        let is_long = bytes > self.warned.load(Ordering::Relaxed);
        if is_long && !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                bytes,
                "the write-ahead log of the database is long: something reads for very long, a backup or another program; \
                 far above this, changes are refused"
            );
        } else if !is_long && self.has_warned.swap(false, Ordering::Relaxed) {
            tracing::info!(bytes, "the write-ahead log of the database is short again");
        }
        is_long
    }

    /// Bytes of the log, as far as the writer knows.
    pub(super) fn log_bytes(&self) -> u64 {
        self.log_bytes.load(Ordering::Relaxed)
    }

    /// Whether the log is too long for any further change.
    pub(super) fn is_log_full(&self) -> bool {
        self.log_bytes() > self.refused.load(Ordering::Relaxed)
    }

    /// Whether damage was met.
    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed)
    }

    /// Looks whether an error says that the file is damaged.
    pub(super) fn look_at(&self, error: &DbErr) {
        let is_damage = matches!(sqlite_code(error), Some(SQLITE_CORRUPT | SQLITE_NOTADB));
        if is_damage && !self.is_damaged.swap(true, Ordering::Relaxed) {
            tracing::error!(
                %error,
                "the database file is damaged: nothing is written any more, and what can be read is served; stop the \
                 server, keep the file, and restore a copy"
            );
        }
    }

    /// The same of an error on its way to a caller.
    pub(super) fn look_behind(&self, error: &StoreError) {
        if let StoreError::Unavailable(source) = error
            && let Some(error) = source.downcast_ref::<DbErr>()
        {
            self.look_at(error);
        }
    }

    /// Why nothing may be changed now, if so.
    pub(super) fn refuse_changes(&self) -> Result<(), StoreError> {
        if self.is_damaged() {
            return Err(StoreError::Unavailable("the database file is damaged".into()));
        }
        if self.is_log_full() { Err(StoreError::Busy) } else { Ok(()) }
    }
}
