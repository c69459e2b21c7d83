//! Addresses as limits see them, and lists of networks: which proxies are believed, and whose connections are not counted.

use std::net::{IpAddr, Ipv6Addr};

use http::{HeaderMap, HeaderName};

/// What a proxy says about where a request came from; each proxy adds at the end whom it talked to.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// An address as limits see it: IPv4 whole, IPv6 by its /64, because one home has that many.
pub(crate) type Net = u64;

/// See [`Net`].
pub(crate) fn net(address: IpAddr) -> Net {
    match address.to_canonical() {
        IpAddr::V4(address) => u64::from(u32::from(address)),
        // A /64 that begins with 32 zero bits is reserved, so no IPv6 network looks like an IPv4 address.
        IpAddr::V6(address) => (Ipv6Addr::to_bits(address) >> 64) as u64,
    }
}

/// A network: `192.0.2.7`, `10.0.0.0/8`, `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    /// IPv4 as IPv6 has it: ::ffff:0:0/96.
    bits: u128,
    /// Of 128.
    prefix: u32,
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(width);
        (prefix <= width).then_some(Self {
            bits: bits(address),
            prefix: 128 - width + prefix,
        })
    }

    fn contains(self, address: IpAddr) -> bool {
        // Shifting away all 128 bits leaves nothing that could differ.
        (self.bits ^ bits(address)).checked_shr(128 - self.prefix).unwrap_or(0) == 0
    }
}

/// A list of networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// Reads addresses and networks; the first text that is neither comes back.
    ///
    /// # Errors
    /// The text that is neither an address nor a network.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let read = |text| Network::parse(text).ok_or(text);
        texts.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// These and this machine.
    #[must_use]
    pub fn and_loopback(mut self) -> Self {
        let own = Self::parse(["127.0.0.0/8", "::1"]).expect("they are networks");
        self.0.extend(own.0);
        self
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Is this address in one of them?
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Where a request came from: the peer or, if that is one of these proxies, the address which it says it talked to.
    ///
    /// Only the last one counts. All before it is what the client itself may have sent.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.contains(peer) {
            return peer;
        }
        let last = headers.get_all(FORWARDED_FOR).iter().next_back();
        let hop = last.and_then(|line| line.to_str().ok()?.rsplit(',').next());
        hop.and_then(|hop| hop.trim().parse().ok()).unwrap_or(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn one_home_is_one_address() {
        let same = |one: &str, other: &str| net(address(one)) == net(address(other));
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }

    #[test]
    fn a_network_holds_its_addresses_alone() {
        for (network, inside, outside) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.7", "::ffff:192.0.2.7", "::192.0.2.7"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.9.9.9/8", "10.0.0.1", "9.255.255.255"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("::1", "::1", "::2"),
        ] {
            let networks = Networks::parse([network]).expect("a network");
            assert!(networks.contains(address(inside)), "{inside} in {network}");
            assert!(!networks.contains(address(outside)), "{outside} in {network}");
        }
        let everything = Networks::parse(["::/0"]).expect("a network");
        assert!(everything.contains(address("2001:db8::1")) && everything.contains(address("192.0.2.1")));
        for wrong in ["", "localhost", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0/8", "10.0.0.1:80"] {
            assert_eq!(Networks::parse(["::1", wrong]), Err(wrong));
        }
        assert!(!Networks::default().contains(address("127.0.0.1")));
        let local = Networks::default().and_loopback();
        assert!(local.contains(address("127.0.0.53")) && local.contains(address("::1")) && !local.contains(address("192.0.2.1")));
    }

    #[test]
    fn only_the_last_word_of_a_known_proxy_counts() {
        let proxies = Networks::parse(["127.0.0.1", "10.0.0.0/8"]).expect("networks");
        for (peer, lines, expected) in [
            ("127.0.0.1", &[] as &[&str], "127.0.0.1"),
            ("127.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("127.0.0.1", &["192.0.2.66, 203.0.113.9"], "203.0.113.9"),
            ("127.0.0.1", &["192.0.2.66", "192.0.2.77,203.0.113.9"], "203.0.113.9"),
            ("::ffff:10.1.1.1", &[" 2001:db8::9 "], "2001:db8::9"),
            // Nothing that can be read: never what stands before it.
            ("127.0.0.1", &["192.0.2.66, unknown"], "127.0.0.1"),
            ("127.0.0.1", &["192.0.2.66", ""], "127.0.0.1"),
            // A stranger may write what it likes.
            ("203.0.113.50", &["192.0.2.66"], "203.0.113.50"),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, line.parse().expect("a header"));
            }
            assert_eq!(proxies.client(address(peer), &headers), address(expected), "{peer} {lines:?}");
        }
    }
}
