//! The protocol of a stream without I/O: what a command means now, what is wanted, and when silence becomes an end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use nexus_core::hub::TypeRegistry;
use nexus_types::hub::Pattern;
use nexus_types::limits::{PATTERNS_MAX, SECOND_MS, STREAM_COMMANDS_PER_SECOND, STREAM_PING_MS, STREAM_SILENCE_MS};

use super::commands::{self, Answer, Command, Fault};
use super::wants::{Wants, covers};

/// What is read of a client that sends without pause: a frame in so many milliseconds …
const FRAME_MS: i64 = 10;
/// … and at first as many at once as come to this.
const FRAMES_AT_ONCE_MS: i64 = 100 * FRAME_MS;

/// When silence is an end.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How often clients are pinged.
    pub ping: Duration,
    /// For how long a client may be silent.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let ms = |ms: i64| Duration::from_millis(ms.cast_unsigned());
        Self {
            ping: ms(STREAM_PING_MS),
            silence: ms(STREAM_SILENCE_MS),
        }
    }
}

fn ms(duration: Duration) -> i64 {
    duration.as_millis() as i64
}

/// What to do about a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Only say this.
    Answer(String),
    /// Take the stream out of the live ones, and then call [`Session::subscribe`].
    Subscribe(Subscription),
    /// The same with [`Session::unsubscribe`].
    Unsubscribe(Vec<Pattern>),
}

/// A wish, as far as it can be fulfilled.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Subscription {
    events: Vec<String>,
    valid: Vec<Pattern>,
    /// Which of the events nobody knows, or may not be read.
    invalid: Vec<usize>,
    since: Option<i64>,
}

impl Subscription {
    /// Is the past wanted too?
    pub(super) fn looks_back(&self) -> bool {
        self.since.is_some()
    }
}

/// How the log stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log {
    /// Its last position.
    pub(super) head: i64,
    /// The highest position of an event that was deleted because it is old.
    pub(super) floor: i64,
}

/// What the clock asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tick {
    Nothing,
    Ping,
    Silent,
}

/// One stream's protocol state. Times are milliseconds of any steady clock.
pub(super) struct Session {
    types: TypeRegistry,
    /// What may be read; `None` for everything.
    rights: Option<Arc<[Pattern]>>,
    /// What is wanted.
    pub(super) wants: Wants,
    /// Has the client to be told when all of the past has come?
    pub(super) owes: bool,
    patience: Patience,
    heard_ms: i64,
    pinged_ms: i64,
    /// When the last commands came.
    commands: VecDeque<i64>,
    /// When the next frame may be read.
    next_ms: i64,
}

impl Session {
    pub(super) fn new(types: TypeRegistry, rights: Option<Arc<[Pattern]>>, patience: Patience, now_ms: i64) -> Self {
        Self {
            types,
            rights,
            wants: Wants::default(),
            owes: false,
            patience,
            heard_ms: now_ms,
            pinged_ms: now_ms,
            commands: VecDeque::new(),
            next_ms: now_ms,
        }
    }

    /// Takes a frame's text.
    pub(super) fn handle(&mut self, now_ms: i64, text: &str) -> Asked {
        let command = if self.admit(now_ms) {
            commands::read(text)
        } else {
            Err(Fault::Rate)
        };
        match command {
            Err(fault) => Asked::Answer(Answer::from(fault).json()),
            Ok(Command::Ping) => Asked::Answer(Answer::Pong.json()),
            Ok(Command::Subscribe { events, .. } | Command::Unsubscribe { events }) if events.len() > PATTERNS_MAX => {
                Asked::Answer(Answer::from(Fault::TooMany).json())
            }
            Ok(Command::Subscribe { events, since }) => Asked::Subscribe(self.judge(events, since)),
            Ok(Command::Unsubscribe { events }) => Asked::Unsubscribe(events.iter().filter_map(|name| self.types.pattern(name)).collect()),
        }
    }

