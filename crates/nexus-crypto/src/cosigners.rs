//! What a cosigner checks before it signs: that the log only ever grew from what this cosigner itself saw.
//!
//! It deliberately believes nothing that it is told about the past: the tree it compares with is its own.

use crate::hashes::Hash;
use crate::logs::LogId;
use crate::proposals::{EXTENSION_LEAVES_MAX, Extension, Proposal};
use crate::tree_heads::{POLICY, PrevHash};
use crate::trees::RightEdge;

/// What a cosigner knows of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Its log.
    pub log_id: LogId,
    /// The tree it saw.
    pub edge: RightEdge,
    /// The hash of that tree's head; none for the empty tree.
    pub last: Option<Hash>,
    /// The time of that head, in seconds since 1970; 0 for the empty tree.
    pub last_s: i64,
}

/// A proposal that may be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What the cosigner knows once it signed; to be stored together with the signatures, before they are told.
    pub state: State,
    /// What to sign: the hash of each head.
    pub hashes: Vec<Hash>,
}

/// Why a cosigner does not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It was away; it has to be told the leaves from this size on first. Nobody's fault.
    #[error("this cosigner has seen {size} leaves only")]
    Behind {
        /// Leaves it has seen.
        size: u64,
    },
    /// It is the cosigner of another log.
    #[error("this cosigner signs for another log")]
    OtherLog,
    /// As many heads as leaves, at least one, in order.
    #[error("the proposal is misshapen: each leaf has one head, in order")]
    Shape,
    /// The log shrank: this cosigner has seen more, and what it is asked to sign now was not what it signed then.
    #[error("the log went back to {tree_size} leaves; this cosigner has seen {size}")]
    Shrunk {
        /// The size of the head asked about.
        tree_size: u64,
        /// Leaves it has seen.
        size: u64,
    },
    /// It has seen these very leaves, and takes in and signs for what is new only. Nobody's fault.
    #[error("this cosigner has seen the leaves up to size {tree_size} as published, and goes on from new ones only")]
    Passed {
        /// The head's size.
        tree_size: u64,
    },
    /// It signed another head for that size.
    #[error("this cosigner signed another head for {tree_size} leaves")]
    TwoRoots {
        /// That size.
        tree_size: u64,
    },
    /// The head's root is not that of its leaves after those that were seen.
    #[error("the root for {tree_size} leaves is not that of the leaves")]
    Root {
        /// The head's size.
        tree_size: u64,
    },
    /// The head does not link to the one before.
    #[error("the head for {tree_size} leaves does not link to the head before it")]
    Link {
        /// The head's size.
        tree_size: u64,
    },
    /// Not two of three.
    #[error("the head for {tree_size} leaves has another policy")]
    Policy {
        /// The head's size.
        tree_size: u64,
    },
    /// Its time is before that of the head before.
    #[error("the head for {tree_size} leaves is older than the head before it")]
    Time {
        /// The head's size.
        tree_size: u64,
    },
}

impl Refusal {
    /// Does it show that the log is not honest? To be behind or passed shows nothing, and anybody can misshape a request.
    pub fn is_accusation(&self) -> bool {
        !matches!(self, Self::Behind { .. } | Self::Passed { .. } | Self::OtherLog | Self::Shape)
    }

    /// The stable word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Behind { .. } => "behind",
            Self::OtherLog => "wrong_log",
            Self::Shape => "misshapen",
            Self::Shrunk { .. } => "rollback",
            Self::Passed { .. } => "passed",
            Self::TwoRoots { .. } => "two_roots",
            Self::Root { .. } => "root_mismatch",
            Self::Link { .. } => "broken_link",
            Self::Policy { .. } => "bad_policy",
            Self::Time { .. } => "time_went_back",
        }
    }
}

impl State {
    /// A cosigner that has seen nothing.
    pub fn new(log_id: LogId) -> Self {
        Self {
            log_id,
            edge: RightEdge::default(),
            last: None,
            last_s: 0,
        }
    }

