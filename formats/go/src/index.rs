//! The computed documents: the list, the latest version, and what a branch, tag or commit means.
//!
//! ```text
//! @v/list        v1.0.0\nv1.1.0-rc.1\n                               also empty, for a module that is known
//! @latest        {"Version":"v1.0.0","Time":"2024-03-04T03:06:07Z"}   the stored .info of that version
//! @v/main.info   the same
//! ```
//!
//! The list holds what may be listed, in order, without pseudo-versions. It never is an empty 200 for an
//! unknown module: the `go` command would stop there instead of asking the next proxy.
//!
//! "Latest" is what `go list -m module@latest` means: the highest release that is not retracted,
//! else the highest prerelease, else the newest pseudo-version. Retractions count only in the `go.mod` of the
//! highest version chosen without them, which may retract itself. `+incompatible` versions count only while
//! the highest compatible one below them has no `go.mod` of its own.
//!
//! A commit is found by 7 to 64 lower-case hexadecimal digits that no other stored commit begins with; of
//! several versions of one commit a release comes before a prerelease before a pseudo-version. A branch or
//! tag is found by the whole name that was given when the version was published.
//!
//! What is said of several repositories together, or of an upstream, is in `joined`.
//!
//! Errors: `module_not_found`, `version_not_found`, or what the view reports.
//! Sources: `queryMatcher.filterVersions` in `cmd/go/internal/modload`.

use jiff::Timestamp;
use keeper_core::artifact::{ArtifactSummary, FilePath, Label, LabelQuery, PackageName, VersionName};
use keeper_core::error::{Failure, codes};
use keeper_core::format::{Document, RepositoryView};
use keeper_core::media_type::MediaType;
use keeper_core::repository::RepositoryKind;
use serde::Deserialize;
use serde_json::Value;

use crate::absent;
use crate::inspect::metadata::Retraction;
use crate::limits::UPSTREAM_INFO_BYTES;
use crate::modfile::Retract;
use crate::path::ModulePath;
use crate::pseudo::{PseudoVersion, is_pseudo};
use crate::route::file_path;
use crate::version::{GoVersion, VersionFault};

mod joined;

/// Digits of a commit that are enough to ask with; what is shorter is more often a name.
const COMMIT_DIGITS: std::ops::RangeInclusive<usize> = 7..=64;

/// `@v/list`.
///
/// # Errors
/// `module_not_found`, or what the view reports.
pub async fn list(package: &PackageName, view: &dyn RepositoryView) -> Result<Document, Failure> {
    let Some(versions) = view.versions(package).await? else { return Err(unknown(package, view).await?) };
    let tagged = versions.iter().map(VersionName::as_str).filter(|version| !is_pseudo(version));
    let mut body = String::new();
    for version in tagged {
        body.push_str(version);
        body.push('\n');
    }
    Ok(Document::new(MediaType::TEXT, body))
}

/// `@latest`.
///
/// # Errors
/// `module_not_found`; `version_not_found` when nothing is listed or everything is retracted; what the view
/// reports.
pub async fn latest_info(package: &PackageName, view: &dyn RepositoryView) -> Result<Document, Failure> {
    if view.kind() != RepositoryKind::Hosted {
        return joined::latest_info(package, view).await;
    }
    let candidates: Vec<Candidate> =
        view.artifacts(package).await?.iter().map(Candidate::read).collect::<Result<_, _>>()?;
    let repository = view.repository();
    match latest(&candidates) {
        Some(version) => info(package, version, view).await,
        None if candidates.is_empty() => match view.versions(package).await? {
            Some(_) => Err(absent::nothing_listed(package, repository)),
            None => Err(unknown(package, view).await?),
        },
        None => Err(absent::all_retracted(package, repository)),
    }
}

