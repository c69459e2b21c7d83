//! The event log: what happened, in order of commit, for whoever must hear of it.
//!
//! Entries are appended with [`Tx::append`]. The log is trimmed to the resume window; `log_trim` remembers, per topic and per
//! subject, the last trimmed position, so that a reader learns whether it missed anything. A scrubbed entry keeps its place and
//! loses its body.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::{POSITIONS_LOST_MAX, TRIM_ROWS_MAX};
use crate::sql::reactors::lowest_cursor;
use crate::{Entry, Row, StoreError, Tx};

const TOPIC_POSITIONS: &str = "SELECT position FROM log WHERE topic = $1 AND position > $2 AND position < $3 ORDER BY position LIMIT $4";
const SUBJECT_POSITIONS: &str =
    "SELECT position FROM log WHERE subject = $1 AND subject <> 0 AND position > $2 AND position < $3 ORDER BY position LIMIT $4";
const ENTRY: &str = "SELECT position, at_ms, kind, topic, channel, subject, object, body FROM log WHERE position = $1";
const PAGE: &str =
    "SELECT position, at_ms, kind, topic, channel, subject, object, body FROM log WHERE position > $1 ORDER BY position LIMIT $2";
const TOPIC_KINDS: &str = "SELECT DISTINCT kind FROM log WHERE topic = $1 AND position > $2";
const SUBJECT_KINDS: &str =
    "SELECT kind, topic, position FROM log WHERE subject = $1 AND subject <> 0 AND position > $2 AND kind = $3 ORDER BY position";
/// SQLite keeps the last number of an AUTOINCREMENT column here, also when the rows are gone. It rolls back with the transaction.
const HEAD: &str = "SELECT seq FROM sqlite_sequence WHERE name = 'log'";
const TRIMMED: &str = "SELECT 1 FROM log_trim WHERE key = $1 AND position > $2";
const OLDEST: &str = "SELECT position, at_ms, topic, subject FROM log WHERE position <= $1 ORDER BY position LIMIT $2";
const TRIM: &str = "DELETE FROM log WHERE position <= $1";
const MARK: &str = "INSERT INTO log_trim (key, position) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET position = excluded.position";
const SCRUB: &str = "UPDATE log SET body = '' WHERE object = $1 AND object <> 0 AND body <> ''";
const EPOCH: &str = "SELECT value FROM instance WHERE key = 'log_epoch'";
/// See [`HEAD`].
const LEAP: &str = "UPDATE sqlite_sequence SET seq = seq + $1 WHERE name = 'log'";
/// As the migration draws the first one.
const RENEW_EPOCH: &str = "UPDATE instance SET value = CAST(random() & 9223372036854775807 AS TEXT) WHERE key = 'log_epoch'";

fn entry(row: &Row<'_>) -> Result<Entry, StoreError> {
    Ok(Entry {
        position: row.get(0)?,
        at_ms: row.get(1)?,
        kind: row.get(2)?,
        topic: row.get(3)?,
        channel: row.get(4)?,
        subject: row.get(5)?,
        object: row.get(6)?,
        body: row.get(7)?,
    })
}

/// Up to `limit` entries after `position`, in order, whose topic is one of `topics` or whose subject is `reader`, without the
/// scrubbed ones. Fewer than `limit` means that there are no more.
pub async fn after(tx: &mut Tx<'_>, position: i64, topics: &[i64], reader: i64, limit: usize) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    let mut cursor = position;
    while entries.len() < limit {
        let wanted = limit - entries.len();
        let positions = positions_after(tx, cursor, topics, reader, wanted).await?;
        for &position in &positions {
            entries.extend(
                tx.query_opt(ENTRY, &[position.into()], entry)
                    .await?
                    .filter(|entry| !entry.is_scrubbed()),
            );
        }
        match positions.last() {
            Some(&last) if positions.len() == wanted => cursor = last,
            _ => break,
        }
    }
    Ok(entries)
}

/// Up to `limit` entries after `position`, whoever may read them, for a reader of everything.
pub async fn page(tx: &mut Tx<'_>, position: i64, limit: usize) -> Result<Vec<Entry>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    tx.query(PAGE, &[position.into(), limit.into()], entry).await
}

/// The first `limit` positions after `position` of these topics and this reader, in order. Reads indexes only.
async fn positions_after(tx: &mut Tx<'_>, position: i64, topics: &[i64], reader: i64, limit: usize) -> Result<BTreeSet<i64>, StoreError> {
    let scans = topics
        .iter()
        .map(|&topic| (TOPIC_POSITIONS, topic))
        .chain(std::iter::once((SUBJECT_POSITIONS, reader)));
    let mut first = BTreeSet::new();
    for (sql, key) in scans.filter(|&(_, key)| key != 0) {
        // Once there are enough, only what comes before the last of them is of interest.
        let end = if first.len() < limit {
            i64::MAX
        } else {
            *first.last().expect("the limit is at least 1")
        };
        let args = [
            key.into(),
            position.into(),
            end.into(),
            i64::try_from(limit).unwrap_or(i64::MAX).into(),
        ];
        first.extend(tx.query(sql, &args, |row| row.get::<i64>(0)).await?);
        while first.len() > limit {
            first.pop_last();
        }
    }
    Ok(first)
}

