//! Packages as people look for them, and the port that lists and finds them.
//!
//! Shape: the package `example.com/m` of `go/local` has an opaque public id, a line that describes it, and
//! versions. What is *latest*, retracted or deprecated among these is said by the format ([`PackageSummary`]);
//! what is yanked, blocked or deleted by the platform ([`ArtifactState`]).
//!
//! Bounds: [`ABOUT_DESCRIPTION_CHARACTERS`] and its neighbours; every
//! question takes the repositories that may be read, and nothing outside them is found or counted, but for one number:
//! by how many a package is used ([`Package::used_by`]), which names nobody.

use std::collections::HashMap;
use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::artifact::{ArtifactId, ArtifactState, PackageName, Page, StoreError, VersionName};
use crate::limits::{ABOUT_DESCRIPTION_CHARACTERS, ABOUT_KEYWORD_CHARACTERS, ABOUT_KEYWORDS, ABOUT_LICENSE_CHARACTERS};
use crate::repository::RepositoryId;

/// What a version tells people about itself, found by its format.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// One line; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Words by which it shall be found, besides its name and description.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// The text that introduces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readme: Option<ReadmeEntry>,
    /// Its licences as SPDX names them, joined by commas; `unknown` for a text that is none of the known ones, empty
    /// where it has none. `None` where nobody looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

/// Where the README of a version lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadmeEntry {
    /// The file of the artifact, by its name.
    pub file: String,
    /// The entry inside it.
    pub entry: String,
}

impl About {
    /// Takes from a further part of the version what is not yet said.
    pub fn add(&mut self, part: &Self) {
        if self.description.is_empty() {
            self.description.clone_from(&part.description);
        }
        let new: Vec<_> = part.keywords.iter().filter(|word| !self.keywords.contains(word)).cloned().collect();
        self.keywords.extend(new);
        self.keywords.truncate(ABOUT_KEYWORDS);
        self.readme = self.readme.take().or_else(|| part.readme.clone());
        self.license = self.license.take().or_else(|| part.license.clone());
    }

    /// The same within its bounds: each text on one line, without control characters, cut.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.description = one_line(&self.description, ABOUT_DESCRIPTION_CHARACTERS);
        self.keywords.truncate(ABOUT_KEYWORDS);
        for keyword in &mut self.keywords {
            *keyword = one_line(keyword, ABOUT_KEYWORD_CHARACTERS);
        }
        self.license = self.license.map(|license| one_line(&license, ABOUT_LICENSE_CHARACTERS));
        self
    }
}

fn one_line(text: &str, characters: usize) -> String {
    let mut line = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).fold(
        String::new(),
        |mut line, word| {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            line
        },
    );
    if let Some((at, _)) = line.char_indices().nth(characters) {
        line.truncate(at);
    }
    line
}

/// The public id of a package: a UUID that means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackageId(pub Uuid);

impl fmt::Display for PackageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A package with at least one version that is not deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its public id.
    pub id: PackageId,
    /// The repository that holds it.
    pub repository: RepositoryId,
    /// Its name.
    pub name: PackageName,
    /// The line that its newest version describes it with; may be empty.
    pub description: String,
    /// The version published last.
    pub newest: ArtifactId,
    /// When that was.
    pub published_at: Timestamp,
    /// Who published it.
    pub published_by: String,
    /// How many versions are not deleted.
    pub versions: u64,
    /// How many other packages of its format have a version that needs it, in whichever repository they are: who must not
    /// see one of them learns that it is there, and nothing else of it.
    pub used_by: u64,
    /// The licence of its newest version ([`About::license`]).
    pub license: Option<String>,
}

/// The order of a list of packages, with the place after which a page begins.
#[derive(Debug, Clone)]
pub enum PackageOrder {
    /// By name, byte for byte; packages of one name by id.
    Name {
        /// Only those behind this name and id.
        after: Option<(String, PackageId)>,
    },
    /// By the version published last, the newest first.
    Newest {
        /// Only those whose newest version is older than this one.
        after: Option<ArtifactId>,
    },
    /// By the number of those that need it, the largest first.
    Used {
        /// Only those that are needed less than this, or as much and come later.
        after: Option<(u64, PackageId)>,
    },
}

/// Which packages a list holds.
#[derive(Debug, Clone)]
pub struct PackageQuery {
    /// The repositories that the caller may read and asks for.
    pub repositories: Vec<RepositoryId>,
    /// Only packages of exactly this name.
    pub name: Option<String>,
    /// Only names that contain this text; ASCII letters count without their case.
    pub text: Option<String>,
    /// In which order, from where on.
    pub order: PackageOrder,
    /// At most so many.
    pub limit: u32,
}

/// A version as a list of versions shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedVersion {
    /// The artifact.
    pub artifact: ArtifactId,
    /// Its version.
    pub version: VersionName,
    /// What may be done with it.
    pub state: ArtifactState,
    /// Why it is in that state.
    pub state_reason: String,
    /// Whether retention keeps it.
    pub pinned: bool,
    /// When it was accepted.
    pub published_at: Timestamp,
    /// Who published it.
    pub published_by: String,
}

/// The order of a list of versions, in the order of the ecosystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionOrder {
    /// The highest first.
    Highest,
    /// The lowest first: the same list from its end.
    Lowest,
}

