//! Where the content of a repository comes from: uploads, an upstream, or other repositories.
//!
//! ```text
//! hosted    uploads
//! remote    "https://a.example,https://b.example|off"      verified copies of what the chain has
//! virtual   ["local", "upstream"], reserved patterns       nothing of its own
//! ```
//!
//! A chain is written as Go's `GOPROXY`: after `,` the next source is asked only when this one says that there is
//! no such thing, after `|` also when it is in trouble; `off` ends it.
//!
//! *Bounds*: [`CHAIN_SOURCES`](crate::limits::CHAIN_SOURCES), [`MEMBERS`](crate::limits::MEMBERS),
//! [`RESERVATIONS`](crate::limits::RESERVATIONS), [`RULES`](crate::limits::RULES). *Errors*: texts that say which rule
//! is broken. Source: <https://go.dev/ref/mod#goproxy-protocol>.

mod chain;
mod hosts;
mod rules;

use serde::{Deserialize, Serialize};

pub use chain::{Chain, ChainSource, InvalidChain, Then, UpstreamUrl};
pub use hosts::{HostPattern, InvalidHost};
pub use rules::{Bound, InvalidRules, Range, Rule, Rules};

use crate::repository::{RepositoryKind, RepositoryName};

/// Where the content comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Uploads.
    #[default]
    Hosted,
    /// An upstream, whose content is checked and kept.
    Remote(Box<Remote>),
    /// Other repositories of the same format, seen as one.
    Virtual(Box<Virtual>),
}

impl Source {
    /// The kind of repository that this makes.
    #[must_use]
    pub fn kind(&self) -> RepositoryKind {
        match self {
            Self::Hosted => RepositoryKind::Hosted,
            Self::Remote(_) => RepositoryKind::Remote,
            Self::Virtual(_) => RepositoryKind::Virtual,
        }
    }

    /// The upstream's part.
    #[must_use]
    pub fn remote(&self) -> Option<&Remote> {
        match self {
            Self::Remote(remote) => Some(remote),
            Self::Hosted | Self::Virtual(_) => None,
        }
    }

    /// The members' part.
    #[must_use]
    pub fn members(&self) -> Option<&Virtual> {
        match self {
            Self::Virtual(members) => Some(members),
            Self::Hosted | Self::Remote(_) => None,
        }
    }
}

/// How a remote repository comes by its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// The sources, in the order in which they are asked.
    pub chain: Chain,
    /// Whether addresses may begin with `http://`.
    #[serde(default)]
    pub allow_http: bool,
    /// Whether credentials for the first source are kept; they themselves are nowhere in a record.
    #[serde(default)]
    pub has_credentials: bool,
    /// Whether 403 is taken for "there is no such thing": some upstreams refuse what they do not know.
    #[serde(default)]
    pub forbidden_as_not_found: bool,
    /// Hosts that redirects may lead to besides the source's own; `None` is every host that may be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_hosts: Option<Vec<HostPattern>>,
    /// Seconds for which an index is believed before the upstream is asked again.
    #[serde(default = "Remote::default_index_seconds")]
    pub index_seconds: u32,
    /// Seconds for which an index that could not be asked again is still given out.
    #[serde(default = "Remote::default_stale_seconds")]
    pub stale_seconds: u32,
    /// What may come in.
    #[serde(default)]
    pub rules: Rules,
}

impl Remote {
    /// A remote of this chain, with the defaults.
    #[must_use]
    pub fn of(chain: Chain) -> Self {
        Self {
            chain,
            allow_http: false,
            has_credentials: false,
            forbidden_as_not_found: false,
            redirect_hosts: None,
            index_seconds: Self::default_index_seconds(),
            stale_seconds: Self::default_stale_seconds(),
            rules: Rules::default(),
        }
    }

    /// One minute.
    #[must_use]
    pub fn default_index_seconds() -> u32 {
        60
    }

    /// Seven days.
    #[must_use]
    pub fn default_stale_seconds() -> u32 {
        7 * 24 * 60 * 60
    }
}

/// How a virtual repository is made of others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Virtual {
    /// The members, in the order in which they are asked; hosted or remote, of the same format.
    pub members: Vec<RepositoryName>,
    /// Members whose trouble counts as absence, except for reserved names.
    #[serde(default)]
    pub optional: Vec<RepositoryName>,
    /// Names that only some members answer for.
    #[serde(default)]
    pub reserved: Vec<Reservation>,
    /// Whether the versions of one package may come from several members.
    #[serde(default)]
    pub merge: bool,
}

impl Virtual {
    /// The same without this member; `None` when it is none. What was reserved for it stays reserved: its names must
    /// not go to others because it went.
    #[must_use]
    pub fn without(&self, member: &RepositoryName) -> Option<Self> {
        self.members.contains(member).then(|| {
            let mut rest = self.clone();
            rest.members.retain(|name| name != member);
            rest.optional.retain(|name| name != member);
            rest.reserved.iter_mut().for_each(|reservation| reservation.members.retain(|name| name != member));
            rest
        })
    }
}

/// Names that only these members answer for, whatever the others have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// A pattern of package names, as the format reads it.
    pub pattern: String,
    /// Who answers.
    pub members: Vec<RepositoryName>,
    /// What those are told who ask for what the members lack.
    #[serde(default)]
    pub when_absent: WhenAbsent,
}

/// What is said of a reserved name that is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenAbsent {
    /// The truth: there is no such thing here. A client with a list of servers goes on to the next.
    #[default]
    NotFound,
    /// A refusal, so that no client goes on.
    Forbid,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_kept_as_it_is() {
        let chain = Chain::parse("https://a.example/x,https://b.example|off", false).expect("a chain");
        let remote = Source::Remote(Box::new(Remote::of(chain)));
        let name = |text| RepositoryName::try_from(text).expect("a name");
        let members = Source::Virtual(Box::new(Virtual {
            members: vec![name("local"), name("upstream")],
            reserved: vec![Reservation {
                pattern: "corp.example".to_owned(),
                members: vec![name("local")],
                when_absent: WhenAbsent::Forbid,
            }],
            ..Virtual::default()
        }));
        let members_of = |source: &Source| source.members().cloned().expect("members");
        for source in [Source::Hosted, remote, members.clone()] {
            let text = serde_json::to_string(&source).expect("JSON");
            assert_eq!(serde_json::from_str::<Source>(&text).expect("the same"), source, "{text}");
        }
        let gone = name("local");
        let rest = members_of(&members).without(&gone).expect("a member");
        assert!(rest.members == [name("upstream")] && rest.reserved[0].members.is_empty(), "{rest:?}");
        assert!(rest.without(&gone).is_none());
        let little = r#"{"remote":{"chain":"https://a.example"}}"#;
        let Source::Remote(read) = serde_json::from_str(little).expect("a remote") else { panic!("a remote") };
        assert_eq!((read.index_seconds, read.stale_seconds), (60, 604_800));
    }
}
