//! What a rule does for one event: the request that it sends, and what follows.

use nexus_types::hub::{EventType, HubEvent};
use nexus_types::ids::{ChannelId, HubEventId};
use nexus_types::limits::{EVENT_BYTES_MAX, MESSAGE_CHARS_MAX, URL_BYTES_MAX};
use nexus_types::messages;
use serde_json::value::RawValue;

use super::expressions::Expression;
use super::paths::{Facts, Replied, Scope};
use super::places::Place;
use super::templates::{JsonTemplate, Template};
use super::{Effect, Rule, TemplateError, Wanted, idempotency_key};
use crate::errors::Error;
use crate::hub::types::START;
use crate::outbound::{Answer, Call, Method};

/// Bytes of a key.
const KEY_BYTES_MAX: usize = 512;
const HEADER_BYTES_MAX: usize = 8 * 1024;
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
const CONTENT_TYPE: &str = "Content-Type";

/// An expression that says whether.
pub(super) struct Condition {
    pub(super) place: Place,
    pub(super) expression: Expression,
}

impl Condition {
    pub(super) fn is_true(&self, scope: Scope<'_>) -> Result<bool, TemplateError> {
        self.expression.is_true(scope).map_err(|reason| self.place.error(reason))
    }
}

/// A request.
pub(super) struct Http {
    pub(super) method: Method,
    pub(super) url: Template,
    pub(super) headers: Vec<(String, Template)>,
    pub(super) body: Body,
    pub(super) timeout_ms: u32,
    /// `final`: the statuses after which it is not sent again.
    pub(super) never_again: Vec<u16>,
}

pub(super) enum Body {
    None,
    Text(Template),
    Json(Place, JsonTemplate),
}

/// An event that follows.
pub(super) struct Emit {
    pub(super) place: Place,
    pub(super) when: Option<Condition>,
    pub(super) kind: EventType,
    pub(super) payload: JsonTemplate,
}

/// A message that follows.
pub(super) struct Message {
    pub(super) when: Option<Condition>,
    pub(super) channel: Template,
    pub(super) text: Template,
}

impl Rule {
    pub(super) fn scope<'a>(&'a self, facts: &'a Facts<'a>, answer: Option<&'a Replied<'a>>) -> Scope<'a> {
        Scope {
            facts,
            environment: &self.environment,
            answer,
        }
    }

    pub(super) fn wanted(&self, facts: &Facts<'_>) -> Result<Option<Wanted>, TemplateError> {
        let event = facts.event();
        if !self.listens(&event.kind) {
            return Ok(None);
        }
        let scope = self.scope(facts, None);
        if let Some(when) = &self.when
            && !when.is_true(scope)?
        {
            return Ok(None);
        }
        let key = match &self.key {
            Some(template) => key_text(template, scope)?.ok_or_else(|| template.place.error("The key is empty."))?,
            None => event.id.to_string(),
        };
        let order_key = match &self.order {
            Some(template) => key_text(template, scope)?,
            None => None,
        };
        Ok(Some(Wanted { key, order_key }))
    }

    pub(super) fn request(&self, http: &Http, facts: &Facts<'_>, key: &str) -> Result<Call, TemplateError> {
        let scope = self.scope(facts, None);
        let url = http.url.print_url(scope)?;
        if let Some(fault) = url_fault(&url) {
            return Err(http.url.place.error(fault));
        }
        let mut headers = vec![];
        for (name, template) in &http.headers {
            let value = template.print(scope)?;
            if value.len() > HEADER_BYTES_MAX || !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
                let reason = format!("A header has at most {HEADER_BYTES_MAX} characters, and only those of ASCII.");
                return Err(template.place.error(reason));
            }
            headers.push((name.clone(), value));
        }
        let (body, content_type) = match &http.body {
            Body::None => (String::new(), None),
            Body::Text(template) => (template.print(scope)?, Some("text/plain; charset=utf-8")),
            Body::Json(place, json) => (json.print(place, scope)?, Some("application/json")),
        };
        if let Some(content_type) = content_type {
            set(&mut headers, CONTENT_TYPE, || content_type.to_owned());
        }
        set(&mut headers, IDEMPOTENCY_KEY, || idempotency_key(&self.name, key));
        Ok(Call {
            method: http.method,
            url,
            headers,
            body: body.into_bytes(),
            timeout_ms: http.timeout_ms,
        })
    }

    pub(super) fn following(&self, facts: &Facts<'_>, answer: Option<&Answer>) -> Result<Vec<Effect>, TemplateError> {
        let replied = answer.map(Replied::new);
        let scope = self.scope(facts, replied.as_ref());
        let mut effects = vec![];
        for emit in &self.emits {
            if is_meant(emit.when.as_ref(), scope)? {
                effects.push(self.emitted(emit, scope)?);
            }
        }
        if let Some(message) = &self.message
            && is_meant(message.when.as_ref(), scope)?
        {
            effects.push(written(message, scope)?);
        }
        Ok(effects)
    }

    pub(super) fn emitted(&self, emit: &Emit, scope: Scope<'_>) -> Result<Effect, TemplateError> {
        let payload = emit.payload.print(&emit.place, scope)?;
        if payload.len() > EVENT_BYTES_MAX {
            return Err(emit.place.error(format!("The payload is longer than {EVENT_BYTES_MAX} bytes.")));
        }
        let value = serde_json::from_str(&payload).map_err(|cause| emit.place.error(format!("The payload is not JSON: {cause}.")))?;
        if let Err(error) = self.types.check(emit.kind.as_str(), &value) {
            return Err(emit.place.error(misfit(&emit.kind, &error)));
        }
        Ok(Effect::Emit {
            kind: emit.kind.clone(),
            payload,
        })
    }
}

