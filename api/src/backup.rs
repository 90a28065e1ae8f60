//! Copies of everything that is kept, and a data folder made of one.
//!
//! ```text
//! <copy>/
//!   MANIFEST.json     what it is, and the digest of the database; written last
//!   keeper.db         the database at one moment (SQLite only; of PostgreSQL, pg_dump makes the copy)
//!   blobs/sha256/9f/9f86…0a08.k3v5w7x2m1
//! ```
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

use futures_util::TryStreamExt;
use jiff::Timestamp;
use keeper_core::artifact::StoreError;
use keeper_core::blob::{BlobError, BlobInfo, BlobLocation};
use keeper_core::digest::{Digest, Hasher};
use keeper_core::ledger::{BlobLedger, WalkableBlobs};
use keeper_core::limits::IO_CHUNK_BYTES;
use keeper_core::plugin::Registry;
use serde::{Deserialize, Serialize};

use crate::blobs::Restorable;
use crate::config::DatabasePlace;
use crate::store::{OpenError, Reserved, Store};

pub mod journal;

/// The shape of a copy that this program writes and reads.
const SHAPE: u32 = 1;
const MANIFEST: &str = "MANIFEST.json";
const DATABASE: &str = "keeper.db";
/// Rows of blobs that are read at once.
const ENTRIES: u32 = 500;

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
    pub database: Option<DatabaseCopy>,
    /// The last row of the audit that is certainly in it.
    pub last_audit_row: i64,
    /// Stored files.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A copied database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseCopy {
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
/// are on one file system. The caller keeps the collector from running.
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
    fs::create_dir_all(&partial).map_err(at(&partial))?;
    let made_at = Timestamp::now();
    let last_audit_row = store.last_audit_row().await?;
    let database = copy_database(store, &partial.join(DATABASE)).await?;
    let (mut count, mut bytes) = (0, 0);
    let mut after = None;
    loop {
        let entries = store.entries(after, ENTRIES).await?;
        let Some(last) = entries.last() else { break };
        after = Some(last.blob.location.digest());
        for entry in entries {
            copy_blob(blobs, &entry.blob, &partial, base).await?;
            count += 1;
            bytes += entry.blob.size;
        }
    }
    let manifest = Manifest {
        shape: SHAPE,
        made_by: env!("CARGO_PKG_VERSION").to_owned(),
        made_at,
        instance: store.instance().to_string(),
        database,
        last_audit_row,
        blobs: count,
        bytes,
    };
    write_manifest(&partial, &manifest)?;
    fs::rename(&partial, to).map_err(at(to))?;
    sync_parent(to)?;
    Ok(manifest)
}

async fn copy_database(store: &Store, to: &Path) -> Result<Option<DatabaseCopy>, BackupError> {
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(to)(error)),
        _ => {}
    }
    if !store.copy_to(to).await? {
        return Ok(None);
    }
    let (path, read) = (to.to_owned(), to.to_owned());
    let hashed = tokio::task::spawn_blocking(move || {
        let file = File::open(&read)?;
        file.sync_all()?;
        hash(file)
    });
    let (bytes, digest) = joined(hashed.await).map_err(at(&path))?;
    Ok(Some(DatabaseCopy { bytes, sha256: digest.to_hex() }))
}

