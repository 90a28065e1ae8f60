//! Copies of everything that is kept, and a data folder made of one.
//!
//! ```text
//! <copy>/
//!   MANIFEST.json     what it is, and the digests of the database and of the list; written last
//!   keeper.db         the database at one moment (SQLite only; of PostgreSQL, pg_dump makes the copy)
//!   blobs.list        the stored files that it names, one line each ([`files`])
//!   blobs/sha256/9f/9f86…0a08.k3v5w7x2m1
//! ```
//!
//! The key of secrets is not in it: whoever finds a copy shall not find out how to prove himself elsewhere.
//!
//! Order: the database first, then what it names. While a copy is made the collector does not run, so nothing that the
//! copied database names can go away; what is published meanwhile is more than is needed and does no harm. A copy is
//! made beside its final name, so that a folder with that name is always whole; a repeat goes on with what is there.
//!
//! A restored database is an older one: its sessions are ended, every answer that a client may still hold from after it
//! counts as changed, and what the [journal] says was published since keeps its numbers.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use keeper_core::artifact::StoreError;
use keeper_core::blob::BlobError;
use keeper_core::digest::{Digest, Hasher};
use keeper_core::ledger::WalkableBlobs;
use keeper_core::limits::IO_CHUNK_BYTES;
use keeper_core::plugin::Registry;
use serde::{Deserialize, Serialize};

use crate::blobs::Restorable;
use crate::config::DatabasePlace;
use crate::secrets::SecretsKey;
use crate::store::{OpenError, Reserved, Store};
use crate::upstream::unopened;

mod files;
pub mod journal;

/// The shape of a copy that this program writes and reads.
const SHAPE: u32 = 1;
const MANIFEST: &str = "MANIFEST.json";
const DATABASE: &str = "keeper.db";

/// What a copy is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    shape: u32,
    /// The program that wrote it.
    pub made_by: String,
    /// When it was begun.
    pub made_at: Timestamp,
    /// The mark of the data.
    pub instance: String,
    /// The copied database; absent when it is one of PostgreSQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<CopiedFile>,
    /// The last row of the audit that is certainly in it.
    pub last_audit_row: i64,
    /// Stored files.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The list of them; older copies have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<CopiedFile>,
    /// Stored files that the database names and that could not be copied.
    #[serde(default)]
    pub faults: u64,
    /// Which, the first thousand of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faulty: Vec<BlobFault>,
}

/// A stored file that could not be copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobFault {
    /// Where it should be.
    pub blob: String,
    /// `missing` or `damaged`.
    pub fault: String,
}

/// A file of the copy that everything else depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiedFile {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// Why a copy was not made or not restored; the text is fit for the operator.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is something already.
    #[error("{} is there already; name a folder that is not", .0.display())]
    Exists(PathBuf),
    /// There is a database already.
    #[error("{} is there already; a copy is restored into an empty data folder only", .0.display())]
    NotEmpty(PathBuf),
    /// It is no copy, or not a whole one.
    #[error("{} is no whole copy: {what}", .path.display())]
    NotWhole {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The database is of other data than the copy.
    #[error(
        "the database is one of the data {found}, and the copy one of {expected}: restore the dump of its database \
         first, with pg_restore"
    )]
    OtherData {
        /// The mark in the database.
        found: String,
        /// The mark in the copy.
        expected: String,
    },
    /// The stored files.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The database.
    #[error("the database failed: {0}")]
    Store(#[from] StoreError),
    /// The restored database.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The folder of the copy.
    #[error("{}: {error}", .path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError + '_ {
    move |error| BackupError::Disk { path: path.to_owned(), error }
}

