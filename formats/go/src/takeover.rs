//! Where modules are besides here, and how they lie there.
//!
//! ```text
//! cache/download/github.com/!azure/m/@v/v1.0.0.{info,mod,zip}         what the go command keeps (GOMODCACHE)
//! github.com/Azure/m/v1.0.0/{go.mod,source.zip,v1.0.0.info}          the disk storage of Athens
//! https://proxy.example/github.com/%21azure/m/@v/v1.0.0.{info,mod,zip}
//!
//! github.com/Azure/m v1.0.0 h1:…                                      a line of go.sum: the zip
//! github.com/Azure/m v1.0.0/go.mod h1:…                               the go.mod
//! ```
//!
//! The go command keeps more than versions (locks, hashes, answers for branches); that is passed over, and so are the
//! toolchains, which are Go's own. Of many versions it has the `go.mod` only, because nothing else of them was needed:
//! they are taken as they are, for whoever builds with them needs no more. A `.info` that is missing beside a zip says
//! its version and nothing else, as Go's own would without version control.
//!
//! Bounds: those of an upstream's files. Sources: `modfetch.cachePath` (go 1.26); `pkg/storage/fs` of
//! `github.com/gomods/athens` (v0.16); <https://go.dev/ref/mod#go-sum-files>.

use std::collections::BTreeSet;

use bytes::Bytes;
use keeper_core::artifact::{ContentId, Coordinate, Extent, PackageName, VersionName};
use keeper_core::error::{Failure, codes};
use keeper_core::format::{ForeignFile, ForeignVersion, Inspection, KnownSum, Takeover};
use serde_json::Value;

use crate::absent::shown;
use crate::info::{Origin, info_json};
use crate::inspect::claim::check_reserved;
use crate::inspect::metadata::Part;
use crate::inspect::upstream::{GO_MOD_H1, H1};
use crate::limits::{GO_MOD_BYTES, MODULE_BYTES, UPSTREAM_INFO_BYTES};
use crate::merge::{invalid, listed};
use crate::path::{ModulePath, check_major, unescape_version};
use crate::route::file_path;
use crate::version::GoVersion;

/// Where the go command keeps what it downloads, below its cache.
const CACHE_PREFIXES: [&str; 3] = ["pkg/mod/cache/download/", "cache/download/", "download/"];

/// Other places of modules.
pub(crate) struct Places;

impl Takeover for Places {
    fn in_folder(&self, folder: &str, names: &[String]) -> Vec<ForeignVersion> {
        let names: BTreeSet<_> = names.iter().map(String::as_str).collect();
        match folder.strip_suffix("/@v") {
            Some(module) => in_cache(folder, module, &names),
            None => in_athens(folder, &names).into_iter().collect(),
        }
    }

    fn list_at_server(&self, package: &PackageName) -> String {
        let module = ModulePath::parse(package.as_str()).map_or_else(|_| String::new(), |module| module.escaped());
        at_server(&format!("{module}/@v/list"))
    }

    fn listed(&self, package: &PackageName, list: &[u8]) -> Result<Vec<VersionName>, Failure> {
        let module = ModulePath::parse(package.as_str()).map_err(|fault| invalid("list of versions", fault))?;
        let versions: Vec<_> =
            listed(&module, list).filter_map(|version| VersionName::try_from(version.as_str()).ok()).collect();
        if versions.is_empty() && list.contains(&b'<') {
            return Err(invalid("list of versions", "nothing in it is a version, and it looks like a web page"));
        }
        Ok(versions)
    }

    fn at_server(&self, what: &Coordinate) -> Option<ForeignVersion> {
        let module = ModulePath::parse(what.package.as_str()).ok()?;
        let version = GoVersion::parse(what.version.as_str()).ok()?;
        let version = Known::new(module, version)?;
        let place = |extension| Some(at_server(version.path(extension).ok()?.as_str()));
        version.with(place("mod"), place("zip"), place("info"))
    }

