//! Addresses: which are somebody's on the internet, and which belong to a private network, to this machine or to nobody.
//!
//! # Source
//! The IANA registries of special-purpose addresses, IPv4 (<https://www.iana.org/assignments/iana-ipv4-special-registry>) and IPv6
//! (<https://www.iana.org/assignments/iana-ipv6-special-registry>), RFC 6890; of multicast, RFC 5771 and RFC 4291; and what IANA gave
//! out of IPv6 at all, which is 2000::/3 (<https://www.iana.org/assignments/ipv6-address-space>).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 that is not asked: the first address and the length of the prefix.
const PRIVATE_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),           // this network, RFC 791
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private use, RFC 1918
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // shared by carriers, RFC 6598
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback, RFC 1122
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local, and what clouds tell their machines, RFC 3927
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private use, RFC 1918
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments, RFC 6890
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation, RFC 5737
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // relays of 6to4, RFC 7526
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private use, RFC 1918
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarks, RFC 2544
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation, RFC 5737
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation, RFC 5737
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast, RFC 5771
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, and broadcast, RFC 1112
];

/// All of IPv6 that IANA gave out.
const GIVEN_OUT: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// What is not asked of it.
const PRIVATE_V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, and Teredo, RFC 2928, RFC 4380
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation, RFC 3849
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4, which anybody's IPv4 may be in, RFC 7526
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation, RFC 9637
];

/// IPv4 inside of IPv6, for translators: RFC 6052. The networks' own prefix 64:ff9b:1::/48 (RFC 8215) is private use.
const TRANSLATED: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

fn in_v4(address: Ipv4Addr, (first, prefix): (Ipv4Addr, u32)) -> bool {
    (address.to_bits() ^ first.to_bits()) >> (32 - prefix) == 0
}

fn in_v6(address: Ipv6Addr, (first, prefix): (Ipv6Addr, u32)) -> bool {
    (address.to_bits() ^ first.to_bits()) >> (128 - prefix) == 0
}

/// The address that is reached: IPv4 that is only written as IPv6, or goes through a translator, is IPv4.
pub(super) fn reached(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(outer) if in_v6(outer, TRANSLATED) => IpAddr::V4(Ipv4Addr::from_bits(outer.to_bits() as u32)),
        _ => address.to_canonical(),
    }
}

/// Is this an address on the internet, which is nobody's secret?
pub fn is_public(address: IpAddr) -> bool {
    match reached(address) {
        IpAddr::V4(address) => !PRIVATE_V4.iter().any(|network| in_v4(address, *network)),
        IpAddr::V6(address) => in_v6(address, GIVEN_OUT) && !PRIVATE_V6.iter().any(|network| in_v6(address, *network)),
    }
}

/// Can this be no single machine's address, whatever an operator lists? Connecting to 0.0.0.0 reaches this machine.
pub(super) fn is_nobodys(address: IpAddr) -> bool {
    match reached(address) {
        IpAddr::V4(address) => address.octets()[0] == 0 || address.octets()[0] >= 224,
        IpAddr::V6(address) => address.is_unspecified() || address.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each network by its first and its last address, and the neighbours that are free.
    const EDGES: &[(&str, &str, &str, &str)] = &[
        ("0.0.0.0", "0.255.255.255", "", "1.0.0.0"),
        ("10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"),
        ("100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"),
        ("127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"),
        ("169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"),
        ("172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"),
        ("192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0"),
        ("192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"),
        ("192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0"),
        ("192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"),
        ("198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"),
        ("198.51.100.0", "198.51.100.255", "198.51.99.255", "198.51.101.0"),
        ("203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0"),
        ("224.0.0.0", "239.255.255.255", "223.255.255.255", ""),
        ("240.0.0.0", "255.255.255.255", "", ""),
        ("::", "::1", "", ""),
        (
            "::ffff:10.0.0.0",
            "::ffff:10.255.255.255",
            "::ffff:9.255.255.255",
            "::ffff:11.0.0.0",
        ),
        ("::7f00:1", "::fffe:ffff:ffff", "", ""),
        (
            "64:ff9b::10.0.0.0",
            "64:ff9b::10.255.255.255",
            "64:ff9b::9.255.255.255",
            "64:ff9b::11.0.0.0",
        ),
        ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "", ""),
        ("64:ff9b::1:0:0", "64:ff9b::ffff:808:808", "", ""),
        ("100::", "100::ffff:ffff:ffff:ffff", "", ""),
        ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2000:ffff::1", "2001:200::"),
        (
            "2001:db8::",
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:db7:ffff::1",
            "2001:db9::",
        ),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:ffff::1", "2003::"),
        ("2002:7f00:1::", "2002:808:808::1", "", ""),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3ffe:ffff::1", "3fff:1000::"),
        ("4000::", "5f00:ffff::1", "", ""),
        ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", ""),
        ("fe80::1", "febf:ffff::1", "", ""),
        ("fec0::", "feff:ffff::1", "", ""),
        ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", ""),
    ];

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_private_network_is_private_from_its_first_address_to_its_last() {
        for (first, last, before, after) in EDGES {
            for private in [first, last] {
                assert!(!is_public(address(private)), "{private}");
            }
            for free in [before, after].into_iter().filter(|text| !text.is_empty()) {
                assert!(is_public(address(free)), "{free}");
            }
        }
        for free in [
            "1.1.1.1",
            "8.8.8.8",
            "192.31.196.1",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(address(free)), "{free}");
        }
    }

    #[test]
    fn what_is_no_machines_address_can_never_be_asked() {
        for nobodys in [
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::ffff:0.0.0.0",
            "ff02::1",
            "64:ff9b::",
        ] {
            assert!(is_nobodys(address(nobodys)), "{nobodys}");
        }
        for somebodys in ["127.0.0.1", "10.0.0.1", "223.255.255.255", "::1", "fe80::1", "2606:4700::1"] {
            assert!(!is_nobodys(address(somebodys)), "{somebodys}");
        }
    }

    #[test]
    fn an_address_in_another_spelling_is_the_one_that_is_reached() {
        for (written, expected) in [
            ("::ffff:127.0.0.1", "127.0.0.1"),
            ("64:ff9b::127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
            ("2002:7f00:1::", "2002:7f00:1::"),
        ] {
            assert_eq!(reached(address(written)), address(expected), "{written}");
        }
    }
}
