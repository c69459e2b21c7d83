//! What expressions can do beyond MiniJinja's arithmetic: filters, tests, and the operators that must be bounded and strict.
//!
//! Every one takes time and memory in proportion to its arguments, and none makes a text longer than [`RULE_TEXT_BYTES_MAX`].

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use minijinja::value::{Object, ObjectRepr, Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior};
use nexus_types::limits::{RULE_STEPS_MAX, RULE_TEXT_BYTES_MAX};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::values::{self, Exact};

/// The filters, in the order in which they are listed.
pub(super) const FILTERS: &[&str] = &[
    "default",
    "lower",
    "upper",
    "trim",
    "replace",
    "truncate",
    "length",
    "first",
    "last",
    "join",
    "string",
    "int",
    "float",
    "abs",
    "round",
    "fixed",
    "isotime",
    "tojson",
    "urlencode",
];
/// The tests.
pub(super) const TESTS: &[&str] = &[
    "defined",
    "none",
    "boolean",
    "number",
    "integer",
    "string",
    "sequence",
    "mapping",
    "startingwith",
    "endingwith",
];

/// Decimal places that a number is written with, at most.
const PLACES_MAX: usize = 20;

/// What computes. It knows no templates and loads none.
pub(super) static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Lenient);
    engine.set_fuel(Some(RULE_STEPS_MAX));
    engine.add_global("nothing_", Value::from_object(Nothing));
    engine.add_function("same_", |one: &Value, other: &Value| present(one) == present(other));
    engine.add_function("in_", is_in);
    engine.add_function("order_", order);
    engine.add_function("plus_", plus);
    engine.add_function("minus_", |one: &Value, other: &Value| {
        computed("-", (one, other), i128::checked_sub, |one, other| one - other)
    });
    engine.add_function("times_", |one: &Value, other: &Value| {
        computed("*", (one, other), i128::checked_mul, |one, other| one * other)
    });
    engine.add_function("join_", |state: &State<'_, '_>, parts: Rest<Value>| join(state, &parts, ""));
    texts(&mut engine);
    numbers(&mut engine);
    tests(&mut engine);
    engine
});

/// What an `if` without `else` is when its condition is false: no text, and no member.
#[derive(Debug)]
pub(super) struct Nothing;

impl Object for Nothing {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        false
    }
}

fn texts(engine: &mut Environment<'static>) {
    engine.add_filter("default", |value: &Value, other: Value| match present(value) {
        Some(_) => value.clone(),
        None => other,
    });
    engine.add_filter("lower", |state: &State<'_, '_>, value: &Value| {
        bounded(text(state, value)?.to_lowercase())
    });
    engine.add_filter("upper", |state: &State<'_, '_>, value: &Value| {
        bounded(text(state, value)?.to_uppercase())
    });
    engine.add_filter("trim", |state: &State<'_, '_>, value: &Value| {
        bounded(text(state, value)?.trim().to_owned())
    });
    engine.add_filter("replace", replace);
    engine.add_filter("truncate", |state: &State<'_, '_>, value: &Value, chars: usize| {
        bounded(truncate(&text(state, value)?, chars))
    });
    engine.add_filter("length", |value: &Value| value.len().ok_or_else(|| unfit("length", value)));
    engine.add_filter("first", |value: &Value| end(value, true));
    engine.add_filter("last", |value: &Value| end(value, false));
    engine.add_filter("join", |state: &State<'_, '_>, list: &Value, between: Option<String>| {
        let parts: Vec<_> = items("join", list)?.collect();
        join(state, &parts, between.as_deref().unwrap_or_default())
    });
    engine.add_filter("string", |state: &State<'_, '_>, value: &Value| bounded(text(state, value)?));
    engine.add_filter("tojson", |state: &State<'_, '_>, value: &Value| bounded(json(state, value)?));
    engine.add_filter("urlencode", |state: &State<'_, '_>, value: &Value| {
        bounded(percent_encode(&text(state, value)?))
    });
}