    fn known_sums(&self, text: &str) -> Result<Vec<KnownSum>, String> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let read = lines.map(|(number, line)| known_sum(line).map_err(|why| format!("line {}: {why}", number + 1)));
        // A hash of a kind that is not known says nothing, as for Go.
        read.filter_map(Result::transpose).collect()
    }

    fn named(&self, text: &str) -> Result<(PackageName, Option<VersionName>), String> {
        let example = "; write it like example.com/m or example.com/m@v1.2.3";
        let (module, version) = text.split_once('@').map_or((text, None), |(module, version)| (module, Some(version)));
        let module = ModulePath::parse(module).map_err(|fault| format!("{fault}{example}"))?;
        let package = PackageName::try_from(module.as_str()).map_err(|fault| fault.to_string())?;
        let Some(version) = version else { return Ok((package, None)) };
        let version = GoVersion::parse(version).map_err(|fault| format!("{fault}{example}"))?;
        check_major(&module, &version).map_err(|fault| fault.to_string())?;
        let version = VersionName::try_from(version.as_str()).map_err(|fault| fault.to_string())?;
        Ok((package, Some(version)))
    }

    fn whole(&self, files: Vec<Inspection>) -> Result<Inspection, Failure> {
        whole(files)
    }
}

/// The versions in a folder `…/@v` of the go command.
fn in_cache(folder: &str, module: &str, names: &BTreeSet<&str>) -> Vec<ForeignVersion> {
    let bare = CACHE_PREFIXES.iter().find_map(|prefix| module.strip_prefix(prefix)).unwrap_or(module);
    let Ok(module) = ModulePath::unescape(bare) else { return Vec::new() };
    let version = |name: &&str| {
        let stem = name.strip_suffix(".mod")?;
        let version = Known::new(module.clone(), GoVersion::parse(&unescape_version(stem).ok()?).ok()?)?;
        let there = |extension: &str| {
            let file = format!("{stem}.{extension}");
            names.contains(file.as_str()).then(|| format!("{folder}/{file}"))
        };
        version.with(there("mod"), there("zip"), there("info"))
    };
    names.iter().filter_map(version).collect()
}

/// The version in a folder of Athens.
fn in_athens(folder: &str, names: &BTreeSet<&str>) -> Option<ForeignVersion> {
    let (module, version) = folder.rsplit_once('/')?;
    let spelled = if version.contains('!') { unescape_version(version).ok()? } else { version.to_owned() };
    let spelled = GoVersion::parse(&spelled).ok()?;
    let module = if module.contains('!') { ModulePath::unescape(module) } else { ModulePath::parse(module) };
    let there = |name: &str| names.contains(name).then(|| format!("{folder}/{name}"));
    Known::new(module.ok()?, spelled)?.with(there("go.mod"), there("source.zip"), there(&format!("{version}.info")))
}

/// As clients send it to a server.
fn at_server(path: &str) -> String {
    path.replace('!', "%21")
}

/// A version that can be taken over.
struct Known {
    module: ModulePath,
    version: GoVersion,
    coordinate: Coordinate,
}

impl Known {
    fn new(module: ModulePath, version: GoVersion) -> Option<Self> {
        check_major(&module, &version).ok()?;
        check_reserved(module.as_str()).ok()?;
        let coordinate = Coordinate {
            package: PackageName::try_from(module.as_str()).ok()?,
            version: VersionName::try_from(version.as_str()).ok()?,
        };
        Some(Self { module, version, coordinate })
    }

    fn path(&self, extension: &str) -> Result<keeper_core::artifact::FilePath, Failure> {
        file_path(&self.module, &self.version, extension)
    }

    /// The version with its files at these places. Without a `go.mod` there is none; what the zip tells is judged by it.
    fn with(&self, go_mod: Option<String>, zip: Option<String>, info: Option<String>) -> Option<ForeignVersion> {
        let file = |extension, limit_bytes, at, otherwise| {
            Some(ForeignFile { at, path: self.path(extension).ok()?, limit_bytes, otherwise })
        };
        let mut files = vec![file("mod", GO_MOD_BYTES, go_mod?, None)?];
        let has_zip = zip.is_some();
        if let Some(zip) = zip {
            files.push(file("zip", MODULE_BYTES, zip, None)?);
        }
        let made = has_zip.then(|| Bytes::from(info_json(&self.version, None, &Origin::default())));
        let at = info.or_else(|| made.is_some().then(String::new));
        if let Some(at) = at {
            files.push(file("info", UPSTREAM_INFO_BYTES, at, made)?);
        }
        Some(ForeignVersion { coordinate: self.coordinate.clone(), files })
    }
}

