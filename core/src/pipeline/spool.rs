//! Takes the files that an inspection writes: small ones stay in memory, larger ones go to the blob store's
//! stage as they come, so that memory stays constant whatever the upload holds.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;

use crate::artifact::{ArtifactFile, FileContent};
use crate::blob::{BlobError, BlobStore, StagedBlob};
use crate::digest::Digest;
use crate::format::{FileSink, NewFile};
use crate::limits::{INLINE_BYTES, IO_CHUNK_BYTES};

/// The files of one upload while they are written. Lives on a blocking thread.
pub(super) struct Spool {
    blobs: Arc<dyn BlobStore>,
    runtime: Handle,
    limit_bytes: u64,
    files: Vec<(NewFile, SpooledFile)>,
    /// The storage's own error, which an `io::Error` on its way through a format could not carry typed.
    failure: Option<BlobError>,
}

enum SpooledFile {
    /// The upload itself, which its owner holds.
    Upload,
    Memory(Vec<u8>),
    Staged {
        stage: Box<dyn StagedBlob>,
        buffer: Vec<u8>,
    },
}

impl Spool {
    /// Takes files of at most `limit_bytes` each. Must be made inside the runtime.
    pub(super) fn new(blobs: Arc<dyn BlobStore>, limit_bytes: u64) -> Self {
        Self { blobs, runtime: Handle::current(), limit_bytes, files: Vec::new(), failure: None }
    }

    /// The error that a failed write stood for.
    pub(super) fn take_failure(&mut self) -> Option<BlobError> {
        self.failure.take()
    }

    /// What would be stored, without storing it: for a dry run and to compare with what is there.
    pub(super) fn sizes(&self) -> impl Iterator<Item = (&NewFile, u64, Digest)> + Clone {
        self.files.iter().filter_map(|(file, spooled)| match spooled {
            SpooledFile::Upload => None,
            SpooledFile::Memory(bytes) => Some((file, bytes.len() as u64, Digest::of(bytes))),
            SpooledFile::Staged { stage, .. } => {
                let (size, digest) = stage.written();
                Some((file, size, digest))
            }
        })
    }

    /// Takes the upload where it is to be a file, and hands the rest of all buffers to the stages. Blocking; called
    /// once, after the last write. Any failed
    /// write fails it: a format whose archive writer swallowed the error must not publish a file with a hole.
    pub(super) fn finish(&mut self, mut upload: Box<dyn StagedBlob>) -> Result<(), BlobError> {
        if let Some(fault) = self.failure.take() {
            return Err(fault);
        }
        if let Some((_, kept)) = self.files.iter_mut().find(|(_, file)| matches!(file, SpooledFile::Upload)) {
            *kept = if upload.written().0 <= INLINE_BYTES as u64 {
                let mut bytes = Vec::new();
                self.runtime.block_on(upload.reader())?.read_to_end(&mut bytes)?;
                SpooledFile::Memory(bytes)
            } else {
                SpooledFile::Staged { stage: upload, buffer: Vec::new() }
            };
        }
        for (_, spooled) in &mut self.files {
            if let SpooledFile::Staged { stage, buffer } = spooled
                && !buffer.is_empty()
            {
                let rest = Bytes::from(std::mem::take(buffer));
                self.runtime.block_on(stage.write(rest))?;
            }
        }
        Ok(())
    }

    /// Takes the files of another one in front of its own.
    pub(super) fn begin_with(&mut self, other: Self) {
        self.files.splice(0..0, other.files);
    }

    /// Makes all files durable.
    pub(super) async fn commit(self) -> Result<Vec<ArtifactFile>, BlobError> {
        let mut files = Vec::with_capacity(self.files.len());
        for (NewFile { path, name, media_type }, spooled) in self.files {
            let (digest, content) = match spooled {
                SpooledFile::Memory(bytes) => (Digest::of(&bytes), FileContent::Inline(bytes.into())),
                SpooledFile::Upload => continue,
                SpooledFile::Staged { stage, .. } => {
                    let blob = stage.commit().await?;
                    (blob.location.digest(), FileContent::Stored(blob))
                }
            };
            files.push(ArtifactFile { path, name, media_type, digest, content });
        }
        Ok(files)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        let Some((_, current)) = self.files.last_mut() else {
            return Ok(());
        };
        match current {
            SpooledFile::Memory(memory) if memory.len() + bytes.len() <= INLINE_BYTES => {
                memory.extend_from_slice(bytes);
            }
            SpooledFile::Memory(memory) => {
                let stage = self.runtime.block_on(self.blobs.stage(self.limit_bytes))?;
                let mut buffer = std::mem::take(memory);
                buffer.extend_from_slice(bytes);
                *current = SpooledFile::Staged { stage, buffer };
            }
            SpooledFile::Staged { buffer, .. } => buffer.extend_from_slice(bytes),
            SpooledFile::Upload => {}
        }
        if let SpooledFile::Staged { stage, buffer } = current
            && buffer.len() >= IO_CHUNK_BYTES
        {
            let full = std::mem::replace(buffer, Vec::with_capacity(IO_CHUNK_BYTES + INLINE_BYTES));
            self.runtime.block_on(stage.write(Bytes::from(full)))?;
        }
        Ok(())
    }
}

impl io::Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes).map_err(|error| {
            let text = error.to_string();
            self.failure = Some(error);
            io::Error::other(text)
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileSink for Spool {
    fn create(&mut self, file: NewFile) -> io::Result<&mut dyn io::Write> {
        self.files.push((file, SpooledFile::Memory(Vec::new())));
        Ok(self)
    }

    fn keep(&mut self, file: NewFile) -> io::Result<()> {
        if self.files.iter().any(|(_, file)| matches!(file, SpooledFile::Upload)) {
            return Err(io::Error::other("the upload is a file already"));
        }
        self.files.push((file, SpooledFile::Upload));
        Ok(())
    }
}