fn numbers(engine: &mut Environment<'static>) {
    engine.add_filter("int", |value: &Value| match number("int", value)? {
        Number::Int(number) => Ok(Value::from(number)),
        // Floats as big as this have no decimals, and the conversion ends at the largest integer.
        Number::Float(number) => Ok(Value::from(number.trunc() as i128)),
    });
    engine.add_filter("float", |value: &Value| {
        Ok::<_, Error>(Value::from(number("float", value)?.float()))
    });
    engine.add_filter("abs", |value: &Value| match number("abs", value)? {
        Number::Int(number) => number.checked_abs().map(Value::from).ok_or_else(too_large),
        Number::Float(number) => Ok(Value::from(number.abs())),
    });
    engine.add_filter("round", |value: &Value, places: Option<usize>| {
        let text = fixed(number("round", value)?, places.unwrap_or(0))?;
        text.parse::<f64>().map(Value::from).map_err(|_| too_large())
    });
    engine.add_filter("fixed", |value: &Value, places: usize| {
        fixed(number("fixed", value)?, places).map(Value::from)
    });
    engine.add_filter("isotime", |value: &Value| {
        let Number::Int(ms) = number("isotime", value)? else {
            return Err(unfit("isotime", value));
        };
        let time = OffsetDateTime::from_unix_timestamp_nanos(ms.saturating_mul(1_000_000)).map_err(|_| unfit("isotime", value))?;
        time.format(&Rfc3339).map_err(|_| unfit("isotime", value))
    });
}

fn tests(engine: &mut Environment<'static>) {
    engine.add_test("defined", |value: &Value| !value.is_undefined());
    engine.add_test("none", |value: &Value| present(value).is_none());
    engine.add_test("boolean", |value: &Value| value.kind() == ValueKind::Bool);
    engine.add_test("number", |value: &Value| value.kind() == ValueKind::Number);
    engine.add_test("integer", Value::is_integer);
    engine.add_test("string", |value: &Value| value.as_str().is_some());
    engine.add_test("sequence", |value: &Value| value.kind() == ValueKind::Seq);
    engine.add_test("mapping", |value: &Value| value.kind() == ValueKind::Map);
    engine.add_test("startingwith", |value: &Value, start: &str| {
        value.as_str().is_some_and(|text| text.starts_with(start))
    });
    engine.add_test("endingwith", |value: &Value, end: &str| {
        value.as_str().is_some_and(|text| text.ends_with(end))
    });
}

fn error(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.into())
}

fn too_large() -> Error {
    error("a number is too large")
}

fn unfit(what: &str, value: &Value) -> Error {
    error(format!("`{what}` can't be used on {}", name(value)))
}

/// What a value is, in words.
fn name(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "what is missing",
        ValueKind::None => "null",
        ValueKind::Bool => "true or false",
        ValueKind::Number => "a number",
        ValueKind::String => "a text",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map => "an object",
        _ => "nothing",
    }
}

/// The value, unless it is missing, null or nothing.
fn present(value: &Value) -> Option<&Value> {
    let is_absent = value.is_undefined() || value.is_none() || value.downcast_object_ref::<Nothing>().is_some();
    (!is_absent).then_some(value)
}

fn bounded(text: String) -> Result<Value, Error> {
    if text.len() > RULE_TEXT_BYTES_MAX {
        return Err(too_long());
    }
    Ok(Value::from(text))
}

fn too_long() -> Error {
    error(format!("a text is longer than {RULE_TEXT_BYTES_MAX} bytes"))
}

fn exact(state: &State<'_, '_>) -> Option<Arc<Exact>> {
    state.lookup("exact_")?.downcast_object()
}

fn text(state: &State<'_, '_>, value: &Value) -> Result<String, Error> {
    if value.downcast_object_ref::<Nothing>().is_some() {
        return Ok(String::new());
    }
    values::text(value, exact(state).as_deref()).map_err(error)
}

fn json(state: &State<'_, '_>, value: &Value) -> Result<String, Error> {
    values::json(value, exact(state).as_deref()).map_err(error)
}

fn items(what: &str, list: &Value) -> Result<impl Iterator<Item = Value>, Error> {
    if list.kind() != ValueKind::Seq {
        return Err(unfit(what, list));
    }
    list.try_iter()
}

fn end(value: &Value, is_first: bool) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        let mut characters = text.chars();
        let found = if is_first { characters.next() } else { characters.next_back() };
        return Ok(found.map_or(Value::UNDEFINED, Value::from));
    }
    let mut items = items(if is_first { "first" } else { "last" }, value)?;
    Ok(if is_first { items.next() } else { items.last() }.unwrap_or(Value::UNDEFINED))
}

fn join(state: &State<'_, '_>, parts: &[Value], between: &str) -> Result<Value, Error> {
    let mut all = String::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            all.push_str(between);
        }
        all.push_str(&text(state, part)?);
        if all.len() > RULE_TEXT_BYTES_MAX {
            return Err(too_long());
        }
    }
    Ok(Value::from(all))
}