    /// Counts a command; false if there were too many within a second.
    fn admit(&mut self, now_ms: i64) -> bool {
        while self.commands.front().is_some_and(|at| now_ms - at >= SECOND_MS) {
            self.commands.pop_front();
        }
        let has_room = self.commands.len() < STREAM_COMMANDS_PER_SECOND as usize;
        if has_room {
            self.commands.push_back(now_ms);
        }
        assert!(self.commands.len() <= STREAM_COMMANDS_PER_SECOND as usize);
        has_room
    }

    fn judge(&self, events: Vec<String>, since: Option<i64>) -> Subscription {
        let (mut valid, mut invalid) = (vec![], vec![]);
        for (index, name) in events.iter().enumerate() {
            match self.types.pattern(name).filter(|pattern| self.may_read(pattern)) {
                Some(pattern) if valid.contains(&pattern) => {}
                Some(pattern) => valid.push(pattern),
                None => invalid.push(index),
            }
        }
        Subscription {
            events,
            valid,
            invalid,
            since,
        }
    }

    fn may_read(&self, pattern: &Pattern) -> bool {
        let rights = self.rights.as_deref();
        rights.is_none_or(|rights| rights.iter().any(|right| covers(right, pattern)))
    }

    /// Wants more from now on, and says so. Without `since` that is all after the head of the log; a position that the log never
    /// reached is of another history, of which nothing can be told.
    pub(super) fn subscribe(&mut self, subscription: &Subscription, log: Log) -> String {
        let since = subscription.since;
        let position = since.map_or(log.head, |since| since.min(log.head));
        let gap = since.is_some_and(|since| since < log.floor || since > log.head);
        let told = if gap { log.floor } else { 0 };
        if self.wants.add(&subscription.valid, position, told, since.is_some()).is_err() {
            return Answer::from(Fault::TooMany).json();
        }
        self.owes |= since.is_some();
        let invalid: Vec<_> = subscription.invalid.iter().map(|index| &*subscription.events[*index]).collect();
        let answer = Answer::Subscribed {
            events: &subscription.events,
            valid_events: &subscription.valid,
            invalid_events: &invalid,
            position,
            gap,
        };
        answer.json()
    }

    /// Wants less from now on, and says what is left.
    pub(super) fn unsubscribe(&mut self, patterns: &[Pattern]) -> String {
        self.wants.remove(patterns);
        let events = self.wants.patterns().collect();
        Answer::Unsubscribed { events }.json()
    }

    /// All of the past has come up to here. Says so, if somebody waits for it.
    pub(super) fn caught_up(&mut self, position: i64) -> Option<String> {
        std::mem::take(&mut self.owes).then(|| Answer::CaughtUp { position }.json())
    }

    /// The client lives.
    pub(super) fn hear(&mut self, now_ms: i64) {
        self.heard_ms = now_ms;
    }

    /// Something was read.
    pub(super) fn spend(&mut self, now_ms: i64) {
        self.next_ms = self.next_ms.max(now_ms - FRAMES_AT_ONCE_MS) + FRAME_MS;
    }

    /// May another frame be read?
    pub(super) fn reads(&self, now_ms: i64) -> bool {
        self.next_ms <= now_ms
    }

    /// Looks at the clock.
    pub(super) fn tick(&mut self, now_ms: i64) -> Tick {
        if now_ms - self.heard_ms >= ms(self.patience.silence) {
            return Tick::Silent;
        }
        if now_ms - self.pinged_ms >= ms(self.patience.ping) {
            self.pinged_ms = now_ms;
            return Tick::Ping;
        }
        Tick::Nothing
    }

    /// When to look at the clock again.
    pub(super) fn deadline_ms(&self, now_ms: i64) -> i64 {
        let alive = (self.heard_ms + ms(self.patience.silence)).min(self.pinged_ms + ms(self.patience.ping));
        if self.reads(now_ms) { alive } else { alive.min(self.next_ms) }
    }
}

