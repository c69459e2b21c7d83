//! JSON in and out: the one place that reads a request's body.
//!
//! # Errors
//! 415 for another content type, 413 beyond the limit (also without a length), 408 for a body that never ends, 400 `invalid_json`
//! for what is no JSON, repeats a key or nests too deeply, and 400 with code 50035 and the field's name for JSON of another shape.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt as _;
use nexus_types::limits::{BODY_BYTES_MAX, BODY_MS_MAX, JSON_DEPTH_MAX};
use nexus_types::{ErrorCode, FieldErrors};
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, Serialize};

use super::Node;
use super::error::ApiError;

/// A JSON body, read or to be written with status 200.
#[derive(Debug)]
pub(super) struct Json<T>(pub T);

/// A JSON body that may be absent.
#[derive(Debug)]
pub(super) struct OptionalJson<T>(pub T);

/// A JSON body with status 201.
#[derive(Debug)]
pub(super) struct Created<T>(pub T);

/// Status 204, without a content type.
#[derive(Debug)]
pub(super) struct NoContent;

/// Routes whose bodies are JSON and say so.
pub(super) trait TakesJson: Send + Sync {}

impl TakesJson for Node {}

impl<T: DeserializeOwned, S: TakesJson> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        require_json(request.headers())?;
        parse(&read(request.into_body(), BODY_BYTES_MAX).await?).map(Self)
    }
}

impl<T: DeserializeOwned + Default> FromRequest<Node> for OptionalJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &Node) -> Result<Self, ApiError> {
        if request.body().is_end_stream() {
            return Ok(Self(T::default()));
        }
        let is_json = require_json(request.headers());
        let bytes = read(request.into_body(), BODY_BYTES_MAX).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        is_json?;
        parse(&bytes).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        write(StatusCode::OK, &self.0)
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        write(StatusCode::CREATED, &self.0)
    }
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

/// Writes a value with a status.
pub(crate) fn write(status: StatusCode, value: &impl Serialize) -> Response {
    let mut bytes = Vec::with_capacity(512);
    serde_json::to_writer(&mut bytes, value).expect("our shapes have string keys and no failing parts");
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    // Exactly this: with a charset, discord.py takes the body for text.
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The content type is JSON, with or without parameters.
fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(ErrorCode::UnsupportedMediaType.into())
    }
}

/// Reads a whole body within a limit of size and that of time.
pub(crate) async fn read(body: Body, bytes_max: usize) -> Result<Bytes, ApiError> {
    let limit = Duration::from_millis(BODY_MS_MAX.cast_unsigned());
    tokio::time::timeout(limit, collect(body, bytes_max))
        .await
        .unwrap_or_else(|_| Err(ErrorCode::RequestTimeout.into()))
}

