//! What a request asks for.
//!
//! | request | is |
//! |---|---|
//! | `GET /` | the packages, `?after=NAME` for the next ones |
//! | `GET /{name}/` | the versions of a package |
//! | `GET /{name}/{version}/` | the files of a version |
//! | `GET /{name}/{version}/{path}` | a file |
//! | `PUT /{name}/{version}/{path}` | publishes a file |
//! | `DELETE /{name}/{version}/` | deletes a version |
//!
//! Folders are asked for with or without their slash; a version without one is a folder, too, since files lie
//! one level below. `Accept` chooses between text, JSON and HTML.

use std::collections::BTreeMap;

use keeper_core::access::Action;
use keeper_core::artifact::Coordinate;
use keeper_core::error::{Failure, Problem, codes};
use keeper_core::format::{Change, FormatRequest, IndexKey, Intake, MaxAge, Route, UploadBody, Want};
use keeper_core::path::{segment, segments};

use crate::listing::{PACKAGES, Shape, VERSION_FILES, VERSIONS};
use crate::{PATH_FIELD, names};

/// The one change.
const DELETE: &str = "delete";

/// Understands a request.
///
/// # Errors
/// 404 for addresses that cannot be, 405 for what cannot be done with one.
pub fn route(request: &FormatRequest<'_>) -> Result<Route, Failure> {
    let folder = request.path.ends_with('/');
    let parts = segments(request.path.strip_suffix('/').unwrap_or(request.path));
    let parts = parts.map_err(|fault| Failure::new(&codes::NOT_FOUND, format!("the path holds {fault}")))?;
    let parts: Vec<&str> = parts.iter().map(|part| &**part).collect();
    match (request.verb, parts.as_slice()) {
        ("GET", []) => index(None, PACKAGES, after(request.query)?, request),
        ("GET", [name]) => index(Some(name), VERSIONS, String::new(), request),
        ("GET", [name, version]) => index(Some(name), VERSION_FILES, (*version).to_owned(), request),
        ("GET", [name, version, path @ ..]) if !folder => file(name, version, &path.join("/")),
        ("PUT", [name, version, path @ ..]) if !folder && !path.is_empty() => {
            Ok(upload(name, version, &path.join("/")))
        }
        ("DELETE", [name, version]) => deletion_of(name, version),
        ("GET", _) => Err(Failure::new(&codes::NOT_FOUND, "only the address of a version lists files")),
        (verb, [_, _]) => Err(Failure::method_not_allowed(verb, "GET, HEAD, DELETE")),
        (verb, [_, _, _, ..]) => Err(Failure::method_not_allowed(verb, "GET, HEAD, PUT")),
        (verb, _) => Err(Failure::method_not_allowed(verb, "GET, HEAD")),
    }
}

/// The version that a `DELETE` names.
///
/// # Errors
/// When the route is not one of this file.
pub(crate) fn deletion(route: &Route) -> Result<Change, Failure> {
    let foreign = || Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by("a change of another format");
    let (Some(package), Want::Change { key: IndexKey { kind: DELETE, subject }, .. }) = (&route.package, &route.want)
    else {
        return Err(foreign());
    };
    let version = names::version(subject).map_err(|_| foreign())?;
    Ok(Change::Delete { target: Coordinate { package: package.clone(), version } })
}

/// A name that could never be published is that of nothing.
fn unknown(problem: Problem) -> Failure {
    Failure::new(&codes::NOT_FOUND, problem.detail)
}

fn coordinate(name: &str, version: &str) -> Result<Coordinate, Failure> {
    Ok(Coordinate {
        package: names::package(name).map_err(unknown)?,
        version: names::version(version).map_err(unknown)?,
    })
}

fn index(
    name: Option<&&str>,
    kind: &'static str,
    about: String,
    request: &FormatRequest<'_>,
) -> Result<Route, Failure> {
    let package = name.map(|name| names::package(name)).transpose().map_err(unknown)?;
    let shape = Shape::of(request.header("accept").unwrap_or_default());
    let subject = format!("{}:{about}", shape.as_str());
    Ok(Route { package, ..reading(Want::Index(IndexKey { kind, subject }), MaxAge::Revalidate) })
}

fn file(name: &str, version: &str, path: &str) -> Result<Route, Failure> {
    let coordinate = coordinate(name, version)?;
    let path = names::file(path).and_then(|path| names::address(&coordinate, path)).map_err(unknown)?;
    let package = Some(coordinate.package.clone());
    Ok(Route { package, ..reading(Want::File { path, coordinate }, MaxAge::Immutable) })
}

fn reading(want: Want, max_age: MaxAge) -> Route {
    // What is absent may be there the next moment: a version gets its files one by one.
    Route { action: Action::Read, package: None, max_age, absent_max_age: MaxAge::NoStore, stored_only: false, want }
}

