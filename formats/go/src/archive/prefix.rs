//! The folder in an archive under which everything is.
//!
//! ```text
//! name ex.com/a/b/v2, version v2.0.0
//! ex.com/a/b/v2@v2.0.0/   the whole path, as in a module zip          b@v2.0.0/   v2@v2.0.0/   a tail of it
//! b-2.0.0/   prefix/      any one folder, if it has the go.mod, or, without any go.mod, is called b-…
//! (nothing)               git archive without --prefix
//! ```
//!
//! A folder of the form `…@version/` speaks: if it names another module or version, that is told. Name and
//! version that were not given are taken from it.
//!
//! Names here are clean. Bounds: one pass for each of the forms.
//! Errors: `mixed_prefix`, `prefix_mismatch`, `version_mismatch`.

use std::iter;

use keeper_core::error::Problem;

use crate::absent::shown;
use crate::error::{MIXED_PREFIX, PREFIX_MISMATCH, Problems, VERSION_MISMATCH, entry_problem};
use crate::path::{ModulePath, split_major};
use crate::version::is_valid;

/// What the uploader says about the module, as text: it may be wrong in itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// The module path.
    pub name: Option<&'a str>,
    /// The version.
    pub version: Option<&'a str>,
    /// Whether a folder called like the module's last element is likely its place in a repository, and not
    /// something put before all names.
    pub is_subdirectory: bool,
}

/// The folder that holds everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefix {
    /// Its name with the slash, or nothing.
    pub text: String,
    /// The module that it names, if that is a whole module path.
    pub module: Option<ModulePath>,
    /// The version that it names, valid but maybe not canonical.
    pub version: Option<String>,
}

/// A folder of the form `module@version/`.
#[derive(Clone, Copy)]
struct Marked<'a> {
    text: &'a str,
    module: &'a str,
    version: &'a str,
}

impl<'a> Marked<'a> {
    /// The first such folder in a name, if its version is one. Module paths hold no `@`.
    fn of(name: &'a str) -> Option<Self> {
        let at = name.find('@')?;
        let slash = at + name[at..].find('/')?;
        let (module, version) = (&name[..at], &name[at + 1..slash]);
        is_valid(version).then_some(Self { text: &name[..=slash], module, version })
    }

    fn is_whole_path(self) -> bool {
        ModulePath::parse(self.module).is_ok()
    }

    /// Whether it may be the prefix at all: `testdata/x@v1.0.0/` is a folder of some module.
    fn is_plausible(self, name: Option<&str>) -> bool {
        !self.module.contains('/') || self.is_whole_path() || self.names(name)
    }

    fn names(self, name: Option<&str>) -> bool {
        name.is_some_and(|name| is_tail(self.module, name))
    }
}

/// Finds the folder of these names, which are those of all entries but directories.
pub fn find(names: &[&str], wanted: Wanted<'_>, problems: &mut Problems) -> Prefix {
    let marked = names.iter().filter_map(|name| Marked::of(name)).find(|marked| marked.is_plausible(wanted.name));
    if let Some(marked) = marked {
        let outside = names.iter().find(|name| !name.starts_with(marked.text));
        let Some(outside) = outside else { return speaking(marked, wanted, problems) };
        let is_meant = marked.names(wanted.name) && wanted.version.is_none_or(|version| version == marked.version);
        let is_bare = names.contains(&"go.mod");
        if is_meant || (!is_bare && (marked.is_whole_path() || marked.names(wanted.name))) {
            let why = format!("it is outside {}, where other files are", shown(marked.text));
            problems.push(entry_problem(&MIXED_PREFIX, outside, &why));
            return speaking(marked, wanted, problems);
        }
    }
    let text = common_folder(names).filter(|folder| is_prefix(folder, names, wanted)).unwrap_or_default();
    Prefix { text: text.to_owned(), ..Prefix::default() }
}

/// The folder `module@version/`, held against what the uploader says.
fn speaking(marked: Marked<'_>, wanted: Wanted<'_>, problems: &mut Problems) -> Prefix {
    let folder = shown(marked.text);
    if let Some(version) = wanted.version.filter(|version| *version != marked.version) {
        let detail =
            format!("the archive's folder {folder} says {}, the upload {}", shown(marked.version), shown(version));
        problems.push(Problem::new(&VERSION_MISMATCH, detail).field("version").path(folder.clone()));
    }
    if let Some(name) = wanted.name.filter(|name| !is_tail(marked.module, name)) {
        let detail = format!("the archive's folder {folder} is not that of {}", shown(name));
        problems.push(Problem::new(&PREFIX_MISMATCH, detail).field("name").path(folder));
    }
    Prefix {
        text: marked.text.to_owned(),
        module: ModulePath::parse(marked.module).ok(),
        version: Some(marked.version.to_owned()),
    }
}

/// The one top directory of all names, with its slash.
fn common_folder<'a>(names: &[&'a str]) -> Option<&'a str> {
    let first = names.first()?;
    let folder = &first[..=first.find('/')?];
    names.iter().all(|name| name.starts_with(folder)).then_some(folder)
}

