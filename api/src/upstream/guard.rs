//! Where outgoing requests may go.
//!
//! ```text
//! network.allow = ["10.20.0.0/16", "fd12::/48", "git.corp.example", "10.9.9.9"]
//! ```
//!
//! Public addresses may be reached over https. All else is refused: private and local networks, what is not
//! yet given out, and the forms that hide an IPv4 address in an IPv6 one. `network.allow` opens networks and
//! names, for http too, and is all that is open where `network.public` is off. The metadata services of clouds, which hand out credentials to whoever can reach
//! them, stay closed inside an open network; only their exact address opens them.
//!
//! A name is looked up once, *every* address of it has to pass, and the connection goes to one of exactly
//! these: there is no second look-up that could answer otherwise (DNS rebinding). Numeric spellings such as
//! `0x7f.1` are made addresses by the URL parser before they come here.
//!
//! *Bounds*: a look-up has five seconds and at most 32 addresses. What an address is stands in
//! [`super::addresses`].

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::addresses::{hidden_v4, is_metadata, is_special};
use crate::config::AllowedNetwork;

const LOOK_UP: Duration = Duration::from_secs(5);
const ADDRESSES: usize = 32;

/// Names of metadata services; what they resolve to is closed too.
const METADATA_NAMES: [&str; 2] = ["metadata.google.internal", "metadata.goog"];

/// What is open besides the public network.
#[derive(Debug, Clone, Default)]
pub struct NetworkAllow {
    networks: Vec<IpNet>,
    names: BTreeSet<String>,
}

impl FromIterator<AllowedNetwork> for NetworkAllow {
    fn from_iter<T: IntoIterator<Item = AllowedNetwork>>(entries: T) -> Self {
        let mut allow = Self::default();
        for entry in entries {
            match entry {
                AllowedNetwork::Network(network) => allow.networks.push(network),
                AllowedNetwork::Host(name) => {
                    allow.names.insert(plain_name(&name));
                }
            }
        }
        allow
    }
}

impl NetworkAllow {
    /// The entries as a configuration would hold them.
    #[cfg(test)]
    pub(super) fn of(entries: &[&str]) -> Self {
        let network = |text: &str| text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        let entry = |text: &&str| {
            network(text).map_or_else(|| AllowedNetwork::Host((*text).to_owned()), AllowedNetwork::Network)
        };
        entries.iter().map(entry).collect()
    }

    fn has_name(&self, host: &str) -> bool {
        self.names.contains(&plain_name(host))
    }

    fn has_address(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Named by itself, not as one of a network.
    fn has_exactly(&self, address: IpAddr) -> bool {
        self.networks.contains(&IpNet::from(address))
    }
}

/// Lower case, without the dot that ends a complete name.
fn plain_name(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// Why a place is refused. For the log and for administrators only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The address is closed.
    #[error("blocked_address: {host} is {address}, which is {why}")]
    Address {
        /// The host as it was written.
        host: String,
        /// What it means.
        address: IpAddr,
        /// Which rule closes it.
        why: Closed,
    },
    /// The name is closed, whatever it resolves to.
    #[error("blocked_address: {0} is a metadata service")]
    Name(String),
    /// A name that is not allowed, where a proxy looks it up and only what is allowed is reached.
    #[error("blocked_address: {0} is not in network.allow")]
    NotNamed(String),
    /// The address has more than a host, a port, a path and a query, or lacks a host.
    #[error("{0}")]
    Form(&'static str),
    /// The look-up failed.
    #[error("cannot look up {0}: {1}")]
    Unknown(String, String),
}

/// The rule that closes an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// A metadata service of a cloud.
    Metadata,
    /// Local, private or special.
    Special,
    /// Public, where only what `network.allow` opens is taken.
    NotAllowed,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "a metadata service",
            Self::Special => "not a public address; network.allow can open it",
            Self::NotAllowed => {
                "not in network.allow; http, and a server without the public network, reach nothing else"
            }
        })
    }
}

/// The rules for one scheme.
#[derive(Debug, Clone)]
pub struct Guard {
    allow: Arc<NetworkAllow>,
    /// The only scheme.
    scheme: &'static str,
    /// Only what is allowed, and not the public network.
    only_allowed: bool,
    /// Names are looked up by a proxy, and not here.
    behind_proxy: bool,
}

impl Guard {
    /// The rules for https.
    #[must_use]
    pub fn secure(allow: Arc<NetworkAllow>) -> Self {
        Self { allow, scheme: "https", only_allowed: false, behind_proxy: false }
    }

    /// The rules for http.
    #[must_use]
    pub fn insecure(allow: Arc<NetworkAllow>) -> Self {
        Self { allow, scheme: "http", only_allowed: true, behind_proxy: false }
    }

    /// The same rules where a proxy looks names up: what they mean is its duty then, and only names and addresses
    /// as they are written can be judged here.
    #[must_use]
    pub(super) fn behind_proxy(self) -> Self {
        Self { behind_proxy: true, ..self }
    }

