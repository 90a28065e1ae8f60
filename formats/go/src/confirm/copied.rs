//! What the checksum database says of an upstream's file before it is kept.
//!
//! ```text
//! verify    database has the sum   another sum                  no record              trouble, or a lie
//! require   kept, vouched for      upstream_checksum_mismatch   404                    502, 504
//! record    the same               the same                     kept as "unverified"   the same
//! off       kept without asking, and so is what a nosumdb pattern covers
//! ```
//!
//! Of a `.info` no database knows. A doubt of the inspection is settled by the database alone: that a `go.mod` does not
//! read, if it has its sum, and that a `go.mod` is not the one in the zip, if it has the sums of both.
//!
//! Errors: `upstream_checksum_mismatch`, `upstream_unverified`, `upstream_invalid`, `version_not_found`, and what the
//! platform's client reports of the database.

use keeper_core::artifact::Warning;
use keeper_core::error::{Failure, codes};
use keeper_core::format::{Confirmation, Inspection, RepositoryView};
use keeper_core::upstream::UpstreamError;
use serde_json::{Map, Value};

use crate::absent::{self, shown};
use crate::inspect::upstream::{GO_MOD_H1, H1};
use crate::inspect::warnings::{GO_MOD_DIFFERS, GO_MOD_UNREADABLE};
use crate::merge::invalid;
use crate::path::ModulePath;
use crate::settings::{self, Verify};
use crate::sumdb::client::{Database, Fault};
use crate::version::GoVersion;

/// Asks the checksum database about a copy, as the settings say.
///
/// # Errors
/// See the header.
pub(super) async fn confirm(candidate: &Inspection, view: &dyn RepositoryView) -> Result<Confirmation, Failure> {
    let doubt = doubt(candidate);
    let copy = Copy::of(candidate)?;
    let verify = settings::verify(view.settings());
    if verify == Verify::Off || candidate.checksums.is_empty() || copy.is_never_asked(view)? {
        return undoubted(candidate).map(|()| Confirmation::default());
    }
    match copy.record(view).await {
        Ok((record, database)) => {
            let compared = copy.compare(&record, &database, &candidate.checksums);
            match doubt {
                None => compared?,
                // What nobody vouches for and nobody can read is a page of a web site more often than an attack.
                Some(doubt) if doubt.code == GO_MOD_UNREADABLE => compared.map_err(|_| refused(doubt))?,
                Some(_) => {
                    compared?;
                    let recorded = view.recorded(&candidate.coordinate).await?.unwrap_or_default();
                    copy.compare(&record, &database, &recorded.checksums)?;
                }
            }
            let metadata = Map::from_iter([("verified_by".to_owned(), Value::from(database))]);
            Ok(Confirmation { vouched: true, metadata, ..Confirmation::default() })
        }
        Err(Refusal::NoRecord(failure)) => {
            undoubted(candidate)?;
            let metadata = Map::from_iter([("unverified".to_owned(), Value::Bool(true))]);
            match verify {
                Verify::Record => Ok(Confirmation { metadata, ..Confirmation::default() }),
                _ => Err(failure),
            }
        }
        Err(Refusal::Other(failure)) => Err(failure),
    }
}

/// Refuses a copy about which the inspection has a doubt that nobody settles.
///
/// # Errors
/// `upstream_invalid`.
pub(super) fn undoubted(candidate: &Inspection) -> Result<(), Failure> {
    doubt(candidate).map_or(Ok(()), |doubt| Err(refused(doubt)))
}

fn doubt(candidate: &Inspection) -> Option<&Warning> {
    candidate.warnings.iter().find(|warning| matches!(warning.code.as_str(), GO_MOD_UNREADABLE | GO_MOD_DIFFERS))
}

fn refused(doubt: &Warning) -> Failure {
    invalid("module", &doubt.message)
}

/// Why there is no record to compare with.
enum Refusal {
    /// The database has none.
    NoRecord(Failure),
    Other(Failure),
}

/// The version that is copied.
struct Copy {
    module: ModulePath,
    version: GoVersion,
}

impl Copy {
    fn of(candidate: &Inspection) -> Result<Self, Failure> {
        let foreign = |fault: String| Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by(fault);
        let coordinate = &candidate.coordinate;
        let module = ModulePath::parse(coordinate.package.as_str()).map_err(absent::no_module_path)?;
        let version = GoVersion::parse(coordinate.version.as_str()).map_err(|fault| foreign(fault.to_string()))?;
        Ok(Self { module, version })
    }

