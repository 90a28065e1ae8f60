//! What the platform has to know to copy modules from upstreams and to join repositories: where upstreams have
//! what a route wants, which names belong together, when a version was made, and what it takes back.
//!
//! ```text
//! route                            below an upstream
//! github.com/Azure/m v1.0.0.zip    github.com/%21azure/m/@v/v1.0.0.zip        the bang encoded, as clients send it
//! e.com/m main                     e.com/m/@v/main.info
//!
//! family of e.com/m/v2             e.com/m
//! family of gopkg.in/yaml.v3       gopkg.in/yaml
//! ```
//!
//! Sources: <https://go.dev/ref/mod#goproxy-protocol>; `pathEscape` in `cmd/go/internal/modfetch`.

use jiff::Timestamp;
use keeper_core::artifact::{Coordinate, PackageName, VersionName};
use keeper_core::error::Failure;
use keeper_core::format::{IndexKey, Recorded, RepositoryView, Route, Want};
use keeper_core::media_type::MediaType;
use keeper_core::path::escape;
use keeper_core::repository::Settings;
use serde_json::Value;

use crate::absent;
use crate::inspect::metadata::Metadata;
use crate::inspect::upstream::H1;
use crate::limits::{GO_MOD_BYTES, MODULE_BYTES, UPSTREAM_INFO_BYTES};
use crate::modfile;
use crate::path::{ModulePath, escape_version};
use crate::pattern::Pattern;
use crate::route::{self, LATEST, LIST, REVISION};
use crate::settings::{self, Verify};
use crate::version::GoVersion;

/// Where an upstream has what the route wants; `None` for pages, which are made here.
#[must_use]
pub fn upstream_path(route: &Route) -> Option<String> {
    let path = match &route.want {
        Want::File { path, .. } => path.as_str().to_owned(),
        Want::Index(IndexKey { kind, subject }) => {
            let module = ModulePath::parse(route.package.as_ref()?.as_str()).ok()?.escaped();
            match *kind {
                LIST => format!("{module}/@v/list"),
                LATEST => format!("{module}/@latest"),
                // Go lets these stand in a segment, and so does every server that it talks to.
                REVISION => format!("{module}/@v/{}.info", escape(&escape_version(subject), b"$&+=:@")),
                _ => return None,
            }
        }
        Want::Page(_) | Want::Upload(_) | Want::Change { .. } => return None,
    };
    Some(path.replace('!', "%21"))
}

/// Bytes of a file of an upstream at most.
#[must_use]
pub fn upstream_limit_bytes(route: &Route) -> u64 {
    let Want::File { path, .. } = &route.want else { return MODULE_BYTES };
    match path.as_str().rsplit('.').next() {
        Some("info") => UPSTREAM_INFO_BYTES,
        Some("mod") => GO_MOD_BYTES,
        _ => MODULE_BYTES,
    }
}

/// A zip may be given out while it comes where the settings want nobody to vouch for it and its sum was never seen; the
/// other files are small.
#[must_use]
pub fn relayed_as(route: &Route, settings: &Settings, recorded: &Recorded) -> Option<MediaType> {
    let Want::File { path, .. } = &route.want else { return None };
    let is_new_zip = path.as_str().ends_with(".zip") && !recorded.checksums.contains_key(H1);
    (is_new_zip && settings::verify(settings) == Verify::Off).then_some(MediaType::ZIP)
}

/// The path without its major version.
#[must_use]
pub fn family(package: &PackageName) -> PackageName {
    let prefix = ModulePath::parse(package.as_str()).ok().map(|module| module.prefix().to_owned());
    prefix.and_then(|prefix| PackageName::try_from(prefix.as_str()).ok()).unwrap_or_else(|| package.clone())
}

/// The paths that a module's path begins with, the longest first: a module at one of them holds what is below it.
#[must_use]
pub fn above(package: &PackageName) -> Vec<PackageName> {
    let path = package.as_str();
    let prefixes = path.rmatch_indices('/').map(|(end, _)| &path[..end]);
    prefixes.filter_map(|prefix| PackageName::try_from(prefix).ok()).collect()
}

/// Whether a pattern as in `GONOSUMDB` covers a module.
#[must_use]
pub fn covers(pattern: &str, package: &PackageName) -> bool {
    let module = ModulePath::parse(package.as_str());
    Pattern::parse(pattern).is_ok_and(|pattern| module.is_ok_and(|module| pattern.matches(&module)))
}

