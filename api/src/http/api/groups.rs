//! `/api/groups`: groups of users, and who is in them. For administrators.

use std::sync::Arc;

use keeper_core::artifact::StoreError;
use keeper_core::error::{Failure, codes};
use keeper_core::identity::{Edited, GroupName, GroupRecord, check_line};
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::Group;
use super::caller::Caller;
use super::cursor::NextCursor;
use super::listing::default_limit;
use super::paging::{next_cursor, window};
use super::revision::{Tagged, etag, expected, stale};
use super::users::{self, UserPage, UserView, parse_login};
use super::views::time;
use crate::http::{App, Refused};

/// Characters of a description.
const DESCRIPTION: usize = 500;

pub(super) struct Groups;

/// A group to create.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct NewGroup {
    /// Its name: `[a-z0-9][a-z0-9._-]{0,63}`, for example `team-a`.
    name: String,
    /// For people.
    #[oai(default)]
    description: String,
}

/// A change of a group.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct GroupChange {
    /// For people.
    description: Option<String>,
}

/// A group.
#[derive(Object)]
struct GroupView {
    /// Its name.
    name: String,
    /// For people.
    description: String,
    /// How many users are in it.
    members: u64,
    /// When it was made.
    created_at: String,
}

impl GroupView {
    fn of(group: &GroupRecord) -> Self {
        let (name, description) = (group.name.to_string(), group.description.clone());
        Self { name, description, members: group.members, created_at: time(group.created_at) }
    }
}

/// A page of groups.
#[derive(Object)]
struct GroupPage {
    /// In order of their creation.
    items: Vec<GroupView>,
    /// Give it as `cursor` to get the next page; `null` on the last one.
    next_cursor: NextCursor,
}

/// A group was created.
#[derive(ApiResponse)]
enum CreateAnswer {
    /// It is there now.
    #[oai(status = 201)]
    Created(
        Json<GroupView>,
        /// Its address in the API.
        #[oai(header = "Location")]
        String,
        /// Its revision, for `If-Match`.
        #[oai(header = "ETag")]
        String,
    ),
}

/// Nothing is left to be said.
#[derive(ApiResponse)]
enum Done {
    /// It is as asked for.
    #[oai(status = 204)]
    Done,
}

