//! Which modules no checksum database may hear of, and what to tell those who ask.
//!
//! A module is private when a `nosumdb` pattern of the settings covers it, or when the house holds, or ever
//! held, it or a relative: a module above it, one of another major version, or one that differs only in
//! case. Relatives count because they have the same owner, and the name of one tells of the others.
//!
//! What a remote repository holds comes from the world; private are those names of which the platform knows that they
//! belong to another repository of the house. In a virtual one it is what its hosted members hold and what is reserved
//! for members. In both the platform knows the families.
//!
//! ```text
//! held                        not looked up                            pattern that is told
//! github.com/yc/mymodule      github.com/yc/mymodule/v2, …/sub/v3      github.com/yc
//! corp.example/lib/v3         corp.example/lib, corp.example/lib/v2    corp.example/lib
//! ```
//!
//! The pattern for a held module is the first two elements of what was asked, which on the usual hosts is the
//! owner, so that one line settles all of the owner's modules. A configured pattern is told as it is.
//!
//! Units and bounds: a path has [`MODULE_ELEMENTS`], and majors up to [`MAJORS`] are tried beside the one
//! asked for, so a lookup costs at most their product in questions to the store; three elements are usual.

use keeper_core::artifact::PackageName;
use keeper_core::error::{Failure, codes};
use keeper_core::format::RepositoryView;
use keeper_core::repository::RepositoryKind;

use super::MODULE_PRIVATE;
use crate::absent::shown;
use crate::path::{ModulePath, split_major};
use crate::pattern::PATTERN_BYTES;
use crate::settings;

/// Elements of a module path that is looked up: more than any real one has.
pub(super) const MODULE_ELEMENTS: usize = 32;

/// The highest major version tried beside the one asked for.
const MAJORS: u32 = 20;

/// The pattern for `GONOSUMDB` if the module is private here.
///
/// # Errors
/// What the view reports; a fault rather than a leak when the stored patterns do not read.
pub(super) async fn pattern(module: &ModulePath, view: &dyn RepositoryView) -> Result<Option<String>, Failure> {
    let patterns = settings::nosumdb(view.settings())
        .map_err(|fault| Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by(fault))?;
    let covering = patterns.iter().filter(|pattern| pattern.matches(module));
    if let Some(longest) = covering.max_by_key(|pattern| pattern.as_str().len()) {
        return Ok(Some(longest.to_string()));
    }
    let held = is_held(module, view).await?;
    Ok(held.then(|| module.as_str().split('/').take(2).collect::<Vec<_>>().join("/")))
}

/// What those are told who ask for a private module.
pub(super) fn refusal(module: &ModulePath, pattern: &str, database: &str) -> Failure {
    let remedy = if pattern.len() > PATTERN_BYTES {
        "name it in GONOSUMDB".to_owned()
    } else if pattern.contains(['*', '?', '[']) {
        // Some shells read these even in the middle of a word.
        format!("run: go env -w 'GONOSUMDB={pattern}'")
    } else {
        format!("run: go env -w GONOSUMDB={pattern}")
    };
    let detail = format!("{} is private here; {remedy}", shown(module.as_str()));
    Failure::new(&MODULE_PRIVATE, detail)
        .hint(format!("Its name is not sent to {}. Several patterns are joined by commas.", shown(database)))
}

async fn is_held(module: &ModulePath, view: &dyn RepositoryView) -> Result<bool, Failure> {
    let names: Vec<String> = match view.kind() {
        RepositoryKind::Remote | RepositoryKind::Virtual => {
            with_those_above(module.as_str()).map(str::to_owned).collect()
        }
        RepositoryKind::Hosted => relatives(module.as_str()).collect(),
    };
    for name in names {
        // A name too long to be stored is not held.
        if let Ok(package) = PackageName::try_from(name.as_str())
            && view.is_private(&package).await?
        {
            return Ok(true);
        }
    }
    match PackageName::try_from(module.as_str()) {
        // Both of the twins may be the world's.
        Ok(_) if view.kind() == RepositoryKind::Remote => Ok(false),
        Ok(package) => Ok(!view.case_twins(&package).await?.is_empty()),
        Err(_) => Ok(false),
    }
}

/// The path and those above it, the nearest first.
fn with_those_above(module: &str) -> impl Iterator<Item = &str> {
    std::iter::once(module).chain(module.match_indices('/').rev().map(|(end, _)| &module[..end]))
}

/// The path and those above it, the nearest first, each with its other major versions.
fn relatives(module: &str) -> impl Iterator<Item = String> {
    with_those_above(module).flat_map(|path| {
        let stem = split_major(path).map_or(path, |(stem, _)| stem);
        let separator = if path.starts_with("gopkg.in/") { ".v" } else { "/v" };
        let from = if separator == ".v" { 0 } else { 2 };
        let majors = (from..=MAJORS).map(move |major| format!("{stem}{separator}{major}"));
        [path.to_owned(), stem.to_owned()].into_iter().chain(majors)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::absent::tests::assert_printable;

    #[test]
    fn relatives_are_all_that_an_owner_could_hold() {
        let of = |module| relatives(module).collect::<Vec<_>>();
        let found = of("e.com/m/v30/sub");
        for wanted in
            ["e.com/m/v30/sub", "e.com/m/v30/sub/v2", "e.com/m/v30", "e.com/m", "e.com/m/v20", "e.com", "e.com/v2"]
        {
            assert!(found.iter().any(|one| one == wanted), "{wanted}");
        }
        assert!(!found.iter().any(|one| one == "e.com/other" || one == "e.com/m/v1"));
        let found = of("gopkg.in/u/x.v3-unstable");
        for wanted in ["gopkg.in/u/x.v3-unstable", "gopkg.in/u/x.v0", "gopkg.in/u/x.v20", "gopkg.in/u"] {
            assert!(found.iter().any(|one| one == wanted), "{wanted}");
        }
    }

    #[test]
    fn a_refusal_is_printed_whole_whatever_the_pattern() {
        let database = "d".repeat(settings::NAME_BYTES);
        let long = ModulePath::parse(&format!("e.com/{}", "a".repeat(900))).expect("a long path");
        let longest = format!("*{}", "a".repeat(PATTERN_BYTES - 1));
        assert_printable(&refusal(&long, &longest, &database), "the longest pattern");
        let failure = refusal(&long, long.as_str(), &database);
        assert!(failure.first().detail.ends_with("name it in GONOSUMDB"));
        assert_printable(&failure, "a longer one");
    }

    #[test]
    fn the_cost_of_a_lookup_is_bounded() {
        let deepest = format!("e.com{}", "/a".repeat(MODULE_ELEMENTS - 1));
        assert!(relatives(&deepest).count() <= MODULE_ELEMENTS * (MAJORS as usize + 3));
    }
}
