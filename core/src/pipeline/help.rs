//! Help for those who use a format's client, with the address and the rights of the one who asks.
//!
//! What is said is the format's; here it is decided of which repositories, and what the caller may do there.

use std::sync::Arc;

use super::Keeper;
use crate::access::{Action, Principal, authorize};
use crate::artifact::PackageName;
use crate::error::{Failure, codes};
use crate::format::{DoctorTarget, Finding, FormatHandler, SetupTarget, SetupText, Severity};
use crate::identity::{Login, TokenRecord, Window};
use crate::limits::{PAGE_LIMIT_MAX, PRIVATE_PATTERNS};
use crate::redaction::redact;
use crate::repository::{FormatKey, Repository, RepositoryAddress};
use crate::visits::Visit;

/// Where a caller reaches this server.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    server_url: &'a str,
    own_authority: bool,
}

impl<'a> Place<'a> {
    /// The address as the caller knows it, without a slash at its end, and whether its certificate is signed by
    /// the server's own authority.
    ///
    /// # Errors
    /// `invalid_host` for an address that would not stay one when it is pasted into a shell. Where any `Host` is
    /// answered, the address is the caller's own text.
    pub fn new(server_url: &'a str, own_authority: bool) -> Result<Self, Failure> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/[]".contains(&byte);
        if !server_url.bytes().all(plain) {
            return Err(Failure::new(&codes::INVALID_HOST, "the address of this server holds unusual characters"));
        }
        Ok(Self { server_url, own_authority })
    }

    pub(super) fn url_of(&self, repository: &RepositoryAddress) -> String {
        format!("{}/{repository}", self.server_url)
    }

    fn target<'t>(&'t self, who: &Principal, repository: &'t Repository, repository_url: &'t str) -> SetupTarget<'t> {
        SetupTarget {
            private_packages: &[],
            server_url: self.server_url,
            repository_url,
            repository: repository.address.name.as_str(),
            kind: repository.kind(),
            private: !repository.anonymous_read,
            may_publish: authorize(who, Action::Publish, repository).is_ok(),
            own_authority: self.own_authority,
            settings: &repository.settings,
        }
    }
}

/// How a caller gets to a repository.
#[derive(Debug)]
pub struct Setup {
    /// The repository.
    pub repository: Arc<Repository>,
    /// Its address as the caller knows it.
    pub repository_url: String,
    /// Whether requests travel encrypted.
    pub https: bool,
    /// Whether reading needs a credential.
    pub credential_needed: bool,
    /// Whether the caller may publish.
    pub may_publish: bool,
    /// The format's texts.
    pub texts: Vec<SetupText>,
}

/// The last read of a package client of somebody's.
#[derive(Debug)]
pub struct Seen {
    /// The token that it came with.
    pub token: TokenRecord,
    /// When it came, what it asked for, and whether it got that.
    pub visit: Visit,
}

/// What a client's settings are like.
#[derive(Debug)]
pub struct Diagnosis {
    /// The repository that the client shall use.
    pub repository: Arc<Repository>,
    /// Its address as the caller knows it.
    pub repository_url: String,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// Whether nothing keeps the client from using the repository.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Error)
    }
}

