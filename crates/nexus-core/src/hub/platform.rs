//! What the platform itself tells the hub: that something happened and to which ids, never what was said.
//!
//! # Invariant
//! A payload here holds ids alone. Who may read the content reads it through the gateway as a member.

use nexus_store::Entry;
use nexus_types::events::{Event, Kind};
use nexus_types::hub::{EventType, HubEvent, PLATFORM_SOURCE};
use nexus_types::ids::{HubEventId, UserId};
use nexus_types::snowflakes;
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::events;

/// The platform's types. The contract spells them small.
pub const TYPES: &[&str] = &[
    "nexus:guild_create",
    "nexus:guild_update",
    "nexus:guild_delete",
    "nexus:guild_member_add",
    "nexus:guild_member_remove",
    "nexus:channel_create",
    "nexus:channel_update",
    "nexus:channel_delete",
    "nexus:message_create",
    TEST,
];
/// What a webhook's test sends. It is no entry of the log.
pub const TEST: &str = "nexus:webhook_test";

/// The type that an entry of this kind has in the hub, if it comes there at all. That somebody read a message or signed out is nobody's
/// business but their own.
fn kind_of(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::GuildCreate => "nexus:guild_create",
        Kind::GuildUpdate | Kind::GuildOwnerUpdate => "nexus:guild_update",
        Kind::GuildDelete => "nexus:guild_delete",
        Kind::GuildMemberAdd => "nexus:guild_member_add",
        Kind::GuildMemberRemove => "nexus:guild_member_remove",
        Kind::ChannelCreate => "nexus:channel_create",
        Kind::ChannelUpdate | Kind::ChannelOverwriteUpdate => "nexus:channel_update",
        Kind::ChannelDelete => "nexus:channel_delete",
        Kind::MessageCreate => "nexus:message_create",
        Kind::MessageAck | Kind::LoginEnd | Kind::HubEvent => return None,
    })
}

/// The author of a message, of all that its entry holds.
#[derive(Deserialize)]
struct Authored {
    author: Author,
}

#[derive(Deserialize)]
struct Author {
    id: UserId,
}

/// The event that an entry of the platform is in the hub; the same to everybody who makes it.
///
/// An entry that was scrubbed or can't be read is told without what only its body knew.
pub fn event(entry: &Entry) -> Option<HubEvent> {
    let kind = kind_of(Kind::of(entry.kind)?)?;
    Some(HubEvent {
        id: HubEventId(snowflakes::of_position(entry.at_ms, entry.position)),
        position: entry.position,
        kind: EventType::parse(kind).expect("the platform's types are types"),
        payload: payload(entry),
        source: PLATFORM_SOURCE.to_owned(),
        timestamp: entry.at_ms,
    })
}

/// Does an entry of this kind come to the hub?
pub fn is_told(kind: i64) -> bool {
    Kind::of(kind).and_then(kind_of).is_some()
}

fn payload(entry: &Entry) -> Box<RawValue> {
    let mut ids = json!({ "guild_id": entry.topic.to_string() });
    if entry.channel != 0 {
        ids["channel_id"] = entry.channel.to_string().into();
    }
    match Kind::of(entry.kind) {
        Some(Kind::MessageCreate) => {
            ids["message_id"] = entry.object.to_string().into();
            if let Ok(authored) = serde_json::from_str::<Authored>(&entry.body) {
                ids["author_id"] = json!(authored.author.id);
            }
        }
        Some(Kind::GuildMemberAdd | Kind::GuildMemberRemove) => ids["user_id"] = entry.subject.to_string().into(),
        Some(Kind::GuildCreate | Kind::GuildOwnerUpdate) => {
            if let Some(owner) = owner(entry) {
                ids["owner_id"] = owner;
            }
        }
        _ => {}
    }
    to_raw_value(&ids).expect("ids serialise")
}

fn owner(entry: &Entry) -> Option<Value> {
    match events::read(entry).ok()? {
        Event::GuildCreate(snapshot) | Event::GuildOwnerUpdate { snapshot, .. } => Some(json!(snapshot.guild.owner_id)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn entry(kind: Kind, body: &str) -> Entry {
        Entry {
            position: 9,
            at_ms: 5,
            kind: kind as i64,
            topic: 1,
            channel: 2,
            subject: 0,
            object: 3,
            body: Arc::from(body),
        }
    }

    #[test]
    fn a_message_is_told_by_its_ids_and_never_by_its_text() {
        let body = r#"{"id":"3","content":"the canary","author":{"id":"4","username":"wren"},"nonce":"secret"}"#;
        let event = event(&entry(Kind::MessageCreate, body)).expect("it is told");
        assert_eq!(
            serde_json::from_str::<Value>(event.payload.get()).expect("JSON"),
            json!({"guild_id": "1", "channel_id": "2", "message_id": "3", "author_id": "4"})
        );
        let whole = serde_json::to_string(&event).expect("JSON");
        assert!(
            !whole.contains("canary") && !whole.contains("wren") && !whole.contains("secret"),
            "{whole}"
        );
    }

    #[test]
    fn a_scrubbed_message_keeps_its_ids() {
        let event = event(&entry(Kind::MessageCreate, "")).expect("it is told");
        assert!(event.payload.get().contains("message_id") && !event.payload.get().contains("author_id"));
    }

    #[test]
    fn what_somebody_reads_and_when_they_sign_out_is_not_told() {
        for kind in [Kind::MessageAck, Kind::LoginEnd] {
            assert!(event(&entry(kind, "{}")).is_none() && !is_told(kind as i64));
        }
        for kind in Kind::ALL {
            if let Some(name) = kind_of(*kind) {
                assert!(TYPES.contains(&name), "{name}");
            }
        }
    }
}