async fn collect(mut body: Body, bytes_max: usize) -> Result<Bytes, ApiError> {
    if body.size_hint().lower() > bytes_max as u64 {
        discard(body).await;
        return Err(ErrorCode::PayloadTooLarge.into());
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // A client that went away reads no answer; what it left is no JSON.
        let frame = frame.map_err(|_| ApiError::from(ErrorCode::InvalidJson))?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > bytes_max {
            discard(body).await;
            return Err(ErrorCode::PayloadTooLarge.into());
        }
        if whole.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// Reads on for a moment, so that a client that is still sending gets to read the answer instead of a reset.
async fn discard(mut body: Body) {
    let mut left = 8 * BODY_BYTES_MAX;
    let drain = async {
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    // Whether it was drained or gave up makes no difference to the answer.
    drop(tokio::time::timeout(Duration::from_secs(2), drain).await);
}

/// Is it JSON in which no object repeats a key and nothing nests too deeply?
///
/// # Errors
/// [`ErrorCode::InvalidJson`].
pub(super) fn strict(bytes: &[u8]) -> Result<(), ErrorCode> {
    let mut strict = serde_json::Deserializer::from_slice(bytes);
    Strict(JSON_DEPTH_MAX)
        .deserialize(&mut strict)
        .and_then(|()| strict.end())
        .map_err(|_| ErrorCode::InvalidJson)
}

/// Parses a body: first as JSON at all, strictly, then as the wanted shape.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    strict(bytes)?;
    // Serde also takes a list for a struct, field by field; a body is always an object.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(FieldErrors::one("_body", "OBJECT_TYPE_CONVERT", "The body must be an object.").into());
    }
    serde_json::from_slice(bytes).map_err(|error| field_error(bytes, &error).into())
}

/// Any JSON value in which no object repeats a key and nothing nests deeper than the number of levels left.
struct Strict(usize);

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// A key that may have escapes in it.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();
    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let below = self.0.checked_sub(1).ok_or_else(|| A::Error::custom("too deep"))?;
        while list.next_element_seed(Self(below))?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let below = self.0.checked_sub(1).ok_or_else(|| A::Error::custom("too deep"))?;
        // Real bodies have a handful of keys, which a walk compares faster than a hash; a hostile one is hashed.
        let mut few: Vec<Cow<'de, str>> = Vec::new();
        let mut many = std::collections::HashSet::new();
        while let Some(key) = object.next_key_seed(Key)? {
            let fresh = if few.len() < 16 {
                !few.contains(&key)
            } else {
                !few.contains(&key) && !many.contains(&key)
            };
            if !fresh {
                return Err(A::Error::custom("a key twice"));
            }
            if few.len() < 16 {
                few.push(key);
            } else {
                many.insert(key);
            }
            object.next_value_seed(Self(below))?;
        }
        Ok(())
    }
}

/// Names the field that serde stumbled over. The words never repeat what the client sent.
fn field_error(bytes: &[u8], error: &serde_json::Error) -> FieldErrors {
    let said = error.to_string();
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    let mut path = path_at(bytes, offset(bytes, error.line(), error.column()));
    if let Some(field) = said.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        path.pop();
        path.push(field.to_owned());
        return FieldErrors::one(&path.join("."), "BASE_TYPE_REQUIRED", "This field is required.");
    }
    let field = if path.is_empty() { "_body".to_owned() } else { path.join(".") };
    match said.rsplit_once(", expected ") {
        Some((_, wanted)) => FieldErrors::one(&field, "BASE_TYPE_CONVERT", format!("Must be {wanted}.")),
        None => FieldErrors::one(&field, "BASE_TYPE_INVALID", "This value is not valid."),
    }
}

/// Serde counts lines and columns from 1, columns in bytes.
fn offset(bytes: &[u8], line: usize, column: usize) -> usize {
    let start: usize = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    (start + column).saturating_sub(1)
}

