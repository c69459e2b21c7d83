//! Configuration: defaults, then `nexus.toml`, then the environment (`NEXUS__SECTION__KEY`), then the command line.
//!
//! The page for operators is `docs/guide/configuration.md`. It deliberately uses no layering library: what is known is the
//! [`Config`] of defaults itself, so a key is named once, and one that nobody knows is an error with a suggestion.

mod transparency;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use nexus_core::passwords::Cost;
use nexus_types::limits::{CONNECTIONS_PER_ADDRESS, MINUTE_MS, RELAY_FRAME_BYTES_MAX};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::exits::{Exit, Failure};
use crate::http::origins::{self, Origins};
use crate::networks::Networks;
use crate::roles::Roles;
pub use transparency::{COSIGNERS, LogBackend, LogSettings, Relay, RemoteSeat, Retention, THIS_SERVER, Transparency, base};

/// The prefix of configuration in the environment.
const PREFIX: &str = "NEXUS__";
/// Variables that others defined, and the key that each of them sets.
const GENERAL: &[(&str, &str)] = &[
    ("PORT", "server.listen"),
    ("RATE_LIMIT_RPS", "transparency.rate_limit_rps"),
    ("MAX_WS_PAYLOAD_BYTES", "relay.payload_bytes_max"),
];

/// What is written at the first start. A test holds it against the defaults.
pub const TEMPLATE: &str = include_str!("nexus.toml");

/// Everything that can be configured, as it stands in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[registration]`
    pub registration: Registration,
    /// `[limits]`
    pub limits: Limits,
    /// `[passwords]`
    pub passwords: Passwords,
    /// `[log]`
    pub log: Log,
    /// `[store]`
    pub store: Store,
    /// `[transparency]`
    pub transparency: Transparency,
    /// `[relay]`
    pub relay: Relay,
    /// `[retention]`
    pub retention: Retention,
}

/// `[server]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The instance's name.
    pub name: String,
    /// Where to listen.
    pub listen: Vec<String>,
    /// What people type, such as `https://chat.example.org`; empty for "wherever the request came to".
    pub public_url: String,
    /// Further pages whose requests are answered.
    pub allowed_origins: Vec<String>,
    /// Proxies that are believed about where a request came from: addresses or networks.
    pub trusted_proxies: Vec<String>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            name: "Nexus".into(),
            listen: vec!["127.0.0.1:8080".into(), "[::1]:8080".into()],
            public_url: String::new(),
            allowed_origins: vec![],
            trusted_proxies: vec![],
        }
    }
}

/// `[registration]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registration {
    /// May anybody make an account?
    pub open: bool,
}

impl Default for Registration {
    fn default() -> Self {
        Self { open: true }
    }
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Are requests limited?
    pub rates: bool,
    /// Connections at once; 0 for as many as the process may have open files, less some.
    pub connections: u32,
    /// Connections of one address at once; this machine and trusted proxies are not counted.
    pub connections_per_address: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rates: true,
            connections: 0,
            connections_per_address: CONNECTIONS_PER_ADDRESS,
        }
    }
}

/// `[passwords]`: what Argon2id costs. A stored hash of another cost is made anew at the next sign-in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Passwords {
    /// Memory in KiB; the default is the least that should be used.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for Passwords {
    fn default() -> Self {
        let Cost { memory_kib, passes } = Cost::default();
        Self { memory_kib, passes }
    }
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `auto`, `json` or `pretty`.
    pub format: String,
    /// `error`, `warn`, `info`, `debug` or `trace`, or directives such as `info,nexus_core=debug`.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: "auto".into(),
            level: "info".into(),
        }
    }
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// Threads that read.
    pub read_threads: u32,
    /// Page cache of each database connection in KiB.
    pub cache_kib: u32,
    /// The database may not grow beyond this many MiB; 0 for no limit but the disk.
    pub size_mib_max: u32,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            read_threads: 4,
            cache_kib: 4_096,
            size_mib_max: 0,
        }
    }
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// `nexus.toml`.
    File,
    /// This variable.
    Environment(String),
    /// This flag.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File => formatter.write_str("nexus.toml"),
            Self::Environment(name) => write!(formatter, "environment {name}"),
            Self::Flag(name) => write!(formatter, "flag {name}"),
        }
    }
}

