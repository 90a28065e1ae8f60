//! The port of documents: what came from elsewhere, by owner and name.
//!
//! Reads go to the readers; writes are commands of the writer, so that comparing and swapping is one step.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use keeper_core::artifact::StoreError;
use keeper_core::documents::{DocumentStore, KeptDocument, Owner};
use keeper_core::upstream::Validators;
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::Store;
use super::sql::{execute, micros, one, timestamp};

#[async_trait]
impl DocumentStore for Store {
    async fn recall(&self, of: &Owner, name: &str) -> Result<Option<KeptDocument>, StoreError> {
        recall(&self.readers, &of.to_string(), name).await
    }

    async fn keep(&self, of: &Owner, name: &str, document: KeptDocument) -> Result<(), StoreError> {
        let (owner, name) = (of.to_string(), name.to_owned());
        self.writer.submit(move |on| Box::pin(keep(on, owner, name, document)), |()| ()).await
    }

    async fn replace(&self, of: &Owner, name: &str, old: Option<&[u8]>, new: Bytes) -> Result<bool, StoreError> {
        let (owner, name, old) = (of.to_string(), name.to_owned(), old.map(<[u8]>::to_vec));
        self.writer.submit(move |on| Box::pin(replace(on, owner, name, old, new)), |_| ()).await
    }

    async fn forget(&self, of: &Owner, name: Option<&str>) -> Result<(), StoreError> {
        let (owner, name) = (of.to_string(), name.map(str::to_owned));
        self.writer.submit(move |on| Box::pin(forget(on, owner, name)), |()| ()).await
    }
}

/// Whose the mark of the storage is, and its name.
const MARK: (&str, &str) = ("instance", "storage");

impl Store {
    /// The mark of the place where the stored files of this database are; `own` if none was known.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn storage_mark(&self, own: &str) -> Result<String, StoreError> {
        let (owner, name) = MARK;
        let new = Bytes::copy_from_slice(own.as_bytes());
        let mut known = recall(&self.readers, owner, name).await?;
        if known.is_none() {
            let first = (owner.to_owned(), name.to_owned());
            self.writer.submit(move |on| Box::pin(replace(on, first.0, first.1, None, new)), |_| ()).await?;
            known = recall(&self.readers, owner, name).await?;
        }
        Ok(known.map_or_else(String::new, |known| String::from_utf8_lossy(&known.body).into_owned()))
    }
}

/// A restored database belongs to the stored files that it is restored with.
pub(super) async fn forget_storage(on: &impl ConnectionTrait) -> Result<(), StoreError> {
    let (owner, name) = MARK;
    forget(on, owner.to_owned(), Some(name.to_owned())).await
}

const RECALL: &str = "SELECT body, etag, last_modified, fetched_at FROM documents WHERE owner = $1 AND name = $2";

const KEEP: &str = "INSERT INTO documents (owner, name, body, etag, last_modified, fetched_at) \
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (owner, name) DO UPDATE SET body = excluded.body, \
    etag = excluded.etag, last_modified = excluded.last_modified, fetched_at = excluded.fetched_at";

async fn recall(on: &impl ConnectionTrait, owner: &str, name: &str) -> Result<Option<KeptDocument>, StoreError> {
    let row: Option<Row> = one(on, RECALL, [owner.into(), name.into()]).await?;
    row.map(Row::parse).transpose()
}

async fn keep(
    on: &impl ConnectionTrait,
    owner: String,
    name: String,
    document: KeptDocument,
) -> Result<(), StoreError> {
    let KeptDocument { body, validators, fetched_at } = document;
    let values = [
        owner.into(),
        name.into(),
        body.to_vec().into(),
        validators.etag.into(),
        validators.last_modified.into(),
        micros(fetched_at).into(),
    ];
    execute(on, KEEP, values).await.map(drop)
}

async fn replace(
    on: &impl ConnectionTrait,
    owner: String,
    name: String,
    old: Option<Vec<u8>>,
    new: Bytes,
) -> Result<bool, StoreError> {
    let there = recall(on, &owner, &name).await?;
    if there.as_ref().map(|there| there.body.as_ref()) != old.as_deref() {
        return Ok(false);
    }
    let document = KeptDocument { body: new, validators: Validators::default(), fetched_at: Timestamp::now() };
    keep(on, owner, name, document).await?;
    Ok(true)
}

pub(super) async fn forget(on: &impl ConnectionTrait, owner: String, name: Option<String>) -> Result<(), StoreError> {
    match name {
        Some(name) => {
            execute(on, "DELETE FROM documents WHERE owner = $1 AND name = $2", [owner.into(), name.into()]).await
        }
        None => execute(on, "DELETE FROM documents WHERE owner = $1", [owner.into()]).await,
    }
    .map(drop)
}

#[derive(FromQueryResult)]
struct Row {
    body: Vec<u8>,
    etag: Option<String>,
    last_modified: Option<String>,
    fetched_at: i64,
}

impl Row {
    fn parse(self) -> Result<KeptDocument, StoreError> {
        Ok(KeptDocument {
            body: self.body.into(),
            validators: Validators { etag: self.etag, last_modified: self.last_modified },
            fetched_at: timestamp(self.fetched_at)?,
        })
    }
}
