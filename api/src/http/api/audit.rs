//! `/api/audit`: who did what, for administrators.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use jiff::Timestamp;
use keeper_core::audit::{AuditFilter, AuditKey, AuditRow, AuditStore, Outcome, Seal, subject, verify_audit};
use keeper_core::error::{Failure, codes};
use poem::Body;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::{Binary, Json};
use poem_openapi::types::{Any, ToJSON as _};
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde_json::Value;
use uuid::Uuid;

use super::Group;
use super::caller::Caller;
use super::cursor::NextCursor;
use super::listing::{self, default_limit, shorten};
use crate::http::{App, Refused};

pub(super) struct Audit;

/// One row of the audit.
#[derive(Object)]
struct AuditEntry {
    /// Its number: higher was written later. Never used twice.
    seq: i64,
    /// When it happened; of refusals that were counted together the last time.
    at: String,
    /// The login; `anonymous` for nobody in particular, `system` for the server itself.
    actor: String,
    /// The visible part of the token that was used.
    #[oai(skip_serializing_if_is_none)]
    credential: Option<String>,
    /// The caller's address, as told by a trusted proxy or as seen.
    #[oai(skip_serializing_if_is_none)]
    address: Option<String>,
    /// What was done, for example `publish`, `token.create`, `login`.
    action: String,
    /// What it was done to, for example `go/local github.com/yourcompany/mymodule@v1.0.0`.
    resource: String,
    /// The repository that this is of, as `format/name`.
    #[oai(skip_serializing_if_is_none)]
    repository: Option<String>,
    /// The package that this is of.
    #[oai(skip_serializing_if_is_none)]
    package: Option<String>,
    /// The id of the request, which stands in its answer and in the log.
    #[oai(skip_serializing_if_is_none)]
    request_id: Option<String>,
    /// `done`, or `denied` for one or more refusals: `detail` has their `count`.
    outcome: String,
    /// What changed. Its fields belong to the action; never a secret.
    detail: Any<Value>,
}

/// A page of the audit.
#[derive(Object)]
struct AuditPage {
    /// The rows, newest first.
    items: Vec<AuditEntry>,
    /// Give it as `cursor` to get the next page; `null` on the last one.
    next_cursor: NextCursor,
}

/// The audit as lines.
#[derive(ApiResponse)]
enum ExportAnswer {
    /// One JSON object a line, in the order of their writing, as they stand in the pages of `GET /audit`.
    #[oai(status = 200, content_type = "application/x-ndjson")]
    Lines(Binary<Body>),
}

/// What a recomputation of all seals found.
#[derive(Object)]
struct AuditVerification {
    /// Whether every seal fits its rows.
    sound: bool,
    /// Seals that fit.
    seals: u64,
    /// Rows under them.
    rows: u64,
    /// Rows that no seal covers yet; a seal follows within seconds.
    unsealed: u64,
    /// The last seal that fits. Compare it with what the log told: a cut tail shows only there.
    #[oai(skip_serializing_if_is_none)]
    head: Option<SealView>,
    /// The first seal that does not fit.
    #[oai(skip_serializing_if_is_none)]
    broken: Option<BrokenSealView>,
}

/// A link of the chain over the audit.
#[derive(Object)]
struct SealView {
    /// Its number, from 1.
    number: i64,
    /// The number of the last row under it.
    last_seq: i64,
    /// The SHA-256 of the seal before it and of the rows since, in hexadecimal digits.
    hash: String,
    /// When it was made.
    sealed_at: String,
}

/// A seal that does not fit.
#[derive(Object)]
struct BrokenSealView {
    /// Its number.
    number: i64,
    /// Rows with higher numbers than this
    after_seq: i64,
    /// up to this one are under it: one of them was changed, added or removed.
    last_seq: i64,
    /// `row_count`, `content`, or `gap` when a seal before it is missing.
    fault: String,
}

