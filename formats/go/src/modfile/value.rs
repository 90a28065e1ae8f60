//! Values within directives: versions, the two forms of a retraction, the Go release, the toolchain, a
//! directory.
//!
//! ```text
//! require ex.com/a v1.2           v1.2.0          completed to its canonical form, as Go does on reading
//! retract v1.0.0                  v1.0.0 v1.0.0
//! retract [v1.0.0, v1.1.0]        v1.0.0 v1.1.0
//! go 1.21rc2                      1.21rc2
//! go 1.20.x, go v1.20.1           1.20            lax only
//! ```
//!
//! Errors are Go's own words, as text; the caller adds the line.
//!
//! Sources: `parseVersion`, `parseVersionInterval`, `GoVersionRE`, `laxGoVersionRE`, `ToolchainRE`,
//! `IsDirectoryPath` in `rule.go` of `golang.org/x/mod/modfile` (go 1.26).

use super::literal::{parse_string, quote};
use crate::path::{major_matches, split_major};
use crate::version::canonical;

/// Go's words for a text that is no version.
pub(super) const NO_VERSION: &str = "must be of the form v1.2.3";

/// The version of a requirement, exclusion or replacement, in canonical form.
pub(super) fn version(verb: &str, path: &str, token: &str) -> Result<String, String> {
    let written = parse_string(token).map_err(|why| about(verb, path, &bad_version(token, &why)))?;
    canonical(&written).ok_or_else(|| about(verb, path, &bad_version(&written, NO_VERSION)))
}

/// The major suffix of a module path: `` (none), `/v2`, `.v3`.
pub(super) fn path_major(path: &str) -> Result<&str, String> {
    split_major(path).map(|(_, major)| major).ok_or_else(|| "invalid module path".to_owned())
}

/// Whether a canonical version may be one of a path with this major suffix.
pub(super) fn major_fits(version: &str, path_major: &str) -> Result<(), String> {
    if major_matches(version, path_major) {
        return Ok(());
    }
    let wanted = path_major.strip_suffix("-unstable").unwrap_or(path_major);
    let wanted = wanted.get(1..).unwrap_or("v0 or v1");
    let major = version.split('.').next().unwrap_or_default();
    Err(bad_version(version, &format!("should be {wanted}, not {major}")))
}

/// A message with the directive and the module it is about.
pub(super) fn about(verb: &str, path: &str, message: &str) -> String {
    if path.is_empty() { format!("{verb}: {message}") } else { format!("{verb} {path}: {message}") }
}

/// Both ends of a retraction as written, and the tokens after it.
///
/// Go completes the versions of the main module only, so for dependants `retract v1.2` stays `v1.2` (which
/// compares like `v1.2.0`), and a word that is no version at all is kept too.
pub(super) fn interval<'t, 'a>(tokens: &'t [&'a str]) -> Result<(String, String, &'t [&'a str]), String> {
    match tokens {
        [] | ["(", ..] => Err("expected '[' or version".to_owned()),
        ["[", rest @ ..] => {
            let (low, rest) = end(rest, "expected version after '['")?;
            let rest = mark(rest, ",", "expected ',' after version")?;
            let (high, rest) = end(rest, "expected version after ','")?;
            Ok((low, high, mark(rest, "]", "expected ']' after version")?))
        }
        tokens => {
            let (only, rest) = end(tokens, "expected '[' or version")?;
            Ok((only.clone(), only, rest))
        }
    }
}

fn end<'t, 'a>(tokens: &'t [&'a str], otherwise: &str) -> Result<(String, &'t [&'a str]), String> {
    let (token, rest) = tokens.split_first().ok_or(otherwise)?;
    let version = parse_string(token).map_err(|why| format!("retract: {}", bad_version(token, &why)))?;
    Ok((version, rest))
}

fn mark<'t, 'a>(tokens: &'t [&'a str], expected: &str, otherwise: &str) -> Result<&'t [&'a str], String> {
    match tokens {
        [token, rest @ ..] if *token == expected => Ok(rest),
        _ => Err(otherwise.to_owned()),
    }
}

