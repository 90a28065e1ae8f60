//! `/api/artifacts`: publish, list, read, change, delete.

use std::sync::Arc;

use keeper_core::artifact::{Amendment, Artifact, ArtifactId, ArtifactQuery, ArtifactState};
use keeper_core::error::{Failure, codes};
use keeper_core::limits::REASON_CHARACTERS;
use keeper_core::pipeline::Published;
use keeper_core::repository::Repository;
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::Group;
use super::caller::Caller;
use super::cursor::NextCursor;
use super::listing::{self, Readable, default_limit, shorten};
use super::upload::UploadForm;
use super::views::ArtifactView;
use crate::http::{App, Refused};

pub(super) struct Artifacts;

/// How a publication ended.
#[derive(ApiResponse)]
enum PublishAnswer {
    /// The version is new and durable.
    #[oai(status = 201)]
    Created(
        Json<ArtifactView>,
        /// The address of the artifact.
        #[oai(header = "Location")]
        String,
    ),
    /// The same content was there already, or this was a dry run: nothing was stored.
    #[oai(status = 200)]
    Unchanged(
        Json<ArtifactView>,
        /// The address of the artifact.
        #[oai(header = "Location")]
        String,
    ),
}

/// An artifact was deleted.
#[derive(ApiResponse)]
enum DeleteAnswer {
    /// The version is a tombstone now, or was one already.
    #[oai(status = 204)]
    Deleted,
}

/// An artifact, and the tag of its record.
#[derive(ApiResponse)]
enum ReadAnswer {
    /// The artifact.
    #[oai(status = 200)]
    Found(
        Json<ArtifactView>,
        /// Give it as `If-Match` to change the artifact only if nobody else has.
        #[oai(header = "ETag")]
        String,
    ),
}

impl ReadAnswer {
    fn of(artifact: Artifact, repository: &Repository, caller: &Caller) -> Self {
        let tag = format!("\"{}\"", artifact.tag());
        Self::Found(Json(ArtifactView::of(artifact, &repository.address, &caller.facts.base_url)), tag)
    }
}

/// A change of an artifact: what is absent stays.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ArtifactChange {
    /// `active`, `yanked` or `blocked`.
    state: Option<String>,
    /// Why; shown to everybody who asks for the version. One line of at most 500 characters; for `active` there is
    /// none.
    reason: Option<String>,
    /// Whether retention keeps it whatever its rules say.
    pinned: Option<bool>,
}

/// A page of artifacts.
#[derive(Object)]
struct ArtifactPage {
    /// The artifacts, newest first.
    items: Vec<ArtifactView>,
    /// Give it as `cursor` to get the next page; `null` on the last one.
    next_cursor: NextCursor,
}

#[OpenApi(tag = "Group::Artifacts")]
impl Artifacts {
    /// Publish an artifact.
    ///
    /// The form is streamed; its fields come in any order. Sending the same content again answers 200, other
    /// content for a version that exists 409, and a version that was deleted 410. With `dry_run=true`
    /// everything is checked and reported, and nothing is stored.
    #[oai(path = "/artifacts", method = "post", operation_id = "publish_artifact")]
    async fn publish(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// `true`: everything is checked and nothing is stored; as the form field of this name.
        dry_run: Query<Option<bool>>,
        form: UploadForm,
    ) -> Result<PublishAnswer, Refused> {
        let UploadForm { mut upload, turn } = form;
        upload.dry_run |= dry_run.0.unwrap_or(false);
        let Published { repository, artifact, created } =
            app.keeper.publish(&caller.principal, caller.actor(), upload).await?;
        drop(turn);
        let location = format!("{}/api/artifacts/{}", caller.facts.base_url, artifact.id);
        let view = Json(ArtifactView::of(artifact, &repository.address, &caller.facts.base_url));
        Ok(if created { PublishAnswer::Created(view, location) } else { PublishAnswer::Unchanged(view, location) })
    }

    /// List artifacts.
    ///
    /// Newest first, only those that the caller may read. Deleted ones are listed with `state=deleted` only.
    #[oai(path = "/artifacts", method = "get", operation_id = "list_artifacts")]
    #[allow(clippy::too_many_arguments)]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Only of this format.
        format: Query<Option<String>>,
        /// Only of repositories of this name; a virtual one stands for its members.
        repository: Query<Option<String>>,
        /// Only of exactly this package.
        name: Query<Option<String>>,
        /// Only of exactly this version.
        version: Query<Option<String>>,
        /// Only in this state: `active`, `yanked`, `blocked` or `deleted`.
        state: Query<Option<String>>,
        /// Only packages whose name contains this text.
        q: Query<Option<String>>,
        /// At most so many, 1 to 200.
        #[oai(default = "default_limit")]
        limit: Query<u32>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<ArtifactPage>, Refused> {
        let limit = listing::limit(limit.0)?;
        let text = listing::text(q.0.as_deref())?;
        let readable = Readable::of(&app, &caller, format.0.as_deref(), repository.0.as_deref()).await?;
        let filter = caller.filter("artifacts", &[&format.0, &repository.0, &name.0, &version.0, &state.0, &q.0]);
        let after = cursor.0.as_deref().map(|text| filter.open(text)).transpose()?;
        let query = ArtifactQuery {
            repositories: readable.ids(),
            package: name.0,
            version: version.0,
            state: state.0.as_deref().map(parse_state).transpose()?,
            text,
            after: after.map(ArtifactId),
            limit,
        };
        let page = app.keeper.ports().artifacts.search(&query).await.map_err(Failure::from)?;
        let next_cursor = NextCursor::of(&page, |last| filter.seal(last.id.0));
        let view = |artifact: keeper_core::artifact::Artifact| {
            let repository = readable.get(artifact.repository)?;
            Some(ArtifactView::of(artifact, &repository.address, &caller.facts.base_url))
        };
        Ok(Json(ArtifactPage { items: page.items.into_iter().filter_map(view).collect(), next_cursor }))
    }

