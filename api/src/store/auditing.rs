//! The port of the audit: pages for people, rows in their order for machines, and the seals.
//!
//! A page is in order of time and number, and each filter has an index in that order, so a page costs the same however
//! long the audit is. Rows for machines are in order of their numbers, which is the order of their writing, also when
//! the clock went back: a reader that resumes after a number misses nothing.
//!
//! Numbers grow with the commits since one task writes; that a row with a lower number never comes later is what seals
//! rely on. A store with several writers would have to wait for the open transactions before it seals.

use async_trait::async_trait;
use jiff::Timestamp;
use keeper_core::artifact::{Page, StoreError};
use keeper_core::audit::{AUDIT_PAGE_ROWS, AuditFilter, AuditKey, AuditRow, AuditStore, NewAuditRow, Outcome, Seal};
use keeper_core::digest::Digest;
use keeper_core::repository::Actor;
use sea_orm::{FromQueryResult, Value};

use super::Store;
use super::audit;
use super::sql::{Places, all, corrupt, execute, micros, one, timestamp};

const SELECT_ROWS: &str =
    "SELECT seq, at, actor, credential, address, action, resource, request, outcome, detail FROM audit";

const SELECT_SEALS: &str = "SELECT number, last_seq, rows, hash, sealed_at FROM audit_seals";

#[async_trait]
impl AuditStore for Store {
    async fn page(
        &self,
        filter: &AuditFilter,
        before: Option<AuditKey>,
        limit: u32,
    ) -> Result<Page<AuditRow>, StoreError> {
        let limit = limit.min(AUDIT_PAGE_ROWS) as usize;
        let (question, values) = question(filter, before, limit);
        let rows: Vec<Row> = all(&self.readers, &question, values).await?;
        Page::cut(rows, limit).try_map(Row::parse)
    }

    async fn rows_after(
        &self,
        seq: i64,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<Vec<AuditRow>, StoreError> {
        // The plus keeps SQLite from the index by time, after which it would have to sort all rows again for each page.
        let question =
            format!("{SELECT_ROWS} WHERE seq > $1 AND +at >= $2 AND +at < $3 ORDER BY seq LIMIT {AUDIT_PAGE_ROWS}");
        let values = [seq, from.map_or(i64::MIN, micros), to.map_or(i64::MAX, micros)].map(Value::from);
        let rows: Vec<Row> = all(&self.readers, &question, values).await?;
        rows.into_iter().map(Row::parse).collect()
    }

    async fn record(&self, rows: Vec<NewAuditRow>) -> Result<(), StoreError> {
        self.writer.submit(move |on| Box::pin(insert_all(on, rows)), |()| ()).await
    }

    async fn seals_after(&self, number: i64) -> Result<Vec<Seal>, StoreError> {
        let question = format!("{SELECT_SEALS} WHERE number > $1 ORDER BY number LIMIT {AUDIT_PAGE_ROWS}");
        let rows: Vec<SealRow> = all(&self.readers, &question, [number.into()]).await?;
        rows.into_iter().map(SealRow::parse).collect()
    }

    async fn head(&self) -> Result<Option<Seal>, StoreError> {
        let question = format!("{SELECT_SEALS} ORDER BY number DESC LIMIT 1");
        let row: Option<SealRow> = one(&self.readers, &question, []).await?;
        row.map(SealRow::parse).transpose()
    }

    async fn add_seal(&self, seal: Seal) -> Result<(), StoreError> {
        self.writer.submit(move |on| Box::pin(add_seal(on, seal)), |()| ()).await
    }
}

impl Store {
    /// When the newest row of the audit was written, by the clock of whoever wrote it.
    ///
    /// # Errors
    /// What the database reports.
    pub async fn newest_change_at(&self) -> Result<Option<Timestamp>, StoreError> {
        #[derive(FromQueryResult)]
        struct Newest {
            at: i64,
        }
        let newest: Option<Newest> = one(&self.readers, "SELECT at FROM audit ORDER BY seq DESC LIMIT 1", []).await?;
        newest.map(|newest| timestamp(newest.at)).transpose()
    }
}

async fn insert_all(on: &sea_orm::DatabaseTransaction, rows: Vec<NewAuditRow>) -> Result<(), StoreError> {
    for row in rows {
        audit::insert(on, row).await?;
    }
    Ok(())
}

/// A taken number is looked for in the statement itself: the trigger that keeps seals from being replaced speaks
/// before the key does.
async fn add_seal(on: &sea_orm::DatabaseTransaction, seal: Seal) -> Result<(), StoreError> {
    let insert = "INSERT INTO audit_seals (number, last_seq, rows, hash, sealed_at) SELECT $1, $2, $3, $4, $5 \
                  WHERE NOT EXISTS (SELECT 1 FROM audit_seals WHERE number = $1)";
    let values = [
        seal.number.into(),
        seal.last_seq.into(),
        seal.rows.into(),
        seal.hash.to_hex().into(),
        micros(seal.sealed_at).into(),
    ];
    if execute(on, insert, values).await? == 0 { Err(StoreError::AlreadyExists) } else { Ok(()) }
}

/// The statement of a page and its values. One row more than asked for shows whether more follow.
fn question(filter: &AuditFilter, before: Option<AuditKey>, limit: usize) -> (String, Vec<Value>) {
    let mut conditions = Vec::new();
    let mut values = Places::default();
    // A word of ours, and written out: the index of refusals is of no use to a parameter.
    if let Some(outcome) = filter.outcome {
        conditions.push(format!("outcome = '{}'", outcome.as_str()));
    }
    let texts = [
        ("actor", &filter.actor),
        ("action", &filter.action),
        ("repository", &filter.repository),
        ("package", &filter.package),
        ("request", &filter.request),
    ];
    for (column, text) in texts {
        if let Some(text) = text {
            conditions.push(format!("{column} = {}", values.of(text.as_str())));
        }
    }
    if let Some(from) = filter.from {
        conditions.push(format!("at >= {}", values.of(micros(from))));
    }
    if let Some(to) = filter.to {
        conditions.push(format!("at < {}", values.of(micros(to))));
    }
    if let Some(AuditKey { at, seq }) = before {
        conditions.push(format!("(at, seq) < ({}, {})", values.of(micros(at)), values.of(seq)));
    }
    let wanted = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    (format!("{SELECT_ROWS}{wanted} ORDER BY at DESC, seq DESC LIMIT {}", limit + 1), values.0)
}

#[derive(FromQueryResult)]
struct Row {
    seq: i64,
    at: i64,
    actor: String,
    credential: Option<String>,
    address: Option<String>,
    action: String,
    resource: String,
    request: Option<String>,
    outcome: String,
    detail: String,
}

impl Row {
    fn parse(self) -> Result<AuditRow, StoreError> {
        let outcome = Outcome::parse(&self.outcome).ok_or_else(|| corrupt("an audit row's outcome", &self.outcome))?;
        let by = Actor { login: self.actor, credential: self.credential, address: self.address, request: self.request };
        let told = NewAuditRow {
            at: timestamp(self.at)?,
            by,
            action: self.action,
            resource: self.resource,
            outcome,
            detail: self.detail,
        };
        Ok(AuditRow { seq: self.seq, told })
    }
}

#[derive(FromQueryResult)]
struct SealRow {
    number: i64,
    last_seq: i64,
    rows: i64,
    hash: String,
    sealed_at: i64,
}

impl SealRow {
    fn parse(self) -> Result<Seal, StoreError> {
        let hash = Digest::try_from(self.hash.as_str()).map_err(|fault| corrupt("a seal", fault))?;
        let Self { number, last_seq, rows, sealed_at, .. } = self;
        Ok(Seal { number, last_seq, rows, hash, sealed_at: timestamp(sealed_at)? })
    }
}

#[cfg(test)]
mod tests {
    use keeper_core::audit::{Fault, seal_new, verify_audit};