    /// The same rules without the public network.
    #[must_use]
    pub(super) fn closed_to_the_public(self) -> Self {
        Self { only_allowed: true, ..self }
    }

    /// Checks all of a URL that can be known without a look-up: its form, its name, a literal address.
    pub fn check_url(&self, url: &Url) -> Result<(), Refused> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Form("the address holds a user or a password"));
        }
        if url.fragment().is_some() {
            return Err(Refused::Form("the address holds a fragment"));
        }
        if url.scheme() != self.scheme {
            return Err(Refused::Form("the address is neither https nor http"));
        }
        let host = url.host_str().ok_or(Refused::Form("the address has no host"))?;
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = literal.parse::<IpAddr>() {
            return self.admit(host, &[address]).map(drop);
        }
        self.check_name(host)
    }

    fn check_name(&self, host: &str) -> Result<(), Refused> {
        let name = plain_name(host);
        if METADATA_NAMES.contains(&name.as_str()) && !self.allow.has_name(&name) {
            return Err(Refused::Name(name));
        }
        // These names mean this machine, whoever answers for them (RFC 6761, 6.3).
        if name == "localhost" || name.ends_with(".localhost") {
            self.admit(host, &[IpAddr::V4(Ipv4Addr::LOCALHOST)])?;
        }
        if self.behind_proxy && self.only_allowed && !self.allow.has_name(&name) {
            return Err(Refused::NotNamed(name));
        }
        Ok(())
    }

    /// The addresses that a host means, if every one of them may be reached. A literal address is looked up too:
    /// it means itself.
    pub(super) async fn look_up(&self, host: &str) -> Result<Vec<IpAddr>, Refused> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.admit(host, &[address]);
        }
        self.check_name(host)?;
        if self.behind_proxy {
            return Ok(Vec::new());
        }
        let found = addresses_of(host).await?;
        Ok(self.admit(host, &found)?.into_iter().take(ADDRESSES).collect())
    }

    /// The addresses of a host, if every one of them may be reached.
    pub fn admit(&self, host: &str, addresses: &[IpAddr]) -> Result<Vec<IpAddr>, Refused> {
        let named = self.allow.has_name(host);
        let check = |address: &IpAddr| {
            let canonical = address.to_canonical();
            match self.closed(host, named, canonical) {
                None => Ok(canonical),
                Some(why) => Err(Refused::Address { host: host.to_owned(), address: canonical, why }),
            }
        };
        addresses.iter().map(check).collect()
    }

    fn closed(&self, host: &str, named: bool, address: IpAddr) -> Option<Closed> {
        let inner = hidden_v4(address);
        let metadata = [Some(address), inner].into_iter().flatten().find(|ip| is_metadata(*ip));
        if let Some(metadata) = metadata {
            let named_as_such = named && METADATA_NAMES.contains(&plain_name(host).as_str());
            let is_open = named_as_such || self.allow.has_exactly(metadata);
            return (!is_open).then_some(Closed::Metadata);
        }
        if named || self.allow.has_address(address) {
            // A network that translates addresses is open for what it translates to only as that is.
            let hides_closed = inner.is_some_and(|v4| is_special(v4) && !self.allow.has_address(v4));
            return (hides_closed && !named).then_some(Closed::Special);
        }
        match (is_special(address), self.only_allowed) {
            (true, _) => Some(Closed::Special),
            (false, true) => Some(Closed::NotAllowed),
            (false, false) => None,
        }
    }
}

/// The addresses of a name, as the platform knows them.
pub(super) async fn addresses_of(host: &str) -> Result<Vec<IpAddr>, Refused> {
    let unknown = |why: String| Refused::Unknown(host.to_owned(), why);
    let found = tokio::time::timeout(LOOK_UP, tokio::net::lookup_host((host, 0)))
        .await
        .map_err(|_| unknown("no answer in time".to_owned()))?
        .map_err(|error| unknown(error.to_string()))?;
    Ok(found.map(|address| address.ip()).collect())
}

/// The resolver of a client: what it answers has passed, and nothing else is connected to.
#[derive(Debug, Clone)]
pub(super) struct GuardedResolver {
    pub(super) guard: Guard,
    /// The host of the configured proxy, which is connected to wherever it is.
    pub(super) proxy_host: Option<String>,
}

