//! What the uploader says about a module: its name and its version.
//!
//! ```text
//! name=github.com/a/m/sub   version=v1.2.3
//! name=github.com/a/m/sub   version=sub/v1.2.3, refs/tags/sub/v1.2.3       the tag: its prefix is cut off, with W02
//! ```
//!
//! Either may be left out where the archive tells it. Nothing else is mended silently: `1.0.0` and `v1.0` are
//! refused, and the refusal says what they should be.
//!
//! Errors: `module_path_invalid`, `name_reserved`, `version_invalid`, `version_not_canonical`,
//! `major_mismatch`, `incompatible_not_allowed`, `invalid_field`.

use keeper_core::error::{Problem, codes};
use keeper_core::format::Claim;

use crate::absent::shown;
use crate::archive::prefix::{Prefix, Wanted};
use crate::error::{INCOMPATIBLE_NOT_ALLOWED, NAME_RESERVED, Problems, VERSION_INVALID};
use crate::path::{ModulePath, check_major, split_major};
use crate::version::{GoVersion, VersionFault, canonical};

/// Names that Go looks up in other ways, or that are its own packages.
const RESERVED: [&str; 6] = ["golang.org/toolchain", "golang.org/fips140", "go", "toolchain", "std", "cmd"];

/// The claim as far as it is sound.
#[derive(Debug)]
pub(super) struct Named<'a> {
    /// The name as given, sound or not.
    pub(super) name: Option<&'a str>,
    /// The version as given, without the prefix of a tag.
    pub(super) version: Option<&'a str>,
    /// What was cut off the version: `sub/`, `refs/tags/`.
    pub(super) tag_prefix: Option<&'a str>,
    module: Option<ModulePath>,
    go_version: Option<GoVersion>,
    /// Whether the go.mod may declare another path.
    pub(super) is_fork: bool,
}

impl<'a> Named<'a> {
    /// Reads the claim and tells what is wrong in itself.
    pub(super) fn read(claim: &'a Claim<'_>, problems: &mut Problems) -> Self {
        let module = claim.name.and_then(|name| module(name, problems));
        let (tag_prefix, version) = claim.version.map_or((None, None), |text| {
            let (prefix, version) = tag(text, claim.name);
            (prefix, Some(version))
        });
        let go_version = version.and_then(|text| go_version(text, problems));
        check_origin(claim, problems);
        Self { name: claim.name, version, tag_prefix, module, go_version, is_fork: claim.flag("fork") }
    }

    /// What to look for in the archive. `has_commit`: it was made of a commit.
    pub(super) fn wanted(&self, has_commit: bool) -> Wanted<'a> {
        // A tag says that the module is in a subdirectory. Else `m/` is where host/owner/repository has its
        // module, and a subdirectory only below that.
        let is_tagged = self.tag_prefix.is_some_and(|prefix| prefix != TAGS);
        let is_deep =
            self.name.is_some_and(|name| split_major(name).map_or(name, |(stem, _)| stem).matches('/').count() >= 3);
        Wanted { name: self.name, version: self.version, is_subdirectory: is_tagged || (has_commit && is_deep) }
    }

    /// The module's path: the one given, else the one that go.mod declares, else the one of the folder.
    pub(super) fn module(
        &self,
        declared: Option<&str>,
        prefix: &Prefix,
        problems: &mut Problems,
    ) -> Option<ModulePath> {
        match (self.name, declared, &prefix.module) {
            (Some(_), ..) => self.module.clone(),
            (None, Some(declared), _) => module(declared, problems),
            (None, None, Some(path)) => module(path.as_str(), problems),
            (None, None, None) => {
                let detail = "no name was given, and neither a go.mod nor the archive's folder tells it";
                problems.push(Problem::new(&codes::NAME_MISSING, detail).field("name"));
                None
            }
        }
    }

    /// The version: the one given, else that of the folder.
    pub(super) fn version(&self, prefix: &Prefix, problems: &mut Problems) -> Option<GoVersion> {
        match (self.version, &prefix.version) {
            (Some(_), _) => self.go_version.clone(),
            (None, Some(version)) => go_version(version, problems),
            (None, None) => {
                let detail = "no version was given, and the archive's folder does not tell it";
                problems.push(Problem::new(&codes::VERSION_MISSING, detail).field("version"));
                None
            }
        }
    }
}

const TAGS: &str = "refs/tags/";

/// Cuts a version from the tag it may be: what is cut off, and the rest. A directory is cut off only if the
/// module is in one of that name.
fn tag<'a>(text: &'a str, name: Option<&str>) -> (Option<&'a str>, &'a str) {
    let bare = text.strip_prefix(TAGS).unwrap_or(text);
    let version = match bare.rsplit_once('/') {
        Some((directory, version)) if is_directory(directory, name) => version,
        _ => bare,
    };
    let prefix = &text[..text.len() - version.len()];
    (Some(prefix).filter(|prefix| !prefix.is_empty()), version)
}

fn is_directory(directory: &str, name: Option<&str>) -> bool {
    let stem = name.map(|name| split_major(name).map_or(name, |(stem, _)| stem));
    let ends_so = |stem: &str| stem.strip_suffix(directory).is_some_and(|rest| rest.ends_with('/'));
    !directory.is_empty() && stem.is_some_and(ends_so)
}

