//! The command line: what is typed, parsed into an [`Invocation`].
//!
//! Shape: `artifact-keeper [VERB] [--flags]`; without a verb it is `serve`. Every setting but the secrets is a
//! flag of `serve`, `config` and `migrate`; the flags are made of the table of settings.
//!
//! Errors: wrong usage ends the program with code 2 and the nearest word (clap).

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::admin_socket::Request;
use crate::config::Overrides;
use crate::import::Order;

pub mod backup;
pub mod config;
mod exit;
pub mod import;
pub mod output;
mod settings;
pub mod token;
pub mod upkeep;
pub mod verify;

pub use exit::Exit;
use settings::Flags;

/// What the program is asked to do.
#[derive(Debug)]
pub struct Invocation {
    /// The verb.
    pub verb: Verb,
    /// The file named by `--config`.
    pub file: Option<PathBuf>,
    /// The settings given as flags.
    pub overrides: Overrides,
}

/// The verbs.
#[derive(Debug)]
pub enum Verb {
    /// Run the server.
    Serve {
        /// Forget the secrets whose key is lost.
        reset_secrets: bool,
    },
    /// Show or check the configuration.
    Config {
        /// Only check.
        check: bool,
    },
    /// Bring the database up to date.
    Migrate {
        /// Only say whether it is.
        check: bool,
    },
    /// Look after users and tokens in the data folder.
    Administer {
        /// What is asked for.
        request: Request,
        /// Print what was asked for and nothing else.
        quiet: bool,
    },
    /// Run the collector.
    Gc {
        /// Remove what it finds.
        confirm: bool,
        /// Print JSON.
        json: bool,
    },
    /// Verify everything that is stored.
    Verify(verify::Asked),
    /// Copy everything that is kept, or write down what was published.
    Backup(backup::Kept),
    /// Make a data folder of a copy.
    Restore {
        /// The folder of the copy.
        from: PathBuf,
        /// The journal of what was published since.
        reserve_from: Option<PathBuf>,
    },
    /// Take versions over from elsewhere.
    Import {
        /// What is to be taken.
        order: Box<Order>,
        /// Print JSON lines.
        json: bool,
    },
    /// Print the API's document.
    OpenApi,
    /// Print the page of errors.
    ErrorPage,
}

#[derive(Debug, Parser)]
#[command(name = "artifact-keeper", version)]
#[command(about = "A self-hosted platform for packages: Go modules, files and more, in one program")]
#[command(after_help = settings::first_help(), after_long_help = settings::long_help())]
struct Line {
    /// Forget the credentials of upstreams whose key is lost, and start
    #[arg(long)]
    reset_secrets: bool,
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    verb: Option<VerbLine>,
}

#[derive(Debug, Subcommand)]
enum VerbLine {
    /// Run the server (what happens without a verb)
    #[command(
        after_help = "Example:\n  artifact-keeper serve --listen 0.0.0.0:8080 --data-dir /var/lib/artifact-keeper"
    )]
    Serve {
        /// Forget the credentials of upstreams whose key is lost, and start
        #[arg(long)]
        reset_secrets: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Print the settings in effect and where each comes from; secrets are masked
    #[command(
        after_help = "Examples:\n  artifact-keeper config\n  KEEPER_LISTEN=0.0.0.0:8080 artifact-keeper config --check"
    )]
    Config {
        /// Print nothing but mistakes: all of them, each with a good example
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Bring the database up to date; the server also does it when it starts
    #[command(after_help = "Example:\n  artifact-keeper migrate --check --data-dir /var/lib/artifact-keeper")]
    Migrate {
        /// Change nothing; only say what would be done
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Make, list and revoke tokens, on the machine of the server
    #[command(subcommand)]
    Token(TokenLine),
    /// Look after users, on the machine of the server
    #[command(subcommand)]
    User(UserLine),
    /// Tell which stored files no version needs any more, or remove them; the server may be running or not
    #[command(
        after_help = "Examples:\n  artifact-keeper gc              # only tells\n  artifact-keeper gc --confirm    # removes, also \
        what the server found suspiciously much"
    )]
    Gc(upkeep::Gc),
    /// Verify that everything stored is there and unchanged; the server may be running or not
    #[command(
        after_help = "Examples:\n  artifact-keeper verify\n  artifact-keeper verify --quick --json > findings.jsonl\n  \
        artifact-keeper verify --rate 64MiB\n  artifact-keeper verify --resume\n  \
        artifact-keeper verify --repair-orphans\n\n\
        Exit codes: 0 no fault; 5 faults, one line each; 1 it could not be done"
    )]
    Verify(verify::Verify),
    /// Copy database and stored files to a folder; the server may be running or not
    #[command(
        after_help = "Examples:\n  artifact-keeper backup --to /backup/monday\n  artifact-keeper backup --to /backup/tuesday \
        --base /backup/monday\n  artifact-keeper backup --journal /elsewhere/keeper.journal    # every minute, say"
    )]
    Backup(backup::Backup),
    /// Make a data folder of a copy; the folder must be empty
    #[command(
        after_help = "Examples:\n  artifact-keeper restore --from /backup/monday --data-dir /var/lib/artifact-keeper\n  \
        artifact-keeper restore --from /backup/monday --reserve-from /elsewhere/keeper.journal"
    )]
    Restore(backup::Restore),
    /// Take versions over from another server, its disk or a tool's cache; the server may be running or not
    ///
    /// Every file is kept byte for byte, so that sums which users have stay true. What is there already is compared and
    /// not taken again: the same command goes on where another one ended.
    #[command(
        after_help = "Examples:\n  artifact-keeper import --from ~/go/pkg/mod/cache/download --to go/local \\\n    \
        --only 'github.com/yourcompany/*' --dry-run\n  artifact-keeper import --from https://athens.corp.example \
        --to go/local \\\n    --go-sum service/go.sum --allow-network athens.corp.example\n  artifact-keeper import \
        --from /srv/athens --to go/local\n\n\
        Folders: what the go command keeps (GOMODCACHE/cache/download), and the disk storage of Athens.\n\
        Exit codes: 0 everything was taken or is there; 5 something was refused, one line each; 1 it could not be done"
    )]
    Import(import::Import),
    /// Print the OpenAPI document of the HTTP API
    #[command(name = "openapi", after_help = "Example:\n  artifact-keeper openapi > openapi.json")]
    OpenApi,
    /// Print the user guide's page of errors, in Markdown
    #[command(name = "errors", hide = true)]
    ErrorPage,
}

