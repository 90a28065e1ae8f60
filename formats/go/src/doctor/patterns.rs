//! GOPRIVATE, GONOPROXY, GONOSUMDB, GOINSECURE: modules for which the client goes another way.

use keeper_core::format::{DoctorTarget, Finding, Severity};
use keeper_core::repository::RepositoryKind;

use super::cure::{Cure, NONE, concerns, covers, is_all, patterns};
use super::finding;
use super::report::Report;
use crate::absent::shown;
use crate::pattern::Pattern;
use crate::setup::EXAMPLE_PATTERN;

pub(super) fn findings(report: &Report, target: &DoctorTarget<'_>, cure: &Cure) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(bypassed(report, cure));
    findings.extend(database_asked(report, target, cure));
    findings.extend(database_off(report));
    findings.extend(unchecked(report, cure));
    findings.extend(ignored(report, cure));
    findings.extend(insecure(report));
    findings
}

/// GONOPROXY sends the client to version control.
fn bypassed(report: &Report, cure: &Cure) -> Option<Finding> {
    let list = report.value("GONOPROXY");
    let ours: Vec<_> = patterns(list)
        .into_iter()
        .filter(|pattern| *pattern != NONE && (cure.private.is_empty() || concerns(pattern, &cure.private)))
        .collect();
    if ours.is_empty() {
        return None;
    }
    let inherited = if list == report.value("GOPRIVATE") { ", which it has from GOPRIVATE" } else { "" };
    let text = format!(
        "GONOPROXY is {}{inherited}: for modules that match, the go command goes straight to version control and \
         never asks this repository. An empty GONOPROXY inherits again; the word \"none\" does not.",
        shown(list)
    );
    Some(finding("proxy_bypassed", Severity::Error, "GONOPROXY", text, report.keep("GONOPROXY", &cure.no_proxy)))
}

/// The checksum database is asked about modules that only this repository has.
fn database_asked(report: &Report, target: &DoctorTarget<'_>, cure: &Cure) -> Option<Finding> {
    // What a remote repository holds the public knows; all else has modules that it does not.
    if target.repository.kind == RepositoryKind::Remote {
        return None;
    }
    let list = report.get("GONOSUMDB")?;
    let Some(good) = &cure.no_sum_database else {
        let text = format!(
            "The checksum database is asked about every module and cannot know your private ones. Name the beginning \
             of their paths: go env -w GONOSUMDB={EXAMPLE_PATTERN}"
        );
        return list
            .is_empty()
            .then(|| finding("checksum_database_asked", Severity::Warning, "GONOSUMDB", text, Vec::new()));
    };
    let missing: Vec<_> = cure.private.iter().filter(|pattern| !covers(list, pattern)).map(Pattern::as_str).collect();
    if missing.is_empty() {
        return None;
    }
    let text = format!(
        "GONOSUMDB does not cover {}: the go command asks the checksum database about these modules, which it cannot \
         know, and fails.",
        shown(&missing.join(", "))
    );
    let commands = report.keep("GONOSUMDB", good);
    Some(finding("checksum_database_asked", Severity::Error, "GONOSUMDB", text, commands))
}

fn database_off(report: &Report) -> Option<Finding> {
    let text = "GOSUMDB=off: no module is compared with the checksum database any more, and newer toolchains cannot \
                be downloaded. GONOSUMDB makes the exception for private modules alone.";
    (report.value("GOSUMDB") == "off")
        .then(|| finding("checksum_database_off", Severity::Warning, "GOSUMDB", text, report.reset("GOSUMDB")))
}

fn unchecked(report: &Report, cure: &Cure) -> Option<Finding> {
    let text = "A pattern of GONOSUMDB matches every module, so none is compared with the checksum database.";
    let commands = match &cure.no_sum_database {
        Some(good) => report.keep("GONOSUMDB", good),
        None => report.reset("GONOSUMDB"),
    };
    report
        .value("GONOSUMDB")
        .split(',')
        .any(is_all)
        .then(|| finding("checksums_unchecked", Severity::Warning, "GONOSUMDB", text, commands))
}

/// Entries that match nothing; those that one setting has from GOPRIVATE are told once.
fn ignored(report: &Report, cure: &Cure) -> Vec<Finding> {
    let inherited = report.value("GOPRIVATE");
    let names = ["GOPRIVATE", "GONOPROXY", "GONOSUMDB"];
    let judged = names.into_iter().filter(|name| *name == "GOPRIVATE" || report.value(name) != inherited);
    let judge = |name: &'static str| {
        let list = report.value(name);
        let bad =
            list.split(',').find(|entry| !entry.is_empty() && Pattern::parse(entry).is_err() && !is_all(entry))?;
        let good = patterns(list).join(",");
        let good = match name {
            "GONOPROXY" => &cure.no_proxy,
            "GONOSUMDB" => cure.no_sum_database.as_ref().unwrap_or(&good),
            _ => &good,
        };
        let text = format!(
            "\"{}\" in {name} matches nothing. Patterns are joined by commas without blanks and match whole elements \
             of a path.",
            shown(bad)
        );
        Some(finding("pattern_ignored", Severity::Warning, name, text, report.keep(name, good)))
    };
    judged.filter_map(judge).collect()
}

fn insecure(report: &Report) -> Option<Finding> {
    let text = "GOINSECURE has no effect on this repository: it only lets version control and import pages be reached \
                without a good certificate.";
    (!report.value("GOINSECURE").is_empty())
        .then(|| finding("insecure_set", Severity::Advice, "GOINSECURE", text, report.reset("GOINSECURE")))
}
