//! What is to be said of a module's versions together: the latest, those taken back, the module given up.
//!
//! Retractions and the notice of deprecation count only in the `go.mod` of the highest version, chosen as
//! [`index`](crate::index) chooses it without looking at retractions; that version may retract itself.
//! Sources: `CheckRetractions` and `CheckDeprecation` in `cmd/go/internal/modload`.

use keeper_core::artifact::{PackageName, VersionName};
use keeper_core::catalog::{PackageSummary, Step, VersionMarks};
use keeper_core::error::Failure;
use keeper_core::format::RepositoryView;

use crate::index::{Candidate, highest, latest};
use crate::modfile::Retract;
use crate::pseudo::is_pseudo;
use crate::version::GoVersion;

/// What is said of these versions, which are all of the module's in order.
///
/// # Errors
/// What the view reports.
pub async fn summary(
    package: &PackageName,
    versions: &[VersionName],
    view: &dyn RepositoryView,
) -> Result<PackageSummary, Failure> {
    let candidates: Vec<Candidate> =
        view.artifacts(package).await?.iter().map(Candidate::read).collect::<Result<_, _>>()?;
    let all: Vec<&Candidate> = candidates.iter().collect();
    let speaker = highest(&all);
    let retracts = speaker.map_or(&[][..], |speaker| &speaker.retracts);
    let marks = |version: &VersionName| Some((version.clone(), marks(version.as_str(), retracts)?));
    Ok(PackageSummary {
        latest: latest(&candidates).and_then(|version| VersionName::try_from(version.as_str()).ok()),
        deprecated: speaker.and_then(|speaker| speaker.deprecated.clone()),
        said_by: speaker.and_then(|speaker| VersionName::try_from(speaker.version.as_str()).ok()),
        marks: versions.iter().filter_map(marks).collect(),
    })
}

fn marks(version: &str, retracts: &[Retract]) -> Option<VersionMarks> {
    let parsed = GoVersion::parse(version).ok()?;
    let is_pseudo = is_pseudo(version);
    let parts = parsed.parts();
    let step = match (parts.minor, parts.patch) {
        ("0", "0") => Step::Major,
        (_, "0") => Step::Minor,
        _ => Step::Patch,
    };
    let retracted = retracts.iter().find(|retract| retract.covers(version)).map(|retract| retract.rationale.clone());
    let notes = [(is_pseudo, "pseudo-version"), (parsed.is_incompatible(), "+incompatible")];
    Some(VersionMarks {
        step: if is_pseudo { Step::Patch } else { step },
        prerelease: parsed.is_prerelease() && !is_pseudo,
        retracted,
        deprecated: None,
        notes: notes.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note).collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{MemoryView, package, ready};

    const OLD: &str = "v0.0.0-20191109021931-daa7c04131f5";

    fn of(view: &MemoryView, versions: &[&str]) -> PackageSummary {
        let versions: Vec<_> = versions.iter().map(|text| VersionName::try_from(*text).expect(text)).collect();
        ready(summary(&package("e.com/m"), &versions, view)).expect("a summary")
    }

    #[test]
    fn the_highest_version_speaks_for_all() {
        let mut view = MemoryView::default();
        let silent = json!({ "has_go_mod": true, "deprecated": "no longer said" });
        view.add("e.com/m", "v1.0.0", silent.clone());
        view.add("e.com/m", "v1.1.0", silent);
        let retracts = json!([{ "low": "v1.1.0", "high": "v1.1.1", "rationale": "lost <b>data</b>" }]);
        let last = json!({ "has_go_mod": true, "retracts": retracts, "deprecated": "use e.com/n" });
        view.add("e.com/m", "v1.1.1", last);
        let said = of(&view, &["v1.0.0", "v1.1.0", "v1.1.1"]);
        assert_eq!(said.latest.as_ref().map(VersionName::as_str), Some("v1.0.0"));
        assert_eq!(said.deprecated.as_deref(), Some("use e.com/n"));
        let retracted = |text| said.marks[&VersionName::try_from(text).expect(text)].retracted.as_deref();
        assert_eq!(said.said_by.as_ref().map(VersionName::as_str), Some("v1.1.1"));
        assert_eq!(retracted("v1.0.0"), None);
        assert_eq!(retracted("v1.1.0"), Some("lost <b>data</b>"));
        assert_eq!(retracted("v1.1.1"), Some("lost <b>data</b>"));
    }

    #[test]
    fn each_version_has_its_marks_listed_or_not() {
        let view = MemoryView::with("e.com/m", &["v1.0.0"]);
        let said = of(&view, &[OLD, "v1.0.0", "v1.2.0", "v1.2.3-rc.1", "v2.0.0+incompatible"]);
        let marks = |text| said.marks[&VersionName::try_from(text).expect(text)].clone();
        assert_eq!(
            (marks(OLD).step, marks(OLD).prerelease, marks(OLD).notes),
            (Step::Patch, false, vec!["pseudo-version"])
        );
        assert_eq!(marks("v1.0.0").step, Step::Major);
        assert_eq!(marks("v1.2.0").step, Step::Minor);
        assert!(marks("v1.2.3-rc.1").prerelease);
        assert_eq!(marks("v2.0.0+incompatible").notes, ["+incompatible"]);
    }

    #[test]
    fn a_module_without_listed_versions_has_no_latest() {
        assert_eq!(of(&MemoryView::default(), &["v1.0.0"]).latest, None);
    }
}
