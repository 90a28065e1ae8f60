//! Which stored copies are known to be damaged: what the scrubber and verifications wrote down, and what readers have
//! met since. Bytes that are known to be wrong are given to nobody, and a remote repository fetches them anew.
//!
//! It is kept in memory, for every read asks. [`Damage::follow`] brings what is written down, by whichever server, and
//! writes down what was met here. A read that was refused, or that began before the last time something was brought,
//! has met nothing: the copy may have been mended meanwhile, and would be called damaged once more.
//!
//! Bounds: [`DAMAGE_KNOWN`] copies are known at a time, the ones that were found first; [`MET`] wait to be written down.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::artifact::StoreError;
use crate::blob::{BlobError, BlobInfo, BlobLocation};
use crate::limits::DAMAGE_KNOWN;
use crate::scrubber::{CheckBook, Checked};

/// Copies that wait to be written down.
const MET: usize = 1_000;

/// What of a copy is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It was not there; it may be again.
    Missing,
    /// It has other bytes.
    Corrupt,
}

impl Fault {
    fn of(code: &str) -> Self {
        if code == "blob_missing" { Self::Missing } else { Self::Corrupt }
    }
}

/// A copy that may be read: as far as is known there is nothing wrong with it, or it was missing and may be back.
#[derive(Debug)]
pub struct Look<'a> {
    damage: &'a Damage,
    blob: &'a BlobInfo,
    edition: u64,
}

/// The damaged copies of a store.
#[derive(Debug, Default)]
pub struct Damage {
    /// Whether there are any: for nearly every server at nearly every time there are none.
    any: AtomicBool,
    known: RwLock<HashMap<BlobLocation, Fault>>,
    /// How often `known` was replaced; it changes while that is locked.
    edition: AtomicU64,
    met: Mutex<Vec<Checked>>,
    news: Notify,
}

impl Damage {
    /// Whether this copy is damaged.
    #[must_use]
    pub fn is_known(&self, at: &BlobLocation) -> bool {
        self.fault(at).is_some()
    }

    /// Before a copy is read: refuses one whose bytes are known to be wrong. One that was missing may have come back,
    /// so it is looked for.
    ///
    /// # Errors
    /// [`BlobError::Corrupt`].
    pub fn look<'a>(&'a self, blob: &'a BlobInfo) -> Result<Look<'a>, BlobError> {
        let edition = self.edition.load(Ordering::Acquire);
        match self.fault(&blob.location) {
            Some(Fault::Corrupt) => {
                let found = "it was found damaged, and its bytes are given to nobody".to_owned();
                Err(BlobError::Corrupt(blob.location.as_str().to_owned(), found))
            }
            Some(Fault::Missing) | None => Ok(Look { damage: self, blob, edition }),
        }
    }

    /// Until something was met.
    pub async fn met(&self) {
        self.news.notified().await;
    }

    /// Writes down what was met and takes up what is written down. Gives the copies whose fault nobody knew of before.
    ///
    /// # Errors
    /// Trouble of the database. What was met is kept for the next time.
    pub async fn follow(&self, book: &dyn CheckBook) -> Result<Vec<BlobInfo>, StoreError> {
        let met = std::mem::take(&mut *self.met.lock().unwrap_or_else(PoisonError::into_inner));
        let mut new = Vec::new();
        if !met.is_empty() {
            new = book.note(met.clone(), Timestamp::now()).await.inspect_err(|_| {
                let mut later = self.met.lock().unwrap_or_else(PoisonError::into_inner);
                later.extend(met);
                later.truncate(MET);
            })?;
        }
        let (_, broken) = book.broken(DAMAGE_KNOWN).await?;
        let known: HashMap<_, _> =
            broken.into_iter().map(|broken| (broken.blob.location, Fault::of(&broken.code))).collect();
        let mut replaced = self.known.write().unwrap_or_else(PoisonError::into_inner);
        self.any.store(!known.is_empty(), Ordering::Release);
        *replaced = known;
        self.edition.fetch_add(1, Ordering::Release);
        Ok(new)
    }

    fn fault(&self, at: &BlobLocation) -> Option<Fault> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(at).copied()
    }
}

