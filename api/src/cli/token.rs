//! `token create`, `token list`, `token revoke`, `user set-password`: what the owner of the data folder may ask for.
//!
//! A new secret goes to stdout alone, everything said about it to stderr: `TOKEN=$(artifact-keeper token create …)`
//! works as it is, and `--quiet` only leaves out the talk.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::{Exit, Settings, Verb, output};
use crate::admin_socket::administration::TokenLine;
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

/// Where the data is, for verbs that work on it.
#[derive(Debug, Args)]
pub(super) struct Folder {
    /// The data folder of the server [KEEPER_DATA_DIR] [default: ./keeper-data]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// Read this file instead of artifact-keeper.toml in the current folder
    #[arg(long = "config", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Folder {
    /// The verb that asks for this.
    pub(super) fn verb(self, request: Request) -> (Verb, Settings) {
        let folder = self.data_dir.into_iter();
        let flags = folder.fold(Overrides::default(), |flags, folder| flags.with("data_dir", folder));
        (Verb::Administer { request, quiet: false }, Settings { file: self.file, flags: Flags(flags) })
    }
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
        let verb = Verb::Administer { request: Request::TokenCreate(request), quiet: self.quiet };
        (verb, Settings { file: self.file, flags: Flags(flags) })
    }
}

/// Checks the request, has it done, and prints what came of it. `offline` does it in the data folder itself; it
/// answers `None` when a server holds the folder, which is then asked through its socket.
pub async fn run<F>(request: Request, quiet: bool, data_dir: &Path, offline: impl FnOnce(Arc<Request>) -> F) -> Exit
where
    F: Future<Output = Result<Option<Reply>, (Exit, String)>>,
{
    if let Request::TokenCreate(request) = &request
        && let Err(faults) = request.check(jiff::Timestamp::now())
    {
        for fault in faults {
            output::stderr(&fault);
        }
        return Exit::Usage;
    }
    let request = Arc::new(request);
    let reply = match offline(request.clone()).await {
        Ok(Some(reply)) => Ok(reply),
        Ok(None) => {
            let socket = crate::datadir::admin_socket(data_dir);
            admin_socket::call(&socket, &request).await.map_err(|error| (Exit::InUse, error.to_string()))
        }
        Err(error) => Err(error),
    };
    match reply {
        Ok(reply) => print(&reply, quiet),
        Err((exit, reason)) => {
            output::stderr(&reason);
            exit
        }
    }
}

fn print(reply: &Reply, quiet: bool) -> Exit {
    let text = match reply {
        Reply::Refused { reason } => {
            output::stderr(reason);
            return Exit::Failed;
        }
        Reply::TokenCreated(created) => return print_token(created, quiet),
        Reply::Tokens { tokens } => tokens.iter().map(line).collect(),
        Reply::TokenRevoked => {
            output::stderr("The token counts no more.");
            String::new()
        }
        Reply::PasswordSet { password } => {
            output::stderr("All sessions of the user ended. The new password is shown this once:");
            format!("{password}\n")
        }
        Reply::Collected(_)
        | Reply::Finding(_)
        | Reply::Verifying(_)
        | Reply::Verified(_)
        | Reply::BackedUp(_)
        | Reply::Journaled(_)
        | Reply::Import(_)
        | Reply::Imported(_)
        | Reply::Working => {
            output::stderr("the server answered something else");
            return Exit::Failed;
        }
    };
    output::stdout(&text).map_or(Exit::Failed, |()| Exit::Fine)
}

/// A token in one line, its columns separated by tabs.
fn line(token: &TokenLine) -> String {
    let TokenLine { id, display, name, user, actions, repositories, expires_at, used_at } = token;
    let day = |at: &Option<jiff::Timestamp>| at.map_or("never".to_owned(), |at| at.strftime("%Y-%m-%d").to_string());
    let (ends, used) = (day(expires_at), day(used_at));
    format!("{id}\t{display}\t{user}\t{name}\t{actions}\t{repositories}\tends {ends}\tused {used}\n")
}

fn print_token(created: &TokenCreated, quiet: bool) -> Exit {
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
