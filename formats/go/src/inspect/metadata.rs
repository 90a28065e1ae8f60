//! What is found out about a version, as it is kept with it and shown by the API.
//!
//! ```text
//! {"has_go_mod":true,"go":"1.21","requires":[{"path":"x.y/z","version":"v1.0.0"}],
//!  "retracts":[{"low":"v1.0.0","high":"v1.0.3","rationale":"lost data"}],
//!  "commit":"0a1b…","time":"2024-03-04T03:06:07Z","time_source":"commit","origin":{"VCS":"git","Hash":"0a1b…"},
//!  "packages":["ex.com/m","ex.com/m/cmd/x"],"licenses":["LICENSE"],"readme":"README.md",
//!  "files":12,"size_bytes":34567}
//! ```
//!
//! Empty values are left out. Readers take [`Metadata::of`], which bears with records of other versions.
//! Bounds: [`GO_MOD_LIST`] for each list of go.mod, [`PACKAGES`].

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::archive::selection::{Omitted, Selection};
use crate::info::Origin;
use crate::limits::{GO_MOD_LIST, PACKAGES};
use crate::modfile::ModFile;

/// The metadata of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// Whether the module has a go.mod that is not the text Go would make up: such modules win over
    /// `+incompatible` versions.
    pub has_go_mod: bool,
    /// The `go` line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub go: Option<String>,
    /// The `toolchain` line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toolchain: Option<String>,
    /// The `require` lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requirement>,
    /// The `replace` lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<Replacement>,
    /// The `exclude` lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub excludes: Vec<Exclusion>,
    /// The `retract` lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retracts: Vec<Retraction>,
    /// The `tool` lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// The text after `Deprecated:`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
    /// The commit id that the archive states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The time in `.info`, RFC 3339.
    pub time: String,
    /// Where that time comes from.
    pub time_source: TimeSource,
    /// The origin in `.info`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The directory of the module in its repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subdirectory: Option<String>,
    /// Licence files at the root.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub licenses: Vec<String>,
    /// Import paths of its packages, sorted; internal and vendored ones and commands too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// Whether there are more packages.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub packages_truncated: bool,
    /// The file to show to people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readme: Option<String>,
    /// The `h1:` of the go.mod in the zip, or of the one made up for it, of a copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub go_mod_h1_in_zip: Option<String>,
    /// The checksum database that vouches for the last file that was copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified_by: Option<String>,
    /// Whether a file was copied that no checksum database knows.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unverified: bool,
    /// Files left out, by reason.
    #[serde(skip_serializing_if = "Omissions::is_empty")]
    pub omitted: Omissions,
    /// Files in the zip.
    pub files: u64,
    /// Bytes of these files together, uncompressed.
    pub size_bytes: u64,
}

/// Where the time of a version comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeSource {
    /// The commit, in UTC.
    Commit,
    /// The upstream says so.
    Upstream,
    /// The commit, in the archiver's unknown zone.
    CommitLocal,
    /// The pseudo-version.
    PseudoVersion,
    /// When the upload was accepted.
    #[default]
    Upload,
}

/// A `require` line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Requirement {
    /// The module.
    pub path: String,
    /// The lowest version.
    pub version: String,
    /// Needed only by other requirements.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub indirect: bool,
}

/// A `replace` line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Replacement {
    /// The module replaced.
    pub old_path: String,
    /// The version replaced; all, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_version: Option<String>,
    /// The module or directory in its place.
    pub new_path: String,
    /// The version of that module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_version: Option<String>,
}

/// An `exclude` line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Exclusion {
    /// The module.
    pub path: String,
    /// The version.
    pub version: String,
}

/// A `retract` line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retraction {
    /// The first version taken back.
    pub low: String,
    /// The last one.
    pub high: String,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rationale: String,
}

/// Files left out, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Omissions {
    /// In nested modules.
    pub nested_module: u64,
    /// In vendored packages.
    pub vendored: u64,
    /// Links and special files.
    pub irregular: u64,
    /// Written by Mercurial.
    pub archival: u64,
}

impl Omissions {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl From<Omitted> for Omissions {
    fn from(omitted: Omitted) -> Self {
        let Omitted { nested, vendored, irregular, archival } = omitted;
        Self { nested_module: nested, vendored, irregular, archival }
    }
}

/// A part of the metadata: what one file of a copy tells. The files come one by one, and the fields of each are
/// joined to those that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What `.info` says.
    Info,
    /// What `go.mod` says.
    GoMod,
    /// What the zip holds.
    Files,
}

impl Part {
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Info => &["commit", "time", "time_source", "origin"],
            Self::GoMod => &[
                "has_go_mod",
                "go",
                "toolchain",
                "requires",
                "replaces",
                "excludes",
                "retracts",
                "tools",
                "deprecated",
            ],
            Self::Files => {
                &["licenses", "packages", "packages_truncated", "readme", "go_mod_h1_in_zip", "files", "size_bytes"]
            }
        }
    }

    /// Adds the fields of another part.
    pub fn join(one: &mut Value, other: Value) {
        match (one, other) {
            (Value::Object(fields), Value::Object(more)) => fields.extend(more),
            (one, other) => *one = other,
        }
    }
}

impl Metadata {
    /// The fields of a part, to be joined with others.
    #[must_use]
    pub fn part(&self, which: Part) -> Value {
        let mut value = self.to_value();
        if let Value::Object(fields) = &mut value {
            fields.retain(|field, _| which.fields().contains(&field.as_str()));
        }
        value
    }

