//! Questions to the sources of remote repositories.
//!
//! ```text
//! breaker ─▶ GET, redirects followed ─▶ what the status means ─▶ the body as it comes
//!    ▲                                        │
//!    └── a wait, where repeating may help ◀───┘    at most twice, before any byte, within a budget
//! ```
//!
//! | the source says | it means |
//! |---|---|
//! | 200 | the bytes |
//! | 304 to our validators | unchanged |
//! | 404; 403 where the settings say so | absent |
//! | 410 | gone |
//! | 401, 407; 403, 451 | it refuses our credentials; it refuses us |
//! | 429 or 503 with `Retry-After` of a few seconds | that is waited for |
//! | the same with a longer one | come back later |
//! | 204, 206, 304 to no validators, an encoding nobody asked for | nonsense: asked once more |
//! | 5xx, a broken connection | trouble: repeated |

use std::time::{Duration, Instant};

use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use keeper_core::repository::RepositoryId;
use keeper_core::source::Remote;
use keeper_core::upstream::{Fetched, UpstreamError, UpstreamHealth, UpstreamRequest, Upstreams, Validators};
use metrics::counter;
use reqwest::{Response, Url};
use tokio::time::{Instant as Moment, timeout};

use super::body::{Account, Body};
use super::breaker::whole_seconds;
use super::client::{GuardedClient, Saying, Stopped, ended, origin, outcome};
use super::credentials::Unproven;
use super::limits::UpstreamLimits;
use super::resume::Resumable;

/// Keepers that a request may pass.
const HOPS_MAX: u32 = 5;
/// Bytes of the body of a refusal that are read, so that its connection can be used again.
const REFUSAL_BYTES: usize = 64 * 1024;
/// How long that may take.
const REFUSAL_TIME: Duration = Duration::from_secs(2);
/// Bytes of a validator; a longer one is not worth sending back.
const VALIDATOR_BYTES: usize = 512;
/// What 429 means when it names no time.
const TOO_MANY: Duration = Duration::from_secs(30);

#[async_trait]
impl Upstreams for GuardedClient {
    async fn fetch(&self, request: &UpstreamRequest<'_>) -> Result<Fetched, UpstreamError> {
        let began = Instant::now();
        let fetched = self.ask(request, began).await;
        match &fetched {
            // Its body tells how it ends.
            Ok(Fetched::Body { .. }) => {}
            Ok(Fetched::NotModified) => ended("ok", began),
            Err(UpstreamError::TooLarge(_)) => {}
            Err(error) => ended(outcome(error), began),
        }
        fetched
    }

    fn health(&self, _of: RepositoryId, remote: &Remote) -> Vec<UpstreamHealth> {
        let health = |url: &keeper_core::source::UpstreamUrl| {
            let standing = self.breakers().standing(&origin(url.as_url()));
            UpstreamHealth {
                url: url.clone(),
                resting_until: standing.and_then(|standing| standing.resting_until),
                last_trouble: standing.and_then(|standing| standing.last_trouble),
                last_answer_at: standing.and_then(|standing| standing.last_answer_at),
            }
        };
        remote.chain.sources().iter().map(|source| health(&source.url)).collect()
    }
}

/// What one attempt came to.
enum Attempt {
    /// An answer that counts.
    Answer(Response),
    /// What no attempt will change.
    Final(UpstreamError),
    /// An answer that cannot be one.
    Nonsense(UpstreamError),
    /// Trouble that may pass.
    Trouble(UpstreamError),
    /// It asks for a pause.
    Later(Duration),
}

