//! `/api/tokens`: one's own tokens, and for administrators those of others.
//!
//! A new token is never more than the credential that asks for it, in actions, patterns and lifetime, nor than the
//! user whom it acts for may. A token looks after those of its own user that allow no more than itself does.

use std::sync::Arc;

use jiff::Timestamp;
use keeper_core::access::{Means, Principal, Rights, User, authorize_admin, authorize_token};
use keeper_core::error::{Failure, codes};
use keeper_core::identity::{Login, TokenId, TokenRecord, TokenSecret};
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
use crate::token_request::{self, TokenPlan, TokenRequest};

pub(super) struct Tokens;

/// A token to create.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct NewTokenBody {
    /// What it is for, for example `laptop`.
    name: String,
    /// What it may do: some of `read`, `publish`, `delete`, `manage`, `admin`.
    actions: Vec<String>,
    /// Where: `go/local`, `go/team-*`, `*`. An empty list would mean nothing and is refused.
    repositories: Vec<String>,
    /// Which packages it may publish or delete, for example `corp.example/*`; absent is no limit.
    packages: Option<Vec<String>>,
    /// When it ends: `1d` to `366d`, a time (RFC 3339), or `never`, which only administrators may ask for. Absent
    /// is 90 days, or the end of the token that asks if that is sooner.
    expires: Option<String>,
    /// The user or robot whom it acts for; absent is oneself. Only administrators name another.
    owner: Option<String>,
}

/// A token, without its text.
#[derive(Object)]
struct TokenView {
    /// Its id.
    id: String,
    /// Its first characters.
    display: String,
    /// What it is for.
    name: String,
    /// The user whom it acts for.
    owner: String,
    /// What it may do.
    actions: Vec<String>,
    /// Where.
    repositories: Vec<String>,
    /// Which packages it may publish or delete; absent is no limit.
    #[oai(skip_serializing_if_is_none)]
    packages: Option<Vec<String>>,
    /// When it ends; absent is never.
    #[oai(skip_serializing_if_is_none)]
    expires_at: Option<String>,
    /// When it was made.
    created_at: String,
    /// Who made it.
    created_by: String,
    /// When it was used last, exact to the hour.
    #[oai(skip_serializing_if_is_none)]
    used_at: Option<String>,
    /// From which address it was used last.
    #[oai(skip_serializing_if_is_none)]
    used_from: Option<String>,
}

impl TokenView {
    fn of(token: &TokenRecord) -> Self {
        let texts = |patterns: &[keeper_core::access::Pattern]| patterns.iter().map(ToString::to_string).collect();
        let words = token.scope.actions.to_words();
        Self {
            id: token.id.to_string(),
            display: token.display.clone(),
            name: token.name.clone(),
            owner: token.owner.to_string(),
            actions: words.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
            repositories: texts(&token.scope.repositories),
            packages: token.scope.packages.as_deref().map(texts),
            expires_at: token.expires_at.map(time),
            created_at: time(token.created_at),
            created_by: token.created_by.clone(),
            used_at: token.used_at.map(time),
            used_from: token.used_from.clone(),
        }
    }
}

/// A new token.
#[derive(Object)]
struct CreatedToken {
    /// Its text. It is shown this once and kept nowhere.
    token: String,
    /// What it is.
    details: TokenView,
    /// What whoever asked for it should know.
    warnings: Vec<String>,
}

/// A page of tokens.
#[derive(Object)]
struct TokenPage {
    /// In order of their creation; revoked ones are left out.
    items: Vec<TokenView>,
    /// Give it as `cursor` to get the next page; `null` on the last one.
    next_cursor: NextCursor,
}

/// A token was created.
#[derive(ApiResponse)]
enum CreateAnswer {
    /// It counts from now on.
    #[oai(status = 201)]
    Created(
        Json<CreatedToken>,
        /// Its address in the API.
        #[oai(header = "Location")]
        String,
    ),
}

/// A token was revoked.
#[derive(ApiResponse)]
enum RevokeAnswer {
    /// It counts no more from the next request on.
    #[oai(status = 204)]
    Revoked,
}

#[OpenApi(tag = "Group::Access")]
impl Tokens {
    /// List tokens.
    ///
    /// One's own; an administrator can name another user.
    #[oai(path = "/tokens", method = "get", operation_id = "list_tokens")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Those of this user; `*` for all users.
        owner: Query<Option<String>>,
        /// At most so many, 1 to 200.
        #[oai(default = "default_limit")]
        limit: Query<u32>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<TokenPage>, Refused> {
        let user = app.keeper.require_user(&caller.principal)?;
        let owner = owner.0.as_deref().unwrap_or(&user.login);
        if owner != user.login {
            app.keeper.require_admin(&caller.principal)?;
        }
        let filter = caller.filter("tokens", &[&Some(owner.to_owned())]);
        let window = window(&filter, limit.0, cursor.0.as_deref())?;
        let owner = if owner == "*" { None } else { Some(super::users::parse_login(owner)?) };
        let page = app.keeper.ports().identity.tokens(owner.as_ref(), window).await.map_err(Failure::from)?;
        let next_cursor = next_cursor(&filter, &page, |token| token.id.0);
        Ok(Json(TokenPage { items: page.items.iter().map(TokenView::of).collect(), next_cursor }))
    }

