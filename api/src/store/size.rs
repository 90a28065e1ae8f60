//! What the database holds and how long its file is, at a cost that does not grow.

use keeper_core::artifact::StoreError;
use keeper_core::repository::Counts;
use sea_orm::FromQueryResult;

use super::Store;
use super::dialect::Dialect;
use super::sql::one;
use super::usage::number;

/// Totals of all active repositories, and the database's own length.
#[derive(Debug, Clone, Copy, Default)]
pub struct StoreSize {
    /// Repositories.
    pub repositories: u64,
    /// What they hold together.
    pub counts: Counts,
    /// Bytes of the database: of its file, or of all its tables.
    pub bytes: u64,
}

const TOTALS: &str = "SELECT COUNT(*) AS repositories, CAST(COALESCE(SUM(u.packages), 0) AS BIGINT) AS packages, \
    CAST(COALESCE(SUM(u.artifacts), 0) AS BIGINT) AS artifacts, CAST(COALESCE(SUM(u.bytes), 0) AS BIGINT) AS bytes \
    FROM usage u JOIN repositories r ON r.id = u.repository WHERE r.state = 'active'";

#[derive(FromQueryResult, Default)]
struct TotalsRow {
    repositories: i64,
    packages: i64,
    artifacts: i64,
    bytes: i64,
}

#[derive(FromQueryResult)]
struct LengthRow {
    bytes: i64,
}

impl Store {
    /// As it is now. Reads one row for each repository.
    pub(crate) async fn size(&self) -> Result<StoreSize, StoreError> {
        let totals: TotalsRow = one(&self.readers, TOTALS, []).await?.unwrap_or_default();
        let length: Option<LengthRow> = one(&self.readers, Dialect::of(&self.readers).length(), []).await?;
        Ok(StoreSize {
            repositories: number(totals.repositories)?,
            counts: Counts {
                packages: number(totals.packages)?,
                artifacts: number(totals.artifacts)?,
                bytes: number(totals.bytes)?,
            },
            bytes: number(length.map_or(0, |row| row.bytes))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Folder, plan};
    use super::*;

    #[tokio::test]
    async fn totals_are_read_from_one_row_for_each_repository() {
        let folder = Folder::of_sqlite();
        let plan = plan(&folder.open().await, TOTALS, Vec::new()).await;
        let is_counted =
            |step: &String| ["SCAN u", "SCAN r", "SEARCH u ", "SEARCH r "].iter().any(|one| step.starts_with(one));
        assert!(plan.len() == 2 && plan.iter().all(is_counted), "{plan:#?}");
    }
}
