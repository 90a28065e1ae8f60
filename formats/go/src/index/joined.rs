//! The latest version where the content comes from elsewhere: of what the list has together with what is stored.
//!
//! ```text
//! list of all sources     v1.0.0  v1.1.0  v1.2.0
//! go.mod of v1.2.0        retract v1.2.0                 fetched, if it is not here
//! latest                  v1.1.0
//! ```
//!
//! The rule is that of [`index`](super); only what it needs to know of a version is not recorded, but read from
//! its `go.mod`: the retractions of the highest version, and whether the highest compatible version has a
//! `go.mod` of its own when there are `+incompatible` ones above it. So at most four files are read.
//!
//! A version without a `go.mod` that could be had is passed over: a client could not use it.
//!
//! Bounds: [`CHOICES`], [`GO_MOD_BYTES`]. Errors: those of [`index`](super).

use std::collections::BTreeSet;

use keeper_core::artifact::PackageName;
use keeper_core::error::{Failure, codes};
use keeper_core::format::{Document, RepositoryView};

use super::{info, standing, unknown};
use crate::absent;
use crate::limits::{CHOICES, GO_MOD_BYTES};
use crate::merge::{invalid, listed};
use crate::modfile::{self, ModFile, is_synthesised};
use crate::path::ModulePath;
use crate::pseudo::is_pseudo;
use crate::route::file_path;
use crate::version::GoVersion;

/// `@latest` over the joined view.
pub(super) async fn latest_info(package: &PackageName, view: &dyn RepositoryView) -> Result<Document, Failure> {
    let module = ModulePath::parse(package.as_str()).map_err(absent::no_module_path)?;
    let Some(mut versions) = versions(package, &module, view).await? else {
        return Err(unknown(package, view).await?);
    };
    for _ in 0..CHOICES {
        match choose(&module, &versions, view).await? {
            Choice::Nothing if versions.is_empty() => return Err(absent::nothing_listed(package, view.repository())),
            Choice::Nothing => return Err(absent::all_retracted(package, view.repository())),
            Choice::Latest(version) => return info(package, &version, view).await,
            Choice::Absent(version) => drop(versions.remove(&version)),
        }
    }
    let cause = format!("{CHOICES} listed versions of {module} have no go.mod");
    Err(Failure::new(&codes::UPSTREAM_INVALID, "the upstream lists versions that it does not have").caused_by(cause))
}

/// What the list has and what is stored; `None` when the module is known to neither.
async fn versions(
    package: &PackageName,
    module: &ModulePath,
    view: &dyn RepositoryView,
) -> Result<Option<BTreeSet<GoVersion>>, Failure> {
    let list = view.index(&format!("/{}/@v/list", module.escaped())).await?;
    let stored = view.versions(package).await?;
    if list.is_none() && stored.is_none() {
        return Ok(None);
    }
    let stored = stored.into_iter().flatten().filter_map(|version| GoVersion::parse(version.as_str()).ok());
    let mut all: BTreeSet<_> = stored.collect();
    if let Some(list) = &list {
        // What is stored and listed no more was taken back by an administrator or refused by a rule, unless it is a
        // pseudo-version, which no list has.
        all.retain(|version| is_pseudo(version.as_str()));
        all.extend(listed(module, &list.body));
    }
    Ok(Some(all))
}

enum Choice {
    Latest(GoVersion),
    /// There is none, or all are retracted.
    Nothing,
    /// This one decides, and is not to be had.
    Absent(GoVersion),
}

async fn choose(
    module: &ModulePath,
    versions: &BTreeSet<GoVersion>,
    view: &dyn RepositoryView,
) -> Result<Choice, Failure> {
    let all: Vec<&GoVersion> = versions.iter().collect();
    let speaker = match highest(module, &all, view).await? {
        Choice::Latest(version) => version,
        other => return Ok(other),
    };
    let Some(go_mod) = GoMod::read(module, &speaker, view).await? else { return Ok(Choice::Absent(speaker)) };
    let is_retracted = |version: &GoVersion| go_mod.file.retracts.iter().any(|range| range.covers(version.as_str()));
    let kept: Vec<&GoVersion> = all.into_iter().filter(|version| !is_retracted(version)).collect();
    highest(module, &kept, view).await
}

/// The highest of these, which are in order, by the rules of the client.
async fn highest(module: &ModulePath, all: &[&GoVersion], view: &dyn RepositoryView) -> Result<Choice, Failure> {
    let tagged: Vec<&GoVersion> = all.iter().copied().filter(|version| !is_pseudo(version.as_str())).collect();
    let mut usable = tagged.as_slice();
    let legacy = tagged.iter().position(|version| version.is_incompatible());
    if let Some((below, legacy)) = legacy.and_then(|at| Some((tagged[..at].last()?, at))) {
        match GoMod::read(module, below, view).await? {
            None => return Ok(Choice::Absent((*below).clone())),
            // A go.mod says that its author knows of /v2, so what follows is from before that time.
            Some(go_mod) if go_mod.is_real => usable = &tagged[..legacy],
            Some(_) => {}
        }
    }
    let of_tags = usable.iter().copied().max_by_key(|version| standing((*version).clone()));
    let chosen = of_tags.or_else(|| all.iter().copied().max_by_key(|version| standing((*version).clone())));
    Ok(chosen.map_or(Choice::Nothing, |version| Choice::Latest(version.clone())))
}

/// What is needed of a version's `go.mod`.
struct GoMod {
    file: ModFile,
    /// Whether it is not the one that Go makes up for a module that has none.
    is_real: bool,
}

