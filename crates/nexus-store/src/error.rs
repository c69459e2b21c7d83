//! What can go wrong in the store, by what the caller may do about it.

use std::sync::Arc;

/// A failure of the store. Cloneable, because one failure may concern every job of a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk has no room for this job. Nothing of it was kept (507).
    #[error("the disk is full")]
    Full,
    /// The job ran, but its transaction was rolled back because of a neighbour, or the outcome of the commit is unknown (503).
    /// Whoever asked may ask again with the same nonce.
    #[error("the transaction was lost: {reason}")]
    Lost {
        /// Why, for the operator.
        reason: &'static str,
    },
    /// Too many jobs wait already. The job did not run (503).
    #[error("too many jobs wait for the database")]
    QueueFull,
    /// The store can't write at the moment. The job did not run (503).
    #[error("the database is not ready")]
    Unavailable,
    /// The store was closed. The job did not run.
    #[error("the database is closed")]
    Closed,
    /// The job was interrupted after [`JOB_TIME_MAX`](crate::limits::JOB_TIME_MAX). Nothing of it was kept.
    #[error("the job took too long and was interrupted")]
    Timeout,
    /// The job panicked. Nothing of it was kept, and no other job was harmed.
    #[error("the job panicked")]
    Panicked,
    /// The job awaited something other than its transaction. Nothing of it was kept.
    #[error("the job awaited something other than its transaction")]
    Awaited,
    /// A read job tried to write.
    #[error("a read job tried to write")]
    ReadOnly,
    /// A unique index refused a row.
    #[error("a unique index refused the row: {cause}")]
    Unique {
        /// SQLite's words: the table and its columns, never values.
        cause: Arc<str>,
    },
    /// Everything else: we are at fault, or the disk is.
    #[error("could not {doing}: {cause}")]
    Internal {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        cause: Arc<str>,
    },
}

impl StoreError {
    /// A failure that is our fault or the disk's.
    pub fn internal(doing: &'static str, cause: impl std::fmt::Display) -> Self {
        Self::Internal {
            doing,
            cause: cause.to_string().into(),
        }
    }

    /// Whether a unique index refused a row. Such a job can only end; statements after a failed one are refused, as in Postgres.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Unique { .. })
    }
}

/// Why the store can't write at the moment.
///
/// A full disk is not among the reasons: reads still work, and each write finds out by itself whether there is room again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// A commit failed with an unknown outcome, or the disk failed, and no write succeeded since.
    #[error("a commit failed and no write has succeeded since")]
    Storage,
    /// The store was closed.
    #[error("the database is closed")]
    Closed,
}
