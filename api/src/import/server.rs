//! A server: asked for lists and files through the guarded client, one file after the other.
//!
//! What was compared with it is remembered, with what its sender says of a file's state. Versions never change, so a
//! repeated import passes over what it knows; with `check` it asks whether it changed, and fetches what has no such state.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use keeper_core::artifact::{Coordinate, PackageName};
use keeper_core::blob::{BlobStore, StagedBlob};
use keeper_core::documents::{KeptDocument, Owner};
use keeper_core::error::{Failure, codes};
use keeper_core::format::{ForeignFile, ForeignVersion, FormatHandler, Takeover};
use keeper_core::limits::UPSTREAM_INDEX_BYTES;
use keeper_core::pipeline::Keeper;
use keeper_core::repository::Repository;
use keeper_core::source::{Chain, Remote, UpstreamUrl};
use keeper_core::upstream::{Fetched, UpstreamError, UpstreamRequest, Upstreams as _, Validators};
use tokio::sync::mpsc;

use super::Order;
use super::place::Found;
use super::tally::Tally;
use super::wanted::Wanted;
use crate::config::{Config, Secret, allowed};
use crate::run::outgoing;
use crate::upstream::{Credential, GuardedClient};

/// Bodies that broke off are asked for so often.
const ATTEMPTS: u32 = 3;
/// Bytes of a file with a password.
const PASSWORD_BYTES: usize = 64 * 1024;
/// Who asks with a token, where no user is named.
const ANYBODY: &str = "keeper";

/// A server.
pub(super) struct Server {
    keeper: Keeper,
    repository: Arc<Repository>,
    client: GuardedClient,
    remote: Remote,
    url: UpstreamUrl,
    check: bool,
}

impl Server {
    pub(super) async fn of(
        order: &Order,
        config: &Config,
        keeper: Keeper,
        repository: Arc<Repository>,
    ) -> Result<Self, String> {
        let url = UpstreamUrl::parse(&order.from, true).map_err(|fault| format!("--from {fault}"))?;
        let chain = Chain::parse(&url.to_string(), true).map_err(|fault| format!("--from {fault}"))?;
        let allow = order.allow.iter().map(|text| allowed(text));
        let allow: Result<Vec<_>, _> = allow.collect();
        let allow = allow.map_err(|why| format!("--allow-network: {why}"))?;
        let credential = credential(order)?;
        let mut remote = Remote::of(chain);
        remote.has_credentials = credential.is_some();
        let client = outgoing::network_of_import(config, allow, url.as_url(), credential.as_ref())?;
        client.check(url.as_url()).await.map_err(|refused| {
            let host = url.as_url().host_str().unwrap_or_default();
            format!("--from {url}: {refused}. To reach it all the same: --allow-network {host}")
        })?;
        Ok(Self { keeper, repository, client, remote, url, check: order.check })
    }

    pub(super) fn address(&self) -> String {
        self.url.to_string()
    }

    pub(super) fn blobs(&self) -> &Arc<dyn BlobStore> {
        &self.keeper.ports().blobs
    }

