//! The port of documents.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use super::store::MemoryStore;
use crate::artifact::StoreError;
use crate::documents::{DocumentStore, KeptDocument, Owner};
use crate::upstream::Validators;

#[async_trait]
impl DocumentStore for MemoryStore {
    async fn recall(&self, of: &Owner, name: &str) -> Result<Option<KeptDocument>, StoreError> {
        Ok(self.call()?.documents.get(&(of.clone(), name.to_owned())).cloned())
    }

    async fn keep(&self, of: &Owner, name: &str, document: KeptDocument) -> Result<(), StoreError> {
        self.call()?.documents.insert((of.clone(), name.to_owned()), document);
        Ok(())
    }

    async fn replace(&self, of: &Owner, name: &str, old: Option<&[u8]>, new: Bytes) -> Result<bool, StoreError> {
        let mut rows = self.call()?;
        let key = (of.clone(), name.to_owned());
        if rows.documents.get(&key).map(|there| there.body.as_ref()) != old {
            return Ok(false);
        }
        let kept = KeptDocument { body: new, validators: Validators::default(), fetched_at: Timestamp::now() };
        rows.documents.insert(key, kept);
        Ok(true)
    }

    async fn forget(&self, of: &Owner, name: Option<&str>) -> Result<(), StoreError> {
        self.call()?.documents.retain(|(owner, one), _| owner != of || name.is_some_and(|name| name != one));
        Ok(())
    }
}
