//! Go modules: the GOPROXY protocol, and what makes an upload a module.
//!
//! ```text
//! request   route ──▶ a stored file: the platform serves it, or has it fetched
//!                 └─▶ index, merge, summary, sumdb or pages: computed from the repository's view
//! upload    inspect ──▶ archive, canonical, modfile, info ──▶ confirm
//! copy      remote, takeover ──▶ inspect::upstream ──▶ confirm, which asks the checksum database
//! rules     path, version, pseudo, vendor, fold, dirhash
//! texts     absent, error, setup, doctor, pages
//! ```
//!
//! [`GoModules`] joins them to the platform and registers itself; nothing else knows this crate. A module is a
//! package, a module version an artifact with three files: `.info`, `.mod` and `.zip`.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use jiff::Timestamp;
use keeper_core::artifact::{Coordinate, PackageName, SortKey, VersionName};
use keeper_core::blob::ReadSeek;
use keeper_core::catalog::PackageSummary;
use keeper_core::error::{Code, Failure, codes};
use keeper_core::format::{
    Capability, Claim, Confirmation, DoctorTarget, Document, FileSink, Finding, FormatHandler, FormatInfo,
    FormatRequest, Gate, InspectError, Inspection, Recorded, RepositoryView, Route, SetupTarget, SetupText, Takeover,
    UploadField, Want,
};
use keeper_core::media_type::MediaType;
use keeper_core::plugin::FormatPlugin;
use keeper_core::repository::Settings;
use keeper_core::upstream::AuthoritySpec;
use serde_json::Value;

pub mod absent;
pub mod archive;
pub mod canonical;
pub mod confirm;
pub mod dirhash;
pub mod doctor;
pub mod error;
pub mod fold;
pub mod index;
pub mod info;
pub mod inspect;
pub mod limits;
pub mod merge;
pub mod modfile;
pub mod pages;
pub mod path;
pub mod pattern;
pub mod pseudo;
pub mod remote;
pub mod requests;
pub mod route;
pub mod settings;
pub mod setup;
pub mod sumdb;
pub mod summary;
mod takeover;
#[cfg(test)]
mod testing;
pub mod vendor;
pub mod version;

/// The format `go`.
#[derive(Debug)]
pub struct GoModules;

keeper_core::inventory::submit! { FormatPlugin::new(|| Arc::new(GoModules)) }

static CODES: LazyLock<Vec<&'static Code>> = LazyLock::new(|| [error::ALL, sumdb::ALL].concat());

static INFO: LazyLock<FormatInfo> = LazyLock::new(|| FormatInfo {
    key: "go",
    title: "Go modules",
    settings_schema: settings::SCHEMA,
    upload_fields: &[UploadField {
        name: "fork",
        help: "true: go.mod may declare another module; the version is then usable through replace only.",
    }],
    request_headers: &[route::DISABLE_MODULE_FETCH],
    codes: &CODES,
    max_upload_bytes: limits::MODULE_BYTES,
    ..FormatInfo::PLAIN
});

#[async_trait]
impl FormatHandler for GoModules {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn settings(&self, given: Settings) -> Result<Settings, Failure> {
        settings::check(given)
    }

    fn authorities(&self, settings: &Settings) -> Vec<AuthoritySpec> {
        settings::database(settings).into_iter().collect()
    }

    fn route(&self, request: &FormatRequest<'_>) -> Result<Route, Failure> {
        route::route(request)
    }

    async fn index(&self, route: &Route, view: &dyn RepositoryView) -> Result<Document, Failure> {
        let foreign = || Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by("a route of another format");
        let (Want::Index(key) | Want::Page(key)) = &route.want else { return Err(foreign()) };
        let package: Result<&PackageName, Failure> = route.package.as_ref().ok_or_else(foreign);
        match key.kind {
            route::LIST => index::list(package?, view).await,
            route::LATEST => index::latest_info(package?, view).await,
            route::REVISION => index::revision_info(package?, &key.subject, view).await,
            route::SUMDB => sumdb::document(&key.subject, view).await,
            route::HELP => Ok(pages::help(view.repository(), &key.subject, view.kind())),
            route::GO_GET => Ok(pages::go_get(&key.subject)),
            _ => Err(foreign()),
        }
    }

