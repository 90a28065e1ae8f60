//! Refusals, collected until somebody writes them: a flood of them becomes a few rows with a count.
//!
//! Shape of a row's detail: `{"code":"publish_denied","count":12,"first_at":"2026-11-22T10:00:00Z","message":"…"}`.
//!
//! *Bounds*: [`KINDS`] kinds of refusals at once; what is of further kinds is counted in one row for all. Kept are
//! whole texts of at most [`TEXT_CHARACTERS`].

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::json;

use super::{AuditStore, NewAuditRow, Outcome};
use crate::artifact::StoreError;
use crate::repository::Actor;

/// Kinds of refusals that are told apart between two writes. With a write each minute a flood costs the database some
/// 20 MB a day and no more.
const KINDS: usize = 100;

/// Characters of a text that a caller chose.
const TEXT_CHARACTERS: usize = 200;

/// Stands for what is not told apart any more.
const SEVERAL: &str = "(several)";

/// One refusal.
#[derive(Debug, Clone, Copy)]
pub struct Denial<'a> {
    /// Who tried; the request is that of the first time.
    pub by: &'a Actor,
    /// What: `publish`, `login`.
    pub action: &'static str,
    /// On what.
    pub resource: &'a str,
    /// Why not: a stable code.
    pub code: &'static str,
    /// Why not, in words; those of the first time are kept.
    pub message: &'a str,
}

/// What makes refusals one kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Kind {
    login: String,
    credential: Option<String>,
    address: Option<String>,
    action: &'static str,
    resource: String,
    code: &'static str,
}

#[derive(Debug)]
struct Count {
    request: Option<String>,
    message: String,
    first_at: Timestamp,
    last_at: Timestamp,
    times: u64,
}

/// The refusals since the last write.
#[derive(Debug, Default)]
pub struct Denials {
    kinds: Mutex<HashMap<Kind, Count>>,
}

impl Denials {
    /// Counts one.
    pub fn note(&self, denial: &Denial<'_>, now: Timestamp) {
        let Denial { by, action, resource, code, message } = *denial;
        let kind = Kind {
            login: cut(&by.login),
            credential: by.credential.clone(),
            address: by.address.clone(),
            action,
            resource: cut(resource),
            code,
        };
        let (request, message) = (by.request.clone(), cut(message));
        let once = Count { request, message, first_at: now, last_at: now, times: 1 };
        add(&mut self.kinds(), kind, once);
    }

    /// Writes them, and forgets them once they are written. Says how many rows that were.
    ///
    /// # Errors
    /// What the store reports; they are kept for the next time then.
    pub async fn flush(&self, store: &dyn AuditStore) -> Result<usize, StoreError> {
        let taken = std::mem::take(&mut *self.kinds());
        let mut rows: Vec<_> = taken.iter().map(|(kind, count)| row(kind, count)).collect();
        if rows.is_empty() {
            return Ok(0);
        }
        rows.sort_by_key(|row| row.at);
        let count = rows.len();
        let written = store.record(rows).await;
        if written.is_err() {
            let mut kinds = self.kinds();
            taken.into_iter().for_each(|(kind, count)| add(&mut kinds, kind, count));
        }
        written.map(|()| count)
    }

