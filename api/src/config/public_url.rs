//! The address that users see.
//!
//! Shape: `https://registry.example.com`, `http://host:8080`, `https://host/keeper`. A path is one that a proxy takes
//! away before it passes a request on: the server answers at its own root and writes the path into what it shows.

use std::fmt;

use url::Url;

/// An origin (`https://host[:port]`), perhaps with a path, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
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
        let path = url.path().trim_end_matches('/');
        if !path.split('/').skip(1).all(plain_segment) {
            return Err(
                "the path of the public address has letters, digits and . _ ~ - between single slashes".to_owned()
            );
        }
        if url.port() == Some(0) {
            return Err("port 0 is no address that users can type".to_owned());
        }
        let text = format!("{}{path}", url.origin().ascii_serialization());
        Ok(Self { text, host: host.to_owned(), https: url.scheme() == "https" })
    }

    /// `https://host[:port][/path]`, no slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
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

/// A segment that stands in pages, scripts and shell lines as it is. The URL parser has resolved dots.
fn plain_segment(segment: &str) -> bool {
    !segment.is_empty() && segment.chars().all(|c| c.is_ascii_alphanumeric() || "._~-".contains(c))
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::PublicUrl;

    #[test]
    fn an_origin_with_its_path_is_kept_and_all_else_refused() {
        let good = [
            ("https://registry.example.com", "https://registry.example.com", "registry.example.com"),
            ("https://Registry.Example.com:443/", "https://registry.example.com", "registry.example.com"),
            ("http://h:8080/", "http://h:8080", "h"),
            ("http://[::1]:8080", "http://[::1]:8080", "[::1]"),
            ("https://h/keeper/", "https://h/keeper", "h"),
            ("https://h:8443/a/b.c", "https://h:8443/a/b.c", "h"),
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
            "https://h/a//b",
            "https://h/a%20b",
            "https://h/a'b",
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
