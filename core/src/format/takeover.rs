//! What a format knows of other servers and tools, so that versions can be taken over from them.
//!
//! ```text
//! a folder    cache/download/ex.com/m/@v/  v1.0.0.info  v1.0.0.mod  v1.0.0.zip        a tool's cache
//!             ex.com/m/v1.0.0/  go.mod  source.zip  v1.0.0.info                       another server's disk
//! a server    asked for the versions of a package, then for each file
//! ```
//!
//! The platform walks, asks, reads and stores; the format says which file belongs to which version, and what a version
//! is whose files it has judged one by one as those of an upstream.

use bytes::Bytes;

use super::Inspection;
use crate::artifact::{Coordinate, FilePath, PackageName, VersionName};
use crate::error::Failure;

/// A version that another place has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignVersion {
    /// Which one.
    pub coordinate: Coordinate,
    /// Its files, in the order in which they are to be judged.
    pub files: Vec<ForeignFile>,
}

/// A file of such a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignFile {
    /// Where it lies below that place: a path in a folder, or the raw path (percent-encoded) of a server, without a
    /// leading slash.
    pub at: String,
    /// Where it will lie below the repository.
    pub path: FilePath,
    /// Bytes of it at most.
    pub limit_bytes: u64,
    /// What stands for it where that place lacks it; without that, the version cannot be taken over.
    pub otherwise: Option<Bytes>,
}

/// A sum that users of a version have written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSum {
    /// Of which version.
    pub coordinate: Coordinate,
    /// The name of the sum, as in [`Inspection::checksums`].
    pub name: &'static str,
    /// The sum.
    pub sum: String,
}

/// Other places of one ecosystem. Everything here is pure.
pub trait Takeover: Send + Sync {
    /// The versions whose files lie in one folder (its path below the place, `/` between its parts) with files of these
    /// names; nothing for a folder that holds something else.
    fn in_folder(&self, folder: &str, names: &[String]) -> Vec<ForeignVersion>;

    /// Where a server lists the versions of a package: a raw path.
    fn list_at_server(&self, package: &PackageName) -> String;

    /// The versions that such a list names.
    ///
    /// # Errors
    /// `upstream_invalid` for what is no list.
    fn listed(&self, package: &PackageName, list: &[u8]) -> Result<Vec<VersionName>, Failure>;

    /// Where a server has the files of a version; `None` for what nobody may take over.
    fn at_server(&self, what: &Coordinate) -> Option<ForeignVersion>;

    /// Reads a file in which users keep sums.
    ///
    /// # Errors
    /// The first line that does not read, and why.
    fn known_sums(&self, text: &str) -> Result<Vec<KnownSum>, String>;

    /// Reads a name that somebody types: a package, or one version of it.
    ///
    /// # Errors
    /// What is wrong with it, and a good example.
    fn named(&self, text: &str) -> Result<(PackageName, Option<VersionName>), String>;

    /// Makes one of the judgements of a version's files. It has at least one sum, by which it is compared with what is
    /// there; it is a part when more files may come.
    ///
    /// # Errors
    /// That these files are no version.
    fn whole(&self, files: Vec<Inspection>) -> Result<Inspection, Failure>;
}
