//! The settings as they should be, worked out once so that all findings agree.

use keeper_core::format::DoctorTarget;
use keeper_core::repository::RepositoryKind;

use super::chain::{Address, entries};
use super::report::Report;
use crate::path::ModulePath;
use crate::pattern::Pattern;
use crate::settings;
use crate::setup::proxies;

/// What GONOPROXY is set to so that it does not inherit from GOPRIVATE.
pub(super) const NONE: &str = "none";

/// Values that are right together.
pub(super) struct Cure {
    pub(super) proxies: String,
    pub(super) no_proxy: String,
    /// `None` where nothing is known that would be right.
    pub(super) no_sum_database: Option<String>,
    /// What is published here, as far as it is known.
    pub(super) private: Vec<Pattern>,
}

impl Cure {
    pub(super) fn of(report: &Report, target: &DoctorTarget<'_>) -> Self {
        let private = private(target);
        let untouched = |list: &str| -> Vec<String> {
            let stays = |pattern: &&str| *pattern != NONE && !concerns(pattern, &private);
            patterns(list).into_iter().filter(stays).map(str::to_owned).collect()
        };
        let no_proxy = untouched(report.value("GONOPROXY")).join(",");
        Self {
            proxies: good_chain(report, target),
            no_proxy: if no_proxy.is_empty() || private.is_empty() { NONE.to_owned() } else { no_proxy },
            no_sum_database: no_sum_database(report.value("GONOSUMDB"), &private),
            private,
        }
    }
}

/// The repository first, behind it what was there: without other addresses of this server, and without anything
/// if that would repeat a password, or if the repository has the modules of the world itself.
fn good_chain(report: &Report, target: &DoctorTarget<'_>) -> String {
    if target.repository.kind != RepositoryKind::Hosted {
        return proxies(&target.repository);
    }
    let ours = Address::parse(target.repository.repository_url);
    let mut rest = String::new();
    for entry in entries(report.value("GOPROXY")) {
        match entry.address() {
            Some(address) if address.is_host_of(&ours) => continue,
            _ if entry.text.contains('@') => return proxies(&target.repository),
            None if entry.text == "off" => break,
            _ => {}
        }
        rest.push_str(entry.text);
        if entry.is_last() {
            break;
        }
        rest.push(if entry.pipe { '|' } else { ',' });
    }
    let rest = rest.trim_end_matches([',', '|']);
    if rest.is_empty() { proxies(&target.repository) } else { format!("{},{rest}", target.repository.repository_url) }
}

/// What was there and can match, and what is missing; nothing where it is not known what is private.
fn no_sum_database(list: &str, private: &[Pattern]) -> Option<String> {
    if private.is_empty() {
        return None;
    }
    let mut kept: Vec<String> = patterns(list).into_iter().filter(|one| !is_all(one)).map(str::to_owned).collect();
    let list = kept.join(",");
    kept.extend(private.iter().filter(|pattern| !covers(&list, pattern)).map(Pattern::to_string));
    Some(kept.join(","))
}

/// The package that makes trouble, by its owner as the refusal of the checksum database names it, and the patterns
/// of the repository's settings.
fn private(target: &DoctorTarget<'_>) -> Vec<Pattern> {
    let mut patterns = settings::nosumdb(target.repository.settings).unwrap_or_default();
    if let Some(package) = target.package {
        let is_covered = ModulePath::parse(package.as_str())
            .is_ok_and(|module| patterns.iter().any(|pattern| pattern.matches(&module)));
        let owner: Vec<_> = package.as_str().split('/').take(2).collect();
        if !is_covered {
            patterns.extend(Pattern::parse(&owner.join("/")));
        }
    }
    patterns
}

/// The patterns of a list that the client can match: without blanks, which it takes for a part of a name.
pub(super) fn patterns(list: &str) -> Vec<&str> {
    list.split(',').map(str::trim).filter(|text| Pattern::parse(text).is_ok()).collect()
}

/// Whether a pattern of the client is about something that is published here.
pub(super) fn concerns(pattern: &str, private: &[Pattern]) -> bool {
    let Ok(theirs) = Pattern::parse(pattern) else { return false };
    private.iter().any(|ours| {
        sample(ours).is_some_and(|module| theirs.matches(&module))
            || sample(&theirs).is_some_and(|module| ours.matches(&module))
    })
}

/// Whether the client's list matches what this pattern does.
pub(super) fn covers(list: &str, private: &Pattern) -> bool {
    // Not trimmed: to the client a blank is a part of the name.
    let mut theirs = list.split(',').filter_map(|text| Pattern::parse(text).ok());
    match sample(private) {
        Some(module) => theirs.any(|pattern| pattern.matches(&module)),
        None => theirs.any(|pattern| pattern == *private),
    }
}

/// Whether a pattern matches every module.
pub(super) fn is_all(pattern: &str) -> bool {
    pattern == "*" || pattern == "**"
}

/// A module that a pattern matches; for the usual patterns, which have `*` for whole elements.
fn sample(pattern: &Pattern) -> Option<ModulePath> {
    ModulePath::parse(&pattern.as_str().replace(['*', '?'], "x")).ok()
}
