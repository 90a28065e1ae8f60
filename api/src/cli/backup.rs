//! `backup` and `restore`.

use std::path::PathBuf;

use clap::Args;

use super::upkeep::{Here, MISUNDERSTOOD, Place, ask, refuse};
use super::{Exit, Settings, Verb, output};
use crate::admin_socket::{Reply, Request};
use crate::backup::{self, BackupError, Manifest};
use crate::blobs;
use crate::config::Config;
use crate::datadir::DataDir;

/// The words of `backup`.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The folder of the copy; it is made, and must not be there yet
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    /// An earlier copy: files that it has are linked from there and not copied again
    #[arg(long, value_name = "FOLDER")]
    base: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

/// The words of `restore`.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The folder of the copy
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Backup {
    pub(super) fn into_verb(self) -> (Verb, Settings) {
        (Verb::Backup { to: self.to, base: self.base }, self.place.into_settings())
    }
}

impl Restore {
    pub(super) fn into_verb(self) -> (Verb, Settings) {
        (Verb::Restore { from: self.from }, self.place.into_settings())
    }
}

/// Makes a copy, through the server that holds the folder or without one.
pub async fn backup(config: &Config, to: PathBuf, base: Option<PathBuf>) -> Exit {
    // The server's working folder is another one.
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    let (to, base) = (absolute(to), base.map(absolute));
    let made = match Here::open(config).await {
        Ok(Some(here)) => {
            let (to, base) = (to.clone(), base);
            here.end(|upkeep| async move { upkeep.backup(&to, base.as_deref()).await }).await
        }
        Ok(None) => match ask(config, Request::Backup { to: to.clone(), base }, |_| ()).await {
            Ok(Reply::BackedUp(manifest)) => Ok(manifest),
            Ok(_) => Err((Exit::Failed, MISUNDERSTOOD.to_owned())),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    match made {
        Ok(manifest) => {
            if manifest.database.is_none() {
                output::stderr("the database is one of PostgreSQL: it is not in this copy; pg_dump copies it");
            }
            told(&format!("copied to {}", to.display()), &manifest)
        }
        Err((exit, reason)) => refuse(exit, &reason),
    }
}

/// Makes a data folder of a copy.
pub async fn restore(config: &Config, from: PathBuf) -> Exit {
    match restored(config, from).await {
        Ok(manifest) => told("restored", &manifest),
        Err((exit, reason)) => refuse(exit, &reason),
    }
}

async fn restored(config: &Config, from: PathBuf) -> Result<Manifest, (Exit, String)> {
    let data = DataDir::open(&config.data_dir, config.storage.folder(), config.allow_network_disk)
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    // Before anything is opened, and with it made.
    let usage = |error: BackupError| (Exit::Usage, error.to_string());
    backup::manifest(&from).map_err(usage)?;
    if let Some(file) = config.database.file().filter(|file| file.exists()) {
        return Err(usage(BackupError::NotEmpty(file.to_owned())));
    }
    let failed = |error: String| (Exit::Failed, error);
    let blobs = blobs::open(&config.storage, &data.tmp()).await.map_err(|error| failed(error.to_string()))?;
    backup::restore(&from, blobs, config.database.file()).await.map_err(|error| failed(error.to_string()))
}

fn told(what: &str, manifest: &Manifest) -> Exit {
    let Manifest { blobs, bytes, last_audit_row, .. } = manifest;
    let text = format!("{what}: {blobs} stored files of {bytes} bytes, changes up to number {last_audit_row}\n");
    output::stdout(&text).map_or(Exit::Failed, |()| Exit::Fine)
}
