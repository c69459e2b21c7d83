//! The key log in append-only files: `users.jsonl` has a registration a line, `sth.jsonl` a tree head a line.
//!
//! A batch is published by appending its leaves, syncing, appending its heads, syncing, and only then showing it to readers. The
//! heads are what counts: leaves without a head are not part of the log. While this goes on, `proposal.json` holds the batch, so that a
//! crash at any point leaves enough to complete it, see `jsonl/open.rs`. `log.json` holds the log's id and the cosigners' keys.
//!
//! In memory is an index only: where each line begins, the nodes of the tree, and where an id was last seen; some 150 bytes
//! a leaf, its head included. Lines are read from the files, never under the lock that publishing needs. One process at a time.

mod compact;
mod files;
mod index;
mod lines;
mod open;
mod writer;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use nexus_crypto::hashes::Hash;
use nexus_crypto::logs::LogId;
use nexus_crypto::registrations::{Id, Registration};
use nexus_crypto::tree_heads::TreeHead;
use nexus_crypto::trees::Node;
use nexus_types::limits::{HEADS_PAGE_MAX, ID_HISTORY_MAX, LEAVES_PAGE_MAX};
use tokio::sync::Semaphore;

use crate::StoreError;
use crate::limits::FILE_READS_AT_ONCE_MAX;
use crate::transparency::{Batch, Compacted, Leaf, LogState, StoredKey, step_start};
use index::Index;
use writer::Writer;

/// The files of the folder.
const USERS: &str = "users.jsonl";
const HEADS: &str = "sth.jsonl";
const LOG: &str = "log.json";
const PROPOSAL: &str = "proposal.json";
/// Where opening puts leaves that have no head and no proposal.
const UNPUBLISHED: &str = "unpublished.jsonl";

/// How to open the files.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonlOptions {
    /// Leaves, heads and the proposal may not take more bytes: a full disk for tests and quotas.
    pub bytes_max: Option<u64>,
}

/// The key log in a folder. Clones share it.
#[derive(Clone)]
pub struct JsonlLog {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    /// Held for writing only while what is on the disk already becomes visible. Taken after `writer`.
    index: RwLock<Index>,
    writer: Mutex<Writer>,
    reads: Semaphore,
    /// Locked as long as it is open.
    _lock: File,
}

impl JsonlLog {
    pub(crate) fn open(folder: &Path, options: JsonlOptions) -> Result<Self, StoreError> {
        let (lock, index) = open::open(folder)?;
        Ok(Self {
            shared: Arc::new(Shared {
                folder: folder.into(),
                index: RwLock::new(index),
                writer: Mutex::new(Writer::new(options)),
                reads: Semaphore::new(FILE_READS_AT_ONCE_MAX),
                _lock: lock,
            }),
        })
    }

    #[expect(clippy::unused_async, reason = "the port is asynchronous; this is in memory")]
    pub(crate) async fn state(&self) -> Result<LogState, StoreError> {
        Ok(self.shared.index().state())
    }

    pub(crate) async fn begin(&self, log_id: LogId) -> Result<(), StoreError> {
        self.write(move |shared, _| writer::begin(shared, log_id)).await
    }

    pub(crate) async fn propose(&self, batch: Arc<Batch>) -> Result<(), StoreError> {
        self.write(move |shared, writer| writer.propose(shared, batch)).await
    }

    pub(crate) async fn publish(&self, batch: Arc<Batch>, heads: Vec<TreeHead>) -> Result<(), StoreError> {
        self.write(move |shared, writer| writer.publish(shared, &batch, heads)).await
    }

    pub(crate) async fn append_published(&self, leaves: Vec<Registration>, heads: Vec<TreeHead>) -> Result<(), StoreError> {
        self.write(move |shared, writer| writer.append_published(shared, &leaves, heads))
            .await
    }

    pub(crate) async fn current(&self, ids: Vec<Id>) -> Result<HashMap<Id, Leaf>, StoreError> {
        self.read(move |shared| {
            let mut found = HashMap::with_capacity(ids.len());
            for id in ids {
                if let Some(leaf) = shared.newest(&id, 1)?.pop() {
                    found.insert(id, leaf);
                }
            }
            Ok(found)
        })
        .await
    }

    pub(crate) async fn history(&self, id: Id) -> Result<Vec<Leaf>, StoreError> {
        self.read(move |shared| {
            let mut leaves = shared.newest(&id, ID_HISTORY_MAX)?;
            leaves.reverse();
            Ok(leaves)
        })
        .await
    }

    pub(crate) async fn leaves(&self, from: u64, limit: usize) -> Result<Vec<Leaf>, StoreError> {
        self.read(move |shared| {
            let span = shared.index().leaves(from, limit.min(LEAVES_PAGE_MAX));
            let registrations = span.read::<Registration>()?;
            Ok((from..)
                .zip(registrations)
                .map(|(index, registration)| Leaf { index, registration })
                .collect())
        })
        .await
    }

    pub(crate) async fn heads(&self, before: Option<u64>, limit: usize) -> Result<Vec<TreeHead>, StoreError> {
        self.read(move |shared| {
            let span = shared.index().heads(before, limit.min(HEADS_PAGE_MAX));
            let mut heads = span.read()?;
            heads.reverse();
            Ok(heads)
        })
        .await
    }

