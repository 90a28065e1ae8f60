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
//! Units and bounds: 32 bytes and the name are held for each file; the caller bounds the number of files and
//! the length of names.
//! Errors: [`DirHashFault`].
//! Sources: `Hash1` in `golang.org/x/mod/sumdb/dirhash` (go 1.26).

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest as _, Sha256};

/// Files of a tree, gathered for their hash.
#[derive(Clone, Debug, Default)]
pub struct DirHash {
    files: Vec<(String, [u8; 32])>,
}

/// Why a tree has no hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirHashFault {
    /// A line end in a name could stand for another tree.
    #[error("dirhash: filenames with newlines are not supported: {0:?}")]
    Newline(String),
}

impl DirHash {
    /// A tree without files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file by its full name and the SHA-256 of its content. The order of calls does not matter.
    pub fn add(&mut self, name: &str, digest: [u8; 32]) -> Result<(), DirHashFault> {
        if name.contains('\n') {
            return Err(DirHashFault::Newline(name.to_owned()));
        }
        self.files.push((name.to_owned(), digest));
        Ok(())
    }

    /// The hash, such as `h1:9E3zllyEmg3gLJAsg+u5ATC16VlVuZ4eS+RInAfe5yQ=`.
    #[must_use]
    pub fn h1(mut self) -> String {
        self.files.sort_unstable();
        let mut lines = Sha256::new();
        for (name, digest) in &self.files {
            line(&mut lines, name, digest);
        }
        finish(lines)
    }
}

/// The hash of a go.mod file, which go.sum has as `module version/go.mod`.
#[must_use]
pub fn h1_go_mod(content: &[u8]) -> String {
    let mut lines = Sha256::new();
    line(&mut lines, "go.mod", &Sha256::digest(content).into());
    finish(lines)
}

fn line(lines: &mut Sha256, name: &str, digest: &[u8; 32]) {
    lines.update(HEXLOWER.encode(digest));
    lines.update("  ");
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

    const MOD: (&str, &str) = ("ex.com/m@v1.0.0/go.mod", "module ex.com/m\n");
    const CODE: (&str, &str) = ("ex.com/m@v1.0.0/a.go", "package a\n");

    fn h1(files: &[(&str, &str)]) -> String {
        let mut hash = DirHash::new();
        for (name, content) in files {
            hash.add(name, Sha256::digest(content).into()).expect("no newline");
        }
        hash.h1()
    }

    #[test]
    fn hashes_equal_those_of_go() {
        for (files, wanted) in [
            (&[MOD, CODE][..], "h1:9E3zllyEmg3gLJAsg+u5ATC16VlVuZ4eS+RInAfe5yQ="),
            (&[MOD, ("ex.com/m@v1.0.0/", ""), CODE], "h1:e+bIsM46t64GThZKygRhztxDYGk97m2odb6VvALFZH8="),
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
        let fault = DirHashFault::Newline("a\nb".to_owned());
        assert_eq!(DirHash::new().add("a\nb", [0; 32]), Err(fault));
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
