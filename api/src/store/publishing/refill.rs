//! A tombstone of a copy: its bytes were removed to make room, its sums stayed, and the same bytes have come again.

use keeper_core::artifact::{Artifact, ArtifactState, Publication, PublishOutcome, StoreError};
use keeper_core::repository::{Counts, RepositoryAddress, RepositoryId};
use sea_orm::ConnectionTrait;

use super::{Ended, PackageRow, extension};
use crate::store::sql::execute;
use crate::store::{listing, usage};

const REVIVE: &str = "UPDATE artifacts SET state = 'active', state_reason = '', state_changed_at = NULL WHERE id = $1 AND state = 'deleted'";

/// Makes the tombstone the version again, and adds the files.
pub(super) async fn refill(
    on: &impl ConnectionTrait,
    of: RepositoryId,
    address: RepositoryAddress,
    package: &PackageRow,
    mut there: Artifact,
    what: Publication,
) -> Result<Ended<PublishOutcome>, StoreError> {
    execute(on, REVIVE, [there.id.to_string().into()]).await?;
    there.state = ArtifactState::Active;
    there.state_reason.clear();
    there.state_changed_at = None;
    let what = Publication { id: there.id, ..what };
    let packages = u64::from(!package.is_shown());
    usage::add(on, of, Counts { packages, artifacts: 1, bytes: 0 }).await?;
    listing::added(on, of, package, &what).await?;
    extension::extend(on, of, address, package.id, there, what).await
}
