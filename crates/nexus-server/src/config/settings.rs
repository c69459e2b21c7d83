//! The configuration, every value understood.

use std::net::SocketAddr;

use nexus_core::passwords::Cost;
use nexus_types::limits::{MINUTE_MS, RELAY_FRAME_BYTES_MAX};

use super::{Config, HubConfig, Layers, LogSettings, Passwords, Source, Store, wrong};
use crate::exits::Failure;
use crate::http::origins::{self, Origins};
use crate::networks::Networks;
use crate::outbound::Exceptions;
use crate::roles::Roles;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// JSON unless a person is looking.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// The configuration, understood.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is served.
    pub roles: Roles,
    /// The instance's name.
    pub name: String,
    /// Where to listen.
    pub listen: Vec<SocketAddr>,
    /// Nobody said where to listen, so an address that this machine does not have is left out.
    pub listen_is_default: bool,
    /// Whose pages are answered, and what the public address is.
    pub origins: Origins,
    /// Can nobody but this machine connect? Not where a proxy carries others here.
    pub is_private: bool,
    /// Who is believed about where a request came from.
    pub trusted_proxies: Networks,
    /// May anybody make an account?
    pub registration_open: bool,
    /// Are requests limited?
    pub rates: bool,
    /// Connections at once, if the operator said.
    pub connections: Option<u32>,
    /// Connections of one address at once.
    pub connections_per_address: u32,
    /// What a password hash costs.
    pub password_cost: Cost,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What is logged.
    pub log_level: String,
    /// How the database is opened.
    pub store: Store,
    /// The key log.
    pub log: LogSettings,
    /// Bytes of a frame of the relay.
    pub relay_payload_bytes_max: usize,
    /// For how long the event log is kept.
    pub events_ms: i64,
    /// The event hub.
    pub hub: HubConfig,
    /// Private hosts and networks that may be asked.
    pub outbound_private: Exceptions,
}

impl Settings {
    pub(super) fn parse(config: Config, layers: &Layers) -> Result<Self, Failure> {
        let at = |key: &str, what: String| wrong(format!("{key}: {what} ({}).", layers.source(key)), "Correct it");
        let listen = config
            .server
            .listen
            .iter()
            .map(|text| text.parse().map_err(|_| text))
            .collect::<Result<Vec<SocketAddr>, _>>();
        let listen = listen.map_err(|text| {
            at(
                "server.listen",
                format!("`{text}` is not ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080"),
            )
        })?;
        if listen.is_empty() {
            return Err(at("server.listen", "there must be at least one address".into()));
        }
        let loopback_only = listen.iter().all(|address| address.ip().is_loopback());
        let origin = |key: &str, text: &String| {
            origins::parse(text).ok_or_else(|| at(key, format!("`{text}` is not an address such as https://chat.example.org")))
        };
        let public = Some(&config.server.public_url)
            .filter(|url| !url.is_empty())
            .map(|url| origin("server.public_url", url))
            .transpose()?;
        let listed = config
            .server
            .allowed_origins
            .iter()
            .map(|text| origin("server.allowed_origins", text))
            .collect::<Result<_, _>>()?;
        let trusted_proxies = Networks::parse(config.server.trusted_proxies.iter().map(String::as_str)).map_err(|text| {
            at(
                "server.trusted_proxies",
                format!("`{text}` is neither an address nor a network, such as 127.0.0.1 or 10.0.0.0/8"),
            )
        })?;
        let is_private = loopback_only && public.is_none() && trusted_proxies.is_empty();
        if !config.limits.rates && !is_private {
            let what = "limits may be off only where nobody but this machine can connect: \
                listen on 127.0.0.1 without server.public_url and server.trusted_proxies, or leave them on";
            return Err(at("limits.rates", what.into()));
        }
        if config.limits.connections_per_address == 0 {
            return Err(at("limits.connections_per_address", "at least 1".into()));
        }
        let log_format = match config.log.format.as_str() {
            "auto" => LogFormat::Auto,
            "json" => LogFormat::Json,
            "pretty" => LogFormat::Pretty,
            other => return Err(at("log.format", format!("`{other}` is none of auto, json, pretty"))),
        };
        let name = nexus_types::names::parse_title("name", &config.server.name, 100)
            .map_err(|_| at("server.name", "1 to 100 characters".into()))?;
        if !(1..=64).contains(&config.store.read_threads) {
            return Err(at("store.read_threads", "1 to 64".into()));
        }
        let Passwords { memory_kib, passes } = config.passwords;
        if !(8..=4 * 1024 * 1024).contains(&memory_kib) || !(1..=100).contains(&passes) {
            return Err(at("passwords.memory_kib", "8 to 4194304 KiB, with 1 to 100 passes".into()));
        }
        let log = LogSettings::parse(&config.transparency, &config.retention).map_err(|(key, what)| at(key, what))?;
        let hub = HubConfig::parse(&config.hub).map_err(|(key, what)| at(key, what))?;
        let outbound_private = config.outbound.parse().map_err(|(key, what)| at(key, what))?;
        // Less would not hold a frame's names.
        if !(1_024..=RELAY_FRAME_BYTES_MAX).contains(&(config.relay.payload_bytes_max as usize)) {
            return Err(at("relay.payload_bytes_max", format!("1024 to {RELAY_FRAME_BYTES_MAX}")));
        }
        Ok(Self {
            roles: layers.roles,
            name,
            listen_is_default: *layers.source("server.listen") == Source::Default,
            origins: Origins::new(public, listed, loopback_only),
            listen,
            is_private,
            trusted_proxies,
            registration_open: config.registration.open,
            rates: config.limits.rates,
            connections: Some(config.limits.connections).filter(|count| *count > 0),
            connections_per_address: config.limits.connections_per_address,
            password_cost: Cost { memory_kib, passes },
            log_format,
            log_level: config.log.level,
            store: config.store,
            log,
            relay_payload_bytes_max: config.relay.payload_bytes_max as usize,
            events_ms: i64::from(config.retention.events_minutes) * MINUTE_MS,
            hub,
            outbound_private,
        })
    }
}
