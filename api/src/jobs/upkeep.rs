//! The upkeep that an operator asks for: the collector and the verification, over a store that is open here.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use keeper_core::collector::{Collected, Collector, Mode};
use keeper_core::error::{Failure, codes};
use keeper_core::integrity::Judge;
use keeper_core::ledger::WalkableBlobs;
use keeper_core::scrubber::Scrubber;
use keeper_core::verifier::{Finding, Listener, Progress, Scope, Verified, Verifier};

use super::{Runner, collect, scrub};
use crate::admin_socket::{Lines, Reply};
use crate::backup::journal::Journaled;
use crate::backup::{self, Manifest};
use crate::config::Config;
use crate::store::Store;

/// The names of their records.
const BACKUP: &str = "backup";
const VERIFY: &str = "verify";

/// Collector and verifier of one data folder.
#[derive(Clone)]
pub struct Upkeep {
    runner: Runner,
    collector: Arc<Collector>,
    verifier: Arc<Verifier>,
    store: Arc<Store>,
    blobs: Arc<dyn WalkableBlobs>,
}

impl Upkeep {
    /// Over this store and these blobs.
    #[must_use]
    pub fn new(config: &Config, runner: Runner, store: Arc<Store>, blobs: Arc<dyn WalkableBlobs>) -> Self {
        Self {
            runner,
            collector: collect::collector(config, store.clone(), blobs.clone()),
            verifier: Arc::new(Verifier::new(
                store.clone(),
                store.clone(),
                store.clone(),
                store.clone(),
                store.clone(),
                blobs.clone(),
            )),
            store,
            blobs,
        }
    }

    /// The collector as a job.
    #[must_use]
    pub fn collect(&self, config: &Config) -> collect::Collect {
        collect::Collect {
            collector: self.collector.clone(),
            period: config.gc_period,
            store: self.store.clone(),
            grace: config.gc_grace,
        }
    }

    /// The scrubber as a job; `None` when it is switched off.
    #[must_use]
    pub fn scrub(&self, config: &Config) -> Option<scrub::Scrub> {
        let judge = Judge { blobs: self.blobs.clone(), artifacts: self.store.clone() };
        let scrubber = Scrubber { book: self.store.clone(), judge, rate: config.scrub_rate };
        (config.scrub_rate > 0).then_some(scrub::Scrub(scrubber))
    }

    /// Runs the collector: without `confirm` it only tells, with it nothing is too suspicious to be removed.
    ///
    /// # Errors
    /// Why it did not run, for the operator.
    pub async fn gc(&self, confirm: bool, goes_on: &(dyn Fn() -> bool + Send + Sync)) -> Result<Collected, String> {
        let stop = self.runner.stopping();
        let goes_on = |_: &Collected| goes_on() && !stop.is_cancelled();
        let mode = if confirm { Mode::Confirmed } else { Mode::DryRun };
        let run = self.collector.run(mode, &goes_on);
        if !confirm {
            return run.await.map_err(|error| in_full(&error));
        }
        match self.runner.once(collect::NAME, run, collect::told).await {
            Ok(Some(collected)) => Ok(collected),
            Ok(None) => Err("the collector is running already; see GET /api/status, and repeat later".to_owned()),
            Err(error) => Err(in_full(&error)),
        }
    }

    /// Makes a copy of everything at `to`. The collector does not run meanwhile, and what another copy needs neither.
    ///
    /// # Errors
    /// Why there is none, for the operator.
    pub async fn backup(&self, to: &Path, base: Option<&Path>) -> Result<Manifest, String> {
        let make = async {
            let made = backup::make(&self.store, &*self.blobs, to, base).await;
            made.map_err(|error| Failure::new(&codes::INTERNAL, error.to_string()))
        };
        let make = self.runner.noted(BACKUP, make, backed_up);
        let told = |manifest: &Manifest| Some(format!("a backup was made, of {} stored files", manifest.blobs));
        match self.runner.once(collect::NAME, make, told).await {
            Ok(Some(manifest)) => Ok(manifest),
            Ok(None) => Err("the collector or another backup is running; repeat later".to_owned()),
            Err(error) => Err(in_full(&error)),
        }
    }

    /// Adds what was published since the last time to a journal.
    ///
    /// # Errors
    /// Why it was not, for the operator.
    pub async fn journal(&self, file: &Path) -> Result<Journaled, String> {
        backup::journal::append(&self.store, file).await.map_err(|error| error.to_string())
    }

    /// Verifies everything.
    ///
    /// # Errors
    /// Why it did not end, for the operator.
    pub async fn verify(&self, scope: Scope, listener: &dyn Listener) -> Result<Verified, String> {
        let run = self.verifier.run(scope, listener);
        let ran = self.runner.noted(VERIFY, run, |ran| verified(ran, scope.quick)).await;
        ran.map_err(|error| in_full(&error))
    }
}

/// What is written down of a backup.
fn backed_up(made: &Result<Manifest, Failure>) -> Result<String, String> {
    match made {
        Ok(Manifest { blobs, bytes, .. }) => Ok(format!("{blobs} stored files of {bytes} bytes")),
        Err(error) => Err(error.to_string()),
    }
}

/// What is written down of a verification: one that found faults, or was stopped, did not go well.
fn verified(ran: &Result<Verified, Failure>, quick: bool) -> Result<String, String> {
    let Verified { blobs, bytes, files, faults, stopped, .. } = match ran {
        Ok(verified) => verified,
        Err(error) => return Err(error.to_string()),
    };
    let read = if quick { "not read".to_owned() } else { format!("{bytes} bytes read") };
    let seen = format!("in {files} files, {blobs} of them stored by themselves ({read})");
    match (faults, stopped) {
        (0, false) => Ok(format!("no faults {seen}")),
        (_, false) => Err(format!("{faults} faults {seen}")),
        (_, true) => Err(format!("stopped before its end; {faults} faults so far {seen}")),
    }
}

/// An operator is told the cause as well.
fn in_full(error: &Failure) -> String {
    match &error.cause {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[async_trait]
impl Listener for Lines {
    async fn hear(&self, finding: Option<Finding>, progress: Progress) -> bool {
        match finding {
            Some(finding) => self.send(Reply::Finding(finding)).await,
            None => self.offer(Reply::Verifying(progress)),
        }
    }
}