#[cfg(test)]
mod tests {
    use nexus_core::hub::CustomType;

    use super::*;

    const LOG: Log = Log { head: 90, floor: 40 };

    fn session(rights: Option<&[&str]>) -> Session {
        let custom = ["GAUGE:READING", "GAUGE:ALARM"].map(|name| CustomType {
            name: name.into(),
            schema: None,
        });
        let types = TypeRegistry::new(custom.into()).expect("good types");
        let rights = rights.map(|texts| texts.iter().map(|text| Pattern::parse(text).expect("a pattern")).collect());
        Session::new(types, rights, Patience::default(), 0)
    }

    /// What a client is told at once.
    fn say(session: &mut Session, now_ms: i64, text: &str) -> String {
        match session.handle(now_ms, text) {
            Asked::Answer(answer) => answer,
            Asked::Subscribe(subscription) => session.subscribe(&subscription, LOG),
            Asked::Unsubscribe(patterns) => session.unsubscribe(&patterns),
        }
    }

    fn subscribe(session: &mut Session, rest: &str) -> String {
        let answer = say(session, 0, &format!(r#"{{"action":"subscribe","events":{rest}}}"#));
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        if answer["status"] == "error" {
            return answer["error"].as_str().expect("a word").to_owned();
        }
        let (valid, invalid) = (&answer["validEvents"], &answer["invalidEvents"]);
        format!("{valid} {invalid} {} {}", answer["position"], answer["gap"])
    }

    fn many(count: usize) -> String {
        let names: Vec<_> = (0..count).map(|index| format!("A:X{index}")).collect();
        serde_json::to_string(&names).expect("JSON")
    }

    #[test]
    fn a_subscription_is_answered_in_the_stored_spelling() {
        for (rest, answer) in [
            (r#"["PAYMENT_RECEIVED"]"#, r#"["FLOWPAY:PAYMENT_RECEIVED"] [] 90 false"#),
            (
                r#"["FLOWPAY:PAYMENT_RECEIVED","PAYMENT_RECEIVED"]"#,
                r#"["FLOWPAY:PAYMENT_RECEIVED"] [] 90 false"#,
            ),
            (r#"["GAUGE:*","*","READING"]"#, r#"["GAUGE:*","*","GAUGE:READING"] [] 90 false"#),
            (
                r#"["nope","READING","A:*","flowpay:payment_received"]"#,
                r#"["GAUGE:READING"] ["nope","A:*","flowpay:payment_received"] 90 false"#,
            ),
            (r#"["nexus:message_create"]"#, r#"["nexus:message_create"] [] 90 false"#),
            (r#"["nope","nope"]"#, r#"[] ["nope","nope"] 90 false"#),
            (r#"["*"],"since":90"#, r#"["*"] [] 90 false"#),
            (r#"["*"],"since":40"#, r#"["*"] [] 40 false"#),
            (r#"["*"],"since":39"#, r#"["*"] [] 39 true"#),
            (r#"["*"],"since":0"#, r#"["*"] [] 0 true"#),
            (r#"["*"],"since":91"#, r#"["*"] [] 90 true"#),
            (&many(20), &format!("[] {} 90 false", many(20))),
            (&many(21), "too_many_events"),
        ] {
            assert_eq!(subscribe(&mut session(None), rest), answer, "{rest}");
        }
    }

    #[test]
    fn a_source_may_subscribe_to_what_its_rights_cover() {
        let mut session = session(Some(&["FLOWPAY:*", "GAUGE:ALARM"]));
        assert_eq!(
            subscribe(&mut session, r#"["PAYMENT_FAILED","FLOWPAY:*","ALARM","READING","GAUGE:*","*"]"#),
            r#"["FLOWPAY:PAYMENT_FAILED","FLOWPAY:*","GAUGE:ALARM"] ["READING","GAUGE:*","*"] 90 false"#
        );
    }

    #[test]
    fn twenty_patterns_are_the_most_in_all() {
        let mut session = session(None);
        for name in [
            "GAUGE:READING",
            "GAUGE:ALARM",
            "GAUGE:*",
            "*",
            "FLOWPAY:*",
            "FACTORY:*",
            "FLUXX:*",
            "MIO:*",
        ] {
            subscribe(&mut session, &format!("[\"{name}\"]"));
        }
        let types = session.types.list();
        let names: Vec<_> = types
            .iter()
            .map(|known| known.event.as_str())
            .filter(|name| !name.starts_with("GAUGE"))
            .collect();
        let rest = serde_json::to_string(&names[..13]).expect("JSON");
        let mut later = Session {
            commands: VecDeque::new(),
            ..session
        };
        assert_eq!(subscribe(&mut later, &rest), "too_many_events");
        assert_eq!(later.wants.patterns().count(), 8, "nothing of it was taken");
    }

    #[test]
    fn the_past_is_announced_once_when_it_has_come() {
        let mut session = session(None);
        subscribe(&mut session, r#"["*"]"#);
        assert_eq!(session.caught_up(90), None);
        subscribe(&mut session, r#"["*"],"since":50"#);
        subscribe(&mut session, r#"["GAUGE:*"],"since":60"#);
        assert_eq!(session.caught_up(95).as_deref(), Some(r#"{"status":"caught_up","position":95}"#));
        assert_eq!(session.caught_up(96), None);
    }

    #[test]
    fn unsubscribing_says_what_is_left() {
        let mut session = session(None);
        subscribe(&mut session, r#"["READING","GAUGE:*","FLOWPAY:*"]"#);
        for (events, left) in [
            (r#"["nope"]"#, r#"["GAUGE:READING","GAUGE:*","FLOWPAY:*"]"#),
            (r#"["GAUGE:READING"]"#, r#"["GAUGE:*","FLOWPAY:*"]"#),
            (r#"["*"]"#, "[]"),
        ] {
            let answer = say(&mut session, 0, &format!(r#"{{"action":"unsubscribe","events":{events}}}"#));
            assert_eq!(answer, format!(r#"{{"status":"unsubscribed","events":{left}}}"#));
        }
    }

    #[test]
    fn ten_commands_fit_into_any_second() {
        let mut session = session(None);
        let mut at = |now_ms| say(&mut session, now_ms, r#"{"action":"ping"}"#).contains("pong");
        for index in 0..10 {
            assert!(at(index * 50));
        }
        for (now_ms, granted) in [
            (500, false),
            (999, false),
            (1_000, true),
            (1_000, false),
            (1_050, true),
            (1_099, false),
        ] {
            assert_eq!(at(now_ms), granted, "{now_ms}");
        }
        assert!(
            say(&mut session, 1_099, "nonsense").contains("rate_limited"),
            "nonsense costs as much"
        );
    }

    #[test]
    fn who_sends_without_pause_is_read_slowly() {
        let mut session = session(None);
        let mut read = |now_ms| {
            let may = session.reads(now_ms);
            if may {
                session.spend(now_ms);
            }
            may
        };
        assert_eq!((0..1_000).filter(|_| read(5_000)).count(), 101);
        assert_eq!((5_001..=6_000).filter(|now_ms| read(*now_ms)).count(), 100);
    }

    #[test]
    fn the_clock_pings_and_ends_what_is_silent() {
        let mut session = session(None);
        for (now_ms, tick) in [
            (29_999, Tick::Nothing),
            (30_000, Tick::Ping),
            (59_999, Tick::Nothing),
            (60_000, Tick::Silent),
        ] {
            assert_eq!(session.tick(now_ms), tick, "{now_ms}");
        }
        session.hear(60_000);
        assert_eq!((session.tick(60_000), session.deadline_ms(60_000)), (Tick::Ping, 90_000));
    }
}