    pub(crate) async fn head_at(&self, size: u64) -> Result<Option<TreeHead>, StoreError> {
        self.read(move |shared| {
            let span = shared.index().head_at(size);
            Ok(span.read()?.pop())
        })
        .await
    }

    #[expect(clippy::unused_async, reason = "the port is asynchronous; this is in memory")]
    pub(crate) async fn nodes(&self, nodes: Vec<Node>) -> Result<Vec<Hash>, StoreError> {
        let index = self.shared.index();
        let found = nodes.iter().map(|node| {
            let hash = index.node(*node);
            hash.ok_or_else(|| StoreError::internal("read a node", format_args!("{node:?} is not in the tree")))
        });
        found.collect()
    }

    #[expect(clippy::unused_async, reason = "the port is asynchronous; this is in memory")]
    pub(crate) async fn growth(&self, since_s: i64, step_s: i64) -> Result<Vec<(i64, u64)>, StoreError> {
        let index = self.shared.index();
        let mut grown = Vec::new();
        let mut at = step_start(since_s, step_s);
        let mut before = index.size_before(at);
        while let Some(next) = index.time_from(at) {
            let start = step_start(next, step_s);
            at = start.saturating_add(step_s);
            let size = index.size_before(at);
            grown.push((start, size.saturating_sub(before)));
            before = size;
        }
        Ok(grown)
    }

    pub(crate) async fn set_keys(&self, keys: Vec<StoredKey>) -> Result<(), StoreError> {
        self.write(move |shared, _| writer::set_keys(shared, keys)).await
    }

    pub(crate) async fn compact(&self) -> Result<Compacted, StoreError> {
        self.write(|shared, _| compact::compact(shared)).await
    }

    /// Runs what reads files, on a thread that may wait for the disk.
    async fn read<T: Send + 'static>(&self, job: impl FnOnce(&Shared) -> Result<T, StoreError> + Send + 'static) -> Result<T, StoreError> {
        let turn = self.shared.reads.acquire().await.expect("nobody closes it");
        let answer = self.run(job).await;
        drop(turn);
        answer
    }

    /// Runs what writes, one after the other; to its end, even if the caller goes away.
    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Shared, &mut Writer) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(move |shared| {
            let mut writer = shared.writer.lock().unwrap_or_else(PoisonError::into_inner);
            job(shared, &mut writer)
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, job: impl FnOnce(&Shared) -> Result<T, StoreError> + Send + 'static) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        let answered = tokio::task::spawn_blocking(move || job(&shared)).await;
        answered.unwrap_or(Err(StoreError::Panicked))
    }
}

impl Shared {
    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what readers see.
    fn show(&self, change: impl FnOnce(&mut Index)) {
        change(&mut self.index.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// The newest leaves of an id, newest first.
    fn newest(&self, id: &Id, limit: usize) -> Result<Vec<Leaf>, StoreError> {
        let mut found = Vec::new();
        let mut next = self.index().newest(id);
        while let Some(index) = next.filter(|_| found.len() < limit) {
            let span = self.index().leaves(index, 1);
            // Two ids may share a place in the index; the line says which one this is.
            let registration = span.read::<Registration>()?.pop().filter(|registration| registration.id == *id);
            found.extend(registration.map(|registration| Leaf { index, registration }));
            next = self.index().earlier(index);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use nexus_crypto::keys::KeyBytes;
    use nexus_crypto::tree_heads::{POLICY, PrevHash, UnsignedHead};
    use nexus_crypto::trees::RightEdge;

    use super::*;

    #[test]
    fn ids_that_share_a_place_are_told_apart() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = JsonlLog::open(folder.path(), JsonlOptions::default()).expect("the files open");
        log.shared.show(Index::crowd_ids);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            log.begin(LogId([1; 32])).await.expect("it begins");
            let ids: Vec<Id> = (0..6).map(|number| Id::parse(&format!("id{number}")).expect("a good id")).collect();
            let (mut edge, mut prev_hash) = (RightEdge::default(), PrevHash(None));
            for round in 0..3 {
                for id in &ids {
                    let registration = Registration {
                        id: id.clone(),
                        public_key: KeyBytes([round; 32]),
                        timestamp_s: 1,
                        rotation: None,
                    };
                    edge.append(registration.leaf());
                    let head = UnsignedHead {
                        tree_size: edge.size(),
                        root: edge.root(),
                        prev_hash,
                        policy: POLICY,
                        timestamp: 1,
                    };
                    prev_hash = PrevHash(Some(head.hash()));
                    let signatures = vec![];
                    let appended = log.append_published(vec![registration], vec![TreeHead { head, signatures }]).await;
                    appended.expect("it is appended");
                }
            }
            assert_eq!(log.state().await.expect("it is read").users, 6);
            let current = log.current(ids.clone()).await.expect("they are read");
            for (place, id) in (0..).zip(&ids) {
                assert_eq!(current[id].index, 12 + place);
                let history = log.history(id.clone()).await.expect("it is read");
                assert_eq!(
                    history.iter().map(|leaf| leaf.index).collect::<Vec<_>>(),
                    [place, 6 + place, 12 + place]
                );
            }
            let stranger = Id::parse("eve").expect("a good id");
            assert_eq!(log.history(stranger).await, Ok(vec![]));
        });
    }
}
