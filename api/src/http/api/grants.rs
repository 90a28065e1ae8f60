//! `/api/grants`: who has which role on which repositories. For administrators, and for owners inside the pattern
//! that is theirs.

use std::sync::Arc;

use keeper_core::access::{Grant, Pattern, Principal, Role, authorize_grant};
use keeper_core::artifact::{Page, StoreError};
use keeper_core::error::{Failure, Problem, codes};
use keeper_core::identity::{Directory, GrantId, GrantRecord, Grantee, GroupName, Login, NewGrant, Window};
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use uuid::Uuid;

use super::Group;
use super::caller::Caller;
use super::cursor::NextCursor;
use super::listing::default_limit;
use super::paging::{next_cursor, window};
use super::views::time;
use crate::http::{App, Refused};

pub(super) struct Grants;

/// A grant to create, for a user or for a group.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct NewGrantBody {
    /// The login of a person or a robot.
    user: Option<String>,
    /// The name of a group.
    group: Option<String>,
    /// Repositories as `format/name`, with `*` for any: `go/local`, `go/team-*`, `go/*`, `*`.
    repositories: String,
    /// `reader`, `publisher`, `maintainer` or `owner`; each may all that the ones before it may.
    role: String,
}

/// A grant.
#[derive(Object)]
pub(super) struct GrantView {
    /// Its id.
    id: String,
    /// The login of the user, if it is given to one.
    #[oai(skip_serializing_if_is_none)]
    user: Option<String>,
    /// The name of the group, if it is given to one.
    #[oai(skip_serializing_if_is_none)]
    group: Option<String>,
    /// Repositories as a pattern over `format/name`.
    repositories: String,
    /// `reader`, `publisher`, `maintainer` or `owner`.
    role: String,
    /// When it was made.
    created_at: String,
    /// Who made it.
    created_by: String,
}

impl GrantView {
    fn of(record: &GrantRecord) -> Self {
        let (user, group) = match &record.grantee {
            Grantee::User(login) => (Some(login.to_string()), None),
            Grantee::Group(name) => (None, Some(name.to_string())),
        };
        Self {
            id: record.id.to_string(),
            user,
            group,
            repositories: record.grant.repositories.to_string(),
            role: record.grant.role.as_str().to_owned(),
            created_at: time(record.created_at),
            created_by: record.created_by.clone(),
        }
    }
}

/// A page of grants.
#[derive(Object)]
struct GrantPage {
    /// In order of their creation.
    items: Vec<GrantView>,
    /// Give it as `cursor` to get the next page; `null` on the last one.
    next_cursor: NextCursor,
}

/// A grant was created.
#[derive(ApiResponse)]
enum CreateAnswer {
    /// It counts from the next request on.
    #[oai(status = 201)]
    Created(Json<GrantView>),
}

/// A grant was taken back.
#[derive(ApiResponse)]
enum DeleteAnswer {
    /// It counts no more from the next request on.
    #[oai(status = 204)]
    Deleted,
}

#[OpenApi(tag = "Group::Access")]
impl Grants {
    /// List grants.
    ///
    /// Administrators see all, owners those inside their own patterns.
    #[oai(path = "/grants", method = "get", operation_id = "list_grants")]
    #[allow(clippy::too_many_arguments)]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Only those given to this user.
        user: Query<Option<String>>,
        /// Only those given to this group.
        group: Query<Option<String>>,
        /// Only those that count for this user: given to the user, or to a group of the user. Not beside the others.
        counting_for: Query<Option<String>>,
        /// At most so many, 1 to 200.
        #[oai(default = "default_limit")]
        limit: Query<u32>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<GrantPage>, Refused> {
        app.keeper.require_some_grants(&caller.principal)?;
        let filter = caller.filter("grants", &[&user.0, &group.0, &counting_for.0]);
        let window = window(&filter, limit.0, cursor.0.as_deref())?;
        let wanted = Wanted::parse(user.0.as_deref(), group.0.as_deref(), counting_for.0.as_deref())?;
        let directory = app.keeper.ports().identity.as_ref();
        let page = visible(directory, &caller.principal, &wanted, window).await?;
        let next_cursor = next_cursor(&filter, &page, |record| record.id.0);
        Ok(Json(GrantPage { items: page.items.iter().map(GrantView::of).collect(), next_cursor }))
    }

