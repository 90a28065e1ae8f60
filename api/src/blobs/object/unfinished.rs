//! Uploads in parts that did not end: their notes, and giving them up.
//!
//! ```text
//! <data>/tmp/upload-4711-12      the key, a line end, the number that the store gave the upload
//! ```
//!
//! A note is there before the first part is sent, and goes when the upload has ended or was given up. One whose upload
//! the store would not give up stays, over starts, and is tried again each day.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keeper_core::blob::BlobError;
use keeper_core::limits::UPLOAD_TIME;
use object_store::multipart::MultipartStore;
use object_store::path::Path as Key;

use super::{Shared, is_absence, told};
use crate::blobs::durable::refused_write;
use crate::blobs::lane::Lane;

/// Time between two tries.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// What notes are called.
const NOTE: &str = "upload-";

static NOTES: AtomicU64 = AtomicU64::new(0);

/// The note of an upload in parts.
pub(super) struct Note(PathBuf);

impl Note {
    /// Whether a file of this name is one.
    pub(super) fn is_one(name: &str) -> bool {
        name.starts_with(NOTE)
    }

    pub(super) async fn write(tmp: &FilePath, key: &Key, id: &str, lane: &Lane) -> Result<Self, BlobError> {
        let (tmp, text) = (tmp.to_owned(), format!("{key}\n{id}\n"));
        lane.run(move || written(&tmp, &text).map(Self).map_err(refused_write)).await
    }

    pub(super) async fn remove(self, lane: &Lane) {
        let removed = lane.run(move || fs::remove_file(self.0).map_err(refused_write)).await;
        if let Err(error) = removed {
            tracing::warn!(%error, "the note of an upload stays until the next start");
        }
    }
}

/// An earlier process of the same number may have left notes.
fn written(tmp: &FilePath, text: &str) -> io::Result<PathBuf> {
    loop {
        let number = NOTES.fetch_add(1, Ordering::Relaxed);
        let path = tmp.join(format!("{NOTE}{}-{number}", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => return file.write_all(text.as_bytes()).map(|()| path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Tries again each day, as long as somebody uses the store.
pub(super) fn give_up_daily(shared: &Arc<Shared>) {
    let store = Arc::downgrade(shared);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(DAY).await;
            let Some(store) = store.upgrade() else { return };
            // None that is under way is as old as that.
            if let Err(error) = store.give_up_uploads(2 * UPLOAD_TIME).await {
                tracing::warn!(%error, "unfinished uploads could not be looked for");
            }
        }
    });
}

impl Shared {
    /// Ends the uploads whose notes are there and at least so old.
    pub(super) async fn give_up_uploads(&self, age: Duration) -> Result<(), BlobError> {
        for entry in fs::read_dir(&self.tmp)?.flatten() {
            let is_old = || Some(entry.metadata().ok()?.modified().ok()?.elapsed().unwrap_or_default() >= age);
            if !Note::is_one(&entry.file_name().to_string_lossy()) || is_old() != Some(true) {
                continue;
            }
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            let given_up = match text.trim_end().split_once('\n') {
                Some((key, id)) => self.store.abort_multipart(&Key::from(key), &id.to_owned()).await,
                // Half a note is older than the first part of its upload.
                None => Ok(()),
            };
            match given_up {
                Err(error) if !is_absence(&error) => {
                    tracing::warn!(error = told(&error), note = text, "an unfinished upload stays in the bucket");
                }
                _ => {
                    fs::remove_file(entry.path())?;
                    tracing::info!(note = text, "gave up an unfinished upload");
                }
            }
        }
        Ok(())
    }
}
