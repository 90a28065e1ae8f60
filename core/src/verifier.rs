//! Verification: proves that what the books say is what is stored, while everything goes on.
//!
//! Shape of a finding: `blob_corrupt 9f86….k3v5w7x2m1: its bytes have the digest 2c26…`. A *fault* is a broken
//! promise; a *note* is worth knowing and no fault: a stored copy that no row names is the collector's, or an
//! upload that is just being published.
//!
//! Each blob is read in constant memory. What changes during the run is looked at again before it is told.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::artifact::{ArtifactStore, StoreError};
use crate::audit::{AuditStore, BrokenSeal, Fault, verify_audit};
use crate::digest::Digest;
use crate::error::Failure;
use crate::integrity::{Breath, Judge, Judged, Pace};
use crate::ledger::{BlobLedger, LedgerEntry, StoredCopy, WalkableBlobs};
use crate::limits::{DAMAGE_KNOWN, UPLOAD_TIME, VERIFIER_WINDOW};
use crate::repository::{Counts, RepositoryAddress};
use crate::scrubber::{CheckBook, Checked};

/// The totals of a repository: as they are kept, and as they are when somebody counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// The repository.
    pub repository: RepositoryAddress,
    /// The row that every change keeps.
    pub kept: Counts,
    /// Counted at the same moment.
    pub counted: Counts,
}

/// A part of the file rows, judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JudgedFiles {
    /// Rows looked at.
    pub files: u64,
    /// Paths of damaged rows, and what is wrong with each.
    pub faults: Vec<(String, String)>,
    /// Where to go on; `None` at the end.
    pub next: Option<i64>,
}

/// What a store can say of itself.
#[async_trait]
pub trait SelfCheck: Send + Sync {
    /// What the database finds wrong with its own structure; empty when it is sound.
    async fn integrity(&self) -> Result<Vec<String>, StoreError>;

    /// The totals of all repositories.
    async fn totals(&self) -> Result<Vec<Totals>, StoreError>;

    /// Judges file rows: each agrees with itself, and bytes in the row have their digest. From the beginning,
    /// or where the last call said to go on.
    async fn files(&self, from: Option<i64>, limit: u32) -> Result<JudgedFiles, StoreError>;
}

/// Something that verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its kind: `blob_missing`, `blob_corrupt`, `file_corrupt`, `count_wrong`, `audit_changed`,
    /// `database_corrupt`, `orphan`.
    pub code: String,
    /// What it is about.
    pub subject: String,
    /// What is wrong.
    pub detail: String,
    /// Whether a promise is broken.
    pub fault: bool,
}

/// What a run does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Believes the bytes: looks only whether they are there, as many as recorded.
    pub quick: bool,
    /// Removes stored copies that no row names, unless they are so young that an upload may be on its way.
    #[serde(default)]
    pub repair_orphans: bool,
    /// Bytes that are read in a second at most; 0 is as many as there are.
    #[serde(default)]
    pub rate: u64,
    /// Goes on where an earlier run was.
    #[serde(default)]
    pub resume: Option<Progress>,
}

/// How far a run is. Blobs are looked at in order of their digests, and everything else before them but the copies that no
/// row names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What was found so far.
    pub so_far: Verified,
    /// The last blob that was looked at; `None` before the first.
    pub after: Option<Digest>,
}

/// How far a run is, and what it found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Blobs looked at.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// File rows looked at.
    pub files: u64,
    /// Repositories whose totals were counted.
    pub repositories: u64,
    /// Broken promises.
    pub faults: u64,
    /// Notes.
    pub notes: u64,
    /// Copies without a row that were removed.
    #[serde(default)]
    pub repaired: u64,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}

/// Is told each finding and, without one, how far the run is; says whether it shall go on.
#[async_trait]
pub trait Listener: Send + Sync {
    /// Takes a finding or a sign of life.
    async fn hear(&self, finding: Option<Finding>, progress: Progress) -> bool;
}

