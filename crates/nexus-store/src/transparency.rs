//! Where the key log is kept: one port, two backends, one suite of laws.
//!
//! [`LogStore`] keeps leaves, tree heads, the nodes of the tree, the proposal that cosigners are asked about, and the cosigners' keys,
//! in the SQL database or in append-only files. Whatever is published has a head, and whatever is proposed stays proposed until it is
//! published. It deliberately verifies no signature and asks no cosigner. The page of this subsystem is `docs/subsystems/transparency.md`.
//!
//! After an error of [`LogStore::propose`] or [`LogStore::publish`], [`LogStore::state`] tells what became of it; both may be repeated
//! with the same batch, also when they had succeeded; of heads that are published twice, the first signatures stay.

mod batches;
mod nodes;
mod sql;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use nexus_crypto::hashes::Hash;
use nexus_crypto::logs::LogId;
use nexus_crypto::registrations::{Id, Registration};
use nexus_crypto::tree_heads::TreeHead;
use nexus_crypto::trees::Node;

pub use batches::Batch;
pub(crate) use batches::{Grown, grow};
pub use nexus_crypto::logs::ListedKey as StoredKey;
pub use sql::SqlLog;

pub use crate::jsonl::{JsonlLog, JsonlOptions};
use crate::{Db, StoreError};

/// A published registration and its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Its place, from 0.
    pub index: u64,
    /// What was registered.
    pub registration: Registration,
}

/// How far the log is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogState {
    /// Which log it is; none before [`LogStore::begin`].
    pub log_id: Option<LogId>,
    /// Published leaves.
    pub size: u64,
    /// The roots of the complete subtrees of that size, largest first.
    pub peaks: Vec<Hash>,
    /// The newest published head.
    pub head: Option<TreeHead>,
    /// Published heads.
    pub heads: u64,
    /// Different ids.
    pub users: u64,
    /// What is proposed and not yet published.
    pub pending: Option<Batch>,
    /// The cosigners' keys, as they were set.
    pub keys: Vec<StoredKey>,
}

/// Bytes that the log took before and after [`LogStore::compact`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Before.
    pub bytes_before: u64,
    /// After.
    pub bytes_after: u64,
}

/// The key log's storage. Clones share it.
#[derive(Clone)]
pub enum LogStore {
    /// In tables of the database.
    Sql(SqlLog),
    /// In append-only files.
    Jsonl(JsonlLog),
}

/// Asks whichever backend it is.
macro_rules! ask {
    ($store:expr, $log:ident => $answer:expr) => {
        match $store {
            LogStore::Sql($log) => $answer.await,
            LogStore::Jsonl($log) => $answer.await,
        }
    };
}

impl LogStore {
    /// The log in the tables of a database.
    pub fn sql(db: Db) -> Self {
        Self::Sql(SqlLog::new(db))
    }

    /// The log in the files of a folder, which is made if there is none (mode 0700); its parent must exist. Blocks while it reads them.
    ///
    /// # Errors
    /// [`StoreError::Internal`] with a sentence for the operator: another process has it open, or a file holds something that no crash
    /// leaves behind.
    pub fn jsonl(folder: &Path, options: JsonlOptions) -> Result<Self, StoreError> {
        JsonlLog::open(folder, options).map(Self::Jsonl)
    }

