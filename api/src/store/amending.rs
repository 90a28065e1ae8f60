//! Changes of a version that is there, to its end as a tombstone, each inside one SAVEPOINT of the writer.

use jiff::Timestamp;
use keeper_core::artifact::{Amended, Amendment, Artifact, ArtifactState, Coordinate, StoreError};
use keeper_core::failpoint;
use keeper_core::repository::{Actor, RepositoryAddress, RepositoryId};
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::artifacts::by_coordinate;
use super::audit;
use super::burial::bury;
use super::publishing::{Ended, digests, next_generation};
use super::sql::{execute, micros};

/// A version that may be changed, or why it may not.
enum Present {
    Here(Box<Artifact>),
    Refused(Option<Amended>),
}

/// Judges the condition of a change.
async fn present(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    what: &Coordinate,
    expected: Option<String>,
) -> Result<Present, StoreError> {
    Ok(match by_coordinate(on, of, what).await? {
        None => Present::Refused(None),
        Some(gone) if gone.state == ArtifactState::Deleted => Present::Refused(Some(Amended::Deleted(Box::new(gone)))),
        Some(other) if expected.is_some_and(|expected| expected != other.tag()) => {
            Present::Refused(Some(Amended::Stale))
        }
        Some(here) => Present::Here(Box::new(here)),
    })
}

/// Turns a version into a tombstone. Its content id and sums stay, its files and labels go; their blobs are
/// the collector's.
pub(super) async fn delete(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    address: RepositoryAddress,
    what: Coordinate,
    expected: Option<String>,
    reason: String,
    by: Actor,
) -> Result<Ended<Option<Amended>>, StoreError> {
    let before = match present(on, of, &what, expected).await? {
        Present::Here(before) => before,
        Present::Refused(answer) => return Ok(Ended { answer, changed: false }),
    };
    failpoint!("F20", |error: std::io::Error| StoreError::Unavailable(error.into()));
    let id = before.id.to_string();
    bury(on, of, std::slice::from_ref(&id), &reason, Timestamp::now()).await?;
    let detail = json!({
        "id": id, "reason": reason, "was": before.state.as_str(),
        "content": before.content.0, "files": digests(&before.files),
    });
    audit::record(on, &by, "delete", format!("{address} {what}"), detail).await?;
    next_generation(on, of).await?;
    let tombstone = by_coordinate(on, of, &what).await?.map(|tombstone| Amended::Done(Box::new(tombstone)));
    Ok(Ended { answer: tombstone, changed: true })
}

/// Judges the condition, changes what differs, and writes one audit row for each kind of change.
pub(super) async fn amend(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    address: RepositoryAddress,
    what: Coordinate,
    change: Amendment,
    by: Actor,
) -> Result<Ended<Option<Amended>>, StoreError> {
    let before = match present(on, of, &what, change.expected).await? {
        Present::Here(before) => before,
        Present::Refused(answer) => return Ok(Ended { answer, changed: false }),
    };
    let (id, resource) = (before.id.to_string(), format!("{address} {what}"));
    let state = change.state.filter(|(state, reason)| (*state, reason) != (before.state, &before.state_reason));
    if let Some((state, reason)) = &state {
        let now = micros(Timestamp::now());
        let values = [id.as_str().into(), state.as_str().into(), reason.as_str().into(), now.into()];
        execute(on, SET_STATE, values).await?;
        let detail = json!({ "id": id, "was": before.state.as_str(), "state": state.as_str(), "reason": reason });
        audit::record(on, &by, verb(before.state, *state), resource.clone(), detail).await?;
    }
    let pinned = change.pinned.filter(|pinned| *pinned != before.pinned);
    if let Some(pinned) = pinned {
        execute(on, SET_PIN, [id.as_str().into(), pinned.into()]).await?;
        audit::record(on, &by, if pinned { "pin" } else { "unpin" }, resource, json!({ "id": id })).await?;
    }
    if state.is_none() && pinned.is_none() {
        return Ok(Ended { answer: Some(Amended::Done(before)), changed: false });
    }
    next_generation(on, of).await?;
    let after = by_coordinate(on, of, &what).await?.map(|after| Amended::Done(Box::new(after)));
    Ok(Ended { answer: after, changed: true })
}

const SET_STATE: &str = "UPDATE artifacts SET state = $2, state_reason = $3, state_changed_at = $4 WHERE id = $1";
const SET_PIN: &str = "UPDATE artifacts SET pinned = $2 WHERE id = $1";

/// What the audit calls a change.
fn verb(before: ArtifactState, after: ArtifactState) -> &'static str {
    match (before, after) {
        (_, ArtifactState::Blocked) => "block",
        (ArtifactState::Blocked, _) => "unblock",
        (_, ArtifactState::Yanked) => "yank",
        _ => "unyank",
    }
}