    /// Leaves seen.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// May these heads be signed? Only new ones: what was signed before is looked up, not checked again.
    ///
    /// # Errors
    /// [`Refusal`], the first reason found.
    pub fn check(&self, proposal: &Proposal) -> Result<Checked, Refusal> {
        if proposal.log_id != self.log_id {
            return Err(Refusal::OtherLog);
        }
        if proposal.leaves.is_empty() || proposal.leaves.len() != proposal.heads.len() {
            return Err(Refusal::Shape);
        }
        if proposal.first > self.size() {
            return Err(Refusal::Behind { size: self.size() });
        }
        if proposal.first < self.size() {
            return Err(Refusal::Shrunk {
                tree_size: proposal.first + 1,
                size: self.size(),
            });
        }
        let (mut edge, mut last, mut time_s) = (self.edge.clone(), self.last, self.last_s);
        let mut hashes = Vec::with_capacity(proposal.heads.len());
        for (leaf, head) in proposal.leaves.iter().zip(&proposal.heads) {
            edge.append(*leaf);
            let tree_size = head.tree_size;
            if tree_size != edge.size() {
                return Err(Refusal::Shape);
            }
            if head.policy != POLICY {
                return Err(Refusal::Policy { tree_size });
            }
            if head.prev_hash != PrevHash(last) {
                return Err(Refusal::Link { tree_size });
            }
            if head.timestamp < time_s {
                return Err(Refusal::Time { tree_size });
            }
            if head.root != edge.root() {
                return Err(Refusal::Root { tree_size });
            }
            let hash = head.hash();
            hashes.push(hash);
            (last, time_s) = (Some(hash), head.timestamp);
        }
        let state = State {
            log_id: self.log_id,
            edge,
            last,
            last_s: time_s,
        };
        Ok(Checked { state, hashes })
    }