/// What the command line says about configuration.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--roles`
    pub roles: Roles,
    /// `--store`
    pub store: Option<String>,
    /// `--listen`, once or more.
    pub listen: Vec<String>,
    /// `--no-rate-limits`
    pub no_rate_limits: bool,
    /// `--log-format`
    pub log_format: Option<String>,
}

/// The layers laid over one another, each value with its source.
#[derive(Debug)]
pub struct Layers {
    roles: Roles,
    values: BTreeMap<String, (Value, Source)>,
}

impl Layers {
    /// Lays all four layers over one another.
    ///
    /// # Errors
    /// A [`Failure`] that names the key, where it stands, and what was probably meant.
    pub fn read(file: Option<&str>, environment: impl Iterator<Item = (String, String)>, flags: &Flags) -> Result<Self, Failure> {
        let mut layers = Self::defaults(flags.roles);
        if let Some(text) = file {
            layers.lay_file(text)?;
        }
        layers.lay_environment(environment)?;
        layers.lay_flags(flags);
        Ok(layers)
    }

    fn defaults(roles: Roles) -> Self {
        let mut defaults = Config::default();
        let port = roles.default_port();
        defaults.server.listen = vec![format!("127.0.0.1:{port}"), format!("[::1]:{port}")];
        let sections = Table::try_from(defaults).expect("the defaults serialise");
        let mut values = BTreeMap::new();
        for (section, keys) in sections {
            for (key, value) in keys.as_table().expect("every section is a table").clone() {
                values.insert(format!("{section}.{key}"), (value, Source::Default));
            }
        }
        Self { roles, values }
    }

    fn lay_file(&mut self, text: &str) -> Result<(), Failure> {
        let sections: Table = text
            .parse()
            .map_err(|cause| wrong(format!("nexus.toml is not valid TOML.\n{cause}"), "Correct it"))?;
        for (section, keys) in sections {
            let Value::Table(keys) = keys else {
                return Err(self.unknown(&section, "nexus.toml has a key outside of a section"));
            };
            for (key, value) in keys {
                self.put(&format!("{section}.{key}"), value, Source::File)?;
            }
        }
        Ok(())
    }

    fn lay_environment(&mut self, environment: impl Iterator<Item = (String, String)>) -> Result<(), Failure> {
        let general = |name: &str| GENERAL.iter().find(|(known, _)| *known == name).map(|(_, key)| *key);
        let mut all: Vec<_> = environment
            .filter(|(name, _)| name.starts_with(PREFIX) || general(name).is_some())
            .collect();
        // The general variables come first, so that the precise ones win.
        all.sort_by_key(|(name, _)| general(name).is_none());
        for (name, text) in all {
            if let Some(key) = general(&name) {
                self.put(key, general_value(&name, &text)?, Source::Environment(name))?;
                continue;
            }
            let key = name[PREFIX.len()..].to_lowercase().replacen("__", ".", 1);
            let kind = self.values.get(&key).map(|(value, _)| value.clone());
            let value = kind
                .as_ref()
                .map_or(Some(Value::String(text.clone())), |kind| from_text(kind, &text));
            let value = value.ok_or_else(|| wrong(format!("{name} must be {}.", kind_words(kind.as_ref())), "Correct it or unset it"))?;
            self.put(&key, value, Source::Environment(name))?;
        }
        Ok(())
    }

    fn lay_flags(&mut self, flags: &Flags) {
        let mut set = |key: &str, value: Value, flag| self.values.insert(key.to_owned(), (value, Source::Flag(flag)));
        if !flags.listen.is_empty() {
            set(
                "server.listen",
                Value::Array(flags.listen.iter().cloned().map(Value::String).collect()),
                "--listen",
            );
        }
        if let Some(store) = &flags.store {
            set("transparency.store", Value::String(store.clone()), "--store");
        }
        if flags.no_rate_limits {
            set("limits.rates", Value::Boolean(false), "--no-rate-limits");
        }
        if let Some(format) = &flags.log_format {
            set("log.format", Value::String(format.clone()), "--log-format");
        }
    }

