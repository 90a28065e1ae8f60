//! The outgoing network as formats see it: the ecosystem's authorities, guarded.
//!
//! A format never holds an address that came from a request: it names an authority that the repository's
//! settings name, and the platform's one client fetches a path below it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{Failure, codes};

/// An authority as a repository's settings name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AuthoritySpec {
    /// The name clients use for it.
    pub name: String,
    /// Its base address, `https://…`, without a trailing slash.
    pub url: String,
}

/// What the outgoing network can report. Texts may hold addresses: they are for the log only.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// It answered 404 or 410.
    #[error("the upstream has no such document")]
    Absent,
    /// It refused us.
    #[error("the upstream refused: {0}")]
    Forbidden(String),
    /// Address rules, name look-up, connection or TLS.
    #[error("the upstream cannot be reached: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// More bytes than the stated limit.
    #[error("the upstream sent more than {0} bytes")]
    TooLarge(u64),
    /// It redirects to where we do not go.
    #[error("the upstream redirects to a refused place: {0}")]
    RedirectRefused(String),
    /// Any other answer.
    #[error("the upstream answered: {0}")]
    Failed(String),
}

impl From<UpstreamError> for Failure {
    fn from(error: UpstreamError) -> Self {
        let code = match &error {
            UpstreamError::Absent => &codes::NOT_FOUND,
            UpstreamError::Forbidden(_) => &codes::UPSTREAM_FORBIDDEN,
            UpstreamError::Unreachable(_) => &codes::UPSTREAM_UNREACHABLE,
            UpstreamError::Timeout => &codes::UPSTREAM_TIMEOUT,
            UpstreamError::TooLarge(_) => &codes::UPSTREAM_TOO_LARGE,
            UpstreamError::RedirectRefused(_) => &codes::UPSTREAM_REDIRECT_REFUSED,
            UpstreamError::Failed(_) => &codes::UPSTREAM_ERROR,
        };
        Self::new(code, code.title).caused_by(error)
    }
}

/// An authority of the ecosystem (Go: a checksum database).
#[async_trait]
pub trait Authority: Send + Sync {
    /// The document at `path` (begins with `/`, already escaped) below the authority's address.
    async fn fetch(&self, path: &str, limit_bytes: u64) -> Result<Bytes, UpstreamError>;
}

/// Makes authorities reachable: address rules, limits and credentials are inside.
pub trait Authorities: Send + Sync {
    /// The authority that a repository's settings name.
    fn authority(&self, spec: &AuthoritySpec) -> Arc<dyn Authority>;
}
