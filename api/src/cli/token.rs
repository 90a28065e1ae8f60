//! `token create`.
//!
//! The token goes to stdout alone, everything said about it to stderr: `TOKEN=$(artifact-keeper token create …)`
//! works as it is, and `--quiet` only leaves out the talk.

use std::future::Future;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Exit, Settings, Verb, output};
use crate::admin_socket::token_create::{NewTokenRequest, TokenCreated};
use crate::admin_socket::{self, Reply, Request};
use crate::cli::settings::Flags;
use crate::config::Overrides;
use crate::config::first_start::ADMINISTRATOR;

/// The words of `token create`.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// What the token is for
    #[arg(long)]
    name: String,
    /// What it may do: read, publish, delete, manage, admin
    #[arg(long, required = true, value_delimiter = ',', value_name = "ACTIONS")]
    actions: Vec<String>,
    /// Where: 'go/local', 'go/*', '*'
    #[arg(long, required = true, value_delimiter = ',', value_name = "PATTERNS")]
    repositories: Vec<String>,
    /// Which packages it may publish or delete: 'corp.example/*' [default: all]
    #[arg(long, value_delimiter = ',', value_name = "PATTERNS")]
    packages: Option<Vec<String>>,
    /// When it ends: 1d to 366d, or never
    #[arg(long, default_value = "90d", value_name = "DAYS")]
    expires: String,
    /// The user it acts for
    #[arg(long, default_value = ADMINISTRATOR)]
    user: String,
    /// Print the token and nothing else
    #[arg(long, short)]
    quiet: bool,
    /// The data folder of the server [KEEPER_DATA_DIR] [default: ./keeper-data]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// Read this file instead of artifact-keeper.toml in the current folder
    #[arg(long = "config", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Create {
    pub(super) fn into_verb(self) -> (Verb, Settings) {
        let request = NewTokenRequest {
            name: self.name,
            actions: self.actions,
            repositories: self.repositories,
            packages: self.packages,
            expires: self.expires,
            user: self.user,
        };
        let folder = self.data_dir.into_iter();
        let flags = folder.fold(Overrides::default(), |flags, folder| flags.with("data_dir", folder));
        (Verb::TokenCreate { request, quiet: self.quiet }, Settings { file: self.file, flags: Flags(flags) })
    }
}

/// Checks the request, has it done, and prints the token. `create` makes the token in the data folder itself;
/// it answers `None` when a server holds the folder, which is then asked through its socket.
pub async fn run<F>(
    request: NewTokenRequest,
    quiet: bool,
    data_dir: &Path,
    create: impl FnOnce(NewTokenRequest) -> F,
) -> Exit
where
    F: Future<Output = Result<Option<TokenCreated>, (Exit, String)>>,
{
    if let Err(faults) = request.check(jiff::Timestamp::now()) {
        for fault in faults {
            output::stderr(&fault);
        }
        return Exit::Usage;
    }
    let created = match create(request.clone()).await {
        Ok(Some(created)) => Ok(created),
        Ok(None) => ask(data_dir, request).await,
        Err(error) => Err(error),
    };
    match created {
        Ok(created) => print(&created, quiet),
        Err((exit, reason)) => {
            output::stderr(&reason);
            exit
        }
    }
}

async fn ask(data_dir: &Path, request: NewTokenRequest) -> Result<TokenCreated, (Exit, String)> {
    let socket = crate::datadir::admin_socket(data_dir);
    match admin_socket::call(&socket, &Request::TokenCreate(request)).await {
        Ok(Reply::TokenCreated(created)) => Ok(created),
        Ok(Reply::Refused { reason }) => Err((Exit::Failed, reason)),
        Ok(_) => Err((Exit::Failed, "the server answered something else".to_owned())),
        Err(error) => Err((Exit::InUse, error.to_string())),
    }
}

fn print(created: &TokenCreated, quiet: bool) -> Exit {
    for warning in &created.warnings {
        output::stderr(&format!("warning: {warning}"));
    }
    if !quiet {
        output::stderr(&summary(created));
    }
    output::stdout(&format!("{}\n", created.token)).map_or(Exit::Failed, |()| Exit::Fine)
}

fn summary(created: &TokenCreated) -> String {
    let TokenCreated { name, user, actions, repositories, packages, expires_at, .. } = created;
    let packages = packages.as_ref().map(|list| format!(", packages {}", list.join(", "))).unwrap_or_default();
    let ends = expires_at.map_or_else(|| "never ends".to_owned(), |at| format!("ends {}", at.strftime("%Y-%m-%d")));
    format!(
        "Token {name:?} of {user}: {actions} on {}{packages}; {ends}. It is shown this once:",
        repositories.join(", ")
    )
}
