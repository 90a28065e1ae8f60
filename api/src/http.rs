//! HTTP: the whole route table, and what every request passes.
//!
//! | path | who answers |
//! |---|---|
//! | `/livez`, `/readyz` | [`health`] |
//! | `/metrics` | [`metrics`], for administrators and a configured network |
//! | `/api/openapi.json`, `/api/docs` | [`pages`]: the generated document and a page to read it |
//! | `/api/…` | [`api`]: JSON, errors as problem documents |
//! | `/{format}/{repository}/…` | [`formats`]: the ecosystem's protocol, errors as plain text |
//! | everything else | [`pages`]: the web UI |
//!
//! Order: id and span → framing, host and target → credentials → route. Errors become answers in one place,
//! whatever their origin; a panic becomes `internal`.

mod admission;
pub mod api;
mod authenticate;
mod cookie;
mod denied;
mod disposition;
mod error;
mod exposure;
mod form;
mod formats;
mod health;
mod markdown;
mod metrics;
mod native_write;
mod origin;
mod pages;
mod problem;
mod ranges;
mod redirect;
mod request;
mod response;
mod shared_body;
mod stated_digest;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;
use http::header::{REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Method, Uri};
use jiff::{SignedDuration, Timestamp};
use keeper_core::access::Principal;
use keeper_core::audit::Denials;
use keeper_core::error::{Class, Failure, codes};
use keeper_core::pipeline::Keeper;
use keeper_core::redaction::redact;
use poem::{Endpoint, Request, Response};
use tracing::Span;

pub use admission::{Admission, Rates, Turn, UploadBounds};
pub use authenticate::{Asked, Authenticator};
pub use error::Refused;
pub(crate) use error::status as status_of;
pub use exposure::Exposure;
pub use health::{Health, WriterAlive};
pub use metrics::Scrape;
pub use redirect::Redirect;
pub use request::{Front, HostRule, RequestFacts};

use crate::archive::Archives;
use crate::clock::Clock;
use crate::status::Status;
use crate::upstream::{GuardedClient, OwnAddress, Vault};
use error::{Shape, answer};
use metrics::{RequestMetrics, RouteClass};

use crate::sign_in::SignIn;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static X_TOKEN_EXPIRES: HeaderName = HeaderName::from_static("x-token-expires");

/// The end of a token is told so long before.
const TOKEN_WARNING: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What the routes need.
pub struct App {
    /// The services.
    pub keeper: Arc<Keeper>,
    /// Says when tokens and sessions end.
    pub clock: Arc<Clock>,
    /// Recognises callers.
    pub authenticator: Authenticator,
    /// Judges passwords.
    pub sign_in: SignIn,
    /// How this server is known outside.
    pub front: Front,
    /// The probes.
    pub health: Arc<Health>,
    /// Looks into stored archives.
    pub archives: Archives,
    /// Bounds of uploads.
    pub admission: Arc<Admission>,
    /// Bounds of requests.
    pub rates: Rates,
    /// What the server can say of itself.
    pub status: Arc<Status>,
    /// The way out, for the addresses that are to be reached.
    pub network: GuardedClient,
    /// The credentials of upstreams.
    pub vault: Arc<Vault>,
    /// Where this server itself is.
    pub own_address: OwnAddress,
    /// Refusals on their way to the audit.
    pub denials: Arc<Denials>,
    /// Judges tokens that others could read.
    pub exposure: Exposure,
    /// What `/metrics` shows.
    pub scrape: Scrape,
}

/// The app as poem runs it.
pub struct Routes {
    app: Arc<App>,
    api: Box<dyn poem::endpoint::DynEndpoint<Output = Response>>,
    openapi: String,
    addresses: api::Addresses,
    first_segments: Vec<String>,
    ui: pages::Ui,
    metrics: RequestMetrics,
}

impl Routes {
    /// The whole route table over these services.
    #[must_use]
    pub fn new(app: App) -> Self {
        let app = Arc::new(app);
        let formats: Vec<_> = app.keeper.ports().registry.iter().map(|(key, _)| key.to_string()).collect();
        let metrics = RequestMetrics::new(formats.iter().cloned());
        let first_segments = formats.into_iter().chain(["api".to_owned()]).collect();
        let ui = pages::Ui::new(app.front.public_url.as_deref());
        let (api, openapi) = api::routes(app.clone());
        let addresses = api::Addresses::of(&openapi);
        Self { app, api, openapi, addresses, first_segments, ui, metrics }
    }

