//! `import`: in the data folder itself, or through the server that holds it.
//!
//! What was not taken goes to stdout, one line each, and the sum of it all; how far it is goes to stderr.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use clap::Args;

use super::upkeep::{Here, MISUNDERSTOOD, Place, ask, line, refuse};
use super::{Exit, Settings, Verb, output};
use crate::admin_socket::{Reply, Request};
use crate::config::Config;
use crate::import::{Imported, Order, Progress, Report, Told};

/// Between two lines about the progress, where they are kept.
const LINE_PERIOD: Duration = Duration::from_secs(5);

/// The words of `import`.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// Where the versions are: the address of a server (https://…), or a folder, which the server must be able to read
    #[arg(long, value_name = "ADDRESS|FOLDER")]
    from: String,
    /// The repository that takes them: go/local
    #[arg(long, value_name = "FORMAT/NAME")]
    to: String,
    /// A file with the sums that users have; a version with another sum is refused. Of a server, the modules that it
    /// names are taken
    #[arg(long = "go-sum", alias = "sums", value_name = "FILE")]
    sums: Vec<PathBuf>,
    /// Take only this module, or this version of it: example.com/m, example.com/m@v1.2.3
    #[arg(long = "module", alias = "package", value_name = "MODULE[@VERSION]")]
    named: Vec<String>,
    /// Take only modules of this pattern: 'github.com/yourcompany/*'
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// Take only versions that --module or --go-sum name, not all that the place has of these modules
    #[arg(long)]
    named_only: bool,
    /// A network or host that may be reached besides public ones: 10.20.0.0/16, athens.corp.example
    #[arg(long = "allow-network", value_name = "NETWORK|HOST")]
    allow: Vec<String>,
    /// The user that the server knows
    #[arg(long, requires = "password_file")]
    user: Option<String>,
    /// A file that holds the password or token for the server
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Ask the server again about versions that were taken from it before: they never change, so they are else passed
    /// over
    #[arg(long)]
    check: bool,
    /// Check everything and keep nothing; print what would be taken
    #[arg(long)]
    dry_run: bool,
    /// Print lines of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Import {
    pub(super) fn into_verb(self) -> (Verb, Settings) {
        let is_address = self.from.contains("://");
        let order = Order {
            from: if is_address { self.from } else { absolute(Path::new(&self.from)).display().to_string() },
            to: self.to,
            sums: self.sums.iter().map(|file| absolute(file)).collect(),
            only: self.only,
            named: self.named,
            named_only: self.named_only,
            allow: self.allow,
            user: self.user,
            password_file: self.password_file.as_deref().map(absolute),
            check: self.check,
            dry_run: self.dry_run,
        };
        (Verb::Import { order: Box::new(order), json: self.json }, self.place.into_settings())
    }
}

/// The server's working folder is another one.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Takes over, through the server that holds the folder or without one.
pub async fn import(config: &Config, order: Order, json: bool) -> Exit {
    let printer = Printer::new(json);
    let imported = match Here::open(config).await {
        Ok(Some(here)) => here.import(config, &order, &printer).await,
        Ok(None) => {
            let print = |reply| {
                if let Reply::Import(told) = reply {
                    printer.print(&told);
                }
            };
            match ask(config, Request::Import(Box::new(order)), print).await {
                Ok(Reply::Imported(imported)) => Ok(imported),
                Ok(_) => Err((Exit::Failed, MISUNDERSTOOD.to_owned())),
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    };
    printer.end();
    match imported {
        Ok(imported) => summary(&imported, json),
        Err((exit, reason)) => refuse(exit, &reason),
    }
}

fn summary(imported: &Imported, json: bool) -> Exit {
    let Imported { taken, there, refused, without_sums, bytes, dry_run } = imported;
    let printed = if json {
        line(imported)
    } else {
        let verb = if *dry_run { "would take over" } else { "taken over" };
        let text = format!(
            "{verb}: {taken}\nthere already: {there}\nrefused: {refused}\nwithout a known sum: {without_sums}\n\
             read: {bytes} bytes\n"
        );
        output::stdout(&text).map_or(Exit::Failed, |()| Exit::Fine)
    };
    if *refused > 0 { Exit::Faults } else { printed }
}

/// Prints what is told on the way.
struct Printer {
    json: bool,
    is_terminal: bool,
    /// When the progress was shown last, and what is known of it.
    shown: Mutex<(Option<Instant>, Option<Progress>)>,
}

impl Printer {
    fn new(json: bool) -> Self {
        Self { json, is_terminal: std::io::stderr().is_terminal(), shown: Mutex::default() }
    }

    fn print(&self, told: &Told) -> bool {
        match told {
            Told::Progress(progress) => {
                self.progress(progress);
                true
            }
            told if self.json => line(told) == Exit::Fine,
            Told::Refused { what, code, reason } => {
                output::stdout(&format!("refused {what}: {reason} ({code})\n")).is_ok()
            }
            Told::Would { what } => output::stdout(&format!("would take {what}\n")).is_ok(),
        }
    }

    fn progress(&self, progress: &Progress) {
        let mut shown = self.shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shown.1 = Some(progress.clone());
        if self.is_terminal {
            // Over the line before.
            output::stderr_over(&told(progress));
        } else if shown.0.is_none_or(|at| at.elapsed() >= LINE_PERIOD) {
            output::stderr(&told(progress));
            shown.0 = Some(Instant::now());
        }
    }

    /// The last word about it.
    fn end(&self) {
        let shown = self.shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(progress) = &shown.1 {
            let lead = if self.is_terminal { "\r" } else { "" };
            output::stderr(&format!("{lead}{}", told(progress)));
        }
    }
}

#[async_trait]
impl Report for Printer {
    async fn tell(&self, told: Told) -> bool {
        self.print(&told)
    }
}

/// `120 versions, 34.5 MiB, 5.6 MiB/s: example.com/m@v1.2.3`
fn told(progress: &Progress) -> String {
    let Progress { so_far, elapsed_ms, current } = progress;
    let versions = so_far.taken + so_far.there + so_far.refused;
    let mebibytes = so_far.bytes as f64 / f64::from(1024 * 1024);
    let rate = mebibytes * 1000.0 / (*elapsed_ms).max(1) as f64;
    format!("{versions} versions, {mebibytes:.1} MiB, {rate:.1} MiB/s: {current}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_one_line() {
        let so_far = Imported { taken: 100, there: 20, bytes: 36_175_872, ..Imported::default() };
        let progress = Progress { so_far, elapsed_ms: 5_000, current: "example.com/m@v1.2.3".to_owned() };
        assert_eq!(told(&progress), "120 versions, 34.5 MiB, 6.9 MiB/s: example.com/m@v1.2.3");
    }
}
