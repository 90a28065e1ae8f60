//! The chain over the audit: `seal(n) = SHA-256(seal(n-1) ‖ rows)`, with 32 zero bytes before the first.
//!
//! A row goes in as its number and time (8 bytes each, big-endian), then its texts: a zero byte for one that is
//! absent, else a one, the length in 8 bytes and the text. So no two lists of rows are one list of bytes.
//!
//! One task seals, some seconds after the rows were written: publishing is not serialised by a chain. Whoever changes
//! a row and leaves the seals is found by [`verify_audit`]; whoever cuts the tail or makes all seals anew is found by
//! comparing the head with one that was written to the log earlier.
//!
//! *Bounds*: [`SEAL_ROWS`] rows under one seal; memory for one page of rows.

use jiff::Timestamp;

use super::{AuditRow, AuditStore, Seal};
use crate::artifact::StoreError;
use crate::digest::{Digest, Hasher};

/// Rows under one seal at most, so that a later removal of old rows can go by whole seals of a sensible size.
const SEAL_ROWS: i64 = 10_000;

/// What [`verify_audit`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditCheck {
    /// Seals that fit.
    pub seals: u64,
    /// Rows under them.
    pub rows: u64,
    /// Rows that no seal covers yet.
    pub unsealed: u64,
    /// The last seal that fits.
    pub head: Option<Seal>,
    /// The first that does not.
    pub broken: Option<BrokenSeal>,
}

/// A seal that does not fit its rows, or a gap in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokenSeal {
    /// Its number.
    pub number: i64,
    /// Rows with higher numbers than this are under it,
    pub after_seq: i64,
    /// up to this one.
    pub last_seq: i64,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There are fewer or more rows under it than it says.
    RowCount,
    /// A row under it, or the seal itself, was changed.
    Content,
    /// A seal before it is missing.
    Gap,
}

impl Fault {
    /// The word in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RowCount => "row_count",
            Self::Content => "content",
            Self::Gap => "gap",
        }
    }
}

/// Seals what is new; how many rows that were. Only one task may do it at a time: another one's seal is
/// [`StoreError::AlreadyExists`].
///
/// # Errors
/// What the store reports; nothing is lost then, the next time takes these rows too.
pub async fn seal_new(store: &dyn AuditStore, now: Timestamp) -> Result<u64, StoreError> {
    let mut head = store.head().await?;
    let mut sealed = 0;
    loop {
        let (number, after) = head.map_or((1, 0), |head| (head.number + 1, head.last_seq));
        let mut link = Link::after(head.as_ref());
        let mut reached = after;
        while link.rows < SEAL_ROWS {
            let rows = store.rows_after(reached, None, None).await?;
            let Some(last) = rows.last() else { break };
            reached = last.seq;
            rows.iter().for_each(|row| link.take(row));
        }
        if link.rows == 0 {
            return Ok(sealed);
        }
        sealed += link.rows.unsigned_abs();
        let seal = Seal { number, last_seq: reached, rows: link.rows, hash: link.close(), sealed_at: now };
        store.add_seal(seal).await?;
        head = Some(seal);
    }
}

/// Reads the whole audit and says whether every seal fits. Rows and seals stream; those that come meanwhile may or may
/// not be counted.
///
/// # Errors
/// What the store reports.
pub async fn verify_audit(store: &dyn AuditStore) -> Result<AuditCheck, StoreError> {
    let mut check = AuditCheck { seals: 0, rows: 0, unsealed: 0, head: None, broken: None };
    let mut rows = Rows { store, ready: Vec::new().into_iter(), reached: 0 };
    loop {
        let number = check.head.map_or(0, |head| head.number);
        let seals = store.seals_after(number).await?;
        if seals.is_empty() {
            break;
        }
        for seal in seals {
            let after_seq = check.head.map_or(0, |head| head.last_seq);
            if let Some(fault) = rows.fault_of(&seal, check.head.as_ref()).await? {
                check.broken = Some(BrokenSeal { number: seal.number, after_seq, last_seq: seal.last_seq, fault });
                return Ok(check);
            }
            check.seals += 1;
            check.rows += seal.rows.unsigned_abs();
            check.head = Some(seal);
        }
    }
    while rows.next(i64::MAX).await?.is_some() {
        check.unsealed += 1;
    }
    Ok(check)
}

/// The hash of a seal in the making.
struct Link {
    hasher: Hasher,
    rows: i64,
}

impl Link {
    fn after(head: Option<&Seal>) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(head.map_or(&[0; 32], |head| head.hash.as_bytes()));
        Self { hasher, rows: 0 }
    }

    fn take(&mut self, row: &AuditRow) {
        let told = &row.told;
        self.hasher.update(&row.seq.to_be_bytes());
        self.hasher.update(&told.at.as_microsecond().to_be_bytes());
        let by = &told.by;
        let texts = [
            Some(by.login.as_str()),
            by.credential.as_deref(),
            by.address.as_deref(),
            Some(told.action.as_str()),
            Some(told.resource.as_str()),
            by.request.as_deref(),
            Some(told.outcome.as_str()),
            Some(told.detail.as_str()),
        ];
        for text in texts {
            let Some(text) = text else {
                self.hasher.update(&[0]);
                continue;
            };
            self.hasher.update(&[1]);
            self.hasher.update(&(text.len() as u64).to_be_bytes());
            self.hasher.update(text.as_bytes());
        }
        self.rows += 1;
    }

    fn close(self) -> Digest {
        self.hasher.digest()
    }
}

