//! The texts of everything that is not there.
//!
//! ```text
//! not found: example.com/m@v1.2.9: repository "private" has 12 versions of it     detail
//! The newest is v1.2.8; all are in .../@v/list.                                   hint
//! code=version_not_found request=7Q2M9K4T1XWB                                     added by the platform
//! ```
//!
//! The `go` command prints such a text below "server response:", up to a blank line and only if all of it is
//! printable. So a name is shown in ASCII and cut in its middle.
//!
//! Units and bounds: a name takes at most 80 bytes; detail and hint are one line each and together at most
//! 500 bytes.

use keeper_core::artifact::{Coordinate, Label, PackageName, VersionName};
use keeper_core::error::{Failure, codes};
use keeper_core::path::PathFault as SegmentFault;

use crate::error::MODULE_NOT_FOUND;
use crate::path::{EscapeReason, ModulePath, PathFault, PathReason, check_major};
use crate::pseudo::is_pseudo;
use crate::version::GoVersion;

/// Bytes of a name in a text.
const SHOWN_BYTES: usize = 80;

/// Bytes of detail and hint together: the platform adds a word and a line, and `go` cuts at 648.
#[cfg(test)]
const TEXT_BYTES: usize = 500;

const FORMS: &str = "Below a module there are @v/list, @v/VERSION.info, @v/VERSION.mod, @v/VERSION.zip and @latest.";
const EXAMPLE: &str = "A module path looks like github.com/yourcompany/mymodule.";
const BANG: &str = "\"!\" stands before a lower-case letter and makes it upper case: !azure is Azure.";
const UNLISTED: &str = "All of its versions were deleted, yanked or blocked.";
const RESOLVED: &str = "Ask for @latest, or choose from @v/list.";

/// An address that does not decode.
#[must_use]
pub fn malformed(fault: SegmentFault) -> Failure {
    Failure::new(&codes::FILE_NOT_FOUND, format!("this address holds {fault}")).hint(FORMS)
}

/// An address that is none of the protocol's.
#[must_use]
pub fn no_such_form(address: &str) -> Failure {
    Failure::new(&codes::FILE_NOT_FOUND, format!("{}: there is no such address", shown(address))).hint(FORMS)
}

/// A text in the place of a module path that is none.
#[must_use]
pub fn no_module_path(fault: PathFault) -> Failure {
    let (given, reason, hint) = match fault {
        PathFault::EscapedPath { escaped, reason } => {
            let hint = spelling(&reason);
            (escaped, reason.to_string(), hint)
        }
        PathFault::Path { path, reason } => {
            let hint = path_rule(&reason);
            (path, reason.to_string(), hint.to_owned())
        }
        PathFault::EscapedVersion { escaped, reason } => (escaped, reason.to_string(), EXAMPLE.to_owned()),
    };
    let detail = format!("\"{}\" is no module path: {}", shown(&given), shown(&reason));
    Failure::new(&MODULE_NOT_FOUND, detail).hint(hint)
}

/// A text in the place of a version that is none.
#[must_use]
pub fn no_version(fault: PathFault) -> Failure {
    let PathFault::EscapedVersion { escaped, reason } = fault else {
        return no_module_path(fault);
    };
    let hint = match &reason {
        EscapeReason::UpperCase { .. } | EscapeReason::Bang => spelling(&reason),
        _ => RESOLVED.to_owned(),
    };
    let detail = format!("\"{}\" is no version: {}", shown(&escaped), shown(&reason.to_string()));
    Failure::new(&codes::VERSION_NOT_FOUND, detail).hint(hint)
}

fn spelling(reason: &EscapeReason) -> String {
    match reason {
        EscapeReason::UpperCase { spelling } => {
            format!("Here an upper-case letter is written as \"!\" and the lower-case one: {}", shown(spelling))
        }
        EscapeReason::Bang => BANG.to_owned(),
        EscapeReason::Path(reason) => path_rule(reason).to_owned(),
        EscapeReason::Char(_) | EscapeReason::Version(_) => EXAMPLE.to_owned(),
    }
}

fn path_rule(reason: &PathReason) -> &'static str {
    match reason {
        PathReason::NoDotInFirst | PathReason::CharInFirst(_) => {
            "A module path begins with a host name in lower case and with a dot: example.com/mymodule."
        }
        PathReason::Major => "The last element for version 2 is /v2, on gopkg.in .v2; versions 0 and 1 have none.",
        _ => EXAMPLE,
    }
}

/// A valid version that Go writes differently.
#[must_use]
pub fn not_canonical(module: &ModulePath, version: &str, canonical: &str) -> Failure {
    let detail = format!("{}@{}: the version is not canonical", shown(module.as_str()), shown(version));
    Failure::new(&codes::VERSION_NOT_FOUND, detail)
        .hint(format!("Its canonical form is {}; all versions are in @v/list.", shown(canonical)))
}

/// A branch, tag or commit in the place of a version.
#[must_use]
pub fn not_a_version(module: &ModulePath, name: &str) -> Failure {
    let detail = format!("{}@{}: only a canonical version has this file", shown(module.as_str()), shown(name));
    Failure::new(&codes::VERSION_NOT_FOUND, detail)
        .hint(format!("@v/{}.info says which version a branch, tag or commit is.", shown(name)))
}

