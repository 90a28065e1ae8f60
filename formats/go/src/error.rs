//! The codes of the Go format, and what the faults of its parts become for a caller.
//!
//! ```text
//! PathFault        module_path_invalid
//! VersionFault     version_invalid, version_not_canonical
//! MajorFault       major_mismatch
//! FilePathFault    path_unclean, path_absolute, path_invalid_char, path_reserved, path_trailing_dot
//! SyntaxFault      go_mod_syntax
//! ```
//!
//! Bounds: a text echoes at most some hundred bytes of what was sent; of problems one more than are shown
//! are kept.

use keeper_core::error::{Code, Failure, Problem};
use keeper_core::limits::MAX_PROBLEMS;

use crate::absent::shown;
use crate::modfile::SyntaxFault;
use crate::path::{FilePathFault, MajorFault, ModulePath, PathFault};
use crate::version::VersionFault;

keeper_core::codes! {
    MODULE_NOT_FOUND = "module_not_found", NotFound, "The repository has no such module", "Check the spelling of the module path.";
    MODULE_PATH_INVALID = "module_path_invalid", Unprocessable, "This is not a module path", "A module path begins with a host name: example.com/name.";
    NAME_RESERVED = "name_reserved", Unprocessable, "Go keeps this name for itself", "Publish under a path of your own.";
    VERSION_INVALID = "version_invalid", Unprocessable, "This is not a version", "A version looks like v1.2.3, v1.2.3-rc.1 or a pseudo-version.";
    VERSION_NOT_CANONICAL = "version_not_canonical", Unprocessable, "The version is not in its canonical form", "Use the form named in the detail.";
    MAJOR_MISMATCH = "major_mismatch", Unprocessable, "The major version does not go with the module path", "From v2 on the path ends in the major version: example.com/name/v2.";
    INCOMPATIBLE_NOT_ALLOWED = "incompatible_not_allowed", Unprocessable, "This version cannot be +incompatible", "Leave +incompatible away, and end the module path in /v2 or above.";
    PSEUDO_MISMATCH = "pseudo_mismatch", Unprocessable, "The pseudo-version contradicts the archive", "Take the version from 'go list -m module@commit'.";
    NOT_A_ZIP = "not_a_zip", UnsupportedMediaType, "The file is not a zip archive", "Make one with: git archive --format=zip";
    ZIP_TRUNCATED = "zip_truncated", Unprocessable, "The archive is cut off or points outside itself", "Make the archive anew and send the whole of it.";
    ZIP_CRC = "zip_crc", Unprocessable, "An entry does not match its checksum or size", "The archive is damaged: make it anew.";
    ZIP_HEADER_MISMATCH = "zip_header_mismatch", Unprocessable, "The two directories of the archive contradict each other", "Make the archive anew, with git archive.";
    ZIP_OVERLAP = "zip_overlap", Unprocessable, "Entries of the archive share bytes", "Make the archive anew, with git archive.";
    ZIP_PREFIXED = "zip_prefixed", Unprocessable, "Bytes stand before or after the archive", "Send the archive alone.";
    ZIP_ENCRYPTED = "zip_encrypted", Unprocessable, "An entry is encrypted", "Make the archive without a password.";
    ZIP_METHOD = "zip_method", Unprocessable, "An entry is compressed in a way that Go cannot read", "Only 'deflate' and 'store' are read; git archive uses these.";
    ZIP_MULTI_DISK = "zip_multi_disk", Unprocessable, "The archive is split into several files", "Make one file of it.";
    ZIP_TOO_MANY_ENTRIES = "zip_too_many_entries", Unprocessable, "The archive has too many entries", "At most 200,000 files and folders, and 64 MiB of names, fit in one module.";
    DUPLICATE_ENTRY = "duplicate_entry", Unprocessable, "A name occurs twice in the archive", "Make the archive anew, with git archive.";
    FILE_AND_DIRECTORY = "file_and_directory", Unprocessable, "A name is both a file and a folder", "Rename one of them.";
    CASE_COLLISION = "case_collision", Unprocessable, "Two names differ only in case", "Rename one of them: on many disks they are one file.";
    PATH_UNCLEAN = "path_unclean", Unprocessable, "The path of a file is not in its shortest form", "Write it without '.', '..' and doubled slashes.";
    PATH_ABSOLUTE = "path_absolute", Unprocessable, "The path of a file is absolute", "Write it relative to the module.";
    PATH_INVALID_CHAR = "path_invalid_char", Unprocessable, "The path of a file has a character that Go refuses", "Rename the file.";
    PATH_RESERVED = "path_reserved", Unprocessable, "The path of a file has a name that Windows keeps for itself", "Rename the file.";
    PATH_TRAILING_DOT = "path_trailing_dot", Unprocessable, "Part of a path ends in a dot", "Rename the file.";
    PATH_NOT_UTF8 = "path_not_utf8", Unprocessable, "The path of a file is not UTF-8", "Rename the file.";
    MIXED_PREFIX = "mixed_prefix", Unprocessable, "Some files are outside the folder that holds the module", "Put all under one folder: git archive --prefix=\"$MODULE@$VERSION/\"";
    PREFIX_MISMATCH = "prefix_mismatch", Unprocessable, "The folder in the archive names another module", "Make the archive anew: git archive --prefix=\"$MODULE@$VERSION/\"";
    VERSION_MISMATCH = "version_mismatch", Unprocessable, "The folder in the archive names another version", "Make the archive anew: git archive --prefix=\"$MODULE@$VERSION/\"";
    AMBIGUOUS_ROOT = "ambiguous_root", Unprocessable, "More than one go.mod declares the module", "Leave one of them, or archive that folder alone.";
    EMPTY_MODULE = "empty_module", Unprocessable, "No file is left for the module", "Look at what the archive holds: folders, nested modules and vendored packages are left out.";
    GO_MOD_SYNTAX = "go_mod_syntax", Unprocessable, "go.mod cannot be read", "Run 'go mod edit -fmt' and see what it says.";
    GO_MOD_NO_MODULE = "go_mod_no_module", Unprocessable, "go.mod has no module line", "Add one as the first line: module example.com/name";
    GO_MOD_REQUIRED = "go_mod_required", Unprocessable, "A module of this path needs a go.mod", "From v2 on a module needs a go.mod that declares it.";
    GO_MOD_CASE = "go_mod_case", Unprocessable, "go.mod is written in another case", "Rename it to go.mod.";
    GO_MOD_NOT_REGULAR = "go_mod_not_regular", Unprocessable, "go.mod is not a regular file", "Clients would see the text of the link: put the file itself there.";
    MODULE_MISMATCH = "module_mismatch", Unprocessable, "go.mod declares another module", "Make the two the same.";
}

