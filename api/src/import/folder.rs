//! A folder: walked in order of names, one folder after the other. Links are not followed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::BytesMut;
use keeper_core::blob::{BlobStore, StagedBlob};
use keeper_core::error::{Failure, codes};
use keeper_core::format::{ForeignFile, FormatHandler};
use keeper_core::limits::IO_CHUNK_BYTES;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;

use super::place::Found;
use super::tally::Tally;

/// Folders within each other; a package's name has fewer parts.
const DEPTH: usize = 64;

/// A folder, and where bytes are staged.
pub(super) struct Folder {
    pub(super) root: PathBuf,
    pub(super) blobs: Arc<dyn BlobStore>,
}

impl Folder {
    pub(super) async fn find(&self, handler: Arc<dyn FormatHandler>, to: mpsc::Sender<Found>) -> Result<(), Failure> {
        let root = self.root.clone();
        let walk = tokio::task::spawn_blocking(move || walk(&root, &*handler, &to));
        walk.await.map_err(|error| Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by(error))
    }

    /// The file's bytes; `None` when it is not there.
    pub(super) async fn stage(
        &self,
        file: &ForeignFile,
        tally: &Tally,
    ) -> Result<Option<Box<dyn StagedBlob>>, Failure> {
        let unreadable = |error: io::Error| unreadable(&file.at, &error);
        let mut source = match tokio::fs::File::open(self.root.join(&file.at)).await {
            Ok(source) => source,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let mut staged = self.blobs.stage(file.limit_bytes).await?;
        let mut chunk = BytesMut::with_capacity(IO_CHUNK_BYTES);
        loop {
            let read = source.read_buf(&mut chunk).await.map_err(unreadable)?;
            if read == 0 || chunk.len() >= IO_CHUNK_BYTES {
                tally.read(chunk.len());
                staged.write(chunk.split().freeze()).await?;
                chunk.reserve(IO_CHUNK_BYTES);
            }
            if read == 0 {
                return Ok(Some(staged));
            }
        }
    }
}

fn unreadable(what: &str, error: &io::Error) -> Failure {
    Failure::new(&codes::FILE_NOT_FOUND, format!("{what} cannot be read: {error}"))
}

/// Sends the versions of all folders, until nobody takes them any more.
fn walk(root: &Path, handler: &dyn FormatHandler, to: &mpsc::Sender<Found>) {
    let Some(takeover) = handler.takeover() else { return };
    let mut waiting = vec![String::new()];
    while let Some(below) = waiting.pop() {
        let found = match names(&root.join(&below)) {
            Ok(Names { files, mut folders }) => {
                folders.reverse();
                if below.split('/').count() < DEPTH {
                    let within = |name: String| if below.is_empty() { name } else { format!("{below}/{name}") };
                    waiting.extend(folders.into_iter().map(within));
                }
                takeover.in_folder(&below, &files).into_iter().map(Found::Version).collect()
            }
            Err(error) => {
                let what = if below.is_empty() { root.display().to_string() } else { below };
                vec![Found::Trouble(what.clone(), unreadable(&what, &error))]
            }
        };
        for one in found {
            if to.blocking_send(one).is_err() {
                return;
            }
        }
    }
}

struct Names {
    files: Vec<String>,
    folders: Vec<String>,
}

/// What a folder holds, in order; names that are no text are nobody's version.
fn names(folder: &Path) -> io::Result<Names> {
    let mut names = Names { files: Vec::new(), folders: Vec::new() };
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            names.folders.push(name);
        } else if kind.is_file() {
            names.files.push(name);
        }
    }
    names.files.sort_unstable();
    names.folders.sort_unstable();
    Ok(names)
}
