//! The judgement of bytes: what is claimed of them, the files they become, and what they turned out to be.

use std::collections::BTreeMap;
use std::io;

use jiff::Timestamp;
use serde_json::Value;

use super::UpstreamFile;
use crate::artifact::{ArtifactFile, ContentId, Coordinate, Dependency, Extent, FilePath, LabelKind, Warning};
use crate::catalog::About;
use crate::error::{Failure, Problem};
use crate::media_type::MediaType;
use crate::repository::Settings;

/// What an uploader says.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// The package, if named.
    pub name: Option<&'a str>,
    /// The version, if named.
    pub version: Option<&'a str>,
    /// Branch or tag names that shall point to the version.
    pub labels: &'a [String],
    /// Where the source comes from.
    pub origin_url: Option<&'a str>,
    /// The reference it was made of.
    pub origin_ref: Option<&'a str>,
    /// The format's own form fields that were sent.
    pub fields: &'a BTreeMap<String, String>,
    /// When the upload was accepted.
    pub received_at: Timestamp,
    /// Length of the upload in bytes.
    pub size: u64,
    /// The repository's settings.
    pub settings: &'a Settings,
    /// When the bytes come from an upstream: what was asked for. All the claims above are empty then.
    pub upstream: Option<UpstreamFile<'a>>,
}

impl Claim<'_> {
    /// Whether one of the format's own switches is on.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.fields.get(name).is_some_and(|value| value == "true")
    }
}

/// A file that an upload becomes.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// Its address below the repository.
    pub path: FilePath,
    /// Its name within the artifact.
    pub name: String,
    /// What it is served as.
    pub media_type: MediaType,
}

/// Takes the files that an upload becomes, one after the other. Blocking.
pub trait FileSink {
    /// Begins the next file; what is written until the next call belongs to it. A write error of the
    /// returned writer must be passed on unchanged as [`InspectError::Output`].
    ///
    /// # Errors
    /// When the storage fails.
    fn create(&mut self, file: NewFile) -> io::Result<&mut dyn io::Write>;

    /// Makes the uploaded bytes themselves, as they came, a file; at most once.
    ///
    /// # Errors
    /// When it was done before.
    fn keep(&mut self, file: NewFile) -> io::Result<()>;
}

/// Why an inspection ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The upload breaks rules of the format; all that were found.
    #[error(transparent)]
    Refused(#[from] Failure),
    /// Reading the staged upload failed: a fault of the storage.
    #[error("the staged upload cannot be read")]
    Input(#[source] io::Error),
    /// Writing a resulting file failed: a fault of the storage.
    #[error("a resulting file cannot be written")]
    Output(#[source] io::Error),
}

impl From<Problem> for InspectError {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem.into())
    }
}

/// What an upload turned out to be.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// Package and version.
    pub coordinate: Coordinate,
    /// Whether this is the version, or files of it that may be added to others.
    pub extent: Extent,
    /// What makes a repeat equal; not looked at for a part.
    pub content: ContentId,
    /// The package URL.
    pub purl: String,
    /// Sums by their ecosystem's names.
    pub checksums: BTreeMap<String, String>,
    /// What was found out, for the API and for the format's own indexes.
    pub metadata: Value,
    /// What the version needs.
    pub dependencies: Vec<Dependency>,
    /// Names that shall point to the version.
    pub labels: Vec<(LabelKind, String)>,
    /// What the uploader should know.
    pub warnings: Vec<Warning>,
    /// What it tells people: a line, words to find it by, where its README is.
    pub about: About,
}

impl Inspection {
    /// What makes a repeat equal, with the files that the upload became.
    #[must_use]
    pub fn content_of(&self, files: &[ArtifactFile]) -> ContentId {
        match self.extent {
            Extent::Whole => self.content.clone(),
            Extent::Part => ContentId::of_files(files),
        }
    }
}
