//! What every request is judged by before anything else: framing, host, target, expectation.
//!
//! hyper accepts a missing or doubled `Host`, an absolute target with any host and unknown expectations; a proxy
//! in front may read these differently, so they are refused here. Beside `Transfer-Encoding` it takes
//! `Content-Length` away and closes the connection behind the answer, as RFC 9112 (6.3) has it; that happens
//! before we see the request. Also: the request's id, and the address under which the caller knows this server.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{CONTENT_ENCODING, EXPECT, HOST};
use http::uri::Scheme;
use http::{HeaderMap, Method, Version};
use ipnet::IpNet;
use keeper_core::access::Principal;
use keeper_core::error::{Failure, codes};
use keeper_core::identity::TokenSecret;
use keeper_core::repository::Actor;
use poem::Request;

use crate::server::TlsServerName;

/// Bytes of a request target at most.
const TARGET_BYTES: usize = 8 * 1024;

/// Judges the `Host` of a request: a name or address without its port.
pub type HostRule = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// How this server is known to the outside.
#[derive(Clone)]
pub struct Front {
    /// The configured public address, without a trailing slash.
    pub public_url: Option<String>,
    /// Which host names are served.
    pub host_allowed: HostRule,
    /// Networks whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether the certificate is signed by an authority of our own, which clients do not know.
    pub own_authority: bool,
    /// Whether everybody may read the description of the API.
    pub public_documents: bool,
}

/// What is known of one request.
#[derive(Debug, Clone)]
pub struct RequestFacts {
    /// Twelve characters that stand in the answer and in the log.
    pub id: String,
    /// The address of this server as the caller knows it: `https://host[:port]`.
    pub base_url: String,
    /// Its host without the port.
    pub host: String,
    /// Whether it travels encrypted, as far as is known.
    pub https: bool,
    /// The caller's address.
    pub peer: Option<IpAddr>,
}

impl RequestFacts {
    /// A principal as the actor of a change that this request asks for.
    pub(crate) fn actor(&self, who: &Principal) -> Actor {
        who.actor(self.peer.map(|peer| peer.to_string()), Some(self.id.clone()))
    }
}

/// A new request id: unguessable is not needed, unique is.
pub(crate) fn new_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static SEED: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| getrandom::u64().unwrap_or(0x9e37_79b9));
    // SplitMix64 (Steele, Lea, Flood 2014): distinct inputs give distinct outputs.
    let mut mixed = SEED.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    (0..12).map(|place| char::from(DIGITS[(mixed >> (place * 5)) as usize & 31])).collect()
}

impl Front {
    /// Lets somebody read the description of the API.
    ///
    /// # Errors
    /// `login_required` for strangers, where it is not for everybody.
    pub(crate) fn open_documents(&self, who: &Principal) -> Result<(), Failure> {
        match who {
            Principal::Anonymous if !self.public_documents => {
                Err(Failure::new(&codes::LOGIN_REQUIRED, "the description of the API is for those who sign in here"))
            }
            _ => Ok(()),
        }
    }

    /// Judges a request.
    ///
    /// # Errors
    /// The first thing that two readers could understand differently.
    pub fn examine(&self, request: &Request, id: String) -> Result<RequestFacts, Box<(RequestFacts, Failure)>> {
        let peer = peer(request);
        let mut facts = RequestFacts {
            id,
            base_url: self.public_url.clone().unwrap_or_default(),
            host: String::new(),
            https: *request.scheme() == Scheme::HTTPS,
            peer,
        };
        if let Err(failure) = no_proxy(request) {
            return Err(Box::new((facts, failure)));
        }
        let host = match self.host(request) {
            Ok(host) => host,
            Err(failure) => return Err(Box::new((facts, failure))),
        };
        self.address(request, &host, &mut facts);
        if !(self.host_allowed)(&facts.host) {
            let failure = Failure::new(
                &codes::INVALID_HOST,
                format!("host \"{}\" is not served here", facts.host.escape_debug()),
            );
            return Err(Box::new((facts, failure)));
        }
        match framing(request).and_then(|()| target(request)).and_then(|()| same_name(request, &facts.host)) {
            Ok(()) => Ok(facts),
            Err(failure) => Err(Box::new((facts, failure))),
        }
    }

