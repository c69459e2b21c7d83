//! Jobs come, are replayed or discarded, and go.

use std::collections::BTreeSet;

use nexus_types::ids::JobId;
use nexus_types::limits::ATTEMPTS_KEPT_MAX;

use super::{Attempt, BEHIND};
use crate::{Row, StoreError, Tx, Value};

const ADD: &str = "INSERT INTO reactor_jobs (reactor, position, key, order_key, state, due_ms, created_ms, lease_ms)
    VALUES ($1, $2, $3, $4, 0, $5, $6, CASE WHEN $4 IS NOT NULL AND EXISTS
        (SELECT 1 FROM reactor_jobs WHERE reactor = $1 AND order_key = $4 AND state = 0) THEN $7 ELSE 0 END)
    ON CONFLICT (reactor, key) DO NOTHING RETURNING id";
const ADD_DONE: &str =
    "INSERT INTO reactor_jobs (reactor, position, key, order_key, state, attempts, due_ms, created_ms, first_ms, ended_ms)
    VALUES ($1, $2, $3, NULL, 1, 1, $4, $4, $4, $4) ON CONFLICT (reactor, key) DO NOTHING RETURNING id";
const ADD_DEAD: &str = "INSERT INTO reactor_jobs (reactor, position, key, order_key, state, due_ms, created_ms, ended_ms, reason)
    VALUES ($1, $2, $3, $4, 2, $5, $6, $6, $7) ON CONFLICT (reactor, key) DO NOTHING RETURNING id";
const REPLAY: &str = "UPDATE reactor_jobs AS j SET state = 0, due_ms = $2, first_ms = 0, ended_ms = NULL, reason = NULL,
    lease_ms = CASE WHEN j.order_key IS NOT NULL AND EXISTS
        (SELECT 1 FROM reactor_jobs WHERE reactor = j.reactor AND order_key = j.order_key AND state = 0) THEN $3 ELSE 0 END
    WHERE id = $1 AND state = 2";
const DISCARD: &str = "UPDATE reactor_jobs SET state = 3, ended_ms = $2 WHERE id = $1 AND state = 2";
/// Those behind others go before those they are behind, so that what is left can still run.
const HELD: &str = "SELECT id FROM reactor_jobs WHERE reactor = $1 AND state = 0 AND lease_ms > 0 ORDER BY lease_ms DESC LIMIT $2";
const FREE: &str = "SELECT id FROM reactor_jobs WHERE reactor = $1 AND state = 0 AND lease_ms = 0 ORDER BY due_ms DESC LIMIT $2";
const GIVE_UP: &str = "UPDATE reactor_jobs SET state = 2, lease_ms = 0, ended_ms = $2, reason = $3 WHERE id = $1";
const REKEY: &str = "UPDATE reactor_jobs AS j SET key = $2, order_key = $3 WHERE id = $1 AND state = 2
    AND NOT EXISTS (SELECT 1 FROM reactor_jobs WHERE reactor = j.reactor AND key = $2)";
const OVERFLOW: &str = "SELECT id, attempts FROM reactor_jobs WHERE state = 2 ORDER BY id LIMIT $1";
const NEXT_FREE: &str = "SELECT reactor FROM reactor_jobs WHERE state = 0 AND lease_ms = 0 AND reactor > $1 ORDER BY reactor LIMIT 1";
const OLDEST: &str =
    "SELECT id, attempts, created_ms, CASE WHEN state = 2 THEN NULL ELSE ended_ms END FROM reactor_jobs WHERE id > $1 ORDER BY id LIMIT $2";
const OF_REACTOR: &str = "SELECT id, attempts FROM reactor_jobs WHERE reactor = $1 ORDER BY id LIMIT $2";
const DELETE: &str = "DELETE FROM reactor_jobs WHERE id = $1";
const DELETE_ATTEMPTS: &str = "DELETE FROM reactor_attempts WHERE job = $1";

/// A new job's row.
#[derive(Debug, Clone, Copy)]
pub struct NewJob<'a> {
    /// Whose run it is.
    pub reactor: &'a str,
    /// The position of its event, which is recorded before.
    pub position: i64,
    /// At most one run of the reactor for each.
    pub key: &'a str,
    /// Those with the same run one after the other.
    pub order_key: Option<&'a str>,
    /// Not before.
    pub due_ms: i64,
    /// When it is added.
    pub now_ms: i64,
}

