//! HTTP: the whole route table, and what every request passes.
//!
//! | path | who answers |
//! |---|---|
//! | `/livez`, `/readyz` | [`health`] |
//! | `/api/openapi.json`, `/api/docs` | [`pages`]: the generated document and a page to read it |
//! | `/api/…` | [`api`]: JSON, errors as problem documents |
//! | `/{format}/{repository}/…` | [`formats`]: the ecosystem's protocol, errors as plain text |
//! | everything else | [`pages`]: the web UI's files |
//!
//! Order: id and span → framing, host and target → credentials → route. Errors become answers in one place,
//! whatever their origin; a panic becomes `internal`.

mod admission;
pub mod api;
mod authenticate;
mod disposition;
mod error;
mod form;
mod formats;
mod health;
mod markdown;
mod native_write;
mod pages;
mod problem;
mod ranges;
mod request;
mod response;
mod shared_body;
mod stated_digest;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;
use http::header::{REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Method};
use keeper_core::access::Principal;
use keeper_core::error::{Class, Failure, codes};
use keeper_core::pipeline::Keeper;
use keeper_core::repository::FormatKey;
use poem::{Endpoint, Request, Response};

pub use admission::Admission;
pub use authenticate::Authenticator;
pub use error::Refused;
pub(crate) use error::status as status_of;
pub use health::{Health, WriterAlive};
pub use request::{Front, HostRule, RequestFacts};

use crate::archive::Archives;
use error::{Shape, answer};

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the routes need.
pub struct App {
    /// The services.
    pub keeper: Arc<Keeper>,
    /// Recognises callers.
    pub authenticator: Authenticator,
    /// How this server is known outside.
    pub front: Front,
    /// The probes.
    pub health: Arc<Health>,
    /// Looks into stored archives.
    pub archives: Archives,
    /// Bounds of uploads.
    pub admission: Arc<Admission>,
}

/// The app as poem runs it.
pub struct Routes {
    app: Arc<App>,
    api: Box<dyn poem::endpoint::DynEndpoint<Output = Response>>,
    openapi: String,
    first_segments: Vec<String>,
}

impl Routes {
    /// The whole route table over these services.
    #[must_use]
    pub fn new(app: App) -> Self {
        let app = Arc::new(app);
        let formats = app.keeper.ports().registry.iter().map(|(key, _)| key.to_string());
        let first_segments = formats.chain(["api".to_owned()]).collect();
        let (api, openapi) = api::routes(app.clone());
        Self { app, api, openapi, first_segments }
    }

    async fn route(&self, who: Principal, mut request: Request, facts: &RequestFacts) -> Result<Response, Failure> {
        let path = request.original_uri().path().to_owned();
        let first = path.split('/').nth(1).unwrap_or("");
        match first {
            "livez" if path == "/livez" => read_only(&request).map(|()| self.app.health.live()),
            "readyz" if path == "/readyz" => {
                read_only(&request)?;
                Ok(self.app.health.ready(&self.app.keeper).await)
            }
            "api" if path == "/api/openapi.json" => {
                read_only(&request)?;
                let response = Response::builder().content_type("application/json").body(self.openapi.clone());
                Ok(no_store(response))
            }
            "api" => match pages::docs(&path) {
                Some(page) => read_only(&request).map(|()| page),
                None => {
                    api::check(&mut request, self.app.admission.pace).await?;
                    request.extensions_mut().insert(who);
                    request.extensions_mut().insert(facts.clone());
                    self.api.call(request).await.map(no_store).map_err(|error| api::failure(error, &path))
                }
            },
            _ => {
                let registry = &self.app.keeper.ports().registry;
                let format = FormatKey::try_from(first).ok();
                match format.and_then(|key| registry.get(&key).map(|handler| (key, handler))) {
                    Some((format, handler)) => self.app.native(&format, handler, &who, request, facts).await,
                    None => pages::ui(request.method(), &path, &self.first_segments),
                }
            }
        }
    }

