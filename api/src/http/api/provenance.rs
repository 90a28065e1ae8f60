//! `/api/artifacts/{id}/provenance`: where a version comes from.

use std::sync::Arc;

use jiff::Timestamp;
use keeper_core::provenance::Provenance;
use keeper_core::retention::Day;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::Group;
use super::artifacts::parse_id;
use super::caller::Caller;
use super::views::time;
use crate::http::{App, Refused};

/// How records call a session.
const SESSION: &str = "session ";

pub(super) struct Origins;

/// Where a version comes from. What its upload was told is in `warnings` of the artifact, what its publisher stated of its
/// origin in `metadata`.
#[derive(Object)]
struct ProvenanceView {
    /// When it was accepted.
    published_at: String,
    /// Who published it; `system` for the server itself.
    published_by: String,
    /// In which way it came: `api` (`POST /api/artifacts`, also by the pages), `client` (what its format offers clients,
    /// for example `PUT`), `import` (`artifact-keeper import`), or `upstream` (a copy, made when somebody asked for it).
    /// Absent for what an older program took in.
    #[oai(skip_serializing_if_is_none)]
    way: Option<String>,
    /// The token that was used; absent for a session, and for callers who are not signed in.
    #[oai(skip_serializing_if_is_none)]
    token: Option<UsedTokenView>,
    /// The session that was used, by the end of its id; absent for callers who are not signed in.
    #[oai(skip_serializing_if_is_none)]
    session: Option<String>,
    /// The request that brought it, as it stands in the audit; absent for callers who are not signed in.
    #[oai(skip_serializing_if_is_none)]
    request_id: Option<String>,
    /// When it was downloaded first. Absent while nobody has, and for a first download before this was written down.
    #[oai(skip_serializing_if_is_none)]
    first_download_at: Option<String>,
    /// The day on which it was downloaded last; written down now and then (`KEEPER_LAST_USE_PERIOD`).
    #[oai(skip_serializing_if_is_none)]
    last_download_on: Option<String>,
}

/// A token, by what may be shown of it.
#[derive(Object)]
struct UsedTokenView {
    /// Its first characters.
    display: String,
    /// What it is for. Absent when that is not known any more.
    #[oai(skip_serializing_if_is_none)]
    name: Option<String>,
}

#[OpenApi(tag = "Group::Artifacts")]
impl Origins {
    /// Read where an artifact comes from.
    ///
    /// From where its publisher called is told to administrators only, by the audit.
    #[oai(path = "/artifacts/:id/provenance", method = "get", operation_id = "get_artifact_provenance")]
    async fn read(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its id.
        id: Path<String>,
    ) -> Result<Json<ProvenanceView>, Refused> {
        let (_, artifact, known) = app.keeper.provenance(&caller.principal, parse_id(&id)?).await?;
        let Provenance { way, credential, token, request, first_used_at, last_used_on } = known;
        let session = credential.as_deref().and_then(|shown| shown.strip_prefix(SESSION)).map(str::to_owned);
        let display = credential.filter(|_| session.is_none());
        let token = display.map(|display| UsedTokenView { display, name: token });
        Ok(Json(ProvenanceView {
            published_at: time(artifact.published_at),
            published_by: artifact.published_by,
            way: way.map(|way| way.as_str().to_owned()),
            token,
            session,
            request_id: request,
            first_download_at: first_used_at.map(time),
            last_download_on: last_used_on.and_then(date),
        }))
    }
}

/// A day as a date.
fn date(day: Day) -> Option<String> {
    let at = Timestamp::from_second(day.checked_mul(24 * 60 * 60)?).ok()?;
    Some(at.strftime("%Y-%m-%d").to_string())
}