    /// Create a token.
    ///
    /// Its text is in this answer and nowhere else. It is never more than the credential that asks for it, nor
    /// than its user may do by the grants of today; what the user may do later less, the token may less, too.
    #[oai(path = "/tokens", method = "post", operation_id = "create_token")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        body: Json<NewTokenBody>,
    ) -> Result<CreateAnswer, Refused> {
        let user = app.keeper.require_user(&caller.principal)?;
        let plan = plan(&body, user, app.clock.now())?;
        authorize_token(user, &plan.scope, plan.expires_at)
            .map_err(|wide| too_wide(format!("this credential may not give {wide}")))?;
        let (login, secret) = owned_secret(&app, &caller.principal, user, &plan, body.owner.as_deref()).await?;
        let endless = plan.expires_at.is_none();
        let directory = &app.keeper.ports().identity;
        let id = directory.create_token(plan.token(&secret, login), &caller.actor()).await.map_err(Failure::from)?;
        let made = directory.token(id).await.map_err(Failure::from)?.ok_or_else(not_found)?;
        let created = CreatedToken {
            token: secret.reveal().to_owned(),
            details: TokenView::of(&made),
            warnings: endless.then(|| token_request::ENDLESS_WARNING.to_owned()).into_iter().collect(),
        };
        Ok(CreateAnswer::Created(Json(created), format!("{}/api/tokens/{id}", caller.facts.base_url)))
    }

    /// Read a token.
    ///
    /// Its text is never shown again.
    #[oai(path = "/tokens/:id", method = "get", operation_id = "get_token")]
    async fn read(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its id.
        id: Path<String>,
    ) -> Result<Json<TokenView>, Refused> {
        let user = app.keeper.require_user(&caller.principal)?;
        Ok(Json(TokenView::of(&known(&app, &caller.principal, user, &id).await?)))
    }

    /// Revoke a token.
    ///
    /// It counts no more from the next request on, also on connections that are open. A repeat answers 404.
    #[oai(path = "/tokens/:id", method = "delete", operation_id = "revoke_token")]
    async fn revoke(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its id.
        id: Path<String>,
    ) -> Result<RevokeAnswer, Refused> {
        let user = app.keeper.require_user(&caller.principal)?;
        let token = known(&app, &caller.principal, user, &id).await?;
        let itself = user.means == Means::Token(token.id);
        if !itself && !user.outranks(&token.scope) {
            return Err(too_wide("this token revokes only tokens that allow no more than itself".to_owned()).into());
        }
        let revoked = app.keeper.ports().identity.revoke_token(token.id, &caller.actor()).await;
        if revoked.map_err(Failure::from)? { Ok(RevokeAnswer::Revoked) } else { Err(not_found().into()) }
    }
}

fn not_found() -> Failure {
    Failure::new(&codes::TOKEN_NOT_FOUND, "there is no such token, or it is not yours")
}

fn too_wide(detail: String) -> Failure {
    Failure::new(&codes::SCOPE_TOO_WIDE, detail)
}

/// What is asked for; without an end, the usual one or that of the token that asks.
fn plan(body: &NewTokenBody, user: &User, now: Timestamp) -> Result<TokenPlan, Failure> {
    let asked = TokenRequest {
        name: &body.name,
        actions: &body.actions,
        repositories: &body.repositories,
        packages: body.packages.as_deref(),
        expires: body.expires.as_deref(),
    };
    let mut plan = asked.check(now).map_err(|problems| {
        Failure::from_problems(problems)
            .unwrap_or_else(|| Failure::new(&codes::INTERNAL, "a token was refused without a reason"))
    })?;
    if body.expires.is_none() {
        plan.expires_at = plan.expires_at.into_iter().chain(user.scope_expires_at()).min();
    }
    Ok(plan)
}

/// The owner of a new token, who must be allowed what it allows, and its text.
async fn owned_secret(
    app: &App,
    who: &Principal,
    user: &User,
    plan: &TokenPlan,
    owner: Option<&str>,
) -> Result<(Login, TokenSecret), Failure> {
    let unknown = |detail: &str| Failure::new(&codes::INVALID_FIELD, detail).field("owner");
    let owner = owner.unwrap_or(&user.login);
    if owner != user.login {
        app.keeper.require_admin(who)?;
    }
    let directory = &app.keeper.ports().identity;
    let login = Login::try_from(owner).map_err(|fault| unknown(&fault.to_string()))?;
    let record = directory.user(&login).await?.filter(|record| !record.disabled);
    let record = record.ok_or_else(|| unknown("there is no such user, or the user is disabled"))?;
    let grants = directory.grants_of(&login).await?;
    if let Some(wide) = (Rights { admin: record.admin, grants: &grants }).lack(&plan.scope) {
        return Err(too_wide(format!("{login} may not have {wide}")));
    }
    let secret = token_request::random(record.kind);
    let secret = secret.map_err(|error| Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by(error))?;
    Ok((login, secret))
}

/// The token of an id, if the caller may know of it.
async fn known(app: &App, who: &Principal, user: &User, id: &str) -> Result<TokenRecord, Failure> {
    let found = match Uuid::try_parse(id) {
        Ok(id) => app.keeper.ports().identity.token(TokenId(id)).await?,
        Err(_) => None,
    };
    let may = |token: &TokenRecord| token.owner.as_str() == user.login || authorize_admin(who).is_ok();
    found.filter(|token| token.revoked_at.is_none() && may(token)).ok_or_else(not_found)
}
