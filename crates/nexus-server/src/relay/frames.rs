//! The text of frames, in and out.
//!
//! An envelope is ciphertext for the relay: only `from` and `to` are looked at. It has exactly three members, each once: a reader that
//! takes the last of two `from`, or `From` for `from`, must not see another sender than the one that was checked.
//!
//! # Invariant
//! Nothing here has a `Debug` or an error that could show what somebody sent.

use std::borrow::Cow;

use nexus_crypto::keys::Signature;
use nexus_crypto::registrations::ID_BYTES_MAX;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A client's frame.
pub(super) enum Frame<'a> {
    /// `{"from","to","payload"}`
    Envelope {
        /// Who says it is from them.
        from: Cow<'a, str>,
        /// Whom it is for; an id by its grammar.
        to: Cow<'a, str>,
    },
    /// `{"type":"ping"}`
    Ping,
    /// `{"type":"auth"}`
    Auth(Auth<'a>),
    /// `{"type":"listen","ids"}`, ids by their grammar.
    Listen(Vec<Cow<'a, str>>),
}

/// The proof of an id.
pub(super) struct Auth<'a> {
    /// Which; the session's own if absent.
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) shown: Shown,
}

/// What was shown as a proof.
pub(super) enum Shown {
    Signature(Box<Signature>),
    Secret(Vec<u8>),
}

/// A session id: 1 to 255 bytes of `[A-Za-z0-9:._@%-]`, the grammar of ids in the log. It never needs escapes in JSON.
pub(super) fn is_id(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b":._@%-".contains(&byte);
    (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(good)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    from: Cow<'a, str>,
    #[serde(borrow)]
    to: Cow<'a, str>,
    #[serde(rename = "payload")]
    _payload: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Typed<'a> {
    Ping,
    Auth {
        #[serde(borrow)]
        id: Option<Cow<'a, str>>,
        signature: Option<Signature>,
        #[serde(borrow)]
        secret: Option<Cow<'a, str>>,
    },
    Listen {
        #[serde(borrow)]
        ids: Vec<Cow<'a, str>>,
    },
}

/// Reads a client's frame; `None` if it is none.
pub(super) fn read(text: &str) -> Option<Frame<'_>> {
    // Serde also takes a list for a struct, field by field; a frame is always an object.
    if !text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{') {
        return None;
    }
    if let Ok(Envelope { from, to, .. }) = serde_json::from_str(text) {
        return is_id(&to).then_some(Frame::Envelope { from, to });
    }
    match serde_json::from_str(text).ok()? {
        Typed::Ping => Some(Frame::Ping),
        Typed::Auth { id, signature, secret } => {
            let shown = match (signature, secret) {
                (Some(signature), None) => Shown::Signature(Box::new(signature)),
                (None, Some(secret)) => Shown::Secret(decode(&secret)?),
                _ => return None,
            };
            Some(Frame::Auth(Auth { id, shown }))
        }
        Typed::Listen { ids } => ids.iter().all(|id| is_id(id)).then_some(Frame::Listen(ids)),
    }
}