/// Makes a copy at `to`, which is not there yet. Files that an earlier copy `base` has are linked from there when both
/// are on one file system. Stored files that are missing or damaged are left out and named. The caller keeps the
/// collector from running.
///
/// # Errors
/// [`BackupError`]; then nothing has the name `to`.
pub async fn make(
    store: &Store,
    blobs: &dyn WalkableBlobs,
    to: &Path,
    base: Option<&Path>,
) -> Result<Manifest, BackupError> {
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = to.with_file_name(name);
    let folder = partial.clone();
    on_disk(&partial, move || fs::create_dir_all(folder)).await?;
    let made_at = Timestamp::now();
    let last_audit_row = store.last_audit_row().await?;
    let database = copy_database(store, &partial.join(DATABASE)).await?;
    // What the copied database names, and not what the one has by now that goes on.
    let copied = match &database {
        None => files::copy_all(store, blobs, &partial, base).await?,
        Some(_) => {
            let names = Store::open_frozen(&DatabasePlace::File(partial.join(DATABASE)).address()).await?;
            let copied = files::copy_all(&names, blobs, &partial, base).await;
            names.close().await;
            copied?
        }
    };
    let manifest = Manifest {
        shape: SHAPE,
        made_by: env!("CARGO_PKG_VERSION").to_owned(),
        made_at,
        instance: store.instance().to_string(),
        database,
        last_audit_row,
        blobs: copied.blobs,
        bytes: copied.bytes,
        list: copied.list,
        faults: copied.faults,
        faulty: copied.faulty,
    };
    let (from, end, told) = (partial.clone(), to.to_owned(), manifest.clone());
    apart(to, move || {
        write_manifest(&from, &told)?;
        fs::rename(&from, &end).map_err(at(&end))?;
        sync_parent(&end)
    })
    .await?;
    Ok(manifest)
}

/// Does what waits for the disk where nobody else waits for it.
async fn apart<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(at(path)(io::Error::other(error))))
}

/// The same for work on one file.
async fn on_disk<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, BackupError> {
    let file = path.to_owned();
    apart(path, move || work().map_err(at(&file))).await
}

async fn copy_database(store: &Store, to: &Path) -> Result<Option<CopiedFile>, BackupError> {
    let old = to.to_owned();
    on_disk(to, move || match fs::remove_file(old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
    .await?;
    if !store.copy_to(to).await? {
        return Ok(None);
    }
    let read = to.to_owned();
    let hashed = on_disk(to, move || {
        let file = File::open(&read)?;
        file.sync_all()?;
        hash(file)
    });
    let (bytes, digest) = hashed.await?;
    Ok(Some(CopiedFile { bytes, sha256: digest.to_hex() }))
}

fn hash(mut file: impl io::Read) -> io::Result<(u64, Digest)> {
    let (mut hasher, mut chunk) = (Hasher::default(), vec![0; IO_CHUNK_BYTES]);
    loop {
        let length = file.read(&mut chunk)?;
        if length == 0 {
            return Ok((hasher.size(), hasher.digest()));
        }
        hasher.update(&chunk[..length]);
    }
}

fn write_manifest(copy: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let path = copy.join(MANIFEST);
    let text = serde_json::to_string_pretty(manifest).map_err(|error| at(&path)(io::Error::other(error)))?;
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    });
    written.map_err(at(&path))?;
    sync_parent(&path)
}

fn sync_parent(path: &Path) -> Result<(), BackupError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|folder| folder.sync_all()).map_err(at(parent))
}

/// Reads what a copy says of itself.
///
/// # Errors
/// It is none.
pub fn manifest(copy: &Path) -> Result<Manifest, BackupError> {
    let not_whole = |what: String| BackupError::NotWhole { path: copy.to_owned(), what };
    let text = fs::read_to_string(copy.join(MANIFEST)).map_err(|error| not_whole(format!("{MANIFEST}: {error}")))?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|error| not_whole(format!("{MANIFEST}: {error}")))?;
    if manifest.shape != SHAPE {
        return Err(not_whole(format!("it has the shape {}, and this program knows {SHAPE}", manifest.shape)));
    }
    Ok(manifest)
}

