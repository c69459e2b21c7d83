//! `[transparency]`, `[relay]` and `[retention]`: the key log, what it is kept in, and who cosigns it.

use http::Uri;
use nexus_crypto::keys::PublicKey;
use nexus_types::limits::{LOG_WINDOW_MS, MINUTE_MS};
use serde::{Deserialize, Serialize};

/// The names of the three cosigners.
pub const COSIGNERS: [&str; 3] = ["cosigner_0", "cosigner_1", "cosigner_2"];
/// Who holds a cosigner of which nothing else is said.
pub use nexus_core::transparency::THIS_SERVER;
/// What clients are promised, and a little; and a week.
const EVENTS_MINUTES_MIN: u32 = (LOG_WINDOW_MS / MINUTE_MS) as u32;
const EVENTS_MINUTES_MAX: u32 = 7 * 24 * 60;
/// Characters of an operator's name.
const OPERATOR_CHARS_MAX: usize = 100;

/// `[transparency]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Transparency {
    /// `sql` or `jsonl`.
    pub store: String,
    /// Cosigners that are programs of their own: `NAME URL KEY [OPERATOR]`.
    pub cosigners: Vec<String>,
    /// Registrations a second from one address, and as many at once.
    pub rate_limit_rps: u32,
}

impl Default for Transparency {
    fn default() -> Self {
        Self {
            store: "sql".into(),
            cosigners: vec![],
            rate_limit_rps: 10,
        }
    }
}

/// `[relay]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Relay {
    /// Bytes of a frame; a larger one closes the socket with 1009.
    pub payload_bytes_max: u32,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            payload_bytes_max: 131_072,
        }
    }
}

/// `[retention]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// For how long a cosigner keeps what it refused to sign, after it was asked last; 0 for ever.
    pub evidence_days: u32,
    /// For how long the event log is kept, which is what RESUME reads.
    pub events_minutes: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            evidence_days: 365,
            events_minutes: EVENTS_MINUTES_MIN,
        }
    }
}

/// What the log is kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogBackend {
    /// The database of everything else.
    Sql,
    /// `users.jsonl` and `sth.jsonl`.
    Jsonl,
}

/// A cosigner that is a program of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteSeat {
    /// Which of [`COSIGNERS`].
    pub name: &'static str,
    /// Where it answers, without a slash at the end.
    pub url: String,
    /// Its key.
    pub public_key: PublicKey,
    /// Who holds it.
    pub operator: String,
}

/// The key log's settings, understood.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// What it is kept in.
    pub backend: LogBackend,
    /// Cosigners elsewhere; the others are in this process.
    pub remotes: Vec<RemoteSeat>,
    /// Registrations a second from one address.
    pub registrations_per_second: u32,
    /// For how long cosigners of this process keep what they refused.
    pub evidence_days: u32,
}

impl LogSettings {
    /// # Errors
    /// The key that is wrong, and what is wrong with it.
    pub(super) fn parse(log: &Transparency, retention: &Retention) -> Result<Self, (&'static str, String)> {
        let backend = match log.store.as_str() {
            "sql" => LogBackend::Sql,
            "jsonl" => LogBackend::Jsonl,
            other => return Err(("transparency.store", format!("`{other}` is none of sql, jsonl"))),
        };
        let mut remotes: Vec<RemoteSeat> = vec![];
        for text in &log.cosigners {
            let seat = remote(text).map_err(|what| ("transparency.cosigners", format!("`{text}`: {what}")))?;
            if remotes.iter().any(|other| other.name == seat.name) {
                return Err(("transparency.cosigners", format!("{} is there twice", seat.name)));
            }
            if remotes.iter().any(|other| other.public_key == seat.public_key) {
                return Err(("transparency.cosigners", format!("{} has the key of another", seat.name)));
            }
            remotes.push(seat);
        }
        if !(1..=100_000).contains(&log.rate_limit_rps) {
            return Err(("transparency.rate_limit_rps", "1 to 100000".into()));
        }
        if !(EVENTS_MINUTES_MIN..=EVENTS_MINUTES_MAX).contains(&retention.events_minutes) {
            let what = format!("{EVENTS_MINUTES_MIN} to {EVENTS_MINUTES_MAX}");
            return Err(("retention.events_minutes", what));
        }
        Ok(Self {
            backend,
            remotes,
            registrations_per_second: log.rate_limit_rps,
            evidence_days: retention.evidence_days,
        })
    }
}

