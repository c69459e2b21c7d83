//! Events of the hub, each under the position of its entry in the log.

mod pages;

use nexus_types::hub::{EventType, HubEvent};
use nexus_types::ids::HubEventId;
use serde_json::value::RawValue;

pub use self::pages::{Filter, after, page};
use crate::sql::reactors::lowest_cursor;
use crate::{Row, StoreError, Tx};

/// The text of a statement over events, in the order that [`stored`] reads.
macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, position, type, payload, source, at_ms, cause, hops, external_id FROM hub_events ",
            $tail
        )
    };
}

const INSERT: &str = "INSERT INTO hub_events (position, id, type, source, payload, at_ms, external_id, body_hash, cause, hops)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const RECORD: &str = "INSERT INTO hub_events (position, id, type, source, payload, at_ms, external_id, body_hash, cause, hops)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (position) DO NOTHING";
const BY_EXTERNAL: &str = "SELECT id, body_hash, type, position FROM hub_events WHERE source = $1 AND external_id = $2";
const LOAD: &str = select!("WHERE id = $1");
const AT: &str = select!("WHERE position = $1");
const OLDEST: &str = "SELECT position FROM hub_events ORDER BY position LIMIT 1";

const OLD: &str = "SELECT e.position, e.at_ms, EXISTS (SELECT 1 FROM reactor_jobs j WHERE j.position = e.position)
    FROM hub_events e WHERE e.position > $1 AND e.position <= $2 ORDER BY e.position LIMIT $3";
const DELETE: &str = "DELETE FROM hub_events WHERE position = $1";
const FLOOR: &str = "SELECT CAST(value AS BIGINT) FROM instance WHERE key = 'hub_floor'";
const RAISE_FLOOR: &str = "INSERT INTO instance (key, value) VALUES ('hub_floor', CAST($1 AS TEXT))
    ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE CAST(instance.value AS BIGINT) < $1";

/// A new event's row.
#[derive(Debug, Clone, Copy)]
pub struct NewHubEvent<'a> {
    /// That of its entry in the log.
    pub position: i64,
    /// Its id.
    pub id: HubEventId,
    /// Its type.
    pub kind: &'a EventType,
    /// Who sent it.
    pub source: &'a str,
    /// A JSON object, as it came.
    pub payload: &'a str,
    /// When.
    pub at_ms: i64,
    /// What the source calls it.
    pub external_id: Option<&'a str>,
    /// SHA-256 of the body, for those that have an external id.
    pub body_hash: Option<&'a [u8; 32]>,
    /// The position of the event that a reactor made it of, 0 for none.
    pub cause: i64,
    /// How many events there are before it in that way.
    pub hops: i64,
}

/// An event with what the hub keeps for itself.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    /// The event.
    pub event: HubEvent,
    /// The position of the event that a reactor made it of, 0 for none.
    pub cause: i64,
    /// How many events there are before it in that way.
    pub hops: i64,
    /// What the source calls it.
    pub external_id: Option<String>,
}

/// An event that came under this external id before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: HubEventId,
    /// SHA-256 of the body it came in.
    pub body_hash: Option<[u8; 32]>,
    /// Its type.
    pub kind: EventType,
    /// Its place in the log.
    pub position: i64,
}

fn stored(row: &Row<'_>) -> Result<StoredEvent, StoreError> {
    let payload = RawValue::from_string(row.get(3)?).map_err(|cause| StoreError::internal("read a payload", cause))?;
    Ok(StoredEvent {
        event: HubEvent {
            id: row.get(0)?,
            position: row.get(1)?,
            kind: row.get(2)?,
            payload,
            source: row.get(4)?,
            timestamp: row.get(5)?,
        },
        cause: row.get(6)?,
        hops: row.get(7)?,
        external_id: row.get(8)?,
    })
}

async fn add(tx: &mut Tx<'_>, sql: &'static str, event: &NewHubEvent<'_>) -> Result<bool, StoreError> {
    let args = [
        event.position.into(),
        event.id.into(),
        event.kind.into(),
        event.source.into(),
        event.payload.into(),
        event.at_ms.into(),
        event.external_id.into(),
        event.body_hash.into(),
        event.cause.into(),
        event.hops.into(),
    ];
    Ok(tx.execute(sql, &args).await? == 1)
}

/// Adds an event.
///
/// # Errors
/// Those of the store, also if its position, its id, or its source's id of it is taken: ask [`by_external`] before.
pub async fn insert(tx: &mut Tx<'_>, event: &NewHubEvent<'_>) -> Result<(), StoreError> {
    add(tx, INSERT, event).await.map(drop)
}

