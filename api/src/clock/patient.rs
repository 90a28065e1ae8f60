//! The time by which things are removed for good. A wall clock that jumps ahead is not believed at once: until it has
//! been there for [`PATIENCE`] the time goes on at its pace from where it was, so that a wrong clock makes nothing old.
//!
//! It goes on across restarts from what was told before. So a server that was away for long removes things by its old
//! time at first, which is less than it might.
//!
//! Shape: `<data>/clock.patient` holds the time told last and the seconds for which the wall clock has been ahead, as
//! `2026-11-30T20:15:00Z 3600` and a line break. It is replaced at most once in [`KEPT_EACH`], and not flushed. Without it
//! (a server whose data folder does not last) the latest time that was seen before this start counts.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::later;

/// A wall clock that is further ahead than this has jumped.
const JUMP: SignedDuration = SignedDuration::from_hours(24);
/// How long a jump has to last, in time in which the server runs.
const PATIENCE: Duration = Duration::from_secs(24 * 3_600);
/// The file is written at most this often.
const KEPT_EACH: Duration = Duration::from_secs(1);
const FILE: &str = "clock.patient";

/// Tells it.
#[derive(Debug)]
pub struct PatientClock {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// The time that was told last, and when; none before the first.
    told: Option<(Timestamp, Instant)>,
    /// For how long the wall clock has been ahead.
    ahead: Duration,
    /// When the file was written last.
    kept: Option<Instant>,
}

impl PatientClock {
    /// Of a data folder; `seen` counts when the folder tells nothing.
    #[must_use]
    pub fn open(folder: &Path, seen: Option<Timestamp>) -> Self {
        let path = folder.join(FILE);
        let known = std::fs::read_to_string(&path).ok().and_then(|text| parse(&text));
        let (told, ahead) = match known {
            Some((told, ahead)) => (Some(told), ahead),
            None => (seen, Duration::ZERO),
        };
        let told = told.map(|told| (told, Instant::now()));
        Self { path, state: Mutex::new(State { told, ahead, kept: None }) }
    }

    /// What the time is. Writes a small file.
    pub async fn now(&self) -> Timestamp {
        let (now, state) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let now = state.tell(Timestamp::now(), Instant::now());
            (now, *state)
        };
        if state.kept.is_none_or(|kept| kept.elapsed() >= KEPT_EACH) {
            let path = self.path.clone();
            let text = format!("{} {}\n", now.strftime("%Y-%m-%dT%H:%M:%SZ"), state.ahead.as_secs());
            match tokio::task::spawn_blocking(move || replace(&path, &text)).await {
                Ok(Ok(())) => {
                    self.state.lock().unwrap_or_else(PoisonError::into_inner).kept = Some(Instant::now());
                }
                Ok(Err(error)) => tracing::warn!(%error, "{} cannot be written", self.path.display()),
                Err(error) => tracing::error!(%error, "writing the time ended abnormally"),
            }
        }
        now
    }
}

fn parse(text: &str) -> Option<(Timestamp, Duration)> {
    let (time, seconds) = text.trim().split_once(' ')?;
    Some((time.parse().ok()?, Duration::from_secs(seconds.parse().ok()?)))
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, text)?;
    std::fs::rename(fresh, path)
}

impl State {
    fn tell(&mut self, wall: Timestamp, at: Instant) -> Timestamp {
        let Some((told, then)) = self.told else {
            self.told = Some((wall, at));
            return wall;
        };
        let passed = at.saturating_duration_since(then);
        let counted = later(told, passed);
        let is_ahead = wall.duration_since(counted) > JUMP;
        if is_ahead && self.ahead.is_zero() {
            tracing::warn!(
                %wall, believed = %counted,
                "the clock of this machine is far ahead of what it was: before it has been so for a day nothing is \
                 removed for its age"
            );
            // That it is told once shows by this.
            self.ahead = Duration::from_secs(1);
        } else if is_ahead {
            self.ahead += passed;
        }
        let time = if is_ahead && self.ahead < PATIENCE { counted } else { wall };
        if time == wall {
            self.ahead = Duration::ZERO;
        }
        self.told = Some((time, at));
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_ahead_is_believed_when_it_has_lasted_for_a_day() {
        let (began, hour) = (Instant::now(), Duration::from_secs(3_600));
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        let hours = |count: i64| start + SignedDuration::from_hours(count);
        let years = 10 * 365 * 24;
        for seen in [Some(start), None] {
            let mut state = State { told: seen.map(|seen| (seen, began)), ..State::default() };
            for (passed, wall, expected) in [
                (0, 0, 0),
                // A machine that slept.
                (1, 3, 3),
                (2, 2, 2),
                (3, years, 3),
                (4, years, 4),
                // Right again, and wrong again: the day begins anew.
                (5, 5, 5),
                (6, years, 6),
                (29, years + 23, 29),
                (30, years + 24, years + 24),
                (31, years + 25, years + 25),
                // It was wrong after all.
                (32, 32, 32),
            ] {
                let told = state.tell(hours(wall), began + hour * passed);
                assert_eq!(told, hours(expected), "after {passed} hours, {seen:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_was_told_is_known_to_the_next_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let day = SignedDuration::from_hours(24);
        let long_ago = Timestamp::now() - day * 400;
        let told = PatientClock::open(folder.path(), Some(long_ago)).now().await;
        assert!(told < long_ago + day, "{told}");
        // Meanwhile others have seen what the wall clock says.
        let told = PatientClock::open(folder.path(), Some(Timestamp::now())).now().await;
        assert!(told < long_ago + day, "{told}");
        let text = std::fs::read_to_string(folder.path().join(FILE)).expect("written");
        let (kept, ahead) = parse(&text).expect("a time");
        assert!(kept < long_ago + day && ahead > Duration::ZERO, "{text}");
        let waited = format!("{} {}\n", kept.strftime("%Y-%m-%dT%H:%M:%SZ"), PATIENCE.as_secs());
        std::fs::write(folder.path().join(FILE), waited).expect("written");
        assert!(PatientClock::open(folder.path(), None).now().await > Timestamp::now() - day, "it was a day");
        std::fs::write(folder.path().join(FILE), "yesterday").expect("written");
        assert!(
            PatientClock::open(folder.path(), None).now().await > Timestamp::now() - day,
            "what is no time is none"
        );
    }
}
