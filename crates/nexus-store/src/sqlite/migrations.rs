//! Bringing a database's schema up to date.
//!
//! Migrations are numbered files below `migrations/sqlite`, embedded in the binary, each run once in a transaction of its own. A
//! file that was run is never edited; its checksum is compared at every start.
//!
//! The schema stores the oldest binary that may open it, as the number of the newest migration that binary knows. A migration
//! that an older binary can live with says so in a line `-- oldest: N`; without that line only binaries that know it may open the
//! database.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use super::errors::classify;
use crate::StoreError;

/// One migration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    pub(super) number: i64,
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

/// Every migration this binary knows, in order.
pub(super) const ALL: &[Migration] = &[
    Migration {
        number: 1,
        name: "start",
        sql: include_str!("../../migrations/sqlite/0001_start.sql"),
    },
    Migration {
        number: 2,
        name: "transparency",
        sql: include_str!("../../migrations/sqlite/0002_transparency.sql"),
    },
    Migration {
        number: 3,
        name: "admin_tokens",
        sql: include_str!("../../migrations/sqlite/0003_admin_tokens.sql"),
    },
    Migration {
        number: 4,
        name: "hub",
        sql: include_str!("../../migrations/sqlite/0004_hub.sql"),
    },
    Migration {
        number: 5,
        name: "bots",
        sql: include_str!("../../migrations/sqlite/0005_bots.sql"),
    },
];

/// Those of a cosigner's own file.
pub(super) const COSIGNER: &[Migration] = &[Migration {
    number: 1,
    name: "start",
    sql: include_str!("../../migrations/cosigner/0001_start.sql"),
}];

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS migration (
    number   INTEGER NOT NULL PRIMARY KEY,
    name     TEXT    NOT NULL,
    checksum TEXT    NOT NULL -- SHA-256 of the file, in hexadecimal
) STRICT";

/// Runs what was not run yet.
pub(super) fn run(conn: &mut Connection, all: &[Migration]) -> Result<(), StoreError> {
    let known = all.last().map_or(0, |migration| migration.number);
    // Immediate, so that two processes do not migrate at once: the second waits, then finds nothing to do.
    let step = |conn: &mut Connection, migration: Option<&Migration>| -> Result<(), Failure> {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        match migration {
            None => {
                tx.execute_batch(LEDGER)?;
                check_guard(&tx, known)?;
            }
            Some(migration) => apply(&tx, migration)?,
        }
        Ok(tx.commit()?)
    };
    std::iter::once(None)
        .chain(all.iter().map(Some))
        .try_for_each(|migration| step(conn, migration))
        .map_err(|failure| match failure {
            Failure::Sqlite(error) => classify("migrate the database", &error),
            Failure::Refused(sentence) => StoreError::internal("open the database", sentence),
        })
}