#[derive(Debug, Subcommand)]
enum TokenLine {
    /// Make a token and print it; the server may be running or not
    #[command(
        after_help = "Examples:\n  artifact-keeper token create --name ci --actions read,publish --repositories 'go/*'\n  \
        TOKEN=$(artifact-keeper token create --quiet --name ci --actions publish \\\n            \
        --repositories go/local --packages 'corp.example/*' --expires 30d)"
    )]
    Create(token::Create),
    /// List tokens: id, first characters, user, name, actions, repositories, end, last use
    #[command(after_help = "Example:\n  artifact-keeper token list --user ci")]
    List {
        /// Only those of this user
        #[arg(long)]
        user: Option<String>,
        #[command(flatten)]
        folder: token::Folder,
    },
    /// Revoke a token; it counts no more from the next request on
    #[command(after_help = "Example:\n  artifact-keeper token revoke 0199a3b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b")]
    Revoke {
        /// Its id, as 'token list' shows it
        id: String,
        #[command(flatten)]
        folder: token::Folder,
    },
}

#[derive(Debug, Subcommand)]
enum UserLine {
    /// Give a person a new password, generated, and print it; for those who are locked out
    #[command(name = "set-password", after_help = "Example:\n  artifact-keeper user set-password admin")]
    SetPassword {
        /// The login
        user: String,
        #[command(flatten)]
        folder: token::Folder,
    },
}

/// The flags of a verb that reads the whole configuration.
#[derive(Debug, Default, Args)]
struct Settings {
    /// Read this file instead of artifact-keeper.toml in the current folder
    #[arg(long = "config", value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

/// Parses the command line; wrong usage, `--help` and `--version` end the program here.
#[must_use]
pub fn parse() -> Invocation {
    Line::parse().into()
}

/// Parses these words, the first of which is the program's name.
///
/// # Errors
/// clap's, which holds text and exit code.
pub fn parse_from<I: IntoIterator<Item = T>, T: Into<std::ffi::OsString> + Clone>(
    words: I,
) -> Result<Invocation, clap::Error> {
    Line::try_parse_from(words).map(Into::into)
}

impl From<Line> for Invocation {
    fn from(Line { reset_secrets: outer_reset, settings: outer, verb }: Line) -> Self {
        let (verb, inner) = match verb {
            None => (Verb::Serve { reset_secrets: outer_reset }, Settings::default()),
            Some(VerbLine::Serve { reset_secrets, settings }) => {
                (Verb::Serve { reset_secrets: reset_secrets || outer_reset }, settings)
            }
            Some(VerbLine::Config { check, settings }) => (Verb::Config { check }, settings),
            Some(VerbLine::Migrate { check, settings }) => (Verb::Migrate { check }, settings),
            Some(VerbLine::Token(TokenLine::Create(create))) => create.into_verb(),
            Some(VerbLine::Token(TokenLine::List { user, folder })) => folder.verb(Request::TokenList { user }),
            Some(VerbLine::Token(TokenLine::Revoke { id, folder })) => folder.verb(Request::TokenRevoke { id }),
            Some(VerbLine::User(UserLine::SetPassword { user, folder })) => {
                folder.verb(Request::UserSetPassword { user })
            }
            Some(VerbLine::Gc(gc)) => gc.into_verb(),
            Some(VerbLine::Verify(verify)) => verify.into_verb(),
            Some(VerbLine::Backup(backup)) => backup.into_verb(),
            Some(VerbLine::Restore(restore)) => restore.into_verb(),
            Some(VerbLine::Import(import)) => import.into_verb(),
            Some(VerbLine::OpenApi) => (Verb::OpenApi, Settings::default()),
            Some(VerbLine::ErrorPage) => (Verb::ErrorPage, Settings::default()),
        };
        // Flags may stand before and behind the verb.
        Self { verb, file: inner.file.or(outer.file), overrides: outer.flags.0.and(inner.flags.0) }
    }
}

#[cfg(test)]
mod tests;