    fn put(&mut self, key: &str, value: Value, source: Source) -> Result<(), Failure> {
        let Some((slot, origin)) = self.values.get_mut(key) else {
            return Err(self.unknown(key, &format!("Nobody knows the setting {key} ({source})")));
        };
        let fits = value.same_type(slot) && value.as_array().is_none_or(|list| list.iter().all(Value::is_str));
        if !fits {
            return Err(wrong(format!("{key} must be {} ({source}).", kind_words(Some(slot))), "Correct it"));
        }
        (*slot, *origin) = (value, source);
        Ok(())
    }

    fn unknown(&self, key: &str, what: &str) -> Failure {
        let nearest = self.values.keys().map(|known| (distance(known, key), known)).min();
        match nearest {
            Some((away, known)) if away <= 1 + key.len() / 3 => wrong(format!("{what}. Did you mean {known}?"), "Correct it"),
            _ => wrong(format!("{what}."), "docs/guide/configuration.md lists all settings; correct it"),
        }
    }

    /// The configuration, every value understood.
    ///
    /// # Errors
    /// A [`Failure`] that names the key and its source.
    pub fn settings(&self) -> Result<Settings, Failure> {
        let mut sections = Table::new();
        for (key, (value, _)) in &self.values {
            let (section, key) = key.split_once('.').expect("every key has its section");
            let section = sections.entry(section).or_insert_with(|| Value::Table(Table::new()));
            section
                .as_table_mut()
                .expect("it was made as one")
                .insert(key.to_owned(), value.clone());
        }
        let config: Config = sections
            .try_into()
            .map_err(|cause| wrong(format!("A setting is out of range.\n{cause}"), "Correct it"))?;
        Settings::parse(config, self)
    }

    fn source(&self, key: &str) -> &Source {
        self.values.get(key).map_or(&Source::Default, |(_, source)| source)
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, (value, source)) in &self.values {
            writeln!(formatter, "{key} = {value}  # {source}")?;
        }
        Ok(())
    }
}

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
}

impl Settings {
    fn parse(config: Config, layers: &Layers) -> Result<Self, Failure> {
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
        })
    }
}

/// Reads the configuration of a data directory, of this process's environment and of the command line.
///
/// # Errors
/// A [`Failure`] as [`Layers::read`], or if the file can't be read.
pub fn load(file: &Path, flags: &Flags) -> Result<Layers, Failure> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => Some(text),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => None,
        Err(cause) => {
            return Err(Failure::new(
                Exit::Usage,
                format!("Can't read {}: {cause}.", file.display()),
                "Check that it belongs to this user.",
            ));
        }
    };
    let environment = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Layers::read(text.as_deref(), environment, flags)
}

fn wrong(what: String, next: &str) -> Failure {
    Failure::new(Exit::Usage, what, format!("{next}; then look with: nexus config check"))
}

/// What one of the [`GENERAL`] variables says.
fn general_value(name: &str, text: &str) -> Result<Value, Failure> {
    if name == "PORT" {
        let port: u16 = text
            .parse()
            .map_err(|_| wrong(format!("PORT={text} is not a port."), "Set it to a number up to 65535, or unset it"))?;
        return Ok(Value::Array(vec![Value::String(format!("0.0.0.0:{port}"))]));
    }
    text.parse()
        .map(Value::Integer)
        .map_err(|_| wrong(format!("{name}={text} is not a whole number."), "Correct it or unset it"))
}

fn from_text(kind: &Value, text: &str) -> Option<Value> {
    match kind {
        Value::Boolean(_) => match text {
            "true" | "1" => Some(Value::Boolean(true)),
            "false" | "0" => Some(Value::Boolean(false)),
            _ => None,
        },
        Value::Integer(_) => text.parse().ok().map(Value::Integer),
        Value::Array(_) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Some(Value::Array(parts.map(|part| Value::String(part.to_owned())).collect()))
        }
        _ => Some(Value::String(text.to_owned())),
    }
}

