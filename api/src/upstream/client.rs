//! The guarded HTTP client, and the ecosystem's authorities through it.
//!
//! Requests are built from nothing: no header of a client goes upstream, no cookie is kept, no proxy is taken
//! from the environment. Redirects are followed here and not in the HTTP library, so that each hop passes the
//! same checks as the first. Trust in certificates is the platform's: on Linux `SSL_CERT_FILE` and
//! `SSL_CERT_DIR` are honoured.
//!
//! *Bounds*: [`UpstreamLimits`]. *Errors*: [`UpstreamError`]; its texts may hold addresses and are for the
//! log.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use keeper_core::repository::RepositoryId;
use keeper_core::source::Remote;
use keeper_core::upstream::{
    Authorities, AuthoritySource, AuthoritySpec, Fetched, UpstreamError, UpstreamHealth, UpstreamRequest, Upstreams,
};
use metrics::{counter, histogram};
use reqwest::{Client, Response, Url, redirect};
use tokio::sync::Semaphore;

use super::guard::{Guard, GuardedResolver, NetworkAllow, Refused};

/// Counts the keepers a request has passed; two that are each other's upstream would ask for ever.
pub const HOPS: HeaderName = HeaderName::from_static("x-artifact-keeper-hops");

/// The bounds of outgoing requests.
#[derive(Debug, Clone)]
pub struct UpstreamLimits {
    /// For the name look-up, the connection and TLS.
    pub connect_timeout: Duration,
    /// For a document of an authority, all redirects and the wait for a turn together.
    pub authority_timeout: Duration,
    /// Redirects of one request.
    pub redirects: usize,
    /// Requests to one host at once; the others wait within their time.
    pub per_host: usize,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            authority_timeout: Duration::from_secs(30),
            redirects: 5,
            per_host: 32,
        }
    }
}

/// The only way out. Clones share connections and bounds.
#[derive(Debug, Clone)]
pub struct GuardedClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Two clients, because a resolver is not told the scheme, and http may reach less than https.
    secure: Scheme,
    insecure: Scheme,
    limits: UpstreamLimits,
    turns: Mutex<HashMap<String, Weak<Semaphore>>>,
}

#[derive(Debug)]
struct Scheme {
    guard: Guard,
    client: Client,
}

