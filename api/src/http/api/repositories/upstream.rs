//! The part of a remote repository: what is said of its upstream, and what is shown of it.
//!
//! Shape: an object that is also a merge patch (RFC 7396): what is absent stays, `null` goes back to the default.

use keeper_core::error::{Problem, codes};
use keeper_core::format::FormatHandler;
use keeper_core::limits::REDIRECT_HOSTS;
use keeper_core::source::{Chain, HostPattern, Range, Remote, Rule, Rules};
use keeper_core::upstream::UpstreamHealth;
use poem_openapi::Object;
use poem_openapi::types::MaybeUndefined;

use super::credentials::{self, CredentialChange, CredentialsForm, CredentialsView};
use super::form::invalid;
use crate::http::api::upstreams::SourceView;

/// Seconds for which an index may be believed: longer, and nobody would see a new version for a week.
const INDEX_SECONDS_MAX: u32 = 7 * 24 * 60 * 60;
/// Seconds for which an index that could not be asked again may be given out.
const STALE_SECONDS_MAX: u32 = 366 * 24 * 60 * 60;
/// Seconds of the least age of a version.
const MIN_AGE_SECONDS_MAX: u64 = 10 * 366 * 24 * 60 * 60;

/// What is said of an upstream.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(super) struct UpstreamForm {
    /// The address, or a chain of them written as Go's `GOPROXY`: behind `,` the next one is asked when this one has
    /// no such thing, behind `|` also when it is in trouble.
    url: Option<String>,
    /// Whether addresses may begin with `http://`. What they lead to has to be in `network_allow` then.
    allow_http: MaybeUndefined<bool>,
    /// What proves this server to the first of its sources; `null` takes it away.
    credentials: MaybeUndefined<CredentialsForm>,
    /// Whether 403 means that there is no such thing: some upstreams refuse what they do not know.
    forbidden_as_not_found: MaybeUndefined<bool>,
    /// Hosts that redirects may lead to besides the source's own: `storage.example.com`, `*.storage.example.com`. `[]`
    /// allows no other; by default every host is allowed that this server may reach.
    redirect_hosts: MaybeUndefined<Vec<String>>,
    /// Seconds for which an index is believed before the upstream is asked again; 60 by default.
    index_seconds: MaybeUndefined<u32>,
    /// Seconds for which an index that could not be asked again is still given out; seven days by default.
    stale_seconds: MaybeUndefined<u32>,
    /// What may come in.
    rules: MaybeUndefined<AdmissionForm>,
}

/// What may come in; a denial wins over a permission.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct AdmissionForm {
    /// What is refused.
    deny: MaybeUndefined<Vec<AdmissionRule>>,
    /// When there is any, what is not named here is refused.
    allow: MaybeUndefined<Vec<AdmissionRule>>,
    /// Seconds that must have passed since a version was made.
    min_age_seconds: MaybeUndefined<u64>,
}

/// Names, and perhaps some versions of them.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct AdmissionRule {
    /// A pattern of package names, as the format reads it.
    packages: String,
    /// Bounds like `>=v1.2.0 <v1.2.5`, all of which must hold; empty for all versions.
    #[oai(default)]
    versions: String,
    /// Why, for those who are refused.
    #[oai(default)]
    reason: String,
}

/// An upstream.
#[derive(Object)]
pub(super) struct UpstreamView {
    /// The address, or the chain of addresses.
    url: String,
    /// Whether addresses may begin with `http://`.
    allow_http: bool,
    /// Whether credentials are kept; they are shown to nobody.
    credentials: CredentialsView,
    /// Whether 403 means that there is no such thing.
    forbidden_as_not_found: bool,
    /// Hosts that redirects may lead to besides the source's own, where not all are allowed.
    #[oai(skip_serializing_if_is_none)]
    redirect_hosts: Option<Vec<String>>,
    /// Seconds for which an index is believed.
    index_seconds: u32,
    /// Seconds for which an index that could not be asked again is still given out.
    stale_seconds: u32,
    /// What may come in.
    rules: AdmissionView,
    /// How each source of the chain fares.
    sources: Vec<SourceView>,
}

/// What may come in.
#[derive(Object)]
struct AdmissionView {
    /// What is refused.
    deny: Vec<AdmissionRule>,
    /// When there is any, what is not named here is refused.
    allow: Vec<AdmissionRule>,
    /// Seconds that must have passed since a version was made.
    min_age_seconds: u64,
}

impl UpstreamView {
    pub(super) fn of(remote: &Remote, health: Vec<UpstreamHealth>) -> Self {
        let rules = |rules: &[Rule]| rules.iter().map(AdmissionRule::of).collect();
        Self {
            url: remote.chain.to_string(),
            allow_http: remote.allow_http,
            credentials: CredentialsView { set: remote.has_credentials },
            forbidden_as_not_found: remote.forbidden_as_not_found,
            redirect_hosts: remote.redirect_hosts.clone().map(|hosts| hosts.into_iter().map(String::from).collect()),
            index_seconds: remote.index_seconds,
            stale_seconds: remote.stale_seconds,
            rules: AdmissionView {
                deny: rules(&remote.rules.deny),
                allow: rules(&remote.rules.allow),
                min_age_seconds: remote.rules.min_age_seconds,
            },
            sources: health.into_iter().map(SourceView::of).collect(),
        }
    }
}

impl AdmissionRule {
    fn of(rule: &Rule) -> Self {
        Self { packages: rule.packages.clone(), versions: rule.versions.to_string(), reason: rule.reason.clone() }
    }
}

