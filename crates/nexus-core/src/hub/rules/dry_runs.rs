//! Dry runs: what a rule would do with past events, without doing it.

use nexus_types::hub::HubEvent;
use serde::Serialize;
use serde_json::value::RawValue;

use super::actions::{self, Condition, Emit, Message, is_meant};
use super::expressions::Expression;
use super::paths::{Facts, Scope};
use super::{Effect, Rule, TemplateError, Wanted};
use crate::outbound::Call;

/// What a rule would do with one event.
///
/// # Shape
/// `{"event": HubEvent, "matches": bool, "key": string|null, "call": {"method", "url", "headers": {}, "body"}|null, "effects": […],
/// "error": string|null}`
#[derive(Debug, Serialize)]
pub struct DryRunLine {
    /// The event.
    pub event: HubEvent,
    /// Does the rule want it?
    pub matches: bool,
    /// Under which key.
    pub key: Option<String>,
    /// What would be sent, without secrets.
    pub call: Option<DryCall>,
    /// What would follow.
    pub effects: Vec<DryEffect>,
    /// Why it would fail.
    pub error: Option<String>,
}

/// A request that would be sent.
#[derive(Debug, Serialize)]
pub struct DryCall {
    /// Such as `POST`.
    pub method: &'static str,
    /// Without secrets.
    pub url: String,
    /// Names and values, without secrets.
    pub headers: serde_json::Map<String, serde_json::Value>,
    /// As text, without secrets.
    pub body: String,
}

/// What would follow.
///
/// # Shape
/// `{"effect": "emit"|"message", "event"?, "payload"?: {…}|null, "channel"?, "text"?, "after_answer": bool, "when"?, "note"?}`
#[derive(Debug, Serialize)]
pub struct DryEffect {
    /// `emit` or `message`.
    pub effect: &'static str,
    /// The type of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Its payload, if it does not depend on the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Box<RawValue>>,
    /// The channel of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Only if the call succeeds?
    pub after_answer: bool,
    /// Under which further condition, as it stands in the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// A sentence, where something can't be said before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Says what a rule would do with each of these events.
pub fn dry_run(rule: &Rule, events: &[HubEvent]) -> Vec<DryRunLine> {
    events.iter().map(|event| line(rule, event)).collect()
}

fn line(rule: &Rule, event: &HubEvent) -> DryRunLine {
    let mut line = DryRunLine {
        event: event.clone(),
        matches: false,
        key: None,
        call: None,
        effects: vec![],
        error: None,
    };
    if let Err(error) = fill(&mut line, rule, &Facts::new(event)) {
        line.error = Some(rule.redact(&error.to_string()));
    }
    line
}

fn fill(line: &mut DryRunLine, rule: &Rule, facts: &Facts<'_>) -> Result<(), TemplateError> {
    let wanted = rule.wants(facts);
    // Whoever can't say whether the rule wants it, wants to be told.
    line.matches = !matches!(wanted, Ok(None));
    let Some(Wanted { key, .. }) = wanted? else {
        return Ok(());
    };
    line.call = rule.call(facts, &key)?.map(|call| seen(rule, &call));
    line.key = Some(rule.redact(&key));
    let scope = rule.scope(facts, None);
    for emit in &rule.emits {
        line.effects.extend(emitted(rule, emit, scope)?);
    }
    if let Some(message) = &rule.message {
        line.effects.extend(written(rule, message, scope)?);
    }
    Ok(())
}

fn seen(rule: &Rule, call: &Call) -> DryCall {
    let headers = rule.redact_headers(&call.headers).into_iter();
    DryCall {
        method: call.method.as_str(),
        url: rule.redact(&call.url),
        headers: headers.map(|(name, value)| (name, value.into())).collect(),
        body: rule.redact(&String::from_utf8_lossy(&call.body)),
    }
}

/// What can be said of an effect before there is an answer. What depends on it is named instead.
fn effect(rule: &Rule, name: &'static str, when: Option<&Condition>) -> DryEffect {
    DryEffect {
        effect: name,
        event: None,
        payload: None,
        channel: None,
        text: None,
        after_answer: rule.has_http(),
        when: when.map(|when| when.expression.text().to_owned()),
        note: None,
    }
}

/// Is an effect meant, so far as that can be said? A condition on the answer may be.
fn may_be(rule: &Rule, when: Option<&Condition>, scope: Scope<'_>) -> Result<bool, TemplateError> {
    match when {
        Some(when) if rule.has_http() && when.expression.needs_answer() => Ok(true),
        _ => is_meant(when, scope),
    }
}

fn emitted(rule: &Rule, emit: &Emit, scope: Scope<'_>) -> Result<Option<DryEffect>, TemplateError> {
    if !may_be(rule, emit.when.as_ref(), scope)? {
        return Ok(None);
    }
    let mut line = effect(rule, "emit", emit.when.as_ref());
    line.event = Some(emit.kind.to_string());
    if emit.payload.expressions().into_iter().any(Expression::needs_answer) {
        line.note = Some("Its payload depends on the answer.".to_owned());
    } else if let Effect::Emit { payload, .. } = rule.emitted(emit, scope)? {
        line.payload = RawValue::from_string(rule.redact(&payload)).ok();
    }
    Ok(Some(line))
}

fn written(rule: &Rule, message: &Message, scope: Scope<'_>) -> Result<Option<DryEffect>, TemplateError> {
    if !may_be(rule, message.when.as_ref(), scope)? {
        return Ok(None);
    }
    let mut line = effect(rule, "message", message.when.as_ref());
    let expressions = message.channel.expressions().chain(message.text.expressions());
    if expressions.into_iter().any(Expression::needs_answer) {
        line.note = Some("Its text depends on the answer.".to_owned());
    } else if let Effect::Message { channel, text } = actions::written(message, scope)? {
        line.channel = Some(channel.to_string());
        line.text = Some(rule.redact(&text));
    }
    Ok(Some(line))
}