/// `@v/{revision}.info` of a branch, a tag or a commit.
///
/// # Errors
/// `module_not_found`; `version_not_found` when the name means nothing here or several commits begin so; what
/// the view reports.
pub async fn revision_info(
    package: &PackageName,
    revision: &str,
    view: &dyn RepositoryView,
) -> Result<Document, Failure> {
    // What is stored has its canonical name only.
    if let (RepositoryKind::Hosted, Err(VersionFault::NotCanonical { canonical, .. })) =
        (view.kind(), GoVersion::parse(revision))
    {
        let module = ModulePath::parse(package.as_str()).map_err(absent::no_module_path)?;
        return Err(absent::not_canonical(&module, revision, &canonical));
    }
    if let Some(version) = of_commit(package, revision, view).await? {
        return info(package, &version, view).await;
    }
    let labels = view.labels(package, LabelQuery::Name(revision)).await?;
    if let Some((_, _, version)) = labels.iter().filter_map(rank).max() {
        return info(package, &version, view).await;
    }
    match view.versions(package).await? {
        Some(_) => Err(absent::revision(package, revision, view.repository())),
        None => Err(unknown(package, view).await?),
    }
}

/// The failure for a module that the repository never had.
async fn unknown(package: &PackageName, view: &dyn RepositoryView) -> Result<Failure, Failure> {
    let twins = view.case_twins(package).await?;
    Ok(absent::module(package, view.repository(), &twins))
}

/// The stored `.info` of a version, byte for byte.
async fn info(package: &PackageName, version: &GoVersion, view: &dyn RepositoryView) -> Result<Document, Failure> {
    let path = info_path(package, version)?;
    match view.small(&path, UPSTREAM_INFO_BYTES).await? {
        Some(body) => Ok(Document::new(MediaType::JSON, body)),
        // It was deleted or blocked after it had been chosen.
        None => Err(absent::revision(package, version.as_str(), view.repository())),
    }
}

fn info_path(package: &PackageName, version: &GoVersion) -> Result<FilePath, Failure> {
    let module = ModulePath::parse(package.as_str()).map_err(absent::no_module_path)?;
    file_path(&module, version, "info")
}

/// The version of the one commit that begins so.
async fn of_commit(
    package: &PackageName,
    digits: &str,
    view: &dyn RepositoryView,
) -> Result<Option<GoVersion>, Failure> {
    let is_hex = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hex || !COMMIT_DIGITS.contains(&digits.len()) {
        return Ok(None);
    }
    let mut labels = view.labels(package, LabelQuery::CommitPrefix(digits)).await?;
    labels.sort_by_cached_key(|label| std::cmp::Reverse(rank(label)));
    let Some(first) = labels.first() else { return Ok(None) };
    match labels.iter().find(|label| label.name != first.name) {
        Some(other) => Err(absent::ambiguous(package, digits, first, other)),
        None => Ok(rank(first).map(|(_, _, version)| version)),
    }
}

/// Orders what one name points to.
fn rank(label: &Label) -> Option<Standing> {
    GoVersion::parse(label.version.as_str()).ok().map(standing)
}

/// What decides between versions of which one is wanted: its class, its time if it is a pseudo-version, itself.
pub(crate) type Standing = (u8, Option<Timestamp>, GoVersion);

/// A release stands above a prerelease above a pseudo-version; of these the newest stands highest.
pub(crate) fn standing(version: GoVersion) -> Standing {
    match PseudoVersion::parse(&version) {
        Some(pseudo) => (0, pseudo.time.ok(), version),
        None if version.is_prerelease() => (1, None, version),
        None => (2, None, version),
    }
}

/// A version, with what decides whether it is the latest.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) version: GoVersion,
    has_go_mod: bool,
    pub(crate) retracts: Vec<Retract>,
    pub(crate) deprecated: Option<String>,
}

/// The part of a version's metadata that is read here. Not [`Metadata`](crate::inspect::metadata::Metadata),
/// which passes over what it cannot read: a lost retraction would make a bad version the latest.
#[derive(Debug, Deserialize)]
struct Known {
    /// Of a copy whose `go.mod` is not here yet nothing is known.
    #[serde(default)]
    has_go_mod: bool,
    #[serde(default)]
    retracts: Vec<Retraction>,
    deprecated: Option<String>,
}

impl Candidate {
    pub(crate) fn read(artifact: &ArtifactSummary) -> Result<Self, Failure> {
        Self::of(&artifact.version, &artifact.metadata)
    }

