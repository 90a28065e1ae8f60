//! What a publisher should know about an upload that is accepted.
//!
//! The names are stable and in the order W01 to W17 of the specification. W11 and W17 depend on what else
//! the repository holds: they are [`crate::confirm`]'s. Two more are of copies alone.
//!
//! Bounds: a text repeats at most a few names.

use keeper_core::artifact::Warning;

use crate::absent::shown;
use crate::archive::selection::Selection;
use crate::modfile::{ModFile, is_synthesised};

/// W01
pub const FILES_OMITTED: &str = "files_omitted";
/// W02
pub const TAG_PREFIX_STRIPPED: &str = "tag_prefix_stripped";
/// W03
pub const PSEUDO_VERSION_UNCHECKED: &str = "pseudo_version_unchecked";
/// W04
pub const COMMIT_TIME_UNKNOWN: &str = "commit_time_unknown";
/// W05
pub const ROOT_LICENSE_MISSING: &str = "root_license_missing";
/// W06
pub const EXPORT_ATTRIBUTES: &str = "export_attributes";
/// W07
pub const GO_MOD_LIKE_SYNTHESISED: &str = "go_mod_like_synthesised";
/// W08
pub const REPLACE_OR_EXCLUDE: &str = "replace_or_exclude";
/// W09
pub const GO_MOD_NOT_STRICT: &str = "go_mod_not_strict";
/// W10
pub const LICENSE_OR_GO_LINE_MISSING: &str = "license_or_go_line_missing";
/// W11
pub const VERSION_RETRACTED: &str = "version_retracted";
/// W12
pub const RETRACT_RANGE_EMPTY: &str = "retract_range_empty";
/// W13
pub const TOOLCHAIN_INVALID: &str = "toolchain_invalid";
/// W14
pub const FORK: &str = "fork";
/// W15
pub const CRLF_TEXT: &str = "crlf_text";
/// W16
pub const INCOMPATIBLE_UNNEEDED: &str = "incompatible_unneeded";
/// W17
pub const CASE_TWIN: &str = "case_twin";

/// Of a copy: no dependant can read its `go.mod`, which the checksum database knows all the same.
pub const GO_MOD_UNREADABLE: &str = "go_mod_unreadable";
/// Of a copy: the `go.mod` in the zip is another one than is given out, and the checksum database knows both.
pub const GO_MOD_DIFFERS: &str = "go_mod_differs";

const ALL: [&str; 17] = [
    FILES_OMITTED,
    TAG_PREFIX_STRIPPED,
    PSEUDO_VERSION_UNCHECKED,
    COMMIT_TIME_UNKNOWN,
    ROOT_LICENSE_MISSING,
    EXPORT_ATTRIBUTES,
    GO_MOD_LIKE_SYNTHESISED,
    REPLACE_OR_EXCLUDE,
    GO_MOD_NOT_STRICT,
    LICENSE_OR_GO_LINE_MISSING,
    VERSION_RETRACTED,
    RETRACT_RANGE_EMPTY,
    TOOLCHAIN_INVALID,
    FORK,
    CRLF_TEXT,
    INCOMPATIBLE_UNNEEDED,
    CASE_TWIN,
];

/// The place of a code in the list of the specification.
pub(super) fn position(code: &str) -> usize {
    ALL.iter().position(|known| *known == code).unwrap_or(ALL.len())
}

/// The newest release of Go that this program knows.
const NEWEST_GO: (u64, u64) = (1, 27);

/// Faults repeated in one text.
const REPEATED: usize = 3;

/// A warning about the upload as a whole.
pub(crate) fn warning(code: &str, message: impl Into<String>) -> Warning {
    Warning { code: code.to_owned(), message: message.into(), path: None }
}

/// A warning about an entry.
pub(super) fn about(code: &str, path: &str, message: impl Into<String>) -> Warning {
    Warning { path: Some(shown(path)), ..warning(code, message) }
}

/// What the choice of files is worth telling.
pub(super) fn of_selection(selection: &Selection<'_>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if let Some(first) = selection.first_omitted {
        let omitted = selection.omitted;
        let reasons = [
            (omitted.nested, "in nested modules (nested_module_dropped)"),
            (omitted.vendored, "in vendored packages (vendored_dropped)"),
            (omitted.irregular, "links or special files (omitted_irregular)"),
            (omitted.archival, "written by Mercurial"),
        ];
        let reasons = reasons.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} {why}"));
        let text = format!("files left out, as Go does: {}", reasons.collect::<Vec<_>>().join(", "));
        warnings.push(about(FILES_OMITTED, first, text));
    }
    if selection.is_license_unknown {
        let text = "the module is in a subdirectory without LICENSE, and the archive does not hold the root of the repository: if there is one, Go adds it, and the h1 differs from that of version control";
        warnings.push(warning(ROOT_LICENSE_MISSING, text));
    }
    warnings
}

