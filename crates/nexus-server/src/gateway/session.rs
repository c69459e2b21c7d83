//! The gateway's protocol without I/O: what a client's frame means in this phase, and when silence becomes an end.

use std::collections::VecDeque;

use nexus_types::gateway::{ClientFrame, CloseCode, Identify, Resume, op};
use nexus_types::limits::{COMMANDS_MAX, COMMANDS_WINDOW_MS, HEARTBEAT_MISSED_MS, IDENTIFY_MS_MAX, PAYLOAD_BYTES_MAX};

/// What to do about a frame. It may hold a token, so it has no `Debug`.
pub(super) enum Command {
    /// Nothing.
    Nothing,
    /// Answer a heartbeat.
    Acknowledge,
    /// Begin a session.
    Identify(Identify),
    /// Go on with a session.
    Resume(Resume),
    /// End it.
    Close(CloseCode),
}

/// One connection's protocol state. Times are milliseconds of any steady clock.
#[derive(Debug)]
pub(super) struct Session {
    opened_ms: i64,
    last_heartbeat_ms: i64,
    begun: bool,
    /// When the last commands came, at most [`COMMANDS_MAX`] of them.
    commands: VecDeque<i64>,
}

impl Session {
    pub(super) fn new(now_ms: i64) -> Self {
        Self {
            opened_ms: now_ms,
            last_heartbeat_ms: now_ms,
            begun: false,
            commands: VecDeque::new(),
        }
    }

    /// A client may identify or resume again: its session was refused with op 9.
    pub(super) fn begin_anew(&mut self, now_ms: i64) {
        self.begun = false;
        self.opened_ms = now_ms;
    }