    /// A version by its metadata.
    pub(crate) fn of(version: &VersionName, metadata: &Value) -> Result<Self, Failure> {
        let damaged = |cause: String| Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by(cause);
        let version = GoVersion::parse(version.as_str()).map_err(|fault| damaged(fault.to_string()))?;
        let Known { has_go_mod, retracts, deprecated } =
            Known::deserialize(metadata).map_err(|fault| damaged(format!("the metadata of {version}: {fault}")))?;
        let retract = |Retraction { low, high, rationale }| Retract { low, high, rationale };
        Ok(Self { version, has_go_mod, retracts: retracts.into_iter().map(retract).collect(), deprecated })
    }

    /// Whether it is neither a prerelease nor from before the time of modules: no lower version speaks for its module.
    pub(crate) fn is_release(&self) -> bool {
        !self.version.is_prerelease() && !self.version.is_incompatible()
    }
}

/// The version that "latest" means among these, which are in order; `None` when all are retracted or there is
/// none.
pub(crate) fn latest(candidates: &[Candidate]) -> Option<&GoVersion> {
    let all: Vec<&Candidate> = candidates.iter().collect();
    let retracts = &highest(&all)?.retracts;
    let is_kept = |one: &&Candidate| !retracts.iter().any(|retract| retract.covers(one.version.as_str()));
    let kept: Vec<&Candidate> = all.into_iter().filter(is_kept).collect();
    highest(&kept).map(|chosen| &chosen.version)
}

/// The highest release, else the highest prerelease, else the newest pseudo-version.
pub(crate) fn highest<'a>(candidates: &[&'a Candidate]) -> Option<&'a Candidate> {
    let (mut release, mut prerelease, mut compatible) = (None, None, None::<&Candidate>);
    let mut is_legacy = false;
    for candidate in candidates.iter().copied().filter(|one| !is_pseudo(one.version.as_str())) {
        if !candidate.version.is_incompatible() {
            compatible = Some(candidate);
        } else if let (Some(below), false) = (compatible, is_legacy) {
            // A go.mod says that its author knows of /v2, so what follows is from before that time.
            if below.has_go_mod {
                break;
            }
            is_legacy = true;
        }
        let kind = if candidate.version.is_prerelease() { &mut prerelease } else { &mut release };
        *kind = Some(candidate);
    }
    release.or(prerelease).or_else(|| newest_pseudo(candidates))
}

