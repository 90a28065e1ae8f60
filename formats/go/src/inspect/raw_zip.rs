//! Zips written byte by byte, for tests: also such as no program would write.
//!
//! Everything that a header can say is set by itself, and may contradict the data or the other header.

use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

pub(super) const UNIX: u8 = 3;
pub(super) const REGULAR: u32 = 0o100_644;
pub(super) const LINK: u32 = 0o120_777;

/// An entry; `None` is what an honest program would write.
#[derive(Clone, Debug)]
pub(super) struct RawEntry {
    pub(super) name: Vec<u8>,
    pub(super) data: Vec<u8>,
    pub(super) is_deflated: bool,
    pub(super) has_descriptor: bool,
    pub(super) is_zip64: bool,
    pub(super) method: Option<u16>,
    pub(super) flags: u16,
    pub(super) system: u8,
    pub(super) mode: u32,
    pub(super) dos_attributes: u32,
    pub(super) dos_time: u32,
    pub(super) utc_s: Option<i32>,
    pub(super) crc: Option<u32>,
    pub(super) size: Option<u64>,
    pub(super) local_name: Option<Vec<u8>>,
    pub(super) offset: Option<u64>,
}

impl RawEntry {
    pub(super) fn new(name: impl Into<Vec<u8>>, data: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            data: data.into(),
            is_deflated: false,
            has_descriptor: false,
            is_zip64: false,
            method: None,
            flags: 0,
            system: UNIX,
            mode: REGULAR,
            dos_attributes: 0,
            dos_time: 0x0021_0000,
            utc_s: None,
            crc: None,
            size: None,
            local_name: None,
            offset: None,
        }
    }

    fn flags(&self) -> u16 {
        self.flags | if self.has_descriptor { 8 } else { 0 }
    }

    fn method(&self) -> u16 {
        self.method.unwrap_or(if self.is_deflated { 8 } else { 0 })
    }
}

/// An archive; `None` is what an honest program would write.
#[derive(Clone, Debug, Default)]
pub(super) struct RawZip {
    pub(super) entries: Vec<RawEntry>,
    pub(super) comment: Vec<u8>,
    pub(super) before: Vec<u8>,
    pub(super) after: Vec<u8>,
    pub(super) count: Option<u64>,
    pub(super) disk: u16,
    pub(super) is_zip64: bool,
}

impl RawZip {
    pub(super) fn of(entries: impl IntoIterator<Item = RawEntry>) -> Self {
        Self { entries: entries.into_iter().collect(), ..Self::default() }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let (mut body, mut central) = (Vec::new(), Vec::new());
        for entry in &self.entries {
            let offset = entry.offset.unwrap_or(body.len() as u64);
            let packed = if entry.is_deflated { deflate(&entry.data) } else { entry.data.clone() };
            let crc = entry.crc.unwrap_or_else(|| crc32(&entry.data));
            let size = entry.size.unwrap_or(entry.data.len() as u64);
            body.extend(local_header(entry, crc, packed.len() as u64, size));
            body.extend(&packed);
            if entry.has_descriptor {
                body.extend(b"PK\x07\x08");
                body.extend([crc, packed.len() as u32, size as u32].map(u32::to_le_bytes).concat());
            }
            central.extend(central_header(entry, crc, packed.len() as u64, size, offset));
        }
        let start = body.len() as u64;
        let end = self.end(start, central.len() as u64);
        [&self.before, &body, &central, &end, &self.after].into_iter().flatten().copied().collect()
    }

    fn end(&self, start: u64, bytes: u64) -> Vec<u8> {
        let count = self.count.unwrap_or(self.entries.len() as u64);
        let mut end = Vec::new();
        if self.is_zip64 {
            end.extend(b"PK\x06\x06");
            end.extend(44_u64.to_le_bytes());
            end.extend([45_u16, 45].map(u16::to_le_bytes).concat());
            end.extend([0_u32, 0].map(u32::to_le_bytes).concat());
            end.extend([count, count, bytes, start].map(u64::to_le_bytes).concat());
            end.extend(b"PK\x06\x07");
            end.extend(0_u32.to_le_bytes());
            end.extend((start + bytes).to_le_bytes());
            end.extend(1_u32.to_le_bytes());
        }
        let short = |value: u64| if self.is_zip64 { u16::MAX } else { value as u16 };
        let count = short(count);
        end.extend(b"PK\x05\x06");
        end.extend([self.disk, self.disk, count, count].map(u16::to_le_bytes).concat());
        let place = if self.is_zip64 { [u32::MAX; 2] } else { [bytes as u32, start as u32] };
        end.extend(place.map(u32::to_le_bytes).concat());
        end.extend((self.comment.len() as u16).to_le_bytes());
        end.extend(&self.comment);
        end
    }
}

