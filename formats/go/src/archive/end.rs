//! The end of an archive: where its central directory is and how long, and that nothing is beside it.
//!
//! ```text
//! 0  PK\5\6 | 4 disk | 6 disk of directory | 8 entries here | 10 entries | 12 bytes | 16 offset | 20 comment length
//! 0  PK\6\7 | 4 disk of zip64 end | 8 its offset | 16 disks                     20 bytes, just before PK\5\6
//! 0  PK\6\6 | 4 its length - 12 | 16, 20 disks | 24, 32 entries | 40 bytes | 48 offset      before PK\6\7
//! ```
//!
//! Readers look for the last `PK\5\6`, so that one counts; it must end exactly at the end of the file.
//! Everything between must be contiguous: directory, zip64 end, locator, end. A reader that trusts the
//! offset and one that trusts the length then find the same directory.
//!
//! Errors: `not_a_zip`, `zip_truncated`, `zip_prefixed`, `zip_header_mismatch`, `zip_multi_disk`,
//! `zip_too_many_entries`.
//! Sources: APPNOTE.TXT 4.3.14 to 4.3.16; golang/go#66869 (a comment length that two readers took
//! differently); CVE-2024-24789.

use keeper_core::blob::ReadSeek;
use keeper_core::error::{Code, Problem};
use keeper_core::format::InspectError;

use super::{Fields, guess, read_at};
use crate::error::{NOT_A_ZIP, ZIP_HEADER_MISMATCH, ZIP_MULTI_DISK, ZIP_PREFIXED, ZIP_TOO_MANY_ENTRIES, ZIP_TRUNCATED};
use crate::limits::{DIRECTORY_BYTES, ENTRIES};

const RECORD: &[u8; 4] = b"PK\x05\x06";
const RECORD_BYTES: usize = 22;
const LOCATOR: &[u8; 4] = b"PK\x06\x07";
const LOCATOR_BYTES: u64 = 20;
const RECORD64: &[u8; 4] = b"PK\x06\x06";
const RECORD64_BYTES: usize = 56;
const LOCAL: &[u8; 4] = b"PK\x03\x04";
const HEAD_BYTES: usize = 512;

/// What the end of an archive says.
#[derive(Debug)]
pub struct End {
    /// Where the central directory begins.
    pub start: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its entries.
    pub entries: u64,
    /// The comment after it.
    pub comment: Vec<u8>,
    /// Whether the file begins with the local header of an entry.
    pub begins_with_entry: bool,
}

/// The numbers of an end record, 32 or 64 bits wide.
struct Record {
    disks: [u32; 2],
    entries_here: u64,
    entries: u64,
    bytes: u64,
    start: u64,
}

/// Finds and judges the end of a file of `size` bytes, which is not empty.
pub(super) fn find(input: &mut dyn ReadSeek, size: u64) -> Result<End, InspectError> {
    let head = read_at(input, 0, usize::try_from(size).unwrap_or(HEAD_BYTES).min(HEAD_BYTES))?;
    let begins_with_entry = head.starts_with(LOCAL);
    let longest = RECORD_BYTES + usize::from(u16::MAX);
    let tail_bytes = usize::try_from(size).unwrap_or(longest).min(longest);
    let tail = read_at(input, size - tail_bytes as u64, tail_bytes)?;
    let Some(at) = tail.windows(RECORD.len()).rposition(|bytes| bytes == RECORD) else {
        let detail = format!("the file has no end record of a zip; it looks like {}", guess::looks_like(&head));
        return Err(Problem::new(&NOT_A_ZIP, detail).field("file").into());
    };
    let comment = comment(&tail[at..])?;
    let end_at = size - tail_bytes as u64 + at as u64;
    let short = short_record(&tail[at..]);
    let (record, directory_end) = match wide_record(input, end_at)? {
        Some((wide, at)) => (agreed(&short, wide)?, at),
        None => (short, end_at),
    };
    judge(&record, directory_end, begins_with_entry)?;
    let Record { start, bytes, entries, .. } = record;
    Ok(End { start, bytes, entries, comment, begins_with_entry })
}

fn comment(record: &[u8]) -> Result<Vec<u8>, Problem> {
    let stated = usize::from(Fields(record).u16(20));
    match record.get(RECORD_BYTES..) {
        Some(comment) if comment.len() == stated => Ok(comment.to_vec()),
        Some(comment) if comment.len() > stated => {
            let detail = format!("{} bytes follow the end of the archive", comment.len() - stated);
            Err(Problem::new(&ZIP_PREFIXED, detail).field("file"))
        }
        _ => Err(Problem::new(&ZIP_TRUNCATED, "the end record of the archive is cut off").field("file")),
    }
}

