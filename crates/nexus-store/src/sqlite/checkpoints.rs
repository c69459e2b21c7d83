//! The checkpointer: copies the write-ahead log into the database beside the writer.
//!
//! Under an unbroken stream of writes it never quite catches up, so the log never starts anew; then the writer copies the small
//! remainder itself, see [`after_commit`].

use crossbeam_channel::{Receiver, Sender};
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, MAIN_DB};

use crate::limits::{WAL_FRAMES_HARD, WAL_FRAMES_MAX, WAL_FRAMES_REMAINDER, WAL_FRAMES_SOFT};

/// Copies whenever the writer asks, and once more, emptying the log, when everyone else has ended.
pub(super) fn run(conn: &Connection, poked: &Receiver<()>) {
    while poked.recv().is_ok() {
        if let Err(error) = conn.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE) {
            tracing::warn!(%error, "could not copy the write-ahead log");
        }
    }
    if let Err(error) = conn.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::TRUNCATE) {
        tracing::warn!(%error, "could not empty the write-ahead log; the next start does it");
    }
}

/// What the writer does about the log between two transactions.
pub(super) fn after_commit(conn: &Connection, poke: &Sender<()>) {
    let Ok((frames, copied)) = conn.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::NOOP) else {
        return;
    };
    let left = frames - copied;
    let is_long = frames >= WAL_FRAMES_HARD;
    if (is_long && left <= WAL_FRAMES_REMAINDER) || frames >= WAL_FRAMES_MAX {
        // An error means that the checkpointer is at it; the next commit tries again.
        let _copied = conn.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE).is_ok();
    } else if left > if is_long { WAL_FRAMES_REMAINDER } else { WAL_FRAMES_SOFT } {
        // An error means that it was asked already.
        let _asked = poke.try_send(()).is_ok();
    }
}
