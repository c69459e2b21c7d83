//! Jobs are taken by workers and given back.

use nexus_types::ids::JobId;

use super::BEHIND;
use crate::sql::hub::events::{self, StoredEvent};
use crate::{Row, StoreError, Tx};

const EXPIRED: &str = "UPDATE reactor_jobs SET lease_ms = 0 WHERE reactor = $1 AND state = 0 AND lease_ms > 0 AND lease_ms <= $2";
const LEASE: &str = "UPDATE reactor_jobs SET lease_ms = $3, first_ms = CASE WHEN first_ms = 0 THEN $2 ELSE first_ms END WHERE id IN
    (SELECT id FROM reactor_jobs WHERE reactor = $1 AND state = 0 AND lease_ms = 0 AND due_ms <= $2 ORDER BY due_ms, id LIMIT $4)
    RETURNING id, position, key, attempts, first_ms, due_ms";
const SOONEST: &str = "SELECT due_ms FROM reactor_jobs WHERE reactor = $1 AND state = 0 AND lease_ms = 0 ORDER BY due_ms LIMIT 1";
const SOONEST_END: &str =
    "SELECT lease_ms FROM reactor_jobs WHERE reactor = $1 AND state = 0 AND lease_ms > 0 AND lease_ms < $2 ORDER BY lease_ms LIMIT 1";
const POSTPONE: &str = "UPDATE reactor_jobs SET due_ms = $2, lease_ms = 0 WHERE id = $1 AND state = 0 AND lease_ms < $3";
pub(super) const NEXT_REACTOR: &str =
    "SELECT reactor FROM reactor_jobs WHERE state = 0 AND lease_ms > 0 AND reactor > $1 ORDER BY reactor LIMIT 1";

/// A job that a worker took.
#[derive(Debug, Clone)]
pub struct LeasedJob {
    /// Its id.
    pub id: JobId,
    /// At most one run of the reactor for each.
    pub key: String,
    /// How often it was tried before.
    pub attempts: i64,
    /// When it was first taken, since it came or was replayed.
    pub first_ms: i64,
    /// Its event.
    pub event: StoredEvent,
}

struct Taken {
    id: JobId,
    position: i64,
    key: String,
    attempts: i64,
    first_ms: i64,
    due_ms: i64,
}

/// Takes up to `limit` jobs of a reactor that are due, the longest due first; nobody else gets them until `until_ms`.
///
/// # Errors
/// Those of the store.
pub async fn lease(tx: &mut Tx<'_>, reactor: &str, now_ms: i64, until_ms: i64, limit: i64) -> Result<Vec<LeasedJob>, StoreError> {
    tx.execute(EXPIRED, &[reactor.into(), now_ms.into()]).await?;
    let read = |row: &Row<'_>| {
        Ok(Taken {
            id: row.get(0)?,
            position: row.get(1)?,
            key: row.get(2)?,
            attempts: row.get(3)?,
            first_ms: row.get(4)?,
            due_ms: row.get(5)?,
        })
    };
    let args = [reactor.into(), now_ms.into(), until_ms.into(), limit.into()];
    let mut taken = tx.query(LEASE, &args, read).await?;
    taken.sort_by_key(|job| (job.due_ms, job.id));
    let mut jobs = Vec::with_capacity(taken.len());
    for job in taken {
        let event = events::at(tx, job.position).await?;
        jobs.push(LeasedJob {
            id: job.id,
            key: job.key,
            attempts: job.attempts,
            first_ms: job.first_ms,
            event: event.ok_or_else(|| StoreError::internal("lease a job", "its event is gone"))?,
        });
    }
    Ok(jobs)
}

/// When a job of a reactor is due, or the lease of one ends, whichever is sooner; `None` if none waits.
///
/// # Errors
/// Those of the store.
pub async fn next_due(tx: &mut Tx<'_>, reactor: &str) -> Result<Option<i64>, StoreError> {
    let due: Option<i64> = tx.query_opt(SOONEST, &[reactor.into()], |row| row.get(0)).await?;
    let end = tx
        .query_opt(SOONEST_END, &[reactor.into(), BEHIND.into()], |row| row.get(0))
        .await?;
    Ok(due.into_iter().chain(end).min())
}

/// Gives a job back without an attempt, to be taken at `due_ms`; false if it waits no more.
///
/// # Errors
/// Those of the store.
pub async fn postpone(tx: &mut Tx<'_>, job: JobId, due_ms: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(POSTPONE, &[job.into(), due_ms.into(), BEHIND.into()]).await? == 1)
}

/// Ends every lease and says how many: at the start of the only process, those of one that died.
///
/// # Errors
/// Those of the store.
pub async fn release_all(tx: &mut Tx<'_>) -> Result<u64, StoreError> {
    let mut released = 0;
    let mut last = String::new();
    while let Some(reactor) = tx.query_opt(NEXT_REACTOR, &[(&last).into()], |row| row.get::<String>(0)).await? {
        released += tx.execute(EXPIRED, &[(&reactor).into(), (BEHIND - 1).into()]).await?;
        last = reactor;
    }
    Ok(released)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::plans::check;

    #[test]
    fn no_statement_looks_at_more_than_its_range() {
        check(
            EXPIRED,
            "SEARCH reactor_jobs USING INDEX reactor_jobs_held (reactor=? AND lease_ms>? AND lease_ms<?)",
        );
        check(
            LEASE,
            "SEARCH reactor_jobs USING INTEGER PRIMARY KEY (rowid=?); LIST SUBQUERY 1; SEARCH reactor_jobs USING COVERING INDEX reactor_jobs_due (reactor=? AND due_ms<?)",
        );
        check(SOONEST, "SEARCH reactor_jobs USING COVERING INDEX reactor_jobs_due (reactor=?)");
        check(
            SOONEST_END,
            "SEARCH reactor_jobs USING COVERING INDEX reactor_jobs_held (reactor=? AND lease_ms>? AND lease_ms<?)",
        );
        check(POSTPONE, "SEARCH reactor_jobs USING INTEGER PRIMARY KEY (rowid=?)");
        check(
            NEXT_REACTOR,
            "SEARCH reactor_jobs USING COVERING INDEX reactor_jobs_held (reactor>?)",
        );
    }
}
