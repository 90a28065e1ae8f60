//! What a request asks for: the table of endpoints. Pure: the repository is not looked at.
//!
//! ```text
//! below /go/{repository}                     wanted            believed        its absence
//! (nothing) and /                            page HELP         ask each time
//! ?go-get=1 on a path without @ or sumdb     page GO_GET       ask each time
//! /sumdb/{database}/…                        page SUMDB        see crate::sumdb
//! /{module}/@v/list                          index LIST        ask each time   not kept
//! /{module}/@latest                          index LATEST      ask each time   not kept
//! /{module}/@v/{canonical version}.info      file              one day         one minute
//! /{module}/@v/{canonical version}.mod .zip  file              for ever        one minute
//! /{module}/@v/{revision}.info               index REVISION    ask each time   not kept
//! /cached-only/…                             the same as without it, of what is stored alone
//! ```
//!
//! The header `Disable-Module-Fetch: true` means the same as `/cached-only/`: no upstream is asked.
//!
//! `{module}` and what stands before the extension are escaped: `github.com/!azure/m`, `v1.0.0-!r!c1`. A
//! revision is a branch, a tag or a commit; `latest`, `v1`, `v1.0.0+meta` and `>=v1` are none, since the
//! client resolves them from the list. A stored file is addressed in the escaped spelling, without `%21`.
//!
//! Errors: 405 for another verb; 404 for everything else, however odd, since the `go` command asks for each
//! prefix of an import path and stops at any other answer.
//! Sources: <https://go.dev/ref/mod#goproxy-protocol>.

use keeper_core::access::Action;
use keeper_core::artifact::{Coordinate, FilePath, PackageName, VersionName};
use keeper_core::error::Failure;
use keeper_core::format::{FormatRequest, IndexKey, MaxAge, Route, Want};
use keeper_core::path::segments;

use crate::absent;
use crate::path::{ModulePath, escape_version, unescape_version};
use crate::version::{GoVersion, VersionFault};

/// The versions of a module, one per line.
pub const LIST: &str = "list";
/// The `.info` of the version that "latest" means.
pub const LATEST: &str = "latest";
/// The `.info` of the version that a branch, tag or commit means; the subject is its name.
pub const REVISION: &str = "revision";
/// A document of the checksum database; the subject is the decoded path after `/sumdb/`.
pub const SUMDB: &str = "sumdb";
/// The text of the repository's own address, which is the subject.
pub const HELP: &str = "help";
/// The page that leads `go get` from an import path to this repository, whose address is the subject.
pub const GO_GET: &str = "go-get";

/// The header by which a client asks for stored things alone.
pub const DISABLE_MODULE_FETCH: &str = "disable-module-fetch";

/// The verbs of every address; the platform answers `HEAD` from `GET`.
const VERBS: &str = "GET, HEAD";

/// Seconds for which a canonical `.info` is believed: its bytes never change, but it is what a mistaken
/// deletion should reach soon.
const INFO_SECONDS: u32 = 24 * 60 * 60;

/// Seconds for which the absence of a version is believed: it may be published any moment.
const ABSENT_SECONDS: u32 = 60;

/// What a request asks for.
///
/// # Errors
/// `method_not_allowed`; `module_not_found`, `version_not_found` or `file_not_found` for a malformed path,
/// with the right spelling in the second line.
pub fn route(request: &FormatRequest<'_>) -> Result<Route, Failure> {
    if request.verb != "GET" {
        return Err(Failure::method_not_allowed(request.verb, VERBS));
    }
    let decoded = segments(request.path).map_err(absent::malformed)?;
    let decoded: Vec<&str> = decoded.iter().map(AsRef::as_ref).collect();
    // Neither of the two first words can begin a module path, for they have no dot.
    let (path, is_cached_only) = match decoded.as_slice() {
        ["cached-only", rest @ ..] => (rest, true),
        all => (all, false),
    };
    let stored_only = is_cached_only || request.header(DISABLE_MODULE_FETCH).is_some_and(is_true);
    understood(path, request).map(|route| Route { stored_only, ..route })
}

/// Whether Go's `strconv.ParseBool` takes a text for true.
fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

fn understood(path: &[&str], request: &FormatRequest<'_>) -> Result<Route, Failure> {
    let module_ends = path.iter().position(|segment| segment.starts_with('@'));
    match (path, module_ends) {
        (["sumdb", rest @ ..], _) => Ok(page(SUMDB, rest.join("/"))),
        (_, None) if is_go_get(request.query) => Ok(page(GO_GET, request.repository_url.to_owned())),
        ([], None) => Ok(page(HELP, request.repository_url.to_owned())),
        (_, None) => Err(absent::no_such_form(&path.join("/"))),
        (_, Some(end)) => module(&path[..end].join("/"), &path[end..]),
    }
}