    /// The answer, and what it was asked for as far as only the answer tells.
    async fn route(&self, who: &Principal, mut request: Request, facts: &RequestFacts) -> Answered {
        let uri = request.original_uri().clone();
        let path = uri.path();
        let first = first_segment(path);
        let response = match first {
            "livez" if path == "/livez" => read_only(&request).map(|()| self.app.health.live()),
            "readyz" if path == "/readyz" => {
                read_only(&request)?;
                let needs_writes =
                    uri.query().is_some_and(|query| query.split('&').any(|one| one == "writes=required"));
                Ok(self.app.health.ready(&self.app.keeper, needs_writes).await)
            }
            "metrics" if path == "/metrics" => {
                read_only(&request)?;
                self.app.metrics(who, facts).await.map(no_store)
            }
            "api" if path == "/api/openapi.json" => {
                read_only(&request)?;
                self.app.front.open_documents(who)?;
                let response = Response::builder().content_type("application/json").body(self.openapi.clone());
                Ok(no_store(response))
            }
            "api" => match pages::docs(path) {
                Some(page) => {
                    read_only(&request)?;
                    self.app.front.open_documents(who).map(|()| page)
                }
                None => {
                    let method = request.method().clone();
                    // On the heap, so that the many small reads do not carry the room for this.
                    Box::pin(api::check(&mut request, self.app.admission.pace, &self.addresses)).await?;
                    request.extensions_mut().insert(who.clone());
                    request.extensions_mut().insert(facts.clone());
                    let answered = self.api.call(request).await.map(no_store);
                    answered.map_err(|error| api::failure(error, &method, path, &self.addresses))
                }
            },
            _ => match self.app.keeper.ports().registry.find(first) {
                Some((format, handler)) => {
                    let answered = self.app.native(format, handler, who, request, facts).await;
                    return answered.map(|(kind, response)| (Some(kind.into()), response));
                }
                None => self.ui.answer(&request, path, &self.first_segments),
            },
        };
        response.map(|response| (None, response))
    }

    /// What an address is of, when its answer does not say more.
    fn class_of(&self, first: &str) -> RouteClass {
        match first {
            "livez" | "readyz" | "metrics" => RouteClass::Probe,
            "api" => RouteClass::Api,
            _ if self.first_segments.iter().any(|format| format == first) => RouteClass::Refused,
            _ => RouteClass::Ui,
        }
    }

    /// The answer, and who is asking as far as that is known.
    async fn answered(&self, request: Request, facts: &RequestFacts, span: &Span) -> (Principal, Answered) {
        let asked = Asked {
            method: request.method(),
            path: request.original_uri().path(),
            headers: request.headers(),
            facts,
            public_documents: self.app.front.public_documents,
        };
        let who = match self.app.authenticator.principal(&asked).await {
            Ok(who) => who,
            Err(failure) => return (Principal::Anonymous, Err(self.with_hint_of_format(failure, &request, facts))),
        };
        span.record("principal.name", who.login());
        if let Err(failure) = self.app.rates.count(&who) {
            return (who, Err(failure));
        }
        let ends = ends_soon(&who, self.app.clock.now());
        let result = AssertUnwindSafe(self.route(&who, request, facts)).catch_unwind().await;
        let panicked = || Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by("a handler panicked");
        let answered = result.unwrap_or_else(|_panic| Err(panicked())).map(|(class, mut response)| {
            response.headers_mut().extend(ends.map(|ends| (X_TOKEN_EXPIRES.clone(), ends)));
            (class, response)
        });
        let answered = answered.map_err(|failure| self.unless_gone(failure));
        (who, answered)
    }

    /// Trouble is no absence: while the data folder is gone, nobody is told that something is not there.
    fn unless_gone(&self, failure: Failure) -> Failure {
        let is_absence = matches!(failure.code().class, Class::NotFound | Class::Gone);
        if is_absence && self.app.health.knows_nothing() {
            let trouble = &codes::STORAGE_UNAVAILABLE;
            return Failure::new(trouble, trouble.title).caused_by("the data folder is gone").retry_after(30);
        }
        failure
    }

    /// A refused credential on a format's path says how that ecosystem's client sends a right one.
    fn with_hint_of_format(&self, failure: Failure, request: &Request, facts: &RequestFacts) -> Failure {
        let first = first_segment(request.original_uri().path());
        let registry = &self.app.keeper.ports().registry;
        match registry.find(first) {
            Some((_, handler)) => formats::with_login_hint(failure, handler, facts),
            None => failure,
        }
    }