impl GuardedClient {
    async fn ask(&self, request: &UpstreamRequest<'_>, began: Instant) -> Result<Fetched, UpstreamError> {
        if request.hops > HOPS_MAX {
            return Err(UpstreamError::Loop);
        }
        let outside = || UpstreamError::Invalid("the path leads out of the upstream's address".to_owned());
        let plain = |url: &Url| url.query().is_none() && url.fragment().is_none();
        let url = request.url.join(request.path).filter(plain).ok_or_else(outside)?;
        let mut saying = Saying::after(request.hops);
        let known = request.known.filter(|known| **known != Validators::default());
        conditions(known, &mut saying.headers);
        saying.authorization = self.proof(request).await?;
        saying.redirect_hosts = request.remote.redirect_hosts.as_deref().map(Into::into);
        let limits = self.limits();
        let breaker = self.breakers().of(&origin(&url));
        let (mut retries, mut asked_again, mut conditional) = (0, false, known.is_some());
        let mut trouble = None;
        loop {
            // Whoever was in trouble hears of that, not that meanwhile the upstream is left alone.
            let pass = breaker.enter().map_err(|resting| trouble.take().unwrap_or(resting))?;
            let deadline = Moment::now() + limits.total_timeout;
            let attempt = self.attempt(&url, &saying, conditional, request.remote.forbidden_as_not_found).await;
            let (error, wait) = match attempt {
                Attempt::Answer(response) => {
                    pass.well();
                    if response.status() == StatusCode::NOT_MODIFIED {
                        return Ok(Fetched::NotModified);
                    }
                    let (validators, max_age_s) = (validators(&response), max_age(response.headers()));
                    let announced_bytes = response.content_length();
                    let resumable = Resumable::of(self, &url, &saying, &response);
                    let account = Account { breaker, began, told: false };
                    let stream = Body::of(response, limits, request.limit_bytes, deadline, account)?;
                    let stream = match resumable {
                        Some(request) => request.body(stream),
                        None => stream,
                    };
                    return Ok(Fetched::Body { validators, max_age_s, announced_bytes, stream });
                }
                Attempt::Final(error) => {
                    pass.well();
                    if !error.is_absence() {
                        breaker.note(error.code().name);
                    }
                    return Err(error);
                }
                Attempt::Nonsense(error) => {
                    pass.well();
                    breaker.note(error.code().name);
                    if asked_again {
                        return Err(error);
                    }
                    (asked_again, conditional) = (true, false);
                    conditions(None, &mut saying.headers);
                    continue;
                }
                Attempt::Trouble(error) => {
                    pass.trouble(error.code().name);
                    (error, wait(limits, retries))
                }
                Attempt::Later(wait) => {
                    let error = UpstreamError::Resting { retry_after_s: whole_seconds(wait) };
                    pass.trouble(error.code().name);
                    (error, wait)
                }
            };
            let repeat =
                retries < limits.retries && wait <= limits.patience && !matches!(error, UpstreamError::Timeout);
            if !repeat || !breaker.may_retry() {
                return Err(error);
            }
            retries += 1;
            trouble = Some(error);
            counter!("keeper_upstream_retries_total").increment(1);
            tokio::time::sleep(wait).await;
        }
    }

    /// What proves us to the source that is asked: only the first one's origin ever gets it. Without it nobody is
    /// asked, for a stranger may get another answer.
    async fn proof(&self, request: &UpstreamRequest<'_>) -> Result<Option<HeaderValue>, UpstreamError> {
        let own = origin(request.url.as_url());
        let first = request.remote.chain.sources().first().map(|source| origin(source.url.as_url()));
        if !request.remote.has_credentials || first.as_ref() != Some(&own) {
            return Ok(None);
        }
        if let Some(proof) = self.own_proof() {
            return Ok((proof.origin == own).then(|| proof.header.clone()));
        }
        let header = match self.vault() {
            Some(vault) => vault.header(request.repository, &own).await,
            None => Ok(None),
        };
        let header = header.map_err(|error| match error {
            Unproven::Sealed => UpstreamError::Unauthorized(error.to_string()),
            Unproven::Store(error) => UpstreamError::Failed(format!("the credentials: {error}")),
        })?;
        header.map(Some).ok_or_else(|| UpstreamError::Unauthorized("the stored credentials are missing".to_owned()))
    }

    /// One question and what its answer means.
    async fn attempt(&self, url: &Url, saying: &Saying, conditional: bool, forbidden_is_absent: bool) -> Attempt {
        let answer = timeout(self.limits().first_byte_timeout, self.get(url.clone(), saying)).await;
        let response = match answer {
            Err(_) => return Attempt::Trouble(UpstreamError::Timeout),
            Ok(Err(Stopped::Rule(error))) => return Attempt::Final(error),
            Ok(Err(Stopped::Exchange(error))) => return Attempt::Trouble(error),
            Ok(Ok(response)) => response,
        };
        let Some(attempt) = meaning(&response, conditional, forbidden_is_absent) else {
            return Attempt::Answer(response);
        };
        drain(response).await;
        attempt
    }
}

