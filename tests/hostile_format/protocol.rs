//! The format itself.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use keeper_core::access::Action;
use keeper_core::artifact::{
    ContentId, Coordinate, Extent, FilePath, FileSummary, LabelQuery, PackageName, SortKey, VersionName,
};
use keeper_core::blob::ReadSeek;
use keeper_core::catalog::About;
use keeper_core::error::{Failure, codes};
use keeper_core::format::{
    Change, Claim, Document, Done, FileSink, FormatHandler, FormatInfo, FormatRequest, Gate, IndexKey, InspectError,
    Inspection, Intake, MaxAge, NewFile, RepositoryView, Route, UploadBody, UploadField, Want,
};
use keeper_core::media_type::MediaType;
use keeper_core::path::{escape, segments};
use keeper_core::plugin::FormatPlugin;
use serde_json::{Value, json};

const INDEX_JSON: MediaType = MediaType::of("application/vnd.hostile.index+json");
const PACKAGE: MediaType = MediaType::of("application/vnd.hostile.package");

keeper_core::inventory::submit! { PACKAGE }
keeper_core::inventory::submit! { FormatPlugin::new(|| Arc::new(Hostile)) }

static INFO: FormatInfo = FormatInfo {
    key: "hostile",
    title: "Hostile packages",
    upload_fields: &[
        UploadField { name: "filename", help: "The name of the file." },
        UploadField { name: "summary", help: "What it is." },
    ],
    request_headers: &["accept"],
    absolute_links: true,
    max_upload_bytes: 64 * 1024 * 1024,
    ..FormatInfo::PLAIN
};

/// The format `hostile`.
#[derive(Debug)]
struct Hostile;

#[async_trait]
impl FormatHandler for Hostile {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn route(&self, request: &FormatRequest<'_>) -> Result<Route, Failure> {
        let parts = segments(request.path.trim_end_matches('/'));
        let parts = parts.map_err(|fault| Failure::new(&codes::NOT_FOUND, fault.to_string()))?;
        let parts: Vec<&str> = parts.iter().map(|part| &**part).collect();
        let json = request.header("accept").is_some_and(|accept| accept.contains("json"));
        match (request.verb, parts.as_slice()) {
            ("POST", ["upload"]) => {
                let intake = Intake { body: UploadBody::Form { file: "content" }, ..Intake::default() };
                Ok(asks(Action::Publish, None, Want::Upload(intake)))
            }
            ("PUT", ["tags", name, tag]) => Ok(asks(Action::Publish, Some(package(name)?), change("tag", tag, 128))),
            ("DELETE", ["versions", name, version]) => {
                Ok(asks(Action::Delete, Some(package(name)?), change("delete", version, 0)))
            }
            ("GET", ["index", name]) => {
                let key = IndexKey { kind: if json { "json" } else { "html" }, subject: String::new() };
                Ok(asks(Action::Read, Some(package(name)?), Want::Index(key)))
            }
            ("GET", ["files", name, version, file]) => {
                let coordinate = Coordinate { package: package(name)?, version: self::version(version)? };
                let path = address(&coordinate, file)?;
                Ok(asks(Action::Read, Some(coordinate.package.clone()), Want::File { path, coordinate }))
            }
            ("GET", _) => Err(Failure::new(&codes::NOT_FOUND, "there is no such address")),
            (verb, _) => Err(Failure::method_not_allowed(verb, "GET, HEAD")),
        }
    }

    async fn index(&self, route: &Route, view: &dyn RepositoryView) -> Result<Document, Failure> {
        let (Some(package), Want::Index(key)) = (&route.package, &route.want) else {
            return Err(Failure::new(&codes::INTERNAL, "no index"));
        };
        let files = view.files(package).await?;
        if files.is_empty() {
            return Err(Failure::new(&codes::NOT_FOUND, format!("there is no package {package}")));
        }
        let stable = view.labels(package, LabelQuery::Name("stable")).await?;
        let stable = stable.first().map(|label| label.version.as_str());
        let link = |file: &FileSummary| format!("{}/{}#sha256={}", view.url(), file.path, file.digest);
        Ok(match key.kind {
            "json" => {
                let files = files.iter().map(|file| json!({ "url": link(file), "name": file.name, "size": file.size }));
                let index =
                    json!({ "package": package.as_str(), "stable": stable, "files": files.collect::<Vec<_>>() });
                Document::new(INDEX_JSON, index.to_string())
            }
            _ => {
                let lines = files.iter().map(|file| format!("<a href=\"{}\">{}</a>\n", link(file), file.name));
                Document::new(MediaType::HTML, lines.collect::<String>())
            }
        })
    }

