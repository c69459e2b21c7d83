//! What is in memory: where each line is, the tree, and where an id was seen last.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;

use nexus_crypto::hashes::Hash;
use nexus_crypto::logs::LogId;
use nexus_crypto::registrations::Id;
use nexus_crypto::tree_heads::{TreeHead, UnsignedHead};
use nexus_crypto::trees::{Node, RightEdge};

use super::lines::Span;
use crate::transparency::{Batch, LogState, StoredKey};

/// A line of a head.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadAt {
    pub(super) start: u64,
    pub(super) tree_size: u64,
    pub(super) timestamp: i64,
}

impl HeadAt {
    pub(super) fn new(start: u64, head: &UnsignedHead) -> Self {
        Self {
            start,
            tree_size: head.tree_size,
            timestamp: head.timestamp,
        }
    }
}

/// The published log.
///
/// # Invariant
/// There are as many lines of leaves as leaves in the tree, and the last head is of exactly so many.
pub(super) struct Index {
    pub(super) users: Arc<File>,
    pub(super) sth: Arc<File>,
    /// Where each leaf's line begins.
    pub(super) leaf_starts: Vec<u64>,
    /// Where the next leaf's line will begin.
    pub(super) leaves_end: u64,
    pub(super) heads: Vec<HeadAt>,
    /// Where the next head's line will begin.
    pub(super) heads_end: u64,
    /// Hashes of complete subtrees, by level and index.
    nodes: Vec<Vec<Hash>>,
    pub(super) edge: RightEdge,
    ids: Ids,
    /// Different ids.
    users_count: u64,
    pub(super) head: Option<TreeHead>,
    pub(super) log_id: Option<LogId>,
    pub(super) keys: Vec<StoredKey>,
    pub(super) pending: Option<Arc<Batch>>,
}

/// Leaves by id. Ids are not kept: only a hash of each, 64 bits of a key that is drawn for this process, so a chain of leaves may have
/// more than one id, and whoever walks it compares the lines.
struct Ids {
    hasher: RandomState,
    /// The bits of the hash that count: all of them, but in a test.
    mask: u64,
    newest: HashMap<u64, u64>,
    /// From a leaf to the one before it with the same hash. Most have none.
    earlier: HashMap<u64, u64>,
}

impl Index {
    pub(super) fn new(users: File, sth: File) -> Self {
        Self {
            users: users.into(),
            sth: sth.into(),
            leaf_starts: Vec::new(),
            leaves_end: 0,
            heads: Vec::new(),
            heads_end: 0,
            nodes: Vec::new(),
            edge: RightEdge::default(),
            ids: Ids::new(u64::MAX),
            users_count: 0,
            head: None,
            log_id: None,
            keys: Vec::new(),
            pending: None,
        }
    }

    pub(super) fn state(&self) -> LogState {
        LogState {
            log_id: self.log_id,
            size: self.size(),
            peaks: self.edge.peaks().to_vec(),
            head: self.head.clone(),
            heads: self.heads.len() as u64,
            users: self.users_count,
            pending: self.pending.as_deref().cloned(),
            keys: self.keys.clone(),
        }
    }

    /// Published leaves.
    pub(super) fn size(&self) -> u64 {
        self.leaf_starts.len() as u64
    }

    /// What the next head links to.
    pub(super) fn last_hash(&self) -> Option<Hash> {
        self.head.as_ref().map(|signed| signed.head.hash())
    }

    /// Leaves in log order.
    pub(super) fn leaves(&self, from: u64, limit: usize) -> Span {
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(self.leaf_starts.len());
        let range = from..from.saturating_add(limit).min(self.leaf_starts.len());
        span(&self.users, &range, |place| self.leaf_starts.get(place).copied(), self.leaves_end)
    }

