//! Jobs as people look at them.

use nexus_types::ids::JobId;

use super::{BEHIND, StoredJob, Turn};
use crate::{Row, StoreError, Tx};

/// The text of a statement over jobs and their events, in the order that [`stored`] reads.
macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT j.id, j.reactor, j.position, e.id, j.key, j.state, j.lease_ms, j.attempts, j.due_ms, j.created_ms, j.ended_ms,
            (SELECT a.took_us FROM reactor_attempts a WHERE a.job = j.id AND a.number = j.attempts), j.reason
            FROM reactor_jobs j JOIN hub_events e ON e.position = j.position ",
            $tail
        )
    };
}

const JOB: &str = select!("WHERE j.id = $1");
const OF_EVENT: &str = select!("WHERE j.position = $1 ORDER BY j.id");
const OF_REACTOR: &str = select!("WHERE j.reactor = $1 AND j.id < $2 ORDER BY j.id DESC LIMIT $3");
const DEAD: &str = select!("WHERE j.state = 2 AND j.id < $1 ORDER BY j.id DESC LIMIT $2");
const FREE_COUNT: &str = "SELECT COUNT(*) FROM reactor_jobs WHERE reactor = $1 AND state = 0 AND lease_ms = 0";
const HELD_COUNT: &str = "SELECT COUNT(*) FROM reactor_jobs WHERE reactor = $1 AND state = 0 AND lease_ms > 0";
const DEAD_COUNT: &str = "SELECT COUNT(*) FROM reactor_jobs WHERE state = 2";
const DEAD_COUNT_OF: &str = "SELECT COUNT(*) FROM reactor_jobs WHERE reactor = $1 AND state = 2";

/// A reactor's jobs that are not over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that are tried, or will be.
    pub waiting: i64,
    /// Those that nobody tries any more.
    pub dead: i64,
}

fn stored(row: &Row<'_>) -> Result<StoredJob, StoreError> {
    Ok(StoredJob {
        id: row.get(0)?,
        reactor: row.get(1)?,
        position: row.get(2)?,
        event_id: row.get(3)?,
        key: row.get(4)?,
        state: row.get(5)?,
        turn: match row.get(6)? {
            0 => Turn::Free,
            BEHIND => Turn::Behind,
            until_ms => Turn::LeasedUntil(until_ms),
        },
        attempts: row.get(7)?,
        due_ms: row.get(8)?,
        created_ms: row.get(9)?,
        ended_ms: row.get(10)?,
        took_us: row.get(11)?,
        reason: row.get(12)?,
    })
}

/// One job.
///
/// # Errors
/// Those of the store.
pub async fn job(tx: &mut Tx<'_>, id: JobId) -> Result<Option<StoredJob>, StoreError> {
    tx.query_opt(JOB, &[id.into()], stored).await
}

/// The jobs of the event at a position, oldest first.
///
/// # Errors
/// Those of the store.
pub async fn jobs_of(tx: &mut Tx<'_>, position: i64) -> Result<Vec<StoredJob>, StoreError> {
    tx.query(OF_EVENT, &[position.into()], stored).await
}

/// A page of a reactor's jobs, newest first.
///
/// # Errors
/// Those of the store.
pub async fn jobs(tx: &mut Tx<'_>, reactor: &str, before: Option<JobId>, limit: i64) -> Result<Vec<StoredJob>, StoreError> {
    let before = before.unwrap_or(JobId(i64::MAX));
    tx.query(OF_REACTOR, &[reactor.into(), before.into(), limit.into()], stored).await
}

/// A page of the dead jobs of all reactors, newest first.
///
/// # Errors
/// Those of the store.
pub async fn dead_letters(tx: &mut Tx<'_>, before: Option<JobId>, limit: i64) -> Result<Vec<StoredJob>, StoreError> {
    let before = before.unwrap_or(JobId(i64::MAX));
    tx.query(DEAD, &[before.into(), limit.into()], stored).await
}

async fn count(tx: &mut Tx<'_>, sql: &'static str, reactor: &str) -> Result<i64, StoreError> {
    Ok(tx.query_opt(sql, &[reactor.into()], |row| row.get(0)).await?.unwrap_or(0))
}

/// How many jobs of a reactor wait. It walks an index over them; who needs it often counts along.
///
/// # Errors
/// Those of the store.
pub async fn waiting_count(tx: &mut Tx<'_>, reactor: &str) -> Result<i64, StoreError> {
    Ok(count(tx, FREE_COUNT, reactor).await? + count(tx, HELD_COUNT, reactor).await?)
}

/// How many jobs of a reactor wait and how many are dead.
///
/// # Errors
/// Those of the store.
pub async fn counts(tx: &mut Tx<'_>, reactor: &str) -> Result<Counts, StoreError> {
    Ok(Counts {
        waiting: waiting_count(tx, reactor).await?,
        dead: count(tx, DEAD_COUNT_OF, reactor).await?,
    })
}

/// How many jobs of all reactors are dead.
///
/// # Errors
/// Those of the store.
pub async fn dead_count(tx: &mut Tx<'_>) -> Result<i64, StoreError> {
    Ok(tx.query_opt(DEAD_COUNT, &[], |row| row.get(0)).await?.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::plans::check;

    #[test]
    fn no_statement_looks_at_more_than_its_range() {
        check(
            JOB,
            "SEARCH j USING INTEGER PRIMARY KEY (rowid=?); SEARCH e USING INTEGER PRIMARY KEY (rowid=?); CORRELATED SCALAR SUBQUERY 1; SEARCH a USING PRIMARY KEY (job=? AND number=?)",
        );
        check(
            OF_EVENT,
            "SEARCH e USING INTEGER PRIMARY KEY (rowid=?); SEARCH j USING INDEX reactor_jobs_event (position=?); CORRELATED SCALAR SUBQUERY 1; SEARCH a USING PRIMARY KEY (job=? AND number=?)",
        );
        check(
            OF_REACTOR,
            "SEARCH j USING INDEX reactor_jobs_reactor (reactor=? AND rowid<?); SEARCH e USING INTEGER PRIMARY KEY (rowid=?); CORRELATED SCALAR SUBQUERY 1; SEARCH a USING PRIMARY KEY (job=? AND number=?)",
        );
        check(
            DEAD,
            "SEARCH j USING INDEX reactor_jobs_dead (id<?); SEARCH e USING INTEGER PRIMARY KEY (rowid=?); CORRELATED SCALAR SUBQUERY 1; SEARCH a USING PRIMARY KEY (job=? AND number=?)",
        );
        check(FREE_COUNT, "SEARCH reactor_jobs USING COVERING INDEX reactor_jobs_due (reactor=?)");
        check(
            HELD_COUNT,
            "SEARCH reactor_jobs USING COVERING INDEX reactor_jobs_held (reactor=? AND lease_ms>?)",
        );
        check(DEAD_COUNT, "SCAN reactor_jobs USING COVERING INDEX reactor_jobs_dead");
        check(
            DEAD_COUNT_OF,
            "SEARCH reactor_jobs USING COVERING INDEX reactor_jobs_dead_of (reactor=?)",
        );
    }
}
