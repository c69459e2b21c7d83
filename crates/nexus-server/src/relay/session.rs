//! The relay's protocol without I/O: what a client's frame means now, what is to be proven, and when silence becomes an end.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use nexus_types::limits::{
    RELAY_FAULT_MS, RELAY_FAULTS_BURST, RELAY_FRAMES_BURST, RELAY_FRAMES_PER_SECOND, RELAY_PING_MS, RELAY_PROOF_MS, RELAY_SILENCE_MS,
    RELAY_UNDELIVERABLE_BURST, RELAY_UNDELIVERABLE_MS, SECOND_MS,
};

use super::allowances::Allowance;
use super::closings::Closing;
use super::frames::{self, Auth, Frame};
use super::proofs::{Challenge, Proof};

/// When silence is an end.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How often peers are pinged.
    pub ping: Duration,
    /// For how long a peer may be silent.
    pub silence: Duration,
    /// For how long a proof may take.
    pub proof: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let ms = |ms: i64| Duration::from_millis(ms.cast_unsigned());
        Self {
            ping: ms(RELAY_PING_MS),
            silence: ms(RELAY_SILENCE_MS),
            proof: ms(RELAY_PROOF_MS),
        }
    }
}

fn ms(duration: Duration) -> i64 {
    duration.as_millis() as i64
}

/// What to do about a frame. It holds what somebody sent, so it has no `Debug`.
pub(super) enum Command<'a> {
    /// Only this.
    Reply(Reply),
    /// Pass the frame on, byte by byte.
    Relay { from: Cow<'a, str>, to: Cow<'a, str> },
    /// This id is proven.
    Claim(Arc<str>),
    /// These ids are wanted.
    Listen(Vec<Cow<'a, str>>),
}

/// What the client is told.
pub(super) enum Reply {
    /// This.
    Answer(String),
    /// The answer to a ping.
    Pong,
    /// The end.
    Close(Closing),
}

impl From<Reply> for Command<'_> {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

/// What the clock asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tick {
    Nothing,
    Ping,
    Close(Closing),
}

/// One session's protocol state. Times are milliseconds of any steady clock.
pub(super) struct Session {
    id: Arc<str>,
    /// The name under which the client knows us, in lower case.
    host: Box<str>,
    patience: Patience,
    opened_ms: i64,
    heard_ms: i64,
    pinged_ms: i64,
    /// Does it have its own id?
    open: bool,
    /// What is still to be proven.
    challenges: Vec<Challenge>,
    faults: Allowance,
    undeliverable: Allowance,
    frames: Allowance,
    /// When the next frame may be read.
    next_ms: i64,
}

impl Session {
    pub(super) fn new(id: Arc<str>, host: Box<str>, patience: Patience, now_ms: i64) -> Self {
        Self {
            id,
            host,
            patience,
            opened_ms: now_ms,
            heard_ms: now_ms,
            pinged_ms: now_ms,
            open: false,
            challenges: vec![],
            faults: Allowance::new(RELAY_FAULTS_BURST, RELAY_FAULT_MS),
            undeliverable: Allowance::new(RELAY_UNDELIVERABLE_BURST, RELAY_UNDELIVERABLE_MS),
            frames: Allowance::new(RELAY_FRAMES_BURST, SECOND_MS / i64::from(RELAY_FRAMES_PER_SECOND)),
            next_ms: now_ms,
        }
    }

    /// It has its own id from now on.
    pub(super) fn open(&mut self) {
        self.open = true;
    }

    /// Does it have its own id?
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Waits for a proof; a proof of the same id that was waited for before is no longer. Says what to tell the client: of its own id
    /// nothing if a secret proves it, because that comes without being asked for.
    pub(super) fn expect(&mut self, id: Arc<str>, proof: Proof, nonce: [u8; 32], now_ms: i64) -> Option<String> {
        let asks = match (&proof, self.open) {
            (Proof::Secret(_), false) => None,
            (Proof::Key(_), false) => Some(frames::challenge(None, &nonce)),
            (_, true) => Some(frames::challenge(Some(&id), &nonce)),
        };
        self.challenges.retain(|challenge| challenge.id != id);
        self.challenges.push(Challenge {
            id,
            proof,
            nonce,
            issued_ms: now_ms,
        });
        asks
    }