/// The problems of one upload, gathered so that all are told at once.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds one, unless more are known already than will be shown.
    pub fn push(&mut self, problem: Problem) {
        if !self.is_full() {
            self.0.push(problem);
        }
    }

    /// Whether more would not be shown.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.len() >= MAX_PROBLEMS
    }

    /// Whether nothing is wrong so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them has such a code.
    #[must_use]
    pub fn has(&self, is_such: impl Fn(&Code) -> bool) -> bool {
        self.0.iter().any(|problem| is_such(problem.code))
    }

    /// Adds what another step refused.
    pub fn extend(&mut self, failure: &Failure) {
        failure.problems().cloned().for_each(|problem| self.push(problem));
    }

    /// Ends here if anything is wrong.
    pub fn settle(&mut self) -> Result<(), Failure> {
        Failure::from_problems(std::mem::take(&mut self.0)).map_or(Ok(()), Err)
    }
}

impl From<PathFault> for Problem {
    fn from(fault: PathFault) -> Self {
        let PathFault::Path { path, reason } = fault else {
            return Problem::new(&MODULE_PATH_INVALID, fault.to_string()).field("name");
        };
        let problem =
            Problem::new(&MODULE_PATH_INVALID, format!("malformed module path \"{}\": {reason}", shown(&path)));
        match suggest(&path) {
            Some(better) => problem.hint(format!("Do you mean {better}?")),
            None => problem,
        }
        .field("name")
    }
}

impl From<VersionFault> for Problem {
    fn from(fault: VersionFault) -> Self {
        match fault {
            VersionFault::NotAVersion { version } => {
                let detail = format!("invalid version \"{}\": must be of the form v1.2.3", shown(&version));
                Problem::new(&VERSION_INVALID, detail)
            }
            VersionFault::NotCanonical { version, canonical } => {
                let detail = format!("version \"{}\" is not canonical: it should be {canonical}", shown(&version));
                Problem::new(&VERSION_NOT_CANONICAL, detail).hint(format!("Publish it as {canonical}."))
            }
        }
        .field("version")
    }
}

impl From<MajorFault> for Problem {
    fn from(fault: MajorFault) -> Self {
        let MajorFault { path, version, wanted, found } = fault;
        let detail = format!("{version} does not go with {}: the path stands for {wanted}, not {found}", shown(&path));
        Problem::new(&MAJOR_MISMATCH, detail)
            .hint(format!("Publish it under a path for {found}, with a go.mod that declares it, or as {wanted}."))
            .field("version")
    }
}

