//! The handle that everybody holds.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::limits::{BACKGROUND_JOBS_MAX, BATCH_TIME_MAX, INTERACTIVE_JOBS_MAX, JOB_TIME_MAX, READ_JOBS_MAX, RING_BYTES_MAX};
use crate::sqlite::{Lane, Sqlite};
use crate::{Bus, NotReady, StoreError, Tx};

/// How to open a database. The defaults are right for a server; tests make things smaller.
#[derive(Debug, Clone)]
pub struct Options {
    /// Threads (and connections) for read jobs, at least 1.
    pub read_threads: usize,
    /// Page cache of each connection in KiB.
    pub cache_kib: usize,
    /// The database may not grow beyond this many pages of 4 KiB: a full disk for tests and quotas.
    pub max_page_count: Option<u64>,
    /// Interactive jobs that may wait for the writer.
    pub interactive_jobs_max: usize,
    /// Background jobs that may wait for the writer.
    pub background_jobs_max: usize,
    /// Jobs that may wait for a reader.
    pub read_jobs_max: usize,
    /// Bytes of log entries that the bus keeps in memory.
    pub ring_bytes_max: usize,
    /// A job is interrupted after this time.
    pub job_time_max: Duration,
    /// A batch of jobs that ran this long commits.
    pub batch_time_max: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            read_threads: 4,
            cache_kib: 4_096,
            max_page_count: None,
            interactive_jobs_max: INTERACTIVE_JOBS_MAX,
            background_jobs_max: BACKGROUND_JOBS_MAX,
            read_jobs_max: READ_JOBS_MAX,
            ring_bytes_max: RING_BYTES_MAX,
            job_time_max: JOB_TIME_MAX,
            batch_time_max: BATCH_TIME_MAX,
        }
    }
}

/// An open database. Clones share it.
///
/// When the last clone is dropped without [`Db::close`], the threads finish the queued jobs and end by themselves.
#[derive(Clone)]
pub struct Db {
    backend: Arc<Backend>,
}

enum Backend {
    Sqlite(Sqlite),
}

impl Db {
    /// Opens or creates the database file at `path` (not its folder, which must exist; a new file gets mode 0600), brings its
    /// schema up to date, and starts the threads.
    ///
    /// # Errors
    /// [`StoreError::Internal`] with a sentence for the operator: the linked SQLite is too old, the file can't be opened, its
    /// schema is newer than this binary understands, or an applied migration differs from the one in this binary.
    pub fn open(path: &Path, options: Options) -> Result<Self, StoreError> {
        Ok(Self {
            backend: Arc::new(Backend::Sqlite(Sqlite::open(path, options)?)),
        })
    }

    /// Runs a job that somebody waits for, and answers after its transaction is on stable storage.
    ///
    /// The job runs even if the caller goes away. It must await nothing but `tx`, and touch at most 500 rows or 5 ms.
    ///
    /// # Errors
    /// What the job itself answered (then nothing of it was kept), or a [`StoreError`].
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: for<'a, 'c> AsyncFnOnce(&'a mut Tx<'c>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &*self.backend {
            Backend::Sqlite(sqlite) => sqlite.write(Lane::Interactive, job).await,
        }
    }

    /// Runs a job that nobody waits for, as [`Db::write`], but at most one per transaction: a long row of them delays interactive
    /// jobs by one at most, and still gets on.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_background<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: for<'a, 'c> AsyncFnOnce(&'a mut Tx<'c>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &*self.backend {
            Backend::Sqlite(sqlite) => sqlite.write(Lane::Background, job).await,
        }
    }

    /// Runs a job on one snapshot of what is committed. A write in it is refused.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: for<'a, 'c> AsyncFnOnce(&'a mut Tx<'c>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &*self.backend {
            Backend::Sqlite(sqlite) => sqlite.read(job).await,
        }
    }

    /// The bus of this process.
    pub fn bus(&self) -> &Bus {
        match &*self.backend {
            Backend::Sqlite(sqlite) => sqlite.bus(),
        }
    }

    /// Whether the store can write at the moment.
    ///
    /// # Errors
    /// Why not.
    pub fn ready(&self) -> Result<(), NotReady> {
        match &*self.backend {
            Backend::Sqlite(sqlite) => sqlite.ready(),
        }
    }

    /// Runs what is queued, empties the write-ahead log into the database, and ends the threads. Later calls answer
    /// [`StoreError::Closed`].
    pub async fn close(&self) {
        match &*self.backend {
            Backend::Sqlite(sqlite) => sqlite.close().await,
        }
    }
}