enum Failure {
    Sqlite(rusqlite::Error),
    Refused(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn check_guard(conn: &Connection, known: i64) -> Result<(), Failure> {
    let newest: Option<i64> = conn.query_row("SELECT MAX(number) FROM migration", [], |row| row.get(0))?;
    let Some(newest) = newest else { return Ok(()) };
    let sql = "SELECT CAST(value AS INTEGER) FROM instance WHERE key = 'oldest_schema'";
    let oldest: i64 = conn.query_row(sql, [], |row| row.get(0)).optional()?.unwrap_or(newest);
    if known < oldest {
        return Err(Failure::Refused(format!(
            "its schema is number {newest} and needs a binary that knows number {oldest}, but this one ends at {known}; \
             start the newer binary that wrote it"
        )));
    }
    Ok(())
}

fn apply(conn: &Connection, migration: &Migration) -> Result<(), Failure> {
    let Migration { number, name, sql } = *migration;
    let checksum = checksum(sql);
    let before: Option<String> = conn
        .query_row("SELECT checksum FROM migration WHERE number = ?", [number], |row| row.get(0))
        .optional()?;
    match before {
        Some(before) if before == checksum => return Ok(()),
        Some(_) => {
            return Err(Failure::Refused(format!(
                "migration {number:04}_{name} was run with another content than this binary's; \
                 it must never be edited once released"
            )));
        }
        None => {}
    }
    conn.execute_batch(sql)?;
    conn.execute(
        "INSERT INTO migration (number, name, checksum) VALUES (?, ?, ?)",
        params![number, name, checksum],
    )?;
    conn.execute(
        "INSERT INTO instance (key, value) VALUES ('oldest_schema', ?1)
         ON CONFLICT (key) DO UPDATE SET value = MAX(CAST(value AS INTEGER), CAST(?1 AS INTEGER))",
        [oldest(sql).unwrap_or(number).to_string()],
    )?;
    tracing::info!(number, name, "the database was migrated to {number:04}_{name}");
    Ok(())
}

fn oldest(sql: &str) -> Option<i64> {
    sql.lines().find_map(|line| line.strip_prefix("-- oldest: ")?.trim().parse().ok())
}

fn checksum(sql: &str) -> String {
    use std::fmt::Write;
    Sha256::digest(sql.as_bytes()).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string never fails");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Migration = ALL[0];
    const STRICT: Migration = Migration {
        number: 2,
        name: "strict",
        sql: "CREATE TABLE strict_one (id INTEGER);",
    };
    const LENIENT: Migration = Migration {
        number: 2,
        name: "lenient",
        sql: "-- oldest: 1\nCREATE TABLE lenient_one (id INTEGER);",
    };
    const BROKEN: Migration = Migration {
        number: 2,
        name: "broken",
        sql: "CREATE TABLE half (id INTEGER); CREATE TABLE half (id INTEGER);",
    };

    /// Opens a database with one binary after another and says what the last one heard.
    fn check(binaries: &[&[Migration]], expected: Result<(), &str>) {
        let mut conn = Connection::open_in_memory().expect("a database in memory");
        let (last, before) = binaries.split_last().expect("one binary at least");
        for binary in before {
            run(&mut conn, binary).expect("the earlier binaries are welcome");
        }
        match (run(&mut conn, last), expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn an_older_binary_is_refused_unless_every_newer_migration_allows_it() {
        check(&[&[FIRST], &[FIRST, STRICT], &[FIRST, STRICT]], Ok(()));
        check(
            &[&[FIRST, STRICT], &[FIRST]],
            Err("needs a binary that knows number 2, but this one ends at 1"),
        );
        check(&[&[FIRST, LENIENT], &[FIRST]], Ok(()));
        let third = Migration { number: 3, ..LENIENT };
        let third = Migration {
            sql: "-- oldest: 1\nCREATE TABLE third (id INTEGER);",
            ..third
        };
        check(&[&[FIRST, STRICT, third], &[FIRST]], Err("needs a binary that knows number 2"));
    }

    #[test]
    fn a_changed_migration_is_refused() {
        check(
            &[&[FIRST, STRICT], &[FIRST, LENIENT]],
            Err("0002_lenient was run with another content"),
        );
    }

    #[test]
    fn a_migration_happens_wholly_or_not_at_all() {
        check(&[&[FIRST], &[FIRST, BROKEN]], Err("half"));
        let mut conn = Connection::open_in_memory().expect("a database in memory");
        run(&mut conn, &[FIRST, BROKEN]).expect_err("the second is broken");
        run(&mut conn, &[FIRST, STRICT]).expect("nothing of it is left");
    }

    #[test]
    fn every_file_is_embedded_under_its_number_and_name() {
        for (folder, embedded) in [("sqlite", ALL), ("cosigner", COSIGNER)] {
            let mut files: Vec<_> = std::fs::read_dir(format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR")))
                .expect("the folder is there")
                .map(|file| file.expect("a file").file_name().into_string().expect("a plain name"))
                .collect();
            files.sort();
            let names: Vec<_> = embedded
                .iter()
                .map(|migration| format!("{:04}_{}.sql", migration.number, migration.name))
                .collect();
            assert_eq!(files, names);
            assert!(
                embedded.iter().zip(1..).all(|(migration, number)| migration.number == number),
                "numbers have no gap"
            );
        }
    }
}
