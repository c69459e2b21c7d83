//! What streams push: the same JSON live, from an entry of the log, and for the past, from the hub's own table.

use nexus_store::sql::hub::events as rows;
use nexus_store::{Entry, StoreError, Tx, sql};
use nexus_types::events::Kind;
use nexus_types::hub::{EventType, Pattern, whole};
use serde::Deserialize;

use super::{Access, Hub};
use crate::errors::Result;

/// An event as a stream pushes it.
///
/// # Shape
/// `json` is that of [`HubEvent`](nexus_types::hub::HubEvent).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEvent {
    /// Its place in the log.
    pub position: i64,
    /// Its type.
    pub kind: EventType,
    /// What is pushed.
    pub json: String,
}

/// The type, of all that an entry holds.
#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow)]
    event: std::borrow::Cow<'a, str>,
}

impl Hub {
    /// What streams push for an entry of the log; `None` for what does not come to the hub. It depends on nothing but the entry.
    pub fn stream_event(&self, entry: &Entry) -> Option<StreamEvent> {
        if entry.kind == Kind::HubEvent as i64 {
            let typed: Typed = serde_json::from_str(&entry.body).ok()?;
            return Some(StreamEvent {
                position: entry.position,
                kind: EventType::parse(&typed.event).ok()?,
                json: whole(entry.position, &entry.body),
            });
        }
        let (event, _) = self.event_of(entry)?;
        Some(StreamEvent {
            position: event.position,
            json: whole(event.position, &event.entry_body()),
            kind: event.kind,
        })
    }

    /// Up to `limit` events after a position, in order, of what is recorded.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn past(&self, position: i64, patterns: Vec<Pattern>, limit: i64) -> Result<Vec<StreamEvent>> {
        let job = async move |tx: &mut Tx<'_>| rows::after(tx, position, &patterns, limit).await;
        let stored = self.0.db.read::<_, StoreError, _>(job).await?;
        let event = |stored: rows::StoredEvent| StreamEvent {
            position: stored.event.position,
            json: whole(stored.event.position, &stored.event.entry_body()),
            kind: stored.event.kind,
        };
        Ok(stored.into_iter().map(event).collect())
    }

    /// The position of the oldest event that is kept.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn oldest(&self) -> Result<Option<i64>> {
        let oldest = self
            .0
            .db
            .read::<_, StoreError, _>(async |tx: &mut Tx<'_>| rows::oldest(tx).await)
            .await?;
        Ok(oldest)
    }

    /// The position of the newest event that was deleted because it was old, 0 if none was. Whoever wants everything after an older
    /// one does not get it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn floor(&self) -> Result<i64> {
        let floor = self
            .0
            .db
            .read::<_, StoreError, _>(async |tx: &mut Tx<'_>| rows::floor(tx).await)
            .await?;
        Ok(floor)
    }

    /// Is an access still good: its login has not ended; its source is there, has the same rights, and the secret that signed is still
    /// good?
    ///
    /// # Errors
    /// Those of the store.
    pub async fn holds(&self, access: &Access) -> Result<bool> {
        Ok(match access {
            Access::Admin => true,
            Access::Source(source) => self.sources().holds(source),
            &Access::Administrator { user, login } => {
                let job = async move |tx: &mut Tx<'_>| sql::logins::is_live(tx, login, user).await;
                self.0.db.read::<_, StoreError, _>(job).await?
            }
        })
    }
}
