//! Turns a denial into an answer that tells no more than the caller may know.
//!
//! On format paths a repository that is absent and one that may not be read get the same answer, and it is
//! never "not found": a package client would go on to the next server with a private name. Only an
//! administrator is told the truth.

use std::sync::Arc;

use super::Keeper;
use crate::access::{
    Action, Denial, Pattern, Permit, Principal, Role, User, authorize, authorize_admin, authorize_grant,
    authorize_some_grants,
};
use crate::error::{Code, Failure, codes};
use crate::repository::{FormatKey, Repository, RepositoryAddress, RepositoryId, RepositoryName};

/// Names of readable repositories that a refusal lists at most.
const NAMES_SHOWN: usize = 5;

/// Characters of a caller's text that a refusal repeats at most.
const ECHO_CHARACTERS: usize = 60;

impl Keeper {
    /// The repository of a format path with the permit for it. Does the same work whether it is there or
    /// not.
    ///
    /// # Errors
    /// `login_required`, `repository_unavailable`, or for administrators `repository_not_found`.
    pub async fn enter(
        &self,
        who: &Principal,
        format: &FormatKey,
        name: &str,
        action: Action,
    ) -> Result<(Arc<Repository>, Permit), Failure> {
        let found = match RepositoryName::try_from(name) {
            Ok(name) => {
                let address = RepositoryAddress { format: format.clone(), name };
                self.ports.repositories.find(&address).await?
            }
            Err(_) => None,
        };
        if let Some(repository) = &found {
            match authorize(who, action, repository) {
                Ok(permit) => return Ok((repository.clone(), permit)),
                Err(denial @ Denial::Refused { .. }) => {
                    return Err(self.denied_in_api(&repository.address, &denial));
                }
                Err(Denial::LoginRequired | Denial::Hidden) => {}
            }
        } else if authorize_admin(who).is_ok() {
            return Err(not_found(&format!("{format}/{}", echo(name))));
        }
        Err(self.closed(who, &format!("{format}/{}", echo(name))).await?)
    }

    /// The repository that an API call names, with the permit for it.
    ///
    /// # Errors
    /// Strangers get `login_required` for absent and private ones alike, others `repository_not_found` for
    /// absent and hidden ones alike.
    pub async fn enter_api(
        &self,
        who: &Principal,
        address: &RepositoryAddress,
        action: Action,
    ) -> Result<(Arc<Repository>, Permit), Failure> {
        let found = self.ports.repositories.find(address).await?;
        let denial = match &found {
            Some(repository) => match authorize(who, action, repository) {
                Ok(permit) => return Ok((repository.clone(), permit)),
                Err(denial) => denial,
            },
            None if matches!(who, Principal::Anonymous) => Denial::LoginRequired,
            None => Denial::Hidden,
        };
        Err(self.denied_in_api(address, &denial))
    }

    /// The repositories that a principal may read, in order of address.
    ///
    /// # Errors
    /// What the store reports.
    pub async fn readable(&self, who: &Principal) -> Result<Vec<Arc<Repository>>, Failure> {
        let mut all = self.ports.repositories.list().await?;
        all.retain(|repository| authorize(who, Action::Read, repository).is_ok());
        Ok(all)
    }

    /// What an API caller is told of a denial.
    pub(super) fn denied_in_api(&self, address: &RepositoryAddress, denial: &Denial) -> Failure {
        match denial {
            Denial::LoginRequired => {
                Failure::new(&codes::LOGIN_REQUIRED, format!("\"{address}\" does not exist or needs a login"))
            }
            Denial::Hidden => not_found(&address.to_string()),
            Denial::Refused { action, has } => refused(*action, &address.to_string(), has),
        }
    }