/// A line of `go.sum`; nothing for a kind of hash that is not known.
fn known_sum(line: &str) -> Result<Option<KnownSum>, String> {
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    let [module, version, sum] = words.as_slice() else {
        return Err(format!("{} is not \"module version h1:…\"", shown(line)));
    };
    let (version, name) = version.strip_suffix("/go.mod").map_or((*version, H1), |version| (version, GO_MOD_H1));
    let coordinate = || {
        let module = ModulePath::parse(module).map_err(|fault| fault.to_string())?;
        let version = GoVersion::parse(version).map_err(|fault| fault.to_string())?;
        let package = PackageName::try_from(module.as_str()).map_err(|fault| fault.to_string())?;
        let version = VersionName::try_from(version.as_str()).map_err(|fault| fault.to_string())?;
        Ok::<_, String>(Coordinate { package, version })
    };
    let coordinate = coordinate()?;
    Ok(sum.starts_with("h1:").then(|| KnownSum { coordinate, name, sum: (*sum).to_owned() }))
}

/// One judgement of those of the files. With a zip and a go.mod it is the whole version, and has the content that an
/// upload of the same module has.
fn whole(files: Vec<Inspection>) -> Result<Inspection, Failure> {
    let mut files = files.into_iter();
    let nothing = || Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by("a version without files");
    let mut whole = files.next().ok_or_else(nothing)?;
    for file in files {
        whole.checksums.extend(file.checksums);
        if file.metadata != Value::Null {
            Part::join(&mut whole.metadata, file.metadata);
        }
        whole.dependencies.extend(file.dependencies);
        whole.labels.extend(file.labels);
        whole.warnings.extend(file.warnings);
        whole.about.add(&file.about);
    }
    if let (Some(h1), Some(go_mod_h1)) = (whole.checksums.get(H1), whole.checksums.get(GO_MOD_H1)) {
        whole.content = content(h1, go_mod_h1);
        whole.extent = Extent::Whole;
    }
    Ok(whole)
}

