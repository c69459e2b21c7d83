//! A file's text to a [`Rule`]. Everything that is wrong is found at once, each with its place and what to do.

mod sections;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use nexus_types::hub::Pattern;
use nexus_types::ids::ChannelId;
use nexus_types::limits::{DESCRIPTION_CHARS_MAX, PATTERNS_MAX, REACTOR_CONCURRENCY, REACTOR_CONCURRENCY_MAX};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::actions::Condition;
use super::expressions::Expression;
use super::paths::{Facts, Scope, quote};
use super::places::Document;
use super::secrets::Secrets;
use super::templates::{JsonTemplate, Template};
use super::tokens::suggest;
use super::{Environment, Rule, RuleError};
use crate::hub::TypeRegistry;

pub(super) const TOP: &[&str] = &[
    "description",
    "on",
    "when",
    "key",
    "order",
    "concurrency",
    "enabled",
    "http",
    "emit",
    "message",
];
pub(super) const HTTP: &[&str] = &["method", "url", "timeout_ms", "headers", "json", "body", "final"];
pub(super) const EMIT: &[&str] = &["when", "event", "payload"];
pub(super) const MESSAGE: &[&str] = &["when", "channel", "text"];

type Value<'i> = Spanned<DeValue<'i>>;

/// Reads a rule; see [`Rule::read`].
pub(super) fn read(name: &str, source: &str, types: &TypeRegistry, environment: Environment<'_>) -> Result<Rule, Vec<RuleError>> {
    let mut document = Document::new(format!("{name}.toml"), source);
    let (table, errors) = DeTable::parse_recoverable(source);
    if !errors.is_empty() {
        for error in errors {
            let at = error.span().map_or(source.len(), |span| span.start);
            document.refuse(at, format!("This is not TOML: {}.", error.message()), None);
        }
        return Err(document.finish());
    }
    let mut reader = Reader {
        document,
        types,
        variables: BTreeSet::new(),
        has_answer: false,
    };
    let rule = reader.rule(name, table.get_ref(), environment);
    match rule {
        Some(rule) if reader.document.is_good() => Ok(rule),
        _ => Err(reader.document.finish()),
    }
}

struct Reader<'s> {
    document: Document<'s>,
    types: &'s TypeRegistry,
    /// The variables of the environment that are mentioned.
    variables: BTreeSet<String>,
    /// Do the expressions that are read now have an answer to look at?
    has_answer: bool,
}