/// The address of a stored file: `github.com/!azure/m/@v/v1.0.0.zip` for the extension `zip`.
///
/// # Errors
/// When it is longer than an address may be; then no such file can have been stored.
pub fn file_path(module: &ModulePath, version: &GoVersion, extension: &str) -> Result<FilePath, Failure> {
    let text = format!("{}/@v/{}.{extension}", module.escaped(), escape_version(version.as_str()));
    FilePath::try_from(text.as_str()).map_err(|_| absent::too_long(module.as_str()))
}

fn module(escaped: &str, rest: &[&str]) -> Result<Route, Failure> {
    let module = ModulePath::unescape(escaped).map_err(absent::no_module_path)?;
    let package = PackageName::try_from(module.as_str()).map_err(|_| absent::too_long(module.as_str()))?;
    match rest {
        ["@latest"] => Ok(index(LATEST, "", package)),
        ["@v", "list"] => Ok(index(LIST, "", package)),
        ["@v", file] => match file.rsplit_once('.') {
            Some((name, extension @ ("info" | "mod" | "zip"))) if !name.is_empty() => {
                version_file(&module, package, name, extension)
            }
            _ => Err(absent::no_such_form(&format!("@v/{file}"))),
        },
        _ => Err(absent::no_such_form(&rest.join("/"))),
    }
}

fn version_file(module: &ModulePath, package: PackageName, name: &str, extension: &str) -> Result<Route, Failure> {
    let name = unescape_version(name).map_err(absent::no_version)?;
    match GoVersion::parse(&name) {
        Ok(version) => file(module, package, &version, extension),
        // A tag may be called so; who has version control knows.
        Err(VersionFault::NotCanonical { .. }) if extension == "info" => Ok(index(REVISION, &name, package)),
        Err(VersionFault::NotCanonical { canonical, .. }) => Err(absent::not_canonical(module, &name, &canonical)),
        Err(VersionFault::NotAVersion { .. }) if extension != "info" => Err(absent::not_a_version(module, &name)),
        Err(VersionFault::NotAVersion { .. }) if !may_be_revision(&name) => Err(absent::no_revision(module, &name)),
        Err(VersionFault::NotAVersion { .. }) => Ok(index(REVISION, &name, package)),
    }
}

/// Whether a name can be that of a branch, tag or commit. What the client resolves itself is none, and a
/// leading dash is never passed on to anything (CVE-2025-68119).
fn may_be_revision(name: &str) -> bool {
    !matches!(name, "latest" | "upgrade" | "patch") && !name.starts_with(['<', '>', '-'])
}

/// The route of a stored file.
///
/// # Errors
/// When its names are longer than any that are stored.
pub fn file(module: &ModulePath, package: PackageName, version: &GoVersion, extension: &str) -> Result<Route, Failure> {
    let path = file_path(module, version, extension)?;
    let name = VersionName::try_from(version.as_str()).map_err(|_| absent::too_long(version.as_str()))?;
    let coordinate = Coordinate { package: package.clone(), version: name };
    Ok(Route {
        action: Action::Read,
        package: Some(package),
        max_age: if extension == "info" { MaxAge::Seconds(INFO_SECONDS) } else { MaxAge::Immutable },
        absent_max_age: MaxAge::Seconds(ABSENT_SECONDS),
        stored_only: false,
        want: Want::File { path, coordinate },
    })
}

/// The route of an index of a module.
#[must_use]
pub fn index(kind: &'static str, subject: &str, package: PackageName) -> Route {
    Route { package: Some(package), ..computed(Want::Index(IndexKey { kind, subject: subject.to_owned() })) }
}

fn page(kind: &'static str, subject: String) -> Route {
    computed(Want::Page(IndexKey { kind, subject }))
}

fn computed(want: Want) -> Route {
    Route {
        action: Action::Read,
        package: None,
        max_age: MaxAge::Revalidate,
        absent_max_age: MaxAge::NoStore,
        stored_only: false,
        want,
    }
}

fn is_go_get(query: &str) -> bool {
    query.split('&').any(|pair| pair == "go-get=1")
}

#[cfg(test)]
mod tests {
    use keeper_core::error::Class;
    use proptest::prelude::*;

    use super::*;

    const URL: &str = "https://host/go/r";