impl UpstreamForm {
    /// The upstream after what was said of it, all faults at once; `None` when there are some.
    pub(super) fn applied(
        self,
        before: Option<&Remote>,
        handler: &dyn FormatHandler,
        problems: &mut Vec<Problem>,
    ) -> Option<(Remote, CredentialChange)> {
        let allow_http = pick(self.allow_http, before.map(|before| before.allow_http), false);
        let url = self.url.or_else(|| before.map(|before| before.chain.to_string()));
        let chain = match url {
            Some(url) => Chain::parse(&url, allow_http)
                .map_err(|fault| problems.push(invalid("upstream.url", format!("upstream.url: {fault}"))))
                .ok(),
            None => {
                let detail = "a remote repository needs an upstream with a url";
                problems.push(Problem::new(&codes::FIELD_MISSING, detail).field("upstream.url"));
                None
            }
        };
        let index_seconds =
            pick(self.index_seconds, before.map(|before| before.index_seconds), Remote::default_index_seconds());
        let stale_seconds =
            pick(self.stale_seconds, before.map(|before| before.stale_seconds), Remote::default_stale_seconds());
        for (field, seconds, most) in
            [("index_seconds", index_seconds, INDEX_SECONDS_MAX), ("stale_seconds", stale_seconds, STALE_SECONDS_MAX)]
        {
            if seconds > most {
                problems.push(invalid(&format!("upstream.{field}"), format!("{field} is 0 to {most}")));
            }
        }
        let forbidden = before.map(|before| before.forbidden_as_not_found);
        let rules = rules(self.rules, before.map(|before| &before.rules), handler, problems);
        let known_hosts = before.and_then(|before| before.redirect_hosts.clone());
        let redirect_hosts = redirect_hosts(self.redirect_hosts, known_hosts, problems);
        let chain = chain?;
        let credentials = credentials::change(self.credentials, &chain, before, problems);
        let remote = Remote {
            allow_http,
            has_credentials: credentials.leaves_some(before.is_some_and(|before| before.has_credentials)),
            forbidden_as_not_found: pick(self.forbidden_as_not_found, forbidden, false),
            redirect_hosts,
            index_seconds,
            stale_seconds,
            rules,
            chain,
        };
        Some((remote, credentials))
    }
}

/// What is said, else what was, else the default.
fn pick<T>(said: MaybeUndefined<T>, before: Option<T>, default: T) -> T {
    match said {
        MaybeUndefined::Value(value) => value,
        MaybeUndefined::Null => default,
        MaybeUndefined::Undefined => before.unwrap_or(default),
    }
}

fn redirect_hosts(
    said: MaybeUndefined<Vec<String>>,
    before: Option<Vec<HostPattern>>,
    problems: &mut Vec<Problem>,
) -> Option<Vec<HostPattern>> {
    const FIELD: &str = "upstream.redirect_hosts";
    let said = match said {
        MaybeUndefined::Undefined => return before,
        MaybeUndefined::Null => return None,
        MaybeUndefined::Value(said) => said,
    };
    if said.len() > REDIRECT_HOSTS {
        problems.push(invalid(FIELD, format!("redirect_hosts has {} hosts; at most {REDIRECT_HOSTS}", said.len())));
        return None;
    }
    let mut read = |host: String| match HostPattern::try_from(host) {
        Ok(host) => Some(host),
        Err(fault) => {
            problems.push(invalid(FIELD, fault.to_string()));
            None
        }
    };
    Some(said.into_iter().filter_map(&mut read).collect())
}

fn rules(
    said: MaybeUndefined<AdmissionForm>,
    before: Option<&Rules>,
    handler: &dyn FormatHandler,
    problems: &mut Vec<Problem>,
) -> Rules {
    let before = before.cloned().unwrap_or_default();
    let said = match said {
        MaybeUndefined::Undefined => return before,
        MaybeUndefined::Null => return Rules::default(),
        MaybeUndefined::Value(said) => said,
    };
    let mut list = |said: MaybeUndefined<Vec<AdmissionRule>>, before: Vec<Rule>, field: &str| match said {
        MaybeUndefined::Undefined => before,
        MaybeUndefined::Null => Vec::new(),
        MaybeUndefined::Value(said) => {
            let field = format!("upstream.rules.{field}");
            said.into_iter().filter_map(|rule| read(rule, &field, handler, problems)).collect()
        }
    };
    let rules = Rules {
        deny: list(said.deny, before.deny, "deny"),
        allow: list(said.allow, before.allow, "allow"),
        min_age_seconds: pick(said.min_age_seconds, Some(before.min_age_seconds), 0),
    };
    if rules.min_age_seconds > MIN_AGE_SECONDS_MAX {
        let detail = format!("min_age_seconds is 0 to {MIN_AGE_SECONDS_MAX}; a week is 604800");
        problems.push(invalid("upstream.rules.min_age_seconds", detail));
    }
    if let Err(fault) = rules.check() {
        problems.push(invalid("upstream.rules", fault.to_string()));
    }
    rules
}

fn read(rule: AdmissionRule, field: &str, handler: &dyn FormatHandler, problems: &mut Vec<Problem>) -> Option<Rule> {
    let AdmissionRule { packages, versions, reason } = rule;
    if let Err(why) = handler.check_pattern(&packages) {
        problems.push(invalid(field, format!("{:?}: {why}", super::shorten(&packages))));
    }
    let versions = Range::parse(&versions).map_err(|fault| problems.push(invalid(field, fault.to_string()))).ok()?;
    Some(Rule { packages, versions, reason })
}
