//! `/api/me`: who the caller is and what he may do; his password and his sessions.
//!
//! The password and the sessions are for those who signed in: a token that was read by somebody else must not be
//! a way to them.

use std::sync::Arc;

use keeper_core::access::{Action, Actions, Means, Principal, User, held_actions};
use keeper_core::error::{Failure, codes};
use keeper_core::identity::{Login, SessionId, SessionRecord};
use keeper_core::repository::Repository;
use poem::Request;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use uuid::Uuid;

use super::Group;
use super::caller::Caller;
use super::views::time;
use crate::config::Secret;
use crate::http::{App, Refused, cookie};

/// Repositories that are listed; there may be more.
const REPOSITORIES_SHOWN: usize = 200;

pub(super) struct Me;

/// Who the caller is, and what he may do.
#[derive(Object)]
struct MeView {
    /// The login; absent for somebody without a credential.
    #[oai(skip_serializing_if_is_none)]
    login: Option<String>,
    /// `person` or `robot`; absent for somebody without a credential.
    #[oai(skip_serializing_if_is_none)]
    kind: Option<String>,
    /// Who vouches for the user: `local`, or an identity provider.
    #[oai(skip_serializing_if_is_none)]
    issuer: Option<String>,
    /// The issuer's own name for the user.
    #[oai(skip_serializing_if_is_none)]
    subject: Option<String>,
    /// Whether this credential may administer the instance.
    admin: bool,
    /// The credential; absent without one.
    #[oai(skip_serializing_if_is_none)]
    credential: Option<CredentialView>,
    /// What the user was given, directly and by groups.
    grants: Vec<OwnGrant>,
    /// The repositories that this credential may read, and what it may do there; the first 200.
    repositories: Vec<ReadableRepository>,
    /// How many there are.
    repositories_total: u64,
}

/// A credential.
#[derive(Object)]
struct CredentialView {
    /// `token` or `session`.
    kind: String,
    /// What is shown of it.
    display: String,
    /// What it allows at most.
    actions: Vec<String>,
    /// Where it allows it.
    repositories: Vec<String>,
    /// Which packages it may publish or delete; absent is no limit.
    #[oai(skip_serializing_if_is_none)]
    packages: Option<Vec<String>>,
    /// When it ends; absent is never.
    #[oai(skip_serializing_if_is_none)]
    expires_at: Option<String>,
}

/// A role on repositories.
#[derive(Object)]
struct OwnGrant {
    /// Repositories as a pattern over `format/name`.
    repositories: String,
    /// `reader`, `publisher`, `maintainer` or `owner`.
    role: String,
}

/// A repository that the caller may read.
#[derive(Object)]
struct ReadableRepository {
    /// Its format.
    format: String,
    /// Its name.
    name: String,
    /// What this credential may do there.
    actions: Vec<String>,
}

/// A session.
#[derive(Object)]
struct SessionView {
    /// Its id.
    id: String,
    /// Whether it is the one that asks.
    current: bool,
    /// When it began.
    created_at: String,
    /// When it was used last, exact to some minutes.
    used_at: String,
    /// When it ends at the latest.
    expires_at: String,
    /// The address from which it began.
    #[oai(skip_serializing_if_is_none)]
    address: Option<String>,
    /// What the browser called itself.
    #[oai(skip_serializing_if_is_none)]
    agent: Option<String>,
}

/// The sessions of the caller.
#[derive(Object)]
struct SessionList {
    /// The oldest first; at most 50.
    items: Vec<SessionView>,
}

/// A new password.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct PasswordChange {
    /// The password of now.
    current: String,
    /// The new one: 12 characters or more.
    new: String,
}

/// The password was changed.
#[derive(ApiResponse)]
enum PasswordAnswer {
    /// All other sessions ended; this one goes on under a new cookie.
    #[oai(status = 204)]
    Changed(
        /// The cookie.
        #[oai(header = "Set-Cookie")]
        String,
    ),
}

/// A session was ended.
#[derive(ApiResponse)]
enum EndAnswer {
    /// It counts no more from the next request on.
    #[oai(status = 204)]
    Ended,
}

#[OpenApi(tag = "Group::Access")]
impl Me {
    /// Who am I, and what may I do?
    ///
    /// Also answered without a credential: what strangers may do.
    #[oai(path = "/me", method = "get", operation_id = "get_me")]
    async fn read(&self, app: Data<&Arc<App>>, caller: Caller) -> Result<Json<MeView>, Refused> {
        let readable = app.keeper.readable(&caller.principal).await?;
        let user = match &caller.principal {
            Principal::User(user) => Some(&**user),
            Principal::Anonymous => None,
        };
        let grant = |grant: &keeper_core::access::Grant| OwnGrant {
            repositories: grant.repositories.to_string(),
            role: grant.role.as_str().to_owned(),
        };
        Ok(Json(MeView {
            login: user.map(|user| user.login.clone()),
            kind: user.map(|user| user.kind.as_str().to_owned()),
            issuer: user.map(|user| user.identity.issuer.clone()),
            subject: user.map(|user| user.identity.subject.clone()),
            admin: app.keeper.require_admin(&caller.principal).is_ok(),
            credential: user.map(CredentialView::of),
            grants: user.into_iter().flat_map(|user| &user.grants).map(grant).collect(),
            repositories_total: readable.len() as u64,
            repositories: readable
                .iter()
                .take(REPOSITORIES_SHOWN)
                .map(|repository| ReadableRepository::of(repository, user))
                .collect(),
        }))
    }