fn replace(state: &State<'_, '_>, value: &Value, old: &str, new: &str) -> Result<Value, Error> {
    let text = text(state, value)?;
    if old.is_empty() {
        return Err(error("`replace` can't replace an empty text"));
    }
    let bytes = text.len() + text.matches(old).count().saturating_mul(new.len());
    if bytes > 2 * RULE_TEXT_BYTES_MAX {
        return Err(too_long());
    }
    bounded(text.replace(old, new))
}

fn truncate(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(chars.saturating_sub(1)).collect();
    if chars > 0 {
        short.push('…');
    }
    short
}

/// Everything but letters, digits and `-._~`.
///
/// # Source
/// RFC 3986 §2.3
pub(super) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a string takes everything");
        }
    }
    encoded
}

/// A number of either kind.
#[derive(Clone, Copy)]
enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    fn float(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

/// A number, or a text that is one.
fn number(what: &str, value: &Value) -> Result<Number, Error> {
    if let Some(number) = plain_number(value) {
        return Ok(number);
    }
    let text = value.as_str().map(str::trim).ok_or_else(|| unfit(what, value))?;
    if let Ok(number) = text.parse() {
        return Ok(Number::Int(number));
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Number::Float(number)),
        _ => Err(error(format!("`{what}` can't be used on a text that is no number"))),
    }
}

fn plain_number(value: &Value) -> Option<Number> {
    if value.kind() != ValueKind::Number {
        return None;
    }
    if value.is_integer() {
        return i128::try_from(value.clone()).ok().map(Number::Int);
    }
    f64::try_from(value.clone()).ok().map(Number::Float)
}

fn fixed(number: Number, places: usize) -> Result<String, Error> {
    if places > PLACES_MAX {
        return Err(error(format!("a number has at most {PLACES_MAX} decimal places")));
    }
    Ok(match number {
        Number::Int(number) if places == 0 => number.to_string(),
        Number::Int(number) => format!("{number}.{}", "0".repeat(places)),
        Number::Float(number) => format!("{number:.places$}"),
    })
}

/// Of two numbers: whole if both are, else of double precision.
fn computed(
    operator: &str,
    (one, other): (&Value, &Value),
    whole: impl Fn(i128, i128) -> Option<i128>,
    double: impl Fn(f64, f64) -> f64,
) -> Result<Value, Error> {
    match (plain_number(one), plain_number(other)) {
        (Some(Number::Int(one)), Some(Number::Int(other))) => whole(one, other).map(Value::from).ok_or_else(too_large),
        (Some(one), Some(other)) => Ok(Value::from(double(one.float(), other.float()))),
        (None, _) => Err(unfit(operator, one)),
        (_, None) => Err(unfit(operator, other)),
    }
}

/// Of two numbers or two texts.
fn plus(one: &Value, other: &Value) -> Result<Value, Error> {
    match (one.as_str(), other.as_str()) {
        (Some(start), Some(_)) if start.len() > RULE_TEXT_BYTES_MAX => Err(too_long()),
        (Some(start), Some(rest)) => bounded(format!("{start}{rest}")),
        _ => computed("+", (one, other), i128::checked_add, |one, other| one + other),
    }
}

/// Numbers and numbers, or texts and texts. What is missing is neither smaller nor larger.
fn order(one: &Value, operator: &str, other: &Value) -> Result<bool, Error> {
    if present(one).is_none() || present(other).is_none() {
        return Ok(false);
    }
    let order = match (plain_number(one), plain_number(other), one.as_str(), other.as_str()) {
        (Some(Number::Int(one)), Some(Number::Int(other)), ..) => Some(one.cmp(&other)),
        (Some(one), Some(other), ..) => one.float().partial_cmp(&other.float()),
        (_, _, Some(one), Some(other)) => Some(one.cmp(other)),
        _ => {
            let reason = format!("`{operator}` can't compare {} with {}", name(one), name(other));
            return Err(error(reason));
        }
    };
    Ok(order.is_some_and(|order| match operator {
        "<" => order == Ordering::Less,
        "<=" => order != Ordering::Greater,
        ">" => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }))
}

/// A text in a text, a value in a list, a key in an object.
fn is_in(one: &Value, other: &Value) -> Result<bool, Error> {
    if present(one).is_none() || present(other).is_none() {
        return Ok(false);
    }
    match (one.as_str(), other.as_str(), other.kind()) {
        (Some(part), Some(whole), _) => Ok(whole.contains(part)),
        (_, _, ValueKind::Seq) => Ok(other.try_iter()?.any(|item| item == *one)),
        (Some(_), _, ValueKind::Map) => Ok(!other.get_item(one)?.is_undefined()),
        _ => Err(error(format!("{} can't be in {}", name(one), name(other)))),
    }
}