fn local_header(entry: &RawEntry, crc: u32, packed: u64, size: u64) -> Vec<u8> {
    let name = entry.local_name.as_ref().unwrap_or(&entry.name);
    let (crc, packed, size) = if entry.has_descriptor { (0, 0, 0) } else { (crc, packed, size) };
    let (short, wide) = numbers(entry, packed, size, None);
    let extra = extra(entry, &wide);
    let mut header = b"PK\x03\x04".to_vec();
    header.extend([20, entry.flags(), entry.method()].map(u16::to_le_bytes).concat());
    header.extend(entry.dos_time.to_le_bytes());
    header.extend([crc, short[0], short[1]].map(u32::to_le_bytes).concat());
    header.extend([name.len() as u16, extra.len() as u16].map(u16::to_le_bytes).concat());
    header.extend(name);
    header.extend(extra);
    header
}

fn central_header(entry: &RawEntry, crc: u32, packed: u64, size: u64, offset: u64) -> Vec<u8> {
    let (short, wide) = numbers(entry, packed, size, Some(offset));
    let extra = extra(entry, &wide);
    let mut header = b"PK\x01\x02".to_vec();
    header.extend([20, entry.system]);
    header.extend([20, entry.flags(), entry.method()].map(u16::to_le_bytes).concat());
    header.extend(entry.dos_time.to_le_bytes());
    header.extend([crc, short[0], short[1]].map(u32::to_le_bytes).concat());
    header.extend([entry.name.len() as u16, extra.len() as u16, 0, 0, 0].map(u16::to_le_bytes).concat());
    header.extend([entry.mode << 16 | entry.dos_attributes, short[2]].map(u32::to_le_bytes).concat());
    header.extend(&entry.name);
    header.extend(extra);
    header
}

/// Packed size, size and offset as 32-bit fields, and what of them is in the zip64 field.
fn numbers(entry: &RawEntry, packed: u64, size: u64, offset: Option<u64>) -> ([u32; 3], Vec<u8>) {
    if !entry.is_zip64 {
        return ([packed as u32, size as u32, offset.unwrap_or(0) as u32], Vec::new());
    }
    let wide = [Some(size), Some(packed), offset].into_iter().flatten().flat_map(u64::to_le_bytes).collect();
    ([u32::MAX; 3], wide)
}

fn extra(entry: &RawEntry, wide: &[u8]) -> Vec<u8> {
    let mut extra = Vec::new();
    if !wide.is_empty() {
        extra.extend([1, wide.len() as u16].map(u16::to_le_bytes).concat());
        extra.extend(wide);
    }
    if let Some(seconds) = entry.utc_s {
        extra.extend([0x5455, 5].map(u16::to_le_bytes).concat());
        extra.push(1);
        extra.extend(seconds.to_le_bytes());
    }
    extra
}

/// The deflate stream alone, taken out of a zip.
fn deflate(data: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("x", SimpleFileOptions::default()).expect("an entry");
    zip.write_all(data).expect("memory");
    let mut zip = ZipArchive::new(zip.finish().expect("memory")).expect("a zip");
    let mut packed = Vec::new();
    zip.by_index_raw(0).expect("one entry").read_to_end(&mut packed).expect("memory");
    packed
}

/// The table of CRC-32, made once: tests hash many megabytes.
const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut value = at as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { 0xedb8_8320 ^ (value >> 1) } else { value >> 1 };
            bit += 1;
        }
        table[at] = value;
        at += 1;
    }
    table
};

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |c: u32, byte| CRC_TABLE[((c ^ u32::from(*byte)) & 0xff) as usize] ^ (c >> 8))
}
