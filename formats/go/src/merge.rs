//! Indexes of several sources made into one, and of one source made sound.
//!
//! ```text
//! list      v1.0.0 2024-01-01T00:00:00Z   v1   v1.0.0+meta   v2.0.0   v1.0.1-0.2019…   becomes   v1.0.0
//! latest    the highest of several: a release above a prerelease above a pseudo-version
//! revision  the same
//! ```
//!
//! Of a list the first word of each line counts, if it is canonical, goes with the path and is no pseudo-version; a
//! client that were shown another would ask for it and fail. The rest is dropped silently, but a body of which
//! nothing is left and which looks like a web page is no list. A `.info` is kept byte for byte.
//!
//! Bounds: [`LISTED_VERSIONS`], [`UPSTREAM_INFO_BYTES`](crate::limits::UPSTREAM_INFO_BYTES).
//! Errors: `upstream_invalid`, `upstream_too_large`, `not_found` without any part, and the gate's refusal when all
//! that could be given out is refused.
//! Sources: `(*proxyRepo).Versions` in `cmd/go/internal/modfetch`.

use keeper_core::artifact::{PackageName, VersionName};
use keeper_core::error::{Failure, codes};
use keeper_core::format::{Document, Gate, Route, Want};
use keeper_core::media_type::MediaType;

use crate::absent;
use crate::index::standing;
use crate::info::{ForeignInfo, InfoFault};
use crate::limits::LISTED_VERSIONS;
use crate::path::{ModulePath, check_major, major_matches};
use crate::pseudo::is_pseudo;
use crate::route::{LATEST, LIST, REVISION};
use crate::version::{GoVersion, sort_key};

/// One index of these parts, without what the gate does not admit.
///
/// # Errors
/// See the header.
pub fn merge(route: &Route, parts: &[Document], gate: &dyn Gate) -> Result<Document, Failure> {
    let foreign = || Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by("an index that is not merged");
    let (Want::Index(key), Some(package)) = (&route.want, &route.package) else { return Err(foreign()) };
    let module = ModulePath::parse(package.as_str()).map_err(absent::no_module_path)?;
    match key.kind {
        _ if parts.is_empty() => Err(Failure::new(&codes::NOT_FOUND, codes::NOT_FOUND.title)),
        LIST => list(package, &module, parts, gate),
        LATEST | REVISION => info(package, &module, parts, gate),
        _ => Err(foreign()),
    }
}

/// What an upstream sent is no such document.
pub(crate) fn invalid(what: &str, cause: impl std::fmt::Display) -> Failure {
    Failure::new(&codes::UPSTREAM_INVALID, format!("the upstream sent something that is no {what}")).caused_by(cause)
}

fn list(package: &PackageName, module: &ModulePath, parts: &[Document], gate: &dyn Gate) -> Result<Document, Failure> {
    let mut versions = Vec::new();
    for part in parts {
        let before = versions.len();
        versions.extend(listed(module, &part.body).take(LISTED_VERSIONS + 1));
        if versions.len() == before && part.body.contains(&b'<') {
            return Err(invalid("list of versions", "nothing in it is a version, and it looks like a web page"));
        }
        if versions.len() - before > LISTED_VERSIONS {
            return Err(invalid("list of versions", "it has too many versions"));
        }
    }
    // A comparison of two versions reads both; their keys are made once.
    versions.sort_by_cached_key(sort_key);
    versions.dedup();
    let admits = |version: &GoVersion| {
        VersionName::try_from(version.as_str()).is_ok_and(|version| gate.admit(package, &version).is_ok())
    };
    let mut body = String::new();
    for version in versions.iter().filter(|version| admits(version)) {
        body.push_str(version.as_str());
        body.push('\n');
    }
    Ok(Document::new(MediaType::TEXT, body))
}

/// The versions of a list that a client can use.
pub(crate) fn listed<'a>(module: &'a ModulePath, body: &'a [u8]) -> impl Iterator<Item = GoVersion> + 'a {
    let word = |line: &'a [u8]| std::str::from_utf8(line).ok()?.split_ascii_whitespace().next();
    let usable = |word: &&str| !is_pseudo(word) && major_matches(word, module.major());
    body.split(|byte| *byte == b'\n').filter_map(word).filter(usable).filter_map(|word| GoVersion::parse(word).ok())
}

