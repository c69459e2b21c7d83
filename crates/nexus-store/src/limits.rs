//! The bounds of the store engine. Everything that grows has one here.

use std::time::Duration;

/// Interactive jobs that may wait for the writer; one more is answered with [`StoreError::QueueFull`](crate::StoreError::QueueFull).
pub const INTERACTIVE_JOBS_MAX: usize = 8_192;
/// Background jobs that may wait for the writer.
pub const BACKGROUND_JOBS_MAX: usize = 256;
/// Read jobs that may wait for a reader.
pub const READ_JOBS_MAX: usize = 8_192;
/// Jobs in one transaction. Measured on two cores with jobs like a sent message and 256 clients: 64 gives 54,000, 256 gives 57,000,
/// 1,024 gives 61,000 jobs per second; the middle one loses fewer neighbours on a full disk.
pub const BATCH_JOBS_MAX: usize = 256;
/// A batch that ran this long commits, so that one slow job delays its neighbours' answers but not without end.
pub const BATCH_TIME_MAX: Duration = Duration::from_millis(10);
/// A write job that took longer is named in a warning: every other writer waited for it.
pub const JOB_TIME_WARN: Duration = Duration::from_millis(5);
/// A read job that took longer is named in a warning.
pub const READ_TIME_WARN: Duration = Duration::from_millis(100);
/// A job that changed more rows is named in a warning.
pub const JOB_ROWS_WARN: u64 = 500;
/// A job, read or write, is interrupted after this time.
pub const JOB_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a connection waits for a lock that another process holds (a backup tool, the `sqlite3` shell).
pub const BUSY_TIME_MAX: Duration = Duration::from_secs(2);
/// Prepared statements a connection keeps.
pub const STATEMENTS_MAX: usize = 256;
/// Frames of the write-ahead log (4 KiB each) not yet copied into the database, after which the checkpointer starts.
pub const WAL_FRAMES_SOFT: i32 = 2_000;
/// Frames in the file (32 MiB) after which it shall start anew, which needs a moment when everything is copied.
pub const WAL_FRAMES_HARD: i32 = 8_000;
/// So many the writer copies itself to make that moment.
pub const WAL_FRAMES_REMAINDER: i32 = 500;
/// Frames in the file (64 MiB) after which the writer copies however many are left.
pub const WAL_FRAMES_MAX: i32 = 16_000;
/// Pause before the second probe of a broken disk; it doubles up to [`PROBE_PAUSE_MAX`].
pub const PROBE_PAUSE_MIN: Duration = Duration::from_millis(50);
/// Longest pause between two probes of a broken disk.
pub const PROBE_PAUSE_MAX: Duration = Duration::from_secs(2);
/// Bytes of log entries that the bus keeps in memory.
pub const RING_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Fleeting events that a slow reader of the bus may lag behind before it loses the oldest.
pub const FLEETING_MAX: usize = 1_024;
/// Rows that one call of [`log::trim`](crate::log::trim) deletes or writes.
pub const TRIM_ROWS_MAX: usize = 500;
/// Page cache in KiB of a database that one connection has for itself.
pub const ALONE_CACHE_KIB: usize = 1_024;
/// Frames of its write-ahead log after which a commit copies them into it.
pub const WAL_FRAMES_ALONE: i32 = 1_000;
/// Reads of the key log's files that run at the same time; more wait.
pub const FILE_READS_AT_ONCE_MAX: usize = 16;
/// Bytes of a line of the key log's files. A longer one is damage, not a line.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// Positions of the log that a restored backup leaves out: a year of 300 entries a second. JSON's numbers are exact for a million such
/// restores.
pub const POSITIONS_LOST_MAX: i64 = 10_000_000_000;
