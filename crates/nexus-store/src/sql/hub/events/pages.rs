//! Pages of events: the newest of some types, or what came after a position.

use std::collections::BTreeSet;

use nexus_types::hub::Pattern;

use super::{StoredEvent, at};
use crate::{StoreError, Tx};

const ALL_OLDER: &str = "SELECT position FROM hub_events WHERE position > $1 AND position < $2 ORDER BY position DESC LIMIT $3";
const ALL_NEWER: &str = "SELECT position FROM hub_events WHERE position > $1 AND position < $2 ORDER BY position LIMIT $3";
const TYPE_OLDER: &str =
    "SELECT position FROM hub_events WHERE type = $1 AND position > $2 AND position < $3 ORDER BY position DESC LIMIT $4";
const TYPE_NEWER: &str = "SELECT position FROM hub_events WHERE type = $1 AND position > $2 AND position < $3 ORDER BY position LIMIT $4";
const SOURCE_OLDER: &str = "SELECT position FROM hub_events
    WHERE source = $5 AND type = $1 AND position > $2 AND position < $3 ORDER BY position DESC LIMIT $4";
const NEXT_TYPE: &str = "SELECT type FROM hub_events WHERE type > $1 AND type < $2 ORDER BY type LIMIT 1";
const NEXT_TYPE_OF_SOURCE: &str = "SELECT type FROM hub_events WHERE source = $3 AND type > $1 AND type < $2 ORDER BY type LIMIT 1";

/// Which events a page is made of.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only these types; empty for all.
    pub kinds: Vec<Pattern>,
    /// Only of this source.
    pub source: Option<String>,
    /// Only before this position.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: i64,
}

/// A page, newest first.
///
/// # Errors
/// Those of the store.
pub async fn page(tx: &mut Tx<'_>, filter: &Filter) -> Result<Vec<StoredEvent>, StoreError> {
    let before = filter.before.unwrap_or(i64::MAX);
    let source = filter.source.as_deref();
    let positions = match types(tx, &filter.kinds, source).await? {
        None => first(tx, ALL_OLDER, (0, before), filter.limit).await?,
        Some(kinds) => newest(tx, &kinds, source, before, filter.limit).await?,
    };
    all_at(tx, positions).await
}

/// The first events after a position, oldest first.
///
/// # Errors
/// Those of the store.
pub async fn after(tx: &mut Tx<'_>, position: i64, kinds: &[Pattern], limit: i64) -> Result<Vec<StoredEvent>, StoreError> {
    let positions = match types(tx, kinds, None).await? {
        None => first(tx, ALL_NEWER, (position, i64::MAX), limit).await?,
        Some(kinds) => {
            let mut found = BTreeSet::new();
            for kind in &kinds {
                // Once there are enough, only what comes before the last of them is of interest.
                let end = if (found.len() as i64) < limit {
                    i64::MAX
                } else {
                    *found.last().unwrap_or(&0)
                };
                let args = [kind.as_str().into(), position.into(), end.into(), limit.into()];
                found.extend(tx.query(TYPE_NEWER, &args, |row| row.get::<i64>(0)).await?);
                while found.len() as i64 > limit {
                    found.pop_last();
                }
            }
            found.into_iter().collect()
        }
    };
    all_at(tx, positions).await
}

/// The types that these patterns ask for, as far as there are events of them; `None` for all of them from anybody.
async fn types(tx: &mut Tx<'_>, kinds: &[Pattern], source: Option<&str>) -> Result<Option<BTreeSet<String>>, StoreError> {
    let all = kinds.is_empty() || kinds.contains(&Pattern::All);
    if all && source.is_none() {
        return Ok(None);
    }
    let mut found = BTreeSet::new();
    if all {
        // A type begins with a letter.
        types_between(tx, "", "~".into(), source, &mut found).await?;
    }
    for kind in kinds.iter().filter(|_| !all) {
        match kind {
            Pattern::All => {}
            Pattern::Exact(kind) => drop(found.insert(kind.as_str().to_owned())),
            // The semicolon follows the colon.
            Pattern::Namespace(namespace) => {
                types_between(tx, &format!("{namespace}:"), format!("{namespace};"), source, &mut found).await?;
            }
        }
    }
    Ok(Some(found))
}

/// Walks from type to type, one step into the index for each.
async fn types_between(
    tx: &mut Tx<'_>,
    start: &str,
    end: String,
    source: Option<&str>,
    found: &mut BTreeSet<String>,
) -> Result<(), StoreError> {
    let mut last = start.to_owned();
    loop {
        let next = match source {
            None => tx.query_opt(NEXT_TYPE, &[(&last).into(), (&end).into()], |row| row.get(0)).await?,
            Some(source) => {
                let args = [(&last).into(), (&end).into(), source.into()];
                tx.query_opt(NEXT_TYPE_OF_SOURCE, &args, |row| row.get(0)).await?
            }
        };
        let Some(next) = next else { return Ok(()) };
        last = next;
        found.insert(last.clone());
    }
}

async fn first(tx: &mut Tx<'_>, sql: &'static str, (after, before): (i64, i64), limit: i64) -> Result<Vec<i64>, StoreError> {
    tx.query(sql, &[after.into(), before.into(), limit.into()], |row| row.get(0)).await
}

/// The newest positions before one of these types, newest first. Reads indexes only.
async fn newest(tx: &mut Tx<'_>, kinds: &BTreeSet<String>, source: Option<&str>, before: i64, limit: i64) -> Result<Vec<i64>, StoreError> {
    let mut found = BTreeSet::new();
    for kind in kinds {
        // Once there are enough, only what comes after the oldest of them is of interest.
        let start = if (found.len() as i64) < limit {
            0
        } else {
            *found.first().unwrap_or(&before)
        };
        let args = [kind.as_str().into(), start.into(), before.into(), limit.into(), source.into()];
        let (sql, args) = match source {
            None => (TYPE_OLDER, &args[..4]),
            Some(_) => (SOURCE_OLDER, &args[..]),
        };
        found.extend(tx.query(sql, args, |row| row.get::<i64>(0)).await?);
        while found.len() as i64 > limit {
            found.pop_first();
        }
    }
    Ok(found.into_iter().rev().collect())
}

async fn all_at(tx: &mut Tx<'_>, positions: Vec<i64>) -> Result<Vec<StoredEvent>, StoreError> {
    let mut events = Vec::with_capacity(positions.len());
    for position in positions {
        events.extend(at(tx, position).await?);
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::plans::check;

    #[test]
    fn no_statement_looks_at_more_than_its_range() {
        check(ALL_OLDER, "SEARCH hub_events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)");
        check(ALL_NEWER, "SEARCH hub_events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)");
        check(
            TYPE_OLDER,
            "SEARCH hub_events USING COVERING INDEX hub_events_type (type=? AND rowid>? AND rowid<?)",
        );
        check(
            TYPE_NEWER,
            "SEARCH hub_events USING COVERING INDEX hub_events_type (type=? AND rowid>? AND rowid<?)",
        );
        check(
            SOURCE_OLDER,
            "SEARCH hub_events USING COVERING INDEX hub_events_source (source=? AND type=? AND rowid>? AND rowid<?)",
        );
        check(
            NEXT_TYPE,
            "SEARCH hub_events USING COVERING INDEX hub_events_type (type>? AND type<?)",
        );
        check(
            NEXT_TYPE_OF_SOURCE,
            "SEARCH hub_events USING COVERING INDEX hub_events_source (source=? AND type>? AND type<?)",
        );
    }
}
