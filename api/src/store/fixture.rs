//! What the tests of the store share: a folder with a database, a repository, a publication.
//!
//! With `KEEPER_TEST_DATABASE=postgres` the database is one of PostgreSQL, but for what is about SQLite alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use jiff::Timestamp;
use keeper_core::artifact::{
    ArtifactFile, ArtifactId, ContentId, Coordinate, FileContent, FilePath, PackageName, Publication, SortKey,
    VersionName,
};
use keeper_core::blob::{BlobInfo, BlobLocation};
use keeper_core::catalog::About;
use keeper_core::digest::Digest;
use keeper_core::media_type::MediaType;
use keeper_core::provenance::Way;
use keeper_core::repository::{
    Actor, Deletion, FormatKey, Repository, RepositoryAddress, RepositoryDetails, RepositoryName, RepositoryStore,
    Settings,
};
use keeper_core::source::Source;
use sea_orm::{ConnectionTrait, Database, DbErr, FromQueryResult, Value};
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use super::sql::all;
use super::{OpenError, Store};

#[path = "../../../tests/harness/postgres.rs"]
#[expect(dead_code, clippy::disallowed_methods, reason = "it starts programs, and other tests need more of it")]
mod postgres;

/// A folder that goes with the test, and a database that is in it or beside it.
pub(super) struct Folder {
    folder: TempDir,
    server: Option<postgres::Database>,
}

impl Folder {
    /// With a database of the kind that these tests run on.
    pub(super) fn new() -> Self {
        let server = postgres::is_wanted().then(postgres::Database::new);
        Self { server, ..Self::of_sqlite() }
    }

    /// With a file of SQLite.
    pub(super) fn of_sqlite() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), server: None }
    }

    pub(super) fn is_sqlite(&self) -> bool {
        self.server.is_none()
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn file(&self) -> PathBuf {
        self.path().join("keeper.db")
    }

    pub(super) fn url(&self) -> String {
        match &self.server {
            Some(database) => database.address().to_owned(),
            None => format!("sqlite://{}?mode=rwc", self.file().display()),
        }
    }

    pub(super) async fn try_open(&self) -> Result<Store, OpenError> {
        Store::open(&self.url()).await
    }

    pub(super) async fn open(&self) -> Store {
        self.try_open().await.expect("a store")
    }

    /// One statement from outside the store, as a person at the database's shell would give it.
    pub(super) async fn try_execute(&self, sql: &str) -> Result<(), DbErr> {
        let connection = Database::connect(self.url()).await?;
        let result = connection.execute_unprepared(sql).await;
        connection.close().await?;
        result.map(drop)
    }
}

pub(super) async fn execute_beside(folder: &Folder, sql: &str) {
    folder.try_execute(sql).await.expect(sql);
}

pub(super) fn address(name: &str) -> RepositoryAddress {
    RepositoryAddress {
        format: FormatKey::try_from("go").expect("a format"),
        name: RepositoryName::try_from(name).expect("a name"),
    }
}

pub(super) fn details() -> RepositoryDetails {
    let settings = json!({ "key": "value" }).as_object().cloned().unwrap_or_default();
    RepositoryDetails {
        source: Source::Hosted,
        description: "for tests".into(),
        anonymous_read: false,
        default_upload: false,
        deletion: Deletion::Tombstone,
        settings: Settings(settings),
    }
}

pub(super) async fn repository(store: &Store, name: &str) -> Arc<Repository> {
    store.create(&address(name), details(), &Actor::system()).await.expect("made")
}

/// A publication with a small file and a stored one, both of content that follows from the coordinate.
pub(super) fn publication(package: &str, version: &str) -> Publication {
    let coordinate = Coordinate {
        package: PackageName::try_from(package).expect("a package"),
        version: VersionName::try_from(version).expect("a version"),
    };
    let bytes = Bytes::from(format!("zip of {coordinate}"));
    let path = |ending: &str| FilePath::try_from(format!("{package}/@v/{version}.{ending}").as_str()).expect("a path");
    let inline = Bytes::from_static(b"module m\n");
    let files = vec![
        ArtifactFile {
            path: path("zip"),
            name: format!("{version}.zip"),
            media_type: MediaType::stored("application/zip"),
            digest: Digest::of(&bytes),
            content: FileContent::Stored(BlobInfo {
                location: location(Digest::of(&bytes), 1),
                size: bytes.len() as u64,
            }),
        },
        ArtifactFile {
            path: path("mod"),
            name: format!("{version}.mod"),
            media_type: MediaType::stored("text/plain; charset=utf-8"),
            digest: Digest::of(&inline),
            content: FileContent::Inline(inline),
        },
    ];
    Publication {
        id: ArtifactId(Uuid::now_v7()),
        sort_key: SortKey(version.as_bytes().to_vec()),
        family: coordinate.package.clone(),
        extent: keeper_core::artifact::Extent::Whole,
        copied: false,
        content: ContentId(format!("h1:{coordinate}")),
        purl: format!("pkg:golang/{package}@{version}"),
        files,
        checksums: [("h1".to_owned(), format!("h1:{coordinate}"))].into(),
        metadata: json!({ "go": "1.24" }),
        dependencies: Vec::new(),
        labels: Vec::new(),
        warnings: Vec::new(),
        about: About { description: format!("Package {package}"), ..About::default() },
        upload_digest: Digest::of(b"upload"),
        began: Instant::now(),
        published_at: Timestamp::now(),
        by: Actor { login: "alice".into(), ..Actor::default() },
        way: Way::Api,
        coordinate,
    }
}

/// The stored copy number `copy` of a digest.
pub(super) fn location(digest: Digest, copy: u32) -> BlobLocation {
    BlobLocation::try_from(format!("{digest}.{copy:010}").as_str()).expect("a location")
}

#[derive(FromQueryResult)]
struct Step {
    detail: String,
}

/// The steps in which the database will answer a question.
pub(super) async fn plan(store: &Store, question: &str, values: Vec<Value>) -> Vec<String> {
    let steps: Vec<Step> =
        all(&store.readers, &format!("EXPLAIN QUERY PLAN {question}"), values).await.expect(question);
    steps.into_iter().map(|step| step.detail).collect()
}
