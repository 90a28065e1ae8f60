//! First start: the administrator, the bootstrap token, the first repositories.
//!
//! Order: repositories, password file, user, token. Each step may be repeated, so a kill between them loses
//! nothing but a bootstrap token (the last step); the user is what says that first start is over.
//!
//! When an administrator exists, what was given for first start is ignored: changing the environment must not
//! reset a password silently. If it would change something, one warning says so.

use std::io::IsTerminal;
use std::path::PathBuf;

use jiff::Timestamp;
use keeper_core::access::{Action, Actions, Pattern, Scope};
use keeper_core::artifact::StoreError;
use keeper_core::error::Failure;
use keeper_core::identity::{Credential, Directory, Login, NewToken, NewUser, TokenHash};
use keeper_core::plugin::Registry;
use keeper_core::repository::{
    Actor, Deletion, FormatKey, InvalidName, RepositoryAddress, RepositoryDetails, RepositoryKind, RepositoryName,
    RepositoryStore, Settings,
};
use keeper_core::source::{Chain, InvalidChain, Remote, Source, Virtual};

use super::passwords::{self, PasswordError, Passwords, Verdict};
use crate::config::first_start::{ADMINISTRATOR, FirstRepository, FirstSource, REPOSITORIES};
use crate::config::{Config, Secret};
use crate::datadir::DataDir;

/// What the bootstrap token is called in lists. Its own characters are shown nowhere: it may be short.
pub const BOOTSTRAP_TOKEN: &str = "bootstrap";

/// What first start works with.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// Users and tokens.
    pub identity: &'a dyn Directory,
    /// Repositories.
    pub repositories: &'a dyn RepositoryStore,
    /// The formats of this build.
    pub registry: &'a Registry,
    /// Hashes the password.
    pub passwords: &'a Passwords,
}

/// How a generated password reaches somebody.
#[derive(Debug, Clone, Copy)]
pub enum Reveal<'a> {
    /// It is returned, and the caller prints it on the terminal, outside the log.
    Terminal,
    /// It is written to the data folder.
    File(&'a DataDir),
}

impl<'a> Reveal<'a> {
    /// The terminal if there is one, else the data folder.
    #[must_use]
    pub fn here(data: &'a DataDir) -> Self {
        let terminal = std::io::stderr().is_terminal() || std::io::stdout().is_terminal();
        if terminal { Self::Terminal } else { Self::File(data) }
    }
}

/// What first start did.
#[derive(Debug)]
pub struct FirstStart {
    /// The administrator.
    pub administrator: Administrator,
    /// The repositories that were made.
    pub repositories: Vec<MadeRepository>,
    /// Whether the bootstrap token was made.
    pub token: bool,
    /// What an operator should know.
    pub warnings: Vec<String>,
}

/// A repository that first start made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeRepository {
    /// Where.
    pub address: RepositoryAddress,
    /// What kind.
    pub kind: RepositoryKind,
    /// Whether strangers may read it.
    pub open: bool,
    /// The settings that its format gave it.
    pub settings: Settings,
}

/// How the administrator came to be.
#[derive(Debug)]
pub enum Administrator {
    /// There was one: this is no first start.
    Existed,
    /// Made with the given password.
    Given,
    /// Made with this password, to be shown on the terminal once.
    Generated(Secret),
    /// Made with a password that is in this file.
    InFile(PathBuf),
}