    /// Change one's own password.
    ///
    /// Ends all other sessions; tokens stay, and are revoked one by one.
    #[oai(path = "/me/password", method = "put", operation_id = "change_password")]
    async fn change_password(
        &self,
        app: Data<&Arc<App>>,
        request: &Request,
        caller: Caller,
        body: Json<PasswordChange>,
    ) -> Result<PasswordAnswer, Refused> {
        let (login, _session) = signed_in(&app, &caller)?;
        cookie::may_travel(&caller.facts, app.sign_in.insecure_http)?;
        let directory = &app.keeper.ports().identity;
        let PasswordChange { current, new } = body.0;
        let known =
            app.sign_in.verify(directory.as_ref(), login.as_str(), &Secret::new(current), caller.facts.peer).await;
        known.map_err(|failure| failure.field("current"))?;
        let hash = app.sign_in.hash(&login, &Secret::new(new), "new").await?;
        directory.set_password(&login, hash, None, &caller.actor()).await.map_err(Failure::from)?;
        app.sign_in.password_changed(&login);
        let (set_cookie, _) = super::session::begin(&app, request, &caller.facts, login).await?;
        Ok(PasswordAnswer::Changed(set_cookie))
    }

    /// List one's own sessions.
    #[oai(path = "/me/sessions", method = "get", operation_id = "list_sessions")]
    async fn sessions(&self, app: Data<&Arc<App>>, caller: Caller) -> Result<Json<SessionList>, Refused> {
        let (login, current) = signed_in(&app, &caller)?;
        let sessions = app.keeper.ports().identity.sessions(&login, app.clock.now()).await;
        let sessions = sessions.map_err(Failure::from)?;
        Ok(Json(SessionList { items: sessions.iter().map(|one| SessionView::of(one, current)).collect() }))
    }

    /// End one of one's own sessions.
    #[oai(path = "/me/sessions/:id", method = "delete", operation_id = "end_session")]
    async fn end_session(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// Its id.
        id: Path<String>,
    ) -> Result<EndAnswer, Refused> {
        let (login, _current) = signed_in(&app, &caller)?;
        let ended = match Uuid::try_parse(&id) {
            Ok(id) => {
                let directory = &app.keeper.ports().identity;
                directory.end_session(&login, SessionId(id), &caller.actor()).await.map_err(Failure::from)?
            }
            Err(_) => false,
        };
        let absent = || Failure::new(&codes::SESSION_NOT_FOUND, "there is no such session, or it is not yours");
        if ended { Ok(EndAnswer::Ended) } else { Err(absent().into()) }
    }
}

/// Somebody with a session.
fn signed_in(app: &App, caller: &Caller) -> Result<(Login, SessionId), Failure> {
    let user = app.keeper.require_user(&caller.principal)?;
    let Means::Session(session) = user.means else {
        return Err(Failure::new(&codes::SESSION_REQUIRED, "this is not for tokens"));
    };
    let login = Login::try_from(user.login.as_str());
    let login = login.map_err(|fault| Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by(fault))?;
    Ok((login, session))
}

impl CredentialView {
    fn of(user: &User) -> Self {
        let texts = |patterns: &[keeper_core::access::Pattern]| patterns.iter().map(ToString::to_string).collect();
        let kind = match user.means {
            Means::Token(_) => "token",
            Means::Session(_) => "session",
        };
        Self {
            kind: kind.to_owned(),
            display: user.credential.clone(),
            actions: words(user.scope.actions),
            repositories: texts(&user.scope.repositories),
            packages: user.scope.packages.as_deref().map(texts),
            expires_at: user.expires_at.map(time),
        }
    }
}

impl ReadableRepository {
    fn of(repository: &Repository, user: Option<&User>) -> Self {
        let held = user.map(|user| held_actions(user, &repository.address)).unwrap_or_default();
        let read = repository.anonymous_read.then_some(Action::Read);
        let actions = Action::ALL.into_iter().filter(|action| held.contains(*action) || Some(*action) == read);
        Self {
            format: repository.address.format.to_string(),
            name: repository.address.name.to_string(),
            actions: words(actions.collect()),
        }
    }
}

impl SessionView {
    fn of(session: &SessionRecord, current: SessionId) -> Self {
        Self {
            id: session.id.to_string(),
            current: session.id == current,
            created_at: time(session.created_at),
            used_at: time(session.used_at),
            expires_at: time(session.expires_at),
            address: session.address.clone(),
            agent: session.agent.clone(),
        }
    }
}

fn words(actions: Actions) -> Vec<String> {
    Action::ALL.into_iter().filter(|one| actions.contains(*one)).map(|one| one.as_str().to_owned()).collect()
}
