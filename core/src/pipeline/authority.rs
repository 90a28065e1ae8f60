//! An authority with a memory: the network's part and what was kept, under one address.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use super::Ports;
use crate::artifact::StoreError;
use crate::documents::{DocumentStore, KeptDocument, Owner};
use crate::format::FormatHandler;
use crate::repository::Settings;
use crate::upstream::{Authority, AuthoritySource, UpstreamError, Validators};

/// The network's part, and the documents of this authority. Two repositories that name the same address share them.
struct KeptAuthority {
    source: Arc<dyn AuthoritySource>,
    documents: Arc<dyn DocumentStore>,
    owner: Owner,
}

/// The authority of that name, if the settings name one.
pub(super) fn named(
    ports: &Ports,
    handler: &Arc<dyn FormatHandler>,
    settings: &Settings,
    name: &str,
) -> Option<Arc<dyn Authority>> {
    let specs = handler.authorities(settings);
    let spec = specs.iter().find(|spec| spec.name == name)?;
    let owner = Owner::Authority(format!("{} {}", spec.name, spec.url));
    Some(Arc::new(KeptAuthority {
        source: ports.authorities.authority(spec),
        documents: ports.documents.clone(),
        owner,
    }))
}

#[async_trait]
impl Authority for KeptAuthority {
    async fn fetch(&self, path: &str, limit_bytes: u64) -> Result<Bytes, UpstreamError> {
        self.source.fetch(path, limit_bytes).await
    }

    async fn recall(&self, name: &str) -> Result<Option<KeptDocument>, StoreError> {
        self.documents.recall(&self.owner, name).await
    }

    async fn keep(&self, name: &str, body: Bytes) -> Result<(), StoreError> {
        let document = KeptDocument { body, validators: Validators::default(), fetched_at: Timestamp::now() };
        self.documents.keep(&self.owner, name, document).await
    }

    async fn replace(&self, name: &str, old: Option<&[u8]>, new: Bytes) -> Result<bool, StoreError> {
        self.documents.replace(&self.owner, name, old, new).await
    }
}
