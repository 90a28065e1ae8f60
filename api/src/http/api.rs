//! The generic API below `/api`, described to OpenAPI by poem-openapi.

mod artifacts;
mod audit;
mod caller;
mod cursor;
mod explain;
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
mod quotas;
mod repositories;
mod retention;
mod revision;
mod session;
mod similar;
mod size;
mod status;
mod tokens;
mod upload;
mod upstreams;
mod users;
mod views;

use std::sync::Arc;

use keeper_core::error::{Class, Failure, codes};
use poem::endpoint::{DynEndpoint, EndpointExt as _, ToDynEndpoint};
use poem::{Request, Response, Route};
use poem_openapi::{LicenseObject, OpenApiService, ServerObject, Tags};

use super::App;
use super::error::from_poem;
use super::request::excludes_json;
use crate::server::body::Pace;

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
    { artifacts::Artifacts, files::Files, packages::Packages, repositories::Repositories }
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
    service.spec() + "\n"
}

/// What all calls of the API must hold. Afterwards the body is bounded: read whole, or the upload's own.
pub(super) async fn check(request: &mut Request, pace: Pace) -> Result<(), Failure> {
    let path = request.original_uri().path();
    keeper_core::path::segments(path)
        .map_err(|fault| Failure::new(&codes::INVALID_PATH, format!("the path holds {fault}")))?;
    if excludes_json(request.headers()) {
        return Err(Failure::new(&codes::NOT_ACCEPTABLE, codes::NOT_ACCEPTABLE.title));
    }
    json_body::collect(request, pace).await
}

/// The methods of each address below `/api`. poem knows them and does not say.
const METHODS: &[(&str, &str)] = &[
    ("/artifacts", "GET, HEAD, POST"),
    ("/artifacts/{id}", "GET, HEAD, PATCH, DELETE"),
    ("/artifacts/{id}/contents", "GET, HEAD"),
    ("/artifacts/{id}/files", "GET, HEAD"),
    ("/artifacts/{id}/files/{file}", "GET, HEAD"),
    ("/artifacts/{id}/readme", "GET, HEAD"),
    ("/audit", "GET, HEAD"),
    ("/audit/export", "GET, HEAD"),
    ("/audit/verification", "GET, HEAD"),
    ("/doctor", "POST"),
    ("/explain", "GET, HEAD"),
    ("/formats", "GET, HEAD"),
    ("/grants", "GET, HEAD, POST"),
    ("/grants/{id}", "DELETE"),
    ("/groups", "GET, HEAD, POST"),
    ("/groups/{name}", "GET, HEAD, PATCH, DELETE"),
    ("/groups/{name}/members", "GET, HEAD"),
    ("/groups/{name}/members/{login}", "PUT, DELETE"),
    ("/me", "GET, HEAD"),
    ("/me/password", "PUT"),
    ("/me/sessions", "GET, HEAD"),
    ("/me/sessions/{id}", "DELETE"),
    ("/packages", "GET, HEAD"),
    ("/packages/{id}", "GET, HEAD"),
    ("/packages/{id}/dependents", "GET, HEAD"),
    ("/packages/{id}/versions", "GET, HEAD"),
    ("/repositories", "GET, HEAD, POST"),
    ("/repositories/{format}/{name}", "GET, HEAD, PATCH, DELETE"),
    ("/repositories/{format}/{name}/quota", "GET, HEAD, PUT"),
    ("/repositories/{format}/{name}/refresh", "POST"),
    ("/repositories/{format}/{name}/retention", "GET, HEAD, PUT"),
    ("/repositories/{format}/{name}/setup", "GET, HEAD"),
    ("/search", "GET, HEAD"),
    ("/session", "POST, DELETE"),
    ("/status", "GET, HEAD"),
    ("/tokens", "GET, HEAD, POST"),
    ("/tokens/{id}", "GET, HEAD, DELETE"),
    ("/users", "GET, HEAD, POST"),
    ("/users/{login}", "GET, HEAD, PATCH, DELETE"),
];

/// What poem and the handlers report at this address.
pub(super) fn failure(error: poem::Error, path: &str) -> Failure {
    let mut failure = from_poem(error);
    if failure.code().class == Class::MethodNotAllowed {
        failure.allow = failure.allow.or_else(|| methods(path));
    }
    failure
}

fn methods(path: &str) -> Option<&'static str> {
    let asked: Vec<_> = path.strip_prefix("/api")?.split('/').collect();
    let fits = |template: &str| {
        let parts: Vec<_> = template.split('/').collect();
        parts.len() == asked.len()
            && parts.iter().zip(&asked).all(|(part, asked)| part.starts_with('{') || part == asked)
    };
    METHODS.iter().find(|(template, _)| fits(template)).map(|(_, allow)| *allow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_methods_are_those_of_the_document() {
        let document: serde_json::Value = serde_json::from_str(&openapi()).expect("JSON");
        let described = document["paths"].as_object().expect("paths").iter().map(|(path, operations)| {
            let methods = operations.as_object().expect("operations").keys().map(|method| method.to_ascii_uppercase());
            let mut methods: Vec<_> = methods.collect();
            // poem answers HEAD wherever it answers GET.
            methods.extend(methods.contains(&"GET".to_owned()).then(|| "HEAD".to_owned()));
            methods.sort();
            (path.clone(), methods)
        });
        let known = METHODS.iter().map(|(path, allow)| {
            let mut methods: Vec<_> = allow.split(", ").map(str::to_owned).collect();
            methods.sort();
            ((*path).to_owned(), methods)
        });
        assert_eq!(known.collect::<Vec<_>>(), described.collect::<Vec<_>>());
        assert_eq!(methods("/api/artifacts/1"), Some("GET, HEAD, PATCH, DELETE"));
        assert_eq!(methods("/api/artifacts/1/2"), None);
    }
}
