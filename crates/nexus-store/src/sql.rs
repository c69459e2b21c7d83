//! The tables by noun: one module per noun, each a handful of functions over [`Tx`], each with a law in `tests/it/`.
//!
//! A function here reads or changes rows and decides nothing. One SQL text serves every database.

use nexus_types::hub::{AttemptOutcome, EventType, JobState, WebhookState};
use nexus_types::ids::{ChannelId, GuildId, HubEventId, JobId, LoginId, MessageId, RoleId, UserId, WebhookId};
use nexus_types::timestamps::Timestamp;

use crate::{Column, ColumnValue, StoreError, Tx, Value};

pub mod admin_tokens;
pub mod bots;
pub mod channels;
pub mod guilds;
pub mod hub;
pub mod invites;
pub mod logins;
pub mod members;
pub mod messages;
pub mod reactors;
pub mod read_states;
pub mod setup;
pub mod transparency;
pub mod users;

macro_rules! integers {
    ($($name:ident),*) => {$(
        impl From<$name> for Value<'_> {
            fn from(id: $name) -> Self { Self::Int(id.0) }
        }
        impl Column for $name {
            fn column(value: ColumnValue<'_>) -> Result<Self, StoreError> { i64::column(value).map(Self) }
        }
    )*};
}

integers!(
    UserId, LoginId, GuildId, ChannelId, MessageId, RoleId, Timestamp, HubEventId, WebhookId, JobId
);

macro_rules! states {
    ($($name:ident),*) => {$(
        impl From<$name> for Value<'_> {
            fn from(state: $name) -> Self { Self::Int(state as i64) }
        }
        impl Column for $name {
            fn column(value: ColumnValue<'_>) -> Result<Self, StoreError> {
                let number = i64::column(value)?;
                Self::of(number).ok_or_else(|| StoreError::internal("read a state", format_args!("there is no number {number}")))
            }
        }
    )*};
}

states!(JobState, AttemptOutcome, WebhookState);

impl<'a> From<&'a EventType> for Value<'a> {
    fn from(kind: &'a EventType) -> Self {
        Self::Text(kind.as_str())
    }
}

impl Column for EventType {
    fn column(value: ColumnValue<'_>) -> Result<Self, StoreError> {
        match value {
            ColumnValue::Text(text) => Self::parse(text).map_err(|cause| StoreError::internal("read a type of events", cause)),
            _ => Err(StoreError::internal("read a type of events", "it is no text")),
        }
    }
}

/// Encodes a list for a JSON column.
fn to_json(list: &impl serde::Serialize) -> String {
    serde_json::to_string(list).expect("a list of plain values serialises")
}

/// Reads a JSON column.
fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|cause| StoreError::internal("read a JSON column", cause))
}

/// The largest id that was ever stored.
///
/// Every id is drawn in a job that appends an entry or writes one of these rows; of messages, the channel knows its newest.
///
/// # Errors
/// Those of the store.
pub async fn highest_id(tx: &mut Tx<'_>) -> Result<i64, StoreError> {
    const HIGHEST: &str = "SELECT MAX(highest) FROM (
        SELECT MAX(id) AS highest FROM users UNION ALL SELECT MAX(id) FROM logins UNION ALL SELECT MAX(id) FROM guilds
        UNION ALL SELECT MAX(id) FROM channels UNION ALL SELECT MAX(last_message_id) FROM channels
        UNION ALL SELECT MAX(id) FROM hub_events UNION ALL SELECT MAX(id) FROM hub_webhooks) AS ids";
    Ok(tx
        .query_opt(HIGHEST, &[], |row| row.get::<Option<i64>>(0))
        .await?
        .flatten()
        .unwrap_or(0))
}

/// How SQLite goes about statements, for the tests beside them.
#[cfg(test)]
pub(crate) mod plans {
    /// Checks the plan of a statement over the whole schema.
    pub(crate) fn check(sql: &str, expected: &str) {
        let conn = rusqlite::Connection::open_in_memory().expect("a database in memory");
        for schema in crate::sqlite::schemas() {
            conn.execute_batch(schema).expect("the schema is made");
        }
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("the statement is right");
        let steps: Vec<String> = statement
            .raw_query()
            .mapped(|row| row.get(3))
            .collect::<Result<_, _>>()
            .expect("the plan is read");
        assert_eq!(steps.join("; "), expected, "{sql}");
    }
}
