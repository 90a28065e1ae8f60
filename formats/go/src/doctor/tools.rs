//! GOFLAGS, GO111MODULE, GOAUTH and the version of Go itself.

use keeper_core::format::{DoctorTarget, Finding, Severity};

use super::finding;
use super::report::Report;
use crate::absent::shown;

/// The first Go whose GOPROXY is a list, and which knows GONOSUMDB.
const LISTS: u32 = 13;
/// The first Go that reads `go 1.21.0` and `toolchain` lines.
const TOOLCHAINS: u32 = 21;

pub(super) fn findings(report: &Report, target: &DoctorTarget<'_>) -> Vec<Finding> {
    let mut findings = flags(report);
    findings.extend(modules_off(report));
    findings.extend(auth(report, target));
    findings.extend(version(report));
    findings
}

fn flags(report: &Report) -> Vec<Finding> {
    let flags: Vec<_> = report.value("GOFLAGS").split_ascii_whitespace().collect();
    let is_insecure = |flag: &&str| {
        let bare = flag.trim_start_matches('-');
        bare == "insecure" || bare.starts_with("insecure=")
    };
    let is_vendor = |flag: &&str| flag.trim_start_matches('-') == "mod=vendor";
    let rest: Vec<_> = flags.iter().filter(|flag| !is_insecure(flag) && !is_vendor(flag)).copied().collect();
    let commands = if rest.is_empty() { report.reset("GOFLAGS") } else { report.keep("GOFLAGS", &rest.join(" ")) };
    let mut findings = Vec::new();
    if flags.iter().any(is_insecure) {
        let text = "GOFLAGS holds -insecure, which is no flag of today's go command: every command that loads modules \
                    fails. No flag is needed to use this repository.";
        findings.push(finding("flags_insecure", Severity::Error, "GOFLAGS", text, commands.clone()));
    }
    if flags.iter().any(is_vendor) {
        let text = "GOFLAGS holds -mod=vendor: builds take modules from the vendor folder alone, and what was \
                    published meanwhile is not seen until 'go mod vendor' runs without the flag.";
        findings.push(finding("flags_vendor", Severity::Warning, "GOFLAGS", text, commands));
    }
    findings
}

fn modules_off(report: &Report) -> Option<Finding> {
    let text = "GO111MODULE=off: the go command uses no modules at all, and asks no proxy.";
    (report.value("GO111MODULE") == "off")
        .then(|| finding("modules_off", Severity::Error, "GO111MODULE", text, report.reset("GO111MODULE")))
}

/// Where a credential is needed, something has to supply it.
fn auth(report: &Report, target: &DoctorTarget<'_>) -> Option<Finding> {
    let repository = &target.repository;
    let methods = report.get("GOAUTH").filter(|methods| !methods.is_empty())?;
    if !repository.private || !repository.is_https() {
        return None;
    }
    let mut methods = methods.split(';').map(str::trim);
    if methods.clone().any(|method| method == "off") {
        let text = "GOAUTH=off: no credential is ever sent, and this repository is private.";
        return Some(finding("auth_off", Severity::Error, "GOAUTH", text, report.reset("GOAUTH")));
    }
    if methods.any(|method| method == "netrc") {
        return None;
    }
    let text = format!(
        "GOAUTH does not name netrc, so .netrc is not read: what it names has to supply the credential for {}.",
        repository.host()
    );
    Some(finding("auth_without_netrc", Severity::Advice, "GOAUTH", text, Vec::new()))
}

fn version(report: &Report) -> Option<Finding> {
    let version = report.get("GOVERSION")?;
    // Development builds and other compilers are not judged.
    let minor = version.strip_prefix("go1.")?;
    let minor: u32 = minor.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    let (code, severity, follows) = match minor {
        ..LISTS => ("go_too_old", Severity::Error, "its GOPROXY takes one address, and it knows no GONOSUMDB"),
        LISTS..TOOLCHAINS => (
            "go_old",
            Severity::Warning,
            "it cannot read a go.mod whose go line is 1.21.0 or one with a toolchain line",
        ),
        _ => return None,
    };
    let text = format!("{} is old: {follows}. Install a newer Go.", shown(version));
    Some(finding(code, severity, "GOVERSION", text, Vec::new()))
}
