//! What may stand in a URL that is asked.
//!
//! The grammar of hosts is the WHATWG's, as the sender reads it: every spelling of an address is an address before it is judged.
//! Whatever its parser would silently repair is refused instead, so that nobody reads the same text in two ways.
//!
//! # Source
//! <https://url.spec.whatwg.org/#host-parsing>; ports: <https://fetch.spec.whatwg.org/#port-blocking>.

use std::net::IpAddr;

use nexus_core::outbound::CallError;
use nexus_types::limits::URL_BYTES_MAX;
use reqwest::Url;

/// Ports of other protocols, which might take a request for a command: mail, chat, terminals, files.
const OTHER_PROTOCOLS: &[u16] = &[
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115,
    117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601,
    636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
    10080,
];
/// How often a path may be encoded and still be understood here.
const DECODINGS_MAX: usize = 4;

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// In small letters, without a dot at the end.
    Name(String),
    /// As it was written; [`reached`](super::addresses::reached) is what is judged.
    Address(IpAddr),
}

/// A URL that may be looked at further.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) url: Url,
    pub(super) host: Host,
    pub(super) port: u16,
}

impl Target {
    /// Host and port, for sentences: a URL's path and query may be secrets.
    pub(super) fn authority(&self) -> String {
        format!("{}:{}", self.url.host_str().unwrap_or_default(), self.port)
    }
}

