//! One audit of one log, as the worker drives it: begin, pages of leaves and heads, signatures, finish; then questions.

use std::collections::VecDeque;

use nexus_crypto::audits::{self, Fault, FaultCode};
use nexus_crypto::logs::{KeyDocument, KeysChanged, keys_follow};
use nexus_crypto::proofs::verify_inclusion;
use nexus_crypto::registrations::Registration;
use nexus_crypto::tree_heads::{KeyHistory, TreeHead};
use nexus_crypto::trees::Node;
use serde_json::{Value, json};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::nodes::Nodes;
use crate::pages::{Inclusion, Leaf, heads, leaves, read, thrown};

/// An audit on its way, and all that it has seen. Every method that fails throws the JSON of a fault.
#[wasm_bindgen]
pub struct Audit {
    document: KeyDocument,
    keys: KeyHistory,
    inner: audits::Audit,
    nodes: Nodes,
    entries: Vec<Registration>,
    latest: Option<TreeHead>,
    /// Heads whose signatures are still to be checked, oldest first.
    unchecked: VecDeque<TreeHead>,
    unchecked_max: usize,
    /// The newest heads, oldest first, for the cosigners' bars.
    newest: VecDeque<TreeHead>,
    heads: u32,
}

/// So many heads are kept for the cosigners' bars.
const NEWEST_MAX: usize = 40;

#[wasm_bindgen]
impl Audit {
    /// Begins with the body of `GET /.well-known/key-transparency`. Signatures are checked of the newest `signatures_max` heads.
    ///
    /// # Errors
    /// The fault, as JSON.
    pub fn begin(document: &[u8], signatures_max: u32) -> Result<Audit, String> {
        let document: KeyDocument = read(document, "the key document").map_err(|fault| thrown(&fault))?;
        let document = document.judged().map_err(|cause| thrown(&cause.into()))?;
        let keys = document.keys();
        Ok(Self {
            inner: audits::Audit::begin(document.log_id, keys.clone()),
            document,
            keys,
            nodes: Nodes::default(),
            entries: Vec::new(),
            latest: None,
            unchecked: VecDeque::new(),
            unchecked_max: signatures_max as usize,
            newest: VecDeque::new(),
            heads: 0,
        })
    }

    /// Is it the log of a key document that was seen before, and do its keys go on from those?
    ///
    /// # Errors
    /// The fault, as JSON.
    pub fn goes_on_from(&self, seen: &[u8]) -> Result<(), String> {
        let seen: KeyDocument = read(seen, "what this browser remembers").map_err(|fault| thrown(&fault))?;
        let outcome = if seen.log_id == self.document.log_id {
            keys_follow(&self.document.log_id, &seen.keys(), &self.keys)
        } else {
            Err(KeysChanged::OtherLog)
        };
        outcome.map_err(|cause| thrown(&cause.into()))
    }

    /// Takes in the body of `GET /sth/latest` without judging it, and says its size.
    ///
    /// # Errors
    /// The fault, as JSON.
    pub fn latest(&mut self, body: &[u8]) -> Result<f64, String> {
        let latest: TreeHead = read(body, "the latest tree head").map_err(|fault| thrown(&fault))?;
        let size = latest.head.tree_size;
        self.latest = Some(latest);
        Ok(size as f64)
    }

    /// Judges the latest head by itself: its policy, its cosigners, their signatures.
    ///
    /// # Errors
    /// The fault, as JSON.
    pub fn check_latest(&self) -> Result<(), String> {
        let Some(latest) = &self.latest else { return Ok(()) };
        // An audit that has seen nothing judges the head as the first of a log, and stops at its link or its leaves: what comes
        // before those is what we ask for.
        let judged = audits::Audit::begin(self.document.log_id, self.keys.clone()).head(latest);
        let shape = [
            FaultCode::BadPolicy,
            FaultCode::EmptyHead,
            FaultCode::SameCosigner,
            FaultCode::UnknownCosigner,
            FaultCode::TooFewSignatures,
        ];
        let judged = judged.or_else(|fault| if shape.contains(&fault.code) { Err(fault) } else { Ok(()) });
        judged.and_then(|()| self.inner.signatures(latest)).map_err(|fault| thrown(&fault))
    }