/// Whether a pattern reads.
///
/// # Errors
/// What is wrong with it, and a good example.
pub fn check_pattern(pattern: &str) -> Result<(), String> {
    let told = |fault| format!("{fault}; a pattern looks like github.com/yourcompany or *.corp.example");
    Pattern::parse(pattern).map(drop).map_err(told)
}

/// When a version was made.
#[must_use]
pub fn made_at(metadata: &Value) -> Option<Timestamp> {
    Metadata::of(metadata).time.parse().ok()
}

/// The route of its `.info`.
#[must_use]
pub fn time_file(what: &Coordinate) -> Option<Route> {
    let module = ModulePath::parse(what.package.as_str()).ok()?;
    let version = GoVersion::parse(what.version.as_str()).ok()?;
    route::file(&module, what.package.clone(), &version, "info").ok()
}

/// Whether a version's `go.mod` retracts one of these.
///
/// # Errors
/// Trouble of the view.
pub async fn withdraws(
    what: &Coordinate,
    admitted: &[VersionName],
    view: &dyn RepositoryView,
) -> Result<bool, Failure> {
    let module = ModulePath::parse(what.package.as_str()).map_err(absent::no_module_path)?;
    let Ok(version) = GoVersion::parse(what.version.as_str()) else { return Ok(false) };
    let path = route::file_path(&module, &version, "mod")?;
    let Some(bytes) = view.small(&path, GO_MOD_BYTES).await? else { return Ok(false) };
    let Ok(file) = modfile::parse(&bytes) else { return Ok(false) };
    let is_named = |version: &VersionName| file.retracts.iter().any(|range| range.covers(version.as_str()));
    Ok(admitted.iter().any(is_named))
}

#[cfg(test)]
mod tests {
    use keeper_core::format::FormatRequest;

    use super::*;
    use crate::testing::{MemoryView, coordinate, package, ready};

    fn path_of(path: &str) -> Option<String> {
        let request = FormatRequest { verb: "GET", path, query: "x=1", headers: &[], repository_url: "https://h/go/r" };
        upstream_path(&route::route(&request).expect(path))
    }

    #[test]
    fn a_module_holds_what_is_below_it() {
        let package = |text: &str| PackageName::try_from(text).expect(text);
        let above = |text: &str| above(&package(text)).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(above("e.com/m/v2/sub"), ["e.com/m/v2", "e.com/m", "e.com"]);
        assert!(above("e.com").is_empty());
    }

    #[test]
    fn an_upstream_is_asked_as_a_client_asks() {
        let rows = [
            ("/github.com/!azure/m/@v/list", Some("github.com/%21azure/m/@v/list")),
            ("/github.com/%21azure/m/@latest", Some("github.com/%21azure/m/@latest")),
            ("/e.com/m/@v/v1.0.0-!r!c.1.info", Some("e.com/m/@v/v1.0.0-%21r%21c.1.info")),
            ("/e.com/m/@v/v2.0.0+incompatible.zip", Some("e.com/m/@v/v2.0.0+incompatible.zip")),
            ("/e.com/m/@v/v1.0.0.mod", Some("e.com/m/@v/v1.0.0.mod")),
            ("/e.com/m/@v/main.info", Some("e.com/m/@v/main.info")),
            ("/e.com/m/@v/!h!e!a!d.info", Some("e.com/m/@v/%21h%21e%21a%21d.info")),
            ("/e.com/m/@v/a%20b%23c%5E=~.info", Some("e.com/m/@v/a%20b%23c%5E=~.info")),
            ("/cached-only/e.com/m/@v/list", Some("e.com/m/@v/list")),
            ("/sumdb/sum.golang.org/latest", None),
            ("/", None),
        ];
        for (path, wanted) in rows {
            assert_eq!(path_of(path).as_deref(), wanted, "{path}");
        }
    }

