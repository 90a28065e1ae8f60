//! `/api/users`: people and robots. For administrators.

use std::sync::Arc;

use jiff::Timestamp;
use keeper_core::artifact::StoreError;
use keeper_core::error::{Failure, Problem, codes};
use keeper_core::identity::{Edited, Email, Login, NewUser, UserChange, UserKind, UserRecord, check_line};
use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::MaybeUndefined;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::Group;
use super::caller::Caller;
use super::cursor::NextCursor;
use super::listing::default_limit;
use super::paging::{next_cursor, window};
use super::revision::{Tagged, etag, expected, stale};
use super::views::time;
use crate::config::Secret;
use crate::http::{App, Refused, cookie};

/// Characters of a name for people.
const DISPLAY_NAME: usize = 100;

pub(super) struct Users;

/// A user to create.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct NewUserBody {
    /// What the user signs in with: `[a-z0-9][a-z0-9._-]{0,63}`, for example `ann`.
    login: String,
    /// `person` (default) or `robot`. A robot has no password; its tokens begin with `aks_`.
    kind: Option<String>,
    /// The name for people.
    #[oai(default)]
    display_name: String,
    /// An address for people; nothing is sent there.
    email: Option<String>,
    /// Whether the user administers the instance.
    #[oai(default)]
    admin: bool,
    /// At least 12 characters; without one a person cannot sign in until a password is set.
    password: Option<String>,
}

/// A change of a user: what is absent stays.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct UserChangeBody {
    /// The name for people.
    display_name: Option<String>,
    /// An address for people; `null` takes it away.
    email: MaybeUndefined<String>,
    /// Whether the user administers the instance.
    admin: Option<bool>,
    /// Whether no credential of the user counts.
    disabled: Option<bool>,
    /// A new password. All sessions of the user end.
    password: Option<String>,
}

/// A user.
#[derive(Object)]
pub(super) struct UserView {
    /// The login.
    login: String,
    /// `person` or `robot`.
    kind: String,
    /// The name for people.
    display_name: String,
    /// An address for people.
    #[oai(skip_serializing_if_is_none)]
    email: Option<String>,
    /// Whether the user administers the instance.
    admin: bool,
    /// Whether no credential of the user counts.
    disabled: bool,
    /// Who vouches for the user: `local`, or an identity provider.
    issuer: String,
    /// The issuer's own name for the user.
    subject: String,
    /// When the password was set last; absent without one.
    #[oai(skip_serializing_if_is_none)]
    password_changed_at: Option<String>,
    /// When the user was made.
    created_at: String,
    /// When the user was last seen: by the last use of a session or token that there is, or by what the audit tells the
    /// user did last. Absent for somebody who was never seen.
    #[oai(skip_serializing_if_is_none)]
    last_seen_at: Option<String>,
}

impl UserView {
    /// A user who was last seen then.
    fn of(user: &UserRecord, seen: Option<Timestamp>) -> Self {
        Self {
            login: user.login.to_string(),
            kind: user.kind.as_str().to_owned(),
            display_name: user.display_name.clone(),
            email: user.email.as_ref().map(ToString::to_string),
            admin: user.admin,
            disabled: user.disabled,
            issuer: user.identity.issuer.clone(),
            subject: user.identity.subject.clone(),
            password_changed_at: user.password_changed_at.map(time),
            created_at: time(user.created_at),
            last_seen_at: seen.map(time),
        }
    }

    /// Users, each with when it was last seen.
    pub(super) async fn of_all(app: &App, users: &[UserRecord]) -> Result<Vec<Self>, Failure> {
        let logins: Vec<_> = users.iter().map(|user| user.login.clone()).collect();
        let seen = app.keeper.ports().identity.seen(&logins).await?;
        Ok(users.iter().map(|user| Self::of(user, seen.get(&user.login).copied())).collect())
    }

    async fn of_one(app: &App, user: &UserRecord) -> Result<Self, Failure> {
        let seen = app.keeper.ports().identity.seen(std::slice::from_ref(&user.login)).await?;
        Ok(Self::of(user, seen.get(&user.login).copied()))
    }
}

/// A page of users.
#[derive(Object)]
pub(super) struct UserPage {
    /// In order of their creation.
    pub(super) items: Vec<UserView>,
    /// Give it as `cursor` to get the next page; `null` on the last one.
    pub(super) next_cursor: NextCursor,
}