    /// Takes in a page of `GET /did/leaves` that begins where the last one ended, and the heads among them from `GET /sth/chain`,
    /// which may begin with some that are known.
    ///
    /// # Errors
    /// The fault, as JSON.
    pub fn page(&mut self, leaves_body: &[u8], heads_body: &[u8]) -> Result<(), String> {
        self.take(leaves_body, heads_body).map_err(|fault| thrown(&fault))
    }

    /// Checks the signatures of up to `count` heads, and says how many are left.
    ///
    /// # Errors
    /// The fault, as JSON.
    pub fn check_signatures(&mut self, count: u32) -> Result<u32, String> {
        for head in self.unchecked.drain(..self.unchecked.len().min(count as usize)) {
            self.inner.signatures(&head).map_err(|fault| thrown(&fault))?;
        }
        Ok(self.unchecked.len() as u32)
    }

    /// After the last page: is the latest head the end of the chain?
    ///
    /// # Errors
    /// The fault, as JSON.
    pub fn finish(&self) -> Result<(), String> {
        let Some(latest) = &self.latest else { return Ok(()) };
        self.inner.finish(latest).map_err(|fault| thrown(&fault))
    }

    /// Is the log that was taken in, up to its latest head, still the one that showed this head? Before its leaves are there, only
    /// what the two heads alone tell is judged.
    ///
    /// # Errors
    /// The fault, as JSON.
    pub fn since(&self, seen: &[u8]) -> Result<(), String> {
        let seen: TreeHead = read(seen, "what this browser remembers").map_err(|fault| thrown(&fault))?;
        let Some(latest) = &self.latest else {
            let detail = format!("the log had {} leaves when it was last seen, and has none now", seen.head.tree_size);
            return Err(thrown(&Fault::at_head(FaultCode::Rollback, 0, detail)));
        };
        let (old, new) = (seen.head.tree_size, latest.head.tree_size);
        if old < new && self.inner.size() < new {
            return Ok(());
        }
        let path = self.nodes.consistency(old, new).unwrap_or_default();
        audits::since(&seen, latest, &path).map_err(|fault| thrown(&fault))
    }

    /// Verifies that a leaf, the body of `GET /did/{id}`, stands in the audited tree, by the body of `GET /sth/proof/inclusion`, and
    /// says its index, its hash and the path as JSON.
    ///
    /// # Errors
    /// The fault, as JSON.
    pub fn inclusion(&self, leaf: &[u8], proof: &[u8]) -> Result<String, String> {
        self.include(leaf, proof)
            .map(|proven| proven.to_string())
            .map_err(|fault| thrown(&fault))
    }

    /// Leaves taken in.
    pub fn size(&self) -> u32 {
        self.inner.size() as u32
    }

    /// Heads taken in.
    pub fn heads(&self) -> u32 {
        self.heads
    }

    /// Heads whose signatures are still to be checked.
    pub fn unchecked(&self) -> u32 {
        self.unchecked.len() as u32
    }

    /// Different ids.
    pub fn ids(&self) -> u32 {
        self.inner.ids() as u32
    }

    /// The root of the leaves taken in, in base64.
    pub fn root(&self) -> String {
        self.inner.edge().root().to_string()
    }

    /// Who signed the newest heads, oldest first: `[{"tree_size", "timestamp", "cosigners": [name]}]`.
    pub fn newest(&self) -> String {
        let row = |head: &TreeHead| {
            let cosigners: Vec<_> = head.signatures.iter().map(|signature| &signature.cosigner).collect();
            json!({"tree_size": head.head.tree_size, "timestamp": head.head.timestamp, "cosigners": cosigners})
        };
        self.newest.iter().map(row).collect::<Value>().to_string()
    }

    /// How good each signature of the latest head is: `[{"cosigner", "known": bool, "valid": bool}]`.
    pub fn signers(&self) -> String {
        let Some(TreeHead { head, signatures }) = &self.latest else {
            return "[]".to_owned();
        };
        let hash = head.hash();
        let row = |signature: &nexus_crypto::tree_heads::HeadSignature| {
            let key = self.keys.at(&signature.cosigner, head);
            let valid = key.is_some_and(|key| key.verifies(&hash.0, &signature.sig));
            json!({"cosigner": signature.cosigner, "known": key.is_some(), "valid": valid})
        };
        signatures.iter().map(row).collect::<Value>().to_string()
    }