fn joined<T>(result: Result<io::Result<T>, tokio::task::JoinError>) -> io::Result<T> {
    result.unwrap_or_else(|error| Err(io::Error::other(error)))
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

/// Where a stored file is in a copy.
fn place(copy: &Path, of: &BlobLocation) -> PathBuf {
    copy.join("blobs").join("sha256").join(&of.digest().to_hex()[..2]).join(of.as_str())
}

async fn copy_blob(
    blobs: &dyn WalkableBlobs,
    blob: &BlobInfo,
    copy: &Path,
    base: Option<&Path>,
) -> Result<(), BackupError> {
    let target = place(copy, &blob.location);
    if target.metadata().is_ok_and(|metadata| metadata.len() == blob.size) {
        return Ok(());
    }
    let folder = target.parent().unwrap_or(copy);
    fs::create_dir_all(folder).map_err(at(folder))?;
    let earlier = base.map(|base| place(base, &blob.location));
    let linked = earlier.filter(|earlier| earlier.metadata().is_ok_and(|metadata| metadata.len() == blob.size));
    if linked.is_some_and(|earlier| fs::hard_link(earlier, &target).is_ok()) {
        return Ok(());
    }
    let unfinished = target.with_extension("unfinished");
    let (mut file, mut hasher) = (File::create(&unfinished).map_err(at(&unfinished))?, Hasher::default());
    let mut bytes = blobs.open(blob, None).await?;
    while let Some(chunk) = bytes.try_next().await? {
        hasher.update(&chunk);
        let write = tokio::task::spawn_blocking(move || file.write_all(&chunk).map(|()| file));
        file = joined(write.await).map_err(at(&unfinished))?;
    }
    if hasher.digest() != blob.location.digest() {
        let found = hasher.digest();
        return Err(BlobError::Corrupt(blob.location.as_str().to_owned(), format!("its digest is {found}")).into());
    }
    let sync = tokio::task::spawn_blocking(move || file.sync_all());
    joined(sync.await).map_err(at(&unfinished))?;
    fs::rename(&unfinished, &target).map_err(at(&target))?;
    sync_parent(&target)
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

/// Puts the files of a copy into a blob store, and its database, if it has one, where none is yet. Files first: a kill
/// in between leaves a folder without a database, and a repeat goes on. A database of PostgreSQL is there already, from
/// its dump, and is put right.
///
/// # Errors
/// [`BackupError`]; then there is no database, or that of PostgreSQL is as it was.
pub async fn restore(
    copy: &Path,
    blobs: Arc<dyn Restorable>,
    database: &DatabasePlace,
    reserve: Option<Reserve<'_>>,
) -> Result<(Manifest, Reserved), BackupError> {
    let not_whole = |what: String| BackupError::NotWhole { path: copy.to_owned(), what };
    let manifest = manifest(copy)?;
    if let Some(file) = database.file().filter(|file| file.exists()) {
        return Err(BackupError::NotEmpty(file.to_owned()));
    }
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
    let restored = restore_blobs(copy, &*blobs).await?;
    if restored < manifest.blobs {
        return Err(not_whole(format!("it has {restored} stored files of {}", manifest.blobs)));
    }
    let reserved = match database.file() {
        Some(file) => restore_database(&copy.join(DATABASE), file, reserve).await?,
        None => put_right(&database.address(), Some(&manifest), reserve).await?,
    };
    Ok((manifest, reserved))
}

/// What a database that is an older one has to be told.
async fn put_right(
    address: &str,
    expected: Option<&Manifest>,
    reserve: Option<Reserve<'_>>,
) -> Result<Reserved, BackupError> {
    let store = Store::open(address).await?;
    let work = async {
        let found = store.instance().to_string();
        if let Some(expected) = expected.filter(|expected| expected.instance != found) {
            return Err(BackupError::OtherData { found, expected: expected.instance.clone() });
        }
        store.after_restore().await?;
        match reserve {
            Some(Reserve { registry, from }) => journal::reserve(&store, registry, from).await,
            None => Ok(Reserved::default()),
        }
    };
    let done = work.await;
    store.close().await;
    done
}

async fn restore_blobs(copy: &Path, blobs: &dyn Restorable) -> Result<u64, BackupError> {
    let mut restored = 0;
    for shelf in 0..=u8::MAX {
        let folder = copy.join("blobs").join("sha256").join(format!("{shelf:02x}"));
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(at(&folder)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(at(&folder))?;
            let name = entry.file_name();
            let Some(location) = name.to_str().and_then(|name| BlobLocation::try_from(name).ok()) else { continue };
            let size = entry.metadata().map_err(at(&folder))?.len();
            blobs.restore(&BlobInfo { location, size }, &entry.path()).await?;
            restored += 1;
        }
    }
    Ok(restored)
}

async fn restore_database(from: &Path, to: &Path, reserve: Option<Reserve<'_>>) -> Result<Reserved, BackupError> {
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
    let reserved = put_right(&DatabasePlace::File(unfinished.clone()).address(), None, reserve).await?;
    File::open(&unfinished).and_then(|file| file.sync_all()).map_err(at(&unfinished))?;
    fs::rename(&unfinished, to).map_err(at(to))?;
    sync_parent(to)?;
    Ok(reserved)
}
