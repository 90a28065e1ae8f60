//! Sample records. Packages are `example.com/…`, versions `v<n>`, files lie at `<package>/@v/<version>.zip`
//! (in the blob store) and `….info` (inline).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::artifact::{
    ArtifactFile, ArtifactId, ContentId, Coordinate, Dependency, Extent, FileContent, FilePath, PackageName,
    Publication, SortKey, VersionName, Warning,
};
use crate::blob::{BlobInfo, BlobLocation};
use crate::catalog::About;
use crate::digest::Digest;
use crate::media_type::MediaType;
use crate::provenance::Way;
use crate::repository::{Actor, Deletion, FormatKey, RepositoryAddress, RepositoryDetails, RepositoryName, Settings};
use crate::source::Source;

/// `format/name`.
///
/// # Panics
/// When they are not names.
#[must_use]
pub fn address(format: &str, name: &str) -> RepositoryAddress {
    RepositoryAddress {
        format: FormatKey::try_from(format).expect("a format key"),
        name: RepositoryName::try_from(name).expect("a repository name"),
    }
}

/// A public repository that is nobody's default, with one setting.
#[must_use]
pub fn details() -> RepositoryDetails {
    let settings = [("key".to_owned(), json!("value"))].into_iter().collect();
    RepositoryDetails {
        source: Source::Hosted,
        description: "a sample".to_owned(),
        anonymous_read: true,
        default_upload: false,
        deletion: Deletion::Tombstone,
        settings: Settings(settings),
    }
}

/// A version with one inline and one stored file, its sort key being the number in `v<n>`. Its content is
/// made of `content`: two publications of equal texts are equal, each with its own copy of the blob.
///
/// # Panics
/// When the texts are not names.
#[must_use]
pub fn publication(package: &str, version: &str, content: &str) -> Publication {
    let number: u64 = version.trim_start_matches('v').parse().unwrap_or_default();
    let info = format!("{{\"version\":\"{version}\"}}");
    Publication {
        id: ArtifactId(Uuid::now_v7()),
        coordinate: coordinate(package, version),
        family: coordinate(package, version).package,
        sort_key: SortKey(number.to_be_bytes().to_vec()),
        extent: Extent::Whole,
        copied: false,
        content: ContentId(format!("content:{content}")),
        purl: format!("pkg:sample/{package}@{version}"),
        files: vec![stored_file(package, version, content), inline_file(package, version, &info)],
        checksums: BTreeMap::from([("sum".to_owned(), content.to_owned())]),
        metadata: json!({ "content": content, "nested": { "list": [1, 2] } }),
        dependencies: vec![Dependency { package: "example.com/dep".into(), version: "v9".into(), kind: "x".into() }],
        labels: Vec::new(),
        warnings: vec![Warning { code: "odd".into(), message: "it is odd".into(), path: Some("a/b".into()) }],
        about: About { description: format!("The package {package}"), ..About::default() },
        upload_digest: Digest::of(content.as_bytes()),
        began: Instant::now(),
        published_at: Timestamp::from_second(1_700_000_000).expect("a time"),
        by: Actor { login: "publisher".to_owned(), ..Actor::default() },
        way: Way::Api,
    }
}

/// Package and version.
pub(super) fn coordinate(package: &str, version: &str) -> Coordinate {
    Coordinate {
        package: PackageName::try_from(package).expect("a package name"),
        version: VersionName::try_from(version).expect("a version name"),
    }
}

/// A new location of these bytes; no bytes lie there.
pub(super) fn location(bytes: &[u8]) -> BlobLocation {
    static INCARNATIONS: AtomicU64 = AtomicU64::new(0);
    let incarnation = INCARNATIONS.fetch_add(1, Ordering::Relaxed);
    let text = format!("{}.c{incarnation:09}", Digest::of(bytes));
    BlobLocation::try_from(text.as_str()).expect("a digest, a dot and ten characters")
}

/// The `.zip` of a version, as if these bytes had just been committed to a blob store.
///
/// # Panics
/// When the texts are not names.
#[must_use]
pub fn stored_file(package: &str, version: &str, content: &str) -> ArtifactFile {
    let location = location(content.as_bytes());
    ArtifactFile {
        path: path(package, version, "zip"),
        name: format!("{version}.zip"),
        media_type: MediaType::ZIP,
        digest: location.digest(),
        content: FileContent::Stored(BlobInfo { location, size: content.len() as u64 }),
    }
}

fn inline_file(package: &str, version: &str, text: &str) -> ArtifactFile {
    ArtifactFile {
        path: path(package, version, "info"),
        name: format!("{version}.info"),
        media_type: MediaType::JSON,
        digest: Digest::of(text.as_bytes()),
        content: FileContent::Inline(text.to_owned().into()),
    }
}

/// `<package>/@v/<version>.<kind>`.
pub(super) fn path(package: &str, version: &str, kind: &str) -> FilePath {
    FilePath::try_from(format!("{package}/@v/{version}.{kind}").as_str()).expect("a file path")
}