impl Look<'_> {
    /// The live copy has this fault. Errors of other kinds say nothing about it.
    pub fn met(self, error: &BlobError) {
        let code = match error {
            BlobError::Missing(_) => "blob_missing",
            BlobError::Corrupt(..) => "blob_corrupt",
            _ => return,
        };
        let Self { damage, blob, edition } = self;
        let mut known = damage.known.write().unwrap_or_else(PoisonError::into_inner);
        if damage.edition.load(Ordering::Acquire) != edition || known.contains_key(&blob.location) {
            return;
        }
        known.insert(blob.location.clone(), Fault::of(code));
        damage.any.store(true, Ordering::Release);
        drop(known);
        let mut met = damage.met.lock().unwrap_or_else(PoisonError::into_inner);
        if met.len() < MET {
            met.push(Checked::broken(blob.clone(), code, error.to_string(), Timestamp::now()));
            damage.news.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use async_trait::async_trait;

    use super::*;
    use crate::digest::Digest;
    use crate::scrubber::BrokenBlob;

    /// A book that may be closed.
    #[derive(Default)]
    struct Book {
        closed: AtomicBool,
        noted: Mutex<Vec<Checked>>,
    }

    #[async_trait]
    impl CheckBook for Book {
        async fn due(&self, _: Timestamp, _: u32) -> Result<Vec<BlobInfo>, StoreError> {
            Ok(Vec::new())
        }

        async fn note(&self, checked: Vec<Checked>, _: Timestamp) -> Result<Vec<BlobInfo>, StoreError> {
            if self.closed.load(Ordering::SeqCst) {
                return Err(StoreError::Busy);
            }
            let blobs = checked.iter().map(|checked| checked.blob.clone()).collect();
            self.noted.lock().expect("no panic").extend(checked);
            Ok(blobs)
        }

        async fn broken(&self, _: u32) -> Result<(u64, Vec<BrokenBlob>), StoreError> {
            let noted = self.noted.lock().expect("no panic");
            let broken = noted.iter().filter_map(|checked| {
                let (code, detail) = checked.fault.clone()?;
                Some(BrokenBlob { blob: checked.blob.clone(), code: code.to_owned(), detail, found_at: checked.at })
            });
            Ok((noted.len() as u64, broken.collect()))
        }
    }

    fn short() -> BlobError {
        BlobError::Corrupt("x".to_owned(), "short".to_owned())
    }

    fn blob(bytes: &[u8]) -> BlobInfo {
        let location = format!("{}.k3v5w7x2m1", Digest::of(bytes));
        BlobInfo { location: BlobLocation::try_from(location.as_str()).expect("a location"), size: 1 }
    }

    #[tokio::test]
    async fn what_a_reader_meets_is_known_at_once_and_written_down_when_the_book_is_open() {
        let (damage, book) = (Damage::default(), Book::default());
        let (rotten, lost, fine) = (blob(b"rotten"), blob(b"lost"), blob(b"fine"));
        let looks = [&rotten, &rotten, &lost, &fine].map(|blob| damage.look(blob).expect("nothing is known"));
        let faults = [short(), short(), BlobError::Missing("y".to_owned()), BlobError::Io(io::Error::other("a cable"))];
        looks.into_iter().zip(&faults).for_each(|(look, fault)| look.met(fault));
        assert!(damage.look(&rotten).is_err() && damage.look(&lost).is_ok() && damage.look(&fine).is_ok());
        assert!(damage.is_known(&rotten.location) && damage.is_known(&lost.location));
        assert!(!damage.is_known(&fine.location), "trouble says nothing about a copy");
        book.closed.store(true, Ordering::SeqCst);
        assert!(damage.follow(&book).await.is_err());
        book.closed.store(false, Ordering::SeqCst);
        assert_eq!(damage.follow(&book).await.expect("it is open"), [rotten.clone(), lost], "each once");
        assert!(damage.look(&rotten).is_err());
        book.noted.lock().expect("no panic").clear();
        assert!(damage.follow(&book).await.expect("it is open").is_empty());
        assert!(damage.look(&rotten).is_ok(), "it was mended");
    }

    #[tokio::test]
    async fn what_was_seen_before_the_news_of_a_mended_copy_does_not_call_it_damaged_again() {
        let (damage, book, blob) = (Damage::default(), Book::default(), blob(b"mended"));
        damage.look(&blob).expect("nothing is known").met(&BlobError::Missing("x".to_owned()));
        damage.follow(&book).await.expect("it is open");
        let late = damage.look(&blob).expect("it may be back");
        book.noted.lock().expect("no panic").clear();
        damage.follow(&book).await.expect("it is open");
        late.met(&BlobError::Missing("x".to_owned()));
        assert!(!damage.is_known(&blob.location), "a late reader");
        damage.follow(&book).await.expect("it is open");
        assert!(book.noted.lock().expect("no panic").is_empty(), "it is not written down");
    }
}
