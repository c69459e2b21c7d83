//! Opening connections and the pragmas they share. Source: <https://sqlite.org/pragma.html>.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::errors::classify;
use crate::limits::{ALONE_CACHE_KIB, BUSY_TIME_MAX, STATEMENTS_MAX, WAL_FRAMES_ALONE};
use crate::{Options, StoreError};

/// 3.7.0 to 3.51.2 can corrupt a database when several connections share a write-ahead log that starts anew.
/// Source: <https://sqlite.org/changes.html>, 3.51.3.
const SQLITE_VERSION_MIN: i32 = 3_051_003;

pub(super) fn assert_version() -> Result<(), StoreError> {
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        let cause = format!(
            "this binary is linked with SQLite {}; 3.51.3 or newer is needed",
            rusqlite::version()
        );
        return Err(StoreError::internal("open the database", cause));
    }
    Ok(())
}

/// Creates the file with mode 0600 if there is none; SQLite gives its side files the same mode.
pub(super) fn create_file(path: &Path) -> Result<(), StoreError> {
    let failed = |cause: std::io::Error| StoreError::internal("open the database file", format!("{}: {cause}", path.display()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => {
            // The new name must survive a power cut as the commits in the file do.
            let parent = path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty())
                .unwrap_or(Path::new("."));
            File::open(parent).and_then(|folder| folder.sync_all()).map_err(failed)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// The connection of the writer thread, the only one that writes.
pub(super) fn writer(path: &Path, options: &Options) -> Result<Connection, StoreError> {
    let conn = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, options)?;
    configure_writer(&conn, options).map_err(|error| classify("configure the database", &error))?;
    Ok(conn)
}

fn configure_writer(conn: &Connection, options: &Options) -> rusqlite::Result<()> {
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    assert_eq!(mode, "wal", "SQLite keeps a write-ahead log on every local file system");
    if let Some(pages) = options.max_page_count {
        let _granted: i64 = conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get(0))?;
    }
    Ok(())
}

/// The only connection to a small database, which no other process may open meanwhile.
pub(super) fn alone(path: &Path) -> Result<Connection, StoreError> {
    let options = Options {
        cache_kib: ALONE_CACHE_KIB,
        ..Options::default()
    };
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    match configure_alone(&conn, &options) {
        Ok(()) => Ok(conn),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
            let cause = format!("{}: another process has it open", path.display());
            Err(StoreError::internal("open the database", cause))
        }
        Err(error) => Err(classify("configure the database", &error)),
    }
}

fn configure_alone(conn: &Connection, options: &Options) -> rusqlite::Result<()> {
    // Before the first look at the file, so that the lock is taken with it and held until the connection ends.
    conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    configure(conn, options, Duration::ZERO)?;
    configure_writer(conn, options)?;
    // Nobody else copies the write-ahead log here.
    conn.pragma_update(None, "wal_autocheckpoint", WAL_FRAMES_ALONE)?;
    conn.execute_batch("BEGIN IMMEDIATE; COMMIT")
}

/// A connection that can't write.
pub(super) fn reader(path: &Path, options: &Options) -> Result<Connection, StoreError> {
    let conn = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, options)?;
    conn.pragma_update(None, "query_only", true)
        .map_err(|error| classify("configure the database", &error))?;
    Ok(conn)
}

/// A connection that only copies the write-ahead log into the database.
pub(super) fn checkpointer(path: &Path, options: &Options) -> Result<Connection, StoreError> {
    open(path, OpenFlags::SQLITE_OPEN_READ_WRITE, options)
}

fn open(path: &Path, mode: OpenFlags, options: &Options) -> Result<Connection, StoreError> {
    let conn = connect(path, mode)?;
    configure(&conn, options, BUSY_TIME_MAX).map_err(|error| classify("configure the database", &error))?;
    Ok(conn)
}

fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, StoreError> {
    // No mutex: each connection belongs to one thread.
    Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| StoreError::internal("open the database", format!("{}: {error}", path.display())))
}

fn configure(conn: &Connection, options: &Options, busy_time_max: Duration) -> rusqlite::Result<()> {
    conn.busy_timeout(busy_time_max)?;
    // FULL: a commit is on the disk before it is answered. NORMAL may lose the last commits at a power cut.
    conn.pragma_update(None, "synchronous", "FULL")?;
    // On, because Postgres always checks them; a schema without references pays nothing.
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cache_size", -i64::try_from(options.cache_kib).unwrap_or(i64::MAX))?;
    // Copying the log into the database is the checkpointer's work, never that of a commit.
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    // With STAT4 compiled in, as rusqlite's bundle has it, SQLite would compile a statement again whenever a value is bound to an
    // indexed column (https://sqlite.org/c3ref/prepare.html); that was a third of the CPU of a sent message.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(())
}

/// The highest position ever given, also when the log was trimmed empty since.
pub(super) fn log_head(conn: &Connection) -> Result<i64, StoreError> {
    conn.query_row(
        "SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'log'), 0)",
        [],
        |row| row.get(0),
    )
    .map_err(|error| classify("read the head of the log", &error))
}
