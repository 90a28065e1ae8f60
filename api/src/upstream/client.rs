//! The guarded HTTP client, and the ecosystem's authorities through it.
//!
//! Requests are built from nothing: no header of a client goes upstream, no cookie is kept, no proxy is taken
//! from the environment. Redirects are followed here and not in the HTTP library, so that each hop passes the
//! same checks as the first, and that a credential goes no further than the origin it is for. Trust in
//! certificates is the platform's (on Linux `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured) and that in the file
//! of the configuration.
//!
//! *Bounds*: [`UpstreamLimits`]. *Errors*: [`UpstreamError`]; its texts may hold addresses and are for the
//! log.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use keeper_core::failpoint;
use keeper_core::source::HostPattern;
use keeper_core::upstream::{Authorities, AuthoritySource, AuthoritySpec, UpstreamError};
use metrics::{counter, histogram};
use reqwest::{Certificate, Client, Proxy, Response, Url, redirect};
use tokio::sync::Semaphore;

use super::breaker::Breakers;
use super::credentials::{Credential, Vault};
use super::guard::{Guard, GuardedResolver, NetworkAllow, Refused};
use super::limits::UpstreamLimits;

/// Counts the keepers a request has passed; two that are each other's upstream would ask for ever.
pub const HOPS: HeaderName = HeaderName::from_static("x-artifact-keeper-hops");

/// What the configuration says about the way out.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// What is open besides the public network.
    pub allow: NetworkAllow,
    /// Whether the public network is not open.
    pub is_closed: bool,
    /// The proxy that all requests go through. Names are looked up there, so that address rules are its duty.
    pub proxy: Option<Url>,
    /// Certificates to trust besides the platform's.
    pub authorities: Vec<Certificate>,
}

/// The only way out. Clones share connections and bounds.
#[derive(Debug, Clone)]
pub struct GuardedClient(Arc<Inner>, Option<Arc<Proof>>);

/// The certificates of a PEM file, at least one.
///
/// # Errors
/// What is wrong with it.
pub fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    let found = Certificate::from_pem_bundle(pem).map_err(|error| error.to_string())?;
    if found.is_empty() { Err("it holds no certificate".to_owned()) } else { Ok(found) }
}

#[derive(Debug)]
struct Inner {
    /// Two clients, because a resolver is not told the scheme, and http may reach less than https.
    secure: Scheme,
    insecure: Scheme,
    limits: UpstreamLimits,
    turns: Mutex<HashMap<String, Weak<Semaphore>>>,
    breakers: Breakers,
    vault: Option<Arc<Vault>>,
}

/// A credential and the origin that it is for.
#[derive(Debug, Clone)]
pub(super) struct Proof {
    pub(super) origin: String,
    pub(super) header: HeaderValue,
}

#[derive(Debug)]
struct Scheme {
    guard: Guard,
    client: Client,
}

impl Scheme {
    fn new(guard: Guard, network: &Network, limits: &UpstreamLimits) -> Result<Self, reqwest::Error> {
        let guard = if network.proxy.is_some() { guard.behind_proxy() } else { guard };
        let guard = if network.is_closed { guard.closed_to_the_public() } else { guard };
        let proxy_host = network.proxy.as_ref().and_then(|proxy| proxy.host_str().map(str::to_owned));
        let builder = Client::builder()
            .user_agent(concat!("artifact-keeper/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(GuardedResolver { guard: guard.clone(), proxy_host }))
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .tls_certs_merge(network.authorities.iter().cloned())
            .connect_timeout(limits.connect_timeout);
        let builder = match &network.proxy {
            Some(proxy) => builder.proxy(Proxy::all(proxy.clone())?),
            None => builder,
        };
        Ok(Self { guard, client: builder.build()? })
    }
}

/// What a request says besides its address.
#[derive(Debug, Clone, Default)]
pub(super) struct Saying {
    /// Headers for whoever answers in the end.
    pub(super) headers: HeaderMap,
    /// What proves us; for the origin of the first address only.
    pub(super) authorization: Option<HeaderValue>,
    /// Where redirects may lead besides the first address's host; `None` is everywhere.
    pub(super) redirect_hosts: Option<Arc<[HostPattern]>>,
}

impl Saying {
    /// Headers of one that has passed so many keepers.
    pub(super) fn after(hops: u32) -> Self {
        let headers = HeaderMap::from_iter([
            (HOPS, HeaderValue::from(hops)),
            // What is compressed on the way is larger than it says.
            (header::ACCEPT_ENCODING, HeaderValue::from_static("identity")),
        ]);
        Self { headers, authorization: None, redirect_hosts: None }
    }

    /// Whether a redirect may lead there from a host.
    fn may_lead_to(&self, next: &Url, from: Option<&str>) -> bool {
        let Some(hosts) = &self.redirect_hosts else { return true };
        let host = next.host_str();
        host == from || host.is_some_and(|host| hosts.iter().any(|pattern| pattern.matches(host)))
    }
}

/// Why an exchange came to nothing.
#[derive(Debug)]
pub(super) enum Stopped {
    /// By a rule of ours: it would stop another attempt too.
    Rule(UpstreamError),
    /// By the other side or the way to it.
    Exchange(UpstreamError),
}

impl From<Stopped> for UpstreamError {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Rule(error) | Stopped::Exchange(error) => error,
        }
    }
}

