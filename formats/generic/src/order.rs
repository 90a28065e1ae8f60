//! The order of versions: semantic versions as semver.org (2.0.0, section 11) has it, all others below them,
//! by their numbers.
//!
//! A key is bytes whose order is the order wanted. Numbers are written as their length and their digits, so
//! that 9 comes before 10 whatever their size; a pre-release comes before its release.

use keeper_core::artifact::SortKey;
use semver::Version;

const OTHER: u8 = 1;
const SEMANTIC: u8 = 2;

const END: u8 = 0;
const NUMBER: u8 = 1;
const TEXT: u8 = 2;
const RELEASE: u8 = 3;

/// The key of a version.
#[must_use]
pub fn sort_key(version: &str) -> SortKey {
    let plain = version.strip_prefix('v').unwrap_or(version);
    match Version::parse(plain) {
        Ok(semantic) => SortKey(semantic_key(&semantic)),
        Err(_) => SortKey(other_key(version)),
    }
}

fn semantic_key(version: &Version) -> Vec<u8> {
    let mut key = vec![SEMANTIC];
    for number in [version.major, version.minor, version.patch] {
        key.extend(number.to_be_bytes());
    }
    if version.pre.is_empty() {
        key.push(RELEASE);
    }
    for identifier in version.pre.split('.').filter(|identifier| !identifier.is_empty()) {
        if identifier.bytes().all(|byte| byte.is_ascii_digit()) {
            push_number(&mut key, identifier);
        } else {
            push_text(&mut key, identifier);
        }
    }
    key.push(END);
    // Build metadata decides nothing in semver.org, but two versions need an order.
    key.extend(version.build.bytes());
    key
}

/// Runs of digits by their value, everything else letter by letter.
fn other_key(version: &str) -> Vec<u8> {
    let mut key = vec![OTHER];
    let mut rest = version;
    while let Some(first) = rest.bytes().next() {
        let digits = first.is_ascii_digit();
        let length = rest.bytes().position(|byte| byte.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (run, after) = rest.split_at(length);
        if digits {
            push_number(&mut key, run)
        } else {
            push_text(&mut key, run)
        }
        rest = after;
    }
    key.push(END);
    key.extend(version.bytes());
    key
}

fn push_number(key: &mut Vec<u8>, digits: &str) {
    let digits = digits.trim_start_matches('0');
    key.push(NUMBER);
    // A version has at most 128 characters.
    key.push(u8::try_from(digits.len()).unwrap_or(u8::MAX));
    key.extend(digits.bytes());
}

fn push_text(key: &mut Vec<u8>, text: &str) {
    key.push(TEXT);
    key.extend(text.bytes());
    key.push(END);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_are_ordered_as_people_expect() {
        let ordered = [
            "1",
            "1.2",
            "1.10",
            "2024-9-1",
            "2024-10-1",
            "nightly-2",
            "nightly-10",
            "0.9.0",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "v1.0.0",
            "1.0.1",
            "10.0.0",
        ];
        for pair in ordered.windows(2) {
            assert!(sort_key(pair[0]) < sort_key(pair[1]), "{pair:?}");
        }
    }

    proptest! {
        #[test]
        fn semantic_versions_are_ordered_as_the_reference_has_it(
            one in "[0-9]{1,2}\\.[0-9]{1,2}\\.[0-9](-[a-z0-9]{1,3}(\\.[a-z0-9]{1,3}){0,2})?",
            other in "[0-9]{1,2}\\.[0-9]{1,2}\\.[0-9](-[a-z0-9]{1,3}(\\.[a-z0-9]{1,3}){0,2})?",
        ) {
            if let (Ok(a), Ok(b)) = (Version::parse(&one), Version::parse(&other)) {
                prop_assert_eq!(sort_key(&one).cmp(&sort_key(&other)), a.cmp(&b));
            }
        }
    }
}
