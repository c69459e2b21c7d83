//! This server's own addresses. They are not asked by anybody's wish: a call that came back here would be ours.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock};

use super::addresses::reached;
use super::urls::{self, Host, Target};

/// Where a proxy in front of this server listens.
const PROXIES: [u16; 2] = [80, 443];

/// Where this server listens, and what people call it. Clones know the same.
#[derive(Debug, Clone, Default)]
pub struct OwnAddresses {
    configured: Vec<SocketAddr>,
    bound: Arc<OnceLock<Vec<SocketAddr>>>,
    public: Option<(Host, u16)>,
}

impl OwnAddresses {
    /// Where it is to listen, and its `server.public_url` if there is one.
    pub fn new(listen: &[SocketAddr], public_url: Option<&str>) -> Self {
        let public = public_url.and_then(|url| urls::parse(url).ok());
        Self {
            configured: listen.to_vec(),
            bound: Arc::default(),
            public: public.map(|Target { host, port, .. }| (host, port)),
        }
    }

    /// Where it does listen. Until this is said, what was configured counts, and port 0 is nobody's.
    pub fn set_bound(&self, addresses: &[SocketAddr]) {
        // Whoever says it a second time says the same: sockets are bound once.
        self.bound.get_or_init(|| addresses.to_vec());
    }

    fn listeners(&self) -> impl Iterator<Item = &SocketAddr> {
        let bound = self.bound.get().unwrap_or(&self.configured);
        bound.iter().filter(|listener| listener.port() != 0)
    }

    /// The ports of which something is said.
    pub(super) fn ports(&self) -> BTreeSet<u16> {
        let public = self.public.iter().flat_map(|(_, port)| PROXIES.into_iter().chain([*port]));
        self.listeners().map(SocketAddr::port).chain(public).collect()
    }

    /// Does this server, or the proxy in front of it, answer to this name?
    pub(super) fn is_host(&self, host: &Host, port: u16) -> bool {
        self.public.as_ref().is_some_and(|(own, _)| own == host) && self.ports().contains(&port)
    }

    /// Does this server listen there?
    pub(super) fn has_address(&self, address: IpAddr, port: u16) -> bool {
        let here = |listener: &SocketAddr| {
            let own = reached(listener.ip());
            own == address || (own.is_unspecified() && is_this_machines(address))
        };
        self.listeners().any(|listener| listener.port() == port && here(listener)) || self.is_host(&Host::Address(address), port)
    }
}

/// Is this an address of this machine? The way to one's own address begins at that address; asking for it sends nothing.
fn is_this_machines(address: IpAddr) -> bool {
    if address.is_loopback() || address.is_unspecified() {
        return true;
    }
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let way = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    // An address to which there is no way can't be asked either.
    way.is_ok_and(|from| from.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(listen: &[&str], public_url: Option<&str>) -> OwnAddresses {
        let listen: Vec<_> = listen.iter().map(|text| text.parse().expect("an address")).collect();
        OwnAddresses::new(&listen, public_url)
    }

    #[test]
    fn a_listener_is_this_server_and_its_neighbours_are_not() {
        let one = own(&["127.0.0.1:8080", "[::1]:8080"], None);
        let all = own(&["0.0.0.0:8080"], None);
        let both = own(&["[::]:8080"], None);
        let address = |text: &str| text.parse().expect("an address");
        for (text, port, of_one, of_all) in [
            ("127.0.0.1", 8080, true, true),
            ("::1", 8080, true, true),
            ("127.0.0.1", 8081, false, false),
            ("127.0.0.9", 8080, false, true),
            ("192.0.2.1", 8080, false, false),
            ("2001:db8::1", 8080, false, false),
        ] {
            assert_eq!(one.has_address(address(text), port), of_one, "{text}:{port}");
            assert_eq!(all.has_address(address(text), port), of_all, "{text}:{port}");
            assert_eq!(both.has_address(address(text), port), of_all, "{text}:{port}");
        }
    }

    #[test]
    fn a_free_port_is_this_servers_from_when_it_is_bound() {
        let early = own(&["127.0.0.1:0"], None);
        let address = "127.0.0.1".parse().expect("an address");
        assert!(!early.has_address(address, 0) && early.ports().is_empty());
        let clone = early.clone();
        early.set_bound(&["127.0.0.1:40123".parse().expect("an address")]);
        assert!(clone.has_address(address, 40_123) && clone.ports().contains(&40_123));
    }

    #[test]
    fn the_public_host_is_this_server_at_every_port_where_it_may_answer() {
        let named = own(&["127.0.0.1:8080"], Some("https://Chat.example.org:8443"));
        let name = Host::Name("chat.example.org".into());
        for (port, expected) in [(8443, true), (443, true), (80, true), (8080, true), (9000, false)] {
            assert_eq!(named.is_host(&name, port), expected, "{port}");
        }
        assert!(!named.is_host(&Host::Name("example.org".into()), 443));
        let numbered = own(&["127.0.0.1:8080"], Some("https://198.41.0.4"));
        let address = "198.41.0.4".parse().expect("an address");
        assert!(numbered.has_address(address, 443) && !numbered.has_address(address, 9000));
    }
}
