//! The services, their ports in memory, and short words for what tests do with them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use futures_util::StreamExt as _;

use super::notes::{Notes, coordinate};
use crate::access::{Principal, User, sample};
use crate::artifact::{Artifact, ArtifactStore};
use crate::blob::BlobStore as _;
use crate::error::Failure;
use crate::events::Nobody;
use crate::format::{FormatHandler, FormatRequest};
use crate::limits::INLINE_BYTES;
use crate::pipeline::{Answer, Deletion, Keeper, Ports, Published, ReadOptions, Resolution, Upload};
use crate::plugin::Registry;
use crate::provenance::Way;
use crate::repository::{
    Actor, FormatKey, Repository, RepositoryDetails, RepositoryId, RepositoryName, RepositoryStore,
};
use crate::testing::contract;
use crate::testing::memory::{MemoryBlobs, MemoryStore, NoAuthorities, ScriptedUpstreams};

pub(super) struct World {
    pub(super) keeper: Keeper,
    pub(super) store: Arc<MemoryStore>,
    pub(super) blobs: MemoryBlobs,
    pub(super) format: Arc<Notes>,
    pub(super) upstreams: ScriptedUpstreams,
    /// Whether readers may get what is still coming.
    pub(super) may_relay: bool,
}

impl World {
    /// Everything with the public repository `notes/local`.
    pub(super) async fn new() -> Self {
        let world = Self::with(|store| store);
        world.repository("local", |_| {}).await;
        world
    }

    /// Nothing yet; the services see repositories through what `wrap` makes of their store.
    pub(super) fn with(wrap: impl FnOnce(Arc<dyn RepositoryStore>) -> Arc<dyn RepositoryStore>) -> Self {
        let (store, blobs) = (Arc::new(MemoryStore::new()), MemoryBlobs::new());
        let upstreams = ScriptedUpstreams::default();
        let format = Arc::new(Notes::default());
        let registry = Registry::of([format.clone() as Arc<dyn FormatHandler>]).expect("one format");
        let ports = Ports {
            registry,
            repositories: wrap(store.clone()),
            artifacts: store.clone(),
            packages: store.clone(),
            blobs: Arc::new(blobs.clone()),
            identity: store.clone(),
            lifecycle: store.clone(),
            audit: store.clone(),
            provenance: store.clone(),
            listener: Arc::new(Nobody),
            documents: store.clone(),
            upstreams: Arc::new(upstreams.clone()),
            authorities: Arc::new(NoAuthorities),
            damage: Arc::default(),
        };
        Self { keeper: Keeper::new(ports, 1), store, blobs, format, upstreams, may_relay: false }
    }

    pub(super) async fn repository(&self, name: &str, change: impl FnOnce(&mut RepositoryDetails)) -> Arc<Repository> {
        self.repository_of("notes", name, change).await
    }

    pub(super) async fn repository_of(
        &self,
        format: &str,
        name: &str,
        change: impl FnOnce(&mut RepositoryDetails),
    ) -> Arc<Repository> {
        let mut details = contract::details();
        change(&mut details);
        let at = contract::address(format, name);
        self.store.create(&at, details, &Actor::system()).await.expect("a new repository")
    }

    /// Changes the record of a repository.
    pub(super) async fn change(&self, name: &str, change: impl FnOnce(&mut RepositoryDetails)) {
        let at = contract::address("notes", name);
        let before = RepositoryStore::find(&*self.store, &at).await.expect("an answer").expect("a repository");
        let mut details = contract::details();
        details.source = before.source.clone();
        change(&mut details);
        let by = Actor::system();
        let changed = self.store.update(before.id, before.revision, details, &by).await.expect("an answer");
        assert!(changed.is_some());
    }

    pub(super) async fn id(&self, name: &str) -> RepositoryId {
        let found = RepositoryStore::find(&*self.store, &contract::address("notes", name)).await.expect("an answer");
        found.expect("a repository").id
    }

    pub(super) async fn read(&self, who: &Principal, repository: &str, path: &str) -> Result<Answer, Failure> {
        self.read_with(who, repository, path, "", &[]).await
    }

