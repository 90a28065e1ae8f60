//! The sources of a remote repository and the order in which they are asked.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::limits::{CHAIN_SOURCES, UPSTREAM_URL_BYTES};

/// The base address of an upstream: `https://host[:port][/path]`, no user, query or fragment, no slash at the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UpstreamUrl(Url);

/// Why a text is no chain of sources.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChain {
    /// There is nothing in it that could be asked.
    #[error("it names no source")]
    Empty,
    /// More than [`CHAIN_SOURCES`].
    #[error("it names more than {CHAIN_SOURCES} sources")]
    TooMany,
    /// Something stands behind `off`.
    #[error("nothing can follow \"off\"")]
    AfterOff,
    /// The word `direct`.
    #[error("\"direct\" is not available: this server runs no version control")]
    Direct,
    /// An address that is not accepted, and the rule it breaks.
    #[error("{0:?}: {1}")]
    Url(String, &'static str),
}

impl UpstreamUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// [`InvalidChain::Url`] with the rule that it breaks; the text is shown without what may be a password.
    pub fn parse(text: &str, allow_http: bool) -> Result<Self, InvalidChain> {
        let refused = |rule| Err(InvalidChain::Url(shown(text), rule));
        if text.len() > UPSTREAM_URL_BYTES {
            return refused("it is too long");
        }
        let Ok(mut url) = Url::parse(text) else { return refused("it is not an address like https://host/path") };
        if !url.username().is_empty() || url.password().is_some() {
            return refused("credentials do not belong into an address; give them as upstream.credentials");
        }
        match url.scheme() {
            "https" => {}
            "http" if allow_http => {}
            "http" => return refused("http:// needs upstream.allow_http"),
            _ => return refused("an address begins with https://"),
        }
        if url.host_str().is_none_or(str::is_empty) {
            return refused("it has no host");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refused("an address has no query and no fragment");
        }
        let folder = url.path().trim_end_matches('/').to_owned();
        url.set_path(&folder);
        Ok(Self(url))
    }

    /// The address with its path, which ends without a slash unless it is empty.
    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// The address of `path` (raw, without a leading slash) below this one, character by character; `None` when it would lead elsewhere.
    #[must_use]
    pub fn join(&self, path: &str) -> Option<Url> {
        let folder = self.to_string();
        let url = Url::parse(&format!("{folder}/{path}")).ok()?;
        // The parser resolves dot segments, so what it gives back says where the path really leads.
        let below = url.as_str().strip_prefix(&folder)?.strip_prefix('/')?;
        let plain = url.query().is_none() && url.fragment().is_none();
        (plain && below == path && url.origin() == self.0.origin()).then_some(url)
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// What may be shown of a refused address: not what stands before an `@`.
fn shown(text: &str) -> String {
    let without = match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}://…{}", &text[..scheme], &text[at..]),
        _ => text.to_owned(),
    };
    without.chars().take(200).collect()
}

/// When the source behind this one is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// When this one says that there is no such thing (`,`).
    OnAbsence,
    /// Also when this one is in trouble (`|`).
    OnTrouble,
}

/// One source, and when the one behind it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainSource {
    /// Where.
    pub url: UpstreamUrl,
    /// And then.
    pub then: Then,
}

/// The sources in order; at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Chain {
    sources: Vec<ChainSource>,
    text: String,
}

