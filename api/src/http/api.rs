//! The generic API below `/api`, described to OpenAPI by poem-openapi.

pub mod admission;
mod artifacts;
mod caller;
mod cursor;
mod form;
mod repositories;
mod shared_body;
mod upload;
mod views;

use std::sync::Arc;

use keeper_core::error::Failure;
use keeper_core::error::codes;
use poem::endpoint::{DynEndpoint, EndpointExt as _, ToDynEndpoint};
use poem::{Request, Response, Route};
use poem_openapi::{LicenseObject, OpenApiService, ServerObject, Tags};

use super::App;
use super::request::excludes_json;

/// Groups of operations.
#[derive(Tags)]
enum Group {
    /// Versions of packages: publish, list, read, delete.
    Artifacts,
    /// The places that hold them: create, list, read, change.
    Repositories,
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

type Operations = (artifacts::Artifacts, repositories::Repositories);

fn service() -> OpenApiService<Operations, ()> {
    OpenApiService::new((artifacts::Artifacts, repositories::Repositories), "Artifact Keeper", env!("CARGO_PKG_VERSION"))
        .description(
            "Publish, find and administer artifacts. Lists take `limit` and `cursor`; errors are problem documents \
             with a stable `code`; times are RFC 3339 in UTC.",
        )
        .license(LicenseObject::new("Apache-2.0").url("https://www.apache.org/licenses/LICENSE-2.0"))
        .server(ServerObject::new("/api"))
}

/// The document with a line end, as it is committed.
fn document(service: &OpenApiService<Operations, ()>) -> String {
    service.spec() + "\n"
}

/// What all calls of the API must hold.
pub(super) fn check(request: &Request) -> Result<(), Failure> {
    let path = request.original_uri().path();
    keeper_core::path::segments(path)
        .map_err(|fault| Failure::new(&codes::INVALID_PATH, format!("the path holds {fault}")))?;
    if excludes_json(request.headers()) {
        return Err(Failure::new(&codes::NOT_ACCEPTABLE, codes::NOT_ACCEPTABLE.title));
    }
    Ok(())
}
