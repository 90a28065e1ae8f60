//! Networks and host names in lists.
//!
//! Shape: `10.20.0.0/16`, `fd00::/8`, `192.0.2.7` (a network of one), `git.corp.example`.

use std::net::IpAddr;

use ipnet::IpNet;
use url::Url;

/// Where the server itself may connect to, although it is private.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedNetwork {
    /// Any address of this network.
    Network(IpNet),
    /// This host name (lower case), whatever it resolves to.
    Host(String),
}

/// A network, or an address as a network of one.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network.map(|network: IpNet| network.trunc())
}

/// A peer whose forwarding headers are believed. Everybody is refused in every spelling: then anybody could
/// choose the address that limits and the audit see.
pub(super) fn proxy(text: &str) -> Result<IpNet, String> {
    let everybody = || "this would believe everybody; name the addresses of the proxies".to_owned();
    if text == "*" {
        return Err(everybody());
    }
    let network = network(text).ok_or_else(|| format!("{text:?} is no address and no network"))?;
    if network.prefix_len() == 0 { Err(everybody()) } else { Ok(network) }
}

/// A network that may read the metrics.
pub(super) fn scraper(text: &str) -> Result<IpNet, String> {
    network(text).ok_or_else(|| format!("{text:?} is no address and no network"))
}

/// A network or host name that may be connected to.
///
/// # Errors
/// That it is neither.
pub fn allowed(text: &str) -> Result<AllowedNetwork, String> {
    let named = || host_name(text).map(AllowedNetwork::Host);
    let found = network(text).map(AllowedNetwork::Network).or_else(named);
    found.ok_or_else(|| format!("{text:?} is no network and no host name"))
}

/// The address of an http proxy, with the user and password that it may want.
pub(super) fn outgoing_proxy(text: &str) -> Result<Url, String> {
    let rule = || "expected an address like http://proxy.corp.example:3128, without a path".to_owned();
    let url = Url::parse(text).map_err(|_| rule())?;
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && plain { Ok(url) } else { Err(rule()) }
}

/// A host name or IPv4 address in lower case, without the dot at its end.
pub(super) fn host_name(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(plain) && !label.starts_with('-') && !label.ends_with('-')
    };
    (name.len() <= 253 && name.split('.').all(label)).then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_named_one_by_one() {
        for (text, network) in [("10.0.0.0/24", "10.0.0.0/24"), ("10.0.0.7/24", "10.0.0.0/24"), ("::1", "::1/128")] {
            assert_eq!(proxy(text).expect(text).to_string(), network);
        }
        for bad in ["*", "0.0.0.0/0", "::/0", "10.0.0.0/33", "proxy.example", "", "10.0.0"] {
            assert!(proxy(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_proxy_is_a_host_and_perhaps_a_port_and_a_user() {
        for good in ["http://proxy.example:3128", "https://proxy.example/", "http://u:p@10.0.0.1:8080"] {
            assert!(outgoing_proxy(good).is_ok(), "{good}");
        }
        for bad in ["proxy.example:3128", "socks5://proxy.example", "http://", "http://proxy.example/x", "10.0.0.1"] {
            assert!(outgoing_proxy(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn networks_and_names_are_told_apart() {
        assert!(matches!(allowed("10.20.0.0/16"), Ok(AllowedNetwork::Network(_))));
        assert_eq!(allowed("Git.Corp.example"), Ok(AllowedNetwork::Host("git.corp.example".to_owned())));
        for bad in ["10.0.0.0/33", "http://a", "*.corp", ""] {
            assert!(allowed(bad).is_err(), "{bad}");
        }
    }
}
