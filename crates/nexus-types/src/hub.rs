//! The event hub's vocabulary: types of events, patterns over them, an event as it travels, and how reactors' jobs stand.
//!
//! It deliberately knows no schema and no signature: what a payload must look like is `nexus-core`'s `hub/types.rs`, the contract is
//! `docs/protocol/events.md`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::ids::HubEventId;

/// Letters, digits and underscores of the part before the colon.
const NAMESPACE_CHARS_MAX: usize = 32;
/// Letters, digits and underscores of the part after it.
const NAME_CHARS_MAX: usize = 64;
/// The namespace of what the platform itself tells.
pub const PLATFORM: &str = "nexus";
/// The source of what the platform itself tells.
pub const PLATFORM_SOURCE: &str = "nexus";
/// The source whose secret is `NEXUS_SECRET`.
pub const DEFAULT_SOURCE: &str = "default";

/// Not the name of a type of events, or no pattern over such names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a type is NAMESPACE:NAME in letters, digits and underscores")]
pub struct BadType;

fn is_word(text: &str, chars_max: usize) -> bool {
    (1..=chars_max).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && text.as_bytes()[0].is_ascii_alphabetic()
}

/// The type of an event as it is stored.
///
/// # Shape
/// `NAMESPACE:NAME`, such as `FLOWPAY:PAYMENT_RECEIVED`; the platform's own are `nexus:message_create` and the like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType(Arc<str>);

impl EventType {
    /// # Errors
    /// [`BadType`] for anything but `NAMESPACE:NAME`.
    pub fn parse(text: &str) -> Result<Self, BadType> {
        let (namespace, name) = text.split_once(':').ok_or(BadType)?;
        if is_word(namespace, NAMESPACE_CHARS_MAX) && is_word(name, NAME_CHARS_MAX) {
            Ok(Self(text.into()))
        } else {
            Err(BadType)
        }
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the colon.
    pub fn namespace(&self) -> &str {
        self.0.split_once(':').map_or("", |(namespace, _)| namespace)
    }

    /// The part after the colon: the bare spelling.
    pub fn bare(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, name)| name)
    }

    /// Does the platform itself tell it?
    pub fn is_platform(&self) -> bool {
        self.namespace() == PLATFORM
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for EventType {
    type Err = BadType;
    fn from_str(text: &str) -> Result<Self, BadType> {
        Self::parse(text)
    }
}

impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&std::borrow::Cow::<str>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Which types somebody wants.
///
/// # Shape
/// A string: a type, `NAMESPACE:*`, or `*` for all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// Every type.
    All,
    /// Every type of a namespace.
    Namespace(Arc<str>),
    /// One type.
    Exact(EventType),
}

impl Pattern {
    /// # Errors
    /// [`BadType`] for anything but a type, `NAMESPACE:*` or `*`.
    pub fn parse(text: &str) -> Result<Self, BadType> {
        if text == "*" {
            return Ok(Self::All);
        }
        match text.strip_suffix(":*") {
            Some(namespace) if is_word(namespace, NAMESPACE_CHARS_MAX) => Ok(Self::Namespace(namespace.into())),
            Some(_) => Err(BadType),
            None => EventType::parse(text).map(Self::Exact),
        }
    }

    /// Is this type wanted?
    pub fn matches(&self, kind: &EventType) -> bool {
        match self {
            Self::All => true,
            Self::Namespace(namespace) => kind.namespace() == &**namespace,
            Self::Exact(exact) => exact == kind,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.write_str("*"),
            Self::Namespace(namespace) => write!(formatter, "{namespace}:*"),
            Self::Exact(kind) => kind.fmt(formatter),
        }
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&std::borrow::Cow::<str>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// An event of the hub, committed.
///
/// # Shape
/// `{"id", "position": int, "event", "payload": {…}, "source", "timestamp": int ms}`; the payload's text is kept exactly as it came,
/// so that `15.00` stays `15.00`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HubEvent {
    /// Names it for ever, also in a restored backup.
    pub id: HubEventId,
    /// Its place in the event log.
    pub position: i64,
    /// Its type.
    #[serde(rename = "event")]
    pub kind: EventType,
    /// A JSON object.
    pub payload: Box<RawValue>,
    /// Who sent it: a source's name, `nexus` for the platform, `reactor/NAME` for what a reactor made of another event.
    pub source: String,
    /// When it was committed, in milliseconds since 1970.
    pub timestamp: i64,
}

/// The body of a hub event's log entry: the event without the position that the entry has.
#[derive(Serialize)]
struct EntryBody<'a> {
    id: HubEventId,
    event: &'a EventType,
    payload: &'a RawValue,
    source: &'a str,
    timestamp: i64,
}

