//! Rules: reactors that are TOML files. Text in, values out; nothing here sends, stores or waits.
//!
//! A rule says which events it wants, what it asks of somebody else's server, and what follows: other events, a message. The format is
//! `docs/guide/reactors.md`. Reading the folder is [`files`]; running what a rule says is [`crate::reactors`].
//!
//! # Invariant
//! Evaluating takes bounded time and memory, whatever a rule or a payload says, and reads nothing but its arguments.

mod actions;
mod answers;
mod checks;
mod dry_runs;
mod expressions;
mod files;
mod functions;
mod grammar;
mod paths;
mod places;
mod reading;
mod secrets;
mod templates;
#[cfg(test)]
mod tests;
mod tokens;
mod values;

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nexus_types::hub::{EventType, Pattern};
use nexus_types::ids::ChannelId;
use sha2::{Digest as _, Sha256};

use self::actions::{Condition, Emit, Http, Message};
pub use self::answers::{Verdict, retry_after_ms};
pub use self::checks::{Check, CheckedRule, check};
pub use self::dry_runs::{DryCall, DryEffect, DryRunLine, dry_run};
pub use self::files::{Fingerprint, LoadedRules, fingerprint, is_name, load, write_shipped};
pub use self::paths::Facts;
use self::secrets::Secrets;
use self::templates::Template;
use super::TypeRegistry;
use crate::outbound::{Answer, Call};

/// Looks up an environment variable. Only what a rule mentions is asked for.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Why a file, or one place in it, is refused.
///
/// # Shape
/// `{"file", "line": int from 1, "column": int from 1, "reason", "hint": string|null}`
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RuleError {
    /// The file's name without its folder.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong, a sentence.
    pub reason: String,
    /// What to do, a sentence.
    pub hint: Option<String>,
}

impl fmt::Display for RuleError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}: {}", self.file, self.line, self.column, self.reason)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(formatter, " {hint}"))
    }
}

/// What a rule says could not be made of this event: something is missing, too long, or no address. It is the same each time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} (line {line}): {reason}")]
pub struct TemplateError {
    /// The key in the file, such as `http.url`.
    pub place: String,
    /// The line of that key in the file.
    pub line: usize,
    /// What is wrong, a sentence that names the expression.
    pub reason: String,
}

/// That a rule wants an event, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The rule runs at most once for each key.
    pub key: String,
    /// Runs with the same one happen one after the other.
    pub order_key: Option<String>,
}

/// What follows when a rule's call succeeded, or at once if it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Another event. Its payload fits the schema of its type.
    Emit {
        /// Its type.
        kind: EventType,
        /// JSON.
        payload: String,
    },
    /// A message to a channel. It is text: mentions in it are nobody's.
    Message {
        /// Where.
        channel: ChannelId,
        /// At most [`MESSAGE_CHARS_MAX`](nexus_types::limits::MESSAGE_CHARS_MAX) characters.
        text: String,
    },
}

/// The value of `Idempotency-Key` for this reactor and key: the same at each attempt, on each machine, and at most 64 characters.
pub fn idempotency_key(reactor: &str, key: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(reactor.as_bytes());
    // No name of a reactor has this byte, so no two pairs are hashed alike.
    hash.update([0]);
    hash.update(key.as_bytes());
    format!("nexus-{}", URL_SAFE_NO_PAD.encode(hash.finalize()))
}

/// A rule that can be read. If a variable of the environment is not set, it is idle.
pub struct Rule {
    name: String,
    /// What the file holds, to see whether it changed.
    source: String,
    description: String,
    patterns: Vec<Pattern>,
    concurrency: usize,
    enabled: bool,
    when: Option<Condition>,
    key: Option<Template>,
    order: Option<Template>,
    http: Option<Http>,
    emits: Vec<Emit>,
    message: Option<Message>,
    idle: Option<String>,
    /// The variables that it mentions.
    environment: BTreeMap<String, String>,
    secrets: Secrets,
    types: TypeRegistry,
}

impl fmt::Debug for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Rule({})", self.name)
    }
}

impl Rule {
    /// Reads the rule of this name.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the lines.
    pub fn read(name: &str, source: &str, types: &TypeRegistry, environment: Environment<'_>) -> Result<Self, Vec<RuleError>> {
        reading::read(name, source, types, environment)
    }

    /// Does the other one say the same, for the same values of the environment?
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.source, &self.environment) == (&other.source, &other.environment)
    }

    /// The file's name without `.toml`: the reactor's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for; may be empty.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What it listens to.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// How many of its jobs run at once.
    pub fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// `false`: a person switched it off in the file.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Why it can't run as things are, such as "FACTORY_API_URL is not set."
    pub fn idle(&self) -> Option<&str> {
        self.idle.as_deref()
    }

    /// Does it make events and nothing else? Then nothing outside can be in its way.
    pub fn only_emits(&self) -> bool {
        self.http.is_none() && self.message.is_none()
    }

    /// Does it ask somebody else's server?
    pub fn has_http(&self) -> bool {
        self.http.is_some()
    }

    /// Does it listen to this type?
    pub fn listens(&self, kind: &EventType) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(kind))
    }

    /// Does it want this event, and under which key? `None` if it does not listen to the type, or `when` is false.
    ///
    /// # Errors
    /// [`TemplateError`] if that can't be said.
    pub fn wants(&self, facts: &Facts<'_>) -> Result<Option<Wanted>, TemplateError> {
        self.wanted(facts)
    }

    /// The request that it sends for this event under this key; `None` if it sends none.
    ///
    /// # Errors
    /// [`TemplateError`] if it can't be made.
    pub fn call(&self, facts: &Facts<'_>, key: &str) -> Result<Option<Call>, TemplateError> {
        self.http.as_ref().map(|http| self.request(http, facts, key)).transpose()
    }

    /// What the answer to its request means.
    pub fn judge(&self, answer: &Answer, now_ms: i64) -> Verdict {
        let never_again = self.http.as_ref().map_or(&[][..], |http| &http.never_again);
        answers::judge(answer, never_again, now_ms)
    }

    /// What follows: with the answer of a request that was done, or at once if the rule sends none.
    ///
    /// # Errors
    /// [`TemplateError`] if it can't be made.
    pub fn effects(&self, facts: &Facts<'_>, answer: Option<&Answer>) -> Result<Vec<Effect>, TemplateError> {
        self.following(facts, answer)
    }

    /// The variables of the environment that it names and that are set.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.environment.keys().map(String::as_str)
    }

    /// A text for the delivery log: without the values of the environment that this rule uses.
    pub fn redact(&self, text: &str) -> String {
        self.secrets.redact(text)
    }

    /// Headers for the delivery log: [`Rule::redact`], and nothing of those that prove who asks.
    pub fn redact_headers(&self, headers: &[(String, String)]) -> Vec<(String, String)> {
        self.secrets.redact_headers(headers)
    }
}
