//! `/api/artifacts/{id}/files`, `/contents`, `/readme`: what a version is made of.
//!
//! Everything here is a publisher's: files are downloads and never pages, contents are text, and a README is the
//! only thing that is rendered, by [`markdown`].

use std::sync::Arc;

use keeper_core::artifact::{Artifact, ArtifactFile};
use keeper_core::error::{Failure, codes};
use keeper_core::media_type::MediaType;
use keeper_core::pipeline::{Answer, served};
use keeper_core::provenance::Look;
use poem::http::Method;
use poem::http::header::CONTENT_DISPOSITION;
use poem::web::Data;
use poem::{IntoResponse, Request, Response};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::Group;
use super::artifacts::parse_id;
use super::caller::Caller;
use super::cursor::NextCursor;
use super::listing::{self, default_limit, shorten};
use super::views::{FileView, time};
use crate::archive;
use crate::http::disposition::attachment;
use crate::http::{App, Refused, markdown, origin, response};

/// Bytes of an entry that are shown as text.
const TEXT_BYTES: u64 = 256 * 1024;

pub(super) struct Files;

/// A file of an artifact, and what the last look at its bytes came to.
#[derive(Object)]
struct CheckedFileView {
    #[oai(flatten)]
    file: FileView,
    /// Whether its bytes had its SHA-256 when they were read again last. Absent while nobody has looked yet: the server
    /// reads all stored files in the background, each within days (`KEEPER_SCRUB_RATE`).
    #[oai(skip_serializing_if_is_none)]
    matches: Option<bool>,
    /// When they were read again last; of bytes that do not match, when that was found.
    #[oai(skip_serializing_if_is_none)]
    checked_at: Option<String>,
    /// What is wrong with them.
    #[oai(skip_serializing_if_is_none)]
    fault: Option<FaultView>,
}

/// What is wrong with stored bytes.
#[derive(Object)]
struct FaultView {
    /// `blob_corrupt`, `blob_missing` or `file_corrupt`.
    code: String,
    /// What was found.
    detail: String,
}

impl CheckedFileView {
    fn of(file: FileView, look: Option<Look>) -> Self {
        let (matches, at, fault) = match look {
            None => (None, None, None),
            Some(Look::Matched(at)) => (Some(true), Some(at), None),
            Some(Look::Broken(code, detail, at)) => (Some(false), Some(at), Some(FaultView { code, detail })),
        };
        Self { file, matches, checked_at: at.map(time), fault }
    }
}

/// The files of an artifact.
#[derive(Object)]
struct FilePage {
    /// In order of their names.
    items: Vec<CheckedFileView>,
    /// Give it as `cursor` to get the next page; `null` on the last one.
    next_cursor: NextCursor,
}

/// A folder or a file inside an archive.
#[derive(Object)]
struct ContentsView {
    /// The file of the artifact that was looked into.
    file: String,
    /// What is shown: a folder's path ends with a slash, the top one's is empty.
    path: String,
    /// `folder` or `file`.
    kind: String,
    /// What a folder holds, in order of the paths; empty for a file.
    items: Vec<EntryView>,
    /// Give it as `cursor` to get the next page of a folder; `null` on the last one.
    next_cursor: NextCursor,
    /// The start of a file as text; absent for folders and for files that are no text.
    #[oai(skip_serializing_if_is_none)]
    text: Option<String>,
    /// Whether the file is longer than what is shown of it.
    truncated: bool,
    /// The length of a file in bytes.
    #[oai(skip_serializing_if_is_none)]
    size: Option<u64>,
}

/// One entry of a folder.
#[derive(Object)]
struct EntryView {
    /// Its name in the folder.
    name: String,
    /// Its whole path: give it as `path` to look into it.
    path: String,
    /// `folder` or `file`.
    kind: String,
    /// The length of a file in bytes.
    #[oai(skip_serializing_if_is_none)]
    size: Option<u64>,
}