impl HubEvent {
    /// The body of its log entry. [`whole`] makes the event's JSON of it.
    pub fn entry_body(&self) -> String {
        let body = EntryBody {
            id: self.id,
            event: &self.kind,
            payload: &self.payload,
            source: &self.source,
            timestamp: self.timestamp,
        };
        serde_json::to_string(&body).expect("an event serialises")
    }
}

/// The JSON of an event from the body of its log entry and its position.
pub fn whole(position: i64, entry_body: &str) -> String {
    let rest = entry_body.strip_prefix('{').unwrap_or(entry_body);
    format!("{{\"position\":{position},{rest}")
}

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident { $($(#[$state_doc:meta])* $state:ident = $number:literal,)* })*) => {$(
        $(#[$doc])*
        ///
        /// # Shape
        /// The word in small letters; in the database the number.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$state_doc])* $state = $number,)* }

        impl $name {
            /// The one with this number.
            pub fn of(number: i64) -> Option<Self> { match number { $($number => Some(Self::$state),)* _ => None } }
        }
    )*};
}

states! {
    /// How a job stands as it is stored.
    JobState {
        /// It will be tried, or is being tried.
        Waiting = 0,
        /// It was done.
        Done = 1,
        /// Nobody tries any more: a dead letter.
        Dead = 2,
        /// A person said that it need not be done.
        Discarded = 3,
    }
    /// How an attempt ended.
    AttemptOutcome {
        /// Its effect happened.
        Delivered = 0,
        /// It may work later.
        Failed = 1,
        /// It can never work as it is.
        Refused = 2,
    }
    /// Whether an outgoing webhook is served.
    WebhookState {
        /// It is.
        On = 0,
        /// A person switched it off.
        Off = 1,
        /// It failed for days, or said that it is gone.
        Disabled = 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_a_namespace_and_a_name() {
        for good in ["FLOWPAY:PAYMENT_RECEIVED", "nexus:message_create", "A:B", "GAUGE_2:READING_1"] {
            assert_eq!(EventType::parse(good).expect("a type").as_str(), good);
        }
        for bad in ["", ":", "A:", ":B", "A", "A:B:C", "A B:C", "A:Ü", "1A:B", "_A:B", "A:*", "*"] {
            assert_eq!(EventType::parse(bad), Err(BadType), "{bad}");
        }
        assert!(EventType::parse(&format!("A:{}", "B".repeat(65))).is_err());
        let kind = EventType::parse("FLOWPAY:PAYMENT_RECEIVED").expect("a type");
        assert_eq!((kind.namespace(), kind.bare()), ("FLOWPAY", "PAYMENT_RECEIVED"));
    }

    #[test]
    fn a_pattern_names_one_type_a_namespace_or_all() {
        let kind = EventType::parse("GAUGE:READING").expect("a type");
        for (pattern, matches) in [
            ("*", true),
            ("GAUGE:*", true),
            ("GAUGE:READING", true),
            ("MIO:*", false),
            ("GAUGE:READ", false),
        ] {
            let pattern = Pattern::parse(pattern).expect("a pattern");
            assert_eq!(pattern.matches(&kind), matches, "{pattern}");
            assert_eq!(Pattern::parse(&pattern.to_string()), Ok(pattern));
        }
        for bad in ["", "**", "GAUGE*", "*:READING", ":*", "GAUGE:READ*"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_entry_and_the_event_are_the_same_json() {
        let event = HubEvent {
            id: HubEventId(7),
            position: 42,
            kind: EventType::parse("FLOWPAY:PAYMENT_RECEIVED").expect("a type"),
            payload: RawValue::from_string("{\"amount\":15.00}".into()).expect("JSON"),
            source: "default".into(),
            timestamp: 5,
        };
        let json = whole(event.position, &event.entry_body());
        assert!(json.contains("\"amount\":15.00"), "{json}");
        let read: HubEvent = serde_json::from_str(&json).expect("the event");
        assert_eq!(
            serde_json::to_value(&read).expect("JSON"),
            serde_json::to_value(&event).expect("JSON")
        );
    }
}