/// Verifies a store and its blobs.
pub struct Verifier {
    ledger: Arc<dyn BlobLedger>,
    book: Arc<dyn CheckBook>,
    judge: Judge,
    check: Arc<dyn SelfCheck>,
    audit: Arc<dyn AuditStore>,
    blobs: Arc<dyn WalkableBlobs>,
}

/// A run under way.
struct Run<'a> {
    of: &'a Verifier,
    listener: &'a dyn Listener,
    so_far: Verified,
    after: Option<Digest>,
}

impl Verifier {
    /// A verifier over these.
    #[must_use]
    pub fn new(
        ledger: Arc<dyn BlobLedger>,
        book: Arc<dyn CheckBook>,
        artifacts: Arc<dyn ArtifactStore>,
        check: Arc<dyn SelfCheck>,
        audit: Arc<dyn AuditStore>,
        blobs: Arc<dyn WalkableBlobs>,
    ) -> Self {
        Self { ledger, book, judge: Judge { blobs: blobs.clone(), artifacts }, check, audit, blobs }
    }

    /// Looks at everything.
    ///
    /// # Errors
    /// When it cannot be done; a fault of what is stored is a finding.
    pub async fn run(&self, scope: Scope, listener: &dyn Listener) -> Result<Verified, Failure> {
        // What no row names is looked at anew.
        let Progress { so_far, after } = scope.resume.unwrap_or_default();
        let so_far = Verified { notes: 0, repaired: 0, stopped: false, ..so_far };
        let mut run = match after {
            None => Run { of: self, listener, so_far: Verified::default(), after },
            Some(_) => Run { of: self, listener, so_far, after },
        };
        let goes_on = after.is_some()
            || (run.database().await? && run.totals().await? && run.audit().await? && run.files().await?);
        let goes_on = goes_on && run.blobs(scope).await? && run.orphans(scope.repair_orphans).await?;
        run.so_far.stopped = !goes_on;
        Ok(run.so_far)
    }
}

#[async_trait]
impl Breath for Run<'_> {
    async fn goes_on(&self) -> bool {
        self.listener.hear(None, self.progress()).await
    }
}

