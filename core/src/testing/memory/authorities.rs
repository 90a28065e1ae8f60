//! Outgoing networks: one that goes nowhere, and upstreams that say what a test wants.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;

use crate::repository::RepositoryId;
use crate::source::Remote;
use crate::upstream::{
    Authorities, AuthoritySource, AuthoritySpec, Fetched, UpstreamError, UpstreamHealth, UpstreamRequest, Upstreams,
    Validators,
};

/// Knows every authority and reaches none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAuthorities;

impl Authorities for NoAuthorities {
    fn authority(&self, _spec: &AuthoritySpec) -> Arc<dyn AuthoritySource> {
        Arc::new(Self)
    }
}

#[async_trait]
impl AuthoritySource for NoAuthorities {
    async fn fetch(&self, _path: &str, _limit_bytes: u64) -> Result<Bytes, UpstreamError> {
        Err(UpstreamError::Unreachable("there is no network here".to_owned()))
    }
}

/// Upstreams that answer what they were told to, by address, and note what they were asked. What they know
/// nothing of is absent.
#[derive(Debug, Clone, Default)]
pub struct ScriptedUpstreams(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    answers: HashMap<String, VecDeque<Result<Bytes, UpstreamError>>>,
    asked: Vec<String>,
}

impl ScriptedUpstreams {
    /// Answers so at this address from now on; after several calls in this order, the last one for ever.
    pub fn answer(&self, url: &str, answer: Result<&str, UpstreamError>) {
        let answer = answer.map(|text| Bytes::copy_from_slice(text.as_bytes()));
        self.locked().answers.entry(url.to_owned()).or_default().push_back(answer);
    }

    /// Forgets what it was told of this address.
    pub fn forget(&self, url: &str) {
        self.locked().answers.remove(url);
    }

    /// What was asked since the last time.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.locked().asked)
    }

    fn locked(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Upstreams for ScriptedUpstreams {
    async fn fetch(&self, request: &UpstreamRequest<'_>) -> Result<Fetched, UpstreamError> {
        let answer = {
            let mut script = self.locked();
            let url = format!("{}/{}", request.url, request.path);
            script.asked.push(url.clone());
            let answers = script.answers.get_mut(&url);
            match answers {
                None => Err(UpstreamError::Absent),
                Some(answers) if answers.len() > 1 => answers.pop_front().unwrap_or(Err(UpstreamError::Absent)),
                Some(answers) => answers.front().cloned().unwrap_or(Err(UpstreamError::Absent)),
            }
        }?;
        // Others get their turn between question and answer, as they would on a network.
        tokio::task::yield_now().await;
        if answer.len() as u64 > request.limit_bytes {
            return Err(UpstreamError::TooLarge(request.limit_bytes));
        }
        let announced_bytes = Some(answer.len() as u64);
        let stream = Box::pin(stream::iter([Ok(answer)]));
        Ok(Fetched::Body { validators: Validators::default(), max_age_s: None, announced_bytes, stream })
    }

    fn health(&self, _of: RepositoryId, _remote: &Remote) -> Vec<UpstreamHealth> {
        Vec::new()
    }
}