fn info(package: &PackageName, module: &ModulePath, parts: &[Document], gate: &dyn Gate) -> Result<Document, Failure> {
    let mut refusal = None;
    let mut best = None;
    for part in parts {
        let version = ForeignInfo::read(&part.body).map_err(|fault| info_failure(&fault))?.version;
        check_major(module, &version).map_err(|fault| invalid(".info of this module", fault))?;
        let name = VersionName::try_from(version.as_str()).map_err(|fault| invalid(".info", fault))?;
        match gate.admit(package, &name) {
            Err(refused) => drop(refusal.get_or_insert(refused)),
            Ok(()) => {
                let standing = standing(version);
                if best.as_ref().is_none_or(|(highest, _)| standing > *highest) {
                    best = Some((standing, part));
                }
            }
        }
    }
    match (best, refusal) {
        (Some((_, part)), _) => Ok(Document { media_type: MediaType::JSON, ..part.clone() }),
        (None, Some(refusal)) => Err(refusal),
        (None, None) => Err(Failure::new(&codes::NOT_FOUND, codes::NOT_FOUND.title)),
    }
}

/// What is told of a `.info` that cannot be read.
pub(crate) fn info_failure(fault: &InfoFault) -> Failure {
    match fault {
        InfoFault::TooLarge => {
            Failure::new(&codes::UPSTREAM_TOO_LARGE, codes::UPSTREAM_TOO_LARGE.title).caused_by(fault)
        }
        _ => invalid(".info", fault),
    }
}

#[cfg(test)]
mod tests {
    use keeper_core::format::{AdmitAll, FormatRequest};
    use proptest::prelude::*;

    use super::*;

