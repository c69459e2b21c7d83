//! What the hub says on a stream, and how it is read. A frame that is not understood is passed over, so that a newer hub can say more.

use nexus_types::hub::HubEvent;
use serde::{Deserialize, Serialize};

/// Some of what was asked for is gone, or the hub does not know the position: it was restored from a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// What was asked for.
    pub since: i64,
    /// Where the hub stands.
    pub position: i64,
}

/// The command that begins a stream.
#[derive(Serialize)]
pub(crate) struct Subscribe<'a> {
    pub(crate) action: &'static str,
    pub(crate) events: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<i64>,
}

/// One text frame.
#[derive(Debug)]
pub(crate) enum Frame {
    Event(HubEvent),
    Status(Status),
    Other,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(crate) enum Status {
    Subscribed {
        position: i64,
        #[serde(default)]
        gap: bool,
        #[serde(default, rename = "invalidEvents")]
        unknown: Vec<String>,
    },
    CaughtUp {
        position: i64,
    },
    Error {
        error: String,
        #[serde(default)]
        message: Option<String>,
    },
}

impl Frame {
    pub(crate) fn read(text: &str) -> Self {
        serde_json::from_str(text)
            .map(Self::Event)
            .or_else(|_| serde_json::from_str(text).map(Self::Status))
            .unwrap_or(Self::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_told_apart() {
        let event = r#"{"id":"9","position":4,"event":"GAUGE:READING","payload":{"level":1.50},"source":"default","timestamp":5,"new":1}"#;
        assert!(matches!(Frame::read(event), Frame::Event(event) if event.payload.get() == r#"{"level":1.50}"#));
        let subscribed = r#"{"status":"subscribed","events":[],"validEvents":[],"invalidEvents":["A:B"],"position":4,"gap":true}"#;
        assert!(matches!(
            Frame::read(subscribed),
            Frame::Status(Status::Subscribed { position: 4, gap: true, unknown }) if unknown == ["A:B"]
        ));
        assert!(matches!(
            Frame::read(r#"{"status":"caught_up","position":7}"#),
            Frame::Status(Status::CaughtUp { position: 7 })
        ));
        for other in [r#"{"status":"pong"}"#, "[]", "", r#"{"status":"later","position":1}"#] {
            assert!(matches!(Frame::read(other), Frame::Other), "{other}");
        }
    }
}
