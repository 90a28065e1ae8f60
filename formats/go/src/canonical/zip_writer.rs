//! A zip, written entry after entry to something that cannot go back.
//!
//! ```text
//! PK\3\4 | version | 8 more follows | method | 1980-01-01 | 0 0 0 | lengths | name       local header
//! data
//! PK\7\8 | CRC | packed | size                                                           data descriptor
//! PK\1\2 | Unix, version | … | CRC | packed | size | … | 0100644 | offset | name         for each entry
//! PK\6\6 … PK\6\7 …                                                                      above 65,535 entries
//! PK\5\6                                                                                 end record
//! ```
//!
//! The `zip` crate writes the same bytes, as a test shows, but holds 400 bytes for each entry until the end, which
//! is most of the memory that an archive of very many files takes. Here it is [`Written`], and names are the caller's.
//!
//! Bounds: the caller keeps the whole below 4 GiB, so that every size and offset fits into 32 bits.
//! Source: APPNOTE.TXT 6.3.10, 4.3.

use std::io::{self, Write};

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::limits::CHUNK_BYTES;

const LOCAL: &[u8; 4] = b"PK\x03\x04";
const DESCRIPTOR: &[u8; 4] = b"PK\x07\x08";
const CENTRAL: &[u8; 4] = b"PK\x01\x02";
const END64: &[u8; 4] = b"PK\x06\x06";
const LOCATOR64: &[u8; 4] = b"PK\x06\x07";
const END: &[u8; 4] = b"PK\x05\x06";

/// Sizes and checksum follow the data.
const HAS_DESCRIPTOR: u16 = 1 << 3;
/// The name is UTF-8, which it need not say of ASCII.
const IS_UTF8: u16 = 1 << 11;
/// The first day that can be written.
const DAY: u16 = 1 << 5 | 1;
const UNIX: u16 = 3 << 8;
const REGULAR_0644: u32 = 0o100_644 << 16;

/// How an entry is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// As it is.
    Stored,
    /// Deflated.
    Deflated,
}

impl Method {
    fn code(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflated => 8,
        }
    }

    /// The version of the specification that a reader needs, times ten.
    fn version(self) -> u16 {
        match self {
            Self::Stored => 10,
            Self::Deflated => 20,
        }
    }
}

/// What the directory says of an entry, besides its name.
#[derive(Clone, Copy, Debug)]
struct Written {
    method: Method,
    crc: u32,
    packed: u32,
    size: u32,
    offset: u32,
}

/// The entry that is being written.
struct Open {
    method: Method,
    offset: u32,
    data: u64,
    size: u64,
    crc: crc32fast::Hasher,
}

/// Writes the archive.
pub(super) struct ZipWriter<'f, W> {
    out: Counted<W>,
    folder: &'f str,
    entries: Vec<Written>,
    open: Option<Open>,
    deflate: Compress,
    packed: Vec<u8>,
}

impl<'f, W: Write> ZipWriter<'f, W> {
    /// An archive without entries; all of them will be in `folder`, which ends with a slash or is empty. `level`
    /// is for those that are deflated.
    pub(super) fn new(out: W, folder: &'f str, level: u32) -> Self {
        Self {
            out: Counted { out, at: 0 },
            folder,
            entries: Vec::new(),
            open: None,
            deflate: Compress::new(Compression::new(level), false),
            packed: Vec::with_capacity(CHUNK_BYTES),
        }
    }

    /// Ends the entry before and begins one.
    pub(super) fn start(&mut self, name: &str, method: Method) -> io::Result<()> {
        self.end_entry()?;
        let offset = narrow(self.out.at)?;
        let mut head = Record::new(LOCAL);
        head.u16(method.version()).u16(self.flags(name)).u16(method.code()).u16(0).u16(DAY);
        head.u32(0).u32(0).u32(0).u16(self.length(name)?).u16(0);
        self.out.write_all(&head.0)?;
        self.write_name(name)?;
        self.open = Some(Open { method, offset, data: self.out.at, size: 0, crc: crc32fast::Hasher::new() });
        Ok(())
    }