    fn shown(&self) -> String {
        format!("{}@{}", shown(self.module.as_str()), shown(self.version.as_str()))
    }

    /// Whether a pattern forbids to ask any database about the module; the toolchains of Go are not anybody's own.
    fn is_never_asked(&self, view: &dyn RepositoryView) -> Result<bool, Failure> {
        let patterns = settings::nosumdb(view.settings())
            .map_err(|fault| Failure::new(&codes::INTERNAL, codes::INTERNAL.title).caused_by(fault))?;
        Ok(patterns.iter().any(|pattern| pattern.matches(&self.module)))
    }

    /// The proved record of the version, and the name of the database.
    async fn record(&self, view: &dyn RepositoryView) -> Result<(String, String), Refusal> {
        let unverified = |why: &str| {
            let detail = format!("{} could not be verified: {why}", self.shown());
            Refusal::Other(Failure::new(&codes::UPSTREAM_UNVERIFIED, detail))
        };
        let no_database = "the repository's settings name no checksum database, but want it to be asked";
        let spec = settings::database(view.settings()).ok_or_else(|| unverified(no_database))?;
        let authority = view.authority(&spec.name).ok_or_else(|| unverified(no_database))?;
        let no_key = "the repository's settings name a checksum database without its key";
        let key = settings::database_key(view.settings()).ok_or_else(|| unverified(no_key))?;
        let name = shown(&spec.name);
        match Database::new(&key, &*authority).record(&self.module, &self.version).await {
            Ok(record) => Ok((record, spec.name)),
            Err(Fault::Absent) => {
                let detail = format!("{}: {name} has no record of it", self.shown());
                let hint = "The repository keeps only what the checksum database vouches for (setting verify).";
                Err(Refusal::NoRecord(Failure::new(&codes::VERSION_NOT_FOUND, detail).hint(hint)))
            }
            Err(Fault::Upstream(error)) => Err(Refusal::Other(self.unasked(error, &name))),
            Err(Fault::Store(error)) => Err(Refusal::Other(error.into())),
            Err(Fault::Unproven(why)) => Err(unverified(&format!("{name}: {}", shown(&why)))),
            Err(Fault::Forked) => {
                Err(unverified(&format!("{name} has shown two trees that contradict each other; do not trust it")))
            }
        }
    }

    /// The database cannot be asked: the same code as for an upstream, but a text that says which server it is.
    fn unasked(&self, error: UpstreamError, database: &str) -> Failure {
        let told = Failure::from(error);
        let detail = format!("{} has to vouch for {}: {}", database, self.shown(), told.code().title);
        let mut failure = Failure::new(told.code(), detail);
        (failure.retry_after_s, failure.cause) = (told.retry_after_s, told.cause);
        failure
    }

