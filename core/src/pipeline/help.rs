//! Help for those who use a format's client, with the address and the rights of the one who asks.
//!
//! What is said is the format's; here it is decided of which repositories, and what the caller may do there.

use std::sync::Arc;

use super::Keeper;
use crate::access::{Action, Principal, authorize};
use crate::error::{Failure, codes};
use crate::format::{FormatHandler, SetupTarget, SetupText};
use crate::repository::{Repository, RepositoryAddress};

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

    fn url_of(&self, repository: &RepositoryAddress) -> String {
        format!("{}/{repository}", self.server_url)
    }

    fn target<'t>(&'t self, who: &Principal, repository: &'t Repository, repository_url: &'t str) -> SetupTarget<'t> {
        SetupTarget {
            server_url: self.server_url,
            repository_url,
            repository: repository.address.name.as_str(),
            kind: repository.kind,
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

impl Keeper {
    /// The set-up texts for a repository that the caller may read.
    ///
    /// # Errors
    /// As [`enter_api`](Self::enter_api).
    pub async fn setup(&self, who: &Principal, at: &RepositoryAddress, place: &Place<'_>) -> Result<Setup, Failure> {
        let (repository, _permit) = self.enter_api(who, at, Action::Read).await?;
        let repository_url = place.url_of(at);
        let target = place.target(who, &repository, &repository_url);
        let texts = self.handler(at)?.setup(&target);
        let (https, credential_needed, may_publish) = (target.is_https(), target.private, target.may_publish);
        Ok(Setup { repository, repository_url, https, credential_needed, may_publish, texts })
    }

    fn handler(&self, at: &RepositoryAddress) -> Result<&Arc<dyn FormatHandler>, Failure> {
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