/// A query that the client resolves by itself.
#[must_use]
pub fn no_revision(module: &ModulePath, name: &str) -> Failure {
    let detail = format!("{}@{}: this is no version, branch, tag or commit", shown(module.as_str()), shown(name));
    Failure::new(&codes::VERSION_NOT_FOUND, detail).hint(RESOLVED)
}

/// A name longer than any that is stored.
#[must_use]
pub fn too_long(name: &str) -> Failure {
    Failure::new(&MODULE_NOT_FOUND, format!("{}: the name is longer than any that is stored", shown(name)))
        .hint(EXAMPLE)
}

/// A module that the repository never had; `twins` are its modules of the same name but for case.
#[must_use]
pub fn module(package: &PackageName, repository: &str, twins: &[PackageName]) -> Failure {
    let detail = format!("{}: repository \"{repository}\" has no such module", shown(package.as_str()));
    let failure = Failure::new(&MODULE_NOT_FOUND, detail);
    match twins.first() {
        Some(twin) => failure.hint(format!("It has {}: upper and lower case count.", shown(twin.as_str()))),
        None => failure.hint("Check the spelling and the repository in GOPROXY, or publish the module there."),
    }
}

/// A version that a repository lacks; `known` are the listed versions of its module, lowest first.
#[must_use]
pub fn version(coordinate: &Coordinate, repository: &str, known: Option<&[VersionName]>) -> Failure {
    let Some(known) = known else { return module(&coordinate.package, repository, &[]) };
    let what = format!("{}@{}", shown(coordinate.package.as_str()), shown(coordinate.version.as_str()));
    let tagged = || known.iter().rev().find(|version| !is_pseudo(version.as_str()));
    let (count, hint) = match tagged().or(known.last()) {
        None => ("no version that may be listed".to_owned(), UNLISTED.to_owned()),
        Some(newest) => {
            let plural = if known.len() == 1 { "" } else { "s" };
            let hint = format!("The newest is {}; all are in .../@v/list.", shown(newest.as_str()));
            (format!("{} version{plural} of it", known.len()), hint)
        }
    };
    Failure::new(&codes::VERSION_NOT_FOUND, format!("{what}: repository \"{repository}\" has {count}"))
        .hint(wrong_major(coordinate).unwrap_or(hint))
}

/// The remedy when no version of this major number can ever have this path.
fn wrong_major(coordinate: &Coordinate) -> Option<String> {
    let module = ModulePath::parse(coordinate.package.as_str()).ok()?;
    let version = GoVersion::parse(coordinate.version.as_str()).ok()?;
    let fault = check_major(&module, &version).err()?;
    Some(format!("This path is for {}; the path of version 2 and later ends in /v2 and so on.", fault.wanted))
}

/// A branch, tag or commit that the repository does not know.
#[must_use]
pub fn revision(package: &PackageName, name: &str, repository: &str) -> Failure {
    let what = format!("{}@{}", shown(package.as_str()), shown(name));
    let detail = format!("{what}: repository \"{repository}\" knows no version of this branch, tag or commit");
    Failure::new(&codes::VERSION_NOT_FOUND, detail)
        .hint("Publish one with -F label=<name> for a branch or tag; commits are known from git archives of them.")
}

/// A module of which nothing may be listed.
#[must_use]
pub fn nothing_listed(package: &PackageName, repository: &str) -> Failure {
    let detail = format!("{}: repository \"{repository}\" has no version that may be listed", shown(package.as_str()));
    Failure::new(&codes::VERSION_NOT_FOUND, detail).hint(UNLISTED)
}

/// A module whose author took back all that there is.
#[must_use]
pub fn all_retracted(package: &PackageName, repository: &str) -> Failure {
    let detail = format!("all versions of {} are retracted", shown(package.as_str()));
    Failure::new(&codes::VERSION_NOT_FOUND, detail)
        .hint(format!("Repository \"{repository}\" still serves each of them by its number; see .../@v/list."))
}

/// The beginning of two commits.
#[must_use]
pub fn ambiguous(package: &PackageName, digits: &str, one: &Label, other: &Label) -> Failure {
    let named = |label: &Label| format!("{} ({})", shown(&label.name), shown(label.version.as_str()));
    let what = format!("{}@{}", shown(package.as_str()), shown(digits));
    let detail = format!("{what}: {} and {} begin so", named(one), named(other));
    Failure::new(&codes::VERSION_NOT_FOUND, detail).hint("Give more digits of the commit.")
}

