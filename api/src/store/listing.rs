//! What lists and searches are answered from, kept in step by each publication and deletion, in its transaction.
//!
//! Three things follow the artifacts that are not deleted: the newest one of a package (none hides the package),
//! what each needs, and the words by which a package is found, which are those of its newest version.

use keeper_core::artifact::{Artifact, ArtifactId, Dependency, Publication, StoreError};
use keeper_core::catalog::About;
use keeper_core::repository::RepositoryId;
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::json;

use super::dialect::Dialect;
use super::publishing::PackageRow;
use super::rows::json as parsed;
use super::sql::{execute, one};
use super::words;

/// A new version of a package is there.
pub(super) async fn added(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    package: &PackageRow,
    what: &Publication,
) -> Result<(), StoreError> {
    if !package.is_shown() {
        words::begin(on, package.id).await?;
    }
    execute(on, RENEW, [package.id.into(), what.id.to_string().into()]).await?;
    // Most versions of a package describe it in the same words, and indexing them again is the dearest of all this.
    if !package.tells(&what.about) {
        words::keep(on, package.id, what.coordinate.package.as_str(), &what.about).await?;
    }
    needs(on, of, what.id, &what.dependencies).await
}

/// A version has got further files, and with them maybe more to say.
pub(super) async fn extended(on: &impl ConnectionTrait, package: i64, whole: &Artifact) -> Result<(), StoreError> {
    let id = whole.id.to_string();
    let newest: Option<Newest> =
        one(on, "SELECT id FROM packages WHERE id = $1 AND newest = $2", [package.into(), id.as_str().into()]).await?;
    if newest.is_some() {
        words::keep(on, package, whole.coordinate.package.as_str(), &whole.about).await?;
    }
    needs(on, whole.repository, whole.id, &whole.dependencies).await
}

#[derive(FromQueryResult)]
struct Newest {}

const RENEW: &str = "UPDATE packages SET newest = CASE WHEN newest > $2 THEN newest ELSE $2 END WHERE id = $1";

/// All needs in one statement, of which there may be thousands.
async fn needs(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    artifact: ArtifactId,
    dependencies: &[Dependency],
) -> Result<(), StoreError> {
    if dependencies.is_empty() {
        return Ok(());
    }
    let list: Vec<_> = dependencies.iter().map(|need| json!([need.package, need.version, need.kind])).collect();
    let values = [artifact.to_string().into(), of.0.into(), json!(list).to_string().into()];
    let dialect = Dialect::of(on);
    let [name, needs, kind] = [0, 1, 2].map(|at| dialect.element(at));
    let insert = format!(
        "INSERT INTO dependencies (artifact, repository, name, needs, kind) SELECT $1, $2, {name}, {needs}, {kind} \
         FROM {} WHERE true ON CONFLICT DO NOTHING",
        dialect.elements("$3")
    );
    execute(on, &insert, values).await.map(drop)
}

/// A version is a tombstone now.
pub(super) async fn removed(on: &impl ConnectionTrait, artifact: &str) -> Result<(), StoreError> {
    execute(on, "DELETE FROM dependencies WHERE artifact = $1", [artifact.into()]).await?;
    execute(on, RENEW_AFTER, [artifact.into()]).await?;
    let left: Option<Left> = one(on, LEFT, [artifact.into()]).await?;
    let Some(Left { package, name, about }) = left else {
        return Ok(());
    };
    match about {
        Some(about) => words::keep(on, package, &name, &parsed::<About>(&name, &about)?).await,
        None => words::forget(on, package).await,
    }
}

const RENEW_AFTER: &str = "UPDATE packages SET newest = \
    (SELECT max(id) FROM artifacts WHERE package = packages.id AND state <> 'deleted') \
    WHERE id = (SELECT package FROM artifacts WHERE id = $1)";
const LEFT: &str = "SELECT p.id AS package, p.name, a.about FROM packages p LEFT JOIN artifacts a ON a.id = p.newest \
    WHERE p.id = (SELECT package FROM artifacts WHERE id = $1)";

/// What is left of a package; `about` is that of its newest version, if there is one.
#[derive(FromQueryResult)]
struct Left {
    package: i64,
    name: String,
    about: Option<String>,
}
