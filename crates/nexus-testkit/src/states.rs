//! What a client knows, fed by dispatches alone: the reducer that the law `apply(READY before, events) == READY after` is about.
//!
//! It works on JSON, not on `nexus_types`, so that a field which the server forgets or a type which it changes shows up here. The
//! TypeScript SDK has its own reducer; both replay the transcripts in `fixtures/gateway/`.

use std::collections::{BTreeMap, BTreeSet};

use nexus_types::snowflakes;
use serde_json::{Map, Value, json};

/// An id as it stands in JSON, ordered as a number.
pub type Id = i64;

/// A guild as a client holds it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Guild {
    /// Everything but channels and members.
    pub fields: Map<String, Value>,
    /// Channels that the viewer sees.
    pub channels: BTreeMap<Id, Value>,
    /// Members, or some of them if the guild is `large`.
    pub members: BTreeMap<Id, Value>,
}

/// What a client knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// The own account.
    pub me: Value,
    /// The own guilds.
    pub guilds: BTreeMap<Id, Guild>,
    /// Guilds that READY announced and GUILD_CREATE has not brought yet.
    pub awaited: BTreeSet<Id>,
    /// How far the user has read, by channel.
    pub reads: BTreeMap<Id, Id>,
    /// From READY.
    pub session_id: Option<String>,
    /// The last sequence number: the session is complete up to here.
    pub s: i64,
}

/// The number in an id field.
///
/// # Panics
/// If it is not there or is no decimal string: every id on the wire is one.
pub fn id(value: &Value, field: &str) -> Id {
    let text = value[field]
        .as_str()
        .unwrap_or_else(|| panic!("`{field}` is a decimal string in {value}"));
    text.parse().unwrap_or_else(|_| panic!("`{field}` is a decimal string in {value}"))
}

fn member_id(member: &Value) -> Id {
    id(&member["user"], "id")
}

impl Guild {
    /// Takes the size that a join or a departure tells. A guild that has become large keeps the viewer alone, as READY would send it.
    /// One that is large no more lacks its list, which a client asks for: that is not the log's affair.
    fn resize(&mut self, data: &Value, me: Id) {
        for field in ["member_count", "large"] {
            self.fields.insert(field.into(), data[field].clone());
        }
        if data["large"] == Value::Bool(true) {
            self.members.retain(|id, _| *id == me);
        }
    }
}

