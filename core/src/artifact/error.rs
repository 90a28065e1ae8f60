//! What stores report, and what a caller is told of it.

use crate::error::{Code, Failure, codes};
use crate::quota::Usage;

/// What a store can report. Trouble is never absence: absence is `Ok(None)`.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A promise of uniqueness forbids it.
    #[error("it exists already")]
    AlreadyExists,
    /// The queue or pool is full: repeat.
    #[error("the database is busy")]
    Busy,
    /// No space left.
    #[error("the disk is full")]
    Full,
    /// The upload took longer than its blobs are protected from the collector, or the collector has one.
    #[error("the upload took too long")]
    TooLate,
    /// The repository is being deleted, or is.
    #[error("the repository is being deleted")]
    Retired,
    /// The repository may not hold that much more. Holds what it has and may have.
    #[error("the quota is reached")]
    OverQuota(Box<Usage>),
    /// A row does not parse: a fault of the store.
    #[error("a stored record is damaged: {0}")]
    Corrupt(String),
    /// Whether the change was kept was not told, and could not be found out: a repeat tells.
    #[error("the database did not tell whether the change was kept: {0}")]
    OutcomeUnknown(String),
    /// Nothing may be written at the moment; the code says why.
    #[error("nothing may be written: {}", .0.name)]
    NotWritable(&'static Code),
    /// Anything else.
    #[error("the database failed: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// Whether it says for certain that nothing was changed. Of trouble that is not known, also when it most likely did
    /// not.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        use StoreError::{AlreadyExists, Busy, NotWritable, OverQuota, Retired, TooLate};
        matches!(self, AlreadyExists | Busy | NotWritable(_) | OverQuota(_) | Retired | TooLate)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Busy => &codes::DATABASE_BUSY,
            StoreError::Full => &codes::DISK_FULL,
            StoreError::TooLate => &codes::STORAGE_UNAVAILABLE,
            StoreError::Retired => return Self::new(&codes::REPOSITORY_DELETING, codes::REPOSITORY_DELETING.title),
            StoreError::OverQuota(_) => return Self::new(&codes::QUOTA_EXCEEDED, codes::QUOTA_EXCEEDED.title),
            StoreError::Corrupt(_) | StoreError::AlreadyExists => &codes::INTERNAL,
            StoreError::OutcomeUnknown(_) => &codes::OUTCOME_UNKNOWN,
            StoreError::NotWritable(code) => code,
            StoreError::Unavailable(_) => &codes::DATABASE_UNAVAILABLE,
        };
        Self::new(code, code.title).caused_by(error).retry_after(2)
    }
}
