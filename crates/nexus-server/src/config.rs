//! Configuration: defaults, then `nexus.toml`, then the environment (`NEXUS__SECTION__KEY`), then the command line.
//!
//! The page for operators is `docs/guide/configuration.md`. It deliberately uses no layering library: what is known is the
//! [`Config`] of defaults itself, so a key is named once, and one that nobody knows is an error with a suggestion.

mod hub;
mod layers;
mod outbound;
mod sections;
mod settings;
mod transparency;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::exits::{Exit, Failure};
pub use hub::{Hub, HubConfig, TypeLine};
pub use layers::{Flags, Layers, Source};
pub use outbound::Outbound;
pub use sections::{Limits, Log, Passwords, Registration, Server, Store};
pub use settings::{LogFormat, Settings};
pub use transparency::{COSIGNERS, LogBackend, LogSettings, Relay, RemoteSeat, Retention, THIS_SERVER, Transparency, base};

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
    /// `[hub]`
    pub hub: Hub,
    /// `[outbound]`
    pub outbound: Outbound,
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
    Layers::read(text.as_deref(), environment(), flags)
}

/// The variables of this process that are text.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn wrong(what: String, next: &str) -> Failure {
    Failure::new(Exit::Usage, what, format!("{next}; then look with: nexus config check"))
}

#[cfg(test)]
mod tests {
    use nexus_types::limits::MINUTE_MS;

    use super::*;
    use crate::roles::Roles;

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
            roles: Roles::TRANSPARENCY,
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
            (
                "[outbound]\nprivate = [\"http://factory\"]",
                &[],
                ["`http://factory`", "outbound.private"],
            ),
            ("[hub]\ntypes = [\"READING\"]", &[], ["NAMESPACE:NAME", "hub.types"]),
            ("", &[("NEXUS__HUB__EVENTS_DAYS", "0")], ["1 to 3650", "NEXUS__HUB__EVENTS_DAYS"]),
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
