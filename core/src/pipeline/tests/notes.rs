//! A tiny format: a note is a text, `/<package>/<version>.txt` its bytes and `.json` a small file beside it.
//!
//! The first word of a text makes the format behave: `bad` refuses it for two reasons, `warn` warns, `panic`
//! panics, `swallow` ignores failed writes and `blame` takes them for a fault of the text, as careless archive
//! writers would. A case twin of the package is a warning of `confirm`.
//!
//! Its own protocol: `PUT /parts/<package>/<version>/<file>` adds a file to a version, `PUT
//! /labels/<package>/<name>` with `<name>=<version>` moves a label, `DELETE /<package>/<any>` with a version
//! deletes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;

use crate::access::Action;
use crate::artifact::{ContentId, Coordinate, Extent, FilePath, LabelKind, PackageName, SortKey, VersionName, Warning};
use crate::blob::ReadSeek;
use crate::catalog::About;
use crate::digest::Digest;
use crate::error::{Failure, Problem, codes};
use crate::format::{
    Change, Claim, Confirmation, Document, FileSink, FormatHandler, FormatInfo, FormatRequest, Gate, IndexKey,
    InspectError, Inspection, Intake, MaxAge, NewFile, RepositoryView, Route, UpstreamFile, Want,
};
use crate::media_type::MediaType;
use crate::path;
use crate::repository::Settings;

/// Bytes that `small` reads at most.
pub(super) const SMALL_BYTES: u64 = 32 * 1024;

static INFO: FormatInfo = FormatInfo {
    key: "notes",
    title: "Notes",
    request_headers: &["x-note"],
    max_upload_bytes: 1024 * 1024,
    ..FormatInfo::PLAIN
};

#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) routed: AtomicUsize,
    pub(super) computed: AtomicUsize,
}

pub(super) fn coordinate(package: &str, version: &str) -> Coordinate {
    Coordinate {
        package: PackageName::try_from(package).expect("a package name"),
        version: VersionName::try_from(version).expect("a version name"),
    }
}

pub(super) fn file_path(package: &str, version: &str, kind: &str) -> FilePath {
    FilePath::try_from(format!("{package}/{version}.{kind}").as_str()).expect("a file path")
}

fn warning(code: &str) -> Warning {
    Warning { code: code.to_owned(), message: "read it again".to_owned(), path: Some("line 1".to_owned()) }
}

/// A note that gets its files one by one.
fn one_part(
    coordinate: Coordinate,
    name: &str,
    text: &str,
    out: &mut dyn FileSink,
) -> Result<Inspection, InspectError> {
    let path = format!("parts/{}/{}/{name}", coordinate.package, coordinate.version);
    let path = FilePath::try_from(path.as_str()).expect("a file path");
    let file = out.create(NewFile { path, name: name.to_owned(), media_type: MediaType::TEXT });
    file.and_then(|file| file.write_all(text.as_bytes())).map_err(InspectError::Output)?;
    Ok(Inspection {
        extent: Extent::Part,
        content: ContentId(String::new()),
        purl: format!("pkg:notes/{coordinate}"),
        coordinate,
        checksums: BTreeMap::new(),
        metadata: json!({}),
        dependencies: Vec::new(),
        labels: Vec::new(),
        warnings: Vec::new(),
        about: About::default(),
    })
}

/// A file of an upstream, kept as it is. A `.json` says when its version was made.
fn copy(file: &UpstreamFile<'_>, text: &str, out: &mut dyn FileSink) -> Result<Inspection, InspectError> {
    if text.starts_with("bad") {
        return Err(Problem::new(&codes::UPSTREAM_INVALID, "the upstream sent a bad note").into());
    }
    let (_, name) = file.path.as_str().split_once('/').expect("a file path");
    out.keep(NewFile { path: file.path.clone(), name: name.to_owned(), media_type: MediaType::TEXT })
        .map_err(InspectError::Output)?;
    let made = text.trim().parse::<i64>().ok();
    Ok(Inspection {
        extent: Extent::Part,
        content: ContentId(String::new()),
        purl: format!("pkg:notes/{}", file.coordinate),
        coordinate: file.coordinate.clone(),
        checksums: [(format!("sum of {name}"), Digest::of(text.as_bytes()).to_hex())].into(),
        metadata: made.map_or(json!({}), |made| json!({ "made": made })),
        dependencies: Vec::new(),
        labels: Vec::new(),
        warnings: Vec::new(),
        about: About::default(),
    })
}

fn list_route(package: &PackageName) -> Route {
    let key = IndexKey { kind: "list", subject: package.as_str().to_owned() };
    Route {
        action: Action::Read,
        package: Some(package.clone()),
        max_age: MaxAge::Revalidate,
        absent_max_age: MaxAge::NoStore,
        stored_only: false,
        want: Want::Index(key),
    }
}

#[async_trait]
impl FormatHandler for Notes {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn settings(&self, given: Settings) -> Result<Settings, Failure> {
        Ok(given)
    }

