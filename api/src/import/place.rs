//! Where versions come from: a folder or a server.

use std::path::PathBuf;
use std::sync::Arc;

use keeper_core::artifact::Artifact;
use keeper_core::blob::StagedBlob;
use keeper_core::error::{Failure, codes};
use keeper_core::format::{ForeignFile, ForeignVersion, FormatHandler};
use keeper_core::pipeline::Keeper;
use keeper_core::repository::Repository;
use keeper_core::upstream::Validators;
use tokio::sync::mpsc;

use super::Order;
use super::folder::Folder;
use super::server::Server;
use super::tally::Tally;
use super::wanted::Wanted;
use crate::config::Config;

/// A place.
pub(super) enum Place {
    Folder(Folder),
    Server(Box<Server>),
}

/// What is met there.
pub(super) enum Found {
    Version(ForeignVersion),
    /// Something that could not be looked into, and why.
    Trouble(String, Failure),
}

impl Place {
    /// The place that an order names, reachable by the rules of the configuration.
    pub(super) async fn of(
        order: &Order,
        config: &Config,
        keeper: &Keeper,
        repository: &Arc<Repository>,
    ) -> Result<Self, String> {
        let from = order.from.as_str();
        if from.starts_with("http://") || from.starts_with("https://") {
            return Server::of(order, config, keeper.clone(), repository.clone()).await.map(Box::new).map(Self::Server);
        }
        let folder = PathBuf::from(from.strip_prefix("file://").unwrap_or(from));
        match std::fs::metadata(&folder) {
            Ok(found) if found.is_dir() => {
                Ok(Self::Folder(Folder { root: folder, blobs: keeper.ports().blobs.clone() }))
            }
            Ok(_) => Err(format!("--from {from}: it is no folder and no address like https://proxy.example")),
            Err(error) => Err(format!("--from {from}: {error}")),
        }
    }

    /// What is recorded as the source of a version. A folder of this machine is nobody's business.
    pub(super) fn source(&self) -> Option<String> {
        match self {
            Self::Folder(_) => None,
            Self::Server(server) => Some(server.address()),
        }
    }

    /// Sends the versions that are there.
    pub(super) async fn find(
        &self,
        handler: Arc<dyn FormatHandler>,
        wanted: &Wanted,
        to: mpsc::Sender<Found>,
    ) -> Result<(), Failure> {
        match self {
            Self::Folder(folder) => folder.find(handler, to).await,
            Self::Server(server) => server.find(&*handler, wanted, to).await,
        }
    }

    /// Whether the place says that it has what was taken from it before.
    pub(super) async fn is_unchanged(&self, version: &ForeignVersion, there: &Artifact) -> Result<bool, Failure> {
        let is_here = |file: &ForeignFile| there.files.iter().any(|one| one.path == file.path);
        match self {
            Self::Server(server) if version.files.iter().all(is_here) => server.is_unchanged(version).await,
            // Reading it is the surest way to know, and costs no network.
            _ => Ok(false),
        }
    }

    /// The bytes of a file, staged, and by what its sender will tell whether they changed.
    pub(super) async fn stage(
        &self,
        file: &ForeignFile,
        tally: &Tally,
    ) -> Result<(Box<dyn StagedBlob>, Option<Validators>), Failure> {
        let came = match self {
            _ if file.at.is_empty() => None,
            Self::Folder(folder) => folder.stage(file, tally).await?.map(|staged| (staged, None)),
            Self::Server(server) => {
                server.stage(file, tally).await?.map(|(staged, validators)| (staged, Some(validators)))
            }
        };
        match (came, &file.otherwise) {
            (Some(came), _) => Ok(came),
            (None, Some(instead)) => {
                let blobs = match self {
                    Self::Folder(folder) => &folder.blobs,
                    Self::Server(server) => server.blobs(),
                };
                let mut staged = blobs.stage(file.limit_bytes).await?;
                staged.write(instead.clone()).await?;
                Ok((staged, None))
            }
            (None, None) => Err(Failure::new(&codes::FILE_NOT_FOUND, format!("there is no {}", file.at))),
        }
    }

    /// Remembers how a file's sender will tell whether it changed.
    pub(super) async fn remember(&self, file: &ForeignFile, validators: Validators) -> Result<(), Failure> {
        match self {
            Self::Folder(_) => Ok(()),
            Self::Server(server) => server.remember(file, validators).await,
        }
    }
}
