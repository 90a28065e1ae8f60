//! What the repository's other versions say of a new one.
//!
//! ```text
//! v1.2.0 exists and retracts [v1.0.0, v1.1.9]; v1.1.5 is uploaded         W11 version_retracted
//! github.com/sirupsen/m exists; github.com/Sirupsen/m is uploaded         W17 case_twin, or 409 case_conflict
//! ```
//!
//! Go takes two paths that differ only in case for two modules, so the second is refused only where the
//! repository's setting `unique_ignoring_case` says so.

use keeper_core::artifact::{StoreError, Warning};
use keeper_core::error::{Failure, codes};
use keeper_core::format::{Inspection, RepositoryView};

use crate::absent::shown;
use crate::inspect::metadata::Metadata;
use crate::inspect::warnings::{CASE_TWIN, VERSION_RETRACTED, warning};
use crate::modfile::Retract;

/// The setting under which paths must differ in more than case.
pub const UNIQUE_IGNORING_CASE: &str = "unique_ignoring_case";

/// Compares a candidate with what the repository holds.
///
/// # Errors
/// `case_conflict`, or trouble of the view.
pub async fn confirm(candidate: &Inspection, view: &dyn RepositoryView) -> Result<Vec<Warning>, Failure> {
    let mut warnings = Vec::new();
    warnings.extend(retracted(candidate, view).await?);
    warnings.extend(case_twin(candidate, view).await?);
    Ok(warnings)
}

async fn retracted(candidate: &Inspection, view: &dyn RepositoryView) -> Result<Option<Warning>, StoreError> {
    let coordinate = &candidate.coordinate;
    let version = coordinate.version.as_str();
    let others = view.artifacts(&coordinate.package).await?;
    // The newest one has the last word in Go, too.
    for other in others.iter().rev().filter(|other| other.version != coordinate.version) {
        let retracts = Metadata::of(&other.metadata).retracts.into_iter();
        let mut ranges = retracts.map(|range| Retract { low: range.low, high: range.high, rationale: range.rationale });
        if let Some(range) = ranges.find(|range| range.covers(version)) {
            let why = if range.rationale.is_empty() { String::new() } else { format!(": {}", shown(&range.rationale)) };
            let text =
                format!("{} retracts {version} already{why}; 'go get' does not choose it by itself", other.version);
            return Ok(Some(warning(VERSION_RETRACTED, text)));
        }
    }
    Ok(None)
}

async fn case_twin(candidate: &Inspection, view: &dyn RepositoryView) -> Result<Option<Warning>, Failure> {
    let package = &candidate.coordinate.package;
    let twins = view.case_twins(package).await?;
    let Some(twin) = twins.iter().find(|twin| *twin != package) else { return Ok(None) };
    let detail = format!(
        "{} differs only in case from {}, which is in this repository",
        shown(package.as_str()),
        shown(twin.as_str())
    );
    if view.settings().flag(UNIQUE_IGNORING_CASE) {
        return Err(Failure::new(&codes::CASE_CONFLICT, detail).field("name"));
    }
    Ok(Some(warning(CASE_TWIN, format!("{detail}; Go takes them for two modules"))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use async_trait::async_trait;
    use bytes::Bytes;
    use jiff::Timestamp;
    use keeper_core::artifact::{
        ArtifactSummary, ContentId, Coordinate, Extent, FilePath, FileSummary, Label, LabelQuery, PackageName, Page,
        VersionName,
    };
    use keeper_core::repository::Settings;
    use keeper_core::upstream::Authority;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Default)]
    struct View {
        settings: Settings,
        artifacts: Vec<ArtifactSummary>,
        twins: Vec<PackageName>,
    }

    #[async_trait]
    impl RepositoryView for View {
        fn settings(&self) -> &Settings {
            &self.settings
        }

        fn repository(&self) -> &str {
            "local"
        }

        async fn versions(&self, _: &PackageName) -> Result<Option<Vec<VersionName>>, StoreError> {
            Ok(None)
        }

        async fn artifacts(&self, _: &PackageName) -> Result<Vec<ArtifactSummary>, StoreError> {
            Ok(self.artifacts.clone())
        }

        fn url(&self) -> &str {
            ""
        }

        async fn files(&self, _: &PackageName) -> Result<Vec<FileSummary>, StoreError> {
            Ok(Vec::new())
        }

        async fn packages(&self, _: Option<&PackageName>, _: u32) -> Result<Page<PackageName>, StoreError> {
            Ok(Page { items: Vec::new(), more: false })
        }

        async fn labels(&self, _: &PackageName, _: LabelQuery<'_>) -> Result<Vec<Label>, StoreError> {
            Ok(Vec::new())
        }

        async fn case_twins(&self, _: &PackageName) -> Result<Vec<PackageName>, StoreError> {
            Ok(self.twins.clone())
        }

        async fn small(&self, _: &FilePath, _: u64) -> Result<Option<Bytes>, Failure> {
            Ok(None)
        }

        fn authority(&self, _: &str) -> Option<Arc<dyn Authority>> {
            None
        }
    }

    fn name(text: &str) -> PackageName {
        PackageName::try_from(text).expect("a name")
    }

    fn version(text: &str) -> VersionName {
        VersionName::try_from(text).expect("a version")
    }

    fn candidate(package: &str, number: &str) -> Inspection {
        Inspection {
            coordinate: Coordinate { package: name(package), version: version(number) },
            extent: Extent::Whole,
            content: ContentId(String::new()),
            purl: String::new(),
            checksums: BTreeMap::new(),
            metadata: Value::Null,
            dependencies: Vec::new(),
            labels: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The view above is always ready.
    fn confirmed(candidate: &Inspection, view: &View) -> Result<Vec<Warning>, Failure> {
        match pin!(confirm(candidate, view)).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => panic!("nothing to wait for"),
        }
    }

    #[test]
    fn a_version_that_was_retracted_beforehand_is_told() {
        let metadata = json!({"retracts": [{"low": "v1.0.0", "high": "v1.1.9", "rationale": "lost data"}]});
        let existing = ArtifactSummary {
            version: version("v1.2.0"),
            published_at: Timestamp::UNIX_EPOCH,
            checksums: BTreeMap::new(),
            metadata,
        };
        let view = View { artifacts: vec![existing], ..View::default() };
        for (number, is_told) in
            [("v1.1.5", true), ("v1.0.0", true), ("v0.9.0", false), ("v1.2.0", false), ("v1.3.0", false)]
        {
            let warnings = confirmed(&candidate("ex.com/m", number), &view).expect("no refusal");
            assert_eq!(warnings.iter().any(|warning| warning.code == VERSION_RETRACTED), is_told, "{number}");
            assert!(!is_told || warnings[0].message.contains("lost data"));
        }
    }

    #[test]
    fn a_twin_is_told_or_refused_as_the_settings_say() {
        let mut view = View { twins: vec![name("ex.com/m")], ..View::default() };
        let upload = candidate("ex.com/M", "v1.0.0");
        assert_eq!(confirmed(&upload, &view).expect("a warning")[0].code, CASE_TWIN);
        view.settings.0.insert(UNIQUE_IGNORING_CASE.to_owned(), Value::Bool(true));
        assert_eq!(confirmed(&upload, &view).expect_err("a refusal").code().name, "case_conflict");
        view.twins.clear();
        assert_eq!(confirmed(&upload, &view).expect("nothing"), []);
    }
}
