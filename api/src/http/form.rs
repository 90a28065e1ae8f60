//! An upload form as a stream: text fields and one file, in any order, in constant memory.
//!
//! poem's own multipart type keeps whole files; here each chunk of the file goes to the blob store's stage
//! as it comes. Bounds: those of the [`FormRules`], [`HEADER_BYTES`] of headers per part, a boundary of at
//! most [`BOUNDARY_BYTES`] (RFC 2046, 5.1.1).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use keeper_core::blob::{BlobError, BlobStore, StagedBlob};
use keeper_core::error::{Failure, Problem, codes};
use multer::{Field, Multipart};

use super::shared_body::broken_off;

const HEADER_BYTES: usize = 8 * 1024;
const BOUNDARY_BYTES: usize = 70;
/// Bytes taken from the body while a part's headers are awaited; a chunk may hold more than the headers.
const AWAITING_HEADER_BYTES: usize = 64 * 1024;
/// A file without a file name and shorter than this, which is no archive, is probably a forgotten `@`.
const FORGOTTEN_AT_BYTES: u64 = 4 * 1024;

/// How the body's own guard says that a part's headers do not end.
const ENDLESS_HEADERS: std::io::ErrorKind = std::io::ErrorKind::FileTooLarge;

/// What a form may hold.
#[derive(Clone, Copy)]
pub(crate) struct FormRules {
    /// The field of the file.
    file: &'static str,
    /// Parts at most.
    parts: usize,
    /// Bytes of a text field at most.
    text_bytes: usize,
    /// Whether texts are judged as people type them: one line without blanks around it, each field once but
    /// `label`, and a file that is one.
    typed: bool,
}

impl FormRules {
    /// The form of `POST /api/artifacts`.
    pub(crate) const API: Self = Self { file: "file", parts: 32, text_bytes: 8 * 1024, typed: true };

    /// A form of an ecosystem's own client, which sends what it likes: a description is a text of many lines.
    pub(crate) const fn native(file: &'static str) -> Self {
        Self { file, parts: 256, text_bytes: 256 * 1024, typed: false }
    }
}

/// A form, read to its end.
pub(crate) struct Form {
    /// The text fields in order.
    pub(crate) texts: Vec<(String, String)>,
    /// The file, staged.
    pub(crate) file: Option<Box<dyn StagedBlob>>,
    /// What is wrong with the fields so far.
    pub(crate) problems: Vec<Problem>,
}

/// Is asked when the file is about to come, with the text fields that came before it.
pub(crate) type BeforeFile<'a> =
    dyn Fn(&[(String, String)]) -> futures_util::future::BoxFuture<'a, Result<(), Failure>> + Send + Sync + 'a;

/// The boundary that a content type names.
///
/// # Errors
/// 415 for another type, 400 for a boundary that is none.
pub(crate) fn boundary(content_type: Option<&str>) -> Result<String, Failure> {
    let given = content_type.unwrap_or("nothing");
    if !given.trim_start().to_ascii_lowercase().starts_with("multipart/form-data") {
        let shown: String = given.chars().take(80).flat_map(char::escape_debug).collect();
        return Err(Failure::new(
            &codes::UNSUPPORTED_MEDIA_TYPE,
            format!("expected multipart/form-data, got {shown}"),
        )
        .hint("curl -H \"Authorization: Bearer $TOKEN\" -F file=@module.zip -F format=go -F name=... -F version=... <this address>"));
    }
    let boundary = multer::parse_boundary(given).map_err(|_| invalid("the content type names no boundary"))?;
    if boundary.is_empty() || boundary.len() > BOUNDARY_BYTES {
        return Err(invalid("the boundary has more than 70 characters, or none"));
    }
    Ok(boundary)
}

/// Reads a form. Faults of single fields are collected; faults of the form itself end it.
///
/// # Errors
/// A malformed form, a limit, a body that came too slowly, trouble of the storage.
pub(crate) async fn read<S>(
    body: S,
    boundary: String,
    rules: FormRules,
    blobs: &dyn BlobStore,
    limit_bytes: u64,
    before_file: &BeforeFile<'_>,
) -> Result<Form, Failure>
where
    S: Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static,
{
    let budget = Arc::new(AtomicUsize::new(AWAITING_HEADER_BYTES));
    let mut parts = Multipart::new(metered(body, budget.clone()), boundary);
    let mut form = Form { texts: Vec::new(), file: None, problems: Vec::new() };
    let mut count = 0;
    loop {
        budget.store(AWAITING_HEADER_BYTES, Ordering::Relaxed);
        let Some(field) = parts.next_field().await.map_err(|error| broken(&error))? else { break };
        budget.store(usize::MAX, Ordering::Relaxed);
        count += 1;
        if count > rules.parts {
            return Err(invalid(&format!("the form has more than {} parts", rules.parts)));
        }
        check_headers(&field)?;
        let Some(name) = field.name().map(str::to_owned) else {
            return Err(invalid("a part of the form has no name"));
        };
        if name == rules.file {
            if form.file.is_some() {
                form.problems.push(duplicate(&name));
                skip(field).await?;
                continue;
            }
            before_file(&form.texts).await?;
            form.file = Some(stage(field, rules, blobs, limit_bytes, &mut form.problems).await?);
            continue;
        }
        match text(field, &name, rules).await? {
            Ok(_) if rules.typed && name != "label" && form.texts.iter().any(|(known, _)| *known == name) => {
                form.problems.push(duplicate(&name));
            }
            Ok(value) => form.texts.push((name, value)),
            Err(problem) => form.problems.push(problem),
        }
    }
    Ok(form)
}

