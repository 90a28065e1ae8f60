//! `verify`: in the data folder itself, or through the server that holds it.
//!
//! What was found goes to stdout, one line each, what is said about it to stderr: `verify --json` can be read by a program
//! as it is.
//!
//! Shape: `<data>/verify.json` says how far a run is that has not ended, so that `--resume` goes on there:
//! `{"quick":false,"progress":{"so_far":{"blobs":41, …},"after":"9f86…"}}`.
//!
//! Units and bounds: beside a working server [`RATE_BESIDE_SERVER`] bytes are read in a second, unless another rate is asked
//! for; the file is written at most once in [`KEPT_EACH`].

use std::io::{self, ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use clap::Args;
use keeper_core::verifier::{Finding, Listener, Progress, Scope, Verified};
use serde::{Deserialize, Serialize};

use super::upkeep::{Here, MISUNDERSTOOD, Place, ask, line, refuse};
use super::{Exit, Settings, Verb, output};
use crate::admin_socket::{Reply, Request};
use crate::config::{Config, parse_size};

/// What a run beside a server reads in a second: little enough for users not to notice.
const RATE_BESIDE_SERVER: u64 = 8 << 20;
/// How often it is written down how far the run is.
const KEPT_EACH: Duration = Duration::from_secs(1);
/// How often that is printed where it is not a terminal.
const LINE_PERIOD: Duration = Duration::from_secs(10);
const FILE: &str = "verify.json";

/// The words of `verify`.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Do not read stored files, only look whether they are there with their length
    #[arg(long)]
    quick: bool,
    /// Remove stored files that no version names and that are older than an upload may take
    #[arg(long)]
    repair_orphans: bool,
    /// Bytes of stored files to read in a second, like 64MiB; 0 for as many as there are [default: 8MiB beside a server that
    /// runs, else 0]
    #[arg(long, value_name = "SIZE", value_parser = rate)]
    rate: Option<u64>,
    /// Go on where a run that was interrupted has stopped
    #[arg(long)]
    resume: bool,
    /// Print findings and the summary as lines of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

fn rate(text: &str) -> Result<u64, String> {
    if text == "0" { Ok(0) } else { parse_size(text) }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Believe the bytes of stored files.
    pub quick: bool,
    /// Remove what no version names.
    pub repair_orphans: bool,
    /// Bytes in a second; 0 is as many as there are.
    pub rate: Option<u64>,
    /// Go on where an earlier run has stopped.
    pub resume: bool,
    /// Print JSON.
    pub json: bool,
}

impl Verify {
    pub(super) fn into_verb(self) -> (Verb, Settings) {
        let Self { quick, repair_orphans, rate, resume, json, place } = self;
        (Verb::Verify(Asked { quick, repair_orphans, rate, resume, json }), place.into_settings())
    }
}

/// Verifies everything and tells what it found.
pub async fn verify(config: &Config, asked: Asked) -> Exit {
    let here = match Here::open(config).await {
        Ok(here) => here,
        Err((exit, reason)) => return refuse(exit, &reason),
    };
    let watch = Watch::new(&config.data_dir, asked);
    let resume = match watch.resumed() {
        Ok(resume) => resume,
        Err(reason) => return refuse(Exit::Usage, &reason),
    };
    let usual = if here.is_some() { 0 } else { RATE_BESIDE_SERVER };
    let rate = asked.rate.unwrap_or(usual);
    let scope = Scope { quick: asked.quick, repair_orphans: asked.repair_orphans, rate, resume };
    let listener = &watch;
    let verified = match here {
        Some(here) => here.end(|upkeep| async move { upkeep.verify(scope, listener).await }).await,
        None => match ask(config, Request::Verify(scope), |reply| watch.take(reply)).await {
            Ok(Reply::Verified(verified)) => Ok(verified),
            Ok(_) => Err((Exit::Failed, MISUNDERSTOOD.to_owned())),
            Err(error) => Err(error),
        },
    };
    watch.end(verified.as_ref().is_ok_and(|verified| !verified.stopped));
    match verified {
        Ok(verified) => summary(&verified, asked.json),
        Err((exit, reason)) => refuse(exit, &reason),
    }
}

fn summary(verified: &Verified, json: bool) -> Exit {
    let Verified { blobs, bytes, files, repositories, faults, notes, repaired, stopped } = verified;
    if json {
        line(verified);
    } else {
        output::stderr(&format!(
            "{faults} faults and {notes} notes in {blobs} blobs ({bytes} bytes), {files} files, {repositories} repositories"
        ));
        if *repaired > 0 {
            output::stderr(&format!("{repaired} stored files without a version were removed"));
        }
    }
    match (faults, stopped) {
        (1.., _) => Exit::Faults,
        (0, true) => refuse(Exit::Failed, "it was stopped before its end; 'artifact-keeper verify --resume' goes on"),
        (0, false) => Exit::Fine,
    }
}

/// What is kept of a run that has not ended.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    quick: bool,
    progress: Progress,
}

/// Prints what is told on the way, and remembers how far it is.
struct Watch {
    file: PathBuf,
    asked: Asked,
    is_terminal: bool,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept_at: Option<Instant>,
    shown_at: Option<Instant>,
    /// Bytes that were looked at before this run.
    before: u64,
    complained: bool,
}

impl Watch {
    fn new(data: &Path, asked: Asked) -> Self {
        let (file, is_terminal) = (data.join(FILE), io::stderr().is_terminal());
        Self { file, asked, is_terminal, began: Instant::now(), state: Mutex::default() }
    }

