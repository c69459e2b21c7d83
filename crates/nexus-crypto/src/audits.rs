//! Recomputing a log: every leaf, root, link and rule, in the order of the log, and the exact entry where it fails.
//!
//! An audit takes leaves and heads as they come, keeps what later ones are judged by, and deliberately fetches nothing: the command
//! line, the browser and the tests feed it. The words of [`FaultCode`] are the same in every implementation.

mod ids;

use serde::Serialize;

use crate::hashes::Hash;
use crate::logs::{KeysChanged, LogId};
use crate::proofs::verify_consistency;
use crate::registrations::{BadRotation, Registration};
use crate::tree_heads::{BadHead, KeyHistory, TreeHead, UnsignedHead};
use crate::trees::{Node, RightEdge};

use ids::{Ids, Known};

/// What is wrong with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultCode {
    /// A leaf that can't be registered.
    BadRegistration,
    /// An id changed its key without the word of the key before.
    RotationMissing,
    /// The word of the key before is not good, or is about another change.
    RotationInvalid,
    /// A change of key that is not later than what it changes.
    RotationNotLater,
    /// An id went back to a key that it had left.
    KeyReturned,
    /// An id's key stands twice.
    DuplicateLeaf,
    /// Fewer leaves than a head says.
    MissingLeaf,
    /// The leaves have another root than the head says.
    RootMismatch,
    /// Not two of three.
    BadPolicy,
    /// A head of an empty log.
    EmptyHead,
    /// A cosigner twice.
    SameCosigner,
    /// A signer that is no cosigner of that time.
    UnknownCosigner,
    /// A signature that its cosigner did not make.
    BadSignature,
    /// Fewer than two signatures.
    TooFewSignatures,
    /// `prev_hash` is not the hash of the head before.
    BrokenLink,
    /// A head smaller than the one before.
    Shrunk,
    /// Two heads for one size.
    TwoRoots,
    /// A head older than the one before.
    TimeWentBack,
    /// The latest head is not the newest.
    StaleHead,
    /// The log is smaller than it was.
    Rollback,
    /// Others are shown another log than was seen here.
    SplitView,
    /// A leaf is not proven to be in the tree.
    BadInclusion,
    /// Another log.
    WrongLog,
    /// A cosigner's key changed without the word of the key before.
    KeyChanged,
    /// It is no log, head or leaf at all.
    Unreadable,
    /// Nothing answered.
    Unreachable,
}

impl std::fmt::Display for FaultCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(formatter)
    }
}

/// A fault, and where it is.
///
/// # Shape
/// `{"code", "leaf_index": int or null, "tree_size": int or null, "detail"}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Fault {
    /// Which.
    pub code: FaultCode,
    /// At which leaf, counted from 0.
    pub leaf_index: Option<u64>,
    /// At the head of which size.
    pub tree_size: Option<u64>,
    /// A sentence.
    pub detail: String,
}

impl Fault {
    /// A fault of the log as a whole.
    pub fn new(code: FaultCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            leaf_index: None,
            tree_size: None,
            detail: detail.into(),
        }
    }

    /// A fault of a leaf.
    pub fn at_leaf(code: FaultCode, index: u64, detail: impl Into<String>) -> Self {
        Self {
            leaf_index: Some(index),
            ..Self::new(code, detail)
        }
    }

    /// A fault of a head.
    pub fn at_head(code: FaultCode, tree_size: u64, detail: impl Into<String>) -> Self {
        Self {
            tree_size: Some(tree_size),
            ..Self::new(code, detail)
        }
    }

    fn bad_head(tree_size: u64, cause: &BadHead) -> Self {
        let code = match cause {
            BadHead::Policy => FaultCode::BadPolicy,
            BadHead::Empty => FaultCode::EmptyHead,
            BadHead::SameCosigner(_) => FaultCode::SameCosigner,
            BadHead::UnknownCosigner(_) => FaultCode::UnknownCosigner,
            BadHead::Signature(_) => FaultCode::BadSignature,
            BadHead::TooFew(_) => FaultCode::TooFewSignatures,
            BadHead::Link => FaultCode::BrokenLink,
            BadHead::Shrunk(..) => FaultCode::Shrunk,
            BadHead::TwoRoots(_) => FaultCode::TwoRoots,
            BadHead::Time => FaultCode::TimeWentBack,
        };
        Self::at_head(code, tree_size, cause.to_string())
    }

    fn bad_rotation(index: u64, cause: BadRotation) -> Self {
        let code = match cause {
            BadRotation::SameKey => FaultCode::DuplicateLeaf,
            BadRotation::KeyReturned => FaultCode::KeyReturned,
            BadRotation::Missing => FaultCode::RotationMissing,
            BadRotation::NotLater => FaultCode::RotationNotLater,
            BadRotation::Invalid => FaultCode::RotationInvalid,
        };
        Self::at_leaf(code, index, cause.to_string())
    }
}