/// Why first start failed.
#[derive(Debug, thiserror::Error)]
pub enum FirstStartError {
    /// The store.
    #[error("the database refused: {0}")]
    Store(#[from] StoreError),
    /// The password.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The file of the password.
    #[error("cannot write the first password to {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A first repository has a name that is none: a fault of the build.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A first repository has an upstream that is none: a fault of the build.
    #[error(transparent)]
    Upstream(#[from] InvalidChain),
    /// A format refuses its own defaults: a fault of the build.
    #[error("the format refuses its default settings: {0}")]
    Settings(Failure),
}

/// Makes what is missing.
///
/// # Errors
/// [`FirstStartError`]; a repeat continues.
pub async fn first_start(ports: Ports<'_>, config: &Config, reveal: Reveal<'_>) -> Result<FirstStart, FirstStartError> {
    if ports.identity.has_administrator().await? {
        let warnings = ignored(ports, config).await?.into_iter().collect();
        return Ok(FirstStart { administrator: Administrator::Existed, repositories: vec![], token: false, warnings });
    }
    let mut repositories = Vec::new();
    for first in REPOSITORIES {
        repositories.extend(repository(ports, first, config.first_repositories_are_open()).await?);
    }
    let administrator = administrator(ports, config.admin_password.as_ref(), reveal).await?;
    if let Some(token) = &config.admin_token {
        bootstrap_token(ports.identity, token).await?;
    }
    Ok(FirstStart { administrator, repositories, token: config.admin_token.is_some(), warnings: vec![] })
}

/// One of the first repositories; nothing when it exists or its format is not in this build.
async fn repository(
    ports: Ports<'_>,
    first: &FirstRepository,
    anonymous_read: bool,
) -> Result<Option<MadeRepository>, FirstStartError> {
    let at = address(first)?;
    let Some(handler) = ports.registry.get(&at.format) else {
        return Ok(None);
    };
    let source = source(first.source)?;
    let details = RepositoryDetails {
        default_upload: source == Source::Hosted,
        source,
        description: first.description.to_owned(),
        anonymous_read,
        deletion: Deletion::Tombstone,
        settings: handler.settings(Settings::default()).map_err(FirstStartError::Settings)?,
    };
    match ports.repositories.create(&at, details, &Actor::system()).await {
        Ok(made) => Ok(Some(MadeRepository {
            address: at,
            kind: made.kind(),
            open: anonymous_read,
            settings: made.settings.clone(),
        })),
        Err(StoreError::AlreadyExists) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn source(first: FirstSource) -> Result<Source, FirstStartError> {
    Ok(match first {
        FirstSource::Uploads => Source::Hosted,
        FirstSource::Upstream(url) => Source::Remote(Box::new(Remote::of(Chain::parse(url, false)?))),
        FirstSource::Members(names) => {
            let members = names.iter().map(|name| RepositoryName::try_from(*name)).collect::<Result<_, _>>()?;
            Source::Virtual(Box::new(Virtual { members, ..Virtual::default() }))
        }
    })
}

fn address(first: &FirstRepository) -> Result<RepositoryAddress, InvalidName> {
    Ok(RepositoryAddress { format: FormatKey::try_from(first.format)?, name: RepositoryName::try_from(first.name)? })
}

async fn administrator(
    ports: Ports<'_>,
    given: Option<&Secret>,
    reveal: Reveal<'_>,
) -> Result<Administrator, FirstStartError> {
    let (password, administrator) = match given {
        Some(password) => (password.clone(), Administrator::Given),
        None => {
            let password = passwords::generate()?;
            let administrator = reveal_generated(&password, reveal)?;
            (password, administrator)
        }
    };
    let hash = ports.passwords.hash(&password).await?;
    let administrator_user = NewUser::person(Login::try_from(ADMINISTRATOR)?, true, hash);
    ports.identity.create_user(administrator_user, &Actor::system()).await?;
    Ok(administrator)
}

/// Before the user is made: a kill in between leaves a file without a user, not a user without a password.
fn reveal_generated(password: &Secret, reveal: Reveal<'_>) -> Result<Administrator, FirstStartError> {
    match reveal {
        Reveal::Terminal => Ok(Administrator::Generated(password.clone())),
        Reveal::File(data) => {
            let written = data.write_first_password(password);
            written.map_err(|source| FirstStartError::File { path: data.first_password(), source })?;
            Ok(Administrator::InFile(data.first_password()))
        }
    }
}

async fn bootstrap_token(identity: &dyn Directory, token: &Secret) -> Result<(), FirstStartError> {
    let everywhere = Pattern::parse("*").expect("a lone star is a pattern");
    let new = NewToken {
        hash: TokenHash::of(token.reveal()),
        display: BOOTSTRAP_TOKEN.to_owned(),
        name: BOOTSTRAP_TOKEN.to_owned(),
        owner: Login::try_from(ADMINISTRATOR)?,
        scope: Scope { actions: Actions::from_iter(Action::ALL), repositories: vec![everywhere], packages: None },
        expires_at: None,
    };
    identity.create_token(new, &Actor::system()).await?;
    Ok(())
}

/// The warning about values that are read at first start only and now say something else.
async fn ignored(ports: Ports<'_>, config: &Config) -> Result<Option<String>, FirstStartError> {
    let mut names = Vec::new();
    if let Some(password) = &config.admin_password {
        let stored = ports.identity.password(ADMINISTRATOR).await?;
        if ports.passwords.verify(password, stored).await? == Verdict::Wrong {
            names.push("KEEPER_ADMIN_PASSWORD");
        }
    }
    if let Some(token) = &config.admin_token {
        let known = ports.identity.credential(&TokenHash::of(token.reveal()), Timestamp::now()).await?;
        if !matches!(known, Credential::Valid(_)) {
            names.push("KEEPER_ADMIN_TOKEN");
        }
    }
    if let Some(open) = config.anonymous_read {
        for first in REPOSITORIES {
            let found = ports.repositories.find(&address(first)?).await?;
            if found.is_some_and(|repository| repository.anonymous_read != open) {
                names.push("KEEPER_ANONYMOUS_READ");
                break;
            }
        }
    }
    let warning =
        || format!("{} differs from what is stored and is ignored: it counts at first start only", names.join(", "));
    Ok((!names.is_empty()).then(warning))
}

#[cfg(test)]
pub(super) mod handler;
#[cfg(test)]
mod tests;
