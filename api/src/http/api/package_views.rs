//! What the API shows of packages, their versions, and those who need them.

use keeper_core::artifact::{ArtifactState, VersionName};
use keeper_core::catalog::{Dependent, ListedVersion, Package, PackageSummary};
use keeper_core::repository::RepositoryAddress;
use poem_openapi::Object;

use super::views::time;

/// A package: a name inside a repository.
#[derive(Object)]
pub(super) struct PackageView {
    /// Its id.
    #[oai(validator(max_length = 36))]
    id: String,
    /// The format of its repository, for example `go`.
    format: String,
    /// The repository that holds it.
    repository: String,
    /// Its name.
    name: String,
    /// What its newest version says it is; text, never markup.
    description: String,
    /// The version that clients get who name none; absent where there is none.
    #[oai(skip_serializing_if_is_none)]
    latest: Option<String>,
    /// Whether that version is no release yet.
    prerelease: bool,
    /// The ecosystem's own words for what that version is, for example `pseudo-version`.
    notes: Vec<String>,
    /// The author's words on what to use instead, if he has given it up; text, never markup.
    #[oai(skip_serializing_if_is_none)]
    deprecated: Option<String>,
    /// How many versions are not deleted.
    versions: u64,
    /// How many other packages of its format have a version that needs it. Those that the caller may not read are
    /// counted, too; the list of dependents names only the others.
    used_by: u64,
    /// The licence of its newest version, as SPDX names it; several are joined by commas. `unknown` is a text that is none
    /// of the known ones; empty where there is none, absent where nobody looked.
    #[oai(skip_serializing_if_is_none)]
    license: Option<String>,
    /// When the newest one was accepted.
    published_at: String,
    /// Who published the newest one.
    published_by: String,
}

impl PackageView {
    pub(super) fn of(package: Package, at: &RepositoryAddress, summary: &PackageSummary) -> Self {
        let marks = summary.latest.as_ref().and_then(|latest| summary.marks.get(latest));
        Self {
            id: package.id.to_string(),
            format: at.format.to_string(),
            repository: at.name.to_string(),
            name: package.name.to_string(),
            description: package.description,
            latest: summary.latest.as_ref().map(VersionName::to_string),
            prerelease: marks.is_some_and(|marks| marks.prerelease),
            notes: marks.into_iter().flat_map(|marks| &marks.notes).map(|note| (*note).to_owned()).collect(),
            deprecated: summary.deprecated.clone(),
            versions: package.versions,
            used_by: package.used_by,
            license: package.license,
            published_at: time(package.published_at),
            published_by: package.published_by,
        }
    }
}

/// A version of a package with its marks.
#[derive(Object)]
pub(super) struct VersionView {
    /// The id of its artifact.
    #[oai(validator(max_length = 36))]
    id: String,
    /// The version in its canonical spelling.
    version: String,
    /// `active`, `yanked`, `blocked` or `deleted`.
    state: String,
    /// Why it is in that state, if somebody said so.
    #[oai(skip_serializing_if_is_none)]
    state_reason: Option<String>,
    /// Whether it is the one that clients get who name none.
    latest: bool,
    /// Whether it is no release yet.
    prerelease: bool,
    /// Present if its author took it back: why, or empty; text, never markup.
    #[oai(skip_serializing_if_is_none)]
    retracted: Option<String>,
    /// The version whose words those are.
    #[oai(skip_serializing_if_is_none)]
    retracted_in: Option<String>,
    /// Present if its author has given it up: what to use instead, or empty; text, never markup.
    #[oai(skip_serializing_if_is_none)]
    deprecated: Option<String>,
    /// How far its number is from the one before: `major`, `minor` or `patch`.
    step: String,
    /// The ecosystem's own words for what it is, for example `pseudo-version`.
    notes: Vec<String>,
    /// Whether retention keeps it whatever its rules say.
    pinned: bool,
    /// When it was accepted.
    published_at: String,
    /// Who published it.
    published_by: String,
}

impl VersionView {
    pub(super) fn of(version: ListedVersion, summary: &PackageSummary) -> Self {
        let marks = summary.marks.get(&version.version).cloned().unwrap_or_default();
        Self {
            id: version.artifact.to_string(),
            latest: summary.latest.as_ref() == Some(&version.version),
            version: version.version.to_string(),
            state: version.state.as_str().to_owned(),
            state_reason: Some(version.state_reason).filter(|reason| !reason.is_empty()),
            prerelease: marks.prerelease,
            retracted_in: marks.retracted.as_ref().and(summary.said_by.as_ref()).map(ToString::to_string),
            retracted: marks.retracted,
            deprecated: marks.deprecated.or_else(|| summary.deprecated.clone()),
            step: marks.step.as_str().to_owned(),
            notes: marks.notes.into_iter().map(str::to_owned).collect(),
            pinned: version.pinned,
            published_at: time(version.published_at),
            published_by: version.published_by,
        }
    }
}

/// A version that needs a package.
#[derive(Object)]
pub(super) struct DependentView {
    /// The id of the artifact that needs it.
    #[oai(validator(max_length = 36))]
    id: String,
    /// The id of the package of that artifact.
    #[oai(validator(max_length = 36))]
    package_id: String,
    /// The repository that holds it.
    repository: String,
    /// The package that needs.
    name: String,
    /// The version of it that needs.
    version: String,
    /// `active`, `yanked` or `blocked`.
    state: String,
    /// Whether it is the version that clients of that package get who name none.
    latest: bool,
    /// Whether its author took it back.
    retracted: bool,
    /// The version or range that it needs.
    needs: String,
    /// The format's own word for the kind of need; empty for a plain one.
    kind: String,
    /// When it was accepted.
    published_at: String,
}

impl DependentView {
    pub(super) fn of(dependent: Dependent, at: &RepositoryAddress, summary: &PackageSummary) -> Self {
        let version = dependent.version;
        debug_assert!(version.state != ArtifactState::Deleted, "a tombstone needs nothing");
        Self {
            id: version.artifact.to_string(),
            package_id: dependent.package_id.to_string(),
            repository: at.name.to_string(),
            name: dependent.package.to_string(),
            latest: summary.latest.as_ref() == Some(&version.version),
            retracted: summary.marks.get(&version.version).is_some_and(|marks| marks.retracted.is_some()),
            version: version.version.to_string(),
            state: version.state.as_str().to_owned(),
            needs: dependent.needs,
            kind: dependent.kind,
            published_at: time(version.published_at),
        }
    }
}
