//! Changes of a version's state and pin, inside one SAVEPOINT of the writer.

use jiff::Timestamp;
use keeper_core::artifact::{Amended, Amendment, ArtifactState, Coordinate, StoreError};
use keeper_core::repository::{Actor, RepositoryAddress, RepositoryId};
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::artifacts::by_coordinate;
use super::audit;
use super::publishing::{Ended, next_generation};
use super::sql::{execute, micros};

/// Judges the condition, changes what differs, and writes one audit row for each kind of change.
pub(super) async fn amend(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    address: RepositoryAddress,
    what: Coordinate,
    change: Amendment,
    by: Actor,
) -> Result<Ended<Option<Amended>>, StoreError> {
    let unchanged = |answer| Ok(Ended { answer, changed: false });
    let Some(before) = by_coordinate(on, of, &what).await? else {
        return unchanged(None);
    };
    if before.state == ArtifactState::Deleted {
        return unchanged(Some(Amended::Deleted(Box::new(before))));
    }
    if change.expected.is_some_and(|expected| expected != before.tag()) {
        return unchanged(Some(Amended::Stale));
    }
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
        return unchanged(Some(Amended::Done(Box::new(before))));
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