/// Reads `NAME URL KEY [OPERATOR]`.
fn remote(text: &str) -> Result<RemoteSeat, String> {
    let mut words = text.split_whitespace();
    let (Some(name), Some(url), Some(key)) = (words.next(), words.next(), words.next()) else {
        return Err("a cosigner is NAME URL KEY [OPERATOR], such as cosigner_1 https://cosigner.example.org BASE64KEY Alice".into());
    };
    let known = COSIGNERS.into_iter().find(|known| *known == name);
    let name = known.ok_or_else(|| format!("the names are {}", COSIGNERS.join(", ")))?;
    let url = base(url)?;
    let public_key = PublicKey::parse(key).map_err(|cause| format!("its key is {cause}"))?;
    let operator = words.collect::<Vec<_>>().join(" ");
    if operator.chars().count() > OPERATOR_CHARS_MAX || operator == THIS_SERVER {
        return Err(format!(
            "its operator needs a name of its own, of at most {OPERATOR_CHARS_MAX} characters"
        ));
    }
    // Whoever does not say who holds it gets no independence for it.
    let operator = if operator.is_empty() { THIS_SERVER.to_owned() } else { operator };
    Ok(RemoteSeat {
        name,
        url,
        public_key,
        operator,
    })
}

/// The address of a program: `https://host[:port][/path]`, or `http://` on this machine.
///
/// # Errors
/// What is wrong with it.
pub fn base(text: &str) -> Result<String, String> {
    let uri: Uri = text.parse().map_err(|_| format!("`{text}` is no URL"))?;
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let local = bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let good = match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => local,
        _ => false,
    };
    let bare_authority = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    if good && bare_authority && uri.query().is_none() {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err(format!("`{text}` must be https://HOST, or http:// on this machine"))
    }
}

#[cfg(test)]
mod tests {
    use nexus_crypto::keys::SigningKey;

    use super::*;

    fn parse(cosigners: &[String]) -> Result<LogSettings, (&'static str, String)> {
        let log = Transparency {
            cosigners: cosigners.to_vec(),
            ..Transparency::default()
        };
        LogSettings::parse(&log, &Retention::default())
    }

    #[test]
    fn a_cosigner_has_a_name_an_address_and_a_key() {
        let key = |seed: u8| crate::transparency::spelled(&SigningKey::from_seed(&[seed; 32]).public());
        let good = [
            format!("cosigner_1 https://cosigner.example.org/ {} Alice  Adams", key(1)),
            format!("cosigner_2 http://127.0.0.1:8001 {}", key(2)),
        ];
        let settings = parse(&good).expect("good ones");
        let read: Vec<_> = settings
            .remotes
            .iter()
            .map(|seat| (seat.name, seat.url.as_str(), seat.operator.as_str()))
            .collect();
        assert_eq!(
            read,
            [
                ("cosigner_1", "https://cosigner.example.org", "Alice Adams"),
                ("cosigner_2", "http://127.0.0.1:8001", THIS_SERVER)
            ]
        );
        for (bad, word) in [
            ("cosigner_1".to_owned(), "NAME URL KEY"),
            (format!("cosigner_3 https://a.example {}", key(1)), "cosigner_0, cosigner_1"),
            (format!("cosigner_1 http://a.example {}", key(1)), "https://"),
            (format!("cosigner_1 https://u:p@a.example {}", key(1)), "https://"),
            ("cosigner_1 https://a.example AAAA".to_owned(), "public key"),
            (format!("cosigner_1 https://a.example {} this server", key(1)), "name of its own"),
        ] {
            let (at, said) = parse(std::slice::from_ref(&bad)).expect_err("a bad one");
            assert!(at == "transparency.cosigners" && said.contains(word), "{bad}: {said}");
        }
        let twice = [
            format!("cosigner_1 https://a.example {}", key(1)),
            format!("cosigner_1 https://b.example {}", key(2)),
        ];
        assert!(parse(&twice).is_err());
        let same_key = [
            format!("cosigner_1 https://a.example {}", key(1)),
            format!("cosigner_2 https://b.example {}", key(1)),
        ];
        assert!(parse(&same_key).is_err());
    }

    #[test]
    fn evidence_is_kept_for_ever_where_the_operator_says_0() {
        let kept = |evidence_days, events_minutes| {
            let retention = Retention {
                evidence_days,
                events_minutes,
            };
            LogSettings::parse(&Transparency::default(), &retention).map(|settings| settings.evidence_days)
        };
        assert_eq!((kept(0, 6), kept(30, 10_080)), (Ok(0), Ok(30)));
        for minutes in [0, 5, 10_081] {
            let (at, said) = kept(30, minutes).expect_err("clients are promised more, and a week is enough");
            assert!(at == "retention.events_minutes" && said == "6 to 10080", "{said}");
        }
    }
}