    /// How far an earlier run came, when it is to go on.
    fn resumed(&self) -> Result<Option<Progress>, String> {
        if !self.asked.resume {
            return Ok(None);
        }
        let text = match std::fs::read(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                output::stderr("no run was interrupted: this one begins at the beginning");
                return Ok(None);
            }
            Err(error) => return Err(format!("{}: {error}", self.file.display())),
        };
        let kept: Kept = serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", self.file.display()))?;
        if kept.quick != self.asked.quick {
            let was = if kept.quick { "with" } else { "without" };
            return Err(format!("the run that was interrupted was one {was} --quick: go on with it the same way"));
        }
        self.state().before = kept.progress.so_far.bytes;
        Ok(Some(kept.progress))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, reply: Reply) {
        match reply {
            Reply::Finding(finding) => {
                let _nobody_reads = self.print(&finding);
            }
            Reply::Verifying(progress) => self.advance(progress),
            _ => {}
        }
    }

    fn print(&self, finding: &Finding) -> bool {
        if self.asked.json {
            return line(finding) == Exit::Fine;
        }
        let Finding { code, subject, detail, fault } = finding;
        let kind = if *fault { "fault" } else { "note" };
        output::stdout(&format!("{kind} {code} {subject}: {detail}\n")).is_ok()
    }

    fn advance(&self, progress: Progress) {
        let Some(after) = progress.after else { return };
        let mut state = self.state();
        if state.kept_at.is_none_or(|at| at.elapsed() >= KEPT_EACH) {
            state.kept_at = Some(Instant::now());
            if let Err(error) = self.keep(progress)
                && !std::mem::replace(&mut state.complained, true)
            {
                output::stderr(&format!("how far this is cannot be written to {}: {error}", self.file.display()));
            }
        }
        let done =
            u32::from_be_bytes([after.as_bytes()[0], after.as_bytes()[1], after.as_bytes()[2], after.as_bytes()[3]]);
        let text = || told(&progress.so_far, state.before, self.began.elapsed(), done);
        if self.is_terminal {
            output::stderr_over(&text());
        } else if state.shown_at.unwrap_or(self.began).elapsed() >= LINE_PERIOD {
            output::stderr(&text());
            state.shown_at = Some(Instant::now());
        }
    }

    /// A new file in the place of the old one: a kill leaves one of them whole.
    fn keep(&self, progress: Progress) -> io::Result<()> {
        let unfinished = self.file.with_extension("json.new");
        std::fs::write(&unfinished, serde_json::to_vec(&Kept { quick: self.asked.quick, progress })?)?;
        std::fs::rename(&unfinished, &self.file)
    }

    /// A run that came to its end is not gone on with.
    fn end(&self, complete: bool) {
        if self.is_terminal && self.state().kept_at.is_some() {
            output::stderr("");
        }
        if complete
            && let Err(error) = std::fs::remove_file(&self.file)
            && error.kind() != ErrorKind::NotFound
        {
            output::stderr(&format!("{} stays behind: {error}", self.file.display()));
        }
    }
}

#[async_trait]
impl Listener for Watch {
    async fn hear(&self, finding: Option<Finding>, progress: Progress) -> bool {
        match finding {
            Some(finding) => self.print(&finding),
            None => {
                self.advance(progress);
                true
            }
        }
    }
}

/// `41 %: 120 blobs, 34.5 MiB, 5.6 MiB/s, 0 faults`. Digests are chance, so the first of its bytes say how far it is.
fn told(so_far: &Verified, before: u64, took: Duration, done: u32) -> String {
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1024 * 1024);
    let percent = f64::from(done) / f64::from(u32::MAX) * 100.0;
    let rate = mebibytes(so_far.bytes.saturating_sub(before)) / took.as_secs_f64().max(0.001);
    let Verified { blobs, bytes, faults, .. } = so_far;
    format!("{percent:.0} %: {blobs} blobs, {:.1} MiB, {rate:.1} MiB/s, {faults} faults", mebibytes(*bytes))
}

#[cfg(test)]
mod tests {
    use keeper_core::digest::Digest;

    use super::*;

    fn asked(quick: bool, resume: bool) -> Asked {
        Asked { quick, repair_orphans: false, rate: None, resume, json: true }
    }

    #[test]
    fn progress_is_one_line() {
        let so_far = Verified { blobs: 120, bytes: 36_175_872, faults: 1, ..Verified::default() };
        let text = told(&so_far, 0, Duration::from_secs(5), u32::MAX / 2);
        assert_eq!(text, "50 %: 120 blobs, 34.5 MiB, 6.9 MiB/s, 1 faults");
    }

    #[test]
    fn a_run_goes_on_where_one_of_its_kind_has_stopped() {
        let folder = tempfile::tempdir().expect("a folder");
        let watch = |quick, resume| Watch::new(folder.path(), asked(quick, resume));
        assert_eq!(watch(false, true).resumed(), Ok(None), "there is none");
        let so_far = Verified { blobs: 3, bytes: 60, faults: 1, ..Verified::default() };
        let progress = Progress { so_far, after: Some(Digest::of(b"x")) };
        watch(false, false).advance(progress);
        assert_eq!(watch(false, false).resumed(), Ok(None), "nobody asked for it");
        assert_eq!(watch(false, true).resumed(), Ok(Some(progress)));
        assert!(watch(true, true).resumed().is_err(), "a quick run has read nothing");
        watch(false, true).end(false);
        assert_eq!(watch(false, true).resumed(), Ok(Some(progress)));
        watch(false, true).end(true);
        assert_eq!(watch(false, true).resumed(), Ok(None), "it came to its end");
    }
}
