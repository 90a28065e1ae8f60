//! Fetches on their way: one for each thing, however many wait; and the absences that upstreams reported.
//!
//! A fetch is a task of its own. Whoever waits may leave, and the fetch goes on; when it ends, all get its result, and
//! the next who asks begins anew. A fetch that panics is trouble for those who wait and nothing for those who come.
//!
//! A fetch may offer what it fetches while it comes; those who wait take the offer or the end.
//!
//! Only requests that have passed equally many servers share a fetch: among servers that are each other's upstream, one
//! would else wait for the fetch that waits for it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use tokio::sync::watch;

use super::relay::Relay;
use super::room::Room;
use super::slots::Slots;
use crate::documents::KeptDocument;
use crate::error::{Failure, codes};
use crate::events::Served;
use crate::limits::{ABSENCES_IN_MEMORY, WAITERS_PER_FETCH};
use crate::repository::RepositoryId;
use crate::upstream::UpstreamError;

/// How often it is told that an upstream has something no more.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What is fetched: for which repository, and the upstream's path.
pub(in crate::pipeline) type Wanted = (RepositoryId, Box<str>);

/// A fetch: what for, and how many servers like this one the request has passed.
type Way = (Wanted, u32);

/// What a fetch of a document found, for all who waited: they share its bytes.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) document: KeptDocument,
    pub(super) served: Served,
}

/// How far a fetch is.
#[derive(Debug, Clone, Default)]
struct Course {
    relay: Option<Relay>,
    outcome: Option<Result<Option<Found>, Failure>>,
}

/// By which a fetch offers what it fetches.
pub(super) struct Offering(watch::Sender<Course>);

impl Offering {
    /// To all who wait, and who will.
    pub(super) fn offer(&self, relay: Relay) {
        self.0.send_modify(|course| course.relay = Some(relay));
    }
}

/// All fetches of the program.
pub(in crate::pipeline) struct Fetches {
    flights: Mutex<HashMap<Way, Flight>>,
    absences: Cache<Wanted, Absence>,
    /// What upstreams had and have no more, as far as that was told.
    missing: Cache<Wanted, ()>,
    pub(super) slots: Slots,
    pub(in crate::pipeline) room: Room,
}

struct Flight {
    course: watch::Receiver<Course>,
    joined: usize,
}

/// That an upstream has no such thing, until it may be asked again.
#[derive(Debug, Clone, Copy)]
struct Absence {
    gone: bool,
    until: Instant,
}

impl Default for Fetches {
    fn default() -> Self {
        Self {
            flights: Mutex::default(),
            absences: Cache::builder().max_capacity(ABSENCES_IN_MEMORY).build(),
            missing: Cache::builder().max_capacity(ABSENCES_IN_MEMORY).time_to_live(DAY).build(),
            slots: Slots::default(),
            room: Room::default(),
        }
    }
}

impl Fetches {
    /// Waits for the fetch of this document, which `work` does if nobody does it yet, for a request that has passed so
    /// many servers. `None` when there is none.
    ///
    /// # Errors
    /// What the fetch ended with; `overloaded` when too many wait.
    pub(super) async fn once<W>(self: &Arc<Self>, what: Wanted, hops: u32, work: W) -> Result<Option<Found>, Failure>
    where
        W: Future<Output = Result<Option<Found>, Failure>> + Send + 'static,
    {
        let mut course = self.join((what, hops), |_| work)?;
        let ended = course.wait_for(|course| course.outcome.is_some()).await.map(|course| course.outcome.clone());
        ended.ok().flatten().unwrap_or_else(|| Err(abnormal()))
    }

