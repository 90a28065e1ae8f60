//! The list in GOPROXY, read as the `go` command reads it.
//!
//! ```text
//! https://a.example/go/local,https://proxy.example|direct
//! entry                     , entry                | entry      the sign is the one behind the entry
//! ```
//!
//! Blanks around an entry, empty entries and a slash at the end of an address mean nothing; an address without a
//! scheme is https; what stands behind `direct` or `off` is never read.

/// An entry of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// As it is written, without blanks around it. May hold a password.
    pub(super) text: &'a str,
    /// Whether any failure leads to the next entry, and not only an absence.
    pub(super) pipe: bool,
}

/// The entries in order, also those that are never read.
pub(super) fn entries(list: &str) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    for part in list.split_inclusive([',', '|']) {
        let text = part.trim_end_matches([',', '|']).trim();
        if !text.is_empty() {
            entries.push(Entry { text, pipe: part.ends_with('|') });
        }
    }
    entries
}

impl Entry<'_> {
    /// Whether nothing behind it is read.
    pub(super) fn is_last(&self) -> bool {
        matches!(self.text, "direct" | "off")
    }

    /// Where it leads, unless it is a word.
    pub(super) fn address(&self) -> Option<Address> {
        (!self.is_last()).then(|| Address::parse(self.text))
    }
}

/// An address without its user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) scheme: String,
    /// Host and port, without the port that the scheme has by itself.
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) has_user: bool,
}

impl Address {
    pub(super) fn parse(text: &str) -> Self {
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, authority) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        let scheme = scheme.to_ascii_lowercase();
        let usual = if scheme == "http" { ":80" } else { ":443" };
        let authority = authority.to_ascii_lowercase();
        Self {
            authority: authority.strip_suffix(usual).unwrap_or(&authority).to_owned(),
            scheme,
            path: path.trim_end_matches('/').to_owned(),
            has_user: user.is_some(),
        }
    }

    /// The same place, whoever asks.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.is_server_of(other) && self.path == other.path
    }

    /// The same server.
    pub(super) fn is_server_of(&self, other: &Self) -> bool {
        (&self.scheme, &self.authority) == (&other.scheme, &other.authority)
    }

    /// The same name of a host, perhaps at another port or by another scheme.
    pub(super) fn is_host_of(&self, other: &Self) -> bool {
        self.host() == other.host()
    }

    fn host(&self) -> &str {
        let port = self.authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        port.map_or(&*self.authority, |(host, _)| host)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Of an address that is written wrongly the user may be in the path.
        let path = if self.path.contains('@') { "/…" } else { &self.path };
        write!(f, "{}://{}{path}", self.scheme, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_go_reads_it() {
        let entry = |text, pipe| Entry { text, pipe };
        let rows = [
            ("", vec![]),
            (",|,", vec![]),
            ("off", vec![entry("off", false)]),
            (" a , b|c,", vec![entry("a", false), entry("b", true), entry("c", false)]),
        ];
        for (list, wanted) in rows {
            assert_eq!(entries(list), wanted, "{list:?}");
        }
    }

    #[test]
    fn an_address_is_compared_without_user_usual_port_and_last_slash() {
        let ours = Address::parse("https://h.example/go/local");
        for same in ["h.example/go/local", "https://u:p@H.example:443/go/local/", "HTTPS://h.example/go/local"] {
            assert!(Address::parse(same).is(&ours), "{same}");
        }
        for other in ["http://h.example/go/local", "https://h.example:8443/go/local", "https://h.example/go/other"] {
            assert!(!Address::parse(other).is(&ours) && Address::parse(other).is_host_of(&ours), "{other}");
        }
        assert!(!Address::parse("https://i.example/go/local").is_host_of(&ours));
        for text in ["https://u:secret@h.example/x", "u:secret@h.example/x", "https:/u:secret@h.example/x"] {
            assert!(!Address::parse(text).to_string().contains("secret"), "{text}");
        }
        assert!(Address::parse("http://[::1]:8080/x").is_host_of(&Address::parse("https://[::1]/x")));
    }
}