impl Reader<'_> {
    fn rule(&mut self, name: &str, table: &DeTable<'_>, environment: Environment<'_>) -> Option<Rule> {
        self.keys(table, TOP, "");
        let description = self.description(table);
        let patterns = self.patterns(table);
        let when = self.condition("when", table, "when");
        let key = self.template("key", table, "key");
        let order = self.template("order", table, "order");
        let concurrency = self.number("concurrency", table, 1..REACTOR_CONCURRENCY_MAX as u32 + 1);
        let enabled = self.flag("enabled", table).unwrap_or(true);
        let http = self.http(table);
        self.has_answer = table.contains_key("http");
        let emits = self.emits(table);
        let message = self.message(table);
        if !["http", "emit", "message"].iter().any(|action| table.contains_key(*action)) {
            let hint = "Add [http], [[emit]] or [message].";
            self.document.refuse(0, "This rule does nothing.", Some(hint.to_owned()));
        }
        let (known, unset) = self.environment(environment);
        let mut rule = Rule {
            name: name.to_owned(),
            source: self.document.source().to_owned(),
            description,
            patterns: patterns?,
            concurrency: concurrency.map_or(REACTOR_CONCURRENCY, |number| number as usize),
            enabled,
            when,
            key,
            order,
            http,
            emits,
            message,
            idle: (!unset.is_empty()).then(|| format!("{} {} not set.", unset.join(" and "), if unset.len() == 1 { "is" } else { "are" })),
            secrets: Secrets::new(known.values().map(String::as_str)),
            environment: known,
            types: self.types.clone(),
        };
        if rule.idle.is_none() {
            rule.idle = self.settings(&rule);
        }
        Some(rule)
    }

    /// Refuses keys that nobody knows.
    fn keys(&mut self, table: &DeTable<'_>, known: &[&'static str], within: &str) {
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref().as_ref();
            let elsewhere = [
                ("[http]", HTTP),
                ("[[emit]]", EMIT),
                ("[message]", MESSAGE),
                ("the top of the file", TOP),
            ];
            let hint = match elsewhere.iter().find(|(_, keys)| keys.contains(&name)) {
                Some((place, _)) if *place != within => format!("`{name}` belongs under {place}."),
                _ => suggest(name, known.iter().copied()),
            };
            let place = if within.is_empty() {
                String::new()
            } else {
                format!(" under {within}")
            };
            self.document
                .refuse(key.span().start, format!("There is no key `{name}`{place}."), Some(hint));
        }
    }

    fn wrong_type(&mut self, key: &str, value: &Value<'_>, wanted: &str, example: &str) {
        let found = match value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let reason = format!("`{key}` is {wanted}, and here stands {found}.");
        self.document
            .refuse(value.span().start, reason, Some(format!("Such as {example}.")));
    }

    fn text<'v>(&mut self, key: &str, value: &'v Value<'_>) -> Option<(&'v str, Range<usize>)> {
        if let Some(text) = value.get_ref().as_str() {
            return Some((text, value.span()));
        }
        let short = key.rsplit('.').next().unwrap_or(key);
        self.wrong_type(key, value, "a text", &format!("{short} = \"…\""));
        None
    }

    fn flag(&mut self, key: &str, table: &DeTable<'_>) -> Option<bool> {
        let value = table.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(key, value, "true or false", &format!("{key} = false"));
        }
        flag
    }

    /// An integer in this range.
    fn number(&mut self, key: &str, table: &DeTable<'_>, range: Range<u32>) -> Option<u32> {
        let short = key.rsplit('.').next().unwrap_or(key);
        let value = table.get(short)?;
        let Some(number) = value.get_ref().as_integer() else {
            self.wrong_type(key, value, "a whole number", &format!("{short} = {}", range.end - 1));
            return None;
        };
        let number = u32::from_str_radix(number.as_str(), number.radix()).ok();
        let found = number.filter(|number| range.contains(number));
        if found.is_none() {
            let reason = format!("`{key}` is from {} to {}.", range.start, range.end - 1);
            let hint = format!("Such as {short} = {}.", range.end - 1);
            self.document.refuse(value.span().start, reason, Some(hint));
        }
        found
    }

    fn table<'v, 'i>(&mut self, key: &str, value: &'v Value<'i>) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(key, value, "a table", &format!("[{key}]"));
        }
        table
    }

    fn description(&mut self, table: &DeTable<'_>) -> String {
        let Some((text, span)) = table.get("description").and_then(|value| self.text("description", value)) else {
            return String::new();
        };
        if text.chars().count() > DESCRIPTION_CHARS_MAX {
            let reason = format!("A description has at most {DESCRIPTION_CHARS_MAX} characters.");
            self.document
                .refuse(span.start, reason, Some("Write the rest as a comment with #.".to_owned()));
        }
        text.trim().to_owned()
    }

    fn patterns(&mut self, table: &DeTable<'_>) -> Option<Vec<Pattern>> {
        const EXAMPLE: &str = "on = [\"FLOWPAY:PAYMENT_RECEIVED\"]";
        let Some(value) = table.get("on") else {
            let hint = format!("Say which events it wants, such as {EXAMPLE}.");
            self.document.refuse(0, "`on` is missing.", Some(hint));
            return None;
        };
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type("on", value, "a list of types", EXAMPLE);
            return None;
        };
        if list.is_empty() || list.len() > PATTERNS_MAX {
            let reason = format!("`on` lists 1 to {PATTERNS_MAX} types.");
            self.document
                .refuse(value.span().start, reason, Some(format!("Such as {EXAMPLE}.")));
        }
        let mut patterns = vec![];
        for item in list.iter().take(PATTERNS_MAX) {
            let Some((name, span)) = self.text("on", item) else { continue };
            match self.types.pattern(name) {
                Some(pattern) if patterns.contains(&pattern) => {}
                Some(pattern) => patterns.push(pattern),
                None => {
                    let hint = self.suggest_type(name, false);
                    self.document
                        .refuse(span.start, format!("Nobody knows the type `{name}`."), Some(hint));
                }
            }
        }
        Some(patterns)
    }

    fn suggest_type(&self, name: &str, only_sent: bool) -> String {
        let all = self.types.list();
        let names = all
            .iter()
            .filter(|info| !(only_sent && info.platform))
            .map(|info| info.event.as_str());
        let bare = name.rsplit(':').next().unwrap_or(name);
        match super::tokens::closest(name, names.clone()).or_else(|| names.clone().find(|known| known.ends_with(&format!(":{bare}")))) {
            Some(close) => format!("Did you mean `{close}`?"),
            None => "Add it to hub.types in the configuration, or name one of the page Hub.".to_owned(),
        }
    }

    fn condition(&mut self, key: &str, table: &DeTable<'_>, within: &str) -> Option<Condition> {
        let (text, span) = table.get(key).and_then(|value| self.text(within, value))?;
        if text.trim_start().starts_with("{{") {
            let hint = "Write the expression alone, such as when = \"payload.amount > 0\".";
            self.document.refuse(span.start, "A condition has no {{ }}.", Some(hint.to_owned()));
            return None;
        }
        match Expression::read(text, self.has_answer) {
            Ok(expression) => {
                self.variables.extend(expression.variables().map(str::to_owned));
                Some(Condition {
                    place: self.document.place(within, span.start),
                    expression,
                })
            }
            Err(fault) => {
                self.document.refuse_inside(&span, fault);
                None
            }
        }
    }

    /// The template of this key, if the table has it.
    fn template(&mut self, key: &str, table: &DeTable<'_>, within: &str) -> Option<Template> {
        let value = table.get(key)?;
        self.template_of(value, within)
    }

    fn template_of(&mut self, value: &Value<'_>, within: &str) -> Option<Template> {
        let (text, span) = self.text(within, value)?;
        let place = self.document.place(within, span.start);
        match Template::read(text, place, self.has_answer) {
            Ok(template) => {
                let variables: Vec<_> = template.expressions().flat_map(Expression::variables).map(str::to_owned).collect();
                self.variables.extend(variables);
                Some(template)
            }
            Err(fault) => {
                self.document.refuse_inside(&span, fault);
                None
            }
        }
    }

    /// A template that must be there.
    fn required(&mut self, key: &str, table: &DeTable<'_>, (within, at): (&str, usize), example: &str) -> Option<Template> {
        if table.contains_key(key) {
            return self.template(key, table, within);
        }
        self.document
            .refuse(at, format!("`{within}` is missing."), Some(format!("Such as {example}.")));
        None
    }

    fn json(&mut self, value: &Value<'_>, within: &str) -> Option<JsonTemplate> {
        Some(match value.get_ref() {
            DeValue::String(_) => JsonTemplate::of(self.template_of(value, within)?),
            DeValue::Boolean(flag) => JsonTemplate::Fixed(flag.to_string()),
            DeValue::Datetime(time) => JsonTemplate::Fixed(quote(&time.to_string())),
            DeValue::Integer(number) => {
                let text = number.as_str().trim_start_matches('+');
                match (number.radix(), i128::from_str_radix(text, number.radix())) {
                    (10, _) => JsonTemplate::Fixed(text.to_owned()),
                    (_, Ok(number)) => JsonTemplate::Fixed(number.to_string()),
                    (_, Err(_)) => return self.no_number(value, within),
                }
            }
            DeValue::Float(number) => {
                let text = number.as_str().trim_start_matches('+');
                // JSON knows neither infinity nor what is no number.
                if serde_json::from_str::<f64>(text).is_err() {
                    return self.no_number(value, within);
                }
                JsonTemplate::Fixed(text.to_owned())
            }
            DeValue::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| self.json(item, within)).collect();
                JsonTemplate::List(items.into_iter().collect::<Option<_>>()?)
            }
            DeValue::Table(table) => {
                let mut members: Vec<_> = table.iter().collect();
                members.sort_by_key(|(key, _)| key.span().start);
                let members: Vec<_> = members
                    .into_iter()
                    .map(|(key, member)| {
                        Some((
                            key.get_ref().to_string(),
                            self.json(member, &format!("{within}.{}", key.get_ref()))?,
                        ))
                    })
                    .collect();
                JsonTemplate::Object(members.into_iter().collect::<Option<_>>()?)
            }
        })
    }

    fn no_number(&mut self, value: &Value<'_>, within: &str) -> Option<JsonTemplate> {
        self.document
            .refuse(value.span().start, format!("JSON has no such number, at `{within}`."), None);
        None
    }

    /// The variables that are set, and the names of those that are not. An empty one is not set.
    fn environment(&self, environment: Environment<'_>) -> (BTreeMap<String, String>, Vec<String>) {
        let mut known = BTreeMap::new();
        let mut unset = vec![];
        for name in &self.variables {
            match environment(name).filter(|value| !value.is_empty()) {
                Some(value) => drop(known.insert(name.clone(), value)),
                None => unset.push(name.clone()),
            }
        }
        (known, unset)
    }

    /// Looks at what is the same for every event: where the url leads, and the channel. What the file itself says wrong is refused, what a
    /// variable says wrong makes the rule idle.
    fn settings(&mut self, rule: &Rule) -> Option<String> {
        let event = super::actions::no_event();
        let facts = Facts::new(&event);
        let scope = Scope {
            facts: &facts,
            environment: &rule.environment,
            answer: None,
        };
        let url = rule.http.as_ref().map(|http| &http.url);
        let bad_url = url.and_then(|url| Some((url, host_fault(&url.print_beginning(scope).ok()?, url.is_fixed())?)));
        let channel = rule
            .message
            .as_ref()
            .map(|message| &message.channel)
            .filter(|channel| channel.is_fixed());
        let bad_channel = channel
            .filter(|channel| channel.print(scope).is_ok_and(|text| text.trim().parse::<ChannelId>().is_err()))
            .map(|channel| (channel, "is not the number of a channel"));
        let (template, reason) = bad_url.or(bad_channel)?;
        let variables: Vec<_> = template.expressions().flat_map(Expression::variables).collect();
        if variables.is_empty() {
            let place = &template.place;
            self.document.refuse_place(place, format!("`{}` {reason}.", place.key));
            return None;
        }
        Some(format!("`{}` {reason}; correct {}.", template.place.key, variables.join(" and ")))
    }
}

/// What is wrong with the beginning of a url, up to where an event comes in: it must name the whole host.
fn host_fault(beginning: &str, is_whole: bool) -> Option<&'static str> {
    let rest = beginning.strip_prefix("https://").or_else(|| beginning.strip_prefix("http://"));
    match rest.map(|rest| rest.find(['/', '?', '#'])) {
        None => Some("does not begin with http:// or https://"),
        Some(Some(0)) => Some("names no host"),
        Some(None) if !is_whole => Some("lets the event choose the host, which only the rule may"),
        Some(_) => None,
    }
}
