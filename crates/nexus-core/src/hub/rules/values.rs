//! JSON texts to MiniJinja's values and back.
//!
//! A computed value is MiniJinja's: integers to 128 bits, and floats. So that a decimal that was only passed on keeps its text, the texts
//! of the numbers that went in are remembered ([`Exact`]).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, Value, ValueKind};
use nexus_types::limits::RULE_TEXT_BYTES_MAX;
use serde_json::value::RawValue;

use super::paths::quote;

/// So deep do lists and objects go; deeper ones are refused, as by the reader of JSON.
const DEPTH_MAX: usize = 64;

/// The numbers that went in and whose texts a float does not keep.
#[derive(Debug, Default)]
pub(super) struct Exact(BTreeMap<u64, String>);

impl Object for Exact {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

impl Exact {
    fn text(&self, number: f64) -> Option<&str> {
        self.0.get(&number.to_bits()).map(String::as_str)
    }
}

/// The value of a JSON text.
///
/// # Errors
/// A sentence for what is too deep or is no JSON.
pub(super) fn value(json: &str, exact: &mut Exact) -> Result<Value, String> {
    deep_value(json, exact, 0)
}

fn deep_value(json: &str, exact: &mut Exact, depth: usize) -> Result<Value, String> {
    if depth > DEPTH_MAX {
        return Err(format!("it has more than {DEPTH_MAX} levels"));
    }
    let unreadable = |_| "it is not JSON".to_owned();
    Ok(match json.trim_ascii_start().bytes().next() {
        Some(b'"') => Value::from(serde_json::from_str::<String>(json).map_err(unreadable)?),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(json).map_err(unreadable)?;
            let items = items.iter().map(|item| deep_value(item.get(), exact, depth + 1));
            Value::from(items.collect::<Result<Vec<_>, _>>()?)
        }
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).map_err(unreadable)?;
            let members = members
                .into_iter()
                .map(|(key, member)| Ok((key, deep_value(member.get(), exact, depth + 1)?)));
            Value::from(members.collect::<Result<BTreeMap<_, _>, String>>()?)
        }
        Some(b't') => Value::from(true),
        Some(b'f') => Value::from(false),
        Some(b'n') => Value::from(()),
        _ => number(json.trim_ascii(), exact).ok_or_else(|| "it has a number that is too large".to_owned())?,
    })
}

fn number(text: &str, exact: &mut Exact) -> Option<Value> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(Value::from(number));
    }
    if let Ok(number) = text.parse::<i128>() {
        return Some(Value::from(number));
    }
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
    // Of two spellings of one number the first one counts.
    exact.0.entry(number.to_bits()).or_insert_with(|| text.to_owned());
    Some(Value::from(number))
}

/// A value as JSON.
///
/// # Errors
/// A sentence for what JSON can't say or is too long.
pub(super) fn json(value: &Value, exact: Option<&Exact>) -> Result<String, String> {
    let mut text = String::new();
    write_json(value, exact, &mut text, 0)?;
    Ok(text)
}

fn write_json(value: &Value, exact: Option<&Exact>, out: &mut String, depth: usize) -> Result<(), String> {
    if out.len() > RULE_TEXT_BYTES_MAX {
        return Err(format!("it is longer than {RULE_TEXT_BYTES_MAX} bytes"));
    }
    if depth > DEPTH_MAX {
        return Err(format!("it has more than {DEPTH_MAX} levels"));
    }
    match value.kind() {
        ValueKind::Undefined => return Err("something is missing in it".to_owned()),
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => out.push_str(&number_text(value, exact)?),
        ValueKind::String => out.push_str(&quote(value.as_str().unwrap_or_default())),
        ValueKind::Seq => {
            out.push('[');
            for (index, item) in value.try_iter().map_err(|_| "it is no list".to_owned())?.enumerate() {
                separate(out, index);
                write_json(&item, exact, out, depth + 1)?;
            }
            out.push(']');
        }
        ValueKind::Map => {
            out.push('{');
            for (index, key) in value.try_iter().map_err(|_| "it is no object".to_owned())?.enumerate() {
                separate(out, index);
                write!(out, "{}:", quote(key.as_str().unwrap_or_default())).expect("a string takes everything");
                let member = value.get_item(&key).map_err(|_| "it is no object".to_owned())?;
                write_json(&member, exact, out, depth + 1)?;
            }
            out.push('}');
        }
        _ => return Err("it is no value".to_owned()),
    }
    Ok(())
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}

fn number_text(value: &Value, exact: Option<&Exact>) -> Result<String, String> {
    if value.is_integer() {
        return Ok(value.to_string());
    }
    let number = f64::try_from(value.clone()).map_err(|_| "it is no number".to_owned())?;
    if let Some(text) = exact.and_then(|exact| exact.text(number)) {
        return Ok(text.to_owned());
    }
    serde_json::Number::from_f64(number)
        .map(|number| number.to_string())
        .ok_or_else(|| "it is no finite number".to_owned())
}

/// A value as text: a text as it is, everything else as JSON.
///
/// # Errors
/// A sentence for what is missing or null, or is no value.
pub(super) fn text(value: &Value, exact: Option<&Exact>) -> Result<String, String> {
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None if value.is_undefined() => Err("something is missing in it".to_owned()),
        None if value.is_none() => Err("something in it is null".to_owned()),
        None => json(value, exact),
    }
}

/// A JSON text as text; `None` for null.
pub(super) fn plain(json: &str) -> Option<String> {
    match json.trim_ascii_start().bytes().next() {
        Some(b'"') => serde_json::from_str(json).ok(),
        Some(b'n') => None,
        _ => Some(json.trim_ascii().to_owned()),
    }
}

/// Is a JSON text true, as conditions see it? Not: null, false, 0, and what is empty.
pub(super) fn is_true(json: &str) -> bool {
    let json = json.trim_ascii();
    match json.bytes().next() {
        Some(b'"') => json != "\"\"",
        Some(b'[' | b'{') => !json[1..json.len() - 1].trim_ascii().is_empty(),
        Some(b't') => true,
        Some(b'f' | b'n') | None => false,
        // A number is 0 if no digit before its exponent is another.
        Some(_) => json
            .bytes()
            .take_while(|byte| !matches!(byte, b'e' | b'E'))
            .any(|byte| (b'1'..=b'9').contains(&byte)),
    }
}