    /// Some entries from `from` on: `[{"index", "id", "public_key", "timestamp", "rotated": bool, "hash"}]`.
    pub fn rows(&self, from: u32, count: u32) -> String {
        let to = (from as usize + count as usize).min(self.entries.len());
        let from = (from as usize).min(to);
        (from..to).map(|index| self.row(index)).collect::<Value>().to_string()
    }

    /// The entries whose id contains a text, newest first, at most `count` of them, as [`Audit::rows`].
    pub fn search(&self, text: &str, count: u32) -> String {
        let hits = (0..self.entries.len())
            .rev()
            .filter(|index| self.entries[*index].id.as_str().contains(text));
        hits.take(count as usize)
            .map(|index| self.row(index))
            .collect::<Value>()
            .to_string()
    }

    /// The entries of an id, oldest first, as [`Audit::rows`].
    pub fn history(&self, id: &str) -> String {
        let own = (0..self.entries.len()).filter(|index| self.entries[*index].id.as_str() == id);
        own.map(|index| self.row(index)).collect::<Value>().to_string()
    }

    /// The hash of a part of the tree in base64, or nothing if there is no such part.
    pub fn subtree(&self, start: u32, count: u32) -> Option<String> {
        self.nodes.root_of(start.into(), count.into()).map(|hash| hash.to_string())
    }
}

impl Audit {
    fn take(&mut self, leaves_body: &[u8], heads_body: &[u8]) -> Result<(), Fault> {
        let leaves = leaves(leaves_body, self.inner.size())?;
        let mut heads = heads(heads_body)?;
        let known = self.inner.last().map_or(0, |head| head.head.tree_size);
        // What is known stands at the beginning and ends with the last head taken in.
        let fresh = heads.iter().position(|head| head.head.tree_size >= known).unwrap_or(heads.len());
        let fresh = fresh + usize::from(known > 0 && heads.get(fresh).is_some_and(|head| head.head.tree_size == known));
        heads.drain(..fresh);
        let nodes = &mut self.nodes;
        self.inner.page(&leaves, &heads, |node, hash| nodes.keep(node, hash))?;
        self.entries.extend(leaves);
        self.heads += heads.len() as u32;
        for head in heads {
            keep(&mut self.newest, head.clone(), NEWEST_MAX);
            keep(&mut self.unchecked, head, self.unchecked_max);
        }
        Ok(())
    }

    fn include(&self, leaf: &[u8], proof: &[u8]) -> Result<Value, Fault> {
        let Leaf { leaf_index, registration } = read(leaf, "the entry").map_err(|fault| Fault {
            code: FaultCode::BadRegistration,
            ..fault
        })?;
        let bad = |detail: &str| Fault::at_leaf(FaultCode::BadInclusion, leaf_index, detail);
        let proof: Inclusion = read(proof, "the proof")?;
        let (size, hash) = (self.inner.size(), registration.leaf());
        if (proof.leaf_index, proof.tree_size) != (leaf_index, size) {
            return Err(bad("the proof is for another entry or another tree"));
        }
        if proof.leaf_hash != hash {
            return Err(bad("the proof is for a leaf that is not this entry"));
        }
        if !verify_inclusion(&hash, leaf_index, size, &proof.path, &self.inner.edge().root()) {
            return Err(bad("the path does not lead from this entry to the root"));
        }
        if self.nodes.at(Node {
            level: 0,
            index: leaf_index,
        }) != Some(hash)
        {
            return Err(bad("another entry stands at this place of the log"));
        }
        Ok(json!({"index": leaf_index, "hash": hash, "path": proof.path}))
    }

    fn row(&self, index: usize) -> Value {
        let entry = &self.entries[index];
        json!({
            "index": index,
            "id": entry.id,
            "public_key": entry.public_key,
            "timestamp": entry.timestamp_s,
            "rotated": entry.rotation.is_some(),
            "hash": self.nodes.at(Node { level: 0, index: index as u64 }),
        })
    }
}

/// Appends, and forgets the oldest above the limit.
fn keep(heads: &mut VecDeque<TreeHead>, head: TreeHead, max: usize) {
    if heads.len() == max {
        heads.pop_front();
    }
    if max > 0 {
        heads.push_back(head);
    }
}
