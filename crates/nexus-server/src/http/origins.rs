//! Whose pages this server answers: which `Origin` may change something, and under which address the server is known.
//!
//! It deliberately knows no CORS: no page of another origin ever gets a header that lets it read an answer.

use http::HeaderMap;
use http::header::{HOST, ORIGIN};

/// An origin without a path: `https://chat.example.org`, in lower case.
pub type Origin = String;

/// The origins that may change something here.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    public: Option<Origin>,
    listed: Vec<Origin>,
    loopback_only: bool,
}

/// What a request's `Origin` is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No browser sent this, or one that says nothing.
    Absent,
    /// Our own page.
    Own,
    /// Any other page, `null` included.
    Foreign,
}

/// Reads `http://host[:port]` or `https://host[:port]`, with or without a slash at the end.
pub fn parse(text: &str) -> Option<Origin> {
    let text = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
    let authority = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let plain = authority
        .parse::<http::uri::Authority>()
        .is_ok_and(|parsed| !parsed.host().is_empty() && !authority.contains('@'));
    plain.then_some(text)
}

impl Origins {
    /// `public` is the address people type, if the operator said; `listed` are further ones. With `loopback_only` and no public
    /// address, only pages of `localhost` are our own: a foreign name that resolves to this machine stays foreign.
    pub fn new(public: Option<Origin>, listed: Vec<Origin>, loopback_only: bool) -> Self {
        Self {
            public,
            listed,
            loopback_only,
        }
    }

    /// The address people type, if the operator said.
    pub fn public(&self) -> Option<&str> {
        self.public.as_deref()
    }

    /// Is the public address behind TLS?
    pub fn is_secure(&self) -> bool {
        self.public.as_deref().is_some_and(|origin| origin.starts_with("https://"))
    }

    /// Judges the `Origin` of a request.
    pub fn judge(&self, headers: &HeaderMap) -> Verdict {
        let mut all = headers.get_all(ORIGIN).iter();
        match (all.next(), all.next()) {
            (None, _) => Verdict::Absent,
            (Some(origin), None) => match origin.to_str() {
                Ok(origin) if self.is_own(origin, headers) => Verdict::Own,
                _ => Verdict::Foreign,
            },
            (Some(_), Some(_)) => Verdict::Foreign,
        }
    }

    fn is_own(&self, origin: &str, headers: &HeaderMap) -> bool {
        let Some(origin) = parse(origin) else { return false };
        if self.public.as_ref() == Some(&origin) || self.listed.contains(&origin) {
            return true;
        }
        let (_, authority) = origin.split_once("://").unwrap_or_default();
        let same = host(headers).is_some_and(|host| host.eq_ignore_ascii_case(authority));
        same && (is_loopback(authority) || (self.public.is_none() && !self.loopback_only))
    }

    /// The base of WebSocket addresses for this request: `wss://chat.example.org`.
    pub fn gateway_url(&self, headers: &HeaderMap) -> String {
        match &self.public {
            Some(public) => format!("ws{}", public.strip_prefix("http").unwrap_or_default()),
            None => format!("ws://{}", host(headers).unwrap_or("localhost")),
        }
    }
}

/// The one well-formed `Host`.
fn host(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(HOST)?.to_str().ok()?;
    (host.parse::<http::uri::Authority>().is_ok() && !host.contains('@')).then_some(host)
}

fn is_loopback(authority: &str) -> bool {
    let host = authority
        .parse::<http::uri::Authority>()
        .map(|authority| authority.host().to_owned())
        .unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.ends_with(".localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(origins: &Origins, origin: &str, host: &str) -> Verdict {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().expect("a header"));
        headers.insert(ORIGIN, origin.parse().expect("a header"));
        origins.judge(&headers)
    }

    #[test]
    fn only_our_own_pages_are_our_own() {
        let local = Origins::new(None, vec![], true);
        let open = Origins::new(None, vec![], false);
        let public = Origins::new(parse("https://chat.example.org/"), vec!["https://app.example.org".into()], true);
        for (origins, origin, host, expected) in [
            (&local, "http://localhost:8080", "localhost:8080", Verdict::Own),
            (&local, "http://127.0.0.1:1", "127.0.0.1:1", Verdict::Own),
            (&local, "http://[::1]:1", "[::1]:1", Verdict::Own),
            (&local, "http://localhost:8080", "127.0.0.1:8080", Verdict::Foreign),
            (&local, "http://rebound.example:8080", "rebound.example:8080", Verdict::Foreign),
            (&local, "null", "localhost:8080", Verdict::Foreign),
            (&local, "http://localhost:8080.evil.example", "localhost:8080", Verdict::Foreign),
            (&local, "http://evil@localhost:8080", "localhost:8080", Verdict::Foreign),
            (&open, "http://10.0.0.7:8080", "10.0.0.7:8080", Verdict::Own),
            (&open, "http://evil.example", "10.0.0.7:8080", Verdict::Foreign),
            (&public, "https://chat.example.org", "anything", Verdict::Own),
            (&public, "https://app.example.org", "chat.example.org", Verdict::Own),
            (&public, "http://chat.example.org", "chat.example.org", Verdict::Foreign),
            (&public, "https://evil.example", "evil.example", Verdict::Foreign),
            (&public, "http://localhost:8080", "localhost:8080", Verdict::Own),
        ] {
            assert_eq!(judge(origins, origin, host), expected, "{origin} at {host}");
        }
        assert_eq!(local.judge(&HeaderMap::new()), Verdict::Absent);
    }

    #[test]
    fn the_gateway_is_where_people_go() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "127.0.0.1:8081".parse().expect("a header"));
        assert_eq!(Origins::new(None, vec![], true).gateway_url(&headers), "ws://127.0.0.1:8081");
        assert_eq!(
            Origins::new(parse("https://chat.example.org"), vec![], true).gateway_url(&headers),
            "wss://chat.example.org"
        );
    }
}
