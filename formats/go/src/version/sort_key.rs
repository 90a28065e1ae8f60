//! A version as bytes that sort like it.
//!
//! A store can keep these beside the version and let its own index answer "the highest version" and
//! "the next page", with no Go rules in SQL. Byte for byte:
//!
//! ```text
//! key         number number number prerelease build
//! number      length digits                      v1: 01 31
//! length      one byte for up to 254, else FF for each full 255 and then the rest
//! prerelease  03 for a release, else identifier... 00
//! identifier  01 number      or      02 text 00
//! build       the bytes that are left, empty or +incompatible
//! ```
//!
//! Why it holds: a longer number has the greater length, and lengths sort like the numbers they are,
//! since the first byte below FF decides; `00` at an end is lower than any identifier or letter that
//! could stand there, and `03` is higher than any; numbers (`01`) are below words (`02`).
//!
//! Units and bounds: at most twice as long as the version and four bytes more.
//! Source: the order of [`GoVersion`]'s `Ord`.

use super::{GoVersion, INCOMPATIBLE, is_number};

const END: u8 = 0;
const NUMBER: u8 = 1;
const WORD: u8 = 2;
const RELEASE: u8 = 3;

/// Bytes whose order, compared as `memcmp` does, is the order of [`GoVersion`].
///
/// They are only for comparing: a store keeps the version too.
#[must_use]
pub fn sort_key(version: &GoVersion) -> Vec<u8> {
    let parts = version.parts();
    let mut key = Vec::with_capacity(version.as_str().len() * 2);
    for number in [parts.major, parts.minor, parts.patch] {
        push_number(&mut key, number);
    }
    if parts.prerelease.is_empty() {
        key.push(RELEASE);
    } else {
        for identifier in parts.prerelease.split('.') {
            push_identifier(&mut key, identifier);
        }
        key.push(END);
    }
    // Last, since Go's own order leaves the build part out.
    if version.is_incompatible() {
        key.extend_from_slice(INCOMPATIBLE.as_bytes());
    }
    key
}

fn push_identifier(key: &mut Vec<u8>, identifier: &str) {
    if is_number(identifier) {
        key.push(NUMBER);
        push_number(key, identifier);
    } else {
        key.push(WORD);
        key.extend_from_slice(identifier.as_bytes());
        key.push(END);
    }
}

fn push_number(key: &mut Vec<u8>, digits: &str) {
    let mut length = digits.len();
    while length >= 255 {
        key.push(255);
        length -= 255;
    }
    key.push(u8::try_from(length).expect("below 255"));
    key.extend_from_slice(digits.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::version::tests::any_version;

    #[test]
    fn the_layout_is_as_described() {
        let key = |text| sort_key(&GoVersion::parse(text).expect(text));
        assert_eq!(key("v1.20.0"), b"\x011\x0220\x010\x03");
        assert_eq!(key("v1.0.0-rc.11"), b"\x011\x010\x010\x02rc\0\x01\x0211\0");
        assert_eq!(key("v2.0.0+incompatible"), b"\x012\x010\x010\x03+incompatible");
    }

    #[test]
    fn numbers_of_any_length_keep_their_order() {
        let lengths = [1, 2, 20, 253, 254, 255, 256, 509, 510, 511, 2000];
        let versions = lengths.map(|length| GoVersion::parse(&format!("v{}.0.0", "9".repeat(length))).expect("nines"));
        for pair in versions.windows(2) {
            assert!(pair[0] < pair[1] && sort_key(&pair[0]) < sort_key(&pair[1]));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn keys_sort_as_versions_do(a in any_version(), b in any_version()) {
            prop_assert_eq!(sort_key(&a).cmp(&sort_key(&b)), a.cmp(&b), "{} {}", a, b);
        }
    }
}
