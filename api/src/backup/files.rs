//! The stored files of a copy, and the list of them.
//!
//! ```text
//! blobs.list     9f86…0a08.k3v5w7x2m1 20000            one line for each that the copied database names, in their order
//!                a1b2…77d0.q8w7e6r5t4 48213 missing    missing, or damaged: the storage had not what is named
//! ```
//!
//! One file that rots must not keep all others from being copied: it is left out, and the list says so. A file that was
//! copied by a run before, which a kill has ended, stays if it is named still, and goes if it is not.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt;
use keeper_core::blob::{BlobError, BlobInfo, BlobLocation};
use keeper_core::digest::Hasher;
use keeper_core::ledger::{BlobLedger, WalkableBlobs};

use super::{BackupError, BlobFault, CopiedFile, Manifest, apart, at, hash, on_disk, sync_parent};
use crate::blobs::Restorable;

const LIST: &str = "blobs.list";
/// Rows of blobs that are read at once.
const ENTRIES: u32 = 500;
/// Faults that the manifest names; the list has all of them.
const NAMED: usize = 1_000;

/// What was copied.
#[derive(Default)]
pub(super) struct Copied {
    /// Files, without those at fault.
    pub(super) blobs: u64,
    pub(super) bytes: u64,
    pub(super) list: Option<CopiedFile>,
    pub(super) faults: u64,
    pub(super) faulty: Vec<BlobFault>,
}

/// Copies what a database names into `copy`.
pub(super) async fn copy_all(
    names: &dyn BlobLedger,
    blobs: &dyn WalkableBlobs,
    copy: &Path,
    base: Option<&Path>,
) -> Result<Copied, BackupError> {
    let path = copy.join(LIST);
    let file = path.clone();
    let mut list = on_disk(&path, move || File::create(file).map(BufWriter::new)).await?;
    let (mut copied, mut after) = (Copied::default(), None);
    loop {
        let entries = names.entries(after, ENTRIES).await?;
        let Some(last) = entries.last() else { break };
        after = Some(last.blob.location.digest());
        let mut lines = String::new();
        for entry in entries {
            let blob = entry.blob;
            let fault = copy_one(blobs, &blob, copy, base).await?;
            lines += &format!("{} {}", blob.location.as_str(), blob.size);
            match fault {
                None => (copied.blobs, copied.bytes) = (copied.blobs + 1, copied.bytes + blob.size),
                Some(fault) => {
                    lines += &format!(" {fault}");
                    copied.faults += 1;
                    if copied.faulty.len() < NAMED {
                        let blob = blob.location.as_str().to_owned();
                        copied.faulty.push(BlobFault { blob, fault: fault.to_owned() });
                    }
                }
            }
            lines.push('\n');
        }
        list = on_disk(&path, move || list.write_all(lines.as_bytes()).map(|()| list)).await?;
    }
    let (folder, file) = (copy.to_owned(), path.clone());
    let told = on_disk(&path, move || {
        list.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        remove_unnamed(&folder)?;
        hash(File::open(file)?)
    });
    let (bytes, digest) = told.await?;
    copied.list = Some(CopiedFile { bytes, sha256: digest.to_hex() });
    Ok(copied)
}

/// Where a stored file is in a copy.
fn place(copy: &Path, of: &BlobLocation) -> PathBuf {
    copy.join("blobs").join("sha256").join(&of.digest().to_hex()[..2]).join(of.as_str())
}

fn has_length(path: &Path, bytes: u64) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.len() == bytes)
}

/// Copies one file; answers what is wrong with it when it cannot be.
async fn copy_one(
    blobs: &dyn WalkableBlobs,
    blob: &BlobInfo,
    copy: &Path,
    base: Option<&Path>,
) -> Result<Option<&'static str>, BackupError> {
    let (target, earlier, size) =
        (place(copy, &blob.location), base.map(|base| place(base, &blob.location)), blob.size);
    let begun = target.clone();
    let Some(file) = on_disk(&target, move || begin(&begun, earlier.as_deref(), size)).await? else { return Ok(None) };
    match pour(blobs, blob, file, &target).await {
        Ok(()) => {}
        Err(BackupError::Blob(error)) => {
            let fault = match &error {
                BlobError::Missing(_) => "missing",
                BlobError::Corrupt(..) => "damaged",
                _ => return Err(error.into()),
            };
            tracing::error!(blob.digest = %blob.location.digest(), %error, "a stored file cannot be copied");
            let unfinished = unfinished(&target);
            on_disk(&target, move || fs::remove_file(unfinished)).await?;
            return Ok(Some(fault));
        }
        Err(error) => return Err(error),
    }
    let end = target.clone();
    apart(&target, move || {
        fs::rename(unfinished(&end), &end).map_err(at(&end))?;
        sync_parent(&end)
    })
    .await?;
    Ok(None)
}

fn unfinished(target: &Path) -> PathBuf {
    target.with_extension("unfinished")
}

