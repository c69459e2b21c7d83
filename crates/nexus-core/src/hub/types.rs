//! The types of events: which there are, what their payloads look like, and in which spelling they may be named.
//!
//! The built-in ones are the contract's (`docs/protocol/events.md`). Operators add types with JSON Schemas of their own. Nobody outside
//! may send the platform's own types, but for `NEXUS:START`.

use std::collections::HashMap;
use std::sync::Arc;

use jsonschema::{PatternOptions, ValidationError, Validator, error::ValidationErrorKind};
use nexus_types::hub::{EventType, Pattern};
use nexus_types::limits::{CUSTOM_TYPES_MAX, PATTERNS_MAX};
use nexus_types::{ErrorCode, FieldErrors};
use serde::Serialize;
use serde_json::Value;

use super::platform;
use crate::errors::{Error, Refusal, Result};

const PAYMENT: &str = include_str!("schemas/payment.json");
const MINT: &str = include_str!("schemas/mint.json");
const PROPOSAL: &str = include_str!("schemas/proposal.json");
const VOTE: &str = include_str!("schemas/governance.json");
/// Any object.
const OBJECT: &str = r#"{"type":"object"}"#;

/// The contract's types, with the schemas of their payloads.
const BUILT_IN: &[(&str, &str)] = &[
    ("FLOWPAY:PAYMENT_RECEIVED", PAYMENT),
    ("FLOWPAY:PAYMENT_FAILED", PAYMENT),
    ("FACTORY:MINT_REQUESTED", MINT),
    ("FACTORY:MINT_CONFIRMED", MINT),
    ("FACTORY:MINT_FAILED", MINT),
    ("FACTORY:CONTRACT_DEPLOYED", OBJECT),
    ("FLUXX:PROPOSAL_CREATED", PROPOSAL),
    ("FLUXX:VOTE_CAST", VOTE),
    ("MIO:IDENTITY_VERIFIED", OBJECT),
    (START, OBJECT),
];
/// Told by the platform at each start; others may send it too.
pub const START: &str = "NEXUS:START";

/// A type that the operator adds.
#[derive(Debug, Clone)]
pub struct CustomType {
    /// `NAMESPACE:NAME`.
    pub name: String,
    /// The JSON Schema of its payload; without one, any object.
    pub schema: Option<Value>,
}

/// A type that can't be added.
#[derive(Debug, thiserror::Error)]
#[error("the type {name} can't be used: {reason}")]
pub struct BadType {
    /// Which.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// A type as it is listed.
///
/// # Shape
/// `{"event", "namespace", "bare", "schema": {…}|null, "custom": bool, "platform": bool}`
#[derive(Debug, Clone, Serialize)]
pub struct TypeInfo {
    /// The stored spelling.
    pub event: EventType,
    /// Before the colon.
    pub namespace: String,
    /// After it.
    pub bare: String,
    /// What its payload must look like.
    pub schema: Option<Arc<Value>>,
    /// Was it added by the operator?
    pub custom: bool,
    /// Does the platform alone tell it?
    pub platform: bool,
}

struct Known {
    kind: EventType,
    schema: Option<Arc<Value>>,
    /// `None` for the platform's own types, which nobody sends.
    validator: Option<Validator>,
    custom: bool,
}

/// All types. Clones share them.
#[derive(Clone)]
pub struct TypeRegistry(Arc<Inner>);

struct Inner {
    all: Vec<Known>,
    /// By the stored spelling, and by the bare one where only one type has it.
    by_name: HashMap<String, usize>,
}

impl std::fmt::Debug for TypeRegistry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.0.all.iter().map(|known| &known.kind)).finish()
    }
}

impl TypeRegistry {
    /// The built-in types and these.
    ///
    /// # Errors
    /// [`BadType`] for a name that is none, is taken or is the platform's, or a schema that is none or refers to another file.
    pub fn new(custom: Vec<CustomType>) -> Result<Self, BadType> {
        let mut all = vec![];
        for (name, schema) in BUILT_IN {
            let schema = serde_json::from_str(schema).expect("the built-in schemas are JSON");
            all.push(known(name, Some(schema), false)?);
        }
        for name in platform::TYPES {
            let kind = EventType::parse(name).expect("the platform's types are types");
            all.push(Known {
                kind,
                schema: None,
                validator: None,
                custom: false,
            });
        }
        if custom.len() > CUSTOM_TYPES_MAX {
            return Err(bad(
                &custom[CUSTOM_TYPES_MAX].name,
                format!("there may be {CUSTOM_TYPES_MAX} at most"),
            ));
        }
        for CustomType { name, schema } in custom {
            let new = known(&name, schema, true)?;
            if new.kind.namespace().eq_ignore_ascii_case(nexus_types::hub::PLATFORM) {
                return Err(bad(&name, "the namespace nexus is the platform's own"));
            }
            if all.iter().any(|known| known.kind == new.kind) {
                return Err(bad(&name, "there is a type of that name"));
            }
            all.push(new);
        }
        let mut by_name = HashMap::new();
        for (index, known) in all.iter().enumerate() {
            by_name.insert(known.kind.as_str().to_owned(), index);
        }
        for (index, known) in all.iter().enumerate() {
            let bare = known.kind.bare();
            if all.iter().filter(|other| other.kind.bare() == bare).count() == 1 {
                by_name.insert(bare.to_owned(), index);
            }
        }
        Ok(Self(Arc::new(Inner { all, by_name })))
    }

