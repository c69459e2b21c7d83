//! Verifying proofs. A verifier always binds the index **and** the signed size: leaves and nodes are hashed alike, so without the
//! size an id of 24 bytes could pass an inner node off as a leaf (`docs/subsystems/transparency.md`).

use crate::hashes::Hash;

/// Does this leaf stand at this index of the tree of this size with this root? (RFC 9162, section 2.1.3.2)
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if node % 2 == 1 || node == last {
            hash = Hash::node(sibling, &hash);
            while node % 2 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = Hash::node(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Is the tree of `first` leaves the beginning of that of `second`? (RFC 9162, section 2.1.4.2)
///
/// Sizes and roots must be those of signed heads: a proof ties two roots together, and a head ties a root to its size.
pub fn verify_consistency(first: u64, second: u64, first_root: &Hash, second_root: &Hash, path: &[Hash]) -> bool {
    if first == 0 || first > second {
        return false;
    }
    if first == second {
        return path.is_empty() && first_root == second_root;
    }
    let mut path = path.iter();
    // A whole subtree is its own beginning, and is not sent.
    let begin = if first.is_power_of_two() { Some(first_root) } else { path.next() };
    let Some(begin) = begin else { return false };
    let (mut node, mut last) = (first - 1, second - 1);
    while node % 2 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut old, mut new) = (*begin, *begin);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if node % 2 == 1 || node == last {
            old = Hash::node(sibling, &old);
            new = Hash::node(sibling, &new);
            while node % 2 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new = Hash::node(&new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && old == *first_root && new == *second_root
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::trees::{Node, RightEdge, consistency_path, inclusion_path};

    /// Every tree up to this size is tried whole: three bits beyond the first size with a carried node at every height.
    const SIZES: u64 = 70;

    fn leaf(index: u64) -> Hash {
        Hash::of(&index.to_be_bytes())
    }

    /// Carry-last, level by level, as the contract says it in words.
    fn naive_root(leaves: &[Hash]) -> Hash {
        let mut level = leaves.to_vec();
        while level.len() > 1 {
            level = level
                .chunks(2)
                .map(|pair| {
                    if let [left, right] = pair {
                        Hash::node(left, right)
                    } else {
                        pair[0]
                    }
                })
                .collect();
        }
        level.first().copied().unwrap_or(Hash::EMPTY)
    }

    struct Log {
        nodes: HashMap<Node, Hash>,
        leaves: Vec<Hash>,
        roots: Vec<Hash>,
    }

    fn log(size: u64) -> Log {
        let (mut edge, mut nodes, mut leaves, mut roots) = (RightEdge::default(), HashMap::new(), vec![], vec![Hash::EMPTY]);
        for index in 0..size {
            nodes.extend(edge.append(leaf(index)));
            leaves.push(leaf(index));
            roots.push(edge.root());
        }
        Log { nodes, leaves, roots }
    }

    #[test]
    fn the_edge_gives_the_root_of_the_contracts_words() {
        let log = log(SIZES);
        for size in 0..=SIZES {
            assert_eq!(log.roots[size as usize], naive_root(&log.leaves[..size as usize]), "{size} leaves");
            let peaks = RightEdge::nodes(size).into_iter().map(|node| log.nodes[&node]).collect();
            assert_eq!(
                RightEdge::restore(size, peaks).expect("as many as there are bits").root(),
                log.roots[size as usize]
            );
        }
    }

    #[test]
    fn every_leaf_is_proven_in_every_tree_and_nowhere_else() {
        let log = log(SIZES);
        let stored = |node: Node| log.nodes.get(&node).copied();
        for size in 1..=SIZES {
            let root = &log.roots[size as usize];
            for index in 0..size {
                let path = inclusion_path(index, size, stored).expect("the nodes are there");
                assert!(verify_inclusion(&leaf(index), index, size, &path, root), "{index} of {size}");
                assert!(
                    !verify_inclusion(&leaf(index), index ^ 1, size, &path, root) || size == 1,
                    "{index} of {size} elsewhere"
                );
                assert!(
                    !verify_inclusion(&leaf(index + 1), index, size, &path, root),
                    "{index} of {size} is another"
                );
                assert!(
                    !verify_inclusion(&leaf(index), index, size, &[&path[..], &[Hash::EMPTY]].concat(), root),
                    "longer"
                );
                if let Some((_, shorter)) = path.split_last() {
                    assert!(
                        !verify_inclusion(&leaf(index), index, size, shorter, root),
                        "{index} of {size}: shorter"
                    );
                }
            }
            assert_eq!(inclusion_path(size, size, stored), None);
        }
    }

    /// The attack of the 24-byte id: an inner node's 64 bytes read as id, key and time. A verifier that only folds a path takes it;
    /// one that knows the size takes no inner node of any tree, at any index, with any end of any path.
    #[test]
    fn no_inner_node_passes_for_a_leaf() {
        const SIZES: u64 = 34;
        let log = log(SIZES);
        let stored = |node: Node| log.nodes.get(&node).copied();
        for size in 2..=SIZES {
            let root = &log.roots[size as usize];
            let inner = log
                .nodes
                .iter()
                .filter(|(node, _)| node.level > 0 && (node.index + 1) << node.level <= size);
            let inner: Vec<_> = inner.map(|(_, hash)| *hash).chain([*root]).collect();
            for index in 0..size {
                let path = inclusion_path(index, size, stored).expect("the nodes are there");
                for climbed in 0..=path.len() {
                    for node in &inner {
                        assert!(
                            !verify_inclusion(node, index, size, &path[climbed..], root),
                            "{index} of {size}, {climbed} up"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn every_tree_is_proven_the_beginning_of_every_later_one() {
        let log = log(SIZES);
        let stored = |node: Node| log.nodes.get(&node).copied();
        for second in 1..=SIZES {
            for first in 1..=second {
                let (old, new) = (&log.roots[first as usize], &log.roots[second as usize]);
                let path = consistency_path(first, second, stored).expect("the nodes are there");
                assert!(verify_consistency(first, second, old, new, &path), "{first} in {second}");
                let forged = Hash::of(b"another history");
                assert!(
                    !verify_consistency(first, second, &forged, new, &path),
                    "{first} in {second}: a forged beginning"
                );
                assert!(
                    !verify_consistency(first, second, old, &forged, &path),
                    "{first} in {second}: a forged end"
                );
                if first < second {
                    assert!(
                        !verify_consistency(first, second, old, new, &[&path[..], &[forged]].concat()),
                        "longer"
                    );
                }
            }
            assert_eq!(consistency_path(0, second, stored), None);
            assert_eq!(consistency_path(second + 1, second, stored), None);
        }
    }
}