/// Reads a URL.
///
/// # Errors
/// [`CallError::BadUrl`] with a sentence that repeats nothing of it but a port.
pub(super) fn parse(text: &str) -> Result<Target, CallError> {
    let bad = |what: &str| CallError::BadUrl(what.to_owned());
    if text.len() > URL_BYTES_MAX {
        return Err(CallError::BadUrl(format!("it is longer than {URL_BYTES_MAX} bytes")));
    }
    if text
        .chars()
        .any(|letter| letter.is_control() || letter.is_whitespace() || letter == '\\')
    {
        return Err(bad("it has a space, a line break or a backslash in it"));
    }
    let (scheme, rest) = text
        .split_once("://")
        .ok_or_else(|| bad("it must begin with https:// or http://"))?;
    if !["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(bad("it must begin with https:// or http://"));
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.is_empty() {
        return Err(bad("it has no host"));
    }
    if authority.contains('@') {
        return Err(bad("a user or a password must not stand in it; put them into a header"));
    }
    if path.contains('#') {
        return Err(bad("what follows a # is never sent; leave it out, or write %23"));
    }
    if climbs(path.split('?').next().unwrap_or_default()) {
        return Err(bad("its path has a `..` in it"));
    }
    let url = Url::parse(text).map_err(|cause| CallError::BadUrl(format!("it is no URL ({cause})")))?;
    let port = url.port_or_known_default().unwrap_or_default();
    if OTHER_PROTOCOLS.contains(&port) {
        return Err(CallError::BadUrl(format!("port {port} belongs to another protocol")));
    }
    let host = host(&url).ok_or_else(|| bad("it has no host"))?;
    Ok(Target { url, host, port })
}

/// Who a URL names. The parser has made every spelling of an address the usual one.
pub(super) fn host(url: &Url) -> Option<Host> {
    let written = url.host_str()?;
    let bare = written.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse() {
        return Some(Host::Address(address));
    }
    let name = plain(bare);
    (!name.is_empty()).then_some(Host::Name(name))
}

/// A name as it is compared.
pub(super) fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Does a path lead upwards, for anybody who decodes it once or more often?
fn climbs(path: &str) -> bool {
    let mut bytes = path.as_bytes().to_vec();
    for _ in 0..DECODINGS_MAX {
        // Some servers take away what follows a semicolon before they look at a segment.
        let segments = bytes.split(|byte| matches!(byte, b'/' | b'\\'));
        if segments
            .into_iter()
            .any(|segment| segment.split(|byte| *byte == b';').next() == Some(b".."))
        {
            return true;
        }
        let decoded = decode(&bytes);
        if decoded == bytes {
            return false;
        }
        bytes = decoded;
    }
    // Nobody encodes this often who does not want to hide something.
    true
}

fn decode(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        let digit = |place: usize| after.get(place).and_then(|byte| char::from(*byte).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (first, digit(0), digit(1)) {
            decoded.push((high * 16 + low) as u8);
            rest = &after[2..];
        } else {
            decoded.push(*first);
            rest = after;
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_address_is_that_address() {
        for (host, expected) in [
            ("127.0.0.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("0x7F000001", "127.0.0.1"),
            ("017700000001", "127.0.0.1"),
            ("0177.0.0.1", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("127.0.0.1.", "127.0.0.1"),
            ("%31%32%37.0.0.1", "127.0.0.1"),
            ("①②⑦.0.0.1", "127.0.0.1"),
            ("127。0。0。1", "127.0.0.1"),
            ("0", "0.0.0.0"),
            ("[::1]", "::1"),
            ("[0:0:0:0:0:0:0:1]", "::1"),
            ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
            ("[::ffff:7f00:1]", "::ffff:127.0.0.1"),
            ("169.254.169.254", "169.254.169.254"),
        ] {
            let target = parse(&format!("http://{host}:8081/")).unwrap_or_else(|cause| panic!("{host}: {cause}"));
            assert_eq!(target.host, Host::Address(expected.parse().expect("an address")), "{host}");
        }
    }

    #[test]
    fn a_name_is_the_same_in_capitals_with_a_dot_and_encoded() {
        for (url, name, port) in [
            ("https://example.org", "example.org", 443),
            ("HTTP://EXAMPLE.org.:8080/a?b=c", "example.org", 8080),
            ("http://ex%61mple.org/a/%2e/b...c/..d", "example.org", 80),
            ("https://bücher.example/ü?q=../..", "xn--bcher-kva.example", 443),
            ("http://factory:9000/mint/%252f", "factory", 9000),
            ("https://127.0.0.1.example.org", "127.0.0.1.example.org", 443),
        ] {
            let target = parse(url).unwrap_or_else(|cause| panic!("{url}: {cause}"));
            assert_eq!((target.host, target.port), (Host::Name(name.into()), port), "{url}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_not_asked() {
        for (url, word) in [
            ("", "https://"),
            ("file:///etc/passwd", "https://"),
            ("gopher://example.org/", "https://"),
            ("javascript:alert(1)", "https://"),
            ("ws://example.org", "https://"),
            ("http:example.org", "https://"),
            ("//example.org", "https://"),
            ("http:///example.org", "no host"),
            ("http://", "no host"),
            ("http://?a", "no host"),
            ("http://./", "no"),
            ("http://user@example.org", "password"),
            ("http://u:p@example.org/", "password"),
            ("http://@example.org/", "password"),
            ("http://example.org\\@127.0.0.1/", "backslash"),
            ("http://example.org/a b", "space"),
            (" http://example.org", "space"),
            ("http://exam\tple.org", "space"),
            ("http://example.org/\r\nHost: a", "space"),
            ("http://example.org/a#b", "#"),
            ("http://example.org/a/../b", ".."),
            ("http://example.org/..", ".."),
            ("http://example.org/a/%2e%2E/b", ".."),
            ("http://example.org/a%2f..%2fb", ".."),
            ("http://example.org/a/..%5cb", ".."),
            ("http://example.org/a/..;x=1/b", ".."),
            ("http://example.org/%252e%252e/", ".."),
            ("http://example.org/%2525252525252e/", ".."),
            ("http://example.org:25/", "port 25"),
            ("https://example.org:465/", "port 465"),
            ("http://example.org:6667/", "port 6667"),
            ("http://example.org:22/", "port 22"),
            ("http://example.org:0/", "port 0"),
            ("http://example.org:65536/", "port"),
            ("http://[::1%25lo]/", "no URL"),
            ("http://[fe80::1%25eth0]/", "no URL"),
            ("http://999.1.1.1/", "no URL"),
            ("http://a_b c/", "space"),
            ("http://exa<mple.org/", "no URL"),
        ] {
            match parse(url) {
                Err(cause @ CallError::BadUrl(_)) => assert!(cause.to_string().contains(word), "{url}: {cause}"),
                other => panic!("{url}: {other:?}"),
            }
        }
        let long = |bytes: usize| format!("http://example.org/{}", "a".repeat(bytes - 19));
        assert!(parse(&long(URL_BYTES_MAX)).is_ok());
        assert!(parse(&long(URL_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn a_refusal_never_repeats_what_may_be_secret() {
        for url in [
            "http://user:hunter2@example.org/",
            "http://example.org/hunter2/../x?hunter2",
            "http://example.org:25/hunter2?key=hunter2",
            "http://exa<mple/hunter2",
            "http://example.org/hunter2#hunter2",
        ] {
            let said = parse(url).expect_err("it is refused").to_string();
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
