//! The audit: who did what, when, from where; and the port that keeps it.
//!
//! Shape of a row: `7 | 2026-11-22T10:00:00Z | alice | akp_Ab12 | 192.0.2.7 | publish |
//! go/local example.com/m@v1.0.0 | 7Q2M9K4T1XWB | done | {"content":"h1:…"}`. A change writes its row in its own
//! transaction, so there is no change without a row. What was refused changes nothing and has no transaction: it is
//! collected in memory ([`Denials`]) and written once a minute, many refusals in one row.
//!
//! Rows are never changed. [`seal_new`] closes what was added since the last time with a link of a hash chain, and
//! [`verify_audit`] says whether all links still fit.
//!
//! *Units*: times in microseconds. *Bounds*: [`AUDIT_PAGE_ROWS`] rows of one answer of the port.

mod denials;
mod seals;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::artifact::{Page, StoreError};
use crate::digest::Digest;
use crate::repository::Actor;

pub use denials::{Denial, Denials};
pub use seals::{AuditCheck, BrokenSeal, Fault, seal_new, verify_audit};

/// Rows that the port gives at once.
pub const AUDIT_PAGE_ROWS: u32 = 1_000;

/// How what a row tells of ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It happened.
    Done,
    /// It was refused, once or many times: `detail` has the count.
    Denied,
}

impl Outcome {
    /// The word in rows and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Denied => "denied",
        }
    }

    /// The outcome of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Done, Self::Denied].into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// What a row will hold; its number comes with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAuditRow {
    /// When it happened; of several refusals the last.
    pub at: Timestamp,
    /// Who, with which credential, from where, by which request.
    pub by: Actor,
    /// What was done: `publish`, `token.create`.
    pub action: String,
    /// What it was done to: `go/local example.com/m@v1.0.0`, `user alice`.
    pub resource: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What changed, as JSON, letter for letter as it is sealed. Never holds a secret.
    pub detail: String,
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// Its number: higher is later; none is ever used again.
    pub seq: i64,
    /// What it tells.
    pub told: NewAuditRow,
}

impl AuditRow {
    /// Its place among all rows by time.
    #[must_use]
    pub fn key(&self) -> AuditKey {
        AuditKey { at: self.told.at, seq: self.seq }
    }
}

/// A place between rows by time; rows of one time stand in order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditKey {
    /// The time.
    pub at: Timestamp,
    /// The number.
    pub seq: i64,
}

/// Which rows are wanted; what is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Exactly this login.
    pub actor: Option<String>,
    /// Exactly this action.
    pub action: Option<String>,
    /// Of exactly this repository, as `format/name`.
    pub repository: Option<String>,
    /// Of exactly this package.
    pub package: Option<String>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// By exactly this request.
    pub request: Option<String>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
}

impl AuditFilter {
    /// Whether a row is wanted.
    #[must_use]
    pub fn admits(&self, row: &NewAuditRow) -> bool {
        let wanted =
            |asked: &Option<String>, has: Option<&str>| asked.as_deref().is_none_or(|asked| Some(asked) == has);
        let (repository, package) = subject(&row.resource);
        wanted(&self.actor, Some(&row.by.login))
            && wanted(&self.action, Some(&row.action))
            && wanted(&self.repository, repository)
            && wanted(&self.package, package)
            && self.outcome.is_none_or(|outcome| outcome == row.outcome)
            && wanted(&self.request, row.by.request.as_deref())
            && self.from.is_none_or(|from| row.at >= from)
            && self.to.is_none_or(|to| row.at < to)
    }
}

/// The repository and the package that a resource names, if it does: `go/local example.com/m@v1.0.0` is of
/// `go/local` and `example.com/m`; `user alice` and an address (`/api/users`) are of neither.
#[must_use]
pub fn subject(resource: &str) -> (Option<&str>, Option<&str>) {
    let (head, rest) = match resource.split_once(' ') {
        Some((head, rest)) => (head, Some(rest)),
        None => (resource, None),
    };
    if !head.contains('/') || head.starts_with('/') {
        return (None, None);
    }
    (Some(head), rest.map(|rest| rest.rsplit_once('@').map_or(rest, |(package, _)| package)))
}

/// A link of the chain: `hash` is the SHA-256 of the hash before it and of the rows since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// Its number, from 1 without gaps.
    pub number: i64,
    /// The number of the last row under it.
    pub last_seq: i64,
    /// How many rows are under it.
    pub rows: i64,
    /// The link.
    pub hash: Digest,
    /// When it was made.
    pub sealed_at: Timestamp,
}

/// Keeps the audit. The rows of changes come with the changes, through the other ports; here they are read, and what
/// changed nothing is added.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Wanted rows before a place, the newest first; at most `limit`, and never more than [`AUDIT_PAGE_ROWS`].
    async fn page(
        &self,
        filter: &AuditFilter,
        before: Option<AuditKey>,
        limit: u32,
    ) -> Result<Page<AuditRow>, StoreError>;

    /// Rows after a number, in the order in which they were written; `from` and `to` as in the filter. At most
    /// [`AUDIT_PAGE_ROWS`]; fewer are all there are.
    async fn rows_after(
        &self,
        seq: i64,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<Vec<AuditRow>, StoreError>;

    /// Adds rows, all or none.
    async fn record(&self, rows: Vec<NewAuditRow>) -> Result<(), StoreError>;

    /// Seals after a number, in order; at most [`AUDIT_PAGE_ROWS`].
    async fn seals_after(&self, number: i64) -> Result<Vec<Seal>, StoreError>;

    /// The last seal.
    async fn head(&self) -> Result<Option<Seal>, StoreError>;

    /// Adds a seal; [`StoreError::AlreadyExists`] when its number is taken.
    async fn add_seal(&self, seal: Seal) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::subject;

    #[test]
    fn a_resource_names_its_repository_and_package() {
        for (resource, repository, package) in [
            ("go/local example.com/m@v1.0.0", Some("go/local"), Some("example.com/m")),
            ("npm/team @scope/p@1.0.0", Some("npm/team"), Some("@scope/p")),
            ("go/local", Some("go/local"), None),
            ("go/local example.com/m", Some("go/local"), Some("example.com/m")),
            ("user alice", None, None),
            ("user al/ice", None, None),
            ("/api/users", None, None),
            ("", None, None),
        ] {
            assert_eq!(subject(resource), (repository, package), "{resource}");
        }
    }
}