fn short_record(record: &[u8]) -> Record {
    let fields = Fields(record);
    Record {
        disks: [fields.u16(4).into(), fields.u16(6).into()],
        entries_here: fields.u16(8).into(),
        entries: fields.u16(10).into(),
        bytes: fields.u32(12).into(),
        start: fields.u32(16).into(),
    }
}

/// The zip64 end record, if a locator stands just before the end record.
fn wide_record(input: &mut dyn ReadSeek, end_at: u64) -> Result<Option<(Record, u64)>, InspectError> {
    let least = LOCATOR_BYTES + RECORD64_BYTES as u64;
    if end_at < least {
        return Ok(None);
    }
    let locator_at = end_at - LOCATOR_BYTES;
    let locator = read_at(input, locator_at, LOCATOR_BYTES as usize)?;
    if !locator.starts_with(LOCATOR) {
        return Ok(None);
    }
    let at = Fields(&locator).u64(8);
    if at > end_at - least {
        return Err(fault(&ZIP_TRUNCATED, "the zip64 end record would be outside the file"));
    }
    let record = read_at(input, at, RECORD64_BYTES)?;
    let fields = Fields(&record);
    if !record.starts_with(RECORD64) || at.saturating_add(12).saturating_add(fields.u64(4)) != locator_at {
        return Err(fault(&ZIP_PREFIXED, "the zip64 end record is not where the archive says"));
    }
    if Fields(&locator).u32(4) != 0 || Fields(&locator).u32(16) > 1 {
        return Err(fault(&ZIP_MULTI_DISK, "the archive is one part of several"));
    }
    let record = Record {
        disks: [fields.u32(16), fields.u32(20)],
        entries_here: fields.u64(24),
        entries: fields.u64(32),
        bytes: fields.u64(40),
        start: fields.u64(48),
    };
    Ok(Some((record, at)))
}

/// The zip64 record, if the short one says the same or leaves it to the other.
fn agreed(short: &Record, wide: Record) -> Result<Record, InspectError> {
    let (narrow, long) = (u64::from(u16::MAX), u64::from(u32::MAX));
    let pairs = [
        (short.entries_here, wide.entries_here, narrow),
        (short.entries, wide.entries, narrow),
        (short.bytes, wide.bytes, long),
        (short.start, wide.start, long),
    ];
    if pairs.iter().any(|&(short, wide, left_to_other)| short != left_to_other && short != wide) {
        return Err(fault(&ZIP_HEADER_MISMATCH, "the two end records of the archive contradict each other"));
    }
    let disk_left = |disk: u32| disk == u32::from(u16::MAX) || disk == 0;
    if !short.disks.into_iter().all(disk_left) {
        return Err(fault(&ZIP_MULTI_DISK, "the archive is one part of several"));
    }
    Ok(wide)
}

fn judge(record: &Record, directory_end: u64, begins_with_entry: bool) -> Result<(), InspectError> {
    let &Record { disks, entries_here, entries, bytes, start } = record;
    if disks != [0, 0] || entries_here != entries {
        return Err(fault(&ZIP_MULTI_DISK, "the archive is one part of several"));
    }
    if entries > ENTRIES {
        let detail = format!("the archive has {entries} entries; at most {ENTRIES} are accepted");
        return Err(fault(&ZIP_TOO_MANY_ENTRIES, &detail));
    }
    if bytes > DIRECTORY_BYTES {
        let detail = format!("the directory of the archive has {bytes} bytes; at most {DIRECTORY_BYTES} are accepted");
        return Err(fault(&ZIP_TOO_MANY_ENTRIES, &detail));
    }
    // Both are below the file's length in any sound archive; a sum that overflows is outside, too.
    let end = start.saturating_add(bytes);
    if end > directory_end {
        return Err(fault(&ZIP_TRUNCATED, "the directory of the archive would be outside the file"));
    }
    if end < directory_end {
        let gap = directory_end - end;
        return Err(hidden(begins_with_entry, &format!("{gap} bytes are not described by the archive's directory")));
    }
    Ok(())
}

/// Bytes that the directory does not know: another archive, if they begin like one, else a prefix.
pub(super) fn hidden(begins_with_entry: bool, detail: &str) -> InspectError {
    if begins_with_entry {
        fault(&ZIP_HEADER_MISMATCH, &format!("{detail}; they look like another archive before this one"))
    } else {
        fault(&ZIP_PREFIXED, &format!("{detail}; they stand before the first entry"))
    }
}

fn fault(code: &'static Code, detail: &str) -> InspectError {
    Problem::new(code, detail).field("file").into()
}
