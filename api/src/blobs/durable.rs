//! Making files and names survive a power cut, and what a refused write means.
//!
//! Order is everything: the file's bytes, then its name, then the folder that holds the name. A failed fsync
//! is never tried again on the same file: it may have dropped the dirty pages, and the next one would report
//! success.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use keeper_core::blob::BlobError;

/// What the storage meant by refusing a write.
pub(super) fn refused_write(error: io::Error) -> BlobError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BlobError::Full(error),
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => BlobError::ReadOnly(error),
        _ => BlobError::Io(error),
    }
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A file that disappears with this value, unless it is kept.
#[derive(Debug)]
pub(super) struct Doomed {
    path: PathBuf,
    kept: bool,
}

impl Doomed {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, kept: false }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its final name; it is still doomed under that.
    pub(super) fn rename(&mut self, to: PathBuf) -> io::Result<()> {
        fs::rename(&self.path, &to)?;
        self.path = to;
        Ok(())
    }

    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Doomed {
    // Only the name goes here; whoever holds the file open frees its bytes.
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "an unfinished file stays until the next start");
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_refusal_by_the_disk_has_the_class_that_callers_act_on() {
        let kind = |errno: Errno| match refused_write(errno.into()) {
            BlobError::Full(_) => "full",
            BlobError::ReadOnly(_) => "read-only",
            _ => "io",
        };
        for (errno, expected) in [
            (Errno::NOSPC, "full"),
            (Errno::DQUOT, "full"),
            (Errno::ROFS, "read-only"),
            (Errno::ACCESS, "read-only"),
            (Errno::IO, "io"),
            (Errno::MFILE, "io"),
        ] {
            assert_eq!(kind(errno), expected, "{errno:?}");
        }
    }
}