    /// Refuses these versions.
    struct Refusing(&'static [&'static str]);

    impl Gate for Refusing {
        fn admit(&self, _package: &PackageName, version: &VersionName) -> Result<(), Failure> {
            match self.0.contains(&version.as_str()) {
                true => Err(Failure::new(&codes::BLOCKED, format!("{version} is too young"))),
                false => Ok(()),
            }
        }
    }

    fn merged(path: &str, parts: &[&str], gate: &dyn Gate) -> Result<String, &'static str> {
        let request = FormatRequest { verb: "GET", path, query: "", headers: &[], repository_url: "" };
        let route = crate::route::route(&request).expect(path);
        let parts: Vec<_> = parts.iter().map(|body| Document::new(MediaType::HTML, (*body).to_owned())).collect();
        let document = merge(&route, &parts, gate).map_err(|failure| failure.code().name)?;
        assert_ne!(document.media_type, MediaType::HTML, "{path}");
        Ok(String::from_utf8(document.body.to_vec()).expect("UTF-8"))
    }

    fn list_of(parts: &[&str]) -> Result<String, &'static str> {
        merged("/e.com/m/@v/list", parts, &AdmitAll)
    }

    fn info_text(version: &str) -> String {
        format!("{{\"Version\":\"{version}\"}}")
    }

    #[test]
    fn a_list_keeps_what_clients_can_use() {
        let rows: [(&[&str], Result<&str, &str>); 13] = [
            // 95
            (&["v1.0.0+meta\nv1\nv1.1.0\r\nv1.1.0\nv2.0.0\nv1.0.0 2024-01-01T00:00:00Z\n"], Ok("v1.0.0\nv1.1.0\n")),
            (&["v0.0.0-20191109021931-daa7c04131f5\nv1.0.0\n"], Ok("v1.0.0\n")),
            (&["v1.10.0\nv1.9.0\nv1.9.0-rc.1\n"], Ok("v1.9.0-rc.1\nv1.9.0\nv1.10.0\n")),
            (&["v2.0.0+incompatible\nv1.0.0+incompatible"], Ok("v1.0.0+incompatible\nv2.0.0+incompatible\n")),
            (&["main\n\n \nV1.0.0\n1.0.0\n"], Ok("")),
            (&[""], Ok("")),
            // K17
            (&["<html>v1.0.0</html>"], Err("upstream_invalid")),
            (&["<!doctype html>\nv1.0.0\n"], Ok("v1.0.0\n")),
            (&["v1.0.0\n", "v1.1.0\nv1.0.0\n"], Ok("v1.0.0\nv1.1.0\n")),
            (&["v1.0.0\n", "<html>"], Err("upstream_invalid")),
            (&["v1.0.0\n", "<a>\nv1.0.0"], Ok("v1.0.0\n")),
            (&["v1.0.0\n", "\u{fffd}\nv1.2.0"], Ok("v1.0.0\nv1.2.0\n")),
            (&[], Err("not_found")),
        ];
        for (parts, wanted) in rows {
            assert_eq!(list_of(parts), wanted.map(str::to_owned), "{parts:?}");
        }
        assert_eq!(merged("/e.com/m/v2/@v/list", &["v1.0.0\nv2.0.0\n"], &AdmitAll), Ok("v2.0.0\n".to_owned()));
    }

    #[test]
    fn a_list_lacks_what_the_gate_refuses() {
        let gate = Refusing(&["v1.1.0"]);
        assert_eq!(merged("/e.com/m/@v/list", &["v1.0.0\nv1.1.0\n"], &gate), Ok("v1.0.0\n".to_owned()));
        assert_eq!(merged("/e.com/m/@v/list", &["v1.1.0\n"], &gate), Ok(String::new()));
    }

    #[test]
    fn a_list_is_not_longer_than_any_real_one() {
        let lines = |count: usize| (0..count).map(|number| format!("v1.0.{number}\n")).collect::<String>();
        assert!(list_of(&[&lines(LISTED_VERSIONS)]).is_ok());
        assert_eq!(list_of(&[&lines(LISTED_VERSIONS + 1)]), Err("upstream_invalid"));
    }

    #[test]
    fn the_highest_of_several_wins_and_keeps_its_bytes() {
        let old = "v0.0.0-20191109021931-daa7c04131f5";
        let new = "v0.0.0-20200109021931-0a1b2c3d4e5f";
        let rows: [(&[&str], &str); 6] = [
            (&["v1.0.0"], "v1.0.0"),
            (&["v1.0.0", "v1.10.0", "v1.9.0"], "v1.10.0"),
            (&["v1.0.0", "v1.1.0-rc.1"], "v1.0.0"),
            (&["v0.1.0-rc.1", new], "v0.1.0-rc.1"),
            (&[new, old], new),
            (&[old, new], new),
        ];
        for (versions, wanted) in rows {
            let parts: Vec<_> = versions.iter().map(|version| info_text(version)).collect();
            let parts: Vec<_> = parts.iter().map(String::as_str).collect();
            for path in ["/e.com/m/@latest", "/e.com/m/@v/main.info"] {
                assert_eq!(merged(path, &parts, &AdmitAll), Ok(info_text(wanted)), "{versions:?}");
            }
        }
    }

    #[test]
    fn an_info_that_a_client_would_refuse_is_invalid() {
        let large = format!("{{\"Version\":\"v1.0.0\",\"x\":\"{}\"}}", "x".repeat(1 << 20));
        let rows = [
            ("<html>", "upstream_invalid"),
            (r#"{"Version":"v1.0"}"#, "upstream_invalid"),
            (r#"{"Version":"v2.0.0"}"#, "upstream_invalid"),
            (r#"{"Version":"v1.0.0","Time":"x"}"#, "upstream_invalid"),
            (&large, "upstream_too_large"),
        ];
        for (body, code) in rows {
            assert_eq!(merged("/e.com/m/@latest", &[body], &AdmitAll), Err(code));
            assert_eq!(merged("/e.com/m/@v/main.info", &[&info_text("v1.0.0"), body], &AdmitAll), Err(code));
        }
    }

    #[test]
    fn a_refused_latest_gives_way_or_says_why() {
        let gate = Refusing(&["v1.1.0"]);
        let (low, high) = (info_text("v1.0.0"), info_text("v1.1.0"));
        assert_eq!(merged("/e.com/m/@latest", &[&high, &low], &gate), Ok(low));
        assert_eq!(merged("/e.com/m/@latest", &[&high], &gate), Err("blocked"));
        assert_eq!(merged("/e.com/m/@latest", &[], &gate), Err("not_found"));
    }

    #[test]
    fn what_is_no_index_is_not_merged() {
        assert_eq!(merged("/e.com/m/@v/v1.0.0.zip", &["x"], &AdmitAll), Err("internal"));
        assert_eq!(merged("/sumdb/x/latest", &["x"], &AdmitAll), Err("internal"));
    }

    proptest! {
        #[test]
        fn merging_a_merged_list_changes_nothing(body in "(v[0-2]\\.[0-9]\\.[0-9](-rc)?[\n ]|[a-z<]){0,20}", other in "(v1\\.[0-9]\\.[0-9]\n){0,5}") {
            if let Ok(once) = list_of(&[&body, &other]) {
                prop_assert_eq!(list_of(&[&once]), Ok(once.clone()));
                prop_assert_eq!(list_of(&[&other, &body]), Ok(once));
            }
        }
    }
}
