//! What packages, versions and files may be called.
//!
//! ```text
//! package, version   [A-Za-z0-9][A-Za-z0-9._+~-]{0,127}
//! file               1 to 32 parts of 1 to 255 bytes, joined by slashes; 1,024 bytes in all
//! ```
//!
//! A file's parts may hold any printable letter but those that Windows refuses in names, since somebody will
//! download them there; they do not begin or end with a blank or end with a dot, for the same reason.

use keeper_core::artifact::{Coordinate, FilePath, PackageName, VersionName};
use keeper_core::error::{Code, Problem};

use crate::error::{FILE_PATH_INVALID, PACKAGE_NAME_INVALID, VERSION_NAME_INVALID};

const NAME_BYTES: usize = 128;
const PATH_BYTES: usize = 1_024;
const PART_BYTES: usize = 255;
const PARTS: usize = 32;
/// Characters of a refused text that are repeated.
const ECHO: usize = 80;

/// A package as it may be published.
///
/// # Errors
/// `package_name_invalid`.
pub fn package(text: &str) -> Result<PackageName, Problem> {
    plain(text)
        .and_then(|()| PackageName::try_from(text).map_err(|_| "it is too long"))
        .map_err(|rule| refused(&PACKAGE_NAME_INVALID, text, rule, "name"))
}

/// A version as it may be published.
///
/// # Errors
/// `version_name_invalid`.
pub fn version(text: &str) -> Result<VersionName, Problem> {
    plain(text)
        .and_then(|()| VersionName::try_from(text).map_err(|_| "it is too long"))
        .map_err(|rule| refused(&VERSION_NAME_INVALID, text, rule, "version"))
}

/// The path of a file within its version.
///
/// # Errors
/// `file_path_invalid`.
pub fn file(text: &str) -> Result<&str, Problem> {
    storable(text).map(|()| text).map_err(|rule| refused(&FILE_PATH_INVALID, text, rule, "path"))
}

/// The address of a file below its repository.
///
/// # Errors
/// `file_path_invalid`, when the whole is too long.
pub fn address(of: &Coordinate, file: &str) -> Result<FilePath, Problem> {
    let whole = format!("{}/{}/{file}", of.package, of.version);
    FilePath::try_from(whole.as_str()).map_err(|_| refused(&FILE_PATH_INVALID, file, "it is too long", "path"))
}

fn plain(text: &str) -> Result<(), &'static str> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._+~-".contains(&byte);
    match text.bytes().next() {
        None => Err("it is empty"),
        _ if text.len() > NAME_BYTES => Err("it has more than 128 characters"),
        Some(first) if !first.is_ascii_alphanumeric() => Err("it does not begin with a letter or digit"),
        _ if !text.bytes().all(inner) => Err("it holds another character than letters, digits and . _ + ~ -"),
        _ => Ok(()),
    }
}

fn storable(path: &str) -> Result<(), &'static str> {
    if path.is_empty() || path.len() > PATH_BYTES {
        return Err("it is empty or has more than 1,024 bytes");
    }
    if path.split('/').count() > PARTS {
        return Err("it has more than 32 parts");
    }
    path.split('/').try_for_each(part)
}

fn part(part: &str) -> Result<(), &'static str> {
    let unprintable = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    match part {
        "" => Err("it has an empty part"),
        "." | ".." => Err("it has a dot part"),
        _ if part.len() > PART_BYTES => Err("a part has more than 255 bytes"),
        _ if part.chars().any(unprintable) => Err("it holds a control character"),
        _ if part.contains(['\\', ':', '*', '?', '"', '<', '>', '|', '%', ';']) => {
            Err("it holds one of \\ : * ? \" < > | % ;")
        }
        _ if part.trim() != part || part.ends_with('.') => {
            Err("a part begins or ends with a blank, or ends with a dot")
        }
        _ => Ok(()),
    }
}

fn refused(code: &'static Code, text: &str, rule: &str, field: &str) -> Problem {
    let shown: String = text.chars().take(ECHO).flat_map(char::escape_debug).collect();
    Problem::new(code, format!("\"{shown}\": {rule}")).field(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        let long = "a".repeat(129);
        for good in ["a", "Build-tools_2", "1.2.0+b~rc1", &long[..128]] {
            assert!(package(good).is_ok() && version(good).is_ok(), "{good}");
        }
        for bad in ["", ".a", "-a", "a/b", "a b", "a%b", "é", &long] {
            assert_eq!(package(bad).expect_err(bad).code.name, "package_name_invalid");
            assert_eq!(version(bad).expect_err(bad).code.name, "version_name_invalid");
        }
    }

    #[test]
    fn files_are_called_what_every_system_can_store() {
        let (deep, long) = (["a"; 33].join("/"), "a".repeat(256));
        for good in ["tool.tar.gz", "linux/x86_64/tool", ".hidden", "Übersicht 2026.pdf", &deep[2..]] {
            assert_eq!(file(good).expect(good), good);
        }
        let bad = [
            "",
            "/a",
            "a/",
            "a//b",
            "a/../b",
            ".",
            "a\\b",
            "c:d",
            "a\n",
            " a",
            "a ",
            "a.",
            "x\u{202e}y",
            "a%2fb",
            &deep,
            &long,
        ];
        for bad in bad {
            assert_eq!(file(bad).expect_err(bad).code.name, "file_path_invalid");
        }
    }
}
