//! The tree: appending in O(log n) with the stored right edge, and making proofs from stored nodes.
//!
//! A node is the hash of two; an odd last node is carried up unchanged. That is the shape of RFC 6962, so complete subtrees never
//! change once they are complete, and proofs are those of RFC 9162.

use crate::hashes::Hash;

/// A complete subtree: the leaves from `index << level` up to `(index + 1) << level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    /// Its height; a leaf's is 0.
    pub level: u32,
    /// Its place among those of its height.
    pub index: u64,
}

/// The right edge of a tree: the roots of the complete subtrees that its size is the sum of, largest first.
///
/// # Invariant
/// There are as many as the size has bits set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RightEdge {
    size: u64,
    peaks: Vec<Hash>,
}

impl RightEdge {
    /// The edge of a tree of this size, its peaks read from the store.
    ///
    /// `None` if there is a peak too few or too many.
    pub fn restore(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// The nodes whose hashes are the peaks of a tree of this size, largest first.
    pub fn nodes(size: u64) -> Vec<Node> {
        peaks(0, size)
    }

    /// The roots of the complete subtrees, largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf, and says which subtrees became complete, the leaf first: these are to be stored.
    pub fn append(&mut self, leaf: Hash) -> Vec<(Node, Hash)> {
        let mut complete = Vec::with_capacity(1 + self.size.trailing_ones() as usize);
        self.grow(leaf, |node, hash| complete.push((node, hash)));
        complete
    }

    /// Appends a leaf, and hands on each subtree that became complete, the leaf first.
    pub fn grow(&mut self, leaf: Hash, mut complete: impl FnMut(Node, Hash)) {
        let mut node = Node {
            level: 0,
            index: self.size,
        };
        let mut hash = leaf;
        complete(node, hash);
        while node.index % 2 == 1 {
            let left = self.peaks.pop().expect("an odd node has a left sibling on the edge");
            hash = Hash::node(&left, &hash);
            node = Node {
                level: node.level + 1,
                index: node.index / 2,
            };
            complete(node, hash);
        }
        self.peaks.push(hash);
        self.size += 1;
        assert_eq!(self.peaks.len(), self.size.count_ones() as usize);
    }

    /// The root.
    pub fn root(&self) -> Hash {
        fold(&self.peaks)
    }
}

/// Peaks from right to left: the smaller one is carried up to the next larger.
fn fold(peaks: &[Hash]) -> Hash {
    let mut peaks = peaks.iter().rev();
    let Some(smallest) = peaks.next() else { return Hash::EMPTY };
    peaks.fold(*smallest, |right, left| Hash::node(left, &right))
}

/// The complete subtrees of some leaves, largest first. The first leaf must be a multiple of the largest one's width.
fn peaks(start: u64, count: u64) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut at = start;
    for level in (0..u64::BITS).rev().filter(|level| count & (1 << level) != 0) {
        nodes.push(Node { level, index: at >> level });
        at += 1 << level;
    }
    nodes
}

/// The root of some leaves, as a subtree of their own.
fn root_of(start: u64, count: u64, node: &mut impl FnMut(Node) -> Option<Hash>) -> Option<Hash> {
    let hashes: Option<Vec<_>> = peaks(start, count).into_iter().map(node).collect();
    Some(fold(&hashes?))
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

/// The path from a leaf to the root of a tree (RFC 9162, section 2.1.3.1), nearest first. `node` gives stored nodes.
///
/// `None` if the leaf is not in the tree or a node is missing.
pub fn inclusion_path(index: u64, size: u64, mut node: impl FnMut(Node) -> Option<Hash>) -> Option<Vec<Hash>> {
    if index >= size {
        return None;
    }
    let (mut start, mut count, mut path) = (0, size, Vec::new());
    while count > 1 {
        let left = split(count);
        if index - start < left {
            path.push(root_of(start + left, count - left, &mut node)?);
            count = left;
        } else {
            path.push(root_of(start, left, &mut node)?);
            start += left;
            count -= left;
        }
    }
    path.reverse();
    Some(path)
}

/// The proof that a tree of `first` leaves is the beginning of one of `second` (RFC 9162, section 2.1.4.1). `node` gives stored nodes.
///
/// `None` unless `0 < first <= second`, or if a node is missing.
pub fn consistency_path(first: u64, second: u64, mut node: impl FnMut(Node) -> Option<Hash>) -> Option<Vec<Hash>> {
    if first == 0 || first > second {
        return None;
    }
    let (mut start, mut count, mut whole, mut path) = (0, second, true, Vec::new());
    // `start + count` always reaches beyond `first`, or exactly to it at the end.
    while start + count != first {
        let left = split(count);
        if first - start <= left {
            path.push(root_of(start + left, count - left, &mut node)?);
            count = left;
        } else {
            path.push(root_of(start, left, &mut node)?);
            start += left;
            count -= left;
            whole = false;
        }
    }
    if !whole {
        path.push(root_of(start, count, &mut node)?);
    }
    path.reverse();
    Some(path)
}