    fn route(&self, request: &FormatRequest<'_>) -> Result<Route, Failure> {
        self.routed.fetch_add(1, Ordering::SeqCst);
        let segments = path::segments(request.path);
        let segments = segments.map_err(|fault| Failure::new(&codes::INVALID_PATH, fault.to_string()))?;
        let segments: Vec<_> = segments.iter().map(|segment| &**segment).collect();
        let index = |kind, package: &str| Want::Index(IndexKey { kind, subject: package.to_owned() });
        let (action, want) = match *segments.as_slice() {
            ["parts", package, version, _file] if request.verb == "PUT" => {
                let (name, version) = (Some((*package).to_owned()), Some((*version).to_owned()));
                let fields = BTreeMap::from([("part".to_owned(), segments[3].to_owned())]);
                (Action::Publish, Want::Upload(Intake { name, version, fields, ..Intake::default() }))
            }
            ["careless", ..] => (Action::Read, Want::Upload(Intake::default())),
            ["labels", _package, _name] if request.verb == "PUT" => (
                Action::Publish,
                Want::Change { key: IndexKey { kind: "label", subject: String::new() }, body_limit_bytes: 64 },
            ),
            [_package, _version] if request.verb == "DELETE" => (
                Action::Delete,
                Want::Change { key: IndexKey { kind: "delete", subject: String::new() }, body_limit_bytes: 0 },
            ),
            ["help"] => (Action::Read, Want::Page(IndexKey { kind: "help", subject: String::new() })),
            [package, "list"] => (Action::Read, index("list", package)),
            [package, "drafts"] => (Action::Manage, index("list", package)),
            ["small", package] => (Action::Read, index("small", package)),
            [package, file] => {
                let missing = || Failure::new(&codes::NOT_FOUND, "a note ends in .txt or .json");
                let (version, kind) = file.rsplit_once('.').ok_or_else(missing)?;
                let want =
                    Want::File { path: file_path(package, version, kind), coordinate: coordinate(package, version) };
                (Action::Read, want)
            }
            _ => return Err(Failure::new(&codes::NOT_FOUND, "there is no such address")),
        };
        let package = segments.iter().find(|name| !matches!(**name, "labels" | "parts"));
        let package = package.and_then(|name| PackageName::try_from(*name).ok());
        Ok(Route {
            action,
            package,
            max_age: MaxAge::Immutable,
            absent_max_age: MaxAge::Seconds(60),
            stored_only: false,
            want,
        })
    }

    async fn index(&self, route: &Route, view: &dyn RepositoryView) -> Result<Document, Failure> {
        let (Want::Index(key) | Want::Page(key)) = &route.want else {
            return Err(Failure::new(&codes::INTERNAL, "a file is no index"));
        };
        let number = self.computed.fetch_add(1, Ordering::SeqCst);
        let missing = || Failure::new(&codes::NOT_FOUND, format!("there is no note {}", key.subject));
        let text = match key.kind {
            "help" => format!("help {number}"),
            "small" => {
                let small = view.small(&file_path(&key.subject, "1", "txt"), SMALL_BYTES).await?;
                return small.map(|bytes| Document::new(MediaType::TEXT, bytes)).ok_or_else(missing);
            }
            _ => {
                let package = PackageName::try_from(key.subject.as_str()).map_err(|_| missing())?;
                let versions = view.versions(&package).await?.ok_or_else(missing)?;
                versions.iter().map(VersionName::as_str).collect::<Vec<_>>().join(" ")
            }
        };
        Ok(Document::new(MediaType::TEXT, text))
    }

    fn absent(&self, coordinate: &Coordinate, _repository: &str, known: Option<&[VersionName]>) -> Failure {
        let what = if known.is_some() { "version" } else { "package" };
        Failure::new(&codes::VERSION_NOT_FOUND, format!("unknown {what}: {coordinate}"))
    }

