//! The hub's rates, by the minute. A minute is a number since 1970; ranges are from one up to, not including, another.

use crate::{Row, StoreError, Tx};

const COUNT: &str = "INSERT INTO hub_minutes (minute, namespace, events) VALUES ($1, $2, $3)
    ON CONFLICT (minute, namespace) DO UPDATE SET events = hub_minutes.events + excluded.events";
/// The typical time of both is the mean by samples.
const REACTION: &str = "INSERT INTO hub_reactions (minute, samples, typical_us, slow_us, delivered, retried, dead)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (minute) DO UPDATE SET
    typical_us = CASE WHEN hub_reactions.samples + excluded.samples = 0 THEN 0 ELSE
        (hub_reactions.typical_us * hub_reactions.samples + excluded.typical_us * excluded.samples)
        / (hub_reactions.samples + excluded.samples) END,
    slow_us = CASE WHEN excluded.slow_us > hub_reactions.slow_us THEN excluded.slow_us ELSE hub_reactions.slow_us END,
    samples = hub_reactions.samples + excluded.samples, delivered = hub_reactions.delivered + excluded.delivered,
    retried = hub_reactions.retried + excluded.retried, dead = hub_reactions.dead + excluded.dead";
const MINUTES: &str =
    "SELECT minute, CAST(SUM(events) AS BIGINT) FROM hub_minutes WHERE minute >= $1 AND minute < $2 GROUP BY minute ORDER BY minute";
const REACTIONS: &str = "SELECT minute, samples, typical_us, slow_us, delivered, retried, dead FROM hub_reactions
    WHERE minute >= $1 AND minute < $2 ORDER BY minute";
const NAMESPACES: &str =
    "SELECT namespace, CAST(SUM(events) AS BIGINT) FROM hub_minutes WHERE minute >= $1 GROUP BY namespace ORDER BY 2 DESC, namespace";
const OLD_MINUTES: &str = "SELECT minute FROM hub_minutes WHERE minute < $1 ORDER BY minute LIMIT $2";
const SWEEP_MINUTES: &str = "DELETE FROM hub_minutes WHERE minute <= $1";
const SWEEP_REACTIONS: &str = "DELETE FROM hub_reactions WHERE minute IN
    (SELECT minute FROM hub_reactions WHERE minute < $1 ORDER BY minute LIMIT $2)";

/// What reactors did in a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reaction {
    /// Runs that were timed.
    pub samples: i64,
    /// From commit to effect, typically.
    pub typical_us: i64,
    /// From commit to effect, the slowest.
    pub slow_us: i64,
    /// Runs that were done.
    pub delivered: i64,
    /// Attempts that failed and are repeated.
    pub retried: i64,
    /// Runs that nobody tries any more.
    pub dead: i64,
}

/// Counts events of a namespace, beside those counted before.
///
/// # Errors
/// Those of the store.
pub async fn count(tx: &mut Tx<'_>, minute: i64, namespace: &str, events: i64) -> Result<(), StoreError> {
    tx.execute(COUNT, &[minute.into(), namespace.into(), events.into()]).await.map(drop)
}

/// Adds what reactors did in a minute to what was known of it.
///
/// # Errors
/// Those of the store.
pub async fn reaction(tx: &mut Tx<'_>, minute: i64, more: &Reaction) -> Result<(), StoreError> {
    let args = [
        minute.into(),
        more.samples.into(),
        more.typical_us.into(),
        more.slow_us.into(),
        more.delivered.into(),
        more.retried.into(),
        more.dead.into(),
    ];
    tx.execute(REACTION, &args).await.map(drop)
}

/// Events in each minute that had any.
///
/// # Errors
/// Those of the store.
pub async fn minutes(tx: &mut Tx<'_>, from: i64, to: i64) -> Result<Vec<(i64, i64)>, StoreError> {
    tx.query(MINUTES, &[from.into(), to.into()], |row| Ok((row.get(0)?, row.get(1)?)))
        .await
}

/// What reactors did in each minute in which they did anything.
///
/// # Errors
/// Those of the store.
pub async fn reactions(tx: &mut Tx<'_>, from: i64, to: i64) -> Result<Vec<(i64, Reaction)>, StoreError> {
    let read = |row: &Row<'_>| {
        let reaction = Reaction {
            samples: row.get(1)?,
            typical_us: row.get(2)?,
            slow_us: row.get(3)?,
            delivered: row.get(4)?,
            retried: row.get(5)?,
            dead: row.get(6)?,
        };
        Ok((row.get(0)?, reaction))
    };
    tx.query(REACTIONS, &[from.into(), to.into()], read).await
}

/// Events of each namespace since a minute, the busiest first.
///
/// # Errors
/// Those of the store.
pub async fn namespaces(tx: &mut Tx<'_>, from: i64) -> Result<Vec<(String, i64)>, StoreError> {
    tx.query(NAMESPACES, &[from.into()], |row| Ok((row.get(0)?, row.get(1)?))).await
}

/// Forgets minutes before this one, about `rows` rows. Says how many; call it again until it says 0.
///
/// # Errors
/// Those of the store.
pub async fn sweep(tx: &mut Tx<'_>, before_minute: i64, rows: i64) -> Result<u64, StoreError> {
    let old = tx
        .query(OLD_MINUTES, &[before_minute.into(), rows.into()], |row| row.get::<i64>(0))
        .await?;
    let minutes = match old.last() {
        // The last minute goes wholly.
        Some(&last) => tx.execute(SWEEP_MINUTES, &[last.into()]).await?,
        None => 0,
    };
    let reactions = tx.execute(SWEEP_REACTIONS, &[before_minute.into(), rows.into()]).await?;
    Ok(minutes + reactions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::plans::check;

    #[test]
    fn no_statement_looks_at_more_than_its_range() {
        check(MINUTES, "SEARCH hub_minutes USING PRIMARY KEY (minute>? AND minute<?)");
        check(REACTIONS, "SEARCH hub_reactions USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)");
        check(
            NAMESPACES,
            "SEARCH hub_minutes USING PRIMARY KEY (minute>?); USE TEMP B-TREE FOR GROUP BY; USE TEMP B-TREE FOR ORDER BY",
        );
        check(OLD_MINUTES, "SEARCH hub_minutes USING PRIMARY KEY (minute<?)");
        check(SWEEP_MINUTES, "SEARCH hub_minutes USING PRIMARY KEY (minute<?)");
        check(
            SWEEP_REACTIONS,
            "SEARCH hub_reactions USING INTEGER PRIMARY KEY (rowid=?); LIST SUBQUERY 1; SEARCH hub_reactions USING INTEGER PRIMARY KEY (rowid<?)",
        );
    }
}
