//! The content of entries, inflated after the `zip` crate has compared local and central headers.
//!
//! Its own rules on top of ours: no local header that the directory does not list, names, flags, method,
//! sizes, time and checksum equal in both places, no overlap with all extra fields counted. When that is so, the
//! content of an entry is where our own reading of the directory says, and the crate is not needed any more.
//!
//! Units and bounds: one entry gives at most its declared bytes, then its CRC must fit; content goes by in
//! pieces of at most [`CHUNK_BYTES`]. The crate holds about 400 bytes for each entry while it compares.
//! Errors: `zip_header_mismatch`, `zip_overlap`, `zip_crc`; a fault of the storage is kept apart from damage
//! by [`Window`], since both come out of the crate as errors of reading.
//! Sources: `ZipArchive::validate_header_consistency` of zip 9.8.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::rc::Rc;

use flate2::{Decompress, FlushDecompress, Status};
use keeper_core::blob::ReadSeek;
use keeper_core::error::{Code, Problem};
use keeper_core::format::InspectError;
use zip::ZipReadOptions;
use zip::read::{ArchiveOffset, Config, ZipArchive};
use zip::result::ZipError;

use super::entry::Entry;
use super::{Directory, Fields};
use crate::error::{Problems, ZIP_CRC, ZIP_HEADER_MISMATCH, ZIP_OVERLAP, entry_problem};
use crate::limits::CHUNK_BYTES;

const LOCAL_HEADER_BYTES: usize = 30;

/// An archive whose two directories agree.
pub struct Contents<'a> {
    input: Window<'a>,
    fault: Fault,
    inflate: Decompress,
    buffer: Vec<u8>,
}

impl<'a> Contents<'a> {
    /// Compares the headers of all entries. `None`: they contradict each other, and the problems say where.
    ///
    /// The crate holds 400 bytes for each entry, the directory a quarter of it: both at once would be too much
    /// for an archive of very many. So the directory is read anew behind the crate.
    ///
    /// # Errors
    /// Only when the staged bytes cannot be read.
    pub fn open(
        input: &'a mut dyn ReadSeek,
        directory: &mut Directory,
        problems: &mut Problems,
    ) -> Result<Option<Self>, InspectError> {
        directory.forget();
        if !is_consistent(input, directory, problems)? {
            return Ok(None);
        }
        directory.recall(input)?;
        let fault = Fault::default();
        let input = Window::new(input, fault.clone()).map_err(InspectError::Input)?;
        Ok(Some(Self { input, fault, inflate: Decompress::new(false), buffer: vec![0; CHUNK_BYTES] }))
    }

    /// Gives the content of an entry in pieces to `each`, and ends with it if it fails.
    ///
    /// # Errors
    /// `zip_crc`, if there is more or less than declared or other bytes than the checksum is of; else what
    /// `each` says, or a fault of the storage.
    pub fn stream(
        &mut self,
        entry: &Entry,
        each: &mut dyn FnMut(&[u8]) -> Result<(), InspectError>,
    ) -> Result<(), InspectError> {
        let damaged = |why: &str| entry_problem(&ZIP_CRC, &entry.name, why);
        let Self { input, fault, inflate, buffer } = self;
        if let Err(error) = find_content(input, entry.offset) {
            return fault.refuse(damaged(&error.to_string()));
        }
        let packed = input.take(entry.packed);
        inflate.reset(false);
        let mut content: Box<dyn Read + '_> =
            if entry.is_deflated { Box::new(Inflated { packed, inflate }) } else { Box::new(packed) };
        let (mut left, mut crc) = (entry.size, crc32fast::Hasher::new());
        loop {
            let bytes = match fill(&mut content, buffer) {
                Ok(0) => break,
                Ok(bytes) => bytes,
                Err(error) => return fault.refuse(damaged(&error.to_string())),
            };
            left = left.checked_sub(bytes as u64).ok_or_else(|| damaged("it is longer than it declares"))?;
            crc.update(&buffer[..bytes]);
            each(&buffer[..bytes])?;
        }
        if left > 0 {
            return fault.refuse(damaged(&format!("it is {left} bytes shorter than it declares")));
        }
        if crc.finalize() == entry.crc { Ok(()) } else { fault.refuse(damaged("its checksum is of other bytes")) }
    }

    /// The first bytes of an entry, or all of it if it has no more than `limit_bytes`.
    ///
    /// # Errors
    /// As [`Contents::stream`]; what is beyond the limit is not looked at.
    pub fn read(&mut self, entry: &Entry, limit_bytes: u64) -> Result<Vec<u8>, InspectError> {
        let mut content = Vec::new();
        let limit = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
        // Ends the stream early; the error itself goes nowhere.
        let mut is_full = false;
        let result = self.stream(entry, &mut |piece| {
            content.extend_from_slice(&piece[..piece.len().min(limit - content.len())]);
            is_full = content.len() == limit && entry.size > limit_bytes;
            if is_full { Err(InspectError::Input(io::Error::other("enough"))) } else { Ok(()) }
        });
        if is_full { Ok(content) } else { result.map(|()| content) }
    }
}

/// Goes to the content behind a local header, whose own lengths were compared with the directory's but for those
/// of the extra fields, which may differ.
fn find_content(input: &mut Window<'_>, offset: u64) -> io::Result<()> {
    let mut header = [0; LOCAL_HEADER_BYTES];
    input.seek(SeekFrom::Start(offset))?;
    input.read_exact(&mut header)?;
    let fields = Fields(&header);
    input.seek(SeekFrom::Current(i64::from(fields.u16(26)) + i64::from(fields.u16(28)))).map(drop)
}

