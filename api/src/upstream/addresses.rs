//! What an IP address is: public, special, a cloud's metadata service, or one that hides another.
//!
//! ```text
//! 8.8.8.8             public
//! 10.1.2.3            special
//! 169.254.169.254     special, and a metadata service
//! 64:ff9b::a00:1      special, and 10.0.0.1 for a translator
//! ```
//!
//! Mapped addresses (`::ffff:10.0.0.1`) are made IPv4 ones before they come here. *Sources*: the IANA registries
//! of special-purpose addresses, the manuals of the clouds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Where clouds hand out credentials to whoever can reach them.
const METADATA_ADDRESSES: [IpAddr; 6] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    // Amazon, for tasks of its container service.
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    // Alibaba.
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    // Oracle.
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    // Azure: a public address in every network of theirs.
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    // Amazon.
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

const CLOSED_V4: [Ipv4Net; 15] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
];

/// What is given out to the public. Everything outside of it is closed by this alone.
const PUBLIC_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

/// Closed parts of the public IPv6 space: protocol assignments with Teredo, documentation, 6to4.
const CLOSED_V6: [Ipv6Net; 4] =
    [v6(0x2001, 0, 0, 23), v6(0x2001, 0xdb8, 0, 32), v6(0x2002, 0, 0, 16), v6(0x3fff, 0, 0, 20)];

/// NAT64: the well-known prefix; the local one (`64:ff9b:1::/48`) says nothing about what is inside.
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);
const SIX_TO_FOUR: Ipv6Net = v6(0x2002, 0, 0, 16);

/// Whether a cloud hands out credentials there.
pub(super) fn is_metadata(address: IpAddr) -> bool {
    METADATA_ADDRESSES.contains(&address)
}

/// The IPv4 address that an IPv6 one carries for a translator. Mapped ones are IPv4 already.
pub(super) fn hidden_v4(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(v6) = address else { return None };
    let bits = v6.to_bits();
    let v4 = |bits: u128| Some(IpAddr::V4(Ipv4Addr::from_bits((bits & 0xffff_ffff) as u32)));
    if NAT64.contains(&v6) {
        return v4(bits);
    }
    if SIX_TO_FOUR.contains(&v6) {
        return v4(bits >> 80);
    }
    None
}

/// Whether it is anything but an address that was given out to the public.
pub(super) fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => CLOSED_V4.iter().any(|network| network.contains(&v4)),
        IpAddr::V6(v6) => !PUBLIC_V6.contains(&v6) || CLOSED_V6.iter().any(|network| network.contains(&v6)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_what_the_registries_say() {
        // (address, special, metadata, hidden)
        let rows = [
            ("8.8.8.8", false, false, None),
            ("10.1.2.3", true, false, None),
            ("169.254.169.254", true, true, None),
            // Public, and yet a metadata service.
            ("168.63.129.16", false, true, None),
            ("2606:4700::1111", false, false, None),
            ("fd00:ec2::254", true, true, None),
            ("64:ff9b::a00:1", true, false, Some("10.0.0.1")),
            ("2002:a00:1::", true, false, Some("10.0.0.1")),
        ];
        for (text, special, metadata, hidden) in rows {
            let address: IpAddr = text.parse().expect(text);
            assert_eq!((is_special(address), is_metadata(address)), (special, metadata), "{text}");
            assert_eq!(hidden_v4(address).map(|v4| v4.to_string()).as_deref(), hidden, "{text}");
        }
    }
}
