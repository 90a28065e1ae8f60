//! `/api/formats`: the ecosystems that this server speaks with.

use std::sync::Arc;

use keeper_core::format::{Capability, FormatHandler, UploadField};
use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::types::Any;
use poem_openapi::{Object, OpenApi};
use serde_json::Value;

use super::Group;
use super::cursor::NextCursor;
use crate::http::{App, Refused};

pub(super) struct Formats;

/// The formats of this server.
#[derive(Object)]
struct FormatPage {
    /// In order of key.
    items: Vec<FormatView>,
    /// Always `null`: all formats fit on one page.
    next_cursor: NextCursor,
}

/// An ecosystem, served by a plugin.
#[derive(Object)]
struct FormatView {
    /// Its key, which is also the first segment of its addresses.
    #[oai(validator(max_length = 32))]
    key: String,
    /// For people.
    name: String,
    /// The version of the plugin.
    version: String,
    /// What it can do: `publish` (takes uploads), `labels` (branch and tag names lead to versions), `authority`
    /// (passes on a checksum database), `doctor` (judges a client's settings).
    capabilities: Vec<String>,
    /// The JSON schema of the settings of its repositories.
    settings_schema: Any<Value>,
    /// Fields of the upload form that only this format knows.
    upload_fields: Vec<UploadFieldView>,
    /// What is accepted at most.
    limits: FormatLimits,
}

/// A field of the upload form.
#[derive(Object)]
struct UploadFieldView {
    /// Its name.
    name: String,
    /// What it does.
    help: String,
}

/// What a format accepts at most.
#[derive(Object)]
struct FormatLimits {
    /// Bytes of an upload: the least of what the format and this server's settings allow.
    upload_bytes: u64,
}

#[OpenApi(tag = "Group::Clients")]
impl Formats {
    /// List formats.
    ///
    /// The ecosystems that this server speaks with, in order of key. Needs no login.
    #[oai(path = "/formats", method = "get", operation_id = "list_formats")]
    async fn list(&self, app: Data<&Arc<App>>) -> Result<Json<FormatPage>, Refused> {
        let most = app.admission.max_upload_bytes;
        let items = app.keeper.ports().registry.iter().map(|(_, handler)| FormatView::of(handler, most)).collect();
        Ok(Json(FormatPage { items, next_cursor: NextCursor(None) }))
    }
}

impl FormatView {
    fn of(handler: &Arc<dyn FormatHandler>, most_upload_bytes: u64) -> Self {
        let info = handler.info();
        let field = |field: &UploadField| UploadFieldView { name: field.name.to_owned(), help: field.help.to_owned() };
        Self {
            key: info.key.to_owned(),
            name: info.title.to_owned(),
            version: handler.version().to_owned(),
            capabilities: handler.capabilities().iter().copied().map(Capability::as_str).map(str::to_owned).collect(),
            // Each format tests that its schema is one.
            settings_schema: Any(serde_json::from_str(info.settings_schema).unwrap_or_default()),
            upload_fields: info.upload_fields.iter().map(field).collect(),
            limits: FormatLimits { upload_bytes: info.max_upload_bytes.min(most_upload_bytes) },
        }
    }
}