#[OpenApi(tag = "Group::Audit")]
impl Audit {
    /// List the audit.
    ///
    /// Newest first, for administrators of the instance. Every change of the server's state is here, and what was
    /// refused: failed logins and changes that were not allowed, equal ones counted together each minute.
    #[oai(path = "/audit", method = "get", operation_id = "list_audit")]
    #[allow(clippy::too_many_arguments)]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Only of exactly this login.
        actor: Query<Option<String>>,
        /// Only exactly this action, for example `publish`.
        action: Query<Option<String>>,
        /// Only of this repository, as `format/name`.
        repository: Query<Option<String>>,
        /// Only of exactly this package.
        package: Query<Option<String>>,
        /// Only with this outcome: `done` or `denied`.
        outcome: Query<Option<String>>,
        /// Only by the request with this id.
        request_id: Query<Option<String>>,
        /// Not before this time (RFC 3339).
        from: Query<Option<String>>,
        /// Before this time (RFC 3339).
        to: Query<Option<String>>,
        /// At most so many, 1 to 200.
        #[oai(default = "default_limit")]
        limit: Query<u32>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<AuditPage>, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        let limit = listing::limit(limit.0)?;
        let sealed = [&actor.0, &action.0, &repository.0, &package.0, &outcome.0, &request_id.0, &from.0, &to.0];
        let sealed = caller.filter("audit", &sealed);
        let before = cursor.0.as_deref().map(|text| sealed.open_bytes(text, opened)).transpose()?;
        let filter = AuditFilter {
            outcome: outcome.0.as_deref().map(parse_outcome).transpose()?,
            from: moment("from", from.0.as_deref())?,
            to: moment("to", to.0.as_deref())?,
            actor: actor.0,
            action: action.0,
            repository: repository.0,
            package: package.0,
            request: request_id.0,
        };
        let page = app.keeper.ports().audit.page(&filter, before, limit).await.map_err(Failure::from)?;
        let next_cursor = NextCursor::of(&page, |last| sealed.seal(closed(last.key())));
        Ok(Json(AuditPage { items: page.items.into_iter().map(AuditEntry::of).collect(), next_cursor }))
    }

    /// Export the audit.
    ///
    /// All rows as JSON lines, in the order of their writing, streamed. To go on where an earlier export ended, give
    /// the `seq` of its last line as `after_seq`: nothing is missed and nothing comes twice.
    #[oai(path = "/audit/export", method = "get", operation_id = "export_audit")]
    async fn export(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Only rows with higher numbers.
        after_seq: Query<Option<i64>>,
        /// Not before this time (RFC 3339).
        from: Query<Option<String>>,
        /// Before this time (RFC 3339).
        to: Query<Option<String>>,
    ) -> Result<ExportAnswer, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        let (from, to) = (moment("from", from.0.as_deref())?, moment("to", to.0.as_deref())?);
        let store = app.keeper.ports().audit.clone();
        Ok(ExportAnswer::Lines(Binary(Body::from_bytes_stream(lines(store, after_seq.0.unwrap_or(0), from, to)))))
    }

    /// Verify the audit.
    ///
    /// Recomputes every seal over every row, which reads the whole audit, and names the first that does not fit.
    #[oai(path = "/audit/verification", method = "get", operation_id = "verify_audit")]
    async fn verify(&self, app: Data<&Arc<App>>, caller: Caller) -> Result<Json<AuditVerification>, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        let check = verify_audit(app.keeper.ports().audit.as_ref()).await.map_err(Failure::from)?;
        Ok(Json(AuditVerification {
            sound: check.broken.is_none(),
            seals: check.seals,
            rows: check.rows,
            unsealed: check.unsealed,
            head: check.head.map(SealView::of),
            broken: check.broken.map(|broken| BrokenSealView {
                number: broken.number,
                after_seq: broken.after_seq,
                last_seq: broken.last_seq,
                fault: broken.fault.as_str().to_owned(),
            }),
        }))
    }
}

impl AuditEntry {
    fn of(AuditRow { seq, told }: AuditRow) -> Self {
        let (repository, package) = subject(&told.resource);
        Self {
            seq,
            at: micros(told.at),
            repository: repository.map(str::to_owned),
            package: package.map(str::to_owned),
            actor: told.by.login,
            credential: told.by.credential,
            address: told.by.address,
            action: told.action,
            resource: told.resource,
            request_id: told.by.request,
            outcome: told.outcome.as_str().to_owned(),
            // Only a person at the database's shell can have written what is no JSON; the text shows it.
            detail: Any(serde_json::from_str(&told.detail).unwrap_or(Value::String(told.detail))),
        }
    }
}

impl SealView {
    fn of(seal: Seal) -> Self {
        let Seal { number, last_seq, hash, sealed_at, .. } = seal;
        Self { number, last_seq, hash: hash.to_hex(), sealed_at: super::views::time(sealed_at) }
    }
}

/// The rows as lines, a page of them at a time: memory does not grow with the audit. Trouble on the way breaks the
/// connection, so that a part is never taken for the whole.
fn lines(
    store: Arc<dyn AuditStore>,
    after_seq: i64,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    let pages = stream::try_unfold((store, after_seq), move |(store, after)| async move {
        let rows = store.rows_after(after, from, to).await.map_err(|error| {
            tracing::error!(%error, "an export of the audit broke off");
            std::io::Error::other(error)
        })?;
        let Some(last) = rows.last().map(|row| row.seq) else { return Ok(None) };
        let lines: String = rows.into_iter().map(|row| AuditEntry::of(row).to_json_string() + "\n").collect();
        Ok(Some((Bytes::from(lines), (store, last))))
    });
    pages.boxed()
}

/// Times of the audit keep their microseconds: rows of one second have an order.
fn micros(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// A place in the audit as the key of a cursor: 8 bytes of time, 8 of the number.
fn closed(key: AuditKey) -> Uuid {
    Uuid::from_u64_pair(key.at.as_microsecond().cast_unsigned(), key.seq.cast_unsigned())
}

fn opened(key: &[u8]) -> Option<AuditKey> {
    let (at, seq) = Uuid::from_slice(key).ok()?.as_u64_pair();
    Some(AuditKey { at: Timestamp::from_microsecond(at.cast_signed()).ok()?, seq: seq.cast_signed() })
}

fn parse_outcome(text: &str) -> Result<Outcome, Failure> {
    Outcome::parse(text).ok_or_else(|| {
        Failure::new(&codes::INVALID_FIELD, format!("outcome is done or denied, not {:?}", shorten(text)))
            .field("outcome")
    })
}

fn moment(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, Failure> {
    let parse = |text: &str| {
        text.parse().map_err(|_| {
            let detail = format!("{:?} is no time in RFC 3339, for example 2026-11-22T10:00:00Z", shorten(text));
            Failure::new(&codes::INVALID_FIELD, detail).field(field)
        })
    };
    text.map(parse).transpose()
}