/// All rows in order, a page at a time.
struct Rows<'a> {
    store: &'a dyn AuditStore,
    ready: std::vec::IntoIter<AuditRow>,
    reached: i64,
}

impl Rows<'_> {
    /// The next row, if its number is at most `last`.
    async fn next(&mut self, last: i64) -> Result<Option<AuditRow>, StoreError> {
        if self.ready.as_slice().is_empty() {
            self.ready = self.store.rows_after(self.reached, None, None).await?.into_iter();
        }
        match self.ready.as_slice().first() {
            Some(row) if row.seq <= last => self.reached = row.seq,
            _ => return Ok(None),
        }
        Ok(self.ready.next())
    }

    /// What is wrong with a seal that follows `before`.
    async fn fault_of(&mut self, seal: &Seal, before: Option<&Seal>) -> Result<Option<Fault>, StoreError> {
        if seal.number != before.map_or(0, |before| before.number) + 1 {
            return Ok(Some(Fault::Gap));
        }
        let mut link = Link::after(before);
        while let Some(row) = self.next(seal.last_seq).await? {
            link.take(&row);
        }
        if link.rows != seal.rows {
            return Ok(Some(Fault::RowCount));
        }
        Ok((link.close() != seal.hash).then_some(Fault::Content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{NewAuditRow, Outcome};
    use crate::repository::Actor;
    use crate::testing::memory::MemoryStore;

    /// Two seals: rows 1 and 2, row 3. Row 4 is not sealed.
    async fn sealed() -> MemoryStore {
        let store = MemoryStore::new();
        let row = |number: i64| NewAuditRow {
            at: Timestamp::UNIX_EPOCH,
            by: Actor { login: "alice".to_owned(), ..Actor::default() },
            action: "publish".to_owned(),
            resource: format!("go/local m@v{number}"),
            outcome: Outcome::Done,
            detail: "{}".to_owned(),
        };
        for rows in [vec![row(1), row(2)], vec![row(3)]] {
            store.record(rows).await.expect("recorded");
            seal_new(&store, Timestamp::UNIX_EPOCH).await.expect("sealed");
        }
        store.record(vec![row(4)]).await.expect("recorded");
        store
    }

    async fn first_broken(forge: impl FnOnce(&mut Vec<AuditRow>, &mut Vec<Seal>)) -> Option<(i64, Fault)> {
        let store = sealed().await;
        store.forge_audit(forge);
        let check = verify_audit(&store).await.expect("a check");
        check.broken.map(|broken| (broken.number, broken.fault))
    }

    #[tokio::test]
    async fn every_forgery_of_a_sealed_row_is_found_at_its_seal() {
        assert_eq!(first_broken(|_, _| ()).await, None);
        let changes: [fn(&mut AuditRow); 7] = [
            |row| row.told.by.login = "bob".to_owned(),
            |row| row.told.by.credential = Some(String::new()),
            |row| row.told.by.address = Some("192.0.2.1".to_owned()),
            |row| row.told.action.push('x'),
            |row| row.told.outcome = Outcome::Denied,
            |row| row.told.at = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_micros(1),
            |row| row.told.detail = "{ }".to_owned(),
        ];
        for change in changes {
            assert_eq!(first_broken(|rows, _| change(&mut rows[0])).await, Some((1, Fault::Content)));
            assert_eq!(first_broken(|rows, _| change(&mut rows[2])).await, Some((2, Fault::Content)));
        }
        assert_eq!(first_broken(|rows, _| drop(rows.remove(1))).await, Some((1, Fault::RowCount)));
        assert_eq!(first_broken(|rows, _| drop(rows.remove(2))).await, Some((2, Fault::RowCount)));
    }

    #[tokio::test]
    async fn moving_letters_from_one_field_to_the_next_is_found() {
        let forge = |rows: &mut Vec<AuditRow>, _: &mut Vec<Seal>| {
            rows[0].told.action = "publishgo".to_owned();
            rows[0].told.resource = "/local m@v1".to_owned();
        };
        assert_eq!(first_broken(forge).await, Some((1, Fault::Content)));
    }

    #[tokio::test]
    async fn a_forged_or_missing_seal_is_found() {
        assert_eq!(first_broken(|_, seals| seals[0].hash = Digest::of(b"x")).await, Some((1, Fault::Content)));
        assert_eq!(first_broken(|_, seals| seals.rotate_left(1)).await, Some((2, Fault::Gap)));
        assert_eq!(first_broken(|_, seals| seals[0].last_seq = 3).await, Some((1, Fault::RowCount)));
    }

    #[tokio::test]
    async fn a_cut_tail_shows_in_the_head_alone() {
        let store = sealed().await;
        let head = store.head().await.expect("a head");
        store.forge_audit(|rows, seals| {
            rows.truncate(2);
            seals.truncate(1);
        });
        let check = verify_audit(&store).await.expect("a check");
        assert_eq!(check.broken, None);
        assert_ne!(check.head, head, "this is what the head in the log is for");
    }
}
