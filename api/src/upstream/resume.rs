//! The rest of a body that broke off.
//!
//! ```text
//! 200, ETag: "x", Content-Length: 50000000      20 000 000 bytes come, and no more
//! GET again, Range: bytes=20000000-, If-Range: "x"
//! 206, Content-Range: bytes 20000000-49999999/50000000      the others
//! ```
//!
//! Only behind a strong entity tag and an announced length: then the rest is of the same bytes, or the upstream says that
//! it has others. Whoever reads sees one body, or the trouble that ended it.
//!
//! Bounds: [`RESUMES`]. Source: RFC 9110, 13.1.5, 14.2 and 15.3.7.

use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use http::{HeaderValue, StatusCode, header};
use keeper_core::upstream::{UpstreamError, UpstreamStream};
use metrics::counter;
use reqwest::{Response, Url};
use tokio::time::{Instant as Moment, timeout};

use super::body::{Account, Body};
use super::client::{GuardedClient, Saying, origin};

/// How often one body is continued.
const RESUMES: u32 = 3;

/// A request whose answer can be continued.
pub(super) struct Resumable {
    client: GuardedClient,
    url: Url,
    saying: Saying,
    etag: HeaderValue,
    total_bytes: u64,
    received: u64,
    left: u32,
}

impl Resumable {
    /// The request behind an answer, if the answer can be continued.
    pub(super) fn of(client: &GuardedClient, url: &Url, saying: &Saying, answer: &Response) -> Option<Self> {
        let etag = answer.headers().get(header::ETAG).filter(|etag| etag.as_bytes().starts_with(b"\""))?;
        Some(Self {
            client: client.clone(),
            url: url.clone(),
            saying: saying.clone(),
            etag: etag.clone(),
            total_bytes: answer.content_length()?,
            received: 0,
            left: RESUMES,
        })
    }

    /// The body, continued where it breaks off.
    pub(super) fn body(self, first: UpstreamStream) -> UpstreamStream {
        Box::pin(stream::unfold(Some((self, first)), |state| async {
            let (mut request, mut body) = state?;
            loop {
                let trouble = match body.next().await? {
                    Ok(chunk) => {
                        request.received += chunk.len() as u64;
                        return Some((Ok(chunk), Some((request, body))));
                    }
                    Err(trouble) => trouble,
                };
                match request.rest(&trouble).await {
                    Some(rest) => body = rest,
                    None => return Some((Err(trouble), None)),
                }
            }
        }))
    }

    /// What is missing; `None` when the upstream does not give it, and then the trouble counts.
    async fn rest(&mut self, trouble: &UpstreamError) -> Option<UpstreamStream> {
        let may_pass = matches!(trouble, UpstreamError::Failed(_) | UpstreamError::Timeout);
        if !may_pass || self.left == 0 || self.received == 0 || self.received >= self.total_bytes {
            return None;
        }
        self.left -= 1;
        counter!("keeper_upstream_retries_total").increment(1);
        let breaker = self.client.breakers().of(&origin(&self.url));
        let pass = breaker.enter().ok()?;
        let (began, limits) = (Instant::now(), self.client.limits().clone());
        let deadline = Moment::now() + limits.total_timeout;
        let mut saying = self.saying.clone();
        saying.headers.insert(header::RANGE, HeaderValue::try_from(format!("bytes={}-", self.received)).ok()?);
        saying.headers.insert(header::IF_RANGE, self.etag.clone());
        let answer = match timeout(limits.first_byte_timeout, self.client.get(self.url.clone(), &saying)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => {
                pass.trouble(UpstreamError::Timeout.code().name);
                return None;
            }
        };
        pass.well();
        if !self.is_continued_by(&answer) {
            return None;
        }
        let account = Account { breaker, began, told: false };
        Body::of(answer, &limits, self.total_bytes - self.received, deadline, account).ok()
    }

    /// Whether an answer is exactly the rest, of the same bytes.
    fn is_continued_by(&self, answer: &Response) -> bool {
        let wanted = format!("bytes {}-{}/{}", self.received, self.total_bytes - 1, self.total_bytes);
        let headers = answer.headers();
        answer.status() == StatusCode::PARTIAL_CONTENT
            && headers.get(header::CONTENT_RANGE).is_some_and(|range| range.as_bytes() == wanted.as_bytes())
            && headers.get(header::ETAG).is_none_or(|etag| *etag == self.etag)
            && headers.get(header::CONTENT_ENCODING).is_none()
    }
}
