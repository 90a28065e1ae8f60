//! What the repository's other versions say of a new one, and the checksum database of a copy (`copied`).
//!
//! ```text
//! v1.2.0 exists and retracts [v1.0.0, v1.1.9]; v1.1.5 is uploaded         W11 version_retracted
//! github.com/sirupsen/m exists; github.com/Sirupsen/m is uploaded         W17 case_twin, or 409 case_conflict
//! ```
//!
//! Go takes two paths that differ only in case for two modules, so the second is refused only where the
//! repository's setting `unique_ignoring_case` says so.

use keeper_core::artifact::{Coordinate, StoreError, Warning};
use keeper_core::error::{Failure, codes};
use keeper_core::format::{Confirmation, Inspection, RepositoryView};
use keeper_core::repository::RepositoryKind;

use crate::absent::shown;
use crate::index::{Candidate, highest};
use crate::inspect::claim;
use crate::inspect::warnings::{CASE_TWIN, VERSION_RETRACTED, warning};

mod copied;

/// The setting under which paths must differ in more than case.
pub const UNIQUE_IGNORING_CASE: &str = "unique_ignoring_case";

/// How many of the highest versions are looked at for the one that speaks for the module: a few, and more where no
/// release is among those. Publishing costs the same however many versions there are.
const HIGHEST: [u32; 2] = [16, 256];

/// Compares a candidate with what the repository holds.
///
/// # Errors
/// `case_conflict`, `name_reserved`, `upstream_invalid`, or trouble of the view; those of `copied`.
pub async fn confirm(candidate: &Inspection, view: &dyn RepositoryView) -> Result<Confirmation, Failure> {
    if view.kind() == RepositoryKind::Remote {
        return copied::confirm(candidate, view).await;
    }
    // Taken over from elsewhere: nobody is asked who could settle a doubt, and Go's own names stay Go's.
    copied::undoubted(candidate)?;
    claim::check_reserved(candidate.coordinate.package.as_str())?;
    let mut warnings = Vec::new();
    warnings.extend(retracted(candidate, view).await?);
    warnings.extend(case_twin(candidate, view).await?);
    Ok(warnings.into())
}

async fn retracted(candidate: &Inspection, view: &dyn RepositoryView) -> Result<Option<Warning>, StoreError> {
    let version = &candidate.coordinate.version;
    let Some(speaker) = speaker(candidate, view).await?.filter(|one| one.version.as_str() != version.as_str()) else {
        return Ok(None);
    };
    let range = speaker.retracts.iter().find(|range| range.covers(version.as_str()));
    Ok(range.map(|range| {
        let why = if range.rationale.is_empty() { String::new() } else { format!(": {}", shown(&range.rationale)) };
        let text =
            format!("{} retracts {version} already{why}; 'go get' does not choose it by itself", speaker.version);
        warning(VERSION_RETRACTED, text)
    }))
}

