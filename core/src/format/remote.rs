//! What a format is told of upstreams: the file that was asked for, what is recorded of its version, and the gate
//! that decides what may come in.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::artifact::{Coordinate, FilePath, PackageName, VersionName, Warning};
use crate::error::Failure;

/// The file of an upstream that an inspection has before it.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamFile<'a> {
    /// Where it lies below the repository.
    pub path: &'a FilePath,
    /// The version it belongs to.
    pub coordinate: &'a Coordinate,
    /// What is recorded of the version.
    pub recorded: &'a Recorded,
}

/// What is recorded of a version; empty for one that was never here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The sums that were found first, by their ecosystem's names.
    pub checksums: BTreeMap<String, String>,
    /// What the format found out.
    pub metadata: Value,
}

/// What is to be said of a candidate that may be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confirmation {
    /// More warnings.
    pub warnings: Vec<Warning>,
    /// More metadata, which wins over the inspection's.
    pub metadata: Map<String, Value>,
    /// Whether the ecosystem's authority vouches for the bytes: they may then come from any source.
    pub vouched: bool,
}

impl From<Vec<Warning>> for Confirmation {
    fn from(warnings: Vec<Warning>) -> Self {
        Self { warnings, ..Self::default() }
    }
}

/// Decides what may be given out.
pub trait Gate: Send + Sync {
    /// Whether a version may be given out.
    ///
    /// # Errors
    /// The refusal, with the reason for those who asked for this version.
    fn admit(&self, package: &PackageName, version: &VersionName) -> Result<(), Failure>;
}

/// Lets everything through.
#[derive(Debug, Clone, Copy, Default)]
pub struct AdmitAll;

impl Gate for AdmitAll {
    fn admit(&self, _package: &PackageName, _version: &VersionName) -> Result<(), Failure> {
        Ok(())
    }
}
