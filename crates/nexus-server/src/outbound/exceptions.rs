//! What may be asked although it is private, because the operator says so: `outbound.private`, and `FACTORY_API_URL`.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use nexus_types::limits::OUTBOUND_PRIVATE_MAX;
use reqwest::Url;

use super::addresses::reached;
use super::urls::{Host, Target, host, plain};
use crate::networks::Networks;

/// Private hosts and networks that may be asked. Of what has no port, all ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exceptions {
    names: Vec<(String, Option<u16>)>,
    networks: Networks,
    sockets: Vec<SocketAddr>,
}

impl Exceptions {
    /// Reads `factory.internal`, `factory.internal:9000`, `10.0.0.0/8`, `10.1.2.3` and `127.0.0.1:9000`.
    ///
    /// # Errors
    /// What is wrong.
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        if texts.len() > OUTBOUND_PRIVATE_MAX {
            return Err(format!("there are more than {OUTBOUND_PRIVATE_MAX}"));
        }
        let mut read = Self::default();
        let mut networks = vec![];
        for text in texts {
            if Networks::parse([text.as_str()]).is_ok() {
                networks.push(text.as_str());
            } else if let Ok(socket) = text.parse::<SocketAddr>() {
                read.sockets.push(SocketAddr::new(reached(socket.ip()), socket.port()));
            } else {
                let what = || {
                    format!("`{text}` is none of HOST, HOST:PORT, ADDRESS:PORT and NETWORK, such as factory.internal:9000 or 10.0.0.0/8")
                };
                read.names.push(name(text).ok_or_else(what)?);
            }
        }
        read.networks = Networks::parse(networks).map_err(str::to_owned)?;
        Ok(read)
    }

    /// These, and the host and port of this URL.
    pub(super) fn add(&mut self, target: &Target) {
        match &target.host {
            Host::Name(name) => self.names.push((name.clone(), Some(target.port))),
            Host::Address(address) => self.sockets.push(SocketAddr::new(reached(*address), target.port)),
        }
    }

    /// Is this name listed, at this port? Without a port: at every port?
    pub(super) fn has_name(&self, name: &str, port: Option<u16>) -> bool {
        self.names.iter().any(|(known, at)| known == name && (at.is_none() || *at == port))
    }

    /// Is this address listed, at this port? Without a port: at every port?
    pub(super) fn has_address(&self, address: IpAddr, port: Option<u16>) -> bool {
        let socket = port.map(|port| SocketAddr::new(address, port));
        self.networks.contains(address) || socket.is_some_and(|socket| self.sockets.contains(&socket))
    }

    /// The ports of which something is said.
    pub(super) fn ports(&self) -> BTreeSet<u16> {
        let named = self.names.iter().filter_map(|(_, port)| *port);
        named.chain(self.sockets.iter().map(SocketAddr::port)).collect()
    }
}

/// Reads `HOST` or `HOST:PORT`. An address is a network, or has a port.
fn name(text: &str) -> Option<(String, Option<u16>)> {
    let (bare, port) = match text.rsplit_once(':') {
        Some((bare, port)) => (bare, Some(port.parse::<u16>().ok().filter(|port| *port > 0)?)),
        None => (text, None),
    };
    let letters = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_');
    if bare.is_empty() || !bare.chars().all(letters) {
        return None;
    }
    match host(&Url::parse(&format!("http://{bare}/")).ok()?)? {
        Host::Name(name) => Some((plain(&name), port)),
        Host::Address(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(texts: &[&str]) -> Result<Exceptions, String> {
        Exceptions::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_listed_host_network_and_port_is_that_one_alone() {
        let listed = parse(&[
            "Factory.internal:9000",
            "db.internal.",
            "10.0.0.0/8",
            "127.0.0.1:9000",
            "[::1]:9001",
            "192.0.2.7",
        ])
        .expect("good");
        let address = |text: &str| text.parse().expect("an address");
        for (name, port, expected) in [
            ("factory.internal", Some(9000), true),
            ("factory.internal", Some(9001), false),
            ("factory.internal", None, false),
            ("db.internal", Some(1234), true),
            ("db.internal", None, true),
            ("a.db.internal", None, false),
            ("internal", None, false),
        ] {
            assert_eq!(listed.has_name(name, port), expected, "{name} {port:?}");
        }
        for (text, port, expected) in [
            ("10.255.0.1", Some(1), true),
            ("10.255.0.1", None, true),
            ("11.0.0.1", Some(1), false),
            ("127.0.0.1", Some(9000), true),
            ("127.0.0.1", Some(9001), false),
            ("127.0.0.1", None, false),
            ("127.0.0.2", Some(9000), false),
            ("::1", Some(9001), true),
            ("192.0.2.7", Some(80), true),
            ("192.0.2.8", Some(80), false),
        ] {
            assert_eq!(listed.has_address(address(text), port), expected, "{text} {port:?}");
        }
        assert_eq!(listed.ports(), BTreeSet::from([9000, 9001]));
    }

    #[test]
    fn what_is_no_host_is_not_listed() {
        for wrong in [
            "",
            ":9000",
            "a:b",
            "a:0",
            "a:65536",
            "http://factory.internal",
            "factory.internal/a",
            "*.internal",
            "a b",
            "u@a",
            "10.0.0.0/33",
            "127.1",
            "0x7f.1:80",
            "::1:",
        ] {
            let said = parse(&["10.0.0.0/8", wrong]).expect_err("no host");
            assert!(said.contains(&format!("`{wrong}`")), "{said}");
        }
        let many = vec!["a".to_owned(); OUTBOUND_PRIVATE_MAX + 1];
        assert!(Exceptions::parse(&many).is_err() && Exceptions::parse(&many[1..]).is_ok());
    }
}
