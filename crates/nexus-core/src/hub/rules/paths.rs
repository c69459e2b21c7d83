//! Paths such as `payload.metadata.items[0]`, and the JSON text that they lead to, exactly as it came.
//!
//! Nothing is parsed that is not asked for, and no number passes through a float: `15.00` stays `15.00`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use nexus_types::hub::HubEvent;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::outbound::Answer;

/// Where a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Event,
    Payload,
    Env,
    Answer,
}

/// What expressions can begin with.
pub(super) const ROOTS: &[(&str, Root)] = &[
    ("event", Root::Event),
    ("payload", Root::Payload),
    ("env", Root::Env),
    ("answer", Root::Answer),
];
/// The members of `event`.
pub(super) const EVENT: &[&str] = &["id", "type", "source", "position", "timestamp"];
/// The members of `answer`.
pub(super) const ANSWER: &[&str] = &["status", "json", "text"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) root: Root,
    pub(super) steps: Vec<Step>,
    /// As it stands in the rule.
    pub(super) text: String,
}

impl Path {
    /// The variable of the environment that it leads to.
    pub(super) fn variable(&self) -> Option<&str> {
        match (self.root, self.steps.first()) {
            (Root::Env, Some(Step::Key(name))) => Some(name),
            _ => None,
        }
    }
}

/// An event as rules look at it. Make one for each event and give it to all rules: the payload's members are found once.
pub struct Facts<'a> {
    event: &'a HubEvent,
    members: OnceLock<BTreeMap<String, Box<RawValue>>>,
}

impl<'a> Facts<'a> {
    /// Looks at nothing yet.
    pub fn new(event: &'a HubEvent) -> Self {
        Self {
            event,
            members: OnceLock::new(),
        }
    }

    /// The event.
    pub fn event(&self) -> &'a HubEvent {
        self.event
    }

    fn member(&self, name: &str) -> Option<&str> {
        let members = self
            .members
            .get_or_init(|| serde_json::from_str(self.event.payload.get()).unwrap_or_default());
        members.get(name).map(|raw| raw.get())
    }
}

/// An answer as rules look at it.
pub(super) struct Replied<'a> {
    status: u16,
    text: Cow<'a, str>,
    is_json: OnceLock<bool>,
}

impl<'a> Replied<'a> {
    pub(super) fn new(answer: &'a Answer) -> Self {
        Self {
            status: answer.status,
            text: String::from_utf8_lossy(&answer.body),
            is_json: OnceLock::new(),
        }
    }

    /// The body, if it is JSON.
    fn json(&self) -> Option<&str> {
        let is_json = self.is_json.get_or_init(|| serde_json::from_str::<&RawValue>(&self.text).is_ok());
        is_json.then_some(&*self.text)
    }
}

/// Everything that an expression can see.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) facts: &'a Facts<'a>,
    pub(super) environment: &'a BTreeMap<String, String>,
    pub(super) answer: Option<&'a Replied<'a>>,
}

impl<'a> Scope<'a> {
    /// The JSON text that a path leads to.
    pub(super) fn find(&self, path: &Path) -> Option<Cow<'a, str>> {
        let first = match path.steps.first() {
            Some(Step::Key(key)) => Some(key.as_str()),
            Some(Step::Index(_)) => return None,
            None => None,
        };
        let rest = path.steps.get(1..).unwrap_or_default();
        let made = |text: String| rest.is_empty().then_some(Cow::Owned(text));
        let event = self.facts.event;
        match (path.root, first) {
            (Root::Payload, None) => Some(Cow::Borrowed(event.payload.get())),
            (Root::Payload, Some(name)) => follow(self.facts.member(name)?, rest).map(Cow::Borrowed),
            (Root::Event, Some("id")) => made(quote(&event.id.to_string())),
            (Root::Event, Some("type")) => made(quote(event.kind.as_str())),
            (Root::Event, Some("source")) => made(quote(&event.source)),
            (Root::Event, Some("position")) => made(event.position.to_string()),
            (Root::Event, Some("timestamp")) => made(event.timestamp.to_string()),
            (Root::Env, Some(name)) => made(quote(self.environment.get(name)?)),
            (Root::Answer, Some("status")) => made(self.answer?.status.to_string()),
            (Root::Answer, Some("text")) => made(quote(&self.answer?.text)),
            (Root::Answer, Some("json")) => follow(self.answer?.json()?, rest).map(Cow::Borrowed),
            (Root::Event | Root::Env | Root::Answer, _) => None,
        }
    }
}

/// A text as JSON.
pub(super) fn quote(text: &str) -> String {
    serde_json::to_string(text).expect("a text serialises")
}

