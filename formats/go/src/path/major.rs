//! The major suffix of a module path, and which versions go with it.
//!
//! ```text
//! path                         prefix          major           versions
//! e.com/m                      e.com/m                         v0, v1, any +incompatible
//! e.com/m/v2                   e.com/m         /v2             v2
//! e.com/m/v2/sub               e.com/m/v2/sub                  v0, v1, any +incompatible
//! gopkg.in/yaml.v3             gopkg.in/yaml   .v3             v3
//! gopkg.in/yaml.v2-unstable    gopkg.in/yaml   .v2-unstable    v2
//! gopkg.in/check.v1            gopkg.in/check  .v1             v1, and v0.0.0-… (an old bug of Go)
//! ```
//!
//! Whether a `+incompatible` version may be published is another question, answered by whether the tree has a
//! go.mod; it is not asked here.
//!
//! Errors: [`MajorFault`].
//! Sources: `SplitPathVersion`, `CheckPathMajor` in `golang.org/x/mod/module` (go 1.26).

use super::ModulePath;
use crate::version::{GoVersion, INCOMPATIBLE, parse_go_semver};

/// A version whose major number does not go with the module path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}@{version}: invalid version: should be {wanted}, not {found}")]
pub struct MajorFault {
    /// The module path.
    pub path: String,
    /// The version.
    pub version: String,
    /// What would go with the path: `v2`, or `v0 or v1`.
    pub wanted: String,
    /// What the version has: `v3`.
    pub found: String,
}

/// Splits a path into what comes before its major suffix and the suffix; nothing if the suffix is
/// malformed. The path's other rules are not checked.
#[must_use]
pub fn split_major(path: &str) -> Option<(&str, &str)> {
    if path.starts_with("gopkg.in/") {
        return split_gopkg_in(path);
    }
    let stem = path.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let Some(prefix) = stem.strip_suffix("/v").filter(|_| stem.len() < path.len()) else {
        return Some((path, ""));
    };
    let number = &path[stem.len()..];
    let is_sound = !number.contains('.') && !number.starts_with('0') && number != "1";
    is_sound.then(|| path.split_at(prefix.len()))
}

/// gopkg.in keeps several branches of one repository apart by `.vN`, for all N from 0 on, and needs it.
///
/// Go takes `gopkg.in/yaml.v-unstable` too, by an oversight, and then no version for it; it is refused here.
fn split_gopkg_in(path: &str) -> Option<(&str, &str)> {
    let stable = path.strip_suffix("-unstable").unwrap_or(path);
    let stem = stable.trim_end_matches(|c: char| c.is_ascii_digit());
    let prefix = stem.strip_suffix(".v")?;
    let number = &stable[stem.len()..];
    let has_leading_zero = number.starts_with('0') && path[prefix.len()..] != *".v0";
    (!number.is_empty() && !has_leading_zero).then(|| path.split_at(prefix.len()))
}

/// Whether a version, canonical or not, goes with a major suffix (``, `/v2`, `.v3`).
#[must_use]
pub fn major_matches(version: &str, path_major: &str) -> bool {
    let Some(parts) = parse_go_semver(version) else { return false };
    match wanted(path_major) {
        // gopkg.in/check.v1 is required at v0.0.0-20161208181325-20d25e280405 by many.
        Some("v1") if path_major.starts_with('.') && version.starts_with("v0.0.0-") => true,
        Some(major) => major.strip_prefix('v') == Some(parts.major),
        None => matches!(parts.major, "0" | "1") || INCOMPATIBLE.strip_prefix('+') == Some(parts.build),
    }
}

/// The major version that a suffix stands for: `v2` for `/v2`, `.v2` and `.v2-unstable`.
fn wanted(path_major: &str) -> Option<&str> {
    path_major.strip_suffix("-unstable").unwrap_or(path_major).strip_prefix(['/', '.'])
}