    /// Create a grant.
    ///
    /// Nobody gives more than he may do himself.
    #[oai(path = "/grants", method = "post", operation_id = "create_grant")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        body: Json<NewGrantBody>,
    ) -> Result<CreateAnswer, Refused> {
        app.keeper.require_some_grants(&caller.principal)?;
        let new = checked(&body)?;
        app.keeper.require_grant(&caller.principal, &new.grant.repositories, new.grant.role)?;
        let made = app.keeper.ports().identity.create_grant(new, &caller.actor()).await;
        let made = made.map_err(|error| match error {
            StoreError::AlreadyExists => {
                Failure::new(&codes::GRANT_EXISTS, "there is a grant to the same one on the same repositories")
            }
            other => other.into(),
        })?;
        let made = made.ok_or_else(|| {
            let (kind, name) = body.user.as_ref().map_or(("group", &body.group), |_| ("user", &body.user));
            let name = name.as_deref().unwrap_or_default();
            Failure::new(&codes::INVALID_FIELD, format!("there is no {kind} \"{name}\"")).field(kind)
        })?;
        Ok(CreateAnswer::Created(Json(GrantView::of(&made))))
    }

    /// Take a grant back.
    #[oai(path = "/grants/:id", method = "delete", operation_id = "delete_grant")]
    async fn delete(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its id.
        id: Path<String>,
    ) -> Result<DeleteAnswer, Refused> {
        app.keeper.require_some_grants(&caller.principal)?;
        let directory = app.keeper.ports().identity.as_ref();
        let record = match Uuid::try_parse(&id) {
            Ok(id) => directory.grant(GrantId(id)).await.map_err(Failure::from)?,
            Err(_) => None,
        };
        let record = record.filter(|record| sees(&caller.principal, record)).ok_or_else(not_found)?;
        app.keeper.require_grant(&caller.principal, &record.grant.repositories, record.grant.role)?;
        let deleted = directory.delete_grant(record.id, &caller.actor()).await.map_err(Failure::from)?;
        if deleted { Ok(DeleteAnswer::Deleted) } else { Err(not_found().into()) }
    }
}

fn not_found() -> Failure {
    Failure::new(&codes::GRANT_NOT_FOUND, codes::GRANT_NOT_FOUND.title)
}

/// Whoever manages the repositories of a grant may know of it.
fn sees(who: &Principal, record: &GrantRecord) -> bool {
    authorize_grant(who, &record.grant.repositories, Role::Reader).is_ok()
}

/// Which grants are listed.
enum Wanted {
    All,
    GivenTo(Grantee),
    CountingFor(Login),
}

impl Wanted {
    fn parse(user: Option<&str>, group: Option<&str>, counting_for: Option<&str>) -> Result<Self, Failure> {
        match (user, group, counting_for) {
            (None, None, None) => Ok(Self::All),
            (None, None, Some(login)) => {
                let login = Login::try_from(login).map_err(|fault| invalid("counting_for", fault.to_string()))?;
                Ok(Self::CountingFor(login))
            }
            (_, _, Some(_)) => Err(invalid("counting_for", "counting_for stands alone: no user and no group").into()),
            (user, group, None) => grantee(user, group).map(Self::GivenTo),
        }
    }

    async fn page(&self, directory: &dyn Directory, window: Window) -> Result<Page<GrantRecord>, StoreError> {
        match self {
            Self::All => directory.grants(None, window).await,
            Self::GivenTo(grantee) => directory.grants(Some(grantee), window).await,
            Self::CountingFor(login) => directory.grants_counting_for(login, window).await,
        }
    }
}

/// A page of those grants that the caller may know of. A store cannot judge patterns, so it is asked again until
/// the page is full.
async fn visible(
    directory: &dyn Directory,
    who: &Principal,
    which: &Wanted,
    wanted: Window,
) -> Result<Page<GrantRecord>, Failure> {
    let (mut items, mut window) = (Vec::new(), wanted);
    loop {
        let page = which.page(directory, window).await?;
        window.after = page.items.last().map(|record| record.id.0);
        items.extend(page.items.into_iter().filter(|record| sees(who, record)));
        let full = items.len() > wanted.limit as usize;
        if full || !page.more {
            items.truncate(wanted.limit as usize);
            return Ok(Page { items, more: full });
        }
    }
}

fn checked(body: &NewGrantBody) -> Result<NewGrant, Failure> {
    let mut problems = Vec::new();
    let grantee = grantee(body.user.as_deref(), body.group.as_deref());
    let grantee = grantee.map_err(|failure| problems.extend(failure.problems().cloned())).ok();
    let repositories = Pattern::parse(&body.repositories);
    let repositories = repositories.map_err(|rule| problems.push(invalid("repositories", rule))).ok();
    let role = Role::parse(&body.role);
    if role.is_none() {
        problems.push(invalid("role", "role is reader, publisher, maintainer or owner"));
    }
    match (grantee, repositories, role) {
        (Some(grantee), Some(repositories), Some(role)) => {
            Ok(NewGrant { grantee, grant: Grant { repositories, role } })
        }
        _ => Err(Failure::from_problems(problems)
            .unwrap_or_else(|| Failure::new(&codes::INTERNAL, "a grant was refused without a reason"))),
    }
}

fn grantee(user: Option<&str>, group: Option<&str>) -> Result<Grantee, Failure> {
    match (user, group) {
        (Some(login), None) => match Login::try_from(login) {
            Ok(login) => Ok(Grantee::User(login)),
            Err(fault) => Err(invalid("user", fault.to_string()).into()),
        },
        (None, Some(name)) => match GroupName::try_from(name) {
            Ok(name) => Ok(Grantee::Group(name)),
            Err(fault) => Err(invalid("group", fault.to_string()).into()),
        },
        _ => Err(invalid("user", "a grant names one user or one group").into()),
    }
}

fn invalid(field: &str, detail: impl Into<String>) -> Problem {
    Problem::new(&codes::INVALID_FIELD, detail).field(field)
}
