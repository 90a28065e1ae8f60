//! What the API shows of artifacts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keeper_core::artifact::{Artifact, ArtifactFile};
use keeper_core::repository::RepositoryAddress;
use poem_openapi::Object;
use poem_openapi::types::Any;
use serde_json::Value;

/// One version of a package.
#[derive(Object)]
pub(super) struct ArtifactView {
    /// Its id.
    #[oai(validator(max_length = 36))]
    id: String,
    /// The format of its repository, for example `go`.
    format: String,
    /// The repository that holds it.
    repository: String,
    /// The package.
    name: String,
    /// The version in its canonical spelling.
    version: String,
    /// `active`, `yanked`, `blocked` or `deleted`.
    state: String,
    /// Why it is in that state, if somebody said so.
    #[oai(skip_serializing_if_is_none)]
    state_reason: Option<String>,
    /// What it says it is; text, never markup.
    description: String,
    /// The licence, as SPDX names it; several are joined by commas. `unknown` is a text that is none of the known ones;
    /// empty where there is none, absent where nobody looked.
    #[oai(skip_serializing_if_is_none)]
    license: Option<String>,
    /// Whether retention keeps it whatever its rules say.
    pinned: bool,
    /// When it was accepted.
    published_at: String,
    /// Who published it.
    published_by: String,
    /// The package URL.
    purl: String,
    /// Its files; none once it is deleted.
    files: Vec<FileView>,
    /// Sums by the names that the ecosystem gives them.
    checksums: BTreeMap<String, String>,
    /// What the format found out; its fields belong to the format.
    metadata: Any<Value>,
    /// What it needs.
    dependencies: Vec<DependencyView>,
    /// What the publisher should know.
    warnings: Vec<WarningView>,
}

/// One file of an artifact.
#[derive(Object)]
pub(super) struct FileView {
    /// Its name within the artifact.
    name: String,
    /// Its length in bytes.
    size: u64,
    /// The SHA-256 of its bytes in hexadecimal digits.
    sha256: String,
    /// What it is served as.
    content_type: String,
    /// Where it is downloaded.
    url: String,
}

impl FileView {
    /// A file of an artifact of the repository at this address; `base_url` is this server's own.
    pub(super) fn of(file: ArtifactFile, at: &RepositoryAddress, base_url: &str) -> Self {
        Self {
            name: file.name,
            size: file.content.size(),
            sha256: file.digest.to_hex(),
            content_type: file.media_type.as_str().to_owned(),
            url: format!("{base_url}/{at}/{}", escape_path(file.path.as_str())),
        }
    }
}

/// A package that a version needs.
#[derive(Object)]
struct DependencyView {
    /// The package.
    name: String,
    /// The version or range.
    version: String,
    /// The format's own word for the kind of need; empty for a plain one.
    kind: String,
}

/// Something worth knowing about an upload that was accepted.
#[derive(Object)]
struct WarningView {
    /// Its stable name.
    code: String,
    /// What was found and what it means.
    message: String,
    /// The archive entry concerned.
    #[oai(skip_serializing_if_is_none)]
    path: Option<String>,
}

/// A moment in RFC 3339, UTC, without fractions that nobody needs.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl ArtifactView {
    /// An artifact of the repository at this address; `base_url` is this server's own.
    pub(super) fn of(artifact: Artifact, at: &RepositoryAddress, base_url: &str) -> Self {
        let file = |file| FileView::of(file, at, base_url);
        Self {
            id: artifact.id.to_string(),
            format: at.format.to_string(),
            repository: at.name.to_string(),
            name: artifact.coordinate.package.to_string(),
            version: artifact.coordinate.version.to_string(),
            state: artifact.state.as_str().to_owned(),
            state_reason: Some(artifact.state_reason).filter(|reason| !reason.is_empty()),
            description: artifact.about.description,
            license: artifact.about.license,
            pinned: artifact.pinned,
            published_at: time(artifact.published_at),
            published_by: artifact.published_by,
            purl: artifact.purl,
            files: artifact.files.into_iter().map(file).collect(),
            checksums: artifact.checksums,
            metadata: Any(artifact.metadata),
            dependencies: artifact
                .dependencies
                .into_iter()
                .map(|one| DependencyView { name: one.package, version: one.version, kind: one.kind })
                .collect(),
            warnings: artifact
                .warnings
                .into_iter()
                .map(|one| WarningView { code: one.code, message: one.message, path: one.path })
                .collect(),
        }
    }
}

/// A stored path as it stands in a URL: everything but unreserved characters, sub-delimiters and slashes is
/// escaped (RFC 3986, 3.3).
fn escape_path(path: &str) -> String {
    use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
    const ESCAPED: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'#')
        .add(b'%')
        .add(b'<')
        .add(b'>')
        .add(b'?')
        .add(b'[')
        .add(b'\\')
        .add(b']')
        .add(b'^')
        .add(b'`')
        .add(b'{')
        .add(b'|')
        .add(b'}');
    utf8_percent_encode(path, ESCAPED).to_string()
}