    pub(super) async fn read_with(
        &self,
        who: &Principal,
        repository: &str,
        path: &str,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Answer, Failure> {
        let handler: Arc<dyn FormatHandler> = self.format.clone();
        let repository_url = "https://keeper.test/notes/local";
        let request = FormatRequest { verb: "GET", path, query, headers, repository_url };
        let options = ReadOptions { may_relay: self.may_relay, ..ReadOptions::default() };
        self.keeper.read(who, &key("notes"), &handler, repository, &request, options).await
    }

    pub(super) async fn bytes(&self, answer: &Answer) -> Result<Vec<u8>, Failure> {
        let mut stream = match &answer.resolution {
            Resolution::Bytes(bytes) => return Ok(bytes.to_vec()),
            Resolution::Blob(blob) => self.keeper.open(blob, None).await?,
            Resolution::Relay(relay) => Box::pin(relay.stream()),
        };
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        Ok(bytes)
    }

    /// What a stranger reads at a path of `notes/local`.
    pub(super) async fn text(&self, path: &str) -> Result<String, Failure> {
        let answer = self.read(&Principal::Anonymous, "local", path).await?;
        let bytes = self.bytes(&answer).await?;
        Ok(String::from_utf8(bytes).expect("a text"))
    }

    /// An upload for `notes/local`, staged.
    pub(super) async fn upload(&self, package: &str, version: &str, text: &str) -> Upload {
        let mut file = self.blobs.stage(1 << 20).await.expect("a stage");
        file.write(Bytes::copy_from_slice(text.as_bytes())).await.expect("a write");
        Upload {
            file,
            format: key("notes"),
            repository: Some(name("local")),
            name: Some(package.to_owned()),
            version: Some(version.to_owned()),
            strict: false,
            dry_run: false,
            labels: Vec::new(),
            origin_url: None,
            origin_ref: None,
            sha256: None,
            way: Way::Api,
            fields: BTreeMap::new(),
            began: Instant::now(),
        }
    }

    pub(super) async fn send(&self, upload: Upload) -> Result<Published, Failure> {
        self.send_as(&admin(), upload).await
    }

    pub(super) async fn send_as(&self, who: &Principal, upload: Upload) -> Result<Published, Failure> {
        self.keeper.publish(who, who.actor(None, None), upload).await
    }

    pub(super) async fn publish(&self, package: &str, version: &str, text: &str) -> Result<Published, Failure> {
        let upload = self.upload(package, version, text).await;
        self.send(upload).await
    }

    pub(super) async fn delete(&self, who: &Principal, artifact: &Artifact) -> Result<Deletion, Failure> {
        self.keeper.delete(who, who.actor(None, None), artifact.id, None, "a mistake").await
    }

    /// The version as the store has it.
    pub(super) async fn kept(&self, package: &str, version: &str) -> Option<Artifact> {
        let local = self.id("local").await;
        ArtifactStore::find(&*self.store, local, &coordinate(package, version)).await.expect("an answer")
    }

    /// Takes the bytes of all blobs away behind the rows' back.
    pub(super) async fn lose_blobs(&self) {
        for location in self.blobs.locations() {
            assert!(self.blobs.delete(&location).await.expect("a deletion"));
        }
    }

    pub(super) fn routed(&self) -> usize {
        self.format.routed.load(Ordering::SeqCst)
    }

    pub(super) fn computed(&self) -> usize {
        self.format.computed.load(Ordering::SeqCst)
    }
}

/// A text that is too long to live in its row.
pub(super) fn long(text: &str) -> String {
    format!("{text} {}", "x".repeat(INLINE_BYTES))
}

pub(super) fn key(format: &str) -> FormatKey {
    FormatKey::try_from(format).expect("a format key")
}

pub(super) fn name(name: &str) -> RepositoryName {
    RepositoryName::try_from(name).expect("a repository name")
}

/// An administrator with a token of these actions (`read,publish`) and patterns.
pub(super) fn token(actions: &str, repositories: &[&str], packages: Option<&[&str]>) -> Principal {
    let user = sample::user("admin", &[], actions, repositories, packages);
    Principal::User(Box::new(User { login: "ann".to_owned(), ..user }))
}

pub(super) fn admin() -> Principal {
    token("admin", &["*"], None)
}

/// The code of a refusal.
pub(super) fn code<T: std::fmt::Debug>(result: Result<T, Failure>) -> &'static str {
    result.expect_err("a refusal").code().name
}