impl GoMod {
    async fn read(
        module: &ModulePath,
        version: &GoVersion,
        view: &dyn RepositoryView,
    ) -> Result<Option<Self>, Failure> {
        let path = file_path(module, version, "mod")?;
        let Some(bytes) = view.small(&path, GO_MOD_BYTES).await? else { return Ok(None) };
        // A lost retraction would make a bad version the latest.
        let file = modfile::parse(&bytes)
            .map_err(|faults| invalid("go.mod", faults.first().map(ToString::to_string).unwrap_or_default()))?;
        Ok(Some(Self { file, is_real: !is_synthesised(&bytes, module.as_str()) }))
    }
}

#[cfg(test)]
mod tests {
    use keeper_core::repository::RepositoryKind;

    use crate::index::latest_info;
    use crate::testing::{MemoryView, package, ready};

    const M: &str = "github.com/Azure/m";
    const OLD: &str = "v0.0.0-20191109021931-daa7c04131f5";
    const NEW: &str = "v0.0.0-20200109021931-0a1b2c3d4e5f";

    /// A remote repository with this list, these versions stored, and these `go.mod` files to be had; `.info` is to
    /// be had of all of them.
    fn latest(list: Option<&[&str]>, stored: &[&str], go_mods: &[(&str, &str)]) -> Result<String, &'static str> {
        let mut view = MemoryView::with(M, stored);
        if let Some(list) = list {
            view.has_index("/github.com/!azure/m/@v/list", &list.join("\n"));
        }
        for (version, rest) in go_mods {
            view.file(M, version, "mod", &format!("module {M}\n{rest}"));
            view.file(M, version, "info", version);
        }
        let view = view.of_kind(RepositoryKind::Remote);
        let document = ready(latest_info(&package(M), &view)).map_err(|failure| failure.code().name)?;
        Ok(String::from_utf8(document.body.to_vec()).expect("UTF-8"))
    }

    #[test]
    fn the_latest_is_chosen_from_the_list_and_what_is_stored() {
        type Row<'a> = (Option<&'a [&'a str]>, &'a [&'a str], &'a [(&'a str, &'a str)], Result<&'a str, &'a str>);
        let go = "go 1.21\n";
        let rows: [Row<'_>; 15] = [
            (Some(&["v1.0.0", "v1.1.0"]), &[], &[("v1.1.0", go)], Ok("v1.1.0")),
            (Some(&["v1.0.0", "v1.1.0-rc.1"]), &[], &[("v1.0.0", go), ("v1.1.0-rc.1", go)], Ok("v1.0.0")),
            (Some(&["v1.1.0-rc.1"]), &[], &[("v1.1.0-rc.1", go)], Ok("v1.1.0-rc.1")),
            // The highest takes itself back, and one more.
            (
                Some(&["v1.0.0", "v1.1.0", "v1.2.0"]),
                &[],
                &[("v1.0.0", go), ("v1.1.0", go), ("v1.2.0", "retract [v1.1.0, v1.2.0]\n")],
                Ok("v1.0.0"),
            ),
            (Some(&["v1.0.0"]), &[], &[("v1.0.0", "retract v1.0.0\n")], Err("version_not_found")),
            // Only of the highest.
            (Some(&["v1.0.0", "v1.1.0"]), &[], &[("v1.0.0", "retract v1.1.0\n"), ("v1.1.0", go)], Ok("v1.1.0")),
            // A go.mod of its own ends the time of +incompatible.
            (
                Some(&["v1.0.0", "v2.0.0+incompatible"]),
                &[],
                &[("v1.0.0", go), ("v2.0.0+incompatible", "")],
                Ok("v1.0.0"),
            ),
            (
                Some(&["v1.0.0", "v2.0.0+incompatible"]),
                &[],
                &[("v1.0.0", ""), ("v2.0.0+incompatible", "")],
                Ok("v2.0.0+incompatible"),
            ),
            (Some(&["v2.0.0+incompatible"]), &[], &[("v2.0.0+incompatible", "")], Ok("v2.0.0+incompatible")),
            // Nothing but pseudo-versions: the newest, and a release before it.
            (Some(&[]), &[NEW, OLD], &[(OLD, go), (NEW, go)], Ok(NEW)),
            (Some(&["v0.1.0"]), &[NEW], &[("v0.1.0", go), (NEW, go)], Ok("v0.1.0")),
            // Listed no more: a rule refuses it, or an administrator took it back.
            (Some(&["v1.0.0"]), &["v1.1.0"], &[("v1.0.0", go), ("v1.1.0", go)], Ok("v1.0.0")),
            (None, &["v1.1.0"], &[("v1.1.0", go)], Ok("v1.1.0")),
            // Listed and not to be had.
            (Some(&["v1.0.0", "v1.1.0"]), &[], &[("v1.0.0", go)], Ok("v1.0.0")),
            (Some(&["v1.0.0"]), &[], &[("v1.0.0", "require (\n")], Err("upstream_invalid")),
        ];
        for (list, stored, go_mods, wanted) in rows {
            assert_eq!(latest(list, stored, go_mods), wanted.map(str::to_owned), "{list:?} {stored:?} {go_mods:?}");
        }
    }

    #[test]
    fn a_module_that_is_nowhere_is_unknown_and_one_without_versions_has_no_latest() {
        let mut view = MemoryView::default().of_kind(RepositoryKind::Remote);
        assert_eq!(ready(latest_info(&package(M), &view)).expect_err("unknown").code().name, "module_not_found");
        view.has_index("/github.com/!azure/m/@v/list", "");
        assert_eq!(ready(latest_info(&package(M), &view)).expect_err("empty").code().name, "version_not_found");
    }

    #[test]
    fn a_list_of_versions_that_are_nowhere_is_given_up() {
        let names: Vec<String> = (0..20).map(|number| format!("v1.{number}.0")).collect();
        let list: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(latest(Some(&list), &[], &[("v1.0.0", "")]), Err("upstream_invalid"));
    }
}
