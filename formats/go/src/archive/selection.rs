//! Which files of an archive belong to the module.
//!
//! ```text
//! row  test, in this order                                          result
//!  2   in a vendored package                                        left out
//!  3   in a directory below the root with a go.mod, in any case     left out: another module
//!  4   .hg_archival.txt at the root                                 left out
//!  5   not a file path that Go takes                                refused
//!  6   go.mod at the root in another case                           refused
//!  7   the same as an earlier name but for case, file and directory refused
//!  8,9 a link or another special file                               left out
//! 10   too large, alone or all together                             refused
//! ```
//!
//! (Row 1, unclean and absolute names, is [`super::central`]'s.) The order matters: bad names in what is
//! left out do no harm, and a link that is left out still collides. Only regular files make nested modules.
//! Directory entries are no files, and would change the hash.
//!
//! Units and bounds: sizes are those declared; [`crate::limits`].
//! Sources: `checkFiles` in `golang.org/x/mod/zip` (go 1.26).

use keeper_core::error::{Problem, codes};

use super::entry::{Entry, Kind};
use super::tree::Tree;
use crate::absent::shown;
use crate::error::{EMPTY_MODULE, GO_MOD_CASE, Problems, entry_problem};
use crate::limits::{LICENSE_BYTES, MODULE_BYTES};
use crate::path::check_file_path;
use crate::vendor::{VendorRule, is_vendored};

/// A file of the module.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// Where it is in the archive.
    pub entry: &'a Entry,
    /// Its path in the module.
    pub name: &'a str,
}

/// How many files were left out, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Omitted {
    /// They belong to modules within this one.
    pub nested: u64,
    /// They belong to vendored packages.
    pub vendored: u64,
    /// They are links or special files.
    pub irregular: u64,
    /// Mercurial wrote them into the archive.
    pub archival: u64,
}

impl Omitted {
    /// All together.
    #[must_use]
    pub fn total(self) -> u64 {
        self.nested + self.vendored + self.irregular + self.archival
    }
}

/// The files of a module.
#[derive(Debug, Default)]
pub struct Selection<'a> {
    /// Those kept, in the order of the archive.
    pub kept: Vec<Kept<'a>>,
    /// Those left out.
    pub omitted: Omitted,
    /// The path of the first one that was left out.
    pub first_omitted: Option<&'a str>,
    /// The bytes of those kept, as declared.
    pub bytes: u64,
    /// Whether the module is in a subdirectory, has no LICENSE, and the archive does not hold the root, where
    /// there may be one.
    pub is_license_unknown: bool,
}

/// Selects the files of the module at `prefix` + `directory`.
pub fn select<'a>(
    entries: &'a [Entry],
    prefix: &str,
    directory: &str,
    rule: VendorRule,
    problems: &mut Problems,
) -> Selection<'a> {
    let root = format!("{prefix}{directory}");
    let files = entries.iter().filter(|entry| entry.kind != Kind::Directory);
    let below = |entry: &'a Entry| Some(Kept { entry, name: entry.name.strip_prefix(&root)? });
    let files: Vec<Kept<'a>> = files.filter_map(below).collect();
    let nested = nested_modules(&files);
    let mut selection = Selection::default();
    let mut tree = Tree::default();
    for &file in &files {
        match verdict(file, rule, &nested, &mut tree) {
            Verdict::Keep => selection.keep(file),
            Verdict::Refuse(problem) => problems.push(problem),
            Verdict::Omit(count) => {
                *count(&mut selection.omitted) += 1;
                selection.first_omitted.get_or_insert(file.name);
            }
        }
    }
    if !directory.is_empty() && !files.iter().any(|file| file.name == LICENSE) {
        add_license(entries, prefix, &root, &mut selection, &mut tree, problems);
    }
    selection.judge(problems);
    selection
}

const LICENSE: &str = "LICENSE";
const GO_MOD: &str = "go.mod";
const HG_ARCHIVAL: &str = ".hg_archival.txt";

enum Verdict {
    Keep,
    Omit(fn(&mut Omitted) -> &mut u64),
    Refuse(Problem),
}

