//! Whether an address leads back to this server.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use reqwest::Url;

use super::guard::addresses_of;

/// Where this server is reached.
#[derive(Debug, Clone)]
pub struct OwnAddress {
    bound: SocketAddr,
    public_url: Option<Url>,
}

impl OwnAddress {
    /// Of a server that listens here and is known under this address.
    #[must_use]
    pub fn new(bound: SocketAddr, public_url: Option<&str>) -> Self {
        Self { bound, public_url: public_url.and_then(|text| Url::parse(text).ok()) }
    }

    /// Whether an address is this server's. `asked` is the one under which somebody reaches it just now. A proxy in
    /// front with a name that is not configured is not recognised; requests that go round in a circle are stopped by
    /// their number of hops.
    pub async fn is(&self, url: &Url, asked: &str) -> bool {
        let known = [self.public_url.clone(), Url::parse(asked).ok()];
        if known.into_iter().flatten().any(|known| known.origin() == url.origin()) {
            return true;
        }
        if url.port_or_known_default() != Some(self.bound.port()) {
            return false;
        }
        let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let addresses = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => addresses_of(&host).await.unwrap_or_default(),
        };
        addresses.into_iter().any(|address| self.listens_on(address.to_canonical()))
    }

    fn listens_on(&self, address: IpAddr) -> bool {
        match self.bound.ip() {
            ip if ip.is_unspecified() => is_of_this_machine(address),
            ip => ip == address || (ip.is_loopback() && address.is_unspecified()),
        }
    }
}

/// Only an address of this machine can be bound.
fn is_of_this_machine(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_knows_its_own_addresses() {
        let own = OwnAddress::new(([0, 0, 0, 0], 8080).into(), Some("https://keeper.example"));
        let rows = [
            ("https://keeper.example/go/local", true),
            ("https://keeper.example:444/", false),
            ("http://seen.example:81/x", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::ffff:127.0.0.1]:8080", true),
            ("http://localhost:8080/go/main", true),
            ("http://127.0.0.1:8081", false),
            ("https://192.0.2.1:8080", false),
            ("https://192.0.2.1", false),
        ];
        for (url, wanted) in rows {
            let url = Url::parse(url).expect("a URL");
            assert_eq!(own.is(&url, "http://seen.example:81").await, wanted, "{url}");
        }
        let narrow = OwnAddress::new(([127, 0, 0, 2], 8080).into(), None);
        let other = Url::parse("http://127.0.0.1:8080").expect("a URL");
        assert!(!narrow.is(&other, "").await);
    }
}