/// The keys and indexes that lead to the byte at `end` of JSON known to be valid.
fn path_at(bytes: &[u8], end: usize) -> Vec<String> {
    enum Level {
        Object { key: String, before_key: bool },
        List { index: usize },
    }
    let mut levels: Vec<Level> = vec![];
    let mut at = 0;
    while at < end.min(bytes.len()) {
        match bytes[at] {
            b'{' => levels.push(Level::Object {
                key: String::new(),
                before_key: true,
            }),
            b'[' => levels.push(Level::List { index: 0 }),
            b'}' | b']' => drop(levels.pop()),
            b',' => match levels.last_mut() {
                Some(Level::Object { before_key, .. }) => *before_key = true,
                Some(Level::List { index }) => *index += 1,
                None => {}
            },
            b'"' => {
                let start = at;
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                if let Some(Level::Object { key, before_key }) = levels.last_mut()
                    && *before_key
                {
                    let quoted = bytes.get(start..=at).unwrap_or_default();
                    *key = serde_json::from_slice(quoted).unwrap_or_default();
                    *before_key = false;
                }
            }
            _ => {}
        }
        at += 1;
    }
    let name = |level| match level {
        Level::Object { key, .. } => key,
        Level::List { index } => index.to_string(),
    };
    levels.into_iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only whether it parses matters")]
    struct Draft {
        name: String,
        #[serde(default)]
        position: Option<i64>,
        #[serde(default)]
        parts: Vec<Part>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only whether it parses matters")]
    struct Part {
        id: nexus_types::ids::RoleId,
        allow: bool,
    }

    fn code(text: &str) -> Option<ErrorCode> {
        parse::<Draft>(text.as_bytes())
            .map_err(|error| error.code().expect("a refusal"))
            .err()
    }

    #[test]
    fn what_is_no_strict_json_is_invalid_json() {
        let deep = |levels: usize| format!(r#"{{"name":"x","extra":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
        let many = (0..40).fold(String::new(), |all, index| all + &format!(r#""k{index}":1,"#));
        for bad in [
            "",
            "{",
            "nope",
            r#"{"name":"x"} trailing"#,
            r#"{"name":"x","name":"y"}"#,
            r#"{"name":"x","extra":{"a":1,"\u0061":2}}"#,
            r#"{"name":"\ud800"}"#,
            r#"{"name":"x","position":1e999}"#,
            &deep(32),
            &deep(10_000),
            &format!(r#"{{{many}"k39":2,"name":"x"}}"#),
        ] {
            assert_eq!(code(bad), Some(ErrorCode::InvalidJson), "{bad}");
        }
        assert_eq!(
            parse::<Draft>(b"{\"name\":\"\xff\"}").expect_err("no UTF-8").code(),
            Some(ErrorCode::InvalidJson)
        );
        for good in [r#" {"name":"x","is_admin":true} "#, &deep(31), &format!(r#"{{{many}"name":"x"}}"#)] {
            assert_eq!(code(good), None, "{good}");
        }
    }

    #[test]
    fn json_of_another_shape_names_the_field() {
        for (bad, path, kind) in [
            (r#"{"position":1}"#, "/name/_errors/0/code", "BASE_TYPE_REQUIRED"),
            ("{\n \"position\": 1\n}", "/name/_errors/0/code", "BASE_TYPE_REQUIRED"),
            (r#"{"name":5}"#, "/name/_errors/0/code", "BASE_TYPE_CONVERT"),
            (r#"{"name": 5, "position":1}"#, "/name/_errors/0/code", "BASE_TYPE_CONVERT"),
            (r#"{"name":"a","position":"5"}"#, "/position/_errors/0/code", "BASE_TYPE_CONVERT"),
            (
                "{\"name\":\"a\\\"b\",\n\"position\":{\"x\":1}}",
                "/position/_errors/0/code",
                "BASE_TYPE_CONVERT",
            ),
            (
                r#"{"name":"a","parts":[{"id":"1","allow":true},{"id":"x","allow":true}]}"#,
                "/parts/1/id/_errors/0/code",
                "BASE_TYPE_INVALID",
            ),
            (
                r#"{"name":"a","parts":[{"id":"1"}]}"#,
                "/parts/0/allow/_errors/0/code",
                "BASE_TYPE_REQUIRED",
            ),
            ("[]", "/_body/_errors/0/code", "OBJECT_TYPE_CONVERT"),
            ("null", "/_body/_errors/0/code", "OBJECT_TYPE_CONVERT"),
        ] {
            let error = parse::<Draft>(bad.as_bytes()).expect_err("another shape");
            let mut response = Response::new(Body::empty());
            error.render(&mut response, "r", super::super::routes::Shape::Discord);
            let body = serde_json::from_slice::<Value>(&body_of(response)).expect("JSON");
            assert_eq!(
                (body["code"].as_u64(), body["errors"].pointer(path)),
                (Some(50035), Some(&json!(kind))),
                "{bad}: {body}"
            );
        }
    }

    #[test]
    fn the_words_never_repeat_what_was_sent() {
        let error = parse::<Draft>(br#"{"name":"a","position":"hunter2"}"#).expect_err("another shape");
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    fn body_of(response: Response) -> Bytes {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(response.into_body().collect()).expect("in memory").to_bytes()
    }
}