/// The text that introduces a version.
#[derive(Object)]
struct ReadmeView {
    /// The file of the artifact that holds it.
    file: String,
    /// Its path inside.
    path: String,
    /// The text as HTML, cleaned: no script, style, picture, form, `id` or `class`, and links that lead to
    /// `http`, `https` and `mailto` addresses only. Absent for a text that is no Markdown that a person would write.
    #[oai(skip_serializing_if_is_none)]
    html: Option<String>,
    /// The text as it is.
    text: String,
    /// Whether the text is longer than what is shown of it.
    truncated: bool,
}

#[OpenApi(tag = "Group::Artifacts")]
impl Files {
    /// List the files of an artifact.
    ///
    /// Each with what the last recomputation of its digest came to.
    #[oai(path = "/artifacts/:id/files", method = "get", operation_id = "list_artifact_files")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// The id of the artifact.
        id: Path<String>,
        /// At most so many, 1 to 200.
        #[oai(default = "default_limit")]
        limit: Query<u32>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<FilePage>, Refused> {
        let limit = listing::limit(limit.0)?;
        let id = parse_id(&id)?;
        let filter = caller.filter("files", &[&Some(id.to_string())]);
        let key = |key: &[u8]| String::from_utf8(key.to_vec()).ok();
        let after = cursor.0.as_deref().map(|text| filter.open_bytes(text, key)).transpose()?;
        let (repository, artifact) = app.keeper.artifact(&caller.principal, id).await?;
        let page = listing::page(artifact.files, |file| file.name.clone(), after.as_deref(), limit);
        let next_cursor = NextCursor::of(&page, |last| filter.seal_bytes(last.name.as_bytes()));
        let mut looks = app.keeper.looks(id, &page.items).await?;
        let view = |file: ArtifactFile| {
            let look = looks.remove(&file.name);
            CheckedFileView::of(FileView::of(file, &repository.address, &caller.facts.base_url), look)
        };
        Ok(Json(FilePage { items: page.items.into_iter().map(view).collect(), next_cursor }))
    }

    /// Download a file of an artifact.
    ///
    /// As an attachment under its own name; ranges and conditions are honoured. A file whose name has a folder is
    /// named in the query of `/artifacts/{id}/file`. With the header `X-Keeper-Request`, which the pages send when they
    /// show a file, it is no download of the version.
    #[oai(path = "/artifacts/:id/files/:file", method = "get", operation_id = "download_artifact_file")]
    async fn download(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// The id of the artifact.
        id: Path<String>,
        /// The name of the file, for example `v1.0.0.zip`.
        file: Path<String>,
        request: &Request,
    ) -> Result<Download, Refused> {
        download(&app, &caller, &id, &file, request).await
    }

    /// Download a file of an artifact by any name.
    ///
    /// As `/artifacts/{id}/files/{file}`, for names that have folders, too.
    #[oai(path = "/artifacts/:id/file", method = "get", operation_id = "download_artifact_file_by_name")]
    async fn download_by_name(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// The id of the artifact.
        id: Path<String>,
        /// The name of the file, for example `linux/tool.tar.gz`.
        name: Query<String>,
        request: &Request,
    ) -> Result<Download, Refused> {
        download(&app, &caller, &id, &name, request).await
    }

