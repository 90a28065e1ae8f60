//! One entry of an archive, as the central directory describes it.
//!
//! What an entry *is* stands in the upper half of its external attributes, as a Unix mode, if a Unix or
//! macOS program made it; other systems have no links there. A name that ends in a slash is a directory in
//! any case. Executable and set-user-id bits do not matter: Go drops them.
//!
//! Units: sizes and offsets in bytes; `utc_s` in seconds since 1970; `dos` as date and time of MS-DOS, in
//! steps of two seconds and in the archiver's own time zone.
//! Sources: APPNOTE.TXT 4.4.2 and 4.4.15; `FileHeader.Mode` in `archive/zip` (go 1.26).

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; its content is the target.
    Link,
    /// A device, pipe or socket.
    Other,
}

/// An entry with a usable name.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The whole name; relative and clean unless it is a directory's.
    pub name: Box<str>,
    /// What it is.
    pub kind: Kind,
    /// The length that is declared for its content.
    pub size: u64,
    /// The bytes of the archive that hold its content.
    pub packed: u64,
    /// Where its local header is.
    pub offset: u64,
    /// The CRC-32 of its content.
    pub crc: u32,
    /// Whether its content is deflated, or as it is.
    pub is_deflated: bool,
    /// When it was changed, in UTC, if it says so.
    pub utc_s: Option<i32>,
    /// The same in local time: date in the upper half, time in the lower.
    pub dos: u32,
}

impl Entry {
    /// Whether it is a regular file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.kind == Kind::File
    }

    /// An empty entry.
    #[cfg(test)]
    pub(crate) fn named(name: &str, kind: Kind) -> Self {
        let (size, packed, offset, crc) = (0, 0, 0, 0);
        Self { name: name.into(), kind, size, packed, offset, crc, is_deflated: false, utc_s: None, dos: 0 }
    }

    /// The last element of its name.
    #[must_use]
    pub fn base(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }
}

const FAT: u8 = 0;
const UNIX: u8 = 3;
const NTFS: u8 = 11;
const VFAT: u8 = 14;
const MACOS: u8 = 19;

/// What the attributes of an entry say that it is.
pub(super) fn kind(name: &[u8], system: u8, attributes: u32) -> Kind {
    const TYPE: u32 = 0o170_000;
    const REGULAR: u32 = 0o100_000;
    const LINK: u32 = 0o120_000;
    const DOS_DIRECTORY: u32 = 0x10;
    if name.ends_with(b"/") {
        return Kind::Directory;
    }
    match system {
        UNIX | MACOS => match (attributes >> 16) & TYPE {
            // Some programs write the permissions alone.
            0 | REGULAR => Kind::File,
            LINK => Kind::Link,
            _ => Kind::Other,
        },
        FAT | NTFS | VFAT if attributes & DOS_DIRECTORY != 0 => Kind::Directory,
        _ => Kind::File,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unix_programs_make_links() {
        let table = [
            ("a", UNIX, 0o100_644 << 16, Kind::File),
            ("a", UNIX, 0o104_755 << 16, Kind::File),
            ("a", UNIX, 0o600 << 16, Kind::File),
            ("a", UNIX, 0, Kind::File),
            ("a", UNIX, 0o120_777 << 16, Kind::Link),
            ("a", MACOS, 0o120_777 << 16, Kind::Link),
            ("a", UNIX, 0o010_644 << 16, Kind::Other),
            ("a", UNIX, 0o060_644 << 16, Kind::Other),
            ("a", UNIX, 0o040_755 << 16, Kind::Other),
            ("a", FAT, 0o120_777 << 16, Kind::File),
            ("a", FAT, 0x10, Kind::Directory),
            ("a", UNIX, 0x10, Kind::File),
            ("a/", UNIX, 0o120_777 << 16, Kind::Directory),
            ("a", 200, 0x10, Kind::File),
        ];
        for (name, system, attributes, expected) in table {
            assert_eq!(kind(name.as_bytes(), system, attributes), expected, "{name} {system} {attributes:o}");
        }
    }
}