impl State {
    /// The state after these frames, from nothing.
    pub fn of<'a>(frames: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut state = Self::default();
        for frame in frames {
            state.apply(frame);
        }
        state
    }

    /// Takes in one dispatch frame.
    pub fn apply(&mut self, frame: &Value) {
        self.s = frame["s"].as_i64().unwrap_or_else(|| panic!("every dispatch has its `s`: {frame}"));
        let data = &frame["d"];
        match frame["t"]
            .as_str()
            .unwrap_or_else(|| panic!("every dispatch has its name: {frame}"))
        {
            "READY" => self.ready(data),
            "GUILD_CREATE" => self.put_guild(data),
            "GUILD_UPDATE" => {
                if let Some(guild) = self.guilds.get_mut(&id(data, "id")) {
                    let fields = data.as_object().expect("a guild is an object");
                    guild.fields.extend(fields.iter().map(|(key, value)| (key.clone(), value.clone())));
                }
            }
            "GUILD_DELETE" => {
                self.guilds.remove(&id(data, "id"));
                self.awaited.remove(&id(data, "id"));
            }
            "GUILD_MEMBER_ADD" => self.put_member(data),
            "GUILD_MEMBER_REMOVE" => {
                let me = id(&self.me, "id");
                if let Some(guild) = self.guilds.get_mut(&id(data, "guild_id")) {
                    guild.members.remove(&member_id(data));
                    guild.resize(data, me);
                }
            }
            "CHANNEL_CREATE" | "CHANNEL_UPDATE" => {
                if let Some(guild) = self.guilds.get_mut(&id(data, "guild_id")) {
                    guild.channels.insert(id(data, "id"), data.clone());
                }
            }
            "CHANNEL_DELETE" => {
                if let Some(guild) = self.guilds.get_mut(&id(data, "guild_id")) {
                    guild.channels.remove(&id(data, "id"));
                }
            }
            "MESSAGE_CREATE" => self.put_message(data),
            "MESSAGE_ACK" => self.read_up_to(id(data, "channel_id"), id(data, "message_id")),
            // Neither changes what is known: typing passes by itself.
            "TYPING_START" | "RESUMED" => {}
            other => panic!("a dispatch that this reducer does not know: {other}"),
        }
    }

    fn ready(&mut self, data: &Value) {
        let list = |field: &str| data[field].as_array().unwrap_or_else(|| panic!("READY has `{field}`")).clone();
        *self = Self {
            me: data["user"].clone(),
            awaited: list("guilds").iter().map(|guild| id(guild, "id")).collect(),
            reads: list("read_state")
                .iter()
                .map(|read| (id(read, "id"), id(read, "last_message_id")))
                .collect(),
            session_id: Some(data["session_id"].as_str().expect("READY has a session id").to_owned()),
            guilds: BTreeMap::new(),
            s: self.s,
        };
    }

    fn put_guild(&mut self, data: &Value) {
        let mut fields = data.as_object().expect("a guild is an object").clone();
        let mut take = |field: &str| match fields.remove(field) {
            Some(Value::Array(list)) => list,
            other => panic!("GUILD_CREATE has a list `{field}`, not {other:?}"),
        };
        let channels = take("channels").into_iter().map(|channel| (id(&channel, "id"), channel)).collect();
        let members = take("members").into_iter().map(|member| (member_id(&member), member)).collect();
        let guild = id(data, "id");
        self.awaited.remove(&guild);
        self.guilds.insert(guild, Guild { fields, channels, members });
    }

    fn put_member(&mut self, data: &Value) {
        let me = id(&self.me, "id");
        let Some(guild) = self.guilds.get_mut(&id(data, "guild_id")) else {
            return;
        };
        guild.resize(data, me);
        // Of a large guild a client holds some members only; a stranger is not added to them.
        if guild.fields.get("large") == Some(&Value::Bool(false)) || guild.members.contains_key(&member_id(data)) {
            let mut member = data.clone();
            let fields = member.as_object_mut().expect("a member is an object");
            fields.remove("guild_id");
            fields.remove("member_count");
            fields.remove("large");
            guild.members.insert(member_id(data), member);
        }
    }

    fn put_message(&mut self, data: &Value) {
        let (channel, message) = (id(data, "channel_id"), id(data, "id"));
        let known = self.guilds.values_mut().find_map(|guild| guild.channels.get_mut(&channel));
        if let Some(known) = known {
            let newest = known["last_message_id"].as_str().map_or(0, |text| text.parse().expect("an id"));
            if message > newest {
                known["last_message_id"] = json!(message.to_string());
            }
        }
        if data["author"]["id"] == self.me["id"] {
            self.read_up_to(channel, message);
        }
    }

    fn read_up_to(&mut self, channel: Id, message: Id) {
        let read = self.reads.entry(channel).or_insert(0);
        *read = message.max(*read);
    }

    /// Has everything that READY announced arrived?
    pub fn is_complete(&self) -> bool {
        self.session_id.is_some() && self.awaited.is_empty()
    }

    /// What is known, in a form in which two states that mean the same are equal.
    ///
    /// Channels and members go by id. A read state counts for a channel that is seen, and never lies before the moment the user
    /// joined, because what is older than that counts as read.
    pub fn snapshot(&self) -> Value {
        let guilds: Map<String, Value> = self.guilds.iter().map(|(id, guild)| (id.to_string(), self.guild(guild))).collect();
        json!({ "me": self.me, "guilds": guilds })
    }

    fn guild(&self, guild: &Guild) -> Value {
        let joined_at = guild
            .fields
            .get("joined_at")
            .and_then(Value::as_str)
            .expect("a guild says when one joined");
        let joined = snowflakes::first_of(parse_ms(joined_at));
        let by_id =
            |list: &BTreeMap<Id, Value>| -> Map<String, Value> { list.iter().map(|(id, value)| (id.to_string(), value.clone())).collect() };
        let reads: Map<String, Value> = guild
            .channels
            .keys()
            .map(|channel| {
                (
                    channel.to_string(),
                    json!(self.reads.get(channel).copied().unwrap_or(0).max(joined)),
                )
            })
            .collect();
        json!({ "fields": guild.fields, "channels": by_id(&guild.channels), "members": by_id(&guild.members), "reads": reads })
    }
}

