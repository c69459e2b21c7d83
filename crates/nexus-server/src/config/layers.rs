//! Defaults, file, environment and flags, laid over one another, each value with its source.

use std::collections::BTreeMap;
use std::fmt;

use toml::{Table, Value};

use super::{Config, Settings, wrong};
use crate::exits::Failure;
use crate::roles::Roles;

/// The prefix of configuration in the environment.
const PREFIX: &str = "NEXUS__";
/// Variables that others defined, and the key that each of them sets.
const GENERAL: &[(&str, &str)] = &[
    ("PORT", "server.listen"),
    ("RATE_LIMIT_RPS", "transparency.rate_limit_rps"),
    ("MAX_WS_PAYLOAD_BYTES", "relay.payload_bytes_max"),
];

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
    pub(super) roles: Roles,
    pub(super) values: BTreeMap<String, (Value, Source)>,
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

    pub(super) fn source(&self, key: &str) -> &Source {
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
