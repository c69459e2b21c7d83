//! The tables of a rule that say what it does: `[http]`, `[[emit]]` and `[message]`.

use nexus_types::hub::EventType;
use nexus_types::limits::{OUTBOUND_MS, OUTBOUND_MS_MAX, RULE_EMITS_MAX};
use toml::de::DeTable;

use super::super::actions::{Body, Emit, Http, Message};
use super::super::templates::{JsonTemplate, Template};
use super::super::tokens::suggest;
use super::{EMIT, HTTP, MESSAGE, Reader, Value};
use crate::outbound::Method;

const METHODS: &[(&str, Method)] = &[
    ("GET", Method::Get),
    ("POST", Method::Post),
    ("PUT", Method::Put),
    ("PATCH", Method::Patch),
    ("DELETE", Method::Delete),
];
/// Headers that are the connection's, not the rule's.
const RESERVED: &[&str] = &[
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "proxy-authorization",
];
const HEADERS_MAX: usize = 32;

impl Reader<'_> {
    pub(super) fn http(&mut self, table: &DeTable<'_>) -> Option<Http> {
        let value = table.get("http")?;
        let http = self.table("http", value)?;
        self.keys(http, HTTP, "[http]");
        let at = table.get_key_value("http").map_or(0, |(key, _)| key.span().start);
        let url = self.required("url", http, ("http.url", at), "url = \"https://example.org/api\"");
        let headers = self.headers(http);
        let body = self.body(http);
        let method = self.method(http, &body);
        let timeout_ms = self.number("http.timeout_ms", http, 1..OUTBOUND_MS_MAX + 1);
        let never_again = self.statuses(http);
        Some(Http {
            method: method?,
            url: url?,
            headers,
            body,
            timeout_ms: timeout_ms.unwrap_or(OUTBOUND_MS),
            never_again,
        })
    }

    fn method(&mut self, http: &DeTable<'_>, body: &Body) -> Option<Method> {
        let Some(value) = http.get("method") else {
            return Some(Method::Post);
        };
        let (text, span) = self.text("http.method", value)?;
        let Some((_, method)) = METHODS.iter().find(|(name, _)| *name == text) else {
            let hint = suggest(text, METHODS.iter().map(|(name, _)| *name));
            self.document
                .refuse(span.start, format!("There is no method `{text}` here."), Some(hint));
            return None;
        };
        if *method == Method::Get && !matches!(body, Body::None) {
            let hint = "Put what it asks into the url, or write method = \"POST\".";
            self.document.refuse(span.start, "A GET has no body.", Some(hint.to_owned()));
        }
        Some(*method)
    }

    fn headers(&mut self, http: &DeTable<'_>) -> Vec<(String, Template)> {
        let mut headers = vec![];
        let Some(table) = http.get("headers").and_then(|value| self.table("http.headers", value)) else {
            return headers;
        };
        for (index, (key, value)) in table.iter().enumerate() {
            let name = key.get_ref().as_ref();
            let at = key.span().start;
            if index == HEADERS_MAX {
                self.document
                    .refuse(at, format!("A rule sends at most {HEADERS_MAX} headers."), None);
            }
            if name.is_empty() || name.len() > 128 || !name.bytes().all(is_header_byte) {
                let hint = "Use letters, digits and dashes, such as X-Request-Source.".to_owned();
                self.document.refuse(at, format!("`{name}` is no header's name."), Some(hint));
            } else if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
                let hint = "Remove it; it is set where it is needed.".to_owned();
                self.document
                    .refuse(at, format!("The header `{name}` is not a rule's to set."), Some(hint));
            } else if let Some(template) = self.template_of(value, &format!("http.headers.{name}")) {
                headers.push((name.to_owned(), template));
            }
        }
        headers
    }

    fn body(&mut self, http: &DeTable<'_>) -> Body {
        if let (Some(_), Some((key, _))) = (http.get("json"), http.get_key_value("body")) {
            let hint = "Keep one of them: json for JSON, body for any other text.".to_owned();
            self.document
                .refuse(key.span().start, "A request has either `json` or `body`.", Some(hint));
        }
        if let Some(value) = http.get("json") {
            let place = self.document.place("http.json", value.span().start);
            return self.json(value, "http.json").map_or(Body::None, |json| Body::Json(place, json));
        }
        self.template("body", http, "http.body").map_or(Body::None, Body::Text)
    }

    fn statuses(&mut self, http: &DeTable<'_>) -> Vec<u16> {
        const EXAMPLE: &str = "final = [400, 422]";
        let Some(value) = http.get("final") else { return vec![] };
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type("http.final", value, "a list of statuses", EXAMPLE);
            return vec![];
        };
        let mut statuses = vec![];
        for item in list {
            let status = item.get_ref().as_integer().and_then(|number| number.as_str().parse::<u16>().ok());
            if let Some(status) = status.filter(|status| (400..600).contains(status)) {
                statuses.push(status);
            } else {
                let reason = "`http.final` lists statuses from 400 to 599.";
                self.document.refuse(item.span().start, reason, Some(format!("Such as {EXAMPLE}.")));
            }
        }
        statuses
    }

    pub(super) fn emits(&mut self, table: &DeTable<'_>) -> Vec<Emit> {
        let Some(value) = table.get("emit") else { return vec![] };
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type("emit", value, "a list of tables", "[[emit]], with two brackets");
            return vec![];
        };
        if let Some(item) = list.get(RULE_EMITS_MAX) {
            let reason = format!("A rule makes at most {RULE_EMITS_MAX} events of one.");
            self.document
                .refuse(item.span().start, reason, Some("Write a second rule.".to_owned()));
        }
        list.iter().take(RULE_EMITS_MAX).filter_map(|item| self.emit(item)).collect()
    }

    fn emit(&mut self, item: &Value<'_>) -> Option<Emit> {
        let table = self.table("emit", item)?;
        self.keys(table, EMIT, "[[emit]]");
        let at = item.span().start;
        let when = self.condition("when", table, "emit.when");
        let kind = self.emitted_type(table, at);
        let Some(value) = table.get("payload") else {
            let hint = "Such as payload = \"{{ payload }}\", or a table [emit.payload].".to_owned();
            self.document.refuse(at, "`emit.payload` is missing.", Some(hint));
            return None;
        };
        let place = self.document.place("emit.payload", value.span().start);
        let payload = self.json(value, "emit.payload")?;
        if !matches!(payload, JsonTemplate::Object(_) | JsonTemplate::Value(..)) {
            self.wrong_type("emit.payload", value, "a table", "[emit.payload]");
        }
        Some(Emit {
            place,
            when,
            kind: kind?,
            payload,
        })
    }

    fn emitted_type(&mut self, table: &DeTable<'_>, at: usize) -> Option<EventType> {
        let Some(value) = table.get("event") else {
            let hint = "Such as event = \"FACTORY:MINT_CONFIRMED\".".to_owned();
            self.document.refuse(at, "`emit.event` is missing.", Some(hint));
            return None;
        };
        let (name, span) = self.text("emit.event", value)?;
        match self.types.find(name) {
            Some(kind) if kind.is_platform() => {
                let hint = "Use a type of your own; add it to hub.types in the configuration.".to_owned();
                self.document
                    .refuse(span.start, format!("`{name}` is told by the platform alone."), Some(hint));
                None
            }
            Some(kind) => Some(kind.clone()),
            None => {
                let hint = self.suggest_type(name, true);
                self.document
                    .refuse(span.start, format!("Nobody knows the type `{name}`."), Some(hint));
                None
            }
        }
    }

    pub(super) fn message(&mut self, table: &DeTable<'_>) -> Option<Message> {
        let value = table.get("message")?;
        if value.get_ref().as_array().is_some() {
            self.wrong_type("message", value, "one table", "[message], with one bracket");
            return None;
        }
        let message = self.table("message", value)?;
        self.keys(message, MESSAGE, "[message]");
        let at = table.get_key_value("message").map_or(0, |(key, _)| key.span().start);
        let when = self.condition("when", message, "message.when");
        let channel = self.required(
            "channel",
            message,
            ("message.channel", at),
            "channel = \"{{ env.NOTIFY_CHANNEL_ID }}\"",
        );
        let text = self.required(
            "text",
            message,
            ("message.text", at),
            "text = \"Order {{ payload.orderId }} was paid.\"",
        );
        Some(Message {
            when,
            channel: channel?,
            text: text?,
        })
    }
}

/// # Source
/// RFC 9110 §5.6.2, "token"
fn is_header_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