    /// Look into an archive.
    ///
    /// A folder is listed, a file is shown as text up to 256 KiB; nothing is rendered by its type. Without `path`
    /// the listing begins at the folder that holds everything.
    #[oai(path = "/artifacts/:id/contents", method = "get", operation_id = "get_artifact_contents")]
    #[allow(clippy::too_many_arguments)]
    async fn contents(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// The id of the artifact.
        id: Path<String>,
        /// The folder (with a slash at its end) or file inside the archive.
        path: Query<Option<String>>,
        /// Which file of the artifact to look into; default: the first archive.
        file: Query<Option<String>>,
        /// At most so many entries of a folder, 1 to 200.
        #[oai(default = "default_limit")]
        limit: Query<u32>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<ContentsView>, Refused> {
        let limit = listing::limit(limit.0)? as usize;
        let id = parse_id(&id)?;
        let (repository, artifact) = app.keeper.artifact(&caller.principal, id).await?;
        let file = archive_of(&artifact, file.0)?;
        let answer = served(&repository, artifact, |name| name == file)?;
        let listing = app.archives.listing(&app.keeper, &answer).await?;
        let path = path.0.unwrap_or_else(|| archive::root(&listing).to_owned());
        refuse_climbing(&path)?;
        if listing.contains_key(&path) {
            return Ok(Json(text_of(&app, &answer, file, path).await?));
        }
        if !(path.is_empty() || path.ends_with('/')) {
            return Err(no_entry(&path).into());
        }
        let filter = caller.filter("contents", &[&Some(id.to_string()), &Some(file.clone()), &Some(path.clone())]);
        let key = |key: &[u8]| String::from_utf8(key.to_vec()).ok();
        let after = cursor.0.as_deref().map(|text| filter.open_bytes(text, key)).transpose()?;
        let page = archive::folder(&listing, &path, after.as_deref(), limit);
        if page.items.is_empty() && !path.is_empty() && after.is_none() {
            return Err(no_entry(&path).into());
        }
        let next_cursor = NextCursor::of(&page, |last| filter.seal_bytes(last.path.as_bytes()));
        let items = page.items.into_iter().map(|entry| EntryView::of(entry, &path)).collect();
        let kind = "folder".to_owned();
        Ok(Json(ContentsView { file, path, kind, items, next_cursor, text: None, truncated: false, size: None }))
    }

    /// Read the README of an artifact.
    ///
    /// As its format found it. Markdown comes rendered and cleaned; other texts as they are.
    #[oai(path = "/artifacts/:id/readme", method = "get", operation_id = "get_artifact_readme")]
    async fn readme(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller,
        /// The id of the artifact.
        id: Path<String>,
    ) -> Result<Json<ReadmeView>, Refused> {
        let (repository, artifact) = app.keeper.artifact(&caller.principal, parse_id(&id)?).await?;
        let what = artifact.coordinate.clone();
        let readme = artifact.about.readme.clone();
        let gate = served(&repository, artifact, |name| readme.as_ref().is_none_or(|readme| readme.file == name));
        let none = || Failure::new(&codes::FILE_NOT_FOUND, format!("{what} has no README"));
        let (answer, readme) = (gate?, readme.ok_or_else(none)?);
        let limit = markdown::SOURCE_BYTES as u64;
        let content = app.archives.read(&app.keeper, &answer, &readme.entry, limit).await?.ok_or_else(none)?;
        let truncated = content.is_cut();
        let text = String::from_utf8_lossy(&content.bytes).into_owned();
        let html = if is_markdown(&readme.entry) { rendered(text.clone()).await? } else { None };
        Ok(Json(ReadmeView { file: readme.file, path: readme.entry, html, text, truncated }))
    }
}

async fn download(app: &App, caller: &Caller, id: &str, name: &str, request: &Request) -> Result<Download, Refused> {
    // The pages show a file, too: nobody uses a version by reading of it.
    let downloaded = !origin::is_a_pages(request.headers());
    let answer = app.keeper.file_of(&caller.principal, parse_id(id)?, name, downloaded).await?;
    let head = request.method() == Method::HEAD;
    let mut response = response::respond(&app.keeper, &answer, request.headers(), head).await?;
    response.headers_mut().insert(CONTENT_DISPOSITION, attachment(name));
    Ok(Download(response))
}

/// Rendering costs time: a blocking thread has it.
async fn rendered(text: String) -> Result<Option<String>, Failure> {
    let rendered = tokio::task::spawn_blocking(move || markdown::render(&text)).await;
    rendered.map_err(|error| Failure::new(&codes::INTERNAL, "rendering a README ended abnormally").caused_by(error))
}

fn is_markdown(path: &str) -> bool {
    let name = path.to_ascii_lowercase();
    [".md", ".markdown", "readme"].iter().any(|ending| name.ends_with(ending))
}

/// The file to look into: the one named, or the first archive.
fn archive_of(artifact: &Artifact, named: Option<String>) -> Result<String, Failure> {
    let first = || artifact.files.iter().find(|file| file.media_type == MediaType::ZIP).map(|file| file.name.clone());
    let file = named.or_else(first);
    // A tombstone has no files; what to say of it is the gate's.
    let gone = artifact.files.is_empty().then(String::new);
    file.or(gone).ok_or_else(|| {
        Failure::new(&codes::NOT_AN_ARCHIVE, format!("{} has no archive to look into", artifact.coordinate))
    })
}

fn no_entry(path: &str) -> Failure {
    let detail = format!("the archive has no entry {:?}", shorten(path));
    Failure::new(&codes::FILE_NOT_FOUND, detail).field("path").hint("A folder's path ends with a slash.")
}

/// What leads upwards or to the root of a disk is no place in an archive, and nobody who asks for it means one.
fn refuse_climbing(path: &str) -> Result<(), Failure> {
    if path.starts_with('/') || path.split(['/', '\\']).any(|part| matches!(part, "." | "..")) {
        let detail = "a path within the archive does not begin with / and has no . or .. in it";
        return Err(Failure::new(&codes::INVALID_FIELD, detail).field("path"));
    }
    Ok(())
}

async fn text_of(app: &App, answer: &Answer, file: String, path: String) -> Result<ContentsView, Failure> {
    let content = app.archives.read(&app.keeper, answer, &path, TEXT_BYTES).await?.ok_or_else(|| no_entry(&path))?;
    let truncated = content.is_cut();
    Ok(ContentsView {
        file,
        path,
        kind: "file".to_owned(),
        items: Vec::new(),
        next_cursor: NextCursor(None),
        text: as_text(&content.bytes, truncated),
        truncated,
        size: Some(content.size),
    })
}

/// The text that these bytes are, if they are one. A cut may have gone through a character.
fn as_text(bytes: &[u8], is_cut: bool) -> Option<String> {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if is_cut && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return None,
    };
    (!whole.contains('\0')).then(|| whole.to_owned())
}