    /// More of the entry's content.
    pub(super) fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Err(io::Error::other("no entry was begun")) };
        open.crc.update(piece);
        open.size += piece.len() as u64;
        match open.method {
            Method::Stored => self.out.write_all(piece),
            Method::Deflated => self.deflate(piece, FlushCompress::None),
        }
    }

    /// The directory. The names are those of the entries, in their order.
    pub(super) fn finish<'n>(mut self, names: impl Iterator<Item = &'n str>) -> io::Result<()> {
        self.end_entry()?;
        let start = self.out.at;
        let entries = std::mem::take(&mut self.entries);
        for (entry, name) in entries.iter().zip(names) {
            let mut head = Record::new(CENTRAL);
            let version = entry.method.version();
            head.u16(UNIX | version).u16(version).u16(self.flags(name)).u16(entry.method.code()).u16(0).u16(DAY);
            head.u32(entry.crc).u32(entry.packed).u32(entry.size).u16(self.length(name)?);
            // No extra fields, no comment, on the first disk, without internal attributes.
            head.u16(0).u16(0).u16(0).u16(0).u32(REGULAR_0644).u32(entry.offset);
            self.out.write_all(&head.0)?;
            self.write_name(name)?;
        }
        self.end(start, &entries)?;
        self.out.flush()
    }

    fn end(&mut self, start: u64, entries: &[Written]) -> io::Result<()> {
        let (end, count) = (self.out.at, entries.len() as u64);
        let wide = u16::try_from(count).is_err();
        if wide {
            let version = entries.iter().map(|entry| entry.method.version()).max().unwrap_or(0);
            let mut record = Record::new(END64);
            record.u64(44).u16(version).u16(version).u32(0).u32(0).u64(count).u64(count).u64(end - start).u64(start);
            self.out.write_all(&record.0)?;
            let mut locator = Record::new(LOCATOR64);
            locator.u32(0).u64(end).u32(1);
            self.out.write_all(&locator.0)?;
        }
        let (count, bytes) =
            (u16::try_from(count).unwrap_or(u16::MAX), if wide { u32::MAX } else { narrow(end - start)? });
        let mut record = Record::new(END);
        record.u16(0).u16(0).u16(count).u16(count).u32(bytes).u32(narrow(start)?).u16(0);
        self.out.write_all(&record.0)
    }

    fn end_entry(&mut self) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|open| open.method == Method::Deflated) {
            self.deflate(&[], FlushCompress::Finish)?;
            self.deflate.reset();
        }
        let Some(Open { method, offset, data, size, crc }) = self.open.take() else { return Ok(()) };
        let (crc, packed, size) = (crc.finalize(), narrow(self.out.at - data)?, narrow(size)?);
        let mut descriptor = Record::new(DESCRIPTOR);
        descriptor.u32(crc).u32(packed).u32(size);
        self.entries.push(Written { method, crc, packed, size, offset });
        self.out.write_all(&descriptor.0)
    }

    fn deflate(&mut self, mut piece: &[u8], flush: FlushCompress) -> io::Result<()> {
        loop {
            let before = self.deflate.total_in();
            self.packed.clear();
            let status = self.deflate.compress_vec(piece, &mut self.packed, flush)?;
            let taken = usize::try_from(self.deflate.total_in() - before).unwrap_or(piece.len());
            piece = &piece[taken.min(piece.len())..];
            self.out.write_all(&self.packed)?;
            let is_done = match flush {
                FlushCompress::Finish => status == Status::StreamEnd,
                _ => piece.is_empty() && self.packed.len() < self.packed.capacity(),
            };
            if is_done {
                return Ok(());
            }
        }
    }

    fn flags(&self, name: &str) -> u16 {
        let is_plain = self.folder.is_ascii() && name.is_ascii();
        if is_plain { HAS_DESCRIPTOR } else { HAS_DESCRIPTOR | IS_UTF8 }
    }

    fn length(&self, name: &str) -> io::Result<u16> {
        let length = self.folder.len() + name.len();
        u16::try_from(length).map_err(|_| io::Error::other("the name of an entry has more than 65,535 bytes"))
    }

    fn write_name(&mut self, name: &str) -> io::Result<()> {
        self.out.write_all(self.folder.as_bytes())?;
        self.out.write_all(name.as_bytes())
    }
}

