//! A log made up for measuring: scattered ids, a head for each leaf, linked, with its true root.
//!
//! Only the newest heads are really signed. The other signatures are good ones of another message, because two million good ones would
//! take longer than everything that is measured; only what verifies signatures could tell, and it is asked about the newest.

use std::time::{SystemTime, UNIX_EPOCH};

use nexus_crypto::hashes::Hash;
use nexus_crypto::keys::{PublicKey, Signature, SigningKey};
use nexus_crypto::logs::{KeyDocument, ListedKey, LogId};
use nexus_crypto::registrations::{Id, Registration};
use nexus_crypto::tree_heads::{CosignerKey, HeadSignature, POLICY, PrevHash, TreeHead, UnsignedHead};
use nexus_crypto::trees::RightEdge;

use crate::Outcome;

/// The newest heads, which are really signed.
pub(super) const SIGNED: u64 = 1_000;
/// Different keys that are registered, in turn: to make one takes as long as to sign.
const KEYS: u64 = 1_024;
/// Who signs the heads: two of three.
const SIGNERS: u8 = 2;

/// Seconds since 1970.
pub(super) fn now_s() -> Outcome<i64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs().cast_signed())
}

/// A bijection that scatters numbers: ids do not come in the order of an index.
///
/// # Source
/// SplitMix64's finaliser, <https://prng.di.unimi.it/splitmix64.c>.
pub(super) fn scatter(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The id of a number, 25 bytes.
pub(super) fn id(number: u64) -> String {
    format!("did:nexo:{:016x}", scatter(number))
}

/// The keys that are registered in turn.
pub(super) fn keys() -> Vec<PublicKey> {
    let key = |number: u64| {
        let mut seed = [1; 32];
        seed[..8].copy_from_slice(&scatter(number).to_le_bytes());
        SigningKey::from_seed(&seed).public()
    };
    (0..KEYS).map(key).collect()
}

/// The key of a cosigner.
pub(super) fn cosigner(number: u8) -> SigningKey {
    let mut seed = [2; 32];
    seed[0] = number;
    SigningKey::from_seed(&seed)
}

/// Registrations, one after the other, each of a new id.
pub(super) struct Leaves {
    keys: Vec<PublicKey>,
    time_s: i64,
    next: u64,
}

impl Leaves {
    /// From a number on.
    pub(super) fn new(next: u64) -> Outcome<Self> {
        Ok(Self {
            keys: keys(),
            time_s: now_s()?,
            next,
        })
    }

    pub(super) fn next(&mut self) -> Registration {
        let number = self.next;
        self.next += 1;
        Registration {
            id: Id::parse(&id(number)).expect("the id of a number is one"),
            public_key: self.keys[(number % KEYS) as usize].bytes(),
            timestamp_s: self.time_s,
            rotation: None,
        }
    }
}

/// A whole log in memory.
pub(super) struct Chain {
    pub(super) document: KeyDocument,
    pub(super) leaves: Vec<Registration>,
    /// One for each leaf.
    pub(super) heads: Vec<TreeHead>,
    /// One for all leaves, the first of its log.
    pub(super) only: TreeHead,
}

impl Chain {
    pub(super) fn new(size: u64) -> Outcome<Self> {
        let cosigners: Vec<_> = (0..SIGNERS).map(cosigner).collect();
        let elsewhere: Vec<_> = cosigners.iter().map(|key| key.sign(b"something else")).collect();
        let (mut source, mut edge, mut prev_hash) = (Leaves::new(0)?, RightEdge::default(), PrevHash(None));
        let mut leaves = Vec::with_capacity(size as usize);
        let mut heads = Vec::with_capacity(size as usize);
        for _ in 0..size {
            let leaf = source.next();
            edge.append(leaf.leaf());
            let head = unsigned(&edge, prev_hash, source.time_s);
            let hash = head.hash();
            let signatures = if edge.size() + SIGNED > size {
                cosigners.iter().map(|key| key.sign(&hash.0)).collect()
            } else {
                elsewhere.clone()
            };
            heads.push(signed(head, signatures));
            leaves.push(leaf);
            prev_hash = PrevHash(Some(hash));
        }
        let only = unsigned(&edge, PrevHash(None), source.time_s);
        Ok(Self {
            document: document(),
            leaves,
            heads,
            only: signed(only, cosigners.iter().map(|key| key.sign(&only.hash().0)).collect()),
        })
    }

    pub(super) fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    pub(super) fn root(&self) -> Hash {
        self.only.head.root
    }
}

fn unsigned(edge: &RightEdge, prev_hash: PrevHash, timestamp: i64) -> UnsignedHead {
    UnsignedHead {
        tree_size: edge.size(),
        root: edge.root(),
        prev_hash,
        policy: POLICY,
        timestamp,
    }
}

fn signed(head: UnsignedHead, signatures: Vec<Signature>) -> TreeHead {
    let named = |(number, sig): (usize, Signature)| HeadSignature {
        cosigner: name(number as u8),
        sig,
    };
    TreeHead {
        head,
        signatures: signatures.into_iter().enumerate().map(named).collect(),
    }
}

/// What a cosigner is called.
pub(super) fn name(number: u8) -> String {
    format!("cosigner_{number}")
}

fn document() -> KeyDocument {
    let listed = |number: u8| ListedKey {
        key: CosignerKey {
            cosigner: name(number),
            public_key: cosigner(number).public(),
            from_s: 0,
            until_s: None,
            endorsement: None,
            ended_at: None,
        },
        operator: "the bench".to_owned(),
        url: None,
    };
    KeyDocument::new(LogId([3; 32]), cosigner(9).public(), (0..3).map(listed).collect())
}