impl From<KeysChanged> for Fault {
    fn from(cause: KeysChanged) -> Self {
        let code = match cause {
            KeysChanged::OtherLog => FaultCode::WrongLog,
            KeysChanged::Policy | KeysChanged::Names(_) => FaultCode::BadPolicy,
            KeysChanged::SameKey => FaultCode::SameCosigner,
            KeysChanged::Misshapen(_) | KeysChanged::Rewritten(..) | KeysChanged::Unendorsed(_) => FaultCode::KeyChanged,
        };
        Self::new(code, cause.to_string())
    }
}

/// An audit on its way.
pub struct Audit {
    log_id: LogId,
    keys: KeyHistory,
    edge: RightEdge,
    last: Option<TreeHead>,
    ids: Ids,
}

impl Audit {
    /// An audit from the first leaf on.
    pub fn begin(log_id: LogId, keys: KeyHistory) -> Self {
        Self {
            log_id,
            keys,
            edge: RightEdge::default(),
            last: None,
            ids: Ids::default(),
        }
    }

    /// Goes on with the keys that the log shows now. Whether they may follow those before is [`crate::logs::keys_follow`]'s to judge.
    pub fn set_keys(&mut self, keys: KeyHistory) {
        self.keys = keys;
    }

    /// Leaves taken in.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The right edge after them.
    pub fn edge(&self) -> &RightEdge {
        &self.edge
    }

    /// The last head taken in.
    pub fn last(&self) -> Option<&TreeHead> {
        self.last.as_ref()
    }

    /// Different ids seen.
    pub fn ids(&self) -> u64 {
        self.ids.len() as u64
    }

    /// Takes in the next leaf, and hands on every subtree that it completed.
    ///
    /// # Errors
    /// The [`Fault`] of this leaf.
    pub fn leaf(&mut self, leaf: &Registration, complete: impl FnMut(Node, Hash)) -> Result<(), Fault> {
        let index = self.edge.size();
        if let Some(known) = self.ids.find(leaf.id.as_str()) {
            let current = Registration {
                id: leaf.id.clone(),
                public_key: known.key,
                timestamp_s: known.timestamp_s,
                rotation: None,
            };
            leaf.may_follow(&current, &known.left, &self.log_id)
                .map_err(|cause| Fault::bad_rotation(index, cause))?;
            known.left.push(known.key);
            (known.key, known.timestamp_s) = (leaf.public_key, leaf.timestamp_s);
        } else {
            if leaf.rotation.is_some() {
                let detail = "the first leaf of an id says that it follows another";
                return Err(Fault::at_leaf(FaultCode::RotationInvalid, index, detail));
            }
            let known = Known {
                key: leaf.public_key,
                timestamp_s: leaf.timestamp_s,
                left: vec![],
            };
            self.ids.add(leaf.id.as_str(), known);
        }
        self.edge.grow(leaf.leaf(), complete);
        Ok(())
    }

    /// Takes in the next head: its policy, its link to the head before, who signed, and that its root is that of the leaves so far. Its
    /// leaves must have been taken in, and none after them. Signatures are another matter, see [`Audit::signatures`]: they take
    /// hundreds of times as long.
    ///
    /// # Errors
    /// The [`Fault`] of this head.
    pub fn head(&mut self, head: &TreeHead) -> Result<(), Fault> {
        let size = head.head.tree_size;
        let bad = |cause: BadHead| Fault::bad_head(size, &cause);
        head.verify_shape().map_err(bad)?;
        head.follows(self.last.as_ref()).map_err(bad)?;
        head.verify_cosigners(&self.keys).map_err(bad)?;
        if size > self.size() {
            let detail = format!("the head says {size} leaves, and there are {}", self.size());
            return Err(Fault {
                leaf_index: Some(self.size()),
                ..Fault::at_head(FaultCode::MissingLeaf, size, detail)
            });
        }
        if size < self.size() || head.head.root != self.edge.root() {
            return Err(Fault::at_head(
                FaultCode::RootMismatch,
                size,
                format!("the first {size} leaves have another root than the head says"),
            ));
        }
        self.ends(&head.head)?;
        self.last = Some(head.clone());
        Ok(())
    }

    /// Where a cosigner's key ended, is there a head, and is it the one by which it ended?
    fn ends(&self, head: &UnsignedHead) -> Result<(), Fault> {
        let passed = self.last.as_ref().map_or(0, |last| last.head.tree_size);
        for key in &self.keys.0 {
            let Some(ended) = key
                .ended_at
                .filter(|ended| (passed + 1..=head.tree_size).contains(&ended.tree_size))
            else {
                continue;
            };
            if ended.tree_size != head.tree_size || ended.head != head.hash() {
                let detail = format!("a key of {} ended at another head of this size", key.cosigner);
                return Err(Fault::at_head(FaultCode::SplitView, ended.tree_size, detail));
            }
        }
        Ok(())
    }

