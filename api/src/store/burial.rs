//! Turning versions into tombstones: the one way in which content goes, whoever asks for it.
//!
//! The row and its content id stay, so that the number is never free again; files, labels and what
//! lists and searches are answered from go. The bytes of the files are the collector's. One set of statements serves one version and five hundred.

use jiff::Timestamp;
use keeper_core::artifact::StoreError;
use keeper_core::repository::{Counts, RepositoryId};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};

use super::listing;
use super::sql::{execute_all, micros, one, places};
use super::usage::{self, number};

/// Buries versions of one repository, none of which is a tombstone yet. Answers what has gone.
pub(super) async fn bury(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    ids: &[String],
    reason: &str,
    at: Timestamp,
) -> Result<Counts, StoreError> {
    let among = places(ids.len());
    let values = || ids.iter().map(|id| Value::from(id.as_str()));
    let size =
        format!("SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) AS number FROM files WHERE artifact IN ({among})");
    let bytes: Option<Total> = one(on, &size, values()).await?;
    for table in ["files", "labels"] {
        execute_all(on, &format!("DELETE FROM {table} WHERE artifact IN ({among})"), values()).await?;
    }
    let state = format!(
        "UPDATE artifacts SET state = 'deleted', state_reason = ${}, state_changed_at = ${} WHERE id IN ({among})",
        ids.len() + 1,
        ids.len() + 2
    );
    let changed = values().chain([reason.into(), micros(at).into()]);
    let artifacts = execute_all(on, &state, changed).await?;
    let emptied = format!(
        "SELECT COUNT(DISTINCT package) AS number FROM artifacts a WHERE id IN ({among}) AND NOT EXISTS \
         (SELECT 1 FROM artifacts l WHERE l.package = a.package AND l.state <> 'deleted')"
    );
    let packages: Option<Total> = one(on, &emptied, values()).await?;
    let total = |row: Option<Total>| number(row.map_or(0, |row| row.number));
    let gone = Counts { packages: total(packages)?, artifacts, bytes: total(bytes)? };
    for id in ids {
        listing::removed(on, id).await?;
    }
    usage::subtract(on, of, gone).await?;
    Ok(gone)
}

#[derive(FromQueryResult)]
struct Total {
    number: i64,
}