    /// The stored spelling of a name, which may be bare.
    pub fn find(&self, name: &str) -> Option<&EventType> {
        self.known(name).map(|known| &known.kind)
    }

    fn known(&self, name: &str) -> Option<&Known> {
        self.0.by_name.get(name).map(|index| &self.0.all[*index])
    }

    /// A pattern in any spelling; `None` if it names what nobody knows.
    pub fn pattern(&self, text: &str) -> Option<Pattern> {
        if let Some(kind) = self.find(text) {
            return Some(Pattern::Exact(kind.clone()));
        }
        match Pattern::parse(text).ok()? {
            Pattern::Exact(_) => None,
            Pattern::All => Some(Pattern::All),
            pattern @ Pattern::Namespace(_) => self.0.all.iter().any(|known| pattern.matches(&known.kind)).then_some(pattern),
        }
    }

    /// A list of patterns of somebody's, in the stored spelling and without repetition.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidPatterns`], naming the first that nobody knows.
    pub fn patterns(&self, names: &[String]) -> Result<Vec<Pattern>> {
        if names.is_empty() || names.len() > PATTERNS_MAX {
            return Err(ErrorCode::InvalidPatterns.into());
        }
        let mut patterns = vec![];
        for (index, name) in names.iter().enumerate() {
            let Some(pattern) = self.pattern(name) else {
                return Err(field(
                    ErrorCode::InvalidPatterns,
                    &format!("events.{index}"),
                    "Nobody knows this type of events.",
                ));
            };
            if !patterns.contains(&pattern) {
                patterns.push(pattern);
            }
        }
        Ok(patterns)
    }

    /// What somebody outside may send: the type of that name, with a payload that fits it.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidEventType`], or [`ErrorCode::InvalidPayload`] with the field.
    pub fn check(&self, name: &str, payload: &Value) -> Result<&EventType> {
        let known = self.known(name).ok_or(ErrorCode::InvalidEventType)?;
        let validator = known.validator.as_ref().ok_or(ErrorCode::InvalidEventType)?;
        if validator.is_valid(payload) {
            return Ok(&known.kind);
        }
        let fault = validator.iter_errors(payload).next().map(|fault| explain(&fault));
        let (path, message) = fault.unwrap_or_else(|| ("payload".to_owned(), "It does not fit.".to_owned()));
        Err(field(ErrorCode::InvalidPayload, &path, &message))
    }

    /// All of them, in order of their names.
    pub fn list(&self) -> Vec<TypeInfo> {
        let mut list: Vec<_> = self.0.all.iter().map(info).collect();
        list.sort_by(|one, other| one.event.cmp(&other.event));
        list
    }
}

fn info(known: &Known) -> TypeInfo {
    TypeInfo {
        event: known.kind.clone(),
        namespace: known.kind.namespace().to_owned(),
        bare: known.kind.bare().to_owned(),
        schema: known.schema.clone(),
        custom: known.custom,
        platform: known.validator.is_none(),
    }
}

fn bad(name: &str, reason: impl Into<String>) -> BadType {
    BadType {
        name: name.to_owned(),
        reason: reason.into(),
    }
}

fn known(name: &str, schema: Option<Value>, custom: bool) -> Result<Known, BadType> {
    let kind = EventType::parse(name).map_err(|cause| bad(name, cause.to_string()))?;
    let schema = schema.unwrap_or_else(|| serde_json::from_str(OBJECT).expect("it is JSON"));
    // Expressions of linear time, and nothing is fetched from anywhere.
    let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
    let validator = options.offline().build(&schema).map_err(|cause| bad(name, cause.to_string()))?;
    Ok(Known {
        kind,
        schema: Some(Arc::new(schema)),
        validator: Some(validator),
        custom,
    })
}

/// A refusal that names a field.
pub(super) fn field(code: ErrorCode, path: &str, message: &str) -> Error {
    Error::Refused(Refusal {
        code,
        fields: FieldErrors::one(path, "INVALID", message),
        retry_after_ms: None,
    })
}

/// The field, as `payload.amount`, and what is wrong with it. The value itself is not repeated.
fn explain(fault: &ValidationError<'_>) -> (String, String) {
    let mut path = "payload".to_owned();
    for part in fault.instance_path().as_str().split('/').filter(|part| !part.is_empty()) {
        path.push('.');
        path.push_str(part);
    }
    match fault.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            (format!("{path}.{name}"), "This field is required.".to_owned())
        }
        ValidationErrorKind::AnyOf { context } => match one_of(context) {
            Some(names) => (format!("{path}.{}", names[0]), format!("One of {} is required.", names.join(", "))),
            None => (path, fault.masked().to_string()),
        },
        _ => (path, fault.masked().to_string()),
    }
}