impl Chain {
    /// Reads a chain.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str, allow_http: bool) -> Result<Self, InvalidChain> {
        let (mut sources, mut normal, mut ended): (Vec<ChainSource>, _, _) = (Vec::new(), String::new(), false);
        for piece in text.split_inclusive([',', '|']) {
            let separator = piece.chars().last().filter(|c| matches!(c, ',' | '|'));
            let word = piece.trim_end_matches([',', '|']).trim();
            if word.is_empty() {
                continue;
            }
            match word {
                _ if ended => return Err(InvalidChain::AfterOff),
                "direct" => return Err(InvalidChain::Direct),
                "off" => ended = true,
                word => {
                    let url = UpstreamUrl::parse(word, allow_http)?;
                    let then = if separator == Some('|') { Then::OnTrouble } else { Then::OnAbsence };
                    normal.extend(match sources.last().map(|last: &ChainSource| last.then) {
                        None => None,
                        Some(Then::OnAbsence) => Some(','),
                        Some(Then::OnTrouble) => Some('|'),
                    });
                    normal.push_str(&url.to_string());
                    sources.push(ChainSource { url, then });
                }
            }
        }
        // Behind the last one there is nothing to go on to.
        if let Some(last) = sources.last_mut() {
            last.then = Then::OnAbsence;
        }
        match sources.len() {
            0 => Err(InvalidChain::Empty),
            count if count > CHAIN_SOURCES => Err(InvalidChain::TooMany),
            _ => Ok(Self { sources, text: normal }),
        }
    }

    /// The sources, at least one.
    #[must_use]
    pub fn sources(&self) -> &[ChainSource] {
        &self.sources
    }

    /// The chain as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether any source is reached without encryption.
    #[must_use]
    pub fn has_http(&self) -> bool {
        self.sources.iter().any(|source| source.url.0.scheme() == "http")
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Chain> for String {
    fn from(chain: Chain) -> Self {
        chain.text
    }
}

/// A record that was accepted once, with whatever scheme it was accepted.
impl TryFrom<String> for Chain {
    type Error = InvalidChain;

    fn try_from(text: String) -> Result<Self, InvalidChain> {
        Self::parse(&text, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_written_as_goproxy_is() {
        let chain = Chain::parse(" https://a.example/go/ | https://b.example,,https://c.example/x/,off", false);
        let chain = chain.expect("a chain");
        assert_eq!(chain.as_str(), "https://a.example/go|https://b.example,https://c.example/x");
        let thens: Vec<_> = chain.sources().iter().map(|source| source.then).collect();
        assert_eq!(thens, [Then::OnTrouble, Then::OnAbsence, Then::OnAbsence]);
        assert_eq!(Chain::parse(chain.as_str(), false).expect("the same"), chain);
    }

    #[test]
    fn what_is_no_chain_says_which_rule_it_breaks() {
        let rows = [
            ("", "it names no source"),
            ("off", "it names no source"),
            ("https://a.example,direct", "direct"),
            ("off,https://a.example", "nothing can follow"),
            ("ftp://a.example", "begins with https://"),
            ("file:///etc", "begins with https://"),
            ("http://a.example", "allow_http"),
            ("https://u:secret@a.example", "credentials"),
            ("https://a.example?x", "no query"),
            ("https://a.example#x", "no fragment"),
            ("https://", "not an address"),
            ("a.example", "not an address"),
        ];
        for (text, wanted) in rows {
            let fault = Chain::parse(text, false).expect_err(text).to_string();
            assert!(fault.contains(wanted) && !fault.contains("secret"), "{text}: {fault}");
        }
        let many = ["https://a.example"; CHAIN_SOURCES + 1].join(",");
        assert_eq!(Chain::parse(&many, false), Err(InvalidChain::TooMany));
        assert!(Chain::parse("http://a.example", true).is_ok());
    }

    #[test]
    fn a_path_stays_below_its_base_letter_by_letter() {
        let base = UpstreamUrl::parse("https://a.example/go/", false).expect("an address");
        let url = base.join("e.com/%21m/@v/v1.0.0.zip").expect("below");
        assert_eq!(url.as_str(), "https://a.example/go/e.com/%21m/@v/v1.0.0.zip");
        for bad in ["../x", "a/../../x", "a\\..\\x", "a?b", "a#b", "a b", "./x"] {
            assert!(base.join(bad).is_none(), "{bad}");
        }
        let root = UpstreamUrl::parse("https://a.example", false).expect("an address");
        assert_eq!(root.join("x/@v/list").expect("below").as_str(), "https://a.example/x/@v/list");
    }
}