/// Refuses names that nobody but Go publishes.
///
/// # Errors
/// `name_reserved`.
pub(crate) fn check_reserved(name: &str) -> Result<(), Problem> {
    if RESERVED.contains(&name) {
        return Err(Problem::new(&NAME_RESERVED, format!("{} is a name of Go itself", shown(name))).field("name"));
    }
    Ok(())
}

fn module(name: &str, problems: &mut Problems) -> Option<ModulePath> {
    if let Err(problem) = check_reserved(name) {
        problems.push(problem);
        return None;
    }
    ModulePath::parse(name).map_err(|fault| problems.push(fault.into())).ok()
}

fn go_version(text: &str, problems: &mut Problems) -> Option<GoVersion> {
    if let Some((directory, _)) = text.rsplit_once('/') {
        let detail = format!("\"{}\" looks like a tag, but the module is not in {}/", shown(text), shown(directory));
        problems.push(Problem::new(&VERSION_INVALID, detail).field("version"));
        return None;
    }
    let fault = match GoVersion::parse(text) {
        Ok(version) => return Some(version),
        // 1.2.3 is what other ecosystems call v1.2.3.
        Err(fault @ VersionFault::NotAVersion { .. }) => match canonical(&format!("v{text}")) {
            Some(canonical) => VersionFault::NotCanonical { version: text.to_owned(), canonical },
            None => fault,
        },
        Err(fault) => fault,
    };
    problems.push(fault.into());
    None
}

/// Whether path and version go together. `has_go_mod`: the module has one of its own.
pub(super) fn check_together(path: &ModulePath, version: &GoVersion, has_go_mod: bool, problems: &mut Problems) {
    if !version.is_incompatible() {
        let _ = check_major(path, version).map_err(|fault| problems.push(fault.into()));
        return;
    }
    let why = if !path.major().is_empty() {
        format!("the path of {path} has its major version")
    } else if has_go_mod {
        "the module has a go.mod".to_owned()
    } else {
        return;
    };
    problems.push(Problem::new(&INCOMPATIBLE_NOT_ALLOWED, format!("{version}: {why}")).field("version"));
}

/// The origin is shown to everybody who may read: it must not hold a password.
fn check_origin(claim: &Claim<'_>, problems: &mut Problems) {
    let authority =
        claim.origin_url.and_then(|url| url.split_once("://")).map(|(_, rest)| rest.split(['/', '?', '#']).next());
    let Some(Some(authority)) = authority else { return };
    if authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) {
        let detail = "the address holds a password, and everybody who may read the module would see it";
        problems
            .push(Problem::new(&codes::INVALID_FIELD, detail).field("origin_url").hint("Leave user and password out."));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_gives_up_its_prefix_only_to_a_module_in_that_directory() {
        let table = [
            ("v1.2.3", "ex.com/m", None, "v1.2.3"),
            ("refs/tags/v1.2.3", "ex.com/m", Some("refs/tags/"), "v1.2.3"),
            ("sub/v1.2.3", "ex.com/m/sub", Some("sub/"), "v1.2.3"),
            ("refs/tags/sub/v1.2.3", "ex.com/m/sub", Some("refs/tags/sub/"), "v1.2.3"),
            ("a/sub/v1.2.3", "ex.com/m/a/sub", Some("a/sub/"), "v1.2.3"),
            ("sub/v2.0.0", "ex.com/m/sub/v2", Some("sub/"), "v2.0.0"),
            ("sub/v1.2.3", "ex.com/m/xsub", None, "sub/v1.2.3"),
            ("sub/v1.2.3", "sub", None, "sub/v1.2.3"),
            ("/v1.2.3", "ex.com/m", None, "/v1.2.3"),
        ];
        for (text, name, prefix, version) in table {
            assert_eq!(tag(text, Some(name)), (prefix, version), "{text} {name}");
        }
        assert_eq!(tag("sub/v1.2.3", None), (None, "sub/v1.2.3"));
    }

    #[test]
    fn path_and_version_must_go_together() {
        let table = [
            ("ex.com/m", "v1.0.0", true, None),
            ("ex.com/m", "v2.0.0", true, Some("major_mismatch")),
            ("ex.com/m/v2", "v1.0.0", true, Some("major_mismatch")),
            ("ex.com/m/v2", "v2.0.0", true, None),
            ("gopkg.in/x.v2", "v3.0.0", false, Some("major_mismatch")),
            ("ex.com/m", "v2.0.0+incompatible", false, None),
            ("ex.com/m", "v1.0.0+incompatible", false, None),
            ("ex.com/m", "v2.0.0+incompatible", true, Some("incompatible_not_allowed")),
            ("ex.com/m/v2", "v2.0.0+incompatible", false, Some("incompatible_not_allowed")),
            ("gopkg.in/x.v2", "v2.0.0+incompatible", false, Some("incompatible_not_allowed")),
        ];
        for (path, version, has_go_mod, expected) in table {
            let mut problems = Problems::default();
            let (path, version) =
                (ModulePath::parse(path).expect("a path"), GoVersion::parse(version).expect("canonical"));
            check_together(&path, &version, has_go_mod, &mut problems);
            assert_eq!(problems.settle().err().map(|failure| failure.code().name), expected, "{path} {version}");
        }
    }
}
