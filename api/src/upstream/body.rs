//! The bytes of an answer, as they come: no more than was asked for, no less than was announced, not too slowly.
//!
//! Only waiting for the upstream counts as slow; whoever takes the bytes may take his time.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use keeper_core::upstream::{UpstreamError, UpstreamStream};
use metrics::counter;
use reqwest::Response;
use tokio::time::{Instant as Moment, timeout, timeout_at};

use super::breaker::Breaker;
use super::client::{classify, ended, outcome};
use super::limits::UpstreamLimits;

/// A body on its way.
pub(super) struct Body {
    response: Response,
    limits: UpstreamLimits,
    limit_bytes: u64,
    announced: Option<u64>,
    received: u64,
    /// When all of it must be here.
    deadline: Moment,
    pace: Pace,
    account: Account,
}

/// The rate of what was waited for lately.
#[derive(Default)]
struct Pace {
    waited: Duration,
    bytes: u64,
}

/// Tells how the exchange ended, however that was.
pub(super) struct Account {
    pub(super) breaker: std::sync::Arc<Breaker>,
    pub(super) began: Instant,
    pub(super) told: bool,
}

impl Body {
    /// The body of an answer whose head was accepted.
    ///
    /// # Errors
    /// [`UpstreamError::TooLarge`] when it announces more than is wanted.
    pub(super) fn of(
        response: Response,
        limits: &UpstreamLimits,
        limit_bytes: u64,
        deadline: Moment,
        account: Account,
    ) -> Result<UpstreamStream, UpstreamError> {
        let announced = response.content_length();
        let mut body = Self {
            response,
            limits: limits.clone(),
            limit_bytes,
            announced,
            received: 0,
            deadline,
            pace: Pace::default(),
            account,
        };
        if announced.is_some_and(|announced| announced > limit_bytes) {
            let error = UpstreamError::TooLarge(limit_bytes);
            body.account.ends(Err(&error));
            return Err(error);
        }
        Ok(Box::pin(stream::unfold(Some(body), |body| async {
            let mut body = body?;
            match body.next().await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some(body))),
                Ok(None) => {
                    body.account.ends(Ok(()));
                    None
                }
                Err(error) => {
                    body.account.ends(Err(&error));
                    Some((Err(error), None))
                }
            }
        })))
    }

    async fn next(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        let began = Moment::now();
        let wait = timeout(self.limits.idle_timeout, self.response.chunk());
        let chunk = match timeout_at(self.deadline, wait).await {
            Ok(Ok(chunk)) => chunk.map_err(classify)?,
            Ok(Err(_)) | Err(_) => return Err(UpstreamError::Timeout),
        };
        let Some(chunk) = chunk else {
            let short = self.announced.is_some_and(|announced| announced != self.received);
            let broken = || UpstreamError::Failed("the body ended before its announced length".to_owned());
            return if short { Err(broken()) } else { Ok(None) };
        };
        self.received += chunk.len() as u64;
        if self.received > self.limit_bytes {
            return Err(UpstreamError::TooLarge(self.limit_bytes));
        }
        counter!("keeper_upstream_bytes_total").increment(chunk.len() as u64);
        self.pace.add(began.elapsed(), chunk.len() as u64, &self.limits)?;
        Ok(Some(chunk))
    }
}

impl Pace {
    fn add(&mut self, waited: Duration, bytes: u64, limits: &UpstreamLimits) -> Result<(), UpstreamError> {
        self.waited += waited;
        self.bytes += bytes;
        if self.waited < limits.rate_window {
            return Ok(());
        }
        let least = u128::from(limits.min_bytes_per_second) * self.waited.as_millis() / 1000;
        let enough = u128::from(self.bytes) >= least;
        *self = Self::default();
        if enough { Ok(()) } else { Err(UpstreamError::Timeout) }
    }
}

impl Account {
    fn ends(&mut self, result: Result<(), &UpstreamError>) {
        self.told = true;
        ended(result.map_or_else(outcome, |()| "ok"), self.began);
        if let Err(error @ (UpstreamError::Timeout | UpstreamError::Failed(_))) = result {
            self.breaker.trouble(error.code().name);
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if !self.told {
            ended("left", self.began);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trickle_is_too_slow_and_a_pause_is_not() {
        let limits = UpstreamLimits {
            min_bytes_per_second: 1000,
            rate_window: Duration::from_secs(10),
            ..UpstreamLimits::default()
        };
        let mut pace = Pace::default();
        pace.add(Duration::from_secs(9), 0, &limits).expect("the window is not over");
        pace.add(Duration::from_secs(1), 10_000, &limits).expect("just enough");
        pace.add(Duration::from_secs(9), 5_000, &limits).expect("a new window");
        assert_eq!(pace.add(Duration::from_secs(2), 5_999, &limits), Err(UpstreamError::Timeout));
    }
}