/// What go.mod is worth telling. `None`: there is none.
pub(super) fn of_go_mod(go_mod: Option<(&ModFile, &[u8])>, module: &str) -> Vec<Warning> {
    let Some((file, bytes)) = go_mod else {
        let text = format!("go_mod_synthesised: the archive has no go.mod; clients get \"module {}\"", shown(module));
        return vec![warning(GO_MOD_LIKE_SYNTHESISED, text)];
    };
    let mut warnings = Vec::new();
    let mut tell = |code: &str, text: String| warnings.push(about(code, "go.mod", text));
    if is_synthesised(bytes, module) {
        tell(GO_MOD_LIKE_SYNTHESISED, "go.mod says only what Go would make up for a module without one, so clients may prefer +incompatible versions: add a go line".to_owned());
    }
    if !file.replaces.is_empty() || !file.excludes.is_empty() {
        tell(REPLACE_OR_EXCLUDE, "replace_ignored_by_dependents: 'replace' and 'exclude' do nothing for those who use the module, and 'go install module@version' refuses it".to_owned());
    }
    if !file.strict_faults.is_empty() {
        let faults: Vec<_> = file.strict_faults.iter().take(REPEATED).map(|fault| shown(&fault.to_string())).collect();
        tell(
            GO_MOD_NOT_STRICT,
            format!("dependants can use the module, but 'go install module@version' refuses it: {}", faults.join("; ")),
        );
    }
    match file.go.as_deref() {
        None => {
            tell(LICENSE_OR_GO_LINE_MISSING, "go.mod has no go line: Go takes the module for one of go 1.16".to_owned())
        }
        Some(go) if release(go).is_some_and(|release| release > NEWEST_GO) => {
            let (major, minor) = NEWEST_GO;
            tell(
                LICENSE_OR_GO_LINE_MISSING,
                format!("the go line says {}, newer than the newest known release {major}.{minor}", shown(go)),
            );
        }
        Some(_) => {}
    }
    for range in file.retracts.iter().filter(|range| range.is_empty_range()).take(REPEATED) {
        tell(
            RETRACT_RANGE_EMPTY,
            format!(
                "retract [{}, {}] matches nothing: its ends are the wrong way round",
                shown(&range.low),
                shown(&range.high)
            ),
        );
    }
    if file.toolchain_invalid() {
        tell(
            TOOLCHAIN_INVALID,
            format!(
                "toolchain \"{}\" is no name of a Go toolchain",
                shown(file.toolchain.as_deref().unwrap_or_default())
            ),
        );
    }
    warnings
}

fn release(go: &str) -> Option<(u64, u64)> {
    let mut numbers = go.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modfile::parse;

    #[test]
    fn each_oddity_of_go_mod_has_its_code() {
        let table: [(&str, &[&str]); 11] = [
            ("module ex.com/m\ngo 1.20\n", &[]),
            ("module ex.com/m\n", &[GO_MOD_LIKE_SYNTHESISED, LICENSE_OR_GO_LINE_MISSING]),
            ("module ex.com/m\ngo 1.20\nreplace x.y/z => ../z\n", &[REPLACE_OR_EXCLUDE]),
            ("module ex.com/m\ngo 1.20\nexclude x.y/z v1.0.0\n", &[REPLACE_OR_EXCLUDE]),
            ("module ex.com/m\ngo 1.20\nsomething new\n", &[GO_MOD_NOT_STRICT]),
            ("module ex.com/m\ngo 1.20.x\n", &[GO_MOD_NOT_STRICT]),
            ("module ex.com/m\ngo 1.27.5\n", &[]),
            ("module ex.com/m\ngo 1.28\n", &[LICENSE_OR_GO_LINE_MISSING]),
            ("module ex.com/m\ngo 1.20\nretract [v1.1.0, v1.0.0]\n", &[RETRACT_RANGE_EMPTY]),
            ("module ex.com/m\ngo 1.20\ntoolchain default\n", &[]),
            ("module ex.com/m\ngo 1.20\ntoolchain ../x\n", &[GO_MOD_NOT_STRICT, TOOLCHAIN_INVALID]),
        ];
        for (text, expected) in table {
            let file = parse(text.as_bytes()).expect("a good file");
            let warnings = of_go_mod(Some((&file, text.as_bytes())), "ex.com/m");
            let codes: Vec<_> = warnings.iter().map(|warning| warning.code.as_str()).collect();
            assert_eq!(codes, expected, "{text}");
        }
        assert_eq!(of_go_mod(None, "ex.com/m").len(), 1);
    }
}
