//! What every refusal has in common, whatever was refused: its shape, and that nothing has changed.
//!
//! ```text
//! /api/…      application/problem+json with `code`, and all faults in `errors`
//! elsewhere   text that the go command prints whole: up to 5 lines and 600 bytes, printable, no blank line
//! both        X-Error-Code, X-Request-Id (also in the log), no-store unless an absence may be believed
//! after       the store is as it was, no unfinished file is left, the next good upload is accepted
//! ```
//!
//! Each check names the row of the table that it belongs to.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::archives;
use super::http::Response;
use super::raw_form::RawForm;
use super::server::Server;
use super::wait::until;

/// The setting under which routine refusals are in the log, too.
pub(crate) const LOG: (&str, &str) = ("KEEPER_LOG", "info,keeper_api=debug");

/// Everything that is stored, by names.
#[derive(Debug, PartialEq, Eq)]
struct Store {
    artifacts: Vec<String>,
    blobs: BTreeSet<PathBuf>,
    unfinished: BTreeSet<PathBuf>,
}

impl Store {
    fn of(server: &Server) -> Self {
        let all = |state: &str| {
            let page = server.api("GET", &format!("/api/artifacts?limit=200{state}"), None).expect(200).json();
            assert!(page["next_cursor"].is_null(), "the store of a test has one page");
            page["items"].as_array().expect("items").iter().map(Value::to_string).collect()
        };
        let artifacts: [Vec<String>; 2] = [all(""), all("&state=deleted")];
        let [blobs, unfinished] = ["blobs/sha256", "tmp"].map(|folder| files(&server.data().join(folder)));
        Self { artifacts: artifacts.concat(), blobs, unfinished }
    }
}

/// The files below a folder; none where there is no folder.
pub(crate) fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return BTreeSet::new(),
        entries => entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display())),
    };
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { BTreeSet::from([path]) }).collect()
}

/// A server, and how it was when nothing had been refused.
pub(crate) struct Refusals<'a> {
    server: &'a Server,
    before: Store,
}

impl<'a> Refusals<'a> {
    /// Looks at the server as it is now.
    pub(crate) fn by(server: &'a Server) -> Self {
        Self { server, before: Store::of(server) }
    }

    /// An answer of the API, with the codes of all faults in their order; gives its document.
    #[track_caller]
    pub(crate) fn api(&self, row: &str, answer: &Response, status: u16, codes: &[&str]) -> Value {
        let document = problem(row, answer, status, codes);
        self.after(row, answer);
        document
    }

    /// An answer on a format's path; gives its text.
    #[track_caller]
    pub(crate) fn text(&self, row: &str, answer: &Response, status: u16, code: &str) -> String {
        let text = text(row, answer, status, code);
        self.after(row, answer);
        text
    }

    #[track_caller]
    fn after(&self, row: &str, answer: &Response) {
        let id = answer.header("x-request-id").unwrap_or_else(|| panic!("{row}: no X-Request-Id"));
        until(&format!("{row}: the log has {id}"), || self.server.output().contains(id));
        self.unchanged(row);
    }

    /// The server is as it was, and accepts a good upload.
    #[track_caller]
    pub(crate) fn unchanged(&self, row: &str) {
        assert_eq!(Store::of(self.server), self.before, "{row}: the store has changed");
        let good = RawForm::module("example.com/good", "v1.0.0").text("repository", "local").text("dry_run", "true");
        let answer = good.file(archives::module(b"module example.com/good\n")).send(self.server);
        assert_eq!(answer.status, 200, "{row}: afterwards a good upload (a dry run) fails: {}", answer.text());
    }
}

/// The form of a refusal by the API.
#[track_caller]
pub(crate) fn problem(row: &str, answer: &Response, status: u16, codes: &[&str]) -> Value {
    common(row, answer, status, codes[0], "application/problem+json");
    let document = answer.json();
    let text = |value: &Value, key: &str| -> String {
        let text = value[key].as_str().unwrap_or_else(|| panic!("{row}: no {key} in {value:#}"));
        assert!(!text.trim().is_empty(), "{row}: {key} is blank in {value:#}");
        text.to_owned()
    };
    let errors = document["errors"].as_array().unwrap_or_else(|| panic!("{row}: no errors in {document:#}"));
    let found: Vec<_> = errors.iter().map(|error| text(error, "code")).collect();
    assert_eq!(found, codes, "{row}: {document:#}");
    for error in errors {
        text(error, "detail");
        text(error, "hint");
    }
    assert_eq!(document["status"], status, "{row}: {document:#}");
    assert_eq!(text(&document, "code"), codes[0], "{row}");
    assert_eq!(text(&document, "detail"), text(&errors[0], "detail"), "{row}");
    assert_eq!(text(&document, "type"), format!("/help/errors#{}", codes[0]), "{row}");
    assert_eq!(Some(&*text(&document, "request_id")), answer.header("x-request-id"), "{row}");
    text(&document, "title");
    text(&document, "hint");
    document
}

/// The form of a refusal that the go command prints.
#[track_caller]
pub(crate) fn text(row: &str, answer: &Response, status: u16, code: &str) -> String {
    common(row, answer, status, code, "text/plain; charset=utf-8");
    let text = answer.text();
    let lines: Vec<_> = text.lines().collect();
    assert!(text.len() <= 600 && lines.len() <= 5, "{row}: {} bytes in {} lines: {text}", text.len(), lines.len());
    assert!(lines.iter().all(|line| !line.trim().is_empty()), "{row}: a blank line: {text:?}");
    // Go drops a text with one character that is neither graphic nor white space; ours are plainer still.
    let is_plain = |c: char| c == '\n' || c == ' ' || c == '…' || c.is_ascii_graphic();
    assert!(text.chars().all(is_plain), "{row}: not printable: {text:?}");
    let class = match status {
        401 => "unauthorized: ",
        403 => "forbidden: ",
        404 => "not found: ",
        405 => "method not allowed: ",
        410 => "gone: ",
        500 => "internal error: ",
        502 | 504 | 508 => "bad gateway: ",
        503 | 507 => "unavailable: ",
        _ => "bad request: ",
    };
    assert!(text.starts_with(class), "{row}: {text:?} does not begin with {class:?}");
    let id = answer.header("x-request-id").unwrap_or_default();
    assert_eq!(lines.last(), Some(&&*format!("code={code} request={id}")), "{row}: {text}");
    text
}

#[track_caller]
fn common(row: &str, answer: &Response, status: u16, code: &str, content_type: &str) {
    let shown = String::from_utf8_lossy(&answer.body);
    assert_eq!((answer.status, answer.header("x-error-code")), (status, Some(code)), "{row}: {shown}");
    assert_eq!(answer.header("content-type"), Some(content_type), "{row}: {shown}");
    assert_eq!(answer.header("x-request-id").map(str::len), Some(12), "{row}: {shown}");
    let cached = answer.header("cache-control");
    let may_be_believed = matches!(status, 404 | 410) && cached == Some("public, max-age=60");
    assert!(cached == Some("no-store") || may_be_believed, "{row}: Cache-Control {cached:?}: {shown}");
    assert_eq!(answer.header("www-authenticate").is_some(), status == 401, "{row}: {shown}");
    assert_eq!(answer.header("allow").is_some(), status == 405, "{row}: {shown}");
}