fn newest_pseudo<'a>(candidates: &[&'a Candidate]) -> Option<&'a Candidate> {
    let pseudo = candidates.iter().copied().filter(|one| is_pseudo(one.version.as_str()));
    pseudo.max_by_key(|one| standing(one.version.clone()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::inspect::metadata::Metadata;
    use crate::testing::{MemoryView, package, ready};

    const M: &str = "github.com/Azure/m";

    fn text(document: Result<Document, Failure>) -> Result<String, String> {
        match document {
            Ok(document) => Ok(String::from_utf8(document.body.to_vec()).expect("UTF-8")),
            Err(failure) => {
                absent::tests::assert_printable(&failure, "index");
                Err(format!("{}: {}", failure.code().name, failure.first().detail))
            }
        }
    }

    fn list_of(view: &MemoryView, module: &str) -> Result<String, String> {
        text(ready(list(&package(module), view)))
    }

    fn latest_of(view: &MemoryView) -> Result<String, String> {
        text(ready(latest_info(&package(M), view)))
    }

    fn revision_of(view: &MemoryView, revision: &str) -> Result<String, String> {
        text(ready(revision_info(&package(M), revision, view)))
    }

    #[test]
    fn the_list_has_every_listed_version_but_pseudo_versions() {
        let rows: [(&[&str], &str); 4] = [
            (&["v1.0.0", "v1.1.0-rc.1"], "v1.0.0\nv1.1.0-rc.1\n"),
            (&["v1.0.0", "v1.0.1-0.20191109021931-daa7c04131f5"], "v1.0.0\n"),
            // 40: known and empty, so that the client asks for @latest
            (&["v0.0.0-20191109021931-daa7c04131f5"], ""),
            (&["v1.0.0", "v2.0.0+incompatible"], "v1.0.0\nv2.0.0+incompatible\n"),
        ];
        for (versions, wanted) in rows {
            let view = MemoryView::with(M, versions);
            assert_eq!(list_of(&view, M).as_deref(), Ok(wanted), "{versions:?}");
        }
    }

    #[test]
    fn an_unknown_module_has_no_list_but_a_known_one_may_have_an_empty_one() {
        let mut view = MemoryView::with(M, &["v1.0.0"]);
        let wanted = Err("module_not_found: github.com/other/m: repository \"r\" has no such module".to_owned());
        assert_eq!(list_of(&view, "github.com/other/m"), wanted);
        view.delete(M, "v1.0.0");
        assert_eq!(list_of(&view, M).as_deref(), Ok(""));
        let wanted = Err(format!("version_not_found: {M}: repository \"r\" has no version that may be listed"));
        assert_eq!(latest_of(&view), wanted);
    }

    #[test]
    fn a_module_that_differs_in_case_is_named() {
        let view = MemoryView::with(M, &["v1.0.0"]);
        let failure = ready(list(&package("github.com/azure/m"), &view)).expect_err("another module");
        assert_eq!(failure.first().hint_text(), "It has github.com/Azure/m: upper and lower case count.");
    }

    /// A version, whether it has a `go.mod` of its own, and the ranges that this retracts.
    type Row<'a> = (&'a str, bool, &'a [(&'a str, &'a str)]);

    fn view_of(versions: &[Row<'_>]) -> MemoryView {
        let mut view = MemoryView::default();
        for (version, has_go_mod, retracts) in versions {
            let range = |(low, high): &(&str, &str)| Retraction {
                low: (*low).to_owned(),
                high: (*high).to_owned(),
                ..Retraction::default()
            };
            let retracts = retracts.iter().map(range).collect();
            let metadata = Metadata { has_go_mod: *has_go_mod, retracts, ..Metadata::default() };
            view.add(M, version, metadata.to_value());
        }
        view
    }

    #[test]
    fn the_latest_version_is_the_one_that_go_would_choose() {
        const OLD: &str = "v0.0.0-20191109021931-daa7c04131f5";
        const NEW: &str = "v0.0.0-20201109021931-000000000001";
        const ODD: &str = "v0.0.0-20191399021931-daa7c04131f5";
        let rows: [(&[Row<'_>], &str); 19] = [
            (&[("v1.0.0", true, &[]), ("v1.1.0-rc.1", true, &[])], "v1.0.0"),
            (&[("v1.0.0-a", true, &[]), ("v1.1.0-rc.1", true, &[])], "v1.1.0-rc.1"),
            (&[(OLD, true, &[]), (NEW, true, &[])], NEW),
            (&[(OLD, true, &[]), ("v0.1.0-a", true, &[])], "v0.1.0-a"),
            // A time that cannot be is older than any.
            (&[(OLD, true, &[]), (ODD, true, &[])], OLD),
            // The order of versions is not that of times.
            (&[(NEW, true, &[]), ("v1.0.1-0.20191109021931-daa7c04131f5", true, &[])], NEW),
            // Retractions of the highest version count, also of itself.
            (&[("v1.0.0", true, &[]), ("v1.1.0", true, &[("v1.0.0", "v1.0.0")])], "v1.1.0"),
            (&[("v1.0.0", true, &[]), ("v1.1.0", true, &[("v1.1.0", "v1.1.0")])], "v1.0.0"),
            (&[("v1.0.0", true, &[]), ("v1.1.0-rc", true, &[]), ("v1.1.0", true, &[("v1.0.1", "v1.1.0")])], "v1.0.0"),
            // … and those of others do not.
            (&[("v1.0.0", true, &[("v1.1.0", "v1.1.0")]), ("v1.1.0", true, &[])], "v1.1.0"),
            (&[("v1.0.0", true, &[]), ("v1.1.0-rc", true, &[("v1.0.0", "v1.0.0")])], "v1.0.0"),
            // All releases retracted: the prerelease between is left.
            (
                &[
                    ("v1.0.0", true, &[]),
                    ("v1.1.0-rc", true, &[]),
                    ("v1.2.0", true, &[("v1.0.0", "v1.0.0"), ("v1.2.0", "v1.2.0")]),
                ],
                "v1.1.0-rc",
            ),
            (&[("v1.0.0", true, &[("main", "v9.9.9")])], ""),
            (&[("v1.0.0", true, &[("v2.0.0", "v1.0.0")])], "v1.0.0"),
            // +incompatible
            (&[("v1.0.0", false, &[]), ("v2.0.0+incompatible", false, &[])], "v2.0.0+incompatible"),
            (&[("v1.0.0", true, &[]), ("v2.0.0+incompatible", false, &[])], "v1.0.0"),
            // Even a prerelease with a go.mod is preferred.
            (&[("v1.0.0-rc", true, &[]), ("v2.0.0+incompatible", false, &[])], "v1.0.0-rc"),
            (
                &[("v1.0.0", true, &[]), ("v1.1.0", false, &[]), ("v2.0.0+incompatible", false, &[])],
                "v2.0.0+incompatible",
            ),
            (&[("v2.0.0+incompatible", false, &[]), ("v3.0.0+incompatible", false, &[])], "v3.0.0+incompatible"),
        ];
        for (versions, wanted) in rows {
            let wanted = match wanted {
                "" => Err(format!("version_not_found: all versions of {M} are retracted")),
                version => Ok(MemoryView::info(version)),
            };
            assert_eq!(latest_of(&view_of(versions)), wanted, "{versions:?}");
        }
    }

    #[test]
    fn there_is_no_latest_version_of_an_unknown_module() {
        let wanted = Err(format!("module_not_found: {M}: repository \"r\" has no such module"));
        assert_eq!(latest_of(&MemoryView::default()), wanted);
    }

    #[test]
    fn metadata_that_does_not_read_is_a_fault_and_no_absence() {
        let mut view = MemoryView::default();
        view.add(M, "v1.0.0", json!({ "retracts": "none" }));
        let failure = ready(latest_info(&package(M), &view)).expect_err("a fault");
        assert_eq!(failure.code().name, "internal");
        assert!(failure.cause.is_some());
    }

    #[test]
    fn a_branch_tag_or_commit_leads_to_its_version() {
        const A: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567";
        const B: &str = "0a1b2c3ffe5f60718293a4b5c6d7e8f901234567";
        let pseudo = "v0.0.0-20191109021931-0a1b2c3d4e5f";
        let mut view = MemoryView::with(M, &[pseudo, "v1.0.0-rc.1", "v1.0.0", "v1.1.0-rc.1", "v1.2.0"]);
        for version in [pseudo, "v1.0.0-rc.1", "v1.0.0", "v1.1.0-rc.1"] {
            view.commit(M, A, version);
        }
        view.commit(M, B, "v1.2.0");
        view.label(M, "main", "v1.2.0");
        view.label(M, "HEAD", "v1.0.0");
        view.label(M, "feedbee", "v1.0.0");
        view.label(M, "v2", "v1.0.0");
        let ambiguous = format!("{M}@0a1b2c3: {B} (v1.2.0) and {A} (v1.0.0) begin so");
        let unknown = |name: &str| {
            let text = format!("{M}@{name}: repository \"r\" knows no version of this branch, tag or commit");
            Err(format!("version_not_found: {text}"))
        };
        let rows = [
            // 16: release before prerelease before pseudo-version
            ("0a1b2c3d", Ok("v1.0.0")),
            (A, Ok("v1.0.0")),
            ("0a1b2c3f", Ok("v1.2.0")),
            ("main", Ok("v1.2.0")),
            ("HEAD", Ok("v1.0.0")),
            // Hexadecimal digits, but a branch.
            ("feedbee", Ok("v1.0.0")),
            // 17
            ("0a1b2c3", Err(format!("version_not_found: {ambiguous}"))),
            // Too short, upper case, unknown
            ("0a1b2c", unknown("0a1b2c").map(|()| "")),
            ("0A1B2C3D", unknown("0A1B2C3D").map(|()| "")),
            ("0a1b2c3e", unknown("0a1b2c3e").map(|()| "")),
            ("mai", unknown("mai").map(|()| "")),
        ];
        for (revision, wanted) in rows {
            assert_eq!(revision_of(&view, revision), wanted.map(MemoryView::info), "{revision}");
        }
        let wanted = Err(format!("module_not_found: {M}: repository \"r\" has no such module"));
        assert_eq!(revision_of(&MemoryView::default(), "main"), wanted);
    }
}
