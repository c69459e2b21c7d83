//! A reader thread: each job sees one snapshot and can't write.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, select};
use rusqlite::Connection;

use super::Never;
use super::errors::classify;
use super::jobs::{Called, Job};
use super::session::{Notes, Session};
use super::writer::{Deadline, run_cached, warn_if_slow};
use crate::limits::READ_TIME_WARN;
use crate::{StoreError, Tx};

pub(super) struct Reader {
    pub(super) conn: Connection,
    pub(super) jobs: Receiver<Box<dyn Job>>,
    pub(super) stopped: Receiver<Never>,
    pub(super) time_max: Duration,
    /// Dropped last, after the connection: then the checkpointer may end.
    pub(super) _keeps_checkpointer: Sender<()>,
}

impl Reader {
    pub(super) fn run(mut self) {
        let deadline = match Deadline::install(&mut self.conn) {
            Ok(deadline) => deadline,
            Err(error) => return tracing::error!(%error, "a reader could not start"),
        };
        let mut notes = Notes::default();
        while let Some(mut job) = self.next() {
            let verdict = self.call(&mut *job, &deadline, &mut notes);
            job.answer(verdict);
        }
    }

    fn next(&self) -> Option<Box<dyn Job>> {
        if let Ok(job) = self.jobs.try_recv() {
            return Some(job);
        }
        select! {
            recv(self.jobs) -> job => job.ok(),
            // What is queued by now still runs.
            recv(self.stopped) -> _ => self.jobs.try_recv().ok(),
        }
    }

    fn call(&mut self, job: &mut dyn Job, deadline: &Deadline, notes: &mut Notes) -> Option<StoreError> {
        // Deferred: the snapshot begins with the first statement and never blocks the writer.
        if let Err(error) = run_cached(&self.conn, "BEGIN DEFERRED") {
            return Some(classify("begin to read", &error));
        }
        *notes = Notes::default();
        let started = deadline.start(self.time_max);
        let called = job.call(&mut Tx::Sqlite(Session {
            conn: &mut self.conn,
            notes,
        }));
        deadline.clear();
        warn_if_slow(job, started, READ_TIME_WARN, 0);
        let ended = if self.conn.is_autocommit() {
            Ok(())
        } else {
            run_cached(&self.conn, "ROLLBACK")
        };
        match called {
            Called::Awaited => Some(StoreError::Awaited),
            Called::Panicked => Some(StoreError::Panicked),
            Called::Refused => None,
            Called::Kept => notes
                .failed
                .take()
                .or_else(|| ended.err().map(|error| classify("end a read", &error))),
        }
    }
}