/// Adds an event unless its position has one already; true if it was added.
///
/// # Errors
/// As [`insert`], but for the position.
pub async fn record(tx: &mut Tx<'_>, event: &NewHubEvent<'_>) -> Result<bool, StoreError> {
    add(tx, RECORD, event).await
}

/// The event that a source called so.
///
/// # Errors
/// Those of the store.
pub async fn by_external(tx: &mut Tx<'_>, source: &str, external_id: &str) -> Result<Option<Known>, StoreError> {
    tx.query_opt(BY_EXTERNAL, &[source.into(), external_id.into()], |row| {
        Ok(Known {
            id: row.get(0)?,
            body_hash: row.get(1)?,
            kind: row.get(2)?,
            position: row.get(3)?,
        })
    })
    .await
}

/// One event.
///
/// # Errors
/// Those of the store.
pub async fn load(tx: &mut Tx<'_>, id: HubEventId) -> Result<Option<StoredEvent>, StoreError> {
    tx.query_opt(LOAD, &[id.into()], stored).await
}

/// The event at a position.
///
/// # Errors
/// Those of the store.
pub async fn at(tx: &mut Tx<'_>, position: i64) -> Result<Option<StoredEvent>, StoreError> {
    tx.query_opt(AT, &[position.into()], stored).await
}

/// The position of the oldest event there is.
///
/// # Errors
/// Those of the store.
pub async fn oldest(tx: &mut Tx<'_>) -> Result<Option<i64>, StoreError> {
    tx.query_opt(OLDEST, &[], |row| row.get(0)).await
}

/// Looks at the first `rows` events after a position and deletes those that happened before `before_ms` and have no job. Says
/// where to go on, `None` at the end. Begin with 0, after [`reactors::sweep`](crate::sql::reactors::sweep).
///
/// # Invariant
/// No event goes that a reader of the log with a durable cursor has yet to read, nor one that has a job.
///
/// # Errors
/// Those of the store.
pub async fn sweep(tx: &mut Tx<'_>, after: i64, before_ms: i64, rows: i64) -> Result<Option<i64>, StoreError> {
    let read = |row: &Row<'_>| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?, row.get::<bool>(2)?));
    // A reader that comes later may want to add jobs.
    let read_by_all = lowest_cursor(tx).await?.unwrap_or(i64::MAX);
    let oldest = tx.query(OLD, &[after.into(), read_by_all.into(), rows.into()], read).await?;
    let is_full = oldest.len() as i64 == rows;
    let (mut looked_at, mut deleted) = (None, None);
    let mut is_over = !is_full;
    for (position, at_ms, has_jobs) in oldest {
        if at_ms >= before_ms {
            is_over = true;
            break;
        }
        if !has_jobs {
            tx.execute(DELETE, &[position.into()]).await?;
            deleted = Some(position);
        }
        looked_at = Some(position);
    }
    if let Some(deleted) = deleted {
        tx.execute(RAISE_FLOOR, &[deleted.into()]).await?;
    }
    Ok(looked_at.filter(|_| !is_over))
}

/// The position of the newest event that a sweep deleted, 0 if there is none: whoever wants everything after an older one does not
/// get it.
///
/// # Errors
/// Those of the store.
pub async fn floor(tx: &mut Tx<'_>) -> Result<i64, StoreError> {
    Ok(tx.query_opt(FLOOR, &[], |row| row.get(0)).await?.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::plans::check;

    #[test]
    fn no_statement_looks_at_more_than_its_range() {
        check(FLOOR, "SEARCH instance USING PRIMARY KEY (key=?)");
        check(INSERT, "");
        check(RECORD, "");
        check(
            BY_EXTERNAL,
            "SEARCH hub_events USING INDEX hub_events_external (source=? AND external_id=?)",
        );
        check(LOAD, "SEARCH hub_events USING INDEX hub_events_id (id=?)");
        check(AT, "SEARCH hub_events USING INTEGER PRIMARY KEY (rowid=?)");
        check(OLDEST, "SCAN hub_events");
        check(
            OLD,
            "SEARCH e USING INTEGER PRIMARY KEY (rowid>? AND rowid<?); CORRELATED SCALAR SUBQUERY 1; SEARCH j USING COVERING INDEX reactor_jobs_event (position=?)",
        );
        check(DELETE, "SEARCH hub_events USING INTEGER PRIMARY KEY (rowid=?)");
    }
}
