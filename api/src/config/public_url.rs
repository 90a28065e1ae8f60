//! The address that users see.
//!
//! Shape: `https://registry.example.com`, `http://host:8080`. Scheme, host and port only: clients build
//! `/go/…` below the root of a host, and the server does not know of a prefix that a proxy takes away.

use std::fmt;

use url::Url;

/// An origin (`https://host[:port]`) without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    host: String,
    https: bool,
}

impl PublicUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// The rule it breaks.
    pub fn parse(text: &str) -> Result<Self, String> {
        // The URL parser mends much (backslashes, missing slashes, tabs) that is a mistake in a configuration.
        let plain = text.chars().all(|c| c.is_ascii_graphic() && !"\\<>\"".contains(c));
        let scheme = ["https://", "http://"].into_iter().find(|scheme| text.starts_with(scheme));
        let (Some(_), true) = (scheme, plain) else {
            return Err("expected https:// or http:// and a host".to_owned());
        };
        let url = Url::parse(text).map_err(|error| format!("this is no URL: {error}"))?;
        let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
            return Err("the host is missing".to_owned());
        };
        if url.query().is_some() || url.fragment().is_some() {
            return Err("the public address has no query (?) and no fragment (#)".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the public address holds no user name and no password".to_owned());
        }
        if url.path() != "/" {
            return Err("the public address has no path: the server answers at the root of a host".to_owned());
        }
        if url.port() == Some(0) {
            return Err("port 0 is no address that users can type".to_owned());
        }
        let origin = url.origin().ascii_serialization();
        Ok(Self { origin, host: host.to_owned(), https: url.scheme() == "https" })
    }

    /// `https://host[:port]`, no slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// The host without port, lower case; IPv6 in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether users come over https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.https
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::PublicUrl;

    #[test]
    fn an_origin_is_kept_and_all_else_refused() {
        let good = [
            ("https://registry.example.com", "https://registry.example.com", "registry.example.com"),
            ("https://Registry.Example.com:443/", "https://registry.example.com", "registry.example.com"),
            ("http://h:8080/", "http://h:8080", "h"),
            ("http://[::1]:8080", "http://[::1]:8080", "[::1]"),
        ];
        for (text, origin, host) in good {
            let url = PublicUrl::parse(text).expect(text);
            assert_eq!((url.as_str(), url.host(), url.is_https()), (origin, host, text.starts_with("https")), "{text}");
        }
        let bad = [
            "",
            "registry.example.com",
            "ftp://h",
            "https:h",
            "https://",
            "https://h?x=1",
            "https://h#top",
            "https://h/registry",
            "https://u:p@h",
            "https://h:0",
            "https://h:99999",
            "https://a b",
            "https:\\\\h",
        ];
        for text in bad {
            assert!(PublicUrl::parse(text).is_err(), "{text}");
        }
    }
}