    /// Heads in ascending order, the last ones of fewer leaves than `before`.
    pub(super) fn heads(&self, before: Option<u64>, limit: usize) -> Span {
        let end = before.map_or(self.heads.len(), |before| {
            self.heads.partition_point(|head| head.tree_size < before)
        });
        self.head_span(end.saturating_sub(limit)..end)
    }

    /// The head of exactly so many leaves, or none.
    pub(super) fn head_at(&self, size: u64) -> Span {
        match self.heads.binary_search_by_key(&size, |head| head.tree_size) {
            Ok(place) => self.head_span(place..place + 1),
            Err(_) => self.head_span(0..0),
        }
    }

    fn head_span(&self, range: Range<usize>) -> Span {
        span(&self.sth, &range, |place| Some(self.heads.get(place)?.start), self.heads_end)
    }

    /// A complete subtree.
    pub(super) fn node(&self, node: Node) -> Option<Hash> {
        let level = self.nodes.get(node.level as usize)?;
        level.get(usize::try_from(node.index).ok()?).copied()
    }

    /// Leaves whose heads are older than a time.
    pub(super) fn size_before(&self, time_s: i64) -> u64 {
        let older = self.heads.partition_point(|head| head.timestamp < time_s);
        older.checked_sub(1).map_or(0, |last| self.heads[last].tree_size)
    }

    /// The time of the first head at or after a time.
    pub(super) fn time_from(&self, time_s: i64) -> Option<i64> {
        let older = self.heads.partition_point(|head| head.timestamp < time_s);
        let found = self.heads.get(older)?.timestamp;
        // Files that somebody else wrote may have times that go back; then nothing can be said.
        Some(found).filter(|found| *found >= time_s)
    }

    /// The newest leaf that may be this id's; the line says whether it is.
    pub(super) fn newest(&self, id: &Id) -> Option<u64> {
        self.ids.newest.get(&self.ids.hash(id)).copied()
    }

    /// The next one that may be.
    pub(super) fn earlier(&self, leaf: u64) -> Option<u64> {
        self.ids.earlier.get(&leaf).copied()
    }

    /// Makes ids share places.
    #[cfg(test)]
    pub(super) fn crowd_ids(&mut self) {
        self.ids = Ids::new(1);
    }

    /// Begins anew with the leaves.
    pub(super) fn forget_leaves(&mut self) {
        self.leaf_starts = Vec::new();
        self.leaves_end = 0;
        self.nodes = Vec::new();
        self.edge = RightEdge::default();
        self.ids = Ids::new(self.ids.mask);
        self.users_count = 0;
    }

    /// Adds a leaf's line.
    pub(super) fn add_leaf(&mut self, start: u64, id: &Id, id_is_new: bool) {
        let leaf = self.size();
        self.leaf_starts.push(start);
        let hash = self.ids.hash(id);
        if let Some(before) = self.ids.newest.insert(hash, leaf) {
            self.ids.earlier.insert(leaf, before);
        }
        self.users_count += u64::from(id_is_new);
    }

    /// Adds a complete subtree; each level from left to right.
    pub(super) fn add_node(&mut self, node: Node, hash: Hash) {
        let level = node.level as usize;
        if level == self.nodes.len() {
            self.nodes.push(Vec::new());
        }
        assert_eq!(
            self.nodes[level].len() as u64,
            node.index,
            "subtrees become complete from left to right"
        );
        self.nodes[level].push(hash);
    }
}

impl Ids {
    fn new(mask: u64) -> Self {
        Self {
            hasher: RandomState::new(),
            mask,
            newest: HashMap::new(),
            earlier: HashMap::new(),
        }
    }

    fn hash(&self, id: &Id) -> u64 {
        self.hasher.hash_one(id.as_str()) & self.mask
    }
}

fn span(file: &Arc<File>, range: &Range<usize>, start: impl Fn(usize) -> Option<u64>, end: u64) -> Span {
    Span {
        file: Arc::clone(file),
        start: start(range.start).unwrap_or(end),
        end: start(range.end).unwrap_or(end),
        count: range.len(),
    }
}
