//! The outgoing network: upstreams for remote repositories, authorities for formats; guarded.
//!
//! A format never holds an address that came from a request: it names an authority that the repository's
//! settings name, and the platform's one client fetches a path below it. What a remote repository asks its
//! upstreams for is a path that the format made of what it understood.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use jiff::Timestamp;

use crate::artifact::StoreError;
use crate::documents::KeptDocument;
use crate::error::{Code, Failure, codes};
use crate::repository::RepositoryId;
use crate::source::{Remote, UpstreamUrl};

/// An authority as a repository's settings name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AuthoritySpec {
    /// The name clients use for it.
    pub name: String,
    /// Its base address, `https://…`, without a trailing slash.
    pub url: String,
}

/// What the outgoing network can report. Texts may hold addresses: they are for the log only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// It answered 404.
    #[error("the upstream has no such document")]
    Absent,
    /// It answered 410.
    #[error("the upstream has no such document any more")]
    Gone,
    /// It refused us.
    #[error("the upstream refused: {0}")]
    Forbidden(String),
    /// It does not accept our credentials, or wants some.
    #[error("the upstream refused the stored credentials, or wants some: {0}")]
    Unauthorized(String),
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
    /// It asks to be left alone for so many seconds, or we leave it alone after repeated trouble.
    #[error("the upstream is left alone for {retry_after_s} s")]
    Resting {
        /// Seconds after which it is worth another try.
        retry_after_s: u32,
    },
    /// The request has passed too many servers like this one.
    #[error("the request goes round in a circle of servers")]
    Loop,
    /// An answer that cannot be one: a status without sense, a broken header.
    #[error("the upstream sent something invalid: {0}")]
    Invalid(String),
    /// Any other answer, and one that broke off.
    #[error("the upstream answered: {0}")]
    Failed(String),
}

impl UpstreamError {
    /// Whether it is an answer and no trouble: there is no such thing.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Absent | Self::Gone)
    }

    /// What a caller is told.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        match self {
            Self::Absent | Self::Gone => &codes::NOT_FOUND,
            Self::Forbidden(_) => &codes::UPSTREAM_FORBIDDEN,
            Self::Unauthorized(_) => &codes::UPSTREAM_AUTH,
            Self::Unreachable(_) => &codes::UPSTREAM_UNREACHABLE,
            Self::Timeout => &codes::UPSTREAM_TIMEOUT,
            Self::TooLarge(_) => &codes::UPSTREAM_TOO_LARGE,
            Self::RedirectRefused(_) => &codes::UPSTREAM_REDIRECT_REFUSED,
            Self::Resting { .. } => &codes::UPSTREAM_OPEN,
            Self::Loop => &codes::PROXY_LOOP,
            Self::Invalid(_) => &codes::UPSTREAM_INVALID,
            Self::Failed(_) => &codes::UPSTREAM_ERROR,
        }
    }
}

impl From<UpstreamError> for Failure {
    fn from(error: UpstreamError) -> Self {
        let code = error.code();
        let failure = Self::new(code, code.title);
        match error {
            UpstreamError::Resting { retry_after_s } => failure.retry_after(retry_after_s),
            error => failure.caused_by(error),
        }
    }
}

/// By what the sender of a document tells whether it changed. Sent back as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// The entity tag, with its quotes.
    pub etag: Option<String>,
    /// The date of the last change.
    pub last_modified: Option<String>,
}

/// A question to one source of a remote repository.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamRequest<'a> {
    /// Who asks, for credentials, bounds and figures.
    pub repository: RepositoryId,
    /// Its settings.
    pub remote: &'a Remote,
    /// Which source.
    pub url: &'a UpstreamUrl,
    /// What below it: raw, percent-encoded, without a leading slash.
    pub path: &'a str,
    /// What is here already.
    pub known: Option<&'a Validators>,
    /// Bytes of the answer at most.
    pub limit_bytes: u64,
    /// How many servers like this one the question has passed, this one included.
    pub hops: u32,
}

/// The bytes of an answer on their way. It ends well only when all that was announced has come, and with
/// [`UpstreamError::TooLarge`] when more than was asked for comes.
pub type UpstreamStream = Pin<Box<dyn Stream<Item = Result<Bytes, UpstreamError>> + Send>>;

/// An upstream's answer.
pub enum Fetched {
    /// What is known has not changed.
    NotModified,
    /// Here it is.
    Body {
        /// By what the upstream will tell whether it changed.
        validators: Validators,
        /// Seconds for which the upstream lets it be believed, if it says so.
        max_age_s: Option<u32>,
        /// How many bytes it is to have, if the upstream says so.
        announced_bytes: Option<u64>,
        /// The bytes.
        stream: UpstreamStream,
    },
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotModified => f.write_str("NotModified"),
            Self::Body { validators, .. } => {
                f.debug_struct("Body").field("validators", validators).finish_non_exhaustive()
            }
        }
    }
}

/// How a source fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamHealth {
    /// The source.
    pub url: UpstreamUrl,
    /// Whether it is left alone after repeated trouble, and until when.
    pub resting_until: Option<Timestamp>,
    /// The last trouble, in the words of its code, and when.
    pub last_trouble: Option<(&'static str, Timestamp)>,
    /// The last answer that was one.
    pub last_answer_at: Option<Timestamp>,
}

/// The sources of remote repositories. Address rules, credentials, time limits, retries and the decision to leave a
/// source alone are inside.
#[async_trait]
pub trait Upstreams: Send + Sync {
    /// Asks one source. Nothing of the caller's own request goes out.
    async fn fetch(&self, request: &UpstreamRequest<'_>) -> Result<Fetched, UpstreamError>;

    /// How the sources of a repository fare, in the order of the chain.
    fn health(&self, of: RepositoryId, remote: &Remote) -> Vec<UpstreamHealth>;
}

/// An authority of the ecosystem (Go: a checksum database) as the network gives it.
#[async_trait]
pub trait AuthoritySource: Send + Sync {
    /// The document at `path` (begins with `/`, already escaped) below the authority's address.
    async fn fetch(&self, path: &str, limit_bytes: u64) -> Result<Bytes, UpstreamError>;
}

/// Makes authorities reachable: address rules, limits and credentials are inside.
pub trait Authorities: Send + Sync {
    /// The authority that a repository's settings name.
    fn authority(&self, spec: &AuthoritySpec) -> Arc<dyn AuthoritySource>;
}

/// An authority as a format sees it: the network, and what was kept of it.
#[async_trait]
pub trait Authority: Send + Sync {
    /// The document at `path` (begins with `/`, already escaped), from the network. Nothing is kept.
    async fn fetch(&self, path: &str, limit_bytes: u64) -> Result<Bytes, UpstreamError>;

    /// What was kept under a name.
    async fn recall(&self, name: &str) -> Result<Option<KeptDocument>, StoreError>;

    /// Keeps a document that was found good.
    async fn keep(&self, name: &str, body: Bytes) -> Result<(), StoreError>;

    /// Keeps `new` if what is there has the bytes `old`; compare and swap.
    async fn replace(&self, name: &str, old: Option<&[u8]>, new: Bytes) -> Result<bool, StoreError>;
}
