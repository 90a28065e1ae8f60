//! Last uses, on their way to the database: a download costs one look into memory and never waits for a write.
//!
//! A version is noted once a day, with the time of that day's first download. What is noted is written down by a job and when the server stops; a crash
//! loses at most what that job had not written yet, and then a version looks less used than it is by at most a
//! day. Bounds: [`USES_IN_MEMORY`] versions; while more wait, further ones are not noted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::artifact::Coordinate;
use crate::limits::USES_IN_MEMORY;
use crate::repository::RepositoryId;
use crate::retention::{Day, day_of};

/// A version, and when it was used first on a day.
pub type Use = (RepositoryId, Coordinate, Timestamp);

/// What was used and is not written down.
#[derive(Debug, Default)]
pub struct Uses(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    day: Day,
    /// By repository, so that asking needs no copy of the coordinate: most downloads are of what is noted.
    today: HashMap<RepositoryId, HashMap<Coordinate, Timestamp>>,
    noted_today: usize,
    waiting: Vec<Use>,
}

impl Uses {
    /// A version was downloaded now.
    pub fn note(&self, of: RepositoryId, what: &Coordinate) {
        self.note_at(Timestamp::now(), of, what);
    }

    fn note_at(&self, at: Timestamp, of: RepositoryId, what: &Coordinate) {
        let day = day_of(at);
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.day != day || noted.noted_today >= USES_IN_MEMORY {
            (noted.day, noted.noted_today) = (day, 0);
            noted.today.clear();
        }
        let is_noted = noted.today.get(&of).is_some_and(|versions| versions.contains_key(what));
        if !is_noted && noted.waiting.len() < USES_IN_MEMORY {
            noted.today.entry(of).or_default().insert(what.clone(), at);
            noted.noted_today += 1;
            noted.waiting.push((of, what.clone(), at));
        }
    }

    /// When a version was downloaded first today, as far as this process remembers.
    #[must_use]
    pub fn first_today(&self, of: RepositoryId, what: &Coordinate) -> Option<Timestamp> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.today.get(&of).and_then(|versions| versions.get(what)).copied()
    }

    /// Takes what waits, to write it down.
    #[must_use]
    pub fn take(&self) -> Vec<Use> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).waiting)
    }

    /// Gives back what could not be written down.
    pub fn give_back(&self, mut uses: Vec<Use>) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uses.append(&mut noted.waiting);
        uses.truncate(USES_IN_MEMORY);
        noted.waiting = uses;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{PackageName, VersionName};

    fn version(number: usize) -> Coordinate {
        Coordinate {
            package: PackageName::try_from("example.com/m").expect("a package"),
            version: VersionName::try_from(format!("v{number}").as_str()).expect("a version"),
        }
    }

    fn at(day: i64, hour: i64) -> Timestamp {
        Timestamp::from_second((day * 24 + hour) * 60 * 60).expect("a time")
    }

    #[test]
    fn a_version_waits_once_for_each_day_on_which_it_is_used() {
        let (uses, of) = (Uses::default(), RepositoryId(1));
        for (day, hour, number) in [(7, 1, 1), (7, 2, 1), (7, 2, 2), (8, 3, 1), (8, 4, 1)] {
            uses.note_at(at(day, hour), of, &version(number));
        }
        let taken = uses.take();
        assert_eq!(taken, [(of, version(1), at(7, 1)), (of, version(2), at(7, 2)), (of, version(1), at(8, 3))]);
        assert_eq!(uses.first_today(of, &version(1)), Some(at(8, 3)), "it is remembered after it was taken");
        assert_eq!(uses.first_today(of, &version(2)), None, "another day");
        uses.note_at(at(8, 5), of, &version(1));
        assert!(uses.take().is_empty(), "it is noted for this day");
        uses.give_back(taken.clone());
        assert_eq!(uses.take(), taken);
    }

    #[test]
    fn memory_is_bounded_while_nothing_is_written_down() {
        let (uses, of) = (Uses::default(), RepositoryId(1));
        for number in 0..=USES_IN_MEMORY {
            uses.note_at(at(7, 0), of, &version(number));
        }
        assert_eq!(uses.take().len(), USES_IN_MEMORY);
        uses.note_at(at(7, 0), of, &version(USES_IN_MEMORY));
        assert_eq!(uses.take().len(), 1, "what was not noted is noted when there is room");
    }
}
