//! Whether the data folder is still the one that was opened. A folder that was moved away, or over which an empty disk
//! was mounted, must not look like a server without content, and nothing may be written where nobody will look for it.
//!
//! Shape of `LOCK`: the number of the process, and the mark of the data in the second line.
//!
//! Errors: none. What cannot be looked at is not there.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Bytes of the file that are read.
const FILE_BYTES: u64 = 256;

/// The `LOCK` of a folder, open.
#[derive(Debug)]
pub struct Anchor {
    path: PathBuf,
    file: File,
    /// What it must say, once that is known.
    said: Mutex<Option<String>>,
}

impl Anchor {
    pub(super) fn new(path: PathBuf, file: File) -> Self {
        Self { path, file, said: Mutex::default() }
    }

    /// Writes down whose data these are.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn mark(&self, data: &str) -> io::Result<()> {
        let text = format!("{}\n{data}\n", std::process::id());
        let mut file = &self.file;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(text.as_bytes())?;
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        Ok(())
    }

    /// Whether the file that is open is the one at its path, and says what was written into it.
    #[must_use]
    pub fn holds(&self) -> bool {
        let Ok(there) = File::open(&self.path) else { return false };
        let is_ours =
            |ours: Metadata| there.metadata().is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()));
        if !self.file.metadata().is_ok_and(is_ours) {
            return false;
        }
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(said) = said.as_ref() else { return true };
        let mut text = String::new();
        there.take(FILE_BYTES).read_to_string(&mut text).is_ok_and(|_| text == *said)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_that_moves_away_is_replaced_or_marked_by_others_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, away) = (folder.path().join("LOCK"), folder.path().join("away"));
        let file = File::options().read(true).write(true).create_new(true).open(&path).expect("a file");
        let anchor = Anchor::new(path.clone(), file);
        assert!(anchor.holds());
        anchor.mark("this one").expect("written");
        assert!(anchor.holds());
        fs::rename(&path, &away).expect("moved");
        assert!(!anchor.holds(), "nothing is there");
        fs::copy(&away, &path).expect("copied");
        assert!(!anchor.holds(), "another file is there, though it says the same");
        fs::rename(&away, &path).expect("moved back");
        assert!(anchor.holds());
        fs::write(&path, "1\nanother one\n").expect("written");
        assert!(!anchor.holds(), "another server has written into it");
    }
}
