//! The generic API below `/api`, described to OpenAPI by poem-openapi.

mod addresses;
mod artifacts;
mod audit;
mod caller;
mod cursor;
mod document;
mod explain;
mod fault;
mod files;
mod formats;
mod grants;
mod groups;
mod help;
mod json_body;
mod listing;
mod me;
mod package_views;
mod packages;
mod paging;
mod provenance;
mod quotas;
mod repositories;
mod retention;
mod revision;
mod search_text;
mod session;
mod shape;
mod similar;
mod size;
mod status;
mod strict_json;
mod tokens;
mod upload;
mod upstreams;
mod users;
mod views;

use std::sync::Arc;

use keeper_core::error::{Class, Failure, codes};
use poem::endpoint::{DynEndpoint, EndpointExt as _, ToDynEndpoint};
use poem::http::Method;
use poem::{Request, Response, Route};
use poem_openapi::{LicenseObject, OpenApiService, ServerObject, Tags};

use super::App;
use super::request::excludes_json;
use crate::server::body::Pace;
use addresses::Operation;

pub(super) use addresses::Addresses;

/// Groups of operations.
#[derive(Tags)]
enum Group {
    /// Versions of packages: publish, list, read, change, delete.
    Artifacts,
    /// What versions belong to: list, search, who needs whom.
    Packages,
    /// The places that hold them: create, list, read, change.
    Repositories,
    /// The ecosystems that are served, how their clients are set up, and why they get what they get.
    Clients,
    /// Who did what: list, export, verify.
    Audit,
    /// The server itself.
    Instance,
    /// Who may come in and do what: sessions, users, groups, grants, tokens.
    Access,
}

/// The endpoint of the API and its document, in pretty JSON.
pub(super) fn routes(app: Arc<App>) -> (Box<dyn DynEndpoint<Output = Response>>, String) {
    let service = service();
    let document = document(&service);
    let endpoint = Route::new().nest("/api", service).data(app).map_to_response();
    (Box::new(ToDynEndpoint(endpoint)), document)
}

/// The OpenAPI document, without a running server.
#[must_use]
pub fn openapi() -> String {
    document(&service())
}

/// Names each group of operations once: they are values of types of the same names. In families, for a tuple
/// holds sixteen at most.
macro_rules! operations {
    ($({ $($module:ident::$group:ident),+ $(,)? })+) => {
        type Operations = ($(($($module::$group,)+),)+);
        const OPERATIONS: Operations = ($(($($module::$group,)+),)+);
    };
}
operations! {
    { artifacts::Artifacts, files::Files, provenance::Origins, packages::Packages, repositories::Repositories }
    { formats::Formats, help::Help, explain::Explain }
    { quotas::Quotas, retention::Retention, status::Status, audit::Audit }
    { session::Sessions, me::Me, tokens::Tokens, users::Users, groups::Groups, grants::Grants }
}

fn service() -> OpenApiService<Operations, ()> {
    OpenApiService::new(OPERATIONS, "Artifact Keeper", env!("CARGO_PKG_VERSION"))
        .description(
            "Publish, find and administer artifacts. Lists take `limit` and `cursor`; errors are problem documents \
             with a stable `code`; times are RFC 3339 in UTC.",
        )
        .license(LicenseObject::new("Apache-2.0").url("https://www.apache.org/licenses/LICENSE-2.0"))
        .server(ServerObject::new("/api"))
}

/// The document with a line end, as it is committed.
fn document(service: &OpenApiService<Operations, ()>) -> String {
    document::complete(&service.spec())
}

/// What all calls of the API must hold. Afterwards the body is bounded: read whole, or the upload's own.
pub(super) async fn check(request: &mut Request, pace: Pace, addresses: &Addresses) -> Result<(), Failure> {
    let path = request.original_uri().path();
    keeper_core::path::segments(path)
        .map_err(|fault| Failure::new(&codes::INVALID_PATH, format!("the path holds {fault}")))?;
    let operation = addresses.operation(request.method(), path);
    if excludes_json(request.headers()) && !operation.is_some_and(Operation::is_download) {
        return Err(Failure::new(&codes::NOT_ACCEPTABLE, codes::NOT_ACCEPTABLE.title));
    }
    if let Some(operation) = operation {
        operation.check_query(request.original_uri().query().unwrap_or_default())?;
    }
    json_body::collect(request, pace, operation).await
}

/// What poem and the handlers report at this address.
pub(super) fn failure(error: poem::Error, method: &Method, path: &str, addresses: &Addresses) -> Failure {
    let mut failure = fault::of(error, addresses.operation(method, path));
    if failure.code().class == Class::MethodNotAllowed && failure.allow.is_none() {
        failure.allow = addresses.methods(path).map(|allow| allow.to_owned().into());
    }
    failure
}