    async fn answered(&self, request: Request, facts: &RequestFacts) -> Result<Response, Failure> {
        let identity = self.app.keeper.ports().identity.as_ref();
        let who = match self.app.authenticator.principal(request.headers(), identity).await {
            Ok(who) => who,
            Err(failure) => return Err(self.with_hint_of_format(failure, &request, facts)),
        };
        tracing::Span::current().record("principal.name", who.login());
        match AssertUnwindSafe(self.route(who, request, facts)).catch_unwind().await {
            Ok(result) => result,
            Err(_panic) => Err(Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by("a handler panicked")),
        }
    }

    /// A refused credential on a format's path says how that ecosystem's client sends a right one.
    fn with_hint_of_format(&self, failure: Failure, request: &Request, facts: &RequestFacts) -> Failure {
        let first = request.original_uri().path().split('/').nth(1).unwrap_or("");
        let registry = &self.app.keeper.ports().registry;
        match FormatKey::try_from(first).ok().and_then(|key| registry.get(&key)) {
            Some(handler) => formats::with_login_hint(failure, handler, facts),
            None => failure,
        }
    }

    fn finish(&self, mut response: Response, facts: &RequestFacts) -> Response {
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::try_from(facts.id.as_str()) {
            headers.insert(&X_REQUEST_ID, id);
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        if facts.https && self.app.front.public_url.is_some() {
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        response
    }
}

impl Endpoint for Routes {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let began = Instant::now();
        let id = request::new_id();
        let (method, path) = (request.method().clone(), request.original_uri().path().to_owned());
        let shape = if path == "/api" || path.starts_with("/api/") { Shape::Api } else { Shape::Text };
        let span = tracing::info_span!(
            "request", request.id = %id, http.method = %method, principal.name = tracing::field::Empty
        );
        let (facts, result) = match self.app.front.examine(&request, id) {
            Ok(facts) => {
                let result = tracing::Instrument::instrument(self.answered(request, &facts), span.clone()).await;
                (facts, result)
            }
            Err(refused) => (refused.0, Err(refused.1)),
        };
        let response = match result {
            Ok(response) => {
                span.in_scope(|| {
                    tracing::debug!(http.path = %loggable(&path), status = response.status().as_u16(), duration_ms = ms(began), "answered");
                });
                response
            }
            Err(failure) => {
                span.in_scope(|| log_failure(&failure, &method, &path, began));
                answer(&failure, shape, &facts.id)
            }
        };
        Ok(self.finish(response, &facts))
    }
}

fn read_only(request: &Request) -> Result<(), Failure> {
    match *request.method() {
        Method::GET | Method::HEAD => Ok(()),
        _ => Err(Failure::method_not_allowed(request.method().as_str(), "GET, HEAD")),
    }
}

fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn ms(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Faults of ours are errors; refused changes are worth knowing; all other refusals are routine.
fn log_failure(failure: &Failure, method: &Method, path: &str, began: Instant) {
    let (code, path, duration_ms) = (failure.code().name, loggable(path), ms(began));
    let cause = failure.cause.as_deref().unwrap_or("");
    let changes = !matches!(*method, Method::GET | Method::HEAD);
    match failure.code().class {
        Class::Internal | Class::BadGateway | Class::GatewayTimeout | Class::Unavailable | Class::StorageFull => {
            tracing::error!(error.code = code, http.path = %path, duration_ms, cause, "{failure}");
        }
        Class::Unauthorized | Class::Forbidden if changes => {
            tracing::info!(error.code = code, http.path = %path, duration_ms, "{failure}");
        }
        _ => tracing::debug!(error.code = code, http.path = %path, duration_ms, "{failure}"),
    }
}

/// A path fit for a log line: escaped, cut, and without anything that looks like a token.
fn loggable(path: &str) -> String {
    if keeper_core::identity::TokenSecret::occurs_in(path) {
        return "[holds a token]".to_owned();
    }
    path.chars().take(256).flat_map(char::escape_debug).collect()
}
