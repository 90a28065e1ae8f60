//! Where a version comes from, and when: what `.info` says.
//!
//! ```text
//! time     of a pseudo-version its own; else the commit's, in UTC or in the archiver's zone; else of the upload
//! origin   git and the commit, if the archive states it; address and reference, if the publisher does
//! ```
//!
//! Errors: `pseudo_mismatch`.

use jiff::Timestamp;
use keeper_core::artifact::Warning;
use keeper_core::error::Problem;
use keeper_core::format::Claim;

use super::metadata::TimeSource;
use super::warnings::{COMMIT_TIME_UNKNOWN, PSEUDO_VERSION_UNCHECKED, warning};
use crate::archive::commit::Commit;
use crate::error::{PSEUDO_MISMATCH, Problems};
use crate::info::{Origin, time_text};
use crate::pseudo::{PseudoVersion, REVISION_DIGITS};
use crate::version::GoVersion;

/// Time and origin of a version.
#[derive(Debug)]
pub(super) struct Provenance {
    pub(super) time: Timestamp,
    pub(super) source: TimeSource,
    pub(super) origin: Origin,
    pub(super) warnings: Vec<Warning>,
}

impl Provenance {
    /// Puts together what the version, the archive and the publisher say.
    pub(super) fn of(version: &GoVersion, commit: &Commit, claim: &Claim<'_>, subdirectory: &str) -> Self {
        let pseudo = PseudoVersion::parse(version);
        let (time, source) = time(pseudo.as_ref(), commit, claim.received_at);
        let mut warnings = Vec::new();
        warnings.extend(pseudo.as_ref().and_then(|pseudo| unchecked(pseudo, commit)));
        warnings.extend(time_warning(source, commit));
        Self { time, source, origin: origin(commit, claim, subdirectory), warnings }
    }
}

/// Whether a pseudo-version says the same as the archive it was made of.
pub(super) fn check_pseudo(version: &GoVersion, commit: &Commit, problems: &mut Problems) {
    let (Some(pseudo), Some(id)) = (PseudoVersion::parse(version), &commit.id) else { return };
    let mut tell = |detail: String| problems.push(Problem::new(&PSEUDO_MISMATCH, detail).field("version"));
    let revision = &id[..REVISION_DIGITS];
    if pseudo.revision != revision {
        tell(format!("{version} is of revision {}, the archive of commit {revision}", pseudo.revision));
    }
    if let (Ok(of_version), Some(of_commit)) = (&pseudo.time, commit.time)
        && *of_version != of_commit
    {
        tell(format!("{version} is of {}, the archive of {}", time_text(*of_version), time_text(of_commit)));
    }
}

fn time(pseudo: Option<&PseudoVersion>, commit: &Commit, received_at: Timestamp) -> (Timestamp, TimeSource) {
    let of_pseudo = pseudo.map(|pseudo| pseudo.time.clone().map(|time| (time, TimeSource::PseudoVersion)));
    match of_pseudo {
        Some(Ok(time)) => time,
        Some(Err(_)) => (received_at, TimeSource::Upload),
        None => match (commit.time, commit.local_time) {
            (Some(time), _) => (time, TimeSource::Commit),
            (None, Some(time)) => (time, TimeSource::CommitLocal),
            (None, None) => (received_at, TimeSource::Upload),
        },
    }
}

fn unchecked(pseudo: &PseudoVersion, commit: &Commit) -> Option<Warning> {
    let doubts = pseudo.doubts();
    let reason = match doubts.first() {
        Some(doubt) => doubt.to_string(),
        None if commit.id.is_none() => "the archive states no commit".to_owned(),
        None => return None,
    };
    Some(warning(PSEUDO_VERSION_UNCHECKED, format!("the pseudo-version cannot be checked: {reason}")))
}

fn time_warning(source: TimeSource, commit: &Commit) -> Option<Warning> {
    let text = match (source, &commit.id) {
        (TimeSource::Commit | TimeSource::PseudoVersion | TimeSource::Upstream, _) => return None,
        (TimeSource::CommitLocal, _) => {
            "the archive has the commit's time only in the archiver's own time zone, which is unknown; it is taken for UTC"
        }
        (TimeSource::Upload, Some(_)) => {
            "the entries of the archive do not agree on one time; the version has the time of the upload"
        }
        (TimeSource::Upload, None) => {
            "the archive states no commit (it is not from git archive, or of a bare tree); the version has the time of the upload"
        }
    };
    Some(warning(COMMIT_TIME_UNKNOWN, text))
}

fn origin(commit: &Commit, claim: &Claim<'_>, subdirectory: &str) -> Origin {
    let is_subdirectory = commit.id.is_some() && !subdirectory.is_empty();
    Origin {
        vcs: commit.id.as_ref().map(|_| "git".to_owned()),
        url: claim.origin_url.map(str::to_owned),
        subdir: is_subdirectory.then(|| subdirectory.to_owned()),
        reference: claim.origin_ref.map(str::to_owned),
        hash: commit.id.clone(),
    }
}
