//! What kind of file system a folder is on.
//!
//! Source of the numbers: `statfs(2)` and `linux/magic.h`.

use std::path::Path;

/// How far a folder's locks and fsync can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// Nothing known against it.
    Local,
    /// Another machine's: SQLite's documentation warns of each of them.
    Network(&'static str),
    /// May be this machine's or another's: containers on a desktop use these for what is in truth local.
    Shared(&'static str),
}

impl Disk {
    /// The kind of a folder's file system; one that cannot be asked counts as local.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        rustix::fs::statfs(folder).map_or(Self::Local, |facts| Self::by_type(facts.f_type as u32))
    }

    /// By the type number of `statfs`; 32 bits on every architecture.
    fn by_type(number: u32) -> Self {
        match number {
            0x6969 => Self::Network("NFS"),
            0x517b | 0xff53_4d42 | 0xfe53_4d42 => Self::Network("SMB"),
            0x5346_414f | 0x6b41_4653 => Self::Network("AFS"),
            0x00c3_6400 => Self::Network("Ceph"),
            0x0bd0_0bd0 => Self::Network("Lustre"),
            0x6573_5546 => Self::Shared("FUSE"),
            0x0102_1997 => Self::Shared("9p"),
            _ => Self::Local,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_number() {
        let rows = [
            (0x6969, Disk::Network("NFS")),
            (0xff53_4d42, Disk::Network("SMB")),
            (0x6573_5546, Disk::Shared("FUSE")),
            (0xef53, Disk::Local),
            (0x5846_5342, Disk::Local),
        ];
        for (number, disk) in rows {
            assert_eq!(Disk::by_type(number), disk, "{number:#x}");
        }
        assert_eq!(Disk::of(Path::new("/nonexistent")), Disk::Local);
    }
}