    /// Reads what was kept; what cannot be read is as if it had not been found out.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        Self::deserialize(value).unwrap_or_default()
    }

    /// The form to keep.
    #[must_use]
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("texts and numbers are always JSON")
    }

    /// Takes over what go.mod says.
    pub(super) fn describe_go_mod(&mut self, file: &ModFile) {
        self.go.clone_from(&file.go);
        self.toolchain.clone_from(&file.toolchain);
        self.deprecated.clone_from(&file.module_deprecated);
        self.requires = listed(&file.requires, |require| Requirement {
            path: require.path.clone(),
            version: require.version.clone(),
            indirect: require.indirect,
        });
        self.replaces = listed(&file.replaces, |replace| Replacement {
            old_path: replace.old_path.clone(),
            old_version: replace.old_version.clone(),
            new_path: replace.new_path.clone(),
            new_version: replace.new_version.clone(),
        });
        self.excludes = listed(&file.excludes, |exclude| Exclusion {
            path: exclude.path.clone(),
            version: exclude.version.clone(),
        });
        self.retracts = listed(&file.retracts, |retract| Retraction {
            low: retract.low.clone(),
            high: retract.high.clone(),
            rationale: retract.rationale.clone(),
        });
        self.tools = listed(&file.tools, String::clone);
    }

    /// Takes over what the names of the files tell.
    pub(super) fn describe_files(&mut self, selection: &Selection<'_>, module: &str) {
        self.omitted = selection.omitted.into();
        self.files = selection.kept.len() as u64;
        self.size_bytes = selection.bytes;
        let at_root = || selection.kept.iter().map(|file| file.name).filter(|name| !name.contains('/'));
        self.licenses = at_root().filter(|name| is_license(name)).take(REPEATED).map(str::to_owned).collect();
        self.readme = readme(selection).map(str::to_owned);
        let mut directories: Vec<&str> =
            selection.kept.iter().filter_map(|file| package_directory(file.name)).collect();
        directories.sort_unstable();
        directories.dedup();
        self.packages_truncated = directories.len() > PACKAGES;
        let path =
            |directory: &str| if directory.is_empty() { module.to_owned() } else { format!("{module}/{directory}") };
        self.packages = directories.into_iter().take(PACKAGES).map(path).collect();
    }
}

/// The file to show to people: README.md before README, and anything before translations such as README.de.md.
pub(super) fn readme<'a>(selection: &Selection<'a>) -> Option<&'a str> {
    let names = selection.kept.iter().map(|file| file.name).filter(|name| !name.contains('/') && is_readme(name));
    names.min_by_key(|name| (name.matches('.').count() != 1, name.len(), *name))
}

/// Licence files named.
const REPEATED: usize = 20;

fn listed<T, U>(list: &[T], of: impl Fn(&T) -> U) -> Vec<U> {
    list.iter().take(GO_MOD_LIST).map(of).collect()
}

/// Whether the root has a file by which people say under which licence the module is.
pub(super) fn is_license(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["license", "licence", "copying", "unlicense"].iter().any(|word| {
        name.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-', '_']))
            || name.strip_suffix(word).is_some_and(|rest| rest.ends_with(['-', '_']))
    })
}

fn is_readme(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.strip_prefix("readme").is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The directory of a Go file that makes a package. Go passes over names that begin with a dot or an
/// underscore, and over `testdata`.
fn package_directory(name: &str) -> Option<&str> {
    let (directory, base) = name.rsplit_once('/').unwrap_or(("", name));
    let is_passed_over = |element: &str| element.starts_with(['.', '_']) || element == "testdata";
    let is_source = base.ends_with(".go") && !base.ends_with("_test.go");
    (is_source && !name.split('/').any(is_passed_over)).then_some(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_where_go_sees_source() {
        let table = [
            ("a.go", Some("")),
            ("cmd/x/main.go", Some("cmd/x")),
            ("internal/a.go", Some("internal")),
            ("a_test.go", None),
            ("x/testdata/a.go", None),
            ("_x/a.go", None),
            (".x/a.go", None),
            ("_a.go", None),
            ("x/a.txt", None),
        ];
        for (name, directory) in table {
            assert_eq!(package_directory(name), directory, "{name}");
        }
    }

    #[test]
    fn licences_and_readmes_are_known_by_their_names() {
        for name in ["LICENSE", "license.md", "LICENSE-MIT", "COPYING", "MIT-LICENSE", "UNLICENSE", "Licence.txt"] {
            assert!(is_license(name), "{name}");
        }
        for name in ["licenses", "license_test.go.x/y", "licensed", "unlicensed"] {
            assert_eq!(is_license(name), name.starts_with("license_"), "{name}");
        }
        assert!(is_readme("ReadMe.MD") && is_readme("README") && !is_readme("readmes"));
    }

    #[test]
    fn what_is_kept_is_read_again_and_bears_with_gaps() {
        let metadata = Metadata {
            has_go_mod: true,
            retracts: vec![Retraction { low: "v1.0.0".to_owned(), ..Retraction::default() }],
            time_source: TimeSource::PseudoVersion,
            ..Metadata::default()
        };
        assert_eq!(Metadata::of(&metadata.to_value()), metadata);
        assert_eq!(metadata.to_value()["time_source"], "pseudo_version");
        assert!(Metadata::of(&serde_json::json!({"has_go_mod": true, "new": 1})).has_go_mod);
        assert_eq!(Metadata::of(&Value::Null), Metadata::default());
    }
}