    /// Read an artifact.
    #[oai(path = "/artifacts/:id", method = "get", operation_id = "get_artifact")]
    async fn read(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its id.
        id: Path<String>,
    ) -> Result<ReadAnswer, Refused> {
        let (repository, artifact) = app.keeper.artifact(&caller.principal, parse_id(&id)?).await?;
        Ok(ReadAnswer::of(artifact, &repository, &caller))
    }

    /// Change an artifact.
    ///
    /// `yanked`: still served to those who name it, but not listed and never latest. `blocked`: refused with the
    /// reason. `active`: as if nothing had been. Each holds for every request that begins after the answer.
    /// Yanking and taking it back needs the right to publish or to manage; blocking, unblocking and pinning the
    /// right to manage.
    #[oai(path = "/artifacts/:id", method = "patch", operation_id = "update_artifact")]
    async fn update(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its id.
        id: Path<String>,
        /// The `ETag` under which it was read: the change is refused with 412 if it was changed since.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        body: Json<ArtifactChange>,
    ) -> Result<ReadAnswer, Refused> {
        let change = amendment(body.0, if_match.0.as_deref())?;
        let (repository, artifact) =
            app.keeper.amend(&caller.principal, caller.actor(), parse_id(&id)?, change).await?;
        Ok(ReadAnswer::of(artifact, &repository, &caller))
    }

    /// Delete an artifact.
    ///
    /// Its files go; its version stays reserved for ever and is answered with 410. Prefer to retract a version
    /// (Go: `retract` in a higher version), since others may depend on it. Repeating answers 204 as well. In a remote
    /// repository this makes room: the sums stay for ever, and the same bytes come again when somebody asks for them.
    #[oai(path = "/artifacts/:id", method = "delete", operation_id = "delete_artifact")]
    async fn delete(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its id.
        id: Path<String>,
        /// Why; shown to everybody who asks for the version. At most 500 characters.
        reason: Query<Option<String>>,
        /// The `ETag` under which it was read: the deletion is refused with 412 if it was changed since.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<DeleteAnswer, Refused> {
        let (reason, expected) = (checked_reason(reason.0)?, expected_tag(if_match.0.as_deref()));
        app.keeper.delete(&caller.principal, caller.actor(), parse_id(&id)?, expected.as_deref(), &reason).await?;
        Ok(DeleteAnswer::Deleted)
    }
}

fn checked_reason(given: Option<String>) -> Result<String, Failure> {
    let reason = given.unwrap_or_default();
    if reason.chars().count() > REASON_CHARACTERS || reason.chars().any(char::is_control) {
        let detail = format!("a reason is one line of at most {REASON_CHARACTERS} characters");
        return Err(Failure::new(&codes::INVALID_FIELD, detail).field("reason"));
    }
    Ok(reason)
}

/// A change as the services take it.
fn amendment(change: ArtifactChange, if_match: Option<&str>) -> Result<Amendment, Failure> {
    let refuse = |field: &str, why: &str| Err(Failure::new(&codes::INVALID_FIELD, why).field(field));
    if change.reason.is_some() && change.state.is_none() {
        return refuse("reason", "a reason comes with a state");
    }
    if change.state.is_none() && change.pinned.is_none() {
        return refuse("state", "there is nothing to change: give state, pinned or both");
    }
    let state = match change.state.as_deref().map(parse_state).transpose()? {
        Some(ArtifactState::Deleted) => return refuse("state", "a version is deleted with DELETE"),
        Some(ArtifactState::Active) => Some((ArtifactState::Active, String::new())),
        Some(state) => Some((state, checked_reason(change.reason)?)),
        None => None,
    };
    Ok(Amendment { state, pinned: change.pinned, expected: expected_tag(if_match) })
}

/// The tag that an artifact must still have. `*` asks for any present record, which every change asks for by itself.
fn expected_tag(if_match: Option<&str>) -> Option<String> {
    if_match.filter(|tag| tag.trim() != "*").map(|tag| tag.trim().trim_matches('"').to_owned())
}

pub(super) fn parse_id(text: &str) -> Result<ArtifactId, Failure> {
    listing::id(text, "an artifact").map(ArtifactId)
}

fn parse_state(text: &str) -> Result<ArtifactState, Failure> {
    ArtifactState::parse(text).ok_or_else(|| {
        Failure::new(
            &codes::INVALID_FIELD,
            format!("state is active, yanked, blocked or deleted, not {:?}", shorten(text)),
        )
        .field("state")
    })
}