/// A user was created.
#[derive(ApiResponse)]
enum CreateAnswer {
    /// The user is there now.
    #[oai(status = 201)]
    Created(
        Json<UserView>,
        /// The address in the API.
        #[oai(header = "Location")]
        String,
        /// The revision, for `If-Match`.
        #[oai(header = "ETag")]
        String,
    ),
}

/// The sessions of a user were ended.
#[derive(ApiResponse)]
enum EndAnswer {
    /// No session of the user counts from the next request on.
    #[oai(status = 204)]
    Ended,
}

/// A user was deleted.
#[derive(ApiResponse)]
enum DeleteAnswer {
    /// The user is gone, with all tokens, sessions, grants and memberships.
    #[oai(status = 204)]
    Deleted,
}

#[OpenApi(tag = "Group::Access")]
impl Users {
    /// List users.
    #[oai(path = "/users", method = "get", operation_id = "list_users")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// At most so many, 1 to 200.
        #[oai(default = "default_limit")]
        limit: Query<u32>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<UserPage>, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        let filter = caller.filter("users", &[]);
        let window = window(&filter, limit.0, cursor.0.as_deref())?;
        let page = app.keeper.ports().identity.users(window).await.map_err(Failure::from)?;
        let next_cursor = next_cursor(&filter, &page, |user| user.id.0);
        Ok(Json(UserPage { items: UserView::of_all(&app, &page.items).await?, next_cursor }))
    }

    /// Create a user.
    #[oai(path = "/users", method = "post", operation_id = "create_user")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        body: Json<NewUserBody>,
    ) -> Result<CreateAnswer, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        if body.password.is_some() {
            cookie::may_travel(&caller.facts, app.sign_in.insecure_http)?;
        }
        let (mut user, password) = checked(body.0)?;
        if let Some(password) = password {
            user.password = Some(app.sign_in.hash(&user.login, &password, "password").await?);
        }
        let login = user.login.clone();
        let made = app.keeper.ports().identity.create_user(user, &caller.actor()).await;
        let made = made.map_err(|error| match error {
            StoreError::AlreadyExists => {
                Failure::new(&codes::USER_EXISTS, format!("there is a user {login}")).field("login")
            }
            other => other.into(),
        })?;
        let location = format!("{}/api/users/{login}", caller.facts.base_url);
        Ok(CreateAnswer::Created(Json(UserView::of(&made, None)), location, etag(made.revision)))
    }

    /// Read a user.
    #[oai(path = "/users/:login", method = "get", operation_id = "get_user")]
    async fn read(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// The login.
        login: Path<String>,
    ) -> Result<Tagged<UserView>, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        let found = app.keeper.ports().identity.user(&parse_login(&login)?).await.map_err(Failure::from)?;
        let user = found.ok_or_else(|| not_found(&login))?;
        Ok(Tagged::new(UserView::of_one(&app, &user).await?, user.revision))
    }

    /// Change a user.
    ///
    /// Disabling takes effect with the next request of any credential of the user. The last administrator who can
    /// sign in stays one.
    #[oai(path = "/users/:login", method = "patch", operation_id = "update_user")]
    async fn update(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// The login.
        login: Path<String>,
        /// The ETag that the change was made for; optional.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        body: Json<UserChangeBody>,
    ) -> Result<Tagged<UserView>, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        let (login, revision) = (parse_login(&login)?, expected(if_match.0.as_deref())?);
        let directory = &app.keeper.ports().identity;
        let before = directory.user(&login).await.map_err(Failure::from)?;
        let before = before.ok_or_else(|| not_found(login.as_str()))?;
        let change = change(&app, &caller, &before, body.0).await?;
        let sets_password = change.password.is_some();
        let edited = directory.change_user(&login, revision, change, &caller.actor()).await.map_err(Failure::from)?;
        let user = done(edited, &login)?;
        if sets_password {
            app.sign_in.password_changed(&login);
        }
        Ok(Tagged::new(UserView::of_one(&app, &user).await?, user.revision))
    }

    /// Delete a user.
    ///
    /// All tokens, sessions, grants and memberships go with the user; what was published stays. The login is free
    /// again, for somebody else: prefer to disable.
    #[oai(path = "/users/:login", method = "delete", operation_id = "delete_user")]
    async fn delete(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// The login.
        login: Path<String>,
        /// The ETag that the deletion was made for; optional.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<DeleteAnswer, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        let (login, revision) = (parse_login(&login)?, expected(if_match.0.as_deref())?);
        let edited = app.keeper.ports().identity.delete_user(&login, revision, &caller.actor()).await;
        done(edited.map_err(Failure::from)?, &login)?;
        Ok(DeleteAnswer::Deleted)
    }

    /// End all sessions of a user.
    ///
    /// The user may sign in again; to keep a user out, disable the user. Tokens stay as they are.
    #[oai(path = "/users/:login/sessions", method = "delete", operation_id = "end_user_sessions")]
    async fn end_sessions(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// The login.
        login: Path<String>,
    ) -> Result<EndAnswer, Refused> {
        app.keeper.require_admin(&caller.principal)?;
        let login = parse_login(&login)?;
        let ended = app.keeper.ports().identity.end_sessions(&login, &caller.actor()).await.map_err(Failure::from)?;
        if ended { Ok(EndAnswer::Ended) } else { Err(not_found(login.as_str()).into()) }
    }
}

