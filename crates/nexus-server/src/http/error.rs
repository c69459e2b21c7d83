//! What a caller is told when something went wrong, and what only the log is told.
//!
//! # Shape
//! `{"code": int, "message", "error": "snake_case", "request_id", "errors"?, "retry_after"?, "global"?}`; on the routes of the
//! transparency contract `{"detail": sentence}` and nothing else, on those of the event hub `{"error", "message", "field"?}`, so that
//! two refusals for the same reason are the same bytes. The request id is filled in by [`super::Door::answer`], which also
//! logs a failure of ours, once, with its whole chain of causes.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use nexus_core::Error;
use nexus_store::StoreError;
use nexus_types::{ErrorCode, FieldErrors};
use serde_json::{Map, Value, json};

use super::limits::Exhausted;
use super::routes::Shape;

/// A failed request.
#[derive(Debug, Clone)]
pub struct ApiError(Arc<Fault>);

#[derive(Debug)]
enum Fault {
    Core(Error),
    Limited(Exhausted),
    /// The request ran longer than any may; its job goes on.
    TooSlow,
    Panicked,
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self(Arc::new(Fault::Core(error)))
    }
}

impl From<ErrorCode> for ApiError {
    fn from(code: ErrorCode) -> Self {
        Error::refused(code).into()
    }
}

impl From<FieldErrors> for ApiError {
    fn from(fields: FieldErrors) -> Self {
        Error::from(fields).into()
    }
}

impl From<Exhausted> for ApiError {
    fn from(exhausted: Exhausted) -> Self {
        Self(Arc::new(Fault::Limited(exhausted)))
    }
}

/// What a failure looks like from outside.
struct Words {
    status: StatusCode,
    code: u32,
    error: &'static str,
    message: &'static str,
    /// Milliseconds.
    retry_after_ms: Option<i64>,
}

const INTERNAL: Words = Words {
    status: StatusCode::INTERNAL_SERVER_ERROR,
    code: 0,
    error: "internal",
    message: "Something went wrong here. The server's operator finds it in the log by the request id.",
    retry_after_ms: None,
};
const STORAGE_FULL: Words = Words {
    status: StatusCode::INSUFFICIENT_STORAGE,
    code: 0,
    error: "storage_full",
    message: "The server's disk is full. Nothing was changed.",
    retry_after_ms: None,
};
const UNAVAILABLE: Words = Words {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: 0,
    error: "unavailable",
    message: "The server can't do this right now. Try again with the same nonce.",
    retry_after_ms: Some(1_000),
};

impl ApiError {
    /// The request ran longer than any may.
    pub fn too_slow() -> Self {
        Self(Arc::new(Fault::TooSlow))
    }

    /// The handler panicked.
    pub fn panicked() -> Self {
        Self(Arc::new(Fault::Panicked))
    }

    /// The refusal's code, if it is one.
    pub fn code(&self) -> Option<ErrorCode> {
        match &*self.0 {
            Fault::Core(error) => error.code(),
            Fault::Limited(_) => Some(ErrorCode::RateLimited),
            Fault::TooSlow | Fault::Panicked => None,
        }
    }

    fn words(&self) -> Words {
        let refused = |code: ErrorCode, retry_after_ms| Words {
            status: StatusCode::from_u16(code.status()).expect("a test of nexus-types holds every status"),
            code: code.number(),
            error: code.word(),
            message: code.message(),
            retry_after_ms,
        };
        match &*self.0 {
            Fault::Core(Error::Refused(refusal)) => refused(refusal.code, refusal.retry_after_ms),
            Fault::Limited(exhausted) => refused(ErrorCode::RateLimited, Some(exhausted.retry_after_ms())),
            Fault::Core(Error::Store(StoreError::Full)) => STORAGE_FULL,
            Fault::Core(Error::Store(
                StoreError::Lost { .. } | StoreError::QueueFull | StoreError::Unavailable | StoreError::Closed | StoreError::Timeout,
            ))
            | Fault::TooSlow => UNAVAILABLE,
            Fault::Core(Error::Store(_) | Error::Internal { .. }) | Fault::Panicked => INTERNAL,
        }
    }

    /// The chain of causes, for the log, if we are at fault.
    pub fn fault(&self) -> Option<String> {
        let error: &dyn std::error::Error = match &*self.0 {
            Fault::Core(Error::Refused(_)) | Fault::Limited(_) => return None,
            Fault::TooSlow => return Some("the request took too long".into()),
            Fault::Panicked => return Some("the handler panicked".into()),
            Fault::Core(error) => error,
        };
        let mut chain = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            chain.push_str(": ");
            chain.push_str(&cause.to_string());
            next = cause.source();
        }
        Some(chain)
    }

    /// Writes the answer's body and its headers.
    pub(super) fn render(&self, response: &mut Response, request_id: &str, shape: Shape) {
        let words = self.words();
        let fields = match &*self.0 {
            Fault::Core(Error::Refused(refusal)) => &refusal.fields,
            _ => &FieldErrors::default(),
        };
        let mut body = match shape {
            Shape::Discord => discord(&words, request_id, fields),
            Shape::Detail => json!({ "detail": detail(&words, fields) }),
            Shape::Hub => hub(self.code(), &words, fields),
        };
        if let Some(after_ms) = words.retry_after_ms {
            if shape == Shape::Discord {
                body["retry_after"] = json!(after_ms as f64 / 1_000.0);
            }
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(after_ms.max(0).cast_unsigned().div_ceil(1_000)));
        }
        if words.status == StatusCode::TOO_MANY_REQUESTS && shape == Shape::Discord {
            let global = matches!(&*self.0, Fault::Limited(exhausted) if exhausted.global);
            body["global"] = json!(global);
            if global {
                response
                    .headers_mut()
                    .insert("x-ratelimit-global", HeaderValue::from_static("true"));
            }
        }
        *response.status_mut() = words.status;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // Whoever refused may have announced an empty body.
        response.headers_mut().remove(CONTENT_LENGTH);
        *response.body_mut() = Body::from(body.to_string());
    }
}

