//! The one gate between what is stored and what is given out; files and indexes pass it alike.

use crate::artifact::{Artifact, ArtifactState, FoundFile};
use crate::error::{Failure, codes};

/// Whether a version may stand in lists and be chosen as latest.
#[must_use]
pub fn listed(state: ArtifactState) -> bool {
    state == ArtifactState::Active
}

/// Whether a stored file may be given out.
///
/// # Errors
/// `blocked` with the reason, on exactly the version named.
pub fn admit(found: &FoundFile, what: &impl std::fmt::Display) -> Result<(), Failure> {
    match found.state {
        ArtifactState::Active | ArtifactState::Yanked => Ok(()),
        ArtifactState::Blocked => Err(blocked(what, &found.reason)),
        ArtifactState::Deleted => Err(deleted(what, &found.reason, None)),
    }
}

/// The answer for a version that may not be given out.
#[must_use]
pub fn blocked(what: &impl std::fmt::Display, reason: &str) -> Failure {
    Failure::new(&codes::BLOCKED, format!("{what} is blocked here: {reason}"))
}

/// The answer for a version that is a tombstone.
#[must_use]
pub fn tombstone(of: &Artifact) -> Failure {
    deleted(&of.coordinate, &of.state_reason, of.state_changed_at)
}

/// The answer to whoever publishes over a tombstone.
#[must_use]
pub fn number_is_spent(of: &Artifact) -> Failure {
    Failure::new(&codes::VERSION_DELETED, tombstone(of).first().detail.clone())
}

fn deleted(what: &impl std::fmt::Display, reason: &str, at: Option<jiff::Timestamp>) -> Failure {
    let on = at.map(|at| format!(" on {}", at.strftime("%Y-%m-%d"))).unwrap_or_default();
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    Failure::new(&codes::DELETED, format!("{what} was deleted{on}{because}"))
}