impl EntryView {
    fn of(entry: archive::Entry, folder: &str) -> Self {
        let name = entry.path.strip_prefix(folder).unwrap_or(&entry.path).trim_end_matches('/').to_owned();
        let kind = if entry.size.is_some() { "file" } else { "folder" };
        Self { name, path: entry.path, kind: kind.to_owned(), size: entry.size }
    }
}

/// A file on its way. Its headers and statuses are those of every file that leaves the server.
struct Download(Response);

impl IntoResponse for Download {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for Download {
    fn meta() -> MetaResponses {
        let bytes = MetaMediaType {
            // Each file has the type of its kind; one of JSON is no text to whoever reads the document.
            content_type: "*/*",
            schema: MetaSchemaRef::Inline(Box::new(MetaSchema { format: Some("binary"), ..MetaSchema::ANY })),
        };
        let response = |status, description, content| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content,
            headers: Vec::new(),
        };
        let whole = MetaMediaType { content_type: bytes.content_type, schema: bytes.schema.clone() };
        MetaResponses {
            responses: vec![
                response(200, "The file, with the content type of its kind", vec![whole]),
                response(206, "The range that was asked for", vec![bytes]),
                response(304, "The caller has it already", Vec::new()),
                response(416, "The range lies outside the file", Vec::new()),
            ],
        }
    }

    fn register(_registry: &mut Registry) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_and_other_bytes_are_not() {
        assert_eq!(as_text("é".as_bytes(), false).as_deref(), Some("é"));
        assert_eq!(as_text(&"aé".as_bytes()[..2], true).as_deref(), Some("a"), "a cut through a character");
        assert_eq!(as_text(&"aé".as_bytes()[..2], false), None);
        assert_eq!(as_text(b"\x7fELF\0", false), None);
        assert_eq!(as_text(b"\xff\xfe", true), None);
    }

    #[test]
    fn markdown_is_known_by_its_name() {
        for (path, expected) in
            [("m@v1/README.md", true), ("README", true), ("README.txt", false), ("README.rst", false)]
        {
            assert_eq!(is_markdown(path), expected, "{path}");
        }
    }
}
