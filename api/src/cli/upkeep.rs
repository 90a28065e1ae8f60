//! `gc`, in the data folder itself or through the server that holds it; and what other commands do the same way.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use keeper_core::collector::Collected;
use keeper_core::ledger::WalkableBlobs;
use serde::Serialize;

use super::{Exit, Settings, Verb, output};
use crate::admin_socket::{self, Reply, Request};
use crate::blobs;
use crate::cli::settings::Flags;
use crate::config::{Config, Overrides};
use crate::datadir::{self, DataDir};
use crate::import::{Imported, Importer, Order, Report};
use crate::jobs::Runner;
use crate::jobs::collect::blobs as counted;
use crate::jobs::upkeep::Upkeep;
use crate::run::{self, StartError};
use crate::store::Store;

/// The words of `gc`.
#[derive(Debug, Args)]
pub(super) struct Gc {
    /// Remove what no version needs; without it, nothing is changed
    #[arg(long, conflicts_with = "dry_run")]
    confirm: bool,
    /// Only tell what would be removed (what happens without a flag)
    #[arg(long)]
    dry_run: bool,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// Where the data is.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The data folder of the server [KEEPER_DATA_DIR] [default: ./keeper-data]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// Read this file instead of artifact-keeper.toml in the current folder
    #[arg(long = "config", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Place {
    pub(super) fn into_settings(self) -> Settings {
        let folder = self.data_dir.into_iter();
        let flags = folder.fold(Overrides::default(), |flags, folder| flags.with("data_dir", folder));
        Settings { file: self.file, flags: Flags(flags) }
    }
}

impl Gc {
    pub(super) fn into_verb(self) -> (Verb, Settings) {
        (Verb::Gc { confirm: self.confirm, json: self.json }, self.place.into_settings())
    }
}

/// Runs the collector and tells what it found or did.
pub async fn gc(config: &Config, confirm: bool, json: bool) -> Exit {
    let collected = match Here::open(config).await {
        Ok(Some(here)) => here.end(|upkeep| async move { upkeep.gc(confirm, &|| true).await }).await,
        Ok(None) => match ask(config, Request::Gc { confirm }, |_| ()).await {
            Ok(Reply::Collected(collected)) => Ok(collected),
            Ok(_) => Err((Exit::Failed, MISUNDERSTOOD.to_owned())),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    match collected {
        Ok(collected) if json => line(&collected),
        Ok(collected) => output::stdout(&told(&collected, confirm)).map_or(Exit::Failed, |()| Exit::Fine),
        Err((exit, reason)) => refuse(exit, &reason),
    }
}

pub(super) const MISUNDERSTOOD: &str = "the server answered something else";

fn told(collected: &Collected, confirm: bool) -> String {
    let Collected { stored, unreferenced, orphans, waiting, discarded, unlinked, in_trash, suspicious } = collected;
    let mut text = format!(
        "stored:      {}\nnot needed:  {}\nno row:      {}\ntoo young:   {}\nin trash:    {}\n",
        counted(*stored),
        counted(*unreferenced),
        counted(*orphans),
        counted(*waiting),
        counted(*in_trash)
    );
    if confirm {
        text += &format!("discarded:   {}\nremoved:     {}\n", counted(*discarded), counted(*unlinked));
    } else {
        text += "Nothing was changed.";
        if *suspicious {
            text += " The server will not remove that much by itself.";
        }
        text += " To remove what is not needed or has no row: artifact-keeper gc --confirm\n";
    }
    text
}

pub(super) fn line(what: &impl Serialize) -> Exit {
    let text = serde_json::to_string(what).map(|text| text + "\n").unwrap_or_default();
    output::stdout(&text).map_or(Exit::Failed, |()| Exit::Fine)
}

pub(super) fn refuse(exit: Exit, reason: &str) -> Exit {
    output::stderr(reason);
    exit
}

pub(super) async fn ask(
    config: &Config,
    request: Request,
    on_the_way: impl FnMut(Reply),
) -> Result<Reply, (Exit, String)> {
    let socket = datadir::admin_socket(&config.data_dir);
    match admin_socket::converse_with(&socket, &request, on_the_way).await {
        Ok(Reply::Refused { reason }) => Err((Exit::Failed, reason)),
        Ok(reply) => Ok(reply),
        Err(error) => Err((Exit::InUse, error.to_string())),
    }
}

/// The data folder, open and locked by this process.
pub(super) struct Here {
    _data: DataDir,
    store: Arc<Store>,
    blobs: Arc<dyn WalkableBlobs>,
    upkeep: Upkeep,
}

impl Here {
    /// `None` when a server holds it.
    pub(super) async fn open(config: &Config) -> Result<Option<Self>, (Exit, String)> {
        let data = match DataDir::open(&config.data_dir, config.storage.folder(), config.allow_network_disk) {
            Ok(data) => data,
            Err(error) if error.is_in_use() => return Ok(None),
            Err(error) => return Err((Exit::from(&error), error.to_string())),
        };
        if config.database.is_missing() {
            let folder = config.data_dir.display();
            let text = format!("there is no server's data in {folder}; name its folder with --data-dir");
            return Err((Exit::Usage, text));
        }
        let told = |error: StartError| (error.exit(), error.to_string());
        let store = Arc::new(run::open_store(config, &data).await.map_err(|error| told(error.into()))?);
        let blobs =
            blobs::open(&config.storage, &data.tmp(), data.is_read_only()).await.map_err(|error| told(error.into()))?;
        let upkeep = Upkeep::new(config, Runner::new(store.clone()), store.clone(), blobs.clone());
        Ok(Some(Self { _data: data, store, blobs, upkeep }))
    }

    /// Takes versions over and closes the folder.
    pub(super) async fn import(
        self,
        config: &Config,
        order: &Order,
        report: &dyn Report,
    ) -> Result<Imported, (Exit, String)> {
        let keeper = run::offline(config, self.store.clone(), self.blobs.clone());
        let imported = match keeper {
            Ok(keeper) => Importer::new(keeper, Arc::new(config.clone())).run(order, report).await,
            Err(error) => Err(error.to_string()),
        };
        self.store.close().await;
        imported.map_err(|reason| (Exit::Failed, reason))
    }

    /// Does this and closes the folder.
    pub(super) async fn end<T, F>(self, what: impl FnOnce(Upkeep) -> F) -> Result<T, (Exit, String)>
    where
        F: Future<Output = Result<T, String>>,
    {
        let done = what(self.upkeep).await;
        self.store.close().await;
        done.map_err(|reason| (Exit::Failed, reason))
    }
}
