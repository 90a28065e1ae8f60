//! GOPROXY: whether this repository is asked, and what is asked before and after it.

use keeper_core::format::{DoctorTarget, Finding, Severity};
use keeper_core::repository::RepositoryKind;

use super::chain::{Address, Entry, entries};
use super::cure::Cure;
use super::finding;
use super::report::Report;
use crate::absent::shown;

const NAME: &str = "GOPROXY";

pub(super) fn findings(report: &Report, target: &DoctorTarget<'_>, cure: &Cure) -> Vec<Finding> {
    let ours = Address::parse(target.repository.repository_url);
    let list = entries(report.value(NAME));
    let commands = report.keep(NAME, &cure.proxies);
    let position = list.iter().position(|entry| entry.address().is_some_and(|address| address.is(&ours)));
    let mut findings = match position {
        Some(position) => placed(&list, position, target.repository.kind, &commands),
        None => vec![missing(&list, &ours, target, &commands)],
    };
    findings.extend(password(&list, &ours, &commands));
    findings.extend(https_needed(target));
    findings
}

/// The repository is in the list: where?
fn placed(list: &[Entry<'_>], position: usize, kind: RepositoryKind, commands: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let before = &list[..position];
    if let Some(end) = before.iter().find(|entry| entry.is_last()) {
        findings.push(finding(
            "proxy_unreachable",
            Severity::Error,
            NAME,
            format!("This repository stands behind \"{}\", and nothing behind that word is ever asked.", end.text),
            commands.to_vec(),
        ));
    } else if let Some(first) = before.first().and_then(Entry::address) {
        findings.push(finding(
            "proxy_not_first",
            Severity::Warning,
            NAME,
            format!(
                "{} is asked before this repository: it learns the names of your private modules, and may answer \
                 with other ones of the same name.",
                shown(&first.to_string())
            ),
            commands.to_vec(),
        ));
    }
    let next = list.get(position + 1).filter(|next| next.text != "off");
    if kind != RepositoryKind::Hosted
        && let Some(next) = next
    {
        let to = next.address().map_or("version control".to_owned(), |address| shown(&address.to_string()));
        let text = format!(
            "This repository has the modules of its upstreams as well, so nothing is needed behind it. What it does not \
             know is asked of {to}, names of private modules that are mistyped or not published yet among them."
        );
        findings.push(finding("proxy_not_last", Severity::Warning, NAME, text, commands.to_vec()));
    }
    if list[position].pipe && position + 1 < list.len() {
        findings.push(finding(
            "proxy_pipe",
            Severity::Warning,
            NAME,
            "Behind this repository stands \"|\": after any failure, also a refused login or a server that is down, \
             the next entry is asked for your private modules. Behind \",\" only \"not found\" leads on.",
            commands.to_vec(),
        ));
    }
    findings
}

/// The repository is not in the list: what is there in its place?
fn missing(list: &[Entry<'_>], ours: &Address, target: &DoctorTarget<'_>, commands: &[String]) -> Finding {
    let addresses: Vec<_> = list.iter().filter_map(Entry::address).collect();
    let (code, severity, explanation) = if let Some(here) = addresses.iter().find(|one| one.is_server_of(ours)) {
        let is_readable = target.readable.iter().any(|url| Address::parse(url).is(here));
        let shown = shown(&here.to_string());
        if is_readable {
            let text = format!("{shown} is another repository of this server, and {ours} is not asked.");
            ("proxy_other_repository", Severity::Warning, text)
        } else {
            let text = format!("{shown} is not the address of a repository that you may read; {ours} is.");
            ("proxy_unknown_repository", Severity::Error, text)
        }
    } else if let Some(elsewhere) = addresses.iter().find(|one| one.is_host_of(ours)) {
        let text = format!(
            "{} has another scheme or port than the address of this repository, {ours}.",
            shown(&elsewhere.to_string())
        );
        ("proxy_address_differs", Severity::Error, text)
    } else if list.first().is_some_and(|entry| entry.text == "off") {
        ("proxy_off", Severity::Error, "\"off\" forbids all downloads.".to_owned())
    } else {
        ("proxy_missing", Severity::Error, format!("{ours} is not in the list, so this repository is never asked."))
    };
    finding(code, severity, NAME, explanation, commands.to_vec())
}

fn password(list: &[Entry<'_>], ours: &Address, commands: &[String]) -> Option<Finding> {
    let mut addresses = list.iter().filter_map(Entry::address);
    let address = addresses.find(|address| address.has_user && address.is_host_of(ours))?;
    let (severity, follows) = if address.scheme == "http" {
        (Severity::Error, "over http the go command refuses to send it, so every request fails")
    } else {
        (Severity::Warning, "it ends up in shell histories and logs; keep it in .netrc")
    };
    let text = format!("The address of this server holds a user or a password: {follows}.");
    Some(finding("password_in_address", severity, NAME, text, commands.to_vec()))
}

fn https_needed(target: &DoctorTarget<'_>) -> Option<Finding> {
    let repository = &target.repository;
    let text = "This repository is private and its address is http: the go command sends credentials over https only, \
                so it gets 401 for everything. Ask the administrator for an https address.";
    (repository.private && !repository.is_https())
        .then(|| finding("https_needed", Severity::Error, NAME, text, Vec::new()))
}