    fn inspect(
        &self,
        claim: &Claim<'_>,
        input: &mut dyn ReadSeek,
        out: &mut dyn FileSink,
    ) -> Result<Inspection, InspectError> {
        if let Some(asked) = &claim.upstream {
            let name = asked.path.as_str().rsplit('/').next().unwrap_or_default().to_owned();
            let new = NewFile { path: asked.path.clone(), name, media_type: PACKAGE };
            out.keep(new).map_err(InspectError::Output)?;
            return Ok(part(asked.coordinate.clone(), json!({})));
        }
        let field = |name: &str| claim.fields.get(name).map(String::as_str);
        let missing = |what: &str| Failure::new(&codes::FIELD_MISSING, format!("{what} is missing")).field(what);
        let name = claim.name.or_else(|| field("name")).ok_or_else(|| missing("name"))?;
        let number = claim.version.or_else(|| field("version")).ok_or_else(|| missing("version"))?;
        let file = field("filename").ok_or_else(|| missing("filename"))?;
        let coordinate = Coordinate { package: package(name)?, version: version(number)? };
        let new = NewFile { path: address(&coordinate, file)?, name: file.to_owned(), media_type: PACKAGE };
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes).map_err(InspectError::Input)?;
        out.create(new).and_then(|out| out.write_all(&bytes)).map_err(InspectError::Output)?;
        Ok(part(coordinate, json!({ "summary": field("summary") })))
    }

    fn upstream_path(&self, route: &Route) -> Option<String> {
        let Want::File { path, .. } = &route.want else { return None };
        let parts: Vec<_> = path.as_str().split('/').map(|part| escape(part, b"")).collect();
        Some(parts.join("/"))
    }

    /// Files of all parts, the first of a name; a label of the first part that has it.
    fn merge(&self, route: &Route, parts: &[Document], _gate: &dyn Gate) -> Result<Document, Failure> {
        let absent = || Failure::new(&codes::NOT_FOUND, "no part has it");
        let first = parts.first().ok_or_else(absent)?;
        let texts: Vec<_> = parts.iter().map(|part| String::from_utf8_lossy(&part.body)).collect();
        let Want::Index(IndexKey { kind: "json", .. }) = &route.want else {
            let mut lines: Vec<&str> = texts.iter().flat_map(|text| text.split_inclusive('\n')).collect();
            let mut seen = HashSet::new();
            lines.retain(|line| seen.insert(*line));
            return Ok(Document { body: lines.concat().into(), ..first.clone() });
        };
        let mut parts = texts.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
        let mut whole = parts.next().ok_or_else(absent)?;
        for part in parts {
            let known = whole["files"].as_array().cloned().unwrap_or_default();
            let is_new = |file: &Value| known.iter().all(|known| known["name"] != file["name"]);
            let more = part["files"].as_array().into_iter().flatten().filter(|file| is_new(file)).cloned();
            whole["files"] = known.iter().cloned().chain(more).collect();
            if whole["stable"].is_null() {
                whole["stable"] = part["stable"].clone();
            }
        }
        Ok(Document { body: whole.to_string().into(), ..first.clone() })
    }

    fn change(&self, route: &Route, body: &[u8]) -> Result<Change, Failure> {
        let (Some(package), Want::Change { key, .. }) = (route.package.clone(), &route.want) else {
            return Err(Failure::new(&codes::INTERNAL, "no change"));
        };
        match key.kind {
            "tag" => {
                let version = version(std::str::from_utf8(body).unwrap_or_default().trim())?;
                Ok(Change::Label { target: Coordinate { package, version }, name: key.subject.clone() })
            }
            _ => Ok(Change::Delete { target: Coordinate { package, version: version(&key.subject)? } }),
        }
    }

    fn receipt(&self, done: &Done) -> Document {
        Document::new(MediaType::JSON, json!({ "ok": true, "id": done.coordinate.to_string() }).to_string())
    }

    fn sort_key(&self, version: &VersionName) -> SortKey {
        let numbers = version.as_str().split('.').map(|part| part.parse::<u32>().unwrap_or_default());
        SortKey(numbers.flat_map(u32::to_be_bytes).collect())
    }
}

fn asks(action: Action, package: Option<PackageName>, want: Want) -> Route {
    Route { action, package, max_age: MaxAge::Revalidate, absent_max_age: MaxAge::NoStore, stored_only: false, want }
}

fn change(kind: &'static str, subject: &str, body_limit_bytes: usize) -> Want {
    Want::Change { key: IndexKey { kind, subject: subject.to_owned() }, body_limit_bytes }
}

/// A part of a version: its files come one by one.
fn part(coordinate: Coordinate, metadata: Value) -> Inspection {
    Inspection {
        extent: Extent::Part,
        content: ContentId(String::new()),
        purl: format!("pkg:hostile/{coordinate}"),
        coordinate,
        checksums: [].into(),
        metadata,
        dependencies: Vec::new(),
        labels: Vec::new(),
        warnings: Vec::new(),
        about: About::default(),
    }
}

fn invalid(fault: impl std::fmt::Display) -> Failure {
    Failure::new(&codes::INVALID_FIELD, fault.to_string())
}

fn package(name: &str) -> Result<PackageName, Failure> {
    PackageName::try_from(name).map_err(invalid)
}

fn version(text: &str) -> Result<VersionName, Failure> {
    VersionName::try_from(text).map_err(invalid)
}

fn address(of: &Coordinate, file: &str) -> Result<FilePath, Failure> {
    FilePath::try_from(format!("files/{}/{}/{file}", of.package, of.version).as_str()).map_err(invalid)
}