fn parse_ms(text: &str) -> i64 {
    serde_json::from_value::<nexus_types::timestamps::Timestamp>(json!(text))
        .expect("a timestamp")
        .0
}

/// Where two snapshots differ, as paths with both values; empty if they are equal.
pub fn differences(one: &Value, other: &Value) -> Vec<String> {
    let mut list = Vec::new();
    collect("", one, other, &mut list);
    list
}

fn collect(path: &str, one: &Value, other: &Value, list: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(left), Value::Object(right)) => {
            let keys: BTreeSet<_> = left.keys().chain(right.keys()).collect();
            for key in keys {
                let (left, right) = (left.get(key).unwrap_or(&Value::Null), right.get(key).unwrap_or(&Value::Null));
                collect(&format!("{path}/{key}"), left, right, list);
            }
        }
        _ if one == other => {}
        _ => list.push(format!("{path}: {one} or {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(name: &str, data: &Value, s: i64) -> Value {
        json!({ "t": name, "op": 0, "d": data, "s": s })
    }

    fn ready() -> Vec<Value> {
        let channel = json!({"id": "20", "guild_id": "10", "name": "general", "last_message_id": null});
        let member = json!({"user": {"id": "1"}, "roles": []});
        vec![
            frame(
                "READY",
                &json!({"user": {"id": "1"}, "guilds": [{"id": "10"}], "read_state": [], "session_id": "x"}),
                4,
            ),
            frame(
                "GUILD_CREATE",
                &json!({"id": "10", "name": "G", "large": false, "member_count": 1, "joined_at": "2026-01-01T00:00:00.000000+00:00",
                    "channels": [channel], "members": [member]}),
                5,
            ),
        ]
    }

    #[test]
    fn a_burst_is_complete_with_its_last_guild() {
        let frames = ready();
        assert!(!State::of(&frames[..1]).is_complete());
        assert!(State::of(&frames).is_complete());
    }

    #[test]
    fn an_own_message_is_read_and_a_foreign_one_is_not() {
        let mut state = State::of(&ready());
        let message = |author: &str, id: &str| {
            frame(
                "MESSAGE_CREATE",
                &json!({"id": id, "channel_id": "20", "author": {"id": author}}),
                6,
            )
        };
        state.apply(&message("2", "7000000000000000000"));
        assert_eq!(state.reads.get(&20), None);
        state.apply(&message("1", "7000000000000000001"));
        assert_eq!(state.reads[&20], 7_000_000_000_000_000_001);
        assert_eq!(state.guilds[&10].channels[&20]["last_message_id"], "7000000000000000001");
        state.apply(&message("2", "7"));
        assert_eq!(
            state.guilds[&10].channels[&20]["last_message_id"], "7000000000000000001",
            "an old event does no harm"
        );
    }

    #[test]
    fn a_difference_is_named_by_its_path() {
        let one = State::of(&ready());
        let mut other = one.clone();
        other.apply(&frame("GUILD_UPDATE", &json!({"id": "10", "name": "H"}), 6));
        assert_eq!(
            differences(&one.snapshot(), &other.snapshot()),
            [r#"/guilds/10/fields/name: "G" or "H""#]
        );
        assert!(differences(&one.snapshot(), &one.snapshot()).is_empty());
    }
}