    /// Compares sums with the record's.
    fn compare<'s>(
        &self,
        record: &str,
        database: &str,
        sums: impl IntoIterator<Item = (&'s String, &'s String)>,
    ) -> Result<(), Failure> {
        for (name, sum) in sums {
            let (file, what) = match name.as_str() {
                H1 => ("", "zip"),
                GO_MOD_H1 => ("/go.mod", "go.mod"),
                _ => continue,
            };
            let start = format!("{} {}{file} ", self.module, self.version);
            let of_file = |line: &&str| line.strip_prefix(&start).is_some_and(|sum| sum.starts_with("h1:"));
            match record.lines().find(of_file).map(|line| &line[start.len()..]) {
                Some(known) if known == sum => {}
                Some(known) => {
                    let known = shown(known);
                    let detail =
                        format!("{}: the upstream's {what} has {sum}, {} has {known}", self.shown(), shown(database));
                    return Err(Failure::new(&codes::UPSTREAM_CHECKSUM_MISMATCH, detail));
                }
                None => {
                    let detail =
                        format!("{}: the record of {} has no sum of its {what}", self.shown(), shown(database));
                    return Err(Failure::new(&codes::UPSTREAM_UNVERIFIED, detail));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use keeper_core::artifact::{ContentId, Extent};
    use keeper_core::catalog::About;
    use keeper_core::repository::RepositoryKind;
    use serde_json::json;

    use super::*;
    use crate::absent::tests::assert_printable;
    use crate::inspect::warnings::warning;
    use crate::sumdb::testing::TestLog;
    use crate::testing::{MemoryView, coordinate, ready};

    /// A file of `e.com/m3` v1.0.0, whose sums a log of five records has.
    fn candidate(sums: &[(&str, &str)], doubt: Option<&str>) -> Inspection {
        Inspection {
            coordinate: coordinate("e.com/m3", "v1.0.0"),
            extent: Extent::Part,
            content: ContentId(String::new()),
            purl: String::new(),
            checksums: sums.iter().map(|(name, sum)| ((*name).to_owned(), (*sum).to_owned())).collect(),
            metadata: Value::Null,
            dependencies: Vec::new(),
            labels: Vec::new(),
            warnings: doubt.map(|code| warning(code, "a doubt")).into_iter().collect(),
            about: About::default(),
        }
    }

    fn view(log: &TestLog, settings: Value) -> MemoryView {
        let mut all = json!({ "checksum_database": format!("{} https://log.example/sum", log.key()) });
        all.as_object_mut().expect("an object").extend(settings.as_object().cloned().unwrap_or_default());
        let view = MemoryView::default().set(all).of_kind(RepositoryKind::Remote);
        view.database().answers(log.answers(&[3], log.records.len()));
        view
    }

    fn confirmed(candidate: &Inspection, view: &MemoryView) -> Result<(bool, Value), &'static str> {
        match ready(confirm(candidate, view)) {
            Ok(confirmation) => Ok((confirmation.vouched, Value::Object(confirmation.metadata))),
            Err(failure) => {
                assert_printable(&failure, "confirm");
                Err(failure.code().name)
            }
        }
    }

    const ZIP: (&str, &str) = (H1, "h1:zip3=");
    const MOD: (&str, &str) = (GO_MOD_H1, "h1:mod3=");
    const EVIL: (&str, &str) = (H1, "h1:evil=");

    #[test]
    fn a_copy_is_kept_when_the_database_has_its_sum() {
        let log = TestLog::new(5);
        let by = json!({ "verified_by": "log.example" });
        let nothing = json!({});
        type Row<'a> = (Value, &'a [(&'a str, &'a str)], Result<(bool, &'a Value), &'a str>);
        let rows: [Row<'_>; 10] = [
            (json!({}), &[ZIP], Ok((true, &by))),
            (json!({}), &[MOD], Ok((true, &by))),
            (json!({}), &[EVIL], Err("upstream_checksum_mismatch")),
            (json!({}), &[(GO_MOD_H1, "h1:zip3=")], Err("upstream_checksum_mismatch")),
            (json!({ "verify": "record" }), &[EVIL], Err("upstream_checksum_mismatch")),
            (json!({ "verify": "record" }), &[ZIP], Ok((true, &by))),
            (json!({ "verify": "off" }), &[EVIL], Ok((false, &nothing))),
            (json!({ "nosumdb": ["e.com"] }), &[EVIL], Ok((false, &nothing))),
            (json!({ "nosumdb": ["e.com/m"] }), &[EVIL], Err("upstream_checksum_mismatch")),
            // A .info.
            (json!({}), &[], Ok((false, &nothing))),
        ];
        for (settings, sums, wanted) in rows {
            let view = view(&log, settings.clone());
            let answer = confirmed(&candidate(sums, None), &view);
            assert_eq!(
                answer.as_ref().map(|(vouched, metadata)| (*vouched, metadata)).map_err(|code| *code),
                wanted,
                "{settings} {sums:?}"
            );
            let is_asked = !view.asked().is_empty();
            assert_eq!(is_asked, !sums.is_empty() && wanted != Ok((false, &nothing)), "{settings} {sums:?}");
        }
    }

    #[test]
    fn both_sums_are_told_when_they_differ() {
        let log = TestLog::new(5);
        let failure = ready(confirm(&candidate(&[EVIL], None), &view(&log, json!({})))).expect_err("another sum");
        let detail = &failure.first().detail;
        assert!(
            detail.contains("h1:evil=") && detail.contains("h1:zip3=") && detail.contains("e.com/m3@v1.0.0"),
            "{detail}"
        );
    }

    #[test]
    fn what_the_database_does_not_know_is_absent_or_marked() {
        let log = TestLog::new(5);
        for (verify, wanted) in
            [("require", Err("version_not_found")), ("record", Ok((false, json!({ "unverified": true }))))]
        {
            let view = view(&log, json!({ "verify": verify }));
            view.database().answers(log.answers(&[], 5));
            assert_eq!(confirmed(&candidate(&[ZIP], None), &view), wanted, "{verify}");
        }
    }

    #[test]
    fn a_record_without_the_needed_line_proves_nothing() {
        // CVE-2026-42501, CVE-2026-56864
        let rows = [
            "e.com/m3 v1.0.0/go.mod h1:mod3=\n",
            "e.com/m3 v1.0.0 h1:\n",
            "e.com/m3 v1.0.0 x1:zip3=\ne.com/m3 v1.0.0/go.mod h1:mod3=\n",
            "e.com/m3 v1.0.1 h1:zip3=\n",
            "e.com/m33 v1.0.0 h1:zip3=\n",
            "e.com/m3  v1.0.0 h1:zip3=\n",
        ];
        for record in rows {
            let mut log = TestLog::new(5);
            let asked = "/lookup/e.com/m3@v1.0.0".to_owned();
            log.records[3] = record.to_owned();
            for verify in ["require", "record"] {
                let view = view(&log, json!({ "verify": verify }));
                let mut answers = log.tiles(5);
                let body = format!("{}\ne.com/m3 v1.0.0 h1:zip3=\n", log.lookup(3, 5));
                answers.insert(asked.clone(), log.lookup(3, 5).into());
                view.database().answers(answers.clone());
                let told = confirmed(&candidate(&[ZIP], None), &view).expect_err(record);
                assert!(matches!(told, "upstream_unverified" | "upstream_checksum_mismatch"), "{record}: {told}");
                // Lines outside the record.
                answers.insert(asked.clone(), body.into());
                view.database().answers(answers);
                assert!(confirmed(&candidate(&[ZIP], None), &view).is_err(), "{record}");
            }
        }
    }

    #[test]
    fn trouble_and_lies_of_the_database_are_never_passed_over() {
        let log = TestLog::new(5);
        for verify in ["require", "record"] {
            let broken = view(&log, json!({ "verify": verify })).broken();
            assert_eq!(confirmed(&candidate(&[ZIP], None), &broken), Err("upstream_timeout"));
            let lying = view(&log, json!({ "verify": verify }));
            let mut answers = log.answers(&[3], 5);
            answers.insert("/tile/8/0/000.p/5".to_owned(), vec![1; 5 * 32].into());
            lying.database().answers(answers);
            assert_eq!(confirmed(&candidate(&[ZIP], None), &lying), Err("upstream_unverified"));
            let keyless = view(&log, json!({ "verify": verify, "checksum_database": "log.example" }));
            assert_eq!(confirmed(&candidate(&[ZIP], None), &keyless), Err("upstream_unverified"));
            assert!(keyless.asked().is_empty());
        }
    }

    #[test]
    fn a_doubt_is_settled_by_the_database_alone() {
        let log = TestLog::new(5);
        let doubtful = |code, sum| candidate(&[sum], Some(code));
        for (code, of_another_zip, of_another_sum) in [
            (GO_MOD_DIFFERS, Err("upstream_checksum_mismatch"), Err("upstream_checksum_mismatch")),
            // K5: a page in the place of a go.mod.
            (GO_MOD_UNREADABLE, Ok(true), Err("upstream_invalid")),
        ] {
            let vouched = |view: &MemoryView, sum| confirmed(&doubtful(code, sum), view).map(|(vouched, _)| vouched);
            let mut view = view(&log, json!({}));
            assert_eq!(vouched(&view, MOD), Ok(true), "{code}");
            assert_eq!(vouched(&view, (GO_MOD_H1, "h1:evil=")), of_another_sum, "{code}");
            view.records(&[ZIP]);
            assert_eq!(vouched(&view, MOD), Ok(true), "{code}");
            view.records(&[EVIL]);
            assert_eq!(vouched(&view, MOD), of_another_zip, "{code}");
            for settings in [json!({ "verify": "off" }), json!({ "nosumdb": ["e.com"] })] {
                assert_eq!(vouched(&self::view(&log, settings), MOD), Err("upstream_invalid"), "{code}");
            }
            for verify in ["require", "record"] {
                let unknown = self::view(&log, json!({ "verify": verify }));
                unknown.database().answers(BTreeMap::new());
                assert_eq!(vouched(&unknown, MOD), Err("upstream_invalid"), "{code} {verify}");
            }
            assert_eq!(vouched(&self::view(&log, json!({})).broken(), MOD), Err("upstream_timeout"), "{code}");
        }
    }
}