impl Run<'_> {
    async fn fault(&mut self, code: &str, subject: impl Into<String>, detail: impl Into<String>) -> bool {
        self.so_far.faults += 1;
        self.tell(code, subject.into(), detail.into(), true).await
    }

    async fn tell(&self, code: &str, subject: String, detail: String, fault: bool) -> bool {
        let finding = Finding { code: code.to_owned(), subject, detail, fault };
        self.listener.hear(Some(finding), self.progress()).await
    }

    fn progress(&self) -> Progress {
        Progress { so_far: self.so_far, after: self.after }
    }

    async fn database(&mut self) -> Result<bool, Failure> {
        for line in self.of.check.integrity().await? {
            if !self.fault("database_corrupt", "database", line).await {
                return Ok(false);
            }
        }
        Ok(self.goes_on().await)
    }

    async fn totals(&mut self) -> Result<bool, Failure> {
        for Totals { repository, kept, counted } in self.of.check.totals().await? {
            self.so_far.repositories += 1;
            if kept != counted {
                let text = |counts: Counts| {
                    format!("{} packages, {} versions, {} bytes", counts.packages, counts.artifacts, counts.bytes)
                };
                let detail = format!("it has {}; its row says {}", text(counted), text(kept));
                if !self.fault("count_wrong", repository.to_string(), detail).await {
                    return Ok(false);
                }
            }
        }
        Ok(self.goes_on().await)
    }

    /// The chain of seals up to the first that does not fit.
    async fn audit(&mut self) -> Result<bool, Failure> {
        let check = verify_audit(self.of.audit.as_ref()).await?;
        if let Some(BrokenSeal { number, after_seq, last_seq, fault }) = check.broken {
            let reason = match fault {
                Fault::RowCount => "rows under it were added or removed",
                Fault::Content => "a row under it, or the seal itself, was changed",
                Fault::Gap => "the seal before it is missing",
            };
            let detail = format!("{reason}; it stands for the rows {} to {last_seq}", after_seq + 1);
            if !self.fault("audit_changed", format!("seal {number}"), detail).await {
                return Ok(false);
            }
        }
        Ok(self.goes_on().await)
    }

    async fn files(&mut self) -> Result<bool, Failure> {
        let mut from = None;
        loop {
            let JudgedFiles { files, faults, next } = self.of.check.files(from, VERIFIER_WINDOW).await?;
            self.so_far.files += files;
            for (path, reason) in faults {
                if !self.fault("file_corrupt", path, reason).await {
                    return Ok(false);
                }
            }
            if !self.goes_on().await {
                return Ok(false);
            }
            if next.is_none() {
                return Ok(true);
            }
            from = next;
        }
    }

    async fn blobs(&mut self, scope: Scope) -> Result<bool, Failure> {
        let mut pace = Pace::new(scope.rate);
        let (_, known) = self.of.book.broken(DAMAGE_KNOWN).await?;
        let known: HashSet<_> = known.into_iter().map(|broken| broken.blob.location).collect();
        loop {
            let window = self.of.ledger.entries(self.after, VERIFIER_WINDOW).await?;
            if window.is_empty() {
                return Ok(true);
            }
            for LedgerEntry { blob, .. } in window {
                match self.of.judge.judge(&blob, scope.quick, &mut pace, &*self).await? {
                    Judged::Stopped => return Ok(false),
                    Judged::Fine => {
                        if !scope.quick && known.contains(&blob.location) {
                            self.note(Checked::fine(blob.clone(), Timestamp::now())).await?;
                        }
                    }
                    Judged::Broken(code, reason) => {
                        if !known.contains(&blob.location) {
                            self.note(Checked::broken(blob.clone(), code, reason.clone(), Timestamp::now())).await?;
                        }
                        // It is told before it is counted as looked at: nobody resumes behind what was not told.
                        if !self.fault(code, blob.location.as_str(), reason).await {
                            return Ok(false);
                        }
                    }
                }
                self.after = Some(blob.location.digest());
                self.so_far.blobs += 1;
                self.so_far.bytes += blob.size;
                if !self.goes_on().await {
                    return Ok(false);
                }
            }
        }
    }

    /// Writes down what is not known yet: a copy that is damaged, or one that is no more. Where nothing can be written
    /// it is told all the same.
    async fn note(&self, checked: Checked) -> Result<(), Failure> {
        match self.of.book.note(vec![checked], Timestamp::now()).await {
            Err(StoreError::NotWritable(_)) => Ok(()),
            noted => Ok(noted.map(drop)?),
        }
    }

    async fn orphans(&mut self, repair: bool) -> Result<bool, Failure> {
        for shelf in 0..=u8::MAX {
            let stored = self.of.blobs.shelf(shelf).await?;
            for stranger in self.of.ledger.strangers(shelf, stored, None).await? {
                self.so_far.notes += 1;
                let detail = if repair && self.remove(&stranger.copy).await? {
                    self.so_far.repaired += 1;
                    "no row named it; it was removed"
                } else {
                    "no row names it: the collector's, or an upload on its way"
                };
                let at = stranger.copy.blob.location.as_str().to_owned();
                if !self.tell("orphan", at, detail.to_owned(), false).await {
                    return Ok(false);
                }
            }
            if !self.goes_on().await {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes a copy as the collector does: through the trash, from where no upload can take it any more. An upload
    /// takes [`UPLOAD_TIME`] at most; what is older belongs to none.
    async fn remove(&self, copy: &StoredCopy) -> Result<bool, Failure> {
        let now = Timestamp::now();
        if now.duration_since(copy.modified_at).unsigned_abs() < UPLOAD_TIME || copy.modified_at > now {
            return Ok(false);
        }
        let discarded = self.of.ledger.discard(std::slice::from_ref(&copy.blob), now).await?;
        for blob in &discarded {
            self.of.blobs.delete(&blob.location).await?;
            self.of.ledger.forget(std::slice::from_ref(&blob.location), now).await?;
        }
        Ok(!discarded.is_empty())
    }
}