/// What comes out of deflated bytes. One decompressor serves all entries: making one for each costs more than it
/// does for a small entry.
struct Inflated<'i, R> {
    packed: R,
    inflate: &'i mut Decompress,
}

impl<R: BufRead> Read for Inflated<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let packed = self.packed.fill_buf()?;
            let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
            let flush = if packed.is_empty() { FlushDecompress::Finish } else { FlushDecompress::None };
            let status = self.inflate.decompress(packed, buffer, flush);
            let is_over = packed.is_empty();
            self.packed.consume(difference(self.inflate.total_in(), taken));
            let given = difference(self.inflate.total_out(), given);
            match status.map_err(io::Error::from)? {
                _ if given > 0 => return Ok(given),
                Status::StreamEnd => return Ok(0),
                _ if is_over || buffer.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                _ => {}
            }
        }
    }
}

/// What came between two readings of a counter; never more than a slice is long.
fn difference(now: u64, before: u64) -> usize {
    usize::try_from(now - before).unwrap_or_default()
}

/// Reads as much as fits. All pieces but the last of an entry are then equally long, whatever way the
/// archive was packed: what is made of the first one must not depend on that.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Whether the crate finds nothing wrong; the problems say what it found.
fn is_consistent(
    input: &mut dyn ReadSeek,
    directory: &Directory,
    problems: &mut Problems,
) -> Result<bool, InspectError> {
    let fault = Fault::default();
    let window = Window::new(input, fault.clone()).map_err(InspectError::Input)?;
    // Entries begin at 0, as was checked: no search for another beginning.
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    let is_consistent = match ZipArchive::with_config(config, window) {
        Ok(mut zip) => judge(&mut zip, directory, problems),
        Err(error) => {
            problems.push(archive_problem(&error));
            false
        }
    };
    fault.check(is_consistent)
}

/// What the crate holds against the archive, entry by entry where it can be told.
fn judge(zip: &mut ZipArchive<Window<'_>>, directory: &Directory, problems: &mut Problems) -> bool {
    if zip.len() as u64 != directory.listed() {
        let detail = format!("{} of {} entries are the only ones of their names", zip.len(), directory.listed());
        problems.push(Problem::new(&ZIP_HEADER_MISMATCH, detail).field("file"));
        return false;
    }
    let Err(error) = zip.validate_header_consistency() else { return true };
    let mut is_told = false;
    for number in 0..zip.len() {
        let options = ZipReadOptions::new().enforce_header_consistency(true);
        let Err(error) = zip.by_index_with_options(number, options).map(drop) else { continue };
        let name = zip.by_index_data(number).map(|entry| String::from_utf8_lossy(entry.name_raw()).into_owned());
        problems.push(entry_problem(&ZIP_HEADER_MISMATCH, &name.unwrap_or_default(), &error.to_string()));
        is_told = true;
        if problems.is_full() {
            break;
        }
    }
    if !is_told {
        problems.push(archive_problem(&error));
    }
    false
}

fn archive_problem(error: &ZipError) -> Problem {
    let text = error.to_string();
    // The crate has one kind of error for all of these; a test holds the word.
    let code: &'static Code = if text.contains("overlapping") { &ZIP_OVERLAP } else { &ZIP_HEADER_MISMATCH };
    Problem::new(code, text).field("file")
}

/// Remembers the first fault of the storage.
#[derive(Clone, Default)]
struct Fault(Rc<RefCell<Option<io::Error>>>);

impl Fault {
    fn check<T>(&self, value: T) -> Result<T, InspectError> {
        self.0.take().map_or(Ok(value), |error| Err(InspectError::Input(error)))
    }

    fn refuse<T>(&self, problem: Problem) -> Result<T, InspectError> {
        self.check(())?;
        Err(problem.into())
    }
}

/// The staged bytes, read in large pieces. The crate seeks to each header and to each content; in an
/// ordinary archive that is a step forward within what was read already, so the piece is kept.
struct Window<'a> {
    input: BufReader<Watched<'a>>,
    at: u64,
    size: u64,
}

impl<'a> Window<'a> {
    fn new(input: &'a mut dyn ReadSeek, fault: Fault) -> io::Result<Self> {
        let size = input.seek(SeekFrom::End(0))?;
        input.rewind()?;
        Ok(Self { input: BufReader::with_capacity(CHUNK_BYTES, Watched { input, fault }), at: 0, size })
    }
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.input.read(buffer)?;
        self.at += bytes as u64;
        Ok(bytes)
    }
}

impl BufRead for Window<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.at += bytes as u64;
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(delta) => self.size.checked_add_signed(delta),
            SeekFrom::Current(delta) => self.at.checked_add_signed(delta),
        };
        let outside = || io::Error::new(io::ErrorKind::InvalidInput, "a place outside the file");
        let target = target.filter(|target| *target <= self.size).ok_or_else(outside)?;
        let step = i64::try_from(i128::from(target) - i128::from(self.at)).map_err(|_| outside())?;
        self.input.seek_relative(step)?;
        self.at = target;
        Ok(target)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        Ok(self.at)
    }
}

/// The staged bytes; their own errors are remembered before the crate wraps them.
struct Watched<'a> {
    input: &'a mut dyn ReadSeek,
    fault: Fault,
}

impl Watched<'_> {
    fn watch<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            if error.kind() == io::ErrorKind::Interrupted {
                return error;
            }
            let told = io::Error::new(error.kind(), error.to_string());
            self.fault.0.borrow_mut().get_or_insert(error);
            told
        })
    }
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.input.read(buffer);
        self.watch(result)
    }
}

impl Seek for Watched<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let result = self.input.seek(to);
        self.watch(result)
    }
}