/// Patterns go into texts of many languages, so only what means nothing in any of them may be in one.
fn check_patterns(handler: &dyn FormatHandler, patterns: &[String]) -> Result<(), Failure> {
    let refused = |detail: String| Failure::new(&codes::INVALID_QUERY, detail).field("private");
    if patterns.len() > PRIVATE_PATTERNS {
        return Err(refused(format!("at most {PRIVATE_PATTERNS} patterns can be given")));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/[]*?^@+".contains(&byte);
    for pattern in patterns {
        if !pattern.bytes().all(plain) {
            return Err(refused("a pattern holds unusual characters; github.com/yourcompany is a good one".to_owned()));
        }
        handler.check_pattern(pattern).map_err(|why| refused(format!("{pattern:?}: {why}")))?;
    }
    Ok(())
}

impl Keeper {
    /// The set-up texts for a repository that the caller may read; `private` are patterns of the packages that are
    /// private to him, none for those that the settings know.
    ///
    /// # Errors
    /// As [`enter_api`](Self::enter_api); `invalid_query` for a pattern that the format does not read.
    pub async fn setup(
        &self,
        who: &Principal,
        at: &RepositoryAddress,
        place: &Place<'_>,
        private: &[String],
    ) -> Result<Setup, Failure> {
        let (repository, _permit) = self.enter_api(who, at, Action::Read).await?;
        let handler = self.handler(at)?;
        check_patterns(handler.as_ref(), private)?;
        let repository_url = place.url_of(at);
        let target = SetupTarget { private_packages: private, ..place.target(who, &repository, &repository_url) };
        let texts = handler.setup(&target);
        let (https, credential_needed, may_publish) = (target.is_https(), target.private, target.may_publish);
        Ok(Setup { repository, repository_url, https, credential_needed, may_publish, texts })
    }

    /// The last read of a repository with one of the caller's tokens, whatever became of it. `None` where this process
    /// remembers none.
    ///
    /// # Errors
    /// As [`enter_api`](Self::enter_api).
    pub async fn seen(&self, who: &Principal, at: &RepositoryAddress) -> Result<Option<Seen>, Failure> {
        let (repository, _permit) = self.enter_api(who, at, Action::Read).await?;
        let Principal::User(user) = who else { return Ok(None) };
        let Ok(owner) = Login::try_from(user.login.as_str()) else { return Ok(None) };
        let visited = |token: TokenRecord| {
            let visit = self.visits.last(token.id, repository.id)?;
            let path = format!("/{at}{}", redact(&visit.path));
            Some(Seen { token, visit: Visit { path, ..visit } })
        };
        let mut last: Option<Seen> = None;
        let mut window = Window { after: None, limit: PAGE_LIMIT_MAX };
        loop {
            let page = self.ports.identity.tokens(Some(&owner), window).await?;
            window.after = page.items.last().map(|token| token.id.0);
            let seen = page.items.into_iter().filter_map(visited);
            last = last.into_iter().chain(seen).max_by_key(|seen| seen.visit.at);
            if !page.more {
                return Ok(last);
            }
        }
    }

    /// Judges a client's settings against a repository that the caller may read. The report is not kept.
    ///
    /// # Errors
    /// As [`enter_api`](Self::enter_api); what the format says of the report.
    pub async fn doctor(
        &self,
        who: &Principal,
        at: &RepositoryAddress,
        package: Option<&PackageName>,
        report: &str,
        place: &Place<'_>,
    ) -> Result<Diagnosis, Failure> {
        let (repository, _permit) = self.enter_api(who, at, Action::Read).await?;
        let siblings = self.readable(who).await?.into_iter().filter(|one| one.address.format == at.format);
        let readable: Vec<_> = siblings.map(|one| place.url_of(&one.address)).collect();
        let repository_url = place.url_of(at);
        let target = place.target(who, &repository, &repository_url);
        let target = DoctorTarget { repository: target, readable: &readable, package };
        let findings = self.handler(at)?.doctor(report, &target)?;
        Ok(Diagnosis { repository, repository_url, findings })
    }

    /// The repository of a format that is meant when none is named: the one that uploads go to, else the first that
    /// the caller may read.
    ///
    /// # Errors
    /// `login_required` for strangers and `repository_not_found` for others who may read none.
    pub async fn usual(&self, who: &Principal, format: &FormatKey) -> Result<RepositoryAddress, Failure> {
        let mut readable = self.readable(who).await?;
        readable.retain(|one| one.address.format == *format);
        let usual = readable.iter().find(|one| one.default_upload).or(readable.first());
        usual.map(|one| one.address.clone()).ok_or_else(|| {
            let code = match who {
                Principal::Anonymous => &codes::LOGIN_REQUIRED,
                Principal::User(_) => &codes::REPOSITORY_NOT_FOUND,
            };
            Failure::new(code, format!("no repository of the format {format} can be read with this credential"))
        })
    }

    pub(super) fn handler(&self, at: &RepositoryAddress) -> Result<&Arc<dyn FormatHandler>, Failure> {
        self.ports.registry.named(at.format.as_str()).map(|(_, handler)| handler)
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn an_address_that_a_shell_would_read_is_refused() {
        for good in ["https://h.example", "http://[::1]:8080", "https://h.example:8443/below"] {
            assert!(Place::new(good, false).is_ok(), "{good}");
        }
        for bad in ["http://h$(x)", "http://a b", "http://a'b", "http://a;b", "http://a\"", "http://a`b`", "http://é"]
        {
            assert!(Place::new(bad, false).is_err(), "{bad}");
        }
    }
}
