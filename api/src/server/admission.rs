//! Who may have a connection: so many at once, and so many from one address.
//!
//! *Bounds*: the table of addresses has an entry for each address that has a connection now, so it is never
//! longer than the number of connections.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ServerLimits;

/// Refused connections that are being told so; others are just closed.
const FAREWELLS: usize = 64;

/// With more connections than these each has smaller buffers.
const CROWD: usize = 128;

/// Connections by address.
type Table = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// Counts the connections of a listener.
#[derive(Debug)]
pub(super) struct Admission {
    all: Arc<Semaphore>,
    connections: usize,
    farewells: Arc<Semaphore>,
    per_address: usize,
    unbounded: Vec<IpNet>,
    addresses: Table,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The listener has all it takes.
    Everywhere,
    /// This address has all it may have.
    ForAddress,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Everywhere => "too many connections",
            Self::ForAddress => "too many connections from this address",
        })
    }
}

/// The right to one connection; dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Slot {
    _place: OwnedSemaphorePermit,
    counted: Option<(Table, IpAddr)>,
}

impl Admission {
    pub(super) fn new(limits: &ServerLimits) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.connections)),
            connections: limits.connections,
            farewells: Arc::new(Semaphore::new(FAREWELLS)),
            per_address: limits.connections_per_address,
            unbounded: limits.unbounded_networks.clone(),
            addresses: Arc::default(),
        }
    }

    pub(super) fn admit(&self, peer: IpAddr) -> Result<Slot, Full> {
        let peer = peer.to_canonical();
        let place = self.all.clone().try_acquire_owned().map_err(|_| Full::Everywhere)?;
        if self.unbounded.iter().any(|network| network.contains(&peer)) {
            return Ok(Slot { _place: place, counted: None });
        }
        let key = one_machine(peer);
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = addresses.get(&key).copied().unwrap_or_default();
        if count >= self.per_address {
            return Err(Full::ForAddress);
        }
        addresses.insert(key, count + 1);
        drop(addresses);
        Ok(Slot { _place: place, counted: Some((self.addresses.clone(), key)) })
    }

    /// Whether there are so many connections that the memory of each counts.
    pub(super) fn is_crowded(&self) -> bool {
        self.connections.saturating_sub(self.all.available_permits()) > CROWD
    }

    /// A place among those that are told they cannot have one.
    pub(super) fn farewell(&self) -> Option<OwnedSemaphorePermit> {
        self.farewells.clone().try_acquire_owned().ok()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some((addresses, key)) = &self.counted else { return };
        let mut addresses = addresses.lock().unwrap_or_else(PoisonError::into_inner);
        match addresses.get_mut(key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                addresses.remove(key);
            }
        }
    }
}

/// An IPv6 customer has at least a /64 and may use any address of it.
fn one_machine(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, connections_per_address: usize) -> Admission {
        let unbounded_networks = vec!["10.0.0.0/8".parse().expect("a network")];
        Admission::new(&ServerLimits {
            connections,
            connections_per_address,
            unbounded_networks,
            ..ServerLimits::default()
        })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_connection_beyond_the_bound_is_refused_until_one_ends() {
        let admission = admission(3, 2);
        let first = admission.admit(address("192.0.2.1")).expect("a place");
        let _second = admission.admit(address("::ffff:192.0.2.1")).expect("a place");
        assert_eq!(admission.admit(address("192.0.2.1")).err(), Some(Full::ForAddress));
        let _third = admission.admit(address("192.0.2.2")).expect("a place");
        assert_eq!(admission.admit(address("192.0.2.3")).err(), Some(Full::Everywhere));
        drop(first);
        assert!(admission.admit(address("192.0.2.1")).is_ok());
    }

    #[test]
    fn a_crowd_is_more_than_so_many_connections_at_once() {
        let admission = admission(CROWD + 1, 1);
        let come = || admission.admit(address("10.1.1.1")).expect("a place");
        let _few: Vec<_> = (0..CROWD).map(|_| come()).collect();
        assert!(!admission.is_crowded());
        let last = come();
        assert!(admission.is_crowded());
        drop(last);
        assert!(!admission.is_crowded());
    }

    #[test]
    fn one_ipv6_network_is_one_machine_and_a_trusted_proxy_is_unbounded() {
        let admission = admission(10, 1);
        let _one = admission.admit(address("2001:db8::1")).expect("a place");
        assert!(admission.admit(address("2001:db8::ffff")).is_err());
        assert!(admission.admit(address("2001:db8:0:1::1")).is_ok());
        let proxied: Vec<_> = (0..5).map(|_| admission.admit(address("10.1.1.1"))).collect();
        assert!(proxied.iter().all(Result::is_ok));
    }

    #[test]
    fn the_table_forgets_addresses_without_connections() {
        let admission = admission(10, 2);
        drop(admission.admit(address("192.0.2.1")));
        assert!(admission.addresses.lock().expect("the table").is_empty());
    }
}