    /// Takes a frame's text.
    pub(super) fn handle(&mut self, now_ms: i64, text: &str) -> Command {
        if text.len() > PAYLOAD_BYTES_MAX {
            return Command::Close(CloseCode::Decode);
        }
        if !self.admit(now_ms) {
            return Command::Close(CloseCode::RateLimited);
        }
        let Ok(frame) = serde_json::from_str::<ClientFrame<'_>>(text) else {
            return Command::Close(CloseCode::Decode);
        };
        let payload = frame.d.map_or("null", |payload| payload.get());
        match frame.op {
            op::HEARTBEAT => {
                self.last_heartbeat_ms = now_ms;
                Command::Acknowledge
            }
            op::IDENTIFY | op::RESUME if self.begun => Command::Close(CloseCode::AlreadyAuthenticated),
            op::IDENTIFY => self.begin(serde_json::from_str(payload).map(Command::Identify)),
            op::RESUME => self.begin(serde_json::from_str(payload).map(Command::Resume)),
            op::PRESENCE_UPDATE | op::VOICE_STATE_UPDATE | op::REQUEST_GUILD_MEMBERS if self.begun => Command::Nothing,
            op::PRESENCE_UPDATE | op::VOICE_STATE_UPDATE | op::REQUEST_GUILD_MEMBERS => Command::Close(CloseCode::NotAuthenticated),
            _ => Command::Close(CloseCode::Decode),
        }
    }

    fn begin(&mut self, command: serde_json::Result<Command>) -> Command {
        match command {
            Ok(Command::Identify(Identify {
                shard: Some([index, count]),
                ..
            })) if index >= count => Command::Close(CloseCode::InvalidShard),
            Ok(command) => {
                self.begun = true;
                command
            }
            Err(_) => Command::Close(CloseCode::Decode),
        }
    }

    /// Counts a command, or a control frame of the transport; false if there were too many.
    pub(super) fn admit(&mut self, now_ms: i64) -> bool {
        while self.commands.front().is_some_and(|at| now_ms - at >= COMMANDS_WINDOW_MS) {
            self.commands.pop_front();
        }
        if self.commands.len() == COMMANDS_MAX as usize {
            return false;
        }
        self.commands.push_back(now_ms);
        assert!(self.commands.len() <= COMMANDS_MAX as usize);
        true
    }

    /// When [`Session::tick`] has something to say if nothing comes.
    pub(super) fn deadline_ms(&self) -> i64 {
        let heartbeat = self.last_heartbeat_ms + HEARTBEAT_MISSED_MS;
        if self.begun {
            heartbeat
        } else {
            heartbeat.min(self.opened_ms + IDENTIFY_MS_MAX)
        }
    }

    /// Ends a connection that was silent for too long.
    pub(super) fn tick(&self, now_ms: i64) -> Option<CloseCode> {
        if !self.begun && now_ms >= self.opened_ms + IDENTIFY_MS_MAX {
            return Some(CloseCode::NotAuthenticated);
        }
        (now_ms >= self.last_heartbeat_ms + HEARTBEAT_MISSED_MS).then_some(CloseCode::TimedOut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTIFY: &str = r#"{"op":2,"d":{"token":"t","properties":{},"intents":513}}"#;

    fn closes(session: &mut Session, text: &str) -> Option<CloseCode> {
        match session.handle(0, text) {
            Command::Close(code) => Some(code),
            _ => None,
        }
    }

    #[test]
    fn what_a_client_may_not_send_ends_it() {
        let long = format!(r#"{{"op":1,"d":"{}"}}"#, "x".repeat(PAYLOAD_BYTES_MAX));
        let table = [
            ("{", CloseCode::Decode),
            ("[]", CloseCode::Decode),
            (r#"{"op":"2"}"#, CloseCode::Decode),
            (r#"{"op":2}"#, CloseCode::Decode),
            (r#"{"op":2,"d":{"token":5}}"#, CloseCode::Decode),
            (r#"{"op":6,"d":{"token":"t","session_id":"s"}}"#, CloseCode::Decode),
            (r#"{"op":2,"d":{"token":"t","shard":[1,1]}}"#, CloseCode::InvalidShard),
            (r#"{"op":3,"d":{}}"#, CloseCode::NotAuthenticated),
            (r#"{"op":99}"#, CloseCode::Decode),
            (&long, CloseCode::Decode),
        ];
        for (text, code) in table {
            assert_eq!(closes(&mut Session::new(0), text), Some(code), "{text}");
        }
    }

    #[test]
    fn a_heartbeat_may_come_before_identify() {
        let mut session = Session::new(0);
        assert!(matches!(session.handle(0, r#"{"op":1,"d":null}"#), Command::Acknowledge));
        assert!(matches!(session.handle(0, IDENTIFY), Command::Identify(_)));
    }

    #[test]
    fn a_second_identify_ends_it_unless_the_session_was_refused() {
        let mut session = Session::new(0);
        assert!(matches!(session.handle(0, IDENTIFY), Command::Identify(_)));
        assert_eq!(closes(&mut session, IDENTIFY), Some(CloseCode::AlreadyAuthenticated));
        session.begin_anew(0);
        assert!(matches!(session.handle(0, IDENTIFY), Command::Identify(_)));
    }

    #[test]
    fn the_121st_command_in_a_minute_ends_it() {
        let mut session = Session::new(0);
        for at in 0..120 {
            assert!(matches!(session.handle(at, r#"{"op":1,"d":null}"#), Command::Acknowledge));
        }
        assert!(matches!(
            session.handle(59_999, r#"{"op":1,"d":null}"#),
            Command::Close(CloseCode::RateLimited)
        ));
        assert!(matches!(session.handle(60_000, r#"{"op":1,"d":null}"#), Command::Acknowledge));
    }

    #[test]
    fn a_silent_client_is_closed() {
        let mut session = Session::new(0);
        assert_eq!((session.deadline_ms(), session.tick(9_999)), (IDENTIFY_MS_MAX, None));
        assert_eq!(session.tick(IDENTIFY_MS_MAX), Some(CloseCode::NotAuthenticated));
        assert!(matches!(session.handle(0, IDENTIFY), Command::Identify(_)));
        assert_eq!(
            (session.deadline_ms(), session.tick(HEARTBEAT_MISSED_MS - 1)),
            (HEARTBEAT_MISSED_MS, None)
        );
        assert_eq!(session.tick(HEARTBEAT_MISSED_MS), Some(CloseCode::TimedOut));
    }
}