impl GuardedResolver {
    async fn look_up(self, host: String) -> Result<Vec<SocketAddr>, Refused> {
        let found = match &self.proxy_host {
            Some(proxy) if plain_name(proxy) == plain_name(&host) => addresses_of(&host).await?,
            _ => self.guard.look_up(&host).await?,
        };
        Ok(found.into_iter().map(|address| SocketAddr::new(address, 0)).collect())
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let look_up = self.clone().look_up(name.as_str().to_owned());
        Box::pin(async move {
            let addresses: Addrs = Box::new(look_up.await?.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str]) -> Guard {
        Guard::secure(Arc::new(NetworkAllow::of(allow)))
    }

    /// What a URL of this host gives, with the spelling as a client's configuration would have it.
    fn reach(guard: &Guard, host: &str) -> Result<(), Refused> {
        let url = Url::parse(&format!("https://{host}/x")).map_err(|_| Refused::Form("not a URL"))?;
        guard.check_url(&url)
    }

    #[test]
    fn without_the_public_network_only_what_is_named_is_reached() {
        let guard = guard(&["10.20.0.0/16", "git.corp.example"]).closed_to_the_public();
        assert!(reach(&guard, "10.20.1.2").is_ok() && reach(&guard, "git.corp.example").is_ok());
        let public = reach(&guard, "8.8.8.8").expect_err("a public address");
        assert!(matches!(public, Refused::Address { why: Closed::NotAllowed, .. }), "{public}");
        let looked_up = guard.admit("proxy.example", &["8.8.8.8".parse().expect("an address")]);
        assert!(looked_up.is_err(), "a public name");
        let named = guard.admit("git.corp.example", &["8.8.8.8".parse().expect("an address")]);
        assert!(named.is_ok(), "a name that is allowed, wherever it is");
    }

    #[test]
    fn every_spelling_of_a_closed_address_is_refused() {
        let guard = guard(&[]);
        let closed: Vec<_> = include_str!("../../../tests/fixtures/closed-addresses.txt")
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect();
        assert!(closed.len() >= 60);
        for host in closed {
            assert!(reach(&guard, host).is_err(), "{host}");
        }
    }

    #[test]
    fn public_addresses_and_their_neighbours_are_reached() {
        let guard = guard(&[]);
        for host in [
            "8.8.8.8",
            "134744072",
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "[2606:4700::1111]",
            "[::ffff:8.8.8.8]",
            "[2001:200::1]",
            "[3ffe::1]",
            "sum.golang.org",
        ] {
            assert_eq!(reach(&guard, host), Ok(()), "{host}");
        }
    }

    #[test]
    fn an_allowed_network_opens_itself_but_not_the_metadata_in_it() {
        let wide = guard(&["169.254.0.0/16", "fd00::/8", "10.20.0.0/16", "64:ff9b::/96", "192.168.7.7"]);
        for (host, open) in [
            ("10.20.0.1", true),
            ("[::ffff:10.20.0.1]", true),
            ("10.21.0.1", false),
            ("192.168.7.7", true),
            ("192.168.7.8", false),
            ("169.254.0.1", true),
            ("169.254.169.254", false),
            ("[fd12::1]", true),
            ("[fd00:ec2::254]", false),
            ("[64:ff9b::8.8.8.8]", true),
            ("[64:ff9b::10.20.0.1]", true),
            ("[64:ff9b::127.0.0.1]", false),
            ("[64:ff9b::a9fe:a9fe]", false),
        ] {
            assert_eq!(reach(&wide, host).is_ok(), open, "{host}");
        }
        assert!(reach(&guard(&["169.254.169.254"]), "0xa9fea9fe").is_ok(), "named exactly");
        assert!(reach(&guard(&["169.254.169.254/32"]), "169.254.169.254").is_ok());
        assert!(reach(&guard(&["metadata.google.internal"]), "metadata.google.internal").is_ok());
    }

    #[test]
    fn one_closed_address_of_a_name_closes_all() {
        let addresses: Vec<IpAddr> = ["8.8.8.8", "10.0.0.1"].iter().map(|ip| ip.parse().expect("one")).collect();
        assert!(guard(&[]).admit("both.example", &addresses).is_err());
        assert!(guard(&["10.0.0.0/8"]).admit("both.example", &addresses).is_ok());
        assert!(guard(&["both.example"]).admit("Both.Example.", &addresses).is_ok());
        let metadata = [IpAddr::from([169, 254, 169, 254])];
        assert!(guard(&["both.example"]).admit("both.example", &metadata).is_err(), "a name may come to mean it");
    }

    #[test]
    fn http_reaches_only_what_is_allowed() {
        let allow = Arc::new(NetworkAllow::of(&["10.0.0.0/8", "git.corp.example"]));
        let guard = Guard::insecure(allow);
        let admitted = |host: &str, ip: &str| guard.admit(host, &[ip.parse().expect("an address")]).is_ok();
        assert!(admitted("any.example", "10.1.2.3"));
        assert!(admitted("git.corp.example", "8.8.8.8"));
        assert!(!admitted("any.example", "8.8.8.8"));
        assert!(!admitted("any.example", "127.0.0.1"));
    }

    #[test]
    fn an_address_holds_neither_a_user_nor_a_fragment_nor_another_scheme() {
        let guard = guard(&[]);
        for text in ["https://u@a.example/", "https://u:p@a.example/", "https://a.example/#x", "http://a.example/"] {
            assert!(guard.check_url(&Url::parse(text).expect("a URL")).is_err(), "{text}");
        }
        for text in ["ftp://a.example/", "file:///etc/passwd", "gopher://a.example/", "data:,x"] {
            assert!(guard.check_url(&Url::parse(text).expect("a URL")).is_err(), "{text}");
        }
    }
}
