//! The central directory: every entry's name, kind, sizes and place, read once, from the file's own bytes.
//!
//! ```text
//! 0  PK\1\2 | 4 version, system | 8 flags | 10 method | 12 time | 14 date | 16 CRC | 20 packed | 24 size
//! 28 name, 30 extra, 32 comment lengths | 34 disk | 38 attributes | 42 offset | 46 name, extra, comment
//! extra  0x0001 zip64: size, packed, offset, as far as their fields are full      0x5455 UTC times
//! ```
//!
//! The `zip` crate reads it again later, but takes names without the UTF-8 flag for CP437, drops all but
//! one of several entries with one name, and has no bound. So what is decided is decided here: names are
//! the raw bytes as UTF-8, whatever the flag says and whatever the Unicode-path field (0x7075) offers.
//!
//! Bounds: [`End::entries`] and [`End::bytes`] are judged already; both must come out exactly.
//! Errors: all entries at fault are told, each with its name; where the structure itself breaks, only that.
//! Sources: APPNOTE.TXT 4.3.12, 4.5.3; Info-ZIP's extrafld.txt.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, SeekFrom};

use keeper_core::blob::ReadSeek;
use keeper_core::error::{Code, Problem, codes};
use keeper_core::format::InspectError;

use super::Fields;
use super::end::{End, hidden};
use super::entry::{Entry, Kind, kind};
use crate::error::{
    DUPLICATE_ENTRY, PATH_NOT_UTF8, Problems, ZIP_ENCRYPTED, ZIP_METHOD, ZIP_MULTI_DISK, ZIP_OVERLAP,
    ZIP_TOO_MANY_ENTRIES, ZIP_TRUNCATED, entry_problem,
};
use crate::limits::{CHUNK_BYTES, ENTRY_NAME_BYTES};
use crate::path::check_clean;

const HEADER: &[u8; 4] = b"PK\x01\x02";
const HEADER_BYTES: usize = 46;
const LOCAL_HEADER_BYTES: u64 = 30;
const ZIP64: u16 = 0x0001;
const EXTENDED_TIMESTAMP: u16 = 0x5455;
const MODIFIED_IS_GIVEN: u8 = 1;

/// Flags of encryption: of the data, of the "strong" kind, of the directory.
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// An entry with what only this file judges.
struct Row {
    entry: Entry,
    /// What lies at its offset at least: local header, name, data.
    least_end: u64,
}

/// Reads the directory. Entries whose names cannot be used are told and left out.
pub(super) fn read(input: &mut dyn ReadSeek, end: &End, problems: &mut Problems) -> Result<Vec<Entry>, InspectError> {
    input.seek(SeekFrom::Start(end.start)).map_err(InspectError::Input)?;
    let mut input = BufReader::with_capacity(CHUNK_BYTES, input.take(end.bytes));
    // The count is bounded, but is a claim: no memory is taken for it before entries come.
    let mut rows = Vec::new();
    let mut places = Vec::new();
    for _ in 0..end.entries {
        let raw = RawHeader::read(&mut input)?;
        let row = raw.row(problems);
        places.push((row.entry.offset, row.least_end));
        let row_is_usable = is_usable(&raw, &row.entry, problems);
        if row_is_usable {
            rows.push(row);
        }
    }
    if !input.fill_buf().map_err(InspectError::Input)?.is_empty() {
        return Err(miscounted("more entries than the archive states"));
    }
    check_start(&places, end)?;
    check_names(&rows, problems);
    check_places(&mut rows, &places, end.start, problems);
    Ok(rows.into_iter().map(|row| row.entry).collect())
}

/// A header as it stands in the file.
struct RawHeader {
    fixed: [u8; HEADER_BYTES],
    name: Vec<u8>,
    extra: Vec<u8>,
}

impl RawHeader {
    fn read(input: &mut impl BufRead) -> Result<Self, InspectError> {
        let mut fixed = [0; HEADER_BYTES];
        read_part(input, &mut fixed)?;
        if !fixed.starts_with(HEADER) {
            return Err(miscounted("fewer entries than the archive states"));
        }
        let fields = Fields(&fixed);
        let mut name = vec![0; fields.u16(28).into()];
        let mut extra = vec![0; fields.u16(30).into()];
        let mut comment = vec![0; fields.u16(32).into()];
        read_part(input, &mut name)?;
        read_part(input, &mut extra)?;
        read_part(input, &mut comment)?;
        Ok(Self { fixed, name, extra })
    }

    /// The name for people, whatever its bytes.
    fn shown_name(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }

    fn row(&self, problems: &mut Problems) -> Row {
        let fields = Fields(&self.fixed);
        let mut tell = |code: &'static Code, why: &str| problems.push(entry_problem(code, &self.shown_name(), why));
        if fields.u16(8) & ENCRYPTED != 0 {
            tell(&ZIP_ENCRYPTED, "the entry is encrypted");
        } else if !matches!(fields.u16(10), STORED | DEFLATED) {
            tell(&ZIP_METHOD, &format!("compression method {} is not accepted", fields.u16(10)));
        }
        if !matches!(fields.u16(34), 0 | u16::MAX) {
            tell(&ZIP_MULTI_DISK, "the entry is in another part of the archive");
        }
        let [size, packed, offset] = self.wide_numbers();
        let least_end =
            offset.saturating_add(LOCAL_HEADER_BYTES).saturating_add(self.name.len() as u64).saturating_add(packed);
        let entry = Entry {
            name: self.shown_name().into_boxed_str(),
            kind: kind(&self.name, self.fixed[5], fields.u32(38)),
            size,
            packed,
            offset,
            crc: fields.u32(16),
            is_deflated: fields.u16(10) == DEFLATED,
            utc_s: self.utc_s(),
            dos: u32::from(fields.u16(14)) << 16 | u32::from(fields.u16(12)),
        };
        Row { entry, least_end }
    }

    /// Size, packed size and offset; where the short field is full, the zip64 field has it.
    fn wide_numbers(&self) -> [u64; 3] {
        let fields = Fields(&self.fixed);
        let mut wide = self.extra_field(ZIP64).unwrap_or_default();
        [24, 20, 42].map(|at| {
            let short = fields.u32(at);
            match wide.split_at_checked(8) {
                Some((number, rest)) if short == u32::MAX => {
                    wide = rest;
                    Fields(number).u64(0)
                }
                _ => short.into(),
            }
        })
    }

    fn utc_s(&self) -> Option<i32> {
        let field = self.extra_field(EXTENDED_TIMESTAMP)?;
        let given = field.first()? & MODIFIED_IS_GIVEN != 0;
        field.get(1..)?.first_chunk().filter(|_| given).map(|seconds| i32::from_le_bytes(*seconds))
    }

    fn extra_field(&self, wanted: u16) -> Option<&[u8]> {
        let mut rest = self.extra.as_slice();
        while let Some((head, after)) = rest.split_at_checked(4) {
            let content = after.get(..Fields(head).u16(2).into())?;
            if Fields(head).u16(0) == wanted {
                return Some(content);
            }
            rest = &after[content.len()..];
        }
        None
    }
}

/// Whether the entry can take part in what follows; if not, its problem has been told.
fn is_usable(raw: &RawHeader, entry: &Entry, problems: &mut Problems) -> bool {
    let problem = if raw.name.len() > ENTRY_NAME_BYTES {
        let why = format!("the name has {} bytes; at most {ENTRY_NAME_BYTES} are accepted", raw.name.len());
        entry_problem(&codes::TOO_LARGE, &entry.name, &why)
    } else if std::str::from_utf8(&raw.name).is_err() {
        entry_problem(&PATH_NOT_UTF8, &entry.name, "the name is not UTF-8")
    } else if entry.kind == Kind::Directory {
        // It never reaches the module, whatever it is called.
        return true;
    } else {
        match check_clean(&entry.name) {
            Ok(()) => return true,
            Err(fault) => fault.into(),
        }
    };
    problems.push(problem);
    false
}

/// The first entry must be the first thing in the file.
fn check_start(places: &[(u64, u64)], end: &End) -> Result<(), InspectError> {
    let first = places.iter().map(|&(start, _)| start).min().unwrap_or(end.start);
    if first == 0 {
        Ok(())
    } else {
        Err(hidden(end.begins_with_entry, &format!("the first {first} bytes belong to no entry")))
    }
}

fn check_names(rows: &[Row], problems: &mut Problems) {
    let mut names = HashSet::with_capacity(rows.len());
    for Row { entry, .. } in rows {
        if !names.insert(&*entry.name) {
            problems.push(entry_problem(&DUPLICATE_ENTRY, &entry.name, "the archive has this name twice"));
        }
    }
}

/// No two entries may share bytes, and none may reach into the directory. That is a lower bound: the extra
/// fields of local headers, which can make it more, are for the `zip` crate to compare.
fn check_places(rows: &mut [Row], places: &[(u64, u64)], directory: u64, problems: &mut Problems) {
    let mut starts: Vec<u64> = places.iter().map(|&(start, _)| start).collect();
    starts.sort_unstable();
    for Row { entry, least_end } in rows {
        let after = starts.partition_point(|&start| start <= entry.offset);
        let is_shared = after >= 2 && starts[after - 2] == entry.offset;
        let next = starts.get(after).copied().unwrap_or(directory);
        if entry.offset >= directory || (*least_end > directory && next == directory) {
            problems.push(entry_problem(&ZIP_TRUNCATED, &entry.name, "the entry would reach beyond the archive"));
        } else if is_shared || *least_end > next {
            problems.push(entry_problem(&ZIP_OVERLAP, &entry.name, "the entry shares bytes with another one"));
        }
    }
}

fn read_part(input: &mut impl BufRead, part: &mut [u8]) -> Result<(), InspectError> {
    input.read_exact(part).map_err(|error| match error.kind() {
        // The directory lies within the file, so its end comes early only if its entries are miscounted.
        std::io::ErrorKind::UnexpectedEof => miscounted("fewer entries than the archive states"),
        _ => InspectError::Input(error),
    })
}

fn miscounted(what: &str) -> InspectError {
    Problem::new(&ZIP_TOO_MANY_ENTRIES, format!("the directory of the archive has {what}")).field("file").into()
}