    use super::super::fixture::{Folder, plan, publication, repository};
    use super::*;
    use keeper_core::artifact::ArtifactStore;

    #[tokio::test]
    async fn no_filter_reads_or_sorts_the_whole_audit() {
        let folder = Folder::of_sqlite();
        let store = folder.open().await;
        let text = || Some("x".to_owned());
        let now = Some(Timestamp::now());
        let none = AuditFilter::default;
        let before = Some(AuditKey { at: Timestamp::now(), seq: 7 });
        let rows = [
            (none(), "audit_at"),
            (AuditFilter { from: now, to: now, ..none() }, "audit_at"),
            (AuditFilter { actor: text(), ..none() }, "audit_actor"),
            (AuditFilter { action: text(), from: now, ..none() }, "audit_action"),
            (AuditFilter { repository: text(), to: now, ..none() }, "audit_repository"),
            (AuditFilter { package: text(), ..none() }, "audit_package"),
            (AuditFilter { outcome: Some(Outcome::Denied), ..none() }, "audit_denied"),
        ];
        for (filter, index) in rows {
            for before in [None, before] {
                let (sql, values) = question(&filter, before, 50);
                let plan = plan(&store, &sql, values).await.join("; ");
                assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{filter:?}: {plan}");
            }
        }
        let (sql, values) = question(&AuditFilter { request: text(), ..none() }, None, 50);
        let plan = plan(&store, &sql, values).await;
        assert!(plan[0].contains("audit_request"), "{}", plan[0]);
    }

    #[tokio::test]
    async fn a_row_forged_past_the_triggers_is_found_at_its_seal() {
        let folder = Folder::of_sqlite();
        let store = folder.open().await;
        let local = repository(&store, "local").await;
        for version in ["v1.0.0", "v1.1.0"] {
            store.publish(local.id, publication("example.com/m", version)).await.expect("published");
            seal_new(&store, Timestamp::now()).await.expect("sealed");
        }
        assert_eq!(verify_audit(&store).await.expect("a check").broken, None);
        for refused in ["UPDATE audit_seals SET rows = 9", "DELETE FROM audit_seals"] {
            let error = folder.try_execute(refused).await.expect_err(refused);
            assert!(error.to_string().contains("append-only"), "{refused}: {error}");
        }
        for forgery in ["DROP TRIGGER audit_refuses_update", "UPDATE audit SET actor = 'bob' WHERE action = 'publish'"]
        {
            folder.try_execute(forgery).await.expect(forgery);
        }
        let broken = verify_audit(&store).await.expect("a check").broken.expect("found");
        assert_eq!((broken.number, broken.fault), (1, Fault::Content));
    }
}
