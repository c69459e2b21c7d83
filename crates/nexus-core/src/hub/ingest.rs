//! Taking an event in: check, write once, answer. The reactors hear of it from the log, after the commit.

use std::borrow::Cow;

use nexus_store::sql::hub::events as rows;
use nexus_store::sql::hub::events::NewHubEvent;
use nexus_store::{StoreError, Tx};
use nexus_types::ErrorCode;
use nexus_types::events::Event;
use nexus_types::hub::{EventType, HubEvent, PLATFORM_SOURCE};
use nexus_types::ids::HubEventId;
use nexus_types::limits::{EVENT_BYTES_MAX, EXTERNAL_ID_CHARS_MAX, JSON_DEPTH_MAX};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::sources::SourceAccess;
use super::types::field;
use super::{Hub, REACTOR_SOURCE};
use crate::clock::Clock;
use crate::errors::Result;
use crate::events;

/// # Shape
/// `{"event", "payload": {…}}`; further members are let be.
#[derive(Deserialize)]
struct Posted<'a> {
    #[serde(borrow)]
    event: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// What became of a posted event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Was it here before, under the same event id?
    pub duplicate: bool,
    /// The type as it was sent.
    pub event: String,
    /// The event's id.
    pub id: HubEventId,
    /// Its place in the log.
    pub position: i64,
}

/// An event that shall be committed.
pub(crate) struct Draft<'a> {
    pub(crate) kind: &'a EventType,
    pub(crate) payload: Box<RawValue>,
    pub(crate) source: &'a str,
    /// The id that its source gave it, and the hash of the body that it came in.
    pub(crate) external: Option<(&'a str, &'a [u8; 32])>,
    /// The position of the event that it was made of, and how many times one was made of another before.
    pub(crate) cause: i64,
    pub(crate) hops: i64,
}

/// Writes an event: its entry in the log and its own row.
pub(crate) async fn commit(tx: &mut Tx<'_>, clock: &Clock, draft: Draft<'_>) -> Result<HubEvent, StoreError> {
    let mut event = HubEvent {
        id: HubEventId(clock.next_id()),
        position: 0,
        kind: draft.kind.clone(),
        payload: draft.payload,
        source: draft.source.to_owned(),
        timestamp: clock.now_ms(),
    };
    let entry = Event::HubEvent {
        id: event.id,
        data: event.entry_body(),
    };
    event.position = events::append(tx, event.timestamp, &entry).await?.0;
    let row = NewHubEvent {
        position: event.position,
        id: event.id,
        kind: &event.kind,
        source: &event.source,
        payload: event.payload.get(),
        at_ms: event.timestamp,
        external_id: draft.external.map(|(id, _)| id),
        body_hash: draft.external.map(|(_, hash)| hash),
        cause: draft.cause,
        hops: draft.hops,
    };
    rows::insert(tx, &row).await?;
    Ok(event)
}

/// Writes an event that the hub itself tells.
pub(crate) async fn tell(tx: &mut Tx<'_>, clock: &Clock, kind: &str, payload: String) -> Result<HubEvent, StoreError> {
    let draft = Draft {
        kind: &EventType::parse(kind).expect("the hub's own types are types"),
        payload: RawValue::from_string(payload).expect("what the hub itself tells is JSON"),
        source: PLATFORM_SOURCE,
        external: None,
        cause: 0,
        hops: 0,
    };
    commit(tx, clock, draft).await
}

/// Which event another is made of, and by whom.
pub(crate) struct Maker<'a> {
    /// The reactor's name.
    pub(crate) reactor: &'a str,
    /// The position of the event that it answers.
    pub(crate) cause: i64,
    /// How many times an event was made of another on the way to the new one.
    pub(crate) hops: i64,
}

/// Writes an event that a reactor makes of another.
pub(crate) async fn emit(tx: &mut Tx<'_>, clock: &Clock, maker: &Maker<'_>, made: (&EventType, &str)) -> Result<(), StoreError> {
    let (kind, payload) = made;
    let payload = RawValue::from_string(payload.to_owned()).map_err(|cause| StoreError::internal("read a made payload", cause))?;
    let draft = Draft {
        kind,
        payload,
        source: &format!("{REACTOR_SOURCE}{}", maker.reactor),
        external: None,
        cause: maker.cause,
        hops: maker.hops,
    };
    commit(tx, clock, draft).await.map(drop)
}

impl Hub {
    /// Takes in an event whose signature was good, and answers when it is durable.
    ///
    /// The same event id with the same body answers with the first event, and no reactor hears of it again.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidJson`], [`ErrorCode::InvalidEventType`], [`ErrorCode::InvalidPayload`], [`ErrorCode::TypeNotAllowed`],
    /// [`ErrorCode::InvalidEventId`], [`ErrorCode::EventConflict`].
    pub async fn ingest(&self, source: &SourceAccess, body: &[u8], external_id: Option<&str>) -> Result<Published> {
        if body.len() > EVENT_BYTES_MAX {
            return Err(ErrorCode::PayloadTooLarge.into());
        }
        let posted: Posted = serde_json::from_slice(body).map_err(|_| ErrorCode::InvalidJson)?;
        let event = posted.event.ok_or(ErrorCode::InvalidEventType)?.into_owned();
        let Some(payload) = posted.payload else {
            // A type that nobody knows is said first.
            self.types().check(&event, &Value::Null).map_err(unknown_first)?;
            return Err(field(ErrorCode::InvalidPayload, "payload", "This field is required."));
        };
        let value: Value = serde_json::from_str(payload.get()).map_err(|_| ErrorCode::InvalidJson)?;
        if depth(&value) > JSON_DEPTH_MAX {
            return Err(ErrorCode::InvalidJson.into());
        }
        let kind = self.types().check(&event, &value)?.clone();
        if !source.may(&kind) {
            return Err(ErrorCode::TypeNotAllowed.into());
        }
        let external = external_id.map(parse_external).transpose()?.map(str::to_owned);
        // Only what may be repeated is held against what came before.
        let hash: [u8; 32] = external.as_ref().map_or([0; 32], |_| Sha256::digest(body).into());
        let (clock, name, payload) = (self.0.clock.clone(), source.name.clone(), payload.to_owned());
        let job = async move |tx: &mut Tx<'_>| -> Result<(bool, HubEventId, i64)> {
            if let Some(external) = &external
                && let Some(known) = rows::by_external(tx, &name, external).await?
            {
                return if known.body_hash == Some(hash) {
                    Ok((true, known.id, known.position))
                } else {
                    Err(ErrorCode::EventConflict.into())
                };
            }
            let draft = Draft {
                kind: &kind,
                payload,
                source: &name,
                external: external.as_deref().map(|id| (id, &hash)),
                cause: 0,
                hops: 0,
            };
            let event = commit(tx, &clock, draft).await?;
            Ok((false, event.id, event.position))
        };
        let (duplicate, id, position) = self.0.db.write(job).await?;
        Ok(Published {
            duplicate,
            event,
            id,
            position,
        })
    }
}

/// A missing payload is an unknown type's fault only if the type is unknown.
fn unknown_first(error: crate::Error) -> crate::Error {
    if error.code() == Some(ErrorCode::InvalidEventType) {
        error
    } else {
        field(ErrorCode::InvalidPayload, "payload", "This field is required.")
    }
}

/// 1 to 128 printable ASCII characters.
fn parse_external(text: &str) -> Result<&str> {
    let fits = (1..=EXTERNAL_ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text) } else { Err(ErrorCode::InvalidEventId.into()) }
}

/// How deep arrays and objects nest.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
