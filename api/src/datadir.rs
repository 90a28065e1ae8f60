//! The data folder: made, checked, and held by one process.
//!
//! Shape:
//! ```text
//! <data>/            0700
//!   LOCK             flock(LOCK_EX) while a process uses the folder; holds its pid and the mark of the data
//!   keeper.db -wal -shm
//!   blobs/           stored files (or elsewhere by storage_url, on the same file system)
//!   tmp/             files on their way into blobs/
//!   admin.sock       while the server runs
//!   clock            the time seen last
//!   first-password   0600, after a first start without a terminal
//! ```
//! `LOCK` is never removed: a process that had opened it before would lock a file that nobody sees.
//!
//! On a file system that is read-only nothing is made or written; such a folder can be read from.
//!
//! Errors: [`DataDirError`].

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Access, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::config::Secret;

/// Its lock.
const LOCK: &str = "LOCK";

mod anchor;
mod disk;

pub use anchor::Anchor;
pub use disk::Disk;

/// The folder, held for as long as this value lives.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    /// Dropping it releases the lock.
    anchor: Arc<Anchor>,
    read_only: bool,
    warnings: Vec<String>,
}

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process uses it.
    #[error(
        "another artifact-keeper{} uses {}; stop it, or choose another folder with KEEPER_DATA_DIR",
        .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default(), .path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The other process, when it has said so.
        pid: Option<u32>,
    },
    /// It is not there and cannot be made.
    #[error("cannot make the folder {}: {source}; choose another with KEEPER_DATA_DIR", .path.display())]
    Make {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is something else.
    #[error("{} is a file; KEEPER_DATA_DIR must name a folder", .0.display())]
    NotAFolder(PathBuf),
    /// It cannot be written to.
    #[error("cannot write to {}: {source}; it must belong to the user that runs the server (uid {})", .path.display(), uid())]
    NotWritable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Files could not be renamed from one to the other.
    #[error("{} and {} are on different file systems; stored files are moved from one to the other, so they must be on one", .tmp.display(), .blobs.display())]
    TwoDisks {
        /// The temporary folder.
        tmp: PathBuf,
        /// The folder of the stored files.
        blobs: PathBuf,
    },
    /// A file system of another machine.
    #[error("{} is on {kind}, a network file system: locks and fsync may not hold there, and data could be lost; use a local disk, or accept it with KEEPER_ALLOW_NETWORK_DISK=true", .path.display())]
    Network {
        /// Which.
        path: PathBuf,
        /// Its kind.
        kind: &'static str,
    },
}

impl DataDirError {
    /// Whether another process holds the folder.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::InUse { .. })
    }
}

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// From now on this process makes files that only its own user can read. Call once, before any thread.
pub fn private_files() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

impl DataDir {
    /// Makes the folder if needed and takes its lock. `blobs` is where the stored files go, if they go to a folder.
    ///
    /// # Errors
    /// [`DataDirError`]; nothing is held then.
    pub fn open(root: &Path, blobs: Option<&Path>, allow_network_disk: bool) -> Result<Self, DataDirError> {
        make(root)?;
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        let mut warnings = network(&root, allow_network_disk)?;
        let (lock, read_only) = lock(&root)?;
        let anchor = Arc::new(Anchor::new(root.join(LOCK), lock));
        if read_only {
            warnings.push(format!("{} is on a disk that is read-only: it is only read from", root.display()));
            return Ok(Self { root, anchor, read_only, warnings });
        }
        let tmp = root.join("tmp");
        make(&tmp)?;
        for folder in [&root, &tmp] {
            writable(folder)?;
        }
        if let Some(blobs) = blobs {
            let blobs = std::path::absolute(blobs).unwrap_or_else(|_| blobs.to_owned());
            make(&blobs)?;
            writable(&blobs)?;
            if device(&tmp) != device(&blobs) {
                return Err(DataDirError::TwoDisks { tmp, blobs });
            }
            if !blobs.starts_with(&root) {
                warnings.extend(network(&blobs, allow_network_disk)?);
            }
        }
        Ok(Self { root, anchor, read_only, warnings })
    }

    /// The folder itself, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether nothing can be written there, as it was found at the start.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// By which it is noticed that the folder is gone.
    #[must_use]
    pub fn anchor(&self) -> Arc<Anchor> {
        self.anchor.clone()
    }

    /// Where files are written before they are moved.
    #[must_use]
    pub fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// The socket of the running server.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        admin_socket(&self.root)
    }

    /// The file of a generated password.
    #[must_use]
    pub fn first_password(&self) -> PathBuf {
        self.root.join("first-password")
    }

    /// What an operator should know.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Writes the generated password, durably. One that is there belongs to no user any more: it is asked for
    /// only when no administrator exists.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn write_first_password(&self, password: &Secret) -> io::Result<()> {
        let path = self.first_password();
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        writeln!(file, "{}", password.reveal())?;
        file.sync_all()?;
        File::open(&self.root)?.sync_all()
    }
}

/// The socket of the server that uses a folder.
#[must_use]
pub fn admin_socket(root: &Path) -> PathBuf {
    root.join("admin.sock")
}

