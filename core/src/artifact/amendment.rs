//! What may change of a published version: its state and its pin, never its content.

use jiff::Timestamp;

use super::{Artifact, ArtifactState};
use crate::digest::Digest;

impl Artifact {
    /// A tag of what may change of it, for conditional changes: equal tags, equal record.
    #[must_use]
    pub fn tag(&self) -> String {
        let Self { id, state, state_reason, state_changed_at, pinned, .. } = self;
        let at = state_changed_at.map(Timestamp::as_microsecond);
        let record = format!("{id} {} {at:?} {pinned} {state_reason}", state.as_str());
        Digest::of(record.as_bytes()).to_hex()[..TAG_DIGITS].to_owned()
    }
}

/// Hexadecimal digits of an artifact's tag.
const TAG_DIGITS: usize = 16;

/// A change of a version that is not deleted; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct Amendment {
    /// The new state, which is never [`ArtifactState::Deleted`], and why.
    pub state: Option<(ArtifactState, String)>,
    /// Whether retention keeps it.
    pub pinned: Option<bool>,
    /// The [tag](Artifact::tag) that it must still have.
    pub expected: Option<String>,
}

/// How an amendment or a deletion ended.
#[derive(Debug, Clone)]
pub enum Amended {
    /// It is so now, or was so already.
    Done(Box<Artifact>),
    /// It was changed meanwhile and does not have the expected tag.
    Stale,
    /// It was deleted before.
    Deleted(Box<Artifact>),
}

impl Amended {
    /// The version as it is now; `None` when it is not what was expected.
    #[must_use]
    pub fn record(self) -> Option<Artifact> {
        match self {
            Self::Done(artifact) | Self::Deleted(artifact) => Some(*artifact),
            Self::Stale => None,
        }
    }
}
