//! File paths, as they are in module zips below `module@version/`.
//!
//! ```text
//! allowed    a.go   .hidden   -dash   a~1.go   日本   é (NFC)   trail␠   a..b
//! refused    ./x   /abs   a.   con.go   a:b   a'b   é (NFD)   ٣
//! ```
//!
//! Each fault has its own error code, since a publisher mends each in another way. The shape of the whole
//! path comes first ([`check_clean`]): a path that is not clean is refused wherever it leads, even into
//! a directory whose files are left out of the zip.
//!
//! The caller bounds the length. A name that is not UTF-8 is the reader's fault to find.
//! Errors: [`FilePathFault`], the first that is found.
//! Sources: `CheckFilePath` in `golang.org/x/mod/module`, `checkFiles` in `golang.org/x/mod/zip` (go 1.26).

use super::element::{self, ElementFault, ElementKind, Letters};

/// Why a text is not the path of a file in a module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilePathFault {
    /// `path_unclean`: empty, or with `.`, `..`, a doubled slash or one at the end.
    #[error("malformed file path {0:?}: file path is not clean")]
    Unclean(String),
    /// `path_absolute`
    #[error("malformed file path {0:?}: file path is not relative")]
    Absolute(String),
    /// `path_invalid_char`
    #[error("malformed file path {path:?}: invalid char {c:?}")]
    InvalidChar {
        /// The text.
        path: String,
        /// The first character that is not allowed.
        c: char,
    },
    /// `path_reserved`: a device of Windows, with or without an extension.
    #[error("malformed file path {path:?}: {name:?} disallowed as path element component on Windows")]
    Reserved {
        /// The text.
        path: String,
        /// The device.
        name: String,
    },
    /// `path_trailing_dot`: an element that ends in a dot, which Windows drops.
    #[error("malformed file path {0:?}: trailing dot in path element")]
    TrailingDot(String),
}

/// Checks the path of a file that somebody publishes. Letters younger than Unicode 15 are refused, since
/// a Go that does not know them yet refuses the module.
pub fn check_file_path(path: &str) -> Result<(), FilePathFault> {
    check(path, Letters::Unicode15)
}

/// Checks the path of a file that has been published elsewhere: with every letter known here, since such a
/// module exists and newer Go versions use it.
pub fn check_upstream_file_path(path: &str) -> Result<(), FilePathFault> {
    check(path, Letters::Newest)
}

/// Checks only that the path is relative and in its shortest form.
///
/// Go lets a leading `..` pass here and refuses it later, for files it keeps; it is refused at once here, for
/// no use of it is honest.
pub fn check_clean(path: &str) -> Result<(), FilePathFault> {
    if path.starts_with('/') {
        return Err(FilePathFault::Absolute(path.to_owned()));
    }
    if path.split('/').any(|element| matches!(element, "" | "." | "..")) {
        return Err(FilePathFault::Unclean(path.to_owned()));
    }
    Ok(())
}

fn check(path: &str, letters: Letters) -> Result<(), FilePathFault> {
    check_clean(path)?;
    path.split('/').try_for_each(|element| {
        element::check(element, ElementKind::File(letters)).map_err(|fault| fault_of(path.to_owned(), fault))
    })
}

fn fault_of(path: String, fault: ElementFault) -> FilePathFault {
    match fault {
        ElementFault::Char(c) => FilePathFault::InvalidChar { path, c },
        ElementFault::Reserved(name) => FilePathFault::Reserved { path, name },
        // Three dots or more are an ordinary, if wrong, name; fewer are not clean.
        ElementFault::TrailingDot | ElementFault::Dots(_) => FilePathFault::TrailingDot(path),
        ElementFault::Empty | ElementFault::LeadingDot | ElementFault::ShortName => FilePathFault::Unclean(path),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_go_keeps_are_allowed() {
        for path in [
            "a.go",
            "com0",
            "CONIN$",
            "a~1.go",
            "~1",
            "-dash",
            " lead",
            "trail ",
            "日本",
            "é",
            ".hidden",
            ".git/config",
            "a..b",
            "a/b/c",
            "x.con",
            "!#$%&()+,-.=@[]^_{}~ ",
            "A@v1/z",
        ] {
            assert_eq!(check_file_path(path), Ok(()));
            assert_eq!(check_upstream_file_path(path), Ok(()));
        }
    }

    #[test]
    fn each_fault_is_told_apart() {
        type Make = fn(String) -> FilePathFault;
        let table: [(Make, &[&str]); 3] = [
            (FilePathFault::Unclean, &["", ".", "..", "./x", "x/./y", "x/../y", "../x", "x/..", "x//y", "x/"]),
            (FilePathFault::Absolute, &["/", "/abs", "//x", "/../x"]),
            (FilePathFault::TrailingDot, &["a.", "a./b", "...", "x/....", "con."]),
        ];
        for (make, paths) in table {
            for &path in paths {
                assert_eq!(check_file_path(path), Err(make(path.to_owned())));
            }
        }
        for (path, name) in [("con.go", "con"), ("x/Con.txt", "Con"), ("con.a/b", "con"), ("lpt1.x", "lpt1")] {
            let fault = FilePathFault::Reserved { path: path.to_owned(), name: name.to_owned() };
            assert_eq!(check_file_path(path), Err(fault));
        }
    }

    #[test]
    fn characters_that_go_refuses_are_refused() {
        let table = "\u{301} 😀 ٣ : * ? \" ' ; \\ | < > ` \t \n \0 \r \u{7f} Ⅷ ¹ \u{a0} \u{2215} \u{202e} \u{feff}";
        for c in table.split(' ').flat_map(str::chars) {
            let path = format!("x/e{c}y");
            assert_eq!(check_file_path(&path), Err(FilePathFault::InvalidChar { path, c }));
        }
    }

    #[test]
    fn a_letter_younger_than_unicode_15_is_read_but_not_published() {
        assert!(check_file_path("\u{1C89}.go").is_err());
        assert_eq!(check_upstream_file_path("\u{1C89}.go"), Ok(()));
    }

    #[test]
    fn a_fault_is_told_in_the_words_of_go() {
        let of = |path| check_file_path(path).expect_err("refused").to_string();
        assert_eq!(of("a:b"), r#"malformed file path "a:b": invalid char ':'"#);
        assert_eq!(of("x/../y"), r#"malformed file path "x/../y": file path is not clean"#);
    }

    proptest! {
        #[test]
        fn what_is_allowed_stays_below_its_directory(path in "[a-c./ é:]{0,12}") {
            if check_file_path(&path).is_ok() {
                let safe = |part| matches!(part, std::path::Component::Normal(_));
                prop_assert!(std::path::Path::new(&path).components().all(safe));
                prop_assert_eq!(check_upstream_file_path(&path), Ok(()));
            }
        }

        #[test]
        fn no_text_makes_checking_panic(path in any::<String>()) {
            let _ = check_file_path(&path);
        }
    }
}