/// Whether any entry after `position` has one of these topics and one of these kinds.
pub async fn kinds_after(tx: &mut Tx<'_>, position: i64, topics: &[i64], kinds: &[i64]) -> Result<bool, StoreError> {
    for &topic in topics {
        let found = tx
            .query(TOPIC_KINDS, &[topic.into(), position.into()], |row| row.get::<i64>(0))
            .await?;
        if found.iter().any(|kind| kinds.contains(kind)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// That something of a kind happened to a subject, without what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// The kind.
    pub kind: i64,
    /// Where.
    pub topic: i64,
    /// When.
    pub position: i64,
}

/// What happened to this subject after `position` of these kinds, by kind and in order, the scrubbed ones too: that a scope changed
/// stays true. It reads no bodies.
pub async fn subject_after(tx: &mut Tx<'_>, position: i64, subject: i64, kinds: &[i64]) -> Result<Vec<Occurrence>, StoreError> {
    let mut found = Vec::new();
    for &kind in kinds {
        let occurrence = |row: &Row<'_>| {
            Ok(Occurrence {
                kind: row.get(0)?,
                topic: row.get(1)?,
                position: row.get(2)?,
            })
        };
        found.extend(
            tx.query(SUBJECT_KINDS, &[subject.into(), position.into(), kind.into()], occurrence)
                .await?,
        );
    }
    Ok(found)
}

/// The highest position ever given as this snapshot sees it, also when the log was trimmed empty; 0 at the very start.
pub async fn head(tx: &mut Tx<'_>) -> Result<i64, StoreError> {
    Ok(tx.query_opt(HEAD, &[], |row| row.get(0)).await?.unwrap_or(0))
}

/// Whether any of these topics or subjects lost an entry after `position` to trimming.
pub async fn trimmed_after(tx: &mut Tx<'_>, position: i64, keys: &[i64]) -> Result<bool, StoreError> {
    for &key in keys {
        if tx.query_opt(TRIMMED, &[key.into(), position.into()], |_| Ok(())).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

struct Oldest {
    position: i64,
    at_ms: i64,
    /// Topic and subject.
    keys: [i64; 2],
}

/// Deletes the oldest entries that happened before `before_ms`, at most `rows_max` and at most one job's worth, and marks what
/// their topics and subjects lost. Says how many; call it again until it says 0.
///
/// # Invariant
/// No entry goes that a reader with a durable cursor has yet to read.
pub async fn trim(tx: &mut Tx<'_>, before_ms: i64, rows_max: usize) -> Result<usize, StoreError> {
    let chunk = rows_max.min(TRIM_ROWS_MAX) as i64;
    let read = |row: &Row<'_>| {
        Ok(Oldest {
            position: row.get(0)?,
            at_ms: row.get(1)?,
            keys: [row.get(2)?, row.get(3)?],
        })
    };
    let read_by_all = lowest_cursor(tx).await?.unwrap_or(i64::MAX);
    let oldest = tx.query(OLDEST, &[read_by_all.into(), chunk.into()], read).await?;
    let mut marks = BTreeMap::new();
    let mut trimmed = 0;
    let mut last = 0;
    // Only from the front: what follows a younger entry waits until that one is old enough.
    for entry in oldest {
        if entry.at_ms >= before_ms || trimmed + marks.len() + 1 + entry.keys.len() > TRIM_ROWS_MAX {
            break;
        }
        marks.extend(entry.keys.into_iter().filter(|&key| key != 0).map(|key| (key, entry.position)));
        last = entry.position;
        trimmed += 1;
    }
    if trimmed > 0 {
        tx.execute(TRIM, &[last.into()]).await?;
    }
    for (key, position) in marks {
        tx.execute(MARK, &[key.into(), position.into()]).await?;
    }
    Ok(trimmed)
}

/// Erases the bodies of an object's entries, here and, after the commit, in the bus. Says how many.
pub async fn scrub(tx: &mut Tx<'_>, object: i64) -> Result<u64, StoreError> {
    let rows = tx.execute(SCRUB, &[object.into()]).await?;
    if rows > 0 {
        tx.scrubbed(object);
    }
    Ok(rows)
}

/// The epoch of the log: a random number drawn when the database was created, and anew when it was restored from a backup.
pub async fn epoch(tx: &mut Tx<'_>) -> Result<i64, StoreError> {
    let text = tx.query_opt(EPOCH, &[], |row| row.get::<String>(0)).await?;
    let epoch = text.and_then(|text| text.parse().ok());
    epoch.ok_or_else(|| StoreError::internal("read the epoch of the log", "the row is missing or no number"))
}

/// Draws a new epoch, for a database that was restored from a backup: what was read of the log before is of another history. Its
/// positions are not used again: the next one is beyond any that the lost part can have had.
pub async fn renew_epoch(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    tx.execute(RENEW_EPOCH, &[]).await?;
    tx.execute(LEAP, &[POSITIONS_LOST_MAX.into()]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::plans::check;

    #[test]
    fn no_statement_looks_at_more_than_its_range() {
        check(
            TOPIC_POSITIONS,
            "SEARCH log USING COVERING INDEX log_topic (topic=? AND position>? AND position<?)",
        );
        check(
            SUBJECT_POSITIONS,
            "SEARCH log USING COVERING INDEX log_subject (subject=? AND position>? AND position<?)",
        );
        check(PAGE, "SEARCH log USING INTEGER PRIMARY KEY (rowid>?)");
        check(ENTRY, "SEARCH log USING INTEGER PRIMARY KEY (rowid=?)");
        check(
            TOPIC_KINDS,
            "SEARCH log USING COVERING INDEX log_topic (topic=? AND position>?); USE TEMP B-TREE FOR DISTINCT",
        );
        check(SUBJECT_KINDS, "SEARCH log USING INDEX log_subject (subject=? AND position>?)");
        check(TRIMMED, "SEARCH log_trim USING INTEGER PRIMARY KEY (rowid=?)");
        check(OLDEST, "SEARCH log USING INTEGER PRIMARY KEY (rowid<?)");
        check(TRIM, "SEARCH log USING INTEGER PRIMARY KEY (rowid<?)");
        check(SCRUB, "SEARCH log USING INDEX log_object (object=?)");
    }
}