    /// Ids that are still to be proven.
    pub(super) fn expected(&self) -> usize {
        self.challenges.len()
    }

    /// The peer lives.
    pub(super) fn hear(&mut self, now_ms: i64) {
        self.heard_ms = now_ms;
    }

    /// Something as costly as so many frames was read.
    pub(super) fn spend(&mut self, now_ms: i64, frames: usize) {
        self.next_ms = self.frames.spend(now_ms, frames);
    }

    /// When the next frame may be read.
    pub(super) fn next_ms(&self) -> i64 {
        self.next_ms
    }

    /// Takes a frame's text.
    pub(super) fn handle<'a>(&mut self, now_ms: i64, text: &'a str) -> Command<'a> {
        match frames::read(text) {
            None => self.fault(now_ms, frames::error("invalid_frame")).into(),
            Some(Frame::Ping) => Reply::Pong.into(),
            Some(Frame::Auth(auth)) => self.prove(now_ms, &auth),
            Some(_) if !self.open => self.fault(now_ms, frames::error("proof_required")).into(),
            Some(Frame::Envelope { from, to }) => Command::Relay { from, to },
            Some(Frame::Listen(ids)) => {
                self.spend(now_ms, ids.len());
                Command::Listen(ids)
            }
        }
    }

    /// What was sent can't be taken: says so, or ends it if there was too much of that.
    pub(super) fn fault(&mut self, now_ms: i64, answer: String) -> Reply {
        if self.faults.take(now_ms) {
            Reply::Answer(answer)
        } else {
            Reply::Close(Closing::Faults)
        }
    }

    /// Says that nobody is there, but not too often.
    pub(super) fn undeliverable(&mut self, now_ms: i64, to: &str) -> Option<String> {
        self.undeliverable.take(now_ms).then(|| frames::undeliverable(to))
    }

    fn prove<'a>(&mut self, now_ms: i64, auth: &Auth<'_>) -> Command<'a> {
        let id = auth.id.as_deref().unwrap_or(&self.id);
        let Some(index) = self.challenges.iter().position(|challenge| &*challenge.id == id) else {
            return self.fault(now_ms, frames::error("invalid_frame")).into();
        };
        // Good or not, a nonce is good for one answer.
        let challenge = self.challenges.swap_remove(index);
        let in_time = now_ms - challenge.issued_ms < ms(self.patience.proof);
        if in_time && challenge.accepts(&self.host, &auth.shown) {
            Command::Claim(challenge.id)
        } else if self.open {
            self.fault(now_ms, frames::error_about("proof_failed", &challenge.id)).into()
        } else {
            Reply::Close(Closing::Unproven).into()
        }
    }

    /// Looks at the clock.
    pub(super) fn tick(&mut self, now_ms: i64) -> Tick {
        let late = !self.open && now_ms - self.opened_ms >= ms(self.patience.proof);
        if late || now_ms - self.heard_ms >= ms(self.patience.silence) {
            return Tick::Close(Closing::Silent);
        }
        self.challenges
            .retain(|challenge| now_ms - challenge.issued_ms < ms(self.patience.proof));
        if now_ms - self.pinged_ms >= ms(self.patience.ping) {
            self.pinged_ms = now_ms;
            return Tick::Ping;
        }
        Tick::Nothing
    }

    /// When to look at the clock again.
    pub(super) fn deadline_ms(&self) -> i64 {
        let alive = (self.heard_ms + ms(self.patience.silence)).min(self.pinged_ms + ms(self.patience.ping));
        if self.open {
            alive
        } else {
            alive.min(self.opened_ms + ms(self.patience.proof))
        }
    }
}

#[cfg(test)]
mod tests {
    use nexus_crypto::hashes::Hash;

    use super::*;

