//! Families of packages that were published before there were any.
//!
//! Bounds: [`BATCH`] packages in one transaction. What is named once is not looked at again: the index over
//! repository and family finds those without one.

use keeper_core::artifact::{PackageName, StoreError};
use keeper_core::repository::{FormatKey, RepositoryId};
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::Store;
use super::repositories;
use super::rows::package_name;
use super::sql::{all, execute};

/// Packages named in one transaction.
const BATCH: i64 = 1_000;

/// The name of the family of a package.
type Named = (i64, String);

impl Store {
    /// Names the families of packages that have none, and answers how many those were. `family` gives the one of a
    /// package; `None` where the format is not in this build.
    ///
    /// # Errors
    /// What the database reports; what was named stays named.
    pub async fn name_families(
        &self,
        family: impl Fn(&FormatKey, &PackageName) -> Option<PackageName>,
    ) -> Result<u64, StoreError> {
        let mut named = 0;
        for (repository, _) in repositories::loaded(&self.readers, "1 = 1", Vec::new()).await? {
            loop {
                let nameless = nameless(&self.readers, repository.id).await?;
                let family = |row: Row| -> Result<Option<Named>, StoreError> {
                    let package = package_name(&row.name)?;
                    Ok(family(&repository.address.format, &package).map(|family| (row.id, family.to_string())))
                };
                let batch: Vec<_> =
                    nameless.into_iter().map(family).filter_map(Result::transpose).collect::<Result<_, _>>()?;
                if batch.is_empty() {
                    break;
                }
                named += batch.len() as u64;
                self.writer.submit(move |on| Box::pin(name(on, batch)), |()| ()).await?;
            }
        }
        Ok(named)
    }
}

#[derive(FromQueryResult)]
struct Row {
    id: i64,
    name: String,
}

async fn nameless(on: &impl ConnectionTrait, of: RepositoryId) -> Result<Vec<Row>, StoreError> {
    let question = "SELECT id, name FROM packages WHERE repository = $1 AND family IS NULL LIMIT $2";
    all(on, question, vec![of.0.into(), BATCH.into()]).await
}

async fn name(on: &impl ConnectionTrait, batch: Vec<Named>) -> Result<(), StoreError> {
    for (id, family) in batch {
        execute(on, "UPDATE packages SET family = $2 WHERE id = $1", [id.into(), family.into()]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use keeper_core::artifact::ArtifactStore;

    use super::super::fixture::{Folder, publication, repository};
    use super::*;

    #[tokio::test]
    async fn packages_of_before_get_their_family_once() {
        let folder = Folder::new();
        let store = folder.open().await;
        let local = repository(&store, "local").await;
        for number in 0..3 {
            let package = format!("example.com/m{number}");
            store.publish(local.id, publication(&package, "v1.0.0")).await.expect("published");
        }
        store
            .writer
            .submit(
                |on| Box::pin(async move { execute(on, "UPDATE packages SET family = NULL", []).await.map(drop) }),
                |()| (),
            )
            .await
            .expect("forgotten");
        let name = |text: &str| PackageName::try_from(text).expect("a name");
        assert!(!store.holds(local.id, &name("family of example.com/m1")).await.expect("an answer"));
        let family = |_: &FormatKey, package: &PackageName| Some(name(&format!("family of {package}")));
        let unknown = |_: &FormatKey, _: &PackageName| None;
        assert_eq!(store.name_families(unknown).await.expect("none"), 0);
        assert_eq!(store.name_families(family).await.expect("all"), 3);
        assert!(store.holds(local.id, &name("family of example.com/m1")).await.expect("an answer"));
        assert_eq!(store.name_families(family).await.expect("none"), 0);
    }
}