/// Padded standard base64, strictly.
fn decode(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// Padded standard base64.
pub(super) fn encode(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

// ── What the relay says. Ids need no escapes. ───────────────────────────────────────────────────────────────────────────────

/// The answer to a ping.
pub(super) fn pong(now_ms: i64) -> String {
    format!(r#"{{"type":"pong","timestamp":{now_ms}}}"#)
}

/// An error without further words.
pub(super) fn error(word: &str) -> String {
    format!(r#"{{"type":"error","error":"{word}"}}"#)
}

/// An error about one of the ids that a session wants.
pub(super) fn error_about(word: &str, id: &str) -> String {
    assert!(is_id(id), "it was read as an id");
    format!(r#"{{"type":"error","error":"{word}","id":"{id}"}}"#)
}

/// Nobody is there.
pub(super) fn undeliverable(to: &str) -> String {
    assert!(is_id(to), "it was read as an id");
    format!(r#"{{"type":"error","error":"undeliverable","to":"{to}"}}"#)
}

/// What is to be signed, for the session's own id, or for one that it wants to listen to.
pub(super) fn challenge(id: Option<&str>, nonce: &[u8; 32]) -> String {
    let nonce = encode(nonce);
    match id {
        None => format!(r#"{{"type":"challenge","nonce":"{nonce}"}}"#),
        Some(id) => format!(r#"{{"type":"challenge","id":"{id}","nonce":"{nonce}"}}"#),
    }
}

/// The session's own id is proven and its own.
pub(super) fn ready(id: &str) -> String {
    format!(r#"{{"type":"ready","session_id":"{id}"}}"#)
}

/// The session also has this id now.
pub(super) fn listening(id: &str) -> String {
    format!(r#"{{"type":"listening","id":"{id}"}}"#)
}

/// Another session has proven this id, and has it now.
pub(super) fn lost(id: &str) -> String {
    format!(r#"{{"type":"lost","id":"{id}"}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> &'static str {
        match read(text) {
            None => "none",
            Some(Frame::Envelope { .. }) => "envelope",
            Some(Frame::Ping) => "ping",
            Some(Frame::Auth(_)) => "auth",
            Some(Frame::Listen(_)) => "listen",
        }
    }

    #[test]
    fn a_frame_is_what_it_says_or_nothing() {
        let signature = encode(&[1; 64]);
        let auth = format!(r#"{{"type":"auth","signature":"{signature}"}}"#);
        let both = format!(r#"{{"type":"auth","signature":"{signature}","secret":"AAAA"}}"#);
        for (text, expected) in [
            (r#"{"from":"a","to":"b","payload":"x"}"#, "envelope"),
            (" \r\n\t{\"payload\":{\"a\":[1,null]},\n\"to\":\"b\",\"from\":\"a\"}\n", "envelope"),
            (r#"{"\u0066rom":"a","to":"b","payload":null}"#, "envelope"),
            (r#"{"type":"ping"}"#, "ping"),
            (r#"{"type":"ping","at":1}"#, "ping"),
            (&auth, "auth"),
            (r#"{"type":"auth","secret":"AAAA"}"#, "auth"),
            (r#"{"type":"auth","id":"h-1","secret":"AAAA"}"#, "auth"),
            (r#"{"type":"listen","ids":["a","b"]}"#, "listen"),
            // Whoever reads the last of two, or in any case, must not be told another sender.
            (r#"{"from":"a","from":"c","to":"b","payload":1}"#, "none"),
            (r#"{"from":"a","\u0066rom":"c","to":"b","payload":1}"#, "none"),
            (r#"{"from":"a","From":"c","to":"b","payload":1}"#, "none"),
            (r#"{"from":"a","to":"b","payload":1,"payload":2}"#, "none"),
            // What the relay itself says can't be said by another.
            (r#"{"type":"challenge","from":"a","to":"b","payload":1}"#, "none"),
            (r#"{"from":"a","to":"b"}"#, "none"),
            (r#"{"from":1,"to":"b","payload":1}"#, "none"),
            (r#"{"from":"a","to":"b c","payload":1}"#, "none"),
            (r#"{"from":"a","to":"","payload":1}"#, "none"),
            (r#"{"from":"a","to":"b","payload":1}x"#, "none"),
            (r#"["a","b",1]"#, "none"),
            (r#""ping""#, "none"),
            ("", "none"),
            ("{", "none"),
            (r#"{"type":"pong"}"#, "none"),
            (r#"{"type":"auth"}"#, "none"),
            (&both, "none"),
            (r#"{"type":"auth","signature":"AAAA"}"#, "none"),
            (r#"{"type":"auth","secret":"AAA"}"#, "none"),
            (r#"{"type":"listen","ids":["a b"]}"#, "none"),
            (r#"{"type":"listen","ids":"a"}"#, "none"),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }

    #[test]
    fn a_payload_may_nest_as_it_likes() {
        let deep = "[".repeat(60_000) + &"]".repeat(60_000);
        assert_eq!(kind(&format!(r#"{{"from":"a","to":"b","payload":{deep}}}"#)), "envelope");
        assert_eq!(kind(&format!(r#"{{"type":"ping","x":{deep}}}"#)), "none");
    }

    #[test]
    fn what_the_relay_says_is_json() {
        let id = "did:nexo:a%20@b._-";
        for text in [
            pong(7),
            error("invalid_frame"),
            error_about("unprovable", id),
            undeliverable(id),
            challenge(None, &[0; 32]),
            challenge(Some(id), &[0; 32]),
            ready(id),
            listening(id),
            lost(id),
        ] {
            let value: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
            assert!(value["type"].is_string());
        }
    }
}