    /// The same for a file, which is stored when this returns; with `may_relay` it waits no longer than until the fetch
    /// offers what it fetches, and gives that.
    pub(super) async fn once_or_relay<W>(
        self: &Arc<Self>,
        what: Wanted,
        hops: u32,
        may_relay: bool,
        work: impl FnOnce(Offering) -> W,
    ) -> Result<Option<Relay>, Failure>
    where
        W: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let stored = |offering| {
            let work = work(offering);
            async { work.await.map(|()| None) }
        };
        let mut course = self.join((what, hops), stored)?;
        let told = |course: &Course| course.outcome.is_some() || may_relay && course.relay.is_some();
        let course = course.wait_for(told).await.map(|course| course.clone());
        match course.map(|course| (course.outcome, course.relay)) {
            Ok((Some(outcome), _)) => outcome.map(|_stored| None),
            Ok((None, relay)) => Ok(relay),
            Err(_) => Err(abnormal()),
        }
    }

    fn join<W>(
        self: &Arc<Self>,
        what: Way,
        work: impl FnOnce(Offering) -> W,
    ) -> Result<watch::Receiver<Course>, Failure>
    where
        W: Future<Output = Result<Option<Found>, Failure>> + Send + 'static,
    {
        let mut flights = self.locked();
        if let Some(flight) = flights.get_mut(&what) {
            if flight.joined >= WAITERS_PER_FETCH {
                return Err(Failure::new(&codes::OVERLOADED, codes::OVERLOADED.title).retry_after(2));
            }
            flight.joined += 1;
            return Ok(flight.course.clone());
        }
        let (told, course) = watch::channel(Course::default());
        flights.insert(what.clone(), Flight { course: course.clone(), joined: 1 });
        let landed = Landing { fetches: self.clone(), what };
        let work = work(Offering(told.clone()));
        tokio::spawn(async move {
            let result = work.await;
            // First out of the table, so that nobody joins what is over.
            drop(landed);
            told.send_modify(|course| course.outcome = Some(result));
        });
        Ok(course)
    }

    /// Remembers that there is no such thing.
    pub(super) fn note_absence(&self, what: Wanted, gone: bool, seconds: u64) {
        let until = Instant::now() + Duration::from_secs(seconds);
        self.absences.insert(what, Absence { gone, until });
    }

    /// Whether there was no such thing a moment ago, and whether it was gone for good.
    pub(super) fn absence(&self, what: &Wanted) -> Option<bool> {
        let absence = self.absences.get(what)?;
        (Instant::now() < absence.until).then_some(absence.gone)
    }

    /// Whether it was not told today that an upstream has this no more.
    pub(super) fn is_missed_anew(&self, what: Wanted) -> bool {
        self.missing.entry(what).or_insert(()).is_fresh()
    }

    /// Forgets all absences that a repository was told of.
    pub(in crate::pipeline) fn forget_absences(&self, of: RepositoryId) {
        let known: Vec<_> = self.absences.iter().filter(|(what, _)| what.0 == of).map(|(what, _)| what).collect();
        for what in known {
            self.absences.invalidate(&*what);
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Way, Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn abnormal() -> Failure {
    UpstreamError::Failed("the fetch ended abnormally".to_owned()).into()
}

/// Takes a fetch out of the table however it ends.
struct Landing {
    fetches: Arc<Fetches>,
    what: Way,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.fetches.locked().remove(&self.what);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::Notify;

    use super::*;

    fn wanted(name: &str) -> Wanted {
        (RepositoryId(1), name.into())
    }

    #[tokio::test]
    async fn many_wait_for_one_fetch_and_the_next_begins_anew() {
        let (fetches, begun, go) =
            (Arc::new(Fetches::default()), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        for round in 1..=2 {
            let waiters: Vec<_> = (0..50)
                .map(|_| {
                    let (fetches, begun, go) = (fetches.clone(), begun.clone(), go.clone());
                    tokio::spawn(async move {
                        let work = async move {
                            begun.fetch_add(1, Ordering::SeqCst);
                            go.notified().await;
                            Ok(None)
                        };
                        fetches.once(wanted("a"), 0, work).await
                    })
                })
                .collect();
            while fetches.locked().get(&(wanted("a"), 0)).is_none_or(|flight| flight.joined < 50) {
                tokio::task::yield_now().await;
            }
            go.notify_one();
            assert!(join_all(waiters).await.into_iter().all(|ended| ended.expect("a task").is_ok()));
            assert_eq!(begun.load(Ordering::SeqCst), round);
        }
    }

    #[tokio::test]
    async fn all_who_waited_have_the_same_bytes() {
        let (fetches, go) = (Arc::new(Fetches::default()), Arc::new(Notify::new()));
        let waiters: Vec<_> = (0..5)
            .map(|_| {
                let (fetches, go) = (fetches.clone(), go.clone());
                let work = async move {
                    go.notified().await;
                    let body = vec![b'x'; 100].into();
                    let document =
                        KeptDocument { body, validators: Default::default(), fetched_at: Default::default() };
                    Ok(Some(Found { document, served: Served::Fetched }))
                };
                tokio::spawn(async move { fetches.once(wanted("a"), 0, work).await })
            })
            .collect();
        while fetches.locked().get(&(wanted("a"), 0)).is_none_or(|flight| flight.joined < 5) {
            tokio::task::yield_now().await;
        }
        go.notify_one();
        let bodies: Vec<_> = join_all(waiters)
            .await
            .into_iter()
            .map(|ended| ended.expect("a task").expect("no trouble").expect("a document").document.body)
            .collect();
        assert!(bodies.iter().all(|body| body.as_ptr() == bodies[0].as_ptr()), "nobody has a copy of his own");
    }

    #[tokio::test]
    async fn a_fetch_goes_on_when_those_who_wait_have_left() {
        let (fetches, done) = (Arc::new(Fetches::default()), Arc::new(Notify::new()));
        let (inner, go) = (done.clone(), Arc::new(Notify::new()));
        let gone = go.clone();
        let work = async move {
            gone.notified().await;
            inner.notify_one();
            Ok(None)
        };
        let left = tokio::time::timeout(Duration::ZERO, fetches.once(wanted("a"), 0, work)).await;
        assert!(left.is_err(), "nobody waits any more");
        go.notify_one();
        done.notified().await;
    }

    #[tokio::test]
    async fn a_request_that_came_round_does_not_wait_for_itself() {
        let fetches = Arc::new(Fetches::default());
        let inner = fetches.clone();
        let round = async move { inner.once(wanted("a"), 2, async { Ok(None) }).await };
        assert!(fetches.once(wanted("a"), 0, round).await.is_ok());
    }

    #[tokio::test]
    async fn a_panic_is_trouble_for_those_who_wait_and_nothing_for_the_next() {
        let fetches = Arc::new(Fetches::default());
        let broken = fetches.once(wanted("a"), 0, async { panic!("a fault") }).await;
        assert_eq!(broken.expect_err("trouble").code().name, "upstream_error");
        assert!(fetches.once(wanted("a"), 0, async { Ok(None) }).await.is_ok());
    }

    #[test]
    fn an_absence_is_believed_for_its_time() {
        let fetches = Fetches::default();
        fetches.note_absence(wanted("a"), true, 60);
        fetches.note_absence(wanted("b"), false, 0);
        assert_eq!((fetches.absence(&wanted("a")), fetches.absence(&wanted("b"))), (Some(true), None));
        fetches.forget_absences(RepositoryId(1));
        assert_eq!(fetches.absence(&wanted("a")), None);
    }
}
