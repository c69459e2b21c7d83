//! The SQLite backend: one writer thread, a few reader threads, one checkpointer thread, each with a connection of its own.
//!
//! Invariants, as absences: no other thread writes; no caller is answered before its commit; no thread wakes up while there is
//! nothing to do.

mod checkpoints;
mod connections;
mod errors;
mod jobs;
mod migrations;
mod readers;
mod session;
mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, TrySendError};

pub(crate) use errors::classify;
pub(crate) use session::Session;

use crate::{Bus, NotReady, Options, StoreError, Tx};
use jobs::Job;

/// Which queue a write job waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Somebody waits for it.
    Interactive,
    /// Nobody does.
    Background,
}

/// What the threads and the callers share.
struct Shared {
    bus: Bus,
    /// A commit failed and no probe succeeded since.
    broken: AtomicBool,
    closed: AtomicBool,
}

/// A job was dropped without an answer: it came in while the store closed, or its thread died. It may even have been committed.
const UNANSWERED: StoreError = StoreError::Lost {
    reason: "the store ended before it answered",
};

/// Sent to no one: the threads stop when its sender is gone.
enum Never {}

struct Threads {
    stop: Sender<Never>,
    handles: Vec<JoinHandle<()>>,
}

/// An open SQLite database.
pub(crate) struct Sqlite {
    shared: Arc<Shared>,
    interactive: Sender<Box<dyn Job>>,
    background: Sender<Box<dyn Job>>,
    reads: Sender<Box<dyn Job>>,
    threads: Mutex<Option<Threads>>,
}

impl Sqlite {
    pub(crate) fn open(path: &Path, options: Options) -> Result<Self, StoreError> {
        connections::assert_version()?;
        connections::create_file(path)?;
        let mut conn = connections::writer(path, &options)?;
        migrations::run(&mut conn, migrations::ALL)?;
        let head = connections::log_head(&conn)?;
        let checkpoint_conn = connections::checkpointer(path, &options)?;

        let shared = Arc::new(Shared {
            bus: Bus::new(head, options.ring_bytes_max),
            broken: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        let (interactive, interactive_jobs) = crossbeam_channel::bounded(options.interactive_jobs_max);
        let (background, background_jobs) = crossbeam_channel::bounded(options.background_jobs_max);
        let (reads, read_jobs) = crossbeam_channel::bounded(options.read_jobs_max);
        let (stop, stopped) = crossbeam_channel::bounded(0);
        // The checkpointer ends when the writer and every reader dropped their end of this channel, hence last.
        let (poke, poked) = crossbeam_channel::bounded(1);

        let mut handles = Vec::with_capacity(options.read_threads + 2);
        for number in 0..options.read_threads.max(1) {
            let reader = readers::Reader {
                conn: connections::reader(path, &options)?,
                jobs: read_jobs.clone(),
                stopped: stopped.clone(),
                time_max: options.job_time_max,
                _keeps_checkpointer: poke.clone(),
            };
            handles.push(spawn(format!("nexus-read-{number}"), move || reader.run())?);
        }
        let channels = writer::Channels {
            interactive: interactive_jobs,
            background: background_jobs,
            stopped,
            poke,
        };
        let writer = writer::Writer::new(conn, path, options, Arc::clone(&shared), channels);
        handles.push(spawn("nexus-write".to_owned(), move || writer.run())?);
        handles.push(spawn("nexus-checkpoint".to_owned(), move || {
            checkpoints::run(&checkpoint_conn, &poked);
        })?);
        Ok(Self {
            shared,
            interactive,
            background,
            reads,
            threads: Mutex::new(Some(Threads { stop, handles })),
        })
    }

    pub(crate) async fn write<T, E, F>(&self, lane: Lane, job: F) -> Result<T, E>
    where
        F: for<'a, 'c> AsyncFnOnce(&'a mut Tx<'c>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let answer = {
            if self.shared.broken.load(Ordering::Acquire) {
                return Err(StoreError::Unavailable.into());
            }
            let queue = match lane {
                Lane::Interactive => &self.interactive,
                Lane::Background => &self.background,
            };
            let (job, answer) = jobs::pack(job);
            self.submit(queue, job)?;
            answer
        };
        answer.await.unwrap_or_else(|_| Err(UNANSWERED.into()))
    }

    pub(crate) async fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        F: for<'a, 'c> AsyncFnOnce(&'a mut Tx<'c>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let answer = {
            let (job, answer) = jobs::pack(job);
            self.submit(&self.reads, job)?;
            answer
        };
        answer.await.unwrap_or_else(|_| Err(UNANSWERED.into()))
    }

    fn submit(&self, queue: &Sender<Box<dyn Job>>, job: Box<dyn Job>) -> Result<(), StoreError> {
        if self.shared.closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::QueueFull,
            TrySendError::Disconnected(_) => StoreError::Closed,
        })
    }

    pub(crate) fn bus(&self) -> &Bus {
        &self.shared.bus
    }

    pub(crate) fn ready(&self) -> Result<(), NotReady> {
        if self.shared.closed.load(Ordering::Acquire) {
            Err(NotReady::Closed)
        } else if self.shared.broken.load(Ordering::Acquire) {
            Err(NotReady::Storage)
        } else {
            Ok(())
        }
    }

    pub(crate) async fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        let Some(threads) = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let joined = tokio::task::spawn_blocking(move || {
            drop(threads.stop);
            threads.handles.into_iter().filter_map(|handle| handle.join().err()).count()
        });
        match joined.await {
            Ok(0) => {}
            Ok(panicked) => tracing::error!(panicked, "{panicked} threads of the database had panicked"),
            Err(error) => tracing::error!(%error, "could not wait for the threads of the database"),
        }
    }
}

/// Opens or creates a cosigner's own file, for this process alone.
pub(crate) fn open_alone(path: &Path) -> Result<rusqlite::Connection, StoreError> {
    connections::assert_version()?;
    connections::create_file(path)?;
    let mut conn = connections::alone(path)?;
    migrations::run(&mut conn, migrations::COSIGNER)?;
    Ok(conn)
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new()
        .name(name)
        .spawn(body)
        .map_err(|cause| StoreError::internal("start a thread", cause))
}

/// The statements that make the whole schema, in order.
#[cfg(test)]
pub(crate) fn schemas() -> impl Iterator<Item = &'static str> {
    migrations::ALL.iter().map(|migration| migration.sql)
}
