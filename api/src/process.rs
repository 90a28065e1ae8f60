//! What the system gives the process: its user, and how many files it may open.
//!
//! Units: descriptors. A connection counts for [`PER_CONNECTION`] of them, everything else together for
//! [`OTHERS`].

use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};

/// The database, the log, listeners, files on their way into the store.
const OTHERS: u64 = 64;
/// A download holds its socket and its file.
const PER_CONNECTION: u64 = 2;

/// Refusing root would break containers and first trials, which run as root; a server should not.
#[must_use]
pub(crate) fn user_warning() -> Option<&'static str> {
    geteuid().is_root().then_some(
        "running as root, which the server never needs: give it a user of its own (systemd: User=artifact-keeper; \
         containers: --user 10001:10001) that owns the data folder",
    )
}

/// Asks for the descriptors that so many connections need; how many connections there may be, and a warning
/// when they are fewer.
#[must_use]
pub(crate) fn connections(wanted: usize) -> (usize, Option<String>) {
    let needed = OTHERS + PER_CONNECTION * wanted as u64;
    let limit = getrlimit(Resource::Nofile);
    let files = match (limit.current, limit.maximum) {
        (None, _) => return (wanted, None),
        (Some(soft), _) if soft >= needed => return (wanted, None),
        (Some(soft), hard) => raised(soft, hard.map_or(needed, |hard| hard.min(needed)), limit),
    };
    let fitting = usize::try_from(fitting(files)).unwrap_or(wanted).min(wanted);
    let warning = || {
        format!(
            "the process may open {files} files, so there are at most {fitting} connections at once and not {wanted}: \
             raise it to {needed} (systemd: LimitNOFILE={needed}; shell: ulimit -n {needed}), or lower KEEPER_MAX_CONNECTIONS"
        )
    };
    (fitting, (fitting < wanted).then(warning))
}

/// The soft limit after it was raised as far as it goes.
fn raised(soft: u64, wanted: u64, limit: Rlimit) -> u64 {
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit }) {
        Ok(()) => wanted,
        Err(_) => soft,
    }
}

/// Connections that so many descriptors are enough for; one, at least, can be tried.
fn fitting(files: u64) -> u64 {
    (files.saturating_sub(OTHERS) / PER_CONNECTION).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_become_connections() {
        for (files, connections) in [(0, 1), (64, 1), (65, 1), (256, 96), (1_024, 480), (8_256, 4_096)] {
            assert_eq!(fitting(files), connections, "{files}");
        }
    }

    #[test]
    fn a_modest_wish_is_granted() {
        assert_eq!(connections(4), (4, None));
    }
}
