//! The writer thread: drains its queues into one transaction, a savepoint per job, commits, publishes, answers.
//!
//! What a caller is told follows from one rule: **nobody hears `Ok` whose rows are not on the disk.** SQLite may roll back the
//! whole transaction inside any statement (a full disk does), so after each job the writer asks whether the transaction still
//! stands. Jobs can't be run twice; whoever lost its work because of a neighbour is told to ask again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, select};
use rusqlite::Connection;

use super::errors::{classify, is_disk_failure};
use super::jobs::{Called, Job};
use super::session::{Notes, Session};
use super::{Lane, Never, Shared, checkpoints, connections};
use crate::limits::{BATCH_JOBS_MAX, JOB_ROWS_WARN, JOB_TIME_WARN, PROBE_PAUSE_MAX, PROBE_PAUSE_MIN};
use crate::{Entry, Options, StoreError, Tx};

/// Where the writer's work comes from and whom it tells.
pub(super) struct Channels {
    pub(super) interactive: Receiver<Box<dyn Job>>,
    pub(super) background: Receiver<Box<dyn Job>>,
    pub(super) stopped: Receiver<Never>,
    /// Asks the checkpointer to copy.
    pub(super) poke: Sender<()>,
}

pub(super) struct Writer {
    conn: Connection,
    deadline: Deadline,
    path: PathBuf,
    options: Options,
    shared: Arc<Shared>,
    channels: Channels,
    /// The jobs of the open transaction that ran, each with the verdict that stands already.
    batch: Vec<(Box<dyn Job>, Option<StoreError>)>,
    notes: Notes,
}

/// How a job left the transaction.
enum Left {
    /// The transaction stands.
    Standing(Option<StoreError>),
    /// SQLite rolled it back, or it can't be trusted any more.
    Gone(StoreError),
}

impl Writer {
    pub(super) fn new(conn: Connection, path: &Path, options: Options, shared: Arc<Shared>, channels: Channels) -> Self {
        let batch = Vec::with_capacity(BATCH_JOBS_MAX);
        Self {
            conn,
            deadline: Deadline::default(),
            path: path.into(),
            options,
            shared,
            channels,
            batch,
            notes: Notes::default(),
        }
    }

    pub(super) fn run(mut self) {
        // However this thread ends, nobody may believe that it still takes jobs.
        let _closes = Closes(Arc::clone(&self.shared));
        match Deadline::install(&mut self.conn) {
            Ok(deadline) => self.deadline = deadline,
            Err(error) => return tracing::error!(%error, "the writer could not start"),
        }
        while let Some(first) = self.next() {
            self.transact(first);
        }
    }

    /// The next job, waiting for it without a timer; `None` when the store was closed and nothing is queued.
    fn next(&self) -> Option<(Lane, Box<dyn Job>)> {
        if let Some(job) = self.queued(true) {
            return Some(job);
        }
        select! {
            recv(self.channels.interactive) -> job => job.ok().map(|job| (Lane::Interactive, job)),
            recv(self.channels.background) -> job => job.ok().map(|job| (Lane::Background, job)),
            recv(self.channels.stopped) -> _ => None,
        }
        // Closing or dropping the store may win the race above although a job is queued.
        .or_else(|| self.queued(true))
    }

    fn queued(&self, background: bool) -> Option<(Lane, Box<dyn Job>)> {
        let interactive = self.channels.interactive.try_recv().ok().map(|job| (Lane::Interactive, job));
        interactive.or_else(|| if background { self.queued_background() } else { None })
    }

    fn queued_background(&self) -> Option<(Lane, Box<dyn Job>)> {
        self.channels.background.try_recv().ok().map(|job| (Lane::Background, job))
    }

    /// One transaction: `first` and whoever else waits.
    fn transact(&mut self, first: (Lane, Box<dyn Job>)) {
        if self.shared.broken.load(Ordering::Acquire) {
            // The store was closed before the disk came back.
            return first.1.answer(Some(StoreError::Unavailable));
        }
        if let Err(error) = run_cached(&self.conn, "BEGIN IMMEDIATE") {
            tracing::error!(%error, "could not begin to write");
            first.1.answer(Some(if is_full(&error) {
                StoreError::Full
            } else {
                StoreError::Unavailable
            }));
            return self.recover_if(is_disk_failure(&error) || !self.conn.is_autocommit());
        }
        let started = Instant::now();
        let mut had_background = false;
        let mut next = Some(first);
        while let Some((lane, mut job)) = next {
            had_background |= lane == Lane::Background;
            match self.call(&mut *job) {
                Left::Standing(verdict) => self.batch.push((job, verdict)),
                Left::Gone(culprit) => return self.lose(job, culprit),
            }
            let room = self.batch.len() < BATCH_JOBS_MAX && started.elapsed() < self.options.batch_time_max;
            next = match (room, had_background) {
                (true, had_background) => self.queued(!had_background),
                // The batch is full of interactive jobs: one background job still gets its turn.
                (false, false) => self.queued_background(),
                (false, true) => None,
            };
        }
        self.commit();
    }