/// What a head says of an answer that does not count.
fn meaning(response: &Response, conditional: bool, forbidden_is_absent: bool) -> Option<Attempt> {
    let status = response.status();
    let shown = || format!("{} from {}", status.as_u16(), origin(response.url()));
    let retry_after = retry_after(response.headers(), Timestamp::now());
    Some(match (status.as_u16(), retry_after) {
        (200, _) if is_encoded(response.headers()) => {
            Attempt::Nonsense(UpstreamError::Invalid("a content encoding that was not asked for".to_owned()))
        }
        (200, _) => return None,
        (304, _) if conditional => return None,
        (404, _) => Attempt::Final(UpstreamError::Absent),
        (410, _) => Attempt::Final(UpstreamError::Gone),
        (403, _) if forbidden_is_absent => Attempt::Final(UpstreamError::Absent),
        (401 | 407, _) => Attempt::Final(UpstreamError::Unauthorized(shown())),
        (403 | 451, _) => Attempt::Final(UpstreamError::Forbidden(shown())),
        (508, _) => Attempt::Final(UpstreamError::Loop),
        (429, wait) => Attempt::Later(wait.unwrap_or(TOO_MANY)),
        (503, Some(wait)) => Attempt::Later(wait),
        (200..=399, _) => Attempt::Nonsense(UpstreamError::Invalid(shown())),
        (500..=599, _) => Attempt::Trouble(UpstreamError::Failed(shown())),
        _ => Attempt::Final(UpstreamError::Failed(shown())),
    })
}

/// Says what is here already, or nothing of it.
fn conditions(known: Option<&Validators>, headers: &mut HeaderMap) {
    let parts = [
        (header::IF_NONE_MATCH, known.and_then(|known| known.etag.as_deref())),
        (header::IF_MODIFIED_SINCE, known.and_then(|known| known.last_modified.as_deref())),
    ];
    for (name, value) in parts {
        headers.remove(&name);
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_ENCODING).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn validators(response: &Response) -> Validators {
    let text = |name| {
        let value = response.headers().get(name)?.to_str().ok()?;
        (value.len() <= VALIDATOR_BYTES).then(|| value.to_owned())
    };
    Validators { etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) }
}

/// Seconds for which the upstream lets a shared cache believe the answer (RFC 9111, 5.2.2).
fn max_age(headers: &HeaderMap) -> Option<u32> {
    let lines = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let (mut own, mut shared) = (None, None);
    for directive in lines.flat_map(|line| line.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        let seconds = || value.trim().trim_matches('"').parse().ok();
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" | "private" => return Some(0),
            "max-age" => own = seconds(),
            "s-maxage" => shared = seconds(),
            _ => {}
        }
    }
    let age = headers.get(header::AGE).and_then(|value| value.to_str().ok()?.trim().parse().ok()).unwrap_or(0);
    shared.or(own).map(|seconds: u32| seconds.saturating_sub(age))
}

/// How long we are asked to wait (RFC 9110, 10.2.3): seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let then = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(then.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// The wait before a repetition: longer each time, and never the same for all who wait.
fn wait(limits: &UpstreamLimits, retries: u32) -> Duration {
    let (shortest, longest) = limits.retry_waits;
    let span = longest.min(shortest.saturating_mul(4_u32.saturating_pow(retries + 1))).saturating_sub(shortest);
    let share = f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX);
    shortest + span.mul_f64(share)
}

/// Reads the rest of an answer that nobody needs, if that is quick; else its connection is closed.
async fn drain(mut response: Response) {
    let whole = async {
        let mut read = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            read += chunk.len();
            if read > REFUSAL_BYTES {
                break;
            }
        }
    };
    let _closed_if_late = timeout(REFUSAL_TIME, whole).await;
}

#[cfg(test)]
mod tests;
