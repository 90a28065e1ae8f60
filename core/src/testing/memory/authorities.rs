//! An outgoing network that goes nowhere.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::upstream::{Authorities, Authority, AuthoritySpec, UpstreamError};

/// Knows every authority and reaches none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAuthorities;

impl Authorities for NoAuthorities {
    fn authority(&self, _spec: &AuthoritySpec) -> Arc<dyn Authority> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Authority for NoAuthorities {
    async fn fetch(&self, _path: &str, _limit_bytes: u64) -> Result<Bytes, UpstreamError> {
        Err(UpstreamError::Unreachable("there is no network here".to_owned()))
    }
}