impl From<FilePathFault> for Problem {
    fn from(fault: FilePathFault) -> Self {
        let (code, path, why) = match fault {
            FilePathFault::Unclean(path) => (&PATH_UNCLEAN, path, "the path is not clean".to_owned()),
            FilePathFault::Absolute(path) => (&PATH_ABSOLUTE, path, "the path is absolute".to_owned()),
            FilePathFault::InvalidChar { path, c } => {
                (&PATH_INVALID_CHAR, path, format!("the character {} is not allowed", shown_char(c)))
            }
            FilePathFault::Reserved { path, name } => {
                (&PATH_RESERVED, path, format!("{} is a device on Windows", shown(&name)))
            }
            FilePathFault::TrailingDot(path) => (&PATH_TRAILING_DOT, path, "part of it ends in a dot".to_owned()),
        };
        entry_problem(code, &path, &why)
    }
}

impl From<SyntaxFault> for Problem {
    fn from(fault: SyntaxFault) -> Self {
        Problem::new(&GO_MOD_SYNTAX, format!("go.mod:{}: {}", fault.line, shown(&fault.message)))
    }
}

/// A problem with an entry of the archive: `a/con.go: con is a device on Windows`.
pub fn entry_problem(code: &'static Code, path: &str, why: &str) -> Problem {
    let path = shown(path);
    Problem::new(code, format!("{path}: {why}")).path(path)
}

fn shown_char(c: char) -> String {
    if c.is_ascii_graphic() { format!("'{c}'") } else { format!("U+{:04X}", u32::from(c)) }
}

/// The module path that somebody may mean, if it is clear.
fn suggest(text: &str) -> Option<String> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let rest = rest.split('@').next().unwrap_or_default().trim_matches('/');
    let rest = rest.strip_suffix(".git").unwrap_or(rest);
    let rest = rest.strip_suffix("/v1").or_else(|| rest.strip_suffix("/v0")).unwrap_or(rest);
    let mut elements = rest.split('/').filter(|element| !element.is_empty());
    let host = elements.next()?.to_ascii_lowercase();
    let path = std::iter::once(host.as_str()).chain(elements).collect::<Vec<_>>().join("/");
    (path != text && ModulePath::parse(&path).is_ok()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::GoVersion;

    #[test]
    fn every_code_has_its_own_name_and_texts() {
        let mut names: Vec<_> = ALL.iter().chain(keeper_core::error::codes::ALL).map(|code| code.name).collect();
        names.sort_unstable();
        let total = names.len();
        names.dedup();
        assert_eq!(names.len(), total, "two codes share a name");
        for code in ALL {
            assert!(!code.title.is_empty() && !code.hint.is_empty(), "{} lacks a text", code.name);
        }
    }

    #[test]
    fn a_module_path_that_is_nearly_right_is_suggested() {
        let table = [
            ("Example.com/m", Some("example.com/m")),
            ("example.com/m/", Some("example.com/m")),
            ("/example.com/m", Some("example.com/m")),
            ("example.com//m", Some("example.com/m")),
            ("example.com/m/v1", Some("example.com/m")),
            ("example.com/m/v0", Some("example.com/m")),
            ("https://example.com/m", Some("example.com/m")),
            ("https://github.com/a/m.git", Some("github.com/a/m")),
            ("example.com/m@v1", Some("example.com/m")),
            ("mymodule", None),
            ("", None),
            ("example.com/a b", None),
        ];
        for (text, better) in table {
            let problem = Problem::from(ModulePath::parse(text).expect_err(text));
            assert_eq!(problem.code.name, "module_path_invalid");
            assert_eq!(problem.hint, better.map(|better| format!("Do you mean {better}?")), "{text}");
        }
    }

    #[test]
    fn a_version_that_is_nearly_right_is_named_in_its_right_form() {
        let problem = Problem::from(GoVersion::parse("v1.0").expect_err("not canonical"));
        assert_eq!((problem.code.name, problem.hint_text()), ("version_not_canonical", "Publish it as v1.0.0."));
        let problem = Problem::from(GoVersion::parse("master").expect_err("no version"));
        assert_eq!(problem.code.name, "version_invalid");
    }

    #[test]
    fn what_is_echoed_is_printable_and_short() {
        let fault = FilePathFault::InvalidChar { path: format!("a\n\u{202e}{}", "x".repeat(2_000)), c: '\n' };
        let problem = Problem::from(fault);
        assert!(problem.detail.is_ascii() && problem.detail.len() < 400, "{}", problem.detail);
        assert!(!problem.detail.contains('\n'));
    }

    #[test]
    fn no_more_problems_are_kept_than_are_shown() {
        let mut problems = Problems::default();
        for _ in 0..=MAX_PROBLEMS {
            problems.push(Problem::new(&EMPTY_MODULE, "x"));
        }
        let failure = problems.settle().expect_err("problems");
        assert_eq!(failure.problems().count(), MAX_PROBLEMS);
        assert!(problems.settle().is_ok());
    }
}
