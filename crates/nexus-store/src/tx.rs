//! A transaction as a job sees it.
//!
//! After a statement failed, the job can only end: every further statement repeats the failure, and a job that answers `Ok`
//! all the same is answered with it. Postgres behaves so, hence a job can't come to rely on anything else.

use std::sync::Arc;

use crate::sqlite::Session;
use crate::{Entry, NewEntry, Row, StoreError, Value};

/// The transaction of one job.
///
/// Its functions are `async` because they are in Postgres; on SQLite they never wait. A job must await nothing else.
pub enum Tx<'c> {
    /// On the writer thread, or on a reader.
    #[doc(hidden)]
    Sqlite(Session<'c>),
}

const APPEND: &str = "INSERT INTO log (at_ms, kind, topic, channel, subject, object, body)
     VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING position";

impl Tx<'_> {
    /// Runs a statement that gives no rows and says how many rows it changed.
    ///
    /// Placeholders are `$1`, `$2` …, each bound by its number.
    ///
    /// # Errors
    /// Whatever the database says. See the module: after an error the job can only end.
    ///
    /// # Panics
    /// If `args` does not match the placeholders, which is a bug of the statement.
    #[expect(clippy::unused_async, reason = "Postgres awaits here")]
    pub async fn execute(&mut self, sql: &'static str, args: &[Value<'_>]) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(session) => session.execute(sql, args),
        }
    }

    /// Runs a statement and maps each row.
    ///
    /// # Errors
    /// As [`Tx::execute`], or the first error of `map`.
    #[expect(clippy::unused_async, reason = "Postgres awaits here")]
    pub async fn query<T>(
        &mut self,
        sql: &'static str,
        args: &[Value<'_>],
        mut map: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut rows = Vec::new();
        match self {
            Self::Sqlite(session) => session.query(sql, args, |row| {
                rows.push(map(row)?);
                Ok(())
            })?,
        }
        Ok(rows)
    }

    /// Runs a statement that gives one row or none.
    ///
    /// # Errors
    /// As [`Tx::execute`], the error of `map`, or [`StoreError::Internal`] if there is a second row, which is a bug of the statement.
    #[expect(clippy::unused_async, reason = "Postgres awaits here")]
    pub async fn query_opt<T>(
        &mut self,
        sql: &'static str,
        args: &[Value<'_>],
        map: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut map = Some(map);
        let mut found = None;
        match self {
            Self::Sqlite(session) => session.query(sql, args, |row| {
                let map = map
                    .take()
                    .ok_or_else(|| StoreError::internal("read one row", "the statement gave a second one"))?;
                found = Some(map(row)?);
                Ok(())
            })?,
        }
        Ok(found)
    }

    /// Appends an entry to the log and says its position. The bus gets it after the commit.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn append(&mut self, entry: NewEntry) -> Result<i64, StoreError> {
        debug_assert!(!entry.body.is_empty(), "an empty body means scrubbed");
        let args = [
            entry.at_ms.into(),
            entry.kind.into(),
            entry.topic.into(),
            entry.channel.into(),
            entry.subject.into(),
            entry.object.into(),
            entry.body.as_str().into(),
        ];
        let position = self.query_opt(APPEND, &args, |row| row.get::<i64>(0)).await?;
        let position = position.ok_or_else(|| StoreError::internal("append to the log", "the statement gave no position"))?;
        let NewEntry {
            at_ms,
            kind,
            topic,
            channel,
            subject,
            object,
            body,
        } = entry;
        let entry = Entry {
            position,
            at_ms,
            kind,
            topic,
            channel,
            subject,
            object,
            body: body.into(),
        };
        match self {
            Self::Sqlite(session) => session.notes.entries.push(Arc::new(entry)),
        }
        Ok(position)
    }

    /// Remembers that the bodies of an object's entries were erased, so that the bus erases its copies after the commit.
    pub(crate) fn scrubbed(&mut self, object: i64) {
        match self {
            Self::Sqlite(session) => session.notes.scrubbed.push(object),
        }
    }
}