/// Names are judged with the upload, so that all faults are told at once.
fn upload(name: &str, version: &str, path: &str) -> Route {
    let fields = BTreeMap::from([(PATH_FIELD.to_owned(), path.to_owned())]);
    let (name, version) = (Some(name.to_owned()), Some(version.to_owned()));
    let intake = Intake { name, version, fields, body: UploadBody::Raw };
    Route { action: Action::Publish, ..reading(Want::Upload(intake), MaxAge::NoStore) }
}

fn deletion_of(name: &str, version: &str) -> Result<Route, Failure> {
    let Coordinate { package, version } = coordinate(name, version)?;
    let key = IndexKey { kind: DELETE, subject: version.to_string() };
    let change = reading(Want::Change { key, body_limit_bytes: 0 }, MaxAge::NoStore);
    Ok(Route { action: Action::Delete, package: Some(package), ..change })
}

/// The package after which a listing goes on.
fn after(query: &str) -> Result<String, Failure> {
    let given = query.split('&').find_map(|pair| pair.strip_prefix("after="));
    let bad = || Failure::new(&codes::INVALID_FIELD, "after is the name of a package").field("after");
    given.map_or(Ok(String::new()), |name| segment(name).map(|name| name.into_owned()).map_err(|_| bad()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(
        verb: &'a str,
        path: &'a str,
        query: &'a str,
        headers: &'a [(&'static str, &'a str)],
    ) -> FormatRequest<'a> {
        FormatRequest { verb, path, query, headers, repository_url: "https://h/generic/r" }
    }

    fn shown(verb: &str, path: &str, query: &str) -> Result<String, &'static str> {
        let route = route(&request(verb, path, query, &[])).map_err(|failure| failure.code().name)?;
        let action = route.action.as_str();
        Ok(match route.want.clone() {
            Want::File { path, coordinate } => format!("{action} file {path} of {coordinate}"),
            Want::Index(IndexKey { kind, subject }) => format!("{action} {kind} {subject}"),
            Want::Upload(Intake { name, version, fields, .. }) => {
                format!("{action} {} {} {}", name.unwrap_or_default(), version.unwrap_or_default(), fields[PATH_FIELD])
            }
            Want::Change { .. } => {
                let Change::Delete { target } = deletion(&route).expect("a deletion") else { panic!("the one change") };
                format!("{action} {target}")
            }
            Want::Page(_) => panic!("there are no pages"),
        })
    }

    #[test]
    fn every_address_has_its_meaning() {
        let rows = [
            ("GET", "", "", Ok("read packages text:")),
            ("GET", "/", "after=a.b", Ok("read packages text:a.b")),
            ("GET", "/", "after=%2e%2e", Err("invalid_field")),
            ("GET", "/tool", "", Ok("read versions text:")),
            ("GET", "/tool/", "", Ok("read versions text:")),
            ("GET", "/tool/1.2", "", Ok("read files text:1.2")),
            ("GET", "/tool/1.2/", "", Ok("read files text:1.2")),
            ("GET", "/tool/1.2/a/b%20c.txt", "", Ok("read file tool/1.2/a/b c.txt of tool@1.2")),
            ("GET", "/tool/1.2/a/", "", Err("not_found")),
            ("GET", "/.tool/1.2/a", "", Err("not_found")),
            ("GET", "/tool/1.2/a%2Fb", "", Err("not_found")),
            ("GET", "/tool//a", "", Err("not_found")),
            ("PUT", "/tool/1.2/a/b", "", Ok("publish tool 1.2 a/b")),
            ("PUT", "/.tool/1.2/a", "", Ok("publish .tool 1.2 a")),
            ("PUT", "/tool/1.2", "", Err("method_not_allowed")),
            ("PUT", "/tool/1.2/a/", "", Err("method_not_allowed")),
            ("DELETE", "/tool/1.2/", "", Ok("delete tool@1.2")),
            ("DELETE", "/tool/1.2/a", "", Err("method_not_allowed")),
            ("POST", "/", "", Err("method_not_allowed")),
        ];
        for (verb, path, query, expected) in rows {
            assert_eq!(shown(verb, path, query), expected.map(str::to_owned), "{verb} {path}?{query}");
        }
    }

    #[test]
    fn accept_chooses_the_shape_of_a_listing() {
        for (accept, subject) in [("application/json", "json:"), ("text/html,*/*;q=0.8", "html:"), ("*/*", "text:")] {
            let headers = [("accept", accept)];
            let Want::Index(key) = route(&request("GET", "/", "", &headers)).expect("a route").want else {
                panic!("an index")
            };
            assert_eq!(key.subject, subject);
        }
    }
}