    /// The one answer for a format path whose repository is absent or may not be read.
    async fn closed(&self, who: &Principal, shown: &str) -> Result<Failure, Failure> {
        let readable = self.readable(who).await?;
        let names: Vec<_> =
            readable.iter().take(NAMES_SHOWN).map(|repository| repository.address.to_string()).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Ok(match who {
            Principal::Anonymous => Failure::new(
                &codes::LOGIN_REQUIRED,
                format!("\"{shown}\" does not exist or needs a login; readable without one: {names}"),
            ),
            Principal::User(_) => Failure::new(
                &codes::REPOSITORY_UNAVAILABLE,
                format!("repository \"{shown}\" does not exist or this credential may not read it"),
            )
            .hint(format!("Check the name in the address; this credential reads: {names}")),
        })
    }
}

/// The answer to those who may not administer the instance.
pub(crate) fn admin_refused(denial: &Denial) -> Failure {
    match denial {
        Denial::Refused { action, has } => refused(*action, "this instance", has),
        Denial::LoginRequired | Denial::Hidden => {
            Failure::new(&codes::LOGIN_REQUIRED, "this needs a login as an administrator")
        }
    }
}

impl Keeper {
    /// Asks for the right to administer the instance.
    ///
    /// # Errors
    /// `login_required` or `admin_required`.
    pub fn require_admin(&self, who: &Principal) -> Result<(), Failure> {
        authorize_admin(who).map_err(|denial| admin_refused(&denial))
    }

    /// Asks for the right to give or take a role on these repositories.
    ///
    /// # Errors
    /// `login_required`, or the denial of the action that is missing.
    pub fn require_grant(&self, who: &Principal, repositories: &Pattern, role: Role) -> Result<(), Failure> {
        authorize_grant(who, repositories, role).map_err(|denial| match &denial {
            Denial::Refused { action, has } => refused(*action, repositories.as_str(), has),
            Denial::LoginRequired | Denial::Hidden => admin_refused(&denial),
        })
    }

    /// Asks for the right to manage any repository.
    ///
    /// # Errors
    /// `login_required` or `manage_denied`.
    pub fn require_some_grants(&self, who: &Principal) -> Result<(), Failure> {
        authorize_some_grants(who).map_err(|denial| match &denial {
            Denial::Refused { action, has } => refused(*action, "some repository", has),
            Denial::LoginRequired | Denial::Hidden => admin_refused(&denial),
        })
    }

    /// Asks for somebody who is known.
    ///
    /// # Errors
    /// `login_required`.
    pub fn require_user<'a>(&self, who: &'a Principal) -> Result<&'a User, Failure> {
        match who {
            Principal::User(user) => Ok(user),
            Principal::Anonymous => Err(Failure::new(&codes::LOGIN_REQUIRED, "this needs a login")),
        }
    }
}

/// The store's keys of repositories.
pub(super) fn ids(of: &[Arc<Repository>]) -> Vec<RepositoryId> {
    of.iter().map(|repository| repository.id).collect()
}

/// The repository of that key.
pub(super) fn holder(among: Vec<Arc<Repository>>, id: RepositoryId) -> Option<Arc<Repository>> {
    among.into_iter().find(|repository| repository.id == id)
}

/// The one answer for something (`package 019…`) that is absent or in a repository that may not be read.
pub(super) fn hidden(who: &Principal, code: &'static Code, what: &str) -> Failure {
    match who {
        Principal::Anonymous => Failure::new(&codes::LOGIN_REQUIRED, format!("{what} does not exist or needs a login")),
        Principal::User(_) => Failure::new(code, format!("there is no {what}")),
    }
}

fn refused(action: Action, on: &str, has: &str) -> Failure {
    let has = if has.is_empty() { "nothing there" } else { has };
    Failure::new(action.denial(), format!("this needs \"{}\" on \"{on}\"; this credential has: {has}", action.as_str()))
}

fn not_found(shown: &str) -> Failure {
    Failure::new(&codes::REPOSITORY_NOT_FOUND, format!("repository \"{shown}\" does not exist"))
}

/// A caller's text, safe to repeat: names are ASCII, so all else is escaped, and cut.
fn echo(text: &str) -> String {
    let escaped: String = text.chars().flat_map(char::escape_default).collect();
    match escaped.char_indices().nth(ECHO_CHARACTERS) {
        Some((at, _)) => format!("{}…", &escaped[..at]),
        None => escaped,
    }
}