/// Go's words for a version it cannot use.
pub(super) fn bad_version(version: &str, why: &str) -> String {
    format!("version {} invalid: {why}", quote(version))
}

/// A release of Go: `1.20`, `1.21rc2`, `1.21.0`.
pub(super) fn is_go_version(text: &str) -> bool {
    let Some((_, rest)) = go_language(text) else { return false };
    // Patch release, then kind of prerelease: both may be missing, both may be there.
    let rest = match rest.strip_prefix('.') {
        Some(patch) => match number(patch, true) {
            Some((_, rest)) => rest,
            None => return false,
        },
        None => rest,
    };
    let digits = rest.trim_start_matches(|c: char| c.is_ascii_lowercase());
    rest.is_empty() || digits.len() < rest.len() && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// The language version at the start of a text that is no release: `1.20` of `1.20.x` or of `v1.20.1`.
///
/// Something other than a digit must follow, so a lone `v1.20` is not one.
pub(super) fn lax_go_version(text: &str) -> Option<&str> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (language, rest) = go_language(text)?;
    rest.starts_with(|c: char| !c.is_ascii_digit()).then_some(language)
}

/// `1.20` and what follows.
fn go_language(text: &str) -> Option<(&str, &str)> {
    let (_, rest) = number(text, false)?;
    let (_, rest) = number(rest.strip_prefix('.')?, true)?;
    Some((&text[..text.len() - rest.len()], rest))
}

/// A decimal number without leading zero and what follows.
///
/// After a lone `0` digits may be left over; every reader of the rest refuses those.
fn number(text: &str, may_be_zero: bool) -> Option<(&str, &str)> {
    match text.bytes().next()? {
        b'0' if may_be_zero => Some(text.split_at(1)),
        b'1'..=b'9' => Some(text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())),
        _ => None,
    }
}

/// Whether Go takes the text as the name of a toolchain: `default`, `go1`, `go1.` and anything.
pub(super) fn is_toolchain(name: &str) -> bool {
    name == "default" || name == "go1" || name.starts_with("go1.")
}