/// The version whose `go.mod` speaks for the module when the candidate is among its versions, as Go chooses it.
async fn speaker(candidate: &Inspection, view: &dyn RepositoryView) -> Result<Option<Candidate>, StoreError> {
    let Coordinate { package, version } = &candidate.coordinate;
    let mut known = Vec::new();
    for limit in HIGHEST {
        let others = view.highest(package, limit).await?;
        let others = others.iter().filter(|other| other.version != *version);
        // What cannot be read says nothing; who asks for the latest version is told of the damage.
        known = others.filter_map(|other| Candidate::read(other).ok()).collect();
        if known.iter().any(Candidate::is_release) {
            break;
        }
    }
    known.extend(Candidate::of(version, &candidate.metadata).ok());
    known.sort_by(|one, other| one.version.cmp(&other.version));
    let speaks = highest(&known.iter().collect::<Vec<_>>()).map(|speaker| speaker.version.clone());
    Ok(known.into_iter().find(|one| Some(&one.version) == speaks.as_ref()))
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

    use keeper_core::artifact::{ContentId, Extent, VersionName};
    use keeper_core::catalog::About;
    use serde_json::json;

    use super::*;
    use crate::inspect::warnings::GO_MOD_UNREADABLE;
    use crate::testing::{MemoryView, package, ready};

    fn candidate(name: &str, version: &str) -> Inspection {
        let version = VersionName::try_from(version).expect("a version");
        Inspection {
            coordinate: Coordinate { package: package(name), version },
            extent: Extent::Whole,
            content: ContentId(String::new()),
            purl: String::new(),
            checksums: BTreeMap::new(),
            metadata: json!({}),
            dependencies: Vec::new(),
            labels: Vec::new(),
            warnings: Vec::new(),
            about: About::default(),
        }
    }

    #[test]
    fn a_version_that_was_retracted_beforehand_is_told() {
        let mut view = MemoryView::default();
        let retracts = json!([{"low": "v1.0.0", "high": "v1.1.9", "rationale": "lost data"}]);
        view.add("ex.com/m", "v1.2.0", json!({ "retracts": retracts }));
        for (number, is_told) in
            [("v1.1.5", true), ("v1.0.0", true), ("v0.9.0", false), ("v1.2.0", false), ("v1.3.0", false)]
        {
            let warnings = ready(confirm(&candidate("ex.com/m", number), &view)).expect("no refusal").warnings;
            assert_eq!(warnings.iter().any(|warning| warning.code == VERSION_RETRACTED), is_told, "{number}");
            assert!(!is_told || warnings[0].message.contains("lost data"));
        }
    }

    #[test]
    fn what_is_taken_over_is_neither_doubtful_nor_gos_own() {
        let view = MemoryView::default();
        let mut doubtful = candidate("ex.com/m", "v1.0.0");
        doubtful.warnings.push(warning(GO_MOD_UNREADABLE, "a page"));
        assert_eq!(ready(confirm(&doubtful, &view)).expect_err("a page").code().name, "upstream_invalid");
        let toolchain = candidate("golang.org/toolchain", "v0.0.1-go1.21.0.linux-amd64");
        assert_eq!(ready(confirm(&toolchain, &view)).expect_err("Go's own").code().name, "name_reserved");
        assert!(ready(confirm(&toolchain, &MemoryView::default().of_kind(RepositoryKind::Remote))).is_ok());
    }

    #[test]
    fn the_version_that_speaks_for_the_module_in_go_is_the_one_that_is_asked() {
        let retracts = json!({ "has_go_mod": true, "retracts": [{"low": "v1.0.0", "high": "v1.9.0"}] });
        let silent = json!({});
        // What is there beside v1.1.0, which retracts; what comes; whether it is told.
        let prereleases: Vec<_> = (0..100).map(|number| format!("v1.2.0-rc.{number}")).collect();
        let prereleases: Vec<_> = prereleases.iter().map(String::as_str).collect();
        let rows: [(&[&str], &str, bool); 6] = [
            (&[], "v1.0.0", true),
            (&prereleases, "v1.0.0", true),
            (&prereleases[..3], "v1.0.5-rc.1", true),
            // A higher one without the lines has the last word.
            (&["v1.2.0"], "v1.0.0", false),
            // The candidate itself will have it.
            (&[], "v1.3.0", false),
            (&["v2.0.0+incompatible"], "v1.0.0", true),
        ];
        for (others, number, is_told) in rows {
            let mut view = MemoryView::default();
            view.add("ex.com/m", "v1.1.0", retracts.clone());
            others.iter().for_each(|other| view.add("ex.com/m", other, silent.clone()));
            let warnings = ready(confirm(&candidate("ex.com/m", number), &view)).expect("no refusal").warnings;
            let told = warnings.iter().any(|warning| warning.code == VERSION_RETRACTED);
            assert_eq!(told, is_told, "{number} beside {} others", others.len());
        }
    }

    #[test]
    fn a_twin_is_told_or_refused_as_the_settings_say() {
        let upload = candidate("ex.com/M", "v1.0.0");
        let view = MemoryView::with("ex.com/m", &["v1.0.0"]);
        assert_eq!(ready(confirm(&upload, &view)).expect("a warning").warnings[0].code, CASE_TWIN);
        let strict = json!({ UNIQUE_IGNORING_CASE: true });
        let refused = ready(confirm(&upload, &view.set(strict.clone()))).expect_err("a refusal");
        assert_eq!(refused.code().name, "case_conflict");
        let alone = MemoryView::default().set(strict);
        assert_eq!(ready(confirm(&upload, &alone)).expect("nothing").warnings, []);
    }
}