fn discord(words: &Words, request_id: &str, fields: &FieldErrors) -> Value {
    let mut body = json!({ "code": words.code, "message": words.message, "error": words.error, "request_id": request_id });
    if !fields.0.is_empty() {
        body["errors"] = Value::Object(Map::clone(&fields.0));
    }
    body
}

/// Without a request id, which would make two answers differ; it stands in a header.
fn hub(code: Option<ErrorCode>, words: &Words, fields: &FieldErrors) -> Value {
    if code == Some(ErrorCode::InvalidEventType) {
        // Exactly this: the contract fixes it.
        return json!({ "error": words.error });
    }
    match first(fields) {
        Some((field, message)) if field != "_body" => {
            json!({ "error": words.error, "message": format!("{field}: {message}"), "field": field })
        }
        Some((_, message)) => json!({ "error": words.error, "message": message }),
        None => json!({ "error": words.error, "message": words.message }),
    }
}

/// One sentence: the first field that is wrong, or what is wrong as a whole.
fn detail(words: &Words, fields: &FieldErrors) -> String {
    match first(fields) {
        Some((field, message)) if field != "_body" => format!("{field}: {message}"),
        Some((_, message)) => message.to_owned(),
        None => words.message.to_owned(),
    }
}

/// The first field that is wrong, as `one.two`, and what is wrong with it.
fn first(fields: &FieldErrors) -> Option<(String, &str)> {
    let mut path = vec![];
    let mut at = &fields.0;
    while let Some((name, below)) = at.iter().next() {
        if name == "_errors" {
            let field = if path.is_empty() { "_body".to_owned() } else { path.join(".") };
            return Some((field, below[0]["message"].as_str()?));
        }
        path.push(name.as_str());
        at = below.as_object()?;
    }
    None
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.words().status;
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: impl Into<ApiError>, status: u16, word: &str, logged: bool) {
        let error = error.into();
        let words = error.words();
        assert_eq!(
            (words.status.as_u16(), words.error, error.fault().is_some()),
            (status, word, logged),
            "{error:?}"
        );
    }

    #[test]
    fn failures_are_told_apart_by_who_can_act() {
        check(ErrorCode::UnknownChannel, 404, "not_found", false);
        check(Error::from(StoreError::Full), 507, "storage_full", true);
        for error in [
            StoreError::Lost { reason: "x" },
            StoreError::QueueFull,
            StoreError::Unavailable,
            StoreError::Closed,
            StoreError::Timeout,
        ] {
            check(Error::from(error), 503, "unavailable", true);
        }
        check(Error::from(StoreError::Panicked), 500, "internal", true);
        check(Error::internal("count sheep", "they ran"), 500, "internal", true);
        check(ApiError::panicked(), 500, "internal", true);
    }

    fn on_the_hub(error: impl Into<ApiError>) -> (u16, String) {
        let mut response = Response::new(Body::empty());
        error.into().render(&mut response, "r1", Shape::Hub);
        let status = response.status().as_u16();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let body = runtime
            .block_on(axum::body::to_bytes(response.into_body(), 10_000))
            .expect("in memory");
        (status, String::from_utf8(body.to_vec()).expect("UTF-8"))
    }

    #[test]
    fn the_hub_has_a_shape_of_its_own() {
        let exactly = |text: &str| text.to_owned();
        assert_eq!(
            on_the_hub(ErrorCode::InvalidEventType),
            (400, exactly(r#"{"error":"Invalid event type"}"#))
        );
        let field = Error::Refused(nexus_core::errors::Refusal {
            code: ErrorCode::InvalidPayload,
            fields: FieldErrors::one("payload.amount", "INVALID", "This field is required."),
            retry_after_ms: None,
        });
        let (status, body) = on_the_hub(field);
        let body: Value = serde_json::from_str(&body).expect("JSON");
        let expected =
            json!({ "error": "invalid_payload", "message": "payload.amount: This field is required.", "field": "payload.amount" });
        assert_eq!((status, body), (400, expected));
        let (status, body) = on_the_hub(ErrorCode::InvalidSignature);
        assert!(status == 401 && !body.contains("r1"), "{body}");
    }

    #[test]
    fn the_chain_is_for_the_log_alone() {
        let error = ApiError::from(Error::internal("count sheep", "they ran"));
        assert_eq!(error.fault().expect("ours"), "could not count sheep: they ran");
        let mut response = Response::new(Body::empty());
        error.render(&mut response, "r1", Shape::Discord);
        assert_eq!(response.status(), 500);
    }
}
