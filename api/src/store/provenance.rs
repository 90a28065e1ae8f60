//! The port of provenance: read from the audit's row of the publication, the token's own row, the version's and those of
//! its blobs.

use async_trait::async_trait;
use keeper_core::artifact::{Artifact, ArtifactId, StoreError};
use keeper_core::provenance::{Look, Provenance, ProvenanceStore, Way};
use sea_orm::FromQueryResult;
use serde::Deserialize;

use super::Store;
use super::sql::{all, micros, one, timestamp};

#[async_trait]
impl ProvenanceStore for Store {
    async fn provenance(&self, of: &Artifact) -> Result<Provenance, StoreError> {
        let used: Option<UsedRow> = one(&self.readers, USED, [of.id.to_string().into()]).await?;
        let told = self.publication(of).await?;
        let (credential, request, detail) =
            told.map_or((None, None, String::new()), |row| (row.credential, row.request, row.detail));
        let token = match &credential {
            Some(credential) => self.token_name(credential, &of.published_by).await?,
            None => None,
        };
        let detail: Detail = serde_json::from_str(&detail).unwrap_or_default();
        Ok(Provenance {
            way: detail.way.as_deref().and_then(Way::parse),
            credential,
            token,
            request,
            first_used_at: used.as_ref().and_then(|used| used.first_used_at).map(timestamp).transpose()?,
            last_used_on: used.and_then(|used| used.last_used_on),
        })
    }

    async fn looks(&self, of: ArtifactId) -> Result<Vec<(String, Look)>, StoreError> {
        let rows: Vec<LookRow> = all(&self.readers, LOOKS, [of.to_string().into()]).await?;
        rows.into_iter().map(LookRow::parse).collect()
    }
}

impl Store {
    /// The row of the audit that tells of a publication: it was written when the version was accepted or just after it.
    async fn publication(&self, of: &Artifact) -> Result<Option<PublicationRow>, StoreError> {
        let address = self.address(of.repository).await?;
        let values = [
            of.coordinate.package.as_str().into(),
            micros(of.published_at).into(),
            format!("{address} {}", of.coordinate).into(),
        ];
        one(&self.readers, PUBLICATION, values).await
    }

    /// What a token is for; nothing when two of its owner look alike, or when it is none.
    async fn token_name(&self, display: &str, owner: &str) -> Result<Option<String>, StoreError> {
        let rows: Vec<NameRow> = all(&self.readers, NAMES, [display.into(), owner.into()]).await?;
        Ok(match <[NameRow; 1]>::try_from(rows) {
            Ok([row]) => Some(row.name),
            Err(_) => None,
        })
    }
}

const USED: &str = "SELECT first_used_at, last_used_on FROM artifacts WHERE id = $1";

#[derive(FromQueryResult)]
struct UsedRow {
    first_used_at: Option<i64>,
    last_used_on: Option<i64>,
}

/// By the package's index alone, in whose order it comes soon: an action's would pass the rows of everybody.
const PUBLICATION: &str = "SELECT credential, request, detail FROM audit \
    WHERE package = $1 AND at >= $2 AND resource = $3 AND action || '' = 'publish' ORDER BY at, seq LIMIT 1";

#[derive(FromQueryResult)]
struct PublicationRow {
    credential: Option<String>,
    request: Option<String>,
    detail: String,
}

/// What of the row's detail is told.
#[derive(Debug, Default, Deserialize)]
struct Detail {
    way: Option<String>,
}

const NAMES: &str = "SELECT t.name FROM tokens t JOIN users u ON u.id = t.owner \
    WHERE t.display = $1 AND u.login = $2 LIMIT 2";

#[derive(FromQueryResult)]
struct NameRow {
    name: String,
}

/// A fault of a copy that was replaced since is none of the file's.
const LOOKS: &str = "SELECT f.name, b.checked_at, x.code, x.detail, x.found_at FROM files f \
    JOIN blobs b ON b.digest = f.blob_digest \
    LEFT JOIN blob_faults x ON x.digest = b.digest AND x.location = b.location \
    WHERE f.artifact = $1 AND (b.checked_at > 0 OR x.digest IS NOT NULL)";

#[derive(FromQueryResult)]
struct LookRow {
    name: String,
    checked_at: i64,
    code: Option<String>,
    detail: Option<String>,
    found_at: Option<i64>,
}

impl LookRow {
    fn parse(self) -> Result<(String, Look), StoreError> {
        let look = match (self.code, self.detail, self.found_at) {
            (Some(code), Some(detail), Some(found_at)) => Look::Broken(code, detail, timestamp(found_at)?),
            _ => Look::Matched(timestamp(self.checked_at)?),
        };
        Ok((self.name, look))
    }
}

#[cfg(test)]
mod tests {
    use keeper_core::artifact::{ArtifactStore as _, PublishOutcome};
    use keeper_core::repository::Actor;

    use super::super::fixture::{Folder, plan, publication, repository};
    use super::*;

    #[tokio::test]
    async fn the_row_of_a_publication_is_found_by_its_package_whatever_came_after() {
        let folder = Folder::new();
        let store = folder.open().await;
        let local = repository(&store, "local").await;
        let mut published = Vec::new();
        for (number, version, credential) in [(0, "v1.0.0", "akp_Ab12"), (1, "v1.1.0", "session 1f0c9a2e")] {
            let mut what = publication("example.com/m", version);
            what.way = if number == 0 { Way::Client } else { Way::Api };
            what.by = Actor {
                login: "alice".to_owned(),
                credential: Some(credential.to_owned()),
                request: Some(format!("R{number}")),
                ..Actor::default()
            };
            match store.publish(local.id, what).await.expect("published") {
                PublishOutcome::Created(artifact) => published.push(artifact),
                other => panic!("{other:?}"),
            }
        }
        let expected = [(Way::Client, "akp_Ab12", "R0"), (Way::Api, "session 1f0c9a2e", "R1")];
        for (artifact, (way, credential, request)) in published.iter().zip(expected) {
            let known = store.provenance(artifact).await.expect("known");
            let found = (known.way, known.credential.as_deref(), known.request.as_deref(), known.token.as_deref());
            assert_eq!(found, (Some(way), Some(credential), Some(request), None));
        }
        if !folder.is_sqlite() {
            return store.close().await;
        }
        let values = vec!["example.com/m".into(), 0.into(), "go/local example.com/m@v1.0.0".into()];
        let steps = plan(&store, PUBLICATION, values).await.join("; ");
        assert!(steps.contains("audit_package") && !steps.contains("TEMP B-TREE"), "{steps}");
        store.close().await;
    }
}