    fn inspect(
        &self,
        claim: &Claim<'_>,
        input: &mut dyn ReadSeek,
        out: &mut dyn FileSink,
    ) -> Result<Inspection, InspectError> {
        let mut text = String::new();
        input.read_to_string(&mut text).map_err(InspectError::Input)?;
        let (package, version) = (claim.name.unwrap_or("untitled"), claim.version.unwrap_or("1"));
        if let Some(file) = claim.upstream {
            return copy(&file, &text, out);
        }
        assert!(!text.starts_with("panic"), "as asked for");
        if text.starts_with("bad") {
            let problems = ["a bad word", "a bad end"].map(|text| Problem::new(&codes::INVALID_FIELD, text));
            let refused = Failure::from_problems(problems.to_vec()).expect("two problems");
            return Err(refused.into());
        }
        if let Some(part) = claim.fields.get("part") {
            return one_part(coordinate(package, version), part, &text, out);
        }
        for (kind, bytes) in [("txt", text.as_bytes()), ("json", br#"{"note":true}"#)] {
            let new = NewFile {
                path: file_path(package, version, kind),
                name: format!("{version}.{kind}"),
                media_type: MediaType::TEXT,
            };
            let written = out.create(new).and_then(|file| file.write_all(bytes));
            match written {
                Err(_) if text.starts_with("swallow") => {}
                Err(_) if text.starts_with("blame") => {
                    return Err(Problem::new(&codes::INVALID_FIELD, "it cannot be packed").into());
                }
                written => written.map_err(InspectError::Output)?,
            }
        }
        Ok(Inspection {
            extent: Extent::Whole,
            coordinate: coordinate(package, version),
            content: ContentId(Digest::of(text.trim_end().as_bytes()).to_hex()),
            purl: format!("pkg:notes/{package}@{version}"),
            checksums: [("length".to_owned(), text.len().to_string())].into(),
            metadata: json!({}),
            dependencies: Vec::new(),
            labels: claim.labels.iter().map(|label| (LabelKind::Name, label.clone())).collect(),
            warnings: if text.starts_with("warn") { vec![warning("odd_word")] } else { Vec::new() },
            about: About { description: format!("Notes on {package}"), ..About::default() },
        })
    }

    async fn confirm(&self, candidate: &Inspection, view: &dyn RepositoryView) -> Result<Confirmation, Failure> {
        let twins = view.case_twins(&candidate.coordinate.package).await?;
        Ok(twins.iter().map(|_| warning("twice")).collect::<Vec<_>>().into())
    }

    /// `plan` and `plan~2` have one owner.
    fn family(&self, package: &PackageName) -> PackageName {
        let stem = package.as_str().split('~').next().unwrap_or_default();
        PackageName::try_from(stem).unwrap_or_else(|_| package.clone())
    }

    fn upstream_path(&self, route: &Route) -> Option<String> {
        match &route.want {
            Want::File { path, .. } => Some(path.as_str().to_owned()),
            Want::Index(key) if key.kind == "list" => Some(format!("{}/list", key.subject)),
            _ => None,
        }
    }

    fn proof(&self, package: &PackageName) -> Option<Route> {
        Some(list_route(package))
    }

    fn merge(&self, route: &Route, parts: &[Document], gate: &dyn Gate) -> Result<Document, Failure> {
        let package = route.package.clone().expect("lists are of packages");
        let mut versions = BTreeSet::new();
        for part in parts {
            let text = std::str::from_utf8(&part.body).expect("a text");
            if text.contains('<') {
                return Err(Failure::new(&codes::UPSTREAM_INVALID, "the upstream sent no list"));
            }
            versions.extend(text.split_whitespace().filter_map(|word| word.parse::<u64>().ok()));
        }
        let name = |number: &u64| VersionName::try_from(number.to_string().as_str()).expect("a version");
        let admitted = versions.iter().filter(|number| gate.admit(&package, &name(number)).is_ok());
        let text = admitted.map(u64::to_string).collect::<Vec<_>>().join(" ");
        Ok(Document::new(MediaType::TEXT, text))
    }

    fn made_at(&self, metadata: &serde_json::Value) -> Option<Timestamp> {
        Timestamp::from_second(metadata.get("made")?.as_i64()?).ok()
    }

    fn time_file(&self, what: &Coordinate) -> Option<Route> {
        let path = file_path(what.package.as_str(), what.version.as_str(), "json");
        Some(Route { want: Want::File { path, coordinate: what.clone() }, ..list_route(&what.package) })
    }

    async fn withdraws(
        &self,
        what: &Coordinate,
        _admitted: &[VersionName],
        view: &dyn RepositoryView,
    ) -> Result<bool, Failure> {
        let path = file_path(what.package.as_str(), what.version.as_str(), "txt");
        let text = view.small(&path, SMALL_BYTES).await?;
        Ok(text.is_some_and(|text| text.starts_with(b"withdraws")))
    }

    /// The body names the version; `delete` as a label does what its route did not ask for.
    fn change(&self, route: &Route, body: &[u8]) -> Result<Change, Failure> {
        let package = route.package.clone().expect("changes name a package");
        let text = std::str::from_utf8(body).expect("a text");
        let (name, version) = text.split_once('=').unwrap_or(("", text));
        let version =
            VersionName::try_from(version).map_err(|fault| Failure::new(&codes::INVALID_FIELD, fault.to_string()))?;
        let target = Coordinate { package, version };
        Ok(match (route.action, name) {
            (Action::Publish, "delete") | (Action::Delete, _) => Change::Delete { target },
            _ => Change::Label { target, name: name.to_owned() },
        })
    }

    fn sort_key(&self, version: &VersionName) -> SortKey {
        let mut key = vec![version.as_str().len() as u8];
        key.extend_from_slice(version.as_str().as_bytes());
        SortKey(key)
    }

    fn login_hint(&self, _host: &str, _https: bool) -> String {
        "write your token on it".to_owned()
    }

    /// Only for what names no version; else a client asks for the stored files.
    fn requests(&self, package: &str, version: Option<&str>) -> Result<Vec<String>, Failure> {
        Ok(if version.is_none() { vec![format!("/{package}/list")] } else { Vec::new() })
    }
}