#[OpenApi(tag = "Group::Access")]
impl Groups {
    /// List groups.
    #[oai(path = "/groups", method = "get", operation_id = "list_groups")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// At most so many, 1 to 200.
        #[oai(default = "default_limit")]
        limit: Query<u32>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<GroupPage>, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        let filter = caller.filter("groups", &[]);
        let window = window(&filter, limit.0, cursor.0.as_deref())?;
        let page = app.keeper.ports().identity.groups(window).await.map_err(Failure::from)?;
        let next_cursor = next_cursor(&filter, &page, |group| group.id.0);
        Ok(Json(GroupPage { items: page.items.iter().map(GroupView::of).collect(), next_cursor }))
    }

    /// Create a group.
    #[oai(path = "/groups", method = "post", operation_id = "create_group")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        body: Json<NewGroup>,
    ) -> Result<CreateAnswer, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        let name = GroupName::try_from(body.name.as_str())
            .map_err(|fault| Failure::new(&codes::INVALID_FIELD, fault.to_string()).field("name"))?;
        check_description(&body.description)?;
        let made = app.keeper.ports().identity.create_group(&name, &body.description, &caller.actor()).await;
        let made = made.map_err(|error| match error {
            StoreError::AlreadyExists => {
                Failure::new(&codes::GROUP_EXISTS, format!("there is a group {name}")).field("name")
            }
            other => other.into(),
        })?;
        let location = format!("{}/api/groups/{name}", caller.facts.base_url);
        Ok(CreateAnswer::Created(Json(GroupView::of(&made)), location, etag(made.revision)))
    }

    /// Read a group.
    #[oai(path = "/groups/:name", method = "get", operation_id = "get_group")]
    async fn read(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its name.
        name: Path<String>,
    ) -> Result<Tagged<GroupView>, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        let group = existing(&app, &parse(&name)?).await?;
        Ok(Tagged::new(GroupView::of(&group), group.revision))
    }

    /// Change a group.
    #[oai(path = "/groups/:name", method = "patch", operation_id = "update_group")]
    async fn update(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its name.
        name: Path<String>,
        /// The ETag that the change was made for; optional.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        body: Json<GroupChange>,
    ) -> Result<Tagged<GroupView>, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        let (name, revision) = (parse(&name)?, expected(if_match.0.as_deref())?);
        let description = match body.0.description {
            Some(description) => description,
            None => existing(&app, &name).await?.description,
        };
        check_description(&description)?;
        let directory = &app.keeper.ports().identity;
        let edited = directory.change_group(&name, revision, &description, &caller.actor()).await;
        let group = done(edited.map_err(Failure::from)?, &name)?;
        Ok(Tagged::new(GroupView::of(&group), group.revision))
    }

    /// Delete a group.
    ///
    /// Its grants go with it; its users stay.
    #[oai(path = "/groups/:name", method = "delete", operation_id = "delete_group")]
    async fn delete(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its name.
        name: Path<String>,
        /// The ETag that the deletion was made for; optional.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Done, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        let (name, revision) = (parse(&name)?, expected(if_match.0.as_deref())?);
        let edited = app.keeper.ports().identity.delete_group(&name, revision, &caller.actor()).await;
        done(edited.map_err(Failure::from)?, &name)?;
        Ok(Done::Done)
    }

    /// List the users in a group.
    #[oai(path = "/groups/:name/members", method = "get", operation_id = "list_group_members")]
    async fn members(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its name.
        name: Path<String>,
        /// At most so many, 1 to 200.
        #[oai(default = "default_limit")]
        limit: Query<u32>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<UserPage>, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        let group = existing(&app, &parse(&name)?).await?;
        let filter = caller.filter("members", &[&Some(group.id.to_string())]);
        let window = window(&filter, limit.0, cursor.0.as_deref())?;
        let page = app.keeper.ports().identity.members(&group.name, window).await.map_err(Failure::from)?;
        let next_cursor = next_cursor(&filter, &page, |user| user.id.0);
        Ok(Json(UserPage { items: UserView::of_all(&app, &page.items).await?, next_cursor }))
    }

    /// Put a user into a group.
    ///
    /// A repeat changes nothing.
    #[oai(path = "/groups/:name/members/:login", method = "put", operation_id = "add_group_member")]
    async fn add(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its name.
        name: Path<String>,
        /// The login of the user.
        login: Path<String>,
    ) -> Result<Done, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        let (group, login) = (existing(&app, &parse(&name)?).await?, parse_login(&login)?);
        let added = app.keeper.ports().identity.add_member(&group.name, &login, &caller.actor()).await;
        if added.map_err(Failure::from)? { Ok(Done::Done) } else { Err(users::not_found(login.as_str()).into()) }
    }

    /// Take a user out of a group.
    #[oai(path = "/groups/:name/members/:login", method = "delete", operation_id = "remove_group_member")]
    async fn remove(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its name.
        name: Path<String>,
        /// The login of the user.
        login: Path<String>,
    ) -> Result<Done, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        let (group, login) = (existing(&app, &parse(&name)?).await?, parse_login(&login)?);
        let removed = app.keeper.ports().identity.remove_member(&group.name, &login, &caller.actor()).await;
        if removed.map_err(Failure::from)? { Ok(Done::Done) } else { Err(users::not_found(login.as_str()).into()) }
    }
}

async fn existing(app: &App, name: &GroupName) -> Result<GroupRecord, Failure> {
    app.keeper.ports().identity.group(name).await?.ok_or_else(|| not_found(name.as_str()))
}

fn done<T>(edited: Edited<T>, name: &GroupName) -> Result<T, Failure> {
    match edited {
        Edited::Done(record) => Ok(record),
        Edited::Stale => Err(stale()),
        Edited::Absent | Edited::LastAdministrator => Err(not_found(name.as_str())),
    }
}

fn parse(text: &str) -> Result<GroupName, Failure> {
    GroupName::try_from(text).map_err(|_| not_found(text))
}

fn not_found(name: &str) -> Failure {
    let shown: String = name.chars().take(80).flat_map(char::escape_debug).collect();
    Failure::new(&codes::GROUP_NOT_FOUND, format!("there is no group \"{shown}\""))
}

fn check_description(text: &str) -> Result<(), Failure> {
    check_line(text, DESCRIPTION)
        .map_err(|rule| Failure::new(&codes::INVALID_FIELD, format!("a description is {rule}")).field("description"))
}