/// Whether a common folder was put before all names, rather than being part of the module.
fn is_prefix(folder: &str, names: &[&str], wanted: Wanted<'_>) -> bool {
    let is_go_mod = |name: &str| name.eq_ignore_ascii_case("go.mod");
    let bare = folder.trim_end_matches('/');
    let last_elements =
        || wanted.name.into_iter().flat_map(|name| [split_major(name).map_or(name, |split| split.0), name]);
    let last_elements = last_elements().filter_map(|path| path.rsplit('/').next());
    if names.iter().any(|name| is_go_mod(&name[folder.len()..])) {
        return !(wanted.is_subdirectory && last_elements.into_iter().any(|last| last == bare));
    }
    let has_go_mod = names.iter().any(|name| name.rsplit('/').next().is_some_and(|base| base == "go.mod"));
    let is_called_so = |last: &str| bare.strip_prefix(last).is_some_and(|rest| rest.starts_with('-') && rest.len() > 1);
    !has_go_mod && last_elements.into_iter().any(is_called_so)
}

/// Whether a text is the last elements of a module path, or all, with or without its major suffix.
fn is_tail(text: &str, name: &str) -> bool {
    let stem = split_major(name).map_or(name, |split| split.0);
    let ends_so = |path: &str| path.strip_suffix(text).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
    !text.is_empty() && iter::once(name).chain([stem]).any(ends_so)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The folder, and the codes of what is told.
    fn found(names: &[&str], wanted: Wanted<'_>) -> (String, Vec<&'static str>) {
        let mut problems = Problems::default();
        let prefix = find(names, wanted, &mut problems);
        let codes = problems.settle().err().map(|failure| failure.problems().map(|p| p.code.name).collect());
        (prefix.text, codes.unwrap_or_default())
    }

    #[test]
    fn every_form_of_the_folder_is_known() {
        let wanted = |name| Wanted { name: Some(name), version: Some("v1.0.0"), is_subdirectory: false };
        let table: [(&str, &[&str], &str); 17] = [
            ("ex.com/m", &["ex.com/m@v1.0.0/go.mod", "ex.com/m@v1.0.0/a.go"], "ex.com/m@v1.0.0/"),
            ("ex.com/m", &["m@v1.0.0/a.go"], "m@v1.0.0/"),
            ("a.b/b/v2", &["b@v1.0.0/a.go"], "b@v1.0.0/"),
            ("a.b/b/v2", &["v2@v1.0.0/a.go"], "v2@v1.0.0/"),
            ("a.b/c/b/v2", &["c/b@v1.0.0/a.go"], "c/b@v1.0.0/"),
            ("ex.com/m", &["prefix/go.mod", "prefix/a.go"], "prefix/"),
            ("ex.com/m", &["prefix/GO.MOD", "prefix/a.go"], "prefix/"),
            ("ex.com/m", &["m-1.0.0/a.go", "m-1.0.0/x/b.go"], "m-1.0.0/"),
            ("gopkg.in/yaml.v2", &["yaml-2.1.0/a.go"], "yaml-2.1.0/"),
            ("ex.com/m", &["m-/a.go"], ""),
            ("ex.com/m", &["other/a.go"], ""),
            ("ex.com/m", &["go.mod", "a/b.go"], ""),
            ("ex.com/m", &["m-1.0.0/s/go.mod"], ""),
            ("ex.com/m", &["go.mod", "x.y/z@v1.0.0/a.go"], ""),
            ("ex.com/m", &["go.mod", "testdata/m@v1.0.0/a.go"], ""),
            ("ex.com/m", &["testdata/m@v1.0.0/a.go", "testdata/b"], ""),
            ("ex.com/m", &["m@main/go.mod"], "m@main/"),
        ];
        for (name, names, prefix) in table {
            assert_eq!(found(names, wanted(name)), (prefix.to_owned(), vec![]), "{name} {names:?}");
        }
        assert_eq!(found(&[], wanted("ex.com/m")), (String::new(), vec![]));
    }

    #[test]
    fn a_folder_that_contradicts_the_upload_is_told() {
        let wanted = Wanted { name: Some("ex.com/m"), version: Some("v1.0.0"), is_subdirectory: false };
        let table: [(&[&str], &[&str]); 7] = [
            (&["m@v1.0.1/go.mod"], &["version_mismatch"]),
            (&["other.org/x@v1.0.0/go.mod"], &["prefix_mismatch"]),
            (&["x@v1.0.1/go.mod"], &["version_mismatch", "prefix_mismatch"]),
            (&["m@v1.0.0/go.mod", "b.go"], &["mixed_prefix"]),
            (&["m@v1.0.0/a.go", "go.mod"], &["mixed_prefix"]),
            (&["m@v1.0.0/a.go", "n@v1.0.0/a.go"], &["mixed_prefix"]),
            (&["m@v1.0.1/go.mod", "b.go"], &["mixed_prefix", "version_mismatch"]),
        ];
        for (names, codes) in table {
            assert_eq!(found(names, wanted).1, codes, "{names:?}");
        }
    }

    #[test]
    fn what_was_not_given_is_taken_from_the_folder() {
        let mut problems = Problems::default();
        let prefix = find(&["ex.com/m@v1.0.0/a.go"], Wanted::default(), &mut problems);
        assert_eq!(prefix.module.as_ref().map(ModulePath::as_str), Some("ex.com/m"));
        assert_eq!(prefix.version.as_deref(), Some("v1.0.0"));
        let prefix = find(&["m@v1.0.0/a.go"], Wanted::default(), &mut problems);
        assert_eq!((prefix.module, prefix.version.as_deref()), (None, Some("v1.0.0")));
    }

    #[test]
    fn a_subdirectory_of_a_repository_is_no_prefix() {
        let wanted = |is_subdirectory| Wanted { name: Some("ex.com/m/sub/v2"), version: None, is_subdirectory };
        let names = ["sub/go.mod", "sub/a.go"];
        assert_eq!(found(&names, wanted(false)).0, "sub/");
        assert_eq!(found(&names, wanted(true)).0, "");
    }
}