    fn kinds(&self) -> MutexGuard<'_, HashMap<Kind, Count>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a kind, or all further ones together when there are too many.
fn add(kinds: &mut HashMap<Kind, Count>, kind: Kind, count: Count) {
    let known = kinds.contains_key(&kind);
    let kind = if known || kinds.len() < KINDS { kind } else { several() };
    kinds
        .entry(kind)
        .and_modify(|there| {
            there.times += count.times;
            there.first_at = there.first_at.min(count.first_at);
            there.last_at = there.last_at.max(count.last_at);
        })
        .or_insert(count);
}

fn several() -> Kind {
    Kind {
        login: SEVERAL.to_owned(),
        credential: None,
        address: None,
        action: SEVERAL,
        resource: SEVERAL.to_owned(),
        code: SEVERAL,
    }
}

fn row(kind: &Kind, count: &Count) -> NewAuditRow {
    let Kind { login, credential, address, action, resource, code } = kind.clone();
    let (first_at, message) = (count.first_at.to_string(), &count.message);
    let detail = json!({ "code": code, "count": count.times, "first_at": first_at, "message": message });
    NewAuditRow {
        at: count.last_at,
        by: Actor { login, credential, address, request: count.request.clone() },
        action: action.to_owned(),
        resource,
        outcome: Outcome::Denied,
        detail: detail.to_string(),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::memory::MemoryStore;

    fn by(login: &str) -> Actor {
        Actor { login: login.to_owned(), request: Some("R1".to_owned()), ..Actor::default() }
    }

    fn publish<'a>(by: &'a Actor, resource: &'a str) -> Denial<'a> {
        Denial { by, action: "publish", resource, code: "publish_denied", message: "why" }
    }

    /// What a flush writes.
    async fn written(denials: &Denials) -> Vec<NewAuditRow> {
        let store = MemoryStore::new();
        denials.flush(&store).await.expect("written");
        let rows = store.rows_after(0, None, None).await.expect("rows");
        rows.into_iter().map(|row| row.told).collect()
    }

    #[tokio::test]
    async fn equal_refusals_become_one_row_with_their_count() {
        let (denials, mallory, eve) = (Denials::default(), by("mallory"), by("eve"));
        for _ in 0..1_000 {
            denials.note(&publish(&mallory, "go/local"), Timestamp::UNIX_EPOCH);
        }
        denials.note(&publish(&eve, "go/local"), Timestamp::UNIX_EPOCH);
        denials.note(&Denial { code: "other", ..publish(&eve, "go/local") }, Timestamp::UNIX_EPOCH);
        let rows = written(&denials).await;
        let told: Vec<_> = rows.iter().filter(|row| row.by.login == "mallory").map(|row| row.detail.as_str()).collect();
        assert_eq!(rows.len(), 3);
        assert_eq!(
            told,
            [r#"{"code":"publish_denied","count":1000,"first_at":"1970-01-01T00:00:00Z","message":"why"}"#]
        );
        assert_eq!(written(&denials).await, [], "written once");
    }

    #[tokio::test]
    async fn a_flood_of_different_refusals_stays_bounded_and_is_counted_whole() {
        let (denials, mallory) = (Denials::default(), by("mallory"));
        for number in 0..5_000 {
            denials.note(&publish(&mallory, &format!("go/{number}")), Timestamp::UNIX_EPOCH);
        }
        let rows = written(&denials).await;
        assert_eq!(rows.len(), KINDS + 1);
        let rest = rows.iter().find(|row| row.by.login == SEVERAL).expect("a row for the others");
        assert!(rest.detail.contains(&format!("\"count\":{}", 5_000 - KINDS)), "{}", rest.detail);
    }

    #[tokio::test]
    async fn what_could_not_be_written_is_kept_and_counted_on() {
        let (denials, mallory, broken) = (Denials::default(), by("mallory"), MemoryStore::new());
        broken.fail_after(0);
        denials.note(&publish(&mallory, "go/local"), Timestamp::UNIX_EPOCH);
        assert!(denials.flush(&broken).await.is_err());
        denials.note(&publish(&mallory, "go/local"), Timestamp::UNIX_EPOCH);
        let rows = written(&denials).await;
        assert!(rows.len() == 1 && rows[0].detail.contains("\"count\":2"), "{rows:?}");
    }

    #[tokio::test]
    async fn a_long_text_is_cut() {
        let (denials, mallory) = (Denials::default(), by(&"m".repeat(9_000)));
        denials.note(&publish(&mallory, &"é".repeat(9_000)), Timestamp::UNIX_EPOCH);
        let row = written(&denials).await.remove(0);
        let lengths = (row.by.login.chars().count(), row.resource.chars().count());
        assert_eq!(lengths, (TEXT_CHARACTERS, TEXT_CHARACTERS));
    }
}