    #[test]
    fn a_zip_that_nobody_vouches_for_is_given_out_while_it_comes_unless_its_sum_is_known() {
        let route = |path: &str| {
            let request = FormatRequest { verb: "GET", path, query: "", headers: &[], repository_url: "" };
            route::route(&request).expect(path)
        };
        let settings = |verify: &str| Settings(serde_json::Map::from_iter([("verify".to_owned(), verify.into())]));
        let known = Recorded { checksums: [(H1.to_owned(), "h1:x".to_owned())].into(), ..Recorded::default() };
        let of_go_mod = Recorded { checksums: [("go.mod h1".to_owned(), "h1:x".to_owned())].into(), ..known.clone() };
        let zip = "/e.com/m/@v/v1.0.0.zip";
        for (path, verify, recorded, wanted) in [
            (zip, "off", &Recorded::default(), true),
            (zip, "off", &of_go_mod, true),
            (zip, "off", &known, false),
            (zip, "record", &Recorded::default(), false),
            (zip, "require", &Recorded::default(), false),
            ("/e.com/m/@v/v1.0.0.mod", "off", &Recorded::default(), false),
            ("/e.com/m/@v/v1.0.0.info", "off", &Recorded::default(), false),
            ("/e.com/m/@v/list", "off", &Recorded::default(), false),
        ] {
            let relayed = relayed_as(&route(path), &settings(verify), recorded);
            assert_eq!(relayed, wanted.then_some(MediaType::ZIP), "{path} {verify}");
        }
        assert_eq!(
            relayed_as(&route(zip), &Settings::default(), &Recorded::default()),
            None,
            "the strictest by default"
        );
    }

    #[test]
    fn one_owner_holds_all_major_versions() {
        let rows = [
            ("e.com/m", "e.com/m"),
            ("e.com/m/v2", "e.com/m"),
            ("e.com/m/v2/sub", "e.com/m/v2/sub"),
            ("gopkg.in/yaml.v3", "gopkg.in/yaml"),
            ("gopkg.in/u/x.v2-unstable", "gopkg.in/u/x"),
            ("no module", "no module"),
        ];
        for (module, wanted) in rows {
            assert_eq!(family(&package(module)).as_str(), wanted, "{module}");
        }
    }

    #[test]
    fn patterns_are_those_of_the_client() {
        let rows = [
            ("github.com/yc", "github.com/yc/m", true),
            ("github.com/yc/*", "github.com/yc/m", true),
            ("github.com/yc/*", "github.com/yc", false),
            ("github.com/yc", "github.com/ycevil/m", false),
            ("github.com/YC", "github.com/yc/m", false),
            ("*.corp.example", "git.corp.example/x", true),
            ("[", "git.corp.example/x", false),
            ("", "git.corp.example/x", false),
        ];
        for (pattern, module, wanted) in rows {
            assert_eq!(covers(pattern, &package(module)), wanted, "{pattern} {module}");
        }
        assert!(check_pattern("github.com/yc").is_ok());
        for bad in ["", "[", "a b", "a,b"] {
            assert!(check_pattern(bad).expect_err(bad).contains("github.com/yourcompany"));
        }
    }

    #[test]
    fn the_time_of_a_version_is_that_of_its_info() {
        let time = made_at(&serde_json::json!({ "time": "2024-03-04T03:06:07Z" }));
        assert_eq!(time.map(|time| time.as_second()), Some(1_709_521_567));
        for none in [Value::Null, serde_json::json!({}), serde_json::json!({ "time": "" })] {
            assert_eq!(made_at(&none), None);
        }
        let route = time_file(&coordinate("github.com/Azure/m", "v1.0.0")).expect("a route");
        assert_eq!(upstream_path(&route).as_deref(), Some("github.com/%21azure/m/@v/v1.0.0.info"));
    }

    #[test]
    fn a_version_withdraws_what_its_go_mod_retracts() {
        let mut view = MemoryView::default();
        view.file("e.com/m", "v1.2.0", "mod", "module e.com/m\nretract (\n\tv1.1.0\n\t[v1.0.0, v1.0.5]\n)\n");
        view.file("e.com/m", "v1.3.0", "mod", "module e.com/m\n");
        view.file("e.com/m", "v1.4.0", "mod", "<html>");
        let name = |text: &str| VersionName::try_from(text).expect(text);
        let withdraws = |version: &str, admitted: &[&str]| {
            let admitted: Vec<_> = admitted.iter().map(|text| name(text)).collect();
            ready(withdraws(&coordinate("e.com/m", version), &admitted, &view)).expect("an answer")
        };
        assert!(withdraws("v1.2.0", &["v0.9.0", "v1.0.3"]));
        assert!(withdraws("v1.2.0", &["v1.1.0"]));
        assert!(!withdraws("v1.2.0", &["v1.1.1"]));
        assert!(!withdraws("v1.2.0", &[]));
        for silent in ["v1.3.0", "v1.4.0", "v1.5.0"] {
            assert!(!withdraws(silent, &["v1.0.0"]), "{silent}");
        }
    }
}
