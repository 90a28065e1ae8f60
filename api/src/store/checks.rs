//! The port of the scrubber: when each blob was looked at last, and which were found broken.

use async_trait::async_trait;
use jiff::Timestamp;
use keeper_core::artifact::StoreError;
use keeper_core::blob::BlobInfo;
use keeper_core::repository::Actor;
use keeper_core::scrubber::{BrokenBlob, CheckBook, Checked};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;

use super::Store;
use super::audit;
use super::rows::blob;
use super::sql::{all, execute, micros, one, timestamp};
use super::usage::number;

/// What the audit calls it.
const FOUND: &str = "blob.damaged";

#[async_trait]
impl CheckBook for Store {
    async fn due(&self, before: Timestamp, limit: u32) -> Result<Vec<BlobInfo>, StoreError> {
        let question = "SELECT location, size FROM blobs WHERE checked_at < $1 ORDER BY checked_at, digest LIMIT $2";
        let rows: Vec<CopyRow> = all(&self.readers, question, [micros(before).into(), i64::from(limit).into()]).await?;
        rows.into_iter().map(|row| blob(&row.location, row.size)).collect()
    }

    async fn note(&self, checked: Vec<Checked>, at: Timestamp) -> Result<Vec<BlobInfo>, StoreError> {
        self.writer.submit(move |on| Box::pin(note(on, checked, at)), |_| ()).await
    }

    async fn broken(&self, limit: u32) -> Result<(u64, Vec<BrokenBlob>), StoreError> {
        let counted = format!("SELECT COUNT(*) AS broken {BROKEN}");
        let counted: Option<CountRow> = one(&self.readers, &counted, []).await?;
        let question = format!(
            "SELECT b.location, b.size, f.code, f.detail, f.found_at {BROKEN} ORDER BY f.found_at, f.digest LIMIT $1"
        );
        let rows: Vec<BrokenRow> = all(&self.readers, &question, [i64::from(limit).into()]).await?;
        let broken = rows.into_iter().map(BrokenRow::parse).collect::<Result<_, _>>()?;
        Ok((number(counted.map_or(0, |row| row.broken))?, broken))
    }
}

/// Of a copy that was replaced since, nothing is known yet.
const BROKEN: &str = "FROM blob_faults f JOIN blobs b ON b.digest = f.digest AND b.location = f.location";

#[derive(FromQueryResult)]
struct CopyRow {
    location: String,
    size: i64,
}

#[derive(FromQueryResult)]
struct CountRow {
    broken: i64,
}

#[derive(FromQueryResult)]
struct BrokenRow {
    location: String,
    size: i64,
    code: String,
    detail: String,
    found_at: i64,
}

impl BrokenRow {
    fn parse(self) -> Result<BrokenBlob, StoreError> {
        Ok(BrokenBlob {
            blob: blob(&self.location, self.size)?,
            code: self.code,
            detail: self.detail,
            found_at: timestamp(self.found_at)?,
        })
    }
}

const LOOKED: &str = "UPDATE blobs SET checked_at = $3 WHERE digest = $1 AND location = $2";
const SOUND: &str = "DELETE FROM blob_faults WHERE digest = $1";
const STALE: &str = "DELETE FROM blob_faults WHERE digest = $1 AND location <> $2";
const BROKE: &str = "INSERT INTO blob_faults (digest, location, code, detail, found_at) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (digest) DO NOTHING";

async fn note(on: &impl ConnectionTrait, checked: Vec<Checked>, at: Timestamp) -> Result<Vec<BlobInfo>, StoreError> {
    let mut new = Vec::new();
    for Checked { blob, fault, at: looked_at } in checked {
        let (digest, location) = (blob.location.digest().to_hex(), blob.location.as_str().to_owned());
        let looked = [digest.as_str().into(), location.as_str().into(), micros(looked_at).into()];
        if execute(on, LOOKED, looked).await? == 0 {
            continue;
        }
        let Some((code, detail)) = fault else {
            execute(on, SOUND, [digest.into()]).await?;
            continue;
        };
        execute(on, STALE, [digest.as_str().into(), location.as_str().into()]).await?;
        let values = [digest.as_str().into(), location.into(), code.into(), detail.as_str().into(), micros(at).into()];
        if execute(on, BROKE, values).await? == 1 {
            let detail = json!({ "code": code, "location": blob.location.as_str(), "reason": detail });
            audit::record(on, &Actor::system(), FOUND, format!("blob {digest}"), detail).await?;
            new.push(blob);
        }
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use keeper_core::artifact::{ArtifactStore as _, FileContent};
    use keeper_core::testing::contract::publication;

    use super::super::fixture::{Folder, repository};
    use super::*;

    #[tokio::test]
    async fn the_oldest_look_comes_first_and_a_fault_is_new_once() {
        let folder = Folder::new();
        let store = folder.open().await;
        let local = repository(&store, "local").await;
        let mut blobs = Vec::new();
        for name in ["one", "two"] {
            let what = publication(&format!("example.com/{name}"), "v1", name);
            blobs.extend(what.files.iter().filter_map(|file| match &file.content {
                FileContent::Stored(blob) => Some(blob.clone()),
                FileContent::Inline(_) => None,
            }));
            store.publish(local.id, what).await.expect("published");
        }
        let now = Timestamp::now();
        let (before, later) = (now - SignedDuration::from_hours(1), now + SignedDuration::from_hours(1));
        let sound = |blob: &BlobInfo| Checked { blob: blob.clone(), fault: None, at: now };
        let broken = |blob: &BlobInfo| Checked { fault: Some(("blob_corrupt", "rotten".to_owned())), ..sound(blob) };
        assert_eq!(store.due(before, 10).await.expect("due").len(), blobs.len(), "nobody has looked yet");
        assert!(store.note(vec![sound(&blobs[1])], now).await.expect("noted").is_empty());
        assert_eq!(store.due(before, 10).await.expect("due"), blobs[..1]);
        assert_eq!(store.due(later, 10).await.expect("due").last(), Some(&blobs[1]), "the oldest look first");

        assert_eq!(store.note(vec![broken(&blobs[0])], now).await.expect("noted"), blobs[..1]);
        assert!(store.note(vec![broken(&blobs[0])], later).await.expect("noted").is_empty(), "it is known");
        let (count, first) = store.broken(10).await.expect("broken");
        assert_eq!((count, &first[0].blob, first[0].code.as_str()), (1, &blobs[0], "blob_corrupt"));
        store.note(vec![sound(&blobs[0])], later).await.expect("noted");
        assert_eq!(store.broken(10).await.expect("broken"), (0, Vec::new()), "it was healed");
        store.close().await;
    }
}
