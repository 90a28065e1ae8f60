//! Credentials of upstreams, sealed: what they are is known to the [vault](crate::upstream::Vault) alone.

use keeper_core::artifact::StoreError;
use keeper_core::repository::{Actor, RepositoryId};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;

use super::Store;
use super::audit;
use super::sql::{all, execute, one};

/// A sealed credential.
#[derive(Debug, FromQueryResult)]
pub struct SealedRow {
    /// The repository that it is for.
    pub repository: i64,
    /// What only the key opens.
    pub sealed: Vec<u8>,
}

impl Store {
    /// The sealed credential of a repository.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn sealed_credential(&self, of: RepositoryId) -> Result<Option<Vec<u8>>, StoreError> {
        let question = "SELECT repository, sealed FROM upstream_credentials WHERE repository = $1";
        let row: Option<SealedRow> = one(&self.readers, question, [of.0.into()]).await?;
        Ok(row.map(|row| row.sealed))
    }

    /// All sealed credentials. Their number is that of remote repositories.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn sealed_credentials(&self) -> Result<Vec<SealedRow>, StoreError> {
        all(&self.readers, "SELECT repository, sealed FROM upstream_credentials ORDER BY repository", []).await
    }

    /// Puts a sealed credential in the place of the one that was there; `None` takes it away. With its row of the
    /// audit.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn keep_sealed_credential(
        &self,
        of: RepositoryId,
        sealed: Option<Vec<u8>>,
        by: &Actor,
    ) -> Result<(), StoreError> {
        let (resource, by) = (self.address(of).await?.to_string(), by.clone());
        self.writer.submit(move |on| Box::pin(keep(on, of, resource, sealed, by)), |()| ()).await
    }
}

const KEEP: &str = "INSERT INTO upstream_credentials (repository, sealed) VALUES ($1, $2) \
    ON CONFLICT (repository) DO UPDATE SET sealed = excluded.sealed";

async fn keep(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    resource: String,
    sealed: Option<Vec<u8>>,
    by: Actor,
) -> Result<(), StoreError> {
    let detail = json!({ "set": sealed.is_some() });
    match sealed {
        Some(sealed) => execute(on, KEEP, [of.0.into(), sealed.into()]).await?,
        None => forget(on, of).await?,
    };
    audit::record(on, &by, "repository.credentials", resource, detail).await
}

/// Takes away what is kept for a repository.
pub(super) async fn forget(on: &impl ConnectionTrait, of: RepositoryId) -> Result<u64, StoreError> {
    execute(on, "DELETE FROM upstream_credentials WHERE repository = $1", [of.0.into()]).await
}
