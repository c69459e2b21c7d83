//! What was tried for a job, and what came of it.

use nexus_types::hub::{AttemptOutcome, JobState};
use nexus_types::ids::JobId;
use nexus_types::limits::ATTEMPTS_KEPT_MAX;

use super::BEHIND;
use crate::{Row, StoreError, Tx};

const SETTLE: &str = "UPDATE reactor_jobs SET state = $3, attempts = $2, due_ms = CASE WHEN $4 = 0 THEN due_ms ELSE $4 END,
    lease_ms = 0, ended_ms = $5, reason = $6 WHERE id = $1 AND state = 0 AND attempts = $2 - 1 AND lease_ms < $7
    RETURNING reactor, order_key";
const FOLLOW: &str = "UPDATE reactor_jobs SET lease_ms = 0 WHERE id =
    (SELECT id FROM reactor_jobs WHERE reactor = $1 AND order_key = $2 AND state = 0 ORDER BY id LIMIT 1)";
const INSERT: &str = "INSERT INTO reactor_attempts (job, number, began_ms, took_us, outcome, status, request, answer, error)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const FORGET: &str = "DELETE FROM reactor_attempts WHERE job = $1 AND number <= $2";
const OF_JOB: &str = "SELECT number, began_ms, took_us, outcome, status, request, answer, error FROM reactor_attempts
    WHERE job = $1 ORDER BY number";

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// 1, 2 …: one more than the job's attempts before.
    pub number: i64,
    /// When it began.
    pub began_ms: i64,
    /// How long it took.
    pub took_us: i64,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// The status of the HTTP answer.
    pub status: Option<i64>,
    /// JSON, shortened and without secrets.
    pub request: Option<String>,
    /// JSON, shortened.
    pub answer: Option<String>,
    /// What went wrong, in a sentence.
    pub error: Option<String>,
}

/// What comes of a job after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled<'a> {
    /// It is done.
    Done,
    /// It is tried again.
    Retry {
        /// Not before.
        due_ms: i64,
        /// Why.
        reason: &'a str,
    },
    /// Nobody tries any more.
    Dead {
        /// Why.
        reason: &'a str,
    },
    /// It need not be done.
    Discarded {
        /// Why.
        reason: &'a str,
    },
}

/// Records an attempt and what comes of its job. False, and nothing is recorded, if the job waits no more or was tried by another
/// worker meanwhile: then this attempt's effects must not count either.
///
/// # Errors
/// Those of the store.
pub async fn settle(tx: &mut Tx<'_>, job: JobId, attempt: &Attempt, settled: Settled<'_>, now_ms: i64) -> Result<bool, StoreError> {
    let (state, due_ms, reason) = match settled {
        Settled::Done => (JobState::Done, 0, None),
        Settled::Retry { due_ms, reason } => (JobState::Waiting, due_ms, Some(reason)),
        Settled::Dead { reason } => (JobState::Dead, 0, Some(reason)),
        Settled::Discarded { reason } => (JobState::Discarded, 0, Some(reason)),
    };
    let ended_ms = (state != JobState::Waiting).then_some(now_ms);
    let args = [
        job.into(),
        attempt.number.into(),
        state.into(),
        due_ms.into(),
        ended_ms.into(),
        reason.into(),
        BEHIND.into(),
    ];
    let read = |row: &Row<'_>| Ok((row.get::<String>(0)?, row.get::<Option<String>>(1)?));
    let Some((reactor, order_key)) = tx.query_opt(SETTLE, &args, read).await? else {
        return Ok(false);
    };
    if let (Some(order_key), Some(_)) = (&order_key, ended_ms) {
        tx.execute(FOLLOW, &[(&reactor).into(), order_key.into()]).await?;
    }
    insert(tx, job, attempt).await?;
    if attempt.number > ATTEMPTS_KEPT_MAX {
        tx.execute(FORGET, &[job.into(), (attempt.number - ATTEMPTS_KEPT_MAX).into()])
            .await?;
    }
    Ok(true)
}

pub(super) async fn insert(tx: &mut Tx<'_>, job: JobId, attempt: &Attempt) -> Result<(), StoreError> {
    let args = [
        job.into(),
        attempt.number.into(),
        attempt.began_ms.into(),
        attempt.took_us.into(),
        attempt.outcome.into(),
        attempt.status.into(),
        attempt.request.as_deref().into(),
        attempt.answer.as_deref().into(),
        attempt.error.as_deref().into(),
    ];
    tx.execute(INSERT, &args).await.map(drop)
}

/// The attempts of a job that are kept, oldest first.
///
/// # Errors
/// Those of the store.
pub async fn attempts_of(tx: &mut Tx<'_>, job: JobId) -> Result<Vec<Attempt>, StoreError> {
    tx.query(OF_JOB, &[job.into()], |row| {
        Ok(Attempt {
            number: row.get(0)?,
            began_ms: row.get(1)?,
            took_us: row.get(2)?,
            outcome: row.get(3)?,
            status: row.get(4)?,
            request: row.get(5)?,
            answer: row.get(6)?,
            error: row.get(7)?,
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::plans::check;

    #[test]
    fn no_statement_looks_at_more_than_its_range() {
        check(SETTLE, "SEARCH reactor_jobs USING INTEGER PRIMARY KEY (rowid=?)");
        check(
            FOLLOW,
            "SEARCH reactor_jobs USING INTEGER PRIMARY KEY (rowid=?); SCALAR SUBQUERY 1; SEARCH reactor_jobs USING COVERING INDEX reactor_jobs_order (reactor=? AND order_key=?)",
        );
        check(INSERT, "");
        check(FORGET, "SEARCH reactor_attempts USING PRIMARY KEY (job=? AND number<?)");
        check(OF_JOB, "SEARCH reactor_attempts USING PRIMARY KEY (job=?)");
    }
}
