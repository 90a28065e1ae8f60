//! Raw files: whatever has a name, a version and bytes.
//!
//! ```text
//! PUT  /generic/files/tool/1.2.0/linux/tool.tar.gz     adds a file to tool 1.2.0
//! GET  /generic/files/tool/1.2.0/linux/tool.tar.gz     the file, with ranges
//! GET  /generic/files/tool/1.2.0/                      its files, as text, JSON or HTML
//! ```
//!
//! A version gets its files one by one, or by several uploads at once; a file that is there never changes.
//! [`GenericFiles`] joins the parts to the platform and registers itself: [`route`] understands addresses,
//! [`names`] judges them, [`inspect`] takes an upload, [`order`] sorts versions, [`listing`] writes folders, `merge`
//! joins them, and [`setup`] tells users how to send and fetch.
//!
//! Any file server is an upstream that lays its files out as name, version and path; its own listings are not read.

use std::sync::Arc;

use async_trait::async_trait;
use keeper_core::artifact::{Coordinate, SortKey, VersionName};
use keeper_core::blob::ReadSeek;
use keeper_core::error::{Failure, codes};
use keeper_core::format::{
    Change, Claim, Document, FileSink, FormatHandler, FormatInfo, FormatRequest, Gate, InspectError, Inspection,
    Recorded, RepositoryView, Route, SetupTarget, SetupText, UploadField, Want,
};
use keeper_core::media_type::MediaType;
use keeper_core::plugin::FormatPlugin;
use keeper_core::repository::Settings;

pub mod error;
pub mod inspect;
pub mod listing;
pub mod media;
mod merge;
pub mod names;
pub mod order;
pub mod route;
pub mod setup;

/// Bytes of one file at most: 5 GiB, beyond which a single upload is no longer sensible.
pub const FILE_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// The form field that says where in its version a file lies.
pub const PATH_FIELD: &str = "path";

/// The format `generic`.
#[derive(Debug)]
pub struct GenericFiles;

keeper_core::inventory::submit! { FormatPlugin::new(|| Arc::new(GenericFiles)) }

static INFO: FormatInfo = FormatInfo {
    key: "generic",
    title: "Generic files",
    upload_fields: &[UploadField {
        name: PATH_FIELD,
        help: "generic: where in its version the file lies, for example linux/tool.tar.gz.",
    }],
    request_headers: &["accept"],
    absolute_links: true,
    codes: error::ALL,
    max_upload_bytes: FILE_BYTES,
    ..FormatInfo::PLAIN
};

#[async_trait]
impl FormatHandler for GenericFiles {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn route(&self, request: &FormatRequest<'_>) -> Result<Route, Failure> {
        route::route(request)
    }

    async fn index(&self, route: &Route, view: &dyn RepositoryView) -> Result<Document, Failure> {
        match &route.want {
            Want::Index(key) => listing::document(key, route.package.as_ref(), view).await,
            _ => Err(Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by("no index of this format")),
        }
    }

    fn absent(&self, coordinate: &Coordinate, repository: &str, known: Option<&[VersionName]>) -> Failure {
        error::absent(coordinate, repository, known)
    }

    fn inspect(
        &self,
        claim: &Claim<'_>,
        input: &mut dyn ReadSeek,
        out: &mut dyn FileSink,
    ) -> Result<Inspection, InspectError> {
        inspect::inspect(claim, input, out)
    }

    fn upstream_path(&self, route: &Route) -> Option<String> {
        let Want::File { path, .. } = &route.want else { return None };
        let parts: Vec<_> = path.as_str().split('/').map(|part| keeper_core::path::escape(part, b"+")).collect();
        Some(parts.join("/"))
    }

    /// No authority knows raw files, and all that is judged of them is their address.
    fn relayed_as(&self, route: &Route, _settings: &Settings, _recorded: &Recorded) -> Option<MediaType> {
        let Want::File { path, .. } = &route.want else { return None };
        Some(media::of(path.as_str()))
    }

    fn merge(&self, route: &Route, parts: &[Document], gate: &dyn Gate) -> Result<Document, Failure> {
        merge::merge(route, parts, gate)
    }

    fn change(&self, route: &Route, _body: &[u8]) -> Result<Change, Failure> {
        route::deletion(route)
    }

    fn sort_key(&self, version: &VersionName) -> SortKey {
        order::sort_key(version.as_str())
    }

    fn setup(&self, target: &SetupTarget<'_>) -> Vec<SetupText> {
        setup::texts(target)
    }

    fn login_hint(&self, _host: &str, _https: bool) -> String {
        "With curl: -H \"Authorization: Bearer <token>\", or -u any:<token>.".to_owned()
    }
}