/// What keeps the numbers of versions that a restored database does not know any more.
#[derive(Debug, Clone, Copy)]
pub struct Reserve<'a> {
    /// The formats, which know the order of versions.
    pub registry: &'a Registry,
    /// The journal.
    pub from: &'a Path,
}

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// What the copy says of itself.
    pub manifest: Manifest,
    /// Numbers that are kept for what the copy has not.
    pub reserved: Reserved,
    /// Repositories whose upstreams' credentials the key here does not open.
    pub sealed: Vec<String>,
}

/// Puts the files of a copy into a blob store, and its database, if it has one, where none is yet. Files first: a kill
/// in between leaves a folder without a database, and a repeat goes on. A database of PostgreSQL is there already, from
/// its dump, and is put right. `key` is the file of the key of secrets, which is not part of a copy.
///
/// # Errors
/// [`BackupError`]; then there is no database, or that of PostgreSQL is as it was.
pub async fn restore(
    copy: &Path,
    blobs: Arc<dyn Restorable>,
    database: &DatabasePlace,
    reserve: Option<Reserve<'_>>,
    key: &Path,
) -> Result<Restored, BackupError> {
    let not_whole = |what: String| BackupError::NotWhole { path: copy.to_owned(), what };
    let manifest = manifest(copy)?;
    if let Some(file) = database.file().filter(|file| file.exists()) {
        return Err(BackupError::NotEmpty(file.to_owned()));
    }
    let key = SecretsKey::read(key).map_err(at(key))?;
    match (&manifest.database, database.file()) {
        (Some(expected), _) => {
            let path = copy.join(DATABASE);
            let (bytes, digest) =
                File::open(&path).and_then(hash).map_err(|error| not_whole(format!("{DATABASE}: {error}")))?;
            if (bytes, digest.to_hex()) != (expected.bytes, expected.sha256.clone()) {
                return Err(not_whole(format!("{DATABASE} was changed after it was copied")));
            }
        }
        (None, Some(_)) => return Err(not_whole("its database is one of PostgreSQL; set KEEPER_DATABASE_URL".into())),
        (None, None) => {}
    }
    files::restore_all(copy, &*blobs, &manifest).await?;
    let (reserved, sealed) = match database.file() {
        Some(file) => restore_database(&copy.join(DATABASE), file, reserve, key.as_ref()).await?,
        None => put_right(&database.address(), Some(&manifest), reserve, key.as_ref()).await?,
    };
    Ok(Restored { manifest, reserved, sealed })
}

/// What a database that is an older one has to be told.
async fn put_right(
    address: &str,
    expected: Option<&Manifest>,
    reserve: Option<Reserve<'_>>,
    key: Option<&SecretsKey>,
) -> Result<(Reserved, Vec<String>), BackupError> {
    let store = Store::open(address).await?;
    let work = async {
        let found = store.instance().to_string();
        if let Some(expected) = expected.filter(|expected| expected.instance != found) {
            return Err(BackupError::OtherData { found, expected: expected.instance.clone() });
        }
        store.after_restore().await?;
        let reserved = match reserve {
            Some(Reserve { registry, from }) => journal::reserve(&store, registry, from).await?,
            None => Reserved::default(),
        };
        let sealed = unopened(&store, key).await?.iter().map(|repository| repository.address.to_string()).collect();
        Ok((reserved, sealed))
    };
    let done = work.await;
    store.close().await;
    done
}

async fn restore_database(
    from: &Path,
    to: &Path,
    reserve: Option<Reserve<'_>>,
    key: Option<&SecretsKey>,
) -> Result<(Reserved, Vec<String>), BackupError> {
    let unfinished = to.with_extension("restoring");
    for ending in ["", "-wal", "-shm"] {
        let mut path = unfinished.as_os_str().to_owned();
        path.push(ending);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(Path::new(&path))(error)),
            _ => {}
        }
    }
    fs::copy(from, &unfinished).map_err(at(&unfinished))?;
    let done = put_right(&DatabasePlace::File(unfinished.clone()).address(), None, reserve, key).await?;
    File::open(&unfinished).and_then(|file| file.sync_all()).map_err(at(&unfinished))?;
    fs::rename(&unfinished, to).map_err(at(to))?;
    sync_parent(to)?;
    Ok(done)
}
