//! The directory of the module within what the archive holds, and its go.mod.
//!
//! ```text
//! module ex.com/m          go.mod                  the root
//! module ex.com/m/v2       go.mod or v2/go.mod     but not both
//! module ex.com/m/sub/v2   sub/go.mod, sub/v2/go.mod, and the archive holds the whole repository
//! ```
//!
//! A go.mod counts if it declares the module. Of directories only those are looked at that the path of the
//! module names, and if there is a go.mod at the root, only where its path and the directory give the name.
//!
//! Bounds: [`GO_MOD_BYTES`], [`CANDIDATES`].
//! Errors: `go_mod_…`, `module_mismatch`, `ambiguous_root`, `mixed_prefix`, `too_large`.
//! Sources: `findDir` in `cmd/go/internal/modfetch/coderepo.go` (go 1.26).

use std::collections::HashMap;

use keeper_core::error::{Code, Problem, codes};
use keeper_core::format::InspectError;

use super::contents::Contents;
use super::entry::Entry;
use crate::absent::shown;
use crate::error::{
    AMBIGUOUS_ROOT, GO_MOD_NO_MODULE, GO_MOD_NOT_REGULAR, GO_MOD_REQUIRED, MIXED_PREFIX, MODULE_MISMATCH, Problems,
    entry_problem,
};
use crate::limits::{CANDIDATES, GO_MOD_BYTES};
use crate::modfile::{self, ModFile};
use crate::path::split_major;

/// A go.mod that was read.
#[derive(Debug)]
pub struct GoMod {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What it says.
    pub file: ModFile,
}

/// Where the module is.
#[derive(Debug, Default)]
pub struct Root {
    /// Its directory below the prefix, with the slash, or nothing.
    pub directory: String,
    /// Its go.mod, if there is one and it can be read.
    pub go_mod: Option<Box<GoMod>>,
}

/// Looks for a module in an archive.
pub struct Search<'a, 'c> {
    entries: &'a [Entry],
    prefix: &'a str,
    /// Which entry has a name below the prefix.
    names: HashMap<&'a str, usize>,
    contents: &'a mut Contents<'c>,
}

/// What is at the place of a go.mod.
enum Found {
    Absent,
    Bad(Vec<Problem>),
    Good(Box<GoMod>),
}

impl Found {
    fn declared(&self) -> Option<&str> {
        match self {
            Self::Good(go_mod) => go_mod.file.module.as_deref(),
            Self::Absent | Self::Bad(_) => None,
        }
    }
}

