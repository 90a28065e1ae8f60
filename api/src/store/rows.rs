//! Rows of artifacts and files, and what they mean.
//!
//! A row is parsed as strictly as a text from outside: what does not parse is [`StoreError::Corrupt`], never
//! a guess. A file's row must agree with itself: the length and digest that it states are those of its bytes
//! or of the blob it names.

use bytes::Bytes;
use keeper_core::artifact::{
    Artifact, ArtifactFile, ArtifactId, ArtifactState, ContentId, Coordinate, FileContent, FilePath, PackageName,
    StoreError, VersionName,
};
use keeper_core::blob::{BlobInfo, BlobLocation};
use keeper_core::digest::Digest;
use keeper_core::media_type::MediaType;
use keeper_core::repository::RepositoryId;
use sea_orm::FromQueryResult;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::sql::{corrupt, timestamp};

/// Begins every question for whole artifacts; conditions on `a` and `p` follow.
pub(super) const SELECT_ARTIFACTS: &str = "SELECT a.id, a.repository, p.name AS package, a.version, a.state, \
    a.state_reason, a.state_changed_at, a.published_at, a.published_by, a.content, a.purl, a.checksums, a.metadata, \
    a.dependencies, a.warnings, a.about, a.pinned FROM artifacts a JOIN packages p ON p.id = a.package";

/// A stored name of a package.
pub(super) fn package_name(text: &str) -> Result<PackageName, StoreError> {
    PackageName::try_from(text).map_err(|error| corrupt("a package", error))
}

/// Begins every question for files; conditions on `f` follow.
pub(super) const SELECT_FILES: &str = "SELECT f.artifact, f.path, f.name, f.media_type, f.digest, f.size, f.inline, \
    b.location, b.size AS blob_size FROM files f LEFT JOIN blobs b ON b.digest = f.blob_digest";

/// An artifact without its files.
#[derive(FromQueryResult)]
pub(super) struct ArtifactRow {
    pub(super) id: String,
    repository: i64,
    package: String,
    version: String,
    state: String,
    state_reason: String,
    state_changed_at: Option<i64>,
    published_at: i64,
    published_by: String,
    content: String,
    purl: String,
    checksums: String,
    metadata: String,
    dependencies: String,
    warnings: String,
    about: String,
    pinned: bool,
}

impl ArtifactRow {
    /// The artifact, with these files.
    pub(super) fn parse(self, files: Vec<ArtifactFile>) -> Result<Artifact, StoreError> {
        let what = format!("artifact {}", self.id);
        Ok(Artifact {
            id: ArtifactId(Uuid::parse_str(&self.id).map_err(|error| corrupt(&what, error))?),
            repository: RepositoryId(self.repository),
            coordinate: Coordinate {
                package: PackageName::try_from(self.package.as_str()).map_err(|error| corrupt(&what, error))?,
                version: version(&self.version)?,
            },
            state: state(&self.state)?,
            state_reason: self.state_reason,
            state_changed_at: self.state_changed_at.map(timestamp).transpose()?,
            published_at: timestamp(self.published_at)?,
            published_by: self.published_by,
            content: ContentId(self.content),
            purl: self.purl,
            files,
            checksums: json(&what, &self.checksums)?,
            metadata: json(&what, &self.metadata)?,
            dependencies: json(&what, &self.dependencies)?,
            warnings: json(&what, &self.warnings)?,
            about: json(&what, &self.about)?,
            pinned: self.pinned,
        })
    }
}

/// A file, and the live copy of its blob if it has one.
#[derive(FromQueryResult)]
pub(super) struct FileRow {
    pub(super) artifact: String,
    path: String,
    name: String,
    media_type: String,
    digest: String,
    size: i64,
    inline: Option<Vec<u8>>,
    location: Option<String>,
    blob_size: Option<i64>,
}

impl FileRow {
    /// Its address below the repository, as it is stored.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn parse(self) -> Result<ArtifactFile, StoreError> {
        let what = format!("file {}", self.path);
        let digest = Digest::try_from(self.digest.as_str()).map_err(|error| corrupt(&what, error))?;
        let content = match (self.inline, &self.location, self.blob_size) {
            (Some(bytes), None, None) => FileContent::Inline(Bytes::from(bytes)),
            (None, Some(at), Some(size)) => FileContent::Stored(blob(at, size)?),
            _ => return Err(corrupt(&what, "it has both bytes and a blob, or neither")),
        };
        let agrees = match &content {
            FileContent::Inline(_) => true,
            FileContent::Stored(blob) => blob.location.digest() == digest,
        };
        if !agrees || u64::try_from(self.size) != Ok(content.size()) {
            return Err(corrupt(&what, "its size or digest is not that of its bytes"));
        }
        Ok(ArtifactFile {
            path: FilePath::try_from(self.path.as_str()).map_err(|error| corrupt(&what, error))?,
            name: self.name,
            media_type: MediaType::stored(&self.media_type),
            digest,
            content,
        })
    }
}

/// A stored blob.
pub(super) fn blob(location: &str, size: i64) -> Result<BlobInfo, StoreError> {
    let size = u64::try_from(size).map_err(|error| corrupt(location, error))?;
    Ok(BlobInfo { location: blob_location(location)?, size })
}

/// A stored location.
pub(super) fn blob_location(text: &str) -> Result<BlobLocation, StoreError> {
    BlobLocation::try_from(text).map_err(|error| corrupt("a blob", error))
}

/// A stored version.
pub(super) fn version(text: &str) -> Result<VersionName, StoreError> {
    VersionName::try_from(text).map_err(|error| corrupt("a version", error))
}

/// A stored state.
pub(super) fn state(word: &str) -> Result<ArtifactState, StoreError> {
    ArtifactState::parse(word).ok_or_else(|| corrupt("a state", format!("unknown word {word:?}")))
}

/// A stored list or map.
pub(super) fn json<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| corrupt(what, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> FileRow {
        FileRow {
            artifact: String::new(),
            path: "m/@v/v1.0.0.mod".into(),
            name: "v1.0.0.mod".into(),
            media_type: "text/plain".into(),
            digest: Digest::of(b"module m\n").to_hex(),
            size: 9,
            inline: Some(b"module m\n".to_vec()),
            location: None,
            blob_size: None,
        }
    }

    #[test]
    fn a_file_row_that_contradicts_itself_is_damage() {
        assert_eq!(row().parse().expect("a file").content.size(), 9);
        let there = |digest: Digest| Some(format!("{digest}.k3v5w7x2m1"));
        let mine = || there(Digest::of(b"module m\n"));
        let damaged = [
            FileRow { size: 8, ..row() },
            FileRow { size: -9, ..row() },
            FileRow { inline: None, ..row() },
            FileRow { location: mine(), blob_size: Some(9), ..row() },
            FileRow { inline: None, location: mine(), blob_size: Some(8), ..row() },
            FileRow { inline: None, location: there(Digest::of(b"other")), blob_size: Some(9), ..row() },
            FileRow { inline: None, location: Some("../../etc/passwd".into()), blob_size: Some(9), ..row() },
            FileRow { digest: "short".into(), ..row() },
            FileRow { path: String::new(), ..row() },
        ];
        for (number, row) in damaged.into_iter().enumerate() {
            assert!(matches!(row.parse(), Err(StoreError::Corrupt(_))), "row {number}");
        }
        let stored = FileRow { inline: None, location: mine(), blob_size: Some(9), ..row() };
        assert!(stored.parse().is_ok());
    }
}