/// A file to be filled; `None` when it is there already, from a run before or from an earlier copy.
fn begin(target: &Path, earlier: Option<&Path>, bytes: u64) -> io::Result<Option<File>> {
    if has_length(target, bytes) {
        return Ok(None);
    }
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    if earlier.is_some_and(|earlier| has_length(earlier, bytes) && fs::hard_link(earlier, target).is_ok()) {
        return Ok(None);
    }
    File::create(unfinished(target)).map(Some)
}

/// Writes the bytes of a stored file, durably, and compares them with its digest.
async fn pour(blobs: &dyn WalkableBlobs, blob: &BlobInfo, mut file: File, target: &Path) -> Result<(), BackupError> {
    let mut hasher = Hasher::default();
    let mut bytes = blobs.open(blob, None).await?;
    while let Some(chunk) = bytes.try_next().await? {
        hasher.update(&chunk);
        file = on_disk(target, move || file.write_all(&chunk).map(|()| file)).await?;
    }
    let found = hasher.digest();
    if (hasher.size(), found) != (blob.size, blob.location.digest()) {
        let what = format!("its digest is {found}");
        return Err(BlobError::Corrupt(blob.location.as_str().to_owned(), what).into());
    }
    on_disk(target, move || file.sync_all()).await
}

/// A line of the list.
struct Line {
    blob: BlobInfo,
    is_whole: bool,
}

fn lines(copy: &Path) -> io::Result<impl Iterator<Item = io::Result<Line>>> {
    let lines = BufReader::new(File::open(copy.join(LIST))?).lines();
    Ok(lines.map(|line| line.and_then(|line| parse(&line))))
}

fn parse(line: &str) -> io::Result<Line> {
    let no_line = || io::Error::new(io::ErrorKind::InvalidData, format!("{line:?} is no line of it"));
    let mut words = line.split(' ');
    let location = words.next().and_then(|word| BlobLocation::try_from(word).ok()).ok_or_else(no_line)?;
    let size = words.next().and_then(|word| word.parse().ok()).ok_or_else(no_line)?;
    Ok(Line { blob: BlobInfo { location, size }, is_whole: words.next().is_none() })
}

/// Takes away what a run before has copied and the database of this one does not name.
fn remove_unnamed(copy: &Path) -> io::Result<()> {
    let mut lines = lines(copy)?.peekable();
    for shelf in 0..=u8::MAX {
        let shelf = format!("{shelf:02x}");
        let mut named = HashSet::new();
        while let Some(line) =
            lines.next_if(|line| line.as_ref().map_or(true, |line| line.blob.location.as_str().starts_with(&shelf)))
        {
            let line = line?;
            if line.is_whole {
                named.insert(line.blob.location.as_str().to_owned());
            }
        }
        for entry in entries(&copy.join("blobs").join("sha256").join(&shelf))? {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(|name| named.contains(name)) {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

/// What is in a folder; nothing where there is none.
fn entries(folder: &Path) -> io::Result<impl Iterator<Item = io::Result<fs::DirEntry>>> {
    let read = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        read => Some(read?),
    };
    Ok(read.into_iter().flatten())
}

/// Puts the files of a copy into a blob store, each compared with its digest.
pub(super) async fn restore_all(copy: &Path, blobs: &dyn Restorable, manifest: &Manifest) -> Result<(), BackupError> {
    let not_whole = |what: String| BackupError::NotWhole { path: copy.to_owned(), what };
    let Some(expected) = &manifest.list else {
        return restore_unlisted(copy, blobs, manifest.blobs).await;
    };
    let list = copy.join(LIST);
    let (bytes, digest) = File::open(&list).and_then(hash).map_err(|error| not_whole(format!("{LIST}: {error}")))?;
    if (bytes, digest.to_hex()) != (expected.bytes, expected.sha256.clone()) {
        return Err(not_whole(format!("{LIST} was changed after it was written")));
    }
    for line in lines(copy).map_err(at(&list))? {
        let Line { blob, is_whole } = line.map_err(at(&list))?;
        if !is_whole {
            continue;
        }
        let path = place(copy, &blob.location);
        if !path.is_file() {
            return Err(not_whole(format!("the stored file {} is missing", blob.location.as_str())));
        }
        blobs.restore(&blob, &path).await?;
    }
    Ok(())
}

/// The same for a copy of before there was a list: all that is there, and not less than was counted.
async fn restore_unlisted(copy: &Path, blobs: &dyn Restorable, counted: u64) -> Result<(), BackupError> {
    let mut restored = 0;
    for shelf in 0..=u8::MAX {
        let folder = copy.join("blobs").join("sha256").join(format!("{shelf:02x}"));
        for entry in entries(&folder).map_err(at(&folder))? {
            let entry = entry.map_err(at(&folder))?;
            let name = entry.file_name();
            let Some(location) = name.to_str().and_then(|name| BlobLocation::try_from(name).ok()) else { continue };
            let size = entry.metadata().map_err(at(&folder))?.len();
            blobs.restore(&BlobInfo { location, size }, &entry.path()).await?;
            restored += 1;
        }
    }
    if restored < counted {
        let what = format!("it has {restored} stored files of {counted}");
        return Err(BackupError::NotWhole { path: copy.to_owned(), what });
    }
    Ok(())
}