fn make(folder: &Path) -> Result<(), DataDirError> {
    match DirBuilder::new().recursive(true).mode(0o700).create(folder) {
        Ok(()) => Ok(()),
        // A file in its place is AlreadyExists, a file among its parents NotADirectory.
        Err(_) if folder.is_file() => Err(DataDirError::NotAFolder(folder.to_owned())),
        Err(source) => Err(DataDirError::Make { path: folder.to_owned(), source }),
    }
}

fn writable(folder: &Path) -> Result<(), DataDirError> {
    let access = rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK | Access::READ_OK);
    access.map_err(|error| DataDirError::NotWritable { path: folder.to_owned(), source: error.into() })
}

fn network(folder: &Path, allowed: bool) -> Result<Vec<String>, DataDirError> {
    match Disk::of(folder) {
        Disk::Network(kind) if !allowed => Err(DataDirError::Network { path: folder.to_owned(), kind }),
        Disk::Network(kind) | Disk::Shared(kind) => Ok(vec![format!(
            "{} is on {kind}: if that is another machine's disk, locks and fsync may not hold",
            folder.display()
        )]),
        Disk::Local => Ok(Vec::new()),
    }
}

fn device(folder: &Path) -> Option<u64> {
    folder.metadata().ok().map(|metadata| metadata.dev())
}

/// The open lock, and whether the file system is read-only.
fn lock(root: &Path) -> Result<(File, bool), DataDirError> {
    let path = root.join(LOCK);
    let not_writable = |source| DataDirError::NotWritable { path: root.to_owned(), source };
    // Neither truncated at opening (the pid of the holder would be lost) nor followed through a link.
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut opened = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR);
    let read_only = matches!(opened, Err(Errno::ROFS));
    if read_only {
        opened = rustix::fs::open(&path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    }
    let mut file = File::from(opened.map_err(|error| not_writable(error.into()))?);
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            return Err(DataDirError::InUse { path: root.to_owned(), pid: holder(&mut file) });
        }
        Err(error) => return Err(not_writable(error.into())),
    }
    if !read_only {
        let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(not_writable)?;
    }
    Ok((file, read_only))
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(64).read_to_string(&mut text).ok()?;
    text.lines().next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn open(root: &Path) -> Result<DataDir, DataDirError> {
        DataDir::open(root, Some(&root.join("blobs")), false)
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn the_folder_is_made_for_its_owner_alone() {
        let temporary = tempfile::tempdir().expect("a folder");
        let root = temporary.path().join("a/b");
        let data = open(&root).expect("made");
        for folder in [&root, &data.tmp(), &root.join("blobs")] {
            assert_eq!(mode(folder), 0o700, "{}", folder.display());
        }
        assert_eq!(mode(&root.join("LOCK")), 0o600);
        drop(data);
        open(&root).expect("made before, free again");
    }

    #[test]
    fn a_second_process_is_told_who_holds_it() {
        let temporary = tempfile::tempdir().expect("a folder");
        let held = open(temporary.path()).expect("made");
        // flock belongs to the open file, so this process is a stranger to its own lock.
        let error = open(temporary.path()).expect_err("held");
        assert!(error.is_in_use());
        let expected = format!("another artifact-keeper (pid {}) uses {}", std::process::id(), held.root().display());
        assert!(error.to_string().starts_with(&expected), "{error}");
    }

    #[test]
    fn what_is_no_usable_folder_is_named() {
        let temporary = tempfile::tempdir().expect("a folder");
        let file = temporary.path().join("file");
        std::fs::write(&file, "x").expect("written");
        assert!(matches!(open(&file), Err(DataDirError::NotAFolder(_))));
        assert!(matches!(open(&file.join("below")), Err(DataDirError::Make { .. })));
        assert!(matches!(open(Path::new("/proc/keeper")), Err(DataDirError::Make { .. })));
        std::os::unix::fs::symlink("/etc/passwd", temporary.path().join("LOCK")).expect("linked");
        assert!(matches!(open(temporary.path()), Err(DataDirError::NotWritable { .. })));
    }

    #[test]
    fn stored_files_must_be_on_the_disk_of_the_temporary_ones() {
        let temporary = tempfile::tempdir().expect("a folder");
        let shm = Path::new("/dev/shm");
        if device(shm).is_none() || device(shm) == device(temporary.path()) {
            return;
        }
        let elsewhere = tempfile::tempdir_in(shm).expect("a folder");
        let error = DataDir::open(temporary.path(), Some(elsewhere.path()), false).expect_err("two disks");
        assert!(matches!(error, DataDirError::TwoDisks { .. }), "{error}");
    }

    #[test]
    fn the_first_password_is_for_its_owner_and_replaces_a_stale_one() {
        let temporary = tempfile::tempdir().expect("a folder");
        let data = open(temporary.path()).expect("made");
        for password in ["first", "second"] {
            data.write_first_password(&Secret::new(password)).expect("written");
            assert_eq!(std::fs::read_to_string(data.first_password()).expect("there"), format!("{password}\n"));
            assert_eq!(mode(&data.first_password()), 0o600);
        }
    }
}
