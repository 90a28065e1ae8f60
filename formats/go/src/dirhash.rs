//! `h1:` hashes, which go.sum and the checksum database hold.
//!
//! ```text
//! h1 = "h1:" base64( sha256( lines ) )         44 characters of base64, with padding
//! line = lower-hex(sha256(content)) "  " name "\n"      the lines in byte order of the names
//!
//! of a zip     a line for each entry, its name in full: ex.com/m@v1.0.0/a.go
//! of a go.mod  one line, its name go.mod
//! ```
//!
//! Directory entries are for the caller to leave out or to put in: they enter the hash like empty files. A
//! name that occurs twice is for the caller to refuse; here it is two lines.
//!
//! Units and bounds: 32 bytes and a reference to the name are held for each file; the caller bounds the number of files and
//! the length of names.
//! Errors: [`DirHashFault`].
//! Sources: `Hash1` in `golang.org/x/mod/sumdb/dirhash` (go 1.26).

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest as _, Sha256};

/// Files of a folder, gathered for their hash.
#[derive(Clone, Debug)]
pub struct DirHash<'a> {
    folder: &'a str,
    files: Vec<(&'a str, [u8; 32])>,
}

/// Why a tree has no hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirHashFault {
    /// A line end in a name could stand for another tree.
    #[error("dirhash: filenames with newlines are not supported: {0:?}")]
    Newline(String),
}

impl<'a> DirHash<'a> {
    /// A folder without files; its name ends with a slash and begins that of each file.
    #[must_use]
    pub fn of_folder(folder: &'a str) -> Self {
        Self { folder, files: Vec::new() }
    }

    /// Adds a file by its name in the folder and the SHA-256 of its content. The order of calls does not matter.
    pub fn add(&mut self, name: &'a str, digest: [u8; 32]) -> Result<(), DirHashFault> {
        if name.contains('\n') || self.folder.contains('\n') {
            return Err(DirHashFault::Newline(format!("{}{name}", self.folder)));
        }
        self.files.push((name, digest));
        Ok(())
    }

    /// The hash, such as `h1:9E3zllyEmg3gLJAsg+u5ATC16VlVuZ4eS+RInAfe5yQ=`.
    #[must_use]
    pub fn h1(mut self) -> String {
        // All begin with the folder, so the order of the rests is that of the whole names.
        self.files.sort_unstable();
        let mut lines = Sha256::new();
        for (name, digest) in &self.files {
            line(&mut lines, self.folder, name, digest);
        }
        finish(lines)
    }
}

/// The hash of a go.mod file, which go.sum has as `module version/go.mod`.
#[must_use]
pub fn h1_go_mod(content: &[u8]) -> String {
    let mut lines = Sha256::new();
    line(&mut lines, "", "go.mod", &Sha256::digest(content).into());
    finish(lines)
}

fn line(lines: &mut Sha256, folder: &str, name: &str, digest: &[u8; 32]) {
    lines.update(HEXLOWER.encode(digest));
    lines.update("  ");
    lines.update(folder);
    lines.update(name);
    lines.update("\n");
}

fn finish(lines: Sha256) -> String {
    format!("h1:{}", BASE64.encode(&lines.finalize()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FOLDER: &str = "ex.com/m@v1.0.0/";
    const MOD: (&str, &str) = ("go.mod", "module ex.com/m\n");
    const CODE: (&str, &str) = ("a.go", "package a\n");

    fn h1(files: &[(&str, &str)]) -> String {
        let mut hash = DirHash::of_folder(FOLDER);
        for (name, content) in files {
            hash.add(name, Sha256::digest(content).into()).expect("no newline");
        }
        hash.h1()
    }

    #[test]
    fn hashes_equal_those_of_go() {
        for (files, wanted) in [
            (&[MOD, CODE][..], "h1:9E3zllyEmg3gLJAsg+u5ATC16VlVuZ4eS+RInAfe5yQ="),
            (&[MOD, ("", ""), CODE], "h1:e+bIsM46t64GThZKygRhztxDYGk97m2odb6VvALFZH8="),
            (&[CODE], "h1:WQ55TnrJRREvzfA8xQQZ+cs0fAZTC9aDcraW8Pi+gSY="),
            (&[], "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        ] {
            assert_eq!(h1(files), wanted);
        }
        assert_eq!(h1_go_mod(b"module ex.com/m\n"), "h1:hMYnDhGnDX+LM6Dm6IXUXPU9+J590fW/Sn0EH6Q94To=");
        assert_eq!(h1_go_mod(b""), "h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY=");
    }

    #[test]
    fn a_name_with_a_line_end_is_refused() {
        for (folder, name) in [("f/", "a\nb"), ("f\n/", "ab")] {
            let fault = DirHashFault::Newline(format!("{folder}{name}"));
            assert_eq!(DirHash::of_folder(folder).add(name, [0; 32]), Err(fault));
        }
    }

    proptest! {
        #[test]
        fn the_order_of_files_does_not_matter(names in prop::collection::btree_set("[A-Za-z/.~é]{1,6}", 0..8)) {
            let mut files: Vec<_> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
            let forward = h1(&files);
            files.reverse();
            prop_assert_eq!(h1(&files), forward);
        }
    }
}