impl Scheme {
    fn new(guard: Guard, limits: &UpstreamLimits) -> Result<Self, reqwest::Error> {
        let headers = HeaderMap::from_iter([(HOPS, HeaderValue::from_static("1"))]);
        let client = Client::builder()
            .user_agent(concat!("artifact-keeper/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .dns_resolver(Arc::new(GuardedResolver(guard.clone())))
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(limits.connect_timeout)
            .build()?;
        Ok(Self { guard, client })
    }
}

impl GuardedClient {
    /// A client that reaches the public network and what `allow` opens. Fails when the platform's
    /// certificates cannot be read.
    pub fn new(allow: NetworkAllow, limits: UpstreamLimits) -> Result<Self, reqwest::Error> {
        // The HTTP library takes the provider of the process; one that is installed already is as good.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        // All outcomes are there from the start, so that the first failure is a rise and not a new series.
        for outcome in OUTCOMES {
            let _there = counter!("keeper_upstream_requests_total", "outcome" => outcome);
        }
        let allow = Arc::new(allow);
        let secure = Scheme::new(Guard::secure(allow.clone()), &limits)?;
        let insecure = Scheme::new(Guard::insecure(allow), &limits)?;
        Ok(Self(Arc::new(Inner { secure, insecure, limits, turns: Mutex::default() })))
    }

    fn scheme(&self, url: &Url) -> &Scheme {
        if url.scheme() == "http" { &self.0.insecure } else { &self.0.secure }
    }

    /// The turns of one host. Hosts come from settings, and one that nobody asks any more is forgotten.
    fn turns(&self, host: &str) -> Arc<Semaphore> {
        let mut turns = self.0.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = turns.get(host).and_then(Weak::upgrade) {
            return known;
        }
        turns.retain(|_, known| known.strong_count() > 0);
        let new = Arc::new(Semaphore::new(self.0.limits.per_host));
        turns.insert(host.to_owned(), Arc::downgrade(&new));
        new
    }

    /// Asks `url`, follows redirects, and gives the answer that is none.
    async fn get(&self, mut url: Url) -> Result<Response, UpstreamError> {
        let mut refused: fn(String) -> UpstreamError = UpstreamError::Unreachable;
        for _ in 0..=self.0.limits.redirects {
            let Scheme { guard, client } = self.scheme(&url);
            guard.check_url(&url).map_err(|why| refused(why.to_string()))?;
            let sent = client.get(url.clone()).send().await;
            let response = sent.map_err(|error| match by_the_guard(&error) {
                Some(why) => refused(why.to_string()),
                None => classify(error),
            })?;
            let Some(next) = redirect_of(&url, &response)? else { return Ok(response) };
            if url.scheme() == "https" && next.scheme() == "http" {
                return Err(UpstreamError::RedirectRefused(format!("{} is not https", origin(&next))));
            }
            refused = UpstreamError::RedirectRefused;
            url = next;
        }
        Err(UpstreamError::RedirectRefused(format!("more than {} redirects", self.0.limits.redirects)))
    }

    /// A whole document of at most `limit_bytes`.
    async fn document(&self, url: Url, limit_bytes: u64) -> Result<Bytes, UpstreamError> {
        let response = self.get(url).await?;
        match response.status() {
            StatusCode::OK => read(response, limit_bytes).await,
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(UpstreamError::Absent),
            StatusCode::FORBIDDEN => Err(UpstreamError::Forbidden("403".to_owned())),
            status => Err(UpstreamError::Failed(format!("{} from {}", status.as_u16(), origin(response.url())))),
        }
    }
}

impl Authorities for GuardedClient {
    fn authority(&self, spec: &AuthoritySpec) -> Arc<dyn AuthoritySource> {
        let base = Url::parse(&spec.url).ok();
        let host = base.as_ref().and_then(Url::host_str).unwrap_or_default();
        Arc::new(GuardedAuthority { turns: self.turns(host), client: self.clone(), base })
    }
}

#[async_trait]
impl Upstreams for GuardedClient {
    async fn fetch(&self, _request: &UpstreamRequest<'_>) -> Result<Fetched, UpstreamError> {
        Err(UpstreamError::Unreachable("not yet".to_owned()))
    }

    fn health(&self, _of: RepositoryId, _remote: &Remote) -> Vec<UpstreamHealth> {
        Vec::new()
    }
}

/// One authority, reached through the client.
struct GuardedAuthority {
    client: GuardedClient,
    /// `None` when the settings name what is no URL.
    base: Option<Url>,
    turns: Arc<Semaphore>,
}

impl GuardedAuthority {
    /// `path` below the base, or an error when it would lead elsewhere.
    fn url(&self, path: &str) -> Result<Url, UpstreamError> {
        let unreachable = |why: &str| UpstreamError::Unreachable(why.to_owned());
        let base = self.base.as_ref().ok_or_else(|| unreachable("the authority's address is no URL"))?;
        if base.query().is_some() || base.fragment().is_some() {
            return Err(unreachable("the authority's address holds a query or a fragment"));
        }
        let folder = base.as_str().trim_end_matches('/');
        let url = Url::parse(&format!("{folder}{path}")).map_err(|_| unreachable("the path makes no URL"))?;
        // The parser resolves dot segments, so what it gives back says where the path really leads.
        let stays = path.starts_with('/') && url.origin() == base.origin() && url.as_str().starts_with(folder);
        if stays && url.as_str()[folder.len()..] == *path {
            return Ok(url);
        }
        Err(unreachable("the path leads out of the authority's address"))
    }
}

#[async_trait]
impl AuthoritySource for GuardedAuthority {
    async fn fetch(&self, path: &str, limit_bytes: u64) -> Result<Bytes, UpstreamError> {
        let url = self.url(path)?;
        let fetch = async {
            let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
            self.client.document(url, limit_bytes).await
        };
        let (timeout, began) = (self.client.0.limits.authority_timeout, Instant::now());
        let fetched = tokio::time::timeout(timeout, fetch).await.unwrap_or(Err(UpstreamError::Timeout));
        counter!("keeper_upstream_requests_total", "outcome" => outcome(&fetched)).increment(1);
        histogram!("keeper_upstream_request_duration_seconds").record(began.elapsed());
        fetched
    }
}

/// How requests end, in figures.
const OUTCOMES: [&str; 12] = [
    "ok",
    "absent",
    "forbidden",
    "unauthorized",
    "unreachable",
    "timeout",
    "too_large",
    "redirect_refused",
    "resting",
    "loop",
    "invalid",
    "failed",
];

/// How a request ended, one of [`OUTCOMES`].
fn outcome(fetched: &Result<Bytes, UpstreamError>) -> &'static str {
    match fetched {
        Ok(_) => "ok",
        Err(UpstreamError::Absent | UpstreamError::Gone) => "absent",
        Err(UpstreamError::Unauthorized(_)) => "unauthorized",
        Err(UpstreamError::Resting { .. }) => "resting",
        Err(UpstreamError::Loop) => "loop",
        Err(UpstreamError::Invalid(_)) => "invalid",
        Err(UpstreamError::Forbidden(_)) => "forbidden",
        Err(UpstreamError::Unreachable(_)) => "unreachable",
        Err(UpstreamError::Timeout) => "timeout",
        Err(UpstreamError::TooLarge(_)) => "too_large",
        Err(UpstreamError::RedirectRefused(_)) => "redirect_refused",
        Err(UpstreamError::Failed(_)) => "failed",
    }
}

/// Where an answer sends us, if it does.
fn redirect_of(from: &Url, response: &Response) -> Result<Option<Url>, UpstreamError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let next = location.and_then(|location| from.join(location).ok());
    next.map(Some).ok_or_else(|| UpstreamError::Failed(format!("a redirect without a place from {}", origin(from))))
}

/// Reads to the end, and stops at the byte that is too many.
async fn read(mut response: Response, limit_bytes: u64) -> Result<Bytes, UpstreamError> {
    if response.content_length().is_some_and(|announced| announced > limit_bytes) {
        return Err(UpstreamError::TooLarge(limit_bytes));
    }
    let mut document = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(classify)? {
        if (document.len() + chunk.len()) as u64 > limit_bytes {
            return Err(UpstreamError::TooLarge(limit_bytes));
        }
        document.extend_from_slice(&chunk);
    }
    Ok(document.freeze())
}

/// The rule of ours that stopped an exchange, if one did: it comes through the name look-up.
fn by_the_guard(error: &reqwest::Error) -> Option<&Refused> {
    std::iter::successors(error.source(), |error| (*error).source()).find_map(|error| error.downcast_ref::<Refused>())
}

/// What a failed exchange means. The URL is left out: settings may one day hold credentials in it.
fn classify(error: reqwest::Error) -> UpstreamError {
    let error = error.without_url();
    if error.is_timeout() {
        return UpstreamError::Timeout;
    }
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    if error.is_connect() { UpstreamError::Unreachable(text) } else { UpstreamError::Failed(text) }
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests;
