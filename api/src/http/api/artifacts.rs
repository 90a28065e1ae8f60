//! `/api/artifacts`: publish, list, read, delete.

use std::sync::Arc;

use keeper_core::artifact::{ArtifactId, ArtifactQuery, ArtifactState};
use keeper_core::error::{Failure, codes};
use keeper_core::limits::{PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX};
use keeper_core::pipeline::Published;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use uuid::Uuid;

use super::Group;
use super::caller::Caller;
use super::cursor::{Filter, NextCursor};
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
        /// Only of repositories of this name.
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
        if !(1..=PAGE_LIMIT_MAX).contains(&limit.0) {
            return Err(Failure::new(
                &codes::INVALID_FIELD,
                format!("limit is 1 to {PAGE_LIMIT_MAX}, not {}", limit.0),
            )
            .field("limit")
            .into());
        }
        let mut readable = app.keeper.readable(&caller.principal).await?;
        readable.retain(|one| {
            format.0.as_deref().is_none_or(|wanted| one.address.format.as_str() == wanted)
                && repository.0.as_deref().is_none_or(|wanted| one.address.name.as_str() == wanted)
        });
        let filter = Filter::new("artifacts", &[&format.0, &repository.0, &name.0, &version.0, &state.0, &q.0]);
        let after = cursor.0.as_deref().map(|text| filter.open(text)).transpose()?;
        let query = ArtifactQuery {
            repositories: readable.iter().map(|one| one.id).collect(),
            package: name.0,
            version: version.0,
            state: state.0.as_deref().map(parse_state).transpose()?,
            text: q.0,
            after: after.map(ArtifactId),
            limit: limit.0,
        };
        let page = app.keeper.ports().artifacts.search(&query).await.map_err(Failure::from)?;
        let last = page.items.last().map(|artifact| artifact.id.0);
        let next_cursor = NextCursor(last.filter(|_| page.more).map(|last| filter.seal(last)));
        let view = |artifact: keeper_core::artifact::Artifact| {
            let repository = readable.iter().find(|one| one.id == artifact.repository)?;
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
    ) -> Result<Json<ArtifactView>, Refused> {
        let (repository, artifact) = app.keeper.artifact(&caller.principal, parse_id(&id)?).await?;
        Ok(Json(ArtifactView::of(artifact, &repository.address, &caller.facts.base_url)))
    }

    /// Delete an artifact.
    ///
    /// Its files go; its version stays reserved for ever and is answered with 410. Prefer to retract a version
    /// (Go: `retract` in a higher version), since others may depend on it. Repeating answers 204 as well.
    #[oai(path = "/artifacts/:id", method = "delete", operation_id = "delete_artifact")]
    async fn delete(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its id.
        id: Path<String>,
        /// Why; shown to everybody who asks for the version. At most 500 characters.
        reason: Query<Option<String>>,
    ) -> Result<DeleteAnswer, Refused> {
        let reason = reason.0.unwrap_or_default();
        if reason.chars().count() > 500 || reason.chars().any(char::is_control) {
            return Err(Failure::new(&codes::INVALID_FIELD, "a reason is one line of at most 500 characters")
                .field("reason")
                .into());
        }
        app.keeper.delete(&caller.principal, caller.actor(), parse_id(&id)?, &reason).await?;
        Ok(DeleteAnswer::Deleted)
    }
}

fn default_limit() -> u32 {
    PAGE_LIMIT_DEFAULT
}

fn parse_id(text: &str) -> Result<ArtifactId, Failure> {
    let parsed = Uuid::try_parse(text).map(ArtifactId);
    parsed.map_err(|_| {
        Failure::new(&codes::INVALID_FIELD, format!("{:?} is not an id of an artifact", shorten(text))).field("id")
    })
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

fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}
