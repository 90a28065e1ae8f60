//! Stored bytes as something that archive readers can seek in, one window of them in memory.
//!
//! Lives on a blocking thread and asks the runtime for the next window when it runs out of the present one.
//! A fault of the store is kept apart, since it comes out of an archive reader as one of the archive.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use keeper_core::blob::{BlobInfo, ByteRange};
use keeper_core::error::Failure;
use keeper_core::pipeline::{Keeper, Resolution};
use tokio::runtime::Handle;

/// The fault that a failed read stood for.
#[derive(Clone, Default)]
pub(super) struct Fault(Arc<Mutex<Option<Failure>>>);

impl Fault {
    pub(super) fn take(&self) -> Option<Failure> {
        self.0.lock().ok()?.take()
    }

    fn set(&self, failure: Failure) {
        if let Ok(mut fault) = self.0.lock() {
            *fault = Some(failure);
        }
    }
}

/// Bytes of a file, `held` of which begin at `start`.
pub(super) struct Window {
    keeper: Arc<Keeper>,
    runtime: Handle,
    blob: Option<BlobInfo>,
    size: u64,
    bytes_at_once: u64,
    start: u64,
    held: Bytes,
    position: u64,
    fault: Fault,
}

impl Window {
    /// Must be made inside the runtime.
    pub(super) fn new(keeper: Arc<Keeper>, of: Resolution, bytes_at_once: u64) -> Self {
        let size = of.size();
        let (blob, held) = match of {
            Resolution::Bytes(bytes) => (None, bytes),
            Resolution::Blob(blob) => (Some(blob), Bytes::new()),
            // Not listed, and so not read.
            Resolution::Relay(_) => (None, Bytes::new()),
        };
        let (runtime, fault) = (Handle::current(), Fault::default());
        Self { keeper, runtime, blob, size, bytes_at_once, start: 0, held, position: 0, fault }
    }

    pub(super) fn fault(&mut self) -> Fault {
        self.fault.clone()
    }

    /// What is held from the position on; empty at the end only.
    fn rest(&mut self) -> io::Result<&[u8]> {
        let inside = |window: &Self| {
            let at = window.position.checked_sub(window.start)?;
            usize::try_from(at).ok().filter(|at| *at < window.held.len())
        };
        if inside(self).is_none() && self.position < self.size {
            self.load()?;
        }
        Ok(inside(self).map_or(&[], |at| &self.held[at..]))
    }

    fn load(&mut self) -> io::Result<()> {
        let Some(blob) = &self.blob else { return Ok(()) };
        let range = ByteRange { start: self.position, end: self.size.min(self.position + self.bytes_at_once) };
        match self.runtime.block_on(self.keeper.bytes(blob, Some(range))) {
            Ok(held) => {
                (self.start, self.held) = (self.position, held);
                Ok(())
            }
            Err(failure) => {
                self.fault.set(failure);
                Err(io::Error::other("the store failed"))
            }
        }
    }
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = self.rest()?;
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = target.ok_or_else(|| io::Error::other("a place before the beginning"))?;
        Ok(self.position)
    }
}
