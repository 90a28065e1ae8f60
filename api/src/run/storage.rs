//! Whether a folder of stored files is the one that a database of PostgreSQL belongs to. Two servers with a folder each
//! would answer for one database, and each miss what the other one received.
//!
//! Shape: `<folder>/STORAGE` holds a mark, made once; the database has the same one. A bucket needs none: its name is the
//! same for all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use uuid::Uuid;

use super::StartError;
use crate::config::Config;
use crate::store::{OpenError, Store};

const MARK: &str = "STORAGE";

/// Compares the marks, and makes them where there are none.
pub(super) async fn is_that_of(config: &Config, store: &Store) -> Result<(), StartError> {
    let (Some(folder), None) = (config.storage.folder(), config.database.file()) else { return Ok(()) };
    let own = mark(folder)?;
    let known = store.storage_mark(&own).await.map_err(OpenError::Unreadable)?;
    if known == own { Ok(()) } else { Err(StartError::OtherStorage { folder: folder.to_owned() }) }
}

/// The mark of a folder.
fn mark(folder: &Path) -> io::Result<String> {
    let path = folder.join(MARK);
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        read => return read.map(|text| text.trim().to_owned()),
    }
    fs::create_dir_all(folder)?;
    let (fresh, unfinished) = (Uuid::now_v7().to_string(), folder.join(format!("{MARK}.{}", Uuid::now_v7())));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&unfinished)?;
    writeln!(file, "{fresh}")?;
    file.sync_all()?;
    // Whole or not at all; whoever comes second on a folder that several see reads what the first one made.
    let linked = fs::hard_link(&unfinished, &path);
    fs::remove_file(&unfinished)?;
    match linked {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs::read_to_string(&path).map(|text| text.trim().to_owned())
        }
        Err(error) => Err(error),
        Ok(()) => File::open(folder)?.sync_all().map(|()| fresh),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_mark_for_ever() {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = folder.path().join("blobs");
        let first = mark(&blobs).expect("made");
        assert_eq!(mark(&blobs).expect("read"), first);
        assert_eq!(fs::read_dir(&blobs).expect("a folder").count(), 1, "nothing else is left");
        assert_ne!(mark(&folder.path().join("other")).expect("made"), first);
    }
}