fn done<T>(edited: Edited<T>, login: &Login) -> Result<T, Failure> {
    match edited {
        Edited::Done(record) => Ok(record),
        Edited::Absent => Err(not_found(login.as_str())),
        Edited::Stale => Err(stale()),
        Edited::LastAdministrator => Err(invalid("admin", format!("{login} is the last administrator"))
            .hint("Make another person an administrator first.")
            .into()),
    }
}

/// The login in an address; one that cannot be is one that is not there.
pub(super) fn parse_login(text: &str) -> Result<Login, Failure> {
    Login::try_from(text).map_err(|_| not_found(text))
}

pub(super) fn not_found(login: &str) -> Failure {
    let shown: String = login.chars().take(80).flat_map(char::escape_debug).collect();
    Failure::new(&codes::USER_NOT_FOUND, format!("there is no user \"{shown}\""))
}

/// A new user without the hash of the password, all faults at once.
fn checked(body: NewUserBody) -> Result<(NewUser, Option<Secret>), Failure> {
    let mut problems = Vec::new();
    let login = Login::try_from(body.login.as_str());
    let login = login.map_err(|fault| problems.push(invalid("login", fault.to_string()))).ok();
    let kind = UserKind::parse(body.kind.as_deref().unwrap_or("person"));
    if kind.is_none() {
        problems.push(invalid("kind", "kind is person or robot"));
    }
    if kind == Some(UserKind::Robot) && body.password.is_some() {
        problems.push(invalid("password", "a robot has no password; make a token for it"));
    }
    let email = email(body.email.as_deref(), &mut problems);
    display_name(&body.display_name, &mut problems);
    match (login, kind) {
        (Some(login), Some(kind)) if problems.is_empty() => {
            let (display_name, admin) = (body.display_name, body.admin);
            let user = NewUser { login, kind, display_name, email, admin, password: None };
            Ok((user, body.password.map(Secret::new)))
        }
        _ => Err(refusal(problems)),
    }
}

/// The change that a body asks for, all faults at once.
async fn change(app: &App, caller: &Caller, user: &UserRecord, body: UserChangeBody) -> Result<UserChange, Failure> {
    let mut problems = Vec::new();
    if let Some(name) = &body.display_name {
        display_name(name, &mut problems);
    }
    let email = match body.email {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(text) => Some(email(Some(&text), &mut problems)),
    };
    if user.kind == UserKind::Robot && body.password.is_some() {
        problems.push(invalid("password", "a robot has no password; make a token for it"));
    }
    if !problems.is_empty() {
        return Err(refusal(problems));
    }
    let password = match body.password {
        None => None,
        Some(password) => {
            cookie::may_travel(&caller.facts, app.sign_in.insecure_http)?;
            Some(app.sign_in.hash(&user.login, &Secret::new(password), "password").await?)
        }
    };
    Ok(UserChange { display_name: body.display_name, email, admin: body.admin, disabled: body.disabled, password })
}

fn email(text: Option<&str>, problems: &mut Vec<Problem>) -> Option<Email> {
    let email = Email::try_from(text?);
    email.map_err(|fault| problems.push(invalid("email", fault.to_string()))).ok()
}

fn display_name(text: &str, problems: &mut Vec<Problem>) {
    if let Err(rule) = check_line(text, DISPLAY_NAME) {
        problems.push(invalid("display_name", format!("a display name is {rule}")));
    }
}

fn invalid(field: &str, detail: impl Into<String>) -> Problem {
    Problem::new(&codes::INVALID_FIELD, detail).field(field)
}

fn refusal(problems: Vec<Problem>) -> Failure {
    Failure::from_problems(problems)
        .unwrap_or_else(|| Failure::new(&codes::INTERNAL, "a user was refused without a reason"))
}