    /// Asks for the versions of each package that is wanted.
    pub(super) async fn find(
        &self,
        handler: &dyn FormatHandler,
        wanted: &Wanted,
        to: mpsc::Sender<Found>,
    ) -> Result<(), Failure> {
        let Some(takeover) = handler.takeover() else { return Ok(()) };
        for (package, (mut versions, is_listed)) in wanted.asked_for() {
            if is_listed {
                match self.listed(takeover, &package).await {
                    Ok(listed) => {
                        let new: Vec<_> = listed.into_iter().filter(|what| !versions.contains(what)).collect();
                        versions.extend(new);
                    }
                    Err(failure) => {
                        if to.send(Found::Trouble(package.to_string(), failure)).await.is_err() {
                            return Ok(());
                        }
                    }
                }
            }
            for version in versions.iter().filter_map(|what| takeover.at_server(what)) {
                if to.send(Found::Version(version)).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn listed(&self, takeover: &dyn Takeover, package: &PackageName) -> Result<Vec<Coordinate>, Failure> {
        let path = takeover.list_at_server(package);
        let fetched = self.ask(&path, UPSTREAM_INDEX_BYTES, None).await.map_err(|error| match error {
            error if error.is_absence() => {
                Failure::new(&codes::PACKAGE_NOT_FOUND, format!("{} has no {package}", self.url))
            }
            error => Failure::from(error),
        })?;
        let Fetched::Body { mut stream, .. } = fetched else { return Err(unasked().into()) };
        let mut list = BytesMut::new();
        while let Some(chunk) = stream.next().await {
            list.extend_from_slice(&chunk?);
        }
        let versions = takeover.listed(package, &list)?.into_iter();
        Ok(versions.map(|version| Coordinate { package: package.clone(), version }).collect())
    }

    /// Whether all files are as they were when they were taken. Without `check` it is enough that they were.
    pub(super) async fn is_unchanged(&self, version: &ForeignVersion) -> Result<bool, Failure> {
        for file in &version.files {
            let kept = self.keeper.ports().documents.recall(&self.owner(), &self.name(file)).await?;
            let Some(kept) = kept else { return Ok(false) };
            if !self.check {
                continue;
            }
            if kept.validators == Validators::default() {
                return Ok(false);
            }
            match self.ask(&file.at, file.limit_bytes, Some(&kept.validators)).await {
                Ok(Fetched::NotModified) => {}
                Ok(Fetched::Body { .. }) => return Ok(false),
                Err(error) if error.is_absence() => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// The file's bytes; `None` when the server has no such file.
    pub(super) async fn stage(
        &self,
        file: &ForeignFile,
        tally: &Tally,
    ) -> Result<Option<(Box<dyn StagedBlob>, Validators)>, Failure> {
        let mut attempt = 1;
        loop {
            match self.staged(file, tally).await? {
                Ok(staged) => return Ok(Some(staged)),
                Err(error) if error.is_absence() => return Ok(None),
                Err(UpstreamError::Failed(_) | UpstreamError::Timeout) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The trouble of the server is inside, that of the storage outside.
    async fn staged(
        &self,
        file: &ForeignFile,
        tally: &Tally,
    ) -> Result<Result<(Box<dyn StagedBlob>, Validators), UpstreamError>, Failure> {
        let (validators, mut stream) = match self.ask(&file.at, file.limit_bytes, None).await {
            Ok(Fetched::Body { validators, stream, .. }) => (validators, stream),
            Ok(Fetched::NotModified) => return Ok(Err(unasked())),
            Err(error) => return Ok(Err(error)),
        };
        let mut staged = self.blobs().stage(file.limit_bytes).await?;
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => {
                    tally.read(chunk.len());
                    staged.write(chunk).await?;
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok((staged, validators)))
    }

    /// Remembers that a file was compared with what is here.
    pub(super) async fn remember(&self, file: &ForeignFile, validators: Validators) -> Result<(), Failure> {
        let document = KeptDocument { body: Bytes::new(), validators, fetched_at: Timestamp::now() };
        Ok(self.keeper.ports().documents.keep(&self.owner(), &self.name(file), document).await?)
    }

    async fn ask(&self, path: &str, limit_bytes: u64, known: Option<&Validators>) -> Result<Fetched, UpstreamError> {
        let request = UpstreamRequest {
            repository: self.repository.id,
            remote: &self.remote,
            url: &self.url,
            path,
            known,
            limit_bytes,
            hops: 1,
        };
        self.client.fetch(&request).await
    }

    fn owner(&self) -> Owner {
        Owner::Repository(self.repository.id)
    }

    fn name(&self, file: &ForeignFile) -> String {
        format!("taken over {}/{}", self.url, file.at)
    }
}

fn unasked() -> UpstreamError {
    UpstreamError::Invalid("\"not modified\" to a first question".to_owned())
}

fn credential(order: &Order) -> Result<Option<Credential>, String> {
    let Some(file) = &order.password_file else {
        return match &order.user {
            Some(_) => Err("--user needs --password-file".to_owned()),
            None => Ok(None),
        };
    };
    let told = |why: String| format!("--password-file {}: {why}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| told(error.to_string()))?;
    let password = text.trim_end_matches(['\n', '\r']);
    if password.is_empty() || password.len() > PASSWORD_BYTES || password.contains(char::is_control) {
        return Err(told("it should hold a password, and nothing else".to_owned()));
    }
    let username = order.user.clone().unwrap_or_else(|| ANYBODY.to_owned());
    if username.is_empty() || username.contains([':', '\r', '\n']) {
        return Err("--user: a name without a colon".to_owned());
    }
    Ok(Some(Credential::Basic { username, password: Secret::new(password) }))
}
