//! What is wrong with the settings that `go env -json` reports, and the commands that mend them.
//!
//! ```text
//! error     proxy_missing proxy_off proxy_unreachable proxy_address_differs proxy_unknown_repository
//!           proxy_bypassed checksum_database_asked https_needed password_in_address
//!           flags_insecure modules_off auth_off go_too_old
//! warning   proxy_not_first proxy_not_last proxy_pipe proxy_other_repository checksum_database_off checksums_unchecked
//!           pattern_ignored flags_vendor go_old (and some of the above, where less depends on them)
//! advice    insecure_set auth_without_netrc
//! ```
//!
//! `go env` reports values as they take effect, so GONOPROXY and GONOSUMDB hold what they inherit from GOPRIVATE.
//! A value in the environment looks like one that was kept, so the commands take both away. All findings about one
//! setting give the same command for it: whoever runs all of them ends with settings that are right together.
//!
//! Nothing of a report that could be a secret is repeated: user and password of an address are left out.
//! Errors: `invalid_field` for what is no report.
//! Sources: <https://go.dev/ref/mod#environment-variables>, `proxyList` in `cmd/go/internal/modfetch`.

mod chain;
mod cure;
mod patterns;
mod proxy;
mod report;
mod tools;

use keeper_core::error::Failure;
use keeper_core::format::{DoctorTarget, Finding, Severity};

use cure::Cure;
use report::Report;

/// The names of all findings.
pub const CODES: [&str; 24] = [
    "proxy_missing",
    "proxy_off",
    "proxy_unreachable",
    "proxy_address_differs",
    "proxy_unknown_repository",
    "proxy_other_repository",
    "proxy_not_first",
    "proxy_pipe",
    "proxy_not_last",
    "password_in_address",
    "https_needed",
    "proxy_bypassed",
    "checksum_database_asked",
    "checksum_database_off",
    "checksums_unchecked",
    "pattern_ignored",
    "insecure_set",
    "flags_insecure",
    "flags_vendor",
    "modules_off",
    "auth_off",
    "auth_without_netrc",
    "go_too_old",
    "go_old",
];

/// What is wrong, the worst first.
///
/// # Errors
/// `invalid_field` for what is not the output of `go env -json`.
pub fn diagnose(report: &str, target: &DoctorTarget<'_>) -> Result<Vec<Finding>, Failure> {
    let report = Report::parse(report)?;
    let cure = Cure::of(&report, target);
    let mut findings = proxy::findings(&report, target, &cure);
    findings.extend(patterns::findings(&report, target, &cure));
    findings.extend(tools::findings(&report, target));
    findings.sort_by_key(|finding| finding.severity);
    Ok(findings)
}

fn finding(
    code: &'static str,
    severity: Severity,
    setting: &'static str,
    explanation: impl Into<String>,
    commands: Vec<String>,
) -> Finding {
    debug_assert!(CODES.contains(&code), "{code} is not listed");
    Finding { code, severity, setting, explanation: explanation.into(), commands }
}

#[cfg(test)]
mod tests;
