//! Which `Host` names are answered.
//!
//! A page in somebody's browser can make a name of its own point to 127.0.0.1 and then talk to a server there
//! (DNS rebinding). So a listener on a loopback address answers to the names of this machine only, unless told
//! otherwise. Elsewhere the names in front of a server are not known to it, and any is answered.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::PublicUrl;
use super::network::host_name;

/// The host names that are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHosts {
    /// Lower case, without port; IPv6 in brackets. `None` answers any.
    names: Option<Vec<String>>,
    explicit: bool,
}

impl AllowedHosts {
    /// Those that were named, else those that go with the listener; always with that of the public address.
    pub(super) fn of(named: Option<&[String]>, listen: SocketAddr, public: Option<&PublicUrl>) -> Self {
        let mut names = match named {
            Some(named) if named.iter().any(|name| name == "*") => None,
            Some(named) => Some(named.to_vec()),
            None if listen.ip().is_loopback() => Some(loopback_names(listen.ip())),
            None => None,
        };
        if let (Some(names), Some(public)) = (&mut names, public) {
            names.push(public.host().to_owned());
        }
        Self { names, explicit: named.is_some() }
    }

    /// Whether this host (without port, any case) is answered.
    #[must_use]
    pub fn allows(&self, host: &str) -> bool {
        let Some(names) = &self.names else {
            return true;
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    /// Whether any name is answered.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.names.is_none()
    }

    /// The names that are answered; none when any is.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().flatten().map(String::as_str)
    }

    /// Whether somebody named them.
    #[must_use]
    pub fn is_explicit(&self) -> bool {
        self.explicit
    }
}

fn loopback_names(listen: IpAddr) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
    let own = bracketed(listen);
    if !names.contains(&own) {
        names.push(own);
    }
    names
}

fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// One entry of the list: `*`, a host name, an address; IPv6 with or without brackets.
pub(super) fn entry(text: &str) -> Result<String, String> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<Ipv6Addr>() {
        return Ok(bracketed(address.into()));
    }
    host_name(text).ok_or_else(|| format!("{text:?} is no host name; write it without port and path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(named: Option<&[&str]>, listen: &str, public: Option<&str>) -> AllowedHosts {
        let named: Option<Vec<_>> = named.map(|names| names.iter().map(|name| entry(name).expect(name)).collect());
        let public = public.map(|url| PublicUrl::parse(url).expect(url));
        AllowedHosts::of(named.as_deref(), listen.parse().expect(listen), public.as_ref())
    }

    #[test]
    fn a_loopback_listener_answers_to_this_machine_and_to_the_public_name() {
        type Row<'a> = (Option<&'a [&'a str]>, &'a str, Option<&'a str>, &'a str, bool);
        let rows: [Row<'_>; 14] = [
            (None, "127.0.0.1:1", None, "localhost", true),
            (None, "127.0.0.1:1", None, "LOCALHOST.", true),
            (None, "127.0.0.1:1", None, "[::1]", true),
            (None, "127.0.0.1:1", None, "evil.example", false),
            (None, "127.0.0.9:1", None, "127.0.0.9", true),
            (None, "127.0.0.1:1", Some("https://keep.example"), "keep.example", true),
            (None, "127.0.0.1:1", Some("https://keep.example"), "evil.example", false),
            (None, "0.0.0.0:1", None, "evil.example", true),
            (None, "0.0.0.0:1", Some("https://keep.example"), "other.example", true),
            (Some(&["a.example"]), "0.0.0.0:1", None, "other.example", false),
            (Some(&["A.example"]), "0.0.0.0:1", None, "a.example", true),
            (Some(&["a.example"]), "127.0.0.1:1", None, "localhost", false),
            (Some(&["::1"]), "0.0.0.0:1", None, "[::1]", true),
            (Some(&["*"]), "127.0.0.1:1", None, "evil.example", true),
        ];
        for (named, listen, public, host, expected) in rows {
            assert_eq!(hosts(named, listen, public).allows(host), expected, "{named:?} {listen} {public:?} {host}");
        }
    }

    #[test]
    fn only_plain_host_names_are_entries() {
        for bad in ["", "a:80", "http://a", "a/b", "*.example.com", "a b", "-a", "a..b"] {
            assert!(entry(bad).is_err(), "{bad}");
        }
    }
}
