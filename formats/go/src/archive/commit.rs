//! The commit that an archive was made of, and its time.
//!
//! `git archive` of a commit or tag writes the commit's id as the comment of the zip, 40 hexadecimal digits
//! (64 in SHA-256 repositories), and the commit's time into every entry: in UTC in the extra field 0x5455,
//! and again as MS-DOS date and time in the archiver's own zone. Of a bare tree it writes no comment, and
//! the time of archiving. So a time is the commit's only if there is an id and all entries agree.
//!
//! All of it is the archiver's claim: good for looking up, never for trust.
//! Sources: `archive-zip.c` of git.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::entry::Entry;

/// What an archive says about its commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// The whole id.
    pub id: Option<String>,
    /// Its time, if all entries agree on it in UTC.
    pub time: Option<Timestamp>,
    /// Its time in an unknown zone, if all entries agree on that, read as if it were UTC.
    pub local_time: Option<Timestamp>,
}

impl Commit {
    /// Reads the comment and the times of all entries.
    #[must_use]
    pub fn read(comment: &[u8], entries: &[Entry]) -> Self {
        let Some(id) = std::str::from_utf8(comment).ok().filter(|text| is_id(text)) else {
            return Self::default();
        };
        let time = agreed(entries, |entry| entry.utc_s).flatten();
        let local_time = agreed(entries, |entry| entry.dos).and_then(dos_time);
        Self {
            id: Some(id.to_owned()),
            time: time.and_then(|seconds| Timestamp::from_second(seconds.into()).ok()),
            local_time,
        }
    }
}

fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What all entries say alike.
fn agreed<T: PartialEq>(entries: &[Entry], of: impl Fn(&Entry) -> T) -> Option<T> {
    let first = of(entries.first()?);
    entries.iter().all(|entry| of(entry) == first).then_some(first)
}

fn dos_time(dos: u32) -> Option<Timestamp> {
    let bits = |from: u32, count: u32| i8::try_from(dos >> from & ((1 << count) - 1)).ok();
    let year = 1980 + i16::from(bits(25, 7)?);
    let time = DateTime::new(year, bits(21, 4)?, bits(16, 5)?, bits(11, 5)?, bits(5, 6)?, bits(0, 5)? * 2, 0).ok()?;
    TimeZone::UTC.to_timestamp(time).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::entry::Kind;

    const ID: &[u8] = b"0123456789abcdef0123456789abcdef01234567";

    fn entry(utc_s: Option<i32>, dos: u32) -> Entry {
        Entry { utc_s, dos, ..Entry::named("a", Kind::File) }
    }

    fn text(time: Option<Timestamp>) -> String {
        time.map(|time| time.to_string()).unwrap_or_default()
    }

    #[test]
    fn an_id_is_40_or_64_lower_case_hexadecimal_digits() {
        let long = [b'a'; 64];
        let upper = ID.to_ascii_uppercase();
        let table: [(&[u8], bool); 6] =
            [(ID, true), (&long, true), (b"hello", false), (&upper, false), (&ID[1..], false), (b"", false)];
        for (comment, is_id) in table {
            assert_eq!(Commit::read(comment, &[]).id.is_some(), is_id, "{comment:?}");
        }
    }

    #[test]
    fn a_time_counts_if_all_entries_agree() {
        // 2024-03-03 22:06:06 in New York, as MS-DOS writes it.
        let dos = (44 << 25) | (3 << 21) | (3 << 16) | (22 << 11) | (6 << 5) | 3;
        let good = entry(Some(1_709_521_567), dos);
        let commit = Commit::read(ID, &[good.clone(), good.clone()]);
        assert_eq!(text(commit.time), "2024-03-04T03:06:07Z");
        assert_eq!(text(commit.local_time), "2024-03-03T22:06:06Z");
        for other in [entry(Some(1), 0), entry(None, 0)] {
            let commit = Commit::read(ID, &[good.clone(), other]);
            assert_eq!((commit.time, commit.local_time), (None, None));
        }
        assert_eq!(Commit::read(b"", &[good]), Commit::default());
        // Month 0.
        assert_eq!(Commit::read(ID, &[entry(None, 0)]).local_time, None);
    }
}