    /// Runs one job in its savepoint.
    fn call(&mut self, job: &mut dyn Job) -> Left {
        if let Err(error) = run_cached(&self.conn, "SAVEPOINT job") {
            return self.gone("set a savepoint", &error);
        }
        let (entries, scrubbed) = (self.notes.entries.len(), self.notes.scrubbed.len());
        let changes = self.conn.total_changes();
        let started = self.deadline.start(self.options.job_time_max);
        let called = job.call(&mut Tx::Sqlite(Session {
            conn: &mut self.conn,
            notes: &mut self.notes,
        }));
        self.deadline.clear();
        warn_if_slow(job, started, JOB_TIME_WARN, self.conn.total_changes().saturating_sub(changes));

        let failed = self.notes.failed.take();
        if self.conn.is_autocommit() {
            return Left::Gone(failed.unwrap_or_else(|| StoreError::internal("run a job", "it ended its transaction itself")));
        }
        let verdict = match called {
            Called::Kept if failed.is_none() => match run_cached(&self.conn, "RELEASE job") {
                Ok(()) => return Left::Standing(None),
                Err(error) => return self.gone("release a savepoint", &error),
            },
            Called::Kept => failed,
            Called::Refused => None,
            Called::Awaited => Some(StoreError::Awaited),
            Called::Panicked => Some(StoreError::Panicked),
        };
        self.notes.entries.truncate(entries);
        self.notes.scrubbed.truncate(scrubbed);
        let undone = run_cached(&self.conn, "ROLLBACK TO job").and_then(|()| run_cached(&self.conn, "RELEASE job"));
        match undone {
            Ok(()) if self.notes.disk_failed => Left::Gone(verdict.unwrap_or(StoreError::Unavailable)),
            Ok(()) => Left::Standing(verdict),
            Err(error) => self.gone("undo a job", &error),
        }
    }

    fn gone(&mut self, doing: &'static str, error: &rusqlite::Error) -> Left {
        self.notes.disk_failed |= is_disk_failure(error);
        Left::Gone(classify(doing, error))
    }

    /// The transaction is gone because of `culprit`: everyone who ran before it lost its work.
    fn lose(&mut self, culprit: Box<dyn Job>, cause: StoreError) {
        tracing::error!(
            job = culprit.name(),
            jobs_lost = self.batch.len(),
            "a transaction was rolled back: {cause}"
        );
        self.rollback();
        culprit.answer(Some(cause));
        self.answer_all(&StoreError::Lost {
            reason: "a neighbour's failure rolled it back",
        });
        let disk_failed = std::mem::take(&mut self.notes.disk_failed);
        self.recover_if(disk_failed || !self.conn.is_autocommit());
    }

    fn commit(&mut self) {
        match run_cached(&self.conn, "COMMIT") {
            Ok(()) => {
                // First everyone can read it, then its author hears of it: what comes after an answer finds the entry.
                self.shared.bus.publish(&mut self.notes.entries, &mut self.notes.scrubbed);
                for (job, verdict) in self.batch.drain(..) {
                    job.answer(verdict);
                }
                checkpoints::after_commit(&self.conn, &self.channels.poke);
            }
            // The log could not grow by the commit's frames, so it is not in the log: there was no room for anybody.
            Err(error) if is_full(&error) => {
                tracing::error!(jobs_lost = self.batch.len(), "the disk is full");
                self.rollback();
                self.answer_all(&StoreError::Full);
                // Once the log is copied it starts anew, which may be all the room that small writes need.
                let _asked = self.channels.poke.try_send(()).is_ok();
                self.recover_if(!self.conn.is_autocommit());
            }
            Err(error) => {
                tracing::error!(%error, jobs_lost = self.batch.len(), "a commit failed with an unknown outcome");
                self.rollback();
                self.shared.broken.store(true, Ordering::Release);
                self.answer_all(&StoreError::Lost {
                    reason: "the outcome of its commit is unknown",
                });
                self.recover();
            }
        }
    }

    fn rollback(&mut self) {
        self.notes.entries.clear();
        self.notes.scrubbed.clear();
        if !self.conn.is_autocommit()
            && let Err(error) = run_cached(&self.conn, "ROLLBACK")
        {
            tracing::error!(%error, "could not roll back");
        }
    }

    /// Answers every job of the batch. What a job itself answered does not count any more, not even a refusal: it may rest on a
    /// row of a neighbour that never came to be.
    fn answer_all(&mut self, error: &StoreError) {
        for (job, verdict) in self.batch.drain(..) {
            job.answer(Some(verdict.unwrap_or_else(|| error.clone())));
        }
    }

    fn recover_if(&mut self, needed: bool) {
        if needed {
            self.recover();
        }
    }

