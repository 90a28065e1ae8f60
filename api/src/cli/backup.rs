//! `backup` and `restore`.

use std::path::PathBuf;

use clap::Args;
use keeper_core::plugin::Registry;

use super::upkeep::{Here, MISUNDERSTOOD, Place, ask, refuse};
use super::{Exit, Settings, Verb, output};
use crate::admin_socket::{Reply, Request};
use crate::backup::journal::Journaled;
use crate::backup::{self, BackupError, Manifest, Reserve, Restored};
use crate::blobs;
use crate::config::Config;
use crate::datadir::DataDir;
use crate::jobs::upkeep::Upkeep;
use crate::store::Reserved;

/// The words of `backup`.
#[derive(Debug, Args)]
pub(super) struct Backup {
    #[command(flatten)]
    kept: Kept,
    #[command(flatten)]
    place: Place,
}

/// What is to be kept, and where.
#[derive(Debug, Args)]
pub struct Kept {
    /// The folder of the copy; it is made, and must not be there yet
    #[arg(long, value_name = "FOLDER", required_unless_present = "journal")]
    to: Option<PathBuf>,
    /// An earlier copy: files that it has are linked from there and not copied again
    #[arg(long, value_name = "FOLDER", requires = "to")]
    base: Option<PathBuf>,
    /// Add to this file what was published since the last time, one line each; see 'restore --reserve-from'
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

/// The words of `restore`.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The folder of the copy
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
    /// A journal of 'backup --journal': what it has and the copy has not keeps its number for its content
    #[arg(long, value_name = "FILE")]
    reserve_from: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

impl Backup {
    pub(super) fn into_verb(self) -> (Verb, Settings) {
        (Verb::Backup(self.kept), self.place.into_settings())
    }
}

impl Restore {
    pub(super) fn into_verb(self) -> (Verb, Settings) {
        (Verb::Restore { from: self.from, reserve_from: self.reserve_from }, self.place.into_settings())
    }
}

/// Makes a copy, a journal or both, through the server that holds the folder or without one.
pub async fn backup(config: &Config, kept: Kept) -> Exit {
    // The server's working folder is another one.
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    let Kept { to, base, journal } = kept;
    let mut copied_exit = Exit::Fine;
    if let Some(to) = to.map(absolute) {
        let made = copied(config, to.clone(), base.map(absolute)).await;
        let exit = match made {
            Ok(manifest) => {
                if manifest.database.is_none() {
                    output::stderr("the database is one of PostgreSQL: it is not in this copy; pg_dump copies it");
                }
                told(&format!("copied to {}", to.display()), &manifest)
            }
            Err((exit, reason)) => refuse(exit, &reason),
        };
        if !matches!(exit, Exit::Fine | Exit::Faults) {
            return exit;
        }
        copied_exit = exit;
    }
    let Some(file) = journal.map(absolute) else { return copied_exit };
    match journaled(config, file.clone()).await {
        Ok(Journaled { added, last_audit_row }) => {
            let text = format!("{}: {added} publications added, up to number {last_audit_row}\n", file.display());
            output::stdout(&text).map_or(Exit::Failed, |()| copied_exit)
        }
        Err((exit, reason)) => refuse(exit, &reason),
    }
}

async fn copied(config: &Config, to: PathBuf, base: Option<PathBuf>) -> Result<Manifest, (Exit, String)> {
    let (here_to, here_base) = (to.clone(), base.clone());
    let here = |upkeep: Upkeep| async move { upkeep.backup(&here_to, here_base.as_deref()).await };
    match Here::open(config).await? {
        Some(open) => open.end(here).await,
        None => match ask(config, Request::Backup { to, base }, |_| ()).await? {
            Reply::BackedUp(manifest) => Ok(manifest),
            _ => Err((Exit::Failed, MISUNDERSTOOD.to_owned())),
        },
    }
}

async fn journaled(config: &Config, file: PathBuf) -> Result<Journaled, (Exit, String)> {
    match Here::open(config).await? {
        Some(here) => here.end(|upkeep| async move { upkeep.journal(&file).await }).await,
        None => match ask(config, Request::Journal { file }, |_| ()).await? {
            Reply::Journaled(journaled) => Ok(journaled),
            _ => Err((Exit::Failed, MISUNDERSTOOD.to_owned())),
        },
    }
}

/// Makes a data folder of a copy.
pub async fn restore(config: &Config, from: PathBuf, reserve_from: Option<PathBuf>) -> Exit {
    let Restored { manifest, reserved, sealed } = match restored(config, from, reserve_from.clone()).await {
        Ok(restored) => restored,
        Err((exit, reason)) => return refuse(exit, &reason),
    };
    if let Some(journal) = reserve_from {
        let Reserved { made, there, homeless } = reserved;
        output::stderr(&format!(
            "{}: {made} numbers of lost versions are kept for their content; {there} versions are there",
            journal.display()
        ));
        if homeless > 0 {
            output::stderr(&format!(
                "{homeless} lost versions are of repositories that the copy does not know: their numbers are not kept"
            ));
        }
    }
    if !sealed.is_empty() {
        output::stderr(&format!(
            "the key that the credentials of these repositories' upstreams are sealed with is not here, and no copy has \
             it: {}. Put it at {} before the start, or start once with --reset-secrets to forget these credentials",
            sealed.join(", "),
            config.secrets_key_file.display()
        ));
    }
    told("restored", &manifest)
}

async fn restored(config: &Config, from: PathBuf, reserve_from: Option<PathBuf>) -> Result<Restored, (Exit, String)> {
    let data = DataDir::open(&config.data_dir, config.storage.folder(), config.allow_network_disk)
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    // Before anything is opened, and with it made.
    let usage = |error: BackupError| (Exit::Usage, error.to_string());
    backup::manifest(&from).map_err(usage)?;
    if let Some(file) = config.database.file().filter(|file| file.exists()) {
        return Err(usage(BackupError::NotEmpty(file.to_owned())));
    }
    let failed = |error: String| (Exit::Failed, error);
    let registry: Registry = keeper_formats::registry().map_err(|error| failed(error.to_string()))?;
    let reserve = reserve_from.as_deref().map(|from| Reserve { registry: &registry, from });
    let blobs = blobs::open(&config.storage, &data.tmp(), data.is_read_only())
        .await
        .map_err(|error| failed(error.to_string()))?;
    let restored = backup::restore(&from, blobs, &config.database, reserve, &config.secrets_key_file).await;
    restored.map_err(|error| failed(error.to_string()))
}

fn told(what: &str, manifest: &Manifest) -> Exit {
    let Manifest { blobs, bytes, last_audit_row, faults, faulty, .. } = manifest;
    for fault in faulty {
        output::stderr(&format!("{} {}", fault.fault, fault.blob));
    }
    if *faults > 0 {
        output::stderr(&format!(
            "{faults} stored files that the database names are not in the copy, for they were missing or damaged; \
             'verify' says of which versions they are"
        ));
    }
    let text = format!("{what}: {blobs} stored files of {bytes} bytes, changes up to number {last_audit_row}\n");
    let exit = if *faults > 0 { Exit::Faults } else { Exit::Fine };
    output::stdout(&text).map_or(Exit::Failed, |()| exit)
}
