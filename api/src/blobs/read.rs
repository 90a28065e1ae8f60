//! Blobs on their way out: reads of 256 KiB on the blocking pool, with one read ahead.
//!
//! The first read happens together with opening the file, so a small blob costs one turn of the pool. At
//! most two chunks of a stream are in memory: the one handed out and the one read ahead. A file that ends
//! early gives an error item, for a body that ends cleanly but short would pass as the whole.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use keeper_core::blob::{BlobError, BlobInfo, ByteRange, ByteStream};
use keeper_core::limits::IO_CHUNK_BYTES;
use rustix::buffer::spare_capacity;
use rustix::io::{pread, retry_on_intr};
use tokio_util::task::AbortOnDropHandle;

use super::lane::Lane;

/// The bytes of `blob`, which lies at `path`, or a part of them.
pub(super) async fn open(
    lane: Lane,
    path: PathBuf,
    blob: &BlobInfo,
    range: Option<ByteRange>,
) -> Result<ByteStream, BlobError> {
    let range = range.unwrap_or(ByteRange { start: 0, end: blob.size });
    if range.start > range.end || range.end > blob.size {
        let text = format!("{range:?} is not within {} bytes", blob.size);
        return Err(BlobError::Io(io::Error::new(io::ErrorKind::InvalidInput, text)));
    }
    let (name, size) = (blob.location.as_str().to_owned(), blob.size);
    let (first, part) = lane
        .run(move || {
            let file = open_intact(path, &name, size)?;
            Part { file: Arc::new(file), name: name.into(), at: range.start, end: range.end }.read_chunk()
        })
        .await?;
    if first.is_empty() {
        return Ok(Box::pin(stream::empty()));
    }
    Ok(Box::pin(stream::unfold(Progress::Read(first, part), move |progress| progress.step(lane.clone()))))
}

fn open_intact(path: PathBuf, name: &str, size: u64) -> Result<File, BlobError> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BlobError::Missing(name.to_owned()),
        _ => BlobError::Io(error),
    })?;
    let found = file.metadata()?.len();
    if found != size {
        return Err(BlobError::Corrupt(name.to_owned(), format!("{found} bytes instead of {size}")));
    }
    Ok(file)
}

/// What is still to be read.
struct Part {
    file: Arc<File>,
    name: Arc<str>,
    at: u64,
    end: u64,
}

impl Part {
    /// The next chunk, empty only at the end, and what is left after it.
    fn read_chunk(mut self) -> Result<(Bytes, Self), BlobError> {
        let wanted = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(IO_CHUNK_BYTES);
        let mut chunk = Vec::with_capacity(wanted);
        while chunk.len() < wanted {
            let at = self.at + chunk.len() as u64;
            let read = retry_on_intr(|| pread(&*self.file, spare_capacity(&mut chunk), at)).map_err(io::Error::from)?;
            if read == 0 {
                return Err(BlobError::Corrupt(self.name.to_string(), format!("it ends early, at byte {at}")));
            }
        }
        // The allocator may give more room than was asked for; what lies behind the range is not ours to send.
        chunk.truncate(wanted);
        self.at += wanted as u64;
        Ok((chunk.into(), self))
    }
}

/// Where a stream stands.
enum Progress {
    /// A chunk is ready, the rest untouched.
    Read(Bytes, Part),
    /// The next chunk is being read.
    Ahead(AbortOnDropHandle<Result<(Bytes, Part), BlobError>>),
    /// Nothing is left, or an error was handed out.
    Ended,
}

impl Progress {
    /// Hands out one chunk and starts reading the one behind it.
    async fn step(self, lane: Lane) -> Option<(Result<Bytes, BlobError>, Self)> {
        let read = match self {
            Self::Read(chunk, rest) => Ok((chunk, rest)),
            Self::Ahead(task) => match task.await {
                Ok(read) => read,
                Err(error) => Err(BlobError::Io(io::Error::other(error))),
            },
            Self::Ended => return None,
        };
        match read {
            Ok((chunk, rest)) if rest.at == rest.end => Some((Ok(chunk), Self::Ended)),
            Ok((chunk, rest)) => {
                let ahead = tokio::spawn(async move { lane.run(move || rest.read_chunk()).await });
                Some((Ok(chunk), Self::Ahead(AbortOnDropHandle::new(ahead))))
            }
            Err(error) => Some((Err(error), Self::Ended)),
        }
    }
}