impl<'a, 'c> Search<'a, 'c> {
    /// A search among the entries below a prefix.
    pub fn new(entries: &'a [Entry], prefix: &'a str, contents: &'a mut Contents<'c>) -> Self {
        let below = |(number, entry): (usize, &'a Entry)| Some((entry.name.strip_prefix(prefix)?, number));
        let names = entries.iter().enumerate().filter_map(below).collect();
        Self { entries, prefix, names, contents }
    }

    /// Finds the module called `name`; without a name, the one at the root. `is_fork`: its go.mod may declare
    /// another path.
    ///
    /// # Errors
    /// Only faults of the storage; what is wrong with the archive becomes problems.
    pub fn find(&mut self, name: Option<&str>, is_fork: bool, problems: &mut Problems) -> Result<Root, InspectError> {
        let root = self.go_mod("")?;
        let Some(name) = name else { return Ok(self.at_root(root, None, is_fork, problems)) };
        let is_at_root = root.declared() == Some(name);
        let mut others = self.below(name, root.declared())?;
        if usize::from(is_at_root) + others.len() > 1 {
            let directories = others.iter().map(|other| format!("{}go.mod", shown(&other.directory)));
            let places = is_at_root.then(|| "go.mod".to_owned()).into_iter().chain(directories).collect::<Vec<_>>();
            let detail = format!("{} all declare {}", places.join(", "), shown(name));
            problems.push(Problem::new(&AMBIGUOUS_ROOT, detail).field("file"));
        }
        match others.pop() {
            Some(other) if !is_at_root => Ok(other),
            _ => {
                if matches!(root, Found::Absent) {
                    self.without_go_mod(name, problems)?;
                }
                Ok(self.at_root(root, Some(name), is_fork, problems))
            }
        }
    }

    /// The root of the archive as the module's place, whatever its go.mod says.
    fn at_root(&self, root: Found, name: Option<&str>, is_fork: bool, problems: &mut Problems) -> Root {
        let path = format!("{}go.mod", self.prefix);
        let go_mod = match root {
            Found::Absent => None,
            Found::Bad(faults) => {
                faults.into_iter().for_each(|fault| problems.push(fault));
                None
            }
            Found::Good(go_mod) => Some(go_mod),
        };
        match (go_mod.as_ref().map(|go_mod| go_mod.file.module.as_deref()), name) {
            (Some(None), _) => problems.push(entry_problem(&GO_MOD_NO_MODULE, &path, "it has no module line")),
            (Some(Some(declared)), Some(name)) if declared != name && !is_fork => {
                let why = format!("it declares {}, the upload says {}", shown(declared), shown(name));
                let hint = "The client refuses such a version unless it is used through 'replace'. If this is a fork for that use, add -F fork=true.";
                problems.push(entry_problem(&MODULE_MISMATCH, &path, &why).field("name").hint(hint));
            }
            _ => {}
        }
        Root { directory: String::new(), go_mod }
    }

    /// The modules of this name that are not at the root.
    fn below(&mut self, name: &str, root: Option<&str>) -> Result<Vec<Root>, InspectError> {
        let is_there = |directory: &String| self.names.contains_key(format!("{directory}go.mod").as_str());
        let candidates = directories(name).into_iter().filter(|directory| fits(root, directory, name));
        let candidates: Vec<String> = candidates.filter(is_there).take(CANDIDATES).collect();
        let mut found = Vec::new();
        for directory in candidates {
            let Found::Good(go_mod) = self.go_mod(&directory)? else { continue };
            if go_mod.file.module.as_deref() == Some(name) {
                found.push(Root { directory, go_mod: Some(go_mod) });
            }
        }
        Ok(found)
    }

    /// Nothing declares the module: fine only for one that can do without go.mod and is not in a folder.
    fn without_go_mod(&mut self, name: &str, problems: &mut Problems) -> Result<(), InspectError> {
        let is_in_other_case = self.names.keys().any(|path| path.eq_ignore_ascii_case("go.mod"));
        if is_in_other_case {
            // Told where the files are judged.
            return Ok(());
        }
        let mut folders: Vec<&str> = self.names.keys().filter_map(|path| path.strip_suffix("go.mod")).collect();
        folders.retain(|folder| folder.matches('/').count() == 1 && folder.ends_with('/'));
        folders.sort_unstable();
        for folder in folders.into_iter().take(CANDIDATES) {
            if self.go_mod(folder)?.declared() == Some(name) {
                let path = format!("{}{folder}go.mod", self.prefix);
                let why = format!("it declares {}, but other files are outside its folder", shown(name));
                problems.push(entry_problem(&MIXED_PREFIX, &path, &why));
                return Ok(());
            }
        }
        if split_major(name).is_some_and(|(_, major)| major.starts_with('/')) {
            let detail = format!("the archive has no go.mod that declares {}", shown(name));
            problems.push(Problem::new(&GO_MOD_REQUIRED, detail).field("file"));
        }
        Ok(())
    }

    fn go_mod(&mut self, directory: &str) -> Result<Found, InspectError> {
        let Some(&number) = self.names.get(format!("{directory}go.mod").as_str()) else { return Ok(Found::Absent) };
        let entry = &self.entries[number];
        let bad = |code: &'static Code, why: &str| Ok(Found::Bad(vec![entry_problem(code, &entry.name, why)]));
        if !entry.is_file() {
            return bad(&GO_MOD_NOT_REGULAR, "it is a link or another special file");
        }
        if entry.size > GO_MOD_BYTES {
            return bad(
                &codes::TOO_LARGE,
                &format!("go.mod has {} bytes; at most {GO_MOD_BYTES} are accepted", entry.size),
            );
        }
        let bytes = match self.contents.read(entry, GO_MOD_BYTES) {
            Ok(bytes) => bytes,
            Err(InspectError::Refused(failure)) => return Ok(Found::Bad(failure.problems().cloned().collect())),
            Err(fault) => return Err(fault),
        };
        Ok(match modfile::parse(&bytes) {
            Ok(file) => Found::Good(Box::new(GoMod { bytes, file })),
            Err(faults) => {
                let problem = |fault| Problem::from(fault).path(shown(&entry.name));
                Found::Bad(faults.into_iter().map(problem).collect())
            }
        })
    }
}

/// Where a module may be in its repository: `sub/`, `m/sub/` for `ex.com/m/sub`, with and without the major.
fn directories(name: &str) -> Vec<String> {
    let Some((stem, major)) = split_major(name) else { return Vec::new() };
    let major = if major.starts_with('/') { major } else { "" };
    let mut directories = Vec::new();
    for (slash, _) in stem.match_indices('/').rev() {
        let tail = &stem[slash + 1..];
        directories.push(format!("{tail}/"));
        if !major.is_empty() {
            directories.push(format!("{tail}{major}/"));
        }
    }
    if let Some(major) = major.strip_prefix('/') {
        directories.push(format!("{major}/"));
    }
    directories
}

/// Whether a module in this directory of the repository, whose root declares `root`, is called so.
fn fits(root: Option<&str>, directory: &str, name: &str) -> bool {
    let Some((stem, _)) = root.and_then(split_major) else { return true };
    let path = format!("{stem}/{}", directory.trim_end_matches('/'));
    path == name || split_major(name).is_some_and(|(name, _)| path == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_looked_for_where_its_path_says() {
        let table: [(&str, &[&str]); 6] = [
            ("ex.com/m", &["m/"]),
            ("ex.com/m/sub", &["sub/", "m/sub/"]),
            ("ex.com/m/v2", &["m/", "m/v2/", "v2/"]),
            ("ex.com/m/sub/v2", &["sub/", "sub/v2/", "m/sub/", "m/sub/v2/", "v2/"]),
            ("gopkg.in/yaml.v2", &["yaml/"]),
            ("ex.com", &[]),
        ];
        for (name, expected) in table {
            assert_eq!(directories(name), expected, "{name}");
        }
    }

    #[test]
    fn root_and_directory_must_give_the_name() {
        let table = [
            (Some("ex.com/m"), "sub/", "ex.com/m/sub", true),
            (Some("ex.com/m/v3"), "sub/", "ex.com/m/sub", true),
            (Some("ex.com/m"), "sub/", "ex.com/m/sub/v2", true),
            (Some("ex.com/m"), "sub/v2/", "ex.com/m/sub/v2", true),
            (Some("ex.com/m"), "v2/", "ex.com/m/v2", true),
            (Some("ex.com/m/v2"), "v2/", "ex.com/m/v2", true),
            (Some("ex.com/x"), "sub/", "ex.com/m/sub", false),
            (Some("ex.com/m"), "m/", "ex.com/m", false),
            (None, "m/sub/", "ex.com/m/sub", true),
        ];
        for (root, directory, name, expected) in table {
            assert_eq!(fits(root, directory, name), expected, "{root:?} {directory} {name}");
        }
    }
}