    /// What is known after taking in leaves that were published while this cosigner was away.
    ///
    /// # Errors
    /// [`Refusal`], the first reason found.
    pub fn extend(&self, extension: &Extension) -> Result<State, Refusal> {
        let tree_size = extension.head.tree_size;
        if extension.log_id != self.log_id {
            return Err(Refusal::OtherLog);
        }
        if !(1..=EXTENSION_LEAVES_MAX).contains(&extension.leaves.len()) {
            return Err(Refusal::Shape);
        }
        if extension.first > self.size() {
            return Err(Refusal::Behind { size: self.size() });
        }
        if extension.first < self.size() {
            return Err(Refusal::Shrunk {
                tree_size,
                size: self.size(),
            });
        }
        let mut edge = self.edge.clone();
        for leaf in &extension.leaves {
            edge.append(*leaf);
        }
        if tree_size != edge.size() {
            return Err(Refusal::Shape);
        }
        if extension.head.root != edge.root() {
            return Err(Refusal::Root { tree_size });
        }
        if extension.head.timestamp < self.last_s {
            return Err(Refusal::Time { tree_size });
        }
        Ok(State {
            log_id: self.log_id,
            edge,
            last: Some(extension.head.hash()),
            last_s: extension.head.timestamp,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree_heads::{Policy, UnsignedHead};

    const LOG: LogId = LogId([1; 32]);

    fn leaf(number: u64) -> Hash {
        Hash::of(&number.to_be_bytes())
    }

    /// The honest log's proposal of the leaves from `first` up to `end`, to a cosigner that saw all before.
    fn honest(first: u64, end: u64) -> (State, Proposal) {
        let mut state = State::new(LOG);
        let (mut before, mut edge, mut heads) = (None, RightEdge::default(), vec![]);
        for number in 0..end {
            if number == first {
                (state.edge, state.last) = (edge.clone(), before);
                state.last_s = if first == 0 { 0 } else { 99 + first as i64 };
                heads.clear();
            }
            edge.append(leaf(number));
            let head = UnsignedHead {
                tree_size: number + 1,
                root: edge.root(),
                prev_hash: PrevHash(before),
                policy: POLICY,
                timestamp: 100 + number as i64,
            };
            before = Some(head.hash());
            heads.push(head);
        }
        let proposal = Proposal {
            log_id: LOG,
            first,
            before: state.last,
            leaves: (first..end).map(leaf).collect(),
            heads,
        };
        (state, proposal)
    }

    #[test]
    fn a_log_that_only_grew_is_signed() {
        for (first, end) in [(0, 1), (0, 5), (5, 6), (5, 13), (12, 20)] {
            let (state, proposal) = honest(first, end);
            let checked = state.check(&proposal).expect("it is honest");
            assert_eq!(checked.state.size(), end);
            assert_eq!(checked.state.last, checked.hashes.last().copied());
            let next = honest(end, end + 3).1;
            assert!(checked.state.check(&next).is_ok(), "{first}..{end}");
        }
    }

    #[test]
    fn each_lie_is_refused_by_name() {
        let (state, good) = honest(5, 9);
        let check = |change: fn(&mut Proposal)| {
            let mut bad = good.clone();
            change(&mut bad);
            state.check(&bad).expect_err("it is a lie")
        };
        let tree_size = 8;
        assert_eq!(check(|bad| bad.log_id = LogId([2; 32])), Refusal::OtherLog);
        assert_eq!(check(|bad| bad.heads.truncate(3)), Refusal::Shape);
        assert_eq!(check(|bad| (bad.heads, bad.leaves) = (vec![], vec![])), Refusal::Shape);
        assert_eq!(check(|bad| bad.heads[2].tree_size = 9), Refusal::Shape);
        assert_eq!(check(|bad| bad.first = 6), Refusal::Behind { size: 5 });
        assert_eq!(check(|bad| bad.first = 4), Refusal::Shrunk { tree_size: 5, size: 5 });
        assert_eq!(check(|bad| bad.leaves[2] = leaf(99)), Refusal::Root { tree_size });
        assert_eq!(check(|bad| bad.heads[2].root = leaf(99)), Refusal::Root { tree_size });
        assert_eq!(check(|bad| bad.heads[2].prev_hash = PrevHash(None)), Refusal::Link { tree_size });
        assert_eq!(check(|bad| bad.heads[0].prev_hash = PrevHash(None)), Refusal::Link { tree_size: 6 });
        assert_eq!(
            check(|bad| bad.heads[2].policy = Policy { t: 1, n: 3 }),
            Refusal::Policy { tree_size }
        );
        assert_eq!(check(|bad| bad.heads[2].timestamp = 3), Refusal::Time { tree_size });
        let before_what_was_seen = |bad: &mut Proposal| {
            bad.heads[0].timestamp = 3;
            for next in 1..bad.heads.len() {
                bad.heads[next].timestamp = 3;
                bad.heads[next].prev_hash = PrevHash(Some(bad.heads[next - 1].hash()));
            }
        };
        assert_eq!(check(before_what_was_seen), Refusal::Time { tree_size: 6 });
    }

    #[test]
    fn who_was_away_catches_up_with_published_leaves_only() {
        let (away, missed) = honest(5, 9);
        let extension = Extension {
            log_id: LOG,
            first: 5,
            leaves: missed.leaves.clone(),
            head: missed.heads[3],
        };
        let back = away.extend(&extension).expect("it is honest");
        assert!(back.check(&honest(9, 11).1).is_ok());
        let extend = |change: fn(&mut Extension)| {
            let mut bad = extension.clone();
            change(&mut bad);
            away.extend(&bad).expect_err("it is a lie")
        };
        assert_eq!(extend(|bad| bad.leaves[0] = leaf(99)), Refusal::Root { tree_size: 9 });
        assert_eq!(extend(|bad| bad.leaves.truncate(3)), Refusal::Shape);
        assert_eq!(extend(|bad| bad.leaves.clear()), Refusal::Shape);
        assert_eq!(extend(|bad| bad.first = 6), Refusal::Behind { size: 5 });
        assert_eq!(extend(|bad| bad.first = 3), Refusal::Shrunk { tree_size: 9, size: 5 });
        assert_eq!(extend(|bad| bad.log_id = LogId([2; 32])), Refusal::OtherLog);
    }
}
