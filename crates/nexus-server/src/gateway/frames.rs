//! The bytes of server frames: WebSocket header, payload, tail; made once for an event and shared by all who get it.

use bytes::Bytes;
use nexus_core::events;
use nexus_store::Entry;
use nexus_types::dispatches::{Dispatch, shared, tail};
use nexus_types::events::{BadEntry, Event, Kind};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

/// A text frame as it goes on the wire. A server does not mask, so the same bytes serve every socket.
pub(super) fn text(payload: impl Into<Bytes>) -> Bytes {
    let frame = Frame::message(payload, OpCode::Data(Data::Text), true);
    let mut bytes = Vec::with_capacity(frame.len());
    frame.format(&mut bytes).expect("a vector takes every byte");
    bytes.into()
}

/// A close frame.
pub(super) fn close(code: u16, reason: &'static str) -> Bytes {
    let frame = Frame::close(Some(CloseFrame {
        code: code.into(),
        reason: reason.into(),
    }));
    let mut bytes = Vec::with_capacity(frame.len());
    frame.format(&mut bytes).expect("a vector takes every byte");
    bytes.into()
}

/// An entry of the log, ready to be sent.
pub(super) struct Prepared {
    /// The entry as an event.
    pub(super) event: Event,
    /// Its shared dispatches.
    shared: Vec<Dispatch>,
    /// The whole frames of its shared dispatches, as the last dispatch of the entry.
    frames: Vec<Bytes>,
}

impl Prepared {
    pub(super) fn new(entry: &Entry) -> Result<Self, BadEntry> {
        let event = events::read(entry)?;
        let shared = shared(&event);
        let frames = shared.iter().map(|dispatch| text(dispatch.frame(entry.position))).collect();
        Ok(Self { event, shared, frames })
    }

    /// The shared dispatch as the last one of its entry: these bytes are everybody's.
    pub(super) fn last(&self, index: usize) -> Bytes {
        self.frames[index].clone()
    }

    /// The shared dispatch as one that others of its entry follow: it repeats the session's own `s`.
    pub(super) fn not_last(&self, index: usize, s: i64) -> Bytes {
        text(self.shared[index].frame(s))
    }
}

/// The frame of a sent message straight from its entry, without reading it: the hot path. `None` for other kinds.
pub(super) fn message_create(entry: &Entry) -> Option<Bytes> {
    const HEAD: &str = r#"{"t":"MESSAGE_CREATE","op":0,"d":"#;
    if entry.kind != Kind::MessageCreate as i64 {
        return None;
    }
    let tail = tail(entry.position);
    let mut payload = String::with_capacity(HEAD.len() + entry.body.len() + tail.len());
    payload.push_str(HEAD);
    payload.push_str(&entry.body);
    payload.push_str(&tail);
    Some(text(payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_and_the_long_way_give_the_same_bytes() {
        let entry = Entry {
            position: 7,
            at_ms: 0,
            kind: Kind::MessageCreate as i64,
            topic: 1,
            channel: 2,
            subject: 0,
            object: 3,
            body: r#"{"content":"hi"}"#.into(),
        };
        let long = Prepared::new(&entry).expect("it is read").last(0);
        assert_eq!(message_create(&entry), Some(long.clone()));
        assert!(long.ends_with(br#""s":7}"#));
    }
}
