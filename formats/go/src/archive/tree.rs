//! The names of a module's files as a tree, to find those that no disk could keep apart.
//!
//! ```text
//! a.go  A.go        case_collision           x/a  X/b      case_collision, of the directories
//! a.go  a.go/x      file_and_directory       a.go  a.go    duplicate_entry
//! ```
//!
//! Each directory has one node, keyed by its parent and its folded name, so the work and memory are about
//! the bytes of the names. A table of whole folded paths, as Go has it, would take the square of the depth.
//!
//! Bounds: [`DIRECTORIES`]. Errors: one problem for each name, naming the earlier one, too.
//! Sources: `collisionChecker` in `golang.org/x/mod/zip` (go 1.26).

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use keeper_core::error::Problem;

use crate::absent::shown;
use crate::error::{CASE_COLLISION, DUPLICATE_ENTRY, FILE_AND_DIRECTORY, ZIP_TOO_MANY_ENTRIES, entry_problem};
use crate::fold::fold_key;
use crate::limits::DIRECTORIES;

/// The names so far.
#[derive(Debug, Default)]
pub struct Tree<'a> {
    nodes: HashMap<(usize, String), Node<'a>>,
    directories: usize,
}

#[derive(Debug)]
struct Node<'a> {
    /// The path as it was first written.
    path: &'a str,
    /// The number by which children name it; none for a file.
    directory: Option<usize>,
}

impl<'a> Tree<'a> {
    /// Adds a file by its clean path.
    ///
    /// # Errors
    /// When it collides with an earlier one. It is not added then, but directories above the collision are.
    pub fn add(&mut self, path: &'a str) -> Result<(), Problem> {
        let mut parent = 0;
        let mut start = 0;
        while let Some(length) = path[start..].find('/') {
            let end = start + length;
            parent = self.directory(parent, &path[start..end], &path[..end], path)?;
            start = end + 1;
        }
        match self.nodes.entry((parent, fold_key(&path[start..]))) {
            Entry::Vacant(place) => {
                place.insert(Node { path, directory: None });
                Ok(())
            }
            Entry::Occupied(earlier) if earlier.get().path != path => Err(collision(path, earlier.get().path)),
            Entry::Occupied(earlier) if earlier.get().directory.is_some() => Err(both(path)),
            Entry::Occupied(_) => Err(entry_problem(&DUPLICATE_ENTRY, path, "the module has this file twice")),
        }
    }

    /// Adds a directory by its clean path, also one that is there already.
    ///
    /// # Errors
    /// When it collides with an earlier name.
    pub fn add_directory(&mut self, path: &'a str) -> Result<(), Problem> {
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        let (mut parent, mut start) = (0, 0);
        for end in ends {
            parent = self.directory(parent, &path[start..end], &path[..end], path)?;
            start = end + 1;
        }
        Ok(())
    }

    /// The number of a directory, `path`, which is an ancestor of `file`.
    fn directory(&mut self, parent: usize, name: &str, path: &'a str, file: &str) -> Result<usize, Problem> {
        match self.nodes.entry((parent, fold_key(name))) {
            Entry::Vacant(place) => {
                self.directories += 1;
                if self.directories > DIRECTORIES {
                    let why = format!("the module has more than {DIRECTORIES} directories");
                    return Err(entry_problem(&ZIP_TOO_MANY_ENTRIES, file, &why));
                }
                place.insert(Node { path, directory: Some(self.directories) });
                Ok(self.directories)
            }
            Entry::Occupied(earlier) if earlier.get().path != path => Err(collision(file, earlier.get().path)),
            Entry::Occupied(earlier) => earlier.get().directory.ok_or_else(|| both(path)),
        }
    }
}

fn collision(path: &str, earlier: &str) -> Problem {
    entry_problem(&CASE_COLLISION, path, &format!("it differs only in case from {}", shown(earlier)))
}

fn both(path: &str) -> Problem {
    entry_problem(&FILE_AND_DIRECTORY, path, "it is both a file and a directory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_of_two_colliding_names_is_told() {
        let table: [(&[&str], Option<&str>); 12] = [
            (&["a.go", "A.go"], Some("case_collision")),
            (&["x/a", "X/b"], Some("case_collision")),
            (&["x/y/a", "x/Y/z/b"], Some("case_collision")),
            (&["k", "\u{212a}"], Some("case_collision")),
            (&["s.go", "ſ.go"], Some("case_collision")),
            (&["ss", "ß"], None),
            (&["a.go", "a.go"], Some("duplicate_entry")),
            (&["a.go", "a.go/x"], Some("file_and_directory")),
            (&["a.go/x", "a.go"], Some("file_and_directory")),
            (&["a", "A/b"], Some("case_collision")),
            (&["x/a", "x/b", "y/a", "xa"], None),
            (&["x/y", "xy", "x"], Some("file_and_directory")),
        ];
        for (names, expected) in table {
            let mut tree = Tree::default();
            let (last, first) = names.split_last().expect("names");
            first.iter().for_each(|name| tree.add(name).expect("no collision yet"));
            assert_eq!(tree.add(last).err().map(|problem| problem.code.name), expected, "{names:?}");
        }
    }

    #[test]
    fn deep_names_cost_no_more_than_their_bytes() {
        let names: Vec<String> = (0..2_000).map(|n| format!("{n}/{}", "a/".repeat(500))).map(|n| n + "f").collect();
        let mut tree = Tree::default();
        let began = std::time::Instant::now();
        let told = names.iter().find_map(|name| tree.add(name).err()).expect("too many directories");
        assert_eq!(told.code.name, "zip_too_many_entries");
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }
}
