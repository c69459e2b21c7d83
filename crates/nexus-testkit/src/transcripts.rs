//! What a viewer of the gateway gets, without a gateway: the opening burst and the log page by page, as frames.
//!
//! The frames have the `s` that the gateway must give them, so a live stream can be held against them; and made stable they are
//! the transcripts in `fixtures/gateway/` that TypeScript and Python replay.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nexus_core::{App, Caller, events};
use nexus_types::dispatches::{Dispatch, Piece, shared};
use nexus_types::events::Kind;
use nexus_types::ids::{LoginId, Position};
use serde_json::{Value, json};

use crate::states::{State, differences};

/// One viewer's way through a scenario.
#[derive(Debug, Clone)]
pub struct Transcript {
    /// `scenario.viewer`.
    pub name: String,
    /// READY and its guilds before.
    pub before: Vec<Value>,
    /// Everything that came then.
    pub events: Vec<Value>,
    /// READY and its guilds for somebody who comes only now.
    pub after: Vec<Value>,
}

fn parse(frame: &str) -> Value {
    serde_json::from_str(frame).expect("a frame is JSON")
}

/// The opening burst of a session that begins now, and the position it is complete up to.
pub async fn opening(app: &App, caller: Caller) -> (Vec<Value>, Position) {
    let opening = app.sessions().open(caller, None, None).await.expect("the session opens");
    let mut dispatches = vec![Dispatch {
        name: "READY",
        data: serde_json::to_string(&opening.ready).expect("READY serialises"),
    }];
    for guild in opening.guilds {
        dispatches.extend(app.sessions().guild(caller, guild).await.expect("the guild is read"));
    }
    let last = dispatches.len() - 1;
    let base = opening.base.0;
    let frames = dispatches
        .iter()
        .enumerate()
        .map(|(index, dispatch)| parse(&dispatch.frame(if index == last { base } else { base - 1 })));
    (frames.collect(), opening.base)
}

/// What a viewer gets of the log after a position.
pub async fn replay(app: &App, caller: Caller, after: Position) -> Vec<Value> {
    let mut frames = Vec::new();
    let mut position = after;
    let mut s = after.0;
    loop {
        let page = app.sessions().page(caller.user, position).await.expect("the log is read");
        for entry in &page.entries {
            if entry.kind == Kind::LoginEnd as i64 && caller.login == Some(LoginId(entry.object)) {
                return frames;
            }
            let event = events::read(entry).expect("the entry is one of ours");
            let shared = shared(&event);
            let pieces = page.pieces(entry, &event);
            let before = s;
            for (index, piece) in pieces.iter().enumerate() {
                let dispatch = match piece {
                    Piece::Shared(index) => &shared[*index],
                    Piece::Own(own) => own,
                };
                s = if index + 1 == pieces.len() { entry.position } else { before };
                frames.push(parse(&dispatch.frame(s)));
            }
        }
        position = page.entries.last().map_or(page.head, |entry| Position(entry.position));
        if page.complete {
            return frames;
        }
    }
}

impl Transcript {
    /// The law: the events lead from the state before to the state after; and they do no harm to one who has seen it all already.
    ///
    /// # Panics
    /// With the paths at which the states differ.
    pub fn assert_lawful(&self) {
        let after = State::of(&self.after).snapshot();
        for (what, begin) in [("before", &self.before), ("after", &self.after)] {
            let state = State::of(begin.iter().chain(&self.events));
            let different = differences(&state.snapshot(), &after);
            assert!(
                different.is_empty(),
                "{}: READY {what} with the events is not READY after:\n{}",
                self.name,
                different.join("\n")
            );
        }
    }

    /// With everything that differs from run to run taken out: ids are numbered anew in their order, keeping their times.
    #[must_use]
    pub fn stable(&self) -> Value {
        let whole = json!({ "name": self.name, "before": self.before, "events": self.events, "after": self.after });
        let mut ids = BTreeMap::new();
        visit(&mut whole.clone(), &mut |text| {
            if let Some(id) = as_id(text) {
                ids.insert(id, 0);
            }
        });
        let (mut time, mut rank) = (0, 0);
        for (id, stable) in &mut ids {
            rank = if id >> 22 == time { rank + 1 } else { 1 };
            time = id >> 22;
            *stable = (time << 22) + rank;
        }
        let mut whole = whole;
        visit(&mut whole, &mut |text| {
            if let Some(id) = as_id(text) {
                *text = ids[&id].to_string();
            }
        });
        for frame in ["before", "after"].map(|list| format!("/{list}/0/d")) {
            if let Some(ready) = whole.pointer_mut(&frame) {
                ready["session_id"] = json!("a sealed session id");
                ready["resume_gateway_url"] = json!("ws://localhost:8080");
            }
        }
        whole
    }

    /// Holds it against `fixtures/gateway/<name>.json`, or writes it there if `NEXUS_BLESS=1`.
    ///
    /// # Panics
    /// If it is another one.
    pub fn assert_as_recorded(&self) {
        let path = fixtures().join(format!("{}.json", self.name));
        let stable = self.stable();
        if std::env::var_os("NEXUS_BLESS").is_some_and(|value| value == "1") {
            std::fs::create_dir_all(fixtures()).expect("the folder is made");
            std::fs::write(&path, pretty(&stable)).expect("the transcript is written");
            return;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("there is no {}; NEXUS_BLESS=1 writes it", path.display()));
        let different = differences(&parse(&text), &stable);
        assert!(
            different.is_empty(),
            "{}.json tells another story; if the new one is right, NEXUS_BLESS=1 writes it:\n{}",
            self.name,
            different.join("\n")
        );
    }
}

/// Where the transcripts are.
pub fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/gateway")
}

/// One frame a line, so that a change is read in a diff.
fn pretty(transcript: &Value) -> String {
    let mut text = format!("{{\n\"name\": {}", transcript["name"]);
    for list in ["before", "events", "after"] {
        let frames: Vec<_> = transcript[list]
            .as_array()
            .expect("a list of frames")
            .iter()
            .map(Value::to_string)
            .collect();
        text.extend([",\n\"", list, "\": [\n", &frames.join(",\n"), "\n]"]);
    }
    text + "\n}\n"
}

/// Ids of this decade are beyond 2⁶⁰; bits of permissions are far below.
fn as_id(text: &str) -> Option<i64> {
    text.parse().ok().filter(|id| *id > 1 << 60)
}

fn visit(value: &mut Value, with: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => with(text),
        Value::Array(list) => list.iter_mut().for_each(|value| visit(value, with)),
        Value::Object(fields) => fields.values_mut().for_each(|value| visit(value, with)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
