//! `/api/session`: signing in and out with a browser.
//!
//! Signing in makes a new session with a new cookie, whatever cookie came along; signing out takes the session
//! and the cookie away, also when the session has ended long ago.

use std::sync::Arc;

use keeper_core::access::Means;
use keeper_core::error::{Failure, codes};
use keeper_core::identity::{Credential, Login, NewSession, SESSION_LIFE, SessionId, TokenHash};
use keeper_core::repository::Actor;
use poem::Request;
use poem::http::header::USER_AGENT;
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::Group;
use super::caller::Caller;
use super::views::time;
use crate::config::Secret;
use crate::http::{App, Refused, RequestFacts, cookie, origin};

/// Characters of a browser's name for itself that are kept.
const AGENT_CHARACTERS: usize = 200;

pub(super) struct Sessions;

/// Who signs in.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct SignInBody {
    /// The login.
    login: String,
    /// The password.
    password: String,
}

/// A new session.
#[derive(Object)]
pub(super) struct SignedIn {
    /// The id of the session; not its secret, which is in the cookie.
    id: String,
    /// The login.
    login: String,
    /// When it ends at the latest; earlier when it is not used for 12 hours.
    expires_at: String,
}

/// Somebody signed in.
#[derive(ApiResponse)]
enum SignInAnswer {
    /// The cookie is the credential from now on.
    #[oai(status = 201)]
    SignedIn(
        Json<SignedIn>,
        /// The cookie.
        #[oai(header = "Set-Cookie")]
        String,
    ),
}

/// Somebody signed out.
#[derive(ApiResponse)]
enum SignOutAnswer {
    /// The session is gone, and the cookie with it.
    #[oai(status = 204)]
    SignedOut(
        /// Takes the cookie away.
        #[oai(header = "Set-Cookie")]
        String,
    ),
}

#[OpenApi(tag = "Group::Access")]
impl Sessions {
    /// Sign in.
    ///
    /// For browsers; programs use tokens. Over plain http only on the machine itself, unless the server is
    /// configured otherwise.
    #[oai(path = "/session", method = "post", operation_id = "sign_in")]
    async fn sign_in(
        &self,
        app: Data<&Arc<App>>,
        request: &Request,
        caller: Caller,
        body: Json<SignInBody>,
    ) -> Result<SignInAnswer, Refused> {
        let facts = &caller.facts;
        origin::refuse_foreign(request.headers(), facts)?;
        cookie::may_travel(facts, app.sign_in.insecure_http)?;
        let directory = &app.keeper.ports().identity;
        let SignInBody { login, password } = body.0;
        let login = app.sign_in.verify(directory.as_ref(), &login, &Secret::new(password), facts.peer).await?;
        end_current(&app, request, facts).await?;
        let (set_cookie, session) = begin(&app, request, facts, login).await?;
        Ok(SignInAnswer::SignedIn(Json(session), set_cookie))
    }

    /// Sign out.
    #[oai(path = "/session", method = "delete", operation_id = "sign_out")]
    async fn sign_out(
        &self,
        app: Data<&Arc<App>>,
        request: &Request,
        caller: Caller,
    ) -> Result<SignOutAnswer, Refused> {
        if cookie::sent(request.headers(), &caller.facts)?.is_some() {
            origin::require_same(request.headers(), &caller.facts)?;
        }
        end_current(&app, request, &caller.facts).await?;
        Ok(SignOutAnswer::SignedOut(cookie::removal(&caller.facts)))
    }
}

/// A new session of somebody whose password was right: the cookie, and what is shown of it.
pub(super) async fn begin(
    app: &App,
    request: &Request,
    facts: &RequestFacts,
    login: Login,
) -> Result<(String, SignedIn), Failure> {
    let (set_cookie, hash) = cookie::new(facts)?;
    let (id, now) = (SessionId::new(), app.clock.now());
    let agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
    let session = NewSession {
        id,
        hash,
        login: login.clone(),
        created_at: now,
        address: facts.peer.map(|peer| peer.to_string()),
        agent: agent.map(|agent| agent.chars().take(AGENT_CHARACTERS).collect()),
    };
    if !app.keeper.ports().identity.create_session(session, &actor(&login, facts)).await? {
        // Disabled or deleted while the password was looked at.
        return Err(Failure::new(&codes::INVALID_CREDENTIALS, "the login or the password is wrong"));
    }
    let shown = SignedIn { id: id.to_string(), login: login.to_string(), expires_at: time(now + SESSION_LIFE) };
    Ok((set_cookie, shown))
}

/// Ends the session that a request carries, if it lives.
async fn end_current(app: &App, request: &Request, facts: &RequestFacts) -> Result<(), Failure> {
    let Some(hash) = cookie::sent(request.headers(), facts)? else { return Ok(()) };
    end(app, &hash, facts).await
}

async fn end(app: &App, hash: &TokenHash, facts: &RequestFacts) -> Result<(), Failure> {
    let directory = &app.keeper.ports().identity;
    let Credential::Valid(user) = directory.session(hash, app.clock.now()).await? else { return Ok(()) };
    if let (Means::Session(id), Ok(login)) = (user.means, Login::try_from(user.login.as_str())) {
        directory.end_session(&login, id, &actor(&login, facts)).await?;
    }
    Ok(())
}

fn actor(login: &Login, facts: &RequestFacts) -> Actor {
    Actor {
        login: login.to_string(),
        credential: Some("password".to_owned()),
        address: facts.peer.map(|peer| peer.to_string()),
        request: Some(facts.id.clone()),
    }
}
