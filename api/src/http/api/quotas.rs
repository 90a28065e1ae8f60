//! `/api/repositories/{format}/{name}/quota`: read and set.

use std::sync::Arc;

use keeper_core::access::Action;
use keeper_core::error::Failure;
use keeper_core::quota::{Quota, Usage};
use poem::web::Data;
use poem_openapi::param::{Header, Path};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::Group;
use super::caller::Caller;
use super::repositories::address;
use super::revision::{Tagged, expected, stale};
use super::size::Size;
use super::views::time;
use crate::http::{App, Refused};

pub(super) struct Quotas;

/// What a repository may hold. A field that is absent or `null` is no limit.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct NewQuota {
    /// Bytes of all files of versions that are not deleted: a number, or a text with its unit.
    max_bytes: Option<Size>,
    /// Versions that are not deleted.
    #[oai(validator(maximum(value = "9007199254740991")))]
    max_artifacts: Option<u64>,
}

/// What a repository holds and may hold.
#[derive(Object)]
struct QuotaView {
    /// Bytes of all files of versions that are not deleted.
    used_bytes: u64,
    /// Versions that are not deleted.
    used_artifacts: u64,
    /// The limit of `used_bytes`; absent without one.
    #[oai(skip_serializing_if_is_none)]
    max_bytes: Option<u64>,
    /// The limit of `used_artifacts`; absent without one.
    #[oai(skip_serializing_if_is_none)]
    max_artifacts: Option<u64>,
    /// Who set the limits.
    #[oai(skip_serializing_if_is_none)]
    set_by: Option<String>,
    /// When they were set.
    #[oai(skip_serializing_if_is_none)]
    set_at: Option<String>,
}

impl QuotaView {
    fn of(Usage { used, limit }: Usage) -> Self {
        let quota = limit.as_ref().map(|limit| limit.quota).unwrap_or_default();
        Self {
            used_bytes: used.bytes,
            used_artifacts: used.artifacts,
            max_bytes: quota.bytes,
            max_artifacts: quota.artifacts,
            set_at: limit.as_ref().map(|limit| time(limit.at)),
            set_by: limit.map(|limit| limit.by),
        }
    }
}

#[OpenApi(tag = "Group::Repositories")]
impl Quotas {
    /// Read the quota of a repository.
    ///
    /// For everybody who may read the repository.
    #[oai(path = "/repositories/:format/:name/quota", method = "get", operation_id = "get_quota")]
    async fn read(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its format.
        format: Path<String>,
        /// Its name.
        name: Path<String>,
    ) -> Result<Tagged<QuotaView>, Refused> {
        let address = address(&app, &format, &name)?;
        let (repository, _permit) = app.keeper.enter_api(&caller.principal, &address, Action::Read).await?;
        let usage = app.keeper.ports().lifecycle.usage(repository.id).await.map_err(Failure::from)?;
        let revision = usage.revision();
        Ok(Tagged::new(QuotaView::of(usage), revision))
    }

    /// Set the quota of a repository.
    ///
    /// Replaces both limits. For administrators of the instance. A limit below what is there refuses what
    /// comes with 413 `quota_exceeded`; it removes nothing.
    #[oai(path = "/repositories/:format/:name/quota", method = "put", operation_id = "set_quota")]
    async fn set(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its format.
        format: Path<String>,
        /// Its name.
        name: Path<String>,
        /// The ETag that the change was made for; optional.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        body: Json<NewQuota>,
    ) -> Result<Tagged<QuotaView>, Refused> {
        let address = address(&app, &format, &name)?;
        let (repository, _permit) = app.keeper.enter_api(&caller.principal, &address, Action::Read).await?;
        app.keeper.require_admin(&caller.principal)?;
        let quota = checked(&body)?;
        let lifecycle = &app.keeper.ports().lifecycle;
        let expected = expected(if_match.0.as_deref())?;
        let set = lifecycle.set_quota(repository.id, quota, expected, &caller.actor()).await;
        let usage = set.map_err(Failure::from)?.ok_or_else(stale)?;
        let revision = usage.revision();
        Ok(Tagged::new(QuotaView::of(usage), revision))
    }
}

fn checked(new: &NewQuota) -> Result<Quota, Failure> {
    let mut problems = Vec::new();
    let bytes = new.max_bytes.as_ref().and_then(|size| size.bytes("max_bytes", &mut problems));
    let quota = Quota { bytes, artifacts: new.max_artifacts };
    Failure::from_problems(problems).map_or(Ok(quota), Err)
}