    /// How far the log is, all of one moment.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn state(&self) -> Result<LogState, StoreError> {
        ask!(self, log => log.state())
    }

    /// Names the log, once. The same name again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Internal`] if it has another name; those of the store.
    pub async fn begin(&self, log_id: LogId) -> Result<(), StoreError> {
        ask!(self, log => log.begin(log_id))
    }

    /// Keeps a batch, durably and invisible to readers, until it is published. The same batch again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Internal`] if another batch is pending, or this one does not go on from what is published or is wrong in itself
    /// (see [`Batch`]); those of the store.
    pub async fn propose(&self, batch: Arc<Batch>) -> Result<(), StoreError> {
        ask!(self, log => log.propose(batch))
    }

    /// Makes the pending batch visible under its signed heads, in one step.
    ///
    /// # Errors
    /// [`StoreError::Internal`] if this batch is not pending (unless it is just what was published last), or the heads are not its
    /// heads; those of the store. After any error nothing of it is visible and it is still pending.
    pub async fn publish(&self, batch: Arc<Batch>, heads: Vec<TreeHead>) -> Result<(), StoreError> {
        ask!(self, log => log.publish(batch, heads))
    }

    /// Appends what was published elsewhere. The last head must end with the last leaf. Some 500 rows at a time are quick enough.
    ///
    /// # Errors
    /// [`StoreError::Internal`] if a batch is pending, or this does not go on from what is published; those of the store.
    pub async fn append_published(&self, leaves: Vec<Registration>, heads: Vec<TreeHead>) -> Result<(), StoreError> {
        ask!(self, log => log.append_published(leaves, heads))
    }

    /// The newest leaf of each id that has one.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn current(&self, ids: Vec<Id>) -> Result<HashMap<Id, Leaf>, StoreError> {
        ask!(self, log => log.current(ids))
    }

    /// The leaves of an id, oldest first. Of more than [`ID_HISTORY_MAX`](nexus_types::limits::ID_HISTORY_MAX), the newest so many.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn history(&self, id: Id) -> Result<Vec<Leaf>, StoreError> {
        ask!(self, log => log.history(id))
    }

    /// One leaf.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn leaf(&self, index: u64) -> Result<Option<Leaf>, StoreError> {
        Ok(self.leaves(index, 1).await?.pop())
    }

    /// Leaves in log order, at most [`LEAVES_PAGE_MAX`](nexus_types::limits::LEAVES_PAGE_MAX).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn leaves(&self, from: u64, limit: usize) -> Result<Vec<Leaf>, StoreError> {
        ask!(self, log => log.leaves(from, limit))
    }

    /// Heads, newest first, at most [`HEADS_PAGE_MAX`](nexus_types::limits::HEADS_PAGE_MAX), those of fewer leaves than `before` if it
    /// is given.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn heads(&self, before: Option<u64>, limit: usize) -> Result<Vec<TreeHead>, StoreError> {
        ask!(self, log => log.heads(before, limit))
    }

    /// The head of exactly so many leaves.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn head_at(&self, size: u64) -> Result<Option<TreeHead>, StoreError> {
        ask!(self, log => log.head_at(size))
    }

    /// The hashes of complete subtrees of the published tree, in the order asked for. Each is one point lookup.
    ///
    /// # Errors
    /// [`StoreError::Internal`] if one is not in the tree; those of the store.
    pub async fn nodes(&self, nodes: Vec<Node>) -> Result<Vec<Hash>, StoreError> {
        ask!(self, log => log.nodes(nodes))
    }

    /// How many registrations were published in each step of time, by the time of their heads, ascending, without empty steps. Steps
    /// begin at multiples of `step_s` since 1970, the first at or before `since_s`. The cost grows with the steps, not with the log.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Panics
    /// If `step_s` is not positive.
    pub async fn growth(&self, since_s: i64, step_s: i64) -> Result<Vec<(i64, u64)>, StoreError> {
        assert!(step_s > 0, "time goes on");
        ask!(self, log => log.growth(since_s, step_s))
    }

    /// Puts these keys in the place of those that were set before.
    ///
    /// # Errors
    /// [`StoreError::Internal`] before [`LogStore::begin`], or for more than
    /// [`COSIGNER_KEYS_MAX`](nexus_types::limits::COSIGNER_KEYS_MAX); those of the store.
    pub async fn set_keys(&self, keys: Vec<StoredKey>) -> Result<(), StoreError> {
        ask!(self, log => log.set_keys(keys))
    }

    /// Frees what is not part of the log. In files, that is blank lines, stray spaces and an outdated proposal; every leaf and head is
    /// read again, and nothing is replaced unless count, chain and roots are as they were. Tables have nothing to free: their rows are
    /// never changed nor deleted, and the room of a proposal is used by the next. So there it changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Internal`] if a file turns out to be damaged; those of the store. After any error the log is as it was.
    pub async fn compact(&self) -> Result<Compacted, StoreError> {
        ask!(self, log => log.compact())
    }
}

/// The beginning of the step of time that a time is in.
pub(crate) fn step_start(time_s: i64, step_s: i64) -> i64 {
    time_s.div_euclid(step_s).saturating_mul(step_s)
}
