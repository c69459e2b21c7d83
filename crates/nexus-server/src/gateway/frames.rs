//! The bytes of dispatches: WebSocket header, payload, tail; made once for an event and shared by all who get it.

use bytes::Bytes;
use nexus_core::events;
use nexus_store::Entry;
use nexus_types::dispatches::{Dispatch, Piece, shared, tail};
use nexus_types::events::{BadEntry, Event, Kind};

pub(super) use crate::websockets::frames::text;

/// An entry of the log, ready to be sent.
pub(super) struct Prepared {
    /// The entry as an event.
    pub(super) event: Event,
    position: i64,
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
        Ok(Self {
            event,
            position: entry.position,
            shared,
            frames,
        })
    }

    /// The frames of an entry's dispatches for one session, each with the number that the session stands at after it.
    ///
    /// All but the last repeat the session's own `before`, so that a cut between them replays all. The bytes of a shared dispatch that
    /// is the last are everybody's.
    pub(super) fn frames_for(&self, pieces: &[Piece], before: i64) -> impl Iterator<Item = (Bytes, i64)> {
        pieces.iter().enumerate().map(move |(index, piece)| {
            let is_last = index + 1 == pieces.len();
            let s = if is_last { self.position } else { before };
            let frame = match piece {
                Piece::Shared(index) if is_last => self.frames[*index].clone(),
                Piece::Shared(index) => text(self.shared[*index].frame(s)),
                Piece::Own(dispatch) => text(dispatch.frame(s)),
            };
            (frame, s)
        })
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
        let prepared = Prepared::new(&entry).expect("it is read");
        let (long, s) = prepared.frames_for(&[Piece::Shared(0)], 5).next().expect("one frame");
        assert_eq!(s, 7);
        assert_eq!(message_create(&entry), Some(long.clone()));
        assert!(long.ends_with(br#""s":7}"#));
    }

    #[test]
    fn only_the_last_dispatch_of_an_entry_moves_the_number() {
        let entry = Entry {
            position: 9,
            at_ms: 0,
            kind: Kind::GuildDelete as i64,
            topic: 1,
            channel: 0,
            subject: 0,
            object: 1,
            body: "{}".into(),
        };
        let prepared = Prepared::new(&entry).expect("it is read");
        let own = Dispatch {
            name: "OWN",
            data: "{}".into(),
        };
        let pieces = [Piece::Own(own), Piece::Shared(0), Piece::Shared(0)];
        let ends: Vec<_> = prepared
            .frames_for(&pieces, 4)
            .map(|(frame, s)| (frame[frame.len() - 6..].to_vec(), s))
            .collect();
        let end = |s: i64| (format!("\"s\":{s}}}").into_bytes(), s);
        assert_eq!(ends, [end(4), end(4), end(9)]);
    }
}
