//! Blobs on their way out, in chunks of [`IO_CHUNK_BYTES`].
//!
//! What the kernel has in memory is read at once, where the chunk is asked for: a turn of the blocking pool costs as
//! much as copying it. What it would have to fetch is read on the blocking pool, and then the chunk behind it is
//! read ahead while this one is sent.
//!
//! The first read happens together with opening the file, on the blocking pool, so a small blob costs one turn of
//! it. At most two chunks of a stream are in memory: the one handed out and the one read ahead. A file that ends
//! early gives an error item, for a body that ends cleanly but short would pass as the whole.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use keeper_core::blob::{BlobError, BlobInfo, ByteRange, ByteStream};
use keeper_core::limits::IO_CHUNK_BYTES;
use rustix::io::{pread, retry_on_intr};
use tokio_util::task::AbortOnDropHandle;

use super::buffers::{Buffers, Chunk};
use super::lane::Lane;

/// What reads use: a share of the blocking pool, and buffers.
#[derive(Debug, Clone)]
pub(super) struct Reads {
    pub(super) lane: Lane,
    buffers: Arc<Buffers>,
}

impl Reads {
    /// So many at once wait for the disk; the others wait for them.
    pub(super) fn new(at_once: usize) -> Self {
        Self { lane: Lane::new("read", at_once), buffers: Arc::default() }
    }
}

/// A part of a file that is being written, all of which is there.
pub(super) fn part(reads: Reads, file: Arc<File>, name: Arc<str>, range: ByteRange) -> ByteStream {
    let Reads { lane, buffers } = reads;
    if range.start >= range.end {
        return Box::pin(stream::empty());
    }
    let rest = Progress::Rest(Part { file, name, buffers, at: range.start, end: range.end });
    Box::pin(stream::unfold(rest, move |progress| progress.step(lane.clone())))
}

/// The bytes of `blob`, which lies at `path`, or a part of them.
pub(super) async fn open(
    reads: Reads,
    path: PathBuf,
    blob: &BlobInfo,
    range: Option<ByteRange>,
) -> Result<ByteStream, BlobError> {
    let Reads { lane, buffers } = reads;
    let range = range.unwrap_or(ByteRange { start: 0, end: blob.size });
    if range.start > range.end || range.end > blob.size {
        let text = format!("{range:?} is not within {} bytes", blob.size);
        return Err(BlobError::Io(io::Error::new(io::ErrorKind::InvalidInput, text)));
    }
    let (name, size) = (blob.location.as_str().to_owned(), blob.size);
    let (first, part) = lane
        .run(move || {
            let file = Arc::new(open_intact(path, &name, size)?);
            let part = Part { file, name: name.into(), buffers, at: range.start, end: range.end };
            Begun::chunk_of(part).finish()
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
    buffers: Arc<Buffers>,
    at: u64,
    end: u64,
}

/// A chunk that is being read: the next one, empty only at the end.
struct Begun {
    part: Part,
    chunk: Chunk,
    filled: usize,
}

impl Begun {
    fn chunk_of(part: Part) -> Self {
        let wanted = usize::try_from(part.end - part.at).unwrap_or(usize::MAX).min(IO_CHUNK_BYTES);
        let chunk = part.buffers.lend(wanted);
        Self { part, chunk, filled: 0 }
    }

    fn is_full(&mut self) -> bool {
        self.filled == self.chunk.room().len()
    }

    /// Takes what the kernel has in memory. Never waits, and leaves errors to [`finish`](Self::finish).
    fn take_ready(mut self) -> Self {
        while !self.is_full() {
            let at = self.part.at + self.filled as u64;
            match ready(&self.part.file, &mut self.chunk.room()[self.filled..], at) {
                Some(read) => self.filled += read,
                None => break,
            }
        }
        self
    }

    /// Reads the rest of the chunk. Blocking.
    fn finish(mut self) -> Result<(Bytes, Part), BlobError> {
        while !self.is_full() {
            let at = self.part.at + self.filled as u64;
            let room = &mut self.chunk.room()[self.filled..];
            let read = retry_on_intr(|| pread(&self.part.file, &mut *room, at)).map_err(io::Error::from)?;
            if read == 0 {
                return Err(BlobError::Corrupt(self.part.name.to_string(), format!("it ends early, at byte {at}")));
            }
            self.filled += read;
        }
        self.part.at += self.filled as u64;
        Ok((self.chunk.filled(), self.part))
    }
}

/// How many bytes were read without waiting, if any. Not every file system can.
#[cfg(target_os = "linux")]
fn ready(file: &File, room: &mut [u8], at: u64) -> Option<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};
    let read = preadv2(file, &mut [io::IoSliceMut::new(room)], at, ReadWriteFlags::NOWAIT);
    read.ok().filter(|read| *read > 0)
}

#[cfg(not(target_os = "linux"))]
fn ready(_: &File, _: &mut [u8], _: u64) -> Option<usize> {
    None
}

/// Where a stream stands.
enum Progress {
    /// A chunk is ready, the rest untouched.
    Read(Bytes, Part),
    /// Nothing of the next chunk is read.
    Rest(Part),
    /// The next chunk is being read.
    Ahead(AbortOnDropHandle<Result<(Bytes, Part), BlobError>>),
    /// Nothing is left, or an error was handed out.
    Ended,
}

impl Progress {
    /// Hands out one chunk. If the disk had to be waited for, starts reading the one behind it.
    async fn step(self, lane: Lane) -> Option<(Result<Bytes, BlobError>, Self)> {
        let (read, waited) = match self {
            Self::Read(chunk, rest) => (Ok((chunk, rest)), false),
            Self::Rest(part) => {
                let mut begun = Begun::chunk_of(part).take_ready();
                let waited = !begun.is_full();
                let read = if waited { lane.run(move || begun.finish()).await } else { begun.finish() };
                (read, waited)
            }
            Self::Ahead(task) => match task.await {
                Ok(read) => (read, true),
                Err(error) => (Err(BlobError::Io(io::Error::other(error))), true),
            },
            Self::Ended => return None,
        };
        let (chunk, rest) = match read {
            Ok(read) => read,
            Err(error) => return Some((Err(error), Self::Ended)),
        };
        let next = if rest.at == rest.end {
            Self::Ended
        } else if waited {
            Self::Ahead(AbortOnDropHandle::new(tokio::spawn(read_ahead(lane, rest))))
        } else {
            Self::Rest(rest)
        };
        Some((Ok(chunk), next))
    }
}

/// The next chunk, wherever it is.
async fn read_ahead(lane: Lane, rest: Part) -> Result<(Bytes, Part), BlobError> {
    lane.run(move || Begun::chunk_of(rest).finish()).await
}