pub(super) fn is_meant(when: Option<&Condition>, scope: Scope<'_>) -> Result<bool, TemplateError> {
    when.map_or(Ok(true), |when| when.is_true(scope))
}

/// A message; it is text, so a mention in it that came with the event calls nobody (the runtime gives a message no mentions).
pub(super) fn written(message: &Message, scope: Scope<'_>) -> Result<Effect, TemplateError> {
    let channel = message.channel.print(scope)?;
    let channel: ChannelId = channel
        .trim()
        .parse()
        .map_err(|_| message.channel.place.error("This is not the number of a channel."))?;
    let text = message.text.print(scope)?;
    let body = messages::Body::parse(&text).map_err(|_| {
        let reason = format!("A message has 1 to {MESSAGE_CHARS_MAX} characters; shorten it, for example with `| truncate(500)`.");
        message.text.place.error(reason)
    })?;
    Ok(Effect::Message {
        channel,
        text: body.into_string(),
    })
}

fn key_text(template: &Template, scope: Scope<'_>) -> Result<Option<String>, TemplateError> {
    let key = template.print(scope)?;
    if key.len() > KEY_BYTES_MAX || key.chars().any(char::is_control) {
        let reason = format!("A key has at most {KEY_BYTES_MAX} bytes on one line.");
        return Err(template.place.error(reason));
    }
    Ok(Some(key.trim().to_owned()).filter(|key| !key.is_empty()))
}

/// Sets a header unless the rule did.
fn set(headers: &mut Vec<(String, String)>, name: &str, value: impl FnOnce() -> String) {
    if !headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
        headers.push((name.to_owned(), value()));
    }
}

/// What is wrong with a finished url, so far as no address is looked at.
fn url_fault(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let is_dots = |part: &str| matches!(part.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    if url.len() > URL_BYTES_MAX {
        return Some("The url is too long.");
    }
    if url.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return Some("The url has spaces or line ends in it; use `| urlencode`.");
    }
    if path.split(['/', '\\']).any(is_dots) {
        return Some("The url has a part that is `.` or `..`, which would lead elsewhere.");
    }
    None
}

fn misfit(kind: &EventType, error: &Error) -> String {
    let Error::Refused(refusal) = error else {
        return format!("The payload can't be an event {kind}.");
    };
    let mut path = vec![];
    let mut at = &refusal.fields.0;
    while let Some((name, inner)) = at.iter().next().and_then(|(name, inner)| Some((name, inner.as_object()?))) {
        path.push(name.as_str());
        at = inner;
    }
    let message = at
        .get("_errors")
        .and_then(|errors| errors[0]["message"].as_str())
        .unwrap_or_default();
    format!("The payload does not fit the schema of {kind}: {}: {message}", path.join("."))
}

/// An event that is none, to look at what is the same for every event.
pub(super) fn no_event() -> HubEvent {
    HubEvent {
        id: HubEventId(1),
        position: 0,
        kind: EventType::parse(START).expect("the name of a type"),
        payload: RawValue::from_string("{}".to_owned()).expect("an object"),
        source: String::new(),
        timestamp: 0,
    }
}