async fn insert(tx: &mut Tx<'_>, sql: &'static str, job: &NewJob<'_>, last: Value<'_>) -> Result<Option<JobId>, StoreError> {
    let args = [
        job.reactor.into(),
        job.position.into(),
        job.key.into(),
        job.order_key.into(),
        job.due_ms.into(),
        job.now_ms.into(),
        last,
    ];
    tx.query_opt(sql, &args, |row| row.get(0)).await
}

/// Adds a waiting job; `None` if the reactor has one of that key, whatever became of it.
///
/// # Errors
/// Those of the store.
pub async fn add(tx: &mut Tx<'_>, job: &NewJob<'_>) -> Result<Option<JobId>, StoreError> {
    insert(tx, ADD, job, BEHIND.into()).await
}

/// Adds a job that is done already, with its one attempt; `None`, and nothing is added, if the reactor has one of that key.
///
/// # Errors
/// Those of the store.
pub async fn add_done(tx: &mut Tx<'_>, job: &NewJob<'_>, attempt: &Attempt) -> Result<Option<JobId>, StoreError> {
    debug_assert!(job.order_key.is_none(), "one that has an order waits for its turn");
    let args = [job.reactor.into(), job.position.into(), job.key.into(), job.now_ms.into()];
    let id = tx.query_opt(ADD_DONE, &args, |row| row.get(0)).await?;
    if let Some(id) = id {
        super::attempts::insert(tx, id, attempt).await?;
    }
    Ok(id)
}

/// Adds a job that is not even tried; `None` if the reactor has one of that key.
///
/// # Errors
/// Those of the store.
pub async fn add_dead(tx: &mut Tx<'_>, job: &NewJob<'_>, reason: &str) -> Result<Option<JobId>, StoreError> {
    insert(tx, ADD_DEAD, job, reason.into()).await
}

/// Lets a dead job wait again, as if it had just come; false if it is not dead. Its attempts are counted on.
///
/// # Errors
/// Those of the store.
pub async fn replay(tx: &mut Tx<'_>, job: JobId, now_ms: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(REPLAY, &[job.into(), now_ms.into(), BEHIND.into()]).await? == 1)
}

/// Gives a dead job another key and order key; false if it is not dead, or its reactor has a job of that key.
///
/// # Errors
/// Those of the store.
pub async fn rekey(tx: &mut Tx<'_>, job: JobId, key: &str, order_key: Option<&str>) -> Result<bool, StoreError> {
    Ok(tx.execute(REKEY, &[job.into(), key.into(), order_key.into()]).await? == 1)
}

/// The reactors that have waiting jobs, by name.
///
/// # Errors
/// Those of the store.
pub async fn with_waiting(tx: &mut Tx<'_>) -> Result<Vec<String>, StoreError> {
    let mut names = BTreeSet::new();
    for next in [NEXT_FREE, super::leases::NEXT_REACTOR] {
        let mut last = String::new();
        while let Some(reactor) = tx.query_opt(next, &[(&last).into()], |row| row.get::<String>(0)).await? {
            last.clone_from(&reactor);
            names.insert(reactor);
        }
    }
    Ok(names.into_iter().collect())
}

/// Deletes the oldest dead letters beyond `most`, up to `rows` rows of them and their attempts. Says how many; call it again until it
/// says 0.
///
/// # Errors
/// Those of the store.
pub async fn sweep_dead(tx: &mut Tx<'_>, most: i64, rows: i64) -> Result<usize, StoreError> {
    let beyond = super::dead_count(tx).await? - most;
    if beyond <= 0 {
        return Ok(0);
    }
    let read = |row: &Row<'_>| Ok((row.get::<JobId>(0)?, row.get::<i64>(1)?));
    let oldest = tx.query(OVERFLOW, &[beyond.min(rows).into()], read).await?;
    let (mut left, mut removed) = (rows, 0);
    for (job, attempts) in oldest {
        if left <= 0 {
            break;
        }
        left -= delete(tx, job, attempts).await?;
        removed += 1;
    }
    Ok(removed)
}

/// Says that a dead job need not be done; false if it is not dead.
///
/// # Errors
/// Those of the store.
pub async fn discard(tx: &mut Tx<'_>, job: JobId, now_ms: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(DISCARD, &[job.into(), now_ms.into()]).await? == 1)
}

/// Makes dead letters of up to `rows` of a reactor's waiting jobs, also of those that a worker has: what it answers is not recorded. Says how many;
/// call it again until it says 0.
///
/// # Errors
/// Those of the store.
pub async fn give_up(tx: &mut Tx<'_>, reactor: &str, reason: &str, rows: i64, now_ms: i64) -> Result<usize, StoreError> {
    let mut waiting: Vec<JobId> = tx.query(HELD, &[reactor.into(), rows.into()], |row| row.get(0)).await?;
    if waiting.is_empty() {
        waiting = tx.query(FREE, &[reactor.into(), rows.into()], |row| row.get(0)).await?;
    }
    for &job in &waiting {
        tx.execute(GIVE_UP, &[job.into(), now_ms.into(), reason.into()]).await?;
    }
    Ok(waiting.len())
}

