//! The port of the collector's books.
//!
//! All writing is done by the one writer, and each publication is one of its commands: between the question
//! whether a file names a blob and the end of its row nothing can come.

use async_trait::async_trait;
use jiff::Timestamp;
use keeper_core::artifact::StoreError;
use keeper_core::blob::{BlobInfo, BlobLocation};
use keeper_core::digest::Digest;
use keeper_core::failpoint;
use keeper_core::ledger::{BlobLedger, LedgerEntry, StoredCopy, Stranger};
use keeper_core::limits::REMOVAL_MEMORY;
use keeper_core::repository::Actor;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;
use std::collections::{HashMap, HashSet};

use super::Store;
use super::audit;
use super::rows::blob;
use super::sql::{all, execute, execute_all, micros, places, timestamp};
use super::usage::stored;

#[async_trait]
impl BlobLedger for Store {
    async fn entries(&self, after: Option<Digest>, limit: u32) -> Result<Vec<LedgerEntry>, StoreError> {
        let after = after.map(|digest| digest.to_hex()).unwrap_or_default();
        let rows: Vec<EntryRow> = all(&self.readers, ENTRIES, [after.into(), i64::from(limit).into()]).await?;
        rows.into_iter().map(EntryRow::parse).collect()
    }

    async fn discard(&self, copies: &[BlobInfo], unlink_after: Timestamp) -> Result<Vec<BlobInfo>, StoreError> {
        let copies = copies.to_vec();
        self.writer.submit(move |on| Box::pin(discard(on, copies, unlink_after)), |_| ()).await
    }

    async fn trash(
        &self,
        now: Timestamp,
        after: Option<&BlobLocation>,
        limit: u32,
    ) -> Result<Vec<BlobInfo>, StoreError> {
        let after = after.map_or("", BlobLocation::as_str);
        let values = [micros(now).into(), after.into(), i64::from(limit).into()];
        let rows: Vec<TrashRow> = all(&self.readers, TRASH, values).await?;
        rows.into_iter().map(|row| blob(&row.location, row.size)).collect()
    }

    async fn forget(&self, copies: &[BlobLocation], now: Timestamp) -> Result<(), StoreError> {
        let texts: Vec<_> = copies.iter().map(|copy| copy.as_str().to_owned()).collect();
        self.writer.submit(move |on| Box::pin(forget(on, texts, now)), |()| ()).await
    }

    async fn strangers(
        &self,
        shelf: u8,
        stored: Vec<StoredCopy>,
        seen_at: Option<Timestamp>,
    ) -> Result<Vec<Stranger>, StoreError> {
        let known: Vec<NameRow> = all(&self.readers, KNOWN, range(shelf)).await?;
        let known: HashSet<_> = known.into_iter().map(|row| row.location).collect();
        let seen: Vec<SightingRow> = all(&self.readers, SIGHTINGS, range(shelf)).await?;
        let seen: HashMap<_, _> = seen.into_iter().map(|row| (row.location, row.first_seen_at)).collect();
        let unknown = stored.into_iter().filter(|copy| !known.contains(copy.blob.location.as_str()));
        let strangers = unknown.map(|copy| {
            let first_seen_at = seen.get(copy.blob.location.as_str()).copied().map(timestamp).transpose()?;
            Ok(Stranger { copy, first_seen_at })
        });
        let strangers: Vec<_> = strangers.collect::<Result<_, StoreError>>()?;
        if let Some(at) = seen_at
            && !(strangers.is_empty() && seen.is_empty())
        {
            let now: Vec<_> = strangers.iter().map(|one| one.copy.blob.location.as_str().to_owned()).collect();
            self.writer.submit(move |on| Box::pin(remember(on, shelf, now, at)), |()| ()).await?;
        }
        Ok(strangers)
    }
}

/// The window first, from the key alone; whether a file names each is one look into an index.
const ENTRIES: &str = "SELECT b.size, b.location, b.created_at, \
    EXISTS (SELECT 1 FROM files f WHERE f.blob_digest = b.digest) AS referenced \
    FROM blobs b WHERE b.digest > $1 ORDER BY b.digest LIMIT $2";

#[derive(FromQueryResult)]
struct EntryRow {
    size: i64,
    location: String,
    created_at: i64,
    referenced: bool,
}

impl EntryRow {
    fn parse(self) -> Result<LedgerEntry, StoreError> {
        Ok(LedgerEntry {
            blob: blob(&self.location, self.size)?,
            recorded_at: timestamp(self.created_at)?,
            referenced: self.referenced,
        })
    }
}

const UNRECORD: &str = "DELETE FROM blobs WHERE digest = $1 AND location = $2 \
    AND NOT EXISTS (SELECT 1 FROM files WHERE blob_digest = $1)";
