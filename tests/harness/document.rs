//! What the API's document promises, held against every answer that a test gets from the API: its status and content
//! type are declared for the operation.
//!
//! Not promised for each operation are statuses of HTTP itself (RFC 9110), which come before any operation.

use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;

use super::http::Response;

/// A length or a target that is not accepted, an expectation, another host, headers too large.
const OF_HTTP: [u16; 7] = [408, 411, 413, 414, 417, 421, 431];

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("the document is JSON")
});

/// Judges the answer to a request for a path of the server. Paths and methods without an operation promise nothing.
#[track_caller]
pub(crate) fn hold(method: &str, target: &str, answer: &Response) {
    let path = target.split('?').next().unwrap_or(target);
    let Some(operation) = operation(method, path) else { return };
    if OF_HTTP.contains(&answer.status) {
        return;
    }
    let declared = &operation["responses"][answer.status.to_string()];
    let pointer = declared["$ref"].as_str().map(|reference| reference.trim_start_matches('#'));
    let declared = pointer.map_or(Some(declared), |pointer| DOCUMENT.pointer(pointer)).expect("a shared answer");
    let shown = || String::from_utf8_lossy(&answer.body).into_owned();
    assert!(!declared.is_null(), "{method} {target}: {} is not declared: {}", answer.status, shown());
    let kinds = declared["content"].as_object().map(|content| content.keys().cloned().collect::<Vec<_>>());
    let kind = answer.header("content-type").filter(|_| !answer.body.is_empty());
    if let (Some(kinds), Some(kind)) = (kinds, kind) {
        let is_declared = kinds.iter().any(|known| known == kind || known == "*/*");
        assert!(is_declared, "{method} {target}: {} as {kind:?} is not one of {kinds:?}: {}", answer.status, shown());
    }
}

fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let asked: Vec<_> = path.strip_prefix("/api/")?.split('/').collect();
    let fits = |template: &str| {
        let known: Vec<_> = template.trim_start_matches('/').split('/').collect();
        known.len() == asked.len() && known.iter().zip(&asked).all(|(one, asked)| one.starts_with('{') || one == asked)
    };
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    let (_, item) = paths.iter().find(|(template, _)| fits(template))?;
    item.get(if method == "HEAD" { "get".to_owned() } else { method.to_ascii_lowercase() })
}
