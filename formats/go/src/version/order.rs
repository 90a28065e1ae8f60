//! The order of versions, lowest first.
//!
//! ```text
//! v1.0.0-1 < v1.0.0-alpha < v1.0.0-alpha.1 < v1.0.0-alpha.beta < v1.0.0-rc.2 < v1.0.0-rc.11 < v1.0.0
//! v2.0.0 = v2.0.0+incompatible for Go; GoVersion then compares the texts, to be equal for equal ones only
//! ```
//!
//! Units and bounds: numbers are compared by length and then by digits, so they may be of any size;
//! linear in the texts, nothing is allocated.
//! Sources: `Compare` and `Sort` in `golang.org/x/mod/semver`.

use std::cmp::Ordering;

use super::{GoVersion, is_number, parse_go_semver};

impl Ord for GoVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        cmp_go_semver(self.as_str(), other.as_str()).then_with(|| self.as_str().cmp(other.as_str()))
    }
}

impl PartialOrd for GoVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Go's order of versions: build parts do not take part, and a text that is no version is lower than
/// any that is, and equal to any other such text.
#[must_use]
pub fn cmp_go_semver(a: &str, b: &str) -> Ordering {
    match (parse_go_semver(a), parse_go_semver(b)) {
        (Some(a), Some(b)) => cmp_number(a.major, b.major)
            .then_with(|| cmp_number(a.minor, b.minor))
            .then_with(|| cmp_number(a.patch, b.patch))
            .then_with(|| cmp_prerelease(a.prerelease, b.prerelease)),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

/// Compares digits without leading zeros: the longer number is the greater one.
fn cmp_number(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn cmp_prerelease(a: &str, b: &str) -> Ordering {
    // A release is higher than its prereleases.
    match (a.is_empty(), b.is_empty()) {
        (false, false) => {}
        (a, b) => return a.cmp(&b),
    }
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (Some(a), Some(b)) => cmp_identifier(a, b),
            (None, None) => return Ordering::Equal,
            (a, b) => a.is_some().cmp(&b.is_some()),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Numbers are lower than words.
fn cmp_identifier(a: &str, b: &str) -> Ordering {
    match (is_number(a), is_number(b)) {
        (true, true) => cmp_number(a, b),
        (false, false) => a.cmp(b),
        (a, b) => b.cmp(&a),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::version::tests::any_version;

    /// Lowest first; `v1.0.0+a` and `v1.0.0+b` equal `v1.0.0` for Go.
    const ORDER: &[&str] = &[
        "v0.0.0-20191109021931-daa7c04131f5",
        "v0.0.0",
        "v1.0.0-1",
        "v1.0.0-alpha",
        "v1.0.0-alpha.1",
        "v1.0.0-alpha.beta",
        "v1.0.0-rc.1",
        "v1.0.0-rc.2",
        "v1.0.0-rc.11",
        "v1.0.0",
        "v1.0.0+a",
        "v1.0.0+b",
        "v1.0.1-0",
        "v1.0.1-0.20191109021931-daa7c04131f5",
        "v1.0.1-rc1",
        "v1.0.1",
        "v2.0.0-rc1+incompatible",
        "v2.0.0+incompatible",
        "v10.0.0+incompatible",
        // Beyond 64 bits.
        "v99999999999999999999.0.0",
        "v100000000000000000000.0.0",
    ];

    #[test]
    fn versions_are_ordered_as_go_orders_them() {
        let release = |text: &str| text.split_once('+').map_or(text.to_owned(), |(release, _)| release.to_owned());
        for (i, a) in ORDER.iter().enumerate() {
            for (j, b) in ORDER.iter().enumerate() {
                let wanted = if release(a) == release(b) { Ordering::Equal } else { i.cmp(&j) };
                assert_eq!(cmp_go_semver(a, b), wanted, "{a} {b}");
                assert_eq!(cmp_go_semver(a, b).then_with(|| a.cmp(b)), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(cmp_go_semver("v1.2", "v1.2.0"), Ordering::Equal);
        assert_eq!(cmp_go_semver("main", "v0.0.0-0"), Ordering::Less);
        assert_eq!(cmp_go_semver("main", ""), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in any_version(), b in any_version(), c in any_version()) {
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a.cmp(&b).is_eq(), a == b);
            let mut three = [a, b, c];
            three.sort();
            prop_assert!(three[0] <= three[1] && three[1] <= three[2] && three[0] <= three[2]);
        }
    }
}
