//! Statements of one job on one connection.

use std::sync::Arc;

use rusqlite::{CachedStatement, Connection};

use super::errors::{classify, is_disk_failure};
use crate::{Entry, Row, StoreError, Value};

/// What a job leaves behind besides its rows.
#[derive(Default)]
pub(crate) struct Notes {
    /// Entries appended in this transaction, for the bus.
    pub(crate) entries: Vec<Arc<Entry>>,
    /// Objects whose entries were scrubbed in this transaction, for the bus.
    pub(crate) scrubbed: Vec<i64>,
    /// The first failed statement of the running job. Until the job ends, every further statement repeats it.
    pub(super) failed: Option<StoreError>,
    /// A statement failed because of the disk.
    pub(super) disk_failed: bool,
}

/// One job's hold on a connection.
pub struct Session<'c> {
    pub(super) conn: &'c mut Connection,
    pub(crate) notes: &'c mut Notes,
}

/// Either kind of failure inside a query.
enum Failure {
    Statement(rusqlite::Error),
    Map(StoreError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Statement(error)
    }
}

impl Session<'_> {
    pub(crate) fn execute(&mut self, sql: &'static str, args: &[Value<'_>]) -> Result<u64, StoreError> {
        self.check()?;
        match bind(self.conn, sql, args).and_then(|mut statement| statement.raw_execute()) {
            Ok(rows) => Ok(rows as u64),
            Err(error) => Err(self.fail("execute a statement", &error)),
        }
    }

    /// Calls `each` for every row.
    pub(crate) fn query(
        &mut self,
        sql: &'static str,
        args: &[Value<'_>],
        mut each: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.check()?;
        let mut run = || {
            let mut statement = bind(self.conn, sql, args)?;
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                each(&Row::sqlite(row)).map_err(Failure::Map)?;
            }
            Ok(())
        };
        run().map_err(|failure| match failure {
            Failure::Statement(error) => self.fail("run a query", &error),
            Failure::Map(error) => error,
        })
    }

    fn check(&self) -> Result<(), StoreError> {
        self.notes.failed.clone().map_or(Ok(()), Err)
    }

    fn fail(&mut self, doing: &'static str, error: &rusqlite::Error) -> StoreError {
        let ours = classify(doing, error);
        self.notes.disk_failed |= is_disk_failure(error);
        self.notes.failed = Some(ours.clone());
        ours
    }
}

/// Prepares a statement, or takes it from the cache, and binds `args` by the number in each placeholder's name: SQLite numbers
/// `$n` by its first appearance in the text.
fn bind<'conn>(conn: &'conn Connection, sql: &'static str, args: &[Value<'_>]) -> rusqlite::Result<CachedStatement<'conn>> {
    let mut statement = conn.prepare_cached(sql)?;
    let count = statement.parameter_count();
    assert_eq!(count, args.len(), "a statement has as many arguments as placeholders: {sql}");
    for index in 1..=count {
        let name = statement.parameter_name(index).unwrap_or_default();
        let number = name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
        // Names are distinct and as many as arguments, so that each argument is bound once.
        let arg = number.and_then(|number| args.get(number.checked_sub(1)?));
        let arg = *arg.unwrap_or_else(|| panic!("placeholders are $1 to ${count}, not {name}: {sql}"));
        statement.raw_bind_parameter(index, arg)?;
    }
    Ok(statement)
}