fn follow<'j>(mut json: &'j str, steps: &[Step]) -> Option<&'j str> {
    for step in steps {
        let mut reader = serde_json::Deserializer::from_str(json);
        json = Pick(step).deserialize(&mut reader).ok()??.get();
    }
    Some(json)
}

/// Reads one member and passes over the others. Of several with the same name the last counts, as everywhere.
struct Pick<'s>(&'s Step);

impl<'de> DeserializeSeed<'de> for Pick<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pick<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Step::Key(wanted) = self.0 else {
            return Err(A::Error::custom("no list"));
        };
        let mut found = None;
        while let Some(is_wanted) = map.next_key_seed(Is(wanted))? {
            if is_wanted {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let Step::Index(wanted) = self.0 else {
            return Err(A::Error::custom("no object"));
        };
        for _ in 0..*wanted {
            if list.next_element::<IgnoredAny>()?.is_none() {
                return Ok(None);
            }
        }
        let found = list.next_element()?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }
}

/// Is a key this one?
struct Is<'s>(&'s str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use nexus_types::hub::EventType;
    use nexus_types::ids::HubEventId;

    use super::*;

    pub(in crate::hub::rules) fn event(kind: &str, payload: &str) -> HubEvent {
        HubEvent {
            id: HubEventId(7_000_000_000_000_000_001),
            position: 42,
            kind: EventType::parse(kind).expect("a type"),
            payload: RawValue::from_string(payload.to_owned()).expect("JSON"),
            source: "default".into(),
            timestamp: 1_700_000_000_000,
        }
    }

    fn find(payload: &str, root: Root, steps: &[Step]) -> Option<String> {
        let event = event("FLOWPAY:PAYMENT_RECEIVED", payload);
        let facts = Facts::new(&event);
        let environment = BTreeMap::from([("URL".to_owned(), "http://a".to_owned())]);
        let answer = Answer {
            status: 200,
            headers: vec![],
            body: br#"{"status":"minted","n":1.50}"#.to_vec(),
        };
        let replied = Replied::new(&answer);
        let scope = Scope {
            facts: &facts,
            environment: &environment,
            answer: Some(&replied),
        };
        let path = Path {
            root,
            steps: steps.to_vec(),
            text: String::new(),
        };
        scope.find(&path).map(Cow::into_owned)
    }

    fn key(name: &str) -> Step {
        Step::Key(name.into())
    }

    #[test]
    fn a_path_leads_to_the_text_exactly_as_it_came() {
        let payload = r#"{"amount":15.00,"big":123456789012345678901234567890,"deep":{"list":[1,{"x y":"\u00e9"},3]},"twice":1,"twice":2,"once":{"twice":1,"twice":2},"q\"":9}"#;
        for (steps, wanted) in [
            (vec![key("amount")], Some("15.00")),
            (vec![key("big")], Some("123456789012345678901234567890")),
            (vec![key("deep"), key("list"), Step::Index(1), key("x y")], Some("\"\\u00e9\"")),
            (vec![key("deep"), key("list"), Step::Index(2)], Some("3")),
            (vec![key("twice")], Some("2")),
            (vec![key("once"), key("twice")], Some("2")),
            (vec![key("q\"")], Some("9")),
            (vec![key("deep"), key("list"), Step::Index(3)], None),
            (vec![key("deep"), key("list"), key("x")], None),
            (vec![key("amount"), key("x")], None),
            (vec![key("nothing"), key("x")], None),
            (vec![Step::Index(0)], None),
        ] {
            assert_eq!(find(payload, Root::Payload, &steps).as_deref(), wanted, "{steps:?}");
        }
        assert_eq!(find("{}", Root::Payload, &[]).as_deref(), Some("{}"));
    }

    #[test]
    fn the_event_the_environment_and_the_answer_are_seen() {
        for (root, steps, wanted) in [
            (Root::Event, vec![key("id")], Some("\"7000000000000000001\"")),
            (Root::Event, vec![key("type")], Some("\"FLOWPAY:PAYMENT_RECEIVED\"")),
            (Root::Event, vec![key("position")], Some("42")),
            (Root::Event, vec![key("id"), key("x")], None),
            (Root::Env, vec![key("URL")], Some("\"http://a\"")),
            (Root::Env, vec![key("OTHER")], None),
            (Root::Answer, vec![key("status")], Some("200")),
            (Root::Answer, vec![key("json"), key("n")], Some("1.50")),
        ] {
            assert_eq!(find("{}", root, &steps).as_deref(), wanted, "{steps:?}");
        }
    }
}
