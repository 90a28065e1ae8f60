//! What the system gives the process: its user, and how many files it may open.
//!
//! Units: descriptors. A connection counts for [`PER_CONNECTION`] of them, everything else together for
//! [`OTHERS`]: 128 exchanges with upstreams, as many files on their way in, the readers of the database, listeners. The
//! system's limit costs nothing, so all of it is taken.

use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};

/// All that is no connection of a client, and what it holds.
const OTHERS: u64 = 256;
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

/// Asks for all the descriptors that there may be; how many connections they are enough for, at most so many, and a
/// warning when they are fewer.
#[must_use]
pub(crate) fn connections(wanted: usize) -> (usize, Option<String>) {
    let needed = OTHERS + PER_CONNECTION * wanted as u64;
    let limit = getrlimit(Resource::Nofile);
    let files = match (limit.current, limit.maximum) {
        (None, _) => return (wanted, None),
        (Some(soft), Some(hard)) if soft < hard => raised(soft, hard, limit),
        (Some(soft), None) if soft < needed => raised(soft, needed, limit),
        (Some(soft), _) => soft,
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
        for (files, connections) in [(0, 1), (256, 1), (259, 1), (260, 2), (1_024, 384), (8_448, 4_096)] {
            assert_eq!(fitting(files), connections, "{files}");
        }
    }

    #[test]
    fn a_modest_wish_is_granted_and_the_limit_is_raised_all_the_same() {
        assert_eq!(connections(4), (4, None));
        let limit = getrlimit(Resource::Nofile);
        assert!(limit.maximum.is_none() || limit.current == limit.maximum, "{limit:?}");
    }
}
