//! What packages, versions and files are called: texts that a format has judged and that are storable.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::limits::{FILE_PATH_BYTES, PACKAGE_NAME_BYTES, VERSION_NAME_BYTES};
use crate::repository::{InvalidName, text_newtype};

/// The name of a package within a repository (Go: the module path).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackageName(Arc<str>);

/// A version of a package, in its format's canonical spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionName(Arc<str>);

/// The address of a stored file below its repository, in the one spelling under which it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FilePath(Arc<str>);

fn storable(text: &str, kind: &'static str, limit_bytes: usize) -> Result<Arc<str>, InvalidName> {
    if text.is_empty() || text.len() > limit_bytes {
        return Err(InvalidName::new(text, kind, "it is empty or too long"));
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidName::new(text, kind, "it holds a control character"));
    }
    Ok(text.into())
}

macro_rules! storable_newtype {
    ($type:ident, $kind:literal, $limit:expr) => {
        impl TryFrom<&str> for $type {
            type Error = InvalidName;

            fn try_from(text: &str) -> Result<Self, InvalidName> {
                storable(text, $kind, $limit).map(Self)
            }
        }
        text_newtype!($type);
    };
}
storable_newtype!(PackageName, "package name", PACKAGE_NAME_BYTES);
storable_newtype!(VersionName, "version", VERSION_NAME_BYTES);
storable_newtype!(FilePath, "file path", FILE_PATH_BYTES);

/// One version of one package.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Coordinate {
    /// The package.
    pub package: PackageName,
    /// The version.
    pub version: VersionName,
}

impl fmt::Display for Coordinate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.package, self.version)
    }
}

/// The public id of an artifact: a UUIDv7, so that ids sort by time of publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArtifactId(pub Uuid);

impl fmt::Display for ArtifactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