/// Checks that a version goes with a module path.
pub fn check_major(path: &ModulePath, version: &GoVersion) -> Result<(), MajorFault> {
    if major_matches(version.as_str(), path.major()) {
        return Ok(());
    }
    Err(MajorFault {
        path: path.to_string(),
        version: version.to_string(),
        wanted: wanted(path.major()).unwrap_or("v0 or v1").to_owned(),
        found: version.major().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_suffix_is_split_off() {
        let table = [
            ("e.com/m", Some("")),
            ("e.com/m/v2", Some("/v2")),
            ("e.com/m/v10", Some("/v10")),
            ("e.com/m/v99999999999999999999", Some("/v99999999999999999999")),
            ("e.com/v2", Some("/v2")),
            ("e.com/m/v2/sub", Some("")),
            ("e.com/v2v3", Some("")),
            ("e.com/m/V2", Some("")),
            ("e.com/m/v", Some("")),
            ("e.com/m/xv2", Some("")),
            ("e.com/m.v2", Some("")),
            ("e.com/m/v0", None),
            ("e.com/m/v1", None),
            ("e.com/m/v02", None),
            ("e.com/m/v1.2", None),
            ("e.com/m/v2.0", None),
            ("e.com/m/v2.0.0", None),
            ("gopkg.in/yaml.v0", Some(".v0")),
            ("gopkg.in/yaml.v1", Some(".v1")),
            ("gopkg.in/yaml.v2", Some(".v2")),
            ("gopkg.in/a/yaml.v20", Some(".v20")),
            ("gopkg.in/yaml.v2-unstable", Some(".v2-unstable")),
            ("gopkg.in/yaml", None),
            ("gopkg.in/yaml.v", None),
            ("gopkg.in/yaml.v01", None),
            ("gopkg.in/yaml.v0-unstable", None),
            ("gopkg.in/yaml.v-unstable", None),
            ("gopkg.in/yaml.v2.1", None),
            ("gopkg.in/yaml/v2", None),
            ("gopkg.in/yaml.v2/sub", None),
            ("gopkg.in/yaml.v2-stable", None),
        ];
        for (path, major) in table {
            let wanted = major.map(|major| (path.strip_suffix(major).expect("a suffix"), major));
            assert_eq!(split_major(path), wanted, "{path}");
        }
    }

    #[test]
    fn a_version_goes_with_its_path() {
        let table = [
            ("", "v0.1.0", true),
            ("", "v1.2.3-rc.1", true),
            ("", "v2.0.0", false),
            ("", "v2.0.0+incompatible", true),
            ("", "v1.0.0+incompatible", true),
            ("", "v2.0.0+incompatible.1", false),
            ("", "v10.0.0", false),
            ("", "main", false),
            ("/v2", "v2.0.0", true),
            ("/v2", "v2.0.0-rc.1", true),
            ("/v2", "v20.0.0", false),
            ("/v2", "v1.0.0", false),
            ("/v2", "v2.0.0+incompatible", true),
            ("/v2", "v3.0.0+incompatible", false),
            ("/v99999999999999999999", "v99999999999999999999.0.0", true),
            (".v2", "v2.1.0", true),
            (".v2", "v1.0.0", false),
            (".v2", "v0.0.0-20161208181325-20d25e280405", false),
            (".v2-unstable", "v2.1.0", true),
            (".v1", "v1.0.0", true),
            (".v1", "v0.0.0-20161208181325-20d25e280405", true),
            (".v1", "v0.0.0", false),
            (".v1", "v0.1.0", false),
            (".v1-unstable", "v0.0.0-20161208181325-20d25e280405", true),
            (".v0", "v0.1.0", true),
        ];
        for (major, version, wanted) in table {
            assert_eq!(major_matches(version, major), wanted, "{major} {version}");
        }
    }

    #[test]
    fn a_fault_says_which_major_was_wanted() {
        let of = |path, version| {
            let path = ModulePath::parse(path).expect(path);
            check_major(&path, &GoVersion::parse(version).expect(version)).map_err(|fault| fault.to_string())
        };
        let told = |text: &str| Err(text.to_owned());
        assert_eq!(of("e.com/m/v2", "v2.3.4"), Ok(()));
        assert_eq!(of("e.com/m", "v2.0.0"), told("e.com/m@v2.0.0: invalid version: should be v0 or v1, not v2"));
        assert_eq!(of("e.com/m/v2", "v3.0.0"), told("e.com/m/v2@v3.0.0: invalid version: should be v2, not v3"));
        let unstable = "gopkg.in/yaml.v2-unstable@v1.0.0: invalid version: should be v2, not v1";
        assert_eq!(of("gopkg.in/yaml.v2-unstable", "v1.0.0"), told(unstable));
    }
}
