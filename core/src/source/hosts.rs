//! Hosts that redirects of an upstream may lead to.
//!
//! ```text
//! storage.example.com      this host
//! *.storage.example.com    every host below it, and not it itself
//! 192.0.2.7  [2001:db8::1] an address, as it stands in an address line
//! ```
//!
//! *Bounds*: [`REDIRECT_HOSTS`](crate::limits::REDIRECT_HOSTS) of them, each a host name's length.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Bytes of a host name (RFC 1035, 2.3.4).
const HOST_BYTES: usize = 253;

/// A host, or all hosts below a name. In small letters, without a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern(String);

/// A text that names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host; write it like storage.example.com or *.storage.example.com, without a scheme or a port")]
pub struct InvalidHost(String);

impl HostPattern {
    /// Whether it means this host, as the URL library writes it.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self.0.strip_prefix('*') {
            Some(below) => host.len() > below.len() && host.ends_with(below),
            None => host == self.0,
        }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = InvalidHost;

    fn try_from(text: String) -> Result<Self, InvalidHost> {
        let host = text.to_ascii_lowercase();
        let bare = host.strip_prefix("*.").unwrap_or(&host);
        let is_label = |label: &str| {
            let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            !label.is_empty() && label.bytes().all(sound)
        };
        let is_address = |text: &str| text.parse::<std::net::Ipv6Addr>().is_ok();
        let in_brackets = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(is_address);
        if host.len() <= HOST_BYTES && (bare.split('.').all(is_label) || in_brackets) {
            return Ok(Self(host));
        }
        Err(InvalidHost(text.chars().take(80).collect()))
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_a_host_or_those_below_it() {
        for (pattern, host, wanted) in [
            ("storage.example.com", "storage.example.com", true),
            ("Storage.Example.com", "storage.example.com", true),
            ("storage.example.com", "a.storage.example.com", false),
            ("storage.example.com", "evilstorage.example.com", false),
            ("*.example.com", "storage.example.com", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "evilexample.com", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("[2001:db8::1]", "[2001:db8::1]", true),
        ] {
            let read = HostPattern::try_from(pattern.to_owned()).expect(pattern);
            assert_eq!(read.matches(host), wanted, "{pattern} {host}");
        }
        let long = "a.".repeat(200);
        for bad in ["", "*", "*.", "a..b", "https://a.b", "a.b:443", "a.b/c", "a b", "*.*.com", "[x]", "*a.com", &long]
        {
            assert!(HostPattern::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