    /// Goes on after a head that was audited before, once its leaves have been taken in again: they are what later ones are judged by.
    ///
    /// # Errors
    /// [`FaultCode::SplitView`] unless they have that head's root.
    pub fn go_on_after(&mut self, head: &TreeHead) -> Result<(), Fault> {
        let size = head.head.tree_size;
        if self.size() != size || self.edge.root() != head.head.root {
            let detail = format!("the {size} leaves seen last are not the beginning of the log of today");
            return Err(Fault::at_head(FaultCode::SplitView, size, detail));
        }
        self.last = Some(head.clone());
        Ok(())
    }

    /// Takes in leaves and the heads among them, both in order, and hands on every subtree that became complete.
    ///
    /// # Errors
    /// The first [`Fault`].
    pub fn page(&mut self, leaves: &[Registration], heads: &[TreeHead], mut complete: impl FnMut(Node, Hash)) -> Result<(), Fault> {
        let mut leaves = leaves.iter();
        for head in heads {
            while self.size() < head.head.tree_size {
                let Some(leaf) = leaves.next() else { break };
                self.leaf(leaf, &mut complete)?;
            }
            self.head(head)?;
        }
        for leaf in leaves {
            self.leaf(leaf, &mut complete)?;
        }
        Ok(())
    }

    /// Are the signatures of a head good?
    ///
    /// # Errors
    /// [`FaultCode::BadSignature`].
    pub fn signatures(&self, head: &TreeHead) -> Result<(), Fault> {
        head.verify_signatures(&self.keys)
            .map_err(|cause| Fault::bad_head(head.head.tree_size, &cause))
    }

    /// At the end: is what the log calls its latest head the newest, did enough sign it, and has every leaf its head?
    ///
    /// # Errors
    /// [`FaultCode::StaleHead`], [`FaultCode::TwoRoots`], [`FaultCode::MissingLeaf`], or what is wrong with who signed it.
    pub fn finish(&self, latest: &TreeHead) -> Result<(), Fault> {
        let size = latest.head.tree_size;
        // It may have come with other signatures than the one in the chain.
        let judged = latest.verify_shape().and_then(|()| latest.verify_cosigners(&self.keys));
        judged.map_err(|cause| Fault::bad_head(size, &cause))?;
        let newest = self.last.as_ref().map_or(0, |head| head.head.tree_size);
        if size < newest {
            let detail = format!("the log calls the head of {size} leaves its latest, and shows one of {newest}");
            return Err(Fault::at_head(FaultCode::StaleHead, size, detail));
        }
        if size > newest {
            let detail = format!("the log's latest head has {size} leaves, and its chain ends at {newest}");
            return Err(Fault::at_head(FaultCode::MissingLeaf, size, detail));
        }
        if self.last.as_ref().is_some_and(|head| head.head != latest.head) {
            return Err(Fault::at_head(
                FaultCode::TwoRoots,
                size,
                "the latest head is not the one in the chain",
            ));
        }
        if let Some(key) = self
            .keys
            .0
            .iter()
            .find(|key| key.ended_at.is_some_and(|ended| ended.tree_size > size))
        {
            let detail = format!("a key of {} ended when the log had more leaves than now", key.cosigner);
            return Err(Fault::at_head(FaultCode::Rollback, size, detail));
        }
        if self.size() > newest {
            let detail = format!("there are {} leaves, and the latest head knows {newest}", self.size());
            return Err(Fault::at_head(FaultCode::StaleHead, size, detail));
        }
        Ok(())
    }
}

/// Is the log that shows `latest` still the one that showed `seen`? `path` is the log's consistency proof from the one to the other.
///
/// # Errors
/// [`FaultCode::Rollback`], [`FaultCode::SplitView`].
pub fn since(seen: &TreeHead, latest: &TreeHead, path: &[Hash]) -> Result<(), Fault> {
    let (old, new) = (&seen.head, &latest.head);
    if new.tree_size < old.tree_size {
        let detail = format!(
            "the log had {} leaves when it was last seen, and has {} now",
            old.tree_size, new.tree_size
        );
        return Err(Fault::at_head(FaultCode::Rollback, new.tree_size, detail));
    }
    if new.tree_size == old.tree_size && old != new {
        let detail = format!("another head for {} leaves than when it was last seen", old.tree_size);
        return Err(Fault::at_head(FaultCode::SplitView, new.tree_size, detail));
    }
    if verify_consistency(old.tree_size, new.tree_size, &old.root, &new.root, path) {
        Ok(())
    } else {
        let detail = format!("the {} leaves seen last are not the beginning of the log of today", old.tree_size);
        Err(Fault::at_head(FaultCode::SplitView, new.tree_size, detail))
    }
}