/// What makes two copies of a version equal.
pub(crate) fn content(h1: &str, go_mod_h1: &str) -> ContentId {
    ContentId(format!("{h1} go.mod {go_mod_h1}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{coordinate, package};

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// The versions in a folder, with the places of their files.
    fn found(folder: &str, of: &[&str]) -> Vec<(String, Vec<String>)> {
        let versions = Places.in_folder(folder, &names(of)).into_iter();
        versions
            .map(|found| (found.coordinate.to_string(), found.files.into_iter().map(|file| file.at).collect()))
            .collect()
    }

    #[test]
    fn a_cache_of_go_holds_versions_and_more() {
        let of = [
            "list",
            "v1.0.0.info",
            "v1.0.0.lock",
            "v1.0.0.mod",
            "v1.0.0.zip",
            "v1.0.0.ziphash",
            "v1.1.0-!r!c1.mod",
            "main.info",
            "v2.0.0.mod",
            "v1.2.0.zip",
        ];
        for folder in ["github.com/!azure/m/@v", "cache/download/github.com/!azure/m/@v"] {
            let at = |name: &str| format!("{folder}/{name}");
            let wanted = [
                ("github.com/Azure/m@v1.0.0".to_owned(), vec![at("v1.0.0.mod"), at("v1.0.0.zip"), at("v1.0.0.info")]),
                ("github.com/Azure/m@v1.1.0-RC1".to_owned(), vec![at("v1.1.0-!r!c1.mod")]),
            ];
            assert_eq!(found(folder, &of), wanted, "{folder}");
        }
        for other in ["golang.org/toolchain/@v", "m/@v", "sumdb/sum.golang.org/lookup/ex.com/@v", "@v", "a@v1/x/@v"] {
            assert_eq!(found(other, &["v0.0.1.mod", "v0.0.1.zip"]), [], "{other}");
        }
    }

    #[test]
    fn athens_has_a_folder_for_each_version() {
        let of = ["go.mod", "source.zip", "v1.0.0-RC1.info"];
        for folder in ["github.com/Azure/m/v1.0.0-RC1", "github.com/!azure/m/v1.0.0-!r!c1"] {
            let all = Places.in_folder(folder, &names(&of));
            assert_eq!(all.len(), 1, "{folder}");
            assert_eq!(all[0].coordinate, coordinate("github.com/Azure/m", "v1.0.0-RC1"));
            assert_eq!(all[0].files[0].at, format!("{folder}/go.mod"));
            assert_eq!(all[0].files[1].at, format!("{folder}/source.zip"));
            assert_eq!(all[0].files[1].path.as_str(), "github.com/!azure/m/@v/v1.0.0-!r!c1.zip");
        }
        for other in ["github.com/Azure/m/v2", "github.com/Azure/m", "v1.0.0", ""] {
            assert_eq!(found(other, &of), [], "{other}");
        }
    }

    #[test]
    fn a_missing_info_says_its_version() {
        let all = Places.in_folder("e.com/m/@v", &names(&["v1.0.0.mod", "v1.0.0.zip"]));
        let info = all[0].files.last().expect("an info");
        assert_eq!((info.at.as_str(), info.otherwise.as_deref()), ("", Some(br#"{"Version":"v1.0.0"}"#.as_slice())));
    }

    #[test]
    fn a_server_is_asked_as_a_client_asks() {
        let version = Places.at_server(&coordinate("github.com/Azure/m", "v1.0.0-RC1")).expect("a version");
        let at: Vec<_> = version.files.iter().map(|file| file.at.as_str()).collect();
        let base = "github.com/%21azure/m/@v/v1.0.0-%21r%21c1";
        assert_eq!(at, [format!("{base}.mod"), format!("{base}.zip"), format!("{base}.info")]);
        assert_eq!(Places.list_at_server(&package("github.com/Azure/m")), "github.com/%21azure/m/@v/list");
        assert!(Places.at_server(&coordinate("golang.org/toolchain", "v0.0.1-go1.21.0.linux-amd64")).is_none());
        let list = |body: &str| Places.listed(&package("e.com/m"), body.as_bytes()).map(|all| all.len());
        assert_eq!(list("v1.0.0\nv2.0.0\nx\n").expect("a list"), 1);
        assert_eq!(list("").expect("a list"), 0);
        assert_eq!(list("<html>").expect_err("a page").code().name, "upstream_invalid");
    }

    #[test]
    fn sums_and_names_are_read() {
        let text = "e.com/m v1.0.0 h1:zip=\n\ne.com/m v1.0.0/go.mod h1:mod=\r\ne.com/m v1.0.0 h9:new=\n";
        let sums = Places.known_sums(text).expect("a go.sum");
        let told: Vec<_> = sums.iter().map(|sum| (sum.coordinate.to_string(), sum.name, sum.sum.as_str())).collect();
        let what = "e.com/m@v1.0.0".to_owned();
        assert_eq!(told, [(what.clone(), H1, "h1:zip="), (what, GO_MOD_H1, "h1:mod=")]);
        for bad in ["e.com/m v1.0.0", "e.com/m v1 h1:x=", "m v1.0.0 h1:x=", "<html>"] {
            let why = Places.known_sums(&format!("e.com/m v1.0.0 h1:zip=\n{bad}\n")).expect_err(bad);
            assert!(why.starts_with("line 2: "), "{why}");
        }
        assert_eq!(Places.named("e.com/m"), Ok((package("e.com/m"), None)));
        let one = coordinate("e.com/m", "v1.2.3");
        assert_eq!(Places.named("e.com/m@v1.2.3"), Ok((one.package, Some(one.version))));
        for bad in ["m", "e.com/m@latest", "e.com/m@v2.0.0", "e.com/m@", ""] {
            assert!(Places.named(bad).is_err(), "{bad}");
        }
    }
}