/// A text safe to print: ASCII, and cut in its middle, where names are least telling.
#[must_use]
pub fn shown(text: &str) -> String {
    let plain = |c: char| c.is_ascii_graphic() || c == ' ';
    let one = |c: char| if plain(c) { c.to_string() } else { c.escape_default().to_string() };
    // Of a long text the ends are enough, and escaping cannot make them shorter.
    let ends = if text.len() <= SHOWN_BYTES {
        text.chars().map(one).collect::<String>()
    } else {
        let head: String = text.chars().take(SHOWN_BYTES).map(one).collect();
        let tail: Vec<String> = text.chars().rev().take(SHOWN_BYTES).map(one).collect();
        head + &tail.into_iter().rev().collect::<String>()
    };
    if ends.len() <= SHOWN_BYTES {
        return ends;
    }
    let half = (SHOWN_BYTES - 3) / 2;
    format!("{}...{}", &ends[..half], &ends[ends.len() - half..])
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Asserts the form that the `go` command prints whole.
    pub(crate) fn assert_printable(failure: &Failure, case: &str) {
        let problem = failure.first();
        let text = format!("{}\n{}", problem.detail, problem.hint_text());
        assert!(text.len() <= TEXT_BYTES, "{case}: {} bytes", text.len());
        assert!(text.lines().count() <= 4 && text.lines().all(|line| !line.trim().is_empty()), "{case}: {text}");
        assert!(text.chars().all(|c| c == '\n' || c == ' ' || c.is_ascii_graphic()), "{case}: {text}");
    }

    fn coordinate(module: &str, version: &str) -> Coordinate {
        Coordinate {
            package: PackageName::try_from(module).expect(module),
            version: VersionName::try_from(version).expect(version),
        }
    }

    fn versions(names: &[&str]) -> Vec<VersionName> {
        names.iter().map(|name| VersionName::try_from(*name).expect(name)).collect()
    }

    #[test]
    fn an_absent_version_says_what_there_is() {
        let pseudo = "v1.1.1-0.20191109021931-daa7c04131f5";
        type Row<'a> = (&'a str, &'a str, Option<&'a [&'a str]>, &'a str, &'a str, &'a str);
        let rows: [Row<'_>; 6] = [
            (
                "e.com/m",
                "v1.2.9",
                Some(&["v1.0.0", "v1.2.8"]),
                "version_not_found",
                "e.com/m@v1.2.9: repository \"r\" has 2 versions of it",
                "The newest is v1.2.8; all are in .../@v/list.",
            ),
            (
                "e.com/m",
                "v1.2.9",
                Some(&["v1.1.0", pseudo]),
                "version_not_found",
                "e.com/m@v1.2.9: repository \"r\" has 2 versions of it",
                "The newest is v1.1.0; all are in .../@v/list.",
            ),
            (
                "e.com/m",
                "v1.2.9",
                Some(&["v1.0.0"]),
                "version_not_found",
                "e.com/m@v1.2.9: repository \"r\" has 1 version of it",
                "The newest is v1.0.0; all are in .../@v/list.",
            ),
            (
                "e.com/m",
                "v1.2.9",
                Some(&[]),
                "version_not_found",
                "e.com/m@v1.2.9: repository \"r\" has no version that may be listed",
                "All of its versions were deleted, yanked or blocked.",
            ),
            (
                "e.com/m",
                "v3.0.0",
                Some(&["v1.0.0"]),
                "version_not_found",
                "e.com/m@v3.0.0: repository \"r\" has 1 version of it",
                "This path is for v0 or v1; the path of version 2 and later ends in /v2 and so on.",
            ),
            (
                "e.com/m",
                "v1.2.9",
                None,
                "module_not_found",
                "e.com/m: repository \"r\" has no such module",
                "Check the spelling and the repository in GOPROXY, or publish the module there.",
            ),
        ];
        for (module, version, known, code, detail, hint) in rows {
            let known = known.map(versions);
            let failure = super::version(&coordinate(module, version), "r", known.as_deref());
            assert_eq!((failure.code().name, failure.first().detail.as_str()), (code, detail));
            assert_eq!(failure.first().hint_text(), hint);
            assert_printable(&failure, module);
        }
    }

    #[test]
    fn the_longest_names_still_make_a_text_that_go_prints_whole() {
        let module = format!("e.com/{}", vec!["abcdefg"; 120].join("/"));
        let version = format!("v1.0.0-{}", "x".repeat(480));
        let repository = "r".repeat(100);
        let known = versions(&[&version, &version]);
        let what = coordinate(&module, &version);
        assert_printable(&super::version(&what, &repository, Some(&known)), "version");
        assert_printable(&super::revision(&what.package, &version, &repository), "revision");
        assert_printable(&super::module(&what.package, &repository, std::slice::from_ref(&what.package)), "module");
    }

    #[test]
    fn a_shown_name_is_ascii_and_cut_in_its_middle() {
        let long = format!("github.com/{}/end", "x".repeat(2_000));
        let middle = shown(&long);
        assert!(middle.starts_with("github.com/xxx") && middle.ends_with("xxx/end") && middle.contains("..."));
        assert!(middle.len() <= SHOWN_BYTES);
        assert_eq!(shown("a\u{202e}é\n\0"), "a\\u{202e}\\u{e9}\\n\\u{0}");
        assert!(shown(&"\u{202e}".repeat(50)).len() <= SHOWN_BYTES);
        assert_eq!(shown("github.com/Azure/m"), "github.com/Azure/m");
    }
}