    /// The format and `format/name` of an address that names a repository.
    fn repository_of<'a>(&self, path: &'a str) -> Option<(&'a str, &'a str)> {
        let name = denied::repository(path, &self.first_segments)?;
        Some((name.split('/').next().unwrap_or(name), name))
    }

    /// Faults of ours are errors; refused changes are worth knowing; all other refusals are routine.
    fn log_failure(&self, failure: &Failure, method: &Method, path: &str, began: Instant) {
        let (code, duration_ms, repository) = (failure.code().name, ms(began), self.repository_of(path));
        let (format, repository) = (repository.map(|(format, _)| format), repository.map(|(_, name)| name));
        let cause = failure.cause.as_deref().unwrap_or("");
        let changes = !matches!(*method, Method::GET | Method::HEAD);
        macro_rules! log {
            ($level:ident $(, $more:ident)*) => {
                tracing::$level!(
                    error.code = code, http.path = %loggable(path), format.key = format, repository.name = repository,
                    duration_ms, $($more,)* "{failure}"
                )
            };
        }
        match failure.code().class {
            Class::Internal | Class::BadGateway | Class::GatewayTimeout | Class::Unavailable | Class::StorageFull => {
                log!(error, cause);
            }
            Class::Unauthorized | Class::Forbidden if changes => log!(info),
            _ => log!(debug),
        }
    }

    fn log_answer(&self, response: &Response, path: &str, began: Instant) {
        if !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let repository = self.repository_of(path);
        tracing::debug!(
            http.path = %loggable(path), format.key = repository.map(|(format, _)| format),
            repository.name = repository.map(|(_, name)| name), status = response.status().as_u16(),
            duration_ms = ms(began), "answered"
        );
    }

    fn finish(&self, response: Response, facts: &RequestFacts, shape: Shape) -> Response {
        let mut response = with_guards(response, facts, shape);
        if facts.https && self.app.front.public_url.is_some() {
            response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        response
    }
}

/// What every answer carries: the request's id, and what browsers shall not do with it.
fn with_guards(mut response: Response, facts: &RequestFacts, shape: Shape) -> Response {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(facts.id.as_str()) {
        headers.insert(&X_REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if shape == Shape::Api {
        pages::guard_api(headers);
    }
    response
}

/// A refusal, after a token in the address was dealt with.
async fn exposed(exposure: &Exposure, failure: Failure, uri: &Uri, facts: &RequestFacts) -> Failure {
    if failure.code() != &codes::TOKEN_IN_URL {
        return failure;
    }
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    exposure.judge(failure, target, facts).await
}

/// A response with its class, if that is known.
type Answered = Result<(Option<RouteClass>, Response), Failure>;

impl Endpoint for Routes {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let began = Instant::now();
        let in_flight = self.metrics.begin(began);
        let id = request::new_id();
        let (method, uri) = (request.method().clone(), request.original_uri().clone());
        let path = uri.path();
        let first = first_segment(path);
        let is_read = matches!(method, Method::GET | Method::HEAD);
        if !is_read {
            let body = self.metrics.count_received(request.take_body());
            request.set_body(body);
        }
        let shape = Shape::of(path);
        let speaks = !is_read || tracing::enabled!(tracing::Level::DEBUG);
        let mut span = if speaks { span_of(&id, &method) } else { Span::none() };
        let (facts, (who, result)) = match self.app.front.examine(&request, id) {
            Ok(facts) => {
                let answered = self.answered(request, &facts, &span);
                let result = tracing::Instrument::instrument(answered, span.clone()).await;
                (facts, result)
            }
            Err(refused) => {
                let (facts, failure) = *refused;
                let failure = exposed(&self.app.exposure, failure, &uri, &facts).await;
                (facts, (Principal::Anonymous, Err(failure)))
            }
        };
        let mut class = self.class_of(first);
        let response = match result {
            Ok((known, response)) => {
                class = known.unwrap_or(class);
                span.in_scope(|| self.log_answer(&response, path, began));
                response
            }
            Err(failure) => {
                if !speaks {
                    span = span_of(&facts.id, &method);
                    span.record("principal.name", who.login());
                }
                span.in_scope(|| self.log_failure(&failure, &method, path, began));
                self.note_denial(&failure, &who, &method, path, &facts);
                answer(&failure, shape, &facts.id)
            }
        };
        let mut response = self.finish(response, &facts, shape);
        self.metrics.answered(first, class, in_flight, &mut response);
        Ok(response)
    }
}

/// What the lines of a request have in common. A read that goes well has none, and its span would be an eighth of
/// what it costs; so it gets one only when it fails, or for those who want to see everything.
fn span_of(id: &str, method: &Method) -> Span {
    tracing::info_span!("request", request.id = id, http.method = %method, principal.name = tracing::field::Empty)
}

/// When the caller's token ends, if that is soon.
fn ends_soon(who: &Principal, now: Timestamp) -> Option<HeaderValue> {
    let Principal::User(user) = who else { return None };
    let end = user.scope_expires_at().filter(|end| *end < now + TOKEN_WARNING)?;
    HeaderValue::try_from(end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()).ok()
}

/// What decides who answers.
fn first_segment(path: &str) -> &str {
    path.split('/').nth(1).unwrap_or("")
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

/// A path fit for a log line: escaped, cut, and without anything that looks like a token.
fn loggable(path: &str) -> String {
    redact(path).chars().take(256).flat_map(char::escape_debug).collect()
}
