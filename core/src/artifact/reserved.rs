//! Numbers of versions that a restored, older database has forgotten: nothing else may be published under them.
//!
//! Such a number is a tombstone that never had files, with the reason [`LOST_IN_RESTORE`]. It keeps what is known of the
//! version: its content, and in `metadata.lost` the digests of its files by their names.

use serde_json::Value;

use super::{Artifact, ArtifactState, ContentId, Extent, FilePath};
use crate::digest::Digest;

/// The reason of such a tombstone.
pub const LOST_IN_RESTORE: &str = "lost_in_restore";

impl Artifact {
    /// Whether it is a tombstone that keeps its number for exactly this publication: for its content, or, when files
    /// come one by one, for files of which none has other bytes than it had.
    #[must_use]
    pub fn is_kept_for<'a>(
        &self,
        extent: Extent,
        content: &ContentId,
        mut files: impl Iterator<Item = (&'a FilePath, Digest)>,
    ) -> bool {
        if self.state != ArtifactState::Deleted || self.state_reason != LOST_IN_RESTORE {
            return false;
        }
        if extent == Extent::Whole {
            return self.content == *content;
        }
        let Some(lost) = self.metadata.get("lost").and_then(Value::as_object) else { return false };
        let is_of = |path: &FilePath, name: &str| {
            let path = path.as_str();
            path == name || path.strip_suffix(name).is_some_and(|before| before.ends_with('/'))
        };
        files.all(|(path, digest)| lost.iter().all(|(name, was)| !is_of(path, name) || *was == digest.to_hex()))
    }
}
