//! A format for tests of first start: it has settings and a set-up text, and nobody asks it for more.

use std::sync::Arc;

use async_trait::async_trait;
use keeper_core::artifact::{Coordinate, SortKey, VersionName};
use keeper_core::blob::ReadSeek;
use keeper_core::error::Failure;
use keeper_core::format::{
    Claim, Confirmation, Document, FileSink, FormatHandler, FormatInfo, FormatRequest, InspectError, Inspection,
    Purpose, RepositoryView, Route, SetupTarget, SetupText,
};
use keeper_core::plugin::Registry;
use keeper_core::repository::Settings;
use keeper_core::upstream::AuthoritySpec;

#[derive(Debug)]
struct Handler;

static INFO: FormatInfo = FormatInfo {
    key: crate::config::first_start::REPOSITORIES[0].format,
    title: "Test",
    max_upload_bytes: 1,
    ..FormatInfo::PLAIN
};

pub(crate) fn registry() -> Registry {
    Registry::of([Arc::new(Handler) as Arc<dyn FormatHandler>]).expect("one format")
}

#[async_trait]
impl FormatHandler for Handler {
    fn info(&self) -> &'static FormatInfo {
        &INFO
    }

    fn settings(&self, mut given: Settings) -> Result<Settings, Failure> {
        given.0.insert("strict".to_owned(), true.into());
        Ok(given)
    }

    fn authorities(&self, _settings: &Settings) -> Vec<AuthoritySpec> {
        Vec::new()
    }

    fn route(&self, _request: &FormatRequest<'_>) -> Result<Route, Failure> {
        unreachable!("first start routes nothing")
    }

    async fn index(&self, _route: &Route, _view: &dyn RepositoryView) -> Result<Document, Failure> {
        unreachable!("first start routes nothing")
    }

    fn absent(&self, _coordinate: &Coordinate, _repository: &str, _known: Option<&[VersionName]>) -> Failure {
        unreachable!("first start serves nothing")
    }

    fn inspect(
        &self,
        _claim: &Claim<'_>,
        _input: &mut dyn ReadSeek,
        _out: &mut dyn FileSink,
    ) -> Result<Inspection, InspectError> {
        unreachable!("first start publishes nothing")
    }

    async fn confirm(&self, _candidate: &Inspection, _view: &dyn RepositoryView) -> Result<Confirmation, Failure> {
        unreachable!("first start publishes nothing")
    }

    fn sort_key(&self, _version: &VersionName) -> SortKey {
        unreachable!("first start sorts nothing")
    }

    fn login_hint(&self, _host: &str, _https: bool) -> String {
        String::new()
    }

    fn setup(&self, target: &SetupTarget<'_>) -> Vec<SetupText> {
        vec![SetupText {
            id: "shell",
            title: "Set up the client",
            purpose: Purpose::Read,
            language: "sh",
            path: None,
            text: format!("export PROXY={}\n", target.repository_url),
            notes: Vec::new(),
        }]
    }
}