fn verdict<'a>(file: Kept<'a>, rule: VendorRule, nested: &[&str], tree: &mut Tree<'a>) -> Verdict {
    let Kept { entry, name } = file;
    if is_vendored(name, rule) {
        return Verdict::Omit(|omitted| &mut omitted.vendored);
    }
    if is_below_any(name, nested) {
        return Verdict::Omit(|omitted| &mut omitted.nested);
    }
    if name == HG_ARCHIVAL {
        return Verdict::Omit(|omitted| &mut omitted.archival);
    }
    if let Err(fault) = check_file_path(name) {
        return Verdict::Refuse(fault.into());
    }
    if name != GO_MOD && name.eq_ignore_ascii_case(GO_MOD) {
        return Verdict::Refuse(entry_problem(&GO_MOD_CASE, &entry.name, "go.mod is written in lower case"));
    }
    if let Err(problem) = tree.add(name) {
        return Verdict::Refuse(problem);
    }
    if !entry.is_file() {
        return Verdict::Omit(|omitted| &mut omitted.irregular);
    }
    if name == LICENSE && entry.size > LICENSE_BYTES {
        let why = format!("LICENSE has {} bytes; at most {LICENSE_BYTES} are accepted", entry.size);
        return Verdict::Refuse(entry_problem(&codes::TOO_LARGE, &entry.name, &why));
    }
    Verdict::Keep
}

/// The directories of modules within the module, with their slash, none below another, sorted.
fn nested_modules<'a>(files: &[Kept<'a>]) -> Vec<&'a str> {
    let is_nested = |file: &&Kept<'_>| file.entry.is_file() && file.entry.base().eq_ignore_ascii_case(GO_MOD);
    let directory = |file: &Kept<'a>| &file.name[..file.name.len() - GO_MOD.len()];
    let mut directories: Vec<&str> = files.iter().filter(is_nested).map(directory).collect();
    directories.retain(|directory| !directory.is_empty());
    directories.sort_unstable();
    let mut outermost: Vec<&str> = Vec::new();
    for directory in directories {
        // Sorted, so that what is below a directory follows it.
        if !outermost.last().is_some_and(|last| directory.starts_with(last)) {
            outermost.push(directory);
        }
    }
    outermost
}

/// Whether a path is below one of these directories. As none of them is below another, only the last one
/// that sorts before the path can hold it: the work does not grow with the depth of the path.
fn is_below_any(name: &str, directories: &[&str]) -> bool {
    let after = directories.partition_point(|directory| *directory <= name);
    directories[..after].last().is_some_and(|directory| name.starts_with(directory))
}

/// Go puts the LICENSE of a repository's root into the zip of a module in a subdirectory that has none.
fn add_license<'a>(
    entries: &'a [Entry],
    prefix: &str,
    root: &str,
    selection: &mut Selection<'a>,
    tree: &mut Tree<'a>,
    problems: &mut Problems,
) {
    let mut others = entries.iter().filter(|entry| entry.name.starts_with(prefix) && !entry.name.starts_with(root));
    let is_license = |entry: &&Entry| entry.name[prefix.len()..] == *LICENSE && entry.is_file();
    match others.clone().find(is_license).filter(|entry| entry.size <= LICENSE_BYTES) {
        Some(entry) => match tree.add(LICENSE) {
            Ok(()) => selection.keep(Kept { entry, name: LICENSE }),
            Err(problem) => problems.push(problem),
        },
        None => selection.is_license_unknown = others.all(|entry| entry.kind == Kind::Directory),
    }
}

impl<'a> Selection<'a> {
    fn keep(&mut self, file: Kept<'a>) {
        self.bytes = self.bytes.saturating_add(file.entry.size);
        self.kept.push(file);
    }

    fn judge(&self, problems: &mut Problems) {
        if self.kept.is_empty() && problems.is_empty() {
            let why = match self.first_omitted {
                Some(first) => {
                    format!("all {} files were left out, beginning with {}", self.omitted.total(), shown(first))
                }
                None => "the archive holds no file".to_owned(),
            };
            problems.push(Problem::new(&EMPTY_MODULE, why).field("file"));
        }
        if self.bytes >= MODULE_BYTES {
            let detail = format!("the files have {} bytes together; they must stay below {MODULE_BYTES}", self.bytes);
            problems.push(Problem::new(&codes::TOO_LARGE, detail).field("file"));
        }
    }

