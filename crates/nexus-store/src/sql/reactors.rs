//! Reactors' rows: how far readers of the log are, which reactors are paused, and their jobs.
//!
//! A job waits, is done, is dead, or was discarded. A waiting one is free, or held: leased to a worker, or behind another of its
//! order key. Of each order key exactly one waiting job of a reactor is not behind another, so that no two run at once. A job
//! never outlives its event's row, because [`events::sweep`](super::hub::events::sweep) leaves events that have jobs.

mod attempts;
mod jobs;
mod leases;
mod lists;

use nexus_types::hub::JobState;
use nexus_types::ids::{HubEventId, JobId};

pub use self::attempts::{Attempt, Settled, attempts_of, settle};
pub use self::jobs::{NewJob, add, add_dead, add_done, discard, give_up, rekey, remove_jobs, replay, sweep, sweep_dead, with_waiting};
pub use self::leases::{LeasedJob, lease, next_due, postpone, release_all};
pub use self::lists::{Counts, counts, dead_count, dead_letters, job, jobs, jobs_of, waiting_count};
use crate::{StoreError, Tx};

/// The lease of a job that is behind another of its order key.
const BEHIND: i64 = i64::MAX;

/// How a waiting job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It may be taken once it is due.
    Free,
    /// Another of its order key is before it.
    Behind,
    /// A worker has it until then.
    LeasedUntil(i64),
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredJob {
    /// Its id.
    pub id: JobId,
    /// Whose run it is.
    pub reactor: String,
    /// The position of its event.
    pub position: i64,
    /// Its event.
    pub event_id: HubEventId,
    /// At most one run of the reactor for each.
    pub key: String,
    /// How it stands.
    pub state: JobState,
    /// How it stands if it waits.
    pub turn: Turn,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next, if it waits.
    pub due_ms: i64,
    /// When it was added.
    pub created_ms: i64,
    /// When it was done, dead or discarded.
    pub ended_ms: Option<i64>,
    /// How long the last attempt took.
    pub took_us: Option<i64>,
    /// Why the last attempt failed, or why it is not tried.
    pub reason: Option<String>,
}

/// How far a durable reader of the log is; `None` if it never read.
///
/// # Errors
/// Those of the store.
pub async fn cursor(tx: &mut Tx<'_>, name: &str) -> Result<Option<i64>, StoreError> {
    tx.query_opt("SELECT position FROM log_readers WHERE name = $1", &[name.into()], |row| row.get(0))
        .await
}

/// Remembers how far a durable reader is. From now on nothing after it is trimmed.
///
/// # Errors
/// Those of the store.
pub async fn set_cursor(tx: &mut Tx<'_>, name: &str, position: i64) -> Result<(), StoreError> {
    const SET: &str = "INSERT INTO log_readers (name, position) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET position = excluded.position";
    tx.execute(SET, &[name.into(), position.into()]).await.map(drop)
}

/// Forgets a durable reader that reads no more: the log is not kept for it.
///
/// # Errors
/// Those of the store.
pub async fn remove_cursor(tx: &mut Tx<'_>, name: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM log_readers WHERE name = $1", &[name.into()])
        .await
        .map(drop)
}

/// Up to where every durable reader has read; `None` if there is no such reader.
///
/// # Errors
/// Those of the store.
pub async fn lowest_cursor(tx: &mut Tx<'_>) -> Result<Option<i64>, StoreError> {
    let lowest = tx.query_opt("SELECT MIN(position) FROM log_readers", &[], |row| row.get(0)).await?;
    Ok(lowest.flatten())
}

/// The reactors that are paused.
///
/// # Errors
/// Those of the store.
pub async fn paused(tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
    tx.query("SELECT name FROM reactors WHERE paused ORDER BY name", &[], |row| row.get(0))
        .await
}

/// Pauses a reactor, or lets it run again.
///
/// # Errors
/// Those of the store.
pub async fn set_paused(tx: &mut Tx<'_>, name: &str, paused: bool) -> Result<(), StoreError> {
    const SET: &str = "INSERT INTO reactors (name, paused) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET paused = excluded.paused";
    tx.execute(SET, &[name.into(), paused.into()]).await.map(drop)
}