fn narrow(number: u64) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| io::Error::other("the archive would have 4 GiB or more"))
}

/// Numbers in little-endian order behind a signature.
struct Record(Vec<u8>);

impl Record {
    fn new(signature: &[u8; 4]) -> Self {
        let mut bytes = Vec::with_capacity(56);
        bytes.extend_from_slice(signature);
        Self(bytes)
    }

    fn u16(&mut self, number: u16) -> &mut Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn u32(&mut self, number: u32) -> &mut Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn u64(&mut self, number: u64) -> &mut Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }
}

/// Knows how much has been written.
struct Counted<W> {
    out: W,
    at: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, DateTime, System};

    use super::*;

    /// An entry: its name below the folder, how it is kept, and the pieces in which its content comes.
    type Entry<'a> = (String, Method, Vec<&'a [u8]>);

    fn ours(folder: &str, entries: &[Entry<'_>]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut zip = ZipWriter::new(&mut out, folder, 2);
        for (name, method, pieces) in entries {
            zip.start(name, *method).expect("memory takes everything");
            pieces.iter().for_each(|piece| zip.write(piece).expect("memory takes everything"));
        }
        zip.finish(entries.iter().map(|(name, _, _)| name.as_str())).expect("memory takes everything");
        out
    }

    fn theirs(folder: &str, entries: &[Entry<'_>]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut zip = zip::ZipWriter::new_stream(&mut out);
        for (name, method, pieces) in entries {
            let options = SimpleFileOptions::default()
                .system(System::Unix)
                .unix_permissions(0o644)
                .last_modified_time(DateTime::default());
            let options = match method {
                Method::Stored => options.compression_method(CompressionMethod::Stored),
                Method::Deflated => options.compression_method(CompressionMethod::Deflated).compression_level(Some(2)),
            };
            zip.start_file(format!("{folder}{name}"), options).expect("a good name");
            pieces.iter().for_each(|piece| zip.write_all(piece).expect("memory takes everything"));
        }
        zip.finish().expect("memory takes everything");
        out
    }

    #[test]
    fn the_bytes_are_those_that_the_crate_would_write() {
        let text = b"package a // nothing of interest\n".repeat(20_000);
        let noise: Vec<u8> = (0..200_000_u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
        let long = "d/".repeat(200);
        let entries: Vec<Entry<'_>> = vec![
            ("go.mod".into(), Method::Deflated, vec![b"module ex.com/m\n"]),
            ("empty.go".into(), Method::Deflated, vec![&[]]),
            ("text.go".into(), Method::Deflated, text.chunks(CHUNK_BYTES).collect()),
            ("noise".into(), Method::Stored, noise.chunks(7_000).collect()),
            ("noise, deflated".into(), Method::Deflated, noise.chunks(CHUNK_BYTES).collect()),
            ("é.go".into(), Method::Deflated, vec![b"package a\n"]),
            (format!("{long}x.go"), Method::Stored, vec![b"package a\n"]),
        ];
        for entries in [&entries[..], &entries[..1], &entries[3..4], &[]] {
            assert!(
                ours("ex.com/m@v1.0.0/", entries) == theirs("ex.com/m@v1.0.0/", entries),
                "{} entries",
                entries.len()
            );
        }
    }

    #[test]
    fn more_entries_than_the_old_end_record_can_count_are_written_alike() {
        for count in [65_535, 65_536] {
            let entries: Vec<Entry<'_>> = (0..count).map(|n| (format!("{n}"), Method::Stored, vec![])).collect();
            assert!(ours("f/", &entries) == theirs("f/", &entries), "{count} entries");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let entries: [Entry<'_>; 2] =
            [("a".into(), Method::Deflated, vec![b"one", b" ", b"two"]), ("b".into(), Method::Stored, vec![b"three"])];
        let mut archive = zip::ZipArchive::new(Cursor::new(ours("f/", &entries))).expect("an archive");
        archive.validate_header_consistency().expect("local and central headers agree");
        for (name, content) in [("f/a", "one two"), ("f/b", "three")] {
            let entry = archive.by_name(name).expect(name);
            assert_eq!(io::read_to_string(entry).expect("its checksum fits"), content);
        }
    }
}
