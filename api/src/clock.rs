//! The time by which tokens and sessions end. It never goes back: what has ended stays so when the wall clock is set
//! back or a machine starts with a clock that has forgotten the time.
//!
//! Rule: the later one of the wall clock and of what was seen last, with the time that has passed since by the
//! monotonic clock. So it goes on at its pace while the wall clock is behind.
//!
//! Shape: `<data>/clock` holds the time seen last, as `2026-11-30T20:15:00Z` and a line break. It is overwritten in its
//! place, at most once in [`KEPT_EACH`] and only when somebody asks what the time is. It is not flushed: what a power cut
//! takes are seconds. Without that file (a server whose data folder does not last) the newest change in the audit counts.
//!
//! Errors: none. A disk that cannot be written to takes only the memory of it, not the time.

mod patient;

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

pub use patient::PatientClock;

/// The file is written at most this often.
const KEPT_EACH: SignedDuration = SignedDuration::from_secs(1);
/// A wall clock that has gone back by more than this is told of.
const JUMP: SignedDuration = SignedDuration::from_secs(5);
const FILE: &str = "clock";

/// Tells the time.
#[derive(Debug)]
pub struct Clock {
    path: PathBuf,
    /// The latest time that was seen before this process.
    seen_before: Option<Timestamp>,
    state: Mutex<State>,
    /// Whether somebody writes the file at this moment.
    writes: AtomicBool,
    complained: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// The latest time told, and when that was.
    seen: Timestamp,
    at: Instant,
    /// What the file has.
    kept: Option<Timestamp>,
    /// How far the wall clock was behind when that was told of last.
    told_behind: SignedDuration,
}

impl Clock {
    /// Of a data folder. `newest_change` counts when the folder tells nothing.
    #[must_use]
    pub fn open(folder: &Path, newest_change: Option<Timestamp>) -> Arc<Self> {
        let path = folder.join(FILE);
        let kept = read(&path);
        let seen_before = kept.or(newest_change);
        let seen = seen_before.unwrap_or(Timestamp::MIN);
        let state = State { seen, at: Instant::now(), kept, told_behind: SignedDuration::ZERO };
        let (writes, complained) = (AtomicBool::new(false), AtomicBool::new(false));
        let clock = Arc::new(Self { path, seen_before, state: Mutex::new(state), writes, complained });
        clock.now();
        clock
    }

    /// The time by which things are removed for good.
    #[must_use]
    pub fn patient(&self) -> PatientClock {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        PatientClock::open(folder, self.seen_before)
    }

    /// What the time is; never before what it was.
    pub fn now(self: &Arc<Self>) -> Timestamp {
        let (now, keep) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let now = state.tell(Timestamp::now(), Instant::now());
            (now, state.kept.is_none_or(|kept| now.duration_since(kept) >= KEPT_EACH))
        };
        if keep && !self.writes.swap(true, Ordering::AcqRel) {
            self.keep(now);
        }
        now
    }

    /// Writes the file, where a disk that hangs makes nobody wait.
    fn keep(self: &Arc<Self>, now: Timestamp) {
        let this = self.clone();
        let write = move || {
            match write(&this.path, now) {
                Ok(()) => this.state.lock().unwrap_or_else(PoisonError::into_inner).kept = Some(now),
                Err(error) if !this.complained.swap(true, Ordering::Relaxed) => {
                    tracing::warn!(%error, "the time cannot be written to {}", this.path.display());
                }
                Err(_) => {}
            }
            this.writes.store(false, Ordering::Release);
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(write)),
            Err(_) => write(),
        }
    }
}

impl State {
    fn tell(&mut self, wall: Timestamp, at: Instant) -> Timestamp {
        let counted = later(self.seen, at.saturating_duration_since(self.at));
        let behind = counted.duration_since(wall).max(SignedDuration::ZERO);
        if behind > self.told_behind + JUMP {
            tracing::warn!(
                seconds = behind.as_secs(),
                "the clock of this machine went back: tokens and sessions end by the time that was seen before"
            );
            self.told_behind = behind;
        }
        self.told_behind = self.told_behind.min(behind);
        (self.seen, self.at) = (counted.max(wall), at);
        self.seen
    }
}

/// A time with what has passed since by the monotonic clock.
fn later(time: Timestamp, passed: Duration) -> Timestamp {
    time.saturating_add(passed).unwrap_or(Timestamp::MAX)
}

fn read(path: &Path) -> Option<Timestamp> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(%error, "{} cannot be read", path.display());
            return None;
        }
    };
    let time = text.trim().parse();
    time.inspect_err(|error| tracing::warn!(%error, "{} holds no time", path.display())).ok()
}

/// Always of the same length, so it is never cut: years before 0 and after 9999 there are none.
fn write(path: &Path, time: Timestamp) -> io::Result<()> {
    let text = format!("{}\n", time.strftime("%Y-%m-%dT%H:%M:%SZ"));
    match OpenOptions::new().write(true).open(path) {
        Ok(file) => file.write_all_at(text.as_bytes(), 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(path)?.write_all(text.as_bytes()),
        Err(error) => Err(error),
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn the_time_never_goes_back_and_goes_on_while_the_wall_clock_is_behind() {
        let began = Instant::now();
        let zero = SignedDuration::ZERO;
        let mut state = State { seen: Timestamp::MIN, at: began, kept: None, told_behind: zero };
        for (second, wall, expected, told_behind) in [
            (0, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", 0),
            (10, "2026-01-01T00:00:10Z", "2026-01-01T00:00:10Z", 0),
            // An hour forwards is believed.
            (11, "2026-01-01T01:00:00Z", "2026-01-01T01:00:00Z", 0),
            // Back again: the time goes on from there.
            (12, "2026-01-01T00:00:12Z", "2026-01-01T01:00:01Z", 3_589),
            (72, "2026-01-01T00:01:12Z", "2026-01-01T01:01:01Z", 3_589),
            // Further back.
            (73, "2025-12-31T23:01:13Z", "2026-01-01T01:01:02Z", 7_189),
            // The wall clock is right again: what it says next is told of again.
            (80, "2026-01-01T02:00:00Z", "2026-01-01T02:00:00Z", 0),
            // Some seconds are nothing to tell of.
            (81, "2026-01-01T01:59:57Z", "2026-01-01T02:00:01Z", 0),
        ] {
            let told = state.tell(time(wall), began + Duration::from_secs(second));
            assert_eq!((told, state.told_behind.as_secs()), (time(expected), told_behind), "second {second}");
        }
    }

    #[test]
    fn what_was_seen_is_known_to_the_next_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let later = Timestamp::now() + SignedDuration::from_hours(24 * 365);
        assert!(Clock::open(folder.path(), Some(later)).now() >= later, "the audit says so");
        let kept = read(&folder.path().join(FILE)).expect("written");
        assert!(later.duration_since(kept).abs() < SignedDuration::from_secs(2), "{kept}");
        assert!(Clock::open(folder.path(), None).now() >= kept, "the file says so");
        std::fs::write(folder.path().join(FILE), "yesterday").expect("written");
        assert!(Clock::open(folder.path(), None).now() < kept, "what is no time is none");
        std::fs::remove_file(folder.path().join(FILE)).expect("removed");
        assert!(Clock::open(folder.path(), None).now() < kept, "how an operator makes it forget");
    }
}