impl GuardedClient {
    /// A client that reaches the public network and what is allowed besides, with the credentials of a vault. Fails
    /// when the platform's certificates cannot be read.
    pub fn new(network: Network, limits: UpstreamLimits, vault: Option<Arc<Vault>>) -> Result<Self, reqwest::Error> {
        // The HTTP library takes the provider of the process; one that is installed already is as good.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        // All outcomes are there from the start, so that the first failure is a rise and not a new series.
        for outcome in OUTCOMES {
            let _there = counter!("keeper_upstream_requests_total", "outcome" => outcome);
        }
        let allow = Arc::new(network.allow.clone());
        let secure = Scheme::new(Guard::secure(allow.clone()), &network, &limits)?;
        let insecure = Scheme::new(Guard::insecure(allow), &network, &limits)?;
        let breakers = Breakers::new(&limits);
        Ok(Self(Arc::new(Inner { secure, insecure, limits, turns: Mutex::default(), breakers, vault }), None))
    }

    /// The same client, which proves itself with this credential to the origin of an address, instead of with a vault.
    ///
    /// # Errors
    /// When the credential cannot stand in a header.
    pub fn proving(self, to: &Url, credential: &Credential) -> Result<Self, String> {
        let header = credential.header_value().ok_or("the password cannot stand in a header")?;
        Ok(Self(self.0, Some(Arc::new(Proof { origin: origin(to), header }))))
    }

    pub(super) fn own_proof(&self) -> Option<&Proof> {
        self.1.as_deref()
    }

    pub(super) fn limits(&self) -> &UpstreamLimits {
        &self.0.limits
    }

    pub(super) fn vault(&self) -> Option<&Vault> {
        self.0.vault.as_deref()
    }

    pub(super) fn breakers(&self) -> &Breakers {
        &self.0.breakers
    }

    /// Whether this address may be reached at all, as far as can be known now: a name that cannot be looked up may
    /// mean something else tomorrow, and is checked again at every connection.
    ///
    /// # Errors
    /// The rule that closes it.
    pub async fn check(&self, url: &Url) -> Result<(), Refused> {
        let guard = &self.scheme(url).guard;
        guard.check_url(url)?;
        match guard.look_up(url.host_str().unwrap_or_default()).await {
            Err(Refused::Unknown(..)) | Ok(_) => Ok(()),
            Err(refused) => Err(refused),
        }
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
    pub(super) async fn get(&self, mut url: Url, saying: &Saying) -> Result<Response, Stopped> {
        let mut refused: fn(String) -> UpstreamError = UpstreamError::Unreachable;
        let (first, first_host) = (url.origin(), url.host_str().map(str::to_owned));
        failpoint!("F40");
        for _ in 0..=self.0.limits.redirects {
            let Scheme { guard, client } = self.scheme(&url);
            guard.check_url(&url).map_err(|why| Stopped::Rule(refused(why.to_string())))?;
            let mut request = client.get(url.clone()).headers(saying.headers.clone());
            if let Some(proof) = saying.authorization.as_ref().filter(|_| url.origin() == first) {
                request = request.header(header::AUTHORIZATION, proof.clone());
            }
            let response = request.send().await.map_err(|error| match by_the_guard(&error) {
                Some(Refused::Unknown(..)) | None => Stopped::Exchange(classify(error)),
                Some(why) => Stopped::Rule(refused(why.to_string())),
            })?;
            let Some(next) = redirect_of(&url, &response).map_err(Stopped::Exchange)? else { return Ok(response) };
            if url.scheme() == "https" && next.scheme() == "http" {
                let why = format!("{} is not https", origin(&next));
                return Err(Stopped::Rule(UpstreamError::RedirectRefused(why)));
            }
            if !saying.may_lead_to(&next, first_host.as_deref()) {
                let why = format!("{} is not among the redirect_hosts", origin(&next));
                return Err(Stopped::Rule(UpstreamError::RedirectRefused(why)));
            }
            refused = UpstreamError::RedirectRefused;
            url = next;
        }
        let why = format!("more than {} redirects", self.0.limits.redirects);
        Err(Stopped::Rule(UpstreamError::RedirectRefused(why)))
    }

    /// A whole document of at most `limit_bytes`.
    async fn document(&self, url: Url, limit_bytes: u64) -> Result<Bytes, UpstreamError> {
        let response = self.get(url, &Saying::after(1)).await?;
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
        ended(fetched.as_ref().map_or_else(outcome, |_| "ok"), began);
        fetched
    }
}

/// How requests end, in figures.
pub(super) const OUTCOMES: [&str; 13] = [
    "ok",
    "left",
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
pub(super) fn outcome(error: &UpstreamError) -> &'static str {
    match error {
        UpstreamError::Absent | UpstreamError::Gone => "absent",
        UpstreamError::Unauthorized(_) => "unauthorized",
        UpstreamError::Resting { .. } => "resting",
        UpstreamError::Loop => "loop",
        UpstreamError::Invalid(_) => "invalid",
        UpstreamError::Forbidden(_) => "forbidden",
        UpstreamError::Unreachable(_) => "unreachable",
        UpstreamError::Timeout => "timeout",
        UpstreamError::TooLarge(_) => "too_large",
        UpstreamError::RedirectRefused(_) => "redirect_refused",
        UpstreamError::Failed(_) => "failed",
    }
}

/// Counts a request that has ended.
pub(super) fn ended(outcome: &'static str, began: Instant) {
    counter!("keeper_upstream_requests_total", "outcome" => outcome).increment(1);
    histogram!("keeper_upstream_request_duration_seconds").record(began.elapsed());
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
pub(super) fn classify(error: reqwest::Error) -> UpstreamError {
    let error = error.without_url();
    if error.is_timeout() {
        return UpstreamError::Timeout;
    }
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    if error.is_connect() { UpstreamError::Unreachable(text) } else { UpstreamError::Failed(text) }
}

pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests;