/// The names, if each branch failed for the lack of one field.
fn one_of(branches: &[Vec<ValidationError<'static>>]) -> Option<Vec<String>> {
    let name = |branch: &Vec<ValidationError<'static>>| match branch.first()?.kind() {
        ValidationErrorKind::Required { property } => Some(property.as_str()?.to_owned()),
        _ => None,
    };
    let names: Vec<_> = branches.iter().map(name).collect::<Option<_>>()?;
    (!names.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn registry() -> TypeRegistry {
        let schema = json!({"type": "object", "properties": {"height": {"type": "number", "maximum": 20}}, "required": ["height"]});
        let custom = CustomType {
            name: "GAUGE:READING".into(),
            schema: Some(schema),
        };
        TypeRegistry::new(vec![custom]).expect("good types")
    }

    fn check(name: &str, payload: &Value) -> Result<String, (ErrorCode, String)> {
        registry()
            .check(name, payload)
            .map(ToString::to_string)
            .map_err(|error| match error {
                Error::Refused(refusal) => (refusal.code, Value::Object(refusal.fields.0).to_string()),
                other => panic!("{other:?}"),
            })
    }

    #[test]
    fn both_spellings_name_one_type() {
        let payment = json!({"orderId": "7730", "amount": 15.00, "payerId": "@hana", "currency": "EUR"});
        for name in ["PAYMENT_RECEIVED", "FLOWPAY:PAYMENT_RECEIVED"] {
            assert_eq!(check(name, &payment).as_deref(), Ok("FLOWPAY:PAYMENT_RECEIVED"), "{name}");
        }
        assert_eq!(check("READING", &json!({"height": 1.5})).as_deref(), Ok("GAUGE:READING"));
        assert_eq!(check("START", &json!({})).as_deref(), Ok("NEXUS:START"));
    }

    #[test]
    fn what_nobody_knows_and_what_the_platform_tells_is_refused() {
        for name in [
            "",
            "NOPE",
            "FLOWPAY:NOPE",
            "flowpay:payment_received",
            "nexus:message_create",
            "message_create",
            "*",
            "GAUGE:*",
        ] {
            assert_eq!(
                check(name, &json!({})).expect_err("no type").0,
                ErrorCode::InvalidEventType,
                "{name}"
            );
        }
    }

    #[test]
    fn the_field_that_does_not_fit_is_named() {
        let cases = [
            (
                "PAYMENT_RECEIVED",
                json!({"orderId": "1", "amount": "lots", "payerId": "p"}),
                "\"amount\"",
            ),
            ("PAYMENT_RECEIVED", json!({"orderId": "1", "payerId": "p"}), "\"amount\""),
            ("PAYMENT_RECEIVED", json!({"amount": 1, "payerId": "p"}), "orderId, transactionId"),
            ("PAYMENT_RECEIVED", json!([]), "\"payload\""),
            (
                "MINT_CONFIRMED",
                json!({"address": "0x1", "amount": 1, "reason": "theft"}),
                "\"reason\"",
            ),
            (
                "VOTE_CAST",
                json!({"proposalId": 12, "voterId": "v", "decision": "maybe"}),
                "\"decision\"",
            ),
            ("READING", json!({"height": 40}), "\"height\""),
        ];
        for (name, payload, wanted) in cases {
            let (code, fields) = check(name, &payload).expect_err("it does not fit");
            assert_eq!(code, ErrorCode::InvalidPayload, "{name}");
            assert!(fields.contains(wanted), "{name}: {fields}");
            assert!(
                !fields.contains("lots") && !fields.contains("theft") && !fields.contains("maybe"),
                "{fields}"
            );
        }
    }

    #[test]
    fn patterns_are_known_in_any_spelling() {
        let registry = registry();
        let names = |names: &[&str]| registry.patterns(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let patterns = names(&["PAYMENT_RECEIVED", "FLOWPAY:PAYMENT_RECEIVED", "GAUGE:*", "nexus:message_create"]).expect("known");
        let words: Vec<_> = patterns.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["FLOWPAY:PAYMENT_RECEIVED", "GAUGE:*", "nexus:message_create"]);
        assert!(names(&[]).is_err() && names(&["NOBODY:*"]).is_err() && names(&["GAUGE:NOPE"]).is_err());
        assert!(names(&["*"; 21]).is_err());
    }

    #[test]
    fn bad_types_of_the_operator_are_named() {
        for (name, schema) in [
            ("GAUGE", None),
            ("nexus:gauge", None),
            ("NEXUS:GAUGE", None),
            ("FLOWPAY:PAYMENT_RECEIVED", None),
            ("A:B", Some(json!({"type": "nothing"}))),
            ("A:B", Some(json!({"$ref": "https://example.org/schema.json"}))),
            ("A:B", Some(json!({"properties": {"x": {"pattern": "(?=a)"}}}))),
        ] {
            let custom = CustomType { name: name.into(), schema };
            let fault = TypeRegistry::new(vec![custom]).expect_err("no good type");
            assert_eq!(fault.name, name);
        }
    }
}