const THROW_AWAY: &str = "INSERT INTO blob_trash (location, size, unlink_after) SELECT $1, $2, $3 \
    WHERE NOT EXISTS (SELECT 1 FROM blobs WHERE location = $1) ON CONFLICT (location) DO NOTHING";

async fn discard(
    on: &impl ConnectionTrait,
    copies: Vec<BlobInfo>,
    unlink_after: Timestamp,
) -> Result<Vec<BlobInfo>, StoreError> {
    failpoint!("F31");
    let mut discarded = Vec::new();
    for copy in copies {
        let location = copy.location.as_str();
        execute(on, UNRECORD, [copy.location.digest().to_hex().into(), location.into()]).await?;
        let values = [location.into(), stored(copy.size).into(), micros(unlink_after).into()];
        if execute(on, THROW_AWAY, values).await? == 1 {
            execute(on, "DELETE FROM blob_sightings WHERE location = $1", [location.into()]).await?;
            discarded.push(copy);
        }
    }
    if !discarded.is_empty() {
        let bytes: u64 = discarded.iter().map(|copy| copy.size).sum();
        let detail = json!({ "blobs": discarded.len(), "bytes": bytes });
        audit::record(on, &Actor::system(), "blob.discard", "blobs".to_owned(), detail).await?;
    }
    Ok(discarded)
}

/// From the trash to what is known for a while as removed.
async fn forget(on: &impl ConnectionTrait, copies: Vec<String>, now: Timestamp) -> Result<(), StoreError> {
    if !copies.is_empty() {
        let (locations, at) = (places(copies.len()), copies.len() + 1);
        let values = || copies.iter().map(|copy| copy.as_str().into());
        let remember = format!(
            "INSERT INTO blob_removals (location, removed_at) SELECT location, ${at} FROM blob_trash \
             WHERE location IN ({locations}) ON CONFLICT (location) DO NOTHING"
        );
        execute_all(on, &remember, values().chain([micros(now).into()])).await?;
        execute_all(on, &format!("DELETE FROM blob_trash WHERE location IN ({locations})"), values()).await?;
    }
    let before = now.saturating_sub(REMOVAL_MEMORY).unwrap_or(Timestamp::MIN);
    execute(on, "DELETE FROM blob_removals WHERE removed_at < $1", [micros(before).into()]).await.map(drop)
}

/// Whether a copy is gone or waits for its end: no row may name it.
pub(super) async fn is_waste(on: &impl ConnectionTrait, at: &BlobLocation) -> Result<bool, StoreError> {
    let question = "SELECT location FROM blob_trash WHERE location = $1 \
        UNION ALL SELECT location FROM blob_removals WHERE location = $1";
    let found: Vec<NameRow> = all(on, question, [at.as_str().into()]).await?;
    Ok(!found.is_empty())
}

const TRASH: &str = "SELECT location, size FROM blob_trash WHERE unlink_after <= $1 AND location > $2 \
    ORDER BY location LIMIT $3";

#[derive(FromQueryResult)]
struct TrashRow {
    location: String,
    size: i64,
}

const KNOWN: &str = "SELECT location FROM blobs WHERE location >= $1 AND location < $2 \
    UNION ALL SELECT location FROM blob_trash WHERE location >= $1 AND location < $2";
const SIGHTINGS: &str = "SELECT location, first_seen_at FROM blob_sightings WHERE location >= $1 AND location < $2";

#[derive(FromQueryResult)]
struct NameRow {
    location: String,
}

#[derive(FromQueryResult)]
struct SightingRow {
    location: String,
    first_seen_at: i64,
}

/// Locations that begin with a byte: from its two digits to what sorts behind every digit.
fn range(shelf: u8) -> [sea_orm::Value; 2] {
    [format!("{shelf:02x}").into(), format!("{shelf:02x}g").into()]
}

/// The strangers of a shelf are these; those seen before keep their time.
async fn remember(
    on: &impl ConnectionTrait,
    shelf: u8,
    strangers: Vec<String>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let before: Vec<NameRow> =
        all(on, "SELECT location FROM blob_sightings WHERE location >= $1 AND location < $2", range(shelf)).await?;
    for NameRow { location } in before.iter().filter(|row| !strangers.contains(&row.location)) {
        execute(on, "DELETE FROM blob_sightings WHERE location = $1", [location.as_str().into()]).await?;
    }
    let insert =
        "INSERT INTO blob_sightings (location, first_seen_at) VALUES ($1, $2) ON CONFLICT (location) DO NOTHING";
    for location in strangers {
        execute(on, insert, [location.into(), micros(at).into()]).await?;
    }
    Ok(())
}
