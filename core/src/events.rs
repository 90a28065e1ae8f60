//! What happens in the services, told in one place: metrics listen here, and whatever else will.
//!
//! The services say what happened and know nobody who listens. A listener is called in the middle of a request: it
//! neither blocks nor fails, and what it wants to keep it copies. The audit does not hang here: a change and its row are
//! one transaction, which no listener could promise.

use std::time::Duration;

use crate::artifact::Artifact;
use crate::error::{Class, Failure};
use crate::repository::{FormatKey, Repository};

/// Something that happened.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A read could be answered from memory, or not.
    Answered {
        /// Whether the answer lay ready.
        from_memory: bool,
    },
    /// A step of a publication ended, well or not.
    Step {
        /// The format.
        format: &'a FormatKey,
        /// Which step.
        step: Step,
        /// How long it took.
        took: Duration,
    },
    /// A new version is there, durably. Sending the same content again is none.
    Published {
        /// Where.
        repository: &'a Repository,
        /// What.
        artifact: &'a Artifact,
    },
    /// A file came from an upstream and is there now, durably.
    Copied {
        /// Where.
        repository: &'a Repository,
        /// The version, with the files that are there by now.
        artifact: &'a Artifact,
        /// Length of the file.
        size_bytes: u64,
    },
    /// A remote repository answered what memory could not.
    Served {
        /// Which.
        repository: &'a Repository,
        /// By what.
        served: Served,
    },
    /// A file that was given out while it came from an upstream has come to its end.
    Relayed {
        /// Where.
        repository: &'a Repository,
        /// What became of it.
        end: RelayEnd,
    },
    /// An upstream says otherwise than it did, or than somebody who has to know. Told to the audit, too.
    Contradicted {
        /// Where.
        repository: &'a Repository,
        /// In what.
        what: Contradiction,
    },
    /// A version became a tombstone.
    Deleted {
        /// Where.
        repository: &'a Repository,
        /// What.
        artifact: &'a Artifact,
    },
}

/// A step of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// From the first byte of the upload to its last, staged.
    Receive,
    /// The format's judgement, with the wait for a turn and the writing of the files.
    Inspect,
    /// The files become durable blobs.
    Commit,
    /// The rows become durable.
    Record,
}

impl Step {
    /// All steps, in their order.
    pub const ALL: [Self; 4] = [Self::Receive, Self::Inspect, Self::Commit, Self::Record];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Inspect => "inspect",
            Self::Commit => "commit",
            Self::Record => "record",
        }
    }
}

/// By what a remote repository answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// What it keeps.
    Stored,
    /// Its upstream, whose answer it keeps.
    Fetched,
    /// What it keeps and would have asked about again, but the upstream was in trouble.
    Stale,
    /// That its upstream has no such thing.
    Absent,
    /// Its upstream's trouble, or a refusal of what it sent.
    Failed,
}

impl Served {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Stored, Self::Fetched, Self::Stale, Self::Absent, Self::Failed];

    /// What a failed question was answered by.
    #[must_use]
    pub fn of(failure: &Failure) -> Self {
        match failure.code().class {
            Class::NotFound | Class::Gone => Self::Absent,
            _ => Self::Failed,
        }
    }

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Fetched => "fetched",
            Self::Stale => "stale",
            Self::Absent => "absent",
            Self::Failed => "failed",
        }
    }
}

/// In what an upstream contradicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// Other bytes than were here first.
    Changed,
    /// It has no more what it had.
    Missing,
    /// Other bytes than a checksum database knows.
    Checksum,
    /// Nobody vouches for what it sent.
    Unverified,
}

impl Contradiction {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Changed, Self::Missing, Self::Checksum, Self::Unverified];

    /// The word for it: an action of the audit.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "upstream_changed",
            Self::Missing => "upstream_missing",
            Self::Checksum => "upstream_checksum_mismatch",
            Self::Unverified => "upstream_unverified",
        }
    }
}

/// What becomes of a file that is given out while it comes from an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayEnd {
    /// It is kept.
    Kept,
    /// It was found good and given out, and could not be kept.
    Unkept,
    /// It was refused: those who read it got no end.
    Refused,
    /// It broke off.
    Broken,
}

impl RelayEnd {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Kept, Self::Unkept, Self::Refused, Self::Broken];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Unkept => "unkept",
            Self::Refused => "refused",
            Self::Broken => "broken",
        }
    }
}

/// Somebody who listens.
pub trait Listener: Send + Sync {
    /// Hears of an event. Neither blocks nor fails.
    fn hear(&self, event: &Event<'_>);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Listener for Nobody {
    fn hear(&self, _event: &Event<'_>) {}
}