/// Which versions of a package a list holds.
#[derive(Debug, Clone)]
pub struct VersionQuery {
    /// The package, which the caller may read.
    pub package: PackageId,
    /// Whether tombstones are among them.
    pub deleted: bool,
    /// In which order.
    pub order: VersionOrder,
    /// Only those that come behind this one.
    pub after: Option<ArtifactId>,
    /// At most so many.
    pub limit: u32,
}

/// A version that needs a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependent {
    /// The repository that holds it.
    pub repository: RepositoryId,
    /// The package that needs.
    pub package: PackageName,
    /// The public id of that package.
    pub package_id: PackageId,
    /// The version of it that needs.
    pub version: ListedVersion,
    /// The version or range that it needs, as its format writes it.
    pub needs: String,
    /// The format's own word for the kind of need.
    pub kind: String,
}

/// Which dependents a list holds: the newest first.
#[derive(Debug, Clone)]
pub struct DependentQuery {
    /// The repositories that the caller may read, of the format that the package is of.
    pub repositories: Vec<RepositoryId>,
    /// The name of the package that is needed.
    pub package: PackageName,
    /// Only those older than this one.
    pub after: Option<ArtifactId>,
    /// At most so many.
    pub limit: u32,
}

/// What is searched for.
#[derive(Debug, Clone)]
pub struct SearchQuery {
    /// The repositories that the caller may read and asks for.
    pub repositories: Vec<RepositoryId>,
    /// Words, all of which must be found; not empty.
    pub terms: Vec<String>,
    /// Only what is ranked behind this.
    pub after: Option<(Rank, PackageId)>,
    /// At most so many.
    pub limit: u32,
}

/// How well a package fits a search, the best first. It depends on the package and the words alone, so that
/// what is published meanwhile moves nothing between two pages.
pub type Rank = u32;

/// A package that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The package.
    pub package: Package,
    /// How well it fits.
    pub rank: Rank,
}

/// Lists and finds packages. What it knows is written by the publications and deletions of the artifacts' port,
/// in the same transactions.
#[async_trait]
pub trait PackageStore: Send + Sync {
    /// A page of packages.
    async fn list_packages(&self, query: &PackageQuery) -> Result<Page<Package>, StoreError>;

    /// A package by its public id, if it is in one of these repositories. One whose versions are all deleted
    /// is gone.
    async fn package(&self, within: &[RepositoryId], id: PackageId) -> Result<Option<Package>, StoreError>;

    /// A page of a package's versions. An `after` that is no version of the package is followed by nothing.
    async fn package_versions(&self, query: &VersionQuery) -> Result<Page<ListedVersion>, StoreError>;

    /// A page of the versions that need a package; deleted ones need nothing.
    async fn dependents(&self, query: &DependentQuery) -> Result<Page<Dependent>, StoreError>;

    /// A page of the packages whose names, descriptions and keywords hold all the words: as the beginning of a
    /// word, or, from three characters on, anywhere.
    async fn find_packages(&self, query: &SearchQuery) -> Result<Page<Hit>, StoreError>;

    /// At most so many packages whose names share parts with a word, the most alike first: what somebody may
    /// have meant who mistyped it.
    async fn similar_packages(
        &self,
        within: &[RepositoryId],
        word: &str,
        limit: u32,
    ) -> Result<Vec<Package>, StoreError>;
}

/// What a format says of a package's versions together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageSummary {
    /// The version that clients get who name none.
    pub latest: Option<VersionName>,
    /// What to use instead of the whole package, in its author's words; empty when he gave no reason.
    pub deprecated: Option<String>,
    /// The version in whose words packages and versions are given up, where one speaks for all.
    pub said_by: Option<VersionName>,
    /// What is to be said of single versions; nothing is to be said of those that are not here.
    pub marks: HashMap<VersionName, VersionMarks>,
}

/// What a format says of one version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionMarks {
    /// How far it is from the one before, as its number tells.
    pub step: Step,
    /// Whether it is no release yet.
    pub prerelease: bool,
    /// Why its author took it back; empty when he gave no reason.
    pub retracted: Option<String>,
    /// What to use instead, where an ecosystem gives up single versions.
    pub deprecated: Option<String>,
    /// The ecosystem's own words (Go: `pseudo-version`, `+incompatible`).
    pub notes: Vec<&'static str>,
}

/// How far a version is from the one before, as its number tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Step {
    /// `2.0.0`
    Major,
    /// `2.1.0`
    Minor,
    /// `2.1.1`, and whatever has no such number.
    #[default]
    Patch,
}

impl Step {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Major => "major",
            Self::Minor => "minor",
            Self::Patch => "patch",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_version_tells_is_one_line_and_short() {
        let about = About {
            description: format!("  Reads\tand\n\nwrites \u{1b}[31m {}", "é".repeat(1_000)),
            keywords: vec!["a\nb".to_owned(); 100],
            readme: None,
            license: Some(format!("MIT\n{}", "x".repeat(1_000))),
        };
        let About { description, keywords, license, .. } = about.bounded();
        assert!(description.starts_with("Reads and writes [31m é"), "{description}");
        assert_eq!(description.chars().count(), ABOUT_DESCRIPTION_CHARACTERS);
        assert_eq!((keywords.len(), keywords[0].as_str()), (ABOUT_KEYWORDS, "a b"));
        assert!(license.is_some_and(|text| text.starts_with("MIT x") && text.len() == ABOUT_LICENSE_CHARACTERS));
    }
}
