//! Appending events to the log, in the transaction that makes them true.

use nexus_store::{Entry, NewEntry, StoreError, Tx};
use nexus_types::events::{Address, BadEntry, Event};
use nexus_types::ids::Position;

/// Appends an event; it reaches its readers after the commit.
///
/// # Errors
/// Those of the store.
pub async fn append(tx: &mut Tx<'_>, now_ms: i64, event: &Event) -> Result<Position, StoreError> {
    let Address {
        topic,
        channel,
        subject,
        object,
    } = event.address();
    let entry = NewEntry {
        at_ms: now_ms,
        kind: event.kind() as i64,
        topic,
        channel,
        subject,
        object,
        body: event.body(),
    };
    tx.append(entry).await.map(Position)
}

/// Reads an entry of the log.
///
/// # Errors
/// [`BadEntry`] if it was written by a newer version or is damaged.
pub fn read(entry: &Entry) -> Result<Event, BadEntry> {
    let address = Address {
        topic: entry.topic,
        channel: entry.channel,
        subject: entry.subject,
        object: entry.object,
    };
    Event::parse(entry.kind, address, &entry.body)
}
