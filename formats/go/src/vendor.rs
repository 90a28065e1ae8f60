//! Which files of a module belong to vendored packages and so stay out of its zip.
//!
//! ```text
//! name                             old rule   new rule
//! vendor/modules.txt               kept       left out
//! vendor/a.go                      kept       kept
//! vendor/x/y.go                    left out   left out
//! pkg/vendor/v.go                  left out   kept           the old rule's bug
//! pkg/vendor/foo/f.go              left out   left out
//! ```
//!
//! The old rule starts to look for a package at the wrong place in `pkg/vendor/…`. It stays for modules
//! whose go.mod asks for a Go below 1.24, since their hashes are in everybody's go.sum. So the module's
//! `go` line decides, and neither the client's Go nor ours.
//!
//! Sources: `isVendoredPackage` in `golang.org/x/mod/zip` (go 1.26); golang/go#37397.

/// The release whose `go` line brings the new rule.
const NEW_SINCE: (u64, u64) = (1, 24);

/// Which of the two rules a module has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VendorRule {
    /// No `go` line, one that cannot be read, or one below 1.24.
    Old,
    /// `go 1.24` or above, also `1.24rc1`.
    New,
}

impl VendorRule {
    /// The rule of a module whose root go.mod has this `go` line.
    #[must_use]
    pub fn of_go_line(go: Option<&str>) -> Self {
        match go.and_then(release) {
            Some(release) if release >= NEW_SINCE => Self::New,
            _ => Self::Old,
        }
    }
}

/// The first two numbers of a Go release: `1.24rc1` has 1 and 24.
fn release(go: &str) -> Option<(u64, u64)> {
    let (major, rest) = go.split_once('.')?;
    let minor = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Whether a file, named relative to the module's root, belongs to a vendored package.
#[must_use]
pub fn is_vendored(name: &str, rule: VendorRule) -> bool {
    const ROOT: &str = "vendor/";
    const INNER: &str = "/vendor/";
    if name == "vendor/modules.txt" && rule == VendorRule::New {
        return true;
    }
    let start = match (name.starts_with(ROOT), name.find(INNER), rule) {
        (true, _, _) => ROOT.len(),
        (false, Some(found), VendorRule::New) => found + INNER.len(),
        // The bug: this counts from the start of the name.
        (false, Some(_), VendorRule::Old) => INNER.len(),
        (false, None, _) => return false,
    };
    // Bytes, for the old rule may start within a character.
    name.as_bytes()[start..].contains(&b'/')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_rule_leaves_out_what_go_does() {
        let table = [
            ("vendor/modules.txt", false, true),
            ("vendor/a.go", false, false),
            ("vendor/x/y.go", true, true),
            ("vendor/x/modules.txt", true, true),
            ("vendor/", false, false),
            ("vendor/vendor/a.go", true, true),
            ("pkg/vendor/v.go", true, false),
            ("p/q/vendor/v.go", true, false),
            ("a/vendor/modules.txt", true, false),
            ("pkg/vendor/foo/f.go", true, true),
            // Only the first `/vendor/` counts.
            ("a/vendor/b.d/vendor/c.go", true, true),
            // The old rule looks behind the eighth byte, where no slash is left here.
            ("/vendor/a.go", false, false),
            ("日/vendor/v.go", true, false),
            ("vendor.go", false, false),
            ("xvendor/y/z.go", false, false),
            ("vendor", false, false),
            ("Vendor/x/y.go", false, false),
            ("", false, false),
        ];
        for (name, old, new) in table {
            assert_eq!(is_vendored(name, VendorRule::Old), old, "{name}");
            assert_eq!(is_vendored(name, VendorRule::New), new, "{name}");
        }
    }

    #[test]
    fn the_go_line_decides() {
        for go in ["1.24", "1.24.0", "1.24rc1", "1.25", "1.100.3", "2.0"] {
            assert_eq!(VendorRule::of_go_line(Some(go)), VendorRule::New, "{go}");
        }
        for go in ["1.23", "1.23.9", "1.2", "1.9", "0.99", "1", "", "x", "1.x", "go1.24", "1.99999999999999999999"] {
            assert_eq!(VendorRule::of_go_line(Some(go)), VendorRule::Old, "{go}");
        }
        assert_eq!(VendorRule::of_go_line(None), VendorRule::Old);
    }

    proptest! {
        #[test]
        fn no_name_makes_it_panic(head in any::<String>(), tail in any::<String>()) {
            for name in [format!("{head}/vendor/{tail}"), format!("vendor/{tail}")] {
                let _ = is_vendored(&name, VendorRule::Old);
                let _ = is_vendored(&name, VendorRule::New);
            }
        }
    }
}
