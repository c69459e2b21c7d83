//! `[hub]`: the event hub's own types, how long events are kept, and where its rules are.
//!
//! Schemas are read from their files by [`crate::hub::types`], as a file belongs to a data directory. Secrets are deliberately no
//! settings: they come from the environment or the data directory ([`crate::hub::secrets`]).

use std::path::{Component, Path};

use nexus_types::hub::EventType;
use nexus_types::limits::{CUSTOM_TYPES_MAX, DAY_MS};
use serde::{Deserialize, Serialize};

/// Days for which events may be kept: ten years.
const EVENTS_DAYS_MAX: u32 = 3_650;
/// Days for which a webhook may fail before it is switched off.
const FAILURE_DAYS_MAX: u32 = 365;

/// `[hub]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hub {
    /// Types beside the contract's: `NAMESPACE:NAME [SCHEMA_FILE]`.
    pub types: Vec<String>,
    /// For how long events are kept.
    pub events_days: u32,
    /// Does the hub tell what happens on the platform, as ids?
    pub platform_events: bool,
    /// The folder of rules inside of the data directory.
    pub reactors: String,
    /// For how long a webhook may fail before it is switched off.
    pub webhook_failure_days: u32,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            types: vec![],
            events_days: 30,
            platform_events: true,
            reactors: "reactors".into(),
            webhook_failure_days: 5,
        }
    }
}

/// A type that the operator adds, its schema not yet read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeLine {
    /// Its name.
    pub kind: EventType,
    /// The file of its schema, relative to the data directory.
    pub schema: Option<String>,
}

/// The hub's settings, understood.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// Types beside the contract's.
    pub types: Vec<TypeLine>,
    /// For how long events are kept.
    pub retention_ms: i64,
    /// Does the hub tell what happens on the platform?
    pub platform_events: bool,
    /// The folder of rules, relative to the data directory.
    pub reactors: String,
    /// For how long a webhook may fail.
    pub webhook_failure_days: u32,
}

impl HubConfig {
    /// # Errors
    /// The key that is wrong, and what is wrong with it.
    pub(super) fn parse(hub: &Hub) -> Result<Self, (&'static str, String)> {
        let types = hub
            .types
            .iter()
            .map(|text| type_line(text).map_err(|what| ("hub.types", format!("`{text}`: {what}"))))
            .collect::<Result<Vec<_>, _>>()?;
        if types.len() > CUSTOM_TYPES_MAX {
            return Err(("hub.types", format!("at most {CUSTOM_TYPES_MAX}")));
        }
        if let Some((_, twice)) = types
            .iter()
            .enumerate()
            .find(|(index, line)| types[..*index].iter().any(|other| other.kind == line.kind))
        {
            return Err(("hub.types", format!("{} is there twice", twice.kind)));
        }
        if !(1..=EVENTS_DAYS_MAX).contains(&hub.events_days) {
            return Err(("hub.events_days", format!("1 to {EVENTS_DAYS_MAX}")));
        }
        if !(1..=FAILURE_DAYS_MAX).contains(&hub.webhook_failure_days) {
            return Err(("hub.webhook_failure_days", format!("1 to {FAILURE_DAYS_MAX}")));
        }
        if !is_inside(&hub.reactors) {
            let what = format!("`{}` is no folder inside of the data directory, such as reactors", hub.reactors);
            return Err(("hub.reactors", what));
        }
        Ok(Self {
            types,
            retention_ms: i64::from(hub.events_days) * DAY_MS,
            platform_events: hub.platform_events,
            reactors: hub.reactors.clone(),
            webhook_failure_days: hub.webhook_failure_days,
        })
    }
}

/// Reads `NAMESPACE:NAME [SCHEMA_FILE]`.
fn type_line(text: &str) -> Result<TypeLine, String> {
    let (name, schema) = match text.trim().split_once(char::is_whitespace) {
        Some((name, schema)) => (name, Some(schema.trim().to_owned())),
        None => (text.trim(), None),
    };
    let kind = EventType::parse(name).map_err(|cause| format!("{cause}, such as GAUGE:READING"))?;
    Ok(TypeLine { kind, schema })
}

/// A relative path that never climbs.
fn is_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(list: &[&str]) -> Result<HubConfig, (&'static str, String)> {
        let types = list.iter().map(|text| (*text).to_owned()).collect();
        HubConfig::parse(&Hub { types, ..Hub::default() })
    }

    #[test]
    fn a_type_is_a_name_and_perhaps_the_file_of_its_schema() {
        let read = types(&["GAUGE:READING  schemas/the reading.json ", "GAUGE:ALARM"]).expect("good");
        assert_eq!(
            read.types,
            [
                TypeLine {
                    kind: EventType::parse("GAUGE:READING").expect("a type"),
                    schema: Some("schemas/the reading.json".into()),
                },
                TypeLine {
                    kind: EventType::parse("GAUGE:ALARM").expect("a type"),
                    schema: None,
                },
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (bad, words) in [
            (&["READING"][..], ["`READING`", "NAMESPACE:NAME"]),
            (&[""], ["``", "NAMESPACE:NAME"]),
            (&["A:B", "A:B x.json"], ["A:B", "twice"]),
        ] {
            let (at, said) = types(bad).expect_err("a bad list");
            assert!(at == "hub.types" && words.iter().all(|word| said.contains(word)), "{said}");
        }
        for (hub, key) in [
            (
                Hub {
                    events_days: 0,
                    ..Hub::default()
                },
                "hub.events_days",
            ),
            (
                Hub {
                    webhook_failure_days: 366,
                    ..Hub::default()
                },
                "hub.webhook_failure_days",
            ),
            (
                Hub {
                    reactors: String::new(),
                    ..Hub::default()
                },
                "hub.reactors",
            ),
            (
                Hub {
                    reactors: "../rules".into(),
                    ..Hub::default()
                },
                "hub.reactors",
            ),
            (
                Hub {
                    reactors: "/etc".into(),
                    ..Hub::default()
                },
                "hub.reactors",
            ),
        ] {
            assert_eq!(HubConfig::parse(&hub).expect_err("out of range").0, key);
        }
    }
}
