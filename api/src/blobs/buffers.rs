//! Buffers that go round between the disk and the network.
//!
//! The allocator gives a quarter of a megabyte as fresh pages, which the kernel clears and maps one by one: for a
//! download from the page cache that is dearer than the copy itself. A buffer that has just been sent is also still
//! in the processor's cache.
//!
//! Bounds: [`KEPT`] idle buffers of [`IO_CHUNK_BYTES`]; more may be in use, as many as streams need.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use keeper_core::limits::IO_CHUNK_BYTES;

/// Idle buffers at most: 4 MiB.
const KEPT: usize = 16;

/// Chunks up to this length have memory of their own, for a small file must not hold a large buffer.
const OWN_BYTES: usize = IO_CHUNK_BYTES / 4;

/// The idle ones.
#[derive(Debug, Default)]
pub(super) struct Buffers(Mutex<Vec<Box<[u8]>>>);

impl Buffers {
    /// Room for so many bytes, at most [`IO_CHUNK_BYTES`]. What was there before is there still.
    pub(super) fn lend(self: &Arc<Self>, length: usize) -> Chunk {
        if length <= OWN_BYTES {
            return Chunk { bytes: vec![0; length].into(), length, home: None };
        }
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = idle.unwrap_or_else(|| vec![0; IO_CHUNK_BYTES].into());
        Chunk { bytes, length: length.min(IO_CHUNK_BYTES), home: Some(self.clone()) }
    }

    fn take_back(&self, bytes: Box<[u8]>) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(bytes);
        }
    }
}

/// A lent buffer. It goes home when nobody holds it any more.
#[derive(Debug)]
pub(super) struct Chunk {
    bytes: Box<[u8]>,
    length: usize,
    home: Option<Arc<Buffers>>,
}

impl Chunk {
    /// The room.
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
    }

    /// The room as bytes to send. The caller has filled all of it.
    pub(super) fn filled(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            home.take_back(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle(buffers: &Buffers) -> usize {
        buffers.0.lock().expect("no test panics with it").len()
    }

    #[test]
    fn a_buffer_comes_back_when_its_last_bytes_are_sent() {
        let buffers = Arc::new(Buffers::default());
        let mut chunk = buffers.lend(IO_CHUNK_BYTES);
        chunk.room().fill(7);
        let bytes = chunk.filled();
        let part = bytes.slice(10..20);
        drop(bytes);
        assert_eq!((idle(&buffers), &part[..]), (0, &[7; 10][..]));
        drop(part);
        assert_eq!(idle(&buffers), 1);
        let shorter = buffers.lend(OWN_BYTES + 1);
        assert_eq!((idle(&buffers), shorter.filled().len()), (0, OWN_BYTES + 1));
    }

    #[test]
    fn idle_buffers_are_few_and_small_chunks_have_none() {
        let buffers = Arc::new(Buffers::default());
        let lent: Vec<_> = (0..2 * KEPT).map(|_| buffers.lend(IO_CHUNK_BYTES)).collect();
        drop(lent);
        assert_eq!(idle(&buffers), KEPT);
        let small = buffers.lend(OWN_BYTES);
        assert_eq!((small.bytes.len(), idle(&buffers)), (OWN_BYTES, KEPT));
    }
}