fn kind_words(kind: Option<&Value>) -> &'static str {
    match kind {
        Some(Value::Boolean(_)) => "true or false",
        Some(Value::Integer(_)) => "a whole number",
        Some(Value::Array(_)) => "a list of strings",
        _ => "a string",
    }
}

/// Levenshtein's distance: the single-letter changes between two words.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, counterpart) in other.iter().enumerate() {
            let cost = diagonal + usize::from(letter != *counterpart);
            diagonal = row[column + 1];
            row[column + 1] = cost.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(file: &str, environment: &[(&str, &str)], flags: &Flags) -> Result<Layers, Failure> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Layers::read(Some(file), environment, flags)
    }

    fn failure(file: &str, environment: &[(&str, &str)], flags: &Flags) -> String {
        layers(file, environment, flags)
            .and_then(|layers| layers.settings())
            .expect_err("it is wrong")
            .to_string()
    }

    #[test]
    fn a_flag_beats_the_environment_and_that_the_file() {
        let file = "[log]\nformat = \"json\"\nlevel = \"warn\"\n[server]\nname = \"File\"\n";
        let environment = [("NEXUS__LOG__FORMAT", "auto"), ("NEXUS__SERVER__NAME", "Env"), ("HOME", "/")];
        let flags = Flags {
            log_format: Some("pretty".into()),
            ..Flags::default()
        };
        let settings = layers(file, &environment, &flags)
            .expect("it reads")
            .settings()
            .expect("it is good");
        assert_eq!(
            (settings.log_format, settings.name.as_str(), settings.log_level.as_str()),
            (LogFormat::Pretty, "Env", "warn")
        );
    }

    #[test]
    fn the_port_of_a_platform_opens_all_addresses_and_yields_to_the_precise_one() {
        let listen = |environment: &[(&str, &str)], flags: &Flags| {
            layers("", environment, flags).expect("it reads").settings().expect("good").listen
        };
        let flags = Flags {
            listen: vec!["127.0.0.1:3".into()],
            ..Flags::default()
        };
        assert_eq!(
            listen(&[("PORT", "1")], &Flags::default()),
            ["0.0.0.0:1".parse().expect("an address")]
        );
        assert_eq!(
            listen(&[("NEXUS__SERVER__LISTEN", "127.0.0.1:2"), ("PORT", "1")], &Flags::default())[0].port(),
            2
        );
        assert_eq!(listen(&[("PORT", "1")], &flags)[0].port(), 3);
    }

    #[test]
    fn a_role_alone_has_a_port_of_its_own() {
        let flags = Flags {
            roles: Roles::Transparency,
            store: Some("jsonl".into()),
            ..Flags::default()
        };
        let settings = layers("", &[("RATE_LIMIT_RPS", "3"), ("MAX_WS_PAYLOAD_BYTES", "4096")], &flags)
            .expect("it reads")
            .settings()
            .expect("good");
        assert!(settings.listen_is_default && settings.listen[0].port() == 8000);
        assert_eq!(
            (
                settings.log.backend,
                settings.log.registrations_per_second,
                settings.relay_payload_bytes_max
            ),
            (LogBackend::Jsonl, 3, 4_096)
        );
    }

    #[test]
    fn mistakes_name_the_key_its_place_and_a_remedy() {
        let none = Flags::default();
        for (file, environment, words) in [
            (
                "[server]\nlisten_on = [\"x\"]",
                &[] as &[(&str, &str)],
                ["server.listen?", "nexus.toml"],
            ),
            ("[sever]\nname = \"x\"", &[], ["server.name?", "nexus.toml"]),
            ("", &[("NEXUS__LIMIT__RATES", "true")], ["limits.rates?", "NEXUS__LIMIT__RATES"]),
            ("", &[("NEXUS__LIMITS__RATES", "yes")], ["true or false", "NEXUS__LIMITS__RATES"]),
            ("[limits]\nconnections = -1", &[], ["out of range", "connections"]),
            ("[limits]\nconnections = \"many\"", &[], ["a whole number", "limits.connections"]),
            ("[server]\nlisten = [1]", &[], ["a list of strings", "server.listen"]),
            ("[server]\nlisten = [\"localhost\"]", &[], ["ADDRESS:PORT", "`localhost`"]),
            ("[server]\npublic_url = \"chat\"", &[], ["https://", "server.public_url"]),
            (
                "[server]\ntrusted_proxies = [\"10.0.0.0/33\"]",
                &[],
                ["10.0.0.0/8", "server.trusted_proxies"],
            ),
            (
                "[limits]\nconnections_per_address = 0",
                &[],
                ["at least 1", "limits.connections_per_address"],
            ),
            ("[log]\nformat = \"xml\"", &[], ["auto, json, pretty", "log.format"]),
            ("name = \"x\"", &[], ["outside of a section", "config check"]),
            ("[", &[], ["not valid TOML", "config check"]),
            ("", &[("PORT", "http")], ["PORT=http", "config check"]),
            ("", &[("RATE_LIMIT_RPS", "ten")], ["RATE_LIMIT_RPS=ten", "whole number"]),
            ("", &[("RATE_LIMIT_RPS", "0")], ["transparency.rate_limit_rps", "RATE_LIMIT_RPS"]),
            (
                "",
                &[("MAX_WS_PAYLOAD_BYTES", "7")],
                ["relay.payload_bytes_max", "MAX_WS_PAYLOAD_BYTES"],
            ),
            ("[transparency]\nstore = \"csv\"", &[], ["sql, jsonl", "transparency.store"]),
            (
                "[transparency]\ncosigners = [\"x\"]",
                &[],
                ["NAME URL KEY", "transparency.cosigners"],
            ),
            ("[retention]\nevents_minutes = 5", &[], ["6 to 10080", "retention.events_minutes"]),
        ] {
            let said = failure(file, environment, &none);
            assert!(words.iter().all(|word| said.contains(word)), "{file} {environment:?}: {said}");
        }
    }

    #[test]
    fn limits_stay_on_where_others_can_connect() {
        let off = Flags {
            no_rate_limits: true,
            ..Flags::default()
        };
        assert!(layers("", &[], &off).expect("it reads").settings().is_ok());
        assert!(failure("", &[("PORT", "8080")], &off).contains("--no-rate-limits"));
        // Loopback is not private where a proxy carries others here.
        for file in [
            "[server]\npublic_url = \"https://chat.example.org\"",
            "[server]\ntrusted_proxies = [\"127.0.0.1\"]",
        ] {
            assert!(failure(file, &[], &off).contains("--no-rate-limits"), "{file}");
            let settings = layers(file, &[], &Flags::default()).expect("it reads").settings().expect("good");
            assert!(!settings.is_private, "{file}");
        }
        let settings = layers("", &[], &Flags::default()).expect("it reads").settings().expect("good");
        assert!(settings.is_private);
    }

    #[test]
    fn events_are_kept_for_as_many_minutes_as_the_operator_says() {
        let kept_ms = |file: &str| {
            let layers = layers(file, &[], &Flags::default()).expect("it reads");
            layers.settings().expect("good").events_ms
        };
        assert_eq!(kept_ms(""), nexus_types::limits::LOG_WINDOW_MS);
        assert_eq!(kept_ms("[retention]\nevents_minutes = 60"), 60 * MINUTE_MS);
    }

    #[test]
    fn the_template_shows_every_default() {
        let shown: String = TEMPLATE
            .lines()
            .filter_map(|line| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).or(Some(line)))
            .fold(String::new(), |all, line| all + line + "\n");
        let config: Config = toml::from_str(&shown).expect("the template without its comment signs parses");
        assert_eq!(config, Config::default());
        let layers = Layers::read(Some(&shown), std::iter::empty(), &Flags::default()).expect("every key is known");
        for (key, (_, source)) in &layers.values {
            assert_eq!(*source, Source::File, "{key} is missing in the template");
        }
    }
}