    fn request<'a>(verb: &'a str, path: &'a str, query: &'a str) -> FormatRequest<'a> {
        FormatRequest { verb, path, query, headers: &[], repository_url: URL }
    }

    /// The route in one line: `file PATH MODULE VERSION`, `index KIND MODULE SUBJECT`, `page KIND SUBJECT`.
    fn shown(path: &str, query: &str) -> Result<String, Failure> {
        let route = route(&request("GET", path, query))?;
        assert_eq!(route.action, Action::Read);
        let package = route.package.as_ref().map(PackageName::as_str).unwrap_or_default();
        Ok(match route.want {
            Want::File { path, coordinate } => format!("file {path} {} {}", coordinate.package, coordinate.version),
            Want::Index(IndexKey { kind, subject }) => format!("index {kind} {package} {subject}"),
            Want::Page(IndexKey { kind, subject }) => format!("page {kind} {subject}"),
            Want::Upload(_) | Want::Change { .. } => panic!("{path} is read and nothing else"),
        })
    }

    #[test]
    fn every_endpoint_has_its_route() {
        let rows = [
            // 1, 2: the client sends the bang encoded, people do not.
            ("/github.com/%21azure/m/@v/list", "index list github.com/Azure/m "),
            ("/github.com/!azure/m/@v/list", "index list github.com/Azure/m "),
            // 4, 6, 7: well-formed, so the repository decides.
            ("/github.com/azure/m/@v/list", "index list github.com/azure/m "),
            ("/github.com/@v/list", "index list github.com "),
            (
                "/github.com/!azure/m/sub/@v/v1.0.0.info",
                "file github.com/!azure/m/sub/@v/v1.0.0.info github.com/Azure/m/sub v1.0.0",
            ),
            // 8, 12, 21, 22
            (
                "/github.com/%21azure/m/@v/v1.0.0.info",
                "file github.com/!azure/m/@v/v1.0.0.info github.com/Azure/m v1.0.0",
            ),
            (
                "/github.com/!azure/m/@v/v1.1.0-%21r%21c.1.info",
                "file github.com/!azure/m/@v/v1.1.0-!r!c.1.info github.com/Azure/m v1.1.0-RC.1",
            ),
            ("/e.com/m/@v/v1.0.0.zip", "file e.com/m/@v/v1.0.0.zip e.com/m v1.0.0"),
            ("/e.com/m/@v/v1.0.0.mod", "file e.com/m/@v/v1.0.0.mod e.com/m v1.0.0"),
            // A plus is a plus, never a blank.
            (
                "/e.com/m/@v/v2.0.0+incompatible.zip",
                "file e.com/m/@v/v2.0.0+incompatible.zip e.com/m v2.0.0+incompatible",
            ),
            // 13
            ("/github.com/!azure/m/@latest", "index latest github.com/Azure/m "),
            // 15, 16: branches, tags and commits.
            ("/e.com/m/@v/main.info", "index revision e.com/m main"),
            ("/e.com/m/@v/0a1b2c3.info", "index revision e.com/m 0a1b2c3"),
            ("/e.com/m/@v/%21h%21e%21a%21d.info", "index revision e.com/m HEAD"),
            ("/e.com/m/@v/1.0.0.info", "index revision e.com/m 1.0.0"),
            ("/e.com/m/@v/v01.0.0.info", "index revision e.com/m v01.0.0"),
            // 9, 11: an upstream may know them, a hosted repository says what is canonical.
            ("/e.com/m/@v/v1.0.info", "index revision e.com/m v1.0"),
            ("/e.com/m/@v/v1.0.0+meta.info", "index revision e.com/m v1.0.0+meta"),
            // Only the last extension is one.
            ("/e.com/m/@v/x.info.info", "index revision e.com/m x.info"),
            // 26
            ("", "page help https://host/go/r"),
            ("/", "page help https://host/go/r"),
            // 35 to 37: judged where the settings are known.
            ("/sumdb/sum.golang.org/supported", "page sumdb sum.golang.org/supported"),
            ("/sumdb/sum.golang.org/lookup/e.com/%21m@v1.0.0", "page sumdb sum.golang.org/lookup/e.com/!m@v1.0.0"),
            ("/sumdb", "page sumdb "),
            // The public mirror's spelling of "only what is stored", which here is everything.
            ("/cached-only/e.com/m/@v/list", "index list e.com/m "),
            ("/cached-only/sumdb/x/supported", "page sumdb x/supported"),
            ("/cached-only", "page help https://host/go/r"),
        ];
        for (path, wanted) in rows {
            assert_eq!(shown(path, "").as_deref().map_err(ToString::to_string), Ok(wanted), "{path}");
            // A query in GOPROXY is appended to every address.
            assert_eq!(shown(path, "x=1&y=%00").as_deref().map_err(ToString::to_string), Ok(wanted), "{path}");
        }
    }

    #[test]
    fn the_import_page_is_the_same_for_known_and_unknown_paths() {
        for path in ["/x.y/z", "/GitHub.com/UPPER/é", "", "/", "/std"] {
            for query in ["go-get=1", "a=b&go-get=1"] {
                assert_eq!(shown(path, query).expect("a page"), "page go-get https://host/go/r", "{path}");
            }
        }
        assert_eq!(shown("/e.com/m/@v/list", "go-get=1").expect("a list"), "index list e.com/m ");
        assert_eq!(shown("/sumdb/x/supported", "go-get=1").expect("a page"), "page sumdb x/supported");
        assert!(shown("/x.y/z", "go-get=10").is_err());
        assert!(shown("/x.y/%zz", "go-get=1").is_err());
    }

    #[test]
    fn what_is_malformed_is_not_found_with_the_right_spelling() {
        let forms = "@v/list";
        let rows = [
            // 3, G6: unescaped upper case
            ("/github.com/Azure/m/@v/list", "module_not_found", "github.com/!azure/m"),
            ("/github.com/BurntSushi/x/@latest", "module_not_found", "github.com/!burnt!sushi/x"),
            // 5, G7
            ("/github.com/!Azure/m/@v/list", "module_not_found", "!azure"),
            ("/github.com/m!/@v/list", "module_not_found", "!azure"),
            ("/github.com/!1/@v/list", "module_not_found", "!azure"),
            ("/github.com/!!a/@v/list", "module_not_found", "!azure"),
            // Not a module path
            ("/example/a/@v/list", "module_not_found", "with a dot"),
            ("/e.com/m/v1/@v/list", "module_not_found", "/v2"),
            ("/e.com/a+b/@v/list", "module_not_found", "github.com/"),
            ("/e.com/%C3%A9/@v/list", "module_not_found", "github.com/"),
            ("/@v/list", "module_not_found", "github.com/"),
            // 10
            ("/e.com/m/@v/v1.0.mod", "version_not_found", "v1.0.0"),
            ("/e.com/m/@v/v1.0.zip", "version_not_found", "v1.0.0"),
            ("/e.com/m/@v/v1.0.0+meta.zip", "version_not_found", "v1.0.0"),
            ("/e.com/m/@v/main.zip", "version_not_found", "@v/main.info"),
            ("/e.com/m/@v/main.mod", "version_not_found", "@v/main.info"),
            // 14, G11
            ("/e.com/m/@v/latest.info", "version_not_found", "@latest"),
            ("/e.com/m/@v/upgrade.info", "version_not_found", "@latest"),
            ("/e.com/m/@v/patch.info", "version_not_found", "@latest"),
            ("/e.com/m/@v/%3E=v1.info", "version_not_found", "@latest"),
            ("/e.com/m/@v/-x.info", "version_not_found", "@latest"),
            // 12: upper case in a version
            ("/e.com/m/@v/v1.0.0-RC1.info", "version_not_found", "v1.0.0-!r!c1"),
            // 18
            ("/e.com/m/@v/a%2Fb.info", "file_not_found", forms),
            ("/e.com/m/@v/a%5Cb.info", "file_not_found", forms),
            ("/e.com/m/@v/a%00.info", "file_not_found", forms),
            ("/e.com/m/@v/%zz.info", "file_not_found", forms),
            ("/e.com/m/@v/%FF.info", "file_not_found", forms),
            // 19
            ("/e.com/m/@v/../../x", "file_not_found", forms),
            ("/a//b/@v/list", "file_not_found", forms),
            ("/e.com/m/@v/v1.0.0.zip/", "file_not_found", forms),
            ("/../p/e.com/m/@v/list", "file_not_found", forms),
            ("/%2E%2E/x/@v/list", "file_not_found", forms),
            // 20, G8
            ("/e.com/m/@v/v1.0.0.txt", "file_not_found", forms),
            ("/e.com/m/@v/v1.0.0.tar", "file_not_found", forms),
            ("/e.com/m/@v/v1", "file_not_found", forms),
            ("/e.com/m/@v/", "file_not_found", forms),
            ("/e.com/m/@v", "file_not_found", forms),
            ("/e.com/m/@v/.zip", "file_not_found", forms),
            ("/e.com/m/@v/list.json", "file_not_found", forms),
            ("/e.com/m/@v/list/x", "file_not_found", forms),
            ("/e.com/m/@vv/list", "file_not_found", forms),
            ("/e.com/m/@x", "file_not_found", forms),
            ("/e.com/m/@latest/x", "file_not_found", forms),
            ("/e.com/m", "file_not_found", forms),
        ];
        for (path, code, second_line) in rows {
            let failure = shown(path, "").expect_err(path);
            assert_eq!(failure.code().name, code, "{path}");
            assert_eq!(failure.code().class, Class::NotFound, "{path}");
            let hint = failure.first().hint_text();
            assert!(hint.contains(second_line), "{path}: {hint}");
            absent::tests::assert_printable(&failure, path);
        }
    }

    #[test]
    fn other_verbs_are_told_which_ones_there_are() {
        for verb in ["PUT", "POST", "DELETE", "get", "TRACE", "HEAD"] {
            for path in ["", "/e.com/m/@v/list", "/e.com/m/@v/v1.0.0.zip", "/sumdb/x/supported", "/%zz"] {
                let failure = route(&request(verb, path, "")).expect_err("no such verb");
                assert_eq!((failure.code().name, failure.allow.as_deref()), ("method_not_allowed", Some("GET, HEAD")));
            }
        }
    }

    #[test]
    fn only_names_that_never_change_are_believed_unasked() {
        let rows = [
            ("/e.com/m/@v/v1.0.0.zip", MaxAge::Immutable, MaxAge::Seconds(60)),
            ("/e.com/m/@v/v1.0.0.mod", MaxAge::Immutable, MaxAge::Seconds(60)),
            ("/e.com/m/@v/v1.0.0.info", MaxAge::Seconds(86_400), MaxAge::Seconds(60)),
            ("/e.com/m/@v/main.info", MaxAge::Revalidate, MaxAge::NoStore),
            ("/e.com/m/@v/list", MaxAge::Revalidate, MaxAge::NoStore),
            ("/e.com/m/@latest", MaxAge::Revalidate, MaxAge::NoStore),
            ("/sumdb/sum.golang.org/supported", MaxAge::Revalidate, MaxAge::NoStore),
            ("/", MaxAge::Revalidate, MaxAge::NoStore),
        ];
        for (path, present, absent) in rows {
            let route = route(&request("GET", path, "")).expect(path);
            assert_eq!((route.max_age, route.absent_max_age), (present, absent), "{path}");
        }
    }

    #[test]
    fn only_what_is_stored_is_wanted_by_path_or_header() {
        let rows = [
            ("/e.com/m/@v/list", None, false),
            ("/e.com/m/@v/list", Some("true"), true),
            ("/e.com/m/@v/v1.0.0.zip", Some("1"), true),
            ("/e.com/m/@v/main.info", Some("True"), true),
            ("/e.com/m/@latest", Some("yes"), false),
            ("/e.com/m/@latest", Some("tRUE"), false),
            ("/e.com/m/@latest", Some("false"), false),
            ("/cached-only/e.com/m/@latest", Some("false"), true),
            ("/cached-only/e.com/m/@v/v1.0.0.zip", None, true),
        ];
        for (path, header, wanted) in rows {
            let headers: Vec<_> = header.map(|value| (DISABLE_MODULE_FETCH, value)).into_iter().collect();
            let request = FormatRequest { headers: &headers, ..request("GET", path, "") };
            assert_eq!(route(&request).expect(path).stored_only, wanted, "{path} {header:?}");
        }
    }

    #[test]
    fn an_address_longer_than_any_stored_one_is_not_found() {
        let long = "a".repeat(900);
        let rows = [
            format!("/e.com/{}/@v/list", vec!["abcdefgh"; 200].join("/")),
            format!("/e.com/{}/@v/v1.0.0.zip", vec!["!a!b!c!d"; 230].join("/")),
            format!("/e.com/m/@v/v1.0.0-{long}.zip"),
        ];
        for path in rows {
            let failure = shown(&path, "").expect_err(&path);
            assert_eq!(failure.code().class, Class::NotFound);
            absent::tests::assert_printable(&failure, &path);
        }
    }

    proptest! {
        #[test]
        fn no_input_makes_routing_panic(path in "(/|@|v|list|\\.info|!|%[0-9a-f]{2}|e\\.com|sumdb|\\PC){0,24}", query in "\\PC{0,12}") {
            if let Err(failure) = route(&request("GET", &path, &query)) {
                prop_assert_eq!(failure.code().class, Class::NotFound);
                absent::tests::assert_printable(&failure, &path);
            }
        }
    }
}