/// Deletes about `rows` rows of a reactor's jobs, however they stand, and their attempts. Says how many jobs; call it again until
/// it says 0.
///
/// # Errors
/// Those of the store.
pub async fn remove_jobs(tx: &mut Tx<'_>, reactor: &str, rows: i64) -> Result<usize, StoreError> {
    let read = |row: &Row<'_>| Ok((row.get::<JobId>(0)?, row.get::<i64>(1)?));
    let jobs = tx.query(OF_REACTOR, &[reactor.into(), rows.into()], read).await?;
    let mut left = rows;
    let mut removed = 0;
    for (job, attempts) in jobs {
        if left <= 0 {
            break;
        }
        left -= delete(tx, job, attempts).await?;
        removed += 1;
    }
    Ok(removed)
}

/// Looks at up to `rows` jobs after this one and deletes those that were done or discarded before `before_ms`, with their attempts. Dead
/// letters stay. Says where to
/// go on, `None` at the end. Begin with `JobId(0)`.
///
/// # Errors
/// Those of the store.
pub async fn sweep(tx: &mut Tx<'_>, after: JobId, before_ms: i64, rows: i64) -> Result<Option<JobId>, StoreError> {
    let read = |row: &Row<'_>| {
        Ok((
            row.get::<JobId>(0)?,
            row.get::<i64>(1)?,
            row.get::<i64>(2)?,
            row.get::<Option<i64>>(3)?,
        ))
    };
    let oldest = tx.query(OLDEST, &[after.into(), rows.into()], read).await?;
    let is_full = oldest.len() as i64 == rows;
    let mut left = rows;
    let mut last = after;
    for (job, attempts, created_ms, ended_ms) in oldest {
        // Whatever comes later was added later, and ended later still.
        if created_ms >= before_ms {
            return Ok(None);
        }
        if left <= 0 {
            return Ok(Some(last));
        }
        if ended_ms.is_some_and(|ended_ms| ended_ms < before_ms) {
            left -= delete(tx, job, attempts).await?;
        }
        last = job;
    }
    Ok(is_full.then_some(last))
}

/// Deletes a job and says how many rows that were, about.
async fn delete(tx: &mut Tx<'_>, job: JobId, attempts: i64) -> Result<i64, StoreError> {
    if attempts > 0 {
        tx.execute(DELETE_ATTEMPTS, &[job.into()]).await?;
    }
    tx.execute(DELETE, &[job.into()]).await?;
    Ok(1 + attempts.min(ATTEMPTS_KEPT_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::plans::check;

    #[test]
    fn no_statement_looks_at_more_than_its_range() {
        check(
            ADD,
            "SCALAR SUBQUERY 1; SEARCH reactor_jobs USING COVERING INDEX reactor_jobs_order (reactor=? AND order_key=?)",
        );
        check(ADD_DEAD, "");
        check(
            REPLAY,
            "SEARCH j USING INTEGER PRIMARY KEY (rowid=?); CORRELATED SCALAR SUBQUERY 1; SEARCH reactor_jobs USING COVERING INDEX reactor_jobs_order (reactor=? AND order_key=?)",
        );
        check(DISCARD, "SEARCH reactor_jobs USING INTEGER PRIMARY KEY (rowid=?)");
        check(
            HELD,
            "SEARCH reactor_jobs USING COVERING INDEX reactor_jobs_held (reactor=? AND lease_ms>?)",
        );
        check(FREE, "SEARCH reactor_jobs USING COVERING INDEX reactor_jobs_due (reactor=?)");
        check(GIVE_UP, "SEARCH reactor_jobs USING INTEGER PRIMARY KEY (rowid=?)");
        check(OLDEST, "SEARCH reactor_jobs USING INTEGER PRIMARY KEY (rowid>?)");
        check(OF_REACTOR, "SEARCH reactor_jobs USING INDEX reactor_jobs_reactor (reactor=?)");
        check(DELETE, "SEARCH reactor_jobs USING INTEGER PRIMARY KEY (rowid=?)");
        check(DELETE_ATTEMPTS, "SEARCH reactor_attempts USING PRIMARY KEY (job=?)");
    }
}
