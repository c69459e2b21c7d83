//! Who may be asked: the one decision, over a host, its port and the address that it leads to.

use std::net::IpAddr;

use nexus_core::outbound::CallError;

use super::addresses::{is_nobodys, is_public, reached};
use super::exceptions::Exceptions;
use super::own::OwnAddresses;
use super::urls::{Host, Target};

/// Names that lead to this machine or into a network of its own.
///
/// # Source
/// RFC 6761 (localhost), RFC 6762 (local), RFC 8375 (home.arpa); ICANN kept internal for private use on 2024-07-29.
const PRIVATE_NAMES: [&str; 4] = ["localhost", "internal", "local", "home.arpa"];

/// Knows what is private, what is listed, and what this server is.
#[derive(Debug)]
pub(super) struct Gate {
    exceptions: Exceptions,
    own: OwnAddresses,
}

impl Gate {
    pub(super) fn new(exceptions: Exceptions, own: OwnAddresses) -> Self {
        Self { exceptions, own }
    }

    /// Looks at a URL without asking anybody.
    ///
    /// # Errors
    /// [`CallError::Blocked`].
    pub(super) fn check(&self, target: &Target) -> Result<(), CallError> {
        let open = !self.own.is_host(&target.host, target.port)
            && match &target.host {
                Host::Address(address) => self.admits(None, *address, Some(target.port)),
                Host::Name(name) => !is_private_name(name) || self.exceptions.has_name(name, Some(target.port)),
            };
        if open {
            Ok(())
        } else {
            Err(CallError::Blocked(target.authority()))
        }
    }

    /// May this address be connected to, which `name` led to? `port` is one of [`special`](Self::special), or none of them.
    pub(super) fn admits(&self, name: Option<&str>, address: IpAddr, port: Option<u16>) -> bool {
        let address = reached(address);
        let own = port.is_some_and(|port| self.own.has_address(address, port));
        if own || is_nobodys(address) {
            return false;
        }
        is_public(address) || self.exceptions.has_address(address, port) || name.is_some_and(|name| self.exceptions.has_name(name, port))
    }

    /// This port, if anything is said of it that is not said of every port.
    pub(super) fn special(&self, port: u16) -> Option<u16> {
        let said = self.own.ports().contains(&port) || self.exceptions.ports().contains(&port);
        said.then_some(port)
    }
}

fn is_private_name(name: &str) -> bool {
    PRIVATE_NAMES.iter().any(|private| {
        let before = name.strip_suffix(private);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::super::urls::parse;
    use super::*;

    fn gate(listed: &[&str]) -> Gate {
        let listed: Vec<String> = listed.iter().map(|text| (*text).to_owned()).collect();
        let own = OwnAddresses::new(&["127.0.0.1:8080".parse().expect("an address")], Some("https://chat.example.org"));
        Gate::new(Exceptions::parse(&listed).expect("good ones"), own)
    }

    fn open(gate: &Gate, url: &str) -> bool {
        match gate.check(&parse(url).expect("a URL")) {
            Ok(()) => true,
            Err(CallError::Blocked(_)) => false,
            Err(other) => panic!("{url}: {other}"),
        }
    }

    #[test]
    fn private_hosts_are_blocked_in_every_spelling_unless_listed() {
        let strict = gate(&[]);
        for url in [
            "http://127.0.0.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://[::ffff:127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0/",
            "http://[::]/",
            "http://localhost/",
            "http://LOCALHOST./",
            "http://a.localhost/",
            "http://metadata.google.internal/",
            "http://internal/",
            "http://printer.local/",
            "http://nas.home.arpa/",
            "https://chat.example.org/events",
            "https://CHAT.example.org./events",
            "http://chat.example.org:8080/",
        ] {
            assert!(!open(&strict, url), "{url}");
        }
        for url in [
            "https://example.org/",
            "http://8.8.8.8/",
            "http://[2606:4700::1]:8080/",
            "http://notlocalhost/",
            "http://local.example.org/",
            "https://chat.example.org:9000/",
        ] {
            assert!(open(&strict, url), "{url}");
        }
    }

    #[test]
    fn what_is_listed_may_be_asked_but_never_this_server() {
        let lenient = gate(&["127.0.0.0/8", "factory.internal:9000", "localhost", "0.0.0.0/0", "chat.example.org"]);
        for url in [
            "http://127.0.0.1:9000/",
            "http://factory.internal:9000/",
            "http://localhost:1234/",
            "http://[::ffff:10.0.0.1]/",
        ] {
            assert!(open(&lenient, url), "{url}");
        }
        for url in [
            "http://127.0.0.1:8080/events",
            "http://[::ffff:127.0.0.1]:8080/",
            "http://[64:ff9b::127.0.0.1]:8080/",
            "https://chat.example.org/",
            "http://factory.internal:9001/",
            "http://0.0.0.0:8080/",
            "http://224.0.0.1/",
        ] {
            assert!(!open(&lenient, url), "{url}");
        }
    }

    #[test]
    fn a_listed_name_may_lead_to_private_addresses_and_another_may_not() {
        let gate = gate(&["factory.internal:9000", "db", "10.0.0.0/8", "192.168.0.1:9000"]);
        for (name, address, port, expected) in [
            ("factory.internal", "127.0.0.1", Some(9000), true),
            ("factory.internal", "127.0.0.1", None, false),
            ("factory.internal", "0.0.0.0", Some(9000), false),
            ("db", "172.16.0.1", None, true),
            ("db", "127.0.0.1", Some(8080), false),
            ("evil.example", "127.0.0.1", Some(9000), false),
            ("evil.example", "10.1.1.1", None, true),
            ("evil.example", "192.168.0.1", Some(9000), true),
            ("evil.example", "192.168.0.1", None, false),
            ("evil.example", "8.8.8.8", None, true),
            ("evil.example", "::ffff:127.0.0.1", None, false),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(gate.admits(Some(name), address, port), expected, "{name} {address} {port:?}");
        }
        assert_eq!(
            [8080, 9000, 443, 9001].map(|port| gate.special(port)),
            [Some(8080), Some(9000), Some(443), None]
        );
    }
}
