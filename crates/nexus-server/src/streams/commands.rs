//! What a client says on a stream, and the words in which it is answered.
//!
//! # Shape
//! `{"action": "subscribe", "events": [type or pattern], "since"?: position}`, `{"action": "unsubscribe", "events": […]}`,
//! `{"action": "ping"}`. The page of the protocol is `docs/protocol/events.md`.

use nexus_types::hub::Pattern;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;

/// A command. The strings are what the client sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// These events are wanted, those after a position too.
    Subscribe { events: Vec<String>, since: Option<i64> },
    /// These are wanted no longer.
    Unsubscribe { events: Vec<String> },
    /// Is anybody there?
    Ping,
}

/// Why a command can't be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// No JSON.
    Json,
    /// An action that nobody knows.
    Action,
    /// Something is missing in it or has the wrong type.
    Command,
    /// No position.
    Since,
    /// More types than one stream may have.
    TooMany,
    /// Too many commands.
    Rate,
}

#[derive(Deserialize)]
struct Said {
    action: Option<String>,
    events: Option<Vec<String>>,
    since: Option<i64>,
}

/// Reads a command.
pub(super) fn read(text: &str) -> Result<Command, Fault> {
    let said: Said = serde_json::from_str(text).map_err(|cause| match cause.classify() {
        Category::Data => Fault::Command,
        Category::Syntax | Category::Eof | Category::Io => Fault::Json,
    })?;
    match (said.action.as_deref(), said.events) {
        (Some("subscribe"), Some(events)) if !events.is_empty() => match said.since {
            Some(..0) => Err(Fault::Since),
            since => Ok(Command::Subscribe { events, since }),
        },
        (Some("unsubscribe"), Some(events)) => Ok(Command::Unsubscribe { events }),
        (Some("ping"), _) => Ok(Command::Ping),
        (Some("subscribe" | "unsubscribe") | None, _) => Err(Fault::Command),
        (Some(_), _) => Err(Fault::Action),
    }
}

impl Fault {
    const fn word(self) -> &'static str {
        match self {
            Self::Json => "invalid_json",
            Self::Action => "unknown_action",
            Self::Command => "invalid_command",
            Self::Since => "invalid_since",
            Self::TooMany => "too_many_events",
            Self::Rate => "rate_limited",
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::Json => "A command is one JSON object.",
            Self::Action => "The actions are subscribe, unsubscribe and ping.",
            Self::Command => "A command has an action, and events as a list of strings.",
            Self::Since => "since is a position: 0 or more.",
            Self::TooMany => "One stream has 20 types and patterns at most.",
            Self::Rate => "One stream takes 10 commands a second.",
        }
    }
}

/// What the client is told.
#[derive(Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum Answer<'a> {
    /// Everything of the valid ones after the position will come.
    #[serde(rename_all = "camelCase")]
    Subscribed {
        events: &'a [String],
        valid_events: &'a [Pattern],
        invalid_events: &'a [&'a str],
        position: i64,
        gap: bool,
    },
    /// What it still gets.
    Unsubscribed { events: Vec<&'a Pattern> },
    /// Everything up to the position has come; what follows is new.
    CaughtUp { position: i64 },
    /// Somebody is there.
    Pong,
    /// It can't be done.
    Error { error: &'static str, message: &'static str },
}

impl From<Fault> for Answer<'_> {
    fn from(fault: Fault) -> Self {
        Self::Error {
            error: fault.word(),
            message: fault.message(),
        }
    }
}

impl Answer<'_> {
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("an answer serialises")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_or_named_for_what_is_wrong() {
        let subscribe = |events: &[&str], since| {
            let events = events.iter().map(ToString::to_string).collect();
            Ok(Command::Subscribe { events, since })
        };
        for (text, expected) in [
            (r#"{"action":"ping"}"#, Ok(Command::Ping)),
            (r#"{"action":"ping","events":[],"extra":{"a":[1]}}"#, Ok(Command::Ping)),
            (r#"{"action":"subscribe","events":["*"]}"#, subscribe(&["*"], None)),
            (
                r#"{"action":"subscribe","events":["A","B"],"since":7}"#,
                subscribe(&["A", "B"], Some(7)),
            ),
            (r#"{"action":"subscribe","events":["A"],"since":null}"#, subscribe(&["A"], None)),
            (
                r#"{"action":"unsubscribe","events":[]}"#,
                Ok(Command::Unsubscribe { events: vec![] }),
            ),
            (r#"{"action":"subscribe","events":["A"],"since":-1}"#, Err(Fault::Since)),
            (r#"{"action":"subscribe","events":["A"],"since":1.5}"#, Err(Fault::Command)),
            (r#"{"action":"subscribe","events":["A"],"since":"7"}"#, Err(Fault::Command)),
            (
                r#"{"action":"subscribe","events":["A"],"since":9223372036854775808}"#,
                Err(Fault::Command),
            ),
            (r#"{"action":"subscribe","events":[]}"#, Err(Fault::Command)),
            (r#"{"action":"subscribe","events":"A"}"#, Err(Fault::Command)),
            (r#"{"action":"subscribe","events":[1]}"#, Err(Fault::Command)),
            (r#"{"action":"subscribe"}"#, Err(Fault::Command)),
            (r#"{"action":"unsubscribe"}"#, Err(Fault::Command)),
            (r#"{"events":["A"]}"#, Err(Fault::Command)),
            (r#"{"action":7}"#, Err(Fault::Command)),
            (r#"{"action":"ping","action":"ping"}"#, Err(Fault::Command)),
            ("[]", Err(Fault::Command)),
            ("7", Err(Fault::Command)),
            (r#"{"action":"publish"}"#, Err(Fault::Action)),
            (r#"{"action":"Ping"}"#, Err(Fault::Action)),
            ("", Err(Fault::Json)),
            ("ping", Err(Fault::Json)),
            (r#"{"action":"ping"} {}"#, Err(Fault::Json)),
            (r#"{"action":"ping""#, Err(Fault::Json)),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        let deep = format!(r#"{{"action":"ping","x":{}}}"#, "[".repeat(5_000));
        assert_eq!(read(&deep), Err(Fault::Json));
    }

    #[test]
    fn the_answers_are_the_protocols() {
        let kind = Pattern::parse("FLOWPAY:PAYMENT_RECEIVED").expect("a pattern");
        let answer = Answer::Subscribed {
            events: &["PAYMENT_RECEIVED".to_owned(), "NOPE".to_owned()],
            valid_events: std::slice::from_ref(&kind),
            invalid_events: &["NOPE"],
            position: 7,
            gap: false,
        };
        assert_eq!(
            answer.json(),
            r#"{"status":"subscribed","events":["PAYMENT_RECEIVED","NOPE"],"validEvents":["FLOWPAY:PAYMENT_RECEIVED"],"invalidEvents":["NOPE"],"position":7,"gap":false}"#
        );
        for (answer, json) in [
            (
                Answer::Unsubscribed { events: vec![&kind] },
                r#"{"status":"unsubscribed","events":["FLOWPAY:PAYMENT_RECEIVED"]}"#,
            ),
            (Answer::CaughtUp { position: 7 }, r#"{"status":"caught_up","position":7}"#),
            (Answer::Pong, r#"{"status":"pong"}"#),
            (
                Fault::Rate.into(),
                r#"{"status":"error","error":"rate_limited","message":"One stream takes 10 commands a second."}"#,
            ),
        ] {
            assert_eq!(answer.json(), json);
        }
    }
}