    fn host(&self, request: &Request) -> Result<String, Failure> {
        let refuse = |detail: &str| Failure::new(&codes::INVALID_HOST, detail);
        let mut sent = request.headers().get_all(HOST).iter();
        let header = sent.next().map(|value| value.to_str().map(str::to_owned));
        if sent.next().is_some() {
            return Err(refuse("more than one Host header was sent"));
        }
        let header = match header {
            Some(Ok(host)) if !host.is_empty() => Some(host),
            Some(_) => return Err(refuse("the Host header is empty or not text")),
            None => None,
        };
        let authority = request.original_uri().authority().map(ToString::to_string);
        match (header, authority) {
            (Some(header), Some(authority)) if !header.eq_ignore_ascii_case(&authority) => Err(Failure::new(
                &codes::MISDIRECTED,
                "the target of the request names another host than its Host header",
            )),
            (Some(host), _) => Ok(host),
            (None, Some(authority)) if request.version() == Version::HTTP_2 => Ok(authority),
            (None, Some(authority)) => Ok(authority),
            (None, None) => Err(refuse("the Host header is missing")),
        }
    }

    /// The caller's view of our address: configured, told by a trusted proxy, or what the request says.
    fn address(&self, request: &Request, host: &str, facts: &mut RequestFacts) {
        let direct = facts.peer;
        let trusted = direct.is_some_and(|peer| self.trusts(peer));
        let mut host = host.to_owned();
        if trusted {
            // The last of several headers of one name: those before it may have come from the client.
            let forwarded = |name: &str| request.headers().get_all(name).iter().next_back()?.to_str().ok();
            if let Some(proto) = forwarded("x-forwarded-proto") {
                facts.https = proto.trim().eq_ignore_ascii_case("https");
            }
            if let Some(named) = forwarded("x-forwarded-host").filter(|named| !named.trim().is_empty()) {
                host = named.trim().to_owned();
            }
            facts.peer = self.client_of(&chain(request.headers())).or(direct);
        }
        facts.host = without_port(&host).to_ascii_lowercase();
        if self.public_url.is_none() {
            let scheme = if facts.https { "https" } else { "http" };
            facts.base_url = format!("{scheme}://{host}");
        } else {
            facts.https = facts.https || facts.base_url.starts_with("https:");
        }
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&peer))
    }

    /// The right-most address of a forwarding chain that is not one of our proxies. What cannot be read as an address
    /// ends the chain: everything to its left may be the client's own words.
    fn client_of(&self, hops: &[&str]) -> Option<IpAddr> {
        hops.iter().rev().map_while(|hop| address(hop)).find(|hop| !self.trusts(*hop))
    }
}

/// All hops of a request, the nearest last: proxies add to the header, or add a header.
fn chain(headers: &HeaderMap) -> Vec<&str> {
    let lists = headers.get_all("x-forwarded-for").iter();
    lists.flat_map(|list| list.to_str().unwrap_or("").split(',')).map(str::trim).collect()
}