    /// Whether a file of this path is kept.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.kept.iter().any(|file| file.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, kind: Kind) -> Entry {
        Entry { size: 1, ..Entry::named(name, kind) }
    }

    /// Kept, what was left out, codes.
    fn selected(names: &[&str], directory: &str, rule: VendorRule) -> (Vec<String>, Omitted, Vec<&'static str>) {
        // `@` at the end makes a link.
        let make = |name: &&str| match name.strip_suffix('@') {
            Some(name) => entry(name, Kind::Link),
            None if name.ends_with('/') => entry(name, Kind::Directory),
            None => entry(name, Kind::File),
        };
        let entries: Vec<Entry> = names.iter().map(make).collect();
        let mut problems = Problems::default();
        let selection = select(&entries, "p/", directory, rule, &mut problems);
        let kept = selection.kept.iter().map(|file| file.name.to_owned()).collect();
        let codes = problems.settle().err().map(|failure| failure.problems().map(|p| p.code.name).collect());
        (kept, selection.omitted, codes.unwrap_or_default())
    }

    /// Entries, those kept, what is left out, codes.
    type Row = (&'static [&'static str], &'static [&'static str], Omitted, &'static [&'static str]);

    #[test]
    fn the_first_row_that_fits_decides() {
        let none = Omitted::default();
        let table: [Row; 11] = [
            (&["p/", "p/a.go", "p/s/", "p/s/b.go"], &["a.go", "s/b.go"], none, &[]),
            (&["p/a.go", "p/s/go.mod", "p/s/x.go"], &["a.go"], Omitted { nested: 2, ..none }, &[]),
            (&["p/a.go", "p/s/Go.Mod", "p/s/t/con.go"], &["a.go"], Omitted { nested: 2, ..none }, &[]),
            (&["p/s/go.mod@", "p/s/x.go"], &["s/x.go"], Omitted { irregular: 1, ..none }, &[]),
            (&["p/a.go", "p/vendor/x/con.go"], &["a.go"], Omitted { vendored: 1, ..none }, &[]),
            (
                &["p/s/.hg_archival.txt", "p/.hg_archival.txt"],
                &["s/.hg_archival.txt"],
                Omitted { archival: 1, ..none },
                &[],
            ),
            (&["p/con.go", "p/a:b", "p/a."], &[], none, &["path_reserved", "path_invalid_char", "path_trailing_dot"]),
            (&["p/Go.mod"], &[], none, &["go_mod_case"]),
            (&["p/a.go", "p/A.go@"], &["a.go"], none, &["case_collision"]),
            (&["p/s/"], &[], none, &["empty_module"]),
            (&["p/s/go.mod"], &[], Omitted { nested: 1, ..none }, &["empty_module"]),
        ];
        for (names, kept, omitted, codes) in table {
            let expected = (kept.iter().map(|&name| name.to_owned()).collect(), omitted, codes.to_vec());
            assert_eq!(selected(names, "", VendorRule::Old), expected, "{names:?}");
        }
    }

    #[test]
    fn nested_modules_next_to_similar_names_are_told_apart() {
        let names = ["p/s/go.mod", "p/s/t/go.mod", "p/s/z", "p/s-x/a", "p/s.go", "p/s0/go.mod", "p/s0/a", "p/sa"];
        let (kept, omitted, _) = selected(&names, "", VendorRule::New);
        assert_eq!((kept, omitted.nested), (vec!["s-x/a".to_owned(), "s.go".to_owned(), "sa".to_owned()], 5));
    }

    #[test]
    fn the_licence_of_the_repository_is_added_once() {
        let table: [(&[&str], &[&str]); 5] = [
            (&["p/LICENSE", "p/sub/a.go"], &["a.go", "LICENSE"]),
            (&["p/LICENSE", "p/sub/a.go", "p/sub/LICENSE"], &["a.go", "LICENSE"]),
            (&["p/LICENSE@", "p/sub/a.go"], &["a.go"]),
            (&["p/license", "p/sub/a.go"], &["a.go"]),
            (&["p/LICENSE", "p/sub/a.go", "p/sub/LICENSE@"], &["a.go"]),
        ];
        for (names, kept) in table {
            assert_eq!(selected(names, "sub/", VendorRule::New).0, kept, "{names:?}");
        }
        assert_eq!(selected(&["p/LICENSE", "p/sub/license"], "sub/", VendorRule::New).2, ["case_collision"]);
    }

    #[test]
    fn sizes_are_judged_just_below_and_at_the_bound() {
        let sized = |name: &str, size| Entry { size, ..entry(name, Kind::File) };
        let table = [
            (vec![sized("a", MODULE_BYTES - 1)], 0),
            (vec![sized("a", MODULE_BYTES - 1), sized("b", 1)], 1),
            (vec![sized("LICENSE", LICENSE_BYTES)], 0),
            (vec![sized("LICENSE", LICENSE_BYTES + 1)], 1),
            (vec![sized("a", u64::MAX), sized("b", u64::MAX)], 1),
        ];
        for (entries, told) in table {
            let mut problems = Problems::default();
            select(&entries, "", "", VendorRule::New, &mut problems);
            let codes =
                problems.settle().err().map(|failure| failure.problems().map(|p| p.code.name).collect::<Vec<_>>());
            assert_eq!(codes.unwrap_or_default(), vec!["too_large"; told], "{entries:?}");
        }
    }
}