/// The body, which breaks off when a part's headers do not end.
fn metered<S>(body: S, budget: Arc<AtomicUsize>) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static
where
    S: Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static,
{
    body.map(move |chunk| {
        let chunk = chunk?;
        let left = budget.load(Ordering::Relaxed);
        if left == 0 {
            return Err(std::io::Error::new(ENDLESS_HEADERS, "the headers of a part do not end"));
        }
        if left != usize::MAX {
            budget.store(left.saturating_sub(chunk.len()), Ordering::Relaxed);
        }
        Ok(chunk)
    })
}

fn check_headers(field: &Field<'_>) -> Result<(), Failure> {
    let bytes: usize = field.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if bytes > HEADER_BYTES {
        return Err(invalid("the headers of a part are longer than 8 KiB"));
    }
    Ok(())
}

async fn stage(
    mut field: Field<'_>,
    rules: FormRules,
    blobs: &dyn BlobStore,
    limit_bytes: u64,
    problems: &mut Vec<Problem>,
) -> Result<Box<dyn StagedBlob>, Failure> {
    let named = field.file_name().is_some();
    let mut staged = blobs.stage(limit_bytes).await?;
    let mut start: Vec<u8> = Vec::with_capacity(2);
    while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error))? {
        if start.len() < 2 {
            start.extend(chunk.iter().take(2 - start.len()));
        }
        staged.write(chunk).await.map_err(too_large)?;
    }
    if rules.typed && !named && staged.written().0 < FORGOTTEN_AT_BYTES && start != b"PK" {
        let problem = Problem::new(&codes::INVALID_FIELD, "the field file holds a text and not a file");
        problems.push(problem.hint("Did you forget the @? Write -F file=@module.zip.").field("file"));
    }
    Ok(staged)
}

fn too_large(error: BlobError) -> Failure {
    match error {
        BlobError::TooLarge { limit_bytes } => over_limit(limit_bytes),
        other => other.into(),
    }
}

/// The refusal of an upload that is too long.
pub(crate) fn over_limit(limit_bytes: u64) -> Failure {
    let text = format!("an upload has at most {limit_bytes} bytes here ({} MiB)", limit_bytes / (1024 * 1024));
    Failure::new(&codes::TOO_LARGE, text)
        .hint("The limit is the format's, or max_upload_bytes (KEEPER_MAX_UPLOAD_BYTES) where that is lower.")
        .field("file")
}

/// A text field; its own faults come back as a problem.
async fn text(mut field: Field<'_>, name: &str, rules: FormRules) -> Result<Result<String, Problem>, Failure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error))? {
        if bytes.len() + chunk.len() > rules.text_bytes {
            let limit = rules.text_bytes / 1024;
            let problem = Problem::new(&codes::TOO_LARGE, format!("the field {name:?} is longer than {limit} KiB"));
            return Err(problem.field(name).into());
        }
        bytes.extend_from_slice(&chunk);
    }
    let Ok(value) = String::from_utf8(bytes) else {
        return Ok(Err(Problem::new(&codes::INVALID_ENCODING, format!("the field {name:?} is not UTF-8")).field(name)));
    };
    if !rules.typed {
        return Ok(Ok(value));
    }
    let refuse =
        |what: &str| Ok(Err(Problem::new(&codes::INVALID_FIELD, format!("the field {name:?} {what}")).field(name)));
    if value.is_empty() {
        return refuse("is empty; leave it out, or give it a value");
    }
    if value.chars().any(char::is_control) {
        return refuse("holds a line end or another control character");
    }
    if value.trim() != value {
        return refuse("begins or ends with white space: remove the space");
    }
    Ok(Ok(value))
}

async fn skip(mut field: Field<'_>) -> Result<(), Failure> {
    while field.chunk().await.map_err(|error| broken(&error))?.is_some() {}
    Ok(())
}

fn duplicate(name: &str) -> Problem {
    let shown: String = name.chars().take(80).flat_map(char::escape_debug).collect();
    Problem::new(&codes::DUPLICATE_FIELD, format!("the field \"{shown}\" is given more than once")).field(shown)
}

fn invalid(detail: &str) -> Failure {
    Failure::new(&codes::MULTIPART_INVALID, detail)
}

/// Tells a malformed form from a body that broke off or came too slowly.
fn broken(error: &multer::Error) -> Failure {
    match error {
        multer::Error::StreamReadFailed(cause) => {
            if cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ENDLESS_HEADERS) {
                return invalid("the headers of a part are longer than 8 KiB");
            }
            broken_off(cause.as_ref())
        }
        multer::Error::IncompleteStream => invalid("the form ends before its last boundary"),
        multer::Error::IncompleteFieldData { .. } => invalid("the form ends inside a part"),
        other => invalid(&format!("the form cannot be read: {other}")),
    }
}