/// The address of a hop, which some proxies write with a port.
fn address(hop: &str) -> Option<IpAddr> {
    let plain = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let address = plain.parse().ok().or_else(|| Some(hop.parse::<std::net::SocketAddr>().ok()?.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

fn peer(request: &Request) -> Option<IpAddr> {
    request.remote_addr().as_socket_addr().map(|address| address.ip().to_canonical())
}

fn without_port(host: &str) -> &str {
    match host.find(']') {
        Some(end) => &host[..=end],
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

/// The name in the TLS hello and the host asked for are one, or a proxy in between mixed up its connections.
fn same_name(request: &Request, host: &str) -> Result<(), Failure> {
    match request.extensions().get::<TlsServerName>() {
        Some(TlsServerName(name)) if !name.eq_ignore_ascii_case(host) => {
            Err(Failure::new(&codes::MISDIRECTED, "the TLS connection was opened for another host"))
        }
        _ => Ok(()),
    }
}

/// Targets that name no resource of ours: `CONNECT host:port` and `OPTIONS *`.
fn no_proxy(request: &Request) -> Result<(), Failure> {
    let method = request.method();
    if *method == Method::CONNECT || request.original_uri().path() == "*" {
        return Err(Failure::method_not_allowed(method.as_str(), "GET, HEAD"));
    }
    Ok(())
}

fn framing(request: &Request) -> Result<(), Failure> {
    let headers = request.headers();
    if let Some(value) = headers.get(EXPECT)
        && !value.as_bytes().eq_ignore_ascii_case(b"100-continue")
    {
        return Err(Failure::new(&codes::EXPECTATION_FAILED, "this expectation is not known"));
    }
    let coded = headers.get(CONTENT_ENCODING).is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if coded {
        return Err(Failure::new(&codes::UNSUPPORTED_MEDIA_TYPE, "the request body has a content coding")
            .hint("Send it uncompressed."));
    }
    Ok(())
}

fn target(request: &Request) -> Result<(), Failure> {
    let uri = request.original_uri();
    let (path, query) = (uri.path(), uri.query().unwrap_or(""));
    if path.len() + query.len() > TARGET_BYTES {
        return Err(Failure::new(&codes::URI_TOO_LONG, "the target is longer than 8 KiB"));
    }
    if TokenSecret::occurs_in(path) || TokenSecret::occurs_in(query) {
        return Err(Failure::new(&codes::TOKEN_IN_URL, "the address holds a token"));
    }
    Ok(())
}

/// Whether a header asks for an answer that JSON, or lines of it, is not.
pub(crate) fn excludes_json(headers: &HeaderMap) -> bool {
    let Some(accept) = headers.get(http::header::ACCEPT).and_then(|value| value.to_str().ok()) else { return false };
    !accept.split(',').any(|range| {
        let media = range.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        matches!(
            media.as_str(),
            "" | "*/*" | "application/*" | "application/json" | "application/problem+json" | "application/x-ndjson"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_of_a_chain_is_its_right_most_stranger() {
        let front = Front {
            public_url: None,
            host_allowed: Arc::new(|_| true),
            trusted_proxies: vec!["10.0.0.0/8".parse().expect("a network")],
            own_authority: false,
            public_documents: true,
        };
        let rows: [(&[&str], Option<&str>); 11] = [
            (&["1.1.1.1, 2.2.2.2, 10.0.0.7"], Some("2.2.2.2")),
            (&["1.1.1.1", "2.2.2.2"], Some("2.2.2.2")),
            (&["1.1.1.1", "2.2.2.2, 10.0.0.7", "10.0.0.8"], Some("2.2.2.2")),
            (&["2.2.2.2:4711"], Some("2.2.2.2")),
            (&["[2001:db8::7]:4711"], Some("2001:db8::7")),
            (&["[2001:db8::7]"], Some("2001:db8::7")),
            (&["::ffff:10.0.0.7, ::ffff:2.2.2.2, ::ffff:10.0.0.8"], Some("2.2.2.2")),
            // The nearest hop is unreadable: what the client wrote before it does not count.
            (&["1.1.1.1, unknown"], None),
            (&["1.1.1.1", ""], None),
            (&["10.0.0.1"], None),
            (&[], None),
        ];
        for (lines, expected) in rows {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", line.parse().expect("a header"));
            }
            let expected = expected.map(|text| text.parse::<IpAddr>().expect("an address"));
            assert_eq!(front.client_of(&chain(&headers)), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_port_is_no_part_of_the_name() {
        for (host, name) in
            [("h:80", "h"), ("h", "h"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("127.0.0.1:1", "127.0.0.1")]
        {
            assert_eq!(without_port(host), name);
        }
    }

    #[test]
    fn request_ids_differ() {
        let ids: std::collections::HashSet<_> = (0..10_000).map(|_| new_id()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 12));
    }
}