    /// Refuses jobs until a write has reached the disk through a new connection. The only place with a timer.
    fn recover(&mut self) {
        self.shared.broken.store(true, Ordering::Release);
        // The old connection may still hold the write lock; until there is a new one, this one stands in its place.
        match Connection::open_in_memory() {
            Ok(placeholder) => self.conn = placeholder,
            Err(error) => tracing::error!(%error, "could not let go of the broken connection"),
        }
        let mut pause = PROBE_PAUSE_MIN;
        loop {
            match self.probe() {
                Ok(()) => break,
                Err(error) => tracing::error!(%error, "the database does not take writes"),
            }
            if !self.refuse_for(pause) {
                return;
            }
            pause = (pause * 2).min(PROBE_PAUSE_MAX);
        }
        tracing::info!("the database takes writes again");
        self.shared.broken.store(false, Ordering::Release);
    }

    /// Opens a new connection, writes through it, and publishes what turned out to be committed after all.
    fn probe(&mut self) -> Result<(), StoreError> {
        let mut conn = connections::writer(&self.path, &self.options)?;
        let deadline = Deadline::install(&mut conn).map_err(|error| classify("open the database", &error))?;
        let mut found = read_entries(&conn, self.shared.bus.head()).map_err(|error| classify("read the log", &error))?;
        conn.execute("UPDATE instance SET value = value + 1 WHERE key = 'probe'", [])
            .map_err(|error| classify("write a probe", &error))?;
        (self.conn, self.deadline) = (conn, deadline);
        self.shared.bus.publish(&mut found, &mut self.notes.scrubbed);
        Ok(())
    }

    /// Refuses whoever waits or comes, for a while. `false` when the store was closed meanwhile.
    fn refuse_for(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            select! {
                recv(self.channels.interactive) -> job => match job {
                    Ok(job) => job.answer(Some(StoreError::Unavailable)),
                    Err(_) => return false,
                },
                recv(self.channels.background) -> job => match job {
                    Ok(job) => job.answer(Some(StoreError::Unavailable)),
                    Err(_) => return false,
                },
                recv(self.channels.stopped) -> _ => return false,
                default(until.saturating_duration_since(Instant::now())) => return true,
            }
        }
    }
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
}

fn read_entries(conn: &Connection, position: i64) -> rusqlite::Result<Vec<Arc<Entry>>> {
    let sql = "SELECT position, at_ms, kind, topic, channel, subject, object, body FROM log WHERE position > ? ORDER BY position";
    let mut statement = conn.prepare(sql)?;
    let entries = statement.query_map([position], |row| {
        Ok(Arc::new(Entry {
            position: row.get(0)?,
            at_ms: row.get(1)?,
            kind: row.get(2)?,
            topic: row.get(3)?,
            channel: row.get(4)?,
            subject: row.get(5)?,
            object: row.get(6)?,
            body: row.get::<_, String>(7)?.into(),
        }))
    })?;
    entries.collect()
}

/// Runs a statement without arguments or rows through the cache.
pub(super) fn run_cached(conn: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.raw_execute().map(drop)
}

/// Names a job that took too long or changed too much. Never its contents.
pub(super) fn warn_if_slow(job: &dyn Job, started: Instant, time_warn: Duration, rows: u64) {
    let took = started.elapsed();
    if took > time_warn || rows > JOB_ROWS_WARN {
        let (name, took_us) = (job.name(), took.as_micros());
        tracing::warn!(job = name, took_us, rows, "a job took {took_us} us and changed {rows} rows: {name}");
    }
}

/// Marks the store closed when the writer ends, by whatever way.
struct Closes(Arc<Shared>);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
    }
}

/// Interrupts a connection's statements after a time.
pub(super) struct Deadline {
    origin: Instant,
    /// Microseconds after `origin`, or [`NEVER`].
    due_us: Arc<AtomicU64>,
}

const NEVER: u64 = u64::MAX;

/// Steps of SQLite's machine between two looks at the clock, some 100 microseconds.
const STEPS: i32 = 4_000;

impl Default for Deadline {
    fn default() -> Self {
        Self {
            origin: Instant::now(),
            due_us: Arc::new(AtomicU64::new(NEVER)),
        }
    }
}

impl Deadline {
    pub(super) fn install(conn: &mut Connection) -> rusqlite::Result<Self> {
        let deadline = Self::default();
        let (origin, due_us) = (deadline.origin, Arc::clone(&deadline.due_us));
        let is_over = move || origin.elapsed().as_micros() as u64 > due_us.load(Ordering::Relaxed);
        conn.progress_handler(STEPS, Some(is_over))?;
        Ok(deadline)
    }

    /// From now on statements may take `time`, together.
    pub(super) fn start(&self, time: Duration) -> Instant {
        let now = Instant::now();
        self.due_us
            .store((now + time).duration_since(self.origin).as_micros() as u64, Ordering::Relaxed);
        now
    }

    /// The deadline is off.
    pub(super) fn clear(&self) {
        self.due_us.store(NEVER, Ordering::Relaxed);
    }
}
