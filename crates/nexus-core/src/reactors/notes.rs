//! What the delivery log keeps of a request and its answer: shortened, and without secrets.

use std::collections::BTreeMap;

use nexus_types::limits::ATTEMPT_BODY_BYTES_MAX;
use serde::Serialize;

use super::Work;
use crate::outbound::{Answer, Call};

/// Headers of an answer that are kept, at most, and bytes of each.
const HEADERS_MAX: usize = 40;
const HEADER_BYTES_MAX: usize = 512;
/// Bytes of an answer that are looked at: of what is kept, none is so near to the end of these that a secret could be cut in two there.
const LOOKED_AT_BYTES: usize = 64 * 1024;
/// What stands for a secret.
const HIDDEN: &str = "•••";

/// # Shape
/// `{"method", "url", "headers": {name: value}, "body"}`
#[derive(Serialize)]
pub(crate) struct RequestNote {
    /// `GET`, `POST` …
    pub(crate) method: String,
    /// Where to.
    pub(crate) url: String,
    /// Without those that prove who asks.
    pub(crate) headers: BTreeMap<String, String>,
    /// Its beginning.
    pub(crate) body: String,
}

/// # Shape
/// `{"status", "headers": {name: value}, "body"}`
#[derive(Serialize)]
pub(crate) struct AnswerNote {
    /// The status.
    pub(crate) status: u16,
    /// The first of each name.
    pub(crate) headers: BTreeMap<String, String>,
    /// Its beginning.
    pub(crate) body: String,
}

/// The beginning of a text of which there were so many bytes in all, and that there was more.
fn cut(text: &str, bytes_max: usize, in_all: usize) -> String {
    if text.len() <= bytes_max && in_all <= LOOKED_AT_BYTES {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes_max);
    format!("{}… ({in_all} bytes in all)", &text[..end])
}

fn redact(work: &Work, text: &str) -> String {
    match work {
        Work::Rule(rule) => rule.redact(text),
        Work::Webhook(_) => text.to_owned(),
    }
}

fn headers(work: &Work, headers: &[(String, String)]) -> BTreeMap<String, String> {
    let shown = match work {
        Work::Rule(rule) => rule.redact_headers(headers),
        Work::Webhook(_) => headers.to_vec(),
    };
    let hide = |name: &str, value: String| if name == "set-cookie" { HIDDEN.to_owned() } else { value };
    let mut kept = BTreeMap::new();
    for (name, value) in shown.into_iter().take(HEADERS_MAX) {
        let name = name.to_ascii_lowercase();
        let value = hide(&name, cut(&value, HEADER_BYTES_MAX, value.len()));
        kept.entry(name).or_insert(value);
    }
    kept
}

/// The note of a request, as JSON.
pub(crate) fn request(work: &Work, call: &Call) -> String {
    let body = redact(work, &String::from_utf8_lossy(&call.body));
    let note = RequestNote {
        method: call.method.as_str().to_owned(),
        url: redact(work, &call.url),
        headers: headers(work, &call.headers),
        body: cut(&body, ATTEMPT_BODY_BYTES_MAX, call.body.len()),
    };
    serde_json::to_string(&note).expect("texts serialise")
}

/// The note of an answer, as JSON.
pub(crate) fn answer(work: &Work, answer: &Answer) -> String {
    let body = redact(
        work,
        &String::from_utf8_lossy(&answer.body[..answer.body.len().min(LOOKED_AT_BYTES)]),
    );
    let note = AnswerNote {
        status: answer.status,
        headers: headers(work, &answer.headers),
        body: cut(&body, ATTEMPT_BODY_BYTES_MAX, answer.body.len()),
    };
    serde_json::to_string(&note).expect("texts serialise")
}