    fn session(open: bool) -> Session {
        let mut session = Session::new("alice".into(), "relay.example".into(), Patience::default(), 0);
        session.open = open;
        session
    }

    fn answer(command: Command<'_>) -> String {
        match command {
            Command::Reply(Reply::Answer(text)) => text,
            Command::Reply(Reply::Close(closing)) => format!("{closing:?}"),
            Command::Reply(Reply::Pong) => "pong".into(),
            Command::Claim(id) => format!("claim {id}"),
            Command::Relay { .. } => "relay".into(),
            Command::Listen(_) => "listen".into(),
        }
    }

    fn secret(text: &str) -> String {
        format!(r#"{{"type":"auth","secret":"{}"}}"#, frames::encode(text.as_bytes()))
    }

    #[test]
    fn before_the_proof_there_is_only_ping_and_proof() {
        let mut session = session(false);
        session.expect("alice".into(), Proof::Secret(Hash::of(b"open sesame")), [0; 32], 0);
        for text in [r#"{"from":"alice","to":"b","payload":1}"#, r#"{"type":"listen","ids":["b"]}"#] {
            assert_eq!(answer(session.handle(0, text)), frames::error("proof_required"));
        }
        assert_eq!(answer(session.handle(0, r#"{"type":"ping"}"#)), "pong");
        assert_eq!(answer(session.handle(0, &secret("open sesame"))), "claim alice");
        session.open();
        assert_eq!(answer(session.handle(0, &secret("open sesame"))), frames::error("invalid_frame"));
        assert_eq!(answer(session.handle(0, r#"{"from":"alice","to":"b","payload":1}"#)), "relay");
    }

    #[test]
    fn a_wrong_or_late_proof_ends_a_new_session_and_is_only_told_an_open_one() {
        for (text, at_ms) in [("shut sesame", 0), ("open sesame", 10_000)] {
            for (open, expected) in [(false, "Unproven".to_owned()), (true, frames::error_about("proof_failed", "alice"))] {
                let mut session = session(open);
                session.expect("alice".into(), Proof::Secret(Hash::of(b"open sesame")), [0; 32], 0);
                assert_eq!(answer(session.handle(at_ms, &secret(text))), expected);
                let again = answer(session.handle(at_ms, &secret("open sesame")));
                assert_eq!(again, frames::error("invalid_frame"), "a challenge is good for one answer");
            }
        }
    }

    #[test]
    fn who_sends_nothing_but_nonsense_is_closed() {
        let mut session = session(true);
        for _ in 0..RELAY_FAULTS_BURST {
            assert_eq!(answer(session.handle(0, "{")), frames::error("invalid_frame"));
        }
        assert_eq!(answer(session.handle(0, "{")), "Faults");
    }

    #[test]
    fn undeliverable_is_said_so_many_times_and_then_now_and_then() {
        let mut session = session(true);
        let mut said = |now_ms| (0..1_000).filter(|_| session.undeliverable(now_ms, "b").is_some()).count();
        assert_eq!(said(0), RELAY_UNDELIVERABLE_BURST as usize);
        assert_eq!(said(RELAY_UNDELIVERABLE_MS), 1);
    }

    #[test]
    fn the_clock_pings_and_ends_what_is_silent() {
        let mut session = session(true);
        assert_eq!(session.tick(29_999), Tick::Nothing);
        assert_eq!(session.deadline_ms(), 30_000);
        assert_eq!(session.tick(30_000), Tick::Ping);
        assert_eq!(session.tick(30_001), Tick::Nothing);
        session.hear(31_000);
        assert_eq!(session.tick(60_000), Tick::Ping);
        assert_eq!(session.tick(90_999), Tick::Ping);
        assert_eq!(session.tick(91_000), Tick::Close(Closing::Silent));
    }

    #[test]
    fn a_proof_has_its_time() {
        let mut session = session(false);
        assert_eq!(session.deadline_ms(), 10_000);
        session.hear(9_000);
        assert_eq!(session.tick(9_999), Tick::Nothing);
        assert_eq!(session.tick(10_000), Tick::Close(Closing::Silent));
    }
}