    fn absent(&self, coordinate: &Coordinate, repository: &str, known: Option<&[VersionName]>) -> Failure {
        absent::version(coordinate, repository, known)
    }

    fn inspect(
        &self,
        claim: &Claim<'_>,
        input: &mut dyn ReadSeek,
        out: &mut dyn FileSink,
    ) -> Result<Inspection, InspectError> {
        inspect::inspect(claim, input, out)
    }

    async fn confirm(&self, candidate: &Inspection, view: &dyn RepositoryView) -> Result<Confirmation, Failure> {
        confirm::confirm(candidate, view).await
    }

    fn family(&self, package: &PackageName) -> PackageName {
        remote::family(package)
    }

    fn above(&self, package: &PackageName) -> Vec<PackageName> {
        remote::above(package)
    }

    fn covers(&self, pattern: &str, package: &PackageName) -> bool {
        remote::covers(pattern, package)
    }

    fn check_pattern(&self, pattern: &str) -> Result<(), String> {
        remote::check_pattern(pattern)
    }

    fn upstream_path(&self, route: &Route) -> Option<String> {
        remote::upstream_path(route)
    }

    fn relayed_as(&self, route: &Route, settings: &Settings, recorded: &Recorded) -> Option<MediaType> {
        remote::relayed_as(route, settings, recorded)
    }

    fn upstream_limit_bytes(&self, route: &Route) -> u64 {
        remote::upstream_limit_bytes(route)
    }

    fn proof(&self, package: &PackageName) -> Option<Route> {
        Some(route::index(route::LIST, "", package.clone()))
    }

    fn merge(&self, route: &Route, parts: &[Document], gate: &dyn Gate) -> Result<Document, Failure> {
        merge::merge(route, parts, gate)
    }

    fn made_at(&self, metadata: &Value) -> Option<Timestamp> {
        remote::made_at(metadata)
    }

    fn time_file(&self, what: &Coordinate) -> Option<Route> {
        remote::time_file(what)
    }

    async fn withdraws(
        &self,
        what: &Coordinate,
        admitted: &[VersionName],
        view: &dyn RepositoryView,
    ) -> Result<bool, Failure> {
        remote::withdraws(what, admitted, view).await
    }

    async fn summary(
        &self,
        package: &PackageName,
        versions: &[VersionName],
        view: &dyn RepositoryView,
    ) -> Result<PackageSummary, Failure> {
        summary::summary(package, versions, view).await
    }

    fn takeover(&self) -> Option<&dyn Takeover> {
        Some(&takeover::Places)
    }

    fn sort_key(&self, version: &VersionName) -> SortKey {
        match version::GoVersion::parse(version.as_str()) {
            Ok(version) => SortKey(version::sort_key(&version)),
            // Lower than any version; only canonical ones are stored.
            Err(_) => SortKey(Vec::new()),
        }
    }

