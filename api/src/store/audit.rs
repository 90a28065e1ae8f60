//! Writes rows of the audit, in the transaction of the change they tell of.
//!
//! Shape: see the migrations `m0003_audit` and `m0007_audit`. `detail` holds what changed and never a secret: a password or a
//! token's text has no place in the types that come here.

use jiff::Timestamp;
use keeper_core::artifact::StoreError;
use keeper_core::audit::{NewAuditRow, Outcome};
use keeper_core::identity::TokenSecret;
use keeper_core::redaction::redact;
use keeper_core::repository::Actor;
use sea_orm::ConnectionTrait;
use serde_json::Value;

use super::sql::{execute, micros};

const INSERT: &str = "INSERT INTO audit (at, actor, credential, address, action, resource, request, outcome, detail) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

/// Adds the row of a change. `resource` reads `go/local example.com/m@v1.0.0`.
pub(super) async fn record(
    on: &impl ConnectionTrait,
    by: &Actor,
    action: &'static str,
    resource: String,
    detail: Value,
) -> Result<(), StoreError> {
    // A description, a reason or a name that somebody chose may hold what should not be kept for ever. A name that only
    // looks a little like a token stays as it is: it is what the row is about.
    let resource = if TokenSecret::occurs_in(&resource) { redact(&resource).into_owned() } else { resource };
    let row = NewAuditRow {
        at: Timestamp::now(),
        by: by.clone(),
        action: action.to_owned(),
        resource,
        outcome: Outcome::Done,
        detail: redact(&detail.to_string()).into_owned(),
    };
    insert(on, row).await
}

/// Adds one row as it is.
pub(super) async fn insert(on: &impl ConnectionTrait, row: NewAuditRow) -> Result<(), StoreError> {
    let values = [
        micros(row.at).into(),
        row.by.login.into(),
        row.by.credential.into(),
        row.by.address.into(),
        row.action.into(),
        row.resource.into(),
        row.by.request.into(),
        row.outcome.as_str().into(),
        row.detail.into(),
    ];
    execute(on, INSERT, values).await.map(drop)
}

#[cfg(test)]
mod tests {
    use keeper_core::artifact::ArtifactStore;
    use sea_orm::FromQueryResult;

    use super::super::fixture::{Folder, execute_beside, publication, repository};
    use super::super::sql::all;

    #[derive(FromQueryResult)]
    struct Row {
        actor: String,
        action: String,
        resource: String,
        outcome: String,
    }

    #[tokio::test]
    async fn every_change_leaves_a_row_that_cannot_be_changed_or_removed() {
        let folder = Folder::new();
        let store = folder.open().await;
        let local = repository(&store, "local").await;
        let what = publication("example.com/m", "v1.0.0");
        let coordinate = what.coordinate.clone();
        store.publish(local.id, what).await.expect("published");
        store.delete(local.id, &coordinate, None, "leaked", &super::Actor::system()).await.expect("deleted");
        store.delete(local.id, &coordinate, None, "again", &super::Actor::system()).await.expect("repeated");
        let rows: Vec<Row> = all(&store.readers, "SELECT actor, action, resource, outcome FROM audit ORDER BY seq", [])
            .await
            .expect("rows");
        let told: Vec<_> =
            rows.iter().map(|row| format!("{} {} {} {}", row.actor, row.action, row.resource, row.outcome)).collect();
        assert_eq!(
            told,
            [
                "system repository.create go/local done",
                "alice publish go/local example.com/m@v1.0.0 done",
                "system delete go/local example.com/m@v1.0.0 done",
            ]
        );
        store.close().await;
        let mut forgeries = vec!["UPDATE audit SET actor = 'mallory'", "DELETE FROM audit WHERE seq = 2"];
        forgeries.push(if folder.is_sqlite() {
            "INSERT OR REPLACE INTO audit SELECT seq, at, 'mallory', NULL, NULL, action, resource, NULL, outcome, detail \
             FROM audit WHERE seq = 2"
        } else {
            "TRUNCATE audit"
        });
        for refused in forgeries {
            let error = folder.try_execute(refused).await.expect_err(refused);
            assert!(error.to_string().contains("append-only"), "{refused}: {error}");
        }
        execute_beside(&folder, "SELECT 1").await;
    }
}