/// Whether a replacement is a directory, in the notation of any system, rather than a module path.
pub(super) fn is_directory(path: &str) -> bool {
    let drive = |path: &[u8]| matches!(path, [letter, b':', ..] if letter.is_ascii_alphabetic());
    matches!(path, "." | "..")
        || ["./", ".\\", "../", "..\\", "/", "\\"].iter().any(|start| path.starts_with(start))
        || drive(path.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_go_line_is_a_release_or_in_lax_mode_starts_with_one() {
        let cases = [
            ("1.20", true, None),
            ("1.0", true, None),
            ("1.21.0", true, None),
            ("1.21rc2", true, None),
            ("1.21.3beta1", true, None),
            ("1.20.x", false, Some("1.20")),
            ("1.20.1.2", false, Some("1.20")),
            ("1.20rc", false, Some("1.20")),
            ("1.21rc1x", false, Some("1.21")),
            ("1.20.01", false, Some("1.20")),
            ("v1.20.1", false, Some("1.20")),
            ("1.20-é", false, Some("1.20")),
            // Nothing follows, so there is nothing to cut.
            ("v1.20", false, None),
            ("1", false, None),
            ("1.", false, None),
            ("01.20", false, None),
            ("0.20", false, None),
            ("1.020", false, None),
            ("1.020.x", false, None),
            ("vv1.20.x", false, None),
            ("\"1.20\"", false, None),
            ("latest", false, None),
            ("", false, None),
        ];
        for (text, strict, lax) in cases {
            assert_eq!(is_go_version(text), strict, "{text}");
            if !strict {
                assert_eq!(lax_go_version(text), lax, "{text}");
            }
        }
    }

    #[test]
    fn an_interval_ends_where_go_says() {
        type Found<'a> = Result<(&'a str, &'a str, usize), &'a str>;
        let cases: [(&[&str], Found<'_>); 12] = [
            (&["v1.0.0"], Ok(("v1.0.0", "v1.0.0", 0))),
            (&["v1.0.0", "x"], Ok(("v1.0.0", "v1.0.0", 1))),
            (&["[", "v1.0.0", ",", "\"v1.1.0\"", "]", "x"], Ok(("v1.0.0", "v1.1.0", 1))),
            (&["bad"], Ok(("bad", "bad", 0))),
            (&["[", ",", ",", ",", "]"], Ok((",", ",", 0))),
            (&[], Err("expected '[' or version")),
            (&["("], Err("expected '[' or version")),
            (&["["], Err("expected version after '['")),
            (&["[", "v1.0.0"], Err("expected ',' after version")),
            (&["[", "v1.0.0", ","], Err("expected version after ','")),
            (&["[", "v1.0.0", ",", "v1.1.0", ")"], Err("expected ']' after version")),
            (&["'v1.0.0'"], Err("retract: version \"'v1.0.0'\" invalid: unquoted string cannot contain quote")),
        ];
        for (tokens, expected) in cases {
            let found = interval(tokens).map(|(low, high, rest)| (low, high, rest.len()));
            let expected =
                expected.map(|(low, high, rest)| (low.to_owned(), high.to_owned(), rest)).map_err(str::to_owned);
            assert_eq!(found, expected, "{tokens:?}");
        }
    }

    #[test]
    fn a_version_is_completed_and_fits_its_path() {
        let cases = [
            ("ex.com/a", "v1", Ok("v1.0.0")),
            ("ex.com/a", "\"v1.2\"", Ok("v1.2.0")),
            ("ex.com/a", "v1.2.3+meta", Ok("v1.2.3")),
            ("ex.com/a", "v2.0.0+incompatible", Ok("v2.0.0+incompatible")),
            ("ex.com/a/v2", "v2.1.0", Ok("v2.1.0")),
            ("gopkg.in/check.v1", "v0.0.0-20161208181325-20d25e280405", Ok("v0.0.0-20161208181325-20d25e280405")),
            ("ex.com/a", "master", Err("require ex.com/a: version \"master\" invalid: must be of the form v1.2.3")),
            ("ex.com/a", "v1'", Err("require ex.com/a: version \"v1'\" invalid: unquoted string cannot contain quote")),
            ("", "v01.0.0", Err("require: version \"v01.0.0\" invalid: must be of the form v1.2.3")),
            ("ex.com/a", "v2.0.0", Err("version \"v2.0.0\" invalid: should be v0 or v1, not v2")),
            ("ex.com/a/v2", "v3.0.0", Err("version \"v3.0.0\" invalid: should be v2, not v3")),
            ("gopkg.in/a.v2-unstable", "v1.0.0", Err("version \"v1.0.0\" invalid: should be v2, not v1")),
            ("ex.com/a/v1", "v1.0.0", Err("invalid module path")),
        ];
        for (path, token, expected) in cases {
            let found = version("require", path, token)
                .and_then(|version| major_fits(&version, path_major(path)?).map(|()| version));
            assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{path} {token}");
        }
    }

    #[test]
    fn toolchains_and_directories_are_known_by_their_start() {
        for name in ["default", "go1", "go1.23.0", "go1.x"] {
            assert!(is_toolchain(name), "{name}");
        }
        for name in ["local", "go2.0", "go12", "1.23.0", "default2", ""] {
            assert!(!is_toolchain(name), "{name}");
        }
        for path in [".", "..", "./a", "../a", "/a", ".\\a", "..\\a", "\\a", "C:a", "z:\\a"] {
            assert!(is_directory(path), "{path}");
        }
        for path in ["", "...", ".a", "..a", "a/b", "1:a", "ab:c"] {
            assert!(!is_directory(path), "{path}");
        }
    }
}