    fn login_hint(&self, host: &str, https: bool) -> String {
        setup::login_hint(host, https)
    }

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::Publish, Capability::Labels, Capability::Authority, Capability::Doctor]
    }

    fn setup(&self, target: &SetupTarget<'_>) -> Vec<SetupText> {
        setup::texts(target)
    }

    fn doctor(&self, report: &str, target: &DoctorTarget<'_>) -> Result<Vec<Finding>, Failure> {
        doctor::diagnose(report, target)
    }

    fn requests(&self, package: &str, version: Option<&str>) -> Result<Vec<String>, Failure> {
        requests::requests(package, version)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::io::{self, Cursor, Write};

    use keeper_core::artifact::FilePath;
    use keeper_core::format::{IndexKey, MaxAge, NewFile};
    use keeper_core::media_type::MediaType;

    use super::*;
    use crate::testing::{MemoryView, ready};

    fn answer(path: &str, query: &str) -> Result<Document, Failure> {
        let request = FormatRequest { verb: "GET", path, query, headers: &[], repository_url: "https://h/go/r" };
        let view = MemoryView::with("e.com/M", &["v1.0.0"]);
        let route = GoModules.route(&request)?;
        ready(GoModules.index(&route, &view))
    }

    #[test]
    fn every_computed_document_has_its_media_type() {
        let rows = [
            ("/e.com/!m/@v/list", "", MediaType::TEXT),
            ("/e.com/!m/@latest", "", MediaType::JSON),
            ("/sumdb/sum.golang.org/supported", "", MediaType::TEXT),
            ("/", "", MediaType::TEXT),
            ("/x.y/z", "go-get=1", MediaType::HTML),
        ];
        for (path, query, wanted) in rows {
            assert_eq!(answer(path, query).expect(path).media_type, wanted, "{path}");
        }
        assert_eq!(answer("/e.com/!m/@v/main.info", "").expect_err("no such branch").code().name, "version_not_found");
    }

    #[test]
    fn a_route_of_another_format_is_a_fault_and_no_panic() {
        let mut route = GoModules
            .route(&FormatRequest { verb: "GET", path: "/", query: "", headers: &[], repository_url: "" })
            .expect("the help page");
        for kind in ["other", route::LIST] {
            route.want = Want::Index(IndexKey { kind, subject: String::new() });
            let failure = ready(GoModules.index(&route, &MemoryView::default())).expect_err("a fault");
            assert_eq!(failure.code().name, "internal");
        }
        assert_eq!(route.max_age, MaxAge::Revalidate);
    }

    /// Takes files and keeps their addresses.
    #[derive(Default)]
    struct Addresses(Vec<FilePath>, io::Sink);

    impl FileSink for Addresses {
        fn keep(&mut self, file: NewFile) -> io::Result<()> {
            self.create(file).map(drop)
        }

        fn create(&mut self, file: NewFile) -> io::Result<&mut dyn Write> {
            self.0.push(file.path);
            Ok(&mut self.1)
        }
    }

    #[test]
    fn what_is_stored_is_found_at_the_address_that_clients_ask() {
        let mut upload = zip::ZipWriter::new(Cursor::new(Vec::new()));
        upload.start_file("go.mod", zip::write::SimpleFileOptions::default()).expect("memory");
        upload.write_all(b"module github.com/Azure/m\n").expect("memory");
        let mut input = upload.finish().expect("memory");
        let claim = Claim {
            name: Some("github.com/Azure/m"),
            version: Some("v1.0.0-RC.1"),
            labels: &[],
            origin_url: None,
            origin_ref: None,
            fields: &BTreeMap::new(),
            received_at: Timestamp::UNIX_EPOCH,
            size: input.get_ref().len() as u64,
            settings: &Settings::default(),
            upstream: None,
        };
        let mut stored = Addresses::default();
        let inspection = GoModules.inspect(&claim, &mut input, &mut stored).expect("a module");
        for extension in ["info", "mod", "zip"] {
            let path = format!("/github.com/%21azure/m/@v/v1.0.0-%21r%21c.1.{extension}");
            let request = FormatRequest { verb: "GET", path: &path, query: "", headers: &[], repository_url: "" };
            let Want::File { path, coordinate } = GoModules.route(&request).expect("a route").want else {
                panic!("{path} is a file");
            };
            assert!(stored.0.contains(&path), "{path} is not among {:?}", stored.0);
            assert_eq!(coordinate, inspection.coordinate);
        }
        assert_eq!(stored.0.len(), 3);
    }

    #[test]
    fn its_codes_are_unique_and_none_is_the_platforms() {
        let own: Vec<_> = GoModules.info().codes.iter().map(|code| code.name).collect();
        let all: BTreeSet<_> = codes::ALL.iter().map(|code| code.name).chain(own.iter().copied()).collect();
        assert_eq!(all.len(), codes::ALL.len() + own.len());
        for code in GoModules.info().codes {
            assert!(!code.title.is_empty() && !code.hint.is_empty(), "{} lacks a text", code.name);
        }
    }

    #[test]
    fn sort_keys_follow_the_order_of_go() {
        let key = |name: &str| GoModules.sort_key(&VersionName::try_from(name).expect(name));
        let ordered = ["main", "v0.9.0", "v1.0.0-rc.1", "v1.0.0", "v1.10.0", "v2.0.0+incompatible"];
        assert!(ordered.windows(2).all(|pair| key(pair[0]) < key(pair[1])));
    }
}
